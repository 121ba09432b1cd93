//! The one integration binary: every module is a kind of promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test reports a broken expectation by panicking"
)]

mod account;
mod admin;
mod architecture;
mod attacks;
mod backchannel;
mod backup;
mod bad_input;
mod cli;
mod cli_failures;
mod connector;
mod deploy;
mod docs;
mod email_change;
mod ephemeral;
mod explain;
mod failures;
mod forgotten_password;
mod imports;
mod openapi;
mod password_links;
mod personal_tokens;
mod protocol_rules;
mod readme;
mod relying_party;
mod rocketchat;
mod rocketchat_oracle;
mod rocketchat_tools;
mod self_registration;
mod store;
mod token_verb;
mod tokens;
mod tokens_api;
mod trace;
mod users_api;
