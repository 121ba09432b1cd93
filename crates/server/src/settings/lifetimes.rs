//! `[keys]`, `[tokens]`, `[refresh]`, `[session]` and `[retention]`: how long things live. All in seconds.

use std::path::PathBuf;

use serde::Serialize;

use super::duration;
use super::section::Section;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const DECADE: i64 = 3650 * DAY;

/// The master key and the signing keys.
#[derive(Debug, Clone, Serialize)]
pub struct KeySettings {
    /// See `Settings::master_key_path` for the default.
    pub master_key_file: Option<PathBuf>,
    /// How long a new signing key is published before it signs.
    #[serde(serialize_with = "duration::serialize")]
    pub announcement: i64,
}

/// Codes and tokens. The lifetime of access tokens is the client's.
#[derive(Debug, Clone, Serialize)]
pub struct TokenSettings {
    /// How long an authorization code lives; at most a minute (RFC 9700, FAPI 2.0).
    #[serde(serialize_with = "duration::serialize")]
    pub code_lifetime: i64,
    /// Tolerated difference of clocks.
    #[serde(serialize_with = "duration::serialize")]
    pub clock_leeway: i64,
    /// How long a replaced client secret keeps working.
    #[serde(serialize_with = "duration::serialize")]
    pub secret_overlap: i64,
}

/// Refresh tokens.
#[derive(Debug, Clone, Serialize)]
pub struct RefreshSettings {
    /// How long a replaced refresh token still answers the same successor; 0 turns the safe retry off.
    #[serde(serialize_with = "duration::serialize")]
    pub retry_window: i64,
    /// How long a grant with `offline_access` lives at most.
    #[serde(serialize_with = "duration::serialize")]
    pub grant_lifetime: i64,
}

/// Sessions of browsers.
#[derive(Debug, Clone, Serialize)]
pub struct SessionSettings {
    /// A session unused for so long ends.
    #[serde(serialize_with = "duration::serialize")]
    pub idle: i64,
    /// A session of this age ends.
    #[serde(serialize_with = "duration::serialize")]
    pub absolute: i64,
    /// A session's use is written down at most this often.
    #[serde(serialize_with = "duration::serialize")]
    pub touch_interval: i64,
}

/// How long records are kept.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RetentionSettings {
    /// Ended sessions and grants, so that a late replay is still recognised.
    #[serde(serialize_with = "duration::serialize")]
    pub ended: i64,
    /// Refusals, for `propusk explain`.
    #[serde(serialize_with = "duration::serialize")]
    pub refusals: i64,
    /// How many refusals at most.
    pub refusals_rows: i64,
    /// Audit events.
    #[serde(serialize_with = "duration::serialize")]
    pub audit: i64,
    /// What tells other processes that something changed.
    #[serde(serialize_with = "duration::serialize")]
    pub changes: i64,
}

impl KeySettings {
    pub(super) fn read(section: &mut Section) -> Self {
        Self { master_key_file: section.file("master_key_file"), announcement: section.seconds("announcement", DAY, 0..=30 * DAY) }
    }
}

impl TokenSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        Self {
            code_lifetime: section.seconds("code_lifetime", MINUTE, 1..=MINUTE),
            clock_leeway: section.seconds("clock_leeway", 10, 0..=MINUTE),
            secret_overlap: section.seconds("secret_overlap", HOUR, 0..=30 * DAY),
        }
    }
}

impl RefreshSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        Self {
            retry_window: section.seconds("retry_window", 30, 0..=5 * MINUTE),
            grant_lifetime: section.seconds("grant_lifetime", 180 * DAY, 1..=DECADE),
        }
    }
}

impl SessionSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        let settings = Self {
            idle: section.seconds("idle", 14 * DAY, 1..=DECADE),
            absolute: section.seconds("absolute", 90 * DAY, 1..=DECADE),
            touch_interval: section.seconds("touch_interval", MINUTE, 0..=HOUR),
        };
        if settings.idle > settings.absolute {
            section.problem("idle", "is longer than `session.absolute`, which would end the session first".to_owned());
        }
        if settings.touch_interval >= settings.idle {
            section.problem("touch_interval", "must be shorter than `session.idle`, or sessions in use would end".to_owned());
        }
        settings
    }
}

impl RetentionSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        Self {
            ended: section.seconds("ended", 30 * DAY, 0..=DECADE),
            refusals: section.seconds("refusals", 14 * DAY, MINUTE..=DECADE),
            refusals_rows: section.integer("refusals_rows", 100_000, 0..=100_000_000),
            audit: section.seconds("audit", 400 * DAY, DAY..=DECADE),
            changes: section.seconds("changes", HOUR, MINUTE..=30 * DAY),
        }
    }
}
