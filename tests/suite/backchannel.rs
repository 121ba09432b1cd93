//! OpenID Connect Back-Channel Logout 1.0, received as a relying party does: signature by the published keys, every claim, no token
//! twice; through outages, restarts, crashes and replicas.

mod timeouts;

use crate::explain::shell;
use jsonwebtoken::Algorithm;
use propusk_domain::Error;
use propusk_domain::admin::clients;
use propusk_domain::admin::users;
use propusk_domain::client::Preset;
use propusk_domain::grant::Revocation;
use propusk_domain::outbox::{Message, Topic};
use propusk_domain::session;
use propusk_tests::browser::Browser;
use propusk_tests::receiver::{Receiver, Told};
use propusk_tests::server::{Backend, Person, Registered, TestServer};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

propusk_tests::on_each_backend![
    a_logout_is_told_to_every_client_of_the_session_and_to_no_other,
    a_changed_password_is_told_of_every_other_browser_and_not_of_the_one_that_changed_it,
    a_session_outlives_its_grants_and_the_client_is_told_all_the_same,
    everywhere_disabling_and_removal_tell_each_session,
    a_receiver_that_is_down_is_told_later,
    a_restart_delivers_what_waited,
    of_two_replicas_one_delivers,
    a_row_that_a_crashed_process_held_is_delivered_again_with_another_token,
    a_client_that_refuses_is_left_alone_after_a_few_attempts,
    what_fails_for_a_week_is_given_up_and_recorded,
];

struct House {
    server: TestServer,
    anna: Person,
    site: Registered,
    receiver: Receiver,
}

fn told_site(backend: Backend) -> House {
    let server = TestServer::start(backend);
    let (anna, receiver) = (server.add_user("anna", "user"), Receiver::start());
    let site = add(&server, "site", &receiver);
    House { server, anna, site, receiver }
}

fn add(server: &TestServer, id: &str, receiver: &Receiver) -> Registered {
    server.add_client_with(id, Preset::Web, |new| {
        new.first_party = Some(true);
        new.more.backchannel_logout_uri = Some(receiver.uri());
    })
}

fn leave(server: &TestServer, browser: &Browser) {
    let mut browser = browser.new_tab();
    browser.visit(&server.url("/logout")).unwrap();
    browser.press("logout-confirm").unwrap();
}

fn outbox(server: &TestServer) -> Vec<Message> {
    server.look(|cx| Ok(cx.store.list_messages(Some(Topic::BackchannelLogout), 100)?))
}

/// Waits until the outbox is as wanted; the server works at its own pace.
fn wait_until(server: &TestServer, wanted: impl Fn(&[Message]) -> bool) -> Vec<Message> {
    let began = Instant::now();
    loop {
        let rows = outbox(server);
        if wanted(&rows) {
            return rows;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{rows:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn sid_of(server: &TestServer, person: &Person) -> String {
    server.look(|cx| Ok(cx.store.list_sessions(Some(&person.user.sub), cx.now, 10)?))[0].sid.clone()
}

impl House {
    fn told(&self, index: usize) -> Told {
        let received = self.receiver.wait_for(index + 1);
        received[index].verified(&self.server.issuer, "site", Algorithm::RS256, self.now())
    }

    fn now(&self) -> i64 {
        self.server.look(|cx| Ok(cx.now.0))
    }

    fn sign_in(&self) -> Browser {
        self.server.sign_in(&self.site, &self.anna, &[]).0
    }
}

fn a_logout_is_told_to_every_client_of_the_session_and_to_no_other(backend: Backend) {
    let at = told_site(backend);
    let (other, silent) = (Receiver::start(), Receiver::start());
    let shop = add(&at.server, "shop", &other);
    at.server.set_client("shop", |patch| patch.id_token_alg = Some(propusk_crypto::Algorithm::ES256));
    add(&at.server, "unused", &silent);
    let mut browser = at.sign_in();
    browser.new_tab().stop_at(shop.redirect_uri()).visit(&at.server.authorize_url(&shop, &[])).unwrap();
    let sid = sid_of(&at.server, &at.anna);
    // Another browser of the same person stays signed in.
    at.sign_in();
    leave(&at.server, &browser);
    let told = at.told(0);
    assert_eq!(told.header["typ"], "logout+jwt");
    assert_eq!((told.claims["iss"].as_str(), told.claims["sub"].as_str()), (Some(&*at.server.issuer), Some(&*at.anna.user.sub)));
    assert_eq!(told.claims["sid"], sid);
    let shop_told = other.wait_for(1)[0].verified(&at.server.issuer, "shop", Algorithm::ES256, at.now());
    assert_eq!((shop_told.claims["aud"].as_str(), shop_told.claims["sid"].as_str()), (Some("shop"), Some(&*sid)));
    wait_until(&at.server, <[Message]>::is_empty);
    assert_eq!((at.receiver.received().len(), other.received().len(), silent.received().len()), (1, 1, 0));
    assert_eq!(at.server.audit("backchannel_logout").len(), 2);
    browser.visit(&at.server.url("/")).unwrap();
}

fn a_changed_password_is_told_of_every_other_browser_and_not_of_the_one_that_changed_it(backend: Backend) {
    let at = told_site(backend);
    let mut browser = at.sign_in();
    let kept = sid_of(&at.server, &at.anna);
    at.sign_in();
    let sessions = at.server.look(|cx| Ok(cx.store.list_sessions(Some(&at.anna.user.sub), cx.now, 10)?));
    let other = sessions.into_iter().map(|session| session.sid).find(|sid| *sid != kept).unwrap();
    browser.visit(&at.server.url("/account")).unwrap();
    let form = browser.form_with("account-change-password").fill("old_password", &at.anna.password).fill("new_password", "four unrelated words");
    browser.submit(&form, form.button("account-change-password")).unwrap();
    assert_eq!(at.told(0).claims["sid"], other);
    wait_until(&at.server, <[Message]>::is_empty);
    assert_eq!(at.receiver.received().len(), 1);
}

fn a_session_outlives_its_grants_and_the_client_is_told_all_the_same(backend: Backend) {
    let at = told_site(backend);
    let browser = at.sign_in();
    let sid = sid_of(&at.server, &at.anna);
    // The grant has ended and been swept away; the session is used now and then.
    for _ in 0..5 {
        at.server.advance(10 * 86_400);
        let sid = sid.clone();
        at.server.admin(move |cx| Ok(cx.store.touch_session(&sid, cx.now)?));
    }
    let retention = at.server.instance.settings.retention();
    at.server.admin(move |cx| Ok(cx.store.sweep(cx.now, &retention)?));
    assert!(at.server.look(|cx| Ok(cx.store.list_grants(Some(&at.anna.user.sub), None, 10)?)).is_empty());
    leave(&at.server, &browser);
    assert_eq!(at.told(0).claims["sid"], sid);
}

/// Ends sessions of a person.
type End = fn(&mut propusk_domain::Cx<'_>, &str) -> Result<(), Error>;

fn everywhere_disabling_and_removal_tell_each_session(backend: Backend) {
    let at = told_site(backend);
    let sub = at.anna.user.sub.clone();
    let sids = |server: &TestServer| -> BTreeSet<String> { server.look(|cx| Ok(cx.store.list_open_sids(&at.anna.user.sub)?)).into_iter().collect() };
    let told = |from: usize, count: usize| -> BTreeSet<String> {
        (from..from + count).map(|index| at.told(index).claims["sid"].as_str().unwrap().to_owned()).collect()
    };
    let ends: [End; 3] = [
        |cx, sub| session::end_all(cx, sub, Revocation::ByOperator).map(drop),
        |cx, sub| users::disable(cx, sub).map(drop),
        |cx, sub| users::remove(cx, sub).map(drop),
    ];
    for (round, end) in ends.into_iter().enumerate() {
        at.sign_in();
        at.sign_in();
        let open = sids(&at.server);
        assert_eq!(open.len(), 2);
        // As the command line does it, in another process.
        let subject = sub.clone();
        at.server.admin(move |cx| end(cx, &subject));
        assert_eq!(told(2 * round, 2), open);
        wait_until(&at.server, <[Message]>::is_empty);
        if round == 1 {
            let subject = sub.clone();
            at.server.admin(move |cx| users::enable(cx, &subject));
            at.server.settle();
        }
    }
    assert_eq!(at.receiver.received().len(), 6);
}

fn a_receiver_that_is_down_is_told_later(backend: Backend) {
    let mut at = told_site(backend);
    let browser = at.sign_in();
    let address = at.receiver.address;
    at.receiver.answer(Some("503 Service Unavailable"));
    leave(&at.server, &browser);
    let rows = wait_until(&at.server, |rows| rows.iter().any(|row| row.failure.is_some()));
    assert_eq!(rows[0].failure.as_deref(), Some("answered 503"));
    drop(std::mem::replace(&mut at.receiver, Receiver::start()));
    at.server.advance(20);
    let rows = wait_until(&at.server, |rows| rows[0].attempts == 2 && rows[0].failure.as_deref() != Some("answered 503"));
    assert!(rows[0].next_at.0 > at.now(), "{rows:?}");
    assert!(at.server.metrics_text().contains("propusk_outbox_depth 1"));
    assert!(at.server.metrics_text().contains("propusk_outbox_oldest_seconds 20"));
    at.receiver = Receiver::at(address);
    at.server.advance(86_400);
    assert_eq!(at.told(0).claims["sub"], at.anna.user.sub);
    wait_until(&at.server, <[Message]>::is_empty);
    assert!(at.server.metrics_text().contains("propusk_outbox_depth 0"));
    let details: Vec<String> = at.server.audit("backchannel_logout").into_iter().filter_map(|event| event.detail).collect();
    assert!(details.len() == 2 && details.iter().any(|detail| detail.ends_with(": delivered")), "{details:?}");
}

fn a_restart_delivers_what_waited(backend: Backend) {
    let mut at = told_site(backend);
    let browser = at.sign_in();
    at.receiver.answer(Some("500 Oops"));
    leave(&at.server, &browser);
    wait_until(&at.server, |rows| rows.iter().any(|row| row.failure.is_some()));
    let before = at.receiver.received().len();
    let issuer = at.server.issuer.clone();
    let next = at.server.replica(&[]);
    drop(std::mem::replace(&mut at.server, next));
    at.receiver.answer(Some("204 No Content"));
    at.server.advance(900);
    let received = at.receiver.wait_for(before + 1);
    let claims = received[before].verified(&at.server.issuer, "site", Algorithm::RS256, at.now()).claims;
    assert_eq!(claims["iss"], issuer);
    wait_until(&at.server, <[Message]>::is_empty);
}

fn of_two_replicas_one_delivers(backend: Backend) {
    let at = told_site(backend);
    let _replica = at.server.replica(&[]);
    let browsers: Vec<Browser> = (0..6).map(|_| at.sign_in()).collect();
    for browser in &browsers {
        leave(&at.server, browser);
    }
    at.receiver.wait_for(6);
    wait_until(&at.server, <[Message]>::is_empty);
    let told: Vec<Told> = (0..at.receiver.received().len()).map(|index| at.told(index)).collect();
    let distinct = |name: &str| told.iter().map(|told| told.claims[name].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>().len();
    assert_eq!((told.len(), distinct("sid"), distinct("jti")), (6, 6, 6));
}

/// As after `kill -9` between the client's answer and our commit: the row is held by nobody who lives.
fn a_row_that_a_crashed_process_held_is_delivered_again_with_another_token(backend: Backend) {
    let at = told_site(backend);
    let browser = at.sign_in();
    at.receiver.answer(Some("500 Oops"));
    leave(&at.server, &browser);
    let rows = wait_until(&at.server, |rows| rows.iter().any(|row| row.failure.is_some()));
    let (id, first) = (rows[0].id.clone(), at.receiver.received().len());
    at.server.admin(move |cx| {
        cx.store.retry_messages(Some(&id), cx.now)?;
        Ok(cx.store.lease_message(&id, "a process that is gone", cx.now.plus(120), cx.now)?)
    });
    at.receiver.answer(Some("200 OK"));
    at.server.settle();
    assert_eq!(at.receiver.received().len(), first, "a row that is held is left alone");
    at.server.advance(121);
    wait_until(&at.server, <[Message]>::is_empty);
    let told: Vec<_> = (first - 1..at.receiver.received().len()).map(|index| at.told_any_time(index).claims).collect();
    assert!(told.len() >= 2);
    assert!(told.iter().all(|claims| claims["sid"] == told[0]["sid"]));
    let tokens: BTreeSet<&str> = told.iter().map(|claims| claims["jti"].as_str().unwrap()).collect();
    assert_eq!(tokens.len(), told.len(), "no jti comes twice");
}

impl House {
    /// A token of an earlier moment.
    fn told_any_time(&self, index: usize) -> Told {
        let received = self.receiver.wait_for(index + 1).swap_remove(index);
        let at =
            |now| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| received.verified(&self.server.issuer, "site", Algorithm::RS256, now)));
        let start = propusk_tests::server::START.0;
        at(self.now()).or_else(|_| at(start)).expect("a token of then or now")
    }
}

fn a_client_that_refuses_is_left_alone_after_a_few_attempts(backend: Backend) {
    let at = told_site(backend);
    let browser = at.sign_in();
    at.receiver.answer(Some("400 Bad Request"));
    leave(&at.server, &browser);
    for attempt in 1..=3 {
        wait_until(&at.server, |rows| rows[0].attempts == attempt && rows[0].leased_until.0 == 0 && rows[0].failure.is_some());
        at.server.advance(60);
    }
    let rows = wait_until(&at.server, |rows| rows[0].failed_at.is_some());
    assert_eq!((rows[0].attempts, rows[0].failure.as_deref()), (4, Some("answered 400")));
    at.server.advance(86_400);
    at.server.settle();
    assert_eq!(at.receiver.received().len(), 4);
    // The operator mends it.
    at.receiver.answer(Some("200 OK"));
    let id = rows[0].id.clone();
    assert_eq!(at.server.admin(move |cx| Ok(cx.store.retry_messages(Some(&id), cx.now)?)), 1);
    wait_until(&at.server, <[Message]>::is_empty);
}

fn what_fails_for_a_week_is_given_up_and_recorded(backend: Backend) {
    let at = told_site(backend);
    let browser = at.sign_in();
    at.receiver.answer(Some("503 Service Unavailable"));
    leave(&at.server, &browser);
    wait_until(&at.server, |rows| rows.iter().any(|row| row.failure.is_some()));
    at.server.advance(7 * 86_400 + 1);
    wait_until(&at.server, |rows| rows.iter().all(|row| row.failed_at.is_some()));
    assert_eq!(at.server.audit("outbox_given_up").len(), 1);
    // Recorded by the thread that gave up, after the row says so.
    let recorded =
        || at.server.audit("backchannel_logout").into_iter().any(|event| event.detail.is_some_and(|detail| detail.ends_with(": given up")));
    wait_until(&at.server, |_| recorded());
    assert!(at.server.metrics_text().contains("propusk_outbox_depth 0"));
}

#[test]
fn a_receiver_that_never_answers_keeps_nobody_else_waiting() {
    let at = told_site(Backend::Sqlite);
    let mute = Receiver::start();
    mute.answer(None);
    let slow = add(&at.server, "slow", &mute);
    let browser = at.sign_in();
    browser.new_tab().stop_at(slow.redirect_uri()).visit(&at.server.authorize_url(&slow, &[])).unwrap();
    leave(&at.server, &browser);
    at.told(0);
    mute.wait_for(1);
    let rows = wait_until(&at.server, |rows| rows.len() == 1 && rows[0].failure.is_some());
    assert_eq!(rows[0].failure.as_deref(), Some("no complete answer within 5 s"));
}

#[test]
fn only_https_loopback_and_no_fragment_can_be_registered() {
    let server = TestServer::start(Backend::Sqlite);
    server.add_client("site", Preset::Web);
    for (uri, good) in [
        ("https://site.example/logout?a=b", true),
        ("http://127.0.0.1:9/logout", true),
        ("http://site.example/logout", false),
        ("https://site.example/logout#now", false),
        ("https://user@site.example/logout", false),
        ("/logout", false),
        ("javascript:alert(1)", false),
    ] {
        let patch = clients::ClientPatch { backchannel_logout_uri: Some(uri.to_owned()), ..Default::default() };
        let result = server.instance.write(move |cx| clients::set(cx, "site", &patch));
        match result {
            Ok(_) => assert!(good, "{uri}"),
            Err(Error::Refused(refusal)) => assert!(!good && refusal.detail.cause.slug() == "invalid_redirect_uri", "{uri}"),
            Err(Error::Fault(fault)) => panic!("{fault}"),
        }
    }
}

#[test]
fn the_command_line_registers_the_address_and_shows_what_became_of_deliveries() {
    let at = told_site(Backend::Sqlite);
    let json = |command: &str| -> serde_json::Value { serde_json::from_str(&shell(&at.server, command, "")).unwrap() };
    let added = "propusk client add extra --preset web --redirect-uri https://extra.example/cb --backchannel-logout-uri https://extra.example/bye";
    json(&format!("{added} --backchannel-logout-session-required --json"));
    let shown = json("propusk client show extra --json");
    assert_eq!(
        (shown["backchannel_logout_uri"].as_str(), &shown["backchannel_logout_session_required"]),
        (Some("https://extra.example/bye"), &true.into())
    );
    assert_eq!(shown["backchannel_logout"], serde_json::json!({ "last": null, "waiting": 0, "failure": null }));
    json("propusk client set extra --backchannel-logout-uri '' --json");
    assert!(json("propusk client show extra --json")["backchannel_logout_uri"].is_null());

    let browser = at.sign_in();
    at.receiver.answer(Some("503 Service Unavailable"));
    let sid = sid_of(&at.server, &at.anna);
    json(&format!("propusk session revoke {sid} --json"));
    // The verb runs by the machine's clock, wherever that stands beside the test's.
    at.server.advance(outbox(&at.server)[0].next_at.0 - at.now());
    wait_until(&at.server, |rows| rows.iter().any(|row| row.failure.is_some()));
    let listed = json("propusk outbox list --topic backchannel_logout --json");
    assert_eq!((listed[0]["key"].as_str(), listed[0]["failure"].as_str()), (Some(&*format!("site {sid}")), Some("answered 503")));
    let shown = json("propusk client show site --json")["backchannel_logout"].clone();
    assert_eq!((&shown["waiting"], &shown["failure"]), (&1.into(), &"answered 503".into()));
    at.receiver.answer(Some("200 OK"));
    let id = listed[0]["id"].as_str().unwrap();
    let dropped = json(&format!("propusk outbox drop {id} --json"));
    assert_eq!(dropped["dropped"]["id"], id);
    for verb in [format!("retry {id}"), format!("drop {id}")] {
        assert!(shell(&at.server, &format!("propusk outbox {verb} --json || true"), "").contains("unknown_outbox_row"));
    }
    assert_eq!(json("propusk outbox retry --all --json")["retried"], 0);
    drop(browser);
}
