//! The end of a step: an answer to the client, the next page, or the flow from its beginning.

use super::step::{self, AuthorizeResponseContext, BrowserCookie, Judged, Rejected};
use super::view::{ErrorKind, FormPost};
use super::{FORM_POST_POLICY, REFERENCE, common, error, html_with, locale, own_url, see_other};
use crate::state::AppState;
use crate::trace;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::authorize::{Outcome, ProvenTarget};
use propusk_domain::flow::Flow;
use propusk_domain::{Cause, Error, Refusal, Result, UnixTime};
use propusk_protocol::redirect_uri::with_params;
use propusk_protocol::{AuthorizeResponse, ResponseMode};

/// Turns an outcome into a response. A page that follows gets the flow, sealed with what has happened so far.
pub async fn outcome(state: &AppState, request: &HttpRequest, judged: &Judged, outcome: Outcome, flow: Flow, now: UnixTime) -> Result<HttpResponse> {
    match outcome {
        Outcome::Code(code, grant) => {
            state.caches.issued(&grant);
            trace::code_issued(state, request, &grant, now);
            let response = AuthorizeResponse::success(code.expose(), judged.request.state.as_deref(), &state.policy.issuer);
            let context = AuthorizeResponseContext::of_request(&judged.client, &judged.request);
            Ok(to_client(state, request, &judged.target, &context, &response))
        }
        Outcome::SignIn { again } => {
            let sealed = step::seal(state, request, &flow, now).await?;
            let mut pairs = vec![("flow", sealed.as_str())];
            if again {
                pairs.push(("notice", "again"));
            }
            Ok(see_other(&own_url(state, "/login", &pairs)))
        }
        Outcome::Consent { .. } => {
            let sealed = step::seal(state, request, &flow, now).await?;
            Ok(see_other(&own_url(state, "/consent", &[("flow", sealed.as_str())])))
        }
    }
}

/// Sends an answer, good or bad, to a proven redirect URI.
pub fn to_client(
    state: &AppState,
    request: &HttpRequest,
    target: &ProvenTarget,
    context: &AuthorizeResponseContext,
    response: &AuthorizeResponse,
) -> HttpResponse {
    match context.response_mode {
        ResponseMode::Query => see_other(&with_params(&target.redirect_uri, response.pairs())),
        ResponseMode::FormPost => {
            let parameters: Vec<(&str, &str)> = response.pairs().iter().map(|(name, value)| (*name, value.as_str())).collect();
            let mut page = common(state, locale(state, request, None, &context.ui_locales, None), "", &[]);
            page.switch_href = None;
            let view = FormPost { page, action: &target.redirect_uri, parameters: &parameters, client_name: Some(&context.client_name) };
            html_with(StatusCode::OK, &view, FORM_POST_POLICY)
        }
    }
}

/// An error as the client gets it: code, sentence with reference, `state`, `iss`.
pub fn error_to_client(
    state: &AppState,
    request: &HttpRequest,
    target: &ProvenTarget,
    context: &AuthorizeResponseContext,
    error: Error,
    now: UnixTime,
) -> HttpResponse {
    let reported = state.report("authorize", error, now);
    trace::refused(state, request, &reported, now);
    let response = AuthorizeResponse::error(reported.code, &reported.redirect_description(), context.state.as_deref(), &state.policy.issuer);
    to_client(state, request, target, context, &response)
}

/// A judged request that was refused after all.
pub fn refused(state: &AppState, request: &HttpRequest, judged: &Judged, error: Error, now: UnixTime) -> HttpResponse {
    let context = AuthorizeResponseContext::of_request(&judged.client, &judged.request);
    error_to_client(state, request, &judged.target, &context, error, now)
}

/// A request that could not be judged again.
pub fn rejected(state: &AppState, request: &HttpRequest, rejected: Rejected, now: UnixTime) -> HttpResponse {
    match rejected {
        Rejected::Page(failure) => error::of(state, request, "authorize", failure),
        Rejected::Redirect(boxed) => {
            let (target, context, failure) = *boxed;
            error_to_client(state, request, &target, &context, failure, now)
        }
    }
}

/// Begins a flow again from its request, in the browser at hand, with a sentence that says why.
pub async fn restart(state: &AppState, request: &HttpRequest, old: &Flow, (cause, notice): (Cause, &'static str), now: UnixTime) -> HttpResponse {
    let reported = state.report("login", not_accepted(old, cause).into(), now);
    trace::refused(state, request, &reported, now);
    let browser = BrowserCookie::of(state, request);
    let mut flow = Flow::begin(old.id.clone(), old.request.clone(), browser.digest(), now);
    flow.next.clone_from(&old.next);
    flow.lost_cookie = notice == "cookie" || notice == "blocked";
    match step::seal(state, request, &flow, now).await {
        Ok(sealed) => {
            let mut response =
                see_other(&own_url(state, "/login", &[("flow", sealed.as_str()), ("notice", notice), (REFERENCE, &reported.reference)]));
            set_browser_cookie(state, &mut response, &browser);
            response
        }
        Err(failure) => error::of(state, request, "login", failure),
    }
}

/// Why a form or page is not believed, with what the operator can do about it.
fn not_accepted(flow: &Flow, cause: Cause) -> Refusal {
    let refusal = Refusal::invalid_request("The form cannot be accepted, the sign-in begins again", cause);
    let refusal = match &flow.request {
        Some(wanted) => refusal.client(&wanted.client_id),
        None => refusal,
    };
    match cause {
        Cause::LostCookie => refusal
            .expected("the cookie of the browser that opened the page")
            .received("no such cookie")
            .fix("let the browser keep cookies of this site; a proxy must pass Set-Cookie and Cookie on"),
        Cause::ForeignOrigin => refusal
            .expected("a form posted from this server's own origin")
            .received("another origin")
            .fix("the setting issuer must be the address that people see in their browsers; a proxy must not change Origin"),
        _ => refusal
            .expected("a page younger than login.flow_lifetime")
            .received(format!("a page opened at {}", flow.started_at))
            .fix("sign in again; raise login.flow_lifetime when people need longer"),
    }
}

/// Sets the pre-session cookie where the browser has none.
pub fn set_browser_cookie(state: &AppState, response: &mut HttpResponse, browser: &BrowserCookie) {
    if browser.is_new {
        add_cookie(response, &browser.cookie(state));
    }
}

/// Adds a `Set-Cookie`.
pub fn add_cookie(response: &mut HttpResponse, cookie: &actix_web::cookie::Cookie<'_>) {
    if let Err(failure) = response.add_cookie(cookie) {
        tracing::error!(%failure, "a cookie could not be set");
    }
}

/// A flow that is gone: the page says so and how to start again.
pub fn broken_flow(state: &AppState, request: &HttpRequest, failure: Error, now: UnixTime) -> HttpResponse {
    let reported = state.report("login", failure, now);
    let kind = if reported.cause.is_some() { ErrorKind::FlowBroken } else { ErrorKind::TemporarilyUnavailable };
    error::page(state, request, &reported, kind, None)
}
