//! What tokens and the UserInfo endpoint say about a person (OpenID Connect Core §2 and §5.1, RFC 9068 §2.2).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::claim_format as format;
use crate::scope::Scope;

/// Claims of the scope `profile` (OpenID Connect Core §5.4).
const PROFILE: &[&str] = &[
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
];
const EMAIL: &[&str] = &["email", "email_verified"];
const PHONE: &[&str] = &["phone_number", "phone_number_verified"];
const ADDRESS: &[&str] = &["address"];

/// Every standard claim about a person but `sub` (OpenID Connect Core §5.1). Absent ones are left out of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StandardClaims {
    /// Full name for display.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Given name or names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Surname or surnames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Middle name or names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    /// Casual name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// Short name that the person likes to be known by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    /// URL of the person's profile page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// URL of the person's picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// URL of the person's web page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether the address is known to be the person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// Gender, free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// `YYYY-MM-DD`, `0000-MM-DD` or `YYYY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<String>,
    /// Time zone, such as `Europe/Moscow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zoneinfo: Option<String>,
    /// Language tag, such as `ru-RU`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Telephone number, such as `+7 495 000-00-00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Whether the number is known to be the person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number_verified: Option<bool>,
    /// Postal address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// When any of this changed last, Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<i64>,
}

/// A postal address (OpenID Connect Core §5.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// The whole address, possibly of several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
    /// Street and house, possibly of several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_address: Option<String>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// State, province or region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// Why a claim was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// No such claim.
    #[error("there is no claim {key:?}; the claims are {known}", known = StandardClaims::keys().collect::<Vec<_>>().join(", "))]
    Unknown {
        /// The name that was asked for.
        key: String,
    },
    /// The value is not of the claim's form.
    #[error("the claim {key} must be {expected}")]
    Invalid {
        /// The claim.
        key: String,
        /// The form that it has.
        expected: &'static str,
    },
}

impl StandardClaims {
    /// The claims' names as clients see them.
    pub const NAMES: &'static [&'static str] = &[
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "email",
        "email_verified",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "phone_number",
        "phone_number_verified",
        "address",
        "updated_at",
    ];

    /// The keys that [`set`](Self::set) knows: the names, and `address.…` for the members of the address.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().chain(Address::KEYS).copied()
    }

    /// Sets one claim from text, as an operator types it; an empty `value` clears it.
    ///
    /// `address.locality=…` sets a member of the address; `address` itself can only be cleared.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ClaimError> {
        let value = Some(value).filter(|value| !value.is_empty());
        if let Some(text) = value {
            check(key, text)?;
        }
        match key {
            "email_verified" => self.email_verified = value.map(|text| text == "true"),
            "phone_number_verified" => {
                self.phone_number_verified = value.map(|text| text == "true");
            }
            "updated_at" => self.updated_at = value.and_then(format::timestamp),
            "address" => self.address = None,
            _ => *self.text_mut(key).ok_or_else(|| unknown(key))? = value.map(str::to_owned),
        }
        self.address = self.address.take().filter(|address| *address != Address::default());
        Ok(())
    }

    /// Checks what came by another road than [`set`](Self::set), such as a file: each claim that is present has its
    /// form, and no text is empty.
    pub fn validate(&self) -> Result<(), ClaimError> {
        let Ok(Value::Object(members)) = serde_json::to_value(self) else {
            return Ok(());
        };
        for (key, value) in members {
            match value {
                Value::Object(address) => {
                    for (member, value) in address {
                        check(&format!("address.{member}"), value.as_str().unwrap_or_default())?;
                    }
                }
                Value::String(text) => check(&key, &text)?,
                other => check(&key, &other.to_string())?,
            }
        }
        Ok(())
    }

    /// The claims that `scope` asks for (OpenID Connect Core §5.4); `openid` asks for none of them.
    pub fn for_scopes(&self, scope: &Scope) -> Map<String, Value> {
        let sets = [("profile", PROFILE), ("email", EMAIL), ("phone", PHONE), ("address", ADDRESS)];
        let asked: Vec<_> = sets.into_iter().filter(|(name, _)| scope.contains(name)).flat_map(|(_, names)| names).collect();
        let Ok(Value::Object(members)) = serde_json::to_value(self) else {
            return Map::new();
        };
        members.into_iter().filter(|(name, _)| asked.iter().any(|known| *known == name)).collect()
    }

    fn text_mut(&mut self, key: &str) -> Option<&mut Option<String>> {
        Some(match key {
            "name" => &mut self.name,
            "given_name" => &mut self.given_name,
            "family_name" => &mut self.family_name,
            "middle_name" => &mut self.middle_name,
            "nickname" => &mut self.nickname,
            "preferred_username" => &mut self.preferred_username,
            "profile" => &mut self.profile,
            "picture" => &mut self.picture,
            "website" => &mut self.website,
            "email" => &mut self.email,
            "gender" => &mut self.gender,
            "birthdate" => &mut self.birthdate,
            "zoneinfo" => &mut self.zoneinfo,
            "locale" => &mut self.locale,
            "phone_number" => &mut self.phone_number,
            _ => return self.address_mut(key),
        })
    }

    fn address_mut(&mut self, key: &str) -> Option<&mut Option<String>> {
        if !Address::KEYS.contains(&key) {
            return None;
        }
        let address = self.address.get_or_insert_default();
        Some(match key {
            "address.formatted" => &mut address.formatted,
            "address.street_address" => &mut address.street_address,
            "address.locality" => &mut address.locality,
            "address.region" => &mut address.region,
            "address.postal_code" => &mut address.postal_code,
            "address.country" => &mut address.country,
            _ => return None,
        })
    }
}

impl Address {
    /// The keys of the members in [`StandardClaims::set`].
    pub const KEYS: &'static [&'static str] =
        &["address.formatted", "address.street_address", "address.locality", "address.region", "address.postal_code", "address.country"];
}

/// The payload of an access token (RFC 9068 §2.2). Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// The issuer.
    pub iss: String,
    /// The person, or the client itself for client credentials.
    pub sub: String,
    /// The audience: never a client id, so that no ID token passes for an access token.
    pub aud: String,
    /// The client that it was issued to.
    pub client_id: String,
    /// When it ends.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Its identifier.
    pub jti: String,
    /// The granted scope; left out when empty.
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    pub scope: Scope,
    /// When the person authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The roles, mapped for the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// The groups, mapped for the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// What djangorestframework-simplejwt calls the kind of a token: `access`, on the paths that stand in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// What it calls the person, there: the primary key at the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// The payload of an ID token (OpenID Connect Core §2). Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdTokenClaims {
    /// The issuer.
    pub iss: String,
    /// The person.
    pub sub: String,
    /// The client.
    pub aud: String,
    /// When it ends.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// When the person authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// The request's nonce, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// How strongly the person authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By which methods (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// Half of the access token's hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

fn check(key: &str, value: &str) -> Result<(), ClaimError> {
    let rule = format::rule(key).ok_or_else(|| unknown(key))?;
    if (rule.accepts)(value) {
        return Ok(());
    }
    Err(ClaimError::Invalid { key: key.to_owned(), expected: rule.expected })
}

fn unknown(key: &str) -> ClaimError {
    ClaimError::Unknown { key: key.to_owned() }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
