//! What is wrong with the settings of the Custom OAuth provider.

use super::lint::{Finding, Findings, Severity, Standing, Subject};
use super::{BUILTIN_ROLES, CUSTOM, RESERVED_CHANNELS, catalogue, channel_map, lint_paths, provider_name, service_key};
use serde_json::Value;

use Severity::{Error, Note, Warning};

/// The provider under inspection.
pub(super) struct Provider<'a> {
    pub(super) subject: &'a Subject<'a>,
    name: &'a str,
}

impl Provider<'_> {
    fn id(&self, suffix: &str) -> String {
        format!("{CUSTOM}{}{suffix}", self.name)
    }

    /// A setting that the dump holds.
    fn value(&self, suffix: &str) -> Option<(String, &Value)> {
        let id = self.id(suffix);
        let value = self.subject.dump.get(&id)?;
        Some((id, value))
    }

    pub(super) fn text(&self, suffix: &str) -> Option<(String, &str)> {
        let (id, value) = self.value(suffix)?;
        Some((id, value.as_str().unwrap_or_default()))
    }

    fn is_on(&self, suffix: &str) -> bool {
        self.value(suffix).is_some_and(|(_, value)| super::truthy(value))
    }
}

pub(super) fn judge(subject: &Subject<'_>, name: &str, standing: Standing, findings: &mut Findings) {
    let provider = Provider { subject, name };
    types(&provider, findings);
    enabled(&provider, standing, findings);
    lint_paths::judge(&provider, findings);
    sent_via(&provider, findings);
    credentials(&provider, findings);
    fields(&provider, findings);
    merging(&provider, findings);
    roles(&provider, findings);
    channels(&provider, findings);
}

/// No provider at all, or none that the chat offers.
pub(super) fn missing(subject: &Subject<'_>, name: Option<&str>, standing: Standing, findings: &mut Findings) {
    let hidden = subject.facts.offered == Some(false);
    // The public settings of a chat hold no provider.
    let absent = name.is_none() && subject.dump.keys().any(|id| id.starts_with("Accounts_OAuth_"));
    let said = findings.has(&["unlicensed_nine", "provider_disabled"]);
    if !(hidden || absent) || standing.dispensable || said {
        return;
    }
    if standing.gated {
        return unlicensed(subject, name, findings);
    }
    let explanation = "The chat offers no Custom OAuth provider that points here: its login page has no button. The provider is missing, switched \
                       off, or removed by a twin.";
    findings.push(Finding::new("provider_missing", Error, explanation, subject.command(name, "")));
}

fn unlicensed(subject: &Subject<'_>, name: Option<&str>, findings: &mut Findings) {
    let explanation = "From 9.0 on, Custom OAuth needs a licence with the module oauth-enterprise: the switch reads off, and the button is gone.";
    let command = subject.command(name, " --silent --without-provider");
    let fix = format!("stay on 8.x, buy the licence, or sign people in without a button: {command}");
    let russian = "С 9.0 Custom OAuth требует лицензии с модулем oauth-enterprise: переключатель читается как выключенный, кнопки нет.";
    let fix_in_russian = format!("останьтесь на 8.x, купите лицензию или впускайте людей без кнопки: {command}");
    findings.push(Finding::new("unlicensed_nine", Error, explanation, fix).in_russian(russian, fix_in_russian));
}

/// Twins in another case, invented ids, and a second provider that also points here.
pub(super) fn others(subject: &Subject<'_>, chosen: &str, names: &[String], findings: &mut Findings) {
    for name in names {
        if service_key(name) == service_key(chosen) && name != chosen {
            let id = format!("{CUSTOM}{name}");
            let value = subject.dump.iter().find(|(known, _)| **known == id || known.starts_with(&format!("{id}-"))).map(|(_, value)| value);
            let explanation = format!(
                "{CUSTOM}{name} stands beside {CUSTOM}{chosen}, and both are the service {}: whichever Rocket.Chat reads last wins, and a \
                 disabled twin removes the service.",
                service_key(chosen)
            );
            for id in subject.dump.keys().filter(|known| **known == id || known.starts_with(&format!("{id}-"))) {
                let found = subject.dump.get(id).or(value).unwrap_or(&Value::Null);
                findings.superfluous(
                    "lower_case_twin",
                    Error,
                    id,
                    found,
                    explanation.clone(),
                    format!("delete the setting {id} from the database of the chat"),
                );
            }
        } else if name != chosen && super::text(subject.dump, &format!("{CUSTOM}{name}-url")).trim_end_matches('/') == subject.issuer {
            let id = format!("{CUSTOM}{name}-url");
            let found = subject.dump.get(&id).unwrap_or(&Value::Null);
            let explanation =
                format!("The providers {chosen} and {name} both point here, with client ids of their own: one person becomes two accounts.");
            findings.wrong("two_providers", Warning, &id, found, "", explanation);
        }
    }
    if provider_name(chosen) != chosen && !names.contains(&provider_name(chosen)) {
        let id = format!("{CUSTOM}{chosen}");
        let explanation = "The ids are written in lower case: role mapping and the modern flow look for the capitalised name and never see them.";
        let fix = subject.command(Some(chosen), "");
        findings.superfluous("lower_case_name", Error, &id, subject.dump.get(&id).unwrap_or(&Value::Null), explanation, fix);
    }
    let prefix = format!("{CUSTOM}{chosen}");
    for (id, value) in subject.dump {
        let Some(suffix) = id.strip_prefix(&prefix).filter(|suffix| suffix.starts_with('-')) else { continue };
        if catalogue::known(suffix).is_some() {
            continue;
        }
        let meant = catalogue::meant(suffix).map(|meant| format!("{prefix}{meant}"));
        let explanation = "Rocket.Chat has no such setting and never reads it.";
        let fix = meant.map_or_else(|| format!("delete the setting {id}"), |meant| format!("delete the setting {id}; what is meant is {meant}"));
        findings.superfluous("invented_setting", Warning, id, value, explanation, fix);
    }
}

/// Booleans that came as text: `"false"` is true there.
fn types(provider: &Provider<'_>, findings: &mut Findings) {
    for known in catalogue::PROVIDER {
        let Some((id, value)) = provider.value(known.suffix) else { continue };
        match value {
            Value::String(text) if known.boolean => {
                let explanation = "A switch holds text, and every text but the empty one counts as on: \"false\", too.";
                findings.wrong("boolean_as_text", Error, &id, value, right_switch(known.suffix, text), explanation);
            }
            Value::Array(items) if !known.boolean => {
                let joined = items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
                findings.wrong("list_as_array", Error, &id, value, joined, "The setting wants text; a list is never read.");
            }
            _ => {}
        }
    }
}

/// What a switch should hold: as recommended, and as it was meant where both are right.
fn right_switch(suffix: &str, text: &str) -> bool {
    match suffix {
        "" | "-merge_users" | "-show_button" => true,
        "-map_channels" | "-merge_roles" => text == "true",
        _ => false,
    }
}

fn enabled(provider: &Provider<'_>, standing: Standing, findings: &mut Findings) {
    if standing.gated {
        unlicensed(provider.subject, Some(provider.name), findings);
    } else if let Some((id, Value::Bool(false))) = provider.value("")
        && !standing.dispensable
    {
        findings.wrong("provider_disabled", Error, &id, &Value::Bool(false), true, "The provider is switched off: the login page has no button.");
    }
    if let Some((id, Value::Bool(false))) = provider.value("-show_button") {
        findings.wrong("button_hidden", Warning, &id, &Value::Bool(false), true, "The button is hidden, so nobody finds the way in.");
    }
}

/// How credentials and tokens travel.
fn sent_via(provider: &Provider<'_>, findings: &mut Findings) {
    if let Some((id, via)) = provider.text("-token_sent_via")
        && via != "payload"
    {
        let explanation = if via == "header" {
            "The client's credentials go by header in the legacy flow and by body in the modern one: after the switch the same client behaves differently."
        } else {
            "The value is none of Rocket.Chat's choices."
        };
        findings.wrong("token_sent_via", Warning, &id, &Value::from(via), "payload", explanation);
    }
    if let Some((id, via)) = provider.text("-identity_token_sent_via") {
        let by_header =
            via == "header" || (matches!(via, "default" | "") && provider.text("-token_sent_via").is_some_and(|(_, via)| via == "header"));
        if !by_header {
            let explanation = "The access token travels in the query string, where logs and proxies keep it.";
            findings.wrong("identity_token_in_query", Warning, &id, &Value::from(via), "header", explanation);
        }
    }
    if let Some((id, name)) = provider.text("-access_token_param")
        && name != "access_token"
    {
        let explanation = "In the query string the token has a name that this server does not read.";
        findings.wrong("access_token_param", Warning, &id, &Value::from(name), "access_token", explanation);
    }
}

fn credentials(provider: &Provider<'_>, findings: &mut Findings) {
    let client = provider.subject.client;
    if let Some((id, found)) = provider.text("-id")
        && found != client.id()
    {
        let explanation = "The chat uses another client id than the one that is registered for it.";
        findings.wrong("client_id_mismatch", Error, &id, &Value::from(found), client.id(), explanation);
    }
    if let Some((id, secret)) = provider.text("-secret") {
        let rotate = provider.subject.command(Some(provider.name), " --rotate-secret");
        let say = |slug, explanation: &str| Finding { setting: Some(id.clone()), ..Finding::new(slug, Error, explanation, rotate.clone()) };
        // A chat that hides its secrets answers with a row of asterisks or with nothing to read.
        let hidden = !secret.is_empty() && secret.bytes().all(|byte| byte == b'*');
        let works = client.client.secrets.iter().any(|known| known.hash.matches(secret));
        if secret.is_empty() {
            findings.push(say("secret_missing", "The chat has no secret: the token request is refused with invalid_client."));
        } else if !works && client.client.secrets.iter().any(|known| known.hash.matches(secret.trim())) {
            findings.push(say("secret_whitespace", "White space was pasted with the secret: the token request is refused with invalid_client."));
        } else if !works && !hidden && !client.client.secrets.is_empty() {
            findings.push(say("secret_wrong", "The chat's secret is none of the client's: the token request is refused with invalid_client."));
        }
    }
    if let Some((id, scope)) = provider.text("-scope") {
        let asked: Vec<&str> = scope.split_whitespace().collect();
        let allowed = &client.client.settings.scopes;
        let right = "openid profile email roles";
        if !asked.contains(&"openid") {
            let explanation = "The scope lacks openid, so the identity path refuses the token.";
            findings.wrong("scope_without_openid", Error, &id, &Value::from(scope), right, explanation);
        } else if let Some(refused) = asked.iter().find(|scope| !allowed.contains(scope)) {
            let explanation = format!("The client may not ask for {refused}, so every sign-in is refused with invalid_scope.");
            findings.wrong("scope_not_allowed", Error, &id, &Value::from(scope), right, explanation);
        }
    }
}

fn fields(provider: &Provider<'_>, findings: &mut Findings) {
    if let Some((id, field)) = provider.text("-username_field") {
        let found = Value::from(field);
        if field.is_empty() {
            let explanation = "No username is taken over: everybody is asked to choose one at the first sign-in.";
            findings.wrong("username_field", Warning, &id, &found, "preferred_username", explanation);
        } else if field != "preferred_username" {
            let explanation =
                "The username comes from a field that is not told, or changes: a sign-in without it fails with \"Failed to extract username\".";
            findings.wrong("username_field", Error, &id, &found, "preferred_username", explanation);
        }
    }
    if let Some((id, field)) = provider.text("-email_field")
        && !field.is_empty()
    {
        let explanation =
            "Whoever has no verified address cannot sign in: \"Failed to extract email\". Empty, the claim email is used where it is told.";
        findings.wrong("email_field_set", Error, &id, &Value::from(field), "", explanation);
    }
    if let Some((id, field)) = provider.text("-name_field")
        && !matches!(field, "name" | "")
    {
        findings.wrong(
            "name_field",
            Warning,
            &id,
            &Value::from(field),
            "name",
            "The name comes from a field that is not told: usernames stand in its place.",
        );
    }
    if let Some((id, field)) = provider.text("-key_field")
        && field != "username"
    {
        let explanation =
            "Accounts are matched by address: whoever changes it becomes somebody else, and whoever takes an old one over becomes its owner.";
        findings.wrong("key_field", Warning, &id, &Value::from(field), "username", explanation);
    }
}

fn merging(provider: &Provider<'_>, findings: &mut Findings) {
    if let Some((id, Value::Bool(false))) = provider.value("-merge_users") {
        let explanation = "Merge users is off: whoever changes name or address here is locked out there, \"User with username … already exists\".";
        findings.wrong("merge_users_off", Error, &id, &Value::Bool(false), true, explanation);
    }
    if let Some((id, Value::Bool(true))) = provider.value("-merge_users_distinct_services") {
        let explanation = "Any account of the same username is taken over, whichever service it came from: right while accounts are being moved, and a \
                           danger afterwards.";
        findings.wrong("distinct_services_on", Warning, &id, &Value::Bool(true), false, explanation);
    }
}

fn roles(provider: &Provider<'_>, findings: &mut Findings) {
    if let Some((id, claim)) = provider.text("-roles_claim")
        && claim != "roles"
    {
        let explanation = "The roles are looked for under a name that is not told: they count as none, and every role to sync is taken away.";
        findings.wrong("roles_claim_wrong", Error, &id, &Value::from(claim), "roles", explanation);
    }
    if let Some((id, claim)) = provider.text("-groups_claim")
        && claim != "groups"
    {
        findings.wrong("groups_claim_wrong", Warning, &id, &Value::from(claim), "groups", "The groups are looked for under a name that is not told.");
    }
    let Some((id, to_sync)) = provider.text("-roles_to_sync") else { return };
    let (found, merge) = (Value::from(to_sync), provider.is_on("-merge_roles"));
    let right = super::settings::roles_to_sync(&provider.subject.client.role_map);
    let listed: Vec<&str> = to_sync.split(',').map(str::trim).filter(|role| !role.is_empty()).collect();
    if merge && provider.subject.facts.licensed == Some(false) {
        let explanation = "Roles from the identity need a licence: without it the switch has no effect. The connector keeps roles right without one.";
        findings.wrong("roles_need_licence", Note, &provider.id("-merge_roles"), &Value::Bool(true), false, explanation);
    }
    if merge && listed.is_empty() {
        let explanation = "Merge roles is on, and the list of roles to sync is empty: nothing is ever given or taken.";
        findings.wrong("roles_to_sync_empty", Warning, &id, &found, right, explanation);
    } else if listed.contains(&"user") {
        let explanation = "The role user is to be synchronised: whoever is not told it loses it, and with it the right to write.";
        findings.wrong("roles_to_sync_user", Warning, &id, &found, right, explanation);
    } else if listed.iter().any(|role| role.contains(' ') || role.starts_with('[')) {
        let explanation = "The roles to sync are separated by commas; this names a single role that does not exist.";
        findings.wrong("roles_to_sync_form", Warning, &id, &found, right, explanation);
    } else if let Some(known) = &provider.subject.facts.roles
        && let Some(unknown) = listed.iter().find(|role| !BUILTIN_ROLES.contains(role) && !known.iter().any(|known| known == *role))
    {
        let rest: Vec<&str> = listed.iter().copied().filter(|role| role != unknown).collect();
        let explanation = format!("The chat has no role {unknown}: it is ignored.");
        findings.wrong("roles_to_sync_unknown", Note, &id, &found, rest.join(","), explanation);
    }
}

fn channels(provider: &Provider<'_>, findings: &mut Findings) {
    if let Some((id, admin)) = provider.text("-channels_admin")
        && (admin.contains([',', ' ']) || admin.is_empty())
    {
        let explanation = "The owner of new channels is one username; a list of roles names nobody, and no channel is made.";
        findings.wrong("channels_admin_list", Warning, &id, &Value::from(admin), "rocket.cat", explanation);
    }
    let Some((id, map)) = provider.text("-groups_channel_map") else { return };
    let (found, used) = (Value::from(map), provider.is_on("-map_channels"));
    match channel_map(map) {
        None => findings.wrong(
            "channel_map_invalid",
            if used { Error } else { Warning },
            &id,
            &found,
            "{}",
            "The channel map is no JSON object, so nothing is mapped.",
        ),
        Some(map) if used && map.iter().any(|(group, _)| group == "rocket-admin" || group == "tech-support") => {
            let explanation = "The channel map is the sample that Rocket.Chat comes with: its channels are made at the first sign-in of anybody.";
            findings.wrong("channel_map_sample", Warning, &id, &found, "{}", explanation);
        }
        Some(map) => {
            if let Some(reserved) = map.iter().flat_map(|(_, channels)| channels).find(|channel| RESERVED_CHANNELS.contains(&channel.as_str())) {
                let explanation = format!("The channel map names {reserved}, which Rocket.Chat keeps for itself.");
                // The sample map names the channel admin and does nothing while mapping is off.
                if used {
                    findings.wrong("channel_reserved", Warning, &id, &found, "{}", explanation);
                }
            }
        }
    }
}
