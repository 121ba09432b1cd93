//! `propusk rocketchat connect`, `disconnect` and `sync`.

use crate::failure::Failure;
use crate::house;
use crate::input;
use crate::output::{FINDINGS, Report};
use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::rt::{System, spawn};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use propusk_domain::error::printable;
use propusk_server::outbound::Outbound;
use propusk_server::rocketchat::agree::told;
use propusk_server::rocketchat::connection::Connection;
use propusk_server::rocketchat::sync::{PersonReport, Report as Synced, SyncError, Watch, Wish, sync};
use propusk_server::settings::chat_url;
use serde_json::json;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const CONNECT_EXAMPLES: &str = "\
The token is a personal access token of an administrator of the chat, made without a second factor. It comes by standard input,
is tried once, and rests sealed under the master key. rocketchat.url, user_id and token_file of the settings come first.

Examples:
  propusk rocketchat connect --chat-url https://chat.example.org --user-id aobEdbYhXfu5hkeqG --token-stdin < token.txt";
pub(crate) const SYNC_EXAMPLES: &str = "\
The chat's accounts follow the role map of the chat's client and rocketchat.channels. Accounts that nobody signed in to from here,
and that share no verified address, are left alone. A run that was stopped goes on where it ended. Exit code 3 when --plan
finds a difference.

Examples:
  propusk rocketchat sync --plan
  propusk rocketchat sync
  propusk rocketchat sync --user anna --json";

#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// The chat's address
    #[arg(long, value_name = "URL")]
    chat_url: String,
    /// `_id` of the administrator there
    #[arg(long, value_name = "ID")]
    user_id: String,
    /// Read the token from standard input; exactly one trailing newline is cut
    #[arg(long, required = true)]
    token_stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// Only say what would change
    #[arg(long)]
    plan: bool,
    /// Only this person: username, another sign-in name or subject
    #[arg(long, allow_hyphen_values = true)]
    user: Option<String>,
}

impl Connect {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let url = chat_url(&self.chat_url).map_err(|problem| Failure::usage(format!("--chat-url {problem}")))?;
        let instance = house::open(config)?;
        let token = input::from_stdin("Token: ")?;
        let (settings, user_id) = (&instance.settings.rocketchat, self.user_id);
        let connection = instance.read(|cx| Ok(Connection::to(cx.store, settings, url, user_id, token)?))?;
        let rest = connection.rest(Outbound::new(&instance.settings.outbound)?);
        // The token proves itself before it is kept.
        let me = rest.get("me", &[])?;
        let is_admin = me.get("roles").and_then(serde_json::Value::as_array).is_some_and(|roles| roles.iter().any(|role| role == "admin"));
        let (kept, master) = (connection.clone(), instance.master.clone());
        instance.write(move |cx| kept.keep(cx, &master))?;
        let answer = json!({ "url": connection.url, "user_id": connection.user_id, "admin": is_admin });
        let report = Report::of(answer).human(format!("Connected to {} as {}.", connection.url, connection.user_id));
        Ok(if is_admin {
            report
        } else {
            report.note("The account is no administrator of the chat: it needs the permissions that the connector uses.")
        })
    }
}

pub(crate) fn disconnect(config: Option<&Path>) -> Result<Report, Failure> {
    let instance = house::open_existing(config)?;
    let forgotten = instance.write(Connection::forget)?;
    Ok(Report::of(json!({ "disconnected": forgotten })).human(if forgotten { "Disconnected." } else { "Nothing was connected." }))
}

impl Sync {
    pub(crate) fn run(self, config: Option<&Path>, json: bool) -> Result<Report, Failure> {
        let instance = house::open_existing(config)?;
        let only = self.user.map(|name| house::find_user(&instance, &name)).transpose()?;
        let outbound = Outbound::new(&instance.settings.outbound)?;
        let mut watch = Bar::new(!json && only.is_none() && std::io::stderr().is_terminal(), interrupted());
        let result = sync(&instance, &outbound, &Wish { plan: self.plan, only, asked: None }, &mut watch);
        watch.bar.finish_and_clear();
        let report = match result {
            Ok(report) => report,
            Err(SyncError::Chat(error)) => return Err(error.into()),
            Err(SyncError::Own(fault)) => return Err(fault.into()),
            Err(error @ (SyncError::NotConnected | SyncError::Busy(_) | SyncError::Stopped)) => return Err(Failure::Failed(error.to_string())),
        };
        let differs = report.people.iter().any(|person| !person.changes.is_empty());
        let answer = json!({ "plan": self.plan, "checked": report.checked, "resumed_after": report.resumed_after, "people": report.people });
        let text = Report::of(answer).human(human(&report, self.plan));
        Ok(if self.plan && differs { text.exit_code(FINDINGS) } else { text })
    }
}

fn human(report: &Synced, plan: bool) -> String {
    let person = |person: &PersonReport| {
        let notes = person.notes.iter().map(|note| format!("  note: {}\n", printable(note)));
        let changes = told(&person.changes);
        let head = if changes.is_empty() { format!("{}\n", person.username) } else { format!("{}: {}\n", person.username, printable(&changes)) };
        std::iter::once(head).chain(notes).collect::<String>()
    };
    let people: String = report.people.iter().map(person).collect();
    let changed = report.people.iter().filter(|person| !person.changes.is_empty()).count();
    format!("{people}{} people looked at, {changed} {}.", report.checked, if plan { "would change" } else { "changed" })
}

/// Becomes true at Ctrl-C or SIGTERM: a run that is stopped so gives its lease back, and the next goes on at its place at once.
fn interrupted() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stopped);
    let (ready, is_ready) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        System::new().block_on(async {
            for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
                let Ok(mut sent) = signal(kind) else { continue };
                let told = Arc::clone(&told);
                spawn(async move {
                    sent.recv().await;
                    told.store(true, Ordering::Release);
                });
            }
            drop(ready);
            std::future::pending::<()>().await;
        });
    });
    // Not before both are listened to may the lease be taken.
    let _ended = is_ready.recv();
    stopped
}

/// A bar on a terminal.
struct Bar {
    bar: ProgressBar,
    stopped: Arc<AtomicBool>,
}

impl Bar {
    fn new(shown: bool, stopped: Arc<AtomicBool>) -> Self {
        let bar = if shown { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} people, {eta} left").unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: bar.with_style(style), stopped }
    }
}

impl Watch for Bar {
    fn progress(&mut self, done: usize, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
    }

    fn go_on(&self) -> bool {
        !self.stopped.load(Ordering::Acquire)
    }
}
