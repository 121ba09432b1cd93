//! The pages that people see: words, looks, templates, and the handlers behind them.

pub(crate) mod account;
pub mod answer;
pub mod assets;
pub mod authorize;
pub mod brand;
pub mod consent;
pub mod error;
pub(crate) mod forgot_password;
pub mod home;
pub mod i18n;
pub mod login;
pub mod logout;
pub(crate) mod register;
pub mod rocketchat;
pub(crate) mod set_password;
pub mod step;
pub(crate) mod verify_email;
pub mod view;

use crate::extract::header;
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use askama::Template;
use i18n::Locale;
use propusk_protocol::Params;
use propusk_protocol::form::encode;
use view::Page;

/// No `form-action`: Chromium applies it to every redirect that follows a POST, the client's own next hops included.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";

/// The one page with a script, which submits the form.
const FORM_POST_POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; base-uri 'none'; frame-ancestors 'none'";

const CONTENT_SECURITY_POLICY: HeaderName = HeaderName::from_static("content-security-policy");
const FRAME_OPTIONS: HeaderName = HeaderName::from_static("x-frame-options");

/// The language of a page: the link that was followed, what the client asked for, the person's own, the browser's.
pub fn locale(state: &AppState, request: &HttpRequest, params: Option<&Params>, wanted: &[String], person: Option<&str>) -> Locale {
    let tags: Vec<String> =
        params.and_then(|params| params.get("ui_locales")).into_iter().flat_map(str::split_whitespace).map(str::to_owned).collect();
    let wanted = if tags.is_empty() { wanted } else { &tags };
    Locale::negotiate(wanted, person, header(request, ACCEPT_LANGUAGE), state.locale)
}

/// What every page needs; `query` are the parameters under which the same page is found again in the other language.
fn common<'a>(state: &'a AppState, locale: Locale, path: &str, query: &[(&str, &str)]) -> Page<'a> {
    let mut pairs = query.to_vec();
    pairs.push(("ui_locales", locale.other().tag()));
    Page { locale, brand: &state.brand, base: state.settings.issuer_path(), switch_href: Some(own_url(state, path, &pairs)), reference: None }
}

/// The parameter by which a page that follows a refusal learns its reference.
const REFERENCE: &str = "ref";

/// The reference in a URL; anybody can write one there, so nothing but the form of a reference is shown.
fn reference(params: Option<&Params>) -> Option<String> {
    let text = params?.get(REFERENCE)?;
    (text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())).then(|| text.to_owned())
}

/// A path of this server with parameters; never built from anything that the request says of its host.
fn own_url(state: &AppState, path: &str, pairs: &[(&str, &str)]) -> String {
    let base = state.settings.issuer_path();
    if pairs.is_empty() { format!("{base}{path}") } else { format!("{base}{path}?{}", encode(pairs)) }
}

/// A rendered page.
fn html(status: StatusCode, page: &impl Template) -> HttpResponse {
    html_with(status, page, POLICY)
}

fn html_with(status: StatusCode, page: &impl Template, policy: &'static str) -> HttpResponse {
    match page.render() {
        Ok(body) => protected(HttpResponse::build(status), policy)
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")))
            .body(body),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// With `no-referrer` Chromium posts `Origin: null`, so `same-origin` it is; the flow in our URLs stays with us either way.
fn protected(mut builder: HttpResponseBuilder, policy: &'static str) -> HttpResponseBuilder {
    builder
        .insert_header((CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)))
        .insert_header((FRAME_OPTIONS, HeaderValue::from_static("DENY")))
        .insert_header((REFERRER_POLICY, HeaderValue::from_static("same-origin")));
    builder
}

/// `303 See Other`: the next request is a GET, whatever this one was.
fn see_other(location: &str) -> HttpResponse {
    let mut builder = protected(HttpResponse::SeeOther(), POLICY);
    match HeaderValue::try_from(location) {
        Ok(location) => builder.insert_header((LOCATION, location)).finish(),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}
