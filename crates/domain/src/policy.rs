//! The operator's choices that the rules follow.

/// Lifetimes and limits, all in seconds.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The issuer identifier: no trailing slash, no query, no fragment (OIDC Discovery §3).
    pub issuer: String,
    /// How long a code lives (at most 60 s: `protocol` limits of RFC 9700 and FAPI 2.0).
    pub code_lifetime: i64,
    /// How long a replaced refresh token still answers the same successor; 0 turns the retry off.
    pub refresh_retry_window: i64,
    /// How long a grant with `offline_access` lives at most.
    pub grant_lifetime: i64,
    /// A session unused for so long ends.
    pub session_idle: i64,
    /// A session of this age ends.
    pub session_absolute: i64,
    /// How long a sign-in page stays usable.
    pub flow_lifetime: i64,
    /// Tolerated difference of clocks when a token's `nbf` or `iat` is judged.
    pub clock_leeway: i64,
    /// How long a new signing key is published before it signs: the caches of JWKS readers must have expired.
    pub key_announcement: i64,
    /// How long a replaced client secret keeps working.
    pub secret_overlap: i64,
    /// How long a link to set a password works.
    pub password_link_lifetime: i64,
    /// How long a link in a mail works: what lies in a mailbox is not to be found there later.
    pub mailed_link_lifetime: i64,
    /// The client by which the chat signs people in.
    pub chat_client: String,
    /// Whether the settings name a chat to look after.
    pub chat_configured: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            issuer: "http://127.0.0.1:8080".to_owned(),
            code_lifetime: 60,
            refresh_retry_window: 30,
            grant_lifetime: 180 * DAY,
            session_idle: 14 * DAY,
            session_absolute: 90 * DAY,
            flow_lifetime: 3600,
            clock_leeway: 10,
            key_announcement: DAY,
            secret_overlap: 3600,
            password_link_lifetime: DAY,
            mailed_link_lifetime: 3600,
            chat_client: "rocketchat".to_owned(),
            chat_configured: false,
        }
    }
}

/// Seconds of a day.
pub const DAY: i64 = 86_400;
