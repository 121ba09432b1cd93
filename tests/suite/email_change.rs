//! Another e-mail address at `/account`, verified by a link, on both pairs of backends.

use crate::explain::{explain, shell};
use propusk_domain::admin::users::{self, UserPatch};
use propusk_domain::client::Preset;
use propusk_domain::email_change::EmailLink;
use propusk_domain::flow::Sealed;
use propusk_domain::user::User;
use propusk_tests::browser::{Browser, Landing};
use propusk_tests::form::query_param;
use propusk_tests::html::{has_id, text_of};
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, Person, START, TestServer};
use propusk_tests::smtp::{Mail, MailServer, wait_until};

propusk_tests::on_each_backend![
    an_address_is_changed_by_the_link_and_true_at_once,
    a_link_is_used_once_even_when_the_old_address_comes_back,
    of_ten_at_once_one_changes_the_address,
    two_people_who_confirm_one_address_at_once_do_not_share_it,
    an_address_that_somebody_verified_meanwhile_is_refused,
    the_answer_is_the_same_for_an_address_that_somebody_has,
    a_change_of_the_password_or_the_address_ends_the_link,
];

const NEW: &str = "anna@new.example";

fn with_mail(backend: Backend, mail: &MailServer) -> TestServer {
    let settings = mail.settings();
    let all: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    TestServer::with(backend, &all)
}

/// Somebody's browser on the account page.
fn at_the_account(server: &TestServer, name: &str, password: &str) -> Browser {
    let mut browser = Browser::new();
    browser.visit(&server.url("/account")).unwrap();
    let landing = browser.sign_in(name, password).unwrap();
    assert_eq!(landing.url, server.url("/account"), "{}", landing.trace());
    browser
}

fn ask(browser: &mut Browser, address: &str, password: &str) -> Landing {
    let form = browser.form_with("account-change-email").fill("new_email", address).fill("old_password", password);
    browser.submit(&form, form.button("account-change-email")).unwrap()
}

fn notice(browser: &Browser) -> String {
    text_of(browser.html(), "account-notice").unwrap_or_default()
}

/// The mails to an address, as soon as there are so many.
fn mails_to(mail: &MailServer, address: &str, count: usize) -> Vec<Mail> {
    let found = || mail.mails().into_iter().filter(|mail| mail.to == address).collect::<Vec<_>>();
    wait_until(|| found().len() >= count);
    found()
}

/// Asks, and answers the link that comes to the new address.
fn link_to(server: &TestServer, mail: &MailServer, person: &Person, address: &str) -> String {
    let links = || mail.mails().into_iter().filter(|mail| mail.to == address && mail.text.contains("?token=")).collect::<Vec<_>>();
    let before = links().len();
    let mut browser = at_the_account(server, &person.user.username, &person.password);
    let landing = ask(&mut browser, address, &person.password);
    assert_eq!(landing.url, server.url("/account?done=email"), "{}", landing.trace());
    wait_until(|| links().len() > before);
    links()[before].link().to_owned()
}

fn confirm(browser: &mut Browser) -> Landing {
    browser.press("verify-email-submit").unwrap()
}

fn stored(server: &TestServer, person: &Person) -> User {
    let sub = person.user.sub.clone();
    server.look(|cx| Ok(cx.store.find_user(&sub)?)).unwrap()
}

fn address_of(server: &TestServer, person: &Person) -> (Option<String>, Option<bool>) {
    let user = stored(server, person);
    (user.claims.email, user.claims.email_verified)
}

/// The page refuses the link: the status, and what the operator reads under the page's reference.
fn is_refused(server: &TestServer, landing: &Landing, status: u16, cause: &str, received: &str) {
    assert_eq!(landing.status(), status, "{}", landing.trace());
    let explained = server.explain(&text_of(&landing.html(), "error-reference").unwrap());
    assert_eq!(explained.detail.cause.slug(), cause);
    assert!(explained.detail.received.as_deref().unwrap().contains(received), "{explained:?}");
}

fn nothing_waits(server: &TestServer) {
    wait_until(|| server.look(|cx| Ok(cx.store.outbox_depth()?)).0 == 0);
}

fn an_address_is_changed_by_the_link_and_true_at_once(backend: Backend) {
    let mail = MailServer::start();
    let server = with_mail(backend, &mail);
    let anna = server.add_user("anna", "user");
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let tokens = server.tokens(&site, &anna, "openid email");
    let userinfo = || server.userinfo(tokens["access_token"].as_str().unwrap()).json();
    assert_eq!(userinfo()["email"], "anna@example.org");
    let link = link_to(&server, &mail, &anna, NEW);
    assert!(link.starts_with(&server.url("/verify-email?token=")), "{link}");
    let asked = &mails_to(&mail, "anna@example.org", 1)[0];
    assert!(asked.text.contains("change your password") && !asked.text.contains("token="), "no link that does anything: {}", asked.text);
    nothing_waits(&server);

    // A scanner of mails opens the link, in no browser of the person's; then the person does.
    for _ in 0..3 {
        let page = Browser::new().visit(&link).unwrap();
        assert_eq!((page.status(), page.response().header("referrer-policy")), (200, Some("no-referrer")));
        assert!(page.html().contains(NEW) && page.html().contains("anna"));
    }
    assert_eq!(address_of(&server, &anna), (Some("anna@example.org".to_owned()), Some(true)));
    let mut phone = Browser::new();
    phone.visit(&link).unwrap();
    let done = confirm(&mut phone);
    assert_eq!(done.url, server.url("/verify-email?done=1"), "{}", done.trace());
    assert!(has_id(&done.html(), "verify-email-done"));
    assert_eq!(address_of(&server, &anna), (Some(NEW.to_owned()), Some(true)));
    assert_eq!((userinfo()["email"].as_str(), userinfo()["email_verified"].as_bool()), (Some(NEW), Some(true)));
    at_the_account(&server, "ANNA@new.example", &anna.password);
    let mut old = Browser::new();
    old.visit(&server.url("/login")).unwrap();
    assert_eq!(old.sign_in("anna@example.org", &anna.password).unwrap().status(), 403, "the old address opens nothing any more");
    let told = &mails_to(&mail, "anna@example.org", 2)[1];
    assert!(told.text.contains("tell the people who run the site") && !told.text.contains("http"), "{}", told.text);
    for kind in ["email_change_asked", "email_changed", "user_changed"] {
        let events = server.audit(kind);
        assert_eq!((events.len(), events[0].sub.as_deref()), (1, Some(anna.user.sub.as_str())), "{kind}");
        assert!(events[0].detail.as_deref().is_none_or(|detail| !detail.contains('@')), "{events:?}");
    }
}

fn a_link_is_used_once_even_when_the_old_address_comes_back(backend: Backend) {
    let mail = MailServer::start();
    let server = with_mail(backend, &mail);
    let anna = server.add_user("anna", "user");
    let first = link_to(&server, &mail, &anna, NEW);
    let (mut one, mut stale) = (Browser::new(), Browser::new());
    one.visit(&first).unwrap();
    stale.visit(&first).unwrap();
    assert_eq!(confirm(&mut one).status(), 200);
    is_refused(&server, &confirm(&mut stale), 400, "mail_link_dead", "was used");
    is_refused(&server, &Browser::new().visit(&first).unwrap(), 400, "mail_link_dead", "was used");
    let back = link_to(&server, &mail, &anna, "anna@example.org");
    one.visit(&back).unwrap();
    confirm(&mut one);
    assert_eq!(address_of(&server, &anna).0.as_deref(), Some("anna@example.org"));
    is_refused(&server, &Browser::new().visit(&first).unwrap(), 400, "mail_link_dead", "was used");
    let token = query_param(&first, "token").unwrap();
    let replayed = Request::post(&server.url("/verify-email")).post_form(&[("token", token.as_str())]).send().unwrap();
    assert_eq!(replayed.status, 400);
    assert_eq!(address_of(&server, &anna).0.as_deref(), Some("anna@example.org"));
}

/// The statuses of POSTs of these links, all at once.
fn at_once(server: &TestServer, links: &[String]) -> Vec<u16> {
    std::thread::scope(|scope| {
        let racers: Vec<_> = links
            .iter()
            .map(|link| {
                let token = query_param(link, "token").unwrap();
                scope.spawn(move || Request::post(&server.url("/verify-email")).post_form(&[("token", token.as_str())]).send().unwrap().status)
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

fn of_ten_at_once_one_changes_the_address(backend: Backend) {
    let mail = MailServer::start();
    let server = with_mail(backend, &mail);
    let anna = server.add_user("anna", "user");
    let link = link_to(&server, &mail, &anna, NEW);
    let statuses = at_once(&server, &vec![link; 10]);
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 303 | 400)), "{statuses:?}");
    assert_eq!((server.audit("email_changed").len(), server.audit("user_changed").len()), (1, 1));
    nothing_waits(&server);
    assert_eq!(mails_to(&mail, "anna@example.org", 2).len(), 2, "asked and changed, each told once");
}

fn two_people_who_confirm_one_address_at_once_do_not_share_it(backend: Backend) {
    let mail = MailServer::start();
    let server = with_mail(backend, &mail);
    let people = ["anna", "boris", "vera"].map(|name| server.add_user(name, "user"));
    let shared = "shared@new.example";
    let links = people.clone().map(|person| link_to(&server, &mail, &person, shared));
    let statuses = at_once(&server, &links);
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 303 | 409)), "{statuses:?}");
    let owners = people.iter().filter(|person| address_of(&server, person).0.as_deref() == Some(shared)).count();
    assert_eq!(owners, 1);
    for (person, status) in people.iter().zip(&statuses).filter(|(_, status)| **status != 303) {
        let own = format!("{}@example.org", person.user.username);
        assert_eq!(address_of(&server, person), (Some(own.clone()), Some(true)), "{status}");
        at_the_account(&server, &own, &person.password);
    }
}

fn an_address_that_somebody_verified_meanwhile_is_refused(backend: Backend) {
    let mail = MailServer::start();
    let server = with_mail(backend, &mail);
    let (anna, boris) = (server.add_user("anna", "user"), server.add_user("boris", "user"));
    let link = link_to(&server, &mail, &anna, NEW);
    let mut opened = Browser::new();
    opened.visit(&link).unwrap();
    let sub = boris.user.sub.clone();
    server.admin(move |cx| users::set(cx, &sub, &UserPatch { email: Some("Anna@New.Example".to_owned()), ..UserPatch::default() }).map(|_| ()));
    let refused = confirm(&mut opened);
    assert!(refused.html().contains("belongs to another account"), "{}", refused.html());
    is_refused(&server, &refused, 409, "name_taken", "somebody else has verified");
    is_refused(&server, &Browser::new().visit(&link).unwrap(), 409, "name_taken", "somebody else has verified");
    assert_eq!(address_of(&server, &anna), (Some("anna@example.org".to_owned()), Some(true)), "nothing was changed");
    assert_eq!(server.audit("email_changed").len(), 0);
}

fn the_answer_is_the_same_for_an_address_that_somebody_has(backend: Backend) {
    let mail = MailServer::start();
    let server = with_mail(backend, &mail);
    let (anna, _) = (server.add_user("anna", "user"), server.add_user("boris", "user"));
    let mut pages = Vec::new();
    for address in ["free@example.org", "Boris@example.org"] {
        let mut browser = at_the_account(&server, "anna", &anna.password);
        let landing = ask(&mut browser, address, &anna.password);
        let hidden = text_of(&landing.html(), "account-notice").unwrap();
        pages.push((landing.status(), landing.url.clone(), hidden));
        nothing_waits(&server);
    }
    assert_eq!(pages[0], pages[1], "nobody learns who has an account");
    let taken = &mails_to(&mail, "Boris@example.org", 1)[0];
    assert!(taken.text.contains("already belongs to an account"), "{}", taken.text);
    assert!(!taken.text.contains("http") && !taken.text.contains("anna") && !taken.text.contains("boris"), "nothing else: {}", taken.text);
    assert!(mails_to(&mail, "free@example.org", 1)[0].link().contains("token="));
}

fn a_change_of_the_password_or_the_address_ends_the_link(backend: Backend) {
    let mail = MailServer::start();
    let server = with_mail(backend, &mail);
    let (anna, boris) = (server.add_user("anna", "user"), server.add_user("boris", "user"));
    let link = link_to(&server, &mail, &anna, NEW);
    let mut browser = at_the_account(&server, "anna", &anna.password);
    let form = browser.form_with("account-change-password").fill("old_password", &anna.password).fill("new_password", "four unrelated words");
    browser.submit(&form, form.button("account-change-password")).unwrap();
    is_refused(&server, &Browser::new().visit(&link).unwrap(), 400, "mail_link_dead", "the password");
    let link = link_to(&server, &mail, &boris, "boris@new.example");
    let mut opened = Browser::new();
    opened.visit(&link).unwrap();
    let sub = boris.user.sub.clone();
    server.admin(move |cx| users::set(cx, &sub, &UserPatch { email: Some("boris@third.example".to_owned()), ..UserPatch::default() }).map(|_| ()));
    is_refused(&server, &confirm(&mut opened), 400, "mail_link_dead", "another change of the address");
    assert_eq!(address_of(&server, &boris).0.as_deref(), Some("boris@third.example"));
}

#[test]
fn a_session_alone_moves_no_account_and_guessing_is_paused() {
    let mail = MailServer::start();
    let settings = mail.settings();
    let mut all: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    all.push(("login.account_at_address", "3"));
    let server = TestServer::with(Backend::Sqlite, &all);
    let anna = server.add_user("anna", "user");
    let mut browser = at_the_account(&server, "anna", &anna.password);
    assert_eq!(ask(&mut browser, NEW, "not it").status(), 403);
    assert!(notice(&browser).contains("not right"));
    assert_eq!(browser.form_with("account-change-email").value("new_email"), Some(NEW), "what was typed stays");
    assert_eq!(browser.new_tab().visit(&server.url("/account?new_email=x@evil.example")).unwrap().html().matches("evil").count(), 0);
    assert_eq!(ask(&mut browser, NEW, "").status(), 403, "no password is a wrong one");
    let statuses: Vec<u16> = (0..4).map(|_| ask(&mut browser, NEW, "not it").status()).collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert_eq!(ask(&mut browser, NEW, &anna.password).status(), 429, "the right one waits, too");
    assert_eq!((server.look(|cx| Ok(cx.store.outbox_depth()?)).0, mail.mails().len()), (0, 0));
}

#[test]
fn nobody_fills_mailboxes_by_asking_again_and_again() {
    let mail = MailServer::start();
    let server = with_mail(Backend::Sqlite, &mail);
    let anna = server.add_user("anna", "user");
    let mut browser = at_the_account(&server, "anna", &anna.password);
    for index in 0..5 {
        assert_eq!(ask(&mut browser, &format!("victim-{index}@example.net"), &anna.password).status(), 200);
        nothing_waits(&server);
    }
    let refused = ask(&mut browser, "victim-6@example.net", &anna.password);
    assert_eq!(refused.status(), 429);
    assert!(refused.response().header("retry-after").is_some() && notice(&browser).contains("minutes"), "{}", notice(&browser));
    nothing_waits(&server);
    assert!(mail.mails().iter().all(|mail| mail.to != "victim-6@example.net"));
}

#[test]
fn a_line_break_in_the_address_or_a_huge_one_sends_nothing() {
    let mail = MailServer::start();
    let server = with_mail(Backend::Sqlite, &mail);
    let anna = server.add_user("anna", "user");
    let mut browser = at_the_account(&server, "anna", &anna.password);
    let huge = format!("{}@example.org", "x".repeat(60_000));
    let long = format!("a@{}.example", vec!["x".repeat(60); 5].join("."));
    for bad in [
        "a@example.org\r\nBcc: b@example.org",
        "a@example.org\n",
        "\ra@example.org",
        "a@example.org,b@example.org",
        "A <a@example.org>",
        "a b@example.org",
        "@example.org",
        "a@",
        "nobody",
        &long,
        &huge,
    ] {
        let landing = ask(&mut browser, bad, &anna.password);
        assert!(matches!(landing.status(), 400 | 413), "{bad:?}: {}", landing.status());
        if landing.status() == 400 {
            assert!(notice(&browser).contains("cannot look like this"), "{bad:?}: {}", notice(&browser));
        }
        browser.visit(&server.url("/account")).unwrap();
    }
    assert_eq!(ask(&mut browser, "Anna@example.org", &anna.password).status(), 400);
    assert!(notice(&browser).contains("your address already"));
    assert_eq!(server.look(|cx| Ok(cx.store.outbox_depth()?)).0, 0);
    assert_eq!((mail.mails().len(), server.audit("email_change_asked").len()), (0, 0));
}

#[test]
fn a_form_from_another_site_neither_asks_nor_confirms() {
    let mail = MailServer::start();
    let server = with_mail(Backend::Sqlite, &mail);
    let anna = server.add_user("anna", "user");
    let browser = at_the_account(&server, "anna", &anna.password);
    let pairs = browser.form_with("account-change-email").fill("new_email", NEW).fill("old_password", &anna.password).pairs(None);
    let mut pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    pairs.push(("action", "email"));
    for from in ["https://evil.example/", &server.issuer.replace("127.0.0.1", "127.0.0.2")] {
        browser.new_tab().post_from(from, &server.url("/account"), &pairs).unwrap();
    }
    assert_eq!(server.look(|cx| Ok(cx.store.outbox_depth()?)).0, 0);
    let link = link_to(&server, &mail, &anna, NEW);
    let token = query_param(&link, "token").unwrap();
    let landing = Browser::new().post_from("https://evil.example/", &server.url("/verify-email"), &[("token", token.as_str())]).unwrap();
    assert_eq!(landing.status(), 400);
    assert_eq!(address_of(&server, &anna).0.as_deref(), Some("anna@example.org"));
    let mut own = Browser::new();
    own.visit(&link).unwrap();
    assert_eq!(confirm(&mut own).status(), 200, "and it was not used up");
}

#[test]
fn a_link_in_the_browser_of_somebody_else_changes_nobody() {
    let mail = MailServer::start();
    let server = with_mail(Backend::Sqlite, &mail);
    let (anna, boris) = (server.add_user("anna", "user"), server.add_user("boris", "user"));
    let link = link_to(&server, &mail, &anna, NEW);
    let mut foreign = at_the_account(&server, "boris", &boris.password);
    let landing = foreign.visit(&link).unwrap();
    assert_eq!(landing.status(), 400, "{}", landing.trace());
    let explained = explain(&server, &text_of(&landing.html(), "error-reference").unwrap());
    assert_eq!((explained.of("cause"), explained.of("endpoint")), ("mail_link_foreign", "verify_email"));
    let token = query_param(&link, "token").unwrap();
    let posted = foreign.post_from(&server.issuer, &server.url("/verify-email"), &[("token", token.as_str())]).unwrap();
    assert_eq!(posted.status(), 400);
    assert_eq!(address_of(&server, &anna).0.as_deref(), Some("anna@example.org"));
    assert_eq!(address_of(&server, &boris).0.as_deref(), Some("boris@example.org"));
    let mut own = at_the_account(&server, "anna", &anna.password);
    own.visit(&link).unwrap();
    confirm(&mut own);
    assert_eq!(address_of(&server, &anna).0.as_deref(), Some(NEW));
}

#[test]
fn a_link_that_is_over_damaged_or_of_another_kind_changes_nothing() {
    let mail = MailServer::start();
    let settings = mail.settings();
    let mut all: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    all.push(("smtp.link_lifetime", "10m"));
    let server = TestServer::with(Backend::Sqlite, &all);
    let anna = server.add_user("anna", "user");
    let link = link_to(&server, &mail, &anna, NEW);
    assert!(mails_to(&mail, NEW, 1)[0].text.contains("10 minutes"));
    let token = query_param(&link, "token").unwrap();
    let password_link = shell(&server, "propusk user set-password anna --link --json", "");
    let password_link: serde_json::Value = serde_json::from_str(&password_link).unwrap();
    let password_token = query_param(password_link["url"].as_str().unwrap(), "token").unwrap();
    let (head, _) = token.split_at(token.len() - 5);
    for bad in ["", "rubbish", head, &format!("{token}x"), &password_token] {
        let landing = Request::post(&server.url("/verify-email")).post_form(&[("token", bad)]).send().unwrap();
        assert_eq!(landing.status, 400, "{bad}");
    }
    let as_password = Request::post(&server.url("/set-password")).post_form(&[("token", &*token), ("new_password", "four unrelated words")]);
    assert_eq!(as_password.send().unwrap().status, 400, "it sets no password");
    let mut browser = Browser::new();
    browser.visit(&link).unwrap();
    server.advance(600);
    let dead = confirm(&mut browser);
    is_refused(&server, &dead, 400, "mail_link_dead", "ended at");
    let explained = explain(&server, &text_of(&dead.html(), "error-reference").unwrap());
    assert!(!explained.document.to_string().contains(&token), "the link itself is kept nowhere");
    assert_eq!(address_of(&server, &anna).0.as_deref(), Some("anna@example.org"));
}

#[test]
fn a_link_of_somebody_who_was_removed_or_disabled_is_dead() {
    let mail = MailServer::start();
    let server = with_mail(Backend::Sqlite, &mail);
    let anna = server.add_user("anna", "user");
    let make = |sub: &str| {
        let link = EmailLink {
            sub: sub.to_owned(),
            address: NEW.to_owned(),
            present: Some(propusk_crypto::digest("anna@example.org")),
            version: 1,
            expires_at: START.plus(3600),
            language: "en".to_owned(),
        };
        server.url(&format!("/verify-email?token={}", link.seal(&server.instance.keys).unwrap()))
    };
    is_refused(&server, &Browser::new().visit(&make("nobody")).unwrap(), 400, "mail_link_dead", "removed");
    assert_eq!(Browser::new().visit(&make(&anna.user.sub)).unwrap().status(), 200);
    let sub = anna.user.sub.clone();
    server.admin(move |cx| users::disable(cx, &sub).map(|_| ()));
    is_refused(&server, &Browser::new().visit(&make(&anna.user.sub)).unwrap(), 400, "mail_link_dead", "disabling");
}

#[test]
fn an_unverified_address_is_confirmed_in_the_same_way() {
    let mail = MailServer::start();
    let server = with_mail(Backend::Sqlite, &mail);
    let anna = server.add_user("anna", "user");
    let sub = anna.user.sub.clone();
    let patch = UserPatch { email_verified: Some(false), locale: Some("ru".to_owned()), ..UserPatch::default() };
    server.admin(move |cx| users::set(cx, &sub, &patch).map(|_| ()));
    let mut browser = at_the_account(&server, "anna", &anna.password);
    assert!(browser.html().contains("не подтверждён"));
    ask(&mut browser, "anna@example.org", &anna.password);
    let mails = mail.wait(1);
    assert!(mails[0].text.contains("Откройте эту ссылку") && mails[0].text.contains("60 минут"), "{}", mails[0].text);
    browser.visit(mails[0].link()).unwrap();
    confirm(&mut browser);
    assert_eq!(address_of(&server, &anna), (Some("anna@example.org".to_owned()), Some(true)));
    nothing_waits(&server);
    assert_eq!(mail.mails().len(), 1, "there was no other address to tell");
}

#[test]
fn without_a_mail_server_the_page_says_who_changes_the_address() {
    let server = TestServer::start(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let mut browser = at_the_account(&server, "anna", &anna.password);
    assert!(!has_id(browser.html(), "account-change-email") && has_id(browser.html(), "account-email-fixed"));
    let form = browser.form_with("account-save");
    let sealed = form.value("form").unwrap();
    let pairs = [("form", sealed), ("new_email", NEW), ("old_password", &*anna.password), ("action", "email")];
    let landing = browser.post_from(&server.url("/account"), &server.url("/account"), &pairs).unwrap();
    assert_eq!(landing.status(), 400);
    assert_eq!(server.look(|cx| Ok(cx.store.outbox_depth()?)).0, 0);
}
