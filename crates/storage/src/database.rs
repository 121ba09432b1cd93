//! The database as the server sees it: open, migrate, read, write.

use crate::connection::{AnyConnection, Backend, Role, Target, connect};
use crate::error::{StorageError, fault, was_rolled_back};
use crate::identity::FileIdentity;
use crate::migrate;
use crate::pool::{self, Manager, Pool, Pooled};
use crate::transaction::{Failure, Hear, Listener, Tx, announce, attempt, catch};
use crate::writer::{Task, Writer, is_writer_thread};
use diesel::prelude::*;
use propusk_domain::records::KeyRow;
use propusk_domain::store::{Keys, Store};
use propusk_domain::{Error, Fault};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, PoisonError, RwLock};

/// How often PostgreSQL may roll a transaction back by itself (deadlock, serialisation) before it is a fault.
const RERUNS: u32 = 8;

/// What `busy_timeout_ms` is where no settings are at hand (`propusk migrate`).
const BUSY_TIMEOUT_MS: u32 = 5000;

/// Where the database is and how it is used.
#[derive(Clone)]
pub struct Settings {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Connections: readers on SQLite, all on PostgreSQL.
    pub pool_size: u32,
    /// Whether [`Database::open`] applies missing migrations.
    pub migrate: bool,
    /// Milliseconds that SQLite waits for another process.
    pub busy_timeout_ms: u32,
}

/// An open database; clones share it.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    target: Target,
    pool: Pool,
    pool_size: u32,
    busy_timeout_ms: u32,
    /// The SQLite file as it was opened.
    file: Option<FileIdentity>,
    listener: Listener,
    /// SQLite's writer, until [`Database::shutdown`].
    writer: Option<RwLock<Option<Writer>>>,
}

/// What became of a closure given to [`Database::submit`].
pub enum Submitted<F, D> {
    /// The writer has it; the callback will hear the outcome, exactly once.
    Queued,
    /// This database has no writer: call `done(database.write(f))` on a thread that may block.
    RunBlocking(F, D),
}

impl Database {
    /// Opens the database, after the missing migrations if `settings.migrate`.
    ///
    /// # Errors
    /// A clear sentence when the URL cannot be used, the database is not migrated, or a newer version has migrated it.
    pub fn open(settings: &Settings) -> Result<Self, Fault> {
        let target = Target::parse(&settings.url)?;
        if let Target::Sqlite(path) = &target {
            migrate::create_file(path)?;
        }
        if settings.migrate {
            migrate::run(&target, settings.busy_timeout_ms)?;
        } else {
            migrate::inspect(&mut connect(&target, Role::Reader, settings.busy_timeout_ms)?)?.must_be_current()?;
        }
        let file = FileIdentity::of(&target)?;
        let listener = Listener::default();
        let writer = match target.backend() {
            Backend::Sqlite => Some(RwLock::new(Some(Writer::start(target.clone(), settings.busy_timeout_ms, Arc::clone(&listener))?))),
            Backend::Postgres => None,
        };
        let manager = Manager { target: target.clone(), busy_timeout_ms: settings.busy_timeout_ms, file: file.clone() };
        let pool = pool::build(manager, settings.pool_size);
        let busy_timeout_ms = settings.busy_timeout_ms;
        Ok(Self(Arc::new(Inner { target, pool, pool_size: settings.pool_size, busy_timeout_ms, file, listener, writer })))
    }

    /// Applies the missing migrations of the database at `url`; their names, oldest first.
    pub fn migrate(url: &str) -> Result<Vec<String>, Fault> {
        let target = Target::parse(url)?;
        if let Target::Sqlite(path) = &target {
            migrate::create_file(path)?;
        }
        migrate::run(&target, BUSY_TIMEOUT_MS)
    }

    /// Whether there is a database of this program at `url`, of whatever schema; looking makes none.
    pub fn exists(url: &str) -> Result<bool, Fault> {
        let target = Target::parse(url)?;
        // Opening an empty file would write to it.
        if matches!(&target, Target::Sqlite(path) if !path.metadata().is_ok_and(|file| file.len() > 0)) {
            return Ok(false);
        }
        Ok(!migrate::inspect(&mut connect(&target, Role::Reader, BUSY_TIMEOUT_MS)?)?.is_empty()?)
    }

    /// The sealed keys of the database at `url`, of whatever schema; none when there is no database yet.
    pub fn sealed_keys(url: &str) -> Result<Vec<KeyRow>, Fault> {
        let target = Target::parse(url)?;
        if matches!(&target, Target::Sqlite(path) if !path.exists()) {
            return Ok(Vec::new());
        }
        let mut connection = connect(&target, Role::Reader, BUSY_TIMEOUT_MS)?;
        // The first migration makes the table, and none has changed it.
        if migrate::inspect(&mut connection)?.is_empty()? {
            return Ok(Vec::new());
        }
        Tx::new(&mut connection).list_keys()
    }

    /// The names of the migrations that the database still lacks, oldest first.
    pub fn pending(&self) -> Result<Vec<String>, Fault> {
        let mut connection = connect(&self.0.target, Role::Reader, self.0.busy_timeout_ms)?;
        let state = migrate::inspect(&mut connection)?;
        state.must_be_known()?;
        Ok(state.pending_names())
    }

    /// Which database it is.
    pub fn backend(&self) -> Backend {
        self.0.target.backend()
    }

    /// The file, on SQLite.
    pub fn path(&self) -> Option<&Path> {
        match &self.0.target {
            Target::Sqlite(path) => Some(path),
            Target::Postgres(_) => None,
        }
    }

    /// Runs `f` in a transaction that sees one state throughout and cannot write. Blocks.
    pub fn read<T>(&self, f: impl FnOnce(&mut dyn Store) -> Result<T, Error>) -> Result<T, Error> {
        self.read_tx(|tx| f(tx))
    }

    /// Runs `f` in a transaction: committed when it answers `Ok` or refuses, rolled back when it is a fault or panics. Blocks until
    /// the commit is durable. `f` may run again when PostgreSQL has rolled it back by itself, so it must change nothing
    /// outside.
    pub fn write<T: Send + 'static>(&self, mut f: impl FnMut(&mut dyn Store) -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
        self.write_tx(move |tx| f(tx))
    }

    /// Like [`write`](Self::write) without blocking: `done` hears the outcome after the commit, on the writer's thread, and must
    /// be quick. A full queue is answered at once with a fault that passes.
    pub fn submit<T, F, D>(&self, mut f: F, done: D) -> Submitted<F, D>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Store) -> Result<T, Error> + Send + 'static,
        D: FnOnce(Result<T, Error>) + Send + 'static,
    {
        let Some(writer) = &self.0.writer else { return Submitted::RunBlocking(f, done) };
        enqueue(writer, Task::new(move |tx: &mut Tx<'_>| f(tx), done));
        Submitted::Queued
    }

    /// Sets who hears the changes of each commit of this process: after the commit stands, before its answers leave. The first
    /// listener stays.
    pub fn on_commit(&self, listener: Hear) {
        let _already_set = self.0.listener.set(listener);
    }

    /// Whether a reader answers with this program's schema and the writer runs.
    pub fn ping(&self) -> Result<(), Fault> {
        if !self.writer_is_alive() {
            return Err(Fault::passing(StorageError::WriterStopped));
        }
        if let Some(file) = &self.0.file {
            file.must_stand()?;
        }
        let answer = self.read(|store| Ok(store.latest_change()?));
        match answer {
            Ok(_) | Err(Error::Refused(_)) => Ok(()),
            Err(Error::Fault(fault)) => Err(fault),
        }
    }

    /// False when SQLite's writer has ended: nothing can be written by this process any more.
    pub fn writer_is_alive(&self) -> bool {
        let Some(writer) = &self.0.writer else { return true };
        let writer = writer.read().unwrap_or_else(PoisonError::into_inner);
        writer.as_ref().is_some_and(Writer::is_alive)
    }

    /// Commits what is queued, then stops the writer; later writes are faults.
    pub fn shutdown(&self) {
        let Some(writer) = &self.0.writer else { return };
        let taken = writer.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = taken {
            if !is_writer_thread() {
                writer.stop();
            }
            writer.join();
        }
    }

    pub(crate) fn read_tx<T>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let mut pooled = self.begin(AnyConnection::begin_read)?;
        let pooled = &mut *pooled;
        let outcome = catch(|| f(&mut Tx::new(&mut pooled.connection)));
        let ended = match &outcome {
            Err(Error::Fault(_)) => pooled.connection.rollback(),
            _ => pooled.connection.commit(),
        };
        pooled.broken |= ended.is_err();
        outcome
    }

    pub(crate) fn write_tx<T: Send + 'static>(&self, mut f: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
        let Some(writer) = &self.0.writer else { return self.write_pooled(&mut f) };
        if is_writer_thread() {
            return Err(Fault::broken(StorageError::NestedWrite).into());
        }
        let (answer, wait) = sync_channel(1);
        enqueue(
            writer,
            Task::new(f, move |outcome| {
                // The receiver waits below and cannot be gone.
                let _ = answer.send(outcome);
            }),
        );
        wait.recv().unwrap_or_else(|_| Err(Fault::passing(StorageError::WriterStopped).into()))
    }

    /// On PostgreSQL: here, on a pooled connection. A connection that breaks after BEGIN is a fault, never a second run: whether
    /// the commit happened is unknown, and a code redeemed twice would revoke a legitimate grant.
    fn write_pooled<T>(&self, f: &mut dyn FnMut(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let mut runs = 0;
        loop {
            runs += 1;
            let mut pooled = self.begin(AnyConnection::begin_write)?;
            let pooled = &mut *pooled;
            let mut tx = Tx::new(&mut pooled.connection);
            let outcome = attempt(&mut tx, f);
            let failure = tx.failure();
            let changes = tx.take_flushed();
            if matches!(outcome, Err(Error::Fault(_))) {
                pooled.broken |= pooled.connection.rollback().is_err();
                if failure == Some(Failure::RunAgain) && runs < RERUNS {
                    continue;
                }
                return outcome;
            }
            let Err(error) = pooled.connection.commit() else {
                announce(&self.0.listener, &changes);
                return outcome;
            };
            pooled.broken = true;
            if !was_rolled_back(&error) || runs >= RERUNS {
                return Err(fault("committing", error).into());
            }
        }
    }

    /// A connection with a transaction begun. Nothing has happened when BEGIN fails, so the next connection is tried: after a
    /// restart of the server all of the pool are dead.
    fn begin(&self, begin: fn(&mut AnyConnection) -> QueryResult<()>) -> Result<r2d2::PooledConnection<Manager>, Fault> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut pooled = pool::check_out(&self.0.pool)?;
            let Pooled { connection, broken } = &mut *pooled;
            let Err(error) = begin(connection) else { return Ok(pooled) };
            *broken = true;
            if tries > self.0.pool_size {
                return Err(fault("beginning a transaction", error));
            }
        }
    }
}

fn enqueue<T, F, D>(writer: &RwLock<Option<Writer>>, task: Task<T, F, D>)
where
    T: Send + 'static,
    F: FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    D: FnOnce(Result<T, Error>) + Send + 'static,
{
    let writer = writer.read().unwrap_or_else(PoisonError::into_inner);
    match writer.as_ref() {
        Some(writer) => writer.enqueue(Box::new(task)),
        // Dropping the task answers it.
        None => drop(task),
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        if let Some(writer) = writer.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            writer.join();
        }
    }
}
