//! `/account`: what people do with their own account. Every form carries a sealed text that names the session it was shown
//! to, so only the page of that very session is believed.

mod email;
pub(crate) mod view;

use super::answer::add_cookie;
use super::home::person;
use super::{common, error, html, locale, own_url, see_other};
use crate::error::Reported;
use crate::extract::address::client_address;
use crate::extract::cookies::{self, Kind};
use crate::extract::form::{Form, query};
use crate::extract::header;
use crate::extract::origin::{Posted, posted_from};
use crate::password::{check, hash_new};
use crate::password_strength::{judge, names_of};
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, USER_AGENT};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::error::printable;
use propusk_domain::flow::{AccountForm, Sealed};
use propusk_domain::grant::Revocation;
use propusk_domain::personal_token::{self, Owner, PersonalToken};
use propusk_domain::session::{self, Browser, Session};
use propusk_domain::user::User;
use propusk_domain::{Cause, Cx, Error, Refusal, Result, UnixTime, account};
use propusk_protocol::{ErrorCode, Params, Scope};
use view::{Account, ConsentRow, Notice, SessionRow, TokenRow, device};

/// Sessions on the page; nobody has so many browsers.
const SESSIONS: i64 = 100;

/// Shows the account, or the way in.
pub(crate) async fn get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let params = match query(&request) {
        Ok(params) => params,
        Err(refusal) => return error::of(&state, &request, "account", refusal.into()),
    };
    let notice = params.get("done").and_then(Notice::done);
    let result = match person(&state, &request, now).await {
        Ok(Some(signed_in)) => show(&state, &request, Some(&params), &signed_in, (notice, StatusCode::OK), now).await,
        Ok(None) => Ok(way_in(&state)),
        Err(failure) => Err(failure),
    };
    result.unwrap_or_else(|failure| error::of(&state, &request, "account", failure))
}

/// One of the page's forms.
pub(crate) async fn post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    let result = match form.0 {
        Ok(params) => act(&state, &request, &params, now).await,
        Err(refusal) => Err(refusal.into()),
    };
    result.unwrap_or_else(|failure| error::of(&state, &request, "account", failure))
}

fn way_in(state: &AppState) -> HttpResponse {
    see_other(&own_url(state, "/login", &[("next", "account")]))
}

async fn act(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> Result<HttpResponse> {
    let Some((session, user)) = person(state, request, now).await? else { return Ok(way_in(state)) };
    let form = params.get("form").and_then(|sealed| AccountForm::open(sealed, &state.keys()));
    let genuine = form.is_some_and(|form| form.sid == session.sid && now.since(form.started_at) < state.policy.flow_lifetime);
    if !genuine || posted_from(request, &state.settings) == Posted::Elsewhere {
        let refusal = Refusal::invalid_request("The form cannot be accepted, the page is shown again", Cause::ForeignOrigin)
            .expected("a form that this server showed to the holder of the session, posted from its own origin")
            .received("another form, an old one, or one posted from another origin")
            .fix("use the page that is shown again");
        state.report("account", refusal.into(), now);
        return Ok(done(state, "stale"));
    }
    let (sub, sid) = (user.sub.clone(), session.sid.clone());
    match params.get("action") {
        Some("profile") => profile(state, request, params, (session, user), now).await,
        Some("email") => email::change(state, request, params, (session, user), now).await,
        Some("password") => password(state, request, params, (session, user), now).await,
        Some("end") => {
            let wanted = params.get("sid").unwrap_or_default().to_owned();
            state.write(now, move |cx| account::end_session(cx, &sub, &wanted)).await?;
            Ok(if params.get("sid") == Some(sid.as_str()) { signed_out(state) } else { done(state, "session") })
        }
        Some("everywhere") => {
            state.write(now, move |cx| session::end_all(cx, &sub, Revocation::Logout)).await?;
            Ok(signed_out(state))
        }
        Some("withdraw") => {
            let client_id = params.get("client_id").unwrap_or_default().to_owned();
            state.write(now, move |cx| account::withdraw(cx, &sub, &client_id)).await?;
            Ok(done(state, "withdrawn"))
        }
        Some("token") => make_token(state, request, params, (session, user), now).await,
        Some("revoke") => {
            let id = params.get("token_id").unwrap_or_default().to_owned();
            state.write(now, move |cx| personal_token::revoke(cx, &id, Some(&sub))).await?;
            Ok(done(state, "token"))
        }
        _ => Err(Refusal::invalid_request("The form does not say what to do", Cause::MalformedRequest).expected("action").into()),
    }
}

/// The token stands on the answer itself and nowhere else: no redirect could carry it.
async fn make_token(state: &AppState, request: &HttpRequest, params: &Params, signed_in: (Session, User), now: UnixTime) -> Result<HttpResponse> {
    let name = params.get("token_name").unwrap_or_default().to_owned();
    let days = params.get("token_days").and_then(|days| days.parse().ok()).unwrap_or(0);
    let scope = params.get("token_scope").and_then(|scope| Scope::parse(scope).ok()).unwrap_or_default();
    let user = signed_in.1.clone();
    match state.write(now, move |cx| personal_token::create(cx, Owner::User(&user), &name, &scope, days)).await {
        Ok((_, secret)) => show_with(state, request, None, &signed_in, (None, StatusCode::OK), Some(secret.expose()), now).await,
        Err(failure @ Error::Refused(_)) => {
            let reported = state.report("account", failure, now);
            let notice = match (reported.cause, reported.code) {
                (Some(Cause::ScopeNotAllowed), _) => Notice::BadTokenScope,
                (Some(Cause::InvalidSetting), ErrorCode::Conflict) => Notice::TooManyTokens,
                _ => Notice::BadToken,
            };
            show(state, request, None, &signed_in, (Some(notice), StatusCode::BAD_REQUEST), now).await
        }
        Err(fault) => Err(fault),
    }
}

async fn profile(state: &AppState, request: &HttpRequest, params: &Params, signed_in: (Session, User), now: UnixTime) -> Result<HttpResponse> {
    let name = params.get("name").unwrap_or_default().to_owned();
    let language = params.get("locale").filter(|tag| matches!(*tag, "ru" | "en")).unwrap_or_default().to_owned();
    let sub = signed_in.1.sub.clone();
    match state.write(now, move |cx| account::set_profile(cx, &sub, &name, &language)).await {
        Ok(_) => Ok(done(state, "saved")),
        Err(failure @ Error::Refused(_)) => {
            state.report("account", failure, now);
            show(state, request, None, &signed_in, (Some(Notice::BadName), StatusCode::BAD_REQUEST), now).await
        }
        Err(fault) => Err(fault),
    }
}

async fn password(state: &AppState, request: &HttpRequest, params: &Params, signed_in: (Session, User), now: UnixTime) -> Result<HttpResponse> {
    let old = params.get("old_password").unwrap_or_default();
    let new = params.get("new_password").unwrap_or_default();
    // The new one is judged first: a weak one must not cost an attempt.
    if let Err(weakness) = judge(new, &names_of(&signed_in.1), &state.settings.password) {
        return show(state, request, None, &signed_in, (Some(weakness.into()), StatusCode::BAD_REQUEST), now).await;
    }
    match replaced(state, request, &signed_in, old, new, now).await {
        Ok(cookie) => {
            let mut response = done(state, "password");
            add_cookie(&mut response, &cookies::set(&state.settings, Kind::Session, cookie.expose()));
            Ok(response)
        }
        Err(failure @ Error::Refused(_)) => {
            let reported = state.report("account", failure, now);
            let mut response = show(state, request, None, &signed_in, refused(&reported), now).await?;
            if let Some(seconds) = reported.retry_after {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            Ok(response)
        }
        Err(fault) => Err(fault),
    }
}

async fn replaced(
    state: &AppState,
    request: &HttpRequest,
    (session, user): &(Session, User),
    old: &str,
    new: &str,
    now: UnixTime,
) -> Result<propusk_crypto::Secret> {
    let address = client_address(request, &state.settings);
    // Counted with the sign-ins: a stolen session is no way round their pauses.
    let checked = check(state, &user.username, old, &address, now).await?;
    let hash = hash_new(state, new.to_owned()).await?;
    let browser = Browser { user_agent: header(request, USER_AGENT).map(printable), address: Some(address) };
    let here = session.clone();
    let change = move |cx: &mut Cx<'_>| account::change_password(cx, &checked.user, hash.clone(), here.clone(), browser.clone());
    Ok(state.write(now, change).await?.1)
}

fn refused(reported: &Reported) -> (Option<Notice>, StatusCode) {
    let seconds = reported.retry_after.unwrap_or(1).max(1).cast_unsigned();
    match reported.code {
        ErrorCode::TooManyRequests => (Some(Notice::Throttled { seconds }), StatusCode::TOO_MANY_REQUESTS),
        ErrorCode::TemporarilyUnavailable if reported.cause.is_none() => (Some(Notice::Unavailable), StatusCode::SERVICE_UNAVAILABLE),
        ErrorCode::TemporarilyUnavailable => (Some(Notice::Busy), StatusCode::SERVICE_UNAVAILABLE),
        _ => (Some(Notice::WrongPassword), StatusCode::FORBIDDEN),
    }
}

fn done(state: &AppState, what: &str) -> HttpResponse {
    see_other(&own_url(state, "/account", &[("done", what)]))
}

fn signed_out(state: &AppState) -> HttpResponse {
    let mut response = see_other(&own_url(state, "/logged-out", &[]));
    add_cookie(&mut response, &cookies::remove(&state.settings, Kind::Session));
    response
}

async fn show(
    state: &AppState,
    request: &HttpRequest,
    params: Option<&Params>,
    signed_in: &(Session, User),
    said: (Option<Notice>, StatusCode),
    now: UnixTime,
) -> Result<HttpResponse> {
    show_with(state, request, params, signed_in, said, None, now).await
}

async fn show_with(
    state: &AppState,
    request: &HttpRequest,
    params: Option<&Params>,
    (session, user): &(Session, User),
    (notice, status): (Option<Notice>, StatusCode),
    new_token: Option<&str>,
    now: UnixTime,
) -> Result<HttpResponse> {
    let sub = user.sub.clone();
    let (sessions, consents, tokens) = state
        .read(now, move |cx| {
            let sessions = cx.store.list_sessions(Some(&sub), cx.now, SESSIONS)?;
            let mut consents = Vec::new();
            for consent in cx.store.list_consents(&sub)? {
                let name = cx.store.find_client(&consent.client_id)?.map(|client| client.name);
                let scopes = consent.scope.iter().map(str::to_owned).collect();
                let client_name = name.unwrap_or_else(|| consent.client_id.clone());
                consents.push(ConsentRow { client_id: consent.client_id, client_name, scopes });
            }
            let tokens = cx.store.list_personal_tokens(Some(&sub), None)?;
            Ok((sessions, consents, tokens))
        })
        .await?;
    let idle = state.policy.session_idle;
    let alive = sessions.into_iter().filter(|other| other.is_alive(now, idle));
    let mut rows: Vec<SessionRow> = alive.map(|other| row(other, &session.sid)).collect();
    rows.sort_by_key(|row| !row.is_current);
    let token = AccountForm { sid: session.sid.clone(), started_at: now }.seal(&state.keys())?;
    let language = locale(state, request, params, &[], user.locale.as_deref());
    let view = Account {
        page: common(state, language, "/account", &[]),
        token: &token,
        notice,
        username: &user.username,
        name: user.claims.name.as_deref().unwrap_or_default(),
        email: user.claims.email.as_deref(),
        is_verified: user.claims.email_verified == Some(true),
        // Never from an address that somebody else has made up.
        new_email: params.filter(|_| status != StatusCode::OK).and_then(|params| params.get("new_email")).unwrap_or_default(),
        can_change_email: state.settings.smtp.is_set(),
        language: user.locale.as_deref().unwrap_or_default(),
        min_length: state.settings.password.min_length,
        sessions: rows,
        consents,
        tokens: tokens.into_iter().filter(|token| token.is_alive(now)).map(token_row).collect(),
        new_token,
    };
    Ok(html(status, &view))
}

fn row(session: Session, current: &str) -> SessionRow {
    let seen = session.last_seen_at.to_string();
    let seen_text = minute(session.last_seen_at);
    SessionRow {
        is_current: session.sid == current,
        sid: session.sid,
        device: device(session.user_agent.as_deref().unwrap_or_default()),
        address: session.address.unwrap_or_default(),
        seen,
        seen_text,
    }
}

fn token_row(token: PersonalToken) -> TokenRow {
    TokenRow { until: minute(token.expires_at), used: token.last_used_at.map(minute), scope: token.scope.to_string(), id: token.id, name: token.name }
}

/// `2026-11-20 12:00 UTC`
fn minute(at: UnixTime) -> String {
    at.to_string().replace('T', " ").get(..16).map(|minute| format!("{minute} UTC")).unwrap_or_default()
}
