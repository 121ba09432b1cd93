//! Token introspection (RFC 7662): what a token is worth now, for clients that may ask.

use crate::adopted;
use crate::cause::Cause;
use crate::client::{Client, Introspect, RegisteredClient};
use crate::error::{Refusal, Result};
use crate::grant::Grant;
use crate::keys::ServerKeys;
use crate::personal_token::Standing;
use crate::refresh::UnverifiedRefreshToken;
use crate::store::Store;
use crate::time::UnixTime;
use crate::user::User;
use propusk_protocol::{AccessTokenClaims, ErrorCode, IntrospectionResponse, Scope};

/// Refuses a client that may not introspect at all.
pub fn allow(client: &Client) -> Result<(), Refusal> {
    if client.settings.introspect != Introspect::None {
        return Ok(());
    }
    let refusal = Refusal::new(ErrorCode::UnauthorizedClient, "The client may not introspect tokens", Cause::IntrospectNotAllowed)
        .client(&client.client_id)
        .expected("a client with introspection own or any")
        .received("a client with introspection none");
    // A public client cannot prove who asks (RFC 7662 §2.1).
    Err(if client.is_public() {
        refusal.fix("let a client with a secret ask")
    } else {
        refusal.fix(format!("propusk client set {} --introspect own", client.client_id))
    })
}

/// Whether `client` may learn about tokens issued to `owner`.
pub fn may_see(client: &Client, owner: &str) -> bool {
    match client.settings.introspect {
        Introspect::None => false,
        Introspect::Own => client.client_id == owner,
        Introspect::Any => true,
    }
}

/// The answer for a living access token; roles are those of now, not those of when it was issued.
pub fn access_token(claims: &AccessTokenClaims, user: Option<&User>, owner: &RegisteredClient) -> IntrospectionResponse {
    let mapped = user.map(|user| owner.role_map.claims_of(&user.role));
    IntrospectionResponse {
        active: true,
        scope: told(&claims.scope),
        client_id: Some(claims.client_id.clone()),
        username: user.map(|user| user.username.clone()),
        token_type: Some("Bearer"),
        auth_time: claims.auth_time,
        exp: Some(claims.exp),
        iat: Some(claims.iat),
        sub: Some(claims.sub.clone()),
        aud: Some(claims.aud.clone()),
        iss: Some(claims.iss.clone()),
        jti: Some(claims.jti.clone()),
        sid: claims.sid.clone(),
        roles: mapped.as_ref().and_then(|mapped| mapped.roles.clone()),
        groups: mapped.and_then(|mapped| mapped.groups),
    }
}

/// The answer for a refresh token, by the row of its grant; `None` when it is worth nothing.
pub fn refresh_token(
    store: &mut dyn Store,
    presented: &str,
    keys: &ServerKeys,
    issuer: &str,
    now: UnixTime,
) -> Result<Option<(Grant, IntrospectionResponse)>> {
    let Some(grant) = living_grant_of(store, presented, keys, now)? else { return Ok(None) };
    let user = store.find_user(grant.sub.as_deref().unwrap_or_default())?.filter(User::is_active);
    let Some(user) = user else { return Ok(None) };
    let response = IntrospectionResponse {
        active: true,
        scope: told(&grant.scope),
        client_id: Some(grant.client_id.clone()),
        username: Some(user.username),
        token_type: None,
        auth_time: grant.auth_time.map(|at| at.0),
        exp: grant.expires_at.map(|end| end.0),
        iat: grant.refresh.as_ref().map(|refresh| refresh.rotated_at.0),
        sub: grant.sub.clone(),
        aud: None,
        iss: Some(issuer.to_owned()),
        jti: None,
        sid: grant.sid.clone(),
        roles: None,
        groups: None,
    };
    Ok(Some((grant, response)))
}

/// The answer for a living personal token, whose roles are told by the map of the client that asks.
pub fn personal_token(standing: &Standing, asking: &RegisteredClient, issuer: &str) -> IntrospectionResponse {
    let Standing { token, user, .. } = standing;
    let roles = user.as_ref().filter(|_| token.scope.contains("roles")).and_then(|user| asking.role_map.claims_of(&user.role).roles);
    IntrospectionResponse {
        active: true,
        scope: told(&token.scope),
        client_id: token.client_id.clone(),
        username: user.as_ref().map(|user| user.username.clone()),
        token_type: Some("Bearer"),
        exp: Some(token.expires_at.0),
        iat: Some(token.created_at.0),
        sub: token.sub.clone().or_else(|| token.client_id.clone()),
        iss: Some(issuer.to_owned()),
        jti: Some(token.id.clone()),
        roles,
        ..IntrospectionResponse::default()
    }
}

/// An empty string is no scope (RFC 6749 §3.3).
fn told(scope: &Scope) -> Option<Scope> {
    Some(scope.clone()).filter(|scope| !scope.is_empty())
}

/// The live grant behind the *current* generation of a refresh token.
fn living_grant_of(store: &mut dyn Store, presented: &str, keys: &ServerKeys, now: UnixTime) -> Result<Option<Grant>> {
    let Some(token) = UnverifiedRefreshToken::parse(presented) else {
        // One of another server is current until its first rotation.
        let grant = adopted::refresh_grant(store, presented)?.filter(|grant| grant.is_alive(now));
        return Ok(grant.filter(|grant| grant.refresh.as_ref().is_some_and(|state| state.generation == 1)));
    };
    let Some(grant) = store.find_grant(token.grant_id)?.filter(|grant| grant.is_alive(now)) else { return Ok(None) };
    let current = grant.refresh.as_ref().is_some_and(|state| token.generation == state.generation && token.is_genuine(&state.nonce, keys));
    Ok(current.then_some(grant))
}
