//! `propusk rocketchat …`

pub(crate) mod admin;
mod forms;
mod settings;

use crate::failure::Failure;
use crate::output::Report;
use clap::Subcommand;
use propusk_server::rocketchat::rest::RestError;
use std::path::Path;

/// Rocket.Chat
#[derive(Debug, Subcommand)]
pub(crate) enum Rocketchat {
    /// Show the settings that the chat should have, or set them
    #[command(after_help = settings::EXAMPLES)]
    Settings(Box<settings::Settings>),
    /// Say what is wrong with the chat's sign-in, and what helps
    #[command(after_help = crate::doctor::CHAT_EXAMPLES)]
    Doctor(Box<crate::doctor::ChatDoctor>),
    /// Keep the chat's address and an administrator's token, sealed, in the database
    #[command(after_help = crate::connector::CONNECT_EXAMPLES)]
    Connect(crate::connector::Connect),
    /// Forget what `connect` has kept
    #[command(after_help = "Examples:\n  propusk rocketchat disconnect")]
    Disconnect,
    /// Make the chat's accounts agree: roles, channels, who may come in
    #[command(after_help = crate::connector::SYNC_EXAMPLES)]
    Sync(crate::connector::Sync),
}

impl Rocketchat {
    pub(crate) fn run(self, config: Option<&Path>, json: bool) -> Result<Report, Failure> {
        match self {
            Self::Settings(verb) => verb.run(config, json),
            Self::Doctor(verb) => verb.run(config),
            Self::Connect(verb) => verb.run(config),
            Self::Disconnect => crate::connector::disconnect(config),
            Self::Sync(verb) => verb.run(config, json),
        }
    }
}

/// The chat's address as typed: http or https, no user, no path that ends in a slash, nothing that means more in a shell or an env file.
pub(crate) fn chat_url(text: &str) -> Result<String, String> {
    let is_plain = !text.contains([' ', '\'', '"', '\\']) && !text.chars().any(char::is_control);
    if !is_plain || propusk_server::settings::chat_url(text).is_err() {
        return Err("an address like https://chat.example.org".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A text of one line: a line break would begin another variable of an env file.
pub(crate) fn one_line(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) { Err("one line without control characters".to_owned()) } else { Ok(text.to_owned()) }
}

/// An origin as typed: scheme, host and port alone.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let url = chat_url(text).map_err(|_| "an origin like https://example.org".to_owned())?;
    let host = url.split_once("://").map_or("", |(_, rest)| rest);
    if host.contains('/') { Err("an origin like https://example.org, without a path".to_owned()) } else { Ok(url) }
}

impl From<RestError> for Failure {
    fn from(error: RestError) -> Self {
        let unreachable = error.is_passing();
        let sentence = error.to_string();
        if unreachable { Self::Unreachable(sentence) } else { Self::Failed(sentence) }
    }
}
