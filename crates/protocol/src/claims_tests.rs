#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use serde_json::json;

use super::*;

const FULL: &[(&str, &str)] = &[
    ("name", "Анна Ивановна Петрова"),
    ("given_name", "Анна"),
    ("family_name", "Петрова"),
    ("middle_name", "Ивановна"),
    ("nickname", "anya"),
    ("preferred_username", "anna"),
    ("profile", "https://site.example/anna"),
    ("picture", "https://site.example/anna.png?s=2"),
    ("website", "http://anna.example/"),
    ("email", "anna+x@example.org"),
    ("email_verified", "true"),
    ("gender", "female"),
    ("birthdate", "1990-02-28"),
    ("zoneinfo", "Europe/Moscow"),
    ("locale", "ru-RU"),
    ("phone_number", "+7 (495) 000-00-00;ext=12"),
    ("phone_number_verified", "false"),
    ("updated_at", "1700000000"),
    ("address.formatted", "Тверская, 1\nМосква"),
    ("address.street_address", "Тверская, 1"),
    ("address.locality", "Москва"),
    ("address.region", "Москва"),
    ("address.postal_code", "125009"),
    ("address.country", "Россия"),
];

fn full() -> StandardClaims {
    let mut claims = StandardClaims::default();
    for (key, value) in FULL {
        claims.set(key, value).unwrap();
    }
    claims
}

#[test]
fn every_claim_can_be_set_and_is_told() {
    let json = serde_json::to_value(full()).unwrap();
    for name in StandardClaims::NAMES {
        assert!(json.get(name).is_some(), "{name}");
    }
    assert_eq!(json.as_object().unwrap().len(), StandardClaims::NAMES.len());
    assert_eq!(json["email_verified"], true);
    assert_eq!(json["phone_number_verified"], false);
    assert_eq!(json["updated_at"], 1_700_000_000);
    assert_eq!(json["address"].as_object().unwrap().len(), 6);
    assert_eq!(serde_json::from_value::<StandardClaims>(json).unwrap(), full());
    assert_eq!(full().validate(), Ok(()));
}

#[test]
fn every_key_is_in_the_table_of_the_test_above() {
    for key in StandardClaims::keys().filter(|key| *key != "address") {
        assert!(FULL.iter().any(|(known, _)| *known == key), "{key}");
    }
}

#[test]
fn an_empty_value_clears_and_an_empty_address_goes() {
    let mut claims = full();
    for (key, _) in FULL {
        claims.set(key, "").unwrap();
    }
    assert_eq!(claims, StandardClaims::default());
    assert_eq!(serde_json::to_value(&claims).unwrap(), json!({}));
    let mut claims = full();
    claims.set("address", "").unwrap();
    assert_eq!(claims.address, None);
}

#[test]
fn wrong_forms_are_refused_and_change_nothing() {
    let table: &[(&str, &[&str])] = &[
        ("name", &["null", "  ", "a\nb", "a\u{1b}[0m"]),
        ("picture", &["javascript:alert(1)", "/a.png", "https://", "ftp://a.example/x", "https://a b/", "https://u@a.example/"]),
        ("email", &["anna", "@example.org", "anna@", "a@b@c", "a b@c", "a@-c", "a@c..d", "a@c\r\nBcc:x"]),
        ("email_verified", &["yes", "1", "True"]),
        ("birthdate", &["0000", "1990-13-01", "1990-02-30", "1900-02-29", "90-01-01", "1990-1-1", "1990-01", "1990-01-01-01", "+990"]),
        ("zoneinfo", &["Europe/", "/Moscow", "+03:00", "Europe Moscow"]),
        ("locale", &["r", "русский", "ru-", "ru-RU-toolongsubtag"]),
        ("phone_number", &["495", "8 495 000", "+", "+7", "+7x495", "+7495;ext=", "+1234567890123456"]),
        ("updated_at", &["0", "-1", "1700000000000", "1e9", "now"]),
        ("address", &["Москва"]),
        ("address.country", &["a\nb"]),
    ];
    for (key, values) in table {
        for value in *values {
            let mut claims = full();
            let error = claims.set(key, value).unwrap_err();
            assert!(matches!(error, ClaimError::Invalid { .. }), "{key}={value:?}");
            assert!(!error.to_string().contains('\u{1b}'));
            assert_eq!(claims, full());
        }
    }
    let long = "a".repeat(1025);
    assert!(StandardClaims::default().set("name", &long).is_err());
}

#[test]
fn good_forms_are_accepted() {
    let table: &[(&str, &[&str])] = &[
        ("birthdate", &["1990", "0000-02-29", "2000-02-29", "1990-12-31"]),
        ("zoneinfo", &["UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+3"]),
        ("locale", &["ru", "en_US", "zh-Hant-TW", "sr-Latn"]),
        ("phone_number", &["+74950000000", "+1 (604) 555-1234;ext=5678"]),
        ("email", &["анна@example.org", "a@localhost", "a.b-c@xn--d1acufc.xn--p1ai"]),
    ];
    for (key, values) in table {
        for value in *values {
            assert_eq!(StandardClaims::default().set(key, value), Ok(()), "{key}={value}");
        }
    }
}

#[test]
fn unknown_claims_are_named_with_the_known_ones() {
    for key in ["sub", "roles", "Name", "address.", "address.planet", ""] {
        for value in ["x", ""] {
            let error = StandardClaims::default().set(key, value).unwrap_err();
            assert!(matches!(error, ClaimError::Unknown { .. }), "{key}");
            assert!(error.to_string().contains("address.locality"));
        }
    }
}

#[test]
fn claims_from_a_file_are_validated_too() {
    let bad = [json!({"email": "nobody"}), json!({"name": ""}), json!({"updated_at": 5}), json!({"address": {"country": ""}})];
    for value in bad {
        let claims: StandardClaims = serde_json::from_value(value.clone()).unwrap();
        assert!(claims.validate().is_err(), "{value}");
    }
}

#[test]
fn scopes_tell_their_own_claims_and_no_others() {
    let names = |scope: &str| {
        let told = full().for_scopes(&Scope::parse(scope).unwrap());
        told.into_iter().map(|(name, _)| name).collect::<std::collections::BTreeSet<_>>()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names("openid roles groups offline_access"), set(&[]));
    assert_eq!(names("openid email"), set(EMAIL));
    assert_eq!(names("phone"), set(PHONE));
    assert_eq!(names("address"), set(ADDRESS));
    assert_eq!(names("profile"), set(PROFILE));
    assert_eq!(names("profile email phone address"), set(StandardClaims::NAMES));
    assert!(StandardClaims::default().for_scopes(&Scope::parse("profile email").unwrap()).is_empty());
}

#[test]
fn tokens_leave_out_what_is_absent_and_read_back() {
    let access = AccessTokenClaims {
        iss: "https://id.example".to_owned(),
        sub: "service".to_owned(),
        aud: "https://id.example".to_owned(),
        client_id: "service".to_owned(),
        exp: 1_700_000_600,
        iat: 1_700_000_000,
        jti: "j".to_owned(),
        scope: Scope::default(),
        auth_time: None,
        sid: None,
        roles: None,
        groups: None,
        token_type: None,
        user_id: None,
    };
    let json = serde_json::to_value(&access).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 7);
    assert_eq!(serde_json::from_value::<AccessTokenClaims>(json).unwrap(), access);
    let with_roles = AccessTokenClaims { roles: Some(vec![]), scope: Scope::parse("openid email").unwrap(), ..access };
    let json = serde_json::to_value(&with_roles).unwrap();
    assert_eq!((&json["roles"], &json["scope"]), (&json!([]), &json!("openid email")));
    let id = IdTokenClaims {
        iss: "i".to_owned(),
        sub: "s".to_owned(),
        aud: "c".to_owned(),
        exp: 2,
        iat: 1,
        auth_time: Some(1),
        nonce: None,
        acr: None,
        amr: vec!["pwd".to_owned()],
        at_hash: None,
        sid: None,
    };
    let json = serde_json::to_value(&id).unwrap();
    assert_eq!(json, json!({"iss":"i","sub":"s","aud":"c","exp":2,"iat":1,"auth_time":1,"amr":["pwd"]}));
    assert_eq!(serde_json::from_value::<IdTokenClaims>(json).unwrap(), id);
}

proptest! {
    #[test]
    fn no_value_panics_and_what_is_set_is_valid(value in any::<String>(), index in 0..25_usize) {
        let key = StandardClaims::keys().nth(index).unwrap();
        let mut claims = StandardClaims::default();
        if claims.set(key, &value).is_ok() {
            prop_assert_eq!(claims.validate(), Ok(()));
        }
    }

    #[test]
    fn dates_like_values_never_panic(value in "[0-9]{0,5}(-[0-9]{0,3}){0,3}") {
        let _ = StandardClaims::default().set("birthdate", &value);
    }
}
