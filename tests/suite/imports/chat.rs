//! The chat recognises everybody: its accounts were made by the old site's identity endpoint.

use super::{ROLES, fixture, import};
use propusk_tests::browser::Browser;
use propusk_tests::rocketchat::{Config, Login, LoginStyle, Profile, RocketChat, Wire};
use propusk_tests::server::{Backend, TestServer};
use serde_json::{Map, Value, json};

propusk_tests::on_each_backend![the_chat_finds_the_account_that_the_old_site_made, with_new_subjects_the_report_names_the_accounts_that_collide,];

const CHAT: &str = "https://chat.example.org";

/// A chat in which anna signed in through the old site: its endpoint answered her primary key as `id`.
fn chat_of_the_old_site(server: &TestServer, secret: &str, profile: Profile) -> (RocketChat, String) {
    let mut chat = RocketChat::new(Config::recommended(CHAT, &server.issuer, "chat", secret), profile);
    let identity: Map<String, Value> =
        serde_json::from_value(json!({ "id": "101", "preferred_username": "anna", "username": "anna", "name": "Анна Петрова" })).unwrap();
    let config = chat.config.clone();
    let login = chat.workspace.log_in(profile, &config, &identity, None, 0);
    let user = login.user().unwrap_or_else(|| panic!("{login:?}")).to_owned();
    (chat, user)
}

fn sign_in(chat: &mut RocketChat, name: &str, password: &str) -> Login {
    let mut browser = Browser::new().stop_at(CHAT);
    let now = 1;
    let start = chat.start("browser", CHAT, now).unwrap();
    let mut landing = browser.click_from(CHAT, &start.url).unwrap();
    if landing.stopped.is_none() {
        landing = browser.sign_in(name, password).unwrap();
    }
    let stopped = landing.stopped.as_ref().unwrap_or_else(|| panic!("{}", landing.trace()));
    let answer = chat.callback("browser", &stopped.url, &mut Wire, now);
    chat.finish(answer, now)
}

fn the_chat_finds_the_account_that_the_old_site_made(backend: Backend) {
    for profile in [Profile::LegacyWeb(LoginStyle::Redirect), Profile::Modern(LoginStyle::Redirect)] {
        let server = TestServer::start(backend);
        import(&server, &fixture("dot-3.4.json"), &ROLES);
        let (mut chat, account) = chat_of_the_old_site(&server, "chat-secret-chat-secret", profile);
        let login = sign_in(&mut chat, "anna", "correct horse anna");
        assert_eq!(login.user(), Some(account.as_str()), "{profile:?}: {login:?}");
        assert_eq!(chat.workspace.user(&account).service_id("besedka").as_deref(), Some("101"));
    }
}

fn with_new_subjects_the_report_names_the_accounts_that_collide(backend: Backend) {
    let server = TestServer::start(backend);
    let answer = import(&server, &fixture("dot-3.4.json"), &[&ROLES[..], &["--sub", "new"]].concat());
    let named = answer.json()["chat_accounts_that_collide"].clone();
    assert_eq!(named, json!(["anna", "Boris", "vera-chat-example.org", "gleb", "dina"]));
    // And so it is: without merging the chat refuses her, because somebody else has her name.
    let profile = Profile::Modern(LoginStyle::Redirect);
    let (mut chat, _) = chat_of_the_old_site(&server, "chat-secret-chat-secret", profile);
    chat.config.merge_users = false;
    let login = sign_in(&mut chat, "anna", "correct horse anna");
    assert_eq!(login.user(), None, "{login:?}");
}
