//! Taking over a Django site: records as `dumpdata` writes them become people, clients, grants and adopted tokens.
//!
//! Reading a record decides nothing about the database; taking it over is one function inside a write transaction, so that
//! a run can be repeated: what is known and unchanged stays, what was changed here since is left alone and reported.

pub mod endings;
pub mod home;
pub mod names;
pub mod oauth;
pub mod people;
pub mod record;
pub mod register;
pub mod site_user;
pub mod tokens;

use crate::error::printable;
use serde::Serialize;

pub use names::NameBook;
pub use people::{Outcome, Prepared};
pub use record::{NaturalKeys, Pointer, Record, SeenKeys, key_text};

pub use site_user::{Choices, SiteUser, SubChoice};
pub use tokens::SiteClients;

/// One thing about one record that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stable slug: `name_taken`, `unknown_hasher`, …
    pub slug: &'static str,
    /// The model, as `auth.user`.
    pub model: String,
    /// The primary key at the site.
    pub key: String,
    /// The person's or application's name, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// One sentence.
    pub detail: String,
    /// Whether the record was left out because of it.
    pub left_out: bool,
}

impl Finding {
    /// The record cannot be taken.
    pub fn left_out(slug: &'static str, model: &str, key: &str, detail: impl Into<String>) -> Self {
        Self { slug, model: printable(model), key: printable(key), name: None, detail: detail.into(), left_out: true }
    }

    /// The record is taken, though not wholly.
    pub fn note(slug: &'static str, model: &str, key: &str, detail: impl Into<String>) -> Self {
        Self { left_out: false, ..Self::left_out(slug, model, key, detail) }
    }

    /// Whom it is about.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(printable(name));
        self
    }
}
