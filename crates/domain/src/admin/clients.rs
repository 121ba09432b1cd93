//! Clients: registered, changed, given new secrets, removed.

use super::changed_meanwhile;
use super::client_rules::{check, check_given_secret};
use super::diff::{self, FieldChange};
use crate::cause::Cause;
use crate::chat;
use crate::client::{Client, ClientSecret, GrantType, Introspect, Preset, is_valid_client_id};
use crate::client_auth::diagnose_secret;
use crate::context::{Audit, Cx};
use crate::error::{Refusal, Result};
use crate::grant::{Grant, Revocation};
use crate::ids;
use crate::store::{GrantsOf, Store};
use crate::time::UnixTime;
use propusk_crypto::{Algorithm, Random, Secret, SecretHash};
use propusk_protocol::Scope;
use std::collections::BTreeMap;

/// What a client secret begins with, so that scanners recognise a leaked one.
pub const SECRET_PREFIX: &str = "pps_";

/// A client to be registered; the preset fills in what is not said.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// The identifier, `[A-Za-z0-9._~-]`, at most 128 characters.
    pub client_id: String,
    /// What kind of client.
    pub preset: Preset,
    /// The name that people see; the identifier when `None`.
    pub name: Option<String>,
    /// Compared character for character.
    pub redirect_uris: Vec<String>,
    /// Where a logout may return to.
    pub post_logout_redirect_uris: Vec<String>,
    /// What it may ask for, instead of the preset's scopes.
    pub scopes: Option<Scope>,
    /// Whether it skips consent, instead of the preset's choice.
    pub first_party: Option<bool>,
    /// A secret brought along; one is generated otherwise.
    pub secret: Option<Secret>,
    /// Further settings.
    pub more: ClientPatch,
}

impl NewClient {
    /// A client as the preset has it.
    pub fn new(client_id: impl Into<String>, preset: Preset) -> Self {
        Self {
            client_id: client_id.into(),
            preset,
            name: None,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            scopes: None,
            first_party: None,
            secret: None,
            more: ClientPatch::default(),
        }
    }

    fn patch(&self) -> ClientPatch {
        let some = |uris: &Vec<String>| (!uris.is_empty()).then(|| uris.clone());
        let mut patch = self.more.clone();
        patch.name = patch.name.or_else(|| self.name.clone());
        patch.redirect_uris.replace = patch.redirect_uris.replace.or_else(|| some(&self.redirect_uris));
        patch.post_logout_redirect_uris.replace = patch.post_logout_redirect_uris.replace.or_else(|| some(&self.post_logout_redirect_uris));
        patch.scopes.replace = patch.scopes.replace.or_else(|| self.scopes.as_ref().map(words));
        patch.first_party = patch.first_party.or(self.first_party);
        patch
    }
}

/// What changes of a client; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ClientPatch {
    /// The name that people see.
    pub name: Option<String>,
    /// Whether it is refused everywhere; switching it off revokes its grants.
    pub disabled: Option<bool>,
    /// Whether it skips consent.
    pub first_party: Option<bool>,
    /// Where answers go.
    pub redirect_uris: ListPatch<String>,
    /// Where a logout may return to.
    pub post_logout_redirect_uris: ListPatch<String>,
    /// The grants it may use.
    pub grant_types: ListPatch<GrantType>,
    /// The scopes it may ask for, token by token.
    pub scopes: ListPatch<String>,
    /// The `aud` of its access tokens; an empty text means the issuer.
    pub audience: Option<String>,
    /// What signs its access tokens.
    pub access_token_alg: Option<Algorithm>,
    /// What signs its ID tokens.
    pub id_token_alg: Option<Algorithm>,
    /// Seconds that an access token lives.
    pub access_token_lifetime: Option<i64>,
    /// The role map that its tokens and userinfo follow.
    pub role_map: Option<String>,
    /// Whether tokens are taken from the query string of userinfo.
    pub query_token: Option<bool>,
    /// Whose tokens it may introspect.
    pub introspect: Option<Introspect>,
    /// Whether PKCE is demanded.
    pub require_pkce: Option<bool>,
    /// Where it is told that a session has ended; an empty text means nowhere.
    pub backchannel_logout_uri: Option<String>,
    /// Whether it needs to be told which session.
    pub backchannel_logout_session_required: Option<bool>,
    /// Whether it may read people in the form that GitLab has.
    pub gitlab_facade: Option<bool>,
    /// Names of another server's scopes and what each is here.
    pub scope_aliases: AliasPatch,
}

/// What changes of the scope aliases: they are replaced first, then set name by name.
#[derive(Debug, Clone, Default)]
pub struct AliasPatch {
    /// All of them from now on.
    pub replace: Option<BTreeMap<String, Scope>>,
    /// Some of them; `None` takes a name out.
    pub set: BTreeMap<String, Option<Scope>>,
}

/// What changes of a list: it is replaced first, then added to, then taken from.
#[derive(Debug, Clone)]
pub struct ListPatch<T> {
    /// The whole list from now on.
    pub replace: Option<Vec<T>>,
    /// What comes in, unless it is there.
    pub add: Vec<T>,
    /// What goes out.
    pub remove: Vec<T>,
}

impl<T> Default for ListPatch<T> {
    fn default() -> Self {
        Self { replace: None, add: Vec::new(), remove: Vec::new() }
    }
}

impl<T: Clone + PartialEq> ListPatch<T> {
    /// The list after the change, each value once.
    fn apply(&self, list: &mut Vec<T>) {
        let whole = self.replace.clone().unwrap_or_else(|| list.clone());
        list.clear();
        for value in whole.into_iter().chain(self.add.iter().cloned()) {
            if !list.contains(&value) && !self.remove.contains(&value) {
                list.push(value);
            }
        }
    }
}

/// Registers a client together with its standing grant; the secret is told here and never again. Public clients have none.
pub fn add(cx: &mut Cx<'_>, new: &NewClient) -> Result<(Client, Option<Secret>)> {
    let mut client = checked(cx, new)?;
    let secret = first_secret(cx, &client, new.secret.as_ref())?;
    client.secrets.extend(secret.as_ref().map(|secret| row_of(secret, cx.now, cx.rng)));
    insert(cx, &client)?;
    Ok((client, secret))
}

/// Registers a client of which only the hash of a secret is known, if anything.
pub fn add_hashed(cx: &mut Cx<'_>, new: &NewClient, hash: Option<SecretHash>) -> Result<Client> {
    let mut client = checked(cx, new)?;
    client.secrets.extend(hash.map(|hash| hashed(hash, cx.now, cx.rng)));
    insert(cx, &client)?;
    Ok(client)
}

fn checked(cx: &mut Cx<'_>, new: &NewClient) -> Result<Client> {
    cx.store.take_turn()?;
    preview(cx, new)
}

/// The client that would be registered, or why it would be refused; writes nothing.
pub fn preview(cx: &mut Cx<'_>, new: &NewClient) -> Result<Client> {
    must_be_new(cx.store, &new.client_id)?;
    let client = draft(new, ids::sortable(cx.now, cx.rng), cx.now);
    check(cx, &client)?;
    Ok(client)
}

fn insert(cx: &mut Cx<'_>, client: &Client) -> Result<()> {
    if !cx.store.insert_client(client)? {
        return Err(changed_meanwhile("the client"));
    }
    cx.store.insert_grant(&standing_grant(client, cx.now))?;
    Ok(cx.audit(Audit::of("client_added").client(&client.client_id).detail(client.preset.as_str()))?)
}

/// Changes a client; the fields that really changed. Nothing is written when none did.
pub fn set(cx: &mut Cx<'_>, client_id: &str, patch: &ClientPatch) -> Result<(Client, Vec<FieldChange>)> {
    cx.store.take_turn()?;
    let before = find(cx.store, client_id)?;
    let mut client = patched(&before, patch);
    let changes = diff::between(&diff::client_fields(&before), &diff::client_fields(&client));
    if changes.is_empty() {
        return Ok((before, changes));
    }
    check(cx, &client)?;
    client.updated_at = cx.now;
    if !cx.store.update_client(&client)? {
        return Err(changed_meanwhile("the client"));
    }
    cx.audit(Audit::of("client_changed").client(client_id).detail(diff::names(&changes)))?;
    if client.settings.role_map != before.settings.role_map && client_id == cx.policy.chat_client {
        let old = cx.store.list_role_maps()?.into_iter().find(|map| map.name == before.settings.role_map);
        chat::map_changed(cx, &client.settings.role_map, &old.unwrap_or_default())?;
    }
    if client.disabled && !before.disabled {
        let revoked = cx.store.revoke_grants(GrantsOf::Client(client_id), cx.now)?.len();
        cx.audit(Audit::of("client_disabled").client(client_id).detail(format!("{}: {revoked} grants", Revocation::ClientDisabled.as_str())))?;
    }
    if before.disabled && !client.disabled {
        cx.audit(Audit::of("client_enabled").client(client_id))?;
    }
    Ok((client, changes))
}

/// What [`set`] would change, or why it would be refused; writes nothing.
pub fn preview_set(cx: &mut Cx<'_>, client_id: &str, patch: &ClientPatch) -> Result<Vec<FieldChange>> {
    let before = find(cx.store, client_id)?;
    let client = patched(&before, patch);
    check(cx, &client)?;
    Ok(diff::between(&diff::client_fields(&before), &diff::client_fields(&client)))
}

/// Puts a hash in the place of all secrets of the client.
pub fn replace_secrets(cx: &mut Cx<'_>, client_id: &str, hash: Option<SecretHash>) -> Result<()> {
    cx.store.take_turn()?;
    let mut client = find(cx.store, client_id)?;
    for secret in &client.secrets {
        cx.store.delete_client_secret(client_id, &secret.id)?;
    }
    if let Some(hash) = hash {
        cx.store.insert_client_secret(client_id, &hashed(hash, cx.now, cx.rng))?;
    }
    client.updated_at = cx.now;
    cx.store.update_client(&client)?;
    Ok(cx.audit(Audit::of("client_secret_rotated").client(client_id).detail("the one of the site that it came from"))?)
}

/// Gives the client a new secret. The ones before it end after `overlap` seconds, with 0 at once.
pub fn rotate_secret(cx: &mut Cx<'_>, client_id: &str, overlap: i64) -> Result<Secret> {
    cx.store.take_turn()?;
    let client = find(cx.store, client_id)?;
    must_be_confidential(&client)?;
    let secret = Secret::generate(cx.rng, SECRET_PREFIX);
    put_secret(cx, client, &secret, overlap)?;
    Ok(secret)
}

/// Makes a secret brought along the client's newest one. The ones before it end after `overlap` seconds.
pub fn set_secret(cx: &mut Cx<'_>, client_id: &str, secret: &Secret, overlap: i64) -> Result<()> {
    cx.store.take_turn()?;
    let client = find(cx.store, client_id)?;
    must_be_confidential(&client)?;
    check_given_secret(secret)?;
    put_secret(cx, client, secret, overlap)
}

/// Why a presented secret would not work at the token endpoint; `None` when it would.
pub fn check_secret(client: &Client, presented: &str, now: UnixTime) -> Option<Cause> {
    if client.disabled {
        return Some(Cause::DisabledClient);
    }
    if client.is_public() {
        return Some(Cause::WrongAuthMethod);
    }
    if presented.is_empty() {
        return Some(Cause::SecretMissing);
    }
    diagnose_secret(client, presented, now)
}

/// Removes a client with its secrets, consents and grants.
pub fn remove(cx: &mut Cx<'_>, client_id: &str) -> Result<Client> {
    cx.store.take_turn()?;
    let client = find(cx.store, client_id)?;
    if !cx.store.delete_client(client_id)? {
        return Err(changed_meanwhile("the client"));
    }
    cx.audit(Audit::of("client_removed").client(client_id))?;
    Ok(client)
}

/// By identifier; refused when there is none.
pub fn find(store: &mut dyn Store, client_id: &str) -> Result<Client> {
    if let Some(client) = store.find_client(client_id)? {
        return Ok(client);
    }
    let lower = client_id.to_lowercase();
    let known: Vec<String> = store.list_clients()?.into_iter().map(|client| client.client_id).collect();
    let nearest = known.iter().find(|id| id.to_lowercase() == lower || id.starts_with(client_id) || client_id.starts_with(id.as_str())).cloned();
    let refusal = Refusal::invalid_request("There is no such client", Cause::UnknownClient);
    Err(refusal.expected("a registered client_id").received(client_id).nearest(nearest).fix("propusk client list").into())
}

/// The client that `new` describes, without a secret; checks nothing.
pub(super) fn draft(new: &NewClient, standing_grant_id: String, now: UnixTime) -> Client {
    let blank = Client {
        client_id: new.client_id.clone(),
        name: new.client_id.clone(),
        preset: new.preset,
        disabled: false,
        first_party: new.preset.is_first_party(),
        standing_grant_id,
        settings: new.preset.settings(),
        secrets: Vec::new(),
        created_at: now,
        updated_at: now,
    };
    patched(&blank, &new.patch())
}

/// The client after the change; checks nothing.
pub(super) fn patched(client: &Client, patch: &ClientPatch) -> Client {
    let mut after = client.clone();
    let settings = &mut after.settings;
    patch.redirect_uris.apply(&mut settings.redirect_uris);
    patch.post_logout_redirect_uris.apply(&mut settings.post_logout_redirect_uris);
    patch.grant_types.apply(&mut settings.grant_types);
    let mut scopes = words(&settings.scopes);
    patch.scopes.apply(&mut scopes);
    settings.scopes = scopes.iter().collect();
    if let Some(audience) = &patch.audience {
        settings.audience = Some(audience.clone()).filter(|audience| !audience.is_empty());
    }
    replace(&mut settings.access_token_alg, patch.access_token_alg);
    replace(&mut settings.id_token_alg, patch.id_token_alg);
    replace(&mut settings.access_token_lifetime, patch.access_token_lifetime);
    replace(&mut settings.role_map, patch.role_map.clone());
    replace(&mut settings.query_token, patch.query_token);
    replace(&mut settings.introspect, patch.introspect);
    replace(&mut settings.require_pkce, patch.require_pkce);
    if let Some(uri) = &patch.backchannel_logout_uri {
        settings.backchannel_logout_uri = Some(uri.clone()).filter(|uri| !uri.is_empty());
    }
    replace(&mut settings.backchannel_logout_session_required, patch.backchannel_logout_session_required);
    replace(&mut settings.gitlab_facade, patch.gitlab_facade);
    replace(&mut settings.scope_aliases, patch.scope_aliases.replace.clone());
    for (name, scope) in &patch.scope_aliases.set {
        match scope {
            Some(scope) => settings.scope_aliases.insert(name.clone(), scope.clone()),
            None => settings.scope_aliases.remove(name),
        };
    }
    replace(&mut after.name, patch.name.clone());
    replace(&mut after.disabled, patch.disabled);
    replace(&mut after.first_party, patch.first_party);
    after
}

fn replace<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn words(scope: &Scope) -> Vec<String> {
    scope.iter().map(str::to_owned).collect()
}

fn must_be_new(store: &mut dyn Store, client_id: &str) -> Result<()> {
    if !is_valid_client_id(client_id) {
        let refusal = Refusal::invalid_request("A client identifier cannot look like this", Cause::InvalidName);
        return Err(refusal.expected("1 to 128 characters of A-Z, a-z, 0-9, dot, underscore, tilde and hyphen").received(client_id).into());
    }
    if store.find_client(client_id)?.is_some() {
        let refusal = Refusal::invalid_request("The client identifier is taken", Cause::NameTaken).client(client_id);
        return Err(refusal
            .expected("an identifier that is not registered")
            .received(client_id)
            .fix(format!("propusk client set {client_id}"))
            .into());
    }
    // A token whose subject is its client's identifier is the client's own; subjects that were taken over are not random.
    if store.find_user(client_id)?.is_some() {
        let refusal = Refusal::invalid_request("The client identifier is somebody's subject", Cause::NameTaken).client(client_id);
        return Err(refusal.expected("an identifier that is nobody's subject").received(client_id).into());
    }
    Ok(())
}

fn must_be_confidential(client: &Client) -> Result<(), Refusal> {
    if !client.is_public() {
        return Ok(());
    }
    let refusal = Refusal::invalid_request("A public client has no secret", Cause::InvalidSetting).client(&client.client_id);
    Err(refusal.expected("a client of the presets rocket-chat, web, service or api").received(client.preset.as_str()))
}

fn first_secret(cx: &Cx<'_>, client: &Client, given: Option<&Secret>) -> Result<Option<Secret>, Refusal> {
    match given {
        Some(secret) => {
            must_be_confidential(client)?;
            check_given_secret(secret)?;
            Ok(Some(secret.clone()))
        }
        None if client.is_public() => Ok(None),
        None => Ok(Some(Secret::generate(cx.rng, SECRET_PREFIX))),
    }
}

fn put_secret(cx: &mut Cx<'_>, mut client: Client, secret: &Secret, overlap: i64) -> Result<()> {
    let row = row_of(secret, cx.now, cx.rng);
    cx.store.insert_client_secret(&client.client_id, &row)?;
    cx.store.expire_client_secrets(&client.client_id, &row.id, cx.now.plus(overlap.max(0)))?;
    client.updated_at = cx.now;
    cx.store.update_client(&client)?;
    Ok(cx.audit(Audit::of("client_secret_rotated").client(&client.client_id).detail(format!("old ones end after {} s", overlap.max(0))))?)
}

fn row_of(secret: &Secret, now: UnixTime, rng: &dyn Random) -> ClientSecret {
    hashed(secret.hash(), now, rng)
}

fn hashed(hash: SecretHash, now: UnixTime, rng: &dyn Random) -> ClientSecret {
    ClientSecret { id: ids::sortable(now, rng), hash, created_at: now, expires_at: None, last_used_at: None }
}

/// The grant on which client-credentials tokens hang: issuing one of those writes nothing.
fn standing_grant(client: &Client, now: UnixTime) -> Grant {
    Grant {
        id: client.standing_grant_id.clone(),
        sub: None,
        client_id: client.client_id.clone(),
        scope: client.settings.scopes.clone(),
        sid: None,
        offline: false,
        auth_time: None,
        amr: Vec::new(),
        nonce: None,
        code: None,
        refresh: None,
        created_at: now,
        expires_at: None,
        revoked_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_replaced_then_added_to_then_taken_from() {
        let mut list = vec!["a", "b"];
        ListPatch { replace: None, add: vec!["b", "c"], remove: vec!["a"] }.apply(&mut list);
        assert_eq!(list, ["b", "c"]);
        ListPatch { replace: Some(vec!["x", "x", "y"]), add: vec!["z"], remove: vec!["y"] }.apply(&mut list);
        assert_eq!(list, ["x", "z"]);
        ListPatch::default().apply(&mut list);
        assert_eq!(list, ["x", "z"]);
    }
}
