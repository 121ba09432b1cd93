//! The doctor and sign-in without a button: an unlicensed 9.x that is set up as the doctor says, and what may be missing.

use super::doctor::{Shop, assert_healthy, slugs};
use super::{Answer, propusk};
use propusk_tests::http::Request;
use propusk_tests::rocketchat::rest::Edition;
use propusk_tests::server::Backend;
use serde_json::json;

propusk_tests::on_each_backend![an_unlicensed_nine_is_clean_once_its_fix_was_followed];

const SECRET: &str = "create tokens secret";

fn shop(backend: Backend, edition: Edition, secret: &str) -> Shop {
    let shop = Shop::bare(backend, edition, &[("rocketchat.create_token_secret", secret)]);
    let mut state = shop.chat.state();
    (state.create_tokens, state.create_tokens_secret) = (true, Some(SECRET.into()));
    drop(state);
    shop
}

fn connect(shop: &Shop, url: &str) {
    let (id, token) = shop.chat.state().admin_token();
    let connected = propusk(&shop.server, &["rocketchat", "connect", "--chat-url", url, "--user-id", &id, "--token-stdin"], &token);
    assert_eq!(connected.code, 0, "{}{}", connected.stdout, connected.stderr);
}

/// What the fix of this finding shows, with an administrator in place of NAME.
fn follow(shop: &Shop, answer: &Answer, slug: &str) {
    let answer = answer.json();
    let finding = answer["findings"].as_array().unwrap().iter().find(|finding| finding["slug"] == slug).unwrap();
    let fix = finding["fix"].as_str().unwrap();
    let (_, command) = fix.split_once("propusk ").unwrap();
    let words: Vec<&str> = command.split(' ').map(|word| if word == "NAME" { "root" } else { word }).collect();
    let done = propusk(&shop.server, &words, "root password\n");
    assert_eq!(done.code, 0, "{command}: {}{}", done.stdout, done.stderr);
}

fn ask(shop: &Shop) -> u16 {
    Request::post(&shop.server.url("/rocketchat/login")).header("Origin", shop.chat.url()).send().unwrap().status
}

fn an_unlicensed_nine_is_clean_once_its_fix_was_followed(backend: Backend) {
    let shop = shop(backend, Edition::community(9, 0), SECRET);
    let before = shop.doctor(&[], "");
    assert!(before.code == 3 && slugs(&before).contains(&"unlicensed_nine".to_owned()), "{}", before.stdout);
    follow(&shop, &before, "unlicensed_nine");
    let half = shop.doctor(&[], "");
    assert_eq!((half.code, slugs(&half), ask(&shop)), (3, vec!["connector_missing".to_owned()], 403), "{}", half.stdout);
    connect(&shop, &shop.chat.url());
    assert_eq!(ask(&shop), 401, "somebody else who is not signed in");
    let tokens = shop.chat.state().tokens.len();
    let answer = shop.doctor(&[], "");
    assert_healthy(&answer);
    let steps: Vec<String> = answer.json()["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap().to_owned()).collect();
    assert_eq!(steps, ["page", "oidc", "legacy", "modern", "chat", "connector", "silent"]);
    assert_eq!(shop.chat.state().tokens.len(), tokens, "the token of the trial has ended");
    let (id, token) = shop.chat.state().admin_token();
    let file = shop.server.place().join("token");
    std::fs::write(&file, token).unwrap();
    let file = file.display().to_string();
    shop.chat.state().chat.workspace.add_role("Xk2vip", "vip");
    assert_healthy(&shop.doctor(&["--unlicensed", "--admin-id", &id, "--admin-token-file", &file], ""));
    let dump = shop.server.place().join("dump.json");
    std::fs::write(&dump, shop.chat.state().dump().to_string()).unwrap();
    for more in [&[][..], &["--unlicensed"]] {
        let arguments = [&["--settings", dump.to_str().unwrap(), "--chat-version", "9.0"][..], more].concat();
        assert_healthy(&shop.doctor(&arguments, ""));
    }
    shop.assert_clean();
}

#[test]
fn what_is_left_of_a_provider_that_the_licence_keeps_off_is_no_finding() {
    let shop = shop(Backend::Sqlite, Edition::community(8, 6), SECRET);
    shop.set_up();
    connect(&shop, &shop.chat.url());
    shop.chat.state().set("Accounts_OAuth_Custom-Besedka-merge_users", false);
    shop.chat.state().edition.version = (9, 0);
    let url = shop.chat.url();
    let before = shop.doctor(&[], "");
    assert!(slugs(&before).contains(&"unlicensed_nine".to_owned()), "{}", before.stdout);
    let arguments = ["rocketchat", "settings", "--chat-url", &url, "--silent", "--without-provider", "--apply", "--admin-user", "root"];
    assert_eq!(propusk(&shop.server, &arguments, "root password\n").code, 0);
    assert_healthy(&shop.doctor(&[], ""));
}

#[test]
fn a_wrong_token_secret_a_foreign_chat_and_a_revoked_token_are_found() {
    let shop = shop(Backend::Sqlite, Edition::community(9, 0), "another secret");
    let url = shop.chat.url();
    let silent = ["rocketchat", "settings", "--chat-url", &url, "--silent", "--without-provider", "--apply", "--admin-user", "root"];
    assert_eq!(propusk(&shop.server, &silent, "root password\n").code, 0);
    connect(&shop, &url);
    let answer = shop.doctor(&[], "");
    assert_eq!((answer.code, slugs(&answer)), (3, vec!["token_secret_wrong".to_owned()]), "{}", answer.stdout);
    assert!(!answer.stdout.contains(SECRET) && !answer.stdout.contains("another secret"));
    shop.chat.state().create_tokens_secret = Some("another secret".into());
    assert_healthy(&shop.doctor(&[], ""));
    shop.chat.state().permit("u1", "user-generate-access-token", false);
    assert_eq!(slugs(&shop.doctor(&[], "")), ["token_secret_wrong"]);
    shop.chat.state().permit("u1", "user-generate-access-token", true);
    shop.chat.state().tokens.clear();
    assert_eq!(slugs(&shop.doctor(&[], "")), ["connector_refused"]);
    connect(&shop, &url);
    assert_healthy(&shop.doctor(&[], ""));
    // The same chat under another name: browsers send that one as their origin.
    connect(&shop, &url.replace("127.0.0.1", "localhost"));
    assert_eq!(slugs(&shop.doctor(&[], "")), ["connector_elsewhere"]);
    assert_eq!(ask(&shop), 403);
}

#[test]
fn a_connector_is_tried_also_where_people_come_by_the_button() {
    let more = [("rocketchat.channels.general", "general"), ("rocketchat.channels.vip", "vip,lounge"), ("rocketchat.service", "besedka")];
    let shop = Shop::bare(Backend::Sqlite, Edition::community(8, 6), &more);
    shop.set_up();
    shop.chat.state().chat.workspace.add_room("vip", "u1", true).members.push("u1".into());
    connect(&shop, &shop.chat.url());
    let found = |expected: &[&str]| {
        let answer = shop.doctor(&[], "");
        assert_eq!((answer.code, slugs(&answer)), (3, expected.iter().map(|slug| (*slug).to_owned()).collect::<Vec<_>>()), "{}", answer.stdout);
        answer.json()["findings"][0].clone()
    };
    assert_eq!(found(&["channels_absent"])["found"], "lounge");
    shop.chat.state().chat.workspace.add_room("lounge", "u1", false);
    assert_healthy(&shop.doctor(&[], ""));
    // Somebody takes the account's rights away, and then its token.
    shop.chat.state().chat.workspace.users.iter_mut().filter(|user| user.id == "u1").for_each(|user| user.roles = vec!["user".into()]);
    let answer = shop.doctor(&[], "").json();
    let finding = answer["findings"].as_array().unwrap().iter().find(|finding| finding["slug"] == "connector_rights").unwrap();
    assert!(finding["found"] == "user" && finding["fix"].as_str().unwrap().contains("propusk rocketchat connect"), "{finding}");
    shop.chat.state().chat.workspace.users.iter_mut().filter(|user| user.id == "u1").for_each(|user| user.roles = vec!["admin".into()]);
    shop.chat.state().tokens.clear();
    found(&["connector_refused"]);
    connect(&shop, &shop.chat.url());
    assert_healthy(&shop.doctor(&[], ""));
    // A service that no redirect URI of the client names.
    let url = shop.chat.url();
    shop.server.set_client("rocketchat", |patch| {
        patch.redirect_uris.replace = Some(vec![format!("{url}/_oauth/gate")]);
    });
    assert!(slugs(&shop.doctor(&[], "")).contains(&"service_other".to_owned()));
}

#[test]
fn a_nine_without_a_token_secret_lets_nobody_in_silently_and_a_legacy_chat_needs_none() {
    for (edition, expected) in [(Edition::community(9, 0), &["token_secret_missing"][..]), (Edition::community(8, 6), &[])] {
        let shop = Shop::bare(Backend::Sqlite, edition, &[]);
        let url = shop.chat.url();
        let mut arguments = vec!["rocketchat", "settings", "--chat-url", &url, "--silent", "--apply", "--admin-user", "root"];
        arguments.push(if edition.version.0 >= 9 { "--without-provider" } else { "--rotate-secret" });
        assert_eq!(propusk(&shop.server, &arguments, "root password\n").code, 0);
        connect(&shop, &url);
        assert_eq!(slugs(&shop.doctor(&[], "")), expected, "{edition:?}");
    }
}

#[test]
fn a_proxy_that_swallows_the_origin_is_found() {
    let shop = shop(Backend::Sqlite, Edition::community(9, 0), SECRET);
    let url = shop.chat.url();
    let silent = ["rocketchat", "settings", "--chat-url", &url, "--silent", "--without-provider", "--apply", "--admin-user", "root"];
    assert_eq!(propusk(&shop.server, &silent, "root password\n").code, 0);
    connect(&shop, &url);
    let spoil = |request, answer| shop.proxy.spoil(Some(propusk_tests::proxy::Spoiler { request, answer }));
    spoil(|_, request| request.head = request.head.replace("origin: ", "x-origin: "), |_, _| {});
    let answer = shop.doctor(&[], "");
    assert_eq!(slugs(&answer), ["frame_refused"], "{}", answer.stdout);
    let finding = answer.json()["findings"][0].clone();
    assert!(finding["fix"].as_str().unwrap().contains("propusk explain "), "{finding}");
    spoil(|_, _| {}, |_, answer| answer.head = answer.head.replace("access-control-allow-origin", "x-lost"));
    let answer = shop.doctor(&[], "");
    assert_eq!((slugs(&answer), &answer.json()["findings"][0]["expected"]), (vec!["frame_refused".to_owned()], &json!(url)), "{}", answer.stdout);
}
