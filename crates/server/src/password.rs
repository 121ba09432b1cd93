//! Checking a password: count the attempt, read, hash outside every transaction behind as many permits as cores.

use crate::state::AppState;
use propusk_crypto::Verdict;
use propusk_domain::throttle::{admit, succeeded};
use propusk_domain::user::{User, name_key};
use propusk_domain::{Cause, Error, Fault, Refusal, Result, UnixTime, login};
use propusk_protocol::ErrorCode;

/// Somebody whose password was right.
pub(crate) struct Checked {
    /// The person, as read before the hash was computed.
    pub user: User,
    /// A new hash, when the parameters were raised since the old one was made.
    pub rehashed: Option<String>,
}

/// Refuses a wrong password, an unknown or disabled person, a throttled attempt and a full queue.
pub(crate) async fn check(state: &AppState, username: &str, password: &str, address: &str, now: UnixTime) -> Result<Checked> {
    let (name, address) = (username.to_owned(), address.to_owned());
    let (attempt, user, nobody) = state
        .blocking(move |state| {
            let admitted = admit(state.ephemeral.as_ref(), &name_key(&name), &address, state.settings.login.thresholds(), now);
            let attempt = admitted.map_err(|error| about_whom(state, error, &name))?;
            let (user, nobody) = state.db.read(|store| Ok((login::find(store, &name)?, state.imported_cost(store, now)?)))?;
            Ok::<_, propusk_domain::Error>((attempt, user, nobody))
        })
        .await??;
    let stored = user.as_ref().and_then(|user| user.password_hash.clone());
    let (verdict, rehashed) = hash(state, password.to_owned(), stored, nobody).await?;
    let user = login::judge(username, user, verdict)?;
    state.blocking(move |state| succeeded(state.ephemeral.as_ref(), &attempt)).await??;
    Ok(Checked { user, rehashed })
}

/// Puts the person into an alarm. Only the first refusal of a window takes this look, whether or not anybody has the name.
fn about_whom(state: &AppState, error: Error, name: &str) -> Error {
    let Error::Refused(mut refusal) = error else { return error };
    if let Some(alarm) = &mut refusal.alarm {
        match state.db.read(|store| login::find(store, name)) {
            Ok(user) => alarm.sub = user.map(|user| user.sub),
            Err(error) => tracing::warn!(fault = %error.into_fault(), "whose account is guessed at could not be read"),
        }
    }
    Error::Refused(refusal)
}

/// Nobody of that name costs the same time as somebody: a hash is computed in either case, and while hashes of another site
/// remain, one like most of them (`nobody`).
async fn hash(state: &AppState, password: String, stored: Option<String>, nobody: Option<String>) -> Result<(Verdict, Option<String>)> {
    let Some(_ticket) = state.enter_hash_queue() else {
        return Err(queue_full().into());
    };
    let _permit = state.hash_permits.acquire().await.map_err(Fault::broken)?;
    state
        .blocking(move |state| {
            let verdict = match (&stored, &nobody) {
                (None, Some(cost)) => state.hasher.verify_nobody(&password, cost),
                _ => state.hasher.verify(&password, stored.as_deref()),
            };
            let rehashed = match verdict {
                Verdict::Right { rehash: true } => Some(state.hasher.hash(&password, &state.rng)?),
                _ => None,
            };
            Ok((verdict, rehashed))
        })
        .await?
}

fn queue_full() -> Refusal {
    let public = "Too many sign-ins at the moment, try again";
    Refusal::new(ErrorCode::TemporarilyUnavailable, public, Cause::HashQueueFull)
        .expected("a free place in the queue of passwords to check")
        .received("a full queue")
        .fix("try again in a moment; if it lasts, give the machine more cores or lower password.memory_kib")
        .retry_after(2)
}

/// Hashes a new password, in the same queue as the sign-ins.
pub(crate) async fn hash_new(state: &AppState, password: String) -> Result<String> {
    let Some(_ticket) = state.enter_hash_queue() else {
        return Err(queue_full().into());
    };
    let _permit = state.hash_permits.acquire().await.map_err(Fault::broken)?;
    Ok(state.blocking(move |state| state.hasher.hash(&password, &state.rng)).await??)
}
