//! `propusk doctor` and `propusk rocketchat doctor`: the whole way of a sign-in, tried over real HTTP through the public address.

mod browser;
mod chat;
mod relying_party;
mod replay;

use crate::failure::Failure;
use crate::house;
use crate::input;
use crate::language::{self, Lang};
use crate::output::{FINDINGS, Report};
use crate::rocketchat::admin::Admin;
use browser::Site;
use clap::Args;
use propusk_crypto::Secret;
use propusk_domain::admin::clients;
use propusk_domain::admin::probe::{self, Probe};
use propusk_domain::client::{GrantType, RegisteredClient};
use propusk_domain::rocketchat::lint::{self, Facts, Finding, Severity, Subject};
use propusk_domain::rocketchat::{guide, parse_dump, settings};
use propusk_domain::trace::diagnosis::Language;
use propusk_server::instance::Instance;
use propusk_server::outbound::Outbound;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const EXAMPLES: &str = "\
Goes the whole way of a sign-in as a relying party does: discovery, authorization with PKCE, code, tokens, ID token, userinfo. A person who
does not exist is made for it, signed in, and removed afterwards.

Exit codes: 0 nothing worse than a note, 3 findings, 4 the server does not answer at its public address.

Examples:
  propusk doctor --client site
  propusk doctor --client site --json";

pub(crate) const CHAT_EXAMPLES: &str = "\
Sends what Rocket.Chat would send, in its legacy and its modern generation, through the public address, with a person who does not exist and is
removed afterwards; looks at what the chat shows of its settings, or at all of them with an administrator's token; and says what is wrong,
why, and what helps. --settings judges a dump of the settings ([{\"_id\", \"value\"}], as GET /api/v1/settings answers) and touches nothing.

Exit codes: 0 nothing worse than a note, 3 findings, 4 this server does not answer at its public address.

Examples:
  propusk rocketchat doctor
  propusk rocketchat doctor --chat-url https://chat.example.org --admin-id ID --admin-token-file FILE
  propusk rocketchat doctor --settings dump.json --chat-version 8.6 --json";

/// A running server has seen every change after this long, or answers nothing from memory.
const SEEN_BY_ALL: Duration = Duration::from_millis(1300);

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
        let secret = if self.secret_stdin { Some(input::from_stdin("Client secret: ")?) } else { None };
        let instance = house::open(config)?;
        let client = load(&instance, &self.client)?;
        if !client.client.may_use(GrantType::AuthorizationCode) || client.client.settings.redirect_uris.is_empty() {
            return Err(Failure::Failed(format!("nobody signs in to {}: it has no redirect URI or may not use authorization_code", client.id())));
        }
        let outbound = Outbound::new(&instance.settings.outbound)?;
        let mut examination = Examination { russian: language::chosen(self.lang) == Language::Russian, ..Examination::default() };
        let trial = Trial::begin(&instance, &client, secret)?;
        let outcome = trial.relying_party(&outbound, &mut examination);
        trial.end();
        outcome?;
        Ok(examination.report(&instance, &client, None))
    }
}

impl ChatDoctor {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        if self.secret_stdin && self.admin.reads_stdin() {
            return Err(Failure::usage("standard input cannot bring two secrets: use --admin-password-file or a token"));
        }
        let secret = if self.secret_stdin { Some(input::from_stdin("Client secret: ")?) } else { None };
        let instance = house::open(config)?;
        let client = load(&instance, &self.client)?;
        let chat_url = self.chat_url.clone().or_else(|| chat_of(&client));
        let licensed = if self.licensed { Some(true) } else { self.unlicensed.then_some(false) };
        let mut facts = Facts { version: self.chat_version, licensed, chat_url: chat_url.clone(), roles: None };
        let mut examination = Examination { russian: language::chosen(self.lang) == Language::Russian, ..Examination::default() };
        if let Some(file) = &self.settings {
            let dump = read_dump(file)?;
            let subject = Subject { dump: &dump, client: &client, issuer: &instance.settings.issuer, facts: &facts };
            examination.findings(lint::judge(&subject));
            examination.did("settings", format!("{} settings of {}", dump.len(), file.display()));
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
        examination.address(instance, facts.chat_url.as_deref());
        examination.people(instance)?;
        let trial = Trial::begin(instance, client, secret)?;
        let outcome = trial.relying_party(&outbound, examination).map(|()| trial.chat(&outbound, examination));
        trial.end();
        outcome?;
        chat::look(&outbound, instance, client, &name, &self.admin, facts, examination)
    }
}

/// What was done and found.
#[derive(Debug, Default)]
pub(crate) struct Examination {
    done: Vec<(&'static str, String)>,
    findings: Vec<Finding>,
    russian: bool,
}

impl Examination {
    /// A step that was taken, with what it showed.
    fn did(&mut self, step: &'static str, verdict: impl Into<String>) {
        self.done.push((step, verdict.into()));
    }

    fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn findings(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
    }

    /// What the public address itself promises.
    fn address(&mut self, instance: &Instance, chat_url: Option<&str>) {
        let issuer = &instance.settings.issuer;
        if is_loopback(issuer) && chat_url.is_some_and(|chat| !is_loopback(chat)) {
            let explanation = "This server's public address is this machine's own: a chat elsewhere, or in a container, would ask itself.";
            let fix = "set issuer to the https address that browsers and the chat both reach";
            self.find(Finding::new("issuer_loopback", Severity::Error, explanation, fix).found(issuer.as_str()));
        } else if !instance.settings.is_https() && !is_loopback(issuer) {
            let explanation =
                "The public address is plain http: passwords and tokens travel in the clear, and a chat on https loses its cookies on the way.";
            self.find(
                Finding::new("issuer_http", Severity::Error, explanation, "put a proxy with TLS in front and set issuer to https")
                    .found(issuer.as_str()),
            );
        }
    }

    /// People whom the chat would be told no address of.
    fn people(&mut self, instance: &Instance) -> Result<(), Failure> {
        const PAGE: i64 = 500;
        let (mut count, mut example, mut after) = (0_usize, None, None::<String>);
        loop {
            let page = instance.read(|cx| Ok(cx.store.list_users(after.as_deref(), None, PAGE)?))?;
            let verified = |user: &&propusk_domain::user::User| user.claims.email.is_some() && user.claims.email_verified == Some(true);
            let without = page.iter().filter(|user| user.is_active() && !verified(user));
            for user in without {
                count += 1;
                example.get_or_insert_with(|| user.username.clone());
            }
            match page.last() {
                Some(last) if page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX) => after = Some(last.username.clone()),
                _ => break,
            }
        }
        if let Some(example) = example {
            let explanation = "These people have no verified address, so the chat is told none: their accounts there have no address, and with a second \
                               factor or an allowed domain they cannot sign in.";
            let fix = format!("propusk user set {example} --email ADDRESS");
            self.find(Finding::new("email_not_verified", Severity::Warning, explanation, fix).found(format!("{count} people, {example} among them")));
        }
        Ok(())
    }

    fn report(mut self, instance: &Instance, client: &RegisteredClient, chat_url: Option<&str>) -> Report {
        lint::sort(&mut self.findings);
        if self.russian {
            self.findings.iter_mut().for_each(translate);
        }
        let steps: Vec<Value> = self.done.iter().map(|(step, verdict)| json!({ "step": step, "verdict": verdict })).collect();
        let answer = json!({
            "issuer": instance.settings.issuer,
            "client_id": client.id(),
            "chat_url": chat_url,
            "steps": steps,
            "findings": self.findings,
        });
        let bad = self.findings.iter().any(|finding| finding.severity > Severity::Note);
        Report::of(answer).human(self.text()).exit_code(if bad { FINDINGS } else { 0 })
    }

    fn text(&self) -> String {
        let mut text: String = self.done.iter().map(|(step, verdict)| format!("{step}: {verdict}\n")).collect();
        for finding in &self.findings {
            let severity = match finding.severity {
                Severity::Error => "ERROR",
                Severity::Warning => "WARNING",
                Severity::Note => "NOTE",
            };
            text += &format!("\n{severity} {}\n  {}\n", finding.slug, finding.explanation);
            for (name, value) in [("found", &finding.found), ("expected", &finding.expected)] {
                if let Some(value) = value {
                    text += &format!("  {name}: {}\n", propusk_domain::error::printable(&crate::output::short(value)));
                }
            }
            text += &format!("  try: {}\n", finding.fix);
        }
        if self.findings.is_empty() {
            text += "\nNothing is wrong.\n";
        }
        text
    }
}

/// The explanation in Russian, and the way out unless it is a command, which is the same in every language.
fn translate(finding: &mut Finding) {
    let Some(entry) = guide::entry(finding.slug) else { return };
    entry.explanation(Language::Russian).clone_into(&mut finding.explanation);
    if !finding.fix.starts_with("propusk ") {
        finding.fix = match (&finding.setting, &finding.expected) {
            (Some(setting), Some(expected)) => format!("задайте {setting}: {}", crate::output::short(expected)),
            _ => entry.fix(Language::Russian).to_owned(),
        };
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
        Site { outbound, issuer: &self.instance.settings.issuer, cookie: Secret::new(cookie.unwrap_or_default()) }
    }

    /// Fails only when there is nobody to ask.
    fn relying_party(&self, outbound: &Outbound, examination: &mut Examination) -> Result<(), Failure> {
        let site = self.site(outbound);
        site.answers()?;
        browser::look_at_pages(&site, self.client, examination);
        relying_party::go(&site, self.client, self.secret.as_ref(), examination);
        Ok(())
    }

    fn chat(&self, outbound: &Outbound, examination: &mut Examination) {
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
    parse_dump(&json).map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))
}

/// The chat that the client's first chat-like redirect URI belongs to.
fn chat_of(client: &RegisteredClient) -> Option<String> {
    client.client.settings.redirect_uris.iter().find_map(|uri| uri.split_once("/_oauth/")).map(|(chat, _)| chat.to_owned())
}

fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    host.starts_with("127.") || host.starts_with("[::1]") || host.split([':', '/']).next() == Some("localhost")
}

/// `8.6` or `8.6.1`.
pub(crate) fn version(text: &str) -> Result<(u32, u32), String> {
    let mut parts = text.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => Err("a version like 8.6".to_owned()),
    }
}
