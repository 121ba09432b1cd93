//! Cross-origin calls: token, userinfo and revocation from the origins of public clients' redirect URIs, without
//! credentials. Pages and authorize never answer to another origin.

use crate::state::AppState;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN,
    VARY,
};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};

/// Wraps a resource that single-page applications call.
pub(crate) async fn public_clients(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let allowed = allowed_origin(&request, async |state, origin| state.public_origins(state.now()).await.is_ok_and(|all| all.contains(origin))).await;
    let mut response = if request.method() == Method::OPTIONS {
        request.into_response(answer_preflight(allowed.is_some())).map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    tell_origin(response.headers_mut(), allowed);
    Ok(response)
}

/// The origin that the request names, where `may` lets it read the answer.
pub(crate) async fn allowed_origin(request: &ServiceRequest, may: impl AsyncFnOnce(&AppState, &str) -> bool) -> Option<HeaderValue> {
    let origin = request.headers().get(ORIGIN)?.clone();
    let state = request.app_data::<Data<AppState>>()?;
    let is_allowed = may(state, origin.to_str().ok()?).await;
    is_allowed.then_some(origin)
}

/// Lets the page of that origin read the answer; an answer depends on `Origin` either way.
pub(crate) fn tell_origin(headers: &mut HeaderMap, allowed: Option<HeaderValue>) {
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

/// 204 either way; without the headers the browser refuses by itself.
fn answer_preflight(allowed: bool) -> HttpResponse {
    let mut builder = HttpResponse::NoContent();
    if allowed {
        builder
            .insert_header((ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST")))
            .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type")))
            .insert_header((ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")));
    }
    builder.finish()
}
