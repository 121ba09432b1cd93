//! Injection into what leaves the server: headers, pages, records, and the addresses that it names itself by.

use super::{OpenForm, refusal};
use propusk_domain::client::Preset;
use propusk_tests::browser::Browser;
use propusk_tests::http::{Connection, Request};
use propusk_tests::server::{Backend, TestServer};

const BREAKS: [&str; 5] = ["\r\nSet-Cookie: x=1", "\nX: 1", "\r", "\u{85}X: 1", "\0"];

fn prepared() -> (TestServer, propusk_tests::server::Person, propusk_tests::server::Registered) {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    (server, anna, site)
}

#[test]
fn header_injection_by_line_breaks_reaches_no_header() {
    let (server, anna, site) = prepared();
    let (signed_in, _) = server.sign_in(&site, &anna, &[]);
    for text in BREAKS {
        let injected = format!("a{text}");
        let urls = [
            server.authorize_url(&site, &[("state", &injected)]),
            server.authorize_url(&site, &[("login_hint", &injected)]),
            server.authorize_url(&site, &[("redirect_uri", &format!("{}{text}", site.redirect_uri()))]),
            server.authorize_url(&site, &[("nonce", &injected)]),
            server.url(&format!("/oauth/logout?{}", propusk_protocol::form::encode(&[("state", &injected)]))),
            server.url(&format!("/login?{}", propusk_protocol::form::encode(&[("flow", &injected), ("notice", &injected)]))),
            server.url(&format!("/{}", propusk_protocol::form::escape(&injected))),
        ];
        for url in urls {
            let landing = signed_in.clone().visit(&url).unwrap();
            for hop in &landing.hops {
                let head = format!("{:?}", hop.response.headers);
                assert!(hop.response.header("x").is_none() && !head.contains("x=1"), "{url}: {head}");
                assert!(!hop.response.headers.iter().any(|(_, value)| value.chars().any(char::is_control)), "{url}: {head}");
            }
            assert!(landing.status() < 500, "{}", landing.trace());
        }
        let form = OpenForm::at(&server.issuer);
        let answer = form.post(&injected, "x");
        assert_eq!(answer.status, 400);
        assert!(!format!("{:?}", answer.headers).contains("x=1"));
    }
}

#[test]
fn log_injection_is_escaped_cut_and_shown_to_nobody_else() {
    let (server, ..) = prepared();
    // What turns text around or ends a line for a terminal is shown by its number.
    let name = "nobody\u{202e}gnp.exe\u{2028}";
    let answer = Request::get(&server.url(&format!("/oauth/authorize?{}", propusk_protocol::form::encode(&[("client_id", name)])))).send().unwrap();
    assert_eq!(answer.status, 400);
    let reference = propusk_tests::html::text_of(&answer.text(), "error-reference").unwrap();
    let record = server.explain(&reference);
    assert_eq!(record.detail.received.as_deref(), Some("nobody\\u{202e}gnp.exe\\u{2028}"));
    assert!(record.detail.fix.iter().all(|fix| !fix.contains('\u{202e}') && !fix.contains("gnp")), "{:?}", record.detail.fix);
    assert!(!answer.text().contains("gnp"), "the visitor is not shown what came");
    // A path with line breaks and colours.
    let answer = Request::get(&server.url("/x%0d%0aGET%20/%1b%5b31m")).send().unwrap();
    let record = server.explain(answer.json()["error_reference"].as_str().unwrap());
    let received = record.detail.received.unwrap();
    assert!(!received.chars().any(char::is_control), "{received:?}");
    // Cut at 200 characters.
    let long = format!("https://evil.example/{}", "\u{44f}".repeat(900));
    let answer = Request::get(&server.authorize_url(&server.add_client("other", Preset::Web), &[("redirect_uri", &long)])).send().unwrap();
    let record = server.explain(&propusk_tests::html::text_of(&answer.text(), "error-reference").unwrap());
    assert!(record.detail.received.unwrap().chars().count() <= 201);
    // A command that could be pasted is quoted.
    let quoted = "https://site.example/cb;rm -rf $HOME'`id`";
    let site = server.add_client("third", Preset::Web);
    let answer = Request::get(&server.authorize_url(&site, &[("redirect_uri", quoted)])).send().unwrap();
    let record = server.explain(&propusk_tests::html::text_of(&answer.text(), "error-reference").unwrap());
    for fix in record.detail.fix.iter().filter(|fix| fix.starts_with("propusk ")) {
        assert!(fix.contains("'https://site.example/cb;rm -rf $HOME'\\''`id`'"), "{fix}");
    }
}

#[test]
fn secrets_are_recorded_by_their_shape_only() {
    let (server, anna, site) = prepared();
    let code = server.code(&site, &anna, &[]);
    let secret = "hunter2-hunter2-hunter2";
    let tries = [
        server.token(&site, &[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", "https://site.example/other")]),
        Request::post(&server.url("/oauth/token"))
            .post_form(&[("client_id", "site"), ("client_secret", secret), ("grant_type", "refresh_token"), ("refresh_token", "x")])
            .send()
            .unwrap(),
        Request::post(&server.url("/oauth/token"))
            .post_form(&[("grant_type", "refresh_token"), ("refresh_token", secret)])
            .basic("site", secret)
            .send()
            .unwrap(),
        server.refresh(&site, secret),
        Request::get(&server.url("/oauth/userinfo")).bearer(secret).send().unwrap(),
    ];
    OpenForm::at(&server.issuer).post(secret, secret);
    refusal(&server, "unknown_user");
    for answer in tries {
        server.explain(answer.json()["error_reference"].as_str().unwrap());
    }
    let records = server.look(|cx| Ok(cx.store.list_refusals(1000)?));
    let text = format!("{records:?}");
    assert!(!text.contains(secret) && !text.contains(&code) && !text.contains("hunter2"), "{text}");
    assert!(!server.metrics_text().contains("hunter2"));
}

#[test]
fn script_in_any_field_is_text_on_the_page() {
    let (server, _, site) = prepared();
    let script = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";
    server.set_client("site", |patch| patch.name = Some("<script>alert(2)</script>".into()));
    server.settle();
    let mut browser = Browser::new();
    browser.visit(&server.authorize_url(&site, &[("login_hint", script), ("ui_locales", script)])).unwrap();
    let prefilled = browser.form_with("login-submit").value("username").unwrap().to_owned();
    assert_eq!(prefilled, script, "it is the hint, as text");
    browser.sign_in(script, "x").unwrap();
    for page in
        [browser.html().to_owned(), Request::get(&server.url("/<script>alert(1)</script>")).header("Accept", "text/html").send().unwrap().text()]
    {
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{page}");
    }
}

#[test]
fn no_address_is_built_from_what_the_request_says_of_its_host() {
    let (server, anna, site) = prepared();
    let poison = |request: Request| {
        request
            .header("Host", "evil.example")
            .header("X-Forwarded-Host", "evil.example")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-For", "192.0.2.1")
            .header("X-Original-URL", "/evil.example")
            .header("Forwarded", "host=evil.example;proto=https")
    };
    let form = OpenForm::at(&server.issuer);
    let requests = [
        Request::get(&server.url("/.well-known/openid-configuration")),
        Request::get(&server.url("/oauth/jwks")),
        Request::get(&server.authorize_url(&site, &[])),
        Request::get(&server.authorize_url(&site, &[("prompt", "none")])),
        Request::get(&server.url("/login")),
        Request::get(&server.url("/oauth/logout")),
        Request::get(&server.url("/nothing")),
        Request::get(&server.url("/oauth/authorize")),
        form.request("anna", &anna.password),
        Request::post(&server.url("/oauth/authorize")).post_form(&[("client_id", "site"), ("response_type", "code")]),
    ];
    for request in requests {
        let url = request.url.clone();
        let response = poison(request).send().unwrap();
        let everything = format!("{:?} {}", response.headers, response.text());
        assert!(!everything.contains("evil.example"), "{url}: {everything}");
        assert!(response.headers("set-cookie").iter().all(|cookie| !cookie.to_ascii_lowercase().contains("domain")), "{url}");
        let location = response.location().unwrap_or("/");
        assert!(location.starts_with('/') || location.starts_with(site.redirect_uri()), "{url}: {location}");
    }
    let metadata = poison(Request::get(&server.url("/.well-known/openid-configuration"))).send().unwrap().json();
    assert_eq!(metadata["issuer"], server.issuer.as_str());
}

#[test]
fn cookies_carry_every_flag_that_the_scheme_allows() {
    let check = |server: &TestServer, base: &str, prefix: &str, secure: bool| {
        let login = format!("{base}/login");
        let page = Request::get(&login).send().unwrap();
        let browser_cookie = page.header("set-cookie").unwrap().to_owned();
        let flow =
            propusk_tests::html::forms(&page.text()).into_iter().find(|form| form.has("login-submit")).unwrap().value("flow").unwrap().to_owned();
        let answer = Request::post(&login)
            .post_form(&[("flow", &flow), ("username", "anna"), ("password", "correct horse anna")])
            .header("Cookie", browser_cookie.split(';').next().unwrap())
            .send()
            .unwrap();
        assert_eq!(answer.status, 303, "{}", answer.text());
        let session_cookie = answer.header("set-cookie").unwrap().to_owned();
        for (cookie, name) in [(browser_cookie, "propusk_browser"), (session_cookie, "propusk_session")] {
            assert!(cookie.starts_with(&format!("{prefix}{name}=")), "{cookie}");
            for flag in ["; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age="] {
                assert!(cookie.contains(flag), "{flag}: {cookie}");
            }
            assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
        drop(server.metrics_text());
    };
    let (server, ..) = prepared();
    check(&server, &server.issuer.clone(), "", false);
    // Behind a proxy that does TLS: the issuer says https, whatever the connection is.
    let server = TestServer::with(Backend::Sqlite, &[("issuer", "https://id.example.org")]);
    server.add_user("anna", "user");
    let listen = server.settings().iter().find(|(key, _)| key == "http.listen").unwrap().1.clone();
    check(&server, &format!("http://{listen}"), "__Host-", true);
}

#[test]
fn no_version_and_no_sniffing() {
    let (server, ..) = prepared();
    let mut connection = Connection::open(&server.issuer).unwrap();
    for path in ["/login", "/oauth/jwks", "/oauth/userinfo", "/nothing", "/assets/style.css", "/healthz"] {
        let response = connection.send(&Request::get(&server.url(path))).unwrap();
        assert!(!response.header("server").is_some_and(|name| name.contains(|c: char| c.is_ascii_digit())), "{path}");
        assert_eq!(response.header("x-powered-by"), None);
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}
