//! `/api/v1/users`: what services may do with people, on both pairs of backends.

mod if_match;

use propusk_domain::admin::clients::ClientPatch;
use propusk_domain::client::Preset;
use propusk_protocol::Scope;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, Registered, TestServer};
use serde_json::{Value, json};

propusk_tests::on_each_backend![
    a_service_creates_reads_changes_and_disables_a_person,
    pages_follow_one_another_and_filters_hold,
    a_role_changed_by_the_service_is_told_at_userinfo_at_once,
    a_password_set_by_the_service_signs_the_person_out,
    people_of_another_site_are_found_by_the_subject_that_they_had,
    only_a_living_token_of_the_clients_own_with_the_scope_opens_the_api,
    a_nul_in_the_path_or_in_a_member_is_refused,
    a_member_that_says_nothing_is_refused_and_named,
];

/// A registration service with a token.
fn service(server: &TestServer, scope: &str) -> (Registered, String) {
    let service = server.add_client_with("registration", Preset::Service, |new| new.scopes = Some(Scope::parse(scope).unwrap()));
    let answer = server.token(&service, &[("grant_type", "client_credentials")]);
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    (service, token)
}

fn call(server: &TestServer, token: &str, method: &str, path: &str, body: Option<&Value>) -> Response {
    let request = Request::new(method, &server.url(&format!("/api/v1/users{path}"))).bearer(token);
    let request = match body {
        Some(body) => request.header("Content-Type", "application/json").body(body.to_string()),
        None => request,
    };
    request.send().unwrap()
}

/// The members that an answer complains of.
fn complaints(response: &Response) -> Vec<String> {
    let errors = response.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}

fn a_service_creates_reads_changes_and_disables_a_person(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "propusk:users");
    let new = json!({
        "username": "anna", "role": "user", "email": "anna@example.org", "email_verified": true, "name": "Анна",
        "password": "зелёный чайник поёт", "claims": {"birthdate": "1990-04-01", "address": {"locality": "Казань"}}
    });
    let created = call(&server, &token, "POST", "", Some(&new));
    assert_eq!(created.status, 201, "{}", created.text());
    let anna = created.json();
    let sub = anna["sub"].as_str().unwrap();
    assert_eq!(created.location(), Some(server.url(&format!("/api/v1/users/{sub}")).as_str()));
    assert_eq!((anna["state"].as_str(), anna["has_password"].as_bool()), (Some("active"), Some(true)));
    assert_eq!(anna["claims"], json!({"birthdate": "1990-04-01", "address": {"locality": "Казань"}}));
    assert_eq!(call(&server, &token, "GET", &format!("/{sub}"), None).json(), anna);

    // The person signs in with it.
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let mut browser = propusk_tests::browser::Browser::new().stop_at(site.redirect_uri());
    browser.visit(&server.authorize_url(&site, &[])).unwrap();
    assert!(browser.sign_in("ANNA@example.org", "зелёный чайник поёт").unwrap().param("code").is_some());

    let changed = call(&server, &token, "PATCH", &format!("/{sub}"), Some(&json!({"name": null, "email": "a@new.example", "role": "moderator"})));
    assert_eq!(changed.status, 200, "{}", changed.text());
    let changed = changed.json();
    assert_eq!((changed["name"].as_str(), changed["email"].as_str(), changed["role"].as_str()), (None, Some("a@new.example"), Some("moderator")));
    assert_eq!(changed["email_verified"], false, "another address is not known to be the person's");
    assert_eq!(changed["claims"], anna["claims"], "what the body does not name stays");

    let disabled = call(&server, &token, "PATCH", &format!("/{sub}"), Some(&json!({"state": "disabled"})));
    assert_eq!(disabled.json()["state"], "disabled");
    assert_eq!(server.audit("user_disabled").len(), 1);
    let acts: Vec<_> = server.audit("users_api").into_iter().rev().map(|event| (event.client_id.unwrap(), event.detail.unwrap())).collect();
    let acts: Vec<(&str, &str)> = acts.iter().map(|(client, act)| (client.as_str(), act.as_str())).collect();
    assert_eq!(acts.len(), 3);
    for act in ["user_added", "user_changed", "disabled"] {
        assert!(acts.contains(&("registration", act)), "{act}: {acts:?}");
    }
}

fn pages_follow_one_another_and_filters_hold(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "propusk:users");
    for index in 0..7 {
        server.add_user(&format!("user{index}"), if index % 2 == 0 { "user" } else { "moderator" });
    }
    let names = |answer: &Response| -> Vec<String> {
        answer.json()["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
    };
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = call(&server, &token, "GET", &format!("?limit=3&cursor={cursor}"), None);
        assert_eq!(answer.status, 200, "{}", answer.text());
        seen.extend(names(&answer));
        match answer.json()["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen, (0..7).map(|index| format!("user{index}")).collect::<Vec<_>>());
    assert_eq!(names(&call(&server, &token, "GET", "?role=moderator", None)), ["user1", "user3", "user5"]);
    assert_eq!(names(&call(&server, &token, "GET", "?search=USER4%40", None)), ["user4"]);
    assert_eq!(names(&call(&server, &token, "GET", "?username=USER2", None)), ["user2"]);
    let patch = |sub: &str, body: Value| assert_eq!(call(&server, &token, "PATCH", &format!("/{sub}"), Some(&body)).status, 200);
    let user3 = server.look(|cx| Ok(cx.store.find_user_by_name("user3")?)).unwrap();
    patch(&user3.sub, json!({ "name": "Анна Петрова", "claims": { "given_name": "Анна", "family_name": "Щукина" } }));
    for search in ["петров", "АННА", "щукин"] {
        let query = propusk_protocol::form::encode(&[("search", search)]);
        assert_eq!(names(&call(&server, &token, "GET", &format!("?{query}"), None)), ["user3"], "{search}");
    }
    patch(&user3.sub, json!({ "name": "Vera" }));
    let query = propusk_protocol::form::encode(&[("search", "петров")]);
    assert_eq!(names(&call(&server, &token, "GET", &format!("?{query}"), None)).len(), 0, "a name that was given up finds nobody");
    assert_eq!(names(&call(&server, &token, "GET", "?username=nobody", None)).len(), 0);
    assert_eq!(names(&call(&server, &token, "GET", "?state=disabled", None)).len(), 0);
    for (query, field) in [("limit=0", "limit"), ("limit=501", "limit"), ("limit=x", "limit"), ("state=gone", "state")] {
        let answer = call(&server, &token, "GET", &format!("?{query}"), None);
        assert_eq!((answer.status, complaints(&answer)), (400, vec![field.to_owned()]), "{query}");
    }
}

fn a_role_changed_by_the_service_is_told_at_userinfo_at_once(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "propusk:users");
    let (anna, chat) = (server.add_user("anna", "user"), server.add_client("rocketchat", Preset::RocketChat));
    let tokens = server.tokens(&chat, &anna, "openid");
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(server.userinfo(access).json()["roles"], json!(["user"]));
    let answer = call(&server, &token, "PATCH", &format!("/{}", anna.user.sub), Some(&json!({"role": "owner"})));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(server.userinfo(access).json()["roles"].as_array().unwrap().contains(&json!("admin")));
    let answer = call(&server, &token, "PATCH", &format!("/{}", anna.user.sub), Some(&json!({"state": "disabled"})));
    assert_eq!(answer.status, 200);
    assert_eq!(server.userinfo(access).status, 401);
}

/// Subjects of our own are letters, digits, underscore and hyphen; one that was taken over may be a user name or an address.
fn people_of_another_site_are_found_by_the_subject_that_they_had(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "propusk:users");
    let subjects = ["dot.name", "mail@example.org", "a+b", "-_.", "50%", "a/b", "q?x=1#y", "x\"y"];
    let records: Vec<Value> =
        subjects.iter().enumerate().map(|(pk, name)| crate::imports::user_record(json!(pk), name, json!({ "first_name": "Имя" }))).collect();
    let answer = crate::imports::import(&server, crate::imports::dump(&records).path(), &["--sub", "username"]);
    assert_eq!(answer.json()["users"]["added"], subjects.len(), "{}", answer.stdout);
    for subject in subjects {
        let encoded: String =
            subject.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect();
        let answer = call(&server, &token, "GET", &format!("/{encoded}"), None);
        assert_eq!((answer.status, answer.json()["sub"].clone()), (200, json!(subject)), "{subject}: {}", answer.text());
        let answer = call(&server, &token, "PATCH", &format!("/{encoded}"), Some(&json!({ "name": "Имя Фамилия" })));
        assert_eq!((answer.status, answer.json()["name"].clone()), (200, json!("Имя Фамилия")), "{subject}");
    }
    let query = propusk_protocol::form::encode(&[("search", "фамилия"), ("limit", "3")]);
    let found = call(&server, &token, "GET", &format!("?{query}"), None).json();
    assert_eq!(found["users"].as_array().unwrap().len(), 3, "{found}");
}

fn a_password_set_by_the_service_signs_the_person_out(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "propusk:users");
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let tokens = server.tokens(&site, &anna, "openid");
    let path = format!("/{}/password", anna.user.sub);
    for bad in ["short", "password1", "anna@example.org", &"x".repeat(1025)] {
        let answer = call(&server, &token, "PUT", &path, Some(&json!({ "password": bad })));
        assert_eq!((answer.status, complaints(&answer)), (400, vec!["password".to_owned()]), "{bad}");
        assert!(!answer.text().contains(bad), "the answer repeats no password");
    }
    assert_eq!(server.userinfo(tokens["access_token"].as_str().unwrap()).status, 200);
    let answer = call(&server, &token, "PUT", &path, Some(&json!({"password": "four unrelated words"})));
    assert_eq!((answer.status, answer.body.len()), (204, 0), "{}", answer.text());
    assert_eq!(server.userinfo(tokens["access_token"].as_str().unwrap()).status, 401);
    let mut browser = propusk_tests::browser::Browser::new().stop_at(site.redirect_uri());
    browser.visit(&server.authorize_url(&site, &[])).unwrap();
    assert!(browser.sign_in("anna", "four unrelated words").unwrap().param("code").is_some());
}

fn only_a_living_token_of_the_clients_own_with_the_scope_opens_the_api(backend: Backend) {
    let server = TestServer::start(backend);
    let (service, token) = service(&server, "propusk:users other");
    let anna = server.add_user("anna", "owner");
    let get = |request: Request| request.send().unwrap();
    let url = server.url("/api/v1/users");
    let bare = get(Request::get(&url));
    assert_eq!((bare.status, bare.header("www-authenticate")), (401, Some("Bearer realm=\"propusk\"")));
    for token in ["rubbish", "eyJhbGciOiJub25lIn0.e30."] {
        let answer = get(Request::get(&url).bearer(token));
        assert_eq!(answer.status, 401);
        assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    }
    // Basic proves nothing here, and neither does the token in the query.
    assert_eq!(get(Request::get(&url).basic(service.id(), &service.secret)).status, 401);
    assert_eq!(get(Request::get(&format!("{url}?access_token={token}"))).status, 401);
    assert_eq!(get(Request::get(&url).header("Authorization", format!("Token {token}"))).status, 200);

    let narrow = server.token(&service, &[("grant_type", "client_credentials"), ("scope", "other")]).json();
    let answer = get(Request::get(&url).bearer(narrow["access_token"].as_str().unwrap()));
    assert_eq!((answer.status, answer.json()["error"].as_str()), (403, Some("insufficient_scope")));
    let explained = server.explain(answer.json()["error_reference"].as_str().unwrap());
    assert_eq!(explained.detail.cause.slug(), "token_without_scope");

    // A person's token, even an owner's, even with the scope.
    let scopes = Scope::parse("openid propusk:users").unwrap();
    let site = server.add_client_with("site", Preset::Web, |new| {
        new.first_party = Some(true);
        new.scopes = Some(scopes.clone());
    });
    let persons = server.tokens(&site, &anna, "openid propusk:users");
    let answer = get(Request::get(&url).bearer(persons["access_token"].as_str().unwrap()));
    assert_eq!(answer.status, 403, "{}", answer.text());

    // Revoked, or the scope taken away: dead within a second.
    let revoked = Request::post(&server.url("/oauth/revoke"));
    let form = [("token", token.as_str()), ("client_id", service.id()), ("client_secret", &service.secret)];
    assert_eq!(revoked.post_form(&form).send().unwrap().status, 200);
    assert_eq!(get(Request::get(&url).bearer(&token)).status, 401);
    let fresh = server.token(&service, &[("grant_type", "client_credentials")]).json();
    let fresh = fresh["access_token"].as_str().unwrap().to_owned();
    assert_eq!(get(Request::get(&url).bearer(&fresh)).status, 200);
    server.set_client(service.id(), |patch: &mut ClientPatch| patch.scopes.remove = vec!["propusk:users".to_owned()]);
    server.settle();
    assert_eq!(get(Request::get(&url).bearer(&fresh)).status, 403);
}

#[test]
fn a_body_that_cannot_be_is_refused_member_by_member() {
    let server = TestServer::start(Backend::Sqlite);
    let (_, token) = service(&server, "propusk:users");
    let anna = server.add_user("anna", "user");
    let cases = [
        (json!({}), 400, vec!["username", "role"]),
        (json!({"username": "b", "role": "user", "is_admin": true, "sub": "x"}), 400, vec!["is_admin", "sub"]),
        (json!({"username": 7, "role": ["user"], "email_verified": "yes"}), 400, vec!["username", "role", "email_verified"]),
        (json!({"username": "б", "role": "user"}), 400, vec!["username"]),
        (json!({"username": "b", "role": "king"}), 400, vec!["role"]),
        (json!({"username": "b", "role": "user", "email": "none"}), 400, vec!["email"]),
        (json!({"username": "b", "role": "user", "claims": {"birthdate": "soon"}}), 400, vec!["claims.birthdate"]),
        (json!({"username": "b", "role": "user", "claims": {"name": "x", "sub": 1}}), 400, vec!["claims.name", "claims.sub"]),
        (json!({"username": "b", "role": "user", "claims": []}), 400, vec!["claims"]),
        (json!({"username": "b", "role": "user", "password": "12345678"}), 400, vec!["password"]),
        (json!({"username": "ANNA", "role": "user"}), 409, vec!["username"]),
        (json!({"username": "b", "role": "user", "email": "ANNA@example.org", "email_verified": true}), 409, vec!["email"]),
        (json!({"username": "b".repeat(5000), "role": "user"}), 400, vec!["username"]),
    ];
    for (body, status, fields) in cases {
        let answer = call(&server, &token, "POST", "", Some(&body));
        assert_eq!((answer.status, complaints(&answer)), (status, fields.iter().map(|&f| f.to_owned()).collect()), "{body}: {}", answer.text());
    }
    let post = |content_type: &str, body: &str| {
        let request = Request::post(&server.url("/api/v1/users")).bearer(&token).header("Content-Type", content_type);
        request.body(body.as_bytes()).send().unwrap().status
    };
    assert_eq!(post("application/json", "{\"username\": \"b\""), 400);
    assert_eq!(post("application/json", "[]"), 400);
    assert_eq!(post("application/x-www-form-urlencoded", "username=b"), 415);
    assert_eq!(post("application/json", &format!("\"{}\"", "x".repeat(200_000))), 413);
    let nobody = call(&server, &token, "PATCH", "/nobody", Some(&json!({"role": "user"})));
    assert_eq!((nobody.status, nobody.json()["error"].as_str()), (404, Some("not_found")));
    assert_eq!(call(&server, &token, "GET", "/anna", None).status, 404, "a name is no subject");
    assert_eq!(call(&server, &token, "DELETE", &format!("/{}", anna.user.sub), None).header("allow"), Some("GET, PATCH"));
    assert_eq!(server.audit("users_api").len(), 0, "nothing was changed");
}

#[test]
fn no_other_origin_is_answered() {
    let server = TestServer::start(Backend::Sqlite);
    server.add_client("app", Preset::Spa);
    let answer = Request::new("GET", &server.url("/api/v1/users")).header("Origin", "https://app.example").send().unwrap();
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, None));
}

/// PostgreSQL keeps no U+0000 in a text, and says so in a way that looks like a failure.
fn a_nul_in_the_path_or_in_a_member_is_refused(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "propusk:users");
    let sub = server.add_user("anna", "user").user.sub;
    let empty = json!({});
    for (method, path, body) in [
        ("GET", "/%00", None),
        ("PATCH", "/%00", Some(&empty)),
        ("PUT", "/%00/password", Some(&json!({"password": "four unrelated words"}))),
        ("POST", "/a%00/password-link", None),
        ("GET", &*format!("/{sub}%00"), None),
    ] {
        let answer = call(&server, &token, method, path, body);
        assert_eq!((answer.status, answer.json()["error"].as_str()), (404, Some("not_found")), "{method} {path}: {}", answer.text());
    }
    let new = |name: &str, value: Value| {
        let mut body = json!({"username": "boris", "role": "user"});
        body[name] = value;
        body
    };
    for (name, value) in [
        ("username", json!("a\u{0}")),
        ("role", json!("\u{0}")),
        ("email", json!("a\u{0}@example.org")),
        ("name", json!("\u{0}")),
        ("claims", json!({"nickname": "a\u{0}b"})),
        ("claims", json!({"nick\u{0}name": "a"})),
        ("password", json!("four unrelated\u{0}words")),
        ("else\u{0}", json!("a")),
    ] {
        let created = call(&server, &token, "POST", "", Some(&new(name, value.clone())));
        assert_eq!((created.status, !complaints(&created).is_empty()), (400, true), "{name} {value}: {}", created.text());
        let changed = call(&server, &token, "PATCH", &format!("/{sub}"), Some(&json!({name: value})));
        assert_eq!((changed.status, !complaints(&changed).is_empty()), (400, true), "{name}: {}", changed.text());
    }
    let password = call(&server, &token, "PUT", &format!("/{sub}/password"), Some(&json!({"password": "four\u{0}unrelated words"})));
    assert_eq!((password.status, complaints(&password)), (400, vec!["password".to_owned()]));
    for search in ["?username=%00", "?search=%00", "?cursor=%00", "?role=%00"] {
        assert_eq!(call(&server, &token, "GET", search, None).status, 400, "{search}");
    }
}

fn a_member_that_says_nothing_is_refused_and_named(backend: Backend) {
    let server = TestServer::start(backend);
    let (_, token) = service(&server, "propusk:users");
    let sub = server.add_user("anna", "user").user.sub;
    let before = call(&server, &token, "GET", &format!("/{sub}"), None).json();
    for (name, value) in [("username", json!("")), ("role", json!("")), ("state", json!("")), ("state", json!(null)), ("state", json!(1))] {
        let answer = call(&server, &token, "PATCH", &format!("/{sub}"), Some(&json!({name: value})));
        assert_eq!((answer.status, complaints(&answer)), (400, vec![name.to_owned()]), "{name} {value}: {}", answer.text());
    }
    assert_eq!(call(&server, &token, "GET", &format!("/{sub}"), None).json(), before);
    for name in ["username", "role", "password"] {
        let mut body = json!({"username": "boris", "role": "user", "password": "four unrelated words"});
        body[name] = json!("");
        let answer = call(&server, &token, "POST", "", Some(&body));
        assert_eq!((answer.status, complaints(&answer)), (400, vec![name.to_owned()]), "{}", answer.text());
    }
    // A person without a password is asked for by saying nothing of one.
    let bare = call(&server, &token, "POST", "", Some(&json!({"username": "boris", "role": "user", "password": null, "name": "", "email": ""})));
    assert_eq!((bare.status, &bare.json()["has_password"], &bare.json()["name"]), (201, &json!(false), &Value::Null), "{}", bare.text());
}
