//! `users.…`.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Handled};
use super::http::Incoming;
use super::state::State;
use crate::rocketchat::{Email, User};

/// Login tokens that a user may have.
const MAX_TOKENS: usize = 50;

pub(super) fn handle(state: &mut State, request: &Incoming, endpoint: &str) -> Handled {
    match (request.method.as_str(), endpoint) {
        ("GET", "users.info") => info(state, request),
        ("GET", "users.list") => list(state, request),
        ("POST", "users.create") => create(state, request),
        ("POST", "users.update") => update(state, request),
        ("POST", "users.createToken") => create_token(state, request),
        ("POST", "users.setActiveStatus") => set_active(state, request),
        ("POST", "users.logout") => log_out(state, request),
        _ => Err(Answer::not_found()),
    }
}

pub(super) fn not_found() -> Answer {
    Answer::error("error-invalid-user", "The required \"userId\" or \"username\" param provided does not match any users")
}

/// A user as the API shows it; `services` with the ids alone, to who may see everything.
pub(super) fn shown(state: &State, user: &User, full: bool) -> Value {
    let mut shown = json!({
        "_id": user.id, "username": user.username, "name": user.name, "active": user.active, "roles": user.roles, "type": "user", "status": "offline",
    });
    if full {
        shown["emails"] = user.emails.iter().map(|email| json!({ "address": email.address, "verified": email.verified })).collect();
        if state.services_visible {
            let ids: Map<String, Value> = user.services.iter().map(|(key, data)| (key.clone(), json!({ "id": data.get("id") }))).collect();
            shown["services"] = Value::Object(ids);
        }
    }
    shown
}

fn info(state: &State, request: &Incoming) -> Handled {
    let caller = state.caller(request)?;
    let user = match (request.param("userId"), request.param("username")) {
        (None, None) => return Err(Answer::invalid_params("The required \"userId\" or \"username\" param was not provided")),
        (Some(id), _) => state.chat.workspace.users.iter().find(|user| user.id == id),
        (None, Some(username)) => state.chat.workspace.by_username(username),
    };
    let user = user.ok_or_else(|| Answer::failure("User not found."))?;
    let full = caller == user.id || state.may(&caller, "view-full-other-user-info");
    Ok(Answer::success(json!({ "user": shown(state, user, full) })))
}

fn list(state: &State, request: &Incoming) -> Handled {
    let caller = state.caller_with(request, "view-d-room")?;
    let full = state.may(&caller, "view-full-other-user-info");
    let users: Vec<Value> = state.chat.workspace.users.iter().map(|user| shown(state, user, full)).collect();
    State::page(request, "users", &users)
}

fn create(state: &mut State, request: &Incoming) -> Handled {
    state.caller_with(request, "create-user")?;
    let required =
        |name: &str| request.text(name).map(str::to_owned).ok_or_else(|| Answer::invalid_params(&format!("must have required property '{name}'")));
    let (username, name, email, password) = (required("username")?, required("name")?, required("email")?, required("password")?);
    let roles = State::strings(request, "roles")?;
    if let Some(unknown) = roles.iter().find(|role| !state.chat.workspace.roles.iter().any(|known| known.id == **role)) {
        return Err(Answer::error("error-invalid-role", &format!("Invalid role {unknown}")));
    }
    if !username.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(Answer::error("error-input-is-not-a-valid-field", &format!("{username} is not a valid username")));
    }
    refuse_taken(state, None, Some(&username), Some(&email))?;
    let flag = |name: &str, default: bool| request.body.get(name).map_or(default, |value| value == &json!(true));
    let id = state.chat.workspace.next_id();
    let user = User {
        id: id.clone(),
        username: Some(username),
        name: Some(name),
        emails: vec![Email { address: email, verified: flag("verified", false) }],
        roles: if roles.is_empty() { state.chat.workspace.default_roles.clone() } else { roles },
        active: flag("active", true),
        has_password: true,
        require_password_change: flag("requirePasswordChange", false),
        created: state.now,
        ..User::default()
    };
    if flag("joinDefaultChannels", true) {
        let defaults = state.chat.workspace.default_channels.clone();
        for room in state.chat.workspace.rooms.iter_mut().filter(|room| defaults.contains(&room.name)) {
            room.members.push(id.clone());
        }
    }
    state.passwords.insert(id, password);
    let answer = shown(state, &user, true);
    state.chat.workspace.users.push(user);
    Ok(Answer::success(json!({ "user": answer })))
}

fn update(state: &mut State, request: &Incoming) -> Handled {
    let caller = state.caller_with(request, "edit-other-user-info")?;
    state.check_second_factor(&caller, request)?;
    let index = state.user_index(request.text("userId").unwrap_or_default()).ok_or_else(not_found)?;
    let data = request.body.get("data").and_then(Value::as_object).ok_or_else(|| Answer::invalid_params("must have required property 'data'"))?;
    let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = state.chat.workspace.users[index].id.clone();
    refuse_taken(state, Some(&id), text("username").as_deref(), text("email").as_deref())?;
    let user = &mut state.chat.workspace.users[index];
    user.username = text("username").or(user.username.take());
    user.name = text("name").or(user.name.take());
    if let Some(address) = text("email") {
        user.emails = vec![Email { address, verified: data.get("verified") == Some(&json!(true)) }];
    }
    Ok(Answer::success(json!({ "user": shown(state, &state.chat.workspace.users[index], true) })))
}

/// Up to 7.x by the environment alone; from 8.0 with its secret; from 8.7 with a permission, too. Without the variable a missing secret
/// would match in the real one; here a chat without it refuses.
fn create_token(state: &mut State, request: &Incoming) -> Handled {
    let caller = state.caller(request)?;
    let refused = || Answer::error("error-not-authorized", "Not authorized");
    let allowed = match state.edition.version {
        (..=7, _) => state.create_tokens,
        _ => state.create_tokens_secret.is_some() && state.create_tokens_secret.as_deref() == request.text("secret"),
    };
    if !allowed || (state.edition.version >= (8, 7) && !state.may(&caller, "user-generate-access-token")) {
        return Err(refused());
    }
    let user = request.text("userId").ok_or_else(|| Answer::invalid_params("must have required property 'userId'"))?.to_owned();
    let index = state.user_index(&user).ok_or_else(not_found)?;
    if !state.chat.workspace.users[index].active {
        return Err(Answer::error("error-user-is-not-activated", "User is not activated"));
    }
    if state.tokens.iter().filter(|token| token.user == user).count() >= MAX_TOKENS {
        let oldest = state.tokens.iter().position(|token| token.user == user);
        oldest.map(|oldest| state.tokens.remove(oldest));
    }
    let token = state.token_of(&user);
    Ok(Answer::success(json!({ "data": { "userId": user, "authToken": token } })))
}

fn set_active(state: &mut State, request: &Incoming) -> Handled {
    state.caller_with(request, "edit-other-user-active-status")?;
    let active = request.body["activeStatus"].as_bool().ok_or_else(|| Answer::invalid_params("must have required property 'activeStatus'"))?;
    let id = request.text("userId").unwrap_or_default().to_owned();
    let index = state.user_index(&id).ok_or_else(not_found)?;
    if !active && state.admins().len() == 1 && state.admins().contains(id.as_str()) {
        return Err(Answer::error("error-action-not-allowed", "Leaving the app without an active admin is not allowed"));
    }
    let username = state.chat.workspace.users[index].username.clone().unwrap_or_default();
    let owns = state.chat.workspace.rooms.iter().any(|room| room.owner == username);
    if !active && owns && request.body["confirmRelinquish"] != json!(true) {
        return Err(Answer::error("user-last-owner", "To deactivate the last owner confirm it"));
    }
    state.chat.workspace.users[index].active = active;
    if !active {
        state.tokens.retain(|token| token.user != id);
    }
    Ok(Answer::success(json!({ "user": { "_id": id, "active": active } })))
}

fn log_out(state: &mut State, request: &Incoming) -> Handled {
    let caller = state.caller(request)?;
    let id = request.text("userId").unwrap_or(&caller).to_owned();
    if id != caller && !state.may(&caller, "logout-other-user") {
        return Err(Answer::forbidden());
    }
    state.user_index(&id).ok_or_else(not_found)?;
    state.tokens.retain(|token| token.user != id);
    Ok(Answer::success(json!({ "message": format!("User {id} has been logged out!") })))
}

fn refuse_taken(state: &State, except: Option<&str>, username: Option<&str>, email: Option<&str>) -> Result<(), Answer> {
    for user in state.chat.workspace.users.iter().filter(|user| Some(user.id.as_str()) != except) {
        let same_name = username.is_some_and(|name| user.username.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(name)));
        let same_mail = email.is_some_and(|address| user.emails.iter().any(|known| known.address.eq_ignore_ascii_case(address)));
        if same_name || same_mail {
            let taken = if same_name { username } else { email }.unwrap_or_default();
            return Err(Answer::error("error-field-unavailable", &format!("{taken} is already in use :(")));
        }
    }
    Ok(())
}
