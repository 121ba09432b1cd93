//! Attacks on the forms: cross-site posts, planted flows, lost cookies, framed pages.

use super::{OpenForm, notice, refusal};
use propusk_domain::client::Preset;
use propusk_tests::browser::{Browser, Landing};
use propusk_tests::html;
use propusk_tests::server::{Backend, Person, Registered, TestServer};

propusk_tests::on_each_backend![
    login_csrf_signs_nobody_in,
    a_planted_flow_is_restarted_in_the_victims_browser,
    consent_cannot_be_given_from_another_site,
    logout_cannot_be_confirmed_from_another_site,
    two_tabs_sign_in_one_after_the_other,
    a_lost_cookie_restarts_with_a_sentence_and_a_blocked_one_says_so,
    an_expired_form_restarts_where_it_began,
    a_posted_authorization_request_is_bounced_to_where_the_cookies_are,
    a_huge_state_is_parked_and_comes_back_byte_for_byte,
    form_post_carries_the_answer_in_the_body,
];

/// Plain http like the server in these tests: from https a browser would send `Origin: null`.
const EVIL: &str = "http://evil.example/page";

fn prepared(backend: Backend) -> (TestServer, Person, Registered) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    (server, anna, site)
}

fn has_session(browser: &Browser) -> bool {
    browser.jar.named("propusk_session").is_some()
}

/// The fields that a sign-in form would post.
fn filled(browser: &Browser, person: &Person) -> Vec<(String, String)> {
    let form = browser.form_with("login-submit").fill("username", &person.user.username).fill("password", &person.password);
    form.pairs(form.button("login-submit"))
}

fn post_from(browser: &mut Browser, from: &str, url: &str, pairs: &[(String, String)]) -> Landing {
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post_from(from, url, &pairs).unwrap()
}

fn login_csrf_signs_nobody_in(backend: Backend) {
    let (server, mallory, site) = prepared(backend);
    let mut attacker = Browser::new().stop_at(site.redirect_uri());
    attacker.visit(&server.authorize_url(&site, &[])).unwrap();
    let planted = filled(&attacker, &mallory);
    // The victim's browser posts the attacker's form, name and password from the attacker's page.
    let mut victim = Browser::new().stop_at(site.redirect_uri());
    victim.visit(&server.url("/")).unwrap();
    let landing = post_from(&mut victim, EVIL, &server.url("/login"), &planted);
    assert!(!has_session(&victim), "{}", landing.trace());
    assert!(landing.url.starts_with(&server.url("/login?")), "{}", landing.trace());
    assert_eq!(refusal(&server, "foreign_origin").endpoint, "login");
    // A browser that sends neither Origin nor fetch metadata is told by its cookie.
    victim.sends_origin = false;
    victim.sends_fetch_metadata = false;
    let landing = post_from(&mut victim, EVIL, &server.url("/login"), &planted);
    assert!(!has_session(&victim), "{}", landing.trace());
    assert_eq!(refusal(&server, "lost_cookie").endpoint, "login");
    assert_eq!(server.audit("signed_in").len(), 0);
}

fn a_planted_flow_is_restarted_in_the_victims_browser(backend: Backend) {
    let (server, anna, site) = prepared(backend);
    let mut attacker = Browser::new();
    attacker.visit(&server.authorize_url(&site, &[("state", "attackers")])).unwrap();
    let link = attacker.url().to_owned();
    let mut victim = Browser::new().stop_at(site.redirect_uri());
    victim.visit(&server.url("/login")).unwrap();
    victim.click_from(EVIL, &link).unwrap();
    let landing = victim.sign_in("anna", &anna.password).unwrap();
    assert!(landing.stopped.is_none() && !has_session(&victim), "{}", landing.trace());
    assert!(notice(&victim).contains("no longer had the cookie"), "{}", notice(&victim));
}

fn consent_cannot_be_given_from_another_site(backend: Backend) {
    let (server, anna, _) = prepared(backend);
    let third = server.add_client("third", Preset::Web);
    let mut browser = Browser::new().stop_at(third.redirect_uri());
    browser.visit(&server.authorize_url(&third, &[])).unwrap();
    browser.sign_in("anna", &anna.password).unwrap();
    let form = browser.form_with("consent-allow");
    let pairs = form.pairs(form.button("consent-allow"));
    let landing = post_from(&mut browser.new_tab(), EVIL, &server.url("/consent"), &pairs);
    assert!(landing.param("code").is_none(), "{}", landing.trace());
    // Nor by another person's browser that got hold of the page.
    let mut other = Browser::new().stop_at(third.redirect_uri());
    other.visit(&server.url("/login")).unwrap();
    let landing = post_from(&mut other, &server.url("/consent"), &server.url("/consent"), &pairs);
    assert!(landing.param("code").is_none(), "{}", landing.trace());
    assert_eq!(server.audit("consent_given").len(), 0);
    // The person's own press counts.
    assert!(browser.press("consent-allow").unwrap().param("code").is_some());
}

fn logout_cannot_be_confirmed_from_another_site(backend: Backend) {
    let (server, anna, site) = prepared(backend);
    let (mut browser, _) = server.sign_in(&site, &anna, &[]);
    // An image or a link to the endpoint asks, it does not act.
    browser.click_from(EVIL, &server.url("/oauth/logout")).unwrap();
    let form = browser.form_with("logout-confirm");
    let pairs = form.pairs(form.button("logout-confirm"));
    post_from(&mut browser.new_tab(), EVIL, &server.url("/logout"), &pairs);
    // Not with another session's token either.
    let boris = server.add_user("boris", "user");
    let (mut other, _) = server.sign_in(&site, &boris, &[]);
    post_from(&mut other, &server.url("/logout"), &server.url("/logout"), &pairs);
    assert_eq!(server.audit("session_ended").len(), 0);
    browser.press("logout-confirm").unwrap();
    assert_eq!(server.audit("session_ended").len(), 1);
}

fn two_tabs_sign_in_one_after_the_other(backend: Backend) {
    let (server, anna, site) = prepared(backend);
    let mut first = Browser::new().stop_at(site.redirect_uri());
    first.click_from("https://site.example/", &server.authorize_url(&site, &[("state", "one")])).unwrap();
    let mut second = first.new_tab();
    second.click_from("https://site.example/", &server.authorize_url(&site, &[("state", "two")])).unwrap();
    let landing = second.sign_in("anna", &anna.password).unwrap();
    assert_eq!(landing.param("state").as_deref(), Some("two"), "{}", landing.trace());
    // The first tab shares the cookies and still shows its form.
    first.jar = second.jar.clone();
    let landing = first.sign_in("anna", &anna.password).unwrap();
    assert_eq!(landing.param("state").as_deref(), Some("one"), "{}", landing.trace());
    assert!(landing.param("code").is_some());
}

fn a_lost_cookie_restarts_with_a_sentence_and_a_blocked_one_says_so(backend: Backend) {
    let (server, anna, site) = prepared(backend);
    let mut browser = Browser::new().stop_at(site.redirect_uri());
    browser.visit(&server.authorize_url(&site, &[("state", "kept")])).unwrap();
    browser.jar.clear();
    let landing = browser.sign_in("anna", &anna.password).unwrap();
    assert_eq!(landing.status(), 200, "{}", landing.trace());
    assert!(notice(&browser).contains("signing in starts again"), "{}", notice(&browser));
    browser.jar.clear();
    browser.sign_in("anna", &anna.password).unwrap();
    assert!(notice(&browser).contains("does not keep cookies"), "{}", notice(&browser));
    let landing = browser.sign_in("anna", &anna.password).unwrap();
    assert_eq!(landing.param("state").as_deref(), Some("kept"), "the person ends where the flow began: {}", landing.trace());
}

fn an_expired_form_restarts_where_it_began(backend: Backend) {
    let (server, anna, site) = prepared(backend);
    let mut browser = Browser::new().stop_at(site.redirect_uri());
    browser.visit(&server.authorize_url(&site, &[("state", "kept")])).unwrap();
    server.advance(3599);
    let mut other = browser.clone();
    assert!(other.sign_in("anna", &anna.password).unwrap().param("code").is_some(), "it lives to its last second");
    server.advance(1);
    browser.sign_in("anna", &anna.password).unwrap();
    assert!(notice(&browser).contains("open for too long"), "{}", notice(&browser));
    let landing = browser.sign_in("anna", &anna.password).unwrap();
    assert_eq!(landing.param("state").as_deref(), Some("kept"), "{}", landing.trace());
}

fn a_posted_authorization_request_is_bounced_to_where_the_cookies_are(backend: Backend) {
    let (server, anna, site) = prepared(backend);
    let (mut browser, _) = server.sign_in(&site, &anna, &[]);
    let request =
        [("client_id", "site"), ("redirect_uri", site.redirect_uri()), ("response_type", "code"), ("scope", "openid"), ("state", "p\u{f6}st &=")];
    let landing = browser.post_from("https://site.example/", &server.url("/oauth/authorize"), &request).unwrap();
    assert_eq!(landing.hops[0].response.status, 303);
    assert!(landing.param("code").is_some(), "a signed-in person is shown nothing: {}", landing.trace());
    assert_eq!(landing.param("state").as_deref(), Some("p\u{f6}st &="));
}

fn a_huge_state_is_parked_and_comes_back_byte_for_byte(backend: Backend) {
    let (server, anna, site) = prepared(backend);
    let state: String = "\"<>%+&=#;\\/\u{44f}\u{1f642}~".chars().cycle().take(4000).collect();
    assert!((5000..=8192).contains(&state.len()), "{}", state.len());
    for posted in [false, true] {
        let mut browser = Browser::new().stop_at(site.redirect_uri());
        let request =
            [("client_id", "site"), ("redirect_uri", site.redirect_uri()), ("response_type", "code"), ("scope", "openid"), ("state", &state)];
        let landing = if posted {
            browser.post_from("https://site.example/", &server.url("/oauth/authorize"), &request).unwrap()
        } else {
            browser.visit(&server.authorize_url(&site, &[("state", &state)])).unwrap()
        };
        let flow = propusk_tests::http::query_param(&landing.url, "flow").unwrap();
        assert!(flow.len() < 100, "{} bytes in the URL", flow.len());
        let landing = browser.sign_in("anna", &anna.password).unwrap();
        assert_eq!(landing.param("state").as_deref(), Some(state.as_str()));
        assert!(landing.param("code").is_some());
    }
}

fn form_post_carries_the_answer_in_the_body(backend: Backend) {
    let (server, anna, site) = prepared(backend);
    let mut browser = Browser::new().stop_at(site.redirect_uri());
    browser.visit(&server.authorize_url(&site, &[("response_mode", "form_post"), ("state", "\"><script>")])).unwrap();
    let landing = browser.sign_in("anna", &anna.password).unwrap();
    assert_eq!(landing.status(), 200, "{}", landing.trace());
    let policy = landing.response().header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe") && !policy.contains("form-action"), "{policy}");
    assert!(!landing.html().contains("\"><script>"));
    let form = browser.forms().into_iter().find(|form| form.action == site.redirect_uri()).unwrap();
    let landing = browser.submit(&form, form.button("form-post-submit")).unwrap();
    assert_eq!(landing.stopped.as_ref().unwrap().method, "POST");
    assert_eq!(landing.param("state").as_deref(), Some("\"><script>"));
    assert!(!landing.url.contains("code="), "no code in a URL: {}", landing.url);
    assert_eq!(server.redeem(&site, &landing.param("code").unwrap(), &[]).status, 200);
}

/// `Origin` decides where it is sent; `null` and silence fall back to `Sec-Fetch-Site` and then to the cookie.
#[test]
fn each_origin_is_judged_by_the_issuer_alone() {
    let (server, anna, _) = prepared(Backend::Sqlite);
    let own = server.issuer.clone();
    let port = own.rsplit(':').next().unwrap().to_owned();
    let cases: [(Option<&str>, Option<&str>, bool); 16] = [
        (Some(&own), Some("same-origin"), true),
        (Some(&own), None, true),
        (Some("null"), Some("same-origin"), true),
        (Some("null"), Some("none"), true),
        (Some("null"), None, true),
        (None, Some("same-origin"), true),
        (None, Some("none"), true),
        (None, None, true),
        (Some("https://evil.example"), Some("same-origin"), false),
        (Some("https://evil.example"), None, false),
        (Some(&format!("{own}/")), None, false),
        (Some(&format!("{own}.evil.example")), None, false),
        (Some(&format!("https://127.0.0.1:{port}")), None, false),
        (Some(&format!("http://localhost:{port}")), None, false),
        (Some("http://127.0.0.1"), None, false),
        (Some(""), None, false),
    ];
    for (origin, site, accepted) in cases {
        let form = OpenForm::at(&server.issuer);
        let mut request = form.request("anna", &anna.password);
        if let Some(origin) = origin {
            request = request.header("Origin", origin);
        }
        if let Some(site) = site {
            request = request.header("Sec-Fetch-Site", site);
        }
        // Neither the request's own idea of its host nor a proxy's makes a foreign origin ours.
        let request =
            request.header("X-Forwarded-Host", "evil.example").header("X-Forwarded-Proto", "https").header("Forwarded", "host=evil.example");
        let response = request.send().unwrap();
        let signed_in = response.headers("set-cookie").iter().any(|cookie| cookie.starts_with("propusk_session="));
        assert_eq!(signed_in, accepted, "{origin:?} {site:?}: {} {:?}", response.status, response.location());
        if !accepted {
            assert!(response.location().unwrap().starts_with("/login?"), "the flow begins again: {:?}", response.location());
        }
        // Without the cookie nothing is accepted, whatever the headers say.
        let mut bare = form.request("anna", &anna.password);
        bare.headers.retain(|(name, _)| name != "Cookie");
        let headers = [("Origin", origin), ("Sec-Fetch-Site", site)];
        let bare = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).fold(bare, |bare, (name, value)| bare.header(name, value));
        let response = bare.send().unwrap();
        assert!(response.headers("set-cookie").iter().all(|cookie| !cookie.starts_with("propusk_session=")), "{origin:?} {site:?}");
    }
}

#[test]
fn clickjacking_and_referrer_leakage_meet_headers_on_every_page() {
    let (server, anna, site) = prepared(Backend::Sqlite);
    let third = server.add_client("third", Preset::Web);
    let mut browser = Browser::new().stop_at(site.redirect_uri()).stop_at(third.redirect_uri());
    let mut landings = vec![
        browser.visit(&server.url("/login")).unwrap(),
        browser.visit(&server.url("/logged-out")).unwrap(),
        browser.visit(&server.url("/nothing")).unwrap(),
        browser.visit(&server.url("/oauth/authorize")).unwrap(),
        browser.visit(&server.authorize_url(&third, &[])).unwrap(),
        browser.sign_in("anna", &anna.password).unwrap(),
        browser.visit(&server.url("/")).unwrap(),
        browser.visit(&server.url("/logout")).unwrap(),
        browser.visit(&server.authorize_url(&site, &[])).unwrap(),
        browser.visit(&server.authorize_url(&site, &[("response_mode", "form_post")])).unwrap(),
    ];
    let mut pages = 0;
    for hop in landings.iter_mut().flat_map(|landing| landing.hops.drain(..)) {
        let (what, response) = (format!("{} {}", hop.request.method, hop.request.url), hop.response);
        let policy = response.header("content-security-policy").unwrap_or_default().to_owned();
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{what}: {policy}");
        assert!(policy.contains("base-uri 'none'") && !policy.contains("unsafe-"), "{what}: {policy}");
        assert_eq!(response.header("x-frame-options"), Some("DENY"), "{what}");
        assert_eq!(response.header("referrer-policy"), Some("same-origin"), "{what}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{what}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{what}");
        assert!(matches!(response.header("cross-origin-opener-policy"), None | Some("unsafe-none")), "{what}: popups need their opener");
        assert_eq!(response.header("access-control-allow-origin"), None, "{what}");
        pages += usize::from(response.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    }
    assert!(pages >= 9, "{pages} pages were seen");
    // Nothing on a page is fetched from elsewhere, so no address of ours travels there.
    let page = browser.visit(&server.url("/login")).unwrap().html();
    assert!(html::links(&page).iter().all(|link| !link.starts_with("http") || link.starts_with(&server.issuer)), "{:?}", html::links(&page));
}
