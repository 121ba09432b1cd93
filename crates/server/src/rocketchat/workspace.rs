//! What the chat has: accounts, roles and channels, asked for when it is needed and remembered for one piece of work.

use super::rest::{Rest, RestError};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Entries of a page; Rocket.Chat gives no more by default.
const PAGE: usize = 100;

/// Pages of one list at most: a million entries.
const PAGES: usize = 10_000;

/// An account of the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `_id`
    pub id: String,
    /// The username; an account whose owner has yet to choose one has none.
    pub username: Option<String>,
    /// The verified e-mail addresses, in lower case.
    pub emails: Vec<String>,
    /// The ids of its roles.
    pub roles: BTreeSet<String>,
    /// Whether it may be used.
    pub active: bool,
    /// The subject that it belongs to, where the chat shows it.
    pub subject: Option<String>,
}

/// A role of the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// `_id`
    pub id: String,
    /// The name that people see.
    pub name: String,
}

/// A channel, public or private.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// `_id`
    pub id: String,
    /// Whether it is a private group.
    pub private: bool,
}

/// The chat as one piece of work sees it.
pub struct Workspace {
    /// The client that speaks as the administrator.
    pub rest: Rest,
    /// The administrator's own account, whose rights are never taken.
    pub own_id: String,
    /// The key of the OAuth service.
    pub service: String,
    create_channels: bool,
    /// Whether members are read as whole lists, because everybody will be asked for.
    whole: bool,
    major: Option<u32>,
    own_only: Option<bool>,
    roles: Option<Vec<Role>>,
    accounts: Option<Vec<Account>>,
    rooms: BTreeMap<String, Option<Room>>,
    members: BTreeMap<String, BTreeSet<String>>,
}

impl Workspace {
    /// Nothing is known yet. `service` is the key of the OAuth service; `whole` for work that concerns everybody.
    pub fn new(rest: Rest, own_id: &str, service: &str, create_channels: bool, whole: bool) -> Self {
        let (own_id, service) = (own_id.to_owned(), service.to_owned());
        let (rooms, members) = (BTreeMap::new(), BTreeMap::new());
        Self { rest, own_id, service, create_channels, whole, major: None, own_only: None, roles: None, accounts: None, rooms, members }
    }

    /// The major version.
    pub fn major(&mut self) -> Result<u32, RestError> {
        if self.major.is_none() {
            self.major = Some(self.rest.version()?.0);
        }
        Ok(self.major.unwrap_or_default())
    }

    /// The roles.
    pub fn roles(&mut self) -> Result<&[Role], RestError> {
        if self.roles.is_none() {
            let answer = self.rest.get("roles.list", &[])?;
            let roles = list(&answer, "roles")?.iter().filter_map(|role| {
                let id = text(role, "_id")?.to_owned();
                Some(Role { name: text(role, "name").unwrap_or(&id).to_owned(), id })
            });
            self.roles = Some(roles.collect());
        }
        Ok(self.roles.as_deref().unwrap_or_default())
    }

    /// One account by `userId` or `username`.
    pub fn account(&self, by: &str, value: &str) -> Result<Option<Account>, RestError> {
        match self.rest.get("users.info", &[(by, value)]) {
            Ok(answer) => Ok(Some(self.read(answer.get("user").unwrap_or(&Value::Null))?)),
            Err(RestError::NotFound) => Ok(None),
            Err(error) if error.is("error-invalid-user") || error.is("User not found") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All accounts.
    pub fn accounts(&mut self) -> Result<&[Account], RestError> {
        if self.accounts.is_none() {
            let users = pages(&self.rest, "users.list", "users", &[])?;
            let accounts = users.iter().map(|user| self.read(user)).collect::<Result<Vec<_>, _>>()?;
            self.accounts = Some(accounts);
        }
        Ok(self.accounts.as_deref().unwrap_or_default())
    }

    /// Whether the chat takes a person in by the OAuth button only with an account that its own flow has made: the provider is on, the flow
    /// is the modern one, and accounts are not joined by name. Legacy flows join by e-mail address.
    pub fn takes_only_its_own(&mut self) -> Result<bool, RestError> {
        if let Some(known) = self.own_only {
            return Ok(known);
        }
        let major = self.major()?;
        let answer = self.rest.get("settings.oauth", &[])?;
        let ours = |service: &&Value| ["service", "name"].iter().any(|field| text(service, field) == Some(&self.service));
        let service = list(&answer, "services")?.iter().find(ours);
        let is_on = |service: &Value, field: &str| service.get(field) == Some(&Value::Bool(true));
        // Only the modern flow hides the button from older programs.
        let modern = |service: &Value| major >= 9 || is_on(service, "hideButtonOnMobile");
        let joins = |service: &Value| is_on(service, "mergeUsers") && is_on(service, "mergeUsersDistinctServices");
        let own_only = service.is_some_and(|service| modern(service) && !joins(service));
        self.own_only = Some(own_only);
        Ok(own_only)
    }

    /// All accounts, where they have been read already.
    pub fn known_accounts(&self) -> Option<&[Account]> {
        self.accounts.as_deref()
    }

    /// The channel of that name; made when that is allowed; `None` when there is none that the administrator sees.
    pub fn room(&mut self, name: &str, plan: bool) -> Result<Option<Room>, RestError> {
        if let Some(room) = self.rooms.get(name) {
            return Ok(room.clone());
        }
        let mut found = None;
        for (endpoint, member, private) in [("channels.info", "channel", false), ("groups.info", "group", true)] {
            match self.rest.get(endpoint, &[("roomName", name)]) {
                Ok(answer) => {
                    let id = answer.get(member).and_then(|room| text(room, "_id")).ok_or(RestError::Garbage { status: 200 })?;
                    found = Some(Room { id: id.to_owned(), private });
                    break;
                }
                Err(RestError::NotFound) => {}
                Err(error) if error.is("error-room-not-found") || error.is("error-invalid-room") => {}
                Err(error) => return Err(error),
            }
        }
        if found.is_none() && self.create_channels && !plan {
            let answer = self.rest.post("channels.create", &json!({ "name": name }))?;
            let id = answer.get("channel").and_then(|room| text(room, "_id")).ok_or(RestError::Garbage { status: 200 })?;
            found = Some(Room { id: id.to_owned(), private: false });
        }
        self.rooms.insert(name.to_owned(), found.clone());
        Ok(found)
    }

    /// Whether an account is a member.
    pub fn is_member(&mut self, room: &Room, account: &Account) -> Result<bool, RestError> {
        let endpoint = if room.private { "groups.members" } else { "channels.members" };
        if !self.whole {
            // The filter makes one page of it where the chat knows it; where not, all pages are read.
            let filter = account.username.as_deref().unwrap_or_default();
            let members = pages(&self.rest, endpoint, "members", &[("roomId", &room.id), ("filter", filter)])?;
            return Ok(members.iter().any(|member| text(member, "_id") == Some(&account.id)));
        }
        if !self.members.contains_key(&room.id) {
            let members = pages(&self.rest, endpoint, "members", &[("roomId", &room.id)])?;
            let ids = members.iter().filter_map(|member| Some(text(member, "_id")?.to_owned())).collect();
            self.members.insert(room.id.clone(), ids);
        }
        Ok(self.members.get(&room.id).is_some_and(|members| members.contains(&account.id)))
    }

    fn read(&self, user: &Value) -> Result<Account, RestError> {
        let id = text(user, "_id").ok_or(RestError::Garbage { status: 200 })?.to_owned();
        let verified = |email: &Value| email.get("verified") == Some(&Value::Bool(true));
        let emails = user.get("emails").and_then(Value::as_array).into_iter().flatten().filter(|email| verified(email));
        let roles = user.get("roles").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let subject = user.get("services").and_then(|services| services.get(&self.service)).and_then(|service| text(service, "id"));
        Ok(Account {
            id,
            username: text(user, "username").map(str::to_owned),
            emails: emails.filter_map(|email| Some(text(email, "address")?.to_lowercase())).collect(),
            roles: roles.map(str::to_owned).collect(),
            active: user.get("active").and_then(Value::as_bool).unwrap_or(true),
            subject: subject.map(str::to_owned),
        })
    }
}

/// Every entry of a list, page by page.
fn pages(rest: &Rest, endpoint: &str, member: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, RestError> {
    let mut all: Vec<Value> = Vec::new();
    for _ in 0..PAGES {
        let (offset, count) = (all.len().to_string(), PAGE.to_string());
        let mut pairs = query.to_vec();
        pairs.extend([("offset", offset.as_str()), ("count", count.as_str())]);
        let answer = rest.get(endpoint, &pairs)?;
        let page = list(&answer, member)?;
        all.extend(page.iter().cloned());
        let total = answer.get("total").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok()).unwrap_or(all.len());
        if page.is_empty() || all.len() >= total {
            break;
        }
    }
    Ok(all)
}

fn list<'a>(answer: &'a Value, member: &str) -> Result<&'a Vec<Value>, RestError> {
    answer.get(member).and_then(Value::as_array).ok_or(RestError::Garbage { status: 200 })
}

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}
