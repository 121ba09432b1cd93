//! `propusk explain`

use crate::failure::Failure;
use crate::house;
use crate::language::{self, Lang};
use crate::output::{Report, lines, table};
use clap::Args;
use propusk_domain::records::RefusalRecord;
use propusk_domain::trace::diagnosis::Language;
use propusk_domain::{Cause, Refusal};
use propusk_server::instance::Instance;
use serde_json::{Value, json};
use std::path::Path;

const EXAMPLES: &str = "\
The reference stands on the error page, in the JSON body (error_reference), at the end of error_description and in the log.
Explanations are in Russian with --lang ru, or when LC_ALL, LC_MESSAGES or LANG begins with ru.

Examples:
  propusk explain 7F3K2Q
  propusk explain 7F3K2Q --lang ru
  propusk explain 7F3K2Q --json
  propusk explain                  (the latest refusals)";

/// Explain a refusal by the reference that the client saw
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// The reference; without it the latest refusals are listed
    reference: Option<String>,
    /// How many to list
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// The language of the explanations; by default that of the terminal
    #[arg(long)]
    lang: Option<Lang>,
}

impl Explain {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let instance = house::open_existing(config)?;
        let russian = language::chosen(self.lang) == Language::Russian;
        match self.reference {
            Some(reference) => one(&instance, &reference, russian),
            None => latest(&instance, self.limit, russian),
        }
    }
}

fn one(instance: &Instance, reference: &str, russian: bool) -> Result<Report, Failure> {
    let bare = reference.trim().trim_start_matches("(ref").trim_matches(['(', ')', ' ', '.']);
    let Some(refusal) = instance.read(|cx| Ok(cx.store.find_refusal(bare)?))? else {
        let refusal = Refusal::invalid_request("There is no refusal under this reference", Cause::UnknownReference);
        let refusal = refusal.expected("a reference of six letters and digits, younger than retention.refusals").received(reference);
        return Err(refusal.fix("propusk explain").into());
    };
    let explanation = explanation(&refusal, russian);
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let mut pairs = vec![
        (label("reference", "ссылка", russian), refusal.reference.clone()),
        (label("at", "когда", russian), refusal.at.to_string()),
        (label("endpoint", "адрес", russian), refusal.endpoint.clone()),
        (label("client", "клиент", russian), text(&refusal.detail.client_id)),
        (label("error", "ошибка", russian), refusal.error.clone()),
        (label("expected", "ожидалось", russian), text(&refusal.detail.expected)),
        (label("received", "пришло", russian), text(&refusal.detail.received)),
    ];
    pairs.extend(refusal.detail.nearest.clone().map(|nearest| (label("nearest", "ближайшее", russian), nearest)));
    pairs.push((label("cause", "причина", russian), refusal.detail.cause.slug().to_owned()));
    let mut human = format!("{}\n{explanation}\n", lines(pairs));
    human += label("\nWhat mends it:\n", "\nЧто поможет:\n", russian);
    // The refusal's own fixes are more exact, and in English; what can be copied is the same in every language.
    if russian || refusal.detail.fix.is_empty() {
        human += &format!("  {}\n", advice(&refusal, russian));
    }
    human.extend(refusal.detail.fix.iter().filter(|fix| !russian || fix.contains("propusk ")).map(|fix| format!("  {fix}\n")));
    Ok(Report::of(document(&refusal, russian)).human(human))
}

fn latest(instance: &Instance, limit: i64, russian: bool) -> Result<Report, Failure> {
    let refusals = instance.read(|cx| Ok(cx.store.list_refusals(limit)?))?;
    let row = |refusal: &RefusalRecord| {
        let client = refusal.detail.client_id.clone().unwrap_or_else(|| "-".to_owned());
        [
            refusal.reference.clone(),
            refusal.at.to_string(),
            refusal.endpoint.clone(),
            client,
            refusal.error.clone(),
            refusal.detail.cause.slug().to_owned(),
        ]
    };
    let human = table(["REF", "AT", "ENDPOINT", "CLIENT", "ERROR", "CAUSE"], refusals.iter().map(row));
    Ok(Report::of(refusals.iter().map(|refusal| document(refusal, russian)).collect()).human(human))
}

fn document(refusal: &RefusalRecord, russian: bool) -> Value {
    let detail = &refusal.detail;
    json!({
        "reference": refusal.reference,
        "at": refusal.at.to_string(),
        "endpoint": refusal.endpoint,
        "client_id": detail.client_id,
        "error": refusal.error,
        "expected": detail.expected,
        "received": detail.received,
        "nearest": detail.nearest,
        "cause": detail.cause.slug(),
        "explanation": explanation(refusal, russian),
        "fix": detail.fix,
        "advice": advice(refusal, russian),
    })
}

const fn explanation(refusal: &RefusalRecord, russian: bool) -> &'static str {
    if russian { refusal.detail.cause.explanation_ru() } else { refusal.detail.cause.explanation() }
}

const fn advice(refusal: &RefusalRecord, russian: bool) -> &'static str {
    if russian { refusal.detail.cause.advice_ru() } else { refusal.detail.cause.advice() }
}

const fn label(english: &'static str, in_russian: &'static str, russian: bool) -> &'static str {
    if russian { in_russian } else { english }
}
