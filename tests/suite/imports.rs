//! Taking over a Django site: the built binary on the database of a running server, and fixtures made by the real Django.

mod applications;
mod channel;
mod chat;
mod compat;
mod endings;
mod export;
mod faults;
mod natural;
mod people;
mod records;
mod report;
mod simplejwt;
mod tokens;

use propusk_domain::user::{User, name_key};
use propusk_tests::server::TestServer;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a verb answered.
pub(crate) struct Answer {
    pub(super) code: i32,
    pub(crate) stdout: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// (slug, key, whether the record was left out) of each finding.
    pub(super) fn findings(&self) -> Vec<(String, String, bool)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let findings = self.json()["findings"].clone();
        findings.as_array().unwrap().iter().map(|f| (text(&f["slug"]), text(&f["key"]), f["left_out"].as_bool().unwrap())).collect()
    }
}

/// The fixtures that `tests/django/make_dump.py` made.
pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("django").join(name)
}

/// Runs the binary on the installation of a server.
pub(super) fn propusk(server: &TestServer, arguments: &[&str]) -> Answer {
    propusk_with(server, arguments, "")
}

/// The same with something on standard input.
pub(super) fn propusk_with(server: &TestServer, arguments: &[&str], stdin: &str) -> Answer {
    let mut child = command(server, arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A verb that reads nothing may have ended before anything was written to it.
    let _ended = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "with --json nothing else is said");
    Answer { code: output.status.code().unwrap(), stdout: String::from_utf8(output.stdout).unwrap() }
}

fn command(server: &TestServer, arguments: &[&str]) -> Command {
    let own = std::env::current_exe().unwrap();
    let binary = own.parent().and_then(Path::parent).unwrap().join("propusk");
    assert!(binary.exists(), "{} is missing: build it first (cargo build -p propusk)", binary.display());
    let mut command = Command::new(binary);
    for (key, value) in server.settings() {
        command.env(format!("PROPUSK__{}", key.to_uppercase().replace('.', "__")), value);
    }
    command.args(arguments).arg("--json");
    command
}

/// Imports a file with further options.
pub(crate) fn import(server: &TestServer, file: &Path, more: &[&str]) -> Answer {
    let mut arguments = vec!["import", "django", file.to_str().unwrap()];
    arguments.extend_from_slice(more);
    propusk(server, &arguments)
}

/// The roles of the fixtures' site.
pub(super) const ROLES: [&str; 6] = ["--role-map", "admin=owner", "--role-map", "editor=moderator", "--role-map", "member=user"];

pub(super) fn person(server: &TestServer, name: &str) -> Option<User> {
    let key = name_key(name);
    server.look(|cx| Ok(cx.store.find_user_by_name(&key)?))
}

/// A record of Django's own user model.
pub(crate) fn user_record(pk: Value, username: &str, more: Value) -> Value {
    let mut fields: Map<String, Value> = serde_json::from_value(json!({
        "username": username, "password": "!", "is_active": true, "first_name": "", "last_name": "", "email": "",
        "date_joined": "2020-01-01T00:00:00Z", "last_login": null, "groups": [],
    }))
    .unwrap();
    fields.extend(more.as_object().unwrap().clone());
    json!({ "model": "auth.user", "pk": pk, "fields": fields })
}

/// A dump in a file of its own.
pub(crate) fn dump(records: &[Value]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::to_string(records).unwrap()).unwrap();
    file
}

/// The same as [`propusk`] with the largest resident size in KiB that the process had, read from /proc while it runs.
pub(super) fn measured(server: &TestServer, arguments: &[&str]) -> (Answer, u64) {
    let out = tempfile::tempfile().unwrap();
    let mut child = command(server, arguments).stdout(out.try_clone().unwrap()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let code = loop {
        // VmHWM is the peak; it only grows, so the last look before the end is good enough.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let now = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(now.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status.code().unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert!(peak > 0, "the size of the process was seen");
    let mut text = String::new();
    std::io::Seek::rewind(&mut &out).unwrap();
    std::io::Read::read_to_string(&mut &out, &mut text).unwrap();
    (Answer { code, stdout: text }, peak)
}
