//! The chat server: begins flows, answers `/_oauth/<key>`, and signs people in.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::config::{Config, Generation, LoginStyle, Profile};
use super::entropy::{Entropy, HEX, SECRET};
use super::exchange::{self, Transport};
use super::normalize::{js_string, normalize_identity, truthy};
use super::start::{self, ModernSession, Start, StartError};
use super::upsert::{Login, Workspace};
use crate::browser::Hop;
use crate::http::query_pairs;

/// A legacy result waits this long for the login that picks it up.
const PENDING_SECONDS: u64 = 60;

/// What the browser gets at the callback.
#[derive(Debug, Clone, PartialEq)]
pub enum CallbackAnswer {
    /// Legacy: 200 HTML with the credential for the login that follows; no secret when the exchange failed.
    Credential {
        /// Name of the stored result.
        token: String,
        /// What proves that this browser may have it.
        secret: Option<String>,
        /// Where the page goes on, for the redirect style.
        redirect_url: Option<String>,
    },
    /// Modern: 302 with a login code, or a page that posts it to its opener.
    LoginCode {
        /// 64 hexadecimal digits, valid once.
        code: String,
        /// `Location`; `None` for a popup.
        location: Option<String>,
        /// What the login will find.
        service: Map<String, Value>,
    },
    /// Back at the login page without a word.
    BackAtLogin {
        /// What only the log says.
        cause: String,
    },
    /// Legacy: `redirectUrl` is not the chat's own; the root page with an error.
    RootWithError,
    /// Modern: a bare error page.
    ErrorPage {
        /// Status.
        status: u16,
        /// What only the log says.
        cause: String,
    },
    /// Modern without code and error: another authorize request.
    Restart(Box<Start>),
}

/// One workspace with one provider, used by one profile.
#[derive(Debug, Clone)]
pub struct RocketChat {
    /// Provider settings.
    pub config: Config,
    /// How people come.
    pub profile: Profile,
    /// Accounts, roles, channels.
    pub workspace: Workspace,
    /// Every request to the authorization server with its answer.
    pub exchanges: Vec<Hop>,
    /// Source of states, verifiers and tokens.
    pub entropy: Entropy,
    sessions: BTreeMap<(String, String), ModernSession>,
    pending: BTreeMap<String, Pending>,
}

#[derive(Debug, Clone)]
struct Pending {
    result: Result<Map<String, Value>, String>,
    secret: Option<String>,
    landing: Option<String>,
    expires: u64,
}

impl RocketChat {
    /// A workspace that has an administrator already.
    pub fn new(config: Config, profile: Profile) -> Self {
        Self {
            config,
            profile,
            workspace: Workspace::with_admin(),
            exchanges: Vec::new(),
            entropy: Entropy::system(),
            sessions: BTreeMap::new(),
            pending: BTreeMap::new(),
        }
    }

    /// A person in `browser` (any name for a cookie jar) clicks the button at the page `here`, at second `now`.
    ///
    /// # Errors
    /// [`StartError`] when there is no button.
    pub fn start(&mut self, browser: &str, here: &str, now: u64) -> Result<Start, StartError> {
        let begun = start::start(self.profile, &self.config, &mut self.entropy, here, now)?;
        if let Some(session) = &begun.session {
            self.sessions.insert((browser.into(), session.slot.clone()), session.clone());
        }
        Ok(begun)
    }

    /// The browser arrives at the callback URL; the token and identity requests go through `transport`.
    pub fn callback(&mut self, browser: &str, url: &str, transport: &mut dyn Transport, now: u64) -> CallbackAnswer {
        let query: BTreeMap<String, String> = query_pairs(url).into_iter().rev().collect();
        match self.profile.generation() {
            Generation::Legacy => self.legacy_callback(&query, transport, now),
            Generation::Modern => self.modern_callback(browser, &query, transport, now),
        }
    }

    /// What the client program does with the answer: the login that follows.
    pub fn finish(&mut self, answer: CallbackAnswer, now: u64) -> Login {
        match answer {
            CallbackAnswer::Credential { token, secret, .. } => self.login(&token, secret.as_deref(), now),
            CallbackAnswer::LoginCode { service, location, .. } => self.workspace.log_in(self.profile, &self.config, &service, location, now),
            CallbackAnswer::BackAtLogin { cause } | CallbackAnswer::ErrorPage { cause, .. } => Login::Refused(cause),
            CallbackAnswer::RootWithError => Login::Refused("redirectUrl is not the chat's".into()),
            CallbackAnswer::Restart(_) => Login::Refused("authorize again".into()),
        }
    }

    /// The legacy login method: picks up the stored result once.
    pub fn login(&mut self, token: &str, secret: Option<&str>, now: u64) -> Login {
        let pending = self.pending.remove(token).filter(|pending| pending.expires > now && pending.secret.as_deref() == secret);
        let Some(pending) = pending else {
            return Login::Refused("No matching login attempt found [145546287]".into());
        };
        match pending.result {
            Err(message) => Login::Refused(message),
            Ok(service) => self.workspace.log_in(self.profile, &self.config, &service, pending.landing, now),
        }
    }

    /// `POST /api/v1/login {"serviceName", "accessToken", "expiresIn"}`: signs in whoever presents a token that the identity endpoint
    /// accepts. The audience is not looked at.
    pub fn rest_login(&mut self, token: &str, expires_in: u64, transport: &mut dyn Transport, now: u64) -> Login {
        let identity = match self.identity(token, transport) {
            Ok(identity) => identity,
            Err(message) => return Login::Refused(message),
        };
        let mut service = Map::new();
        service.insert("accessToken".into(), token.into());
        service.insert("expiresAt".into(), (now * 1000 + expires_in * 1000).into());
        for name in ["id", "email", "username", "name", self.config.roles_claim.as_str()] {
            if let Some(value) = identity.get(name) {
                service.insert(name.into(), value.clone());
            }
        }
        self.workspace.log_in(Profile::RestToken, &self.config, &service, None, now)
    }

    fn legacy_callback(&mut self, query: &BTreeMap<String, String>, transport: &mut dyn Transport, now: u64) -> CallbackAnswer {
        if let Some(error) = query.get("error").filter(|error| !error.is_empty()) {
            return CallbackAnswer::BackAtLogin { cause: format!("Error in OAuth Server: {error}") };
        }
        let raw = query.get("state").map_or("", String::as_str);
        let (token, style, redirect_url) = parse_state(raw);
        if style == LoginStyle::Redirect && !redirect_url.as_ref().is_some_and(|url| url.starts_with(&self.config.root_url)) {
            return CallbackAnswer::RootWithError;
        }
        let code = query.get("code").map(String::as_str);
        let result = self.exchange(code, query.get("state").map(String::as_str), None, transport, now);
        let secret = result.is_ok().then(|| self.entropy.string(43, SECRET));
        let landing = redirect_url.filter(|_| style == LoginStyle::Redirect);
        let pending = Pending { result, secret: secret.clone(), landing: landing.clone(), expires: now + PENDING_SECONDS };
        let storable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if storable {
            self.pending.insert(token.clone(), pending);
        }
        CallbackAnswer::Credential { token, secret, redirect_url: landing }
    }

    fn modern_callback(&mut self, browser: &str, query: &BTreeMap<String, String>, transport: &mut dyn Transport, now: u64) -> CallbackAnswer {
        if let Some(error) = query.get("error").filter(|error| !error.is_empty()) {
            return modern_error(error);
        }
        let Some(code) = query.get("code").filter(|code| !code.is_empty()).cloned() else {
            return match self.start(browser, "", now) {
                Ok(start) => CallbackAnswer::Restart(Box::new(start)),
                Err(error) => CallbackAnswer::BackAtLogin { cause: format!("{error:?}") },
            };
        };
        // The slot is emptied before the states are compared: a wrong answer spends it.
        let session = self.sessions.remove(&(browser.to_owned(), start::modern_slot(&self.config)));
        let Some(session) = session.filter(|session| session.expires > now && Some(&session.state) == query.get("state")) else {
            return CallbackAnswer::BackAtLogin { cause: "state does not match the session".into() };
        };
        match self.exchange(Some(&code), None, Some(&session.verifier), transport, now) {
            Err(cause) => CallbackAnswer::ErrorPage { status: 500, cause },
            Ok(service) => {
                let code = self.entropy.string(64, HEX);
                let popup = matches!(self.profile, Profile::Modern(LoginStyle::Popup));
                let site = url::Url::parse(&self.config.root_url).ok();
                // A path prefix of the site is lost here, as it is there.
                let home = site.and_then(|site| site.join("/home").ok()).map(String::from).unwrap_or_default();
                CallbackAnswer::LoginCode { location: (!popup).then(|| format!("{home}?loginCode={code}")), code, service }
            }
        }
    }

    /// Token request, identity request, and the service data that results.
    fn exchange(
        &mut self,
        code: Option<&str>,
        state: Option<&str>,
        verifier: Option<&str>,
        transport: &mut dyn Transport,
        now: u64,
    ) -> Result<Map<String, Value>, String> {
        let request = exchange::token_request(self.profile, &self.config, code, state, verifier);
        let url = request.url.clone();
        let response = exchange::fetch(self.profile, request, transport, &mut self.exchanges)
            .map_err(|error| format!("Failed to complete OAuth handshake with {} at {url}. {error}", self.config.key()))?;
        let tokens = exchange::read_token(self.profile, &self.config, &response)?;
        let access_token = tokens.get("access_token").map_or_else(|| "undefined".into(), js_string);
        let identity = self.identity(&access_token, transport)?;
        Ok(service_data(self.profile, &self.config, &tokens, identity, now))
    }

    fn identity(&mut self, token: &str, transport: &mut dyn Transport) -> Result<Map<String, Value>, String> {
        let request = exchange::identity_request(self.profile, &self.config, token);
        let url = request.url.split('?').next().unwrap_or("").to_owned();
        let response = exchange::fetch(self.profile, request, transport, &mut self.exchanges)
            .map_err(|error| format!("Failed to fetch identity from {} at {url}. {error}", self.config.key()))?;
        let identity = exchange::read_identity(self.profile, &self.config, &response)?;
        normalize_identity(&self.config, identity)
    }
}

/// The members of the token answer that are kept, overlaid by the identity (which can override even `accessToken`).
fn service_data(profile: Profile, config: &Config, tokens: &Map<String, Value>, identity: Map<String, Value>, now: u64) -> Map<String, Value> {
    let mut data = Map::new();
    let mut keep = |name: &str, value: Option<&Value>| {
        if let Some(value) = value {
            data.insert(name.into(), value.clone());
        }
    };
    keep("serverURL", Some(&config.url.clone().into()));
    keep("accessToken", tokens.get("access_token"));
    keep("refreshToken", tokens.get("refresh_token"));
    if profile.generation() == Generation::Legacy {
        keep("_OAuthCustom", Some(&profile.is_custom().into()));
        keep("idToken", tokens.get("id_token"));
        let seconds = tokens.get("expires_in").and_then(Value::as_u64);
        keep("expiresAt", seconds.map(|seconds| Value::from((now + seconds) * 1000)).as_ref());
    }
    data.extend(identity);
    if profile.generation() == Generation::Modern {
        let listed = data.get("emails").and_then(|emails| emails.get(0)?.get("value")).filter(|value| truthy(value)).cloned();
        let shown = data.get("displayName").filter(|value| truthy(value)).cloned();
        data.extend([("email", listed), ("name", shown)].into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    data
}

fn modern_error(error: &str) -> CallbackAnswer {
    let status = match error {
        "access_denied" => return CallbackAnswer::BackAtLogin { cause: "access_denied".into() },
        "server_error" => 502,
        "temporarily_unavailable" => 503,
        _ => 500,
    };
    CallbackAnswer::ErrorPage { status, cause: format!("AuthorizationError: {error}") }
}

/// Credential token, style and redirect URL; a state that is no base64 of JSON is taken for the credential token itself.
fn parse_state(raw: &str) -> (String, LoginStyle, Option<String>) {
    let Some(state) = decode_base64(raw).and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok()) else {
        return (raw.to_owned(), LoginStyle::Popup, None);
    };
    let member = |name: &str| state.get(name).and_then(Value::as_str).map(str::to_owned);
    let style = if member("loginStyle").as_deref() == Some("redirect") { LoginStyle::Redirect } else { LoginStyle::Popup };
    (member("credentialToken").unwrap_or_default(), style, member("redirectUrl"))
}

/// As Node's `Buffer.from(text, 'base64')`: both alphabets, padding or not.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard = text.replace('-', "+").replace('_', "/");
    GeneralPurpose::new(&alphabet::STANDARD, config).decode(standard).ok()
}
