//! From the identity answer to the fields of a Rocket.Chat user.

use serde_json::{Map, Value};

use super::config::Config;
use super::pattern::Pattern;

/// The identity as Rocket.Chat stores it: `id`, `email`, `username`, `name` and `avatarUrl` derived, dots in names replaced.
///
/// # Errors
/// A configured user name or e-mail field that yields nothing ends the login.
pub fn normalize_identity(config: &Config, identity: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut identity = normalize_id(identity);
    if !truthy_member(&identity, "email") {
        let first = identity.get("emails").and_then(|emails| emails.get(0)).and_then(|email| email.get("address")).cloned();
        if let Some(address) = first {
            identity.insert("email".into(), address);
        }
    }
    if !config.username_field.is_empty() {
        let username = required(&config.username_field, &identity, "username")?;
        identity.insert("username".into(), username);
    }
    if !config.email_field.is_empty() {
        let email = required(&config.email_field, &identity, "email")?;
        identity.insert("email".into(), email);
    }
    if !config.avatar_field.is_empty()
        && let Some(avatar) = from_template(&config.avatar_field, &identity)
    {
        identity.insert("avatarUrl".into(), avatar);
    }
    if let Some(name) = name(config, &identity) {
        identity.insert("name".into(), name);
    }
    Ok(rename_dots(identity))
}

/// A field setting: a dotted path, or text with `{{path}}` and `{{/regex/::path}}` placeholders. `None` when it is empty in the sense of
/// JavaScript; a missing placeholder becomes the text `undefined`.
pub fn from_template(template: &str, identity: &Map<String, Value>) -> Option<Value> {
    if !template.contains("{{") {
        return path(identity, template).filter(|value| truthy(value)).cloned();
    }
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((placeholder, after)) = after.split_once("}}") else { break };
        text.push_str(before);
        text.push_str(&placeholder_value(placeholder, identity).unwrap_or_else(|| "undefined".into()));
        rest = after;
    }
    text.push_str(rest);
    (!text.is_empty()).then_some(Value::from(text))
}

/// JavaScript's idea of true.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// JavaScript's `String(value)`, near enough for scalars.
pub fn js_string(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => "[object Object]".into(),
        Value::Array(items) => items.iter().map(js_string).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A member by dotted path; numbers index arrays.
pub fn path<'a>(identity: &'a Map<String, Value>, dotted: &str) -> Option<&'a Value> {
    let mut names = dotted.split('.');
    let mut value = identity.get(names.next()?)?;
    for name in names {
        value = match value {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
            other => other.get(name)?,
        };
    }
    Some(value)
}

/// The id rules in Rocket.Chat's order: each fires only while `id` is still empty.
fn normalize_id(identity: Map<String, Value>) -> Map<String, Value> {
    let mut identity = identity;
    take_id(&mut identity, "_id", &[]);
    if let Some(Value::Object(result)) = identity.get("result") {
        identity = result.clone();
    }
    take_id(&mut identity, "ID", &[]);
    take_id(&mut identity, "user_id", &[]);
    take_id(&mut identity, "CharacterID", &[]);
    take_id(&mut identity, "user.userid_sec.0", &[("email", "user.email")]);
    take_id(&mut identity, "user.userid", &[("email", "user.email")]);
    take_id(&mut identity, "user.user_id", &[("email", "user.user_email")]);
    take_id(&mut identity, "phid", &[]);
    take_id(&mut identity, "sub", &[]);
    take_id(&mut identity, "metadata.uid", &[("name", "fullName")]);
    take_id(&mut identity, "userid", &[]);
    take_id(&mut identity, "ocs.data.id", &[("name", "ocs.data.displayname"), ("email", "ocs.data.email")]);
    identity
}

fn take_id(identity: &mut Map<String, Value>, source: &str, with: &[(&str, &str)]) {
    if truthy_member(identity, "id") {
        return;
    }
    let Some(id) = path(identity, source).filter(|value| truthy(value)).cloned() else { return };
    identity.insert("id".into(), id);
    for (target, source) in with {
        match path(identity, source).cloned() {
            Some(value) => identity.insert((*target).into(), value),
            None => identity.remove(*target),
        };
    }
}

fn required(field: &str, identity: &Map<String, Value>, what: &str) -> Result<Value, String> {
    from_template(field, identity).ok_or_else(|| format!("CustomOAuth: Failed to extract {what}"))
}

fn name(config: &Config, identity: &Map<String, Value>) -> Option<Value> {
    let configured = if config.name_field.is_empty() { None } else { from_template(&config.name_field, identity) };
    let fallbacks = ["name", "username", "nickname", "CharacterName", "userName", "preferred_username", "user.name"];
    configured.or_else(|| fallbacks.iter().filter_map(|field| path(identity, field)).find(|value| truthy(value)).cloned())
}

fn placeholder_value(placeholder: &str, identity: &Map<String, Value>) -> Option<String> {
    let expression = placeholder.strip_prefix('/').and_then(|rest| rest.rsplit_once("/::"));
    match expression {
        Some((expression, field)) => {
            let value = js_string(path(identity, field)?);
            Pattern::parse(expression).ok()?.first_capture(&value)
        }
        None => path(identity, placeholder).filter(|value| !value.is_null()).map(js_string),
    }
}

/// Mongo had no dots in names: every `.` becomes `_`, at every depth.
fn rename_dots(object: Map<String, Value>) -> Map<String, Value> {
    object.into_iter().map(|(name, value)| (name.replace('.', "_"), rename_dots_in(value))).collect()
}

fn rename_dots_in(value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(rename_dots(object)),
        Value::Array(items) => Value::Array(items.into_iter().map(rename_dots_in).collect()),
        other => other,
    }
}

fn truthy_member(object: &Map<String, Value>, name: &str) -> bool {
    object.get(name).is_some_and(truthy)
}
