//! People, in batches of at most 200: read, settled, hashed outside every transaction, then written in one.

use super::Run;
use super::source::{Item, Kind, Source};
use crate::failure::Failure;
use propusk_crypto::{ForeignHash, Judged};
use propusk_domain::Cx;
use propusk_domain::import::people::{Naming, settle_address, settle_name, take};
use propusk_domain::import::{Finding, NameBook, Outcome, Prepared, SiteUser, SubChoice};
use propusk_domain::user::name_key;

/// Rows of one write transaction, so that a sign-in never waits for the import.
const BATCH: usize = 200;

impl Run {
    /// Learns the names of groups, and to whom each name belongs.
    pub(crate) fn look_ahead(&mut self, source: &mut Source, user_model: &str) -> Result<(), Failure> {
        // Whose an address is can be told when everybody's name is known.
        let mut verified = Vec::new();
        source.each(
            |kind, model| matches!(kind, Kind::Group | Kind::EmailAddress) || (kind == Kind::User && model == user_model),
            |kind, item| {
                let Ok(record) = item else { return Ok(()) };
                if kind == Kind::Group {
                    if let Some(name) = record.trimmed("name") {
                        self.groups.insert(record.key.clone(), name.to_owned());
                    }
                } else if kind == Kind::EmailAddress {
                    if let (Some(true), Some(email)) = (record.flag("verified"), record.trimmed("email")) {
                        verified.push((record.pointer("user"), email.to_owned()));
                    }
                } else if let Some(name) = record.trimmed("username").or_else(|| record.trimmed("email")) {
                    self.book.reserve(name, &record.key);
                    if let Some(email) = record.trimmed("email") {
                        self.book.reserve_address(email, &record.key);
                    }
                    // Either may be the model's USERNAME_FIELD; whoever both would mean is nobody.
                    for natural in ["username", "email"].into_iter().filter_map(|column| record.text(column)) {
                        self.natural_keys.learn(natural, &record.key);
                    }
                }
                Ok(())
            },
        )?;
        for (user, email) in verified {
            if let Ok(Some(user)) = self.natural_keys.resolve(user) {
                self.verified.insert(NameBook::digest(&user, &email));
            }
        }
        Ok(())
    }

    /// Takes everybody over.
    pub(crate) fn take_people(&mut self, source: &mut Source, user_model: &str) -> Result<(), Failure> {
        let mut batch = Vec::with_capacity(BATCH);
        source.each(
            |kind, model| kind == Kind::User && (model == user_model || model.is_empty()),
            |_, item| {
                self.bar.inc(1);
                self.summary.users.read += 1;
                if let Some(user) = self.read_person(item, user_model) {
                    batch.push(user);
                }
                if batch.len() == BATCH {
                    self.take_batch(&batch)?;
                    batch.clear();
                }
                Ok(())
            },
        )?;
        self.take_batch(&batch)?;
        if self.choices.sub == SubChoice::New && self.summary.users.added > 0 {
            let detail = "with new subjects the chat does not recognise anybody: each account there of the same username collides until \
                          Merge users and its distinct services are on";
            self.summary.find(Finding::note("chat_accounts_collide", user_model, "", detail));
        }
        Ok(())
    }

    /// What holds of many people at once is told once.
    pub(crate) fn tell_of_rules(&mut self) {
        let rule = |at: usize| self.choices.role_map.get(at).map(|(from, to)| format!("{from}={to}")).unwrap_or_default();
        let mut findings = Vec::new();
        for name in self.book.unmatched() {
            let detail = "the file of --names gives a username, but nobody at the site has this name";
            findings.push(Finding::note("unknown_name", &self.summary.user_model, "", detail).named(name));
        }
        for ((first, later), count) in &self.summary.shadowed {
            let (first, later) = (rule(*first), rule(*later));
            let detail = format!("{first} decides where {later} applies, too ({count} of the people): the rule that stands first does");
            findings.push(Finding::note("role_rule_hidden", &self.summary.user_model, "", detail));
        }
        if self.summary.kept_subjects > 0 {
            let detail = format!(
                "{} of the people were taken over with another subject, which they keep: for another --sub import into a fresh database",
                self.summary.kept_subjects
            );
            findings.push(Finding::note("subject_kept", &self.summary.user_model, "", detail));
        }
        for finding in findings {
            self.summary.find(finding);
        }
    }

    fn read_person(&mut self, item: Item, user_model: &str) -> Option<SiteUser> {
        let mut findings = Vec::new();
        let read = match item {
            Ok(record) if !self.seen.insert(&record.key) => {
                let detail = "a record with the same primary key came before it, and was taken";
                Err(Finding::left_out("duplicate_key", user_model, &record.key, detail))
            }
            Ok(record) => SiteUser::read(&record, &self.choices, &self.groups, &mut findings),
            Err((place, reason)) => Err(Finding::left_out("broken", user_model, &place, reason)),
        };
        for finding in findings {
            self.summary.find(finding);
        }
        match read {
            Ok(user) => {
                if let Some(rules) = user.shadowed {
                    *self.summary.shadowed.entry(rules).or_default() += 1;
                }
                Some(user)
            }
            Err(finding) => {
                self.summary.users.left_out += 1;
                self.summary.find(finding);
                None
            }
        }
    }

    fn take_batch(&mut self, batch: &[SiteUser]) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let prepared = self.settle(batch)?;
        let prepared = prepared.into_iter().map(|person| self.with_password(person)).collect::<Result<Vec<_>, _>>()?;
        let dry = self.dry;
        let work = move |cx: &mut Cx<'_>| prepared.iter().map(|person| Ok((person.clone(), take(cx, person, dry)?))).collect::<Result<Vec<_>, _>>();
        let taken = if dry { self.instance.read(work) } else { self.instance.write(work) }?;
        for (person, outcome) in taken {
            self.count(&person, outcome);
        }
        Ok(())
    }

    /// Names for those who are new; those who are as they were are counted and done with.
    fn settle(&mut self, batch: &[SiteUser]) -> Result<Vec<Prepared>, Failure> {
        let Self { instance, book, choices, summary, verified, .. } = self;
        let mut prepared = Vec::with_capacity(batch.len());
        instance.read(|cx| {
            for site in batch {
                let by_address = site.email.as_ref().is_some_and(|email| verified.contains(&NameBook::digest(&site.key, email)));
                let email_verified = choices.emails_verified || by_address;
                let source_digest = site.digest(email_verified)?;
                let known = cx.store.find_imported_user(&site.key)?;
                if let (Some(row), Some(sub)) = (&known, &site.sub) {
                    summary.kept_subjects += u64::from(row.sub != *sub);
                }
                if known.as_ref().is_some_and(|row| row.source_digest == source_digest) {
                    summary.users.unchanged += 1;
                    continue;
                }
                let own = known.as_ref().map(|row| row.sub.as_str());
                let (email_verified, address) = settle_address(cx.store, book, site, own, email_verified)?;
                let person = |username: String, alias| Prepared {
                    site: site.clone(),
                    username,
                    alias,
                    password: None,
                    email_verified,
                    source_digest: source_digest.clone(),
                };
                if let Some(finding) = address {
                    summary.find(finding);
                }
                match known {
                    Some(row) => {
                        let username = cx.store.find_user(&row.sub)?.map(|user| user.username).unwrap_or_default();
                        let other = cx.store.find_user_by_name(&name_key(&site.name))?.is_some_and(|owner| owner.sub != row.sub);
                        let alias = !other && name_key(&username) != name_key(&site.name);
                        prepared.push(person(username, alias));
                    }
                    None => match settle_name(cx.store, book, site)? {
                        Naming::Named(username, alias) => prepared.push(person(username, alias)),
                        Naming::Left(finding) => {
                            summary.users.left_out += 1;
                            summary.find(finding);
                        }
                    },
                }
            }
            Ok(())
        })?;
        Ok(prepared)
    }

    /// Wraps a weak hash: 20 ms each, so before the transaction. A hash that cannot be kept is reported; its person comes along
    /// without a password.
    fn with_password(&mut self, mut person: Prepared) -> Result<Prepared, Failure> {
        let site = &person.site;
        person.password = match site.judged_password() {
            Judged::Accepted { cost } => Some((site.password.clone(), cost)),
            Judged::Weak(weak) if self.dry => Some((String::new(), weak.scheme().as_str().to_owned())),
            Judged::Weak(weak) => {
                let stored = self.hasher.wrap(&weak, &self.instance.rng).map_err(|error| Failure::Failed(error.to_string()))?;
                let cost = ForeignHash::parse(&stored).map_or_else(|_| weak.scheme().as_str().to_owned(), |hash| hash.cost());
                Some((stored, cost))
            }
            Judged::Unusable => {
                let detail = "the password is empty or unusable; the person has none until one is set";
                self.summary.find(Finding::note("no_password", &site.model, &site.key, detail).named(&site.name));
                None
            }
            Judged::Refused(reason) => {
                let detail = format!("the password hash is not accepted: {reason}; the person has none until one is set");
                self.summary.find(Finding::note("password_not_taken", &site.model, &site.key, detail).named(&site.name));
                None
            }
        };
        Ok(person)
    }

    fn count(&mut self, person: &Prepared, outcome: Outcome) {
        self.summary.users.count(&outcome);
        match outcome {
            Outcome::Left(finding) => self.summary.find(finding),
            Outcome::Unchanged => {}
            Outcome::Added | Outcome::Changed => {
                if self.dry {
                    self.plan.person(&person.site.key, person.site.is_active);
                }
                let scheme = person.password.as_ref().map_or("none", |(_, cost)| cost.split('$').next().unwrap_or_default());
                *self.summary.passwords.entry(scheme.to_owned()).or_default() += 1;
                *self.summary.roles.entry(person.site.role.clone()).or_default() += 1;
                if outcome == Outcome::Added && self.choices.sub == SubChoice::New {
                    self.summary.collides(&person.username);
                }
                if outcome == Outcome::Added && person.username != person.site.name {
                    self.summary.renamed(&person.site.name, &person.username);
                }
            }
        }
    }
}
