//! The one thread that writes to SQLite: many closures share a commit.
//!
//! Eight competing connections made 287 durable writes a second, one group-committing writer 5,058. Each closure has a savepoint,
//! so that one fault rolls back alone; all are answered after the COMMIT has returned, and nothing of a batch whose COMMIT failed is
//! told as done.

use crate::connection::{AnyConnection, Role, Sql, Target, connect};
use crate::error::{StorageError, fault, is_locked};
use crate::identity::FileIdentity;
use crate::transaction::{Listener, Tx, announce, attempt, catch};
use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use propusk_domain::records::Change;
use propusk_domain::{Error, Fault};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Closures that may wait.
const QUEUE: usize = 1024;

/// Closures in one commit.
const BATCH: usize = 64;

/// How long a batch takes closures in.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// After so long without an idle moment another process gets its turn …
const FAIRNESS: Duration = Duration::from_millis(20);

/// … for so long; a waiting writer looks every [`POLL`].
const GAP: Duration = Duration::from_millis(1);

/// How often the lock is tried while another process holds it.
const POLL: Duration = Duration::from_micros(400);

/// Something to run in a transaction and its answer.
pub(crate) trait Job: Send {
    /// Runs; false when its savepoint must be rolled back.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Tells the outcome, or `overruled` instead of it.
    fn answer(self: Box<Self>, overruled: Option<Fault>);
}

/// A closure with the callback that hears its outcome, exactly once.
pub(crate) struct Task<T, F, D>
where
    D: FnOnce(Result<T, Error>),
{
    work: F,
    done: Option<D>,
    outcome: Option<Result<T, Error>>,
}

impl<T, F, D> Task<T, F, D>
where
    D: FnOnce(Result<T, Error>),
{
    pub(crate) fn new(work: F, done: D) -> Self {
        Self { work, done: Some(done), outcome: None }
    }
}

impl<T, F, D> Job for Task<T, F, D>
where
    T: Send,
    F: FnMut(&mut Tx<'_>) -> Result<T, Error> + Send,
    D: FnOnce(Result<T, Error>) + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let outcome = attempt(tx, &mut self.work);
        let keep = !matches!(outcome, Err(Error::Fault(_)));
        self.outcome = Some(outcome);
        keep
    }

    fn answer(mut self: Box<Self>, overruled: Option<Fault>) {
        // A closure's own fault says more than the loss of the batch around it.
        let own = self.outcome.take();
        self.outcome = match (overruled, own) {
            (Some(_), Some(Err(Error::Fault(own)))) => Some(Err(own.into())),
            (Some(lost), _) => Some(Err(lost.into())),
            (None, own) => own,
        };
        drop(self);
    }
}

/// A task that is dropped unheard (the writer stopped) is answered with a fault.
impl<T, F, D> Drop for Task<T, F, D>
where
    D: FnOnce(Result<T, Error>),
{
    fn drop(&mut self) {
        let Some(done) = self.done.take() else { return };
        let outcome = self.outcome.take().unwrap_or_else(|| Err(Fault::passing(StorageError::WriterStopped).into()));
        let heard = catch(|| {
            done(outcome);
            Ok(())
        });
        if let Err(Error::Fault(fault)) = heard {
            tracing::error!(%fault, "the receiver of a database answer failed");
        }
    }
}

enum Message {
    Job(Box<dyn Job>),
    Stop(SyncSender<()>),
}

/// The way to the writer.
pub(crate) struct Writer {
    queue: SyncSender<Message>,
    alive: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

thread_local! {
    static IS_WRITER: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is a writer's thread: waiting for a write there would wait forever.
pub(crate) fn is_writer_thread() -> bool {
    IS_WRITER.get()
}

impl Writer {
    /// Starts the thread; its connection is open when this returns.
    pub(crate) fn start(target: Target, busy_timeout_ms: u32, listener: Listener) -> Result<Self, Fault> {
        let connection = connect(&target, Role::Writer, busy_timeout_ms)?;
        let file = FileIdentity::of(&target)?;
        let (queue, messages) = sync_channel(QUEUE);
        let alive = Arc::new(AtomicBool::new(true));
        let flag = AliveFlag(Arc::clone(&alive));
        let patience = Duration::from_millis(u64::from(busy_timeout_ms));
        let scribe = Scribe {
            target,
            file,
            patience,
            busy_timeout_ms,
            connection: Some(connection),
            last_idle: Instant::now(),
            listener,
            changes: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                // Lowered when the thread ends, also by a panic.
                let flag = flag;
                IS_WRITER.set(true);
                let stopped = scribe.run(&messages);
                // Who comes from here on is refused at once; only then is the end told.
                drop(messages);
                drop(flag);
                if let Some(done) = stopped {
                    // An error means that nobody waits any more.
                    let _ = done.send(());
                }
            })
            .map_err(Fault::broken)?;
        Ok(Self { queue, alive, thread })
    }

    /// Puts a job in the queue, or answers it with a fault at once when the queue is full or the writer gone.
    pub(crate) fn enqueue(&self, job: Box<dyn Job>) {
        let (job, error) = match self.queue.try_send(Message::Job(job)) {
            Ok(()) => return,
            Err(TrySendError::Full(job)) => (job, StorageError::QueueFull),
            Err(TrySendError::Disconnected(job)) => (job, StorageError::WriterStopped),
        };
        if let Message::Job(job) = job {
            job.answer(Some(Fault::passing(error)));
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Waits until everything queued so far is committed, then ends the thread and writes the log back into the database.
    pub(crate) fn stop(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.send(Message::Stop(done)).is_ok() {
            // An error means that the writer has ended by itself.
            let _ = wait.recv();
        }
    }

    /// Waits for the thread after every way to it is gone; the thread cannot wait for itself.
    pub(crate) fn join(self) {
        let Self { queue, thread, .. } = self;
        drop(queue);
        if !is_writer_thread() && thread.join().is_err() {
            tracing::error!("the database writer panicked");
        }
    }
}

struct AliveFlag(Arc<AtomicBool>);

impl Drop for AliveFlag {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The state of the thread.
struct Scribe {
    target: Target,
    file: Option<FileIdentity>,
    patience: Duration,
    busy_timeout_ms: u32,
    /// Reopened after the loss of a transaction.
    connection: Option<AnyConnection>,
    last_idle: Instant,
    listener: Listener,
    /// What the batch at hand has changed.
    changes: Vec<Change>,
}

/// What ended a batch.
enum Next {
    /// Its own rules.
    Go,
    /// The writer was asked to stop.
    Stop(SyncSender<()>),
}

impl Scribe {
    /// Runs until nobody can send any more, or somebody asks it to stop; who that is.
    fn run(mut self, messages: &Receiver<Message>) -> Option<SyncSender<()>> {
        let stopped = loop {
            let message = match messages.try_recv() {
                Ok(message) => {
                    self.leave_a_gap();
                    message
                }
                Err(TryRecvError::Disconnected) => break None,
                Err(TryRecvError::Empty) => {
                    let Ok(message) = messages.recv() else { break None };
                    self.last_idle = Instant::now();
                    message
                }
            };
            match message {
                Message::Stop(done) => break Some(done),
                Message::Job(job) => {
                    if let Next::Stop(done) = self.batch(job, messages) {
                        break Some(done);
                    }
                }
            }
        };
        while let Ok(Message::Job(job)) = messages.try_recv() {
            self.batch(job, messages);
        }
        self.checkpoint();
        stopped
    }

    /// Another process tries the lock now and then; under a full queue it would never find it free.
    fn leave_a_gap(&mut self) {
        if self.last_idle.elapsed() > FAIRNESS {
            std::thread::sleep(GAP);
            self.last_idle = Instant::now();
        }
    }

    fn batch(&mut self, first: Box<dyn Job>, messages: &Receiver<Message>) -> Next {
        if let Err(fault) = self.begin() {
            return refuse_waiting(first, messages, &fault);
        }
        let mut jobs: Vec<Box<dyn Job>> = Vec::with_capacity(BATCH);
        let mut next = Next::Go;
        let begun = Instant::now();
        let mut job = first;
        let lost = loop {
            let standing = self.run_one(&mut *job);
            jobs.push(job);
            if let Err(lost) = standing {
                break Some(lost);
            }
            if jobs.len() >= BATCH || begun.elapsed() >= BATCH_TIME {
                break None;
            }
            // Waiting a moment for callers that were just answered was tried and gained nothing.
            match messages.try_recv() {
                Ok(Message::Job(another)) => job = another,
                Ok(Message::Stop(done)) => {
                    next = Next::Stop(done);
                    break None;
                }
                Err(_) => break None,
            }
        };
        let lost = lost.or_else(|| self.commit().err());
        let changes = std::mem::take(&mut self.changes);
        if lost.is_some() {
            self.abandon();
        } else {
            announce(&self.listener, &changes);
        }
        for job in jobs {
            job.answer(lost.as_ref().map(copy));
        }
        next
    }

    /// Takes the lock, trying until the patience ends.
    fn begin(&mut self) -> Result<(), Fault> {
        if let Some(file) = &self.file {
            file.must_stand()?;
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(&self.target, Role::Writer, self.busy_timeout_ms)?),
        };
        let deadline = Instant::now() + self.patience;
        loop {
            match Sql::<0>::new("BEGIN IMMEDIATE", []).execute(connection).map(drop) {
                Ok(()) => return Ok(()),
                Err(error) if is_locked(&error) && Instant::now() < deadline => std::thread::sleep(POLL),
                Err(error) => {
                    if !is_locked(&error) {
                        self.connection = None;
                    }
                    return Err(fault("beginning a transaction", error));
                }
            }
        }
    }

    /// Runs a job in a savepoint. An error says that the whole transaction is gone: a full disk or an I/O error inside a
    /// savepoint ends it, and the savepoint's end is where that shows.
    fn run_one(&mut self, job: &mut dyn Job) -> Result<(), Fault> {
        let Some(connection) = &mut self.connection else { return Err(Fault::broken(StorageError::WriterStopped)) };
        Sql::<0>::new("SAVEPOINT job", []).execute(connection).map_err(|error| fault("setting a savepoint", error))?;
        let mut tx = Tx::new(connection);
        let keep = job.run(&mut tx);
        if keep {
            self.changes.append(&mut tx.take_flushed());
        }
        let ended = if keep {
            Sql::<0>::new("RELEASE job", []).execute(connection).map(drop)
        } else {
            connection.batch_execute("ROLLBACK TO job; RELEASE job")
        };
        ended.map_err(|error| fault("ending a savepoint", error))
    }

    fn commit(&mut self) -> Result<(), Fault> {
        let Some(connection) = &mut self.connection else { return Err(Fault::broken(StorageError::WriterStopped)) };
        Sql::<0>::new("COMMIT", []).execute(connection).map(drop).map_err(|error| fault("committing", error))
    }

    /// Leaves a transaction that was lost. A ROLLBACK may fail because nothing is open any more; the connection is replaced.
    fn abandon(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            let _ = connection.batch_execute("ROLLBACK");
        }
    }

    /// The next start reads one file instead of two.
    fn checkpoint(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        if let Err(error) = connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::debug!(%error, "the log of the database stays for the next start");
        }
    }
}

/// Answers `first` and everything that waits: each waiting out its own patience would take minutes. All are taken before any is
/// answered, so that what somebody sends after hearing of the fault is tried.
fn refuse_waiting(first: Box<dyn Job>, messages: &Receiver<Message>, fault: &Fault) -> Next {
    let mut refused = vec![first];
    let mut next = Next::Go;
    while refused.len() <= QUEUE {
        match messages.try_recv() {
            Ok(Message::Job(job)) => refused.push(job),
            Ok(Message::Stop(done)) => {
                next = Next::Stop(done);
                break;
            }
            Err(_) => break,
        }
    }
    for job in refused {
        job.answer(Some(copy(fault)));
    }
    next
}

fn copy(fault: &Fault) -> Fault {
    Fault { passing: fault.passing, source: Box::new(StorageError::Lost(fault.to_string())) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
