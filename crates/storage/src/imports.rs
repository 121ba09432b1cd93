//! What was taken over from another site.

use crate::connection::{Both, MultiBackend};
use crate::error::StorageError;
use crate::schema::{adopted_tokens, client_secrets, imported_clients, imported_users};
use crate::transaction::Tx;
use diesel::prelude::*;
use propusk_crypto::ForeignHash;
use propusk_domain::imported::{AdoptedKind, AdoptedToken, ImportedClient, ImportedUser, Imports};
use propusk_domain::records::ChangeKind;
use propusk_domain::store::Stored;
use propusk_domain::time::UnixTime;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = imported_users, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
struct ImportedRow {
    site_key: String,
    sub: String,
    source_digest: String,
    local_digest: String,
    cost: Option<String>,
}

type AdoptedRow = (String, String, String, i64, Option<i64>);

impl Imports for Tx<'_> {
    fn find_imported_user(&mut self, site_key: &str) -> Stored<Option<ImportedUser>> {
        let row: Option<ImportedRow> =
            self.run("finding an imported person", |c| imported_users::table.find(site_key).select(ImportedRow::as_select()).first(c).optional())?;
        Ok(row.map(ImportedUser::from))
    }

    fn find_imported_by_sub(&mut self, sub: &str) -> Stored<Option<ImportedUser>> {
        let row: Option<ImportedRow> = self.run("finding where a person came from", |c| {
            imported_users::table.filter(imported_users::sub.eq(sub)).select(ImportedRow::as_select()).first(c).optional()
        })?;
        Ok(row.map(ImportedUser::from))
    }

    fn put_imported_user(&mut self, row: &ImportedUser) -> Stored<()> {
        self.run("forgetting an imported person", |c| diesel::delete(imported_users::table.find(&row.site_key)).execute(c))?;
        let row = ImportedRow {
            site_key: row.site_key.clone(),
            sub: row.sub.clone(),
            source_digest: row.source_digest.clone(),
            local_digest: row.local_digest.clone(),
            cost: row.cost.clone(),
        };
        self.run("keeping an imported person", |c| diesel::insert_into(imported_users::table).values(row).execute(c))?;
        Ok(())
    }

    fn find_imported_client(&mut self, client_id: &str) -> Stored<Option<ImportedClient>> {
        let row: Option<(String, String, String, String)> =
            self.run("finding an imported client", |c| imported_clients::table.find(client_id).first(c).optional())?;
        Ok(row.map(|(client_id, source_digest, secret_digest, local_digest)| ImportedClient {
            client_id,
            source_digest,
            secret_digest,
            local_digest,
        }))
    }

    fn put_imported_client(&mut self, row: &ImportedClient) -> Stored<()> {
        self.run("forgetting an imported client", |c| diesel::delete(imported_clients::table.find(&row.client_id)).execute(c))?;
        let row = (
            imported_clients::client_id.eq(&row.client_id),
            imported_clients::source_digest.eq(&row.source_digest),
            imported_clients::secret_digest.eq(&row.secret_digest),
            imported_clients::local_digest.eq(&row.local_digest),
        );
        self.run("keeping an imported client", |c| diesel::insert_into(imported_clients::table).values(row).execute(c))?;
        Ok(())
    }

    fn commonest_imported_cost(&mut self) -> Stored<Option<String>> {
        let rows: Vec<(Option<String>, i64)> = self.run("counting imported hashes", |c| {
            imported_users::table
                .filter(imported_users::cost.is_not_null())
                .group_by(imported_users::cost)
                .select((imported_users::cost, diesel::dsl::count(imported_users::cost)))
                .load(c)
        })?;
        Ok(rows.into_iter().max_by(|(a, m), (b, n)| m.cmp(n).then_with(|| b.cmp(a))).and_then(|(cost, _)| cost))
    }

    fn insert_adopted_token(&mut self, token: &AdoptedToken) -> Stored<bool> {
        let row = (
            adopted_tokens::digest.eq(&token.digest),
            adopted_tokens::kind.eq(token.kind.as_str()),
            adopted_tokens::grant_id.eq(&token.grant_id),
            adopted_tokens::issued_at.eq(token.issued_at.0),
            adopted_tokens::expires_at.eq(token.expires_at.map(|at| at.0)),
        );
        let count =
            self.run("adopting a token", |c| Both(diesel::insert_into(adopted_tokens::table).values(row).on_conflict_do_nothing()).execute(c))?;
        Ok(count == 1)
    }

    fn find_adopted_token(&mut self, digest: &str) -> Stored<Option<AdoptedToken>> {
        let row: Option<AdoptedRow> = self.run("finding an adopted token", |c| adopted_tokens::table.find(digest).first(c).optional())?;
        row.map(adopted).transpose()
    }

    fn list_adopted_tokens(&mut self, after: Option<&str>, limit: i64) -> Stored<Vec<AdoptedToken>> {
        let after = after.unwrap_or_default();
        let rows: Vec<AdoptedRow> = self.run("listing adopted tokens", |c| {
            adopted_tokens::table.filter(adopted_tokens::digest.gt(after)).order(adopted_tokens::digest).limit(limit).load(c)
        })?;
        rows.into_iter().map(adopted).collect()
    }

    fn delete_adopted_token(&mut self, digest: &str) -> Stored<bool> {
        let count = self.run("ending an adopted token", |c| diesel::delete(adopted_tokens::table.find(digest)).execute(c))?;
        Ok(count == 1)
    }

    fn replace_secret_hash(&mut self, client_id: &str, id: &str, from: &str, to: &str) -> Stored<bool> {
        let count = self.run("replacing the hash of a secret", |c| {
            diesel::update(client_secrets::table.find(id).filter(client_secrets::client_id.eq(client_id)).filter(client_secrets::hash.eq(from)))
                .set(client_secrets::hash.eq(to))
                .execute(c)
        })?;
        if count == 1 {
            self.changed(ChangeKind::Client, client_id);
        }
        Ok(count == 1)
    }
}

fn adopted((digest, kind, grant_id, issued_at, expires_at): AdoptedRow) -> Stored<AdoptedToken> {
    let kind = AdoptedKind::parse(&kind).ok_or_else(|| StorageError::corrupt("adopted_tokens", &digest, "kind", "is no kind"))?;
    Ok(AdoptedToken { digest, kind, grant_id, issued_at: UnixTime(issued_at), expires_at: expires_at.map(UnixTime) })
}

impl From<ImportedRow> for ImportedUser {
    fn from(row: ImportedRow) -> Self {
        Self { site_key: row.site_key, sub: row.sub, source_digest: row.source_digest, local_digest: row.local_digest, cost: row.cost }
    }
}

impl Tx<'_> {
    /// The person's password is not the imported one any more (or never was one).
    pub(crate) fn password_replaced(&mut self, sub: &str, hash: Option<&str>) -> Stored<()> {
        if hash.is_some_and(ForeignHash::is_foreign) {
            return Ok(());
        }
        self.run("forgetting an imported hash", |c| {
            diesel::update(imported_users::table.filter(imported_users::sub.eq(sub)).filter(imported_users::cost.is_not_null()))
                .set(imported_users::cost.eq(None::<String>))
                .execute(c)
        })?;
        Ok(())
    }
}
