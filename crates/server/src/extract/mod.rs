//! What a request carries, read once and in one way.

pub(crate) mod address;
pub(crate) mod cookies;
pub(crate) mod form;
pub(crate) mod origin;

use actix_web::HttpRequest;
use actix_web::http::header::AsHeaderName;

/// A header as text; `None` when it is absent or not ASCII.
pub(crate) fn header(request: &HttpRequest, name: impl AsHeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}
