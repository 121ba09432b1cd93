//! Messages that the protocol refuses, as an operator reads of them: which parameter, what came, what to change.

use crate::cause::Cause;
use crate::error::{Refusal, printable};
use propusk_protocol::{Problem, ProtocolError};

impl From<ProtocolError> for Refusal {
    fn from(error: ProtocolError) -> Self {
        let name = error.parameter.as_deref().map_or_else(|| "the parameter".to_owned(), printable);
        let (expected, fix) = advice(&error, &name);
        let mut refusal = Self::new(error.code, error.description, Cause::MalformedRequest).expected(expected).fix(fix);
        // Values may be secrets, so only those come along that the parser knows to be none.
        refusal = match (&error.received, error.problem) {
            (Some(received), _) => refusal.received(received),
            (None, Problem::Missing) => refusal.received(format!("no {name}")),
            (None, Problem::Unsupported) => refusal.received(&name),
            (None, _) => refusal.received(format!("{name} that is not")),
        };
        // Whether anybody is registered under it is looked up where the record is written.
        match &error.client_id {
            Some(client_id) => refusal.client(client_id),
            None => refusal,
        }
    }
}

/// What was expected, and an instruction for whoever looks after the application.
fn advice(error: &ProtocolError, name: &str) -> (String, String) {
    match (error.problem, error.expected) {
        (Problem::Repeated, _) => (
            format!("{name} once"),
            format!("send {name} once: look whether the application's own settings or a URL in them add it a second time, or a proxy does"),
        ),
        (Problem::Encoding, _) => {
            (format!("{name} as percent-encoded UTF-8"), format!("let the application percent-encode {name} as UTF-8, a percent sign itself as %25"))
        }
        (Problem::ControlCharacter, _) => (
            format!("{name} without control characters"),
            format!("remove line breaks and other control characters from {name} in the application's settings"),
        ),
        (Problem::TooLong(limit), _) => (format!("{name} of at most {limit} bytes"), format!("send {name} in at most {limit} bytes")),
        (Problem::Missing, None) => (name.to_owned(), format!("let the application send {name}")),
        (Problem::Missing, Some(expected)) => (format!("{name}: {expected}"), format!("let the application send {name}={expected}")),
        (Problem::Name, _) => (
            "names of 1 to 128 bytes without control characters".to_owned(),
            "let the application send its parameters form-encoded, each with a name".to_owned(),
        ),
        (Problem::TooMany(limit), _) => (format!("at most {limit} parameters"), format!("send at most {limit} parameters")),
        (Problem::Twice, _) => (format!("{name} in one place"), format!("send {name} in one place")),
        (Problem::Unsupported, _) => (format!("a request without {name}"), format!("switch off in the application what sends {name}")),
        (Problem::Other, Some(expected)) => (format!("{name}: {expected}"), format!("set {name} in the application to {expected}")),
        (Problem::Other, None) => {
            (format!("a valid parameter {name}"), format!("correct {name} in what the application sends; the rule: {}", error.description))
        }
    }
}
