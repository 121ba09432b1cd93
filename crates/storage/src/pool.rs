//! The pool of connections.

use crate::connection::{AnyConnection, Role, Target, connect};
use crate::error::StorageError;
use crate::identity::FileIdentity;
use diesel::r2d2::R2D2Connection;
use propusk_domain::Fault;
use std::time::Duration;

/// How long a caller waits for a free connection.
const CHECKOUT: Duration = Duration::from_secs(3);

/// A connection and whether it may be used again.
pub(crate) struct Pooled {
    pub(crate) connection: AnyConnection,
    /// Set when a BEGIN, COMMIT or ROLLBACK failed.
    pub(crate) broken: bool,
}

/// Makes connections; the kind is chosen by the URL's scheme.
pub(crate) struct Manager {
    pub(crate) target: Target,
    pub(crate) busy_timeout_ms: u32,
    /// The file that every connection must lead to, on SQLite.
    pub(crate) file: Option<FileIdentity>,
}

impl Manager {
    /// SQLite would make a missing file anew and read an empty database there.
    fn must_stand(&self) -> Result<(), ConnectError> {
        self.file.as_ref().map_or(Ok(()), FileIdentity::must_stand).map_err(|fault| ConnectError(fault.to_string()))
    }
}

/// Why a connection could not be made, as r2d2 wants it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConnectError(String);

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = ConnectError;

    fn connect(&self) -> Result<Pooled, ConnectError> {
        self.must_stand()?;
        let connection = connect(&self.target, Role::Reader, self.busy_timeout_ms).map_err(|fault| ConnectError(fault.to_string()))?;
        // Once more: the name may have changed hands meanwhile.
        self.must_stand()?;
        Ok(Pooled { connection, broken: false })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), ConnectError> {
        pooled.connection.ping().map_err(|error| ConnectError(error.to_string()))
    }

    /// A panic unwinds past the rollback, so that the connection would come back with an open transaction.
    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        std::thread::panicking() || pooled.broken || pooled.connection.is_broken()
    }
}

pub(crate) type Pool = r2d2::Pool<Manager>;

/// A pool that opens connections as they are needed and tests none at check-out: 8.7k instead of 5.0k transactions a second.
pub(crate) fn build(manager: Manager, size: u32) -> Pool {
    let on_sqlite = matches!(manager.target, Target::Sqlite(_));
    let builder = r2d2::Pool::builder()
        .max_size(size.max(1))
        .min_idle(Some(1))
        .test_on_check_out(false)
        .connection_timeout(CHECKOUT)
        .error_handler(Box::new(LogErrors));
    let builder = if on_sqlite { builder.idle_timeout(None).max_lifetime(None) } else { builder };
    builder.build_unchecked(manager)
}

/// A connection, or a fault that passes.
pub(crate) fn check_out(pool: &Pool) -> Result<r2d2::PooledConnection<Manager>, Fault> {
    pool.get().map_err(|error| Fault::passing(StorageError::NoConnection(error.to_string())))
}

#[derive(Debug)]
struct LogErrors;

impl r2d2::HandleError<ConnectError> for LogErrors {
    fn handle_error(&self, error: ConnectError) {
        tracing::warn!(%error, "no database connection");
    }
}
