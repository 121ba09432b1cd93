//! Client authentication (RFC 6749 §2.3) and the diagnosis of its boring failures.

use crate::cause::Cause;
use crate::client::{Client, ClientSecret, is_valid_client_id};
use crate::error::{Refusal, SHOWN, shape};
use crate::time::UnixTime;
use propusk_crypto::looks_like_hash;
use propusk_protocol::redirect_uri::check_registration;
use propusk_protocol::{ClientAuthError, ClientCredentials, ErrorCode};

/// What mends an unknown client whose identifier is like no other; the command stands behind it.
pub(crate) const CORRECT_OR_REGISTER: &str = "correct the client id in the application's settings, or register it:";

/// The one sentence for every failure: who cannot authenticate learns nothing else (RFC 6749 §5.2).
const FAILED: &str = "Client authentication failed";

/// Checks the credentials against the client that they name; the secret that was presented, if the client has any. A disabled or
/// unknown client and a wrong secret look alike.
pub fn authenticate<'a>(client: Option<&'a Client>, credentials: &ClientCredentials, now: UnixTime) -> Result<Option<&'a ClientSecret>, Refusal> {
    let basic = matches!(credentials, ClientCredentials::Basic { .. });
    judge(client, credentials, now).map_err(|mut refusal| {
        refusal.basic_challenge = basic;
        refusal.client(credentials.client_id())
    })
}

fn judge<'a>(client: Option<&'a Client>, credentials: &ClientCredentials, now: UnixTime) -> Result<Option<&'a ClientSecret>, Refusal> {
    let refuse = |cause| Refusal::new(ErrorCode::InvalidClient, FAILED, cause);
    let Some(client) = client else {
        return Err(unknown_client(credentials.client_id()));
    };
    if client.disabled {
        return Err(disabled_client(client));
    }
    let rotate = format!("propusk client rotate-secret {}", client.client_id);
    match credentials {
        ClientCredentials::None { .. } if client.is_public() => Ok(None),
        ClientCredentials::None { .. } => Err(refuse(Cause::SecretMissing)
            .expected("client_secret_basic or client_secret_post")
            .received("none: a client_id without a secret")
            .fix("put the client secret into the application's settings; when it is lost:")
            .fix(rotate)),
        ClientCredentials::Basic { .. } | ClientCredentials::Post { .. } if client.is_public() => Err(refuse(Cause::WrongAuthMethod)
            .expected("none: this client has no secret")
            .received(credentials.method())
            .fix("remove the client secret from the client's settings")),
        ClientCredentials::Post { secret, .. } => check(client, secret, now),
        ClientCredentials::Basic { secret, raw, .. } => {
            // Clients that do not form-encode are taken at their word where the two readings differ (RFC 6749 §2.3.1).
            match raw.as_ref().and_then(|(_, raw_secret)| matching(client, raw_secret, true, now)) {
                Some(known) => Ok(Some(known)),
                None => check(client, secret, now),
            }
        }
    }
}

/// The refusal of credentials that could not even be read.
pub fn unreadable(error: ClientAuthError) -> Refusal {
    let cause = match error.slug {
        "two_methods" | "client_id_mismatch" => Cause::TwoAuthMethods,
        "missing_scheme" => Cause::MissingScheme,
        "malformed_basic" => Cause::MalformedBasic,
        "unsupported_method" | "unsupported_scheme" => Cause::WrongAuthMethod,
        "no_credentials" => Cause::SecretMissing,
        _ => Cause::MalformedRequest,
    };
    let basic_challenge = error.used_basic && error.error.code == ErrorCode::InvalidClient;
    let mut refusal = Refusal::from(error.error);
    refusal.detail.cause = cause;
    refusal.basic_challenge = basic_challenge;
    if cause != Cause::MalformedRequest {
        refusal.detail.fix.clear();
    }
    match cause {
        Cause::MissingScheme => refusal.expected("Authorization: Basic <base64>").fix("set Token Sent Via = Payload in Rocket.Chat, or upgrade it"),
        Cause::MalformedBasic => refusal
            .expected("Authorization: Basic <base64 of client_id:client_secret>")
            .fix("set the application to client_secret_post, or correct how it builds the header"),
        Cause::TwoAuthMethods => refusal
            .expected("one of client_secret_basic and client_secret_post, with one client_id")
            .fix("set one authentication method in the application's settings"),
        Cause::WrongAuthMethod => refusal
            .expected("client_secret_basic, client_secret_post or none")
            .fix("set client_secret_basic or client_secret_post in the application's settings"),
        Cause::SecretMissing => refusal
            .expected("client_id, and client_secret where the client has one")
            .fix("put client id and client secret into the application's settings"),
        _ => refusal,
    }
}

/// Nobody is registered under this identifier.
pub fn unknown_client(client_id: &str) -> Refusal {
    unknown_client_at(client_id, None)
}

/// The same, when the request says where answers should go: the command registers that address, too.
pub fn unknown_client_at(client_id: &str, redirect_uri: Option<&str>) -> Refusal {
    let refusal = Refusal::new(ErrorCode::InvalidClient, FAILED, Cause::UnknownClient)
        .client(client_id)
        .expected("a registered client_id")
        .received(client_id)
        .fix(CORRECT_OR_REGISTER);
    if !is_valid_client_id(client_id) {
        return refusal.fix("no client can have this identifier");
    }
    let preset = if redirect_uri.is_some_and(|uri| uri.contains("/_oauth/")) { "rocket-chat" } else { "web" };
    let place = redirect_uri.filter(|uri| is_registrable(uri, false)).map(|uri| format!(" --redirect-uri {}", shell_quoted(uri)));
    refusal.fix(format!("propusk client add {client_id} --preset {preset}{}", place.unwrap_or_default()))
}

/// Whether a command that registers this address can be shown: valid, and short enough to be shown whole.
pub(crate) fn is_registrable(uri: &str, native: bool) -> bool {
    uri.chars().count() <= SHOWN && check_registration(uri, native, false).is_ok()
}

/// A word that a shell reads as it stands.
pub fn shell_quoted(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/@%+=,".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The client is switched off.
pub fn disabled_client(client: &Client) -> Refusal {
    Refusal::new(ErrorCode::InvalidClient, FAILED, Cause::DisabledClient)
        .client(&client.client_id)
        .expected("an enabled client")
        .received("disabled")
        .fix(format!("propusk client set {} --enable", client.client_id))
}

fn check<'a>(client: &'a Client, presented: &str, now: UnixTime) -> Result<Option<&'a ClientSecret>, Refusal> {
    if let Some(known) = matching(client, presented, true, now) {
        return Ok(Some(known));
    }
    let cause = why_not(client, presented, now);
    let fix = match cause {
        Cause::SecretHasWhitespace => "remove the white space around the secret in the client's settings".to_owned(),
        Cause::SecretNotFormDecoded => "send the secret unencoded in the form, or form-encoded once in Basic".to_owned(),
        _ => format!("propusk client rotate-secret {}", client.client_id),
    };
    let refusal = Refusal::new(ErrorCode::InvalidClient, FAILED, cause)
        .expected("one of the client's live secrets")
        .received(shape_for(client, presented))
        .fix(fix);
    Err(refusal.fix(format!("propusk client check-secret {} < secret-file", client.client_id)))
}

/// Why a presented secret would not work; `None` when it would.
pub fn diagnose_secret(client: &Client, presented: &str, now: UnixTime) -> Option<Cause> {
    matching(client, presented, true, now).is_none().then(|| why_not(client, presented, now))
}

fn why_not(client: &Client, presented: &str, now: UnixTime) -> Cause {
    let matches = |candidate: &str, live: bool| matching(client, candidate, live, now).is_some();
    if matches(presented, false) {
        return Cause::SecretExpired;
    }
    if matches(presented.trim(), true) {
        return Cause::SecretHasWhitespace;
    }
    if looks_like_hash(presented).is_some() || client.secrets.iter().any(|secret| secret.hash.as_str() == presented) {
        return Cause::SecretIsStoredHash;
    }
    let decoded = percent_decoded(presented);
    if decoded.as_deref().is_some_and(|decoded| matches(decoded, true)) {
        return Cause::SecretNotFormDecoded;
    }
    Cause::SecretWrong
}

/// The client's secret of which this is the clear text, among those that are or are not live.
fn matching<'a>(client: &'a Client, candidate: &str, live: bool, now: UnixTime) -> Option<&'a ClientSecret> {
    client.secrets.iter().filter(|secret| secret.is_live(now) == live).find(|secret| secret.hash.matches(candidate))
}

/// What a secret looks like, without telling it.
fn shape_for(client: &Client, presented: &str) -> String {
    let shape = shape(presented);
    if client.secrets.iter().any(|secret| secret.hash.as_str() == presented) {
        return format!("{shape}, looks like the stored hash of this client's secret");
    }
    match looks_like_hash(presented) {
        Some(kind) => format!("{shape}, looks like a stored hash ({kind})"),
        None => shape,
    }
}

/// One more round of form decoding, when that changes anything.
fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') && !text.contains('+') {
        return None;
    }
    let pair = format!("https://x.invalid/?a={text}");
    let url = url::Url::parse(&pair).ok()?;
    let (_, value) = url.query_pairs().next()?;
    (value != text).then(|| value.into_owned())
}
