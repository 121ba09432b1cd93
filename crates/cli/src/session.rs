//! `propusk session …`

use crate::failure::Failure;
use crate::house;
use crate::output::{Report, table};
use clap::{Args, Subcommand};
use propusk_domain::grant::Revocation;
use propusk_domain::session::{self, Session as Row};
use propusk_domain::{Cause, Refusal};
use propusk_server::instance::Instance;
use serde_json::{Value, json};
use std::path::Path;

const LIST_EXAMPLES: &str = "\
Examples:
  propusk session list
  propusk session list --user anna --json";
const REVOKE_EXAMPLES: &str = "\
The end of a session revokes its grants; grants with offline_access outlive it. With --user everything ends.

Examples:
  propusk session revoke 3q2-7wJZ1m0F8xk2bqYp5A
  propusk session revoke --user anna";

/// Sessions
#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// List the live sessions, newest first
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// End one session, or sign a person out everywhere
    #[command(after_help = REVOKE_EXAMPLES)]
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this person: username, another sign-in name or subject
    #[arg(long, allow_hyphen_values = true)]
    user: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = false)]
pub(crate) struct Revoke {
    /// The session's identifier, as `session list` shows it
    #[arg(allow_hyphen_values = true)]
    sid: Option<String>,
    /// All sessions and all grants of this person
    #[arg(long, allow_hyphen_values = true)]
    user: Option<String>,
}

impl Session {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let instance = if matches!(self, Self::List(_)) { house::open_existing(config)? } else { house::open(config)? };
        match self {
            Self::List(verb) => verb.run(&instance),
            Self::Revoke(Revoke { sid: Some(sid), .. }) => revoke(&instance, sid),
            Self::Revoke(Revoke { user, .. }) => revoke_all(&instance, &user.unwrap_or_default()),
        }
    }
}

impl List {
    fn run(self, instance: &Instance) -> Result<Report, Failure> {
        let sub = self.user.map(|name| house::find_user(instance, &name)).transpose()?.map(|user| user.sub);
        let rows = instance.read(|cx| {
            let sessions = cx.store.list_sessions(sub.as_deref(), cx.now, self.limit)?;
            let mut rows = Vec::new();
            for session in sessions.into_iter().filter(|session| session.is_alive(cx.now, cx.policy.session_idle)) {
                let username = cx.store.find_user(&session.sub)?.map_or_else(String::new, |user| user.username);
                rows.push((username, session));
            }
            Ok(rows)
        })?;
        let heads = ["SID", "USER", "SIGNED IN", "SEEN", "ADDRESS", "BROWSER"];
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let human = table(
            heads,
            rows.iter().map(|(username, session)| {
                [
                    session.sid.clone(),
                    username.clone(),
                    session.auth_time.to_string(),
                    session.last_seen_at.to_string(),
                    text(&session.address),
                    text(&session.user_agent),
                ]
            }),
        );
        Ok(Report::of(rows.iter().map(|(username, session)| row(username, session)).collect()).human(human))
    }
}

fn row(username: &str, session: &Row) -> Value {
    json!({
        "sid": session.sid, "sub": session.sub, "username": username, "auth_time": session.auth_time.to_string(), "amr": session.amr,
        "created_at": session.created_at.to_string(), "last_seen_at": session.last_seen_at.to_string(), "expires_at": session.expires_at.to_string(),
        "address": session.address, "user_agent": session.user_agent,
    })
}

fn revoke(instance: &Instance, sid: String) -> Result<Report, Failure> {
    let shown = sid.clone();
    let ended = instance.write(move |cx| match cx.store.find_session_by_sid(&sid)? {
        Some(session) => session::end(cx, &session, Revocation::ByOperator),
        None => Ok(false),
    })?;
    if !ended {
        let refusal = Refusal::invalid_request("There is no such live session", Cause::UnknownSession);
        return Err(refusal.expected("the identifier of a live session").received(shown).fix("propusk session list").into());
    }
    Ok(Report::of(json!({ "revoked": 1, "sid": shown })).human("The session is ended."))
}

fn revoke_all(instance: &Instance, name: &str) -> Result<Report, Failure> {
    let user = house::find_user(instance, name)?;
    let sub = user.sub.clone();
    let revoked = instance.write(move |cx| session::end_all(cx, &sub, Revocation::ByOperator))?;
    let human = format!("{} is signed out everywhere ({revoked} sessions).", user.username);
    Ok(Report::of(json!({ "revoked": revoked, "sub": user.sub, "username": user.username })).human(human))
}
