//! The trace of a sign-in: the steps that a flow came to, and what the one that is missing says.

pub mod diagnosis;
mod diagnosis_general;

use crate::records::RefusalRecord;
use crate::store::{Store, Stored};
use crate::time::UnixTime;
use diagnosis::{Diagnosis, Evidence, diagnose};
use std::collections::{HashMap, HashSet};

/// What happens on the way from the application's button to the application's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The application sent the person to the authorization endpoint.
    Authorize,
    /// The sign-in or consent page was shown.
    PageShown,
    /// The person sent name and password.
    SignedIn,
    /// The person allowed or declined.
    Consent,
    /// The code was sent to the application.
    CodeIssued,
    /// The application asked for tokens.
    TokenAsked,
    /// The application asked who it is.
    UserinfoAsked,
    /// The application was told that the session has ended.
    LogoutSent,
}

impl Step {
    /// In the order in which they happen.
    pub const ALL: [Self; 8] =
        [Self::Authorize, Self::PageShown, Self::SignedIn, Self::Consent, Self::CodeIssued, Self::TokenAsked, Self::UserinfoAsked, Self::LogoutSent];

    /// The stable name: `page_shown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::PageShown => "page_shown",
            Self::SignedIn => "signed_in",
            Self::Consent => "consent",
            Self::CodeIssued => "code_issued",
            Self::TokenAsked => "token_asked",
            Self::UserinfoAsked => "userinfo_asked",
            Self::LogoutSent => "logout_sent",
        }
    }

    /// The step of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }
}

/// The verdict of a step that went well; every other one is the slug of a cause, or the code of a fault of ours.
pub const OK: &str = "ok";

/// The verdict of a logout token that the application took.
pub const DELIVERED: &str = "delivered";

/// The verdict of a logout token that it did not take, or not yet.
pub const FAILED: &str = "failed";

/// The verdict of a logout token that is not sent again.
pub const GIVEN_UP: &str = "given_up";

/// One step as it is remembered: no token, code, `state` or query string among it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowStep {
    /// Sorts by time, then in the order in which a process saw them.
    pub id: String,
    /// The flow; `None` for a request that knows its grant alone.
    pub flow_id: Option<String>,
    /// The grant, from the issued code on.
    pub grant_id: Option<String>,
    /// The client.
    pub client_id: String,
    /// The person, as soon as it is known.
    pub sub: Option<String>,
    /// What was asked.
    pub step: Step,
    /// When.
    pub at: UnixTime,
    /// [`OK`], the slug of the cause, or `server_error` and `temporarily_unavailable`; of a logout [`DELIVERED`], [`FAILED`] or [`GIVEN_UP`].
    pub verdict: String,
    /// The reference of the refusal.
    pub reference: Option<String>,
}

impl FlowStep {
    /// Whether it went well.
    pub fn is_ok(&self) -> bool {
        self.verdict == OK
    }
}

/// Which flows to list.
#[derive(Debug, Clone, Default)]
pub struct FlowFilter {
    /// At this client.
    pub client_id: Option<String>,
    /// Of this person.
    pub sub: Option<String>,
    /// At most so many, the newest first.
    pub limit: i64,
}

/// A flow with its steps and what they say.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The flow.
    pub id: String,
    /// The client.
    pub client_id: String,
    /// The person's username, once known and while the person exists.
    pub username: Option<String>,
    /// When it began.
    pub started_at: UnixTime,
    /// What happened, in order.
    pub steps: Vec<FlowStep>,
    /// What it comes to.
    pub diagnosis: Diagnosis,
}

/// Flows of the same client and person that begin within so many seconds of each other look like a loop.
const LOOP_SECONDS: i64 = 30;

/// How many further flows are read to see whether those that are shown repeat.
const NEIGHBOURS: i64 = 100;

/// How many refusals are looked through for one that belongs to a flow but could not name it.
const REFUSALS: i64 = 1000;

/// The traces that `filter` asks for, the newest first, diagnosed as of `now`.
pub fn list(store: &mut dyn Store, filter: &FlowFilter, now: UnixTime) -> Stored<Vec<Trace>> {
    let wider = FlowFilter { limit: filter.limit.saturating_add(NEIGHBOURS), ..filter.clone() };
    let ids = store.list_flows(&wider)?;
    let mut steps = by_flow(store.list_flow_steps(&ids)?);
    let known: HashSet<String> = steps.values().flatten().filter_map(|step| step.reference.clone()).collect();
    let strays: Vec<RefusalRecord> = store.list_refusals(REFUSALS)?.into_iter().filter(|refusal| !known.contains(&refusal.reference)).collect();
    let starts: Vec<Start> = ids.iter().filter_map(|id| steps.get(id).and_then(|steps| Start::of(steps))).collect();
    let shown = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    // A tail lists many flows of few clients and people, twice a second.
    let (mut usernames, mut chats) = (HashMap::new(), HashMap::new());
    let mut traces = Vec::new();
    for id in ids.into_iter().take(shown) {
        let Some(steps) = steps.remove(&id) else { continue };
        let Some(start) = Start::of(&steps) else { continue };
        let username = match &start.sub {
            Some(sub) if !usernames.contains_key(sub) => {
                let username = store.find_user(sub)?.map(|user| user.username);
                usernames.entry(sub.clone()).or_insert(username).clone()
            }
            Some(sub) => usernames.get(sub).cloned().flatten(),
            None => None,
        };
        if !chats.contains_key(&start.client_id) {
            let is_chat = store.find_client(&start.client_id)?.is_some_and(|client| client.settings.rocket_chat);
            chats.insert(start.client_id.clone(), is_chat);
        }
        let evidence = Evidence {
            steps: &steps,
            asks_userinfo: chats.get(&start.client_id).copied().unwrap_or_default(),
            repeated: starts.iter().filter(|other| other.repeats(&start)).count(),
            strays: &strays,
        };
        let diagnosis = diagnose(&evidence, now);
        traces.push(Trace { id, client_id: start.client_id, username, started_at: start.at, steps, diagnosis });
    }
    Ok(traces)
}

/// Who began a flow, where and when.
struct Start {
    client_id: String,
    sub: Option<String>,
    at: UnixTime,
}

impl Start {
    fn of(steps: &[FlowStep]) -> Option<Self> {
        let first = steps.first()?;
        let sub = steps.iter().find_map(|step| step.sub.clone());
        Some(Self { client_id: first.client_id.clone(), sub, at: first.at })
    }

    /// Whether the same person began both at the same client in the same moment; a flow repeats itself.
    fn repeats(&self, other: &Self) -> bool {
        self.sub.is_some() && self.sub == other.sub && self.client_id == other.client_id && self.at.since(other.at).abs() <= LOOP_SECONDS
    }
}

/// Steps that know their grant alone belong to the flow whose code made the grant.
fn by_flow(steps: Vec<FlowStep>) -> HashMap<String, Vec<FlowStep>> {
    let flows: HashMap<String, String> = steps.iter().filter_map(|step| Some((step.grant_id.clone()?, step.flow_id.clone()?))).collect();
    let mut grouped: HashMap<String, Vec<FlowStep>> = HashMap::new();
    for step in steps {
        let flow = step.flow_id.as_ref().or_else(|| step.grant_id.as_ref().and_then(|grant| flows.get(grant)));
        if let Some(flow) = flow {
            grouped.entry(flow.clone()).or_default().push(step);
        }
    }
    grouped
}
