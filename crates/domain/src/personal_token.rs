//! Personal access tokens: named, scoped, expiring opaque tokens of a person or a client, for scripts that cannot sign in.
//!
//! Everything that signs a person out everywhere (a disabling, a password that is set, the button) revokes theirs.

use crate::cause::Cause;
use crate::client::Client;
use crate::context::{Audit, Cx};
use crate::error::{Fault, Refusal, Result};
use crate::ids;
use crate::policy::DAY;
use crate::service::TOKENS_SCOPE;
use crate::store::Store;
use crate::time::UnixTime;
use crate::user::User;
use propusk_crypto::{Secret, digest};
use propusk_protocol::{ErrorCode, Scope};
use serde::Serialize;

/// Begins every token, so that scanners recognise a leaked one.
pub const PREFIX: &str = "ppat_";

/// What a person's token may be good for: reading what userinfo tells.
pub const PERSON_SCOPES: [&str; 6] = ["openid", "profile", "email", "phone", "address", "roles"];

/// The longest life, in days.
pub const MAX_DAYS: i64 = 366;

/// The longest name, in characters.
const MAX_NAME: usize = 100;

/// Living tokens that a person or client may have.
const MAX_TOKENS: usize = 50;

/// Characters of the checksum at a token's end.
const CHECK: usize = 6;

/// Characters between prefix and checksum: 256 bits.
const BODY: usize = 43;

/// A token as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PersonalToken {
    /// Names it where it is listed and revoked.
    pub id: String,
    /// The digest; the token itself is not kept.
    #[serde(skip)]
    pub digest: String,
    /// The person it stands for.
    pub sub: Option<String>,
    /// The client it stands for.
    pub client_id: Option<String>,
    /// What its owner calls it.
    pub name: String,
    /// What it is good for.
    pub scope: Scope,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// When it was revoked.
    pub revoked_at: Option<UnixTime>,
    /// When it was used last, kept to the minute.
    pub last_used_at: Option<UnixTime>,
}

impl PersonalToken {
    /// Whether it is neither revoked nor over.
    pub fn is_alive(&self, now: UnixTime) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// Whom a new token stands for.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'a> {
    /// A person.
    User(&'a User),
    /// A client.
    Client(&'a Client),
}

/// Whether the text has the form of a token, checksum included: what has not is refused without asking the database.
pub fn is_well_formed(token: &str) -> bool {
    let Some(rest) = token.strip_prefix(PREFIX) else { return false };
    if rest.len() != BODY + CHECK || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return false;
    }
    token.len().checked_sub(CHECK).and_then(|end| token.split_at_checked(end)).is_some_and(|(body, check)| checksum(body) == check)
}

fn checksum(body: &str) -> String {
    digest(body).chars().take(CHECK).collect()
}

/// Makes a token for `days` days; the secret is shown once. Refuses a scope beyond what the owner may have.
pub fn create(cx: &mut Cx<'_>, owner: Owner<'_>, name: &str, scope: &Scope, days: i64) -> Result<(PersonalToken, Secret)> {
    create_for(cx, owner, name, scope, days.saturating_mul(DAY))
}

/// The same for `seconds`.
pub fn create_for(cx: &mut Cx<'_>, owner: Owner<'_>, name: &str, scope: &Scope, seconds: i64) -> Result<(PersonalToken, Secret)> {
    check_name(name)?;
    check_lifetime(seconds)?;
    check_scope(owner, scope)?;
    hold_owner(cx, owner)?;
    let (sub, client_id) = match owner {
        Owner::User(user) => (Some(user.sub.clone()), None),
        Owner::Client(client) => (None, Some(client.client_id.clone())),
    };
    let present = cx.store.list_personal_tokens(sub.as_deref(), client_id.as_deref())?;
    if present.iter().filter(|token| token.is_alive(cx.now)).count() >= MAX_TOKENS {
        let refusal = Refusal::new(ErrorCode::Conflict, "There are too many tokens already", Cause::InvalidSetting);
        return Err(refusal.expected(format!("at most {MAX_TOKENS} living tokens")).fix("propusk token revoke ID").into());
    }
    let body = Secret::generate(cx.rng, PREFIX);
    let secret = Secret::new(format!("{}{}", body.expose(), checksum(body.expose())));
    let token = PersonalToken {
        id: ids::sortable(cx.now, cx.rng),
        digest: digest(secret.expose()),
        sub,
        client_id,
        name: name.to_owned(),
        scope: scope.clone(),
        created_at: cx.now,
        expires_at: cx.now.plus(seconds),
        revoked_at: None,
        last_used_at: None,
    };
    cx.store.insert_personal_token(&token)?;
    note(cx, &token, "personal_token_created")?;
    Ok((token, secret))
}

/// Refuses a name that nobody could read in a list.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.trim() != name || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        let refusal = Refusal::invalid_request("The name of the token cannot look like this", Cause::InvalidSetting);
        return Err(refusal.expected(format!("1 to {MAX_NAME} printable characters")).received(name));
    }
    Ok(())
}

/// Refuses a life that has ended before it began, or that nobody would remember.
pub fn check_lifetime(seconds: i64) -> Result<(), Refusal> {
    if !(1..=MAX_DAYS * DAY).contains(&seconds) {
        let refusal = Refusal::invalid_request("The token cannot live for so long", Cause::InvalidSetting);
        return Err(refusal.expected(format!("1 second to {MAX_DAYS} days ({} seconds)", MAX_DAYS * DAY)).received(format!("{seconds} seconds")));
    }
    Ok(())
}

/// Somebody disabled gets no token that would live with the account again. Holds the person's row until the commit: a disabling in the
/// same moment revokes the new token, too, or refuses it here.
fn hold_owner(cx: &mut Cx<'_>, owner: Owner<'_>) -> Result<()> {
    let refuse =
        |public, cause, fix: String| Refusal::new(ErrorCode::Conflict, public, cause).expected("an enabled one").received("a disabled one").fix(fix);
    match owner {
        Owner::User(user) => {
            let version = cx.store.find_user(&user.sub)?.map(|user| user.credential_version);
            let held = version.map(|version| cx.store.guard_user(&user.sub, version)).transpose()?;
            if held != Some(true) {
                return Err(refuse("The person is disabled", Cause::UserDisabled, format!("propusk user enable {}", user.username)).into());
            }
        }
        Owner::Client(client) if client.disabled => {
            let fix = format!("propusk client set {} --enable", client.client_id);
            return Err(refuse("The client is disabled", Cause::DisabledClient, fix).client(&client.client_id).into());
        }
        Owner::Client(_) => {}
    }
    Ok(())
}

fn check_scope(owner: Owner<'_>, scope: &Scope) -> Result<(), Refusal> {
    let allowed: Scope = match owner {
        Owner::User(_) => PERSON_SCOPES.iter().map(|scope| (*scope).to_owned()).collect(),
        // No personal token makes others, so that scope would promise what is refused.
        Owner::Client(client) => client.settings.scopes.iter().filter(|scope| *scope != TOKENS_SCOPE).map(str::to_owned).collect(),
    };
    may_have(&allowed, scope)
}

/// Refuses what lies beyond `allowed`.
pub fn may_have(allowed: &Scope, scope: &Scope) -> Result<(), Refusal> {
    if scope.is_empty() || !scope.is_subset_of(allowed) {
        let refusal = Refusal::new(ErrorCode::InvalidScope, "The token may not have this scope", Cause::ScopeNotAllowed);
        return Err(refusal.expected(format!("some of: {allowed}")).received(scope.to_string()).fix("leave out what is too much"));
    }
    Ok(())
}

/// The living token of this identifier, provided that the client may look after it: its own, and those of people.
pub fn find_managed(store: &mut dyn Store, id: &str, client_id: &str, now: UnixTime) -> Result<Option<PersonalToken>, Fault> {
    let found = store.find_personal_token_by_id(id)?.filter(|token| token.is_alive(now));
    Ok(found.filter(|token| token.sub.is_some() || token.client_id.as_deref() == Some(client_id)))
}

/// Revokes a token; false when there is no such living token. With `sub` only one of that person.
pub fn revoke(cx: &mut Cx<'_>, id: &str, sub: Option<&str>) -> Result<bool> {
    let found = cx.store.find_personal_token_by_id(id)?.filter(|token| token.is_alive(cx.now));
    let found = found.filter(|token| sub.is_none() || token.sub.as_deref() == sub);
    let Some(token) = found else { return Ok(false) };
    if !cx.store.revoke_personal_token(id, cx.now)? {
        return Ok(false);
    }
    note(cx, &token, "personal_token_revoked")?;
    Ok(true)
}

fn note(cx: &mut Cx<'_>, token: &PersonalToken, kind: &str) -> Result<(), Fault> {
    let mut event = Audit::of(kind).detail(format!("{} ({}): {}", token.id, token.name, token.scope));
    if let Some(sub) = &token.sub {
        event = event.sub(sub);
    }
    if let Some(client_id) = &token.client_id {
        event = event.client(client_id);
    }
    cx.audit(event)
}

/// A token that counts now, with whom it stands for.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The token.
    pub token: PersonalToken,
    /// Its person.
    pub user: Option<User>,
    /// Its client.
    pub client: Option<Client>,
}

/// Judges a presented token by its row, its person and its client as they are now.
pub fn judge(store: &mut dyn Store, presented: &str, now: UnixTime) -> Result<Standing> {
    let refuse = |cause| Refusal::new(ErrorCode::InvalidToken, "The access token is not valid", cause);
    if !is_well_formed(presented) {
        return Err(refuse(Cause::TokenMalformed)
            .expected("a whole personal token")
            .received(crate::error::shape(presented))
            .fix("copy it again")
            .into());
    }
    let gone = |received: &str| {
        refuse(Cause::TokenRevoked)
            .expected("a living personal token")
            .received(received)
            .fix("make another: propusk token create, or the account page")
    };
    let Some(token) = store.find_personal_token(&digest(presented))? else { return Err(gone("one that is not known here").into()) };
    if let Some(at) = token.revoked_at {
        return Err(gone(&format!("revoked at {at}")).into());
    }
    if !token.is_alive(now) {
        let refusal = refuse(Cause::TokenExpired).expected(format!("a token that lives at {now}"));
        return Err(refusal.received(format!("expired at {}", token.expires_at)).fix("make another token").into());
    }
    let user = match &token.sub {
        Some(sub) => store.find_user(sub)?,
        None => None,
    };
    let client = match &token.client_id {
        Some(client_id) => store.find_client(client_id)?,
        None => None,
    };
    if token.sub.is_some() && !user.as_ref().is_some_and(User::is_active) {
        return Err(refuse(Cause::TokenUserDisabled).expected("an active account").received("a disabled or removed account").into());
    }
    if token.client_id.is_some() && client.as_ref().is_none_or(|client| client.disabled) {
        return Err(refuse(Cause::DisabledClient).expected("an enabled client").received("a disabled or removed client").into());
    }
    Ok(Standing { token, user, client })
}

#[cfg(test)]
mod tests {
    use super::*;
    use propusk_crypto::SystemRandom;

    #[test]
    fn a_mistyped_token_is_seen_without_a_database() {
        let body = Secret::generate(&SystemRandom, PREFIX);
        let token = format!("{}{}", body.expose(), checksum(body.expose()));
        assert!(is_well_formed(&token));
        let last = if token.ends_with('A') { "B" } else { "A" };
        let mistyped = format!("{}{last}", token.split_at(token.len() - 1).0);
        for bad in [mistyped.as_str(), body.expose(), "ppat_", "", &format!("{token}x"), &token.replace("ppat_", "ppr_"), &"я".repeat(27)] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }
}
