//! `settings`, `settings/:id`, `settings.public`, `settings.oauth` and `settings.addCustomOAuth`.

use serde_json::{Value, json};

use super::answer::{Answer, Handled};
use super::http::Incoming;
use super::state::State;
use super::{catalogue, provider};
use crate::rocketchat::config::service_key;

/// `GET settings` (`view-privileged-setting`) and, from 8.6, `POST settings` with many at once.
pub(super) fn all(state: &mut State, request: &Incoming) -> Handled {
    if request.method == "GET" {
        state.caller_with(request, "view-privileged-setting")?;
        let items: Vec<Value> = state.settings.iter().map(|(id, value)| json!({ "_id": id, "value": seen(state, id, value) })).collect();
        return State::page(request, "settings", &items);
    }
    if request.method != "POST" || state.edition.version < (8, 6) {
        return Err(Answer::not_found());
    }
    may_edit(state, request)?;
    let settings = request.body["settings"].as_array().ok_or_else(|| Answer::invalid_params("must have required property 'settings'"))?;
    let mut changes = Vec::new();
    for setting in settings {
        let id = setting["_id"].as_str().ok_or_else(|| Answer::invalid_params("must have required property '_id'"))?;
        let value = setting.get("value").ok_or_else(|| Answer::invalid_params("must have required property 'value'"))?;
        changes.push((id.to_owned(), checked(state, id, value)?));
    }
    for (id, value) in changes {
        store(state, &id, value);
    }
    Ok(Answer::success(json!({})))
}

/// `GET settings/:id` (`view-privileged-setting`), `POST settings/:id {"value"}` (`edit-privileged-setting`, second factor).
pub(super) fn one(state: &mut State, request: &Incoming, id: &str) -> Handled {
    match request.method.as_str() {
        "GET" => {
            state.caller_with(request, "view-privileged-setting")?;
            let value = state.settings.get(id).ok_or_else(Answer::not_found)?;
            Ok(Answer::success(json!({ "_id": id, "value": seen(state, id, value) })))
        }
        "POST" => {
            may_edit(state, request)?;
            let value = request.body.get("value").ok_or_else(|| Answer::invalid_params("must have required property 'value'"))?;
            let value = checked(state, id, value)?;
            store(state, id, value);
            Ok(Answer::success(json!({})))
        }
        _ => Err(Answer::not_found()),
    }
}

/// `GET settings.oauth`: everything but the secrets, to everybody.
pub(super) fn oauth(state: &State) -> Answer {
    let services: Vec<Value> = provider::services(state).iter().map(|(key, name)| provider::shown(state, key, name)).collect();
    Answer::success(json!({ "services": services }))
}

/// `GET settings.public`: in pages, to everybody.
pub(super) fn public(state: &State, request: &Incoming) -> Handled {
    let wanted = request.param("_id").map(|ids| ids.split(',').collect::<Vec<_>>());
    let shown = catalogue::PUBLIC.iter().filter(|id| wanted.as_ref().is_none_or(|wanted| wanted.contains(id)));
    let items: Vec<Value> = shown.filter_map(|id| Some(json!({ "_id": id, "value": state.settings.get(*id)? }))).collect();
    State::page(request, "settings", &items)
}

/// `POST settings.addCustomOAuth {"name"}` (`add-oauth-service`, second factor): registers what is not registered yet.
pub(super) fn add_custom(state: &mut State, request: &Incoming) -> Handled {
    let caller = state.caller(request)?;
    state.check_second_factor(&caller, request)?;
    let name = request.text("name").ok_or_else(|| Answer::error("error-name-param-not-provided", "The parameter \"name\" is required"))?;
    let licence_missing = state.edition.version.0 >= 9 && !state.edition.licensed;
    if licence_missing || !state.may(&caller, "add-oauth-service") {
        return Err(Answer::error("error-action-not-allowed", "Adding OAuth Services is not allowed"));
    }
    let key = service_key(name);
    let mut letters = key.chars();
    let Some(first) = letters.next() else { return Err(Answer::error("error-invalid-name", "Invalid name")) };
    state.register_provider(&format!("{}{}", first.to_ascii_uppercase(), letters.as_str()));
    Ok(Answer::success(json!({})))
}

fn may_edit(state: &mut State, request: &Incoming) -> Result<(), Answer> {
    let caller = state.caller_with(request, "edit-privileged-setting")?;
    state.check_second_factor(&caller, request)
}

/// The value as this setting may hold it: known id, same type, one of the choices.
fn checked(state: &State, id: &str, value: &Value) -> Result<Value, Answer> {
    let known = state.settings.get(id).ok_or_else(|| Answer::failure("Invalid setting"))?;
    if std::mem::discriminant(known) != std::mem::discriminant(value) {
        return Err(Answer::error("error-invalid-setting-value", &format!("Invalid setting value for {id}")));
    }
    let allowed = catalogue::choices(id).is_none_or(|choices| value.as_str().is_some_and(|value| choices.contains(&value)));
    if allowed { Ok(value.clone()) } else { Err(Answer::error("error-invalid-setting-value", &format!("Invalid setting value for {id}"))) }
}

/// What the licence forbids is taken and has no effect.
fn store(state: &mut State, id: &str, value: Value) {
    state.settings.insert(id.to_owned(), value);
    provider::refresh(state);
}

fn seen(state: &State, id: &str, value: &Value) -> Value {
    if catalogue::needs_licence(state.edition, id) { Value::Bool(false) } else { value.clone() }
}
