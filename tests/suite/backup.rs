//! A lost database is a bad hour: backups taken under load, restored into either database, and everything that can be wrong with one.

use crate::store::place::Place;
use crate::store::samples::user;
use propusk_crypto::Secret;
use propusk_domain::UnixTime;
use propusk_domain::client::Preset;
use propusk_domain::records::{AuditEvent, Consent};
use propusk_protocol::Scope;
use propusk_server::Settings;
use propusk_server::backup::{BackupError, Source, check, create, restore};
use propusk_storage::{Database, Restoring};
use propusk_tests::http::Request;
use propusk_tests::postgres::TemporaryDatabase;
use propusk_tests::server::{Backend, TestServer};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn every_table_is_known_to_a_backup() {
    for place in [Place::sqlite(), Place::postgres()] {
        assert_eq!(place.tables_unknown_to_backup().unwrap(), Vec::<String>::new(), "add it to crates/storage/src/backup/tables.rs");
    }
}

propusk_tests::on_each_backend![
    a_backup_by_the_clock_is_made_kept_and_counted,
    a_database_that_holds_anything_is_refused,
    a_restore_that_ends_half_way_never_serves,
];

/// Where a restored database lives.
enum Target {
    Sqlite(tempfile::TempDir),
    Postgres(TemporaryDatabase, tempfile::TempDir),
}

impl Target {
    fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    fn postgres() -> Self {
        Self::Postgres(TemporaryDatabase::create(), tempfile::tempdir().unwrap())
    }

    fn directory(&self) -> &Path {
        match self {
            Self::Sqlite(directory) | Self::Postgres(_, directory) => directory.path(),
        }
    }

    /// Where database and master key are.
    fn settings(&self) -> Vec<(String, String)> {
        let url = match self {
            Self::Sqlite(directory) => format!("sqlite:{}/data/propusk.db", directory.path().display()),
            Self::Postgres(database, _) => database.url.clone(),
        };
        vec![("database.url".to_owned(), url), ("keys.master_key_file".to_owned(), self.master_key().display().to_string())]
    }

    fn parsed(&self) -> Settings {
        Settings::from_map(self.settings()).unwrap()
    }

    fn master_key(&self) -> PathBuf {
        self.directory().join("master.key")
    }
}

#[expect(clippy::disallowed_methods, reason = "the binary lies beside the test's own, and settings of whoever runs the tests must not reach it")]
fn run(settings: &[(String, String)], arguments: &[&str]) -> Output {
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new(own.parent().and_then(Path::parent).unwrap().join("propusk"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PROPUSK__") {
            command.env_remove(name);
        }
    }
    let variables = settings.iter().map(|(key, value)| (format!("PROPUSK__{}", key.to_uppercase().replace('.', "__")), value));
    command.args(arguments).env("LC_ALL", "C").envs(variables).stdin(Stdio::null()).output().unwrap()
}

/// The document of a verb that succeeds.
fn done(settings: &[(String, String)], arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let output = run(settings, &arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The exit code and the sentence of a verb that fails.
fn failed(settings: &[(String, String)], arguments: &[&str]) -> (i32, String) {
    let output = run(settings, arguments);
    assert!(output.stdout.is_empty(), "{arguments:?}");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Rows that need several pages, with every kind of character.
fn add_rows(server: &TestServer, count: usize) {
    for from in (0..count).step_by(100) {
        server.admin(move |cx| {
            for number in from..from + 100 {
                cx.store.insert_audit(&AuditEvent {
                    id: format!("row-{number:05}"),
                    at: cx.now,
                    kind: "test".to_owned(),
                    sub: (number % 2 == 0).then(|| format!("Ж{number}")),
                    client_id: None,
                    grant_id: Some(String::new()),
                    detail: Some(format!("\"q\" \\ ' % \n\r\t \u{1} \u{7f} \u{2028} 😀 [{number}] {{}} null")),
                })?;
            }
            Ok(())
        });
    }
}

/// People in an order that depends on who sorts, with a key of two columns, more than a page of them.
fn add_consents(server: &TestServer, client_id: &'static str) {
    server.admin(move |cx| {
        for number in 0..260 {
            let sub = format!("{}{number}", ["a", "B", "b", "_", "Ж", "ж"][number % 6]);
            cx.store.insert_user(&user(&sub, &format!("user{number}")))?;
            let scope = ["openid", "email"].iter().collect::<Scope>();
            cx.store.put_consent(&Consent { sub, client_id: client_id.to_owned(), scope, granted_at: cx.now })?;
        }
        Ok(())
    });
}

#[test]
fn sqlite_is_lost_under_load_and_restored_as_sqlite() {
    lost_and_restored(Backend::Sqlite, &Target::sqlite(), Some("correct horse battery staple"));
}

#[test]
fn sqlite_is_lost_under_load_and_restored_as_postgres() {
    lost_and_restored(Backend::Sqlite, &Target::postgres(), None);
}

#[test]
fn postgres_is_lost_under_load_and_restored_as_sqlite() {
    lost_and_restored(Backend::PostgresRedis, &Target::sqlite(), None);
}

#[test]
fn postgres_is_lost_under_load_and_restored_as_postgres() {
    lost_and_restored(Backend::PostgresRedis, &Target::postgres(), Some("пароль с пробелами"));
}

fn lost_and_restored(source: Backend, target: &Target, passphrase: Option<&str>) {
    let server = TestServer::start(source);
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let (anna, boris) = (server.add_user("anna", "owner"), server.add_user("boris", "user"));
    add_rows(&server, 700);
    add_consents(&server, "site");
    let first = server.tokens(&site, &anna, "openid profile offline_access");
    let access_token = text(&first, "access_token");
    let sub = server.userinfo(&access_token).json()["sub"].clone();
    let jwks = Request::get(&server.url("/oauth/jwks")).send().unwrap().json();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("propusk.backup");
    std::fs::write(elsewhere.path().join("passphrase"), format!("{}\n", passphrase.unwrap_or_default())).unwrap();
    let passphrase_file = elsewhere.path().join("passphrase").display().to_string();
    let sealing: Vec<&str> = if passphrase.is_some() { vec!["--passphrase-file", &passphrase_file] } else { vec![] };
    let file_name = file.display().to_string();

    let (stop, signed_in) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut newest = text(&first, "refresh_token");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Acquire) {
                    server.tokens(&site, &boris, "openid offline_access");
                    signed_in.fetch_add(1, Ordering::AcqRel);
                }
            });
        }
        wait_for(|| signed_in.load(Ordering::Acquire) > 2);
        let arguments: Vec<&str> = ["backup", &file_name].into_iter().chain(sealing.iter().copied()).collect();
        let made = done(server.settings(), &arguments);
        assert_eq!(made["master_key"]["included"], passphrase.is_some());
        let needed = passphrase.is_none().then(|| server.instance.settings.master_key_path());
        assert_eq!(made["master_key"]["file"], json!(needed), "which file it is worth nothing without");
        let before = signed_in.load(Ordering::Acquire);
        // What happens after the backup is lost, but the application's refresh token is not.
        for _ in 0..3 {
            newest = text(&server.refresh(&site, &newest).json(), "refresh_token");
        }
        wait_for(|| signed_in.load(Ordering::Acquire) > before + 1);
        stop.store(true, Ordering::Release);
    });
    let (issuer, port) = (server.issuer.clone(), server.issuer.rsplit(':').next().unwrap().to_owned());
    if passphrase.is_none() {
        std::fs::copy(server.instance.settings.master_key_path(), target.master_key()).unwrap();
    }
    drop(server);

    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let mut settings = target.settings();
    settings.push(("issuer".to_owned(), issuer.clone()));
    let arguments: Vec<&str> = ["restore", &file_name].into_iter().chain(sealing.iter().copied()).collect();
    let restored = done(&settings, &arguments);
    assert_eq!((&restored["restored"], &restored["issuer"]), (&json!(true), &json!(issuer)));
    let consents = restored["tables"].as_array().unwrap().iter().find(|table| table["name"] == "consents").unwrap();
    assert_eq!(consents["rows"], 260);
    assert_eq!(std::fs::metadata(target.master_key()).unwrap().len(), 32);

    settings.push(("http.listen".to_owned(), format!("127.0.0.1:{port}")));
    let borrowed: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let server = TestServer::with(Backend::Sqlite, &borrowed);
    assert_eq!(Request::get(&server.url("/oauth/jwks")).send().unwrap().json(), jwks, "the same keys");
    assert_eq!(server.userinfo(&access_token).json()["sub"], sub, "a token from before is still good");
    let refreshed = server.refresh(&site, &newest);
    assert_eq!(refreshed.status, 200, "a token ahead of the row moves it forward: {}", refreshed.text());
    let again = server.tokens(&site, &anna, "openid");
    assert_eq!(server.userinfo(&text(&again, "access_token")).json()["sub"], sub, "the same password, the same person");
    server.tokens(&site, &boris, "openid");
    assert!(server.audit("test").iter().any(|event| event.detail.as_deref().is_some_and(|detail| detail.contains("\u{1} \u{7f} \u{2028} 😀 [699]"))));
}

fn text(document: &Value, member: &str) -> String {
    document[member].as_str().unwrap_or_else(|| panic!("no {member}: {document}")).to_owned()
}

fn wait_for(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A server with a few rows, and a backup of it.
fn backed_up(rows: usize, passphrase: Option<&Secret>) -> (TestServer, tempfile::TempDir, PathBuf) {
    let server = TestServer::start(Backend::Sqlite);
    server.add_client("site", Preset::Web);
    server.add_user("anna", "owner");
    add_rows(&server, rows);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("b.backup");
    make(&server, &file, passphrase).unwrap();
    (server, directory, file)
}

fn make(server: &TestServer, file: &Path, passphrase: Option<&Secret>) -> Result<(), BackupError> {
    let instance = &server.instance;
    let source = Source { db: &instance.db, master: &instance.master, issuer: &server.issuer, now: UnixTime(0) };
    create(&source, file, passphrase, &mut |_, _, _| true).map(drop)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// What checking says of a file with these bytes.
fn checked(bytes: &[u8], passphrase: Option<&Secret>, master_key: &Path) -> Result<(), BackupError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    check(file.path(), passphrase, master_key).map(drop)
}

#[test]
fn every_cut_and_every_changed_byte_of_an_open_backup_is_noticed() {
    let (server, _directory, file) = backed_up(300, None);
    let key = server.instance.settings.master_key_path();
    let whole = std::fs::read(&file).unwrap();
    assert!(checked(&whole, None, &key).is_ok());
    for cut in (0..whole.len()).step_by(whole.len() / 97 + 1).chain([whole.len() - 1]) {
        let refused = checked(&whole[..cut], None, &key).unwrap_err();
        assert!(matches!(refused, BackupError::Truncated | BackupError::NoBackup(_)), "{cut} bytes: {refused}");
    }
    // Cut between two lines.
    let line = whole.iter().rposition(|byte| *byte == b'[').unwrap();
    assert!(matches!(checked(&whole[..line], None, &key), Err(BackupError::Truncated)));
    for position in (0..whole.len()).step_by(whole.len() / 211 + 1) {
        let mut changed = whole.clone();
        changed[position] ^= 2;
        assert!(checked(&changed, None, &key).is_err(), "byte {position}");
    }
    let longer = [whole.as_slice(), b"{}\n"].concat();
    assert!(matches!(checked(&longer, None, &key), Err(BackupError::Corrupted(_))));
}

#[test]
fn a_sealed_backup_opens_with_its_passphrase_alone_and_only_whole() {
    let passphrase = secret("correct horse");
    let (server, directory, file) = backed_up(2000, Some(&passphrase));
    let nowhere = directory.path().join("no.key");
    let whole = std::fs::read(&file).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    for hidden in ["anna", "sealed_keys", "row-00001", "$argon2id$"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    assert!(check(&file, Some(&passphrase), &nowhere).is_ok(), "it contains the master key");
    assert!(matches!(check(&file, None, &nowhere), Err(BackupError::PassphraseNeeded)));
    assert!(matches!(check(&file, Some(&secret("correct horsf")), &nowhere), Err(BackupError::WrongPassphrase)));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    assert!(lines.len() > 5, "several pieces: {}", lines.len());
    let joined = |lines: &[&str]| checked(lines.concat().as_bytes(), Some(&passphrase), &nowhere).unwrap_err();
    assert!(matches!(joined(&lines[..lines.len() - 1]), BackupError::Truncated));
    assert!(matches!(joined(&lines[..3]), BackupError::Truncated));
    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    assert!(matches!(joined(&swapped), BackupError::Corrupted(_)));
    let mut left_out = lines.clone();
    left_out.remove(3);
    assert!(matches!(joined(&left_out), BackupError::Corrupted(_)));
    // The pieces of another backup under the same passphrase do not fit either.
    let other = directory.path().join("other.backup");
    make(&server, &other, Some(&passphrase)).unwrap();
    let other = std::fs::read_to_string(&other).unwrap();
    let other: Vec<&str> = other.split_inclusive('\n').collect();
    assert!(matches!(joined(&[&lines[..3], &other[3..]].concat()), BackupError::Corrupted(_)));
    assert!(matches!(make(&server, &file, None), Err(BackupError::Exists(_))), "a backup is never overwritten");
}

#[test]
fn the_command_line_says_in_one_sentence_what_is_wrong() {
    let (server, directory, file) = backed_up(300, None);
    let file_name = file.display().to_string();
    let target = Target::sqlite();
    let refused = |settings: &[(String, String)], file: &str, exit: i32, sentence: &str| {
        let (code, said) = failed(settings, &["restore", file]);
        assert!(code == exit && said.contains(sentence) && said.trim_end().lines().count() == 1, "{code}: {said}");
    };
    let fingerprint = server.instance.master.fingerprint();
    refused(&target.settings(), &file_name, 1, &format!("put the file of the key with the fingerprint {fingerprint} at"));
    std::fs::write(target.master_key(), [7; 32]).unwrap();
    refused(&target.settings(), &file_name, 1, "and the backup needs");
    std::fs::copy(server.instance.settings.master_key_path(), target.master_key()).unwrap();
    refused(&target.settings(), "/nowhere/b.backup", 4, "cannot be read");
    let text = std::fs::read_to_string(&file).unwrap();
    let write = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    refused(&target.settings(), &write("a", "SQLite format 3"), 1, "is not a backup");
    refused(&target.settings(), &write("b", &text.replacen("backup 1", "backup 2", 1)), 1, "a newer version of Propusk made this backup (format 2)");
    let half = (0..=text.len() / 2).rev().find(|&end| text.is_char_boundary(end)).unwrap();
    refused(&target.settings(), &write("c", &text[..half]), 1, "is cut off");
    refused(&target.settings(), &write("d", &text.replacen("row-00007", "row-0000X", 1)), 1, "is damaged");
    assert!(!target.directory().join("data").exists(), "nothing was made");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let header = lines[1].replacen("\"migrations\":[", "\"migrations\":[\"2999-01-01-000000_later\",", 1);
    let mut sum = propusk_crypto::Checksum::default();
    sum.update(format!("{}{header}", lines[0]).as_bytes());
    let newer = format!("{}{header}{}\n{}", lines[0], sum.hex(), lines[3..].concat());
    refused(&target.settings(), &write("e", &newer), 1, "migration 2999-01-01-000000_later");
    let sealed = directory.path().join("sealed.backup").display().to_string();
    std::fs::write(directory.path().join("passphrase"), "correct horse\n").unwrap();
    let passphrase_file = directory.path().join("passphrase").display().to_string();
    done(server.settings(), &["backup", &sealed, "--passphrase-file", &passphrase_file]);
    refused(&target.settings(), &sealed, 2, "sealed with a passphrase");
    let (code, said) = failed(server.settings(), &["backup", &file_name]);
    assert!(code == 1 && said.contains("exists already"), "{said}");
    let whole = done(&target.settings(), &["restore", &file_name, "--check"]);
    assert_eq!((&whole["restored"], target.directory().join("data").exists()), (&json!(false), false));
    assert_eq!(done(&target.settings(), &["restore", &file_name])["rows"], whole["rows"]);
}

fn a_database_that_holds_anything_is_refused(backend: Backend) {
    let (server, directory, file) = backed_up(300, None);
    let other = TestServer::start(backend);
    let settings: Vec<(String, String)> = other.settings().iter().filter(|(key, _)| key != "keys.master_key_file").cloned().collect();
    let key = ("keys.master_key_file".to_owned(), directory.path().join("master.key").display().to_string());
    std::fs::copy(server.instance.settings.master_key_path(), &key.1).unwrap();
    let settings: Vec<(String, String)> = settings.into_iter().chain([key]).collect();
    let before = other.look(|cx| Ok(cx.store.table_sizes()?));
    let (code, said) = failed(&settings, &["restore", &file.display().to_string()]);
    assert!(code == 1 && said.contains("the database is not empty"), "{said}");
    assert_eq!(other.look(|cx| Ok(cx.store.table_sizes()?)), before);
    assert_eq!(Request::get(&other.url("/readyz")).send().unwrap().status, 200);
}

fn a_restore_that_ends_half_way_never_serves(backend: Backend) {
    let (server, _directory, file) = backed_up(300, None);
    let target = if backend == Backend::Sqlite { Target::sqlite() } else { Target::postgres() };
    std::fs::copy(server.instance.settings.master_key_path(), target.master_key()).unwrap();
    let settings = target.parsed();
    let whole = check(&file, None, &target.master_key()).unwrap();
    let rows = |database: &Database| -> i64 {
        let sizes = database.read(|store| Ok(store.table_sizes()?)).unwrap();
        sizes.iter().filter(|(table, _)| *table != "changes").map(|(_, rows)| rows).sum()
    };
    // Stopped in the middle: what was written is gone again.
    let stopped = restore(&whole, &settings, &mut |_, done, total| done * 2 < total);
    assert!(matches!(stopped, Err(BackupError::Stopped)));
    let database = Database::open(&settings.storage()).unwrap();
    assert_eq!(rows(&database), 0);
    database.shutdown();
    drop(database);
    // Killed in the middle: nothing opens it, until a restore has gone through.
    let mut killed = Restoring::begin(&settings.storage()).unwrap();
    let rest = std::fs::read_to_string(&file).unwrap();
    let roles = rest.lines().skip_while(|line| !line.starts_with("{\"table\":\"roles\"")).nth(1).unwrap();
    let table = propusk_storage::Table {
        name: "roles".to_owned(),
        columns: vec![propusk_storage::Column { name: "name".to_owned(), kind: propusk_storage::Kind::Text }],
    };
    killed.insert(&table, &[serde_json::from_str(roles).unwrap()]).unwrap();
    std::mem::forget(killed);
    for migrate in [true, false] {
        let refused = Database::open(&propusk_storage::Settings { migrate, ..settings.storage() }).err().unwrap();
        assert!(refused.to_string().contains("a restore into this database has not ended"), "{refused}");
    }
    assert_eq!(failed(&target.settings(), &["user", "list"]).0, 1);
    assert_eq!(failed(&target.settings(), &["migrate"]).0, 1);
    restore(&whole, &settings, &mut |_, _, _| true).unwrap();
    let database = Database::open(&settings.storage()).unwrap();
    let expected: u64 = whole.tables.iter().map(|table| table.rows).sum();
    assert_eq!(u64::try_from(rows(&database)).unwrap(), expected);
    database.shutdown();
}

/// Two restores at once: the one that began later goes on, the other stops without harm.
#[test]
fn of_two_restores_one_stops() {
    let target = Target::postgres();
    let settings = target.parsed().storage();
    let table = propusk_storage::Table {
        name: "roles".to_owned(),
        columns: vec![propusk_storage::Column { name: "name".to_owned(), kind: propusk_storage::Kind::Text }],
    };
    let mut first = Restoring::begin(&settings).unwrap();
    first.insert(&table, &[vec![json!("a")]]).unwrap();
    let mut second = Restoring::begin(&settings).unwrap();
    let refused = first.insert(&table, &[vec![json!("b")]]).unwrap_err();
    assert!(refused.to_string().contains("another restore"), "{refused}");
    drop(first);
    second.insert(&table, &[vec![json!("a")]]).unwrap();
    second.finish().unwrap();
    let database = Database::open(&settings).unwrap();
    assert_eq!(database.read(|store| Ok(store.list_roles()?)).unwrap(), ["a"]);
}

fn a_backup_by_the_clock_is_made_kept_and_counted(backend: Backend) {
    let directory = tempfile::tempdir().unwrap();
    let backups = directory.path().join("backups");
    std::fs::write(directory.path().join("passphrase"), "correct horse\n").unwrap();
    let (into, passphrase_file) = (backups.display().to_string(), directory.path().join("passphrase").display().to_string());
    let server = TestServer::with(
        backend,
        &[("backup.schedule", "1h"), ("backup.directory", &into), ("backup.keep", "2"), ("backup.passphrase_file", &passphrase_file)],
    );
    let names = || -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&backups) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).filter(|name| name.ends_with(".backup")).collect();
        names.sort();
        names
    };
    wait_for(|| names() == ["propusk-20261120T120000Z.backup"]);
    let newest = backups.join(&names()[0]);
    assert!(check(&newest, Some(&secret("correct horse")), &directory.path().join("no.key")).is_ok());
    wait_for(|| server.metrics_text().contains("propusk_backup_age_seconds 0"));
    // Somebody else's file is left alone.
    std::fs::write(backups.join("propusk-by-hand.backup"), "mine").unwrap();
    server.advance(3000);
    assert!(server.metrics_text().contains("propusk_backup_age_seconds 3000"));
    server.advance(600);
    wait_for(|| names().len() == 3);
    server.advance(3600);
    wait_for(|| names() == ["propusk-20261120T130000Z.backup", "propusk-20261120T140000Z.backup", "propusk-by-hand.backup"]);
    // One that fails is counted and tried again.
    std::fs::remove_file(directory.path().join("passphrase")).unwrap();
    server.advance(3600);
    wait_for(|| server.metrics_text().contains("propusk_backup_failures 1"));
    std::fs::write(directory.path().join("passphrase"), "correct horse\n").unwrap();
    server.advance(300);
    wait_for(|| names().contains(&"propusk-20261120T150500Z.backup".to_owned()));
}
