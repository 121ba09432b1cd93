//! What an operator does: people, clients, roles and the declarative file that holds them all.
//!
//! Every function checks first and writes afterwards, because a refusal commits what stands before it. Every change
//! leaves an audit event in its own transaction.

pub mod apply;
mod client_rules;
pub mod clients;
pub mod declaration;
pub mod diff;
pub mod probe;
pub mod roles;
pub mod users;

use crate::error::{Error, Fault, Refusal};

pub use client_rules::MAX_ACCESS_TOKEN_LIFETIME;
pub use diff::FieldChange;

/// Another process changed the row between the look and the write; the same command succeeds a moment later.
fn changed_meanwhile(what: &str) -> Error {
    Fault::passing(format!("{what} was changed by another process at the same moment")).into()
}

/// A refusal carried in a fault: everything written before it is rolled back.
///
/// [`apply::execute`] makes many changes in one transaction, of which either all stand or none.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.public)]
pub struct RolledBack(pub Box<Refusal>);

impl RolledBack {
    /// Turns a refusal into a fault that carries it; faults stay as they are.
    pub fn wrap(error: Error) -> Error {
        match error {
            Error::Refused(refusal) => Fault::broken(Self(refusal)).into(),
            fault @ Error::Fault(_) => fault,
        }
    }

    /// The way back: the refusal that the fault carries, or the error as it was.
    pub fn unwrap(error: Error) -> Error {
        match error {
            Error::Fault(Fault { passing, source }) => match source.downcast::<Self>() {
                Ok(carried) => Error::Refused(carried.0),
                Err(source) => Error::Fault(Fault { passing, source }),
            },
            refused @ Error::Refused(_) => refused,
        }
    }
}
