//! Applications and live tokens of django-oauth-toolkit.

use super::Run;
use super::source::{Kind, Source};
use crate::failure::Failure;
use propusk_crypto::SecretHash;
use propusk_domain::Cx;
use propusk_domain::import::oauth::{OldScopes, SiteApplication, SiteSecret, register};
use propusk_domain::import::tokens::{Adopted, SiteRefresh, SiteToken, adopt};
use propusk_domain::import::{Finding, Outcome};
use std::collections::HashMap;

/// Rows of one write transaction.
const BATCH: usize = 200;

impl Run {
    /// Registers the applications, then adopts the tokens.
    pub(crate) fn take_oauth(&mut self, source: &mut Source) -> Result<(), Failure> {
        let scopes = self.scopes_of_tokens(source)?;
        let clients = self.take_applications(source, &scopes)?;
        let mut refreshes = self.live_refreshes(source)?;
        self.take_tokens(source, &clients, &mut refreshes)?;
        // Whatever is left names an access token that is not in the source.
        for refresh in refreshes.into_values() {
            self.summary.refresh_tokens.left_out += 1;
            self.summary.find(Finding::left_out("no_scope", "refresh token", &refresh.key, "its access token is missing, and the scope with it"));
        }
        Ok(())
    }

    /// The scopes of all tokens, dead ones, too: they say what was asked for.
    fn scopes_of_tokens(&mut self, source: &mut Source) -> Result<OldScopes, Failure> {
        let mut scopes = OldScopes::new(self.scope_map.clone());
        source.each(
            |kind, _| kind == Kind::AccessToken,
            |_, item| {
                let Ok(record) = item else { return Ok(()) };
                let Some(application) = record.reference("application") else { return Ok(()) };
                scopes.learn(application, record.text("scope").unwrap_or_default());
                Ok(())
            },
        )?;
        self.summary.scopes = scopes.all.iter().cloned().collect();
        Ok(scopes)
    }

    /// The key of each application → its client.
    fn take_applications(&mut self, source: &mut Source, scopes: &OldScopes) -> Result<HashMap<String, String>, Failure> {
        let mut clients = HashMap::new();
        source.each(
            |kind, _| kind == Kind::Application,
            |_, item| {
                self.bar.inc(1);
                self.summary.clients.read += 1;
                let record = match item {
                    Ok(record) => record,
                    Err((place, reason)) => {
                        self.summary.clients.left_out += 1;
                        self.summary.find(Finding::left_out("broken", "application", &place, reason));
                        return Ok(());
                    }
                };
                if !self.seen_applications.insert(&record.key) {
                    self.summary.clients.left_out += 1;
                    let detail = "an application with the same primary key came before it, and was taken";
                    self.summary.find(Finding::left_out("duplicate_key", &record.model, &record.key, detail));
                    return Ok(());
                }
                let mut findings = Vec::new();
                let issuer = self.instance.policy.issuer.clone();
                let read = SiteApplication::read(&record, scopes, &issuer, &mut findings);
                for finding in findings {
                    self.summary.find(finding);
                }
                let outcome = match read {
                    Ok(application) => {
                        let outcome = self.take_application(&application)?;
                        if !matches!(outcome, Outcome::Left(_)) {
                            clients.insert(application.key.clone(), application.new.client_id.clone());
                        }
                        outcome
                    }
                    Err(finding) => Outcome::Left(finding),
                };
                self.summary.clients.count(&outcome);
                if let Outcome::Left(finding) = outcome {
                    self.summary.find(finding);
                }
                Ok(())
            },
        )?;
        Ok(clients)
    }

    fn take_application(&mut self, application: &SiteApplication) -> Result<Outcome, Failure> {
        let dry = self.dry;
        let hash = match &application.secret {
            SiteSecret::None => None,
            SiteSecret::Hash(hash) => Some(hash.clone()),
            SiteSecret::Weak(_) if dry => None,
            SiteSecret::Weak(weak) => {
                let stored = self.hasher.wrap(weak, &self.instance.rng).map_err(|error| Failure::Failed(error.to_string()))?;
                Some(SecretHash::from_stored(stored))
            }
        };
        let application = application.clone();
        let work = move |cx: &mut Cx<'_>| register(cx, &application, hash.clone(), dry);
        Ok(if dry { self.instance.read(work) } else { self.instance.write(work) }?)
    }

    /// The live refresh tokens by the key of their access token: some 150 bytes each.
    fn live_refreshes(&mut self, source: &mut Source) -> Result<HashMap<String, SiteRefresh>, Failure> {
        let mut refreshes = HashMap::new();
        let now = self.instance.clock.now();
        source.each(
            |kind, _| kind == Kind::RefreshToken,
            |_, item| {
                self.bar.inc(1);
                self.summary.refresh_tokens.read += 1;
                let record = match item {
                    Ok(record) => record,
                    Err((place, reason)) => {
                        self.summary.refresh_tokens.left_out += 1;
                        self.summary.find(Finding::left_out("broken", "refresh token", &place, reason));
                        return Ok(());
                    }
                };
                match SiteRefresh::read(&record, now) {
                    Ok(Some((access, refresh))) => {
                        if let Some(other) = refreshes.insert(access, refresh) {
                            self.summary.refresh_tokens.left_out += 1;
                            let detail = "a later one names the same access token";
                            self.summary.find(Finding::left_out("duplicate_token", "refresh token", &other.key, detail));
                        }
                    }
                    Ok(None) => self.summary.refresh_tokens.ended += 1,
                    Err(finding) => {
                        self.summary.refresh_tokens.left_out += 1;
                        self.summary.find(finding);
                    }
                }
                Ok(())
            },
        )?;
        Ok(refreshes)
    }

    fn take_tokens(
        &mut self,
        source: &mut Source,
        clients: &HashMap<String, String>,
        refreshes: &mut HashMap<String, SiteRefresh>,
    ) -> Result<(), Failure> {
        let now = self.instance.clock.now();
        let mut batch = Vec::with_capacity(BATCH);
        source.each(
            |kind, _| kind == Kind::AccessToken,
            |_, item| {
                self.bar.inc(1);
                self.summary.access_tokens.read += 1;
                let record = match item {
                    Ok(record) => record,
                    Err((place, reason)) => {
                        self.summary.access_tokens.left_out += 1;
                        self.summary.find(Finding::left_out("broken", "access token", &place, reason));
                        return Ok(());
                    }
                };
                let refresh = refreshes.remove(&record.key);
                let had_refresh = refresh.is_some();
                match SiteToken::read(&record, refresh, |key| clients.get(key).cloned(), &self.scope_map, now) {
                    Ok(Some(token)) => {
                        self.summary.access_tokens.ended += u64::from(!token.has_access());
                        batch.push(token);
                    }
                    Ok(None) => self.summary.access_tokens.ended += 1,
                    Err(finding) => {
                        self.summary.access_tokens.left_out += 1;
                        self.summary.refresh_tokens.left_out += u64::from(had_refresh);
                        self.summary.find(finding);
                    }
                }
                if batch.len() == BATCH {
                    self.adopt_batch(std::mem::take(&mut batch))?;
                }
                Ok(())
            },
        )?;
        self.adopt_batch(batch)
    }

    fn adopt_batch(&mut self, batch: Vec<SiteToken>) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let dry = self.dry;
        let work = move |cx: &mut Cx<'_>| batch.iter().map(|token| adopt(cx, token, dry)).collect::<Result<Vec<_>, _>>();
        let adopted = if dry { self.instance.read(work) } else { self.instance.write(work) }?;
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
}
