//! What can go wrong below the rules, and which of it passes.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use propusk_domain::Fault;

/// A failure of the storage; it reaches the outside only as the source of a [`Fault`].
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A statement failed.
    #[error("{doing}")]
    Statement {
        /// What the store was doing: `finding a grant`.
        doing: &'static str,
        /// What the database said.
        source: DieselError,
    },
    /// A row cannot be understood.
    #[error("the row {key:?} of table {table} is damaged: column {column} {problem}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's primary key.
        key: String,
        /// The column.
        column: &'static str,
        /// What is wrong with it; never the value, which may be a secret.
        problem: String,
    },
    /// A statement came after one that had failed in the same transaction.
    #[error("a statement failed before in this transaction, so nothing of it can be kept")]
    AfterFailure,
    /// A closure panicked.
    #[error("the transaction's code panicked: {0}")]
    Panicked(String),
    /// Another closure or the commit took the whole transaction down.
    #[error("the transaction that this change was part of was lost: {0}")]
    Lost(String),
    /// No connection to be had.
    #[error("no database connection: {0}")]
    NoConnection(String),
    /// More changes wait for the writer than it may keep.
    #[error("too many changes wait for the database")]
    QueueFull,
    /// The writer does not run any more.
    #[error("the database writer has stopped")]
    WriterStopped,
    /// The name of the SQLite file leads to another file or to none.
    #[error("the database file {0} was removed or replaced while it was in use: put it back, or restart")]
    FileGone(String),
    /// A write was asked for inside a write, which would wait for itself.
    #[error("a write was started inside another write")]
    NestedWrite,
    /// A setting or a schema that the program cannot work with; one sentence for the operator.
    #[error("{0}")]
    Unusable(String),
    /// Redis.
    #[error("Redis, {doing}")]
    Redis {
        /// What the store was doing.
        doing: &'static str,
        /// What went wrong.
        source: redis::RedisError,
    },
}

impl StorageError {
    /// A damaged column of a row.
    pub(crate) fn corrupt(table: &'static str, key: &str, column: &'static str, problem: impl ToString) -> Fault {
        Fault::broken(Self::Corrupt { table, key: key.to_owned(), column, problem: problem.to_string() })
    }

    /// A sentence for the operator.
    pub(crate) fn unusable(sentence: impl Into<String>) -> Fault {
        Fault::broken(Self::Unusable(sentence.into()))
    }
}

/// What `error` means for the caller of the store: a locked, busy or full database and a broken connection pass.
pub(crate) fn fault(doing: &'static str, error: DieselError) -> Fault {
    let passing = is_passing(&error);
    let source = Box::new(StorageError::Statement { doing, source: error });
    Fault { passing, source }
}

/// Whether SQLite answered that another process holds the lock.
pub(crate) fn is_locked(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, information) if information.message().contains("is locked"))
}

/// Whether PostgreSQL has rolled the transaction back by itself, so that it may run again: serialisation failure or deadlock.
/// The driver names no SQLSTATE for a deadlock, and servers speak the language of their operator.
pub(crate) fn was_rolled_back(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        DieselError::DatabaseError(_, information) => {
            ["deadlock detected", "взаимоблокировка"].iter().any(|text| information.message().contains(text))
        }
        _ => false,
    }
}

const PASSING_MESSAGES: [&str; 7] =
    ["is locked", "disk is full", "disk I/O error", "unable to open database file", "lock timeout", "statement timeout", "No space left on device"];

fn is_passing(error: &DieselError) -> bool {
    match error {
        // A foreign key fails when the row's owner was removed in the same moment; the repetition sees the removal.
        DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ReadOnlyTransaction
            | DatabaseErrorKind::ForeignKeyViolation,
            _,
        )
        | DieselError::BrokenTransactionManager => true,
        DieselError::DatabaseError(_, information) => {
            was_rolled_back(error) || PASSING_MESSAGES.iter().any(|text| information.message().contains(text))
        }
        _ => false,
    }
}
