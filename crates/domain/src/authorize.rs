//! The authorization endpoint's rules (RFC 6749 §4.1.1, OIDC Core §3.1.2), in three steps: prove where an answer may
//! go, judge the request, decide what the person has to do.

use crate::cause::Cause;
use crate::chat;
use crate::client::{Client, GrantType, RegisteredClient};
use crate::client_auth::{disabled_client, is_registrable, shell_quoted, unknown_client_at};
use crate::context::{Audit, Cx};
use crate::end_session::read_hint;
use crate::error::{Refusal, Result};
use crate::grant::{Code, Grant};
use crate::ids;
use crate::records::Consent;
use crate::session::Session;
use crate::time::UnixTime;
use crate::user::User;
use propusk_crypto::{Secret, digest};
use propusk_protocol::{AuthorizeRequest, ErrorCode, Scope, Target, redirect_uri};
use std::sync::Arc;

/// A client and a redirect URI to which an answer, good or bad, may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenTarget {
    /// The redirect URI as presented.
    pub redirect_uri: String,
    /// Whether the request named it (RFC 6749 §4.1.3).
    pub was_sent: bool,
}

/// Proves client and redirect URI. Until this has succeeded a refusal is a page, never a redirect (RFC 6749 §4.1.2.1).
pub fn prove_target(client: Option<&Client>, target: &Target) -> Result<ProvenTarget, Refusal> {
    let client_id = target.client_id.as_deref().ok_or_else(|| {
        Refusal::invalid_request("client_id is missing", Cause::MalformedRequest)
            .expected("client_id")
            .received("no client_id")
            .fix("let the application send client_id")
    })?;
    let page = |refusal: Refusal| Refusal { code: ErrorCode::InvalidRequest, public: "The client is not known here", ..refusal };
    let client = client.ok_or_else(|| page(unknown_client_at(client_id, target.redirect_uri.as_deref())))?;
    if client.disabled {
        return Err(page(disabled_client(client)));
    }
    let registered = &client.settings.redirect_uris;
    let Some(presented) = target.redirect_uri.as_deref() else {
        return match registered.as_slice() {
            [only] => Ok(ProvenTarget { redirect_uri: only.clone(), was_sent: false }),
            _ => Err(Refusal::invalid_request("redirect_uri is missing", Cause::RedirectUriMissing)
                .client(client_id)
                .expected(listed(registered))
                .received("none")
                .fix("send redirect_uri in the authorization request")),
        };
    };
    if registered.iter().any(|uri| redirect_uri::matches(uri, presented, client.settings.native)) {
        return Ok(ProvenTarget { redirect_uri: presented.to_owned(), was_sent: true });
    }
    Err(mismatch(client, presented))
}

fn mismatch(client: &Client, presented: &str) -> Refusal {
    let registered = &client.settings.redirect_uris;
    let mut refusal = Refusal::invalid_request("redirect_uri is not registered for this client", Cause::RedirectUriMismatch)
        .client(&client.client_id)
        .expected(listed(registered))
        .received(presented);
    if let Some(nearest) = redirect_uri::nearest(registered, presented) {
        refusal = refusal.nearest(Some(format!("{} (first difference at character {})", nearest.registered, nearest.first_difference + 1)));
    }
    match redirect_uri::check_registration(presented, client.settings.native, false) {
        Ok(()) if is_registrable(presented, client.settings.native) => {
            refusal.fix(format!("propusk client set {} --add-redirect-uri {}", client.client_id, shell_quoted(presented)))
        }
        Ok(()) => {
            refusal.fix(format!("register the whole URI of the client's settings: propusk client set {} --add-redirect-uri URI", client.client_id))
        }
        Err(problem) => refusal.fix(format!("this URI cannot be registered ({problem}): correct it in the client's settings")),
    }
}

fn listed(registered: &[String]) -> String {
    if registered.is_empty() { "a redirect URI; the client has registered none".to_owned() } else { format!("one of {}", registered.join(" ")) }
}

/// Judges the request itself; from here on a refusal goes back to the client. Answers the scope that is asked for.
pub fn judge(client: &Client, request: &AuthorizeRequest) -> Result<Scope, Refusal> {
    if !client.may_use(GrantType::AuthorizationCode) {
        let public = "The client may not use the authorization code flow";
        return Err(Refusal::new(ErrorCode::UnauthorizedClient, public, Cause::GrantNotAllowed)
            .client(&client.client_id)
            .expected("a client with the grant authorization_code")
            .received(granted(client))
            .fix(format!("propusk client set {} --grant-type authorization_code", client.client_id)));
    }
    if client.settings.require_pkce && request.code_challenge.is_none() {
        let refusal = Refusal::invalid_request("This client must use PKCE with code_challenge_method S256", Cause::PkceRequired)
            .client(&client.client_id)
            .expected("code_challenge and code_challenge_method=S256")
            .received("no code_challenge")
            .fix("switch PKCE with S256 on in the application");
        // A public client can never go without (RFC 9700 §2.1.1).
        return Err(if client.is_public() { refusal } else { refusal.fix(format!("propusk client set {} --require-pkce off", client.client_id)) });
    }
    let default = || client.settings.scopes.intersection(&Scope::from_iter(["openid".to_owned()]));
    let scope = request.scope.as_ref().map_or_else(default, |scope| client.translated(scope));
    allow_scope(client, &scope)?;
    Ok(scope)
}

/// Refuses a scope beyond what the client may have (RFC 6749 §3.3).
pub fn allow_scope(client: &Client, scope: &Scope) -> Result<(), Refusal> {
    // What GitLab's clients ask for comes with the switch.
    let facade = |wanted: &str| wanted == "read_user" && client.settings.gitlab_facade;
    let beyond: Vec<&str> = scope.iter().filter(|wanted| !client.settings.scopes.contains(wanted) && !facade(wanted)).collect();
    if beyond.is_empty() {
        return Ok(());
    }
    let mut refusal = Refusal::new(ErrorCode::InvalidScope, "The client may not ask for this scope", Cause::ScopeNotAllowed)
        .client(&client.client_id)
        .expected(if client.settings.scopes.is_empty() {
            "no scope: the client may have none".to_owned()
        } else {
            client.settings.scopes.to_string()
        })
        .received(scope.to_string());
    for wanted in beyond {
        refusal = refusal.fix(format!("propusk client set {} --add-scope {}", client.client_id, shell_quoted(wanted)));
    }
    Err(refusal)
}

/// The grants of a client as one line.
pub fn granted(client: &Client) -> String {
    let names: Vec<&str> = client.settings.grant_types.iter().map(|grant| grant.as_str()).collect();
    if names.is_empty() { "no grants".to_owned() } else { names.join(" ") }
}

/// What the person has to do before the client gets its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Sign in; `again` when a session exists but is not fresh enough or not the one asked for.
    SignIn {
        /// Whether somebody is signed in already.
        again: bool,
    },
    /// Allow or decline.
    Consent,
    /// Nothing: the code is issued at once.
    Proceed,
}

/// Everything that the decision looks at.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The client.
    pub client: &'a Client,
    /// The request.
    pub request: &'a AuthorizeRequest,
    /// The scope that [`judge`] answered.
    pub scope: &'a Scope,
    /// The live session of the browser with its active person.
    pub session: Option<(&'a Session, &'a User)>,
    /// What the person has allowed this client before.
    pub consent: Option<&'a Consent>,
    /// The session in which the person signed in during this flow.
    pub signed_in: Option<&'a str>,
    /// Whether the person has just allowed it.
    pub allowed: bool,
    /// The subject that a valid `id_token_hint` names.
    pub hinted_sub: Option<&'a str>,
}

/// Decides by `prompt`, `max_age`, `id_token_hint` and what is remembered (OIDC Core §3.1.2.3, §3.1.2.4).
pub fn decide(situation: &Situation<'_>, now: UnixTime) -> Result<Decision, Refusal> {
    let prompt = situation.request.prompt;
    let usable =
        situation.session.filter(|(session, user)| is_fresh(situation, session, now) && situation.hinted_sub.is_none_or(|hinted| hinted == user.sub));
    if usable.is_none() {
        if prompt.none {
            let public = "Nobody is signed in, or not recently enough";
            return Err(Refusal::new(ErrorCode::LoginRequired, public, Cause::LoginRequired)
                .client(&situation.client.client_id)
                .expected("a session, recent enough and of the person that is asked for")
                .received(if situation.session.is_some() { "another session" } else { "no session" })
                .fix("send the person without prompt=none"));
        }
        return Ok(Decision::SignIn { again: situation.session.is_some() });
    }
    let remembered = situation.client.first_party || situation.consent.is_some_and(|consent| situation.scope.is_subset_of(&consent.scope));
    if situation.allowed || (remembered && !prompt.consent) {
        return Ok(Decision::Proceed);
    }
    if prompt.none {
        let public = "The person has not consented yet";
        return Err(Refusal::new(ErrorCode::ConsentRequired, public, Cause::ConsentRequired).client(&situation.client.client_id));
    }
    Ok(Decision::Consent)
}

fn is_fresh(situation: &Situation<'_>, session: &Session, now: UnixTime) -> bool {
    if situation.signed_in == Some(session.sid.as_str()) {
        return true;
    }
    let prompt = situation.request.prompt;
    // An age of nothing asks for a sign-in in this flow, like `prompt=login`, also within the same second.
    let young = situation.request.max_age.is_none_or(|age| age > 0 && now.since(session.auth_time) <= i64::try_from(age).unwrap_or(i64::MAX));
    !prompt.login && !prompt.select_account && young
}

/// What an authorization request has come to.
#[derive(Debug)]
pub enum Outcome {
    /// The code to send to the client, and the grant that it stands for.
    Code(Secret, Arc<Grant>),
    /// The person has to sign in; `again` when somebody is signed in already.
    SignIn {
        /// Whether a session exists that is not fresh enough or not the one asked for.
        again: bool,
    },
    /// The person has to allow or decline.
    Consent {
        /// Who is signed in.
        user: Box<User>,
    },
}

/// A judged request on its way to a code.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The client.
    pub client: &'a RegisteredClient,
    /// Where the answer goes.
    pub target: &'a ProvenTarget,
    /// The request.
    pub request: &'a AuthorizeRequest,
    /// The scope that [`judge`] answered.
    pub scope: &'a Scope,
    /// The session in which the person signed in during this flow.
    pub signed_in: Option<&'a str>,
    /// Whether the person has just allowed it.
    pub allowed: bool,
}

/// Goes as far as the session at hand allows: to a code, or to the next thing that the person has to do.
pub fn advance(cx: &mut Cx<'_>, attempt: &Attempt<'_>, session: Option<&Session>) -> Result<Outcome> {
    let client = &attempt.client.client;
    let user = match session {
        Some(session) => cx.store.find_user(&session.sub)?.filter(User::is_active),
        None => None,
    };
    let consent = match &user {
        Some(user) if !client.first_party => cx.store.find_consent(&user.sub, &client.client_id)?,
        _ => None,
    };
    // A hint that cannot be read names nobody; it must not turn anybody away (OIDC Core §3.1.2.1).
    let hint = attempt.request.id_token_hint.as_deref().and_then(|hint| read_hint(hint, &cx.keys.ring, cx.policy).ok());
    let situation = Situation {
        client,
        request: attempt.request,
        scope: attempt.scope,
        session: session.zip(user.as_ref()),
        consent: consent.as_ref(),
        signed_in: attempt.signed_in,
        allowed: attempt.allowed,
        hinted_sub: hint.as_ref().map(|hint| hint.sub.as_str()),
    };
    match (decide(&situation, cx.now)?, session, user) {
        (Decision::Proceed, Some(session), Some(user)) => Ok(match issue_code(cx, attempt, session, &user)? {
            Some((code, grant)) => Outcome::Code(code, Arc::new(grant)),
            None => Outcome::SignIn { again: false },
        }),
        (Decision::Consent, _, Some(user)) => Ok(Outcome::Consent { user: Box::new(user) }),
        (Decision::SignIn { again }, ..) => Ok(Outcome::SignIn { again }),
        (Decision::Proceed | Decision::Consent, ..) => Ok(Outcome::SignIn { again: false }),
    }
}

/// Issues the code (RFC 6749 §4.1.2) and makes the grant it stands for. `None` when the session or the person is gone by
/// now, which sends the flow back to the sign-in page.
fn issue_code(cx: &mut Cx<'_>, attempt: &Attempt<'_>, session: &Session, user: &User) -> Result<Option<(Secret, Grant)>> {
    let client = &attempt.client.client;
    // Both rows are held until the commit: a logout or a disabling cannot slip in between and miss the new grant.
    if !cx.store.touch_session(&session.sid, cx.now)? || !cx.store.guard_user(&user.sub, user.credential_version)? {
        return Ok(None);
    }
    let offline = attempt.scope.contains("offline_access") && client.may_use(GrantType::RefreshToken);
    let lifetime =
        if offline { cx.policy.grant_lifetime } else { cx.policy.code_lifetime + client.settings.access_token_lifetime + cx.policy.clock_leeway };
    let code = Secret::generate(cx.rng, "ppc_");
    let grant = Grant {
        id: ids::sortable(cx.now, cx.rng),
        sub: Some(user.sub.clone()),
        client_id: client.client_id.clone(),
        scope: attempt.scope.clone(),
        sid: Some(session.sid.clone()),
        offline,
        auth_time: Some(session.auth_time),
        amr: session.amr.clone(),
        nonce: attempt.request.nonce.clone(),
        code: Some(Code {
            digest: digest(code.expose()),
            redirect_uri: attempt.target.redirect_uri.clone(),
            redirect_uri_was_sent: attempt.target.was_sent,
            challenge: attempt.request.code_challenge.clone(),
            expires_at: cx.now.plus(cx.policy.code_lifetime),
            redeemed_at: None,
        }),
        refresh: offline.then(|| crate::refresh::first(cx)),
        created_at: cx.now,
        expires_at: Some(cx.now.plus(lifetime)),
        revoked_at: None,
    };
    cx.store.insert_grant(&grant)?;
    if client.settings.backchannel_logout_uri.is_some() || client.client_id == cx.policy.chat_client {
        cx.store.note_session_client(&session.sid, &client.client_id)?;
    }
    if client.client_id == cx.policy.chat_client {
        chat::person_changed(cx, &user.sub)?;
    }
    if attempt.allowed {
        remember_consent(cx, &user.sub, client, attempt.scope)?;
    }
    cx.audit(Audit::of("code_issued").sub(&user.sub).client(&client.client_id).grant(&grant.id).detail(attempt.scope.to_string()))?;
    Ok(Some((code, grant)))
}

fn remember_consent(cx: &mut Cx<'_>, sub: &str, client: &Client, scope: &Scope) -> Result<()> {
    let before = cx.store.find_consent(sub, &client.client_id)?;
    let scope = before.map_or_else(|| scope.clone(), |consent| consent.scope.union(scope));
    cx.audit(Audit::of("consent_given").sub(sub).client(&client.client_id).detail(scope.to_string()))?;
    cx.store.put_consent(&Consent { sub: sub.to_owned(), client_id: client.client_id.clone(), scope, granted_at: cx.now })?;
    Ok(())
}

/// The person cancelled on the sign-in page or declined on the consent page.
pub fn denied(client_id: &str) -> Refusal {
    Refusal::new(ErrorCode::AccessDenied, "The person declined", Cause::AccessDenied)
        .client(client_id)
        .expected("the person's permission")
        .received("the person cancelled or declined")
}

#[cfg(test)]
#[path = "authorize_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests;
