//! `/verify-email`: where the link in a mail to a new address leads. Opening it shows one button; pressing it makes the address the
//! person's.

use super::home::person;
use super::set_password::{must_be_posted_here, without_referrer};
use super::view::Page;
use super::{common, error, html, locale, own_url, see_other};
use crate::extract::form::{Form, query};
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use propusk_domain::email_change::{self, EmailLink};
use propusk_domain::user::User;
use propusk_domain::{Error, Result, UnixTime};
use propusk_protocol::Params;

/// `/verify-email`: `#verify-email-submit`, posts `token` to `{base}/verify-email`; `#verify-email-done` afterwards.
#[derive(Debug, Clone, Template)]
#[template(path = "verify_email.html")]
struct VerifyEmail<'a> {
    page: Page<'a>,
    /// The link that waits for the button; `None` when it is done.
    link: Option<Waiting<'a>>,
}

#[derive(Debug, Clone)]
struct Waiting<'a> {
    token: &'a str,
    username: &'a str,
    address: &'a str,
}

/// Shows the button; opening the link uses nothing up, because mail scanners open links, too.
pub(crate) async fn get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let result = match query(&request) {
        Ok(params) => shown(&state, &request, &params, now).await,
        Err(refusal) => Err(refusal.into()),
    };
    result.unwrap_or_else(|failure| error::of(&state, &request, "verify_email", failure))
}

/// Changes the address and uses the link up.
pub(crate) async fn post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    let result = match form.0 {
        Ok(params) => confirm(&state, &request, &params, now).await,
        Err(refusal) => Err(refusal.into()),
    };
    result.unwrap_or_else(|failure| error::of(&state, &request, "verify_email", failure))
}

async fn shown(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> Result<HttpResponse> {
    if params.get("done").is_some() {
        let language = locale(state, request, Some(params), &[], None);
        let view = VerifyEmail { page: common(state, language, "/verify-email", &[("done", "1")]), link: None };
        return Ok(html(StatusCode::OK, &view));
    }
    let token = params.get("token").unwrap_or_default();
    let (link, user) = opened(state, request, token, now).await?;
    let language = locale(state, request, Some(params), &[], user.locale.as_deref());
    let page = common(state, language, "/verify-email", &[("token", token)]);
    let waiting = Waiting { token, username: &user.username, address: &link.address };
    Ok(without_referrer(html(StatusCode::OK, &VerifyEmail { page, link: Some(waiting) })))
}

async fn confirm(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> Result<HttpResponse> {
    must_be_posted_here(state, request)?;
    let token = params.get("token").unwrap_or_default();
    let (link, _) = opened(state, request, token, now).await?;
    match state.write(now, move |cx| email_change::confirm(cx, &link)).await {
        // Lost a race in the very same moment: what the winner did to the link is the answer.
        Err(Error::Fault(fault)) if fault.passing => {
            opened(state, request, token, now).await?;
            return Err(fault.into());
        }
        result => result?,
    };
    Ok(see_other(&own_url(state, "/verify-email", &[("done", "1")])))
}

async fn opened(state: &AppState, request: &HttpRequest, token: &str, now: UnixTime) -> Result<(EmailLink, User)> {
    let visitor = person(state, request, now).await?.map(|(_, user)| user.sub);
    let token = token.to_owned();
    state.read(now, move |cx| email_change::open(cx.store, &token, visitor.as_deref(), cx.keys, cx.now)).await
}
