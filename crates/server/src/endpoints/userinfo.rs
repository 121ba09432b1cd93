//! `GET` and `POST /oauth/userinfo`, `/oauth/userinfo/{client_id}` and `/me` (OIDC Core §5.3).

use super::fresh_json;
use crate::bearer::verified;
use crate::extract::authorization;
use crate::extract::form::{Form, query};
use crate::state::AppState;
use crate::trace;
use actix_web::http::Method;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::access_token::{Standing, grant_id, must_stand};
use propusk_domain::{Cause, Error, Refusal, Result, UnixTime, userinfo};
use propusk_protocol::userinfo::bearer_token;
use propusk_protocol::{AccessTokenClaims, ErrorCode, TokenSource};
use serde_json::{Map, Value};

/// For whichever client the token was issued to.
pub(crate) async fn any(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    answer(&state, &request, form, None).await
}

/// Only for tokens issued to the client that the path names.
pub(crate) async fn of_client(state: Data<AppState>, request: HttpRequest, path: Path<String>, form: Form) -> HttpResponse {
    answer(&state, &request, form, Some(path.into_inner())).await
}

async fn answer(state: &AppState, request: &HttpRequest, form: Form, path_client: Option<String>) -> HttpResponse {
    let now = state.now();
    match run(state, request, form, path_client.as_deref(), now).await {
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

async fn run(state: &AppState, request: &HttpRequest, form: Form, path_client: Option<&str>, now: UnixTime) -> Result<Map<String, Value>> {
    let query = query(request)?;
    // The body of a GET means nothing, whatever it calls itself (RFC 9110 §9.3.1).
    let body = if request.method() == Method::POST { Some(form.0?) } else { None };
    let authorization = authorization(request, Cause::TokenInTwoPlaces)?;
    let found = bearer_token(authorization, body.as_ref(), Some(&query)).map_err(in_two_places)?;
    let (token, source) = found.ok_or_else(missing)?;
    let claims = verified(state, &token, now).await?;
    let answered = judged(state, &claims, source, path_client, now).await;
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
    path_client: Option<&str>,
    now: UnixTime,
) -> Result<Map<String, Value>> {
    let standing = state.standing(claims, now).await?;
    let client = standing.client.as_deref();
    let judged = Standing {
        client: client.map(|client| &client.client),
        grant: standing.grant.as_deref(),
        user: standing.user.as_deref(),
        denied: state.caches.is_denied(&claims.jti, now),
    };
    must_stand(claims, &judged, now)?;
    let client = client.ok_or_else(missing)?;
    userinfo::allow(client, &claims.scope, source, path_client)?;
    let user = standing.user.as_deref().ok_or_else(|| without_person(client.id()))?;
    if source == TokenSource::Query {
        state.metrics.query_token();
        tracing::info!(client_id = client.id(), "an access token came in the query string: set Identity Token Sent Via = Header");
    }
    Ok(userinfo::claims(user, client, &claims.scope))
}

fn missing() -> Refusal {
    Refusal::new(ErrorCode::InvalidToken, "The request carries no access token", Cause::TokenMissing)
        .expected("Authorization: Bearer")
        .received("none")
        .fix("send the access token in the Authorization header, with the scheme Bearer")
}

fn without_person(client_id: &str) -> Refusal {
    let public = "The access token is a client's own and stands for no person";
    Refusal::new(ErrorCode::InsufficientScope, public, Cause::TokenWithoutOpenid)
        .client(client_id)
        .expected("a person's token")
        .received("a client's own token")
        .fix("sign a person in by the grant authorization_code")
}

pub(super) fn in_two_places(error: propusk_protocol::ProtocolError) -> Refusal {
    let twice = error.description.contains("more than one way");
    let mut refusal = Refusal::from(error);
    if twice {
        refusal.detail.cause = Cause::TokenInTwoPlaces;
        return refusal.expected("the access token once").received("two ways at once").fix("keep the Authorization header and drop access_token");
    }
    refusal
}
