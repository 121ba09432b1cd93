//! `/api/v1/tokens`: what services may do with personal access tokens, on both pairs of backends.

use propusk_domain::Cx;
use propusk_domain::admin::clients::ClientPatch;
use propusk_domain::admin::users;
use propusk_domain::client::Preset;
use propusk_domain::personal_token::{self, Owner};
use propusk_protocol::Scope;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, Person, Registered, START, TestServer};
use serde_json::{Value, json};

propusk_tests::on_each_backend![
    a_service_makes_lists_and_ends_a_persons_token,
    a_service_makes_tokens_of_its_own_within_what_its_access_token_is_good_for,
    only_an_access_token_of_the_clients_own_with_the_scope_opens_the_api,
    a_personal_token_makes_reads_and_ends_no_other,
    no_scope_is_escalated,
    a_disabled_person_gets_no_token_and_keeps_none,
    another_clients_token_is_as_unknown_as_one_that_never_was,
    a_disabling_in_the_same_moment_leaves_no_living_token,
    what_no_token_can_be_made_of_is_refused_and_named,
];

const ALL: &str = "propusk:tokens propusk:users read";

/// A service with an access token of its own.
fn service(server: &TestServer, id: &str, scope: &str) -> (Registered, String) {
    let scopes = Scope::parse(scope).unwrap();
    let service = server.add_client_with(id, Preset::Service, |new| new.scopes = Some(scopes));
    let token = access_token(server, &service, scope);
    (service, token)
}

fn access_token(server: &TestServer, service: &Registered, scope: &str) -> String {
    let answer = server.token(service, &[("grant_type", "client_credentials"), ("scope", scope)]);
    answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

fn call(server: &TestServer, token: &str, method: &str, path: &str, body: Option<&Value>) -> Response {
    let request = Request::new(method, &server.url(&format!("/api/v1/tokens{path}"))).bearer(token);
    let request = match body {
        Some(body) => request.header("Content-Type", "application/json").body(body.to_string()),
        None => request,
    };
    request.send().unwrap()
}

/// A token that is made, with its secret.
#[track_caller]
fn made(server: &TestServer, token: &str, body: &Value) -> (String, String) {
    let answer = call(server, token, "POST", "", Some(body));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let answer = answer.json();
    (answer["id"].as_str().unwrap().to_owned(), answer["token"].as_str().unwrap().to_owned())
}

/// The members that an answer complains of.
fn complaints(response: &Response) -> Vec<String> {
    let errors = response.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}

fn living(server: &TestServer, sub: &str) -> usize {
    let sub = sub.to_owned();
    server.look(|cx: &mut Cx<'_>| Ok(cx.store.list_personal_tokens(Some(&sub), None)?.iter().filter(|token| token.is_alive(cx.now)).count()))
}

fn a_service_makes_lists_and_ends_a_persons_token(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "desk", "propusk:tokens");
    let anna = server.add_user("anna", "moderator");
    let sub = anna.user.sub.as_str();
    let answer = call(&server, &token, "POST", "", Some(&json!({"sub": sub, "name": "backup", "scope": "openid roles", "expires_in": 3600})));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let fresh = answer.json();
    let (id, secret) = (fresh["id"].as_str().unwrap(), fresh["token"].as_str().unwrap());
    assert_eq!(answer.location(), Some(server.url(&format!("/api/v1/tokens/{id}")).as_str()));
    assert_eq!((fresh["sub"].as_str(), &fresh["client_id"], fresh["expires_at"].as_i64()), (Some(sub), &Value::Null, Some(START.0 + 3600)));
    assert_eq!(server.userinfo(secret).json(), json!({"sub": sub, "roles": ["moderator"]}));

    // Without the secret, wherever it is read.
    let mut without = fresh.clone();
    without.as_object_mut().unwrap().remove("token");
    assert_eq!(call(&server, &token, "GET", &format!("/{id}"), None).json(), without);
    assert_eq!(call(&server, &token, "GET", &format!("?sub={sub}"), None).json(), json!({"tokens": [without]}));
    assert_eq!(call(&server, &token, "GET", "", None).json(), json!({"tokens": []}), "the client has none of its own");
    assert_eq!(call(&server, &token, "GET", "?sub=nobody", None).status, 404);

    // The last use is told once it is written.
    let noted = id.to_owned();
    server.admin(move |cx| Ok(cx.store.touch_personal_token(&noted, cx.now.plus(60))?));
    assert_eq!(call(&server, &token, "GET", &format!("/{id}"), None).json()["last_used_at"], START.0 + 60);

    // A person's own tokens are looked after, too; the end is at once and told once.
    let user = anna.user.clone();
    let (own, own_secret) = server.admin(move |cx| personal_token::create(cx, Owner::User(&user), "own", &Scope::parse("openid").unwrap(), 1));
    for (id, secret) in [(id, secret), (&own.id, own_secret.expose())] {
        let ended = call(&server, &token, "DELETE", &format!("/{id}"), None);
        assert_eq!((ended.status, ended.body.len()), (204, 0), "{}", ended.text());
        assert_eq!(server.userinfo(secret).status, 401);
        for method in ["DELETE", "GET"] {
            let again = call(&server, &token, method, &format!("/{id}"), None);
            assert_eq!((again.status, again.json()["error"].as_str()), (404, Some("not_found")));
        }
    }
    let acts: Vec<_> = server.audit("tokens_api").into_iter().rev().map(|event| (event.client_id, event.sub, event.detail.unwrap())).collect();
    assert!(acts.iter().all(|(client, of, _)| client.as_deref() == Some("desk") && of.as_deref() == Some(sub)));
    let acts: Vec<&str> = acts.iter().map(|(_, _, act)| act.as_str()).collect();
    assert_eq!(acts.len(), 3, "{acts:?}");
    for act in [format!("created: {id}"), format!("revoked: {id}"), format!("revoked: {}", own.id)] {
        assert!(acts.contains(&act.as_str()), "{act}: {acts:?}");
    }
    assert!(!acts.join(" ").contains(secret));
}

fn a_service_makes_tokens_of_its_own_within_what_its_access_token_is_good_for(backend: Backend) {
    let server = TestServer::start(backend);
    let (desk, token) = service(&server, "desk", ALL);
    let (id, secret) = made(&server, &token, &json!({"name": "cron", "scope": "propusk:users"}));
    let users = |token: &str| Request::get(&server.url("/api/v1/users")).bearer(token).send().unwrap().status;
    assert_eq!(users(&secret), 200);
    let listed = call(&server, &token, "GET", "", None).json();
    let own = &listed["tokens"][0];
    assert_eq!((own["id"].as_str(), own["client_id"].as_str(), &own["sub"]), (Some(&*id), Some("desk"), &Value::Null));
    assert_eq!(own["expires_at"], START.0 + 90 * 86_400, "a quarter unless it is said");
    assert_eq!(server.userinfo(&secret).status, 403, "a client is nobody");

    // One that was asked for a narrow scope makes nothing wider.
    let narrow = access_token(&server, &desk, "propusk:tokens");
    let answer = call(&server, &narrow, "POST", "", Some(&json!({"name": "wide", "scope": "propusk:users"})));
    assert_eq!((answer.status, answer.json()["error"].as_str(), complaints(&answer)), (400, Some("invalid_scope"), vec!["scope".to_owned()]));
    assert_eq!(call(&server, &token, "DELETE", &format!("/{id}"), None).status, 204);
    assert_eq!(users(&secret), 401);
}

fn only_an_access_token_of_the_clients_own_with_the_scope_opens_the_api(backend: Backend) {
    let server = TestServer::start(backend);
    let (desk, token) = service(&server, "desk", ALL);
    let (anna, url) = (server.add_user("anna", "owner"), server.url("/api/v1/tokens"));
    let (id, _) = made(&server, &token, &json!({"sub": anna.user.sub, "name": "x", "scope": "openid"}));
    let body = json!({"sub": anna.user.sub, "name": "y", "scope": "openid"});
    let bare = Request::get(&url).send().unwrap();
    assert_eq!((bare.status, bare.header("www-authenticate")), (401, Some("Bearer realm=\"propusk\"")));
    assert_eq!(Request::get(&url).basic(desk.id(), &desk.secret).send().unwrap().status, 401);
    assert_eq!(Request::get(&format!("{url}?access_token={token}")).send().unwrap().status, 401);

    // Without the scope, or a person's, even an owner's, even with the scope.
    let without = access_token(&server, &desk, "propusk:users read");
    let scopes = Scope::parse("openid propusk:tokens").unwrap();
    let site = server.add_client_with("site", Preset::Web, |new| {
        new.first_party = Some(true);
        new.scopes = Some(scopes);
    });
    let persons = server.tokens(&site, &anna, "openid propusk:tokens");
    for token in [without.as_str(), persons["access_token"].as_str().unwrap()] {
        for (method, path, body) in
            [("GET", "", None), ("POST", "", Some(&body)), ("GET", &*format!("/{id}"), None), ("DELETE", &*format!("/{id}"), None)]
        {
            let answer = call(&server, token, method, path, body);
            assert_eq!((answer.status, answer.json()["error"].as_str()), (403, Some("insufficient_scope")), "{method}");
            assert!(answer.header("www-authenticate").unwrap().contains("insufficient_scope"));
        }
    }
    assert_eq!(living(&server, &anna.user.sub), 1);

    // Taken from the client, it is taken from its living tokens.
    server.set_client("desk", |patch: &mut ClientPatch| patch.scopes.remove = vec!["propusk:tokens".to_owned()]);
    server.settle();
    assert_eq!(call(&server, &token, "GET", "", None).status, 403);
}

fn a_personal_token_makes_reads_and_ends_no_other(backend: Backend) {
    let server = TestServer::start(backend);
    let (desk, token) = service(&server, "desk", ALL);
    let anna = server.add_user("anna", "owner");
    let (id, persons) = made(&server, &token, &json!({"sub": anna.user.sub, "name": "x", "scope": "openid"}));
    let (_, own) = made(&server, &token, &json!({"name": "own", "scope": "propusk:users read"}));
    // One with the scope itself, from before it could not be had: written past the rule.
    let client = desk.client.clone();
    let (old, forged) = server.admin(move |cx| {
        let (mut token, secret) = personal_token::create(cx, Owner::Client(&client), "old", &Scope::parse("read").unwrap(), 1)?;
        token.id = format!("{}0", &token.id[..24]);
        token.scope = Scope::parse("propusk:tokens read").unwrap();
        let body = propusk_crypto::Secret::generate(cx.rng, "ppat_");
        let check: String = propusk_crypto::digest(body.expose()).chars().take(6).collect();
        let forged = format!("{}{check}", body.expose());
        token.digest = propusk_crypto::digest(&forged);
        cx.store.insert_personal_token(&token)?;
        drop(secret);
        Ok((token.id, forged))
    });
    assert!(personal_token::is_well_formed(&forged));
    for token in [&persons, &own, &forged] {
        for (method, path) in [("GET", String::new()), ("POST", String::new()), ("GET", format!("/{id}")), ("DELETE", format!("/{id}"))] {
            let body = json!({"sub": anna.user.sub, "name": "y", "scope": "openid"});
            let answer = call(&server, token, method, &path, (method == "POST").then_some(&body));
            assert_eq!((answer.status, answer.json()["error"].as_str()), (403, Some("insufficient_scope")), "{method} {path}");
            let explained = server.explain(answer.json()["error_reference"].as_str().unwrap());
            assert_eq!((explained.detail.cause.slug(), explained.detail.received.as_deref()), ("token_without_scope", Some("a personal token")));
        }
    }
    assert_eq!(living(&server, &anna.user.sub), 1);
    assert_eq!(call(&server, &token, "DELETE", &format!("/{old}"), None).status, 204, "the access token ends it");
    assert_eq!(call(&server, &forged, "GET", "", None).status, 401);
}

fn no_scope_is_escalated(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "desk", ALL);
    let anna = server.add_user("anna", "owner");
    let refused = |body: Value| {
        let answer = call(&server, &token, "POST", "", Some(&body));
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_scope")), "{body}: {}", answer.text());
        assert_eq!(complaints(&answer), ["scope"]);
    };
    for scope in ["propusk:users", "propusk:tokens", "openid propusk:users", "read", "offline_access", "chat.open", "read_user"] {
        refused(json!({"sub": anna.user.sub, "name": "x", "scope": scope}));
    }
    for scope in ["propusk:tokens", "read propusk:tokens", "openid", "write", "offline_access"] {
        refused(json!({"name": "x", "scope": scope}));
    }
    assert_eq!(living(&server, &anna.user.sub), 0);
    assert_eq!(server.audit("personal_token_created").len(), 0);
    // What was within the client's scopes when it was made opens nothing once they are taken away.
    let (_, secret) = made(&server, &token, &json!({"name": "x", "scope": "propusk:users"}));
    server.set_client("desk", |patch: &mut ClientPatch| patch.scopes.remove = vec!["propusk:users".to_owned()]);
    server.settle();
    assert_eq!(Request::get(&server.url("/api/v1/users")).bearer(&secret).send().unwrap().status, 403);
}

fn a_disabled_person_gets_no_token_and_keeps_none(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "desk", "propusk:tokens");
    let anna = server.add_user("anna", "user");
    let body = json!({"sub": anna.user.sub, "name": "x", "scope": "openid"});
    let (id, secret) = made(&server, &token, &body);
    let sub = anna.user.sub.clone();
    server.admin(move |cx| users::disable(cx, &sub));
    assert_eq!(server.userinfo(&secret).status, 401);
    let answer = call(&server, &token, "POST", "", Some(&body));
    assert_eq!((answer.status, answer.json()["error"].as_str(), complaints(&answer)), (409, Some("conflict"), vec!["sub".to_owned()]));
    assert_eq!(call(&server, &token, "DELETE", &format!("/{id}"), None).status, 404, "it has ended with the account");
    let sub = anna.user.sub.clone();
    server.admin(move |cx| users::enable(cx, &sub));
    assert_eq!((server.userinfo(&secret).status, living(&server, &anna.user.sub)), (401, 0), "an enabling brings nothing back");
    assert_eq!(call(&server, &token, "POST", "", Some(&json!({"sub": "nobody", "name": "x", "scope": "openid"}))).status, 404);
}

fn another_clients_token_is_as_unknown_as_one_that_never_was(backend: Backend) {
    let server = TestServer::start(backend);
    let ((_, desk), (_, other)) = (service(&server, "desk", ALL), service(&server, "other", ALL));
    let (id, secret) = made(&server, &desk, &json!({"name": "cron", "scope": "propusk:users"}));
    for method in ["GET", "DELETE"] {
        let known = |path: &str| {
            let mut answer = call(&server, &other, method, path, None);
            assert_eq!(answer.status, 404);
            let mut body = answer.json();
            body.as_object_mut().unwrap().remove("error_reference");
            answer.headers.sort();
            answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-request-id") && !name.eq_ignore_ascii_case("date"));
            (body, answer.headers)
        };
        assert_eq!(known(&format!("/{id}")), known("/0123456789abcdefghjkmnpqr"), "{method}");
    }
    assert_eq!(call(&server, &other, "GET", "", None).json(), json!({"tokens": []}));
    // Its name is no subject either.
    assert_eq!(call(&server, &other, "GET", "?sub=desk", None).status, 404);
    assert_eq!(Request::get(&server.url("/api/v1/users")).bearer(&secret).send().unwrap().status, 200, "it lives");
}

fn a_disabling_in_the_same_moment_leaves_no_living_token(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "desk", "propusk:tokens");
    for round in 0..6 {
        let Person { user, .. } = server.add_user(&format!("anna{round}"), "user");
        let body = json!({"sub": user.sub, "name": "x", "scope": "openid"});
        std::thread::scope(|scope| {
            let making = scope.spawn(|| call(&server, &token, "POST", "", Some(&body)).status);
            let sub = user.sub.clone();
            server.admin(move |cx| users::disable(cx, &sub));
            assert!(matches!(making.join().unwrap(), 201 | 409));
        });
        let sub = user.sub.clone();
        server.admin(move |cx| users::enable(cx, &sub));
        assert_eq!(living(&server, &user.sub), 0, "round {round}");
    }
}

#[test]
fn a_body_that_cannot_be_is_refused_member_by_member() {
    let server = TestServer::start(Backend::Sqlite);
    let (_, token) = service(&server, "desk", ALL);
    let anna = server.add_user("anna", "user");
    let cases = [
        (json!({}), vec!["name", "scope"]),
        (json!({"name": "x", "scope": "read", "days": 1, "client_id": "other"}), vec!["client_id", "days"]),
        (json!({"name": 7, "scope": ["read"], "expires_in": "soon"}), vec!["name", "scope", "expires_in"]),
        (json!({"name": " x", "scope": "read"}), vec!["name"]),
        (json!({"name": "a\nb", "scope": "read"}), vec!["name"]),
        (json!({"name": "x".repeat(101), "scope": "read"}), vec!["name"]),
        (json!({"name": "x", "scope": "re\"ad"}), vec!["scope"]),
        (json!({"name": "x", "scope": " "}), vec!["scope"]),
        (json!({"name": "x", "scope": "read", "expires_in": 0}), vec!["expires_in"]),
        (json!({"name": "x", "scope": "read", "expires_in": -1}), vec!["expires_in"]),
        (json!({"name": "x", "scope": "read", "expires_in": 1.5}), vec!["expires_in"]),
        (json!({"name": "x", "scope": "read", "expires_in": 31_622_401}), vec!["expires_in"]),
        (json!({"name": "x", "scope": "read", "expires_in": i64::MAX}), vec!["expires_in"]),
        (json!({"name": "x", "scope": "read", "sub": 1}), vec!["sub"]),
    ];
    for (body, fields) in cases {
        let answer = call(&server, &token, "POST", "", Some(&body));
        assert_eq!((answer.status, complaints(&answer)), (400, fields.iter().map(|&f| f.to_owned()).collect()), "{body}: {}", answer.text());
    }
    let post = |content_type: &str, body: &str| {
        let request = Request::post(&server.url("/api/v1/tokens")).bearer(&token).header("Content-Type", content_type);
        request.body(body.as_bytes()).send().unwrap().status
    };
    assert_eq!(post("application/json", "{\"name\": \"b\""), 400);
    assert_eq!(post("application/json", "[]"), 400);
    assert_eq!(post("application/x-www-form-urlencoded", "name=b"), 415);
    assert_eq!(post("application/json", &format!("\"{}\"", "x".repeat(200_000))), 413);
    let person = json!({"sub": anna.user.sub, "name": "x", "scope": "openid", "expires_in": 31_622_400});
    for _ in 0..50 {
        made(&server, &token, &person);
    }
    let answer = call(&server, &token, "POST", "", Some(&person));
    assert_eq!((answer.status, answer.json()["error"].as_str(), complaints(&answer).len()), (409, Some("conflict"), 0), "fifty are enough");
    assert_eq!(call(&server, &token, "PUT", "/x", None).header("allow"), Some("GET, DELETE"));
}

fn what_no_token_can_be_made_of_is_refused_and_named(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "desk", "propusk:tokens read");
    let body = |name: &str, value: Value| {
        let mut body = json!({"name": "x", "scope": "read"});
        body[name] = value;
        body
    };
    let cases = [
        // It would be the service's own.
        ("sub", json!("")),
        ("sub", json!("\u{0}")),
        ("name", json!("a\u{0}")),
        ("scope", json!("read\u{0}")),
        ("expires_in", json!(0)),
        ("expires_in", json!(-1)),
        ("expires_in", json!(366 * 86_400 + 1)),
    ];
    for (name, value) in cases {
        let answer = call(&server, &token, "POST", "", Some(&body(name, value.clone())));
        assert_eq!(answer.status, 400, "{name} {value}: {}", answer.text());
        assert!(complaints(&answer).iter().all(|field| field == name) && !complaints(&answer).is_empty(), "{name}: {}", answer.text());
        if name == "expires_in" {
            assert_eq!(answer.json()["errors"][0]["message"], "1 second to 366 days (31622400 seconds)", "{value}");
        }
    }
    for (method, path) in [("GET", "/%00"), ("DELETE", "/a%00")] {
        assert_eq!(call(&server, &token, method, path, None).status, 404, "{method} {path}");
    }
    assert_eq!(call(&server, &token, "GET", "?sub=%00", None).status, 400);
    assert_eq!(call(&server, &token, "GET", "", None).json(), json!({"tokens": []}));
    assert_eq!(call(&server, &token, "POST", "", Some(&body("sub", Value::Null))).status, 201);
}
