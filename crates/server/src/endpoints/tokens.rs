//! `/api/v1/tokens`: personal access tokens for the services that hand them out: their own, and those of people. For clients with an
//! access token of their own and the scope `propusk:tokens`; a personal token never makes or ends another.

use super::users::answer::{Answered, Rejected, finish_as};
use super::users::body::Members;
use super::users::of_sub;
use crate::bearer::calling_service_itself;
use crate::extract::form::query;
use crate::extract::json::Json;
use crate::state::AppState;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::personal_token::{self, Owner, PersonalToken};
use propusk_domain::policy::DAY;
use propusk_domain::service::TOKENS_SCOPE;
use propusk_domain::{Audit, Cause, Cx, Error, Refusal, Result, UnixTime};
use propusk_protocol::{AccessTokenClaims, ErrorCode, Scope};
use serde_json::{Value, json};

/// The life of a token whose maker says nothing, in seconds: that of one made on the account page.
const LIFETIME: i64 = 90 * DAY;

/// `GET /api/v1/tokens`: the client's own living tokens, or with `?sub=` those of a person.
pub(crate) async fn list(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let result = match calling_service_itself(&state, &request, TOKENS_SCOPE, now).await {
        Ok(caller) => run_list(&state, caller, &request, now).await,
        Err(error) => return state.report("tokens", error, now).bearer(),
    };
    finish_as("tokens", &state, result, now)
}

/// `POST /api/v1/tokens`: makes one and shows it, once.
pub(crate) async fn create(state: Data<AppState>, request: HttpRequest, body: Json) -> HttpResponse {
    let now = state.now();
    let result = match calling_service_itself(&state, &request, TOKENS_SCOPE, now).await {
        Ok(caller) => run_create(&state, caller, body, now).await,
        Err(error) => return state.report("tokens", error, now).bearer(),
    };
    finish_as("tokens", &state, result, now)
}

/// `GET /api/v1/tokens/{id}`.
pub(crate) async fn show(state: Data<AppState>, request: HttpRequest, path: Path<String>) -> HttpResponse {
    let now = state.now();
    let result = match calling_service_itself(&state, &request, TOKENS_SCOPE, now).await {
        Ok(caller) => run_show(&state, caller, path.into_inner(), now).await,
        Err(error) => return state.report("tokens", error, now).bearer(),
    };
    finish_as("tokens", &state, result, now)
}

/// `DELETE /api/v1/tokens/{id}`: ends it at once.
pub(crate) async fn revoke(state: Data<AppState>, request: HttpRequest, path: Path<String>) -> HttpResponse {
    let now = state.now();
    let result = match calling_service_itself(&state, &request, TOKENS_SCOPE, now).await {
        Ok(caller) => run_revoke(&state, caller, path.into_inner(), now).await,
        Err(error) => return state.report("tokens", error, now).bearer(),
    };
    finish_as("tokens", &state, result, now)
}

async fn run_list(state: &AppState, caller: AccessTokenClaims, request: &HttpRequest, now: UnixTime) -> Answered {
    let sub = query(request)?.get("sub").map(str::to_owned);
    let tokens = state
        .read(now, move |cx| match &sub {
            Some(sub) => {
                of_sub(cx, sub)?;
                Ok(cx.store.list_personal_tokens(Some(sub), None)?)
            }
            None => Ok(cx.store.list_personal_tokens(None, Some(&caller.client_id))?),
        })
        .await?;
    let living: Vec<Value> = tokens.iter().filter(|token| token.is_alive(now)).map(described).collect();
    Ok(HttpResponse::Ok().json(json!({ "tokens": living })))
}

async fn run_create(state: &AppState, caller: AccessTokenClaims, body: Json, now: UnixTime) -> Answered {
    let mut members = Members::of(body.0?, &["name", "scope", "expires_in", "sub"]);
    let (name, scope) = (members.required_text("name"), members.required_text("scope"));
    let (seconds, sub) = (members.number("expires_in").unwrap_or(LIFETIME), members.text("sub"));
    members.finish()?;
    let scope = Scope::parse(&scope).map_err(|error| Rejected::field("scope", error.to_string()))?;
    personal_token::check_name(&name).map_err(|refusal| Rejected::ruled(refusal.into(), Some("name")))?;
    personal_token::check_lifetime(seconds).map_err(|refusal| Rejected::ruled(refusal.into(), Some("expires_in")))?;
    let made = state.write(now, move |cx| make(cx, &caller, sub.as_deref(), &name, &scope, seconds)).await;
    let (token, secret) = made.map_err(refused)?;
    let place = format!("{}/api/v1/tokens/{}", state.policy.issuer, token.id);
    let mut answer = described(&token);
    if let Some(members) = answer.as_object_mut() {
        members.insert("token".to_owned(), secret.expose().into());
    }
    Ok(HttpResponse::Created().insert_header((LOCATION, place)).json(answer))
}

/// For the person, or for the client itself: never more than the access token that asks is good for, or one that was asked for a
/// narrow scope would make itself wide.
fn make(
    cx: &mut Cx<'_>,
    caller: &AccessTokenClaims,
    sub: Option<&str>,
    name: &str,
    scope: &Scope,
    seconds: i64,
) -> Result<(PersonalToken, propusk_crypto::Secret)> {
    let made = if let Some(sub) = sub {
        let user = of_sub(cx, sub)?;
        personal_token::create_for(cx, Owner::User(&user), name, scope, seconds)?
    } else {
        let client = cx.store.find_client(&caller.client_id)?.ok_or_else(nothing)?;
        personal_token::may_have(&caller.scope, scope)?;
        personal_token::create_for(cx, Owner::Client(&client), name, scope, seconds)?
    };
    noted(cx, caller, &made.0, "created")?;
    Ok(made)
}

async fn run_show(state: &AppState, caller: AccessTokenClaims, id: String, now: UnixTime) -> Answered {
    let token = state.read(now, move |cx| of_id(cx, &caller, &id)).await?;
    Ok(HttpResponse::Ok().json(described(&token)))
}

async fn run_revoke(state: &AppState, caller: AccessTokenClaims, id: String, now: UnixTime) -> Answered {
    state
        .write(now, move |cx| {
            let token = of_id(cx, &caller, &id)?;
            if !personal_token::revoke(cx, &token.id, None)? {
                return Err(nothing().into());
            }
            noted(cx, &caller, &token, "revoked")
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A token that the client may look after. Another client's is answered as one that never was: identifiers tell nothing.
fn of_id(cx: &mut Cx<'_>, caller: &AccessTokenClaims, id: &str) -> Result<PersonalToken> {
    let found = personal_token::find_managed(cx.store, id, &caller.client_id, cx.now)?;
    Ok(found.ok_or_else(nothing)?)
}

fn nothing() -> Refusal {
    Refusal::new(ErrorCode::NotFound, "There is no such living token", Cause::TokenRevoked)
        .expected("the identifier of a living token of the client's own or of a person")
        .received("another")
        .fix("propusk token list")
}

/// The member that a rule of the domain speaks of.
fn refused(error: Error) -> Rejected {
    let field = match &error {
        Error::Refused(refusal) => match refusal.detail.cause {
            Cause::ScopeNotAllowed => Some("scope"),
            Cause::UserDisabled => Some("sub"),
            Cause::UnknownUser => return error.into(),
            _ => None,
        },
        Error::Fault(_) => None,
    };
    Rejected::ruled(error, field)
}

/// Everything but the secret.
fn described(token: &PersonalToken) -> Value {
    json!({
        "id": token.id,
        "sub": token.sub,
        "client_id": token.client_id,
        "name": token.name,
        "scope": token.scope.to_string(),
        "created_at": token.created_at.0,
        "expires_at": token.expires_at.0,
        "last_used_at": token.last_used_at.map(|at| at.0),
    })
}

/// The rule has noted what became of the token; this notes who asked for it.
fn noted(cx: &mut Cx<'_>, caller: &AccessTokenClaims, token: &PersonalToken, what: &str) -> Result<()> {
    let mut event = Audit::of("tokens_api").client(&caller.client_id).detail(format!("{what}: {}", token.id));
    if let Some(sub) = &token.sub {
        event = event.sub(sub);
    }
    Ok(cx.audit(event)?)
}
