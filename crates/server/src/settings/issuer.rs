//! The rules of the issuer identifier (OIDC Discovery §3, RFC 8414 §2).
//!
//! Clients compare it byte for byte, so only the form that a URL parser would print is accepted.

use url::{Host, Url};

use super::http::HttpSettings;
use super::section::Section;

/// Reads `issuer`. Without one it is the address that `http.listen` opens, as long as only this machine can reach it.
pub(super) fn read(root: &mut Section, http: &HttpSettings, allow_insecure: bool) -> String {
    if !root.has("issuer") {
        return default(root, http);
    }
    let Some(issuer) = root.text("issuer") else {
        return String::new();
    };
    if let Err(sentence) = check(&issuer, allow_insecure) {
        root.problem("issuer", sentence);
    } else if http.tls.is_some() && issuer.starts_with("http:") {
        root.problem("issuer", "must begin with https, because http.tls is set".to_owned());
    }
    issuer
}

/// Splits a checked issuer into its origin and its path.
pub(super) fn split(issuer: &str) -> (&str, &str) {
    let host = issuer.find("://").map_or(0, |at| at + 3);
    let path = issuer.get(host..).and_then(|rest| rest.find('/')).map_or(issuer.len(), |at| host + at);
    issuer.split_at_checked(path).unwrap_or((issuer, ""))
}

fn default(root: &mut Section, http: &HttpSettings) -> String {
    root.text("issuer");
    if !http.listen.ip().is_loopback() || http.listen.port() == 0 {
        let sentence = format!(
            "is missing: the address at which browsers reach the service, like https://id.example.org (it cannot be told from http.listen = {})",
            http.listen
        );
        root.problem("issuer", sentence);
    }
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    let issuer = format!("{scheme}://{}", http.listen);
    // The default port of the scheme is left out, as a URL parser would.
    Url::parse(&issuer).map_or(issuer, |url| url.origin().ascii_serialization())
}

fn check(issuer: &str, allow_insecure: bool) -> Result<(), String> {
    let refused = |sentence: &str| Err(format!("{issuer:?} {sentence}"));
    let Ok(url) = Url::parse(issuer) else {
        return refused("is not an absolute URL like https://id.example.org");
    };
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return refused("must begin with https:// and a host");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refused("must have no query and no fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused("must have no user name and no password");
    }
    if issuer.ends_with('/') {
        return refused("must not end with a slash");
    }
    let canonical = url.as_str().trim_end_matches('/');
    if issuer != canonical {
        return Err(format!("{issuer:?} is compared byte for byte by clients; write it as {canonical:?}"));
    }
    if !url.path().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte)) || url.path().contains("//") {
        return refused("may have only letters, digits and -._~ in its path, without empty parts");
    }
    if url.scheme() == "http" && !is_loopback(&url) && !allow_insecure {
        return refused(
            "must begin with https, because its host is not this machine; allow_insecure_issuer = true accepts that passwords travel in the clear",
        );
    }
    Ok(())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
