//! `propusk trace`

use crate::failure::Failure;
use crate::house;
use crate::language::{self, Lang};
use crate::output::Report;
use clap::Args;
use propusk_domain::admin::users;
use propusk_domain::error::printable;
use propusk_domain::trace::diagnosis::{Diagnosis, Finding, Language};
use propusk_domain::trace::{FlowFilter, FlowStep, Trace as Flow, list};
use propusk_domain::{Error, UnixTime};
use propusk_server::instance::Instance;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

const EXAMPLES: &str = "\
Without --last it shows new steps as they come, until Ctrl-C; with --json one document a line. Every sign-in leaves its steps
(authorize, page_shown, signed_in, consent, code_issued, token_asked, userinfo_asked), and the one that is missing says why it
does not work. logout_sent says whether the application was told that the session has ended. Steps are kept for trace.keep.

Examples:
  propusk trace
  propusk trace --client rocketchat
  propusk trace --user anna --last 5 --lang ru
  propusk trace --last 1 --json";

/// How often the tail looks for new steps.
const POLL: Duration = Duration::from_millis(500);

/// How many of the newest flows the tail watches for further steps.
const WATCHED: i64 = 200;

/// Follow sign-ins step by step and say why one does not work
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Trace {
    /// Only sign-ins at this client
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// Only sign-ins of this person: username, another sign-in name or subject
    #[arg(long, allow_hyphen_values = true)]
    user: Option<String>,
    /// The newest so many sign-ins, instead of following
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=1000))]
    last: Option<i64>,
    /// The language of the explanations; by default that of the terminal
    #[arg(long)]
    lang: Option<Lang>,
}

impl Trace {
    pub(crate) fn run(self, config: Option<&Path>, json: bool) -> Result<Report, Failure> {
        let instance = house::open_existing(config)?;
        let language = language::chosen(self.lang);
        let sub = self.user.as_ref().map(|name| subject(&instance, name)).transpose()?;
        let filter = FlowFilter { client_id: self.client, sub, limit: self.last.unwrap_or(WATCHED) };
        if self.last.is_none() {
            return Tail { instance: &instance, filter, language, json, seen: HashMap::new() }.follow();
        }
        let (flows, client) = instance.read(|cx| {
            let client = filter.client_id.as_ref().map(|id| cx.store.find_client(id)).transpose()?.flatten();
            Ok((list(cx.store, &filter, cx.now)?, client))
        })?;
        // Without a client in question the chat is the likeliest.
        let is_chat = client.is_none_or(|client| client.settings.rocket_chat);
        let report = Report::of(document(&flows, language));
        if let (true, Some(name)) = (flows.is_empty(), &self.user) {
            return Ok(report.human(format!("No sign-in of {} is recorded.\n", printable(name))));
        }
        if flows.is_empty() {
            let (explanation, fix) = Finding::NothingAsked.said_of(is_chat, language);
            return Ok(report.human(format!("No sign-in is recorded.\n{explanation}\n{fix}\n")));
        }
        Ok(report.human(flows.iter().map(|flow| text(flow, language)).collect::<Vec<_>>().join("\n")))
    }
}

/// The subject of a name; the trace outlives the person, under the subject.
fn subject(instance: &Instance, name: &str) -> Result<String, Failure> {
    Ok(instance.read(|cx| match users::find(cx.store, name) {
        Ok(user) => Ok(user.sub),
        Err(unknown @ Error::Refused(_)) => {
            let filter = FlowFilter { sub: Some(name.to_owned()), limit: 1, ..FlowFilter::default() };
            if cx.store.list_flows(&filter)?.is_empty() { Err(unknown) } else { Ok(name.to_owned()) }
        }
        Err(fault) => Err(fault),
    })?)
}

/// The live tail.
struct Tail<'a> {
    instance: &'a Instance,
    filter: FlowFilter,
    language: Language,
    json: bool,
    /// How many steps of each flow were shown, and what was said about it.
    seen: HashMap<String, (usize, Option<Finding>)>,
}

impl Tail<'_> {
    /// Ends when nobody reads any more; Ctrl-C ends the process.
    fn follow(mut self) -> Result<Report, Failure> {
        for flow in self.flows()? {
            self.seen.insert(flow.id, (flow.steps.len(), Some(flow.diagnosis.finding)));
        }
        if !self.json {
            // Whoever waits for this line knows that nothing is missed from here on.
            let _closed = writeln!(std::io::stderr(), "following sign-ins; Ctrl-C ends");
        }
        loop {
            std::thread::sleep(POLL);
            let mut flows = self.flows()?;
            flows.reverse();
            let mut seen = HashMap::with_capacity(flows.len());
            let mut out = String::new();
            for flow in &flows {
                let (shown, said) = self.seen.get(&flow.id).copied().unwrap_or_default();
                let finding = (flow.diagnosis.finding != Finding::InProgress).then_some(flow.diagnosis.finding);
                if flow.steps.len() != shown || finding.is_some_and(|finding| said != Some(finding)) {
                    out += &self.news(flow, shown, said);
                }
                seen.insert(flow.id.clone(), (flow.steps.len(), finding));
            }
            self.seen = seen;
            let written = std::io::stdout().write_all(out.as_bytes()).and_then(|()| std::io::stdout().flush());
            if written.is_err() {
                return Ok(Report::of(Value::Null));
            }
        }
    }

    fn flows(&self) -> Result<Vec<Flow>, Failure> {
        Ok(self.instance.read(|cx| Ok(list(cx.store, &self.filter, cx.now)?))?)
    }

    fn news(&self, flow: &Flow, shown: usize, said: Option<Finding>) -> String {
        if self.json {
            return format!("{}\n", document(std::slice::from_ref(flow), self.language));
        }
        let who = flow.username.as_deref().unwrap_or("-");
        let mut text = String::new();
        for step in flow.steps.iter().skip(shown) {
            text += &format!("{}  {}  {}  {who}\n", line(step), printable(&flow.client_id), short_id(&flow.id));
        }
        if flow.diagnosis.finding != Finding::InProgress && said != Some(flow.diagnosis.finding) {
            text += &verdict(&flow.diagnosis, self.language);
        }
        text
    }
}

fn document(flows: &[Flow], language: Language) -> Value {
    json!({ "flows": flows.iter().map(|flow| row(flow, language)).collect::<Vec<_>>() })
}

fn row(flow: &Flow, language: Language) -> Value {
    let steps: Vec<Value> = flow.steps.iter().map(step_row).collect();
    let diagnosis = &flow.diagnosis;
    let mut row = json!({
        "id": flow.id, "client_id": flow.client_id, "started_at": flow.started_at.to_string(), "steps": steps,
        "diagnosis": {
            "slug": diagnosis.finding.slug(), "explanation": diagnosis.explanation(language), "fix": diagnosis.fix(language),
        },
    });
    if let (Some(username), Some(row)) = (&flow.username, row.as_object_mut()) {
        row.insert("username".to_owned(), json!(username));
    }
    row
}

fn step_row(step: &FlowStep) -> Value {
    let mut row = json!({ "step": step.step.as_str(), "at": step.at.to_string(), "verdict": step.verdict });
    if let (Some(reference), Some(row)) = (&step.reference, row.as_object_mut()) {
        row.insert("reference".to_owned(), json!(reference));
    }
    row
}

fn text(flow: &Flow, language: Language) -> String {
    let who = flow.username.as_deref().unwrap_or("-");
    let began: UnixTime = flow.started_at;
    let mut text = format!("{began}  {}  {who}  ({})\n", printable(&flow.client_id), flow.id);
    text.extend(flow.steps.iter().map(|step| format!("  {}\n", line(step))));
    text + &verdict(&flow.diagnosis, language)
}

fn line(step: &FlowStep) -> String {
    let reference = step.reference.as_deref().map(|reference| format!(" (ref {reference})")).unwrap_or_default();
    format!("{}  {:14}  {}{reference}", step.at, step.step.as_str(), printable(&step.verdict))
}

fn verdict(diagnosis: &Diagnosis, language: Language) -> String {
    let mut text = format!("  → {}: {}\n", diagnosis.finding.slug(), printable_long(&diagnosis.explanation(language)));
    if diagnosis.finding != Finding::InProgress {
        text += &format!("    {}\n", diagnosis.fix(language));
    }
    text
}

/// The table's own words are long; the one piece from outside in them, a path, was made printable when it was recorded.
fn printable_long(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

/// The end of an identifier: the beginning is the time.
fn short_id(id: &str) -> &str {
    id.len().checked_sub(6).and_then(|from| id.get(from..)).unwrap_or(id)
}
