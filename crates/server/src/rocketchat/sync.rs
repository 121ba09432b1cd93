//! Everybody's account made to agree, in pages. Where it stopped is kept in the database, so that the next run goes on there; of
//! several processes one works at a time.

use super::agree::{Agreed, Change, Found, agree, find};
use super::connection::Connection;
use super::courier::{deactivated, finished, remember};
use super::rest::RestError;
use super::workspace::{Account, Workspace};
use crate::instance::Instance;
use crate::outbound::Outbound;
use propusk_crypto::random::token;
use propusk_domain::chat::{Everybody, Map, Wanted};
use propusk_domain::store::Store;
use propusk_domain::user::User;
use propusk_domain::{Error, Fault, UnixTime};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use thiserror::Error as ThisError;

/// People of a page: after each the place is written down.
const PAGE: i64 = 20;

/// Seconds that a run may be silent before another takes over.
const LEASE: i64 = 300;

/// The longest that a run waits when the chat asks for patience; beyond it the run ends and the next goes on.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often a run that waits looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);

/// The value that holds the place.
const STATE: &str = "reconcile";

/// Where the reconciliation stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// The username after which it goes on; `None` at the beginning.
    pub cursor: Option<String>,
    /// Until when somebody works on it.
    pub leased_until: UnixTime,
    /// When the last one ended that went through everybody.
    pub finished_at: Option<UnixTime>,
    /// The change of the map for which somebody began last.
    asked: String,
    lease: String,
}

/// What to do.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Only say what would change.
    pub plan: bool,
    /// Only this person.
    pub only: Option<User>,
    /// Because the map of roles has changed.
    pub asked: Option<Asked>,
}

/// A change of the map of roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which change: another one begins anew, wherever a run stood.
    pub change: String,
    /// What the maps before gave.
    pub earlier: Everybody,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// People looked at.
    pub checked: usize,
    /// The place where an earlier run had stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_after: Option<String>,
    /// Those with changes or something to say.
    pub people: Vec<PersonReport>,
}

/// What was done for one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonReport {
    /// The username here.
    pub username: String,
    /// What changed.
    pub changes: Vec<Change>,
    /// What could not.
    pub notes: Vec<String>,
}

/// Why a run did not come to its end.
#[derive(Debug, ThisError)]
pub enum SyncError {
    /// No chat is known.
    #[error("no chat is connected: propusk rocketchat connect, or set rocketchat.url, user_id and token_file")]
    NotConnected,
    /// Another process works on it.
    #[error("another process is reconciling the chat (until {0} at the latest)")]
    Busy(UnixTime),
    /// The chat; what was done stands, and the next run goes on behind it.
    #[error("{0}")]
    Chat(#[from] RestError),
    /// It was asked to end.
    #[error("stopped; the next run goes on where this one ended")]
    Stopped,
    /// This side.
    #[error("{0}")]
    Own(Fault),
}

impl From<Error> for SyncError {
    fn from(error: Error) -> Self {
        Self::Own(error.into_fault())
    }
}

/// What a run calls on its way.
pub trait Watch {
    /// So many people of so many are done.
    fn progress(&mut self, done: usize, total: usize);
    /// Whether to go on.
    fn go_on(&self) -> bool {
        true
    }
}

/// Where the reconciliation stands.
pub fn standing(store: &mut dyn Store) -> Result<Standing, Fault> {
    Ok(read(store)?.1)
}

/// Reconciles. Without `only` and `plan` it takes the lease and keeps its place.
pub fn sync(instance: &Instance, outbound: &Outbound, wish: &Wish, watch: &mut dyn Watch) -> Result<Report, SyncError> {
    let settings = &instance.settings.rocketchat;
    let (connection, map) = instance.read(|cx| {
        let map = Map::load(cx.store, &settings.client, &settings.channels)?;
        let map = wish.asked.iter().fold(map, |map, asked| map.after(&asked.earlier));
        Ok((Connection::find(cx.store, settings, &instance.master)?, map))
    })?;
    let connection = connection.ok_or(SyncError::NotConnected)?;
    let whole = wish.only.is_none();
    let workspace = Workspace::new(connection.rest(outbound.clone()), &connection.user_id, &connection.service, settings.create_channels, whole);
    let mut run = Run { instance, workspace, map, plan: wish.plan, report: Report::default() };
    if let Some(user) = &wish.only {
        run.person(user, watch)?;
        return Ok(run.report);
    }
    if wish.plan {
        run.everybody(None, watch, &mut |_| Ok(()))?;
        return Ok(run.report);
    }
    run.leased(wish.asked.as_ref().map(|asked| asked.change.as_str()), watch)?;
    Ok(run.report)
}

struct Run<'a> {
    instance: &'a Instance,
    workspace: Workspace,
    map: Map,
    plan: bool,
    report: Report,
}

impl Run<'_> {
    fn leased(&mut self, asked: Option<&str>, watch: &mut dyn Watch) -> Result<(), SyncError> {
        let instance = self.instance;
        let lease = token(&instance.rng, 12);
        let (mut standing, mut text) = take(instance, &lease, asked)?;
        self.report.resumed_after.clone_from(&standing.cursor);
        let cursor = standing.cursor.clone();
        let result = self.everybody(cursor, watch, &mut |cursor| {
            standing.cursor = Some(cursor.to_owned());
            standing.leased_until = instance.clock.now().plus(LEASE);
            text = put(instance, &text, &standing)?;
            Ok(())
        });
        standing.leased_until = UnixTime(0);
        if result.is_ok() {
            standing.cursor = None;
            standing.finished_at = Some(instance.clock.now());
        }
        // Whoever has taken over meanwhile keeps it.
        let released = put(instance, &text, &standing);
        result?;
        released.map(drop)
    }

    fn everybody(
        &mut self,
        mut cursor: Option<String>,
        watch: &mut dyn Watch,
        keep: &mut dyn FnMut(&str) -> Result<(), SyncError>,
    ) -> Result<(), SyncError> {
        let total = self.instance.read(|cx| Ok(cx.store.table_sizes()?))?.iter().find(|(table, _)| *table == "users").map_or(0, |(_, rows)| *rows);
        let total = usize::try_from(total).unwrap_or_default();
        // Read once for all, instead of a question for each.
        self.patiently(watch, |run| run.workspace.accounts().map(drop))?;
        loop {
            let after = cursor.clone();
            let page = self.instance.read(|cx| Ok(cx.store.list_users(after.as_deref(), None, PAGE)?))?;
            let Some(last) = page.last() else { return Ok(()) };
            for user in &page {
                if !watch.go_on() {
                    return Err(SyncError::Stopped);
                }
                self.person(user, watch)?;
                watch.progress(self.report.checked, total.max(self.report.checked));
            }
            keep(&last.username)?;
            cursor = Some(last.username.clone());
        }
    }

    fn person(&mut self, user: &User, watch: &mut dyn Watch) -> Result<(), SyncError> {
        let wanted = self.map.wanted(user);
        let agreed = self.patiently(watch, |run| run.agree(&wanted))??;
        self.report.checked += 1;
        if !(agreed.changes.is_empty() && agreed.notes.is_empty()) {
            self.report.people.push(PersonReport { username: user.username.clone(), changes: agreed.changes, notes: agreed.notes });
        }
        Ok(())
    }

    /// The outer failure is the chat's, the inner one ours.
    fn agree(&mut self, wanted: &Wanted) -> Result<Result<Agreed, SyncError>, RestError> {
        let looked = self.instance.read(|cx| Ok((cx.store.find_chat_id(&wanted.sub)?, deactivated(cx.store, &wanted.sub)?)));
        let (known, marked) = match looked {
            Ok(looked) => looked,
            Err(error) => return Ok(Err(error.into())),
        };
        let account = match find(&mut self.workspace, wanted, known.as_deref()) {
            Ok(Found::Account(account)) => account,
            Ok(Found::Nobody) => return Ok(Ok(Agreed::default())),
            Ok(Found::Foreign(reason)) => return Ok(Ok(Agreed { changes: Vec::new(), notes: vec![reason] })),
            Err(error) => return Err(error),
        };
        if !self.plan
            && let Err(error) = remember(self.instance, wanted, &account.id, account.active, marked.as_deref())
        {
            return Ok(Err(error.into()));
        }
        let ours = marked.as_deref() == Some(&account.id);
        let without_identity = self.lacks_identity(wanted, &account)?;
        let agreed = match agree(&mut self.workspace, wanted, &account, ours, self.plan) {
            // One person's refusal stops nobody else.
            Err(RestError::Refused { error, .. }) => {
                return Ok(Ok(Agreed { changes: Vec::new(), notes: vec![format!("the chat refused: {error}")] }));
            }
            agreed => agreed?,
        };
        let agreed = Agreed { notes: agreed.notes.into_iter().chain(without_identity).collect(), ..agreed };
        if !self.plan
            && let Err(error) = finished(self.instance, wanted, &account.id, &agreed.changes)
        {
            return Ok(Err(error.into()));
        }
        Ok(Ok(agreed))
    }

    /// What is to be said of an account that was made for its owner and that the chat's button does not take. A chat that shows nobody's
    /// identity tells nothing.
    fn lacks_identity(&mut self, wanted: &Wanted, account: &Account) -> Result<Option<String>, RestError> {
        let shown = self.workspace.known_accounts().is_some_and(|accounts| accounts.iter().any(|other| other.subject.is_some()));
        if account.subject.is_some() || !wanted.active || !shown || !self.workspace.takes_only_its_own()? {
            return Ok(None);
        }
        Ok(Some("has no OAuth identity: the button says that the username already exists, until Merge users from distinct services is on".to_owned()))
    }

    /// Waits as long as the chat asks, and asks again.
    fn patiently<T>(&mut self, watch: &mut dyn Watch, mut ask: impl FnMut(&mut Self) -> Result<T, RestError>) -> Result<T, SyncError> {
        loop {
            match ask(self) {
                Err(RestError::RateLimited { retry_after }) if retry_after <= PATIENCE => {
                    let began = Instant::now();
                    while began.elapsed() < retry_after {
                        if !watch.go_on() {
                            return Err(SyncError::Stopped);
                        }
                        std::thread::sleep(LOOK);
                    }
                }
                answer => return Ok(answer?),
            }
        }
    }
}

fn read(store: &mut dyn Store) -> Result<(Option<String>, Standing), Fault> {
    let text = store.find_chat_state(STATE)?;
    let standing = text.as_deref().map(serde_json::from_str).transpose().map_err(Fault::broken)?.unwrap_or_default();
    Ok((text, standing))
}

/// Takes the lease; the value as it is now, in both forms.
fn take(instance: &Instance, lease: &str, asked: Option<&str>) -> Result<(Standing, String), SyncError> {
    let (lease, asked) = (lease.to_owned(), asked.map(str::to_owned));
    let taken = instance.write(move |cx| {
        let (before, mut standing) = read(cx.store)?;
        if standing.leased_until > cx.now {
            return Ok(Err(standing.leased_until));
        }
        // What stood before the change has to be looked at again.
        if let Some(asked) = asked.as_ref().filter(|asked| **asked != standing.asked) {
            standing.asked.clone_from(asked);
            standing.cursor = None;
        }
        standing.lease.clone_from(&lease);
        standing.leased_until = cx.now.plus(LEASE);
        let text = serde_json::to_string(&standing).map_err(Fault::broken)?;
        let won = cx.store.swap_chat_state(STATE, before.as_deref(), Some(&text))?;
        Ok(if won { Ok((standing, text)) } else { Err(cx.now.plus(LEASE)) })
    })?;
    taken.map_err(SyncError::Busy)
}

/// Replaces the value, provided that it is still ours; the new text.
fn put(instance: &Instance, before: &str, standing: &Standing) -> Result<String, SyncError> {
    let text = serde_json::to_string(standing).map_err(|error| SyncError::Own(Fault::broken(error)))?;
    let (before, after) = (before.to_owned(), text.clone());
    let ours = instance.write(move |cx| Ok(cx.store.swap_chat_state(STATE, Some(&before), Some(&after))?))?;
    if ours { Ok(text) } else { Err(SyncError::Busy(instance.clock.now().plus(LEASE))) }
}
