//! Rocket.Chat from the outside: its REST API as this program uses it, and the connector that keeps its accounts in step.

pub mod agree;
pub mod connection;
pub(crate) mod courier;
pub mod rest;
pub mod sync;
mod token;
pub(crate) mod upkeep;
pub mod workspace;
