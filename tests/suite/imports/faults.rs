//! A site whose data is in disorder: everything sound is taken, everything else is reported, and memory stays small.

use super::{Answer, dump, import, measured, person, propusk, user_record};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use propusk_tests::postgres::TemporaryDatabase;
use propusk_tests::server::{Backend, TestServer};
use serde_json::{Map, Value, json};

propusk_tests::on_each_backend![
    names_that_differ_by_case_form_or_alphabet_stay_apart,
    applications_and_tokens_in_disorder_cost_only_themselves,
    a_database_in_disorder_is_read_like_a_dump,
    a_nul_costs_only_the_record_that_holds_it,
];

fn has(answer: &Answer, slug: &str, key: &str, left_out: bool) {
    let findings = answer.findings();
    assert!(findings.contains(&(slug.to_owned(), key.to_owned(), left_out)), "{slug} {key}: {findings:?}");
}

fn names_that_differ_by_case_form_or_alphabet_stay_apart(backend: Backend) {
    let server = TestServer::start(backend);
    let records = [
        user_record(json!(1), "Иван", json!({ "email": "ivan@example.org" })),
        user_record(json!(2), "ИВАН", json!({ "email": "IVAN@example.org" })),
        user_record(json!(3), "Ivan", json!({ "email": "Ivan@Example.org" })),
        user_record(json!(4), "ivan", json!({})),
        // The same letters composed and decomposed, and ones that compatibility folds.
        user_record(json!(5), "Андрей", json!({})),
        user_record(json!(6), "Андре\u{438}\u{306}", json!({})),
        user_record(json!(7), "ＡＮＮＡ", json!({})),
        user_record(json!(8), "anna", json!({})),
        // Another letter that looks the same is another name.
        user_record(json!(9), "аnna", json!({})),
        user_record(json!(10), "STRASSE", json!({})),
        user_record(json!(11), "straße", json!({})),
    ];
    let file = dump(&records);
    let dry = import(&server, file.path(), &["--dry-run", "--emails-verified"]);
    let answer = import(&server, file.path(), &["--emails-verified"]);
    assert_eq!((dry.code, answer.code), (3, 0), "{}", answer.stdout);
    assert_eq!(dry.findings(), answer.findings());
    for key in ["2", "4", "6", "8", "11"] {
        has(&answer, "duplicate_name", key, true);
    }
    assert_eq!(answer.json()["users"]["added"], 6, "{}", answer.stdout);
    // Whoever has a name that a chat takes keeps it; the one whose name is transliterated to the same gets another.
    assert_eq!(person(&server, "IVAN").unwrap().sub, "3");
    let first = person(&server, "иван").unwrap();
    assert_eq!(first.sub, "1");
    assert_ne!(first.username.to_lowercase(), "ivan");
    // An address that several have opens the form for one of them at most.
    let owner = person(&server, "ivan@EXAMPLE.org").map(|user| user.sub);
    assert!(owner.is_none() || owner.as_deref() == Some("1"), "{owner:?}");
    assert_eq!(import(&server, file.path(), &["--emails-verified"]).json()["users"]["added"], 0);
}

/// JSON and SQLite can say U+0000, PostgreSQL cannot keep it.
fn a_nul_costs_only_the_record_that_holds_it(backend: Backend) {
    let server = TestServer::start(backend);
    let nul = |text: &str| text.replace('0', "\0");
    let token = |model: &str, mut record: Value| {
        record["model"] = json!(format!("oauth2_provider.{model}"));
        record
    };
    let records = [
        user_record(json!(1), "anna", json!({})),
        user_record(json!(nul("a0b")), "boris", json!({})),
        user_record(json!(3), &nul("v0ra"), json!({ "email": "vera@example.org" })),
        user_record(json!(4), "gleb", json!({ "email": nul("g0@example.org"), "first_name": nul("G0"), "last_name": nul("0") })),
        user_record(json!(5), "dora", json!({ "password": nul("pbkdf2_sha256$1$salt0$X/W0") })),
        user_record(json!(6), "egor", json!({ "date_joined": nul("2020-01-01T00:00:00Z0"), "bio": nul("0") })),
        application(1, "good", &json!({})),
        application(6, "name", &json!({ "name": nul("n0me"), "post_logout_redirect_uris": nul("https://a.example/0") })),
        application(2, &nul("b0d"), &json!({})),
        application(3, "uris", &json!({ "redirect_uris": nul("https://a.example/0 https://a.example/cb") })),
        application(4, "secret", &json!({ "client_secret": nul("a clear secret 0 of some length") })),
        application(5, "hash", &json!({ "client_secret": nul("pbkdf2_sha256$10$s0lt$X/W"), "hash_client_secret": true })),
        access(1, &json!(1), &json!(1), &json!({ "token": nul("t0ken") })),
        access(2, &json!(nul("0")), &json!(1), &json!({})),
        access(3, &json!(1), &json!(nul("0")), &json!({})),
        access(4, &json!(1), &json!(1), &json!({ "scope": nul("openid 0"), "expires": nul("2099-01-01T00:00:00Z0") })),
        access(5, &json!(1), &json!(1), &json!({ "token_checksum": nul("0") })),
        token("refreshtoken", access(6, &json!(1), &json!(1), &json!({ "token": nul("r0"), "token_family": nul("0"), "access_token": nul("0") }))),
        access(7, &json!(1), &json!(1), &json!({})),
        user_record(json!(7), "last", json!({})),
    ];
    let file = dump(&records);
    let dry = import(&server, file.path(), &["--dry-run"]);
    assert_eq!(dry.code, 3, "{}", dry.stdout);
    for options in [&[][..], &["--sub", "username"]] {
        let answer = import(&server, file.path(), options);
        assert_eq!(answer.code, 0, "{}", answer.stdout);
    }
    assert!(person(&server, "anna").is_some() && person(&server, "last").is_some());
    assert!(server.look(|cx| Ok(cx.store.find_client("good")?)).is_some());
    assert_eq!(server.userinfo("token-7").status, 200);
}

fn application(pk: i64, client_id: &str, more: &Value) -> Value {
    let mut fields: Map<String, Value> = serde_json::from_value(json!({
        "client_id": client_id, "user": null, "redirect_uris": "https://app.example/callback", "client_type": "confidential",
        "authorization_grant_type": "authorization-code", "client_secret": "a clear secret of some length", "hash_client_secret": false,
        "name": client_id, "skip_authorization": false, "algorithm": "RS256",
    }))
    .unwrap();
    fields.extend(more.as_object().unwrap().clone());
    json!({ "model": "oauth2_provider.application", "pk": pk, "fields": fields })
}

fn access(pk: i64, user: &Value, application: &Value, more: &Value) -> Value {
    let mut fields: Map<String, Value> = serde_json::from_value(json!({
        "user": user, "token": format!("token-{pk}"), "application": application, "expires": "2099-01-01T00:00:00Z", "scope": "openid profile",
        "created": "2020-01-01T00:00:00Z",
    }))
    .unwrap();
    fields.extend(more.as_object().unwrap().clone());
    json!({ "model": "oauth2_provider.accesstoken", "pk": pk, "fields": fields })
}

fn applications_and_tokens_in_disorder_cost_only_themselves(backend: Backend) {
    let server = TestServer::start(backend);
    let refresh = |pk: i64, more: Value| {
        let mut fields =
            json!({ "user": 1, "token": format!("refresh-{pk}"), "application": 1, "access_token": null, "revoked": null, "created": "soon" });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "model": "oauth2_provider.refreshtoken", "pk": pk, "fields": fields })
    };
    let records = [
        user_record(json!(1), "anna", json!({})),
        application(1, "good", &json!({})),
        application(2, "has space", &json!({})),
        application(3, "", &json!({})),
        application(4, "strange", &json!({ "client_type": "secret" })),
        application(5, "hashed", &json!({ "client_secret": "whirlpool$1$abc$def", "hash_client_secret": true })),
        application(6, "empty", &json!({ "client_secret": "" })),
        application(
            7,
            "costly",
            &json!({ "client_secret": "pbkdf2_sha256$9000000$salt$X/W0wLbCeDpafVQgA3HU3I3npTFjb3gPWq7BdQORp54=", "hash_client_secret": true }),
        ),
        application(
            8,
            "places",
            &json!({ "redirect_uris": "https://ok.example/cb javascript:alert(1) https://x.example/#f http://evil.example/cb" }),
        ),
        application(9, "implicit", &json!({ "authorization_grant_type": "implicit" })),
        application(10, "good", &json!({ "name": "the same once more" })),
        application(11, "huge", &json!({ "redirect_uris": "https://a.example/".repeat(700_000) })),
        access(1, &json!(1), &json!(1), &json!({})),
        access(2, &json!(77), &json!(1), &json!({})),
        access(3, &json!(1), &json!(99), &json!({})),
        access(4, &json!(1), &json!(1), &json!({ "expires": "when the tea is ready" })),
        access(5, &json!(1), &json!(1), &json!({ "token": "" })),
        access(6, &json!(1), &json!(1), &json!({ "token": "t".repeat(10 * 1024 * 1024) })),
        access(7, &json!(1), &json!(1), &json!({ "token_checksum": "zz" })),
        access(8, &json!(1), &json!(1), &json!({ "scope": "\u{0} ключ \"quoted\" profile" })),
        refresh(1, json!({ "access_token": 1 })),
        refresh(2, json!({ "token": "", "access_token": 7 })),
        refresh(3, json!({})),
    ];
    let file = dump(&records);
    let dry = import(&server, file.path(), &["--dry-run"]);
    let answer = import(&server, file.path(), &[]);
    assert_eq!((dry.code, answer.code), (3, 0), "{}", answer.stdout);
    for (slug, key, left_out) in [
        ("bad_client_id", "2", true),
        ("bad_client_id", "3", true),
        ("broken", "4", true),
        ("secret_not_taken", "5", false),
        ("no_secret", "6", false),
        ("secret_not_taken", "7", false),
        ("redirect_uri_dropped", "8", false),
        ("grant_not_taken", "9", false),
        ("broken", "record 12", true),
        ("unknown_client", "3", true),
        ("broken", "4", true),
        ("broken", "5", true),
        ("broken", "record 18", true),
        ("broken", "2", true),
        ("no_scope", "3", true),
    ] {
        has(&answer, slug, key, left_out);
    }
    let client = |id: &str| server.look(|cx| Ok(cx.store.find_client(id)?));
    assert_eq!(client("places").unwrap().settings.redirect_uris, ["https://ok.example/cb"]);
    for id in ["hashed", "empty", "costly"] {
        assert!(client(id).unwrap().secrets.is_empty(), "{id}: an unknown hash opens nothing, and neither does an empty secret");
    }
    assert_eq!(client("good").unwrap().name, "good", "the first of two");
    assert!(client("huge").is_none() && client("has space").is_none() && client("strange").is_none());
    assert_eq!(server.userinfo("token-1").status, 200);
    for dead in ["token-2", "token-3", "token-4", "token-6"] {
        assert_eq!(server.userinfo(dead).status, 401, "{dead}");
    }
    assert_eq!(server.userinfo("token-7").status, 200, "without a usable checksum the text counts");
    assert_eq!(import(&server, file.path(), &[]).json()["clients"]["added"], 0);
}

const ROWS: &str = "
    INSERT INTO auth_user VALUES (1, 'anna', '!', true, 'anna@example.org', 'Анна');
    INSERT INTO auth_user VALUES (2, 'ANNA', '!', true, '', '');
    INSERT INTO auth_user VALUES (3, NULL, '!', true, '', '');
    INSERT INTO auth_user VALUES (4, 'boris', '', true, '', '');
    INSERT INTO auth_user VALUES (5, 'vera', 'whirlpool$1$a$b', true, '', '');
    INSERT INTO auth_user VALUES (6, 'gleb', NULL, NULL, NULL, NULL);
    INSERT INTO auth_user VALUES (7, 'zoja', '!', true, 'not an address', '');";

fn a_database_in_disorder_is_read_like_a_dump(backend: Backend) {
    let server = TestServer::start(backend);
    let table = "CREATE TABLE auth_user (id integer PRIMARY KEY, username text, password text, is_active boolean, email text, first_name text);";
    let (postgres, directory) = (TemporaryDatabase::create(), tempfile::tempdir().unwrap());
    let path = directory.path().join("site.sqlite3");
    let url = if backend == Backend::Sqlite {
        let mut site = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        site.batch_execute(&format!("{table}{ROWS}")).unwrap();
        // Bytes that are no text; 30 fields of 10 MB.
        site.batch_execute("INSERT INTO auth_user VALUES (8, CAST(x'ff61' AS TEXT), '!', 1, '', '')").unwrap();
        let large = "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 129)
                     INSERT INTO auth_user SELECT i, 'large' || i, '!', 1, '', printf('%.*c', 10000000, 'x') FROM n";
        site.batch_execute(large).unwrap();
        format!("sqlite:{}", path.display())
    } else {
        let mut site = PgConnection::establish(&postgres.url).unwrap();
        site.batch_execute(&format!("{table}{ROWS}")).unwrap();
        let large = "INSERT INTO auth_user SELECT i, 'large' || i, '!', true, '', repeat('x', 10000000) FROM generate_series(100, 129) i";
        site.batch_execute(large).unwrap();
        postgres.url.clone()
    };
    let dry = propusk(&server, &["import", "django", "--database", &url, "--dry-run"]);
    assert_eq!(dry.code, 3, "{}", dry.stdout);
    let (answer, peak) = measured(&server, &["import", "django", "--database", &url]);
    assert_eq!((answer.code, answer.findings()), (0, dry.findings()), "{}", answer.stdout);
    assert!(peak < 150 * 1024, "{peak} KiB for 300 MB");
    has(&answer, "duplicate_name", "2", true);
    has(&answer, "no_name", "3", true);
    has(&answer, "no_password", "4", false);
    has(&answer, "password_not_taken", "5", false);
    for key in 100..130 {
        has(&answer, "broken", &format!("auth_user {key}"), true);
    }
    if backend == Backend::Sqlite {
        has(&answer, "broken", "auth_user 8", true);
    }
    for name in ["anna", "boris", "vera", "zoja"] {
        assert!(person(&server, name).is_some(), "{name}: {}", answer.stdout);
    }
    assert!(person(&server, "large100").is_none());
    assert_eq!(person(&server, "anna").unwrap().sub, "1");
}
