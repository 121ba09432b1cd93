//! Another e-mail address of a person, verified by a link that goes to it.
//!
//! Nothing is stored but the mail that waits. The link names the person, the new address, the address that it replaces and the
//! credential version; a change of the address raises that version, as a change of the password does. So the first link that is used
//! ends all others that the person holds, links to set a password among them: whoever reads the old mailbox has none left.

use crate::account::must_be_as_checked;
use crate::admin::users::{self, UserPatch};
use crate::cause::Cause;
use crate::context::{Audit, Cx};
use crate::error::{Error, Fault, Refusal, Result};
use crate::flow::Sealed;
use crate::keys::ServerKeys;
use crate::mail::{Kind, put, verified_address};
use crate::store::Store;
use crate::time::UnixTime;
use crate::user::{User, name_key};
use propusk_crypto::digest;
use propusk_protocol::ErrorCode;
use serde::{Deserialize, Serialize};

/// Somebody wants another address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressMail {
    /// The person.
    #[serde(rename = "s")]
    pub sub: String,
    /// The address that they want.
    #[serde(rename = "a")]
    pub address: String,
    /// Digest of the address that they had when they asked.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub present: Option<String>,
    /// The credential version when they asked.
    #[serde(rename = "v")]
    pub version: i64,
    /// The language of the page on which they asked.
    #[serde(rename = "l")]
    pub language: String,
}

impl Sealed for AddressMail {
    const PURPOSE: &'static str = "propusk address mail";
}

/// What the present or former address is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressNotice {
    /// The person.
    #[serde(rename = "s")]
    pub sub: String,
    /// The address that is told.
    #[serde(rename = "a")]
    pub address: String,
    /// Whether the change has happened; otherwise it was asked for.
    #[serde(rename = "c")]
    pub is_changed: bool,
    /// The language of the page on which it was asked.
    #[serde(rename = "l")]
    pub language: String,
}

impl Sealed for AddressNotice {
    const PURPOSE: &'static str = "propusk address notice";
}

/// What a link says once it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailLink {
    /// The person.
    #[serde(rename = "s")]
    pub sub: String,
    /// The address that becomes theirs.
    #[serde(rename = "a")]
    pub address: String,
    /// Digest of the address that it replaces.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub present: Option<String>,
    /// The credential version that it replaces.
    #[serde(rename = "v")]
    pub version: i64,
    /// When it ends.
    #[serde(rename = "e")]
    pub expires_at: UnixTime,
    /// The language in which it was asked for.
    #[serde(rename = "l")]
    pub language: String,
}

impl Sealed for EmailLink {
    const PURPOSE: &'static str = "propusk e-mail link";
}

impl EmailLink {
    /// The page that opens the link.
    pub fn url(&self, issuer: &str, keys: &ServerKeys) -> Result<String> {
        Ok(format!("{issuer}/verify-email?token={}", self.seal(keys)?))
    }
}

/// Writes down that a person, who has just proved their password, wants `address`, and that their present one is told. `user` is the
/// person as read before the password was checked.
pub fn ask(cx: &mut Cx<'_>, user: &User, address: &str, language: &str) -> Result<()> {
    must_be_as_checked(cx, user)?;
    let wish = AddressMail {
        sub: user.sub.clone(),
        address: address.to_owned(),
        present: present(user),
        version: user.credential_version,
        language: language.to_owned(),
    };
    put(cx, Kind::Address, &format!("email:{}", user.sub), &wish)?;
    tell(cx, user, false, language)?;
    Ok(cx.audit(Audit::of("email_change_asked").sub(&user.sub))?)
}

/// What the wanted address gets.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The link.
    Link(Box<EmailLink>, Box<User>),
    /// Only that it belongs to an account: whoever asked learns nothing about other people.
    Taken,
}

/// What is mailed to the wanted address; nothing when the wish was overtaken by another change. The link ends at `expires_at`.
pub fn answer(store: &mut dyn Store, wish: &AddressMail, expires_at: UnixTime) -> Result<Option<Answer>> {
    let Some(user) = store.find_user(&wish.sub)?.filter(User::is_active) else { return Ok(None) };
    if user.credential_version != wish.version || present(&user) != wish.present {
        return Ok(None);
    }
    if is_taken(store, &wish.address, &user.sub)? {
        return Ok(Some(Answer::Taken));
    }
    let link = EmailLink {
        sub: user.sub.clone(),
        address: wish.address.clone(),
        present: wish.present.clone(),
        version: wish.version,
        expires_at,
        language: wish.language.clone(),
    };
    Ok(Some(Answer::Link(Box::new(link), Box::new(user))))
}

/// The link and the person whose address it changes, while it can. `visitor` is whoever is signed in in the browser that opens it.
pub fn open(store: &mut dyn Store, token: &str, visitor: Option<&str>, keys: &ServerKeys, now: UnixTime) -> Result<(EmailLink, User)> {
    let Some(link) = EmailLink::open(token, keys) else {
        return Err(dead("a damaged one, or one of another installation").into());
    };
    if now >= link.expires_at {
        return Err(dead(format!("one that ended at {}", link.expires_at)).into());
    }
    let Some(user) = store.find_user(&link.sub)? else { return Err(dead("one of a person who was removed").into()) };
    // Nobody is talked into putting their mailbox under somebody else's account.
    if visitor.is_some_and(|visitor| visitor != user.sub) {
        return Err(Refusal::new(ErrorCode::AccessDenied, "The link belongs to another account", Cause::MailLinkForeign)
            .expected("the browser of the person who asked for the link, or one in which nobody is signed in")
            .received("a browser in which somebody else is signed in")
            .fix("sign out, or open the link in another browser")
            .into());
    }
    judge(store, &link, &user)?;
    Ok((link, user))
}

/// Makes the address the person's, and a sign-in name. Of several at once one does it.
pub fn confirm(cx: &mut Cx<'_>, link: &EmailLink) -> Result<User> {
    cx.store.take_turn()?;
    // Holds the row until the commit: whoever comes second finds another version.
    if !cx.store.guard_user(&link.sub, link.version)? {
        return Err(dead(OVERTAKEN).into());
    }
    let Some(before) = cx.store.find_user(&link.sub)? else { return Err(dead("one of a person who was removed").into()) };
    judge(cx.store, link, &before)?;
    let patch = UserPatch { email: Some(link.address.clone()), email_verified: Some(true), ..UserPatch::default() };
    let (mut user, _) = users::set(cx, &link.sub, &patch).map_err(|error| match error {
        // Verified by somebody else since the look above.
        Error::Refused(refusal) if refusal.detail.cause == Cause::NameTaken => taken().into(),
        error => error,
    })?;
    user.credential_version = link.version.saturating_add(1);
    if !cx.store.update_user(&user, link.version)? {
        return Err(Fault::passing("the person was changed by another process at the same moment").into());
    }
    cx.audit(Audit::of("email_changed").sub(&user.sub))?;
    if present(&before) != present(&user) {
        tell(cx, &before, true, &link.language)?;
    }
    Ok(user)
}

const OVERTAKEN: &str = "one that was used, or that another change of the address or the password, or a disabling, has ended";

/// Whether the link still fits the person and the address is still free: another person may have verified it meanwhile.
fn judge(store: &mut dyn Store, link: &EmailLink, user: &User) -> Result<()> {
    if !user.is_active() || user.credential_version != link.version || present(user) != link.present {
        return Err(dead(OVERTAKEN).into());
    }
    if is_taken(store, &link.address, &user.sub)? { Err(taken().into()) } else { Ok(()) }
}

/// Whether somebody else signs in with the address.
fn is_taken(store: &mut dyn Store, address: &str, sub: &str) -> Result<bool> {
    Ok(store.find_user_by_name(&name_key(address))?.is_some_and(|owner| owner.sub != sub))
}

/// Tells the verified address of `user`; both stages have a row of their own, because the later one must not hide the earlier.
fn tell(cx: &mut Cx<'_>, user: &User, is_changed: bool, language: &str) -> Result<()> {
    let Some(address) = verified_address(user).map(str::to_owned) else { return Ok(()) };
    let key = format!("email-{}:{}:{}", if is_changed { "changed" } else { "asked" }, user.sub, user.credential_version);
    let notice = AddressNotice { sub: user.sub.clone(), address, is_changed, language: language.to_owned() };
    Ok(put(cx, Kind::Notice, &key, &notice)?)
}

fn present(user: &User) -> Option<String> {
    user.claims.email.as_deref().map(digest)
}

fn taken() -> Refusal {
    Refusal::new(ErrorCode::Conflict, "The address belongs to another account", Cause::NameTaken)
        .expected("an address that nobody else signs in with")
        .received("one that somebody else has verified since the link was sent")
        .fix("propusk user list --search ADDRESS")
}

fn dead(received: impl Into<String>) -> Refusal {
    Refusal::invalid_request("The link does not work any more", Cause::MailLinkDead)
        .expected("a link that was neither used nor ended by another change, and is not over")
        .received(received.into())
        .fix("ask for another link on the page where this one was asked for")
}
