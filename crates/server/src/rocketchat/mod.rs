//! Rocket.Chat from the outside: its REST API as this program uses it.

pub mod provision;
pub mod rest;
