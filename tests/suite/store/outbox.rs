//! The outbox: one row a thing, one holder a row, one row of a subject at a time.

use super::place::{Place, race};
use super::samples::{NOW, client, people_and_clients, session};
use propusk_domain::UnixTime;
use propusk_domain::chat::ChatToken;
use propusk_domain::outbox::{Message, Topic};
use propusk_domain::store::Retention;
use std::sync::Arc;

on_each_database![
    a_row_is_stored_whole_and_listed_oldest_first,
    a_thing_that_changes_again_makes_its_row_newer,
    sixteen_threads_take_one_row_and_one_gets_it,
    rows_of_a_subject_come_one_after_the_other,
    a_row_that_became_newer_while_it_was_delivered_stays,
    a_lease_that_ran_out_settles_nothing,
    what_was_given_up_is_retried_dropped_or_swept,
    clients_of_a_session_are_noted_once_and_go_with_it,
    accounts_and_tokens_of_the_chat_belong_to_one_person_each,
    shared_values_are_swapped_and_numbers_never_given_twice,
];

fn message(id: &str, key: &str, subject: &str) -> Message {
    Message {
        id: id.to_owned(),
        topic: Topic::ChatPerson,
        key: key.to_owned(),
        subject: subject.to_owned(),
        body: "{\"ё\":1}".to_owned(),
        version: 1,
        created_at: NOW,
        changed_at: NOW,
        attempts: 0,
        next_at: NOW,
        leased_until: UnixTime(0),
        failure: None,
        failed_at: None,
    }
}

fn put(place: &Place, rows: &[Message]) {
    let rows = rows.to_vec();
    place.put(move |store| rows.iter().try_for_each(|row| store.put_message(row)));
}

fn due(place: &Place, now: UnixTime) -> Vec<String> {
    place.look(|store| store.due_messages(&Topic::CHAT, now, 10)).into_iter().map(|row| row.id).collect()
}

fn take(place: &Place, id: &'static str, lease: &'static str) -> bool {
    place.put(move |store| store.lease_message(id, lease, NOW.plus(60), NOW))
}

fn a_row_is_stored_whole_and_listed_oldest_first(place: &Place) {
    let logout = Message { topic: Topic::BackchannelLogout, ..message("2", "k", "t") };
    put(place, &[logout.clone(), message("1", "k", "s")]);
    assert_eq!(place.look(|store| store.list_messages(None, 10)), [message("1", "k", "s"), logout.clone()]);
    assert_eq!(place.look(|store| store.list_messages(Some(Topic::BackchannelLogout), 10)), [logout]);
    assert_eq!(place.look(|store| store.find_message("1")), Some(message("1", "k", "s")));
    assert_eq!(place.look(|store| store.outbox_depth()), (2, Some(NOW)));
    assert_eq!(due(place, NOW), ["1"]);
    assert!(due(place, NOW.plus(-1)).is_empty());
}

fn a_thing_that_changes_again_makes_its_row_newer(place: &Place) {
    put(place, &[message("1", "k", "s")]);
    assert!(take(place, "1", "a"));
    place.put(|store| store.postpone_message("1", "a", NOW.plus(500), "no"));
    assert!(due(place, NOW.plus(499)).is_empty());
    let again = Message { body: "{}".to_owned(), changed_at: NOW.plus(9), next_at: NOW.plus(9), ..message("2", "k", "s") };
    put(place, &[again]);
    let rows = place.look(|store| store.list_messages(None, 10));
    assert_eq!(rows.len(), 1);
    let expected = Message { body: "{}".to_owned(), changed_at: NOW.plus(9), next_at: NOW.plus(9), version: 2, ..message("1", "k", "s") };
    assert_eq!(rows[0], expected);
    assert_eq!(due(place, NOW.plus(9)), ["1"]);
}

fn sixteen_threads_take_one_row_and_one_gets_it(place: &Place) {
    put(place, &[message("1", "k", "s")]);
    let database = Arc::new((**place).clone());
    let won = race(16, move |index| {
        let lease = format!("lease {index}");
        database.write(move |store| Ok(store.lease_message("1", &lease, NOW.plus(60), NOW)?)).map_err(super::place::describe).unwrap()
    });
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    assert_eq!(place.look(|store| store.find_message("1")).unwrap().attempts, 1);
    assert!(due(place, NOW.plus(59)).is_empty());
    assert_eq!(due(place, NOW.plus(60)), ["1"], "a crashed holder is replaced");
}

fn rows_of_a_subject_come_one_after_the_other(place: &Place) {
    put(place, &[message("1", "a", "anna"), message("2", "b", "anna"), message("3", "c", "boris")]);
    assert_eq!(due(place, NOW), ["1", "3"]);
    assert!(take(place, "1", "x"));
    assert_eq!(due(place, NOW), ["3"]);
    // Waiting for its next attempt it still stands in front.
    place.put(|store| store.postpone_message("1", "x", NOW.plus(100), "no"));
    assert_eq!(due(place, NOW), ["3"]);
    assert!(place.put(|store| {
        store.lease_message("1", "y", NOW.plus(200), NOW.plus(100))?;
        store.finish_message("1", "y", 1, NOW.plus(100))
    }));
    assert_eq!(due(place, NOW), ["2", "3"]);
    // One given up stands in nobody's way.
    assert!(take(place, "2", "z"));
    assert!(place.put(|store| store.fail_message("2", "z", 1, NOW, "never")));
    put(place, &[message("4", "d", "anna")]);
    assert_eq!(due(place, NOW), ["3", "4"]);
}

fn a_row_that_became_newer_while_it_was_delivered_stays(place: &Place) {
    put(place, &[message("1", "k", "s")]);
    assert!(take(place, "1", "a"));
    put(place, &[message("2", "k", "s")]);
    assert!(due(place, NOW).is_empty(), "it is held until the first delivery is settled");
    assert!(!place.put(|store| store.finish_message("1", "a", 1, NOW)));
    let row = place.look(|store| store.find_message("1")).unwrap();
    assert_eq!((row.version, row.attempts, row.leased_until), (2, 0, UnixTime(0)));
    assert!(take(place, "1", "b"));
    assert!(!place.put(|store| store.fail_message("1", "b", 1, NOW, "no")), "nor is the newer one given up");
    assert!(take(place, "1", "c"));
    assert!(place.put(|store| store.finish_message("1", "c", 2, NOW)));
    assert_eq!(place.look(|store| store.outbox_depth()), (0, None));
}

fn a_lease_that_ran_out_settles_nothing(place: &Place) {
    put(place, &[message("1", "k", "s")]);
    assert!(take(place, "1", "slow"));
    assert!(place.put(|store| store.lease_message("1", "next", NOW.plus(200), NOW.plus(60))));
    assert!(!place.put(|store| store.finish_message("1", "slow", 1, NOW.plus(61))));
    assert!(!place.put(|store| store.postpone_message("1", "slow", NOW, "late")));
    assert!(!place.put(|store| store.fail_message("1", "slow", 1, NOW, "late")));
    assert_eq!(place.look(|store| store.find_message("1")).unwrap().leased_until, NOW.plus(200));
    assert!(place.put(|store| store.finish_message("1", "next", 1, NOW.plus(61))));
}

fn what_was_given_up_is_retried_dropped_or_swept(place: &Place) {
    put(place, &[message("1", "a", "s"), message("2", "b", "t"), message("3", "c", "u")]);
    for id in ["1", "2", "3"] {
        assert!(take(place, id, "x"));
        assert!(place.put(move |store| store.fail_message(id, "x", 1, NOW, "never")));
    }
    assert_eq!(place.look(|store| store.outbox_depth()), (0, None));
    assert_eq!(place.put(|store| store.retry_messages(Some("none"), NOW)), 0);
    assert_eq!(place.put(|store| store.retry_messages(Some("1"), NOW.plus(5))), 1);
    assert_eq!(due(place, NOW.plus(5)), ["1"]);
    assert_eq!(place.put(|store| store.drop_message("2")).unwrap().key, "b");
    assert_eq!(place.put(|store| store.drop_message("2")), None);
    let retention = Retention { ended: 100, refusals: 50, refusals_rows: 3, audit: 500, changes: 10_000, traces: 50, traces_rows: 3 };
    assert_eq!(place.put(move |store| store.sweep(NOW.plus(100), &retention)), 0);
    assert_eq!(place.put(move |store| store.sweep(NOW.plus(101), &retention)), 1);
    assert_eq!(place.look(|store| store.list_messages(None, 10)).len(), 1, "what waits is never swept");
    assert_eq!(place.put(|store| store.retry_messages(None, NOW)), 1);
}

fn clients_of_a_session_are_noted_once_and_go_with_it(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.insert_client(&client("shop"))?;
        store.insert_session(&session("a", "s1"))?;
        store.insert_session(&session("b", "s1"))?;
        store.note_session_client("a", "shop")?;
        store.note_session_client("a", "shop")?;
        store.note_session_client("b", "chat")
    });
    assert_eq!(place.look(|store| store.list_session_clients("a")), ["shop"]);
    assert_eq!(place.look(|store| store.list_open_sids("s1")).len(), 2);
    place.put(|store| {
        store.revoke_session("a", NOW)?;
        store.delete_client("shop")
    });
    assert_eq!(place.look(|store| store.list_open_sids("s1")), ["b"]);
    assert!(place.look(|store| store.list_session_clients("a")).is_empty());
    place.put(|store| store.delete_user("s1"));
    assert!(place.look(|store| store.list_session_clients("b")).is_empty());
}

fn accounts_and_tokens_of_the_chat_belong_to_one_person_each(place: &Place) {
    assert!(place.put(|store| store.put_chat_id("s1", "c1")));
    assert!(place.put(|store| store.put_chat_id("s1", "c1")));
    assert!(!place.put(|store| store.put_chat_id("s2", "c1")), "it is somebody else's");
    assert!(place.put(|store| store.put_chat_id("s1", "c2")));
    assert_eq!(place.look(|store| Ok((store.find_chat_id("s1")?, store.find_chat_person("c1")?))), (Some("c2".to_owned()), None));
    place.put(|store| store.forget_chat_id("s1"));
    assert_eq!(place.look(|store| store.find_chat_person("c2")), None);

    let token =
        |sid: &str, sealed: &str| ChatToken { sid: sid.into(), sub: "s1".into(), chat_id: "c1".into(), sealed: sealed.into(), created_at: NOW };
    let (first, second, third) = (token("a", "x"), token("a", "y"), token("b", "z"));
    let kept = first.clone();
    assert!(place.put(move |store| store.insert_chat_token(&first)));
    assert!(!place.put(move |store| store.insert_chat_token(&second)), "one a session");
    assert_eq!(place.look(|store| store.find_chat_token("a")), Some(kept));
    place.put(move |store| {
        people_and_clients(store)?;
        store.insert_session(&session("b", "s1"))?;
        store.insert_chat_token(&third)
    });
    let orphans = |idle_since| place.look(move |store| store.list_orphaned_chat_tokens(NOW, idle_since, 10));
    assert_eq!(orphans(UnixTime(0)), [("a".to_owned(), "s1".to_owned())]);
    assert_eq!(orphans(NOW.plus(1_000_000)).len(), 2);
    assert!(!place.put(|store| store.delete_chat_token("a", "y")));
    assert!(place.put(|store| store.delete_chat_token("a", "x")));
}

fn shared_values_are_swapped_and_numbers_never_given_twice(place: &Place) {
    let swap = |before: Option<&'static str>, after: Option<&'static str>| place.put(move |store| store.swap_chat_state("n", before, after));
    assert!(swap(None, Some("1")));
    assert!(!swap(None, Some("2")));
    assert!(!swap(Some("0"), Some("2")));
    assert!(swap(Some("1"), Some("2")));
    assert_eq!(place.look(|store| store.find_chat_state("n")).as_deref(), Some("2"));
    assert!(swap(Some("2"), None));
    assert_eq!(place.look(|store| store.find_chat_state("n")), None);
    for (sub, number) in [("s1", 1), ("s2", 2)] {
        assert!(place.put(move |store| store.insert_numeric_id(sub)));
        assert!(!place.put(move |store| store.insert_numeric_id(sub)));
        assert_eq!(place.look(|store| store.find_numeric_id(sub)), Some(number));
    }
}
