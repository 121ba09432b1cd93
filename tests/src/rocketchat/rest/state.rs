//! What the chat knows beside its accounts: settings, logins, permissions, second factors, and every call that was made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use super::answer::{Answer, Handled};
use super::faults::{Fault, Rule};
use super::http::Incoming;
use super::{catalogue, provider};
use crate::rocketchat::entropy::SECRET;
use crate::rocketchat::{Config, Email, LoginStyle, Profile, RocketChat, User};

/// `Accounts_TwoFactorAuthentication_RememberFor`.
const REMEMBER_SECONDS: u64 = 1800;

/// Where a test's chat begins: 20 November 2026, noon.
const START: u64 = 1_795_176_000;

/// Which chat is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edition {
    /// Major and minor version.
    pub version: (u32, u32),
    /// The licence carries `oauth-enterprise`.
    pub licensed: bool,
}

impl Edition {
    /// Every edition that behaves differently: 7.x, 8.6, 8.9, and 9.x without and with the licence.
    pub const ALL: [Self; 5] =
        [Self::community(7, 13), Self::community(8, 6), Self::community(8, 9), Self::community(9, 0), Self { version: (9, 0), licensed: true }];

    /// Without a licence.
    pub const fn community(major: u32, minor: u32) -> Self {
        Self { version: (major, minor), licensed: false }
    }
}

/// A login token or a personal access token.
#[derive(Debug, Clone)]
pub struct Token {
    /// `_id` of whose it is.
    pub user: String,
    /// The token in the clear, as a test wants to compare it.
    pub token: String,
    /// A personal access token made with `bypassTwoFactor`.
    pub bypass_second_factor: bool,
    remembered_until: u64,
}

/// One request of the API.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method.
    pub method: String,
    /// What follows `/api/v1/`.
    pub endpoint: String,
    /// JSON body or null.
    pub body: Value,
    /// Status of the answer; 0 when none went out.
    pub status: u16,
}

/// The whole chat. Its accounts, roles and rooms are those of the login simulator: [`State::chat`].
pub struct State {
    /// Provider, accounts, roles and rooms.
    pub chat: RocketChat,
    /// Which version and licence.
    pub edition: Edition,
    /// Every setting.
    pub settings: BTreeMap<String, Value>,
    /// Second of the day the chat lives in; a test moves it.
    pub now: u64,
    /// Passwords by `_id`.
    pub passwords: BTreeMap<String, String>,
    /// Codes of authenticator apps by `_id`; whoever has one is asked for it.
    pub totp: BTreeMap<String, String>,
    /// Living logins.
    pub tokens: Vec<Token>,
    /// Permissions that a person (by `_id`) has though no administrator, or has not though one.
    pub permissions: BTreeMap<(String, String), bool>,
    /// Environment `CREATE_TOKENS_FOR_USERS` (to 7.x).
    pub create_tokens: bool,
    /// Environment `CREATE_TOKENS_FOR_USERS_SECRET` (from 8.0).
    pub create_tokens_secret: Option<String>,
    /// `users.info` shows `services.<key>.id` to who may see it.
    pub services_visible: bool,
    /// The public address of this chat.
    pub root_url: String,
    /// Headers that a proxy in front of the chat adds to its pages: a file with a line each, read for every page.
    pub proxy_headers: Option<PathBuf>,
    pub(super) faults: Vec<Rule>,
    pub(super) calls: Vec<Call>,
}

impl State {
    /// A chat as after its set-up wizard: an administrator `root` (password `root password`), and the bot `rocket.cat`.
    pub fn new(edition: Edition, root_url: &str) -> Self {
        let config = Config { version: edition.version, licensed: edition.licensed, ..Config::new(root_url, "", "", "") };
        let profile = if edition.version.0 >= 9 { Profile::Modern(LoginStyle::Redirect) } else { Profile::LegacyWeb(LoginStyle::Redirect) };
        let mut state = Self {
            chat: RocketChat::new(config, profile),
            edition,
            settings: catalogue::general(edition, root_url),
            now: START,
            passwords: BTreeMap::from([("u1".to_owned(), "root password".to_owned())]),
            totp: BTreeMap::new(),
            tokens: Vec::new(),
            permissions: BTreeMap::new(),
            create_tokens: false,
            create_tokens_secret: None,
            services_visible: true,
            root_url: root_url.to_owned(),
            proxy_headers: None,
            faults: Vec::new(),
            calls: Vec::new(),
        };
        state.chat.workspace.users.push(User {
            id: "rocket.cat".into(),
            username: Some("rocket.cat".into()),
            name: Some("Rocket.Cat".into()),
            emails: vec![Email { address: "rocket.cat@chat.example.org".into(), verified: true }],
            roles: vec!["bot".into()],
            active: true,
            ..User::default()
        });
        state
    }

    /// Loses everything but version and address, as a chat whose database was lost.
    pub fn wipe(&mut self) {
        *self = Self::new(self.edition, &self.root_url);
    }

    /// Changes a setting as the administration page does; the provider follows.
    pub fn set(&mut self, id: &str, value: impl Into<Value>) {
        self.settings.insert(id.to_owned(), value.into());
        provider::refresh(self);
    }

    /// Registers a provider with its defaults, as `settings.addCustomOAuth` does; values that are there already stay.
    pub fn register_provider(&mut self, name: &str) {
        for (id, value) in catalogue::custom(name) {
            self.settings.entry(id).or_insert(value);
        }
        provider::refresh(self);
    }

    /// All settings as `GET /api/v1/settings` lists them: `[{"_id", "value"}]`.
    pub fn dump(&self) -> Value {
        self.settings.iter().map(|(id, value)| serde_json::json!({ "_id": id, "value": value })).collect()
    }

    /// A new login token of a user.
    pub fn token_of(&mut self, user: &str) -> String {
        let token = self.chat.entropy.string(43, SECRET);
        self.tokens.push(Token { user: user.into(), token: token.clone(), bypass_second_factor: false, remembered_until: 0 });
        token
    }

    /// A personal access token of the administrator `root` that needs no second factor: `(user id, token)`.
    pub fn admin_token(&mut self) -> (String, String) {
        let token = self.token_of("u1");
        self.tokens.last_mut().expect("the token just made").bypass_second_factor = true;
        ("u1".into(), token)
    }

    /// How often an endpoint was asked (`roles.addUserToRole`), refused calls included.
    pub fn count(&self, endpoint: &str) -> usize {
        self.calls.iter().filter(|call| call.endpoint == endpoint).count()
    }

    /// All calls since the last time, oldest first.
    pub fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }

    /// The calls that changed something: every successful POST but logins.
    pub fn changes(&self) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.method == "POST" && call.status == 200 && call.endpoint != "login").collect()
    }

    /// The next `times` requests whose endpoint begins with `endpoint` (all of the API for an empty one) meet this fault; a page's
    /// endpoint is its path with the slash at the beginning.
    pub fn fault(&mut self, endpoint: &str, fault: Fault, times: usize) {
        self.faults.push(Rule { endpoint: endpoint.into(), fault, left: times });
    }

    /// All faults are over.
    pub fn heal(&mut self) {
        self.faults.clear();
    }

    /// Whether a user has a permission: administrators all but those taken, others none but those given.
    pub fn may(&self, user: &str, permission: &str) -> bool {
        let admin = self.chat.workspace.users.iter().any(|known| known.id == user && known.roles.iter().any(|role| role == "admin"));
        self.permissions.get(&(user.to_owned(), permission.to_owned())).copied().unwrap_or(admin)
    }

    /// Gives or takes a permission.
    pub fn permit(&mut self, user: &str, permission: &str, allowed: bool) {
        self.permissions.insert((user.into(), permission.into()), allowed);
    }

    /// The login behind `X-User-Id` and `X-Auth-Token`.
    pub(super) fn caller(&self, request: &Incoming) -> Result<String, Answer> {
        let (user, token) = (request.headers.get("x-user-id"), request.headers.get("x-auth-token"));
        let known = self.tokens.iter().find(|known| Some(&known.user) == user && Some(&known.token) == token).ok_or_else(Answer::unauthorized)?;
        let active = self.chat.workspace.users.iter().any(|user| user.id == known.user && user.active);
        if active { Ok(known.user.clone()) } else { Err(Answer::unauthorized()) }
    }

    /// The login, provided it has the permission.
    pub(super) fn caller_with(&self, request: &Incoming, permission: &str) -> Result<String, Answer> {
        let caller = self.caller(request)?;
        if self.may(&caller, permission) { Ok(caller) } else { Err(Answer::forbidden()) }
    }

    /// Asks for the second factor unless the account is young, the token is exempt, or a code was given not long ago with it.
    pub(super) fn check_second_factor(&mut self, caller: &str, request: &Incoming) -> Result<(), Answer> {
        let Some(method) = self.second_factor_of(caller) else { return Ok(()) };
        let now = self.now;
        let young = self.chat.workspace.user(caller).created + REMEMBER_SECONDS > now;
        let given = request.headers.get("x-auth-token").cloned().unwrap_or_default();
        let token = self.tokens.iter().position(|token| token.token == given).ok_or_else(Answer::unauthorized)?;
        if young || self.tokens[token].bypass_second_factor || self.tokens[token].remembered_until > now {
            return Ok(());
        }
        let Some(code) = request.headers.get("x-2fa-code") else {
            return Err(Answer::second_factor(400, "totp-required", method));
        };
        let wanted = request.headers.get("x-2fa-method").map_or(method, String::as_str);
        if wanted != method || !self.is_code(caller, method, code) {
            return Err(Answer::second_factor(400, "totp-invalid", method));
        }
        self.tokens[token].remembered_until = now + REMEMBER_SECONDS;
        Ok(())
    }

    /// The strongest method of an account; the password serves when there is none and the fallback is enforced.
    pub(super) fn second_factor_of(&self, user: &str) -> Option<&'static str> {
        let on = |id: &str| self.settings.get(id) == Some(&Value::Bool(true));
        if !on("Accounts_TwoFactorAuthentication_Enabled") {
            return None;
        }
        if self.totp.contains_key(user) {
            return Some("totp");
        }
        (on("Accounts_TwoFactorAuthentication_Enforce_Password_Fallback") && self.passwords.contains_key(user)).then_some("password")
    }

    pub(super) fn is_code(&self, user: &str, method: &str, code: &str) -> bool {
        match method {
            "totp" => self.totp.get(user).is_some_and(|known| known == code),
            _ => self.passwords.get(user).is_some_and(|password| sha256_hex(password) == code.to_ascii_lowercase()),
        }
    }

    pub(super) fn user_index(&self, id: &str) -> Option<usize> {
        self.chat.workspace.users.iter().position(|user| user.id == id)
    }

    /// `_id`s of the administrators.
    pub(super) fn admins(&self) -> BTreeSet<&str> {
        let is_admin = |user: &&User| user.roles.iter().any(|role| role == "admin");
        self.chat.workspace.users.iter().filter(is_admin).map(|user| user.id.as_str()).collect()
    }

    /// The members of an array parameter; a string where an array is wanted is refused.
    pub(super) fn strings(request: &Incoming, name: &str) -> Result<Vec<String>, Answer> {
        let Some(value) = request.body.get(name) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| Answer::invalid_params(&format!("must be array: \"{name}\"")))?;
        let text = |item: &Value| item.as_str().map(str::to_owned);
        items.iter().map(text).collect::<Option<_>>().ok_or_else(|| Answer::invalid_params(&format!("must be string: \"{name}\"")))
    }

    /// One page of a list by `offset` and `count` (50 when it is not given, at most 100): `{name: …, count, offset, total}`.
    pub(super) fn page(request: &Incoming, name: &str, items: &[Value]) -> Handled {
        let number = |name: &str, default: usize| request.param(name).map_or(Some(default), |text| text.parse().ok());
        let (Some(offset), Some(count)) = (number("offset", 0), number("count", 50)) else {
            return Err(Answer::failure("The offset or count parameter is not a number"));
        };
        let shown: Vec<&Value> = items.iter().skip(offset).take(if count == 0 { usize::MAX } else { count.min(100) }).collect();
        Ok(Answer::success(serde_json::json!({ name: shown, "count": shown.len(), "offset": offset, "total": items.len() })))
    }
}

pub(super) fn sha256_hex(text: &str) -> String {
    propusk_crypto::secret::sha256_hex(text)
}
