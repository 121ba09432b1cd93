//! The whole content of a database, read in one state and written into an empty one of either kind.
//!
//! Reading is one transaction that sees one state throughout, a page of rows at a time, so that a large database needs little
//! memory and stops nobody. Writing marks the database as unusable first and as usable last: what is restored by half never serves.

mod shape;
mod tables;

use crate::connection::{AnyConnection, Role, Target, connect};
use crate::database::{Database, Settings};
use crate::error::{StorageError, fault};
use crate::migrate::{self, UNFINISHED};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use propusk_crypto::SystemRandom;
use propusk_domain::{Error, Fault};
use shape::Described;
pub use shape::{Column, Kind, Row, Table};

/// How many rows are read or written at a time, so that a sign-in never waits for it.
const BATCH: i64 = 200;

/// A piece of the content.
#[derive(Debug)]
pub enum Piece<'a> {
    /// A table begins, with so many rows.
    Table(&'a Table, i64),
    /// The next rows of it, in the order of the primary key.
    Rows(&'a [Row]),
}

impl Database {
    /// The whole content in one state, table by table, parents first. A failure of `each` ends it.
    pub fn dump<E: From<Fault>>(&self, mut each: impl FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut failed = None;
        let outcome = self.read_tx(|tx| {
            for name in kept(tx.run("listing tables", shape::names)?)? {
                let described = tx.run("describing a table", |c| shape::describe(c, name))?;
                let rows = tx.run("counting rows", |c| shape::count(c, name))?;
                let mut stopped = |error| {
                    failed = Some(error);
                    Error::from(Fault::broken("stopped"))
                };
                copy(&described, rows, &mut each, |after| tx.run("reading rows", |c| shape::page(c, &described.table, &described.key, after, BATCH)))
                    .map_err(|error| match error {
                        Stop::Fault(fault) => Error::from(fault),
                        Stop::Asked(error) => stopped(error),
                    })?;
            }
            Ok(())
        });
        match (failed, outcome) {
            (Some(error), _) => Err(error),
            (None, outcome) => outcome.map_err(|error| error.into_fault().into()),
        }
    }

    /// The names of the migrations that the schema of this program is made of, oldest first.
    pub fn migrations() -> Result<Vec<String>, Fault> {
        migrate::known()
    }

    /// Tables that neither a backup holds nor anybody has said that it should not.
    pub fn tables_unknown_to_backup(&self) -> Result<Vec<String>, Fault> {
        let names = self.read_tx(|tx| Ok(tx.run("listing tables", shape::names)?)).map_err(Error::into_fault)?;
        Ok(names.into_iter().filter(|name| !is_known(name)).collect())
    }
}

/// Why copying a table ended.
enum Stop<E> {
    Fault(Fault),
    Asked(E),
}

fn copy<E>(
    described: &Described,
    rows: i64,
    each: &mut impl FnMut(Piece<'_>) -> Result<(), E>,
    mut page: impl FnMut(Option<&Row>) -> Result<Vec<Row>, Fault>,
) -> Result<(), Stop<E>> {
    each(Piece::Table(&described.table, rows)).map_err(Stop::Asked)?;
    let mut after: Option<Row> = None;
    loop {
        let rows = page(after.as_ref()).map_err(Stop::Fault)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(key_of(described, last));
        each(Piece::Rows(&rows)).map_err(Stop::Asked)?;
    }
}

fn key_of(described: &Described, row: &Row) -> Row {
    let columns = described.table.columns.iter().zip(row);
    columns.filter(|(column, _)| described.key.contains(column)).map(|(_, value)| value.clone()).collect()
}

fn is_known(name: &str) -> bool {
    tables::KEPT.contains(&name) || tables::LEFT.contains(&name)
}

/// The tables to keep. One that nobody has thought of must not be lost in silence.
fn kept(names: Vec<String>) -> Result<impl Iterator<Item = &'static str>, Fault> {
    match names.iter().find(|name| !is_known(name)) {
        Some(unknown) => Err(StorageError::unusable(format!("a backup does not know the table {unknown}"))),
        None => Ok(tables::KEPT.into_iter().filter(move |table| names.iter().any(|name| name == table))),
    }
}

/// A database that is being filled. Until [`finish`](Self::finish) nothing opens it; dropping it empties it again.
pub struct Restoring {
    connection: AnyConnection,
    busy_timeout_ms: u32,
    /// What this restore wrote among the versions; another one that takes over writes its own.
    mark: Option<String>,
}

impl Restoring {
    /// Migrates the database of the settings and marks it as unusable until the end. What an earlier restore left by half is
    /// removed.
    ///
    /// # Errors
    /// A clear sentence when the database holds anything.
    pub fn begin(settings: &Settings) -> Result<Self, Fault> {
        let target = Target::parse(&settings.url)?;
        if let Target::Sqlite(path) = &target {
            migrate::create_file(path)?;
        }
        let connection = connect(&target, Role::Writer, settings.busy_timeout_ms)?;
        let mut restoring = Self { connection, busy_timeout_ms: settings.busy_timeout_ms, mark: None };
        if let AnyConnection::Postgres(c) = &mut restoring.connection {
            // Nobody waits for it, and emptying a large database takes longer than a request may.
            c.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").map_err(|error| fault("setting up a connection", error))?;
        }
        if migrate::inspect(&mut restoring.connection)?.is_unfinished() {
            restoring.write("emptying the database", empty)?;
        }
        migrate::run(&target, settings.busy_timeout_ms)?;
        let mark = format!("{UNFINISHED}{}", propusk_crypto::random::token(&SystemRandom, 9));
        let name = restoring.write("marking the database", |c| {
            for name in tables::KEPT {
                if shape::count(c, name)? > 0 {
                    return Ok(Some(name));
                }
            }
            diesel::sql_query(format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{mark}')")).execute(c)?;
            Ok(None)
        })?;
        if let Some(name) = name {
            return Err(StorageError::unusable(format!("the database is not empty: the table {name} has rows; restore into a new one")));
        }
        restoring.mark = Some(mark);
        Ok(restoring)
    }

    /// Whether rows of this form fit into the database: it has the table and its columns, and needs no others.
    pub fn must_fit(&mut self, table: &Table) -> Result<(), Fault> {
        let name = table.name.as_str();
        if !tables::KEPT.contains(&name) {
            return Err(StorageError::unusable(format!("this version has no table {name}")));
        }
        let described = shape::describe(&mut self.connection, name).map_err(|error| fault("describing a table", error))?;
        if let Some(column) = table.columns.iter().find(|column| !described.table.columns.contains(column)) {
            return Err(StorageError::unusable(format!("this version has no column {name}.{} of that kind", column.name)));
        }
        if let Some(column) = described.required.iter().find(|required| table.columns.iter().all(|column| column.name != **required)) {
            return Err(StorageError::unusable(format!("this version needs the column {name}.{column}")));
        }
        Ok(())
    }

    /// Adds rows, in transactions of 200 at most.
    pub fn insert(&mut self, table: &Table, rows: &[Row]) -> Result<(), Fault> {
        for batch in rows.chunks(usize::try_from(BATCH).unwrap_or(1)) {
            self.write("restoring rows", |c| shape::insert(c, table, batch))?;
        }
        Ok(())
    }

    /// Reads a table back, in the order of the primary key.
    pub fn read_back(&mut self, table: &Table, mut each: impl FnMut(&[Row])) -> Result<(), Fault> {
        let Described { key, required, .. } =
            shape::describe(&mut self.connection, &table.name).map_err(|error| fault("describing a table", error))?;
        let described = Described { table: table.clone(), key, required };
        let rows = shape::count(&mut self.connection, &table.name).map_err(|error| fault("counting rows", error))?;
        let connection = &mut self.connection;
        let copied = copy(
            &described,
            rows,
            &mut |piece| {
                if let Piece::Rows(rows) = piece {
                    each(rows);
                }
                Ok::<(), Fault>(())
            },
            |after| shape::page(connection, table, &described.key, after, BATCH).map_err(|error| fault("reading rows", error)),
        );
        copied.map_err(|stop| match stop {
            Stop::Fault(fault) | Stop::Asked(fault) => fault,
        })
    }

    /// Everything has arrived: from here on the database opens.
    pub fn finish(mut self) -> Result<(), Fault> {
        self.write("finishing the restore", unmark)?;
        self.mark = None;
        Ok(())
    }

    fn write<T>(&mut self, doing: &'static str, f: impl FnOnce(&mut AnyConnection) -> QueryResult<T>) -> Result<T, Fault> {
        migrate::begin(&mut self.connection, self.busy_timeout_ms).map_err(|error| fault(doing, error))?;
        let mark = self.mark.as_deref();
        let stands = |c: &mut AnyConnection| mark.map_or(Ok(()), |mark| must_stand(c, mark));
        match stands(&mut self.connection).and_then(|()| f(&mut self.connection)) {
            Ok(done) => self.connection.commit().map(|()| done).map_err(|error| fault(doing, error)),
            Err(error) => {
                if let Err(failed) = self.connection.rollback() {
                    tracing::warn!(error = %failed, "a rollback failed");
                }
                Err(fault(doing, error))
            }
        }
    }
}

impl Drop for Restoring {
    fn drop(&mut self) {
        if self.mark.is_none() {
            return;
        }
        // Should even this fail, the mark stays, and with it nobody opens the database.
        if let Err(fault) = self.write("emptying the database", empty) {
            tracing::warn!(%fault, "what was restored by half could not be removed; the database stays unusable until it is restored again");
        }
    }
}

/// Removes every row, and with them the mark.
fn empty(c: &mut AnyConnection) -> QueryResult<()> {
    let there = shape::names(c)?;
    for name in tables::KEPT.iter().rev().filter(|name| there.iter().any(|table| table == *name)) {
        shape::clear(c, name)?;
    }
    unmark(c)
}

/// Another restore that began meanwhile has removed what this one wrote: nothing more may be added.
fn must_stand(c: &mut AnyConnection, mark: &str) -> QueryResult<()> {
    let found = diesel::sql_query(format!("UPDATE __diesel_schema_migrations SET version = version WHERE version = '{mark}'")).execute(c)?;
    if found == 1 { Ok(()) } else { Err(diesel::result::Error::QueryBuilderError("another restore into this database has begun".into())) }
}

fn unmark(c: &mut AnyConnection) -> QueryResult<()> {
    diesel::sql_query(format!("DELETE FROM __diesel_schema_migrations WHERE version LIKE '{UNFINISHED}%'")).execute(c).map(drop)
}
