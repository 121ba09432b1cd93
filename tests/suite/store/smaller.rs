//! Consents, roles, keys, the audit trail and the refusals.

use super::place::Place;
use super::samples::{NOW, audit, consent, key, people_and_clients, refusal};
use propusk_crypto::Algorithm;
use propusk_domain::records::{AuditEvent, AuditFilter, Consent, KeyPurpose, KeyRow};
use propusk_domain::roles::RoleMap;

on_each_database![
    a_consent_is_replaced_and_removed,
    roles_are_listed_in_the_order_of_bytes,
    a_role_map_is_replaced_and_removed,
    keys_are_listed_oldest_first_and_changed,
    the_audit_trail_is_read_newest_first_through_filters,
    audit_events_of_one_second_keep_their_order,
    a_refusal_is_found_by_its_reference_in_any_case,
    every_table_is_counted,
];

fn a_consent_is_replaced_and_removed(place: &Place) {
    place.put(people_and_clients);
    let wider = Consent { scope: ["openid", "email"].iter().collect(), granted_at: NOW.plus(9), ..consent("s1", "chat") };
    let stored = wider.clone();
    place.put(move |store| {
        store.put_consent(&consent("s1", "chat"))?;
        store.put_consent(&consent("s1", "site"))?;
        store.put_consent(&stored)
    });
    assert_eq!(place.look(|store| store.find_consent("s1", "chat")), Some(wider));
    assert_eq!(place.look(|store| store.find_consent("s1", "site")), Some(consent("s1", "site")));
    assert_eq!(place.look(|store| store.find_consent("s2", "chat")), None);
    assert_eq!(place.put(|store| Ok((store.delete_consent("s1", "chat")?, store.delete_consent("s1", "chat")?))), (true, false));
    assert_eq!(place.look(|store| store.find_consent("s1", "chat")), None);
}

fn roles_are_listed_in_the_order_of_bytes(place: &Place) {
    place.put(|store| {
        for role in ["user", "Admin", "owner", "_x"] {
            assert!(store.insert_role(role)?);
        }
        assert!(!store.insert_role("user")?);
        assert!(store.delete_role("owner")?);
        assert!(!store.delete_role("owner")?);
        Ok(())
    });
    assert_eq!(place.look(|store| store.list_roles()), ["Admin", "_x", "user"]);
}

fn a_role_map_is_replaced_and_removed(place: &Place) {
    let [chat, identity] = RoleMap::defaults();
    let mut changed = chat.clone();
    changed.roles.insert("гость".to_owned(), vec!["guest \"q\"".to_owned()]);
    let stored = [chat, identity.clone(), changed.clone()];
    place.put(move |store| stored.iter().try_for_each(|map| store.put_role_map(map)));
    assert_eq!(place.look(|store| store.list_role_maps()), [identity, changed]);
    assert_eq!(place.put(|store| Ok((store.delete_role_map("identity")?, store.delete_role_map("identity")?))), (true, false));
    assert_eq!(place.look(|store| store.list_role_maps()).len(), 1);
}

fn keys_are_listed_oldest_first_and_changed(place: &Place) {
    let flow = KeyRow { purpose: KeyPurpose::Flow, ..key("k0", 99) };
    let mut expected = vec![flow.clone(), key("k1", 50), KeyRow { purpose: KeyPurpose::Refresh, ..key("k2", 10) }];
    let stored = [expected[2].clone(), flow, key("k1", 50)];
    place.put(move |store| {
        for key in &stored {
            assert!(store.insert_key(key)?);
        }
        assert!(!store.insert_key(&KeyRow { purpose: KeyPurpose::Sign(Algorithm::RS256), ..key("k1", 0) })?);
        Ok(())
    });
    assert_eq!(place.look(|store| store.list_keys()), expected);
    expected[1].active_from = NOW.plus(7);
    expected[1].published_until = Some(NOW.plus(8));
    let answers = place.put(|store| Ok((store.update_key("k1", NOW.plus(7), Some(NOW.plus(8)))?, store.update_key("none", NOW, None)?)));
    assert_eq!(answers, (true, false));
    assert_eq!(place.look(|store| store.list_keys()), expected);
    assert_eq!(place.put(|store| Ok((store.delete_key("k0")?, store.delete_key("k0")?))), (true, false));
    assert_eq!(place.look(|store| store.list_keys()), expected[1..]);
}

fn the_audit_trail_is_read_newest_first_through_filters(place: &Place) {
    place.put(|store| {
        store.insert_audit(&audit("a", 30))?;
        store.insert_audit(&AuditEvent {
            sub: None,
            client_id: Some("chat".to_owned()),
            grant_id: Some("g".to_owned()),
            detail: None,
            ..audit("b", 20)
        })?;
        store.insert_audit(&AuditEvent { kind: "code_issued".to_owned(), ..audit("c", 10) })
    });
    let ids = |filter: AuditFilter| place.look(|store| store.list_audit(&filter)).into_iter().map(|event| event.id).collect::<Vec<_>>().concat();
    let all = AuditFilter { limit: 10, ..AuditFilter::default() };
    assert_eq!(ids(all.clone()), "cba");
    assert_eq!(ids(AuditFilter { limit: 1, ..all.clone() }), "c");
    assert_eq!(ids(AuditFilter { sub: Some("s1".to_owned()), ..all.clone() }), "ca");
    assert_eq!(ids(AuditFilter { client_id: Some("chat".to_owned()), ..all.clone() }), "b");
    assert_eq!(ids(AuditFilter { kind: Some("signed_in".to_owned()), ..all.clone() }), "ba");
    assert_eq!(ids(AuditFilter { since: Some(NOW.plus(-20)), ..all.clone() }), "cb");
    assert_eq!(place.look(|store| store.list_audit(&all)).pop(), Some(audit("a", 30)));
}

fn audit_events_of_one_second_keep_their_order(place: &Place) {
    let numbered = |number: i64, age: i64| AuditEvent { id: String::new(), detail: Some(number.to_string()), ..audit("", age) };
    // Some in one transaction, some in their own; a request that began a second earlier may commit later.
    place.put(move |store| (0..40).try_for_each(|number| store.insert_audit(&numbered(number, 5))));
    for number in 40..60 {
        place.put(move |store| store.insert_audit(&numbered(number, 5 + (number % 2))));
    }
    let details = |limit: i64| {
        let events = place.look(|store| store.list_audit(&AuditFilter { limit, ..AuditFilter::default() }));
        events.into_iter().map(|event| event.detail.unwrap().parse::<i64>().unwrap()).collect::<Vec<_>>()
    };
    let all: Vec<i64> = (0..60).rev().collect();
    assert_eq!(details(1000), all);
    for limit in [1, 7, 41] {
        assert_eq!(details(limit), all[..usize::try_from(limit).unwrap()], "a longer page begins with the shorter one");
    }
}

fn a_refusal_is_found_by_its_reference_in_any_case(place: &Place) {
    let mut longer = vec![refusal("7F3K2Q", 10), refusal("AAAAAA", 5)];
    longer.push(refusal("7F3K2Q", 0));
    place.put(move |store| store.insert_refusals(&longer));
    place.put(|store| store.insert_refusals(&[]));
    for reference in ["7F3K2Q", "7f3k2q"] {
        assert_eq!(place.look(|store| store.find_refusal(reference)), Some(refusal("7F3K2Q", 10)), "the first of a reference stays");
    }
    assert_eq!(place.look(|store| store.find_refusal("ZZZZZZ")), None);
    assert_eq!(place.look(|store| store.list_refusals(10)), [refusal("AAAAAA", 5), refusal("7F3K2Q", 10)]);
    assert_eq!(place.look(|store| store.list_refusals(1)).len(), 1);
}

fn every_table_is_counted(place: &Place) {
    place.put(people_and_clients);
    let sizes = place.look(|store| store.table_sizes());
    assert_eq!(sizes.len(), 26);
    for (table, rows) in [("users", 2), ("clients", 2), ("client_secrets", 4), ("grants", 2), ("sessions", 0)] {
        assert!(sizes.contains(&(table, rows)), "{table}: {sizes:?}");
    }
}
