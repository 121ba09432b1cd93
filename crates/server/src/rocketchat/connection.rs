//! How the chat is reached: by the settings, or by what `propusk rocketchat connect` has put into the database.

use super::rest::Rest;
use crate::outbound::Outbound;
use crate::settings::RocketchatSettings;
use propusk_crypto::{MasterKey, Secret};
use propusk_domain::chat::CONNECTION;
use propusk_domain::context::{Audit, Cx};
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
            return Ok(Some(Self { url: url.clone(), user_id: user_id.clone(), token: token.clone() }));
        }
        let Some(text) = store.find_chat_state(CONNECTION)? else { return Ok(None) };
        let stored: Stored = serde_json::from_str(&text).map_err(Fault::broken)?;
        let token = master.open(&purpose(&stored.url, &stored.user_id), &stored.sealed)?;
        let token = String::from_utf8(token.to_vec()).map_err(Fault::broken)?;
        Ok(Some(Self { url: stored.url, user_id: stored.user_id, token: Secret::new(token) }))
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

/// Binds the sealed token to the address that it may be sent to.
fn purpose(url: &str, user_id: &str) -> String {
    format!("propusk chat connection {url} {user_id}")
}
