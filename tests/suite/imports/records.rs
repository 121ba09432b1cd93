//! Records that cannot be taken cost nobody else anything; a large dump costs little memory.

use super::{dump, fixture, import, person, propusk, user_record};
use propusk_domain::client::Preset;
use propusk_tests::server::{Backend, TestServer};
use serde_json::{Value, json};
use std::io::Write;

propusk_tests::on_each_backend![
    every_record_that_cannot_be_taken_is_reported_and_the_others_are_taken,
    names_that_are_taken_here_are_reported,
    addresses_that_allauth_has_verified_open_the_form_and_others_do_not,
    a_subject_that_is_a_clients_identifier_is_refused_and_the_other_way_about,
    one_element_that_is_no_record_costs_only_itself,
    a_name_of_the_mapping_file_that_nobody_has_is_reported,
];

fn every_record_that_cannot_be_taken_is_reported_and_the_others_are_taken(backend: Backend) {
    let server = TestServer::start(backend);
    let huge = "x".repeat(10 * 1024 * 1024);
    let long = "y".repeat(100_000);
    let records = [
        user_record(json!(1), "anna", json!({})),
        user_record(json!(2), "ANNA", json!({})),
        user_record(json!(3), "", json!({})),
        user_record(json!(4), "boris", json!({ "is_active": "perhaps" })),
        user_record(json!(5), "vera", json!({ "password": 17 })),
        user_record(json!(6), "gleb", json!({ "password": "crypt$$abcdefgh" })),
        user_record(json!(7), "dina", json!({ "password": "" })),
        user_record(json!(8), "elena", json!({ "password": "pbkdf2_sha256$5000001$salt$X/W0wLbCeDpafVQgA3HU3I3npTFjb3gPWq7BdQORp54=" })),
        user_record(json!(9), "foma", json!({ "first_name": huge })),
        user_record(json!(10), "gala", json!({ "first_name": long, "email": "not an address" })),
        user_record(Value::Null, "nokey", json!({})),
        user_record(json!("ключ"), "kira", json!({})),
        user_record(json!(11), "line\nbreak", json!({})),
        user_record(json!(12), "lida", json!({ "role": "vip" })),
        json!({ "model": "auth.user", "pk": 13 }),
        user_record(json!(14), "zoja", json!({})),
    ];
    let answer = import(&server, dump(&records).path(), &["--dry-run"]);
    assert_eq!(answer.code, 3);
    let findings = answer.findings();
    let wet = import(&server, dump(&records).path(), &[]);
    assert_eq!(wet.code, 0);
    assert_eq!(wet.findings(), findings, "a dry run tells what happens");
    assert!(answer.stdout.len() < 20_000, "no field is repeated at length");

    let has = |slug: &str, key: &str, left_out: bool| {
        assert!(findings.contains(&(slug.to_owned(), key.to_owned(), left_out)), "{slug} {key}: {findings:?}");
    };
    has("duplicate_name", "2", true);
    has("no_name", "3", true);
    has("broken", "4", true);
    has("broken", "5", true);
    has("password_not_taken", "6", false);
    has("no_password", "7", false);
    has("password_not_taken", "8", false);
    has("broken", "record 9", true);
    has("field_dropped", "10", false);
    has("no_key", "", true);
    has("bad_sub", "ключ", true);
    has("bad_name", "11", true);
    has("unknown_role", "12", false);
    assert!(findings.iter().any(|(slug, key, _)| slug == "broken" && key.contains("\"pk\":13")), "{findings:?}");
    for taken in ["anna", "gleb", "dina", "elena", "gala", "lida", "zoja"] {
        let person = person(&server, taken).unwrap_or_else(|| panic!("{taken}"));
        assert_eq!(person.password_hash, None, "{taken}");
        assert_eq!(person.role, "user");
    }
    assert_eq!(wet.json()["users"]["added"], 7);
    assert_eq!(wet.json()["users"]["left_out"], 9);
}

fn names_that_are_taken_here_are_reported(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "owner");
    let records = [
        user_record(json!(1), "Anna", json!({})),
        user_record(json!(anna.user.sub), "other", json!({})),
        user_record(json!(3), "vera", json!({ "email": "anna@example.org" })),
    ];
    let answer = import(&server, dump(&records).path(), &["--emails-verified"]);
    let findings = answer.findings();
    assert!(findings.contains(&("name_taken".to_owned(), "1".to_owned(), true)), "{findings:?}");
    assert!(findings.iter().any(|(slug, _, left)| slug == "sub_taken" && *left), "{findings:?}");
    // An address that opens the form for somebody else does not open it for two.
    let vera = person(&server, "vera").unwrap();
    assert_eq!(vera.claims.email_verified, Some(false));
    assert_eq!(person(&server, "anna@example.org").unwrap().sub, anna.user.sub);
    assert_eq!(server.look(|cx| Ok(cx.store.find_user(&anna.user.sub)?)).unwrap(), anna.user, "nobody was overwritten");
}

fn addresses_that_allauth_has_verified_open_the_form_and_others_do_not(backend: Backend) {
    let server = TestServer::start(backend);
    let address = |pk: i64, user: i64, email: &str, verified: bool| json!({ "model": "account.emailaddress", "pk": pk, "fields": { "user": user, "email": email, "verified": verified, "primary": true } });
    let records = [
        user_record(json!(1), "anna", json!({ "email": "Anna@example.org" })),
        user_record(json!(2), "boris", json!({ "email": "boris@example.org" })),
        user_record(json!(3), "vera", json!({ "email": "vera@example.org" })),
        address(1, 1, "anna@example.org", true),
        address(2, 2, "boris@example.org", false),
        // Somebody else's verification is not hers.
        address(3, 1, "vera@example.org", true),
    ];
    assert_eq!(import(&server, dump(&records).path(), &[]).json()["users"]["added"], 3);
    assert_eq!(person(&server, "anna@example.org").unwrap().claims.email_verified, Some(true));
    assert!(person(&server, "boris@example.org").is_none() && person(&server, "vera@example.org").is_none());
    assert_eq!(person(&server, "vera").unwrap().claims.email_verified, Some(false));
}

/// A token whose subject is its client's identifier passes for the client's own.
fn a_subject_that_is_a_clients_identifier_is_refused_and_the_other_way_about(backend: Backend) {
    let server = TestServer::start(backend);
    server.add_client("robot", Preset::Service);
    let records = [user_record(json!("robot"), "anna", json!({})), user_record(json!("chat"), "boris", json!({}))];
    let answer = import(&server, dump(&records).path(), &[]);
    assert!(answer.findings().contains(&("sub_taken".to_owned(), "robot".to_owned(), true)), "{}", answer.stdout);
    assert_eq!(person(&server, "boris").unwrap().sub, "chat");
    let refused = propusk(&server, &["client", "add", "chat", "--preset", "service"]);
    assert_eq!((refused.code, refused.json()["error"]["cause"].clone()), (1, json!("name_taken")), "{}", refused.stdout);
}

#[test]
fn a_file_that_is_no_dump_or_was_cut_off_changes_nothing() {
    let server = TestServer::start(Backend::Sqlite);
    let whole = std::fs::read_to_string(fixture("dot-3.4.json")).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    for text in ["", "[]", "hello", "<html></html>", "[1, 2]", &whole[..whole.len() / 2], &whole[..whole.len() - 3]] {
        std::fs::write(file.path(), text).unwrap();
        let answer = import(&server, file.path(), &[]);
        assert_eq!(answer.code, 1, "{}", answer.stdout);
        assert_eq!(answer.json()["error"]["kind"], "failed");
    }
    assert!(server.look(|cx| Ok(cx.store.list_users(None, None, 10)?)).is_empty());
    assert_eq!(propusk(&server, &["import", "django", "/nowhere/site.json"]).code, 4);
    assert_eq!(propusk(&server, &["import", "django"]).code, 2);
    assert_eq!(import(&server, &fixture("dot-3.4.json"), &["--role-map", "admin=tsar"]).code, 1);
    assert_eq!(import(&server, &fixture("dot-3.4.json"), &["--user-model", "auth.group"]).code, 1);
}

fn one_element_that_is_no_record_costs_only_itself(backend: Backend) {
    let (one, other) = (user_record(json!(1), "anna", json!({})), user_record(json!(2), "boris", json!({})));
    let file = tempfile::NamedTempFile::new().unwrap();
    for bad in ["null", "5", "\"x\"", "[]", "[{}]"] {
        for text in [format!("[{one}, {bad}, {other}]"), format!("{one}\n{bad}\n{other}\n")] {
            let server = TestServer::start(backend);
            std::fs::write(file.path(), text).unwrap();
            let (dry, wet) = (import(&server, file.path(), &["--dry-run"]), import(&server, file.path(), &[]));
            assert_eq!((dry.code, wet.code), (3, 0), "{bad}: {}", wet.stdout);
            assert!(wet.findings().contains(&("broken".to_owned(), "record 2".to_owned(), true)), "{bad}: {}", wet.stdout);
            assert_eq!((&wet.json()["users"]["added"], &wet.json()["users"]["left_out"]), (&json!(2), &json!(1)), "{bad}");
        }
    }
    let server = TestServer::start(backend);
    for (text, sentence) in [
        (format!("[{one}] {other}"), "the array of records ends after record 1, and something else follows"),
        (format!("[{one}, {{\"model\": \"auth"), "the file ends inside record 2"),
        (format!("[{one}"), "the file ends after record 1 without the ]"),
        ("hello".to_owned(), "this is no dump"),
    ] {
        std::fs::write(file.path(), text).unwrap();
        let answer = import(&server, file.path(), &[]);
        assert!(answer.code == 1 && answer.stdout.contains(sentence), "{sentence}: {}", answer.stdout);
    }
    assert!(server.look(|cx| Ok(cx.store.list_users(None, None, 10)?)).is_empty());
}

fn a_name_of_the_mapping_file_that_nobody_has_is_reported(backend: Backend) {
    let server = TestServer::start(backend);
    let file = dump(&[user_record(json!(1), "Иван", json!({})), user_record(json!(2), "anna@example.org", json!({}))]);
    let names = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(names.path(), r#"{"Иван": "vanya", "иван": "vanja", "nobody\u0000": "somebody"}"#).unwrap();
    for more in [&["--dry-run"][..], &[], &[]] {
        let answer = import(&server, file.path(), &[&["--names", names.path().to_str().unwrap()], more].concat());
        let findings = answer.json()["findings"].clone();
        let told: Vec<_> = findings.as_array().unwrap().iter().filter(|finding| finding["slug"] == "unknown_name").collect();
        assert_eq!(told.len(), 2, "{}", answer.stdout);
        assert!(told.iter().any(|finding| finding["name"] == "иван"), "{}", answer.stdout);
    }
    assert_eq!(person(&server, "Иван").unwrap().username, "vanya");
}

/// 100,000 people; the kernel tells the largest resident size that the process ever had.
#[test]
fn a_hundred_thousand_people_take_little_memory_and_let_sign_ins_through() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let file = tempfile::NamedTempFile::new().unwrap();
    {
        let mut out = std::io::BufWriter::new(file.as_file());
        let filler = "z".repeat(400);
        for pk in 0..100_000 {
            let more = json!({ "email": format!("person{pk}@example.org"), "first_name": "Имя", "bio": filler, "password": "pbkdf2_sha256$600000$nVJVbMwJCHdwPJtDcb8Xdr$X/W0wLbCeDpafVQgA3HU3I3npTFjb3gPWq7BdQORp54=" });
            // An object a line, as `dumpdata --format jsonl` writes it.
            writeln!(out, "{}", user_record(json!(pk), &format!("person{pk}"), more)).unwrap();
        }
    }
    let peak = |arguments: &[&str]| {
        let (answer, peak) = super::measured(&server, arguments);
        assert_eq!(answer.code, 0, "{}", &answer.stdout[..answer.stdout.len().min(2000)]);
        assert_eq!(answer.json()["users"]["read"], 100_000);
        peak
    };
    let path = file.path().to_str().unwrap();
    // While batches are written, people sign in.
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let signing_in = scope.spawn(|| {
            let mut count = 0;
            while count == 0 || !stop.load(std::sync::atomic::Ordering::Acquire) {
                server.code(&site, &anna, &[]);
                count += 1;
            }
            count
        });
        let wet = peak(&["import", "django", path]);
        stop.store(true, std::sync::atomic::Ordering::Release);
        assert!(wet < 150 * 1024, "{wet} KiB for a file of {} KiB", file.as_file().metadata().unwrap().len() / 1024);
        assert!(signing_in.join().unwrap() > 1, "people signed in meanwhile");
    });
    assert_eq!(person(&server, "person99999").unwrap().sub, "99999");
}
