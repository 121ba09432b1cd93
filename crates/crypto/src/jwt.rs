//! JSON Web Tokens: a compact JWS encoder with headers made beforehand, and a parser that trusts nothing.
//!
//! A token is [`UnverifiedJwt`] until a key that the caller chose has verified it; only then are there claims. `exp`, `nbf`,
//! `iss`, `aud` and `typ` are the caller's to judge: this crate has no clock and no issuer.

use std::fmt;

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::{Algorithm, CryptoError, SigningKey, VerifyingKey, base64url, from_base64url};

/// The `typ` of access tokens (RFC 9068 §2.1).
pub const ACCESS_TOKEN_TYP: &str = "at+jwt";

/// The `typ` of ID tokens.
pub const ID_TOKEN_TYP: &str = "JWT";

/// The longest token that [`UnverifiedJwt::parse`] looks at, in bytes.
pub const MAX_JWT_BYTES: usize = 8 * 1024;

/// Signs `claims`, which must serialise to a JSON object, as a compact JWS with the header `alg`, `kid`, `typ`.
pub fn encode<T: Serialize>(key: &SigningKey, typ: &str, claims: &T) -> Result<String, CryptoError> {
    let payload = base64url(&serde_json::to_vec(claims)?);
    let mut token = match key.cached_header(typ) {
        Some(header) => with_room_for(header, payload.len()),
        None => with_room_for(&encode_header(key.algorithm, &key.kid, typ)?, payload.len()),
    };
    token.push('.');
    token.push_str(&payload);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&base64url(&signature));
    Ok(token)
}

/// `at_hash` and `c_hash` (OpenID Connect Core §3.1.3.6, §3.3.2.11): the left half of the hash of `value`, base64url. Ed25519
/// hashes with SHA-512 inside, and that is the hash clients take for `EdDSA`.
pub fn half_hash(algorithm: Algorithm, value: &str) -> String {
    let hash = match algorithm {
        Algorithm::RS256 | Algorithm::ES256 => digest(&SHA256, value.as_bytes()),
        Algorithm::EdDSA => digest(&SHA512, value.as_bytes()),
    };
    let hash = hash.as_ref();
    base64url(hash.split_at(hash.len() / 2).0)
}

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum JwtError {
    /// Not three parts of strict base64url with JSON objects inside, or a header this server must not ignore (`crit`).
    #[error("the token is malformed")]
    Malformed,
    /// Longer than the limit; it was not read.
    #[error("the token is too long")]
    TooLong,
    /// The header's `alg` is not the key's, `none` and the HMAC family included.
    #[error("the token's alg is not the key's")]
    AlgNotAllowed,
    /// No `kid`, or one that nobody here has.
    #[error("the token names no known key")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// Genuine, and yet the claims are not what was expected.
    #[error("the token's claims are not of the expected shape")]
    BadClaims,
}

impl JwtError {
    /// A stable name for logs and explanations.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::AlgNotAllowed => "alg_not_allowed",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::BadClaims => "bad_claims",
        }
    }
}

/// The members of a JOSE header that mean something here. `jwk`, `jku`, `x5c` and `x5u` are not read: a token never brings
/// its own key (RFC 8725 §3.5).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// The claimed algorithm, as text: it may be anything.
    pub alg: String,
    /// The claimed key.
    #[serde(default)]
    pub kid: Option<String>,
    /// The claimed type; compare with [`Header::is_typ`].
    #[serde(default)]
    pub typ: Option<String>,
    #[serde(default, deserialize_with = "is_present")]
    crit: bool,
}

impl Header {
    /// Whether `typ` is `expected`, without regard to case and with or without `application/` (RFC 7515 §4.1.9).
    pub fn is_typ(&self, expected: &str) -> bool {
        let Some(typ) = self.typ.as_deref() else {
            return false;
        };
        let short = match typ.split_at_checked("application/".len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") && !rest.contains('/') => rest,
            _ => typ,
        };
        short.eq_ignore_ascii_case(expected)
    }
}

/// A token whose signature nobody has checked yet. Its header is a claim like any other, good for choosing a key; its
/// payload cannot be seen.
pub struct UnverifiedJwt<'a> {
    /// What the token says about itself.
    pub header: Header,
    signing_input: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> UnverifiedJwt<'a> {
    /// Takes a compact JWS of at most [`MAX_JWT_BYTES`] apart.
    pub fn parse(token: &'a str) -> Result<Self, JwtError> {
        Self::parse_limited(token, MAX_JWT_BYTES)
    }

    /// Takes a compact JWS of at most `max_bytes` apart.
    pub fn parse_limited(token: &'a str, max_bytes: usize) -> Result<Self, JwtError> {
        if token.len() > max_bytes {
            return Err(JwtError::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwtError::Malformed)?;
        // A fourth part would leave a dot in the payload, which base64url refuses.
        let header = json_object(header)?;
        let payload = json_object(payload)?;
        let signature = from_base64url(signature).ok_or(JwtError::Malformed)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| JwtError::Malformed)?;
        if header.crit {
            // RFC 7515 §4.1.11: an extension that is critical and not understood; none is understood here.
            return Err(JwtError::Malformed);
        }
        Ok(Self { header, signing_input, payload, signature })
    }

    /// The claims, if `key` signed this token with its own algorithm. The header's `alg` chooses nothing: it must equal the
    /// key's, so that neither `none` nor an HMAC over the public key is ever tried (RFC 8725 §2.1).
    pub fn verify<T: DeserializeOwned>(&self, key: &VerifyingKey) -> Result<T, JwtError> {
        if self.header.alg != key.algorithm.as_str() {
            return Err(JwtError::AlgNotAllowed);
        }
        if !key.verify(self.signing_input.as_bytes(), &self.signature) {
            return Err(JwtError::BadSignature);
        }
        serde_json::from_slice(&self.payload).map_err(|_| JwtError::BadClaims)
    }
}

impl fmt::Debug for UnverifiedJwt<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UnverifiedJwt").field("header", &self.header).finish_non_exhaustive()
    }
}

pub(crate) fn encode_header(algorithm: Algorithm, kid: &str, typ: &str) -> Result<String, CryptoError> {
    let header = serde_json::json!({ "alg": algorithm.as_str(), "kid": kid, "typ": typ });
    Ok(base64url(&serde_json::to_vec(&header)?))
}

/// The header with capacity for a payload and for the longest signature: 342 characters of RS256 and two dots.
fn with_room_for(header: &str, payload: usize) -> String {
    let mut token = String::with_capacity(header.len() + payload + 344);
    token.push_str(header);
    token
}

/// The bytes of one part, which must begin like a JSON object: serde would read a struct from an array, too.
fn json_object(part: &str) -> Result<Vec<u8>, JwtError> {
    let bytes = from_base64url(part).ok_or(JwtError::Malformed)?;
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(JwtError::Malformed);
    }
    Ok(bytes)
}

/// True for any value, `null` included: for `crit` the presence counts.
fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[cfg(test)]
mod tests;
