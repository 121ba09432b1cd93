//! `/api/token/` answers as djangorestframework-simplejwt does: `tests/django/make_simplejwt.py` asked the original.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use propusk_domain::admin::users;
use propusk_domain::client::Preset;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, TestServer};
use serde_json::{Value, json};
use std::collections::BTreeMap;

propusk_tests::on_each_backend![
    every_answer_is_that_of_the_original,
    the_claims_of_the_original_name_the_person_by_the_key_of_the_site,
    guessing_is_slowed_down_as_at_the_sign_in_page,
    only_the_first_party_client_that_the_setting_names_is_served,
    a_nul_in_a_field_is_told_as_the_original_tells_it,
];

fn start(backend: Backend, first_party: bool) -> TestServer {
    let server = TestServer::with(backend, &[("compat.simplejwt.client", "app")]);
    server.add_client_with("app", Preset::Web, |new| new.first_party = Some(first_party));
    server
}

fn post(server: &TestServer, path: &str, body: &Value) -> Response {
    let request = Request::post(&server.url(path)).header("Content-Type", "application/json").body(body.to_string());
    request.send().unwrap()
}

fn pair(server: &TestServer, username: &str) -> Value {
    let answer = post(server, "/api/token/", &json!({ "username": username, "password": format!("correct horse {username}") }));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// What a program reads in an access token.
fn payload(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn every_answer_is_that_of_the_original(backend: Backend) {
    let server = start(backend, true);
    let (gleb, vera) = (server.add_user("gleb", "user"), server.add_user("vera", "user"));
    server.add_user("anna", "user");
    let mut tokens: BTreeMap<&str, String> = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    tokens.insert("expired_refresh", text(&pair(&server, "anna")["refresh"]));
    server.advance(200 * 86_400);
    tokens.insert("vera_refresh", text(&pair(&server, "vera")["refresh"]));
    for sub in [gleb.user.sub, vera.user.sub] {
        server.admin(move |cx| users::disable(cx, &sub));
    }
    server.settle();
    let anna = pair(&server, "anna");
    tokens.insert("access", text(&anna["access"]));
    tokens.insert("refresh", text(&anna["refresh"]));

    let cases: Vec<Value> = serde_json::from_str(include_str!("../../django/simplejwt.json")).unwrap();
    assert_eq!(cases.len(), 39);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let mut request = Request::new(case["method"].as_str().unwrap(), &server.url(case["path"].as_str().unwrap()));
        if let (Some(body), Some(media_type)) = (case["body"].as_str(), case["type"].as_str()) {
            let body = tokens.iter().fold(body.to_owned(), |body, (token, value)| body.replace(&format!("{{{token}}}"), value));
            request = request.header("Content-Type", media_type).body(body);
        }
        let answer = request.send().unwrap();
        assert_eq!(json!(answer.status), case["status"], "{name}: {}", answer.text());
        let mut told = answer.json();
        // The key at the site; people who were added here never had one.
        if let Some(expected) = case["claims"].as_object() {
            let claims = payload(&told["access"]);
            assert_eq!((&claims["token_type"], &claims["user_id"]), (&expected["token_type"], &claims["sub"]), "{name}");
        }
        for token in ["access", "refresh"] {
            if told.get(token).is_some_and(Value::is_string) {
                told[token] = json!("{token}");
            }
        }
        if name == "broken JSON" {
            // Where the reader stumbled is told by each language in its own words.
            assert!(told["detail"].as_str().unwrap().starts_with("JSON parse error - "), "{told}");
        } else {
            assert_eq!(told, case["answer"], "{name}");
        }
        assert_eq!(answer.header("www-authenticate"), case["headers"]["www-authenticate"].as_str(), "{name}");
    }
    // The access token is one of ours, and stands for the person.
    assert_eq!(server.userinfo(&tokens["access"]).json()["preferred_username"], "anna");
    assert_eq!(server.audit("signed_in")[0].detail.as_deref(), Some("by password, without a browser"));
}

/// Programs keep what belongs to a person under the key that the site had, whatever the subject is here.
fn the_claims_of_the_original_name_the_person_by_the_key_of_the_site(backend: Backend) {
    let server = start(backend, true);
    super::import(&server, &super::fixture("dot-3.4.json"), &[&super::ROLES[..], &["--sub", "username"]].concat());
    let anna = pair(&server, "anna");
    let refreshed = post(&server, "/api/token/refresh/", &json!({ "refresh": anna["refresh"] })).json();
    for token in [&anna["access"], &refreshed["access"]] {
        let claims = payload(token);
        assert_eq!((&claims["sub"], &claims["user_id"], &claims["token_type"]), (&json!("anna"), &json!("101"), &json!("access")));
    }
    // Nobody else's tokens have them.
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let nina = server.add_user("nina", "user");
    let claims = payload(&server.tokens(&site, &nina, "openid")["access_token"]);
    assert_eq!((&claims["user_id"], &claims["token_type"]), (&Value::Null, &Value::Null));
}

fn guessing_is_slowed_down_as_at_the_sign_in_page(backend: Backend) {
    let server = start(backend, true);
    server.add_user("anna", "user");
    let guess = || post(&server, "/api/token/", &json!({ "username": "anna", "password": "guess" }));
    let answers: Vec<Response> = (0..12).map(|_| guess()).collect();
    let throttled = answers.iter().find(|answer| answer.status == 429).expect("a pause");
    let seconds = throttled.header("retry-after").unwrap();
    assert!(throttled.json()["detail"].as_str().unwrap().starts_with(&format!("Request was throttled. Expected available in {seconds} second")));
    // It is the same account and the same counter: the right password waits, too.
    let right = post(&server, "/api/token/", &json!({ "username": "anna", "password": "correct horse anna" }));
    assert_eq!(right.status, 429);
}

fn only_the_first_party_client_that_the_setting_names_is_served(backend: Backend) {
    let third_party = start(backend, false);
    third_party.add_user("anna", "user");
    let body = json!({ "username": "anna", "password": "correct horse anna" });
    let answer = post(&third_party, "/api/token/", &body);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(third_party.audit("signed_in").is_empty());

    let server = start(backend, true);
    server.add_user("anna", "user");
    let anna = pair(&server, "anna");
    // A refresh token of another client is refused here, and revoking works as everywhere.
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let other = server.tokens(
        &site,
        &propusk_tests::server::Person {
            user: server.look(|cx| Ok(cx.store.find_user_by_name("anna")?)).unwrap(),
            password: "correct horse anna".to_owned(),
        },
        "openid offline_access",
    );
    let refused = post(&server, "/api/token/refresh/", &json!({ "refresh": other["refresh_token"] }));
    assert_eq!((refused.status, refused.json()["detail"].clone()), (401, json!("Token is invalid")));
    // No client can ask for such tokens at the token endpoint.
    let grant = [("grant_type", "password"), ("username", "anna"), ("password", "correct horse anna")];
    assert_eq!(server.token(&site, &grant).json()["error"], "unsupported_grant_type");
    server.admin(|cx| {
        let user = cx.store.find_user_by_name("anna")?.unwrap();
        propusk_domain::session::end_all(cx, &user.sub, propusk_domain::grant::Revocation::ByOperator)
    });
    server.settle();
    assert_eq!(post(&server, "/api/token/refresh/", &json!({ "refresh": anna["refresh"] })).status, 401);
    assert_eq!(post(&server, "/api/token/verify/", &json!({ "token": anna["access"] })).status, 401);
}

fn a_nul_in_a_field_is_told_as_the_original_tells_it(backend: Backend) {
    let server = start(backend, true);
    server.add_user("anna", "user");
    let told = |name: &str| json!({ name: ["Null characters are not allowed."] });
    for (path, name, body) in [
        ("/api/token/", "username", json!({ "username": "\u{0}", "password": "x" })),
        ("/api/token/", "password", json!({ "username": "anna", "password": "a\u{0}b" })),
        ("/api/token/refresh/", "refresh", json!({ "refresh": "ppr_\u{0}" })),
        ("/api/token/verify/", "token", json!({ "token": "\u{0}" })),
    ] {
        let answer = post(&server, path, &body);
        assert_eq!((answer.status, answer.json()), (400, told(name)), "{path}");
    }
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na\0\r\n\
                     --b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nx\r\n--b--\r\n";
    let request = Request::post(&server.url("/api/token/")).header("Content-Type", "multipart/form-data; boundary=b").body(multipart);
    let answer = request.send().unwrap();
    assert_eq!((answer.status, answer.json()), (400, told("username")));
}
