//! `Error = Refused | Fault`: a refusal is an answer and commits, a fault is a failure and rolls back.

use crate::cause::Cause;
use propusk_protocol::{ErrorCode, ProtocolError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a rule answers instead of a result.
#[derive(Debug)]
pub enum Error {
    /// The request was understood and refused; what was written before stays written.
    Refused(Box<Refusal>),
    /// Something broke; nothing that was written stays.
    Fault(Fault),
}

impl Error {
    /// The fault; a refusal where none can be is a fault of ours.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            Self::Refused(refusal) => Fault::broken(refusal.public),
        }
    }
}

/// The result of a rule.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal with its three audiences: the client's code, the client's sentence, the operator's detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The protocol's error code, which also decides the HTTP status.
    pub code: ErrorCode,
    /// One fixed sentence for the client: printable ASCII without `"` and `\` (RFC 6749 §5.2).
    pub public: &'static str,
    /// The operator's detail; it never leaves the server except through `propusk explain`.
    pub detail: Detail,
    /// Seconds after which the same request may be tried again (`Retry-After`).
    pub retry_after: Option<i64>,
    /// The client authenticated with the `Authorization` header, so a 401 carries a Basic challenge (RFC 6749 §5.2).
    pub basic_challenge: bool,
    /// The grant concerned, as far as it is known; for the trace of the sign-in.
    pub grant_id: Option<String>,
    /// What the operator hears of at once, besides the refusal itself.
    pub alarm: Option<Box<Alarm>>,
}

/// Guessing has reached a limit for the first time within its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The setting whose limit was reached: `login.account`.
    pub limit: &'static str,
    /// The client's address.
    pub address: String,
    /// Whose account was tried then; `None` when nobody has the name.
    pub sub: Option<String>,
}

/// What was expected, what came, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Stable slug of the likely cause.
    pub cause: Cause,
    /// The client concerned, as far as it is known.
    pub client_id: Option<String>,
    /// What the server expected.
    pub expected: Option<String>,
    /// What came instead; outside text is shown escaped and cut.
    pub received: Option<String>,
    /// The registered value nearest to what came.
    pub nearest: Option<String>,
    /// Commands or settings that mend it.
    pub fix: Vec<String>,
}

impl Refusal {
    /// A refusal with its code, its public sentence and its cause; the rest is added by the builder methods.
    pub fn new(code: ErrorCode, public: &'static str, cause: Cause) -> Self {
        let detail = Detail { cause, client_id: None, expected: None, received: None, nearest: None, fix: Vec::new() };
        Self { code, public, detail, retry_after: None, basic_challenge: false, grant_id: None, alarm: None }
    }

    /// `invalid_request` (RFC 6749 §4.1.2.1, §5.2).
    pub fn invalid_request(public: &'static str, cause: Cause) -> Self {
        Self::new(ErrorCode::InvalidRequest, public, cause)
    }

    /// `invalid_grant` (RFC 6749 §5.2).
    pub fn invalid_grant(public: &'static str, cause: Cause) -> Self {
        Self::new(ErrorCode::InvalidGrant, public, cause)
    }

    /// Names the client concerned.
    #[must_use]
    pub fn client(mut self, client_id: &str) -> Self {
        self.detail.client_id = Some(printable(client_id));
        self
    }

    /// Names the grant concerned.
    #[must_use]
    pub fn grant(mut self, grant_id: &str) -> Self {
        self.grant_id = Some(grant_id.to_owned());
        self
    }

    /// Says what was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.detail.expected = Some(expected.into());
        self
    }

    /// Says what came; the text comes from outside and is escaped and cut here.
    #[must_use]
    pub fn received(mut self, received: impl AsRef<str>) -> Self {
        self.detail.received = Some(printable(received.as_ref()));
        self
    }

    /// The registered value nearest to what came.
    #[must_use]
    pub fn nearest(mut self, nearest: Option<String>) -> Self {
        self.detail.nearest = nearest;
        self
    }

    /// Adds a command or setting that mends it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.detail.fix.push(fix.into());
        self
    }

    /// Seconds until the same request may be tried again.
    #[must_use]
    pub fn retry_after(mut self, seconds: i64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

/// The longest piece of outside text that a log line or an explanation shows, in characters.
pub(crate) const SHOWN: usize = 200;

/// Text from outside made safe for a terminal and a log line: control characters escaped, cut at 200 characters.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(SHOWN + 8));
    for (count, character) in text.chars().enumerate() {
        if count == SHOWN {
            out.push('…');
            break;
        }
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// What a secret looks like without telling it: its length, and the marks of the mistakes that people make with secrets.
pub fn shape(secret: &str) -> String {
    let mut notes = vec![format!("{} characters", secret.chars().count())];
    if secret.ends_with('\n') {
        notes.push("has a trailing newline".to_owned());
    } else if secret.trim() != secret {
        notes.push("has white space at an end".to_owned());
    }
    if secret.contains('%') {
        notes.push("contains a percent sign".to_owned());
    }
    let kinds = [("ppc_", "a code"), ("ppr_", "a refresh token"), ("ppat_", "a personal token"), ("pps_", "a client secret"), ("eyJ", "a JWT")];
    notes.extend(kinds.iter().find(|(prefix, _)| secret.starts_with(prefix)).map(|(_, kind)| format!("begins like {kind}")));
    notes.join(", ")
}

/// Something broke on our side.
#[derive(Debug)]
pub struct Fault {
    /// Whether the same request may succeed a moment later (`temporarily_unavailable` instead of `server_error`).
    pub passing: bool,
    /// The chain of causes, for the log alone.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Fault {
    /// A failure that a repetition will not cure.
    pub fn broken(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { passing: false, source: source.into() }
    }

    /// A failure that passes: a full pool, a locked database, a store that does not answer.
    pub fn passing(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { passing: true, source: source.into() }
    }
}

impl Fault {
    /// What an operator is told of it, as of a refusal.
    pub fn detail(&self) -> Detail {
        let refuse = |cause, expected: &str| Refusal::new(ErrorCode::ServerError, "", cause).expected(expected).received(self.to_string());
        let refusal = if self.passing {
            refuse(Cause::StoreUnavailable, "a database, and a Redis where one is set, that answers in time")
                .fix("ask /readyz which part does not answer; start it again, give it room, or end whatever locks it")
        } else {
            refuse(Cause::ServerFault, "no failure").fix("find the line of the log with this reference: it names the failure")
        };
        refusal.detail
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        let mut next = self.source.source();
        while let Some(source) = next {
            write!(f, ": {source}")?;
            next = source.source();
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<propusk_crypto::CryptoError> for Fault {
    fn from(error: propusk_crypto::CryptoError) -> Self {
        Self::broken(error)
    }
}

impl From<propusk_crypto::CryptoError> for Error {
    fn from(error: propusk_crypto::CryptoError) -> Self {
        Self::Fault(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_text_is_escaped_and_cut() {
        assert_eq!(printable("a\nb\u{1b}[31m"), "a\\u{a}b\\u{1b}[31m");
        assert_eq!(printable(&"я".repeat(500)).chars().count(), 201);
        assert_eq!(printable("\u{202e}txt"), "\\u{202e}txt");
    }

    #[test]
    fn a_secret_is_shown_by_its_shape_alone() {
        assert_eq!(shape("hunter2"), "7 characters");
        assert_eq!(shape("ppc_abc\n"), "8 characters, has a trailing newline, begins like a code");
        assert_eq!(shape(" a%2Bb"), "6 characters, has white space at an end, contains a percent sign");
    }
}
