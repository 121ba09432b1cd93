//! The binary `propusk`: the server and everything an operator does with it. One file a command.

#![allow(clippy::format_push_string, clippy::format_collect, reason = "a verb prints one screen; an allocation a line is nothing")]

mod apply;
mod audit;
mod backup;
mod claims;
mod client;
mod client_set;
mod config;
mod connector;
mod doctor;
mod explain;
mod export;
mod failure;
mod house;
mod import;
mod input;
mod key;
mod language;
mod migrate;
mod outbox;
mod output;
mod restore;
mod rocketchat;
mod serve;
mod session;
mod times;
mod token;
mod trace;
mod user;

use crate::failure::Failure;
use crate::output::Report;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// The version with the commit it was built from.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("PROPUSK_COMMIT"), ")");

const EXAMPLES: &str = "\
Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 3 a difference or findings, 4 could not reach what it needs.

Examples:
  propusk serve
  propusk user add anna --role owner --email anna@example.org --generate-password
  propusk client add rocketchat --preset rocket-chat --redirect-uri https://chat.example.org/_oauth/propusk
  propusk explain 7F3K2Q";

/// An OAuth 2 and OpenID Connect server for one community.
#[derive(Debug, Parser)]
#[command(name = "propusk", version = VERSION, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    /// The configuration file (TOML); the environment (PROPUSK__SECTION__KEY) overrides it
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answer with one JSON document on standard output
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until it is told to stop
    Serve(serve::Serve),
    /// Apply the pending migrations of the database
    Migrate(migrate::Migrate),
    /// People: add, list, show, set, set-password, disable, enable, remove
    #[command(subcommand)]
    User(user::User),
    /// Clients: add, list, show, set, rotate-secret, check-secret, remove
    #[command(subcommand)]
    Client(client::Client),
    /// Keys: list, rotate
    #[command(subcommand)]
    Key(key::Key),
    /// Sessions: list, revoke
    #[command(subcommand)]
    Session(session::Session),
    /// Personal access tokens: create, list, revoke
    #[command(subcommand)]
    Token(token::Token),
    /// Show exactly what a client would be told about a person
    Claims(claims::Claims),
    /// Explain a refusal by the reference that the client saw
    Explain(explain::Explain),
    /// Follow sign-ins step by step and say why one does not work
    Trace(trace::Trace),
    /// Read the audit trail
    Audit(audit::Audit),
    /// Write everything into one file while the server runs
    Backup(backup::Backup),
    /// Fill an empty database from a backup, of either kind
    Restore(restore::Restore),
    /// Bring people, clients and role maps into the state that a file declares
    Apply(apply::Apply),
    /// What waits to be told to others: list, retry, drop
    #[command(subcommand)]
    Outbox(outbox::Outbox),
    /// Try the whole way of a sign-in for a client
    Doctor(doctor::Doctor),
    /// Rocket.Chat: settings, doctor, connect, disconnect, sync
    #[command(subcommand)]
    Rocketchat(rocketchat::Rocketchat),
    /// Write everybody and every client into a file
    Export(export::Export),
    /// Take over another site: django
    #[command(subcommand)]
    Import(import::Import),
    /// Settings: check, print
    #[command(subcommand)]
    Config(config::Config),
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // Known before parsing succeeds, so that even wrong usage is answered in JSON.
    let json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    let answer = match Cli::try_parse_from(arguments) {
        Ok(cli) => run(cli),
        Err(error) => usage(&error, json),
    };
    ExitCode::from(output::print(answer, json))
}

fn run(cli: Cli) -> Result<Report, Failure> {
    let config = cli.config.as_deref();
    match cli.command {
        Command::Serve(verb) => verb.run(config),
        Command::Migrate(verb) => verb.run(config),
        Command::User(verb) => verb.run(config),
        Command::Client(verb) => verb.run(config),
        Command::Key(verb) => verb.run(config),
        Command::Session(verb) => verb.run(config),
        Command::Token(verb) => verb.run(config),
        Command::Claims(verb) => verb.run(config),
        Command::Explain(verb) => verb.run(config),
        Command::Trace(verb) => verb.run(config, cli.json),
        Command::Audit(verb) => verb.run(config),
        Command::Backup(verb) => verb.run(config, cli.json),
        Command::Restore(verb) => verb.run(config, cli.json),
        Command::Apply(verb) => verb.run(config),
        Command::Outbox(verb) => verb.run(config),
        Command::Doctor(verb) => verb.run(config),
        Command::Rocketchat(verb) => verb.run(config, cli.json),
        Command::Export(verb) => verb.run(config),
        Command::Import(verb) => verb.run(config, cli.json),
        Command::Config(verb) => verb.run(config),
    }
}

/// Help and the version are answers, everything else that clap stops at is wrong usage.
fn usage(error: &clap::Error, json: bool) -> Result<Report, Failure> {
    let coloured = !json && if error.use_stderr() { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    let text = if coloured { error.render().ansi().to_string() } else { error.render().to_string() };
    match error.kind() {
        ErrorKind::DisplayHelp => Ok(Report::of(serde_json::json!({ "help": text })).human(text)),
        ErrorKind::DisplayVersion => {
            Ok(Report::of(serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "commit": env!("PROPUSK_COMMIT") })).human(text))
        }
        _ => Err(Failure::Usage(text)),
    }
}
