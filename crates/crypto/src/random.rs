//! Randomness as a value: rules take a `&dyn Random`, so that a test chooses what they draw.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;

use crate::base64url;

/// Crockford's base32: no I, L, O, U, so that a reference survives being read out on the telephone.
const CROCKFORD: [char; 32] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W',
    'X', 'Y', 'Z',
];

/// A source of random bytes.
pub trait Random: Send + Sync {
    /// Overwrites all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness through aws-lc-rs.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    /// # Panics
    /// When the operating system has no randomness: to go on would hand out guessable secrets.
    fn fill(&self, bytes: &mut [u8]) {
        assert!(aws_lc_rs::rand::fill(bytes).is_ok(), "the operating system gives no randomness");
    }
}

/// A reproducible stream for tests: HMAC-SHA-256 of a counter under a seed. Never for production.
#[derive(Debug)]
pub struct SeededRandom {
    key: hmac::Key,
    counter: AtomicU64,
}

impl SeededRandom {
    /// The stream that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &seed.to_be_bytes()), counter: AtomicU64::new(0) }
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let counter = self.counter.fetch_add(1, Ordering::Relaxed);
            let block = hmac::sign(&self.key, &counter.to_be_bytes());
            for (byte, random) in chunk.iter_mut().zip(block.as_ref()) {
                *byte = *random;
            }
        }
    }
}

/// `bytes` random bytes in base64url without padding; 16 bytes make 22 characters of 128 bits.
pub fn token(rng: &dyn Random, bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    rng.fill(&mut buffer);
    base64url(&buffer)
}

/// Six characters of Crockford base32 (30 bits): the reference that a refusal shows to people.
pub fn reference(rng: &dyn Random) -> String {
    let mut bytes = [0; 6];
    rng.fill(&mut bytes);
    // 256 is a multiple of 32, so that the low five bits of a byte are uniform.
    bytes.iter().filter_map(|byte| CROCKFORD.get(usize::from(byte & 31))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_url_safe_and_never_repeat() {
        let first = token(&SystemRandom, 32);
        assert_eq!(first.len(), 43);
        assert!(first.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        assert_ne!(first, token(&SystemRandom, 32));
    }

    #[test]
    fn the_same_seed_gives_the_same_stream_and_the_stream_moves_on() {
        let (one, two, other) = (SeededRandom::new(7), SeededRandom::new(7), SeededRandom::new(8));
        let first = token(&one, 40);
        assert_eq!(first, token(&two, 40));
        assert_ne!(first, token(&one, 40));
        assert_ne!(first, token(&other, 40));
    }

    #[test]
    fn references_have_six_unambiguous_characters() {
        let rng = SeededRandom::new(1);
        for _ in 0..200 {
            let reference = reference(&rng);
            assert_eq!(reference.len(), 6);
            assert!(reference.chars().all(|char| CROCKFORD.contains(&char)), "{reference}");
            assert!(!reference.contains(['I', 'L', 'O', 'U']));
        }
    }
}
