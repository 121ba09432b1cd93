//! Tokens for a name and a password, without a browser: only under the compatible paths of an old site, and only for one
//! first-party client. OAuth 2.1 has no such grant, so no client can ask for it at the token endpoint.

use super::issue::{self, Issued};
use crate::cause::Cause;
use crate::client::RegisteredClient;
use crate::context::{Audit, Cx};
use crate::error::{Refusal, Result, shape};
use crate::grant::Grant;
use crate::ids;
use crate::refresh::{self, UnverifiedRefreshToken, derive};
use crate::user::User;
use propusk_protocol::ErrorCode;

/// A grant of its own with its tokens, for a person whose password was right. `rehashed` replaces the stored hash.
pub fn issue(cx: &mut Cx<'_>, client: &RegisteredClient, user: &User, rehashed: Option<&str>) -> Result<Issued> {
    // Disabled, or another password, since the hash was computed.
    if !cx.store.guard_user(&user.sub, user.credential_version)? {
        return Err(Refusal::new(ErrorCode::AccessDenied, "The user name or the password is wrong", Cause::WrongPassword)
            .client(client.id())
            .expected("the account as it was when the password was checked")
            .received("an account disabled, or a password changed, in the same moment")
            .into());
    }
    if let Some(hash) = rehashed {
        cx.store.replace_password_hash(&user.sub, user.credential_version, hash)?;
    }
    let grant = Grant {
        id: ids::sortable(cx.now, cx.rng),
        sub: Some(user.sub.clone()),
        client_id: client.id().to_owned(),
        scope: client.client.settings.scopes.clone(),
        sid: None,
        offline: true,
        auth_time: Some(cx.now),
        amr: vec!["pwd".to_owned()],
        nonce: None,
        code: None,
        refresh: Some(refresh::first(cx)),
        created_at: cx.now,
        expires_at: Some(cx.now.plus(cx.policy.grant_lifetime)),
        revoked_at: None,
    };
    cx.store.insert_grant(&grant)?;
    cx.audit(Audit::of("signed_in").sub(&user.sub).client(client.id()).grant(&grant.id).detail("by password, without a browser"))?;
    let token = match &grant.refresh {
        Some(state) => Some(derive(&grant, &state.nonce, state.generation, cx.keys)?),
        None => None,
    };
    as_the_original(cx, issue::for_grant(cx, client, &grant, user, &grant.scope, token))
}

/// Another access token for the current refresh token of such a grant, which is not rotated.
pub fn refresh(cx: &mut Cx<'_>, client: &RegisteredClient, presented: &str) -> Result<Issued> {
    let refuse = |cause| {
        let refusal = Refusal::new(ErrorCode::InvalidToken, "The refresh token is not valid", cause).client(client.id());
        refusal.received(shape(presented)).fix("sign in again")
    };
    let unknown = || refuse(Cause::RefreshUnknown).expected("a refresh token that this server issued, whose grant is kept");
    let token = UnverifiedRefreshToken::parse(presented).ok_or_else(unknown)?;
    let grant = cx.store.find_grant(token.grant_id)?.ok_or_else(unknown)?;
    let genuine = grant.refresh.as_ref().is_some_and(|state| token.generation == state.generation && token.is_genuine(&state.nonce, cx.keys));
    if !genuine {
        return Err(unknown().into());
    }
    if grant.client_id != client.id() {
        let expected = format!("the client that the token was issued to: {}", grant.client_id);
        return Err(refuse(Cause::RefreshOfAnotherClient).expected(expected).into());
    }
    let user = cx.store.find_user(grant.sub.as_deref().unwrap_or_default())?.filter(User::is_active);
    // The person is asked first: a disabled account explains its revoked grants.
    let user = user.ok_or_else(|| refuse(Cause::TokenUserDisabled).expected("an active account"))?;
    if grant.revoked_at.is_some() {
        return Err(refuse(Cause::GrantRevoked).expected("a live grant").into());
    }
    if !grant.is_alive(cx.now) {
        return Err(refuse(Cause::GrantExpired).expected("a live grant").into());
    }
    as_the_original(cx, issue::for_grant(cx, client, &grant, &user, &grant.scope, None))
}

/// The two claims that programs written for the original look at. Who was added here never had a key at the site; their subject
/// stands for it.
fn as_the_original(cx: &mut Cx<'_>, mut issued: Issued) -> Result<Issued> {
    let key = cx.store.find_imported_by_sub(&issued.access.sub)?.map(|row| row.site_key);
    issued.access.user_id = Some(key.unwrap_or_else(|| issued.access.sub.clone()));
    issued.access.token_type = Some("access".to_owned());
    Ok(issued)
}
