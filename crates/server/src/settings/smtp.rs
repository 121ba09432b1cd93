//! `[smtp]`: the server that takes our mails.

use super::duration;
use super::section::Section;
use lettre::message::Mailbox;
use propusk_crypto::Secret;
use serde::{Serialize, Serializer};

/// How mails are sent; not at all without `url`.
#[derive(Debug, Clone, Serialize)]
pub struct SmtpSettings {
    /// The mail server; in the file an address: `smtps://user@host:465` or `smtp://host:587`.
    #[serde(rename = "url", skip_serializing_if = "Option::is_none")]
    pub server: Option<SmtpServer>,
    /// The user's password there.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// The sender: `Propusk <noreply@example.org>`.
    pub from: Option<String>,
    /// Whether `smtp://` demands STARTTLS (RFC 3207); without, mails and the links in them travel in the clear.
    pub starttls: bool,
    /// How long the links in mails work, in seconds.
    #[serde(serialize_with = "duration::serialize")]
    pub link_lifetime: i64,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpServer {
    /// TLS from the first byte (RFC 8314 §3.3).
    pub implicit_tls: bool,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Who signs in there.
    pub user: Option<String>,
}

impl Serialize for SmtpServer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scheme = if self.implicit_tls { "smtps" } else { "smtp" };
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        serializer.collect_str(&format_args!("{scheme}://{user}{}:{}", self.host, self.port))
    }
}

impl SmtpSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        let expected = "an address like smtps://user@mail.example.org:465 or smtp://mail.example.org:587, without a password";
        let given = section.has("url");
        // A file that cannot be read is a problem of its own.
        let has_password = section.has("password") || section.has("password_file");
        let server = section.parsed("url", expected, server);
        let expected = "a sender like noreply@example.org or Besedka <noreply@example.org>";
        let from = section.parsed("from", expected, |text| text.parse::<Mailbox>().ok().map(|_| text.to_owned()));
        let settings = Self {
            server,
            from,
            password: section.secret("password", "password_file").map(Secret::new),
            starttls: section.flag("starttls", true),
            link_lifetime: section.seconds("link_lifetime", 3600, 300..=86_400),
        };
        if given && settings.from.is_none() {
            section.problem("from", "is missing: mails need a sender".to_owned());
        }
        let user = settings.server.as_ref().and_then(|server| server.user.as_ref());
        if given && settings.server.is_some() && user.is_some() != has_password {
            section.problem("password_file", "the user in `smtp.url` and the password belong together".to_owned());
        }
        let is_clear = settings.server.as_ref().is_some_and(|server| !server.implicit_tls) && !settings.starttls;
        if is_clear && settings.password.is_some() {
            section.problem("starttls", "a password does not travel in the clear".to_owned());
        }
        settings
    }

    /// Whether mails can be sent.
    pub fn is_set(&self) -> bool {
        self.server.is_some() && self.from.is_some()
    }
}

/// The user is often an address itself: the last `@` divides.
fn server(text: &str) -> Option<SmtpServer> {
    let (scheme, rest) = text.split_once("://")?;
    let implicit_tls = match scheme {
        "smtps" => true,
        "smtp" => false,
        _ => return None,
    };
    let (user, authority) = rest.rsplit_once('@').map_or((None, rest), |(user, authority)| (Some(user.replace("%40", "@")), authority));
    if user.as_ref().is_some_and(|user| user.is_empty() || user.contains([':', '/'])) {
        return None;
    }
    let url = url::Url::parse(&format!("{scheme}://{authority}")).ok()?;
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
    Some(SmtpServer { implicit_tls, host, port: url.port().unwrap_or(if implicit_tls { 465 } else { 587 }), user })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn addresses_of_mail_servers_are_read() {
        let read = |text| server(text).map(|server| (server.implicit_tls, server.host, server.port, server.user));
        assert_eq!(read("smtps://me@example.org@mail.example.org"), Some((true, "mail.example.org".into(), 465, Some("me@example.org".into()))));
        assert_eq!(read("smtp://mail:2525/"), Some((false, "mail".into(), 2525, None)));
        for bad in ["mail.example.org", "http://mail", "smtp://", "smtp://u:secret@mail", "smtp://mail/x", "smtp://@mail", "smtp://mail:0x"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn half_a_mail_server_is_refused_and_no_password_goes_in_the_clear() {
        let read = |entries: &[(&str, &str)]| Settings::from_map(entries.iter().copied());
        let whole = [("smtp.url", "smtps://u@mail"), ("smtp.from", "P <p@example.org>"), ("smtp.password", "s3cret")];
        let settings = read(&whole).unwrap();
        assert!(settings.smtp.is_set() && !settings.to_toml_redacted().contains("s3cret"));
        assert!(!read(&[]).unwrap().smtp.is_set());
        for bad in [
            &whole[..1],
            &whole[..2],
            &[("smtp.url", "smtp://mail"), ("smtp.from", "nobody")],
            &[("smtp.url", "smtp://u@mail"), ("smtp.from", "p@example.org"), ("smtp.password", "x"), ("smtp.starttls", "false")],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
