//! What is done for the chat without anybody asking: everybody is reconciled now and then, and login tokens whose session has run
//! out are ended.

use super::connection::Connection;
use super::sync::{SyncError, Watch, Wish, standing, sync};
use crate::outbound::Outbound;
use crate::outbox::write;
use crate::state::AppState;
use crate::tasks::Stop;
use propusk_domain::chat;
use propusk_domain::{Result, UnixTime};
use std::time::Duration;

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(5);

/// Tokens handled at a time.
const TOKENS: i64 = 100;

/// Runs until the end is asked for.
pub(crate) fn run(state: &AppState, outbound: &Outbound, stop: &Stop) {
    let started = state.now();
    while stop.wait(LOOK) {
        if let Err(error) = look(state, outbound, stop, started) {
            tracing::warn!(fault = %error.into_fault(), "the chat could not be looked after");
        }
    }
}

fn look(state: &AppState, outbound: &Outbound, stop: &Stop, started: UnixTime) -> Result<()> {
    let now = state.now();
    let idle_since = now.plus(-state.policy.session_idle);
    let settings = &state.settings.rocketchat;
    let (orphans, standing, url) = state
        .db
        .read(|store| Ok((store.list_orphaned_chat_tokens(now, idle_since, TOKENS)?, standing(store)?, Connection::url(store, settings)?)))?;
    if !orphans.is_empty() && url.is_some() {
        write(state, move |cx| orphans.iter().try_for_each(|(sid, sub)| Ok(chat::token_orphaned(cx, sub, sid)?)))?;
    }
    let interval = state.settings.rocketchat.reconcile;
    // What a run that ended early has left is gone on with sooner.
    let pause = if standing.cursor.is_some() { interval.min(300) } else { interval };
    let since = standing.finished_at.filter(|_| standing.cursor.is_none()).unwrap_or(started);
    if interval == 0 || now.since(since) < pause || standing.leased_until > now {
        return Ok(());
    }
    let instance = state.instance();
    match sync(&instance, outbound, &Wish::default(), &mut Quiet(stop)) {
        Ok(report) => tracing::info!(checked = report.checked, changed = report.people.len(), "the chat is reconciled"),
        Err(SyncError::NotConnected | SyncError::Busy(_) | SyncError::Stopped) => {}
        Err(error) => tracing::warn!(%error, "the chat could not be reconciled"),
    }
    Ok(())
}

struct Quiet<'a>(&'a Stop);

impl Watch for Quiet<'_> {
    fn progress(&mut self, _done: usize, _total: usize) {}

    fn go_on(&self) -> bool {
        !self.0.is_asked()
    }
}
