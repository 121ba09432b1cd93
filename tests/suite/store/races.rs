//! Sixteen real threads at each gate.

use super::place::{Place, describe, race};
use super::samples::{NOW, client, grant, name, offline_grant, people_and_clients, user};
use propusk_crypto::{MasterKey, SystemRandom};
use propusk_domain::admin::clients::{self, ClientPatch, ListPatch};
use propusk_domain::admin::roles::ensure_defaults;
use propusk_domain::admin::users::{self, UserPatch};
use propusk_domain::keys::{ServerKeys, create_missing};
use propusk_domain::store::{GrantsOf, Store};
use propusk_domain::{Cx, Error};
use propusk_storage::Database;
use std::sync::Arc;

on_each_database![
    one_of_sixteen_redeems_the_code,
    one_of_sixteen_rotates_the_refresh_token,
    one_of_sixteen_gets_the_name,
    one_of_sixteen_adds_the_client,
    a_grant_is_revoked_by_one_of_sixteen,
    who_reads_first_and_writes_then_is_not_locked_out,
    a_removed_client_leaves_no_grant_behind,
    what_sixteen_operators_change_at_once_all_stands,
    what_sixteen_processes_find_missing_is_made_once,
];

fn winners(place: &Place, f: impl Fn(&mut dyn Store, usize) -> Result<bool, Error> + Clone + Send + Sync + 'static) -> usize {
    let database: Database = (**place).clone();
    let answers = race(16, move |index| {
        let f = f.clone();
        database.write(move |store| f(store, index)).map_err(describe)
    });
    answers.into_iter().filter(|answer| answer.clone().expect("a write")).count()
}

fn one_of_sixteen_redeems_the_code(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        (0..8).try_for_each(|n| store.insert_grant(&grant(&format!("g{n}"), "s1", "chat")))
    });
    for n in 0..8 {
        let won = winners(place, move |store, _| {
            let found = store.find_grant_by_code(&format!("code-g{n}"))?.expect("the grant");
            Ok(store.redeem_code(&found.id, NOW)?)
        });
        assert_eq!(won, 1, "round {n}");
    }
}

fn one_of_sixteen_rotates_the_refresh_token(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.insert_grant(&offline_grant("g", "s1", "chat"))
    });
    for generation in 1..9 {
        assert_eq!(winners(place, move |store, _| Ok(store.advance_refresh("g", generation, generation + 1, NOW)?)), 1);
    }
    assert_eq!(place.look(|store| store.find_grant("g")).unwrap().refresh.unwrap().generation, 9);
}

fn administer<T>(store: &mut dyn Store, work: impl FnOnce(&mut Cx<'_>) -> Result<T, Error>) -> Result<T, Error> {
    work(&mut Cx { store, rng: &SystemRandom, now: NOW, policy: &Arc::default(), keys: &ServerKeys::default() })
}

fn what_sixteen_operators_change_at_once_all_stands(place: &Place) {
    place.put(people_and_clients);
    place.write(|store| administer(store, ensure_defaults)).map_err(describe).expect("the roles");
    let uri = |index: usize| format!("https://chat.example.org/{index}");
    let changed = winners(place, move |store, index| {
        administer(store, |cx| {
            let nickname = UserPatch { add_aliases: vec![format!("alias{index}")], ..UserPatch::default() };
            let role = UserPatch { role: Some("moderator".into()), ..UserPatch::default() };
            users::set(cx, "s1", if index == 0 { &role } else { &nickname })?;
            let added = ListPatch { add: vec![uri(index)], ..ListPatch::default() };
            let disabled = (index == 0).then_some(true);
            clients::set(cx, "chat", &ClientPatch { redirect_uris: added, disabled, ..ClientPatch::default() })?;
            Ok(true)
        })
    });
    assert_eq!(changed, 16);
    let user = place.look(|store| store.find_user("s1")).unwrap();
    assert_eq!(user.role, "moderator", "a demotion is not lost");
    let names = place.look(|store| store.list_sign_in_names("s1"));
    assert_eq!(names.iter().filter(|name| name.name.starts_with("alias")).count(), 15);
    let client = place.look(|store| store.find_client("chat")).unwrap();
    assert!(client.disabled, "a disabling is not lost");
    assert!((0..16).all(|index| client.settings.redirect_uris.contains(&uri(index))), "{:?}", client.settings.redirect_uris);
}

fn what_sixteen_processes_find_missing_is_made_once(place: &Place) {
    let made = winners(place, |store, index| {
        // Each has a master key of its own; the keys of the winner are what the others find.
        let master = MasterKey::from_bytes(&[u8::try_from(index).expect("a small number"); 32]).expect("32 bytes");
        create_missing(store, &master, &SystemRandom, NOW)
    });
    assert_eq!(made, 1);
    assert_eq!(place.look(|store| store.list_keys()).len(), 5);
}

fn one_of_sixteen_gets_the_name(place: &Place) {
    place.put(people_and_clients);
    let won = winners(place, |store, index| {
        let sub = format!("x{index}");
        Ok(store.insert_user(&user(&sub, &sub))? && store.insert_sign_in_name(&name("boss", &sub))?)
    });
    assert_eq!(won, 1);
}

fn one_of_sixteen_adds_the_client(place: &Place) {
    assert_eq!(winners(place, |store, _| Ok(store.insert_client(&client("new"))?)), 1);
    assert_eq!(place.look(|store| store.find_client("new")).unwrap().secrets.len(), 2);
}

fn a_grant_is_revoked_by_one_of_sixteen(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.insert_grant(&grant("g", "s1", "chat"))
    });
    assert_eq!(winners(place, |store, _| Ok(store.revoke_grants(GrantsOf::Id("g"), NOW)?.len() == 1)), 1);
}

/// Transactions that begin with a read and write later fail at once on SQLite unless they take the lock at their beginning.
fn who_reads_first_and_writes_then_is_not_locked_out(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.insert_grant(&offline_grant("g", "s1", "chat"))
    });
    let moved = winners(place, |store, index| {
        let seen = store.find_grant("g")?.expect("the grant").refresh.expect("a refresh token");
        std::thread::yield_now();
        let _ = index;
        // On PostgreSQL others may have moved it meanwhile; nobody may be told a failure.
        Ok(store.advance_refresh("g", seen.generation, seen.generation + 1, NOW)?)
    });
    let generation = place.look(|store| store.find_grant("g")).unwrap().refresh.unwrap().generation;
    assert_eq!(generation, 1 + i64::try_from(moved).unwrap(), "each winner moved it by one");
}

fn a_removed_client_leaves_no_grant_behind(place: &Place) {
    place.put(people_and_clients);
    let database: Database = (**place).clone();
    let answers = race(16, move |index| {
        database.write(move |store| {
            if index == 7 {
                return Ok(store.delete_client("chat")?);
            }
            Ok(store.insert_grant(&grant(&format!("g{index}"), "s1", "chat")).map(|()| true)?)
        })
    });
    for answer in answers {
        // Who came too late hears that it may try again, and will find no client then.
        assert!(matches!(&answer, Ok(true)) || matches!(&answer, Err(Error::Fault(fault)) if fault.passing), "{:?}", answer.map_err(describe));
    }
    assert!(place.look(|store| store.list_grants(Some("s1"), None, 100)).is_empty());
}
