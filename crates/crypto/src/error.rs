//! What can go wrong below the protocol. None of the texts contains key material or a plain text.

use thiserror::Error;

/// A cryptographic operation that could not be done.
#[derive(Debug, Error)]
pub enum CryptoError {
    /// The Argon2 parameters are outside what RFC 9106 §3.1 allows or what this process would ever run.
    #[error("password hashing parameters refused: {0}")]
    PasswordParams(String),
    /// A password is empty or longer than [`MAX_PASSWORD_BYTES`](crate::MAX_PASSWORD_BYTES).
    #[error("a password must have 1 to {max} bytes, this one has {bytes}", max = crate::MAX_PASSWORD_BYTES)]
    PasswordLength {
        /// How many it has.
        bytes: usize,
    },
    /// Argon2 refused to run.
    #[error("the password could not be hashed: {0}")]
    PasswordHash(String),
    /// Key bytes are unreadable, too weak or of another kind than announced.
    #[error("key refused: {0}")]
    KeyRejected(String),
    /// A fresh key could not be made.
    #[error("a {0} key could not be generated")]
    KeyGeneration(crate::Algorithm),
    /// The primitive failed to sign.
    #[error("signing with a {0} key failed")]
    Sign(crate::Algorithm),
    /// The sealed text is not ours, was changed, or was sealed under another key or for another purpose. Which of these it
    /// was cannot be told apart, on purpose.
    #[error("the sealed value does not open: another key, another purpose, or changed bytes")]
    Open,
    /// Claims that do not serialise to JSON.
    #[error("the claims do not serialise: {0}")]
    Claims(#[from] serde_json::Error),
}
