//! Grants: the three gates (redeem, rotate, revoke) are one guarded UPDATE each, and the row count decides who won.

use crate::connection::{Both, MultiBackend, Sql};
use crate::error::StorageError;
use crate::schema::{denied_tokens, grants};
use crate::transaction::Tx;
use diesel::prelude::*;
use propusk_domain::Fault;
use propusk_domain::grant::{Code, Grant, Refresh};
use propusk_domain::records::ChangeKind;
use propusk_domain::store::{Grants, GrantsOf, Stored};
use propusk_domain::time::UnixTime;
use propusk_protocol::{CodeChallenge, Scope};

/// More revocations than this in one transaction are recorded as one change of all grants.
const MANY: usize = 100;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = grants, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
struct GrantRow {
    id: String,
    sub: Option<String>,
    client_id: String,
    scope: String,
    sid: Option<String>,
    offline: bool,
    auth_time: Option<i64>,
    amr: String,
    nonce: Option<String>,
    code_digest: Option<String>,
    code_redirect_uri: Option<String>,
    code_redirect_uri_was_sent: Option<bool>,
    code_challenge: Option<String>,
    code_expires_at: Option<i64>,
    code_redeemed_at: Option<i64>,
    refresh_generation: Option<i64>,
    refresh_nonce: Option<String>,
    refresh_rotated_at: Option<i64>,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl Grants for Tx<'_> {
    fn find_grant(&mut self, id: &str) -> Stored<Option<Grant>> {
        let row = self.run("finding a grant", |c| grants::table.find(id).select(GrantRow::as_select()).first(c).optional())?;
        row.map(Grant::try_from).transpose()
    }

    fn find_grant_by_code(&mut self, code_digest: &str) -> Stored<Option<Grant>> {
        let row = self.run("finding a grant by its code", |c| {
            grants::table.filter(grants::code_digest.eq(code_digest)).select(GrantRow::as_select()).first(c).optional()
        })?;
        row.map(Grant::try_from).transpose()
    }

    fn list_grants(&mut self, sub: Option<&str>, client_id: Option<&str>, limit: i64) -> Stored<Vec<Grant>> {
        let mut query = grants::table.filter(grants::revoked_at.is_null()).into_boxed::<MultiBackend>();
        if let Some(sub) = sub {
            query = query.filter(grants::sub.eq(sub));
        }
        if let Some(client_id) = client_id {
            query = query.filter(grants::client_id.eq(client_id));
        }
        let rows = self.run("listing grants", |c| {
            query.order((grants::created_at.desc(), grants::id.desc())).limit(limit).select(GrantRow::as_select()).load(c)
        })?;
        rows.into_iter().map(Grant::try_from).collect()
    }

    fn find_session_grant(&mut self, sid: &str, client_id: &str) -> Stored<Option<String>> {
        self.run("finding a session's grant", |c| {
            let of_session = grants::table.filter(grants::sid.eq(sid)).filter(grants::client_id.eq(client_id));
            of_session.order((grants::created_at.desc(), grants::id.desc())).select(grants::id).first(c).optional()
        })
    }

    fn insert_grant(&mut self, grant: &Grant) -> Stored<()> {
        let row = GrantRow::try_from(grant)?;
        self.run("adding a grant", |c| diesel::insert_into(grants::table).values(row).execute(c))?;
        Ok(())
    }

    fn redeem_code(&mut self, id: &str, now: UnixTime) -> Stored<bool> {
        const REDEEM: &str = "UPDATE grants SET code_redeemed_at = ? WHERE id = ? AND code_digest IS NOT NULL AND code_redeemed_at IS NULL \
                              AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)";
        let count = self.run("redeeming a code", |c| Sql::<3>::new(REDEEM, [now.0.into(), id.into(), now.0.into()]).execute(c))?;
        Ok(count == 1)
    }

    fn advance_refresh(&mut self, id: &str, from: i64, to: i64, now: UnixTime) -> Stored<bool> {
        const ADVANCE: &str = "UPDATE grants SET refresh_generation = ?, refresh_rotated_at = ? WHERE id = ? AND refresh_generation = ? \
                               AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)";
        let values = [to.into(), now.0.into(), id.into(), from.into(), now.0.into()];
        let count = self.run("rotating a refresh token", |c| Sql::<5>::new(ADVANCE, values).execute(c))?;
        Ok(count == 1)
    }

    fn revoke_grants(&mut self, which: GrantsOf<'_>, at: UnixTime) -> Stored<Vec<String>> {
        let live = grants::table.filter(grants::revoked_at.is_null());
        let revoked = grants::revoked_at.eq(at.0);
        let ids: Vec<String> = self.run("revoking grants", |c| match which {
            GrantsOf::Id(id) => diesel::update(live.filter(grants::id.eq(id))).set(revoked).returning(grants::id).get_results(c),
            GrantsOf::Session(sid) => {
                diesel::update(live.filter(grants::sid.eq(sid)).filter(grants::offline.eq(false))).set(revoked).returning(grants::id).get_results(c)
            }
            GrantsOf::User(sub) => diesel::update(live.filter(grants::sub.eq(sub))).set(revoked).returning(grants::id).get_results(c),
            GrantsOf::UserOutside(sub, sid) => {
                let outside = grants::sid.is_null().or(grants::sid.ne(sid));
                diesel::update(live.filter(grants::sub.eq(sub)).filter(outside)).set(revoked).returning(grants::id).get_results(c)
            }
            GrantsOf::Client(client_id) => diesel::update(live.filter(grants::client_id.eq(client_id)).filter(grants::sub.is_not_null()))
                .set(revoked)
                .returning(grants::id)
                .get_results(c),
            GrantsOf::UserAtClient(sub, client_id) => diesel::update(live.filter(grants::sub.eq(sub)).filter(grants::client_id.eq(client_id)))
                .set(revoked)
                .returning(grants::id)
                .get_results(c),
        })?;
        if ids.len() > MANY {
            self.changed(ChangeKind::Grant, "");
        } else {
            for id in &ids {
                self.changed(ChangeKind::Grant, id);
            }
        }
        Ok(ids)
    }

    fn deny_token(&mut self, jti: &str, expires_at: UnixTime) -> Stored<()> {
        let row = (denied_tokens::jti.eq(jti), denied_tokens::expires_at.eq(expires_at.0));
        self.run("denying a token", |c| Both(diesel::insert_into(denied_tokens::table).values(row).on_conflict_do_nothing()).execute(c))?;
        self.changed(ChangeKind::Denied, jti);
        Ok(())
    }

    fn list_denied(&mut self, now: UnixTime) -> Stored<Vec<(String, UnixTime)>> {
        let rows: Vec<(String, i64)> = self.run("listing denied tokens", |c| {
            denied_tokens::table
                .filter(denied_tokens::expires_at.gt(now.0))
                .order((denied_tokens::expires_at, denied_tokens::jti))
                .select((denied_tokens::jti, denied_tokens::expires_at))
                .load(c)
        })?;
        Ok(rows.into_iter().map(|(jti, expires_at)| (jti, UnixTime(expires_at))).collect())
    }
}

impl TryFrom<&Grant> for GrantRow {
    type Error = Fault;

    fn try_from(grant: &Grant) -> Result<Self, Fault> {
        let code = grant.code.as_ref();
        let refresh = grant.refresh.as_ref();
        Ok(Self {
            id: grant.id.clone(),
            sub: grant.sub.clone(),
            client_id: grant.client_id.clone(),
            scope: grant.scope.to_string(),
            sid: grant.sid.clone(),
            offline: grant.offline,
            auth_time: grant.auth_time.map(|at| at.0),
            amr: serde_json::to_string(&grant.amr).map_err(Fault::broken)?,
            nonce: grant.nonce.clone(),
            code_digest: code.map(|code| code.digest.clone()),
            code_redirect_uri: code.map(|code| code.redirect_uri.clone()),
            code_redirect_uri_was_sent: code.map(|code| code.redirect_uri_was_sent),
            code_challenge: code.and_then(|code| code.challenge.as_ref()).map(|challenge| challenge.as_str().to_owned()),
            code_expires_at: code.map(|code| code.expires_at.0),
            code_redeemed_at: code.and_then(|code| code.redeemed_at).map(|at| at.0),
            refresh_generation: refresh.map(|refresh| refresh.generation),
            refresh_nonce: refresh.map(|refresh| refresh.nonce.clone()),
            refresh_rotated_at: refresh.map(|refresh| refresh.rotated_at.0),
            created_at: grant.created_at.0,
            expires_at: grant.expires_at.map(|at| at.0),
            revoked_at: grant.revoked_at.map(|at| at.0),
        })
    }
}

impl TryFrom<GrantRow> for Grant {
    type Error = Fault;

    fn try_from(mut row: GrantRow) -> Result<Self, Fault> {
        let code = row.take_code()?;
        let refresh = row.take_refresh()?;
        let scope = Scope::parse(&row.scope).map_err(|error| StorageError::corrupt("grants", &row.id, "scope", error))?;
        let amr = serde_json::from_str(&row.amr).map_err(|error| StorageError::corrupt("grants", &row.id, "amr", error))?;
        Ok(Self {
            id: row.id,
            sub: row.sub,
            client_id: row.client_id,
            scope,
            sid: row.sid,
            offline: row.offline,
            auth_time: row.auth_time.map(UnixTime),
            amr,
            nonce: row.nonce,
            code,
            refresh,
            created_at: UnixTime(row.created_at),
            expires_at: row.expires_at.map(UnixTime),
            revoked_at: row.revoked_at.map(UnixTime),
        })
    }
}

impl GrantRow {
    fn take_code(&mut self) -> Stored<Option<Code>> {
        let Some(digest) = self.code_digest.take() else { return Ok(None) };
        let missing = |column| StorageError::corrupt("grants", &self.id, column, "is missing");
        Ok(Some(Code {
            digest,
            redirect_uri: self.code_redirect_uri.take().ok_or_else(|| missing("code_redirect_uri"))?,
            redirect_uri_was_sent: self.code_redirect_uri_was_sent.ok_or_else(|| missing("code_redirect_uri_was_sent"))?,
            challenge: self.code_challenge.take().map(CodeChallenge::from_stored),
            expires_at: self.code_expires_at.map(UnixTime).ok_or_else(|| missing("code_expires_at"))?,
            redeemed_at: self.code_redeemed_at.map(UnixTime),
        }))
    }

    fn take_refresh(&mut self) -> Stored<Option<Refresh>> {
        let Some(generation) = self.refresh_generation else { return Ok(None) };
        let missing = |column| StorageError::corrupt("grants", &self.id, column, "is missing");
        Ok(Some(Refresh {
            generation,
            nonce: self.refresh_nonce.take().ok_or_else(|| missing("refresh_nonce"))?,
            rotated_at: self.refresh_rotated_at.map(UnixTime).ok_or_else(|| missing("refresh_rotated_at"))?,
        }))
    }
}
