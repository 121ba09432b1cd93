//! A client's secret that another server had hashed: verified as it is, slowly, and kept in our form from then on.
//!
//! PBKDF2 takes as long as a password does, and a stranger who knows a client id can ask for it without end. So one is computed
//! at a time, on one of the permits of the sign-ins, a few wait, and the others are told to come back. The client's own first
//! request ends the slow way for good, unless its secret is short.

use crate::state::AppState;
use propusk_crypto::{ForeignHash, MAX_PASSWORD_BYTES, Secret, SecretHash, Verdict};
use propusk_domain::client::RegisteredClient;
use propusk_domain::{Cause, Fault, Refusal, Result, UnixTime};
use propusk_protocol::{ClientCredentials, ErrorCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A secret shorter than this can be guessed from its SHA-256 (128 bits in base64url).
const SHORT_SECRET: usize = 22;

/// How many requests wait for the one permit.
const WAITING: usize = 8;

/// The client, with its secret in our form when the presented one matches a foreign hash; as it was otherwise.
pub(super) async fn upgraded(
    state: &AppState,
    client: Arc<RegisteredClient>,
    credentials: &ClientCredentials,
    now: UnixTime,
) -> Result<Arc<RegisteredClient>> {
    let live = || client.client.secrets.iter().filter(|secret| secret.is_live(now));
    let foreign: Vec<(String, String)> =
        live().filter(|secret| is_foreign(secret.hash.as_str())).map(|secret| (secret.id.clone(), secret.hash.as_str().to_owned())).collect();
    let presented = presented(credentials);
    if foreign.is_empty() || client.client.disabled || presented.iter().any(|secret| live().any(|known| known.hash.matches(secret))) {
        return Ok(client);
    }
    let Some(_place) = Place::take(&state.foreign_secrets_waiting) else {
        let public = "The secret of this client cannot be checked at the moment, try again";
        return Err(Refusal::new(ErrorCode::TemporarilyUnavailable, public, Cause::HashQueueFull).client(client.id()).retry_after(2).into());
    };
    let _permit = state.foreign_secrets.acquire().await.map_err(Fault::broken)?;
    let _hashing = state.hash_permits.acquire().await.map_err(Fault::broken)?;
    let found = state.blocking(move |state| find(state, &foreign, &presented)).await?;
    let Some(Found { id, from, to, short }) = found else { return Ok(client) };
    let mut upgraded = RegisteredClient::clone(&client);
    for secret in upgraded.client.secrets.iter_mut().filter(|secret| secret.id == id) {
        secret.hash = to.clone();
    }
    if short {
        // A single SHA-256 would make it easier to guess than the slow hash does, for whoever reads the database.
        tracing::warn!(client_id = client.id(), "the client's secret is short, so it stays in its slow form: propusk client rotate-secret");
        return Ok(Arc::new(upgraded));
    }
    let client_id = client.id().to_owned();
    state.write(now, move |cx| Ok(cx.store.replace_secret_hash(&client_id, &id, &from, to.as_str())?)).await?;
    Ok(Arc::new(upgraded))
}

fn is_foreign(stored: &str) -> bool {
    ForeignHash::parse(stored).is_ok()
}

/// Both readings of a Basic header, each once.
fn presented(credentials: &ClientCredentials) -> Vec<String> {
    let mut secrets = match credentials {
        ClientCredentials::None { .. } => Vec::new(),
        ClientCredentials::Post { secret, .. } => vec![secret.clone()],
        ClientCredentials::Basic { secret, raw, .. } => {
            let raw = raw.as_ref().map(|(_, raw)| raw.clone()).filter(|raw| raw != secret);
            std::iter::once(secret.clone()).chain(raw).collect()
        }
    };
    secrets.retain(|secret| (1..=MAX_PASSWORD_BYTES).contains(&secret.len()));
    secrets
}

/// The row and the hash that a presented secret matches, with our form of it.
struct Found {
    id: String,
    from: String,
    to: SecretHash,
    /// Whether it could be guessed from our form.
    short: bool,
}

fn find(state: &AppState, foreign: &[(String, String)], presented: &[String]) -> Option<Found> {
    for (id, hash) in foreign {
        for secret in presented {
            if matches!(state.hasher.verify(secret, Some(hash)), Verdict::Right { .. }) {
                let (to, short) = (Secret::new(secret.clone()).hash(), secret.len() < SHORT_SECRET);
                return Some(Found { id: id.clone(), from: hash.clone(), to, short });
            }
        }
    }
    None
}

/// A place in the queue, given back on drop.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let before = waiting.fetch_add(1, Ordering::AcqRel);
        let place = Self(waiting);
        (before < WAITING).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
