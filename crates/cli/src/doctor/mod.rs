//! `propusk doctor` and `propusk rocketchat doctor`: the whole way of a sign-in, tried over real HTTP through the public address.

mod browser;
mod chat;
mod records;
mod relying_party;
mod replay;
mod report;
mod silent;

use crate::failure::Failure;
use crate::house;
use crate::input;
use crate::language::{self, Lang};
use crate::output::Report;
use crate::rocketchat::admin::Admin;
use browser::Site;
use clap::Args;
use propusk_crypto::Secret;
use propusk_domain::admin::clients;
use propusk_domain::admin::probe::{self, Probe};
use propusk_domain::client::{GrantType, RegisteredClient};
use propusk_domain::flow::{Sealed, Trial as FlowTrial};
use propusk_domain::rocketchat::lint::{self, Connector, Facts, OldPaths, Subject};
use propusk_domain::rocketchat::{parse_dump, settings};
use propusk_server::instance::Instance;
use propusk_server::outbound::Outbound;
use propusk_server::rocketchat::connection::Connection;
use records::Records;
use report::Examination;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const EXAMPLES: &str = "\
Goes the whole way of a sign-in as a relying party does: discovery, authorization with PKCE, code, tokens, ID token, userinfo. A person who
does not exist is made for it, signed in, and removed afterwards.

Exit codes: 0 nothing worse than a note, 3 findings, 4 the trial could not be made: the server does not answer at its public address, there is
no such client, nobody signs in to it.

Examples:
  propusk doctor --client site
  propusk doctor --client site --json";

pub(crate) const CHAT_EXAMPLES: &str = "\
Sends what Rocket.Chat would send, in its legacy and its modern generation, through the public address, with a person who does not exist and is
removed afterwards; looks at what the chat shows of its settings, or at all of them with an administrator's token; and says what is wrong,
why, and what helps. --settings judges a dump of the settings ([{\"_id\", \"value\"}], as GET /api/v1/settings answers) and touches nothing.

Exit codes: 0 nothing worse than a note, 3 findings, 4 the trial could not be made: this server does not answer at its public address, the dump
cannot be read, there is no such client, the chat refuses the administrator.

Examples:
  propusk rocketchat doctor
  propusk rocketchat doctor --chat-url https://chat.example.org --admin-id ID --admin-token-file FILE
  propusk rocketchat doctor --settings dump.json --chat-version 8.6 --json";

/// A running server has seen every change after this long, or answers nothing from memory.
const SEEN_BY_ALL: Duration = Duration::from_millis(1300);

/// Seconds for which the mark of a trial counts.
const TRIAL_LASTS: i64 = 600;

/// Try the whole way of a sign-in for a client
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Doctor {
    /// The client's identifier
    #[arg(long, value_name = "CLIENT_ID")]
    client: String,
    /// Try with this secret of the client, from standard input, instead of one made for the trial
    #[arg(long)]
    secret_stdin: bool,
    /// The language of the explanations; by default that of the terminal
    #[arg(long)]
    lang: Option<Lang>,
}

#[derive(Debug, Args)]
pub(crate) struct ChatDoctor {
    /// The client that the chat is
    #[arg(long, value_name = "CLIENT_ID", default_value = "rocketchat")]
    client: String,
    /// The chat's public address; by default that of the client's redirect URI
    #[arg(long, value_name = "URL", value_parser = crate::rocketchat::chat_url)]
    chat_url: Option<String>,
    /// Judge this dump of the chat's settings (JSON) and ask nobody
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The chat's version, when a dump is judged: 8.6
    #[arg(long, value_name = "VERSION", value_parser = version, requires = "settings")]
    chat_version: Option<(u32, u32)>,
    /// The chat has a licence
    #[arg(long, conflicts_with = "unlicensed")]
    licensed: bool,
    /// The chat has none
    #[arg(long)]
    unlicensed: bool,
    /// Try with this secret of the client, from standard input, instead of one made for the trial
    #[arg(long, conflicts_with = "settings")]
    secret_stdin: bool,
    /// The language of the explanations; by default that of the terminal
    #[arg(long)]
    lang: Option<Lang>,
    #[command(flatten)]
    admin: Admin,
}

impl Doctor {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        self.examine(config).map_err(Failure::could_not_run)
    }

    fn examine(self, config: Option<&Path>) -> Result<Report, Failure> {
        let secret = if self.secret_stdin { Some(input::from_stdin("Client secret: ")?) } else { None };
        let instance = house::open_existing(config)?;
        let client = load(&instance, &self.client)?;
        if !client.client.may_use(GrantType::AuthorizationCode) || client.client.settings.redirect_uris.is_empty() {
            return Err(Failure::Failed(format!("nobody signs in to {}: it has no redirect URI or may not use authorization_code", client.id())));
        }
        let outbound = Outbound::new(&instance.settings.outbound)?;
        let mut examination = Examination::new(language::chosen(self.lang));
        let trial = Trial::begin(&instance, &client, secret)?;
        let outcome = trial.relying_party(&outbound, &mut examination);
        trial.end();
        outcome?;
        Ok(examination.report(&instance, &client, None))
    }
}

impl ChatDoctor {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        self.examine(config).map_err(Failure::could_not_run)
    }

    fn examine(self, config: Option<&Path>) -> Result<Report, Failure> {
        if self.secret_stdin && self.admin.reads_stdin() {
            return Err(Failure::usage("standard input cannot bring two secrets: use --admin-password-file or a token"));
        }
        let secret = if self.secret_stdin { Some(input::from_stdin("Client secret: ")?) } else { None };
        let instance = house::open_existing(config)?;
        let client = load(&instance, &self.client)?;
        let chat_url = self.chat_url.clone().or_else(|| chat_of(&client));
        let licensed = if self.licensed { Some(true) } else { self.unlicensed.then_some(false) };
        let mut facts = Facts { version: self.chat_version, licensed, chat_url: chat_url.clone(), ..own_facts(&instance)? };
        let mut examination = Examination::new(language::chosen(self.lang));
        if let Some(file) = &self.settings {
            let dump = read_dump(file)?;
            let subject = Subject { dump: &dump, client: &client, issuer: &instance.settings.issuer, facts: &facts };
            // The chat's own word counts, too: a redirect URI may be as wrong as the issuer.
            for chat in [chat_url.as_deref(), dump.get("Site_Url").and_then(Value::as_str)] {
                examination.findings(lint::judge_address(&instance.settings.issuer, chat));
            }
            examination.findings(lint::judge(&subject));
            let (count, file) = (dump.len(), file.display());
            examination.did("settings", format!("{count} settings of {file}"), format!("настроек в {file}: {count}"));
            return Ok(examination.report(&instance, &client, chat_url.as_deref()));
        }
        self.live(&instance, &client, secret, &mut facts, &mut examination)?;
        Ok(examination.report(&instance, &client, chat_url.as_deref()))
    }

    fn live(
        &self,
        instance: &Instance,
        client: &RegisteredClient,
        secret: Option<Secret>,
        facts: &mut Facts,
        examination: &mut Examination,
    ) -> Result<(), Failure> {
        let outbound = Outbound::new(&instance.settings.outbound)?;
        let name = facts.chat_url.as_deref().map_or_else(|| settings::DEFAULT_NAME.to_owned(), |url| settings::name_for(client, url));
        examination.findings(lint::judge_address(&instance.settings.issuer, facts.chat_url.as_deref()));
        examination.people(instance)?;
        let trial = Trial::begin(instance, client, secret)?;
        let outcome = trial.relying_party(&outbound, examination).map(|()| trial.chat(&outbound, examination));
        trial.end();
        outcome?;
        chat::look(&outbound, instance, client, &name, &self.admin, facts, examination)
    }
}

/// A trial that removes what it made, however it ends.
struct Trial<'a> {
    instance: &'a Instance,
    client: &'a RegisteredClient,
    probe: Option<Probe>,
    secret: Option<Secret>,
}

impl<'a> Trial<'a> {
    fn begin(instance: &'a Instance, client: &'a RegisteredClient, secret: Option<Secret>) -> Result<Self, Failure> {
        let (row, own) = (client.client.clone(), secret.is_none());
        let probe = instance.write(move |cx| probe::begin(cx, &row, own))?;
        if probe.secret.is_some() {
            std::thread::sleep(SEEN_BY_ALL);
        }
        let secret = secret.or_else(|| probe.secret.clone());
        Ok(Self { instance, client, probe: Some(probe), secret })
    }

    fn site<'b>(&'b self, outbound: &'b Outbound) -> Site<'b> {
        let cookie = self.probe.as_ref().map(|probe| format!("{}={}", self.instance.session_cookie(), probe.cookie.expose()));
        let (issuer, records) = (&self.instance.settings.issuer, Records(self.instance));
        let mark = FlowTrial { expires_at: self.instance.clock.now().plus(TRIAL_LASTS) }.seal(&self.instance.keys).unwrap_or_default();
        Site { outbound, issuer, cookie: Secret::new(cookie.unwrap_or_default()), records, mark }
    }

    /// Fails only when there is nobody to ask.
    fn relying_party(&self, outbound: &Outbound, examination: &mut Examination) -> Result<(), Failure> {
        let site = self.site(outbound);
        site.answers()?;
        if self.client.client.disabled {
            examination.switched_off(self.client);
            return Ok(());
        }
        browser::look_at_pages(&site, self.client, examination);
        relying_party::go(&site, self.client, self.secret.as_ref(), examination);
        Ok(())
    }

    fn chat(&self, outbound: &Outbound, examination: &mut Examination) {
        if self.client.client.disabled {
            return;
        }
        let username = self.probe.as_ref().map_or("", |probe| probe.username.as_str());
        replay::go(&self.site(outbound), self.client, self.secret.as_ref(), username, examination);
    }

    fn end(mut self) {
        self.remove();
    }

    fn remove(&mut self) {
        if let Some(probe) = self.probe.take() {
            // What cannot be removed now ends by itself, and the next trial removes it.
            let _later = self.instance.write(move |cx| probe::end(cx, &probe));
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.remove();
    }
}

pub(crate) fn load(instance: &Instance, client_id: &str) -> Result<RegisteredClient, Failure> {
    Ok(instance.read(|cx| {
        // Refuses, and names the nearest identifier.
        clients::find(cx.store, client_id)?;
        RegisteredClient::load(cx.store, client_id)?.ok_or_else(|| propusk_domain::Fault::passing("the client was removed at the same moment").into())
    })?)
}

pub(crate) fn read_dump(file: &Path) -> Result<propusk_domain::rocketchat::Dump, Failure> {
    let text = crate::input::text_of(file)?;
    let json: Value = serde_json::from_str(&text).map_err(|error| Failure::Failed(format!("{} is no JSON: {error}", file.display())))?;
    let dump = parse_dump(&json).map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))?;
    // Of nothing nothing can be said, least of all that it is right.
    if !dump.keys().any(|id| id.starts_with("Accounts_")) {
        return Err(Failure::Failed(format!("{} holds no setting of sign-in (Accounts_…): is it a dump of the chat's settings?", file.display())));
    }
    Ok(dump)
}

/// The chat that the client's first chat-like redirect URI belongs to.
fn chat_of(client: &RegisteredClient) -> Option<String> {
    client.client.settings.redirect_uris.iter().find_map(|uri| uri.split_once("/_oauth/")).map(|(chat, _)| chat.to_owned())
}

/// What the settings and the database say of the paths that are answered here, and of the connector.
fn own_facts(instance: &Instance) -> Result<Facts, Failure> {
    let (compat, settings) = (&instance.settings.compat, &instance.settings.rocketchat);
    let (url, administrator) =
        instance.read(|cx| Ok((Connection::url(cx.store, settings)?, Connection::find(cx.store, settings, &instance.master)?.is_some())))?;
    let connector = Connector { url, administrator, token_secret: settings.create_token_secret.is_some() };
    let old_paths = OldPaths { oauth_toolkit: compat.django_oauth_toolkit, rocket_identity: compat.rocket_identity };
    Ok(Facts { old_paths, connector: Some(connector), ..Facts::default() })
}

/// `8.6` or `8.6.1`.
pub(crate) fn version(text: &str) -> Result<(u32, u32), String> {
    let mut parts = text.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => Err("a version like 8.6".to_owned()),
    }
}
