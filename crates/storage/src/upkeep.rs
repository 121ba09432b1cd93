//! The change feed, the sweeper and the sizes of the tables.

use crate::connection::AnyConnection;
use crate::error::StorageError;
use crate::schema::{
    adopted_tokens, audit, change_counter, changes, chat_people, chat_state, chat_tokens, client_secrets, clients, consents, denied_tokens,
    ephemeral, flow_steps, grants, imported_clients, imported_users, numeric_ids, outbox, personal_tokens, refusals, role_maps, roles, sealed_keys,
    session_clients, sessions, sign_in_names, users,
};
use crate::transaction::Tx;
use diesel::prelude::*;
use propusk_domain::records::{Change, ChangeKind};
use propusk_domain::store::{Retention, Stored, Upkeep};
use propusk_domain::time::UnixTime;

/// At most so many rows are removed in one transaction, so that a sign-in never waits for the sweeper.
const BATCH: i64 = 200;

/// A watcher that has missed more changes than this drops everything instead of reading them.
const MANY_CHANGES: i64 = 10_000;

impl Upkeep for Tx<'_> {
    fn latest_change(&mut self) -> Stored<i64> {
        self.run("reading the change counter", |c| change_counter::table.find(1).select(change_counter::value).first(c))
    }

    fn list_changes(&mut self, seq: i64) -> Stored<Option<Vec<Change>>> {
        let latest = self.latest_change()?;
        if seq == latest {
            return Ok(Some(Vec::new()));
        }
        // A number from before a restored backup may lie ahead.
        if seq > latest || latest - seq > MANY_CHANGES {
            return Ok(None);
        }
        let rows: Vec<(i64, String, String)> = self.run("reading changes", |c| {
            changes::table
                .filter(changes::seq.gt(seq))
                .filter(changes::seq.le(latest))
                .order(changes::seq)
                .select((changes::seq, changes::kind, changes::id))
                .load(c)
        })?;
        // The numbers have no gaps, so fewer rows than numbers means that some were swept.
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) != latest - seq {
            return Ok(None);
        }
        let changes: Stored<Vec<Change>> = rows
            .into_iter()
            .map(|(seq, kind, id)| {
                let kind = ChangeKind::parse(&kind).ok_or_else(|| StorageError::corrupt("changes", &seq.to_string(), "kind", "is no kind"))?;
                Ok(Change { seq, kind, id })
            })
            .collect();
        changes.map(Some)
    }

    fn sweep(&mut self, now: UnixTime, retention: &Retention) -> Stored<usize> {
        let mut left = BATCH;
        for step in STEPS {
            if left <= 0 {
                break;
            }
            let count = self.run("sweeping", |c| step(c, now, retention, left))?;
            left -= i64::try_from(count).unwrap_or(BATCH);
        }
        self.run("stamping changes", |c| stamp_changes(c, now))?;
        Ok(usize::try_from(BATCH - left).unwrap_or_default())
    }

    fn table_sizes(&mut self) -> Stored<Vec<(&'static str, i64)>> {
        self.run("counting rows", |c| {
            macro_rules! sizes {
                ($($table:ident),*) => { vec![$((stringify!($table), $table::table.count().get_result(c)?)),*] };
            }
            Ok(sizes!(
                users,
                sign_in_names,
                clients,
                client_secrets,
                sessions,
                grants,
                consents,
                roles,
                role_maps,
                sealed_keys,
                denied_tokens,
                audit,
                refusals,
                changes,
                ephemeral,
                outbox,
                session_clients,
                chat_people,
                chat_tokens,
                chat_state,
                numeric_ids,
                flow_steps,
                imported_users,
                imported_clients,
                adopted_tokens,
                personal_tokens
            ))
        })
    }
}

/// Removes at most `limit` rows; how many.
type Step = fn(&mut AnyConnection, UnixTime, &Retention, i64) -> QueryResult<usize>;

const STEPS: [Step; 14] = [
    |c, now, retention, limit| {
        let end = now.plus(-retention.ended).0;
        let over = personal_tokens::expires_at.lt(end).or(personal_tokens::revoked_at.lt(end).assume_not_null());
        let old: Vec<String> = personal_tokens::table.filter(over).select(personal_tokens::id).limit(limit).load(c)?;
        diesel::delete(personal_tokens::table.filter(personal_tokens::id.eq_any(old))).execute(c)
    },
    |c, now, retention, limit| {
        let old = sessions::table.filter(sessions::expires_at.lt(now.plus(-retention.ended).0)).select(sessions::sid).limit(limit);
        let old: Vec<String> = old.load(c)?;
        diesel::delete(sessions::table.filter(sessions::sid.eq_any(old))).execute(c)
    },
    |c, now, retention, limit| {
        let old = sessions::table.filter(sessions::revoked_at.lt(now.plus(-retention.ended).0)).select(sessions::sid).limit(limit);
        let old: Vec<String> = old.load(c)?;
        diesel::delete(sessions::table.filter(sessions::sid.eq_any(old))).execute(c)
    },
    |c, now, retention, limit| {
        let old = grants::table.filter(grants::expires_at.lt(now.plus(-retention.ended).0)).select(grants::id).limit(limit);
        let old: Vec<String> = old.load(c)?;
        diesel::delete(grants::table.filter(grants::id.eq_any(old))).execute(c)
    },
    // A standing grant lives as long as its client: without its row no token of the client would ever count again.
    |c, now, retention, limit| {
        let old = grants::table
            .filter(grants::revoked_at.lt(now.plus(-retention.ended).0))
            .filter(grants::sub.is_not_null())
            .select(grants::id)
            .limit(limit);
        let old: Vec<String> = old.load(c)?;
        diesel::delete(grants::table.filter(grants::id.eq_any(old))).execute(c)
    },
    |c, now, _, limit| {
        let old = denied_tokens::table.filter(denied_tokens::expires_at.le(now.0)).select(denied_tokens::jti).limit(limit);
        let old: Vec<String> = old.load(c)?;
        diesel::delete(denied_tokens::table.filter(denied_tokens::jti.eq_any(old))).execute(c)
    },
    |c, now, _, limit| {
        let old = adopted_tokens::table.filter(adopted_tokens::expires_at.le(now.0)).select(adopted_tokens::digest).limit(limit);
        let old: Vec<String> = old.load(c)?;
        diesel::delete(adopted_tokens::table.filter(adopted_tokens::digest.eq_any(old))).execute(c)
    },
    |c, now, retention, limit| {
        let old = refusals::table.filter(refusals::at.lt(now.plus(-retention.refusals).0)).select(refusals::reference).limit(limit);
        let old: Vec<String> = old.load(c)?;
        diesel::delete(refusals::table.filter(refusals::reference.eq_any(old))).execute(c)
    },
    |c, _, retention, limit| {
        let rows: i64 = refusals::table.count().get_result(c)?;
        let surplus = (rows - retention.refusals_rows).min(limit);
        if surplus <= 0 {
            return Ok(0);
        }
        let oldest = refusals::table.order((refusals::at, refusals::reference)).select(refusals::reference).limit(surplus);
        let oldest: Vec<String> = oldest.load(c)?;
        diesel::delete(refusals::table.filter(refusals::reference.eq_any(oldest))).execute(c)
    },
    |c, now, retention, limit| {
        let old = flow_steps::table.filter(flow_steps::at.lt(now.plus(-retention.traces).0)).select(flow_steps::id).limit(limit);
        let old: Vec<String> = old.load(c)?;
        diesel::delete(flow_steps::table.filter(flow_steps::id.eq_any(old))).execute(c)
    },
    |c, _, retention, limit| {
        let rows: i64 = flow_steps::table.count().get_result(c)?;
        let surplus = (rows - retention.traces_rows).min(limit);
        if surplus <= 0 {
            return Ok(0);
        }
        let oldest: Vec<String> = flow_steps::table.order(flow_steps::id).select(flow_steps::id).limit(surplus).load(c)?;
        diesel::delete(flow_steps::table.filter(flow_steps::id.eq_any(oldest))).execute(c)
    },
    |c, now, retention, limit| {
        let old = audit::table.filter(audit::at.lt(now.plus(-retention.audit).0)).select(audit::id).limit(limit);
        let old: Vec<String> = old.load(c)?;
        diesel::delete(audit::table.filter(audit::id.eq_any(old))).execute(c)
    },
    // What was given up is kept as long as other things that have ended, for whoever asks why.
    |c, now, retention, limit| {
        let old = outbox::table.filter(outbox::failed_at.lt(now.plus(-retention.ended).0)).select(outbox::id).limit(limit);
        let old: Vec<String> = old.load(c)?;
        diesel::delete(outbox::table.filter(outbox::id.eq_any(old))).execute(c)
    },
    // In the order of their numbers, so that what is left has no gap.
    |c, now, retention, limit| {
        let stamped = changes::table.filter(changes::at.gt(0)).filter(changes::at.lt(now.plus(-retention.changes).0));
        let old = stamped.order(changes::seq).select(changes::seq).limit(limit);
        let old: Vec<i64> = old.load(c)?;
        diesel::delete(changes::table.filter(changes::seq.eq_any(old))).execute(c)
    },
];

/// A change carries no time of its own (the store has no clock): the first sweep that sees it stamps it.
fn stamp_changes(c: &mut AnyConnection, now: UnixTime) -> QueryResult<usize> {
    let fresh = changes::table.filter(changes::at.eq(0)).order(changes::seq).select(changes::seq).limit(BATCH);
    let fresh: Vec<i64> = fresh.load(c)?;
    diesel::update(changes::table.filter(changes::seq.eq_any(fresh))).set(changes::at.eq(now.0.max(1))).execute(c)
}
