//! Three backends of [`Ephemeral`](propusk_domain::ephemeral::Ephemeral); `tests/suite/ephemeral.rs` holds them to one behaviour.

mod memory;
mod redis;
mod sql;

pub use memory::MemoryEphemeral;
pub use redis::RedisEphemeral;
pub use sql::SqlEphemeral;
