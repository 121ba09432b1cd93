//! `/forgot-password`: asks for a mail with a link. The answer is the same whoever is named: the name is only written down
//! here, and looked up when the mail is to be sent.

use super::step;
use super::view::Page;
use super::{common, error, html, locale, own_url, see_other};
use crate::extract::address::client_address;
use crate::extract::form::{Form, query};
use crate::extract::origin::{Posted, foreign_form, posted_from};
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use propusk_domain::mail::{self, PasswordMail};
use propusk_domain::throttle::{Thresholds, admit};
use propusk_domain::user::name_key;
use propusk_domain::{Result, UnixTime};
use propusk_protocol::Params;

/// Fewer than for passwords: each may become a mail.
const THRESHOLDS: Thresholds = Thresholds { account_at_address: 2, account: 4, address: 20, longest_pause: 60 };

/// `/forgot-password`: `#username #forgot-submit`, posts `flow username` to `{base}/forgot-password`; `#forgot-sent` afterwards.
#[derive(Debug, Clone, Template)]
#[template(path = "forgot_password.html")]
struct ForgotPassword<'a> {
    page: Page<'a>,
    flow: &'a str,
    is_sent: bool,
    login_href: String,
}

/// Shows the form, or that a mail is under way if there is somebody. Leads back to the sign-in page where no mail can be sent.
pub(crate) async fn get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    if !state.settings.smtp.is_set() {
        return see_other(&own_url(&state, "/login", &[]));
    }
    match query(&request) {
        Ok(params) => show(&state, &request, &params),
        Err(refusal) => error::of(&state, &request, "forgot_password", refusal.into()),
    }
}

/// Writes down that somebody has forgotten a password.
pub(crate) async fn post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    if !state.settings.smtp.is_set() {
        return see_other(&own_url(&state, "/login", &[]));
    }
    let now = state.now();
    let result = match form.0 {
        Ok(params) => ask(&state, &request, &params, now).await,
        Err(refusal) => Err(refusal.into()),
    };
    result.unwrap_or_else(|failure| error::of(&state, &request, "forgot_password", failure))
}

fn show(state: &AppState, request: &HttpRequest, params: &Params) -> HttpResponse {
    let flow = params.get("flow").unwrap_or_default();
    let is_sent = params.get("sent").is_some();
    let mut pairs = with_flow(flow);
    let login_href = own_url(state, "/login", &pairs);
    if is_sent {
        pairs.push(("sent", "1"));
    }
    let language = locale(state, request, Some(params), &[], None);
    let view = ForgotPassword { page: common(state, language, "/forgot-password", &pairs), flow, is_sent, login_href };
    html(StatusCode::OK, &view)
}

async fn ask(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> Result<HttpResponse> {
    if posted_from(request, &state.settings) == Posted::Elsewhere {
        return Err(foreign_form("open the page again").into());
    }
    let sealed = params.get("flow").unwrap_or_default();
    let mut pairs = with_flow(sealed);
    let name = params.get("username").unwrap_or_default().trim().to_owned();
    if name.is_empty() {
        return Ok(see_other(&own_url(state, "/forgot-password", &pairs)));
    }
    let (key, address) = (format!("forgot:{}", name_key(&name)), format!("forgot:{}", client_address(request, &state.settings)));
    state.blocking(move |state| admit(state.ephemeral.as_ref(), &key, &address, THRESHOLDS, now)).await??;
    let flow = match sealed {
        "" => None,
        sealed => step::keep(state, sealed, now).await?,
    };
    let language = locale(state, request, Some(params), &[], None).tag().to_owned();
    let wanted = PasswordMail { name, flow, language };
    state.write(now, move |cx| Ok(mail::ask(cx, &wanted)?)).await?;
    pairs.push(("sent", "1"));
    Ok(see_other(&own_url(state, "/forgot-password", &pairs)))
}

fn with_flow(flow: &str) -> Vec<(&str, &str)> {
    if flow.is_empty() { Vec::new() } else { vec![("flow", flow)] }
}
