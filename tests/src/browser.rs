//! A person's browser without JavaScript: cookies, redirects one by one, forms, and the fetch metadata that Chromium sends.

use url::Url;

use crate::cookies::{Context, CookieJar};
use crate::html::{self, Button, Form};
use crate::http::{FORM, HttpError, Request, Response, form_encode, query_param};

/// Chromium gives up after 20 redirects; a flow that needs more than half of that is broken.
const MAX_HOPS: usize = 10;

const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

/// One request of a navigation with its answer.
#[derive(Debug, Clone)]
pub struct Hop {
    /// What was sent.
    pub request: Request,
    /// What came.
    pub response: Response,
}

/// Where a navigation ended.
#[derive(Debug, Clone)]
pub struct Landing {
    /// The URL in the address bar.
    pub url: String,
    /// Every exchange on the way.
    pub hops: Vec<Hop>,
    /// The request that was not sent because its URL belongs to a client ([`Browser::stop_at`]).
    pub stopped: Option<Request>,
}

impl Landing {
    /// The last answer.
    ///
    /// # Panics
    /// When nothing was sent at all.
    pub fn response(&self) -> &Response {
        &self.hops.last().expect("a navigation without an exchange").response
    }

    /// Status of the last answer.
    pub fn status(&self) -> u16 {
        self.response().status
    }

    /// Text of the last answer.
    pub fn html(&self) -> String {
        self.response().text()
    }

    /// A parameter of the URL at which it ended (`code`, `state`, `error`), or of the form that was about to be posted there.
    pub fn param(&self, name: &str) -> Option<String> {
        let posted = self.stopped.as_ref().filter(|request| request.method == "POST");
        let posted =
            posted.and_then(|request| crate::http::form_decode(&request.body).into_iter().find(|(known, _)| known == name).map(|(_, value)| value));
        posted.or_else(|| query_param(&self.url, name))
    }

    /// The redirect chain as `status url` lines, for messages of failed assertions.
    pub fn trace(&self) -> String {
        let lines = self.hops.iter().map(|hop| format!("{} {} -> {}", hop.request.method, hop.request.url, hop.response.status));
        lines.chain([format!("at {}", self.url)]).collect::<Vec<_>>().join("\n")
    }
}

/// A browser: a jar, a current page, and the rules by which Chromium decorates a navigation.
#[derive(Debug, Clone)]
pub struct Browser {
    /// Its cookies.
    pub jar: CookieJar,
    /// `Accept-Language`.
    pub language: String,
    /// Headers added to each request (`X-Forwarded-For` behind a simulated proxy).
    pub extra_headers: Vec<(String, String)>,
    /// Sends `Origin` with posts; off for the browsers and extensions that strip it.
    pub sends_origin: bool,
    /// Sends `Sec-Fetch-*`; off for old browsers.
    pub sends_fetch_metadata: bool,
    /// Every exchange since the start.
    pub history: Vec<Hop>,
    page: Option<Page>,
    stops: Vec<String>,
}

#[derive(Debug, Clone)]
struct Page {
    url: String,
    html: String,
    referrer_policy: String,
}

/// Who caused a navigation.
enum Initiator {
    /// Address bar, bookmark, another program.
    Nobody,
    /// A document with this URL and referrer policy.
    Document { url: String, referrer_policy: String },
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// A fresh profile.
    pub fn new() -> Self {
        Self {
            jar: CookieJar::new(),
            language: "en-US,en;q=0.9".into(),
            extra_headers: Vec::new(),
            sends_origin: true,
            sends_fetch_metadata: true,
            history: Vec::new(),
            page: None,
            stops: Vec::new(),
        }
    }

    /// Does not request URLs that begin like this (a client's callback that nobody serves): the navigation ends there.
    #[must_use]
    pub fn stop_at(mut self, prefix: &str) -> Self {
        self.stops.push(prefix.to_owned());
        self
    }

    /// Sets `Accept-Language`.
    #[must_use]
    pub fn speaking(mut self, language: &str) -> Self {
        language.clone_into(&mut self.language);
        self
    }

    /// Types a URL into the address bar.
    ///
    /// # Errors
    /// [`HttpError`] when a hop gets no answer.
    pub fn visit(&mut self, url: &str) -> Result<Landing, HttpError> {
        self.navigate(Request::get(url), &Initiator::Nobody)
    }

    /// Follows a link of a page at `from` (another site's page, too).
    ///
    /// # Errors
    /// As [`Browser::visit`].
    pub fn click_from(&mut self, from: &str, url: &str) -> Result<Landing, HttpError> {
        self.navigate(Request::get(url), &foreign(from))
    }

    /// Follows a link of the present page; relative ones are resolved.
    ///
    /// # Errors
    /// As [`Browser::visit`].
    pub fn click(&mut self, href: &str) -> Result<Landing, HttpError> {
        let initiator = self.document();
        self.navigate(Request::get(&self.resolve(href)), &initiator)
    }

    /// A page at `from` posts a form to `url` (CSRF, or `form_post` to the authorization endpoint).
    ///
    /// # Errors
    /// As [`Browser::visit`].
    pub fn post_from(&mut self, from: &str, url: &str, pairs: &[(&str, &str)]) -> Result<Landing, HttpError> {
        self.navigate(form_request(url, pairs), &foreign(from))
    }

    /// Presses a button of a form of the present page, or submits it without one.
    ///
    /// # Errors
    /// As [`Browser::visit`].
    pub fn submit(&mut self, form: &Form, button: Option<&Button>) -> Result<Landing, HttpError> {
        let action = button.and_then(|button| button.action.as_deref()).unwrap_or(&form.action);
        let url = self.resolve(action);
        let pairs = form.pairs(button);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let initiator = self.document();
        if form.method == "post" {
            return self.navigate(form_request(&url, &pairs), &initiator);
        }
        let bare = url.split(['?', '#']).next().unwrap_or("").to_owned();
        self.navigate(Request::get(&format!("{bare}?{}", form_encode(&pairs))), &initiator)
    }

    /// Fills `#username` and `#password` and presses `#login-submit`.
    ///
    /// # Errors
    /// As [`Browser::visit`].
    ///
    /// # Panics
    /// When the present page has no login form.
    pub fn sign_in(&mut self, username: &str, password: &str) -> Result<Landing, HttpError> {
        let form = self.form_with("login-submit").fill("username", username).fill("password", password);
        self.submit(&form, form.button("login-submit"))
    }

    /// Presses the button with this id, in whatever form it stands.
    ///
    /// # Errors
    /// As [`Browser::visit`].
    ///
    /// # Panics
    /// When the present page has no such button.
    pub fn press(&mut self, id: &str) -> Result<Landing, HttpError> {
        let form = self.form_with(id);
        self.submit(&form, form.button(id))
    }

    /// The forms of the present page.
    pub fn forms(&self) -> Vec<Form> {
        html::forms(self.html())
    }

    /// The form that holds the element with this id.
    ///
    /// # Panics
    /// When there is none, with the text of the page.
    pub fn form_with(&self, id: &str) -> Form {
        let form = self.forms().into_iter().find(|form| form.has(id));
        form.unwrap_or_else(|| panic!("no form with #{id} at {}: {}", self.url(), html::text(self.html())))
    }

    /// The present page's HTML, empty before the first.
    pub fn html(&self) -> &str {
        self.page.as_ref().map_or("", |page| &page.html)
    }

    /// The present page's URL, empty before the first.
    pub fn url(&self) -> &str {
        self.page.as_ref().map_or("", |page| &page.url)
    }

    /// A second tab of the same profile: shares the cookies as they are now.
    #[must_use]
    pub fn new_tab(&self) -> Self {
        Self { page: None, history: Vec::new(), ..self.clone() }
    }

    fn navigate(&mut self, first: Request, initiator: &Initiator) -> Result<Landing, HttpError> {
        let mut hops: Vec<Hop> = Vec::new();
        let mut chain = vec![first.url.clone()];
        let mut request = first;
        loop {
            if self.stops.iter().any(|prefix| request.url.starts_with(prefix)) {
                return Ok(Landing { url: request.url.clone(), hops, stopped: Some(request) });
            }
            let decorated = self.decorate(request.clone(), initiator, &chain);
            let response = decorated.send()?;
            for cookie in response.headers("set-cookie") {
                self.jar.store(&request.url, cookie);
            }
            let hop = Hop { request: decorated, response };
            self.history.push(hop.clone());
            hops.push(hop.clone());
            let next = hop.response.location().filter(|_| matches!(hop.response.status, 301..=303 | 307 | 308));
            let Some(location) = next.and_then(|location| Url::parse(&request.url).ok()?.join(location).ok()) else {
                self.open(&request.url, &hop.response);
                return Ok(Landing { url: request.url, hops, stopped: None });
            };
            if hops.len() > MAX_HOPS {
                return Err(HttpError::Malformed(format!("more than {MAX_HOPS} redirects: {chain:?}")));
            }
            let url = location.to_string();
            chain.push(url.clone());
            // 301 and 302 turn a POST into a GET in every browser, 303 always; 307 and 308 repeat it.
            if matches!(hop.response.status, 307 | 308) {
                request.url = url;
            } else {
                request = Request::get(&url);
            }
        }
    }

    fn open(&mut self, url: &str, response: &Response) {
        let referrer_policy = response.header("referrer-policy").unwrap_or("strict-origin-when-cross-origin").to_owned();
        self.page = Some(Page { url: url.to_owned(), html: response.text(), referrer_policy });
    }

    fn decorate(&self, mut request: Request, initiator: &Initiator, chain: &[String]) -> Request {
        let (site, context) = site_and_context(initiator, chain, &request.method);
        let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
        let mut add = |name: &str, value: &str| headers.push((name.into(), value.as_bytes().to_vec()));
        add("User-Agent", USER_AGENT);
        add("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8");
        add("Accept-Language", &self.language);
        if let Initiator::Document { url, referrer_policy } = initiator {
            if request.method == "POST" && self.sends_origin {
                add("Origin", &posted_origin(url, referrer_policy, chain));
            }
            if let Some(referrer) = referrer(url, referrer_policy, &request.url) {
                add("Referer", &referrer);
            }
        } else if request.method == "POST" && self.sends_origin {
            add("Origin", "null");
        }
        if self.sends_fetch_metadata {
            add("Sec-Fetch-Site", site);
            add("Sec-Fetch-Mode", "navigate");
            add("Sec-Fetch-User", "?1");
            add("Sec-Fetch-Dest", "document");
        }
        if let Some(cookies) = self.jar.header(&request.url, context) {
            add("Cookie", &cookies);
        }
        for (name, value) in &self.extra_headers {
            add(name, value);
        }
        headers.append(&mut request.headers);
        request.headers = headers;
        request
    }

    fn document(&self) -> Initiator {
        self.page
            .as_ref()
            .map_or(Initiator::Nobody, |page| Initiator::Document { url: page.url.clone(), referrer_policy: page.referrer_policy.clone() })
    }

    fn resolve(&self, href: &str) -> String {
        let base = Url::parse(self.url()).ok();
        let joined = base.and_then(|base| if href.is_empty() { Some(base) } else { base.join(href).ok() });
        joined.map_or_else(|| href.to_owned(), |url| url.to_string())
    }
}

fn foreign(url: &str) -> Initiator {
    Initiator::Document { url: url.to_owned(), referrer_policy: "strict-origin-when-cross-origin".to_owned() }
}

fn form_request(url: &str, pairs: &[(&str, &str)]) -> Request {
    Request::post(url).header("Content-Type", FORM).body(form_encode(pairs))
}

/// `Sec-Fetch-Site` is the worst relation between the initiator and any URL of the redirect chain.
fn site_and_context(initiator: &Initiator, chain: &[String], method: &str) -> (&'static str, Context) {
    let Initiator::Document { url, .. } = initiator else { return ("none", Context::SameSite) };
    let worst = chain.iter().map(|hop| relation(url, hop)).max().unwrap_or(0);
    // For cookies only the present target counts.
    let here = chain.last().map_or(0, |hop| relation(url, hop));
    let context = match (here, method) {
        (2, "GET") => Context::CrossSiteNavigation,
        (2, _) => Context::CrossSite,
        _ => Context::SameSite,
    };
    (["same-origin", "same-site", "cross-site"][worst], context)
}

/// 0 the same origin, 1 the same site, 2 another site.
fn relation(one: &str, other: &str) -> usize {
    let (Ok(one), Ok(other)) = (Url::parse(one), Url::parse(other)) else { return 2 };
    if one.origin() == other.origin() {
        return 0;
    }
    let same_site = one.scheme() == other.scheme() && site(&one) == site(&other);
    if same_site { 1 } else { 2 }
}

/// The registrable domain, near enough for tests: an address as it is, otherwise the last two labels.
fn site(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    if host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return host.to_owned();
    }
    let labels: Vec<&str> = host.rsplit('.').take(2).collect();
    labels.into_iter().rev().collect::<Vec<_>>().join(".")
}

/// Fetch, "append a request `Origin` header": the policy can turn it into `null`, and so does a hop over a foreign origin.
fn posted_origin(document: &str, policy: &str, chain: &[String]) -> String {
    let Ok(url) = Url::parse(document) else { return "null".into() };
    let target = chain.last().map_or("", String::as_str);
    let tainted = chain.windows(2).any(|pair| relation(&pair[0], document) != 0 && relation(&pair[0], &pair[1]) != 0);
    let downgrade = url.scheme() == "https" && target.starts_with("http:");
    let hidden = match policy {
        "no-referrer" => true,
        "same-origin" => relation(document, target) != 0,
        "unsafe-url" | "origin" | "origin-when-cross-origin" => false,
        _ => downgrade,
    };
    if hidden || tainted { "null".into() } else { url.origin().ascii_serialization() }
}

fn referrer(document: &str, policy: &str, target: &str) -> Option<String> {
    let mut url = Url::parse(document).ok().filter(Url::has_host)?;
    url.set_fragment(None);
    let origin = format!("{}/", url.origin().ascii_serialization());
    let same_origin = relation(document, target) == 0;
    let downgrade = url.scheme() == "https" && target.starts_with("http:");
    match policy {
        "no-referrer" => None,
        "same-origin" => same_origin.then(|| url.to_string()),
        "origin" => Some(origin),
        "unsafe-url" => Some(url.to_string()),
        "strict-origin" => (!downgrade).then_some(origin),
        _ if same_origin => Some(url.to_string()),
        _ => (!downgrade).then_some(origin),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers each connection with the next canned answer and returns the heads that came.
    fn serve(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut heads = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut buffer = [0; 8192];
                let count = stream.read(&mut buffer).unwrap();
                heads.push(String::from_utf8_lossy(&buffer[..count]).into_owned());
                stream.write_all(answer.as_bytes()).unwrap();
            }
            heads
        });
        (base, thread)
    }

    fn page(headers: &str, body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn a_person_signs_in_and_the_callback_is_not_requested() {
        let form = r#"<form method=post action="/login"><input type=hidden name=flow value=f1>
            <input id=username name=username><input id=password name=password type=password><button id=login-submit>x</button></form>"#;
        let (base, server) = serve(vec![
            "HTTP/1.1 303 See Other\r\nLocation: /login?flow=f1\r\nSet-Cookie: pre=1; Path=/; SameSite=Lax\r\nContent-Length: 0\r\n\r\n".into(),
            page("Referrer-Policy: same-origin\r\n", form),
            "HTTP/1.1 303 See Other\r\nLocation: http://chat.test/_oauth/b?code=c%2B&state=s\r\nContent-Length: 0\r\n\r\n".into(),
        ]);
        let mut browser = Browser::new().stop_at("http://chat.test/");
        browser.click_from("http://chat.test/home", &format!("{base}/oauth/authorize")).unwrap();
        assert_eq!(browser.url(), format!("{base}/login?flow=f1"));
        let landing = browser.sign_in("olga", "p w").unwrap();
        assert_eq!(landing.param("code").unwrap(), "c+");
        let heads = server.join().unwrap();
        assert!(heads[0].contains("Referer: http://chat.test/\r\n") && heads[0].contains("Sec-Fetch-Site: cross-site\r\n"), "{}", heads[0]);
        assert!(heads[1].contains("Cookie: pre=1\r\n") && heads[1].contains("Sec-Fetch-Site: cross-site\r\n"), "{}", heads[1]);
        assert!(heads[2].contains(&format!("Origin: {base}\r\n")) && heads[2].contains("Sec-Fetch-Site: same-origin\r\n"), "{}", heads[2]);
        assert!(heads[2].ends_with("flow=f1&username=olga&password=p+w"), "{}", heads[2]);
    }

    #[test]
    fn a_foreign_post_carries_no_lax_cookie_and_a_foreign_origin() {
        let (base, server) = serve(vec![page("Set-Cookie: s=1; Path=/; SameSite=Lax\r\n", ""), page("", ""), page("", "")]);
        let mut browser = Browser::new();
        browser.visit(&base).unwrap();
        browser.post_from("http://evil.test/x", &format!("{base}/login"), &[("a", "b")]).unwrap();
        browser.click_from("http://evil.test/x", &base).unwrap();
        let heads = server.join().unwrap();
        assert!(heads[0].contains("Sec-Fetch-Site: none\r\n") && !heads[0].contains("Referer"));
        assert!(heads[1].contains("Origin: http://evil.test\r\n") && !heads[1].contains("Cookie"));
        assert!(heads[2].contains("Cookie: s=1\r\n") && !heads[2].contains("Origin"));
    }

    #[test]
    fn referrer_policy_shapes_origin_and_referer() {
        let chain = |target: &str| vec![target.to_owned()];
        assert_eq!(posted_origin("https://a.test/x", "no-referrer", &chain("https://a.test/y")), "null");
        assert_eq!(posted_origin("https://a.test/x", "same-origin", &chain("https://a.test/y")), "https://a.test");
        assert_eq!(posted_origin("https://a.test/x", "same-origin", &chain("https://b.test/y")), "null");
        assert_eq!(referrer("https://a.test/x?q#f", "same-origin", "https://b.test/"), None);
        assert_eq!(referrer("https://a.test/x?q#f", "", "https://b.test/").unwrap(), "https://a.test/");
    }
}
