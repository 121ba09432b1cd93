//! Key pairs that sign and public keys that verify, both parsed once. RSA is 2048 bits: parsing it for each signature, as
//! general-purpose JWT libraries do, makes RS256 cost 660 µs instead of 280.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{CryptoError, base64url, from_base64url, jwt};

/// The signature algorithms of tokens (RFC 7518 §3.1, RFC 8037 §3.1), named as in JOSE headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSA PKCS #1 v1.5 with SHA-256, the one every client knows.
    RS256,
    /// ECDSA on P-256 with SHA-256, the signature as r ‖ s.
    ES256,
    /// Ed25519.
    EdDSA,
}

impl Algorithm {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::RS256, Self::ES256, Self::EdDSA];

    /// The JOSE name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm of that exact JOSE name; `none` and the HMAC family have none here.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A private key, ready to sign. Clones share it.
#[derive(Clone)]
pub struct SigningKey {
    /// The JWK thumbprint of the public half (RFC 7638), so that a key has the same name wherever it is loaded.
    pub kid: String,
    /// The one algorithm it signs with (RFC 8725 §3.1).
    pub algorithm: Algorithm,
    inner: Arc<Inner>,
}

struct Inner {
    pair: Pair,
    verifying: VerifyingKey,
    access_token_header: String,
    id_token_header: String,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A fresh key and its PKCS #8 DER, to be sealed and stored. An RSA key takes about 0.1 s.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Zeroizing<Vec<u8>>), CryptoError> {
        let pkcs8 = generate_pkcs8(algorithm).ok_or(CryptoError::KeyGeneration(algorithm))?;
        Ok((Self::from_pkcs8(algorithm, &pkcs8)?, pkcs8))
    }

    /// The key in a PKCS #8 DER document. A key of another kind than `algorithm` wants, or RSA under 2048 bits, is refused.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, CryptoError> {
        let rejected = |error| CryptoError::KeyRejected(format!("not a private {algorithm} key in PKCS #8: {error}"));
        let pair = match algorithm {
            Algorithm::RS256 => Pair::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(rejected)?),
            Algorithm::ES256 => Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(rejected)?),
            Algorithm::EdDSA => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(rejected)?),
        };
        let verifying = VerifyingKey::from_public(None, pair.public()?)?;
        let (kid, algorithm) = (verifying.kid.clone(), verifying.algorithm);
        let access_token_header = jwt::encode_header(algorithm, &kid, jwt::ACCESS_TOKEN_TYP)?;
        let id_token_header = jwt::encode_header(algorithm, &kid, jwt::ID_TOKEN_TYP)?;
        Ok(Self { kid, algorithm, inner: Arc::new(Inner { pair, verifying, access_token_header, id_token_header }) })
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.inner.verifying.clone()
    }

    /// The public JWK (RFC 7517 §4): `kty use alg kid` and `n e` or `crv x` (`y`).
    pub fn jwk(&self) -> Value {
        self.inner.verifying.jwk().clone()
    }

    /// The signature of `message` in JWS form (RFC 7518 §3.3, §3.4: r ‖ s, not DER).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let failed = |_| CryptoError::Sign(self.algorithm);
        match &self.inner.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
        }
    }

    /// The encoded header for `typ` where it was made beforehand: access and ID tokens are nearly all that is signed.
    pub(crate) fn cached_header(&self, typ: &str) -> Option<&str> {
        match typ {
            jwt::ACCESS_TOKEN_TYP => Some(&self.inner.access_token_header),
            jwt::ID_TOKEN_TYP => Some(&self.inner.id_token_header),
            _ => None,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({} {})", self.algorithm, self.kid)
    }
}

impl Pair {
    fn public(&self) -> Result<Public, CryptoError> {
        match self {
            Self::Rsa(pair) => {
                let key = pair.public_key();
                Ok(Public::Rsa {
                    n: key.modulus().big_endian_without_leading_zero().to_vec(),
                    e: key.exponent().big_endian_without_leading_zero().to_vec(),
                })
            }
            Self::Ecdsa(pair) => Public::from_sec1(pair.public_key().as_ref()),
            Self::Ed25519(pair) => Public::ed25519(pair.public_key().as_ref()),
        }
    }
}

fn generate_pkcs8(algorithm: Algorithm) -> Option<Zeroizing<Vec<u8>>> {
    let der: Pkcs8V1Der<'static> = match algorithm {
        Algorithm::RS256 => aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).ok()?.as_der().ok()?,
        Algorithm::ES256 => {
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).ok()?;
            return Some(Zeroizing::new(document.as_ref().to_vec()));
        }
        Algorithm::EdDSA => Ed25519KeyPair::generate().ok()?.as_der().ok()?,
    };
    Some(Zeroizing::new(der.as_ref().to_vec()))
}

/// A public key, parsed once. Clones share it.
#[derive(Clone)]
pub struct VerifyingKey {
    /// The key's name: the JWK's `kid`, or the thumbprint where the JWK has none.
    pub kid: String,
    /// The one algorithm it verifies; a token that claims another is refused before any arithmetic (RFC 8725 §3.1).
    pub algorithm: Algorithm,
    inner: Arc<(ParsedPublicKey, Value)>,
}

impl VerifyingKey {
    /// The key of a JWK, ours or a client's. Only public members are read and kept. Refused: other key types and curves, a
    /// `use` other than `sig`, an `alg` that contradicts the key, RSA outside 2048 to 8192 bits, a point off the curve.
    pub fn from_jwk(jwk: &Value) -> Result<Self, CryptoError> {
        if jwk.get("use").is_some_and(|usage| usage != "sig") {
            return Err(CryptoError::KeyRejected("the JWK is not for signatures".into()));
        }
        let public = Public::from_jwk(jwk)?;
        if jwk.get("alg").is_some_and(|alg| alg != public.algorithm().as_str()) {
            return Err(CryptoError::KeyRejected(format!("the JWK's alg is not {}", public.algorithm())));
        }
        Self::from_public(jwk.get("kid").and_then(Value::as_str).map(str::to_owned), public)
    }

    /// The public JWK, rebuilt from the key: never a private member, always `kty use alg kid`.
    pub fn jwk(&self) -> &Value {
        &self.inner.1
    }

    /// Whether `signature` (in JWS form) over `message` is this key's.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.inner.0.verify_sig(message, signature).is_ok()
    }

    fn from_public(kid: Option<String>, public: Public) -> Result<Self, CryptoError> {
        let kid = kid.unwrap_or_else(|| public.thumbprint());
        let (parsed, jwk) = (public.parse()?, public.jwk(&kid));
        Ok(Self { kid, algorithm: public.algorithm(), inner: Arc::new((parsed, jwk)) })
    }
}

impl From<&SigningKey> for VerifyingKey {
    fn from(key: &SigningKey) -> Self {
        key.verifying_key()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerifyingKey({} {})", self.algorithm, self.kid)
    }
}

/// The numbers of a public key, big-endian.
enum Public {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256 { x: [u8; 32], y: [u8; 32] },
    Ed25519 { x: [u8; 32] },
}

impl Public {
    fn from_jwk(jwk: &Value) -> Result<Self, CryptoError> {
        let text = |member: &str| jwk.get(member).and_then(Value::as_str);
        let bytes = |member: &str| {
            text(member).and_then(from_base64url).ok_or_else(|| CryptoError::KeyRejected(format!("the JWK's {member} is missing or not base64url")))
        };
        match (text("kty"), text("crv")) {
            (Some("RSA"), None) => Ok(Self::Rsa { n: without_leading_zeros(&bytes("n")?), e: without_leading_zeros(&bytes("e")?) }),
            (Some("EC"), Some("P-256")) => Ok(Self::P256 { x: coordinate(&bytes("x")?)?, y: coordinate(&bytes("y")?)? }),
            (Some("OKP"), Some("Ed25519")) => Self::ed25519(&bytes("x")?),
            _ => Err(CryptoError::KeyRejected("the JWK's kty and crv are not RSA, EC P-256 or OKP Ed25519".into())),
        }
    }

    /// SEC 1 §2.3.3, uncompressed: `04 ‖ x ‖ y`.
    fn from_sec1(point: &[u8]) -> Result<Self, CryptoError> {
        let (x, y) = match point.split_first() {
            Some((4, coordinates)) if coordinates.len() == 64 => coordinates.split_at(32),
            _ => {
                return Err(CryptoError::KeyRejected("not an uncompressed P-256 point".into()));
            }
        };
        Ok(Self::P256 { x: coordinate(x)?, y: coordinate(y)? })
    }

    fn ed25519(x: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self::Ed25519 { x: coordinate(x)? })
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::RS256,
            Self::P256 { .. } => Algorithm::ES256,
            Self::Ed25519 { .. } => Algorithm::EdDSA,
        }
    }

    fn parse(&self) -> Result<ParsedPublicKey, CryptoError> {
        let parsed = match self {
            Self::Rsa { n, e } => {
                // aws-lc checks the size only when verifying; a weak key is refused when it is registered, not at every use.
                let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
                if !(2048..=8192).contains(&bits) {
                    return Err(CryptoError::KeyRejected(format!("an RSA key of {bits} bits; 2048 to 8192 are accepted")));
                }
                // With e = 1 every message is its own signature; aws-lc lets it pass here.
                if e.as_slice() == [1] || e.last().is_none_or(|byte| byte % 2 == 0) {
                    return Err(CryptoError::KeyRejected("an RSA exponent is odd and at least 3".into()));
                }
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            }
            Self::P256 { x, y } => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4], x.as_slice(), y.as_slice()].concat()),
            Self::Ed25519 { x } => ParsedPublicKey::new(&ED25519, x),
        };
        parsed.map_err(|error| CryptoError::KeyRejected(format!("not a public {} key: {error}", self.algorithm())))
    }

    /// RFC 7638 §3: SHA-256 over the required members in lexicographic order, no white space.
    fn thumbprint(&self) -> String {
        let canonical = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, base64url(e), base64url(n)),
            Self::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, base64url(x), base64url(y))
            }
            Self::Ed25519 { x } => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url(x))
            }
        };
        base64url(digest(&SHA256, canonical.as_bytes()).as_ref())
    }

    fn jwk(&self, kid: &str) -> Value {
        let alg = self.algorithm().as_str();
        match self {
            Self::Rsa { n, e } => {
                json!({ "kty": "RSA", "use": "sig", "alg": alg, "kid": kid, "n": base64url(n), "e": base64url(e) })
            }
            Self::P256 { x, y } => json!({
                "kty": "EC", "use": "sig", "alg": alg, "kid": kid, "crv": "P-256", "x": base64url(x), "y": base64url(y),
            }),
            Self::Ed25519 { x } => {
                json!({ "kty": "OKP", "use": "sig", "alg": alg, "kid": kid, "crv": "Ed25519", "x": base64url(x) })
            }
        }
    }
}

/// RFC 7518 §6.3.1.1: no extra octet, though many encoders write one.
fn without_leading_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// RFC 7518 §6.2.1.2: exactly 32 octets, leading zeros included.
fn coordinate(bytes: &[u8]) -> Result<[u8; 32], CryptoError> {
    bytes.try_into().map_err(|_| CryptoError::KeyRejected(format!("a coordinate has 32 bytes, this one has {}", bytes.len())))
}

#[cfg(test)]
mod tests;
