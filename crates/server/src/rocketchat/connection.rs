//! How the chat is reached: by the settings, or by what `propusk rocketchat connect` has put into the database.

use super::rest::Rest;
use crate::outbound::Outbound;
use crate::settings::RocketchatSettings;
use propusk_crypto::{MasterKey, Secret};
use propusk_domain::chat::CONNECTION;
use propusk_domain::client::RegisteredClient;
use propusk_domain::context::{Audit, Cx};
use propusk_domain::rocketchat::service_key;
use propusk_domain::rocketchat::settings::{DEFAULT_NAME, name_for};
use propusk_domain::store::Store;
use propusk_domain::{Fault, Result};
use serde::{Deserialize, Serialize};

/// An address and somebody who may administer there.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The address, without a slash at the end.
    pub url: String,
    /// `_id` of the administrator.
    pub user_id: String,
    /// A token of theirs.
    pub token: Secret,
    /// The key of the OAuth service by which people sign in there.
    pub service: String,
}

/// As it rests in the database.
#[derive(Serialize, Deserialize)]
struct Stored {
    url: String,
    user_id: String,
    sealed: String,
}

impl Connection {
    /// The one of the settings, else the one of the database.
    pub fn find(store: &mut dyn Store, settings: &RocketchatSettings, master: &MasterKey) -> Result<Option<Self>, Fault> {
        if let (Some(url), Some(user_id), Some(token)) = (&settings.url, &settings.user_id, &settings.token) {
            return Self::to(store, settings, url.clone(), user_id.clone(), token.clone()).map(Some);
        }
        let Some(text) = store.find_chat_state(CONNECTION)? else { return Ok(None) };
        let stored: Stored = serde_json::from_str(&text).map_err(Fault::broken)?;
        let token = master.open(&purpose(&stored.url, &stored.user_id), &stored.sealed)?;
        let token = String::from_utf8(token.to_vec()).map_err(Fault::broken)?;
        Self::to(store, settings, stored.url, stored.user_id, Secret::new(token)).map(Some)
    }

    /// The one to this address.
    pub fn to(store: &mut dyn Store, settings: &RocketchatSettings, url: String, user_id: String, token: Secret) -> Result<Self, Fault> {
        let service = service(store, settings, &url)?;
        Ok(Self { url, user_id, token, service })
    }

    /// Keeps it, the token sealed.
    pub fn keep(&self, cx: &mut Cx<'_>, master: &MasterKey) -> Result<()> {
        let sealed = master.seal(&purpose(&self.url, &self.user_id), self.token.expose().as_bytes());
        let stored = Stored { url: self.url.clone(), user_id: self.user_id.clone(), sealed };
        let text = serde_json::to_string(&stored).map_err(Fault::broken)?;
        let before = cx.store.find_chat_state(CONNECTION)?;
        if !cx.store.swap_chat_state(CONNECTION, before.as_deref(), Some(&text))? {
            return Err(Fault::passing("the connection was changed by another process at the same moment").into());
        }
        Ok(cx.audit(Audit::of("chat_connected").detail(format!("{} as {}", self.url, self.user_id)))?)
    }

    /// Forgets the one in the database; false when there was none.
    pub fn forget(cx: &mut Cx<'_>) -> Result<bool> {
        let Some(before) = cx.store.find_chat_state(CONNECTION)? else { return Ok(false) };
        let forgotten = cx.store.swap_chat_state(CONNECTION, Some(&before), None)?;
        cx.audit(Audit::of("chat_disconnected"))?;
        Ok(forgotten)
    }

    /// The address alone, with or without a token.
    pub fn url(store: &mut dyn Store, settings: &RocketchatSettings) -> Result<Option<String>, Fault> {
        if let Some(url) = &settings.url {
            return Ok(Some(url.clone()));
        }
        let Some(text) = store.find_chat_state(CONNECTION)? else { return Ok(None) };
        let stored: Stored = serde_json::from_str(&text).map_err(Fault::broken)?;
        Ok(Some(stored.url))
    }

    /// The client that speaks as the administrator.
    pub fn rest(&self, outbound: Outbound) -> Rest {
        Rest::new(outbound, &self.url).with_token(&self.user_id, self.token.clone())
    }
}

/// The key of the OAuth service by which the chat at this address signs people in: as the settings have it, else as the redirect URI of
/// the chat's client says.
pub fn service(store: &mut dyn Store, settings: &RocketchatSettings, url: &str) -> Result<String, Fault> {
    if let Some(service) = &settings.service {
        return Ok(service.clone());
    }
    let client = RegisteredClient::load(store, &settings.client)?;
    Ok(service_key(&client.map_or_else(|| DEFAULT_NAME.to_owned(), |client| name_for(&client, url))))
}

/// Binds the sealed token to the address that it may be sent to.
fn purpose(url: &str, user_id: &str) -> String {
    format!("propusk chat connection {url} {user_id}")
}
