//! `propusk rocketchat sync` while the chat does what it likes, and while others sync, too.

use super::reconcile::{Steps, drifted, run};
use super::{House, set};
use propusk_server::outbound::Outbound;
use propusk_server::rocketchat::sync::{SyncError, Watch, Wish, standing, sync};
use propusk_tests::rocketchat::rest::{ChatServer, Edition, Fault};
use propusk_tests::server::Backend;
use std::sync::Barrier;
use std::time::Duration;

propusk_tests::on_each_backend![
    a_chat_that_is_restarted_in_mid_sync_loses_nothing_and_gets_nothing_twice,
    of_two_processes_that_sync_at_once_one_wins_and_nothing_is_done_twice,
];

/// Stops the chat, or restarts it, when so many are done.
struct Restart<'a> {
    chat: &'a mut ChatServer,
    at: usize,
    and_resume: bool,
}

impl Watch for Restart<'_> {
    fn progress(&mut self, done: usize, _total: usize) {
        if done == self.at {
            self.chat.stop();
            if self.and_resume {
                self.chat.resume();
            }
        }
    }
}

fn a_chat_that_is_restarted_in_mid_sync_loses_nothing_and_gets_nothing_twice(backend: Backend) {
    let mut house = drifted(backend, 45);
    let House { server, chat, .. } = &mut house;
    let instance = &server.instance;
    let outbound = Outbound::new(&instance.settings.outbound).unwrap();
    let stopped = sync(instance, &outbound, &Wish::default(), &mut Restart { chat, at: 25, and_resume: false });
    match stopped {
        Err(SyncError::Chat(error)) => assert!(error.to_string().contains("cannot be reached"), "{error}"),
        other => panic!("{other:?}"),
    }
    let place = server.look(|cx| Ok(standing(cx.store)?));
    assert_eq!((place.cursor.as_deref(), place.finished_at), (Some("p19"), None), "whole pages count");
    chat.resume();
    // Back again, and gone for a moment once more: connections that were open do not matter.
    let again = sync(instance, &outbound, &Wish::default(), &mut Restart { chat, at: 5, and_resume: true });
    if let Err(error) = again {
        assert!(matches!(error, SyncError::Chat(_)), "{error}");
        sync(instance, &outbound, &Wish::default(), &mut Steps::default()).unwrap();
    }
    for index in 0..45 {
        assert_eq!(house.account(&format!("p{index:02}")), (set(&["user", "admin"]), set(&["general", "moderators"]), true), "p{index:02}");
    }
    assert_eq!(house.changes(), 45 * 3, "nobody twice");
    let place = house.server.look(|cx| Ok(standing(cx.store)?));
    assert!(place.cursor.is_none() && place.finished_at.is_some());
}

fn of_two_processes_that_sync_at_once_one_wins_and_nothing_is_done_twice(backend: Backend) {
    let house = drifted(backend, 6);
    let replica = house.replica();
    let barrier = Barrier::new(2);
    let outcomes = std::thread::scope(|scope| {
        let running = [&house.server, &replica].map(|server| {
            let barrier = &barrier;
            scope.spawn(move || {
                let outbound = Outbound::new(&server.instance.settings.outbound).unwrap();
                barrier.wait();
                sync(&server.instance, &outbound, &Wish::default(), &mut Steps::default())
            })
        });
        running.map(|thread| thread.join().unwrap())
    });
    let mut changed = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(report) => changed.push(report.people.len()),
            Err(error) => assert!(matches!(error, SyncError::Busy(_)), "{error}"),
        }
    }
    // Whoever came when the other was through found nothing to do.
    changed.retain(|count| *count > 0);
    assert_eq!(changed, [6]);
    assert_eq!(house.changes(), 6 * 3, "one role and two channels each");
}

#[test]
fn after_every_kind_of_fault_the_next_sync_finishes() {
    let house = House::with(Backend::Sqlite, Edition::community(8, 6), &[("outbound.timeout", "1")]);
    for name in ["anna", "boris", "vera"] {
        house.known(name, "moderator");
    }
    house.quiet();
    let faults = [
        (Fault::Status(401), "refused the login"),
        (Fault::Status(403), "lacks a permission"),
        (Fault::LoseAnswer, "cannot be reached"),
        (Fault::Status(500), "makes no sense (status 500)"),
        (Fault::Html(502), "makes no sense (status 502)"),
        (Fault::Html(200), "makes no sense (status 200)"),
        (Fault::Garbage, "makes no sense"),
        (Fault::NotHttp, "cannot be reached"),
        (Fault::Close, "cannot be reached"),
        (Fault::Slow(Duration::from_secs(3)), "no complete answer"),
        (Fault::Never, "no complete answer"),
        (Fault::TooMany(3000), "asks for patience"),
    ];
    for (round, (fault, told)) in faults.into_iter().enumerate() {
        let endpoint = ["", "users.", "roles.addUserToRole", "channels.invite"][round % 4];
        // Everybody has drifted away again.
        for user in &mut house.chat.state().chat.workspace.users {
            if user.id.starts_with("id-") {
                user.roles = vec!["user".to_owned()];
            }
        }
        for room in &mut house.chat.state().chat.workspace.rooms {
            room.members.retain(|id| !id.starts_with("id-"));
        }
        house.chat.state().fault(endpoint, fault.clone(), 1);
        match run(&house, &Wish::default(), &mut Steps::default()) {
            Err(SyncError::Chat(error)) => assert!(error.to_string().contains(told), "{fault:?} at {endpoint:?}: {error}"),
            other => panic!("{fault:?} at {endpoint:?}: {other:?}"),
        }
        house.chat.state().heal();
        run(&house, &Wish::default(), &mut Steps::default()).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        for name in ["anna", "boris", "vera"] {
            assert_eq!(house.account(name), (set(&["user", "admin"]), set(&["general", "moderators"]), true), "{fault:?}");
        }
        assert!(run(&house, &Wish::default(), &mut Steps::default()).unwrap().people.is_empty(), "{fault:?}: nothing was half-done");
        for room in &house.chat.state().chat.workspace.rooms {
            let once: std::collections::BTreeSet<_> = room.members.iter().collect();
            assert_eq!(once.len(), room.members.len(), "{fault:?}: {:?}", room.members);
        }
    }
}

#[test]
fn a_revoked_token_and_a_chat_that_is_away_are_clear_sentences() {
    let mut house = drifted(Backend::Sqlite, 1);
    let tokens = std::mem::take(&mut house.chat.state().tokens);
    let shell = |house: &House, command: &str| crate::explain::shell(&house.server, command, "");
    let said = shell(&house, "propusk rocketchat sync --json; test $? = 1");
    assert!(said.contains("the chat refused the login (401)"), "{said}");
    house.chat.state().tokens = tokens;
    house.chat.stop();
    let said = shell(&house, "propusk rocketchat sync --json; test $? = 4");
    assert!(said.contains("cannot be reached"), "{said}");
    house.chat.resume();
    assert!(shell(&house, "propusk rocketchat sync").contains("1 people looked at, 1 changed."));
}

#[test]
fn somebody_renamed_there_is_found_by_the_next_sync() {
    let house = drifted(Backend::Sqlite, 2);
    run(&house, &Wish::default(), &mut Steps::default()).unwrap();
    for user in &mut house.chat.state().chat.workspace.users {
        if user.id == "id-p00" {
            user.username = Some("renamed".into());
            user.roles = vec!["user".to_owned()];
        }
    }
    // Somebody else has the old name now, and nothing to do with the person.
    house.chat.state().chat.workspace.add_local_user("p00", "other@example.net", true);
    let report = run(&house, &Wish::default(), &mut Steps::default()).unwrap();
    assert_eq!(report.people.len(), 1);
    assert_eq!(house.account("renamed").0, set(&["user", "admin"]));
    assert_eq!(house.account("p00").0, set(&["user"]));
}
