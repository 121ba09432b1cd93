//! `propusk outbox …`

use crate::failure::Failure;
use crate::house;
use crate::output::{Report, table};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use propusk_domain::context::Audit;
use propusk_domain::outbox::{Message, Topic};
use propusk_domain::{Cause, Refusal};
use propusk_server::instance::Instance;
use serde_json::{Value, json};
use std::path::Path;

const LIST_EXAMPLES: &str = "\
What others have to be told of a change and have not heard yet. A row that was given up stays for retention.ended.

Examples:
  propusk outbox list
  propusk outbox list --topic backchannel_logout --json";
const RETRY_EXAMPLES: &str = "\
A row that was given up is tried again, too, for as long as a new one.

Examples:
  propusk outbox retry 1n3kq0v8d2m4x7h5c9b6f0tza
  propusk outbox retry --all";

/// What waits to be told to others
#[derive(Debug, Subcommand)]
pub(crate) enum Outbox {
    /// List what waits, oldest first
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// Try a row, or all of them, at once
    #[command(after_help = RETRY_EXAMPLES)]
    Retry(Retry),
    /// Remove a row without telling anybody
    #[command(after_help = "Examples:\n  propusk outbox drop 1n3kq0v8d2m4x7h5c9b6f0tza")]
    Drop(One),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this topic
    #[arg(long, value_parser = PossibleValuesParser::new(Topic::ALL.map(Topic::as_str)).try_map(|name| Topic::parse(&name).ok_or("no such topic")))]
    topic: Option<Topic>,
    /// At most so many
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = false)]
pub(crate) struct Retry {
    /// The row's identifier, as `outbox list` shows it
    id: Option<String>,
    /// Every row
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The row's identifier, as `outbox list` shows it
    id: String,
}

impl Outbox {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let instance = if matches!(self, Self::List(_)) { house::open_existing(config)? } else { house::open(config)? };
        match self {
            Self::List(verb) => verb.run(&instance),
            Self::Retry(verb) => retry(&instance, verb.id),
            Self::Drop(verb) => drop_row(&instance, verb.id),
        }
    }
}

impl List {
    fn run(self, instance: &Instance) -> Result<Report, Failure> {
        let rows = instance.read(|cx| Ok(cx.store.list_messages(self.topic, self.limit)?))?;
        let heads = ["ID", "TOPIC", "WHAT", "SINCE", "ATTEMPTS", "NEXT", "LAST FAILURE"];
        let human = table(
            heads,
            rows.iter().map(|row| {
                let next = row.failed_at.map_or_else(|| row.next_at.to_string(), |at| format!("given up {at}"));
                [
                    row.id.clone(),
                    row.topic.as_str().to_owned(),
                    row.key.clone(),
                    row.created_at.to_string(),
                    row.attempts.to_string(),
                    next,
                    row.failure.clone().unwrap_or_else(|| "-".to_owned()),
                ]
            }),
        );
        Ok(Report::of(rows.iter().map(document).collect()).human(human))
    }
}

fn document(row: &Message) -> Value {
    json!({
        "id": row.id, "topic": row.topic.as_str(), "key": row.key, "created_at": row.created_at.to_string(), "changed_at": row.changed_at.to_string(),
        "attempts": row.attempts, "next_at": row.next_at.to_string(), "failure": row.failure, "given_up_at": row.failed_at.map(|at| at.to_string()),
    })
}

fn retry(instance: &Instance, id: Option<String>) -> Result<Report, Failure> {
    let wanted = id.clone();
    let retried = instance.write(move |cx| Ok(cx.store.retry_messages(wanted.as_deref(), cx.now)?))?;
    match id {
        Some(id) if retried == 0 => Err(unknown(&id).into()),
        _ => Ok(Report::of(json!({ "retried": retried })).human(format!("{retried} tried again at once."))),
    }
}

fn drop_row(instance: &Instance, id: String) -> Result<Report, Failure> {
    let wanted = id.clone();
    let dropped = instance.write(move |cx| {
        let dropped = cx.store.drop_message(&wanted)?;
        if let Some(row) = &dropped {
            cx.audit(Audit::of("outbox_dropped").detail(format!("{} {}", row.topic.as_str(), row.key)))?;
        }
        Ok(dropped)
    })?;
    let Some(row) = dropped else { return Err(unknown(&id).into()) };
    let human = format!("Dropped: nobody is told of {} {}.", row.topic.as_str(), row.key);
    Ok(Report::of(json!({ "dropped": document(&row) })).human(human))
}

fn unknown(id: &str) -> Refusal {
    let refusal = Refusal::invalid_request("There is no such row in the outbox", Cause::UnknownOutboxRow);
    refusal.expected("the identifier of a row").received(id).fix("propusk outbox list")
}
