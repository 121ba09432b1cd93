//! The settings of one Custom OAuth provider (`Accounts_OAuth_Custom-<Name>-…`) with Rocket.Chat's defaults.

/// `login_style`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginStyle {
    /// A window of its own; the page that opened it stays where it is.
    Popup,
    /// The page itself navigates.
    Redirect,
}

impl LoginStyle {
    /// As written into the state.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Popup => "popup",
            Self::Redirect => "redirect",
        }
    }
}

/// Which code of Rocket.Chat talks to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Meteor's `oauth` package: every version up to 8.6, and 8.7 to 8.9 by default.
    Legacy,
    /// Passport: 8.7 to 8.9 by setting, 9.0 and later always.
    Modern,
}

/// One way in which a person reaches the chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Browser or desktop program, legacy.
    LegacyWeb(LoginStyle),
    /// The React Native app's web view.
    LegacyMobile,
    /// Browser, modern.
    Modern(LoginStyle),
    /// `POST /api/v1/login` with an access token: no browser.
    RestToken,
    /// The built-in GitLab provider pointed at us.
    Gitlab(Generation),
}

impl Profile {
    /// The code that serves this profile.
    pub fn generation(self) -> Generation {
        match self {
            Self::Modern(_) | Self::Gitlab(Generation::Modern) => Generation::Modern,
            Self::LegacyWeb(_) | Self::LegacyMobile | Self::RestToken | Self::Gitlab(Generation::Legacy) => Generation::Legacy,
        }
    }

    /// Needs the `oauth-enterprise` licence module from 9.0 on.
    pub fn is_custom(self) -> bool {
        !matches!(self, Self::Gitlab(_))
    }
}

/// `token_sent_via` and `identity_token_sent_via`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentVia {
    /// `default`: the identity request does as the token request.
    Default,
    /// `header`.
    Header,
    /// `payload`.
    Payload,
}

/// `key_field`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyField {
    /// `username`.
    Username,
    /// `email`.
    Email,
}

/// Provider settings and what they depend on of the workspace. An empty string is an empty setting.
#[derive(Debug, Clone)]
pub struct Config {
    /// Provider name as the administrator typed it; the key is derived from it.
    pub name: String,
    /// `ROOT_URL` / `Site_Url`.
    pub root_url: String,
    /// Server URL as typed into the mobile app, when it differs from `root_url`.
    pub mobile_url: Option<String>,
    /// Major and minor version.
    pub version: (u32, u32),
    /// The licence carries `oauth-enterprise`.
    pub licensed: bool,
    /// Meteor release in the legacy `User-Agent`.
    pub release: String,
    /// `-url`.
    pub url: String,
    /// `-token_path`.
    pub token_path: String,
    /// `-token_sent_via`.
    pub token_sent_via: SentVia,
    /// `-identity_token_sent_via`.
    pub identity_token_sent_via: SentVia,
    /// `-identity_path`.
    pub identity_path: String,
    /// `-authorize_path`.
    pub authorize_path: String,
    /// `-scope`.
    pub scope: String,
    /// `-access_token_param`.
    pub access_token_param: String,
    /// `-id`.
    pub id: String,
    /// `-secret`.
    pub secret: String,
    /// `-key_field`.
    pub key_field: KeyField,
    /// `-username_field`.
    pub username_field: String,
    /// `-email_field`.
    pub email_field: String,
    /// `-name_field`.
    pub name_field: String,
    /// `-avatar_field`.
    pub avatar_field: String,
    /// `-roles_claim`.
    pub roles_claim: String,
    /// `-groups_claim`.
    pub groups_claim: String,
    /// `-channels_admin`.
    pub channels_admin: String,
    /// `-map_channels`.
    pub map_channels: bool,
    /// `-merge_roles`.
    pub merge_roles: bool,
    /// `-roles_to_sync`.
    pub roles_to_sync: String,
    /// `-merge_users`.
    pub merge_users: bool,
    /// `-merge_users_distinct_services`.
    pub merge_users_distinct_services: bool,
    /// `-groups_channel_map`, JSON text.
    pub groups_channel_map: String,
}

impl Config {
    /// A provider called "Besedka" with Rocket.Chat's defaults, version 8.6, no licence.
    pub fn new(root_url: &str, url: &str, id: &str, secret: &str) -> Self {
        Self {
            name: "Besedka".into(),
            root_url: root_url.into(),
            mobile_url: None,
            version: (8, 6),
            licensed: false,
            release: "METEOR@3.4".into(),
            url: url.into(),
            token_path: "/oauth/token".into(),
            token_sent_via: SentVia::Payload,
            identity_token_sent_via: SentVia::Default,
            identity_path: "/me".into(),
            authorize_path: "/oauth/authorize".into(),
            scope: "openid".into(),
            access_token_param: "access_token".into(),
            id: id.into(),
            secret: secret.into(),
            key_field: KeyField::Username,
            username_field: String::new(),
            email_field: String::new(),
            name_field: String::new(),
            avatar_field: String::new(),
            roles_claim: "roles".into(),
            groups_claim: "groups".into(),
            channels_admin: "rocket.cat".into(),
            map_channels: false,
            merge_roles: false,
            roles_to_sync: String::new(),
            merge_users: false,
            merge_users_distinct_services: false,
            groups_channel_map: r#"{"rocket-admin":"admin","tech-support":"support"}"#.into(),
        }
    }

    /// The settings that the documentation recommends: identity path of the client, token in the header, fields mapped, users merged.
    pub fn recommended(root_url: &str, url: &str, id: &str, secret: &str) -> Self {
        Self {
            identity_path: format!("/oauth/userinfo/{id}"),
            identity_token_sent_via: SentVia::Header,
            scope: "openid profile email roles".into(),
            username_field: "preferred_username".into(),
            name_field: "name".into(),
            avatar_field: "picture".into(),
            merge_users: true,
            groups_channel_map: "{}".into(),
            ..Self::new(root_url, url, id, secret)
        }
    }

    /// The same with a licence, and roles and channels taken from the identity.
    #[must_use]
    pub fn with_licence(mut self, roles_to_sync: &str, groups_channel_map: &str) -> Self {
        self.licensed = true;
        self.merge_roles = true;
        self.map_channels = true;
        self.roles_to_sync = roles_to_sync.into();
        self.groups_channel_map = groups_channel_map.into();
        self
    }

    /// The built-in GitLab provider: fixed paths and scope, token always in the query, nothing mapped.
    pub fn gitlab(root_url: &str, url: &str, id: &str, secret: &str) -> Self {
        Self {
            name: "gitlab".into(),
            scope: "read_user".into(),
            identity_path: "/api/v4/user".into(),
            ..Self::new(root_url, url.trim_end_matches('/'), id, secret)
        }
    }

    /// The service key: lower case, only `[a-z0-9_]`.
    pub fn key(&self) -> String {
        service_key(&self.name)
    }

    /// The redirect URI that goes to the authorization endpoint.
    pub fn redirect_uri(&self, profile: Profile) -> String {
        let root = match (profile, &self.mobile_url) {
            (Profile::LegacyMobile, Some(typed)) => typed,
            _ => &self.root_url,
        };
        format!("{}/_oauth/{}", cut_slash(root), self.key())
    }

    /// The redirect URI that goes to the token endpoint: always the server's own idea of its address.
    pub fn token_redirect_uri(&self) -> String {
        format!("{}/_oauth/{}", cut_slash(&self.root_url), self.key())
    }

    /// Authorization endpoint. Only the legacy code understands an absolute path.
    pub fn authorize_url(&self, generation: Generation) -> String {
        self.endpoint(&self.authorize_path, generation == Generation::Legacy)
    }

    /// Token endpoint. Only the legacy code understands an absolute path.
    pub fn token_url(&self, generation: Generation) -> String {
        self.endpoint(&self.token_path, generation == Generation::Legacy)
    }

    /// Identity endpoint; both generations understand an absolute path.
    pub fn identity_url(&self) -> String {
        self.endpoint(&self.identity_path, true)
    }

    /// `identity_token_sent_via` with `default` resolved.
    pub fn identity_via(&self) -> SentVia {
        match (self.identity_token_sent_via, self.token_sent_via) {
            (SentVia::Default, SentVia::Header) | (SentVia::Header, _) => SentVia::Header,
            (SentVia::Default | SentVia::Payload, _) => SentVia::Payload,
        }
    }

    /// The provider cannot be used: Custom OAuth without its licence from 9.0 on.
    pub fn is_gated(&self, profile: Profile) -> bool {
        self.version.0 >= 9 && !self.licensed && profile.is_custom()
    }

    /// No slash is added or removed: what the administrator typed is what is requested.
    fn endpoint(&self, path: &str, absolute_allowed: bool) -> String {
        let absolute = path.starts_with("http://") || path.starts_with("https://");
        if absolute && absolute_allowed { path.to_owned() } else { format!("{}{path}", self.url) }
    }
}

/// Rocket.Chat's key of a provider name: lower case, everything but `[a-z0-9_]` dropped.
pub fn service_key(name: &str) -> String {
    name.to_lowercase().chars().filter(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || *letter == '_').collect()
}

fn cut_slash(url: &str) -> &str {
    url.strip_suffix('/').unwrap_or(url)
}
