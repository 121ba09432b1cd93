//! A refusal that a person sees, in place.

use super::view::{ErrorKind, ErrorPage};
use super::{common, html, locale};
use crate::error::Reported;
use crate::state::AppState;
use crate::trace;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::{Cause, Error};
use propusk_protocol::ErrorCode;

/// The error page: little for the visitor, everything under the reference for the operator.
pub fn page(state: &AppState, request: &HttpRequest, reported: &Reported, kind: ErrorKind, restart: Option<&str>) -> HttpResponse {
    let params = crate::extract::form::query(request).ok();
    let mut page = common(state, locale(state, request, params.as_ref(), &[], None), "", &[]);
    page.switch_href = None;
    let view = ErrorPage { page, kind, code: reported.code.as_str(), reference: Some(&reported.reference), restart_href: restart };
    let mut response = html(reported.status(), &view);
    if let Some(seconds) = reported.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response
}

/// Reports an error and shows it as a page.
pub fn of(state: &AppState, request: &HttpRequest, endpoint: &'static str, error: Error) -> HttpResponse {
    let now = state.now();
    let reported = state.report(endpoint, error, now);
    trace::refused(state, request, &reported, now);
    page(state, request, &reported, kind(&reported), None)
}

/// The sentence that fits what happened.
fn kind(reported: &Reported) -> ErrorKind {
    match reported.cause {
        Some(Cause::UnknownClient) => ErrorKind::UnknownClient,
        Some(Cause::DisabledClient) => ErrorKind::DisabledClient,
        Some(Cause::RedirectUriMismatch) => ErrorKind::RedirectUriMismatch,
        Some(Cause::RedirectUriMissing) => ErrorKind::RedirectUriMissing,
        Some(Cause::FlowBroken | Cause::FlowExpired) => ErrorKind::FlowBroken,
        Some(Cause::PasswordLinkDead | Cause::MailLinkDead) => ErrorKind::LinkDead,
        Some(Cause::ForeignOrigin | Cause::LostCookie) => ErrorKind::Csrf,
        Some(Cause::LoginThrottled) => ErrorKind::Throttled,
        Some(Cause::TooLarge) => ErrorKind::TooLarge,
        Some(Cause::NameTaken) => ErrorKind::AddressTaken,
        Some(Cause::AccessDenied | Cause::ChatChannelNotGiven | Cause::MailLinkForeign) => ErrorKind::AccessDenied,
        _ => match reported.code {
            ErrorCode::ServerError => ErrorKind::ServerError,
            ErrorCode::TemporarilyUnavailable => ErrorKind::TemporarilyUnavailable,
            ErrorCode::InvalidRequest | ErrorCode::UnsupportedMediaType => ErrorKind::InvalidRequest,
            _ => ErrorKind::Other,
        },
    }
}
