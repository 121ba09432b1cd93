//! What people do with their own account.

use crate::admin::users::{self, UserPatch};
use crate::cause::Cause;
use crate::context::{Audit, Cx};
use crate::error::{Refusal, Result};
use crate::grant::Revocation;
use crate::session::{self, Browser, Session};
use crate::store::GrantsOf;
use crate::user::User;
use propusk_crypto::Secret;
use propusk_protocol::ErrorCode;

/// Replaces the password of a person who has just proved the old one: everything they are signed in to ends, applications
/// included, but `here`, the session of this browser, and its applications. That session gets another cookie: a stolen copy of the old
/// one is what people change passwords for. `user` is the person as read before the new hash was computed.
pub fn change_password(cx: &mut Cx<'_>, user: &User, password_hash: String, here: Session, browser: Browser) -> Result<(Session, Secret)> {
    cx.store.take_turn()?;
    must_be_as_checked(cx, user)?;
    let user = users::set_password_in(cx, &user.sub, password_hash, &here.sid)?;
    session::start(cx, &user, Some(here), browser)
}

/// Refuses when the account is not the one whose password was checked any more, and keeps it so until the transaction ends.
pub(crate) fn must_be_as_checked(cx: &mut Cx<'_>, user: &User) -> Result<()> {
    if !cx.store.guard_user(&user.sub, user.credential_version)? {
        return Err(Refusal::new(ErrorCode::AccessDenied, "The user name or the password is wrong", Cause::WrongPassword)
            .expected("the account as it was when the password was checked")
            .received("an account disabled, or a password changed, in the same moment")
            .fix("try again")
            .into());
    }
    Ok(())
}

/// Changes the name that people see and the language of the pages; true when anything changed. An empty name clears it.
pub fn set_profile(cx: &mut Cx<'_>, sub: &str, name: &str, language: &str) -> Result<bool> {
    let before = cx.store.find_user(sub)?;
    let same_language = before.as_ref().and_then(|user| user.locale.as_deref()).unwrap_or_default() == language;
    let patch = UserPatch {
        name: Some(name.trim().to_owned()),
        // A longer tag of the same language (`ru-RU`) stays as it is.
        locale: (!same_language).then(|| language.to_owned()),
        ..UserPatch::default()
    };
    Ok(!users::set(cx, sub, &patch)?.1.is_empty())
}

/// Ends one session of the person; false when it is not theirs or has ended.
pub fn end_session(cx: &mut Cx<'_>, sub: &str, sid: &str) -> Result<bool> {
    match cx.store.find_session_by_sid(sid)?.filter(|session| session.sub == sub) {
        Some(session) => session::end(cx, &session, Revocation::Logout),
        None => Ok(false),
    }
}

/// Takes back what the person allowed a client, and with it every token that the client has of theirs.
pub fn withdraw(cx: &mut Cx<'_>, sub: &str, client_id: &str) -> Result<bool> {
    if !cx.store.delete_consent(sub, client_id)? {
        return Ok(false);
    }
    let revoked = cx.store.revoke_grants(GrantsOf::UserAtClient(sub, client_id), cx.now)?.len();
    cx.audit(Audit::of("consent_withdrawn").sub(sub).client(client_id).detail(format!("{revoked} grants")))?;
    Ok(true)
}
