//! What the settings of a client may be.

use super::roles;
use crate::cause::Cause;
use crate::client::{Client, GrantType, Introspect};
use crate::context::Cx;
use crate::error::{Refusal, Result};
use crate::policy::DAY;
use propusk_crypto::Secret;
use propusk_protocol::redirect_uri::check_registration;
use propusk_protocol::{RedirectUriProblem, Scope};

/// The longest that an access token may live, in seconds: retired keys stay published for so long.
pub const MAX_ACCESS_TOKEN_LIFETIME: i64 = DAY;

/// The longest name of a client, in characters.
const MAX_NAME: usize = 200;

/// The shortest secret that may be brought along: 128 bits in base64url. Secrets are kept under a single SHA-256, which
/// resists guessing only by their length.
const MIN_SECRET: usize = 22;

/// Redirect URIs a client may register.
const MAX_URIS: usize = 64;

/// Names of another server's scopes that a client may have.
const MAX_ALIASES: usize = 200;

/// Refuses settings that contradict each other, a rule of OAuth or the rest of the database.
pub(super) fn check(cx: &mut Cx<'_>, client: &Client) -> Result<()> {
    check_name(client)?;
    check_uris(client, allows_http(&cx.policy.issuer))?;
    check_backchannel(client, allows_http(&cx.policy.issuer))?;
    check_public(client)?;
    check_lifetime(client)?;
    check_aliases(client)?;
    roles::map_must_exist(cx.store, &client.settings.role_map)?;
    check_audience(cx, client)
}

/// Refuses a secret that could be guessed or that an encoding on its way would change.
pub(super) fn check_given_secret(secret: &Secret) -> Result<(), Refusal> {
    let text = secret.expose();
    if text.len() >= MIN_SECRET && text.len() <= 512 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let refusal = Refusal::invalid_request("The secret cannot be used", Cause::InvalidSetting);
    Err(refusal.expected("22 to 512 printable ASCII characters without spaces").received(format!("{} characters", text.chars().count())))
}

/// Plain http is for loopback, unless the server itself was allowed to live on plain http elsewhere.
fn allows_http(issuer: &str) -> bool {
    check_registration(issuer, false, false) == Err(RedirectUriProblem::InsecureHttp)
}

fn check_name(client: &Client) -> Result<(), Refusal> {
    let name = &client.name;
    if !name.is_empty() && name.trim() == name && name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(invalid(client, "The name cannot look like this").expected("1 to 200 printable characters without white space at the ends").received(name))
}

fn check_uris(client: &Client, allow_http: bool) -> Result<(), Refusal> {
    let settings = &client.settings;
    if settings.redirect_uris.len() > MAX_URIS || settings.post_logout_redirect_uris.len() > MAX_URIS {
        return Err(invalid(client, "There are too many redirect URIs").expected("at most 64"));
    }
    for uri in settings.redirect_uris.iter().chain(&settings.post_logout_redirect_uris) {
        if let Err(problem) = check_registration(uri, settings.native, allow_http) {
            let refusal = Refusal::invalid_request("The redirect URI cannot be registered", Cause::InvalidRedirectUri);
            return Err(refusal.client(&client.client_id).expected(problem.to_string()).received(uri));
        }
    }
    Ok(())
}

/// Back-Channel Logout §2.2: absolute, without a fragment; https, because the token says who has left.
fn check_backchannel(client: &Client, allow_http: bool) -> Result<(), Refusal> {
    let Some(uri) = &client.settings.backchannel_logout_uri else { return Ok(()) };
    check_registration(uri, false, allow_http).map_err(|problem| {
        let refusal = Refusal::invalid_request("The back-channel logout URI cannot be registered", Cause::InvalidRedirectUri);
        refusal.client(&client.client_id).expected(problem.to_string()).received(uri)
    })
}

/// A public client cannot prove who it is, so it may nothing that rests on such a proof.
fn check_public(client: &Client) -> Result<(), Refusal> {
    if !client.is_public() {
        return Ok(());
    }
    if client.may_use(GrantType::ClientCredentials) {
        // RFC 6749 §4.4
        return Err(invalid(client, "A public client has no credentials of its own")
            .expected("authorization_code and refresh_token")
            .received("client_credentials"));
    }
    if client.settings.introspect != Introspect::None {
        // RFC 7662 §2.1
        return Err(invalid(client, "A public client may not introspect").expected("introspect none"));
    }
    if !client.settings.require_pkce {
        // RFC 9700 §2.1.1
        return Err(invalid(client, "A public client needs PKCE").expected("require-pkce on").received("off"));
    }
    Ok(())
}

fn check_lifetime(client: &Client) -> Result<(), Refusal> {
    let seconds = client.settings.access_token_lifetime;
    if (1..=MAX_ACCESS_TOKEN_LIFETIME).contains(&seconds) {
        return Ok(());
    }
    Err(invalid(client, "The lifetime is out of range").expected(format!("1 to {MAX_ACCESS_TOKEN_LIFETIME} seconds")).received(seconds.to_string()))
}

fn check_aliases(client: &Client) -> Result<(), Refusal> {
    let aliases = &client.settings.scope_aliases;
    if aliases.len() > MAX_ALIASES {
        return Err(invalid(client, "There are too many names for scopes").expected(format!("at most {MAX_ALIASES}")));
    }
    match aliases.keys().find(|name| !Scope::parse(name).is_ok_and(|scope| scope.contains(name))) {
        Some(name) => Err(invalid(client, "The name of a scope cannot look like this").expected("printable ASCII without spaces").received(name)),
        None => Ok(()),
    }
}

/// An audience that is a client id would let an access token pass for an ID token of that client (RFC 9068 §5).
fn check_audience(cx: &mut Cx<'_>, client: &Client) -> Result<()> {
    let clients = cx.store.list_clients()?;
    if let Some(rival) = clients.iter().find(|other| other.settings.audience.as_deref() == Some(client.client_id.as_str())) {
        let refusal = invalid(client, "The identifier is the audience of another client").expected("an identifier that is nobody's audience");
        return Err(refusal.received(&client.client_id).fix(format!("propusk client set {} --audience AUDIENCE", rival.client_id)).into());
    }
    let Some(audience) = &client.settings.audience else { return Ok(()) };
    let is_client = *audience == client.client_id || clients.iter().any(|other| other.client_id == *audience);
    let is_text = audience.len() <= 256 && audience.bytes().all(|byte| byte.is_ascii_graphic());
    if is_text && !is_client {
        return Ok(());
    }
    Err(invalid(client, "The audience cannot be used")
        .expected("1 to 256 printable ASCII characters that are not a client id")
        .received(audience)
        .into())
}

fn invalid(client: &Client, public: &'static str) -> Refusal {
    Refusal::invalid_request(public, Cause::InvalidSetting).client(&client.client_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_allowed_only_beside_an_insecure_issuer() {
        for (issuer, allowed) in [("https://id.example.org", false), ("http://127.0.0.1:8080", false), ("http://propusk:8080", true)] {
            assert_eq!(allows_http(issuer), allowed, "{issuer}");
        }
    }

    #[test]
    fn a_short_or_spaced_secret_is_refused() {
        for bad in ["", "hunter2", "0123456789 0123456789 0123", "0123456789012345678901234\n"] {
            assert!(check_given_secret(&Secret::new(bad.into())).is_err(), "{bad:?}");
        }
        assert!(check_given_secret(&Secret::new("0123456789abcdefghijkl".into())).is_ok());
    }
}
