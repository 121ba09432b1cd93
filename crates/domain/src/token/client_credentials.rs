//! The client credentials grant (RFC 6749 §4.4): it hangs on the client's standing grant and writes nothing.

use super::issue::{self, Issued};
use crate::authorize::allow_scope;
use crate::client::RegisteredClient;
use crate::error::Result;
use crate::policy::Policy;
use crate::time::UnixTime;
use propusk_crypto::Random;
use propusk_protocol::Scope;

/// A token of the client's own, in the scope it asks for, by default everything it may have.
pub fn issue(client: &RegisteredClient, scope: Option<&Scope>, rng: &dyn Random, now: UnixTime, policy: &Policy) -> Result<Issued> {
    let allowed = &client.client.settings.scopes;
    let scope = scope.map_or_else(|| allowed.clone(), |scope| client.client.translated(scope));
    allow_scope(&client.client, &scope)?;
    Ok(issue::for_client(client, &scope, &policy.issuer, rng, now))
}
