//! People: a stable subject, a username, further sign-in names, standard claims, a role and a state.

use crate::time::UnixTime;
use caseless::Caseless;
use propusk_crypto::digest;
use propusk_protocol::StandardClaims;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A person who can sign in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// The subject identifier: random, never reused, at most 255 ASCII characters (OIDC Core §2).
    pub sub: String,
    /// The unique username, `[0-9A-Za-z._-]`, at most 64 characters.
    pub username: String,
    /// The role of the site: `owner`, `moderator`, `user` or one that was added.
    pub role: String,
    /// Whether the person may sign in.
    pub state: UserState,
    /// The language of the pages, `ru` or `en`.
    pub locale: Option<String>,
    /// The password as a PHC string; `None` until one was set.
    #[serde(skip)]
    pub password_hash: Option<String>,
    /// Grows with each password set and each disabling: a login that was hashed before such a change does not count.
    pub credential_version: i64,
    /// The standard claims of OIDC Core §5.1, `preferred_username` and `updated_at` excepted (they follow from the row).
    pub claims: StandardClaims,
    /// When the person was added.
    pub created_at: UnixTime,
    /// When anything that a relying party is told changed last.
    pub updated_at: UnixTime,
}

impl User {
    /// Whether the person may sign in and be spoken for.
    pub fn is_active(&self) -> bool {
        self.state == UserState::Active
    }

    /// Names this state of the person, 22 characters of base64url: another one after any change of what the users API shows, and of
    /// the password (a strong entity tag without its quotes, RFC 9110 §8.8.3).
    pub fn version(&self) -> String {
        // The hash itself stays out: it is renewed at a sign-in without anything having changed.
        let facts = serde_json::to_string(&(self, self.password_hash.is_some())).unwrap_or_default();
        digest(&facts).chars().take(22).collect()
    }
}

/// Whether a person may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// May sign in.
    Active,
    /// May not; sessions and grants were revoked when the state was entered.
    Disabled,
}

impl UserState {
    /// `active` or `disabled`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Disabled].into_iter().find(|state| state.as_str() == name)
    }
}

/// A name that opens the login form for a person; unique over all people and kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInName {
    /// The name as compared: [`name_key`] of the name as shown.
    pub key: String,
    /// The person.
    pub sub: String,
    /// The name as given.
    pub name: String,
    /// Where the name comes from.
    pub kind: NameKind,
}

/// Where a sign-in name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameKind {
    /// The username itself.
    Username,
    /// A verified e-mail address.
    Email,
    /// A further name, of any alphabet.
    Alias,
}

impl NameKind {
    /// `username`, `email` or `alias`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Email => "email",
            Self::Alias => "alias",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Username, Self::Email, Self::Alias].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The longest username, in characters.
pub const MAX_USERNAME: usize = 64;

/// The longest further sign-in name, in characters.
pub const MAX_SIGN_IN_NAME: usize = 254;

/// Whether `username` is one that Rocket.Chat takes as it stands: `[0-9A-Za-z._-]`, 1 to 64 characters.
pub fn is_valid_username(username: &str) -> bool {
    !username.is_empty() && username.len() <= MAX_USERNAME && username.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Whether `name` can be a further sign-in name: printable, 1 to 254 characters, no white space at its ends.
pub fn is_valid_sign_in_name(name: &str) -> bool {
    !name.is_empty() && name.trim() == name && name.chars().count() <= MAX_SIGN_IN_NAME && !name.chars().any(char::is_control)
}

/// The form in which names are compared: compatibility-composed, case-folded, composed again (Unicode UAX #15, toNFKC_Casefold).
pub fn name_key(name: &str) -> String {
    name.trim().nfkc().default_case_fold().nfkc().default_case_fold().nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_equal_whatever_case_and_unicode_form() {
        for (a, b) in [("Анна", "АННА"), ("straße", "STRASSE"), ("café", "cafe\u{301}"), ("Ｕｓｅｒ", "user"), (" anna ", "anna"), ("ﬁ", "FI")]
        {
            assert_eq!(name_key(a), name_key(b), "{a} {b}");
        }
        assert_ne!(name_key("anna"), name_key("аnna"), "a Cyrillic а is another letter");
    }

    #[test]
    fn usernames_are_those_that_rocket_chat_takes() {
        assert!(is_valid_username("Anna.B_c-9"));
        for bad in ["", "анна", "a b", "a@b", "a/b", &"a".repeat(65)] {
            assert!(!is_valid_username(bad), "{bad}");
        }
    }
}
