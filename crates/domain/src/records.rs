//! The smaller things that are remembered: consents, keys, audit events, refusals, changes.

use crate::error::Detail;
use crate::time::UnixTime;
use propusk_crypto::Algorithm;
use propusk_protocol::Scope;
use serde::{Deserialize, Serialize};

/// What a person has allowed a client, remembered so that it is not asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The person.
    pub sub: String,
    /// The client.
    pub client_id: String,
    /// Everything allowed so far.
    pub scope: Scope,
    /// When it was allowed last.
    pub granted_at: UnixTime,
}

/// What a sealed key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Signs tokens with this algorithm.
    Sign(Algorithm),
    /// Derives refresh tokens.
    Refresh,
    /// Seals flows into URLs.
    Flow,
}

impl KeyPurpose {
    /// `RS256`, `ES256`, `EdDSA`, `refresh` or `flow`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sign(algorithm) => algorithm.as_str(),
            Self::Refresh => "refresh",
            Self::Flow => "flow",
        }
    }

    /// The purpose of that name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "refresh" => Some(Self::Refresh),
            "flow" => Some(Self::Flow),
            algorithm => Algorithm::parse(algorithm).map(Self::Sign),
        }
    }
}

/// A key as it rests: sealed under the master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// The identifier (`kid`).
    pub kid: String,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// PKCS#8 or 32 random bytes, sealed with the purpose and the identifier as associated data.
    pub sealed: String,
    /// When it was made, and for signing keys published.
    pub created_at: UnixTime,
    /// From when on it is used; published before (`key rotate`).
    pub active_from: UnixTime,
    /// Until when it is published or accepted; `None` for the newest of its purpose.
    pub published_until: Option<UnixTime>,
}

/// An entry of the audit trail, written in the transaction of the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Identifier. Empty in an event that is to be added: the store gives one that sorts in the order in which events were added.
    pub id: String,
    /// When.
    pub at: UnixTime,
    /// What: `signed_in`, `code_issued`, `grant_revoked`, `user_changed` …
    pub kind: String,
    /// The person concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The client concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The grant concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<String>,
    /// Anything more, free of secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Which audit events to list.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this person.
    pub sub: Option<String>,
    /// Of this client.
    pub client_id: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Not before.
    pub since: Option<UnixTime>,
    /// At most so many, the newest first.
    pub limit: i64,
}

/// A refusal as `propusk explain` finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalRecord {
    /// The short reference that the client saw.
    pub reference: String,
    /// When.
    pub at: UnixTime,
    /// Where: `authorize`, `token`, `userinfo` …
    pub endpoint: String,
    /// The error code that the client saw.
    pub error: String,
    /// What was expected and what came.
    #[serde(flatten)]
    pub detail: Detail,
}

/// Something that a process may hold in a cache has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Grows by one with each change, in the order of the commits.
    pub seq: i64,
    /// What kind of thing.
    pub kind: ChangeKind,
    /// Which; empty when everything of the kind.
    pub id: String,
}

/// What a cache may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A client or one of its secrets (by client id).
    Client,
    /// A person (by subject).
    User,
    /// A session (by `sid`).
    Session,
    /// Whether a grant lives (by grant id).
    Grant,
    /// The role maps.
    RoleMaps,
    /// The keys.
    Keys,
    /// The deny list of single tokens (by `jti`).
    Denied,
    /// What waits to be delivered: nothing is cached of it, but whoever delivers is woken.
    Outbox,
}

impl ChangeKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [Self::Client, Self::User, Self::Session, Self::Grant, Self::RoleMaps, Self::Keys, Self::Denied, Self::Outbox];

    /// The name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::User => "user",
            Self::Session => "session",
            Self::Grant => "grant",
            Self::RoleMaps => "role_maps",
            Self::Keys => "keys",
            Self::Denied => "denied",
            Self::Outbox => "outbox",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}
