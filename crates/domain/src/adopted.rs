//! Tokens that another server issued and that count here: an access token until it expires, a refresh token as the first
//! generation of its grant.

use crate::error::{Fault, Result};
use crate::grant::Grant;
use crate::imported::AdoptedKind;
use crate::store::Store;
use crate::time::UnixTime;
use propusk_crypto::digest;
use propusk_protocol::AccessTokenClaims;

/// The longest token that is looked for.
const MAX_TOKEN: usize = 4096;

/// What an adopted access token says; `None` when it is none, or has expired. Whether its grant lives is another question.
pub fn access_claims(store: &mut dyn Store, token: &str, issuer: &str, now: UnixTime) -> Result<Option<AccessTokenClaims>, Fault> {
    let Some((id, grant, issued_at, end)) = find(store, token, AdoptedKind::Access)? else { return Ok(None) };
    let Some(end) = end.filter(|end| now < *end) else { return Ok(None) };
    Ok(Some(AccessTokenClaims {
        iss: issuer.to_owned(),
        sub: grant.sub.clone().unwrap_or_else(|| grant.client_id.clone()),
        aud: issuer.to_owned(),
        client_id: grant.client_id,
        exp: end.0,
        iat: issued_at.0,
        // As with our own tokens: the grant, and what tells this token from its others.
        jti: format!("{}.{}", grant.id, id.get(..16).unwrap_or(&id)),
        scope: grant.scope,
        auth_time: None,
        sid: None,
        roles: None,
        groups: None,
        token_type: None,
        user_id: None,
    }))
}

/// The grant of which an adopted refresh token is generation 1. Its digest stays as long as the grant, so that a second use
/// after the retry window is recognised as reuse and revokes the grant.
pub fn refresh_grant(store: &mut dyn Store, token: &str) -> Result<Option<Grant>, Fault> {
    Ok(find(store, token, AdoptedKind::Refresh)?.map(|(_, grant, ..)| grant).filter(|grant| grant.refresh.is_some()))
}

type Found = (String, Grant, UnixTime, Option<UnixTime>);

fn find(store: &mut dyn Store, token: &str, kind: AdoptedKind) -> Result<Option<Found>, Fault> {
    if token.is_empty() || token.len() > MAX_TOKEN {
        return Ok(None);
    }
    let Some(row) = store.find_adopted_token(&digest(token))?.filter(|row| row.kind == kind) else { return Ok(None) };
    Ok(store.find_grant(&row.grant_id)?.map(|grant| (row.digest, grant, row.issued_at, row.expires_at)))
}
