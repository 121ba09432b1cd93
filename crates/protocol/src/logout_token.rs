//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4).

use serde::{Deserialize, Serialize};

/// The `typ` of logout tokens.
pub const LOGOUT_TOKEN_TYP: &str = "logout+jwt";

/// The one member of `events`.
pub const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The longest that a logout token may live, in seconds (§2.4).
pub const LOGOUT_TOKEN_LIFETIME: i64 = 120;

/// What a logout token says. It never has a `nonce`, so that it cannot pass for an ID token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutTokenClaims {
    /// The issuer.
    pub iss: String,
    /// The client that is told.
    pub aud: String,
    /// When it was made.
    pub iat: i64,
    /// When it stops counting.
    pub exp: i64,
    /// Different in every token, also when the same logout is told again.
    pub jti: String,
    /// The person.
    pub sub: String,
    /// The session.
    pub sid: String,
    /// What happened: a logout.
    pub events: LogoutEvents,
}

/// `{"http://schemas.openid.net/event/backchannel-logout": {}}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogoutEvents {
    /// The event, which says nothing more.
    #[serde(rename = "http://schemas.openid.net/event/backchannel-logout")]
    pub logout: LogoutEvent,
}

/// `{}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutEvent {}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_an_object_with_one_empty_member() {
        let text = serde_json::to_value(LogoutEvents::default()).unwrap();
        assert_eq!(text, serde_json::json!({ LOGOUT_EVENT: {} }));
    }
}
