//! What is wrong with the client here, before the chat is looked at.

use super::lint::{Facts, Finding, Findings, Severity};
use super::settings::{name_for, redirect_uri as redirect_uri_of};
use super::{BUILTIN_ROLES, RESERVED_CHANNELS};
use crate::client::RegisteredClient;
use crate::client_auth::shell_quoted;
use serde_json::Value;

pub(super) fn judge(client: &RegisteredClient, chat_url: Option<&str>, facts: &Facts, findings: &mut Findings) {
    registration(client, findings);
    redirect_uri(client, chat_url, findings);
    role_map(client, facts, findings);
}

fn registration(client: &RegisteredClient, findings: &mut Findings) {
    let (id, settings) = (client.id(), &client.client.settings);
    let mut say = |slug, severity, explanation: &str, fix: String| findings.push(Finding::new(slug, severity, explanation, fix));
    if client.client.disabled {
        say(
            "client_disabled",
            Severity::Error,
            "The client is switched off here, so every sign-in is refused.",
            format!("propusk client set {id} --enable"),
        );
    }
    if settings.public {
        let explanation = "The client has no secret here, and Rocket.Chat always sends one.";
        say("client_public", Severity::Error, explanation, format!("register {id} anew with --preset rocket-chat"));
    }
    if settings.require_pkce {
        let explanation = "The client must send a PKCE challenge, and neither the legacy flow nor the mobile app does.";
        say("client_requires_pkce", Severity::Error, explanation, format!("propusk client set {id} --require-pkce off"));
    }
    if !client.client.first_party {
        let explanation = "Consent is asked at the first sign-in: a silent one stops at the question.";
        say("client_asks_consent", Severity::Warning, explanation, format!("propusk client set {id} --first-party"));
    }
    if !settings.rocket_chat {
        let explanation = "The client is not told what Rocket.Chat needs: addresses are told even when nobody has verified them, and Rocket.Chat takes \
                           every address for verified.";
        say("client_not_rocket_chat", Severity::Error, explanation, format!("register {id} anew with --preset rocket-chat"));
    }
    if !settings.scopes.contains("openid") {
        let explanation = "The client may not ask for openid, without which the identity path answers nothing.";
        say("client_scope", Severity::Error, explanation, format!("propusk client set {id} --add-scope openid"));
    }
}

fn redirect_uri(client: &RegisteredClient, chat_url: Option<&str>, findings: &mut Findings) {
    let (Some(chat_url), uris) = (chat_url, &client.client.settings.redirect_uris) else { return };
    let prefix = format!("{}/_oauth/", chat_url.trim_end_matches('/'));
    if uris.iter().any(|uri| uri.starts_with(&prefix)) {
        return;
    }
    let explanation = format!(
        "No redirect URI of the client begins with {prefix}: the chat's sign-ins are refused with redirect_uri_mismatch. Scheme, host and port \
         must be those that the chat has as its Site_Url."
    );
    let right = redirect_uri_of(chat_url, &name_for(client, chat_url));
    let fix = format!("propusk client set {} --add-redirect-uri {}", client.id(), shell_quoted(&right));
    findings.push(Finding::new("redirect_uri_not_registered", Severity::Error, explanation, fix).found(uris.join(" ")).expected(right));
}

fn role_map(client: &RegisteredClient, facts: &Facts, findings: &mut Findings) {
    let map = &client.role_map;
    if map.identity || map.roles.is_empty() {
        let explanation = "The role map tells no roles of the chat: it passes the site's own roles on, which Rocket.Chat does not know.";
        let fix = format!("propusk client set {} --role-map rocket-chat", client.id());
        findings.push(Finding::new("role_map_not_of_chat", Severity::Warning, explanation, fix).found(map.name.as_str()));
        return;
    }
    for (role, told) in &map.roles {
        if role != "owner" && told.iter().any(|role| role == "admin") {
            let explanation = format!(
                "The role map gives everybody who is {role} the chat's role admin: full administration with all its settings. That is the documented \
                 mapping; if it is more than you want, map {role} to moderator."
            );
            let fix = format!("propusk apply FILE, with [role_maps.{}.roles] {role} = [\"moderator\"] beside its other lines", map.name);
            let russian = format!(
                "Карта ролей даёт каждому, у кого роль {role}, роль admin в чате: полную администрацию со всеми настройками. Это документированное \
                 соответствие; если это слишком много, сопоставьте {role} с moderator."
            );
            let fix_in_russian =
                format!("propusk apply FILE, где в [role_maps.{}.roles] рядом с прочими строками {role} = [\"moderator\"]", map.name);
            let finding = Finding::new("role_map_gives_admin", Severity::Note, explanation, fix).in_russian(russian, fix_in_russian);
            findings.push(finding.found(told.join(" ")).expected("moderator"));
        }
    }
    if let Some(known) = &facts.roles {
        let unknown = |role: &&String| !known.contains(role) && !BUILTIN_ROLES.contains(&role.as_str());
        let mut missing: Vec<&str> = map.roles.values().flatten().filter(unknown).map(String::as_str).collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            let explanation = "Rocket.Chat silently ignores roles that it does not have, and making one needs a licence.";
            let fix = format!("make the role in the chat (Administration, Permissions), or take it out of the role map {}", map.name);
            findings.push(Finding::new("role_unknown_in_chat", Severity::Note, explanation, fix).found(missing.join(" ")));
        }
    }
    let reserved: Vec<&str> = map.groups.values().flatten().map(String::as_str).filter(|group| RESERVED_CHANNELS.contains(group)).collect();
    if !reserved.is_empty() {
        let explanation = "The role map names a group that can never be a channel: Rocket.Chat keeps the name for itself.";
        let fix = format!("rename the group in the role map {}", map.name);
        findings.push(Finding::new("group_reserved", Severity::Warning, explanation, fix).found(Value::from(reserved)));
    }
}
