//! Refusals on their way to `propusk explain`: written off the request path, in batches, counted under a flood.

use propusk_domain::records::RefusalRecord;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How many refusals wait at most; beyond that they are only counted.
const CAPACITY: usize = 4096;

/// How many are written in one transaction.
const BATCH: usize = 200;

/// The queue between the handlers and the thread that writes.
#[derive(Default)]
pub struct RefusalSink {
    queue: Mutex<Vec<RefusalRecord>>,
    ready: Condvar,
    dropped: AtomicU64,
}

impl RefusalSink {
    /// Hands a refusal over; never waits.
    pub fn push(&self, record: RefusalRecord) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() >= CAPACITY {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.push(record);
        self.ready.notify_one();
    }

    /// How many were only counted.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits up to `patience` for refusals and takes a batch.
    pub fn take(&self, patience: Duration) -> Vec<RefusalRecord> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_empty() {
            queue = self.ready.wait_timeout(queue, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        let count = queue.len().min(BATCH);
        queue.drain(..count).collect()
    }
}
