//! Brings the database into the state that a [`Declaration`] describes; doing it again changes nothing.

use super::declaration::{ClientEntry, Declaration, Material, RoleMapEntry, UserEntry};
use super::diff::{self, FieldChange};
use super::{RolledBack, clients, roles, users};
use crate::cause::Cause;
use crate::client::{IDENTITY_MAP, ROCKET_CHAT_MAP};
use crate::client_auth::diagnose_secret;
use crate::context::Cx;
use crate::error::{Error, Fault, Refusal, Result};
use crate::roles::RoleMap;
use crate::user::{User, UserState, name_key};
use propusk_crypto::Secret;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::convert::Infallible;

/// How one thing differs from what the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What kind of thing.
    pub kind: Kind,
    /// Its username, client id or name.
    pub id: String,
    /// What happens to it.
    pub action: Action,
    /// The fields that change; empty for what is removed or unchanged.
    pub fields: Vec<FieldChange>,
}

/// What a file declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A role of the site.
    Role,
    /// A role map.
    RoleMap,
    /// A person.
    User,
    /// A client.
    Client,
}

impl Kind {
    /// The name in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::RoleMap => "role map",
            Self::User => "user",
            Self::Client => "client",
        }
    }
}

/// What happens to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It comes into being.
    Create,
    /// Some fields change.
    Change,
    /// It goes, because the file does not name it and pruning was asked for.
    Remove,
    /// Nothing.
    Unchanged,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Applied {
    /// What differed, unchanged things included.
    pub differences: Vec<Difference>,
    /// (client id, secret) of the secrets that were generated: told here and never again.
    pub secrets: Vec<(String, Secret)>,
}

/// What [`execute`] would do, found out by doing it, so that a plan is refused for whatever the deed is refused for. The answer is
/// carried in a fault, which rolls everything back.
#[derive(Debug, thiserror::Error)]
#[error("this was a rehearsal")]
pub struct Rehearsed(pub Vec<Difference>);

impl Rehearsed {
    /// Does it, and ends in a fault always.
    pub fn play(cx: &mut Cx<'_>, wanted: &Declaration, material: &Material, prune: bool) -> Result<Infallible> {
        let applied = execute(cx, wanted, material, prune)?;
        Err(Fault::broken(Self(applied.differences)).into())
    }

    /// What it carries; any other error as it was.
    pub fn differences(error: Error) -> Result<Vec<Difference>> {
        match error {
            Error::Fault(Fault { passing, source }) => match source.downcast::<Self>() {
                Ok(rehearsed) => Ok(rehearsed.0),
                Err(source) => Err(Error::Fault(Fault { passing, source })),
            },
            refused @ Error::Refused(_) => Err(refused),
        }
    }
}

/// What differs from the file, in the order in which [`execute`] works. Writes nothing. With `prune`, what a section that
/// is present does not name is removed; the two built-in role maps stay, because the presets name them.
fn plan(cx: &mut Cx<'_>, wanted: &Declaration, maps: &[RoleMap], material: &Material, prune: bool) -> Result<Vec<Difference>> {
    check_references(cx, wanted, maps)?;
    let mut removals = Vec::new();
    if prune {
        plan_removals(cx, wanted, &mut removals)?;
    }
    // People and clients that go make way for the names of those that come; roles and maps wait until nobody uses them.
    let (mut differences, last): (Vec<_>, Vec<_>) = removals.into_iter().partition(|removal| matches!(removal.kind, Kind::Client | Kind::User));
    plan_roles(cx, wanted, maps, &mut differences)?;
    for entry in wanted.users.iter().flatten() {
        differences.push(plan_user(cx, entry, material)?);
    }
    for entry in wanted.clients.iter().flatten() {
        differences.push(plan_client(cx, entry, material)?);
    }
    differences.extend(last);
    Ok(differences)
}

/// Makes it so. A refusal comes back as a fault that carries it ([`RolledBack`]), so that all changes stand or none.
pub fn execute(cx: &mut Cx<'_>, wanted: &Declaration, material: &Material, prune: bool) -> Result<Applied> {
    all_of_it(cx, wanted, material, prune).map_err(RolledBack::wrap)
}

fn all_of_it(cx: &mut Cx<'_>, wanted: &Declaration, material: &Material, prune: bool) -> Result<Applied> {
    cx.store.take_turn()?;
    let known = cx.store.list_role_maps()?;
    let over = |(name, entry): (&String, &RoleMapEntry)| entry.over(known.iter().find(|map| map.name == *name), name, prune);
    let maps: Vec<RoleMap> = wanted.role_maps.iter().flatten().map(over).collect();
    let mut applied = Applied { differences: plan(cx, wanted, &maps, material, prune)?, secrets: Vec::new() };
    for difference in &applied.differences {
        applied.secrets.extend(carry_out(cx, wanted, &maps, material, difference)?);
    }
    Ok(applied)
}

/// The client and its secret, when one was generated.
fn carry_out(
    cx: &mut Cx<'_>,
    wanted: &Declaration,
    maps: &[RoleMap],
    material: &Material,
    difference: &Difference,
) -> Result<Option<(String, Secret)>> {
    let id = difference.id.as_str();
    match (difference.kind, difference.action) {
        (_, Action::Unchanged) => {}
        (Kind::Role, Action::Create | Action::Change) => _ = roles::add_role(cx, id)?,
        (Kind::Role, Action::Remove) => roles::remove_role(cx, id)?,
        (Kind::RoleMap, Action::Create | Action::Change) => {
            roles::put_role_map(cx, maps.iter().find(|map| map.name == id).ok_or_else(|| lost(id))?)?;
        }
        (Kind::RoleMap, Action::Remove) => roles::remove_role_map(cx, id)?,
        (Kind::User, Action::Create | Action::Change) => {
            let entry = wanted.users.iter().flatten().find(|entry| entry.username == id).ok_or_else(|| lost(id))?;
            carry_out_user(cx, entry, material)?;
        }
        (Kind::User, Action::Remove) => {
            let user = users::find(cx.store, id)?;
            users::remove(cx, &user.sub)?;
        }
        (Kind::Client, Action::Create | Action::Change) => {
            let entry = wanted.clients.iter().flatten().find(|entry| entry.client_id == id).ok_or_else(|| lost(id))?;
            return Ok(carry_out_client(cx, entry, material)?.map(|secret| (id.to_owned(), secret)));
        }
        (Kind::Client, Action::Remove) => _ = clients::remove(cx, id)?,
    }
    Ok(None)
}

fn carry_out_user(cx: &mut Cx<'_>, entry: &UserEntry, material: &Material) -> Result<()> {
    let sub = match find_by_username(cx, &entry.username)? {
        None => users::add(cx, entry.new_user(material))?.sub,
        Some(user) => {
            users::set(cx, &user.sub, &entry.patch())?;
            if let Some(password) = material.passwords.get(&entry.username).filter(|password| !password.only_for_new) {
                users::set_password(cx, &user.sub, password.hash.clone())?;
            }
            user.sub
        }
    };
    match entry.disabled {
        Some(true) => _ = users::disable(cx, &sub)?,
        Some(false) => _ = users::enable(cx, &sub)?,
        None => {}
    }
    Ok(())
}

/// The secret, when one was generated.
fn carry_out_client(cx: &mut Cx<'_>, entry: &ClientEntry, material: &Material) -> Result<Option<Secret>> {
    let given = material.secrets.get(&entry.client_id);
    if cx.store.find_client(&entry.client_id)?.is_none() {
        let (_, secret) = clients::add(cx, &entry.new_client(material))?;
        return Ok(secret.filter(|_| given.is_none()));
    }
    let (client, _) = clients::set(cx, &entry.client_id, &entry.patch())?;
    if let Some(secret) = given.filter(|secret| diagnose_secret(&client, secret.expose(), cx.now).is_some()) {
        clients::set_secret(cx, &entry.client_id, secret, cx.policy.secret_overlap)?;
    }
    Ok(None)
}

fn plan_roles(cx: &mut Cx<'_>, wanted: &Declaration, maps: &[RoleMap], differences: &mut Vec<Difference>) -> Result<()> {
    let existing = cx.store.list_roles()?;
    for role in wanted.roles.iter().flatten() {
        let action = if existing.contains(role) { Action::Unchanged } else { Action::Create };
        differences.push(Difference { kind: Kind::Role, id: role.clone(), action, fields: Vec::new() });
    }
    let known = cx.store.list_role_maps()?;
    for map in maps {
        let before = known.iter().find(|known| known.name == map.name);
        let fields = diff::between(&before.map(diff::members).unwrap_or_default(), &diff::members(map));
        differences.push(Difference { kind: Kind::RoleMap, id: map.name.clone(), action: action_of(before.is_some(), &fields), fields });
    }
    Ok(())
}

fn plan_user(cx: &mut Cx<'_>, entry: &UserEntry, material: &Material) -> Result<Difference> {
    let disabled = |user: &mut User| match entry.disabled {
        Some(true) => user.state = UserState::Disabled,
        Some(false) => user.state = UserState::Active,
        None => {}
    };
    let password = material.passwords.get(&entry.username);
    let (existed, mut fields) = if let Some(before) = find_by_username(cx, &entry.username)? {
        let names = cx.store.list_sign_in_names(&before.sub)?;
        let (mut after, aliases) = users::patched(&before, &names, &entry.patch())?;
        disabled(&mut after);
        let wanted: Vec<_> = users::wanted_names(&after, &aliases).into_values().collect();
        (true, diff::between(&diff::user_fields(&before, &names), &diff::user_fields(&after, &wanted)))
    } else {
        let (mut after, aliases) = users::draft(&entry.new_user(material), String::new(), cx.now)?;
        disabled(&mut after);
        let wanted: Vec<_> = users::wanted_names(&after, &aliases).into_values().collect();
        (false, diff::between(&serde_json::Map::new(), &diff::user_fields(&after, &wanted)))
    };
    if password.is_some_and(|password| !existed || !password.only_for_new) || (!existed && entry.generate_password) {
        fields.push(hidden("password"));
    }
    Ok(Difference { kind: Kind::User, id: entry.username.clone(), action: action_of(existed, &fields), fields })
}

fn plan_client(cx: &mut Cx<'_>, entry: &ClientEntry, material: &Material) -> Result<Difference> {
    let given = material.secrets.get(&entry.client_id);
    let before = cx.store.find_client(&entry.client_id)?;
    let fields = match &before {
        None => {
            let after = clients::draft(&entry.new_client(material), String::new(), cx.now);
            let mut fields = diff::between(&serde_json::Map::new(), &diff::client_fields(&after));
            fields.extend((!after.is_public()).then(|| hidden("secret")));
            fields
        }
        Some(client) => {
            must_keep_preset(entry, client.preset.as_str())?;
            let after = clients::patched(client, &entry.patch());
            let mut fields = diff::between(&diff::client_fields(client), &diff::client_fields(&after));
            fields.extend(given.filter(|secret| diagnose_secret(client, secret.expose(), cx.now).is_some()).map(|_| hidden("secret")));
            fields
        }
    };
    Ok(Difference { kind: Kind::Client, id: entry.client_id.clone(), action: action_of(before.is_some(), &fields), fields })
}

/// What uses goes before what is used: clients, people, role maps, roles.
fn plan_removals(cx: &mut Cx<'_>, wanted: &Declaration, differences: &mut Vec<Difference>) -> Result<()> {
    let mut remove = |kind, id: String| differences.push(Difference { kind, id, action: Action::Remove, fields: Vec::new() });
    if let Some(entries) = &wanted.clients {
        let kept: BTreeSet<&str> = entries.iter().map(|entry| entry.client_id.as_str()).collect();
        let others = cx.store.list_clients()?.into_iter().map(|client| client.client_id);
        others.filter(|id| !kept.contains(id.as_str())).for_each(|id| remove(Kind::Client, id));
    }
    if let Some(entries) = &wanted.users {
        let kept: BTreeSet<String> = entries.iter().map(|entry| name_key(&entry.username)).collect();
        let mut after = None::<String>;
        loop {
            let page = cx.store.list_users(after.as_deref(), None, 500)?;
            let Some(last) = page.last() else { break };
            after = Some(last.username.clone());
            let others = page.into_iter().map(|user| user.username).filter(|username| !kept.contains(&name_key(username)));
            others.for_each(|username| remove(Kind::User, username));
        }
    }
    if let Some(maps) = &wanted.role_maps {
        let others = cx.store.list_role_maps()?.into_iter().map(|map| map.name);
        others
            .filter(|name| !maps.contains_key(name) && name != IDENTITY_MAP && name != ROCKET_CHAT_MAP)
            .for_each(|name| remove(Kind::RoleMap, name));
    }
    if let Some(roles) = &wanted.roles {
        cx.store.list_roles()?.into_iter().filter(|role| !roles.contains(role)).for_each(|role| remove(Kind::Role, role));
    }
    Ok(())
}

/// Refuses entries that name each other twice, a role or a map that will not exist.
fn check_references(cx: &mut Cx<'_>, wanted: &Declaration, maps: &[RoleMap]) -> Result<()> {
    let usernames = wanted.users.iter().flatten().map(|entry| name_key(&entry.username));
    must_be_unique(usernames, "users")?;
    must_be_unique(wanted.clients.iter().flatten().map(|entry| entry.client_id.clone()), "clients")?;
    must_be_unique(wanted.roles.iter().flatten().cloned(), "roles")?;
    let mut known = cx.store.list_roles()?;
    known.extend(wanted.roles.iter().flatten().cloned());
    for map in maps {
        roles::check_map(map, &known)?;
    }
    if let Some(entry) = wanted.users.iter().flatten().find(|entry| !known.contains(&entry.role)) {
        return Err(roles::unknown_role(&entry.role, &known).into());
    }
    for name in wanted.clients.iter().flatten().filter_map(|entry| entry.role_map.as_deref()) {
        if maps.iter().all(|map| map.name != name) {
            roles::map_must_exist(cx.store, name)?;
        }
    }
    Ok(())
}

fn must_be_unique(ids: impl Iterator<Item = String>, section: &str) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for id in ids {
        if seen.contains(&id) {
            let refusal = Refusal::invalid_request("The file names something twice", Cause::InvalidSetting);
            return Err(refusal.expected(format!("each entry of {section} once")).received(id));
        }
        seen.insert(id);
    }
    Ok(())
}

fn must_keep_preset(entry: &ClientEntry, preset: &str) -> Result<(), Refusal> {
    if entry.preset.as_str() == preset {
        return Ok(());
    }
    let refusal = Refusal::invalid_request("A client keeps the preset that it was made from", Cause::InvalidSetting).client(&entry.client_id);
    Err(refusal.expected(preset).received(entry.preset.as_str()).fix(format!("propusk client remove {}", entry.client_id)))
}

/// The person of that username, not one for whom it is just a further sign-in name.
fn find_by_username(cx: &mut Cx<'_>, username: &str) -> Result<Option<User>> {
    let key = name_key(username);
    Ok(cx.store.find_user_by_name(&key)?.filter(|user| name_key(&user.username) == key))
}

fn action_of(existed: bool, fields: &[FieldChange]) -> Action {
    match (existed, fields.is_empty()) {
        (false, _) => Action::Create,
        (true, false) => Action::Change,
        (true, true) => Action::Unchanged,
    }
}

/// A field whose value is nobody's business.
fn hidden(name: &str) -> FieldChange {
    FieldChange { name: name.to_owned(), from: Value::Null, to: Value::from("(set)") }
}

fn lost(id: &str) -> Fault {
    Fault::broken(format!("{id} was planned but is not in the file"))
}
