//! `If-Match`: a change of what the caller has seen, or none.

use super::{call, complaints, service};
use crate::explain::explain;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, TestServer};
use serde_json::{Value, json};
use std::sync::Barrier;

propusk_tests::on_each_backend![
    a_change_with_an_old_tag_changes_nothing,
    every_change_makes_another_tag_and_nothing_else_does,
    of_two_changes_with_one_tag_exactly_one_is_made,
    two_changes_at_once_of_different_members_are_both_kept,
];

/// A request of this person with `If-Match`.
fn put(server: &TestServer, token: &str, (method, path): (&str, &str), if_match: &str, body: &Value) -> Response {
    let request = Request::new(method, &server.url(&format!("/api/v1/users/{path}"))).bearer(token);
    request.header("If-Match", if_match).header("Content-Type", "application/json").body(body.to_string()).send().unwrap()
}

fn tag(response: &Response) -> String {
    let tag = response.header("etag").unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", response.json()["version"].as_str().unwrap()));
    tag
}

fn a_change_with_an_old_tag_changes_nothing(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "propusk:users");
    let anna = server.add_user("anna", "user");
    let sub = anna.user.sub.as_str();
    let seen = tag(&call(&server, &token, "GET", &format!("/{sub}"), None));
    let patch = |if_match: &str, body: Value| put(&server, &token, ("PATCH", sub), if_match, &body);

    let changed = patch(&seen, json!({"role": "moderator"}));
    assert_eq!((changed.status, changed.json()["role"].as_str()), (200, Some("moderator")), "{}", changed.text());
    let current = tag(&changed);
    let acts = server.audit("users_api").len();
    for stale in [seen.clone(), format!("W/{current}"), "\"\"".to_owned(), format!("{seen}, \"x\"")] {
        let refused = patch(&stale, json!({"role": "owner", "state": "disabled", "name": "Somebody"}));
        assert_eq!((refused.status, refused.json()["error"].as_str()), (412, Some("precondition_failed")), "{stale}: {}", refused.text());
        let explained = explain(&server, refused.json()["error_reference"].as_str().unwrap());
        assert_eq!((explained.of("cause"), explained.of("expected")), ("changed_since", format!("If-Match: {current}").as_str()));
    }
    let password = put(&server, &token, ("PUT", &format!("{sub}/password")), &seen, &json!({"password": "сорок тысяч обезьян"}));
    assert_eq!(password.status, 412, "{}", password.text());
    assert_eq!(tag(&call(&server, &token, "GET", &format!("/{sub}"), None)), current, "nothing has changed");
    assert_eq!(server.audit("users_api").len(), acts);

    assert_eq!(patch("*", json!({"name": "Анна"})).status, 200);
    let current = tag(&call(&server, &token, "GET", &format!("/{sub}"), None));
    assert_eq!(patch(&format!("\"other\", {current}"), json!({"name": "Аня"})).status, 200, "one of several");
    let current = tag(&call(&server, &token, "GET", &format!("/{sub}"), None));
    assert_eq!(put(&server, &token, ("PUT", &format!("{sub}/password")), &current, &json!({"password": "сорок тысяч обезьян"})).status, 204);
    for malformed in ["", "anna", "\"a", "\"a\" \"b\"", "*, \"a\"", "\"a b\""] {
        let refused = patch(malformed, json!({"role": "owner"}));
        assert_eq!((refused.status, complaints(&refused)), (400, vec!["If-Match".to_owned()]), "{malformed}: {}", refused.text());
    }
    let nobody = put(&server, &token, ("PATCH", "nobody"), "*", &json!({"role": "user"}));
    assert_eq!(nobody.status, 404, "there is no state of nobody");
}

fn every_change_makes_another_tag_and_nothing_else_does(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "propusk:users");
    let created = call(&server, &token, "POST", "", Some(&json!({"username": "anna", "role": "user"})));
    let sub = created.json()["sub"].as_str().unwrap().to_owned();
    let mut seen = vec![tag(&created)];
    for body in [
        json!({"role": "moderator"}),
        json!({"email": "anna@example.org"}),
        json!({"email_verified": true}),
        json!({"name": "Анна"}),
        json!({"claims": {"nickname": "Аня"}}),
        json!({"state": "disabled"}),
        json!({"state": "active"}),
    ] {
        let changed = call(&server, &token, "PATCH", &format!("/{sub}"), Some(&body));
        seen.push(tag(&changed));
        let again = call(&server, &token, "PATCH", &format!("/{sub}"), Some(&body));
        assert_eq!(tag(&again), tag(&changed), "{body}: what changes nothing keeps the tag");
    }
    assert_eq!(call(&server, &token, "PUT", &format!("/{sub}/password"), Some(&json!({"password": "зелёный чайник поёт"}))).status, 204);
    seen.push(tag(&call(&server, &token, "GET", &format!("/{sub}"), None)));
    let mut different = seen.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), seen.len(), "{seen:?}");
    let listed = call(&server, &token, "GET", "?username=anna", None).json();
    assert_eq!(format!("\"{}\"", listed["users"][0]["version"].as_str().unwrap()), *seen.last().unwrap(), "a list tells it, too");
}

/// Both requests at the same moment.
fn at_once(requests: [&(dyn Fn() -> Response + Sync); 2]) -> Vec<Response> {
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let running = requests.map(|request| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                request()
            })
        });
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn of_two_changes_with_one_tag_exactly_one_is_made(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "propusk:users");
    let sub = server.add_user("anna", "user").user.sub;
    for round in 0..12 {
        let seen = tag(&call(&server, &token, "GET", &format!("/{sub}"), None));
        let change = |name: String| put(&server, &token, ("PATCH", &sub), &seen, &json!({"name": name}));
        let answers = at_once([&|| change(format!("first {round}")), &|| change(format!("second {round}"))]);
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "round {round}");
        let made = answers.iter().find(|answer| answer.status == 200).unwrap().json();
        assert_eq!(call(&server, &token, "GET", &format!("/{sub}"), None).json(), made, "the one that was told so is what stands");
    }
}

fn two_changes_at_once_of_different_members_are_both_kept(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "propusk:users");
    let sub = server.add_user("anna", "user").user.sub;
    for round in 0..12 {
        let role = if round % 2 == 0 { "moderator" } else { "user" };
        let name = format!("Anna {round}");
        let change = |body: Value| call(&server, &token, "PATCH", &format!("/{sub}"), Some(&body));
        let answers = at_once([&|| change(json!({"name": name})), &|| change(json!({"role": role}))]);
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        let anna = call(&server, &token, "GET", &format!("/{sub}"), None).json();
        assert_eq!((anna["name"].as_str(), anna["role"].as_str()), (Some(name.as_str()), Some(role)), "round {round}");
    }
}
