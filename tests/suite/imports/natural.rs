//! Foreign keys in every form that a dump has them in, and texts that no database takes.

use super::{Answer, ROLES, dump, fixture, import, person, user_record};
use propusk_domain::client::Preset;
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, Registered, TestServer};
use serde_json::{Value, json};

propusk_tests::on_each_backend![
    natural_keys_name_the_same_people_and_applications,
    a_token_whose_person_cannot_be_told_is_nobodys,
    a_text_that_no_database_takes_costs_one_record,
];

fn records(name: &str) -> Vec<Value> {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

fn is(record: &Value, model: &str) -> bool {
    record["model"].as_str() == Some(model)
}

/// As `dumpdata --natural-foreign` writes it.
fn naturally(mut records: Vec<Value>) -> Vec<Value> {
    let find = |model: &str, column: &str| -> Vec<(Value, Value)> {
        records.iter().filter(|record| is(record, model)).map(|record| (record["pk"].clone(), json!([record["fields"][column]]))).collect()
    };
    let (people, groups) = (find("community.member", "username"), find("auth.group", "name"));
    let applications = find("oauth2_provider.application", "client_id");
    let natural = |known: &[(Value, Value)], key: &Value| known.iter().find(|(pk, _)| pk == key).map_or(key.clone(), |(_, name)| name.clone());
    for record in &mut records {
        let fields = record["fields"].as_object_mut().unwrap();
        for (column, known) in [("user", &people), ("application", &applications)] {
            if let Some(value) = fields.get_mut(column) {
                *value = natural(known, value);
            }
        }
        if let Some(Value::Array(member)) = fields.get_mut("groups") {
            for group in member {
                *group = natural(&groups, group);
            }
        }
    }
    records
}

fn introspect(server: &TestServer, asking: &Registered, token: &str) -> Value {
    Request::post(&server.url("/oauth/introspect")).basic(asking.id(), &asking.secret).post_form(&[("token", token)]).send().unwrap().json()
}

fn refresh(server: &TestServer, token: &str) -> u16 {
    let client = server.look(|cx| Ok(cx.store.find_client("wiki")?)).unwrap();
    server.refresh(&Registered { client, secret: "wiki-secret-wiki-secret".to_owned() }, token).status
}

fn natural_keys_name_the_same_people_and_applications(backend: Backend) {
    for version in ["dot-2.4.json", "dot-3.4.json"] {
        let mut natural = naturally(records(version));
        // With --natural-primary an application has no key at all.
        natural.iter_mut().filter(|record| is(record, "oauth2_provider.application")).for_each(|record| {
            record.as_object_mut().unwrap().remove("pk");
        });
        for records in [naturally(records(version)), natural] {
            let server = TestServer::start(backend);
            let map = [&ROLES[..], &["--role-map", "group:Редакторы=moderator"]].concat();
            let (told, plain) = (import(&server, dump(&records).path(), &map), import(&TestServer::start(backend), &fixture(version), &map));
            let (mut one, mut other) = (told.json(), plain.json());
            for report in [&mut one, &mut other] {
                report["findings"].as_array_mut().unwrap().iter_mut().for_each(|finding| finding["key"] = Value::Null);
            }
            assert_eq!(one, other, "{version}: the forms of the keys change nothing");
            let api = server.add_client("api", Preset::Api);
            let answer = introspect(&server, &api, "anna-wiki-access-token");
            assert_eq!((&answer["sub"], &answer["client_id"]), (&json!("101"), &json!("wiki")), "{version}");
            assert_eq!(introspect(&server, &api, "gleb-wiki-access-token")["active"], false, "{version}: he is disabled");
            assert_eq!(introspect(&server, &api, "robot-access-token")["sub"], "robot");
            assert_eq!(refresh(&server, "anna-wiki-refresh-token"), 200);
        }
    }
}

fn with_user(user: &Value) -> Vec<Value> {
    let mut records = records("dot-3.4.json");
    for record in &mut records {
        if record["fields"]["token"] == "anna-wiki-access-token" {
            let fields = record["fields"].as_object_mut().unwrap();
            fields.remove("user");
            if *user != json!("absent") {
                fields.insert("user".to_owned(), user.clone());
            }
        }
    }
    // A name that is somebody's sign-in name and somebody else's address means nobody.
    records.push(json!({ "model": "community.member", "pk": 201, "fields": { "username": "two@example.org", "password": "!", "is_active": true, "role": "member" }}));
    records.push(json!({ "model": "community.member", "pk": 202, "fields": { "username": "zwei", "email": "two@example.org", "password": "!", "is_active": true, "role": "member" }}));
    records
}

fn a_token_whose_person_cannot_be_told_is_nobodys(backend: Backend) {
    let users = [
        json!(["nobody"]),
        json!(["two@example.org"]),
        json!(["a", "b"]),
        json!([]),
        json!({}),
        json!(true),
        json!(""),
        json!("10\u{0}1"),
        json!("absent"),
    ];
    for user in users {
        let server = TestServer::start(backend);
        let file = dump(&with_user(&user));
        let dry = import(&server, file.path(), &[&ROLES[..], &["--dry-run"]].concat());
        let wet = import(&server, file.path(), &ROLES);
        for answer in [&dry, &wet] {
            assert!(answer.findings().contains(&("unknown_user".to_owned(), "1".to_owned(), true)), "{user}: {}", answer.stdout);
        }
        assert_eq!(wet.code, 0, "{user}");
        assert_eq!(server.userinfo("anna-wiki-access-token").status, 401, "{user}");
        assert_eq!(refresh(&server, "anna-wiki-refresh-token"), 400, "{user}");
        let api = server.add_client("api", Preset::Api);
        assert_eq!(introspect(&server, &api, "anna-wiki-access-token")["active"], false, "{user}");
        assert_eq!(introspect(&server, &api, "anna-chat-access-token")["sub"], "101", "{user}");
    }
}

fn a_text_that_no_database_takes_costs_one_record(backend: Backend) {
    let server = TestServer::start(backend);
    let salted = "pbkdf2_sha256$600000$nVJV\u{0}bMw$X/W0wLbCeDpafVQgA3HU3I3npTFjb3gPWq7BdQORp54=";
    let records = [
        user_record(json!("4\u{0}2"), "nul", json!({})),
        user_record(json!("k".repeat(300)), "long", json!({})),
        user_record(json!(1), "a\u{0}b", json!({})),
        user_record(json!(2), "boris", json!({ "email": "a\u{0}@example.org", "first_name": "B\u{0}", "last_name": "\u{1}", "role": "us\u{0}er" })),
        user_record(json!(3), "vera", json!({ "password": salted, "groups": ["\u{0}", ["\u{0}"]] })),
        user_record(json!(4), "gleb", json!({ "password": "md5$sa\u{0}lt$cafb452b6471b05875f876fed8807714" })),
        user_record(json!(5), "dina", json!({})),
        json!({ "model": "a.\u{0}user", "pk": 6, "fields": { "username": "model", "password": "!", "is_active": true }}),
    ];
    for choice in ["new", "username", "pk"] {
        let server = TestServer::start(backend);
        let file = dump(&records);
        let run = |more: &[&str]| import(&server, file.path(), &[&["--sub", choice, "--role-field", "role"], more].concat());
        let (dry, wet) = (run(&["--dry-run"]), run(&[]));
        assert_eq!((dry.code, wet.code), (3, 0), "{choice}: {} {}", dry.stdout, wet.stdout);
        let slugs = |answer: &Answer| answer.findings().into_iter().map(|(slug, _, left)| (slug, left)).collect::<Vec<_>>();
        assert_eq!(slugs(&dry), slugs(&wet), "{choice}");
        assert_eq!(slugs(&wet).iter().filter(|(slug, left)| slug == "bad_key" && *left).count(), 2, "{choice}: {}", wet.stdout);
        for taken in ["boris", "vera", "gleb", "dina"] {
            let taken = person(&server, taken).unwrap_or_else(|| panic!("{choice} {taken}: {}", wet.stdout));
            assert_eq!((taken.password_hash, taken.claims.email, taken.claims.name, taken.role.as_str()), (None, None, None, "user"));
        }
        assert!(person(&server, "nul").is_none() && person(&server, "model").is_none());
    }
    // Applications and tokens.
    let mut tokens = self::records("dot-3.4.json");
    for record in &mut tokens {
        let fields = record["fields"].as_object_mut().unwrap();
        for column in ["redirect_uris", "client_secret", "name", "scope", "post_logout_redirect_uris", "algorithm", "authorization_grant_type"] {
            if let Some(Value::String(text)) = fields.get_mut(column) {
                text.push('\u{0}');
            }
        }
    }
    let text = serde_json::to_string(&tokens).unwrap().replace("\"pk\":7", "\"pk\":\"7\\u0000\"");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    assert_eq!(import(&server, file.path(), &ROLES).code, 0);
    assert_eq!(import(&server, file.path(), &ROLES).code, 0);
    assert_eq!(server.userinfo("anna-chat-access-token").status, 200);
}
