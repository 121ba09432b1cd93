//! What an operator can set: defaults in code < `propusk.toml` < environment (`PROPUSK__SECTION__KEY`).
//!
//! Settings are read once, checked all together and never change while the process runs. Every problem is reported at once, with
//! the path of its key, and a key that nothing reads is one of them: a misspelt limit must not be a limit that is silently absent.
//! `deploy/propusk.toml` lists every key with its default.

mod compat;
mod database;
mod duration;
mod http;
mod issuer;
mod lifetimes;
mod operation;
mod registration;
mod rocketchat;
mod secret_url;
mod section;
mod sign_in;
mod smtp;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat, Source as _};
use propusk_domain::policy::Policy;
use propusk_domain::store::Retention;
use serde::Serialize;
use thiserror::Error;

pub use compat::{CompatSettings, SimpleJwtSettings};
pub use database::{DatabaseSettings, RedisSettings};
pub use http::{HttpSettings, TlsSettings};
pub use lifetimes::{KeySettings, RefreshSettings, RetentionSettings, SessionSettings, TokenSettings};
pub use operation::{BackupSettings, LogFormat, LogSettings, MetricsSettings, OutboundSettings, OutboxSettings, TraceSettings};
pub use registration::RegistrationSettings;
pub use rocketchat::{RocketchatSettings, chat_url};
pub use secret_url::SecretUrl;
pub use sign_in::{BrandSettings, LoginSettings, PasswordSettings};
pub use smtp::{SmtpServer, SmtpSettings};

use section::Section;

/// Begins the name of every environment variable that is a setting: `PROPUSK__HTTP__LISTEN` is `http.listen`.
const ENVIRONMENT_PREFIX: &str = "PROPUSK__";

/// The languages of the pages.
const LOCALES: [&str; 2] = ["en", "ru"];

/// Everything that can be set. Lifetimes are seconds, paths are relative to the working directory.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// The issuer identifier: an absolute URL without trailing slash, query and fragment (OIDC Discovery §3). Every URL that the
    /// service hands out begins with it.
    pub issuer: String,
    /// Accepts an `http` issuer on a host that is not loopback. Passwords then travel in the clear.
    pub allow_insecure_issuer: bool,
    /// The language of the pages (`en` or `ru`) where neither the client, nor the person, nor the browser says.
    pub locale: String,
    /// `[http]`
    pub http: HttpSettings,
    /// `[database]`
    pub database: DatabaseSettings,
    /// `[redis]`
    pub redis: RedisSettings,
    /// `[keys]`
    pub keys: KeySettings,
    /// `[tokens]`
    pub tokens: TokenSettings,
    /// `[refresh]`
    pub refresh: RefreshSettings,
    /// `[session]`
    pub session: SessionSettings,
    /// `[password]`
    pub password: PasswordSettings,
    /// `[login]`
    pub login: LoginSettings,
    /// `[brand]`
    pub brand: BrandSettings,
    /// `[log]`
    pub log: LogSettings,
    /// `[metrics]`
    pub metrics: MetricsSettings,
    /// `[outbound]`
    pub outbound: OutboundSettings,
    /// `[outbox]`
    pub outbox: OutboxSettings,
    /// `[rocketchat]`
    pub rocketchat: RocketchatSettings,
    /// `[compat]`
    pub compat: CompatSettings,
    /// `[retention]`
    pub retention: RetentionSettings,
    /// `[trace]`
    pub trace: TraceSettings,
    /// `[backup]`
    pub backup: BackupSettings,
    /// `[smtp]`
    pub smtp: SmtpSettings,
    /// `[registration]`
    pub registration: RegistrationSettings,
}

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The key, from the top: `http.listen`; or the name of the file, when it cannot be read at all.
    pub path: String,
    /// What is wrong and what would be right.
    pub sentence: String,
}

/// The settings cannot be used; all reasons at once.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct SettingsError {
    /// At least one.
    pub problems: Vec<Problem>,
    /// Whether the file could not even be reached.
    pub is_unreachable: bool,
}

impl std::fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.problems.len() {
            1 => write!(formatter, "the settings have a problem:")?,
            count => write!(formatter, "the settings have {count} problems:")?,
        }
        for Problem { path, sentence } in &self.problems {
            write!(formatter, "\n  {path}: {sentence}")?;
        }
        Ok(())
    }
}

impl Settings {
    /// Reads `config` (TOML), if given, and the environment of the process.
    ///
    /// # Errors
    /// All problems at once.
    pub fn load(config: Option<&Path>) -> Result<Self, SettingsError> {
        let Some(path) = config else {
            return Self::from_sources(None, environment()?);
        };
        let text = std::fs::read_to_string(path).map_err(|error| SettingsError {
            is_unreachable: error.kind() != std::io::ErrorKind::InvalidData,
            ..SettingsError::of(&path.display().to_string(), format!("cannot be read: {error}"))
        })?;
        Self::from_sources(Some(&text), environment()?)
    }

    /// Reads the text of a TOML file, if given, and `environment`: names and values, of which the names that do not begin with
    /// `PROPUSK__` are passed over.
    ///
    /// # Errors
    /// All problems at once.
    pub fn from_sources(file: Option<&str>, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        // Values stay strings: parsing them would turn the password "007" into "7".
        let environment = Environment::with_prefix("PROPUSK")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(false)
            .source(Some(environment.into_iter().collect()));
        let mut builder = Config::builder();
        if let Some(text) = file {
            builder = builder.add_source(File::from_str(text, FileFormat::Toml));
        }
        let table = builder
            .add_source(environment)
            .build()
            .and_then(|config| config.collect())
            .map_err(|error| SettingsError::of("the configuration file", error.to_string().trim().to_owned()))?;
        let mut root = Section::root(table);
        let settings = Self::read(&mut root);
        let problems = root.finish();
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError { problems, is_unreachable: false }) }
    }

    /// Settings from paths and values (`("http.listen", "127.0.0.1:0")`), without file and environment: for tests.
    ///
    /// # Errors
    /// All problems at once.
    pub fn from_map<K: AsRef<str>, V: Into<String>>(entries: impl IntoIterator<Item = (K, V)>) -> Result<Self, SettingsError> {
        let variable = |path: &str| format!("{ENVIRONMENT_PREFIX}{}", path.replace('.', "__").to_uppercase());
        Self::from_sources(None, entries.into_iter().map(|(path, value)| (variable(path.as_ref()), value.into())))
    }

    /// Lifetimes and limits as the rules take them.
    pub fn policy(&self) -> Policy {
        Policy {
            issuer: self.issuer.clone(),
            code_lifetime: self.tokens.code_lifetime,
            refresh_retry_window: self.refresh.retry_window,
            grant_lifetime: self.refresh.grant_lifetime,
            session_idle: self.session.idle,
            session_absolute: self.session.absolute,
            flow_lifetime: self.login.flow_lifetime,
            clock_leeway: self.tokens.clock_leeway,
            key_announcement: self.keys.announcement,
            secret_overlap: self.tokens.secret_overlap,
            password_link_lifetime: self.password.link_lifetime,
            mailed_link_lifetime: self.smtp.link_lifetime,
            chat_client: self.rocketchat.client.clone(),
            chat_configured: self.rocketchat.url.is_some(),
        }
    }

    /// Where the database is and how it is opened, as the storage takes it.
    pub fn storage(&self) -> propusk_storage::Settings {
        let DatabaseSettings { url, migrate, pool_size, busy_timeout_ms } = &self.database;
        propusk_storage::Settings { url: url.expose().to_owned(), pool_size: *pool_size, migrate: *migrate, busy_timeout_ms: *busy_timeout_ms }
    }

    /// What the sweeper keeps, as the store takes it.
    pub fn retention(&self) -> Retention {
        let RetentionSettings { ended, refusals, refusals_rows, audit, changes } = self.retention;
        let TraceSettings { keep: traces, rows: traces_rows } = self.trace;
        Retention { ended, refusals, refusals_rows, traces, traces_rows, audit, changes }
    }

    /// The file of the master key: the configured one, else `master.key` beside the SQLite database, else `data/master.key`.
    pub fn master_key_path(&self) -> PathBuf {
        if let Some(path) = &self.keys.master_key_file {
            return path.clone();
        }
        match self.database.sqlite_path() {
            Some(database) => database.with_file_name("master.key"),
            None => PathBuf::from("data/master.key"),
        }
    }

    /// True when browsers reach the service by https; cookies are then `Secure` and named `__Host-…`.
    pub fn is_https(&self) -> bool {
        self.issuer.starts_with("https://")
    }

    /// The path of the issuer: empty, or beginning with a slash and ending without one (`/auth`).
    pub fn issuer_path(&self) -> &str {
        issuer::split(&self.issuer).1
    }

    /// The origin of the issuer as browsers write it in `Origin`: `https://id.example.org`.
    pub fn origin(&self) -> &str {
        issuer::split(&self.issuer).0
    }

    /// The settings in effect as a TOML document, with passwords in addresses replaced by `***`.
    pub fn to_toml_redacted(&self) -> String {
        // Every type here has a TOML form; a document that could not be written would be a fault of this module, and its test's.
        toml::to_string_pretty(self).unwrap_or_default()
    }

    fn read(root: &mut Section) -> Self {
        let http = root.section("http", HttpSettings::read);
        let smtp = root.section("smtp", SmtpSettings::read);
        let can_mail = smtp.is_set() || root.has_problem("smtp.");
        let allow_insecure_issuer = root.flag("allow_insecure_issuer", false);
        Self {
            issuer: issuer::read(root, &http, allow_insecure_issuer),
            allow_insecure_issuer,
            locale: root.one_of("locale", &LOCALES, "en"),
            http,
            database: root.section("database", DatabaseSettings::read),
            redis: root.section("redis", RedisSettings::read),
            keys: root.section("keys", KeySettings::read),
            tokens: root.section("tokens", TokenSettings::read),
            refresh: root.section("refresh", RefreshSettings::read),
            session: root.section("session", SessionSettings::read),
            password: root.section("password", PasswordSettings::read),
            login: root.section("login", LoginSettings::read),
            brand: root.section("brand", BrandSettings::read),
            log: root.section("log", LogSettings::read),
            metrics: root.section("metrics", MetricsSettings::read),
            outbound: root.section("outbound", OutboundSettings::read),
            outbox: root.section("outbox", OutboxSettings::read),
            rocketchat: root.section("rocketchat", RocketchatSettings::read),
            compat: root.section("compat", CompatSettings::read),
            retention: root.section("retention", RetentionSettings::read),
            trace: root.section("trace", TraceSettings::read),
            backup: root.section("backup", BackupSettings::read),
            smtp,
            registration: root.section("registration", |section| RegistrationSettings::read(section, can_mail)),
        }
    }
}

impl SettingsError {
    fn of(path: &str, sentence: String) -> Self {
        Self { problems: vec![Problem { path: path.to_owned(), sentence }], is_unreachable: false }
    }
}

/// The variables of the process that are settings.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment() -> Result<Vec<(String, String)>, SettingsError> {
    let mut variables = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        if !name.to_uppercase().starts_with(ENVIRONMENT_PREFIX) {
            continue;
        }
        match value.into_string() {
            Ok(value) => variables.push((name, value)),
            Err(_) => problems.push(Problem { path: name, sentence: "the value is not UTF-8".to_owned() }),
        }
    }
    if problems.is_empty() { Ok(variables) } else { Err(SettingsError { problems, is_unreachable: false }) }
}
