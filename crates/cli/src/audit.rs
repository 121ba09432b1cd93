//! `propusk audit`

use crate::failure::Failure;
use crate::house;
use crate::output::{Report, table};
use crate::times::parse_since;
use clap::Args;
use propusk_domain::admin::users;
use propusk_domain::records::{AuditEvent, AuditFilter};
use propusk_domain::{Error, UnixTime};
use serde_json::{Value, json};
use std::path::Path;

const EXAMPLES: &str = "\
Examples:
  propusk audit --limit 20
  propusk audit --user anna --since 7d
  propusk audit --client rocketchat --kind client_secret_rotated --json";

/// Read the audit trail, newest first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Audit {
    /// Only of this person: username, another sign-in name or subject (also of somebody who was removed)
    #[arg(long, allow_hyphen_values = true)]
    user: Option<String>,
    /// Only of this client
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// Only of this kind, such as user_disabled
    #[arg(long)]
    kind: Option<String>,
    /// Not before: 30m, 12h, 7d ago, a date, a time in UTC, or Unix seconds
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    limit: i64,
}

impl Audit {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let instance = house::open_existing(config)?;
        let since = self.since.map(|text| when(&text, instance.clock.now())).transpose()?;
        let Self { user, client: client_id, kind, limit, .. } = self;
        let events = instance.read(|cx| {
            let sub = match user {
                None => None,
                Some(name) => match users::find(cx.store, &name) {
                    Ok(user) => Some(user.sub),
                    // The trail outlives the person, under the subject.
                    Err(Error::Refused(_)) => Some(name),
                    Err(fault) => return Err(fault),
                },
            };
            Ok(cx.store.list_audit(&AuditFilter { sub, client_id, kind, since, limit })?)
        })?;
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let rows =
            events.iter().map(|event| [event.at.to_string(), event.kind.clone(), text(&event.sub), text(&event.client_id), text(&event.detail)]);
        let human = table(["AT", "KIND", "SUB", "CLIENT", "DETAIL"], rows);
        Ok(Report::of(events.iter().map(row).collect()).human(human))
    }
}

fn row(event: &AuditEvent) -> Value {
    json!({
        "id": event.id, "at": event.at.to_string(), "kind": event.kind, "sub": event.sub, "client_id": event.client_id,
        "grant_id": event.grant_id, "detail": event.detail,
    })
}

fn when(text: &str, now: UnixTime) -> Result<UnixTime, Failure> {
    parse_since(text, now)
        .ok_or_else(|| Failure::usage("--since must be 30m, 12h or 7d, a date like 2026-11-20, a time like 2026-11-20T12:00:00Z, or Unix seconds"))
}
