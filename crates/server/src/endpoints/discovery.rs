//! Discovery (OIDC Discovery §4, RFC 8414 §3) and the key set (RFC 7517 §5): served from memory, revalidated by entity tag.

use crate::state::{AppState, Document};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE,
    ETAG, HeaderValue, IF_NONE_MATCH,
};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

/// `GET /.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`.
pub(crate) async fn metadata(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    serve(&request, &state.discovery, HeaderValue::from_static("public, max-age=3600"))
}

/// `GET /oauth/jwks`. Readers may keep it for a quarter of the time for which a new key is announced, and never longer
/// than an hour.
pub(crate) async fn jwks(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let age = (state.policy.key_announcement / 4).clamp(0, 3600);
    let control = HeaderValue::try_from(format!("public, max-age={age}")).unwrap_or(HeaderValue::from_static("no-cache"));
    serve(&request, &state.jwks(), control)
}

/// Any page may read them, so any may ask whether it may.
pub(crate) async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD")))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*")))
        .insert_header((ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")))
        .finish()
}

fn serve(request: &HttpRequest, document: &Document, cache_control: HeaderValue) -> HttpResponse {
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let unchanged = known.is_some_and(|known| known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == document.etag || tag.trim() == "*"));
    let mut builder = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    builder
        .insert_header((CACHE_CONTROL, cache_control))
        .insert_header((ETAG, document.etag.as_str()))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")));
    if unchanged {
        return builder.finish();
    }
    builder.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json"))).body(document.body.clone())
}
