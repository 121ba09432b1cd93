//! The members of a person's JSON on their way in: every problem is kept, each under the name of its member.

use super::APART;
use super::answer::{FieldError, Rejected};
use propusk_domain::user::UserState;
use propusk_protocol::limits::holds_nul;
use serde_json::{Map, Value};

/// The longest text of one member, in bytes; the rules know shorter limits for most.
const LONGEST_TEXT: usize = 4096;

/// A body that is being read, member by member.
pub(in crate::endpoints) struct Members {
    members: Map<String, Value>,
    problems: Vec<FieldError>,
}

impl Members {
    /// Notes every member that is none of `known`: a misspelt one must not be silently without effect. Notes U+0000, too, which JSON
    /// can say and PostgreSQL cannot keep.
    pub(in crate::endpoints) fn of(members: Map<String, Value>, known: &[&str]) -> Self {
        let unknown = members.keys().filter(|name| !known.contains(&name.as_str()));
        let mut problems: Vec<_> = unknown.map(|name| FieldError::of(name, format!("is no member; the members are {}", known.join(", ")))).collect();
        let with_nul = members.iter().filter(|(_, value)| holds_nul(value));
        problems.extend(with_nul.map(|(name, _)| FieldError::of(name, "must not contain the character U+0000")));
        Self { members, problems }
    }

    /// A text that is not empty; an absent one, or `null`, is none. An empty one must not be silently without effect: it often comes from
    /// a form that was sent unfilled.
    pub(in crate::endpoints) fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.members.remove(name).filter(|value| !value.is_null())?;
        let text = self.as_text(name, value)?;
        if text.is_empty() {
            self.problem(name, "must not be empty".to_owned());
            return None;
        }
        Some(text)
    }

    /// A text of which the empty one says as little as an absent one.
    pub(in crate::endpoints) fn optional_text(&mut self, name: &'static str) -> Option<String> {
        self.clearable(name).filter(|text| !text.is_empty())
    }

    /// A text that must be there.
    pub(in crate::endpoints) fn required_text(&mut self, name: &'static str) -> String {
        let before = self.problems.len();
        let text = self.text(name);
        if text.is_none() && self.problems.len() == before {
            self.problem(name, "is missing".to_owned());
        }
        text.unwrap_or_default()
    }

    /// A text, of which `null` and the empty one clear what is there.
    pub(in crate::endpoints) fn clearable(&mut self, name: &'static str) -> Option<String> {
        match self.members.remove(name)? {
            Value::Null => Some(String::new()),
            value => self.as_text(name, value),
        }
    }

    /// `true` or `false`.
    pub(in crate::endpoints) fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.members.remove(name)? {
            Value::Bool(flag) => Some(flag),
            Value::Null => None,
            _ => {
                self.problem(name, "must be true or false".to_owned());
                None
            }
        }
    }

    /// A whole number.
    pub(in crate::endpoints) fn number(&mut self, name: &'static str) -> Option<i64> {
        let value = self.members.remove(name).filter(|value| !value.is_null())?;
        let number = value.as_i64();
        if number.is_none() {
            self.problem(name, "must be a whole number".to_owned());
        }
        number
    }

    /// `active` or `disabled`; nothing else is a state, `null` neither.
    pub(in crate::endpoints) fn state(&mut self) -> Option<UserState> {
        let value = self.members.remove("state")?;
        let state = value.as_str().and_then(UserState::parse);
        if state.is_none() {
            self.problem("state", "must be active or disabled".to_owned());
        }
        state
    }

    /// Further standard claims, of which `null` clears one; the address is an object of its own.
    pub(in crate::endpoints) fn claims(&mut self) -> Vec<(String, String)> {
        let members = match self.members.remove("claims") {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Object(members)) => members,
            Some(_) => {
                self.problem("claims", "must be an object".to_owned());
                return Vec::new();
            }
        };
        let mut claims = Vec::new();
        for (name, value) in members {
            if APART.contains(&name.as_str()) {
                self.problem(&format!("claims.{name}"), "is a member of the person itself".to_owned());
                continue;
            }
            match value {
                Value::Object(parts) if name == "address" => {
                    claims.push((name.clone(), String::new()));
                    for (part, value) in parts {
                        self.claim(&mut claims, format!("address.{part}"), value);
                    }
                }
                value => self.claim(&mut claims, name, value),
            }
        }
        claims
    }

    /// All problems at once.
    pub(in crate::endpoints) fn finish(self) -> Result<(), Rejected> {
        if self.problems.is_empty() { Ok(()) } else { Err(Rejected::fields(self.problems)) }
    }

    fn claim(&mut self, claims: &mut Vec<(String, String)>, name: String, value: Value) {
        match value {
            Value::Null => claims.push((name, String::new())),
            Value::Bool(flag) => claims.push((name, flag.to_string())),
            Value::String(text) if text.len() <= LONGEST_TEXT => claims.push((name, text)),
            _ => self.problem(&format!("claims.{name}"), format!("must be a text of at most {LONGEST_TEXT} bytes, true, false or null")),
        }
    }

    fn as_text(&mut self, name: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) if text.len() <= LONGEST_TEXT => Some(text),
            _ => {
                self.problem(name, format!("must be a text of at most {LONGEST_TEXT} bytes"));
                None
            }
        }
    }

    fn problem(&mut self, name: &str, message: String) {
        self.problems.push(FieldError::of(name, message));
    }
}
