//! `propusk serve`

use crate::failure::Failure;
use crate::output::Report;
use clap::Args;
use propusk_server::serve::ServeError;
use propusk_server::settings::Settings;
use std::path::Path;

const EXAMPLES: &str = "\
Examples:
  propusk serve
  propusk --config /etc/propusk/propusk.toml serve
  PROPUSK__ISSUER=https://id.example.org PROPUSK__HTTP__LISTEN=127.0.0.1:9000 propusk serve";

/// Run the server until SIGTERM or Ctrl-C; pending migrations are applied first unless database.migrate = false
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {}

impl Serve {
    #[expect(clippy::unused_self, reason = "every verb runs alike")]
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let settings = Settings::load(config)?;
        propusk_server::telemetry::init(&settings.log);
        propusk_server::serve(settings)?;
        Ok(Report::of(serde_json::json!({ "stopped": true })))
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Open(error) => error.into(),
            ServeError::InUse(..) | ServeError::Listen(..) => Self::Unreachable(error.to_string()),
            ServeError::Fault(fault) => fault.into(),
            ServeError::Tls(_) | ServeError::NoSuchRole(..) => Self::Failed(error.to_string()),
        }
    }
}
