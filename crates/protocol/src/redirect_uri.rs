//! Redirect URIs: what may be registered, what matches, and where the response parameters go
//! (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §4.1).

use std::fmt;

use url::Url;

use crate::distance::{common_prefix, distance};
use crate::form;
use crate::limits;

/// Schemes that run code, read local data or lead nowhere an answer could be received.
const FORBIDDEN_SCHEMES: &[&str] = &[
    "about",
    "blob",
    "chrome",
    "content",
    "data",
    "file",
    "filesystem",
    "ftp",
    "intent",
    "jar",
    "javascript",
    "mailto",
    "sms",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// How many registered values [`nearest`] looks at.
const NEAREST_CANDIDATES: usize = 64;

/// Why a redirect URI cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedirectUriProblem {
    /// Nothing there.
    Empty,
    /// Over 2048 bytes.
    TooLong,
    /// No scheme, or no host behind it.
    NotAbsolute,
    /// A character beyond ASCII.
    NotAscii,
    /// A control character, white space, a backslash or another character that URIs do not have.
    BadCharacter,
    /// A fragment (RFC 6749 §3.1.2).
    Fragment,
    /// A user name or password before the host.
    Userinfo,
    /// A `.` or `..` segment, plain or as `%2e`: browsers resolve it, so the answer would go elsewhere.
    DotSegments,
    /// A host that is malformed, has a wildcard, or that browsers rewrite (`0x7f.1`).
    BadHost,
    /// Plain http to a host that is not loopback.
    InsecureHttp,
    /// `javascript:`, `data:`, `file:` and their like.
    ForbiddenScheme,
    /// A private-use scheme for a client that is not native.
    PrivateSchemeNotNative,
    /// A private-use scheme without a dot (RFC 8252 §7.1).
    PrivateSchemeWithoutDot,
}

impl RedirectUriProblem {
    /// A stable name for scripts.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::NotAbsolute => "not_absolute",
            Self::NotAscii => "not_ascii",
            Self::BadCharacter => "bad_character",
            Self::Fragment => "fragment",
            Self::Userinfo => "userinfo",
            Self::DotSegments => "dot_segments",
            Self::BadHost => "bad_host",
            Self::InsecureHttp => "insecure_http",
            Self::ForbiddenScheme => "forbidden_scheme",
            Self::PrivateSchemeNotNative => "private_scheme_not_native",
            Self::PrivateSchemeWithoutDot => "private_scheme_without_dot",
        }
    }
}

impl fmt::Display for RedirectUriProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "The URI is empty.",
            Self::TooLong => "The URI is longer than 2048 bytes.",
            Self::NotAbsolute => "The URI must be absolute: a scheme, a host and a path.",
            Self::NotAscii => "The URI may hold ASCII only; write the host in Punycode and escape the rest.",
            Self::BadCharacter => "The URI has a space, a backslash, a bad escape or another character that URIs do not have.",
            Self::Fragment => "The URI must not have a fragment.",
            Self::Userinfo => "The URI must not have a user name or password before its host.",
            Self::DotSegments => "The path of the URI must not have the segments . or .., escaped or not.",
            Self::BadHost => "The host of the URI is not a plain host name or IP address; wildcards are not possible.",
            Self::InsecureHttp => "Plain http is for loopback hosts only; use https.",
            Self::ForbiddenScheme => "The scheme of the URI can never receive an answer safely.",
            Self::PrivateSchemeNotNative => "A scheme of its own is for native clients only; use https.",
            Self::PrivateSchemeWithoutDot => "A scheme of an app's own must be a reversed domain name with a dot, such as com.example.app.",
        })
    }
}

impl std::error::Error for RedirectUriProblem {}

/// Whether `uri` may be registered for a client.
///
/// https for everyone; http on 127.0.0.1, `[::1]` and localhost, elsewhere only with `allow_http`; with `native` also a
/// private-use scheme with a dot (RFC 8252 §7.1).
pub fn check_registration(uri: &str, native: bool, allow_http: bool) -> Result<(), RedirectUriProblem> {
    check_characters(uri)?;
    let (scheme, rest) = uri.split_once(':').ok_or(RedirectUriProblem::NotAbsolute)?;
    if !is_scheme(scheme) {
        return Err(RedirectUriProblem::NotAbsolute);
    }
    let scheme = scheme.to_ascii_lowercase();
    if FORBIDDEN_SCHEMES.contains(&scheme.as_str()) {
        return Err(RedirectUriProblem::ForbiddenScheme);
    }
    check_parts(rest)?;
    if scheme != "https" && scheme != "http" {
        return check_private_scheme(&scheme, native, uri);
    }
    let host = check_host(uri, rest)?;
    if scheme == "http" && !allow_http && !is_loopback(&host) {
        return Err(RedirectUriProblem::InsecureHttp);
    }
    Ok(())
}

/// Whether `presented` is the URI that was `registered`: byte for byte.
///
/// For a native client the port of an http loopback URI is free and nothing else (RFC 8252 §7.3); the host has to be
/// the registered one, so `localhost` matches only where `localhost` was registered.
pub fn matches(registered: &str, presented: &str, native: bool) -> bool {
    if registered == presented {
        return true;
    }
    if !native {
        return false;
    }
    match (split_loopback(registered), split_loopback(presented)) {
        (Some(known), Some(came)) => known == came,
        _ => false,
    }
}

/// The registered value that is most like what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearest {
    /// The registered value.
    pub registered: String,
    /// Index, in characters, of the first character of the presented URI that differs; its length when it is a
    /// beginning of the registered one.
    pub first_difference: usize,
}

/// The nearest of the `registered` values by edit distance, the first of equals; `None` when nothing is registered.
/// Looks at 64 values and bounds the work for each, because strangers choose `presented`.
pub fn nearest(registered: &[String], presented: &str) -> Option<Nearest> {
    registered
        .iter()
        .take(NEAREST_CANDIDATES)
        .min_by_key(|candidate| distance(candidate, presented))
        .map(|candidate| Nearest { registered: candidate.clone(), first_difference: common_prefix(candidate, presented) })
}

/// Appends response parameters to a registered URI, whose own bytes, query included, stay as they are
/// (RFC 6749 §3.1.2).
pub fn with_params<K: AsRef<str>, V: AsRef<str>>(uri: &str, pairs: &[(K, V)]) -> String {
    if pairs.is_empty() {
        return uri.to_owned();
    }
    let joint = match uri.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{joint}{}", form::encode(pairs))
}

/// The origin of an http or https URI as browsers write it (`https://host[:port]`, default ports dropped);
/// `None` for anything else.
pub fn origin(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    Some(url.origin().ascii_serialization())
}

fn check_characters(uri: &str) -> Result<(), RedirectUriProblem> {
    if uri.is_empty() {
        return Err(RedirectUriProblem::Empty);
    }
    if uri.len() > limits::REDIRECT_URI {
        return Err(RedirectUriProblem::TooLong);
    }
    if !uri.is_ascii() {
        return Err(RedirectUriProblem::NotAscii);
    }
    if !uri.bytes().all(is_uri_byte) || !escapes_are_whole(uri) {
        return Err(RedirectUriProblem::BadCharacter);
    }
    Ok(())
}

/// What any hierarchical URI must not have. `rest` is what follows the scheme's colon.
fn check_parts(rest: &str) -> Result<(), RedirectUriProblem> {
    if rest.contains('#') {
        return Err(RedirectUriProblem::Fragment);
    }
    let before_query = rest.split('?').next().unwrap_or_default();
    let (authority, path) = split_authority(before_query);
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Err(RedirectUriProblem::Userinfo);
    }
    if path.split('/').any(is_dot_segment) {
        return Err(RedirectUriProblem::DotSegments);
    }
    Ok(())
}

/// The authority behind `//` and the path behind it.
fn split_authority(before_query: &str) -> (Option<&str>, &str) {
    let Some(rest) = before_query.strip_prefix("//") else {
        return (None, before_query);
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    (Some(authority), path)
}

fn check_private_scheme(scheme: &str, native: bool, uri: &str) -> Result<(), RedirectUriProblem> {
    if !native {
        return Err(RedirectUriProblem::PrivateSchemeNotNative);
    }
    if !scheme.contains('.') || scheme.ends_with('.') {
        return Err(RedirectUriProblem::PrivateSchemeWithoutDot);
    }
    Url::parse(uri).map(drop).map_err(|_| RedirectUriProblem::BadHost)
}

/// The host, which must be written as browsers would write it, case aside.
fn check_host(uri: &str, rest: &str) -> Result<String, RedirectUriProblem> {
    let before_query = rest.split('?').next().unwrap_or_default();
    let (Some(authority), _) = split_authority(before_query) else {
        return Err(RedirectUriProblem::NotAbsolute);
    };
    if authority.is_empty() {
        return Err(RedirectUriProblem::NotAbsolute);
    }
    let url = Url::parse(uri).map_err(|_| RedirectUriProblem::BadHost)?;
    let host = url.host_str().ok_or(RedirectUriProblem::NotAbsolute)?;
    let written = host_of(authority).to_ascii_lowercase();
    if written != host || host.contains('*') {
        return Err(RedirectUriProblem::BadHost);
    }
    Ok(written)
}

/// An authority without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "[::1]" | "localhost")
}

/// Host and rest of an http loopback URI, its port left out.
fn split_loopback(uri: &str) -> Option<(&str, &str)> {
    let after_scheme = uri.strip_prefix("http://")?;
    let end = after_scheme.find(['/', '?']).unwrap_or(after_scheme.len());
    let (authority, rest) = after_scheme.split_at(end);
    let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| authority.starts_with(host))?;
    let port = authority.strip_prefix(host)?;
    let well_formed = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    well_formed.then_some((host, rest))
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn is_dot_segment(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

/// RFC 3986 unreserved, reserved and `%`; `#` passes here so that it gets an answer of its own.
fn is_uri_byte(byte: u8) -> bool {
    form::is_unreserved(byte) || b":/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn escapes_are_whole(uri: &str) -> bool {
    uri.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        let mut next = || digits.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        next() && next()
    })
}

#[cfg(test)]
#[path = "redirect_uri_tests.rs"]
mod tests;
