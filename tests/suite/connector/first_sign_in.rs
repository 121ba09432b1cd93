//! An account that the administrator makes has no OAuth identity, and the button of the modern flow refuses it. So where that button is
//! on, the connector has the chat's own flow make the account, and the person notices nothing.

use super::House;
use super::no_button::{SECRET, ask, cookie, owner, token, with_secret};
use crate::trace::{flows, shown};
use propusk_domain::admin::users::{self, UserPatch};
use propusk_domain::client::{Preset, RegisteredClient};
use propusk_domain::records::{AuditEvent, AuditFilter};
use propusk_domain::rocketchat::settings::{Options, recommended};
use propusk_server::outbound::Outbound;
use propusk_server::rocketchat::sync::{Report, Watch, Wish, sync};
use propusk_tests::browser::{Browser, Landing};
use propusk_tests::rocketchat::rest::{Edition, Fault};
use propusk_tests::server::{Backend, Person};

propusk_tests::on_each_backend![a_missing_account_is_made_by_the_chats_own_flow_and_nobody_is_asked, two_devices_at_once_come_to_one_account,];

const MODERN: [Edition; 2] = [Edition { version: (8, 9), licensed: false }, Edition { version: (9, 0), licensed: true }];

/// A chat whose provider is set up as recommended.
fn with_provider(backend: Backend, edition: Edition, modern: bool) -> House {
    let house = with_secret(backend, edition);
    let client = house.server.look(|cx| Ok(RegisteredClient::load(cx.store, "rocketchat")?)).unwrap();
    let options = Options {
        chat_url: house.chat.url(),
        name: "Besedka".into(),
        button: "Войти".into(),
        secret: Some(propusk_crypto::Secret::new(house.client.secret.clone())),
        silent: false,
        embed: None,
        licensed: edition.licensed,
        modern,
        without_provider: false,
        first_channel: propusk_domain::rocketchat::settings::FIRST_CHANNEL.into(),
        hide_login_form: false,
    };
    {
        let mut state = house.chat.state();
        state.register_provider("Besedka");
        for setting in recommended(&client, &house.server.issuer, &options) {
            state.set(&setting.id, setting.value);
        }
    }
    house
}

/// A browser that goes all the way into the chat.
fn open(house: &House, browser: &mut Browser, person: &Person) -> Landing {
    let landing = browser.visit(&house.server.url("/rocketchat/open?channel=general")).unwrap();
    if browser.url().starts_with(&house.server.url("/login")) { browser.sign_in(&person.user.username, &person.password).unwrap() } else { landing }
}

fn button(house: &House, browser: &mut Browser, person: &Person) -> Landing {
    let landing = browser.visit(&format!("{}/oauth/besedka", house.chat.url())).unwrap();
    if browser.url().starts_with(&house.server.url("/login")) { browser.sign_in(&person.user.username, &person.password).unwrap() } else { landing }
}

fn identity(house: &House, username: &str) -> Option<String> {
    house.chat.state().chat.workspace.by_username(username)?.service_id("besedka")
}

fn codes(house: &House) -> Vec<AuditEvent> {
    let filter = AuditFilter { kind: Some("code_issued".into()), limit: 100, ..AuditFilter::default() };
    house.server.look(|cx| Ok(cx.store.list_audit(&filter)?))
}

struct Quiet;

impl Watch for Quiet {
    fn progress(&mut self, _done: usize, _total: usize) {}
}

fn reconcile(house: &House) -> Report {
    let instance = &house.server.instance;
    sync(instance, &Outbound::new(&instance.settings.outbound).unwrap(), &Wish::default(), &mut Quiet).unwrap()
}

fn a_missing_account_is_made_by_the_chats_own_flow_and_nobody_is_asked(backend: Backend) {
    for edition in MODERN {
        let house = with_provider(backend, edition, true);
        let (anna, chat) = (house.server.add_user("anna", "moderator"), house.chat.url());
        let (laptop, _) = cookie(&house, &anna);
        assert_eq!(owner(&house, &token(&ask(&house, Some(&laptop), Some(&chat)))).as_deref(), Some("anna"));
        assert_eq!(house.chat.state().count("users.create"), 0);
        assert_eq!(identity(&house, "anna").as_deref(), Some(&*anna.user.sub));
        // A sign-in like any other, for the operator and for the end of the session.
        let steps = [("authorize", "ok"), ("code_issued", "ok"), ("token_asked", "ok"), ("userinfo_asked", "ok")];
        house.wait_until(|| matches!(&flows(&house.server)[..], [flow] if shown(flow) == steps && flow.username.as_deref() == Some("anna")));
        house.wait_for("anna", &["user", "admin"], &["general", "moderators"]);
        house.quiet();

        // The deep link is kept, and the button of another device takes the same account.
        let landing = open(&house, &mut Browser::new(), &anna);
        assert_eq!(landing.url, format!("{chat}/channel/general"), "{}", landing.trace());
        let landing = button(&house, &mut Browser::new(), &anna);
        assert_eq!(landing.url, format!("{chat}/home"), "{}", landing.trace());
        assert_eq!(house.chat.state().count("users.create"), 0);
        assert!(reconcile(&house).people.is_empty());

        assert!(codes(&house).iter().all(|event| event.client_id.as_deref() == Some("rocketchat")));
    }
}

fn two_devices_at_once_come_to_one_account(backend: Backend) {
    for modern in [true, false] {
        let house = with_provider(backend, Edition::community(8, 9), modern);
        let (anna, chat) = (house.server.add_user("anna", "user"), house.chat.url());
        let devices: Vec<String> = (0..4).map(|_| cookie(&house, &anna).0).collect();
        let answers: Vec<String> = std::thread::scope(|scope| {
            let asked: Vec<_> = devices.iter().map(|device| scope.spawn(|| token(&ask(&house, Some(device), Some(&chat))))).collect();
            asked.into_iter().map(|answer| answer.join().unwrap()).collect()
        });
        assert!(answers.iter().all(|answer| owner(&house, answer).as_deref() == Some("anna")), "{answers:?}");
        let state = house.chat.state();
        assert_eq!(state.chat.workspace.users.iter().filter(|user| user.username.as_deref() == Some("anna")).count(), 1);
    }
}

#[test]
fn a_chat_that_shows_no_identities_has_the_account_made_all_the_same() {
    let house = with_provider(Backend::Sqlite, MODERN[1], true);
    house.chat.state().services_visible = false;
    let anna = house.server.add_user("anna", "user");
    let (sub, unverified) = (anna.user.sub.clone(), UserPatch { email_verified: Some(false), ..UserPatch::default() });
    house.server.admin(move |cx| users::set(cx, &sub, &unverified));
    let (laptop, _) = cookie(&house, &anna);
    assert_eq!(owner(&house, &token(&ask(&house, Some(&laptop), Some(&house.chat.url())))).as_deref(), Some("anna"));
    assert_eq!(identity(&house, "anna").as_deref(), Some(&*anna.user.sub));
}

#[test]
fn where_that_flow_fails_the_administrator_makes_the_account_and_the_reconciliation_names_it() {
    let house = with_provider(Backend::Sqlite, MODERN[1], true);
    let (anna, uta, chat) = (house.server.add_user("anna", "user"), house.server.add_user("uta", "user"), house.chat.url());
    button(&house, &mut Browser::new(), &uta);
    house.quiet();
    house.chat.state().set("Accounts_OAuth_Custom-Besedka-secret", "not the secret");
    let (laptop, _) = cookie(&house, &anna);
    assert_eq!(owner(&house, &token(&ask(&house, Some(&laptop), Some(&chat)))).as_deref(), Some("anna"));
    assert_eq!(house.chat.state().count("users.create"), 1);
    assert_eq!(identity(&house, "anna"), None);
    let notes: Vec<String> = reconcile(&house).people.into_iter().flat_map(|person| person.notes).collect();
    assert!(matches!(&notes[..], [note] if note.contains("has no OAuth identity")), "{notes:?}");
}

#[test]
fn a_chat_that_speaks_for_another_client_gets_no_code_of_it() {
    let house = with_provider(Backend::Sqlite, MODERN[1], true);
    let redirect_uri = format!("{}/_oauth/besedka", house.chat.url());
    let other = house.server.add_client_with("library", Preset::Web, |new| new.redirect_uris = vec![redirect_uri]);
    house.chat.state().set("Accounts_OAuth_Custom-Besedka-id", other.id());
    let anna = house.server.add_user("anna", "user");
    let (laptop, _) = cookie(&house, &anna);
    assert_eq!(owner(&house, &token(&ask(&house, Some(&laptop), Some(&house.chat.url())))).as_deref(), Some("anna"));
    assert_eq!(codes(&house), []);
}

#[test]
fn a_chat_whose_flow_does_not_answer_gets_another_try_and_no_half_account() {
    let house = with_provider(Backend::Sqlite, MODERN[1], true);
    let (anna, chat) = (house.server.add_user("anna", "user"), house.chat.url());
    let (laptop, _) = cookie(&house, &anna);
    for way in ["/oauth/", "/_oauth/"] {
        for fault in [Fault::Status(503), Fault::Html(502), Fault::Close, Fault::TooMany(7)] {
            house.chat.state().fault(way, fault, 1);
            let answer = ask(&house, Some(&laptop), Some(&chat));
            assert_eq!(answer.status, 503, "{}", answer.text());
            assert_eq!(house.server.explain(answer.json()["error_reference"].as_str().unwrap()).detail.cause.slug(), "chat_unavailable");
            assert_eq!(house.chat.state().count("users.create"), 0);
            assert!(house.chat.state().chat.workspace.by_username("anna").is_none());
        }
    }
    assert_eq!(owner(&house, &token(&ask(&house, Some(&laptop), Some(&chat)))).as_deref(), Some("anna"));
    assert_eq!(identity(&house, "anna").as_deref(), Some(&*anna.user.sub));
}

#[test]
fn an_account_from_before_is_named_by_the_reconciliation_and_taken_once_accounts_are_joined() {
    let house = with_provider(Backend::Sqlite, MODERN[1], true);
    let (anna, uta) = (house.server.add_user("anna", "user"), house.server.add_user("uta", "user"));
    button(&house, &mut Browser::new(), &uta);
    house.chat.state().chat.workspace.add_local_user("anna", "anna@example.org", true);
    house.quiet();
    // What people saw: the same account, and no way in by the button.
    let refused = button(&house, &mut Browser::new(), &anna);
    assert!(refused.status() == 500 && refused.html().contains("already exists"), "{}", refused.trace());
    let report = reconcile(&house);
    let notes: Vec<(&str, &str)> = report.people.iter().flat_map(|person| person.notes.iter().map(|note| (&*person.username, &**note))).collect();
    assert!(matches!(notes[..], [("anna", note)] if note.contains("has no OAuth identity") && note.contains("distinct services")), "{notes:?}");
    house.chat.state().set("Accounts_OAuth_Custom-Besedka-merge_users_distinct_services", true);
    let landing = button(&house, &mut Browser::new(), &anna);
    assert_eq!(landing.url, format!("{}/home", house.chat.url()), "{}", landing.trace());
    house.chat.state().set("Accounts_OAuth_Custom-Besedka-merge_users_distinct_services", false);
    assert!(reconcile(&house).people.iter().all(|person| person.notes.is_empty()));
    assert!(button(&house, &mut Browser::new(), &anna).url.ends_with("/home"), "it has an identity now");
}

#[test]
fn where_the_button_takes_the_account_or_is_not_there_it_is_made_at_once() {
    let joined = |house: &House| house.chat.state().set("Accounts_OAuth_Custom-Besedka-merge_users_distinct_services", true);
    let houses = [
        // The legacy flow joins by address.
        with_provider(Backend::Sqlite, Edition::community(8, 9), false),
        with_provider(Backend::Sqlite, MODERN[1], true),
        House::with(Backend::Sqlite, Edition::community(9, 0), &SECRET),
    ];
    joined(&houses[1]);
    for house in houses {
        house.chat.state().create_tokens_secret = Some("create tokens secret".to_owned());
        let anna = house.server.add_user("anna", "user");
        let (laptop, _) = cookie(&house, &anna);
        assert_eq!(owner(&house, &token(&ask(&house, Some(&laptop), Some(&house.chat.url())))).as_deref(), Some("anna"));
        assert_eq!(house.chat.state().count("users.create"), 1);
        house.quiet();
        if house.chat.state().chat.config.licensed || house.chat.state().edition.version.0 < 9 {
            let landing = button(&house, &mut Browser::new(), &anna);
            assert_eq!(landing.url, format!("{}/home", house.chat.url()), "{}", landing.trace());
            assert_eq!(identity(&house, "anna").as_deref(), Some(&*anna.user.sub));
        }
    }
}

#[test]
fn a_chat_that_cannot_be_asked_keeps_nobody_from_a_link() {
    let house = with_provider(Backend::Sqlite, MODERN[1], true);
    let anna = house.server.add_user("anna", "user");
    house.chat.state().fault("", Fault::Status(500), usize::MAX);
    let mut browser = Browser::new().stop_at(&house.chat.url());
    browser.visit(&house.server.url("/rocketchat/open?path=/channel/general")).unwrap();
    assert_eq!(browser.sign_in("anna", &anna.password).unwrap().url, format!("{}/channel/general", house.chat.url()));
}
