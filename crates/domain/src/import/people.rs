//! One person taken over, inside a write transaction.

use super::{Finding, NameBook, SiteUser};
use crate::admin::users::wanted_names;
use crate::context::{Audit, Cx};
use crate::error::{Fault, Result};
use crate::grant::Revocation;
use crate::imported::ImportedUser;
use crate::store::Store;
use crate::user::{NameKind, SignInName, User, UserState, is_valid_username, name_key};
use crate::{ids, session};
use propusk_crypto::digest;
use propusk_protocol::StandardClaims;
use serde_json::json;

/// A person whose name is settled and whose weak hash is wrapped: all that is slow is done.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The person at the site.
    pub site: SiteUser,
    /// The username here.
    pub username: String,
    /// Whether the name at the site opens the login form, too.
    pub alias: bool,
    /// The hash to store, and its scheme and parameters.
    pub password: Option<(String, String)>,
    /// Whether the address counts as verified.
    pub email_verified: bool,
    /// Digest of what the site says.
    pub source_digest: String,
}

/// What became of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Added.
    Added,
    /// The site had changed them since the last run.
    Changed,
    /// As at the last run.
    Unchanged,
    /// Left as they are, and why.
    Left(Finding),
}

/// What the names of a person will be; decided before the transaction.
pub enum Naming {
    /// A username, and whether the name at the site becomes a further sign-in name.
    Named(String, bool),
    /// The person cannot be taken.
    Left(Finding),
}

/// Settles the names of somebody who was never taken over. A name that a chat does not take stays a sign-in name.
pub fn settle_name(store: &mut dyn Store, book: &mut NameBook, site: &SiteUser) -> Result<Naming, Fault> {
    let left = |slug, detail: String| Ok(Naming::Left(Finding::left_out(slug, &site.model, &site.key, detail).named(&site.name)));
    let duplicate = book.is_duplicate(&site.name, &site.key);
    let chosen = book.chosen(&site.name).map(str::to_owned);
    if let Some(username) = chosen {
        if let Some(owner) = store.find_user_by_name(&name_key(&username))? {
            return left("name_taken", format!("the username {username} of the mapping file belongs to {} here", owner.sub));
        }
        // The name itself goes to whoever has it first.
        let alias = !duplicate && name_key(&username) != name_key(&site.name) && store.find_user_by_name(&name_key(&site.name))?.is_none();
        return Ok(Naming::Named(username, alias));
    }
    if duplicate {
        return left("duplicate_name", "somebody else has the same name but for case or Unicode form: give a username by --names".to_owned());
    }
    if let Some(owner) = store.find_user_by_name(&name_key(&site.name))? {
        return left("name_taken", format!("{} signs in by this name here: give a username by --names", owner.username));
    }
    if is_valid_username(&site.name) {
        return Ok(Naming::Named(site.name.clone(), false));
    }
    Ok(Naming::Named(book.make(store, &site.name, &site.key)?, true))
}

/// Whether an address counts as verified, and what an operator should know of it. One that is somebody's sign-in name never becomes
/// another's, whoever of them comes first in the dump; `sub` is the person's own, where they are here already.
pub fn settle_address(
    store: &mut dyn Store,
    book: &NameBook,
    site: &SiteUser,
    sub: Option<&str>,
    verified: bool,
) -> Result<(bool, Option<Finding>), Fault> {
    let Some(email) = &site.email else { return Ok((verified, None)) };
    let note = |slug, detail: String| Some(Finding::note(slug, &site.model, &site.key, detail).named(&site.name));
    if book.is_duplicate(email, &site.key) {
        let detail = format!("{email} is the name of somebody else at the site: it is not verified here, and does not open the sign-in form");
        return Ok((false, note("email_taken", detail)));
    }
    if book.is_duplicate_address(email, &site.key) {
        let detail = format!("somebody else at the site has {email}, too, but for case: only one of them can have it verified and sign in by it");
        return Ok((verified, note("duplicate_email", detail)));
    }
    let owner = store.find_user_by_name(&name_key(email))?.filter(|owner| Some(owner.sub.as_str()) != sub);
    let finding = owner.filter(|_| verified).and_then(|owner| {
        note("email_taken", format!("{} signs in by {email} here: it is not verified, and does not open the sign-in form", owner.username))
    });
    Ok((verified, finding))
}

/// Takes a person over, or finds that nothing is to be done. With `dry` nothing is written.
pub fn take(cx: &mut Cx<'_>, person: &Prepared, dry: bool) -> Result<Outcome> {
    if !dry {
        cx.store.take_turn()?;
    }
    match cx.store.find_imported_user(&person.site.key)? {
        None => add(cx, person, dry),
        Some(row) if row.source_digest == person.source_digest => Ok(Outcome::Unchanged),
        Some(row) => change(cx, person, &row, dry),
    }
}

fn add(cx: &mut Cx<'_>, person: &Prepared, dry: bool) -> Result<Outcome> {
    let site = &person.site;
    let left = |slug, detail: String| Outcome::Left(Finding::left_out(slug, &site.model, &site.key, detail).named(&site.name));
    let sub = site.sub.clone().unwrap_or_else(|| ids::random(cx.rng));
    if let Some(owner) = cx.store.find_user(&sub)? {
        return Ok(left("sub_taken", format!("the subject {sub} is {} here", owner.username)));
    }
    // A token whose subject is its client's identifier is the client's own (RFC 9068 §5).
    if cx.store.find_client(&sub)?.is_some() {
        return Ok(left("sub_taken", format!("the subject {sub} is the identifier of a client here")));
    }
    let joined = site.joined.filter(|joined| *joined <= cx.now).unwrap_or(cx.now);
    let blank = User {
        sub,
        username: person.username.clone(),
        role: String::new(),
        state: UserState::Active,
        locale: None,
        password_hash: person.password.as_ref().map(|(hash, _)| hash.clone()),
        credential_version: 1,
        claims: StandardClaims::default(),
        created_at: joined,
        updated_at: cx.now,
    };
    let (user, names) = described(cx.store, &blank, person, &[])?;
    for name in names.iter().filter(|name| name.kind != NameKind::Email) {
        if cx.store.find_user_by_name(&name.key)?.is_some() {
            return Ok(left("name_taken", format!("somebody signs in as {} here", name.name)));
        }
    }
    if dry {
        return Ok(Outcome::Added);
    }
    if !cx.store.insert_user(&user)? {
        return Ok(left("name_taken", format!("the username {} is taken here", user.username)));
    }
    for name in &names {
        if !cx.store.insert_sign_in_name(name)? {
            return Err(Fault::passing("a sign-in name was taken by another process at the same moment").into());
        }
    }
    remember(cx.store, person, &user, &names)?;
    let last = site.last_login.map_or_else(|| "never signed in".to_owned(), |at| format!("last signed in at {at}"));
    cx.audit(Audit::of("user_imported").sub(&user.sub).detail(format!("{} {} as {}, {last}", site.model, site.key, user.role)))?;
    Ok(Outcome::Added)
}

fn change(cx: &mut Cx<'_>, person: &Prepared, row: &ImportedUser, dry: bool) -> Result<Outcome> {
    let site = &person.site;
    let left = |slug, detail: &str| Outcome::Left(Finding::left_out(slug, &site.model, &site.key, detail).named(&site.name));
    let Some(before) = cx.store.find_user(&row.sub)? else {
        return Ok(left("removed_here", "the person was removed here since the last run"));
    };
    let old_names = cx.store.list_sign_in_names(&row.sub)?;
    if !is_as_taken_over(&before, &old_names, row)? {
        return Ok(left("changed_here", "the person was changed here since the last run, and differs at the site now"));
    }
    // A password that was set or renewed here stands; one that still is the site's follows the site.
    let follows = row.cost.is_some() || before.password_hash.is_none();
    let mut blank = before.clone();
    if follows {
        blank.password_hash = person.password.as_ref().map(|(hash, _)| hash.clone());
    }
    let (mut user, names) = described(cx.store, &blank, person, &old_names)?;
    if dry {
        return Ok(Outcome::Changed);
    }
    user.updated_at = cx.now;
    user.credential_version = before.credential_version.saturating_add(1);
    if !cx.store.update_user(&user, before.credential_version)? {
        return Err(Fault::passing("the person was changed by another process at the same moment").into());
    }
    for name in old_names.iter().filter(|name| !names.contains(name)) {
        cx.store.delete_sign_in_name(&name.sub, &name.key)?;
    }
    for name in names.iter().filter(|name| !old_names.contains(name)) {
        if !cx.store.insert_sign_in_name(name)? {
            return Err(Fault::passing("a sign-in name was taken by another process at the same moment").into());
        }
    }
    let kept = Prepared { password: person.password.clone().filter(|_| follows), ..person.clone() };
    remember(cx.store, &kept, &user, &names)?;
    cx.audit(Audit::of("user_imported").sub(&user.sub).detail(format!("{} {} again", site.model, site.key)))?;
    if before.is_active() && !user.is_active() {
        session::end_all(cx, &user.sub, Revocation::UserDisabled)?;
    }
    Ok(Outcome::Changed)
}

/// The person after taking over, with all names. An address that opens the login form for somebody else stays unverified.
fn described(store: &mut dyn Store, blank: &User, person: &Prepared, old: &[SignInName]) -> Result<(User, Vec<SignInName>), Fault> {
    let site = &person.site;
    let mut user = blank.clone();
    user.role.clone_from(&site.role);
    user.state = if site.is_active { UserState::Active } else { UserState::Disabled };
    user.claims.name = site.full_name();
    user.claims.given_name.clone_from(&site.given_name);
    user.claims.family_name.clone_from(&site.family_name);
    user.claims.email = None;
    user.claims.email_verified = None;
    if let Some(email) = site.email.as_deref() {
        let owner = store.find_user_by_name(&name_key(email))?;
        let free = owner.is_none_or(|owner| owner.sub == user.sub);
        user.claims.email = Some(email.to_owned());
        user.claims.email_verified = Some(person.email_verified && free);
    }
    let mut aliases: Vec<String> = old.iter().filter(|name| name.kind == NameKind::Alias).map(|name| name.name.clone()).collect();
    if person.alias && aliases.iter().all(|alias| name_key(alias) != name_key(&site.name)) {
        aliases.push(site.name.clone());
    }
    let names = wanted_names(&user, &aliases).into_values().collect();
    Ok((user, names))
}

fn remember(store: &mut dyn Store, person: &Prepared, user: &User, names: &[SignInName]) -> Result<(), Fault> {
    store.put_imported_user(&ImportedUser {
        site_key: person.site.key.clone(),
        sub: user.sub.clone(),
        source_digest: person.source_digest.clone(),
        local_digest: local_digest(user, names)?,
        cost: person.password.as_ref().map(|(_, cost)| cost.clone()),
    })
}

/// Whether nothing but perhaps the password was changed here since the person was taken over.
pub fn is_as_taken_over(user: &User, names: &[SignInName], row: &ImportedUser) -> Result<bool, Fault> {
    Ok(local_digest(user, names)? == row.local_digest)
}

/// Digest of everything about a person that an operator or they themselves can change, the password excepted.
pub(super) fn local_digest(user: &User, names: &[SignInName]) -> Result<String, Fault> {
    let mut names: Vec<(&str, &str)> = names.iter().map(|name| (name.key.as_str(), name.kind.as_str())).collect();
    names.sort_unstable();
    let all = json!([user.username, user.role, user.state.as_str(), user.locale, user.claims, names]);
    Ok(digest(&serde_json::to_string(&all).map_err(Fault::broken)?))
}
