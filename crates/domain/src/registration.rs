//! People who make their own account: the address is verified first, and only then does the person exist.
//!
//! Nothing is stored but the mail that waits. The link carries the subject under which the person will be added, so that it adds one
//! person however often it is used: a subject that exists, or that was removed, is never given out again.

use crate::admin::users::{self, NewUser};
use crate::cause::Cause;
use crate::context::{Audit, Cx};
use crate::error::{Fault, Refusal, Result};
use crate::flow::Sealed;
use crate::ids;
use crate::keys::ServerKeys;
use crate::mail::{Kind, put};
use crate::records::AuditFilter;
use crate::rocketchat::RESERVED_CHANNELS;
use crate::store::Store;
use crate::time::UnixTime;
use crate::user::{User, name_key};
use propusk_crypto::digest;
use propusk_protocol::{ErrorCode, StandardClaims};
use serde::{Deserialize, Serialize};

/// What somebody typed who wants an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applicant {
    /// The username; another can be chosen when the link is used.
    #[serde(rename = "u")]
    pub username: String,
    /// The name that others see; empty for none.
    #[serde(rename = "n", default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The address, not verified yet.
    #[serde(rename = "a")]
    pub address: String,
    /// The sign-in that goes on afterwards, parked under this key.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// The language of the page on which it was typed.
    #[serde(rename = "l")]
    pub language: String,
}

/// Somebody wants an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationMail {
    /// The subject of the person to be.
    #[serde(rename = "s")]
    pub sub: String,
    /// What they typed.
    #[serde(rename = "w")]
    pub applicant: Applicant,
}

impl Sealed for RegistrationMail {
    const PURPOSE: &'static str = "propusk registration mail";
}

/// What a link says once it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationLink {
    /// The subject of the person to be.
    #[serde(rename = "s")]
    pub sub: String,
    /// What they typed.
    #[serde(rename = "w")]
    pub applicant: Applicant,
    /// When it ends.
    #[serde(rename = "e")]
    pub expires_at: UnixTime,
}

impl Sealed for RegistrationLink {
    const PURPOSE: &'static str = "propusk registration link";
}

impl RegistrationLink {
    /// The page that opens the link.
    pub fn url(&self, issuer: &str, keys: &ServerKeys) -> Result<String> {
        Ok(format!("{issuer}/register/finish?token={}", self.seal(keys)?))
    }
}

/// Writes the wish down, whether or not the address belongs to somebody; one row an address.
pub fn ask(cx: &mut Cx<'_>, applicant: Applicant) -> Result<(), Fault> {
    let key = format!("register:{}", digest(&name_key(&applicant.address)));
    let sub = ids::random(cx.rng);
    put(cx, Kind::Registration, &key, &RegistrationMail { sub, applicant })
}

/// What is mailed.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The link.
    Link(Box<RegistrationLink>),
    /// That there is an account, and how its password is replaced.
    Known,
}

/// What is mailed to the address; whoever typed it learns nothing. The link ends at `expires_at`.
pub fn answer(store: &mut dyn Store, wish: &RegistrationMail, expires_at: UnixTime) -> Result<Answer> {
    if store.find_user_by_name(&name_key(&wish.applicant.address))?.is_some() {
        return Ok(Answer::Known);
    }
    let link = RegistrationLink { sub: wish.sub.clone(), applicant: wish.applicant.clone(), expires_at };
    Ok(Answer::Link(Box::new(link)))
}

/// The link, while it can be used.
pub fn open(store: &mut dyn Store, token: &str, keys: &ServerKeys, now: UnixTime) -> Result<RegistrationLink> {
    let Some(link) = RegistrationLink::open(token, keys) else {
        return Err(dead("a damaged one, or one of another installation").into());
    };
    if now >= link.expires_at {
        return Err(dead(format!("one that ended at {}", link.expires_at)).into());
    }
    judge(store, &link)?;
    Ok(link)
}

/// Adds the person with a verified address. Uniqueness is judged here again, because since the mail was sent somebody may have taken
/// username or address: [`Cause::NameTaken`], and [`open`] tells which.
pub fn complete(cx: &mut Cx<'_>, link: &RegistrationLink, username: &str, role: &str, password_hash: String) -> Result<User> {
    cx.store.take_turn()?;
    judge(cx.store, link)?;
    if is_username_taken(cx.store, username)? {
        return Err(Refusal::new(ErrorCode::Conflict, "The username is taken", Cause::NameTaken)
            .expected("a username that nobody has")
            .received(username)
            .fix("choose another")
            .into());
    }
    let applicant = &link.applicant;
    let new = NewUser {
        email: Some(applicant.address.clone()),
        name: Some(applicant.name.clone()).filter(|name| !name.is_empty()),
        password_hash: Some(password_hash),
        ..NewUser::new(username, role)
    };
    let user = users::add_as(cx, new, link.sub.clone())?;
    cx.audit(Audit::of("registered").sub(&user.sub))?;
    Ok(user)
}

/// Whether `name` can be what others see; empty for none.
pub fn can_be_name(name: &str) -> bool {
    name.is_empty() || (name.chars().count() <= LONGEST_NAME && StandardClaims::default().set("name", name).is_ok())
}

/// Whether a username is not to be had: somebody signs in with it, the chat keeps it for itself (`@all` calls everybody), or it would
/// pass for somebody's subject where an operator names people. Usernames are public in the chat, so this may be told to strangers;
/// no address can be asked for here, because a username holds no `@`.
pub fn is_username_taken(store: &mut dyn Store, username: &str) -> Result<bool> {
    let key = name_key(username);
    Ok(RESERVED_CHANNELS.contains(&key.as_str()) || store.find_user_by_name(&key)?.is_some() || store.find_user(username)?.is_some())
}

/// The longest name that others see, in characters.
const LONGEST_NAME: usize = 200;

fn judge(store: &mut dyn Store, link: &RegistrationLink) -> Result<()> {
    // The address first: whoever uses the same link in this very moment has it already, and is nobody else.
    let owner = store.find_user_by_name(&name_key(&link.applicant.address))?;
    if store.find_user(&link.sub)?.is_some() {
        return Err(dead("one that was used").into());
    }
    let filter = AuditFilter { sub: Some(link.sub.clone()), limit: 1, ..AuditFilter::default() };
    if !store.list_audit(&filter)?.is_empty() {
        return Err(dead("one that was used, by a person who was removed since").into());
    }
    if owner.is_some() {
        return Err(Refusal::new(ErrorCode::Conflict, "The address belongs to another account", Cause::NameTaken)
            .expected("an address that nobody signs in with")
            .received("one that somebody has verified since the link was sent")
            .fix("propusk user list --search ADDRESS")
            .into());
    }
    Ok(())
}

fn dead(received: impl Into<String>) -> Refusal {
    Refusal::invalid_request("The link does not work any more", Cause::MailLinkDead)
        .expected("a link that was not used and is not over")
        .received(received.into())
        .fix("ask for another link on the page where this one was asked for")
}
