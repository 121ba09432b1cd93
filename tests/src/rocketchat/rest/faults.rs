//! What may go wrong on the way, on demand.

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
    /// 429 with `Retry-After` of so many seconds.
    TooMany(u64),
    /// 429 with `X-RateLimit-Reset` alone.
    TooManyByReset(u64),
}

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
            Self::Slow(_) | Self::LoseAnswer => return None,
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
            _ => Outcome::Close,
        }
    }
}
