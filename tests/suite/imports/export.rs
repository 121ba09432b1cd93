//! The way home. `tests/django/test.sh` loads such a fixture into a real Django.

use super::{ROLES, fixture, import, person, propusk};
use propusk_domain::client::Preset;
use propusk_tests::server::{Backend, TestServer};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

propusk_tests::on_each_backend![
    an_export_holds_everybody_and_every_client,
    what_was_exported_for_django_can_be_imported_again,
    a_fixture_onto_a_dump_holds_what_was_changed_here_and_keeps_the_rest_of_each_record,
    a_fixture_onto_a_dump_leaves_out_whom_the_site_does_not_know_by_that_name,
];

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

#[test]
fn a_model_that_cannot_exist_is_wrong_usage() {
    let server = TestServer::start(Backend::Sqlite);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("export.json");
    let run = |model: &str| propusk(&server, &["export", path.to_str().unwrap(), "--format", "django", "--user-model", model]).code;
    for bad in ["bad", "a b", "a.b c", "a.b.c", ".b", "a.", "", "1a.b", "a.2b", "a-b.c", "a.b\n"] {
        assert_eq!(run(bad), 2, "{bad:?}");
        assert!(!path.exists(), "{bad:?}");
    }
    assert_eq!(run("community2.Member_x"), 0);
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

fn a_fixture_onto_a_dump_holds_what_was_changed_here_and_keeps_the_rest_of_each_record(backend: Backend) {
    let server = TestServer::start(backend);
    let own = r#""is_superuser": true, "is_staff": true, "groups": [7], "karma": 0.30000000000000004, "serial": 123456789012345678901234567890"#;
    let record = |pk: i64, name: &str, email: &str| {
        format!(
            r#"{{"model": "Community.Member", "pk": {pk}, "fields": {{"username": "{name}", "password": "md5$s$0a7afd19d6e6656f1f56fa2db3df4c74",
                "is_active": true, "email": "{email}", "first_name": "Имя", "last_name": "", "role": "reader", {own}}}}}"#
        )
    };
    let post = r#"{"model": "blog.post", "pk": 1, "fields": {"author": 1, "text": "x"}}"#;
    let people = [record(1, "anna", "anna@example.org"), record(2, "boris", "not-mail"), record(3, "vera", ""), record(4, "gleb", "")];
    let text = format!("[{}, {post}]", people.join(",\n"));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    let dump = file.path().to_str().unwrap();
    assert_eq!(import(&server, file.path(), &["--role-map", "reader=user"]).json()["users"]["added"], 4);

    let onto =
        ["--format", "django", "--onto", dump, "--with-hashes", "--role-field", "role", "--role-map", "user=member", "--role-map", "user=reader"];
    let (nothing, answer) = export(&server, &onto);
    assert_eq!((&nothing, &answer["unchanged"], &answer["changed"]), (&json!([]), &json!(4), &json!(0)), "{answer}");

    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    assert!(!super::people::signs_in(&server, &site, "anna", "another"));
    let set = |arguments: &[&str]| assert_eq!(propusk(&server, &[&["user"], arguments].concat()).code, 0);
    set(&["set", "boris", "--name", "Boris of here"]);
    set(&["set", "vera", "--email", "vera@example.org"]);
    set(&["remove", "gleb"]);
    server.add_user("nina", "user");
    server.admin(|cx| propusk_domain::admin::users::set_password(cx, "1", "$argon2id$v=19$m=256,t=1,p=1$c2FsdHNhbHQ$AAAA".to_owned()));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("home.json");
    let answer = propusk(&server, &[&["export", path.to_str().unwrap()], &onto[..]].concat());
    let told = answer.json();
    assert_eq!((&told["changed"], &told["added"], &told["unchanged"], &told["left_out"]), (&json!(4), &json!(1), &json!(0), &json!([])), "{told}");
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written.matches("123456789012345678901234567890").count(), 4, "a number of the dump stays to the last digit: {written}");
    assert_eq!(written.matches("0.30000000000000004").count(), 4);
    let fixture: Vec<Value> = serde_json::from_str(&written).unwrap();
    let before: Vec<Value> = serde_json::from_str(&text).unwrap();
    let changed = |at: usize| -> Value {
        assert_eq!((&fixture[at]["model"], &fixture[at]["pk"]), (&before[at]["model"], &before[at]["pk"]));
        let (new, old) = (fixture[at]["fields"].as_object().unwrap(), before[at]["fields"].as_object().unwrap());
        assert_eq!(new.keys().collect::<Vec<_>>(), old.keys().collect::<Vec<_>>());
        new.iter().filter(|(column, value)| old[*column] != **value).map(|(column, value)| (column.clone(), value.clone())).collect()
    };
    assert_eq!(changed(0), json!({ "password": "argon2$argon2id$v=19$m=256,t=1,p=1$c2FsdHNhbHQ$AAAA" }));
    assert_eq!(changed(1), json!({ "first_name": "Boris of here" }), "an address that was never taken over stays");
    assert_eq!(changed(2), json!({ "email": "vera@example.org" }), "the role is one that user came from");
    assert_eq!(changed(3), json!({ "is_active": false }), "who was removed here does not come back through the site");
    let nina = &fixture[4];
    assert_eq!((&nina["model"], &nina["pk"], &nina["fields"]["role"]), (&json!("Community.Member"), &Value::Null, &json!("member")));
    assert_eq!(nina["fields"].get("date_joined"), None, "the model has no such column");

    // Without hashes no password is touched.
    let (bare, _) = export(&server, &["--format", "django", "--onto", dump, "--role-field", "role", "--role-map", "user=reader"]);
    assert!(!bare.to_string().contains("argon2"));
    assert_eq!(bare[0]["fields"]["username"], "boris");
}

fn a_fixture_onto_a_dump_leaves_out_whom_the_site_does_not_know_by_that_name(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = super::user_record(json!(1), "anna", json!({}));
    assert_eq!(import(&server, super::dump(std::slice::from_ref(&anna)).path(), &[]).json()["users"]["added"], 1);
    server.add_user("nina", "user");
    // Since then the site has removed anna and registered a nina of its own: loaddata would take ours for her.
    let fresh = super::dump(&[super::user_record(json!(2), "nina", json!({}))]);
    let (fixture, answer) = export(&server, &["--format", "django", "--onto", fresh.path().to_str().unwrap(), "--with-hashes"]);
    assert_eq!(fixture, json!([]));
    let left: Vec<&str> = answer["left_out"].as_array().unwrap().iter().map(|left| left["username"].as_str().unwrap()).collect();
    assert_eq!(left, ["anna", "nina"], "{answer}");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("home.json");
    let run = |more: &[&str]| propusk(&server, &[&["export", path.to_str().unwrap()], more].concat()).code;
    assert_eq!(run(&["--onto", fresh.path().to_str().unwrap()]), 2, "--onto is for --format django");
    assert_eq!(run(&["--format", "django", "--onto", "/nowhere/dump.json"]), 4);
    let broken = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(broken.path(), "[{\"model\"").unwrap();
    assert_eq!(run(&["--format", "django", "--onto", broken.path().to_str().unwrap()]), 1);
    assert_eq!(run(&["--format", "django", "--onto", fresh.path().to_str().unwrap(), "--user-model", "blog.author"]), 1);
    assert!(!path.exists(), "nothing half-done is left");
}
