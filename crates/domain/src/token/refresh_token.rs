//! The refresh token grant (RFC 6749 §6) with rotation, reuse detection and safe retry (RFC 9700 §4.14.2).

use super::Exchanged;
use super::authorization_code::active_user;
use super::issue;
use super::memory::{Learned, Memory};
use crate::adopted;
use crate::cause::Cause;
use crate::client::RegisteredClient;
use crate::context::{Audit, Cx};
use crate::error::{Refusal, Result, shape};
use crate::grant::{Grant, Refresh, Revocation};
use crate::refresh::{UnverifiedRefreshToken, derive};
use crate::store::GrantsOf;
use propusk_protocol::{ErrorCode, Scope};
use std::sync::Arc;

/// The generation that a refresh token of another server counts as.
const ADOPTED_GENERATION: i64 = 1;

/// Answers the successor of a refresh token. The current one moves the grant on by a generation; the one before it,
/// within the retry window, answers the same successor again, so that a lost response costs nobody a login; anything
/// older is reuse and revokes the grant.
pub fn rotate(cx: &mut Cx<'_>, client: &RegisteredClient, presented: &str, scope: Option<&Scope>, memory: &dyn Memory) -> Result<Exchanged> {
    let unknown = || unknown(client, presented);
    let (grant, generation) = match UnverifiedRefreshToken::parse(presented) {
        Some(token) => {
            if let Some(exchanged) = in_one_step(cx, client, &token, scope, memory)? {
                return Ok(exchanged);
            }
            (cx.store.find_grant(token.grant_id)?.ok_or_else(unknown)?, token.generation)
        }
        None => (adopted::refresh_grant(cx.store, presented)?.ok_or_else(unknown)?, ADOPTED_GENERATION),
    };
    let state = grant.refresh.clone().ok_or_else(unknown)?;
    if UnverifiedRefreshToken::parse(presented).is_some_and(|token| !token.is_genuine(&state.nonce, cx.keys)) {
        return Err(unknown().into());
    }
    must_belong_to(&grant, client)?;
    must_be_alive(cx, &grant, client)?;
    let user = active_user(cx, &grant, client, memory)?;
    let scope = narrowed(&grant, client, scope)?;
    let successor = advance(cx, client, &grant, &state, generation)?;
    let refresh_token = derive(&grant, &state.nonce, successor, cx.keys)?;
    let issued = issue::for_grant(cx, client, &grant, &user, &scope, Some(refresh_token));
    Ok(Exchanged { issued, learned: Some(Learned { grant: Arc::new(grant), user }) })
}

/// With grant and person in memory, the ordinary rotation is one guarded UPDATE: the generation that the token names must be the current
/// one of a grant that lives. Whatever is not ordinary answers `None`, and is read and judged.
fn in_one_step(
    cx: &mut Cx<'_>,
    client: &RegisteredClient,
    token: &UnverifiedRefreshToken<'_>,
    scope: Option<&Scope>,
    memory: &dyn Memory,
) -> Result<Option<Exchanged>> {
    let Some(grant) = memory.grant(token.grant_id) else { return Ok(None) };
    let Some(user) = grant.sub.as_deref().and_then(|sub| memory.user(sub)) else { return Ok(None) };
    let Some(nonce) = grant.refresh.as_ref().map(|state| &state.nonce) else { return Ok(None) };
    let ordinary = token.is_genuine(nonce, cx.keys) && grant.client_id == client.id() && grant.is_alive(cx.now) && user.is_active();
    let (true, Ok(scope)) = (ordinary, narrowed(&grant, client, scope)) else { return Ok(None) };
    let successor = token.generation + 1;
    if !cx.store.advance_refresh(&grant.id, token.generation, successor, cx.now)? {
        return Ok(None);
    }
    rotated(cx, client, &grant, successor)?;
    let refresh_token = derive(&grant, nonce, successor, cx.keys)?;
    Ok(Some(Exchanged { issued: issue::for_grant(cx, client, &grant, &user, &scope, Some(refresh_token)), learned: None }))
}

fn rotated(cx: &mut Cx<'_>, client: &RegisteredClient, grant: &Grant, generation: i64) -> Result<()> {
    let event = Audit::of("refresh_issued").client(client.id()).grant(&grant.id).detail(format!("generation {generation}"));
    Ok(cx.audit(with_sub(event, grant))?)
}

fn unknown(client: &RegisteredClient, presented: &str) -> Refusal {
    Refusal::invalid_grant("The refresh token is not valid", Cause::RefreshUnknown)
        .client(client.id())
        .expected("a refresh token that this server issued, whose grant is kept")
        .received(shape(presented))
        .fix("sign in again")
}

fn must_belong_to(grant: &Grant, client: &RegisteredClient) -> Result<(), Refusal> {
    if grant.client_id == client.id() {
        return Ok(());
    }
    let refusal = Refusal::invalid_grant("The refresh token is not valid", Cause::RefreshOfAnotherClient);
    Err(refusal
        .client(client.id())
        .expected(format!("the client that the token was issued to: {}", grant.client_id))
        .received(client.id())
        .fix("use the client id with which the person signed in"))
}

fn must_be_alive(cx: &Cx<'_>, grant: &Grant, client: &RegisteredClient) -> Result<(), Refusal> {
    let refuse = |cause| {
        Refusal::invalid_grant("The refresh token is not valid any more", cause).client(client.id()).expected("a live grant").fix("sign in again")
    };
    if let Some(at) = grant.revoked_at {
        return Err(refuse(Cause::GrantRevoked).received(format!("revoked at {at}")));
    }
    match grant.expires_at {
        Some(end) if end <= cx.now => Err(refuse(Cause::GrantExpired).received(format!("expired at {end}"))),
        _ => Ok(()),
    }
}

/// The scope of the answer: what was granted, or less where the client asks for less (RFC 6749 §6).
fn narrowed(grant: &Grant, client: &RegisteredClient, wanted: Option<&Scope>) -> Result<Scope, Refusal> {
    match wanted.map(|wanted| client.client.translated(wanted)) {
        None => Ok(grant.scope.clone()),
        Some(wanted) if wanted.is_subset_of(&grant.scope) => Ok(wanted),
        Some(wanted) => Err(Refusal::new(ErrorCode::InvalidScope, "The scope exceeds what was granted", Cause::ScopeNotAllowed)
            .client(client.id())
            .expected(grant.scope.to_string())
            .received(wanted.to_string())
            .fix("ask for less, or sign in again and ask for the wider scope")),
    }
}

/// Moves the grant on, or finds that it has been moved on already; the generation of the token to answer.
fn advance(cx: &mut Cx<'_>, client: &RegisteredClient, grant: &Grant, state: &Refresh, presented: i64) -> Result<i64> {
    // A genuine token ahead of the row means a restored backup: it moves the row forward like the current one.
    if presented >= state.generation {
        if cx.store.advance_refresh(&grant.id, state.generation, presented + 1, cx.now)? {
            rotated(cx, client, grant, presented + 1)?;
            return Ok(presented + 1);
        }
        // Somebody else has moved it in this moment; what holds for a retry holds here.
        let moved = cx.store.find_grant(&grant.id)?.filter(|now| now.is_alive(cx.now)).and_then(|grant| grant.refresh);
        let state = moved.ok_or_else(|| gone(client))?;
        return retry(cx, client, grant, &state, presented);
    }
    retry(cx, client, grant, state, presented)
}

/// Revoked by somebody else in the same moment.
fn gone(client: &RegisteredClient) -> Refusal {
    Refusal::invalid_grant("The refresh token is not valid any more", Cause::GrantRevoked)
        .client(client.id())
        .expected("a live grant")
        .received("revoked just now")
        .fix("sign in again")
}

fn retry(cx: &mut Cx<'_>, client: &RegisteredClient, grant: &Grant, state: &Refresh, presented: i64) -> Result<i64> {
    let age = cx.now.since(state.rotated_at);
    let window = cx.policy.refresh_retry_window;
    if presented == state.generation - 1 && window > 0 && age <= window {
        cx.audit(with_sub(Audit::of("refresh_retried").client(client.id()).grant(&grant.id), grant))?;
        return Ok(state.generation);
    }
    cx.store.revoke_grants(GrantsOf::Id(&grant.id), cx.now)?;
    let event = Audit::of("grant_revoked").client(client.id()).grant(&grant.id);
    cx.audit(with_sub(event, grant).detail(format!(
        "{}: generation {presented} came, {} is current since {age} s",
        Revocation::RefreshReused.as_str(),
        state.generation
    )))?;
    Err(reused(client, state, presented, window, age).into())
}

/// A token two generations old is no retry of a lost answer: its successor has been used.
fn reused(client: &RegisteredClient, state: &Refresh, presented: i64, window: i64, age: i64) -> Refusal {
    let current = state.generation;
    let refusal = Refusal::invalid_grant("The refresh token has been used already", Cause::RefreshReused)
        .client(client.id())
        .expected(format!("generation {current}, or the one before it within {window} s"))
        .fix("let the application keep the newest refresh token and send one refresh at a time; then sign in again");
    if presented < current - 1 {
        return refusal.received(format!("generation {presented}, although generation {} has been used, too", presented + 1));
    }
    refusal
        .received(format!("generation {presented}, {age} s after generation {current} replaced the one before it"))
        .fix("raise refresh.retry_window when answers are lost for longer")
}

fn with_sub<'a>(event: Audit<'a>, grant: &'a Grant) -> Audit<'a> {
    match &grant.sub {
        Some(sub) => event.sub(sub),
        None => event,
    }
}
