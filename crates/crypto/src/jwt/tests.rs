#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use serde_json::{Value, json};

use super::*;

fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm).unwrap().0
}

fn claims() -> Value {
    json!({ "iss": "https://op.example", "sub": "u1", "aud": ["c1"], "exp": 2, "scope": "openid" })
}

fn verify(token: &str, key: &SigningKey) -> Result<Value, JwtError> {
    UnverifiedJwt::parse(token)?.verify(&key.verifying_key())
}

/// `token` with the members of `header` put in the place of its own; the signature stays.
fn with_header(token: &str, header: &str) -> String {
    format!("{}.{}", base64url(header.as_bytes()), token.split_once('.').unwrap().1)
}

#[test]
fn what_a_key_signs_it_verifies_for_every_typ() {
    for algorithm in Algorithm::ALL {
        let key = key(algorithm);
        for typ in [ACCESS_TOKEN_TYP, ID_TOKEN_TYP, "logout+jwt"] {
            let token = encode(&key, typ, &claims()).unwrap();
            let unverified = UnverifiedJwt::parse(&token).unwrap();
            assert_eq!(unverified.header.alg, algorithm.as_str());
            assert_eq!(unverified.header.kid.as_deref(), Some(key.kid.as_str()));
            assert!(unverified.header.is_typ(typ));
            assert_eq!(unverified.verify::<Value>(&key.verifying_key()).unwrap(), claims());
        }
    }
}

#[test]
fn an_independent_decoder_reads_every_token_with_the_published_key() {
    for algorithm in Algorithm::ALL {
        let key = key(algorithm);
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.jwk()).unwrap();
        let decoding = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let mut validation = jsonwebtoken::Validation::new(algorithm.as_str().parse().unwrap());
        validation.validate_exp = false;
        validation.set_audience(&["c1"]);
        let token = encode(&key, ACCESS_TOKEN_TYP, &claims()).unwrap();
        let decoded = jsonwebtoken::decode::<Value>(&token, &decoding, &validation).unwrap();
        assert_eq!(decoded.claims, claims());
        assert_eq!(decoded.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(decoded.header.kid, Some(key.kid.clone()));
        assert_eq!(jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(), key.kid);
    }
}

#[test]
fn an_unsigned_token_is_refused_however_none_is_written() {
    let key = key(Algorithm::RS256);
    let token = encode(&key, ID_TOKEN_TYP, &claims()).unwrap();
    for alg in ["none", "None", "NONE", "", "RS256 "] {
        let forged = with_header(&token, &json!({ "alg": alg, "kid": key.kid }).to_string());
        assert_eq!(verify(&forged, &key), Err(JwtError::AlgNotAllowed), "{alg}");
        let (unsigned, _) = forged.rsplit_once('.').unwrap();
        assert_eq!(verify(&format!("{unsigned}."), &key), Err(JwtError::AlgNotAllowed), "{alg}");
    }
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{unsigned}."), &key), Err(JwtError::BadSignature));
}

#[test]
fn an_hmac_under_the_public_key_is_refused() {
    let key = key(Algorithm::RS256);
    let token = encode(&key, ID_TOKEN_TYP, &claims()).unwrap();
    let payload = token.split('.').nth(1).unwrap();
    for secret in [key.jwk().to_string().into_bytes(), from_base64url(key.jwk()["n"].as_str().unwrap()).unwrap()] {
        let input = format!("{}.{payload}", base64url(br#"{"alg":"HS256","typ":"JWT"}"#));
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
        let forged = format!("{input}.{}", base64url(aws_lc_rs::hmac::sign(&secret, input.as_bytes()).as_ref()));
        assert_eq!(verify(&forged, &key), Err(JwtError::AlgNotAllowed));
    }
}

#[test]
fn a_token_never_verifies_under_another_key_or_another_algorithm() {
    for signer in Algorithm::ALL {
        let (signing, same_algorithm) = (key(signer), key(signer));
        let token = encode(&signing, ACCESS_TOKEN_TYP, &claims()).unwrap();
        assert_eq!(verify(&token, &same_algorithm), Err(JwtError::BadSignature));
        for other in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != signer) {
            let other_key = key(other);
            assert_eq!(verify(&token, &other_key), Err(JwtError::AlgNotAllowed));
            let relabelled = with_header(&token, &json!({ "alg": other.as_str() }).to_string());
            assert_eq!(verify(&relabelled, &other_key), Err(JwtError::BadSignature));
            assert_eq!(verify(&relabelled, &signing), Err(JwtError::AlgNotAllowed));
        }
    }
}

#[test]
fn a_key_that_the_token_brings_is_not_looked_at() {
    let (own, stranger) = (key(Algorithm::ES256), key(Algorithm::ES256));
    let payload = base64url(claims().to_string().as_bytes());
    let header = json!({ "alg": "ES256", "kid": own.kid, "jwk": stranger.jwk(), "jku": "https://evil.example/jwks" });
    let input = format!("{}.{payload}", base64url(header.to_string().as_bytes()));
    let forged = format!("{input}.{}", base64url(&stranger.sign(input.as_bytes()).unwrap()));
    assert_eq!(verify(&forged, &stranger).unwrap(), claims());
    assert_eq!(verify(&forged, &own), Err(JwtError::BadSignature));
}

#[test]
fn a_token_cut_or_changed_anywhere_is_refused() {
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
        let key = key(algorithm);
        let token = encode(&key, ACCESS_TOKEN_TYP, &claims()).unwrap();
        for length in 0..token.len() {
            assert!(verify(&token[..length], &key).is_err(), "{length} characters");
        }
        for position in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            assert!(verify(&String::from_utf8(changed).unwrap(), &key).is_err(), "position {position}");
        }
    }
}

#[test]
fn only_three_parts_of_strict_base64url_with_objects_inside_are_taken_apart() {
    let key = key(Algorithm::EdDSA);
    let token = encode(&key, ACCESS_TOKEN_TYP, &claims()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let part = |json: &str| base64url(json.as_bytes());
    let malformed = [
        String::new(),
        "..".into(),
        ".....".into(),
        "abc".into(),
        "юникод.юникод.юникод".into(),
        format!("{header}.{payload}"),
        format!("{token}."),
        format!("{token}.AAAA"),
        format!("{token}=="),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}+.{signature}"),
        format!("{}.{payload}.{signature}", part("[\"EdDSA\"]")),
        format!("{}.{payload}.{signature}", part("null")),
        format!("{}.{payload}.{signature}", part("{}")),
        format!("{}.{payload}.{signature}", part(r#"{"alg":1}"#)),
        format!("{}.{payload}.{signature}", part(r#"{"alg":"EdDSA","kid":[]}"#)),
        format!("{}.{payload}.{signature}", part(r#"{"alg":"EdDSA"} x"#)),
        format!("{}.{payload}.{signature}", part(r#"{"alg":"EdDSA","crit":["exp"]}"#)),
        format!("{}.{payload}.{signature}", part(r#"{"alg":"EdDSA","crit":null}"#)),
        format!("{}.{payload}.{signature}", base64url(b"{\"alg\":\"\xff\"}")),
        format!("{header}.{}.{signature}", part("[1]")),
        format!("{header}.{}.{signature}", part("")),
    ];
    for token in malformed {
        assert_eq!(UnverifiedJwt::parse(&token).unwrap_err(), JwtError::Malformed, "{token}");
    }
}

#[test]
fn a_nested_flood_of_brackets_is_an_error_and_not_a_stack_overflow() {
    let deep = format!("{{\"alg\":\"ES256\",\"x\":{}", "[".repeat(4000));
    let token = format!("{}.{}.AAAA", base64url(deep.as_bytes()), base64url(b"{}"));
    assert_eq!(UnverifiedJwt::parse(&token).unwrap_err(), JwtError::Malformed);
}

#[test]
fn length_is_judged_before_anything_else() {
    let key = key(Algorithm::ES256);
    let long = encode(&key, ID_TOKEN_TYP, &json!({ "sub": "u".repeat(7000) })).unwrap();
    assert!(long.len() > MAX_JWT_BYTES);
    assert_eq!(UnverifiedJwt::parse(&long).unwrap_err(), JwtError::TooLong);
    let unverified = UnverifiedJwt::parse_limited(&long, 16 * 1024).unwrap();
    assert!(unverified.verify::<Value>(&key.verifying_key()).is_ok());
    assert_eq!(UnverifiedJwt::parse(&"a".repeat(MAX_JWT_BYTES)).unwrap_err(), JwtError::Malformed);
}

#[test]
fn claims_of_another_shape_are_told_only_of_genuine_tokens() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Wanted {
        sub: String,
    }
    let (own, other) = (key(Algorithm::ES256), key(Algorithm::ES256));
    let token = encode(&own, ID_TOKEN_TYP, &json!({ "sub": 1 })).unwrap();
    let unverified = UnverifiedJwt::parse(&token).unwrap();
    assert_eq!(unverified.verify::<Wanted>(&own.verifying_key()), Err(JwtError::BadClaims));
    assert_eq!(unverified.verify::<Wanted>(&other.verifying_key()), Err(JwtError::BadSignature));
}

#[test]
fn typ_is_compared_as_a_media_type() {
    let header = |typ: &str| Header { alg: String::new(), kid: None, typ: Some(typ.into()), crit: false };
    assert!(header("at+jwt").is_typ("at+jwt"));
    assert!(header("AT+JWT").is_typ("at+jwt"));
    assert!(header("application/at+jwt").is_typ("at+jwt"));
    assert!(!header("JWT").is_typ("at+jwt"));
    assert!(!header("application/").is_typ("at+jwt"));
    assert!(!header("приложение").is_typ("at+jwt"));
    assert!(!Header { alg: String::new(), kid: None, typ: None, crit: false }.is_typ("at+jwt"));
}

#[test]
fn half_hashes_are_those_of_openid_connect_core() {
    // OpenID Connect Core A.4 and A.6
    let access_token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    let code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
    assert_eq!(half_hash(Algorithm::RS256, access_token), "77QmUPtjPfzWtF2AnpK9RQ");
    assert_eq!(half_hash(Algorithm::ES256, code), "LDktKdoQak3Pk0cnXxCltA");
    assert_eq!(half_hash(Algorithm::EdDSA, code).len(), 43);
}
