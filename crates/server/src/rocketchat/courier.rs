//! Delivers the chat's rows of the outbox. While the chat is down one row at a time asks whether it is back, and the others wait.

use super::agree::{Found, agree, find};
use super::connection::Connection;
use super::rest::{Rest, RestError};
use super::token;
use super::workspace::Workspace;
use crate::instance::Instance;
use crate::outbound::Outbound;
use crate::outbox::{Courier, write};
use crate::state::AppState;
use propusk_domain::chat::{Map, Person, Wanted};
use propusk_domain::context::Audit;
use propusk_domain::outbox::{Message, Outcome, Topic};
use propusk_domain::{Fault, Result, UnixTime};
use serde::Deserialize;

/// The longest pause of all rows together, in seconds.
const LONGEST_REST: i64 = 60;

/// Seconds after a code was issued during which the account may still be on its way.
const ARRIVING: i64 = 600;

/// Delivers to the chat.
pub(crate) struct ChatCourier {
    state: AppState,
    outbound: Outbound,
    failures: u32,
    resting_since: UnixTime,
    resting_until: UnixTime,
}

impl ChatCourier {
    pub(crate) fn new(state: AppState, outbound: Outbound) -> Self {
        Self { state, outbound, failures: 0, resting_since: UnixTime(0), resting_until: UnixTime(0) }
    }

    fn judge(&mut self, result: Result<Result<Outcome, RestError>>) -> Result<Outcome> {
        let error = match result? {
            Ok(outcome) => {
                self.failures = 0;
                return Ok(outcome);
            }
            Err(error) => error,
        };
        let failure = error.to_string();
        let after = match &error {
            RestError::RateLimited { retry_after } => Some(i64::try_from(retry_after.as_secs()).unwrap_or(LONGEST_REST)),
            _ => None,
        };
        if !error.is_passing() && !matches!(error, RestError::Unauthorized) {
            self.failures = 0;
            // A missing permission or second factor is the operator's to mend; it is tried for as long as an outage.
            let lasting = matches!(error, RestError::Forbidden(_) | RestError::TotpRequired { .. } | RestError::TotpInvalid { .. });
            return Ok(if lasting { Outcome::Later { failure, after } } else { Outcome::Refused { failure } });
        }
        let rest = after.unwrap_or_else(|| 1_i64.checked_shl(self.failures).unwrap_or(LONGEST_REST).min(LONGEST_REST));
        self.failures = (self.failures + 1).min(16);
        self.resting_since = self.state.now();
        self.resting_until = self.resting_since.plus(rest);
        Ok(Outcome::Later { failure, after })
    }

    fn person(&self, message: &Message, connection: &Connection) -> Result<Result<Outcome, RestError>> {
        let sub = message.key.clone();
        let body: Person = message.read()?;
        let (policy, channels) = (&self.state.policy, &self.state.settings.rocketchat.channels);
        let now = self.state.now();
        let (wanted, known, marked, arriving) = self.state.db.read(|store| {
            let user = store.find_user(&sub)?;
            let wanted = match (&user, &body.removed) {
                (Some(user), _) => Some(Map::load(store, &policy.chat_client, channels)?.wanted(user)),
                (None, Some(removed)) => Some(Wanted::removed(&sub, removed)),
                (None, None) => None,
            };
            let grants = store.list_grants(Some(&sub), Some(&policy.chat_client), 1)?;
            let arriving = grants.first().is_some_and(|grant| now.since(grant.created_at) < ARRIVING);
            Ok((wanted, store.find_chat_id(&sub)?, store.find_chat_state(&mark(&sub))?, arriving))
        })?;
        let Some(wanted) = wanted else { return Ok(Ok(Outcome::Done)) };
        let settings = &self.state.settings.rocketchat;
        let mut workspace =
            Workspace::new(connection.rest(self.outbound.clone()), &connection.user_id, &connection.service, settings.create_channels, false);
        let account = match find(&mut workspace, &wanted, known.as_deref()) {
            Ok(Found::Account(account)) => account,
            Ok(Found::Nobody) if arriving => {
                // The chat makes it a moment after the code; whoever turns back there never gets one.
                return Ok(Ok(Outcome::Later { failure: "no account in the chat yet".to_owned(), after: None }));
            }
            Ok(Found::Nobody) => return Ok(Ok(Outcome::Done)),
            Ok(Found::Foreign(reason)) => {
                tracing::warn!(sub = wanted.sub, reason, "an account of the chat is left alone");
                return Ok(Ok(Outcome::Done));
            }
            Err(error) => return Ok(Err(error)),
        };
        remember(&self.state.instance(), &wanted, &account.id, account.active, marked.as_deref())?;
        let agreed = match agree(&mut workspace, &wanted, &account, marked.as_deref() == Some(&account.id), false) {
            Ok(agreed) => agreed,
            Err(error) => return Ok(Err(error)),
        };
        finished(&self.state.instance(), &wanted, &account.id, &agreed.changes)?;
        Ok(Ok(Outcome::Done))
    }

    /// Ends every session of the chat. When an earlier attempt may have worked and the person has come back since, they are not
    /// thrown out a second time.
    fn log_out(&self, message: &Message, connection: &Connection) -> Result<Result<Outcome, RestError>> {
        let (sub, since) = (message.key.clone(), message.read::<EndedAt>()?.at);
        let client = &self.state.policy.chat_client;
        let (known, newer) = self.state.db.read(|store| {
            let grants = store.list_grants(Some(&sub), Some(client), 1)?;
            Ok((store.find_chat_id(&sub)?, grants.first().is_some_and(|grant| grant.created_at > since)))
        })?;
        let Some(chat_id) = known else { return Ok(Ok(Outcome::Done)) };
        if newer && message.attempts > 1 {
            return Ok(Ok(Outcome::Done));
        }
        let answer = connection.rest(self.outbound.clone()).post("users.logout", &serde_json::json!({ "userId": chat_id }));
        Ok(match answer {
            Err(RestError::NotFound) => Ok(Outcome::Done),
            Err(error) if error.is("error-invalid-user") => Ok(Outcome::Done),
            answer => answer.map(|_| Outcome::Done),
        })
    }

    /// A token ends itself: nobody else's rights are needed.
    fn end_token(&self, message: &Message) -> Result<Result<Outcome, RestError>> {
        let (sid, settings) = (message.key.clone(), &self.state.settings.rocketchat);
        let (row, url) = self.state.db.read(|store| Ok((store.find_chat_token(&sid)?, Connection::url(store, settings)?)))?;
        let (Some(row), Some(url)) = (row, url) else { return Ok(Ok(Outcome::Done)) };
        let login_token = token::open(&self.state.master, &row)?;
        let answer = Rest::new(self.outbound.clone(), &url).with_token(&row.chat_id, login_token).log_out();
        match answer {
            // It has ended there already.
            Ok(()) | Err(RestError::Unauthorized) => {
                write(&self.state, move |cx| Ok(cx.store.delete_chat_token(&row.sid, &row.sealed)?))?;
                Ok(Ok(Outcome::Done))
            }
            Err(error) => Ok(Err(error)),
        }
    }
}

impl ChatCourier {
    /// Whether an operator wants it tried now (`propusk outbox retry`): a row that has failed, and was made new since.
    fn is_asked_by_hand(&self, now: UnixTime) -> Result<bool> {
        let due = self.state.db.read(|store| Ok(store.due_messages(self.topics(), now, 1)?))?;
        Ok(due.iter().any(|row| row.attempts == 0 && row.failure.is_some() && row.changed_at >= self.resting_since))
    }
}

impl Courier for ChatCourier {
    fn topics(&self) -> &'static [Topic] {
        &Topic::CHAT
    }

    fn is_ready(&mut self) -> bool {
        let now = self.state.now();
        now >= self.resting_until || self.is_asked_by_hand(now).unwrap_or(false)
    }

    fn deliver(&mut self, message: &Message) -> Result<Outcome> {
        let (settings, master) = (&self.state.settings.rocketchat, &self.state.master);
        let connection = self.state.db.read(|store| Ok(Connection::find(store, settings, master)?))?;
        let result = match (message.topic, &connection) {
            (Topic::ChatPerson, Some(connection)) => self.person(message, connection),
            (Topic::ChatLogout, Some(connection)) => self.log_out(message, connection),
            (Topic::ChatToken, _) => self.end_token(message),
            // Nobody looks after the chat's accounts.
            (Topic::ChatPerson | Topic::ChatLogout, None) => return Ok(Outcome::Done),
            (Topic::BackchannelLogout | Topic::Mail | Topic::ChatEverybody, _) => {
                Err(Fault::broken("a logout of a relying party, a mail or everybody is not one account's").into())
            }
        };
        self.judge(result)
    }
}

/// The body of a logout.
#[derive(Deserialize)]
struct EndedAt {
    at: UnixTime,
}

/// The value that says which account was switched off from here.
fn mark(sub: &str) -> String {
    format!("deactivated {sub}")
}

/// Before anything is done: whose account it is, and that it is about to be switched off. A crash in between leaves a mark too many,
/// which the next delivery makes true.
pub(super) fn remember(instance: &Instance, wanted: &Wanted, chat_id: &str, is_active: bool, marked: Option<&str>) -> Result<()> {
    let (sub, chat_id, marking) = (wanted.sub.clone(), chat_id.to_owned(), !wanted.active && is_active);
    let marked = marked.map(str::to_owned);
    instance.write(move |cx| {
        if cx.store.find_chat_id(&sub)?.as_deref() != Some(&chat_id) {
            cx.store.put_chat_id(&sub, &chat_id)?;
        }
        if marking && marked.as_deref() != Some(&chat_id) {
            cx.store.swap_chat_state(&mark(&sub), marked.as_deref(), Some(&chat_id))?;
        }
        Ok(())
    })
}

/// Which account of a person was switched off from here.
pub(super) fn deactivated(store: &mut dyn propusk_domain::store::Store, sub: &str) -> Result<Option<String>, Fault> {
    store.find_chat_state(&mark(sub))
}

/// Afterwards: what was done, in the audit trail; and that an account is on again.
pub(super) fn finished(instance: &Instance, wanted: &Wanted, chat_id: &str, changes: &[super::agree::Change]) -> Result<()> {
    let (sub, chat_id, unmarking) = (wanted.sub.clone(), chat_id.to_owned(), wanted.active);
    let detail = super::agree::told(changes);
    instance.write(move |cx| {
        if unmarking {
            cx.store.swap_chat_state(&mark(&sub), Some(&chat_id), None)?;
        }
        if !detail.is_empty() {
            cx.audit(Audit::of("chat_account_changed").sub(&sub).client(&cx.policy.chat_client).detail(detail.clone()))?;
        }
        Ok(())
    })
}
