//! The outbox, and the clients at which sessions were used. Taking, finishing and giving back are one guarded UPDATE or DELETE each.

use crate::connection::{Both, MultiBackend};
use crate::error::StorageError;
use crate::schema::{grants, outbox, session_clients, sessions};
use crate::transaction::Tx;
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use propusk_domain::Fault;
use propusk_domain::outbox::{Message, Outbox, Topic};
use propusk_domain::records::ChangeKind;
use propusk_domain::store::Stored;
use propusk_domain::time::UnixTime;
use std::collections::BTreeSet;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = outbox, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
struct MessageRow {
    id: String,
    topic: String,
    key: String,
    subject: String,
    body: String,
    version: i64,
    created_at: i64,
    changed_at: i64,
    attempts: i64,
    next_at: i64,
    lease: String,
    leased_until: i64,
    failure: Option<String>,
    failed_at: Option<i64>,
}

diesel::alias!(outbox as earlier: Earlier);

impl Outbox for Tx<'_> {
    fn put_message(&mut self, message: &Message) -> Stored<()> {
        let row = MessageRow::from(message);
        let newer = (
            outbox::body.eq(message.body.clone()),
            outbox::version.eq(outbox::version + 1),
            outbox::changed_at.eq(message.changed_at.0),
            outbox::attempts.eq(0_i64),
            outbox::next_at.eq(message.next_at.0),
            outbox::failure.eq(None::<String>),
            outbox::failed_at.eq(None::<i64>),
        );
        self.run("adding to the outbox", |c| {
            Both(diesel::insert_into(outbox::table).values(row).on_conflict((outbox::topic, outbox::key)).do_update().set(newer)).execute(c)
        })?;
        self.changed(ChangeKind::Outbox, "");
        Ok(())
    }

    fn due_messages(&mut self, topics: &[Topic], now: UnixTime, limit: i64) -> Stored<Vec<Message>> {
        let names: Vec<&str> = topics.iter().map(|topic| topic.as_str()).collect();
        // In order per subject: nothing older waits, and nothing of it is being delivered.
        let before = earlier
            .filter(earlier.field(outbox::subject).eq(outbox::subject))
            .filter(earlier.field(outbox::failed_at).is_null())
            .filter(earlier.field(outbox::id).ne(outbox::id))
            .filter(earlier.field(outbox::id).lt(outbox::id).or(earlier.field(outbox::leased_until).gt(now.0)));
        let rows: Vec<MessageRow> = self.run("looking for what is due", |c| {
            outbox::table
                .filter(outbox::failed_at.is_null())
                .filter(outbox::next_at.le(now.0))
                .filter(outbox::leased_until.le(now.0))
                .filter(outbox::topic.eq_any(names))
                .filter(not(exists(before)))
                .order(outbox::id)
                .limit(limit)
                .select(MessageRow::as_select())
                .load(c)
        })?;
        rows.into_iter().map(Message::try_from).collect()
    }

    fn lease_message(&mut self, id: &str, lease: &str, until: UnixTime, now: UnixTime) -> Stored<bool> {
        let count = self.run("taking from the outbox", |c| {
            diesel::update(
                outbox::table.find(id).filter(outbox::failed_at.is_null()).filter(outbox::next_at.le(now.0)).filter(outbox::leased_until.le(now.0)),
            )
            .set((outbox::lease.eq(lease), outbox::leased_until.eq(until.0), outbox::attempts.eq(outbox::attempts + 1)))
            .execute(c)
        })?;
        Ok(count == 1)
    }

    fn finish_message(&mut self, id: &str, lease: &str, version: i64, now: UnixTime) -> Stored<bool> {
        let held = outbox::table.find(id).filter(outbox::lease.eq(lease));
        let count = self.run("removing from the outbox", |c| diesel::delete(held.filter(outbox::version.eq(version))).execute(c))?;
        if count == 0 {
            self.run("giving back to the outbox", |c| {
                diesel::update(held)
                    .set((outbox::lease.eq(""), outbox::leased_until.eq(0_i64), outbox::next_at.eq(now.0), outbox::attempts.eq(0_i64)))
                    .execute(c)
            })?;
        }
        Ok(count == 1)
    }

    fn postpone_message(&mut self, id: &str, lease: &str, next_at: UnixTime, failure: &str) -> Stored<bool> {
        let count = self.run("postponing in the outbox", |c| {
            diesel::update(outbox::table.find(id).filter(outbox::lease.eq(lease)))
                .set((outbox::lease.eq(""), outbox::leased_until.eq(0_i64), outbox::next_at.eq(next_at.0), outbox::failure.eq(Some(failure))))
                .execute(c)
        })?;
        Ok(count == 1)
    }

    fn fail_message(&mut self, id: &str, lease: &str, version: i64, now: UnixTime, failure: &str) -> Stored<bool> {
        let held = outbox::table.find(id).filter(outbox::lease.eq(lease));
        let released = (outbox::lease.eq(""), outbox::leased_until.eq(0_i64), outbox::failure.eq(Some(failure)));
        let count = self.run("giving up in the outbox", |c| {
            diesel::update(held.filter(outbox::version.eq(version))).set((released, outbox::failed_at.eq(Some(now.0)))).execute(c)
        })?;
        if count == 0 {
            self.postpone_message(id, lease, now, failure)?;
        }
        Ok(count == 1)
    }

    fn find_message(&mut self, id: &str) -> Stored<Option<Message>> {
        let row = self.run("finding in the outbox", |c| outbox::table.find(id).select(MessageRow::as_select()).first(c).optional())?;
        row.map(Message::try_from).transpose()
    }

    fn list_messages(&mut self, topic: Option<Topic>, limit: i64) -> Stored<Vec<Message>> {
        let mut query = outbox::table.into_boxed::<MultiBackend>();
        if let Some(topic) = topic {
            query = query.filter(outbox::topic.eq(topic.as_str()));
        }
        let rows: Vec<MessageRow> =
            self.run("listing the outbox", |c| query.order(outbox::id).limit(limit).select(MessageRow::as_select()).load(c))?;
        rows.into_iter().map(Message::try_from).collect()
    }

    fn retry_messages(&mut self, id: Option<&str>, now: UnixTime) -> Stored<usize> {
        let due = (outbox::next_at.eq(now.0), outbox::changed_at.eq(now.0), outbox::attempts.eq(0_i64), outbox::failed_at.eq(None::<i64>));
        let count = self.run("retrying the outbox", |c| match id {
            Some(id) => diesel::update(outbox::table.find(id)).set(due).execute(c),
            None => diesel::update(outbox::table).set(due).execute(c),
        })?;
        if count > 0 {
            self.changed(ChangeKind::Outbox, "");
        }
        Ok(count)
    }

    fn drop_message(&mut self, id: &str) -> Stored<Option<Message>> {
        let found = self.find_message(id)?;
        self.run("dropping from the outbox", |c| diesel::delete(outbox::table.find(id)).execute(c))?;
        Ok(found)
    }

    fn outbox_depth(&mut self) -> Stored<(i64, Option<UnixTime>)> {
        let waiting = outbox::table.filter(outbox::failed_at.is_null());
        let depth = self.run("counting the outbox", |c| waiting.count().get_result(c))?;
        let oldest: Option<i64> =
            self.run("finding the oldest of the outbox", |c| waiting.order(outbox::id).select(outbox::created_at).first(c).optional())?;
        Ok((depth, oldest.map(UnixTime)))
    }

    fn note_session_client(&mut self, sid: &str, client_id: &str) -> Stored<()> {
        let row = (session_clients::sid.eq(sid), session_clients::client_id.eq(client_id));
        self.run("noting a session's client", |c| Both(diesel::insert_into(session_clients::table).values(row).on_conflict_do_nothing()).execute(c))?;
        Ok(())
    }

    fn list_session_clients(&mut self, sid: &str) -> Stored<Vec<String>> {
        let noted: Vec<String> = self.run("listing a session's clients", |c| {
            session_clients::table.filter(session_clients::sid.eq(sid)).select(session_clients::client_id).load(c)
        })?;
        let granted: Vec<String> = self.run("listing the clients of a session's grants", |c| {
            grants::table.filter(grants::sid.eq(sid)).select(grants::client_id).distinct().load(c)
        })?;
        let all: BTreeSet<String> = noted.into_iter().chain(granted).collect();
        Ok(all.into_iter().collect())
    }

    fn list_open_sids(&mut self, sub: &str) -> Stored<Vec<String>> {
        self.run("listing open sessions", |c| {
            sessions::table
                .filter(sessions::sub.eq(sub))
                .filter(sessions::revoked_at.is_null())
                .order((sessions::created_at, sessions::sid))
                .select(sessions::sid)
                .load(c)
        })
    }
}

impl From<&Message> for MessageRow {
    fn from(message: &Message) -> Self {
        let message = message.clone();
        Self {
            id: message.id,
            topic: message.topic.as_str().to_owned(),
            key: message.key,
            subject: message.subject,
            body: message.body,
            version: message.version,
            created_at: message.created_at.0,
            changed_at: message.changed_at.0,
            attempts: message.attempts,
            next_at: message.next_at.0,
            lease: String::new(),
            leased_until: message.leased_until.0,
            failure: message.failure,
            failed_at: message.failed_at.map(|at| at.0),
        }
    }
}

impl TryFrom<MessageRow> for Message {
    type Error = Fault;

    fn try_from(row: MessageRow) -> Result<Self, Fault> {
        let topic = Topic::parse(&row.topic).ok_or_else(|| StorageError::corrupt("outbox", &row.id, "topic", "is no topic"))?;
        Ok(Self {
            id: row.id,
            topic,
            key: row.key,
            subject: row.subject,
            body: row.body,
            version: row.version,
            created_at: UnixTime(row.created_at),
            changed_at: UnixTime(row.changed_at),
            attempts: row.attempts,
            next_at: UnixTime(row.next_at),
            leased_until: UnixTime(row.leased_until),
            failure: row.failure,
            failed_at: row.failed_at.map(UnixTime),
        })
    }
}
