//! Sessions: one signed-in browser.

use crate::backchannel;
use crate::context::{Audit, Cx};
use crate::error::{Fault, Result};
use crate::grant::Revocation;
use crate::ids;
use crate::store::{GrantsOf, Store};
use crate::time::UnixTime;
use crate::user::User;
use propusk_crypto::{Secret, digest};
use serde::{Deserialize, Serialize};

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The digest of the cookie; the cookie itself is not kept.
    #[serde(skip)]
    pub cookie_digest: String,
    /// The public identifier, as in the `sid` claim.
    pub sid: String,
    /// The person.
    pub sub: String,
    /// When the person last proved who they are.
    pub auth_time: UnixTime,
    /// How (RFC 8176): `["pwd"]`.
    pub amr: Vec<String>,
    /// When the session began.
    pub created_at: UnixTime,
    /// When it was used last; kept to the minute.
    pub last_seen_at: UnixTime,
    /// When it ends however often it is used.
    pub expires_at: UnixTime,
    /// When it was ended.
    pub revoked_at: Option<UnixTime>,
    /// The browser, as it called itself at sign-in (cut at 200 characters).
    pub user_agent: Option<String>,
    /// Where the sign-in came from.
    pub address: Option<String>,
}

impl Session {
    /// Whether the session still stands: not ended, not too old, not idle for too long.
    pub fn is_alive(&self, now: UnixTime, idle_lifetime: i64) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && now.since(self.last_seen_at) < idle_lifetime
    }
}

/// The session behind a cookie, while it is alive.
pub fn find_alive(store: &mut dyn Store, cookie: &str, idle_lifetime: i64, now: UnixTime) -> Result<Option<Session>, Fault> {
    Ok(store.find_session(&digest(cookie))?.filter(|session| session.is_alive(now, idle_lifetime)))
}

/// What is remembered of the browser that signs in.
#[derive(Debug, Clone, Default)]
pub struct Browser {
    /// What it calls itself.
    pub user_agent: Option<String>,
    /// Where it comes from.
    pub address: Option<String>,
}

/// Begins a session for `user`, or renews `previous` when it is the same person's. The cookie is a new one either way,
/// so that one planted before the sign-in is worth nothing (session fixation); another person's session ends.
pub fn start(cx: &mut Cx<'_>, user: &User, previous: Option<Session>, browser: Browser) -> Result<(Session, Secret)> {
    let cookie = Secret::generate(cx.rng, "");
    let cookie_digest = digest(cookie.expose());
    if let Some(mut session) = previous {
        if session.sub == user.sub && cx.store.renew_session(&session.sid, &cookie_digest, cx.now)? {
            session.cookie_digest = cookie_digest;
            session.auth_time = cx.now;
            session.last_seen_at = cx.now;
            return Ok((session, cookie));
        }
        end(cx, &session, Revocation::Logout)?;
    }
    let session = Session {
        cookie_digest,
        sid: ids::random(cx.rng),
        sub: user.sub.clone(),
        auth_time: cx.now,
        amr: vec!["pwd".to_owned()],
        created_at: cx.now,
        last_seen_at: cx.now,
        expires_at: cx.now.plus(cx.policy.session_absolute),
        revoked_at: None,
        user_agent: browser.user_agent,
        address: browser.address,
    };
    cx.store.insert_session(&session)?;
    Ok((session, cookie))
}

/// Ends a session and revokes its grants that do not outlive it; false when it had ended already.
pub fn end(cx: &mut Cx<'_>, session: &Session, why: Revocation) -> Result<bool> {
    if !cx.store.revoke_session(&session.sid, cx.now)? {
        return Ok(false);
    }
    cx.store.revoke_grants(GrantsOf::Session(&session.sid), cx.now)?;
    backchannel::session_ended(cx, &session.sub, &session.sid)?;
    cx.audit(Audit::of("session_ended").sub(&session.sub).detail(format!("{}: {}", session.sid, why.as_str())))?;
    Ok(true)
}

/// Seconds by which the use of a session may be written down late: it is noted in memory and written once a minute.
const SEEN_LATE: i64 = 120;

/// Ends at most `limit` sessions that are over by idleness or age, as if each had been signed out; how many. Of several processes one
/// ends each, and a session that is used in the same moment stays.
pub fn end_timed_out(cx: &mut Cx<'_>, limit: i64) -> Result<usize> {
    let idle_since = cx.now.plus(-cx.policy.session_idle - SEEN_LATE);
    let mut ended = 0;
    for session in cx.store.list_timed_out_sessions(cx.now, idle_since, limit)? {
        // Two sessions of a person end one after the other, or each would take the other for one that is in use.
        if let Some(user) = cx.store.find_user(&session.sub)? {
            cx.store.guard_user(&user.sub, user.credential_version)?;
        }
        if !cx.store.end_timed_out_session(&session.sid, cx.now, idle_since)? {
            continue;
        }
        cx.store.revoke_grants(GrantsOf::Session(&session.sid), cx.now)?;
        backchannel::session_timed_out(cx, &session.sub, &session.sid)?;
        cx.audit(Audit::of("session_ended").sub(&session.sub).detail(format!("{}: {}", session.sid, Revocation::TimedOut.as_str())))?;
        ended += 1;
    }
    Ok(ended)
}

/// Signs a person out everywhere: all sessions end, all grants and personal tokens are revoked; how many sessions.
pub fn end_all(cx: &mut Cx<'_>, sub: &str, why: Revocation) -> Result<usize> {
    end_all_but(cx, sub, None, why)
}

/// The same everywhere but in the session `kept`: it goes on, and with it what was granted in it. Personal tokens belong to no session.
pub fn end_others(cx: &mut Cx<'_>, sub: &str, kept: &str, why: Revocation) -> Result<usize> {
    end_all_but(cx, sub, Some(kept), why)
}

fn end_all_but(cx: &mut Cx<'_>, sub: &str, kept: Option<&str>, why: Revocation) -> Result<usize> {
    for sid in cx.store.list_open_sids(sub)? {
        if kept != Some(sid.as_str()) {
            backchannel::session_ended(cx, sub, &sid)?;
        }
    }
    let ended = cx.store.revoke_sessions_of(sub, kept, cx.now)?;
    let grants = kept.map_or(GrantsOf::User(sub), |sid| GrantsOf::UserOutside(sub, sid));
    let revoked = cx.store.revoke_grants(grants, cx.now)?.len();
    let tokens = cx.store.revoke_personal_tokens_of(sub, cx.now)?;
    if tokens > 0 {
        cx.audit(Audit::of("personal_tokens_revoked").sub(sub).detail(format!("{}: {tokens}", why.as_str())))?;
    }
    let event = if kept.is_some() { "signed_out_elsewhere" } else { "signed_out_everywhere" };
    cx.audit(Audit::of(event).sub(sub).detail(format!("{}: {ended} sessions, {revoked} grants", why.as_str())))?;
    Ok(ended)
}
