//! The stand-in against the facts, asked through the client that the server uses.

use super::*;
use crate::http::Request;
use propusk_crypto::Secret;
use propusk_server::outbound::Outbound;
use propusk_server::rocketchat::rest::{Rest, RestError, SecondFactor};
use propusk_server::settings::OutboundSettings;
use serde_json::{Value, json};
use std::time::Duration;

fn rest(chat: &ChatServer, timeout: u64) -> Rest {
    let settings = OutboundSettings { timeout: Duration::from_secs(timeout), ca_file: None };
    Rest::new(Outbound::new(&settings).unwrap(), &chat.url())
}

/// As the administrator, by a token that needs no second factor.
fn admin(chat: &ChatServer) -> Rest {
    let (user, token) = chat.state().admin_token();
    rest(chat, 20).with_token(&user, Secret::new(token))
}

fn code(result: Result<Value, RestError>) -> String {
    match result {
        Err(RestError::Refused { error, error_type }) => error_type.unwrap_or(error),
        Err(other) => other.to_string(),
        Ok(answer) => panic!("not refused: {answer}"),
    }
}

fn start(major: u32, minor: u32) -> ChatServer {
    ChatServer::start(Edition::community(major, minor))
}

#[test]
fn versions_are_told_to_everybody() {
    for edition in Edition::ALL {
        let chat = ChatServer::start(edition);
        assert_eq!(rest(&chat, 20).version(), Ok(edition.version));
    }
}

#[test]
fn a_password_opens_a_session_that_logout_ends() {
    let chat = start(8, 6);
    let anonymous = rest(&chat, 20);
    assert_eq!(anonymous.get("me", &[]), Err(RestError::Unauthorized));
    assert_eq!(anonymous.login("root", &Secret::new("wrong".into())).unwrap_err(), RestError::Unauthorized);
    let session = anonymous.login("ROOT", &Secret::new("root password".into())).unwrap();
    let root = rest(&chat, 20).with_token(&session.user_id, session.token.clone());
    assert_eq!(root.get("me", &[]).unwrap()["username"], "root");
    let resumed = anonymous.post("login", &json!({ "resume": session.token.expose() })).unwrap();
    assert_eq!(resumed["data"]["userId"], session.user_id.as_str());
    root.log_out().unwrap();
    assert_eq!(root.get("me", &[]), Err(RestError::Unauthorized));
    assert_eq!(anonymous.post("login", &json!({ "resume": session.token.expose() })), Err(RestError::Unauthorized));
}

#[test]
fn a_login_with_an_authenticator_app_needs_its_code() {
    let chat = start(8, 6);
    chat.state().totp.insert("u1".into(), "123456".into());
    let password = Secret::new("root password".into());
    assert_eq!(rest(&chat, 20).login("root", &password).unwrap_err(), RestError::TotpRequired { method: "totp".into() });
    let with = |code: &str| rest(&chat, 20).with_second_factor(SecondFactor::Totp(Secret::new(code.into())));
    assert_eq!(with("000000").login("root", &password).unwrap_err(), RestError::TotpInvalid { method: "totp".into() });
    assert!(with("123456").login("root", &password).is_ok());
}

#[test]
fn changing_a_setting_needs_the_second_factor_of_an_old_account() {
    let chat = start(8, 6);
    let session = rest(&chat, 20).login("root", &Secret::new("root password".into())).unwrap();
    let root = rest(&chat, 20).with_token(&session.user_id, session.token);
    let body = json!({ "value": false });
    assert_eq!(root.post("settings/Accounts_ShowFormLogin", &body), Err(RestError::TotpRequired { method: "password".into() }));
    let wrong = root.clone().with_second_factor(SecondFactor::Password(Secret::new("x".into())));
    assert_eq!(wrong.post("settings/Accounts_ShowFormLogin", &body), Err(RestError::TotpInvalid { method: "password".into() }));
    let right = root.clone().with_second_factor(SecondFactor::Password(Secret::new("root password".into())));
    assert!(right.post("settings/Accounts_ShowFormLogin", &body).is_ok());
    assert!(root.post("settings/Accounts_ShowFormLogin", &body).is_ok(), "remembered with the token");
    chat.state().now += 1801;
    assert!(matches!(root.post("settings/Accounts_ShowFormLogin", &body), Err(RestError::TotpRequired { .. })));
    let now = chat.state().now;
    chat.state().chat.workspace.users[0].created = now - 10;
    assert!(root.post("settings/Accounts_ShowFormLogin", &body).is_ok(), "young accounts are exempt");
    chat.state().chat.workspace.users[0].created = 0;
    chat.state().set("Accounts_TwoFactorAuthentication_Enforce_Password_Fallback", false);
    assert!(root.post("settings/Accounts_ShowFormLogin", &body).is_ok(), "the fallback can be switched off");
}

#[test]
fn a_provider_is_made_and_shown_without_its_secret() {
    let chat = start(8, 6);
    let root = admin(&chat);
    assert_eq!(code(root.post("settings.addCustomOAuth", &json!({}))), "error-name-param-not-provided");
    assert_eq!(code(root.post("settings.addCustomOAuth", &json!({ "name": "Беседка" }))), "error-invalid-name");
    root.post("settings.addCustomOAuth", &json!({ "name": "beSedka!" })).unwrap();
    for (suffix, value) in [("-secret", json!("s3cret")), ("-id", json!("rocketchat")), ("-url", json!("https://id.example")), ("", json!(true))] {
        root.post(&format!("settings/Accounts_OAuth_Custom-Besedka{suffix}"), &json!({ "value": value })).unwrap();
    }
    let services = rest(&chat, 20).get("settings.oauth", &[]).unwrap();
    assert_eq!(services["services"][0]["service"], "besedka");
    assert_eq!(services["services"][0]["serverURL"], "https://id.example");
    assert!(!services.to_string().contains("s3cret"));
    assert_eq!(chat.state().chat.config.id, "rocketchat", "the login code uses what was set");
    root.post("settings.addCustomOAuth", &json!({ "name": "Besedka" })).unwrap();
    assert_eq!(root.get("settings/Accounts_OAuth_Custom-Besedka-id", &[]).unwrap()["value"], "rocketchat", "a second time keeps the values");
}

#[test]
fn a_disabled_twin_in_lower_case_removes_the_service() {
    let chat = start(8, 6);
    let root = admin(&chat);
    root.post("settings.addCustomOAuth", &json!({ "name": "Besedka" })).unwrap();
    root.post("settings/Accounts_OAuth_Custom-Besedka", &json!({ "value": true })).unwrap();
    chat.state().settings.insert("Accounts_OAuth_Custom-besedka".into(), json!(false));
    assert_eq!(root.get("settings.oauth", &[]).unwrap()["services"], json!([]));
}

#[test]
fn settings_are_typed_and_many_at_once_from_8_6() {
    for (edition, bulk) in [(Edition::community(7, 13), false), (Edition::community(8, 6), true)] {
        let chat = ChatServer::start(edition);
        let root = admin(&chat);
        let many = json!({ "settings": [{ "_id": "Accounts_iframe_url", "value": "https://id.example" }] });
        assert_eq!(root.post("settings", &many).is_ok(), bulk);
        assert_eq!(chat.state().settings["Accounts_iframe_url"] == "https://id.example", bulk);
        assert_eq!(code(root.post("settings/Accounts_iframe_enabled", &json!({ "value": "true" }))), "error-invalid-setting-value");
        assert_eq!(code(root.post("settings/No_such", &json!({ "value": true }))), "Invalid setting");
        assert_eq!(root.get("settings/No_such", &[]), Err(RestError::NotFound));
    }
}

#[test]
fn an_unlicensed_nine_knows_no_custom_provider() {
    let chat = start(9, 0);
    assert_eq!(code(admin(&chat).post("settings.addCustomOAuth", &json!({ "name": "Besedka" }))), "error-action-not-allowed");
    for (id, value) in catalogue::custom("Besedka") {
        chat.state().settings.insert(id, value);
    }
    chat.state().set("Accounts_OAuth_Custom-Besedka", true);
    assert_eq!(admin(&chat).get("settings/Accounts_OAuth_Custom-Besedka", &[]).unwrap()["value"], false);
    assert_eq!(admin(&chat).get("settings.oauth", &[]).unwrap()["services"], json!([]));
    let licensed = ChatServer::start(Edition { version: (9, 0), licensed: true });
    assert!(admin(&licensed).post("settings.addCustomOAuth", &json!({ "name": "Besedka" })).is_ok());
}

#[test]
fn every_permission_counts() {
    let chat = start(8, 9);
    let root = admin(&chat);
    for (permission, endpoint, body) in [
        ("edit-privileged-setting", "settings/Accounts_iframe_url", json!({ "value": "" })),
        ("create-user", "users.create", json!({})),
        ("edit-other-user-info", "users.update", json!({})),
        ("edit-other-user-active-status", "users.setActiveStatus", json!({})),
        ("logout-other-user", "users.logout", json!({ "userId": "rocket.cat" })),
        ("access-permissions", "roles.addUserToRole", json!({})),
        ("create-c", "channels.create", json!({ "name": "x" })),
        ("create-p", "groups.create", json!({ "name": "x" })),
    ] {
        chat.state().permit("u1", permission, false);
        assert!(matches!(root.post(endpoint, &body), Err(RestError::Forbidden(_))), "{permission}");
    }
    chat.state().permit("u1", "view-privileged-setting", false);
    assert!(matches!(root.get("settings", &[]), Err(RestError::Forbidden(_))));
    chat.state().permit("u1", "add-oauth-service", false);
    assert_eq!(code(root.post("settings.addCustomOAuth", &json!({ "name": "B" }))), "error-action-not-allowed");
}

#[test]
fn people_are_listed_in_pages_created_changed_and_switched_off() {
    let chat = start(8, 6);
    let root = admin(&chat);
    for number in 0..120 {
        let body = json!({ "username": format!("p{number}"), "name": "P", "email": format!("p{number}@x.example"), "password": "long enough" });
        root.post("users.create", &body).unwrap();
    }
    let page = root.get("users.list", &[("count", "500"), ("offset", "100")]).unwrap();
    assert_eq!((page["count"].clone(), page["total"].clone()), (json!(22), json!(122)), "root, the bot and 120 people");
    assert_eq!(root.get("users.list", &[("count", "500")]).unwrap()["count"], 100, "no page is longer");
    let twice = json!({ "username": "P7", "name": "P", "email": "new@x.example", "password": "p" });
    assert_eq!(code(root.post("users.create", &twice)), "error-field-unavailable");
    let odd = json!({ "username": "имя", "name": "P", "email": "new@x.example", "password": "p" });
    assert_eq!(code(root.post("users.create", &odd)), "error-input-is-not-a-valid-field");
    let string = json!({ "username": "q", "name": "Q", "email": "q@x.example", "password": "p", "roles": "user" });
    assert_eq!(code(root.post("users.create", &string)), "invalid-params");
    let user = root.get("users.info", &[("username", "P7")]).unwrap()["user"]["_id"].as_str().unwrap().to_owned();
    root.post("users.update", &json!({ "userId": user, "data": { "name": "Seven" } })).unwrap();
    assert_eq!(root.get("users.info", &[("userId", &user)]).unwrap()["user"]["name"], "Seven");
    let token = chat.state().token_of(&user);
    let person = rest(&chat, 20).with_token(&user, Secret::new(token));
    assert!(person.get("me", &[]).is_ok());
    root.post("users.setActiveStatus", &json!({ "userId": user, "activeStatus": false, "confirmRelinquish": true })).unwrap();
    assert_eq!(person.get("me", &[]), Err(RestError::Unauthorized));
    let root_off = json!({ "userId": "u1", "activeStatus": false, "confirmRelinquish": true });
    assert_eq!(code(root.post("users.setActiveStatus", &root_off)), "error-action-not-allowed", "the last administrator");
}

#[test]
fn login_tokens_are_made_by_the_rules_of_the_version() {
    let cat = json!({ "userId": "rocket.cat" });
    let seven = start(7, 13);
    assert_eq!(code(admin(&seven).post("users.createToken", &cat)), "error-not-authorized");
    seven.state().create_tokens = true;
    assert!(admin(&seven).post("users.createToken", &cat).is_ok());
    let eight = start(8, 6);
    eight.state().create_tokens = true;
    assert_eq!(code(admin(&eight).post("users.createToken", &cat)), "error-not-authorized");
    eight.state().create_tokens_secret = Some("shared".into());
    let right = json!({ "userId": "rocket.cat", "secret": "shared" });
    assert_eq!(code(admin(&eight).post("users.createToken", &json!({ "userId": "rocket.cat", "secret": "other" }))), "error-not-authorized");
    let made = admin(&eight).post("users.createToken", &right).unwrap();
    let token = made["data"]["authToken"].as_str().unwrap().to_owned();
    assert_eq!(rest(&eight, 20).post("login", &json!({ "resume": token })).unwrap()["data"]["userId"], "rocket.cat");
    let modern = start(8, 9);
    modern.state().create_tokens_secret = Some("shared".into());
    assert!(admin(&modern).post("users.createToken", &right).is_ok());
    modern.state().permit("u1", "user-generate-access-token", false);
    assert_eq!(code(admin(&modern).post("users.createToken", &right)), "error-not-authorized");
}

#[test]
fn roles_are_given_by_id_and_by_name_only_in_old_versions() {
    for (edition, by_name) in [(Edition::community(7, 13), true), (Edition::community(8, 6), false)] {
        let chat = ChatServer::start(edition);
        chat.state().chat.workspace.add_role("Xk2vip", "vip");
        let root = admin(&chat);
        assert_eq!(root.post("roles.addUserToRole", &json!({ "username": "rocket.cat", "roleName": "vip" })).is_ok(), by_name);
        let add = json!({ "username": "rocket.cat", "roleId": "Xk2vip" });
        if !by_name {
            root.post("roles.addUserToRole", &add).unwrap();
        }
        assert_eq!(code(root.post("roles.addUserToRole", &add)), "error-user-already-in-role");
        root.post("roles.removeUserFromRole", &add).unwrap();
        assert_eq!(code(root.post("roles.removeUserFromRole", &add)), "error-user-not-in-role");
        let unknown = json!({ "username": "rocket.cat", "roleId": "captain" });
        assert_eq!(code(root.post("roles.addUserToRole", &unknown)), "error-invalid-role-properties");
        let last = json!({ "username": "root", "roleId": "admin" });
        assert_eq!(code(root.post("roles.removeUserFromRole", &last)), "error-admin-required");
        assert!(root.get("roles.list", &[]).unwrap()["roles"].as_array().unwrap().iter().any(|role| role["_id"] == "Xk2vip"));
    }
}

#[test]
fn public_and_private_rooms_are_different_worlds() {
    let chat = start(8, 6);
    let root = admin(&chat);
    for name in ["admin", "all", "here", "Here"] {
        assert_eq!(code(root.post("channels.create", &json!({ "name": name }))), "error-invalid-room-name", "{name}");
    }
    assert_eq!(code(root.post("channels.create", &json!({ "name": "x", "members": "rocket.cat" }))), "invalid-params");
    root.post("channels.create", &json!({ "name": "news", "members": ["rocket.cat"] })).unwrap();
    assert_eq!(code(root.post("groups.create", &json!({ "name": "news" }))), "error-duplicate-channel-name");
    let vip = root.post("groups.create", &json!({ "name": "vip" })).unwrap()["group"]["_id"].as_str().unwrap().to_owned();
    let bot = json!({ "roomId": vip, "userId": "rocket.cat" });
    assert_eq!(code(root.post("channels.invite", &bot)), "error-room-not-found", "a private room is none of theirs");
    root.post("groups.invite", &bot).unwrap();
    root.post("groups.invite", &bot).unwrap();
    assert_eq!(root.get("groups.members", &[("roomId", &vip)]).unwrap()["total"], 2);
    root.post("groups.kick", &bot).unwrap();
    assert_eq!(code(root.post("groups.kick", &bot)), "error-user-not-in-room");
    assert_eq!(code(root.post("groups.invite", &json!({ "roomId": vip, "usernames": "rocket.cat" }))), "invalid-params");
    assert_eq!(root.get("channels.list", &[]).unwrap()["total"], 2, "general and news");
    assert_eq!(root.get("groups.list", &[]).unwrap()["total"], 1);
    chat.state().chat.workspace.rooms.last_mut().unwrap().members.clear();
    assert_eq!(code(root.get("groups.info", &[("roomName", "vip")])), "error-room-not-found", "not even an administrator who is no member");
    assert_eq!(root.get("groups.listAll", &[]).unwrap()["total"], 1);
}

#[test]
fn faults_come_as_told_and_go() {
    let chat = start(8, 6);
    let root = admin(&chat);
    let meet = |fault: Fault| {
        chat.state().fault("me", fault, 1);
        let met = root.get("me", &[]);
        assert!(root.get("me", &[]).is_ok(), "once");
        met
    };
    assert_eq!(meet(Fault::Status(500)), Err(RestError::Garbage { status: 500 }));
    assert_eq!(meet(Fault::Status(401)), Err(RestError::Unauthorized));
    assert!(matches!(meet(Fault::Status(403)), Err(RestError::Forbidden(_))));
    assert_eq!(meet(Fault::Html(502)), Err(RestError::Garbage { status: 502 }));
    assert_eq!(meet(Fault::Html(200)), Err(RestError::Garbage { status: 200 }));
    assert_eq!(meet(Fault::Garbage), Err(RestError::Garbage { status: 200 }));
    assert!(matches!(meet(Fault::NotHttp), Err(RestError::Unreachable(_))));
    assert!(matches!(meet(Fault::Close), Err(RestError::Unreachable(_))));
    assert_eq!(meet(Fault::TooMany(3)), Err(RestError::RateLimited { retry_after: Duration::from_secs(3) }));
    assert!(matches!(meet(Fault::TooManyByReset(3)), Err(RestError::RateLimited { .. })));
    assert!(meet(Fault::Slow(Duration::from_millis(20))).is_ok());
    chat.state().fault("me", Fault::Never, 1);
    let (user, token) = chat.state().admin_token();
    assert_eq!(rest(&chat, 1).with_token(&user, Secret::new(token)).get("me", &[]), Err(RestError::Slow(Duration::from_secs(1))));
}

#[test]
fn a_lost_answer_has_had_its_effect_and_calls_are_counted() {
    let chat = start(8, 6);
    let root = admin(&chat);
    chat.state().fault("channels.create", Fault::LoseAnswer, 1);
    let news = json!({ "name": "news" });
    assert!(root.post("channels.create", &news).unwrap_err().is_passing());
    assert_eq!(code(root.post("channels.create", &news)), "error-duplicate-channel-name");
    assert_eq!(chat.state().count("channels.create"), 2);
    let statuses: Vec<u16> = chat.state().take_calls().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [0, 400]);
    assert_eq!(chat.state().count("channels.create"), 0);
}

#[test]
fn a_restart_keeps_what_the_chat_knows() {
    let mut chat = start(8, 6);
    let root = admin(&chat);
    chat.stop();
    assert!(matches!(root.get("me", &[]), Err(RestError::Unreachable(_))));
    chat.resume();
    assert!(root.get("me", &[]).is_ok());
    chat.state().wipe();
    assert_eq!(root.get("me", &[]), Err(RestError::Unauthorized));
}

#[test]
fn what_is_no_request_of_the_api_is_not_found() {
    let chat = start(8, 6);
    assert_eq!(Request::get(&format!("{}/api/v1/settings.nonsense", chat.url())).send().unwrap().status, 404);
    assert_eq!(Request::post(&format!("{}/api/v1/me", chat.url())).body("{").send().unwrap().status, 404);
    assert_eq!(Request::post(&format!("{}/api/v1/login", chat.url())).body("{").send().unwrap().status, 401);
}
