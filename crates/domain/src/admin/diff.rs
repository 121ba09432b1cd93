//! What differs between two states of one thing, field by field.

use crate::client::Client;
use crate::user::{NameKind, SignInName, User};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// One field that changes; `null` stands for "not set".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// The field: `role`, `email`, `redirect_uris` …
    pub name: String,
    /// What it was.
    pub from: Value,
    /// What it becomes.
    pub to: Value,
}

/// The fields of a person that an operator sets, the claims side by side with them. No password hash is among them.
pub fn user_fields(user: &User, names: &[SignInName]) -> Map<String, Value> {
    let mut fields = members(&user.claims);
    fields.insert("username".to_owned(), user.username.as_str().into());
    fields.insert("role".to_owned(), user.role.as_str().into());
    fields.insert("state".to_owned(), user.state.as_str().into());
    fields.insert("page_locale".to_owned(), user.locale.as_deref().into());
    let aliases: Vec<&str> = names.iter().filter(|name| name.kind == NameKind::Alias).map(|name| name.name.as_str()).collect();
    fields.insert("aliases".to_owned(), aliases.into());
    fields
}

/// The fields of a client that an operator sets. No secret is among them.
pub fn client_fields(client: &Client) -> Map<String, Value> {
    let mut fields = members(&client.settings);
    for derived in ["native", "public", "rocket_chat"] {
        fields.remove(derived);
    }
    fields.insert("name".to_owned(), client.name.as_str().into());
    fields.insert("preset".to_owned(), client.preset.as_str().into());
    fields.insert("disabled".to_owned(), client.disabled.into());
    fields.insert("first_party".to_owned(), client.first_party.into());
    fields
}

/// The fields in which `before` and `after` differ, in the order of names. An absent field equals `null`.
pub fn between(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |fields: &Map<String, Value>, name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
    let changes = names.into_iter().map(|name| FieldChange { name: name.clone(), from: value(before, name), to: value(after, name) });
    changes.filter(|change| change.from != change.to).collect()
}

/// The names of the fields, as the audit trail keeps them.
pub fn names(changes: &[FieldChange]) -> String {
    changes.iter().map(|change| change.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The members of what serialises as an object.
pub fn members(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_told_and_absent_equals_null() {
        let before = members(&json!({"a": 1, "b": null, "c": "x"}));
        let after = members(&json!({"a": 2, "c": "x", "d": true}));
        let changes = between(&before, &after);
        assert_eq!(names(&changes), "a, d");
        assert_eq!((changes[0].from.clone(), changes[0].to.clone()), (json!(1), json!(2)));
        assert_eq!(changes[1].from, Value::Null);
    }
}
