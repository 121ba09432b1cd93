#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

use std::path::Path;

use super::{Problem, Settings, SettingsError};

fn from_file(text: &str) -> Result<Settings, SettingsError> {
    Settings::from_sources(Some(text), Vec::new())
}

/// The paths of the problems of `text`, in order.
fn problems(text: &str) -> Vec<String> {
    from_file(text).unwrap_err().problems.into_iter().map(|problem| problem.path).collect()
}

fn nothing() -> Settings {
    Settings::from_map::<&str, &str>([]).unwrap()
}

#[test]
fn nothing_set_is_a_service_on_loopback_with_sqlite() {
    let settings = nothing();
    assert_eq!(settings.issuer, "http://127.0.0.1:8080");
    assert_eq!(settings.database.sqlite_path(), Some(Path::new("data/propusk.db")));
    assert_eq!(settings.master_key_path(), Path::new("data/master.key"));
    assert!(settings.redis.url.is_none() && settings.metrics.listen.is_none() && settings.http.tls.is_none());
    assert!(!settings.is_https());
}

#[test]
fn the_rules_get_the_same_defaults_as_they_have_themselves() {
    assert_eq!(format!("{:?}", nothing().policy()), format!("{:?}", propusk_domain::policy::Policy::default()));
    assert_eq!(nothing().password.params(), propusk_crypto::password::PasswordParams::default());
}

#[test]
fn the_environment_is_stronger_than_the_file_and_keeps_strings_as_they_are() {
    let environment = [
        ("PROPUSK__HTTP__LISTEN", "127.0.0.1:9000"),
        ("PROPUSK__HTTP__MAX_BODY_BYTES", "4096"),
        ("PROPUSK__HTTP__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("PROPUSK__BRAND__NAME", "007"),
        ("PROPUSK__DATABASE__MIGRATE", "false"),
        ("PROPUSK_TEST_POSTGRES", "is not a setting"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let file = "[http]\nlisten = '127.0.0.1:8000'\nworkers = 2\ntrusted_proxies = ['192.168.0.1']\n[brand]\nname = 'File'";
    let settings = Settings::from_sources(Some(file), environment).unwrap();
    assert_eq!(settings.http.listen.port(), 9000);
    assert_eq!((settings.http.workers, settings.http.max_body_bytes), (2, 4096));
    let proxies: Vec<String> = settings.http.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(settings.brand.name.as_deref(), Some("007"));
    assert!(!settings.database.migrate);
}

#[test]
fn all_problems_are_reported_at_once_with_the_paths_of_their_keys() {
    let file = r#"
        isuer = "https://id.example.org"
        locale = "de"
        [http]
        listen = "localhost"
        workers = "many"
        max_body = 5
        [http.tls]
        key_file = "key.pem"
        [tokens]
        code_lifetime = "2m"
        [refresh]
        retry_window = "soon"
        [database]
        url = "mysql://localhost/propusk"
        migrate = "yes"
        [brand]
        accent = "green"
        [log]
        format = "xml"
        [keys]
        announcement = [1]
        [redis]
        url = ""
    "#;
    let mut found = problems(file);
    found.sort();
    let expected = [
        "brand.accent",
        "database.migrate",
        "database.url",
        "http.listen",
        "http.max_body",
        "http.tls.certificate_file",
        "http.workers",
        "isuer",
        "keys.announcement",
        "locale",
        "log.format",
        "redis.url",
        "refresh.retry_window",
        "tokens.code_lifetime",
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_unknown_key_names_the_one_that_was_probably_meant() {
    let problem = |text| from_file(text).unwrap_err().problems.remove(0).sentence;
    assert_eq!(problem("[http]\nlistne = 'x'"), "unknown key; did you mean `http.listen`?");
    assert_eq!(problem("[databse]\nurl = 'x'"), "unknown key; did you mean `database`?");
    assert_eq!(problem("[http]\nmaxBodyBytes = 4096"), "unknown key; did you mean `http.max_body_bytes`?");
    assert_eq!(problem("colour = 'x'"), "unknown key");
    let misspelt = Settings::from_map([("http.secrt", "x")]).unwrap_err();
    assert_eq!(misspelt.problems[0].path, "http.secrt");
}

#[test]
fn the_error_reads_as_a_list() {
    let text = from_file("locale = 'de'\n[http]\nworkers = -1").unwrap_err().to_string();
    let expected =
        "the settings have 2 problems:\n  http.workers: expected a whole number from 0 to 1024, not -1\n  locale: expected one of en, ru, not \"de\"";
    assert_eq!(text, expected);
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_one_problem() {
    let error = from_file("issuer = ").unwrap_err();
    assert_eq!(error.problems.len(), 1);
    assert_eq!(error.problems[0].path, "the configuration file");
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("propusk.toml");
    let error = Settings::load(Some(&missing)).unwrap_err();
    assert_eq!(error.problems[0].path, missing.display().to_string());
}

#[test]
fn a_secret_comes_from_its_key_or_from_its_file_but_not_from_both() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("url");
    let name = file.display().to_string();
    std::fs::write(&file, "postgres://propusk:p@ss@db/propusk\n").unwrap();
    let settings = Settings::from_map([("database.url_file", name.as_str())]).unwrap();
    assert_eq!(settings.database.url.expose(), "postgres://propusk:p@ss@db/propusk");
    assert_eq!(settings.master_key_path(), Path::new("data/master.key"));

    let both = Settings::from_map([("redis.url_file", name.as_str()), ("redis.url", "redis://127.0.0.1")]).unwrap_err();
    let sentence = "excludes `redis.url`; give one of the two".to_owned();
    assert_eq!(both.problems, [Problem { path: "redis.url_file".to_owned(), sentence }]);

    std::fs::write(&file, "\n").unwrap();
    let empty = Settings::from_map([("redis.url_file", name.as_str())]).unwrap_err();
    assert!(empty.problems[0].sentence.ends_with("is empty"), "{empty}");
}

#[test]
fn a_password_in_an_address_is_never_shown() {
    let addresses = [
        ("database.url", "postgres://propusk:hunter2@db/propusk"),
        ("database.url", "postgres://db/propusk?user=x&password=hunter2"),
        ("redis.url", "rediss://:hunter2@cache:6380/0"),
    ];
    for (key, address) in addresses {
        let settings = Settings::from_map([(key, address)]).unwrap();
        for shown in [settings.to_toml_redacted(), format!("{settings:?}")] {
            assert!(!shown.contains("hunter2") && shown.contains("***"), "{shown}");
        }
    }
    for (key, address) in [("database.url", "mysql://propusk:hunter2@db/propusk"), ("redis.url", "http://:hunter2@cache")] {
        let error = Settings::from_map([(key, address)]).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn what_is_printed_reads_back_as_the_same_settings() {
    let entries = [
        ("issuer", "https://id.example.org/auth"),
        ("http.tls.certificate_file", "/etc/propusk/cert.pem"),
        ("http.tls.key_file", "/etc/propusk/key.pem"),
        ("http.trusted_proxies", "10.0.0.0/8"),
        ("brand.name", "Беседка \"7\""),
        ("refresh.retry_window", "0"),
        ("session.idle", "90m"),
        ("metrics.listen", "[::1]:9090"),
        ("log.format", "json"),
    ];
    for settings in [nothing(), Settings::from_map(entries).unwrap()] {
        let printed = settings.to_toml_redacted();
        assert!(printed.starts_with("issuer = "), "{printed}");
        assert_eq!(from_file(&printed).unwrap().to_toml_redacted(), printed);
    }
}

#[test]
fn issuers() {
    let issuer = |issuer: &str, insecure: &str| Settings::from_map([("issuer", issuer), ("allow_insecure_issuer", insecure)]);
    let good = ["https://id.example.org", "https://id.example.org:8443/auth/v1", "http://localhost:8080", "http://127.0.0.2", "http://[::1]:8080"];
    for good in good {
        assert_eq!(issuer(good, "false").unwrap().issuer, good);
    }
    let bad = [
        "id.example.org",
        "/auth",
        "ftp://id.example.org",
        "https://id.example.org/",
        "https://id.example.org/auth/",
        "https://id.example.org?x=1",
        "https://id.example.org/#top",
        "https://user:password@id.example.org",
        "https://ID.example.org",
        "HTTPS://id.example.org",
        "https://id.example.org:443",
        "https://id.example.org/a/../b",
        "https://id.example.org//auth",
        "https://id.example.org/a%20b",
        "https://id.example.org/вход",
        "http://id.example.org",
        "http://localhost.example.org",
        "http://10.0.0.1:8080",
    ];
    for bad in bad {
        let error = issuer(bad, "false").expect_err(bad);
        assert_eq!(error.problems.len(), 1, "{error}");
        assert_eq!(error.problems[0].path, "issuer");
    }
    assert_eq!(issuer("http://id.example.org", "true").unwrap().origin(), "http://id.example.org");
    assert!(issuer("http://id.example.org/", "true").is_err());
}

#[test]
fn the_issuer_falls_into_an_origin_and_a_path() {
    for (issuer, origin, path) in [
        ("https://id.example.org", "https://id.example.org", ""),
        ("https://id.example.org:8443/auth/v1", "https://id.example.org:8443", "/auth/v1"),
        ("http://[::1]:8080/x", "http://[::1]:8080", "/x"),
    ] {
        let settings = Settings::from_map([("issuer", issuer)]).unwrap();
        assert_eq!((settings.origin(), settings.issuer_path()), (origin, path));
    }
}

#[test]
fn without_an_issuer_the_listener_is_the_issuer_as_long_as_nobody_else_can_reach_it() {
    let listen = |address: &str| Settings::from_map([("http.listen", address)]);
    assert_eq!(listen("127.0.0.1:9000").unwrap().issuer, "http://127.0.0.1:9000");
    assert_eq!(listen("[::1]:9000").unwrap().issuer, "http://[::1]:9000");
    assert_eq!(listen("127.0.0.1:80").unwrap().issuer, "http://127.0.0.1");
    for address in ["0.0.0.0:8080", "10.0.0.1:8080", "127.0.0.1:0"] {
        assert_eq!(listen(address).unwrap_err().problems[0].path, "issuer");
    }
}

#[test]
fn tls_demands_an_https_issuer() {
    let tls = [("http.tls.certificate_file", "c.pem"), ("http.tls.key_file", "k.pem")];
    assert_eq!(Settings::from_map(tls).unwrap().issuer, "https://127.0.0.1:8080");
    let http = Settings::from_map(tls.into_iter().chain([("issuer", "http://127.0.0.1:8080")])).unwrap_err();
    assert_eq!(http.problems[0].path, "issuer");
}

#[test]
fn durations_are_seconds_or_a_number_with_a_unit() {
    let idle = |text: &str| Settings::from_map([("session.idle", text)]).map(|settings| settings.session.idle);
    assert_eq!(idle("600").unwrap(), 600);
    assert_eq!(idle("10m").unwrap(), 600);
    assert_eq!(idle("14d").unwrap(), 1_209_600);
    assert_eq!(idle("2w").unwrap(), 1_209_600);
    assert_eq!(from_file("[session]\nidle = 600").unwrap().session.idle, 600);
    for bad in ["", "m", "10 minutes", "-5", "+5", "1.5h", "10mm", "99999999999999999999", "9223372036854775807w"] {
        assert!(idle(bad).is_err(), "{bad}");
    }
    assert_eq!(problems("[session]\nidle = 1.5"), ["session.idle"]);
}

#[test]
fn limits_that_would_defeat_each_other_are_refused() {
    assert_eq!(problems("[session]\nidle = '91d'"), ["session.idle"]);
    assert_eq!(problems("[session]\nidle = 30"), ["session.touch_interval"]);
    assert_eq!(problems("[login]\naccount = 5"), ["login.account"]);
    assert_eq!(problems("[password]\nmemory_kib = 8\nparallelism = 2"), ["password.memory_kib"]);
}

#[test]
fn the_master_key_stands_beside_the_sqlite_database_unless_it_is_named() {
    let path = |entries: &[(&str, &str)]| Settings::from_map(entries.iter().copied()).unwrap().master_key_path();
    assert_eq!(path(&[("database.url", "sqlite:/var/lib/propusk/p.db")]), Path::new("/var/lib/propusk/master.key"));
    assert_eq!(path(&[("database.url", "sqlite:p.db")]), Path::new("master.key"));
    assert_eq!(path(&[("keys.master_key_file", "/run/credentials/master")]), Path::new("/run/credentials/master"));
}
