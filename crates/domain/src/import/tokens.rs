//! Live tokens of django-oauth-toolkit become adopted ones, so that nobody is signed out by the move.

use super::record::short_digest;
use super::{Finding, NaturalKeys, Outcome, Pointer, Record};
use crate::client::{Client, GrantType, is_reserved_scope};
use crate::context::{Audit, Cx};
use crate::error::{Fault, Result};
use crate::grant::{Grant, Refresh};
use crate::ids;
use crate::imported::{AdoptedKind, AdoptedToken};
use crate::records::Consent;
use crate::time::UnixTime;
use crate::user::User;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use propusk_crypto::digest;
use propusk_protocol::Scope;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The token of a record by its SHA-256: the checksum that newer versions keep, or that of the clear column.
pub fn digest_of(record: &Record) -> Option<String> {
    let checksum = record.text("token_checksum").filter(|hex| hex.len() == 64).and_then(bytes_of);
    match checksum {
        Some(bytes) => Some(URL_SAFE_NO_PAD.encode(bytes)),
        None => record.text("token").filter(|token| !token.is_empty()).map(digest),
    }
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

/// What becomes of each scope of the site: others, or nothing.
pub type ScopeMap = BTreeMap<String, Scope>;

/// The scope of a token after the mapping; words that nothing maps stay. What opens something of this server is never taken from a
/// site, where the same word may have meant anything.
pub fn mapped_scope(text: &str, map: &ScopeMap) -> Scope {
    // One by one, so that a word that is no scope costs only itself.
    text.split_whitespace()
        .flat_map(|word| map.get(word).map_or_else(|| vec![word], |scope| scope.iter().collect()))
        .filter(|word| !is_reserved_scope(word))
        .collect()
}

/// A live refresh token, until the access token that knows its scope is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteRefresh {
    /// The primary key.
    pub key: String,
    /// Its digest.
    pub digest: String,
    /// When it was issued.
    pub issued_at: UnixTime,
}

impl SiteRefresh {
    /// Reads a refresh token with the key of its access token; `None` when it was revoked.
    pub fn read(record: &Record, now: UnixTime) -> Result<Option<(String, Self)>, Finding> {
        if record.value("revoked").is_some() {
            return Ok(None);
        }
        let left_out = |slug, detail: &str| Finding::left_out(slug, &record.model, &record.key, detail);
        let digest = digest_of(record).ok_or_else(|| left_out("broken", "the token has neither a text nor a checksum"))?;
        // Its scope is that of its access token.
        let access = record.reference("access_token").ok_or_else(|| left_out("no_scope", "its access token was removed, and the scope with it"))?;
        let issued_at = record.time("created").filter(|at| *at <= now).unwrap_or(now);
        Ok(Some((access, Self { key: record.key.clone(), digest, issued_at })))
    }
}

/// An access token, with its refresh token where that lives.
#[derive(Debug, Clone)]
pub struct SiteToken {
    model: String,
    key: String,
    /// `None` for a client's own token.
    user: Option<String>,
    client_id: String,
    scope: Scope,
    issued_at: UnixTime,
    /// `None` when the access token itself is not alive any more.
    access: Option<(String, UnixTime)>,
    refresh: Option<SiteRefresh>,
}

/// The applications that count here.
#[derive(Debug, Default)]
pub struct SiteClients {
    by_key: HashMap<String, String>,
    ids: HashSet<String>,
}

impl SiteClients {
    /// Notes the client of an application; one that was dumped without its primary key is known by its client_id alone.
    pub fn insert(&mut self, key: &str, client_id: &str) {
        if !key.is_empty() {
            self.by_key.insert(key.to_owned(), client_id.to_owned());
        }
        self.ids.insert(client_id.to_owned());
    }

    /// The natural key of the toolkit's applications is their client_id.
    fn of(&self, pointer: &Pointer) -> Option<&str> {
        match pointer {
            Pointer::Key(key) => self.by_key.get(key).map(String::as_str),
            Pointer::Natural(id) => self.ids.get(id).map(String::as_str),
            Pointer::Null | Pointer::Unreadable => None,
        }
    }
}

impl SiteToken {
    /// Reads an access token; `None` when neither it nor a refresh token of it is alive.
    pub fn read(
        record: &Record,
        refresh: Option<SiteRefresh>,
        clients: &SiteClients,
        people: &NaturalKeys,
        scopes: &ScopeMap,
        now: UnixTime,
    ) -> Result<Option<Self>, Finding> {
        let left_out = |slug, detail: &str| Finding::left_out(slug, &record.model, &record.key, detail);
        let expires = record.time("expires").ok_or_else(|| left_out("broken", "the time of expiry cannot be read"))?;
        if expires <= now && refresh.is_none() {
            return Ok(None);
        }
        let client_id = clients.of(&record.pointer("application"));
        let client_id = client_id.ok_or_else(|| left_out("unknown_client", "its application was not taken over"))?.to_owned();
        // A token of a person that became its client's own would outlive whatever happens to the person.
        let user = people.resolve(record.pointer("user")).map_err(|reason| left_out("unknown_user", reason).named(&client_id))?;
        let access = if expires > now {
            Some((digest_of(record).ok_or_else(|| left_out("broken", "the token has neither a text nor a checksum"))?, expires))
        } else {
            None
        };
        Ok(Some(Self {
            model: record.model.clone(),
            key: record.key.clone(),
            user,
            client_id,
            scope: mapped_scope(record.text("scope").unwrap_or_default(), scopes),
            issued_at: record.time("created").filter(|at| *at <= now).unwrap_or(now),
            access,
            refresh,
        }))
    }
}

impl SiteToken {
    /// Whether the access token itself is alive.
    pub const fn has_access(&self) -> bool {
        self.access.is_some()
    }
}

/// What a dry run would have written by now; empty in a real one.
#[derive(Debug, Default)]
pub struct Plan {
    people: HashMap<u64, bool>,
    clients: HashMap<String, Client>,
}

impl Plan {
    /// Somebody would be here, able to sign in or not.
    pub fn person(&mut self, site_key: &str, is_active: bool) {
        self.people.insert(short_digest(site_key), is_active);
    }

    /// A client would be here.
    pub fn client(&mut self, client: Client) {
        self.clients.insert(client.client_id.clone(), client);
    }
}

/// What became of a token and its refresh token; `None` where there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The access token.
    pub access: Option<Outcome>,
    /// The refresh token.
    pub refresh: Option<Outcome>,
}

/// Adopts a token: it hangs on a grant of its own, which has its scope and which logout everywhere, a disabled account and a
/// revocation end. A client's own token does not hang on the standing grant, whose scope is all that the client may have.
///
/// With a plan nothing is written, and what the plan holds counts as if it were.
pub fn adopt(cx: &mut Cx<'_>, token: &SiteToken, plan: Option<&Plan>) -> Result<Adopted> {
    let all = |outcome: Outcome| Adopted {
        access: token.access.as_ref().map(|_| outcome.clone()),
        refresh: token.refresh.as_ref().map(|_| outcome.clone()),
    };
    let left = |slug, detail: &str| Ok(all(Outcome::Left(Finding::left_out(slug, &token.model, &token.key, detail).named(&token.client_id))));
    let planned = plan.and_then(|plan| plan.clients.get(&token.client_id).cloned());
    let Some(client) = planned.map_or_else(|| cx.store.find_client(&token.client_id), |client| Ok(Some(client)))? else {
        return left("unknown_client", "its application was not taken over");
    };
    let grant_id = grant_id(token);
    let owner = owner(cx, token, plan)?;
    let person = match &owner {
        Owner::Client | Owner::Planned => None,
        Owner::Person(user) => Some(user.as_ref()),
        Owner::Nobody => return left("unknown_user", "its person was not taken over"),
        Owner::Disabled => return left("user_disabled", "its person is disabled"),
    };
    let known = match &token.access {
        Some((digest, _)) => cx.store.find_adopted_token(digest)?.is_some(),
        None => cx.store.find_grant(&grant_id)?.is_some(),
    };
    if known {
        return Ok(all(Outcome::Unchanged));
    }
    // The client may have a preset without refresh tokens; a token that can never be used is not kept.
    let refresh = token.refresh.as_ref().filter(|_| !matches!(owner, Owner::Client) && client.may_use(GrantType::RefreshToken));
    if plan.is_none() {
        make_grant(cx, token, refresh, &client, person, &grant_id)?;
        write_tokens(cx, token, refresh, &grant_id)?;
    }
    let refused =
        || Finding::left_out("grant_not_taken", &token.model, &token.key, "the client does not refresh tokens here").named(&token.client_id);
    let refreshed = token.refresh.as_ref().map(|_| if refresh.is_some() { Outcome::Added } else { Outcome::Left(refused()) });
    Ok(Adopted { access: token.access.as_ref().map(|_| Outcome::Added), refresh: refreshed })
}

enum Owner {
    Client,
    Person(Box<User>),
    /// Would be here after a real run.
    Planned,
    Disabled,
    Nobody,
}

fn owner(cx: &mut Cx<'_>, token: &SiteToken, plan: Option<&Plan>) -> Result<Owner, Fault> {
    let Some(key) = &token.user else { return Ok(Owner::Client) };
    match plan.and_then(|plan| plan.people.get(&short_digest(key))) {
        Some(true) => return Ok(Owner::Planned),
        Some(false) => return Ok(Owner::Disabled),
        None => {}
    }
    let Some(row) = cx.store.find_imported_user(key)? else { return Ok(Owner::Nobody) };
    Ok(match cx.store.find_user(&row.sub)? {
        Some(user) if user.is_active() => Owner::Person(Box::new(user)),
        Some(_) => Owner::Disabled,
        None => Owner::Nobody,
    })
}

/// The same in each run, so that a repeated one finds it.
fn grant_id(token: &SiteToken) -> String {
    digest(&format!("adopted\n{}\n{}\n{}", token.client_id, token.model, token.key)).chars().take(25).collect()
}

fn make_grant(
    cx: &mut Cx<'_>,
    token: &SiteToken,
    refresh: Option<&SiteRefresh>,
    client: &Client,
    user: Option<&User>,
    grant_id: &str,
) -> Result<(), Fault> {
    let end = token.access.as_ref().map_or(cx.now, |(_, expires)| *expires);
    let grant = Grant {
        id: grant_id.to_owned(),
        sub: user.map(|user| user.sub.clone()),
        client_id: client.client_id.clone(),
        scope: token.scope.clone(),
        sid: None,
        // No session of this server was there to end it.
        offline: true,
        auth_time: None,
        amr: Vec::new(),
        nonce: None,
        code: None,
        // The adopted refresh token counts as generation 1: rotation, retry and reuse follow from there.
        refresh: refresh.map(|refresh| Refresh { generation: 1, nonce: ids::random(cx.rng), rotated_at: refresh.issued_at }),
        created_at: token.issued_at,
        expires_at: Some(if refresh.is_some() { cx.now.plus(cx.policy.grant_lifetime) } else { end }),
        revoked_at: None,
    };
    cx.store.insert_grant(&grant)?;
    let event = Audit::of("token_adopted").client(&client.client_id).grant(grant_id);
    let Some(user) = user else { return cx.audit(event) };
    // Who has a token has agreed once; they are not asked again for the same.
    if !client.first_party && cx.store.find_consent(&user.sub, &client.client_id)?.is_none() {
        let consent = Consent { sub: user.sub.clone(), client_id: client.client_id.clone(), scope: token.scope.clone(), granted_at: token.issued_at };
        cx.store.put_consent(&consent)?;
    }
    cx.audit(event.sub(&user.sub))
}

fn write_tokens(cx: &mut Cx<'_>, token: &SiteToken, refresh: Option<&SiteRefresh>, grant_id: &str) -> Result<(), Fault> {
    let access = token.access.as_ref().map(|(digest, expires)| (digest, AdoptedKind::Access, token.issued_at, Some(*expires)));
    let refresh = refresh.map(|refresh| (&refresh.digest, AdoptedKind::Refresh, refresh.issued_at, None));
    for (digest, kind, issued_at, expires_at) in access.into_iter().chain(refresh) {
        cx.store.insert_adopted_token(&AdoptedToken { digest: digest.clone(), kind, grant_id: grant_id.to_owned(), issued_at, expires_at })?;
    }
    Ok(())
}
