//! How each profile asks for authorization: the exact URL that the browser is sent to.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::config::{Config, Generation, LoginStyle, Profile};
use super::entropy::{ALPHANUMERIC, Entropy, SECRET};
use crate::http::{encode_uri_component, form_decode};

/// The modern flow's cookie session dies this many seconds after its start, however long the person needs.
pub const SESSION_SECONDS: u64 = 300;

/// A flow that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Where the browser goes.
    pub url: String,
    /// `state` as the server should see it after decoding.
    pub state: String,
    /// Legacy: the name under which the result will be stored.
    pub credential_token: Option<String>,
    /// Modern: what the cookie session keeps.
    pub session: Option<ModernSession>,
    /// The web view shares no cookie with anything: use an empty jar.
    pub incognito: bool,
}

/// One slot of the modern cookie session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModernSession {
    /// `oauth2:<host of the authorize URL>`: a second tab overwrites the first.
    pub slot: String,
    /// Expected `state`.
    pub state: String,
    /// PKCE verifier.
    pub verifier: String,
    /// Second of death.
    pub expires: u64,
}

/// Why there is nothing to click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartError {
    /// 9.0 and later without a licence hide the button.
    NoButton,
    /// The profile has no authorize request.
    NoBrowser,
}

/// Begins a flow from the page `here` at second `now`.
///
/// # Errors
/// [`StartError`] when the profile shows no button.
pub fn start(profile: Profile, config: &Config, entropy: &mut Entropy, here: &str, now: u64) -> Result<Start, StartError> {
    if config.is_gated(profile) {
        return Err(StartError::NoButton);
    }
    match profile {
        Profile::RestToken => Err(StartError::NoBrowser),
        Profile::LegacyWeb(style) => Ok(legacy_web(config, profile, style, entropy, here)),
        Profile::Gitlab(Generation::Legacy) => Ok(legacy_web(config, profile, LoginStyle::Popup, entropy, here)),
        Profile::LegacyMobile => Ok(legacy_mobile(config, entropy)),
        Profile::Modern(_) | Profile::Gitlab(Generation::Modern) => Ok(modern(config, profile, entropy, now)),
    }
}

/// The state object as `JSON.stringify` writes it, keys in Meteor's order.
pub fn state_json(style: LoginStyle, credential_token: &str, is_cordova: bool, redirect_url: Option<&str>) -> String {
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let mut json = format!(r#"{{"loginStyle":{},"credentialToken":{},"isCordova":{is_cordova}"#, quote(style.as_str()), quote(credential_token));
    if let Some(url) = redirect_url {
        json = format!(r#"{json},"redirectUrl":{}"#, quote(url));
    }
    json.push('}');
    json
}

/// The modern authorize URL for this state and verifier.
pub fn modern_url(config: &Config, profile: Profile, state: &str, verifier: &str) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let endpoint = config.authorize_url(Generation::Modern);
    let (base, query) = endpoint.split_once('?').unwrap_or((&endpoint, ""));
    let redirect_uri = config.redirect_uri(profile);
    let mut pairs = form_decode(query.as_bytes());
    for (name, value) in [
        ("response_type", "code"),
        ("redirect_uri", redirect_uri.as_str()),
        ("scope", config.scope.as_str()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("state", state),
        ("client_id", config.id.as_str()),
    ] {
        // The strategy merges into one object: a name that the path already had keeps its place and loses its value.
        match pairs.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => pairs.push((name.to_owned(), value.to_owned())),
        }
    }
    let encoded = pairs.iter().map(|(name, value)| format!("{}={}", encode_uri_component(name), encode_uri_component(value)));
    format!("{base}?{}", encoded.collect::<Vec<_>>().join("&"))
}

/// The name of the session slot: the host alone, so that all tabs share one.
pub fn modern_slot(config: &Config) -> String {
    let endpoint = url::Url::parse(&config.authorize_url(Generation::Modern)).ok();
    let host = endpoint.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    format!("oauth2:{host}")
}

fn legacy_web(config: &Config, profile: Profile, style: LoginStyle, entropy: &mut Entropy, here: &str) -> Start {
    let token = entropy.string(43, SECRET);
    let json = state_json(style, &token, false, (style == LoginStyle::Redirect).then_some(here));
    let state = STANDARD.encode(json);
    let url = legacy_url(config, profile, &encode_uri_component(&state));
    Start { url, state, credential_token: Some(token), session: None, incognito: false }
}

fn legacy_mobile(config: &Config, entropy: &mut Entropy) -> Start {
    let token = entropy.string(43, ALPHANUMERIC);
    // URL-safe without padding, so the app does not percent-encode it.
    let state = URL_SAFE_NO_PAD.encode(state_json(LoginStyle::Popup, &token, true, None));
    let url = legacy_url(config, Profile::LegacyMobile, &state);
    Start { url, state, credential_token: Some(token), session: None, incognito: true }
}

fn legacy_url(config: &Config, profile: Profile, encoded_state: &str) -> String {
    let separator = if config.authorize_path.contains('?') { '&' } else { '?' };
    format!(
        "{}{separator}client_id={}&redirect_uri={}&response_type=code&state={encoded_state}&scope={}",
        config.authorize_url(Generation::Legacy),
        config.id,
        encode_uri_component(&config.redirect_uri(profile)),
        encode_uri_component(&config.scope),
    )
}

fn modern(config: &Config, profile: Profile, entropy: &mut Entropy, now: u64) -> Start {
    let verifier = URL_SAFE_NO_PAD.encode(entropy.bytes(32));
    let state = entropy.string(24, ALPHANUMERIC);
    let url = modern_url(config, profile, &state, &verifier);
    let slot = modern_slot(config);
    let session = ModernSession { slot, state: state.clone(), verifier, expires: now + SESSION_SECONDS };
    Start { url, state, credential_token: None, session: Some(session), incognito: false }
}
