//! The sample APIs of `deploy/samples` against a running server: what they take, and what they refuse in which words.

use super::root;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use propusk_domain::UnixTime;
use propusk_domain::client::Preset;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, Registered, TestServer};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const AUDIENCE: &str = "https://api.example.org";

/// Longer than an access token lives, in seconds.
const HOUR: i64 = 3600;

propusk_tests::on_each_backend![the_actix_web_sample_takes_what_it_should_and_nothing_else, the_express_sample_takes_what_it_should_and_nothing_else];

fn the_actix_web_sample_takes_what_it_should_and_nothing_else(backend: Backend) {
    examine(backend, Command::new(env!("CARGO_BIN_EXE_sample-actix-web")));
}

fn the_express_sample_takes_what_it_should_and_nothing_else(backend: Backend) {
    let modules = root().join("tests/samples/node_modules");
    assert!(modules.exists(), "install the packages first: npm ci --prefix tests/samples");
    // Beside the packages that the suites have installed, as `npm install` would have put them.
    let place = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(modules, place.path().join("node_modules")).unwrap();
    for file in ["server.mjs", "package.json"] {
        std::fs::copy(root().join("deploy/samples/express").join(file), place.path().join(file)).unwrap();
    }
    let mut node = Command::new("node");
    node.arg("server.mjs").current_dir(place.path());
    examine(backend, node);
}

/// A sample on a free port; ends with this value.
struct Sample {
    child: Child,
    url: String,
}

impl Sample {
    fn start(mut command: Command, issuer: &str) -> Self {
        let command = command.env("ISSUER", issuer).env("AUDIENCE", AUDIENCE).env("PORT", "0").stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("the sample said {line:?}")).to_owned();
        Self { child, url }
    }

    fn me(&self, token: &str) -> Response {
        Request::get(&format!("{}/me", self.url)).bearer(token).send().unwrap()
    }

    fn post(&self, token: &str) -> Response {
        let request = Request::post(&format!("{}/posts", self.url)).bearer(token);
        request.header("content-type", "application/json").body(json!({ "text": "hi" }).to_string()).send().unwrap()
    }

    #[track_caller]
    fn refuses(&self, what: &str, token: &str) {
        let response = self.me(token);
        assert_eq!(response.status, 401, "{what}: {}", response.text());
        assert_eq!(response.header("www-authenticate"), Some("Bearer error=\"invalid_token\""), "{what}");
        assert_eq!(response.json()["error"], "invalid_token", "{what}");
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn examine(backend: Backend, command: Command) {
    // The samples read the machine's clock.
    let server = TestServer::at(backend, now().plus(-HOUR));
    let early = service(&server, "early", AUDIENCE, "posts.write");
    let expired = token(&server, &early);
    server.advance(HOUR);
    let sample = Sample::start(command, &server.issuer);
    let writer = service(&server, "writer", AUDIENCE, "posts.write");
    let reader = service(&server, "reader", AUDIENCE, "posts.read");

    let open = Request::get(&format!("{}/posts", sample.url)).send().unwrap();
    assert_eq!(open.status, 200, "anyone reads");
    let bare = Request::get(&format!("{}/me", sample.url)).send().unwrap();
    assert_eq!((bare.status, bare.header("www-authenticate")), (401, Some("Bearer")), "no token is no error (RFC 6750 §3.1)");

    let token = self::token(&server, &writer);
    let me = sample.me(&token);
    assert_eq!((me.status, me.json()["client_id"].as_str()), (200, Some("writer")), "{}", me.text());
    assert_eq!(sample.post(&token).status, 201);

    let narrow = sample.post(&self::token(&server, &reader));
    assert_eq!((narrow.status, narrow.json()["error"].as_str()), (403, Some("insufficient_scope")), "{}", narrow.text());
    assert_eq!(narrow.header("www-authenticate"), Some("Bearer error=\"insufficient_scope\", scope=\"posts.write\""));

    sample.refuses("an expired token", &expired);
    attacks(backend, &server, &sample, &token);
}

fn attacks(backend: Backend, server: &TestServer, sample: &Sample, token: &str) {
    sample.refuses("no JWT", "garbage");
    sample.refuses("alg none", &forged(token, |header| header["alg"] = "none".into(), ""));
    sample.refuses("an algorithm of shared secrets", &forged(token, |header| header["alg"] = "HS256".into(), "c2lnbmF0dXJl"));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let changed = BASE64.encode(json!({ "sub": "root", "client_id": "root", "scope": "posts.write" }).to_string());
    sample.refuses("changed claims", &format!("{header}.{changed}.{signature}"));
    sample.refuses("an unknown key", &forged(token, |header| header["kid"] = "nobodys".into(), signature));

    let elsewhere = service(server, "elsewhere", "https://other.example.org", "posts.write");
    sample.refuses("a token for another API", &self::token(server, &elsewhere));

    let (anna, site) = (server.add_user("anna", "owner"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let tokens = server.tokens(&site, &anna, "openid");
    sample.refuses("an ID token", tokens["id_token"].as_str().unwrap());

    let stranger = TestServer::at(backend, now());
    let writer = service(&stranger, "writer", AUDIENCE, "posts.write");
    sample.refuses("another issuer", &self::token(&stranger, &writer));
}

fn service(server: &TestServer, client_id: &str, audience: &str, scope: &str) -> Registered {
    server.add_client_with(client_id, Preset::Service, |new| {
        new.more.audience = Some(audience.to_owned());
        new.scopes = Some([scope.to_owned()].into_iter().collect());
    })
}

fn token(server: &TestServer, client: &Registered) -> String {
    let response = server.token(client, &[("grant_type", "client_credentials")]);
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["access_token"].as_str().unwrap().to_owned()
}

/// The token with another header and signature.
fn forged(token: &str, change: impl FnOnce(&mut Value), signature: &str) -> String {
    let mut parts = token.split('.');
    let mut header: Value = serde_json::from_slice(&BASE64.decode(parts.next().unwrap()).unwrap()).unwrap();
    change(&mut header);
    format!("{}.{}.{signature}", BASE64.encode(header.to_string()), parts.next().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "the samples are programs of their own, with the machine's clock")]
fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixTime(i64::try_from(since.as_secs()).unwrap())
}
