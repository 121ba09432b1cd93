//! `/oauth/logout` (RP-Initiated Logout 1.0), its confirmation at `/logout`, and `/logged-out`.

use super::answer::add_cookie;
use super::home::person;
use super::view::{LoggedOut, Logout, Page};
use super::{REFERENCE, common, error, html, locale, own_url, reference, see_other};
use crate::extract::cookies::{self, Kind};
use crate::extract::form::{Form, query};
use crate::extract::origin::{Posted, posted_from};
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::end_session::{hint_fits, read_hint, return_uri};
use propusk_domain::flow::{PendingLogout, Sealed};
use propusk_domain::grant::Revocation;
use propusk_domain::session::{self, Session};
use propusk_domain::{Cause, Refusal, Result, UnixTime};
use propusk_protocol::redirect_uri::with_params;
use propusk_protocol::{EndSessionRequest, IdTokenClaims, Params};

/// A client sends the person here to sign out.
pub async fn endpoint_get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let params = query(&request);
    endpoint(&state, &request, params).await
}

/// The same by POST, which arrives without `SameSite=Lax` cookies: it is bounced to a GET that has them.
pub async fn endpoint_post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    match form.0 {
        Ok(params) => {
            let pairs: Vec<(&str, &str)> = params.iter().collect();
            see_other(&own_url(&state, "/oauth/logout", &pairs))
        }
        Err(refusal) => error::of(&state, &request, "logout", refusal.into()),
    }
}

async fn endpoint(state: &AppState, request: &HttpRequest, params: Result<Params, Refusal>) -> HttpResponse {
    let now = state.now();
    let result = match params {
        Ok(params) => run(state, request, &EndSessionRequest::parse(&params), now).await,
        Err(refusal) => Err(refusal.into()),
    };
    result.unwrap_or_else(|failure| error::of(state, request, "logout", failure))
}

async fn run(state: &AppState, request: &HttpRequest, wanted: &EndSessionRequest, now: UnixTime) -> Result<HttpResponse> {
    let mut refused = None;
    let hint = match wanted.id_token_hint.as_deref().map(|hint| read_hint(hint, &state.keys().ring, &state.policy)) {
        Some(Ok(hint)) => Some(hint),
        // A hint that proves nothing is no hint: the confirmation follows.
        Some(Err(refusal)) => {
            refused = Some(state.report("logout", refusal.into(), now).reference);
            None
        }
        None => None,
    };
    let return_to = return_target(state, wanted, hint.as_ref(), now).await?.unwrap_or_else(|reference| {
        refused = Some(reference);
        None
    });
    let Some((session, _)) = person(state, request, now).await? else {
        return Ok(gone(state, return_to.as_deref(), refused.as_deref()));
    };
    if hint.as_ref().is_some_and(|hint| hint_fits(hint, &session)) {
        return end(state, session, return_to.as_deref(), refused.as_deref(), now).await;
    }
    let pending = PendingLogout { sid: session.sid, return_to, started_at: now }.seal(&state.keys())?;
    let mut pairs = vec![("logout", pending.as_str())];
    pairs.extend(refused.as_deref().map(|reference| (REFERENCE, reference)));
    let locales = wanted.ui_locales.join(" ");
    if !locales.is_empty() {
        pairs.push(("ui_locales", locales.as_str()));
    }
    Ok(see_other(&own_url(state, "/logout", &pairs)))
}

/// The registered URI to go to afterwards, with `state`; one that nobody registered is reported, not followed, and answered
/// with the reference of the refusal.
async fn return_target(
    state: &AppState,
    wanted: &EndSessionRequest,
    hint: Option<&IdTokenClaims>,
    now: UnixTime,
) -> Result<Result<Option<String>, String>> {
    let hinted = hint.map(|hint| hint.aud.as_str());
    let named = wanted.client_id.as_deref();
    let client = match (named.or(hinted), hinted) {
        // The hint and the parameter must speak of the same client (RP-Initiated Logout §2).
        (Some(client_id), hinted) if hinted.is_none_or(|hinted| hinted == client_id) => state.client(client_id, now).await?,
        _ => None,
    };
    let registered = return_uri(client.as_ref().map(|client| &client.client), wanted.post_logout_redirect_uri.as_deref());
    let with_state = |uri: String| match &wanted.state {
        Some(value) => with_params(&uri, &[("state", value.as_str())]),
        None => uri,
    };
    Ok(registered.map(|uri| uri.map(with_state)).map_err(|refusal| state.report("logout", refusal.into(), now).reference))
}

/// `/logout`: asks once.
pub async fn page_get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let params = match query(&request) {
        Ok(params) => params,
        Err(refusal) => return error::of(&state, &request, "logout", refusal.into()),
    };
    confirm(&state, &request, &params, now).await.unwrap_or_else(|failure| error::of(&state, &request, "logout", failure))
}

async fn confirm(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> Result<HttpResponse> {
    let pending = params.get("logout").and_then(|sealed| PendingLogout::open(sealed, &state.keys()));
    let Some((session, user)) = person(state, request, now).await? else {
        return Ok(gone(state, pending.and_then(|pending| pending.return_to).as_deref(), None));
    };
    let pending = pending.filter(|pending| pending.sid == session.sid);
    let token = pending.unwrap_or(PendingLogout { sid: session.sid, return_to: None, started_at: now }).seal(&state.keys())?;
    let language = locale(state, request, Some(params), &[], user.locale.as_deref());
    let view = Logout {
        page: Page { reference: reference(Some(params)), ..common(state, language, "/logout", &[("logout", token.as_str())]) },
        token: &token,
        person: Some(user.claims.name.as_deref().unwrap_or(&user.username)),
    };
    Ok(html(StatusCode::OK, &view))
}

/// The person confirms, or stays.
pub async fn page_post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    let result = match form.0 {
        Ok(params) => confirmed(&state, &request, &params, now).await,
        Err(refusal) => Err(refusal.into()),
    };
    result.unwrap_or_else(|failure| error::of(&state, &request, "logout", failure))
}

/// The sealed token names the session, so only a form that this server showed to the holder of that very session counts.
async fn confirmed(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> Result<HttpResponse> {
    if params.get("action") == Some("cancel") {
        return Ok(see_other(&own_url(state, "/", &[])));
    }
    let pending = params.get("logout").and_then(|sealed| PendingLogout::open(sealed, &state.keys()));
    let Some((session, _)) = person(state, request, now).await? else {
        return Ok(gone(state, pending.and_then(|pending| pending.return_to).as_deref(), None));
    };
    let genuine = pending.filter(|pending| pending.sid == session.sid && now.since(pending.started_at) < state.policy.flow_lifetime);
    let (Some(pending), false) = (genuine, posted_from(request, &state.settings) == Posted::Elsewhere) else {
        let refusal = Refusal::invalid_request("The logout form cannot be accepted, it is shown again", Cause::ForeignOrigin)
            .expected("a form that this server showed to the holder of the session, posted from its own origin")
            .received("another form, or one posted from another origin")
            .fix("confirm on the page that is shown again");
        let reported = state.report("logout", refusal.into(), now);
        return Ok(see_other(&own_url(state, "/logout", &[(REFERENCE, &reported.reference)])));
    };
    end(state, session, pending.return_to.as_deref(), None, now).await
}

async fn end(state: &AppState, session: Session, return_to: Option<&str>, refused: Option<&str>, now: UnixTime) -> Result<HttpResponse> {
    state.write(now, move |cx| session::end(cx, &session, Revocation::Logout)).await?;
    Ok(gone(state, return_to, refused))
}

fn gone(state: &AppState, return_to: Option<&str>, refused: Option<&str>) -> HttpResponse {
    let pairs: Vec<(&str, &str)> = refused.map(|reference| (REFERENCE, reference)).into_iter().collect();
    let mut response = see_other(return_to.unwrap_or(&own_url(state, "/logged-out", &pairs)));
    add_cookie(&mut response, &cookies::remove(&state.settings, Kind::Session));
    response
}

/// `/logged-out`.
pub async fn logged_out(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let params = query(&request).ok();
    let language = locale(&state, &request, params.as_ref(), &[], None);
    let page = Page { reference: reference(params.as_ref()), ..common(&state, language, "/logged-out", &[]) };
    html(StatusCode::OK, &LoggedOut { page })
}
