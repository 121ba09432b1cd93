//! Mails that wait in the outbox. A row says who asked for what; whether anybody gets a mail, and which, is found out when the row is
//! delivered, so that asking costs and answers the same for people who exist and people who do not.

use crate::context::{Audit, Cx};
use crate::email_change::{AddressMail, AddressNotice};
use crate::error::{Fault, Result};
use crate::flow::Sealed;
use crate::keys::ServerKeys;
use crate::outbox::{Message, Topic, enqueue};
use crate::password_link::PasswordLink;
use crate::registration::RegistrationMail;
use crate::store::Store;
use crate::time::UnixTime;
use crate::user::{MAX_SIGN_IN_NAME, User, name_key};
use propusk_crypto::digest;
use propusk_protocol::StandardClaims;
use serde::{Deserialize, Serialize};

/// Somebody has forgotten a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordMail {
    /// What was typed as the name: anything, so the row holds it sealed.
    #[serde(rename = "n")]
    pub name: String,
    /// The sign-in that goes on afterwards, parked under this key.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// The language of the page on which it was asked.
    #[serde(rename = "l")]
    pub language: String,
}

impl Sealed for PasswordMail {
    const PURPOSE: &'static str = "propusk password mail";
}

/// What a row asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A link to set a password, to whoever has the name.
    Password(PasswordMail),
    /// A link to an address that somebody wants to have.
    Address(AddressMail),
    /// A word to the address that somebody has, or had.
    Notice(AddressNotice),
    /// A link to make an account.
    Registration(RegistrationMail),
}

/// Which of them, in the clear: each is sealed for a purpose of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    #[default]
    Password,
    Address,
    Notice,
    Registration,
}

/// What the row holds: names and addresses are personal, so they are sealed.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    #[serde(default)]
    kind: Kind,
    sealed: String,
}

/// Writes the wish down, whether or not anybody has the name; one row a name.
pub fn ask(cx: &mut Cx<'_>, mail: &PasswordMail) -> Result<(), Fault> {
    let key = format!("password:{}", digest(&name_key(&mail.name)));
    put(cx, Kind::Password, &key, mail)
}

/// Puts a wish into the outbox; a newer one of the same key takes its place.
pub(crate) fn put(cx: &mut Cx<'_>, kind: Kind, key: &str, wish: &impl Sealed) -> Result<(), Fault> {
    let body = Body { kind, sealed: wish.seal(cx.keys)? };
    enqueue(cx, Topic::Mail, key, key, &body)
}

/// What the row asks for; `None` when its key has been replaced since, and whoever asked has to ask again.
pub fn read(message: &Message, keys: &ServerKeys) -> Result<Option<Wish>, Fault> {
    let Body { kind, sealed } = message.read()?;
    Ok(match kind {
        Kind::Password => PasswordMail::open(&sealed, keys).map(Wish::Password),
        Kind::Address => AddressMail::open(&sealed, keys).map(Wish::Address),
        Kind::Notice => AddressNotice::open(&sealed, keys).map(Wish::Notice),
        Kind::Registration => RegistrationMail::open(&sealed, keys).map(Wish::Registration),
    })
}

/// A link on its way to somebody.
#[derive(Debug, Clone)]
pub struct Addressed {
    /// The person.
    pub user: User,
    /// Their verified address.
    pub address: String,
    /// The link: it dies with the address, because the mailbox may become another's.
    pub link: PasswordLink,
}

/// Who gets the mail: an active person with a verified address. The link ends at `expires_at`.
pub fn address(store: &mut dyn Store, mail: &PasswordMail, expires_at: UnixTime) -> Result<Option<Addressed>> {
    let Some(user) = store.find_user_by_name(&name_key(&mail.name))?.filter(User::is_active) else { return Ok(None) };
    let Some(address) = verified_address(&user).map(str::to_owned) else { return Ok(None) };
    let link = PasswordLink {
        sub: user.sub.clone(),
        version: user.credential_version,
        expires_at,
        address: Some(digest(&address)),
        flow: mail.flow.clone(),
    };
    Ok(Some(Addressed { user, address, link }))
}

/// The address that is known to be the person's.
pub(crate) fn verified_address(user: &User) -> Option<&str> {
    user.claims.email.as_deref().filter(|_| user.claims.email_verified == Some(true))
}

/// Whether `text` has the form of an address that a person can have and sign in with: one `@`, no white space, no control character,
/// nothing that a header of a mail would read as more than one mailbox.
pub fn is_address(text: &str) -> bool {
    text.chars().count() <= MAX_SIGN_IN_NAME && StandardClaims::default().set("email", text).is_ok()
}

/// The mail was taken by the mail server.
pub fn sent(cx: &mut Cx<'_>, sub: &str) -> Result<()> {
    Ok(cx.audit(Audit::of("password_mail_sent").sub(sub))?)
}
