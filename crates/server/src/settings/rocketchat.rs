//! `[rocketchat]`

use std::collections::BTreeMap;

use propusk_crypto::Secret;
use propusk_domain::rocketchat::RESERVED_CHANNELS;
use serde::Serialize;

use super::section::Section;

/// The chat that is looked after.
#[derive(Debug, Clone, Serialize)]
pub struct RocketchatSettings {
    /// Its address, without a slash at the end; `None` when there is no chat or when `propusk rocketchat connect` says where it is.
    pub url: Option<String>,
    /// The client by which it signs people in.
    pub client: String,
    /// The key of its OAuth service, the provider's name in lower case; `None` for what the client's redirect URI says.
    pub service: Option<String>,
    /// `_id` of the administrator there whose token is used.
    pub user_id: Option<String>,
    /// The token.
    #[serde(skip)]
    pub token: Option<Secret>,
    /// What the chat asks for in `users.createToken` (its variable `CREATE_TOKENS_FOR_USERS_SECRET`).
    #[serde(skip)]
    pub create_token_secret: Option<Secret>,
    /// Whether channels of the map that do not exist are made.
    pub create_channels: bool,
    /// Seconds between two reconciliations of everybody; 0 for none.
    pub reconcile: i64,
    /// Group → channels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, Vec<String>>,
}

impl RocketchatSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        let url = section.parsed("url", "an address like https://chat.example.org", |text| chat_url(text).ok());
        let client = section.text("client").unwrap_or_else(|| "rocketchat".to_owned());
        let is_key = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        let service = section
            .parsed("service", "lower-case letters, digits and underscores", |text| (!text.is_empty() && is_key(text)).then(|| text.to_owned()));
        let user_id = section.text("user_id");
        let token = section.secret("token", "token_file").map(Secret::new);
        if user_id.is_some() != token.is_some() {
            section.problem("user_id", "`user_id` and `token_file` belong together".to_owned());
        }
        if token.is_some() && url.is_none() {
            section.problem("url", "is missing: the token is for the chat at this address".to_owned());
        }
        Self {
            url,
            client,
            service,
            user_id,
            token,
            create_token_secret: section.secret("create_token_secret", "create_token_secret_file").map(Secret::new),
            create_channels: section.flag("create_channels", false),
            reconcile: section.seconds("reconcile", 6 * 3600, 0..=7 * 86_400),
            channels: section.lists("channels", "the name of a channel that Rocket.Chat does not reserve", is_channel),
        }
    }
}

/// The address of a chat without a slash at the end: http or https, without user, query and fragment.
///
/// # Errors
/// What is wrong with it.
pub fn chat_url(text: &str) -> Result<String, &'static str> {
    let url = url::Url::parse(text).map_err(|_| "is not an address")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("must begin with https:// or http:// and a host");
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("must have no user, query or fragment");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn is_channel(name: &str) -> bool {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    plain && !RESERVED_CHANNELS.contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use crate::settings::Settings;

    #[test]
    fn channels_are_lists_or_single_names_and_reserved_ones_are_refused() {
        let text = "[rocketchat]\nurl = \"https://chat.example.org/\"\n[rocketchat.channels]\nGeneral = [\"general\", \"news\"]\nvip = \"vip\"\n";
        let settings = Settings::from_sources(Some(text), []).unwrap().rocketchat;
        assert_eq!(settings.url.as_deref(), Some("https://chat.example.org"));
        assert_eq!(settings.channels.values().map(Vec::len).sum::<usize>(), 3);
        assert_eq!(settings.channels.get("vip"), Some(&vec!["vip".to_owned()]));
        for reserved in ["admin", "All", "here", "with space", "#general", ""] {
            let text = format!("[rocketchat.channels]\nvip = [\"{reserved}\"]\n");
            let error = Settings::from_sources(Some(&text), []).unwrap_err().to_string();
            assert!(error.contains("rocketchat.channels.vip"), "{error}");
        }
    }

    #[test]
    fn half_a_connection_is_refused() {
        for entries in [vec![("rocketchat.user_id", "u1")], vec![("rocketchat.user_id", "u1"), ("rocketchat.token", "t")]] {
            assert!(Settings::from_map(entries).is_err());
        }
        for url in ["chat.example.org", "ftp://chat", "https://u@chat", "https://chat/?a=b", "https://chat/#x"] {
            assert!(Settings::from_map([("rocketchat.url", url)]).is_err(), "{url}");
        }
    }
}
