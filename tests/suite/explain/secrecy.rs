//! No log line holds a query string, a cookie, an `Authorization` header, a token, a code or a password: a server process that
//! logs everything it can goes through many flows, good and bad, and its standard error is searched for each secret that was used.

use propusk_tests::browser::{Browser, Hop};
use propusk_tests::http::{Request, Response};
use propusk_tests::server::free_port;
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const REDIRECT_URI: &str = "https://site.example/cb";

/// `propusk serve` in a process of its own.
struct Process {
    issuer: String,
    directory: tempfile::TempDir,
    child: Child,
}

#[expect(clippy::disallowed_methods, reason = "the binary lies beside the test's own, and settings of whoever runs the tests must not reach it")]
fn propusk(directory: &Path, issuer: &str) -> Command {
    let own = std::env::current_exe().unwrap();
    let binary: PathBuf = own.parent().and_then(Path::parent).unwrap().join("propusk");
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PROPUSK__") {
            command.env_remove(name);
        }
    }
    command
        .env("PROPUSK__ISSUER", issuer)
        .env("PROPUSK__HTTP__LISTEN", issuer.trim_start_matches("http://"))
        .env("PROPUSK__DATABASE__URL", format!("sqlite:{}", directory.join("propusk.db").display()))
        .env("PROPUSK__PASSWORD__MEMORY_KIB", "256")
        .env("PROPUSK__LOG__FORMAT", "json")
        .env("PROPUSK__LOG__LEVEL", "trace");
    command
}

impl Process {
    fn start() -> Self {
        Self::start_with("json")
    }

    fn start_with(format: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let issuer = format!("http://127.0.0.1:{}", free_port());
        let log = File::create(directory.path().join("log")).unwrap();
        let child = propusk(directory.path(), &issuer)
            .arg("serve")
            .env("PROPUSK__LOG__FORMAT", format)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let process = Self { issuer, directory, child };
        let began = Instant::now();
        while Request::get(&process.url("/healthz")).send().is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "{}", process.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        process
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    fn cli(&self, arguments: &[&str]) -> Value {
        let output = propusk(self.directory.path(), &self.issuer).args(arguments).arg("--json").stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Tells the process to end and waits until it has written its last line.
    fn stop(&mut self) -> String {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success() && self.child.wait().unwrap().success());
        self.log()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already unless the test has failed.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// What was used and must not be found, with a name for the message.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn add(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= 6, "{name} is too short to be searched for: {secret:?}");
        self.0.push((name.to_owned(), secret.to_owned()));
    }

    /// Cookies, query strings, header values and form values of everything that a browser sent.
    fn add_hops(&mut self, hops: &[Hop]) {
        for hop in hops {
            let query = hop.request.url.split_once('?').map_or("", |(_, query)| query);
            let body = String::from_utf8_lossy(&hop.request.body).into_owned();
            let cookie = hop.request.header_value("cookie").unwrap_or_default();
            let set: Vec<String> = hop.response.headers("set-cookie").iter().map(|line| line.split(';').next().unwrap().to_owned()).collect();
            let values = [query, &body].into_iter().flat_map(|text| text.split('&'));
            let cookies = cookie.split("; ").chain(set.iter().map(String::as_str));
            for pair in values.chain(cookies) {
                let (name, value) = pair.split_once('=').unwrap_or(("", ""));
                // Names of clients, places and people are no secrets.
                if value.len() >= 24 && name != "redirect_uri" {
                    self.add(name, value);
                }
            }
            if query.len() >= 24 {
                self.add("query string", query);
            }
        }
    }

    fn must_not_be_in(&self, log: &str) {
        for (name, secret) in &self.0 {
            let found = log.lines().find(|line| line.contains(secret.as_str()));
            assert!(found.is_none(), "{name} is in the log: {found:?}");
        }
    }
}

fn authorize_url(process: &Process, state: &str) -> String {
    let pairs = [
        ("client_id", "site"),
        ("redirect_uri", REDIRECT_URI),
        ("response_type", "code"),
        ("scope", "openid profile offline_access"),
        ("state", state),
        ("nonce", "a-nonce-that-nobody-else-may-know"),
        ("login_hint", "somebody.private@example.org"),
    ];
    process.url(&format!("/oauth/authorize?{}", propusk_protocol::form::encode(&pairs)))
}

#[test]
fn the_log_holds_no_secret_at_the_most_talkative_level() {
    let mut process = Process::start();
    let mut secrets = Secrets::default();
    let password = process.cli(&["user", "add", "anna", "--role", "owner", "--generate-password"])["password"].as_str().unwrap().to_owned();
    let client = process.cli(&["client", "add", "site", "--preset", "web", "--first-party", "--redirect-uri", REDIRECT_URI]);
    let secret = client["client_secret"].as_str().unwrap().to_owned();
    secrets.add("password", &password);
    secrets.add("client secret", &secret);
    secrets.add("nonce", "a-nonce-that-nobody-else-may-know");
    secrets.add("login hint", "somebody.private");
    // The server looks for new clients every quarter of a second.
    std::thread::sleep(Duration::from_millis(600));

    let mut browser = Browser::new().stop_at(REDIRECT_URI);
    browser.visit(&authorize_url(&process, "a-state-of-the-application-0")).unwrap();
    secrets.add("mistyped name", "my-password-in-the-name-field");
    secrets.add("wrong password", "wrong-password-typed");
    browser.sign_in("my-password-in-the-name-field", "wrong-password-typed").unwrap();
    browser.sign_in("anna", "wrong-password-typed").unwrap();
    let landing = browser.sign_in("anna", &password).unwrap();
    let code = landing.param("code").unwrap_or_else(|| panic!("{}", landing.trace()));
    secrets.add("code", &code);
    // A lost cookie, a damaged flow, a second code without a page, a page for nobody.
    let mut other = Browser::new().stop_at(REDIRECT_URI);
    other.visit(&authorize_url(&process, "a-state-of-the-application-1")).unwrap();
    other.jar.clear();
    other.sign_in("anna", &password).unwrap();
    other.visit(&process.url("/login?flow=made-up-flow-parameter-0123456789")).unwrap();
    browser.visit(&authorize_url(&process, "a-state-of-the-application-2")).unwrap();
    browser.visit(&process.url("/oauth/authorize?client_id=site&redirect_uri=https://evil.example&state=a-state-of-the-application-3")).unwrap();

    let tokens = token_requests(&process, &mut secrets, &secret, &code);
    userinfo_requests(&process, &mut secrets, &tokens);
    let hint = tokens["id_token"].as_str().unwrap();
    browser.visit(&process.url(&format!("/oauth/logout?id_token_hint={hint}"))).unwrap();
    secrets.add_hops(&browser.history);
    secrets.add_hops(&other.history);

    let log = process.stop();
    assert!(log.lines().count() > 20, "the log says too little to prove anything:\n{log}");
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    // What the operator needs is there all the same.
    for cause in ["unknown_user", "wrong_password", "lost_cookie", "secret_wrong", "code_reused", "token_in_query", "token_malformed"] {
        assert!(log.contains(&format!("\"cause\":\"{cause}\"")), "{cause}:\n{log}");
    }
    secrets.must_not_be_in(&log);
    for forbidden in ["Set-Cookie", "cookie\":", "Bearer ey", "Basic ", "state=", "code=", "?"] {
        let found = log.lines().find(|line| line.contains(forbidden));
        assert!(found.is_none(), "{forbidden}: {found:?}");
    }
}

#[test]
fn a_refusal_and_its_request_share_a_name_in_either_format() {
    for format in ["json", "human"] {
        let mut process = Process::start_with(format);
        let answer = Request::get(&process.url("/oauth/tokens")).send().unwrap();
        let (name, reference) = (answer.header("x-request-id").unwrap().to_owned(), answer.json()["error_reference"].as_str().unwrap().to_owned());
        let other = Request::get(&process.url("/oauth/tokens")).send().unwrap();
        assert_ne!(other.header("x-request-id"), Some(name.as_str()));
        let log = process.stop();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&name)).collect();
        assert_eq!(lines.len(), 2, "the refusal and the request: {log}");
        assert!(lines[0].contains(&reference) && lines[0].contains("wrong_path") && lines[1].contains("404"), "{lines:?}");
    }
}

#[test]
fn the_log_warns_of_guessing_without_the_name() {
    let mut process = Process::start();
    let mut browser = Browser::new();
    browser.visit(&process.url("/login")).unwrap();
    for _ in 0..14 {
        browser.sign_in("a-name-typed-by-a-guesser", "a-guessed-password").unwrap();
    }
    let log = process.stop();
    let warnings: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).filter(|line: &Value| line["message"] == "sign_in_throttled").collect();
    assert_eq!(warnings.len(), 1, "{log}");
    let warning = &warnings[0];
    assert_eq!(
        (warning["level"].as_str(), warning["address"].as_str(), warning["account"].as_str()),
        (Some("WARN"), Some("127.0.0.1"), Some("unknown"))
    );
    assert!(warning["reference"].as_str().is_some_and(|reference| reference.len() == 6) && warning["request_id"].is_string(), "{warning}");
    assert!(!log.contains("a-name-typed") && !log.contains("a-guessed-password"), "{log}");
}

/// Good and bad requests at the token endpoint; the tokens of the newest refresh.
fn token_requests(process: &Process, secrets: &mut Secrets, secret: &str, code: &str) -> Value {
    let token = |pairs: &[(&str, &str)], secret: &str| -> Response {
        Request::post(&process.url("/oauth/token")).basic("site", secret).post_form(pairs).send().unwrap()
    };
    let exchange = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT_URI)];
    secrets.add("wrong client secret", "a-wrong-client-secret-here");
    assert_eq!(token(&exchange, "a-wrong-client-secret-here").status, 401);
    secrets.add("verifier", "a-verifier-for-a-code-that-had-no-challenge-0");
    let with_verifier: Vec<_> = exchange.iter().copied().chain([("code_verifier", "a-verifier-for-a-code-that-had-no-challenge-0")]).collect();
    assert_eq!(token(&with_verifier, secret).status, 400);
    let first = token(&exchange, secret).json();
    let refresh = first["refresh_token"].as_str().unwrap();
    let second = token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)], secret).json();
    for tokens in [&first, &second] {
        for name in ["access_token", "refresh_token", "id_token"] {
            if let Some(value) = tokens[name].as_str() {
                secrets.add(name, value);
                secrets.add(name, value.rsplit('.').next().unwrap());
            }
        }
    }
    secrets.add("made-up refresh token", "ppr_made.up.1.refresh-token");
    assert_eq!(token(&[("grant_type", "refresh_token"), ("refresh_token", "ppr_made.up.1.refresh-token")], secret).status, 400);
    let request = Request::post(&process.url("/oauth/introspect")).basic("site", secret);
    assert_eq!(request.post_form(&[("token", second["access_token"].as_str().unwrap())]).send().unwrap().json()["active"], true);
    let mut tokens = first;
    tokens["access_token"] = second["access_token"].clone();
    tokens
}

/// Good and bad requests at userinfo, the replay of the code last, because it revokes everything.
fn userinfo_requests(process: &Process, secrets: &mut Secrets, tokens: &Value) {
    let userinfo = process.url("/oauth/userinfo");
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(Request::get(&userinfo).bearer(access_token).send().unwrap().status, 200);
    assert_eq!(Request::get(&format!("{userinfo}?access_token={access_token}")).send().unwrap().status, 400);
    secrets.add("made-up token", "a-made-up-access-token");
    assert_eq!(Request::get(&userinfo).bearer("a-made-up-access-token").send().unwrap().status, 401);
    secrets.add("query of a wrong path", "secret-in-a-query");
    assert_eq!(Request::get(&process.url("/oauth/tokne?client_secret=secret-in-a-query")).send().unwrap().status, 404);
    let code = secrets.0.iter().find(|(name, _)| name == "code").unwrap().1.clone();
    let secret = secrets.0.iter().find(|(name, _)| name == "client secret").unwrap().1.clone();
    let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT_URI)];
    let replayed = Request::post(&process.url("/oauth/token")).basic("site", &secret).post_form(&form).send().unwrap();
    assert_eq!(replayed.reason, "invalid_grant");
    assert_eq!(Request::get(&userinfo).bearer(access_token).send().unwrap().status, 401);
}
