//! Which function answers which path.

use serde_json::json;

use super::answer::{Answer, Handled};
use super::faults::Rule;
use super::http::{Incoming, Outcome};
use super::state::{Call, State};
use super::{front, login, roles, rooms, settings, users};

/// Handles a request with whatever fault is due, and writes it into the list of calls if it is one of the API.
pub(super) fn handle(state: &mut State, request: &Incoming) -> Outcome {
    let is_page = !request.path.starts_with("/api/");
    let endpoint = request.path.strip_prefix("/api/v1/").unwrap_or(&request.path).to_owned();
    let meets = |rule: &Rule| endpoint.starts_with(&rule.endpoint) && (!is_page || rule.endpoint.starts_with('/'));
    let due = state.faults.iter_mut().find(|rule| rule.left > 0 && meets(rule));
    let fault = due.map(|rule| {
        rule.left -= 1;
        rule.fault.clone()
    });
    let outcome = if let Some(outcome) = fault.as_ref().and_then(|fault| fault.instead(state.now)) {
        outcome
    } else {
        let answer = if is_page { front::handle(state, request) } else { dispatch(state, request, &endpoint).unwrap_or_else(|refusal| refusal) };
        fault.map_or(Outcome::Answer(answer.clone()), |fault| fault.after(answer))
    };
    if is_page {
        return outcome;
    }
    let status = match &outcome {
        Outcome::Answer(answer) | Outcome::Late(_, answer) | Outcome::Held(_, answer) => answer.status,
        Outcome::Bytes(_) | Outcome::Close | Outcome::Silence => 0,
    };
    state.calls.push(Call { method: request.method.clone(), endpoint, body: request.body.clone(), status });
    outcome
}

fn dispatch(state: &mut State, request: &Incoming, endpoint: &str) -> Handled {
    match (request.method.as_str(), endpoint) {
        ("GET", "/api/info") => {
            let (major, minor) = state.edition.version;
            Ok(Answer::success(json!({ "version": format!("{major}.{minor}") })))
        }
        ("POST", "login") => login::log_in(state, request),
        ("POST", "logout") => login::log_out(state, request),
        ("GET", "me") => login::me(state, request),
        (_, "settings") => settings::all(state, request),
        ("GET", "settings.oauth") => Ok(settings::oauth(state)),
        ("GET", "settings.public") => settings::public(state, request),
        ("POST", "settings.addCustomOAuth") => settings::add_custom(state, request),
        (_, endpoint) if endpoint.starts_with("settings/") => settings::one(state, request, endpoint.trim_start_matches("settings/")),
        (_, endpoint) if endpoint.starts_with("users.") => users::handle(state, request, endpoint),
        (_, endpoint) if endpoint.starts_with("roles.") => roles::handle(state, request, endpoint),
        (_, endpoint) if endpoint.starts_with("channels.") || endpoint.starts_with("groups.") => rooms::handle(state, request, endpoint),
        _ => Err(Answer::not_found()),
    }
}
