//! Generated secrets in two types: [`Secret`] is shown once, [`SecretHash`] is kept.
//!
//! A generated secret carries 256 bits, so a single SHA-256 keeps it: a key-derivation function would defend against guesses
//! that nobody can make, and costs 20 ms a token request where this costs 0.1 µs.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest as hash};
use serde::{Deserialize, Deserializer, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::base64url;
use crate::random::{Random, token};

/// Marks the stored form, so that an operator who pastes it as the secret can be told so.
const STORED_PREFIX: &str = "sha256:";

/// A secret in the clear: overwritten when dropped, without `Display` and `Serialize`, with an empty `Debug`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over a secret that came from outside.
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// `prefix` and 32 random bytes in base64url: 43 characters of `[A-Za-z0-9_-]`, which no form or header encoding changes.
    /// The prefix makes a leaked secret recognisable to scanners.
    pub fn generate(rng: &dyn Random, prefix: &'static str) -> Self {
        let random = Zeroizing::new(token(rng, 32));
        let mut secret = String::with_capacity(prefix.len() + random.len());
        secret.push_str(prefix);
        secret.push_str(&random);
        Self::new(secret)
    }

    /// The secret itself; each call is a place to review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be stored.
    pub fn hash(&self) -> SecretHash {
        SecretHash(format!("{STORED_PREFIX}{}", digest(&self.0)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The stored form of a [`Secret`]: `sha256:` and the SHA-256 of it in base64url.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(String);

impl SecretHash {
    /// What a database row holds. Anything is accepted; only the form above ever matches.
    pub fn from_stored(stored: String) -> Self {
        Self(stored)
    }

    /// The form to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is the secret, in a time that does not depend on how much of it is right.
    pub fn matches(&self, presented: &str) -> bool {
        let Some(stored) = self.0.strip_prefix(STORED_PREFIX) else {
            return false;
        };
        digest(presented).as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

/// SHA-256 in base64url without padding (43 characters): the stored form of session ids, codes and cookies.
pub fn digest(value: &str) -> String {
    base64url(hash(&SHA256, value.as_bytes()).as_ref())
}

/// SHA-256 in hexadecimal digits: how Rocket.Chat wants a password as a second factor.
pub fn sha256_hex(value: &str) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    hash(&SHA256, value.as_bytes()).as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Names the kind of stored hash that `presented` looks like, or `None`. Pasting the hash from another server's database as
/// the client secret is one of the usual causes of `invalid_client`. A hint for the operator, never a decision: 64
/// hexadecimal digits may as well be an honest secret.
pub fn looks_like_hash(presented: &str) -> Option<&'static str> {
    const PREFIXES: [(&str, &str); 19] = [
        (STORED_PREFIX, "Propusk's own SHA-256"),
        ("pbkdf2_sha256$", "Django's PBKDF2-SHA-256"),
        ("pbkdf2_sha1$", "Django's PBKDF2-SHA-1"),
        ("bcrypt_sha256$", "Django's bcrypt"),
        ("scrypt$", "Django's scrypt"),
        ("argon2$", "Django's Argon2"),
        ("$argon2", "Argon2"),
        ("$2a$", "bcrypt"),
        ("$2b$", "bcrypt"),
        ("$2x$", "bcrypt"),
        ("$2y$", "bcrypt"),
        ("$pbkdf2", "PBKDF2"),
        ("$scrypt$", "scrypt"),
        ("$7$", "scrypt"),
        ("$y$", "yescrypt"),
        ("$5$", "SHA-256 crypt"),
        ("$6$", "SHA-512 crypt"),
        ("{SSHA", "an LDAP salted SHA"),
        ("{SHA", "an LDAP SHA"),
    ];
    let presented = presented.trim();
    if let Some((_, kind)) = PREFIXES.iter().find(|(prefix, _)| presented.starts_with(prefix)) {
        return Some(kind);
    }
    let is_hexadecimal = presented.len() == 64 && presented.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hexadecimal.then_some("a hexadecimal SHA-256")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::random::{SeededRandom, SystemRandom};

    #[test]
    fn a_generated_secret_matches_its_hash_and_nothing_else_does() {
        let secret = Secret::generate(&SystemRandom, "pps_");
        let kept = SecretHash::from_stored(secret.hash().as_str().to_owned());
        assert!(secret.expose().starts_with("pps_"));
        assert_eq!(secret.expose().len(), 47);
        assert!(kept.matches(secret.expose()));
        assert!(!kept.matches(&format!("{}\n", secret.expose())));
        assert!(!kept.matches(""));
        assert!(!kept.matches(kept.as_str()));
    }

    #[test]
    fn a_stored_value_of_another_kind_matches_nothing() {
        let plain = SecretHash::from_stored("hunter2".into());
        assert!(!plain.matches("hunter2"));
        let without_prefix = SecretHash::from_stored(digest("hunter2"));
        assert!(!without_prefix.matches("hunter2"));
        assert!(SecretHash::from_stored(format!("sha256:{}", digest("hunter2"))).matches("hunter2"));
    }

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let secret = Secret::generate(&SeededRandom::new(3), "pps_");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn a_secret_can_be_read_from_settings() {
        let secret: Secret = serde_json::from_str("\"from settings\"").unwrap();
        assert_eq!(secret.expose(), "from settings");
    }

    #[test]
    fn hashes_are_recognised_and_generated_secrets_are_not_taken_for_hashes() {
        let sha = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let own = Secret::new("x".into()).hash();
        for hash in [own.as_str(), sha, "pbkdf2_sha256$720000$a$b=", "$argon2id$v=19$m=1", "$2b$12$abc", "{SSHA}abc", " $6$ab$c\n"] {
            assert!(looks_like_hash(hash).is_some(), "{hash}");
        }
        let generated = Secret::generate(&SystemRandom, "pps_");
        for secret in [generated.expose(), "hunter2", "", "$", "9f86d081"] {
            assert!(looks_like_hash(secret).is_none(), "{secret}");
        }
    }

    #[test]
    fn digest_is_the_sha256_of_the_standard_vector() {
        // FIPS 180-4, "abc"
        assert_eq!(digest("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    }
}
