//! Token revocation (RFC 7009): a person's token takes its whole grant with it, a client's own token goes alone.

use crate::access_token::grant_id;
use crate::adopted;
use crate::cause::Cause;
use crate::context::{Audit, Cx};
use crate::error::{Refusal, Result};
use crate::grant::Revocation;
use crate::refresh::UnverifiedRefreshToken;
use crate::store::GrantsOf;
use crate::time::UnixTime;
use propusk_protocol::AccessTokenClaims;

/// What is to be revoked; a token that is nobody's has no such form, and revoking it succeeds (RFC 7009 §2.2).
#[derive(Debug, Clone)]
pub enum Revocable {
    /// An access token whose signature was checked; one that has expired is as good as revoked.
    Access(Box<AccessTokenClaims>),
    /// Something that looks like a refresh token.
    Refresh(String),
}

/// Revokes a token of the client that asks. Somebody else's is refused and stays (RFC 7009 §2.1).
pub fn revoke(cx: &mut Cx<'_>, client_id: &str, token: &Revocable) -> Result<()> {
    match token {
        Revocable::Access(claims) => revoke_access(cx, client_id, claims),
        Revocable::Refresh(token) => revoke_refresh(cx, client_id, token),
    }
}

fn revoke_access(cx: &mut Cx<'_>, client_id: &str, claims: &AccessTokenClaims) -> Result<()> {
    if claims.client_id != client_id {
        return Err(foreign(client_id, &claims.client_id).into());
    }
    if claims.sub == claims.client_id {
        cx.store.deny_token(&claims.jti, UnixTime(claims.exp))?;
        return Ok(cx.audit(Audit::of("token_revoked").client(client_id).detail(claims.jti.clone()))?);
    }
    revoke_grant(cx, client_id, grant_id(claims), Some(&claims.sub))
}

fn revoke_refresh(cx: &mut Cx<'_>, client_id: &str, presented: &str) -> Result<()> {
    let found = match UnverifiedRefreshToken::parse(presented) {
        Some(token) => {
            let grant = cx.store.find_grant(token.grant_id)?;
            grant.filter(|grant| grant.refresh.as_ref().is_some_and(|state| token.is_genuine(&state.nonce, cx.keys)))
        }
        None => adopted::refresh_grant(cx.store, presented)?,
    };
    let Some(grant) = found else { return Ok(()) };
    if grant.client_id != client_id {
        return Err(foreign(client_id, &grant.client_id).into());
    }
    revoke_grant(cx, client_id, &grant.id, grant.sub.as_deref())
}

fn revoke_grant(cx: &mut Cx<'_>, client_id: &str, grant: &str, sub: Option<&str>) -> Result<()> {
    if cx.store.revoke_grants(GrantsOf::Id(grant), cx.now)?.is_empty() {
        return Ok(());
    }
    let event = Audit::of("grant_revoked").client(client_id).grant(grant).detail(Revocation::ByClient.as_str());
    Ok(cx.audit(match sub {
        Some(sub) => event.sub(sub),
        None => event,
    })?)
}

fn foreign(client_id: &str, owner: &str) -> Refusal {
    Refusal::invalid_grant("The token was issued to another client", Cause::RevokeOfAnotherClient)
        .client(client_id)
        .expected(format!("the client that the token was issued to: {owner}"))
        .received(client_id)
        .fix("let the client revoke the token that it was issued to")
}
