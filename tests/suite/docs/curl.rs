//! The `curl` lines of the documentation run against a real server.
//!
//! The blocks marked `sh run` of a page are one script with the variables of the README, in the reader's order; what `propusk` does in
//! them the real binary does to the server's own database. A page that rests on settings says so:
//! `<!-- settings: registration.enabled=true -->`. A line `# → text` after a command is what the output of the whole page has to contain.

use super::{Block, blocks, pages};
use propusk_domain::client::Preset;
use propusk_tests::server::{Backend, TestServer};
use std::path::Path;
use std::process::Command;

propusk_tests::on_each_backend![the_curl_lines_of_the_documentation_run];

#[test]
fn every_curl_line_is_one_that_runs() {
    for language in ["en", "ru"] {
        for (name, page) in pages(language) {
            for Block { kind, text } in blocks(&page) {
                let calls =
                    text.lines().any(|line| line.split_whitespace().any(|word| word.ends_with("curl")) && !line.trim_start().starts_with('#'));
                assert!(!calls || kind == "sh run", "docs/{language}/{name}: a curl line that no test runs:\n{text}");
            }
        }
    }
}

fn the_curl_lines_of_the_documentation_run(backend: Backend) {
    let mut ran = 0;
    // The blocks of both languages are the same; another test compares them.
    for (name, page) in pages("en") {
        let script: String = blocks(&page).into_iter().filter(|block| block.kind == "sh run").map(|block| block.text).collect();
        if !script.is_empty() {
            ran += 1;
            run(&name, &script, &TestServer::with(backend, &settings(&page)));
        }
    }
    assert!(ran > 1);
}

/// What the page's comment asks for.
fn settings(page: &str) -> Vec<(&str, &str)> {
    let comment = page.split("<!-- settings: ").nth(1).and_then(|rest| rest.split(" -->").next()).unwrap_or_default();
    comment.split_whitespace().map(|pair| pair.split_once('=').unwrap()).collect()
}

/// The server hears of another process's change within a second: after that without news it answers nothing from memory.
const HEARD: &str = "propusk() { command propusk \"$@\"; sleep 1.1; }\n";

fn run(name: &str, script: &str, server: &TestServer) {
    let (anna, worker) = (server.add_user("anna", "owner"), server.add_client("worker", Preset::Service));
    let checker = server.add_client("checker", Preset::Api);
    let people = server.add_client_with("site-people", Preset::Service, |new| new.scopes = Some(["propusk:users"].into_iter().collect()));
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let directory = tempfile::tempdir().unwrap();
    let own = std::env::current_exe().unwrap();
    let built = own.parent().and_then(Path::parent).unwrap();
    assert!(built.join("propusk").exists(), "build it first: cargo build -p propusk");
    let output = Command::new("sh")
        .args(["-euc", &format!("PATH=\"$BUILT:$PATH\"\n{HEARD}{script}")])
        .current_dir(directory.path())
        .env("BUILT", built)
        .envs(server.settings().iter().map(|(key, value)| (format!("PROPUSK__{}", key.replace('.', "__").to_uppercase()), value)))
        .envs([("ISSUER", server.issuer.as_str()), ("WORKER", worker.id()), ("WORKER_SECRET", &worker.secret), ("SITE", site.id())])
        .envs([("SITE_SECRET", site.secret.as_str()), ("REDIRECT_URI", site.redirect_uri()), ("USERNAME", "anna"), ("PASSWORD", &anna.password)])
        .envs([("CHECKER", checker.id()), ("CHECKER_SECRET", &checker.secret)])
        .envs([("PEOPLE", people.id()), ("PEOPLE_SECRET", &people.secret)])
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "docs/en/{name}:\n{stdout}\n{stderr}");
    let promised: Vec<&str> = script.lines().filter_map(|line| line.strip_prefix("# → ")).collect();
    assert!(!promised.is_empty(), "docs/en/{name} promises no output");
    for promise in promised {
        assert!(stdout.contains(promise), "docs/en/{name}: {promise} is missing in {stdout}");
    }
}
