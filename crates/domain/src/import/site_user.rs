//! A person as the site knows them.

use super::Finding;
use super::record::{Record, is_sound_key};
use crate::error::Fault;
use crate::time::UnixTime;
use crate::user::{MAX_SIGN_IN_NAME, is_valid_sign_in_name};
use propusk_crypto::foreign::judge;
use propusk_crypto::{Judged, digest};
use propusk_protocol::StandardClaims;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What becomes the person's `sub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubChoice {
    /// The primary key: what the identity endpoints of Django sites answer.
    Key,
    /// The name at the site.
    Username,
    /// Another column.
    Field(String),
    /// A new random one.
    New,
}

impl SubChoice {
    /// `pk`, `username`, `new`, or the name of a column.
    pub fn parse(text: &str) -> Self {
        match text {
            "pk" => Self::Key,
            "username" => Self::Username,
            "new" => Self::New,
            field => Self::Field(field.to_owned()),
        }
    }
}

/// What the operator has chosen for people.
#[derive(Debug, Clone)]
pub struct Choices {
    /// What becomes the `sub`.
    pub sub: SubChoice,
    /// The column with the role.
    pub role_field: String,
    /// Role of the site (or `group:NAME`, `is_superuser`, `is_staff`) → role here; the first that applies decides.
    pub role_map: Vec<(String, String)>,
    /// Whether the site is known to have verified its addresses.
    pub emails_verified: bool,
    /// The roles that exist here.
    pub roles: Vec<String>,
}

/// A person to be taken over.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteUser {
    /// The model.
    pub model: String,
    /// The primary key.
    pub key: String,
    /// The name with which they sign in.
    pub name: String,
    /// The `sub`, unless it is to be a new one.
    pub sub: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Given and family name.
    pub given_name: Option<String>,
    /// See above.
    pub family_name: Option<String>,
    /// Whether they may sign in.
    pub is_active: bool,
    /// The role here.
    pub role: String,
    /// The rule that gave it and a later one that would have given another, by their places in the map.
    pub shadowed: Option<(usize, usize)>,
    /// The password column.
    pub password: String,
    /// When they joined.
    pub joined: Option<UnixTime>,
    /// When they signed in last.
    pub last_login: Option<UnixTime>,
}

/// The longest name or address that is read, in characters.
const LONGEST: usize = 254;

/// The role of those whom nothing gives another.
const FALLBACK_ROLE: &str = "user";

impl SiteUser {
    /// Reads a record of the user model; notes go to `findings`.
    pub fn read(record: &Record, choices: &Choices, groups: &HashMap<String, String>, findings: &mut Vec<Finding>) -> Result<Self, Finding> {
        let left_out = |slug, detail: &str| Finding::left_out(slug, &record.model, &record.key, detail);
        if record.key.is_empty() {
            return Err(left_out("no_key", "the record has no primary key: dump without --natural-primary"));
        }
        if !is_sound_key(&record.key) {
            return Err(left_out("bad_key", "the primary key is longer than 255 bytes or not printable"));
        }
        let name =
            record.trimmed("username").or_else(|| record.trimmed("email")).ok_or_else(|| left_out("no_name", "there is no name to sign in with"))?;
        if !is_valid_sign_in_name(name) {
            return Err(left_out("bad_name", &format!("a name has 1 to {MAX_SIGN_IN_NAME} printable characters")).named(name));
        }
        let is_active = record.flag("is_active").ok_or_else(|| left_out("broken", "is_active is neither true nor false").named(name))?;
        let password = match record.fields.get("password") {
            Some(Value::String(password)) => password.clone(),
            Some(Value::Null) | None => String::new(),
            Some(_) => return Err(left_out("broken", "password is not a text").named(name)),
        };
        let (role, shadowed) = role_of(record, choices, groups, findings);
        let user = Self {
            sub: sub_of(record, choices, name).map_err(|detail| left_out("bad_sub", &detail).named(name))?,
            model: record.model.clone(),
            key: record.key.clone(),
            email: address(record, findings).map(str::to_owned),
            given_name: bounded(record, "first_name", findings),
            family_name: bounded(record, "last_name", findings),
            is_active,
            role,
            shadowed,
            password,
            joined: record.time("date_joined").or_else(|| record.time("created_at")),
            last_login: record.time("last_login"),
            name: name.to_owned(),
        };
        Ok(user)
    }

    /// The name that people see.
    pub fn full_name(&self) -> Option<String> {
        let parts: Vec<&str> = self.given_name.iter().chain(&self.family_name).map(String::as_str).collect();
        Some(parts.join(" ")).filter(|name| !name.is_empty())
    }

    /// What the password column is worth.
    pub fn judged_password(&self) -> Judged {
        judge(&self.password)
    }

    /// Digest of everything that is taken over again. The last sign-in is not among it, because it changes each day, nor is the
    /// subject, which is decided once.
    pub fn digest(&self, emails_verified: bool) -> Result<String, Fault> {
        let all =
            json!([self.name, self.email, emails_verified, self.given_name, self.family_name, self.is_active, self.role, self.password, self.joined]);
        Ok(digest(&serde_json::to_string(&all).map_err(Fault::broken)?))
    }
}

fn bounded(record: &Record, field: &str, findings: &mut Vec<Finding>) -> Option<String> {
    let text = short_text(record, field).map(str::to_owned);
    if text.is_none() && record.trimmed(field).is_some() {
        let detail = format!("{field} is longer than {LONGEST} characters or not printable, and was dropped");
        findings.push(Finding::note("field_dropped", &record.model, &record.key, detail));
    }
    text
}

/// A text of a sound length, as it is taken over.
pub(super) fn short_text<'a>(record: &'a Record, field: &str) -> Option<&'a str> {
    record.trimmed(field).filter(|text| text.chars().count() <= LONGEST && !text.chars().any(char::is_control))
}

fn address<'a>(record: &'a Record, findings: &mut Vec<Finding>) -> Option<&'a str> {
    let email = email_of(record);
    if let (None, Some(given)) = (email, record.trimmed("email")) {
        let shown: String = given.chars().take(80).collect();
        let detail = format!("{} is no e-mail address, and was dropped", crate::error::printable(&shown));
        findings.push(Finding::note("email_dropped", &record.model, &record.key, detail));
    }
    email
}

/// The address of a record, when it is one.
pub(super) fn email_of(record: &Record) -> Option<&str> {
    short_text(record, "email").filter(|email| StandardClaims::default().set("email", email).is_ok())
}

fn sub_of(record: &Record, choices: &Choices, name: &str) -> Result<Option<String>, String> {
    let sub = match &choices.sub {
        SubChoice::New => return Ok(None),
        SubChoice::Key => record.key.clone(),
        SubChoice::Username => name.to_owned(),
        SubChoice::Field(field) => record.reference(field).ok_or_else(|| format!("the column {field} is empty"))?,
    };
    // OIDC Core §2: at most 255 ASCII characters.
    if sub.len() > 255 || sub.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err("the identifier is longer than 255 characters or not printable ASCII".to_owned());
    }
    Ok(Some(sub))
}

/// By the first rule that applies; then the role column itself, where such a role exists here; then `user`. With the role the rule
/// and a later one that would have given another: who has two roles at the site should be seen to get one.
fn role_of(record: &Record, choices: &Choices, groups: &HashMap<String, String>, findings: &mut Vec<Finding>) -> (String, Option<(usize, usize)>) {
    let column = record.reference(&choices.role_field);
    let member = record.references("groups");
    let names: Vec<&str> = member.iter().map(|key| groups.get(key).unwrap_or(key).as_str()).collect();
    let applies = |from: &str| {
        let by_group = from.strip_prefix("group:").is_some_and(|group| names.contains(&group));
        let by_flag = matches!(from, "is_superuser" | "is_staff") && record.flag(from) == Some(true);
        by_group || by_flag || column.as_deref() == Some(from)
    };
    let mut rules = choices.role_map.iter().enumerate().filter(|(_, (from, _))| applies(from));
    if let Some((first, (_, role))) = rules.next() {
        return (role.clone(), rules.find(|(_, (_, other))| other != role).map(|(later, _)| (first, later)));
    }
    match column {
        Some(role) if choices.roles.contains(&role) => return (role, None),
        Some(role) => {
            let detail = format!("the role {role:?} is unknown here, {FALLBACK_ROLE} was given: --role-map '{role}=ROLE'");
            findings.push(Finding::note("unknown_role", &record.model, &record.key, crate::error::printable(&detail)));
        }
        None => {}
    }
    (FALLBACK_ROLE.to_owned(), None)
}
