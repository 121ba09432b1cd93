//! Mails that wait in the outbox. A row says who asked for what; whether anybody gets a mail is found out when the row is
//! delivered, so that asking costs and answers the same for people who exist and people who do not.

use crate::context::{Audit, Cx};
use crate::error::{Fault, Result};
use crate::flow::Sealed;
use crate::keys::ServerKeys;
use crate::outbox::{Message, Topic, enqueue};
use crate::password_link::PasswordLink;
use crate::store::Store;
use crate::time::UnixTime;
use crate::user::{User, name_key};
use propusk_crypto::digest;
use serde::{Deserialize, Serialize};

/// Seconds that a mailed link works: what lies in a mailbox is not to be found there later.
pub const MAILED_LINK: i64 = 3600;

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

/// What the row holds.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    sealed: String,
}

/// Writes the wish down, whether or not anybody has the name; one row a name.
pub fn ask(cx: &mut Cx<'_>, mail: &PasswordMail) -> Result<(), Fault> {
    let key = format!("password:{}", digest(&name_key(&mail.name)));
    let body = Body { sealed: mail.seal(cx.keys)? };
    enqueue(cx, Topic::Mail, &key, &key, &body)
}

/// What the row asks for; `None` when its key has been replaced since, and whoever asked has to ask again.
pub fn read(message: &Message, keys: &ServerKeys) -> Result<Option<PasswordMail>, Fault> {
    Ok(PasswordMail::open(&message.read::<Body>()?.sealed, keys))
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

/// Who gets the mail: an active person with a verified address.
pub fn address(store: &mut dyn Store, mail: &PasswordMail, now: UnixTime) -> Result<Option<Addressed>> {
    let Some(user) = store.find_user_by_name(&name_key(&mail.name))?.filter(User::is_active) else { return Ok(None) };
    let Some(address) = verified_address(&user).map(str::to_owned) else { return Ok(None) };
    let link = PasswordLink {
        sub: user.sub.clone(),
        version: user.credential_version,
        expires_at: now.plus(MAILED_LINK),
        address: Some(digest(&address)),
        flow: mail.flow.clone(),
    };
    Ok(Some(Addressed { user, address, link }))
}

/// The address that is known to be the person's.
pub(crate) fn verified_address(user: &User) -> Option<&str> {
    user.claims.email.as_deref().filter(|_| user.claims.email_verified == Some(true))
}

/// The mail was taken by the mail server.
pub fn sent(cx: &mut Cx<'_>, sub: &str) -> Result<()> {
    Ok(cx.audit(Audit::of("password_mail_sent").sub(sub))?)
}
