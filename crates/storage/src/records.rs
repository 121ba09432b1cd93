//! The audit trail and the refusals.

use crate::connection::{Both, MultiBackend};
use crate::error::StorageError;
use crate::schema::{audit, refusals};
use crate::transaction::Tx;
use diesel::prelude::*;
use propusk_crypto::SystemRandom;
use propusk_domain::records::{AuditEvent, AuditFilter, RefusalRecord};
use propusk_domain::store::{Records, Stored};
use propusk_domain::time::UnixTime;
use propusk_domain::{Fault, ids};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
struct AuditRow {
    id: String,
    at: i64,
    kind: String,
    sub: Option<String>,
    client_id: Option<String>,
    grant_id: Option<String>,
    detail: Option<String>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = refusals, check_for_backend(MultiBackend))]
struct RefusalRow {
    reference: String,
    at: i64,
    endpoint: String,
    error: String,
    detail: String,
}

/// The moment that the newest event of this process was given, in microseconds.
static NEWEST: AtomicU64 = AtomicU64::new(0);

/// Identifiers sort in the order in which this process adds events, even those of one second, and by the machine's clock among processes. On
/// SQLite, which has one writer, that is the order of the commits.
fn next_id() -> String {
    let now = u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX);
    let before = NEWEST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |newest| Some(now.max(newest + 1))).unwrap_or_else(|newest| newest);
    ids::ordered(now.max(before + 1), &SystemRandom)
}

#[expect(clippy::disallowed_methods, reason = "the time of a request is too coarse to order what happens within a second")]
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

impl Records for Tx<'_> {
    fn insert_audit(&mut self, event: &AuditEvent) -> Stored<()> {
        let event = event.clone();
        let row = AuditRow {
            id: if event.id.is_empty() { next_id() } else { event.id },
            at: event.at.0,
            kind: event.kind,
            sub: event.sub,
            client_id: event.client_id,
            grant_id: event.grant_id,
            detail: event.detail,
        };
        self.run("adding to the audit trail", |c| diesel::insert_into(audit::table).values(row).execute(c))?;
        Ok(())
    }

    fn list_audit(&mut self, filter: &AuditFilter) -> Stored<Vec<AuditEvent>> {
        let mut query = audit::table.into_boxed::<MultiBackend>();
        if let Some(sub) = &filter.sub {
            query = query.filter(audit::sub.eq(sub));
        }
        if let Some(client_id) = &filter.client_id {
            query = query.filter(audit::client_id.eq(client_id));
        }
        if let Some(kind) = &filter.kind {
            query = query.filter(audit::kind.eq(kind));
        }
        if let Some(since) = filter.since {
            query = query.filter(audit::at.ge(since.0));
        }
        let rows =
            self.run("reading the audit trail", |c| query.order(audit::id.desc()).limit(filter.limit).select(AuditRow::as_select()).load(c))?;
        Ok(rows.into_iter().map(AuditEvent::from).collect())
    }

    fn insert_refusals(&mut self, refusals: &[RefusalRecord]) -> Stored<()> {
        for refusal in refusals {
            let row = RefusalRow {
                reference: refusal.reference.to_ascii_uppercase(),
                at: refusal.at.0,
                endpoint: refusal.endpoint.clone(),
                error: refusal.error.clone(),
                detail: serde_json::to_string(&refusal.detail).map_err(Fault::broken)?,
            };
            self.run("adding a refusal", |c| Both(diesel::insert_into(refusals::table).values(row).on_conflict_do_nothing()).execute(c))?;
        }
        Ok(())
    }

    fn find_refusal(&mut self, reference: &str) -> Stored<Option<RefusalRecord>> {
        let reference = reference.to_ascii_uppercase();
        let row = self.run("finding a refusal", |c| refusals::table.find(&reference).select(RefusalRow::as_select()).first(c).optional())?;
        row.map(RefusalRecord::try_from).transpose()
    }

    fn list_refusals(&mut self, limit: i64) -> Stored<Vec<RefusalRecord>> {
        let rows = self.run("listing refusals", |c| {
            refusals::table.order((refusals::at.desc(), refusals::reference.desc())).limit(limit).select(RefusalRow::as_select()).load(c)
        })?;
        rows.into_iter().map(RefusalRecord::try_from).collect()
    }
}

impl From<AuditRow> for AuditEvent {
    fn from(row: AuditRow) -> Self {
        Self { id: row.id, at: UnixTime(row.at), kind: row.kind, sub: row.sub, client_id: row.client_id, grant_id: row.grant_id, detail: row.detail }
    }
}

impl TryFrom<RefusalRow> for RefusalRecord {
    type Error = Fault;

    fn try_from(row: RefusalRow) -> Result<Self, Fault> {
        let detail = serde_json::from_str(&row.detail).map_err(|error| StorageError::corrupt("refusals", &row.reference, "detail", error))?;
        Ok(Self { reference: row.reference, at: UnixTime(row.at), endpoint: row.endpoint, error: row.error, detail })
    }
}
