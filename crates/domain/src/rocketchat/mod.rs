//! What this server knows about Rocket.Chat as a client of its own: the settings it should have, what is wrong with those it has, and what
//! becomes of a person there. Pure functions; nothing here talks to a chat.

pub mod catalogue;
mod expression;
pub mod forecast;
pub mod guide;
pub mod lint;
mod lint_client;
mod lint_provider;
mod lint_workspace;
pub mod settings;

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What every setting of a Custom OAuth provider begins with.
pub const CUSTOM: &str = "Accounts_OAuth_Custom-";

/// Roles that every Rocket.Chat has, id and name alike.
pub const BUILTIN_ROLES: [&str; 12] =
    ["admin", "user", "bot", "app", "guest", "anonymous", "livechat-agent", "livechat-manager", "moderator", "owner", "leader", "federated-external"];

/// Names that no channel may have.
pub const RESERVED_CHANNELS: [&str; 7] = ["admin", "administrator", "all", "channel", "here", "system", "user"];

/// Settings of a chat by their id.
pub type Dump = BTreeMap<String, Value>;

/// Rocket.Chat's key of a provider name: lower case, everything but `[a-z0-9_]` dropped (`addOAuthService`). Empty for a name without Latin letters.
pub fn service_key(name: &str) -> String {
    name.to_lowercase().chars().filter(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || *letter == '_').collect()
}

/// The provider name as Rocket.Chat writes it into the setting ids: the key with a capital letter.
pub fn provider_name(name: &str) -> String {
    let key = service_key(name);
    let mut letters = key.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Settings from the JSON of Rocket.Chat's REST API: `[{"_id", "value"}]`, or the whole answer with a member `settings`.
///
/// # Errors
/// What does not fit, in a sentence.
pub fn parse_dump(json: &Value) -> Result<Dump, String> {
    let list = json.get("settings").unwrap_or(json).as_array().ok_or("expected an array of settings: [{\"_id\": …, \"value\": …}]")?;
    let entry = |(index, setting): (usize, &Value)| {
        let id = setting.get("_id").and_then(Value::as_str).ok_or_else(|| format!("element {index} has no \"_id\""))?;
        Ok((id.to_owned(), setting.get("value").cloned().unwrap_or(Value::Null)))
    };
    list.iter().enumerate().map(entry).collect()
}

/// JavaScript's idea of true.
pub(crate) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// A text of a dump; empty when it is absent or no text.
pub(crate) fn text<'a>(dump: &'a Dump, id: &str) -> &'a str {
    dump.get(id).and_then(Value::as_str).unwrap_or_default()
}

/// The groups that a channel map names with their channels, each a list; `None` when the text is no JSON object.
pub(crate) fn channel_map(map: &str) -> Option<Vec<(String, Vec<String>)>> {
    let map: Map<String, Value> = serde_json::from_str(map).ok()?;
    let channels = |value: &Value| match value {
        Value::String(channel) => vec![channel.trim().to_owned()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(|channel| channel.trim().to_owned()).collect(),
        _ => Vec::new(),
    };
    Some(map.iter().map(|(group, value)| (group.clone(), channels(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_keys_and_capitalised_ids() {
        for (name, key, shown) in [("Besedka", "besedka", "Besedka"), ("My Chat!", "mychat", "Mychat"), ("Беседка", "", ""), ("a_b", "a_b", "A_b")]
        {
            assert_eq!((service_key(name).as_str(), provider_name(name).as_str()), (key, shown));
        }
    }

    #[test]
    fn a_dump_is_a_list_or_an_answer_with_one() {
        let list = serde_json::json!([{ "_id": "a", "value": 1 }]);
        assert_eq!(parse_dump(&list), parse_dump(&serde_json::json!({ "settings": list, "success": true })));
        assert!(parse_dump(&serde_json::json!({ "a": 1 })).is_err());
        assert!(parse_dump(&serde_json::json!([{ "value": 1 }])).is_err());
    }
}
