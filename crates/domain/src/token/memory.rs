//! What the process remembers of grants and people, so that a token request need not read it again.

use crate::grant::Grant;
use crate::user::User;
use std::sync::Arc;

/// Grants and people as they were read at most a second ago. A rule that uses them decides by a guarded write: a grant's scope, client and
/// binding never change, its generation and revocation are the guard, and whoever disables or removes a person revokes
/// their grants in the same transaction.
pub trait Memory {
    /// The grant, if it is remembered.
    fn grant(&self, id: &str) -> Option<Arc<Grant>>;
    /// The grant of the code with this digest, if it was issued here and not asked for since.
    fn take_code(&self, digest: &str) -> Option<Arc<Grant>>;
    /// The person, if remembered.
    fn user(&self, sub: &str) -> Option<Arc<User>>;
}

/// What a token request has read, to be remembered once its transaction stands.
#[derive(Debug, Clone)]
pub struct Learned {
    /// The grant.
    pub grant: Arc<Grant>,
    /// Its person.
    pub user: Arc<User>,
}
