//! The outbox: what others have to be told is written down in the transaction of the change and delivered afterwards.
//!
//! A row says *what to look after*, never *what to add*: delivering it makes the other side agree with what is true then, so doing
//! it twice, as after a crash between the answer and our commit, changes nothing. No body holds a secret.

use crate::context::{Audit, Cx};
use crate::error::{Fault, Result, printable};
use crate::ids;
use crate::store::Stored;
use crate::time::UnixTime;
use propusk_crypto::Random;
use propusk_crypto::random::token;
use serde::{Deserialize, Serialize};

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// A relying party has to learn that a session has ended (OpenID Connect Back-Channel Logout 1.0).
    BackchannelLogout,
    /// The chat's account of a person has to agree with the person.
    ChatPerson,
    /// Everybody's account in the chat has to be compared: the map from roles to the chat's has changed.
    ChatEverybody,
    /// The chat's sessions of a person have to end.
    ChatLogout,
    /// One login token of the chat has to end.
    ChatToken,
    /// A mail that somebody asked for.
    Mail,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 6] = [Self::BackchannelLogout, Self::ChatPerson, Self::ChatEverybody, Self::ChatLogout, Self::ChatToken, Self::Mail];

    /// The topics of one account of the chat.
    pub const CHAT: [Self; 3] = [Self::ChatPerson, Self::ChatLogout, Self::ChatToken];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BackchannelLogout => "backchannel_logout",
            Self::ChatPerson => "chat_person",
            Self::ChatEverybody => "chat_everybody",
            Self::ChatLogout => "chat_logout",
            Self::ChatToken => "chat_token",
            Self::Mail => "mail",
        }
    }

    /// The topic of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == name)
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The identifier; later ones sort behind.
    pub id: String,
    /// What it is about.
    pub topic: Topic,
    /// Which thing of the topic; one row a thing.
    pub key: String,
    /// Rows of one subject are delivered one after the other.
    pub subject: String,
    /// JSON, free of secrets.
    pub body: String,
    /// Grows when the thing changes while the row waits.
    pub version: i64,
    /// When the row came.
    pub created_at: UnixTime,
    /// When the thing changed last.
    pub changed_at: UnixTime,
    /// How often it was tried since.
    pub attempts: i64,
    /// When it is tried next.
    pub next_at: UnixTime,
    /// Until when somebody is delivering it; in the past when nobody is.
    pub leased_until: UnixTime,
    /// Why the last attempt failed.
    pub failure: Option<String>,
    /// When it was given up.
    pub failed_at: Option<UnixTime>,
}

impl Message {
    /// The body as `T`.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Fault> {
        serde_json::from_str(&self.body).map_err(|error| Fault::broken(format!("the body of the outbox row {} cannot be read: {error}", self.id)))
    }
}

/// The rows, and what they follow from.
pub trait Outbox {
    /// Adds the row, or makes the row of its topic and key newer: another body and version, due at once, given up no more.
    fn put_message(&mut self, message: &Message) -> Stored<()>;
    /// Those of the topics that may be delivered now, oldest first: due, held by nobody, with no older row of their subject waiting.
    fn due_messages(&mut self, topics: &[Topic], now: UnixTime, limit: i64) -> Stored<Vec<Message>>;
    /// Takes a row for `lease` until then and counts the attempt; false when somebody else has it.
    fn lease_message(&mut self, id: &str, lease: &str, until: UnixTime, now: UnixTime) -> Stored<bool>;
    /// Removes a row that was delivered. False when it became newer meanwhile; it is due again then. Nothing when the lease is lost.
    fn finish_message(&mut self, id: &str, lease: &str, version: i64, now: UnixTime) -> Stored<bool>;
    /// Gives a row back, to be tried again then.
    fn postpone_message(&mut self, id: &str, lease: &str, next_at: UnixTime, failure: &str) -> Stored<bool>;
    /// Gives a row up; false when it became newer meanwhile, and it is due again then.
    fn fail_message(&mut self, id: &str, lease: &str, version: i64, now: UnixTime, failure: &str) -> Stored<bool>;
    /// By identifier.
    fn find_message(&mut self, id: &str) -> Stored<Option<Message>>;
    /// All, oldest first.
    fn list_messages(&mut self, topic: Option<Topic>, limit: i64) -> Stored<Vec<Message>>;
    /// Makes a row, or all rows, due at once; how many.
    fn retry_messages(&mut self, id: Option<&str>, now: UnixTime) -> Stored<usize>;
    /// Removes a row undelivered; what it was.
    fn drop_message(&mut self, id: &str) -> Stored<Option<Message>>;
    /// How many wait, and since when the oldest does; those given up are not counted.
    fn outbox_depth(&mut self) -> Stored<(i64, Option<UnixTime>)>;
    /// Remembers that the session was used at the client.
    fn note_session_client(&mut self, sid: &str, client_id: &str) -> Stored<()>;
    /// The clients at which the session was used, by its grants or by what was noted.
    fn list_session_clients(&mut self, sid: &str) -> Stored<Vec<String>>;
    /// The `sid` of each session of a person that has not been ended.
    fn list_open_sids(&mut self, sub: &str) -> Stored<Vec<String>>;
}

/// How long one delivery may hold a row, in seconds; a crashed one is taken over afterwards.
pub const LEASE: i64 = 120;

/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: i64 = 900;

/// Attempts at something that the other side refuses to understand.
const REFUSED_ATTEMPTS: i64 = 4;

/// The longest that is kept of a failure, in characters.
const FAILURE_SHOWN: usize = 200;

/// Writes down that `key` of `topic` has to be looked after.
pub fn enqueue(cx: &mut Cx<'_>, topic: Topic, key: &str, subject: &str, body: &impl Serialize) -> Result<(), Fault> {
    let message = Message {
        id: ids::sortable(cx.now, cx.rng),
        topic,
        key: key.to_owned(),
        subject: subject.to_owned(),
        body: serde_json::to_string(body).map_err(Fault::broken)?,
        version: 1,
        created_at: cx.now,
        changed_at: cx.now,
        attempts: 0,
        next_at: cx.now,
        leased_until: UnixTime(0),
        failure: None,
        failed_at: None,
    };
    cx.store.put_message(&message)
}

/// A row that is being delivered by this process and by nobody else.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The row as it was taken.
    pub message: Message,
    lease: String,
}

/// Takes one of `candidates`, as [`Outbox::due_messages`] found them: of several processes one gets it.
pub fn claim(cx: &mut Cx<'_>, candidates: &[Message]) -> Result<Option<Claimed>> {
    for candidate in candidates {
        let lease = token(cx.rng, 12);
        if cx.store.lease_message(&candidate.id, &lease, cx.now.plus(LEASE), cx.now)? {
            // Read again: it may have become newer since it was found.
            let Some(message) = cx.store.find_message(&candidate.id)? else { continue };
            return Ok(Some(Claimed { message, lease }));
        }
    }
    Ok(None)
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The other side agrees, or there is nothing to tell any more.
    Done,
    /// It failed and is tried again.
    Later {
        /// Why, free of secrets.
        failure: String,
        /// Seconds that the other side asked for.
        after: Option<i64>,
    },
    /// The other side does not take it; a few attempts, then it is given up.
    Refused {
        /// Why, free of secrets.
        failure: String,
    },
}

/// What a settled row has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Gone.
    Delivered,
    /// Waits.
    Waiting,
    /// Given up.
    GivenUp,
}

/// Writes down what became of it. Given up after `give_up` seconds, with an audit event.
pub fn settle(cx: &mut Cx<'_>, claimed: &Claimed, outcome: &Outcome, give_up: i64) -> Result<Settled> {
    let Claimed { message, lease } = claimed;
    let (failure, after, patient) = match outcome {
        Outcome::Done => {
            let gone = cx.store.finish_message(&message.id, lease, message.version, cx.now)?;
            return Ok(if gone { Settled::Delivered } else { Settled::Waiting });
        }
        Outcome::Later { failure, after } => (failure, *after, true),
        Outcome::Refused { failure } => (failure, None, message.attempts < REFUSED_ATTEMPTS),
    };
    let failure: String = printable(failure).chars().take(FAILURE_SHOWN).collect();
    if patient && cx.now.since(message.changed_at) < give_up {
        let pause = after.map_or_else(|| pause(message.attempts, cx.rng), |seconds| seconds.clamp(1, LONGEST_PAUSE));
        cx.store.postpone_message(&message.id, lease, cx.now.plus(pause), &failure)?;
        return Ok(Settled::Waiting);
    }
    if !cx.store.fail_message(&message.id, lease, message.version, cx.now, &failure)? {
        return Ok(Settled::Waiting);
    }
    cx.audit(Audit::of("outbox_given_up").detail(format!("{} {}: {failure}", message.topic.as_str(), message.key)))?;
    Ok(Settled::GivenUp)
}

/// Seconds until the next attempt: 1, 2, 4 … 15 minutes, a quarter more or less by chance, so that what failed together does not
/// come back together.
pub fn pause(attempts: i64, rng: &dyn Random) -> i64 {
    let doubled = 1_i64.checked_shl(u32::try_from(attempts.saturating_sub(1).clamp(0, 20)).unwrap_or(20)).unwrap_or(LONGEST_PAUSE);
    let base = doubled.min(LONGEST_PAUSE);
    let mut byte = [0_u8; 1];
    rng.fill(&mut byte);
    let spread = base / 4;
    (base - spread + (2 * spread) * i64::from(byte.first().copied().unwrap_or_default()) / 255).clamp(1, LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use propusk_crypto::SystemRandom;

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        for (attempts, least, most) in [(1, 1, 1), (2, 2, 2), (4, 6, 10), (8, 96, 160), (11, 675, 900), (60, 675, 900)] {
            for _ in 0..50 {
                let pause = pause(attempts, &SystemRandom);
                assert!((least..=most).contains(&pause), "{attempts}: {pause}");
            }
        }
    }

    #[test]
    fn topics_are_found_by_their_names() {
        for topic in Topic::ALL {
            assert_eq!(Topic::parse(topic.as_str()), Some(topic));
        }
    }
}
