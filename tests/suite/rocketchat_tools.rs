//! What the operator has for Rocket.Chat: settings, findings, forecasts.

mod account;
mod doctor;
mod forecast;
mod forms;
mod lint;
mod provision;

use propusk_domain::client::RegisteredClient;
use propusk_domain::rocketchat::Dump;
use propusk_domain::rocketchat::settings::{self, Options};
use propusk_tests::server::TestServer;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The address that the tools are tried with when nobody asks it.
const ISSUER: &str = "https://id.example.org";
const CHAT: &str = "https://chat.example.org";

fn options() -> Options {
    Options {
        chat_url: CHAT.into(),
        name: "Besedka".into(),
        button: "Войти".into(),
        secret: None,
        silent: false,
        embed: None,
        licensed: false,
        modern: false,
        without_provider: false,
    }
}

/// The settings of a chat that has exactly what is recommended.
fn dump_of(client: &RegisteredClient, options: &Options) -> Dump {
    let mut dump: Dump = settings::recommended(client, ISSUER, options).into_iter().map(|setting| (setting.id, setting.value)).collect();
    dump.insert("Site_Url".into(), CHAT.into());
    dump
}

/// What a verb said.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

/// Runs the built binary on the installation of a server; standard output is JSON.
pub(crate) fn propusk(server: &TestServer, arguments: &[&str], stdin: &str) -> Answer {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    propusk_plain(server, &arguments, stdin)
}

/// The same as people see it.
#[expect(clippy::disallowed_methods, reason = "the settings of whoever runs the tests must not reach the binary")]
pub(crate) fn propusk_plain(server: &TestServer, arguments: &[&str], stdin: &str) -> Answer {
    let own = std::env::current_exe().unwrap();
    let binary = own.parent().and_then(Path::parent).unwrap().join("propusk");
    assert!(binary.exists(), "{} is missing: build it first (cargo build -p propusk)", binary.display());
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PROPUSK__") {
            command.env_remove(name);
        }
    }
    for (key, value) in server.settings() {
        command.env(format!("PROPUSK__{}", key.replace('.', "__").to_uppercase()), value);
    }
    let child = command.args(arguments).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    // A verb that reads nothing may have ended before anything was written to it.
    let _ended = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
