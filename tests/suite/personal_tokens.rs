//! Personal access tokens: what they open, and what ends them, on both pairs of backends.

use propusk_crypto::Secret;
use propusk_domain::admin::users;
use propusk_domain::client::{Introspect, Preset};
use propusk_domain::grant::Revocation;
use propusk_domain::personal_token::{self, Owner, PersonalToken};
use propusk_domain::{Cause, Error, session};
use propusk_protocol::Scope;
use propusk_tests::browser::Browser;
use propusk_tests::html::text_of;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, Person, Registered, TestServer};
use serde_json::json;

propusk_tests::on_each_backend![
    a_persons_token_tells_userinfo_and_introspection_what_its_scope_allows,
    a_clients_token_opens_the_users_api,
    revoking_disabling_and_signing_out_everywhere_end_a_token_at_once,
    a_token_ends_with_its_time_and_its_row_with_the_sweeper,
    the_last_use_is_noted_off_the_request_path,
    a_person_makes_and_revokes_tokens_on_the_account_page,
    the_account_page_says_why_no_token_was_made,
];

fn make(server: &TestServer, person: &Person, scope: &str, days: i64) -> (PersonalToken, Secret) {
    let (user, scope) = (person.user.clone(), Scope::parse(scope).unwrap());
    server.admin(move |cx| personal_token::create(cx, Owner::User(&user), "script", &scope, days))
}

fn introspect(server: &TestServer, asking: &Registered, token: &str) -> Response {
    let form = [("token", token), ("client_id", asking.id()), ("client_secret", &asking.secret)];
    Request::post(&server.url("/oauth/introspect")).post_form(&form).send().unwrap()
}

fn a_persons_token_tells_userinfo_and_introspection_what_its_scope_allows(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, api) = (server.add_user("anna", "moderator"), server.add_client("api", Preset::Api));
    let (token, secret) = make(&server, &anna, "openid email roles", 30);
    let claims = server.userinfo(secret.expose());
    assert_eq!(claims.status, 200, "{}", claims.text());
    let expected = json!({"sub": anna.user.sub, "email": "anna@example.org", "email_verified": true, "roles": ["moderator"]});
    assert_eq!(claims.json(), expected);
    let by_scheme = Request::get(&server.url("/oauth/userinfo")).header("Authorization", format!("Token {}", secret.expose()));
    assert_eq!(by_scheme.send().unwrap().json(), expected);

    let told = introspect(&server, &api, secret.expose()).json();
    assert_eq!(
        (told["active"].as_bool(), told["sub"].as_str(), told["scope"].as_str()),
        (Some(true), Some(&*anna.user.sub), Some("openid email roles"))
    );
    assert_eq!(
        (told["exp"].as_i64(), told["token_type"].as_str(), told["jti"].as_str()),
        (Some(token.expires_at.0), Some("Bearer"), Some(&*token.id))
    );
    assert_eq!((told["username"].as_str(), &told["roles"]), (Some("anna"), &json!(["moderator"])));
    // A role changed is a role told.
    let sub = anna.user.sub.clone();
    let patch = users::UserPatch { role: Some("user".into()), ..users::UserPatch::default() };
    server.admin(move |cx| users::set(cx, &sub, &patch));
    assert_eq!(server.userinfo(secret.expose()).json()["roles"], json!(["user"]));

    // A client that may ask about its own tokens alone learns nothing of a person's.
    let own = server.add_client_with("site", Preset::Web, |new| new.more.introspect = Some(Introspect::Own));
    assert_eq!(introspect(&server, &own, secret.expose()).json(), json!({"active": false}));
}

fn a_clients_token_opens_the_users_api(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, service) = (
        server.add_user("anna", "owner"),
        server.add_client_with("registration", Preset::Service, |new| new.scopes = Some(Scope::parse("propusk:users").unwrap())),
    );
    let client = service.client.clone();
    let (token, secret) =
        server.admin(move |cx| personal_token::create(cx, Owner::Client(&client), "cron", &Scope::parse("propusk:users").unwrap(), 1));
    let list = |token: &str| Request::get(&server.url("/api/v1/users")).header("Authorization", format!("Token {token}")).send().unwrap();
    assert_eq!(list(secret.expose()).json()["users"][0]["username"], "anna");
    assert_eq!(server.userinfo(secret.expose()).status, 403, "a client is nobody");
    let api = server.add_client("api", Preset::Api);
    let told = introspect(&server, &api, secret.expose()).json();
    assert_eq!((told["sub"].as_str(), told["client_id"].as_str()), (Some("registration"), Some("registration")));
    let (_, persons) = make(&server, &anna, "openid", 1);
    assert_eq!(list(persons.expose()).status, 403, "a person's token is no service's");
    let id = token.id.clone();
    assert!(server.admin(move |cx| personal_token::revoke(cx, &id, None)));
    assert_eq!(list(secret.expose()).status, 401);
}

fn revoking_disabling_and_signing_out_everywhere_end_a_token_at_once(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let sub = anna.user.sub.clone();
    let fresh = || make(&server, &anna, "openid", 1);

    let (token, secret) = fresh();
    assert_eq!(server.userinfo(secret.expose()).status, 200);
    let (id, stranger) = (token.id.clone(), "somebody else".to_owned());
    assert!(!server.admin(move |cx| personal_token::revoke(cx, &id, Some(&stranger))), "only the owner revokes it");
    let id = token.id.clone();
    assert!(server.admin(move |cx| personal_token::revoke(cx, &id, None)));
    let answer = server.userinfo(secret.expose());
    assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("invalid_token")));

    let (_, secret) = fresh();
    let who = sub.clone();
    server.admin(move |cx| session::end_all(cx, &who, Revocation::ByOperator));
    assert_eq!(server.userinfo(secret.expose()).status, 401);

    let (_, secret) = fresh();
    let who = sub.clone();
    server.admin(move |cx| users::set_password(cx, &who, "$argon2id$x".into()));
    assert_eq!(server.userinfo(secret.expose()).status, 401);

    let (_, secret) = fresh();
    let who = sub.clone();
    server.admin(move |cx| users::disable(cx, &who));
    assert_eq!(server.userinfo(secret.expose()).status, 401);
    server.admin(move |cx| users::enable(cx, &sub));
    assert_eq!(server.userinfo(secret.expose()).status, 401, "an enabling brings nothing back");
}

fn a_token_ends_with_its_time_and_its_row_with_the_sweeper(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let (token, secret) = make(&server, &anna, "openid", 1);
    server.advance(86_399);
    assert_eq!(server.userinfo(secret.expose()).status, 200);
    server.advance(1);
    let answer = server.userinfo(secret.expose());
    assert_eq!(answer.status, 401);
    let explained = server.explain(answer.json()["error_reference"].as_str().unwrap());
    assert_eq!(explained.detail.cause, Cause::TokenExpired);
    let retention = server.instance.settings.retention();
    let now = token.expires_at.plus(retention.ended + 1);
    server.admin(move |cx| Ok(cx.store.sweep(now, &retention)?));
    assert!(server.look(|cx| Ok(cx.store.find_personal_token_by_id(&token.id)?)).is_none());
}

fn the_last_use_is_noted_off_the_request_path(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let (token, secret) = make(&server, &anna, "openid", 30);
    let replica = server.replica(&[]);
    assert_eq!(replica.userinfo(secret.expose()).status, 200);
    let used = |server: &TestServer| server.look(|cx| Ok(cx.store.find_personal_token_by_id(&token.id)?)).unwrap().last_used_at;
    assert_eq!(used(&server), None);
    // What was noted is written when a server ends.
    drop(replica);
    assert_eq!(used(&server), Some(propusk_tests::server::START));
}

fn a_person_makes_and_revokes_tokens_on_the_account_page(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let mut browser = Browser::new();
    browser.visit(&server.url("/account")).unwrap();
    browser.sign_in("anna", &anna.password).unwrap();
    let form = browser.form_with("account-token-create").fill("token_name", "backup <script>");
    browser.submit(&form, form.button("account-token-create")).unwrap();
    let token = text_of(browser.html(), "account-token").unwrap_or_else(|| panic!("no token: {}", browser.html()));
    assert!(personal_token::is_well_formed(&token), "{token}");
    assert_eq!(server.userinfo(&token).status, 200);
    browser.visit(&server.url("/account")).unwrap();
    assert!(!browser.html().contains(&token), "shown once");
    assert!(browser.html().contains("backup &#60;script&#62;"));
    browser.press("account-token-revoke-1").unwrap();
    assert_eq!(server.userinfo(&token).status, 401);
    let form = browser.form_with("account-token-create").fill("token_name", " ");
    assert_eq!(browser.submit(&form, form.button("account-token-create")).unwrap().status(), 400);
    assert_eq!(server.audit("personal_token_created").len(), 1);
}

#[test]
fn no_token_is_more_than_its_owner() {
    let server = TestServer::start(Backend::Sqlite);
    let anna = server.add_user("anna", "owner");
    let client = server.add_client_with("service", Preset::Service, |new| new.scopes = Some(Scope::parse("read").unwrap())).client;
    let try_user = |name: &str, scope: &str, days: i64| {
        let (user, name, scope) = (anna.user.clone(), name.to_owned(), Scope::parse(scope).unwrap());
        let made = server.instance.write(move |cx| personal_token::create(cx, Owner::User(&user), &name, &scope, days).map(|_| ()));
        made.map_err(|error| match error {
            Error::Refused(refusal) => refusal.detail.cause,
            Error::Fault(fault) => panic!("{fault}"),
        })
    };
    for scope in ["propusk:users", "openid propusk:users", "offline_access", "chat.open"] {
        assert_eq!(try_user("x", scope, 1), Err(Cause::ScopeNotAllowed), "{scope}");
    }
    for (name, days) in [("", 1), (" x", 1), ("a\nb", 1), (&*"x".repeat(101), 1), ("x", 0), ("x", 367), ("x", -1)] {
        assert_eq!(try_user(name, "openid", days), Err(Cause::InvalidSetting), "{name:?} {days}");
    }
    let refused = server
        .instance
        .write(move |cx| personal_token::create(cx, Owner::Client(&client), "x", &Scope::parse("propusk:users").unwrap(), 1).map(|_| ()));
    assert!(matches!(refused, Err(Error::Refused(refusal)) if refusal.detail.cause == Cause::ScopeNotAllowed));
    for _ in 0..50 {
        try_user("x", "openid", 1).unwrap();
    }
    assert_eq!(try_user("x", "openid", 1), Err(Cause::InvalidSetting), "fifty are enough");
}

fn the_account_page_says_why_no_token_was_made(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let mut browser = Browser::new();
    browser.visit(&server.url("/account")).unwrap();
    browser.sign_in("anna", &anna.password).unwrap();
    for (name, scope, days, says) in [
        ("", "openid", "1", "a name, and 1 to 366 days"),
        ("x", "openid", "0", "a name, and 1 to 366 days"),
        ("x", "openid", "367", "a name, and 1 to 366 days"),
        ("x", "", "1", "choose from the list"),
        ("x", "propusk:users", "1", "choose from the list"),
        ("x", "\"", "1", "choose from the list"),
    ] {
        let form = browser.form_with("account-token-create").fill("token_name", name).fill("token_days", days).fill("token_scope", scope);
        let landing = browser.submit(&form, form.button("account-token-create")).unwrap();
        let notice = text_of(browser.html(), "account-notice").unwrap_or_default();
        assert!(landing.status() == 400 && notice.contains(says), "{name:?} {scope:?} {days}: {notice}");
    }
    for _ in 0..50 {
        make(&server, &anna, "openid", 1);
    }
    let form = browser.form_with("account-token-create").fill("token_name", "x");
    browser.submit(&form, form.button("account-token-create")).unwrap();
    assert!(text_of(browser.html(), "account-notice").unwrap_or_default().contains("too many"));
}

#[test]
fn guesses_foreign_paths_and_query_strings_open_nothing() {
    let server = TestServer::with(Backend::Sqlite, &[("compat.rocket_identity", "true")]);
    let anna = server.add_user("anna", "user");
    let chat = server.add_client("rocketchat", Preset::RocketChat);
    let api = server.add_client("api", Preset::Api);
    let (_, secret) = make(&server, &anna, "openid email", 1);
    let token = secret.expose();
    // Whoever signs in to the chat must have come through the chat's client.
    for path in [format!("/oauth/userinfo/{}", chat.id()), "/api/v1/auth/rocket/identity/".to_owned()] {
        let answer = Request::get(&server.url(&path)).bearer(token).send().unwrap();
        assert_eq!((answer.status, answer.json()["error"].as_str()), (403, Some("insufficient_scope")), "{path}");
    }
    let gitlab = Request::get(&server.url("/api/v4/user")).bearer(token).send().unwrap();
    assert_eq!(gitlab.status, 401, "{}", gitlab.text());
    let query = Request::get(&server.url(&format!("/oauth/userinfo?access_token={token}"))).send().unwrap();
    assert_eq!(query.status, 400);
    let (_, narrow) = make(&server, &anna, "email", 1);
    assert_eq!(server.userinfo(narrow.expose()).status, 403, "openid is needed");
    let other = Secret::generate(&propusk_crypto::SystemRandom, "ppat_");
    for bad in [other.expose(), "ppat_", "ppat_x", &token[..token.len() - 1], &format!("{token}x")] {
        assert_eq!(server.userinfo(bad).status, 401, "{bad}");
        assert_eq!(introspect(&server, &api, bad).json(), json!({"active": false}), "{bad}");
    }
    // It is no grant: it refreshes nothing and is no code.
    assert_eq!(server.refresh(&chat, token).status, 400);
    assert_eq!(server.redeem(&chat, token, &[]).status, 400);
}
