//! Discovery and keys (OpenID Connect Discovery, RFC 8414, RFC 7517).

use propusk_tests::http::Request;
use propusk_tests::server::{Backend, TestServer};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DOCUMENTS: &[&str] = &["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth/jwks"];

/// Registered members (IANA "OAuth Authorization Server Metadata").
const REGISTERED: &[&str] = &[
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "introspection_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
    "scopes_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "acr_values_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_methods_supported",
    "code_challenge_methods_supported",
    "prompt_values_supported",
    "claim_types_supported",
    "claims_supported",
    "ui_locales_supported",
    "claims_parameter_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "authorization_response_iss_parameter_supported",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
];

fn get(server: &TestServer, path: &str) -> Value {
    let response = Request::get(&server.url(path)).send().unwrap();
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));
    response.json()
}

#[test]
fn the_metadata_has_only_registered_members_of_the_right_types() {
    let server = TestServer::start(Backend::Sqlite);
    let document = get(&server, DOCUMENTS[0]);
    assert_eq!(document, get(&server, DOCUMENTS[1]));
    assert_eq!(document["issuer"], server.issuer.as_str());
    for (name, value) in document.as_object().unwrap() {
        assert!(REGISTERED.contains(&name.as_str()), "{name} is not registered");
        let right = match name.as_str() {
            "issuer" | "jwks_uri" => value.is_string(),
            name if name.ends_with("_endpoint") => value.as_str().unwrap().starts_with(&format!("{}/", server.issuer)),
            name if name.ends_with("_parameter_supported") || name.starts_with("backchannel_logout_") => value.is_boolean(),
            _ => value.as_array().is_some_and(|list| {
                !list.is_empty()
                    && list.iter().all(|item| {
                        item.as_str().is_some_and(|text| text != "none" || name == "prompt_values_supported" || name.contains("auth_methods"))
                    })
            }),
        };
        assert!(right, "{name}: {value}");
    }
    assert_eq!(document["request_uri_parameter_supported"], false);
    assert_eq!(document["request_parameter_supported"], false);
    assert_eq!(document["subject_types_supported"], json!(["public"]));
    for name in ["mtls_endpoint_aliases", "registration_endpoint", "device_authorization_endpoint", "check_session_iframe"] {
        assert!(document.get(name).is_none(), "{name} is advertised and not built");
    }
}

#[test]
fn documents_are_revalidated_by_their_entity_tag() {
    let server = TestServer::start(Backend::Sqlite);
    for path in DOCUMENTS {
        let first = Request::get(&server.url(path)).send().unwrap();
        let tag = first.header("etag").unwrap().to_owned();
        assert!(first.header("cache-control").unwrap().starts_with("public, max-age="));
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let again = Request::get(&server.url(path)).header("If-None-Match", &known).send().unwrap();
            assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag.as_str())), "{path} {known}");
            assert_eq!(again.header("cache-control"), first.header("cache-control"));
        }
        let other = Request::get(&server.url(path)).header("If-None-Match", "\"other\"").send().unwrap();
        assert_eq!((other.status, other.body == first.body), (200, true));
        let head = Request::new("HEAD", &server.url(path)).send().unwrap();
        assert_eq!((head.status, head.header("etag"), head.header("content-length")), (200, Some(tag.as_str()), first.header("content-length")));
    }
}

#[test]
fn documents_are_readable_from_any_origin_and_pages_from_none() {
    let server = TestServer::start(Backend::Sqlite);
    let ask = |path: &str| Request::get(&server.url(path)).header("Origin", "https://anywhere.example").send().unwrap();
    for path in DOCUMENTS {
        assert_eq!(ask(path).header("access-control-allow-origin"), Some("*"), "{path}");
    }
    for path in ["/oauth/authorize", "/login", "/consent", "/logout", "/oauth/logout", "/"] {
        assert_eq!(ask(path).header("access-control-allow-origin"), None, "{path}");
    }
}

#[test]
fn every_key_has_an_identifier_of_its_own_and_nothing_private() {
    let server = TestServer::start(Backend::Sqlite);
    let keys = get(&server, "/oauth/jwks")["keys"].as_array().unwrap().clone();
    let kids: BTreeSet<&str> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(kids.len(), keys.len());
    for key in &keys {
        assert_eq!(key["use"], "sig");
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.get(private).is_none(), "{private} of {}", key["kid"]);
        }
    }
    let algorithms: BTreeSet<&str> = keys.iter().map(|key| key["alg"].as_str().unwrap()).collect();
    assert_eq!(algorithms, BTreeSet::from(["ES256", "EdDSA", "RS256"]));
}
