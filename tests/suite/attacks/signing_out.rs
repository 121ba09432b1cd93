//! Signing somebody out against their will, or sending them elsewhere afterwards (RP-Initiated Logout 1.0).

use propusk_domain::client::Preset;
use propusk_tests::browser::Browser;
use propusk_tests::html;
use propusk_tests::server::{Backend, Person, Registered, TestServer};

propusk_tests::on_each_backend![
    a_hint_of_the_present_session_signs_out_at_once,
    without_a_hint_or_with_another_persons_a_page_asks_first,
    an_unregistered_address_is_never_followed,
];

const BYE: &str = "https://site.example/bye";

fn signed_in(backend: Backend) -> (TestServer, Person, Registered, Browser, String) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let (browser, landing) = server.sign_in(&site, &anna, &[]);
    let tokens = server.redeem(&site, &landing.param("code").unwrap(), &[]).json();
    let hint = tokens["id_token"].as_str().unwrap().to_owned();
    (server, anna, site, browser.stop_at(BYE).stop_at("https://evil.example"), hint)
}

fn logout_url(server: &TestServer, pairs: &[(&str, &str)]) -> String {
    server.url(&format!("/oauth/logout?{}", propusk_protocol::form::encode(pairs)))
}

fn is_out(server: &TestServer, site: &Registered, browser: &Browser) -> bool {
    let landing = browser.clone().visit(&server.authorize_url(site, &[("prompt", "none")])).unwrap();
    landing.param("error").as_deref() == Some("login_required")
}

fn a_hint_of_the_present_session_signs_out_at_once(backend: Backend) {
    let (server, _, site, mut browser, hint) = signed_in(backend);
    let before = browser.clone();
    // Long expired, and by POST, which arrives without the session's cookie.
    server.advance(7200);
    let pairs = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE), ("state", "\u{e4} &=")];
    let landing = browser.post_from("https://site.example/", &server.url("/oauth/logout"), &pairs).unwrap();
    assert!(landing.url.starts_with(BYE), "{}", landing.trace());
    assert_eq!(propusk_tests::http::query_pairs(&landing.url), [("state".to_owned(), "\u{e4} &=".to_owned())], "state alone comes back");
    assert!(browser.jar.named("propusk_session").is_none());
    // Not only the cookie: the session itself is over.
    assert!(is_out(&server, &site, &before));
    // Again is no error.
    let landing = browser.visit(&logout_url(&server, &pairs)).unwrap();
    assert!(landing.url.starts_with(BYE), "{}", landing.trace());
}

fn without_a_hint_or_with_another_persons_a_page_asks_first(backend: Backend) {
    let (server, _, site, mut browser, hint) = signed_in(backend);
    let boris = server.add_user("boris", "user");
    let of_boris = server.tokens(&site, &boris, "openid")["id_token"].as_str().unwrap().to_owned();
    let forged = format!("{}.{}.", "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", hint.split('.').nth(1).unwrap());
    for hint in ["", of_boris.as_str(), forged.as_str(), "rubbish"] {
        let landing =
            browser.visit(&logout_url(&server, &[("id_token_hint", hint), ("client_id", "site"), ("post_logout_redirect_uri", BYE)])).unwrap();
        assert!(html::has_id(&landing.html(), "logout-confirm"), "{hint}: {}", landing.trace());
        assert!(!is_out(&server, &site, &browser), "{hint}");
    }
    let stays = browser.press("logout-cancel").unwrap();
    assert!(stays.stopped.is_none() && !is_out(&server, &site, &browser), "{}", stays.trace());
    browser.visit(&logout_url(&server, &[("client_id", "site"), ("post_logout_redirect_uri", BYE), ("state", "s")])).unwrap();
    let landing = browser.press("logout-confirm").unwrap();
    assert_eq!(landing.url, format!("{BYE}?state=s"), "{}", landing.trace());
    assert!(is_out(&server, &site, &browser));
}

fn an_unregistered_address_is_never_followed(backend: Backend) {
    let (server, anna, site, _, _) = signed_in(backend);
    server.add_client("other", Preset::Web);
    let evil = [
        "https://evil.example/",
        "https://site.example/bye/",
        "https://site.example/bye?x=1",
        "javascript:alert(1)",
        "//evil.example",
        "https://other.example/bye",
    ];
    for address in evil {
        for with_hint in [true, false] {
            let (browser, landing) = server.sign_in(&site, &anna, &[]);
            let mut browser = browser.stop_at("https://").stop_at("javascript:");
            let tokens = server.redeem(&site, &landing.param("code").unwrap(), &[]).json();
            let hint = if with_hint { tokens["id_token"].as_str().unwrap() } else { "" };
            let url = logout_url(&server, &[("id_token_hint", hint), ("client_id", "site"), ("post_logout_redirect_uri", address)]);
            let mut landing = browser.visit(&url).unwrap();
            if !with_hint {
                landing = browser.press("logout-confirm").unwrap();
            }
            assert!(landing.stopped.is_none(), "{address}: {}", landing.trace());
            assert_eq!(landing.url.split('?').next(), Some(server.url("/logged-out").as_str()), "{address}");
            assert!(html::has_id(&landing.html(), "logged-out"));
        }
    }
    let received = super::refusal(&server, "post_logout_uri_mismatch").detail.received.unwrap();
    assert!(evil.contains(&received.as_str()), "{received}");
}
