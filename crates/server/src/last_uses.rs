//! When things were used last, on the way to the database: noted by requests, written once a minute, off their path.

use propusk_domain::UnixTime;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Identifier and time of the last use since this was asked last.
#[derive(Debug, Default)]
pub struct LastUses(Mutex<HashMap<String, UnixTime>>);

impl LastUses {
    /// It was used.
    pub fn note(&self, id: &str, now: UnixTime) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = uses.get_mut(id) {
            *at = now;
        } else {
            uses.insert(id.to_owned(), now);
        }
    }

    /// All that were used, which are forgotten here.
    pub fn take(&self) -> HashMap<String, UnixTime> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
