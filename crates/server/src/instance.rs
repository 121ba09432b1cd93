//! An installation at rest: settings, database, master key, unsealed keys. Every verb of the command line and the server
//! itself begin here.

use crate::clock::{Clock, SystemClock};
use crate::extract::cookies::Kind;
use crate::settings::Settings;
use propusk_crypto::{MasterKey, Random, SystemRandom};
use propusk_domain::admin::roles::ensure_defaults;
use propusk_domain::keys::{ServerKeys, create_missing, unseal};
use propusk_domain::{Cx, Error, Fault, Policy, UnixTime};
use propusk_storage::Database;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error as ThisError;

/// An opened installation.
#[derive(Clone)]
pub struct Instance {
    /// What the operator has set.
    pub settings: Arc<Settings>,
    /// The database, migrated.
    pub db: Database,
    /// The unsealed keys.
    pub keys: Arc<ServerKeys>,
    /// What they are sealed with.
    pub master: MasterKey,
    /// Lifetimes and limits.
    pub policy: Arc<Policy>,
    /// Randomness.
    pub rng: SystemRandom,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why an installation cannot be opened.
#[derive(Debug, ThisError)]
pub enum OpenError {
    /// The database does not answer, is locked, of a newer schema or not migrated.
    #[error("the database cannot be used: {0}")]
    Database(Fault),
    /// There is none, and whoever only reads makes none.
    #[error("there is no database of Propusk at {0}: look at database.url; propusk migrate makes one")]
    NoDatabase(String),
    /// Keys are sealed, but the file that opens them is not there.
    #[error("sealed keys exist, but the master key file {0} is missing: restore it, or set keys.master_key_file to the right file")]
    MasterKeyMissing(PathBuf),
    /// The file does not hold the key that sealed the keys.
    #[error("the master key file {0} does not open the sealed keys of this database: restore the right file, or set keys.master_key_file to it")]
    MasterKeyWrong(PathBuf),
    /// The file cannot be read or made.
    #[error("the master key file {0} cannot be used: {1}")]
    MasterKeyUnusable(PathBuf, std::io::Error),
}

impl OpenError {
    /// Whether something outside could not be reached, as opposed to being wrong.
    pub const fn is_unreachable(&self) -> bool {
        match self {
            Self::Database(fault) => fault.passing,
            Self::NoDatabase(_) => true,
            Self::MasterKeyMissing(_) | Self::MasterKeyWrong(_) | Self::MasterKeyUnusable(..) => false,
        }
    }
}

impl Instance {
    /// Opens the installation with the machine's clock; makes what is missing: the file of the master key, the keys, the
    /// default roles and maps.
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        Self::open_with(settings, Arc::new(SystemClock))
    }

    /// Opens the installation that is there already. Where there is none, nothing is made: what was meant is another one, and an empty one
    /// in its place would be backed up or searched as if it were.
    pub fn open_existing(settings: Settings) -> Result<Self, OpenError> {
        let url = &settings.database.url;
        if !Database::exists(url.expose()).map_err(OpenError::Database)? {
            return Err(OpenError::NoDatabase(url.to_string()));
        }
        Self::open(settings)
    }

    /// The same with another clock.
    pub fn open_with(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let db = Database::open(&settings.storage()).map_err(OpenError::Database)?;
        let path = settings.master_key_path();
        let rng = SystemRandom;
        let now = clock.now();
        let rows = db.read(|store| Ok(store.list_keys()?)).map_err(|error| OpenError::Database(error.into_fault()))?;
        let master = match read_master_key(&path)? {
            Some(master) => master,
            None if rows.is_empty() => create_master_key(&path, &rng)?,
            None => return Err(OpenError::MasterKeyMissing(path)),
        };
        if unseal(&rows, &master).is_err() {
            return Err(OpenError::MasterKeyWrong(path));
        }
        let policy = Arc::new(settings.policy());
        let rows = prepare(&db, &master, &policy, now).map_err(|error| OpenError::Database(error.into_fault()))?;
        let keys = Arc::new(unseal(&rows, &master).map_err(|_| OpenError::MasterKeyWrong(path))?);
        Ok(Self { settings: Arc::new(settings), db, keys, master, policy, rng, clock })
    }

    /// Applies the missing migrations, unless keys are sealed in the database and the file that opens them is missing or wrong; their
    /// names, oldest first.
    pub fn migrate(settings: &Settings) -> Result<Vec<String>, OpenError> {
        let url = settings.database.url.expose();
        let rows = Database::sealed_keys(url).map_err(OpenError::Database)?;
        if !rows.is_empty() {
            let path = settings.master_key_path();
            let master = read_master_key(&path)?.ok_or_else(|| OpenError::MasterKeyMissing(path.clone()))?;
            unseal(&rows, &master).map_err(|_| OpenError::MasterKeyWrong(path))?;
        }
        Database::migrate(url).map_err(OpenError::Database)
    }

    /// The name of the session cookie, for what plays a browser.
    pub fn session_cookie(&self) -> &'static str {
        Kind::Session.name(self.settings.is_https())
    }

    /// Runs a rule in one read transaction.
    pub fn read<T>(&self, f: impl FnOnce(&mut Cx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.db.read(|store| f(&mut Cx { store, rng: &self.rng, now: self.clock.now(), policy: &self.policy, keys: &self.keys }))
    }

    /// Runs a rule in one write transaction.
    pub fn write<T: Send + 'static>(&self, mut f: impl FnMut(&mut Cx<'_>) -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
        let Self { keys, policy, rng, .. } = self.clone();
        let now = self.clock.now();
        self.db.write(move |store| f(&mut Cx { store, rng: &rng, now, policy: &policy, keys: &keys }))
    }
}

/// Makes missing keys, roles and maps. Two processes that start at once both find what the first has made, because the
/// check is repeated inside the write transaction.
fn prepare(db: &Database, master: &MasterKey, policy: &Arc<Policy>, now: UnixTime) -> Result<Vec<propusk_domain::records::KeyRow>, Error> {
    let complete = db.read(|store| Ok(store.list_keys()?.len() >= 5 && !store.list_roles()?.is_empty()))?;
    if !complete {
        let (master, policy) = (master.clone(), Arc::clone(policy));
        db.write(move |store| {
            create_missing(store, &master, &SystemRandom, now)?;
            let keys = ServerKeys::default();
            ensure_defaults(&mut Cx { store, rng: &SystemRandom, now, policy: &policy, keys: &keys })
        })?;
    }
    db.read(|store| Ok(store.list_keys()?))
}

/// Bytes of a master key file.
const MASTER_KEY_BYTES: usize = 32;

pub(crate) fn read_master_key(path: &Path) -> Result<Option<MasterKey>, OpenError> {
    let unusable = |error| OpenError::MasterKeyUnusable(path.to_owned(), error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error)),
    };
    let mut bytes = Vec::with_capacity(MASTER_KEY_BYTES);
    Read::take(&mut file, 1024).read_to_end(&mut bytes).map_err(unusable)?;
    if bytes.len() != MASTER_KEY_BYTES {
        let message = format!("it holds {} bytes instead of {MASTER_KEY_BYTES}", bytes.len());
        return Err(unusable(std::io::Error::new(std::io::ErrorKind::InvalidData, message)));
    }
    MasterKey::from_bytes(&bytes).map(Some).map_err(|error| unusable(std::io::Error::other(error)))
}

fn create_master_key(path: &Path, rng: &dyn Random) -> Result<MasterKey, OpenError> {
    let mut bytes = [0_u8; MASTER_KEY_BYTES];
    rng.fill(&mut bytes);
    install_master_key(path, &bytes, rng)
}

/// Writes the file and its directory entry to the disk before anything is sealed with it: a key that is lost in a power
/// cut after the first seal would lock every sealed key for good. The file appears under its name only when it is whole,
/// and never in place of another: of two processes that start at once the second uses the key of the first.
pub(crate) fn install_master_key(path: &Path, bytes: &[u8; MASTER_KEY_BYTES], rng: &dyn Random) -> Result<MasterKey, OpenError> {
    let unusable = |error| OpenError::MasterKeyUnusable(path.to_owned(), error);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(unusable)?;
    let draft = path.with_extension(format!("{}.draft", propusk_crypto::random::reference(rng)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(unusable)?;
    let linked = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft).map_err(unusable)?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unusable(error)),
    }
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(unusable)?;
    read_master_key(path)?.ok_or_else(|| unusable(std::io::Error::from(std::io::ErrorKind::NotFound)))
}
