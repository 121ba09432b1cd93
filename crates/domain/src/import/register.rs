//! One application registered, or changed after the site has changed it.

use super::oauth::SiteApplication;
use super::tokens::Plan;
use super::{Finding, Outcome};
use crate::admin::clients::{ClientPatch, ListPatch, add_hashed, find, preview, preview_set, replace_secrets, set};
use crate::client::Client;
use crate::context::Cx;
use crate::error::{Error, Fault, Result};
use crate::imported::ImportedClient;
use propusk_crypto::{SecretHash, digest};
use serde_json::json;

/// What became of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// As it is counted.
    pub outcome: Outcome,
    /// Whether the client here is the application of the site, so that tokens of one are tokens of the other.
    pub is_the_sites: bool,
}

/// Registers an application, or follows it. With a plan nothing is written, and a new client is noted there.
pub fn register(cx: &mut Cx<'_>, application: &SiteApplication, hash: Option<SecretHash>, plan: Option<&mut Plan>) -> Result<Registered> {
    let client_id = &application.new.client_id;
    if plan.is_none() {
        cx.store.take_turn()?;
    }
    let left = |slug, detail: String| Outcome::Left(Finding::left_out(slug, &application.model, &application.key, detail).named(client_id));
    let Some(before) = cx.store.find_client(client_id)? else {
        let outcome = unless_refused(add(cx, application, hash, plan), left)?;
        return Ok(Registered { is_the_sites: !matches!(outcome, Outcome::Left(_)), outcome });
    };
    let Some(row) = cx.store.find_imported_client(client_id)? else {
        // Whoever holds that client's secret could renew the tokens of the site's people.
        let detail = format!("a client {client_id} that did not come from the site is registered here: its tokens stay behind, too");
        return Ok(Registered { outcome: left("client_id_taken", detail), is_the_sites: false });
    };
    let outcome = unless_refused(follow(cx, application, hash, &before, &row, plan.is_some()), left)?;
    Ok(Registered { outcome, is_the_sites: true })
}

/// Checks come before every write, so nothing of what is refused stands.
fn unless_refused(done: Result<Outcome>, left: impl Fn(&'static str, String) -> Outcome) -> Result<Outcome> {
    match done {
        Err(Error::Refused(refusal)) => {
            let received = refusal.detail.received.clone().unwrap_or_default();
            Ok(left("refused", format!("{}: {received}", refusal.public)))
        }
        other => other,
    }
}

fn add(cx: &mut Cx<'_>, application: &SiteApplication, hash: Option<SecretHash>, plan: Option<&mut Plan>) -> Result<Outcome> {
    if let Some(plan) = plan {
        plan.client(preview(cx, &application.new)?);
        return Ok(Outcome::Added);
    }
    add_hashed(cx, &application.new, hash)?;
    remember(cx, application)?;
    Ok(Outcome::Added)
}

/// What the site has changed is changed here, unless it was changed here, too.
fn follow(
    cx: &mut Cx<'_>,
    application: &SiteApplication,
    hash: Option<SecretHash>,
    before: &Client,
    row: &ImportedClient,
    dry: bool,
) -> Result<Outcome> {
    let client_id = &application.new.client_id;
    let has_new_secret = row.secret_digest != digest(&application.secret_text);
    let differs = has_new_secret || row.source_digest != source_digest(application)?;
    let left = |slug, detail: &str| Ok(Outcome::Left(Finding::left_out(slug, &application.model, &application.key, detail).named(client_id)));
    if row.local_digest != local_digest(before)? {
        if !differs {
            return Ok(Outcome::Unchanged);
        }
        return left(
            "changed_here",
            "the client was changed here since the last run, and the application differs at the site now: propusk client set",
        );
    }
    if before.preset != application.new.preset {
        let detail = "the application is of another kind at the site now: propusk client remove, then import again";
        return left("preset_changed", detail);
    }
    let patch = patch_of(application, differs);
    let changes = preview_set(cx, client_id, &patch)?;
    if changes.is_empty() && !has_new_secret {
        return Ok(Outcome::Unchanged);
    }
    if dry {
        return Ok(Outcome::Changed);
    }
    set(cx, client_id, &patch)?;
    if has_new_secret {
        replace_secrets(cx, client_id, hash)?;
    }
    remember(cx, application)?;
    Ok(Outcome::Changed)
}

/// Scopes and their old names only come in: a token that has expired meanwhile takes none away.
fn patch_of(application: &SiteApplication, differs: bool) -> ClientPatch {
    let new = &application.new;
    let mut patch = new.more.clone();
    patch.grant_types = ListPatch::default();
    if !differs {
        return patch;
    }
    patch.name = Some(new.name.clone().unwrap_or_else(|| new.client_id.clone()));
    patch.first_party = new.first_party;
    patch.redirect_uris.replace = Some(new.redirect_uris.clone());
    patch.post_logout_redirect_uris.replace = Some(new.post_logout_redirect_uris.clone());
    patch.grant_types.replace = Some(grant_types(application));
    patch
}

fn grant_types(application: &SiteApplication) -> Vec<crate::client::GrantType> {
    let new = &application.new;
    new.more.grant_types.replace.clone().unwrap_or_else(|| new.preset.settings().grant_types)
}

fn remember(cx: &mut Cx<'_>, application: &SiteApplication) -> Result<()> {
    let client_id = &application.new.client_id;
    let client = find(cx.store, client_id)?;
    cx.store.put_imported_client(&ImportedClient {
        client_id: client_id.clone(),
        source_digest: source_digest(application)?,
        secret_digest: digest(&application.secret_text),
        local_digest: local_digest(&client)?,
    })?;
    Ok(())
}

/// Digest of what the record itself says, its secret excepted.
fn source_digest(application: &SiteApplication) -> Result<String, Fault> {
    let new = &application.new;
    let grants: Vec<&str> = grant_types(application).into_iter().map(crate::client::GrantType::as_str).collect();
    let all = json!([new.name, new.preset.as_str(), new.first_party, new.redirect_uris, new.post_logout_redirect_uris, grants]);
    Ok(digest(&serde_json::to_string(&all).map_err(Fault::broken)?))
}

/// Digest of everything about a client that an operator can change. A secret counts by its identifier: its hash takes another form
/// at its first use.
fn local_digest(client: &Client) -> Result<String, Fault> {
    let mut secrets: Vec<_> = client.secrets.iter().map(|secret| (&secret.id, secret.expires_at)).collect();
    secrets.sort_unstable();
    let all = json!([client.name, client.disabled, client.first_party, client.settings, secrets]);
    Ok(digest(&serde_json::to_string(&all).map_err(Fault::broken)?))
}
