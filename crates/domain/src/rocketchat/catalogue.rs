//! The settings of a Custom OAuth provider with their names on the administration page.

/// One setting of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// What follows `Accounts_OAuth_Custom-<Name>`.
    pub suffix: &'static str,
    /// The field's name in English.
    pub english: &'static str,
    /// The same in Russian.
    pub russian: &'static str,
    /// Whether it holds a boolean.
    pub boolean: bool,
}

const fn text(suffix: &'static str, english: &'static str, russian: &'static str) -> Known {
    Known { suffix, english, russian, boolean: false }
}

const fn flag(suffix: &'static str, english: &'static str, russian: &'static str) -> Known {
    Known { suffix, english, russian, boolean: true }
}

/// Every setting that Rocket.Chat registers for a provider, in the order of the page.
pub const PROVIDER: [Known; 30] = [
    flag("", "Enable", "Включить"),
    text("-url", "URL", "URL"),
    text("-token_path", "Token Path", "Путь к токену"),
    text("-token_sent_via", "Token Sent Via", "Токен отправлен через"),
    text("-identity_token_sent_via", "Identity Token Sent Via", "Токен идентификации отправлен через"),
    text("-identity_path", "Identity Path", "Путь идентификации"),
    text("-authorize_path", "Authorize Path", "Путь авторизации"),
    text("-scope", "Scope", "Область (scope)"),
    text("-access_token_param", "Param Name for access token", "Имя параметра токена доступа"),
    text("-id", "Id", "Id"),
    text("-secret", "Secret", "Секрет"),
    text("-login_style", "Login Style", "Стиль входа"),
    text("-button_label_text", "Button Text", "Текст кнопки"),
    text("-button_label_color", "Button Text Color", "Цвет текста кнопки"),
    text("-button_color", "Button Color", "Цвет кнопки"),
    text("-key_field", "Key Field", "Ключевое поле"),
    text("-username_field", "Username field", "Поле имени пользователя"),
    text("-email_field", "Email field", "Поле e-mail"),
    text("-name_field", "Name field", "Поле имени"),
    text("-avatar_field", "Avatar field", "Поле аватара"),
    text("-roles_claim", "Roles/Groups field name", "Поле ролей"),
    text("-groups_claim", "Roles/Groups field name for channel mapping", "Поле групп для каналов"),
    text("-channels_admin", "User Data Group Map: channel admin", "Владелец создаваемых каналов"),
    flag("-map_channels", "Map Roles/Groups to channels", "Сопоставлять группы и каналы"),
    flag("-merge_roles", "Merge Roles from SSO", "Объединять роли из SSO"),
    text("-roles_to_sync", "Roles to Sync", "Роли для синхронизации"),
    flag("-merge_users", "Merge users", "Объединять пользователей"),
    flag("-merge_users_distinct_services", "Merge users from distinct services", "Объединять пользователей разных служб"),
    flag("-show_button", "Show Button on Login Page", "Показывать кнопку на странице входа"),
    text("-groups_channel_map", "OAuth Group Channel Map", "Соответствие групп и каналов"),
];

/// What the public list of services (`settings.oauth`) shows: its own name and the setting's suffix.
pub const SHOWN: [(&str, &str); 27] = [
    ("clientId", "-id"),
    ("serverURL", "-url"),
    ("tokenPath", "-token_path"),
    ("identityPath", "-identity_path"),
    ("authorizePath", "-authorize_path"),
    ("scope", "-scope"),
    ("accessTokenParam", "-access_token_param"),
    ("buttonLabelText", "-button_label_text"),
    ("buttonLabelColor", "-button_label_color"),
    ("buttonColor", "-button_color"),
    ("loginStyle", "-login_style"),
    ("tokenSentVia", "-token_sent_via"),
    ("identityTokenSentVia", "-identity_token_sent_via"),
    ("keyField", "-key_field"),
    ("usernameField", "-username_field"),
    ("emailField", "-email_field"),
    ("nameField", "-name_field"),
    ("avatarField", "-avatar_field"),
    ("rolesClaim", "-roles_claim"),
    ("groupsClaim", "-groups_claim"),
    ("channelsMap", "-groups_channel_map"),
    ("channelsAdmin", "-channels_admin"),
    ("mergeUsers", "-merge_users"),
    ("mergeUsersDistinctServices", "-merge_users_distinct_services"),
    ("mapChannels", "-map_channels"),
    ("mergeRoles", "-merge_roles"),
    ("rolesToSync", "-roles_to_sync"),
];

/// What only a licence gives a valid value, whatever was set.
pub const LICENSED: [&str; 5] = ["-roles_claim", "-groups_claim", "-map_channels", "-merge_roles", "-roles_to_sync"];

/// The setting of that suffix.
pub fn known(suffix: &str) -> Option<&'static Known> {
    PROVIDER.iter().find(|known| known.suffix == suffix)
}

/// The real setting behind names that people invent.
pub fn meant(suffix: &str) -> Option<&'static str> {
    Some(match suffix {
        "-enable" | "-enabled" => "",
        "-server_url" | "-serverURL" | "-issuer" => "-url",
        "-access_token_path" => "-token_path",
        "-channels_map" | "-channels_default" | "-channel_map" => "-groups_channel_map",
        "-client_id" | "-clientId" => "-id",
        "-client_secret" | "-clientSecret" => "-secret",
        "-role_claim" => "-roles_claim",
        "-button_text" => "-button_label_text",
        _ => return None,
    })
}
