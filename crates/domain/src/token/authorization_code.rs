//! The authorization code grant (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9700 §2.1.1).

use super::Exchanged;
use super::issue;
use super::memory::{Learned, Memory};
use crate::cause::Cause;
use crate::client::RegisteredClient;
use crate::context::{Audit, Cx};
use crate::error::{Error, Refusal, Result, shape};
use crate::grant::{Code, Grant, Revocation};
use crate::refresh;
use crate::store::GrantsOf;
use crate::user::User;
use propusk_crypto::digest;
use propusk_protocol::CodeVerifier;
use std::sync::Arc;

/// What the client presents.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The code.
    pub code: &'a str,
    /// The redirect URI of the authorization request.
    pub redirect_uri: Option<&'a str>,
    /// The PKCE verifier.
    pub verifier: Option<&'a CodeVerifier>,
}

/// Redeems a code, once. A stranger's attempt (another client, another binding) is refused and revokes nothing; the
/// second attempt of the code's own client, however late, revokes everything that hangs on the grant.
pub fn redeem(cx: &mut Cx<'_>, client: &RegisteredClient, presented: &Presented<'_>, memory: &dyn Memory) -> Result<Exchanged> {
    let digest = digest(presented.code);
    // A remembered grant lacks what happened to it since. The gate decides, and whatever is not ordinary is read and judged: an expired
    // code may be a used one, a stranger's attempt may follow a revocation.
    if let Some(grant) = memory.take_code(&digest) {
        match through_the_gate(cx, client, presented, grant, memory) {
            Ok(Some(exchanged)) => return Ok(exchanged),
            Ok(None) | Err(Error::Refused(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    let grant = Arc::new(cx.store.find_grant_by_code(&digest)?.ok_or_else(|| unknown_code(client, presented.code))?);
    match through_the_gate(cx, client, presented, Arc::clone(&grant), memory)? {
        Some(exchanged) => Ok(exchanged),
        None => Err(reused(cx, client, &grant)?.into()),
    }
}

/// The checks in the order of RFC 6749 §4.1.3, then the single-use gate: one guarded UPDATE, whose row count names the winner. `None` when the
/// code was used; the loser revokes (RFC 6749 §4.1.2).
fn through_the_gate(
    cx: &mut Cx<'_>,
    client: &RegisteredClient,
    presented: &Presented<'_>,
    grant: Arc<Grant>,
    memory: &dyn Memory,
) -> Result<Option<Exchanged>> {
    let code = grant.code.as_ref().ok_or_else(|| unknown_code(client, presented.code))?;
    must_belong_to(&grant, client)?;
    must_match_redirect_uri(code, client, presented.redirect_uri)?;
    must_match_verifier(code, client, presented.verifier)?;
    if code.redeemed_at.is_some() {
        return Ok(None);
    }
    must_be_alive(cx, code, &grant, client)?;
    let user = active_user(cx, &grant, client, memory)?;
    if !cx.store.redeem_code(&grant.id, cx.now)? {
        return Ok(None);
    }
    let refresh_token = match &grant.refresh {
        Some(state) => {
            cx.audit(Audit::of("refresh_issued").sub(&user.sub).client(client.id()).grant(&grant.id))?;
            Some(refresh::derive(&grant, &state.nonce, state.generation, cx.keys)?)
        }
        None => None,
    };
    let issued = issue::for_grant(cx, client, &grant, &user, &grant.scope, refresh_token);
    Ok(Some(Exchanged { issued, learned: Some(Learned { grant, user }) }))
}

fn unknown_code(client: &RegisteredClient, presented: &str) -> Refusal {
    Refusal::invalid_grant("The code is not valid", Cause::CodeUnknown)
        .client(client.id())
        .expected("a code that this server issued")
        .received(shape(presented))
        .fix("send the code exactly as it came in the redirect, decoded once, to the server that issued it; then sign in again")
}

fn must_belong_to(grant: &Grant, client: &RegisteredClient) -> Result<(), Refusal> {
    if grant.client_id == client.id() {
        return Ok(());
    }
    Err(Refusal::invalid_grant("The code is not valid", Cause::CodeOfAnotherClient)
        .client(client.id())
        .expected(format!("the client that the code was issued to: {}", grant.client_id))
        .received(client.id())
        .fix("use one client id in the authorization request and in the token request"))
}

fn must_match_redirect_uri(code: &Code, client: &RegisteredClient, presented: Option<&str>) -> Result<(), Refusal> {
    let fits = match presented {
        Some(uri) => uri == code.redirect_uri,
        None => !code.redirect_uri_was_sent,
    };
    if fits {
        return Ok(());
    }
    let public = "redirect_uri is not the one of the authorization request";
    Err(Refusal::invalid_grant(public, Cause::CodeRedirectUriMismatch)
        .client(client.id())
        .expected(&*code.redirect_uri)
        .received(presented.unwrap_or("none"))
        .fix("send the same redirect_uri in both requests (Rocket.Chat: Site_Url and the address that people open must be the same)"))
}

fn must_match_verifier(code: &Code, client: &RegisteredClient, verifier: Option<&CodeVerifier>) -> Result<(), Refusal> {
    let refuse = |public, cause| Refusal::invalid_grant(public, cause).client(client.id());
    match (&code.challenge, verifier) {
        (None, None) => Ok(()),
        (Some(challenge), Some(verifier)) if challenge.verify(verifier) => Ok(()),
        (Some(_), Some(_)) => Err(refuse("code_verifier does not match the challenge", Cause::PkceMismatch)
            .expected("the verifier whose S256 digest was sent as code_challenge")
            .received("another verifier")
            .fix("keep the verifier of each sign-in apart: a second tab or a repeated sign-in must not overwrite it")),
        (Some(_), None) => Err(refuse("code_verifier is missing", Cause::PkceMissing)
            .expected("code_verifier")
            .received("none")
            .fix("send the code_verifier that belongs to the code_challenge")),
        // A verifier without a challenge tells of a stripped challenge: PKCE downgrade (RFC 9700 §4.8.2).
        (None, Some(_)) => Err(refuse("The code was asked for without a challenge", Cause::PkceUnexpected)
            .expected("no code_verifier")
            .received("a code_verifier")
            .fix("send code_challenge in the authorization request, too; if the application does, something on the way removes it")),
    }
}

fn must_be_alive(cx: &Cx<'_>, code: &Code, grant: &Grant, client: &RegisteredClient) -> Result<(), Refusal> {
    if grant.revoked_at.is_some() {
        return Err(Refusal::invalid_grant("The code is not valid any more", Cause::CodeRevoked)
            .client(client.id())
            .expected("a live grant")
            .received(grant.revoked_at.map_or_else(|| "a revoked one".to_owned(), |at| format!("revoked at {at}")))
            .fix("sign in again"));
    }
    if cx.now < code.expires_at {
        return Ok(());
    }
    Err(Refusal::invalid_grant("The code has expired", Cause::CodeExpired)
        .client(client.id())
        .expected(format!("a code redeemed before {}", code.expires_at))
        .received(format!("redeemed at {}, {} s too late", cx.now, cx.now.since(code.expires_at)))
        .fix("redeem the code at once; then sign in again")
        .fix("raise tokens.code_lifetime, to a minute at most, when it was lowered"))
}

/// The person behind a grant, while active.
pub(super) fn active_user(cx: &mut Cx<'_>, grant: &Grant, client: &RegisteredClient, memory: &dyn Memory) -> Result<Arc<User>> {
    let sub = grant.sub.as_deref().unwrap_or_default();
    let refuse = || {
        Refusal::invalid_grant("The grant is not valid any more", Cause::UserDisabled)
            .client(client.id())
            .expected("an active account")
            .received("a disabled or removed account")
    };
    if let Some(user) = memory.user(sub).filter(|user| user.is_active()) {
        return Ok(user);
    }
    let user = Arc::new(cx.store.find_user(sub)?.ok_or_else(refuse)?);
    if user.is_active() { Ok(user) } else { Err(refuse().fix(format!("propusk user enable {}", user.username)).into()) }
}

fn reused(cx: &mut Cx<'_>, client: &RegisteredClient, grant: &Grant) -> Result<Refusal> {
    let revoked = !cx.store.revoke_grants(GrantsOf::Id(&grant.id), cx.now)?.is_empty();
    if revoked {
        let event = Audit::of("grant_revoked").client(client.id()).grant(&grant.id).detail(Revocation::CodeReused.as_str());
        cx.audit(match &grant.sub {
            Some(sub) => event.sub(sub),
            None => event,
        })?;
    }
    let first = grant.code.as_ref().and_then(|code| code.redeemed_at);
    Ok(Refusal::invalid_grant("The code has been used already", Cause::CodeReused)
        .client(client.id())
        .expected("a code that is redeemed once")
        .received(first.map_or_else(|| "the same code twice at once".to_owned(), |at| format!("the same code again, redeemed first at {at}")))
        .fix("let the application redeem a code once: not again after a failure, on a reload or in a second process; then sign in again"))
}
