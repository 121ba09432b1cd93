//! The declarative file of `propusk apply`: people, clients, roles and role maps as they shall be.
//!
//! What the file does not name stays as it is. Unknown keys are refused.

use super::clients::{AliasPatch, ClientPatch, ListPatch, NewClient};
use super::users::{NewUser, UserPatch};
use crate::client::{GrantType, Introspect, Preset};
use crate::roles::RoleMap;
use propusk_crypto::{Algorithm, Secret};
use propusk_protocol::Scope;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole file. A section that is absent is not even pruned.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Declaration {
    /// The roles of the site.
    pub roles: Option<Vec<String>>,
    /// The role maps by name: `[role_maps.forum]`.
    pub role_maps: Option<BTreeMap<String, RoleMapEntry>>,
    /// People: `[[users]]`.
    pub users: Option<Vec<UserEntry>>,
    /// Clients: `[[clients]]`.
    pub clients: Option<Vec<ClientEntry>>,
}

/// A role map of the file; a role that a table does not name keeps its line, unless it is pruned.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoleMapEntry {
    /// Role of the site → the `roles` claim.
    pub roles: Option<BTreeMap<String, Vec<String>>>,
    /// Role of the site → the `groups` claim.
    pub groups: Option<BTreeMap<String, Vec<String>>>,
    /// Whether the role of the site itself is the `roles` claim.
    pub identity: Option<bool>,
}

impl RoleMapEntry {
    /// The map `name` as the file wants it, where it is `before` now. With `prune`, a table that is present is the whole table.
    pub(super) fn over(&self, before: Option<&RoleMap>, name: &str, prune: bool) -> RoleMap {
        let mut after = RoleMap { name: name.to_owned(), ..before.cloned().unwrap_or_default() };
        if let Some(identity) = self.identity {
            after.identity = identity;
            if identity {
                after.roles.clear();
            }
        }
        for (table, lines) in [(&mut after.roles, &self.roles), (&mut after.groups, &self.groups)] {
            let Some(lines) = lines else { continue };
            if prune {
                table.clear();
            }
            table.extend(lines.clone());
        }
        after
    }
}

/// A person of the file; a field that is absent is left as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    /// The username, by which the entry is recognised.
    pub username: String,
    /// A role of the site.
    pub role: String,
    /// The name that people see.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the address is known to be the person's; true when `email` is given and this is not.
    pub email_verified: Option<bool>,
    /// A language tag.
    pub locale: Option<String>,
    /// Further standard claims: `birthdate`, `address.locality` …
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
    /// All further sign-in names.
    pub aliases: Option<Vec<String>>,
    /// Whether the person is disabled.
    pub disabled: Option<bool>,
    /// The file that holds the password; one trailing newline is cut.
    pub password_file: Option<PathBuf>,
    /// Whether a password is generated, and told once, when the person is added.
    #[serde(default)]
    pub generate_password: bool,
}

/// A client of the file; a field that is absent is left as it is, or as the preset has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientEntry {
    /// The identifier, by which the entry is recognised.
    pub client_id: String,
    /// What kind of client; it cannot change later.
    pub preset: Preset,
    /// The name that people see.
    pub name: Option<String>,
    /// Where answers go.
    pub redirect_uris: Option<Vec<String>>,
    /// Where a logout may return to.
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// The grants it may use.
    pub grant_types: Option<Vec<GrantType>>,
    /// The scopes it may ask for, as one text with spaces.
    pub scopes: Option<Scope>,
    /// Whether it skips consent.
    pub first_party: Option<bool>,
    /// Names of another server's scopes and what each is here, as texts with spaces; an empty one means nothing.
    pub scope_aliases: Option<BTreeMap<String, Scope>>,
    /// Whether it is refused everywhere.
    pub disabled: Option<bool>,
    /// The `aud` of its access tokens; an empty text means the issuer.
    pub audience: Option<String>,
    /// What signs its access tokens.
    pub access_token_alg: Option<Algorithm>,
    /// What signs its ID tokens.
    pub id_token_alg: Option<Algorithm>,
    /// Seconds that an access token lives.
    pub access_token_lifetime: Option<i64>,
    /// The role map that it follows.
    pub role_map: Option<String>,
    /// Whether tokens are taken from the query string of userinfo.
    pub query_token: Option<bool>,
    /// Whose tokens it may introspect.
    pub introspect: Option<Introspect>,
    /// Whether PKCE is demanded.
    pub require_pkce: Option<bool>,
    /// Where it is told that a session has ended; an empty text means nowhere.
    pub backchannel_logout_uri: Option<String>,
    /// Whether it needs to be told which session.
    pub backchannel_logout_session_required: Option<bool>,
    /// Whether it may read people in the form that GitLab has.
    pub gitlab_facade: Option<bool>,
    /// The file that holds the secret; without it one is generated, and told once, when the client is added.
    pub secret_file: Option<PathBuf>,
}

/// The secrets of the file, read, generated and hashed before the transaction.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// Passwords by username.
    pub passwords: BTreeMap<String, Password>,
    /// Client secrets by client id.
    pub secrets: BTreeMap<String, Secret>,
}

/// A password as it comes into the transaction.
#[derive(Debug, Clone)]
pub struct Password {
    /// The PHC string.
    pub hash: String,
    /// Whether it only counts when the person is added; otherwise it also replaces the one that is set.
    pub only_for_new: bool,
}

impl UserEntry {
    /// The person that the entry adds.
    pub(super) fn new_user(&self, material: &Material) -> NewUser {
        NewUser {
            username: self.username.clone(),
            role: self.role.clone(),
            email: self.email.clone(),
            email_verified: self.email_verified.unwrap_or(true),
            name: self.name.clone(),
            locale: self.locale.clone(),
            claims: self.claims.clone().into_iter().collect(),
            aliases: self.aliases.clone().unwrap_or_default(),
            password_hash: material.passwords.get(&self.username).map(|password| password.hash.clone()),
        }
    }

    /// What the entry changes of a person who exists.
    pub(super) fn patch(&self) -> UserPatch {
        UserPatch {
            username: Some(self.username.clone()),
            role: Some(self.role.clone()),
            email: self.email.clone(),
            email_verified: self.email_verified,
            name: self.name.clone(),
            locale: self.locale.clone(),
            claims: self.claims.clone().into_iter().collect(),
            aliases: self.aliases.clone(),
            ..UserPatch::default()
        }
    }
}

impl ClientEntry {
    /// The client that the entry registers.
    pub(super) fn new_client(&self, material: &Material) -> NewClient {
        NewClient {
            more: self.patch(),
            secret: material.secrets.get(&self.client_id).cloned(),
            ..NewClient::new(self.client_id.clone(), self.preset)
        }
    }

    /// What the entry changes of a client that exists.
    pub(super) fn patch(&self) -> ClientPatch {
        let words = |scope: &Scope| scope.iter().map(str::to_owned).collect();
        ClientPatch {
            name: self.name.clone(),
            disabled: self.disabled,
            first_party: self.first_party,
            redirect_uris: whole(self.redirect_uris.clone()),
            post_logout_redirect_uris: whole(self.post_logout_redirect_uris.clone()),
            grant_types: whole(self.grant_types.clone()),
            scopes: whole(self.scopes.as_ref().map(words)),
            audience: self.audience.clone(),
            access_token_alg: self.access_token_alg,
            id_token_alg: self.id_token_alg,
            access_token_lifetime: self.access_token_lifetime,
            role_map: self.role_map.clone(),
            query_token: self.query_token,
            introspect: self.introspect,
            require_pkce: self.require_pkce,
            backchannel_logout_uri: self.backchannel_logout_uri.clone(),
            backchannel_logout_session_required: self.backchannel_logout_session_required,
            gitlab_facade: self.gitlab_facade,
            scope_aliases: AliasPatch { replace: self.scope_aliases.clone(), ..AliasPatch::default() },
        }
    }
}

fn whole<T>(replace: Option<Vec<T>>) -> ListPatch<T> {
    ListPatch { replace, ..ListPatch::default() }
}
