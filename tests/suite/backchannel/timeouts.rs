//! A session that ends by itself is told as one that somebody has ended.

use super::{House, add, outbox, sid_of, told_site, wait_until};
use crate::connector;
use propusk_domain::outbox::Message;
use propusk_domain::{Cx, Error, UnixTime, session};
use propusk_tests::receiver::Receiver;
use propusk_tests::rocketchat::rest::Edition;
use propusk_tests::server::{Backend, TestServer};
use std::time::{Duration, Instant};

propusk_tests::on_each_backend![
    a_session_that_was_unused_for_too_long_is_told_once,
    a_session_that_is_too_old_is_told_however_often_it_is_used,
    of_sweepers_that_race_one_writes_the_row,
    a_session_that_is_used_in_the_same_moment_stays,
    the_chat_is_left_when_the_last_session_that_was_used_there_is_over,
];

const DAY: i64 = 86_400;

/// Unused for so long a session is over, counting the minute for which a use may be in memory alone.
const IDLE: i64 = 14 * DAY + 120;

fn timed_out(server: &TestServer) -> usize {
    server.audit("session_ended").iter().filter(|event| event.detail.as_deref().unwrap().ends_with(": timed_out")).count()
}

/// Waits for the server's own look.
fn wait_for_ends(server: &TestServer, count: usize) {
    let began = Instant::now();
    while timed_out(server) < count {
        assert!(began.elapsed() < Duration::from_secs(60), "{} of {count}", timed_out(server));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(timed_out(server), count);
}

fn touch(server: &TestServer, sid: &str) {
    let sid = sid.to_owned();
    assert!(server.admin(move |cx| Ok(cx.store.touch_session(&sid, cx.now)?)));
}

fn end(cx: &mut Cx<'_>) -> Result<usize, Error> {
    session::end_timed_out(cx, 100)
}

fn a_session_that_was_unused_for_too_long_is_told_once(backend: Backend) {
    let at = told_site(backend);
    at.server.tokens(&at.site, &at.anna, "openid");
    let sid = sid_of(&at.server, &at.anna);
    at.server.advance(IDLE - 1);
    assert_eq!(at.server.admin(end), 0, "it may have been used a moment ago");
    touch(&at.server, &sid);
    at.server.advance(IDLE - 1);
    assert_eq!((at.server.admin(end), outbox(&at.server).len()), (0, 0));
    at.server.advance(61);
    let told = at.told(0);
    assert_eq!((told.claims["sid"].as_str(), told.claims["sub"].as_str()), (Some(&*sid), Some(&*at.anna.user.sub)));
    wait_until(&at.server, <[Message]>::is_empty);
    wait_for_ends(&at.server, 1);
    // Everything that an explicit end revokes.
    assert_eq!(at.server.look(|cx| Ok(cx.store.list_grants(Some(&at.anna.user.sub), None, 10)?)), []);
    let ended = at.server.look(|cx| Ok(cx.store.find_session_by_sid(&sid)?)).unwrap();
    assert!(ended.revoked_at.is_some());
    // Another look, and the removal of the row, tell nobody anything.
    at.server.advance(31 * DAY);
    let retention = at.server.instance.settings.retention();
    at.server.admin(move |cx| Ok(cx.store.sweep(cx.now, &retention)?));
    assert_eq!(at.server.admin(end), 0);
    assert!(at.server.look(|cx| Ok(cx.store.find_session_by_sid(&sid)?)).is_none());
    assert_eq!((at.receiver.received().len(), outbox(&at.server).len()), (1, 0));
}

fn a_session_that_is_too_old_is_told_however_often_it_is_used(backend: Backend) {
    let at = told_site(backend);
    let silent = Receiver::start();
    add(&at.server, "unused", &silent);
    at.sign_in();
    let sid = sid_of(&at.server, &at.anna);
    for _ in 0..9 {
        at.server.advance(10 * DAY - 1);
        touch(&at.server, &sid);
    }
    assert_eq!(at.server.admin(end), 0);
    at.server.advance(61);
    assert_eq!(at.told(0).claims["sid"], sid);
    wait_until(&at.server, <[Message]>::is_empty);
    assert_eq!((at.receiver.received().len(), silent.received().len()), (1, 0), "who has nothing of the session hears nothing");
}

fn of_sweepers_that_race_one_writes_the_row(backend: Backend) {
    let House { server, site, receiver, .. } = told_site(backend);
    receiver.answer(Some("503 Service Unavailable"));
    let people: Vec<_> = (0..8).map(|index| server.add_user(&format!("p{index}"), "user")).collect();
    for person in &people {
        server.sign_in(&site, person, &[]);
    }
    let replica = server.replica(&[]);
    server.advance(IDLE + 61);
    let ended: usize = std::thread::scope(|scope| {
        let racing: Vec<_> = [&server, &replica, &server].into_iter().map(|server| scope.spawn(|| server.admin(end))).collect();
        racing.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // The servers' own threads may have been faster.
    assert!(ended <= people.len(), "{ended}");
    wait_for_ends(&server, people.len());
    let rows = outbox(&server);
    assert_eq!(rows.len(), people.len());
    assert!(rows.iter().all(|row| row.version == 1), "written once: {rows:?}");
    drop(replica);
}

fn a_session_that_is_used_in_the_same_moment_stays(backend: Backend) {
    let at = told_site(backend);
    at.sign_in();
    let sid = sid_of(&at.server, &at.anna);
    let (over, idle_since) = at.server.look(|cx| {
        let now = cx.now.plus(IDLE);
        Ok((now, UnixTime(now.0 - IDLE)))
    });
    let seen = at.server.look(|cx| Ok(cx.store.list_timed_out_sessions(over, idle_since, 10)?));
    assert_eq!(seen.iter().map(|session| &session.sid).collect::<Vec<_>>(), [&sid]);
    let used = sid.clone();
    assert!(at.server.admin(move |cx| Ok(cx.store.touch_session(&used, over)?)));
    let wanted = sid.clone();
    assert!(!at.server.admin(move |cx| Ok(cx.store.end_timed_out_session(&wanted, over, idle_since)?)));
    assert!(at.server.look(|cx| Ok(cx.store.find_session_by_sid(&sid)?)).unwrap().revoked_at.is_none());
}

fn the_chat_is_left_when_the_last_session_that_was_used_there_is_over(backend: Backend) {
    let house = connector::House::new(backend, Edition::community(8, 6));
    let anna = house.server.add_user("anna", "user");
    let logins = || house.chat.state().tokens.iter().filter(|token| token.user != "u1").count();
    let settle = || {
        house.wait_until(|| {
            house.server.advance(1);
            house.rows().is_empty()
        });
    };
    house.sign_in(&anna);
    settle();
    let old = sid_of(&house.server, &anna);
    house.server.advance(10 * DAY);
    house.sign_in(&anna);
    settle();
    assert_eq!(logins(), 2);
    house.server.advance(5 * DAY);
    wait_for_ends(&house.server, 1);
    settle();
    let open = house.server.look(|cx| Ok(cx.store.list_open_sids(&anna.user.sub)?));
    assert!(open.len() == 1 && open[0] != old, "{open:?}");
    assert_eq!((logins(), house.chat.state().count("users.logout")), (2, 0), "the other browser goes on");
    house.server.advance(10 * DAY);
    wait_for_ends(&house.server, 2);
    house.wait_until(|| logins() == 0);
    settle();
    assert_eq!(house.chat.state().count("users.logout"), 1);
}
