//! Slowing down password guessing without letting strangers lock anybody out.
//!
//! Three counters over the last two minutes: an account from one address, an account from everywhere, the accounts that
//! one address has tried. An attempt is counted before the password is hashed, so a hundred parallel guesses count as a
//! hundred. Beyond its threshold a counter demands a pause that doubles with each attempt up to a minute; two minutes
//! after the guessing stops all counters are empty again.

use crate::cause::Cause;
use crate::ephemeral::Ephemeral;
use crate::error::{Alarm, Fault, Refusal, Result};
use crate::time::UnixTime;
use propusk_crypto::digest;
use propusk_protocol::ErrorCode;

/// When the pauses begin.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds {
    /// Attempts on one account from one address.
    pub account_at_address: i64,
    /// Attempts on one account from everywhere.
    pub account: i64,
    /// Accounts tried from one address.
    pub address: i64,
    /// The longest pause between two attempts, in seconds; at most a minute.
    pub longest_pause: i64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { account_at_address: 10, account: 25, address: 60, longest_pause: LONGEST_PAUSE }
    }
}

/// Seconds of a counting window; an attempt counts in its own window and the next.
const WINDOW: i64 = 60;

/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: i64 = 60;

/// An attempt that was let through, to be taken back when it succeeds.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// What was counted where, failures before it included.
    counted: Vec<(String, i64)>,
    /// The gates that it closed behind it.
    gates: Vec<String>,
    at: UnixTime,
}

#[derive(Debug, Clone)]
struct Counter {
    key: String,
    threshold: i64,
}

impl Counter {
    fn window(&self, at: UnixTime) -> String {
        format!("{}:{}", self.key, at.0.div_euclid(WINDOW))
    }

    /// The window before this one, and this one.
    fn windows(&self, at: UnixTime) -> [String; 2] {
        [self.window(at.plus(-WINDOW)), self.window(at)]
    }

    /// Lets the `count`-th attempt pass, or answers the seconds that it has to wait. From the threshold on each attempt that
    /// passes closes the gate behind it; the gate is a single-use mark, so of a hundred parallel attempts one wins it.
    fn pass(&self, store: &dyn Ephemeral, count: i64, longest: i64, now: UnixTime) -> Result<Passage, Fault> {
        let beyond = count - self.threshold;
        if beyond < 0 {
            return Ok(Passage::Free);
        }
        let pause = 1_i64.checked_shl(u32::try_from(beyond).unwrap_or(u32::MAX)).filter(|pause| (1..longest).contains(pause)).unwrap_or(longest);
        let opens = now.plus(pause).0.to_string();
        if beyond == 0 {
            store.put(&self.gate(), opens.as_bytes(), pause, now)?;
            return Ok(Passage::Closed);
        }
        if store.put_new(&self.gate(), opens.as_bytes(), pause, now)? {
            return Ok(Passage::Closed);
        }
        let opens = number(store.get(&self.gate(), now)?);
        Ok(Passage::Wait((opens - now.0).clamp(1, longest)))
    }

    fn gate(&self) -> String {
        format!("{}:gate", self.key)
    }
}

/// How an attempt came past a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    /// There is none yet.
    Free,
    /// Through, and it is closed for the next.
    Closed,
    /// Not at all for so many seconds.
    Wait(i64),
}

fn number(bytes: Option<Vec<u8>>) -> i64 {
    bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok()).unwrap_or(0)
}

/// Counts an attempt and lets it through, or refuses it with the seconds to wait. Names are counted whether or not
/// anybody has them, so that the answer tells nothing.
pub fn admit(store: &dyn Ephemeral, name_key: &str, address: &str, thresholds: Thresholds, now: UnixTime) -> Result<Attempt> {
    let account = digest(name_key);
    let counter = |key: String, threshold| Counter { key, threshold };
    let counters = [
        counter(format!("login:both:{account}:{address}"), thresholds.account_at_address),
        counter(format!("login:account:{account}"), thresholds.account),
        counter(format!("login:address:{address}"), thresholds.address),
    ];
    let [both, everywhere, from_address] = &counters;
    let [both_before, both_now] = both.windows(now);
    let [everywhere_before, everywhere_now] = everywhere.windows(now);
    let [from_before, from_now] = from_address.windows(now);
    let count = |counts: &[(String, i64)]| store.count_all(counts, 2 * WINDOW, now);
    let seen =
        count(&[(both_before.clone(), 0), (both_now.clone(), 1), (everywhere_before.clone(), 0), (everywhere_now.clone(), 1), (from_before, 0)])?;
    let &[here_before, here_now, all_before, all_now, accounts_before] = seen.as_slice() else {
        return Err(Fault::broken("the counters of sign-ins are not complete").into());
    };
    // An address counts once for each account that it tries.
    let is_new = here_before.max(0) + here_now == 1;
    let accounts_now = store.count(&from_now, i64::from(is_new), 2 * WINDOW, now)?;
    let counts = [here_before.max(0) + here_now, all_before.max(0) + all_now, accounts_before.max(0) + accounts_now];
    let longest = thresholds.longest_pause.clamp(1, LONGEST_PAUSE);
    let mut passages = Vec::with_capacity(counters.len());
    for (counter, count) in counters.iter().zip(counts) {
        passages.push(counter.pass(store, count, longest, now)?);
    }
    let pause = passages.iter().filter_map(|passage| if let Passage::Wait(seconds) = passage { Some(*seconds) } else { None }).max();
    if let Some(pause) = pause {
        for (counter, passage) in counters.iter().zip(&passages) {
            if *passage == Passage::Closed {
                store.take(&counter.gate(), now)?;
            }
        }
        // No guess was made: it must not lengthen the pause that `Retry-After` promises.
        count(&[(both_now, -1), (everywhere_now, -1), (from_now, -i64::from(is_new))])?;
        let refusal = Refusal::new(ErrorCode::TooManyRequests, "Too many failed sign-ins, try again later", Cause::LoginThrottled)
            .expected(format!(
                "at most {} attempts on an account from one address, {} from everywhere, {} accounts from one address in two minutes",
                thresholds.account_at_address, thresholds.account, thresholds.address
            ))
            .received(format!(
                "{} attempts on the account from this address, {} from everywhere, {} accounts from this address",
                counts[0], counts[1], counts[2]
            ))
            .retry_after(pause)
            .fix(format!("wait {pause} s; two minutes after the guessing stops all is forgotten"))
            .fix("raise login.account_at_address, login.account or login.address when many people share one address");
        let alarm = alarm(store, &counters, &passages, address, now)?;
        return Err(Refusal { alarm, ..refusal }.into());
    }
    let to_forget = vec![
        (both_now, here_now),
        (both_before, here_before),
        (everywhere_now, all_now),
        (everywhere_before, all_before),
        (from_now, i64::from(is_new)),
    ];
    let gates = counters.iter().zip(passages).filter(|(_, passage)| *passage == Passage::Closed).map(|(counter, _)| counter.gate()).collect();
    Ok(Attempt { counted: to_forget, gates, at: now })
}

/// The operator is told once a window and limit, of the widest limit that was reached: neither a flood of guesses nor one of invented names
/// or addresses fills the audit trail.
fn alarm(store: &dyn Ephemeral, counters: &[Counter; 3], passages: &[Passage], address: &str, now: UnixTime) -> Result<Option<Box<Alarm>>, Fault> {
    let limits = ["login.account_at_address", "login.account", "login.address"];
    let reached = counters.iter().zip(limits).zip(passages).rev().find(|(_, passage)| matches!(passage, Passage::Wait(_)));
    let Some(((counter, limit), _)) = reached else { return Ok(None) };
    let first = store.put_new(&format!("{}:told", counter.key), b"1", 2 * WINDOW, now)?;
    Ok(first.then(|| Box::new(Alarm { limit, address: address.to_owned(), sub: None })))
}

/// The password was right: the failures in a row end here, and the attempt is not held against the address.
pub fn succeeded(store: &dyn Ephemeral, attempt: &Attempt) -> Result<(), Fault> {
    let back: Vec<(String, i64)> = attempt.counted.iter().filter(|(_, count)| *count > 0).map(|(key, count)| (key.clone(), -count)).collect();
    store.count_all(&back, 2 * WINDOW, attempt.at)?;
    for gate in &attempt.gates {
        store.take(gate, attempt.at)?;
    }
    Ok(())
}
