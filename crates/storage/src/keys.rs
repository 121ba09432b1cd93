//! Sealed keys.

use crate::connection::{Both, MultiBackend};
use crate::error::StorageError;
use crate::schema::sealed_keys;
use crate::transaction::Tx;
use diesel::prelude::*;
use propusk_domain::Fault;
use propusk_domain::records::{ChangeKind, KeyPurpose, KeyRow};
use propusk_domain::store::{Keys, Stored};
use propusk_domain::time::UnixTime;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sealed_keys, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
struct SealedRow {
    kid: String,
    purpose: String,
    sealed: String,
    created_at: i64,
    active_from: i64,
    published_until: Option<i64>,
}

impl Keys for Tx<'_> {
    fn list_keys(&mut self) -> Stored<Vec<KeyRow>> {
        let rows = self.run("listing keys", |c| {
            sealed_keys::table.order((sealed_keys::created_at, sealed_keys::active_from, sealed_keys::kid)).select(SealedRow::as_select()).load(c)
        })?;
        rows.into_iter().map(KeyRow::try_from).collect()
    }

    fn insert_key(&mut self, key: &KeyRow) -> Stored<bool> {
        let row = SealedRow {
            kid: key.kid.clone(),
            purpose: key.purpose.as_str().to_owned(),
            sealed: key.sealed.clone(),
            created_at: key.created_at.0,
            active_from: key.active_from.0,
            published_until: key.published_until.map(|at| at.0),
        };
        let count = self.run("adding a key", |c| Both(diesel::insert_into(sealed_keys::table).values(row).on_conflict_do_nothing()).execute(c))?;
        if count == 1 {
            self.changed(ChangeKind::Keys, "");
        }
        Ok(count == 1)
    }

    fn update_key(&mut self, kid: &str, active_from: UnixTime, published_until: Option<UnixTime>) -> Stored<bool> {
        let count = self.run("changing a key", |c| {
            diesel::update(sealed_keys::table.find(kid))
                .set((sealed_keys::active_from.eq(active_from.0), sealed_keys::published_until.eq(published_until.map(|at| at.0))))
                .execute(c)
        })?;
        if count == 1 {
            self.changed(ChangeKind::Keys, "");
        }
        Ok(count == 1)
    }

    fn delete_key(&mut self, kid: &str) -> Stored<bool> {
        let count = self.run("removing a key", |c| diesel::delete(sealed_keys::table.find(kid)).execute(c))?;
        if count == 1 {
            self.changed(ChangeKind::Keys, "");
        }
        Ok(count == 1)
    }
}

impl TryFrom<SealedRow> for KeyRow {
    type Error = Fault;

    fn try_from(row: SealedRow) -> Result<Self, Fault> {
        let purpose = KeyPurpose::parse(&row.purpose).ok_or_else(|| StorageError::corrupt("sealed_keys", &row.kid, "purpose", "is no purpose"))?;
        Ok(Self {
            kid: row.kid,
            purpose,
            sealed: row.sealed,
            created_at: UnixTime(row.created_at),
            active_from: UnixTime(row.active_from),
            published_until: row.published_until.map(UnixTime),
        })
    }
}
