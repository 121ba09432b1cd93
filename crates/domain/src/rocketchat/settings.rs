//! The settings that a chat should have for a client, with their values.

use super::{CUSTOM, provider_name, service_key};
use crate::client::RegisteredClient;
use crate::roles::RoleMap;
use propusk_crypto::Secret;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The provider's name unless a registered redirect URI names another.
pub const DEFAULT_NAME: &str = "Besedka";

/// What the operator chose.
#[derive(Debug, Clone)]
pub struct Options {
    /// The chat's address without a slash at the end.
    pub chat_url: String,
    /// The provider's name, capitalised as in the setting ids.
    pub name: String,
    /// Text of the button.
    pub button: String,
    /// The client's secret, when it is known.
    pub secret: Option<Secret>,
    /// Signs people in without a button.
    pub silent: bool,
    /// The origin of a page that embeds the chat.
    pub embed: Option<String>,
    /// The chat has the licence module `oauth-enterprise`.
    pub licensed: bool,
    /// 8.7 to 8.9 use the modern flow.
    pub modern: bool,
    /// Leaves the Custom OAuth provider out: a chat of 9.0 and later without a licence can have none.
    pub without_provider: bool,
}

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its id.
    pub id: String,
    /// The value it should have.
    pub value: Value,
    /// Some versions do not have it.
    pub optional: bool,
}

impl Setting {
    fn new(id: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { id: id.into(), value: value.into(), optional: false }
    }

    /// Whether its value must not be shown.
    pub fn is_secret(&self) -> bool {
        self.id.ends_with("-secret")
    }
}

/// The provider's name: from a redirect URI that the client registered for this chat (`…/_oauth/<key>`), or [`DEFAULT_NAME`].
pub fn name_for(client: &RegisteredClient, chat_url: &str) -> String {
    let prefix = format!("{}/_oauth/", chat_url.trim_end_matches('/'));
    let uris = &client.client.settings.redirect_uris;
    let registered = uris.iter().filter_map(|uri| uri.strip_prefix(&prefix)).map(provider_name).find(|name| !name.is_empty());
    registered.unwrap_or_else(|| DEFAULT_NAME.to_owned())
}

/// The redirect URI that this chat sends.
pub fn redirect_uri(chat_url: &str, name: &str) -> String {
    format!("{}/_oauth/{}", chat_url.trim_end_matches('/'), service_key(name))
}

/// The chat's roles that its own synchronisation may give and take: all that the map names but `user`, which everybody keeps.
pub fn roles_to_sync(map: &RoleMap) -> String {
    let named: BTreeSet<&str> = map.roles.values().flatten().map(String::as_str).filter(|role| *role != "user").collect();
    named.into_iter().collect::<Vec<_>>().join(",")
}

/// Where the chat's log-out should go on to: no call of Rocket.Chat ends a session here, so its script does.
pub fn logout_script(client: &RegisteredClient, issuer: &str, chat_url: &str) -> String {
    let back = client.client.settings.post_logout_redirect_uris.iter().find(|uri| uri.starts_with(chat_url));
    let mut pairs = vec![("client_id", client.id())];
    pairs.extend(back.map(|uri| ("post_logout_redirect_uri", uri.as_str())));
    format!("window.location='{issuer}/oauth/logout?{}'", propusk_protocol::form::encode(&pairs))
}

/// Everything that should be set, in the order in which it can be: the provider is enabled last.
pub fn recommended(client: &RegisteredClient, issuer: &str, options: &Options) -> Vec<Setting> {
    let mut settings = if options.without_provider { Vec::new() } else { provider(client, issuer, options) };
    settings.extend(accounts(options));
    if options.silent {
        settings.extend([
            Setting::new("Accounts_iframe_url", format!("{issuer}/rocketchat/frame")),
            Setting::new("Accounts_Iframe_api_url", format!("{issuer}/rocketchat/login")),
            Setting::new("Accounts_Iframe_api_method", "POST"),
            Setting::new("Accounts_iframe_enabled", true),
            Setting::new("Custom_Script_On_Logout", logout_script(client, issuer, &options.chat_url)),
        ]);
    }
    if let Some(origin) = &options.embed {
        settings.extend([
            Setting::new("Iframe_Restrict_Access", false),
            Setting::new("Iframe_Integration_receive_enable", true),
            Setting::new("Iframe_Integration_receive_origin", origin.as_str()),
            Setting::new("Iframe_Integration_send_enable", true),
            Setting::new("Iframe_Integration_send_target_origin", origin.as_str()),
        ]);
    }
    if !options.without_provider {
        settings.push(Setting::new(format!("{CUSTOM}{}", options.name), true));
    }
    settings
}

fn provider(client: &RegisteredClient, issuer: &str, options: &Options) -> Vec<Setting> {
    let scopes = ["openid", "profile", "email", "roles"].into_iter().filter(|scope| client.client.settings.scopes.contains(scope));
    let values: [(&str, Value); 28] = [
        ("url", json!(issuer)),
        ("token_path", json!("/oauth/token")),
        ("token_sent_via", json!("payload")),
        ("identity_token_sent_via", json!("header")),
        ("identity_path", json!(identity_path(client.id()))),
        ("authorize_path", json!("/oauth/authorize")),
        ("scope", json!(scopes.collect::<Vec<_>>().join(" "))),
        ("access_token_param", json!("access_token")),
        ("id", json!(client.id())),
        ("login_style", json!("redirect")),
        ("button_label_text", json!(options.button)),
        ("button_label_color", json!("#FFFFFF")),
        ("button_color", json!("#1d74f5")),
        ("key_field", json!("username")),
        ("username_field", json!("preferred_username")),
        ("email_field", json!("")),
        ("name_field", json!("name")),
        ("avatar_field", json!("picture")),
        ("roles_claim", json!("roles")),
        ("groups_claim", json!("groups")),
        ("channels_admin", json!("rocket.cat")),
        ("map_channels", json!(false)),
        ("merge_roles", json!(options.licensed)),
        ("roles_to_sync", json!(if options.licensed { roles_to_sync(&client.role_map) } else { String::new() })),
        ("merge_users", json!(true)),
        ("merge_users_distinct_services", json!(false)),
        ("show_button", json!(true)),
        ("groups_channel_map", json!("{}")),
    ];
    let setting = |suffix: &str, value| Setting::new(format!("{CUSTOM}{}-{suffix}", options.name), value);
    let mut settings: Vec<Setting> = values.into_iter().map(|(suffix, value)| setting(suffix, value)).collect();
    settings.extend(options.secret.as_ref().map(|secret| setting("secret", json!(secret.expose()))));
    settings
}

/// The identity path that refuses other clients' tokens.
pub fn identity_path(client_id: &str) -> String {
    format!("/oauth/userinfo/{client_id}")
}

fn accounts(options: &Options) -> [Setting; 6] {
    [
        Setting { optional: true, ..Setting::new("Accounts_OAuth_Use_Modern_Flow", options.modern) },
        // Thirty minutes after its registration every account would be asked for a code by e-mail on top of the sign-in here.
        Setting::new("Accounts_twoFactorAuthentication_email_available_for_OAuth_users", false),
        Setting::new("Accounts_AllowUsernameChange", false),
        Setting::new("Accounts_AllowEmailChange", false),
        Setting { optional: true, ..Setting::new("Accounts_AllowPasswordChangeForOAuthUsers", false) },
        Setting::new("Accounts_RegistrationForm", "Disabled"),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::catalogue;
    use super::*;
    use crate::UnixTime;
    use crate::client::{Client, Preset};

    pub(in super::super) fn client() -> RegisteredClient {
        let mut settings = Preset::RocketChat.settings();
        settings.redirect_uris = vec!["https://chat.example.org/_oauth/besedka".to_owned()];
        settings.post_logout_redirect_uris = vec!["https://chat.example.org/home".to_owned()];
        let client = Client {
            client_id: "rocketchat".to_owned(),
            name: "Rocket.Chat".to_owned(),
            preset: Preset::RocketChat,
            disabled: false,
            first_party: true,
            standing_grant_id: String::new(),
            settings,
            secrets: Vec::new(),
            created_at: UnixTime(0),
            updated_at: UnixTime(0),
        };
        let [role_map, _] = RoleMap::defaults();
        RegisteredClient { client, role_map }
    }

    pub(in super::super) fn options() -> Options {
        Options {
            chat_url: "https://chat.example.org".to_owned(),
            name: "Besedka".to_owned(),
            button: "Войти через сайт «Беседка»".to_owned(),
            secret: Some(Secret::new("s".repeat(40))),
            silent: false,
            embed: None,
            licensed: false,
            modern: false,
            without_provider: false,
        }
    }

    #[test]
    fn every_setting_of_the_provider_is_given_and_none_is_invented() {
        let given = recommended(&client(), "https://id.example.org", &options());
        let suffixes: BTreeSet<&str> = given.iter().filter_map(|setting| setting.id.strip_prefix("Accounts_OAuth_Custom-Besedka")).collect();
        assert_eq!(suffixes, catalogue::PROVIDER.iter().map(|known| known.suffix).collect());
        assert_eq!(given.last().map(|last| last.id.as_str()), Some("Accounts_OAuth_Custom-Besedka"), "enabled last");
        for setting in &given {
            if let Some(known) = setting.id.strip_prefix("Accounts_OAuth_Custom-Besedka").and_then(catalogue::known) {
                assert_eq!(known.boolean, setting.value.is_boolean(), "{}", setting.id);
            }
        }
    }

    #[test]
    fn the_name_follows_the_registered_redirect_uri() {
        let mut client = client();
        assert_eq!(name_for(&client, "https://chat.example.org/"), "Besedka");
        client.client.settings.redirect_uris = vec!["https://chat.example.org/_oauth/propusk".to_owned()];
        assert_eq!(name_for(&client, "https://chat.example.org"), "Propusk");
        assert_eq!(name_for(&client, "https://other.example"), "Besedka");
    }

    #[test]
    fn the_logout_script_names_client_and_way_back() {
        let script = logout_script(&client(), "https://id.example.org", "https://chat.example.org");
        assert_eq!(
            script,
            "window.location='https://id.example.org/oauth/logout?client_id=rocketchat&post_logout_redirect_uri=https%3A%2F%2Fchat.example.org%2Fhome'"
        );
    }

    #[test]
    fn roles_of_the_map_are_synchronised_but_user_is_left_alone() {
        assert_eq!(roles_to_sync(&client().role_map), "admin,vip");
    }
}
