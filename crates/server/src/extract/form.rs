//! Parameters of query strings and forms, with every problem turned into a refusal that the endpoint shows in its own shape.

use crate::state::AppState;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, web};
use propusk_domain::{Cause, Refusal};
use propusk_protocol::{ErrorCode, Params};
use std::future::Future;
use std::pin::Pin;

/// The parameters of a form body (`application/x-www-form-urlencoded`), or why there are none.
pub struct Form(pub Result<Params, Refusal>);

impl FromRequest for Form {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes().to_vec());
        let limit = request.app_data::<web::Data<AppState>>().map_or(65_536, |state| state.settings.http.max_body_bytes);
        let body = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let body = body.await?.to_bytes_limited(limit).await;
            let bytes = match body {
                Ok(Ok(bytes)) => bytes,
                Ok(Err(error)) => return Ok(Self(Err(unreadable(&error.to_string())))),
                Err(_) => return Ok(Self(Err(too_large(limit)))),
            };
            Ok(Self(check_content_type(content_type.as_deref(), bytes.is_empty()).and_then(|()| Params::parse(&bytes).map_err(Refusal::from))))
        })
    }
}

fn check_content_type(value: Option<&[u8]>, empty: bool) -> Result<(), Refusal> {
    let Some(value) = value else {
        if empty {
            return Ok(());
        }
        return Err(wrong_content_type("none"));
    };
    let text = String::from_utf8_lossy(value);
    let media_type = text.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") { Ok(()) } else { Err(wrong_content_type(&text)) }
}

fn wrong_content_type(received: &str) -> Refusal {
    let public = "The body must be application/x-www-form-urlencoded";
    Refusal::new(ErrorCode::UnsupportedMediaType, public, Cause::WrongContentType)
        .expected("application/x-www-form-urlencoded")
        .received(received)
        .fix("let the application send its parameters as application/x-www-form-urlencoded")
}

pub(crate) fn unreadable(why: &str) -> Refusal {
    Refusal::invalid_request("The body could not be read", Cause::MalformedRequest)
        .expected("a whole body")
        .received(why)
        .fix("send the body whole; a proxy must pass it on unchanged")
}

pub(crate) fn too_large(limit: usize) -> Refusal {
    Refusal::new(ErrorCode::RequestTooLarge, "The body is too large", Cause::TooLarge)
        .expected(format!("at most {limit} bytes"))
        .received("more")
        .fix("send less; the setting http.max_body_bytes is the limit")
}

/// The parameters of the query string.
pub(crate) fn query(request: &HttpRequest) -> Result<Params, Refusal> {
    Params::parse(request.query_string().as_bytes()).map_err(Refusal::from)
}
