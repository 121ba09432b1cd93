#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

/// The key of RFC 7638 §3.1.
const RFC_7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

/// The key of RFC 8037 A.2.
const RFC_8037_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn rsa(n: &str, e: &str) -> Value {
    json!({ "kty": "RSA", "n": n, "e": e })
}

#[test]
fn a_key_survives_storage_and_keeps_its_name() {
    for algorithm in Algorithm::ALL {
        let (key, pkcs8) = SigningKey::generate(algorithm).unwrap();
        let loaded = SigningKey::from_pkcs8(algorithm, &pkcs8).unwrap();
        assert_eq!(key.kid, loaded.kid);
        assert_eq!(key.jwk(), loaded.jwk());
        let signature = key.sign(b"message").unwrap();
        for verifying in [loaded.verifying_key(), VerifyingKey::from_jwk(&key.jwk()).unwrap(), VerifyingKey::from(&key)] {
            assert_eq!((&verifying.kid, verifying.algorithm), (&key.kid, algorithm));
            assert!(verifying.verify(b"message", &signature));
            assert!(!verifying.verify(b"messagf", &signature));
            assert!(!verifying.verify(b"message", &[]));
            assert!(!verifying.verify(b"message", &signature[1..]));
            assert!(!verifying.verify(b"message", &vec![0; signature.len()]));
        }
    }
}

#[test]
fn a_private_key_of_another_kind_is_refused() {
    for stored in Algorithm::ALL {
        let (_, pkcs8) = SigningKey::generate(stored).unwrap();
        for announced in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != stored) {
            assert!(SigningKey::from_pkcs8(announced, &pkcs8).is_err(), "{stored} as {announced}");
        }
        assert!(SigningKey::from_pkcs8(stored, &pkcs8[..pkcs8.len() - 1]).is_err());
    }
    assert!(SigningKey::from_pkcs8(Algorithm::RS256, b"").is_err());
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let key = VerifyingKey::from_jwk(&rsa(RFC_7638_N, "AQAB")).unwrap();
    assert_eq!(key.kid, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let key = VerifyingKey::from_jwk(&json!({ "kty": "OKP", "crv": "Ed25519", "x": RFC_8037_X })).unwrap();
    assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn the_signature_of_rfc_8037_verifies() {
    let key = VerifyingKey::from_jwk(&json!({ "kty": "OKP", "crv": "Ed25519", "x": RFC_8037_X, "kid": "k" })).unwrap();
    let signature = from_base64url("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg").unwrap();
    assert_eq!(key.kid, "k");
    assert!(key.verify(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", &signature));
}

#[test]
fn a_jwk_shows_public_members_only_even_if_a_private_one_came_in() {
    for algorithm in Algorithm::ALL {
        let (key, _) = SigningKey::generate(algorithm).unwrap();
        let mut jwk = key.jwk();
        assert_eq!((jwk["use"].as_str(), jwk["alg"].as_str()), (Some("sig"), Some(algorithm.as_str())));
        jwk["d"] = json!("c2VjcmV0");
        let shown = VerifyingKey::from_jwk(&jwk).unwrap().jwk().clone();
        assert_eq!(shown, key.jwk());
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(shown.get(private).is_none(), "{private}");
        }
    }
}

#[test]
fn unusable_jwks_are_refused() {
    let (ec, _) = SigningKey::generate(Algorithm::ES256).unwrap();
    let with = |member: &str, value: Value| {
        let mut jwk = ec.jwk();
        jwk[member] = value;
        jwk
    };
    let weak = base64url(&[0xff; 128]);
    let refused = [
        json!(null),
        json!([]),
        json!({}),
        json!({ "kty": "oct", "k": "c2VjcmV0" }),
        with("crv", json!("P-384")),
        with("use", json!("enc")),
        with("alg", json!("RS256")),
        with("alg", json!(256)),
        with("x", json!("AAAA")),
        with("x", json!(base64url(&[1; 32]))),
        with("y", json!(null)),
        rsa(&weak, "AQAB"),
        rsa("", "AQAB"),
        rsa(RFC_7638_N, ""),
        rsa(RFC_7638_N, "AQ"),
        rsa(RFC_7638_N, "AQAA"),
        rsa(&format!("{RFC_7638_N}="), "AQAB"),
    ];
    for jwk in refused {
        assert!(VerifyingKey::from_jwk(&jwk).is_err(), "{jwk}");
    }
}

#[test]
fn a_needless_leading_zero_in_a_modulus_changes_nothing() {
    let mut n = from_base64url(RFC_7638_N).unwrap();
    n.insert(0, 0);
    let key = VerifyingKey::from_jwk(&rsa(&base64url(&n), "AAEAAQ")).unwrap();
    assert_eq!(key.jwk()["n"], RFC_7638_N);
    assert_eq!(key.kid, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn algorithms_have_their_jose_names_and_no_others() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
        assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.as_str());
        assert_eq!(serde_json::from_value::<Algorithm>(json!(algorithm.as_str())).unwrap(), algorithm);
    }
    for other in ["none", "HS256", "rs256", "RS512", "Ed25519", ""] {
        assert_eq!(Algorithm::parse(other), None);
    }
}

#[test]
fn debug_shows_nothing_private() {
    let (key, _) = SigningKey::generate(Algorithm::EdDSA).unwrap();
    assert_eq!(format!("{key:?}"), format!("SigningKey(EdDSA {})", key.kid));
}
