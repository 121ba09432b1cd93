//! A small HTTP/1.1 client that shows everything: exact bytes out, reason phrase and raw header order in, no redirect followed.
//!
//! ```no_run
//! use propusk_tests::http::Request;
//! let answer = Request::post("http://127.0.0.1:8080/oauth/token")
//!     .post_form(&[("grant_type", "client_credentials")])
//!     .basic("site", "secret")
//!     .send()
//!     .unwrap();
//! assert_eq!((answer.status, answer.reason.as_str()), (401, "invalid_client"));
//! ```

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::contract;

pub use crate::connection::Connection;
pub use crate::form::{encode_uri_component, form_decode, form_encode, form_part, query_pairs, query_param};

/// How long a whole exchange may take, connecting included.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Content type of a form body.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// The largest answer that is read; more is a bug of the server.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// One request. Headers go out in the order in which they were added.
///
/// `Host` (first), `Content-Length` and `Connection: close` (last) are added unless the request names them itself in any case, so that
/// a request which names all three is sent exactly as written.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method as sent.
    pub method: String,
    /// Absolute URL as given; the request target is cut from this text and not normalised.
    pub url: String,
    /// Headers in the order of sending.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Body bytes.
    pub body: Vec<u8>,
    verbatim: Option<Vec<u8>>,
}

impl Request {
    /// A request of any method to an absolute `http` URL.
    pub fn new(method: &str, url: &str) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new(), verbatim: None }
    }

    /// `GET url`.
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// `POST url`.
    pub fn post(url: &str) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header; repeated names are kept.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body as it is.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Makes this a form POST with these pairs, in this order, repeated names included.
    #[must_use]
    pub fn post_form(mut self, pairs: &[(&str, &str)]) -> Self {
        self.method = "POST".into();
        self.header("Content-Type", FORM).body(form_encode(pairs))
    }

    /// `Authorization: Basic`, the parts form-encoded as RFC 6749 §2.3.1 asks.
    #[must_use]
    pub fn basic(self, client_id: &str, secret: &str) -> Self {
        self.basic_raw(&form_part(client_id), &form_part(secret))
    }

    /// `Authorization: Basic`, the parts as they are (what Rocket.Chat does).
    #[must_use]
    pub fn basic_raw(self, client_id: &str, secret: &str) -> Self {
        let credentials = STANDARD.encode(format!("{client_id}:{secret}"));
        self.header("Authorization", format!("Basic {credentials}"))
    }

    /// `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// Sends these bytes and nothing else; the URL only says where to.
    #[must_use]
    pub fn raw(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.verbatim = Some(bytes.into());
        self
    }

    /// The first value of a header that this request names itself, ignoring case.
    pub fn header_value(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The request target: everything after the authority with its slashes as they are, at least `/`, without the fragment.
    pub fn target(&self) -> String {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        let start = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let target = rest[start..].split('#').next().unwrap_or("");
        if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }
    }

    /// `host[:port]` as written in the URL.
    pub fn authority(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or("")
    }

    /// The exact bytes that [`Request::send`] writes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes_with("close")
    }

    /// Opens a connection, sends, reads one answer, closes.
    ///
    /// # Errors
    /// [`HttpError`] when connecting, sending or reading fails, or the answer is not HTTP/1.x.
    ///
    /// # Panics
    /// When a test's server gave an answer that `openapi.yaml` does not promise.
    pub fn send(&self) -> Result<Response, HttpError> {
        let mut stream = connect(self)?;
        let response = self.send_over(&mut stream)?;
        self.check(&response);
        Ok(response)
    }

    /// Holds the answer against `openapi.yaml` when a test's server gave it; what was sent verbatim may be anything.
    pub(crate) fn check(&self, response: &Response) {
        if self.verbatim.is_none() {
            contract::check(self, response);
        }
    }

    /// The same over a stream that the caller opened (TLS, a proxy, a socket pair).
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn send_over<S: Read + Write>(&self, stream: &mut S) -> Result<Response, HttpError> {
        // A server that refuses early may close before the whole body is written; its answer still counts.
        let written = stream.write_all(&self.to_bytes()).and_then(|()| stream.flush());
        let mut buffer = Vec::new();
        match (read_response(stream, &mut buffer, &self.method), written) {
            (Ok(response), _) => Ok(response),
            (Err(_), Err(error)) => Err(error.into()),
            (Err(error), Ok(())) => Err(error),
        }
    }

    pub(crate) fn bytes_with(&self, connection: &str) -> Vec<u8> {
        if let Some(bytes) = &self.verbatim {
            return bytes.clone();
        }
        let names = |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target()).into_bytes();
        let mut push = |name: &str, value: &[u8]| {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        };
        if !names("host") {
            push("Host", self.authority().as_bytes());
        }
        for (name, value) in &self.headers {
            push(name, value);
        }
        let sized = names("content-length") || names("transfer-encoding");
        if !sized && (!self.body.is_empty() || self.method == "POST") {
            push("Content-Length", self.body.len().to_string().as_bytes());
        }
        if !names("connection") {
            push("Connection", connection.as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// One answer, as it came.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Reason phrase, empty when none was sent.
    pub reason: String,
    /// Headers in the order of arrival, names as sent.
    pub headers: Vec<(String, String)>,
    /// Body after transfer decoding.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header, ignoring the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    /// Every value of a header, in order.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON, with the status and the body.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {} {} {:?}", self.status, self.reason, self.text()))
    }

    /// The body as text, wrong UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The `Location` header.
    pub fn location(&self) -> Option<&str> {
        self.header("location")
    }

    /// A decoded parameter of the `Location` header's query.
    pub fn location_param(&self, name: &str) -> Option<String> {
        query_param(self.location()?, name)
    }

    /// `2xx`.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why no answer could be read.
#[derive(Debug)]
pub enum HttpError {
    /// Connecting, writing or reading failed, or the time was up.
    Io(io::Error),
    /// What came is not an HTTP/1.x answer.
    Malformed(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(formatter, "{error}"),
            Self::Malformed(what) => write!(formatter, "malformed answer: {what}"),
        }
    }
}

impl std::error::Error for HttpError {}

impl From<io::Error> for HttpError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(crate) fn connect(request: &Request) -> Result<TcpStream, HttpError> {
    let url = Url::parse(&request.url).map_err(|error| HttpError::Malformed(format!("{} is no URL: {error}", request.url)))?;
    if url.scheme() != "http" {
        return Err(HttpError::Malformed(format!("{}: open TLS yourself and use send_over", request.url)));
    }
    let host = url.host_str().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    let addresses = (host, url.port_or_known_default().unwrap_or(80)).to_socket_addrs()?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in addresses {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                // A request is one write: waiting for more (Nagle) would add 40 ms to every measured latency.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

/// Reads one answer; what follows it stays in `buffer`.
pub(crate) fn read_response<S: Read>(stream: &mut S, buffer: &mut Vec<u8>, method: &str) -> Result<Response, HttpError> {
    let deadline = Instant::now() + TIMEOUT;
    let mut response = loop {
        let response = read_head(stream, buffer, deadline)?;
        // 100 and 103 announce the real answer; 101 would be a protocol nobody asked for.
        if !(100..200).contains(&response.status) {
            break response;
        }
    };
    if method == "HEAD" || response.status == 204 || response.status == 304 {
        return Ok(response);
    }
    let chunked = response.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
    let lengths = response.headers("content-length");
    if lengths.len() > 1 || (chunked && !lengths.is_empty()) {
        return Err(HttpError::Malformed(format!("ambiguous body length: {:?}", response.headers)));
    }
    let length = match lengths.first() {
        Some(text) => Some(text.parse::<usize>().map_err(|_| HttpError::Malformed(format!("Content-Length {text:?}")))?),
        None => None,
    };
    response.body = match (chunked, length) {
        (true, _) => read_chunks(stream, buffer, deadline)?,
        (false, Some(length)) => take(stream, buffer, length, deadline)?,
        (false, None) => {
            while fill(stream, buffer, deadline)? > 0 {}
            std::mem::take(buffer)
        }
    };
    Ok(response)
}

fn read_head<S: Read>(stream: &mut S, buffer: &mut Vec<u8>, deadline: Instant) -> Result<Response, HttpError> {
    let end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end;
        }
        if fill(stream, buffer, deadline)? == 0 {
            return Err(HttpError::Malformed(format!("closed in the head after {:?}", String::from_utf8_lossy(buffer))));
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or("").splitn(3, ' ');
    let (version, status, reason) = (first.next().unwrap_or(""), first.next().unwrap_or(""), first.next().unwrap_or(""));
    let status = status.parse().map_err(|_| HttpError::Malformed(format!("status line of {head:?}")))?;
    if !version.starts_with("HTTP/1.") {
        return Err(HttpError::Malformed(format!("status line of {head:?}")));
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| HttpError::Malformed(format!("header line {line:?}")))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(Response { status, reason: reason.to_owned(), headers, body: Vec::new() })
}

fn read_chunks<S: Read>(stream: &mut S, buffer: &mut Vec<u8>, deadline: Instant) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream, buffer, deadline)?;
        let size = line.split(';').next().unwrap_or("").trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| HttpError::Malformed(format!("chunk size {line:?}")))?;
        if size == 0 {
            while !read_line(stream, buffer, deadline)?.is_empty() {}
            return Ok(body);
        }
        body.extend(take(stream, buffer, size, deadline)?);
        if !read_line(stream, buffer, deadline)?.is_empty() {
            return Err(HttpError::Malformed("chunk without its end of line".into()));
        }
    }
}

fn read_line<S: Read>(stream: &mut S, buffer: &mut Vec<u8>, deadline: Instant) -> Result<String, HttpError> {
    loop {
        if let Some(end) = find(buffer, b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 2);
            return Ok(line);
        }
        if fill(stream, buffer, deadline)? == 0 {
            return Err(HttpError::Malformed("closed inside a chunk".into()));
        }
    }
}

fn take<S: Read>(stream: &mut S, buffer: &mut Vec<u8>, length: usize, deadline: Instant) -> Result<Vec<u8>, HttpError> {
    while buffer.len() < length {
        if fill(stream, buffer, deadline)? == 0 {
            return Err(HttpError::Malformed(format!("body ends after {} of {length} bytes", buffer.len())));
        }
    }
    Ok(buffer.drain(..length).collect())
}

fn fill<S: Read>(stream: &mut S, buffer: &mut Vec<u8>, deadline: Instant) -> Result<usize, HttpError> {
    if Instant::now() > deadline || buffer.len() > MAX_ANSWER {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "the answer takes too long or is too long").into());
    }
    let mut chunk = [0; 16 * 1024];
    let count = stream.read(&mut chunk)?;
    buffer.extend_from_slice(&chunk[..count]);
    Ok(count)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Canned(io::Cursor<Vec<u8>>, Vec<u8>);

    impl Read for Canned {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            // Three bytes at a time: every boundary is crossed.
            let limit = buffer.len().min(3);
            self.0.read(&mut buffer[..limit])
        }
    }

    impl Write for Canned {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer(bytes: &str) -> Result<Response, HttpError> {
        Request::get("http://h/").send_over(&mut Canned(io::Cursor::new(bytes.into()), Vec::new()))
    }

    #[test]
    fn reason_phrase_and_header_order_are_kept() {
        let got = answer("HTTP/1.1 401 invalid_client\r\nX-B: 1\r\nx-a:2\r\nX-B: 3\r\nContent-Length: 2\r\n\r\n{}garbage").unwrap();
        assert_eq!((got.status, got.reason.as_str(), got.text().as_str()), (401, "invalid_client", "{}"));
        assert_eq!(got.headers("x-b"), ["1", "3"]);
        assert_eq!(got.headers[1].0, "x-a");
    }

    #[test]
    fn chunked_interim_and_closed_bodies_are_read() {
        let chunked = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nабв\r\n";
        assert!(answer(chunked).is_err(), "four bytes are not three letters");
        let chunked = "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n6;x=1\r\nабв\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";
        assert_eq!(answer(chunked).unwrap().text(), "абвde");
        assert_eq!(answer("HTTP/1.1 200 OK\r\n\r\nto the end").unwrap().text(), "to the end");
        assert!(answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort").is_err());
        assert!(answer("SSH-2.0\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_is_sent_as_written() {
        let plain = Request::get("http://127.0.0.1:8080//oauth//authorize?a=%2b#f").header("X", "1").to_bytes();
        assert_eq!(plain, b"GET //oauth//authorize?a=%2b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX: 1\r\nConnection: close\r\n\r\n");
        let form = Request::post("http://h?q").header("connection", "x").post_form(&[("a", "b c"), ("a", "é&")]).to_bytes();
        let form = String::from_utf8(form).unwrap();
        assert!(form.starts_with("POST /?q HTTP/1.1\r\nHost: h\r\n"), "{form}");
        assert!(form.ends_with("Content-Length: 17\r\n\r\na=b+c&a=%C3%A9%26"), "{form}");
        assert_eq!(Request::get("http://h/").raw("\0junk").to_bytes(), b"\0junk");
    }
}
