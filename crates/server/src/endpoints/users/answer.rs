//! A person's JSON on its way out, and refusals with the members that caused them.

use super::APART;
use crate::password_strength::Weakness;
use crate::state::AppState;
use actix_web::http::header::ETAG;
use actix_web::{HttpResponse, HttpResponseBuilder};
use propusk_domain::error::printable;
use propusk_domain::user::User;
use propusk_domain::{Cause, Error, Refusal, UnixTime};
use propusk_protocol::ErrorCode;
use serde::Serialize;
use serde_json::{Value, json};

/// What an operation of the API comes to.
pub(in crate::endpoints) type Answered = Result<HttpResponse, Rejected>;

/// A refusal or fault, and the members of the body or query that it is about.
pub(in crate::endpoints) struct Rejected {
    error: Error,
    fields: Vec<FieldError>,
}

/// What is wrong with one member.
#[derive(Debug, Clone, Serialize)]
pub(in crate::endpoints) struct FieldError {
    field: String,
    message: String,
}

impl FieldError {
    pub(in crate::endpoints) fn of(field: &str, message: impl AsRef<str>) -> Self {
        Self { field: printable(field), message: printable(message.as_ref()) }
    }
}

impl Rejected {
    /// Members that cannot be.
    pub(in crate::endpoints) fn fields(fields: Vec<FieldError>) -> Self {
        let named: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
        let refusal = Refusal::invalid_request("Something in the request cannot be accepted", Cause::InvalidSetting)
            .expected(fields.first().map(|first| format!("{} {}", first.field, first.message)).unwrap_or_default())
            .received(named.join(", "))
            .fix("correct the members that the answer names");
        Self { error: refusal.into(), fields }
    }

    /// One member that cannot be.
    pub(in crate::endpoints) fn field(field: &str, message: String) -> Self {
        Self::fields(vec![FieldError::of(field, message)])
    }

    /// A rule's refusal as a whole, or about the one member `field`.
    pub(in crate::endpoints) fn ruled(error: Error, field: Option<&str>) -> Self {
        let message = match &error {
            Error::Refused(refusal) => refusal.detail.expected.clone().unwrap_or_else(|| refusal.public.to_owned()),
            Error::Fault(_) => String::new(),
        };
        let fields = field.map(|field| FieldError::of(field, message)).into_iter().collect();
        Self { error, fields }
    }

    /// A password that is not good enough.
    pub(in crate::endpoints) fn weak(weakness: Weakness) -> Self {
        let refusal = Refusal::invalid_request("The password is not good enough", Cause::WeakPassword)
            .expected("a password that satisfies password.min_length and password.min_score")
            .received(format!("one that {}", weakness.sentence()))
            .fix("let the person choose a longer one; a few unrelated words do");
        Self { error: refusal.into(), fields: vec![FieldError::of("password", weakness.sentence())] }
    }

    /// A rule's refusal with the member that it is about; `email` is the address that the request brought.
    pub(in crate::endpoints) fn of(error: Error, email: Option<&str>) -> Self {
        let Error::Refused(mut refusal) = error else { return Self { error, fields: Vec::new() } };
        let detail = &refusal.detail;
        let received = detail.received.clone().unwrap_or_default();
        let field = match detail.cause {
            Cause::NameTaken if email == Some(received.as_str()) => Some("email".to_owned()),
            Cause::NameTaken | Cause::InvalidName => Some("username".to_owned()),
            Cause::UnknownRole => Some("role".to_owned()),
            Cause::InvalidSetting => Some(claim_of(&received)),
            _ => None,
        };
        let message = match detail.cause {
            Cause::NameTaken => "is taken".to_owned(),
            _ => detail.expected.clone().unwrap_or_else(|| refusal.public.to_owned()),
        };
        match detail.cause {
            Cause::NameTaken => refusal.code = ErrorCode::Conflict,
            Cause::UnknownUser => refusal.code = ErrorCode::NotFound,
            _ => {}
        }
        let fields = field.map(|field| FieldError::of(&field, message)).into_iter().collect();
        Self { error: Error::Refused(refusal), fields }
    }
}

impl From<Error> for Rejected {
    fn from(error: Error) -> Self {
        Self::of(error, None)
    }
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        Self::of(refusal.into(), None)
    }
}

/// The answer, or the refusal with its members and its reference.
pub(in crate::endpoints) fn finish(state: &AppState, result: Answered, now: UnixTime) -> HttpResponse {
    finish_as("users", state, result, now)
}

/// The same for another endpoint.
pub(in crate::endpoints) fn finish_as(endpoint: &'static str, state: &AppState, result: Answered, now: UnixTime) -> HttpResponse {
    result.unwrap_or_else(|rejected| {
        let Rejected { error, fields } = rejected;
        let reported = state.report(endpoint, error, now);
        if fields.is_empty() { reported.json() } else { reported.json_with("errors", json!(fields)) }
    })
}

/// Nobody has this subject.
pub(in crate::endpoints) fn nobody(sub: &str) -> Refusal {
    Refusal::new(ErrorCode::NotFound, "There is no such person", Cause::UnknownUser)
        .expected("the subject of a person")
        .received(sub)
        .fix("propusk user list")
}

/// The person with their tag.
pub(super) fn tagged(mut builder: HttpResponseBuilder, user: &User) -> HttpResponse {
    builder.insert_header((ETAG, format!("\"{}\"", user.version()))).json(person(user))
}

/// Everything but the password.
pub(in crate::endpoints) fn person(user: &User) -> Value {
    let mut claims = serde_json::to_value(&user.claims).unwrap_or_default();
    if let Some(members) = claims.as_object_mut() {
        members.retain(|name, _| !APART.contains(&name.as_str()));
    }
    json!({
        "sub": user.sub,
        "username": user.username,
        "role": user.role,
        "state": user.state.as_str(),
        "name": user.claims.name,
        "email": user.claims.email,
        "email_verified": user.claims.email_verified.unwrap_or(false),
        "locale": user.claims.locale.as_ref().or(user.locale.as_ref()),
        "claims": claims,
        "has_password": user.password_hash.is_some(),
        "created_at": user.created_at.0,
        "updated_at": user.updated_at.0,
        "version": user.version(),
    })
}

/// The rules say `key=value` of a claim that cannot be set; the value stays with the operator.
fn claim_of(received: &str) -> String {
    let key = received.split('=').next().unwrap_or_default();
    if APART.contains(&key) { key.to_owned() } else { format!("claims.{key}") }
}
