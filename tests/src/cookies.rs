//! A cookie jar after RFC 6265bis, strict where a test wants to notice: prefixes, `Secure`, `SameSite`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use url::Url;

/// One stored cookie with everything that was said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Name.
    pub name: String,
    /// Value as sent.
    pub value: String,
    /// Host that set it, or the `Domain` attribute without its dot.
    pub domain: String,
    /// No `Domain` attribute: the cookie goes back to this very host only.
    pub host_only: bool,
    /// `Path`, or the default path of the URL that set it.
    pub path: String,
    /// `Secure` was there.
    pub secure: bool,
    /// `HttpOnly` was there.
    pub http_only: bool,
    /// `SameSite`, lower case; `None` when absent.
    pub same_site: Option<String>,
    /// When it dies; `None` for a session cookie.
    pub expires: Option<SystemTime>,
    /// The whole `Set-Cookie` value.
    pub raw: String,
}

/// How a request came about, as far as `SameSite` cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// From the same site, from the address bar, or not from a browser.
    SameSite,
    /// A top-level navigation from another site by GET: `Lax` goes, `Strict` stays.
    CrossSiteNavigation,
    /// A POST or a subresource from another site: only `None` goes.
    CrossSite,
}

/// Cookies by host and path.
#[derive(Debug, Clone, Default)]
pub struct CookieJar {
    /// What is stored, in order of creation.
    pub cookies: Vec<Cookie>,
    /// `Set-Cookie` values that were refused, with the reason.
    pub refused: Vec<(String, &'static str)>,
    /// Also sends `Secure` cookies over plain http (a TLS proxy is simulated).
    pub ignore_secure: bool,
}

impl CookieJar {
    /// An empty jar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one `Set-Cookie` value that came from `url`. A cookie whose time is over is deleted.
    pub fn store(&mut self, url: &str, set_cookie: &str) {
        let cookie = match parse(url, set_cookie) {
            Ok(cookie) => cookie,
            Err(reason) => return self.refused.push((set_cookie.to_owned(), reason)),
        };
        let same = |known: &Cookie| known.name == cookie.name && known.domain == cookie.domain && known.path == cookie.path;
        self.cookies.retain(|known| !same(known));
        if cookie.expires.is_none_or(|end| end > now()) {
            self.cookies.push(cookie);
        }
    }

    /// The `Cookie` header for a request, longest path first; `None` when nothing matches.
    pub fn header(&self, url: &str, context: Context) -> Option<String> {
        let mut matching: Vec<&Cookie> = self.cookies.iter().filter(|cookie| self.matches(cookie, url, context)).collect();
        matching.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> = matching.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The stored cookie of this name, whatever its host.
    pub fn named(&self, name: &str) -> Option<&Cookie> {
        self.cookies.iter().find(|cookie| cookie.name == name)
    }

    /// Forgets the cookies of this name (a browser that lost them).
    pub fn remove(&mut self, name: &str) {
        self.cookies.retain(|cookie| cookie.name != name);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.cookies.clear();
    }

    fn matches(&self, cookie: &Cookie, url: &str, context: Context) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let host = url.host_str().unwrap_or("");
        let alive = cookie.expires.is_none_or(|end| end > now());
        let host_fits = if cookie.host_only { host == cookie.domain } else { domain_match(host, &cookie.domain) };
        let secure_fits = !cookie.secure || url.scheme() == "https" || self.ignore_secure;
        let site_fits = match (context, cookie.same_site.as_deref()) {
            (Context::SameSite, _) | (_, Some("none")) => true,
            (Context::CrossSiteNavigation, Some("strict")) | (Context::CrossSite, _) => false,
            // No attribute is Lax in Chromium.
            (Context::CrossSiteNavigation, _) => true,
        };
        alive && host_fits && secure_fits && site_fits && path_match(url.path(), &cookie.path)
    }
}

fn parse(url: &str, set_cookie: &str) -> Result<Cookie, &'static str> {
    let url = Url::parse(url).map_err(|_| "no URL")?;
    let host = url.host_str().ok_or("no host")?.to_owned();
    let mut parts = set_cookie.split(';').map(str::trim);
    let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).ok_or("no name")?;
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        domain: host.clone(),
        host_only: true,
        path: default_path(url.path()),
        secure: false,
        http_only: false,
        same_site: None,
        expires: None,
        raw: set_cookie.to_owned(),
    };
    let mut max_age = None;
    let mut explicit_path = false;
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        match attribute.trim().to_ascii_lowercase().as_str() {
            "secure" => cookie.secure = true,
            "httponly" => cookie.http_only = true,
            "samesite" => cookie.same_site = Some(value.trim().to_ascii_lowercase()),
            "path" if value.starts_with('/') => {
                value.clone_into(&mut cookie.path);
                explicit_path = true;
            }
            "domain" if !value.is_empty() => {
                cookie.domain = value.trim_start_matches('.').to_ascii_lowercase();
                cookie.host_only = false;
            }
            "max-age" => max_age = value.trim().parse::<i64>().ok(),
            "expires" => cookie.expires = cookie.expires.or_else(|| http_date(value)),
            _ => {}
        }
    }
    // Max-Age wins over Expires (RFC 6265 §5.3 step 3).
    if let Some(seconds) = max_age {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        cookie.expires = Some(if seconds == 0 { UNIX_EPOCH } else { now() + Duration::from_secs(seconds) });
    }
    check(&cookie, &host, url.scheme() == "https", explicit_path)?;
    Ok(cookie)
}

fn check(cookie: &Cookie, host: &str, https: bool, explicit_path: bool) -> Result<(), &'static str> {
    if !cookie.host_only && !domain_match(host, &cookie.domain) {
        return Err("Domain is not the host's");
    }
    if cookie.name.starts_with("__Secure-") && !cookie.secure {
        return Err("__Secure- without Secure");
    }
    if cookie.name.starts_with("__Host-") && !(cookie.secure && cookie.host_only && explicit_path && cookie.path == "/") {
        return Err("__Host- needs Secure, Path=/ and no Domain");
    }
    if cookie.same_site.as_deref() == Some("none") && !cookie.secure {
        return Err("SameSite=None without Secure");
    }
    // Chromium lets loopback set Secure cookies over http.
    let loopback = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    if cookie.secure && !https && !loopback {
        return Err("Secure over http");
    }
    Ok(())
}

fn default_path(path: &str) -> String {
    match path.rfind('/') {
        None | Some(0) => "/".into(),
        Some(end) => path[..end].into(),
    }
}

fn domain_match(host: &str, domain: &str) -> bool {
    host == domain || (host.ends_with(domain) && host[..host.len() - domain.len()].ends_with('.') && host.parse::<std::net::IpAddr>().is_err())
}

fn path_match(path: &str, cookie_path: &str) -> bool {
    path == cookie_path || (path.starts_with(cookie_path) && (cookie_path.ends_with('/') || path[cookie_path.len()..].starts_with('/')))
}

/// `Thu, 01 Jan 1970 00:00:00 GMT`, also with dashes.
fn http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let rest = text.split_once(',').map_or(text, |(_, rest)| rest);
    let fields: Vec<&str> = rest.split([' ', '-', ':']).filter(|field| !field.is_empty()).collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let month = fields.get(1)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|known| month.starts_with(known))? as u64 + 1;
    let (day, year) = (number(0)?, number(2)?);
    // Days from civil date (the year starts in March, so that the leap day is its last).
    let shifted = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year;
    let seconds = days.checked_sub(719_468)? * 86_400 + number(3)? * 3600 + number(4)? * 60 + number(5)?;
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[expect(clippy::disallowed_methods, reason = "a browser lives by the machine's clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "http://127.0.0.1:8080/oauth/authorize";

    #[test]
    fn cookies_go_back_by_host_path_and_site() {
        let mut jar = CookieJar::new();
        jar.store(HERE, "a=1; Path=/; HttpOnly; SameSite=Lax");
        jar.store(HERE, "b=2");
        jar.store(HERE, "s=3; Path=/; SameSite=Strict");
        assert_eq!(jar.header("http://127.0.0.1:9/oauth/x", Context::SameSite).unwrap(), "b=2; a=1; s=3");
        assert_eq!(jar.header("http://127.0.0.1/oauthx", Context::CrossSiteNavigation).unwrap(), "a=1");
        assert_eq!(jar.header("http://127.0.0.1/", Context::CrossSite), None);
        assert_eq!(jar.header("http://127.0.0.2/", Context::SameSite), None);
        assert!(jar.named("a").unwrap().http_only);
    }

    #[test]
    fn max_age_and_expires_delete() {
        let mut jar = CookieJar::new();
        for deletion in ["a=; Path=/; Max-Age=0", "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=; Path=/; Max-Age=-5"] {
            jar.store(HERE, "a=1; Path=/; Max-Age=60");
            assert!(jar.named("a").is_some());
            jar.store(HERE, deletion);
            assert!(jar.named("a").is_none(), "{deletion}");
        }
        let date = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(date.duration_since(UNIX_EPOCH).unwrap().as_secs(), 784_111_777);
    }

    #[test]
    fn prefixes_and_secure_are_honoured() {
        let mut jar = CookieJar::new();
        jar.store("https://id.example.org/x", "__Host-s=1; Path=/; Secure; HttpOnly");
        jar.store("https://id.example.org/x", "__Host-t=1; Secure");
        jar.store("https://id.example.org/x", "u=1; SameSite=None");
        jar.store("https://id.example.org/x", "v=1; Domain=evil.org");
        assert_eq!((jar.cookies.len(), jar.refused.len()), (1, 3));
        assert_eq!(jar.header("http://id.example.org/", Context::SameSite), None);
        jar.ignore_secure = true;
        assert_eq!(jar.header("http://id.example.org/", Context::SameSite).unwrap(), "__Host-s=1");
    }
}
