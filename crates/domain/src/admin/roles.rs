//! Roles of the site, and the maps from them to what clients are told.

use super::changed_meanwhile;
use crate::cause::Cause;
use crate::chat;
use crate::context::{Audit, Cx};
use crate::error::{Refusal, Result};
use crate::roles::{ROLES, RoleMap, is_valid_role};
use crate::store::Store;

/// People looked at in one go while a role is checked for use.
const PAGE: i64 = 500;

/// Gives a new database the roles owner, moderator and user and the two maps. A database that has any role is left as
/// it is, so that what an operator removed stays removed. True when something was written.
pub fn ensure_defaults(cx: &mut Cx<'_>) -> Result<bool> {
    cx.store.take_turn()?;
    if !cx.store.list_roles()?.is_empty() {
        return Ok(false);
    }
    for role in ROLES {
        cx.store.insert_role(role)?;
    }
    let existing = cx.store.list_role_maps()?;
    for map in RoleMap::defaults() {
        if existing.iter().all(|known| known.name != map.name) {
            cx.store.put_role_map(&map)?;
        }
    }
    Ok(true)
}

/// Adds a role of the site; false when it exists.
pub fn add_role(cx: &mut Cx<'_>, role: &str) -> Result<bool> {
    cx.store.take_turn()?;
    if !is_valid_role(role) {
        let refusal = Refusal::invalid_request("A role cannot have this name", Cause::InvalidName);
        return Err(refusal.expected("1 to 64 characters of A-Z, a-z, 0-9, dot, underscore and hyphen").received(role).into());
    }
    if !cx.store.insert_role(role)? {
        return Ok(false);
    }
    cx.audit(Audit::of("role_added").detail(role))?;
    Ok(true)
}

/// Removes a role of the site that nobody has.
pub fn remove_role(cx: &mut Cx<'_>, role: &str) -> Result<()> {
    cx.store.take_turn()?;
    must_exist(cx.store, role)?;
    if let Some(username) = someone_with(cx.store, role)? {
        let refusal = Refusal::invalid_request("Somebody has this role", Cause::InUse);
        return Err(refusal.received(role).expected("a role that nobody has").fix(format!("propusk user set {username} --role ROLE")).into());
    }
    if !cx.store.delete_role(role)? {
        return Err(changed_meanwhile("the role"));
    }
    Ok(cx.audit(Audit::of("role_removed").detail(role))?)
}

/// Adds a role map or replaces the one of that name; false when it was there in this form already.
pub fn put_role_map(cx: &mut Cx<'_>, map: &RoleMap) -> Result<bool> {
    cx.store.take_turn()?;
    check_map(map, &cx.store.list_roles()?)?;
    let before = cx.store.list_role_maps()?.into_iter().find(|known| known.name == map.name);
    if before.as_ref() == Some(map) {
        return Ok(false);
    }
    cx.store.put_role_map(map)?;
    chat::map_changed(cx, &map.name, &before.unwrap_or_default())?;
    cx.audit(Audit::of("role_map_changed").detail(map.name.as_str()))?;
    Ok(true)
}

/// Removes a role map that no client uses.
pub fn remove_role_map(cx: &mut Cx<'_>, name: &str) -> Result<()> {
    cx.store.take_turn()?;
    map_must_exist(cx.store, name)?;
    if let Some(client) = cx.store.list_clients()?.into_iter().find(|client| client.settings.role_map == name) {
        let refusal = Refusal::invalid_request("A client uses this role map", Cause::InUse).received(name);
        return Err(refusal.client(&client.client_id).fix(format!("propusk client set {} --role-map NAME", client.client_id)).into());
    }
    if !cx.store.delete_role_map(name)? {
        return Err(changed_meanwhile("the role map"));
    }
    Ok(cx.audit(Audit::of("role_map_removed").detail(name))?)
}

/// Refuses a role that the site does not have, and says which it has.
pub fn must_exist(store: &mut dyn Store, role: &str) -> Result<()> {
    let roles = store.list_roles()?;
    if roles.iter().any(|known| known == role) {
        return Ok(());
    }
    Err(unknown_role(role, &roles).into())
}

/// Refuses a role map that does not exist, and says which do.
pub fn map_must_exist(store: &mut dyn Store, name: &str) -> Result<()> {
    let maps: Vec<String> = store.list_role_maps()?.into_iter().map(|map| map.name).collect();
    if maps.iter().any(|known| known == name) {
        return Ok(());
    }
    let refusal = Refusal::invalid_request("There is no such role map", Cause::UnknownRoleMap);
    Err(refusal.expected(format!("one of {}", maps.join(", "))).received(name).into())
}

/// Refuses a map with a bad name, a value that its readers would tear apart, or a role that is none of `roles`.
pub(super) fn check_map(map: &RoleMap, roles: &[String]) -> Result<(), Refusal> {
    if !is_valid_role(&map.name) {
        let refusal = Refusal::invalid_request("A role map cannot have this name", Cause::InvalidName);
        return Err(refusal.expected("1 to 64 characters of A-Z, a-z, 0-9, dot, underscore and hyphen").received(&map.name));
    }
    map.check()?;
    if map.identity && !map.roles.is_empty() {
        let refusal = Refusal::invalid_request("An identity map has no roles of its own", Cause::InvalidSetting);
        return Err(refusal.expected("identity = true, or roles").received(&map.name));
    }
    let stranger = map.roles.keys().chain(map.groups.keys()).find(|role| !roles.contains(role));
    stranger.map_or(Ok(()), |role| Err(unknown_role(role, roles)))
}

pub(super) fn unknown_role(role: &str, roles: &[String]) -> Refusal {
    Refusal::invalid_request("There is no such role", Cause::UnknownRole).expected(format!("one of {}", roles.join(", "))).received(role)
}

fn someone_with(store: &mut dyn Store, role: &str) -> Result<Option<String>> {
    let mut after = None::<String>;
    loop {
        let people = store.list_users(after.as_deref(), None, PAGE)?;
        let Some(last) = people.last() else { return Ok(None) };
        after = Some(last.username.clone());
        if let Some(user) = people.iter().find(|user| user.role == role) {
            return Ok(Some(user.username.clone()));
        }
    }
}
