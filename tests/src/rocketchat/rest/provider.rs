//! From the settings to the provider that the login code uses, and to what `settings.oauth` shows of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::catalogue;
use super::state::State;
use crate::rocketchat::config::service_key;
use crate::rocketchat::{Config, KeyField, LoginStyle, Profile, SentVia};

/// The services with their enabling setting's name, as `updateOAuthServices` leaves them: in the order of the ids, an enabled id replaces the
/// service of its key and a disabled one removes it.
pub(super) fn services(state: &State) -> BTreeMap<String, String> {
    let mut services = BTreeMap::new();
    for (id, value) in &state.settings {
        let Some(name) = id.strip_prefix("Accounts_OAuth_Custom-").filter(|name| !name.contains('-')) else { continue };
        let key = service_key(name);
        if *value == Value::Bool(true) && !catalogue::needs_licence(state.edition, id) {
            services.insert(key, name.to_owned());
        } else {
            services.remove(&key);
        }
    }
    services
}

/// Makes the login simulator's configuration that of the settings; without a service it stays as it is.
pub(super) fn refresh(state: &mut State) {
    refresh_workspace(state);
    let Some(name) = services(state).into_values().next() else { return };
    let text = |suffix: &str| setting(state, &name, suffix).as_str().unwrap_or_default().to_owned();
    let flag = |suffix: &str| setting(state, &name, suffix) == json!(true) && !catalogue::needs_licence(state.edition, &id(&name, suffix));
    let via = |suffix: &str| match text(suffix).as_str() {
        "header" => SentVia::Header,
        "payload" => SentVia::Payload,
        _ => SentVia::Default,
    };
    let config = Config {
        name: name.clone(),
        root_url: state.root_url.clone(),
        mobile_url: None,
        version: state.edition.version,
        licensed: state.edition.licensed,
        release: state.chat.config.release.clone(),
        url: text("url"),
        token_path: text("token_path"),
        token_sent_via: via("token_sent_via"),
        identity_token_sent_via: via("identity_token_sent_via"),
        identity_path: text("identity_path"),
        authorize_path: text("authorize_path"),
        scope: text("scope"),
        access_token_param: text("access_token_param"),
        id: text("id"),
        secret: text("secret"),
        key_field: if text("key_field") == "email" { KeyField::Email } else { KeyField::Username },
        username_field: text("username_field"),
        email_field: text("email_field"),
        name_field: text("name_field"),
        avatar_field: text("avatar_field"),
        roles_claim: text("roles_claim"),
        groups_claim: text("groups_claim"),
        channels_admin: text("channels_admin"),
        map_channels: flag("map_channels"),
        merge_roles: flag("merge_roles"),
        roles_to_sync: text("roles_to_sync"),
        merge_users: flag("merge_users"),
        merge_users_distinct_services: flag("merge_users_distinct_services"),
        groups_channel_map: text("groups_channel_map"),
    };
    let style = if text("login_style") == "popup" { LoginStyle::Popup } else { LoginStyle::Redirect };
    let modern = state.edition.version.0 >= 9 || state.settings.get("Accounts_OAuth_Use_Modern_Flow") == Some(&json!(true));
    state.chat.profile = if modern { Profile::Modern(style) } else { Profile::LegacyWeb(style) };
    state.chat.config = config;
}

/// What everybody sees of a service: all but the secret.
pub(super) fn shown(state: &State, key: &str, name: &str) -> Value {
    let fields = [
        ("clientId", "id"),
        ("serverURL", "url"),
        ("tokenPath", "token_path"),
        ("identityPath", "identity_path"),
        ("authorizePath", "authorize_path"),
        ("scope", "scope"),
        ("accessTokenParam", "access_token_param"),
        ("buttonLabelText", "button_label_text"),
        ("buttonLabelColor", "button_label_color"),
        ("buttonColor", "button_color"),
        ("loginStyle", "login_style"),
        ("tokenSentVia", "token_sent_via"),
        ("identityTokenSentVia", "identity_token_sent_via"),
        ("keyField", "key_field"),
        ("usernameField", "username_field"),
        ("emailField", "email_field"),
        ("nameField", "name_field"),
        ("avatarField", "avatar_field"),
        ("rolesClaim", "roles_claim"),
        ("groupsClaim", "groups_claim"),
        ("channelsMap", "groups_channel_map"),
        ("channelsAdmin", "channels_admin"),
        ("mergeUsers", "merge_users"),
        ("mergeUsersDistinctServices", "merge_users_distinct_services"),
        ("mapChannels", "map_channels"),
        ("mergeRoles", "merge_roles"),
        ("rolesToSync", "roles_to_sync"),
        ("showButton", "show_button"),
    ];
    let mut service = Map::new();
    service.insert("_id".into(), format!("service-{key}").into());
    service.insert("service".into(), key.into());
    service.insert("custom".into(), true.into());
    for (shown, suffix) in fields {
        service.insert(shown.into(), setting(state, name, suffix));
    }
    if state.chat.profile.generation() == crate::rocketchat::Generation::Modern {
        service.insert("hideButtonOnMobile".into(), true.into());
    }
    Value::Object(service)
}

fn id(name: &str, suffix: &str) -> String {
    format!("Accounts_OAuth_Custom-{name}-{suffix}")
}

fn setting(state: &State, name: &str, suffix: &str) -> Value {
    state.settings.get(&id(name, suffix)).cloned().unwrap_or(Value::Null)
}

fn refresh_workspace(state: &mut State) {
    let flag = |id: &str| state.settings.get(id) == Some(&json!(true));
    let list = |id: &str| {
        let text = state.settings.get(id).and_then(Value::as_str).unwrap_or_default();
        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let workspace = &mut state.chat.workspace;
    workspace.auth_services_registration = flag("Accounts_Registration_AuthenticationServices_Enabled");
    workspace.manual_approval = flag("Accounts_ManuallyApproveNewUsers");
    workspace.allowed_domains = list("Accounts_AllowedDomainsList");
    workspace.default_roles = list("Accounts_Registration_AuthenticationServices_Default_Roles");
    workspace.email_second_factor =
        flag("Accounts_TwoFactorAuthentication_Enabled") && flag("Accounts_twoFactorAuthentication_email_available_for_OAuth_users");
}
