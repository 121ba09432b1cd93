//! Authorization requests that go nowhere: redirect URIs, clients, scopes, grants, PKCE.

use super::{mend, refused, refused_page, refused_redirect, shell, site};
use propusk_domain::client::Preset;
use propusk_tests::browser::{Browser, Landing};
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, Registered, TestServer};

propusk_tests::on_each_backend![a_redirect_uri_that_differs_in_one_character, an_unknown_client_at_the_authorization_endpoint, a_mistyped_client_id];

fn visit(server: &TestServer, client: &Registered, more: &[(&str, &str)]) -> Landing {
    Browser::new().stop_at("https://").visit(&server.authorize_url(client, more)).unwrap()
}

fn a_redirect_uri_that_differs_in_one_character(backend: Backend) {
    let server = TestServer::start(backend);
    let site = site(&server);
    let near = "https://site.example/cb/";
    let explained = refused_page(&server, &visit(&server, &site, &[("redirect_uri", near)]), 400);
    assert_eq!(explained.triple(), ("redirect_uri_mismatch", "one of https://site.example/cb", near));
    assert_eq!(explained.of("nearest"), "https://site.example/cb (first difference at character 24)");
    assert_eq!((explained.of("endpoint"), explained.of("client_id"), explained.of("error")), ("authorize", "site", "invalid_request"));
    assert_eq!(explained.command(), format!("propusk client set site --add-redirect-uri {near}"));
    mend(&server, &explained);
    let landing = visit(&server, &site, &[("redirect_uri", near)]);
    assert_eq!(landing.status(), 200);
    assert!(landing.url.contains("/login?flow="), "{}", landing.trace());
}

#[test]
fn a_redirect_uri_that_a_shell_would_read_otherwise_is_quoted() {
    let server = TestServer::start(Backend::Sqlite);
    let site = site(&server);
    let uri = "https://site.example/cb?a=1&b='$(touch%20x)'";
    let explained = refused_page(&server, &visit(&server, &site, &[("redirect_uri", uri)]), 400);
    mend(&server, &explained);
    assert!(visit(&server, &site, &[("redirect_uri", uri)]).url.contains("/login?flow="));
}

#[test]
fn a_redirect_uri_that_cannot_be_registered_comes_with_the_reason() {
    let server = TestServer::start(Backend::Sqlite);
    let site = site(&server);
    for uri in ["http://site.example/cb", "https://site.example/cb#x", "javascript:alert(1)", "https://user@site.example/cb"] {
        let explained = refused_page(&server, &visit(&server, &site, &[("redirect_uri", uri)]), 400);
        assert_eq!((explained.of("cause"), explained.of("received")), ("redirect_uri_mismatch", uri));
        assert!(explained.advice().contains("cannot be registered"), "{}", explained.advice());
    }
}

#[test]
fn outside_text_is_escaped_and_cut_and_no_command_is_made_of_it() {
    let server = TestServer::start(Backend::Sqlite);
    let site = site(&server);
    let long = format!("https://site.example/{}", "x".repeat(300));
    let explained = refused_page(&server, &visit(&server, &site, &[("redirect_uri", &long)]), 400);
    assert_eq!(explained.of("received").chars().count(), 201);
    explained.advice();
    for evil in ["https://site.example/\u{1b}[31m\nfixed: propusk user remove anna", "https://site.example/\u{202e}gpj.exe"] {
        let explained = refused_page(&server, &visit(&server, &site, &[("redirect_uri", evil)]), 400);
        let said = shell(&server, &format!("propusk explain {}", explained.of("reference")), "");
        assert!(!said.contains(['\u{1b}', '\u{202e}']) && !said.contains("\nfixed"), "{said}");
        explained.advice();
    }
}

#[test]
fn a_redirect_uri_that_is_missing() {
    let server = TestServer::start(Backend::Sqlite);
    let site = server.add_client_with("site", Preset::Web, |new| {
        new.redirect_uris = vec!["https://site.example/a".into(), "https://site.example/b".into()];
    });
    let explained = refused_page(&server, &visit(&server, &site, &[("redirect_uri", "")]), 400);
    assert_eq!(explained.triple(), ("redirect_uri_missing", "one of https://site.example/a https://site.example/b", "none"));
    assert!(explained.advice().contains("send redirect_uri"));
    assert!(visit(&server, &site, &[]).url.contains("/login?flow="));
}

fn an_unknown_client_at_the_authorization_endpoint(backend: Backend) {
    let server = TestServer::start(backend);
    let site = site(&server);
    let ghost = [("client_id", "chat"), ("redirect_uri", "https://chat.example/_oauth/propusk")];
    let explained = refused_page(&server, &visit(&server, &site, &ghost), 400);
    assert_eq!(explained.triple(), ("unknown_client", "a registered client_id", "chat"));
    assert_eq!(explained.command(), "propusk client add chat --preset rocket-chat --redirect-uri https://chat.example/_oauth/propusk");
    mend(&server, &explained);
    assert!(visit(&server, &site, &ghost).url.contains("/login?flow="));
}

fn a_mistyped_client_id(backend: Backend) {
    let server = TestServer::start(backend);
    let chat = server.add_client("rocketchat", Preset::RocketChat);
    server.add_client("worker", Preset::Service);
    let landing = visit(&server, &chat, &[("client_id", "rocketcha")]);
    let explained = refused_page(&server, &landing, 400);
    assert_eq!(explained.triple(), ("unknown_client", "a registered client_id", "rocketcha"));
    assert_eq!(explained.of("nearest"), "rocketchat");
    assert_eq!(explained.fixes()[0], "set the client id rocketchat in the application's settings");
    assert!(explained.advice().contains("only if it is another application"), "{}", explained.advice());
    // Whoever asks learns nothing of it.
    assert!(!landing.html().contains("rocketchat"), "{}", landing.html());
    let token = |client_id: &str| {
        let form = [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", "x")];
        Request::post(&server.url("/oauth/token")).post_form(&form).send().unwrap()
    };
    let answer = token("Worker");
    assert!(!answer.text().contains("worker"), "{}", answer.text());
    let explained = refused(&server, &answer, 401, "invalid_client");
    assert_eq!((explained.of("cause"), explained.of("nearest")), ("unknown_client", "worker"));
    explained.advice();
    // As advised, the request goes on.
    assert_eq!(visit(&server, &chat, &[]).status(), 200);
    assert!(token("worker").json()["error_reference"].is_string());
    assert_eq!(refused(&server, &token("worker"), 401, "invalid_client").of("cause"), "secret_wrong");
}

#[test]
fn a_disabled_client_at_the_authorization_endpoint() {
    let server = TestServer::start(Backend::Sqlite);
    let site = site(&server);
    server.set_client("site", |patch| patch.disabled = Some(true));
    server.settle();
    let explained = refused_page(&server, &visit(&server, &site, &[]), 400);
    assert_eq!(explained.triple(), ("disabled_client", "an enabled client", "disabled"));
    mend(&server, &explained);
    assert!(visit(&server, &site, &[]).url.contains("/login?flow="));
}

#[test]
fn a_scope_beyond_what_the_client_may_have() {
    let server = TestServer::start(Backend::Sqlite);
    let site = site(&server);
    let scope = [("scope", "openid billing")];
    let explained = refused_redirect(&server, &visit(&server, &site, &scope), "invalid_scope");
    assert_eq!((explained.of("cause"), explained.of("received")), ("scope_not_allowed", "openid billing"));
    assert!(explained.of("expected").contains("openid") && !explained.of("expected").contains("billing"));
    assert_eq!(explained.command(), "propusk client set site --add-scope billing");
    mend(&server, &explained);
    assert!(visit(&server, &site, &scope).url.contains("/login?flow="));
}

#[test]
fn a_scope_beyond_what_a_service_may_have() {
    let server = TestServer::start(Backend::Sqlite);
    let worker = server.add_client("worker", Preset::Service);
    let ask = || server.token(&worker, &[("grant_type", "client_credentials"), ("scope", "jobs")]);
    let explained = refused(&server, &ask(), 400, "invalid_scope");
    assert_eq!(explained.triple(), ("scope_not_allowed", "no scope: the client may have none", "jobs"));
    assert_eq!(explained.of("client_id"), "worker");
    mend(&server, &explained);
    assert_eq!(ask().json()["scope"], "jobs");
}

#[test]
fn a_grant_that_the_client_may_not_use() {
    let server = TestServer::start(Backend::Sqlite);
    let site = site(&server);
    let ask = || server.token(&site, &[("grant_type", "client_credentials")]);
    let explained = refused(&server, &ask(), 400, "unauthorized_client");
    assert_eq!(explained.triple(), ("grant_not_allowed", "authorization_code refresh_token", "client_credentials"));
    mend(&server, &explained);
    assert_eq!(ask().status, 200);

    let worker = server.add_client_with("worker", Preset::Service, |new| new.redirect_uris = vec!["https://worker.example/cb".into()]);
    let explained = refused_redirect(&server, &visit(&server, &worker, &[("scope", "")]), "unauthorized_client");
    assert_eq!(explained.triple(), ("grant_not_allowed", "a client with the grant authorization_code", "client_credentials"));
    mend(&server, &explained);
    assert!(visit(&server, &worker, &[("scope", "")]).url.contains("/login?flow="));
}

#[test]
fn a_challenge_that_is_missing() {
    let server = TestServer::start(Backend::Sqlite);
    let (site, app) = (site(&server), server.add_client("app", Preset::Spa));
    server.set_client("site", |patch| patch.require_pkce = Some(true));
    server.settle();
    let explained = refused_redirect(&server, &visit(&server, &site, &[]), "invalid_request");
    assert_eq!(explained.triple(), ("pkce_required", "code_challenge and code_challenge_method=S256", "no code_challenge"));
    assert_eq!(explained.command(), "propusk client set site --require-pkce off");
    mend(&server, &explained);
    assert!(visit(&server, &site, &[]).url.contains("/login?flow="));
    // A public client can never go without, so no command is offered.
    let explained = refused_redirect(&server, &visit(&server, &app, &[]), "invalid_request");
    assert_eq!(explained.of("cause"), "pkce_required");
    assert!(explained.advice().contains("switch PKCE"));
}

#[test]
fn nobody_is_signed_in_and_no_page_may_be_shown() {
    let server = TestServer::start(Backend::Sqlite);
    let site = site(&server);
    let explained = refused_redirect(&server, &visit(&server, &site, &[("prompt", "none")]), "login_required");
    assert_eq!((explained.of("cause"), explained.of("received")), ("login_required", "no session"));
    assert!(explained.advice().contains("without prompt=none"));
}

#[test]
fn a_client_that_may_not_introspect() {
    let server = TestServer::start(Backend::Sqlite);
    let worker = server.add_client("worker", Preset::Service);
    let token = server.token(&worker, &[("grant_type", "client_credentials")]).json()["access_token"].as_str().unwrap().to_owned();
    let ask = || {
        let form = [("client_id", "worker"), ("client_secret", worker.secret.as_str()), ("token", token.as_str())];
        Request::post(&server.url("/oauth/introspect")).post_form(&form).send().unwrap()
    };
    let explained = refused(&server, &ask(), 400, "unauthorized_client");
    assert_eq!(explained.of("cause"), "introspect_not_allowed");
    assert_eq!(explained.command(), "propusk client set worker --introspect own");
    mend(&server, &explained);
    assert_eq!(ask().json()["active"], true);
}

#[test]
fn a_wrong_path_and_a_wrong_method() {
    let server = TestServer::start(Backend::Sqlite);
    let worker = server.add_client("worker", Preset::Service);
    let form = [("grant_type", "client_credentials"), ("client_id", "worker"), ("client_secret", worker.secret.as_str())];
    let post = |url: &str| Request::post(url).post_form(&form).send().unwrap();
    let explained = refused(&server, &post(&server.url("/oauth/tokens")), 404, "not_found");
    assert_eq!(explained.triple(), ("wrong_path", "a documented path", "/oauth/tokens"));
    assert_eq!(explained.of("nearest"), "/oauth/token");
    let url = explained.fixes()[0].strip_prefix("use ").unwrap().to_owned();
    assert_eq!(post(&url).status, 200, "{url}");

    let explained = refused(&server, &Request::get(&url).send().unwrap(), 405, "method_not_allowed");
    assert_eq!(explained.triple(), ("wrong_method", "POST", "GET"));
    assert!(explained.advice().contains("send POST"));
}

#[test]
fn parameters_that_cannot_be_read() {
    let server = TestServer::start(Backend::Sqlite);
    let site = site(&server);
    let explained = refused(&server, &server.token(&site, &[("grant_type", "password")]), 400, "unsupported_grant_type");
    assert_eq!((explained.of("cause"), explained.of("received"), explained.of("client_id")), ("malformed_request", "password", "site"));
    let explained = refused_redirect(&server, &visit(&server, &site, &[("response_type", "token")]), "unsupported_response_type");
    assert_eq!((explained.of("cause"), explained.of("received"), explained.of("client_id")), ("malformed_request", "token", "site"));
}
