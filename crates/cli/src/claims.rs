//! `propusk claims`

use crate::failure::Failure;
use crate::house;
use crate::output::{FINDINGS, Report, lines, short};
use clap::{Args, ValueEnum};
use propusk_domain::admin::{clients, users};
use propusk_domain::client::RegisteredClient;
use propusk_domain::rocketchat::lint::{self, Facts};
use propusk_domain::rocketchat::settings::{self, DEFAULT_NAME, Options};
use propusk_domain::rocketchat::{CUSTOM, Dump, forecast};
use propusk_domain::user::User;
use propusk_domain::{Cause, Refusal, userinfo};
use propusk_protocol::ErrorCode;
use propusk_server::instance::Instance;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
The answer comes from the same code as userinfo, for a client that asks for all it may.

With --as rocketchat it is the chat account that would come of it, at the first sign-in of somebody whom the chat does not know: with the
recommended settings, or with those of a dump ([{\"_id\", \"value\"}], as GET /api/v1/settings answers). --expect compares it with a JSON
document, which may name a part of the members only; exit code 3 when they differ.

Examples:
  propusk claims --user anna --client rocketchat
  propusk claims --user anna@example.org --client site --json
  propusk claims --user anna --client rocketchat --as rocketchat --licensed --chat-role vip
  propusk claims --user anna --client rocketchat --as rocketchat --settings dump.json --expect anna.json";

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
    /// Show what becomes of it there
    #[arg(long = "as", value_enum, value_name = "WHAT")]
    shown_as: Option<ShownAs>,
    /// The chat's settings (JSON) instead of the recommended ones
    #[arg(long, value_name = "FILE", requires = "shown_as")]
    settings: Option<PathBuf>,
    /// The chat has a licence: it takes roles and groups over
    #[arg(long, requires = "shown_as")]
    licensed: bool,
    /// The chat's version: 8.6
    #[arg(long, value_name = "VERSION", value_parser = crate::doctor::version, requires = "shown_as")]
    chat_version: Option<(u32, u32)>,
    /// A role that was made in the chat; may be repeated
    #[arg(long = "chat-role", value_name = "ROLE", requires = "shown_as")]
    chat_roles: Vec<String>,
    /// A JSON document that it should agree with
    #[arg(long, value_name = "FILE", requires = "shown_as")]
    expect: Option<PathBuf>,
}

/// What the claims become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ShownAs {
    /// An account of Rocket.Chat
    Rocketchat,
}

impl Claims {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let instance = house::open_existing(config)?;
        let (user, client) = instance.read(|cx| {
            let user = users::find(cx.store, &self.user)?;
            let Some(client) = RegisteredClient::load(cx.store, &self.client)? else {
                // Refuses, and names the nearest identifier.
                clients::find(cx.store, &self.client)?;
                return Err(propusk_domain::Fault::passing("the client was added at the same moment").into());
            };
            Ok((user, client))
        })?;
        let refused = told(&user, &client).err();
        let claims = userinfo::preview(&user, &client);
        match (self.shown_as, refused) {
            // What is expected is held against a sign-in that nobody gets to.
            (Some(ShownAs::Rocketchat), refused) if self.expect.is_some() => {
                let reason = refused.map(|refusal| refusal.public.to_string());
                self.account(&instance, &client, &claims, reason)
            }
            (_, Some(refusal)) => Err(refusal.into()),
            (Some(ShownAs::Rocketchat), None) => self.account(&instance, &client, &claims, None),
            (None, None) => {
                Ok(Report::of(Value::Object(claims.clone())).human(lines(claims.iter().map(|(name, value)| (name.as_str(), short(value))))))
            }
        }
    }

    /// The chat account, held against what is expected.
    fn account(
        &self,
        instance: &Instance,
        client: &RegisteredClient,
        claims: &Map<String, Value>,
        disabled: Option<String>,
    ) -> Result<Report, Failure> {
        let issuer = &instance.settings.issuer;
        let (dump, name) = match &self.settings {
            Some(file) => {
                let dump = crate::doctor::read_dump(file)?;
                let name = lint::provider_of(&dump, client, issuer);
                let missing = || Failure::Failed(format!("{} holds no Custom OAuth provider that points here", file.display()));
                let name = name.ok_or_else(missing)?;
                (dump, name)
            }
            None => self.recommended(client, issuer),
        };
        let switch = |suffix: &str| dump.get(&format!("{CUSTOM}{name}-{suffix}")) == Some(&Value::Bool(true));
        // Without a licence the chat shows these switches as off, whatever was set.
        let licensed = self.licensed || switch("merge_roles") || switch("map_channels");
        let facts = Facts { version: self.chat_version, licensed: Some(licensed), roles: Some(self.chat_roles.clone()), ..Facts::default() };
        let forecast = match disabled {
            Some(reason) => forecast::Forecast::refused(reason),
            None => forecast::forecast(claims, &dump, &name, &facts, &["general"]),
        };
        let account = serde_json::to_value(&forecast).map_err(|error| Failure::Failed(error.to_string()))?;
        let members = account.as_object().into_iter().flatten().filter(|(name, _)| !matches!(name.as_str(), "roles_dropped" | "notes"));
        let mut text = lines(members.map(|(name, value)| (name.as_str(), short(value))));
        text.extend(forecast.roles_dropped.iter().map(|dropped| format!("not {}: {}\n", dropped.role, dropped.reason)));
        text.extend(forecast.notes.iter().map(|note| format!("{note}\n")));
        let differences = match &self.expect {
            Some(file) => differences(&account, &expected(file)?),
            None => Vec::new(),
        };
        text.extend(differences.iter().map(|(name, found, expected)| format!("DIFFERS {name}: {found} instead of {expected}\n")));
        let code = if differences.is_empty() { 0 } else { FINDINGS };
        let mut answer = account;
        if let (Some(answer), true) = (answer.as_object_mut(), self.expect.is_some()) {
            let list = differences.iter().map(|(name, found, expected)| json!({ "member": name, "found": found, "expected": expected }));
            answer.insert("differences".to_owned(), list.collect());
        }
        Ok(Report::of(answer).human(text).exit_code(code))
    }

    /// The recommended settings; the address of the chat does not matter to an account.
    fn recommended(&self, client: &RegisteredClient, issuer: &str) -> (Dump, String) {
        let name = DEFAULT_NAME.to_owned();
        let options = Options {
            chat_url: String::new(),
            name: name.clone(),
            button: String::new(),
            secret: None,
            silent: false,
            embed: None,
            licensed: self.licensed,
            modern: false,
            without_provider: false,
            first_channel: settings::FIRST_CHANNEL.to_owned(),
            hide_login_form: false,
        };
        (settings::recommended(client, issuer, &options).into_iter().map(|setting| (setting.id, setting.value)).collect(), name)
    }
}

/// Userinfo refuses both, so there is nothing to show.
fn told(user: &User, client: &RegisteredClient) -> Result<(), Refusal> {
    if !user.is_active() {
        let refusal = Refusal::new(ErrorCode::InvalidToken, "The person is disabled: nobody is told anything about them now", Cause::UserDisabled);
        let refusal = refusal.expected("an active account").received("a disabled account");
        return Err(refusal.fix(format!("propusk user enable {}", user.username)));
    }
    if client.client.disabled {
        let refusal = Refusal::new(ErrorCode::InvalidClient, "The client is disabled: it is told nothing now", Cause::DisabledClient);
        let refusal = refusal.client(client.id()).expected("an enabled client").received("disabled");
        return Err(refusal.fix(format!("propusk client set {} --enable", client.id())));
    }
    Ok(())
}

fn expected(file: &Path) -> Result<Map<String, Value>, Failure> {
    let text = crate::input::text_of(file)?;
    serde_json::from_str(&text).map_err(|error| Failure::Failed(format!("{} is no JSON object: {error}", file.display())))
}

/// Member, found, expected; the order of a list does not matter.
fn differences(account: &Value, expected: &Map<String, Value>) -> Vec<(String, Value, Value)> {
    let sorted = |value: &Value| match value {
        Value::Array(items) => {
            let mut items: Vec<String> = items.iter().map(Value::to_string).collect();
            items.sort();
            Value::from(items)
        }
        other => other.clone(),
    };
    let differs = |(name, expected): (&String, &Value)| {
        let found = account.get(name).cloned().unwrap_or_default();
        (sorted(&found) != sorted(expected)).then(|| (name.clone(), found, expected.clone()))
    };
    expected.iter().filter_map(differs).collect()
}
