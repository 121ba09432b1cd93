//! What people have allowed clients.

use crate::connection::Both;
use crate::error::StorageError;
use crate::schema::consents;
use crate::transaction::Tx;
use diesel::prelude::*;
use diesel::upsert::excluded;
use propusk_domain::records::Consent;
use propusk_domain::store::{Consents, Stored};
use propusk_domain::time::UnixTime;
use propusk_protocol::Scope;

impl Consents for Tx<'_> {
    fn find_consent(&mut self, sub: &str, client_id: &str) -> Stored<Option<Consent>> {
        let row: Option<(String, i64)> = self.run("finding a consent", |c| {
            consents::table.find((sub, client_id)).select((consents::scope, consents::granted_at)).first(c).optional()
        })?;
        let Some((scope, granted_at)) = row else { return Ok(None) };
        let scope = Scope::parse(&scope).map_err(|error| StorageError::corrupt("consents", &format!("{sub} {client_id}"), "scope", error))?;
        Ok(Some(Consent { sub: sub.to_owned(), client_id: client_id.to_owned(), scope, granted_at: UnixTime(granted_at) }))
    }

    fn list_consents(&mut self, sub: &str) -> Stored<Vec<Consent>> {
        let rows: Vec<(String, String, i64)> = self.run("listing consents", |c| {
            let own = consents::table.filter(consents::sub.eq(sub)).order(consents::client_id);
            own.select((consents::client_id, consents::scope, consents::granted_at)).load(c)
        })?;
        let consents = rows.into_iter().map(|(client_id, scope, granted_at)| {
            let corrupt = |error| StorageError::corrupt("consents", &format!("{sub} {client_id}"), "scope", error);
            let scope = Scope::parse(&scope).map_err(corrupt)?;
            Ok(Consent { sub: sub.to_owned(), client_id, scope, granted_at: UnixTime(granted_at) })
        });
        consents.collect()
    }

    fn put_consent(&mut self, consent: &Consent) -> Stored<()> {
        let row = (
            consents::sub.eq(&consent.sub),
            consents::client_id.eq(&consent.client_id),
            consents::scope.eq(consent.scope.to_string()),
            consents::granted_at.eq(consent.granted_at.0),
        );
        let newer = (consents::scope.eq(excluded(consents::scope)), consents::granted_at.eq(excluded(consents::granted_at)));
        self.run("keeping a consent", |c| {
            Both(diesel::insert_into(consents::table).values(row).on_conflict((consents::sub, consents::client_id)).do_update().set(newer)).execute(c)
        })?;
        Ok(())
    }

    fn delete_consent(&mut self, sub: &str, client_id: &str) -> Stored<bool> {
        let count = self.run("removing a consent", |c| diesel::delete(consents::table.find((sub, client_id))).execute(c))?;
        Ok(count == 1)
    }
}
