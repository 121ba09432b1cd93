//! The words of mails: plain text, the link alone on its line.

use crate::pages::i18n::{Arg, Locale, t, t_args};

/// Messages that only mails use.
#[cfg(test)]
pub(crate) const KEYS: [&str; 28] = [
    "mail-link-works",
    "mail-username",
    "mail-password-subject",
    "mail-password-lead",
    "mail-password-link",
    "mail-password-ignore",
    "mail-email-subject",
    "mail-email-lead",
    "mail-email-link",
    "mail-email-ignore",
    "mail-email-for",
    "mail-taken-subject",
    "mail-taken-lead",
    "mail-taken-ignore",
    "mail-asked-subject",
    "mail-asked-lead",
    "mail-asked-advice",
    "mail-changed-subject",
    "mail-changed-lead",
    "mail-changed-advice",
    "mail-account-page",
    "mail-register-subject",
    "mail-register-lead",
    "mail-register-link",
    "mail-register-ignore",
    "mail-known-subject",
    "mail-known-lead",
    "mail-known-advice",
];

/// Subject and text.
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) text: String,
}

/// In which language, and of whom, mails speak.
pub(super) struct Writer {
    pub(super) locale: Locale,
    /// The community's name.
    pub(super) site: String,
    /// Seconds that a link works.
    pub(super) lifetime: i64,
}

impl Writer {
    /// A link to set a password, to the person who has forgotten one.
    pub(super) fn password(&self, username: &str, url: &str) -> Letter {
        let account = format!("{}: {username}", self.say("mail-username"));
        let (link, ignore) = (self.say("mail-password-link"), self.say("mail-password-ignore"));
        self.letter("mail-password-subject", &[self.of_site("mail-password-lead"), account, format!("{link}\n{url}"), self.works(), ignore])
    }

    /// A link to the address that somebody wants to have.
    pub(super) fn new_address(&self, username: &str, url: &str) -> Letter {
        let account = format!("{}: {username}", self.say("mail-email-for"));
        let (link, ignore) = (self.say("mail-email-link"), self.say("mail-email-ignore"));
        self.letter("mail-email-subject", &[self.of_site("mail-email-lead"), account, format!("{link}\n{url}"), self.works(), ignore])
    }

    /// To an address that somebody wants to have and somebody else has.
    pub(super) fn taken(&self) -> Letter {
        self.letter("mail-taken-subject", &[self.of_site("mail-taken-lead"), self.say("mail-taken-ignore")])
    }

    /// A link to make an account. Nothing in it is what a stranger typed: nobody writes to others by it.
    pub(super) fn registration(&self, url: &str) -> Letter {
        let (link, ignore) = (self.say("mail-register-link"), self.say("mail-register-ignore"));
        self.letter("mail-register-subject", &[self.of_site("mail-register-lead"), format!("{link}\n{url}"), self.works(), ignore])
    }

    /// To an address with which somebody wanted to make an account, and which has one.
    pub(super) fn known(&self, issuer: &str) -> Letter {
        let advice = format!("{}\n{issuer}/forgot-password", self.say("mail-known-advice"));
        self.letter("mail-known-subject", &[self.of_site("mail-known-lead"), advice, self.say("mail-taken-ignore")])
    }

    /// To the present address: another was asked for.
    pub(super) fn asked(&self, username: &str, issuer: &str) -> Letter {
        let account = format!("{}: {username}", self.say("mail-username"));
        let page = format!("{}\n{issuer}/account", self.say("mail-account-page"));
        self.letter("mail-asked-subject", &[self.of_site("mail-asked-lead"), account, self.say("mail-asked-advice"), page])
    }

    /// To the former address: there is another now.
    pub(super) fn changed(&self, username: &str) -> Letter {
        let account = format!("{}: {username}", self.say("mail-username"));
        self.letter("mail-changed-subject", &[self.of_site("mail-changed-lead"), account, self.say("mail-changed-advice")])
    }

    fn letter(&self, subject: &str, paragraphs: &[String]) -> Letter {
        Letter { subject: self.of_site(subject), text: format!("{}\n", paragraphs.join("\n\n")) }
    }

    /// How long the link works.
    fn works(&self) -> String {
        let minutes = u64::try_from(self.lifetime / 60).unwrap_or_default().max(1);
        t_args(self.locale, "mail-link-works", &[("count", Arg::Number(minutes))])
    }

    fn of_site(&self, key: &str) -> String {
        t_args(self.locale, key, &[("client", Arg::Text(&self.site))])
    }

    fn say(&self, key: &str) -> String {
        t(self.locale, key)
    }
}
