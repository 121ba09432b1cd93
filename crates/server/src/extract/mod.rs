//! What a request carries, read once and in one way.

pub(crate) mod address;
pub(crate) mod cookies;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod origin;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, AsHeaderName, HeaderValue};
use propusk_domain::{Cause, Refusal};

/// A header as text; `None` when it is absent or not ASCII.
pub(crate) fn header(request: &HttpRequest, name: impl AsHeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

/// The value of `Authorization`. Several headers are several ways at once (RFC 6749 §2.3, RFC 6750 §2), and a proxy in
/// front may judge another one than this server does; `twice` is the cause under which they are refused.
pub(crate) fn authorization(request: &HttpRequest, twice: Cause) -> Result<Option<&[u8]>, Refusal> {
    let mut values = request.headers().get_all(AUTHORIZATION);
    let first = values.next().map(HeaderValue::as_bytes);
    if values.next().is_some() {
        let refusal = Refusal::invalid_request("The request carries more than one Authorization header", twice);
        let refusal = refusal.expected("one Authorization header").received("several");
        return Err(refusal.fix("let the application, and every proxy in front, send one Authorization header"));
    }
    Ok(first)
}
