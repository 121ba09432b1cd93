//! What goes on beside the requests: the watcher of changes, the sweeper, and the writers of what requests only noted.
//! Each is a thread of its own, so that a slow disk never takes one of the handlers' threads.

use crate::backup::schedule;
use crate::outbox::{self, Poke};
use crate::rocketchat::upkeep;
use crate::state::AppState;
use crate::trace;
use propusk_domain::records::{AuditEvent, ChangeKind, RefusalRecord};
use propusk_domain::{Cx, Error, Fault, UnixTime, explain, keys, session};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often changes that other processes made are looked for.
const WATCH: Duration = Duration::from_millis(250);

/// How often refusals are written.
const REFUSALS: Duration = Duration::from_millis(100);

/// How long a database that takes no refusals is left alone.
const REFUSALS_PAUSE: Duration = Duration::from_millis(500);

/// How often the steps of sign-ins are written.
const TRACES: Duration = Duration::from_millis(200);

/// Between two batches of them, so that a sign-in never waits for the trace of another.
const TRACES_PAUSE: Duration = Duration::from_millis(10);

/// How often used sessions and counted tokens are written: a row a client and a minute.
const NOTES: Duration = Duration::from_secs(60);

/// How often rows that have had their time are removed.
const SWEEP: Duration = Duration::from_secs(60);

/// How often it is looked whether so much time has passed, by the clock, that sessions may be over.
const SESSIONS: Duration = Duration::from_secs(5);

/// Seconds between two searches for sessions that are over.
const SESSIONS_PAUSE: i64 = 60;

/// Sessions ended in one transaction.
const SESSIONS_BATCH: i64 = 50;

/// Between two batches of the sweeper, so that a sign-in never waits for it.
const SWEEP_PAUSE: Duration = Duration::from_millis(20);

/// How often it is looked whether a backup is due.
const BACKUPS: Duration = Duration::from_secs(1);

/// The running threads.
pub(crate) struct Tasks {
    stop: Arc<Stop>,
    poke: Arc<Poke>,
    threads: Vec<JoinHandle<()>>,
}

/// Says that the end is asked for.
#[derive(Default)]
pub(crate) struct Stop {
    asked: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Stop {
    /// Whether it is.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Waits, unless the end comes first; whether to go on.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_asked() {
            drop(self.wake.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner));
        }
        !self.is_asked()
    }

    fn ask(&self) {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.asked.store(true, Ordering::Release);
        self.wake.notify_all();
    }
}

impl Tasks {
    /// Starts all of them. Fails when the state of changes cannot be read.
    pub(crate) fn start(state: &AppState) -> Result<Self, Fault> {
        let stop = Arc::new(Stop::default());
        let watcher = Watcher::new(state.clone())?;
        let spawn = |name: &str, work: Box<dyn FnOnce(&Stop) + Send>| {
            let stop = Arc::clone(&stop);
            std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&stop)).map_err(Fault::broken)
        };
        let (refusing, following, noting, sweeping, backing_up) = (state.clone(), state.clone(), state.clone(), state.clone(), state.clone());
        let ending = state.clone();
        let mut threads = vec![
            spawn("watcher", Box::new(move |stop| watcher.run(stop)))?,
            spawn("refusals", Box::new(move |stop| write_refusals(&refusing, stop)))?,
            spawn("traces", Box::new(move |stop| write_traces(&following, stop)))?,
            spawn("notes", Box::new(move |stop| write_notes(&noting, stop)))?,
            spawn("sweeper", Box::new(move |stop| sweep(&sweeping, stop)))?,
            spawn("sessions", Box::new(move |stop| end_sessions(&ending, stop)))?,
            spawn("backups", Box::new(move |stop| back_up(&backing_up, stop)))?,
        ];
        let (chat_state, chat_outbound) = (state.clone(), state.outbound.clone());
        threads.push(spawn("chat", Box::new(move |stop| upkeep::run(&chat_state, &chat_outbound, stop)))?);
        for courier in outbox::couriers(state)? {
            let state = state.clone();
            threads.push(spawn("courier", Box::new(move |stop| outbox::run(&state, courier, stop)))?);
        }
        Ok(Self { stop, poke: Arc::clone(&state.poke), threads })
    }

    /// Ends them; what was noted is written first.
    pub(crate) fn stop(self) {
        self.stop.ask();
        self.poke.poke();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a background thread had panicked");
            }
        }
    }
}

/// Follows the table of changes.
struct Watcher {
    state: AppState,
    seen: i64,
}

impl Watcher {
    fn new(state: AppState) -> Result<Self, Fault> {
        let began = Instant::now();
        let now = state.now();
        let (seen, denied) = state.db.read(|store| Ok((store.latest_change()?, store.list_denied(now)?))).map_err(Error::into_fault)?;
        state.caches.set_denied(denied);
        state.caches.mark_watched(began);
        Ok(Self { state, seen })
    }

    fn run(mut self, stop: &Stop) {
        while stop.wait(WATCH) {
            let began = Instant::now();
            match self.look() {
                Ok(()) => self.state.caches.mark_watched(began),
                Err(fault) => tracing::warn!(%fault, "changes could not be read; nothing is answered from memory meanwhile"),
            }
        }
    }

    fn look(&mut self) -> Result<(), Fault> {
        let seen = self.seen;
        let Some(changes) = self.state.db.read(|store| Ok(store.list_changes(seen)?)).map_err(Error::into_fault)? else {
            return self.start_over();
        };
        let Some(last) = changes.last() else { return Ok(()) };
        let last = last.seq;
        self.state.caches.drop_changed(&changes);
        if changes.iter().any(|change| change.kind == ChangeKind::Keys) {
            self.state.reload_keys()?;
        }
        if changes.iter().any(|change| change.kind == ChangeKind::Denied) {
            self.read_denied()?;
        }
        if changes.iter().any(|change| change.kind == ChangeKind::Outbox) {
            self.state.poke.poke();
        }
        self.seen = last;
        Ok(())
    }

    /// Changes were swept away before they were seen, as after a long sleep: everything is read anew.
    fn start_over(&mut self) -> Result<(), Fault> {
        self.seen = self.state.db.read(|store| Ok(store.latest_change()?)).map_err(Error::into_fault)?;
        self.state.caches.clear();
        self.state.reload_keys()?;
        self.read_denied()
    }

    fn read_denied(&self) -> Result<(), Fault> {
        let now = self.state.now();
        let denied = self.state.db.read(|store| Ok(store.list_denied(now)?)).map_err(Error::into_fault)?;
        self.state.caches.set_denied(denied);
        Ok(())
    }
}

fn write_refusals(state: &AppState, stop: &Stop) {
    let mut is_told = false;
    loop {
        let going_on = stop.wait(Duration::ZERO);
        let batch = state.refusals.take(REFUSALS);
        if batch.is_empty() {
            if going_on {
                continue;
            }
            return;
        }
        let (batch, events) = (completed(state, batch), state.refusals.take_events());
        let written = (batch.clone(), events.clone());
        let Err(error) = state.db.write(move |store| {
            store.insert_refusals(&written.0)?;
            Ok(written.1.iter().try_for_each(|event| store.insert_audit(event))?)
        }) else {
            is_told = false;
            continue;
        };
        let fault = error.into_fault();
        if !std::mem::replace(&mut is_told, true) {
            tracing::warn!(%fault, "refusals could not be recorded");
        }
        // What passes is waited for, so that the references of an outage are known once it is over.
        if fault.passing && going_on {
            state.refusals.put_back(batch, events);
            stop.wait(REFUSALS_PAUSE);
        }
    }
}

/// With what only a look at the registered clients can add; without it when they cannot be read.
fn completed(state: &AppState, batch: Vec<RefusalRecord>) -> Vec<RefusalRecord> {
    let mut completed = batch.clone();
    match state.db.read(|store| Ok(explain::complete(store, &mut completed)?)) {
        Ok(()) => completed,
        Err(error) => {
            tracing::debug!(fault = %error.into_fault(), "refusals are recorded without a look at what is registered");
            batch
        }
    }
}

fn write_traces(state: &AppState, stop: &Stop) {
    loop {
        let going_on = stop.wait(TRACES);
        loop {
            let batch = state.traces.take();
            if batch.is_empty() {
                break;
            }
            if let Err(error) = state.db.write(move |store| Ok(trace::write(store, &batch)?)) {
                tracing::warn!(fault = %error.into_fault(), "steps of sign-ins could not be recorded");
            }
            stop.wait(TRACES_PAUSE);
        }
        if !going_on {
            return;
        }
    }
}

fn write_notes(state: &AppState, stop: &Stop) {
    loop {
        let going_on = stop.wait(NOTES);
        let (sessions, tokens, secrets) = (state.used_sessions.take(), state.used_tokens.take(), state.used_secrets.take());
        let (issued, now) = (state.take_issued(), state.now());
        if !(sessions.is_empty() && tokens.is_empty() && secrets.is_empty() && issued.is_empty()) {
            let written = state.db.write(move |store| {
                for (sid, at) in &sessions {
                    store.touch_session(sid, *at)?;
                }
                for (id, at) in &tokens {
                    store.touch_personal_token(id, *at)?;
                }
                for (id, at) in &secrets {
                    store.touch_client_secret(id, *at)?;
                }
                for (client_id, count) in &issued {
                    store.insert_audit(&client_tokens(client_id, *count, now))?;
                }
                Ok(())
            });
            if let Err(error) = written {
                tracing::warn!(fault = %error.into_fault(), "what was used and issued could not be noted");
            }
        }
        if !going_on {
            return;
        }
    }
}

/// Tokens of a client's own are counted, not recorded one by one.
fn client_tokens(client_id: &str, count: u64, now: UnixTime) -> AuditEvent {
    AuditEvent {
        id: String::new(),
        at: now,
        kind: "client_tokens_issued".to_owned(),
        sub: None,
        client_id: Some(client_id.to_owned()),
        grant_id: None,
        detail: Some(count.to_string()),
    }
}

fn back_up(state: &AppState, stop: &Stop) {
    while state.settings.backup.schedule > 0 && stop.wait(BACKUPS) {
        schedule::run_if_due(state, &|| !stop.is_asked());
    }
}

/// Sessions that end by themselves are ended: whoever hangs on them hears of it.
fn end_sessions(state: &AppState, stop: &Stop) {
    let mut looked = UnixTime(0);
    while stop.wait(SESSIONS) {
        let now = state.now();
        if now.since(looked) < SESSIONS_PAUSE {
            continue;
        }
        looked = now;
        while stop.wait(SWEEP_PAUSE) {
            match outbox::write(state, |cx| session::end_timed_out(cx, SESSIONS_BATCH)) {
                Ok(0) => break,
                Ok(count) => tracing::info!(count, "sessions have timed out"),
                Err(error) => {
                    tracing::warn!(fault = %error.into_fault(), "sessions that are over could not be ended");
                    break;
                }
            }
        }
    }
}

fn sweep(state: &AppState, stop: &Stop) {
    while stop.wait(SWEEP) {
        if let Err(fault) = sweep_once(state, stop) {
            tracing::warn!(%fault, "expired rows could not be removed");
        }
    }
}

fn sweep_once(state: &AppState, stop: &Stop) -> Result<(), Fault> {
    let now = state.now();
    let retention = state.settings.retention();
    while state.db.write(move |store| Ok(store.sweep(now, &retention)?)).map_err(Error::into_fault)? > 0 && stop.wait(SWEEP_PAUSE) {}
    while state.ephemeral.sweep(now)? > 0 && stop.wait(SWEEP_PAUSE) {}
    let (policy, unsealed, rng) = (Arc::clone(&state.policy), state.keys(), state.rng);
    state
        .db
        .write(move |store| keys::remove_ended(&mut Cx { store, rng: &rng, now, policy: &policy, keys: &unsealed }))
        .map_err(Error::into_fault)?;
    Ok(())
}
