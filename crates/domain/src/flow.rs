//! A sign-in under way: sealed into the URL, so that any number of tabs can hold one each and the server holds none.

use crate::error::Fault;
use crate::keys::ServerKeys;
use crate::time::UnixTime;
use propusk_protocol::AuthorizeRequest;
use serde::{Deserialize, Serialize};

/// What one authorization request has come to so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Under which its steps are traced.
    #[serde(rename = "i", default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The request; absent when somebody just signs in without a client.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub request: Option<AuthorizeRequest>,
    /// When it began.
    #[serde(rename = "t")]
    pub started_at: UnixTime,
    /// Digest of the pre-session cookie of the browser that began it.
    #[serde(rename = "b")]
    pub browser: String,
    /// The session in which the person has signed in *during this flow*, which satisfies `prompt=login` and `max_age`.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<String>,
    /// Whether the flow had to begin again because the browser had lost its cookie; a second time means it keeps none.
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    pub lost_cookie: bool,
    /// The own path to which a sign-in without a client leads; home when there is none.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A form of the account page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountForm {
    /// The session that the page was shown to; the form counts only from the browser that holds it.
    #[serde(rename = "s")]
    pub sid: String,
    /// When it was shown.
    #[serde(rename = "t")]
    pub started_at: UnixTime,
}

/// A logout that waits for its confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingLogout {
    /// The session to end; the confirmation counts only from the browser that holds it.
    #[serde(rename = "s")]
    pub sid: String,
    /// Where to go afterwards: a registered URI, `state` included.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<String>,
    /// When it was asked for.
    #[serde(rename = "t")]
    pub started_at: UnixTime,
}

/// A request of the doctor's trial: a page that it looks at is no sign-in of anybody's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// When the mark ends.
    #[serde(rename = "e")]
    pub expires_at: UnixTime,
}

/// Something that is sealed into a URL.
pub trait Sealed: Serialize + serde::de::DeserializeOwned {
    /// Binds the sealed form to its use, so that one kind cannot pass for another.
    const PURPOSE: &'static str;

    /// Seals it for a URL; the key's name stands in front.
    fn seal(&self, keys: &ServerKeys) -> Result<String, Fault> {
        let key = keys.flow.first().ok_or_else(|| Fault::broken("there is no flow key"))?;
        let plain = serde_json::to_vec(self).map_err(Fault::broken)?;
        Ok(format!("{}.{}", key.kid, key.key.seal(Self::PURPOSE, &plain)))
    }

    /// Opens the sealed form; `None` when it was damaged or comes from another installation.
    fn open(sealed: &str, keys: &ServerKeys) -> Option<Self> {
        let (kid, rest) = sealed.split_once('.')?;
        let key = keys.flow.iter().find(|key| key.kid == kid)?;
        let plain = key.key.open(Self::PURPOSE, rest).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

impl Sealed for Flow {
    const PURPOSE: &'static str = "propusk flow";
}

impl Sealed for AccountForm {
    const PURPOSE: &'static str = "propusk account";
}

impl Sealed for Trial {
    const PURPOSE: &'static str = "propusk trial";
}

impl Sealed for PendingLogout {
    const PURPOSE: &'static str = "propusk logout";
}

impl Flow {
    /// A flow that begins now, in the browser whose pre-session cookie has that digest.
    pub fn begin(id: String, request: Option<AuthorizeRequest>, browser: String, now: UnixTime) -> Self {
        Self { id, request, started_at: now, browser, signed_in: None, lost_cookie: false, next: None }
    }

    /// Whether the page that carries it has been open for too long.
    pub fn is_expired(&self, lifetime: i64, now: UnixTime) -> bool {
        now.since(self.started_at) >= lifetime
    }
}
