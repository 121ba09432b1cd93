//! `POST /oauth/introspect` (RFC 7662).

use super::{authenticated, fresh_json};
use crate::bearer::{living, personal, verified};
use crate::extract::form::Form;
use crate::state::AppState;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::client::Client;
use propusk_domain::{Error, Result, UnixTime, introspect, personal_token};
use propusk_protocol::{AccessTokenClaims, IntrospectionRequest, IntrospectionResponse};

/// Says what a token is worth now.
pub(crate) async fn post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    match run(&state, &request, form, now).await {
        Ok(response) => fresh_json(&response),
        Err(error) => state.report("introspect", error, now).json(),
    }
}

async fn run(state: &AppState, request: &HttpRequest, form: Form, now: UnixTime) -> Result<IntrospectionResponse> {
    let (params, client) = authenticated(state, request, form, now).await?;
    introspect::allow(&client.client)?;
    let wanted = IntrospectionRequest::parse(&params)?;
    if wanted.token.starts_with(personal_token::PREFIX) {
        return match personal(state, wanted.token, now).await {
            Ok(standing) if introspect::may_see(&client.client, standing.token.client_id.as_deref().unwrap_or_default()) => {
                Ok(introspect::personal_token(&standing, &client, &state.policy.issuer))
            }
            Ok(_) | Err(Error::Refused(_)) => Ok(IntrospectionResponse::inactive()),
            Err(fault) => Err(fault),
        };
    }
    match verified(state, &wanted.token, now).await {
        Ok(claims) => access_token(state, &client.client, &claims, now).await,
        Err(Error::Refused(_)) => refresh_token(state, &client.client, wanted.token, now).await,
        Err(fault) => Err(fault),
    }
}

async fn access_token(state: &AppState, asking: &Client, claims: &AccessTokenClaims, now: UnixTime) -> Result<IntrospectionResponse> {
    let standing = match living(state, claims, now).await {
        Ok(standing) if introspect::may_see(asking, &claims.client_id) => standing,
        Ok(_) | Err(Error::Refused(_)) => return Ok(IntrospectionResponse::inactive()),
        Err(fault) => return Err(fault),
    };
    Ok(match standing.client {
        Some(owner) => introspect::access_token(claims, standing.user.as_deref(), &owner),
        None => IntrospectionResponse::inactive(),
    })
}

async fn refresh_token(state: &AppState, asking: &Client, token: String, now: UnixTime) -> Result<IntrospectionResponse> {
    let found = state.read(now, move |cx| introspect::refresh_token(cx.store, &token, cx.keys, &cx.policy.issuer, cx.now)).await?;
    let seen = found.filter(|(grant, _)| introspect::may_see(asking, &grant.client_id));
    Ok(seen.map_or_else(IntrospectionResponse::inactive, |(_, response)| response))
}
