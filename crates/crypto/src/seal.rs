//! Sealing: AES-256-GCM with a random nonce, bound to a purpose; and HMAC-SHA-256 over unambiguous parts.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::random::Random;
use crate::{CryptoError, base64url, from_base64url};

/// The format: `v1.` base64url(nonce ‖ ciphertext ‖ tag).
const VERSION: &str = "v1.";

/// The key that the operator's master key file holds.
pub type MasterKey = SealingKey;

/// A key for what travels outside for a short time, such as a login in progress in a URL.
pub type SealKey = SealingKey;

/// A 256-bit symmetric key. Random nonces carry it through 2³² values (NIST SP 800-38D §8.3), 136 years of one a second.
#[derive(Clone)]
pub struct SealingKey {
    bytes: Zeroizing<[u8; 32]>,
    aead: Arc<RandomizedNonceKey>,
}

impl SealingKey {
    /// A fresh key.
    pub fn generate(rng: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill(bytes.as_mut_slice());
        Self::expand(bytes)
    }

    /// The key in `bytes`, which must be 32 long.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CryptoError> {
        let wrong_length = |_| CryptoError::KeyRejected(format!("a sealing key has 32 bytes, this one has {}", bytes.len()));
        Ok(Self::expand(Zeroizing::new(bytes.try_into().map_err(wrong_length)?)))
    }

    /// The key itself, to be written to its file or used with [`hmac_sha256`].
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// A key of its own for `purpose`, so that one master key never serves two algorithms or two uses.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Self {
        Self::expand(Zeroizing::new(hmac_sha256(self.bytes.as_slice(), &[b"derive", purpose.as_bytes()])))
    }

    /// 16 hexadecimal digits by which people tell keys apart; nothing of the key can be learnt from them.
    pub fn fingerprint(&self) -> String {
        hmac_sha256(self.bytes.as_slice(), &[b"fingerprint"]).iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    /// Seals `plain` for `purpose`: `v1.` and base64url. A value opens only under the purpose it was sealed for, so that a
    /// row or parameter moved elsewhere is refused. Sealing the same twice gives different texts.
    ///
    /// # Panics
    /// When the operating system has no randomness, as [`SystemRandom`](crate::SystemRandom) does.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> String {
        // Exact capacity: a vector that grew would leave a copy of the plain text behind.
        let mut body = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
        body.extend_from_slice(plain);
        let Ok(nonce) = self.aead.seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut *body) else {
            panic!("AES-256-GCM fails only without randomness or beyond 64 GiB");
        };
        let nonce: &[u8; NONCE_LEN] = nonce.as_ref();
        format!("{VERSION}{}", base64url(&[nonce.as_slice(), body.as_slice()].concat()))
    }

    /// Opens what [`seal`](Self::seal) made under this key and `purpose`; anything else is [`CryptoError::Open`].
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let encoded = sealed.strip_prefix(VERSION).ok_or(CryptoError::Open)?;
        let body = Zeroizing::new(from_base64url(encoded).ok_or(CryptoError::Open)?);
        let (nonce, ciphertext) = body.split_first_chunk::<NONCE_LEN>().ok_or(CryptoError::Open)?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let length = self
            .aead
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(purpose.as_bytes()), &mut plain)
            .map_err(|_| CryptoError::Open)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    fn expand(bytes: Zeroizing<[u8; 32]>) -> Self {
        let Ok(aead) = RandomizedNonceKey::new(&AES_256_GCM, bytes.as_slice()) else {
            unreachable!("AES-256-GCM takes every key of 32 bytes");
        };
        Self { bytes, aead: Arc::new(aead) }
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealingKey(…)")
    }
}

/// HMAC-SHA-256 over `parts`, each preceded by its length in eight bytes: `["ab", "c"]` and `["a", "bc"]` differ.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut tag = [0; 32];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

/// Whether `tag` is [`hmac_sha256`] of the same key and parts, in constant time.
pub fn hmac_verify(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    hmac_sha256(key, parts).ct_eq(tag).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::random::{SeededRandom, SystemRandom};

    #[test]
    fn what_was_sealed_opens_under_the_same_key_and_purpose_alone() {
        let key = SealingKey::generate(&SystemRandom);
        let sealed = key.seal("signing_key:a", b"private");
        assert!(sealed.starts_with("v1."));
        assert_ne!(sealed, key.seal("signing_key:a", b"private"));
        assert_eq!(*key.open("signing_key:a", &sealed).unwrap(), b"private");
        assert!(matches!(key.open("signing_key:b", &sealed), Err(CryptoError::Open)));
        assert!(SealingKey::generate(&SystemRandom).open("signing_key:a", &sealed).is_err());
        assert!(key.derive("flow").open("signing_key:a", &sealed).is_err());
    }

    #[test]
    fn a_key_survives_its_file() {
        let key = MasterKey::generate(&SeededRandom::new(1));
        let loaded = MasterKey::from_bytes(key.expose()).unwrap();
        assert_eq!(*loaded.open("p", &key.seal("p", b"")).unwrap(), b"");
        assert_eq!(key.derive("flow").expose(), loaded.derive("flow").expose());
        assert_ne!(key.derive("flow").expose(), key.derive("cookie").expose());
        assert!(MasterKey::from_bytes(&[0; 31]).is_err());
        assert!(MasterKey::from_bytes(&[0; 33]).is_err());
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let key = SealingKey::generate(&SystemRandom);
        let sealed = key.seal("p", b"plain text");
        let body = from_base64url(sealed.strip_prefix(VERSION).unwrap()).unwrap();
        for position in 0..body.len() {
            let mut changed = body.clone();
            *changed.get_mut(position).unwrap() ^= 1;
            assert!(key.open("p", &format!("v1.{}", base64url(&changed))).is_err(), "byte {position}");
            let (shorter, _) = body.split_at(position);
            assert!(key.open("p", &format!("v1.{}", base64url(shorter))).is_err(), "{position} bytes");
        }
        for wrong in ["", "v1.", "v2.AAAA", "v1.%%%", &sealed.replacen("v1.", "v1", 1), &format!("{sealed}=")] {
            assert!(key.open("p", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_a_key() {
        assert_eq!(format!("{:?}", SealingKey::generate(&SystemRandom)), "SealingKey(…)");
    }

    #[test]
    fn parts_of_an_hmac_do_not_run_together() {
        let tag = hmac_sha256(b"key", &[b"ab", b"c"]);
        assert!(hmac_verify(b"key", &[b"ab", b"c"], &tag));
        assert!(!hmac_verify(b"key", &[b"a", b"bc"], &tag));
        assert!(!hmac_verify(b"key", &[b"abc"], &tag));
        assert!(!hmac_verify(b"key", &[b"ab", b"c", b""], &tag));
        assert!(!hmac_verify(b"kez", &[b"ab", b"c"], &tag));
        let (truncated, _) = tag.split_at(31);
        assert!(!hmac_verify(b"key", &[b"ab", b"c"], truncated));
        assert!(!hmac_verify(b"key", &[b"ab", b"c"], &[]));
    }
}
