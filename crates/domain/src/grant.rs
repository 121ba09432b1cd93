//! The grant: the one row on which a code, its access tokens and its refresh tokens hang.

use crate::time::UnixTime;
use propusk_protocol::{CodeChallenge, Scope};

/// What a person, or a client for itself, has allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// The identifier; sortable by time so that the index grows at one end.
    pub id: String,
    /// The person; `None` for a client's standing grant.
    pub sub: Option<String>,
    /// The client.
    pub client_id: String,
    /// What was granted.
    pub scope: Scope,
    /// The session it was granted in (`sid`).
    pub sid: Option<String>,
    /// Whether it outlives the session (`offline_access`).
    pub offline: bool,
    /// When the person had proved who they are.
    pub auth_time: Option<UnixTime>,
    /// How the person had proved it (RFC 8176).
    pub amr: Vec<String>,
    /// The `nonce` of the authorization request.
    pub nonce: Option<String>,
    /// The code and what it is bound to; `None` for a standing grant.
    pub code: Option<Code>,
    /// The refresh token's state; `None` when the grant has none.
    pub refresh: Option<Refresh>,
    /// When it was made.
    pub created_at: UnixTime,
    /// When everything under it ends; `None` for a standing grant.
    pub expires_at: Option<UnixTime>,
    /// When it was revoked.
    pub revoked_at: Option<UnixTime>,
}

impl Grant {
    /// Whether tokens under this grant still count.
    pub fn is_alive(&self, now: UnixTime) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// An authorization code as it is remembered (RFC 6749 §4.1.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Code {
    /// Digest of the code.
    pub digest: String,
    /// The redirect URI it was sent to.
    pub redirect_uri: String,
    /// Whether the authorization request named it, so that the token request must too (RFC 6749 §4.1.3).
    pub redirect_uri_was_sent: bool,
    /// The PKCE challenge it is bound to (RFC 7636 §4.4).
    pub challenge: Option<CodeChallenge>,
    /// When it stops working.
    pub expires_at: UnixTime,
    /// When it was redeemed.
    pub redeemed_at: Option<UnixTime>,
}

/// The state from which the grant's refresh token is derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// The generation of the token that is current, from 1.
    pub generation: i64,
    /// Random text of this grant that enters the derivation.
    pub nonce: String,
    /// When the current generation was made.
    pub rotated_at: UnixTime,
}

/// Why a grant was revoked; kept in the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// A code came twice (RFC 6749 §4.1.2).
    CodeReused,
    /// A replaced refresh token came after the retry window (RFC 9700 §4.14.2).
    RefreshReused,
    /// The client revoked a token (RFC 7009).
    ByClient,
    /// The session ended.
    Logout,
    /// The session was unused for too long, or too old.
    TimedOut,
    /// The account was disabled or removed.
    UserDisabled,
    /// A password was set.
    PasswordSet,
    /// The client was disabled or removed.
    ClientDisabled,
    /// The operator asked for it.
    ByOperator,
    /// The site that had issued the token ended it there.
    AtTheSite,
}

impl Revocation {
    /// The stable name in the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CodeReused => "code_reused",
            Self::RefreshReused => "refresh_reused",
            Self::ByClient => "by_client",
            Self::Logout => "logout",
            Self::TimedOut => "timed_out",
            Self::UserDisabled => "user_disabled",
            Self::PasswordSet => "password_set",
            Self::ClientDisabled => "client_disabled",
            Self::ByOperator => "by_operator",
            Self::AtTheSite => "at_the_site",
        }
    }
}
