//! RP-Initiated Logout 1.0: at once with a hint, after a question without one, back only to what is registered.

use propusk_domain::client::Preset;
use propusk_tests::browser::{Browser, Landing};
use propusk_tests::http::{Request, form_encode};
use propusk_tests::server::{Backend, Registered, TestServer};

struct SignedIn {
    server: TestServer,
    site: Registered,
    browser: Browser,
    id_token: String,
}

fn signed_in() -> SignedIn {
    let server = TestServer::start(Backend::Sqlite);
    let anna = server.add_user("anna", "owner");
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let (browser, landing) = server.sign_in(&site, &anna, &[]);
    let tokens = server.redeem(&site, &landing.param("code").unwrap(), &[]).json();
    let id_token = tokens["id_token"].as_str().unwrap().to_owned();
    SignedIn { server, site, browser: browser.stop_at("https://site.example/"), id_token }
}

impl SignedIn {
    fn leave(&mut self, pairs: &[(&str, &str)]) -> Landing {
        let url = self.server.url(&format!("/oauth/logout?{}", form_encode(pairs)));
        self.browser.click_from("https://site.example/", &url).unwrap()
    }

    fn is_signed_in(&self) -> bool {
        let mut browser = self.browser.new_tab();
        let landing = browser.visit(&self.server.authorize_url(&self.site, &[("prompt", "none")])).unwrap();
        match landing.param("error").as_deref() {
            None => true,
            Some("login_required") => false,
            other => panic!("{other:?}\n{}", landing.trace()),
        }
    }
}

const BYE: (&str, &str) = ("post_logout_redirect_uri", "https://site.example/bye");

#[test]
fn a_hint_of_the_present_session_ends_it_at_once_and_state_alone_goes_back() {
    let mut at = signed_in();
    assert!(at.is_signed_in());
    // Hints live longer than the tokens that they are (OpenID Connect RP-Initiated Logout §2).
    at.server.advance(86_400);
    let hint = at.id_token.clone();
    let landing = at.leave(&[("id_token_hint", &hint), BYE, ("state", "a b&c~é")]);
    assert_eq!(landing.url, "https://site.example/bye?state=a%20b%26c~%C3%A9", "{}", landing.trace());
    assert!(!at.is_signed_in());
}

#[test]
fn without_a_hint_the_person_is_asked_first() {
    let mut at = signed_in();
    let landing = at.leave(&[("client_id", "site"), BYE, ("state", "s")]);
    assert_eq!((landing.status(), landing.stopped.is_none()), (200, true), "{}", landing.trace());
    assert!(at.browser.html().contains("logout-confirm") && at.is_signed_in());
    assert_eq!(at.browser.press("logout-confirm").unwrap().url, "https://site.example/bye?state=s");
    assert!(!at.is_signed_in());
}

#[test]
fn staying_changes_nothing() {
    let mut at = signed_in();
    at.leave(&[]);
    at.browser.press("logout-cancel").unwrap();
    assert!(at.is_signed_in());
    at.leave(&[]);
    let landing = at.browser.press("logout-confirm").unwrap();
    assert!(landing.url.ends_with("/logged-out") && landing.html().contains("id=\"logged-out\""), "{}", landing.trace());
}

#[test]
fn what_is_not_registered_is_never_followed() {
    let table: &[&[(&str, &str)]] = &[
        &[("client_id", "site"), ("post_logout_redirect_uri", "https://site.example/bye/")],
        &[("client_id", "site"), ("post_logout_redirect_uri", "https://evil.example/")],
        &[("client_id", "site"), ("post_logout_redirect_uri", "https://site.example/cb")],
        &[("client_id", "nobody"), BYE],
        &[BYE],
    ];
    for pairs in table {
        let mut at = signed_in();
        let landing = at.leave(pairs);
        assert!(landing.stopped.is_none() && landing.url.starts_with(&at.server.issuer), "{pairs:?}\n{}", landing.trace());
        let landing = at.browser.press("logout-confirm").unwrap();
        assert!(landing.url.ends_with("/logged-out"), "{pairs:?}\n{}", landing.trace());
    }
}

#[test]
fn a_hint_that_proves_nothing_is_no_hint() {
    let genuine = signed_in();
    let parts: Vec<&str> = genuine.id_token.split('.').collect();
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
    let mangled = format!("{}.{}.{}", parts[0], parts[1], parts[2].chars().rev().collect::<String>());
    for hint in [unsigned.as_str(), mangled.as_str(), "x", genuine.id_token.as_str()] {
        // The last is genuine, but another installation's.
        let mut at = signed_in();
        let landing = at.leave(&[("id_token_hint", hint), ("client_id", "site"), BYE]);
        assert!(landing.stopped.is_none() && at.browser.html().contains("logout-confirm"), "{hint}\n{}", landing.trace());
        assert!(at.is_signed_in());
    }
}

#[test]
fn a_hint_and_a_client_that_contradict_each_other_lead_nowhere_else() {
    let mut at = signed_in();
    at.server.add_client("other", Preset::Web);
    let hint = at.id_token.clone();
    let landing = at.leave(&[("id_token_hint", &hint), ("client_id", "other"), ("post_logout_redirect_uri", "https://other.example/bye")]);
    assert!(landing.url.starts_with(&at.server.issuer), "{}", landing.trace());
}

#[test]
fn a_post_means_the_same() {
    let mut at = signed_in();
    let hint = at.id_token.clone();
    let url = at.server.url("/oauth/logout");
    let landing = at.browser.post_from("https://site.example/", &url, &[("id_token_hint", &hint), BYE, ("state", "s")]).unwrap();
    assert_eq!(landing.url, "https://site.example/bye?state=s", "{}", landing.trace());
    assert!(!at.is_signed_in());
}

#[test]
fn somebody_who_is_not_signed_in_is_sent_on_without_a_question() {
    let at = signed_in();
    let url = at.server.url(&format!("/oauth/logout?{}", form_encode(&[("client_id", "site"), BYE])));
    let response = Request::get(&url).send().unwrap();
    assert_eq!((response.status, response.location()), (303, Some("https://site.example/bye")));
    let bare = Request::get(&at.server.url("/oauth/logout")).send().unwrap();
    assert_eq!((bare.status, bare.location()), (303, Some("/logged-out")));
}
