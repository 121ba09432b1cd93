//! Personal access tokens.

use crate::connection::MultiBackend;
use crate::error::StorageError;
use crate::schema::personal_tokens;
use crate::transaction::Tx;
use diesel::prelude::*;
use propusk_domain::Fault;
use propusk_domain::personal_token::PersonalToken;
use propusk_domain::store::{PersonalTokens, Stored};
use propusk_domain::time::UnixTime;
use propusk_protocol::Scope;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = personal_tokens, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
struct TokenRow {
    id: String,
    digest: String,
    sub: Option<String>,
    client_id: Option<String>,
    name: String,
    scope: String,
    created_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
    last_used_at: Option<i64>,
}

impl PersonalTokens for Tx<'_> {
    fn find_personal_token(&mut self, digest: &str) -> Stored<Option<PersonalToken>> {
        let row = self.run("finding a personal token", |c| {
            personal_tokens::table.filter(personal_tokens::digest.eq(digest)).select(TokenRow::as_select()).first(c).optional()
        })?;
        row.map(PersonalToken::try_from).transpose()
    }

    fn find_personal_token_by_id(&mut self, id: &str) -> Stored<Option<PersonalToken>> {
        let row = self.run("finding a personal token", |c| personal_tokens::table.find(id).select(TokenRow::as_select()).first(c).optional())?;
        row.map(PersonalToken::try_from).transpose()
    }

    fn list_personal_tokens(&mut self, sub: Option<&str>, client_id: Option<&str>) -> Stored<Vec<PersonalToken>> {
        let mut query = personal_tokens::table.filter(personal_tokens::revoked_at.is_null()).into_boxed::<MultiBackend>();
        if let Some(sub) = sub {
            query = query.filter(personal_tokens::sub.eq(sub));
        }
        if let Some(client_id) = client_id {
            query = query.filter(personal_tokens::client_id.eq(client_id));
        }
        let rows = self.run("listing personal tokens", |c| query.order(personal_tokens::id.desc()).select(TokenRow::as_select()).load(c))?;
        rows.into_iter().map(PersonalToken::try_from).collect()
    }

    fn insert_personal_token(&mut self, token: &PersonalToken) -> Stored<()> {
        let row = TokenRow {
            id: token.id.clone(),
            digest: token.digest.clone(),
            sub: token.sub.clone(),
            client_id: token.client_id.clone(),
            name: token.name.clone(),
            scope: token.scope.to_string(),
            created_at: token.created_at.0,
            expires_at: token.expires_at.0,
            revoked_at: token.revoked_at.map(|at| at.0),
            last_used_at: token.last_used_at.map(|at| at.0),
        };
        self.run("adding a personal token", |c| diesel::insert_into(personal_tokens::table).values(row).execute(c))?;
        Ok(())
    }

    fn revoke_personal_token(&mut self, id: &str, at: UnixTime) -> Stored<bool> {
        let count = self.run("revoking a personal token", |c| {
            let live = personal_tokens::table.find(id).filter(personal_tokens::revoked_at.is_null());
            diesel::update(live).set(personal_tokens::revoked_at.eq(at.0)).execute(c)
        })?;
        Ok(count == 1)
    }

    fn revoke_personal_tokens_of(&mut self, sub: &str, at: UnixTime) -> Stored<usize> {
        self.run("revoking a person's tokens", |c| {
            let live = personal_tokens::table.filter(personal_tokens::sub.eq(sub)).filter(personal_tokens::revoked_at.is_null());
            diesel::update(live).set(personal_tokens::revoked_at.eq(at.0)).execute(c)
        })
    }

    fn touch_personal_token(&mut self, id: &str, at: UnixTime) -> Stored<()> {
        self.run("touching a personal token", |c| {
            let older = personal_tokens::last_used_at.is_null().or(personal_tokens::last_used_at.lt(at.0));
            diesel::update(personal_tokens::table.find(id).filter(older)).set(personal_tokens::last_used_at.eq(at.0)).execute(c)
        })?;
        Ok(())
    }
}

impl TryFrom<TokenRow> for PersonalToken {
    type Error = Fault;

    fn try_from(row: TokenRow) -> Result<Self, Fault> {
        let scope = Scope::parse(&row.scope).map_err(|error| StorageError::corrupt("personal_tokens", &row.id, "scope", error))?;
        Ok(Self {
            id: row.id,
            digest: row.digest,
            sub: row.sub,
            client_id: row.client_id,
            name: row.name,
            scope,
            created_at: UnixTime(row.created_at),
            expires_at: UnixTime(row.expires_at),
            revoked_at: row.revoked_at.map(UnixTime),
            last_used_at: row.last_used_at.map(UnixTime),
        })
    }
}
