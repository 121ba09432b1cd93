//! The chat beside the site: which account a person has there, and when that account has to be looked after.

use crate::context::Cx;
use crate::error::Fault;
use crate::outbox::{Topic, enqueue};
use crate::store::Stored;
use crate::time::UnixTime;
use crate::user::User;
use serde::{Deserialize, Serialize};

/// What is remembered of the chat.
pub trait Chat {
    /// The account of a person there.
    fn find_chat_id(&mut self, sub: &str) -> Stored<Option<String>>;
    /// Whose account it is.
    fn find_chat_person(&mut self, chat_id: &str) -> Stored<Option<String>>;
    /// Remembers the account; false when it is somebody else's.
    fn put_chat_id(&mut self, sub: &str, chat_id: &str) -> Stored<bool>;
    /// Forgets it.
    fn forget_chat_id(&mut self, sub: &str) -> Stored<()>;
    /// The login token of a session.
    fn find_chat_token(&mut self, sid: &str) -> Stored<Option<ChatToken>>;
    /// Adds it; false when the session has one.
    fn insert_chat_token(&mut self, token: &ChatToken) -> Stored<bool>;
    /// Removes the one that is sealed so; false when it was not there.
    fn delete_chat_token(&mut self, sid: &str, sealed: &str) -> Stored<bool>;
    /// (`sid`, `sub`) of tokens whose session has ended, is not there any more or was not used since `idle_since`.
    fn list_orphaned_chat_tokens(&mut self, now: UnixTime, idle_since: UnixTime, limit: i64) -> Stored<Vec<(String, String)>>;
    /// A value that all processes share.
    fn find_chat_state(&mut self, name: &str) -> Stored<Option<String>>;
    /// Replaces it when it is still `before`; false when it is not.
    fn swap_chat_state(&mut self, name: &str, before: Option<&str>, after: Option<&str>) -> Stored<bool>;
    /// The number of a person.
    fn find_numeric_id(&mut self, sub: &str) -> Stored<Option<i64>>;
    /// Gives the person the next number; false when another transaction was faster.
    fn insert_numeric_id(&mut self, sub: &str) -> Stored<bool>;
}

/// The chat's login token that a session uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatToken {
    /// The session.
    pub sid: String,
    /// The person.
    pub sub: String,
    /// The account there.
    pub chat_id: String,
    /// The token, sealed under the master key for [`token_purpose`].
    pub sealed: String,
    /// When it was made.
    pub created_at: UnixTime,
}

/// What the login token of a session is sealed for.
pub fn token_purpose(sid: &str) -> String {
    format!("propusk chat token {sid}")
}

/// The value that holds the connection which `propusk rocketchat connect` made.
pub const CONNECTION: &str = "connection";

/// The person of a row in the outbox; told in it only when the person has been removed here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The username of a person who was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
}

/// What is still known of a person who was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// The username.
    pub username: String,
    /// The verified e-mail address.
    pub email: Option<String>,
}

/// The person has changed, or is about to come there: their account has to agree.
pub fn person_changed(cx: &mut Cx<'_>, sub: &str) -> Result<(), Fault> {
    if !is_connected(cx)? {
        return Ok(());
    }
    enqueue(cx, Topic::ChatPerson, sub, &subject(sub), &Person::default())
}

/// The person is being removed: their account is switched off.
pub fn person_removed(cx: &mut Cx<'_>, user: &User) -> Result<(), Fault> {
    if !is_connected(cx)? {
        return Ok(());
    }
    let removed = Removed { username: user.username.clone(), email: verified_email(user).map(str::to_owned) };
    enqueue(cx, Topic::ChatPerson, &user.sub, &subject(&user.sub), &Person { removed: Some(removed) })
}

/// A session has ended that had been used at the clients `used_at`: what it opened in the chat ends, too.
pub fn session_ended(cx: &mut Cx<'_>, sub: &str, sid: &str, used_at: &[String]) -> Result<(), Fault> {
    if !is_connected(cx)? {
        return Ok(());
    }
    if cx.store.find_chat_token(sid)?.is_some() {
        enqueue(cx, Topic::ChatToken, sid, &subject(sub), &serde_json::json!({ "sub": sub }))?;
    }
    if used_at.contains(&cx.policy.chat_client) {
        enqueue(cx, Topic::ChatLogout, sub, &subject(sub), &serde_json::json!({ "at": cx.now }))?;
    }
    Ok(())
}

/// Whether there is a chat to look after.
pub fn is_connected(cx: &mut Cx<'_>) -> Result<bool, Fault> {
    Ok(cx.policy.chat_configured || cx.store.find_chat_state(CONNECTION)?.is_some())
}

/// The e-mail address that is known to be the person's.
pub fn verified_email(user: &User) -> Option<&str> {
    user.claims.email.as_deref().filter(|_| user.claims.email_verified == Some(true))
}

/// One account is looked after by one process at a time, in order.
fn subject(sub: &str) -> String {
    format!("chat {sub}")
}
