//! `GET` and `POST /rocketchat/login`: the chat's page asks, with the person's cookies, for a login token of the chat (iframe
//! authentication). Only the chat's own origin is answered: the answer is a key to the person's account there.

use super::fresh_json;
use crate::extract::header;
use crate::middleware::cors::{allowed_origin, tell_origin};
use crate::pages::home;
use crate::rocketchat::ask;
use crate::rocketchat::connection::Connection;
use crate::rocketchat::login::login_token;
use crate::state::AppState;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN,
};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error as ActixError, HttpRequest, HttpResponse};
use propusk_crypto::Secret;
use propusk_domain::{Cause, Refusal, Result, UnixTime};
use propusk_protocol::{ErrorCode, redirect_uri};
use serde_json::json;

/// The answer to whoever is signed in.
pub(crate) async fn login(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    match run(&state, &request, now).await {
        Ok(Some(token)) => fresh_json(&json!({ "loginToken": token.expose() })),
        // Every anonymous visit to the chat comes here: no refusal is recorded.
        Ok(None) => HttpResponse::Unauthorized().json(json!({ "signed_in": false })),
        Err(error) => state.report("rocketchat", error, now).json(),
    }
}

async fn run(state: &AppState, request: &HttpRequest, now: UnixTime) -> Result<Option<Secret>> {
    let chat = chat_origin(state, now).await?;
    let asked = header(request, ORIGIN);
    if asked.is_none() || asked != chat.as_deref() {
        return Err(Refusal::new(ErrorCode::InsufficientScope, "Only the chat's own page may ask", Cause::ForeignOrigin)
            .expected(chat.map_or_else(|| "the origin of a connected chat".to_owned(), |chat| format!("Origin: {chat}")))
            .received(asked.unwrap_or("no Origin"))
            .fix("set rocketchat.url to the address that people see in their browsers")
            .into());
    }
    let Some((session, user)) = home::person(state, request, now).await? else { return Ok(None) };
    ask(state, move |instance, outbound| login_token(instance, outbound, &session, &user)).await?
}

/// The chat's origin as browsers write it; `None` when no chat is connected.
pub(crate) async fn chat_origin(state: &AppState, now: UnixTime) -> Result<Option<String>> {
    Ok(chat_url(state, now).await?.and_then(|url| redirect_uri::origin(&url)))
}

/// The chat's address.
pub(crate) async fn chat_url(state: &AppState, now: UnixTime) -> Result<Option<String>> {
    if let Some(url) = &state.settings.rocketchat.url {
        return Ok(Some(url.clone()));
    }
    let settings = std::sync::Arc::clone(&state.settings);
    state.read(now, move |cx| Ok(Connection::url(cx.store, &settings.rocketchat)?)).await
}

/// Lets the chat's page read the answer: exactly its origin, with credentials. Everybody else gets no such header.
pub(crate) async fn for_the_chat(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, ActixError> {
    let may = async |state: &AppState, origin: &str| chat_origin(state, state.now()).await.is_ok_and(|chat| chat.as_deref() == Some(origin));
    let allowed = allowed_origin(&request, may).await;
    let is_allowed = allowed.is_some();
    let headers = request.headers();
    let preflight = request.method() == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        request.into_response(answer_preflight(is_allowed)).map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    tell_origin(response.headers_mut(), allowed);
    if is_allowed {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn answer_preflight(allowed: bool) -> HttpResponse {
    if !allowed {
        return HttpResponse::Forbidden().finish();
    }
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST")))
        .insert_header((ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")))
        .finish()
}
