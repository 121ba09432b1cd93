//! Why a verb did not do what it was asked, and the exit code that says so.

use propusk_domain::admin::RolledBack;
use propusk_domain::{Error, Fault, Refusal};
use propusk_server::settings::SettingsError;
use serde_json::{Value, json};
use std::fmt::Write;

/// Why a verb failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The rules refused it.
    Refused(Box<Refusal>),
    /// The command line cannot be understood; the text is complete.
    Usage(String),
    /// The settings cannot be used.
    Settings(SettingsError),
    /// Something the verb needs does not answer: the database, a file, the port.
    Unreachable(String),
    /// Anything else.
    Failed(String),
}

impl Failure {
    /// Wrong usage in one sentence.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(format!("error: {}\n", sentence.into()))
    }

    /// 1 failed or refused, 2 wrong usage, 4 could not reach what it needs.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Settings(_) | Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 4,
        }
    }

    /// `{"error": {"kind", "message", …}}`; a refusal also has `cause explanation expected received nearest fix`.
    pub(crate) fn to_json(&self) -> Value {
        let error = match self {
            Self::Refused(refusal) => json!({
                "kind": "refused",
                "message": refusal.public,
                "cause": refusal.detail.cause.slug(),
                "explanation": refusal.detail.cause.explanation(),
                "client_id": refusal.detail.client_id,
                "expected": refusal.detail.expected,
                "received": refusal.detail.received,
                "nearest": refusal.detail.nearest,
                "fix": refusal.detail.fix,
            }),
            Self::Usage(text) => json!({ "kind": "usage", "message": text.trim() }),
            Self::Settings(error) => json!({ "kind": "settings", "message": error.to_string(), "problems": error.problems }),
            Self::Unreachable(message) => json!({ "kind": "unreachable", "message": message }),
            Self::Failed(message) => json!({ "kind": "failed", "message": message }),
        };
        json!({ "error": error })
    }

    /// The same for a person.
    pub(crate) fn to_human(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal_text(refusal),
            Self::Usage(text) => text.clone(),
            Self::Settings(error) => format!("error: {error}\n"),
            Self::Unreachable(message) | Self::Failed(message) => format!("error: {message}\n"),
        }
    }
}

fn refusal_text(refusal: &Refusal) -> String {
    let mut text = format!("error: {} ({})\n", refusal.public, refusal.detail.cause.slug());
    let detail = &refusal.detail;
    for (name, value) in [("expected", &detail.expected), ("received", &detail.received), ("nearest", &detail.nearest)] {
        if let Some(value) = value {
            let _infallible = writeln!(text, "  {name}: {value}");
        }
    }
    for fix in &detail.fix {
        let _infallible = writeln!(text, "  try: {fix}");
    }
    text
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match RolledBack::unwrap(error) {
            Error::Refused(refusal) => Self::Refused(refusal),
            Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        if fault.passing { Self::Unreachable(fault.to_string()) } else { Self::Failed(fault.to_string()) }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        if error.is_unreachable { Self::Unreachable(error.to_string()) } else { Self::Settings(error) }
    }
}
