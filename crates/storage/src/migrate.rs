//! Bringing a database to the schema of this program, and telling when it is not there.

use crate::connection::{AnyConnection, Role, Target, connect};
use crate::error::{StorageError, fault, is_locked};
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use propusk_domain::Fault;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// Any number that no other program's advisory lock is likely to use.
const LOCK: i64 = 0x0070_726f_7075_736b;

/// Text compares byte by byte on both databases: lists come in the same order, and comparing needs no locale tables, which are
/// several times slower. Only columns of the program's own tables that do not compare so yet are touched.
const BYTEWISE_TEXT: &str = "
DO $$
DECLARE c record;
BEGIN
    FOR c IN
        SELECT columns.table_name, columns.column_name FROM information_schema.columns
        WHERE columns.table_schema = current_schema() AND columns.data_type = 'text' AND columns.collation_name IS DISTINCT FROM 'C'
          AND columns.table_name IN ('users', 'sign_in_names', 'clients', 'client_secrets', 'sessions', 'grants', 'consents', 'roles', 'role_maps',
                             'sealed_keys', 'denied_tokens', 'audit', 'refusals', 'changes', 'ephemeral',
                             'outbox', 'session_clients', 'chat_people', 'chat_tokens', 'chat_state', 'numeric_ids', 'flow_steps',
                             'imported_users', 'imported_clients', 'adopted_tokens', 'personal_tokens')
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE TEXT COLLATE \"C\"', c.table_name, c.column_name);
    END LOOP;
END $$;
";

/// Stands among the versions while a restore is under way, so that no version of the program opens what is restored by half.
pub(crate) const UNFINISHED: &str = "99999999999999-restore-";

/// How the schema of a database compares to this program.
pub(crate) struct State {
    /// The migrations that are missing, in order: version and name.
    pub(crate) pending: Vec<(String, String)>,
    /// Migrations that this program does not know.
    pub(crate) unknown: Vec<String>,
}

impl State {
    /// Whether a restore has begun and not ended.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unknown.iter().any(|version| version.starts_with(UNFINISHED))
    }

    /// Refuses a schema that a newer program made, and what is restored by half.
    pub(crate) fn must_be_known(&self) -> Result<(), Fault> {
        if self.is_unfinished() {
            return Err(StorageError::unusable("a restore into this database has not ended: run `propusk restore` again"));
        }
        let Some(newest) = self.unknown.iter().max() else { return Ok(()) };
        Err(StorageError::unusable(format!(
            "the database has the schema of a newer version of Propusk (migration {newest}): run that version, or restore a backup made before the upgrade"
        )))
    }

    /// Refuses a schema that this program has yet to bring up to date.
    pub(crate) fn must_be_current(&self) -> Result<(), Fault> {
        self.must_be_known()?;
        if self.pending.is_empty() {
            return Ok(());
        }
        Err(StorageError::unusable(format!("the database is not migrated ({} missing): run `propusk migrate`", self.pending_names().join(", "))))
    }

    /// Whether none of the program's migrations has been applied.
    pub(crate) fn is_empty(&self) -> Result<bool, Fault> {
        Ok(self.pending.len() == versions()?.len())
    }

    /// The names of the migrations that are missing, in order.
    pub(crate) fn pending_names(&self) -> Vec<String> {
        self.pending.iter().map(|(_, name)| name.clone()).collect()
    }
}

/// Makes the database file and its directory readable to their owner alone; an existing file is left as it is.
pub(crate) fn create_file(path: &Path) -> Result<(), Fault> {
    let cannot = |what: &Path, error: std::io::Error| Fault::passing(StorageError::Unusable(format!("cannot create {}: {error}", what.display())));
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|error| cannot(parent, error))?;
    }
    if path.exists() {
        return Ok(());
    }
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop).map_err(|error| cannot(path, error))
}

/// Runs the missing migrations, all in one transaction; their names. Several programs may start at once: one migrates, the
/// others wait and find nothing to do.
pub(crate) fn run(target: &Target, busy_timeout_ms: u32) -> Result<Vec<String>, Fault> {
    let mut connection = connect(target, Role::Writer, busy_timeout_ms)?;
    let state = inspect(&mut connection)?;
    state.must_be_known()?;
    if state.pending.is_empty() {
        return Ok(Vec::new());
    }
    begin(&mut connection, busy_timeout_ms).map_err(|error| fault("beginning the migration", error))?;
    let versions = match &mut connection {
        AnyConnection::Sqlite(c) => apply(c),
        AnyConnection::Postgres(c) => apply_alone(c),
    };
    let versions = versions.map_err(|error| StorageError::unusable(format!("a migration failed: {error}")))?;
    connection.commit().map_err(|error| fault("committing the migration", error))?;
    Ok(state.pending.into_iter().filter(|(version, _)| versions.contains(version)).map(|(_, name)| name).collect())
}

/// Compares the schema to this program without changing anything.
pub(crate) fn inspect(connection: &mut AnyConnection) -> Result<State, Fault> {
    let applied = applied(connection).map_err(|error| fault("reading the schema's version", error))?;
    let known = versions()?;
    let unknown = applied.iter().filter(|version| !known.iter().any(|(known, _)| known == *version)).cloned().collect();
    let pending = known.into_iter().filter(|(version, _)| !applied.contains(version)).collect();
    Ok(State { pending, unknown })
}

/// The names of the migrations of this program, oldest first.
pub(crate) fn known() -> Result<Vec<String>, Fault> {
    Ok(versions()?.into_iter().map(|(_, name)| name).collect())
}

/// Version and name of each, oldest first; the same for both databases.
fn versions() -> Result<Vec<(String, String)>, Fault> {
    let known = MigrationSource::<diesel::sqlite::Sqlite>::migrations(&MIGRATIONS).map_err(Fault::broken)?;
    let mut known: Vec<(String, String)> =
        known.iter().map(|migration| (migration.name().version().to_string(), migration.name().to_string())).collect();
    known.sort();
    Ok(known)
}

#[derive(QueryableByName)]
struct Exists {
    #[diesel(sql_type = Bool)]
    found: bool,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

fn applied(connection: &mut AnyConnection) -> QueryResult<Vec<String>> {
    const TABLE: &str = "__diesel_schema_migrations";
    let exists = match connection {
        AnyConnection::Sqlite(_) => format!("SELECT count(*) > 0 AS found FROM sqlite_master WHERE type = 'table' AND name = '{TABLE}'"),
        AnyConnection::Postgres(_) => format!("SELECT to_regclass('{TABLE}') IS NOT NULL AS found"),
    };
    let exists: Exists = diesel::sql_query(exists).get_result(connection)?;
    if !exists.found {
        return Ok(Vec::new());
    }
    let rows: Vec<Version> = diesel::sql_query(format!("SELECT version FROM {TABLE}")).load(connection)?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Begins to write, as soon as another process lets it.
pub(crate) fn begin(connection: &mut AnyConnection, busy_timeout_ms: u32) -> QueryResult<()> {
    let deadline = Instant::now() + Duration::from_millis(u64::from(busy_timeout_ms));
    loop {
        match connection.begin_write() {
            Err(error) if is_locked(&error) && Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            done => return done,
        }
    }
}

/// On PostgreSQL, where a transaction begins without a lock: the others wait here, however long it takes.
fn apply_alone(c: &mut PgConnection) -> diesel::migration::Result<Vec<String>> {
    c.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")?;
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(LOCK).execute(c)?;
    let versions = apply(c)?;
    c.batch_execute(BYTEWISE_TEXT)?;
    Ok(versions)
}

/// The versions that were missing.
fn apply<DB, C>(connection: &mut C) -> diesel::migration::Result<Vec<String>>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
{
    Ok(connection.run_pending_migrations(MIGRATIONS)?.iter().map(ToString::to_string).collect())
}
