//! What every rule is handed: the store, the time, randomness, the policy and the keys.

use crate::error::{Fault, Result};
use crate::keys::ServerKeys;
use crate::policy::Policy;
use crate::records::AuditEvent;
use crate::store::Store;
use crate::time::UnixTime;
use propusk_crypto::Random;

/// The surroundings of one request: one transaction, one `now`.
pub struct Cx<'a> {
    /// The transaction.
    pub store: &'a mut dyn Store,
    /// Randomness.
    pub rng: &'a dyn Random,
    /// The one time of this request.
    pub now: UnixTime,
    /// The operator's choices.
    pub policy: &'a Policy,
    /// The unsealed keys.
    pub keys: &'a ServerKeys,
}

impl Cx<'_> {
    /// Adds to the audit trail, in this transaction.
    pub fn audit(&mut self, entry: Audit<'_>) -> Result<(), Fault> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        self.store.insert_audit(&AuditEvent {
            id: String::new(),
            at: self.now,
            kind: entry.kind.to_owned(),
            sub: own(entry.sub),
            client_id: own(entry.client_id),
            grant_id: own(entry.grant_id),
            detail: entry.detail,
        })
    }
}

/// An entry of the audit trail as a rule writes it: `Audit::of("signed_in").sub(sub)`.
#[derive(Debug, Clone, Default)]
pub struct Audit<'a> {
    kind: &'a str,
    sub: Option<&'a str>,
    client_id: Option<&'a str>,
    grant_id: Option<&'a str>,
    detail: Option<String>,
}

impl<'a> Audit<'a> {
    /// What happened.
    pub fn of(kind: &'a str) -> Self {
        Self { kind, ..Self::default() }
    }

    /// To whom.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "the subject's name in the specification, not a subtraction")]
    pub fn sub(mut self, sub: &'a str) -> Self {
        self.sub = Some(sub);
        self
    }

    /// At which client.
    #[must_use]
    pub fn client(mut self, client_id: &'a str) -> Self {
        self.client_id = Some(client_id);
        self
    }

    /// Under which grant.
    #[must_use]
    pub fn grant(mut self, grant_id: &'a str) -> Self {
        self.grant_id = Some(grant_id);
        self
    }

    /// Anything more, free of secrets.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}
