//! Whatever the chat does: nothing lost, nothing half-done, nothing twice.

use super::{House, set};
use propusk_domain::admin::users;
use propusk_tests::rocketchat::rest::{Edition, Fault};
use propusk_tests::server::Backend;
use std::time::Duration;

propusk_tests::on_each_backend![
    a_chat_that_is_down_for_a_day_loses_nothing,
    of_two_replicas_one_changes_each_thing,
    an_answer_that_was_lost_changes_nothing_twice,
];

fn a_chat_that_is_down_for_a_day_loses_nothing(backend: Backend) {
    let mut house = House::new(backend, Edition::community(8, 6));
    let (anna, uta) = (house.known("anna", "user"), house.known("uta", "user"));
    house.chat.stop();
    house.set_role(&anna, "owner");
    house.set_role(&anna, "moderator");
    let sub = uta.user.sub.clone();
    house.server.admin(move |cx| users::disable(cx, &sub));
    house.wait_until(|| house.rows().iter().any(|row| row.failure.as_deref().is_some_and(|failure| failure.contains("cannot be reached"))));
    for _ in 0..4 {
        house.server.advance(6 * 3600);
        house.server.settle();
    }
    assert_eq!(house.rows().len(), 2, "one row a person, however often it changed");
    house.chat.resume();
    house.server.advance(3600);
    house.wait_for("anna", &["user", "admin"], &["general", "moderators"]);
    house.wait_until(|| {
        house.server.advance(60);
        !house.account("uta").2
    });
    house.quiet();
}

fn of_two_replicas_one_changes_each_thing(backend: Backend) {
    let house = House::new(backend, Edition::community(8, 6));
    let _replica = house.replica();
    let people: Vec<_> = ["a", "b", "c", "d", "e"].iter().map(|name| house.known(name, "user")).collect();
    for person in &people {
        house.set_role(person, "moderator");
    }
    for name in ["a", "b", "c", "d", "e"] {
        house.wait_for(name, &["user", "admin"], &["general", "moderators"]);
    }
    house.quiet();
    assert_eq!(house.changes(), 5 * 3, "one role and two channels each");
}

fn an_answer_that_was_lost_changes_nothing_twice(backend: Backend) {
    let house = House::new(backend, Edition::community(8, 6));
    let anna = house.known("anna", "user");
    for endpoint in ["roles.addUserToRole", "channels.invite", "groups.invite"] {
        house.chat.state().fault(endpoint, Fault::LoseAnswer, 1);
    }
    house.set_role(&anna, "owner");
    house.wait_until(|| {
        house.server.advance(30);
        house.rows().is_empty()
    });
    assert_eq!(house.account("anna").0, set(&["user", "admin", "Xk2vip"]));
    let state = house.chat.state();
    let members: Vec<_> = state.chat.workspace.rooms.iter().map(|room| room.members.iter().filter(|id| *id == "id-anna").count()).collect();
    assert!(members.iter().all(|times| *times <= 1), "{members:?}");
    assert_eq!(state.count("roles.addUserToRole"), 2, "each role once, although the answer to one was lost");
}

#[test]
fn after_every_kind_of_fault_the_chat_agrees_in_the_end() {
    let house = House::with(Backend::Sqlite, Edition::community(8, 6), &[("outbound.timeout", "1")]);
    let anna = house.known("anna", "user");
    let faults = [
        (Fault::Status(401), "refused the login"),
        (Fault::Status(403), "lacks a permission"),
        (Fault::Status(500), "makes no sense (status 500)"),
        (Fault::Html(502), "makes no sense (status 502)"),
        (Fault::Html(200), "makes no sense (status 200)"),
        (Fault::Garbage, "makes no sense"),
        (Fault::NotHttp, "cannot be reached"),
        (Fault::Close, "cannot be reached"),
        (Fault::Slow(Duration::from_secs(3)), "no complete answer"),
        (Fault::Never, "no complete answer"),
        (Fault::TooMany(7), "asks for patience: 7 s"),
        (Fault::TooManyByReset(9), "asks for patience: "),
    ];
    for (round, (fault, told)) in faults.into_iter().enumerate() {
        let (role, rooms): (&str, &[&str]) = if round % 2 == 0 { ("moderator", &["general", "moderators"]) } else { ("user", &["general"]) };
        let endpoint = ["", "users.info", "roles.", "channels."][round % 4];
        house.chat.state().fault(endpoint, fault.clone(), 1);
        house.set_role(&anna, role);
        house.wait_until(|| house.rows().iter().any(|row| row.failure.as_deref().is_some_and(|failure| failure.contains(told))));
        house.chat.state().heal();
        house.wait_until(|| {
            house.server.advance(5);
            house.rows().is_empty()
        });
        assert_eq!(house.account("anna").1, set(rooms), "{fault:?}");
        assert!(house.rows().is_empty());
    }
}

#[test]
fn what_an_operator_asks_for_is_tried_at_once_however_long_the_chat_was_away() {
    let mut house = House::new(Backend::Sqlite, Edition::community(8, 6));
    let anna = house.known("anna", "user");
    house.chat.stop();
    house.set_role(&anna, "moderator");
    // It rests longer after each failure, and its clock does not go on by itself.
    house.wait_until(|| {
        let failed = house.rows().iter().any(|row| row.attempts >= 5);
        if !failed {
            house.server.advance(30);
        }
        failed
    });
    house.chat.resume();
    house.server.admin(|cx| Ok(cx.store.retry_messages(None, cx.now)?));
    house.wait_for("anna", &["user", "admin"], &["general", "moderators"]);
}

#[test]
fn a_token_that_was_revoked_there_is_replaced_by_the_command_line() {
    let none = [("rocketchat.url", ""), ("rocketchat.user_id", ""), ("rocketchat.token", "")];
    let house = House::with(Backend::Sqlite, Edition::community(8, 6), &none);
    let (anna, connect) = (house.known("anna", "user"), |token: &str| {
        let command = format!("propusk rocketchat connect --chat-url {}/ --user-id u1 --token-stdin --json", house.chat.url());
        crate::explain::shell(&house.server, &command, &format!("{token}\n"))
    });
    // Nothing is looked after before there is a connection.
    house.set_role(&anna, "moderator");
    assert!(house.rows().is_empty());
    let first = house.chat.state().token_of("u1");
    assert!(connect(&first).contains("\"admin\": true"));
    let rest = house.server.look(|cx| Ok(cx.store.find_chat_state("connection")?)).unwrap();
    assert!(!rest.contains(&first) && rest.contains("v1."), "sealed at rest");
    house.set_role(&anna, "user");
    house.wait_for("anna", &["user"], &["general"]);
    house.chat.state().tokens.clear();
    house.set_role(&anna, "moderator");
    house.wait_until(|| house.rows().iter().any(|row| row.failure.as_deref() == Some("the chat refused the login (401)")));
    let second = house.chat.state().token_of("u1");
    connect(&second);
    house.wait_until(|| {
        house.server.advance(30);
        house.rows().is_empty()
    });
    assert_eq!(house.account("anna").0, set(&["user", "admin"]));
    // A token that does not work is not kept.
    let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| connect("wrong")));
    assert!(wrong.is_err());
    crate::explain::shell(&house.server, "propusk rocketchat disconnect", "");
    assert_eq!(house.server.look(|cx| Ok(cx.store.find_chat_state("connection")?)), None);
}

#[test]
fn an_account_that_was_renamed_there_is_still_theirs() {
    let house = House::new(Backend::Sqlite, Edition::community(8, 6));
    house.chat.state().services_visible = false;
    let anna = house.known("anna", "user");
    house.set_role(&anna, "moderator");
    house.wait_for("anna", &["user", "admin"], &["general", "moderators"]);
    house.quiet();
    {
        let mut state = house.chat.state();
        state.chat.workspace.users.iter_mut().filter(|user| user.id == "id-anna").for_each(|user| {
            user.username = Some("anna.new".into());
            user.emails.clear();
        });
        // And somebody else takes the old name.
        state.chat.workspace.add_local_user("anna", "other@example.net", true);
    }
    house.set_role(&anna, "owner");
    house.wait_for("anna.new", &["user", "admin", "Xk2vip"], &["general", "moderators", "vip"]);
    house.quiet();
    assert_eq!(house.account("anna").0, set(&["user"]));
}
