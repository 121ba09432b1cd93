//! What caches are told.

use super::place::{Place, race};
use super::samples::{NOW, client, grant, key, name, people_and_clients, secret, session, user};
use propusk_domain::records::{Change, ChangeKind};
use propusk_domain::roles::RoleMap;
use propusk_domain::store::{GrantsOf, Retention, Store};
use propusk_domain::{Error, Fault, Refusal};
use std::sync::{Arc, Mutex};

on_each_database![
    every_write_that_a_cache_may_hold_is_told,
    rotation_and_new_rows_are_not_told,
    many_revocations_are_told_as_one,
    a_change_is_told_once_a_transaction,
    a_refusal_keeps_its_changes_and_a_fault_loses_them,
    a_watcher_hears_what_came_after_its_number,
    swept_changes_are_admitted,
    numbers_have_no_gap_under_sixteen_writers,
    a_listener_hears_each_commit_before_its_answer,
];

type Write = fn(&mut dyn Store) -> Result<(), Fault>;

/// Runs `f` and answers what it told, as `kind:id`.
fn told(place: &Place, f: impl FnMut(&mut dyn Store) -> Result<(), Fault> + Send + 'static) -> Vec<String> {
    let before = place.look(|store| store.latest_change());
    place.put(f);
    let changes = place.look(|store| store.list_changes(before)).expect("nothing was swept");
    changes.iter().map(|change| format!("{}:{}", change.kind.as_str(), change.id)).collect()
}

fn every_write_that_a_cache_may_hold_is_told(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.insert_session(&session("sid-s1", "s1"))?;
        store.insert_grant(&grant("g1", "s1", "chat"))
    });
    let cases: [(Write, &[&str]); 20] = [
        (|s| s.update_user(&user("s1", "anna"), 1).map(drop), &["user:s1"]),
        (|s| s.update_user(&user("s1", "anna"), 9).map(drop), &[]),
        (|s| s.update_client(&client("chat")).map(drop), &["client:chat"]),
        (|s| s.insert_client_secret("chat", &secret("fresh", 0)), &["client:chat"]),
        (|s| s.expire_client_secrets("chat", "fresh", NOW).map(drop), &["client:chat"]),
        (|s| s.expire_client_secrets("chat", "fresh", NOW).map(drop), &[]),
        (|s| s.renew_session("sid-s1", "new", NOW).map(drop), &["session:sid-s1"]),
        (|s| s.revoke_session("sid-s1", NOW).map(drop), &["session:sid-s1"]),
        (|s| s.revoke_session("sid-s1", NOW).map(drop), &[]),
        (|s| s.insert_session(&session("sid-2", "s1")), &[]),
        (|s| s.revoke_sessions_of("s1", None, NOW).map(drop), &["session:sid-2"]),
        (|s| s.revoke_grants(GrantsOf::User("s1"), NOW).map(drop), &["grant:g1"]),
        (|s| s.deny_token("j1", NOW), &["denied:j1"]),
        (|s| s.put_role_map(&RoleMap::defaults()[0]), &["role_maps:"]),
        (|s| s.delete_role_map("rocket-chat").map(drop), &["role_maps:"]),
        (|s| s.insert_key(&key("k", 0)).map(drop), &["keys:"]),
        (|s| s.update_key("k", NOW, None).map(drop), &["keys:"]),
        (|s| s.delete_key("k").map(drop), &["keys:"]),
        (|s| s.delete_user("s1").map(drop), &["user:s1", "session:sid-2", "session:sid-s1", "grant:"]),
        (|s| s.delete_client("chat").map(drop), &["client:chat", "grant:"]),
    ];
    for (index, (write, expected)) in cases.into_iter().enumerate() {
        let mut heard = told(place, write);
        heard.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(heard, expected, "case {index}");
    }
}

fn rotation_and_new_rows_are_not_told(place: &Place) {
    let heard = told(place, |store| {
        people_and_clients(store)?;
        // A client comes with its secrets, each of which would be told by itself.
        store.insert_sign_in_name(&name("аня", "s1"))?;
        store.insert_session(&session("sid-1", "s1"))?;
        store.touch_session("sid-1", NOW.plus(9))?;
        store.insert_grant(&super::samples::offline_grant("g1", "s1", "chat"))?;
        store.redeem_code("g1", NOW)?;
        store.advance_refresh("g1", 1, 2, NOW)?;
        store.insert_role("guest").map(drop)
    });
    assert_eq!(heard, Vec::<String>::new());
}

fn many_revocations_are_told_as_one(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        (0..101).try_for_each(|n| store.insert_grant(&grant(&format!("g{n}"), "s1", "chat")))?;
        (0..100).try_for_each(|n| store.insert_grant(&grant(&format!("h{n}"), "s2", "chat")))
    });
    assert_eq!(told(place, |store| store.revoke_grants(GrantsOf::User("s1"), NOW).map(drop)), ["grant:"]);
    assert_eq!(told(place, |store| store.revoke_grants(GrantsOf::User("s2"), NOW).map(drop)).len(), 100);
}

fn a_change_is_told_once_a_transaction(place: &Place) {
    place.put(people_and_clients);
    let heard = told(place, |store| {
        store.update_client(&client("chat"))?;
        store.update_client(&client("chat"))?;
        store.update_client(&client("site")).map(drop)
    });
    assert_eq!(heard, ["client:chat", "client:site"]);
}

fn a_refusal_keeps_its_changes_and_a_fault_loses_them(place: &Place) {
    place.put(people_and_clients);
    let refused: Result<(), Error> = place.write(|store| {
        store.update_client(&client("chat"))?;
        Err(Refusal::invalid_grant("no", propusk_domain::Cause::CodeReused).into())
    });
    assert!(matches!(refused, Err(Error::Refused(_))));
    let latest = place.look(|store| store.latest_change());
    assert_eq!(latest, 1);
    let failed: Result<(), Error> = place.write(|store| {
        store.update_client(&client("site"))?;
        Err(Fault::broken("no").into())
    });
    assert!(matches!(failed, Err(Error::Fault(_))));
    assert_eq!(place.look(|store| store.latest_change()), latest);
}

fn a_watcher_hears_what_came_after_its_number(place: &Place) {
    assert_eq!(place.look(|store| Ok((store.latest_change()?, store.list_changes(0)?))), (0, Some(vec![])));
    place.put(|store| {
        people_and_clients(store)?;
        store.deny_token("j1", NOW)?;
        store.deny_token("j2", NOW)
    });
    let change = |seq, id: &str| Change { seq, kind: ChangeKind::Denied, id: id.to_owned() };
    assert_eq!(place.look(|store| store.list_changes(0)), Some(vec![change(1, "j1"), change(2, "j2")]));
    assert_eq!(place.look(|store| store.list_changes(1)), Some(vec![change(2, "j2")]));
    assert_eq!(place.look(|store| store.list_changes(2)), Some(vec![]));
    assert_eq!(place.look(|store| store.list_changes(3)), None, "a number ahead: the database was replaced by an older one");
}

fn swept_changes_are_admitted(place: &Place) {
    let retention = Retention { ended: 100, refusals: 100, refusals_rows: 100, traces: 100, traces_rows: 100, audit: 100, changes: 50 };
    place.put(|store| store.deny_token("j1", NOW.plus(999)));
    place.put(move |store| store.sweep(NOW, &retention));
    place.put(|store| store.deny_token("j2", NOW.plus(999)));
    assert_eq!(place.put(move |store| store.sweep(NOW.plus(51), &retention)), 1, "the first, 51 seconds after a sweep saw it");
    assert_eq!(place.look(|store| store.list_changes(0)), None);
    assert_eq!(place.look(|store| store.list_changes(1)).map(|changes| changes.len()), Some(1));
    assert_eq!(place.put(move |store| store.sweep(NOW.plus(102), &retention)), 1);
    assert_eq!(place.look(|store| store.list_changes(1)), None);
    assert_eq!(place.look(|store| store.list_changes(2)), Some(vec![]), "who has heard everything has missed nothing");
}

fn numbers_have_no_gap_under_sixteen_writers(place: &Place) {
    let database = (**place).clone();
    let watcher = database.clone();
    let watching = std::thread::spawn(move || {
        let mut heard: Vec<Change> = Vec::new();
        while heard.len() < 16 * 8 {
            let seq = heard.last().map_or(0, |change| change.seq);
            let more = watcher.read(|store| Ok(store.list_changes(seq)?)).expect("a read").expect("no gap");
            heard.extend(more);
        }
        heard
    });
    race(16, move |thread| {
        for round in 0..8 {
            let jti = format!("{thread}-{round}");
            let answer: Result<(), Error> = database.write(move |store| Ok(store.deny_token(&jti, NOW)?));
            answer.expect("a write");
            // What is rolled back takes its number along.
            let _: Result<(), Error> = database.write(|store| {
                store.deny_token("lost", NOW)?;
                Err(Fault::broken("roll back").into())
            });
        }
    });
    let heard = watching.join().expect("the watcher");
    let numbers: Vec<i64> = heard.iter().map(|change| change.seq).collect();
    assert_eq!(numbers, (1..=128).collect::<Vec<i64>>());
    assert!(heard.iter().all(|change| change.id != "lost"));
}

fn a_listener_hears_each_commit_before_its_answer(place: &Place) {
    let heard: Arc<Mutex<Vec<Change>>> = Arc::default();
    let ears = Arc::clone(&heard);
    place.on_commit(Arc::new(move |changes| {
        ears.lock().unwrap().extend_from_slice(changes);
        assert!(changes.iter().all(|change| change.id != "j3"), "a listener that panics costs nobody an answer");
    }));
    let ids = || heard.lock().unwrap().iter().map(|change| change.id.clone()).collect::<Vec<_>>().concat();
    place.put(|store| store.deny_token("j1", NOW));
    assert_eq!(ids(), "j1");
    let lost: Result<(), Error> = place.write(|store| {
        store.deny_token("lost", NOW)?;
        Err(Fault::broken("roll back").into())
    });
    assert!(lost.is_err());
    place.put(|store| {
        store.deny_token("j2", NOW)?;
        store.deny_token("j3", NOW)
    });
    place.put(|store| store.insert_role("nothing that a cache holds"));
    assert_eq!(ids(), "j1j2j3");
    assert_eq!(place.look(|store| store.list_changes(0)), Some(heard.lock().unwrap().clone()));
}
