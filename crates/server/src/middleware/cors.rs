//! Cross-origin calls: token, userinfo and revocation from the origins of public clients' redirect URIs, without
//! credentials. Pages and authorize never answer to another origin.

use crate::state::AppState;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};

/// Wraps a resource that single-page applications call.
pub(crate) async fn public_clients(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let origin = request.headers().get(ORIGIN).cloned();
    let allowed = match (&origin, request.app_data::<Data<AppState>>()) {
        (Some(origin), Some(state)) => is_allowed(state, origin).await,
        _ => false,
    };
    let mut response = if request.method() == Method::OPTIONS {
        request.into_response(answer_preflight(allowed)).map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let (true, Some(origin)) = (allowed, origin) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    Ok(response)
}

async fn is_allowed(state: &AppState, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    state.public_origins(state.now()).await.is_ok_and(|origins| origins.contains(origin))
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
