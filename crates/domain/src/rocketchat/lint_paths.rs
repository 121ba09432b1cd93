//! What is wrong with the addresses of the Custom OAuth provider: its URL, and the paths that Rocket.Chat puts behind it.

use super::is_loopback;
use super::lint::{Findings, Severity};
use super::lint_provider::Provider;
use super::settings::identity_path;
use serde_json::Value;
use url::{Host, Url};

use Severity::{Error, Note, Warning};

pub(super) fn judge(provider: &Provider<'_>, findings: &mut Findings) {
    address(provider, findings);
    let base = Base::of(provider);
    endpoint(provider, &base, "-authorize_path", findings);
    endpoint(provider, &base, "-token_path", findings);
    identity(provider, &base, findings);
}

fn address(provider: &Provider<'_>, findings: &mut Findings) {
    let (Some((id, url)), issuer) = (provider.text("-url"), provider.subject.issuer) else { return };
    // The issuer of a site that was taken over ends in /o, which may stand in the paths as well.
    let above = provider.subject.facts.old_paths.oauth_toolkit && issuer.strip_prefix(url) == Some("/o");
    if url == issuer || above {
        return;
    }
    let found = Value::from(url);
    if is_loopback(url) && !is_loopback(issuer) {
        let explanation = "The address is this machine's own, and in a container that is the chat itself: browsers and the token request go nowhere.";
        findings.wrong("loopback_url", Error, &id, &found, issuer, explanation);
    } else if url.trim_end_matches('/') == issuer {
        let explanation = "The address ends in a slash, and Rocket.Chat puts paths behind it as they are: every request has two.";
        findings.wrong("url_trailing_slash", Warning, &id, &found, issuer, explanation);
    } else if issuer.strip_prefix("https://") == url.strip_prefix("http://") {
        let explanation =
            "The address says http where this server is reached by https: passwords and tokens travel in the clear, and cookies are lost.";
        findings.wrong("http_behind_https", Error, &id, &found, issuer, explanation);
    } else {
        findings.wrong("url_mismatch", Error, &id, &found, issuer, "The chat asks another address than this server's issuer.");
    }
}

/// What stands before a path. A wrong URL is a finding of its own, so the paths are judged as behind the right one.
struct Base<'a> {
    issuer: &'a str,
    /// What the URL leaves out of the issuer: `/o`, or nothing.
    rest: &'a str,
    oauth_toolkit: bool,
    rocket_identity: bool,
}

/// Where a path leads.
enum Target {
    /// To this path below the issuer, without a slash at the end.
    Here(String),
    /// To another address.
    Elsewhere(Url),
}

impl<'a> Base<'a> {
    fn of(provider: &Provider<'a>) -> Self {
        let (issuer, old) = (provider.subject.issuer, provider.subject.facts.old_paths);
        let url = provider.text("-url").map_or(issuer, |(_, url)| url);
        let rest = issuer.strip_prefix(url).filter(|rest| old.oauth_toolkit && *rest == "/o").unwrap_or_default();
        Self { issuer, rest, oauth_toolkit: old.oauth_toolkit, rocket_identity: old.rocket_identity }
    }

    /// What Rocket.Chat makes of the setting: plain concatenation, or the address itself when it is one (legacy flow, identity).
    fn target(&self, path: &str) -> Target {
        let whole = path.split(['?', '#']).next().unwrap_or(path).trim_end_matches('/');
        if let Some(below) = whole.strip_prefix(self.issuer).filter(|below| below.is_empty() || below.starts_with('/')) {
            return Target::Here(below.to_owned());
        }
        match Url::parse(whole) {
            Ok(url) if is_absolute(path) => Target::Elsewhere(url),
            _ => Target::Here(whole.strip_prefix(self.rest).unwrap_or(whole).to_owned()),
        }
    }

    /// Whether one of our paths is meant, under our own name or the one of django-oauth-toolkit.
    fn is(&self, path: &str, ours: &str, theirs: &str) -> bool {
        // Below an issuer that ends in the toolkit's prefix, its paths stand without it.
        let below = if self.issuer.ends_with("/o") { theirs.strip_prefix("/o").unwrap_or(theirs) } else { theirs };
        path == ours || (self.oauth_toolkit && path == below)
    }

    /// Whether it answers the tokens of this client, or of chats, alone.
    fn is_identity(&self, path: &str, ours: &str) -> bool {
        path == ours || (self.rocket_identity && path == "/api/v1/auth/rocket/identity")
    }

    /// Our path as it should be typed in behind this URL.
    fn typed(&self, ours: &str) -> String {
        format!("{}{ours}", self.rest)
    }
}

fn endpoint(provider: &Provider<'_>, base: &Base<'_>, suffix: &str, findings: &mut Findings) {
    let Some((id, path)) = provider.text(suffix) else { return };
    let is_token = suffix == "-token_path";
    let (ours, theirs) = if is_token { ("/oauth/token", "/o/token") } else { ("/oauth/authorize", "/o/authorize") };
    let (found, right) = (Value::from(path), base.typed(ours));
    if is_absolute(path) && provider.subject.is_modern() {
        let explanation = "The modern flow puts the address before the path whatever it is: an absolute path makes an address that does not exist.";
        return findings.wrong("absolute_path", Error, &id, &found, right, explanation);
    }
    let below = match base.target(path) {
        Target::Here(below) => below,
        Target::Elsewhere(url) => {
            // Browsers go to the authorization endpoint, and know no name of the chat's network.
            let known = is_token && base.is(url.path(), ours, theirs);
            return elsewhere(&id, &url, &right, known, findings);
        }
    };
    if base.is(&below, ours, theirs) {
        return;
    }
    if is_token && (below.contains("userinfo") || below == "/me") {
        let explanation = "The token path is the path of the identity: token and identity path are swapped.";
        return findings.wrong("paths_swapped", Error, &id, &found, right, explanation);
    }
    let explanation =
        if is_token { "The code is redeemed at a path that does not exist here." } else { "Sign-in begins at a path that does not exist here." };
    findings.wrong("path_wrong", Error, &id, &found, right, explanation);
}

fn identity(provider: &Provider<'_>, base: &Base<'_>, findings: &mut Findings) {
    let Some((id, full)) = provider.text("-identity_path") else { return };
    let ours = identity_path(provider.subject.client.id());
    let (found, right) = (Value::from(full), base.typed(&ours));
    let path = match base.target(full) {
        Target::Here(path) => path,
        Target::Elsewhere(url) => return elsewhere(&id, &url, &right, base.is_identity(url.path(), &ours), findings),
    };
    if base.is_identity(&path, &ours) {
        return;
    }
    if path.contains("token") {
        let explanation = "The identity path is the path of the token endpoint, which tells nobody who signed in.";
        findings.wrong("paths_swapped", Error, &id, &found, right, explanation);
    } else if base.is(&path, "/oauth/userinfo", "/o/userinfo") || path == "/me" {
        let explanation = "The identity path answers for the tokens of every client, and Rocket.Chat does not look at whose a token is: any other \
                           application could sign in to the chat as its visitors.";
        findings.wrong("identity_path_open", Error, &id, &found, right, explanation);
    } else if let Some(other) = path.strip_prefix("/oauth/userinfo/") {
        let explanation = format!("The identity path is the one of the client {other}: every sign-in of this client is refused there.");
        findings.wrong("identity_path_of_another_client", Error, &id, &found, right, explanation);
    } else {
        findings.wrong("path_wrong", Error, &id, &found, right, "The identity is asked for at a path that does not exist here.");
    }
}

/// Another address than the issuer's. Between two machines of one network that is a way to ask this server (`known`: behind it stands a path
/// of ours); anybody else's is not.
fn elsewhere(id: &str, url: &Url, right: &str, known: bool, findings: &mut Findings) {
    let found = Value::from(url.as_str());
    if is_loopback(url.as_str()) {
        let explanation = "The address is this machine's own, and in a container that is the chat itself: the request goes nowhere.";
        findings.wrong("loopback_url", Error, id, &found, right, explanation);
    } else if known && is_private(url) {
        let explanation = "The request goes to a name that only the chat's network knows: right as long as this server answers there, and an obstacle \
                           when the chat moves.";
        findings.wrong("path_elsewhere", Note, id, &found, right, explanation);
    } else {
        let explanation = "The request goes to another address than this server's, and with it the client's secret, a code or somebody's token.";
        findings.wrong("path_elsewhere", Error, id, &found, right, explanation);
    }
}

fn is_absolute(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

/// A name or an address of a network that is nobody else's.
fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => !name.contains('.') || [".internal", ".local", ".lan"].iter().any(|end| name.ends_with(end)),
        Some(Host::Ipv4(ip)) => ip.is_private(),
        Some(Host::Ipv6(ip)) => ip.is_unique_local(),
        None => false,
    }
}
