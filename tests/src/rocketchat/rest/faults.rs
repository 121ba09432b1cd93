//! What may go wrong on the way, on demand.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::answer::Answer;
use super::http::Outcome;

/// A fault of the next requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This status with a JSON body of the API.
    Status(u16),
    /// The page of a reverse proxy, with this status.
    Html(u16),
    /// 200 and text that is no JSON.
    Garbage,
    /// Bytes that are no HTTP.
    NotHttp,
    /// The right answer after this long.
    Slow(Duration),
    /// No answer while the chat runs.
    Never,
    /// The connection is closed before the request has an effect.
    Close,
    /// The request has its effect, and the answer is lost.
    LoseAnswer,
    /// The request has its effect, and the answer waits at the gate.
    Held(Gate),
    /// 429 with `Retry-After` of so many seconds.
    TooMany(u64),
    /// 429 with `X-RateLimit-Reset` alone.
    TooManyByReset(u64),
}

/// Where an answer waits until a test lets it go.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<Passage>, Condvar)>);

/// What has happened at a gate.
#[derive(Debug, Clone, Copy, Default)]
struct Passage {
    reached: bool,
    opened: bool,
    passed: bool,
}

/// The longest that anybody waits at a gate.
const PATIENCE: Duration = Duration::from_secs(60);

impl Gate {
    /// Waits until a request has had its effect and its answer waits.
    pub fn wait_reached(&self) {
        assert!(self.wait(|passage| passage.reached), "no request came to the gate");
    }

    /// Lets the answer go.
    pub fn open(&self) {
        self.note(|passage| passage.opened = true);
    }

    /// Waits until the answer has gone out.
    pub fn wait_passed(&self) {
        assert!(self.wait(|passage| passage.passed), "the answer did not go out");
    }

    /// The answer's side.
    pub(super) fn hold(&self) {
        self.note(|passage| passage.reached = true);
        self.wait(|passage| passage.opened);
    }

    pub(super) fn passed(&self) {
        self.note(|passage| passage.passed = true);
    }

    fn note(&self, change: impl FnOnce(&mut Passage)) {
        change(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_all();
    }

    fn wait(&self, wanted: impl Fn(&Passage) -> bool) -> bool {
        let passage = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (passage, _) = self.0.1.wait_timeout_while(passage, PATIENCE, |passage| !wanted(passage)).unwrap_or_else(PoisonError::into_inner);
        wanted(&passage)
    }
}

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Gate {}

/// A fault and the requests that it meets.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) endpoint: String,
    pub(super) fault: Fault,
    pub(super) left: usize,
}

impl Fault {
    /// What the peer sees instead of a right answer; `None` when the request is handled first.
    pub(super) fn instead(&self, now: u64) -> Option<Outcome> {
        let answer = match self {
            Self::Slow(_) | Self::LoseAnswer | Self::Held(_) => return None,
            Self::NotHttp => return Some(Outcome::Bytes("SSH-2.0-OpenSSH_9.2\r\n")),
            Self::Never => return Some(Outcome::Silence),
            Self::Close => return Some(Outcome::Close),
            Self::Status(401) => Answer::unauthorized(),
            Self::Status(403) => Answer::forbidden(),
            Self::Status(status) => Answer::json(*status, &serde_json::json!({ "success": false, "error": "Internal server error" })),
            Self::Html(status) => Answer::html(*status, "<html><body><h1>Bad Gateway</h1></body></html>"),
            Self::Garbage => Answer { body: "{\"success\": tru".into(), ..Answer::json(200, &serde_json::Value::Null) },
            Self::TooMany(seconds) => Answer::too_many(*seconds, now, true),
            Self::TooManyByReset(seconds) => Answer::too_many(*seconds, now, false),
        };
        Some(Outcome::Answer(answer))
    }

    /// What becomes of the right answer.
    pub(super) fn after(&self, answer: Answer) -> Outcome {
        match self {
            Self::Slow(delay) => Outcome::Late(*delay, answer),
            Self::Held(gate) => Outcome::Held(gate.clone(), answer),
            _ => Outcome::Close,
        }
    }
}
