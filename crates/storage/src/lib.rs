//! The store of the rules on SQLite and PostgreSQL, and the ephemeral store on SQL, Redis or memory.
//!
//! | file | what it holds |
//! |---|---|
//! | `database` | [`Database`]: open, migrate, read, write, submit, ping |
//! | `writer` | the one thread that writes to SQLite, many closures in one commit |
//! | `identity` | whether the SQLite file is still the one that was opened |
//! | `pool`, `connection` | connections of both kinds behind one type |
//! | `transaction` | the [`Store`](propusk_domain::store::Store) over one open transaction, and the changes it records |
//! | `users`, `clients`, … | the queries, one file a trait of `propusk_domain::store` |
//! | `backup` | the whole content, read in one state and written into an empty database |
//! | `ephemeral` | three backends of [`Ephemeral`](propusk_domain::ephemeral::Ephemeral) |

mod backup;
mod chat;
mod clients;
mod connection;
mod consents;
mod database;
mod ephemeral;
mod error;
mod grants;
mod identity;
mod imports;
mod keys;
mod migrate;
mod outbox;
mod personal_tokens;
mod pool;
mod records;
mod roles;
mod schema;
mod sessions;
mod site;
mod traces;
mod transaction;
mod upkeep;
mod users;
mod writer;

pub use backup::{Column, Kind, Piece, Restoring, Row, Table};
pub use connection::Backend;
pub use database::{Database, Settings, Submitted};
pub use ephemeral::{MemoryEphemeral, RedisEphemeral, SqlEphemeral};
pub use error::StorageError;
pub use site::{Membership, SiteDatabase, SiteRow, SiteTable};
