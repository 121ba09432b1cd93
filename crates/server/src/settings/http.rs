//! `[http]`: the listener and its limits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

use super::duration;
use super::section::Section;

/// The listener and its limits.
#[derive(Debug, Clone, Serialize)]
pub struct HttpSettings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Worker threads; 0 for as many as cores.
    pub workers: usize,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The longest body of a request in bytes.
    pub max_body_bytes: usize,
    /// The longest request target in bytes. `state` may have 8 KiB, which is 24 KiB percent-encoded, and an ID token hint 16 KiB.
    /// The HTTP layer reads none over 65,534 bytes and refuses those without a word, so the limit lies below that.
    pub max_url_bytes: usize,
    /// The longest sum of all header names and values in bytes.
    pub max_header_bytes: usize,
    /// How long requests in flight may take to finish after SIGTERM, in whole seconds.
    #[serde(serialize_with = "duration::serialize_timer")]
    pub shutdown_timeout: Duration,
    /// How long a client may take to send the head of a request, in whole seconds.
    #[serde(serialize_with = "duration::serialize_timer")]
    pub client_timeout: Duration,
    /// How long an idle connection stays open, in whole seconds. Longer than a proxy keeps its own (nginx: 60 s), so that the proxy
    /// is the one who closes and never sends into a connection that is just being closed.
    #[serde(serialize_with = "duration::serialize_timer")]
    pub keep_alive: Duration,
    /// TLS in the process itself; `None` behind a proxy that does it.
    pub tls: Option<TlsSettings>,
}

/// PEM files.
#[derive(Debug, Clone, Serialize)]
pub struct TlsSettings {
    /// The certificate and its chain.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

impl HttpSettings {
    /// Threads that handle requests: as many as cores unless set.
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }

    pub(super) fn read(section: &mut Section) -> Self {
        let listen = section.parsed("listen", "an address and a port like 127.0.0.1:8080", |text| text.parse().ok());
        Self {
            listen: listen.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080)),
            workers: section.integer("workers", 0, 0..=1024),
            trusted_proxies: section.list("trusted_proxies", "a network like 10.0.0.0/8 or an address", network),
            max_body_bytes: section.integer("max_body_bytes", 128 * 1024, 1024..=16 * 1024 * 1024),
            max_url_bytes: section.integer("max_url_bytes", 60 * 1024, 1024..=65_534),
            max_header_bytes: section.integer("max_header_bytes", 64 * 1024, 1024..=120 * 1024),
            shutdown_timeout: section.duration("shutdown_timeout", 8, 0..=300),
            client_timeout: section.duration("client_timeout", 10, 1..=300),
            keep_alive: section.duration("keep_alive", 75, 1..=3600),
            tls: section.section("tls", TlsSettings::read),
        }
    }
}

impl TlsSettings {
    fn read(section: &mut Section) -> Option<Self> {
        match (section.file("certificate_file"), section.file("key_file")) {
            (Some(certificate_file), Some(key_file)) => Some(Self { certificate_file, key_file }),
            (None, None) => None,
            (Some(_), None) => {
                section.problem("key_file", "is missing: a certificate without its key cannot be used".to_owned());
                None
            }
            (None, Some(_)) => {
                section.problem("certificate_file", "is missing: a key without its certificate cannot be used".to_owned());
                None
            }
        }
    }
}

/// A network, or an address as the network of itself.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
