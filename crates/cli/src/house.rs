//! Opening the installation that the settings describe.

use crate::failure::Failure;
use propusk_crypto::{PasswordHasher, Secret};
use propusk_domain::admin::users;
use propusk_domain::user::User;
use propusk_server::instance::{Instance, OpenError};
use propusk_server::settings::Settings;
use std::path::Path;

/// The installation, with its database migrated and its keys unsealed.
pub(crate) fn open(config: Option<&Path>) -> Result<Instance, Failure> {
    Ok(Instance::open(settings(config)?)?)
}

/// The same for a verb that only reads: an installation that is not there yet is out of reach, and none is made.
pub(crate) fn open_existing(config: Option<&Path>) -> Result<Instance, Failure> {
    Ok(Instance::open_existing(settings(config)?)?)
}

fn settings(config: Option<&Path>) -> Result<Settings, Failure> {
    let mut settings = Settings::load(config)?;
    // A verb needs one connection. A pool that may have more opens a spare one in the background, and a process that ends while libpq
    // is greeting the server can die in the TLS library's own clean-up, after the answer was printed.
    settings.database.pool_size = 1;
    Ok(settings)
}

/// The person of a username, another sign-in name or a subject.
pub(crate) fn find_user(instance: &Instance, reference: &str) -> Result<User, Failure> {
    Ok(instance.read(|cx| users::find(cx.store, reference))?)
}

/// Hashes a password with the installation's parameters, before any transaction.
pub(crate) fn hash(instance: &Instance, password: &Secret) -> Result<String, Failure> {
    hasher(instance)?.hash(password.expose(), &instance.rng).map_err(|error| Failure::Failed(error.to_string()))
}

/// What hashes and verifies passwords here, one at a time.
pub(crate) fn hasher(instance: &Instance) -> Result<PasswordHasher, Failure> {
    PasswordHasher::new(instance.settings.password.params(), 1).map_err(|error| Failure::Failed(error.to_string()))
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        if error.is_unreachable() { Self::Unreachable(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}
