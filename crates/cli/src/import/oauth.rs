//! Applications of django-oauth-toolkit, then their tokens.

use super::Run;
use super::source::{Kind, Source};
use crate::failure::Failure;
use propusk_crypto::SecretHash;
use propusk_domain::Cx;
use propusk_domain::import::oauth::{OldScopes, SiteApplication, SiteSecret};
use propusk_domain::import::register::{Registered, register};
use propusk_domain::import::{Finding, Outcome, SiteClients};

impl Run {
    /// Registers the applications, then adopts the tokens.
    pub(crate) fn take_oauth(&mut self, source: &mut Source) -> Result<(), Failure> {
        let scopes = self.scopes_of_tokens(source)?;
        let clients = self.take_applications(source, &scopes)?;
        let mut refreshes = self.live_refreshes(source)?;
        self.take_tokens(source, &clients, &mut refreshes)?;
        self.without_access_tokens(refreshes)?;
        if self.summary.clients.read > 0 { self.tell_of_unseen_tokens() } else { Ok(()) }
    }

    /// The scopes of all tokens, dead ones, too: they say what was asked for.
    fn scopes_of_tokens(&mut self, source: &mut Source) -> Result<OldScopes, Failure> {
        let mut scopes = OldScopes::new(self.scope_map.clone());
        source.each(
            |kind, _| kind == Kind::AccessToken,
            |_, item| {
                let Ok(record) = item else { return Ok(()) };
                scopes.learn(record.pointer("application"), record.text("scope").unwrap_or_default());
                Ok(())
            },
        )?;
        self.summary.scopes = scopes.all.iter().cloned().collect();
        Ok(scopes)
    }

    /// Which of them count here.
    fn take_applications(&mut self, source: &mut Source, scopes: &OldScopes) -> Result<SiteClients, Failure> {
        let mut clients = SiteClients::default();
        source.each(
            |kind, _| kind == Kind::Application,
            |_, item| {
                let Ok(record) = item else { return Ok(()) };
                self.bar.inc(1);
                self.summary.clients.read += 1;
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
                        let registered = self.take_application(&application)?;
                        if registered.is_the_sites {
                            clients.insert(&application.key, &application.new.client_id);
                        }
                        registered.outcome
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

    fn take_application(&mut self, application: &SiteApplication) -> Result<Registered, Failure> {
        if !self.seen_client_ids.insert(application.new.client_id.clone()) {
            let detail = "an application with the same client_id came before it, and was taken; the tokens of this one stay behind";
            let finding = Finding::left_out("duplicate_client_id", &application.model, &application.key, detail).named(&application.new.client_id);
            return Ok(Registered { outcome: Outcome::Left(finding), is_the_sites: false });
        }
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
        Ok(if dry {
            let plan = &mut self.plan;
            self.instance.read(|cx| register(cx, &application, hash, Some(plan)))
        } else {
            self.instance.write(move |cx: &mut Cx<'_>| register(cx, &application, hash.clone(), None))
        }?)
    }
}
