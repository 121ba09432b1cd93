//! One connection type over both databases.

use crate::error::StorageError;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Text, Untyped};
use diesel::{PgConnection, SqliteConnection};
use propusk_domain::Fault;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// Which database is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// One file beside the program.
    Sqlite,
    /// A server.
    Postgres,
}

/// Where the database is.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Target {
    /// Reads `sqlite:PATH` or `postgres://…`; the sentence of a failure never repeats the URL, which may hold a password.
    pub(crate) fn parse(url: &str) -> Result<Self, Fault> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(with_connect_timeout(url)));
        }
        let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) else {
            return Err(StorageError::unusable("database.url must begin with sqlite: or postgres://"));
        };
        if path.is_empty() || path.starts_with(':') || path.starts_with("file:") || path.contains(['?', '\0']) {
            return Err(StorageError::unusable("database.url must name a file, as in sqlite:data/propusk.db"));
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            Self::Sqlite(_) => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }
}

/// A server that does not answer must not hold a thread for minutes.
fn with_connect_timeout(url: &str) -> String {
    if url.contains("connect_timeout=") {
        return url.to_owned();
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}connect_timeout=3")
}

/// A connection to either database. The derived `establish` would hide why a connection failed: use [`connect`].
#[derive(diesel::MultiConnection)]
pub(crate) enum AnyConnection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// SQLite: the only connection that writes. PostgreSQL: like any other.
    Writer,
    /// SQLite: refuses to write.
    Reader,
}

/// Opens a connection.
pub(crate) fn connect(target: &Target, role: Role, busy_timeout_ms: u32) -> Result<AnyConnection, Fault> {
    match target {
        Target::Postgres(url) => connect_postgres(url).map(AnyConnection::Postgres),
        Target::Sqlite(path) => connect_sqlite(path, role, busy_timeout_ms).map(AnyConnection::Sqlite),
    }
}

fn connect_postgres(url: &str) -> Result<PgConnection, Fault> {
    let mut connection = PgConnection::establish(url).map_err(|error| Fault::passing(StorageError::NoConnection(error.to_string())))?;
    // A statement that waits longer than any request helps nobody, and holds its locks meanwhile.
    connection
        .batch_execute("SET lock_timeout = '10s'; SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = warning")
        .map_err(|error| crate::error::fault("setting up a connection", error))?;
    Ok(connection)
}

fn connect_sqlite(path: &Path, role: Role, busy_timeout_ms: u32) -> Result<SqliteConnection, Fault> {
    let name = path.to_str().ok_or_else(|| StorageError::unusable("the path of the database must be UTF-8"))?;
    // A relative name may look like a URI to SQLite.
    let name = if path.is_absolute() { name.to_owned() } else { format!("./{name}") };
    let mut connection =
        SqliteConnection::establish(&name).map_err(|error| Fault::passing(StorageError::NoConnection(format!("{}: {error}", path.display()))))?;
    // The writer polls for its lock by itself, faster than SQLite would (see the writer's `begin`).
    let (busy, cache, query_only) = match role {
        Role::Writer => (0, -2048, "OFF"),
        Role::Reader => (busy_timeout_ms, -256, "ON"),
    };
    connection
        .batch_execute(&format!(
            "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
             PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = {cache}; PRAGMA busy_timeout = {busy}; PRAGMA query_only = {query_only}",
            busy_timeout_ms.max(1000)
        ))
        .map_err(|error| crate::error::fault("setting up a connection", error))?;
    Ok(connection)
}

type Manager = <AnyConnection as Connection>::TransactionManager;

impl AnyConnection {
    /// Begins a transaction that sees one state throughout and writes nothing.
    pub(crate) fn begin_read(&mut self) -> QueryResult<()> {
        match self {
            Self::Postgres(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN DEFERRED"),
        }
    }

    /// Begins a transaction that writes. On SQLite it takes the lock at once: a lock taken halfway fails at once whenever
    /// another writer was faster (7 of 8 concurrent transactions did, in spite of `busy_timeout`).
    pub(crate) fn begin_write(&mut self) -> QueryResult<()> {
        match self {
            Self::Postgres(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN ISOLATION LEVEL READ COMMITTED"),
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
        }
    }

    pub(crate) fn commit(&mut self) -> QueryResult<()> {
        Manager::commit_transaction(self)
    }

    pub(crate) fn rollback(&mut self) -> QueryResult<()> {
        Manager::rollback_transaction(self)
    }
}

/// A statement that the union cannot express (`ON CONFLICT`) but both databases can: rendered by the one in use.
pub(crate) struct Both<Q>(pub(crate) Q);

impl<Q> QueryFragment<MultiBackend> for Both<Q>
where
    Q: QueryFragment<diesel::pg::Pg> + QueryFragment<diesel::sqlite::Sqlite>,
{
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        MultiBackend::walk_variant_ast(&self.0, pass)
    }
}

impl<Q: QueryId> QueryId for Both<Q> {
    type QueryId = Q::QueryId;
    const HAS_STATIC_QUERY_ID: bool = Q::HAS_STATIC_QUERY_ID;
}

impl<Q: Query> Query for Both<Q> {
    type SqlType = Q::SqlType;
}

impl<Q> RunQueryDsl<AnyConnection> for Both<Q> {}

/// A value of a [`Sql`] statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Integer(i64),
    Text(&'a str),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

/// A statement in words, for what is executed with every request: each connection prepares it once. diesel prepares an UPDATE and
/// an upsert anew at each execution, because a changeset may leave columns out; that was a fifth of the writer's time. `?` stands for
/// a value; `ST` is what a row of the answer holds.
pub(crate) struct Sql<'a, const VALUES: usize, ST = Untyped> {
    text: &'static str,
    values: [Value<'a>; VALUES],
    answer: PhantomData<ST>,
}

impl<'a, const VALUES: usize, ST> Sql<'a, VALUES, ST> {
    pub(crate) fn new(text: &'static str, values: [Value<'a>; VALUES]) -> Self {
        Self { text, values, answer: PhantomData }
    }
}

impl<const VALUES: usize, ST> QueryFragment<MultiBackend> for Sql<'_, VALUES, ST> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        let mut values = self.values.iter();
        for (index, part) in self.text.split('?').enumerate() {
            if index > 0 {
                match values.next() {
                    Some(Value::Integer(value)) => pass.push_bind_param::<BigInt, _>(value)?,
                    Some(Value::Text(value)) => pass.push_bind_param::<Text, _>(value)?,
                    None => return Err(diesel::result::Error::QueryBuilderError("a statement has more places than values".into())),
                }
            }
            pass.push_sql(part);
        }
        Ok(())
    }
}

impl<const VALUES: usize, ST> QueryId for Sql<'_, VALUES, ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<const VALUES: usize, ST> Query for Sql<'_, VALUES, ST> {
    type SqlType = ST;
}

impl<const VALUES: usize, ST> RunQueryDsl<AnyConnection> for Sql<'_, VALUES, ST> {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_file_or_a_server() {
        for (url, path) in [("sqlite:data/a.db", "data/a.db"), ("sqlite:///srv/a.db", "/srv/a.db"), ("sqlite:/srv/a.db", "/srv/a.db")] {
            assert!(matches!(Target::parse(url).unwrap(), Target::Sqlite(found) if found == Path::new(path)), "{url}");
        }
        assert!(matches!(Target::parse("postgres://u@h/d?a=b").unwrap(), Target::Postgres(url) if url.ends_with("?a=b&connect_timeout=3")));
        for url in ["", "mysql://x", "sqlite:", "sqlite::memory:", "sqlite:file:x?mode=memory", "/srv/a.db"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_refused_url_is_not_repeated() {
        let fault = Target::parse("mysql://user:hunter2@host/db").unwrap_err();
        assert!(!fault.to_string().contains("hunter2"));
    }
}
