//! Where async ends: one hop to a thread that may block, or to the writer, with one transaction and one `now`.

use crate::state::AppState;
use actix_web::web;
use propusk_domain::{Cx, Error, Fault, Result, UnixTime};
use propusk_storage::Submitted;
use tokio::sync::oneshot;

impl AppState {
    /// Runs a rule that only reads.
    pub async fn read<T: Send + 'static>(&self, now: UnixTime, f: impl FnOnce(&mut Cx<'_>) -> Result<T> + Send + 'static) -> Result<T> {
        self.blocking(move |state| {
            let keys = state.keys();
            state.db.read(|store| f(&mut Cx { store, rng: &state.rng, now, policy: &state.policy, keys: &keys }))
        })
        .await?
    }

    /// Runs a rule that writes, in one transaction that commits unless it ends in a fault. On SQLite the closure goes to
    /// the writer thread and no thread waits for it; on PostgreSQL it runs on a blocking thread, and again when the
    /// database reports that it was rolled back.
    pub async fn write<T: Send + 'static>(&self, now: UnixTime, mut f: impl FnMut(&mut Cx<'_>) -> Result<T> + Send + 'static) -> Result<T> {
        let state = self.clone();
        let keys = self.keys();
        let run = move |store: &mut dyn propusk_domain::store::Store| f(&mut Cx { store, rng: &state.rng, now, policy: &state.policy, keys: &keys });
        let (sender, receiver) = oneshot::channel();
        let done = move |result| {
            // A client that hung up does not wait for its answer any more; the change stands all the same.
            let _gone = sender.send(result);
        };
        match self.db.submit(run, done) {
            Submitted::Queued => receiver.await.map_err(|_| Error::Fault(Fault::broken("the writer dropped a transaction")))?,
            Submitted::RunBlocking(run, _done) => self.blocking(move |state| state.db.write(run)).await?,
        }
    }

    /// Runs anything else that blocks: hashing, the ephemeral store.
    pub async fn blocking<T: Send + 'static>(&self, f: impl FnOnce(&Self) -> T + Send + 'static) -> Result<T> {
        let state = self.clone();
        web::block(move || f(&state)).await.map_err(|error| Error::Fault(Fault::broken(error)))
    }
}
