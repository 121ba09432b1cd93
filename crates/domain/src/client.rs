//! Clients: what is registered about a relying party or an API, and the presets that fill it in.

use crate::error::Fault;
use crate::roles::RoleMap;
use crate::store::Store;
use crate::time::UnixTime;
use propusk_crypto::{Algorithm, SecretHash};
use propusk_protocol::Scope;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A registered client (RFC 6749 §2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// The identifier, `[A-Za-z0-9._~-]`.
    pub client_id: String,
    /// The name that people see.
    pub name: String,
    /// The preset it was made from.
    pub preset: Preset,
    /// A disabled client is refused everywhere.
    pub disabled: bool,
    /// First-party clients skip consent.
    pub first_party: bool,
    /// The grant on which client-credentials tokens hang.
    pub standing_grant_id: String,
    /// Everything that can be set.
    pub settings: ClientSettings,
    /// The live and the expired secrets, newest first; none for a public client.
    pub secrets: Vec<ClientSecret>,
    /// When it was registered.
    pub created_at: UnixTime,
    /// When it was changed last.
    pub updated_at: UnixTime,
}

impl Client {
    /// Whether the client has no secret (RFC 6749 §2.1).
    pub fn is_public(&self) -> bool {
        self.settings.public
    }

    /// Whether the client may use that grant. A Rocket.Chat client gets refresh tokens once `offline_access` is added to
    /// its scopes, so it may use them then.
    pub fn may_use(&self, grant: GrantType) -> bool {
        let added = self.settings.rocket_chat && grant == GrantType::RefreshToken && self.settings.scopes.contains("offline_access");
        added || self.settings.grant_types.contains(&grant)
    }

    /// A scope that was asked for, in the words of this server. Whether the client may have it is another question.
    pub fn translated(&self, wanted: &Scope) -> Scope {
        let aliases = &self.settings.scope_aliases;
        wanted.iter().flat_map(|word| aliases.get(word).map_or_else(|| vec![word], |scope| scope.iter().collect())).collect()
    }
}

/// A client together with the role map that it follows: what a request needs of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisteredClient {
    /// The client.
    pub client: Client,
    /// Its role map; empty when the named one does not exist.
    pub role_map: RoleMap,
}

impl RegisteredClient {
    /// Reads both; `None` when there is no such client.
    pub fn load(store: &mut dyn Store, client_id: &str) -> Result<Option<Self>, Fault> {
        let Some(client) = store.find_client(client_id)? else { return Ok(None) };
        let role_map = store.list_role_maps()?.into_iter().find(|map| map.name == client.settings.role_map).unwrap_or_default();
        Ok(Some(Self { client, role_map }))
    }

    /// The identifier.
    pub fn id(&self) -> &str {
        &self.client.client_id
    }
}

/// What can be set on a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// Compared character for character.
    pub redirect_uris: Vec<String>,
    /// Where a logout may return to.
    pub post_logout_redirect_uris: Vec<String>,
    /// The grants it may use.
    pub grant_types: Vec<GrantType>,
    /// The scopes it may ask for.
    pub scopes: Scope,
    /// The `aud` of its access tokens; `None` means the issuer.
    pub audience: Option<String>,
    /// What signs its access tokens.
    pub access_token_alg: Algorithm,
    /// What signs its ID tokens.
    pub id_token_alg: Algorithm,
    /// Seconds that an access token lives.
    pub access_token_lifetime: i64,
    /// The role map that its tokens and userinfo follow.
    pub role_map: String,
    /// Whether its access tokens are taken from the query string of userinfo.
    pub query_token: bool,
    /// Whose tokens it may introspect.
    pub introspect: Introspect,
    /// Whether an authorization request without PKCE is refused.
    pub require_pkce: bool,
    /// Whether loopback redirect URIs free their port (RFC 8252 §7.3).
    pub native: bool,
    /// Whether it has no secret.
    pub public: bool,
    /// Whether `email` is told only once it is verified, and Rocket.Chat's claims whatever scope was asked for.
    pub rocket_chat: bool,
    /// Where it is told that a session has ended (Back-Channel Logout §2.2).
    #[serde(default)]
    pub backchannel_logout_uri: Option<String>,
    /// Whether it needs to be told which session; it is always told.
    #[serde(default)]
    pub backchannel_logout_session_required: bool,
    /// Whether it may read people in the form that GitLab has.
    #[serde(default)]
    pub gitlab_facade: bool,
    /// What it may ask for under the names of another server, and what each is here; an empty scope means nothing at all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scope_aliases: BTreeMap<String, Scope>,
}

/// One of a client's secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientSecret {
    /// The row's identifier.
    pub id: String,
    /// What is kept of the secret.
    pub hash: SecretHash,
    /// When it was issued.
    pub created_at: UnixTime,
    /// When it stops working; `None` while it is the newest.
    pub expires_at: Option<UnixTime>,
    /// When it was presented last, to the minute.
    pub last_used_at: Option<UnixTime>,
}

impl ClientSecret {
    /// Whether the secret still works.
    pub fn is_live(&self, now: UnixTime) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// Whose tokens a client may introspect (RFC 7662 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Introspect {
    /// Nobody's.
    None,
    /// Those issued to itself.
    Own,
    /// Everybody's.
    Any,
}

/// The grants that exist (RFC 6749 §4.1, §4.4, §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// `authorization_code`
    AuthorizationCode,
    /// `refresh_token`
    RefreshToken,
    /// `client_credentials`
    ClientCredentials,
}

impl GrantType {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }

    /// The grant of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials].into_iter().find(|grant| grant.as_str() == name)
    }
}

/// What kind of client is being registered; fills in everything that is not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Rocket.Chat's Custom OAuth, both generations.
    RocketChat,
    /// A web application with a server of its own.
    Web,
    /// A single-page application.
    Spa,
    /// A mobile or desktop application.
    Native,
    /// A machine that asks for tokens of its own.
    Service,
    /// An API that checks tokens.
    Api,
}

/// The scopes that every client of people may ask for.
pub const USER_SCOPES: [&str; 8] = ["openid", "profile", "email", "address", "phone", "roles", "groups", "offline_access"];

/// Whether a scope opens something of this server's own, so that it is only ever given to a client by name.
pub fn is_reserved_scope(scope: &str) -> bool {
    scope.starts_with("propusk:") || matches!(scope, "chat.open" | "read_user")
}

/// The role map of Rocket.Chat clients.
pub const ROCKET_CHAT_MAP: &str = "rocket-chat";

/// The role map of all other clients: the site's role itself.
pub const IDENTITY_MAP: &str = "identity";

/// Seconds that an access token lives unless the client says otherwise.
pub const ACCESS_TOKEN_LIFETIME: i64 = 600;

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 6] = [Self::RocketChat, Self::Web, Self::Spa, Self::Native, Self::Service, Self::Api];

    /// The name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RocketChat => "rocket-chat",
            Self::Web => "web",
            Self::Spa => "spa",
            Self::Native => "native",
            Self::Service => "service",
            Self::Api => "api",
        }
    }

    /// The preset of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == name)
    }

    /// Whether people sign in to clients of this kind.
    pub const fn has_people(self) -> bool {
        !matches!(self, Self::Service | Self::Api)
    }

    /// Whether such a client skips consent unless said otherwise.
    pub const fn is_first_party(self) -> bool {
        matches!(self, Self::RocketChat | Self::Service)
    }

    /// The settings of a fresh client of this kind.
    pub fn settings(self) -> ClientSettings {
        let public = matches!(self, Self::Spa | Self::Native);
        let grant_types = match self {
            Self::RocketChat => vec![GrantType::AuthorizationCode],
            Self::Web | Self::Spa | Self::Native => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            Self::Service => vec![GrantType::ClientCredentials],
            Self::Api => Vec::new(),
        };
        let scopes = USER_SCOPES.iter().filter(|scope| self != Self::RocketChat || **scope != "offline_access");
        ClientSettings {
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            grant_types,
            scopes: if self.has_people() { scopes.map(|scope| (*scope).to_owned()).collect() } else { Scope::default() },
            audience: None,
            access_token_alg: Algorithm::RS256,
            id_token_alg: Algorithm::RS256,
            access_token_lifetime: ACCESS_TOKEN_LIFETIME,
            role_map: if self == Self::RocketChat { ROCKET_CHAT_MAP } else { IDENTITY_MAP }.to_owned(),
            query_token: self == Self::RocketChat,
            introspect: match self {
                Self::Api => Introspect::Any,
                Self::Web => Introspect::Own,
                Self::RocketChat | Self::Spa | Self::Native | Self::Service => Introspect::None,
            },
            require_pkce: public,
            native: self == Self::Native,
            public,
            rocket_chat: self == Self::RocketChat,
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            gitlab_facade: false,
            scope_aliases: BTreeMap::new(),
        }
    }
}

/// Whether `client_id` needs no encoding anywhere: `[A-Za-z0-9._~-]`, 1 to 128 characters (Rocket.Chat encodes none).
pub fn is_valid_client_id(client_id: &str) -> bool {
    !client_id.is_empty() && client_id.len() <= 128 && client_id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-'))
}
