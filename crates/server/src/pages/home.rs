//! `/`: who is signed in.

use super::step;
use super::view::{Home, Person};
use super::{common, error, html, locale};
use crate::extract::form::query;
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::session::Session;
use propusk_domain::user::User;
use propusk_domain::{Result, UnixTime};

/// Shows who is signed in, with the way in or out.
pub async fn get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let signed_in = match person(&state, &request, now).await {
        Ok(signed_in) => signed_in,
        Err(failure) => return error::of(&state, &request, "home", failure),
    };
    let user = signed_in.as_ref().map(|(_, user)| user);
    let params = query(&request).ok();
    let language = locale(&state, &request, params.as_ref(), &[], user.and_then(|user| user.locale.as_deref()));
    let person = user.map(|user| Person { name: user.claims.name.as_deref(), username: &user.username });
    html(StatusCode::OK, &Home { page: common(&state, language, "/", &[]), person })
}

/// The person behind the session cookie; the use of the session is remembered, at most once a minute.
pub(crate) async fn person(state: &AppState, request: &HttpRequest, now: UnixTime) -> Result<Option<(Session, User)>> {
    let Some(cookie) = step::session_cookie(state, request) else { return Ok(None) };
    let found = state
        .read(now, move |cx| {
            let Some(session) = step::live_session(cx, Some(&cookie))? else { return Ok(None) };
            let user = cx.store.find_user(&session.sub)?.filter(User::is_active);
            Ok(user.map(|user| (session, user)))
        })
        .await?;
    if let Some((session, _)) = &found
        && now.since(session.last_seen_at) >= state.settings.session.touch_interval
    {
        state.used_sessions.note(&session.sid, now);
    }
    Ok(found)
}
