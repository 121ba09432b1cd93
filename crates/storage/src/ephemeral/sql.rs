//! In the database: survives restarts and serves several replicas without anything else running.

use crate::connection::{Both, Sql};
use crate::database::Database;
use crate::error::StorageError;
use crate::schema::ephemeral;
use crate::transaction::Tx;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl;
use diesel::sql_types::BigInt;
use diesel::upsert::excluded;
use propusk_domain::ephemeral::Ephemeral;
use propusk_domain::store::Stored;
use propusk_domain::{Error, Fault, UnixTime};

/// Entries that one sweep removes at most.
const BATCH: i64 = 200;

/// Ephemeral state in a table of the database.
#[derive(Clone)]
pub struct SqlEphemeral(Database);

impl SqlEphemeral {
    /// Keeps the state in `database`.
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    fn write<T: Send + 'static>(&self, mut f: impl FnMut(&mut Tx<'_>) -> Stored<T> + Send + 'static) -> Result<T, Fault> {
        self.0.write_tx(move |tx| Ok(f(tx)?)).map_err(Error::into_fault)
    }
}

fn decode(key: &str, value: &str) -> Result<Vec<u8>, Fault> {
    STANDARD_NO_PAD.decode(value).map_err(|error| StorageError::corrupt("ephemeral", key, "value", error))
}

/// Adds to a counter that keeps the expiry of its first count.
fn add(tx: &mut Tx<'_>, key: &str, by: i64, lifetime: i64, now: UnixTime) -> Stored<i64> {
    const ADD: &str = "INSERT INTO ephemeral (key, value, number, expires_at) VALUES (?, '', ?, ?) ON CONFLICT (key) DO UPDATE SET \
                       number = CASE WHEN ephemeral.expires_at > ? THEN ephemeral.number + excluded.number ELSE excluded.number END, \
                       expires_at = CASE WHEN ephemeral.expires_at > ? THEN ephemeral.expires_at ELSE excluded.expires_at END RETURNING number";
    let values = [key.into(), by.into(), now.plus(lifetime).0.into(), now.0.into(), now.0.into()];
    tx.run("counting", |c| Sql::<5, BigInt>::new(ADD, values).get_result(c))
}

impl Ephemeral for SqlEphemeral {
    fn put(&self, key: &str, value: &[u8], lifetime: i64, now: UnixTime) -> Result<(), Fault> {
        let (key, value, expires_at) = (key.to_owned(), STANDARD_NO_PAD.encode(value), now.plus(lifetime).0);
        self.write(move |tx| {
            let row = (ephemeral::key.eq(&key), ephemeral::value.eq(&value), ephemeral::number.eq(0), ephemeral::expires_at.eq(expires_at));
            let newer = (
                ephemeral::value.eq(excluded(ephemeral::value)),
                ephemeral::number.eq(excluded(ephemeral::number)),
                ephemeral::expires_at.eq(excluded(ephemeral::expires_at)),
            );
            tx.run("keeping an entry", |c| {
                Both(diesel::insert_into(ephemeral::table).values(row).on_conflict(ephemeral::key).do_update().set(newer)).execute(c)
            })?;
            Ok(())
        })
    }

    fn put_new(&self, key: &str, value: &[u8], lifetime: i64, now: UnixTime) -> Result<bool, Fault> {
        let (key, value, expires_at) = (key.to_owned(), STANDARD_NO_PAD.encode(value), now.plus(lifetime).0);
        self.write(move |tx| {
            let row = (ephemeral::key.eq(&key), ephemeral::value.eq(&value), ephemeral::number.eq(0), ephemeral::expires_at.eq(expires_at));
            let newer = (
                ephemeral::value.eq(excluded(ephemeral::value)),
                ephemeral::number.eq(excluded(ephemeral::number)),
                ephemeral::expires_at.eq(excluded(ephemeral::expires_at)),
            );
            // One statement: of several callers exactly one inserts the row or replaces the dead one.
            let count = tx.run("keeping a new entry", |c| {
                let upsert = diesel::insert_into(ephemeral::table).values(row).on_conflict(ephemeral::key).do_update().set(newer);
                Both(FilterDsl::filter(upsert, ephemeral::expires_at.le(now.0))).execute(c)
            })?;
            Ok(count == 1)
        })
    }

    fn get(&self, key: &str, now: UnixTime) -> Result<Option<Vec<u8>>, Fault> {
        let value: Option<String> = self
            .0
            .read_tx(|tx| {
                let value = tx.run("reading an entry", |c| {
                    let live = QueryDsl::filter(ephemeral::table.find(key), ephemeral::expires_at.gt(now.0));
                    live.select(ephemeral::value).first(c).optional()
                })?;
                Ok(value)
            })
            .map_err(Error::into_fault)?;
        value.map(|value| decode(key, &value)).transpose()
    }

    fn take(&self, key: &str, now: UnixTime) -> Result<Option<Vec<u8>>, Fault> {
        let owned = key.to_owned();
        let value: Option<String> = self.write(move |tx| {
            // One statement: of several callers exactly one removes the row.
            tx.run("taking an entry", |c| {
                let live = QueryDsl::filter(ephemeral::table.find(&owned), ephemeral::expires_at.gt(now.0));
                diesel::delete(live).returning(ephemeral::value).get_result(c).optional()
            })
        })?;
        value.map(|value| decode(key, &value)).transpose()
    }

    fn count(&self, key: &str, by: i64, lifetime: i64, now: UnixTime) -> Result<i64, Fault> {
        let key = key.to_owned();
        self.write(move |tx| add(tx, &key, by, lifetime, now))
    }

    /// In one transaction: a sign-in counts in several places and waits for one commit.
    fn count_all(&self, counts: &[(String, i64)], lifetime: i64, now: UnixTime) -> Result<Vec<i64>, Fault> {
        let counts = counts.to_vec();
        // Rows are locked in one order, so that two sign-ins on PostgreSQL never wait for each other.
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|index| counts.get(*index).map(|(key, _)| key));
        self.write(move |tx| {
            let mut answers = vec![0; counts.len()];
            for index in &order {
                if let (Some((key, by)), Some(answer)) = (counts.get(*index), answers.get_mut(*index)) {
                    *answer = add(tx, key, *by, lifetime, now)?;
                }
            }
            Ok(answers)
        })
    }

    fn sweep(&self, now: UnixTime) -> Result<usize, Fault> {
        self.write(move |tx| {
            tx.run("sweeping entries", |c| {
                let old = QueryDsl::filter(ephemeral::table, ephemeral::expires_at.le(now.0)).select(ephemeral::key).limit(BATCH);
                let old: Vec<String> = old.load(c)?;
                diesel::delete(QueryDsl::filter(ephemeral::table, ephemeral::key.eq_any(old))).execute(c)
            })
        })
    }

    fn ping(&self) -> Result<(), Fault> {
        self.0.ping()
    }
}
