//! `POST /oauth/token` (RFC 6749 §3.2).

use super::{authenticated, fresh_json};
use crate::extract::form::Form;
use crate::state::AppState;
use crate::trace;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::client::GrantType;
use propusk_domain::grant::Grant;
use propusk_domain::token::{Exchanged, allow_grant, client_credentials, exchange};
use propusk_domain::{Refusal, Result, UnixTime};
use propusk_protocol::{TokenRequest, TokenResponse};
use std::sync::Arc;

/// The grant that belongs to a sign-in.
const CODE: &str = GrantType::AuthorizationCode.as_str();

/// Exchanges a grant for tokens.
pub(crate) async fn post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    // A client's own token or a refresh is no step of a sign-in.
    let code = form.0.as_ref().ok().filter(|params| params.get("grant_type") == Some(CODE)).and_then(|params| params.get("code")).map(str::to_owned);
    let result = run(&state, &request, form, now).await.map_err(|error| state.report("token", error, now));
    match result {
        Ok((response, grant)) => {
            if let (Some(_), Some(grant)) = (code, grant) {
                trace::token_answered(&state, &grant, now);
            }
            fresh_json(&response)
        }
        Err(reported) => {
            if let Some(code) = code {
                trace::token_refused(&state, &code, &reported, now);
            }
            reported.json()
        }
    }
}

/// The tokens, and the grant behind them if it was read.
async fn run(state: &AppState, request: &HttpRequest, form: Form, now: UnixTime) -> Result<(TokenResponse, Option<Arc<Grant>>)> {
    let (params, client) = authenticated(state, request, form, now).await?;
    let wanted = TokenRequest::parse(&params).map_err(|error| Refusal::from(error).client(client.id()))?;
    let grant_type = wanted.grant_type();
    let (issued, grant) = if let TokenRequest::ClientCredentials { scope } = &wanted {
        allow_grant(&client.client, &wanted)?;
        state.client_token_issued(client.id());
        (client_credentials::issue(&client, scope.as_ref(), &state.rng, now, &state.policy)?, None)
    } else {
        let (memory, began) = (Arc::clone(&state.caches), state.caches.epoch());
        let Exchanged { issued, learned } = state.write(now, move |cx| exchange(cx, &client, &wanted, &*memory)).await?;
        let grant = learned.as_ref().map(|learned| Arc::clone(&learned.grant));
        if let Some(learned) = learned {
            state.caches.learn(learned, began);
        }
        (issued, grant)
    };
    state.metrics.token(grant_type);
    Ok((issued.sign(&state.keys().ring)?, grant))
}
