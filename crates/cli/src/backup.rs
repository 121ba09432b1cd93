//! `propusk backup`

use crate::failure::Failure;
use crate::house;
use crate::input::PassphraseSource;
use crate::output::{Report, lines};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
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
        let instance = house::open_existing(config)?;
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
        Self::on(ProgressDrawTarget::stderr())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let style = ProgressStyle::with_template("{msg:16} {bar:40} {pos}/{len}").unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(Some(ProgressBar::with_draw_target(Some(0), target).with_style(style)))
    }

    /// Shows how far it has come; always goes on.
    pub(crate) fn show(&self, table: &str, done: u64, total: u64) -> bool {
        if let Some(bar) = &self.0 {
            // Each step may draw: a short table after a long one must not be shown with the rows of the long one.
            if bar.message() != table {
                bar.set_position(0);
                bar.set_message(table.to_owned());
            }
            bar.update(|state| {
                state.set_len(total);
                state.set_pos(done);
            });
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use std::io::Result;
    use std::sync::{Arc, Mutex};

    /// A terminal that keeps whatever was drawn.
    #[derive(Debug, Clone, Default)]
    struct Drawn(Arc<Mutex<String>>);

    impl Drawn {
        fn keep(&self, text: &str) {
            let mut drawn = self.0.lock().unwrap();
            drawn.push_str(text);
            drawn.push('\n');
        }
    }

    impl TermLike for Drawn {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> Result<()> {
            self.keep(text);
            Ok(())
        }
        fn write_str(&self, text: &str) -> Result<()> {
            self.keep(text);
            Ok(())
        }
        fn clear_line(&self) -> Result<()> {
            Ok(())
        }
        fn flush(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_short_table_after_a_long_one_is_not_drawn_past_its_end() {
        let drawn = Drawn::default();
        let bar = Bar::on(ProgressDrawTarget::term_like(Box::new(drawn.clone())));
        for (table, done, total) in [("users", 200, 222), ("users", 222, 222), ("grants", 9, 9), ("audit", 3, 3)] {
            bar.show(table, done, total);
        }
        let text = drawn.0.lock().unwrap().clone();
        let counts: Vec<(u64, u64)> = text
            .split_whitespace()
            .filter_map(|word| word.split_once('/'))
            .filter_map(|(done, total)| Some((done.parse().ok()?, total.parse().ok()?)))
            .collect();
        assert!(counts.contains(&(9, 9)) && counts.contains(&(3, 3)), "{text}");
        assert!(counts.iter().all(|(done, total)| done <= total), "{text}");
    }
}
