//! What one worker knows about the server: only what was acknowledged, and what was asked for without an answer.

use crate::random_below;
use propusk_tests::browser::Browser;
use std::collections::BTreeSet;

/// Whether something was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It lives: nobody asked for its end.
    Live,
    /// Its end was asked for and not acknowledged: either is right, until it was looked at.
    Perhaps,
    /// Its end was acknowledged or seen: it must never live again.
    Gone,
}

/// What became of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeFate {
    /// Acknowledged and not presented.
    Fresh,
    /// Presented without an answer.
    Perhaps,
    /// Redeemed, acknowledged.
    Redeemed,
}

/// Somebody who can sign in.
pub(crate) struct Person {
    pub username: String,
    pub password: String,
    pub disabled: bool,
}

/// A signed-in browser.
pub(crate) struct SignedIn {
    pub browser: Browser,
    pub person: usize,
    pub fate: Fate,
}

/// A code and what hangs on it.
pub(crate) struct Chain {
    pub person: usize,
    /// Index of its session while that is remembered.
    pub session: usize,
    pub offline: bool,
    pub code: String,
    pub code_fate: CodeFate,
    pub tokens: Option<Tokens>,
    pub fate: Fate,
}

/// The tokens that were acknowledged last.
pub(crate) struct Tokens {
    pub access: String,
    pub id: String,
    pub refresh: Option<String>,
}

/// Everything that one worker remembers.
#[derive(Default)]
pub(crate) struct Journal {
    pub people: Vec<Person>,
    pub sessions: Vec<SignedIn>,
    pub chains: Vec<Chain>,
}

/// How many chains are remembered from round to round.
const CHAINS: usize = 60;

/// How many sessions are looked at after each round: the newest, and as many drawn from all.
const SESSIONS: usize = 12;

impl Journal {
    /// A person was disabled: everything of theirs has ended.
    pub(crate) fn disabled(&mut self, person: usize) {
        self.people[person].disabled = true;
        for session in self.sessions.iter_mut().filter(|session| session.person == person) {
            session.fate = Fate::Gone;
        }
        for chain in self.chains.iter_mut().filter(|chain| chain.person == person) {
            chain.fate = Fate::Gone;
        }
    }

    /// A session ended: so did what does not outlive it.
    pub(crate) fn ended(&mut self, session: usize, fate: Fate) {
        self.sessions[session].fate = fate;
        for chain in self.chains.iter_mut().filter(|chain| chain.session == session && !chain.offline && chain.fate != Fate::Gone) {
            chain.fate = fate;
        }
    }

    /// The newest sessions, those whose end is not known, and some of the others.
    pub(crate) fn sessions_to_check(&self) -> BTreeSet<usize> {
        let count = self.sessions.len();
        let newest = count.saturating_sub(SESSIONS)..count;
        let unknown = (0..count).filter(|index| self.sessions[*index].fate == Fate::Perhaps);
        let drawn = (0..SESSIONS.min(count)).map(|_| usize::try_from(random_below(count as u64)).expect("an index"));
        newest.chain(unknown).chain(drawn).collect()
    }

    /// Forgets the oldest chains, so that a check stays short over a thousand rounds.
    pub(crate) fn forget_some(&mut self) {
        let surplus = self.chains.len().saturating_sub(CHAINS);
        self.chains.drain(..surplus);
    }
}
