//! Authorization requests and what comes back (RFC 6749 §4.1, OpenID Connect Core §3.1.2, RFC 7636, RFC 9207).

use propusk_domain::client::Preset;
use propusk_tests::browser::Browser;
use propusk_tests::http::{Request, form_encode, query_pairs};
use propusk_tests::server::{Backend, Person, Registered, TestServer};

const CHALLENGE: (&str, &str) = ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");

fn setting() -> (TestServer, Person, Registered) {
    let server = TestServer::start(Backend::Sqlite);
    let anna = server.add_user("anna", "owner");
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    (server, anna, site)
}

/// The parameters of an immediate redirect to the client.
fn answered(server: &TestServer, client: &Registered, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let response = Request::get(&server.authorize_url(client, more)).send().unwrap();
    assert_eq!(response.status, 303, "{more:?}: {}", response.text());
    let location = response.location().unwrap();
    assert!(location.starts_with(client.redirect_uri()) && !location.contains('#'), "{more:?}: {location}");
    query_pairs(location)
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
}

#[test]
fn every_error_goes_back_with_state_and_issuer_and_nothing_else() {
    let (server, _, site) = setting();
    let state = format!("{}-._~ &=+%é", "x".repeat(384));
    let table: &[(&[(&str, &str)], &str)] = &[
        (&[("response_type", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("prompt", "none")], "login_required"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "create")], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("scope", "openid jobs")], "invalid_scope"),
        (&[("request", "eyJ.e30.x")], "request_not_supported"),
        (&[("request_uri", "https://site.example/r")], "request_uri_not_supported"),
        (&[("registration", "{}")], "registration_not_supported"),
        (&[CHALLENGE], "invalid_request"),
        (&[CHALLENGE, ("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "S256")], "invalid_request"),
    ];
    for (more, error) in table {
        let mut more = more.to_vec();
        more.push(("state", &state));
        let pairs = answered(&server, &site, &more);
        let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["error", "error_description", "state", "iss"], "{more:?}");
        assert_eq!((value(&pairs, "error"), value(&pairs, "state"), value(&pairs, "iss")), (*error, &*state, &*server.issuer), "{more:?}");
        let description = value(&pairs, "error_description");
        assert!(description.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'), "{description}");
        assert!(description.ends_with(')') && description.contains(" (ref "), "{description}");
    }
}

#[test]
fn before_client_and_redirect_uri_are_proven_nothing_is_redirected() {
    let (server, _, site) = setting();
    let table: &[&[(&str, &str)]] = &[
        &[("client_id", "nobody")],
        &[("client_id", "")],
        &[("redirect_uri", "https://site.example/cb?")],
        &[("redirect_uri", "https://site.example/CB")],
        &[("redirect_uri", "https://site.example:443/cb")],
        &[("redirect_uri", "https://site.example/cb#f")],
        &[("redirect_uri", "https://evil.example/cb")],
    ];
    for more in table {
        for prompt in ["", "none"] {
            let mut more = more.to_vec();
            more.push(("prompt", prompt));
            let response = Request::get(&server.authorize_url(&site, &more)).send().unwrap();
            assert_eq!((response.status, response.location()), (400, None), "{more:?}");
            assert!(response.header("content-type").unwrap().starts_with("text/html"));
            // What was registered is the operator's business; what came is the caller's text.
            assert!(!response.text().contains("site.example") && !response.text().contains("evil.example"), "{}", response.text());
        }
    }
    server.add_client_with("two", Preset::Web, |new| new.redirect_uris = vec!["https://a.example/cb".into(), "https://b.example/cb".into()]);
    let response = Request::get(&server.url("/oauth/authorize?client_id=two&response_type=code")).send().unwrap();
    assert_eq!((response.status, response.location()), (400, None), "one of several must be named");
}

#[test]
fn a_registered_query_is_kept_and_parameters_are_appended() {
    let (server, anna, _) = setting();
    let client = server.add_client_with("asp", Preset::Web, |new| {
        new.first_party = Some(true);
        new.redirect_uris = vec!["https://asp.example/cb?page=1&x=%20y".into()];
    });
    let (_, landing) = server.sign_in(&client, &anna, &[]);
    assert!(landing.url.starts_with("https://asp.example/cb?page=1&x=%20y&code="), "{}", landing.trace());
    assert_eq!((landing.param("state").as_deref(), landing.param("iss").as_deref()), (Some("st"), Some(&*server.issuer)));
    let code = landing.param("code").unwrap();
    assert!(code.len() >= 22, "128 bits need 22 characters: {}", code.len());
    assert_eq!(server.redeem(&client, &code, &[]).status, 200);
}

#[test]
fn unknown_parameters_and_the_order_of_known_ones_change_nothing() {
    let (server, anna, site) = setting();
    let pairs = [
        ("zoo", "1"),
        ("scope", "email openid"),
        ("state", "st"),
        ("display", "popup"),
        ("claims_locales", "ru"),
        ("acr_values", "urn:x 2"),
        ("response_type", "code"),
        ("redirect_uri", site.redirect_uri()),
        ("client_id", "site"),
    ];
    let mut browser = Browser::new().stop_at(site.redirect_uri());
    browser.visit(&server.url(&format!("/oauth/authorize?{}", form_encode(&pairs)))).unwrap();
    let landing = browser.sign_in("anna", &anna.password).unwrap();
    let tokens = server.redeem(&site, &landing.param("code").unwrap(), &[]);
    assert_eq!((tokens.status, tokens.json()["scope"].as_str()), (200, Some("email openid")));
    // The same by POST, in another tab of the same browser: nobody is asked again.
    let mut tab = browser.new_tab().stop_at(site.redirect_uri());
    let landing = tab.post_from("https://site.example/", &server.url("/oauth/authorize"), &pairs).unwrap();
    assert!(landing.param("code").is_some(), "{}", landing.trace());
}

#[test]
fn a_state_of_eight_kib_comes_back_byte_for_byte_by_get_and_by_post() {
    let (server, anna, site) = setting();
    // A deep link: half of it has to be escaped, so that it is over 16 KiB in the URL.
    let state: String = "a~é&=+ %\"\\"
        .chars()
        .cycle()
        .scan(0, |bytes, c| {
            *bytes += c.len_utf8();
            (*bytes <= 8192).then_some(c)
        })
        .collect();
    for by_post in [false, true] {
        let mut browser = Browser::new().stop_at(site.redirect_uri());
        if by_post {
            let pairs = [("client_id", "site"), ("redirect_uri", site.redirect_uri()), ("response_type", "code"), ("state", state.as_str())];
            browser.post_from("https://site.example/", &server.url("/oauth/authorize"), &pairs).unwrap();
        } else {
            browser.visit(&server.authorize_url(&site, &[("state", &state)])).unwrap();
        }
        assert!(browser.url().len() < 8192, "the page's own URL stays short: {}", browser.url().len());
        let landing = browser.sign_in("anna", &anna.password).unwrap();
        assert_eq!(landing.param("state").as_deref(), Some(&*state), "{by_post}");
        assert!(landing.param("code").is_some());
    }
}

#[test]
fn a_repeated_parameter_is_refused() {
    let (server, _, site) = setting();
    let doubled = format!("{}&nonce=1&nonce=1", server.authorize_url(&site, &[]));
    assert_eq!(Request::get(&doubled).send().unwrap().status, 400);
    let form = [("grant_type", "client_credentials"), ("grant_type", "client_credentials"), ("client_id", "site")];
    let refused = Request::post(&server.url("/oauth/token")).post_form(&form).send().unwrap();
    assert_eq!((refused.status, refused.reason.as_str()), (400, "invalid_request"));
}

#[test]
fn a_session_answers_silently_as_long_as_it_is_young_enough() {
    let (server, anna, site) = setting();
    let (browser, _) = server.sign_in(&site, &anna, &[]);
    let ask = |more: &[(&str, &str)]| {
        let mut tab = browser.new_tab().stop_at(site.redirect_uri());
        let landing = tab.visit(&server.authorize_url(&site, more)).unwrap();
        (landing.param("code").is_some(), landing.param("error"), tab.html().contains("login-submit"))
    };
    let (silent, asked) = ((true, None, false), (false, None, true));
    server.advance(100);
    assert_eq!(ask(&[]), silent);
    assert_eq!(ask(&[("prompt", "none")]), silent);
    assert_eq!(ask(&[("max_age", "100")]), silent);
    assert_eq!(ask(&[("max_age", "99")]), asked);
    assert_eq!(ask(&[("prompt", "none"), ("max_age", "99")]), (false, Some("login_required".into()), false));
    assert_eq!(ask(&[("prompt", "login")]), asked);
    assert_eq!(ask(&[("prompt", "select_account")]), asked);
    assert_eq!(ask(&[("max_age", "0")]), asked);
}

#[test]
fn a_consent_is_asked_once_and_again_where_the_client_wants_it() {
    let (server, anna, first_party) = setting();
    let shop = server.add_client("shop", Preset::Web);
    let (browser, _) = server.sign_in(&first_party, &anna, &[]);
    let ask = |client: &Registered, more: &[(&str, &str)]| {
        let mut tab = browser.new_tab().stop_at(client.redirect_uri());
        let landing = tab.visit(&server.authorize_url(client, more)).unwrap();
        (landing.param("code").is_some(), landing.param("error"), tab)
    };
    assert_eq!(ask(&shop, &[("prompt", "none")]).1.as_deref(), Some("consent_required"));
    let (_, _, mut tab) = ask(&shop, &[]);
    let denied = tab.press("consent-deny").unwrap();
    assert_eq!((denied.param("error").as_deref(), denied.param("state").as_deref()), (Some("access_denied"), Some("st")));
    let (_, _, mut tab) = ask(&shop, &[]);
    assert!(tab.press("consent-allow").unwrap().param("code").is_some());
    assert!(ask(&shop, &[("prompt", "none")]).0, "it is remembered");
    assert!(!ask(&shop, &[("scope", "openid email")]).0, "for these scopes");
    for client in [&shop, &first_party] {
        let (code, _, tab) = ask(client, &[("prompt", "consent")]);
        assert!(!code && tab.html().contains("consent-allow"), "{}", client.id());
    }
}

#[test]
fn a_hint_of_somebody_else_asks_for_a_sign_in() {
    let (server, anna, site) = setting();
    let boris = server.add_user("boris", "user");
    let token = |person: &Person| server.tokens(&site, person, "openid")["id_token"].as_str().unwrap().to_owned();
    let (own, other) = (token(&anna), token(&boris));
    let (browser, _) = server.sign_in(&site, &anna, &[]);
    // Long after the hint has expired.
    server.advance(7200);
    for (hint, error) in [(&own, None), (&other, Some("login_required"))] {
        let mut tab = browser.new_tab().stop_at(site.redirect_uri());
        let landing = tab.visit(&server.authorize_url(&site, &[("prompt", "none"), ("id_token_hint", hint)])).unwrap();
        assert_eq!(landing.param("error").as_deref(), error, "{}", landing.trace());
    }
}

#[test]
fn a_verifier_is_enforced_where_a_challenge_was_and_refused_where_none_was() {
    let (server, anna, site) = setting();
    let verifier = ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let with = |client: &Registered| server.code(client, &anna, &[CHALLENGE, ("code_challenge_method", "S256")]);
    assert_eq!(server.redeem(&site, &with(&site), &[verifier]).status, 200);
    let wrong = ("code_verifier", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG");
    for more in [&[][..], &[wrong]] {
        let refused = server.redeem(&site, &with(&site), more);
        assert_eq!((refused.status, refused.reason.as_str()), (400, "invalid_grant"), "{more:?}");
    }
    let refused = server.redeem(&site, &server.code(&site, &anna, &[]), &[verifier]);
    assert_eq!((refused.status, refused.reason.as_str()), (400, "invalid_grant"), "RFC 9700 §2.1.1");
    let app = server.add_client("app", Preset::Spa);
    let pairs = answered(&server, &app, &[]);
    assert_eq!(value(&pairs, "error"), "invalid_request", "a public client must use it");
}

#[test]
fn form_post_answers_by_a_form_that_works_without_scripts() {
    let (server, anna, site) = setting();
    let (_, landing) = server.sign_in(&site, &anna, &[("response_mode", "form_post")]);
    let html = landing.html();
    assert!(html.contains(&format!("action=\"{}\"", site.redirect_uri())) && html.contains("<noscript"), "{html}");
    for name in ["code", "state", "iss"] {
        assert!(html.contains(&format!("name=\"{name}\"")), "{name}");
    }
    let policy = landing.response().header("content-security-policy").unwrap();
    assert!(!policy.contains("form-action") && !policy.contains("unsafe-inline"), "{policy}");
}

#[test]
fn pages_keep_their_opener_and_are_framed_by_nobody() {
    let (server, _, site) = setting();
    let mut browser = Browser::new();
    let landing = browser.visit(&server.authorize_url(&site, &[])).unwrap();
    for hop in &landing.hops {
        assert!(hop.response.header("cross-origin-opener-policy").is_none_or(|value| value == "unsafe-none"), "popups need window.opener");
        assert_eq!(hop.response.header("referrer-policy"), Some("same-origin"));
        assert_eq!(hop.response.header("x-frame-options"), Some("DENY"));
        assert_eq!(
            hop.response.header("content-security-policy"),
            Some("default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'")
        );
    }
    for id in ["username", "password", "login-submit", "login-cancel"] {
        assert!(landing.html().contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(landing.html().contains("autocomplete=\"username\"") && landing.html().contains("autocomplete=\"current-password\""));
    assert!(!landing.html().contains("<script"), "nothing needs JavaScript");
}
