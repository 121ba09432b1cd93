//! One-time links to set a password, on both pairs of backends.

use crate::explain::{explain, shell};
use propusk_domain::admin::users;
use propusk_domain::client::Preset;
use propusk_domain::password_link;
use propusk_protocol::Scope;
use propusk_tests::browser::{Browser, Landing};
use propusk_tests::form::query_param;
use propusk_tests::html::text_of;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, Person, TestServer};
use serde_json::Value;

propusk_tests::on_each_backend![
    a_service_hands_out_a_link_and_the_person_signs_in_with_the_new_password,
    a_link_is_used_once,
    of_ten_at_once_one_sets_the_password,
    any_other_password_and_a_disabling_end_every_link,
];

const NEW: &str = "four unrelated words";

/// A link as the operator makes it.
fn link(server: &TestServer, person: &Person) -> String {
    let user = person.user.clone();
    server.admin(move |cx| password_link::make(cx, &user, "test")?.url(&cx.policy.issuer, cx.keys))
}

fn set(browser: &mut Browser, password: &str) -> Landing {
    let form = browser.form_with("set-password-submit").fill("new_password", password);
    browser.submit(&form, form.button("set-password-submit")).unwrap()
}

fn opens(server: &TestServer, name: &str, password: &str) -> bool {
    let mut browser = Browser::new();
    browser.visit(&server.url("/login")).unwrap();
    browser.sign_in(name, password).unwrap().status() == 200
}

/// Asks for a link as a service that may.
fn ask(server: &TestServer, scope: &str, sub: &str) -> Response {
    let service = server.add_client_with("registration", Preset::Service, |new| new.scopes = Some(Scope::parse(scope).unwrap()));
    let token = server.token(&service, &[("grant_type", "client_credentials")]).json()["access_token"].as_str().unwrap().to_owned();
    Request::new("POST", &server.url(&format!("/api/v1/users/{sub}/password-link"))).bearer(&token).send().unwrap()
}

/// What the page says of a link that does not work, and the operator's view of it.
fn is_dead(server: &TestServer, landing: &Landing, received: &str) {
    assert_eq!(landing.status(), 400, "{}", landing.trace());
    assert!(landing.html().contains("does not work any more"), "{}", landing.html());
    let reference = text_of(&landing.html(), "error-reference").unwrap();
    let explained = server.explain(&reference);
    assert_eq!(explained.detail.cause.slug(), "password_link_dead");
    assert!(explained.detail.received.as_deref().unwrap().contains(received), "{explained:?}");
}

fn a_service_hands_out_a_link_and_the_person_signs_in_with_the_new_password(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let tokens = server.tokens(&site, &anna, "openid offline_access");
    let answer = ask(&server, "propusk:users", &anna.user.sub);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    let url = answer["url"].as_str().unwrap();
    assert!(url.starts_with(&server.url("/set-password?token=")), "{url}");
    assert_eq!(answer["expires_at"], propusk_server::clock::Clock::now(server.clock.as_ref()).plus(86_400).0);

    let mut browser = Browser::new();
    let page = browser.visit(url).unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(page.response().header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.response().header("cache-control"), Some("no-store"));
    assert!(browser.html().contains("anna"));
    let weak = set(&mut browser, "password");
    assert_eq!((weak.status(), weak.response().header("referrer-policy")), (400, Some("no-referrer")));
    assert!(text_of(browser.html(), "set-password-notice").unwrap().contains("guess"));
    let done = set(&mut browser, NEW);
    assert_eq!(done.url, server.url("/login?notice=password"), "{}", done.trace());
    assert!(text_of(browser.html(), "login-notice").unwrap().contains("The password is set"));
    assert!(opens(&server, "anna", NEW) && !opens(&server, "anna", &anna.password));
    assert_eq!(server.refresh(&site, tokens["refresh_token"].as_str().unwrap()).status, 400, "signed out everywhere");
    assert_eq!((server.audit("password_link_made").len(), server.audit("password_link_used").len()), (1, 1));
    assert_eq!(server.audit("password_set").len(), 1);
}

fn a_link_is_used_once(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let (first, second) = (link(&server, &anna), link(&server, &anna));
    let (mut one, mut stale) = (Browser::new(), Browser::new());
    one.visit(&first).unwrap();
    stale.visit(&second).unwrap();
    set(&mut one, NEW);
    is_dead(&server, &Browser::new().visit(&first).unwrap(), "used");
    is_dead(&server, &Browser::new().visit(&second).unwrap(), "used");
    is_dead(&server, &set(&mut stale, "other unrelated words"), "used");
    assert!(opens(&server, "anna", NEW));
}

fn of_ten_at_once_one_sets_the_password(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let token = query_param(&link(&server, &anna), "token").unwrap();
    let password = |index: usize| format!("{index} unrelated wooden words");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..10)
            .map(|index| {
                let (server, token) = (&server, token.as_str());
                scope.spawn(move || {
                    let form = [("token", token), ("new_password", &*password(index))];
                    Request::post(&server.url("/set-password")).post_form(&form).send().unwrap().status
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 303 | 400)), "{statuses:?}");
    let winner = statuses.iter().position(|status| *status == 303).unwrap();
    assert!(opens(&server, "anna", &password(winner)));
    assert_eq!(server.audit("password_set").len(), 1);
}

fn any_other_password_and_a_disabling_end_every_link(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, boris) = (server.add_user("anna", "user"), server.add_user("boris", "user"));
    let (annas, boriss) = (link(&server, &anna), link(&server, &boris));
    let (sub, hash) = (anna.user.sub.clone(), anna.user.password_hash.clone().unwrap());
    server.admin(move |cx| users::set_password(cx, &sub, hash.clone()).map(|_| ()));
    is_dead(&server, &Browser::new().visit(&annas).unwrap(), "another password");
    let sub = boris.user.sub.clone();
    server.admin(move |cx| users::disable(cx, &sub).map(|_| ()));
    let refused = ask(&server, "propusk:users", &boris.user.sub);
    assert_eq!((refused.status, refused.json()["error"].as_str()), (409, Some("conflict")));
    let sub = boris.user.sub.clone();
    server.admin(move |cx| users::enable(cx, &sub).map(|_| ()));
    is_dead(&server, &Browser::new().visit(&boriss).unwrap(), "disabling");
}

#[test]
fn a_link_that_is_over_damaged_or_of_another_kind_sets_nothing() {
    let server = TestServer::with(Backend::Sqlite, &[("password.link_lifetime", "10m")]);
    let anna = server.add_user("anna", "user");
    let url = link(&server, &anna);
    let mut browser = Browser::new();
    browser.visit(&url).unwrap();
    let token = query_param(&url, "token").unwrap();
    let (head, last) = token.split_at(token.len() - 5);
    let changed: String = last.chars().rev().collect();
    browser.new_tab().visit(&server.url("/login")).unwrap();
    let mut at_login = Browser::new();
    at_login.visit(&server.url("/login")).unwrap();
    let flow = at_login.form_with("login-submit").value("flow").unwrap().to_owned();
    for bad in ["", "rubbish", head, &format!("{head}{changed}x"), &flow] {
        let form = [("token", bad), ("new_password", NEW)];
        let answer = Request::post(&server.url("/set-password")).post_form(&form).send().unwrap();
        assert_eq!(answer.status, 400, "{bad}");
        assert!(!opens(&server, "anna", NEW), "{bad}");
    }
    server.advance(600);
    is_dead(&server, &set(&mut browser, NEW), "ended at");
    assert!(opens(&server, "anna", &anna.password));
}

#[test]
fn a_form_from_another_site_sets_nothing_and_uses_nothing_up() {
    let server = TestServer::start(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let url = link(&server, &anna);
    let token = query_param(&url, "token").unwrap();
    let form = [("token", token.as_str()), ("new_password", NEW)];
    // The second one says no origin, as a page of https does that posts to http.
    for from in ["http://evil.example/", "https://evil.example/"] {
        let landing = Browser::new().post_from(from, &server.url("/set-password"), &form).unwrap();
        assert_eq!(landing.status(), 400, "{from}");
    }
    let mut browser = Browser::new();
    browser.visit(&url).unwrap();
    set(&mut browser, NEW);
    assert!(opens(&server, "anna", NEW));
}

#[test]
fn links_are_for_services_that_may_and_for_people_who_exist() {
    let server = TestServer::start(Backend::Sqlite);
    let answer = ask(&server, "propusk:users", "nobody");
    assert_eq!(answer.status, 404, "{}", answer.text());
    let server = TestServer::start(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    assert_eq!(ask(&server, "roles", &anna.user.sub).status, 403);
    let bare = Request::new("POST", &server.url(&format!("/api/v1/users/{}/password-link", anna.user.sub))).send().unwrap();
    assert_eq!(bare.status, 401);
    assert_eq!(server.audit("password_link_made").len(), 0);
}

#[test]
fn the_operator_prints_a_link_and_learns_why_a_dead_one_is_dead() {
    let server = TestServer::start(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let made: Value = serde_json::from_str(&shell(&server, "propusk user set-password anna --link --json", "")).unwrap();
    assert_eq!((made["sub"].as_str(), made["username"].as_str()), (Some(anna.user.sub.as_str()), Some("anna")));
    assert!(made["expires_at"].as_str().unwrap().ends_with('Z'), "{made}");
    let url = made["url"].as_str().unwrap();
    let mut browser = Browser::new();
    browser.visit(url).unwrap();
    set(&mut browser, NEW);
    assert!(opens(&server, "anna", NEW));
    let landing = Browser::new().visit(url).unwrap();
    let explained = explain(&server, &text_of(&landing.html(), "error-reference").unwrap());
    assert_eq!(explained.of("cause"), "password_link_dead");
    assert_eq!(explained.of("endpoint"), "set_password");
    assert!(explained.command().contains("--link"));
    let token = query_param(url, "token").unwrap();
    assert!(!explained.document.to_string().contains(&token), "the link itself is kept nowhere");
    assert!(shell(&server, "propusk user set-password anna --link --generate-password 2>&1 || true", "").contains("cannot be used with"));
}
