//! `propusk claims --as rocketchat`.

use super::{propusk, propusk_plain};
use propusk_domain::client::Preset;
use propusk_tests::rocketchat::rest::{Edition, State};
use propusk_tests::server::{Backend, TestServer};
use serde_json::json;

propusk_tests::on_each_backend![the_account_is_shown_with_what_is_dropped_and_why];

const CLAIMS: [&str; 7] = ["claims", "--user", "olga", "--client", "rocketchat", "--as", "rocketchat"];

fn shop(backend: Backend) -> TestServer {
    let server = TestServer::start(backend);
    server.add_client_with("rocketchat", Preset::RocketChat, |new| new.redirect_uris = vec!["https://chat.example.org/_oauth/besedka".into()]);
    server.add_user("olga", "owner");
    server
}

fn with(more: &[&'static str]) -> Vec<&'static str> {
    CLAIMS.into_iter().chain(more.iter().copied()).collect()
}

fn the_account_is_shown_with_what_is_dropped_and_why(backend: Backend) {
    let server = shop(backend);
    let community = propusk(&server, &CLAIMS, "").json();
    assert_eq!((&community["login"], &community["username"], &community["roles"]), (&json!("in"), &json!("olga"), &json!(["user"])));
    assert_eq!((&community["emails"], &community["channels"]), (&json!(["olga@example.org"]), &json!(["general"])));
    assert_eq!(community["roles_dropped"][0]["role"], "admin");
    let licensed = propusk(&server, &with(&["--licensed"]), "").json();
    assert_eq!(
        (&licensed["roles"], &licensed["roles_dropped"]),
        (&json!(["user", "admin"]), &json!([{ "role": "vip", "reason": "the chat has no such role" }]))
    );
    let vip = propusk(&server, &with(&["--licensed", "--chat-role", "vip"]), "").json();
    assert_eq!((&vip["roles"], &vip["roles_dropped"]), (&json!(["user", "admin", "vip"]), &json!([])));
    assert_eq!(propusk(&server, &with(&["--chat-version", "9.0"]), "").json()["login"], "refused");
    let human = propusk_plain(&server, &with(&["--licensed"]), "").stdout;
    assert!(human.contains("not vip: the chat has no such role"), "{human}");
}

#[test]
fn a_dump_decides_and_an_expectation_is_checked() {
    let server = shop(Backend::Sqlite);
    let mut chat = State::new(Edition { version: (8, 6), licensed: true }, "https://chat.example.org");
    chat.register_provider("Besedka");
    for (suffix, value) in [
        ("-url", json!(server.issuer)),
        ("-username_field", json!("preferred_username")),
        ("-merge_roles", json!(true)),
        ("-roles_to_sync", json!("admin")),
        ("-map_channels", json!(true)),
        ("-groups_channel_map", json!(r#"{"vip":"lounge","captains":"bridge"}"#)),
    ] {
        chat.set(&format!("Accounts_OAuth_Custom-Besedka{suffix}"), value);
    }
    let place = server.place();
    let file = |name: &str, content: String| {
        std::fs::write(place.join(name), content).unwrap();
        place.join(name).display().to_string()
    };
    let dump = file("dump.json", chat.dump().to_string());
    let expectation = file("expect.json", json!({ "login": "in", "roles": ["admin", "user"], "channels": ["general", "lounge"] }).to_string());
    let arguments: Vec<&str> = CLAIMS.into_iter().chain(["--settings", &dump, "--expect", &expectation]).collect();
    let answer = propusk(&server, &arguments, "");
    assert_eq!((answer.code, &answer.json()["differences"]), (0, &json!([])), "{}", answer.stdout);
    assert_eq!(answer.json()["channels_created"], json!(["bridge", "lounge"]));
    assert_eq!(propusk(&server, &["user", "set", "olga", "--role", "user"], "").code, 0);
    let answer = propusk(&server, &arguments, "");
    assert_eq!(answer.code, 3);
    assert_eq!(answer.json()["differences"][1], json!({ "member": "roles", "found": ["user"], "expected": ["admin", "user"] }));
    for (content, code) in [("[]", 1), ("{", 1), ("[{\"_id\":\"a\",\"value\":1}]", 1)] {
        let broken = file("broken.json", content.into());
        let arguments: Vec<&str> = CLAIMS.into_iter().chain(["--settings", &broken]).collect();
        assert_eq!(propusk(&server, &arguments, "").code, code, "{content}");
    }
    assert_eq!(propusk(&server, &with(&["--settings", "nowhere.json"]), "").code, 4);
    assert_eq!(propusk(&server, &["claims", "--user", "olga", "--client", "rocketchat", "--expect", "x"], "").code, 2);
}

#[test]
fn nobody_who_is_disabled_gets_in_there() {
    let server = shop(Backend::Sqlite);
    let expect = server.place().join("expect.json");
    std::fs::write(&expect, json!({ "login": "in" }).to_string()).unwrap();
    let checked = with(&["--expect", "EXPECT"]);
    let checked: Vec<&str> = checked.iter().map(|word| if *word == "EXPECT" { expect.to_str().unwrap() } else { word }).collect();
    assert_eq!(propusk(&server, &checked, "").code, 0);
    for (off, on, cause) in [
        (&["user", "disable", "olga"][..], &["user", "enable", "olga"][..], "user_disabled"),
        (&["client", "set", "rocketchat", "--disable"], &["client", "set", "rocketchat", "--enable"], "disabled_client"),
    ] {
        assert_eq!(propusk(&server, off, "").code, 0);
        let answer = propusk(&server, &CLAIMS, "");
        assert_eq!((answer.code, &answer.json()["error"]["cause"]), (1, &json!(cause)), "{}", answer.stdout);
        let different = propusk(&server, &checked, "");
        assert_eq!((different.code, &different.json()["login"], &different.json()["roles"]), (3, &json!("refused"), &json!([])));
        assert_eq!(different.json()["differences"][0]["found"], "refused", "{}", different.stdout);
        assert!(different.json()["error"].as_str().unwrap().contains("disabled"), "{}", different.stdout);
        assert_eq!(propusk(&server, on, "").code, 0);
    }
    assert_eq!(propusk(&server, &CLAIMS, "").code, 0);
}
