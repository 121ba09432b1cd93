//! What goes wrong between a chat and its server, and what the person and the administrator get to see.

use super::{CHAT, HERE, PROFILES, authorize, chat, config, new_browser, shop, sign_in};
use propusk_domain::client::Preset;
use propusk_tests::rocketchat::{CallbackAnswer, Config, Generation, Login, LoginStyle, Profile, SentVia, Wire};
use propusk_tests::server::Backend;

propusk_tests::on_each_backend![a_replayed_callback_is_refused_and_ends_what_was_issued];

const LEGACY: Profile = Profile::LegacyWeb(LoginStyle::Popup);
const MODERN: Profile = Profile::Modern(LoginStyle::Redirect);

#[test]
fn a_person_who_cancels_or_declines_is_back_at_the_chat() {
    let (server, _) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let foreign = server.add_client_with("foreign", Preset::RocketChat, |new| {
        new.redirect_uris = vec![format!("{CHAT}/_oauth/besedka")];
        new.first_party = Some(false);
    });
    for profile in PROFILES {
        for declines in [false, true] {
            let mut chat = chat(config(&server, &foreign), profile);
            let start = chat.start("browser", HERE, 0).unwrap();
            let mut browser = new_browser();
            browser.click_from(CHAT, &start.url).unwrap();
            let landing = if declines {
                browser.sign_in("anna", &anna.password).unwrap();
                browser.press("consent-deny").unwrap()
            } else {
                browser.press("login-cancel").unwrap()
            };
            assert_eq!(landing.param("error").as_deref(), Some("access_denied"), "{}", landing.trace());
            assert_eq!(landing.param("state").as_ref(), Some(&start.state));
            let answer = chat.callback("browser", &landing.url, &mut Wire, 0);
            assert!(matches!(&answer, CallbackAnswer::BackAtLogin { cause } if cause.ends_with("access_denied")), "{answer:?}");
            assert!(chat.exchanges.is_empty());
        }
    }
}

#[test]
fn after_five_minutes_a_modern_chat_has_forgotten_and_the_page_says_so() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    for (seconds, forgotten) in [(299, false), (301, true)] {
        let mut chat = chat(config(&server, &client), MODERN);
        let start = chat.start("browser", HERE, 0).unwrap();
        let mut browser = new_browser();
        browser.click_from(CHAT, &start.url).unwrap();
        let page = browser.url().to_owned();
        assert!(!browser.html().contains("login-notice"));
        server.advance(seconds);
        browser.click(&page).unwrap();
        assert_eq!(browser.html().contains("login-notice"), forgotten, "{}", browser.html());
        let landing = browser.sign_in("anna", &anna.password).unwrap();
        let answer = chat.callback("browser", &landing.url, &mut Wire, seconds.unsigned_abs());
        assert_eq!(matches!(answer, CallbackAnswer::BackAtLogin { .. }), forgotten, "{answer:?}");
        assert_eq!(chat.exchanges.is_empty(), forgotten);
    }
}

#[test]
fn two_tabs_of_a_legacy_chat_both_arrive_and_of_a_modern_one_the_later() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    for profile in PROFILES {
        let mut chat = chat(config(&server, &client), profile);
        let mut one = new_browser();
        let first = chat.start("browser", HERE, 0).unwrap();
        one.click_from(CHAT, &first.url).unwrap();
        let mut two = one.new_tab();
        let second = chat.start("browser", HERE, 1).unwrap();
        two.click_from(CHAT, &second.url).unwrap();
        let landed_two = two.sign_in("anna", &anna.password).unwrap();
        // The tabs of one browser share its cookies.
        one.jar = two.jar.clone();
        let landed_one = one.sign_in("anna", &anna.password).unwrap();
        assert_eq!((landed_one.param("state"), landed_two.param("state")), (Some(first.state), Some(second.state)));
        assert!(landed_one.param("code").is_some() && landed_one.param("code") != landed_two.param("code"));
        let login = |chat: &mut propusk_tests::rocketchat::RocketChat, url: &str| {
            let answer = chat.callback("browser", url, &mut Wire, 2);
            chat.finish(answer, 2)
        };
        let early = login(&mut chat, &landed_one.url);
        assert_eq!(matches!(early, Login::In { .. }), profile.generation() == Generation::Legacy, "{profile:?}: {early:?}");
        if profile.generation() == Generation::Legacy {
            assert!(matches!(login(&mut chat, &landed_two.url), Login::In { .. }));
        }
    }
}

fn a_replayed_callback_is_refused_and_ends_what_was_issued(backend: Backend) {
    let (server, client) = shop(backend);
    let anna = server.add_user("anna", "user");
    let mut chat = chat(config(&server, &client), LEGACY);
    let (_, landing) = authorize(&mut chat, &mut new_browser(), &anna, 0);
    let answer = chat.callback("browser", &landing.url, &mut Wire, 0);
    assert!(matches!(chat.finish(answer, 0), Login::In { .. }));
    let token = chat.exchanges[0].response.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.userinfo(&token).status, 200);
    let answer = chat.callback("browser", &landing.url, &mut Wire, 1);
    let Login::Refused(message) = chat.finish(answer, 1) else { panic!("a replayed code signed in") };
    assert_eq!(message, format!("Failed to complete OAuth handshake with besedka at {}/oauth/token. invalid_grant", server.issuer));
    assert_eq!(server.userinfo(&token).status, 401);
}

#[test]
fn the_reason_phrase_tells_the_administrator_of_a_legacy_chat_what_is_wrong() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let good = config(&server, &client);
    let (wrong, newline) = ("not-the-secret".to_owned(), format!("{}\n", good.secret));
    for (secret, via) in [(&wrong, SentVia::Payload), (&wrong, SentVia::Header), (&newline, SentVia::Payload), (&newline, SentVia::Header)] {
        let mut chat = chat(Config { secret: secret.clone(), token_sent_via: via, ..good.clone() }, LEGACY);
        let Login::Refused(message) = sign_in(&mut chat, &mut new_browser(), &anna, 0) else { panic!("signed in") };
        assert!(message.ends_with("/oauth/token. invalid_client"), "{message}");
    }
    let mut chat = chat(Config { token_path: "/oauth/tokens".into(), ..good.clone() }, LEGACY);
    let Login::Refused(message) = sign_in(&mut chat, &mut new_browser(), &anna, 0) else { panic!("signed in") };
    assert!(message.ends_with("/oauth/tokens. not_found"), "{message}");
    let mut chat = super::chat(Config { identity_path: "/oauth/userinfo/somebody".into(), ..good }, LEGACY);
    let Login::Refused(message) = sign_in(&mut chat, &mut new_browser(), &anna, 0) else { panic!("signed in") };
    assert!(message.ends_with("/oauth/userinfo/somebody. insufficient_scope"), "{message}");
}

#[test]
fn a_modern_chat_gets_the_code_and_the_sentence() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let mut chat = chat(Config { secret: "not-the-secret".into(), ..config(&server, &client) }, MODERN);
    let (_, landing) = authorize(&mut chat, &mut new_browser(), &anna, 0);
    let answer = chat.callback("browser", &landing.url, &mut Wire, 0);
    let CallbackAnswer::ErrorPage { status: 500, cause } = answer else { panic!("{answer:?}") };
    assert_eq!(cause, "TokenError: invalid_client: Client authentication failed");
}
