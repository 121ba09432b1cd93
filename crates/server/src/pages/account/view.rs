//! The account page as data: one struct with its template `account.html`.

use crate::pages::i18n::{Arg, Locale, t, t_args};
use crate::pages::view::{Page, scope_text};
use crate::password_strength::Weakness;
use askama::Template;

/// Messages that the template does not name itself.
pub(crate) const HINT: &str = "account-password-hint";
pub(crate) const UNKNOWN_DEVICE: &str = "account-device-unknown";

/// `/account`: `#account-name #account-locale #account-save`, `#account-old-password #account-new-password
/// #account-change-password`, `#account-new-email #account-email-password #account-change-email`, `#account-end-N`, `#account-everywhere`, `#account-withdraw-N`; all forms post to `{base}/account`.
#[derive(Debug, Clone, Template)]
#[template(path = "account.html")]
pub(crate) struct Account<'a> {
    pub(crate) page: Page<'a>,
    /// The sealed form, given back by each form.
    pub(crate) token: &'a str,
    pub(crate) notice: Option<Notice>,
    pub(crate) username: &'a str,
    pub(crate) name: &'a str,
    pub(crate) email: Option<&'a str>,
    pub(crate) is_verified: bool,
    /// The one that was typed into a form that was refused.
    pub(crate) new_email: &'a str,
    /// Whether a mail can be sent to another one.
    pub(crate) can_change_email: bool,
    /// `ru`, `en` or empty.
    pub(crate) language: &'a str,
    pub(crate) min_length: usize,
    pub(crate) sessions: Vec<SessionRow>,
    pub(crate) consents: Vec<ConsentRow>,
    pub(crate) tokens: Vec<TokenRow>,
    /// A token just made: shown this once.
    pub(crate) new_token: Option<&'a str>,
}

/// A personal access token.
#[derive(Debug, Clone)]
pub(crate) struct TokenRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) scope: String,
    pub(crate) until: String,
    pub(crate) used: Option<String>,
}

/// A signed-in browser.
#[derive(Debug, Clone)]
pub(crate) struct SessionRow {
    pub(crate) sid: String,
    /// `Firefox, Linux`; empty when nothing is known.
    pub(crate) device: String,
    pub(crate) address: String,
    /// When it was used last: RFC 3339, and for people.
    pub(crate) seen: String,
    pub(crate) seen_text: String,
    /// Whether it is the browser that looks at the page.
    pub(crate) is_current: bool,
}

/// A client that the person has allowed something.
#[derive(Debug, Clone)]
pub(crate) struct ConsentRow {
    pub(crate) client_id: String,
    pub(crate) client_name: String,
    pub(crate) scopes: Vec<String>,
}

impl Account<'_> {
    fn notice_text(&self) -> Option<String> {
        self.notice.map(|notice| notice.text(self.page.locale))
    }

    fn is_error(&self) -> bool {
        self.notice.is_some_and(Notice::is_error)
    }

    fn old_is_wrong(&self) -> bool {
        self.notice == Some(Notice::WrongPassword)
    }

    fn email_is_bad(&self) -> bool {
        matches!(self.notice, Some(Notice::BadEmail | Notice::SameEmail))
    }

    fn email_password_is_wrong(&self) -> bool {
        self.notice == Some(Notice::WrongPasswordForEmail)
    }

    fn new_is_weak(&self) -> bool {
        matches!(self.notice, Some(Notice::Short { .. } | Notice::Long | Notice::Guessable))
    }

    fn hint(&self) -> String {
        count(self.page.locale, HINT, u64::try_from(self.min_length).unwrap_or(u64::MAX))
    }

    fn named(&self, key: &str, name: &str) -> String {
        t_args(self.page.locale, key, &[("client", Arg::Text(name))])
    }

    fn scope(&self, scope: &str) -> String {
        scope_text(self.page.locale, scope)
    }

    fn device(&self, row: &SessionRow) -> String {
        if row.device.is_empty() { self.page.t(UNKNOWN_DEVICE) } else { row.device.clone() }
    }
}

/// The sentence above the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    Saved,
    EmailAsked,
    PasswordChanged,
    SessionEnded,
    Withdrawn,
    TokenRevoked,
    Stale,
    WrongPassword,
    WrongPasswordForEmail,
    BadEmail,
    SameEmail,
    Short { least: usize },
    Long,
    Guessable,
    BadName,
    BadToken,
    BadTokenScope,
    TooManyTokens,
    Throttled { seconds: u64 },
    Busy,
    Unavailable,
}

impl Notice {
    /// One of each, for tests.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 22] = [
        Self::Saved,
        Self::EmailAsked,
        Self::PasswordChanged,
        Self::SessionEnded,
        Self::Withdrawn,
        Self::Stale,
        Self::WrongPassword,
        Self::Short { least: 8 },
        Self::Long,
        Self::Guessable,
        Self::BadName,
        Self::BadToken,
        Self::BadTokenScope,
        Self::TooManyTokens,
        Self::TokenRevoked,
        Self::WrongPasswordForEmail,
        Self::BadEmail,
        Self::SameEmail,
        Self::Throttled { seconds: 30 },
        Self::Throttled { seconds: 3600 },
        Self::Busy,
        Self::Unavailable,
    ];

    /// What a redirect says after something was done.
    pub(crate) fn done(word: &str) -> Option<Self> {
        Some(match word {
            "saved" => Self::Saved,
            "email" => Self::EmailAsked,
            "password" => Self::PasswordChanged,
            "session" => Self::SessionEnded,
            "withdrawn" => Self::Withdrawn,
            "token" => Self::TokenRevoked,
            "stale" => Self::Stale,
            _ => return None,
        })
    }

    pub(crate) const fn is_error(self) -> bool {
        !matches!(
            self,
            Self::Saved | Self::EmailAsked | Self::PasswordChanged | Self::SessionEnded | Self::Withdrawn | Self::TokenRevoked | Self::Stale
        )
    }

    pub(crate) fn text(self, locale: Locale) -> String {
        match self.key() {
            (key, Some(number)) => count(locale, key, number),
            (key, None) => t(locale, key),
        }
    }

    /// The message and, where it has one, its number.
    pub(crate) fn key(self) -> (&'static str, Option<u64>) {
        match self {
            Self::Saved => ("account-saved", None),
            Self::PasswordChanged => ("account-password-changed", None),
            Self::SessionEnded => ("account-session-ended", None),
            Self::Withdrawn => ("account-withdrawn", None),
            Self::Stale => ("account-stale", None),
            Self::EmailAsked => ("account-email-asked", None),
            Self::WrongPassword | Self::WrongPasswordForEmail => ("account-wrong-password", None),
            Self::BadEmail => ("account-bad-email", None),
            Self::SameEmail => ("account-same-email", None),
            Self::Short { least } => ("account-password-short", Some(u64::try_from(least).unwrap_or(u64::MAX))),
            Self::Long => ("account-password-long", None),
            Self::Guessable => ("account-password-guessable", None),
            Self::BadName => ("account-bad-name", None),
            Self::BadToken => ("account-bad-token", None),
            Self::BadTokenScope => ("account-bad-token-scope", None),
            Self::TooManyTokens => ("account-too-many-tokens", None),
            Self::TokenRevoked => ("account-token-revoked", None),
            Self::Throttled { seconds: seconds @ 0..=90 } => ("notice-throttled-seconds", Some(seconds.max(1))),
            Self::Throttled { seconds } => ("notice-throttled-minutes", Some(seconds.div_ceil(60))),
            Self::Busy => ("notice-busy", None),
            Self::Unavailable => ("notice-unavailable", None),
        }
    }
}

impl From<Weakness> for Notice {
    fn from(weakness: Weakness) -> Self {
        match weakness {
            Weakness::Short(least) => Self::Short { least },
            Weakness::Long => Self::Long,
            Weakness::Guessable => Self::Guessable,
        }
    }
}

fn count(locale: Locale, key: &str, count: u64) -> String {
    t_args(locale, key, &[("count", Arg::Number(count))])
}

/// `Firefox, Linux` of what a browser calls itself; empty for anything else.
pub(crate) fn device(user_agent: &str) -> String {
    // The more particular names first: nearly everybody also claims to be Chrome and Safari.
    let browsers = [("YaBrowser", "Yandex"), ("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari")];
    let systems = [("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux")];
    let find = |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name);
    [find(&browsers), find(&systems)].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_apart() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        for (text, told) in [
            (chrome, "Chrome, Linux"),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140 YaBrowser/25 Safari/537.36", "Yandex, Windows"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18 Safari/604", "Safari, iPhone"),
            ("curl/8", ""),
        ] {
            assert_eq!(device(text), told);
        }
    }
}
