//! The listener: one thread a connection, one request a connection, JSON in and out.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;
use super::faults::Gate;
use crate::http::form_decode;

/// The largest body that is read.
const MAX_BODY: usize = 1024 * 1024;

/// A request as the handlers see it.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Query parameters, the last of a name.
    pub query: BTreeMap<String, String>,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// JSON body; null when there is none or it is no JSON.
    pub body: Value,
}

impl Incoming {
    /// A parameter of the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A non-empty text of the body.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str).filter(|value| !value.is_empty())
    }
}

/// What becomes of the connection.
pub(super) enum Outcome {
    /// An answer.
    Answer(Answer),
    /// An answer after a while.
    Late(Duration, Answer),
    /// An answer that waits until a test lets it go.
    Held(Gate, Answer),
    /// Bytes that are no HTTP answer.
    Bytes(&'static str),
    /// The connection is closed without a word.
    Close,
    /// The connection stays open and nothing comes.
    Silence,
}

/// Serves until `stopped`; connections that wait for silence end with it.
pub(super) fn serve(listener: TcpListener, stopped: Arc<AtomicBool>, handle: impl Fn(&Incoming) -> Outcome + Send + Sync + 'static) {
    let handle = Arc::new(handle);
    for stream in listener.incoming() {
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let (handle, stopped) = (Arc::clone(&handle), Arc::clone(&stopped));
        std::thread::spawn(move || {
            // A peer that goes away in the middle is its own affair.
            let _gone = converse(stream, &stopped, &*handle);
        });
    }
}

fn converse(mut stream: TcpStream, stopped: &AtomicBool, handle: &dyn Fn(&Incoming) -> Outcome) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let Some(request) = read(&mut BufReader::new(stream.try_clone()?))? else { return Ok(()) };
    match handle(&request) {
        Outcome::Answer(answer) => stream.write_all(&answer.to_bytes()),
        Outcome::Late(delay, answer) => {
            std::thread::sleep(delay);
            stream.write_all(&answer.to_bytes())
        }
        Outcome::Held(gate, answer) => {
            gate.hold();
            let written = stream.write_all(&answer.to_bytes());
            gate.passed();
            written
        }
        Outcome::Bytes(text) => stream.write_all(text.as_bytes()),
        Outcome::Close => Ok(()),
        Outcome::Silence => {
            while !stopped.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        }
    }
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Incoming>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut parts = line.split_whitespace();
    let (Some(method), Some(target)) = (parts.next(), parts.next()) else { return Ok(None) };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Incoming {
        method: method.to_owned(),
        path: path.to_owned(),
        query: form_decode(query.as_bytes()).into_iter().collect(),
        headers: BTreeMap::new(),
        body: Value::Null,
    };
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            request.headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let length = request.headers.get("content-length").and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
    let mut body = vec![0; length.min(MAX_BODY)];
    reader.read_exact(&mut body)?;
    request.body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Ok(Some(request))
}
