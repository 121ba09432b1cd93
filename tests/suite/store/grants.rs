//! Grants and their gates, one caller at a time; the races are next door.

use super::place::Place;
use super::samples::{NOW, grant, offline_grant, people_and_clients, standing_grant};
use propusk_domain::UnixTime;
use propusk_domain::grant::Grant;
use propusk_domain::store::{GrantsOf, Store};

on_each_database![
    a_grant_comes_back_as_stored,
    a_code_is_redeemed_once,
    a_code_of_a_dead_grant_is_not_redeemed,
    a_refresh_generation_moves_once_from_where_it_is,
    a_dead_grant_does_not_rotate,
    each_way_of_revoking_hits_its_own_grants_once,
    live_grants_are_listed_newest_first,
    a_denied_token_is_listed_until_it_expires,
];

fn insert(place: &Place, grants: Vec<Grant>) {
    place.put(move |store| {
        if store.find_client("chat")?.is_none() {
            people_and_clients(store)?;
        }
        grants.iter().try_for_each(|grant| store.insert_grant(grant))
    });
}

fn a_grant_comes_back_as_stored(place: &Place) {
    let bare = Grant { sid: None, auth_time: None, nonce: None, amr: Vec::new(), expires_at: None, ..grant("g2", "s1", "chat") };
    let mut unbound = grant("g3", "s1", "chat");
    unbound.code.as_mut().unwrap().challenge = None;
    unbound.code.as_mut().unwrap().redirect_uri_was_sent = false;
    unbound.code.as_mut().unwrap().redeemed_at = Some(NOW);
    unbound.revoked_at = Some(NOW);
    let stored = vec![grant("g1", "s1", "chat"), bare, unbound, offline_grant("g4", "s2", "site")];
    insert(place, stored.clone());
    for grant in stored {
        assert_eq!(place.look(|store| store.find_grant(&grant.id)), Some(grant.clone()));
        assert_eq!(place.look(|store| store.find_grant_by_code(&format!("code-{}", grant.id))), Some(grant));
    }
    assert_eq!(place.look(|store| store.find_grant("standing-chat")), Some(standing_grant("chat")));
    assert_eq!(place.look(|store| store.find_grant_by_code("code-none")), None);
}

fn a_code_is_redeemed_once(place: &Place) {
    insert(place, vec![grant("g1", "s1", "chat")]);
    let answers =
        place.put(|store| Ok((store.redeem_code("g1", NOW.plus(1))?, store.redeem_code("g1", NOW.plus(2))?, store.redeem_code("none", NOW)?)));
    assert_eq!(answers, (true, false, false));
    let redeemed = place.look(|store| store.find_grant_by_code("code-g1")).expect("a used code is remembered");
    assert_eq!(redeemed.code.unwrap().redeemed_at, Some(NOW.plus(1)));
    assert!(!place.put(|store| store.redeem_code("standing-chat", NOW)), "a standing grant has no code");
}

fn a_code_of_a_dead_grant_is_not_redeemed(place: &Place) {
    insert(place, vec![grant("g1", "s1", "chat"), grant("g2", "s1", "chat")]);
    place.put(|store| store.revoke_grants(GrantsOf::Id("g1"), NOW));
    let answers =
        place.put(|store| Ok((store.redeem_code("g1", NOW)?, store.redeem_code("g2", NOW.plus(1000))?, store.redeem_code("g2", NOW.plus(999))?)));
    assert_eq!(answers, (false, false, true), "revoked, expired, alive");
}

fn a_refresh_generation_moves_once_from_where_it_is(place: &Place) {
    insert(place, vec![offline_grant("g1", "s1", "chat"), grant("g2", "s1", "chat")]);
    let answers = place.put(|store| {
        Ok([
            store.advance_refresh("g1", 1, 2, NOW.plus(5))?,
            store.advance_refresh("g1", 1, 2, NOW.plus(6))?,
            store.advance_refresh("g1", 3, 4, NOW.plus(6))?,
            store.advance_refresh("g1", 2, 9, NOW.plus(7))?,
            store.advance_refresh("g2", 1, 2, NOW)?,
        ])
    });
    assert_eq!(answers, [true, false, false, true, false]);
    let refresh = place.look(|store| store.find_grant("g1")).unwrap().refresh.unwrap();
    assert_eq!((refresh.generation, refresh.rotated_at, refresh.nonce.as_str()), (9, NOW.plus(7), "nonce-g1"));
}

fn a_dead_grant_does_not_rotate(place: &Place) {
    insert(place, vec![offline_grant("g1", "s1", "chat"), offline_grant("g2", "s1", "chat")]);
    place.put(|store| store.revoke_grants(GrantsOf::Id("g1"), NOW));
    let answers = place.put(|store| Ok((store.advance_refresh("g1", 1, 2, NOW)?, store.advance_refresh("g2", 1, 2, NOW.plus(1000))?)));
    assert_eq!(answers, (false, false));
}

fn each_way_of_revoking_hits_its_own_grants_once(place: &Place) {
    let cases: [(GrantsOf<'static>, &str); 8] = [
        (GrantsOf::Id("b"), "b"),
        (GrantsOf::Session("sid-s1"), "ab"),
        (GrantsOf::User("s1"), "abcf"),
        (GrantsOf::UserOutside("s1", "sid-s1"), "f"),
        (GrantsOf::UserOutside("s1", "sid-s2"), "abcf"),
        (GrantsOf::Client("chat"), "acd"),
        (GrantsOf::UserAtClient("s1", "chat"), "ac"),
        (GrantsOf::Id("standing-chat"), "standing-chat"),
    ];
    let all = [
        grant("a", "s1", "chat"),
        grant("b", "s1", "site"),
        offline_grant("c", "s1", "chat"),
        grant("d", "s2", "chat"),
        grant("e", "s2", "site"),
        // Without a browser.
        Grant { sid: None, ..grant("f", "s1", "site") },
    ];
    for (index, (which, expected)) in cases.into_iter().enumerate() {
        // Each case has a world of its own, rolled back at its end.
        let all = all.clone();
        let answer: Result<(), _> = place.write(move |store| {
            people_and_clients(store)?;
            all.iter().try_for_each(|grant| store.insert_grant(grant))?;
            let mut ids = store.revoke_grants(which, NOW.plus(3))?;
            ids.sort();
            assert_eq!(ids.concat(), expected, "case {index}");
            assert!(store.revoke_grants(which, NOW.plus(4))?.is_empty(), "revoked once");
            for grant in store_all(store)? {
                assert_eq!(grant.revoked_at, ids.contains(&grant.id).then_some(NOW.plus(3)), "case {index}: {}", grant.id);
            }
            Err(propusk_domain::Fault::passing("roll back").into())
        });
        assert_eq!(answer.map_err(super::place::describe), Err("roll back".to_owned()));
    }
}

fn store_all(store: &mut dyn Store) -> Result<Vec<Grant>, propusk_domain::Fault> {
    ["a", "b", "c", "d", "e", "f", "standing-chat", "standing-site"].iter().map(|id| Ok(store.find_grant(id)?.unwrap())).collect()
}

fn live_grants_are_listed_newest_first(place: &Place) {
    let aged = |id: &str, sub: &str, client_id: &str, age: i64| Grant { created_at: NOW.plus(-age), ..grant(id, sub, client_id) };
    insert(place, vec![aged("a", "s1", "chat", 9), aged("b", "s1", "site", 5), aged("c", "s2", "chat", 7), aged("d", "s1", "chat", 1)]);
    place.put(|store| store.revoke_grants(GrantsOf::Id("d"), NOW));
    let ids = |sub, client_id, limit| {
        place.look(|store| store.list_grants(sub, client_id, limit)).into_iter().map(|grant| grant.id).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(Some("s1"), None, 10), "b a");
    assert_eq!(ids(Some("s1"), Some("chat"), 10), "a");
    assert_eq!(ids(None, Some("chat"), 10), "standing-chat c a");
    assert_eq!(ids(None, None, 3), "standing-site standing-chat b");
}

fn a_denied_token_is_listed_until_it_expires(place: &Place) {
    place.put(|store| {
        store.deny_token("j2", NOW.plus(20))?;
        store.deny_token("j1", NOW.plus(10))?;
        store.deny_token("j1", NOW.plus(10))
    });
    let listed = |at: UnixTime| place.look(|store| store.list_denied(at));
    assert_eq!(listed(NOW), [("j1".to_owned(), NOW.plus(10)), ("j2".to_owned(), NOW.plus(20))]);
    assert_eq!(listed(NOW.plus(10)), [("j2".to_owned(), NOW.plus(20))]);
}
