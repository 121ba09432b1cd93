//! What the site has ended since it was taken over ends here, too, unless it was used here meanwhile.

use super::{Finding, Record, tokens::digest_of};
use crate::context::{Audit, Cx};
use crate::error::{Fault, Result};
use crate::grant::{Grant, Revocation};
use crate::imported::{AdoptedKind, AdoptedToken};
use crate::store::GrantsOf;

/// A token of the site that is worth nothing there any more.
#[derive(Debug, Clone)]
pub struct EndedToken {
    model: String,
    key: String,
    digest: String,
    kind: AdoptedKind,
}

impl EndedToken {
    /// `None` when the record has neither the token nor its digest, so that it cannot be found here.
    pub fn read(record: &Record, kind: AdoptedKind) -> Option<Self> {
        digest_of(record).map(|digest| Self { model: record.model.clone(), key: record.key.clone(), digest, kind })
    }

    /// What the token is.
    pub const fn kind(&self) -> AdoptedKind {
        self.kind
    }
}

/// What became of it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It does not count here anyway.
    Nothing,
    /// It ended here now.
    Ended,
    /// It goes on working here, and why.
    Left(Finding),
}

/// Ends what was adopted from a token. A refresh token takes all that hangs on its grant with it, an access token itself alone.
pub fn end(cx: &mut Cx<'_>, token: &EndedToken, dry: bool) -> Result<Ending> {
    let row = cx.store.find_adopted_token(&token.digest)?.filter(|row| row.kind == token.kind);
    let Some((row, grant)) = with_live_grant(cx, row)? else { return Ok(Ending::Nothing) };
    if is_renewed(&grant) {
        let detail = "the site has ended it, but it was renewed here since, and what came of it goes on: propusk session revoke --user ends it";
        return Ok(Ending::Left(Finding::left_out("changed_here", &token.model, &token.key, detail).named(&grant.client_id)));
    }
    if dry {
        return Ok(Ending::Ended);
    }
    if token.kind == AdoptedKind::Access && grant.refresh.is_some() {
        cx.store.delete_adopted_token(&row.digest)?;
        return Ok(Ending::Ended);
    }
    cx.store.revoke_grants(GrantsOf::Id(&grant.id), cx.now)?;
    let event = Audit::of("grant_revoked").client(&grant.client_id).grant(&grant.id).detail(Revocation::AtTheSite.as_str());
    cx.audit(match &grant.sub {
        Some(sub) => event.sub(sub),
        None => event,
    })?;
    Ok(Ending::Ended)
}

/// Of the adopted tokens beyond `after`, how many live ones that nobody has renewed are not seen, and where to go on;
/// `None` at the end.
pub fn unseen(cx: &mut Cx<'_>, after: Option<&str>, is_seen: impl Fn(u64) -> bool, limit: i64) -> Result<(u64, Option<String>), Fault> {
    let rows = cx.store.list_adopted_tokens(after, limit)?;
    let last = rows.last().map(|row| row.digest.clone());
    let mut count = 0;
    for row in rows.into_iter().filter(|row| !is_seen(mark(&row.digest))) {
        count += u64::from(with_live_grant(cx, Some(row))?.is_some_and(|(_, grant)| !is_renewed(&grant)));
    }
    Ok((count, last))
}

/// By which a token of the dump is remembered: 64 bits of its digest.
pub fn mark(digest: &str) -> u64 {
    super::record::short_digest(digest)
}

fn with_live_grant(cx: &mut Cx<'_>, row: Option<AdoptedToken>) -> Result<Option<(AdoptedToken, Grant)>, Fault> {
    let Some(row) = row.filter(|row| row.expires_at.is_none_or(|end| cx.now < end)) else { return Ok(None) };
    let grant = cx.store.find_grant(&row.grant_id)?.filter(|grant| grant.is_alive(cx.now));
    Ok(grant.map(|grant| (row, grant)))
}

/// The adopted refresh token is generation 1.
fn is_renewed(grant: &Grant) -> bool {
    grant.refresh.as_ref().is_some_and(|refresh| refresh.generation > 1)
}
