//! `invalid_client`: the four boring causes, and clients that are unknown, switched off or unable to say who they are.

use super::{Explained, credentials_grant, directory, explain, mend, refused, shell, shown_secret, site};
use base64::Engine as _;
use propusk_crypto::Secret;
use propusk_domain::client::Preset;
use propusk_protocol::Scope;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, Registered, TestServer};

propusk_tests::on_each_backend![the_stored_hash_pasted_as_the_secret, an_unknown_client_at_an_endpoint, a_disabled_client];

fn worker(server: &TestServer) -> Registered {
    server.add_client_with("worker", Preset::Service, |new| new.scopes = Some(Scope::parse("jobs").unwrap()))
}

/// A client credentials request with Basic, parts as they are.
fn basic_raw(server: &TestServer, client_id: &str, secret: &str) -> Response {
    let form = [("grant_type", "client_credentials")];
    Request::post(&server.url("/oauth/token")).basic_raw(client_id, secret).post_form(&form).send().unwrap()
}

fn the_stored_hash_pasted_as_the_secret(backend: Backend) {
    let server = TestServer::start(backend);
    let worker = worker(&server);
    let hash = server.look(|cx| Ok(cx.store.find_client("worker")?)).unwrap().secrets[0].hash.as_str().to_owned();
    let explained = refused(&server, &credentials_grant(&server, "worker", &hash), 401, "invalid_client");
    let (cause, expected, received) = explained.triple();
    assert_eq!((cause, expected), ("secret_is_stored_hash", "one of the client's live secrets"));
    assert!(received.ends_with("looks like the stored hash of this client's secret"), "{received}");
    assert!(!explained.document.to_string().contains(&hash) && !explained.document.to_string().contains(&worker.secret));
    assert_eq!(explained.of("client_id"), "worker");
    let secret = shown_secret(&shell(&server, rotation(&explained), ""));
    server.settle();
    assert_eq!(credentials_grant(&server, "worker", &secret).status, 200);
    check_secret(&server, &explained, &secret);
}

#[test]
fn a_wrong_secret_is_told_by_its_length_alone() {
    let server = TestServer::start(Backend::Sqlite);
    worker(&server);
    let guess = "correct-horse-battery-staple";
    let explained = refused(&server, &credentials_grant(&server, "worker", guess), 401, "invalid_client");
    assert_eq!(explained.triple(), ("secret_wrong", "one of the client's live secrets", "28 characters"));
    let secret = shown_secret(&shell(&server, rotation(&explained), ""));
    server.settle();
    assert_eq!(credentials_grant(&server, "worker", &secret).status, 200);
}

#[test]
fn a_secret_that_was_replaced_for_good() {
    let server = TestServer::start(Backend::Sqlite);
    let worker = worker(&server);
    server.admin(|cx| propusk_domain::admin::clients::rotate_secret(cx, "worker", 0));
    server.settle();
    let explained = refused(&server, &credentials_grant(&server, "worker", &worker.secret), 401, "invalid_client");
    assert_eq!(explained.of("cause"), "secret_expired");
    let secret = shown_secret(&shell(&server, rotation(&explained), ""));
    server.settle();
    assert_eq!(credentials_grant(&server, "worker", &secret).status, 200);
}

#[test]
fn a_stray_newline_behind_the_secret() {
    let server = TestServer::start(Backend::Sqlite);
    let worker = worker(&server);
    for response in
        [credentials_grant(&server, "worker", &format!("{}\n", worker.secret)), basic_raw(&server, "worker", &format!("{}\n", worker.secret))]
    {
        let explained = refused(&server, &response, 401, "invalid_client");
        assert_eq!(explained.of("cause"), "secret_has_whitespace");
        assert!(explained.of("received").contains("has a trailing newline"), "{}", explained.of("received"));
        assert!(explained.fixes()[0].contains("white space"));
        check_secret(&server, &explained, &worker.secret);
    }
    assert_eq!(credentials_grant(&server, "worker", &worker.secret).status, 200);
}

#[test]
fn a_secret_that_is_encoded_once_too_often() {
    let server = TestServer::start(Backend::Sqlite);
    let secret = "p+q%26&r=s/0123456789abcdef";
    server.add_client_with("worker", Preset::Service, |new| new.secret = Some(Secret::new(secret.to_owned())));
    // As RFC 6749 §2.3.1 wants it, and as most clients do it: both are understood.
    assert_eq!(basic_raw(&server, "worker", secret).status, 200);
    let form = [("grant_type", "client_credentials")];
    assert_eq!(Request::post(&server.url("/oauth/token")).basic("worker", secret).post_form(&form).send().unwrap().status, 200);
    let encoded = propusk_tests::http::encode_uri_component(secret);
    let explained = refused(&server, &credentials_grant(&server, "worker", &encoded), 401, "invalid_client");
    assert_eq!(explained.of("cause"), "secret_not_form_decoded");
    assert!(explained.of("received").contains("contains a percent sign"), "{}", explained.of("received"));
    assert!(explained.fixes()[0].contains("form-encoded once"));
    check_secret(&server, &explained, secret);
}

#[test]
fn the_wrong_method_of_authentication() {
    let server = TestServer::start(Backend::Sqlite);
    server.add_client("app", Preset::Spa);
    let code = [("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", "https://app.example/cb")];
    let post = |more: &[(&str, &str)]| {
        let form: Vec<_> = code.iter().chain(more).copied().collect();
        Request::post(&server.url("/oauth/token")).post_form(&form).send().unwrap()
    };
    let explained = refused(&server, &post(&[("client_id", "app"), ("client_secret", "made-up")]), 401, "invalid_client");
    assert_eq!(explained.triple(), ("wrong_auth_method", "none: this client has no secret", "client_secret_post"));
    assert!(explained.advice().contains("remove the client secret"));
    // As advised, the client is believed; only the code is not.
    assert_eq!(post(&[("client_id", "app")]).json()["error"], "invalid_grant");

    let site = site(&server);
    let explained = refused(&server, &post(&[("client_id", "site")]), 401, "invalid_client");
    assert_eq!(explained.of("cause"), "secret_missing");
    assert_eq!(explained.of("expected"), "client_secret_basic or client_secret_post");
    let secret = shown_secret(&mend(&server, &explained));
    assert_ne!(secret, site.secret);
    assert_eq!(post(&[("client_id", "site"), ("client_secret", &secret)]).json()["error"], "invalid_grant");
}

#[test]
fn credentials_that_cannot_be_read() {
    let server = TestServer::start(Backend::Sqlite);
    let worker = worker(&server);
    let with = |header: &str, more: &[(&str, &str)]| {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend_from_slice(more);
        let request = Request::post(&server.url("/oauth/token"));
        let request = if header.is_empty() { request } else { request.header("Authorization", header) };
        request.post_form(&form).send().unwrap()
    };
    let token = base64::engine::general_purpose::STANDARD.encode(format!("worker:{}", worker.secret));
    for (header, more, status, error, cause) in [
        (token.clone(), vec![], 401, "invalid_client", "missing_scheme"),
        ("Basic !!!".to_owned(), vec![], 401, "invalid_client", "malformed_basic"),
        ("Bearer abc".to_owned(), vec![], 401, "invalid_client", "wrong_auth_method"),
        (format!("Basic {token}"), vec![("client_secret", worker.secret.as_str())], 400, "invalid_request", "two_auth_methods"),
        (String::new(), vec![], 401, "invalid_client", "secret_missing"),
    ] {
        let explained = refused(&server, &with(&header, &more), status, error);
        assert_eq!(explained.of("cause"), cause);
        explained.advice();
        assert!(!explained.document.to_string().contains(&worker.secret) && !explained.document.to_string().contains(&token));
    }
    assert_eq!(with(&format!("Basic {token}"), &[]).status, 200);
}

fn an_unknown_client_at_an_endpoint(backend: Backend) {
    let server = TestServer::start(backend);
    let introspect = |secret: &str| {
        let form = [("client_id", "ghost"), ("client_secret", secret), ("token", "x")];
        Request::post(&server.url("/oauth/introspect")).post_form(&form).send().unwrap()
    };
    let explained = refused(&server, &introspect("a-secret-of-nobody"), 401, "invalid_client");
    assert_eq!(explained.triple(), ("unknown_client", "a registered client_id", "ghost"));
    let secret = shown_secret(&mend(&server, &explained));
    let answer = introspect(&secret);
    assert_eq!((answer.status, answer.json()["active"].as_bool()), (200, Some(false)));
}

#[test]
fn an_unknown_client_whose_identifier_nobody_can_have() {
    let server = TestServer::start(Backend::Sqlite);
    let explained = refused(&server, &credentials_grant(&server, "$(reboot) \u{202e}", "x"), 401, "invalid_client");
    assert_eq!(explained.of("received"), "$(reboot) \\u{202e}");
    assert!(explained.advice().contains("no client can have this identifier"));
}

fn a_disabled_client(backend: Backend) {
    let server = TestServer::start(backend);
    let worker = worker(&server);
    server.set_client("worker", |patch| patch.disabled = Some(true));
    server.settle();
    let explained = refused(&server, &credentials_grant(&server, "worker", &worker.secret), 401, "invalid_client");
    assert_eq!(explained.triple(), ("disabled_client", "an enabled client", "disabled"));
    assert_eq!(explained.command(), "propusk client set worker --enable");
    mend(&server, &explained);
    assert_eq!(credentials_grant(&server, "worker", &worker.secret).status, 200);
}

#[test]
fn a_reference_may_be_given_as_it_stands_in_the_description() {
    let server = TestServer::start(Backend::Sqlite);
    worker(&server);
    let answer = credentials_grant(&server, "worker", "wrong");
    let reference = answer.json()["error_reference"].as_str().unwrap().to_owned();
    explain(&server, &reference);
    let said = shell(&server, &format!("propusk explain '(ref {reference})'"), "");
    for part in [reference.as_str(), "secret_wrong", "5 characters", "propusk client rotate-secret worker"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(shell(&server, "propusk explain", "").contains(&reference), "without a reference the latest are listed");
}

fn rotation(explained: &Explained) -> &str {
    explained.fixes().into_iter().find(|fix| fix.starts_with("propusk client rotate-secret ")).unwrap()
}

/// The other command of the list says that the right secret works.
fn check_secret(server: &TestServer, explained: &Explained, secret: &str) {
    let command = explained.fixes().into_iter().find(|fix| fix.starts_with("propusk client check-secret ")).unwrap();
    std::fs::write(directory(server).join("secret-file"), format!("{secret}\n")).unwrap();
    assert!(shell(server, command, "").contains("works"));
}
