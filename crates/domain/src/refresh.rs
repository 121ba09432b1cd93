//! Refresh tokens are derived, not stored: the grant's identifier, its generation and a MAC over both under a sealed
//! key and a nonce of the grant. A copy of the database without the master key forges nothing.

use crate::context::Cx;
use crate::error::Fault;
use crate::grant::{Grant, Refresh};
use crate::ids;
use crate::keys::ServerKeys;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use propusk_crypto::{hmac_sha256, hmac_verify};

/// What a refresh token begins with, so that people and scanners recognise one.
const PREFIX: &str = "ppr_";

/// The state of a fresh grant: generation 1 is the token that the code exchange answers.
pub fn first(cx: &Cx<'_>) -> Refresh {
    Refresh { generation: 1, nonce: ids::random(cx.rng), rotated_at: cx.now }
}

/// The refresh token of a generation: `ppr_<key>.<grant>.<generation>.<mac>`.
pub fn derive(grant: &Grant, nonce: &str, generation: i64, keys: &ServerKeys) -> Result<String, Fault> {
    let key = keys.refresh.first().ok_or_else(|| Fault::broken("there is no refresh key"))?;
    let mac = URL_SAFE_NO_PAD.encode(hmac_sha256(key.key.expose(), &parts(&grant.id, &generation.to_string(), nonce)));
    Ok(format!("{PREFIX}{}.{}.{generation}.{mac}", key.kid, grant.id))
}

/// A refresh token taken apart, not yet checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnverifiedRefreshToken<'a> {
    kid: &'a str,
    /// The grant that it names.
    pub grant_id: &'a str,
    /// The generation that it claims.
    pub generation: i64,
    generation_text: &'a str,
    mac: &'a str,
}

impl<'a> UnverifiedRefreshToken<'a> {
    /// Takes a token apart; `None` when it is not one of ours.
    pub fn parse(token: &'a str) -> Option<Self> {
        let mut parts = token.strip_prefix(PREFIX)?.split('.');
        let (kid, grant_id, generation_text, mac) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let canonical = !generation_text.starts_with(['0', '+', '-']);
        let generation = generation_text.parse().ok().filter(|_| canonical)?;
        parts.next().is_none().then_some(Self { kid, grant_id, generation, generation_text, mac })
    }

    /// Whether this server made it for that grant; compared in constant time.
    pub fn is_genuine(&self, nonce: &str, keys: &ServerKeys) -> bool {
        let Some(key) = keys.refresh.iter().find(|key| key.kid == self.kid) else { return false };
        let Ok(mac) = URL_SAFE_NO_PAD.decode(self.mac) else { return false };
        hmac_verify(key.key.expose(), &parts(self.grant_id, self.generation_text, nonce), &mac)
    }
}

fn parts<'a>(grant_id: &'a str, generation: &'a str, nonce: &'a str) -> [&'a [u8]; 4] {
    [b"propusk refresh token", grant_id.as_bytes(), generation.as_bytes(), nonce.as_bytes()]
}
