//! People: added, changed, disabled, removed, found.

use super::diff::{self, FieldChange};
use super::{changed_meanwhile, roles};
use crate::cause::Cause;
use crate::context::{Audit, Cx};
use crate::error::{Refusal, Result};
use crate::grant::Revocation;
use crate::store::Store;
use crate::time::UnixTime;
use crate::user::{NameKind, SignInName, User, UserState, is_valid_sign_in_name, is_valid_username, name_key};
use crate::{backchannel, chat, ids, session};
use propusk_protocol::{ErrorCode, IfMatch, StandardClaims};
use std::collections::BTreeMap;

/// A person to be added.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// The username, `[0-9A-Za-z._-]`, at most 64 characters.
    pub username: String,
    /// A role of the site.
    pub role: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the address is known to be the person's; it is a sign-in name then.
    pub email_verified: bool,
    /// The name that people see.
    pub name: Option<String>,
    /// A language tag; the pages follow it when they know the language.
    pub locale: Option<String>,
    /// Further standard claims, as [`StandardClaims::set`] reads them.
    pub claims: Vec<(String, String)>,
    /// Further sign-in names, of any alphabet.
    pub aliases: Vec<String>,
    /// The password as a PHC string, hashed before the transaction; without one nobody signs in.
    pub password_hash: Option<String>,
}

impl NewUser {
    /// A person of whom nothing more is known; an address that is added counts as verified.
    pub fn new(username: impl Into<String>, role: impl Into<String>) -> Self {
        Self { username: username.into(), role: role.into(), email_verified: true, ..Self::default() }
    }

    fn patch(&self) -> UserPatch {
        UserPatch {
            email: self.email.clone(),
            email_verified: self.email.is_some().then_some(self.email_verified),
            name: self.name.clone(),
            locale: self.locale.clone(),
            claims: self.claims.clone(),
            aliases: Some(self.aliases.clone()),
            ..UserPatch::default()
        }
    }
}

/// What changes of a person; `None` leaves a field as it is, an empty text clears it.
#[derive(Debug, Clone, Default)]
pub struct UserPatch {
    /// Another username.
    pub username: Option<String>,
    /// Another role.
    pub role: Option<String>,
    /// Another e-mail address; it counts as verified unless `email_verified` says otherwise.
    pub email: Option<String>,
    /// Whether the address is known to be the person's.
    pub email_verified: Option<bool>,
    /// Another name that people see.
    pub name: Option<String>,
    /// Another language tag.
    pub locale: Option<String>,
    /// Standard claims, as [`StandardClaims::set`] reads them.
    pub claims: Vec<(String, String)>,
    /// All further sign-in names from now on.
    pub aliases: Option<Vec<String>>,
    /// Further sign-in names to add.
    pub add_aliases: Vec<String>,
    /// Further sign-in names to take away.
    pub remove_aliases: Vec<String>,
}

/// Adds a person under a new random subject. Refuses an unknown role, a bad claim, and a name that is taken.
pub fn add(cx: &mut Cx<'_>, new: NewUser) -> Result<User> {
    let sub = ids::random(cx.rng);
    add_as(cx, new, sub)
}

/// The same under a subject that was drawn before, and that nobody has or had.
pub(crate) fn add_as(cx: &mut Cx<'_>, new: NewUser, sub: String) -> Result<User> {
    cx.store.take_turn()?;
    let (user, aliases) = draft(&new, sub, cx.now)?;
    check(cx.store, &user)?;
    let names = wanted_names(&user, &aliases);
    must_be_free(cx.store, &user, &names)?;
    if !cx.store.insert_user(&user)? {
        return Err(changed_meanwhile("the username"));
    }
    write_names(cx.store, &[], &names)?;
    cx.audit(Audit::of("user_added").sub(&user.sub).detail(format!("{} as {}", user.username, user.role)))?;
    Ok(user)
}

/// Changes a person; the fields that really changed. Nothing is written when none did.
pub fn set(cx: &mut Cx<'_>, sub: &str, patch: &UserPatch) -> Result<(User, Vec<FieldChange>)> {
    cx.store.take_turn()?;
    let before = must_find(cx.store, sub)?;
    let old_names = cx.store.list_sign_in_names(sub)?;
    let (mut user, aliases) = patched(&before, &old_names, patch)?;
    check(cx.store, &user)?;
    let names = wanted_names(&user, &aliases);
    must_be_free(cx.store, &user, &names)?;

    let new_names: Vec<SignInName> = names.values().cloned().collect();
    let changes = diff::between(&diff::user_fields(&before, &old_names), &diff::user_fields(&user, &new_names));
    if changes.is_empty() {
        return Ok((before, changes));
    }
    user.updated_at = cx.now;
    if !cx.store.update_user(&user, before.credential_version)? {
        return Err(changed_meanwhile("the person"));
    }
    write_names(cx.store, &old_names, &names)?;
    if before.role != user.role {
        cx.audit(Audit::of("role_changed").sub(sub).detail(format!("{} → {}", before.role, user.role)))?;
    }
    let others: Vec<FieldChange> = changes.iter().filter(|change| change.name != "role").cloned().collect();
    if !others.is_empty() {
        cx.audit(Audit::of("user_changed").sub(sub).detail(diff::names(&others)))?;
    }
    chat::person_changed(cx, sub)?;
    Ok((user, changes))
}

/// Refuses when the person is not as the caller has seen them; otherwise nobody else changes them until the transaction ends.
pub fn must_be_as_seen(cx: &mut Cx<'_>, sub: &str, seen: &IfMatch) -> Result<()> {
    cx.store.take_turn()?;
    let version = must_find(cx.store, sub)?.version();
    if seen.admits(&version) {
        return Ok(());
    }
    let refusal = Refusal::new(ErrorCode::PreconditionFailed, "The person has changed meanwhile", Cause::ChangedSince)
        .expected(format!("If-Match: \"{version}\""))
        .received("the tag of another state of the person")
        .fix("read the person again, and repeat the change if it is still wanted");
    Err(refusal.into())
}

/// Sets the password, hashed before the transaction, and signs the person out everywhere.
pub fn set_password(cx: &mut Cx<'_>, sub: &str, password_hash: String) -> Result<User> {
    let user = replace_password(cx, sub, password_hash)?;
    session::end_all(cx, sub, Revocation::PasswordSet)?;
    Ok(user)
}

/// The same by the person themselves, who stay signed in where they did it: in the session `kept`.
pub(crate) fn set_password_in(cx: &mut Cx<'_>, sub: &str, password_hash: String, kept: &str) -> Result<User> {
    let user = replace_password(cx, sub, password_hash)?;
    session::end_others(cx, sub, kept, Revocation::PasswordSet)?;
    Ok(user)
}

fn replace_password(cx: &mut Cx<'_>, sub: &str, password_hash: String) -> Result<User> {
    cx.store.take_turn()?;
    let mut user = must_find(cx.store, sub)?;
    let version = user.credential_version;
    user.password_hash = Some(password_hash);
    user.credential_version = version.saturating_add(1);
    if !cx.store.update_user(&user, version)? {
        return Err(changed_meanwhile("the person"));
    }
    cx.audit(Audit::of("password_set").sub(sub))?;
    Ok(user)
}

/// Disables a person and signs them out everywhere; false when they were disabled.
pub fn disable(cx: &mut Cx<'_>, sub: &str) -> Result<bool> {
    enter(cx, sub, UserState::Disabled)
}

/// Lets a person sign in again; what the disabling ended stays ended. False when they were active.
pub fn enable(cx: &mut Cx<'_>, sub: &str) -> Result<bool> {
    enter(cx, sub, UserState::Active)
}

/// Removes a person with their names, consents, sessions and grants. The subject is never given to anybody else.
pub fn remove(cx: &mut Cx<'_>, sub: &str) -> Result<User> {
    cx.store.take_turn()?;
    let user = must_find(cx.store, sub)?;
    for sid in cx.store.list_open_sids(sub)? {
        backchannel::session_ended(cx, sub, &sid)?;
    }
    chat::person_removed(cx, &user)?;
    if !cx.store.delete_user(sub)? {
        return Err(changed_meanwhile("the person"));
    }
    cx.audit(Audit::of("user_removed").sub(sub).detail(user.username.as_str()))?;
    Ok(user)
}

/// By any sign-in name or by subject; refused when there is nobody.
pub fn find(store: &mut dyn Store, reference: &str) -> Result<User> {
    if let Some(user) = store.find_user_by_name(&name_key(reference))? {
        return Ok(user);
    }
    must_find(store, reference)
}

fn must_find(store: &mut dyn Store, sub: &str) -> Result<User> {
    let unknown = || {
        Refusal::invalid_request("There is no such person", Cause::UnknownUser)
            .expected("a username, another sign-in name or a subject")
            .received(sub)
            .fix("propusk user list")
    };
    Ok(store.find_user(sub)?.ok_or_else(unknown)?)
}

fn enter(cx: &mut Cx<'_>, sub: &str, state: UserState) -> Result<bool> {
    cx.store.take_turn()?;
    let mut user = must_find(cx.store, sub)?;
    if user.state == state {
        return Ok(false);
    }
    let version = user.credential_version;
    user.state = state;
    user.updated_at = cx.now;
    if state == UserState::Disabled {
        // A sign-in whose password was being hashed meanwhile must not come back after an enabling.
        user.credential_version = version.saturating_add(1);
    }
    if !cx.store.update_user(&user, version)? {
        return Err(changed_meanwhile("the person"));
    }
    match state {
        UserState::Disabled => {
            cx.audit(Audit::of("user_disabled").sub(sub))?;
            session::end_all(cx, sub, Revocation::UserDisabled)?;
        }
        UserState::Active => cx.audit(Audit::of("user_enabled").sub(sub))?,
    }
    chat::person_changed(cx, sub)?;
    Ok(true)
}

/// The person that `new` describes, with the further sign-in names; checks nothing that needs the store.
pub(super) fn draft(new: &NewUser, sub: String, now: UnixTime) -> Result<(User, Vec<String>), Refusal> {
    let blank = User {
        sub,
        username: new.username.clone(),
        role: new.role.clone(),
        state: UserState::Active,
        locale: None,
        password_hash: new.password_hash.clone(),
        credential_version: 1,
        claims: StandardClaims::default(),
        created_at: now,
        updated_at: now,
    };
    patched(&blank, &[], &new.patch())
}

/// The person and the further sign-in names after the change; checks nothing that needs the store.
pub(super) fn patched(user: &User, names: &[SignInName], patch: &UserPatch) -> Result<(User, Vec<String>), Refusal> {
    let mut after = user.clone();
    if let Some(username) = &patch.username {
        after.username.clone_from(username);
    }
    if let Some(role) = &patch.role {
        after.role.clone_from(role);
    }
    if let Some(name) = &patch.name {
        set_claim(&mut after, "name", name)?;
    }
    if let Some(locale) = &patch.locale {
        set_claim(&mut after, "locale", locale)?;
        let language = locale.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        after.locale = Some(language).filter(|language| matches!(language.as_str(), "ru" | "en"));
    }
    let email = patch.email.iter().map(|email| ("email", email.as_str()));
    let claims = patch.claims.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let mut verified = None;
    for (key, value) in email.chain(claims) {
        set_claim(&mut after, key, value)?;
        match key {
            // An address that the operator gives counts as verified.
            "email" => verified = verified.or(Some(true)),
            "email_verified" => verified = after.claims.email_verified,
            _ => {}
        }
    }
    if let Some(verified) = patch.email_verified.or(verified) {
        after.claims.email_verified = Some(verified);
    }
    if after.claims.email.is_none() {
        after.claims.email_verified = None;
    }
    Ok((after, patched_aliases(names, patch)?))
}

fn set_claim(user: &mut User, key: &str, value: &str) -> Result<(), Refusal> {
    if matches!(key, "preferred_username" | "updated_at") {
        let refusal = Refusal::invalid_request("This claim follows from the account", Cause::InvalidSetting);
        return Err(refusal.expected("a claim that can be set").received(key).fix("propusk user set NAME --username USERNAME"));
    }
    user.claims.set(key, value).map_err(|error| {
        Refusal::invalid_request("The claim cannot be set", Cause::InvalidSetting).expected(error.to_string()).received(format!("{key}={value}"))
    })
}

fn patched_aliases(names: &[SignInName], patch: &UserPatch) -> Result<Vec<String>, Refusal> {
    let present = names.iter().filter(|name| name.kind == NameKind::Alias).map(|name| name.name.clone());
    let mut aliases: Vec<String> = patch.aliases.clone().unwrap_or_else(|| present.collect());
    for alias in &patch.remove_aliases {
        let count = aliases.len();
        aliases.retain(|known| name_key(known) != name_key(alias));
        if aliases.len() == count {
            let refusal = Refusal::invalid_request("The person has no such further name", Cause::InvalidSetting);
            return Err(refusal.expected(format!("one of {}", aliases.join(", "))).received(alias));
        }
    }
    for alias in &patch.add_aliases {
        if aliases.iter().all(|known| name_key(known) != name_key(alias)) {
            aliases.push(alias.clone());
        }
    }
    if let Some(bad) = aliases.iter().find(|alias| !is_valid_sign_in_name(alias)) {
        let refusal = Refusal::invalid_request("A sign-in name cannot look like this", Cause::InvalidName);
        return Err(refusal.expected("1 to 254 printable characters without white space at the ends").received(bad));
    }
    Ok(aliases)
}

fn check(store: &mut dyn Store, user: &User) -> Result<()> {
    if !is_valid_username(&user.username) {
        let refusal = Refusal::invalid_request("A username cannot look like this", Cause::InvalidName);
        let expected = "1 to 64 characters of A-Z, a-z, 0-9, dot, underscore and hyphen; other alphabets as a further sign-in name (--alias)";
        return Err(refusal.expected(expected).received(&user.username).into());
    }
    roles::must_exist(store, &user.role)
}

/// All names that open the login form for the person, by key; the username outranks an address, an address a further name.
pub(crate) fn wanted_names(user: &User, aliases: &[String]) -> BTreeMap<String, SignInName> {
    let email = user.claims.email.as_deref().filter(|_| user.claims.email_verified == Some(true));
    let aliases = aliases.iter().map(|alias| (alias.as_str(), NameKind::Alias));
    let all = aliases.chain(email.map(|email| (email, NameKind::Email))).chain([(user.username.as_str(), NameKind::Username)]);
    let named = all.map(|(name, kind)| SignInName { key: name_key(name), sub: user.sub.clone(), name: name.to_owned(), kind });
    named.map(|name| (name.key.clone(), name)).collect()
}

fn must_be_free(store: &mut dyn Store, user: &User, names: &BTreeMap<String, SignInName>) -> Result<()> {
    for name in names.values() {
        let Some(owner) = store.find_user_by_name(&name.key)?.filter(|owner| owner.sub != user.sub) else { continue };
        let refusal = Refusal::invalid_request("The sign-in name is taken", Cause::NameTaken);
        let refusal = refusal.expected("a name that nobody else signs in with").received(&name.name).nearest(Some(owner.username.clone()));
        let fix = match name.kind {
            NameKind::Email => "repeat the command with --email-unverified, or change the address of the other person".to_owned(),
            NameKind::Username | NameKind::Alias => format!("propusk user show {}", owner.username),
        };
        return Err(refusal.fix(fix).into());
    }
    Ok(())
}

fn write_names(store: &mut dyn Store, old: &[SignInName], wanted: &BTreeMap<String, SignInName>) -> Result<()> {
    let stays = |name: &SignInName| wanted.get(&name.key) == Some(name);
    for name in old.iter().filter(|name| !stays(name)) {
        store.delete_sign_in_name(&name.sub, &name.key)?;
    }
    for name in wanted.values().filter(|name| !old.contains(name)) {
        if !store.insert_sign_in_name(name)? {
            return Err(changed_meanwhile("the sign-in name"));
        }
    }
    Ok(())
}
