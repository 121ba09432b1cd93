//! Every refusal can be explained by the reference that the client saw: one test a cause breaks that very thing, reads the
//! explanation from the real command line, and where a command mends it runs that command and repeats the request.

mod codes;
mod credentials;
mod malformed;
mod pages;
mod requests;
mod secrecy;
mod tokens;

use propusk_domain::client::Preset;
use propusk_tests::browser::Landing;
use propusk_tests::html::text_of;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Registered, TestServer};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What `propusk explain REF --json` says.
pub(crate) struct Explained {
    pub(crate) document: Value,
}

impl Explained {
    /// A member as text; empty when it is null.
    pub(crate) fn of(&self, member: &str) -> &str {
        self.document[member].as_str().unwrap_or_default()
    }

    /// Cause, expected and received, for one comparison.
    fn triple(&self) -> (&str, &str, &str) {
        (self.of("cause"), self.of("expected"), self.of("received"))
    }

    /// What mends it.
    fn fixes(&self) -> Vec<&str> {
        self.document["fix"].as_array().unwrap().iter().map(|fix| fix.as_str().unwrap()).collect()
    }

    /// The one command among them.
    pub(crate) fn command(&self) -> &str {
        let commands: Vec<&str> = self.fixes().into_iter().filter(|fix| fix.starts_with("propusk ")).collect();
        assert_eq!(commands.len(), 1, "one command mends it: {:?}", self.fixes());
        commands[0]
    }

    /// No command can mend it, but there is advice.
    fn advice(&self) -> String {
        assert!(self.fixes().iter().all(|fix| !fix.starts_with("propusk ")), "{:?}", self.fixes());
        assert!(!self.fixes().is_empty(), "no advice for {}", self.of("cause"));
        self.fixes().join("\n")
    }
}

/// The explanation of a reference, from the real binary on the same database.
pub(crate) fn explain(server: &TestServer, reference: &str) -> Explained {
    assert!(reference.len() == 6 && reference.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "no reference: {reference:?}");
    // The server writes it a moment after its answer.
    server.explain(reference);
    let document: Value = serde_json::from_str(&shell(server, &format!("propusk explain {reference} --json"), "")).unwrap();
    let members = ["reference", "at", "endpoint", "client_id", "error", "expected", "received", "nearest", "cause", "explanation", "fix"];
    for member in members {
        assert!(document.get(member).is_some(), "{member} is missing: {document}");
    }
    assert_eq!(document["reference"], reference);
    let explained = Explained { document };
    for member in ["at", "endpoint", "error", "expected", "received", "cause", "explanation"] {
        assert!(!explained.of(member).is_empty(), "{member} is empty: {}", explained.document);
    }
    explained
}

/// Runs a command as an operator would: through the shell, with nothing but the environment to find the installation by.
#[expect(clippy::disallowed_methods, reason = "the binary lies beside the test's own, and settings of whoever runs the tests must not reach it")]
pub(crate) fn shell(server: &TestServer, command: &str, stdin: &str) -> String {
    let own = std::env::current_exe().unwrap();
    let binaries: PathBuf = own.parent().and_then(Path::parent).unwrap().to_owned();
    assert!(binaries.join("propusk").exists(), "build it first: cargo build -p propusk");
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PROPUSK__") {
            shell.env_remove(name);
        }
    }
    let settings = server.settings().iter().map(|(key, value)| (format!("PROPUSK__{}", key.to_uppercase().replace('.', "__")), value));
    let mut child = shell
        .args(["-c", command])
        .env("PATH", path)
        .env("LC_ALL", "C")
        .envs(settings)
        .current_dir(directory(server))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may have ended before anything was written to it.
    let _ended = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command}: {}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Where the installation keeps its files.
fn directory(server: &TestServer) -> &Path {
    server.instance.settings.keys.master_key_file.as_deref().and_then(Path::parent).unwrap()
}

/// Runs the one command that mends it, word for word, and waits until the running server has seen it.
fn mend(server: &TestServer, explained: &Explained) -> String {
    let said = shell(server, explained.command(), "");
    server.settle();
    said
}

/// The explanation of a JSON refusal with this status and code.
fn refused(server: &TestServer, response: &Response, status: u16, error: &str) -> Explained {
    assert_eq!((response.status, response.json()["error"].as_str()), (status, Some(error)), "{}", response.text());
    let explained = explain(server, response.json()["error_reference"].as_str().unwrap());
    assert_eq!(explained.of("error"), error);
    explained
}

/// The explanation of a refusal that a page shows.
fn refused_page(server: &TestServer, landing: &Landing, status: u16) -> Explained {
    assert_eq!(landing.status(), status, "{}", landing.trace());
    let reference = text_of(&landing.html(), "error-reference").unwrap_or_else(|| panic!("no reference on the page: {}", landing.html()));
    explain(server, &reference)
}

/// The explanation of a refusal that went back to the client in a redirect.
fn refused_redirect(server: &TestServer, landing: &Landing, error: &str) -> Explained {
    assert_eq!(landing.param("error").as_deref(), Some(error), "{}", landing.trace());
    let description = landing.param("error_description").unwrap();
    let reference = description.rsplit_once("(ref ").and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or_else(|| panic!("{description}"));
    explain(server, reference)
}

/// The secret that a command has shown.
fn shown_secret(said: &str) -> String {
    let line = said.lines().find_map(|line| line.strip_prefix("client_secret")).unwrap_or_else(|| panic!("{said}"));
    line.split_whitespace().next().unwrap().to_owned()
}

/// A first-party client with a secret and refresh tokens.
fn site(server: &TestServer) -> Registered {
    server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true))
}

/// A token request whose grant needs nothing else, with a secret in the body.
fn credentials_grant(server: &TestServer, client_id: &str, secret: &str) -> Response {
    let form = [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", secret)];
    Request::post(&server.url("/oauth/token")).post_form(&form).send().unwrap()
}
