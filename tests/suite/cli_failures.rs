//! One cause, one exit code, whatever the verb.

use crate::cli::Installation;
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use propusk_tests::postgres::TemporaryDatabase;

#[test]
fn a_newer_schema_is_a_failure_and_not_out_of_reach() {
    let home = Installation::new();
    home.json(&["user", "add", "first", "--role", "user"]);
    let mut database = SqliteConnection::establish(&home.path("propusk.db").display().to_string()).unwrap();
    database.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')").unwrap();
    for verb in [&["migrate"][..], &["user", "list"], &["audit"], &["key", "list"], &["serve"], &["explain", "AAAAAA"]] {
        let error = home.json_of(1, verb, "")["error"].take();
        assert_eq!(error["kind"], "failed", "{verb:?}");
        assert!(error["message"].as_str().unwrap().contains("newer version of Propusk"), "{verb:?}: {error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_out_of_reach_and_one_that_is_no_text_is_wrong() {
    let home = Installation::new();
    home.json(&["user", "add", "anna", "--role", "owner"]);
    for verb in [
        &["apply", "/nonexistent"][..],
        &["user", "set-password", "anna", "--password-file", "/nonexistent"],
        &["--config", "/nonexistent", "user", "list"],
        &["restore", "/nonexistent"],
    ] {
        assert_eq!(home.json_of(4, verb, "")["error"]["kind"], "unreachable", "{verb:?}");
    }
    std::fs::write(home.path("latin1.toml"), b"# caf\xe9\n").unwrap();
    std::fs::write(home.path("broken.toml"), "[[users").unwrap();
    // PostgreSQL would take it for a failure of its own, and only in the middle.
    std::fs::write(home.path("nul.toml"), "[[users]]\nusername = \"a\\u0000\"\nrole = \"user\"\n").unwrap();
    let nul = home.json_of(1, &["apply", "nul.toml"], "")["error"].take();
    assert!(nul["message"].as_str().unwrap().contains("U+0000"), "{nul}");
    for verb in [
        &["apply", "latin1.toml"][..],
        &["apply", "broken.toml"],
        &["--config", "latin1.toml", "user", "list"],
        &["--config", "broken.toml", "user", "list"],
    ] {
        home.json_of(1, verb, "");
    }
}

/// An empty database in the place of the right one would be backed up and searched as if it were it.
#[test]
fn whoever_only_reads_makes_no_database() {
    let home = Installation::new();
    let server = TemporaryDatabase::create();
    let missing = format!("sqlite:{}", home.path("sub/propusk.db").display());
    std::fs::write(home.path("empty.db"), "").unwrap();
    let empty = format!("sqlite:{}", home.path("empty.db").display());
    let made = || {
        let mut names: Vec<_> = std::fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.retain(|name| name != "empty.db-wal" && name != "empty.db-shm");
        names
    };
    for url in [&missing, &empty, &server.url] {
        for verb in [
            &["backup", "x.backup"][..],
            &["export", "x.json"],
            &["user", "list"],
            &["user", "show", "anna"],
            &["client", "list"],
            &["client", "show", "site"],
            &["session", "list"],
            &["token", "list"],
            &["outbox", "list"],
            &["key", "list"],
            &["claims", "--user", "anna", "--client", "site"],
            &["audit"],
            &["explain"],
            &["trace", "--last", "1"],
        ] {
            let arguments: Vec<&str> = verb.iter().copied().chain(["--json"]).collect();
            let answer = home.run_with(&arguments, "", &[("PROPUSK__DATABASE__URL", url)]);
            let error = answer.json()["error"].take();
            assert_eq!((answer.code, error["kind"].as_str()), (4, Some("unreachable")), "{verb:?}: {error}");
            assert!(error["message"].as_str().unwrap().contains("there is no database of Propusk at"), "{verb:?}: {error}");
            assert_eq!(made(), ["empty.db"], "{verb:?}");
        }
    }
    assert_eq!(std::fs::metadata(home.path("empty.db")).unwrap().len(), 0);
    home.json(&["user", "add", "anna", "--role", "owner"]);
    assert_eq!(home.json(&["user", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_place_where_no_database_can_be_made_is_out_of_reach() {
    let home = Installation::new();
    home.json(&["user", "add", "anna", "--role", "owner"]);
    home.json(&["backup", "x.backup"]);
    for url in ["sqlite:/proc/nope/p.db", "sqlite:/proc/p.db"] {
        for verb in [&["restore", "x.backup", "--json"][..], &["migrate", "--json"], &["user", "add", "boris", "--role", "user", "--json"]] {
            let key = home.path("master.key").display().to_string();
            let answer = home.run_with(verb, "", &[("PROPUSK__DATABASE__URL", url), ("PROPUSK__KEYS__MASTER_KEY_FILE", &key)]);
            let error = answer.json()["error"].take();
            assert_eq!((answer.code, error["kind"].as_str()), (4, Some("unreachable")), "{verb:?} {url}: {error}");
        }
    }
}

/// Each source of a secret has switches of its own.
#[test]
fn who_cannot_be_asked_on_a_terminal_is_told_the_right_switches() {
    let home = Installation::new();
    home.json(&["user", "add", "anna", "--role", "owner"]);
    let error = home.json_of(1, &["backup", "x.backup", "--passphrase"], "")["error"].take();
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("--passphrase-stdin") && message.contains("--passphrase-file") && !message.contains("--password"), "{message}");
}

#[test]
fn nothing_is_shown_of_somebody_about_whom_nothing_is_told() {
    let home = Installation::new();
    home.json(&["user", "add", "anna", "--role", "owner"]);
    home.json(&["client", "add", "site", "--preset", "web"]);
    let claims = ["claims", "--user", "anna", "--client", "site"];
    assert_eq!(home.json(&claims)["preferred_username"], "anna");
    home.json(&["user", "disable", "anna"]);
    let error = home.json_of(1, &claims, "")["error"].take();
    assert_eq!((error["cause"].as_str(), error["fix"][0].as_str()), (Some("user_disabled"), Some("propusk user enable anna")));
    let human = home.run(&claims);
    assert!(human.code == 1 && human.stdout.is_empty() && human.stderr.contains("nobody is told anything"), "{}", human.stderr);
    let chat = home.json_of(1, &["claims", "--user", "anna", "--client", "site", "--as", "rocketchat"], "");
    assert_eq!(chat["error"]["cause"], "user_disabled");
    home.json(&["user", "enable", "anna"]);
    home.json(&["client", "set", "site", "--disable"]);
    assert_eq!(home.json_of(1, &claims, "")["error"]["cause"], "disabled_client");
    home.json(&["client", "set", "site", "--enable"]);
    assert_eq!(home.json(&claims)["preferred_username"], "anna");
}

#[test]
fn every_verb_wants_the_master_key_that_sealed_the_keys() {
    let home = Installation::new();
    home.json(&["user", "add", "first", "--role", "user"]);
    let (key, aside) = (home.path("master.key"), home.path("aside"));
    std::fs::rename(&key, &aside).unwrap();
    let verbs = [&["migrate"][..], &["user", "list"], &["audit"], &["serve"], &["claims", "--user", "a", "--client", "b"], &["backup", "x"]];
    for verb in verbs {
        let message = home.json_of(1, verb, "")["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("master.key is missing: restore it"), "{verb:?}: {message}");
    }
    assert!(!key.exists(), "no other key was made");
    std::fs::write(&key, [7; 32]).unwrap();
    for verb in verbs {
        let message = home.json_of(1, verb, "")["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("does not open the sealed keys"), "{verb:?}: {message}");
    }
    std::fs::rename(&aside, &key).unwrap();
    assert_eq!(home.json(&["migrate"])["applied"], serde_json::json!([]));
}
