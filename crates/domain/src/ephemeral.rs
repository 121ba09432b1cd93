//! State that may be lost without harm: counters, replay marks, parked flows.

use crate::error::Fault;
use crate::time::UnixTime;

/// A store of short-lived bytes. Steps on it run before the durable transaction, never inside it, and a check whose
/// store does not answer refuses. An entry whose time has come is as good as gone on every backend, whatever the
/// backend's own clock says: `now` decides.
pub trait Ephemeral: Send + Sync {
    /// Sets `key`.
    fn put(&self, key: &str, value: &[u8], lifetime: i64, now: UnixTime) -> Result<(), Fault>;
    /// Sets `key` unless it lives; true for exactly one of several callers.
    fn put_new(&self, key: &str, value: &[u8], lifetime: i64, now: UnixTime) -> Result<bool, Fault>;
    /// The value, while it lives.
    fn get(&self, key: &str, now: UnixTime) -> Result<Option<Vec<u8>>, Fault>;
    /// The value, removed: the single-use gate; exactly one of several callers gets it.
    fn take(&self, key: &str, now: UnixTime) -> Result<Option<Vec<u8>>, Fault>;
    /// Adds `by` to the counter and answers its new value; a counter begins at 0 and lives `lifetime` seconds from its
    /// first count.
    fn count(&self, key: &str, by: i64, lifetime: i64, now: UnixTime) -> Result<i64, Fault>;
    /// Several counts with one lifetime, answered in their order; one step where the backend can do that. A count by 0 reads.
    fn count_all(&self, counts: &[(String, i64)], lifetime: i64, now: UnixTime) -> Result<Vec<i64>, Fault> {
        counts.iter().map(|(key, by)| self.count(key, *by, lifetime, now)).collect()
    }
    /// Removes what has had its time, at most 200 entries; how many. Backends that expire by themselves answer 0.
    fn sweep(&self, now: UnixTime) -> Result<usize, Fault>;
    /// Whether the backend answers.
    fn ping(&self) -> Result<(), Fault>;
}
