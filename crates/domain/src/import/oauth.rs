//! Applications of django-oauth-toolkit become clients.

use super::tokens::{ScopeMap, mapped_scope};
use super::{Finding, Pointer, Record};
use crate::admin::clients::{ClientPatch, ListPatch, NewClient};
use crate::client::{GrantType, Preset, USER_SCOPES, is_reserved_scope, is_valid_client_id};
use propusk_crypto::foreign::judge;
use propusk_crypto::{Judged, Secret, SecretHash, WeakHash};
use propusk_protocol::redirect_uri::check_registration;
use propusk_protocol::{RedirectUriProblem, Scope};
use std::collections::{BTreeSet, HashMap};

/// A secret shorter than this can be guessed from its digest.
const SHORT_SECRET: usize = 22;

/// What the toolkit keeps of an application's secret.
#[derive(Debug, Clone, PartialEq)]
pub enum SiteSecret {
    /// There is none.
    None,
    /// Ready to be stored: our digest of a clear one, or the site's hash as it is.
    Hash(SecretHash),
    /// To be wrapped first.
    Weak(WeakHash),
}

/// What the applications of the site went on asking for.
#[derive(Debug, Clone, Default)]
pub struct OldScopes {
    /// By the key or natural key of an application: the scopes of its tokens, mapped.
    own: HashMap<(bool, String), BTreeSet<String>>,
    /// In the same way: the scopes of its tokens that open something of this server, and are not taken.
    reserved: HashMap<(bool, String), BTreeSet<String>>,
    /// What any application of the toolkit may ask for, mapped: every scope that the site is seen to have.
    pub all: BTreeSet<String>,
    /// The map.
    pub map: ScopeMap,
}

impl OldScopes {
    /// Scopes that are gathered at most, of one application and of all.
    const MOST: usize = 100;

    /// The scopes that the map names are known without any token, whatever they are here.
    pub fn new(map: ScopeMap) -> Self {
        let all = map.values().flat_map(Scope::iter).filter(|word| !is_reserved_scope(word)).map(str::to_owned).collect();
        Self { all, map, ..Self::default() }
    }

    /// Takes note of a token's scope.
    pub fn learn(&mut self, application: Pointer, text: &str) {
        let application = match application {
            Pointer::Key(key) => (false, key),
            Pointer::Natural(id) => (true, id),
            Pointer::Null | Pointer::Unreadable => return,
        };
        let scope = mapped_scope(text, &self.map);
        let reserved = text.split_whitespace().filter(|word| is_reserved_scope(word) && Scope::parse(word).is_ok());
        let reserved: BTreeSet<String> = reserved.filter(|word| !self.map.contains_key(*word)).take(Self::MOST).map(str::to_owned).collect();
        if !reserved.is_empty() {
            self.reserved.entry(application.clone()).or_default().extend(reserved);
        }
        let own = self.own.entry(application).or_default();
        own.extend(scope.iter().take(Self::MOST.saturating_sub(own.len())).map(str::to_owned));
        self.share(&scope);
    }

    /// What everybody has by their preset stays with the preset, and what opens something of this server with its owner.
    fn share(&mut self, scope: &Scope) {
        let shared = scope.iter().filter(|word| !USER_SCOPES.contains(word) && !is_reserved_scope(word));
        self.all.extend(shared.take(Self::MOST.saturating_sub(self.all.len())).map(str::to_owned));
    }

    fn of(&self, key: &str, client_id: &str) -> Vec<String> {
        let own = either(&self.own, key, client_id);
        self.all.iter().chain(own).collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }
}

/// What is known of an application by its key and by its natural key.
fn either<'a>(known: &'a HashMap<(bool, String), BTreeSet<String>>, key: &str, client_id: &str) -> impl Iterator<Item = &'a String> {
    let names = [(false, key.to_owned()), (true, client_id.to_owned())];
    names.into_iter().filter_map(|name| known.get(&name)).flatten()
}

/// An application to be registered.
#[derive(Debug, Clone)]
pub struct SiteApplication {
    /// The model.
    pub model: String,
    /// The primary key, to which tokens refer.
    pub key: String,
    /// The client.
    pub new: NewClient,
    /// Its secret.
    pub secret: SiteSecret,
    /// The column that the secret was read from.
    pub secret_text: String,
}

impl SiteApplication {
    /// Reads a record. It may ask for `scopes` from now on, by their old names, too; notes go to `findings`.
    pub fn read(record: &Record, scopes: &OldScopes, issuer: &str, findings: &mut Vec<Finding>) -> Result<Self, Finding> {
        let left_out = |slug, detail: &str| Finding::left_out(slug, &record.model, &record.key, detail);
        let client_id = record.trimmed("client_id").unwrap_or_default();
        if !is_valid_client_id(client_id) {
            return Err(left_out("bad_client_id", "the client_id is not 1 to 128 characters of A-Z, a-z, 0-9, dot, underscore, tilde and hyphen"));
        }
        let mut note = |slug, detail: String| findings.push(Finding::note(slug, &record.model, &record.key, detail).named(client_id));
        let public = match record.text("client_type") {
            Some("public") => true,
            Some("confidential") => false,
            _ => return Err(left_out("broken", "client_type is neither public nor confidential").named(client_id)),
        };
        let uris = |field: &str| -> Vec<String> { record.text(field).unwrap_or_default().split_whitespace().map(str::to_owned).collect() };
        let allow_http = check_registration(issuer, false, false) == Err(RedirectUriProblem::InsecureHttp);
        let (mut redirect_uris, mut post_logout) = (uris("redirect_uris"), uris("post_logout_redirect_uris"));
        let grant = record.text("authorization_grant_type").unwrap_or_default();
        let preset = preset_of(grant, public, &redirect_uris)
            .ok_or_else(|| left_out("unsupported_grant", "a public client cannot use client-credentials").named(client_id))?;
        for uris in [&mut redirect_uris, &mut post_logout] {
            uris.retain(|uri| match check_registration(uri, preset.settings().native, allow_http) {
                Ok(()) => true,
                Err(problem) => {
                    note("redirect_uri_dropped", crate::error::printable(&format!("{uri}: {problem}")));
                    false
                }
            });
        }
        if !matches!(grant, "authorization-code" | "openid-hybrid" | "client-credentials") {
            note("grant_not_taken", format!("the grant {grant} does not exist here; the client may only refresh the tokens that it has"));
        }
        if record.text("algorithm") == Some("HS256") {
            note("algorithm_changed", "ID tokens are signed by RS256 here, not by HS256 with the secret".to_owned());
        }
        let reserved: BTreeSet<&str> = either(&scopes.reserved, &record.key, client_id).map(String::as_str).collect();
        if !reserved.is_empty() {
            let words: Vec<&str> = reserved.into_iter().collect();
            let grant = words.join(" --add-scope ");
            let detail = format!(
                "{} of its tokens opens something of this server and was not taken: propusk client set {client_id} --add-scope {grant}",
                words.join(" ")
            );
            note("privileged_scope", crate::error::printable(&detail));
        }
        let secret = secret_of(record, public, &mut note);
        let name = record.trimmed("name").filter(|name| name.chars().count() <= 200 && !name.chars().any(char::is_control));
        let mut new = NewClient::new(client_id, preset);
        new.name = name.map(str::to_owned);
        new.redirect_uris = redirect_uris;
        new.post_logout_redirect_uris = post_logout;
        new.first_party = record.flag("skip_authorization").or(Some(false));
        new.more = patch_of(grant, preset, scopes.of(&record.key, client_id), &scopes.map);
        Ok(Self {
            model: record.model.clone(),
            key: record.key.clone(),
            new,
            secret,
            secret_text: record.text("client_secret").unwrap_or_default().to_owned(),
        })
    }
}

fn preset_of(grant: &str, public: bool, redirect_uris: &[String]) -> Option<Preset> {
    if grant == "client-credentials" {
        return (!public).then_some(Preset::Service);
    }
    if !public {
        return Some(if redirect_uris.iter().any(|uri| uri.contains("/_oauth/")) { Preset::RocketChat } else { Preset::Web });
    }
    let is_web = !redirect_uris.is_empty() && redirect_uris.iter().all(|uri| uri.starts_with("https://"));
    Some(if is_web { Preset::Spa } else { Preset::Native })
}

fn patch_of(grant: &str, preset: Preset, scopes: Vec<String>, map: &ScopeMap) -> ClientPatch {
    let mut patch = ClientPatch { scopes: ListPatch { add: scopes, ..ListPatch::default() }, ..ClientPatch::default() };
    patch.scope_aliases.set = map.iter().map(|(theirs, ours)| (theirs.clone(), Some(ours.clone()))).collect();
    if preset.has_people() && !matches!(grant, "authorization-code" | "openid-hybrid") {
        patch.grant_types.replace = Some(vec![GrantType::RefreshToken]);
    }
    patch
}

fn secret_of(record: &Record, public: bool, note: &mut dyn FnMut(&'static str, String)) -> SiteSecret {
    let secret = record.text("client_secret").unwrap_or_default();
    if public || secret.is_empty() {
        if !public {
            note("no_secret", "the application has no secret: propusk client rotate-secret".to_owned());
        }
        return SiteSecret::None;
    }
    // A clear secret may look like a bare hash; only one that names its scheme is taken for one.
    if record.flag("hash_client_secret") != Some(false) && secret.contains('$') {
        match judge(secret) {
            Judged::Accepted { .. } => return SiteSecret::Hash(SecretHash::from_stored(secret.to_owned())),
            Judged::Weak(weak) => return SiteSecret::Weak(weak),
            Judged::Refused(reason) => {
                note("secret_not_taken", format!("the hash of the secret is not accepted: {reason}; propusk client rotate-secret"));
                return SiteSecret::None;
            }
            Judged::Unusable => {}
        }
    }
    if secret.len() < SHORT_SECRET {
        note("short_secret", "the secret is short enough to be guessed: propusk client rotate-secret".to_owned());
    }
    SiteSecret::Hash(Secret::new(secret.to_owned()).hash())
}
