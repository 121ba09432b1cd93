//! `propusk key …`

use crate::failure::Failure;
use crate::house;
use crate::output::{Report, table};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use propusk_crypto::Algorithm;
use propusk_domain::UnixTime;
use propusk_domain::admin::MAX_ACCESS_TOKEN_LIFETIME;
use propusk_domain::keys;
use propusk_domain::policy::{DAY, Policy};
use propusk_domain::records::{KeyPurpose, KeyRow};
use propusk_server::instance::Instance;
use serde_json::{Value, json};
use std::path::Path;

const LIST_EXAMPLES: &str = "\
Examples:
  propusk key list
  propusk key list --json";
const ROTATE_EXAMPLES: &str = "\
A new signing key is published at once and signs after keys.announcement, so that every reader of the JWKS knows it by
then. With --now it signs at once: a client that caches the JWKS refuses the new tokens until it reads it again.
Without a choice all signing keys are rotated.

Examples:
  propusk key rotate
  propusk key rotate --alg ES256
  propusk key rotate --alg RS256 --now
  propusk key rotate --refresh";

/// Keys
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// List the keys, oldest first
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// Replace keys
    #[command(after_help = ROTATE_EXAMPLES)]
    Rotate(Rotate),
}

#[derive(Debug, Args)]
#[group(id = "purpose", multiple = false)]
struct Which {
    /// The signing key of this algorithm
    #[arg(long, value_parser = PossibleValuesParser::new(Algorithm::ALL.map(Algorithm::as_str)).try_map(|name| Algorithm::parse(&name).ok_or("no such algorithm")))]
    alg: Option<Algorithm>,
    /// The key that derives refresh tokens
    #[arg(long)]
    refresh: bool,
    /// The key that seals sign-in pages
    #[arg(long)]
    flow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    which: Which,
    /// Sign with the new key at once
    #[arg(long)]
    now: bool,
}

impl Key {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        match self {
            Self::List => list(&house::open_existing(config)?),
            Self::Rotate(verb) => verb.run(&house::open(config)?),
        }
    }
}

impl Rotate {
    fn run(self, instance: &Instance) -> Result<Report, Failure> {
        let purposes: Vec<KeyPurpose> = match &self.which {
            Which { alg: Some(algorithm), .. } => vec![KeyPurpose::Sign(*algorithm)],
            Which { refresh: true, .. } => vec![KeyPurpose::Refresh],
            Which { flow: true, .. } => vec![KeyPurpose::Flow],
            Which { .. } => Algorithm::ALL.into_iter().map(KeyPurpose::Sign).collect(),
        };
        let (master, at_once) = (instance.master.clone(), self.now);
        let signing = purposes.iter().any(|purpose| matches!(purpose, KeyPurpose::Sign(_)));
        let rows = instance.write(move |cx| {
            keys::remove_ended(cx)?;
            let longest = |purpose| longest_life(purpose, cx.policy);
            let lives: Vec<(KeyPurpose, i64)> = purposes.iter().map(|purpose| (*purpose, longest(*purpose))).collect();
            lives.into_iter().map(|(purpose, life)| keys::rotate(cx, purpose, &master, at_once, life)).collect::<Result<Vec<KeyRow>, _>>()
        })?;
        let sentences = rows.iter().map(|row| format!("{}  {}  used from {}\n", row.purpose.as_str(), row.kid, row.active_from));
        let mut report =
            Report::of(json!({ "rotated": rows.iter().map(|row| document(row, None)).collect::<Value>() })).human(sentences.collect::<String>());
        if at_once && signing {
            report = report.note("Clients that cache the JWKS refuse the new tokens until they read it again.");
        }
        Ok(report)
    }
}

fn list(instance: &Instance) -> Result<Report, Failure> {
    let now = instance.clock.now();
    let rows = instance.read(|cx| Ok(cx.store.list_keys()?))?;
    let heads = ["PURPOSE", "KID", "STATE", "MADE", "USED FROM", "KEPT UNTIL"];
    let human = table(
        heads,
        rows.iter().map(|row| {
            let until = row.published_until.map_or_else(|| "-".to_owned(), |end| end.to_string());
            let state = state(row, &rows, now).to_owned();
            [row.purpose.as_str().to_owned(), row.kid.clone(), state, row.created_at.to_string(), row.active_from.to_string(), until]
        }),
    );
    Ok(Report::of(rows.iter().map(|row| document(row, Some(state(row, &rows, now)))).collect()).human(human))
}

fn document(row: &KeyRow, state: Option<&str>) -> Value {
    let mut document = json!({
        "kid": row.kid, "purpose": row.purpose.as_str(), "created_at": row.created_at.to_string(),
        "active_from": row.active_from.to_string(), "published_until": row.published_until.map(|end| end.to_string()),
    });
    if let (Some(state), Some(members)) = (state, document.as_object_mut()) {
        members.insert("state".to_owned(), state.into());
    }
    document
}

/// `announced` (published, does not sign yet), `active` (the one in use), `retired` (only what it made is accepted) or
/// `ended` (nothing it made can live any more).
fn state(row: &KeyRow, all: &[KeyRow], now: UnixTime) -> &'static str {
    if row.published_until.is_some_and(|end| end <= now) {
        return "ended";
    }
    if row.active_from > now {
        return "announced";
    }
    // Two keys of one second: the later one is the one that nothing has replaced.
    let age = |key: &KeyRow| (key.active_from, key.created_at, key.published_until.is_none());
    let newer = |other: &&KeyRow| other.purpose == row.purpose && other.active_from <= now && age(other) > age(row);
    if all.iter().any(|other| newer(&other)) { "retired" } else { "active" }
}

/// Seconds that something made with a key of this purpose can live after the key was last used.
fn longest_life(purpose: KeyPurpose, policy: &Policy) -> i64 {
    match purpose {
        // A day more than the longest token: ID tokens come back as hints, and readers keep their copy of the JWKS for a day.
        KeyPurpose::Sign(_) => MAX_ACCESS_TOKEN_LIFETIME + DAY,
        KeyPurpose::Refresh => policy.grant_lifetime.saturating_add(policy.refresh_retry_window),
        // It seals links to set a password, too.
        KeyPurpose::Flow => policy.flow_lifetime.max(policy.password_link_lifetime),
    }
}
