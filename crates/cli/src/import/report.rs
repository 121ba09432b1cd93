//! What an import did, or would do.

use crate::output::{FINDINGS, Report, table};
use propusk_domain::error::printable;
use propusk_domain::import::{Finding, Outcome};
use serde::Serialize;
use std::collections::BTreeMap;

/// At most so many findings and names are listed one by one; the rest is counted.
const LISTED: usize = 10_000;

/// At most so many are printed for a person.
const PRINTED: usize = 30;

/// Counts of one kind of record.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) added: u64,
    pub(crate) changed: u64,
    pub(crate) unchanged: u64,
    /// Expired, or revoked at the site: tokens that are worth nothing.
    pub(crate) ended: u64,
    pub(crate) left_out: u64,
}

impl Counts {
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Added => self.added += 1,
            Outcome::Changed => self.changed += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Left(_) => self.left_out += 1,
        }
    }
}

/// The whole of it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) dry_run: bool,
    pub(crate) user_model: String,
    pub(crate) users: Counts,
    /// Scheme of the password → people; `wrapped_…` were too weak to be stored, `none` have no password.
    pub(crate) passwords: BTreeMap<String, u64>,
    /// Role here → people.
    pub(crate) roles: BTreeMap<String, u64>,
    pub(crate) clients: Counts,
    /// The scopes of the site, mapped, that every client from there may ask for.
    pub(crate) scopes: Vec<String>,
    pub(crate) access_tokens: Counts,
    pub(crate) refresh_tokens: Counts,
    /// Name at the site → username here, where they differ; the form of a mapping file.
    pub(crate) names: BTreeMap<String, String>,
    /// With new subjects: the usernames of accounts in the chat that will collide.
    pub(crate) chat_accounts_that_collide: Vec<String>,
    /// How many people have the rule of --role-map by the one place, and not by the other.
    #[serde(skip)]
    pub(crate) shadowed: BTreeMap<(usize, usize), u64>,
    /// How many people were taken over earlier with another subject than the one chosen now.
    #[serde(skip)]
    pub(crate) kept_subjects: u64,
    pub(crate) findings: Vec<Finding>,
    pub(crate) findings_beyond_the_list: u64,
}

impl Summary {
    pub(crate) fn find(&mut self, finding: Finding) {
        if self.findings.len() < LISTED {
            self.findings.push(finding);
        } else {
            self.findings_beyond_the_list += 1;
        }
    }

    pub(crate) fn renamed(&mut self, site: &str, username: &str) {
        if self.names.len() < LISTED {
            self.names.insert(site.to_owned(), username.to_owned());
        }
    }

    /// Somebody whom the chat knows by another subject.
    pub(crate) fn collides(&mut self, username: &str) {
        if self.chat_accounts_that_collide.len() < LISTED {
            self.chat_accounts_that_collide.push(username.to_owned());
        }
    }

    /// The answer of the verb.
    pub(crate) fn report(&self) -> Report {
        let json = serde_json::to_value(self).unwrap_or_default();
        let has_findings = !self.findings.is_empty();
        let report = Report::of(json).human(self.human());
        if self.dry_run && has_findings { report.exit_code(FINDINGS) } else { report }
    }

    fn human(&self) -> String {
        let kinds =
            [("users", &self.users), ("clients", &self.clients), ("access tokens", &self.access_tokens), ("refresh tokens", &self.refresh_tokens)];
        let number = |count: u64| count.to_string();
        let rows = kinds.map(|(name, counts)| {
            let counts = [counts.read, counts.added, counts.changed, counts.unchanged, counts.ended, counts.left_out].map(number);
            let [read, added, changed, unchanged, ended, left_out] = counts;
            [name.to_owned(), read, added, changed, unchanged, ended, left_out]
        });
        let mut text = String::from(if self.dry_run { "Nothing was written (--dry-run). What would be done:\n" } else { "Imported.\n" });
        text += &table(["", "READ", "ADDED", "CHANGED", "UNCHANGED", "ENDED", "LEFT OUT"], rows);
        for (title, counts) in [("Passwords", &self.passwords), ("Roles", &self.roles)] {
            let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
            text += &format!("{title}: {}\n", if counts.is_empty() { "-".to_owned() } else { counts.join(", ") });
        }
        if !self.scopes.is_empty() {
            text += &format!("Scopes that its clients may go on asking for: {}\n", printable(&self.scopes.join(" ")));
        }
        if !self.names.is_empty() {
            text += &format!("\nUsernames for the chat ({}); edit them by --names:\n", self.names.len());
            text += &table(["AT THE SITE", "HERE"], self.names.iter().take(PRINTED).map(|(site, username)| [site.clone(), username.clone()]));
            text += &and_more(self.names.len());
        }
        if !self.chat_accounts_that_collide.is_empty() {
            let names: Vec<&str> = self.chat_accounts_that_collide.iter().take(PRINTED).map(String::as_str).collect();
            text += &format!("\nAccounts in the chat that will collide ({}): {}\n", self.chat_accounts_that_collide.len(), names.join(" "));
        }
        if !self.findings.is_empty() {
            text += &format!("\nFindings ({}):\n", self.findings.len() as u64 + self.findings_beyond_the_list);
            let rows = self.findings.iter().take(PRINTED).map(|finding| {
                let what = if finding.left_out { "left out" } else { "note" };
                [what.to_owned(), finding.slug.to_owned(), finding.key.clone(), finding.name.clone().unwrap_or_default(), finding.detail.clone()]
            });
            text += &table(["", "FINDING", "KEY", "NAME", "DETAIL"], rows);
            text += &and_more(self.findings.len());
        }
        text
    }
}

fn and_more(count: usize) -> String {
    if count > PRINTED { format!("… and {} more: --json lists them\n", count - PRINTED) } else { String::new() }
}
