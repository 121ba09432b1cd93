//! Signed-in browsers.

use crate::connection::MultiBackend;
use crate::error::StorageError;
use crate::schema::sessions;
use crate::transaction::Tx;
use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use propusk_domain::Fault;
use propusk_domain::records::ChangeKind;
use propusk_domain::session::Session;
use propusk_domain::store::{Sessions, Stored};
use propusk_domain::time::UnixTime;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
struct SessionRow {
    sid: String,
    cookie_digest: String,
    sub: String,
    auth_time: i64,
    amr: String,
    created_at: i64,
    last_seen_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
    user_agent: Option<String>,
    address: Option<String>,
}

impl Sessions for Tx<'_> {
    fn find_session(&mut self, cookie_digest: &str) -> Stored<Option<Session>> {
        let row = self.run("finding a session", |c| {
            sessions::table.filter(sessions::cookie_digest.eq(cookie_digest)).select(SessionRow::as_select()).first(c).optional()
        })?;
        row.map(Session::try_from).transpose()
    }

    fn find_session_by_sid(&mut self, sid: &str) -> Stored<Option<Session>> {
        let row = self.run("finding a session", |c| sessions::table.find(sid).select(SessionRow::as_select()).first(c).optional())?;
        row.map(Session::try_from).transpose()
    }

    fn list_sessions(&mut self, sub: Option<&str>, now: UnixTime, limit: i64) -> Stored<Vec<Session>> {
        let mut query = sessions::table.filter(sessions::revoked_at.is_null()).filter(sessions::expires_at.gt(now.0)).into_boxed::<MultiBackend>();
        if let Some(sub) = sub {
            query = query.filter(sessions::sub.eq(sub));
        }
        let rows = self.run("listing sessions", |c| {
            query.order((sessions::created_at.desc(), sessions::sid.desc())).limit(limit).select(SessionRow::as_select()).load(c)
        })?;
        rows.into_iter().map(Session::try_from).collect()
    }

    fn insert_session(&mut self, session: &Session) -> Stored<()> {
        let row = SessionRow::try_from(session)?;
        self.run("adding a session", |c| diesel::insert_into(sessions::table).values(row).execute(c))?;
        Ok(())
    }

    fn touch_session(&mut self, sid: &str, at: UnixTime) -> Stored<bool> {
        let count = self.run("touching a session", |c| {
            let newer = case_when(sessions::last_seen_at.lt(at.0), at.0.into_sql::<BigInt>()).otherwise(sessions::last_seen_at);
            diesel::update(sessions::table.find(sid).filter(sessions::revoked_at.is_null())).set(sessions::last_seen_at.eq(newer)).execute(c)
        })?;
        Ok(count == 1)
    }

    fn renew_session(&mut self, sid: &str, cookie_digest: &str, auth_time: UnixTime) -> Stored<bool> {
        let count = self.run("renewing a session", |c| {
            diesel::update(sessions::table.find(sid).filter(sessions::revoked_at.is_null()))
                .set((sessions::cookie_digest.eq(cookie_digest), sessions::auth_time.eq(auth_time.0)))
                .execute(c)
        })?;
        if count == 1 {
            self.changed(ChangeKind::Session, sid);
        }
        Ok(count == 1)
    }

    fn revoke_session(&mut self, sid: &str, at: UnixTime) -> Stored<bool> {
        let count = self.run("ending a session", |c| {
            diesel::update(sessions::table.find(sid).filter(sessions::revoked_at.is_null())).set(sessions::revoked_at.eq(at.0)).execute(c)
        })?;
        if count == 1 {
            self.changed(ChangeKind::Session, sid);
        }
        Ok(count == 1)
    }

    fn list_timed_out_sessions(&mut self, now: UnixTime, idle_since: UnixTime, limit: i64) -> Stored<Vec<Session>> {
        let over = sessions::expires_at.le(now.0).or(sessions::last_seen_at.le(idle_since.0));
        let rows: Vec<SessionRow> = self.run("listing sessions that are over", |c| {
            sessions::table
                .filter(sessions::revoked_at.is_null())
                .filter(over)
                .order((sessions::sub, sessions::sid))
                .limit(limit)
                .select(SessionRow::as_select())
                .load(c)
        })?;
        rows.into_iter().map(Session::try_from).collect()
    }

    fn end_timed_out_session(&mut self, sid: &str, now: UnixTime, idle_since: UnixTime) -> Stored<bool> {
        let over = sessions::expires_at.le(now.0).or(sessions::last_seen_at.le(idle_since.0));
        let count = self.run("ending a session that is over", |c| {
            diesel::update(sessions::table.find(sid).filter(sessions::revoked_at.is_null()).filter(over))
                .set(sessions::revoked_at.eq(now.0))
                .execute(c)
        })?;
        if count == 1 {
            self.changed(ChangeKind::Session, sid);
        }
        Ok(count == 1)
    }

    fn revoke_sessions_of(&mut self, sub: &str, kept: Option<&str>, at: UnixTime) -> Stored<usize> {
        // No session has the empty identifier.
        let kept = kept.unwrap_or_default();
        let sids: Vec<String> = self.run("ending a person's sessions", |c| {
            diesel::update(sessions::table.filter(sessions::sub.eq(sub)).filter(sessions::sid.ne(kept)).filter(sessions::revoked_at.is_null()))
                .set(sessions::revoked_at.eq(at.0))
                .returning(sessions::sid)
                .get_results(c)
        })?;
        for sid in &sids {
            self.changed(ChangeKind::Session, sid);
        }
        Ok(sids.len())
    }
}

impl TryFrom<&Session> for SessionRow {
    type Error = Fault;

    fn try_from(session: &Session) -> Result<Self, Fault> {
        Ok(Self {
            sid: session.sid.clone(),
            cookie_digest: session.cookie_digest.clone(),
            sub: session.sub.clone(),
            auth_time: session.auth_time.0,
            amr: serde_json::to_string(&session.amr).map_err(Fault::broken)?,
            created_at: session.created_at.0,
            last_seen_at: session.last_seen_at.0,
            expires_at: session.expires_at.0,
            revoked_at: session.revoked_at.map(|at| at.0),
            user_agent: session.user_agent.clone(),
            address: session.address.clone(),
        })
    }
}

impl TryFrom<SessionRow> for Session {
    type Error = Fault;

    fn try_from(row: SessionRow) -> Result<Self, Fault> {
        let amr = serde_json::from_str(&row.amr).map_err(|error| StorageError::corrupt("sessions", &row.sid, "amr", error))?;
        Ok(Self {
            cookie_digest: row.cookie_digest,
            sid: row.sid,
            sub: row.sub,
            auth_time: UnixTime(row.auth_time),
            amr,
            created_at: UnixTime(row.created_at),
            last_seen_at: UnixTime(row.last_seen_at),
            expires_at: UnixTime(row.expires_at),
            revoked_at: row.revoked_at.map(UnixTime),
            user_agent: row.user_agent,
            address: row.address,
        })
    }
}
