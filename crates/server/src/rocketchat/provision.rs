//! Brings a chat's settings into the recommended state: look, change what differs, look again.

use super::rest::{Rest, RestError};
use propusk_domain::rocketchat::settings::Setting;
use propusk_domain::rocketchat::{CUSTOM, catalogue, service_key};
use serde_json::{Value, json};
use std::time::Duration;

/// How often a request that the chat asks to delay is repeated.
const PATIENCE: usize = 5;

/// The longest delay that is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// How often the public list of services is read until it shows the new settings: the chat gathers changes for a while.
const LOOKS: usize = 20;

/// The time between two such looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// A setting that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it should be.
    pub setting: Setting,
    /// What it is; `None` when the chat does not have it yet.
    pub from: Option<Value>,
}

/// What would be done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The provider has to be made first.
    pub add_provider: bool,
    /// What differs, in the order of doing.
    pub changes: Vec<Change>,
    /// Settings that this version does not have.
    pub absent: Vec<String>,
    /// The secret that the chat holds now, for a check; never shown.
    secret: Option<String>,
}

impl Plan {
    /// Whether nothing needs to be done.
    pub fn is_empty(&self) -> bool {
        !self.add_provider && self.changes.is_empty()
    }

    /// The same, or, when nothing differs, one of the settings as it already is: a chat that refuses changes refuses that, too.
    #[must_use]
    pub fn or_any_of(mut self, settings: &[Setting]) -> Self {
        if self.is_empty() {
            let any = settings.iter().find(|setting| !setting.optional && !self.absent.contains(&setting.id));
            self.changes.extend(any.map(|setting| Change { setting: setting.clone(), from: Some(setting.value.clone()) }));
        }
        self
    }

    /// The secret that the chat will have if the plan leaves it alone.
    pub fn kept_secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }
}

/// A field of the public list of services that is not as it was set.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// The field, or `service` when the service is missing altogether.
    pub field: String,
    /// What the chat shows.
    pub found: Value,
    /// What it should show.
    pub expected: Value,
}

/// Compares every setting with the chat's (permission `view-privileged-setting`).
pub fn plan(rest: &Rest, name: &str, settings: &[Setting]) -> Result<Plan, RestError> {
    let provider = format!("{CUSTOM}{name}");
    let wants_provider = settings.iter().any(|setting| setting.id == provider);
    let mut plan = Plan { add_provider: wants_provider && current(rest, &provider)?.is_none(), ..Plan::default() };
    for setting in settings {
        let ours = setting.id.starts_with(&provider);
        let from = if ours && plan.add_provider { None } else { current(rest, &setting.id)? };
        match from {
            Some(value) if value == setting.value => {}
            None if !ours => plan.absent.push(setting.id.clone()),
            from => plan.changes.push(Change { setting: setting.clone(), from }),
        }
    }
    if wants_provider && !plan.add_provider {
        plan.secret = current(rest, &format!("{provider}-secret"))?.and_then(|secret| secret.as_str().map(str::to_owned));
    }
    Ok(plan)
}

/// Makes the changes (permissions `add-oauth-service` and `edit-privileged-setting`, second factor): one request from 8.6 on, one a setting
/// before. Repeating it after an interruption does the rest.
pub fn execute(rest: &Rest, name: &str, plan: &Plan) -> Result<(), RestError> {
    if plan.add_provider {
        patiently(|| rest.post("settings.addCustomOAuth", &json!({ "name": name })))?;
    }
    if plan.changes.is_empty() {
        return Ok(());
    }
    let all: Vec<Value> = plan.changes.iter().map(|change| json!({ "_id": change.setting.id, "value": change.setting.value })).collect();
    match patiently(|| rest.post("settings", &json!({ "settings": all }))) {
        // Before 8.6 there is no such endpoint, and one wrong setting spoils all: then each goes by itself and is named.
        Err(RestError::NotFound | RestError::Refused { .. }) => {}
        done => return done.map(drop),
    }
    for change in &plan.changes {
        let id = &change.setting.id;
        patiently(|| rest.post(&format!("settings/{id}"), &json!({ "value": change.setting.value }))).map_err(|error| match error {
            RestError::Refused { error, error_type } => RestError::Refused { error: format!("{id}: {error}"), error_type },
            other => other,
        })?;
    }
    Ok(())
}

/// Looks at the public list of services until it shows what was set; what still differs at the end.
pub fn verify(anonymous: &Rest, name: &str, settings: &[Setting]) -> Result<Vec<Mismatch>, RestError> {
    let mut mismatches = Vec::new();
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let answer = patiently(|| anonymous.get("settings.oauth", &[]))?;
        mismatches = compare(&answer, name, settings);
        if mismatches.is_empty() {
            break;
        }
    }
    Ok(mismatches)
}

/// The fields that `settings.oauth` shows, against the settings. Fields that a version does not show, or shows right only with
/// a licence, are not compared.
pub fn compare(services: &Value, name: &str, settings: &[Setting]) -> Vec<Mismatch> {
    let Some(service) = service(services, name) else {
        return vec![Mismatch { field: "service".to_owned(), found: Value::Null, expected: service_key(name).into() }];
    };
    let differs = |(field, suffix): &(&str, &str)| {
        let found = service.get(*field)?;
        let expected = &settings.iter().find(|setting| setting.id == format!("{CUSTOM}{name}{suffix}"))?.value;
        (found != expected).then(|| Mismatch { field: (*field).to_owned(), found: found.clone(), expected: expected.clone() })
    };
    catalogue::SHOWN.iter().filter(|(_, suffix)| !catalogue::LICENSED.contains(suffix)).filter_map(differs).collect()
}

/// The entry of a provider in the answer of `settings.oauth`.
pub fn service<'a>(services: &'a Value, name: &str) -> Option<&'a Value> {
    let key = service_key(name);
    let is_ours = |service: &&Value| ["service", "name"].iter().any(|field| service.get(field).and_then(Value::as_str) == Some(&key));
    services.get("services")?.as_array()?.iter().find(is_ours)
}

/// The value of a setting; `None` when there is no such setting.
fn current(rest: &Rest, id: &str) -> Result<Option<Value>, RestError> {
    match patiently(|| rest.get(&format!("settings/{id}"), &[])) {
        Ok(answer) => Ok(answer.get("value").cloned()),
        Err(RestError::NotFound | RestError::Refused { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Repeats a request as long as the chat asks for patience.
pub fn patiently<T>(request: impl Fn() -> Result<T, RestError>) -> Result<T, RestError> {
    for _ in 0..PATIENCE {
        match request() {
            Err(RestError::RateLimited { retry_after }) if retry_after <= LONGEST_WAIT => std::thread::sleep(retry_after),
            other => return other,
        }
    }
    request()
}
