//! In the process: for tests, and for nothing that several processes share.

use propusk_domain::ephemeral::Ephemeral;
use propusk_domain::{Fault, UnixTime};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Entries that one sweep removes at most.
const BATCH: usize = 200;

/// Ephemeral state in memory; lost with the process.
#[derive(Debug, Default)]
pub struct MemoryEphemeral(Mutex<HashMap<String, Entry>>);

#[derive(Debug, Clone)]
struct Entry {
    value: Vec<u8>,
    number: i64,
    expires_at: UnixTime,
}

impl MemoryEphemeral {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ephemeral for MemoryEphemeral {
    fn put(&self, key: &str, value: &[u8], lifetime: i64, now: UnixTime) -> Result<(), Fault> {
        self.entries().insert(key.to_owned(), Entry { value: value.to_vec(), number: 0, expires_at: now.plus(lifetime) });
        Ok(())
    }

    fn put_new(&self, key: &str, value: &[u8], lifetime: i64, now: UnixTime) -> Result<bool, Fault> {
        let mut entries = self.entries();
        if entries.get(key).is_some_and(|entry| now < entry.expires_at) {
            return Ok(false);
        }
        entries.insert(key.to_owned(), Entry { value: value.to_vec(), number: 0, expires_at: now.plus(lifetime) });
        Ok(true)
    }

    fn get(&self, key: &str, now: UnixTime) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.entries().get(key).filter(|entry| now < entry.expires_at).map(|entry| entry.value.clone()))
    }

    fn take(&self, key: &str, now: UnixTime) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.entries().remove(key).filter(|entry| now < entry.expires_at).map(|entry| entry.value))
    }

    fn count(&self, key: &str, by: i64, lifetime: i64, now: UnixTime) -> Result<i64, Fault> {
        let mut entries = self.entries();
        let fresh = Entry { value: Vec::new(), number: 0, expires_at: now.plus(lifetime) };
        let entry = entries.entry(key.to_owned()).or_insert_with(|| fresh.clone());
        if now >= entry.expires_at {
            *entry = fresh;
        }
        entry.number = entry.number.saturating_add(by);
        Ok(entry.number)
    }

    fn sweep(&self, now: UnixTime) -> Result<usize, Fault> {
        let mut entries = self.entries();
        let old: Vec<String> = entries.iter().filter(|(_, entry)| now >= entry.expires_at).map(|(key, _)| key.clone()).take(BATCH).collect();
        for key in &old {
            entries.remove(key);
        }
        Ok(old.len())
    }

    fn ping(&self) -> Result<(), Fault> {
        Ok(())
    }
}
