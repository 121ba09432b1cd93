//! What an operator does, as rules over a real database.

mod declared;
mod people;
mod registration;
mod role_maps;

use propusk_crypto::{Secret, SystemRandom};
use propusk_domain::admin::apply::{self, Applied, Difference, Rehearsed};
use propusk_domain::admin::clients::{self, ClientPatch, NewClient};
use propusk_domain::admin::declaration::{Declaration, Material};
use propusk_domain::admin::users::{self, NewUser, UserPatch};
use propusk_domain::admin::{RolledBack, roles};
use propusk_domain::client::Preset;
use propusk_domain::grant::Grant;
use propusk_domain::keys::ServerKeys;
use propusk_domain::records::AuditFilter;
use propusk_domain::session::Session;
use propusk_domain::user::NameKind;
use propusk_domain::{Cause, Cx, Error, Policy, Refusal, UnixTime};
use propusk_storage::{Database, Settings};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;

/// A fresh SQLite database with the default roles, and a clock that is moved.
struct House {
    db: Database,
    now: Arc<AtomicI64>,
    policy: Policy,
    _directory: TempDir,
}

impl House {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("propusk.db").display());
        let db = Database::open(&Settings { url, pool_size: 2, migrate: true, busy_timeout_ms: 2000 }).unwrap();
        let house = Self { db, now: Arc::new(AtomicI64::new(1_795_219_200)), policy: Policy::default(), _directory: directory };
        assert!(house.write(roles::ensure_defaults).unwrap());
        house
    }

    fn write<T: Send + 'static>(&self, mut f: impl FnMut(&mut Cx<'_>) -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
        let (policy, now) = (self.policy.clone(), UnixTime(self.now.load(Ordering::SeqCst)));
        self.db.write(move |store| f(&mut Cx { store, rng: &SystemRandom, now, policy: &policy, keys: &ServerKeys::default() }))
    }

    fn later(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    fn add(&self, username: &str, role: &str) -> String {
        let new = NewUser::new(username, role);
        self.write(move |cx| users::add(cx, new.clone())).unwrap().sub
    }

    fn set(&self, sub: &str, patch: UserPatch) -> Result<Vec<String>, Refusal> {
        let sub = sub.to_owned();
        let changes = refused(self.write(move |cx| users::set(cx, &sub, &patch)))?.1;
        Ok(changes.into_iter().map(|change| change.name).collect())
    }

    fn names(&self, sub: &str) -> Vec<(String, NameKind)> {
        let sub = sub.to_owned();
        let names = self.write(move |cx| Ok(cx.store.list_sign_in_names(&sub)?)).unwrap();
        names.into_iter().map(|name| (name.name, name.kind)).collect()
    }

    /// (kind, detail), sorted: within one second the trail has no order.
    fn audit(&self) -> Vec<(String, String)> {
        let events = self.write(|cx| Ok(cx.store.list_audit(&AuditFilter { limit: 100, ..AuditFilter::default() })?)).unwrap();
        let mut events: Vec<_> = events.into_iter().map(|event| (event.kind, event.detail.unwrap_or_default())).collect();
        events.sort();
        events
    }

    fn has_audit(&self, kind: &str, detail: &str) -> bool {
        self.audit().contains(&(kind.to_owned(), detail.to_owned()))
    }

    fn kinds(&self) -> Vec<String> {
        self.audit().into_iter().map(|(kind, _)| kind).collect()
    }

    fn client(&self, new: NewClient) -> Result<Option<Secret>, Refusal> {
        refused(self.write(move |cx| clients::add(cx, &new))).map(|(_, secret)| secret)
    }

    fn set_client(&self, id: &str, patch: ClientPatch) -> Result<Vec<String>, Refusal> {
        let id = id.to_owned();
        let changes = refused(self.write(move |cx| clients::set(cx, &id, &patch)))?.1;
        Ok(changes.into_iter().map(|change| change.name).collect())
    }

    fn check(&self, id: &str, secret: &str) -> Option<Cause> {
        let (id, secret) = (id.to_owned(), secret.to_owned());
        self.write(move |cx| Ok(clients::check_secret(&clients::find(cx.store, &id)?, &secret, cx.now))).unwrap()
    }

    /// A session and a grant of the person at the client.
    fn sign_in(&self, sub: &str, client_id: &str) -> (String, String) {
        let (sub, client_id) = (sub.to_owned(), client_id.to_owned());
        self.write(move |cx| {
            let sid = propusk_domain::ids::random(cx.rng);
            let id = propusk_domain::ids::sortable(cx.now, cx.rng);
            cx.store.insert_session(&Session {
                cookie_digest: format!("digest of {sid}"),
                sid: sid.clone(),
                sub: sub.clone(),
                auth_time: cx.now,
                amr: vec!["pwd".into()],
                created_at: cx.now,
                last_seen_at: cx.now,
                expires_at: cx.now.plus(1000),
                revoked_at: None,
                user_agent: None,
                address: None,
            })?;
            cx.store.insert_grant(&Grant {
                id: id.clone(),
                sub: Some(sub.clone()),
                client_id: client_id.clone(),
                scope: "openid".parse().unwrap(),
                sid: Some(sid.clone()),
                offline: true,
                auth_time: Some(cx.now),
                amr: vec!["pwd".into()],
                nonce: None,
                code: None,
                refresh: None,
                created_at: cx.now,
                expires_at: Some(cx.now.plus(1000)),
                revoked_at: None,
            })?;
            Ok((sid, id))
        })
        .unwrap()
    }

    /// Whether the session and the grant still stand.
    fn stands(&self, (sid, grant): &(String, String)) -> (bool, bool) {
        let (sid, grant) = (sid.clone(), grant.clone());
        self.write(move |cx| {
            let session = cx.store.find_session_by_sid(&sid)?.is_some_and(|session| session.revoked_at.is_none());
            Ok((session, cx.store.find_grant(&grant)?.is_some_and(|grant| grant.is_alive(cx.now))))
        })
        .unwrap()
    }

    fn apply(&self, toml: &str, material: Material, prune: bool) -> Result<Applied, Refusal> {
        let wanted: Declaration = toml::from_str(toml).unwrap();
        refused(self.write(move |cx| apply::execute(cx, &wanted, &material, prune)).map_err(RolledBack::unwrap))
    }

    fn plan(&self, toml: &str, prune: bool) -> Vec<Difference> {
        self.rehearse(toml, prune).unwrap()
    }

    fn rehearse(&self, toml: &str, prune: bool) -> Result<Vec<Difference>, Refusal> {
        let wanted: Declaration = toml::from_str(toml).unwrap();
        let Err(rehearsed) = self.write(move |cx| Rehearsed::play(cx, &wanted, &Material::default(), prune));
        refused(Rehearsed::differences(rehearsed).map_err(RolledBack::unwrap))
    }
}

fn refused<T>(result: Result<T, Error>) -> Result<T, Refusal> {
    result.map_err(|error| match error {
        Error::Refused(refusal) => *refusal,
        Error::Fault(fault) => panic!("{fault}"),
    })
}

fn web(id: &str) -> NewClient {
    NewClient { redirect_uris: vec!["https://example.org/callback".into()], ..NewClient::new(id, Preset::Web) }
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}
