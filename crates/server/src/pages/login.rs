//! `/login`: the sign-in form and what it posts.

use super::answer::{self, add_cookie, set_browser_cookie};
use super::step::{self, BrowserCookie, Judged};
use super::view::{Login, LoginNotice, Page};
use super::{common, error, home, html, locale, own_url, reference, see_other};
use crate::extract::address::client_address;
use crate::extract::cookies::{self, Kind};
use crate::extract::form::{Form, query};
use crate::extract::header;
use crate::extract::origin::{Posted, posted_from};
use crate::password::check;
use crate::state::AppState;
use crate::trace;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, USER_AGENT};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_crypto::Secret;
use propusk_domain::authorize::{Outcome, denied};
use propusk_domain::error::printable;
use propusk_domain::flow::Flow;
use propusk_domain::session::{Browser, Session};
use propusk_domain::trace::Step;
use propusk_domain::{Cause, Error, UnixTime, login};
use propusk_protocol::{ErrorCode, Params};

/// Seconds after which a MODERN Rocket.Chat has forgotten the flow; the page says so.
const STALE: i64 = 300;

/// Shows the form, unless the person turns out to be signed in already.
pub async fn get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let params = match query(&request) {
        Ok(params) => params,
        Err(refusal) => return error::of(&state, &request, "login", refusal.into()),
    };
    let Some(sealed) = params.get("flow") else { return without_client(&state, &request, &params, now).await };
    let flow = match step::open(&state, Some(sealed), now).await {
        Ok(flow) => flow,
        Err(failure) => return answer::broken_flow(&state, &request, failure, now),
    };
    trace::enter_flow(&request, &flow, Step::PageShown);
    if flow.is_expired(state.policy.flow_lifetime, now) {
        return answer::restart(&state, &request, &flow, (Cause::FlowExpired, "expired"), now).await;
    }
    let cookie = step::session_cookie(&state, &request);
    let (Some(cookie), Some(wanted)) = (cookie, flow.request.as_ref()) else {
        return form(&state, &request, &params, &flow, sealed, now).await;
    };
    let judged = match step::rejudge(&state, wanted, now).await {
        Ok(judged) => judged,
        Err(rejected) => return answer::rejected(&state, &request, rejected, now),
    };
    let (attempt, signed_in) = (judged.clone(), flow.signed_in.clone());
    let result = state
        .write(now, move |cx| {
            let session = step::live_session(cx, Some(&cookie))?;
            attempt.advance(cx, session.as_ref(), signed_in.as_deref(), false)
        })
        .await;
    match result {
        Ok(Outcome::SignIn { .. }) => form(&state, &request, &params, &flow, sealed, now).await,
        Ok(outcome) => match answer::outcome(&state, &request, &judged, outcome, flow, now).await {
            Ok(response) => response,
            Err(failure) => error::of(&state, &request, "login", failure),
        },
        Err(failure) => answer::refused(&state, &request, &judged, failure, now),
    }
}

/// `/login` opened by hand: signing in leads home, or to the account page that sent the person here. Whoever is signed in goes there.
async fn without_client(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> HttpResponse {
    let next = (params.get("next") == Some("account")).then(|| own_url(state, "/account", &[]));
    match home::person(state, request, now).await {
        Ok(None) => {}
        Ok(Some(_)) => return see_other(&next.unwrap_or_else(|| own_url(state, "/", &[]))),
        Err(failure) => return error::of(state, request, "login", failure),
    }
    let browser = BrowserCookie::of(state, request);
    let mut flow = Flow::begin(String::new(), None, browser.digest(), now);
    flow.next = next;
    let sealed = match step::seal(state, request, &flow, now).await {
        Ok(sealed) => sealed,
        Err(failure) => return error::of(state, request, "login", failure),
    };
    let mut response = form(state, request, params, &flow, &sealed, now).await;
    set_browser_cookie(state, &mut response, &browser);
    response
}

async fn form(state: &AppState, request: &HttpRequest, params: &Params, flow: &Flow, sealed: &str, now: UnixTime) -> HttpResponse {
    trace::ok(state, request, Step::PageShown, None, now);
    let is_stale = flow.request.is_some() && now.since(flow.started_at) >= STALE;
    let notice = match params.get("notice") {
        Some("expired") => Some(LoginNotice::Expired),
        Some("cookie") => Some(LoginNotice::CookieLost),
        Some("blocked") => Some(LoginNotice::CookiesBlocked),
        Some("password") => Some(LoginNotice::PasswordSet),
        Some("again") => Some(LoginNotice::Reauthenticate),
        _ if is_stale => Some(LoginNotice::Stale),
        _ => None,
    };
    let hint = flow.request.as_ref().and_then(|wanted| wanted.login_hint.clone()).unwrap_or_default();
    let reference = reference(Some(params));
    render(state, request, Some(params), &Shown { flow, sealed, username: &hint, notice, reference, status: StatusCode::OK }, now).await
}

/// What the form shows.
struct Shown<'a> {
    flow: &'a Flow,
    sealed: &'a str,
    username: &'a str,
    notice: Option<LoginNotice>,
    reference: Option<String>,
    status: StatusCode,
}

async fn render(state: &AppState, request: &HttpRequest, params: Option<&Params>, shown: &Shown<'_>, now: UnixTime) -> HttpResponse {
    let wanted = shown.flow.request.as_ref();
    let client = match wanted {
        Some(wanted) => state.client(&wanted.client_id, now).await.ok().flatten(),
        None => None,
    };
    let language = locale(state, request, params, wanted.map(|wanted| wanted.ui_locales.as_slice()).unwrap_or_default(), None);
    let forgot_href = state.settings.smtp.is_set().then(|| own_url(state, "/forgot-password", &[("flow", shown.sealed)]));
    let register_href = state.settings.registration.enabled.then(|| own_url(state, "/register", &[("flow", shown.sealed)]));
    let view = Login {
        page: Page { reference: shown.reference.clone(), ..common(state, language, "/login", &[("flow", shown.sealed)]) },
        flow: shown.sealed,
        client_name: client.as_ref().map(|client| client.client.name.as_str()),
        username: shown.username,
        forgot_href: forgot_href.as_deref(),
        register_href: register_href.as_deref(),
        notice: shown.notice,
    };
    html(shown.status, &view)
}

/// The person has typed name and password, or cancels.
pub async fn post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    let params = match form.0 {
        Ok(params) => params,
        Err(refusal) => return error::of(&state, &request, "login", refusal.into()),
    };
    let sealed = params.get("flow").unwrap_or_default();
    let flow = match step::open(&state, Some(sealed), now).await {
        Ok(flow) => flow,
        Err(failure) => return answer::broken_flow(&state, &request, failure, now),
    };
    trace::enter_flow(&request, &flow, Step::SignedIn);
    if let Some(why) = distrusted(&state, &request, &flow, now) {
        return answer::restart(&state, &request, &flow, why, now).await;
    }
    let judged = match flow.request.as_ref() {
        Some(wanted) => match step::rejudge(&state, wanted, now).await {
            Ok(judged) => Some(judged),
            Err(rejected) => return answer::rejected(&state, &request, rejected, now),
        },
        None => None,
    };
    if params.get("action") == Some("cancel") {
        return cancelled(&state, &request, judged.as_ref(), now);
    }
    let username = params.get("username").unwrap_or_default();
    match sign_in(&state, &request, username, params.get("password").unwrap_or_default(), judged.clone(), now).await {
        Ok(done) => signed_in(&state, &request, judged, flow, done, now).await,
        Err(failure) => failed(&state, &request, &flow, sealed, username, failure, now).await,
    }
}

/// Why a posted form is not believed, and the sentence with which the flow begins again.
pub(super) fn distrusted(state: &AppState, request: &HttpRequest, flow: &Flow, now: UnixTime) -> Option<(Cause, &'static str)> {
    if flow.is_expired(state.policy.flow_lifetime, now) {
        return Some((Cause::FlowExpired, "expired"));
    }
    if posted_from(request, &state.settings) == Posted::Elsewhere {
        return Some((Cause::ForeignOrigin, "cookie"));
    }
    if !step::is_same_browser(state, request, flow) {
        return Some((Cause::LostCookie, if flow.lost_cookie { "blocked" } else { "cookie" }));
    }
    None
}

fn cancelled(state: &AppState, request: &HttpRequest, judged: Option<&Judged>, now: UnixTime) -> HttpResponse {
    match judged {
        Some(judged) => answer::refused(state, request, judged, denied(judged.client.id()).into(), now),
        None => see_other(&own_url(state, "/", &[])),
    }
}

/// A session that has begun, and what the request came to with it.
pub(super) struct Done {
    pub(super) session: Session,
    pub(super) cookie: Secret,
    pub(super) outcome: Option<Outcome>,
}

/// Checks the password, then begins the session and goes on with the request in the same transaction.
async fn sign_in(
    state: &AppState,
    request: &HttpRequest,
    username: &str,
    password: &str,
    judged: Option<Judged>,
    now: UnixTime,
) -> propusk_domain::Result<Done> {
    let address = client_address(request, &state.settings);
    let checked = check(state, username, password, &address, now).await?;
    let browser = Browser { user_agent: header(request, USER_AGENT).map(printable), address: Some(address) };
    let previous = step::session_cookie(state, request);
    state
        .write(now, move |cx| {
            let previous = step::live_session(cx, previous.as_deref())?;
            let (session, cookie) = login::complete(cx, &checked.user, checked.rehashed.as_deref(), previous, browser.clone())?;
            let outcome = match &judged {
                Some(judged) => Some(judged.advance(cx, Some(&session), Some(&session.sid), false)?),
                None => None,
            };
            Ok(Done { session, cookie, outcome })
        })
        .await
}

/// Where a sign-in leads that has just happened: on with the request, to the page that sent the person here, or home.
pub(super) async fn signed_in(
    state: &AppState,
    request: &HttpRequest,
    judged: Option<Judged>,
    mut flow: Flow,
    done: Done,
    now: UnixTime,
) -> HttpResponse {
    trace::ok(state, request, Step::SignedIn, Some(&done.session.sub), now);
    flow.signed_in = Some(done.session.sid.clone());
    let next = flow.next.take();
    let mut response = match (judged, done.outcome) {
        (Some(judged), Some(outcome)) => match answer::outcome(state, request, &judged, outcome, flow, now).await {
            Ok(response) => response,
            Err(failure) => error::of(state, request, "login", failure),
        },
        // Sealed here, so nobody else can have written it.
        _ => see_other(&next.unwrap_or_else(|| own_url(state, "/", &[]))),
    };
    add_cookie(&mut response, &cookies::set(&state.settings, Kind::Session, done.cookie.expose()));
    response
}

/// Shows the form again with what went wrong. Unknown name, wrong password and disabled account are one sentence.
async fn failed(state: &AppState, request: &HttpRequest, flow: &Flow, sealed: &str, username: &str, failure: Error, now: UnixTime) -> HttpResponse {
    let client_id = flow.request.as_ref().map(|wanted| wanted.client_id.clone());
    let failure = match failure {
        Error::Refused(refusal) => Error::Refused(Box::new(match client_id {
            Some(client_id) => refusal.client(&client_id),
            None => *refusal,
        })),
        fault @ Error::Fault(_) => fault,
    };
    let reported = state.report("login", failure, now);
    trace::refused(state, request, &reported, now);
    let seconds = reported.retry_after.unwrap_or(1).max(1);
    let (notice, status) = match (reported.cause, reported.code) {
        (Some(Cause::LoginThrottled), _) => (LoginNotice::Throttled { seconds: seconds.cast_unsigned() }, StatusCode::TOO_MANY_REQUESTS),
        (Some(Cause::HashQueueFull), _) => (LoginNotice::Busy, StatusCode::SERVICE_UNAVAILABLE),
        (None, ErrorCode::TemporarilyUnavailable) => (LoginNotice::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
        (Some(_), _) => (LoginNotice::WrongCredentials, StatusCode::FORBIDDEN),
        (None, _) => return error::page(state, request, &reported, super::view::ErrorKind::ServerError, None),
    };
    let shown = Shown { flow, sealed, username, notice: Some(notice), reference: Some(reported.reference.clone()), status };
    let mut response = render(state, request, None, &shown, now).await;
    if reported.retry_after.is_some() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::LoginNotice;
    use crate::pages::i18n::Locale;

    #[test]
    fn long_waits_are_told_in_minutes() {
        let text = |seconds| LoginNotice::Throttled { seconds }.text(Locale::En);
        assert!(text(0).contains("1 second."));
        assert!(text(90).contains("90 seconds"));
        assert!(text(91).contains("2 minutes"));
    }
}
