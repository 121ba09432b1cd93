//! The pages as data: one struct a page, each with its template in `templates/`.
//!
//! No page holds a script or a style of its own (the policy of every page is `default-src 'none'; style-src 'self'; img-src 'self' data:`);
//! only [`FormPost`] loads `form-post.js`, and the chat's frame `chat-frame.js`. Every text is escaped by the template. Rendering: [`askama::Template::render`].

mod error_kind;

use askama::Template;

use super::brand::{Asset, Brand};
use super::i18n::{Arg, Locale, t, t_args};

pub use error_kind::ErrorKind;

/// What every page needs to know.
#[derive(Debug, Clone)]
pub struct Page<'a> {
    /// The language of the page.
    pub locale: Locale,
    /// The community's look.
    pub brand: &'a Brand,
    /// The path of the issuer without a trailing slash; empty when it has none. Every own address starts with it.
    pub base: &'a str,
    /// Where the same page speaks the other language; no link when `None`.
    pub switch_href: Option<String>,
    /// The reference of the refusal that led to this page: `#error-reference`, below whatever the page shows.
    pub reference: Option<String>,
}

impl Page<'_> {
    pub(super) fn t(&self, key: &str) -> String {
        t(self.locale, key)
    }

    fn t_client(&self, key: &str, client_name: &str) -> String {
        t_args(self.locale, key, &[("client", Arg::Text(client_name))])
    }

    pub(super) fn name(&self) -> String {
        self.brand.name(self.locale)
    }

    /// The address carries the content's hash, so that it can be cached for as long as one likes.
    pub(super) fn asset(&self, name: &str) -> String {
        let version = Asset::named(name).map_or_else(|| self.brand.version().to_owned(), Asset::version);
        format!("{}/assets/{name}?v={version}", self.base)
    }

    pub(super) fn logo(&self) -> String {
        self.brand.logo_url().map_or_else(|| self.asset("logo.svg"), str::to_owned)
    }
}

/// `/login`: `#username #password #login-submit #login-cancel`, posts `flow username password`, or `flow action=cancel`, to `{base}/login`.
#[derive(Debug, Clone, Template)]
#[template(path = "login.html")]
pub struct Login<'a> {
    /// Common data.
    pub page: Page<'a>,
    /// The sealed flow, given back by the form.
    pub flow: &'a str,
    /// The application that asked, by its name; `None` when somebody signs in for the home page.
    pub client_name: Option<&'a str>,
    /// What the name field holds already (`login_hint`, or what was typed before).
    pub username: &'a str,
    /// Where a forgotten password is replaced; `None` when no mail can be sent.
    pub forgot_href: Option<&'a str>,
    /// Where an account is made; `None` where strangers make none.
    pub register_href: Option<&'a str>,
    /// What the person should know before trying (again).
    pub notice: Option<LoginNotice>,
}

impl Login<'_> {
    fn notice_text(&self) -> Option<String> {
        self.notice.map(|notice| notice.text(self.page.locale))
    }

    fn is_error(&self) -> bool {
        self.notice.is_some_and(LoginNotice::is_error)
    }

    fn is_unavailable(&self) -> bool {
        self.notice == Some(LoginNotice::Unavailable)
    }

    /// Both fields: which of the two is wrong is nobody's business.
    fn is_invalid(&self) -> bool {
        self.notice == Some(LoginNotice::WrongCredentials)
    }
}

/// A sentence above the sign-in form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginNotice {
    /// The form was too old and the flow began again.
    Expired,
    /// The browser-bound cookie was gone and the flow began again.
    CookieLost,
    /// The cookie is gone each time: the browser keeps none.
    CookiesBlocked,
    /// Unknown name, wrong password or disabled person: one sentence for all, so that nobody can tell them apart.
    WrongCredentials,
    /// Refused with 429.
    Throttled {
        /// `Retry-After`; shown in minutes from 91 on.
        seconds: u64,
    },
    /// Refused with 503 because too many passwords are being checked.
    Busy,
    /// Refused with 503 because the database or the ephemeral store does not answer.
    Unavailable,
    /// The application asked for a fresh sign-in (`prompt=login`, `max_age`).
    Reauthenticate,
    /// The flow is so old that the application may have forgotten it (Rocket.Chat does after five minutes).
    Stale,
    /// A password was just set by a link.
    PasswordSet,
}

impl LoginNotice {
    /// One of each, for tests and previews.
    pub const ALL: [Self; 10] = [
        Self::Expired,
        Self::CookieLost,
        Self::CookiesBlocked,
        Self::WrongCredentials,
        Self::Throttled { seconds: 30 },
        Self::Busy,
        Self::Unavailable,
        Self::Reauthenticate,
        Self::Stale,
        Self::PasswordSet,
    ];

    /// The sentence.
    pub fn text(self, locale: Locale) -> String {
        match self.key() {
            (key, Some(count)) => t_args(locale, key, &[("count", Arg::Number(count))]),
            (key, None) => t(locale, key),
        }
    }

    /// The message and, where it has one, its number.
    pub(super) fn key(self) -> (&'static str, Option<u64>) {
        match self {
            Self::Expired => ("notice-expired", None),
            Self::CookieLost => ("notice-cookie-lost", None),
            Self::CookiesBlocked => ("notice-cookies-blocked", None),
            Self::WrongCredentials => ("notice-wrong-credentials", None),
            Self::Throttled { seconds: seconds @ 0..=90 } => ("notice-throttled-seconds", Some(seconds.max(1))),
            Self::Throttled { seconds } => ("notice-throttled-minutes", Some(seconds.div_ceil(60))),
            Self::Busy => ("notice-busy", None),
            Self::Unavailable => ("notice-unavailable", None),
            Self::Reauthenticate => ("notice-reauthenticate", None),
            Self::Stale => ("notice-stale", None),
            Self::PasswordSet => ("notice-password-set", None),
        }
    }

    /// Errors are announced at once (`role=alert`), the rest when the reader is ready (`role=status`).
    fn is_error(self) -> bool {
        matches!(self, Self::CookiesBlocked | Self::WrongCredentials | Self::Throttled { .. } | Self::Busy | Self::Unavailable)
    }
}

/// `/consent`: `#consent-allow #consent-deny`, posts `flow` and `action=allow` or `action=deny` to `{base}/consent`.
#[derive(Debug, Clone, Template)]
#[template(path = "consent.html")]
pub struct Consent<'a> {
    /// Common data.
    pub page: Page<'a>,
    /// The sealed flow, given back by the form.
    pub flow: &'a str,
    /// The application that asks, by its name.
    pub client_name: &'a str,
    /// The scopes that it asks for, in the order to show.
    pub scopes: &'a [&'a str],
    /// Who is signed in, as they know themselves.
    pub person: &'a str,
    /// Where somebody else can sign in for the same flow.
    pub other_account_href: &'a str,
}

impl Consent<'_> {
    fn scope_texts(&self) -> Vec<String> {
        self.scopes.iter().map(|scope| scope_text(self.page.locale, scope)).collect()
    }
}

/// A scope in plain words; one that is not known here is shown by its name.
pub fn scope_text(locale: Locale, scope: &str) -> String {
    known_scopes()
        .find(|(known, _)| *known == scope)
        .map_or_else(|| t_args(locale, "scope-other", &[("scope", Arg::Text(scope))]), |(_, key)| t(locale, key))
}

/// Each scope with its message.
pub(super) fn known_scopes() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        ("openid", "scope-openid"),
        ("profile", "scope-profile"),
        ("email", "scope-email"),
        ("address", "scope-address"),
        ("phone", "scope-phone"),
        ("roles", "scope-roles"),
        ("groups", "scope-groups"),
        ("offline_access", "scope-offline-access"),
    ]
    .into_iter()
}

/// `/logout`: `#logout-confirm #logout-cancel`, posts `logout` and `action=confirm` or `action=cancel` to `{base}/logout`.
#[derive(Debug, Clone, Template)]
#[template(path = "logout.html")]
pub struct Logout<'a> {
    /// Common data.
    pub page: Page<'a>,
    /// The sealed logout, given back by the form.
    pub token: &'a str,
    /// Who is signed in, as they know themselves.
    pub person: Option<&'a str>,
}

/// `/logged-out`: `#logged-out`.
#[derive(Debug, Clone, Template)]
#[template(path = "logged_out.html")]
pub struct LoggedOut<'a> {
    /// Common data.
    pub page: Page<'a>,
}

/// A refusal that a person sees, in place: `#error-page #error-code #error-reference`.
#[derive(Debug, Clone, Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    /// Common data.
    pub page: Page<'a>,
    /// Chooses the sentence and what to do.
    pub kind: ErrorKind,
    /// The code as visible text (`invalid_request`).
    pub code: &'a str,
    /// What `propusk explain` takes; no field when `None`.
    pub reference: Option<&'a str>,
    /// Where the flow starts again; without it the page leads home.
    pub restart_href: Option<&'a str>,
}

impl ErrorPage<'_> {
    fn heading(&self) -> String {
        self.page.t(&format!("error-{}-heading", self.kind.slug()))
    }

    fn hint(&self) -> String {
        self.page.t(&format!("error-{}-hint", self.kind.slug()))
    }
}

/// The answer as a form that submits itself (OAuth 2.0 Form Post Response Mode §2). Needs `script-src 'self'`.
#[derive(Debug, Clone, Template)]
#[template(path = "form_post.html")]
pub struct FormPost<'a> {
    /// Common data.
    pub page: Page<'a>,
    /// The proven `redirect_uri`.
    pub action: &'a str,
    /// The response parameters.
    pub parameters: &'a [(&'a str, &'a str)],
    /// The application that waits for them, by its name.
    pub client_name: Option<&'a str>,
}

/// `/`: `#home`.
#[derive(Debug, Clone, Template)]
#[template(path = "home.html")]
pub struct Home<'a> {
    /// Common data.
    pub page: Page<'a>,
    /// Who is signed in; `None` when nobody is.
    pub person: Option<Person<'a>>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person<'a> {
    /// The name to show, where they have one.
    pub name: Option<&'a str>,
    /// The username.
    pub username: &'a str,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    const EVIL: &str = "\"'><script>alert(1)</script>&amp;";

    /// Every page, each field filled with `text`.
    fn every_page(locale: Locale, text: &str) -> Vec<(&'static str, String)> {
        let brand = Brand::new(Some(text), None, None).unwrap();
        let page = || Page { locale, brand: &brand, base: text, switch_href: Some(text.to_owned()), reference: None };
        let login = |notice| {
            Login { page: page(), flow: text, client_name: Some(text), username: text, forgot_href: Some(text), register_href: Some(text), notice }
                .render()
                .unwrap()
        };
        let person = Person { name: Some(text), username: text };
        let mut pages = vec![
            ("login", login(None)),
            (
                "consent",
                Consent { page: page(), flow: text, client_name: text, scopes: &["openid", text], person: text, other_account_href: text }
                    .render()
                    .unwrap(),
            ),
            ("logout", Logout { page: page(), token: text, person: Some(text) }.render().unwrap()),
            ("logged-out", LoggedOut { page: page() }.render().unwrap()),
            ("form_post", FormPost { page: page(), action: text, parameters: &[(text, text)], client_name: Some(text) }.render().unwrap()),
            ("home", Home { page: page(), person: Some(person) }.render().unwrap()),
            ("home, nobody", Home { page: page(), person: None }.render().unwrap()),
        ];
        pages.extend(LoginNotice::ALL.map(|notice| ("login with notice", login(Some(notice)))));
        for (kind, restart_href) in ErrorKind::ALL.into_iter().flat_map(|kind| [(kind, None), (kind, Some(text))]) {
            pages.push(("error", ErrorPage { page: page(), kind, code: text, reference: Some(text), restart_href }.render().unwrap()));
        }
        pages
    }

    fn page_named(name: &str) -> String {
        every_page(Locale::En, "x").into_iter().find(|(found, _)| *found == name).unwrap().1
    }

    #[test]
    fn html_in_any_field_is_text() {
        for (name, html) in Locale::ALL.into_iter().flat_map(|locale| every_page(locale, EVIL)) {
            assert!(!html.contains("<script>") && !html.contains("\"'>") && !html.contains("&amp;\""), "{name}: {html}");
            assert!(html.contains("&#60;script&#62;"), "{name}: {html}");
        }
    }

    #[test]
    fn pages_have_their_stable_ids() {
        for (page, ids) in [
            ("login", &["username", "password", "login-submit", "login-cancel"][..]),
            ("consent", &["consent-allow", "consent-deny"]),
            ("logout", &["logout-confirm", "logout-cancel"]),
            ("logged-out", &["logged-out"]),
            ("error", &["error-page", "error-code", "error-reference"]),
            ("home", &["home"]),
        ] {
            let html = page_named(page);
            for id in ids {
                assert_eq!(html.matches(&format!("id=\"{id}\"")).count(), 1, "{page} #{id}");
            }
        }
    }

    #[test]
    fn every_page_speaks_its_language_under_one_heading() {
        for locale in Locale::ALL {
            for (name, html) in every_page(locale, "x") {
                assert!(html.starts_with("<!doctype html>") && html.contains(&format!("<html lang=\"{}\">", locale.tag())), "{name}");
                assert!(html.contains(&format!("lang=\"{0}\" hreflang=\"{0}\">{1}<", locale.other().tag(), locale.other().native_name())));
                for once in ["<h1>", "<main ", "<title>"] {
                    assert_eq!(html.matches(once).count(), 1, "{name} {once}");
                }
            }
        }
    }

    #[test]
    fn no_page_needs_more_than_the_policy_allows() {
        for (name, html) in every_page(Locale::Ru, "x") {
            assert!(!html.contains("style=") && !html.contains("<style") && !html.contains("javascript:") && !html.contains(" on"), "{name}");
            assert_eq!(html.contains("<script"), name == "form_post", "{name}");
            assert!(!html.contains("http"), "{name} names another origin");
        }
    }

    #[test]
    fn inputs_are_named_like_their_ids_and_forms_give_the_state_back() {
        let html = page_named("login");
        for part in [
            "id=\"username\" name=\"username\"",
            "autocomplete=\"username\"",
            "autocomplete=\"current-password\"",
            "for=\"username\"",
            "for=\"password\"",
            "id=\"password\" name=\"password\" type=\"password\"",
        ] {
            assert!(html.contains(part), "{part}");
        }
        assert_eq!(html.matches("<input type=\"hidden\" name=\"flow\" value=\"x\">").count(), 2, "cancelling sends no password");
        assert!(page_named("consent").contains("name=\"flow\" value=\"x\""));
        assert!(page_named("logout").contains("name=\"logout\" value=\"x\""));
    }

    #[test]
    fn wrong_credentials_are_announced_at_both_fields() {
        let brand = Brand::default();
        let page = || Page { locale: Locale::En, brand: &brand, base: "/id", switch_href: None, reference: None };
        let render = |notice| {
            Login { page: page(), flow: "f", client_name: None, username: "", forgot_href: None, register_href: None, notice }.render().unwrap()
        };
        let wrong = render(Some(LoginNotice::WrongCredentials));
        assert!(wrong.contains("id=\"login-notice\" class=\"notice error\" role=\"alert\""));
        assert_eq!(wrong.matches("aria-describedby=\"login-notice\"").count(), 2);
        assert_eq!(wrong.matches("aria-invalid=\"true\"").count(), 2);
        let expired = render(Some(LoginNotice::Expired));
        assert!(expired.contains("role=\"status\"") && !expired.contains("aria-invalid"));
        assert!(!render(None).contains("login-notice"));
        assert!(wrong.contains("action=\"/id/login\"") && wrong.contains("href=\"/id/assets/style.css?v="));
    }
}
