//! Requests that cannot be read: the explanation names the parameter, what came, the client and what to change, and never a secret.

use super::{Explained, explain, refused, refused_page, site};
use base64::Engine as _;
use propusk_domain::client::Preset;
use propusk_tests::browser::Browser;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, TestServer};

propusk_tests::on_each_backend![a_repeated_parameter];

fn post(server: &TestServer, path: &str, headers: &[(&str, &str)], content_type: &str, body: &[u8]) -> Response {
    let request = headers.iter().fold(Request::post(&server.url(path)), |request, (name, value)| request.header(name, value));
    request.header("Content-Type", content_type).body(body).send().unwrap()
}

const FORM: &str = "application/x-www-form-urlencoded";

/// An instruction: no repetition of the answer, and about the thing itself.
fn instructs(explained: &Explained, answer: &Response, about: &str) {
    let advice = explained.advice();
    let sentence = answer.json()["error_description"].as_str().unwrap().to_owned();
    assert!(advice.contains(about) && !advice.contains(&sentence), "{advice}");
}

fn a_repeated_parameter(backend: Backend) {
    let server = TestServer::start(backend);
    let site = site(&server);
    let url = format!("{}&scope=openid&scope=email", server.authorize_url(&site, &[("scope", "")]).replace("&scope=", ""));
    let landing = Browser::new().visit(&url).unwrap();
    let explained = refused_page(&server, &landing, 400);
    assert_eq!(explained.triple(), ("malformed_request", "scope once", "scope more than once: openid, then email"));
    assert_eq!(explained.of("client_id"), "site");
    assert!(explained.advice().starts_with("send scope once"), "{}", explained.advice());

    let answer = post(&server, "/oauth/token", &[], FORM, b"client_id=site&client_secret=hunter2-hunter2&client_secret=hunter3");
    let explained = refused(&server, &answer, 400, "invalid_request");
    let received = "client_secret more than once: 15 characters, then 7 characters";
    assert_eq!(explained.triple(), ("malformed_request", "client_secret once", received));
    assert_eq!(explained.of("client_id"), "site");
    instructs(&explained, &answer, "send client_secret once");

    // Nobody is registered under this name, so nobody is named.
    let answer = post(&server, "/oauth/token", &[], FORM, b"client_id=ghost&state=1&state=2");
    let explained = refused(&server, &answer, 400, "invalid_request");
    assert_eq!(explained.of("received"), "state more than once: 1 characters, then 1 characters");
    assert_eq!(explained.document["client_id"], serde_json::Value::Null);
}

#[test]
fn control_characters_and_broken_encodings() {
    let server = TestServer::start(Backend::Sqlite);
    let site = site(&server);
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("site:{}", site.secret));
    let authorization = format!("Basic {basic}");
    for (body, expected, received, about) in [
        (&b"scope=open%0Aid"[..], "scope without control characters", "scope: open\\u{a}id, with U+000A as character 5", "remove line breaks"),
        (b"code=ppc_abc%0D", "code without control characters", "code: 8 characters, with U+000D as character 8", "from code"),
        (b"scope=%zz", "scope as percent-encoded UTF-8", "scope with bytes that are no percent-encoded UTF-8: %zz", "percent-encode scope"),
        (
            b"{\"secret\":\"%zz\"}=1",
            "names of 1 to 128 bytes without control characters",
            "a name of 16 bytes with a value of 1 bytes",
            "form-encoded",
        ),
        (b"", "grant_type", "no grant_type", "let the application send grant_type"),
    ] {
        let answer = post(&server, "/oauth/token", &[("Authorization", &authorization)], FORM, body);
        let explained = refused(&server, &answer, 400, "invalid_request");
        assert_eq!(explained.triple(), ("malformed_request", expected, received));
        assert_eq!(explained.of("client_id"), "site", "the header says who sent it");
        instructs(&explained, &answer, about);
    }
    let long = format!("client_id=site&scope={}", "x".repeat(1025));
    let answer = post(&server, "/oauth/token", &[], FORM, long.as_bytes());
    let explained = refused(&server, &answer, 400, "invalid_request");
    assert_eq!(explained.triple(), ("malformed_request", "scope of at most 1024 bytes", "1025 bytes"));
    assert_eq!(explained.of("client_id"), "site");
    instructs(&explained, &answer, "at most 1024 bytes");
}

#[test]
fn credentials_in_two_ways_or_without_a_scheme_name_their_client() {
    let server = TestServer::start(Backend::Sqlite);
    let worker = server.add_client("worker", Preset::Service);
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("worker:{}", worker.secret));
    let form = format!("grant_type=client_credentials&client_secret={}", worker.secret);
    let answer = post(&server, "/oauth/token", &[("Authorization", &format!("Basic {basic}"))], FORM, form.as_bytes());
    let explained = refused(&server, &answer, 400, "invalid_request");
    assert_eq!((explained.of("cause"), explained.of("client_id")), ("two_auth_methods", "worker"));
    assert_eq!(explained.of("received"), "Authorization: Basic, and client_secret in the body");
    instructs(&explained, &answer, "one authentication method");
    assert!(!explained.document.to_string().contains(&worker.secret));

    let form = b"grant_type=client_credentials&client_id=other";
    let answer = post(&server, "/oauth/token", &[("Authorization", &format!("Basic {basic}"))], FORM, form);
    let explained = refused(&server, &answer, 400, "invalid_request");
    assert_eq!(explained.of("received"), "worker in the header, other in the body");

    let answer = post(&server, "/oauth/token", &[("Authorization", &basic)], FORM, b"grant_type=client_credentials");
    let explained = refused(&server, &answer, 401, "invalid_client");
    let received = format!("the base64 alone, {} characters", basic.len());
    assert_eq!(explained.triple(), ("missing_scheme", "Authorization: Basic <base64>", received.as_str()));
    assert_eq!(explained.of("client_id"), "worker");
    instructs(&explained, &answer, "Token Sent Via = Payload");

    // What stands where the scheme should may be the secret.
    let answer = post(&server, "/oauth/token", &[("Authorization", &format!("{} x", worker.secret))], FORM, b"client_id=worker");
    let explained = refused(&server, &answer, 401, "invalid_client");
    assert!(explained.of("received").starts_with("a scheme of "), "{}", explained.of("received"));
    assert!(!explained.document.to_string().contains(&worker.secret));
}

#[test]
fn a_body_of_another_type_comes_with_an_instruction() {
    let server = TestServer::start(Backend::Sqlite);
    let answer = post(&server, "/oauth/token", &[], "application/json", b"{}");
    let explained = refused(&server, &answer, 415, "invalid_request");
    assert_eq!(explained.triple(), ("wrong_content_type", FORM, "application/json"));
    assert!(explained.advice().contains("let the application send"), "{}", explained.advice());
}

#[test]
fn a_token_in_header_and_body_is_told_by_its_places() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let token = server.tokens(&site, &anna, "openid")["access_token"].as_str().unwrap().to_owned();
    let request = Request::post(&server.url("/oauth/userinfo")).bearer(&token);
    let answer = request.post_form(&[("access_token", "another")]).send().unwrap();
    let explained = refused(&server, &answer, 400, "invalid_request");
    let received = "different tokens in the Authorization header and in the body";
    assert_eq!(explained.triple(), ("token_in_two_places", "the access token once", received));
    instructs(&explained, &answer, "drop access_token");
    assert!(!explained.document.to_string().contains(&token));
}

#[test]
fn a_strangers_revocation_is_told_as_what_it_is() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let stranger = server.add_client("stranger", Preset::Web);
    let tokens = server.tokens(&site, &anna, "openid offline_access");
    for name in ["access_token", "refresh_token"] {
        let form = [("client_id", "stranger"), ("client_secret", stranger.secret.as_str()), ("token", tokens[name].as_str().unwrap())];
        let answer = Request::post(&server.url("/oauth/revoke")).post_form(&form).send().unwrap();
        let explained = refused(&server, &answer, 400, "invalid_grant");
        let expected = "the client that the token was issued to: site";
        assert_eq!(explained.triple(), ("revoke_of_another_client", expected, "stranger"));
        assert!(!explained.of("explanation").contains("identity path"), "{}", explained.of("explanation"));
        explained.advice();
    }
    assert_eq!(server.userinfo(tokens["access_token"].as_str().unwrap()).status, 200);
}

#[test]
fn a_refresh_token_two_generations_old_is_no_late_retry() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let first = server.tokens(&site, &anna, "openid offline_access")["refresh_token"].as_str().unwrap().to_owned();
    let second = server.refresh(&site, &first).json()["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(server.refresh(&site, &second).status, 200);
    let answer = server.refresh(&site, &first);
    let explained = explain(&server, answer.json()["error_reference"].as_str().unwrap());
    let expected = "generation 3, or the one before it within 30 s";
    assert_eq!(explained.triple(), ("refresh_reused", expected, "generation 1, although generation 2 has been used, too"));
    assert!(explained.of("explanation").contains("or after its successor had been used"), "{}", explained.of("explanation"));
    assert!(!explained.advice().contains("retry_window"), "{}", explained.advice());
}
