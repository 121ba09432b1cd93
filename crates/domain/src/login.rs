//! Signing in with a password, in the order that keeps the database free: count the attempt, read, hash, then one write
//! whose guard repeats that the person is active and the credential unchanged.

use crate::cause::Cause;
use crate::context::{Audit, Cx};
use crate::error::{Error, Refusal, Result};
use crate::session::{self, Browser, Session};
use crate::store::Store;
use crate::user::{User, name_key};
use propusk_crypto::{Secret, Verdict};
use propusk_protocol::ErrorCode;

/// Who tries to sign in; nobody at all costs the same time.
pub fn find(store: &mut dyn Store, name: &str) -> Result<Option<User>> {
    Ok(store.find_user_by_name(&name_key(name))?)
}

/// Judges the password's verdict. To the person an unknown name, a wrong password and a disabled account look alike.
pub fn judge(name: &str, user: Option<User>, verdict: Verdict) -> Result<User> {
    let refuse = |cause| Refusal::new(ErrorCode::AccessDenied, "The user name or the password is wrong", cause);
    let Some(user) = user else {
        let first = name.chars().next().map(String::from).unwrap_or_default();
        return Err(refuse(Cause::UnknownUser)
            .expected("a sign-in name")
            .received(format!("{} characters beginning with {first}", name.chars().count()))
            .fix("propusk user list")
            .into());
    };
    match verdict {
        Verdict::Wrong => Err(refuse(Cause::WrongPassword)
            .expected("the password of the account")
            .received("another")
            .fix(format!("propusk user set-password {} --generate-password", user.username))
            .into()),
        Verdict::Unreadable => Err(Error::Fault(crate::Fault::broken(format!("the stored password hash of {} cannot be read", user.sub)))),
        Verdict::Right { .. } if !user.is_active() => Err(refuse(Cause::UserDisabled)
            .expected("an active account")
            .received("a disabled account")
            .fix(format!("propusk user enable {}", user.username))
            .into()),
        Verdict::Right { .. } => Ok(user),
    }
}

/// Begins the session. `rehashed` replaces the stored hash when its parameters were raised since. Refused when the person
/// was disabled or the password changed while the hash was computed.
pub fn complete(cx: &mut Cx<'_>, user: &User, rehashed: Option<&str>, previous: Option<Session>, browser: Browser) -> Result<(Session, Secret)> {
    if !cx.store.guard_user(&user.sub, user.credential_version)? {
        return Err(Refusal::new(ErrorCode::AccessDenied, "The user name or the password is wrong", Cause::WrongPassword)
            .expected("the account as it was when the password was checked")
            .received("an account disabled, or a password changed, in the same moment")
            .into());
    }
    if let Some(hash) = rehashed {
        cx.store.replace_password_hash(&user.sub, user.credential_version, hash)?;
    }
    let (session, cookie) = session::start(cx, user, previous, browser)?;
    let event = Audit::of("signed_in").sub(&user.sub);
    cx.audit(match &session.address {
        Some(address) => event.detail(address.clone()),
        None => event,
    })?;
    Ok((session, cookie))
}
