//! Attacks on codes and on where they are sent.

use propusk_domain::client::Preset;
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, TestServer};

propusk_tests::on_each_backend![
    code_injection_fails_at_the_verifier,
    a_stolen_code_is_worth_nothing_to_another_client,
    mix_up_is_visible_in_every_answer,
    pkce_cannot_be_stripped,
    an_open_redirector_is_not_here,
];

const ONE: &str = "one-one-one-one-one-one-one-one-one-one-one-one";
const TWO: &str = "two-two-two-two-two-two-two-two-two-two-two-two";

fn challenge(verifier: &str) -> String {
    let verifier = propusk_protocol::CodeVerifier::parse(verifier).unwrap();
    propusk_protocol::CodeChallenge::from_verifier(&verifier).as_str().to_owned()
}

fn code_injection_fails_at_the_verifier(backend: Backend) {
    let server = TestServer::start(backend);
    let (victim, attacker) = (server.add_user("anna", "user"), server.add_user("mallory", "user"));
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let with = |person, verifier| server.code(&site, person, &[("code_challenge", &challenge(verifier)), ("code_challenge_method", "S256")]);
    let (of_victim, of_attacker) = (with(&victim, ONE), with(&attacker, TWO));
    // The victim's code, injected into the attacker's session at the client, meets the attacker's verifier; and the reverse.
    for (code, verifier) in [(&of_victim, TWO), (&of_attacker, ONE)] {
        let answer = server.redeem(&site, code, &[("code_verifier", verifier)]);
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_grant")));
        assert_eq!(server.explain(answer.json()["error_reference"].as_str().unwrap()).detail.cause.slug(), "pkce_mismatch");
    }
    // The attempt costs the victim nothing.
    assert_eq!(server.redeem(&site, &of_victim, &[("code_verifier", ONE)]).status, 200);
}

fn a_stolen_code_is_worth_nothing_to_another_client(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let thief = server.add_client_with("thief", Preset::Web, |new| {
        new.first_party = Some(true);
        new.redirect_uris = vec![site.redirect_uri().to_owned()];
    });
    let code = server.code(&site, &anna, &[]);
    let answer = server.token(&thief, &[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", site.redirect_uri())]);
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(server.explain(answer.json()["error_reference"].as_str().unwrap()).detail.cause.slug(), "code_of_another_client");
    assert_eq!(server.redeem(&site, &code, &[]).status, 200);
}

/// RFC 9207: whoever asks two servers knows from every answer, good or bad, which one sent it.
fn mix_up_is_visible_in_every_answer(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let discovery = Request::get(&server.url("/.well-known/openid-configuration")).send().unwrap().json();
    assert_eq!(discovery["authorization_response_iss_parameter_supported"], true);
    let issuer = discovery["issuer"].as_str().unwrap();
    let (mut browser, landing) = server.sign_in(&site, &anna, &[]);
    assert_eq!(landing.param("iss").as_deref(), Some(issuer));
    let error = browser.visit(&server.authorize_url(&site, &[("scope", "admin")])).unwrap();
    assert_eq!((error.param("error").as_deref(), error.param("iss").as_deref()), (Some("invalid_scope"), Some(issuer)));
    let silent = browser.visit(&server.authorize_url(&site, &[("response_mode", "form_post")])).unwrap();
    let form = browser.forms().into_iter().find(|form| form.action == site.redirect_uri()).unwrap();
    assert_eq!(form.value("iss"), Some(issuer), "{}", silent.html());
}

fn pkce_cannot_be_stripped(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, spa) = (server.add_user("anna", "user"), server.add_client_with("spa", Preset::Spa, |new| new.first_party = Some(true)));
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let refused = Request::get(&server.authorize_url(&spa, &[])).send().unwrap();
    assert_eq!(refused.location_param("error").as_deref(), Some("invalid_request"));
    let plain = Request::get(&server.authorize_url(&spa, &[("code_challenge", ONE), ("code_challenge_method", "plain")])).send().unwrap();
    assert_eq!(plain.location_param("error").as_deref(), Some("invalid_request"));
    // Stripped at the authorization request: the client's verifier gives it away (RFC 9700 §2.1.1).
    let code = server.code(&site, &anna, &[]);
    assert_eq!(server.redeem(&site, &code, &[("code_verifier", ONE)]).json()["error"], "invalid_grant");
    // Stripped at the token request.
    let code = server.code(&site, &anna, &[("code_challenge", &challenge(ONE)), ("code_challenge_method", "S256")]);
    assert_eq!(server.redeem(&site, &code, &[]).json()["error"], "invalid_grant");
    assert_eq!(server.redeem(&site, &code, &[("code_verifier", ONE)]).status, 200);
}

fn an_open_redirector_is_not_here(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let (mut browser, _) = server.sign_in(&site, &anna, &[]);
    let foreign = "https://evil.example/";
    let targets = [
        server.authorize_url(&site, &[("redirect_uri", foreign)]),
        server.authorize_url(&site, &[("redirect_uri", foreign), ("prompt", "none")]),
        server.authorize_url(&site, &[("redirect_uri", foreign), ("response_mode", "form_post")]),
        server.authorize_url(&site, &[("redirect_uri", foreign), ("scope", "admin")]),
        server.url(&format!("/oauth/logout?post_logout_redirect_uri={foreign}&client_id=site")),
        server.url(&format!("/login?next={foreign}&return_to={foreign}&redirect={foreign}")),
        server.url("//evil.example/"),
        server.url("/\\evil.example/"),
        server.url("//evil.example/%2e%2e"),
    ];
    for target in targets {
        let landing = browser.visit(&target).unwrap();
        for hop in &landing.hops {
            assert!(hop.request.url.starts_with(&server.issuer), "{target}: {}", landing.trace());
            let location = hop.response.location().unwrap_or("/");
            assert!(location.starts_with('/') && !location.starts_with("//"), "{target}: {location}");
        }
        assert!(!landing.html().contains("evil.example"), "{target} is shown to the visitor");
    }
    // The request stays in the flow, so the answer cannot be turned elsewhere afterwards either: the client drops its URI meanwhile.
    let mut late = propusk_tests::browser::Browser::new();
    late.visit(&server.authorize_url(&site, &[])).unwrap();
    server.set_client("site", |patch| patch.redirect_uris.replace = Some(vec!["https://site.example/new".into()]));
    server.settle();
    let landing = late.sign_in("anna", &anna.password).unwrap();
    assert_eq!((landing.status(), propusk_tests::html::text_of(&landing.html(), "error-code").as_deref()), (400, Some("invalid_request")));
}
