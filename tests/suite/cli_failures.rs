//! One cause, one exit code, whatever the verb.

use crate::cli::Installation;
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

#[test]
fn a_newer_schema_is_a_failure_and_not_out_of_reach() {
    let home = Installation::new();
    home.json(&["user", "list"]);
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
    home.json(&["user", "list"]);
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
