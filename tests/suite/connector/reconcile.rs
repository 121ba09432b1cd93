//! `propusk rocketchat sync`: planned, whole, resumed, polite, alone.

use super::{House, set};
use propusk_server::outbound::Outbound;
use propusk_server::rocketchat::sync::{Report, SyncError, Watch, Wish, standing, sync};
use propusk_tests::rocketchat::rest::{Edition, Fault};
use propusk_tests::server::Backend;
use serde_json::Value;
use std::cell::Cell;

propusk_tests::on_each_backend![
    a_plan_changes_nothing_and_a_run_does_just_that,
    a_run_that_was_cut_off_is_gone_on_with,
    one_process_works_at_a_time_and_a_dead_one_is_replaced,
    everybody_is_reconciled_on_schedule,
];

#[derive(Default)]
pub(super) struct Steps {
    done: usize,
    stop_after: Option<usize>,
    asked: Cell<usize>,
}

impl Watch for Steps {
    fn progress(&mut self, done: usize, total: usize) {
        assert!(done <= total);
        self.done = done;
    }

    fn go_on(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.stop_after.is_none_or(|limit| self.done < limit)
    }
}

pub(super) fn run(house: &House, wish: &Wish, watch: &mut Steps) -> Result<Report, SyncError> {
    let instance = &house.server.instance;
    sync(instance, &Outbound::new(&instance.settings.outbound).unwrap(), wish, watch)
}

/// Accounts that have drifted: the role of the person changed while nobody looked after the chat.
pub(super) fn drifted(backend: Backend, count: usize) -> House {
    let house = House::new(backend, Edition::community(8, 6));
    for index in 0..count {
        house.known(&format!("p{index:02}"), "moderator");
    }
    house.quiet();
    house
}

fn a_plan_changes_nothing_and_a_run_does_just_that(backend: Backend) {
    let house = drifted(backend, 3);
    let plan = run(&house, &Wish { plan: true, ..Wish::default() }, &mut Steps::default()).unwrap();
    assert_eq!((plan.checked, plan.people.len(), house.changes()), (3, 3, 0));
    let mut steps = Steps::default();
    let done = run(&house, &Wish::default(), &mut steps).unwrap();
    assert_eq!((done.people, steps.done), (plan.people, 3));
    assert_eq!(house.account("p02").1, set(&["general", "moderators"]));
    let changes = house.changes();
    assert_eq!(changes, 3 * 3);
    assert!(run(&house, &Wish::default(), &mut Steps::default()).unwrap().people.is_empty());
    assert_eq!(house.changes(), changes);
}

fn a_run_that_was_cut_off_is_gone_on_with(backend: Backend) {
    let house = drifted(backend, 45);
    let mut first = Steps { stop_after: Some(30), ..Steps::default() };
    assert!(matches!(run(&house, &Wish::default(), &mut first), Err(SyncError::Stopped)));
    let place = house.server.look(|cx| Ok(standing(cx.store)?));
    assert_eq!((place.cursor.as_deref(), place.finished_at), (Some("p19"), None), "whole pages count");
    // The chat is restarted in the middle of the next one, and breaks off in the one after that.
    house.chat.state().fault("roles.addUserToRole", Fault::Close, 1);
    assert!(matches!(run(&house, &Wish::default(), &mut Steps::default()), Err(SyncError::Chat(_))));
    let last = run(&house, &Wish::default(), &mut Steps::default()).unwrap();
    assert_eq!((last.resumed_after.as_deref(), last.checked), (Some("p19"), 25));
    for index in 0..45 {
        assert_eq!(house.account(&format!("p{index:02}")).0, set(&["user", "admin"]));
    }
    assert_eq!(house.changes(), 45 * 3, "nobody twice");
    let place = house.server.look(|cx| Ok(standing(cx.store)?));
    assert!(place.cursor.is_none() && place.finished_at.is_some());
}

fn one_process_works_at_a_time_and_a_dead_one_is_replaced(backend: Backend) {
    struct Intruder<'a>(&'a House, usize);
    impl Watch for Intruder<'_> {
        fn progress(&mut self, _done: usize, _total: usize) {
            assert!(matches!(run(self.0, &Wish::default(), &mut Steps::default()), Err(SyncError::Busy(_))));
            self.1 += 1;
        }
    }
    let house = drifted(backend, 3);
    let mut intruder = Intruder(&house, 0);
    let instance = &house.server.instance;
    let outbound = Outbound::new(&instance.settings.outbound).unwrap();
    sync(instance, &outbound, &Wish::default(), &mut intruder).unwrap();
    assert_eq!((intruder.1, house.changes()), (3, 9));
    // A process that was killed holds the lease until it ends.
    let now = instance.clock.now();
    let dead = serde_json::json!({ "cursor": "p00", "leased_until": now.plus(300), "lease": "gone" }).to_string();
    house.server.admin(move |cx| {
        let before = cx.store.find_chat_state("reconcile")?;
        Ok(cx.store.swap_chat_state("reconcile", before.as_deref(), Some(&dead))?)
    });
    assert!(matches!(run(&house, &Wish::default(), &mut Steps::default()), Err(SyncError::Busy(_))));
    house.server.advance(300);
    assert_eq!(run(&house, &Wish::default(), &mut Steps::default()).unwrap().checked, 2, "p01 and p02");
}

fn everybody_is_reconciled_on_schedule(backend: Backend) {
    let house = drifted(backend, 2);
    let _replica = house.replica();
    house.server.advance(6 * 3600 + 1);
    house.wait_for("p00", &["user", "admin"], &["general", "moderators"]);
    house.wait_for("p01", &["user", "admin"], &["general", "moderators"]);
    house.wait_until(|| house.server.look(|cx| Ok(standing(cx.store)?)).finished_at.is_some());
    assert_eq!(house.changes(), 6);
}

#[test]
fn a_chat_that_asks_for_patience_gets_it() {
    let house = drifted(Backend::Sqlite, 3);
    house.chat.state().fault("roles.addUserToRole", Fault::TooMany(1), 2);
    let mut steps = Steps::default();
    let report = run(&house, &Wish::default(), &mut steps).unwrap();
    assert_eq!((report.checked, house.changes()), (3, 9));
    assert!(steps.asked.get() > 10, "it waited, and would have stopped if asked to");
    house.chat.state().fault("", Fault::TooMany(3000), 1);
    assert!(matches!(run(&house, &Wish::default(), &mut Steps::default()), Err(SyncError::Chat(_))));
}

#[test]
fn the_command_line_plans_with_exit_code_3_and_syncs_one_person() {
    let house = drifted(Backend::Sqlite, 2);
    let shell = |command: &str| crate::explain::shell(&house.server, command, "");
    let plan: Value = serde_json::from_str(&shell("propusk rocketchat sync --plan --json; test $? = 3")).unwrap();
    assert_eq!((plan["checked"].as_u64(), plan["people"][0]["username"].as_str()), (Some(2), Some("p00")), "{plan}");
    assert_eq!(plan["people"][0]["changes"][0], serde_json::json!({ "action": "add_role", "what": "admin" }));
    assert!(shell("propusk rocketchat sync --user p01").contains("p01: add role admin, invite into general"));
    assert_eq!((house.account("p00").0, house.account("p01").0), (set(&["user"]), set(&["user", "admin"])));
    assert!(shell("propusk rocketchat sync").contains("2 people looked at, 1 changed."));
    shell("propusk rocketchat sync --plan");
}

#[test]
fn a_run_on_the_command_line_that_is_ended_gives_its_place_back_at_once() {
    let house = drifted(Backend::Sqlite, 2);
    house.chat.state().fault("", Fault::TooMany(60), usize::MAX);
    let pid = tempfile::NamedTempFile::new().unwrap();
    let run = format!("propusk rocketchat sync & echo $! >{0}; wait $!; test $? = 1", pid.path().display());
    std::thread::scope(|scope| {
        let running = scope.spawn(|| crate::explain::shell(&house.server, &run, ""));
        house.wait_until(|| house.server.look(|cx| Ok(standing(cx.store)?.leased_until.0 > 0)));
        crate::explain::shell(&house.server, &format!("kill -TERM $(cat {})", pid.path().display()), "");
        running.join().unwrap();
    });
    house.chat.state().heal();
    assert!(crate::explain::shell(&house.server, "propusk rocketchat sync", "").contains("2 people looked at, 2 changed."));
}
