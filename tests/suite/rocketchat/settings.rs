//! The settings that administrators really type in.

use super::{CHAT, HERE, PROFILES, authorize, chat, config, licensed, new_browser, shop, sign_in};
use propusk_domain::admin::users::{self, UserPatch};
use propusk_domain::client::Preset;
use propusk_tests::http::query_param;
use propusk_tests::rocketchat::{Config, Login, LoginStyle, Profile, RocketChat, SentVia, StartError, Wire};
use propusk_tests::server::Backend;

const LEGACY: Profile = Profile::LegacyWeb(LoginStyle::Popup);
const MODERN: Profile = Profile::Modern(LoginStyle::Redirect);

#[track_caller]
fn assert_in(chat: &RocketChat, login: &Login) {
    assert!(matches!(login, Login::In { .. }), "{login:?}: {:?}", chat.exchanges.last().map(|hop| hop.response.text()));
}

#[test]
fn doubled_and_trailing_slashes_are_no_obstacle() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    for (slash, end) in [("/", ""), ("", "/"), ("/", "/"), ("//", "//")] {
        for profile in PROFILES {
            let settings = Config {
                url: format!("{}{slash}", server.issuer),
                authorize_path: format!("/oauth/authorize{end}"),
                token_path: format!("/oauth/token{end}"),
                identity_path: format!("/oauth/userinfo/rocketchat{end}"),
                ..config(&server, &client)
            };
            let mut chat = chat(settings, profile);
            let login = sign_in(&mut chat, &mut new_browser(), &anna, 0);
            assert_in(&chat, &login);
            assert_eq!(chat.exchanges.len(), 2, "no redirect on the way: {profile:?} {slash:?} {end:?}");
        }
    }
}

#[test]
fn absolute_paths_of_a_legacy_chat() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let settings = Config {
        url: "https://nowhere.example".into(),
        authorize_path: server.url("/oauth/authorize"),
        token_path: server.url("/oauth/token"),
        identity_path: server.url("/oauth/userinfo/rocketchat"),
        ..config(&server, &client)
    };
    let mut chat = chat(settings, LEGACY);
    let login = sign_in(&mut chat, &mut new_browser(), &anna, 0);
    assert_in(&chat, &login);
}

#[test]
fn secret_and_token_may_travel_in_header_or_payload_on_one_registration() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "owner");
    for profile in PROFILES {
        for token_sent_via in [SentVia::Payload, SentVia::Header] {
            for identity_token_sent_via in [SentVia::Default, SentVia::Payload, SentVia::Header] {
                for identity_path in ["/oauth/userinfo/rocketchat", "/oauth/userinfo", "/me"] {
                    let settings =
                        Config { token_sent_via, identity_token_sent_via, identity_path: identity_path.into(), ..config(&server, &client) };
                    let mut chat = chat(settings, profile);
                    let login = sign_in(&mut chat, &mut new_browser(), &anna, 0);
                    assert_in(&chat, &login);
                    let identity = &chat.exchanges[1].request;
                    let in_query = query_param(&identity.url, "access_token").is_some();
                    let header = chat.config.identity_via() == SentVia::Header;
                    assert_eq!((in_query, identity.header_value("authorization").is_some()), (!header, header));
                }
            }
        }
    }
    assert!(server.metrics_text().lines().any(|line| line.contains("query_token") && !line.starts_with('#') && !line.ends_with(" 0")));
}

#[test]
fn a_token_in_the_query_of_a_client_without_the_switch_is_refused() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    server.set_client("rocketchat", |patch| patch.query_token = Some(false));
    server.settle();
    let settings = Config { identity_token_sent_via: SentVia::Payload, ..config(&server, &client) };
    let mut chat = chat(settings, LEGACY);
    let Login::Refused(message) = sign_in(&mut chat, &mut new_browser(), &anna, 0) else { panic!("signed in") };
    assert!(message.starts_with("Failed to fetch identity from besedka") && message.ends_with("invalid_request"), "{message}");
}

#[test]
fn a_state_of_three_kilobytes_with_plus_and_slash_comes_back_whole() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let mut chat = chat(config(&server, &client), Profile::LegacyWeb(LoginStyle::Redirect));
    let here = format!("{CHAT}/channel/x?q={}", "???>>>~~~".repeat(300));
    let start = chat.start("browser", &here, 0).unwrap();
    assert!(start.state.contains('+') && start.state.contains('/') && start.state.len() > 3000);
    let mut browser = new_browser();
    browser.click_from(CHAT, &start.url).unwrap();
    let landing = browser.sign_in("anna", &anna.password).unwrap();
    assert_eq!(landing.param("state").as_ref(), Some(&start.state));
    let answer = chat.callback("browser", &landing.url, &mut Wire, 1);
    let Login::In { landing, .. } = chat.finish(answer, 2) else { panic!("not signed in") };
    assert_eq!(landing.as_ref(), Some(&here));
}

#[test]
fn a_signed_in_person_sees_no_page() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    for profile in PROFILES {
        let mut browser = new_browser();
        let mut chat = chat(config(&server, &client), profile);
        let first = sign_in(&mut chat, &mut browser, &anna, 0);
        assert_in(&chat, &first);
        let start = chat.start("browser", HERE, 1).unwrap();
        let landing = browser.click_from(CHAT, &start.url).unwrap();
        assert_eq!((landing.hops.len(), landing.status()), (1, 303), "an immediate redirect, nothing between: {}", landing.trace());
        let answer = chat.callback("browser", &landing.url, &mut Wire, 1);
        let second = chat.finish(answer, 1);
        assert_eq!(first.user(), second.user(), "the same account");
    }
}

#[test]
fn a_changed_role_reaches_the_chat_with_the_next_login() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "owner");
    for profile in [LEGACY, MODERN] {
        let mut chat = chat(licensed(&server, &client), profile);
        let mut browser = new_browser();
        for (role, roles) in [("owner", &["user", "admin", "Xk2vip"][..]), ("user", &["user"]), ("moderator", &["user", "admin"])] {
            let (sub, patch) = (anna.user.sub.clone(), UserPatch { role: Some(role.into()), ..UserPatch::default() });
            server.admin(move |cx| users::set(cx, &sub, &patch));
            server.settle();
            let login = sign_in(&mut chat, &mut browser, &anna, 0);
            assert_in(&chat, &login);
            assert_eq!(chat.workspace.by_username("anna").unwrap().roles, roles, "{profile:?} {role}");
        }
    }
}

#[test]
fn an_address_that_is_not_verified_is_not_told() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let (sub, patch) = (anna.user.sub.clone(), UserPatch { email_verified: Some(false), ..UserPatch::default() });
    server.admin(move |cx| users::set(cx, &sub, &patch));
    server.settle();
    for profile in [LEGACY, MODERN] {
        let mut chat = chat(config(&server, &client), profile);
        // A stranger registered the same address in the chat: it must not be joined.
        chat.workspace.add_local_user("stranger", "anna@example.org", true);
        let login = sign_in(&mut chat, &mut new_browser(), &anna, 0);
        assert_in(&chat, &login);
        let account = chat.workspace.by_username("anna").unwrap();
        assert!(account.emails.is_empty() && account.services["besedka"].get("email").is_none());
        assert!(chat.workspace.by_username("stranger").unwrap().services.is_empty());
    }
}

#[test]
fn nine_without_a_licence_shows_no_button() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let mut chat = chat(Config { version: (9, 0), ..config(&server, &client) }, MODERN);
    assert_eq!(chat.start("browser", HERE, 0), Err(StartError::NoButton));
    chat.config.licensed = true;
    let login = sign_in(&mut chat, &mut new_browser(), &anna, 0);
    assert_in(&chat, &login);
}

#[test]
fn a_token_of_another_client_opens_the_chat_only_at_the_general_identity_path() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "owner");
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let stolen = server.tokens(&site, &anna, "openid profile email")["access_token"].as_str().unwrap().to_owned();
    let own = server.tokens(&client, &anna, "openid")["access_token"].as_str().unwrap().to_owned();
    let mut chat = chat(config(&server, &client), Profile::RestToken);
    let Login::Refused(message) = chat.rest_login(&stolen, 600, &mut Wire, 0) else { panic!("an impersonator signed in") };
    assert!(message.ends_with("insufficient_scope"), "{message}");
    let login = chat.rest_login(&own, 600, &mut Wire, 0);
    assert_in(&chat, &login);
    // Why the documented identity path names the client.
    chat.config.identity_path = "/me".into();
    let login = chat.rest_login(&stolen, 600, &mut Wire, 0);
    assert_in(&chat, &login);
}

#[test]
fn the_app_that_was_given_another_address_is_refused_at_the_token_endpoint() {
    let (server, client) = shop(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let typed = "https://www.chat.example";
    server.set_client("rocketchat", |patch| patch.redirect_uris.add = vec![format!("{typed}/_oauth/besedka")]);
    server.settle();
    let settings = Config { mobile_url: Some(typed.into()), ..config(&server, &client) };
    let mut chat = chat(settings, Profile::LegacyMobile);
    let mut browser = new_browser().stop_at(typed);
    let (_, landing) = authorize(&mut chat, &mut browser, &anna, 0);
    let answer = chat.callback("browser", &landing.url, &mut Wire, 0);
    let Login::Refused(message) = chat.finish(answer, 0) else { panic!("signed in") };
    assert!(message.ends_with("invalid_grant"), "{message}");
    let reference = chat.exchanges[0].response.json()["error_reference"].as_str().unwrap().to_owned();
    let detail = server.explain(&reference).detail;
    assert_eq!(detail.cause.slug(), "code_redirect_uri_mismatch");
    assert_eq!(detail.received.as_deref(), Some("https://chat.example/_oauth/besedka"));
}
