//! A fresh database for each test.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use propusk_domain::store::Store;
use propusk_domain::{Error, Fault};
use propusk_storage::{Database, Settings};
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// Makes two tests of each function: one a database.
macro_rules! on_each_database {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test(&$crate::store::place::Place::sqlite()); })*
        }
        mod postgres {
            $(#[test] fn $test() { super::$test(&$crate::store::place::Place::postgres()); })*
        }
    };
}

/// An open database that goes when it is dropped.
pub(crate) struct Place {
    /// For opening it again.
    pub(crate) settings: Settings,
    database: Option<Database>,
    _removal: Removal,
}

enum Removal {
    Directory(#[expect(dead_code, reason = "removed when dropped")] tempfile::TempDir),
    Database(String),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite:{}/data/propusk.db", directory.path().display());
        Self::open(url, Removal::Directory(directory))
    }

    pub(crate) fn postgres() -> Self {
        let (url, name) = create_postgres_database();
        Self::open(url, Removal::Database(name))
    }

    fn open(url: String, removal: Removal) -> Self {
        let settings = Settings { url, pool_size: 20, migrate: true, busy_timeout_ms: 5000 };
        let database = Database::open(&settings).expect("a database");
        Self { settings, database: Some(database), _removal: removal }
    }

    /// Writes what is expected to succeed.
    pub(crate) fn put<T: Send + 'static>(&self, mut f: impl FnMut(&mut dyn Store) -> Result<T, Fault> + Send + 'static) -> T {
        self.write(move |store| Ok(f(store)?)).map_err(describe).expect("a write")
    }

    /// Reads what is expected to succeed.
    pub(crate) fn look<T>(&self, f: impl FnOnce(&mut dyn Store) -> Result<T, Fault>) -> T {
        self.read(|store| Ok(f(store)?)).map_err(describe).expect("a read")
    }

    /// Closes the database and opens it again.
    pub(crate) fn reopen(&mut self) {
        if let Some(database) = self.database.take() {
            database.shutdown();
        }
        self.database = Some(Database::open(&self.settings).expect("a database"));
    }
}

impl Deref for Place {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.database.as_ref().expect("open")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(database) = self.database.take() {
            database.shutdown();
        }
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        let Self::Database(name) = self else { return };
        // Connections close a moment after the pool; what cannot be removed goes with the throw-away server.
        for _ in 0..20 {
            if administrate(&format!("DROP DATABASE {name}")).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What went wrong, in words.
pub(crate) fn describe(error: Error) -> String {
    match error {
        Error::Fault(fault) => fault.to_string(),
        Error::Refused(refusal) => format!("refused: {}", refusal.public),
    }
}

/// A new database on the test server, with its name. Its locale sorts `a` before `B`, so that tests see whether the order of a
/// list depends on it.
pub(crate) fn create_postgres_database() -> (String, String) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    administrate(&format!("CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")).expect("CREATE DATABASE");
    let server = server();
    let base = server.rsplit_once('/').expect("a URL with a database").0;
    (format!("{base}/{name}"), name)
}

#[expect(clippy::disallowed_methods, reason = "the servers are named by whoever runs the tests")]
fn server() -> String {
    std::env::var("PROPUSK_TEST_POSTGRES").expect("PROPUSK_TEST_POSTGRES must name a PostgreSQL server (tests/services.sh starts one)")
}

fn administrate(sql: &str) -> diesel::QueryResult<()> {
    PgConnection::establish(&server()).expect("the PostgreSQL of PROPUSK_TEST_POSTGRES").batch_execute(sql)
}

/// Runs `f` on `count` threads that begin together; their answers.
pub(crate) fn race<T: Send + 'static>(count: usize, f: impl Fn(usize) -> T + Send + Sync + 'static) -> Vec<T> {
    let start = Arc::new(Barrier::new(count));
    let f = Arc::new(f);
    let threads: Vec<_> = (0..count)
        .map(|index| {
            let (start, f) = (Arc::clone(&start), Arc::clone(&f));
            std::thread::spawn(move || {
                start.wait();
                f(index)
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
}
