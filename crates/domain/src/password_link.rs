//! Links by which a person sets a password without the old one: sealed, expiring, good for one use.
//!
//! Nothing is stored. The link names the credential version of the person, which every set password and every disabling
//! raises: of all links that a person holds the first one used is the last one that works.

use crate::admin::users;
use crate::cause::Cause;
use crate::context::{Audit, Cx};
use crate::error::{Refusal, Result};
use crate::flow::Sealed;
use crate::keys::ServerKeys;
use crate::mail::verified_address;
use crate::store::Store;
use crate::time::UnixTime;
use crate::user::User;
use propusk_crypto::digest;
use propusk_protocol::ErrorCode;
use serde::{Deserialize, Serialize};

/// What a link says once it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordLink {
    /// The person.
    #[serde(rename = "s")]
    pub sub: String,
    /// The credential version that it replaces.
    #[serde(rename = "v")]
    pub version: i64,
    /// When it ends.
    #[serde(rename = "e")]
    pub expires_at: UnixTime,
    /// Digest of the address that it was mailed to; the link dies when that is the person's no more.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The parked sign-in that goes on afterwards.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
}

impl Sealed for PasswordLink {
    const PURPOSE: &'static str = "propusk password link";
}

impl PasswordLink {
    /// The page that opens the link.
    pub fn url(&self, issuer: &str, keys: &ServerKeys) -> Result<String> {
        Ok(format!("{issuer}/set-password?token={}", self.seal(keys)?))
    }
}

/// Makes a link for a person; `by` says who asked. Refused while the person is disabled, because it could not be used.
pub fn make(cx: &mut Cx<'_>, user: &User, by: &str) -> Result<PasswordLink> {
    if !user.is_active() {
        return Err(Refusal::new(ErrorCode::Conflict, "The account is disabled", Cause::UserDisabled)
            .expected("an active account")
            .received("a disabled account")
            .fix(format!("propusk user enable {}", user.username))
            .into());
    }
    let expires_at = cx.now.plus(cx.policy.password_link_lifetime);
    cx.audit(Audit::of("password_link_made").sub(&user.sub).detail(format!("{by}, until {expires_at}")))?;
    Ok(PasswordLink { sub: user.sub.clone(), version: user.credential_version, expires_at, address: None, flow: None })
}

/// The person whose password the link sets, while it can.
pub fn open(store: &mut dyn Store, token: &str, keys: &ServerKeys, now: UnixTime) -> Result<(PasswordLink, User)> {
    let Some(link) = PasswordLink::open(token, keys) else {
        return Err(dead("a damaged one, or one of another installation").into());
    };
    if now >= link.expires_at {
        return Err(dead(format!("one that ended at {}", link.expires_at)).into());
    }
    match store.find_user(&link.sub)? {
        Some(user) if link.address.is_some() && link.address != verified_address(&user).map(digest) => {
            Err(dead("one that was mailed to an address that is the person's no more").into())
        }
        Some(user) if user.is_active() && user.credential_version == link.version => Ok((link, user)),
        Some(_) => Err(dead("one that was used, or that another password or a disabling has ended").into()),
        None => Err(dead("one of a person who was removed").into()),
    }
}

/// Sets the password, hashed before the transaction, and signs the person out everywhere. Of several at once one does it.
pub fn set_password(cx: &mut Cx<'_>, link: &PasswordLink, password_hash: String) -> Result<User> {
    cx.store.take_turn()?;
    // Holds the row until the commit: whoever comes second finds another version.
    if !cx.store.guard_user(&link.sub, link.version)? {
        return Err(dead("one that was used, or that another password or a disabling has ended").into());
    }
    let user = users::set_password(cx, &link.sub, password_hash)?;
    cx.audit(Audit::of("password_link_used").sub(&user.sub))?;
    Ok(user)
}

fn dead(received: impl Into<String>) -> Refusal {
    Refusal::invalid_request("The link does not work any more", Cause::PasswordLinkDead)
        .expected("a link that was neither used nor replaced by another password, and is not over")
        .received(received.into())
        .fix("propusk user set-password NAME --link")
}
