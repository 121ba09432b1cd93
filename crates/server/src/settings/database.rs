//! `[database]` and `[redis]`.

use std::path::Path;

use serde::Serialize;

use super::secret_url::SecretUrl;
use super::section::Section;

/// Where everything durable lives.
#[derive(Debug, Clone, Serialize)]
pub struct DatabaseSettings {
    /// `sqlite:PATH` or `postgres://…`; from `database.url` or the file that `database.url_file` names.
    pub url: SecretUrl,
    /// Whether `serve` applies pending migrations.
    pub migrate: bool,
    /// Connections: readers on SQLite (which has one writer beside them), all on PostgreSQL.
    pub pool_size: u32,
    /// How long SQLite waits for another process's lock, in milliseconds.
    pub busy_timeout_ms: u32,
}

/// The optional accelerator for what may be lost.
#[derive(Debug, Clone, Serialize)]
pub struct RedisSettings {
    /// `redis://…` or `rediss://…`; `None` keeps ephemeral state in the database.
    pub url: Option<SecretUrl>,
    /// How long connecting, and how long one command, may take, in milliseconds.
    pub timeout_ms: u64,
    /// Begins the name of every key.
    pub prefix: String,
}

impl DatabaseSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        let url = section.secret("url", "url_file").unwrap_or_else(|| "sqlite:data/propusk.db".to_owned());
        if let Some(sentence) = problem_of(&url) {
            section.problem("url", sentence);
        }
        Self {
            url: SecretUrl::new(url),
            migrate: section.flag("migrate", true),
            pool_size: section.integer("pool_size", 8, 1..=1000),
            busy_timeout_ms: section.integer("busy_timeout_ms", 5000, 1..=600_000),
        }
    }

    /// The file of an SQLite database.
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.url.expose().strip_prefix("sqlite:").map(Path::new)
    }
}

impl RedisSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        let url = section.secret("url", "url_file");
        if url.as_ref().is_some_and(|url| !url.starts_with("redis://") && !url.starts_with("rediss://")) {
            section.problem("url", "must begin with redis:// or rediss://".to_owned());
        }
        Self {
            url: url.map(SecretUrl::new),
            timeout_ms: section.integer("timeout_ms", 500, 1..=60_000),
            prefix: section.text("prefix").unwrap_or_else(|| "propusk:".to_owned()),
        }
    }
}

/// What is wrong with a database's address. The sentence never holds the address, which may hold a password.
fn problem_of(url: &str) -> Option<String> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return match path {
            "" => Some("names no file; write sqlite:PATH".to_owned()),
            ":memory:" => Some("an SQLite database in memory would lose everything; write sqlite:PATH".to_owned()),
            // `sqlite://data/x.db` looks relative in one reading and absolute in another.
            path if path.starts_with("//") => Some("write sqlite:PATH, with one slash or none before the path".to_owned()),
            _ => None,
        };
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return None;
    }
    Some("must begin with sqlite: or postgres://".to_owned())
}
