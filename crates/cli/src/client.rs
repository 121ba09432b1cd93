//! `propusk client …`

use crate::client_set::Set;
use crate::failure::Failure;
use crate::house;
use crate::input;
use crate::output::{Report, lines, short, table};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use propusk_crypto::{ForeignHash, Verdict};
use propusk_domain::admin::clients::{self, ClientPatch, NewClient};
use propusk_domain::admin::diff;
use propusk_domain::backchannel;
use propusk_domain::client::{Client as Row, Preset};
use propusk_domain::outbox::Topic;
use propusk_domain::records::{AuditEvent, AuditFilter};
use propusk_domain::{Cause, UnixTime};
use propusk_protocol::Scope;
use propusk_server::instance::Instance;
use serde_json::{Value, json};
use std::path::Path;

const ADD_EXAMPLES: &str = "\
Presets: rocket-chat (Rocket.Chat's Custom OAuth), web (an application with a server of its own), spa and native (no
secret, PKCE), service (tokens of its own), api (checks tokens). rocket-chat and service skip consent unless said otherwise.

Examples:
  propusk client add rocketchat --preset rocket-chat --redirect-uri https://chat.example.org/_oauth/propusk
  propusk client add site --preset web --redirect-uri https://example.org/callback --first-party --json
  propusk client add app --preset native --redirect-uri http://127.0.0.1/callback
  propusk client add worker --preset service --scope 'posts:read posts:write'";
const SECRET_EXAMPLES: &str = "\
The old secrets work on for tokens.secret_overlap, or --overlap SECONDS; with --now they end at once.

Examples:
  propusk client rotate-secret site
  propusk client rotate-secret site --overlap 86400
  propusk client rotate-secret site --now --json";
const CHECK_EXAMPLES: &str = "\
The secret comes by standard input, of which exactly one trailing newline is cut. Exit code 1 when it would be refused.

Examples:
  propusk client check-secret site < secret.txt
  pbpaste | propusk client check-secret site --json";

/// Clients
#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Register a client
    #[command(after_help = ADD_EXAMPLES)]
    Add(Box<Add>),
    /// List all clients
    #[command(after_help = "Examples:\n  propusk client list\n  propusk client list --json")]
    List,
    /// Show one client
    #[command(after_help = "Examples:\n  propusk client show rocketchat\n  propusk client show rocketchat --json")]
    Show(Named),
    /// Change a client
    #[command(after_help = crate::client_set::EXAMPLES)]
    Set(Box<Set>),
    /// Give a client a new secret
    #[command(after_help = SECRET_EXAMPLES)]
    RotateSecret(RotateSecret),
    /// Say whether a secret would work, and if not why
    #[command(after_help = CHECK_EXAMPLES)]
    CheckSecret(Named),
    /// Remove a client with its secrets, consents and grants
    #[command(after_help = "Examples:\n  propusk client remove old-forum")]
    Remove(Named),
}

/// One client.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The client's identifier
    id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The identifier: A-Z, a-z, 0-9, dot, underscore, tilde, hyphen
    id: String,
    /// What kind of client
    #[arg(long, value_parser = PossibleValuesParser::new(Preset::ALL.map(Preset::as_str)).try_map(|name| Preset::parse(&name).ok_or("no such preset")))]
    preset: Preset,
    /// The name that people see
    #[arg(long)]
    name: Option<String>,
    /// Where answers go, character for character; may be repeated
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where a logout may return to; may be repeated
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// All that the client may ask for, instead of the preset's scopes; repeated, or one value with spaces
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The community's own: no consent is asked
    #[arg(long, conflicts_with = "third_party")]
    first_party: bool,
    /// Somebody else's: consent is asked
    #[arg(long)]
    third_party: bool,
    /// Where it is told that a session has ended (OpenID Connect Back-Channel Logout)
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<String>,
    /// It needs to be told which session (it always is)
    #[arg(long, requires = "backchannel_logout_uri")]
    backchannel_logout_session_required: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RotateSecret {
    /// The client's identifier
    id: String,
    /// Seconds that the old secrets work on
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(0..=31_536_000))]
    overlap: Option<i64>,
    /// End the old secrets at once
    #[arg(long, conflicts_with = "overlap")]
    now: bool,
}

impl Client {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let instance = match self {
            Self::List | Self::Show(_) | Self::CheckSecret(_) => house::open_existing(config)?,
            _ => house::open(config)?,
        };
        match self {
            Self::Add(verb) => verb.run(&instance),
            Self::List => list(&instance),
            Self::Show(verb) => show(&instance, &verb.id),
            Self::Set(verb) => verb.run(&instance),
            Self::RotateSecret(verb) => verb.run(&instance),
            Self::CheckSecret(verb) => check_secret(&instance, &verb.id),
            Self::Remove(verb) => remove(&instance, verb.id),
        }
    }
}

impl Add {
    fn run(self, instance: &Instance) -> Result<Report, Failure> {
        let scopes = (!self.scopes.is_empty()).then(|| parse_scopes(&self.scopes)).transpose()?;
        let new = NewClient {
            name: self.name,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            scopes,
            first_party: (self.first_party || self.third_party).then_some(self.first_party),
            more: ClientPatch {
                backchannel_logout_uri: self.backchannel_logout_uri,
                backchannel_logout_session_required: self.backchannel_logout_session_required.then_some(true),
                ..ClientPatch::default()
            },
            ..NewClient::new(self.id, self.preset)
        };
        let (client, secret) = instance.write(move |cx| clients::add(cx, &new))?;
        let mut answer = json!({ "client_id": client.client_id });
        let mut text = format!("client_id      {}\n", client.client_id);
        if let (Some(secret), Some(members)) = (&secret, answer.as_object_mut()) {
            members.insert("client_secret".to_owned(), secret.expose().into());
            text += &format!("client_secret  {}   (shown this once)\n", secret.expose());
        }
        if client.settings.rocket_chat {
            text += &rocket_chat_settings(&instance.settings.issuer, &client.client_id);
        }
        Ok(Report::of(answer).human(text))
    }
}

impl RotateSecret {
    fn run(self, instance: &Instance) -> Result<Report, Failure> {
        let overlap = if self.now { 0 } else { self.overlap.unwrap_or(instance.policy.secret_overlap) };
        let ends = instance.clock.now().plus(overlap);
        let id = self.id.clone();
        let secret = instance.write(move |cx| clients::rotate_secret(cx, &id, overlap))?;
        let human =
            format!("client_id      {}\nclient_secret  {}   (shown this once)\nThe secrets before it end at {ends}.\n", self.id, secret.expose());
        Ok(Report::of(json!({ "client_id": self.id, "client_secret": secret.expose(), "old_secrets_end_at": ends.to_string() })).human(human))
    }
}

/// Tokens of one scope, whether it came in several arguments or in one.
pub(crate) fn parse_scopes(values: &[String]) -> Result<Scope, Failure> {
    Scope::parse(&values.join(" ")).map_err(|error| Failure::usage(format!("--scope: {error}")))
}

fn list(instance: &Instance) -> Result<Report, Failure> {
    let clients = instance.read(|cx| Ok(cx.store.list_clients()?))?;
    let now = instance.clock.now();
    let rows = clients.iter().map(|client| {
        let state = if client.disabled { "disabled" } else { "enabled" };
        [client.client_id.clone(), client.preset.as_str().to_owned(), state.to_owned(), client.name.clone(), client.settings.redirect_uris.join(" ")]
    });
    let human = table(["CLIENT ID", "PRESET", "STATE", "NAME", "REDIRECT URIS"], rows);
    Ok(Report::of(clients.iter().map(|client| document(client, now)).collect()).human(human))
}

fn show(instance: &Instance, id: &str) -> Result<Report, Failure> {
    let client = instance.read(|cx| clients::find(cx.store, id))?;
    let now = instance.clock.now();
    let fields = diff::client_fields(&client);
    let mut pairs = vec![("client_id", client.client_id.clone())];
    pairs.extend(fields.iter().map(|(name, value)| (name.as_str(), short(value))));
    pairs.extend(client.secrets.iter().map(|secret| {
        let end = secret.expires_at.map_or_else(String::new, |end| format!(", {} {end}", if secret.is_live(now) { "ends" } else { "ended" }));
        let used = secret.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("last used {at}"));
        ("secret", format!("made {}{end}, {used}", secret.created_at))
    }));
    pairs.push(("created_at", client.created_at.to_string()));
    pairs.push(("updated_at", client.updated_at.to_string()));
    let mut document = document(&client, now);
    if client.settings.backchannel_logout_uri.is_some() {
        let told = logouts(instance, id)?;
        let last =
            told.last.as_ref().map_or_else(|| "none yet".to_owned(), |event| format!("{} {}", event.at, event.detail.as_deref().unwrap_or_default()));
        pairs.push(("last_logout_delivery", last));
        pairs.push(("logouts_waiting", told.waiting.to_string()));
        if let Some(members) = document.as_object_mut() {
            let last = told.last.map(|event| json!({ "at": event.at.to_string(), "status": event.detail }));
            members.insert("backchannel_logout".to_owned(), json!({ "last": last, "waiting": told.waiting, "failure": told.failure }));
        }
    }
    Ok(Report::of(document).human(lines(pairs)))
}

/// What has become of the logouts that a client was to be told of.
struct Logouts {
    last: Option<AuditEvent>,
    waiting: usize,
    failure: Option<String>,
}

fn logouts(instance: &Instance, id: &str) -> Result<Logouts, Failure> {
    let filter = AuditFilter { client_id: Some(id.to_owned()), kind: Some(backchannel::AUDIT.to_owned()), limit: 1, ..AuditFilter::default() };
    Ok(instance.read(|cx| {
        let last = cx.store.list_audit(&filter)?.pop();
        let rows = cx.store.list_messages(Some(Topic::BackchannelLogout), i64::MAX)?;
        let own: Vec<_> = rows.into_iter().filter(|row| row.key.split(' ').next() == Some(id) && row.failed_at.is_none()).collect();
        Ok(Logouts { last, waiting: own.len(), failure: own.into_iter().rev().find_map(|row| row.failure) })
    })?)
}

fn check_secret(instance: &Instance, id: &str) -> Result<Report, Failure> {
    let client = instance.read(|cx| clients::find(cx.store, id))?;
    let presented = input::from_stdin("Client secret: ")?;
    let now = instance.clock.now();
    let cause = clients::check_secret(&client, presented.expose(), now);
    // One that came from another server is still in that server's form until its first use.
    let hasher = house::hasher(instance)?;
    let mut foreign = client.secrets.iter().filter(|secret| secret.is_live(now) && ForeignHash::parse(secret.hash.as_str()).is_ok());
    let fits = |hash: &str| matches!(hasher.verify(presented.expose(), Some(hash)), Verdict::Right { .. });
    let cause = cause.filter(|cause| *cause == Cause::DisabledClient || !foreign.any(|secret| fits(secret.hash.as_str())));
    let answer = json!({ "client_id": client.client_id, "works": cause.is_none(), "cause": cause.map(Cause::slug), "explanation": cause.map(Cause::explanation) });
    Ok(match cause {
        None => Report::of(answer).human("The secret works."),
        Some(cause) => Report::of(answer).human(format!("The secret does not work ({}): {}", cause.slug(), cause.explanation())).exit_code(1),
    })
}

fn remove(instance: &Instance, id: String) -> Result<Report, Failure> {
    let removed = instance.write(move |cx| clients::remove(cx, &id))?;
    Ok(Report::of(json!({ "client_id": removed.client_id, "removed": true })).human(format!("{} is removed.", removed.client_id)))
}

/// Everything about a client but its secrets' hashes.
fn document(client: &Row, now: UnixTime) -> Value {
    let mut fields = diff::client_fields(client);
    fields.insert("client_id".to_owned(), client.client_id.as_str().into());
    fields.insert("public".to_owned(), client.is_public().into());
    let secrets = client.secrets.iter().map(|secret| {
        json!({
            "created_at": secret.created_at.to_string(),
            "expires_at": secret.expires_at.map(|end| end.to_string()),
            "last_used_at": secret.last_used_at.map(|at| at.to_string()),
            "live": secret.is_live(now),
        })
    });
    fields.insert("secrets".to_owned(), secrets.collect());
    fields.insert("created_at".to_owned(), client.created_at.to_string().into());
    fields.insert("updated_at".to_owned(), client.updated_at.to_string().into());
    Value::Object(fields)
}

/// What the administrator of the chat types in. The identity path names the client, because Rocket.Chat signs in
/// whoever brings a token that its identity path accepts.
fn rocket_chat_settings(issuer: &str, client_id: &str) -> String {
    let pairs = [
        ("URL", issuer.to_owned()),
        ("Token Path", "/oauth/token".to_owned()),
        ("Identity Path", format!("/oauth/userinfo/{client_id}")),
        ("Authorize Path", "/oauth/authorize".to_owned()),
        ("Scope", "openid profile email".to_owned()),
        ("Id", client_id.to_owned()),
        ("Secret", "the client_secret above".to_owned()),
    ];
    format!("\nIn Rocket.Chat, Administration → Settings → OAuth → Add custom OAuth:\n{}", lines(pairs))
}
