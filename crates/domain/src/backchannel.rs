//! Who is told that a session has ended: the clients at which it was used (OpenID Connect Back-Channel Logout 1.0), and the chat.

use crate::chat;
use crate::client::Client;
use crate::context::Cx;
use crate::error::{Fault, Result};
use crate::outbox::{Topic, enqueue};
use crate::policy::Policy;
use crate::time::UnixTime;
use propusk_protocol::logout_token::{LOGOUT_TOKEN_LIFETIME, LogoutEvents, LogoutTokenClaims};
use serde::{Deserialize, Serialize};

/// Which logout a client is told of; the body of its row in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logout {
    /// The client.
    pub client_id: String,
    /// The person.
    pub sub: String,
    /// The session.
    pub sid: String,
}

/// The audit event that says what a client answered.
pub const AUDIT: &str = "backchannel_logout";

/// Writes down, in the transaction that ends the session, who has to be told.
pub fn session_ended(cx: &mut Cx<'_>, sub: &str, sid: &str) -> Result<(), Fault> {
    let used_at = tell_clients(cx, sub, sid)?;
    chat::session_ended(cx, sub, sid, &used_at)
}

/// The same for a session that nobody has ended: the chat, which knows people and no sessions, is left to the other sessions that are
/// used there. A browser that was forgotten weeks ago must not throw its owner out of the one in hand.
pub fn session_timed_out(cx: &mut Cx<'_>, sub: &str, sid: &str) -> Result<(), Fault> {
    let mut used_at = tell_clients(cx, sub, sid)?;
    for other in cx.store.list_open_sids(sub)? {
        if other != sid && cx.store.list_session_clients(&other)?.contains(&cx.policy.chat_client) {
            used_at.retain(|client_id| *client_id != cx.policy.chat_client);
        }
    }
    chat::session_ended(cx, sub, sid, &used_at)
}

/// The clients at which the session was used; each that hears of logouts is told.
fn tell_clients(cx: &mut Cx<'_>, sub: &str, sid: &str) -> Result<Vec<String>, Fault> {
    let used_at = cx.store.list_session_clients(sid)?;
    for client_id in &used_at {
        let is_told = cx.store.find_client(client_id)?.is_some_and(|client| hears_logouts(&client));
        if is_told {
            let body = Logout { client_id: client_id.clone(), sub: sub.to_owned(), sid: sid.to_owned() };
            enqueue(cx, Topic::BackchannelLogout, &format!("{client_id} {sid}"), &format!("logout {client_id} {sub}"), &body)?;
        }
    }
    Ok(used_at)
}

/// Whether the client is told of logouts.
pub fn hears_logouts(client: &Client) -> bool {
    !client.disabled && client.settings.backchannel_logout_uri.is_some()
}

/// What the logout token says (§2.4). `jti` is a fresh one for each attempt: a client that remembers them must not take a repeated
/// message for a replay.
pub fn claims(logout: &Logout, policy: &Policy, jti: String, now: UnixTime) -> LogoutTokenClaims {
    LogoutTokenClaims {
        iss: policy.issuer.clone(),
        aud: logout.client_id.clone(),
        iat: now.0,
        exp: now.plus(LOGOUT_TOKEN_LIFETIME).0,
        jti,
        sub: logout.sub.clone(),
        sid: logout.sid.clone(),
        events: LogoutEvents::default(),
    }
}
