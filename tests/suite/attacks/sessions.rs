//! Attacks on sessions, and the requests that ask how fresh one is.

use super::payload;
use propusk_domain::client::Preset;
use propusk_tests::browser::Browser;
use propusk_tests::html;
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, Person, Registered, TestServer};
use serde_json::Value;

propusk_tests::on_each_backend![
    a_fixed_session_is_not_the_one_that_signs_in,
    a_session_ends_when_idle_and_at_its_age,
    the_end_of_a_session_takes_its_grants_along,
    max_age_is_held_against_the_sign_in,
    prompt_login_asks_once_and_then_goes_on,
    prompt_consent_asks_for_first_parties_too,
    prompt_none_says_what_is_missing,
    a_hint_of_somebody_else_asks_again,
];

fn prepared(backend: Backend, more: &[(&str, &str)]) -> (TestServer, Person, Registered) {
    let server = TestServer::with(backend, more);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    (server, anna, site)
}

fn session_of(browser: &Browser) -> String {
    browser.jar.named("propusk_session").unwrap().value.clone()
}

fn redeemed(server: &TestServer, client: &Registered, code: &str) -> Value {
    let answer = server.redeem(client, code, &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn is_signed_in(server: &TestServer, cookie: &str) -> bool {
    let page = Request::get(&server.url("/")).header("Cookie", format!("propusk_session={cookie}")).send().unwrap();
    assert_eq!(page.status, 200);
    page.text().contains("Name of ")
}

fn a_fixed_session_is_not_the_one_that_signs_in(backend: Backend) {
    let (server, anna, site) = prepared(backend, &[]);
    let mallory = server.add_user("mallory", "user");
    // A value that nobody issued, and one of the attacker's own that lives.
    let (attacker, _) = server.sign_in(&site, &mallory, &[]);
    for planted in ["A".repeat(43), session_of(&attacker)] {
        let mut victim = Browser::new().stop_at(site.redirect_uri());
        victim.jar.store(&server.issuer, &format!("propusk_session={planted}; Path=/"));
        victim.visit(&server.authorize_url(&site, &[("prompt", "login")])).unwrap();
        let landing = victim.sign_in("anna", &anna.password).unwrap();
        assert!(landing.param("code").is_some(), "{}", landing.trace());
        assert_ne!(session_of(&victim), planted, "the cookie is a new one at each sign-in");
        assert!(!is_signed_in(&server, &planted), "the planted one is worth nothing now");
        assert!(is_signed_in(&server, &session_of(&victim)));
    }
    // Also when the same person signs in again, the old value dies.
    let (mut browser, _) = server.sign_in(&site, &anna, &[]);
    let before = session_of(&browser);
    browser.visit(&server.authorize_url(&site, &[("prompt", "login")])).unwrap();
    browser.sign_in("anna", &anna.password).unwrap();
    assert_ne!(session_of(&browser), before);
    assert!(!is_signed_in(&server, &before));
}

fn a_session_ends_when_idle_and_at_its_age(backend: Backend) {
    let (server, anna, site) = prepared(backend, &[("session.idle", "1000"), ("session.absolute", "2500"), ("session.touch_interval", "10")]);
    let (browser, _) = server.sign_in(&site, &anna, &[]);
    let cookie = session_of(&browser);
    let silent = |at: i64| {
        server.advance(at);
        let answer = browser.clone().visit(&server.authorize_url(&site, &[("prompt", "none")])).unwrap();
        answer.param("code").is_some()
    };
    assert!(silent(999), "idle to the last second");
    assert!(silent(999), "used, so the idle time began anew");
    assert!(!silent(1000), "idle for too long");
    assert!(!is_signed_in(&server, &cookie));
    let (browser, _) = server.sign_in(&site, &anna, &[]);
    let alive = |by: i64| {
        server.advance(by);
        browser.clone().visit(&server.authorize_url(&site, &[("prompt", "none")])).unwrap().param("code").is_some()
    };
    assert!(alive(900) && alive(900) && alive(699));
    assert!(!alive(1), "too old, however busy");
}

fn the_end_of_a_session_takes_its_grants_along(backend: Backend) {
    let (server, anna, site) = prepared(backend, &[]);
    let (mut browser, landing) = server.sign_in(&site, &anna, &[("scope", "openid offline_access")]);
    let kept = redeemed(&server, &site, &landing.param("code").unwrap());
    let landing = browser.visit(&server.authorize_url(&site, &[("scope", "openid")])).unwrap();
    let bound = redeemed(&server, &site, &landing.param("code").unwrap());
    browser.visit(&server.url("/logout")).unwrap();
    browser.press("logout-confirm").unwrap();
    let cookie = Request::get(&server.url("/")).send().unwrap();
    assert_eq!(cookie.status, 200);
    assert_eq!(server.userinfo(bound["access_token"].as_str().unwrap()).status, 401);
    assert_eq!(server.userinfo(kept["access_token"].as_str().unwrap()).status, 200, "offline_access outlives the session");
    let sub = anna.user.sub.clone();
    server.admin(move |cx| propusk_domain::session::end_all(cx, &sub, propusk_domain::grant::Revocation::Logout));
    server.settle();
    assert_eq!(server.userinfo(kept["access_token"].as_str().unwrap()).status, 401, "everywhere means everywhere");
    assert_eq!(server.refresh(&site, kept["refresh_token"].as_str().unwrap()).json()["error"], "invalid_grant");
}

fn max_age_is_held_against_the_sign_in(backend: Backend) {
    let (server, anna, site) = prepared(backend, &[]);
    let (mut browser, landing) = server.sign_in(&site, &anna, &[("max_age", "600")]);
    let first = payload(&redeemed(&server, &site, &landing.param("code").unwrap())["id_token"]);
    let began = first["auth_time"].as_i64().unwrap();
    server.advance(100);
    let landing = browser.visit(&server.authorize_url(&site, &[("max_age", "100")])).unwrap();
    let second = payload(&redeemed(&server, &site, &landing.param("code").unwrap())["id_token"]);
    assert_eq!(second["auth_time"].as_i64(), Some(began), "an unchanged session has an unchanged auth_time");
    let silent = browser.visit(&server.authorize_url(&site, &[("max_age", "99"), ("prompt", "none")])).unwrap();
    assert_eq!(silent.param("error").as_deref(), Some("login_required"));
    for age in ["99", "0"] {
        browser.visit(&server.authorize_url(&site, &[("max_age", age)])).unwrap();
        assert!(html::has_id(browser.html(), "login-submit"), "max_age={age}");
    }
    let landing = browser.sign_in("anna", &anna.password).unwrap();
    let third = payload(&redeemed(&server, &site, &landing.param("code").unwrap())["id_token"]);
    assert_eq!(third["auth_time"].as_i64(), Some(began + 100));
}

fn prompt_login_asks_once_and_then_goes_on(backend: Backend) {
    let (server, anna, site) = prepared(backend, &[]);
    let (mut browser, _) = server.sign_in(&site, &anna, &[]);
    server.advance(5);
    for prompt in ["login", "select_account"] {
        browser.visit(&server.authorize_url(&site, &[("prompt", prompt)])).unwrap();
        assert!(super::notice(&browser).contains("enter your password again"), "{}", super::notice(&browser));
        let landing = browser.sign_in("anna", &anna.password).unwrap();
        assert!(landing.param("code").is_some(), "{}", landing.trace());
        let claims = payload(&redeemed(&server, &site, &landing.param("code").unwrap())["id_token"]);
        assert_eq!(claims["auth_time"].as_i64(), Some(propusk_tests::server::START.0 + 5));
    }
    // A flow in which nobody signs in does not borrow the session by being opened again.
    browser.visit(&server.authorize_url(&site, &[("prompt", "login")])).unwrap();
    let url = browser.url().to_owned();
    browser.visit(&url).unwrap();
    assert!(html::has_id(browser.html(), "login-submit"));
}

fn prompt_consent_asks_for_first_parties_too(backend: Backend) {
    let (server, anna, site) = prepared(backend, &[]);
    let (mut browser, landing) = server.sign_in(&site, &anna, &[]);
    assert!(landing.param("code").is_some(), "first parties skip it otherwise");
    for _ in 0..2 {
        browser.visit(&server.authorize_url(&site, &[("prompt", "consent")])).unwrap();
        let landing = browser.press("consent-allow").unwrap();
        assert!(landing.param("code").is_some(), "{}", landing.trace());
    }
    browser.visit(&server.authorize_url(&site, &[("prompt", "consent")])).unwrap();
    let denied = browser.press("consent-deny").unwrap();
    assert_eq!((denied.param("error").as_deref(), denied.param("state").as_deref()), (Some("access_denied"), Some("st")));
    browser.visit(&server.authorize_url(&site, &[("prompt", "login consent")])).unwrap();
    browser.sign_in("anna", &anna.password).unwrap();
    assert!(html::has_id(browser.html(), "consent-allow"), "both, one after the other");
}

fn prompt_none_says_what_is_missing(backend: Backend) {
    let (server, anna, site) = prepared(backend, &[]);
    let third = server.add_client("third", Preset::Web);
    let mut browser = Browser::new().stop_at(site.redirect_uri()).stop_at(third.redirect_uri());
    let silent = |browser: &mut Browser, client, more: &[(&str, &str)]| {
        let mut all = vec![("prompt", "none")];
        all.extend_from_slice(more);
        let landing = browser.visit(&server.authorize_url(client, &all)).unwrap();
        assert_eq!(landing.hops.len(), 1, "no page in between: {}", landing.trace());
        landing.param("error")
    };
    assert_eq!(silent(&mut browser, &site, &[]).as_deref(), Some("login_required"));
    browser.visit(&server.authorize_url(&site, &[])).unwrap();
    browser.sign_in("anna", &anna.password).unwrap();
    assert_eq!(silent(&mut browser, &site, &[]), None);
    assert_eq!(silent(&mut browser, &third, &[]).as_deref(), Some("consent_required"));
    browser.visit(&server.authorize_url(&third, &[("scope", "openid email")])).unwrap();
    browser.press("consent-allow").unwrap();
    assert_eq!(silent(&mut browser, &third, &[("scope", "email openid")]), None, "remembered, in any order");
    assert_eq!(silent(&mut browser, &third, &[("scope", "openid email phone")]).as_deref(), Some("consent_required"), "for what was asked then");
}

fn a_hint_of_somebody_else_asks_again(backend: Backend) {
    let (server, anna, site) = prepared(backend, &[]);
    let boris = server.add_user("boris", "user");
    let hint = |person| server.tokens(&site, person, "openid")["id_token"].as_str().unwrap().to_owned();
    let (of_anna, of_boris) = (hint(&anna), hint(&boris));
    let (mut browser, _) = server.sign_in(&site, &anna, &[]);
    // Expired hints count (OIDC Core §3.1.2.1).
    server.advance(7200);
    let silent = browser.visit(&server.authorize_url(&site, &[("prompt", "none"), ("id_token_hint", &of_anna)])).unwrap();
    assert!(silent.param("code").is_some(), "{}", silent.trace());
    let silent = browser.visit(&server.authorize_url(&site, &[("prompt", "none"), ("id_token_hint", &of_boris)])).unwrap();
    assert_eq!(silent.param("error").as_deref(), Some("login_required"));
    browser.visit(&server.authorize_url(&site, &[("id_token_hint", &of_boris)])).unwrap();
    assert!(html::has_id(browser.html(), "login-submit"));
    // Signing in as somebody else than the hint says gives no code for that somebody.
    let landing = browser.sign_in("anna", &anna.password).unwrap();
    assert!(landing.param("code").is_none(), "{}", landing.trace());
    let landing = browser.sign_in("boris", &boris.password).unwrap();
    assert!(landing.param("code").is_some(), "{}", landing.trace());
}
