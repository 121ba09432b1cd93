//! `propusk config …`

use crate::failure::Failure;
use crate::output::{FINDINGS, Report};
use clap::Subcommand;
use propusk_server::settings::Settings;
use serde_json::json;
use std::path::Path;

/// Settings
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check the settings and report every problem at once; exit code 3 when there is one
    #[command(after_help = "Examples:\n  propusk --config propusk.toml config check\n  propusk config check --json")]
    Check,
    /// Print the settings in effect, without secrets
    #[command(after_help = "Examples:\n  propusk config print\n  PROPUSK__HTTP__LISTEN=127.0.0.1:9000 propusk config print --json")]
    Print,
}

impl Config {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        match self {
            Self::Check => Ok(check(config)),
            Self::Print => {
                let settings = Settings::load(config)?;
                let json = serde_json::to_value(&settings).map_err(|error| Failure::Failed(error.to_string()))?;
                Ok(Report::of(json).human(settings.to_toml_redacted()))
            }
        }
    }
}

fn check(config: Option<&Path>) -> Report {
    match Settings::load(config) {
        Ok(settings) => {
            Report::of(json!({ "valid": true, "problems": [] })).human(format!("The settings are valid; the issuer is {}.", settings.issuer))
        }
        Err(error) => Report::of(json!({ "valid": false, "problems": error.problems })).human(error.to_string()).exit_code(FINDINGS),
    }
}
