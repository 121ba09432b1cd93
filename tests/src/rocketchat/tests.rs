//! The simulator against its own specification: bytes, states, users. No server.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::normalize::{from_template, normalize_identity};
use super::*;
use crate::http::{HttpError, Request, Response, query_pairs, query_param};

const CHAT: &str = "https://chat.example.org";
const ID: &str = "https://id.example.org";

fn config() -> Config {
    Config::recommended(CHAT, ID, "rocketchat", "s3cr.et~")
}

fn answer(status: u16, reason: &str, body: &str) -> Response {
    Response { status, reason: reason.into(), headers: Vec::new(), body: body.into() }
}

/// An authorization server that gives a token and then this identity.
fn server(identity: Value) -> impl FnMut(&Request) -> Result<Response, HttpError> {
    move |request: &Request| {
        let body = if request.method == "POST" {
            json!({"access_token": "at.1", "token_type": "Bearer", "expires_in": 600, "id_token": "i.d.t"})
        } else {
            identity.clone()
        };
        Ok(answer(200, "OK", &body.to_string()))
    }
}

fn olga() -> Value {
    json!({"sub": "sub-1", "preferred_username": "olga", "name": "Ольга", "email": "olga@example.org", "roles": ["admin", "vip"],
        "groups": ["general", "vip"]})
}

fn with(mut identity: Value, name: &str, value: Value) -> Value {
    identity[name] = value;
    identity
}

/// A whole login in which the server only gives codes.
fn sign_in(chat: &mut RocketChat, identity: Value, now: u64) -> Login {
    let start = chat.start("b", &format!("{CHAT}/channel/x"), now).unwrap();
    let back = format!("{CHAT}/_oauth/besedka?code=c1&state={}", crate::http::encode_uri_component(&start.state));
    let answer = chat.callback("b", &back, &mut server(identity), now);
    chat.finish(answer, now)
}

fn legacy(config: Config) -> RocketChat {
    RocketChat::new(config, Profile::LegacyWeb(LoginStyle::Popup))
}

fn roles_after(claim: Value, before: &[&str]) -> Vec<String> {
    let mut chat = legacy(config().with_licence("admin,vip,moderator", "{}"));
    chat.workspace.add_role("Xk2custom", "vip");
    sign_in(&mut chat, with(olga(), "roles", json!([])), 0);
    let user = chat.workspace.users.iter_mut().find(|user| user.username.as_deref() == Some("olga")).unwrap();
    user.roles = before.iter().map(|role| (*role).to_owned()).collect();
    sign_in(&mut chat, with(olga(), "roles", claim), 1);
    chat.workspace.by_username("olga").unwrap().roles.clone()
}

#[test]
fn legacy_web_url_is_exact() {
    let mut chat = legacy(config());
    chat.entropy = Entropy::seeded(7);
    let start = chat.start("b", CHAT, 0).unwrap();
    let token = start.credential_token.unwrap();
    assert_eq!(token.len(), 43);
    let state = STANDARD.encode(format!(r#"{{"loginStyle":"popup","credentialToken":"{token}","isCordova":false}}"#));
    let encoded = state.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    assert_eq!(
        start.url,
        format!(
            "https://id.example.org/oauth/authorize?client_id=rocketchat&redirect_uri=https%3A%2F%2Fchat.example.org%2F_oauth%2Fbesedka\
             &response_type=code&state={encoded}&scope=openid%20profile%20email%20roles"
        )
    );
}

#[test]
fn legacy_redirect_state_with_plus_and_slash_of_three_kilobytes_survives() {
    let mut chat = RocketChat::new(config(), Profile::LegacyWeb(LoginStyle::Redirect));
    let here = format!("{CHAT}/channel/x?q={}", "???>>>~~~".repeat(300));
    let start = chat.start("b", &here, 0).unwrap();
    assert!(start.state.contains('+') && start.state.contains('/') && start.state.len() > 3000, "{}", start.state.len());
    assert_eq!(query_param(&start.url, "state").unwrap(), start.state, "percent-encoded, so + does not become a space");
    let back = format!("{CHAT}/_oauth/besedka?state={}&code=c1&iss=x", crate::http::encode_uri_component(&start.state));
    let landed = chat.callback("b", &back, &mut server(olga()), 1);
    let Login::In { landing, .. } = chat.finish(landed, 2) else { panic!("not signed in") };
    assert_eq!(landing.unwrap(), here);
    let sent = &chat.exchanges[0].request;
    assert_eq!(crate::http::form_decode(&sent.body)[3], ("state".to_owned(), start.state));
}

#[test]
fn mobile_state_is_url_safe_unpadded_and_not_encoded() {
    let mut chat = RocketChat::new(Config { mobile_url: Some("http://chat.example.org".into()), ..config() }, Profile::LegacyMobile);
    let start = chat.start("b", CHAT, 0).unwrap();
    assert!(start.incognito);
    let json = String::from_utf8(URL_SAFE_NO_PAD.decode(&start.state).unwrap()).unwrap();
    assert!(json.starts_with(r#"{"loginStyle":"popup","credentialToken":""#) && json.ends_with(r#","isCordova":true}"#), "{json}");
    assert!(start.url.contains(&format!("&state={}&scope=", start.state)));
    assert!(start.url.contains("redirect_uri=http%3A%2F%2Fchat.example.org%2F_oauth%2Fbesedka"), "as typed into the app");
    assert!(matches!(sign_in(&mut chat, olga(), 0), Login::In { .. }));
    let body = String::from_utf8(chat.exchanges[0].request.body.clone()).unwrap();
    assert!(body.contains("redirect_uri=https%3A%2F%2Fchat.example.org"), "the server sends its own address: {body}");
}

#[test]
fn modern_url_is_exact_and_keeps_the_query_of_the_path() {
    let path = "/oauth/authorize?foo=b%20r".to_owned();
    let mut chat = RocketChat::new(Config { authorize_path: path, ..config() }, Profile::Modern(LoginStyle::Redirect));
    let start = chat.start("b", CHAT, 10).unwrap();
    let session = start.session.unwrap();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(session.verifier.as_bytes()));
    assert_eq!((session.verifier.len(), session.state.len(), session.expires), (43, 24, 310));
    assert_eq!(session.slot, "oauth2:id.example.org");
    assert_eq!(
        start.url,
        format!(
            "https://id.example.org/oauth/authorize?foo=b%20r&response_type=code\
             &redirect_uri=https%3A%2F%2Fchat.example.org%2F_oauth%2Fbesedka&scope=openid%20profile%20email%20roles\
             &code_challenge={challenge}&code_challenge_method=S256&state={}&client_id=rocketchat",
            session.state
        )
    );
}

#[test]
fn paths_are_joined_without_repair() {
    let typed = |url: &str, path: &str| Config { url: url.into(), token_path: path.into(), ..config() };
    assert_eq!(typed("https://id/", "/oauth/token").token_url(Generation::Legacy), "https://id//oauth/token");
    assert_eq!(typed("https://id", "oauth/token").token_url(Generation::Modern), "https://idoauth/token");
    assert_eq!(typed("https://id", "https://in/token").token_url(Generation::Legacy), "https://in/token");
    assert_eq!(typed("https://id", "https://in/token").token_url(Generation::Modern), "https://idhttps://in/token");
    assert_eq!(Config { name: "My Бе-sedka_2".into(), ..config() }.key(), "mysedka_2");
}

#[test]
fn legacy_requests_are_exact_bytes() {
    let token = exchange::token_request(Profile::LegacyWeb(LoginStyle::Popup), &config(), Some("c d"), Some("a+/="), None);
    assert_eq!(
        String::from_utf8(token.to_bytes()).unwrap(),
        "POST /oauth/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nUser-Agent: Meteor/METEOR@3.4\r\n\
         Accept: application/json\r\nContent-Length: 164\r\nAccept-Encoding: gzip,deflate\r\nHost: id.example.org\r\n\
         Connection: keep-alive\r\n\r\n\
         code=c+d&redirect_uri=https%3A%2F%2Fchat.example.org%2F_oauth%2Fbesedka&grant_type=authorization_code&state=a%2B%2F%3D\
         &client_secret=s3cr.et%7E&client_id=rocketchat"
    );
    let header = Config { token_sent_via: SentVia::Header, ..config() };
    let token = exchange::token_request(Profile::LegacyMobile, &header, None, None, None);
    assert_eq!(token.header_value("authorization").unwrap(), format!("Basic {}", STANDARD.encode("rocketchat:s3cr.et~")));
    let body = String::from_utf8(token.body).unwrap();
    assert!(body.starts_with("code=undefined&") && body.ends_with("&state=undefined"), "{body}");
}

#[test]
fn modern_requests_are_exact_bytes_and_ignore_the_header_setting() {
    let config = Config { token_sent_via: SentVia::Header, identity_token_sent_via: SentVia::Payload, ..config() };
    let profile = Profile::Modern(LoginStyle::Popup);
    let token = exchange::token_request(profile, &config, Some("c d"), Some("ignored"), Some("ver"));
    let body = "grant_type=authorization_code&redirect_uri=https%3A%2F%2Fchat.example.org%2F_oauth%2Fbesedka&code_verifier=ver\
                &client_id=rocketchat&client_secret=s3cr.et~&code=c%20d";
    let head = "POST /oauth/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nHost: id.example.org\r\n\
                User-Agent: Node-oauth\r\nContent-Length: ";
    assert_eq!(String::from_utf8(token.to_bytes()).unwrap(), format!("{head}{}\r\nConnection: keep-alive\r\n\r\n{body}", body.len()));
    let identity = exchange::identity_request(profile, &config, "a.b");
    assert_eq!(
        String::from_utf8(identity.to_bytes()).unwrap(),
        "GET /oauth/userinfo/rocketchat?access_token=a.b HTTP/1.1\r\nHost: id.example.org\r\nUser-Agent: Node-oauth\r\n\
         Content-length: 0\r\nConnection: keep-alive\r\n\r\n"
    );
}

#[test]
fn identity_token_goes_where_the_settings_say() {
    let via = |token_sent_via, identity_token_sent_via| Config { token_sent_via, identity_token_sent_via, ..config() }.identity_via();
    assert_eq!(via(SentVia::Payload, SentVia::Default), SentVia::Payload, "out of the box it is in the query");
    assert_eq!(via(SentVia::Header, SentVia::Default), SentVia::Header);
    assert_eq!(via(SentVia::Header, SentVia::Payload), SentVia::Payload);
    let mut query = Config { access_token_param: "token".into(), identity_path: "/me?x=1".into(), ..config() };
    query.identity_token_sent_via = SentVia::Payload;
    assert_eq!(exchange::identity_request(Profile::RestToken, &query, "t").target(), "/me?x=1&token=t");
    let header = exchange::identity_request(Profile::Modern(LoginStyle::Popup), &config(), "t");
    assert_eq!(header.headers[0], ("Authorization".into(), b"Bearer t".to_vec()));
    assert!(header.header_value("accept").is_none());
}

#[test]
fn gitlab_shapes_are_fixed_and_its_token_is_in_the_query() {
    let config = Config::gitlab(CHAT, "https://id.example.org///", "rocketchat", "s");
    for generation in [Generation::Legacy, Generation::Modern] {
        let profile = Profile::Gitlab(generation);
        let mut chat = RocketChat::new(config.clone(), profile);
        let start = chat.start("b", CHAT, 0).unwrap();
        assert!(start.url.starts_with("https://id.example.org/oauth/authorize?"), "{}", start.url);
        assert_eq!(query_param(&start.url, "scope").unwrap(), "read_user");
        assert_eq!(query_param(&start.url, "redirect_uri").unwrap(), "https://chat.example.org/_oauth/gitlab");
        assert_eq!(exchange::identity_request(profile, &config, "t").target(), "/api/v4/user?access_token=t");
    }
    let unlicensed = Config { version: (9, 0), ..config };
    assert!(!unlicensed.is_gated(Profile::Gitlab(Generation::Modern)));
}

#[test]
fn legacy_shows_the_reason_phrase_and_never_the_body() {
    let mut chat = legacy(config());
    chat.start("b", CHAT, 0).unwrap();
    let mut refuse = |_: &Request| Ok(answer(401, "invalid_client", r#"{"error":"invalid_client"}"#));
    let got = chat.callback("b", &format!("{CHAT}/_oauth/besedka?code=c&state=plain"), &mut refuse, 1);
    let expected = "Failed to complete OAuth handshake with besedka at https://id.example.org/oauth/token. invalid_client";
    assert_eq!(chat.finish(got, 2), Login::Refused(expected.into()));
    assert_eq!(chat.exchanges.len(), 1, "no identity request");
}

#[test]
fn legacy_follows_a_redirect_as_get_and_modern_takes_it_for_success() {
    let redirect = || {
        let mut response = answer(302, "Found", "<html>");
        response.headers.push(("Location".into(), "/oauth/token/".into()));
        response
    };
    let mut seen = Vec::new();
    let mut transport = |request: &Request| {
        seen.push(format!("{} {}", request.method, request.target()));
        Ok(if seen.len() == 1 { redirect() } else { answer(405, "method_not_allowed", "{}") })
    };
    let mut chat = legacy(config());
    let got = chat.callback("b", &format!("{CHAT}/_oauth/besedka?code=c&state=s"), &mut transport, 1);
    assert!(matches!(chat.finish(got, 1), Login::Refused(message) if message.ends_with("method_not_allowed")));
    assert_eq!(seen, ["POST /oauth/token", "GET /oauth/token/"]);
    let modern = exchange::read_token(Profile::Modern(LoginStyle::Popup), &config(), &redirect());
    assert_eq!(modern.unwrap_err(), "Failed to obtain access token");
}

#[test]
fn errors_at_the_callback_end_as_they_do_there() {
    let mut nobody = |_: &Request| -> Result<Response, HttpError> { panic!("no request is expected") };
    let mut chat = legacy(config());
    let got = chat.callback("b", "https://chat/_oauth/besedka?error=access_denied&state=x", &mut nobody, 0);
    assert!(matches!(got, CallbackAnswer::BackAtLogin { .. }));
    let mut chat = RocketChat::new(config(), Profile::Modern(LoginStyle::Redirect));
    for (error, status) in [("server_error", 502), ("temporarily_unavailable", 503), ("invalid_scope", 500), ("login_required", 500)] {
        let got = chat.callback("b", &format!("https://chat/_oauth/besedka?error={error}"), &mut nobody, 0);
        assert!(matches!(got, CallbackAnswer::ErrorPage { status: got, .. } if got == status), "{error}: {got:?}");
    }
    let got = chat.callback("b", "https://chat/_oauth/besedka?error=access_denied", &mut nobody, 0);
    assert!(matches!(got, CallbackAnswer::BackAtLogin { .. }));
    assert!(matches!(chat.callback("b", "https://chat/_oauth/besedka", &mut nobody, 0), CallbackAnswer::Restart(_)));
}

#[test]
fn modern_session_dies_after_five_minutes_and_by_a_second_tab() {
    let mut nobody = |_: &Request| -> Result<Response, HttpError> { panic!("no token request is expected") };
    let mut chat = RocketChat::new(config(), Profile::Modern(LoginStyle::Redirect));
    let back = |start: &Start| format!("{CHAT}/_oauth/besedka?code=c&state={}", start.state);
    let late = chat.start("b", CHAT, 0).unwrap();
    assert!(matches!(chat.callback("b", &back(&late), &mut nobody, 300), CallbackAnswer::BackAtLogin { .. }));
    let first = chat.start("b", CHAT, 0).unwrap();
    let second = chat.start("b", CHAT, 1).unwrap();
    assert!(matches!(chat.callback("other", &back(&second), &mut nobody, 2), CallbackAnswer::BackAtLogin { .. }));
    assert!(matches!(chat.callback("b", &back(&first), &mut nobody, 2), CallbackAnswer::BackAtLogin { .. }));
    assert!(matches!(chat.callback("b", &back(&second), &mut nobody, 2), CallbackAnswer::BackAtLogin { .. }), "the slot is spent");
    let good = chat.start("b", CHAT, 3).unwrap();
    let answer = chat.callback("b", &back(&good), &mut server(olga()), 4);
    let Login::In { landing, .. } = chat.finish(answer, 4) else { panic!("not signed in") };
    assert!(landing.unwrap().starts_with("https://chat.example.org/home?loginCode="));
    let verifier = good.session.unwrap().verifier;
    assert_eq!(query_pairs(&format!("?{}", String::from_utf8_lossy(&chat.exchanges[0].request.body)))[2].1, verifier);
}

#[test]
fn legacy_credential_lives_a_minute_and_is_used_once() {
    let mut chat = legacy(config());
    let start = chat.start("b", CHAT, 0).unwrap();
    let back = format!("{CHAT}/_oauth/besedka?code=c&state={}", crate::http::encode_uri_component(&start.state));
    let got = chat.callback("b", &back, &mut server(olga()), 0);
    let late = "No matching login attempt found [145546287]";
    assert_eq!(chat.finish(got.clone(), 60), Login::Refused(late.into()));
    let again = chat.callback("b", &back, &mut server(olga()), 100);
    assert!(matches!(chat.finish(again.clone(), 101), Login::In { .. }));
    assert_eq!(chat.finish(again, 102), Login::Refused(late.into()));
}

#[test]
fn a_redirect_url_of_another_site_is_refused() {
    let mut chat = RocketChat::new(config(), Profile::LegacyWeb(LoginStyle::Redirect));
    let start = chat.start("b", "https://evil.example/", 0).unwrap();
    let back = format!("{CHAT}/_oauth/besedka?code=c&state={}", crate::http::encode_uri_component(&start.state));
    assert_eq!(chat.callback("b", &back, &mut server(olga()), 0), CallbackAnswer::RootWithError);
}

#[test]
fn roles_follow_the_claim_only_when_it_is_an_array() {
    assert_eq!(roles_after(json!(["admin"]), &["user"]), ["user", "admin"]);
    assert_eq!(roles_after(json!([]), &["user", "admin"]), ["user"], "an empty array demotes");
    assert_eq!(roles_after(json!("admin,vip"), &["user", "admin"]), ["user"], "a string counts as an empty array");
    assert_eq!(roles_after(json!("admin"), &["user", "admin"]), ["user"]);
    assert_eq!(roles_after(json!(["admin", "vip", "offline_access", "unknown"]), &["user"]), ["user", "admin", "Xk2custom"]);
    assert_eq!(roles_after(json!(["guest"]), &["user"]), ["user"], "not in the list to synchronise");
}

#[test]
fn an_unknown_role_is_ignored_and_never_made() {
    let mut chat = legacy(config().with_licence("admin,vip", "{}"));
    let before = chat.workspace.roles.clone();
    sign_in(&mut chat, olga(), 0);
    assert_eq!(chat.workspace.by_username("olga").unwrap().roles, ["user", "admin"]);
    assert_eq!(chat.workspace.roles, before);
}

#[test]
fn without_a_licence_nothing_is_synchronised() {
    let config = Config { licensed: false, ..config().with_licence("admin", r#"{"vip":"vip"}"#) };
    let mut chat = legacy(config);
    sign_in(&mut chat, olga(), 0);
    assert_eq!(chat.workspace.by_username("olga").unwrap().roles, ["user"]);
    assert_eq!(chat.workspace.rooms.len(), 1);
}

#[test]
fn groups_join_channels_and_never_leave() {
    let map = r#"{"vip":[" vip ","lounge"],"moderators":"mods","general":"general"}"#;
    let mut chat = legacy(config().with_licence("", map));
    let user = sign_in(&mut chat, olga(), 0).user().unwrap().to_owned();
    assert_eq!(chat.workspace.rooms_of(&user), ["general", "vip", "lounge"]);
    assert!(chat.workspace.rooms.iter().any(|room| room.name == "mods" && room.members.is_empty() && room.owner == "rocket.cat"));
    sign_in(&mut chat, with(olga(), "groups", json!([])), 1);
    assert_eq!(chat.workspace.rooms_of(&user), ["general", "vip", "lounge"]);
    let mut broken = legacy(config().with_licence("", "not json"));
    assert!(matches!(sign_in(&mut broken, olga(), 0), Login::In { .. }));
}

#[test]
fn a_missing_email_matters_only_when_the_field_is_set() {
    let mut nameless = olga();
    nameless.as_object_mut().unwrap().remove("email");
    let mut chat = legacy(config());
    let Login::In { user, .. } = sign_in(&mut chat, nameless.clone(), 0) else { panic!("not signed in") };
    assert!(chat.workspace.user(&user).emails.is_empty());
    let mut strict = legacy(Config { email_field: "email".into(), ..config() });
    assert_eq!(sign_in(&mut strict, nameless, 0), Login::Refused("CustomOAuth: Failed to extract email".into()));
}

#[test]
fn a_changed_name_locks_out_unless_users_are_merged() {
    for profile in [Profile::LegacyWeb(LoginStyle::Popup), Profile::Modern(LoginStyle::Popup)] {
        let mut chat = RocketChat::new(config(), profile);
        sign_in(&mut chat, olga(), 0);
        assert!(matches!(sign_in(&mut chat, with(olga(), "name", json!("Ольга Новая")), 1), Login::In { .. }));
        assert_eq!(chat.workspace.by_username("olga").unwrap().name.as_deref(), Some("Ольга Новая"));
        let mut strict = RocketChat::new(Config { merge_users: false, ..config() }, profile);
        sign_in(&mut strict, olga(), 0);
        let refused = Login::Refused("CustomOAuth: User with username olga already exists".into());
        assert_eq!(sign_in(&mut strict, with(olga(), "name", json!("Другая")), 1), refused);
        assert_eq!(sign_in(&mut strict, with(olga(), "email", json!("new@example.org")), 1), refused);
        assert!(matches!(sign_in(&mut strict, olga(), 1), Login::In { .. }));
    }
}

#[test]
fn a_changed_username_keeps_the_old_one() {
    let mut chat = legacy(config());
    sign_in(&mut chat, olga(), 0);
    let Login::In { user, .. } = sign_in(&mut chat, with(olga(), "preferred_username", json!("olga2")), 1) else { panic!() };
    assert_eq!(chat.workspace.user(&user).username.as_deref(), Some("olga"));
}

#[test]
fn an_email_collision_melds_in_legacy_and_is_refused_in_modern() {
    let mut chat = legacy(config());
    let local = chat.workspace.add_local_user("olga-local", "Olga@example.org", false);
    assert_eq!(sign_in(&mut chat, olga(), 0).user().unwrap(), local);
    let user = chat.workspace.user(&local);
    assert!(user.require_password_change && !user.has_password && user.emails[0].verified);
    let mut modern = RocketChat::new(config(), Profile::Modern(LoginStyle::Popup));
    modern.workspace.add_local_user("olga-local", "olga@example.org", true);
    assert_eq!(sign_in(&mut modern, olga(), 0), Login::Refused("Email already exists. [403]".into()));
}

#[test]
fn a_local_account_of_that_username_is_taken_only_with_distinct_services() {
    let mut chat = legacy(config());
    chat.workspace.add_local_user("Olga", "other@example.org", true);
    assert_eq!(sign_in(&mut chat, olga(), 0), Login::Refused("Username already exists. [403]".into()));
    let mut open = legacy(Config { merge_users_distinct_services: true, ..config() });
    let local = open.workspace.add_local_user("Olga", "other@example.org", true);
    assert_eq!(sign_in(&mut open, olga(), 0).user().unwrap(), local);
    assert_eq!(open.workspace.user(&local).emails[0].address, "olga@example.org");
}

#[test]
fn the_first_user_becomes_admin() {
    let mut chat = legacy(config());
    chat.workspace = Workspace::default();
    let user = sign_in(&mut chat, olga(), 0).user().unwrap().to_owned();
    assert_eq!(chat.workspace.user(&user).roles, ["admin", "user"]);
    let other = json!({"sub": "sub-2", "preferred_username": "pavel", "name": "Павел"});
    let user = sign_in(&mut chat, other, 1).user().unwrap().to_owned();
    assert_eq!(chat.workspace.user(&user).roles, ["user"]);
    assert_eq!(sign_in(&mut chat, olga(), 1801), Login::NeedsSecondFactor { user: "u1".into(), method: "email" });
}

#[test]
fn version_nine_without_a_licence_has_no_button() {
    let mut chat = RocketChat::new(Config { version: (9, 0), ..config() }, Profile::Modern(LoginStyle::Popup));
    assert_eq!(chat.start("b", CHAT, 0), Err(StartError::NoButton));
    chat.config.licensed = true;
    assert!(chat.start("b", CHAT, 0).is_ok());
}

#[test]
fn account_settings_refuse_new_people() {
    let refused = |change: fn(&mut Workspace)| {
        let mut chat = legacy(config());
        change(&mut chat.workspace);
        match sign_in(&mut chat, olga(), 0) {
            Login::Refused(message) => message,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(|workspace| workspace.auth_services_registration = false), "registration-disabled-authentication-services");
    assert_eq!(refused(|workspace| workspace.allowed_domains = vec!["corp.test".into()]), "error-invalid-domain");
    assert_eq!(refused(|workspace| workspace.manual_approval = true), "error-user-is-not-activated");
    let mut chat = legacy(Config { username_field: String::new(), ..config() });
    assert!(matches!(sign_in(&mut chat, olga(), 0), Login::NeedsUsername { .. }));
}

#[test]
fn rest_login_keeps_five_fields_and_does_not_meld() {
    let mut chat = RocketChat::new(config().with_licence("admin", "{}"), Profile::RestToken);
    assert_eq!(chat.start("b", CHAT, 0), Err(StartError::NoBrowser));
    let login = chat.rest_login("at.1", 3600, &mut server(with(olga(), "locale", json!("ru"))), 5);
    let user = chat.workspace.user(login.user().unwrap());
    let mut kept: Vec<&String> = user.services["besedka"].keys().collect();
    kept.sort();
    assert_eq!(kept, ["accessToken", "email", "expiresAt", "id", "name", "roles", "username"]);
    assert_eq!(user.roles, ["user", "admin"]);
    let mut refuse = |_: &Request| Ok(answer(403, "insufficient_scope", "{}"));
    let refused = chat.rest_login("foreign", 3600, &mut refuse, 6);
    assert!(matches!(refused, Login::Refused(message) if message.ends_with("insufficient_scope")));
}

#[test]
fn identities_are_normalised_by_the_rules_in_order() {
    let id = |identity: Value| normalize_identity(&Config::new(CHAT, ID, "c", "s"), identity.as_object().unwrap().clone()).unwrap();
    assert_eq!(id(json!({"sub": "s", "user_id": "u"}))["id"], "u", "user_id beats sub");
    assert_eq!(id(json!({"sub": "s", "id": "i"}))["id"], "i");
    assert_eq!(id(json!({"sub": "s", "result": {"sub": "inner"}}))["id"], "inner");
    assert_eq!(id(json!({"user": {"userid": 5, "userid_sec": ["f"], "email": "e"}}))["id"], "f");
    assert_eq!(id(json!({"ocs": {"data": {"id": "o", "displayname": "D"}}}))["name"], "D");
    assert_eq!(id(json!({"sub": "s", "emails": [{"address": "a@b"}]}))["email"], "a@b");
    assert_eq!(id(json!({"sub": "s", "preferred_username": "p"}))["name"], "p");
    assert_eq!(id(json!({"sub": "s", "https://x.y/roles": {"a.b": 1}}))["https://x_y/roles"]["a_b"], 1);
}

#[test]
fn templates_are_paths_or_placeholders() {
    let data: Map<String, Value> = json!({"email": "olga@example.org", "a": {"b": ["x", 7]}, "empty": ""}).as_object().unwrap().clone();
    let field = |template: &str| from_template(template, &data).map(|value| normalize::js_string(&value));
    assert_eq!(field("a.b.1").as_deref(), Some("7"));
    assert_eq!(field("a.b.0").as_deref(), Some("x"));
    assert_eq!(field("empty"), None);
    assert_eq!(field("{{/^(.+)@/::email}}").as_deref(), Some("olga"));
    assert_eq!(field("{{a.b.0}}-{{missing}}").as_deref(), Some("x-undefined"));
}
