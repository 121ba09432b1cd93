//! A forgotten password, by mail, on both pairs of backends.

use propusk_domain::admin::users::{self, UserPatch};
use propusk_domain::client::Preset;
use propusk_tests::browser::{Browser, Landing};
use propusk_tests::html::{has_id, links};
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, TestServer};
use propusk_tests::smtp::{MailServer, wait_until};

propusk_tests::on_each_backend![
    a_forgotten_password_is_replaced_by_mail_and_the_sign_in_goes_on,
    the_answer_is_the_same_for_people_who_do_not_exist,
    a_mail_waits_for_the_mail_server,
    a_mail_that_waits_survives_a_restart_and_is_sent_once,
];

const NEW: &str = "four unrelated words";

fn with_mail(backend: Backend, mail: &MailServer, more: &[(&str, &str)]) -> TestServer {
    let settings = mail.settings();
    let mut all: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    all.extend(more);
    TestServer::with(backend, &all)
}

/// Asks for a link in a browser that shows the sign-in page.
fn forget(browser: &mut Browser, name: &str) -> Landing {
    let href = links(browser.html()).into_iter().find(|href| href.starts_with("/forgot-password")).unwrap();
    browser.click(&href).unwrap();
    let form = browser.form_with("forgot-submit").fill("username", name);
    browser.submit(&form, form.button("forgot-submit")).unwrap()
}

fn set(browser: &mut Browser, password: &str) -> Landing {
    let form = browser.form_with("set-password-submit").fill("new_password", password);
    browser.submit(&form, form.button("set-password-submit")).unwrap()
}

/// Everything that was asked for has been dealt with.
fn nothing_waits(server: &TestServer) {
    wait_until(|| server.look(|cx| Ok(cx.store.outbox_depth()?)).0 == 0);
}

/// The failure of the first attempt is written down.
fn failed_once(server: &TestServer) {
    wait_until(|| server.look(|cx| Ok(cx.store.list_messages(None, 10)?)).iter().any(|row| row.failure.is_some()));
}

fn a_forgotten_password_is_replaced_by_mail_and_the_sign_in_goes_on(backend: Backend) {
    let mail = MailServer::start();
    let server = with_mail(backend, &mail, &[]);
    server.add_user("anna", "user");
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let mut browser = Browser::new().stop_at(site.redirect_uri());
    browser.visit(&server.authorize_url(&site, &[])).unwrap();
    assert!(has_id(&forget(&mut browser, "ANNA").html(), "forgot-sent"));
    let mails = mail.wait(1);
    assert_eq!((mails[0].from.as_str(), mails[0].to.as_str()), ("noreply@example.org", "anna@example.org"));
    assert!(mails[0].headers.contains("Auto-Submitted: auto-generated") && mails[0].text.contains("anna"), "{:?}", mails[0]);
    nothing_waits(&server);
    assert_eq!(server.audit("password_mail_sent").len(), 1);

    let link = mails[0].link().to_owned();
    browser.visit(&link).unwrap();
    let login = set(&mut browser, NEW);
    assert!(login.url.contains("/login?") && login.url.contains("flow="), "{}", login.url);
    assert!(browser.sign_in("anna", NEW).unwrap().param("code").is_some(), "where the sign-in began");
    assert_eq!(Browser::new().visit(&link).unwrap().status(), 400);
}

fn the_answer_is_the_same_for_people_who_do_not_exist(backend: Backend) {
    let mail = MailServer::start();
    let server = with_mail(backend, &mail, &[]);
    let (anna, boris, vera) = (server.add_user("anna", "user"), server.add_user("boris", "user"), server.add_user("vera", "user"));
    let (one, two) = (boris.user.sub.clone(), vera.user.sub.clone());
    server.admin(move |cx| users::disable(cx, &one).map(|_| ()));
    server.admin(move |cx| users::set(cx, &two, &UserPatch { email_verified: Some(false), ..UserPatch::default() }).map(|_| ()));
    let answers: Vec<(u16, String)> = ["anna@example.org", "boris", "vera", "nobody", "nobody@example.org\r\nBcc: x@example.org"]
        .into_iter()
        .map(|name| {
            let form = [("username", name)];
            let answer = Request::post(&server.url("/forgot-password")).post_form(&form).send().unwrap();
            (answer.status, answer.location().unwrap_or_default().to_owned())
        })
        .collect();
    assert!(answers[..4].iter().all(|answer| *answer == (303, "/forgot-password?sent=1".to_owned())), "{answers:?}");
    nothing_waits(&server);
    let told: Vec<String> = mail.wait(1).into_iter().map(|mail| mail.to).collect();
    assert_eq!(told, ["anna@example.org"], "neither the disabled, nor who has no verified address");
    assert_eq!(server.audit("password_mail_sent")[0].sub.as_deref(), Some(anna.user.sub.as_str()));
}

fn a_mail_waits_for_the_mail_server(backend: Backend) {
    let mail = MailServer::start();
    mail.refuse(Some("451 later"));
    let server = with_mail(backend, &mail, &[]);
    server.add_user("anna", "user");
    let mut browser = Browser::new();
    browser.visit(&server.url("/login")).unwrap();
    forget(&mut browser, "anna");
    wait_until(|| mail.refused() > 0);
    let rows = server.look(|cx| Ok(cx.store.list_messages(None, 10)?));
    assert!(rows.iter().all(|row| !row.body.contains("anna") && !row.key.contains("anna")), "{rows:?}");
    mail.refuse(None);
    failed_once(&server);
    // A clock that is moved by hand: the pause before the next attempt is over.
    server.advance(60);
    mail.wait(1);
    nothing_waits(&server);
    assert_eq!(mail.mails().len(), 1);
}

fn a_mail_that_waits_survives_a_restart_and_is_sent_once(backend: Backend) {
    let mail = MailServer::start();
    mail.refuse(Some("451 later"));
    let server = with_mail(backend, &mail, &[]);
    let anna = server.add_user("anna", "user");
    let mut browser = Browser::new();
    browser.visit(&server.url("/login")).unwrap();
    forget(&mut browser, "anna");
    wait_until(|| mail.refused() > 0);
    failed_once(&server);
    assert!(mail.mails().is_empty());
    let server = server.restarted(|| {
        assert!(mail.mails().is_empty());
        mail.refuse(None);
    });
    // The pause after the failure is over by the clock that is moved by hand, and so would be a lease that the old process had left.
    server.advance(121);
    mail.wait(1);
    nothing_waits(&server);
    let link = mail.mails()[0].link().to_owned();
    browser.visit(&link).unwrap();
    set(&mut browser, NEW);
    assert_eq!((mail.mails().len(), server.audit("password_mail_sent").len()), (1, 1), "once");
    assert_eq!(server.audit("password_set")[0].sub.as_deref(), Some(anna.user.sub.as_str()));
}

#[test]
fn without_a_mail_server_nothing_is_offered() {
    let server = TestServer::start(Backend::Sqlite);
    let mut browser = Browser::new();
    browser.visit(&server.url("/login")).unwrap();
    assert!(!has_id(browser.html(), "login-forgot"));
    for request in [Request::get(&server.url("/forgot-password")), Request::post(&server.url("/forgot-password")).post_form(&[("username", "anna")])]
    {
        let answer = request.send().unwrap();
        assert_eq!((answer.status, answer.location()), (303, Some("/login")));
    }
    assert_eq!(server.look(|cx| Ok(cx.store.outbox_depth()?)).0, 0);
}

#[test]
fn nobody_fills_a_mailbox_and_an_old_link_dies_with_the_address() {
    let mail = MailServer::start();
    let server = with_mail(Backend::Sqlite, &mail, &[]);
    let anna = server.add_user("anna", "user");
    let ask = || Request::post(&server.url("/forgot-password")).post_form(&[("username", "anna")]).send().unwrap().status;
    let statuses: Vec<u16> = (0..6).map(|_| ask()).collect();
    assert!(statuses.contains(&303) && statuses.last() == Some(&429), "{statuses:?}");
    nothing_waits(&server);
    for _ in 0..8 {
        server.advance(200);
        assert_eq!(ask(), 303);
        nothing_waits(&server);
    }
    assert!(mail.mails().len() <= 5, "{} mails within an hour", mail.mails().len());
    let link = mail.mails().last().unwrap().link().to_owned();
    let sub = anna.user.sub.clone();
    let patch = UserPatch { email: Some("other@example.org".to_owned()), ..UserPatch::default() };
    server.admin(move |cx| users::set(cx, &sub, &patch).map(|_| ()));
    assert_eq!(Browser::new().visit(&link).unwrap().status(), 400);
}

#[test]
fn opened_in_another_browser_the_link_sets_the_password_and_no_more() {
    let mail = MailServer::start();
    let server = with_mail(Backend::Sqlite, &mail, &[]);
    server.add_user("anna", "user");
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let mut browser = Browser::new().stop_at(site.redirect_uri());
    browser.visit(&server.authorize_url(&site, &[])).unwrap();
    forget(&mut browser, "anna");
    let mut elsewhere = Browser::new().stop_at(site.redirect_uri());
    elsewhere.visit(mail.wait(1)[0].link()).unwrap();
    assert_eq!(set(&mut elsewhere, NEW).url, server.url("/login?notice=password"));
    assert_eq!(elsewhere.sign_in("anna", NEW).unwrap().url, server.url("/"));
}

#[test]
fn the_mail_speaks_the_persons_language() {
    let mail = MailServer::start();
    let server = with_mail(Backend::Sqlite, &mail, &[]);
    let anna = server.add_user("anna", "user");
    let sub = anna.user.sub.clone();
    server.admin(move |cx| users::set(cx, &sub, &UserPatch { locale: Some("ru".to_owned()), ..UserPatch::default() }).map(|_| ()));
    let mut browser = Browser::new();
    browser.visit(&server.url("/login")).unwrap();
    forget(&mut browser, "anna");
    let mails = mail.wait(1);
    assert!(mails[0].text.contains("новый пароль"), "{}", mails[0].text);
    browser.visit(mails[0].link()).unwrap();
    set(&mut browser, NEW);
    assert_eq!(server.audit("password_set").len(), 1);
}
