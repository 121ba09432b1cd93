//! `propusk migrate`

use crate::failure::Failure;
use crate::output::Report;
use clap::Args;
use propusk_server::instance::Instance;
use propusk_server::settings::Settings;
use std::path::Path;

const EXAMPLES: &str = "\
Examples:
  propusk migrate
  PROPUSK__DATABASE__URL=postgres://propusk@127.0.0.1/propusk propusk migrate --json";

/// Apply the pending migrations and say which; a database that is up to date is left as it is
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Migrate {}

impl Migrate {
    #[expect(clippy::unused_self, reason = "every verb runs alike")]
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let settings = Settings::load(config)?;
        let applied = Instance::migrate(&settings)?;
        let human = match applied.as_slice() {
            [] => "The database is up to date.".to_owned(),
            names => format!("Applied: {}", names.join(", ")),
        };
        Ok(Report::of(serde_json::json!({ "applied": applied })).human(human))
    }
}
