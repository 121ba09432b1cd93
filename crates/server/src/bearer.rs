//! Access tokens that come back to us: verified against the keys of now, which are read again for an unknown `kid`.

use crate::state::AppState;
use propusk_domain::access_token::verify;
use propusk_domain::{Cause, Refusal, Result, UnixTime};
use propusk_protocol::AccessTokenClaims;

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

fn has_unknown_key(refusal: &Refusal) -> bool {
    refusal.detail.cause == Cause::TokenUnknownKey
}
