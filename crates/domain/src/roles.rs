//! Role maps: which roles and groups a client is told for each role of the site.

use crate::cause::Cause;
use crate::client::{IDENTITY_MAP, ROCKET_CHAT_MAP};
use crate::error::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The roles that exist in every new database.
pub const ROLES: [&str; 3] = ["owner", "moderator", "user"];

/// What a role of the site is called for a client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleMap {
    /// The name by which clients choose it.
    #[serde(default)]
    pub name: String,
    /// Role of the site → the `roles` claim.
    #[serde(default)]
    pub roles: BTreeMap<String, Vec<String>>,
    /// Role of the site → the `groups` claim.
    #[serde(default)]
    pub groups: BTreeMap<String, Vec<String>>,
    /// Whether the role of the site itself is the `roles` claim; `roles` is empty then.
    #[serde(default)]
    pub identity: bool,
}

/// What a map says about one role: the claims are arrays always, an absent one is not told at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The `roles` claim.
    pub roles: Option<Vec<String>>,
    /// The `groups` claim.
    pub groups: Option<Vec<String>>,
}

impl RoleMap {
    /// The claims of somebody who has `role`.
    pub fn claims_of(&self, role: &str) -> Mapped {
        let look_up = |map: &BTreeMap<String, Vec<String>>| (!map.is_empty()).then(|| map.get(role).cloned().unwrap_or_default());
        Mapped { roles: if self.identity { Some(vec![role.to_owned()]) } else { look_up(&self.roles) }, groups: look_up(&self.groups) }
    }

    /// Refuses values that their readers would tear apart or lose: empty ones, with commas or control characters.
    pub fn check(&self) -> Result<(), Refusal> {
        let values = self.roles.values().chain(self.groups.values()).flatten().chain(self.roles.keys()).chain(self.groups.keys());
        for value in values {
            if value.is_empty() || value.contains(',') || value.trim() != value || value.chars().any(char::is_control) {
                return Err(Refusal::invalid_request("A role or group value is empty or holds a comma", Cause::RoleValueWithComma)
                    .expected("values without commas, as elements of an array")
                    .received(value));
            }
        }
        Ok(())
    }

    /// `rocket-chat` and `identity`, which exist in every new database.
    pub fn defaults() -> [Self; 2] {
        let map = |pairs: [(&str, &[&str]); 3]| {
            pairs.iter().map(|(role, values)| ((*role).to_owned(), values.iter().map(|v| (*v).to_owned()).collect())).collect()
        };
        [
            Self {
                name: ROCKET_CHAT_MAP.to_owned(),
                roles: map([("owner", &["admin", "vip"]), ("moderator", &["admin"]), ("user", &["user"])]),
                groups: map([("owner", &["general", "vip", "moderators"]), ("moderator", &["general", "moderators"]), ("user", &["general"])]),
                identity: false,
            },
            Self { name: IDENTITY_MAP.to_owned(), identity: true, ..Self::default() },
        ]
    }
}

/// Whether `role` can be a role of the site.
pub fn is_valid_role(role: &str) -> bool {
    !role.is_empty() && role.len() <= 64 && role.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn the_chat_is_told_admin_and_vip_for_an_owner() {
        let [chat, identity] = RoleMap::defaults();
        assert_eq!(chat.claims_of("owner").roles, Some(vec!["admin".into(), "vip".into()]));
        assert_eq!(chat.claims_of("moderator").roles, Some(vec!["admin".into()]));
        assert_eq!(chat.claims_of("user").groups, Some(vec!["general".into()]));
        assert_eq!(chat.claims_of("guest"), Mapped { roles: Some(vec![]), groups: Some(vec![]) });
        assert_eq!(identity.claims_of("owner"), Mapped { roles: Some(vec!["owner".into()]), groups: None });
    }

    #[test]
    fn a_value_with_a_comma_is_refused() {
        let mut map = RoleMap::defaults()[0].clone();
        assert!(map.check().is_ok());
        map.roles.insert("owner".into(), vec!["admin,vip".into()]);
        assert_eq!(map.check().unwrap_err().detail.cause, Cause::RoleValueWithComma);
    }
}
