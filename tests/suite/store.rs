//! The store's behaviour, once on SQLite and once on PostgreSQL.

#[macro_use]
pub(crate) mod place;
mod changes;
mod clients;
mod database;
mod grants;
mod imports;
mod outbox;
mod people;
mod races;
pub(crate) mod samples;
mod smaller;
mod sweeping;
