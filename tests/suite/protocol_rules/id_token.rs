//! ID tokens (OpenID Connect Core §2, §3.1.3.6, §12.2) and access tokens (RFC 9068).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use propusk_crypto::Algorithm;
use propusk_domain::client::Preset;
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, Registered, START, TestServer};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};

fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn site(server: &TestServer) -> Registered {
    server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true))
}

fn exchange(server: &TestServer, client: &Registered, person: &propusk_tests::server::Person, more: &[(&str, &str)]) -> Value {
    let code = server.code(client, person, more);
    let response = server.redeem(client, &code, &[]);
    assert_eq!((response.status, response.header("cache-control")), (200, Some("no-store")), "{}", response.text());
    response.json()
}

#[test]
fn an_id_token_says_who_signed_in_where_and_when_and_nothing_of_the_profile() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "owner"), site(&server));
    let nonce = "n-0S6_Wz/A2+Mj é";
    let tokens = exchange(&server, &site, &anna, &[("scope", "openid profile email phone address"), ("nonce", nonce)]);
    let (header, claims) = (part(text(&tokens, "id_token"), 0), part(text(&tokens, "id_token"), 1));
    let keys = Request::get(&server.url("/oauth/jwks")).send().unwrap().json();
    let published = keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == header["kid"] && key["alg"] == header["alg"]);
    assert!(published, "{header}");
    assert_eq!((text(&header, "alg"), text(&header, "typ")), ("RS256", "JWT"));
    assert_eq!((text(&claims, "iss"), text(&claims, "aud"), text(&claims, "sub")), (&*server.issuer, "site", &*anna.user.sub));
    assert_eq!((text(&claims, "nonce"), claims["iat"].as_i64(), claims["auth_time"].as_i64()), (nonce, Some(START.0), Some(START.0)));
    assert!(claims["exp"].as_i64() > claims["iat"].as_i64());
    let acr = Request::get(&server.url("/.well-known/openid-configuration")).send().unwrap().json()["acr_values_supported"].clone();
    assert!(acr.as_array().unwrap().contains(&claims["acr"]), "{acr}");
    let allowed = ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"];
    for name in claims.as_object().unwrap().keys() {
        assert!(allowed.contains(&name.as_str()), "{name} in the ID token (OpenID Connect Core §5.4 puts it into userinfo)");
    }
    let advertised = Request::get(&server.url("/.well-known/openid-configuration")).send().unwrap().json()["claims_supported"].clone();
    for name in claims.as_object().unwrap().keys() {
        assert!(advertised.as_array().unwrap().iter().any(|known| known == name), "{name} is not advertised");
    }
}

#[test]
fn a_request_without_nonce_gets_none_and_one_without_openid_gets_no_id_token() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "owner"), site(&server));
    let tokens = exchange(&server, &site, &anna, &[]);
    assert_eq!(part(text(&tokens, "id_token"), 1).get("nonce"), None);
    let tokens = exchange(&server, &site, &anna, &[("scope", "profile")]);
    assert_eq!(tokens.get("id_token"), None);
    let refused = server.userinfo(text(&tokens, "access_token"));
    assert_eq!((refused.status, refused.reason.as_str()), (403, "insufficient_scope"));
    assert!(refused.header("www-authenticate").unwrap().contains("error=\"insufficient_scope\""));
}

#[test]
fn the_hash_of_the_access_token_is_right_for_every_algorithm() {
    let server = TestServer::start(Backend::Sqlite);
    let anna = server.add_user("anna", "owner");
    for (id, algorithm) in [("rs", Algorithm::RS256), ("es", Algorithm::ES256), ("ed", Algorithm::EdDSA)] {
        let client = server.add_client_with(id, Preset::Web, |new| {
            new.first_party = Some(true);
            new.more.id_token_alg = Some(algorithm);
            new.more.access_token_alg = Some(algorithm);
        });
        let tokens = exchange(&server, &client, &anna, &[]);
        let (access, token) = (text(&tokens, "access_token"), text(&tokens, "id_token"));
        assert_eq!(text(&part(token, 0), "alg"), algorithm.as_str());
        assert_eq!((text(&part(access, 0), "alg"), text(&part(access, 0), "typ")), (algorithm.as_str(), "at+jwt"));
        // Ed25519 hashes with SHA-512 inside, and relying parties take that one.
        let hash = if algorithm == Algorithm::EdDSA { Sha512::digest(access).to_vec() } else { Sha256::digest(access).to_vec() };
        assert_eq!(text(&part(token, 1), "at_hash"), URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2]), "{id}");
        assert_eq!(server.userinfo(access).status, 200);
    }
}

#[test]
fn an_access_token_follows_rfc_9068_and_its_audience_is_no_client() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "owner"), site(&server));
    let tokens = exchange(&server, &site, &anna, &[("scope", "openid email")]);
    let claims = part(text(&tokens, "access_token"), 1);
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "auth_time"] {
        assert!(claims.get(name).is_some_and(|value| !value.is_null()), "{name}");
    }
    assert_eq!((text(&claims, "aud"), text(&claims, "client_id"), text(&claims, "scope")), (&*server.issuer, "site", "openid email"));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), tokens["expires_in"].as_i64().unwrap());
    assert_eq!((text(&tokens, "token_type"), text(&tokens, "scope")), ("Bearer", "openid email"));
    // RFC 9068 §2.1: what is random in it (RFC 6749 §10.10 asks for 128 bits; the signature alone is more).
    assert!(text(&claims, "jti").len() >= 22);
}

#[test]
fn a_refreshed_id_token_tells_of_the_same_sign_in() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "owner"), site(&server));
    let first = exchange(&server, &site, &anna, &[("scope", "openid offline_access"), ("nonce", "once")]);
    server.advance(100);
    let response = server.refresh(&site, text(&first, "refresh_token"));
    assert_eq!((response.status, response.header("cache-control")), (200, Some("no-store")));
    let second = response.json();
    let (before, after) = (part(text(&first, "id_token"), 1), part(text(&second, "id_token"), 1));
    for name in ["iss", "sub", "aud", "auth_time", "acr", "sid"] {
        assert_eq!(before[name], after[name], "{name} (OpenID Connect Core §12.2)");
    }
    assert!(after.get("nonce").is_none_or(|nonce| *nonce == before["nonce"]));
    assert_eq!(after["iat"].as_i64().unwrap(), before["iat"].as_i64().unwrap() + 100);
    assert_eq!(after.get("azp"), None);
    assert_ne!(first["access_token"], second["access_token"]);
    assert_eq!(server.userinfo(text(&second, "access_token")).status, 200);
}

#[test]
fn a_refresh_token_belongs_to_its_client_and_needs_its_secret() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "owner"), site(&server));
    let other = server.add_client("other", Preset::Web);
    let tokens = exchange(&server, &site, &anna, &[("scope", "openid offline_access")]);
    let token = text(&tokens, "refresh_token");
    assert!(token.bytes().all(|byte| (0x21..0x7f).contains(&byte)));
    let stolen = server.refresh(&other, token);
    assert_eq!((stolen.status, stolen.reason.as_str()), (400, "invalid_grant"));
    let bare = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "site")];
    let bare = Request::post(&server.url("/oauth/token")).post_form(&bare).send().unwrap();
    assert_eq!((bare.status, bare.reason.as_str()), (401, "invalid_client"));
    let wider = server.token(&site, &[("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "openid email")]);
    assert_eq!((wider.status, wider.reason.as_str()), (400, "invalid_scope"));
    let narrower = server.token(&site, &[("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "openid")]);
    assert_eq!((narrower.status, narrower.json()["scope"].as_str()), (200, Some("openid")), "none of these refusals cost the grant");
}
