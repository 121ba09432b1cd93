//! `propusk backup`

use crate::failure::Failure;
use crate::house;
use crate::input::PassphraseSource;
use crate::output::{Report, lines};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use propusk_server::backup::{BackupError, Source, TableSum, create};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
The backup is of one moment, whatever happens meanwhile, and is read back before it gets its name. It holds everything but what may
be lost without harm (the change log and short-lived counters). With a passphrase it is sealed and contains the master key; without,
keep the file of the master key, too. backup.schedule makes one by the clock.

Examples:
  propusk backup /var/backups/propusk.backup
  propusk backup propusk.backup --passphrase
  propusk backup propusk.backup --passphrase-file /root/passphrase --json";

/// Write everything into one file while the server runs; of either database
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Backup {
    /// The file, which must not exist yet
    file: PathBuf,
    #[command(flatten)]
    source: PassphraseSource,
}

impl Backup {
    pub(crate) fn run(self, config: Option<&Path>, json: bool) -> Result<Report, Failure> {
        let instance = house::open(config)?;
        let passphrase = self.source.choose(true)?;
        let source = Source { db: &instance.db, master: &instance.master, issuer: &instance.policy.issuer, now: instance.clock.now() };
        let bar = Bar::new(json);
        let made = create(&source, &self.file, passphrase.as_ref(), &mut |table, done, total| bar.show(table, done, total))?;
        bar.end();
        let rows: u64 = made.tables.iter().map(|table| table.rows).sum();
        let key_file = instance.settings.master_key_path();
        // The one that the backup is worth nothing without.
        let needed = passphrase.is_none().then_some(&key_file);
        let document = json!({
            "file": self.file, "bytes": made.bytes, "created_at": made.header.created_at, "rows": rows, "tables": tables(&made.tables),
            "master_key": { "fingerprint": made.header.master_key, "included": passphrase.is_some(), "file": needed },
        });
        let human = format!("{} rows in {} tables are in {} ({} bytes).", rows, made.tables.len(), self.file.display(), made.bytes);
        let report = Report::of(document).human(human);
        Ok(if passphrase.is_some() {
            report
        } else {
            report.note(format!(
                "The backup holds no master key: keep a copy of {} (fingerprint {}) apart from it.",
                key_file.display(),
                made.header.master_key
            ))
        })
    }
}

/// Tables with their rows.
pub(crate) fn tables(sums: &[TableSum]) -> Value {
    sums.iter().map(|table| json!({ "name": table.name, "rows": table.rows, "sha256": table.sha256 })).collect()
}

/// Names and numbers for a person.
pub(crate) fn rows_text(sums: &[TableSum]) -> String {
    lines(sums.iter().filter(|table| table.rows > 0).map(|table| (table.name.as_str(), table.rows.to_string())))
}

/// A bar on standard error, where that is a terminal.
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    pub(crate) fn new(json: bool) -> Self {
        if json || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let style = ProgressStyle::with_template("{msg:16} {bar:40} {pos}/{len}").unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(Some(ProgressBar::new(0).with_style(style)))
    }

    /// Shows how far it has come; always goes on.
    pub(crate) fn show(&self, table: &str, done: u64, total: u64) -> bool {
        if let Some(bar) = &self.0 {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(table.to_owned());
        }
        true
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Database(fault) => fault.into(),
            BackupError::Unreadable(..) | BackupError::Read(_) | BackupError::Unwritable(..) => Self::Unreachable(error.to_string()),
            BackupError::PassphraseNeeded => Self::usage(error.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}
