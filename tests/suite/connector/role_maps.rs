//! A map of roles that changes is followed by the chat at once, whoever changes it.

use super::{House, set};
use crate::rocketchat_tools::propusk;
use propusk_domain::admin::{clients, roles};
use propusk_domain::outbox::Topic;
use propusk_domain::roles::RoleMap;
use propusk_tests::rocketchat::rest::{Edition, Fault};
use propusk_tests::server::{Backend, TestServer};

propusk_tests::on_each_backend![
    a_map_that_is_applied_reaches_the_chat_at_once,
    another_map_of_the_client_takes_away_what_the_old_one_gave,
    changes_while_the_chat_is_down_are_one_row_and_nothing_is_lost,
    a_run_that_stood_somewhere_begins_anew_and_two_processes_change_nothing_twice,
];

/// The chat's own map with other roles.
fn map(pairs: &[(&str, &[&str])]) -> RoleMap {
    let [chat, _] = RoleMap::defaults();
    let words = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    RoleMap { roles: pairs.iter().map(|(role, values)| ((*role).to_owned(), words(values))).collect(), ..chat }
}

fn put(house: &House, map: &RoleMap) {
    let map = map.clone();
    assert!(house.server.admin(move |cx| roles::put_role_map(cx, &map)));
}

fn waiting(server: &TestServer) -> usize {
    server.look(|cx| Ok(cx.store.list_messages(Some(Topic::ChatEverybody), 100)?)).len()
}

/// People whose accounts agree with the first map.
fn agreed(house: &House) {
    for (name, role, roles, rooms) in [
        ("olga", "owner", &["user", "admin", "Xk2vip"][..], &["general", "vip", "moderators"][..]),
        ("max", "moderator", &["user", "admin"], &["general", "moderators"]),
        ("uta", "user", &["user"], &["general"]),
    ] {
        let person = house.known(name, "user");
        house.set_role(&person, "moderator");
        house.set_role(&person, "user");
        house.set_role(&person, role);
        house.wait_for(name, roles, rooms);
    }
    house.quiet();
}

fn a_map_that_is_applied_reaches_the_chat_at_once(backend: Backend) {
    // Nobody waits for the schedule: there is none.
    let house = House::with(backend, Edition::community(8, 6), &[("rocketchat.reconcile", "0")]);
    agreed(&house);
    let file = house.server.place().join("community.toml");
    let text = "[role_maps.rocket-chat.roles]\nowner = [\"admin\", \"vip\"]\nmoderator = [\"vip\"]\nuser = [\"user\"]\n\
                [role_maps.rocket-chat.groups]\nowner = [\"general\", \"vip\", \"moderators\"]\nmoderator = [\"general\", \"vip\"]\nuser = [\"general\"]\n";
    std::fs::write(&file, text).unwrap();
    let apply = |more: &[&str]| propusk(&house.server, &[&["apply", file.to_str().unwrap()], more].concat(), "");
    assert_eq!((apply(&["--plan"]).code, waiting(&house.server)), (3, 0), "a plan asks for nothing");
    assert_eq!(apply(&[]).code, 0);
    // The binary has the machine's clock, which runs ahead of the server's.
    house.wait_until(|| {
        house.server.advance(3600);
        waiting(&house.server) == 0
    });
    house.wait_for("max", &["user", "Xk2vip"], &["general", "vip"]);
    house.wait_for("olga", &["user", "admin", "Xk2vip"], &["general", "vip", "moderators"]);
    house.wait_for("uta", &["user"], &["general"]);
    house.quiet();
    // Applied again it changes nothing here, so nothing there.
    let changes = house.changes();
    assert_eq!((apply(&[]).code, waiting(&house.server)), (0, 0));
    assert_eq!(house.changes(), changes);
    assert!(house.server.audit("chat_account_changed").iter().any(|event| event.detail.as_deref().unwrap().contains("remove role admin")));
}

fn another_map_of_the_client_takes_away_what_the_old_one_gave(backend: Backend) {
    let house = House::with(backend, Edition::community(8, 6), &[("rocketchat.reconcile", "0")]);
    agreed(&house);
    // A map that says nothing of vip any more: whoever had it by the old one loses it, and `user` is never taken.
    let named = RoleMap { name: "plain".to_owned(), ..map(&[("owner", &["admin"]), ("moderator", &["admin"])]) };
    put(&house, &named);
    assert_eq!(waiting(&house.server), 0, "the chat has another map");
    let patch = clients::ClientPatch { role_map: Some("plain".to_owned()), ..clients::ClientPatch::default() };
    let change = patch.clone();
    house.server.admin(move |cx| clients::set(cx, "rocketchat", &change));
    house.wait_for("olga", &["user", "admin"], &["general", "vip", "moderators"]);
    house.quiet();
    // What is no other client's is none of the chat's business.
    house.server.add_client("site", propusk_domain::client::Preset::Web);
    house.server.admin(move |cx| clients::set(cx, "site", &patch));
    assert_eq!(waiting(&house.server), 0);
}

fn changes_while_the_chat_is_down_are_one_row_and_nothing_is_lost(backend: Backend) {
    let house = House::with(backend, Edition::community(8, 6), &[("rocketchat.reconcile", "0")]);
    agreed(&house);
    house.chat.state().fault("", Fault::Close, usize::MAX);
    put(&house, &map(&[("owner", &["admin"]), ("moderator", &["admin"]), ("user", &["user"])]));
    put(&house, &map(&[("owner", &["leader-of-all"]), ("moderator", &["vip"]), ("user", &["user"])]));
    put(&house, &map(&[("owner", &["admin"]), ("moderator", &[]), ("user", &["user"])]));
    assert_eq!(waiting(&house.server), 1, "they are looked after together");
    house.wait_until(|| {
        house.server.advance(1);
        house.rows().iter().any(|row| row.topic == Topic::ChatEverybody && row.attempts > 1 && row.failure.is_some())
    });
    house.chat.state().heal();
    // vip was given by a map that never reached the chat, and by the one that did.
    house.wait_until(|| {
        house.server.advance(60);
        house.account("max").0 == set(&["user"]) && house.account("olga").0 == set(&["user", "admin"])
    });
    house.wait_until(|| {
        house.server.advance(60);
        house.rows().is_empty()
    });
}

fn a_run_that_stood_somewhere_begins_anew_and_two_processes_change_nothing_twice(backend: Backend) {
    let house = House::with(backend, Edition::community(8, 6), &[("rocketchat.reconcile", "0")]);
    agreed(&house);
    let replica = house.replica();
    // An earlier run was cut off behind everybody: who stands before its place must not be passed over.
    let place = "{\"cursor\":\"zzz\",\"leased_until\":0,\"finished_at\":null,\"asked\":\"\",\"lease\":\"\"}";
    house.server.admin(move |cx| {
        let before = cx.store.find_chat_state("reconcile")?;
        Ok(cx.store.swap_chat_state("reconcile", before.as_deref(), Some(place))?)
    });
    let before = house.changes();
    put(&house, &map(&[("owner", &["admin", "vip"]), ("moderator", &["vip"]), ("user", &["user", "vip"])]));
    house.wait_for("max", &["user", "Xk2vip"], &["general", "moderators"]);
    house.wait_for("uta", &["user", "Xk2vip"], &["general"]);
    house.wait_until(|| {
        house.server.advance(1);
        house.rows().is_empty()
    });
    assert_eq!(house.changes() - before, 3, "{:#?}", house.chat.state().changes());
    drop(replica);
}

#[test]
fn without_a_chat_nothing_is_written_down() {
    let server = TestServer::start(Backend::Sqlite);
    server.add_client("rocketchat", propusk_domain::client::Preset::RocketChat);
    let map = map(&[("owner", &["admin"])]);
    assert!(server.admin(move |cx| roles::put_role_map(cx, &map)));
    assert_eq!(waiting(&server), 0);
}
