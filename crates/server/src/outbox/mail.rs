//! Sends the mails that people asked for: on `/forgot-password`, for another address on `/account`, on `/register`.

use super::letters::{Letter, Writer};
use super::{Courier, write};
use crate::mail::{Mail, Mailer};
use crate::pages::i18n::Locale;
use crate::state::AppState;
use propusk_crypto::digest;
use propusk_domain::email_change::{self, AddressMail, AddressNotice};
use propusk_domain::mail::{self, Addressed, PasswordMail, Wish};
use propusk_domain::outbox::{Message, Outcome, Topic};
use propusk_domain::registration::{self, RegistrationMail};
use propusk_domain::user::{User, name_key};
use propusk_domain::{Fault, Result};

/// Mails to one person or one address in an hour: nobody fills another's mailbox.
const AT_MOST: i64 = 5;

/// Seconds over which mails are counted.
const WINDOW: i64 = 3600;

/// Sends mails.
pub(super) struct Mails {
    state: AppState,
    mailer: Option<Mailer>,
}

/// A mail that is to be sent, and whom it is about.
struct Ready {
    to: String,
    letter: Letter,
    /// Audited when the mail server has taken it.
    password_of: Option<String>,
}

impl Mails {
    pub(super) fn new(state: AppState) -> Result<Self, Fault> {
        let mailer = Mailer::new(&state.settings.smtp, state.settings.outbound.ca_file.as_deref())?;
        Ok(Self { state, mailer })
    }

    /// What the row has come to by now; `None` when nobody gets a mail.
    fn prepare(&self, message: &Message) -> Result<Option<Ready>> {
        let Some(wish) = mail::read(message, &self.state.keys())? else { return Ok(None) };
        let is_late = self.state.now().since(message.changed_at) >= self.state.policy.mailed_link_lifetime;
        match wish {
            Wish::Notice(notice) if notice.is_changed => self.notice(notice),
            // Whoever asked so long ago has asked again, or given up.
            _ if is_late => Ok(None),
            Wish::Password(wish) => self.password(message, &wish),
            Wish::Address(wish) => self.new_address(message, wish),
            Wish::Notice(notice) => self.notice(notice),
            Wish::Registration(wish) => self.registration(message, wish),
        }
    }

    fn password(&self, message: &Message, wish: &PasswordMail) -> Result<Option<Ready>> {
        let expires_at = self.state.now().plus(self.state.policy.mailed_link_lifetime);
        let found = self.state.db.read(|store| mail::address(store, wish, expires_at))?;
        let Some(Addressed { user, address, link }) = found else { return Ok(None) };
        if !self.may_send(message, &user.sub)? {
            return Ok(None);
        }
        let url = link.url(&self.state.policy.issuer, &self.state.keys())?;
        let letter = self.letter(Some(&user), &wish.language, |writer| writer.password(&user.username, &url));
        Ok(Some(Ready { to: address, letter, password_of: Some(user.sub) }))
    }

    fn new_address(&self, message: &Message, wish: AddressMail) -> Result<Option<Ready>> {
        let expires_at = self.state.now().plus(self.state.policy.mailed_link_lifetime);
        let Some(answer) = self.state.db.read(|store| email_change::answer(store, &wish, expires_at))? else { return Ok(None) };
        if !self.may_send(message, &digest(&name_key(&wish.address)))? {
            return Ok(None);
        }
        let letter = match answer {
            email_change::Answer::Link(link, user) => {
                let url = link.url(&self.state.policy.issuer, &self.state.keys())?;
                self.letter(Some(&user), &wish.language, |writer| writer.new_address(&user.username, &url))
            }
            email_change::Answer::Taken => self.letter(None, &wish.language, Writer::taken),
        };
        Ok(Some(Ready { to: wish.address, letter, password_of: None }))
    }

    fn registration(&self, message: &Message, wish: RegistrationMail) -> Result<Option<Ready>> {
        let expires_at = self.state.now().plus(self.state.policy.mailed_link_lifetime);
        let answer = self.state.db.read(|store| registration::answer(store, &wish, expires_at))?;
        let applicant = wish.applicant;
        if !self.may_send(message, &digest(&name_key(&applicant.address)))? {
            return Ok(None);
        }
        let issuer = &self.state.policy.issuer;
        let letter = match answer {
            registration::Answer::Link(link) => {
                let url = link.url(issuer, &self.state.keys())?;
                self.letter(None, &applicant.language, |writer| writer.registration(&url))
            }
            registration::Answer::Known => self.letter(None, &applicant.language, |writer| writer.known(issuer)),
        };
        Ok(Some(Ready { to: applicant.address, letter, password_of: None }))
    }

    fn notice(&self, notice: AddressNotice) -> Result<Option<Ready>> {
        let Some(user) = self.state.db.read(|store| Ok(store.find_user(&notice.sub)?))? else { return Ok(None) };
        let letter = self.letter(Some(&user), &notice.language, |writer| {
            if notice.is_changed { writer.changed(&user.username) } else { writer.asked(&user.username, &self.state.policy.issuer) }
        });
        Ok(Some(Ready { to: notice.address, letter, password_of: None }))
    }

    /// In the person's own language, where they have chosen one.
    fn letter(&self, user: Option<&User>, asked_in: &str, write: impl FnOnce(&Writer) -> Letter) -> Letter {
        let language = user.and_then(|user| user.locale.as_deref()).unwrap_or(asked_in);
        let locale = Locale::from_tag(language).unwrap_or(self.state.locale);
        write(&Writer { locale, site: self.state.brand.name(locale), lifetime: self.state.policy.mailed_link_lifetime })
    }

    /// Counts the first attempt at a mail to this person or address.
    fn may_send(&self, message: &Message, whom: &str) -> Result<bool, Fault> {
        if message.attempts > 1 {
            return Ok(true);
        }
        let now = self.state.now();
        let counter = format!("mails:{whom}:{}", now.0.div_euclid(WINDOW));
        Ok(self.state.ephemeral.count(&counter, 1, WINDOW, now)? <= AT_MOST)
    }
}

impl Courier for Mails {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Mail]
    }

    fn deliver(&mut self, message: &Message) -> Result<Outcome> {
        let Some(mailer) = &self.mailer else { return Ok(Outcome::Done) };
        let Some(Ready { to, letter: Letter { subject, text }, password_of }) = self.prepare(message)? else { return Ok(Outcome::Done) };
        let id = format!("{}.{}", message.id, message.version);
        let outcome = mailer.send(Mail { id: &id, to: &to, subject, text })?;
        if let (Outcome::Done, Some(sub)) = (&outcome, password_of) {
            write(&self.state, move |cx| mail::sent(cx, &sub))?;
        }
        Ok(outcome)
    }
}
