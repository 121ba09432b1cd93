//! The store over one open transaction.

use crate::connection::{AnyConnection, Sql};
use crate::error::{StorageError, fault, was_rolled_back};
use crate::schema::changes;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use propusk_domain::records::{Change, ChangeKind};
use propusk_domain::store::{Stored, Turns};
use propusk_domain::{Error, Fault};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

/// One open transaction; implements every trait of [`propusk_domain::store`].
pub(crate) struct Tx<'c> {
    connection: &'c mut AnyConnection,
    changes: Vec<(ChangeKind, String)>,
    /// What was written down of them, for the listener once the commit stands.
    flushed: Vec<Change>,
    failure: Option<Failure>,
}

/// Hears the changes of each commit before the answers leave.
pub(crate) type Listener = Arc<OnceLock<Hear>>;

/// What a listener does; it must be quick.
pub(crate) type Hear = Arc<dyn Fn(&[Change]) + Send + Sync>;

/// Tells the listener, if there is one, what a commit has changed.
pub(crate) fn announce(listener: &Listener, changes: &[Change]) {
    let (Some(listener), false) = (listener.get(), changes.is_empty()) else { return };
    // The commit stands, so a panic may cost neither the answers nor the writer's thread.
    let heard = catch(|| {
        listener(changes);
        Ok(())
    });
    if let Err(Error::Fault(fault)) = heard {
        tracing::error!(%fault, "the listener to changes failed");
    }
}

/// What a failed statement means for the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing of it may be kept.
    Final,
    /// The database rolled it back by itself and it may run again.
    RunAgain,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(connection: &'c mut AnyConnection) -> Self {
        Self { connection, changes: Vec::new(), flushed: Vec::new(), failure: None }
    }

    /// Runs a statement. Once one has failed, no other runs: PostgreSQL would answer its commit with `Ok` and keep nothing, and
    /// SQLite, having ended the transaction on a full disk, would keep each later statement by itself.
    pub(crate) fn run<T>(&mut self, doing: &'static str, statement: impl FnOnce(&mut AnyConnection) -> QueryResult<T>) -> Stored<T> {
        if self.failure.is_some() {
            return Err(Fault::broken(StorageError::AfterFailure));
        }
        statement(self.connection).map_err(|error| {
            self.failure = Some(if was_rolled_back(&error) { Failure::RunAgain } else { Failure::Final });
            fault(doing, error)
        })
    }

    /// Remembers that caches must drop `id`; an empty one means all of its kind.
    pub(crate) fn changed(&mut self, kind: ChangeKind, id: &str) {
        let known = self.changes.iter().any(|(known_kind, known_id)| *known_kind == kind && (known_id == id || known_id.is_empty()));
        if known {
            return;
        }
        if id.is_empty() {
            self.changes.retain(|(known_kind, _)| *known_kind != kind);
        }
        self.changes.push((kind, id.to_owned()));
    }

    /// The changes that were written down.
    pub(crate) fn take_flushed(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.flushed)
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// Writes the changes down, as the last thing before the commit: the counter's row stays locked from here on, so that the
    /// order of the numbers is the order of the commits.
    fn flush_changes(&mut self) -> Stored<()> {
        const NUMBER: &str = "UPDATE change_counter SET value = value + ? WHERE id = 1 RETURNING value";
        let pending = std::mem::take(&mut self.changes);
        if pending.is_empty() {
            return Ok(());
        }
        let count = i64::try_from(pending.len()).unwrap_or(i64::MAX);
        let last: i64 = self.run("numbering changes", |c| Sql::<1, BigInt>::new(NUMBER, [count.into()]).get_result(c))?;
        for (seq, (kind, id)) in (last - count + 1..).zip(pending) {
            self.run("recording a change", |c| {
                diesel::insert_into(changes::table)
                    .values((changes::seq.eq(seq), changes::kind.eq(kind.as_str()), changes::id.eq(&id), changes::at.eq(0_i64)))
                    .execute(c)
            })?;
            self.flushed.push(Change { seq, kind, id });
        }
        Ok(())
    }
}

impl Turns for Tx<'_> {
    /// On PostgreSQL a lock of its own, which no ordinary request takes: behind a lock on rows of theirs each could wait for the other.
    fn take_turn(&mut self) -> Stored<()> {
        const TURN: i64 = 0x70_72_6f_70_75_73_6b;
        self.run("taking a turn", |connection| match connection {
            AnyConnection::Postgres(c) => diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(TURN).execute(c).map(drop),
            AnyConnection::Sqlite(_) => Ok(()),
        })
    }
}

/// Runs `f` in the transaction and writes down the changes. A fault in the answer says that the transaction must be rolled back:
/// `f` failed or panicked, or it hid that a statement had failed.
pub(crate) fn attempt<T>(tx: &mut Tx<'_>, f: &mut dyn FnMut(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
    let outcome = catch(|| f(tx));
    if matches!(outcome, Err(Error::Fault(_))) {
        return outcome;
    }
    if tx.failure.is_some() {
        return Err(Fault::broken(StorageError::AfterFailure).into());
    }
    tx.flush_changes()?;
    outcome
}

/// Turns a panic into a fault.
pub(crate) fn catch<T>(f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| Err(Fault::broken(StorageError::Panicked(message(&*panic))).into()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a message".to_owned())
}
