//! `propusk rocketchat settings` in each of its forms.

use super::{propusk, propusk_plain};
use propusk_domain::client::Preset;
use propusk_tests::rocketchat::rest::{ChatServer, Edition};
use propusk_tests::server::{Backend, Registered, TestServer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

const CHAT: &str = "https://chat.example.org";

fn shop() -> (TestServer, Registered) {
    let server = TestServer::with(Backend::Sqlite, &[("brand.name", "Беседка")]);
    let client = server.add_client_with("rocketchat", Preset::RocketChat, |new| new.redirect_uris = vec![format!("{CHAT}/_oauth/besedka")]);
    (server, client)
}

fn text(server: &TestServer, more: &[&str]) -> String {
    let arguments: Vec<&str> = ["rocketchat", "settings", "--chat-url", CHAT].into_iter().chain(more.iter().copied()).collect();
    let answer = propusk_plain(server, &arguments, "");
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    answer.stdout
}

#[test]
fn the_table_is_what_one_types_in() {
    let (server, client) = shop();
    let english = text(&server, &[]);
    for line in ["Identity Path  ", "/oauth/userinfo/rocketchat", "Sign in with Беседка", "Merge users", "(as printed when it was made"] {
        assert!(english.contains(line), "{line}: {english}");
    }
    let russian = text(&server, &["--lang", "ru"]);
    for line in ["Путь идентификации", "Войти через сайт «Беседка»", "вкл", "(пусто)"] {
        assert!(russian.contains(line), "{line}: {russian}");
    }
    assert!(!english.contains(&client.secret) && english.contains(&server.issuer));
}

#[test]
fn the_environment_has_initial_values_and_their_twins() {
    let (server, _) = shop();
    let env = text(&server, &["--format", "env", "--silent"]);
    let variables: BTreeMap<&str, &str> = env.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once('=').unwrap()).collect();
    assert_eq!(variables["Accounts_OAuth_Custom_Besedka"], "true");
    assert_eq!(variables["Accounts_OAuth_Custom_Besedka_identity_path"], "/oauth/userinfo/rocketchat");
    assert_eq!(variables["OVERWRITE_SETTING_Accounts_OAuth_Custom-Besedka-identity_path"], "/oauth/userinfo/rocketchat");
    assert_eq!(variables["OVERWRITE_SETTING_Accounts_iframe_enabled"], "true");
    assert!(!variables.contains_key("Accounts_OAuth_Custom_Besedka_map_channels"), "its text \"false\" would be true");
    assert_eq!(variables["OVERWRITE_SETTING_Accounts_OAuth_Custom-Besedka-map_channels"], "false");
    assert!(env.contains("CREATE_TOKENS_FOR_USERS_SECRET"));
}

#[test]
fn every_setting_that_belongs_to_the_set_up_is_there() {
    let (server, _) = shop();
    let shown = |more: &[&str]| {
        let arguments: Vec<&str> = ["rocketchat", "settings", "--chat-url", CHAT].into_iter().chain(more.iter().copied()).collect();
        let answer = propusk(&server, &arguments, "").json();
        let settings = answer["settings"].as_array().unwrap().iter();
        settings.map(|setting| (setting["_id"].as_str().unwrap().to_owned(), setting["value"].clone())).collect::<BTreeMap<_, _>>()
    };
    let plain = shown(&[]);
    for id in [
        "Accounts_OAuth_Use_Modern_Flow",
        "Accounts_twoFactorAuthentication_email_available_for_OAuth_users",
        "Accounts_AllowUsernameChange",
        "Accounts_AllowEmailChange",
        "Accounts_AllowPasswordChangeForOAuthUsers",
        "Accounts_RegistrationForm",
    ] {
        assert!(plain.contains_key(id), "{id}");
    }
    // The form goes only when somebody says that an administrator comes in without it.
    assert_eq!((&plain["Accounts_ShowFormLogin"], &plain["First_Channel_After_Login"]), (&json!(true), &json!("general")));
    let chosen = shown(&["--hide-login-form", "--first-channel", "news"]);
    assert_eq!((&chosen["Accounts_ShowFormLogin"], &chosen["First_Channel_After_Login"]), (&json!(false), &json!("news")));
}

#[test]
fn a_line_break_is_refused_before_anything_is_written_or_rotated() {
    let (server, client) = shop();
    for more in [&["--button", "a\nb"][..], &["--button", "a\rOVERWRITE_SETTING_Site_Url=x"], &["--first-channel", "a\nb"]] {
        let arguments: Vec<&str> =
            ["rocketchat", "settings", "--chat-url", CHAT, "--format", "env", "--rotate-secret"].into_iter().chain(more.iter().copied()).collect();
        let refused = propusk_plain(&server, &arguments, "");
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{more:?}");
    }
    assert_eq!(propusk(&server, &["client", "check-secret", "rocketchat"], &client.secret).json()["works"], json!(true));
    let stored = server.look(|cx| Ok(cx.store.find_client("rocketchat")?)).unwrap();
    assert_eq!(stored.secrets.len(), 1, "no other secret was made");
}

#[test]
fn an_address_with_a_user_is_refused_and_what_the_client_lacks_is_told_in_every_form() {
    let (server, _) = shop();
    for url in ["http://u:p@chat.example.org", "https://u@chat.example.org", "https://", "chat.example.org", "https://chat.example.org/?a"] {
        assert_eq!(propusk(&server, &["rocketchat", "settings", "--chat-url", url], "").code, 2, "{url}");
    }
    let other = ["rocketchat", "settings", "--chat-url", "https://other.example.org"];
    let told = "propusk client set rocketchat --add-redirect-uri https://other.example.org/_oauth/";
    let notes = propusk(&server, &other, "").json()["notes"].clone();
    assert!(notes.as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains(told)), "{notes}");
    assert!(propusk_plain(&server, &other, "").stderr.contains(told));
}

#[test]
fn the_compose_fragment_is_yaml_with_the_same_values() {
    let (server, _) = shop();
    let compose: Value = serde_yaml_ng::from_str(&text(&server, &["--format", "compose", "--button", "5 $ & \"more\""])).unwrap();
    let environment = &compose["services"]["rocketchat"]["environment"];
    assert_eq!(environment["Accounts_OAuth_Custom_Besedka_button_label_text"], "5 $$ & \"more\"");
    assert_eq!(environment["OVERWRITE_SETTING_Accounts_OAuth_Custom-Besedka"], "true");
}

#[test]
fn a_fresh_secret_is_in_every_form_and_works() {
    let (server, _) = shop();
    let answer = propusk(&server, &["rocketchat", "settings", "--chat-url", CHAT, "--rotate-secret"], "").json();
    let settings: BTreeMap<&str, &Value> =
        answer["settings"].as_array().unwrap().iter().map(|setting| (setting["_id"].as_str().unwrap(), &setting["value"])).collect();
    let secret = settings["Accounts_OAuth_Custom-Besedka-secret"].as_str().unwrap().to_owned();
    assert_eq!(answer["redirect_uri"], json!(format!("{CHAT}/_oauth/besedka")));
    let checked = propusk(&server, &["client", "check-secret", "rocketchat"], &secret);
    assert_eq!((checked.code, &checked.json()["works"]), (0, &json!(true)));
    for form in ["table", "env", "compose", "rest", "json"] {
        let arguments = ["rocketchat", "settings", "--chat-url", CHAT, "--secret-stdin", "--format", form];
        let shown = propusk_plain(&server, &arguments, &secret);
        assert!(shown.stdout.contains(&secret), "{form}");
        assert!(!text(&server, &["--format", form]).contains(&secret), "{form} without it");
    }
}

#[test]
fn the_script_sets_up_a_chat_with_password_or_app() {
    let (server, client) = shop();
    for (edition, code) in [(Edition::community(7, 13), ""), (Edition::community(8, 6), "123456")] {
        let chat = ChatServer::start(edition);
        chat.state().passwords.insert("u1".into(), r#"back\slash and "quotes""#.into());
        if !code.is_empty() {
            chat.state().totp.insert("u1".into(), code.into());
        }
        let url = chat.url();
        let arguments = ["rocketchat", "settings", "--chat-url", &url, "--name", "Besedka", "--secret-stdin", "--format", "rest"];
        let script = propusk_plain(&server, &arguments, &client.secret).stdout;
        let path = server.place().join("setup.sh");
        std::fs::write(&path, script).unwrap();
        let run = Command::new("/bin/sh").arg(&path).env("TOTP", code).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut run = run.unwrap();
        run.stdin.take().unwrap().write_all(b"back\\slash and \"quotes\"\n").unwrap();
        let output = run.wait_with_output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{stdout}{stderr}");
        assert!(stdout.contains("\"clientId\":\"rocketchat\""), "{stdout}{stderr}");
        assert_eq!(chat.state().chat.config.secret, client.secret);
        assert_eq!(chat.state().settings["Accounts_AllowUsernameChange"], json!(false));
        assert!(chat.state().tokens.is_empty(), "logged out");
    }
}
