//! What the README shows, runs.

use propusk_domain::client::Preset;
use propusk_tests::server::{Backend, TestServer};
use std::path::Path;
use std::process::Command;

propusk_tests::on_each_backend![the_curl_examples_of_the_readme_run];

fn the_curl_examples_of_the_readme_run(backend: Backend) {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let scripts: Vec<&str> = readme.split("```sh run\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!scripts.is_empty());
    let server = TestServer::start(backend);
    let (anna, worker) = (server.add_user("anna", "owner"), server.add_client("worker", Preset::Service));
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    for script in scripts {
        let directory = tempfile::tempdir().unwrap();
        let output = Command::new("sh")
            .args(["-euxc", script])
            .current_dir(directory.path())
            .envs([("ISSUER", server.issuer.as_str()), ("WORKER", worker.id()), ("WORKER_SECRET", &worker.secret), ("SITE", site.id())])
            .envs([("SITE_SECRET", site.secret.as_str()), ("REDIRECT_URI", site.redirect_uri()), ("USERNAME", "anna"), ("PASSWORD", &anna.password)])
            .output()
            .unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{stdout}\n{stderr}");
        for expected in ["\"preferred_username\":\"anna\"", "\"active\":true", "\"refresh_token\":\"ppr_", "\"token_type\":\"Bearer\""] {
            assert!(stdout.contains(expected), "{expected} is missing in {stdout}");
        }
    }
}
