//! Every command that a finding shows is one that the program does, and does what it promises.

use super::doctor::{Shop, assert_healthy, slugs, spoilers};
use super::{Answer, propusk, propusk_plain};
use propusk_domain::client::Preset;
use propusk_tests::proxy::Spoiler;
use propusk_tests::rocketchat::rest::Edition;
use propusk_tests::server::{Backend, TestServer};
use serde_json::{Value, json};

propusk_tests::on_each_backend![a_lost_secret_is_replaced_by_the_command_that_the_finding_shows];

/// The first member of that finding.
fn member(answer: &Answer, slug: &str, name: &str) -> String {
    let answer = answer.json();
    let findings = answer["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["slug"] == slug).unwrap_or_else(|| panic!("no {slug}: {answer}"));
    finding[name].as_str().unwrap_or_default().to_owned()
}

/// The commands within a sentence: each up to a sign of the sentence.
fn commands_of(text: &str) -> Vec<String> {
    let end = |from: &str| from.find([';', ',', '(', ')', '<']).unwrap_or(from.len());
    text.match_indices("propusk ").map(|(at, _)| text[at..][..end(&text[at..])].trim_end().to_owned()).collect()
}

/// As a shell takes it, with values in place of the words in capitals.
fn words(command: &str) -> Vec<String> {
    let value = |word: &str| match word {
        "NAME" => "root".to_owned(),
        "ADDRESS" => "somebody@example.org".to_owned(),
        "ID" => "u1".to_owned(),
        word => word.trim_matches('\'').to_owned(),
    };
    command.split(' ').map(value).collect()
}

/// The program is understood up to the point where it opens its installation, and there is none.
fn assert_understood(server: &TestServer, text: &str) {
    for command in commands_of(text) {
        let mut arguments = words(&command).split_off(1);
        assert!(!arguments.is_empty(), "{text}");
        arguments.extend(["--config".to_owned(), "/nonexistent/propusk.toml".to_owned()]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let answer = propusk(server, &arguments, "");
        assert!(matches!(answer.code, 1 | 4), "{command}: {} {}{}", answer.code, answer.stdout, answer.stderr);
    }
}

fn assert_all_understood(server: &TestServer, answer: &Answer) {
    for finding in answer.json()["findings"].as_array().unwrap() {
        let fix = finding["fix"].as_str().unwrap();
        assert!(!fix.is_empty() && !fix.contains("REFERENCE") && !fix.contains("CLIENT_ID"), "{finding}");
        assert_understood(server, fix);
    }
}

#[test]
fn every_command_of_a_finding_is_understood() {
    let shop = Shop::open(Backend::Sqlite, Edition::community(8, 6));
    for (_, request, answer) in spoilers() {
        shop.proxy.spoil(Some(Spoiler { request, answer }));
        assert_all_understood(&shop.server, &shop.doctor(&[], ""));
    }
    shop.proxy.spoil(None);
    let dump = shop.server.place().join("dump.json");
    let good = shop.chat.state().dump();
    let mut known = Vec::new();
    for (id, value) in super::lint::faults() {
        let mut settings = good.as_array().unwrap().clone();
        settings.retain(|setting| setting["_id"] != *id);
        settings.push(json!({ "_id": id, "value": value }));
        std::fs::write(&dump, Value::from(settings).to_string()).unwrap();
        let answer = shop.doctor(&["--settings", dump.to_str().unwrap()], "");
        assert_all_understood(&shop.server, &answer);
        known.extend(slugs(&answer));
    }
    for secret in ["", "another", " spaced "] {
        let mut settings = good.as_array().unwrap().clone();
        settings.retain(|setting| setting["_id"] != "Accounts_OAuth_Custom-Besedka-secret");
        settings.push(json!({ "_id": "Accounts_OAuth_Custom-Besedka-secret", "value": secret }));
        std::fs::write(&dump, Value::from(settings).to_string()).unwrap();
        assert_all_understood(&shop.server, &shop.doctor(&["--settings", dump.to_str().unwrap()], ""));
    }
    known.sort();
    known.dedup();
    assert!(known.len() > 40, "{known:?}");
    for arguments in
        [&["--disable"][..], &["--enable", "--require-pkce", "on", "--third-party", "--role-map", "identity", "--remove-scope", "openid"]]
    {
        let arguments: Vec<&str> = ["client", "set", "rocketchat"].into_iter().chain(arguments.iter().copied()).collect();
        let set = propusk(&shop.server, &arguments, "");
        assert_eq!(set.code, 0, "{}{}", set.stdout, set.stderr);
        assert_all_understood(&shop.server, &shop.doctor(&[], ""));
        assert_all_understood(&shop.server, &shop.doctor(&["--chat-url", "https://elsewhere.example/chat"], ""));
    }
}

fn a_lost_secret_is_replaced_by_the_command_that_the_finding_shows(backend: Backend) {
    let shop = Shop::open(backend, Edition { version: (8, 8), licensed: true });
    let url = shop.chat.url();
    let again = ["rocketchat", "settings", "--chat-url", &url, "--licensed", "--modern", "--apply", "--admin-user", "root"];
    assert_eq!(propusk(&shop.server, &again, "root password\n").code, 0);
    shop.chat.state().chat.workspace.add_role("Xk2vip", "vip");
    let (id, token) = shop.chat.state().admin_token();
    let file = shop.server.place().join("token");
    std::fs::write(&file, token).unwrap();
    let file = file.display().to_string();
    let look = || shop.doctor(&["--admin-id", &id, "--admin-token-file", &file], "");
    assert_healthy(&look());
    for (slug, secret) in [("secret_missing", ""), ("secret_wrong", "somebody else's")] {
        shop.chat.state().set("Accounts_OAuth_Custom-Besedka-secret", secret);
        let answer = look();
        assert_eq!(slugs(&answer), [slug], "{}", answer.stdout);
        let command = words(&member(&answer, slug, "fix"));
        let arguments: Vec<&str> = command.iter().skip(1).map(String::as_str).collect();
        let done = propusk(&shop.server, &arguments, "root password\n");
        assert_eq!(done.code, 0, "{command:?}: {}{}", done.stdout, done.stderr);
        assert_eq!(shop.chat.state().settings["Accounts_OAuth_Use_Modern_Flow"], json!(true), "nothing else is taken back");
        assert_eq!(shop.chat.state().settings["Accounts_OAuth_Custom-Besedka-merge_roles"], json!(true));
        assert_healthy(&look());
    }
}

#[test]
fn a_wrong_secret_is_named_as_the_cause_with_its_own_reference() {
    let shop = Shop::open(Backend::Sqlite, Edition::community(8, 6));
    let site = shop.server.add_client("site", Preset::Web);
    for answer in
        [propusk(&shop.server, &["doctor", "--client", "site", "--secret-stdin"], "wrongsecret"), shop.doctor(&["--secret-stdin"], "wrongsecret")]
    {
        assert_eq!((answer.code, slugs(&answer)), (3, vec!["token_refused".to_owned()]), "{}", answer.stdout);
        let (explanation, fix) = (member(&answer, "token_refused", "explanation"), member(&answer, "token_refused", "fix"));
        assert!(explanation.contains("not one of the client's live secrets"), "{explanation}");
        assert!(fix.contains("propusk client rotate-secret ") && !fix.contains("proxy"), "{fix}");
        let reference = fix.rsplit_once("propusk explain ").unwrap().1;
        let explained = propusk(&shop.server, &["explain", reference], "");
        assert_eq!((explained.code, &explained.json()["cause"]), (0, &json!("secret_wrong")), "{fix}");
        assert_all_understood(&shop.server, &answer);
    }
    let padded = propusk(&shop.server, &["doctor", "--client", "site", "--secret-stdin"], &format!(" {}", site.secret));
    assert!(member(&padded, "token_refused", "fix").contains("white space"), "{}", padded.stdout);
    assert_healthy(&propusk(&shop.server, &["doctor", "--client", "site", "--secret-stdin"], &site.secret));
}

#[test]
fn a_refusal_on_a_page_is_told_with_its_cause() {
    let shop = Shop::open(Backend::Sqlite, Edition::community(8, 6));
    shop.server.add_client("site", Preset::Web);
    assert_eq!(propusk(&shop.server, &["client", "set", "site", "--disable"], "").code, 0);
    shop.server.settle();
    let answer = propusk(&shop.server, &["doctor", "--client", "site"], "");
    assert_eq!((answer.code, slugs(&answer)), (3, vec!["client_disabled".to_owned()]), "{}", answer.stdout);
    assert_eq!(member(&answer, "client_disabled", "fix"), "propusk client set site --enable");
    assert_eq!(propusk(&shop.server, &["client", "set", "site", "--enable"], "").code, 0);
    shop.server.settle();
    // The redirect URI is spoiled on the way, so this server refuses with a page.
    let request: super::doctor::Change = |path, request| {
        if path.starts_with("/oauth/authorize") {
            request.head = request.head.replacen("redirect_uri=", "redirect_uri=x", 1);
        }
    };
    shop.proxy.spoil(Some(Spoiler { request, answer: |_, _| {} }));
    let answer = propusk(&shop.server, &["doctor", "--client", "site"], "");
    let (explanation, fix) = (member(&answer, "authorize_page", "explanation"), member(&answer, "authorize_page", "fix"));
    assert!(explanation.contains("not, character for character"), "{explanation}");
    let reference = fix.rsplit_once("propusk explain ").unwrap().1;
    assert_eq!(propusk(&shop.server, &["explain", reference], "").json()["cause"], "redirect_uri_mismatch", "{fix}");
}

#[test]
fn the_doctor_speaks_russian_throughout() {
    let shop = Shop::open(Backend::Sqlite, Edition::community(8, 6));
    let good = propusk_plain(&shop.server, &["rocketchat", "doctor", "--lang", "ru"], "").stdout;
    assert_eq!(good.lines().last(), Some("Всё в порядке."), "{good}");
    for line in good.lines().filter(|line| line.contains(": ")) {
        assert!(line.chars().any(|letter| ('а'..='я').contains(&letter)), "{line}");
    }
    shop.server.admin(|cx| {
        let mut map = cx.store.list_role_maps()?.into_iter().find(|map| map.name == "rocket-chat").unwrap();
        map.roles.insert("moderator".into(), vec!["admin".into()]);
        Ok(cx.store.put_role_map(&map)?)
    });
    shop.chat.state().set("Accounts_OAuth_Custom-Besedka-merge_users", false);
    let bad = propusk_plain(&shop.server, &["rocketchat", "doctor", "--lang", "ru"], "").stdout;
    for said in [
        "ОШИБКА merge_users_off",
        "найдено: false",
        "ожидалось: true",
        "попробуйте: задайте",
        "ЗАМЕТКА role_map_gives_admin",
        "у кого роль moderator",
    ] {
        assert!(bad.contains(said), "{said}: {bad}");
    }
    for english in ["found", "expected", "try:", "ERROR", "NOTE", "settings seen"] {
        assert!(!bad.contains(english), "{english}: {bad}");
    }
}
