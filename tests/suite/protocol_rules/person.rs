//! What userinfo tells (OpenID Connect Core §5.1, §5.3, §5.4).

use propusk_domain::admin::users::{self, UserPatch};
use propusk_domain::client::Preset;
use propusk_tests::server::{Backend, Person, START, TestServer};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CLAIMS: &[(&str, &str)] = &[
    ("given_name", "Анна"),
    ("family_name", "Каренина"),
    ("middle_name", "Аркадьевна"),
    ("nickname", "Аня"),
    ("profile", "https://site.example/anna"),
    ("picture", "https://site.example/anna.png"),
    ("website", "https://anna.example/"),
    ("gender", "female"),
    ("birthdate", "1990-02-28"),
    ("zoneinfo", "Europe/Moscow"),
    ("locale", "ru-RU"),
    ("phone_number", "+7 495 000-00-00"),
    ("phone_number_verified", "true"),
    ("address.formatted", "ул. Садовая, 1\nМосква"),
    ("address.street_address", "ул. Садовая, 1"),
    ("address.locality", "Москва"),
    ("address.region", "Москва"),
    ("address.postal_code", "101000"),
    ("address.country", "RU"),
];

fn anna(server: &TestServer) -> Person {
    let anna = server.add_user("anna", "owner");
    let sub = anna.user.sub.clone();
    let claims: Vec<(String, String)> = CLAIMS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    server.admin(move |cx| users::set(cx, &sub, &UserPatch { claims: claims.clone(), ..UserPatch::default() }));
    server.settle();
    anna
}

fn told(server: &TestServer, person: &Person, scope: &str) -> Value {
    let id = format!("site-{}", scope.replace(' ', "-"));
    let site = server.add_client_with(&id, Preset::Web, |new| new.first_party = Some(true));
    let tokens = server.tokens(&site, person, scope);
    let response = server.userinfo(tokens["access_token"].as_str().unwrap());
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")), "{}", response.text());
    response.json()
}

#[test]
fn a_fully_populated_person_is_told_in_full() {
    let server = TestServer::start(Backend::Sqlite);
    let anna = anna(&server);
    let all = told(&server, &anna, "openid profile email phone address");
    assert_eq!(
        all,
        json!({
            "sub": anna.user.sub,
            "name": "Name of anna", "given_name": "Анна", "family_name": "Каренина", "middle_name": "Аркадьевна", "nickname": "Аня",
            "preferred_username": "anna", "profile": "https://site.example/anna", "picture": "https://site.example/anna.png",
            "website": "https://anna.example/", "gender": "female", "birthdate": "1990-02-28", "zoneinfo": "Europe/Moscow", "locale": "ru-RU",
            "updated_at": START.0,
            "email": "anna@example.org", "email_verified": true,
            "phone_number": "+7 495 000-00-00", "phone_number_verified": true,
            "address": {
                "formatted": "ул. Садовая, 1\nМосква", "street_address": "ул. Садовая, 1", "locality": "Москва", "region": "Москва",
                "postal_code": "101000", "country": "RU"
            },
            "roles": ["owner"],
        })
    );
}

#[test]
fn each_scope_asks_for_its_claims_and_for_no_others() {
    let server = TestServer::start(Backend::Sqlite);
    let anna = anna(&server);
    let always = ["sub", "roles"];
    let table: &[(&str, &[&str])] = &[
        ("openid", &[]),
        ("openid email", &["email", "email_verified"]),
        ("openid phone", &["phone_number", "phone_number_verified"]),
        ("openid address", &["address"]),
        ("openid roles groups", &[]),
    ];
    for (scope, expected) in table {
        let claims = told(&server, &anna, scope);
        let names: BTreeSet<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, always.iter().chain(*expected).copied().collect(), "{scope}");
    }
}

#[test]
fn a_person_of_whom_little_is_known_has_no_empty_claims() {
    let server = TestServer::start(Backend::Sqlite);
    let mut bob = server.add_user("bob", "user");
    let sub = bob.user.sub.clone();
    let patch = UserPatch { name: Some(String::new()), email: Some(String::new()), ..UserPatch::default() };
    bob.user = server.admin(move |cx| users::set(cx, &sub, &patch)).0;
    server.settle();
    let claims = told(&server, &bob, "openid profile email phone address");
    assert_eq!(claims, json!({ "sub": bob.user.sub, "preferred_username": "bob", "updated_at": START.0, "roles": ["user"] }));
}

#[test]
fn rocket_chat_is_told_what_it_maps_and_nothing_that_overrides_the_subject() {
    let server = TestServer::start(Backend::Sqlite);
    let anna = anna(&server);
    let chat = server.add_client("rocketchat", Preset::RocketChat);
    let tokens = server.tokens(&chat, &anna, "openid profile email");
    let claims = server.userinfo(tokens["access_token"].as_str().unwrap()).json();
    assert_eq!(
        claims,
        json!({
            "sub": anna.user.sub, "preferred_username": "anna", "name": "Name of anna", "picture": "https://site.example/anna.png",
            "locale": "ru-RU", "email": "anna@example.org", "email_verified": true,
            "roles": ["admin", "vip"], "groups": ["general", "vip", "moderators"],
        })
    );
    let sub = anna.user.sub.clone();
    server.admin(move |cx| users::set(cx, &sub, &UserPatch { email_verified: Some(false), ..UserPatch::default() }));
    server.settle();
    let claims = server.userinfo(tokens["access_token"].as_str().unwrap()).json();
    assert_eq!((claims.get("email"), claims.get("email_verified")), (None, None));
}
