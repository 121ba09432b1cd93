//! `[log]`, `[metrics]`, `[outbound]`, `[outbox]`, `[trace]` and `[backup]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tracing_subscriber::filter::Targets;

use super::duration;
use super::section::Section;

/// The form and the depth of the log.
#[derive(Debug, Clone, Serialize)]
pub struct LogSettings {
    /// The form of a line.
    pub format: LogFormat,
    /// A level (`info`), or directives with targets (`info,propusk_server=debug`).
    pub level: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Prometheus metrics.
#[derive(Debug, Clone, Serialize)]
pub struct MetricsSettings {
    /// A listener of their own; `None` opens none.
    pub listen: Option<SocketAddr>,
}

/// HTTP to others.
#[derive(Debug, Clone, Serialize)]
pub struct OutboundSettings {
    /// How long one request may take, in whole seconds.
    #[serde(serialize_with = "duration::serialize_timer")]
    pub timeout: Duration,
    /// The certificate authorities to trust (PEM) instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// What waits to be told to others.
#[derive(Debug, Clone, Serialize)]
pub struct OutboxSettings {
    /// Seconds after which a delivery that keeps failing is given up.
    pub give_up: i64,
}

/// The trace of sign-ins.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TraceSettings {
    /// How long steps are kept, in seconds.
    #[serde(serialize_with = "duration::serialize")]
    pub keep: i64,
    /// How many steps are kept at most.
    pub rows: i64,
}

/// Backups by the clock.
#[derive(Debug, Clone, Serialize)]
pub struct BackupSettings {
    /// Seconds from one to the next; 0 makes none.
    #[serde(serialize_with = "duration::serialize")]
    pub schedule: i64,
    /// Where they go.
    pub directory: PathBuf,
    /// How many are kept.
    pub keep: i64,
    /// The file of the passphrase that seals them; without it they are not sealed and hold no master key.
    pub passphrase_file: Option<PathBuf>,
}

impl LogSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        let format = match section.one_of("format", &["auto", "human", "json"], "auto").as_str() {
            "human" => LogFormat::Human,
            "json" => LogFormat::Json,
            _ => LogFormat::Auto,
        };
        let expected = "a level like info, or directives like info,propusk_server=debug";
        let level = section.parsed("level", expected, |text| text.parse::<Targets>().ok().map(|_| text.to_owned()));
        Self { format, level: level.unwrap_or_else(|| "info".to_owned()) }
    }
}

impl MetricsSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        Self { listen: section.parsed("listen", "an address and a port like 127.0.0.1:9090", |text| text.parse().ok()) }
    }
}

impl OutboxSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        Self { give_up: section.seconds("give_up", 7 * 86_400, 3600..=90 * 86_400) }
    }
}

impl OutboundSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        Self { timeout: section.duration("timeout", 10, 1..=300), ca_file: section.file("ca_file") }
    }
}

impl TraceSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        Self { keep: section.seconds("keep", 604_800, 60..=31_536_000), rows: section.integer("rows", 100_000, 0..=100_000_000) }
    }
}

impl BackupSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        Self {
            schedule: section.seconds("schedule", 0, 0..=31_536_000),
            directory: section.file("directory").unwrap_or_else(|| PathBuf::from("data/backups")),
            keep: section.integer("keep", 7, 1..=10_000),
            passphrase_file: section.file("passphrase_file"),
        }
    }
}
