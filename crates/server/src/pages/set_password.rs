//! `/set-password`: where a one-time link leads. The link is the proof: whoever opened it sets the password, and then signs in.

use super::account::view::Notice;
use super::step;
use super::view::Page;
use super::{common, error, html, i18n, locale, own_url, see_other};
use crate::extract::form::{Form, query};
use crate::extract::header;
use crate::extract::origin::{Posted, foreign_form, posted_from};
use crate::password::hash_new;
use crate::password_strength::{judge, names_of};
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, REFERRER_POLICY};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use i18n::{Arg, t_args};
use propusk_domain::password_link::{self, PasswordLink};
use propusk_domain::user::User;
use propusk_domain::{Refusal, Result, UnixTime};
use propusk_protocol::Params;

/// A message that the template does not name itself.
pub(crate) const HINT: &str = "set-password-hint";

/// `/set-password`: `#password #set-password-submit`, posts `token new_password` to `{base}/set-password`.
#[derive(Debug, Clone, Template)]
#[template(path = "set_password.html")]
struct SetPassword<'a> {
    page: Page<'a>,
    token: &'a str,
    username: &'a str,
    notice: Option<Notice>,
    min_length: usize,
}

impl SetPassword<'_> {
    fn notice_text(&self) -> Option<String> {
        self.notice.map(|notice| notice.text(self.page.locale))
    }

    fn hint(&self) -> String {
        let count = u64::try_from(self.min_length).unwrap_or(u64::MAX);
        t_args(self.page.locale, HINT, &[("count", Arg::Number(count))])
    }
}

/// Shows the form; opening the link uses nothing up, because mail scanners open links, too.
pub(crate) async fn get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let result = match query(&request) {
        Ok(params) => shown(&state, &request, &params, now).await,
        Err(refusal) => Err(refusal.into()),
    };
    result.unwrap_or_else(|failure| error::of(&state, &request, "set_password", failure))
}

/// Sets the password and uses the link up.
pub(crate) async fn post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    let result = match form.0 {
        Ok(params) => set(&state, &request, &params, now).await,
        Err(refusal) => Err(refusal.into()),
    };
    result.unwrap_or_else(|failure| error::of(&state, &request, "set_password", failure))
}

async fn shown(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> Result<HttpResponse> {
    let token = params.get("token").unwrap_or_default();
    let (_, user) = opened(state, token, now).await?;
    Ok(render(state, request, Some(params), token, &user, None))
}

async fn set(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> Result<HttpResponse> {
    must_be_posted_here(state, request)?;
    let token = params.get("token").unwrap_or_default();
    let new = params.get("new_password").unwrap_or_default();
    // Before the hash is computed: without a link nobody makes the server work.
    let (link, user) = opened(state, token, now).await?;
    if let Err(weakness) = judge(new, &names_of(&user), &state.settings.password) {
        return Ok(render(state, request, None, token, &user, Some(weakness.into())));
    }
    let flow = link.flow.clone();
    let hash = hash_new(state, new.to_owned()).await?;
    state.write(now, move |cx| password_link::set_password(cx, &link, hash.clone())).await?;
    let mut pairs = vec![("notice", "password")];
    let goes_on = going_on(state, request, flow.as_deref(), now).await;
    pairs.extend(goes_on.then_some(flow.as_deref()).flatten().map(|flow| ("flow", flow)));
    Ok(see_other(&own_url(state, "/login", &pairs)))
}

/// The form of a link is sent by the page of the link: another site that has got hold of one cannot make a visitor use it up.
pub(super) fn must_be_posted_here(state: &AppState, request: &HttpRequest) -> Result<(), Refusal> {
    // Pages of links have the policy `no-referrer`, so their own posts say `Origin: null`, and only this header tells them apart.
    let is_foreign = matches!(header(request, "sec-fetch-site"), Some("cross-site" | "same-site"));
    if is_foreign || posted_from(request, &state.settings) == Posted::Elsewhere {
        return Err(foreign_form("open the link again"));
    }
    Ok(())
}

/// Whether the sign-in during which the password was forgotten goes on: in the browser that began it, while it is not over. The
/// application would not recognise another browser.
pub(super) async fn going_on(state: &AppState, request: &HttpRequest, flow: Option<&str>, now: UnixTime) -> bool {
    let Some(sealed) = flow else { return false };
    let Ok(flow) = step::open(state, Some(sealed), now).await else { return false };
    step::is_same_browser(state, request, &flow) && !flow.is_expired(state.policy.flow_lifetime, now)
}

async fn opened(state: &AppState, token: &str, now: UnixTime) -> Result<(PasswordLink, User)> {
    let token = token.to_owned();
    state.read(now, move |cx| password_link::open(cx.store, &token, cx.keys, cx.now)).await
}

fn render(state: &AppState, request: &HttpRequest, params: Option<&Params>, token: &str, user: &User, notice: Option<Notice>) -> HttpResponse {
    let language = locale(state, request, params, &[], user.locale.as_deref());
    let page = common(state, language, "/set-password", &[("token", token)]);
    let view = SetPassword { page, token, username: &user.username, notice, min_length: state.settings.password.min_length };
    without_referrer(html(if notice.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK }, &view))
}

/// The address holds a living link: it is told to nobody, not even to this server's own assets.
pub(super) fn without_referrer(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
