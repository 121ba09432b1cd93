//! Which file an SQLite database is.
//!
//! A file that was removed or replaced under a running process stays open without a name: everything written to it would be
//! answered as done and be lost with the process. So each batch first looks whether the name still leads to the file.

use crate::connection::Target;
use crate::error::StorageError;
use propusk_domain::Fault;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file as it was when the database was opened.
#[derive(Debug, Clone)]
pub(crate) struct FileIdentity {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl FileIdentity {
    /// Of an SQLite database; `None` for a server, which looks after its own files.
    pub(crate) fn of(target: &Target) -> Result<Option<Self>, Fault> {
        let Target::Sqlite(path) = target else { return Ok(None) };
        let device_and_inode = look(path).map_err(Fault::passing)?;
        Ok(Some(Self { path: path.clone(), device_and_inode }))
    }

    /// A passing fault while the name leads elsewhere or nowhere.
    pub(crate) fn must_stand(&self) -> Result<(), Fault> {
        match look(&self.path) {
            Ok(found) if found == self.device_and_inode => Ok(()),
            _ => Err(Fault::passing(StorageError::FileGone(self.path.display().to_string()))),
        }
    }
}

fn look(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
