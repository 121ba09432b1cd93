//! Addresses of databases, which may hold a password.

use serde::{Serialize, Serializer};
use url::Url;

/// An address that may hold a password. `Debug`, `Display` and serialisation show it without.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    pub(super) fn new(url: String) -> Self {
        Self(url)
    }

    /// The whole address, for the one who connects.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The address with `***` for the password, and without a query that holds one.
    pub fn redacted(&self) -> String {
        if self.0.starts_with("sqlite:") {
            return self.0.clone();
        }
        let Ok(mut url) = Url::parse(&self.0) else {
            return "***".to_owned();
        };
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return "***".to_owned();
        }
        if url.query().is_some_and(|query| query.to_lowercase().contains("pass")) {
            url.set_query(Some("***"));
        }
        url.to_string()
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}", self.redacted())
    }
}

impl std::fmt::Display for SecretUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.redacted())
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.redacted())
    }
}
