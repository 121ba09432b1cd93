//! What a running server holds: one small clonable handle, built once, no statics.

use crate::backup::schedule::Status;
use crate::cache::Caches;
use crate::clock::Clock;
use crate::instance::Instance;
use crate::last_uses::LastUses;
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::outbox::Poke;
use crate::pages::brand::{Brand, brand_css};
use crate::pages::i18n::Locale;
use crate::refusals::RefusalSink;
use crate::settings::Settings;
use crate::trace::TraceSink;
use actix_web::web::Bytes;
use arc_swap::ArcSwap;
use propusk_crypto::{MasterKey, PasswordHasher, SystemRandom};
use propusk_domain::ephemeral::Ephemeral;
use propusk_domain::keys::ServerKeys;
use propusk_domain::token::issue::ACR_PASSWORD;
use propusk_domain::{Error, Fault, Policy, UnixTime};
use propusk_protocol::Metadata;
use propusk_storage::Database;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// The handle.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

impl Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What the handle refers to.
pub struct Inner {
    /// What the operator has set.
    pub settings: Arc<Settings>,
    /// Lifetimes and limits.
    pub policy: Arc<Policy>,
    /// The database.
    pub db: Database,
    /// The ephemeral store.
    pub ephemeral: Arc<dyn Ephemeral>,
    /// What keys are sealed with.
    pub master: MasterKey,
    /// What is cached.
    pub caches: Arc<Caches>,
    /// Randomness.
    pub rng: SystemRandom,
    /// Password hashing.
    pub hasher: PasswordHasher,
    /// Sign-ins that may stand at the hasher: as many as it computes at once and as many again, which take a free block of memory
    /// without a hop through the workers (with the former alone, a core was idle for a tenth of the time under load).
    pub hash_permits: Semaphore,
    /// HTTP to others.
    pub outbound: Outbound,
    /// As many permits as sign-ins may wait for the chat at once.
    pub chat_calls: Arc<Semaphore>,
    /// Whether channels of the chat are private, and when it said so.
    pub chat_rooms: Mutex<HashMap<String, (bool, UnixTime)>>,
    /// How many sign-ins wait for a permit.
    pub hash_waiting: AtomicUsize,
    /// Where refusals go.
    pub refusals: RefusalSink,
    /// Wakes whoever delivers the outbox.
    pub poke: Arc<Poke>,
    /// Where the steps of sign-ins go.
    pub traces: TraceSink,
    /// What became of the scheduled backups.
    pub backups: Status,
    /// What is counted.
    pub metrics: Metrics,
    /// The community's look.
    pub brand: Brand,
    /// Its stylesheet.
    pub brand_css: Bytes,
    /// The language where nobody says.
    pub locale: Locale,
    /// The discovery document, serialised once.
    pub discovery: Document,
    clock: Arc<dyn Clock>,
    keys: ArcSwap<ServerKeys>,
    jwks: ArcSwap<Document>,
    keys_read: Mutex<Option<Instant>>,
    /// Sessions, personal tokens and clients' secrets that were used, by identifier.
    pub used_sessions: LastUses,
    /// See above.
    pub used_tokens: LastUses,
    /// See above.
    pub used_secrets: LastUses,
    issued: Mutex<HashMap<String, u64>>,
    /// The one permit for verifying a client's secret that another server hashed, and how many wait for it.
    pub foreign_secrets: Semaphore,
    /// See above.
    pub foreign_secrets_waiting: AtomicUsize,
    imported_cost: Mutex<Option<(UnixTime, Option<String>)>>,
}

/// A document that is served as it stands.
#[derive(Debug, Clone)]
pub struct Document {
    /// The JSON text.
    pub body: Bytes,
    /// Its strong entity tag, quotes included.
    pub etag: String,
}

impl Document {
    fn of(value: &impl serde::Serialize) -> Result<Self, Fault> {
        let text = serde_json::to_string(value).map_err(Fault::broken)?;
        let etag = format!("\"{}\"", propusk_crypto::digest(&text).chars().take(22).collect::<String>());
        Ok(Self { body: Bytes::from(text), etag })
    }
}

/// Sign-ins that may wait for the chat at once, a thread each.
const CHAT_CALLS: usize = 16;
/// Seconds for which the commonest imported hash is remembered.
const IMPORTED_COST_AGE: i64 = 60;

/// How often keys are read again because of an unknown `kid`.
const KEYS_READ_AT_MOST: Duration = Duration::from_secs(1);

impl AppState {
    /// Builds the state of a server over an opened installation.
    pub fn new(instance: Instance, ephemeral: Arc<dyn Ephemeral>) -> Result<Self, Fault> {
        let Instance { settings, db, keys, master, policy, rng, clock } = instance;
        let brand = Brand::new(settings.brand.name.as_deref(), settings.brand.logo_url.as_deref(), settings.brand.accent.as_deref())
            .map_err(|problems| Fault::broken(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
        let permits = settings.password.permits();
        let jwks = Document::of(&keys.ring.jwks(clock.now().0))?;
        Ok(Self(Arc::new(Inner {
            discovery: Document::of(&Metadata::new(&policy.issuer, &[ACR_PASSWORD]))?,
            hasher: PasswordHasher::new(settings.password.params(), permits)?,
            hash_permits: Semaphore::new(2 * permits),
            hash_waiting: AtomicUsize::new(0),
            chat_rooms: Mutex::default(),
            outbound: Outbound::new(&settings.outbound)?,
            chat_calls: Arc::new(Semaphore::new(CHAT_CALLS)),
            refusals: RefusalSink::default(),
            poke: Arc::default(),
            traces: TraceSink::default(),
            backups: Status::default(),
            metrics: Metrics::new(),
            brand_css: Bytes::from(brand_css(&brand)),
            brand,
            locale: Locale::from_tag(&settings.locale).unwrap_or(Locale::En),
            caches: Arc::default(),
            jwks: ArcSwap::from_pointee(jwks),
            keys: ArcSwap::new(keys),
            keys_read: Mutex::new(None),
            used_sessions: LastUses::default(),
            used_tokens: LastUses::default(),
            used_secrets: LastUses::default(),
            issued: Mutex::default(),
            foreign_secrets: Semaphore::new(1),
            foreign_secrets_waiting: AtomicUsize::new(0),
            imported_cost: Mutex::default(),
            settings,
            policy,
            db,
            ephemeral,
            master,
            rng,
            clock,
        })))
    }
}

impl Inner {
    /// The installation, for what the command line does in the same way.
    pub fn instance(&self) -> Instance {
        Instance {
            settings: Arc::clone(&self.settings),
            db: self.db.clone(),
            keys: self.keys(),
            master: self.master.clone(),
            policy: Arc::clone(&self.policy),
            rng: self.rng,
            clock: Arc::clone(&self.clock),
        }
    }

    /// The one time of a request: to be asked once.
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The keys as they are now.
    pub fn keys(&self) -> Arc<ServerKeys> {
        self.keys.load_full()
    }

    /// The key set document as it is now.
    pub fn jwks(&self) -> Arc<Document> {
        self.jwks.load_full()
    }

    /// Reads the keys again.
    pub fn reload_keys(&self) -> Result<(), Fault> {
        let rows = self.db.read(|store| Ok(store.list_keys()?)).map_err(Error::into_fault)?;
        let keys = propusk_domain::keys::unseal(&rows, &self.master)?;
        self.jwks.store(Arc::new(Document::of(&keys.ring.jwks(self.now().0))?));
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// Whether an unknown `kid` may make this process read the keys again: at most once a second.
    pub fn may_reload_keys(&self) -> bool {
        let mut last = self.keys_read.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= KEYS_READ_AT_MOST);
        if due {
            *last = Some(Instant::now());
        }
        due
    }

    /// A client was given a token of its own; counted, not recorded one by one.
    pub fn client_token_issued(&self, client_id: &str) {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = issued.get_mut(client_id) {
            *count += 1;
        } else {
            issued.insert(client_id.to_owned(), 1);
        }
    }

    /// (client, tokens of its own) since this was asked last.
    pub fn take_issued(&self) -> HashMap<String, u64> {
        std::mem::take(&mut *self.issued.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Scheme and parameters of most password hashes that another site made, while any remains; read at most once a minute.
    pub fn imported_cost(&self, store: &mut dyn propusk_domain::store::Store, now: UnixTime) -> Result<Option<String>, Fault> {
        let known = self.imported_cost.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, cost)) = known.filter(|(read, _)| (0..IMPORTED_COST_AGE).contains(&now.since(*read))) {
            return Ok(cost);
        }
        let cost = store.commonest_imported_cost()?;
        *self.imported_cost.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, cost.clone()));
        Ok(cost)
    }

    /// Whether another sign-in may wait for its password to be hashed.
    pub fn enter_hash_queue(&self) -> Option<HashTicket<'_>> {
        let waiting = self.hash_waiting.fetch_add(1, Ordering::AcqRel);
        let ticket = HashTicket(&self.hash_waiting);
        (waiting < self.settings.password.queue + self.settings.password.permits()).then_some(ticket)
    }
}

/// A place in the queue for password hashing; given back on drop.
pub struct HashTicket<'a>(&'a AtomicUsize);

impl Drop for HashTicket<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
