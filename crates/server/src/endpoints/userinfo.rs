//! `GET` and `POST /oauth/userinfo`, `/oauth/userinfo/{client_id}` and `/me` (OIDC Core §5.3).

use super::fresh_json;
use crate::bearer::{in_two_places, living, missing, personal, verified};
use crate::extract::authorization;
use crate::extract::form::{Form, query};
use crate::state::AppState;
use crate::trace;
use actix_web::http::Method;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::access_token::grant_id;
use propusk_domain::{Cause, Error, Refusal, Result, UnixTime, personal_token, userinfo};
use propusk_protocol::userinfo::bearer_token;
use propusk_protocol::{AccessTokenClaims, ErrorCode, TokenSource};
use serde_json::{Map, Value};

/// Whose tokens a path takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience<'a> {
    /// Everybody's.
    Any,
    /// One client's.
    Client(&'a str),
    /// Those of clients that are a Rocket.Chat, which signs in whoever brings a token that its identity path takes.
    Chats,
}

/// For whichever client the token was issued to.
pub(crate) async fn any(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    answer(&state, &request, form, Audience::Any).await
}

/// Only for tokens issued to the client that the path names.
pub(crate) async fn of_client(state: Data<AppState>, request: HttpRequest, path: Path<String>, form: Form) -> HttpResponse {
    answer(&state, &request, form, Audience::Client(&path.into_inner())).await
}

async fn answer(state: &AppState, request: &HttpRequest, form: Form, audience: Audience<'_>) -> HttpResponse {
    let now = state.now();
    match claims_of(state, request, form, audience, now).await {
        Ok(claims) => fresh_json(&claims),
        Err(error) => {
            let named = match &error {
                Error::Refused(refusal) => trace::named(refusal),
                Error::Fault(_) => None,
            };
            let reported = state.report("userinfo", error, now);
            if let Some((grant_id, client_id)) = named {
                trace::userinfo_refused(state, &grant_id, &client_id, &reported, now);
            }
            reported.bearer()
        }
    }
}

/// What userinfo says about whoever the request's token stands for.
pub(crate) async fn claims_of(
    state: &AppState,
    request: &HttpRequest,
    form: Form,
    audience: Audience<'_>,
    now: UnixTime,
) -> Result<Map<String, Value>> {
    let query = query(request)?;
    // The body of a GET means nothing, whatever it calls itself (RFC 9110 §9.3.1).
    let body = if request.method() == Method::POST { Some(form.0?) } else { None };
    let authorization = authorization(request, Cause::TokenInTwoPlaces)?;
    let found = bearer_token(authorization, body.as_ref(), Some(&query)).map_err(in_two_places)?;
    let (token, source) = found.ok_or_else(missing)?;
    if token.starts_with(personal_token::PREFIX) {
        let standing = personal(state, token, now).await?;
        let named = match audience {
            Audience::Any => None,
            Audience::Client(client_id) => Some(client_id),
            Audience::Chats => Some("a client of the preset rocket-chat"),
        };
        userinfo::allow_personal(&standing.token, source, named)?;
        let owner = standing.token.client_id.as_deref().unwrap_or_default();
        let user = standing.user.as_ref().ok_or_else(|| without_person(owner))?;
        return Ok(userinfo::personal_claims(user, &standing.token.scope));
    }
    let claims = verified(state, &token, now).await?;
    let answered = judged(state, &claims, source, audience, now).await;
    // Userinfo is asked for a person or not at all.
    let grant_id = grant_id(&claims);
    match answered {
        // A client's own token belongs to no sign-in.
        Err(Error::Refused(refusal)) if claims.sub != claims.client_id => Err(refusal.client(&claims.client_id).grant(grant_id).into()),
        Ok(answered) => {
            trace::userinfo_answered(state, grant_id, &claims.client_id, &claims.sub, now);
            Ok(answered)
        }
        failed => failed,
    }
}

/// Whether the token still counts, whether it may be shown here, and what it tells.
async fn judged(
    state: &AppState,
    claims: &AccessTokenClaims,
    source: TokenSource,
    audience: Audience<'_>,
    now: UnixTime,
) -> Result<Map<String, Value>> {
    let standing = living(state, claims, now).await?;
    let client = standing.client.as_deref();
    let client = client.ok_or_else(missing)?;
    let named = if let Audience::Client(named) = audience { Some(named) } else { None };
    userinfo::allow(client, &claims.scope, source, named)?;
    if audience == Audience::Chats && !client.client.settings.rocket_chat {
        return Err(not_of_a_chat(client.id()).into());
    }
    let user = standing.user.as_deref().ok_or_else(|| without_person(client.id()))?;
    if source == TokenSource::Query {
        state.metrics.query_token();
        tracing::info!(client_id = client.id(), "an access token came in the query string: set Identity Token Sent Via = Header");
    }
    Ok(userinfo::claims(user, client, &claims.scope))
}

/// A chat would sign in whoever presents it.
fn not_of_a_chat(client_id: &str) -> Refusal {
    Refusal::new(ErrorCode::InsufficientScope, "The access token was issued to another client", Cause::TokenOfAnotherClient)
        .client(client_id)
        .expected("a token issued to a client of the preset rocket-chat")
        .received(format!("a token issued to {client_id}"))
        .fix("let the chat sign people in with the client id of a rocket-chat client")
        .fix("a token of another application is what an impersonator would send")
}

fn without_person(client_id: &str) -> Refusal {
    let public = "The access token is a client's own and stands for no person";
    Refusal::new(ErrorCode::InsufficientScope, public, Cause::TokenWithoutOpenid)
        .client(client_id)
        .expected("a person's token")
        .received("a client's own token")
        .fix("sign a person in by the grant authorization_code")
}
