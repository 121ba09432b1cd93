//! What the machine gives without the product.

use crate::load::{Rate, sustained};
use crate::place::Measured;
use actix_web::{App, HttpResponse, HttpServer, web};
use propusk_crypto::{Algorithm, PasswordHasher, PasswordParams, Random, SigningKey, SystemRandom, Verdict, jwt};
use propusk_domain::records::AuditEvent;
use propusk_domain::store::Store;
use propusk_domain::{UnixTime, ids};
use propusk_storage::{Database, Settings, Submitted};
use propusk_tests::connection::Connection;
use propusk_tests::http::Request;
use propusk_tests::server::{describe, free_port};
use serde_json::json;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The bare server in a process of its own.
pub(crate) struct Hello {
    pub process: Measured,
    pub url: String,
}

impl Hello {
    /// With a fresh database at `url`.
    pub(crate) fn start(url: &str) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let program = std::env::current_exe().expect("this program");
        let process = Measured(Command::new(program).args(["--hello", &address, url]).stdout(Stdio::null()).spawn().expect("a process"));
        let url = format!("http://{address}");
        let hello = format!("{url}/hello");
        while Connection::open(&hello).and_then(|mut connection| connection.send(&Request::get(&hello))).is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { process, url }
    }
}

/// `GET /hello`: JSON. `POST /sign/{alg}`: reads a form, signs claims, answers them; nothing is stored. `POST /commit`: the same with
/// ES256, after one look-up and one row in a group commit.
pub(crate) fn serve_hello(address: &str, url: &str) {
    let keys: Arc<Vec<SigningKey>> = Arc::new(Algorithm::ALL.iter().map(|algorithm| SigningKey::generate(*algorithm).expect("a key").0).collect());
    let (address, database) = (address.to_owned(), open(url));
    actix_web::rt::System::new().block_on(async move {
        HttpServer::new(move || {
            let keys = web::Data::from(Arc::clone(&keys));
            App::new()
                .app_data(keys)
                .app_data(web::Data::new(database.clone()))
                .route("/hello", web::get().to(|| async { HttpResponse::Ok().json(json!({"hello": "world"})) }))
                .route("/sign/{alg}", web::post().to(sign))
                .route("/commit", web::post().to(commit))
        })
        .workers(cores())
        .bind(address)
        .expect("an address")
        .run()
        .await
        .expect("an orderly end");
    });
}

async fn sign(keys: web::Data<Vec<SigningKey>>, alg: web::Path<String>, body: web::Bytes) -> HttpResponse {
    let form = propusk_protocol::Params::parse(&body).expect("a form");
    signed(&keys, &alg, form.get("grant_type"))
}

async fn commit(keys: web::Data<Vec<SigningKey>>, database: web::Data<Database>, body: web::Bytes) -> HttpResponse {
    let form = propusk_protocol::Params::parse(&body).expect("a form");
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let done = move |outcome: Result<(), propusk_domain::Error>| sender.send(outcome.is_ok()).expect("a receiver");
    match database.submit(one_row(), done) {
        Submitted::Queued => assert!(receiver.await.expect("an answer"), "a commit"),
        Submitted::RunBlocking(work, _done) => {
            let database = database.clone();
            web::block(move || database.write(work).map_err(describe).expect("a commit")).await.expect("a thread");
        }
    }
    signed(&keys, "ES256", form.get("grant_type"))
}

fn signed(keys: &[SigningKey], alg: &str, sub: Option<&str>) -> HttpResponse {
    let key = keys.iter().find(|key| key.algorithm.as_str() == alg).expect("an algorithm");
    let mut random = [0; 12];
    SystemRandom.fill(&mut random);
    let claims = json!({
        "iss": "http://127.0.0.1:8080", "sub": sub, "aud": "http://127.0.0.1:8080", "client_id": "service",
        "exp": 1_795_176_600, "iat": 1_795_176_000, "jti": random, "scope": "",
    });
    let token = jwt::encode(key, jwt::ACCESS_TOKEN_TYP, &claims).expect("a token");
    HttpResponse::Ok().json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 600}))
}

fn open(url: &str) -> Database {
    Database::open(&Settings { url: url.to_owned(), pool_size: 16, migrate: true, busy_timeout_ms: 5000 }).expect("a database")
}

/// One look-up and one row.
fn one_row() -> impl FnMut(&mut dyn Store) -> Result<(), propusk_domain::Error> + Send {
    let id = ids::sortable(UnixTime(1_795_176_000), &SystemRandom);
    move |store| {
        store.find_grant(&id)?;
        Ok(store.insert_audit(&AuditEvent {
            id: id.clone(),
            at: UnixTime(0),
            kind: "floor".to_owned(),
            sub: None,
            client_id: None,
            grant_id: None,
            detail: None,
        })?)
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Bare signatures, one thread a core.
pub(crate) fn signatures(algorithm: Algorithm, time: Duration) -> Rate {
    let (key, _) = SigningKey::generate(algorithm).expect("a key");
    sustained(cores(), time, |_| {
        let key = key.clone();
        Box::new(move || drop(key.sign(b"a message of the length of a token's first two parts").expect("a signature")))
    })
}

/// Bare Argon2 at the default cost, one thread a core, memory reused.
pub(crate) fn argon2(time: Duration) -> Rate {
    let hasher = Arc::new(PasswordHasher::new(PasswordParams::default(), cores()).expect("a hasher"));
    let stored = hasher.hash("a password", &SystemRandom).expect("a hash");
    sustained(cores(), time, |_| {
        let (hasher, stored) = (Arc::clone(&hasher), stored.clone());
        Box::new(move || assert!(matches!(hasher.verify("a password", Some(&stored)), Verdict::Right { .. })))
    })
}

/// Bare commits, without HTTP: a row each, and an ES256 signature after it, by as many callers as the load has connections.
pub(crate) fn commits(url: &str, callers: usize, time: Duration) -> Rate {
    let database = open(url);
    let (key, _) = SigningKey::generate(Algorithm::ES256).expect("a key");
    let rate = sustained(callers, time, |_| {
        let (database, key) = (database.clone(), key.clone());
        Box::new(move || {
            database.write(one_row()).map_err(describe).expect("a commit");
            drop(key.sign(b"a message of the length of a token's first two parts").expect("a signature"));
        })
    });
    database.shutdown();
    rate
}
