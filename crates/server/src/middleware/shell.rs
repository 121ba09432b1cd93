//! The outermost layer: limits on URL and headers, the headers that every answer carries, one log line, one count.

use crate::endpoints::unknown;
use crate::extract::address::client_address;
use crate::request_id;
use crate::state::AppState;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};
use propusk_crypto::random::token;
use propusk_domain::error::printable;
use propusk_domain::{Cause, Refusal};
use propusk_protocol::ErrorCode;
use std::time::Instant;

/// Names a request in the log and in the answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps a request.
pub(crate) async fn around(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let Some(state) = request.app_data::<Data<AppState>>().cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let request = crate::compat::canonical(&state, request);
    let endpoint = crate::routes::endpoint_of(request.path(), state.settings.issuer_path());
    let id = token(&state.rng, 9);
    let mut response = request_id::scope(id.clone(), answer(&state, request, endpoint, next)).await?;
    let headers = response.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if endpoint == "rocketchat" {
        // Where the chat sends people, or is sent to, is nobody else's business.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    if let Ok(value) = HeaderValue::try_from(&id) {
        headers.insert(REQUEST_ID, value);
    }
    observe(&state, &response, endpoint, &id, began);
    Ok(response)
}

async fn answer(
    state: &Data<AppState>,
    request: ServiceRequest,
    endpoint: &'static str,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Some(refused) = oversized(state, &request, endpoint) {
        return Ok(request.into_response(refused));
    }
    if names_nul(request.path()) {
        let (request, _) = request.into_parts();
        let unknown = unknown::path(state.clone(), request.clone()).await;
        return Ok(ServiceResponse::new(request, unknown));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// Whether a segment decodes to a text with U+0000. Nothing here is called so, and PostgreSQL takes no such text.
fn names_nul(path: &str) -> bool {
    path.contains("%00")
}

fn oversized(state: &AppState, request: &ServiceRequest, endpoint: &'static str) -> Option<HttpResponse> {
    let limits = &state.settings.http;
    let url = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if url > limits.max_url_bytes {
        let refusal = Refusal::new(ErrorCode::UriTooLong, "The URL is too long", Cause::TooLarge);
        let refusal = refusal.expected(format!("at most {} bytes", limits.max_url_bytes)).received(format!("{url} bytes"));
        let refusal = refusal.fix("shorten state and the list of scopes; the setting http.max_url_bytes is the limit");
        return Some(state.report(endpoint, refusal.into(), state.now()).json());
    }
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > limits.max_header_bytes {
        let refusal = Refusal::new(ErrorCode::RequestTooLarge, "The headers are too large", Cause::TooLarge);
        let refusal = refusal.expected(format!("at most {} bytes", limits.max_header_bytes)).received(format!("{headers} bytes"));
        let refusal = refusal
            .fix("send less: cookies of other applications on the same host are the usual reason; the setting http.max_header_bytes is the limit");
        return Some(state.report(endpoint, refusal.into(), state.now()).json());
    }
    None
}

/// No query string, no cookie, no header enters the line: the path alone, escaped.
fn observe(state: &AppState, response: &ServiceResponse<BoxBody>, endpoint: &'static str, id: &str, began: Instant) {
    let took = began.elapsed();
    let status = response.status().as_u16();
    state.metrics.request(endpoint, status, took);
    let request = response.request();
    let routine = matches!(endpoint, "discovery" | "jwks" | "health" | "assets") && status < 400 && request.method() == Method::GET;
    if routine || !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    tracing::info!(
        request_id = id,
        method = request.method().as_str(),
        path = printable(request.path()),
        status,
        micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        address = client_address(request, &state.settings),
        "request"
    );
}
