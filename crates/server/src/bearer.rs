//! Access tokens that come back to us: verified against the keys of now, which are read again for an unknown `kid`.

use crate::extract::authorization;
use crate::lookup::TokenStanding;
use crate::state::AppState;
use actix_web::HttpRequest;
use propusk_domain::access_token::verify;
use propusk_domain::access_token::{Standing, must_stand};
use propusk_domain::{Cause, Refusal, Result, UnixTime, personal_token, service};
use propusk_protocol::userinfo::bearer_token;
use propusk_protocol::{AccessTokenClaims, ErrorCode};

/// The claims of a token that this server signed and that has not expired. Whether its grant lives is another question.
pub(crate) async fn verified(state: &AppState, token: &str, now: UnixTime) -> Result<AccessTokenClaims> {
    match verify(token, &state.keys().ring, &state.policy, now) {
        Ok(claims) => Ok(claims),
        Err(refusal) if has_unknown_key(&refusal) && state.may_reload_keys() => {
            state.blocking(|state| state.reload_keys()).await??;
            Ok(verify(token, &state.keys().ring, &state.policy, now)?)
        }
        Err(refusal) if is_foreign(&refusal) => adopted(state, token, now).await?.ok_or_else(|| refusal.into()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Whether another server may have issued the token; one of ours that has expired or was tampered with is looked for nowhere else.
fn is_foreign(refusal: &Refusal) -> bool {
    matches!(refusal.detail.cause, Cause::TokenMalformed | Cause::TokenUnknownKey | Cause::TokenWrongType | Cause::TokenAlgorithm)
}

/// The claims of an access token that was adopted from another server.
async fn adopted(state: &AppState, token: &str, now: UnixTime) -> Result<Option<AccessTokenClaims>> {
    let token = token.to_owned();
    state.read(now, move |cx| Ok(propusk_domain::adopted::access_claims(cx.store, &token, &cx.policy.issuer, cx.now)?)).await
}

/// What an access token hangs on, while all of it still counts.
pub(crate) async fn living(state: &AppState, claims: &AccessTokenClaims, now: UnixTime) -> Result<TokenStanding> {
    let standing = state.standing(claims, now).await?;
    let judged = Standing {
        client: standing.client.as_deref().map(|client| &client.client),
        grant: standing.grant.as_deref(),
        user: standing.user.as_deref(),
        denied: state.caches.is_denied(&claims.jti, now),
    };
    must_stand(claims, &judged, now)?;
    Ok(standing)
}

/// The client that calls an API of this server with a living token of its own that has `scope`; the token comes in the
/// header alone.
pub(crate) async fn calling_service(state: &AppState, request: &HttpRequest, scope: &str, now: UnixTime) -> Result<String> {
    let authorization = authorization(request, Cause::TokenInTwoPlaces)?;
    let (token, _) = bearer_token(authorization, None, None).map_err(in_two_places)?.ok_or_else(missing)?;
    if token.starts_with(personal_token::PREFIX) {
        let standing = personal(state, token, now).await?;
        let client_id = service::allow_personal(&standing, scope)?;
        return Ok(client_id.to_owned());
    }
    Ok(service_claims(state, &token, scope, now).await?.client_id)
}

/// The same for an API that a personal token never opens: what the client's access token says.
pub(crate) async fn calling_service_itself(state: &AppState, request: &HttpRequest, scope: &str, now: UnixTime) -> Result<AccessTokenClaims> {
    let authorization = authorization(request, Cause::TokenInTwoPlaces)?;
    let (token, _) = bearer_token(authorization, None, None).map_err(in_two_places)?.ok_or_else(missing)?;
    if token.starts_with(personal_token::PREFIX) {
        let standing = personal(state, token, now).await?;
        return Err(service::refuse_personal(&standing, scope).into());
    }
    service_claims(state, &token, scope, now).await
}

async fn service_claims(state: &AppState, token: &str, scope: &str, now: UnixTime) -> Result<AccessTokenClaims> {
    let claims = verified(state, token, now).await?;
    let standing = living(state, &claims, now).await?;
    let allowed = standing.client.as_deref().map(|client| &client.client.settings.scopes);
    service::allow(&claims, allowed, scope)?;
    Ok(claims)
}

/// A personal token that counts now; read anew each time, so that a revocation counts at once. Its use is remembered.
pub(crate) async fn personal(state: &AppState, token: String, now: UnixTime) -> Result<personal_token::Standing> {
    let standing = state.read(now, move |cx| personal_token::judge(cx.store, &token, cx.now)).await?;
    state.used_tokens.note(&standing.token.id, now);
    Ok(standing)
}

/// A request that carries no token.
pub(crate) fn missing() -> Refusal {
    Refusal::new(ErrorCode::InvalidToken, "The request carries no access token", Cause::TokenMissing)
        .expected("Authorization: Bearer")
        .received("none")
        .fix("send the access token in the Authorization header, with the scheme Bearer")
}

/// A token that came in two ways, or in a way that cannot be read.
pub(crate) fn in_two_places(error: propusk_protocol::ProtocolError) -> Refusal {
    let twice = error.description.contains("more than one way");
    let mut refusal = Refusal::from(error);
    if twice {
        refusal.detail.cause = Cause::TokenInTwoPlaces;
        refusal.detail.fix.clear();
        return refusal.expected("the access token once").fix("keep the Authorization header and drop access_token from body and query");
    }
    refusal
}

fn has_unknown_key(refusal: &Refusal) -> bool {
    refusal.detail.cause == Cause::TokenUnknownKey
}
