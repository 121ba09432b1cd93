//! The server's keys: made, unsealed, rotated.

use crate::context::{Audit, Cx};
use crate::error::{Fault, Refusal, Result};
use crate::records::{KeyPurpose, KeyRow};
use crate::time::UnixTime;
use propusk_crypto::random::token;
use propusk_crypto::{Algorithm, KeyRing, MasterKey, Random, RingKey, SealingKey, SigningKey};

/// The unsealed keys of a running process.
#[derive(Clone, Default)]
pub struct ServerKeys {
    /// What signs and verifies tokens.
    pub ring: KeyRing,
    /// What derives refresh tokens, newest first.
    pub refresh: Vec<SymmetricKey>,
    /// What seals flows, newest first.
    pub flow: Vec<SymmetricKey>,
}

/// A named symmetric key.
#[derive(Clone)]
pub struct SymmetricKey {
    /// Its identifier.
    pub kid: String,
    /// Its 32 bytes, ready to seal or derive.
    pub key: SealingKey,
}

impl ServerKeys {
    /// Whether every algorithm can sign now and flows and refresh tokens can be made.
    pub fn can_serve(&self, now: UnixTime) -> bool {
        Algorithm::ALL.iter().all(|algorithm| self.ring.signer(*algorithm, now.0).is_some()) && !self.refresh.is_empty() && !self.flow.is_empty()
    }
}

/// Makes the keys that are missing: one a purpose, used at once.
pub fn create_missing(store: &mut dyn crate::store::Store, master: &MasterKey, rng: &dyn Random, now: UnixTime) -> Result<bool> {
    store.take_turn()?;
    let existing = store.list_keys()?;
    let mut made = false;
    for purpose in purposes() {
        if existing.iter().all(|key| key.purpose != purpose) {
            made |= store.insert_key(&make(purpose, master, rng, now, now)?)?;
        }
    }
    Ok(made)
}

/// Unseals every key; a fault names the key that does not open.
pub fn unseal(rows: &[KeyRow], master: &MasterKey) -> Result<ServerKeys, Fault> {
    let mut keys = ServerKeys::default();
    // The key that is not replaced counts as the newest, also when it was made in the same second as the one before.
    let mut rows: Vec<&KeyRow> = rows.iter().collect();
    rows.sort_by_key(|row| (row.active_from, row.published_until.is_none()));
    for row in rows {
        let plain = master.open(&associated_data(row.purpose, &row.kid), &row.sealed)?;
        match row.purpose {
            KeyPurpose::Sign(algorithm) => {
                let signing = SigningKey::from_pkcs8(algorithm, &plain)?;
                keys.ring.keys.push(RingKey {
                    verifying: signing.verifying_key(),
                    signing: Some(signing),
                    active_from: row.active_from.0,
                    published_until: row.published_until.map(|end| end.0),
                });
            }
            KeyPurpose::Refresh => keys.refresh.insert(0, symmetric(row, &plain)?),
            KeyPurpose::Flow => keys.flow.insert(0, symmetric(row, &plain)?),
        }
    }
    Ok(keys)
}

/// Rotates the keys of one purpose: a new one is published at once and used after `policy.key_announcement` (or now,
/// with `at_once`); those before it stay published as long as anything they made can live (`longest`, seconds). One that was announced
/// for later than the new one begins has made nothing and goes, so that it never takes over from it.
pub fn rotate(cx: &mut Cx<'_>, purpose: KeyPurpose, master: &MasterKey, at_once: bool, longest: i64) -> Result<KeyRow> {
    cx.store.take_turn()?;
    let symmetric = !matches!(purpose, KeyPurpose::Sign(_));
    let active_from = if at_once || symmetric { cx.now } else { cx.now.plus(cx.policy.key_announcement) };
    let row = make(purpose, master, cx.rng, cx.now, active_from)?;
    for old in cx.store.list_keys()?.into_iter().filter(|old| old.purpose == purpose && old.published_until.is_none()) {
        if old.active_from > active_from {
            remove(cx, &old)?;
        } else {
            cx.store.update_key(&old.kid, old.active_from, Some(active_from.plus(longest)))?;
        }
    }
    cx.store.insert_key(&row)?;
    cx.audit(Audit::of("key_rotated").detail(format!("{} {}", purpose.as_str(), row.kid)))?;
    Ok(row)
}

/// Removes keys that nothing living was made with; how many.
pub fn remove_ended(cx: &mut Cx<'_>) -> Result<usize> {
    let mut removed = 0;
    for key in cx.store.list_keys()? {
        removed += usize::from(key.published_until.is_some_and(|end| end <= cx.now) && remove(cx, &key)?);
    }
    Ok(removed)
}

fn remove(cx: &mut Cx<'_>, key: &KeyRow) -> Result<bool> {
    let removed = cx.store.delete_key(&key.kid)?;
    if removed {
        cx.audit(Audit::of("key_removed").detail(format!("{} {}", key.purpose.as_str(), key.kid)))?;
    }
    Ok(removed)
}

fn purposes() -> impl Iterator<Item = KeyPurpose> {
    Algorithm::ALL.into_iter().map(KeyPurpose::Sign).chain([KeyPurpose::Refresh, KeyPurpose::Flow])
}

fn make(purpose: KeyPurpose, master: &MasterKey, rng: &dyn Random, now: UnixTime, active_from: UnixTime) -> Result<KeyRow, Fault> {
    let (kid, plain) = match purpose {
        KeyPurpose::Sign(algorithm) => {
            let (key, pkcs8) = SigningKey::generate(algorithm)?;
            (key.kid.clone(), pkcs8.to_vec())
        }
        KeyPurpose::Refresh | KeyPurpose::Flow => {
            let mut bytes = vec![0_u8; 32];
            rng.fill(&mut bytes);
            (token(rng, 6), bytes)
        }
    };
    let sealed = master.seal(&associated_data(purpose, &kid), &plain);
    Ok(KeyRow { sealed, kid, purpose, created_at: now, active_from, published_until: None })
}

fn symmetric(row: &KeyRow, plain: &[u8]) -> Result<SymmetricKey, Fault> {
    Ok(SymmetricKey { kid: row.kid.clone(), key: SealingKey::from_bytes(plain)? })
}

/// Binds a sealed key to its purpose and name, so that rows cannot be swapped.
fn associated_data(purpose: KeyPurpose, kid: &str) -> String {
    format!("propusk key {} {kid}", purpose.as_str())
}

/// The refusal for a purpose that does not exist.
pub fn unknown_purpose(name: &str) -> Refusal {
    Refusal::invalid_request("There is no such kind of key", crate::Cause::MalformedRequest)
        .expected("RS256, ES256, EdDSA, refresh or flow")
        .received(name)
}
