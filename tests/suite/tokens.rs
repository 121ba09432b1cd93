//! The token endpoint's grants as clients see them, on both pairs of backends.

use propusk_domain::admin::{clients, users};
use propusk_domain::client::Preset;
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, Registered, START, TestServer};
use std::sync::{Arc, Barrier};

propusk_tests::on_each_backend![
    a_code_answers_tokens_once_and_its_replay_kills_them,
    a_code_replayed_by_a_stranger_revokes_nothing,
    sixteen_threads_redeem_one_code_and_one_wins,
    sixteen_threads_refresh_one_token_and_all_get_its_one_successor,
    a_replaced_refresh_token_after_the_window_revokes_the_grant,
    a_code_expires_after_a_minute,
    a_disabled_person_is_gone_from_userinfo_at_once,
    client_credentials_write_nothing_durable,
    a_revoked_client_token_dies_alone,
    it_is_known_which_secret_is_still_in_use,
];

fn a_code_answers_tokens_once_and_its_replay_kills_them(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, chat) = (server.add_user("anna", "owner"), server.add_client("rocketchat", Preset::RocketChat));
    let code = server.code(&chat, &anna, &[]);
    let first = server.redeem(&chat, &code, &[]);
    assert_eq!((first.status, first.header("cache-control")), (200, Some("no-store")), "{}", first.text());
    let token = first.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.userinfo(&token).status, 200);
    // However late.
    server.advance(500);
    let again = server.redeem(&chat, &code, &[]);
    assert_eq!((again.status, again.reason.as_str()), (400, "invalid_grant"));
    assert_eq!(server.userinfo(&token).status, 401);
    assert_eq!(server.audit("grant_revoked")[0].detail.as_deref(), Some("code_reused"));
}

fn a_code_replayed_by_a_stranger_revokes_nothing(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, chat, other) =
        (server.add_user("anna", "user"), server.add_client("rocketchat", Preset::RocketChat), server.add_client("other", Preset::Web));
    let code = server.code(&chat, &anna, &[]);
    let token = server.redeem(&chat, &code, &[]).json()["access_token"].as_str().unwrap().to_owned();
    let stolen = server.token(&other, &[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", chat.redirect_uri())]);
    assert_eq!(stolen.json()["error"], "invalid_grant");
    let misbound = server.redeem(&chat, &code, &[("code_verifier", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG")]);
    assert_eq!(misbound.json()["error"], "invalid_grant");
    assert_eq!(server.userinfo(&token).status, 200);
}

fn sixteen_threads_redeem_one_code_and_one_wins(backend: Backend) {
    let server = Arc::new(TestServer::start(backend));
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let code = server.code(&site, &anna, &[("scope", "openid offline_access")]);
    let answers = race(16, {
        let (server, site) = (Arc::clone(&server), site.clone());
        move || {
            let response = server.redeem(&site, &code, &[]);
            (response.status, response.json())
        }
    });
    let winners: Vec<_> = answers.iter().filter(|(status, _)| *status == 200).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    assert!(answers.iter().filter(|(status, _)| *status != 200).all(|(status, body)| *status == 400 && body["error"] == "invalid_grant"));
    let tokens = &winners[0].1;
    assert_eq!(server.userinfo(tokens["access_token"].as_str().unwrap()).status, 401);
    assert_eq!(server.refresh(&site, tokens["refresh_token"].as_str().unwrap()).json()["error"], "invalid_grant");
}

fn sixteen_threads_refresh_one_token_and_all_get_its_one_successor(backend: Backend) {
    let server = Arc::new(TestServer::start(backend));
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let tokens = server.tokens(&site, &anna, "openid offline_access");
    let first = tokens["refresh_token"].as_str().unwrap().to_owned();
    let answers = race(16, {
        let (server, site, first) = (Arc::clone(&server), site.clone(), first.clone());
        move || server.refresh(&site, &first)
    });
    let successors: std::collections::BTreeSet<String> = answers
        .iter()
        .map(|response| {
            assert_eq!(response.status, 200, "{}", response.text());
            response.json()["refresh_token"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(successors.len(), 1);
    let grants = server.look(|cx| Ok(cx.store.list_grants(Some(&anna.user.sub), Some("site"), 10)?));
    assert_eq!(grants[0].refresh.as_ref().unwrap().generation, 2);
    assert_eq!(server.audit("refresh_retried").len(), 15);
}

fn a_replaced_refresh_token_after_the_window_revokes_the_grant(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let tokens = server.tokens(&site, &anna, "openid offline_access");
    let first = tokens["refresh_token"].as_str().unwrap();
    let second = server.refresh(&site, first).json();
    server.advance(30);
    assert_eq!(server.refresh(&site, first).json()["refresh_token"], second["refresh_token"], "inside the window the successor is the same");
    server.advance(1);
    let reused = server.refresh(&site, first);
    assert_eq!((reused.status, reused.json()["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(server.refresh(&site, second["refresh_token"].as_str().unwrap()).json()["error"], "invalid_grant");
    assert_eq!(server.userinfo(second["access_token"].as_str().unwrap()).status, 401);
    assert!(server.audit("grant_revoked")[0].detail.as_deref().unwrap().starts_with("refresh_reused"));
    let record = server.explain(reused.json()["error_reference"].as_str().unwrap());
    assert_eq!(record.detail.cause.slug(), "refresh_reused");
}

fn a_code_expires_after_a_minute(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, chat) = (server.add_user("anna", "user"), server.add_client("rocketchat", Preset::RocketChat));
    let (early, late) = (server.code(&chat, &anna, &[]), server.code(&chat, &anna, &[]));
    server.advance(59);
    assert_eq!(server.redeem(&chat, &early, &[]).status, 200);
    server.advance(1);
    let refused = server.redeem(&chat, &late, &[]);
    assert_eq!(refused.json()["error"], "invalid_grant");
    assert_eq!(server.explain(refused.json()["error_reference"].as_str().unwrap()).detail.cause.slug(), "code_expired");
}

fn a_disabled_person_is_gone_from_userinfo_at_once(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, chat) = (server.add_user("anna", "user"), server.add_client("rocketchat", Preset::RocketChat));
    let token = server.tokens(&chat, &anna, "openid")["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.userinfo(&token).json()["roles"], serde_json::json!(["user"]));
    let sub = anna.user.sub.clone();
    server.admin(move |cx| users::set(cx, &sub, &users::UserPatch { role: Some("owner".into()), ..users::UserPatch::default() }));
    server.settle();
    assert_eq!(server.userinfo(&token).json()["roles"], serde_json::json!(["admin", "vip"]));
    let sub = anna.user.sub.clone();
    server.admin(move |cx| users::disable(cx, &sub));
    server.settle();
    assert_eq!(server.userinfo(&token).status, 401);
    let sub = anna.user.sub;
    server.admin(move |cx| users::enable(cx, &sub));
    server.settle();
    assert_eq!(server.userinfo(&token).status, 401, "enabling brings nothing back");
}

fn client_credentials_write_nothing_durable(backend: Backend) {
    let server = TestServer::start(backend);
    let service = server.add_client_with("worker", Preset::Service, |new| new.scopes = Some(propusk_protocol::Scope::parse("jobs").unwrap()));
    let sizes = |server: &TestServer| server.look(|cx| Ok(cx.store.table_sizes()?));
    let before = sizes(&server);
    for _ in 0..5 {
        let response = server.token(&service, &[("grant_type", "client_credentials")]);
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.json()["scope"], "jobs");
    }
    assert_eq!(sizes(&server), before);
}

fn a_revoked_client_token_dies_alone(backend: Backend) {
    let server = TestServer::start(backend);
    let (service, api) = (server.add_client("worker", Preset::Service), server.add_client("api", Preset::Api));
    let tokens: Vec<String> =
        (0..2).map(|_| server.token(&service, &[("grant_type", "client_credentials")]).json()["access_token"].as_str().unwrap().to_owned()).collect();
    let active = |token: &str| {
        let form = [("client_id", "api"), ("client_secret", api.secret.as_str()), ("token", token)];
        Request::post(&server.url("/oauth/introspect")).post_form(&form).send().unwrap().json()["active"].as_bool().unwrap()
    };
    assert!(active(&tokens[0]) && active(&tokens[1]));
    let form = [("client_id", "worker"), ("client_secret", service.secret.as_str()), ("token", tokens[0].as_str())];
    assert_eq!(Request::post(&server.url("/oauth/revoke")).post_form(&form).send().unwrap().status, 200);
    assert!(!active(&tokens[0]) && active(&tokens[1]));
}

/// What an operator wants to know before the old secret is ended.
fn it_is_known_which_secret_is_still_in_use(backend: Backend) {
    let server = TestServer::start(backend);
    let old = server.add_client("worker", Preset::Service);
    server.advance(5);
    let new = server.admin(|cx| clients::rotate_secret(cx, "worker", 3600));
    let new = Registered { secret: new.expose().to_owned(), ..old.clone() };
    // Newest first.
    let used = |server: &TestServer| {
        let client = server.look(|cx| Ok(cx.store.find_client("worker")?)).unwrap();
        client.secrets.iter().map(|secret| secret.last_used_at.map(|at| at.since(START))).collect::<Vec<_>>()
    };
    let ask = |server: &TestServer, client: &Registered| {
        let form = [("client_id", "worker"), ("client_secret", client.secret.as_str()), ("grant_type", "client_credentials")];
        Request::post(&server.url("/oauth/token")).post_form(&form).send().unwrap().status
    };
    let wrong = Registered { secret: "wrong".into(), ..old.clone() };
    for (client, status, expected) in [(&wrong, 401, [None, None]), (&old, 200, [None, Some(5)]), (&new, 200, [Some(15), Some(5)])] {
        let replica = server.replica(&[]);
        assert_eq!(ask(&replica, client), status);
        // What was noted is written when a server ends.
        drop(replica);
        assert_eq!(used(&server), expected);
        server.advance(if status == 200 { 10 } else { 0 });
    }
}

/// Runs `f` on `count` threads that begin together.
fn race<T: Send + 'static>(count: usize, f: impl Fn() -> T + Send + Sync + 'static) -> Vec<T> {
    let (start, f) = (Arc::new(Barrier::new(count)), Arc::new(f));
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let (start, f) = (Arc::clone(&start), Arc::clone(&f));
            std::thread::spawn(move || {
                start.wait();
                f()
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}
