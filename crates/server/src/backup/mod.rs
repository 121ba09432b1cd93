//! Backup and restore: the whole durable content in one file, from either database into either.
//!
//! A backup is online and of one moment. It is written under another name, read back, and only then appears under its own. A restore
//! reads the whole file before it touches the database, and compares every table with the file before the database opens.

mod content;
mod file;
pub mod schedule;

use crate::instance::{OpenError, install_master_key, read_master_key};
use crate::settings::Settings;
use content::Event;
pub use content::TableSum;
use file::{FileReader, FileWriter, MASTER_KEY_PURPOSE};
pub use file::{Header, SealedBy};
use propusk_crypto::random::{reference, token};
use propusk_crypto::{MasterKey, PassphraseParams, SealingKey, Secret, SystemRandom};
use propusk_domain::{Fault, UnixTime};
use propusk_storage::{Database, Restoring};
use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why there is no backup, or no restored database. Nothing is left half-done in any case.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// Reading failed on the way.
    #[error("the backup cannot be read: {0}")]
    Read(std::io::Error),
    /// The file cannot be written.
    #[error("{0} cannot be written: {1}")]
    Unwritable(PathBuf, std::io::Error),
    /// A file of this name exists; backups are never overwritten.
    #[error("{0} exists already; name another file")]
    Exists(PathBuf),
    /// The file is something else.
    #[error("{0} is not a backup of Propusk")]
    NoBackup(PathBuf),
    /// A newer version made it.
    #[error("a newer version of Propusk made this backup ({0}): restore it with that version")]
    Newer(String),
    /// The end is missing.
    #[error("the backup is cut off: its end is missing; nothing was restored")]
    Truncated,
    /// Something in it was changed.
    #[error("the backup is damaged ({0} does not match its checksum or form); nothing was restored")]
    Corrupted(&'static str),
    /// It is sealed, and no passphrase was given.
    #[error("the backup is sealed with a passphrase: give it with --passphrase, --passphrase-stdin or --passphrase-file")]
    PassphraseNeeded,
    /// The passphrase does not open it.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The passphrase cannot be used.
    #[error("the passphrase cannot be used: {0}")]
    PassphraseUnusable(String),
    /// The master key is not in the backup, and the file that should hold it does not exist.
    #[error("the backup holds no master key: put the file of the key with the fingerprint {fingerprint} at {path}, or set keys.master_key_file")]
    MasterKeyMissing {
        /// Where it is looked for.
        path: PathBuf,
        /// Which key is needed.
        fingerprint: String,
    },
    /// The file of the master key holds another key.
    #[error(
        "{path} holds the master key with the fingerprint {found}, and the backup needs {needed}: move the file away, or set keys.master_key_file"
    )]
    MasterKeyOther {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What is needed.
        needed: String,
    },
    /// The file of the master key cannot be used.
    #[error(transparent)]
    MasterKey(#[from] OpenError),
    /// A sealed key in the backup does not open with the master key.
    #[error("the sealed keys in the backup do not open with the master key {0}; nothing was restored")]
    KeysDoNotOpen(String),
    /// A table has arrived otherwise than it stands in the file.
    #[error("the table {0} did not arrive as it stands in the backup; the database was emptied again")]
    Arrived(String),
    /// Whoever watched the progress stopped it.
    #[error("stopped")]
    Stopped,
    /// The database.
    #[error("{0}")]
    Database(Fault),
}

impl From<Fault> for BackupError {
    fn from(fault: Fault) -> Self {
        Self::Database(fault)
    }
}

/// How far it has come; false stops it.
pub type Progress<'a> = &'a mut dyn FnMut(&str, u64, u64) -> bool;

/// What a backup is made of.
pub struct Source<'a> {
    /// The database.
    pub db: &'a Database,
    /// What its keys are sealed with.
    pub master: &'a MasterKey,
    /// The issuer.
    pub issuer: &'a str,
    /// When.
    pub now: UnixTime,
}

/// A backup that was made, and read back.
#[derive(Debug)]
pub struct Made {
    /// What it says of itself.
    pub header: Header,
    /// Its tables.
    pub tables: Vec<TableSum>,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Makes a backup in the file `path`, which must not exist (mode 0600). With a passphrase it is sealed and contains the master key.
pub fn create(source: &Source<'_>, path: &Path, passphrase: Option<&Secret>, progress: Progress<'_>) -> Result<Made, BackupError> {
    if path.exists() {
        return Err(BackupError::Exists(path.to_owned()));
    }
    let unwritable = |error| BackupError::Unwritable(path.to_owned(), error);
    let draft = Draft(path.with_extension(format!("{}.draft", reference(&SystemRandom))));
    let sealing = passphrase.map(|passphrase| seal_with(passphrase, source.master)).transpose()?;
    let (key, sealed) = sealing.unzip();
    let header = Header {
        created_at: source.now.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        issuer: source.issuer.to_owned(),
        migrations: Database::migrations()?,
        master_key: source.master.fingerprint(),
        sealed,
    };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.0).map_err(unwritable)?;
    let mut writer = FileWriter::begin(BufWriter::new(file), &header, key.clone()).map_err(unwritable)?;
    let tables = content::write(source.db, &mut writer, path, progress)?;
    let file = writer.finish().and_then(|out| out.into_inner().map_err(std::io::IntoInnerError::into_error)).map_err(unwritable)?;
    file.sync_all().map_err(unwritable)?;
    // What cannot be read back is no backup; better now than on a bad day.
    let read = read_through(&draft.0, key)?;
    if read.tables != tables {
        return Err(BackupError::Corrupted("what was written"));
    }
    if propusk_domain::keys::unseal(&read.keys, source.master).is_err() {
        return Err(BackupError::KeysDoNotOpen(header.master_key));
    }
    let bytes = std::fs::metadata(&draft.0).map_err(unwritable)?.len();
    // Never in place of another file.
    std::fs::hard_link(&draft.0, path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::Exists(path.to_owned()),
        _ => unwritable(error),
    })?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(unwritable)?;
    Ok(Made { header, tables, bytes })
}

/// The unfinished file, removed in any case.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // Where it was never made there is nothing to remove.
        let _removed = std::fs::remove_file(&self.0);
    }
}

fn seal_with(passphrase: &Secret, master: &MasterKey) -> Result<(SealingKey, SealedBy), BackupError> {
    let argon2id = PassphraseParams::with_salt(token(&SystemRandom, 16));
    let key = argon2id.key(passphrase).map_err(|error| BackupError::PassphraseUnusable(error.to_string()))?;
    let master_key = key.seal(MASTER_KEY_PURPOSE, master.expose());
    Ok((key, SealedBy { argon2id, master_key }))
}

/// A backup that was read from beginning to end and found whole.
#[derive(Debug)]
pub struct Checked {
    /// What it says of itself.
    pub header: Header,
    /// Its tables.
    pub tables: Vec<TableSum>,
    path: PathBuf,
    key: Option<SealingKey>,
    master: MasterKey,
    /// Whether the file of the master key has to be written.
    installs_master_key: bool,
}

/// Reads the whole file: every checksum, the passphrase, the master key (from the backup, else from the file `master_key_path`), and
/// whether it opens every sealed key.
pub fn check(path: &Path, passphrase: Option<&Secret>, master_key_path: &Path) -> Result<Checked, BackupError> {
    let header = FileReader::open(path)?.header;
    let known = Database::migrations()?;
    if let Some(newer) = header.migrations.iter().find(|migration| !known.contains(migration)) {
        return Err(BackupError::Newer(format!("migration {newer}")));
    }
    let opened = match (&header.sealed, passphrase) {
        (None, _) => None,
        (Some(_), None) => return Err(BackupError::PassphraseNeeded),
        (Some(sealed), Some(passphrase)) => Some(open_with(passphrase, sealed)?),
    };
    let (key, included) = opened.unzip();
    let read = read_through(path, key.clone())?;
    let (master, installs_master_key) = master_key(included, &header, master_key_path)?;
    if propusk_domain::keys::unseal(&read.keys, &master).is_err() {
        return Err(BackupError::KeysDoNotOpen(header.master_key));
    }
    Ok(Checked { header, tables: read.tables, path: path.to_owned(), key, master, installs_master_key })
}

fn open_with(passphrase: &Secret, sealed: &SealedBy) -> Result<(SealingKey, MasterKey), BackupError> {
    let key = sealed.argon2id.key(passphrase).map_err(|error| BackupError::PassphraseUnusable(error.to_string()))?;
    let master = key.open(MASTER_KEY_PURPOSE, &sealed.master_key).map_err(|_| BackupError::WrongPassphrase)?;
    let master = MasterKey::from_bytes(&master).map_err(|_| BackupError::Corrupted("the master key"))?;
    Ok((key, master))
}

/// The master key, and whether its file has to be written.
fn master_key(included: Option<MasterKey>, header: &Header, path: &Path) -> Result<(MasterKey, bool), BackupError> {
    let needed = header.master_key.clone();
    match (read_master_key(path)?, included) {
        (Some(found), _) if found.fingerprint() == needed => Ok((found, false)),
        (Some(found), _) => Err(BackupError::MasterKeyOther { path: path.to_owned(), found: found.fingerprint(), needed }),
        (None, Some(included)) => Ok((included, true)),
        (None, None) => Err(BackupError::MasterKeyMissing { path: path.to_owned(), fingerprint: needed }),
    }
}

/// Fills the empty database of the settings from a backup that was checked. Afterwards every table was read back and compared.
pub fn restore(checked: &Checked, settings: &Settings, progress: Progress<'_>) -> Result<(), BackupError> {
    let mut restoring = Restoring::begin(&settings.storage())?;
    let total: u64 = checked.tables.iter().map(|table| table.rows).sum();
    let mut done = 0;
    let mut tables = Vec::new();
    let read = content::read(body(&checked.path, checked.key.clone())?, &mut |event| {
        match event {
            Event::Table(table) => {
                restoring.must_fit(table)?;
                tables.push(table.clone());
            }
            Event::Rows(table, rows) => {
                restoring.insert(table, rows)?;
                done += rows.len() as u64;
                if !progress(&table.name, done, total) {
                    return Err(BackupError::Stopped);
                }
            }
        }
        Ok(())
    })?;
    if read != checked.tables {
        return Err(BackupError::Corrupted("the file, which was changed meanwhile,"));
    }
    for (table, expected) in tables.iter().zip(&checked.tables) {
        let mut sum = content::Sum::default();
        restoring.read_back(table, |rows| sum.add(rows))?;
        if sum.of(&table.name) != *expected {
            return Err(BackupError::Arrived(table.name.clone()));
        }
    }
    if checked.installs_master_key {
        install_master_key(&settings.master_key_path(), checked.master.expose(), &SystemRandom)?;
    }
    restoring.finish()?;
    Ok(())
}

/// What a backup holds, as far as it is looked at before anything is restored.
struct ReadThrough {
    tables: Vec<TableSum>,
    keys: Vec<propusk_domain::records::KeyRow>,
}

fn read_through(path: &Path, key: Option<SealingKey>) -> Result<ReadThrough, BackupError> {
    let mut keys = Vec::new();
    let tables = content::read(body(path, key)?, &mut |event| {
        if let Event::Rows(table, rows) = event
            && table.name == "sealed_keys"
        {
            for row in rows {
                keys.push(content::key_row(table, row).ok_or(BackupError::Corrupted("a sealed key"))?);
            }
        }
        Ok(())
    })?;
    Ok(ReadThrough { tables, keys })
}

fn body(path: &Path, key: Option<SealingKey>) -> Result<file::Body, BackupError> {
    let reader = FileReader::open(path)?;
    if reader.header.sealed.is_some() && key.is_none() {
        return Err(BackupError::PassphraseNeeded);
    }
    Ok(reader.body(key))
}
