//! `/rocketchat/open`: straight into a place of the chat, through the sign-in where that is needed; and `/rocketchat/frame`, what
//! the chat shows in place of its own login form.

use super::answer::set_browser_cookie;
use super::home::person;
use super::step::{self, BrowserCookie};
use super::view::Page;
use super::{CONTENT_SECURITY_POLICY, common, error, locale, own_url, see_other};
use crate::bearer::{living, verified};
use crate::endpoints::rocketchat::{chat_origin, chat_url};
use crate::extract::authorization;
use crate::extract::form::query;
use crate::rocketchat::ask;
use crate::rocketchat::connection::Connection;
use crate::rocketchat::refusals::not_connected;
use crate::rocketchat::workspace::Workspace;
use crate::state::AppState;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use propusk_domain::chat::{Map, room_of};
use propusk_domain::flow::Flow;
use propusk_domain::user::User;
use propusk_domain::{Cause, Error, Refusal, Result, UnixTime};
use propusk_protocol::userinfo::bearer_token;
use propusk_protocol::{ErrorCode, Params};
use serde_json::json;
use std::collections::HashMap;
use std::sync::PoisonError;
use url::Url;

/// The scope of tokens that may ask where a place of the chat is.
pub const SCOPE: &str = "chat.open";

/// Seconds for which it is remembered whether a channel is private.
const ROOMS_KNOWN: i64 = 600;

/// Channels of which that is remembered.
const MOST_ROOMS: usize = 1000;

/// The longest path, in bytes.
const LONGEST_PATH: usize = 2048;

/// Sends a person there; answers a program that brings an access token with the address.
pub async fn open(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let bearer = request.headers().contains_key(AUTHORIZATION);
    if bearer {
        match for_program(&state, &request, now).await {
            Ok(url) => crate::endpoints::fresh_json(&json!({ "url": url })),
            Err(failure) => state.report("rocketchat", failure, now).bearer(),
        }
    } else {
        for_person(&state, &request, now).await.unwrap_or_else(|failure| error::of(&state, &request, "rocketchat", failure))
    }
}

async fn for_person(state: &AppState, request: &HttpRequest, now: UnixTime) -> Result<HttpResponse> {
    let params = query(request)?;
    let place = Place::parse(&params)?;
    let base = chat_url(state, now).await?.ok_or_else(not_connected)?;
    let Some((_, user)) = person(state, request, now).await? else {
        let browser = BrowserCookie::of(state, request);
        let mut flow = Flow::begin(String::new(), None, browser.digest(), now);
        flow.next = Some(own_url(state, "/rocketchat/open", &[(place.parameter(), place.value())]));
        let sealed = step::seal(state, request, &flow, now).await?;
        let mut response = see_other(&own_url(state, "/login", &[("flow", sealed.as_str())]));
        set_browser_cookie(state, &mut response, &browser);
        return Ok(response);
    };
    Ok(see_other(&allowed_url(state, &base, &place, user, now).await?))
}

/// The address of a channel for whoever is signed in, by the session's cookie or by an access token that may ask.
pub(crate) async fn channel_url(state: &AppState, request: &HttpRequest, now: UnixTime) -> Result<(String, String)> {
    let user = if request.headers().contains_key(AUTHORIZATION) {
        person_of_token(state, request, now).await?
    } else {
        let signed_in = person(state, request, now).await?;
        let nobody = || Refusal::new(ErrorCode::InvalidToken, "Nobody is signed in", Cause::TokenMissing);
        signed_in.ok_or_else(|| nobody().expected("a session here, or an access token with chat.open").received("neither"))?.1
    };
    let Place::Channel(name) = Place::parse(&query(request)?)? else {
        return Err(Refusal::invalid_request("The request names no channel", Cause::MalformedRequest).expected("channel=NAME").into());
    };
    let base = chat_url(state, now).await?.ok_or_else(not_connected)?;
    let url = allowed_url(state, &base, &Place::Channel(name.clone()), user, now).await?;
    // Said only to whom the channel is not kept from.
    if room(state, &name).await == Room::Absent {
        return Err(Refusal::new(ErrorCode::NotFound, "The chat has no such channel", Cause::ChatChannelNotGiven)
            .expected("a channel that the connector's account sees")
            .received(name)
            .fix("create it in the chat, or invite the connector's account into the private one")
            .into());
    }
    Ok((name, url))
}

/// Only with a person's access token whose client and scope allow it.
async fn for_program(state: &AppState, request: &HttpRequest, now: UnixTime) -> Result<String> {
    let user = person_of_token(state, request, now).await?;
    let place = Place::parse(&query(request)?)?;
    let base = chat_url(state, now).await?.ok_or_else(not_connected)?;
    allowed_url(state, &base, &place, user, now).await
}

async fn person_of_token(state: &AppState, request: &HttpRequest, now: UnixTime) -> Result<User> {
    let found = bearer_token(authorization(request, Cause::TokenInTwoPlaces)?, None, None)?;
    let (token, _) = found.ok_or_else(|| Refusal::new(ErrorCode::InvalidToken, "The request carries no access token", Cause::TokenMissing))?;
    let claims = verified(state, &token, now).await?;
    let standing = living(state, &claims, now).await?;
    let permitted = standing.client.as_deref().is_some_and(|client| client.client.settings.scopes.contains(SCOPE)) && claims.scope.contains(SCOPE);
    let user = standing.user.as_deref().filter(|_| permitted).cloned();
    user.ok_or_else(|| {
        Refusal::new(ErrorCode::InsufficientScope, "The access token lacks the scope chat.open", Cause::ScopeNotAllowed)
            .client(&claims.client_id)
            .expected("a person's token with chat.open, of a client that may have it")
            .received(claims.scope.to_string())
            .fix(format!("propusk client set {} --add-scope chat.open", claims.client_id))
            .into()
    })
}

/// A place of the chat.
enum Place {
    Channel(String),
    Path(String),
}

impl Place {
    fn parse(params: &Params) -> Result<Self, Refusal> {
        match (params.get("channel"), params.get("path")) {
            (Some(name), None) if is_name(name) => Ok(Self::Channel(name.to_owned())),
            (None, Some(path)) if is_path(path) => Ok(Self::Path(path.to_owned())),
            (None, None) => Ok(Self::Path("/home".to_owned())),
            (channel, path) => Err(Refusal::invalid_request("There is no such place in the chat", Cause::MalformedRequest)
                .expected("channel=NAME, or path= and a path that begins with one slash")
                .received(channel.or(path).unwrap_or_default())
                .fix("link to /rocketchat/open?channel=NAME")),
        }
    }

    fn parameter(&self) -> &'static str {
        match self {
            Self::Channel(_) => "channel",
            Self::Path(_) => "path",
        }
    }

    fn value(&self) -> &str {
        match self {
            Self::Channel(name) => name,
            Self::Path(path) => path,
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && name != "."
        && name != ".."
}

/// Exactly one slash at the beginning: `//host`, `/\host` and what browsers make of control characters lead elsewhere.
fn is_path(path: &str) -> bool {
    let begins = path.starts_with('/') && !path.starts_with("//");
    begins && path.len() <= LONGEST_PATH && !path.contains('\\') && !path.chars().any(|letter| letter.is_control() || letter.is_whitespace())
}

/// The address of the place, when the person's groups do not keep it from them.
async fn allowed_url(state: &AppState, base: &str, place: &Place, user: User, now: UnixTime) -> Result<String> {
    let path = match place {
        Place::Channel(name) if room(state, name).await == Room::Private => format!("/group/{name}"),
        Place::Channel(name) => format!("/channel/{name}"),
        Place::Path(path) => path.clone(),
    };
    let url = join(base, &path).ok_or_else(|| {
        Refusal::invalid_request("There is no such place in the chat", Cause::MalformedRequest)
            .expected("a path below the chat's address")
            .received(&path)
            .fix("link to /rocketchat/open?channel=NAME")
    })?;
    // Judged by the path that the browser will ask for, not by how it was written here.
    if let Some(channel) = room_of(url.path().strip_prefix(Url::parse(base).map_err(broken)?.path().trim_end_matches('/')).unwrap_or_default()) {
        let settings = std::sync::Arc::clone(&state.settings);
        let name = channel.clone();
        let given = state
            .read(now, move |cx| Ok(Map::load(cx.store, &settings.rocketchat.client, &settings.rocketchat.channels)?.gives(&user, &name)))
            .await?;
        if !given {
            return Err(Refusal::new(ErrorCode::InsufficientScope, "The person's groups do not give this channel", Cause::ChatChannelNotGiven)
                .expected("a group of rocketchat.channels that has the channel")
                .received(channel)
                .fix("propusk user set NAME --role ROLE, or rocketchat.channels")
                .into());
        }
    }
    Ok(url.into())
}

/// What a channel is in the chat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Public,
    Private,
    /// Not there, or not seen by the connector's account.
    Absent,
    /// The chat could not be asked; it is taken at its most common.
    Unknown,
}

/// A private group lives at another path than a public channel.
async fn room(state: &AppState, name: &str) -> Room {
    let now = state.now();
    let kind = |private| if private { Room::Private } else { Room::Public };
    let known =
        |rooms: &HashMap<String, (bool, UnixTime)>| rooms.get(name).filter(|(_, at)| now.since(*at) < ROOMS_KNOWN).map(|(private, _)| *private);
    if let Some(private) = known(&state.chat_rooms.lock().unwrap_or_else(PoisonError::into_inner)) {
        return kind(private);
    }
    let wanted = name.to_owned();
    let asked = ask(state, move |instance, outbound| {
        let settings = &instance.settings.rocketchat;
        let connection = instance.read(|cx| Ok(Connection::find(cx.store, settings, &instance.master)?)).ok()??;
        let mut workspace = Workspace::new(connection.rest(outbound.clone()), &connection.user_id, &connection.service, false, false);
        workspace.room(&wanted, true).ok()
    });
    let private = match asked.await {
        Ok(Some(Some(room))) => room.private,
        Ok(Some(None)) => return Room::Absent,
        Ok(None) | Err(_) => return Room::Unknown,
    };
    let mut rooms = state.chat_rooms.lock().unwrap_or_else(PoisonError::into_inner);
    if rooms.len() >= MOST_ROOMS {
        rooms.clear();
    }
    rooms.insert(name.to_owned(), (private, now));
    kind(private)
}

fn broken(error: url::ParseError) -> Error {
    propusk_domain::Fault::broken(error).into()
}

/// The address with the path behind it: on the same host and below the same path, whatever dots it has.
fn join(base: &str, path: &str) -> Option<Url> {
    let (root, url) = (Url::parse(base).ok()?, Url::parse(&format!("{base}{path}")).ok()?);
    let below = url.path().starts_with(&format!("{}/", root.path().trim_end_matches('/')));
    (below && url.origin() == root.origin() && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// `/rocketchat/frame`: `#chat-signed-in` or `#chat-signed-out` with `#chat-sign-in`; loads `chat-frame.js`.
#[derive(Debug, Clone, Template)]
#[template(path = "chat_frame.html")]
struct ChatFrame<'a> {
    /// Common data.
    page: Page<'a>,
    /// The chat's origin, the only one that is told anything.
    chat: &'a str,
    /// Whether somebody is signed in.
    signed_in: bool,
    /// The window that signs in.
    sign_in_href: &'a str,
}

/// What the chat shows in place of its login form: the way to sign in; once signed in, the chat is told to ask again.
pub async fn frame(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    framed(&state, &request, now).await.unwrap_or_else(|failure| error::of(&state, &request, "rocketchat", failure))
}

async fn framed(state: &AppState, request: &HttpRequest, now: UnixTime) -> Result<HttpResponse> {
    let params = query(request)?;
    let chat = chat_origin(state, now).await?.ok_or_else(not_connected)?;
    let signed_in = person(state, request, now).await?;
    let language = locale(state, request, Some(&params), &[], signed_in.as_ref().and_then(|(_, user)| user.locale.as_deref()));
    let sign_in_href = own_url(state, "/rocketchat/signed-in", &[]);
    let view = ChatFrame {
        page: Page { switch_href: None, ..common(state, language, "/rocketchat/frame", &[]) },
        chat: &chat,
        signed_in: signed_in.is_some(),
        sign_in_href: &sign_in_href,
    };
    let body = view.render().map_err(propusk_domain::Fault::broken)?;
    // The one page that may be framed, by the chat alone; there is nothing on it to be clicked against somebody's will.
    let policy = format!("default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; base-uri 'none'; frame-ancestors {chat}");
    let policy = HeaderValue::try_from(policy).map_err(propusk_domain::Fault::broken)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")))
        .body(body))
}

/// The window that the frame opens: signs in, tells the frame, closes itself.
pub async fn signed_in(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let result = async {
        let known = person(&state, &request, now).await?;
        if known.is_some() {
            return framed(&state, &request, now).await;
        }
        let browser = BrowserCookie::of(&state, &request);
        let mut flow = Flow::begin(String::new(), None, browser.digest(), now);
        flow.next = Some(own_url(&state, "/rocketchat/signed-in", &[]));
        let sealed = step::seal(&state, &request, &flow, now).await?;
        let mut response = see_other(&own_url(&state, "/login", &[("flow", sealed.as_str())]));
        set_browser_cookie(&state, &mut response, &browser);
        Ok(response)
    };
    let result: Result<HttpResponse> = result.await;
    result.unwrap_or_else(|failure| error::of(&state, &request, "rocketchat", failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_chat_are_opened() {
        let base = "https://chat.example.org/rc";
        for path in ["/channel/general", "/channel/general?msg=a%2Fb", "/home#x", "/канал/ё"] {
            assert!(is_path(path) && join(base, path).is_some_and(|url| url.as_str().starts_with("https://chat.example.org/rc/")), "{path}");
        }
        for path in ["", "channel", "//evil.example", "/\\evil.example", "/a\nb", "/a b", "/a\u{a0}b", "\t/a", "https://evil.example/"] {
            assert!(!is_path(path), "{path}");
        }
        for path in ["/../admin", "/a/../../x", "/%2e%2e/x"] {
            assert!(is_path(path) && join(base, path).is_none(), "{path}");
        }
        assert!(join("https://chat.example.org", "/@evil.example/x").is_some_and(|url| url.host_str() == Some("chat.example.org")));
    }
}
