//! Delivers the outbox: threads of their own that take one row at a time, speak to the other side without any transaction, and
//! write down what became of it. Woken after each commit that added a row, and once a second.

mod backchannel;
pub(crate) mod letters;
pub(crate) mod mail;

use crate::outbound::Outbound;
use crate::rocketchat::courier::ChatCourier;
use crate::rocketchat::everybody::EverybodyCourier;
use crate::settings::OutboundSettings;
use crate::state::AppState;
use crate::tasks::Stop;
use propusk_domain::outbox::{Claimed, Message, Outcome, Settled, Topic, claim, settle};
use propusk_domain::{Cx, Error, Fault, Result};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How often due rows are looked for when nobody says that there are any.
const POLL: Duration = Duration::from_secs(1);

/// How many rows are looked at to find one that nobody else takes.
const CANDIDATES: i64 = 16;

/// The longest that a relying party may take to answer a logout token: people wait for the logout of others, too.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(5);

/// Threads that tell of logouts: one relying party that does not answer keeps nobody else waiting for long.
const LOGOUT_THREADS: usize = 3;

/// Wakes the threads that deliver.
#[derive(Debug, Default)]
pub struct Poke {
    count: Mutex<u64>,
    wake: Condvar,
}

impl Poke {
    /// Something may be due.
    pub fn poke(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.wake.notify_all();
    }

    fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a poke since `seen`, or for `time`.
    fn wait(&self, seen: u64, time: Duration) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.wake.wait_timeout_while(count, time, |count| *count == seen).unwrap_or_else(PoisonError::into_inner));
    }
}

/// What delivers rows of some topics.
pub(crate) trait Courier: Send {
    /// The topics.
    fn topics(&self) -> &'static [Topic];
    /// Makes the other side agree. Called without a transaction; may block for as long as a lease lasts.
    fn deliver(&mut self, message: &Message) -> Result<Outcome>;
    /// The same for what takes long: returns soon after the end was asked for.
    fn deliver_until(&mut self, message: &Message, _stop: &Stop) -> Result<Outcome> {
        self.deliver(message)
    }
    /// Whether there is any point in trying now.
    fn is_ready(&mut self) -> bool {
        true
    }
    /// A row was given up.
    fn given_up(&mut self, _message: &Message) {}
}

/// One for each thread.
pub(crate) fn couriers(state: &AppState) -> Result<Vec<Box<dyn Courier>>, Fault> {
    let settings = &state.settings.outbound;
    let settings = OutboundSettings { timeout: settings.timeout.min(LOGOUT_TIMEOUT), ca_file: settings.ca_file.clone() };
    let outbound = Outbound::new(&settings)?;
    let logouts = (0..LOGOUT_THREADS).map(|_| Box::new(backchannel::Logouts::new(state.clone(), outbound.clone())) as Box<dyn Courier>);
    let chat = ChatCourier::new(state.clone(), state.outbound.clone());
    let everybody = EverybodyCourier::new(state.clone(), state.outbound.clone());
    let mails = mail::Mails::new(state.clone())?;
    let others = [Box::new(chat) as Box<dyn Courier>, Box::new(everybody) as Box<dyn Courier>, Box::new(mails) as Box<dyn Courier>];
    Ok(logouts.chain(others).collect())
}

/// Runs until the end is asked for; a delivery in flight is finished.
pub(crate) fn run(state: &AppState, mut courier: Box<dyn Courier>, stop: &Stop) {
    while !stop.is_asked() {
        let seen = state.poke.count();
        match step(state, courier.as_mut(), stop) {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(fault = %error.into_fault(), "the outbox could not be worked on"),
        }
        if !stop.is_asked() {
            state.poke.wait(seen, POLL);
        }
    }
}

/// Delivers one row; whether there was one.
fn step(state: &AppState, courier: &mut dyn Courier, stop: &Stop) -> Result<bool> {
    if !courier.is_ready() {
        return Ok(false);
    }
    let (now, topics) = (state.now(), courier.topics());
    let candidates = state.db.read(|store| Ok(store.due_messages(topics, now, CANDIDATES)?))?;
    if candidates.is_empty() {
        return Ok(false);
    }
    let Some(claimed) = write(state, move |cx| claim(cx, &candidates))? else { return Ok(true) };
    let outcome = courier.deliver_until(&claimed.message, stop).unwrap_or_else(|error| {
        let fault = error.into_fault();
        tracing::error!(%fault, topic = claimed.message.topic.as_str(), "a delivery failed on this side");
        Outcome::Later { failure: "a fault of this server; its log says which".to_owned(), after: None }
    });
    let settled = write_outcome(state, &claimed, &outcome)?;
    log(&claimed.message, &outcome, settled);
    if settled == Settled::GivenUp {
        courier.given_up(&claimed.message);
    }
    Ok(true)
}

fn write_outcome(state: &AppState, claimed: &Claimed, outcome: &Outcome) -> Result<Settled> {
    let (claimed, outcome, give_up) = (claimed.clone(), outcome.clone(), state.settings.outbox.give_up);
    write(state, move |cx| settle(cx, &claimed, &outcome, give_up))
}

fn log(message: &Message, outcome: &Outcome, settled: Settled) {
    let (topic, key, attempt) = (message.topic.as_str(), message.key.as_str(), message.attempts);
    match outcome {
        Outcome::Done => tracing::debug!(topic, key, attempt, "delivered"),
        Outcome::Later { failure, .. } | Outcome::Refused { failure } if settled == Settled::GivenUp => {
            tracing::error!(topic, key, attempt, failure, "a delivery was given up");
        }
        Outcome::Later { failure, .. } | Outcome::Refused { failure } => tracing::warn!(topic, key, attempt, failure, "a delivery failed"),
    }
}

/// One write transaction of a background thread.
pub(crate) fn write<T: Send + 'static>(state: &AppState, mut f: impl FnMut(&mut Cx<'_>) -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let (policy, keys, rng, now) = (std::sync::Arc::clone(&state.policy), state.keys(), state.rng, state.now());
    state.db.write(move |store| f(&mut Cx { store, rng: &rng, now, policy: &policy, keys: &keys }))
}
