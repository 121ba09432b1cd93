//! A relying party's back-channel logout endpoint: remembers what it is sent and answers as it is told.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A logout token, checked as OpenID Connect Back-Channel Logout 1.0 §2.6 wants it.
#[derive(Debug, Clone)]
pub struct Told {
    /// The JOSE header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Received {
    /// The request line.
    pub line: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

/// The endpoint; ends when it is dropped.
pub struct Receiver {
    /// Where it listens, also while it is down.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answer: Mutex<Option<String>>,
    received: Mutex<Vec<Received>>,
}

impl Receiver {
    /// One that answers 200.
    pub fn start() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], crate::server::free_port())))
    }

    /// The same at an address.
    pub fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let shared = Arc::new(Shared { answer: Mutex::new(Some("200 OK\r\ncache-control: no-store\r\n".to_owned())), ..Shared::default() });
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&listener, &shared)
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// The URI to register.
    pub fn uri(&self) -> String {
        format!("http://{}/logout", self.address)
    }

    /// What it answers from now on: a status line without the version, and headers; `None` never answers.
    pub fn answer(&self, answer: Option<&str>) {
        *lock(&self.shared.answer) = answer.map(|answer| format!("{answer}\r\n"));
    }

    /// What has come so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }

    /// Waits until so many requests have come.
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        let began = Instant::now();
        loop {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{} of {count} requests came: {received:?}", received.len());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Received {
    /// The logout token, verified with the keys that the issuer publishes and judged at `now`.
    pub fn verified(&self, issuer: &str, client_id: &str, algorithm: jsonwebtoken::Algorithm, now: i64) -> Told {
        assert!(self.line.starts_with("POST /logout "), "{}", self.line);
        let header = |name: &str| self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(header("content-type"), Some("application/x-www-form-urlencoded"));
        let token = self.body.strip_prefix("logout_token=").expect("one parameter");
        let head = jsonwebtoken::decode_header(token).expect("a JWT");
        let published = crate::http::Request::get(&format!("{issuer}/oauth/jwks")).send().expect("the key set").json();
        let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(published).expect("a key set");
        let key = keys.find(head.kid.as_deref().expect("a kid")).expect("a published key");
        let mut validation = jsonwebtoken::Validation::new(algorithm);
        validation.validate_exp = false;
        validation.set_audience(&[client_id]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        let verified =
            jsonwebtoken::decode::<Value>(token, &jsonwebtoken::DecodingKey::from_jwk(key).expect("a key"), &validation).expect("a signature");
        let claims = verified.claims;
        let number = |name: &str| claims[name].as_i64().expect("a number");
        assert!(number("iat") <= now && now < number("exp") && number("exp") - number("iat") <= 120, "{claims}");
        assert_eq!(claims["events"], serde_json::json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
        assert!(claims.get("nonce").is_none() && claims["jti"].as_str().is_some_and(|jti| jti.len() >= 16), "{claims}");
        Told { header: serde_json::to_value(head).expect("a header"), claims }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut held = Vec::new();
    while !shared.stop.load(Ordering::SeqCst) {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        stream.set_nonblocking(false).expect("a stream");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a stream");
        // One connection at a time is enough; one that is never answered is kept open.
        if let Some(silent) = answer(stream, shared) {
            held.push(silent);
        }
    }
}

fn answer(stream: TcpStream, shared: &Shared) -> Option<TcpStream> {
    let mut reader = BufReader::new(stream);
    let received = read(&mut reader)?;
    let mut stream = reader.into_inner();
    let answer = lock(&shared.answer).clone();
    lock(&shared.received).push(received);
    let Some(answer) = answer else { return Some(stream) };
    let _gone = stream.write_all(format!("HTTP/1.1 {answer}content-length: 0\r\nconnection: close\r\n\r\n").as_bytes());
    None
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received { line: line.trim_end().to_owned(), headers, body: String::from_utf8_lossy(&body).into_owned() })
}
