//! What a browser sees: the sign-in page with its headers and cookies, and the way to a code.

use super::Examination;
use super::records::{Records, Refused, is_reference, reference_of};
use crate::failure::Failure;
use openidconnect::http::{self, Request};
use openidconnect::url::Url;
use propusk_crypto::{Random, Secret, SystemRandom};
use propusk_domain::client::RegisteredClient;
use propusk_domain::rocketchat::lint::{Finding, Severity};
use propusk_server::outbound::{Answer, Outbound, Unanswered};
use propusk_server::trace::TRIAL;
use std::fmt::Write as _;

/// Characters of an answer that are repeated.
const QUOTED: usize = 200;

/// This server at its public address.
pub(super) struct Site<'a> {
    pub(super) outbound: &'a Outbound,
    pub(super) issuer: &'a str,
    /// `name=value` of the trial's session.
    pub(super) cookie: Secret,
    /// What this server has recorded of its refusals.
    pub(super) records: Records<'a>,
    /// Keeps what is looked at out of the trace of sign-ins.
    pub(super) mark: String,
}

impl Site<'_> {
    /// Whether anybody answers there at all.
    pub(super) fn answers(&self) -> Result<(), Failure> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer);
        self.get(&url, &[]).map(drop).map_err(|error| {
            Failure::Unreachable(format!(
                "this server does not answer at its public address {}: {error}. Is it running, does the name resolve here, does the proxy reach it?",
                self.issuer
            ))
        })
    }

    pub(super) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, Unanswered> {
        self.send(Request::get(url), headers, Vec::new())
    }

    pub(super) fn post(&self, url: &str, headers: &[(&str, &str)], body: String) -> Result<Answer, Unanswered> {
        let headers: Vec<(&str, &str)> = [("content-type", "application/x-www-form-urlencoded")].into_iter().chain(headers.iter().copied()).collect();
        self.send(Request::post(url), &headers, body.into_bytes())
    }

    fn send(&self, mut request: http::request::Builder, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer, Unanswered> {
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).map_err(|error| Unanswered::Unreachable(format!("not a request: {error}")))?;
        self.outbound.send(request)
    }

    /// Goes to an authorization URL as the signed-in person; the code of the redirect, or what is in the way.
    pub(super) fn authorize(&self, url: &str, redirect_uri: &str, state: &str) -> Result<String, Finding> {
        let answer = self
            .get(url, &[("cookie", self.cookie.expose()), ("accept", "text/html"), (TRIAL, &self.mark)])
            .map_err(|error| unanswered("authorize", &error))?;
        let Some(location) = answer.header("location").filter(|_| (300..400).contains(&answer.status)) else {
            return Err(self.no_redirect(&answer));
        };
        let params = query(location);
        let member = |name: &str| params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        if location.contains("/login?") && !location.starts_with(redirect_uri) {
            let explanation = "The session of the trial was not recognised: its cookie was lost on the way, or another installation answers at the public \
                               address.";
            return Err(Finding::new(
                "session_lost",
                Severity::Error,
                explanation,
                "let the proxy pass cookies, and the address lead to this installation",
            ));
        }
        if !location.starts_with(redirect_uri) {
            let explanation = "The authorization endpoint redirects to somewhere else: a proxy adds or changes a redirect.";
            let fix = "let the proxy pass the path as it is";
            return Err(Finding::new("authorize_redirected", Severity::Error, explanation, fix).found(clipped(location)).expected(redirect_uri));
        }
        if let Some(error) = member("error") {
            let description = member("error_description").unwrap_or_default();
            let refused = Refused::new("authorize_refused", "The authorization request was refused.", reference_of(description));
            return Err(self.records.explained(refused).found(format!("{error}: {}", clipped(description))));
        }
        if member("state") != Some(state) {
            let explanation = "The state did not come back byte for byte, so the chat or the application gives up.";
            let fix = "let the proxy pass the query string as it is";
            return Err(Finding::new("state_changed", Severity::Error, explanation, fix).found(member("state").unwrap_or_default()).expected(state));
        }
        member("code").map(str::to_owned).ok_or_else(|| self.no_redirect(&answer))
    }

    fn no_redirect(&self, answer: &Answer) -> Finding {
        let page = String::from_utf8_lossy(&answer.body);
        let explanation =
            "The authorization endpoint shows a page instead of going back with a code, though the person is signed in and has consented.";
        let refused = Refused::new("authorize_page", explanation, reference_of(&page));
        self.records.explained(refused).found(format!("{} {}", answer.status, clipped(&words(&page))))
    }

    /// The JSON of a successful answer, or what is in the way.
    pub(super) fn json_of(&self, what: What, answer: &Answer) -> Result<serde_json::Value, Finding> {
        let path = what.name();
        if (300..400).contains(&answer.status) {
            let explanation =
                format!("The {path} endpoint redirects: Rocket.Chat turns the request into a GET, or takes the redirect for the answer.");
            let found = answer.header("location").unwrap_or_default();
            let fix = "let the proxy pass the path as it is: no slash, no other host";
            return Err(Finding::new(what.redirected(), Severity::Error, explanation, fix).found(found));
        }
        let Some(json) = answer.json().filter(serde_json::Value::is_object) else {
            let explanation = format!("The {path} endpoint answers something that is no JSON: a proxy answers instead of this server.");
            let fix = format!("let the proxy pass the {path} endpoint to this server");
            let found = format!("{} {}", answer.status, clipped(&String::from_utf8_lossy(&answer.body)));
            return Err(Finding::new(what.not_json(), Severity::Error, explanation, fix).found(found));
        };
        if answer.status != 200 {
            return Err(self.refused(what.refused(), &format!("The {path} request was refused."), answer.status, &json));
        }
        Ok(json)
    }

    /// A refusal of this server, in JSON.
    pub(super) fn refused(&self, slug: &'static str, explanation: &str, status: u16, json: &serde_json::Value) -> Finding {
        let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        let reference = Some(text("error_reference")).filter(|text| is_reference(text)).map(str::to_owned);
        let found = format!("{status} {}: {}", text("error"), clipped(text("error_description")));
        self.records.explained(Refused::new(slug, explanation, reference)).found(found)
    }
}

/// The sign-in page as a stranger gets it.
pub(super) fn look_at_pages(site: &Site<'_>, client: &RegisteredClient, examination: &mut Examination) {
    let Some(redirect_uri) = client.client.settings.redirect_uris.first() else { return };
    let mut url = authorize_url(
        site.issuer,
        &[("client_id", client.id()), ("redirect_uri", redirect_uri), ("response_type", "code"), ("scope", "openid"), ("state", "s")],
    );
    if client.client.settings.require_pkce {
        url += "&code_challenge_method=S256&code_challenge=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    }
    let mut jar: Vec<String> = Vec::new();
    for _ in 0..5 {
        let cookies = jar.join("; ");
        let answer = match site.get(&url, &[("accept", "text/html"), ("cookie", &cookies), (TRIAL, &site.mark)]) {
            Ok(answer) => answer,
            Err(error) => return examination.find(unanswered("authorize", &error)),
        };
        headers(&answer, &url, site.issuer, examination);
        jar.extend(answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()?.split(';').next().map(str::to_owned)));
        let next = answer.header("location").filter(|_| (300..400).contains(&answer.status));
        match next {
            Some(next) if next.starts_with(redirect_uri.as_str()) => return,
            Some(next) if next.starts_with('/') => url = format!("{}{next}", origin(site.issuer)),
            Some(next) => next.clone_into(&mut url),
            None => {
                if answer.status == 200 && jar.is_empty() {
                    let explanation = "The sign-in page sets no cookie, or it is lost on the way: every sign-in begins again.";
                    examination.find(Finding::new("cookie_missing", Severity::Error, explanation, "let the proxy pass Set-Cookie"));
                }
                let status = answer.status;
                if status >= 500 || (status != 200 && url.split('?').next().is_some_and(|page| page.ends_with("/login"))) {
                    let explanation = "The sign-in page does not come through the public address: nobody can sign in.";
                    let refused = Refused::new("page_refused", explanation, reference_of(&String::from_utf8_lossy(&answer.body)));
                    examination.failed("page", "page_refused");
                    return examination.find(site.records.explained(refused).found(format!("{status} {}", clipped(&url))));
                }
                examination.did("page", format!("the sign-in page answers {status}"), format!("страница входа отвечает {status}"));
                return;
            }
        }
    }
    let explanation = "The way to the sign-in page never ends: a proxy redirects in a circle, usually between http and https.";
    examination.find(Finding::new(
        "redirect_loop",
        Severity::Error,
        explanation,
        "let the proxy send X-Forwarded-Proto, and redirect to https only once",
    ));
}

/// Headers that cut the chat's window off, and cookies that a browser would not keep.
fn headers(answer: &Answer, url: &str, issuer: &str, examination: &mut Examination) {
    if let Some(policy) = answer.header("cross-origin-opener-policy").filter(|policy| *policy != "unsafe-none") {
        let explanation = "Cross-Origin-Opener-Policy cuts the sign-in window off the chat that opened it: the chat believes that it was closed.";
        examination
            .find(Finding::new("opener_policy", Severity::Error, explanation, "let the proxy send no Cross-Origin-Opener-Policy").found(policy));
    }
    let policies = answer.headers.get_all("content-security-policy").iter().filter_map(|value| value.to_str().ok());
    for policy in policies {
        if policy.contains("form-action") {
            let explanation =
                "form-action in the Content-Security-Policy holds for every redirect after the form: Chromium stops on the way back to the chat.";
            examination.find(Finding::new("form_action", Severity::Error, explanation, "let the proxy add no form-action").found(policy));
        }
        if policy.split([';', ',']).any(|part| part.trim_start().to_ascii_lowercase().starts_with("sandbox")) {
            let explanation = "sandbox in the Content-Security-Policy cuts the sign-in page off its cookies, its form and the window that opened it.";
            examination.find(Finding::new("sandboxed", Severity::Error, explanation, "let the proxy add no sandbox").found(policy));
        }
    }
    for cookie in answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()) {
        let name = cookie.split('=').next().unwrap_or_default();
        let Some((reason, russian)) = lost(cookie, url, issuer) else { continue };
        let explanation = format!("A browser would lose the cookie {name}: {reason}. Every sign-in begins again.");
        let fix = "let the proxy pass Set-Cookie as it is, and set issuer to the public address";
        let explanation_in_russian = format!("Браузер потеряет cookie {name}: {russian}. Каждый вход начнётся заново.");
        let fix_in_russian = "пусть прокси не меняет Set-Cookie; issuer должен быть публичным адресом";
        let finding = Finding::new("cookie_lost", Severity::Error, explanation, fix).in_russian(explanation_in_russian, fix_in_russian);
        examination.find(finding.found(attributes(cookie)));
    }
}

/// Why a browser would not send this cookie again where it is needed, in both languages.
fn lost(cookie: &str, url: &str, issuer: &str) -> Option<(String, String)> {
    let lower = cookie.to_lowercase();
    let name = cookie.split('=').next().unwrap_or_default();
    let has = |attribute: &str| lower.split(';').any(|part| part.trim() == attribute);
    let value = |attribute: &str| {
        cookie.split(';').skip(1).filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case(attribute))
    };
    let value = |attribute: &str| value(attribute).map(|(_, value)| value.trim()).filter(|value| !value.is_empty());
    let say = |english: &str, russian: &str| Some((english.to_owned(), russian.to_owned()));
    if has("secure") && !issuer.starts_with("https://") {
        return say("it is for https only, and the address is plain http", "он только для https, а адрес — http");
    }
    if has("samesite=strict") {
        return say("it does not come along when the chat sends somebody here", "он не приходит, когда человека присылает чат");
    }
    if has("samesite=none") && !has("secure") {
        return say("SameSite=None needs Secure", "SameSite=None требует Secure");
    }
    if name.starts_with("__Host-") && value("domain").is_some() {
        return say("a __Host- cookie must name no domain", "cookie с __Host- не должен называть домен");
    }
    // What a balancer sets for itself may be for whatever path it likes.
    if !name.contains("propusk") {
        return None;
    }
    let address = Url::parse(url).ok()?;
    let host = address.host_str()?.to_owned();
    if let Some(domain) = value("domain").map(|domain| domain.trim_start_matches('.').to_lowercase())
        && host != domain
        && !host.ends_with(&format!(".{domain}"))
    {
        return Some((format!("it is for {domain}, and the address is {host}"), format!("он для {domain}, а адрес — {host}")));
    }
    // Without the attribute it is the directory of the page (RFC 6265 §5.1.4).
    let default = address.path().rsplit_once('/').map_or("/", |(directory, _)| if directory.is_empty() { "/" } else { directory });
    let path = value("path").filter(|path| path.starts_with('/')).unwrap_or(default);
    let base = Url::parse(issuer).ok()?.path().trim_end_matches('/').to_owned();
    let covers = |page: &str| page == path || page.strip_prefix(path).is_some_and(|rest| path.ends_with('/') || rest.starts_with('/'));
    if ["/oauth/authorize", "/login", "/consent", "/account"].iter().all(|page| covers(&format!("{base}{page}"))) {
        return None;
    }
    Some((format!("it is for {path} alone, and the other pages come without it"), format!("он только для {path}, остальные страницы его не получат")))
}

/// A cookie without its value.
fn attributes(cookie: &str) -> String {
    let (name, rest) = cookie.split_once('=').unwrap_or((cookie, ""));
    let attributes = rest.split_once(';').map_or("", |(_, attributes)| attributes);
    format!("{name}=…;{attributes}")
}

/// Which endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Token,
    Identity,
}

impl What {
    const fn name(self) -> &'static str {
        if matches!(self, Self::Token) { "token" } else { "identity" }
    }

    const fn redirected(self) -> &'static str {
        if matches!(self, Self::Token) { "token_redirected" } else { "identity_redirected" }
    }

    const fn not_json(self) -> &'static str {
        if matches!(self, Self::Token) { "token_not_json" } else { "identity_not_json" }
    }

    const fn refused(self) -> &'static str {
        if matches!(self, Self::Token) { "token_refused" } else { "identity_refused" }
    }
}

pub(super) fn unanswered(what: &str, error: &Unanswered) -> Finding {
    let explanation = format!("The {what} endpoint gives no answer through the public address.");
    Finding::new("no_answer", Severity::Error, explanation, "look at the proxy's log for this path").found(error.to_string())
}

/// Percent-encodes what JavaScript's `encodeURIComponent` does.
pub(super) fn component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

pub(super) fn authorize_url(issuer: &str, pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", component(value))).collect();
    format!("{issuer}/oauth/authorize?{}", pairs.join("&"))
}

/// `length` letters and digits.
pub(super) fn letters(length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789AB";
    let mut bytes = vec![0; length];
    SystemRandom.fill(&mut bytes);
    bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63))).map(|letter| char::from(*letter)).collect()
}

fn query(location: &str) -> Vec<(String, String)> {
    let query = location.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    openidconnect::url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn origin(issuer: &str) -> String {
    Url::parse(issuer).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// The text of a page without its tags.
fn words(html: &str) -> String {
    let body = html.split_once("<main").map_or(html, |(_, main)| main);
    let mut text = String::new();
    let mut inside = true;
    for letter in body.chars() {
        match letter {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            letter if !inside => text.push(letter),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn clipped(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}
