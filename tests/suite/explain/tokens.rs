//! Access tokens that userinfo refuses: every reason.

use super::{Explained, mend, refused, site};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use propusk_domain::UnixTime;
use propusk_domain::admin::users;
use propusk_domain::client::Preset;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, START, TestServer};
use serde_json::Value;

propusk_tests::on_each_backend![a_token_of_a_disabled_person, a_token_of_another_client_at_the_identity_path];

fn invalid_token(server: &TestServer, response: &Response) -> Explained {
    refused(server, response, 401, "invalid_token")
}

fn access_token(tokens: &Value) -> &str {
    tokens["access_token"].as_str().unwrap()
}

#[test]
fn no_token_and_a_token_in_two_places() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let tokens = server.tokens(&site, &anna, "openid");
    let explained = invalid_token(&server, &Request::get(&server.url("/oauth/userinfo")).send().unwrap());
    assert_eq!(explained.triple(), ("token_missing", "Authorization: Bearer", "none"));
    assert!(explained.advice().contains("Authorization header"));
    let url = format!("{}?access_token={}", server.url("/oauth/userinfo"), access_token(&tokens));
    let explained = refused(&server, &Request::get(&url).bearer(access_token(&tokens)).send().unwrap(), 400, "invalid_request");
    assert_eq!(
        explained.triple(),
        ("token_in_two_places", "the access token once", "the same token in the Authorization header and in the query string")
    );
    explained.advice();
    assert_eq!(server.userinfo(access_token(&tokens)).status, 200);
}

#[test]
fn a_token_in_the_query_string() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let tokens = server.tokens(&site, &anna, "openid");
    let url = format!("{}?access_token={}", server.url("/oauth/userinfo"), access_token(&tokens));
    let explained = refused(&server, &Request::get(&url).send().unwrap(), 400, "invalid_request");
    assert_eq!(explained.triple(), ("token_in_query", "Authorization: Bearer", "access_token in the query string"));
    assert!(!explained.document.to_string().contains(access_token(&tokens)));
    assert_eq!(explained.command(), "propusk client set site --query-token on");
    mend(&server, &explained);
    assert_eq!(Request::get(&url).send().unwrap().status, 200);
}

#[test]
fn what_is_no_access_token_of_this_server() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let tokens = server.tokens(&site, &anna, "openid");
    let token = access_token(&tokens);
    let parts: Vec<&str> = token.split('.').collect();
    let with_header = |header: &str| format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), parts[1], parts[2]);
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
    let kid = header["kid"].as_str().unwrap();
    let turned = if parts[2].starts_with('A') { format!("B{}", &parts[2][1..]) } else { format!("A{}", &parts[2][1..]) };
    for (presented, cause, received) in [
        ("eyJhbGciOi".to_owned(), "token_malformed", "10 characters, begins like a JWT (malformed)".to_owned()),
        (format!("{}.{}.{turned}", parts[0], parts[1]), "token_bad_signature", "bad_signature".to_owned()),
        (with_header(&format!(r#"{{"alg":"none","typ":"at+jwt","kid":"{kid}"}}"#)), "token_algorithm", "alg_not_allowed".to_owned()),
        (with_header(r#"{"alg":"RS256","typ":"at+jwt","kid":"elsewhere"}"#), "token_unknown_key", "elsewhere".to_owned()),
        (tokens["id_token"].as_str().unwrap().to_owned(), "token_wrong_type", "typ JWT".to_owned()),
    ] {
        let explained = invalid_token(&server, &server.userinfo(&presented));
        assert_eq!((explained.of("cause"), explained.of("received")), (cause, received.as_str()));
        explained.advice();
        assert!(!explained.document.to_string().contains(parts[2]), "{}", explained.document);
    }
    assert_eq!(server.userinfo(token).status, 200);
}

#[test]
fn a_token_of_another_issuer() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let tokens = server.tokens(&site, &anna, "openid");
    let renamed = server.replica(&[("issuer", "http://127.0.0.1:9")]);
    let explained = invalid_token(&renamed, &renamed.userinfo(access_token(&tokens)));
    assert_eq!(explained.triple(), ("token_wrong_issuer", "http://127.0.0.1:9", server.issuer.as_str()));
    assert!(explained.advice().contains("issuer"));
}

#[test]
fn an_expired_token_and_differing_clocks() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let tokens = server.tokens(&site, &anna, "openid");
    for (seconds, late, cause) in [(605, 5, "clock_skew"), (60, 65, "token_expired")] {
        server.advance(seconds);
        let explained = invalid_token(&server, &server.userinfo(access_token(&tokens)));
        let expected = format!("a token that lives at {}", UnixTime(START.0 + 600 + late));
        let received = format!("expired at {}, {late} s ago", UnixTime(START.0 + 600));
        assert_eq!(explained.triple(), (cause, expected.as_str(), received.as_str()));
        assert_eq!(explained.advice().contains("synchronise the clocks"), cause == "clock_skew");
        assert_eq!(explained.of("client_id"), "site");
    }
    assert_eq!(server.userinfo(access_token(&server.tokens(&site, &anna, "openid"))).status, 200);
}

#[test]
fn a_token_from_the_future() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    server.advance(300);
    let tokens = server.tokens(&site, &anna, "openid");
    server.advance(-200);
    let explained = invalid_token(&server, &server.userinfo(access_token(&tokens)));
    let expected = format!("issued at {} or before", UnixTime(START.0 + 100));
    let received = format!("issued at {}, 200 s ahead", UnixTime(START.0 + 300));
    assert_eq!(explained.triple(), ("token_not_yet_valid", expected.as_str(), received.as_str()));
    assert!(explained.advice().contains("synchronise the clocks"));
    server.advance(200);
    assert_eq!(server.userinfo(access_token(&tokens)).status, 200);
}

#[test]
fn a_revoked_token() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let tokens = server.tokens(&site, &anna, "openid");
    let form = [("client_id", "site"), ("client_secret", site.secret.as_str()), ("token", access_token(&tokens))];
    assert_eq!(Request::post(&server.url("/oauth/revoke")).post_form(&form).send().unwrap().status, 200);
    let explained = invalid_token(&server, &server.userinfo(access_token(&tokens)));
    let received = format!("revoked at {START}");
    assert_eq!(explained.triple(), ("token_revoked", "a live grant", received.as_str()));
    explained.advice();
}

fn a_token_of_a_disabled_person(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let tokens = server.tokens(&site, &anna, "openid");
    let sub = anna.user.sub.clone();
    server.admin(move |cx| users::disable(cx, &sub));
    server.settle();
    let explained = invalid_token(&server, &server.userinfo(access_token(&tokens)));
    assert_eq!(explained.triple(), ("token_user_disabled", "an active account", "a disabled account"));
    assert_eq!(explained.command(), "propusk user enable anna");
    mend(&server, &explained);
    let tokens = server.tokens(&site, &anna, "openid");
    assert_eq!(server.userinfo(access_token(&tokens)).status, 200);
}

#[test]
fn a_token_of_a_removed_person() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let tokens = server.tokens(&site, &anna, "openid");
    let sub = anna.user.sub;
    server.admin(move |cx| users::remove(cx, &sub));
    server.settle();
    let explained = invalid_token(&server, &server.userinfo(access_token(&tokens)));
    assert!(["token_user_disabled", "token_revoked"].contains(&explained.of("cause")), "{}", explained.document);
    assert!(explained.of("received").contains("removed"), "{}", explained.document);
}

#[test]
fn a_token_of_a_disabled_client() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let tokens = server.tokens(&site, &anna, "openid");
    server.set_client("site", |patch| patch.disabled = Some(true));
    server.settle();
    let explained = invalid_token(&server, &server.userinfo(access_token(&tokens)));
    assert_eq!(explained.triple(), ("disabled_client", "an enabled client", "disabled"));
    mend(&server, &explained);
    let tokens = server.tokens(&site, &anna, "openid");
    assert_eq!(server.userinfo(access_token(&tokens)).status, 200);
}

fn a_token_of_another_client_at_the_identity_path(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "owner"), site(&server));
    let chat = server.add_client("rocketchat", Preset::RocketChat);
    let identity = |token: &str| Request::get(&server.url("/oauth/userinfo/rocketchat")).bearer(token).send().unwrap();
    let tokens = server.tokens(&site, &anna, "openid");
    let explained = refused(&server, &identity(access_token(&tokens)), 403, "insufficient_scope");
    assert_eq!(explained.triple(), ("token_of_another_client", "a token issued to rocketchat", "a token issued to site"));
    assert_eq!(explained.of("client_id"), "site");
    explained.advice();
    assert_eq!(identity(access_token(&server.tokens(&chat, &anna, "openid"))).status, 200);
}

#[test]
fn a_token_that_tells_of_no_person() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let worker = server.add_client_with("worker", Preset::Service, |new| new.scopes = Some(propusk_protocol::Scope::parse("openid").unwrap()));
    let tokens = server.tokens(&site, &anna, "profile");
    let explained = refused(&server, &server.userinfo(access_token(&tokens)), 403, "insufficient_scope");
    assert_eq!(explained.triple(), ("token_without_openid", "openid", "profile"));
    explained.advice();
    let tokens = server.token(&worker, &[("grant_type", "client_credentials")]).json();
    let explained = refused(&server, &server.userinfo(access_token(&tokens)), 403, "insufficient_scope");
    assert_eq!(explained.triple(), ("token_without_openid", "a person's token", "a client's own token"));
    explained.advice();
    assert_eq!(server.userinfo(access_token(&server.tokens(&site, &anna, "openid"))).status, 200);
}
