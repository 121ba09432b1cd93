//! The name of the request at hand, so that every line of the log that it causes carries it.

use std::future::Future;

tokio::task_local! {
    static ID: String;
}

/// Runs a request under its name.
pub(crate) async fn scope<F: Future>(id: String, request: F) -> F::Output {
    ID.scope(id, request).await
}

/// The name of the request that this is part of; `None` outside of any.
pub(crate) fn current() -> Option<String> {
    ID.try_with(Clone::clone).ok()
}
