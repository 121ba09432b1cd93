//! People who make their own account at `/register`, on both pairs of backends.

use crate::explain::{explain, shell};
use propusk_domain::admin::roles;
use propusk_domain::admin::users::{self, UserPatch};
use propusk_domain::client::Preset;
use propusk_domain::user::{User, name_key};
use propusk_server::clock::ManualClock;
use propusk_server::{Settings, serve};
use propusk_tests::browser::{Browser, Landing};
use propusk_tests::form::query_param;
use propusk_tests::html::{has_id, links, text_of};
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, START, TestServer, free_port};
use propusk_tests::smtp::{Mail, MailServer, wait_until};
use std::sync::Arc;

propusk_tests::on_each_backend![
    a_stranger_registers_and_ends_signed_in_where_the_sign_in_began,
    the_answer_is_the_same_for_an_address_that_has_an_account,
    a_link_is_used_once_even_when_its_person_moved_or_was_removed,
    of_ten_at_once_one_makes_the_account,
    an_address_or_a_username_that_somebody_took_meanwhile_is_refused,
];

const PASSWORD: &str = "four unrelated words";
const ADDRESS: &str = "nina@example.org";

fn with_registration(backend: Backend, mail: &MailServer, more: &[(&str, &str)]) -> TestServer {
    let settings = mail.settings();
    let mut all: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    all.push(("registration.enabled", "true"));
    all.extend(more);
    TestServer::with(backend, &all)
}

/// Fills in the form of the page at hand.
fn fill(browser: &mut Browser, username: &str, name: &str, email: &str) -> Landing {
    let form = browser.form_with("register-submit").fill("username", username).fill("name", name).fill("email", email);
    browser.submit(&form, form.button("register-submit")).unwrap()
}

/// Asks for an account in a browser that shows the sign-in page.
fn apply(browser: &mut Browser, username: &str, email: &str) -> Landing {
    let href = links(browser.html()).into_iter().find(|href| href.starts_with("/register")).unwrap();
    browser.click(&href).unwrap();
    let landing = fill(browser, username, "Nina Новая", email);
    assert!(has_id(&landing.html(), "register-sent"), "{}", landing.trace());
    landing
}

/// Uses the form of an opened link.
fn finish(browser: &mut Browser, username: &str, password: &str) -> Landing {
    let form = browser.form_with("register-finish-submit").fill("username", username).fill("new_password", password);
    browser.submit(&form, form.button("register-finish-submit")).unwrap()
}

fn nothing_waits(server: &TestServer) {
    wait_until(|| server.look(|cx| Ok(cx.store.outbox_depth()?)).0 == 0);
}

fn mails_to(mail: &MailServer, address: &str, count: usize) -> Vec<Mail> {
    let found = || mail.mails().into_iter().filter(|mail| mail.to == address).collect::<Vec<_>>();
    wait_until(|| found().len() >= count);
    found()
}

/// A link to an address, without any sign-in around it.
fn link_to(server: &TestServer, mail: &MailServer, username: &str, address: &str) -> String {
    let before = mail.mails().iter().filter(|mail| mail.to == address).count();
    let mut browser = Browser::new();
    browser.visit(&server.url("/register")).unwrap();
    assert_eq!(fill(&mut browser, username, "", address).url, server.url("/register?sent=1"));
    mails_to(mail, address, before + 1)[before].link().to_owned()
}

fn find(server: &TestServer, name: &str) -> Option<User> {
    let key = name_key(name);
    server.look(|cx| Ok(cx.store.find_user_by_name(&key)?))
}

fn is_signed_in(server: &TestServer, browser: &Browser) -> bool {
    browser.new_tab().visit(&server.url("/account")).unwrap().url == server.url("/account")
}

fn is_refused(server: &TestServer, landing: &Landing, status: u16, cause: &str, received: &str) {
    assert_eq!(landing.status(), status, "{}", landing.trace());
    let explained = server.explain(&text_of(&landing.html(), "error-reference").unwrap());
    assert_eq!((explained.detail.cause.slug(), explained.endpoint.as_str()), (cause, "register"));
    assert!(explained.detail.received.as_deref().unwrap().contains(received), "{explained:?}");
}

fn a_stranger_registers_and_ends_signed_in_where_the_sign_in_began(backend: Backend) {
    let mail = MailServer::start();
    let server = with_registration(backend, &mail, &[]);
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let mut browser = Browser::new().stop_at(site.redirect_uri());
    browser.visit(&server.authorize_url(&site, &[("scope", "openid email profile roles")])).unwrap();
    let sent = apply(&mut browser, "Nina", ADDRESS);
    assert!(links(&sent.html()).iter().any(|href| href.starts_with("/login?flow=")), "the way back keeps the sign-in");
    let row = server.look(|cx| Ok(cx.store.list_messages(None, 10)?));
    assert!(row.iter().all(|row| !row.body.contains("nina") && !row.body.contains("Nina") && !row.key.contains("nina")), "{row:?}");
    let letter = mails_to(&mail, ADDRESS, 1)[0].clone();
    let (words, link) = (letter.text.replace(letter.link(), ""), letter.link().to_owned());
    assert!(!words.contains("Nina") && !words.contains("Новая"), "nobody writes to strangers by what they type: {words}");
    assert!(link.starts_with(&server.url("/register/finish?token=")), "{link}");
    nothing_waits(&server);
    // Scanners of mails open links; nobody exists for that.
    for _ in 0..2 {
        let page = Browser::new().visit(&link).unwrap();
        assert_eq!((page.status(), page.response().header("referrer-policy")), (200, Some("no-referrer")));
    }
    assert!(find(&server, ADDRESS).is_none() && find(&server, "nina").is_none());

    browser.visit(&link).unwrap();
    for (weak, says) in [("short", "8 characters"), ("nina@example.org", "guess"), ("password", "guess")] {
        let refused = finish(&mut browser, "Nina", weak);
        assert_eq!((refused.status(), refused.response().header("referrer-policy")), (400, Some("no-referrer")));
        assert!(text_of(browser.html(), "register-notice").unwrap().contains(says), "{weak}");
    }
    assert!(find(&server, ADDRESS).is_none());
    let code = finish(&mut browser, "Nina", PASSWORD).param("code").expect("where the sign-in began");
    let user = find(&server, ADDRESS).unwrap();
    assert_eq!((user.username.as_str(), user.role.as_str(), user.claims.name.as_deref()), ("Nina", "user", Some("Nina Новая")));
    assert_eq!((user.claims.email.as_deref(), user.claims.email_verified), (Some(ADDRESS), Some(true)));
    let tokens = server.redeem(&site, &code, &[]).json();
    let claims = server.userinfo(tokens["access_token"].as_str().unwrap()).json();
    assert_eq!((claims["sub"].as_str(), claims["email_verified"].as_bool()), (Some(user.sub.as_str()), Some(true)));
    assert!(is_signed_in(&server, &browser));
    let mut later = Browser::new();
    later.visit(&server.url("/login")).unwrap();
    assert_eq!(later.sign_in("NINA@example.org", PASSWORD).unwrap().url, server.url("/"));
    for (kind, count) in [("registered", 1), ("user_added", 1), ("signed_in", 2)] {
        assert_eq!(server.audit(kind).len(), count, "{kind}");
    }
}

fn the_answer_is_the_same_for_an_address_that_has_an_account(backend: Backend) {
    let mail = MailServer::start();
    let server = with_registration(backend, &mail, &[]);
    server.add_user("anna", "user");
    let boris = server.add_user("boris", "user");
    let sub = boris.user.sub.clone();
    server.admin(move |cx| users::disable(cx, &sub).map(|_| ()));
    let answers: Vec<(u16, String, String)> = ["Anna@example.org", "boris@example.org", "free@example.org"]
        .into_iter()
        .map(|address| {
            let form = [("username", "nina"), ("name", "N"), ("email", address)];
            let answer = Request::post(&server.url("/register")).post_form(&form).send().unwrap();
            let shown = Request::get(&server.url(answer.location().unwrap())).send().unwrap().text();
            (answer.status, answer.location().unwrap().to_owned(), shown)
        })
        .collect();
    assert_eq!(answers[0].1, "/register?sent=1");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "nobody learns who has an account");
    nothing_waits(&server);
    for address in ["Anna@example.org", "boris@example.org"] {
        let known = &mails_to(&mail, address, 1)[0];
        assert!(known.text.contains("already have one") && !known.text.contains("token="), "{}", known.text);
        assert_eq!(known.link(), server.url("/forgot-password"));
    }
    assert!(mails_to(&mail, "free@example.org", 1)[0].link().contains("token="));
    assert_eq!(mail.mails().len(), 3);
}

fn a_link_is_used_once_even_when_its_person_moved_or_was_removed(backend: Backend) {
    let mail = MailServer::start();
    let server = with_registration(backend, &mail, &[]);
    let link = link_to(&server, &mail, "nina", ADDRESS);
    let (mut browser, mut stale) = (Browser::new(), Browser::new());
    stale.visit(&link).unwrap();
    browser.visit(&link).unwrap();
    assert_eq!(finish(&mut browser, "nina", PASSWORD).url, server.url("/"));
    is_refused(&server, &finish(&mut stale, "another", PASSWORD), 400, "mail_link_dead", "was used");
    is_refused(&server, &Browser::new().visit(&link).unwrap(), 400, "mail_link_dead", "was used");
    let sub = find(&server, "nina").unwrap().sub;
    let (moved, removed) = (sub.clone(), sub);
    let patch = UserPatch { email: Some("moved@example.org".to_owned()), ..UserPatch::default() };
    server.admin(move |cx| users::set(cx, &moved, &patch).map(|_| ()));
    is_refused(&server, &Browser::new().visit(&link).unwrap(), 400, "mail_link_dead", "was used");
    server.admin(move |cx| users::remove(cx, &removed).map(|_| ()));
    is_refused(&server, &Browser::new().visit(&link).unwrap(), 400, "mail_link_dead", "removed");
    assert!(find(&server, "nina").is_none(), "a subject is never given out twice");
    assert_eq!(server.audit("registered").len(), 1);
}

fn of_ten_at_once_one_makes_the_account(backend: Backend) {
    let mail = MailServer::start();
    let server = with_registration(backend, &mail, &[]);
    let token = query_param(&link_to(&server, &mail, "nina", ADDRESS), "token").unwrap();
    let username = |index: usize| if index.is_multiple_of(2) { "nina".to_owned() } else { format!("nina-{index}") };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..10)
            .map(|index| {
                let (server, token) = (&server, token.as_str());
                scope.spawn(move || {
                    let form = [("token", token), ("username", &*username(index)), ("new_password", PASSWORD)];
                    let request = Request::post(&server.url("/register/finish")).header("Cookie", "propusk_browser=0123456789abcdefghijkl");
                    request.post_form(&form).send().unwrap().status
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 303 | 400)), "{statuses:?}");
    let winner = statuses.iter().position(|status| *status == 303).unwrap();
    assert_eq!(find(&server, ADDRESS).unwrap().username, username(winner));
    assert_eq!((server.audit("registered").len(), server.audit("user_added").len()), (1, 1));
}

fn an_address_or_a_username_that_somebody_took_meanwhile_is_refused(backend: Backend) {
    let mail = MailServer::start();
    let server = with_registration(backend, &mail, &[]);
    let (first, second) = (link_to(&server, &mail, "nina", ADDRESS), link_to(&server, &mail, "nina", "other@example.org"));
    let mut opened = Browser::new();
    opened.visit(&first).unwrap();
    let mut other = Browser::new();
    other.visit(&second).unwrap();
    finish(&mut other, "nina", PASSWORD);
    let taken = finish(&mut opened, "NINA", PASSWORD);
    assert_eq!(taken.status(), 400);
    assert!(text_of(opened.html(), "register-notice").unwrap().contains("taken"));
    assert!(find(&server, ADDRESS).is_none());
    let sub = find(&server, "nina").unwrap().sub;
    let patch = UserPatch { email: Some("Nina@Example.org".to_owned()), ..UserPatch::default() };
    server.admin(move |cx| users::set(cx, &sub, &patch).map(|_| ()));
    let refused = finish(&mut opened, "nina-2", PASSWORD);
    assert!(refused.html().contains("belongs to another account"), "{}", refused.html());
    is_refused(&server, &refused, 409, "name_taken", "somebody has verified");
    is_refused(&server, &Browser::new().visit(&first).unwrap(), 409, "name_taken", "somebody has verified");
    assert!(find(&server, "nina-2").is_none());
    assert_eq!(server.audit("registered").len(), 1);
}

#[test]
fn switched_off_it_is_as_unknown_as_any_other_page() {
    let server = TestServer::start(Backend::Sqlite);
    let mut browser = Browser::new();
    browser.visit(&server.url("/login")).unwrap();
    assert!(!has_id(browser.html(), "login-register"));
    for path in ["/register", "/register/finish?token=x"] {
        let requests = [
            Request::get(&server.url(path)),
            Request::get(&server.url(path)).header("Accept", "text/html"),
            Request::post(&server.url(path)).post_form(&[("username", "nina"), ("email", ADDRESS)]),
        ];
        for request in requests {
            assert_eq!(request.send().unwrap().status, 404, "{path}");
        }
    }
    assert_eq!(server.look(|cx| Ok(cx.store.outbox_depth()?)).0, 0);
}

#[test]
fn without_a_mail_server_or_with_a_role_that_is_none_it_does_not_start() {
    let server = TestServer::start(Backend::Sqlite);
    let said = shell(&server, "PROPUSK__REGISTRATION__ENABLED=true propusk config check || [ $? = 3 ]", "");
    assert!(said.contains("registration.enabled: needs a mail server"), "{said}");
    let said = shell(&server, "PROPUSK__REGISTRATION__ENABLED=true propusk serve 2>&1 || [ $? = 2 ] || [ $? = 1 ]", "");
    assert!(said.contains("registration.enabled: needs a mail server"), "{said}");
    let mail = MailServer::start();
    let mut settings = server.settings().to_vec();
    settings.retain(|(key, _)| key != "http.listen");
    settings.extend(mail.settings());
    let more = [("registration.enabled", "true"), ("registration.role", "guest"), ("http.listen", &format!("127.0.0.1:{}", free_port()))];
    settings.extend(more.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let settings = Settings::from_map(settings).unwrap();
    let error = serve::start(settings, Arc::new(ManualClock::at(START))).err().expect("no such role");
    assert!(error.to_string().contains("guest") && error.to_string().contains("moderator"), "{error}");
}

#[test]
fn the_role_of_the_setting_is_given() {
    let mail = MailServer::start();
    let server = with_registration(Backend::Sqlite, &mail, &[]);
    server.admin(|cx| roles::add_role(cx, "guest"));
    let settings = mail.settings();
    let mut more: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    more.extend([("registration.enabled", "true"), ("registration.role", "guest")]);
    let replica = server.replica(&more);
    let link = link_to(&server, &mail, "nina", ADDRESS);
    let token = query_param(&link, "token").unwrap();
    let form = [("token", token.as_str()), ("username", "nina"), ("new_password", PASSWORD)];
    let request = Request::post(&replica.url("/register/finish")).header("Cookie", "propusk_browser=0123456789abcdefghijkl");
    assert_eq!(request.post_form(&form).send().unwrap().status, 303);
    assert_eq!(find(&server, "nina").unwrap().role, "guest");
}

#[test]
fn what_was_typed_badly_is_said_and_sends_nothing() {
    let mail = MailServer::start();
    let server = with_registration(Backend::Sqlite, &mail, &[]);
    let anna = server.add_user("anna", "user");
    let sub = anna.user.sub.clone();
    let patch = UserPatch { add_aliases: vec!["anka".to_owned()], ..UserPatch::default() };
    server.admin(move |cx| users::set(cx, &sub, &patch).map(|_| ()));
    let long = "x".repeat(201);
    let huge = "x".repeat(20_000);
    for (username, name, email, says) in [
        ("нина", "", ADDRESS, "1 to 64 characters"),
        ("nina b", "", ADDRESS, "1 to 64 characters"),
        ("nina@example.org", "", ADDRESS, "1 to 64 characters"),
        ("", "", ADDRESS, "1 to 64 characters"),
        (&long[..65], "", ADDRESS, "1 to 64 characters"),
        ("nina", &long, ADDRESS, "cannot look like this"),
        ("nina", &huge, ADDRESS, "cannot look like this"),
        ("nina", "N\r\nBcc: x@example.org", ADDRESS, "cannot look like this"),
        ("nina", "", "nobody", "cannot look like this"),
        ("nina", "", "a@example.org\r\nBcc: b@example.org", "cannot look like this"),
        ("nina", "", "a@example.org\n", "cannot look like this"),
        ("nina", "", "a@example.org, b@example.org", "cannot look like this"),
        ("nina", "", &huge, "cannot look like this"),
        ("ANNA", "", "one@example.org", "taken"),
        ("anka", "", "two@example.org", "taken"),
        ("All", "", "three@example.org", "taken"),
        (&anna.user.sub, "", "four@example.org", "taken"),
    ] {
        let mut browser = Browser::new();
        browser.visit(&server.url("/register")).unwrap();
        let landing = fill(&mut browser, username, name, email);
        assert_eq!(landing.status(), 400, "{username:?} {email:?}: {}", landing.trace());
        assert!(text_of(browser.html(), "register-notice").unwrap().contains(says), "{username:?} {email:?}");
        let form = browser.form_with("register-submit");
        assert_eq!(form.value("username"), Some(username), "what was typed stays");
    }
    let control = [("username", "ni\rna"), ("email", ADDRESS)];
    assert_eq!(Request::post(&server.url("/register")).post_form(&control).send().unwrap().status, 400);
    assert_eq!(server.look(|cx| Ok(cx.store.outbox_depth()?)).0, 0);
    assert!(mail.mails().is_empty());
}

#[test]
fn asking_is_paused_by_address_of_the_client_and_by_address_of_the_mail() {
    let mail = MailServer::start();
    let server = with_registration(Backend::Sqlite, &mail, &[("http.trusted_proxies", "127.0.0.0/8")]);
    let ask = |from: &str, address: &str| {
        let request = Request::post(&server.url("/register")).header("X-Forwarded-For", from);
        request.post_form(&[("username", "nina"), ("email", address)]).send().unwrap()
    };
    let statuses: Vec<u16> = (0..12).map(|index| ask(&format!("192.0.2.{index}"), ADDRESS).status).collect();
    assert_eq!((statuses[0], statuses[11]), (303, 429), "one mailbox from everywhere: {statuses:?}");
    let statuses: Vec<u16> = (0..24).map(|index| ask("198.51.100.7", &format!("nina-{index}@example.org")).status).collect();
    assert_eq!((statuses[0], statuses[23]), (303, 429), "many mailboxes from one address: {statuses:?}");
    assert!(ask("198.51.100.7", "one-more@example.org").header("retry-after").is_some());
    assert_eq!(ask("203.0.113.9", "fresh@example.org").status, 303, "others are not held up");
    nothing_waits(&server);
    assert!(mail.mails().iter().filter(|mail| mail.to == ADDRESS).count() <= 5);
}

#[test]
fn forms_from_another_site_make_nobody_and_sign_nobody_in() {
    let mail = MailServer::start();
    let server = with_registration(Backend::Sqlite, &mail, &[]);
    let form = [("username", "nina"), ("email", ADDRESS)];
    assert_eq!(Browser::new().post_from("http://evil.example/", &server.url("/register"), &form).unwrap().status(), 400);
    assert_eq!(server.look(|cx| Ok(cx.store.outbox_depth()?)).0, 0);
    let link = link_to(&server, &mail, "mallory", "mallory@example.org");
    let token = query_param(&link, "token").unwrap();
    let form = [("token", token.as_str()), ("username", "mallory"), ("new_password", PASSWORD)];
    let mut victim = Browser::new();
    victim.visit(&server.url("/login")).unwrap();
    for from in ["http://evil.example/", "https://evil.example/", &server.issuer.replace("127.0.0.1", "127.0.0.2")] {
        let landing = victim.post_from(from, &server.url("/register/finish"), &form).unwrap();
        assert_eq!(landing.status(), 400, "{from}");
    }
    // A browser so old that it says nothing about where a form comes from: the cookie of the page is missing.
    let silent = Request::post(&server.url("/register/finish")).post_form(&form).send().unwrap();
    assert_eq!(silent.status, 400);
    assert!(!is_signed_in(&server, &victim) && find(&server, "mallory").is_none());
    victim.visit(&link).unwrap();
    assert_eq!(finish(&mut victim, "mallory", PASSWORD).url, server.url("/"), "and it was not used up");
}

#[test]
fn opened_in_another_browser_the_account_is_made_and_the_sign_in_stays_where_it_was() {
    let mail = MailServer::start();
    let server = with_registration(Backend::Sqlite, &mail, &[]);
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let mut browser = Browser::new().stop_at(site.redirect_uri());
    browser.visit(&server.authorize_url(&site, &[])).unwrap();
    apply(&mut browser, "nina", ADDRESS);
    let mut elsewhere = Browser::new().stop_at(site.redirect_uri());
    elsewhere.visit(mails_to(&mail, ADDRESS, 1)[0].link()).unwrap();
    assert_eq!(finish(&mut elsewhere, "nina", PASSWORD).url, server.url("/"));
    assert!(is_signed_in(&server, &elsewhere) && !is_signed_in(&server, &browser));
}

#[test]
fn a_sign_in_of_the_account_page_and_one_of_a_client_that_is_gone_lead_on() {
    let mail = MailServer::start();
    let server = with_registration(Backend::Sqlite, &mail, &[]);
    let mut browser = Browser::new();
    browser.visit(&server.url("/account")).unwrap();
    apply(&mut browser, "nina", ADDRESS);
    browser.visit(mails_to(&mail, ADDRESS, 1)[0].link()).unwrap();
    assert_eq!(finish(&mut browser, "nina", PASSWORD).url, server.url("/account"));
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let mut browser = Browser::new().stop_at(site.redirect_uri());
    browser.visit(&server.authorize_url(&site, &[])).unwrap();
    apply(&mut browser, "vera", "vera@example.org");
    server.set_client("site", |patch| patch.disabled = Some(true));
    server.settle();
    browser.visit(mails_to(&mail, "vera@example.org", 1)[0].link()).unwrap();
    assert_eq!(finish(&mut browser, "vera", PASSWORD).url, server.url("/"));
    assert!(find(&server, "vera").is_some());
}

#[test]
fn a_link_that_is_over_damaged_or_of_another_kind_makes_nobody() {
    let mail = MailServer::start();
    let server = with_registration(Backend::Sqlite, &mail, &[("smtp.link_lifetime", "30m")]);
    let link = link_to(&server, &mail, "nina", ADDRESS);
    assert!(mails_to(&mail, ADDRESS, 1)[0].text.contains("30 minutes"));
    let token = query_param(&link, "token").unwrap();
    let anna = server.add_user("anna", "user");
    let user = anna.user.clone();
    let foreign = server.admin(move |cx| propusk_domain::password_link::make(cx, &user, "test")?.url(&cx.policy.issuer, cx.keys));
    let foreign = query_param(&foreign, "token").unwrap();
    for bad in ["", "rubbish", &token[..token.len() - 4], &format!("{token}x"), &foreign] {
        let form = [("token", bad), ("username", "nina"), ("new_password", PASSWORD)];
        let request = Request::post(&server.url("/register/finish")).header("Cookie", "propusk_browser=0123456789abcdefghijkl");
        assert_eq!(request.post_form(&form).send().unwrap().status, 400, "{bad}");
    }
    for path in ["/set-password", "/verify-email"] {
        let form = [("token", token.as_str()), ("new_password", PASSWORD)];
        assert_eq!(Request::post(&server.url(path)).post_form(&form).send().unwrap().status, 400, "{path}");
    }
    let mut browser = Browser::new();
    browser.visit(&link).unwrap();
    server.advance(1800);
    let dead = finish(&mut browser, "nina", PASSWORD);
    is_refused(&server, &dead, 400, "mail_link_dead", "ended at");
    let explained = explain(&server, &text_of(&dead.html(), "error-reference").unwrap());
    assert!(!explained.document.to_string().contains(&token), "the link itself is kept nowhere");
    assert!(find(&server, "nina").is_none());
}

#[test]
fn pages_and_mails_speak_russian_to_whoever_reads_russian() {
    let mail = MailServer::start();
    let server = with_registration(Backend::Sqlite, &mail, &[]);
    let mut browser = Browser::new().speaking("ru-RU");
    browser.visit(&server.url("/login")).unwrap();
    let sent = apply(&mut browser, "nina", ADDRESS);
    assert!(sent.html().contains("Письмо уже в пути"), "{}", sent.html());
    let letter = mails_to(&mail, ADDRESS, 1)[0].clone();
    assert!(letter.text.contains("задайте пароль") && letter.text.contains("60 минут"), "{}", letter.text);
    let page = Browser::new().visit(letter.link()).unwrap();
    assert!(page.html().contains("Придумайте пароль"), "the language of whoever asked");
}
