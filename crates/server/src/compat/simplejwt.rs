//! `POST /api/token/`, `/api/token/refresh/`, `/api/token/verify/` with the bodies, answers and errors of
//! djangorestframework-simplejwt. A person's password passes through whoever calls this, so it is for one first-party client
//! alone, throttled like the sign-in page.

use crate::bearer::{living, verified};
use crate::extract::address::client_address;
use crate::password::check;
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::client::RegisteredClient;
use propusk_domain::token::direct;
use propusk_domain::{Cause, Error, Refusal, Result, UnixTime};
use propusk_protocol::multipart::{self, MultipartError, Part};
use propusk_protocol::{ErrorCode, Params};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What went wrong, in the words of the original.
enum Told {
    /// The answer is complete.
    Answer(HttpResponse),
    /// To be reported, and told by its cause.
    Failed(Error),
}

impl From<Error> for Told {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Refusal> for Told {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(refusal.into())
    }
}

/// A pair of tokens for name and password.
pub(super) async fn obtain(state: Data<AppState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let now = state.now();
    let run = async {
        let [username, password] = fields(&state, &request, payload, ["username", "password"]).await?;
        let client = client(&state, now).await?;
        let address = client_address(&request, &state.settings);
        let checked = check(&state, &username, &password, &address, now).await?;
        let issued = state.write(now, move |cx| direct::issue(cx, &client, &checked.user, checked.rehashed.as_deref())).await?;
        state.metrics.token("password");
        let tokens = issued.sign(&state.keys().ring).map_err(Error::from)?;
        Ok(json!({ "refresh": tokens.refresh_token, "access": tokens.access_token }))
    };
    answer(&state, run.await, now)
}

/// Another access token for a refresh token, which stays as it is: that is the original's default, and its callers keep the one
/// that they have.
pub(super) async fn refresh(state: Data<AppState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let now = state.now();
    let run = async {
        let [token] = fields(&state, &request, payload, ["refresh"]).await?;
        let client = client(&state, now).await?;
        if verified(&state, &token, now).await.is_ok() {
            return Err(Told::Answer(invalid("Token has wrong type")));
        }
        let issued = state.read(now, move |cx| direct::refresh(cx, &client, &token)).await?;
        state.metrics.token("refresh_token");
        let tokens = issued.sign(&state.keys().ring).map_err(Error::from)?;
        Ok(json!({ "access": tokens.access_token }))
    };
    answer(&state, run.await, now)
}

/// Whether a token of either kind would be accepted.
pub(super) async fn verify(state: Data<AppState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let now = state.now();
    let run = async {
        let [token] = fields(&state, &request, payload, ["token"]).await?;
        let client = client(&state, now).await?;
        match verified(&state, &token, now).await {
            Ok(claims) => {
                living(&state, &claims, now).await?;
            }
            Err(Error::Refused(refusal)) if refusal.detail.cause != Cause::TokenMalformed => return Err(Told::Failed(Error::Refused(refusal))),
            Err(Error::Refused(_)) => drop(state.read(now, move |cx| direct::refresh(cx, &client, &token)).await?),
            Err(fault) => return Err(Told::Failed(fault)),
        }
        Ok(json!({}))
    };
    answer(&state, run.await, now)
}

/// Any other method.
pub(super) async fn method(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let refusal = Refusal::new(ErrorCode::MethodNotAllowed, "This endpoint does not answer this method", Cause::WrongMethod);
    let refusal = refusal.expected("POST").received(request.method().as_str()).fix("send POST");
    state.report("simplejwt", refusal.into(), state.now());
    let mut response = detail(StatusCode::METHOD_NOT_ALLOWED, &format!("Method \"{}\" not allowed.", request.method()));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// The client that the setting names; it must be registered, enabled and first-party.
async fn client(state: &AppState, now: UnixTime) -> Result<Arc<RegisteredClient>> {
    let named = state.settings.compat.simplejwt.client.clone().unwrap_or_default();
    let refuse = |cause, expected: &str| {
        let public = "The service is not set up for this";
        Refusal::new(ErrorCode::TemporarilyUnavailable, public, cause).client(&named).expected(expected).received(&*named)
    };
    let found = state.client(&named, now).await?;
    let client = found.ok_or_else(|| refuse(Cause::UnknownClient, "a registered client in compat.simplejwt.client").fix("propusk client list"))?;
    if client.client.disabled {
        return Err(refuse(Cause::DisabledClient, "an enabled client").fix(format!("propusk client set {named} --enable")).into());
    }
    if !client.client.first_party {
        let fix = format!("propusk client set {named} --first-party");
        return Err(refuse(Cause::InvalidSetting, "a first-party client in compat.simplejwt.client").fix(fix).into());
    }
    Ok(client)
}

fn answer(state: &AppState, outcome: std::result::Result<Value, Told>, now: UnixTime) -> HttpResponse {
    let error = match outcome {
        Ok(body) => return HttpResponse::Ok().json(body),
        Err(Told::Answer(response)) => return response,
        Err(Told::Failed(error)) => error,
    };
    let reported = state.report("simplejwt", error, now);
    let mut response = match reported.cause {
        Some(Cause::UnknownUser | Cause::WrongPassword | Cause::UserDisabled) => unauthorised("No active account found with the given credentials"),
        Some(Cause::TokenUserDisabled) => unauthorised("No active account found for the given token."),
        Some(Cause::TokenExpired | Cause::ClockSkew | Cause::GrantExpired) => invalid("Token is expired"),
        Some(Cause::LoginThrottled) => {
            let seconds = reported.retry_after.unwrap_or(1).max(1);
            let unit = if seconds == 1 { "second" } else { "seconds" };
            detail(StatusCode::TOO_MANY_REQUESTS, &format!("Request was throttled. Expected available in {seconds} {unit}."))
        }
        _ if reported.code == ErrorCode::InvalidToken || reported.code == ErrorCode::InvalidGrant => invalid("Token is invalid"),
        _ => detail(reported.status(), reported.description),
    };
    if let Some(seconds) = reported.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response
}

fn detail(status: StatusCode, sentence: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "detail": sentence }))
}

fn unauthorised(sentence: &str) -> HttpResponse {
    challenged(detail(StatusCode::UNAUTHORIZED, sentence))
}

fn invalid(sentence: &str) -> HttpResponse {
    challenged(HttpResponse::Unauthorized().json(json!({ "detail": sentence, "code": "token_not_valid" })))
}

fn challenged(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"api\""));
    response
}

/// The texts of a JSON object or of a form of either kind, each named if it is missing or no text.
async fn fields<const N: usize>(
    state: &AppState,
    request: &HttpRequest,
    payload: Payload,
    names: [&'static str; N],
) -> std::result::Result<[String; N], Told> {
    let limit = state.settings.http.max_body_bytes;
    let body = match payload.to_bytes_limited(limit).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(Told::Answer(detail(StatusCode::BAD_REQUEST, "The body could not be read."))),
        Err(_) => return Err(Told::Answer(detail(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large."))),
    };
    let members = members(request, &body).map_err(Told::Answer)?;
    let mut problems = Map::new();
    let texts = names.map(|name| match text(members.get(name)) {
        Ok(text) => text,
        Err(sentence) => {
            problems.insert(name.to_owned(), json!([sentence]));
            String::new()
        }
    });
    if problems.is_empty() { Ok(texts) } else { Err(Told::Answer(HttpResponse::BadRequest().json(problems))) }
}

fn members(request: &HttpRequest, body: &[u8]) -> std::result::Result<Map<String, Value>, HttpResponse> {
    let given = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        _ if body.is_empty() => Ok(Map::new()),
        "application/x-www-form-urlencoded" => {
            let params = Params::parse(body).map_err(|error| detail(StatusCode::BAD_REQUEST, error.description))?;
            let found =
                ["username", "password", "refresh", "token"].iter().filter_map(|name| Some(((*name).to_owned(), Value::from(params.get(name)?))));
            Ok(found.collect())
        }
        "multipart/form-data" => multipart(given, body),
        "application/json" => match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(other) => {
                let sentence = format!("Invalid data. Expected a dictionary, but got {}.", type_name(&other));
                Err(HttpResponse::BadRequest().json(json!({ "non_field_errors": [sentence] })))
            }
            Err(error) => Err(detail(StatusCode::BAD_REQUEST, &format!("JSON parse error - {error}"))),
        },
        _ => Err(detail(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &format!("Unsupported media type \"{}\" in request.", propusk_domain::error::printable(given)),
        )),
    }
}

/// The last of several fields of one name counts; a file is told as what it is not.
fn multipart(content_type: &str, body: &[u8]) -> std::result::Result<Map<String, Value>, HttpResponse> {
    let fields = multipart::parse(content_type, body).map_err(|error| {
        let reason = match error {
            MultipartError::Boundary => "Invalid boundary in multipart: None",
            MultipartError::Malformed => "The body does not follow its boundary",
            MultipartError::TooMany => "Too many fields",
        };
        detail(StatusCode::BAD_REQUEST, &format!("Multipart form parse error - {reason}"))
    })?;
    let value = |part| match part {
        Part::Text(text) => Value::from(text),
        Part::File => json!({}),
    };
    Ok(fields.into_iter().map(|(name, part)| (name, value(part))).collect())
}

fn text(value: Option<&Value>) -> std::result::Result<String, &'static str> {
    match value {
        None => Err("This field is required."),
        Some(Value::Null) => Err("This field may not be null."),
        Some(Value::String(text)) if text.trim().is_empty() => Err("This field may not be blank."),
        Some(Value::String(text)) if text.contains('\0') => Err("Null characters are not allowed."),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err("Not a valid string."),
    }
}

/// The names of the original's language.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}
