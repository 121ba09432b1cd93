//! The endpoints that programs call: each file is one, and knows HTTP but no rule.

pub(crate) mod discovery;
mod foreign_secret;
pub(crate) mod gitlab;
pub(crate) mod health;
pub(crate) mod introspect;
pub(crate) mod revoke;
pub(crate) mod rocketchat;
pub(crate) mod token;
pub(crate) mod tokens;
pub(crate) mod unknown;
pub(crate) mod userinfo;
pub(crate) mod users;

use crate::extract::authorization;
use crate::extract::form::Form;
use crate::state::AppState;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::client::RegisteredClient;
use propusk_domain::{Cause, Refusal, Result, UnixTime, client_auth};
use propusk_protocol::{ClientCredentials, Params};
use std::sync::Arc;

/// Reads the form and authenticates the client: the part that token, introspection and revocation share.
async fn authenticated(state: &AppState, request: &HttpRequest, form: Form, now: UnixTime) -> Result<(Params, Arc<RegisteredClient>)> {
    let params = form.0.map_err(|refusal| named_by_header(refusal, request))?;
    let authorization = authorization(request, Cause::TwoAuthMethods)?;
    let credentials = ClientCredentials::parse(authorization, &params).map_err(client_auth::unreadable)?;
    let client = state.client(credentials.client_id(), now).await?;
    let client = match client {
        Some(client) => Some(foreign_secret::upgraded(state, client, &credentials, now).await?),
        None => None,
    };
    if let Some(secret) = client_auth::authenticate(client.as_ref().map(|client| &client.client), &credentials, now)? {
        state.used_secrets.note(&secret.id, now);
    }
    let client = client.ok_or_else(|| client_auth::unknown_client(credentials.client_id()))?;
    Ok((params, client))
}

/// A request whose body cannot be read still says in its header who sent it.
fn named_by_header(refusal: Refusal, request: &HttpRequest) -> Refusal {
    let header = authorization(request, Cause::TwoAuthMethods).ok().flatten();
    let header = header.and_then(|header| ClientCredentials::parse(Some(header), &Params::default()).ok());
    match header {
        Some(credentials) if refusal.detail.client_id.is_none() => refusal.client(credentials.client_id()),
        _ => refusal,
    }
}

/// A successful answer that must never be stored; RFC 6749 §5.1 asks for `Pragma` beside the `Cache-Control` of every answer.
pub(crate) fn fresh_json(body: &impl serde::Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header(("pragma", "no-cache")).json(body)
}
