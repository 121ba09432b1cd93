//! A fresh database for each test.

use propusk_domain::Fault;
use propusk_domain::store::Store;
use propusk_storage::{Database, Settings};
use propusk_tests::postgres::TemporaryDatabase;
pub(crate) use propusk_tests::server::describe;
use std::ops::Deref;
use std::sync::{Arc, Barrier};

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
    Database(#[expect(dead_code, reason = "removed when dropped")] TemporaryDatabase),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite:{}/data/propusk.db", directory.path().display());
        Self::open(url, Removal::Directory(directory))
    }

    pub(crate) fn postgres() -> Self {
        let database = TemporaryDatabase::create();
        Self::open(database.url.clone(), Removal::Database(database))
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
