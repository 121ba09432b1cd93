//! `/consent`: what a third-party client asks for, and the person's answer.

use super::answer;
use super::login::distrusted;
use super::step::{self, Judged};
use super::view::Consent;
use super::{common, error, html, locale, own_url};
use crate::extract::form::{Form, query};
use crate::state::AppState;
use crate::trace;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::authorize::{Outcome, denied};
use propusk_domain::flow::Flow;
use propusk_domain::trace::Step;
use propusk_domain::user::User;
use propusk_domain::{Cause, Result, UnixTime};
use propusk_protocol::Params;

/// Shows what the client asks for, unless nothing is left to ask.
pub async fn get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let params = match query(&request) {
        Ok(params) => params,
        Err(refusal) => return error::of(&state, &request, "consent", refusal.into()),
    };
    let (flow, judged) = match opened(&state, &request, &params, Step::PageShown, now).await {
        Ok(opened) => opened,
        Err(response) => return response,
    };
    if flow.is_expired(state.policy.flow_lifetime, now) {
        return answer::restart(&state, &request, &flow, (Cause::FlowExpired, "expired"), now).await;
    }
    match go_on(&state, &request, &judged, &flow, false, now).await {
        Ok(Outcome::Consent { user }) => match show(&state, &request, &params, &flow, &judged, &user, now).await {
            Ok(response) => response,
            Err(failure) => error::of(&state, &request, "consent", failure),
        },
        Ok(outcome) => finish(&state, &request, &judged, outcome, flow, now).await,
        Err(failure) => answer::refused(&state, &request, &judged, failure, now),
    }
}

/// The person allows or declines.
pub async fn post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    let params = match form.0 {
        Ok(params) => params,
        Err(refusal) => return error::of(&state, &request, "consent", refusal.into()),
    };
    let (flow, judged) = match opened(&state, &request, &params, Step::Consent, now).await {
        Ok(opened) => opened,
        Err(response) => return response,
    };
    if let Some(why) = distrusted(&state, &request, &flow, now) {
        return answer::restart(&state, &request, &flow, why, now).await;
    }
    if params.get("action") != Some("allow") {
        return answer::refused(&state, &request, &judged, denied(judged.client.id()).into(), now);
    }
    match go_on(&state, &request, &judged, &flow, true, now).await {
        Ok(outcome) => {
            if matches!(outcome, Outcome::Code(..)) {
                trace::ok(&state, &request, Step::Consent, None, now);
            }
            finish(&state, &request, &judged, outcome, flow, now).await
        }
        Err(failure) => answer::refused(&state, &request, &judged, failure, now),
    }
}

async fn opened(state: &AppState, request: &HttpRequest, params: &Params, step: Step, now: UnixTime) -> Result<(Flow, Judged), HttpResponse> {
    let flow = step::open(state, params.get("flow"), now).await.map_err(|failure| answer::broken_flow(state, request, failure, now))?;
    trace::enter_flow(request, &flow, step);
    let Some(wanted) = flow.request.as_ref() else {
        return Err(answer::restart(state, request, &flow, (Cause::FlowExpired, "expired"), now).await);
    };
    match step::rejudge(state, wanted, now).await {
        Ok(judged) => Ok((flow, judged)),
        Err(rejected) => Err(answer::rejected(state, request, rejected, now)),
    }
}

async fn go_on(state: &AppState, request: &HttpRequest, judged: &Judged, flow: &Flow, allowed: bool, now: UnixTime) -> Result<Outcome> {
    let cookie = step::session_cookie(state, request);
    let (judged, signed_in) = (judged.clone(), flow.signed_in.clone());
    state
        .write(now, move |cx| {
            let session = step::live_session(cx, cookie.as_deref())?;
            judged.advance(cx, session.as_ref(), signed_in.as_deref(), allowed)
        })
        .await
}

async fn finish(state: &AppState, request: &HttpRequest, judged: &Judged, outcome: Outcome, flow: Flow, now: UnixTime) -> HttpResponse {
    match answer::outcome(state, request, judged, outcome, flow, now).await {
        Ok(response) => response,
        Err(failure) => error::of(state, request, "consent", failure),
    }
}

async fn show(
    state: &AppState,
    request: &HttpRequest,
    params: &Params,
    flow: &Flow,
    judged: &Judged,
    user: &User,
    now: UnixTime,
) -> Result<HttpResponse> {
    let sealed = step::seal(state, request, flow, now).await?;
    trace::ok(state, request, Step::PageShown, Some(&user.sub), now);
    // Somebody else signs in by the same flow, asked anew.
    let mut other = flow.clone();
    other.signed_in = None;
    if let Some(wanted) = other.request.as_mut() {
        wanted.prompt.login = true;
    }
    let other = step::seal(state, request, &other, now).await?;
    let other_account_href = own_url(state, "/login", &[("flow", other.as_str())]);
    let scopes: Vec<&str> = judged.scope.iter().collect();
    let language = locale(state, request, Some(params), &judged.request.ui_locales, user.locale.as_deref());
    let view = Consent {
        page: common(state, language, "/consent", &[("flow", sealed.as_str())]),
        flow: &sealed,
        client_name: &judged.client.client.name,
        scopes: &scopes,
        person: user.claims.name.as_deref().unwrap_or(&user.username),
        other_account_href: &other_account_href,
    };
    Ok(html(StatusCode::OK, &view))
}
