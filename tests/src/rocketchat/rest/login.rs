//! `login`, `logout` and `me`.

use serde_json::{Value, json};

use super::answer::{Answer, Handled};
use super::http::Incoming;
use super::state::{State, sha256_hex};
use super::users;
use crate::rocketchat::{Generation, Login, Wire};

/// `POST /api/v1/login`: with a password, a login token (`resume`), or an access token of the provider (legacy flow only).
pub(super) fn log_in(state: &mut State, request: &Incoming) -> Handled {
    if let Some(token) = request.text("resume") {
        let known = state.tokens.iter().find(|known| known.token == token).map(|known| known.user.clone());
        return known.map_or_else(|| Err(refused("Unauthorized")), |user| Ok(answer_with(state, &user, token)));
    }
    if let Some(service) = request.text("serviceName") {
        return with_access_token(state, request, service);
    }
    with_password(state, request)
}

/// `POST /api/v1/logout`: ends the presented token alone.
pub(super) fn log_out(state: &mut State, request: &Incoming) -> Handled {
    state.caller(request)?;
    let token = request.headers.get("x-auth-token").cloned().unwrap_or_default();
    state.tokens.retain(|known| known.token != token);
    Ok(Answer::json(200, &json!({ "status": "success", "data": { "message": "You've been logged out!" } })))
}

/// `GET /api/v1/me`.
pub(super) fn me(state: &mut State, request: &Incoming) -> Handled {
    let caller = state.caller(request)?;
    Ok(Answer::success(users::shown(state, state.chat.workspace.user(&caller), true)))
}

fn with_password(state: &mut State, request: &Incoming) -> Handled {
    let name = request.text("user").or_else(|| request.text("username")).or_else(|| request.text("email"));
    let wrong = || refused("Unauthorized");
    let name = name.ok_or_else(wrong)?;
    let users = &state.chat.workspace.users;
    let by_email = |user: &&crate::rocketchat::User| user.emails.iter().any(|email| email.address.eq_ignore_ascii_case(name));
    let found = state.chat.workspace.by_username(name).or_else(|| users.iter().find(by_email)).ok_or_else(wrong)?;
    let (id, active) = (found.id.clone(), found.active);
    let known = state.passwords.get(&id).ok_or_else(wrong)?;
    let right = match &request.body["password"] {
        Value::String(password) => password == known,
        Value::Object(digest) => digest.get("digest").and_then(Value::as_str) == Some(sha256_hex(known).as_str()),
        _ => false,
    };
    if !right {
        return Err(wrong());
    }
    if !active {
        return Err(refused("error-user-is-not-activated"));
    }
    // The password itself is no second factor of a login by password.
    if let Some("totp") = state.second_factor_of(&id) {
        match request.text("code") {
            None => return Err(Answer::second_factor(401, "totp-required", "totp")),
            Some(code) if !state.is_code(&id, "totp", code) => return Err(Answer::second_factor(401, "totp-invalid", "totp")),
            Some(_) => {}
        }
    }
    let token = state.token_of(&id);
    Ok(answer_with(state, &id, &token))
}

/// `{"serviceName", "accessToken", "expiresIn"}`: the chat asks the identity endpoint, whoever the token was for.
fn with_access_token(state: &mut State, request: &Incoming, service: &str) -> Handled {
    if state.chat.profile.generation() == Generation::Modern || service != state.chat.config.key() {
        return Err(refused("Unauthorized"));
    }
    let (Some(token), Some(expires_in)) = (request.text("accessToken"), request.body["expiresIn"].as_u64()) else {
        return Err(refused("Match failed [400]"));
    };
    let now = state.now;
    match state.chat.rest_login(token, expires_in, &mut Wire, now) {
        Login::In { user, .. } | Login::NeedsUsername { user } => {
            let token = state.token_of(&user);
            Ok(answer_with(state, &user, &token))
        }
        Login::NeedsSecondFactor { method, .. } => Err(Answer::second_factor(401, "totp-required", method)),
        Login::Refused(message) => Err(refused(&message)),
    }
}

fn answer_with(state: &State, user: &str, token: &str) -> Answer {
    let me = users::shown(state, state.chat.workspace.user(user), true);
    Answer::json(200, &json!({ "status": "success", "data": { "userId": user, "authToken": token, "me": me } }))
}

fn refused(message: &str) -> Answer {
    Answer::json(401, &json!({ "status": "error", "error": message, "message": message }))
}
