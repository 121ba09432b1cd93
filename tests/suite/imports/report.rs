//! What the report says: nothing is decided silently, and its numbers add up.

use super::{Answer, ROLES, dump, fixture, import, person, propusk, user_record};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use propusk_tests::server::{Backend, TestServer};
use serde_json::json;

propusk_tests::on_each_backend![
    a_column_that_does_not_exist_is_refused_before_anything_is_written,
    an_address_that_two_people_have_or_that_is_none_is_reported,
    an_address_never_takes_the_name_of_somebody_else_at_the_site,
    the_first_rule_that_applies_gives_the_role_and_one_that_it_hides_is_reported,
    the_numbers_of_each_line_add_up,
    another_subject_for_people_who_are_here_changes_nothing_and_is_reported,
    a_second_record_with_the_same_key_does_not_overwrite_the_first,
];

fn details(answer: &Answer, slug: &str) -> Vec<String> {
    let findings = answer.json()["findings"].clone();
    let of_slug = findings.as_array().unwrap().iter().filter(|finding| finding["slug"] == slug);
    of_slug.map(|finding| finding["detail"].as_str().unwrap().to_owned()).collect()
}

fn a_column_that_does_not_exist_is_refused_before_anything_is_written(backend: Backend) {
    let server = TestServer::start(backend);
    for arguments in [["--sub", "nocol"], ["--role-field", "nocol"]] {
        let answer = import(&server, &fixture("dot-3.4.json"), &[&ROLES[..], &arguments].concat());
        assert_eq!(answer.code, 1, "{}", answer.stdout);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("{}: community.member has no column nocol; there are chat_id, ", arguments[0])), "{message}");
    }
    assert!(server.look(|cx| Ok(cx.store.list_users(None, None, 10)?)).is_empty());
    assert!(server.look(|cx| Ok(cx.store.list_clients()?)).is_empty());
    assert_eq!(import(&server, &fixture("dot-3.4.json"), &[&ROLES[..], &["--sub", "chat_id", "--role-field", "role"]].concat()).code, 0);
    // A site without roles needs no option.
    assert_eq!(import(&TestServer::start(backend), dump(&[user_record(json!(1), "anna", json!({}))]).path(), &[]).code, 0);
}

#[test]
fn a_column_that_the_database_of_the_site_does_not_have_is_refused() {
    let server = TestServer::start(Backend::Sqlite);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("site.sqlite3");
    let mut site = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    site.batch_execute("PRAGMA foreign_keys = OFF").unwrap();
    site.batch_execute(&std::fs::read_to_string(fixture("site.sql")).unwrap()).unwrap();
    let url = format!("sqlite:{}", path.display());
    let answer = propusk(&server, &["import", "django", "--database", &url, "--sub", "nocol"]);
    assert_eq!(answer.code, 1, "{}", answer.stdout);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("there are chat_id"), "{}", answer.stdout);
    assert!(server.look(|cx| Ok(cx.store.list_users(None, None, 10)?)).is_empty());
}

fn an_address_that_two_people_have_or_that_is_none_is_reported(backend: Backend) {
    let server = TestServer::start(backend);
    let records = [
        user_record(json!(1), "anna", json!({ "email": "dup@example.org" })),
        user_record(json!(2), "boris", json!({ "email": "DUP@example.org" })),
        user_record(json!(3), "vera", json!({ "email": "not-mail" })),
        user_record(json!(4), "gleb", json!({ "email": "gleb@example.org" })),
    ];
    let file = dump(&records);
    for verified in [&[][..], &["--emails-verified"]] {
        let dry = import(&server, file.path(), &[&["--dry-run"], verified].concat());
        assert_eq!(dry.code, 3);
        assert!(dry.findings().contains(&("duplicate_email".to_owned(), "2".to_owned(), false)), "{}", dry.stdout);
        assert!(dry.findings().contains(&("email_dropped".to_owned(), "3".to_owned(), false)), "{}", dry.stdout);
        assert!(details(&dry, "email_dropped")[0].starts_with("not-mail is no e-mail address"));
        assert_eq!(details(&dry, "duplicate_email").len(), 1, "the first keeps it");
    }
    let wet = import(&server, file.path(), &["--emails-verified"]);
    assert_eq!(wet.findings(), import(&TestServer::start(backend), file.path(), &["--emails-verified", "--dry-run"]).findings());
    assert_eq!(person(&server, "dup@example.org").unwrap().username, "anna");
    assert_eq!(person(&server, "boris").unwrap().claims.email_verified, Some(false));
    assert_eq!(person(&server, "vera").unwrap().claims.email, None);
}

/// Boris could otherwise sign in by what is Anna's name, and keep her out.
fn an_address_never_takes_the_name_of_somebody_else_at_the_site(backend: Backend) {
    let server = TestServer::start(backend);
    let records = [
        user_record(json!(1), "boris", json!({ "email": "Anna@example.org" })),
        user_record(json!(2), "anna@example.org", json!({ "email": "anna@example.org" })),
    ];
    let answer = import(&server, dump(&records).path(), &["--emails-verified"]);
    assert!(answer.findings().contains(&("email_taken".to_owned(), "1".to_owned(), false)), "{}", answer.stdout);
    assert_eq!(answer.json()["users"]["added"], 2, "{}", answer.stdout);
    assert_eq!(person(&server, "anna@example.org").unwrap().sub, "2");
    assert_eq!(person(&server, "boris").unwrap().claims.email_verified, Some(false));
}

fn the_first_rule_that_applies_gives_the_role_and_one_that_it_hides_is_reported(backend: Backend) {
    let records = [
        user_record(json!(1), "boss", json!({ "role": "reader", "is_superuser": true })),
        user_record(json!(2), "anna", json!({ "role": "reader", "is_superuser": false })),
        user_record(json!(3), "vera", json!({ "role": "moderator", "is_superuser": true })),
        user_record(json!(4), "gleb", json!({ "role": "unheard-of", "is_superuser": true })),
        user_record(json!(5), "dina", json!({ "role": "unheard-of", "is_superuser": false })),
        user_record(json!(6), "foma", json!({ "role": "moderator" })),
    ];
    let run = |rules: [&str; 2]| {
        let server = TestServer::start(backend);
        let answer = import(&server, dump(&records).path(), &["--role-map", rules[0], "--role-map", rules[1]]);
        let roles = ["boss", "anna", "vera", "gleb", "dina", "foma"].map(|name| person(&server, name).unwrap().role);
        (roles.join(" "), answer)
    };
    let (roles, answer) = run(["is_superuser=owner", "reader=user"]);
    assert_eq!(roles, "owner user owner owner user moderator");
    assert_eq!(
        details(&answer, "role_rule_hidden"),
        ["is_superuser=owner decides where reader=user applies, too (1 of the people): the rule that stands first does"]
    );
    let unknown: Vec<_> = answer.findings().into_iter().filter(|(slug, ..)| slug == "unknown_role").map(|(_, key, _)| key).collect();
    assert_eq!(unknown, ["5"], "only where user was really given for it");
    let (roles, answer) = run(["reader=user", "is_superuser=owner"]);
    assert_eq!(roles, "user user owner owner user moderator");
    assert_eq!(
        details(&answer, "role_rule_hidden"),
        ["reader=user decides where is_superuser=owner applies, too (1 of the people): the rule that stands first does"]
    );
}

fn the_numbers_of_each_line_add_up(backend: Backend) {
    for version in ["dot-2.4.json", "dot-3.4.json"] {
        let server = TestServer::start(backend);
        for more in [&["--dry-run"][..], &[], &[]] {
            let report = import(&server, &fixture(version), &[&ROLES[..], more].concat()).json();
            for kind in ["users", "clients", "access_tokens", "refresh_tokens"] {
                let count = |name: &str| report[kind][name].as_u64().unwrap();
                let parts: u64 = ["added", "changed", "unchanged", "ended", "left_out"].map(count).iter().sum();
                assert_eq!(parts, count("read"), "{version} {more:?} {kind}: {}", report[kind]);
            }
            assert_eq!((&report["access_tokens"]["ended"], &report["refresh_tokens"]["ended"]), (&json!(2), &json!(1)), "{version}");
        }
    }
}

fn another_subject_for_people_who_are_here_changes_nothing_and_is_reported(backend: Backend) {
    let server = TestServer::start(backend);
    import(&server, &fixture("dot-3.4.json"), &ROLES);
    let before = server.look(|cx| Ok(cx.store.list_users(None, None, 10)?));
    let answer = import(&server, &fixture("dot-3.4.json"), &[&ROLES[..], &["--sub", "username", "--dry-run"]].concat());
    let users = answer.json()["users"].clone();
    // Names that are no ASCII are no subjects; the others are as they were.
    assert_eq!((&users["changed"], &users["added"], &users["unchanged"]), (&json!(0), &json!(0), &json!(4)), "{}", answer.stdout);
    assert_eq!(details(&answer, "subject_kept").len(), 1, "{}", answer.stdout);
    assert!(details(&answer, "subject_kept")[0].starts_with("4 of the people"), "{}", answer.stdout);
    let wet = import(&server, &fixture("dot-3.4.json"), &[&ROLES[..], &["--sub", "new"]].concat());
    assert_eq!((&wet.json()["users"]["changed"], &wet.json()["users"]["unchanged"]), (&json!(0), &json!(5)), "{}", wet.stdout);
    assert_eq!(server.look(|cx| Ok(cx.store.list_users(None, None, 10)?)), before);
}

fn a_second_record_with_the_same_key_does_not_overwrite_the_first(backend: Backend) {
    let application = |pk: i64, client_id: &str| {
        json!({ "model": "oauth2_provider.application", "pk": pk, "fields": {
            "client_id": client_id, "client_secret": "", "client_type": "public", "authorization_grant_type": "authorization-code", "redirect_uris": "https://a.example/cb",
        }})
    };
    let records = [
        user_record(json!(1), "anna", json!({ "first_name": "Anna" })),
        user_record(json!(2), "boris", json!({})),
        user_record(json!(1), "anna", json!({ "first_name": "Mallory" })),
        user_record(json!(2), "mallory", json!({})),
        application(1, "wiki"),
        application(1, "other"),
    ];
    let file = dump(&records);
    let server = TestServer::start(backend);
    let dry = import(&server, file.path(), &["--dry-run"]);
    let wet = import(&server, file.path(), &[]);
    for answer in [&dry, &wet] {
        let keys: Vec<_> = answer.findings().into_iter().filter(|(slug, ..)| slug == "duplicate_key").map(|(_, key, left)| (key, left)).collect();
        assert_eq!(keys, [("1".to_owned(), true), ("2".to_owned(), true), ("1".to_owned(), true)], "{}", answer.stdout);
        let report = answer.json();
        assert_eq!((&report["users"]["added"], &report["users"]["left_out"], &report["users"]["changed"]), (&json!(2), &json!(2), &json!(0)));
        assert_eq!((&report["clients"]["added"], &report["clients"]["left_out"]), (&json!(1), &json!(1)));
    }
    assert_eq!(person(&server, "anna").unwrap().claims.name.as_deref(), Some("Anna"));
    assert!(person(&server, "mallory").is_none());
    assert_eq!(server.look(|cx| Ok(cx.store.find_client("other")?)).map(|client| client.client_id), None::<String>);
}
