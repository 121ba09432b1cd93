//! What was taken over from another site: people with their password hashes, and tokens that still count.

use crate::store::Stored;
use crate::time::UnixTime;

/// A person of the site, as the last run of the import left them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedUser {
    /// The primary key at the site.
    pub site_key: String,
    /// The person here.
    pub sub: String,
    /// Digest of what the site said.
    pub source_digest: String,
    /// Digest of what was written here.
    pub local_digest: String,
    /// Scheme and parameters of the imported password hash, while it is the person's.
    pub cost: Option<String>,
}

/// An application of the site, as the last run of the import left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedClient {
    /// The client here.
    pub client_id: String,
    /// Digest of what the site said, its secret excepted.
    pub source_digest: String,
    /// Digest of the secret as the site has it.
    pub secret_digest: String,
    /// Digest of what was written here.
    pub local_digest: String,
}

/// What an adopted token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdoptedKind {
    /// Shown at userinfo and judged by introspection until it expires.
    Access,
    /// Generation 1 of its grant's refresh token.
    Refresh,
}

impl AdoptedKind {
    /// `access` or `refresh`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Access, Self::Refresh].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A token that another server issued; the token itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedToken {
    /// SHA-256 of the token, as [`propusk_crypto::digest`] writes it.
    pub digest: String,
    /// What it is.
    pub kind: AdoptedKind,
    /// The grant on which it hangs.
    pub grant_id: String,
    /// When the other server issued it.
    pub issued_at: UnixTime,
    /// When it stops working; `None` means with its grant.
    pub expires_at: Option<UnixTime>,
}

/// The store's part.
pub trait Imports {
    /// By the primary key at the site.
    fn find_imported_user(&mut self, site_key: &str) -> Stored<Option<ImportedUser>>;
    /// By the person here.
    fn find_imported_by_sub(&mut self, sub: &str) -> Stored<Option<ImportedUser>>;
    /// Replaces what was there under the same key.
    fn put_imported_user(&mut self, row: &ImportedUser) -> Stored<()>;
    /// By the client here.
    fn find_imported_client(&mut self, client_id: &str) -> Stored<Option<ImportedClient>>;
    /// Replaces what was there of the same client.
    fn put_imported_client(&mut self, row: &ImportedClient) -> Stored<()>;
    /// Scheme and parameters of most imported hashes that remain; `None` when none does.
    fn commonest_imported_cost(&mut self) -> Stored<Option<String>>;
    /// False when the token is known.
    fn insert_adopted_token(&mut self, token: &AdoptedToken) -> Stored<bool>;
    /// By the digest of the token.
    fn find_adopted_token(&mut self, digest: &str) -> Stored<Option<AdoptedToken>>;
    /// In the order of digests, those beyond `after`.
    fn list_adopted_tokens(&mut self, after: Option<&str>, limit: i64) -> Stored<Vec<AdoptedToken>>;
    /// False when there is none.
    fn delete_adopted_token(&mut self, digest: &str) -> Stored<bool>;
    /// Replaces the hash of a client's secret; false when it is not `from` any more.
    fn replace_secret_hash(&mut self, client_id: &str, id: &str, from: &str, to: &str) -> Stored<bool>;
}
