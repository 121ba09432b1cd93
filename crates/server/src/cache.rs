//! What a process may answer from memory, and how that stays true.
//!
//! Entries are dropped when a [`Change`] names them: at once for changes that this process commits, within a quarter of a
//! second for those of others. A fill that overlaps a drop is thrown away, and when the watcher has not succeeded for a
//! second nothing is answered from here at all.

use propusk_domain::UnixTime;
use propusk_domain::client::RegisteredClient;
use propusk_domain::grant::Grant;
use propusk_domain::records::{Change, ChangeKind};
use propusk_domain::token::memory::{Learned, Memory};
use propusk_domain::user::User;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// When the watcher has been silent for so long, the caches are not asked.
const STALE: Duration = Duration::from_secs(1);

/// How many entries a cache holds before it makes room: about 1.2 KiB each, and every code that is redeemed fills one.
const CAPACITY: usize = 1024;

/// How many codes wait for the client that comes for them, within milliseconds as a rule.
const CODES: usize = 512;

/// Everything that is cached.
pub struct Caches {
    /// Clients with their role maps, by client id.
    pub clients: Cache<RegisteredClient>,
    /// People, by subject.
    pub users: Cache<User>,
    /// Grants, by id.
    pub grants: Cache<Grant>,
    /// Grants whose code was issued here and not asked for yet, by the code's digest.
    pub codes: Cache<Grant>,
    /// The origins of public clients' redirect URIs, for CORS; dropped with any client.
    pub origins: Cache<HashSet<String>>,
    denied: RwLock<HashMap<String, UnixTime>>,
    epoch: AtomicU64,
    born: Instant,
    /// Milliseconds after `born` at which the watcher succeeded last.
    watched: AtomicU64,
}

/// The state of the caches when a read began; a fill with an older one is thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(u64);

impl Default for Caches {
    fn default() -> Self {
        Self {
            clients: Cache::default(),
            users: Cache::default(),
            grants: Cache::default(),
            codes: Cache::of(CODES),
            origins: Cache::default(),
            denied: RwLock::default(),
            epoch: AtomicU64::new(0),
            born: Instant::now(),
            watched: AtomicU64::new(0),
        }
    }
}

impl Caches {
    /// Whether the caches may be asked.
    pub fn are_fresh(&self) -> bool {
        let watched = Duration::from_millis(self.watched.load(Ordering::Acquire));
        self.born.elapsed().saturating_sub(watched) < STALE
    }

    /// The watcher has read every change up to now.
    pub fn mark_watched(&self, began: Instant) {
        let millis = u64::try_from(began.duration_since(self.born).as_millis()).unwrap_or(u64::MAX);
        self.watched.store(millis, Ordering::Release);
    }

    /// To be taken before a read whose result will fill a cache.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Fills an entry, unless anything was dropped since the read began.
    pub fn fill<V>(&self, cache: &Cache<V>, key: &str, value: Arc<V>, began: Epoch) {
        let mut map = cache.map.write().unwrap_or_else(PoisonError::into_inner);
        // Checked under the lock that drops take, so that no drop can pass between the check and the insert.
        if self.epoch() == began {
            if map.len() >= cache.capacity {
                let some: Vec<String> = map.keys().take(cache.capacity / 8).cloned().collect();
                for key in some {
                    map.remove(&key);
                }
            }
            map.insert(key.to_owned(), value);
        }
    }

    /// Fills in what a token request has read.
    pub fn learn(&self, Learned { grant, user }: Learned, began: Epoch) {
        self.fill(&self.grants, &grant.id, Arc::clone(&grant), began);
        self.fill(&self.users, &user.sub, Arc::clone(&user), began);
    }

    /// Keeps the grant of a code that was just issued for whoever comes for it, who will decide by the row.
    pub fn issued(&self, grant: &Arc<Grant>) {
        if let Some(code) = &grant.code {
            self.fill(&self.codes, &code.digest, Arc::clone(grant), self.epoch());
        }
    }

    /// Drops what the changes name.
    pub fn drop_changed(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        self.epoch.fetch_add(1, Ordering::AcqRel);
        for change in changes {
            match change.kind {
                ChangeKind::Client => {
                    self.clients.drop(&change.id);
                    self.origins.clear();
                }
                ChangeKind::User => self.users.drop(&change.id),
                ChangeKind::Grant => self.grants.drop(&change.id),
                ChangeKind::RoleMaps => self.clients.clear(),
                // Until the list is read again the token is denied for as long as any could live.
                ChangeKind::Denied if !change.id.is_empty() => {
                    self.denied.write().unwrap_or_else(PoisonError::into_inner).insert(change.id.clone(), UnixTime(i64::MAX));
                }
                ChangeKind::Session | ChangeKind::Keys | ChangeKind::Denied | ChangeKind::Outbox => {}
            }
        }
    }

    /// Drops everything.
    pub fn clear(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.clients.clear();
        self.users.clear();
        self.grants.clear();
        self.codes.clear();
        self.origins.clear();
    }

    /// Replaces the deny list by the one that was read.
    pub fn set_denied(&self, list: Vec<(String, UnixTime)>) {
        *self.denied.write().unwrap_or_else(PoisonError::into_inner) = list.into_iter().collect();
    }

    /// Whether the one token is on the deny list.
    pub fn is_denied(&self, jti: &str, now: UnixTime) -> bool {
        self.denied.read().unwrap_or_else(PoisonError::into_inner).get(jti).is_some_and(|end| now < *end)
    }
}

impl Memory for Caches {
    fn grant(&self, id: &str) -> Option<Arc<Grant>> {
        self.are_fresh().then(|| self.grants.find(id)).flatten()
    }

    fn take_code(&self, digest: &str) -> Option<Arc<Grant>> {
        let grant = self.codes.map.write().unwrap_or_else(PoisonError::into_inner).remove(digest);
        grant.filter(|_| self.are_fresh())
    }

    fn user(&self, sub: &str) -> Option<Arc<User>> {
        self.are_fresh().then(|| self.users.find(sub)).flatten()
    }
}

/// One cache.
pub struct Cache<V> {
    map: RwLock<HashMap<String, Arc<V>>>,
    capacity: usize,
}

impl<V> Default for Cache<V> {
    fn default() -> Self {
        Self::of(CAPACITY)
    }
}

impl<V> Cache<V> {
    fn of(capacity: usize) -> Self {
        Self { map: RwLock::default(), capacity }
    }

    /// The entry, if it is there.
    pub fn find(&self, key: &str) -> Option<Arc<V>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn drop(&self, key: &str) {
        if key.is_empty() {
            self.clear();
        } else {
            self.map.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
    }

    fn clear(&self) {
        self.map.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: ChangeKind, id: &str) -> Change {
        Change { seq: 1, kind, id: id.to_owned() }
    }

    #[test]
    fn a_fill_that_overlaps_a_drop_is_thrown_away() {
        let caches = Caches::default();
        let before = caches.epoch();
        caches.drop_changed(&[change(ChangeKind::User, "anna")]);
        caches.fill(&caches.origins, "all", Arc::new(HashSet::new()), before);
        assert!(caches.origins.find("all").is_none());
        caches.fill(&caches.origins, "all", Arc::new(HashSet::new()), caches.epoch());
        assert!(caches.origins.find("all").is_some());
        caches.drop_changed(&[change(ChangeKind::Client, "site")]);
        assert!(caches.origins.find("all").is_none());
    }

    #[test]
    fn a_denied_token_is_denied_before_the_list_is_read_again() {
        let caches = Caches::default();
        caches.drop_changed(&[change(ChangeKind::Denied, "g.1")]);
        assert!(caches.is_denied("g.1", UnixTime(5)));
        caches.set_denied(vec![("g.1".into(), UnixTime(10))]);
        assert!(caches.is_denied("g.1", UnixTime(9)));
        assert!(!caches.is_denied("g.1", UnixTime(10)));
    }
}
