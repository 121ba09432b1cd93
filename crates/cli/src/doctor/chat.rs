//! What the chat shows of its settings: to everybody, or to an administrator.

use super::{Examination, silent};
use crate::failure::Failure;
use crate::rocketchat::admin::Admin;
use propusk_domain::client::RegisteredClient;
use propusk_domain::rocketchat::lint::{self, Facts, Finding, Severity, Subject};
use propusk_domain::rocketchat::{CUSTOM, Dump, catalogue, parse_dump};
use propusk_server::instance::Instance;
use propusk_server::outbound::Outbound;
use propusk_server::rocketchat::provision::{patiently, service};
use propusk_server::rocketchat::rest::{Rest, RestError};
use serde_json::Value;

/// Settings a page.
const PAGE: usize = 100;

/// Looks at the chat and judges what it shows. A chat that does not answer is a finding: the server is looked at all the same.
pub(super) fn look(
    outbound: &Outbound,
    instance: &Instance,
    client: &RegisteredClient,
    name: &str,
    admin: &Admin,
    facts: &mut Facts,
    examination: &mut Examination,
) -> Result<(), Failure> {
    let Some(url) = facts.chat_url.clone() else {
        let explanation = "No redirect URI of the client looks like a chat's (…/_oauth/NAME), so the chat was not looked at.";
        let fix = format!("propusk rocketchat doctor --client {} --chat-url https://chat.example.org", client.id());
        examination.find(Finding::new("chat_unknown", Severity::Note, explanation, fix));
        examination.findings(lint::judge_client(client, None, facts));
        return Ok(());
    };
    let rest = Rest::new(outbound.clone(), &url);
    let public = match patiently(|| rest.version()).and_then(|version| Ok((version, public(&rest, name)?))) {
        Ok((version, public)) => {
            facts.version = Some(version);
            public
        }
        Err(error) => {
            let explanation = "The chat does not answer here, so its settings were not looked at.";
            let fix = "look whether this machine reaches the chat, or give a dump of its settings with --settings FILE";
            examination.find(Finding::new("chat_unreachable", Severity::Warning, explanation, fix).found(error.to_string()));
            examination.findings(lint::judge_client(client, Some(&url), facts));
            return Ok(());
        }
    };
    let (mut dump, shown) = public;
    if admin.is_named() {
        let session = admin.sign_in(rest)?;
        let full = session.act(everything);
        let roles = session.act(|rest| rest.get("roles.list", &[]));
        session.end();
        dump = full?;
        facts.roles = Some(names(&roles?));
        if dump.get(&format!("{CUSTOM}{name}-merge_roles")) == Some(&Value::Bool(true)) {
            // Without a licence it reads as off, whatever was set.
            facts.licensed = facts.licensed.or(Some(true));
        }
    }
    let version = facts.version.map_or_else(String::new, |(major, minor)| format!("{major}.{minor}"));
    let seen = dump.len();
    examination.did("chat", format!("version {version}, {seen} settings seen"), format!("версия {version}, видно настроек: {seen}"));
    facts.offered = Some(shown);
    let subject = Subject { dump: &dump, client, issuer: &instance.settings.issuer, facts };
    let findings = lint::judge(&subject);
    let connected = !findings.iter().any(|finding| finding.slug.starts_with("connector_"));
    examination.findings(findings);
    if !connected {
        return Ok(());
    }
    let place = silent::Place { chat_url: &url, name, version: facts.version, silently: subject.signs_in_silently() };
    silent::look(outbound, instance, &place, examination)
}

/// The public settings and the provider's public fields; whether the provider is shown at all.
fn public(rest: &Rest, name: &str) -> Result<(Dump, bool), RestError> {
    let mut dump = pages(rest, "settings.public")?;
    let services = patiently(|| rest.get("settings.oauth", &[]))?;
    let Some(service) = service(&services, name) else { return Ok((dump, false)) };
    let shown = catalogue::SHOWN.iter().filter_map(|(field, suffix)| Some((format!("{CUSTOM}{name}{suffix}"), service.get(field)?.clone())));
    dump.extend(shown.filter(|(_, value)| !value.is_null()));
    dump.insert(format!("{CUSTOM}{name}"), Value::Bool(true));
    Ok((dump, true))
}

fn everything(rest: &Rest) -> Result<Dump, RestError> {
    pages(rest, "settings")
}

fn pages(rest: &Rest, endpoint: &str) -> Result<Dump, RestError> {
    let mut dump = Dump::new();
    loop {
        let offset = dump.len().to_string();
        let page = patiently(|| rest.get(endpoint, &[("count", &PAGE.to_string()), ("offset", &offset)]))?;
        let settings = parse_dump(&page).map_err(|_| RestError::Garbage { status: 200 })?;
        let before = dump.len();
        dump.extend(settings);
        let total = page.get("total").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok()).unwrap_or_default();
        if dump.len() >= total || dump.len() == before {
            return Ok(dump);
        }
    }
}

fn names(roles: &Value) -> Vec<String> {
    let roles = roles.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    roles.iter().flat_map(|role| ["_id", "name"].map(|field| role.get(field).and_then(Value::as_str).map(str::to_owned))).flatten().collect()
}
