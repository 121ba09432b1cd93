//! What is wrong with a chat's settings, in plain words and with the way out.
//!
//! A setting that a dump does not hold is not judged: the public settings of a chat are a dump, too.

use super::{CUSTOM, Dump, lint_client, lint_provider, lint_workspace, provider_name, service_key, settings};
use crate::client::RegisteredClient;
use crate::client_auth::shell_quoted;
use serde::Serialize;
use serde_json::Value;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing needs to be done.
    Note,
    /// Works today and will hurt somebody.
    Warning,
    /// Nobody, or not everybody, can sign in, or somebody can who must not.
    Error,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// A stable name for scripts.
    pub slug: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The chat's setting that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// What it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
    /// What it should hold; absent beside a setting that should not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What Rocket.Chat would do, in one or two sentences.
    pub explanation: String,
    /// The command or the setting that helps.
    pub fix: String,
    /// Explanation and fix in Russian where they name values that the guide's sentences do not.
    #[serde(skip)]
    pub russian: Option<(String, String)>,
}

impl Finding {
    /// A finding without a setting.
    pub fn new(slug: &'static str, severity: Severity, explanation: impl Into<String>, fix: impl Into<String>) -> Self {
        debug_assert!(super::guide::entry(slug).is_some(), "the guide lacks {slug}");
        Self { slug, severity, setting: None, found: None, expected: None, explanation: explanation.into(), fix: fix.into(), russian: None }
    }

    /// The same in Russian.
    #[must_use]
    pub fn in_russian(mut self, explanation: impl Into<String>, fix: impl Into<String>) -> Self {
        self.russian = Some((explanation.into(), fix.into()));
        self
    }

    /// What was found.
    #[must_use]
    pub fn found(mut self, found: impl Into<Value>) -> Self {
        self.found = Some(found.into());
        self
    }

    /// What was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<Value>) -> Self {
        self.expected = Some(expected.into());
        self
    }
}

/// What is known beside the chat's settings; `None` is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Major and minor version.
    pub version: Option<(u32, u32)>,
    /// The licence carries `oauth-enterprise`.
    pub licensed: Option<bool>,
    /// The chat's address.
    pub chat_url: Option<String>,
    /// Names and ids of the chat's roles.
    pub roles: Option<Vec<String>>,
    /// Whether the chat's public list of services shows the provider.
    pub offered: Option<bool>,
    /// Which paths of a site that was taken over are answered here.
    pub old_paths: OldPaths,
    /// How people are signed in to the chat without a button from here.
    pub connector: Option<Connector>,
}

/// The paths of a site that was taken over (settings `compat.…`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OldPaths {
    /// `/o/authorize/`, `/o/token/` and the others of django-oauth-toolkit.
    pub oauth_toolkit: bool,
    /// `/api/v1/auth/rocket/identity/`, for tokens of chats alone.
    pub rocket_identity: bool,
}

/// What this server has to make login tokens of the chat with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connector {
    /// The address of the chat that is connected.
    pub url: Option<String>,
    /// An administrator's token is there.
    pub administrator: bool,
    /// The secret of `users.createToken` is there.
    pub token_secret: bool,
}

impl Connector {
    /// Whether tokens are made by the administrator, without the provider.
    pub const fn needs_no_provider(&self) -> bool {
        self.url.is_some() && self.administrator && self.token_secret
    }
}

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The chat's settings.
    pub dump: &'a Dump,
    /// The client that the chat should be.
    pub client: &'a RegisteredClient,
    /// The issuer as served.
    pub issuer: &'a str,
    /// Whatever else is known.
    pub facts: &'a Facts,
}

/// Everything that is wrong with the settings, the client and its role map, the worst first.
pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Findings::default();
    let chat_url = subject.chat_url();
    lint_client::judge(subject.client, chat_url.as_deref(), subject.facts, &mut findings);
    let names = provider_names(subject.dump);
    let chosen = chosen(&names, subject);
    let standing = Standing::of(subject, chosen.as_deref());
    match &chosen {
        // What is left of it is not in force.
        Some(_) if standing.gated && standing.dispensable => {}
        Some(name) => {
            lint_provider::judge(subject, name, standing, &mut findings);
            lint_provider::others(subject, name, &names, &mut findings);
        }
        None => {}
    }
    lint_provider::missing(subject, chosen.as_deref(), standing, &mut findings);
    lint_workspace::judge(subject, &mut findings);
    findings.sorted()
}

/// What is wrong with the client and its role map alone.
pub fn judge_client(client: &RegisteredClient, chat_url: Option<&str>, facts: &Facts) -> Vec<Finding> {
    let mut findings = Findings::default();
    lint_client::judge(client, chat_url, facts, &mut findings);
    findings.sorted()
}

/// Whether the provider is in force, and whether anybody needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The licence keeps Custom OAuth off.
    pub(super) gated: bool,
    /// People come in without a button, and nothing of that rests on the provider.
    pub(super) dispensable: bool,
}

impl Standing {
    fn of(subject: &Subject<'_>, name: Option<&str>) -> Self {
        let facts = subject.facts;
        let switch = name.and_then(|name| subject.dump.get(&format!("{CUSTOM}{name}")));
        let is_on = facts.offered.unwrap_or_else(|| switch.is_some_and(super::truthy));
        let nine = facts.version.is_some_and(|(major, _)| major >= 9);
        let gated = nine && facts.licensed.map_or(!is_on, |licensed| !licensed);
        let by_administrator = facts.connector.as_ref().is_some_and(Connector::needs_no_provider);
        Self { gated, dispensable: lint_workspace::signs_in_silently(subject) && (gated || by_administrator) }
    }
}

/// What this server's own address promises a chat at that address.
pub fn judge_address(issuer: &str, chat_url: Option<&str>) -> Vec<Finding> {
    let loopback = super::is_loopback(issuer);
    if loopback && chat_url.is_some_and(|chat| !super::is_loopback(chat)) {
        let explanation = "This server's public address is this machine's own: a chat elsewhere, or in a container, would ask itself.";
        let fix = "set issuer to the https address that browsers and the chat both reach";
        return vec![Finding::new("issuer_loopback", Severity::Error, explanation, fix).found(issuer)];
    }
    if !loopback && !issuer.starts_with("https://") {
        let explanation =
            "The public address is plain http: passwords and tokens travel in the clear, and a chat on https loses its cookies on the way.";
        let fix = "put a proxy with TLS in front and set issuer to https";
        return vec![Finding::new("issuer_http", Severity::Error, explanation, fix).found(issuer)];
    }
    Vec::new()
}

/// The worst first, each once.
pub fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.slug.cmp(other.slug)));
    findings.dedup();
}

/// The name of the provider in these settings that is meant for this client.
pub fn provider_of(dump: &Dump, client: &RegisteredClient, issuer: &str) -> Option<String> {
    chosen(&provider_names(dump), &Subject { dump, client, issuer, facts: &Facts::default() })
}

/// Provider names as they stand in the ids, whatever their case.
fn provider_names(dump: &Dump) -> Vec<String> {
    let mut names: Vec<String> =
        dump.keys().filter_map(|id| id.strip_prefix(CUSTOM)).map(|rest| rest.split('-').next().unwrap_or(rest).to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// The provider that is ours: with our address or our identifier, capitalised before any twin.
fn chosen(names: &[String], subject: &Subject<'_>) -> Option<String> {
    let ours = |name: &&String| {
        let value = |suffix: &str| super::text(subject.dump, &format!("{CUSTOM}{name}-{suffix}"));
        value("id") == subject.client.id() || value("url").trim_end_matches('/') == subject.issuer
    };
    let capitalised = |name: &&String| provider_name(name) == **name;
    let candidates: Vec<&String> = names.iter().filter(ours).collect();
    let best = candidates.iter().find(|name| capitalised(name)).or(candidates.first()).copied();
    // A single provider is meant even when both its address and its identifier are wrong.
    let keys: std::collections::BTreeSet<String> = names.iter().map(|name| service_key(name)).collect();
    let single = || (keys.len() == 1).then(|| names.iter().find(capitalised).or(names.first())).flatten();
    best.or_else(single).cloned()
}

impl Subject<'_> {
    /// The chat's address: as told, or as its own settings say.
    pub(super) fn chat_url(&self) -> Option<String> {
        let site = super::text(self.dump, "Site_Url");
        let known = self.facts.chat_url.as_deref().or((!site.is_empty()).then_some(site))?;
        Some(known.trim_end_matches('/').to_owned())
    }

    /// Whether the chat asks this server, without a button, who is signed in.
    pub fn signs_in_silently(&self) -> bool {
        lint_workspace::signs_in_silently(self)
    }

    /// The command that sets the chat up, with what it would otherwise take back. `more` stands before `--apply`.
    pub(super) fn command(&self, name: Option<&str>, more: &str) -> String {
        let url = self.chat_url().unwrap_or_else(|| "https://chat.example.org".to_owned());
        let mut command = format!("propusk rocketchat settings --client {} --chat-url {}", self.client.id(), shell_quoted(&url));
        if let Some(name) = name.filter(|name| service_key(name) != service_key(&settings::name_for(self.client, &url))) {
            command.extend([" --name ", &*shell_quoted(&provider_name(name))]);
        }
        let is_on = |id: &str| self.dump.get(id) == Some(&Value::Bool(true));
        let merges = name.is_some_and(|name| is_on(&format!("{CUSTOM}{}-merge_roles", provider_name(name))));
        // Without a licence the switch reads as off, whatever was set.
        if self.facts.licensed.unwrap_or(merges) {
            command += " --licensed";
        }
        if is_on("Accounts_OAuth_Use_Modern_Flow") {
            command += " --modern";
        }
        if self.dump.get("Accounts_ShowFormLogin") == Some(&Value::Bool(false)) {
            command += " --hide-login-form";
        }
        let first = super::text(self.dump, "First_Channel_After_Login");
        if !first.is_empty() && first != settings::FIRST_CHANNEL {
            command.extend([" --first-channel ", &*shell_quoted(first)]);
        }
        command + more + " --apply --admin-user NAME"
    }

    /// Whether the modern flow is used: by version, or by setting in between.
    pub(super) fn is_modern(&self) -> bool {
        let by_version = self.facts.version.is_some_and(|(major, _)| major >= 9);
        by_version || self.dump.get("Accounts_OAuth_Use_Modern_Flow") == Some(&Value::Bool(true))
    }
}

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Whether one of these was found.
    pub(super) fn has(&self, slugs: &[&str]) -> bool {
        self.0.iter().any(|finding| slugs.contains(&finding.slug))
    }

    /// A setting with a wrong value: the way out is the right one.
    pub(super) fn wrong(
        &mut self,
        slug: &'static str,
        severity: Severity,
        id: &str,
        found: &Value,
        expected: impl Into<Value>,
        explanation: impl Into<String>,
    ) {
        let expected = expected.into();
        let fix = format!("set {id} to {}", shown(&expected));
        let found = if id.ends_with("-secret") { Value::from("(not shown)") } else { found.clone() };
        self.push(Finding { setting: Some(id.to_owned()), ..Finding::new(slug, severity, explanation, fix).found(found).expected(expected) });
    }

    /// A setting that should not be there.
    pub(super) fn superfluous(
        &mut self,
        slug: &'static str,
        severity: Severity,
        id: &str,
        found: &Value,
        explanation: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let found = if id.ends_with("-secret") || id.ends_with("Secret") { Value::from("(not shown)") } else { found.clone() };
        self.push(Finding { setting: Some(id.to_owned()), ..Finding::new(slug, severity, explanation, fix).found(found) });
    }

    fn sorted(mut self) -> Vec<Finding> {
        sort(&mut self.0);
        self.0
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
