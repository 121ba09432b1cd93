//! Sends what people asked for on `/forgot-password`.

use super::{Courier, write};
use crate::mail::{Mail, Mailer};
use crate::pages::i18n::{Arg, Locale, t, t_args};
use crate::state::AppState;
use propusk_domain::mail::{self, Addressed, MAILED_LINK};
use propusk_domain::outbox::{Message, Outcome, Topic};
use propusk_domain::{Fault, Result};

/// Mails to one person in an hour: nobody fills another's mailbox.
const AT_MOST: i64 = 5;

/// Seconds over which mails to one person are counted.
const WINDOW: i64 = 3600;

/// Messages that only mails use.
#[cfg(test)]
pub(crate) const KEYS: [&str; 5] =
    ["mail-password-subject", "mail-password-lead", "mail-password-account", "mail-password-link", "mail-password-ignore"];

/// Sends mails.
pub(super) struct Mails {
    state: AppState,
    mailer: Option<Mailer>,
}

impl Mails {
    pub(super) fn new(state: AppState) -> Result<Self, Fault> {
        let mailer = Mailer::new(&state.settings.smtp, state.settings.outbound.ca_file.as_deref())?;
        Ok(Self { state, mailer })
    }

    /// Counts the first attempt at a mail to this person.
    fn may_send(&self, message: &Message, sub: &str) -> Result<bool, Fault> {
        if message.attempts > 1 {
            return Ok(true);
        }
        let now = self.state.now();
        let counter = format!("mails:{sub}:{}", now.0.div_euclid(WINDOW));
        Ok(self.state.ephemeral.count(&counter, 1, WINDOW, now)? <= AT_MOST)
    }
}

impl Courier for Mails {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Mail]
    }

    fn deliver(&mut self, message: &Message) -> Result<Outcome> {
        let (now, keys) = (self.state.now(), self.state.keys());
        let Some(mailer) = &self.mailer else { return Ok(Outcome::Done) };
        // Whoever asked so long ago has asked again, or given up.
        if now.since(message.changed_at) >= MAILED_LINK {
            return Ok(Outcome::Done);
        }
        let Some(wanted) = mail::read(message, &keys)? else { return Ok(Outcome::Done) };
        let found = self.state.db.read(|store| mail::address(store, &wanted, now))?;
        let Some(Addressed { user, address, link }) = found else { return Ok(Outcome::Done) };
        if !self.may_send(message, &user.sub)? {
            return Ok(Outcome::Done);
        }
        let language = user.locale.as_deref().unwrap_or(&wanted.language);
        let locale = Locale::from_tag(language).unwrap_or(self.state.locale);
        let url = link.url(&self.state.policy.issuer, &keys)?;
        let (subject, text) = words(locale, &self.state.brand.name(locale), &user.username, &url);
        let id = format!("{}.{}", message.id, message.version);
        let outcome = mailer.send(Mail { id: &id, to: &address, subject, text })?;
        if outcome == Outcome::Done {
            write(&self.state, move |cx| mail::sent(cx, &user.sub))?;
        }
        Ok(outcome)
    }
}

/// Subject and text.
fn words(locale: Locale, site: &str, username: &str, url: &str) -> (String, String) {
    let of_site = |key| t_args(locale, key, &[("client", Arg::Text(site))]);
    let say = |key| t(locale, key);
    let text = format!(
        "{}\n\n{}: {username}\n\n{}\n{url}\n\n{}\n",
        of_site("mail-password-lead"),
        say("mail-password-account"),
        say("mail-password-link"),
        say("mail-password-ignore")
    );
    (of_site("mail-password-subject"), text)
}
