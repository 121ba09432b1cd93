//! `propusk token …`

use crate::failure::Failure;
use crate::house;
use crate::output::{Report, lines, table};
use clap::{ArgGroup, Args, Subcommand};
use propusk_domain::personal_token::{self, Owner, PersonalToken};
use propusk_domain::{Cause, Refusal};
use propusk_protocol::Scope;
use propusk_server::instance::Instance;
use serde_json::{Value, json};
use std::path::Path;

const CREATE_EXAMPLES: &str = "\
A person's token reads what userinfo tells; a client's may have the scopes of the client. It is shown once.

Examples:
  propusk token create --user anna --name 'backup script' --scope 'openid profile' --days 90
  propusk token create --client registration --name cron --scope propusk:users --days 30 --json";

/// Personal access tokens
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token for a person or a client
    #[command(after_help = CREATE_EXAMPLES)]
    Create(Create),
    /// List the tokens that are not revoked, newest first
    #[command(after_help = "Examples:\n  propusk token list\n  propusk token list --user anna --json")]
    List(List),
    /// Revoke a token
    #[command(after_help = "Examples:\n  propusk token revoke 1nz6r0s6k3v9x2m8qw7zk3v9x")]
    Revoke(Revoke),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("owner").required(true).args(["user", "client"])))]
pub(crate) struct Create {
    /// For this person: username, another sign-in name or subject
    #[arg(long, allow_hyphen_values = true)]
    user: Option<String>,
    /// For this client
    #[arg(long)]
    client: Option<String>,
    /// What it is for, as its owner calls it
    #[arg(long)]
    name: String,
    /// What it is good for, separated by blanks
    #[arg(long)]
    scope: String,
    /// For how many days, at most 366
    #[arg(long, default_value_t = 90)]
    days: i64,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this person
    #[arg(long, allow_hyphen_values = true, conflicts_with = "client")]
    user: Option<String>,
    /// Only of this client
    #[arg(long)]
    client: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The token's identifier, as `token list` shows it
    id: String,
}

impl Token {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let instance = if matches!(self, Self::List(_)) { house::open_existing(config)? } else { house::open(config)? };
        match self {
            Self::Create(verb) => verb.run(&instance),
            Self::List(verb) => verb.run(&instance),
            Self::Revoke(verb) => revoke(&instance, verb.id),
        }
    }
}

impl Create {
    fn run(self, instance: &Instance) -> Result<Report, Failure> {
        let Self { user, client, name, scope, days } = self;
        let scope = Scope::parse(&scope).map_err(|error| Failure::usage(format!("--scope: {error}")))?;
        let user = user.map(|name| house::find_user(instance, &name)).transpose()?;
        let (token, secret) = instance.write(move |cx| {
            if let Some(user) = &user {
                return personal_token::create(cx, Owner::User(user), &name, &scope, days);
            }
            let id = client.as_deref().unwrap_or_default();
            let found = cx.store.find_client(id)?.ok_or_else(|| unknown_client(id))?;
            personal_token::create(cx, Owner::Client(&found), &name, &scope, days)
        })?;
        let mut answer = row(&token);
        if let Some(members) = answer.as_object_mut() {
            members.insert("token".to_owned(), secret.expose().into());
        }
        let human = lines([
            ("token", format!("{}   (shown this once)", secret.expose())),
            ("id", token.id.clone()),
            ("scope", token.scope.to_string()),
            ("expires", token.expires_at.to_string()),
        ]);
        Ok(Report::of(answer).human(human))
    }
}

impl List {
    fn run(self, instance: &Instance) -> Result<Report, Failure> {
        let sub = self.user.map(|name| house::find_user(instance, &name)).transpose()?.map(|user| user.sub);
        let client = self.client;
        let rows = instance.read(|cx| {
            if let Some(id) = &client
                && cx.store.find_client(id)?.is_none()
            {
                return Err(unknown_client(id).into());
            }
            let tokens = cx.store.list_personal_tokens(sub.as_deref(), client.as_deref())?;
            let mut rows = Vec::new();
            for token in tokens.into_iter().filter(|token| token.is_alive(cx.now)) {
                let username = match &token.sub {
                    Some(sub) => cx.store.find_user(sub)?.map(|user| user.username),
                    None => None,
                };
                rows.push((username.or_else(|| token.client_id.clone()).unwrap_or_default(), token));
            }
            Ok(rows)
        })?;
        let human = table(
            ["ID", "OWNER", "NAME", "SCOPE", "EXPIRES", "LAST USED"],
            rows.iter().map(|(owner, token)| {
                let used = token.last_used_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
                [token.id.clone(), owner.clone(), token.name.clone(), token.scope.to_string(), token.expires_at.to_string(), used]
            }),
        );
        Ok(Report::of(rows.iter().map(|(_, token)| row(token)).collect()).human(human))
    }
}

fn row(token: &PersonalToken) -> Value {
    json!({
        "id": token.id, "sub": token.sub, "client_id": token.client_id, "name": token.name, "scope": token.scope.to_string(),
        "created_at": token.created_at.to_string(), "expires_at": token.expires_at.to_string(),
        "last_used_at": token.last_used_at.map(|at| at.to_string()),
    })
}

fn revoke(instance: &Instance, id: String) -> Result<Report, Failure> {
    let shown = id.clone();
    if instance.write(move |cx| personal_token::revoke(cx, &id, None))? {
        return Ok(Report::of(json!({ "revoked": 1, "id": shown })).human("The token is revoked."));
    }
    let refusal = Refusal::invalid_request("There is no such living token", Cause::TokenRevoked);
    Err(refusal.expected("the identifier of a living token").received(shown).fix("propusk token list").into())
}

fn unknown_client(id: &str) -> Refusal {
    let refusal = Refusal::invalid_request("There is no such client", Cause::UnknownClient);
    refusal.expected("a registered client_id").received(id).fix("propusk client list")
}
