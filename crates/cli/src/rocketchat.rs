//! `propusk rocketchat …`

use crate::failure::Failure;
use crate::output::Report;
use clap::Subcommand;
use std::path::Path;

/// The chat beside the site
#[derive(Debug, Subcommand)]
pub(crate) enum Rocketchat {
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
            Self::Connect(verb) => verb.run(config),
            Self::Disconnect => crate::connector::disconnect(config),
            Self::Sync(verb) => verb.run(config, json),
        }
    }
}
