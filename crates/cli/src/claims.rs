//! `propusk claims`

use crate::failure::Failure;
use crate::house;
use crate::output::{Report, lines, short};
use clap::Args;
use propusk_domain::admin::{clients, users};
use propusk_domain::client::RegisteredClient;
use propusk_domain::userinfo;
use serde_json::Value;
use std::path::Path;

const EXAMPLES: &str = "\
The answer comes from the same code as userinfo, for a client that asks for all it may.

Examples:
  propusk claims --user anna --client rocketchat
  propusk claims --user anna@example.org --client site --json";

/// Show exactly what a client would be told about a person
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Claims {
    /// Username, another sign-in name or subject
    #[arg(long, allow_hyphen_values = true)]
    user: String,
    /// The client's identifier
    #[arg(long, value_name = "CLIENT_ID")]
    client: String,
}

impl Claims {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let instance = house::open(config)?;
        let (user, client) = instance.read(|cx| {
            let user = users::find(cx.store, &self.user)?;
            let Some(client) = RegisteredClient::load(cx.store, &self.client)? else {
                // Refuses, and names the nearest identifier.
                clients::find(cx.store, &self.client)?;
                return Err(propusk_domain::Fault::passing("the client was added at the same moment").into());
            };
            Ok((user, client))
        })?;
        let claims = userinfo::preview(&user, &client);
        let mut report = Report::of(Value::Object(claims.clone())).human(lines(claims.iter().map(|(name, value)| (name.as_str(), short(value)))));
        if !user.is_active() {
            report = report.note(format!("{} is disabled: nobody is told anything about them now.", user.username));
        }
        if client.client.disabled {
            report = report.note(format!("{} is disabled: it is told nothing now.", client.id()));
        }
        Ok(report)
    }
}
