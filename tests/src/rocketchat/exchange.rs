//! Token and identity requests, byte for byte as node-fetch 2 (legacy) and node-oauth (modern) send them, and how Rocket.Chat judges the
//! answers. `tests/rocketchat-oracle` prints what the real packages send.

use serde_json::{Map, Value};
use url::Url;

use super::config::{Config, Generation, Profile, SentVia};
use crate::browser::Hop;
use crate::http::{FORM, HttpError, Request, Response, encode_uri_component, form_decode, form_encode};

/// What carries a request to the authorization server.
pub trait Transport {
    /// Sends one request and reads one answer; follows nothing.
    ///
    /// # Errors
    /// [`HttpError`] when there is no answer.
    fn send(&mut self, request: &Request) -> Result<Response, HttpError>;
}

/// A plain TCP connection for each request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wire;

impl Transport for Wire {
    fn send(&mut self, request: &Request) -> Result<Response, HttpError> {
        request.send()
    }
}

impl<F: FnMut(&Request) -> Result<Response, HttpError>> Transport for F {
    fn send(&mut self, request: &Request) -> Result<Response, HttpError> {
        self(request)
    }
}

/// The token request of a profile. `verifier` is the modern session's; a missing `code` or `state` becomes JavaScript's `undefined`.
pub fn token_request(profile: Profile, config: &Config, code: Option<&str>, state: Option<&str>, verifier: Option<&str>) -> Request {
    let code = code.unwrap_or("undefined");
    match profile.generation() {
        Generation::Legacy => legacy_token_request(config, code, state.unwrap_or("undefined")),
        Generation::Modern => modern_token_request(config, code, verifier.unwrap_or("")),
    }
}

/// The identity request of a profile.
pub fn identity_request(profile: Profile, config: &Config, token: &str) -> Request {
    match profile.generation() {
        Generation::Legacy => legacy_identity_request(config, token),
        Generation::Modern => modern_identity_request(config, token),
    }
}

/// Sends a request by the rules of the profile's HTTP library and records every hop: node-fetch follows redirects, node-oauth does not.
///
/// # Errors
/// [`HttpError`] when a hop has no answer or there are more than 20.
pub fn fetch(profile: Profile, request: Request, transport: &mut dyn Transport, hops: &mut Vec<Hop>) -> Result<Response, HttpError> {
    let mut request = request;
    for _ in 0..=20 {
        let response = transport.send(&request)?;
        hops.push(Hop { request: request.clone(), response: response.clone() });
        let redirect = matches!(response.status, 301..=303 | 307 | 308) && profile.generation() == Generation::Legacy;
        let Some(location) = response.location().filter(|_| redirect) else { return Ok(response) };
        let target = Url::parse(&request.url).and_then(|base| base.join(location));
        let target = target.map_err(|error| HttpError::Malformed(format!("Location {location:?}: {error}")))?;
        let lost_post = matches!(response.status, 301 | 302) && request.method == "POST";
        if response.status == 303 || lost_post {
            request.method = "GET".into();
            request.body.clear();
            drop_header(&mut request, "content-length");
        }
        let before = Url::parse(&request.url).ok().and_then(|url| url.host_str().map(str::to_owned));
        if before.as_deref() != target.host_str() {
            drop_header(&mut request, "authorization");
        }
        drop_header(&mut request, "host");
        drop_header(&mut request, "connection");
        request.url = target.to_string();
        request = finish_legacy(request);
    }
    Err(HttpError::Malformed("maximum redirect reached".into()))
}

/// Judges the answer of the token endpoint; the members that Rocket.Chat keeps.
///
/// # Errors
/// The message that the administrator finds in the log (legacy) or the cause of the error page (modern).
pub fn read_token(profile: Profile, config: &Config, response: &Response) -> Result<Map<String, Value>, String> {
    match profile.generation() {
        Generation::Legacy => read_legacy_token(config, response),
        Generation::Modern => read_modern_token(response),
    }
}

/// Judges the answer of the identity endpoint.
///
/// # Errors
/// As [`read_token`].
pub fn read_identity(profile: Profile, config: &Config, response: &Response) -> Result<Map<String, Value>, String> {
    let prefix = format!("Failed to fetch identity from {} at {}.", config.key(), config.identity_url());
    let accepted = match profile.generation() {
        Generation::Legacy => response.is_success(),
        Generation::Modern => response.status == 200,
    };
    if !accepted {
        return Err(format!("{prefix} {}", response.reason));
    }
    match serde_json::from_slice(&response.body) {
        Ok(Value::Object(identity)) => Ok(identity),
        Ok(other) => Err(format!("{prefix} not an object: {other}")),
        Err(error) => Err(format!("{prefix} {error}")),
    }
}

fn legacy_token_request(config: &Config, code: &str, state: &str) -> Request {
    let redirect_uri = config.token_redirect_uri();
    let mut body = vec![("code", code), ("redirect_uri", redirect_uri.as_str()), ("grant_type", "authorization_code"), ("state", state)];
    let mut request = Request::post(&config.token_url(Generation::Legacy)).header("Content-Type", FORM);
    request = legacy_agent(request, config);
    if config.token_sent_via == SentVia::Header {
        request = request.basic_raw(&config.id, &config.secret);
    } else {
        body.extend([("client_secret", config.secret.as_str()), ("client_id", config.id.as_str())]);
    }
    let body = form_encode(&body);
    let length = body.len().to_string();
    finish_legacy(request.header("Content-Length", length).body(body))
}

fn legacy_identity_request(config: &Config, token: &str) -> Request {
    let url = config.identity_url();
    if config.identity_via() == SentVia::Header {
        return finish_legacy(legacy_agent(Request::get(&url), config).bearer(token));
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}{}", form_encode(&[(&config.access_token_param, token)]));
    finish_legacy(legacy_agent(Request::get(&url), config))
}

fn legacy_agent(request: Request, config: &Config) -> Request {
    request.header("User-Agent", format!("Meteor/{}", config.release)).header("Accept", "application/json")
}

/// What node-fetch and Node's `http` add behind the caller's headers.
fn finish_legacy(mut request: Request) -> Request {
    drop_header(&mut request, "accept-encoding");
    let host = request.authority().to_owned();
    request.header("Accept-Encoding", "gzip,deflate").header("Host", host).header("Connection", "keep-alive")
}

fn modern_token_request(config: &Config, code: &str, verifier: &str) -> Request {
    let pairs = [
        ("grant_type", "authorization_code"),
        ("redirect_uri", &config.token_redirect_uri()),
        ("code_verifier", verifier),
        ("client_id", &config.id),
        ("client_secret", &config.secret),
        ("code", code),
    ];
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encode_uri_component(value))).collect();
    let body = pairs.join("&");
    let request = Request::post(&config.token_url(Generation::Modern));
    let host = request.authority().to_owned();
    request
        .header("Content-Type", FORM)
        .header("Host", host)
        .header("User-Agent", "Node-oauth")
        .header("Content-Length", body.len().to_string())
        .header("Connection", "keep-alive")
        .body(body)
}

fn modern_identity_request(config: &Config, token: &str) -> Request {
    let url = config.identity_url();
    let (base, query) = url.split_once('?').unwrap_or((&url, ""));
    let mut pairs = form_decode(query.as_bytes());
    let header = config.identity_via() == SentVia::Header;
    if !header {
        pairs.push((config.access_token_param.clone(), token.to_owned()));
    }
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode_uri_component(name), encode_uri_component(value))).collect();
    let url = if query.is_empty() { base.to_owned() } else { format!("{base}?{}", query.join("&")) };
    let mut request = Request::get(&url);
    let host = request.authority().to_owned();
    if header {
        request = request.bearer(token);
    }
    // The lower-case l is node-oauth's.
    request.header("Host", host).header("User-Agent", "Node-oauth").header("Content-length", "0").header("Connection", "keep-alive")
}

fn read_legacy_token(config: &Config, response: &Response) -> Result<Map<String, Value>, String> {
    let prefix = format!("Failed to complete OAuth handshake with {} at {}.", config.key(), config.token_url(Generation::Legacy));
    if !response.is_success() {
        // The body is not read: the reason phrase is all that anybody sees.
        return Err(format!("{prefix} {}", response.reason));
    }
    let answer: Value = serde_json::from_slice(&response.body).map_err(|error| format!("{prefix} {error}"))?;
    match answer {
        Value::Object(answer) if !answer.get("error").is_some_and(super::normalize::truthy) => Ok(answer),
        Value::Object(answer) => Err(format!("{prefix} {}", super::normalize::js_string(&answer["error"]))),
        other => Err(format!("{prefix} not an object: {other}")),
    }
}

fn read_modern_token(response: &Response) -> Result<Map<String, Value>, String> {
    let json: Option<Map<String, Value>> = serde_json::from_slice(&response.body).ok();
    if !response.is_success() && !matches!(response.status, 301 | 302) {
        let error = json.as_ref().and_then(|json| json.get("error")?.as_str());
        return Err(match error {
            Some(error) => {
                let description = json.as_ref().and_then(|json| json.get("error_description")?.as_str()).unwrap_or("");
                format!("TokenError: {error}: {description}")
            }
            None => format!("InternalOAuthError: Failed to obtain access token ({})", response.status),
        });
    }
    let pairs = || form_decode(&response.body).into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    let answer: Map<String, Value> = json.unwrap_or_else(pairs);
    match answer.get("access_token") {
        Some(token) if super::normalize::truthy(token) => Ok(answer),
        _ => Err("Failed to obtain access token".into()),
    }
}

fn drop_header(request: &mut Request, name: &str) {
    request.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
}
