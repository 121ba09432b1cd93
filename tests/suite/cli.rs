//! The command line as scripts see it: the built binary, its exit codes, its JSON.

use propusk_crypto::{PasswordHasher, PasswordParams, Verdict};
use propusk_domain::records::RefusalRecord;
use propusk_domain::session::Session;
use propusk_domain::user::name_key;
use propusk_domain::{Cause, Refusal, UnixTime};
use propusk_storage::{Database, Settings};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// An installation of its own, with nothing but environment variables.
pub(crate) struct Installation {
    directory: TempDir,
}

pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stderr, "", "with --json nothing else is said");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

impl Installation {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    #[expect(clippy::disallowed_methods, reason = "the settings of whoever runs the tests must not reach the binary")]
    pub(crate) fn run_with(&self, arguments: &[&str], stdin: &str, environment: &[(&str, &str)]) -> Answer {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PROPUSK__") {
                command.env_remove(name);
            }
        }
        command
            .env("PROPUSK__DATABASE__URL", format!("sqlite:{}", self.path("propusk.db").display()))
            .env("LC_ALL", "C")
            .envs(arguments.contains(&"serve").then(|| ("PROPUSK__HTTP__LISTEN", format!("127.0.0.1:{}", propusk_tests::server::free_port()))))
            .envs(environment.iter().copied());
        let mut child = command
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A verb that reads nothing may have ended before anything was written to it.
        let _ended = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answer { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        self.run_with(arguments, "", &[])
    }

    /// The document of a verb that succeeds.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.json_of(0, arguments, "")
    }

    pub(crate) fn json_of(&self, code: i32, arguments: &[&str], stdin: &str) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let answer = self.run_with(&arguments, stdin, &[]);
        assert_eq!(answer.code, code, "{arguments:?}\n{}{}", answer.stdout, answer.stderr);
        answer.json()
    }

    fn database(&self) -> Database {
        let url = format!("sqlite:{}", self.path("propusk.db").display());
        Database::open(&Settings { url, pool_size: 1, migrate: false, busy_timeout_ms: 5000 }).unwrap()
    }

    fn password_is(&self, username: &str, password: &str) -> bool {
        let key = name_key(username);
        let user = self.database().read(|store| Ok(store.find_user_by_name(&key)?)).unwrap().unwrap();
        let hasher = PasswordHasher::new(PasswordParams::default(), 1).unwrap();
        matches!(hasher.verify(password, user.password_hash.as_deref()), Verdict::Right { .. })
    }
}

/// Beside the test's own binary: target/{debug,release}/propusk.
fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let binary = own.parent().and_then(Path::parent).unwrap().join("propusk");
    assert!(binary.exists(), "{} is missing: build it first (cargo build -p propusk)", binary.display());
    binary
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[expect(clippy::disallowed_methods, reason = "the binary under test reads the same clock")]
fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixTime(i64::try_from(since.as_secs()).unwrap())
}

#[test]
fn a_person_is_added_and_the_generated_password_shown_once() {
    let home = Installation::new();
    let added = home.json(&["user", "add", "anna", "--role", "owner", "--email", "anna@example.org", "--name", "Анна", "--generate-password"]);
    assert_eq!(keys(&added), ["password", "sub", "username"]);
    assert!(home.password_is("anna", added["password"].as_str().unwrap()));
    let shown = home.json(&["user", "show", "anna@example.org"]);
    assert_eq!((&shown["sub"], &shown["claims"]["email_verified"]), (&added["sub"], &json!(true)));
    assert!(shown.get("password").is_none() && !shown.to_string().contains("argon2"));
    let bare = home.json(&["user", "add", "boris", "--role", "user", "--email", "b@example.org", "--email-unverified"]);
    assert_eq!(keys(&bare), ["sub", "username"]);
    assert_eq!(home.json(&["user", "show", "boris"])["claims"]["email_verified"], json!(false));
    assert_eq!(home.json(&["user", "list"]).as_array().unwrap().len(), 2);
}

#[test]
fn exactly_one_newline_of_a_password_is_cut() {
    let home = Installation::new();
    let add = |name: &str, stdin: &str| home.json_of(0, &["user", "add", name, "--role", "user", "--password-stdin"], stdin);
    assert_eq!(keys(&add("one", "correct horse\n")), ["sub", "username"]);
    add("two", "correct horse\n\n");
    assert!(home.password_is("one", "correct horse"));
    assert!(home.password_is("two", "correct horse\n") && !home.password_is("two", "correct horse"));
    std::fs::write(home.path("secret"), "from a file\n").unwrap();
    home.json(&["user", "set-password", "one", "--password-file", "secret"]);
    assert!(home.password_is("one", "from a file"));
    assert_eq!(home.json_of(1, &["user", "set-password", "one", "--password-stdin"], "")["error"]["kind"], "failed");
    assert_eq!(home.json_of(2, &["user", "set-password", "one"], "x\n")["error"]["kind"], "usage");
    assert!(home.password_is("one", "from a file"));
}

#[test]
fn no_secret_is_taken_from_an_argument() {
    let home = Installation::new();
    home.json(&["client", "add", "site", "--preset", "web"]);
    for arguments in [
        &["user", "add", "anna", "--role", "user", "--password", "x"][..],
        &["user", "add", "anna", "--role", "user", "--password-stdin", "--generate-password"],
        &["client", "add", "other", "--preset", "web", "--secret", "x"],
        &["client", "check-secret", "site", "x"],
    ] {
        assert_eq!(home.json_of(2, arguments, "")["error"]["kind"], "usage", "{arguments:?}");
    }
}

#[test]
fn a_client_is_added_with_or_without_a_secret() {
    let home = Installation::new();
    for (preset, has_secret) in [("rocket-chat", true), ("web", true), ("spa", false), ("native", false), ("service", true), ("api", true)] {
        let added = home.json(&["client", "add", preset, "--preset", preset]);
        assert_eq!(keys(&added), if has_secret { vec!["client_id", "client_secret"] } else { vec!["client_id"] });
    }
    let arguments =
        ["client", "add", "site", "--preset", "web", "--name", "The site", "--first-party", "--scope", "openid profile", "--scope", "posts:read"];
    let uris =
        ["--redirect-uri", "https://example.org/a", "--redirect-uri", "https://example.org/b", "--post-logout-redirect-uri", "https://example.org/"];
    home.json(&[&arguments[..], &uris].concat());
    let shown = home.json(&["client", "show", "site"]);
    assert_eq!(shown["redirect_uris"], json!(["https://example.org/a", "https://example.org/b"]));
    assert_eq!((&shown["scopes"], &shown["first_party"], &shown["name"]), (&json!("openid profile posts:read"), &json!(true), &json!("The site")));
    assert!(!shown.to_string().contains("sha256:"));
    assert_eq!((&shown["secrets"][0]["last_used_at"], &shown["secrets"][0]["live"]), (&json!(null), &json!(true)));
    let third = home.json(&["client", "add", "chat2", "--preset", "rocket-chat", "--third-party"]);
    assert_eq!(home.json(&["client", "show", third["client_id"].as_str().unwrap()])["first_party"], json!(false));
}

#[test]
fn the_commands_that_refusals_name_exist() {
    let home = Installation::new();
    home.json(&["client", "add", "site", "--preset", "rocket-chat", "--redirect-uri", "https://example.org/a"]);
    home.json(&["user", "add", "anna", "--role", "user"]);
    home.json(&["user", "disable", "anna"]);
    assert_eq!(home.json(&["user", "enable", "anna"])["changed"], json!(true));
    let set = |arguments: &[&str]| home.json(&[&["client", "set", "site"], arguments].concat())["changed"].as_array().unwrap().len();
    for arguments in [
        &["--add-redirect-uri", "https://example.org/b"][..],
        &["--remove-redirect-uri", "https://example.org/a"],
        &["--disable"],
        &["--enable"],
        &["--grant-type", "refresh_token"],
        &["--add-scope", "offline_access"],
        &["--query-token", "off"],
        &["--introspect", "own"],
        &["--require-pkce", "on"],
        &["--alg", "ES256", "--id-token-alg", "EdDSA", "--access-token-lifetime", "300"],
        &["--audience", "https://api.example.org"],
        &["--role-map", "identity"],
        &["--redirect-uri", "https://example.org/c"],
        &["--scope", "openid"],
        &["--third-party"],
    ] {
        assert!(set(arguments) > 0, "{arguments:?}");
        assert_eq!(set(arguments), 0, "the second time nothing changes: {arguments:?}");
    }
    assert_eq!(home.json(&["client", "show", "site"])["grant_types"], json!(["authorization_code", "refresh_token"]));
}

#[test]
fn a_secret_is_rotated_and_checked() {
    let home = Installation::new();
    let first = home.json(&["client", "add", "site", "--preset", "web"])["client_secret"].as_str().unwrap().to_owned();
    let check = |code, secret: &str| home.json_of(code, &["client", "check-secret", "site"], secret)["cause"].clone();
    assert_eq!(check(0, &first), Value::Null);
    assert_eq!(check(0, &format!("{first}\n")), Value::Null);
    assert_eq!(check(1, &format!("{first}\n\n")), "secret_has_whitespace");
    let second = home.json(&["client", "rotate-secret", "site"]);
    assert_eq!(keys(&second), ["client_id", "client_secret", "old_secrets_end_at"]);
    assert_eq!(check(0, &first), Value::Null, "the overlap of the settings");
    home.json(&["client", "rotate-secret", "site", "--now"]);
    assert_eq!(check(1, &first), "secret_expired");
    assert_eq!(check(1, second["client_secret"].as_str().unwrap()), "secret_expired");
}

#[test]
fn exit_codes_tell_what_happened() {
    let home = Installation::new();
    assert_eq!(home.json_of(1, &["user", "add", "anna", "--role", "boss"], "")["error"]["cause"], "unknown_role");
    assert_eq!(home.json_of(2, &["user", "frobnicate"], "")["error"]["kind"], "usage");
    assert_eq!(home.json_of(2, &["user", "add", "anna"], "")["error"]["kind"], "usage");
    assert_eq!(home.json_of(4, &["apply", "absent.toml"], "")["error"]["kind"], "unreachable");
    let gone = home.run_with(&["user", "list", "--json"], "", &[("PROPUSK__DATABASE__URL", "postgres://127.0.0.1:1/nowhere")]);
    assert_eq!((gone.code, gone.json()["error"]["kind"].as_str()), (4, Some("unreachable")));
    let human = home.run(&["user", "show", "nobody"]);
    assert_eq!((human.code, human.stdout.as_str()), (1, ""));
    assert!(human.stderr.contains("unknown_user") && human.stderr.contains("propusk user list"), "{}", human.stderr);
}

#[test]
fn a_refusal_says_what_was_expected_and_what_came() {
    let home = Installation::new();
    let error = home.json_of(1, &["client", "add", "site", "--preset", "web", "--redirect-uri", "http://example.org/"], "")["error"].take();
    assert_eq!(
        (error["kind"].as_str(), error["cause"].as_str(), error["received"].as_str()),
        (Some("refused"), Some("invalid_redirect_uri"), Some("http://example.org/"))
    );
    assert_eq!(keys(&error), ["cause", "client_id", "expected", "explanation", "fix", "kind", "message", "nearest", "received"]);
    let escaped = home.run(&["client", "show", "a\u{1b}[2Jb"]);
    assert!(escaped.stderr.contains("\\u{1b}") && !escaped.stderr.contains('\u{1b}'), "{}", escaped.stderr);
}

#[test]
fn the_chat_is_told_what_the_role_map_says() {
    let home = Installation::new();
    home.json(&["client", "add", "rocketchat", "--preset", "rocket-chat"]);
    home.json(&["client", "add", "site", "--preset", "web"]);
    let added = home.json(&["user", "add", "anna", "--role", "owner", "--email", "anna@example.org", "--name", "Анна"]);
    let chat = home.json(&["claims", "--user", "anna", "--client", "rocketchat"]);
    assert_eq!((&chat["sub"], &chat["roles"], &chat["groups"]), (&added["sub"], &json!(["admin", "vip"]), &json!(["general", "vip", "moderators"])));
    assert_eq!(home.json(&["claims", "--user", "anna", "--client", "site"])["roles"], json!(["owner"]));
    home.json(&["user", "set", "anna", "--role", "user", "--claim", "address.locality=Казань"]);
    assert_eq!(home.json(&["claims", "--user", "anna", "--client", "rocketchat"])["roles"], json!(["user"]));
    assert_eq!(home.json(&["claims", "--user", "anna", "--client", "site"])["address"]["locality"], "Казань");
    assert_eq!(home.json_of(1, &["claims", "--user", "anna", "--client", "rocket"], "")["error"]["nearest"], "rocketchat");
}

#[test]
fn a_refusal_is_explained_in_the_language_of_the_terminal() {
    let home = Installation::new();
    home.json(&["user", "add", "first", "--role", "user"]);
    let refusal = Refusal::invalid_request("x", Cause::RedirectUriMismatch)
        .client("site")
        .expected("https://example.org/a")
        .received("https://example.org/b")
        .nearest(Some("https://example.org/a".into()))
        .fix("propusk client set site --add-redirect-uri https://example.org/b");
    let record = RefusalRecord {
        reference: "7F3K2Q".into(),
        at: UnixTime(1_795_219_200),
        endpoint: "authorize".into(),
        error: "invalid_request".into(),
        detail: refusal.detail,
    };
    home.database().write(move |store| Ok(store.insert_refusals(std::slice::from_ref(&record))?)).unwrap();
    let told = home.json(&["explain", "7f3k2q"]);
    assert_eq!(
        keys(&told),
        ["advice", "at", "cause", "client_id", "endpoint", "error", "expected", "explanation", "fix", "nearest", "received", "reference"]
    );
    assert_eq!((told["cause"].as_str(), told["at"].as_str()), (Some("redirect_uri_mismatch"), Some("2026-11-21T00:00:00Z")));
    assert_eq!(told["explanation"], Cause::RedirectUriMismatch.explanation());
    let russian = home.run_with(&["explain", "7F3K2Q"], "", &[("LC_ALL", ""), ("LANG", "ru_RU.UTF-8")]).stdout;
    assert!(russian.contains(Cause::RedirectUriMismatch.explanation_ru()) && russian.contains("ожидалось"), "{russian}");
    assert_eq!(home.json(&["explain"]).as_array().unwrap().len(), 1);
    assert_eq!(home.json_of(1, &["explain", "AAAAAA"], "")["error"]["cause"], "unknown_reference");
}

#[test]
fn sessions_are_listed_and_revoked_even_when_a_name_begins_with_a_hyphen() {
    let home = Installation::new();
    let sub = home.json(&["user", "add", "anna", "--role", "user"])["sub"].as_str().unwrap().to_owned();
    let begun = now();
    for sid in ["-first", "second", "third"] {
        let session = Session {
            cookie_digest: format!("digest of {sid}"),
            sid: sid.into(),
            sub: sub.clone(),
            auth_time: begun,
            amr: vec!["pwd".into()],
            created_at: begun,
            last_seen_at: begun,
            expires_at: begun.plus(1000),
            revoked_at: None,
            user_agent: Some("a \u{1b}[31mbrowser".into()),
            address: None,
        };
        home.database().write(move |store| Ok(store.insert_session(&session)?)).unwrap();
    }
    assert_eq!(home.json(&["session", "list", "--user", "anna"]).as_array().unwrap().len(), 3);
    assert!(!home.run(&["session", "list"]).stdout.contains('\u{1b}'));
    assert_eq!(home.json(&["session", "revoke", "-first"])["revoked"], 1);
    assert_eq!(home.json_of(1, &["session", "revoke", "-first"], "")["error"]["cause"], "unknown_session");
    assert_eq!(home.json(&["session", "revoke", "--user", "anna"])["revoked"], 2);
    assert_eq!(home.json(&["session", "list"]), json!([]));
    assert_eq!(home.json_of(2, &["session", "revoke"], "")["error"]["kind"], "usage");
    assert_eq!(home.json_of(2, &["session", "revoke", "x", "--user", "anna"], "")["error"]["kind"], "usage");
}

#[test]
fn a_new_signing_key_is_announced_before_it_signs() {
    let home = Installation::new();
    home.json(&["user", "add", "first", "--role", "user"]);
    let states = |purpose: &str| -> Vec<String> {
        let keys = home.json(&["key", "list"]);
        keys.as_array().unwrap().iter().filter(|key| key["purpose"] == purpose).map(|key| key["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states("RS256"), ["active"]);
    let rotated = home.json(&["key", "rotate", "--alg", "RS256"])["rotated"].take();
    assert_eq!((rotated[0]["purpose"].as_str(), rotated.as_array().unwrap().len()), (Some("RS256"), 1));
    assert_eq!(states("RS256"), ["active", "announced"]);
    let human = home.run(&["key", "rotate", "--alg", "ES256", "--now"]);
    assert!(human.stderr.contains("cache the JWKS"), "the risk is said: {}", human.stderr);
    assert_eq!(states("ES256").iter().filter(|state| *state == "active").count(), 1);
    assert_eq!(home.json(&["key", "rotate", "--refresh"])["rotated"][0]["purpose"], "refresh");
    assert_eq!(home.json(&["key", "rotate", "--flow"])["rotated"][0]["purpose"], "flow");
    assert_eq!(home.json(&["key", "rotate"])["rotated"].as_array().unwrap().len(), 3);
}

#[test]
fn a_key_in_an_emergency_is_not_replaced_by_one_announced_before() {
    let home = Installation::new();
    let announced = home.json(&["key", "rotate", "--alg", "RS256"])["rotated"][0]["kid"].take();
    let emergency = home.json(&["key", "rotate", "--alg", "RS256", "--now"])["rotated"][0]["kid"].take();
    let keys = home.json(&["key", "list"]);
    let of = |kid: &Value| keys.as_array().unwrap().iter().find(|key| key["kid"] == *kid);
    assert_eq!(of(&emergency).unwrap()["state"], "active");
    assert_eq!(of(&announced), None, "it made nothing, and would have taken over from the newer one");
    let audit = home.json(&["audit", "--limit", "3"]).to_string();
    assert!(audit.contains("key_removed") && audit.contains(announced.as_str().unwrap()), "{audit}");
}

#[test]
fn a_missing_or_wrong_master_key_stops_every_verb_and_is_named() {
    let home = Installation::new();
    home.json(&["user", "add", "first", "--role", "user"]);
    let file = home.path("master.key");
    let original = std::fs::read(&file).unwrap();
    for damage in [None, Some(vec![7_u8; 32]), Some(vec![1, 2, 3])] {
        match damage {
            None => std::fs::remove_file(&file).unwrap(),
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
        }
        for verb in [&["user", "list"][..], &["key", "list"], &["explain"], &["claims", "--user", "a", "--client", "b"]] {
            let message = home.json_of(1, verb, "")["error"]["message"].as_str().unwrap().to_owned();
            assert!(message.contains("master.key"), "{message}");
        }
    }
    std::fs::write(&file, original).unwrap();
    home.json(&["user", "list"]);
}

#[test]
fn a_file_is_planned_applied_and_then_changes_nothing() {
    let home = Installation::new();
    let file = "[[users]]\nusername = \"anna\"\nrole = \"owner\"\ngenerate_password = true\n[[users]]\nusername = \"boris\"\nrole = \"user\"\npassword_file = \"boris.password\"\n\
                [[clients]]\nclient_id = \"site\"\npreset = \"web\"\nredirect_uris = [\"https://example.org/a\"]\n[[clients]]\nclient_id = \"app\"\npreset = \"native\"\n";
    std::fs::create_dir(home.path("declared")).unwrap();
    std::fs::write(home.path("declared/community.toml"), file).unwrap();
    std::fs::write(home.path("declared/boris.password"), "first\n").unwrap();
    let apply = |code, more: &[&str]| home.json_of(code, &[&["apply", "declared/community.toml"], more].concat(), "");
    let planned = apply(3, &["--plan"]);
    assert_eq!((&planned["changed"], keys(&planned)), (&json!(true), vec!["changed", "differences"]));
    assert_eq!(home.json(&["user", "list"]), json!([]), "a plan writes nothing");
    let applied = apply(0, &[]);
    let credentials = &applied["credentials"];
    assert_eq!((credentials["users"][0]["username"].as_str(), credentials["clients"][0]["client_id"].as_str()), (Some("anna"), Some("site")));
    assert_eq!((credentials["users"].as_array().unwrap().len(), credentials["clients"].as_array().unwrap().len()), (1, 1));
    assert!(home.password_is("anna", credentials["users"][0]["password"].as_str().unwrap()) && home.password_is("boris", "first"));
    let again = apply(0, &[]);
    assert_eq!((&again["changed"], &again["credentials"]), (&json!(false), &json!({ "users": [], "clients": [] })));
    assert_eq!(apply(0, &["--plan"])["changed"], json!(false));
    std::fs::write(home.path("declared/boris.password"), "second\n").unwrap();
    assert_eq!(apply(0, &[])["changed"], json!(true));
    assert!(home.password_is("boris", "second"));
    home.json(&["user", "add", "outsider", "--role", "user"]);
    assert_eq!(apply(0, &["--plan"])["changed"], json!(false));
    assert_eq!(apply(3, &["--plan", "--prune"])["differences"][0], json!({ "kind": "user", "id": "outsider", "action": "remove", "fields": [] }));
    std::fs::write(home.path("bad.toml"), "[[user]]\n").unwrap();
    assert!(home.json_of(1, &["apply", "bad.toml"], "")["error"]["message"].as_str().unwrap().contains("unknown field `user`"));
}

#[test]
fn the_audit_trail_can_be_searched() {
    let home = Installation::new();
    home.json(&["user", "add", "anna", "--role", "user"]);
    home.json(&["user", "set", "anna", "--role", "owner"]);
    home.json(&["user", "add", "boris", "--role", "user"]);
    home.json(&["client", "add", "site", "--preset", "web"]);
    let count = |arguments: &[&str]| home.json(&[&["audit"], arguments].concat()).as_array().unwrap().len();
    assert_eq!((count(&[]), count(&["--user", "anna"]), count(&["--client", "site"]), count(&["--kind", "user_added"])), (4, 2, 1, 2));
    assert_eq!((count(&["--limit", "1"]), count(&["--since", "1h"]), count(&["--since", "2100-01-01"])), (1, 4, 0));
    let changed = home.json(&["audit", "--kind", "role_changed"]);
    assert_eq!(changed[0]["detail"], "user → owner");
    home.json(&["user", "remove", "boris"]);
    assert_eq!(home.json_of(2, &["audit", "--since", "yesterday"], "")["error"]["kind"], "usage");
}

#[test]
fn settings_are_checked_all_at_once_and_printed_without_secrets() {
    let home = Installation::new();
    let environment = [("PROPUSK__ISSUER", "ftp://x"), ("PROPUSK__HTTP__LISTN", "x")];
    let checked = home.run_with(&["config", "check", "--json"], "", &environment);
    assert_eq!((checked.code, checked.json()["problems"].as_array().unwrap().len()), (3, 2));
    let refused = home.run_with(&["user", "list", "--json"], "", &environment);
    assert_eq!((refused.code, refused.json()["error"]["kind"].as_str()), (1, Some("settings")));
    assert_eq!(home.json(&["config", "check"])["valid"], json!(true));
    let environment = [("PROPUSK__DATABASE__URL", "postgres://me:hunter2@127.0.0.1/x")];
    for arguments in [&["config", "print"][..], &["config", "print", "--json"]] {
        let printed = home.run_with(arguments, "", &environment);
        assert!(printed.code == 0 && printed.stdout.contains("127.0.0.1/x") && !printed.stdout.contains("hunter2"), "{}", printed.stdout);
    }
    std::fs::write(home.path("propusk.toml"), "issuer = \"https://id.example.org\"\n").unwrap();
    assert_eq!(home.json(&["--config", "propusk.toml", "config", "print"])["issuer"], "https://id.example.org");
}

#[test]
fn every_verb_has_help_with_an_example_and_the_version_its_commit() {
    let home = Installation::new();
    let verbs = "serve|migrate|user add|user list|user show|user set|user set-password|user disable|user enable|user remove|client add|client list|client show|client set|\
                 client rotate-secret|client check-secret|client remove|key list|key rotate|session list|session revoke|token create|token list|token revoke|claims|explain|trace|audit|backup|restore|apply|config check|config print";
    for verb in verbs.split('|') {
        let help = home.run(&verb.split_whitespace().chain(["--help"]).collect::<Vec<_>>());
        assert!(
            help.code == 0 && help.stdout.contains("Examples:\n  ") && help.stdout.contains(&format!("propusk {verb}")) || verb.starts_with("config"),
            "{verb}: {}",
            help.stdout
        );
    }
    let version = home.json(&["--version"]);
    assert_eq!(keys(&version), ["commit", "version"]);
    assert!(home.run(&["--version"]).stdout.contains(version["commit"].as_str().unwrap()));
    assert_eq!(home.json(&["migrate"])["applied"].as_array().map(Vec::is_empty), Some(false));
    assert_eq!(home.json(&["migrate"]), json!({ "applied": [] }));
}
