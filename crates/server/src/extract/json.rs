//! JSON bodies of the APIs: one object, within the limit of all bodies.

use crate::extract::form::{too_large, unreadable};
use crate::state::AppState;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, web};
use propusk_domain::{Cause, Refusal};
use propusk_protocol::ErrorCode;
use serde_json::{Map, Value};
use std::future::Future;
use std::pin::Pin;

/// The members of the body, or why there are none.
pub(crate) struct Json(pub(crate) Result<Map<String, Value>, Refusal>);

impl FromRequest for Json {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let content_type = request.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let limit = request.app_data::<web::Data<AppState>>().map_or(65_536, |state| state.settings.http.max_body_bytes);
        let body = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let bytes = match body.await?.to_bytes_limited(limit).await {
                Ok(Ok(bytes)) => bytes,
                Ok(Err(error)) => return Ok(Self(Err(unreadable(&error.to_string())))),
                Err(_) => return Ok(Self(Err(too_large(limit)))),
            };
            Ok(Self(parse(content_type.as_deref(), &bytes)))
        })
    }
}

fn parse(content_type: Option<&str>, bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let refusal = Refusal::new(ErrorCode::UnsupportedMediaType, "The body must be application/json", Cause::WrongContentType);
        return Err(refusal.expected("application/json").received(content_type.unwrap_or("none")).fix("send Content-Type: application/json"));
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(members)) => Ok(members),
        // The parser's message may repeat what the body holds, a password for example; its place does not.
        Ok(_) => Err(malformed("another kind of JSON")),
        Err(error) => Err(malformed(&format!("no JSON from line {}, column {}", error.line(), error.column()))),
    }
}

fn malformed(received: &str) -> Refusal {
    Refusal::invalid_request("The body must be a JSON object", Cause::MalformedRequest)
        .expected("a JSON object")
        .received(received)
        .fix("send one JSON object, in UTF-8")
}
