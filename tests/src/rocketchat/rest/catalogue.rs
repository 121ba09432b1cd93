//! The settings that exist, with Rocket.Chat's defaults.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::state::Edition;

/// Settings of the workspace that matter to sign-in and embedding.
pub(super) fn general(edition: Edition, root_url: &str) -> BTreeMap<String, Value> {
    let mut settings: Vec<(&str, Value)> = vec![
        ("Site_Url", json!(root_url)),
        ("Accounts_RegistrationForm", json!("Public")),
        ("Accounts_ShowFormLogin", json!(true)),
        ("Accounts_AllowUsernameChange", json!(true)),
        ("Accounts_AllowEmailChange", json!(true)),
        ("Accounts_AllowPasswordChangeForOAuthUsers", json!(true)),
        ("Accounts_AllowedDomainsList", json!("")),
        ("Accounts_ManuallyApproveNewUsers", json!(false)),
        ("Accounts_Registration_AuthenticationServices_Enabled", json!(true)),
        ("Accounts_Registration_AuthenticationServices_Default_Roles", json!("user")),
        ("Accounts_TwoFactorAuthentication_Enabled", json!(true)),
        ("Accounts_TwoFactorAuthentication_Enforce_Password_Fallback", json!(true)),
        ("Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", json!(true)),
        ("Accounts_twoFactorAuthentication_email_available_for_OAuth_users", json!(true)),
        ("Accounts_LoginExpiration", json!(90)),
        ("Accounts_iframe_enabled", json!(false)),
        ("Accounts_iframe_url", json!("")),
        ("Accounts_Iframe_api_url", json!("")),
        ("Accounts_Iframe_api_method", json!("POST")),
        ("Iframe_Restrict_Access", json!(true)),
        ("Iframe_X_Frame_Options", json!("sameorigin")),
        ("Iframe_Integration_send_enable", json!(false)),
        ("Iframe_Integration_send_target_origin", json!("*")),
        ("Iframe_Integration_receive_enable", json!(false)),
        ("Iframe_Integration_receive_origin", json!("*")),
        ("Custom_Script_Logged_Out", json!("")),
        ("Custom_Script_Logged_In", json!("")),
        ("Custom_Script_On_Logout", json!("")),
        ("First_Channel_After_Login", json!("")),
        ("Accounts_OAuth_Gitlab", json!(false)),
        ("API_Gitlab_URL", json!("https://gitlab.com")),
        ("Accounts_OAuth_Gitlab_id", json!("")),
        ("Accounts_OAuth_Gitlab_secret", json!("")),
        ("Accounts_OAuth_Gitlab_identity_path", json!("/api/v4/user")),
        ("Accounts_OAuth_Gitlab_merge_users", json!(false)),
    ];
    if matches!(edition.version, (8, 7..)) {
        settings.push(("Accounts_OAuth_Use_Modern_Flow", json!(false)));
    }
    settings.into_iter().map(|(id, value)| (id.to_owned(), value)).collect()
}

/// The settings that everybody may read.
pub(super) const PUBLIC: [&str; 20] = [
    "Site_Url",
    "Accounts_RegistrationForm",
    "Accounts_ShowFormLogin",
    "Accounts_AllowUsernameChange",
    "Accounts_AllowEmailChange",
    "Accounts_TwoFactorAuthentication_Enabled",
    "Accounts_OAuth_Use_Modern_Flow",
    "Accounts_iframe_enabled",
    "Accounts_iframe_url",
    "Accounts_Iframe_api_url",
    "Accounts_Iframe_api_method",
    "Iframe_Integration_send_enable",
    "Iframe_Integration_send_target_origin",
    "Iframe_Integration_receive_enable",
    "Iframe_Integration_receive_origin",
    "Custom_Script_Logged_Out",
    "Custom_Script_Logged_In",
    "Custom_Script_On_Logout",
    "First_Channel_After_Login",
    "Accounts_LoginExpiration",
];

/// What `settings.addCustomOAuth` registers under `Accounts_OAuth_Custom-<Name>`.
pub(super) fn custom(name: &str) -> Vec<(String, Value)> {
    let suffixes = [
        ("", json!(false)),
        ("-url", json!("")),
        ("-token_path", json!("/oauth/token")),
        ("-token_sent_via", json!("payload")),
        ("-identity_token_sent_via", json!("default")),
        ("-identity_path", json!("/me")),
        ("-authorize_path", json!("/oauth/authorize")),
        ("-scope", json!("openid")),
        ("-access_token_param", json!("access_token")),
        ("-id", json!("")),
        ("-secret", json!("")),
        ("-login_style", json!("popup")),
        ("-button_label_text", json!("")),
        ("-button_label_color", json!("#FFFFFF")),
        ("-button_color", json!("#1d74f5")),
        ("-key_field", json!("username")),
        ("-username_field", json!("")),
        ("-email_field", json!("")),
        ("-name_field", json!("")),
        ("-avatar_field", json!("")),
        ("-roles_claim", json!("roles")),
        ("-groups_claim", json!("groups")),
        ("-channels_admin", json!("rocket.cat")),
        ("-map_channels", json!(false)),
        ("-merge_roles", json!(false)),
        ("-roles_to_sync", json!("")),
        ("-merge_users", json!(false)),
        ("-merge_users_distinct_services", json!(false)),
        ("-show_button", json!(true)),
        ("-groups_channel_map", json!("{\n\t\"rocket-admin\": \"admin\",\n\t\"tech-support\": \"support\"\n}")),
    ];
    suffixes.into_iter().map(|(suffix, value)| (format!("Accounts_OAuth_Custom-{name}{suffix}"), value)).collect()
}

/// The choices of a select setting.
pub(super) fn choices(id: &str) -> Option<&'static [&'static str]> {
    let custom = id.strip_prefix("Accounts_OAuth_Custom-")?;
    let (_, suffix) = custom.split_once('-')?;
    Some(match suffix {
        "token_sent_via" => &["header", "payload"],
        "identity_token_sent_via" => &["default", "header", "payload"],
        "login_style" => &["redirect", "popup", ""],
        "key_field" => &["username", "email"],
        _ => return None,
    })
}

/// A setting of the licence: it reads as its invalid value without one.
pub(super) fn needs_licence(edition: Edition, id: &str) -> bool {
    let Some(custom) = id.strip_prefix("Accounts_OAuth_Custom-") else { return false };
    if edition.licensed {
        return false;
    }
    match custom.split_once('-') {
        None => edition.version.0 >= 9,
        Some((_, suffix)) => matches!(suffix, "map_channels" | "merge_roles"),
    }
}
