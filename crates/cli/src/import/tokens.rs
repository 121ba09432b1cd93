//! Tokens of django-oauth-toolkit: live ones count here, and what the site has ended since the last run ends.

use super::Run;
use super::source::{Kind, Source};
use crate::failure::Failure;
use propusk_domain::Cx;
use propusk_domain::import::endings::{EndedToken, Ending, end, mark, unseen};
use propusk_domain::import::tokens::{Adopted, SiteRefresh, SiteToken, adopt, digest_of};
use propusk_domain::import::{Finding, Outcome, Record, SeenKeys, SiteClients};
use propusk_domain::imported::AdoptedKind;
use std::collections::{HashMap, HashSet};

/// Rows of one write transaction.
const BATCH: usize = 200;

/// Adopted tokens of one look.
const PAGE: i64 = 1000;

/// The tokens that were read, so that none is taken twice.
#[derive(Default)]
pub(crate) struct SeenTokens {
    access: SeenKeys,
    refresh: SeenKeys,
    marks: HashSet<u64>,
}

impl SeenTokens {
    /// Refuses a record that has no key, or whose key or token came before.
    fn note(&mut self, record: &Record, kind: AdoptedKind) -> Result<(), Finding> {
        let left_out = |slug, detail: &str| Err(Finding::left_out(slug, &record.model, &record.key, detail));
        if record.key.is_empty() {
            return left_out("no_key", "the record has no primary key");
        }
        let keys = if kind == AdoptedKind::Access { &mut self.access } else { &mut self.refresh };
        if !keys.insert(&record.key) {
            return left_out("duplicate_key", "a token with the same primary key came before it");
        }
        if digest_of(record).is_some_and(|digest| !self.marks.insert(mark(&digest))) {
            return left_out("duplicate_token", "the same token came before it");
        }
        Ok(())
    }
}

impl Run {
    /// The live refresh tokens by the key of their access token: some 150 bytes each. Those that the site has revoked end here.
    pub(super) fn live_refreshes(&mut self, source: &mut Source) -> Result<HashMap<String, SiteRefresh>, Failure> {
        let mut refreshes = HashMap::new();
        let mut ended = Vec::new();
        let now = self.instance.clock.now();
        source.each(
            |kind, _| kind == Kind::RefreshToken,
            |_, item| {
                let Ok(record) = item else { return Ok(()) };
                self.bar.inc(1);
                self.summary.refresh_tokens.read += 1;
                let read = self.tokens.note(&record, AdoptedKind::Refresh).and_then(|()| SiteRefresh::read(&record, now));
                match read {
                    Ok(Some((access, refresh))) => {
                        if let Some(other) = refreshes.insert(access, refresh) {
                            let detail = "a later one names the same access token";
                            self.leave_refresh(Finding::left_out("duplicate_token", "refresh token", &other.key, detail));
                        }
                    }
                    Ok(None) => match EndedToken::read(&record, AdoptedKind::Refresh) {
                        Some(token) => ended.push(token),
                        None => self.summary.refresh_tokens.ended += 1,
                    },
                    Err(finding) if finding.slug == "no_scope" => self.without_scope(digest_of(&record).as_deref(), finding)?,
                    Err(finding) => self.leave_refresh(finding),
                }
                if ended.len() == BATCH {
                    self.end_batch(std::mem::take(&mut ended))?;
                }
                Ok(())
            },
        )?;
        self.end_batch(ended)?;
        Ok(refreshes)
    }

    /// Adopts the live access tokens, each with its refresh token.
    pub(super) fn take_tokens(
        &mut self,
        source: &mut Source,
        clients: &SiteClients,
        refreshes: &mut HashMap<String, SiteRefresh>,
    ) -> Result<(), Failure> {
        let now = self.instance.clock.now();
        let (mut batch, mut ended) = (Vec::with_capacity(BATCH), Vec::new());
        source.each(
            |kind, _| kind == Kind::AccessToken,
            |_, item| {
                let Ok(record) = item else { return Ok(()) };
                self.bar.inc(1);
                self.summary.access_tokens.read += 1;
                if let Err(finding) = self.tokens.note(&record, AdoptedKind::Access) {
                    self.summary.access_tokens.left_out += 1;
                    self.summary.find(finding);
                    return Ok(());
                }
                let refresh = refreshes.remove(&record.key);
                let had_refresh = refresh.is_some();
                let token = match SiteToken::read(&record, refresh, clients, &self.natural_keys, &self.scope_map, now) {
                    Ok(token) => token,
                    Err(finding) => {
                        self.summary.access_tokens.left_out += 1;
                        self.summary.refresh_tokens.left_out += u64::from(had_refresh);
                        self.summary.find(finding);
                        return Ok(());
                    }
                };
                if !token.as_ref().is_some_and(SiteToken::has_access) {
                    match EndedToken::read(&record, AdoptedKind::Access) {
                        Some(token) => ended.push(token),
                        None => self.summary.access_tokens.ended += 1,
                    }
                }
                batch.extend(token);
                if batch.len() == BATCH {
                    self.adopt_batch(std::mem::take(&mut batch))?;
                }
                if ended.len() == BATCH {
                    self.end_batch(std::mem::take(&mut ended))?;
                }
                Ok(())
            },
        )?;
        self.adopt_batch(batch)?;
        self.end_batch(ended)
    }

    /// Whatever is left names an access token that is not in the source.
    pub(super) fn without_access_tokens(&mut self, refreshes: HashMap<String, SiteRefresh>) -> Result<(), Failure> {
        for refresh in refreshes.into_values() {
            let finding = Finding::left_out("no_scope", "refresh token", &refresh.key, "its access token is missing, and the scope with it");
            self.without_scope(Some(&refresh.digest), finding)?;
        }
        Ok(())
    }

    /// A refresh token whose scope cannot be told; one that came over while it could has it.
    fn without_scope(&mut self, digest: Option<&str>, finding: Finding) -> Result<(), Failure> {
        let known = match digest {
            Some(digest) => self.instance.read(|cx| Ok(cx.store.find_adopted_token(digest)?))?.is_some(),
            None => false,
        };
        if known {
            self.summary.refresh_tokens.unchanged += 1;
        } else {
            self.leave_refresh(finding);
        }
        Ok(())
    }

    fn leave_refresh(&mut self, finding: Finding) {
        self.summary.refresh_tokens.left_out += 1;
        self.summary.find(finding);
    }

    fn adopt_batch(&mut self, batch: Vec<SiteToken>) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let adopted: Vec<Adopted> = if self.dry {
            let plan = &self.plan;
            self.instance.read(|cx| batch.iter().map(|token| adopt(cx, token, Some(plan))).collect())?
        } else {
            self.instance.write(move |cx: &mut Cx<'_>| batch.iter().map(|token| adopt(cx, token, None)).collect())?
        };
        for Adopted { access, refresh } in adopted {
            // Both stay behind for the same reason, which is told once.
            let reason = [&access, &refresh]
                .into_iter()
                .flatten()
                .find_map(|outcome| if let Outcome::Left(finding) = outcome { Some(finding.clone()) } else { None });
            if let Some(outcome) = &access {
                self.summary.access_tokens.count(outcome);
            }
            if let Some(outcome) = &refresh {
                self.summary.refresh_tokens.count(outcome);
            }
            if let Some(finding) = reason {
                self.summary.find(finding);
            }
        }
        Ok(())
    }

    /// Tokens that are gone at the site may have ended there, or the dump may be of something else: an operator knows.
    pub(super) fn tell_of_unseen_tokens(&mut self) -> Result<(), Failure> {
        let (mut count, mut after) = (0, None::<String>);
        loop {
            let marks = &self.tokens.marks;
            let (found, last) = self.instance.read(|cx| Ok(unseen(cx, after.as_deref(), |mark| marks.contains(&mark), PAGE)?))?;
            count += found;
            if last.is_none() {
                break;
            }
            after = last;
        }
        if count > 0 {
            let detail = format!(
                "{count} tokens that came over earlier are not in this dump; they go on working here until they expire: \
                 propusk session revoke --user NAME ends a person's, propusk client set CLIENT --disable all of a client's"
            );
            self.summary.find(Finding::note("tokens_gone", "", "", detail));
        }
        Ok(())
    }

    /// Ends here what the site has ended, in batches.
    fn end_batch(&mut self, batch: Vec<EndedToken>) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let (dry, kinds) = (self.dry, batch.iter().map(EndedToken::kind).collect::<Vec<_>>());
        let work = move |cx: &mut Cx<'_>| batch.iter().map(|token| end(cx, token, dry)).collect::<Result<Vec<_>, _>>();
        let endings = if dry { self.instance.read(work) } else { self.instance.write(work) }?;
        for (kind, ending) in kinds.into_iter().zip(endings) {
            let counts = if kind == AdoptedKind::Access { &mut self.summary.access_tokens } else { &mut self.summary.refresh_tokens };
            match ending {
                Ending::Nothing => counts.ended += 1,
                Ending::Ended => counts.changed += 1,
                Ending::Left(finding) => {
                    counts.left_out += 1;
                    self.summary.find(finding);
                }
            }
        }
        Ok(())
    }
}
