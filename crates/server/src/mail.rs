//! Mails, by SMTP: plain text, one connection a mail, called from threads that may block.

use crate::settings::SmtpSettings;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, SmtpTransport, Transport};
use propusk_domain::Fault;
use propusk_domain::mail::is_address;
use propusk_domain::outbox::Outcome;
use std::path::Path;
use std::time::Duration;

/// How long each step of the conversation may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Speaks to the mail server of the settings.
#[derive(Debug)]
pub(crate) struct Mailer {
    transport: SmtpTransport,
    from: Mailbox,
}

/// A mail.
pub(crate) struct Mail<'a> {
    /// Stays the same when the mail is tried again, so that mailboxes recognise a second copy.
    pub(crate) id: &'a str,
    pub(crate) to: &'a str,
    pub(crate) subject: String,
    pub(crate) text: String,
}

/// Whether a mail can be addressed to `text`, and to nobody else by it.
pub(crate) fn can_be_written_to(text: &str) -> bool {
    is_address(text) && text.parse::<Address>().is_ok()
}

impl Mailer {
    /// `None` without `smtp.url`. `ca_file` is trusted besides the roots of the system.
    pub(crate) fn new(settings: &SmtpSettings, ca_file: Option<&Path>) -> Result<Option<Self>, Fault> {
        let (Some(server), Some(from)) = (&settings.server, &settings.from) else { return Ok(None) };
        let tls = if !server.implicit_tls && !settings.starttls {
            Tls::None
        } else {
            let mut parameters = TlsParameters::builder(server.host.clone());
            if let Some(path) = ca_file {
                let pem = std::fs::read(path).map_err(Fault::broken)?;
                parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(Fault::broken)?);
            }
            let parameters = parameters.build().map_err(Fault::broken)?;
            if server.implicit_tls { Tls::Wrapper(parameters) } else { Tls::Required(parameters) }
        };
        let mut builder = SmtpTransport::builder_dangerous(&server.host).port(server.port).tls(tls).timeout(Some(TIMEOUT));
        if let (Some(user), Some(password)) = (&server.user, &settings.password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Some(Self { transport: builder.build(), from: from.parse().map_err(Fault::broken)? }))
    }

    /// Hands the mail to the server. What it says of an address stays out of logs and audit: it names people.
    pub(crate) fn send(&self, mail: Mail<'_>) -> Result<Outcome, Fault> {
        let Ok(to) = mail.to.parse::<Address>() else {
            return Ok(Outcome::Refused { failure: "the address cannot be written to".to_owned() });
        };
        let id = format!("<{}@{}>", mail.id, self.from.email.domain());
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject)
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text)
            .map_err(Fault::broken)?;
        // RFC 3834 §5: no vacation notices, please.
        message.headers_mut().insert_raw(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
        Ok(match self.transport.send(&message) {
            Ok(_) => Outcome::Done,
            Err(error) => {
                let failure = match error.status() {
                    Some(code) => format!("the mail server answered {code}"),
                    None if error.is_timeout() => "the mail server did not answer in time".to_owned(),
                    None => "the mail server could not be spoken to".to_owned(),
                };
                if error.is_permanent() { Outcome::Refused { failure } } else { Outcome::Later { failure, after: None } }
            }
        })
    }
}
