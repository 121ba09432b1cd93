//! Every cryptographic operation of Propusk, and nothing else: no I/O, no clock, no settings.
//!
//! | module | what it does | source |
//! |---|---|---|
//! | [`random`] | the source of randomness as a value, tokens, error references | |
//! | [`secret`] | generated secrets: the one shown and the one kept | RFC 6749 §10.10 |
//! | [`password`] | Argon2id with bounded parallelism and reused memory | RFC 9106 |
//! | [`seal`] | authenticated encryption at rest and in URLs, HMAC | NIST SP 800-38D, RFC 2104 |
//! | [`archive`] | what a backup needs: a key from a passphrase, a checksum over a stream | RFC 9106 |
//! | [`signing_key`] | key pairs that sign, public keys that verify, JWKs | RFC 7517, RFC 7638 |
//! | [`jwt`] | the compact JWS encoder and the distrustful parser | RFC 7515, RFC 7519 |
//! | [`keyring`] | which key signs now, which key verifies, what is published | |
//!
//! Secrets have no `Display`, an empty `Debug`, and are overwritten when dropped.

pub mod archive;
pub mod error;
pub mod jwt;
pub mod keyring;
pub mod password;
pub mod random;
pub mod seal;
pub mod secret;
pub mod signing_key;

pub use archive::{Checksum, PassphraseParams};
pub use error::CryptoError;
pub use jwt::{Header, JwtError, UnverifiedJwt, half_hash};
pub use keyring::{KeyRing, RingKey};
pub use password::{MAX_PASSWORD_BYTES, PasswordHasher, PasswordParams, Verdict};
pub use random::{Random, SeededRandom, SystemRandom};
pub use seal::{MasterKey, SealKey, SealingKey, hmac_sha256, hmac_verify};
pub use secret::{Secret, SecretHash, digest, looks_like_hash};
pub use signing_key::{Algorithm, SigningKey, VerifyingKey};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// base64url without padding (RFC 4648 §5).
pub(crate) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Strict inverse of [`base64url`]: padding, other alphabets and non-zero trailing bits are refused, so that a value has
/// exactly one encoding (RFC 7515 §2).
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
