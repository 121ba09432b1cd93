//! The keys of one issuer: which one signs now, which ones verify, which ones are published.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Algorithm, JwtError, SigningKey, UnverifiedJwt, VerifyingKey};

/// One key and its times, in Unix seconds.
#[derive(Debug, Clone)]
pub struct RingKey {
    /// The private half; `None` for a key that only verifies any more.
    pub signing: Option<SigningKey>,
    /// The public half.
    pub verifying: VerifyingKey,
    /// From when on it signs. It is published before, so that relying parties that cache the JWKS know it in time.
    pub active_from: i64,
    /// When it leaves the JWKS; `None` while it is not being replaced.
    pub published_until: Option<i64>,
}

impl RingKey {
    /// Whether the JWKS shows this key at `now`.
    pub fn is_published(&self, now: i64) -> bool {
        self.published_until.is_none_or(|until| now < until)
    }
}

/// All keys of an issuer. A handful, so every look-up is a walk.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    /// The keys in no particular order; of two with the same `active_from` the later one is the newer.
    pub keys: Vec<RingKey>,
}

impl KeyRing {
    /// A ring of `keys`.
    pub fn new(keys: Vec<RingKey>) -> Self {
        Self { keys }
    }

    /// The key that signs with `algorithm` at `now`: the newest that is active and still published. A key announced for later
    /// does not sign yet; the one that it will replace goes on until then.
    pub fn signer(&self, algorithm: Algorithm, now: i64) -> Option<&SigningKey> {
        self.keys
            .iter()
            .filter(|key| key.active_from <= now && key.is_published(now))
            .filter_map(|key| key.signing.as_ref().map(|signing| (key.active_from, signing)))
            .filter(|(_, signing)| signing.algorithm == algorithm)
            .max_by_key(|(active_from, _)| *active_from)
            .map(|(_, signing)| signing)
    }

    /// The key named `kid`, retired ones included: an `id_token_hint` may be old.
    pub fn verifier(&self, kid: &str) -> Option<&VerifyingKey> {
        self.keys.iter().map(|key| &key.verifying).find(|verifying| verifying.kid == kid)
    }

    /// The claims of `jwt` if a key of this ring signed it. A token without `kid`, or with one that the ring does not have, is
    /// [`JwtError::UnknownKey`]; the caller may read the keys again and repeat. Times, issuer and audience are not judged.
    pub fn verify<T: DeserializeOwned>(&self, jwt: &UnverifiedJwt<'_>) -> Result<T, JwtError> {
        let kid = jwt.header.kid.as_deref().ok_or(JwtError::UnknownKey)?;
        jwt.verify(self.verifier(kid).ok_or(JwtError::UnknownKey)?)
    }

    /// The JWK Set to publish at `now` (RFC 7517 §5): `{"keys":[…]}` with public members only, keys not yet active included.
    pub fn jwks(&self, now: i64) -> Value {
        let published = self.keys.iter().filter(|key| key.is_published(now));
        json!({ "keys": published.map(|key| key.verifying.jwk()).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use crate::jwt;

    fn ring_key(algorithm: Algorithm, active_from: i64, published_until: Option<i64>) -> RingKey {
        let (signing, _) = SigningKey::generate(algorithm).unwrap();
        RingKey { verifying: signing.verifying_key(), signing: Some(signing), active_from, published_until }
    }

    fn kid(ring: &KeyRing, algorithm: Algorithm, now: i64) -> Option<String> {
        ring.signer(algorithm, now).map(|key| key.kid.clone())
    }

    #[test]
    fn the_announced_key_takes_over_at_its_time_and_the_old_one_leaves_at_its_own() {
        let old = ring_key(Algorithm::ES256, 0, Some(200));
        let new = ring_key(Algorithm::ES256, 100, None);
        let (old_kid, new_kid) = (old.verifying.kid.clone(), new.verifying.kid.clone());
        let ring = KeyRing::new(vec![new, old]);

        assert_eq!(kid(&ring, Algorithm::ES256, -1), None);
        assert_eq!(kid(&ring, Algorithm::ES256, 99), Some(old_kid.clone()));
        assert_eq!(kid(&ring, Algorithm::ES256, 100), Some(new_kid.clone()));
        assert_eq!(ring.jwks(99)["keys"].as_array().unwrap().len(), 2);
        assert_eq!(ring.jwks(200)["keys"].as_array().unwrap().len(), 1);
        assert_eq!(ring.jwks(200)["keys"][0]["kid"], new_kid);
        assert!(ring.verifier(&old_kid).is_some());
    }

    #[test]
    fn a_retired_key_and_a_public_half_sign_nothing() {
        let mut public = ring_key(Algorithm::EdDSA, 50, None);
        public.signing = None;
        let ring = KeyRing::new(vec![ring_key(Algorithm::EdDSA, 0, Some(60)), public]);
        assert!(ring.signer(Algorithm::EdDSA, 59).is_some());
        assert!(ring.signer(Algorithm::EdDSA, 60).is_none());
        assert!(ring.signer(Algorithm::ES256, 10).is_none());
    }

    #[test]
    fn the_ring_verifies_by_kid_and_refuses_strangers() {
        let ring = KeyRing::new(vec![ring_key(Algorithm::ES256, 0, None), ring_key(Algorithm::EdDSA, 0, None)]);
        for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
            let token = jwt::encode(ring.signer(algorithm, 0).unwrap(), "JWT", &json!({ "sub": "u" })).unwrap();
            let claims: Value = ring.verify(&UnverifiedJwt::parse(&token).unwrap()).unwrap();
            assert_eq!(claims["sub"], "u");
        }
        let (stranger, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let token = jwt::encode(&stranger, "JWT", &json!({ "sub": "u" })).unwrap();
        let result: Result<Value, _> = ring.verify(&UnverifiedJwt::parse(&token).unwrap());
        assert_eq!(result.unwrap_err(), JwtError::UnknownKey);
    }
}
