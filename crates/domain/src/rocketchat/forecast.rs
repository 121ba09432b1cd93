//! The chat user that would result from what a person's client is told: the first sign-in of somebody whom the chat does not know.

use super::expression::first_capture;
use super::lint::Facts;
use super::{BUILTIN_ROLES, CUSTOM, Dump, channel_map, text, truthy};
use serde::Serialize;
use serde_json::{Map, Value};

/// Roles that identity providers add for themselves; Rocket.Chat drops them.
const IGNORED_ROLES: [&str; 2] = ["offline_access", "uma_authorization"];

/// Where Rocket.Chat looks for a name when the configured field yields none.
const NAME_FALLBACKS: [&str; 7] = ["name", "username", "nickname", "CharacterName", "userName", "preferred_username", "user.name"];

/// How the sign-in would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Signed in.
    In,
    /// Signed in, and asked to choose a username first.
    NeedsUsername,
    /// Not signed in.
    Refused,
}

/// A role that is told and not given, or not told and taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// The role.
    pub role: String,
    /// Why.
    pub reason: String,
}

/// The account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// How it ends.
    pub login: Ending,
    /// Why it was refused, in Rocket.Chat's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `services.<key>.id`, by which the person is recognised.
    pub id: Option<String>,
    /// `username`.
    pub username: Option<String>,
    /// `name`.
    pub name: Option<String>,
    /// Addresses; Rocket.Chat takes every one for verified.
    pub emails: Vec<String>,
    /// Roles that the account has.
    pub roles: Vec<String>,
    /// Roles that it has not, with the reason.
    pub roles_dropped: Vec<Dropped>,
    /// Channels that it joins.
    pub channels: Vec<String>,
    /// Channels that are made by the way.
    pub channels_created: Vec<String>,
    /// What else will be noticed.
    pub notes: Vec<String>,
}

/// What becomes of `claims` with the provider `name` of these settings. `channels` are those that exist already, `general` among them.
pub fn forecast(claims: &Map<String, Value>, dump: &Dump, name: &str, facts: &Facts, channels: &[&str]) -> Forecast {
    let provider = Provider { dump, name, facts };
    let mut forecast = match provider.normalize(claims) {
        Ok(identity) => provider.account(&identity, channels),
        Err(error) => Forecast::refused(error),
    };
    if provider.is_gated() {
        forecast = Forecast::refused("Custom OAuth needs a licence from 9.0 on".to_owned());
    }
    forecast
}

impl Forecast {
    fn refused(error: String) -> Self {
        Self {
            login: Ending::Refused,
            error: Some(error),
            id: None,
            username: None,
            name: None,
            emails: Vec::new(),
            roles: Vec::new(),
            roles_dropped: Vec::new(),
            channels: Vec::new(),
            channels_created: Vec::new(),
            notes: Vec::new(),
        }
    }
}

struct Provider<'a> {
    dump: &'a Dump,
    name: &'a str,
    facts: &'a Facts,
}

impl Provider<'_> {
    fn text(&self, suffix: &str) -> &str {
        text(self.dump, &format!("{CUSTOM}{}-{suffix}", self.name))
    }

    /// The licensed switches count only with a licence.
    fn licensed_switch(&self, suffix: &str) -> bool {
        let on = self.dump.get(&format!("{CUSTOM}{}-{suffix}", self.name)).is_some_and(truthy);
        on && self.facts.licensed == Some(true)
    }

    fn is_gated(&self) -> bool {
        self.facts.version.is_some_and(|(major, _)| major >= 9) && self.facts.licensed != Some(true)
    }

    /// The identity with `id`, `username`, `email` and `name` derived, dots in names replaced.
    fn normalize(&self, claims: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let mut identity = with_id(claims.clone());
        if !identity.get("email").is_some_and(truthy)
            && let Some(address) = path(&identity, "emails.0.address").cloned()
        {
            identity.insert("email".to_owned(), address);
        }
        for field in ["username", "email"] {
            let template = self.text(&format!("{field}_field"));
            if !template.is_empty() {
                let value = fill(template, &identity)?.ok_or_else(|| format!("CustomOAuth: Failed to extract {field}"))?;
                identity.insert(field.to_owned(), value);
            }
        }
        let template = self.text("name_field");
        let configured = if template.is_empty() { None } else { fill(template, &identity)? };
        let name = configured.or_else(|| NAME_FALLBACKS.iter().filter_map(|field| path(&identity, field)).find(|value| truthy(value)).cloned());
        identity.extend(name.map(|name| ("name".to_owned(), name)));
        Ok(identity.into_iter().map(|(name, value)| (name.replace('.', "_"), value)).collect())
    }

    fn account(&self, identity: &Map<String, Value>, channels: &[&str]) -> Forecast {
        let told = |name: &str| identity.get(name).filter(|value| truthy(value)).map(as_text);
        let Some(id) = told("id") else {
            return Forecast::refused(format!("Service data for service {} must include id", super::service_key(self.name)));
        };
        if self.dump.get("Accounts_Registration_AuthenticationServices_Enabled") == Some(&Value::Bool(false)) {
            return Forecast::refused("registration-disabled-authentication-services".to_owned());
        }
        let email = told("email");
        if !self.domain_allowed(email.as_deref()) {
            return Forecast::refused("error-invalid-domain".to_owned());
        }
        let username = told("username").filter(|_| !self.text("username_field").is_empty());
        let mut forecast = Forecast { login: Ending::In, error: None, id: Some(id), name: told("name"), ..Forecast::refused(String::new()) };
        forecast
            .channels
            .extend(username.iter().flat_map(|_| channels.iter().filter(|channel| **channel == "general")).map(|name| (*name).to_owned()));
        if email.is_none() {
            forecast.notes.push("no address is told: nobody here has verified one".to_owned());
        }
        forecast.emails.extend(email);
        self.map_roles(identity, &mut forecast);
        self.map_channels(identity, channels, &mut forecast);
        forecast.login = self.ending(username.is_some(), &mut forecast);
        forecast.username = username;
        forecast
    }

    fn ending(&self, named: bool, forecast: &mut Forecast) -> Ending {
        let on = |id: &str| self.dump.get(id).is_some_and(truthy);
        if on("Accounts_ManuallyApproveNewUsers") {
            forecast.error = Some("error-user-is-not-activated".to_owned());
            return Ending::Refused;
        }
        if on("Accounts_twoFactorAuthentication_email_available_for_OAuth_users") && !forecast.emails.is_empty() {
            forecast.notes.push("after half an hour a code by e-mail is asked for at every sign-in".to_owned());
        }
        if named { Ending::In } else { Ending::NeedsUsername }
    }

    fn domain_allowed(&self, email: Option<&str>) -> bool {
        let list = text(self.dump, "Accounts_AllowedDomainsList");
        let mut allowed = list.split(',').map(str::trim).filter(|domain| !domain.is_empty()).peekable();
        let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain.to_lowercase());
        allowed.peek().is_none() || domain.is_some_and(|domain| allowed.any(|allowed| allowed == domain))
    }

    fn map_roles(&self, identity: &Map<String, Value>, forecast: &mut Forecast) {
        let defaults = self.dump.get("Accounts_Registration_AuthenticationServices_Default_Roles").and_then(Value::as_str).unwrap_or("user");
        forecast.roles = words(defaults);
        let claim = identity.get(self.text("roles_claim"));
        let told: Vec<String> =
            claim.and_then(Value::as_array).map(|items| items.iter().filter_map(Value::as_str).map(str::to_owned).collect()).unwrap_or_default();
        let exists =
            |role: &str| BUILTIN_ROLES.contains(&role) || self.facts.roles.as_ref().is_some_and(|known| known.iter().any(|known| known == role));
        let switched_on = self.licensed_switch("merge_roles");
        let allowed = words(self.text("roles_to_sync"));
        if claim.is_some_and(|claim| !claim.is_array()) {
            forecast.notes.push("the roles are no array, so Rocket.Chat counts them as none".to_owned());
        }
        let ignored = |role: &str| IGNORED_ROLES.contains(&role);
        for role in &told {
            let reason = match () {
                () if self.facts.licensed != Some(true) => "roles from the identity need a licence; the connector gives them without one",
                () if !switched_on => "merge_roles is off",
                () if ignored(role) => "Rocket.Chat ignores this role",
                () if !exists(role) => "the chat has no such role",
                () if !allowed.contains(role) => "it is not among roles_to_sync",
                () => {
                    if !forecast.roles.contains(role) {
                        forecast.roles.push(role.clone());
                    }
                    continue;
                }
            };
            if !forecast.roles.contains(role) {
                forecast.roles_dropped.push(Dropped { role: role.clone(), reason: reason.to_owned() });
            }
        }
        if switched_on {
            let taken = |role: &String| exists(role) && allowed.contains(role) && (!told.contains(role) || ignored(role));
            let (gone, kept) = std::mem::take(&mut forecast.roles).into_iter().partition(taken);
            forecast.roles = kept;
            let gone: Vec<String> = gone;
            forecast.roles_dropped.extend(gone.into_iter().map(|role| Dropped { role, reason: "it is among roles_to_sync and not told".to_owned() }));
        }
    }

    fn map_channels(&self, identity: &Map<String, Value>, existing: &[&str], forecast: &mut Forecast) {
        let Some(map) = channel_map(self.text("groups_channel_map")).filter(|_| self.licensed_switch("map_channels")) else { return };
        let groups = identity.get(self.text("groups_claim")).and_then(Value::as_array);
        let told = |group: &str| groups.is_some_and(|groups| groups.iter().any(|told| told == group));
        for (group, channels) in map {
            for channel in channels {
                if !existing.contains(&channel.as_str()) && !forecast.channels_created.contains(&channel) {
                    forecast.channels_created.push(channel.clone());
                }
                if told(&group) && !forecast.channels.contains(&channel) {
                    forecast.channels.push(channel);
                }
            }
        }
    }
}

/// Rocket.Chat's rules for the identifier: each fires only while there is none.
fn with_id(mut identity: Map<String, Value>) -> Map<String, Value> {
    const RULES: [(&str, &[(&str, &str)]); 12] = [
        ("ID", &[]),
        ("user_id", &[]),
        ("CharacterID", &[]),
        ("user.userid_sec.0", &[("email", "user.email")]),
        ("user.userid", &[("email", "user.email")]),
        ("user.user_id", &[("email", "user.user_email")]),
        ("phid", &[]),
        ("sub", &[]),
        ("metadata.uid", &[("name", "fullName")]),
        ("userid", &[]),
        ("ocs.data.id", &[("name", "ocs.data.displayname"), ("email", "ocs.data.email")]),
        ("", &[]),
    ];
    take_id(&mut identity, "_id", &[]);
    if let Some(Value::Object(result)) = identity.get("result") {
        identity = result.clone();
    }
    for (source, with) in RULES {
        take_id(&mut identity, source, with);
    }
    identity
}

fn take_id(identity: &mut Map<String, Value>, source: &str, with: &[(&str, &str)]) {
    if identity.get("id").is_some_and(truthy) {
        return;
    }
    let Some(id) = path(identity, source).filter(|id| truthy(id)).cloned() else { return };
    identity.insert("id".to_owned(), id);
    for (target, source) in with {
        match path(identity, source).cloned() {
            Some(value) => identity.insert((*target).to_owned(), value),
            None => identity.remove(*target),
        };
    }
}

/// A field setting: a dotted path, or text with `{{path}}`. `None` when nothing comes of it.
fn fill(template: &str, identity: &Map<String, Value>) -> Result<Option<Value>, String> {
    if !template.contains("{{") {
        return Ok(path(identity, template).filter(|value| truthy(value)).cloned());
    }
    let (mut filled, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((placeholder, after)) = after.split_once("}}") else { break };
        filled.push_str(before);
        filled.push_str(&fill_one(placeholder, identity)?.unwrap_or_else(|| "undefined".to_owned()));
        rest = after;
    }
    filled.push_str(rest);
    Ok((!filled.is_empty()).then_some(Value::from(filled)))
}

/// What a placeholder stands for: a dotted path, or `/expression/::path`.
fn fill_one(placeholder: &str, identity: &Map<String, Value>) -> Result<Option<String>, String> {
    let Some((expression, dotted)) = split_expression(placeholder) else {
        return Ok(path(identity, placeholder).filter(|value| !value.is_null()).map(as_text));
    };
    // An expression that cannot be evaluated ends every sign-in, also of those who lack the claim.
    let value = path(identity, dotted).map(as_text);
    first_capture(expression, value.as_deref().unwrap_or_default()).map(|found| value.and(found))
}

/// The two parts, parted where `/^\/((?!\/::).*)\/::(.+)/` parts them: at the last place that leaves a path.
fn split_expression(placeholder: &str) -> Option<(&str, &str)> {
    let inside = placeholder.strip_prefix('/').filter(|inside| !inside.starts_with("/::"))?;
    inside.rmatch_indices("/::").map(|(at, separator)| (inside.get(..at), inside.get(at + separator.len()..))).find_map(|parts| match parts {
        (Some(expression), Some(dotted)) if !dotted.is_empty() => Some((expression, dotted)),
        _ => None,
    })
}

/// A member by dotted path; numbers index arrays.
fn path<'a>(identity: &'a Map<String, Value>, dotted: &str) -> Option<&'a Value> {
    let mut names = dotted.split('.');
    let first = identity.get(names.next()?)?;
    names.try_fold(first, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    })
}

/// JavaScript's `String(value)`.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => "[object Object]".to_owned(),
        Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn words(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
