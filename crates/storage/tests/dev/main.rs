//! dev
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod bench;
mod ephemeral;
mod store;
