//! A server in this process: real HTTP on a free port, a clock that is moved by hand, either pair of backends.

use crate::browser::{Browser, Landing};
use crate::contract;
use crate::http::{Request, Response};
use crate::postgres::TemporaryDatabase;
use propusk_crypto::{PasswordHasher, PasswordParams, Secret, SystemRandom};
use propusk_domain::admin::clients::{self, ClientPatch, NewClient};
use propusk_domain::admin::users::{self, NewUser};
use propusk_domain::client::{Client, Preset};
use propusk_domain::records::{AuditEvent, AuditFilter, RefusalRecord};
use propusk_domain::user::User;
use propusk_domain::{Cx, Error, UnixTime};
use propusk_server::clock::ManualClock;
use propusk_server::{Instance, Settings, serve};
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// When every test begins: 20 November 2026, noon.
pub const START: UnixTime = UnixTime(1_795_176_000);

/// Which databases a server stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// SQLite for everything.
    Sqlite,
    /// PostgreSQL, with Redis for what may be lost.
    PostgresRedis,
}

/// A running server and the installation behind it.
pub struct TestServer {
    /// The issuer: `http://127.0.0.1:PORT`.
    pub issuer: String,
    /// The installation, for what an operator would do by the command line *in another process*.
    pub instance: Instance,
    /// The server's clock.
    pub clock: Arc<ManualClock>,
    /// Where metrics are read.
    pub metrics: SocketAddr,
    settings: Vec<(String, String)>,
    authority: String,
    stop: Option<(actix_web::dev::ServerHandle, JoinHandle<()>)>,
    place: Arc<Place>,
}

/// What the server stands on; goes with the last server on it.
struct Place {
    directory: tempfile::TempDir,
    database: Option<TemporaryDatabase>,
}

/// Somebody who can sign in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The row.
    pub user: User,
    /// The password.
    pub password: String,
}

/// A registered client with its secret.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The row.
    pub client: Client,
    /// The secret; empty for a public client.
    pub secret: String,
}

impl Registered {
    /// The identifier.
    pub fn id(&self) -> &str {
        &self.client.client_id
    }

    /// The first redirect URI.
    pub fn redirect_uri(&self) -> &str {
        &self.client.settings.redirect_uris[0]
    }
}

impl TestServer {
    /// A server on fresh databases with the settings of a test (cheap password hashes, a metrics listener).
    pub fn start(backend: Backend) -> Self {
        Self::with(backend, &[])
    }

    /// The same with further settings: `("session.idle", "60")`.
    pub fn with(backend: Backend, more: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let database = (backend == Backend::PostgresRedis).then(TemporaryDatabase::create);
        let place = Arc::new(Place { directory, database });
        Self::on(place, more, Arc::new(ManualClock::at(START)), free_port())
    }

    /// The same with its clock somewhere else than at [`START`].
    pub fn at(backend: Backend, now: UnixTime) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let database = (backend == Backend::PostgresRedis).then(TemporaryDatabase::create);
        Self::on(Arc::new(Place { directory, database }), &[], Arc::new(ManualClock::at(now)), free_port())
    }

    /// Another server on the same installation: a replica, or the same one after a restart.
    #[must_use]
    pub fn replica(&self, more: &[(&str, &str)]) -> Self {
        let port = free_port();
        // Both answer under the same issuer, as replicas behind one proxy do.
        let mut settings = vec![("issuer".to_owned(), self.issuer.clone())];
        settings.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let borrowed: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let mut replica = Self::on(Arc::clone(&self.place), &borrowed, Arc::clone(&self.clock), port);
        replica.issuer = format!("http://127.0.0.1:{port}");
        replica
    }

    /// Stops the server in order, lets `between` happen, and starts it again on the same data under the same address.
    #[must_use]
    pub fn restarted(mut self, between: impl FnOnce()) -> Self {
        let settings = self.settings.clone();
        let borrowed: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let (place, clock) = (Arc::clone(&self.place), Arc::clone(&self.clock));
        let port = self.authority.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        self.stop();
        drop(self);
        between();
        Self::on(place, &borrowed, clock, port)
    }

    fn stop(&mut self) {
        if let Some((handle, thread)) = self.stop.take() {
            // The future stops the server even when nobody awaits it; the thread ends with it.
            drop(handle.stop(true));
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("the server's thread ends in order");
            }
        }
    }

    fn on(place: Arc<Place>, more: &[(&str, &str)], clock: Arc<ManualClock>, port: u16) -> Self {
        let path = place.directory.path().display().to_string();
        let mut settings = vec![
            ("issuer".to_owned(), format!("http://127.0.0.1:{port}")),
            ("http.listen".to_owned(), format!("127.0.0.1:{port}")),
            ("metrics.listen".to_owned(), "127.0.0.1:0".to_owned()),
            ("keys.master_key_file".to_owned(), format!("{path}/master.key")),
            ("password.memory_kib".to_owned(), "256".to_owned()),
            ("password.iterations".to_owned(), "1".to_owned()),
            ("http.shutdown_timeout".to_owned(), "1".to_owned()),
        ];
        match &place.database {
            Some(database) => {
                settings.push(("database.url".to_owned(), database.url.clone()));
                settings.push(("redis.url".to_owned(), service("PROPUSK_TEST_REDIS")));
                settings.push(("redis.prefix".to_owned(), format!("{}:", path.rsplit('/').next().unwrap_or_default())));
            }
            None => settings.push(("database.url".to_owned(), format!("sqlite:{path}/propusk.db"))),
        }
        for (key, value) in more {
            settings.retain(|(known, _)| known != key);
            settings.push(((*key).to_owned(), (*value).to_owned()));
        }
        let parsed = Settings::from_map(settings.clone()).expect("settings");
        let issuer = parsed.issuer.clone();
        let (sender, receiver) = mpsc::channel();
        let (server_settings, server_clock) = (parsed.clone(), Arc::clone(&clock));
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let running = serve::start(server_settings, server_clock).expect("a server");
                sender.send((running.handle(), running.metrics_address)).expect("the test waits");
                running.wait().await.expect("an orderly end");
            });
        });
        let (handle, metrics) = receiver.recv_timeout(Duration::from_secs(30)).expect("a server that starts");
        let instance = Instance::open_with(parsed, Arc::clone(&clock) as Arc<_>).expect("the installation");
        let authority = format!("127.0.0.1:{port}");
        contract::register(&authority, instance.settings.issuer_path());
        Self { issuer, instance, clock, metrics: metrics.expect("metrics"), settings, authority, stop: Some((handle, thread)), place }
    }

    /// A URL of this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The settings it was started with.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// The directory of its files; gone with the last server on it.
    pub fn place(&self) -> &std::path::Path {
        self.place.directory.path()
    }

    /// Moves the clock.
    pub fn advance(&self, seconds: i64) {
        self.clock.advance(seconds);
    }

    /// Does what the command line would do, in another process than the server.
    pub fn admin<T: Send + 'static>(&self, f: impl FnMut(&mut Cx<'_>) -> Result<T, Error> + Send + 'static) -> T {
        self.instance.write(f).map_err(describe).expect("an administrative change")
    }

    /// Reads the database.
    pub fn look<T>(&self, f: impl FnOnce(&mut Cx<'_>) -> Result<T, Error>) -> T {
        self.instance.read(f).map_err(describe).expect("a look")
    }

    /// Adds a person with a verified address and a password.
    pub fn add_user(&self, username: &str, role: &str) -> Person {
        let password = format!("correct horse {username}");
        let hasher = PasswordHasher::new(PasswordParams { memory_kib: 256, iterations: 1, parallelism: 1 }, 1).expect("a hasher");
        let hash = hasher.hash(&password, &SystemRandom).expect("a hash");
        let mut new = NewUser::new(username, role);
        new.email = Some(format!("{username}@example.org"));
        new.email_verified = true;
        new.name = Some(format!("Name of {username}"));
        new.password_hash = Some(hash);
        let user = self.admin(move |cx| users::add(cx, new.clone()));
        Person { user, password }
    }

    /// Adds a client with one redirect URI (`https://ID.example/cb`).
    pub fn add_client(&self, client_id: &str, preset: Preset) -> Registered {
        self.add_client_with(client_id, preset, |_| {})
    }

    /// The same, changed before it is added.
    pub fn add_client_with(&self, client_id: &str, preset: Preset, change: impl FnOnce(&mut NewClient)) -> Registered {
        let mut new = NewClient::new(client_id, preset);
        if preset.has_people() {
            new.redirect_uris = vec![format!("https://{client_id}.example/cb")];
            new.post_logout_redirect_uris = vec![format!("https://{client_id}.example/bye")];
        }
        change(&mut new);
        let (client, secret) = self.admin(move |cx| clients::add(cx, &new));
        Registered { client, secret: secret.map(|secret: Secret| secret.expose().to_owned()).unwrap_or_default() }
    }

    /// Changes a client.
    pub fn set_client(&self, client_id: &str, change: impl FnOnce(&mut ClientPatch)) {
        let mut patch = ClientPatch::default();
        change(&mut patch);
        let client_id = client_id.to_owned();
        self.admin(move |cx| clients::set(cx, &client_id, &patch));
    }

    /// Waits until the running server has seen what another process changed: it looks every quarter of a second and
    /// promises a second.
    pub fn settle(&self) {
        std::thread::sleep(Duration::from_secs(1));
    }

    /// The record behind a reference; the server writes it a moment after its answer.
    pub fn explain(&self, reference: &str) -> RefusalRecord {
        let began = Instant::now();
        loop {
            let wanted = reference.to_owned();
            if let Some(record) = self.look(|cx| Ok(cx.store.find_refusal(&wanted)?)) {
                return record;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no record of the reference {reference}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The audit events of a kind, newest first.
    pub fn audit(&self, kind: &str) -> Vec<AuditEvent> {
        let filter = AuditFilter { kind: Some(kind.to_owned()), limit: 1000, ..AuditFilter::default() };
        self.look(|cx| Ok(cx.store.list_audit(&filter)?))
    }

    /// The text of the metrics page.
    pub fn metrics_text(&self) -> String {
        Request::get(&format!("http://{}/metrics", self.metrics)).send().expect("metrics").text()
    }

    /// An authorization URL.
    pub fn authorize_url(&self, client: &Registered, more: &[(&str, &str)]) -> String {
        let mut pairs = vec![
            ("client_id", client.id()),
            ("redirect_uri", client.redirect_uri()),
            ("response_type", "code"),
            ("state", "st"),
            ("scope", "openid"),
        ];
        for (name, value) in more {
            pairs.retain(|(known, _)| known != name);
            if !value.is_empty() {
                pairs.push((name, value));
            }
        }
        self.url(&format!("/oauth/authorize?{}", propusk_protocol::form::encode(&pairs)))
    }

    /// Signs a person in on a fresh browser, by way of a client; where the browser ends is the client's redirect URI.
    pub fn sign_in(&self, client: &Registered, person: &Person, more: &[(&str, &str)]) -> (Browser, Landing) {
        let mut browser = Browser::new().stop_at(client.redirect_uri());
        browser.visit(&self.authorize_url(client, more)).expect("the sign-in page");
        let landing = browser.sign_in(&person.user.username, &person.password).expect("a sign-in");
        (browser, landing)
    }

    /// A fresh code for a person.
    pub fn code(&self, client: &Registered, person: &Person, more: &[(&str, &str)]) -> String {
        let (mut browser, landing) = self.sign_in(client, person, more);
        let landing = if landing.param("code").is_none() && browser.html().contains("consent-allow") {
            browser.press("consent-allow").expect("consent")
        } else {
            landing
        };
        landing.param("code").unwrap_or_else(|| panic!("no code:\n{}", landing.trace()))
    }

    /// A token request with the client's secret in the body (or none).
    pub fn token(&self, client: &Registered, pairs: &[(&str, &str)]) -> Response {
        let mut form = pairs.to_vec();
        form.push(("client_id", client.id()));
        if !client.secret.is_empty() {
            form.push(("client_secret", &client.secret));
        }
        Request::post(&self.url("/oauth/token")).post_form(&form).send().expect("an answer")
    }

    /// Exchanges a code.
    pub fn redeem(&self, client: &Registered, code: &str, more: &[(&str, &str)]) -> Response {
        let mut pairs = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", client.redirect_uri())];
        pairs.extend_from_slice(more);
        self.token(client, &pairs)
    }

    /// The whole code flow; the token endpoint's JSON.
    pub fn tokens(&self, client: &Registered, person: &Person, scope: &str) -> Value {
        let verifier = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
        let verifier_parsed = propusk_protocol::CodeVerifier::parse(verifier).expect("a verifier");
        let challenge = propusk_protocol::CodeChallenge::from_verifier(&verifier_parsed).as_str().to_owned();
        let code = self.code(client, person, &[("scope", scope), ("code_challenge", &challenge), ("code_challenge_method", "S256")]);
        let response = self.redeem(client, &code, &[("code_verifier", verifier)]);
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    }

    /// Refreshes.
    pub fn refresh(&self, client: &Registered, refresh_token: &str) -> Response {
        self.token(client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    }

    /// Userinfo with the token in the header.
    pub fn userinfo(&self, token: &str) -> Response {
        Request::get(&self.url("/oauth/userinfo")).bearer(token).send().expect("an answer")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        contract::forget(&self.authority);
        self.stop();
    }
}

/// What went wrong, in words.
pub fn describe(error: Error) -> String {
    match error {
        Error::Fault(fault) => fault.to_string(),
        Error::Refused(refusal) => format!("refused: {} ({:?})", refusal.public, refusal.detail),
    }
}

/// The address of a service that `make test` starts; a test that lacks one fails, it is not skipped.
#[expect(clippy::disallowed_methods, reason = "the services are named by whoever runs the tests")]
pub fn service(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} must be set (tests/services.sh starts what it names)"))
}

/// A port that nobody listens on: below the range from which the kernel gives out ports by itself.
pub fn free_port() -> u16 {
    loop {
        let mut bytes = [0_u8; 2];
        propusk_crypto::Random::fill(&SystemRandom, &mut bytes);
        let port = 10_000 + u16::from_le_bytes(bytes) % 22_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Makes two tests of each function: one a pair of backends.
#[macro_export]
macro_rules! on_each_backend {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test($crate::server::Backend::Sqlite); })*
        }
        mod postgres_redis {
            $(#[test] fn $test() { super::$test($crate::server::Backend::PostgresRedis); })*
        }
    };
}
