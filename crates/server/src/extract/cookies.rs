//! The two cookies: the session, and the pre-session cookie that ties sign-in forms to the browser that opened them.

use crate::settings::Settings;
use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The session.
    Session,
    /// One a browser, shared by its tabs; known by its digest in each sealed flow.
    Browser,
}

/// How long a browser keeps the pre-session cookie, in days.
const BROWSER_DAYS: i64 = 30;

impl Kind {
    /// The name; `__Host-` where https makes it possible, so that no sibling host can plant one.
    pub(crate) const fn name(self, https: bool) -> &'static str {
        match (self, https) {
            (Self::Session, false) => "propusk_session",
            (Self::Session, true) => "__Host-propusk_session",
            (Self::Browser, false) => "propusk_browser",
            (Self::Browser, true) => "__Host-propusk_browser",
        }
    }
}

/// The value of a cookie, where it is one that this server could have set.
pub(crate) fn read(request: &HttpRequest, settings: &Settings, kind: Kind) -> Option<String> {
    let cookie = request.cookie(kind.name(settings.is_https()))?;
    let value = cookie.value();
    let plausible = (20..=128).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    plausible.then(|| value.to_owned())
}

/// The `Set-Cookie` of a value.
pub(crate) fn set(settings: &Settings, kind: Kind, value: &str) -> Cookie<'static> {
    let mut cookie = bare(settings, kind, value.to_owned());
    cookie.set_max_age(match kind {
        Kind::Session => Duration::seconds(settings.session.absolute),
        Kind::Browser => Duration::days(BROWSER_DAYS),
    });
    cookie
}

/// The `Set-Cookie` that removes it.
pub(crate) fn remove(settings: &Settings, kind: Kind) -> Cookie<'static> {
    let mut cookie = bare(settings, kind, String::new());
    cookie.make_removal();
    cookie
}

fn bare(settings: &Settings, kind: Kind, value: String) -> Cookie<'static> {
    let https = settings.is_https();
    Cookie::build(kind.name(https), value).path("/").http_only(true).secure(https).same_site(SameSite::Lax).finish()
}
