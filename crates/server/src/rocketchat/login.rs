//! Signs a person in at the chat without a button: a login token of the chat for a session of this server.
//!
//! One token a session, sealed at rest, used again while the chat still takes it, and ended with the session.

use super::agree::{Found, find};
use super::connection::{Connection, service};
use super::own_flow;
use super::refusals::{client_disabled, foreign, inactive, no_consent, not_connected, unanswered};
use super::rest::{Rest, RestError};
use super::token;
use super::workspace::Workspace;
use crate::instance::Instance;
use crate::outbound::Outbound;
use propusk_crypto::{Secret, digest};
use propusk_domain::chat::{self, ChatToken, Map, Wanted};
use propusk_domain::client::RegisteredClient;
use propusk_domain::context::{Audit, Cx};
use propusk_domain::grant::Grant;
use propusk_domain::session::Session;
use propusk_domain::token::issue;
use propusk_domain::user::User;
use propusk_domain::{Result, ids};
use propusk_protocol::Scope;
use serde_json::json;

/// How long the access token lives by which a legacy chat is asked, in seconds.
const HANDOVER: i64 = 60;

/// The first version that wants a secret for `users.createToken`.
pub const SECRET_SINCE: u32 = 8;

/// The login token of `session`, made when there is none that the chat still takes. Blocks; never inside a transaction.
///
/// # Errors
/// Refused when the chat's client is switched off, when the chat's account of that name is not certainly the person's or is switched off
/// there, and when the chat does not answer or gives no tokens.
pub fn login_token(instance: &Instance, outbound: &Outbound, session: &Session, user: &User) -> Result<Option<Secret>> {
    let settings = &instance.settings.rocketchat;
    let (url, connection, kept) = instance.read(|cx| {
        may_sign_in(cx, &settings.client, user)?;
        let url = Connection::url(cx.store, settings)?;
        Ok((url, Connection::find(cx.store, settings, &instance.master)?, cx.store.find_chat_token(&session.sid)?))
    })?;
    let Some(url) = url else { return Err(not_connected().into()) };
    let anonymous = Rest::new(outbound.clone(), &url);
    if let Some(row) = kept {
        let token = token::open(&instance.master, &row)?;
        match anonymous.clone().with_token(&row.chat_id, token.clone()).get("me", &[]) {
            Ok(_) => return Ok(Some(token)),
            // Ended there: signed out, switched off, or too old.
            Err(RestError::Unauthorized) => {
                instance.write(move |cx| Ok(cx.store.delete_chat_token(&row.sid, &row.sealed)?))?;
            }
            Err(error) => return Err(unanswered(&error)),
        }
    }
    let (chat_id, made) = match connection.filter(|_| settings.create_token_secret.is_some()) {
        Some(connection) => by_administrator(instance, outbound, &connection, session, user)?,
        None => by_access_token(instance, &anonymous, session, user)?,
    };
    keep(instance, &anonymous, session, chat_id, made)
}

/// What is refused at the chat's button is refused without it.
fn may_sign_in(cx: &mut Cx<'_>, client_id: &str, user: &User) -> Result<()> {
    let Some(client) = cx.store.find_client(client_id)? else { return Ok(()) };
    if client.disabled {
        return Err(client_disabled(&client).into());
    }
    if !client.first_party && cx.store.find_consent(&user.sub, client_id)?.is_none() {
        return Err(no_consent(&client).into());
    }
    Ok(())
}

/// `users.createToken`, with the secret that the chat's environment holds; the account is made when there is none.
fn by_administrator(instance: &Instance, outbound: &Outbound, connection: &Connection, session: &Session, user: &User) -> Result<(String, Secret)> {
    let settings = &instance.settings.rocketchat;
    let (wanted, known) = instance.read(|cx| {
        let map = Map::load(cx.store, &settings.client, &settings.channels)?;
        Ok((map.wanted(user), cx.store.find_chat_id(&user.sub)?))
    })?;
    let look = || Workspace::new(connection.rest(outbound.clone()), &connection.user_id, &connection.service, false, false);
    let mut workspace = look();
    let found = find(&mut workspace, &wanted, known.as_deref()).map_err(|error| unanswered(&error))?;
    let own_flow = found == Found::Nobody && workspace.takes_only_its_own().map_err(|error| unanswered(&error))?;
    let found = if own_flow { by_own_flow(instance, &Rest::new(outbound.clone(), &connection.url), look(), &wanted, session)? } else { found };
    let chat_id = match found {
        Found::Account(account) if !account.active => return Err(inactive("switched off in the chat").into()),
        Found::Account(account) => account.id,
        Found::Nobody => create(look(), instance, &wanted, user)?,
        Found::Foreign(reason) => return Err(foreign(&reason).into()),
    };
    let (sub, id) = (user.sub.clone(), chat_id.clone());
    instance.write(move |cx| {
        cx.store.put_chat_id(&sub, &id)?;
        // Roles and channels follow as after any other sign-in.
        Ok(chat::person_changed(cx, &sub)?)
    })?;
    let mut body = json!({ "userId": chat_id });
    if workspace.major().map_err(|error| unanswered(&error))? >= SECRET_SINCE
        && let (Some(secret), Some(body)) = (&settings.create_token_secret, body.as_object_mut())
    {
        body.insert("secret".to_owned(), secret.expose().into());
    }
    let answer = workspace.rest.post("users.createToken", &body).map_err(|error| unanswered(&error))?;
    let made = answer.pointer("/data/authToken").and_then(serde_json::Value::as_str).map(|token| Secret::new(token.to_owned()));
    Ok((chat_id, made.ok_or_else(|| unanswered(&RestError::Garbage { status: 200 }))?))
}

/// Has the chat make the account by its own flow, so that its button takes the person in, too; `Nobody` when it does not.
fn by_own_flow(instance: &Instance, anonymous: &Rest, mut workspace: Workspace, wanted: &Wanted, session: &Session) -> Result<Found> {
    let walked = own_flow::walk(instance, anonymous, &workspace.service, session)?;
    if !walked {
        tracing::warn!(sub = wanted.sub, "the chat's own sign-in makes no account: it is made by the administrator, and the button will not take it");
    }
    let found = find(&mut workspace, wanted, None).map_err(|error| unanswered(&error))?;
    if !walked || matches!(found, Found::Account(_)) {
        return Ok(found);
    }
    // A chat that shows no identity: nobody had the name a moment ago, and nobody else was signed in under it.
    let made = workspace.account("username", &wanted.username).map_err(|error| unanswered(&error))?;
    Ok(made.filter(|account| account.subject.is_none()).map_or(found, Found::Account))
}

fn create(mut workspace: Workspace, instance: &Instance, wanted: &Wanted, user: &User) -> Result<String> {
    // The chat wants an address. One that is not known to be theirs would let its owner take the account over.
    let unusable = || format!("{}@invalid.invalid", wanted.username.to_lowercase());
    let body = json!({
        "username": wanted.username,
        "name": user.claims.name.as_deref().unwrap_or(&wanted.username),
        "email": wanted.email.clone().unwrap_or_else(unusable),
        "verified": wanted.email.is_some(),
        "password": Secret::generate(&instance.rng, "").expose(),
        "requirePasswordChange": false,
        "joinDefaultChannels": true,
        "sendWelcomeEmail": false,
    });
    let answer = match workspace.rest.post("users.create", &body) {
        // Another device of theirs may have been faster.
        Err(refused @ RestError::Refused { .. }) => {
            return match find(&mut workspace, wanted, None).map_err(|error| unanswered(&error))? {
                Found::Account(account) => Ok(account.id),
                // The address is somebody else's there, and not verified.
                _ if refused.is("error-field-unavailable") => Err(foreign(&refused.to_string()).into()),
                _ => Err(unanswered(&refused)),
            };
        }
        answer => answer.map_err(|error| unanswered(&error))?,
    };
    let made = answer.pointer("/user/_id").and_then(serde_json::Value::as_str).map(str::to_owned);
    made.ok_or_else(|| unanswered(&RestError::Garbage { status: 200 }))
}

/// `login` with an access token of the chat's own client (legacy flow): no administrator is needed, and the account is made there.
fn by_access_token(instance: &Instance, anonymous: &Rest, session: &Session, user: &User) -> Result<(String, Secret)> {
    let (session, user) = (session.clone(), user.clone());
    let issued = instance.write(move |cx| {
        let Some(client) = RegisteredClient::load(cx.store, &cx.policy.chat_client)?.filter(|client| !client.client.disabled) else {
            return Ok(None);
        };
        if !cx.store.touch_session(&session.sid, cx.now)? || !cx.store.guard_user(&user.sub, user.credential_version)? {
            return Ok(None);
        }
        let grant = handover(cx, &client, &session, &user);
        cx.store.insert_grant(&grant)?;
        chat::person_changed(cx, &user.sub)?;
        cx.audit(Audit::of("chat_handover").sub(&user.sub).client(client.id()).grant(&grant.id))?;
        Ok(Some(issue::for_grant(cx, &client, &grant, &user, &grant.scope, None)))
    })?;
    let Some(issued) = issued else { return Err(not_connected().into()) };
    let access_token = Secret::new(issued.sign(&instance.keys.ring)?.access_token);
    let service = instance.read(|cx| Ok(service(cx.store, &instance.settings.rocketchat, anonymous.base())?))?;
    let made = anonymous.login_with_access_token(&service, &access_token, HANDOVER.unsigned_abs()).map_err(|error| unanswered(&error))?;
    Ok((made.user_id, made.token))
}

/// A grant that lives for one question. It hangs on no session: the end of the session ends the token that comes of it, not every
/// session of the chat.
fn handover(cx: &Cx<'_>, client: &RegisteredClient, session: &Session, user: &User) -> Grant {
    let wanted: Scope = ["openid", "profile", "email", "roles", "groups"].iter().collect();
    Grant {
        id: ids::sortable(cx.now, cx.rng),
        sub: Some(user.sub.clone()),
        client_id: client.id().to_owned(),
        scope: client.client.settings.scopes.intersection(&wanted),
        sid: None,
        offline: false,
        auth_time: Some(session.auth_time),
        amr: session.amr.clone(),
        nonce: None,
        code: None,
        refresh: None,
        created_at: cx.now,
        expires_at: Some(cx.now.plus(HANDOVER)),
        revoked_at: None,
    }
}

/// Keeps the token, unless the session has ended meanwhile or another request was faster: then it is ended at once.
fn keep(instance: &Instance, anonymous: &Rest, session: &Session, chat_id: String, made: Secret) -> Result<Option<Secret>> {
    let sealed = token::seal(&instance.master, &session.sid, &made);
    let created_at = instance.clock.now();
    let row = ChatToken { sid: session.sid.clone(), sub: session.sub.clone(), chat_id: chat_id.clone(), sealed, created_at };
    let (sid, sub) = (session.sid.clone(), session.sub.clone());
    let kept = instance.write(move |cx| {
        if !cx.store.touch_session(&sid, cx.now)? {
            return Ok(Kept::Ended);
        }
        if cx.store.insert_chat_token(&row)? {
            cx.audit(Audit::of("chat_token_made").sub(&sub).detail(sid.clone()))?;
            return Ok(Kept::Ours);
        }
        Ok(cx.store.find_chat_token(&sid)?.map_or(Kept::Ended, Kept::Theirs))
    })?;
    if matches!(kept, Kept::Ours) {
        return Ok(Some(made));
    }
    if let Err(error) = anonymous.clone().with_token(&chat_id, made.clone()).log_out() {
        tracing::warn!(%error, token = digest(made.expose()), "a login token of the chat that nobody uses could not be ended");
    }
    match kept {
        Kept::Theirs(row) => Ok(Some(token::open(&instance.master, &row)?)),
        Kept::Ours | Kept::Ended => Ok(None),
    }
}

enum Kept {
    Ours,
    Theirs(ChatToken),
    Ended,
}
