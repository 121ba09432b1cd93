//! Attacks with tokens: confusion of their kinds, of their keys, of their audiences.

use super::payload;
use propusk_crypto::Algorithm;
use propusk_domain::client::Preset;
use propusk_domain::keys;
use propusk_domain::records::KeyPurpose;
use propusk_tests::http::Request;
use propusk_tests::rocketchat::{Config, Login, Profile, RocketChat, Wire};
use propusk_tests::server::{Backend, TestServer};

propusk_tests::on_each_backend![
    an_id_token_is_no_access_token_and_an_access_token_no_hint,
    another_clients_token_at_the_chats_identity_path_is_refused,
    rocket_chats_rest_login_with_another_clients_token_is_refused,
    a_key_that_another_process_rotated_in_is_known_at_once,
    what_was_revoked_is_dead_in_every_process_within_a_second,
    userinfo_never_tells_what_was_true,
];

fn an_id_token_is_no_access_token_and_an_access_token_no_hint(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let tokens = server.tokens(&site, &anna, "openid");
    let (access, id) = (tokens["access_token"].as_str().unwrap(), tokens["id_token"].as_str().unwrap());
    // Two kinds by their type and by their audience.
    assert_ne!(payload(&tokens["access_token"])["aud"], "site");
    assert_eq!(payload(&tokens["id_token"])["aud"], "site");
    let refused = server.userinfo(id);
    assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("invalid_token")));
    assert_eq!(server.explain(refused.json()["error_reference"].as_str().unwrap()).detail.cause.slug(), "token_wrong_type");
    let asked = [("client_id", "site"), ("client_secret", &site.secret), ("token", id)];
    assert_eq!(Request::post(&server.url("/oauth/introspect")).post_form(&asked).send().unwrap().json(), serde_json::json!({"active": false}));
    // The other way round: the session stays, a page asks first.
    let (mut browser, _) = server.sign_in(&site, &anna, &[]);
    let landing = browser.visit(&server.url(&format!("/oauth/logout?id_token_hint={access}"))).unwrap();
    assert!(propusk_tests::html::has_id(&landing.html(), "logout-confirm"), "{}", landing.trace());
    assert_eq!(server.audit("session_ended").len(), 0);
    // And no hint of somebody: prompt=none is answered as if there were none.
    let silent = browser.visit(&server.authorize_url(&site, &[("prompt", "none"), ("id_token_hint", access)])).unwrap();
    assert!(silent.param("code").is_some(), "{}", silent.trace());
}

fn another_clients_token_at_the_chats_identity_path_is_refused(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, chat) = (server.add_user("anna", "owner"), server.add_client("rocketchat", Preset::RocketChat));
    let shop = server.add_client_with("shop", Preset::Web, |new| new.first_party = Some(true));
    // Even one that may send its token in the query.
    server.set_client("shop", |patch| patch.query_token = Some(true));
    server.settle();
    let token = |client| server.tokens(client, &anna, "openid")["access_token"].as_str().unwrap().to_owned();
    let (of_chat, of_shop) = (token(&chat), token(&shop));
    let path = server.url("/oauth/userinfo/rocketchat");
    assert_eq!(Request::get(&path).bearer(&of_chat).send().unwrap().status, 200);
    for request in [
        Request::get(&path).bearer(&of_shop),
        Request::get(&format!("{path}?access_token={of_shop}")),
        Request::post(&path).post_form(&[("access_token", &of_shop)]),
        Request::get(&format!("{}//oauth//userinfo//rocketchat/", server.issuer)).bearer(&of_shop),
    ] {
        let answer = request.send().unwrap();
        assert_eq!((answer.status, answer.json()["error"].as_str()), (403, Some("insufficient_scope")), "{}", request.url);
        assert!(answer.json().get("sub").is_none());
        assert_eq!(server.explain(answer.json()["error_reference"].as_str().unwrap()).detail.cause.slug(), "token_of_another_client");
    }
}

/// Rocket.Chat signs in whoever presents a token that its identity endpoint accepts.
fn rocket_chats_rest_login_with_another_clients_token_is_refused(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, chat) = (server.add_user("anna", "owner"), server.add_client("rocketchat", Preset::RocketChat));
    let shop = server.add_client_with("shop", Preset::Web, |new| new.first_party = Some(true));
    let token = |client| server.tokens(client, &anna, "openid profile email roles")["access_token"].as_str().unwrap().to_owned();
    let config = Config::recommended("https://chat.example", &server.issuer, "rocketchat", &chat.secret);
    let mut simulated = RocketChat::new(config, Profile::RestToken);
    assert!(matches!(simulated.rest_login(&token(&chat), 600, &mut Wire, 0), Login::In { .. }), "its own token signs in");
    let users = simulated.workspace.users.len();
    let refused = simulated.rest_login(&token(&shop), 600, &mut Wire, 0);
    assert!(matches!(refused, Login::Refused(_)), "{refused:?}");
    assert_eq!(simulated.workspace.users.len(), users);
}

fn a_key_that_another_process_rotated_in_is_known_at_once(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let old = server.tokens(&site, &anna, "openid")["access_token"].as_str().unwrap().to_owned();
    let master = server.instance.master.clone();
    let row = server.admin(move |cx| keys::rotate(cx, KeyPurpose::Sign(Algorithm::RS256), &master, true, 3600));
    // A process that starts now signs with the new key; the old one has not even looked yet.
    let replica = server.replica(&[]);
    let body = [("client_id", "site"), ("client_secret", &site.secret), ("grant_type", "authorization_code"), ("redirect_uri", site.redirect_uri())];
    let mut form = body.to_vec();
    let code = server.code(&site, &anna, &[]);
    form.push(("code", &code));
    let answer = Request::post(&replica.url("/oauth/token")).post_form(&form).send().unwrap();
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let header = propusk_crypto::UnverifiedJwt::parse(&token).unwrap().header;
    assert_eq!(header.kid.as_deref(), Some(row.kid.as_str()), "the replica signs with the new key");
    assert_eq!(server.userinfo(&token).status, 200);
    assert_eq!(server.userinfo(&old).status, 200, "what the old key signed lives on");
    let jwks = Request::get(&server.url("/oauth/jwks")).send().unwrap().json();
    let kids: Vec<&str> = jwks["keys"].as_array().unwrap().iter().filter_map(|key| key["kid"].as_str()).collect();
    assert!(kids.contains(&row.kid.as_str()), "{kids:?}");
}

fn what_was_revoked_is_dead_in_every_process_within_a_second(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let replica = server.replica(&[]);
    let tokens = server.tokens(&site, &anna, "openid offline_access");
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    // Both have it in their caches.
    assert_eq!((server.userinfo(access).status, replica.userinfo(access).status), (200, 200));
    let revocation = [("client_id", "site"), ("client_secret", site.secret.as_str()), ("token", refresh)];
    assert_eq!(Request::post(&server.url("/oauth/revoke")).post_form(&revocation).send().unwrap().status, 200);
    assert_eq!(server.userinfo(access).status, 401, "at once where it was revoked");
    server.settle();
    assert_eq!(replica.userinfo(access).status, 401, "and in the other process soon");
    for process in [&server, &replica] {
        assert_eq!(process.refresh(&site, refresh).json()["error"], "invalid_grant");
    }
    // Nothing brings it back: not time, not a restart.
    let again = server.replica(&[]);
    assert_eq!(again.userinfo(access).status, 401);
    assert_eq!(again.refresh(&site, refresh).json()["error"], "invalid_grant");
}

fn userinfo_never_tells_what_was_true(backend: Backend) {
    let server = TestServer::start(backend);
    let (anna, site) = (server.add_user("anna", "owner"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let token = server.tokens(&site, &anna, "openid")["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.userinfo(&token).json()["roles"], serde_json::json!(["owner"]));
    server.set_client("site", |patch| patch.disabled = Some(true));
    server.settle();
    let refused = server.userinfo(&token);
    assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("invalid_token")));
    server.set_client("site", |patch| patch.disabled = Some(false));
    server.settle();
    assert_eq!(server.userinfo(&token).status, 401, "switching the client on again brings nothing back");
}
