//! Rocket.Chat from the outside: its REST API as this program uses it, and the connector that keeps its accounts in step.

pub mod agree;
pub mod connection;
pub(crate) mod courier;
pub(crate) mod everybody;
pub mod login;
mod own_flow;
pub mod provision;
pub mod refusals;
pub mod rest;
pub mod sync;
mod token;
pub(crate) mod upkeep;
pub mod workspace;

use crate::instance::Instance;
use crate::outbound::Outbound;
use crate::state::AppState;
use propusk_domain::{Error, Fault, Result};
use tokio::sync::oneshot;

/// Speaks to the chat for a request that waits. A chat that answers slowly holds a few places of its own, and no thread of anybody
/// else's request.
pub(crate) async fn ask<T: Send + 'static>(state: &AppState, f: impl FnOnce(&Instance, &Outbound) -> T + Send + 'static) -> Result<T> {
    let Ok(place) = state.chat_calls.clone().try_acquire_owned() else {
        return Err(refusals::busy().into());
    };
    let (instance, outbound) = (state.instance(), state.outbound.clone());
    let (sender, receiver) = oneshot::channel();
    let work = move || {
        let answer = f(&instance, &outbound);
        drop(place);
        // A browser that hung up does not wait any more; what was made is kept for its next visit.
        let _gone = sender.send(answer);
    };
    std::thread::Builder::new().name("chat-call".to_owned()).spawn(work).map_err(|error| Error::from(Fault::passing(error.to_string())))?;
    receiver.await.map_err(|_| Fault::broken("a question to the chat broke off").into())
}
