//! What people run into: the sign-in page and the way out.

use super::{Explained, explain, mend, refused_page, shell, site};
use propusk_tests::browser::{Browser, Landing};
use propusk_tests::html::text_of;
use propusk_tests::server::{Backend, Registered, START, TestServer};

propusk_tests::on_each_backend![a_cookie_that_was_lost, a_throttled_sign_in];

/// A browser on the sign-in page.
fn at_the_form(server: &TestServer, client: &Registered) -> Browser {
    let mut browser = Browser::new().stop_at(client.redirect_uri());
    browser.visit(&server.authorize_url(client, &[])).unwrap();
    browser
}

fn got_a_code(landing: &Landing) {
    assert!(landing.param("code").is_some(), "{}", landing.trace());
}

fn a_cookie_that_was_lost(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let mut browser = at_the_form(&server, &site);
    browser.jar.clear();
    let landing = browser.sign_in("anna", &anna.password).unwrap();
    let explained = refused_page(&server, &landing, 200);
    assert_eq!(explained.triple(), ("lost_cookie", "the cookie of the browser that opened the page", "no such cookie"));
    assert_eq!((explained.of("endpoint"), explained.of("client_id")), ("login", "site"));
    assert!(explained.advice().contains("keep cookies"));
    got_a_code(&browser.sign_in("anna", &anna.password).unwrap());
}

#[test]
fn a_form_that_was_posted_from_elsewhere() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let mut browser = at_the_form(&server, &site);
    let flow = browser.form_with("login-submit").value("flow").unwrap().to_owned();
    let form = [("flow", flow.as_str()), ("username", "anna"), ("password", anna.password.as_str())];
    let landing = browser.post_from("http://evil.example/", &server.url("/login"), &form).unwrap();
    let explained = refused_page(&server, &landing, 200);
    assert_eq!(explained.triple(), ("foreign_origin", "a form posted from this server's own origin", "another origin"));
    assert!(explained.advice().contains("issuer"));
    got_a_code(&browser.sign_in("anna", &anna.password).unwrap());
}

#[test]
fn a_page_that_was_open_for_too_long() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let mut browser = at_the_form(&server, &site);
    server.advance(server.instance.policy.flow_lifetime);
    let explained = refused_page(&server, &browser.sign_in("anna", &anna.password).unwrap(), 200);
    let received = format!("a page opened at {START}");
    assert_eq!(explained.triple(), ("flow_expired", "a page younger than login.flow_lifetime", received.as_str()));
    explained.advice();
    got_a_code(&browser.sign_in("anna", &anna.password).unwrap());
}

#[test]
fn a_flow_that_was_damaged() {
    let server = TestServer::start(Backend::Sqlite);
    let site = site(&server);
    let browser = at_the_form(&server, &site);
    let damaged = format!("{}x", browser.url());
    let explained = refused_page(&server, &Browser::new().visit(&damaged).unwrap(), 400);
    assert_eq!(explained.triple(), ("flow_broken", "a flow that this server sealed", "a damaged or foreign one"));
}

#[test]
fn a_name_of_nobody_is_told_by_length_and_first_letter() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let mut browser = at_the_form(&server, &site);
    // People type their password into the wrong field.
    let landing = browser.sign_in(&anna.password, "x").unwrap();
    let explained = refused_page(&server, &landing, 403);
    assert_eq!(explained.triple(), ("unknown_user", "a sign-in name", "18 characters beginning with c"));
    assert!(!explained.document.to_string().contains(&anna.password));
    assert!(shell(&server, explained.command(), "").contains("anna"));
}

#[test]
fn a_wrong_password() {
    let server = TestServer::start(Backend::Sqlite);
    let (_, site) = (server.add_user("anna", "user"), site(&server));
    let mut browser = at_the_form(&server, &site);
    let explained = refused_page(&server, &browser.sign_in("anna", "Tr0ub4dor&3").unwrap(), 403);
    assert_eq!(explained.triple(), ("wrong_password", "the password of the account", "another"));
    assert!(!explained.document.to_string().contains("Tr0ub4dor"));
    let said = mend(&server, &explained);
    let line = said.lines().find(|line| line.starts_with("password")).unwrap_or_else(|| panic!("{said}"));
    let password = line.split_whitespace().nth(1).unwrap();
    got_a_code(&browser.sign_in("anna", password).unwrap());
}

#[test]
fn a_disabled_account() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let sub = anna.user.sub.clone();
    server.admin(move |cx| propusk_domain::admin::users::disable(cx, &sub));
    let mut browser = at_the_form(&server, &site);
    let explained = refused_page(&server, &browser.sign_in("anna", &anna.password).unwrap(), 403);
    assert_eq!(explained.triple(), ("user_disabled", "an active account", "a disabled account"));
    mend(&server, &explained);
    got_a_code(&browser.sign_in("anna", &anna.password).unwrap());
}

fn a_throttled_sign_in(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let mut browser = at_the_form(&server, &site);
    let landing = (0..12).map(|_| browser.sign_in("anna", "wrong").unwrap()).find(|landing| landing.status() == 429).unwrap();
    let explained = refused_page(&server, &landing, 429);
    let expected = "at most 10 attempts on an account from one address, 25 from everywhere, 60 accounts from one address in two minutes";
    assert_eq!((explained.of("cause"), explained.of("expected")), ("login_throttled", expected));
    assert!(explained.of("received").starts_with("11 attempts on the account from this address"), "{}", explained.of("received"));
    let seconds: i64 = landing.response().header("retry-after").unwrap().parse().unwrap();
    assert!(explained.advice().starts_with(&format!("wait {seconds} s")), "{}", explained.advice());
    server.advance(seconds);
    got_a_code(&browser.sign_in("anna", &anna.password).unwrap());
}

#[test]
fn a_way_out_that_is_not_registered() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let (mut browser, _) = server.sign_in(&site, &anna, &[]);
    let target = "https://site.example/after%20all";
    let query = propusk_protocol::form::encode(&[("client_id", "site"), ("post_logout_redirect_uri", target)]);
    let url = server.url(&format!("/oauth/logout?{query}"));
    let explained = refused_page(&server, &browser.visit(&url).unwrap(), 200);
    assert_eq!(explained.triple(), ("post_logout_uri_mismatch", "one of https://site.example/bye", target));
    mend(&server, &explained);
    let mut browser = browser.stop_at(target);
    assert!(text_of(&browser.visit(&url).unwrap().html(), "error-reference").is_none());
    assert_eq!(browser.press("logout-confirm").unwrap().url, target);
}

#[test]
fn a_logout_hint_of_somebody_else() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), site(&server));
    let (mut browser, _) = server.sign_in(&site, &anna, &[]);
    let explained = refused_page(&server, &browser.visit(&server.url("/oauth/logout?id_token_hint=abc")).unwrap(), 200);
    assert_eq!(explained.triple(), ("logout_hint_invalid", "an ID token issued here", "malformed"));
    explained.advice();
}

#[test]
fn a_made_up_reference_in_the_url_is_shown_only_in_the_form_of_one() {
    let server = TestServer::start(Backend::Sqlite);
    for (query, shown) in [("ref=ABC123", true), ("ref=%3Cb%3Ehi", false), ("ref=call+555", false), ("ref=abc123", false)] {
        let page = Browser::new().visit(&server.url(&format!("/logged-out?{query}"))).unwrap().html();
        assert_eq!(text_of(&page, "error-reference").is_some(), shown, "{query}");
    }
}

#[test]
fn a_person_who_declines() {
    let server = TestServer::start(Backend::Sqlite);
    let site = site(&server);
    let mut browser = at_the_form(&server, &site);
    let landing = browser.press("login-cancel").unwrap();
    assert_eq!(landing.param("error").as_deref(), Some("access_denied"));
    let description = landing.param("error_description").unwrap();
    let reference = description.rsplit_once("(ref ").unwrap().1.trim_end_matches(')');
    let explained: Explained = explain(&server, reference);
    assert_eq!((explained.of("cause"), explained.of("client_id")), ("access_denied", "site"));
}
