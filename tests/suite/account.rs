//! `/account`: what people do with their own account, on both pairs of backends.

use propusk_domain::client::Preset;
use propusk_domain::records::Consent;
use propusk_protocol::Scope;
use propusk_tests::browser::{Browser, Landing};
use propusk_tests::html::text_of;
use propusk_tests::server::{Backend, Person, TestServer};

propusk_tests::on_each_backend![
    the_page_asks_to_sign_in_and_comes_back,
    a_password_is_changed_and_everything_else_signed_out,
    the_applications_of_this_browser_outlive_a_change_of_the_password_and_those_elsewhere_do_not,
    a_weak_or_wrong_password_changes_nothing,
    guessing_the_old_password_is_paused_like_signing_in,
    another_browser_is_signed_out_and_then_all_of_them,
    a_withdrawn_consent_takes_the_tokens_along,
];

/// Somebody's browser on the account page.
fn at_the_account(server: &TestServer, person: &Person) -> Browser {
    let mut browser = Browser::new();
    browser.visit(&server.url("/account")).unwrap();
    let landing = browser.sign_in(&person.user.username, &person.password).unwrap();
    assert_eq!(landing.url, server.url("/account"), "{}", landing.trace());
    browser
}

fn change(browser: &mut Browser, old: &str, new: &str) -> Landing {
    let form = browser.form_with("account-change-password").fill("old_password", old).fill("new_password", new);
    browser.submit(&form, form.button("account-change-password")).unwrap()
}

/// What the page says above its sections.
fn notice(browser: &Browser) -> String {
    text_of(browser.html(), "account-notice").unwrap_or_default()
}

fn is_signed_in(server: &TestServer, browser: &Browser) -> bool {
    browser.new_tab().visit(&server.url("/account")).unwrap().url == server.url("/account")
}

fn the_page_asks_to_sign_in_and_comes_back(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let mut browser = at_the_account(&server, &anna);
    assert!(browser.html().contains("Name of anna") && browser.html().contains("anna@example.org"));
    // Whoever is signed in already is shown no form.
    assert_eq!(browser.new_tab().visit(&server.url("/login")).unwrap().url, server.url("/"));
    assert_eq!(browser.new_tab().visit(&server.url("/login?next=account")).unwrap().url, server.url("/account"));
    let form = browser.form_with("account-save").fill("name", "Анна <b>П.</b>").fill("locale", "ru");
    browser.submit(&form, form.button("account-save")).unwrap();
    assert_eq!(notice(&browser), "Сохранено.");
    assert!(browser.html().contains("Анна &#60;b&#62;П.&#60;/b&#62;"), "text stays text");
    let sub = anna.user.sub.clone();
    let user = server.look(|cx| Ok(cx.store.find_user(&sub)?)).unwrap();
    assert_eq!((user.claims.name.as_deref(), user.locale.as_deref()), (Some("Анна <b>П.</b>"), Some("ru")));
    assert_eq!((user.role.as_str(), user.claims.email.as_deref()), ("user", Some("anna@example.org")), "nothing else is the person's to change");
}

fn a_password_is_changed_and_everything_else_signed_out(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let tokens = server.tokens(&site, &anna, "openid offline_access");
    let elsewhere = at_the_account(&server, &anna);
    let mut browser = at_the_account(&server, &anna);
    let before = browser.jar.clone();
    change(&mut browser, &anna.password, "four unrelated words");
    assert!(notice(&browser).contains("changed"), "{}", notice(&browser));
    assert!(!is_signed_in(&server, &elsewhere));
    assert!(is_signed_in(&server, &browser));
    let mut old_cookie = Browser::new();
    old_cookie.jar = before;
    assert!(!is_signed_in(&server, &old_cookie), "the old cookie of this browser is worth nothing");
    assert_eq!(server.refresh(&site, tokens["refresh_token"].as_str().unwrap()).status, 400);
    let mut fresh = Browser::new();
    fresh.visit(&server.url("/login")).unwrap();
    assert_eq!(fresh.sign_in("anna", &anna.password).unwrap().status(), 403);
    assert_eq!(fresh.sign_in("anna", "four unrelated words").unwrap().status(), 200);
    assert_eq!(server.audit("password_set").len(), 1);
}

fn the_applications_of_this_browser_outlive_a_change_of_the_password_and_those_elsewhere_do_not(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let at_the_site = |scope: &str| {
        let (browser, landing) = server.sign_in(&site, &anna, &[("scope", scope)]);
        let code = landing.param("code").unwrap_or_else(|| panic!("{}", landing.trace()));
        (browser, server.redeem(&site, &code, &[]).json())
    };
    let works = |tokens: &serde_json::Value| server.userinfo(tokens["access_token"].as_str().unwrap()).status == 200;
    let refreshes = |tokens: &serde_json::Value| server.refresh(&site, tokens["refresh_token"].as_str().unwrap()).status == 200;
    let sids = || {
        let sessions = server.look(|cx| Ok(cx.store.list_sessions(Some(&anna.user.sub), cx.now, 10)?));
        sessions.into_iter().map(|session| session.sid).collect::<Vec<_>>()
    };
    let (mut browser, kept) = at_the_site("openid offline_access");
    let sid = sids().pop().unwrap();
    let (elsewhere, ended) = at_the_site("openid offline_access");
    let (_, brief) = at_the_site("openid");
    browser.visit(&server.url("/account")).unwrap();
    let before = browser.jar.clone();
    change(&mut browser, &anna.password, "four unrelated words");
    assert!(notice(&browser).contains("changed"), "{}", notice(&browser));

    assert_eq!(sids(), [sid], "the session is the one that it was");
    assert!(works(&kept) && refreshes(&kept));
    assert!(!works(&ended) && !refreshes(&ended) && !works(&brief));
    assert!(is_signed_in(&server, &browser) && !is_signed_in(&server, &elsewhere));
    let mut stolen = Browser::new();
    stolen.jar = before;
    assert!(!is_signed_in(&server, &stolen), "a copy of the cookie from before is worth nothing");
    let again = browser.new_tab().stop_at(site.redirect_uri()).visit(&server.authorize_url(&site, &[])).unwrap();
    assert!(again.param("code").is_some(), "no password is asked for: {}", again.trace());
    assert_eq!((server.audit("signed_out_elsewhere").len(), server.audit("signed_out_everywhere").len()), (1, 0));
}

fn a_weak_or_wrong_password_changes_nothing(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let mut browser = at_the_account(&server, &anna);
    for (new, says) in [("short", "8 characters"), ("password1", "guess"), ("anna@example.org", "guess"), (&*"x".repeat(1025), "too long")] {
        assert_eq!(change(&mut browser, &anna.password, new).status(), 400);
        assert!(notice(&browser).contains(says), "{new}: {}", notice(&browser));
        assert!(!browser.html().contains(new) || new == "anna@example.org", "the page repeats no password");
    }
    assert_eq!(change(&mut browser, "not it", "four unrelated words").status(), 403);
    assert!(notice(&browser).contains("not right"));
    assert!(is_signed_in(&server, &browser));
    assert_eq!(server.audit("password_set").len(), 0);
}

fn guessing_the_old_password_is_paused_like_signing_in(backend: Backend) {
    let server = TestServer::with(backend, &[("login.account_at_address", "3")]);
    let anna = server.add_user("anna", "user");
    let mut browser = at_the_account(&server, &anna);
    let statuses: Vec<u16> = (0..5).map(|_| change(&mut browser, "not it", "four unrelated words").status()).collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert_eq!(change(&mut browser, &anna.password, "four unrelated words").status(), 429, "the right one waits, too");
    assert!(notice(&browser).contains("Too many attempts"));
}

fn another_browser_is_signed_out_and_then_all_of_them(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, boris) = (server.add_user("anna", "user"), server.add_user("boris", "user"));
    let (phone, strangers) = (at_the_account(&server, &anna), at_the_account(&server, &boris));
    let mut browser = at_the_account(&server, &anna);
    assert!(!browser.html().contains("account-end-1") && browser.html().contains("account-end-2"), "this browser first, without a button");
    // Another person's session cannot be named.
    let theirs = server.look(|cx| Ok(cx.store.list_sessions(Some(&boris.user.sub), cx.now, 10)?))[0].sid.clone();
    let mut form = browser.form_with("account-end-2");
    form = form.fill("sid", &theirs);
    browser.submit(&form, form.button("account-end-2")).unwrap();
    assert!(is_signed_in(&server, &strangers) && is_signed_in(&server, &phone));
    browser.press("account-end-2").unwrap();
    assert!(!is_signed_in(&server, &phone) && is_signed_in(&server, &browser));
    let again = at_the_account(&server, &anna);
    browser.visit(&server.url("/account")).unwrap();
    let landing = browser.press("account-everywhere").unwrap();
    assert_eq!(landing.url, server.url("/logged-out"));
    assert!(!is_signed_in(&server, &again) && !is_signed_in(&server, &browser) && is_signed_in(&server, &strangers));
}

fn a_withdrawn_consent_takes_the_tokens_along(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, boris) = (server.add_user("anna", "user"), server.add_user("boris", "user"));
    let site = server.add_client("site", Preset::Web);
    let (tokens, others) = (server.tokens(&site, &anna, "openid email"), server.tokens(&site, &boris, "openid email"));
    let mut browser = at_the_account(&server, &anna);
    assert!(browser.html().contains("see your e-mail address"), "{}", browser.html());
    browser.press("account-withdraw-1").unwrap();
    assert!(notice(&browser).contains("no access"));
    assert!(!browser.html().contains("account-withdraw-1"));
    assert_eq!(server.userinfo(tokens["access_token"].as_str().unwrap()).status, 401);
    assert_eq!(server.userinfo(others["access_token"].as_str().unwrap()).status, 200);
    assert_eq!(server.audit("consent_withdrawn")[0].client_id.as_deref(), Some("site"));
    let sub = anna.user.sub.clone();
    let kept: Vec<Consent> = server.look(|cx| Ok(cx.store.list_consents(&sub)?));
    assert_eq!(kept, []);
    let sub = boris.user.sub.clone();
    let kept = server.look(|cx| Ok(cx.store.list_consents(&sub)?));
    assert_eq!((kept[0].client_id.as_str(), &kept[0].scope), ("site", &Scope::parse("openid email").unwrap()));
}

#[test]
fn a_form_from_elsewhere_of_another_session_or_of_yesterday_changes_nothing() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, boris) = (server.add_user("anna", "user"), server.add_user("boris", "user"));
    let mut browser = at_the_account(&server, &anna);
    let token = |browser: &Browser| browser.form_with("account-save").pairs(None).into_iter().find(|(name, _)| name == "form").unwrap().1;
    let (own, foreign) = (token(&browser), token(&at_the_account(&server, &boris)));
    let everywhere = |form: &str| [("form".to_owned(), form.to_owned()), ("action".to_owned(), "everywhere".to_owned())];
    // Another site's form comes without the session's cookie; one of a sibling host with it, but from another origin.
    let pairs = everywhere(&own);
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.new_tab().post_from("https://evil.example/", &server.url("/account"), &pairs).unwrap();
    browser.new_tab().post_from(&server.issuer.replace("127.0.0.1", "127.0.0.2"), &server.url("/account"), &pairs).unwrap();
    assert!(is_signed_in(&server, &browser));
    for bad in [foreign.as_str(), "", "rubbish"] {
        let form = browser.form_with("account-everywhere").fill("form", bad);
        browser.submit(&form, form.button("account-everywhere")).unwrap();
        assert!(notice(&browser).contains("nothing was changed"), "{bad}");
    }
    server.advance(3601);
    let form = browser.form_with("account-everywhere").fill("form", &own);
    browser.submit(&form, form.button("account-everywhere")).unwrap();
    assert!(notice(&browser).contains("nothing was changed"));
    assert!(is_signed_in(&server, &browser));
}
