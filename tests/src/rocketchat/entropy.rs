//! Random strings, from the system or from a seed so that a failing test can be repeated.

use std::fs::File;
use std::io::Read;

/// `[A-Za-z0-9_-]`, Meteor's alphabet for secrets.
pub const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// `[A-Za-z0-9]`.
pub const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// `[0-9a-f]`.
pub const HEX: &[u8] = b"0123456789abcdef";

/// A source of random bytes.
#[derive(Debug, Clone)]
pub struct Entropy {
    state: Option<u64>,
}

impl Entropy {
    /// The system's.
    pub fn system() -> Self {
        Self { state: None }
    }

    /// A fixed sequence.
    pub fn seeded(seed: u64) -> Self {
        Self { state: Some(seed | 1) }
    }

    /// A string of `length` letters of `alphabet`.
    pub fn string(&mut self, length: usize, alphabet: &[u8]) -> String {
        let bytes = self.bytes(length);
        bytes.into_iter().map(|byte| char::from(alphabet[usize::from(byte) % alphabet.len()])).collect()
    }

    /// `length` random bytes.
    ///
    /// # Panics
    /// When the system has no random device.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        match &mut self.state {
            None => File::open("/dev/urandom").and_then(|mut device| device.read_exact(&mut bytes)).expect("the random device"),
            Some(state) => {
                for byte in &mut bytes {
                    // xorshift64: repeatable and without a dependency, not secret.
                    *state ^= *state << 13;
                    *state ^= *state >> 7;
                    *state ^= *state << 17;
                    *byte = state.to_le_bytes()[4];
                }
            }
        }
        bytes
    }
}
