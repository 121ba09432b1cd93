//! `roles.list`, `roles.addUserToRole`, `roles.removeUserFromRole`.

use serde_json::{Value, json};

use super::answer::{Answer, Handled};
use super::http::Incoming;
use super::state::State;
use super::users;

pub(super) fn handle(state: &mut State, request: &Incoming, endpoint: &str) -> Handled {
    match (request.method.as_str(), endpoint) {
        ("GET", "roles.list") => list(state, request),
        ("POST", "roles.addUserToRole") => add(state, request),
        ("POST", "roles.removeUserFromRole") => remove(state, request),
        _ => Err(Answer::not_found()),
    }
}

fn list(state: &State, request: &Incoming) -> Handled {
    state.caller(request)?;
    let role = |role: &crate::rocketchat::Role| json!({ "_id": role.id, "name": role.name, "scope": "Users", "protected": role.id == role.name });
    let roles: Vec<Value> = state.chat.workspace.roles.iter().map(role).collect();
    Ok(Answer::success(json!({ "roles": roles })))
}

fn add(state: &mut State, request: &Incoming) -> Handled {
    let (user, role) = judge(state, request)?;
    let roles = &mut state.chat.workspace.users[user].roles;
    if roles.contains(&role) {
        return Err(Answer::error("error-user-already-in-role", "User already in role"));
    }
    roles.push(role.clone());
    Ok(Answer::success(json!({ "role": { "_id": role } })))
}

fn remove(state: &mut State, request: &Incoming) -> Handled {
    let (user, role) = judge(state, request)?;
    let last_admin = role == "admin" && state.admins().len() == 1;
    let roles = &mut state.chat.workspace.users[user].roles;
    if !roles.contains(&role) {
        return Err(Answer::error("error-user-not-in-role", "User is not in this role"));
    }
    if last_admin {
        return Err(Answer::error("error-admin-required", "You need to have at least one admin"));
    }
    roles.retain(|known| *known != role);
    Ok(Answer::success(json!({ "role": { "_id": role } })))
}

/// Caller, person and role. Up to 7.x the role may be named (`roleName`); from 8.0 only its id (`roleId`) is taken.
fn judge(state: &State, request: &Incoming) -> Result<(usize, String), Answer> {
    let caller = state.caller_with(request, "access-permissions")?;
    let username = request.text("username").ok_or_else(|| Answer::invalid_params("must have required property 'username'"))?;
    let by_name = request.text("roleName").filter(|_| state.edition.version.0 < 8);
    let wanted = request.text("roleId").or(by_name).ok_or_else(|| Answer::invalid_params("must have required property 'roleId'"))?;
    let mut roles = state.chat.workspace.roles.iter();
    let role = roles.find(|role| role.id == wanted || (by_name.is_some() && role.name == wanted));
    let role = role.ok_or_else(|| Answer::error("error-invalid-role-properties", "The role properties are invalid."))?;
    if role.id == "admin" && !state.may(&caller, "assign-admin-role") {
        return Err(Answer::error("error-action-not-allowed", "Assigning admin is not allowed"));
    }
    let user = state.chat.workspace.by_username(username).ok_or_else(users::not_found)?;
    let index = state.user_index(&user.id).ok_or_else(users::not_found)?;
    Ok((index, role.id.clone()))
}
