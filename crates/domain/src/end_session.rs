//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): at once with a valid hint of the present session, after
//! a confirmation otherwise.

use crate::cause::Cause;
use crate::client::Client;
use crate::client_auth::{is_registrable, shell_quoted};
use crate::error::Refusal;
use crate::policy::Policy;
use crate::session::Session;
use propusk_crypto::{KeyRing, UnverifiedJwt};
use propusk_protocol::{ErrorCode, IdTokenClaims};

/// Reads an `id_token_hint`: an ID token of this server, expired or not, signed by a key that is still published.
pub fn read_hint(token: &str, ring: &KeyRing, policy: &Policy) -> Result<IdTokenClaims, Refusal> {
    let refuse = |received: &str| {
        Refusal::new(ErrorCode::InvalidRequest, "id_token_hint is not an ID token of this server", Cause::LogoutHintInvalid)
            .expected("an ID token issued here")
            .received(received)
            .fix("send the newest ID token of this server as id_token_hint, or none")
    };
    let unverified = UnverifiedJwt::parse(token).map_err(|error| refuse(error.slug()))?;
    if !unverified.header.is_typ("JWT") {
        return Err(refuse("another kind of JWT"));
    }
    let claims: IdTokenClaims = ring.verify(&unverified).map_err(|error| refuse(error.slug()))?;
    if claims.iss == policy.issuer { Ok(claims) } else { Err(refuse("another issuer")) }
}

/// Whether the hint names the session at hand, so that no confirmation is needed (RP-Initiated Logout §2).
pub fn hint_fits(hint: &IdTokenClaims, session: &Session) -> bool {
    hint.sub == session.sub && hint.sid.as_deref().is_none_or(|sid| sid == session.sid)
}

/// The post-logout redirect URI, when the client that the hint or `client_id` names has registered it exactly; an
/// unregistered one is never followed.
pub fn return_uri(client: Option<&Client>, presented: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(presented) = presented else { return Ok(None) };
    let registered = client.filter(|client| !client.disabled).map(|client| client.settings.post_logout_redirect_uris.as_slice()).unwrap_or_default();
    if registered.iter().any(|uri| uri == presented) {
        return Ok(Some(presented.to_owned()));
    }
    let mut refusal = Refusal::invalid_request("post_logout_redirect_uri is not registered", Cause::PostLogoutUriMismatch)
        .expected(if registered.is_empty() { "a registered post-logout redirect URI".to_owned() } else { format!("one of {}", registered.join(" ")) })
        .received(presented);
    let Some(client) = client else {
        return Err(refusal.fix("send client_id or id_token_hint, so that it is known whose address this is"));
    };
    refusal = refusal.client(&client.client_id);
    if client.disabled {
        return Err(refusal.fix(format!("propusk client set {} --enable", client.client_id)));
    }
    Err(if is_registrable(presented, client.settings.native) {
        refusal.fix(format!("propusk client set {} --add-post-logout-redirect-uri {}", client.client_id, shell_quoted(presented)))
    } else {
        refusal.fix("this URI cannot be registered: correct it in the application's settings")
    })
}
