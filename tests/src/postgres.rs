//! A fresh database of the throw-away PostgreSQL server, removed when it is dropped.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};

/// A database of its own.
#[derive(Debug)]
pub struct TemporaryDatabase {
    /// `postgres://…/name`.
    pub url: String,
    name: String,
}

impl TemporaryDatabase {
    /// Creates one. Its locale sorts `a` before `B`, so that tests see whether the order of a list depends on it.
    pub fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        administrate(&format!("CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")).expect("CREATE DATABASE");
        let server = server();
        let base = server.rsplit_once('/').expect("a URL with a database").0;
        Self { url: format!("{base}/{name}"), name }
    }
}

impl Drop for TemporaryDatabase {
    fn drop(&mut self) {
        // A panicking test leaves connections behind; what cannot be removed goes with the throw-away server.
        let _ = administrate(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn server() -> String {
    crate::server::service("PROPUSK_TEST_POSTGRES")
}

fn administrate(sql: &str) -> diesel::QueryResult<()> {
    PgConnection::establish(&server()).expect("the PostgreSQL of PROPUSK_TEST_POSTGRES").batch_execute(sql)
}
