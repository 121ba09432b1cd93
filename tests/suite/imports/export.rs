//! The way home. `tests/django/test.sh` loads such a fixture into a real Django.

use super::{ROLES, fixture, import, person, propusk};
use propusk_domain::client::Preset;
use propusk_tests::server::{Backend, TestServer};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

propusk_tests::on_each_backend![an_export_holds_everybody_and_every_client, what_was_exported_for_django_can_be_imported_again];

fn export(server: &TestServer, more: &[&str]) -> (Value, Value) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("export.json");
    let answer = propusk(server, &[&["export", path.to_str().unwrap()], more].concat());
    assert_eq!(answer.code, 0, "{}", answer.stdout);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "readable to its owner alone");
    let again = propusk(server, &["export", path.to_str().unwrap()]);
    assert_eq!(again.code, 1, "a file that exists is not overwritten: {}", again.stdout);
    (serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap(), answer.json())
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn an_export_holds_everybody_and_every_client(backend: Backend) {
    let server = TestServer::start(backend);
    import(&server, &fixture("dot-3.4.json"), &ROLES);
    let nina = server.add_user("nina", "user");
    server.add_client("site", Preset::Web);
    let (bare, answer) = export(&server, &[]);
    assert_eq!((&answer["users"], &answer["clients"]), (&json!(6), &json!(6)));
    let mut expected = vec!["propusk_export", "exported_at", "issuer", "roles", "role_maps", "clients", "users"];
    let mut found = keys(&bare);
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!((bare["users"].as_array().unwrap().len(), bare["clients"].as_array().unwrap().len()), (6, 6));
    let text = bare.to_string();
    for secret in ["argon2", "pbkdf2", "sha256:", "password_hash", "secrets"] {
        assert!(!text.contains(secret), "{secret} came without being asked for");
    }
    let (whole, _) = export(&server, &["--with-hashes"]);
    let find = |list: &str, key: &str, value: &str| whole[list].as_array().unwrap().iter().find(|row| row[key] == value).unwrap().clone();
    assert_eq!(find("users", "username", "nina")["password_hash"], json!(nina.user.password_hash));
    let boris = find("users", "username", "Boris");
    assert_eq!((&boris["site_key"], &boris["names"][1]), (&json!("102"), &json!({ "name": "Борис", "kind": "alias" })));
    assert!(find("clients", "client_id", "robot")["secrets"][0]["hash"].as_str().unwrap().starts_with("pbkdf2_sha256$"));
}

fn what_was_exported_for_django_can_be_imported_again(backend: Backend) {
    let server = TestServer::start(backend);
    import(&server, &fixture("dot-3.4.json"), &ROLES);
    server.add_user("nina", "user");
    let arguments = ["--format", "django", "--with-hashes", "--user-model", "community.member", "--role-field", "role", "--role-map", "owner=admin"];
    let (records, answer) = export(&server, &arguments);
    assert_eq!(answer["without_password"], json!(["Boris"]), "a wrapped hash is nothing to Django");
    let by_name = |name: &str| records.as_array().unwrap().iter().find(|record| record["fields"]["username"] == name).unwrap().clone();
    let anna = by_name("anna");
    assert_eq!((&anna["pk"], &anna["model"], &anna["fields"]["role"]), (&json!(101), &json!("community.member"), &json!("admin")));
    assert_eq!(anna["fields"]["date_joined"], "2020-02-29T12:00:00Z");
    assert!(by_name("nina")["fields"]["password"].as_str().unwrap().starts_with("argon2$argon2id$v=19$"));
    assert_eq!(by_name("nina")["pk"], Value::Null);
    assert!(by_name("Борис")["fields"]["password"].as_str().unwrap().starts_with('!'));

    let second = TestServer::start(backend);
    let file = super::dump(records.as_array().unwrap());
    let answer = import(&second, file.path(), &ROLES);
    assert_eq!(answer.json()["users"]["added"], 5, "{}", answer.stdout);
    assert!(answer.findings().contains(&("no_key".to_owned(), String::new(), true)), "nina has no key there yet");
    for name in ["anna", "Борис", "vera+chat@example.org", "gleb", "dina"] {
        let (before, after) = (person(&server, name).unwrap(), person(&second, name).unwrap());
        assert_eq!((&before.sub, &before.username, &before.role, before.state), (&after.sub, &after.username, &after.role, after.state), "{name}");
        assert_eq!(before.claims, after.claims, "{name}");
    }
    let site = second.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    assert!(super::people::signs_in(&second, &site, "vera+chat@example.org", "correct horse vera"));
}
