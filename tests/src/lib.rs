//! Test kit: a raw HTTP client, a browser without JavaScript and a faithful Rocket.Chat client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    reason = "a test kit reports a broken expectation by panicking"
)]

pub mod browser;
pub mod connection;
pub mod contract;
pub mod cookies;
pub mod form;
pub mod html;
pub mod http;
pub mod postgres;
pub mod proxy;
pub mod receiver;
pub mod rocketchat;
pub mod server;
