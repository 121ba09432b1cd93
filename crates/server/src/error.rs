//! How a refusal or a fault leaves the server: as JSON, as a bearer challenge, as a redirect or as a page. Every one gets
//! a reference under which `propusk explain` knows it.

use crate::request_id;
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder};
use propusk_crypto::random::reference;
use propusk_domain::records::{AuditEvent, RefusalRecord};
use propusk_domain::{Alarm, Error, Fault, Refusal, UnixTime};
use propusk_protocol::ErrorCode;
use serde_json::json;

/// What a refusal or fault looks like from outside, reference included.
#[derive(Debug, Clone)]
pub struct Reported {
    /// The protocol's error code.
    pub code: ErrorCode,
    /// The client's sentence.
    pub description: &'static str,
    /// The short reference.
    pub reference: String,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<i64>,
    /// Whether a 401 carries a Basic challenge.
    pub basic_challenge: bool,
    /// The likely cause, when it was a refusal.
    pub cause: Option<propusk_domain::Cause>,
}

impl AppState {
    /// Logs, counts and records what went wrong; a fault, too, so that its reference is known as soon as the database answers again.
    pub fn report(&self, endpoint: &'static str, error: Error, now: UnixTime) -> Reported {
        match error {
            Error::Refused(refusal) => self.report_refusal(endpoint, *refusal, now),
            Error::Fault(fault) => self.report_fault(endpoint, &fault, now),
        }
    }

    fn report_refusal(&self, endpoint: &'static str, refusal: Refusal, now: UnixTime) -> Reported {
        let reference = reference(&self.rng);
        let Refusal { code, public, detail, retry_after, basic_challenge, alarm, .. } = refusal;
        let cause = detail.cause;
        self.metrics.refused(endpoint, cause.slug());
        tracing::info!(
            reference,
            request_id = request_id::current(),
            endpoint,
            error = code.as_str(),
            cause = cause.slug(),
            client_id = detail.client_id,
            expected = detail.expected,
            received = detail.received,
            "refused"
        );
        // Before the refusal, which wakes the thread that writes both.
        if let Some(alarm) = alarm {
            self.refusals.push_event(raise(&alarm, &reference, endpoint, detail.client_id.clone(), now));
        }
        self.refusals.push(RefusalRecord {
            reference: reference.clone(),
            at: now,
            endpoint: endpoint.to_owned(),
            error: code.as_str().to_owned(),
            detail,
        });
        Reported { code, description: public, reference, retry_after, basic_challenge, cause: Some(cause) }
    }

    fn report_fault(&self, endpoint: &'static str, fault: &Fault, now: UnixTime) -> Reported {
        let reference = reference(&self.rng);
        tracing::error!(reference, request_id = request_id::current(), endpoint, passing = fault.passing, fault = %fault, "fault");
        let (code, description) = if fault.passing {
            (ErrorCode::TemporarilyUnavailable, "The service cannot answer at the moment, try again")
        } else {
            (ErrorCode::ServerError, "Something went wrong on the server")
        };
        self.refusals.push(RefusalRecord {
            reference: reference.clone(),
            at: now,
            endpoint: endpoint.to_owned(),
            error: code.as_str().to_owned(),
            detail: fault.detail(),
        });
        Reported { code, description, reference, retry_after: fault.passing.then_some(1), basic_challenge: false, cause: None }
    }
}

/// Tells the operator of guessing: a warning in the log, and an event for the audit trail.
fn raise(alarm: &Alarm, reference: &str, endpoint: &'static str, client_id: Option<String>, now: UnixTime) -> AuditEvent {
    let account = if alarm.sub.is_some() { "known" } else { "unknown" };
    let (limit, address) = (alarm.limit, alarm.address.as_str());
    tracing::warn!(reference, request_id = request_id::current(), endpoint, limit, address, account, sub = alarm.sub, "sign_in_throttled");
    AuditEvent {
        id: String::new(),
        at: now,
        kind: "sign_in_throttled".to_owned(),
        sub: alarm.sub.clone(),
        client_id,
        grant_id: None,
        detail: Some(format!("{limit} reached from {address}, account {account}, reference {reference}")),
    }
}

impl Reported {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// RFC 6749 §5.2: JSON, never cached; on HTTP/1.1 the reason phrase is the code, because a legacy Rocket.Chat shows
    /// its administrator nothing else.
    pub fn json(&self) -> HttpResponse {
        let mut builder = self.builder();
        if self.basic_challenge && self.code == ErrorCode::InvalidClient {
            builder.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"propusk\", charset=\"UTF-8\"")));
        }
        self.finish(builder)
    }

    /// RFC 6750 §3: the same with a bearer challenge; a request without any token gets a challenge without an error.
    pub fn bearer(&self) -> HttpResponse {
        let mut builder = self.builder();
        if matches!(self.code, ErrorCode::InvalidToken | ErrorCode::InsufficientScope | ErrorCode::InvalidRequest) {
            let challenge = if self.cause == Some(propusk_domain::Cause::TokenMissing) {
                "Bearer realm=\"propusk\"".to_owned()
            } else {
                format!("Bearer realm=\"propusk\", error=\"{}\", error_description=\"{}\"", self.code.as_str(), self.description)
            };
            if let Ok(challenge) = HeaderValue::try_from(challenge) {
                builder.insert_header((WWW_AUTHENTICATE, challenge));
            }
        }
        self.finish(builder)
    }

    /// The description of an error redirect: the sentence and the reference (`… (ref 7F3K2Q)`).
    pub fn redirect_description(&self) -> String {
        format!("{} (ref {})", self.description, self.reference)
    }

    fn builder(&self) -> HttpResponseBuilder {
        let mut builder = HttpResponse::build(self.status());
        builder.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store"))).insert_header((PRAGMA, HeaderValue::from_static("no-cache")));
        if let Some(seconds) = self.retry_after {
            builder.insert_header((RETRY_AFTER, HeaderValue::from(seconds.max(1))));
        }
        builder
    }

    /// [`json`](Self::json) with one more member.
    pub fn json_with(&self, name: &str, value: serde_json::Value) -> HttpResponse {
        let mut body = self.body();
        if let Some(members) = body.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
        self.finish_with(self.builder(), body)
    }

    fn body(&self) -> serde_json::Value {
        json!({ "error": self.code.as_str(), "error_description": self.description, "error_reference": self.reference })
    }

    fn finish(&self, builder: HttpResponseBuilder) -> HttpResponse {
        self.finish_with(builder, self.body())
    }

    fn finish_with(&self, mut builder: HttpResponseBuilder, body: serde_json::Value) -> HttpResponse {
        let mut response = builder.json(body);
        response.head_mut().reason = Some(self.code.as_str());
        response
    }
}
