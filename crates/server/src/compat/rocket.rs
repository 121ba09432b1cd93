//! `/api/v1/auth/rocket/…`: what a site's own identity endpoint for Rocket.Chat answered.

use crate::endpoints::fresh_json;
use crate::endpoints::userinfo::{Audience, claims_of};
use crate::extract::form::Form;
use crate::pages::rocketchat::channel_url;
use crate::state::AppState;
use actix_web::http::header::{HeaderValue, REFERRER_POLICY};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::{Cause, Refusal};
use propusk_protocol::ErrorCode;
use serde_json::json;

/// The claims of userinfo, with the names `id` and `username` that such endpoints use. `id` is the subject, so a chat that
/// prefers it to `sub` finds the same account by either. Only tokens of chats are taken.
pub(super) async fn identity(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    match claims_of(&state, &request, form, Audience::Chats, now).await {
        Ok(mut claims) => {
            for (theirs, ours) in [("id", "sub"), ("username", "preferred_username")] {
                if let Some(value) = claims.get(ours).cloned() {
                    claims.insert(theirs.to_owned(), value);
                }
            }
            fresh_json(&claims)
        }
        Err(error) => state.report("rocket_identity", error, now).bearer(),
    }
}

/// Where a channel of the chat is, for the page of the old site that asked as it switched channels: as `/rocketchat/open` sends a
/// person there, and in JSON whatever the answer, because a script reads it.
pub(super) async fn channel(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let mut response = match channel_url(&state, &request, now).await {
        Ok((channel, url)) => fresh_json(&json!({ "channel": channel, "url": url })),
        Err(error) => state.report("rocket_channel", error, now).bearer(),
    };
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Only GET ever answered.
pub(super) async fn method(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    crate::endpoints::unknown::method(&state, &request, "rocket_identity", "GET", false)
}

/// An address that people put into the chat's settings by mistake: it never was the identity endpoint.
pub(super) async fn moved(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let right = format!("{}/api/v1/auth/rocket/identity/", state.settings.origin());
    let refusal = Refusal::new(ErrorCode::NotFound, "The identity endpoint is /api/v1/auth/rocket/identity/", Cause::WrongPath)
        .expected(&*right)
        .received(request.path())
        .nearest(Some(right.clone()))
        .fix("set Identity Path to /api/v1/auth/rocket/identity/ in Rocket.Chat");
    state.report("rocket_identity", refusal.into(), state.now()).json()
}
