//! Delivers a change of the map of roles: everybody is reconciled at once, by the same run that the schedule makes. It keeps its place,
//! so a delivery that ends early is gone on with by the next.

use super::rest::RestError;
use super::sync::{Asked, SyncError, Watch, Wish, sync};
use crate::outbound::Outbound;
use crate::outbox::Courier;
use crate::state::AppState;
use crate::tasks::Stop;
use propusk_domain::outbox::{Message, Outcome, Topic};
use propusk_domain::{Fault, Result};
use std::time::{Duration, Instant};

/// How long one delivery goes on once it has begun with people: well within the lease of its row.
const TURN: Duration = Duration::from_secs(60);

/// Seconds until it is looked again whether another run has ended.
const BUSY: i64 = 2;

/// Delivers changes of the map.
pub(crate) struct EverybodyCourier {
    state: AppState,
    outbound: Outbound,
}

impl EverybodyCourier {
    pub(crate) fn new(state: AppState, outbound: Outbound) -> Self {
        Self { state, outbound }
    }
}

impl Courier for EverybodyCourier {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::ChatEverybody]
    }

    fn deliver(&mut self, _message: &Message) -> Result<Outcome> {
        Err(Fault::broken("a run over everybody is delivered with a look at the end").into())
    }

    fn deliver_until(&mut self, message: &Message, stop: &Stop) -> Result<Outcome> {
        let asked = Asked { change: format!("{} {}", message.id, message.version), earlier: message.read()? };
        let wish = Wish { asked: Some(asked), ..Wish::default() };
        match sync(&self.state.instance(), &self.outbound, &wish, &mut Turn { stop, began: None }) {
            Ok(report) => {
                tracing::info!(checked = report.checked, changed = report.people.len(), "the chat follows the map of roles");
                Ok(Outcome::Done)
            }
            // Nobody looks after the chat's accounts.
            Err(SyncError::NotConnected) => Ok(Outcome::Done),
            Err(SyncError::Busy(_)) => Ok(later("another run over everybody has not ended yet", Some(BUSY))),
            Err(SyncError::Stopped) => Ok(later("not everybody yet", Some(1))),
            Err(SyncError::Chat(error)) => Ok(judge(&error)),
            Err(SyncError::Own(fault)) => Err(fault.into()),
        }
    }
}

fn later(failure: &str, after: Option<i64>) -> Outcome {
    Outcome::Later { failure: failure.to_owned(), after }
}

/// What the operator can mend is tried for as long as an outage; what the chat does not understand is given up.
fn judge(error: &RestError) -> Outcome {
    let failure = error.to_string();
    match error {
        RestError::RateLimited { retry_after } => later(&failure, i64::try_from(retry_after.as_secs()).ok()),
        RestError::Unauthorized | RestError::Forbidden(_) | RestError::TotpRequired { .. } | RestError::TotpInvalid { .. } => later(&failure, None),
        error if error.is_passing() => later(&failure, None),
        _ => Outcome::Refused { failure },
    }
}

/// A turn counts from the first person on: a chat whose lists take long must not keep it from ever getting to one.
struct Turn<'a> {
    stop: &'a Stop,
    began: Option<Instant>,
}

impl Watch for Turn<'_> {
    fn progress(&mut self, _done: usize, _total: usize) {
        self.began.get_or_insert_with(Instant::now);
    }

    fn go_on(&self) -> bool {
        !self.stop.is_asked() && self.began.is_none_or(|began| began.elapsed() < TURN)
    }
}
