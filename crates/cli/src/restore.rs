//! `propusk restore`

use crate::backup::{Bar, rows_text, tables};
use crate::failure::Failure;
use crate::input::PassphraseSource;
use crate::output::Report;
use clap::Args;
use propusk_server::backup::{check, restore};
use propusk_server::settings::Settings;
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
The database of the settings must be empty; it may be of the other kind, so this is also the way from SQLite to PostgreSQL and back.
The whole file is checked before anything is written, and every table is read back and compared before the database opens. What
fails half-way is removed again. Stop the server first.

Examples:
  propusk restore /var/backups/propusk.backup
  propusk restore propusk.backup --check
  PROPUSK__DATABASE__URL=postgres://propusk@127.0.0.1/propusk propusk restore propusk.backup --passphrase-file /root/passphrase";

/// Fill an empty database from a backup, of either kind
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Restore {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    source: PassphraseSource,
    /// Only check whether the backup is whole and opens
    #[arg(long)]
    check: bool,
}

impl Restore {
    pub(crate) fn run(self, config: Option<&Path>, json: bool) -> Result<Report, Failure> {
        let settings = Settings::load(config)?;
        let passphrase = self.source.choose(false)?;
        let checked = check(&self.file, passphrase.as_ref(), &settings.master_key_path())?;
        if !self.check {
            let bar = Bar::new(json);
            restore(&checked, &settings, &mut |table, done, total| bar.show(table, done, total))?;
            bar.end();
        }
        let rows: u64 = checked.tables.iter().map(|table| table.rows).sum();
        let document = json!({
            "file": self.file, "created_at": checked.header.created_at, "issuer": checked.header.issuer, "restored": !self.check, "rows": rows,
            "tables": tables(&checked.tables), "master_key": { "fingerprint": checked.header.master_key, "file": settings.master_key_path() },
        });
        let what = if self.check { "The backup is whole" } else { "Everything has arrived" };
        let human = format!("{}{what}: {rows} rows, made at {}.\n", rows_text(&checked.tables), checked.header.created_at);
        let report = Report::of(document).human(human);
        if settings.issuer == checked.header.issuer {
            return Ok(report);
        }
        Ok(report.note(format!("The backup was made under the issuer {}, and the settings say {}.", checked.header.issuer, settings.issuer)))
    }
}
