//! The chat's login tokens at rest: sealed, one a session.

use propusk_crypto::{MasterKey, Secret};
use propusk_domain::Fault;
use propusk_domain::chat::{ChatToken, token_purpose};

/// The token in the clear.
pub(super) fn open(master: &MasterKey, row: &ChatToken) -> Result<Secret, Fault> {
    let plain = master.open(&token_purpose(&row.sid), &row.sealed)?;
    Ok(Secret::new(String::from_utf8(plain.to_vec()).map_err(Fault::broken)?))
}

/// The sealed form.
pub(super) fn seal(master: &MasterKey, sid: &str, token: &Secret) -> String {
    master.seal(&token_purpose(sid), token.expose().as_bytes())
}
