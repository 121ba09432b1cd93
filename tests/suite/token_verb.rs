//! `propusk token …` as an operator uses it on a running server, on both pairs of backends.

use crate::rocketchat_tools::{Answer, propusk, propusk_plain};
use propusk_domain::client::Preset;
use propusk_domain::{UnixTime, personal_token};
use propusk_protocol::Scope;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, Registered, TestServer};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

propusk_tests::on_each_backend![
    a_token_made_by_the_operator_works_until_it_is_revoked,
    a_token_made_by_the_operator_ends_with_its_days,
    what_cannot_be_is_refused_with_its_reason_and_its_exit_code,
];

const DAY: i64 = 86_400;

/// A server at the time of the machine: the binary has the machine's clock.
#[expect(clippy::disallowed_methods, reason = "the binary under test reads the same clock")]
fn server(backend: Backend) -> TestServer {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    TestServer::at(backend, UnixTime(i64::try_from(since.as_secs()).unwrap()))
}

#[track_caller]
fn told(server: &TestServer, arguments: &[&str]) -> Value {
    let answer = propusk(server, arguments, "");
    assert_eq!(answer.code, 0, "{arguments:?}: {}{}", answer.stdout, answer.stderr);
    answer.json()
}

#[track_caller]
fn human(server: &TestServer, arguments: &[&str]) -> Answer {
    propusk_plain(server, arguments, "")
}

fn introspect(server: &TestServer, asking: &Registered, token: &str) -> Value {
    let form = [("token", token), ("client_id", asking.id()), ("client_secret", &asking.secret)];
    Request::post(&server.url("/oauth/introspect")).post_form(&form).send().unwrap().json()
}

fn users(server: &TestServer, token: &str) -> Response {
    Request::get(&server.url("/api/v1/users")).bearer(token).send().unwrap()
}

fn a_token_made_by_the_operator_works_until_it_is_revoked(backend: Backend) {
    let server = server(backend);
    let (anna, api) = (server.add_user("anna", "moderator"), server.add_client("api", Preset::Api));
    let made = told(&server, &["token", "create", "--user", "anna", "--name", "backup script", "--scope", "openid roles", "--days", "90"]);
    let members: Vec<&str> = made.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["client_id", "created_at", "expires_at", "id", "last_used_at", "name", "scope", "sub", "token"]);
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert!(personal_token::is_well_formed(token), "{token}");
    assert_eq!((made["sub"].as_str(), &made["client_id"], &made["last_used_at"]), (Some(&*anna.user.sub), &Value::Null, &Value::Null));

    let claims = server.userinfo(token);
    assert_eq!((claims.status, claims.json()), (200, json!({"sub": anna.user.sub, "roles": ["moderator"]})));
    let known = introspect(&server, &api, token);
    assert_eq!((known["active"].as_bool(), known["scope"].as_str(), known["jti"].as_str()), (Some(true), Some("openid roles"), Some(id)));

    // Listed with its owner; the secret was shown once and is nowhere any more.
    let listed = propusk(&server, &["token", "list", "--user", "anna"], "");
    assert!(!listed.stdout.contains(token) && !listed.stdout.contains("digest"), "{}", listed.stdout);
    let mut without = made.clone();
    without.as_object_mut().unwrap().remove("token");
    assert_eq!(listed.json(), json!([without]));
    let table = human(&server, &["token", "list"]);
    assert!(
        table.code == 0 && table.stdout.contains("anna") && table.stdout.contains("backup script") && table.stdout.contains(id),
        "{}",
        table.stdout
    );
    assert!(!table.stdout.contains(token));

    // Dead within a second of the revocation, though another process revoked it.
    assert_eq!(told(&server, &["token", "revoke", id]), json!({"revoked": 1, "id": id}));
    let began = Instant::now();
    while server.userinfo(token).status != 401 {
        assert!(began.elapsed() < Duration::from_secs(1), "still alive a second after it was revoked");
    }
    assert_eq!(introspect(&server, &api, token), json!({"active": false}));
    assert_eq!(told(&server, &["token", "list"]), json!([]));
    let again = propusk(&server, &["token", "revoke", id], "");
    assert_eq!((again.code, again.json()["error"]["cause"].as_str()), (1, Some("token_revoked")));
    let again = human(&server, &["token", "revoke", id]);
    assert!(again.code == 1 && again.stdout.is_empty() && again.stderr.contains("propusk token list"), "{}", again.stderr);
    assert_eq!((server.audit("personal_token_created").len(), server.audit("personal_token_revoked").len()), (1, 1));
    assert!(server.audit("personal_token_created")[0].detail.as_ref().is_some_and(|detail| detail.contains(id) && !detail.contains(token)));
}

fn a_token_made_by_the_operator_ends_with_its_days(backend: Backend) {
    let server = server(backend);
    let scopes = Scope::parse("propusk:users").unwrap();
    server.add_client_with("registration", Preset::Service, |new| new.scopes = Some(scopes));
    let create = ["token", "create", "--client", "registration", "--name", "cron", "--scope", "propusk:users", "--days", "1"];
    let shown = human(&server, &create);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    assert!(shown.stdout.contains("shown this once"), "{}", shown.stdout);
    let token = shown.stdout.split_whitespace().find(|word| word.starts_with(personal_token::PREFIX)).unwrap();
    assert_eq!(users(&server, token).status, 200);
    let listed = told(&server, &["token", "list", "--client", "registration"]);
    let of = (listed[0]["client_id"].as_str(), &listed[0]["sub"], listed[0]["name"].as_str());
    assert_eq!((listed.as_array().unwrap().len(), of), (1, (Some("registration"), &Value::Null, Some("cron"))));
    // Minutes may pass between the server's start and the binary's run.
    server.advance(DAY - 3600);
    assert_eq!(users(&server, token).status, 200);
    server.advance(2 * 3600);
    assert_eq!(users(&server, token).status, 401);
}

fn what_cannot_be_is_refused_with_its_reason_and_its_exit_code(backend: Backend) {
    let server = server(backend);
    let scopes = Scope::parse("read").unwrap();
    server.add_user("anna", "owner");
    server.add_client_with("service", Preset::Service, |new| new.scopes = Some(scopes));
    let create = |owner: [&str; 2], name: &str, scope: &str, days: &str| {
        let more = ["--name", name, "--scope", scope, "--days", days];
        let answer = propusk(&server, &[&["token", "create"], &owner[..], &more[..]].concat(), "");
        let error = &answer.json()["error"];
        (answer.code, error["cause"].as_str().or(error["kind"].as_str()).unwrap_or_else(|| panic!("{}", answer.stdout)).to_owned())
    };
    let (anna, service) = (["--user", "anna"], ["--client", "service"]);
    let refused = |cause: &str| (1, cause.to_owned());
    assert_eq!(create(["--user", "nobody"], "x", "openid", "1"), refused("unknown_user"));
    assert_eq!(create(["--client", "nobody"], "x", "read", "1"), refused("unknown_client"));
    for scope in ["propusk:users", "openid read", "offline_access"] {
        assert_eq!(create(anna, "x", scope, "1"), refused("scope_not_allowed"), "{scope}");
    }
    assert_eq!(create(service, "x", "read propusk:users", "1"), refused("scope_not_allowed"));
    for (name, days) in [("", "1"), (" x", "1"), ("x", "0"), ("x", "367")] {
        assert_eq!(create(anna, name, "openid", days), refused("invalid_setting"), "{name:?} {days}");
    }
    for (scope, days) in [("open\"id", "1"), ("openid", "-1"), ("openid", "soon")] {
        assert_eq!(create(anna, "x", scope, days), (2, "usage".to_owned()), "{scope} {days}");
    }
    for arguments in [
        &["token", "create", "--name", "x", "--scope", "openid"][..],
        &["token", "create", "--user", "anna", "--client", "service", "--name", "x", "--scope", "openid"],
        &["token", "list", "--user", "anna", "--client", "service"],
        &["token", "revoke"],
    ] {
        let answer = propusk(&server, arguments, "");
        assert_eq!((answer.code, answer.json()["error"]["kind"].as_str()), (2, Some("usage")), "{arguments:?}");
    }
    for (arguments, cause) in [
        (&["token", "list", "--user", "nobody"][..], "unknown_user"),
        (&["token", "list", "--client", "nobody"], "unknown_client"),
        (&["token", "revoke", "nothing"], "token_revoked"),
    ] {
        let answer = propusk(&server, arguments, "");
        assert_eq!((answer.code, answer.json()["error"]["cause"].as_str()), (1, Some(cause)), "{arguments:?}");
    }
    assert_eq!(told(&server, &["token", "list"]), json!([]), "nothing was made");
    assert_eq!(server.audit("personal_token_created").len(), 0);
}
