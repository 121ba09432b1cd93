//! What a backup needs: a key from a passphrase, and a checksum over a stream.

use crate::seal::SealingKey;
use crate::secret::Secret;
use crate::{CryptoError, MAX_PASSWORD_BYTES};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use zeroize::Zeroizing;

/// The cost of a guess at a passphrase; it is written beside what the key seals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassphraseParams {
    /// Memory in KiB; at most 262,144.
    pub memory_kib: u32,
    /// Passes over the memory; at most 16.
    pub iterations: u32,
    /// Random text, different for each file; at least 16 bytes.
    pub salt: String,
}

/// A file from elsewhere must not make this process allocate gigabytes or compute for hours.
const MAX_MEMORY_KIB: u32 = 262_144;
const MAX_ITERATIONS: u32 = 16;
const MIN_SALT_BYTES: usize = 16;

impl PassphraseParams {
    /// 64 MiB and three passes, the second recommendation of RFC 9106 §4.
    pub const fn with_salt(salt: String) -> Self {
        Self { memory_kib: 65_536, iterations: 3, salt }
    }

    /// The key of a passphrase, by Argon2id (RFC 9106). Takes a tenth of a second or more.
    pub fn key(&self, passphrase: &Secret) -> Result<SealingKey, CryptoError> {
        let refused = |reason: String| CryptoError::PasswordParams(reason);
        let length = passphrase.expose().len();
        if !(1..=MAX_PASSWORD_BYTES).contains(&length) {
            return Err(CryptoError::PasswordLength { bytes: length });
        }
        if self.memory_kib > MAX_MEMORY_KIB || self.iterations > MAX_ITERATIONS || self.salt.len() < MIN_SALT_BYTES {
            return Err(refused(format!("at most {MAX_MEMORY_KIB} KiB and {MAX_ITERATIONS} iterations, and {MIN_SALT_BYTES} bytes of salt")));
        }
        let params = Params::new(self.memory_kib, self.iterations, 1, Some(32)).map_err(|error| refused(error.to_string()))?;
        let mut key = Zeroizing::new([0_u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), self.salt.as_bytes(), key.as_mut_slice())
            .map_err(|error| CryptoError::PasswordHash(error.to_string()))?;
        SealingKey::from_bytes(key.as_slice())
    }
}

/// SHA-256 over a stream.
#[derive(Clone)]
pub struct Checksum(Context);

impl Default for Checksum {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Checksum {
    /// Adds to it.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum so far, in 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.clone().finish().as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String does not fail.
            let _infallible = write!(text, "{byte:02x}");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn params() -> PassphraseParams {
        PassphraseParams { memory_kib: 64, iterations: 1, salt: "0123456789abcdef".to_owned() }
    }

    #[test]
    fn the_same_passphrase_and_salt_make_the_same_key() {
        let key = |params: &PassphraseParams, passphrase: &str| *params.key(&Secret::new(passphrase.to_owned())).unwrap().expose();
        assert_eq!(key(&params(), "correct horse"), key(&params(), "correct horse"));
        assert_ne!(key(&params(), "correct horse"), key(&params(), "correct horsf"));
        assert_ne!(key(&params(), "correct horse"), key(&PassphraseParams { salt: "0123456789abcdeg".to_owned(), ..params() }, "correct horse"));
    }

    #[test]
    fn a_cost_that_would_stop_the_machine_is_refused() {
        let refused = |params: PassphraseParams| params.key(&Secret::new("x".to_owned())).is_err();
        assert!(refused(PassphraseParams { memory_kib: MAX_MEMORY_KIB + 1, ..params() }));
        assert!(refused(PassphraseParams { iterations: MAX_ITERATIONS + 1, ..params() }));
        assert!(refused(PassphraseParams { salt: "short".to_owned(), ..params() }));
        assert!(params().key(&Secret::new(String::new())).is_err());
    }

    #[test]
    fn a_checksum_is_that_of_the_whole() {
        let mut sum = Checksum::default();
        assert_eq!(sum.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        sum.update(b"a");
        sum.update(b"bc");
        // FIPS 180-2, appendix B.1.
        assert_eq!(sum.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
