//! `propusk rocketchat settings --apply` against every edition of the chat.

use super::{Answer, propusk, propusk_plain};
use propusk_domain::client::Preset;
use propusk_tests::browser::Browser;
use propusk_tests::rocketchat::rest::{ChatServer, Edition, Fault};
use propusk_tests::rocketchat::{Login, Wire};
use propusk_tests::server::{Backend, Registered, TestServer};
use serde_json::json;
use std::time::Duration;

propusk_tests::on_each_backend![a_wiped_chat_is_set_up_again_by_one_command];

const PASSWORD: &str = "root password\n";

fn shop(backend: Backend, edition: Edition) -> (TestServer, ChatServer, Registered) {
    let (server, chat) = (TestServer::start(backend), ChatServer::start(edition));
    let url = chat.url();
    let client = server.add_client_with("rocketchat", Preset::RocketChat, |new| {
        new.redirect_uris = vec![format!("{url}/_oauth/besedka")];
        new.post_logout_redirect_uris = vec![format!("{url}/home")];
    });
    (server, chat, client)
}

fn settings(server: &TestServer, chat: &ChatServer, more: &[&str], stdin: &str) -> Answer {
    let url = chat.url();
    let arguments: Vec<&str> = ["rocketchat", "settings", "--chat-url", &url].into_iter().chain(more.iter().copied()).collect();
    propusk(server, &arguments, stdin)
}

const APPLY: [&str; 3] = ["--apply", "--admin-user", "root"];

fn a_wiped_chat_is_set_up_again_by_one_command(backend: Backend) {
    let (server, chat, _) = shop(backend, Edition::community(8, 6));
    let anna = server.add_user("anna", "owner");
    for round in 0..2 {
        let applied = settings(&server, &chat, &[&APPLY[..], &["--rotate-secret"]].concat(), PASSWORD);
        assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
        let answer = applied.json();
        assert_eq!((&answer["add_provider"], &answer["applied"], &answer["verified"]), (&json!(true), &json!(true), &json!(true)));
        assert!(!applied.stdout.contains(&chat.state().chat.config.secret), "the secret is not shown");
        server.settle();
        let login = sign_in(&chat, &anna);
        let id = match &login {
            Login::In { user, .. } => user.clone(),
            other => panic!("round {round}: {other:?}"),
        };
        assert_eq!(chat.state().chat.workspace.user(&id).username.as_deref(), Some("anna"));
        assert!(chat.state().tokens.is_empty(), "the administrator's login ended");
        chat.state().wipe();
    }
}

/// The person clicks the button of the chat as it is set up now.
fn sign_in(chat: &ChatServer, person: &propusk_tests::server::Person) -> Login {
    let url = chat.url();
    let now = chat.state().now;
    let start = chat.state().chat.start("browser", &format!("{url}/home"), now).unwrap();
    let mut browser = Browser::new().stop_at(&url);
    browser.visit(&start.url).unwrap();
    let landing = browser.sign_in(&person.user.username, &person.password).unwrap();
    assert!(landing.stopped.is_some(), "{}", landing.trace());
    let mut state = chat.state();
    let answer = state.chat.callback("browser", &landing.url, &mut Wire, now);
    state.chat.finish(answer, now)
}

#[test]
fn every_edition_is_set_up_and_a_second_time_changes_nothing() {
    for edition in Edition::ALL {
        let (server, chat, client) = shop(Backend::Sqlite, edition);
        std::fs::write(server.place().join("secret"), &client.secret).unwrap();
        let secret_file = server.place().join("secret").display().to_string();
        let arguments = [&APPLY[..], &["--secret-file", &secret_file, "--silent", "--embed", "https://example.org"]].concat();
        let applied = settings(&server, &chat, &arguments, PASSWORD);
        if edition.version.0 >= 9 && !edition.licensed {
            assert_eq!(applied.code, 1);
            assert!(applied.stdout.contains("--without-provider"), "{}", applied.stdout);
            let without = [&APPLY[..], &["--silent", "--without-provider"]].concat();
            let applied = settings(&server, &chat, &without, PASSWORD);
            assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
            assert_eq!(chat.state().settings["Accounts_iframe_enabled"], json!(true));
            continue;
        }
        assert_eq!(applied.code, 0, "{edition:?} {}{}", applied.stdout, applied.stderr);
        let modern_exists = (8, 7) <= edition.version && edition.version < (9, 0);
        assert_eq!(applied.json()["absent"], if modern_exists { json!([]) } else { json!(["Accounts_OAuth_Use_Modern_Flow"]) });
        let state = chat.state();
        assert_eq!((state.chat.config.url.as_str(), state.chat.config.secret.as_str()), (server.issuer.as_str(), client.secret.as_str()));
        assert_eq!(state.settings["Accounts_Iframe_api_url"], json!(server.url("/rocketchat/login")));
        assert_eq!(state.settings["Iframe_Restrict_Access"], json!(false));
        assert!(state.settings["Custom_Script_On_Logout"].as_str().unwrap().contains("/oauth/logout?client_id=rocketchat"));
        drop(state);
        chat.state().take_calls();
        let plan = settings(&server, &chat, &["--plan", "--admin-user", "root", "--silent", "--embed", "https://example.org"], PASSWORD);
        assert_eq!((plan.code, &plan.json()["changes"]), (0, &json!([])), "{}", plan.stdout);
        let again = settings(&server, &chat, &[&APPLY[..], &["--silent", "--embed", "https://example.org"]].concat(), PASSWORD);
        assert_eq!((again.code, &again.json()["applied"]), (0, &json!(false)), "{}", again.stdout);
        let changes = chat.state().changes().iter().filter(|call| call.endpoint != "logout").count();
        assert_eq!(changes, 0, "idempotent");
    }
}

#[test]
fn the_plan_shows_the_difference_and_touches_nothing() {
    let (server, chat, client) = shop(Backend::Sqlite, Edition::community(8, 6));
    let plan = settings(&server, &chat, &["--plan", "--admin-user", "root"], PASSWORD);
    assert_eq!((plan.code, &plan.json()["add_provider"]), (3, &json!(true)));
    assert!(!chat.state().settings.contains_key("Accounts_OAuth_Custom-Besedka"));
    std::fs::write(server.place().join("secret"), &client.secret).unwrap();
    let secret_file = server.place().join("secret").display().to_string();
    assert_eq!(settings(&server, &chat, &[&APPLY[..], &["--secret-file", &secret_file]].concat(), PASSWORD).code, 0);
    chat.state().set("Accounts_OAuth_Custom-Besedka-merge_users", false);
    let plan = settings(&server, &chat, &["--plan", "--admin-user", "root"], PASSWORD);
    assert_eq!(plan.code, 3);
    assert_eq!(plan.json()["changes"], json!([{ "setting": "Accounts_OAuth_Custom-Besedka-merge_users", "from": false, "to": true }]));
    assert_eq!(chat.state().settings["Accounts_OAuth_Custom-Besedka-merge_users"], json!(false));
    let url = chat.url();
    let human = propusk_plain(&server, &["rocketchat", "settings", "--chat-url", &url, "--apply", "--admin-user", "root"], PASSWORD);
    assert!(human.stderr.contains("merge_users: false → true"), "the difference comes first: {}", human.stderr);
    assert!(human.stdout.contains("1 settings are set"), "{}", human.stdout);
}

#[test]
fn an_authenticator_app_is_answered_by_a_second_line() {
    let (server, chat, _) = shop(Backend::Sqlite, Edition::community(7, 13));
    chat.state().totp.insert("u1".into(), "123456".into());
    let arguments = [&APPLY[..], &["--rotate-secret"]].concat();
    let refused = settings(&server, &chat, &arguments, PASSWORD);
    assert_eq!(refused.code, 1);
    assert!(refused.stdout.contains("second factor (totp)"), "{}", refused.stdout);
    assert_eq!(settings(&server, &chat, &arguments, "root password\n000000\n").code, 1);
    let applied = settings(&server, &chat, &arguments, "root password\n123456\n");
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
}

#[test]
fn a_personal_access_token_serves_without_a_second_factor() {
    let (server, chat, _) = shop(Backend::Sqlite, Edition::community(8, 9));
    let (id, token) = chat.state().admin_token();
    std::fs::write(server.place().join("token"), format!("{token}\n")).unwrap();
    let file = server.place().join("token").display().to_string();
    let applied = settings(&server, &chat, &["--apply", "--rotate-secret", "--modern", "--admin-id", &id, "--admin-token-file", &file], "");
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    assert_eq!(chat.state().settings["Accounts_OAuth_Use_Modern_Flow"], json!(true));
    assert_eq!(chat.state().tokens.len(), 1, "what was brought along is not ended");
    chat.state().permit("u1", "edit-privileged-setting", false);
    chat.state().set("Accounts_RegistrationForm", "Public");
    let refused = settings(&server, &chat, &["--apply", "--admin-id", &id, "--admin-token-file", &file], "");
    assert_eq!(refused.code, 1);
    assert!(refused.stdout.contains("edit-privileged-setting"), "{}", refused.stdout);
}

#[test]
fn no_working_secret_no_change() {
    let (server, chat, _) = shop(Backend::Sqlite, Edition::community(8, 6));
    let refused = settings(&server, &chat, &APPLY, PASSWORD);
    assert_eq!(refused.code, 1);
    assert!(refused.stdout.contains("--rotate-secret"), "{}", refused.stdout);
    assert!(!chat.state().settings.contains_key("Accounts_OAuth_Custom-Besedka"));
    std::fs::write(server.place().join("secret"), "not the client's").unwrap();
    let file = server.place().join("secret").display().to_string();
    assert_eq!(settings(&server, &chat, &[&APPLY[..], &["--secret-file", &file]].concat(), PASSWORD).code, 1);
    for wrong in
        [&["--apply"][..], &["--admin-user", "root"], &["--plan", "--rotate-secret", "--admin-user", "root"], &["--embed", "https://x.example/path"]]
    {
        assert_eq!(settings(&server, &chat, wrong, PASSWORD).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_chat_that_fails_is_told_as_what_it_is() {
    let (server, chat) = (TestServer::with(Backend::Sqlite, &[("outbound.timeout", "1")]), ChatServer::start(Edition::community(8, 6)));
    let url = chat.url();
    server.add_client_with("rocketchat", Preset::RocketChat, |new| new.redirect_uris = vec![format!("{url}/_oauth/besedka")]);
    let arguments = [&APPLY[..], &["--rotate-secret"]].concat();
    for (endpoint, fault, code) in [
        ("login", Fault::NotHttp, 4),
        ("login", Fault::Html(200), 4),
        ("settings/", Fault::Never, 4),
        ("settings.addCustomOAuth", Fault::Slow(Duration::from_secs(3)), 4),
        ("settings/", Fault::TooMany(3000), 4),
        ("login", Fault::Status(500), 4),
        ("login", Fault::Status(401), 1),
        ("login", Fault::Html(502), 4),
        ("settings/", Fault::Garbage, 4),
        ("settings/", Fault::Close, 4),
        ("settings/", Fault::Status(403), 1),
        ("settings.addCustomOAuth", Fault::Status(500), 4),
    ] {
        chat.state().fault(endpoint, fault.clone(), 1);
        let failed = settings(&server, &chat, &arguments, PASSWORD);
        assert_eq!(failed.code, code, "{endpoint} {fault:?}: {}{}", failed.stdout, failed.stderr);
        let error = &failed.json()["error"];
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 20 && !message.contains("panicked")), "{fault:?}: {error}");
        chat.state().heal();
    }
    // What was begun is finished by the same command, and patience is kept when it is asked for.
    chat.state().fault("settings.addCustomOAuth", Fault::LoseAnswer, 1);
    assert_eq!(settings(&server, &chat, &arguments, PASSWORD).code, 4);
    chat.state().fault("settings", Fault::TooMany(1), 2);
    let applied = settings(&server, &chat, &arguments, PASSWORD);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    let mut chat = chat;
    chat.stop();
    assert_eq!(settings(&server, &chat, &arguments, PASSWORD).code, 4);
}
