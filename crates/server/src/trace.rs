//! The trace of sign-ins, on its way from the handlers to `propusk trace`: noted by one push into a bounded queue, completed and
//! written by a thread of its own, counted under a flood.

use crate::error::Reported;
use crate::state::AppState;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};
use propusk_crypto::random::token;
use propusk_crypto::{Random, digest};
use propusk_domain::backchannel::Logout;
use propusk_domain::error::printable;
use propusk_domain::flow::{Flow, Sealed, Trial};
use propusk_domain::grant::Grant;
use propusk_domain::store::{Store, Stored};
use propusk_domain::trace::{FlowStep, OK, Step};
use propusk_domain::{Cx, Refusal, UnixTime};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many steps wait at most; beyond that they are only counted.
const CAPACITY: usize = 8192;

/// How many are written in one transaction.
const BATCH: usize = 200;

/// How many grants are remembered as having asked for userinfo. When that many have, all are forgotten and one more step each is
/// recorded at most.
const GRANTS: usize = 16_384;

/// Counts flows and steps, so that those of one second keep their order.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The header by which the doctor marks what is no sign-in of anybody's: a sealed [`Trial`].
pub const TRIAL: &str = "propusk-trial";

/// The queue between the handlers and the thread that writes.
#[derive(Default)]
pub struct TraceSink {
    queue: Mutex<Vec<Noted>>,
    dropped: AtomicU64,
    /// Grants that have asked for userinfo, by a hash: two that share one cost a step of a trace.
    asked: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

/// A step as a handler knows it.
#[derive(Debug)]
pub struct Noted {
    step: FlowStep,
    /// Digest of the code by which the grant, its person and its client are found.
    code: Option<String>,
}

impl TraceSink {
    /// Hands a step over; never waits.
    fn push(&self, noted: Noted) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() >= CAPACITY {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.push(noted);
    }

    /// How many were only counted.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Takes a batch, oldest first.
    pub fn take(&self) -> Vec<Noted> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queue.len().min(BATCH);
        queue.drain(..count).collect()
    }

    /// Whether this process sees the first userinfo request of a grant.
    fn is_first(&self, grant_id: &str) -> bool {
        let grant = self.hasher.hash_one(grant_id);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= GRANTS && !asked.contains(&grant) {
            asked.clear();
        }
        asked.insert(grant)
    }
}

/// What a request is about, kept with it, so that whatever refuses it can say which flow that was.
#[derive(Clone)]
struct Traced {
    flow_id: String,
    client_id: String,
    step: Step,
}

/// A fresh identifier of a flow.
pub(crate) fn new_flow(state: &AppState, now: UnixTime) -> String {
    in_order(now, &state.rng)
}

/// The request is `step` of the flow `flow_id` at a client; a refusal of it will say so.
pub(crate) fn enter(request: &HttpRequest, flow_id: &str, client_id: &str, step: Step) {
    if flow_id.is_empty() || is_trial(request) {
        return;
    }
    request.extensions_mut().insert(Traced { flow_id: flow_id.to_owned(), client_id: printable(client_id), step });
}

/// The same for a flow that was opened; one that asks for no client is no sign-in of anybody's.
pub(crate) fn enter_flow(request: &HttpRequest, flow: &Flow, step: Step) {
    if let Some(wanted) = &flow.request {
        enter(request, &flow.id, &wanted.client_id, step);
    }
}

/// A step of the flow of this request went well.
pub(crate) fn ok(state: &AppState, request: &HttpRequest, step: Step, sub: Option<&str>, now: UnixTime) {
    note(state, request, |traced| FlowStep { step, sub: sub.map(str::to_owned), ..blank(traced) }, now);
}

/// The code of the flow of this request was issued.
pub(crate) fn code_issued(state: &AppState, request: &HttpRequest, grant: &Grant, now: UnixTime) {
    let step = |traced: &Traced| FlowStep { flow_id: Some(traced.flow_id.clone()), step: Step::CodeIssued, ..of(grant) };
    note(state, request, step, now);
}

/// The request was refused, in the step that it is.
pub(crate) fn refused(state: &AppState, request: &HttpRequest, reported: &Reported, now: UnixTime) {
    let (verdict, reference) = (verdict(reported), reported.reference.clone());
    note(state, request, |traced| FlowStep { verdict, reference: Some(reference), ..blank(traced) }, now);
}

/// The application got tokens for the code of this grant.
pub(crate) fn token_answered(state: &AppState, grant: &Grant, now: UnixTime) {
    push(state, FlowStep { step: Step::TokenAsked, ..of(grant) }, None, now);
}

/// The application asked for tokens with a code and was refused.
pub(crate) fn token_refused(state: &AppState, code: &str, reported: &Reported, now: UnixTime) {
    push(state, FlowStep { step: Step::TokenAsked, ..outcome(Some(reported)) }, Some(digest(code)), now);
}

/// Userinfo was answered: only the first time of a grant is a step of its sign-in.
pub(crate) fn userinfo_answered(state: &AppState, grant_id: &str, client_id: &str, sub: &str, now: UnixTime) {
    if !state.traces.is_first(grant_id) {
        return;
    }
    push(state, of_grant(grant_id, client_id, Some(sub), outcome(None)), None, now);
}

/// Userinfo was refused to a token whose grant is known.
pub(crate) fn userinfo_refused(state: &AppState, grant_id: &str, client_id: &str, reported: &Reported, now: UnixTime) {
    push(state, of_grant(grant_id, client_id, None, outcome(Some(reported))), None, now);
}

/// The client of this grant was told, or not, that its session has ended.
pub(crate) fn logout_sent(state: &AppState, grant_id: &str, logout: &Logout, verdict: &str, reference: Option<String>, now: UnixTime) {
    let step = FlowStep { step: Step::LogoutSent, ..of_grant(grant_id, &logout.client_id, Some(&logout.sub), outcome(None)) };
    push(state, FlowStep { verdict: verdict.to_owned(), reference, ..step }, None, now);
}

/// The beginning of a sign-in that this server goes through for the person: written with the code, so before whatever the chat asks next.
pub(crate) fn walked(cx: &mut Cx<'_>, grant: &Grant) -> Stored<()> {
    let flow_id = in_order(cx.now, cx.rng);
    let step = |step| FlowStep { id: in_order(cx.now, cx.rng), at: cx.now, flow_id: Some(flow_id.clone()), step, ..of(grant) };
    cx.store.insert_flow_steps(&[step(Step::Authorize), step(Step::CodeIssued)])
}

/// The grant and the client that a refusal names.
pub(crate) fn named(refusal: &Refusal) -> Option<(String, String)> {
    Some((refusal.grant_id.clone()?, refusal.detail.client_id.clone()?))
}

/// Completes a batch and writes it, inside a transaction. What belongs to no grant is left out.
pub(crate) fn write(store: &mut dyn Store, batch: &[Noted]) -> Stored<()> {
    let mut steps = Vec::with_capacity(batch.len());
    for noted in batch {
        let mut step = noted.step.clone();
        if let Some(code) = &noted.code {
            let Some(grant) = store.find_grant_by_code(code)? else { continue };
            step.client_id = grant.client_id;
            step.grant_id = Some(grant.id);
            step.sub = grant.sub;
        }
        steps.push(step);
    }
    store.insert_flow_steps(&steps)
}

/// Sorts by time, then in the order of this process; the end keeps apart what two processes write.
fn in_order(now: UnixTime, rng: &dyn Random) -> String {
    format!("{:010x}{:012x}{}", now.0.max(0), COUNT.fetch_add(1, Ordering::Relaxed), token(rng, 6))
}

/// Whether the doctor of this installation asks. The mark is sealed: nobody else keeps a sign-in out of the trace.
fn is_trial(request: &HttpRequest) -> bool {
    let Some(mark) = request.headers().get(TRIAL).and_then(|mark| mark.to_str().ok()) else { return false };
    let Some(state) = request.app_data::<Data<AppState>>() else { return false };
    Trial::open(mark, &state.keys()).is_some_and(|trial| state.now() < trial.expires_at)
}

fn note(state: &AppState, request: &HttpRequest, step: impl FnOnce(&Traced) -> FlowStep, now: UnixTime) {
    let traced = request.extensions().get::<Traced>().cloned();
    if let Some(traced) = traced {
        push(state, step(&traced), None, now);
    }
}

fn push(state: &AppState, step: FlowStep, code: Option<String>, now: UnixTime) {
    let id = in_order(now, &state.rng);
    state.traces.push(Noted { step: FlowStep { id, at: now, ..step }, code });
}

fn blank(traced: &Traced) -> FlowStep {
    FlowStep { flow_id: Some(traced.flow_id.clone()), client_id: traced.client_id.clone(), step: traced.step, ..outcome(None) }
}

fn of(grant: &Grant) -> FlowStep {
    of_grant(&grant.id, &grant.client_id, grant.sub.as_deref(), outcome(None))
}

fn of_grant(grant_id: &str, client_id: &str, sub: Option<&str>, step: FlowStep) -> FlowStep {
    FlowStep { step: Step::UserinfoAsked, grant_id: Some(grant_id.to_owned()), client_id: client_id.to_owned(), sub: sub.map(str::to_owned), ..step }
}

fn outcome(refused: Option<&Reported>) -> FlowStep {
    FlowStep {
        id: String::new(),
        flow_id: None,
        grant_id: None,
        client_id: String::new(),
        sub: None,
        step: Step::Authorize,
        at: UnixTime(0),
        verdict: refused.map_or_else(|| OK.to_owned(), verdict),
        reference: refused.map(|reported| reported.reference.clone()),
    }
}

/// The slug of the cause; a fault of ours has none and is told by its code.
fn verdict(reported: &Reported) -> String {
    reported.cause.map_or_else(|| reported.code.as_str(), |cause| cause.slug()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use propusk_crypto::SystemRandom;

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let sink = TraceSink::default();
        for _ in 0..CAPACITY + 5 {
            sink.push(Noted { step: outcome(None), code: None });
        }
        assert_eq!(sink.dropped(), 5);
        let batches: Vec<usize> = std::iter::from_fn(|| Some(sink.take().len()).filter(|count| *count > 0)).collect();
        assert_eq!(batches.iter().sum::<usize>(), CAPACITY);
        assert!(batches.iter().all(|count| *count <= BATCH));
    }

    #[test]
    fn steps_of_one_second_keep_their_order() {
        let made: Vec<String> = (0..300).map(|_| in_order(UnixTime(1_800_000_000), &SystemRandom)).collect();
        let later = in_order(UnixTime(1_800_000_001), &SystemRandom);
        assert!(made.is_sorted() && made.iter().all(|id| *id < later));
    }

    #[test]
    fn a_grant_asks_first_once_and_the_memory_of_it_is_bounded() {
        let sink = TraceSink::default();
        assert!(sink.is_first("g") && !sink.is_first("g"));
        for n in 0..2 * GRANTS {
            sink.is_first(&format!("g{n}"));
        }
        assert!(sink.asked.lock().unwrap_or_else(PoisonError::into_inner).len() <= GRANTS);
    }
}
