//! HTTP to others: relying parties (back-channel logout), the chat's REST API, and this server's own public address for the doctor.
//!
//! Synchronous, like everything below a handler, and never inside a transaction. No redirect is followed: the addresses are the
//! operator's, and a redirect would carry a token to somebody else's. Every answer has a time and a size limit.

use crate::settings::OutboundSettings;
use propusk_domain::Fault;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use ureq::http::{HeaderMap, Request};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// Bytes of an answer's body.
const MAX_BODY: u64 = 8 * 1024 * 1024;

/// A client with connections of its own; clones share them.
#[derive(Clone)]
pub struct Outbound {
    agent: ureq::Agent,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

/// No answer, or none that can be read.
#[derive(Debug, Error)]
pub enum Unanswered {
    /// The name is unknown, the connection refused or broken, TLS not accepted.
    #[error("{0}")]
    Unreachable(String),
    /// Nothing, or not everything, came in time.
    #[error("no complete answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// The answer is larger than 8 MiB.
    #[error("the answer is larger than {MAX_BODY} bytes")]
    TooLarge,
}

impl Outbound {
    /// A client with the settings' time limit and trust.
    ///
    /// # Errors
    /// A certificate file that cannot be read.
    pub fn new(settings: &OutboundSettings) -> Result<Self, Fault> {
        let roots = match &settings.ca_file {
            None => RootCerts::PlatformVerifier,
            Some(path) => {
                let text = std::fs::read(path).map_err(|error| Fault::broken(format!("outbound.ca_file {}: {error}", path.display())))?;
                let certificates = parse_pem(&text).filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
                    Ok(_) => None,
                    Err(error) => Some(Err(Fault::broken(format!("outbound.ca_file {}: {error}", path.display())))),
                });
                let certificates: Vec<Certificate<'static>> = certificates.collect::<Result<_, _>>()?;
                if certificates.is_empty() {
                    return Err(Fault::broken(format!("outbound.ca_file {} holds no certificate", path.display())));
                }
                RootCerts::from(certificates)
            }
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder().provider(TlsProvider::Rustls).unversioned_rustls_crypto_provider(provider).root_certs(roots).build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(settings.timeout))
            .user_agent(concat!("propusk/", env!("CARGO_PKG_VERSION")))
            // The operator's proxy variables are not settings of this program.
            .proxy(None)
            .build();
        Ok(Self { agent: config.into() })
    }

    /// Sends a request and reads the whole answer. Blocks.
    pub fn send(&self, request: Request<Vec<u8>>) -> Result<Answer, Unanswered> {
        let unanswered = |error| self.unanswered(error);
        let mut response = self.agent.run(request).map_err(unanswered)?;
        let body = response.body_mut().with_config().limit(MAX_BODY).read_to_vec().map_err(unanswered)?;
        let (parts, _) = response.into_parts();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    fn unanswered(&self, error: ureq::Error) -> Unanswered {
        match error {
            ureq::Error::Timeout(_) => Unanswered::Slow(self.agent.config().timeouts().global.unwrap_or_default()),
            ureq::Error::BodyExceedsLimit(_) => Unanswered::TooLarge,
            error => Unanswered::Unreachable(error.to_string()),
        }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Outbound")
    }
}

impl Answer {
    /// Whether the status is one of success.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The body as JSON; `None` when it is none.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// Answers each connection with `text`, then closes it.
    fn peer(text: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let _read = stream.read(&mut request);
                let _written = stream.write_all(text.as_bytes());
            }
        });
        format!("http://{address}/")
    }

    fn get(url: &str) -> Result<Answer, Unanswered> {
        let settings = OutboundSettings { timeout: Duration::from_secs(5), ca_file: None };
        Outbound::new(&settings).unwrap().send(Request::get(url).body(Vec::new()).unwrap())
    }

    #[test]
    fn a_refusal_is_an_answer_and_a_redirect_is_not_followed() {
        let answer = get(&peer("HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}")).unwrap();
        assert_eq!((answer.status, answer.json()), (401, Some(serde_json::json!({}))));
        let answer = get(&peer("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")).unwrap();
        assert_eq!((answer.status, answer.header("location")), (302, Some("http://127.0.0.1:1/")));
    }

    #[test]
    fn a_closed_port_garbage_and_half_an_answer_are_told_in_words() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(get(&format!("http://{closed}/")), Err(Unanswered::Unreachable(_))));
        assert!(matches!(get(&peer("what?\r\n\r\n")), Err(Unanswered::Unreachable(_))));
        assert!(matches!(get(&peer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")), Err(Unanswered::Unreachable(_))));
    }
}
