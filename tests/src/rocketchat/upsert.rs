//! The user store: what a login with this identity does to the accounts of the chat.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::config::{Config, KeyField, Profile};
use super::normalize::{js_string, truthy};
use super::roles::synchronise;

/// A young account is not asked for a second factor.
const TWO_FACTOR_GRACE_SECONDS: u64 = 1800;

/// A role; custom ones have a random id and a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// `_id`.
    pub id: String,
    /// `name`.
    pub name: String,
}

/// A channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Room {
    /// `_id`.
    pub id: String,
    /// A private group: `groups.…` knows it, `channels.…` does not.
    pub private: bool,
    /// Name.
    pub name: String,
    /// Username of who created it.
    pub owner: String,
    /// Ids of the members.
    pub members: Vec<String>,
}

/// An address of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// Address.
    pub address: String,
    /// Rocket.Chat's own opinion; `email_verified` is never looked at.
    pub verified: bool,
}

/// An account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct User {
    /// `_id`.
    pub id: String,
    /// `username`; without one the person sees the "choose a username" screen.
    pub username: Option<String>,
    /// `name`.
    pub name: Option<String>,
    /// `emails`.
    pub emails: Vec<Email>,
    /// `services.<key>`.
    pub services: BTreeMap<String, Map<String, Value>>,
    /// Role ids in the order of granting.
    pub roles: Vec<String>,
    /// `active`.
    pub active: bool,
    /// Has a local password.
    pub has_password: bool,
    /// `requirePasswordChange`.
    pub require_password_change: bool,
    /// Has an authenticator app.
    pub has_totp: bool,
    /// Second of creation.
    pub created: u64,
}

impl User {
    /// `services.<key>.id` as text.
    pub fn service_id(&self, key: &str) -> Option<String> {
        self.services.get(key)?.get("id").map(js_string)
    }

    fn has_email(&self, address: &str) -> bool {
        self.emails.iter().any(|email| email.address.to_lowercase() == address.to_lowercase())
    }
}

/// How a login ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Signed in; the landing URL, `None` for "stays on the page".
    In {
        /// `_id` of the user.
        user: String,
        /// Where the browser ends.
        landing: Option<String>,
    },
    /// Signed in, but has to choose a username first.
    NeedsUsername {
        /// `_id` of the user.
        user: String,
    },
    /// Asked for `email` or `totp`.
    NeedsSecondFactor {
        /// `_id` of the user.
        user: String,
        /// `email` or `totp`.
        method: &'static str,
    },
    /// No login; what stands in the chat's log or on its screen.
    Refused(String),
}

impl Login {
    /// `_id` of the user, when there is one.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::In { user, .. } | Self::NeedsUsername { user } | Self::NeedsSecondFactor { user, .. } => Some(user),
            Self::Refused(_) => None,
        }
    }
}

/// Accounts, roles and channels of a workspace with the account settings that matter here.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Accounts in order of creation.
    pub users: Vec<User>,
    /// Roles.
    pub roles: Vec<Role>,
    /// Channels.
    pub rooms: Vec<Room>,
    /// `Accounts_Registration_AuthenticationServices_Enabled`.
    pub auth_services_registration: bool,
    /// `Accounts_AllowedDomainsList`; empty allows all.
    pub allowed_domains: Vec<String>,
    /// `Accounts_ManuallyApproveNewUsers`.
    pub manual_approval: bool,
    /// `Accounts_Registration_AuthenticationServices_Default_Roles`.
    pub default_roles: Vec<String>,
    /// Channels that everybody joins.
    pub default_channels: Vec<String>,
    /// `Accounts_twoFactorAuthentication_email_available_for_OAuth_users`.
    pub email_second_factor: bool,
    /// How the `_id` of a new account begins: `u1`, `u2` … are easier to read than random ones, and repeat when a chat is wiped.
    pub id_prefix: String,
}

impl Default for Workspace {
    fn default() -> Self {
        let builtin = ["admin", "user", "bot", "app", "guest", "anonymous", "livechat-agent", "livechat-manager", "moderator", "owner", "leader"];
        Self {
            users: Vec::new(),
            roles: builtin.iter().map(|id| Role { id: (*id).into(), name: (*id).into() }).collect(),
            rooms: vec![Room { id: "GENERAL".into(), name: "general".into(), owner: "rocket.cat".into(), ..Room::default() }],
            auth_services_registration: true,
            allowed_domains: Vec::new(),
            manual_approval: false,
            default_roles: vec!["user".into()],
            default_channels: vec!["general".into()],
            email_second_factor: true,
            id_prefix: "u".into(),
        }
    }
}

impl Workspace {
    /// A workspace that has an administrator already, so that the next user is an ordinary one.
    pub fn with_admin() -> Self {
        let mut workspace = Self { email_second_factor: false, ..Self::default() };
        workspace.add_local_user("root", "root@chat.example.org", true);
        workspace.users[0].roles = vec!["admin".into()];
        workspace
    }

    /// Adds an account with a password that no provider knows.
    pub fn add_local_user(&mut self, username: &str, email: &str, email_verified: bool) -> String {
        let id = self.next_id();
        self.users.push(User {
            id: id.clone(),
            username: Some(username.into()),
            name: Some(username.into()),
            emails: vec![Email { address: email.into(), verified: email_verified }],
            roles: self.default_roles.clone(),
            active: true,
            has_password: true,
            ..User::default()
        });
        id
    }

    /// Adds a role that an administrator made.
    pub fn add_role(&mut self, id: &str, name: &str) {
        self.roles.push(Role { id: id.into(), name: name.into() });
    }

    /// The account with this `_id`.
    ///
    /// # Panics
    /// When there is none.
    pub fn user(&self, id: &str) -> &User {
        self.users.iter().find(|user| user.id == id).unwrap_or_else(|| panic!("no user {id}"))
    }

    /// The account with this username, ignoring case.
    pub fn by_username(&self, username: &str) -> Option<&User> {
        self.users.iter().find(|user| user.username.as_ref().is_some_and(|known| known.to_lowercase() == username.to_lowercase()))
    }

    /// The channels of a user.
    pub fn rooms_of(&self, user: &str) -> Vec<&str> {
        self.rooms.iter().filter(|room| room.members.iter().any(|member| member == user)).map(|room| room.name.as_str()).collect()
    }

    /// Signs in whoever this service data describes; creates or changes the account.
    pub fn log_in(&mut self, profile: Profile, config: &Config, service: &Map<String, Value>, landing: Option<String>, now: u64) -> Login {
        match self.upsert(profile, config, service, now) {
            Err(message) => Login::Refused(message),
            Ok(index) => self.check_login(index, landing, now),
        }
    }

    fn upsert(&mut self, profile: Profile, config: &Config, service: &Map<String, Value>, now: u64) -> Result<usize, String> {
        let key = config.key();
        if config.is_gated(profile) {
            return Err("Custom OAuth needs a licence".into());
        }
        if !service.get("id").is_some_and(truthy) {
            return Err(format!("Service data for service {key} must include id"));
        }
        if melds(profile) {
            self.meld(&key, service);
        }
        if text(service, "username").is_some() {
            self.hook(config, service)?;
        }
        let id = service.get("id").map(js_string);
        let known = self.users.iter().position(|user| user.service_id(&key) == id);
        let index = match known {
            Some(index) => {
                self.users[index].services.entry(key).or_default().extend(service.clone());
                index
            }
            None => self.insert(config, service, now)?,
        };
        synchronise(self, config, index, service);
        Ok(index)
    }

    /// Joins the identity to an account with the same address, whatever `merge_users` says.
    fn meld(&mut self, key: &str, service: &Map<String, Value>) {
        let Some(email) = text(service, "email") else { return };
        let id = service.get("id").map(js_string);
        let Some(user) = self.users.iter_mut().find(|user| user.has_email(&email) && user.service_id(key) != id) else { return };
        let Some(known) = user.emails.iter_mut().find(|known| known.address.eq_ignore_ascii_case(&email)) else { return };
        if user.has_password && !known.verified {
            // Whoever registered with an unproven address loses the password.
            user.has_password = false;
            user.require_password_change = true;
        }
        known.verified = true;
        user.services.entry(key.into()).or_default().insert("id".into(), service["id"].clone());
    }

    /// Finds the account by username or e-mail and refuses or adopts it.
    fn hook(&mut self, config: &Config, service: &Map<String, Value>) -> Result<(), String> {
        let key = config.key();
        let id = service.get("id").map(js_string);
        let (username, email, name) = (text(service, "username"), text(service, "email"), text(service, "name"));
        let found = self.users.iter().position(|user| {
            let named = match config.key_field {
                KeyField::Username => user.username.as_ref().map(|known| known.to_lowercase()) == username.as_ref().map(|name| name.to_lowercase()),
                KeyField::Email => email.as_ref().is_some_and(|email| user.has_email(email)),
            };
            named && (config.merge_users_distinct_services || user.service_id(&key) == id)
        });
        let Some(index) = found else { return Ok(()) };
        synchronise(self, config, index, service);
        let user = &mut self.users[index];
        let same_email = config.key_field == KeyField::Email || email.as_ref().is_none_or(|email| user.has_email(email));
        if user.service_id(&key) == id && user.name == name && same_email {
            return Ok(());
        }
        if !config.merge_users {
            let username = user.username.clone().unwrap_or_default();
            return Err(format!("CustomOAuth: User with username {username} already exists"));
        }
        if let (KeyField::Username, Some(address)) = (config.key_field, email) {
            user.emails = vec![Email { address, verified: true }];
        }
        user.services.entry(key).or_default().insert("id".into(), service["id"].clone());
        user.name = name;
        Ok(())
    }

    fn insert(&mut self, config: &Config, service: &Map<String, Value>, now: u64) -> Result<usize, String> {
        if !self.auth_services_registration {
            return Err("registration-disabled-authentication-services".into());
        }
        let email = text(service, "email");
        let domain = email.as_ref().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain.to_lowercase());
        if !self.allowed_domains.is_empty() && !domain.is_some_and(|domain| self.allowed_domains.contains(&domain)) {
            return Err("error-invalid-domain".into());
        }
        let username = text(service, "username").filter(|_| !config.username_field.is_empty());
        if username.as_ref().is_some_and(|username| self.by_username(username).is_some()) {
            return Err("Username already exists. [403]".into());
        }
        if email.as_ref().is_some_and(|email| self.users.iter().any(|user| user.has_email(email))) {
            return Err("Email already exists. [403]".into());
        }
        let mut roles = self.default_roles.clone();
        if !self.users.iter().any(|user| user.roles.iter().any(|role| role == "admin")) {
            roles.insert(0, "admin".into());
        }
        let id = self.next_id();
        if username.is_some() {
            for channel in &self.default_channels {
                if let Some(room) = self.rooms.iter_mut().find(|room| &room.name == channel) {
                    room.members.push(id.clone());
                }
            }
        }
        self.users.push(User {
            id,
            username,
            name: text(service, "name"),
            emails: email.into_iter().map(|address| Email { address, verified: true }).collect(),
            services: BTreeMap::from([(config.key(), service.clone())]),
            roles,
            active: !self.manual_approval,
            created: now,
            ..User::default()
        });
        Ok(self.users.len() - 1)
    }

    fn check_login(&self, index: usize, landing: Option<String>, now: u64) -> Login {
        let user = &self.users[index];
        let id = user.id.clone();
        if !user.active {
            return Login::Refused("error-user-is-not-activated".into());
        }
        if user.username.is_none() {
            return Login::NeedsUsername { user: id };
        }
        let old = now.saturating_sub(user.created) > TWO_FACTOR_GRACE_SECONDS;
        let by_email = self.email_second_factor && user.emails.iter().any(|email| email.verified);
        match (old, user.has_totp, by_email) {
            (true, true, _) => Login::NeedsSecondFactor { user: id, method: "totp" },
            (true, false, true) => Login::NeedsSecondFactor { user: id, method: "email" },
            _ => Login::In { user: id, landing },
        }
    }

    /// Adds a channel or a private group without members.
    pub fn add_room(&mut self, name: &str, owner: &str, private: bool) -> &mut Room {
        let id = format!("r{}", self.rooms.len() + 1);
        self.rooms.push(Room { id, private, name: name.into(), owner: owner.into(), members: Vec::new() });
        self.rooms.last_mut().expect("the room just made")
    }

    pub(super) fn next_id(&self) -> String {
        format!("{}{}", self.id_prefix, self.users.len() + 1)
    }
}

/// A non-empty member as text.
pub(super) fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name).filter(|value| truthy(value)).map(js_string)
}

/// The custom provider's modern code does not mark its data for melding, and the REST login passes no browser.
fn melds(profile: Profile) -> bool {
    match profile {
        Profile::LegacyWeb(_) | Profile::LegacyMobile | Profile::Gitlab(_) => true,
        Profile::Modern(_) | Profile::RestToken => false,
    }
}
