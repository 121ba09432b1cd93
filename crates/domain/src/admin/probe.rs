//! A person who does not exist, for a trial of the whole way: made with a session, consent and a client secret of a few minutes, and removed
//! with everything that hangs on them.

use super::clients::SECRET_PREFIX;
use super::users::{self, NewUser};
use crate::client::{Client, ClientSecret};
use crate::context::Cx;
use crate::error::{Fault, Result};
use crate::records::Consent;
use crate::session::{self, Browser};
use crate::{UnixTime, ids};
use propusk_crypto::Secret;

/// What every trial's username begins with; 22 random characters follow.
pub const USERNAME_PREFIX: &str = "propusk-doctor-";

/// Seconds that a trial may last: its secret ends then, and the next trial removes what an interrupted one left.
const LIFETIME: i64 = 300;

/// A trial under way.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The person's subject.
    pub sub: String,
    /// The person's username.
    pub username: String,
    /// The value of the session cookie.
    pub cookie: Secret,
    /// A secret of the client, for the time of the trial; `None` for a public client or when a secret was brought along.
    pub secret: Option<Secret>,
    client_id: String,
    secret_id: Option<String>,
}

/// Makes the person, signed in, with a verified address, an ordinary role, and consent to all that the client may ask.
pub fn begin(cx: &mut Cx<'_>, client: &Client, with_secret: bool) -> Result<Probe> {
    remove_leftovers(cx)?;
    let roles = cx.store.list_roles()?;
    let role = roles.iter().find(|role| *role == "user").or(roles.first()).ok_or_else(|| Fault::broken("the site has no role"))?;
    let username = format!("{USERNAME_PREFIX}{}", propusk_crypto::random::token(cx.rng, 16));
    let mut new = NewUser::new(username.as_str(), role.as_str());
    new.name = Some("Propusk doctor".to_owned());
    new.email = Some(format!("{username}@invalid.example"));
    new.email_verified = true;
    let user = users::add(cx, new)?;
    let (_, cookie) = session::start(cx, &user, None, Browser { user_agent: Some("propusk doctor".to_owned()), address: None })?;
    let scope = client.settings.scopes.clone();
    cx.store.put_consent(&Consent { sub: user.sub.clone(), client_id: client.client_id.clone(), scope, granted_at: cx.now })?;
    let mut probe = Probe { sub: user.sub, username, cookie, secret: None, client_id: client.client_id.clone(), secret_id: None };
    if with_secret && !client.is_public() {
        let secret = Secret::generate(cx.rng, SECRET_PREFIX);
        let row = ClientSecret {
            id: ids::sortable(cx.now, cx.rng),
            hash: secret.hash(),
            created_at: cx.now,
            expires_at: Some(cx.now.plus(LIFETIME)),
            last_used_at: None,
        };
        cx.store.insert_client_secret(&client.client_id, &row)?;
        probe.secret_id = Some(row.id);
        probe.secret = Some(secret);
    }
    Ok(probe)
}

/// Removes everything that the trial made.
pub fn end(cx: &mut Cx<'_>, probe: &Probe) -> Result<()> {
    if let Some(id) = &probe.secret_id {
        cx.store.delete_client_secret(&probe.client_id, id)?;
    }
    if cx.store.find_user(&probe.sub)?.is_some() {
        users::remove(cx, &probe.sub)?;
    }
    Ok(())
}

/// The people of trials that were killed.
fn remove_leftovers(cx: &mut Cx<'_>) -> Result<()> {
    let old = |created: UnixTime, now: UnixTime| created.plus(LIFETIME) <= now;
    for user in cx.store.list_users(None, Some(USERNAME_PREFIX), 100)? {
        let random = user.username.strip_prefix(USERNAME_PREFIX).is_some_and(|rest| rest.len() == 22);
        if random && user.password_hash.is_none() && old(user.created_at, cx.now) {
            users::remove(cx, &user.sub)?;
        }
    }
    Ok(())
}
