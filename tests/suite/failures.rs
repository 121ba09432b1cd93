//! What stands under the server fails: an error of the right shape at once, recovery by itself, nothing acknowledged lost.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use propusk_domain::client::Preset;
use propusk_tests::browser::Browser;
use propusk_tests::html;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, Person, Registered, TestServer, free_port};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn prepared(server: &TestServer) -> (Person, Registered) {
    (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)))
}

/// `temporarily_unavailable` as a program is told it.
fn assert_passing(response: &Response) {
    assert_eq!((response.status, response.reason.as_str()), (503, "temporarily_unavailable"), "{}", response.text());
    assert_eq!(response.json()["error"], "temporarily_unavailable");
    assert!(response.json()["error_reference"].is_string());
    assert!(response.header("retry-after").is_some());
    assert_eq!(response.header("cache-control"), Some("no-store"));
}

/// The sign-in page says that it is not the person's fault, nor a crowd's; the reference that it shows.
fn assert_unavailable(page: &str) -> String {
    let notice = html::text_of(page, "login-notice").unwrap_or_else(|| panic!("{page}"));
    assert!(notice.contains("cannot reach the place where it keeps its data"), "{notice}");
    assert_eq!(html::text_of(page, "error-code").as_deref(), Some("temporarily_unavailable"));
    html::text_of(page, "error-reference").unwrap_or_else(|| panic!("{page}"))
}

fn is_ready(server: &TestServer) -> bool {
    Request::get(&server.url("/readyz")).send().unwrap().status == 200
}

/// Waits for another process: at most ten seconds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn sqlite_path(server: &TestServer) -> String {
    let url = &server.settings().iter().find(|(key, _)| key == "database.url").unwrap().1;
    url.strip_prefix("sqlite:").unwrap().to_owned()
}

#[test]
fn a_database_that_another_process_locks_is_waited_for_and_then_refused() {
    let server = TestServer::with(Backend::Sqlite, &[("database.busy_timeout_ms", "300")]);
    let (anna, site) = prepared(&server);
    let code = server.code(&site, &anna, &[]);
    let token = server.tokens(&site, &anna, "openid")["access_token"].as_str().unwrap().to_owned();
    let mut form = Browser::new().stop_at(site.redirect_uri());
    form.visit(&server.authorize_url(&site, &[])).unwrap();
    let mut other = SqliteConnection::establish(&sqlite_path(&server)).unwrap();
    other.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").unwrap();
    // What only reads goes on.
    assert_eq!(server.userinfo(&token).status, 200);
    assert_eq!(Request::get(&server.url("/oauth/jwks")).send().unwrap().status, 200);
    assert_passing(&server.redeem(&site, &code, &[]));
    let landing = form.clone().sign_in("anna", &anna.password).unwrap();
    assert_eq!(landing.status(), 503, "{}", landing.trace());
    assert!(landing.response().header("retry-after").is_some());
    let reference = assert_unavailable(&landing.html());
    // With a session at hand the client is told (RFC 6749 §4.1.2.1).
    other.batch_execute("ROLLBACK").unwrap();
    let (mut browser, _) = server.sign_in(&site, &anna, &[]);
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let landing = browser.visit(&server.authorize_url(&site, &[])).unwrap();
    assert_eq!(landing.param("error").as_deref(), Some("temporarily_unavailable"), "{}", landing.trace());
    assert_eq!(landing.param("state").as_deref(), Some("st"));
    other.batch_execute("ROLLBACK").unwrap();
    // What could not be written down meanwhile is known now.
    assert_eq!(server.explain(&reference).detail.cause.slug(), "store_unavailable");
    // Nothing of what was refused had happened.
    assert_eq!(server.redeem(&site, &code, &[]).status, 200);
    assert!(form.sign_in("anna", &anna.password).unwrap().param("code").is_some());
}

#[test]
fn a_short_lock_is_not_noticed() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = prepared(&server);
    let code = server.code(&site, &anna, &[]);
    let path = sqlite_path(&server);
    let (locked, wait) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        let mut other = SqliteConnection::establish(&path).unwrap();
        other.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").unwrap();
        locked.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        other.batch_execute("ROLLBACK").unwrap();
    });
    wait.recv().unwrap();
    assert_eq!(server.redeem(&site, &code, &[]).status, 200);
    holder.join().unwrap();
}

#[test]
fn a_database_file_that_is_gone_acknowledges_nothing() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = prepared(&server);
    let (code, late) = (server.code(&site, &anna, &[]), server.code(&site, &anna, &[]));
    assert_eq!(server.redeem(&site, &code, &[]).status, 200);
    let path = sqlite_path(&server);
    let aside = format!("{path}.aside");
    // The open files live on without a name: what is written there would be lost with the process.
    std::fs::rename(&path, &aside).unwrap();
    assert_passing(&server.redeem(&site, &late, &[]));
    until("not ready", || !is_ready(&server));
    assert_eq!(Request::get(&server.url("/healthz")).send().unwrap().status, 200);
    assert_eq!(Request::get(&server.url("/oauth/jwks")).send().unwrap().status, 200);
    // Another file under the name is not the database either.
    std::fs::write(&path, b"").unwrap();
    assert_passing(&server.redeem(&site, &late, &[]));
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(server.redeem(&site, &late, &[]).status, 200, "the same file is back under its name");
    until("ready", || is_ready(&server));
}

/// A Redis of our own that is killed and started again.
struct OwnRedis {
    port: u16,
    child: Option<Child>,
}

impl OwnRedis {
    fn start() -> Self {
        let mut redis = Self { port: free_port(), child: None };
        redis.up();
        redis
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    fn up(&mut self) {
        let arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &self.port.to_string()].map(str::to_owned);
        self.child = Some(Command::new("redis-server").args(arguments).stdout(Stdio::null()).spawn().expect("redis-server"));
        let port = self.port;
        until("Redis answers", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// A store that hangs is worse than one that is gone: it takes connections and never answers.
    fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

#[test]
fn redis_lost_in_mid_flight_fails_what_needs_it_and_comes_back_by_itself() {
    let mut redis = OwnRedis::start();
    let server = TestServer::with(Backend::PostgresRedis, &[("redis.url", &redis.url())]);
    let (anna, site) = prepared(&server);
    let (mut signed_in, landing) = server.sign_in(&site, &anna, &[("scope", "openid offline_access")]);
    let tokens = server.redeem(&site, &landing.param("code").unwrap(), &[]).json();
    let huge = "s".repeat(6000);
    let mut parked = Browser::new().stop_at(site.redirect_uri());
    parked.visit(&server.authorize_url(&site, &[("state", &huge)])).unwrap();
    let mut form = Browser::new().stop_at(site.redirect_uri());
    form.visit(&server.authorize_url(&site, &[])).unwrap();
    assert!(is_ready(&server));
    redis.kill();
    // A replay check whose store does not answer refuses: no password is judged uncounted.
    let landing = form.sign_in("anna", &anna.password).unwrap();
    assert_eq!(landing.status(), 503, "{}", landing.trace());
    assert!(landing.response().header("retry-after").is_some());
    assert!(form.jar.named("propusk_session").is_none());
    let landing = Browser::new().stop_at(site.redirect_uri()).visit(&server.authorize_url(&site, &[("state", &huge)])).unwrap();
    assert_eq!(landing.param("error").as_deref(), Some("temporarily_unavailable"), "{}", landing.trace());
    let landing = parked.sign_in("anna", &anna.password).unwrap();
    assert_eq!(landing.status(), 503, "a flow that lies in Redis: {}", landing.trace());
    assert!(!is_ready(&server));
    // What does not need Redis goes on: sessions, codes, tokens, documents.
    let landing = signed_in.visit(&server.authorize_url(&site, &[])).unwrap();
    let code = landing.param("code").unwrap();
    assert_eq!(server.redeem(&site, &code, &[]).status, 200);
    let refreshed = server.refresh(&site, tokens["refresh_token"].as_str().unwrap());
    assert_eq!(refreshed.status, 200, "{}", refreshed.text());
    assert_eq!(server.userinfo(tokens["access_token"].as_str().unwrap()).status, 200);
    redis.up();
    until("ready again", || is_ready(&server));
    let landing = form.sign_in("anna", &anna.password).unwrap();
    assert!(landing.param("code").is_some(), "{}", landing.trace());
    // The parked flow went with Redis; a page says how to go on, and beginning again works.
    let mut lost = Browser::new().stop_at(site.redirect_uri());
    lost.visit(&server.authorize_url(&site, &[("state", &huge)])).unwrap();
    assert_eq!(lost.sign_in("anna", &anna.password).unwrap().param("state").as_deref(), Some(huge.as_str()));
    assert_eq!(server.refresh(&site, refreshed.json()["refresh_token"].as_str().unwrap()).status, 200, "nothing durable was lost");
}

#[test]
fn a_redis_that_hangs_is_told_as_what_it_is_while_it_hangs() {
    let redis = OwnRedis::start();
    let server = TestServer::with(Backend::PostgresRedis, &[("redis.url", &redis.url())]);
    let (anna, site) = prepared(&server);
    let mut form = Browser::new().stop_at(site.redirect_uri());
    form.visit(&server.authorize_url(&site, &[])).unwrap();
    redis.signal("-STOP");
    let landing = form.sign_in("anna", &anna.password).unwrap();
    assert_eq!(landing.status(), 503, "{}", landing.trace());
    assert!(landing.response().header("retry-after").is_some());
    let record = server.explain(&assert_unavailable(&landing.html()));
    assert_eq!((record.detail.cause.slug(), record.error.as_str()), ("store_unavailable", "temporarily_unavailable"));
    assert!(record.detail.received.as_deref().unwrap().contains("Redis"), "{record:?}");
    assert!(!record.detail.fix.is_empty());
    redis.signal("-CONT");
    until("ready again", || is_ready(&server));
    assert!(form.sign_in("anna", &anna.password).unwrap().param("code").is_some());
}

/// Ends every connection of this server's database but our own.
fn terminate_connections(server: &TestServer) {
    let url = &server.settings().iter().find(|(key, _)| key == "database.url").unwrap().1;
    let name = url.rsplit('/').next().unwrap();
    let administration = propusk_tests::server::service("PROPUSK_TEST_POSTGRES");
    let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()");
    PgConnection::establish(&administration).unwrap().batch_execute(&sql).unwrap();
}

#[test]
fn connections_that_postgresql_ends_are_replaced_by_the_next_request() {
    let server = TestServer::start(Backend::PostgresRedis);
    let (anna, site) = prepared(&server);
    let codes: Vec<String> = (0..4).map(|_| server.code(&site, &anna, &[])).collect();
    for code in &codes {
        terminate_connections(&server);
        // Nothing had begun on the dead connections, so the request does not even notice.
        let answer = server.redeem(&site, code, &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(server.userinfo(answer.json()["access_token"].as_str().unwrap()).status, 200);
    }
    terminate_connections(&server);
    assert!(is_ready(&server));
}

#[test]
fn connections_lost_under_load_cost_nobody_a_grant() {
    let server = Arc::new(TestServer::with(Backend::PostgresRedis, &[("refresh.retry_window", "60")]));
    let (anna, site) = prepared(&server);
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let first = server.tokens(&site, &anna, "openid offline_access")["refresh_token"].as_str().unwrap().to_owned();
            let (server, site, stop) = (Arc::clone(&server), site.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let (mut token, mut answered) = (first, 0);
                while !stop.load(Ordering::Relaxed) {
                    let answer = server.refresh(&site, &token);
                    if answer.status == 200 {
                        answer.json()["refresh_token"].as_str().unwrap().clone_into(&mut token);
                        answered += 1;
                    } else {
                        // Unknown whether it happened: the same token again is a safe retry either way.
                        assert_passing(&answer);
                    }
                }
                (token, answered)
            })
        })
        .collect();
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(60));
        terminate_connections(&server);
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        let (token, answered) = thread.join().unwrap();
        assert!(answered > 0);
        let answer = server.refresh(&site, &token);
        assert_eq!(answer.status, 200, "the grant lives on: {}", answer.text());
    }
}
