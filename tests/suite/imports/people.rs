//! People come over with their passwords, and stay who they were.

use super::{ROLES, dump, fixture, import, person, propusk, user_record};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use propusk_domain::admin::users::{self, UserPatch};
use propusk_domain::client::Preset;
use propusk_domain::user::UserState;
use propusk_tests::browser::Browser;
use propusk_tests::postgres::TemporaryDatabase;
use propusk_tests::server::{Backend, Registered, TestServer};
use serde_json::json;

propusk_tests::on_each_backend![
    people_sign_in_with_the_password_that_they_had_and_get_a_hash_of_ours,
    a_second_run_changes_nothing_and_a_third_only_what_was_not_changed_here,
    a_dry_run_writes_nothing_and_shows_the_usernames_for_the_chat,
    an_unknown_name_costs_what_most_imported_hashes_cost,
    a_subject_may_be_the_name_another_column_or_a_new_one,
    somebody_removed_here_is_not_brought_back,
];

/// Whether that name and password lead to a code.
pub(super) fn signs_in(server: &TestServer, client: &Registered, name: &str, password: &str) -> bool {
    let mut browser = Browser::new().stop_at(client.redirect_uri());
    browser.visit(&server.authorize_url(client, &[])).unwrap();
    browser.sign_in(name, password).unwrap().param("code").is_some()
}

fn site_client(server: &TestServer) -> Registered {
    server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true))
}

fn people_sign_in_with_the_password_that_they_had_and_get_a_hash_of_ours(backend: Backend) {
    let server = TestServer::start(backend);
    let site = site_client(&server);
    let answer = import(&server, &fixture("dot-3.4.json"), &ROLES);
    assert_eq!(answer.code, 0, "{}", answer.stdout);
    let report = answer.json();
    assert_eq!((&report["users"]["read"], &report["users"]["added"], &report["users"]["left_out"]), (&json!(5), &json!(5), &json!(0)));
    assert_eq!(report["passwords"], json!({ "pbkdf2_sha256": 1, "wrapped_md5": 1, "argon2": 1, "scrypt": 1, "none": 1 }));

    let anna = person(&server, "anna").unwrap();
    assert_eq!((anna.sub.as_str(), anna.role.as_str()), ("101", "owner"));
    assert_eq!(anna.claims.name.as_deref(), Some("Анна Петрова"));
    assert_eq!((anna.claims.email.as_deref(), anna.claims.email_verified), (Some("anna@example.org"), Some(false)));
    assert_eq!(anna.created_at.to_string(), "2020-02-29T12:00:00Z");
    // A name that no chat takes stays a sign-in name.
    let boris = person(&server, "Борис").unwrap();
    assert_eq!((boris.sub.as_str(), boris.username.as_str()), ("102", "Boris"));
    let vera = person(&server, "vera+chat@example.org").unwrap();
    assert_eq!((vera.username.as_str(), vera.role.as_str()), ("vera-chat-example.org", "moderator"));
    assert_eq!(person(&server, "gleb").unwrap().state, UserState::Disabled);
    assert!(boris.password_hash.unwrap().starts_with("wrapped_md5$"));

    for (name, password) in [("anna", "correct horse anna"), ("Борис", "correct horse boris"), ("vera+chat@example.org", "correct horse vera")] {
        assert!(!signs_in(&server, &site, name, "another password"), "{name}");
        let foreign = person(&server, name).unwrap().password_hash.unwrap();
        assert!(!foreign.starts_with("$argon2id$"), "a wrong password replaces nothing: {name}");
        assert!(signs_in(&server, &site, name, password), "{name}");
        let own = person(&server, name).unwrap().password_hash.unwrap();
        assert!(own.starts_with("$argon2id$"), "{name}: {}", own.split('$').next().unwrap());
        assert!(signs_in(&server, &site, name, password), "{name}, a second time");
    }
    assert!(!signs_in(&server, &site, "gleb", "correct horse gleb"), "a disabled account stays one");
    assert!(!signs_in(&server, &site, "dina", ""), "no password is no empty password");
    assert!(!signs_in(&server, &site, "dina", "!"));
}

fn a_second_run_changes_nothing_and_a_third_only_what_was_not_changed_here(backend: Backend) {
    let server = TestServer::start(backend);
    let people = |anna: &str, boris: &str, vera: &str| {
        dump(&[
            user_record(json!(1), "anna", json!({ "first_name": anna, "password": "md5$s$0a7afd19d6e6656f1f56fa2db3df4c74" })),
            user_record(json!(2), "boris", json!({ "first_name": boris })),
            user_record(json!(3), "vera", json!({ "first_name": vera })),
        ])
    };
    let first = people("Anna", "Boris", "Vera");
    assert_eq!(import(&server, first.path(), &[]).json()["users"]["added"], 3);
    let before: Vec<_> = ["anna", "boris", "vera"].map(|name| person(&server, name).unwrap()).into();
    let again = import(&server, first.path(), &[]).json();
    assert_eq!((&again["users"]["unchanged"], &again["users"]["added"], &again["users"]["changed"]), (&json!(3), &json!(0), &json!(0)));
    assert_eq!(["anna", "boris", "vera"].map(|name| person(&server, name).unwrap()).to_vec(), before, "not a byte");

    // Boris is changed here, Anna and Boris at the site.
    let patch = UserPatch { name: Some("Boris of here".to_owned()), ..UserPatch::default() };
    server.admin(move |cx| users::set(cx, "2", &patch));
    let answer = import(&server, people("Anja", "Borja", "Vera").path(), &[]);
    assert_eq!(answer.json()["users"]["changed"], 1);
    assert!(answer.findings().contains(&("changed_here".to_owned(), "2".to_owned(), true)), "{}", answer.stdout);
    let name = |username: &str| person(&server, username).unwrap().claims.name.unwrap();
    assert_eq!((name("anna"), name("boris"), name("vera")), ("Anja".to_owned(), "Boris of here".to_owned(), "Vera".to_owned()));

    // A password that was set here is not taken back by the site.
    server.admin(|cx| users::set_password(cx, "1", "$argon2id$v=19$m=256,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".to_owned()));
    import(&server, people("Anna", "Borja", "Vera").path(), &[]);
    assert!(person(&server, "anna").unwrap().password_hash.unwrap().starts_with("$argon2id$"));
    assert_eq!(name("anna"), "Anna", "the rest still follows");
}

fn a_dry_run_writes_nothing_and_shows_the_usernames_for_the_chat(backend: Backend) {
    let server = TestServer::start(backend);
    let file = dump(&[user_record(json!(1), "Анна", json!({})), user_record(json!(2), "Anna", json!({})), user_record(json!(3), "Аннa", json!({}))]);
    let answer = import(&server, file.path(), &["--dry-run"]);
    assert_eq!(answer.code, 3);
    // The exact name keeps itself, whoever comes first.
    assert_eq!(answer.json()["names"], json!({ "Анна": "Anna-2", "Аннa": "Anna-3" }));
    assert!(server.look(|cx| Ok(cx.store.list_users(None, None, 10)?)).is_empty());

    let names = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(names.path(), r#"{"Анна": "anna.petrova"}"#).unwrap();
    let answer = import(&server, file.path(), &["--names", names.path().to_str().unwrap()]);
    assert_eq!((answer.code, answer.json()["users"]["added"].clone()), (0, json!(3)));
    assert_eq!(person(&server, "Анна").unwrap().username, "anna.petrova");
    assert_eq!(person(&server, "anna").unwrap().sub, "2");

    std::fs::write(names.path(), r#"{"Анна": "не годится"}"#).unwrap();
    assert_eq!(import(&server, file.path(), &["--names", names.path().to_str().unwrap()]).code, 1);
}

/// Counted, not timed: the metrics page tells which hashes were computed.
fn an_unknown_name_costs_what_most_imported_hashes_cost(backend: Backend) {
    let server = TestServer::start(backend);
    let site = site_client(&server);
    let computed = |scheme: &str| {
        let line = format!("propusk_password_hashes_computed{{scheme=\"{scheme}\"}} ");
        let text = server.metrics_text();
        text.lines().find_map(|found| found.strip_prefix(&line)).unwrap().parse::<u64>().unwrap()
    };
    assert!(!signs_in(&server, &site, "nobody", "x"));
    assert_eq!((computed("argon2id"), computed("pbkdf2_sha1")), (1, 0), "nothing was imported yet");

    let hash = "pbkdf2_sha1$20$salt$iGjcDRSPSFLC5QLCKIg6ABAAAAA=";
    let hash = hash.replace("iGjcDRSPSFLC5QLCKIg6ABAAAAA=", "oX2tsWQ7cAzTWkleqReTJc+e/ZY=");
    let scrypt = format!("scrypt$16$salt$8$1${}==", "A".repeat(86));
    let file = dump(&[
        user_record(json!(1), "anna", json!({ "password": hash })),
        user_record(json!(2), "boris", json!({ "password": hash })),
        user_record(json!(3), "vera", json!({ "password": scrypt })),
        user_record(json!(4), "dina", json!({ "password": "!" })),
    ]);
    assert_eq!(import(&server, file.path(), &[]).json()["users"]["added"], 4);
    // The statistic is read at most once a minute.
    server.advance(61);
    let before = computed("argon2id");
    assert!(!signs_in(&server, &site, "nobody", "x"));
    assert!(!signs_in(&server, &site, "dina", "x"), "somebody without a password costs the same");
    assert_eq!((computed("pbkdf2_sha1"), computed("scrypt"), computed("argon2id")), (2, 0, before));

    // As passwords are replaced the statistic follows; at the end our own hash is computed again.
    for sub in ["1", "2"] {
        server.admin(move |cx| users::set_password(cx, sub, "$argon2id$v=19$m=256,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".to_owned()));
    }
    server.advance(61);
    assert!(!signs_in(&server, &site, "nobody", "x"));
    assert_eq!((computed("pbkdf2_sha1"), computed("scrypt")), (2, 1));
    server.admin(|cx| users::remove(cx, "3"));
    server.advance(61);
    assert!(!signs_in(&server, &site, "nobody", "x"));
    assert_eq!((computed("pbkdf2_sha1"), computed("scrypt"), computed("argon2id")), (2, 1, before + 1));
}

fn a_subject_may_be_the_name_another_column_or_a_new_one(backend: Backend) {
    let subject = |choice: &str| {
        let server = TestServer::start(backend);
        let answer = import(&server, &fixture("dot-3.0.json"), &[&ROLES[..], &["--sub", choice]].concat());
        (person(&server, "anna").unwrap().sub, answer)
    };
    assert_eq!(subject("username").0, "anna");
    let (sub, answer) = subject("chat_id");
    assert_eq!(sub, "rc-anna");
    assert!(answer.findings().contains(&("bad_sub".to_owned(), "105".to_owned(), true)), "an empty column is no identifier: {}", answer.stdout);
    let (sub, answer) = subject("new");
    assert_eq!(sub.len(), 22);
    assert!(answer.findings().iter().any(|(slug, ..)| slug == "chat_accounts_collide"), "{}", answer.stdout);
}

fn somebody_removed_here_is_not_brought_back(backend: Backend) {
    let server = TestServer::start(backend);
    import(&server, dump(&[user_record(json!(1), "anna", json!({}))]).path(), &[]);
    server.admin(|cx| users::remove(cx, "1"));
    let answer = import(&server, dump(&[user_record(json!(1), "anna", json!({ "first_name": "Anna" }))]).path(), &[]);
    assert_eq!(answer.findings()[0].0, "no_password");
    assert!(answer.findings().contains(&("removed_here".to_owned(), "1".to_owned(), true)), "{}", answer.stdout);
    assert!(person(&server, "anna").is_none());
}

/// What the site has in a database is what it has in a dump.
#[test]
fn a_sqlite_database_of_the_site_is_read_and_not_written() {
    let server = TestServer::start(Backend::Sqlite);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("site db?.sqlite3");
    let encoded = path.to_str().unwrap().replace('?', "%3f");
    let mut site = SqliteConnection::establish(&format!("file:{encoded}")).unwrap();
    site.batch_execute("PRAGMA foreign_keys = OFF").unwrap();
    site.batch_execute(&std::fs::read_to_string(fixture("site.sql")).unwrap()).unwrap();
    drop(site);
    let before = std::fs::read(&path).unwrap();
    let url = format!("sqlite:{}", path.display());
    let answer = propusk(&server, &[&["import", "django", "--database", &url], &ROLES[..]].concat());
    assert_eq!((answer.code, answer.json()["users"]["added"].clone()), (0, json!(5)), "{}", answer.stdout);
    assert_eq!(person(&server, "Борис").unwrap().sub, "102");
    assert!(signs_in(&server, &site_client(&server), "Борис", "correct horse boris"));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no journal was left beside it");

    let missing = propusk(&server, &["import", "django", "--database", "sqlite:/nowhere/site.sqlite3"]);
    assert_eq!(missing.code, 4, "{}", missing.stdout);
}

#[test]
fn a_postgresql_database_of_the_site_is_read() {
    let server = TestServer::start(Backend::PostgresRedis);
    let database = TemporaryDatabase::create();
    let mut site = PgConnection::establish(&database.url).unwrap();
    site.batch_execute(
        "CREATE TABLE auth_group (id serial PRIMARY KEY, name text);
         CREATE TABLE people_member (id uuid PRIMARY KEY, username text, password text, is_active boolean, email text, first_name text, last_name text,
                                     role text, last_login timestamptz, date_joined timestamptz);
         CREATE TABLE people_member_groups (id serial PRIMARY KEY, member_id uuid, group_id integer);
         INSERT INTO auth_group VALUES (7, 'Editors');
         INSERT INTO people_member VALUES ('0190b3f0-0000-7000-8000-000000000001', 'anna', 'md5$s$0a7afd19d6e6656f1f56fa2db3df4c74', true,
                                           'anna@example.org', 'Anna', '', NULL, now(), '2020-02-29 12:00:00Z');
         INSERT INTO people_member_groups VALUES (1, '0190b3f0-0000-7000-8000-000000000001', 7);",
    )
    .unwrap();
    // A URL with a password does not belong on the command line.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}\n", database.url)).unwrap();
    let arguments =
        ["import", "django", "--database-file", file.path().to_str().unwrap(), "--role-map", "group:Editors=moderator", "--emails-verified"];
    let answer = propusk(&server, &arguments);
    assert_eq!(answer.code, 0, "{}", answer.stdout);
    let anna = person(&server, "anna@example.org").unwrap();
    assert_eq!((anna.sub.as_str(), anna.role.as_str()), ("0190b3f0-0000-7000-8000-000000000001", "moderator"));
    assert_eq!(anna.created_at.to_string(), "2020-02-29T12:00:00Z");
    assert_eq!(propusk(&server, &arguments).json()["users"]["unchanged"], 1);
}
