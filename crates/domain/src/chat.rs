//! The chat beside the site: which account a person has there, and when that account has to be looked after.

use crate::client::RegisteredClient;
use crate::context::Cx;
use crate::error::Fault;
use crate::outbox::{Topic, enqueue};
use crate::roles::RoleMap;
use crate::store::{Store, Stored};
use crate::time::UnixTime;
use crate::user::User;
use propusk_protocol::Params;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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

/// The body of the row of [`Topic::ChatEverybody`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Everybody {
    /// Roles of the chat that earlier maps gave. Where the map of now says nothing of them, whoever has them loses them.
    #[serde(default)]
    pub formerly: BTreeSet<String>,
}

/// The one key of that topic: changes that come while one waits are looked after together.
pub const EVERYBODY: &str = "everybody";

/// The map `name` has changed, or was chosen by the chat's client in place of another; `before` is what was true until now.
pub fn map_changed(cx: &mut Cx<'_>, name: &str, before: &RoleMap) -> Result<(), Fault> {
    let is_of_chat = cx.store.find_client(&cx.policy.chat_client)?.is_some_and(|client| client.settings.role_map == name);
    if !is_of_chat || !is_connected(cx)? {
        return Ok(());
    }
    let waiting = cx.store.list_messages(Some(Topic::ChatEverybody), i64::MAX)?.into_iter().find(|row| row.key == EVERYBODY);
    let mut body: Everybody = waiting.map(|row| row.read()).transpose()?.unwrap_or_default();
    body.formerly.extend(managed(before, &cx.store.list_roles()?));
    enqueue(cx, Topic::ChatEverybody, EVERYBODY, EVERYBODY, &body)
}

/// The roles of the chat that a map looks after: all that it gives anybody.
fn managed(map: &RoleMap, site_roles: &[String]) -> BTreeSet<String> {
    if map.identity { site_roles.iter().cloned().collect() } else { map.roles.values().flatten().cloned().collect() }
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

/// The session of a login token has run out, or was swept away.
pub fn token_orphaned(cx: &mut Cx<'_>, sub: &str, sid: &str) -> Result<(), Fault> {
    // A row that waits already is not made newer again and again.
    if cx.store.list_messages(Some(Topic::ChatToken), i64::MAX)?.iter().any(|row| row.key == sid) {
        return Ok(());
    }
    enqueue(cx, Topic::ChatToken, sid, &subject(sub), &serde_json::json!({ "sub": sub }))
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

/// What a person's account in the chat has to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The person.
    pub sub: String,
    /// The username.
    pub username: String,
    /// The address that is known to be theirs, in lower case.
    pub email: Option<String>,
    /// Whether they may come in.
    pub active: bool,
    /// The roles they have, by id or name.
    pub roles: BTreeSet<String>,
    /// The roles that are looked after: those of the map.
    pub managed_roles: BTreeSet<String>,
    /// The channels they belong to.
    pub channels: BTreeSet<String>,
    /// The channels that are looked after: those of the map.
    pub managed_channels: BTreeSet<String>,
}

/// What follows from a role of the site: by the role map of the chat's client, and by the settings' groups and channels.
#[derive(Debug, Clone)]
pub struct Map {
    roles: RoleMap,
    site_roles: Vec<String>,
    formerly: BTreeSet<String>,
    channels: BTreeMap<String, Vec<String>>,
}

impl Map {
    /// Reads the role map of the chat's client; without such a client nothing is looked after but who may come in.
    pub fn load(store: &mut dyn Store, client_id: &str, channels: &BTreeMap<String, Vec<String>>) -> Result<Self, Fault> {
        let roles = RegisteredClient::load(store, client_id)?.map(|client| client.role_map).unwrap_or_default();
        Ok(Self { roles, site_roles: store.list_roles()?, formerly: BTreeSet::new(), channels: channels.clone() })
    }

    /// The same, looking after the roles that earlier maps gave, too.
    #[must_use]
    pub fn after(self, earlier: &Everybody) -> Self {
        Self { formerly: earlier.formerly.clone(), ..self }
    }

    /// What the account of `user` has to be like.
    pub fn wanted(&self, user: &User) -> Wanted {
        let mapped = self.roles.claims_of(&user.role);
        let mut managed_roles = managed(&self.roles, &self.site_roles);
        managed_roles.extend(self.formerly.iter().cloned());
        Wanted {
            sub: user.sub.clone(),
            username: user.username.clone(),
            email: verified_email(user).map(str::to_lowercase),
            active: user.is_active(),
            roles: mapped.roles.unwrap_or_default().into_iter().collect(),
            managed_roles,
            channels: self.channels_of(user),
            managed_channels: self.channels.values().flatten().cloned().collect(),
        }
    }

    /// The channels that the groups of `user` give. The names of groups are compared without regard to case, because settings from
    /// the environment have none.
    pub fn channels_of(&self, user: &User) -> BTreeSet<String> {
        let groups = self.roles.claims_of(&user.role).groups.unwrap_or_default();
        let given = |group: &String| groups.iter().any(|own| own.to_lowercase() == group.to_lowercase());
        self.channels.iter().filter(|(group, _)| given(group)).flat_map(|(_, channels)| channels.iter().cloned()).collect()
    }

    /// Whether a person may be sent into the channel: it is not looked after, or the person's groups give it. Another case is no other
    /// channel.
    pub fn gives(&self, user: &User, channel: &str) -> bool {
        let same = |name: &String| name.to_lowercase() == channel.to_lowercase();
        !self.channels.values().flatten().any(same) || self.channels_of(user).iter().any(same)
    }
}

impl Wanted {
    /// Of a person who has been removed: nobody who may come in.
    pub fn removed(sub: &str, removed: &Removed) -> Self {
        let none = BTreeSet::new;
        Self {
            sub: sub.to_owned(),
            username: removed.username.clone(),
            email: removed.email.as_ref().map(|email| email.to_lowercase()),
            active: false,
            roles: none(),
            managed_roles: none(),
            channels: none(),
            managed_channels: none(),
        }
    }
}

/// The channel that a path of the chat leads into: `/channel/general?msg=1`, `/group/vip/thread/1`.
pub fn room_of(path: &str) -> Option<String> {
    let mut segments = path.split(['?', '#']).next()?.split('/').filter(|segment| !segment.is_empty());
    let kind = segments.next()?;
    if !kind.eq_ignore_ascii_case("channel") && !kind.eq_ignore_ascii_case("group") {
        return None;
    }
    let name = segments.next()?;
    // A name that is escaped is the same name.
    let decoded = Params::parse(format!("name={name}").as_bytes()).ok().and_then(|params| params.get("name").map(str::to_owned));
    Some(decoded.unwrap_or_else(|| name.to_owned()))
}

/// The number of a person, given on first use; it is never another's.
pub fn numeric_id(cx: &mut Cx<'_>, sub: &str) -> Result<i64, Fault> {
    // Two transactions may reach for the same number: one gets it, the other takes the next.
    for _ in 0..8 {
        if let Some(number) = cx.store.find_numeric_id(sub)? {
            return Ok(number);
        }
        cx.store.insert_numeric_id(sub)?;
    }
    Err(Fault::passing("the number of a person was taken by others each time"))
}
