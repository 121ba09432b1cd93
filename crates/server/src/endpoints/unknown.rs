//! Paths that nobody serves and methods that an endpoint does not answer: programs get JSON, people a page.

use crate::extract::header;
use crate::pages;
use crate::pages::view::ErrorKind;
use crate::state::AppState;
use actix_web::http::header::{ACCEPT, ALLOW, HeaderValue, USER_AGENT};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::{Cause, Refusal};
use propusk_protocol::ErrorCode;
use propusk_protocol::discovery::nearest_path;
use serde_json::json;

/// No such path; names the nearest one.
pub(crate) async fn path(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let base = state.settings.issuer_path();
    let path = request.path();
    let own = path.strip_prefix(base).unwrap_or(path);
    let nearest = format!("{base}{}", nearest_path(own));
    let refusal = Refusal::new(ErrorCode::NotFound, "There is nothing at this path", Cause::WrongPath)
        .expected("a documented path")
        .received(path)
        .nearest(Some(nearest.clone()))
        .fix(format!("use {}{}", state.settings.origin(), nearest));
    // By their user agents, the two generations of the chat's server side.
    let from_chat = header(&request, USER_AGENT).is_some_and(|agent| agent.starts_with("Meteor") || agent.starts_with("Node-oauth"));
    let refusal =
        if from_chat { refusal.fix("Rocket.Chat asked for this path: correct Token Path and Identity Path in its settings") } else { refusal };
    let reported = state.report("unknown", refusal.into(), now);
    // Below these only programs live, whatever they say that they accept.
    let for_programs = own.starts_with("/oauth") || own.starts_with("/api/") || own.starts_with("/.well-known");
    if prefers_a_page(&request) && !for_programs {
        return pages::error::page(&state, &request, &reported, ErrorKind::NotFound, None);
    }
    let mut response = HttpResponse::NotFound().json(json!({
        "error": reported.code.as_str(),
        "error_description": reported.description,
        "error_reference": reported.reference,
        "nearest": nearest,
    }));
    response.head_mut().reason = Some(reported.code.as_str());
    response
}

/// The path exists, the method does not: 405 with `Allow` (RFC 9110 §15.5.6).
pub(crate) fn method(state: &AppState, request: &HttpRequest, endpoint: &'static str, allow: &'static str, page: bool) -> HttpResponse {
    // Whoever sent another method had none of a browser's questions in mind.
    let wanted = allow.trim_end_matches(", OPTIONS");
    let refusal = Refusal::new(ErrorCode::MethodNotAllowed, "This endpoint does not answer this method", Cause::WrongMethod)
        .expected(wanted)
        .received(request.method().as_str())
        .fix(format!("send {wanted}; after a redirect many programs turn a POST into a GET"));
    let reported = state.report(endpoint, refusal.into(), state.now());
    let mut response = if page && prefers_a_page(request) {
        pages::error::page(state, request, &reported, ErrorKind::MethodNotAllowed, None)
    } else {
        reported.json()
    };
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// A browser's navigation asks for HTML by name; programs ask for JSON or anything.
fn prefers_a_page(request: &HttpRequest) -> bool {
    header(request, ACCEPT).is_some_and(|accept| accept.contains("text/html"))
}
