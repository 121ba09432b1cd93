//! Promises of `deploy/` and of the files at the top: samples that work, and dependencies that are allowed.
//!
//! A program that is missing (nginx, openssl, systemd-analyze) is a failure, never a skip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use propusk_domain::admin::declaration::Declaration;
use propusk_server::settings::{Settings, SettingsError};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"))
}

fn must_succeed(command: &mut Command) -> Output {
    let output = run(command);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    output
}

/// The problems that are unknown keys.
fn unknown_keys(result: Result<Settings, SettingsError>) -> Vec<String> {
    let problems = result.err().map_or_else(Vec::new, |error| error.problems);
    problems.into_iter().filter(|problem| problem.sentence.starts_with("unknown key")).map(|problem| problem.path).collect()
}

#[test]
fn the_annotated_settings_are_the_defaults_key_by_key() {
    let sample = read("deploy/propusk.toml");
    let parsed = Settings::from_sources(Some(&sample), []).unwrap_or_else(|error| panic!("{error}"));
    let defaults = Settings::from_map::<&str, &str>([]).unwrap();
    assert_eq!(parsed.to_toml_redacted(), defaults.to_toml_redacted());

    // Every key that is printed is also written out in the sample.
    let keys = |text: &str| -> Vec<String> {
        let table: toml::Table = text.parse().unwrap();
        let section = |(name, value): (String, toml::Value)| match value {
            toml::Value::Table(table) => table.into_iter().map(|(key, _)| format!("{name}.{key}")).collect(),
            _ => vec![name],
        };
        table.into_iter().flat_map(section).collect()
    };
    let written = keys(&sample);
    let missing: Vec<String> = keys(&defaults.to_toml_redacted()).into_iter().filter(|key| !written.contains(key)).collect();
    assert!(missing.is_empty(), "deploy/propusk.toml does not show {missing:?}");
}

#[test]
fn the_lines_of_the_annotated_settings_that_are_commented_out_are_settings_too() {
    let is_setting = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        let is_key = line.contains(" = ") && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_key || (line.starts_with('[') && line.ends_with(']'))
    };
    let uncommented = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if is_setting(rest) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    let sample = read("deploy/propusk.toml");
    let whole: String = sample.lines().map(uncommented).collect();
    assert!(whole.lines().count() == sample.lines().count() && whole.contains("\n[http.tls]\n") && whole.contains("\nurl_file = "));
    let result = Settings::from_sources(Some(&whole), []);
    // It must have been read as TOML for the answer to mean anything: twins exclude each other.
    let problems = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
    assert!(problems.contains("excludes `database.url`"), "{problems}");
    assert_eq!(unknown_keys(result), Vec::<String>::new());
}

#[test]
fn example_env_has_names_of_settings_and_no_values() {
    let sample = read("deploy/example.env");
    let names: Vec<&str> = sample.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(names.len() > 10);
    for name in &names {
        assert!(name.ends_with('=') && !name.trim_end_matches('=').contains('='), "{name} has a value");
    }
    let settings = names.iter().map(|name| name.trim_end_matches('=')).filter(|name| name.starts_with("PROPUSK__"));
    let environment: Vec<(String, String)> = settings.map(|name| (name.to_owned(), "1".to_owned())).collect();
    assert_eq!(unknown_keys(Settings::from_sources(None, environment)), Vec::<String>::new());
}

#[test]
fn samples_that_no_test_runs_say_so_in_their_first_line() {
    for path in ["deploy/Dockerfile", "deploy/compose.yaml", "deploy/Caddyfile", "deploy/example.env"] {
        let text = read(path);
        assert!(text.lines().next().unwrap_or_default().starts_with("# Not run by any test"), "{path}");
    }
}

#[test]
fn make_run_declares_three_people_and_two_clients_without_any_fixed_password() {
    let text = read("deploy/dev.toml");
    let declaration: Declaration = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let users = declaration.users.unwrap();
    let roles: Vec<&str> = users.iter().map(|user| user.role.as_str()).collect();
    assert_eq!(roles, ["owner", "moderator", "user"]);
    assert!(users.iter().all(|user| user.generate_password && user.password_file.is_none()));
    let clients = declaration.clients.unwrap();
    let ids: Vec<&str> = clients.iter().map(|client| client.client_id.as_str()).collect();
    assert_eq!(ids, ["rocketchat", "site"]);
    assert!(clients.iter().all(|client| client.secret_file.is_none()));
}

#[test]
fn scripts_are_executable_and_parse() {
    use std::os::unix::fs::PermissionsExt as _;
    for path in ["deploy/run.sh", "tests/run.sh", "tests/services.sh", ".ci/run"] {
        let file = repository().join(path);
        assert!(fs::metadata(&file).unwrap_or_else(|error| panic!("{path}: {error}")).permissions().mode() & 0o111 != 0, "{path} is not executable");
        must_succeed(Command::new("bash").arg("-n").arg(&file));
    }
}

#[test]
fn make_help_prints_every_target() {
    let output = must_succeed(Command::new("make").args(["--no-print-directory", "-C"]).arg(repository()).arg("help"));
    let help = String::from_utf8(output.stdout).unwrap();
    for target in ["run", "test", "check", "bench", "bench-large", "crash", "help"] {
        assert!(help.contains(&format!("make {target} ")), "{target} is missing in:\n{help}");
    }
}

#[test]
fn the_systemd_unit_is_sound_and_hardened() {
    let directory = tempfile::tempdir().unwrap();
    let unit = directory.path().join("propusk.service");
    let sample = read("deploy/propusk.service");
    assert!(sample.contains("\nExecStart=/usr/local/bin/propusk "));
    // systemd-analyze also checks that the program exists, which on this machine it need not.
    fs::write(&unit, sample.replace("ExecStart=/usr/local/bin/propusk ", "ExecStart=/bin/true ")).unwrap();
    let verified = must_succeed(Command::new("systemd-analyze").arg("verify").arg(&unit));
    // Unknown keys are only warned of.
    assert_eq!(String::from_utf8_lossy(&verified.stderr), "");
    // Tenths of systemd's exposure level: 96 without any hardening.
    must_succeed(Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20", "--no-pager"]).arg(&unit));
}

#[test]
fn nginx_accepts_its_sample() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (certificate, key) = (at("certificate.pem"), at("certificate.key"));
    let subject = ["-subj", "/CN=id.example.org", "-days", "1", "-keyout", &key, "-out", &certificate];
    must_succeed(Command::new("openssl").args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]).args(subject));

    let sample = read("deploy/nginx.conf");
    assert!(sample.contains("large_client_header_buffers"));
    // Names of this machine; and no privileged port, because the test binds it where it may.
    let site = sample
        .lines()
        .filter(|line| !line.contains("listen [::]"))
        .flat_map(|line| [line, "\n"])
        .collect::<String>()
        .replace("listen 80;", "listen 127.0.0.1:20080;")
        .replace("listen 443 ", "listen 127.0.0.1:20443 ")
        .replace("/etc/ssl/certs/id.example.org.pem", &certificate)
        .replace("/etc/ssl/private/id.example.org.key", &key)
        .replace("/var/log/nginx", &at(""));
    let whole = format!("pid {};\nerror_log stderr;\nevents {{}}\nhttp {{\n{site}}}\n", at("nginx.pid"));
    let file = at("nginx.conf");
    fs::write(&file, whole).unwrap();
    // Debian keeps nginx out of the path of ordinary users.
    let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
    let tested = must_succeed(Command::new(program).args(["-t", "-e", "stderr", "-p", &at(""), "-c", &file]));
    let said = String::from_utf8_lossy(&tested.stderr).into_owned();
    assert!(!said.contains("[warn]"), "{said}");
}

/// What `deny.toml` says, over `cargo metadata`, so that it holds also where cargo-deny is not installed.
mod dependencies {
    use std::process::Command;

    use serde_json::Value;

    use super::{must_succeed, read, repository};

    /// The packages of this machine's build, tests included.
    fn packages() -> Vec<Value> {
        let rustc = must_succeed(Command::new("rustc").arg("-vV"));
        let version = String::from_utf8(rustc.stdout).unwrap();
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", host];
        let output = must_succeed(Command::new("cargo").args(arguments).current_dir(repository()));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap().clone();
        assert!(packages.len() > 50, "only {} packages", packages.len());
        packages
    }

    fn deny() -> toml::Table {
        read("deny.toml").parse().unwrap()
    }

    fn name(package: &Value) -> &str {
        package["name"].as_str().unwrap()
    }

    #[test]
    fn every_licence_is_on_the_list() {
        let deny = deny();
        let allowed: Vec<&str> = deny["licenses"]["allow"].as_array().unwrap().iter().filter_map(|licence| licence.as_str()).collect();
        let refused: Vec<String> = packages()
            .iter()
            .filter(|package| !package["license"].as_str().is_some_and(|expression| is_allowed(expression, &allowed)))
            .map(|package| format!("{}: {}", name(package), package["license"]))
            .collect();
        assert!(refused.is_empty(), "{refused:#?}");
    }

    #[test]
    fn no_banned_crate_is_among_them() {
        let deny = deny();
        let banned: Vec<&str> = deny["bans"]["deny"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
        assert!(banned.contains(&"openssl"));
        let found: Vec<String> = packages().iter().map(|package| name(package).to_owned()).filter(|name| banned.contains(&name.as_str())).collect();
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn all_come_from_the_one_registry() {
        let mut sources: Vec<String> = packages().iter().filter_map(|package| package["source"].as_str().map(str::to_owned)).collect();
        sources.sort();
        sources.dedup();
        assert!(sources.len() == 1 && sources[0].starts_with("registry+"), "{sources:?}");
    }

    #[test]
    fn an_expression_passes_when_an_alternative_does() {
        let allowed = ["MIT", "Apache-2.0", "ISC", "Apache-2.0 WITH LLVM-exception"];
        for good in
            ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(GPL-3.0 OR MIT) AND ISC", "ISC AND (Apache-2.0 OR ISC)", "Apache-2.0 WITH LLVM-exception"]
        {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 OR (MIT AND GPL-3.0)", "MIT WITH LLVM-exception", "(MIT", "MIT ISC"] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }

    /// Whether `expression` (SPDX; the old slash means OR) can be satisfied by `allowed` alone.
    fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut at = 0;
        alternatives(&words, &mut at, allowed) == Some(true) && at == words.len()
    }

    fn alternatives(words: &[&str], at: &mut usize, allowed: &[&str]) -> Option<bool> {
        let mut passes = conjunction(words, at, allowed)?;
        while words.get(*at) == Some(&"OR") {
            *at += 1;
            passes |= conjunction(words, at, allowed)?;
        }
        Some(passes)
    }

    fn conjunction(words: &[&str], at: &mut usize, allowed: &[&str]) -> Option<bool> {
        let mut passes = licence(words, at, allowed)?;
        while words.get(*at) == Some(&"AND") {
            *at += 1;
            passes &= licence(words, at, allowed)?;
        }
        Some(passes)
    }

    fn licence(words: &[&str], at: &mut usize, allowed: &[&str]) -> Option<bool> {
        let word = *words.get(*at)?;
        *at += 1;
        if word == "(" {
            let passes = alternatives(words, at, allowed)?;
            *at += 1;
            return (words.get(*at - 1) == Some(&")")).then_some(passes);
        }
        if words.get(*at) == Some(&"WITH") {
            let exception = *words.get(*at + 1)?;
            *at += 2;
            return Some(allowed.contains(&format!("{word} WITH {exception}").as_str()));
        }
        Some(allowed.contains(&word))
    }
}
