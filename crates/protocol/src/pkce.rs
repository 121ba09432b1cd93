//! Proof Key for Code Exchange, `S256` only (RFC 7636).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::{Problem, ProtocolError};
use crate::form::is_unreserved;
use crate::limits;

/// Length of a base64url SHA-256 digest without padding.
const CHALLENGE_LENGTH: usize = 43;

/// An `S256` challenge: 43 characters of base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeChallenge(String);

impl CodeChallenge {
    /// Reads `code_challenge` and `code_challenge_method` (RFC 7636 §4.3).
    ///
    /// `Ok(None)` when neither came. `plain`, a challenge without a method (whose default is `plain`), a method without
    /// a challenge and a malformed challenge are `invalid_request`: falling back would be the downgrade that the proof
    /// is there to prevent.
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Option<Self>, ProtocolError> {
        let (challenge, method) = match (challenge, method) {
            (None, None) => return Ok(None),
            (None, Some(method)) => {
                let refusal = ProtocolError::invalid_request("A code_challenge_method came without a code_challenge.");
                return Err(refusal.parameter("code_challenge").received(format!("method {method}")).problem(Problem::Missing));
            }
            (Some(_), None) => {
                let refusal = ProtocolError::invalid_request("The code_challenge_method is missing; it must be S256.");
                return Err(refusal.parameter("code_challenge_method").problem(Problem::Missing).expected("S256"));
            }
            (Some(challenge), Some(method)) => (challenge, method),
        };
        if method != "S256" {
            let refusal = ProtocolError::invalid_request("The code_challenge_method must be S256.");
            return Err(refusal.parameter("code_challenge_method").received(method).expected("S256"));
        }
        if challenge.len() != CHALLENGE_LENGTH || !challenge.bytes().all(is_base64url) {
            let refusal = ProtocolError::invalid_request("The code_challenge must be 43 characters of base64url.");
            return Err(refusal.parameter("code_challenge").received(challenge).expected("43 characters of base64url"));
        }
        Ok(Some(Self(challenge.to_owned())))
    }

    /// The challenge that belongs to `verifier` (RFC 7636 §4.2).
    pub fn from_verifier(verifier: &CodeVerifier) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.0.as_bytes())))
    }

    /// A challenge that was parsed before and stored.
    pub fn from_stored(challenge: String) -> Self {
        Self(challenge)
    }

    /// Whether `verifier` belongs to this challenge, in constant time (RFC 7636 §4.6).
    pub fn verify(&self, verifier: &CodeVerifier) -> bool {
        let computed = Self::from_verifier(verifier);
        bool::from(computed.0.as_bytes().ct_eq(self.0.as_bytes()))
    }

    /// The 43 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A `code_verifier`: 43 to 128 unreserved characters. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeVerifier(String);

impl CodeVerifier {
    /// Reads a verifier; a malformed one is `invalid_grant`, as one that does not match would be (RFC 7636 §4.6).
    pub fn parse(verifier: &str) -> Result<Self, ProtocolError> {
        let length = verifier.len();
        let fits = (limits::CODE_VERIFIER_MIN..=limits::CODE_VERIFIER_MAX).contains(&length);
        if !fits || !verifier.bytes().all(is_unreserved) {
            let refusal = ProtocolError::invalid_grant("The code_verifier must be 43 to 128 unreserved characters.");
            return Err(refusal.parameter("code_verifier").received(format!("{length} bytes")).expected("43 to 128 unreserved characters"));
        }
        Ok(Self(verifier.to_owned()))
    }

    /// The characters, to be sent and never to be logged.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeVerifier(..)")
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorCode;

    // RFC 7636 appendix B
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc_verifies() {
        let challenge = CodeChallenge::parse(Some(CHALLENGE), Some("S256")).unwrap().unwrap();
        assert!(challenge.verify(&CodeVerifier::parse(VERIFIER).unwrap()));
        assert!(!challenge.verify(&CodeVerifier::parse(CHALLENGE).unwrap()));
    }

    #[test]
    fn anything_weaker_than_s256_is_refused() {
        let short = &CHALLENGE[1..];
        let table = [
            (Some(CHALLENGE), None),
            (Some(CHALLENGE), Some("plain")),
            (Some(CHALLENGE), Some("s256")),
            (Some(CHALLENGE), Some("S512")),
            (None, Some("S256")),
            (Some(short), Some("S256")),
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"), Some("S256")),
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM="), Some("S256")),
        ];
        for (challenge, method) in table {
            let error = CodeChallenge::parse(challenge, method).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidRequest, "{challenge:?} {method:?}");
        }
        assert_eq!(CodeChallenge::parse(None, None).unwrap(), None);
    }

    #[test]
    fn malformed_verifiers_are_invalid_grants_and_stay_secret() {
        for verifier in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(43)), "é".repeat(30)] {
            let error = CodeVerifier::parse(&verifier).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidGrant);
            assert!(!error.received.unwrap().contains('a'.to_string().repeat(3).as_str()));
        }
        assert_eq!(format!("{:?}", CodeVerifier::parse(VERIFIER).unwrap()), "CodeVerifier(..)");
    }

    proptest! {
        #[test]
        fn a_verifier_matches_its_own_challenge_only(one in "[A-Za-z0-9._~-]{43,128}", two in "[A-Za-z0-9._~-]{43,128}") {
            let (first, second) = (CodeVerifier::parse(&one).unwrap(), CodeVerifier::parse(&two).unwrap());
            let challenge = CodeChallenge::from_verifier(&first);
            let parsed = CodeChallenge::parse(Some(challenge.as_str()), Some("S256")).unwrap().unwrap();
            prop_assert!(parsed.verify(&first));
            prop_assert_eq!(parsed.verify(&second), one == two);
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = CodeVerifier::parse(&text);
            let _ = CodeChallenge::parse(Some(&text), Some("S256"));
        }
    }
}
