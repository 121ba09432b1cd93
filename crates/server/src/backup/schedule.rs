//! Backups by the clock (`backup.schedule`), the oldest removed beyond `backup.keep`.

use super::{BackupError, Source, create};
use crate::settings::BackupSettings;
use crate::state::AppState;
use propusk_crypto::Secret;
use propusk_domain::UnixTime;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A backup that failed is tried again after so many seconds.
const AGAIN: i64 = 300;

/// The name of a file is this, the time, and [`ENDING`].
const BEGINNING: &str = "propusk-";
const ENDING: &str = ".backup";

/// What became of the scheduled backups.
#[derive(Debug)]
pub struct Status {
    /// When the last one succeeded; -1 when none is known.
    last: AtomicI64,
    /// Not before this moment.
    next: AtomicI64,
    failures: AtomicU64,
}

impl Default for Status {
    fn default() -> Self {
        Self { last: AtomicI64::new(-1), next: AtomicI64::new(i64::MIN), failures: AtomicU64::new(0) }
    }
}

impl Status {
    /// Seconds since the last success; -1 when none is known.
    pub fn age(&self, now: UnixTime) -> i64 {
        let last = self.last.load(Ordering::Acquire);
        if last < 0 { -1 } else { now.since(UnixTime(last)).max(0) }
    }

    /// How many have failed since the start.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

/// Makes a backup when one is due. `go_on` is asked all the time, so that a server that stops does not wait for it.
pub(crate) fn run_if_due(state: &AppState, go_on: &dyn Fn() -> bool) {
    let settings = &state.settings.backup;
    let now = state.now();
    if settings.schedule == 0 || now.0 < state.backups.next.load(Ordering::Acquire) {
        return;
    }
    // A restart, or another replica with the same directory, does not begin the interval anew.
    let newest = list(&settings.directory).pop().map(|(at, _)| at);
    if let Some(at) = newest {
        state.backups.last.store(at.0, Ordering::Release);
        if now.since(at) < settings.schedule {
            state.backups.next.store(at.plus(settings.schedule).0, Ordering::Release);
            return;
        }
    }
    match back_up(state, settings, now, go_on) {
        Ok(path) => {
            tracing::info!(file = %path.display(), "a scheduled backup was made");
            state.backups.last.store(now.0, Ordering::Release);
            state.backups.next.store(now.plus(settings.schedule).0, Ordering::Release);
            remove_surplus(settings);
        }
        Err(BackupError::Stopped) => {}
        Err(error) => {
            tracing::error!(%error, "a scheduled backup failed");
            state.backups.failures.fetch_add(1, Ordering::Relaxed);
            state.backups.next.store(now.plus(AGAIN.min(settings.schedule)).0, Ordering::Release);
        }
    }
}

fn back_up(state: &AppState, settings: &BackupSettings, now: UnixTime, go_on: &dyn Fn() -> bool) -> Result<PathBuf, BackupError> {
    let directory = &settings.directory;
    let unwritable = |error| BackupError::Unwritable(directory.clone(), error);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unwritable)?;
    let passphrase = settings.passphrase_file.as_deref().map(read_passphrase).transpose()?;
    let path = directory.join(format!("{BEGINNING}{}{ENDING}", now.to_string().replace(['-', ':'], "")));
    let source = Source { db: &state.db, master: &state.master, issuer: &state.policy.issuer, now };
    create(&source, &path, passphrase.as_ref(), &mut |_, _, _| go_on())?;
    Ok(path)
}

fn read_passphrase(path: &Path) -> Result<Secret, BackupError> {
    let mut text = std::fs::read_to_string(path).map_err(|error| BackupError::Unreadable(path.to_owned(), error))?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(Secret::new(text))
}

fn remove_surplus(settings: &BackupSettings) {
    let files = list(&settings.directory);
    let surplus = files.len().saturating_sub(usize::try_from(settings.keep).unwrap_or(usize::MAX));
    for (_, path) in files.into_iter().take(surplus) {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(file = %path.display(), %error, "an old backup could not be removed");
        }
    }
}

/// The backups in a directory, the oldest first; files with other names are nobody's business here.
fn list(directory: &Path) -> Vec<(UnixTime, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<(UnixTime, PathBuf)> =
        entries.flatten().filter_map(|entry| Some((time_of(entry.file_name().to_str()?)?, entry.path()))).collect();
    files.sort();
    files
}

/// The time in a name like `propusk-20261121T050000Z.backup`.
fn time_of(name: &str) -> Option<UnixTime> {
    let text = name.strip_prefix(BEGINNING)?.strip_suffix(ENDING)?;
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u16>().ok().map(i64::from);
    if text.len() != 16 || text.get(8..9) != Some("T") || !text.ends_with('Z') {
        return None;
    }
    let date = UnixTime::from_civil(number(0..4)?, number(4..6)?, number(6..8)?)?;
    Some(date.plus(number(9..11)? * 3600 + number(11..13)? * 60 + number(13..15)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_time() {
        for (name, time) in [
            ("propusk-20261121T000001Z.backup", Some(1_795_219_201)),
            ("propusk-20000229T000000Z.backup", Some(951_782_400)),
            ("propusk-20261121T000001Z.backup.draft", None),
            ("propusk-20261321T000001Z.backup", None),
            ("propusk-latest.backup", None),
            ("propusk-äöüäöüäö.backup", None),
        ] {
            assert_eq!(time_of(name).map(|time| time.0), time, "{name}");
        }
    }
}
