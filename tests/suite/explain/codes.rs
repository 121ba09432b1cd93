//! Codes and refresh tokens that are refused at the token endpoint.

use super::{Explained, mend, refused, site};
use propusk_domain::UnixTime;
use propusk_domain::admin::users;
use propusk_domain::client::{GrantType, Preset};
use propusk_protocol::{CodeChallenge, CodeVerifier};
use propusk_tests::http::Response;
use propusk_tests::server::{Backend, START, TestServer};

propusk_tests::on_each_backend![a_code_that_was_used_already, a_refresh_token_that_was_replaced];

const VERIFIER: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
const OTHER_VERIFIER: &str = "another-verifier-of-the-right-length-0123456789";

fn invalid_grant(server: &TestServer, response: &Response) -> Explained {
    refused(server, response, 400, "invalid_grant")
}

fn a_code_that_was_used_already(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let code = server.code(&site, &anna, &[]);
    assert_eq!(server.redeem(&site, &code, &[]).status, 200);
    server.advance(7);
    let explained = invalid_grant(&server, &server.redeem(&site, &code, &[]));
    let received = format!("the same code again, redeemed first at {START}");
    assert_eq!(explained.triple(), ("code_reused", "a code that is redeemed once", received.as_str()));
    assert!(explained.advice().contains("redeem a code once"));
    assert!(!explained.document.to_string().contains(&code));
    let fresh = server.code(&site, &anna, &[]);
    assert_eq!(server.redeem(&site, &fresh, &[]).status, 200);
}

#[test]
fn a_code_that_came_too_late() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let code = server.code(&site, &anna, &[]);
    server.advance(75);
    let explained = invalid_grant(&server, &server.redeem(&site, &code, &[]));
    let (end, now) = (UnixTime(START.0 + 60), UnixTime(START.0 + 75));
    let (expected, received) = (format!("a code redeemed before {end}"), format!("redeemed at {now}, 15 s too late"));
    assert_eq!(explained.triple(), ("code_expired", expected.as_str(), received.as_str()));
    assert!(explained.advice().contains("at once"));
    let fresh = server.code(&site, &anna, &[]);
    assert_eq!(server.redeem(&site, &fresh, &[]).status, 200);
}

#[test]
fn a_code_of_another_client() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let other = server.add_client("other", Preset::Web);
    let code = server.code(&site, &anna, &[]);
    let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", site.redirect_uri())];
    let explained = invalid_grant(&server, &server.token(&other, &form));
    assert_eq!(explained.triple(), ("code_of_another_client", "the client that the code was issued to: site", "other"));
    assert!(explained.advice().contains("one client id"));
    assert_eq!(server.token(&site, &form).status, 200, "as advised, and nothing was revoked");
}

#[test]
fn a_code_of_nobody() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let code = server.code(&site, &anna, &[]);
    let explained = invalid_grant(&server, &server.redeem(&site, &format!("{code}x"), &[]));
    assert_eq!((explained.of("cause"), explained.of("expected")), ("code_unknown", "a code that this server issued"));
    assert_eq!(explained.of("received"), format!("{} characters, begins like a code", code.len() + 1));
    assert!(explained.advice().contains("exactly as it came"));
    assert_eq!(server.redeem(&site, &code, &[]).status, 200);
}

#[test]
fn a_code_whose_redirect_uri_changed_on_the_way() {
    let server = TestServer::start(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let site = server.add_client_with("site", Preset::Web, |new| {
        new.first_party = Some(true);
        new.redirect_uris = vec!["https://site.example/cb".into(), "https://www.site.example/cb".into()];
    });
    let code = server.code(&site, &anna, &[]);
    let ask = |uri: &str| server.token(&site, &[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", uri)]);
    let explained = invalid_grant(&server, &ask("https://www.site.example/cb"));
    assert_eq!(explained.triple(), ("code_redirect_uri_mismatch", "https://site.example/cb", "https://www.site.example/cb"));
    assert!(explained.advice().contains("the same redirect_uri"));
    assert_eq!(ask("https://site.example/cb").status, 200);
}

#[test]
fn a_code_whose_verifier_is_wrong_missing_or_unexpected() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let challenge = CodeChallenge::from_verifier(&CodeVerifier::parse(VERIFIER).unwrap());
    let bound = server.code(&site, &anna, &[("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")]);
    let explained = invalid_grant(&server, &server.redeem(&site, &bound, &[("code_verifier", OTHER_VERIFIER)]));
    let expected = "the verifier whose S256 digest was sent as code_challenge";
    assert_eq!(explained.triple(), ("pkce_mismatch", expected, "another verifier"));
    assert!(explained.advice().contains("keep the verifier"));
    assert!(!explained.document.to_string().contains(OTHER_VERIFIER));
    let explained = invalid_grant(&server, &server.redeem(&site, &bound, &[]));
    assert_eq!(explained.triple(), ("pkce_missing", "code_verifier", "none"));
    assert!(explained.advice().contains("send the code_verifier"));
    assert_eq!(server.redeem(&site, &bound, &[("code_verifier", VERIFIER)]).status, 200);

    let free = server.code(&site, &anna, &[]);
    let explained = invalid_grant(&server, &server.redeem(&site, &free, &[("code_verifier", VERIFIER)]));
    assert_eq!(explained.triple(), ("pkce_unexpected", "no code_verifier", "a code_verifier"));
    assert!(explained.advice().contains("send code_challenge"));
    assert_eq!(server.redeem(&site, &free, &[]).status, 200);
}

#[test]
fn a_code_whose_grant_or_person_is_gone() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let code = server.code(&site, &anna, &[]);
    let sub = anna.user.sub.clone();
    server.admin(move |cx| users::disable(cx, &sub));
    let explained = invalid_grant(&server, &server.redeem(&site, &code, &[]));
    assert_eq!((explained.of("cause"), explained.of("expected")), ("code_revoked", "a live grant"));
    assert_eq!(explained.of("received"), format!("revoked at {START}"));
    explained.advice();
}

fn a_refresh_token_that_was_replaced(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let first = server.tokens(&site, &anna, "openid offline_access")["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(server.refresh(&site, &first).status, 200);
    server.advance(31);
    let explained = invalid_grant(&server, &server.refresh(&site, &first));
    let expected = "generation 2, or the one before it within 30 s";
    assert_eq!(explained.triple(), ("refresh_reused", expected, "generation 1, 31 s after generation 2 replaced the one before it"));
    assert!(explained.advice().contains("newest refresh token"));
    assert!(!explained.document.to_string().contains(&first));
    // From now on it is the revoked grant that speaks.
    let explained = invalid_grant(&server, &server.refresh(&site, &first));
    let received = format!("revoked at {}", UnixTime(START.0 + 31));
    assert_eq!(explained.triple(), ("grant_revoked", "a live grant", received.as_str()));
    explained.advice();
    let again = server.tokens(&site, &anna, "openid offline_access");
    assert_eq!(server.refresh(&site, again["refresh_token"].as_str().unwrap()).status, 200);
}

#[test]
fn a_refresh_token_of_another_client_or_of_nobody() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let other = server.add_client("other", Preset::Web);
    let token = server.tokens(&site, &anna, "openid offline_access")["refresh_token"].as_str().unwrap().to_owned();
    let explained = invalid_grant(&server, &server.refresh(&other, &token));
    assert_eq!(explained.triple(), ("refresh_of_another_client", "the client that the token was issued to: site", "other"));
    explained.advice();
    let explained = invalid_grant(&server, &server.refresh(&site, &format!("{token}x")));
    assert_eq!(explained.of("cause"), "refresh_unknown");
    assert_eq!(explained.of("received"), format!("{} characters, begins like a refresh token", token.len() + 1));
    explained.advice();
    assert_eq!(server.refresh(&site, &token).status, 200);
}

#[test]
fn a_refresh_token_whose_grant_has_ended() {
    let server = TestServer::with(Backend::Sqlite, &[("refresh.grant_lifetime", "1h")]);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let token = server.tokens(&site, &anna, "openid offline_access")["refresh_token"].as_str().unwrap().to_owned();
    server.advance(3600);
    let explained = invalid_grant(&server, &server.refresh(&site, &token));
    let received = format!("expired at {}", UnixTime(START.0 + 3600));
    assert_eq!(explained.triple(), ("grant_expired", "a live grant", received.as_str()));
    explained.advice();
}

#[test]
fn a_refresh_that_asks_for_more_than_was_granted() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let token = server.tokens(&site, &anna, "openid offline_access")["refresh_token"].as_str().unwrap().to_owned();
    let ask = |scope: &str| server.token(&site, &[("grant_type", "refresh_token"), ("refresh_token", &token), ("scope", scope)]);
    let explained = refused(&server, &ask("openid email"), 400, "invalid_scope");
    assert_eq!(explained.triple(), ("scope_not_allowed", "openid offline_access", "openid email"));
    explained.advice();
    assert_eq!(ask("openid").status, 200);
}

#[test]
fn a_client_that_lost_the_right_to_refresh() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let token = server.tokens(&site, &anna, "openid offline_access")["refresh_token"].as_str().unwrap().to_owned();
    server.set_client("site", |patch| patch.grant_types.remove = vec![GrantType::RefreshToken]);
    server.settle();
    let explained = refused(&server, &server.refresh(&site, &token), 400, "unauthorized_client");
    assert_eq!(explained.triple(), ("grant_not_allowed", "authorization_code", "refresh_token"));
    mend(&server, &explained);
    assert_eq!(server.refresh(&site, &token).status, 200);
}
