//! Refusals on their way to `propusk explain`: written off the request path, in batches, counted under a flood.

use propusk_domain::records::{AuditEvent, RefusalRecord};
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
    events: Mutex<Vec<AuditEvent>>,
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

    /// Hands over an event that goes with a refusal; there is at most one a limit and window.
    pub fn push_event(&self, event: AuditEvent) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Takes the events.
    pub fn take_events(&self) -> Vec<AuditEvent> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives back what could not be written, to be taken first the next time.
    pub fn put_back(&self, batch: Vec<RefusalRecord>, events: Vec<AuditEvent>) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).splice(..0, batch);
        self.events.lock().unwrap_or_else(PoisonError::into_inner).splice(..0, events);
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
