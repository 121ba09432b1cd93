//! `/api/v1/users`: people for the services that keep them (a site's registration, a moderators' page). JSON in and out, for
//! clients with a token of their own and the scope `propusk:users`; no page calls it, so no other origin may.

pub(super) mod answer;
pub(super) mod body;

use crate::bearer::calling_service;
use crate::extract::form::query;
use crate::extract::json::Json;
use crate::password::hash_new;
use crate::password_strength::{judge, names_of};
use crate::state::AppState;
use actix_web::http::header::{IF_MATCH, LOCATION};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use answer::{Answered, Rejected};
use body::Members;
use propusk_domain::admin::users::{self, NewUser, UserPatch};
use propusk_domain::service::USERS_SCOPE;
use propusk_domain::store::PeoplePage;
use propusk_domain::user::{User, UserState, name_key};
use propusk_domain::{Audit, Cx, UnixTime};
use propusk_protocol::IfMatch;
use serde_json::json;

/// People on a page unless the caller says otherwise, and at most.
const PAGE: i64 = 50;
const LONGEST_PAGE: i64 = 500;

/// The claims that have members of their own in a person's JSON.
const APART: [&str; 4] = ["name", "email", "email_verified", "locale"];

/// `GET /api/v1/users`: a page of people, or the one of `?username=`.
pub(crate) async fn list(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let result = match calling_service(&state, &request, USERS_SCOPE, now).await {
        Ok(_) => run_list(&state, &request, now).await,
        Err(error) => return state.report("users", error, now).bearer(),
    };
    answer::finish(&state, result, now)
}

/// `POST /api/v1/users`.
pub(crate) async fn create(state: Data<AppState>, request: HttpRequest, body: Json) -> HttpResponse {
    let now = state.now();
    let result = match calling_service(&state, &request, USERS_SCOPE, now).await {
        Ok(client_id) => run_create(&state, client_id, body, now).await,
        Err(error) => return state.report("users", error, now).bearer(),
    };
    answer::finish(&state, result, now)
}

/// `GET /api/v1/users/{sub}`.
pub(crate) async fn show(state: Data<AppState>, request: HttpRequest, path: Path<String>) -> HttpResponse {
    let now = state.now();
    if let Err(error) = calling_service(&state, &request, USERS_SCOPE, now).await {
        return state.report("users", error, now).bearer();
    }
    let sub = path.into_inner();
    let found = state.read(now, move |cx| of_sub(cx, &sub)).await;
    answer::finish(&state, found.map(|user| answer::tagged(HttpResponse::Ok(), &user)).map_err(Rejected::from), now)
}

/// `PATCH /api/v1/users/{sub}`: what the body names changes, everything else stays.
pub(crate) async fn change(state: Data<AppState>, request: HttpRequest, path: Path<String>, body: Json) -> HttpResponse {
    let now = state.now();
    let result = match calling_service(&state, &request, USERS_SCOPE, now).await {
        Ok(client_id) => run_change(&state, &request, Target { sub: path.into_inner(), client_id }, body, now).await,
        Err(error) => return state.report("users", error, now).bearer(),
    };
    answer::finish(&state, result, now)
}

/// `PUT /api/v1/users/{sub}/password`: sets it and signs the person out everywhere.
pub(crate) async fn set_password(state: Data<AppState>, request: HttpRequest, path: Path<String>, body: Json) -> HttpResponse {
    let now = state.now();
    let result = match calling_service(&state, &request, USERS_SCOPE, now).await {
        Ok(client_id) => run_password(&state, &request, Target { sub: path.into_inner(), client_id }, body, now).await,
        Err(error) => return state.report("users", error, now).bearer(),
    };
    answer::finish(&state, result, now)
}

/// `POST /api/v1/users/{sub}/password-link`: a link by which the person sets their password, once.
pub(crate) async fn password_link(state: Data<AppState>, request: HttpRequest, path: Path<String>) -> HttpResponse {
    let now = state.now();
    let result = match calling_service(&state, &request, USERS_SCOPE, now).await {
        Ok(client_id) => run_password_link(&state, client_id, path.into_inner(), now).await,
        Err(error) => return state.report("users", error, now).bearer(),
    };
    answer::finish(&state, result, now)
}

async fn run_list(state: &AppState, request: &HttpRequest, now: UnixTime) -> Answered {
    let params = query(request)?;
    if let Some(username) = params.get("username") {
        let key = name_key(username);
        let found = state.read(now, move |cx| Ok(cx.store.find_user_by_name(&key)?)).await?;
        let people: Vec<_> = found.iter().map(answer::person).collect();
        return Ok(HttpResponse::Ok().json(json!({ "users": people })));
    }
    let limit = match params.get("limit") {
        None => PAGE,
        Some(text) => match text.parse() {
            Ok(limit @ 1..=LONGEST_PAGE) => limit,
            _ => return Err(Rejected::field("limit", format!("must be a whole number from 1 to {LONGEST_PAGE}"))),
        },
    };
    let wanted_state = match params.get("state") {
        None => None,
        Some(text) => Some(UserState::parse(text).ok_or_else(|| Rejected::field("state", "must be active or disabled".to_owned()))?),
    };
    let own = |name: &str| params.get(name).map(str::to_owned);
    // One more than asked for tells whether there is another page.
    let wanted = PeoplePage { after: own("cursor"), search: own("search"), role: own("role"), state: wanted_state, limit: limit + 1 };
    let mut people = state.read(now, move |cx| Ok(cx.store.page_users(&wanted)?)).await?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = people.len() > size;
    people.truncate(size);
    let mut page = json!({ "users": people.iter().map(answer::person).collect::<Vec<_>>() });
    if let (true, Some(last), Some(members)) = (more, people.last(), page.as_object_mut()) {
        members.insert("next_cursor".to_owned(), last.username.clone().into());
    }
    Ok(HttpResponse::Ok().json(page))
}

async fn run_create(state: &AppState, client_id: String, body: Json, now: UnixTime) -> Answered {
    let mut members = Members::of(body.0?, &["username", "role", "email", "email_verified", "name", "locale", "claims", "password"]);
    let mut new = NewUser {
        username: members.required_text("username"),
        role: members.required_text("role"),
        email: members.optional_text("email"),
        name: members.optional_text("name"),
        locale: members.optional_text("locale"),
        // What a service has not checked is not known to be the person's.
        email_verified: members.flag("email_verified").unwrap_or(false),
        claims: members.claims(),
        aliases: Vec::new(),
        password_hash: None,
    };
    let password = members.text("password");
    members.finish()?;
    if let Some(password) = password {
        let names: Vec<String> = [Some(&new.username), new.name.as_ref(), new.email.as_ref()].into_iter().flatten().cloned().collect();
        judge(&password, &names, &state.settings.password).map_err(Rejected::weak)?;
        new.password_hash = Some(hash_new(state, password).await?);
    }
    let email = new.email.clone();
    let added = state
        .write(now, move |cx| {
            let user = users::add(cx, new.clone())?;
            noted(cx, &client_id, &user.sub, "user_added")?;
            Ok(user)
        })
        .await;
    let user = added.map_err(|error| Rejected::of(error, email.as_deref()))?;
    let place = format!("{}/api/v1/users/{}", state.policy.issuer, user.sub);
    let mut builder = HttpResponse::Created();
    builder.insert_header((LOCATION, place));
    Ok(answer::tagged(builder, &user))
}

/// Whom a request is about, and which client it is of.
#[derive(Clone)]
struct Target {
    sub: String,
    client_id: String,
}

async fn run_change(state: &AppState, request: &HttpRequest, target: Target, body: Json, now: UnixTime) -> Answered {
    let seen = if_match(request)?;
    let Target { sub, client_id } = target;
    let mut members = Members::of(body.0?, &["username", "role", "email", "email_verified", "name", "locale", "claims", "state"]);
    let patch = UserPatch {
        username: members.text("username"),
        role: members.text("role"),
        email: members.clearable("email"),
        email_verified: members.flag("email_verified"),
        name: members.clearable("name"),
        locale: members.clearable("locale"),
        claims: members.claims(),
        ..UserPatch::default()
    };
    let wanted_state = members.state();
    members.finish()?;
    let email = patch.email.clone();
    let changed = state
        .write(now, move |cx| {
            let before = as_seen(cx, &sub, seen.as_ref())?;
            let mut patch = patch.clone();
            if patch.email == before.claims.email {
                patch.email = None;
            }
            // Another address is not known to be the person's until the service says so.
            patch.email_verified = patch.email_verified.or(patch.email.is_some().then_some(false));
            let (_, changes) = users::set(cx, &sub, &patch)?;
            if !changes.is_empty() {
                noted(cx, &client_id, &sub, "user_changed")?;
            }
            let entered = match wanted_state {
                Some(UserState::Disabled) => users::disable(cx, &sub)?,
                Some(UserState::Active) => users::enable(cx, &sub)?,
                None => false,
            };
            if entered {
                noted(cx, &client_id, &sub, wanted_state.map_or("", UserState::as_str))?;
            }
            of_sub(cx, &sub)
        })
        .await;
    let user = changed.map_err(|error| Rejected::of(error, email.as_deref()))?;
    Ok(answer::tagged(HttpResponse::Ok(), &user))
}

async fn run_password(state: &AppState, request: &HttpRequest, target: Target, body: Json, now: UnixTime) -> Answered {
    let seen = if_match(request)?;
    let Target { sub, client_id } = target;
    let mut members = Members::of(body.0?, &["password"]);
    let password = members.required_text("password");
    members.finish()?;
    let wanted = sub.clone();
    let user = state.read(now, move |cx| of_sub(cx, &wanted)).await?;
    judge(&password, &names_of(&user), &state.settings.password).map_err(Rejected::weak)?;
    let hash = hash_new(state, password).await?;
    state
        .write(now, move |cx| {
            as_seen(cx, &sub, seen.as_ref())?;
            users::set_password(cx, &sub, hash.clone())?;
            noted(cx, &client_id, &sub, "password_set")
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn run_password_link(state: &AppState, client_id: String, sub: String, now: UnixTime) -> Answered {
    let (url, expires_at) = state
        .write(now, move |cx| {
            let user = of_sub(cx, &sub)?;
            let link = propusk_domain::password_link::make(cx, &user, &client_id)?;
            noted(cx, &client_id, &sub, "password_link")?;
            Ok((link.url(&cx.policy.issuer, cx.keys)?, link.expires_at))
        })
        .await?;
    Ok(HttpResponse::Ok().json(json!({ "url": url, "expires_at": expires_at.0 })))
}

/// By subject alone: a name in the path could turn into another person's.
pub(super) fn of_sub(cx: &mut Cx<'_>, sub: &str) -> propusk_domain::Result<User> {
    let found = cx.store.find_user(sub)?;
    Ok(found.ok_or_else(|| answer::nobody(sub))?)
}

/// The same person, as the caller has seen them when the request says how that was, and as they stay until the transaction ends.
fn as_seen(cx: &mut Cx<'_>, sub: &str, seen: Option<&IfMatch>) -> propusk_domain::Result<User> {
    cx.store.take_turn()?;
    let found = of_sub(cx, sub)?;
    if let Some(seen) = seen {
        users::must_be_as_seen(cx, sub, seen)?;
    }
    Ok(found)
}

/// The condition of the request. A header that comes in several lines is one list (RFC 9110 §5.3).
fn if_match(request: &HttpRequest) -> Result<Option<IfMatch>, Rejected> {
    let lines: Vec<_> = request.headers().get_all(IF_MATCH).map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let parsed = IfMatch::parse(&lines.join(", "));
    parsed.map(Some).ok_or_else(|| Rejected::field("If-Match", "must be * or a list of tags in double quotes".to_owned()))
}

/// The rule has noted what changed; this notes who asked for it.
fn noted(cx: &mut Cx<'_>, client_id: &str, sub: &str, what: &str) -> propusk_domain::Result<()> {
    Ok(cx.audit(Audit::of("users_api").sub(sub).client(client_id).detail(what))?)
}
