//! `GET /api/v4/user`: a person in the form that GitLab has, for clients that were switched to it. Rocket.Chat's built-in GitLab
//! provider reads it, with the token in the query string, where its Custom OAuth is locked.

use super::fresh_json;
use crate::bearer::{in_two_places, living, verified};
use crate::extract::authorization;
use crate::extract::form::query;
use crate::state::AppState;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::chat::{self, verified_email};
use propusk_domain::{Cause, Refusal, Result, UnixTime};
use propusk_protocol::ErrorCode;
use propusk_protocol::userinfo::bearer_token;
use serde_json::{Value, json};

/// The scope that GitLab's clients ask for.
const SCOPE: &str = "read_user";

/// The person behind the token.
pub(crate) async fn user(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    match run(&state, &request, now).await {
        Ok(user) => fresh_json(&user),
        Err(error) => state.report("gitlab", error, now).bearer(),
    }
}

async fn run(state: &AppState, request: &HttpRequest, now: UnixTime) -> Result<Value> {
    let found = bearer_token(authorization(request, Cause::TokenInTwoPlaces)?, None, Some(&query(request)?)).map_err(in_two_places)?;
    let missing = || Refusal::new(ErrorCode::InvalidToken, "The request carries no access token", Cause::TokenMissing);
    let (token, _) = found.ok_or_else(|| missing().expected("access_token, or Authorization: Bearer").received("none"))?;
    let claims = verified(state, &token, now).await?;
    let standing = living(state, &claims, now).await?;
    let permitted = standing.client.as_deref().is_some_and(|client| client.client.settings.gitlab_facade) && claims.scope.contains(SCOPE);
    let Some(user) = standing.user.clone().filter(|_| permitted) else {
        return Err(Refusal::new(ErrorCode::InsufficientScope, "The access token may not be shown here", Cause::ScopeNotAllowed)
            .client(&claims.client_id)
            .expected("a person's token with read_user, of a client with gitlab-facade on")
            .received(claims.scope.to_string())
            .fix(format!("propusk client set {} --gitlab-facade on", claims.client_id))
            .into());
    };
    let sub = user.sub.clone();
    let known = state.read(now, move |cx| Ok(cx.store.find_numeric_id(&sub)?)).await?;
    let sub = user.sub.clone();
    let id = match known {
        Some(id) => id,
        None => state.write(now, move |cx| Ok(chat::numeric_id(cx, &sub)?)).await?,
    };
    let mut answer = json!({
        "id": id,
        "username": user.username,
        "name": user.claims.name.as_deref().unwrap_or(&user.username),
        "state": "active",
        "avatar_url": user.claims.picture,
    });
    // The chat takes every address for a verified one.
    if let (Some(email), Some(members)) = (verified_email(&user), answer.as_object_mut()) {
        members.insert("email".to_owned(), email.into());
    }
    Ok(answer)
}
