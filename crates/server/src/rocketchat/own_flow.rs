//! The chat's own sign-in, gone through for somebody who is signed in here and has no account there yet.
//!
//! Where the flow is the modern one, an account that the administrator makes has no OAuth identity, and the chat's button refuses its
//! owner ever after. So the chat is left to make it: this server begins the flow at the chat as a browser would, answers its
//! authorization request itself, and brings the code back. Nothing is followed but the chat's own two addresses.

use super::refusals::unanswered;
use super::rest::{Rest, RestError};
use crate::instance::Instance;
use crate::outbound::Answer;
use crate::trace;
use propusk_domain::authorize::{Attempt, Outcome, advance, judge, prove_target};
use propusk_domain::client::RegisteredClient;
use propusk_domain::session::Session;
use propusk_domain::{Error, Result};
use propusk_protocol::{AuthorizeRequest, AuthorizeResponse, Params, Target, form};
use url::Url;

/// Lets the chat make the account; `Ok(false)` when its flow does not come to that: a request that is not its client's, one that the
/// person has to be asked about, a callback that fails. Blocks; never inside a transaction.
///
/// # Errors
/// Faults of the own database, and a chat that does not answer.
pub(super) fn walk(instance: &Instance, chat: &Rest, service: &str, session: &Session) -> Result<bool> {
    let begun = chat.visit(&format!("/oauth/{service}"), "").map_err(|error| unanswered(&error))?;
    if begun.status == 429 || begun.status >= 500 {
        return Err(trouble(&begun));
    }
    let Some(params) = request_of(&begun) else { return Ok(false) };
    let Some(answer) = authorize(instance, &params, session)? else { return Ok(false) };
    let back = format!("/_oauth/{service}?{}", form::encode(answer.pairs()));
    let done = chat.visit(&back, &cookies_of(&begun)).map_err(|error| unanswered(&error))?;
    match done.status {
        // A limit, or a proxy: it would go well a moment later. The chat's own word for a sign-in that failed is 500.
        429 | 502..=504 => Err(trouble(&done)),
        // Back at the start: it did not recognise its own visitor.
        300..=399 => Ok(!done.header("location").is_some_and(|place| place.trim_end_matches('/').ends_with("/login"))),
        _ => Ok(done.is_success()),
    }
}

fn trouble(answer: &Answer) -> Error {
    unanswered(&RestError::Garbage { status: answer.status })
}

/// The authorization request to which the chat sends a browser.
fn request_of(begun: &Answer) -> Option<Params> {
    let location = Url::parse(begun.header("location")?).ok()?;
    Params::parse(location.query()?.as_bytes()).ok()
}

/// The code for the chat's own client and for no other, by the rules that every request is judged by.
fn authorize(instance: &Instance, params: &Params, session: &Session) -> Result<Option<AuthorizeResponse>> {
    let target = Target::parse(params);
    if target.client_id.as_deref() != Some(&instance.policy.chat_client) {
        return Ok(None);
    }
    let Ok(request) = AuthorizeRequest::parse(params) else { return Ok(None) };
    let (session, issuer) = (session.clone(), instance.policy.issuer.clone());
    let judged = instance.read(|cx| {
        let Some(client) = RegisteredClient::load(cx.store, &cx.policy.chat_client)? else { return Ok(None) };
        let target = prove_target(Some(&client.client), &target)?;
        let scope = judge(&client.client, &request)?;
        Ok(Some((client, target, scope)))
    });
    let (client, target, scope) = match judged {
        Ok(Some(judged)) => judged,
        Ok(None) => return Ok(None),
        Err(error) => return passed_over(error),
    };
    let answered = instance.write(move |cx| {
        let attempt = Attempt { client: &client, target: &target, request: &request, scope: &scope, signed_in: None, allowed: false };
        Ok(match advance(cx, &attempt, Some(&session))? {
            Outcome::Code(code, grant) => {
                trace::walked(cx, &grant)?;
                Some(AuthorizeResponse::success(code.expose(), request.state.as_deref(), &issuer))
            }
            Outcome::SignIn { .. } | Outcome::Consent { .. } => None,
        })
    });
    answered.or_else(passed_over)
}

/// A refusal is the operator's to mend; the account is made without the chat's flow.
fn passed_over(error: Error) -> Result<Option<AuthorizeResponse>> {
    match error {
        Error::Refused(refusal) => {
            tracing::warn!(cause = refusal.detail.cause.slug(), "the authorization request of the chat's own button is refused");
            Ok(None)
        }
        fault @ Error::Fault(_) => Err(fault),
    }
}

/// What the chat knows its visitor by, as a `Cookie` header.
fn cookies_of(answer: &Answer) -> String {
    let set = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let pairs: Vec<&str> = set.filter_map(|cookie| cookie.split(';').next()).map(str::trim).collect();
    pairs.join("; ")
}
