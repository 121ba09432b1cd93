//! Rocket.Chat's Custom OAuth in both of its generations: the bytes that it sends, then the account that it ends with.

mod faults;
mod settings;

use propusk_domain::client::Preset;
use propusk_tests::browser::{Browser, Landing};
use propusk_tests::http::{encode_uri_component, form_encode};
use propusk_tests::rocketchat::{CallbackAnswer, Config, Email, Generation, Login, LoginStyle, Profile, RocketChat, SentVia, Start, Wire};
use propusk_tests::server::{Backend, Person, Registered, TestServer};

propusk_tests::on_each_backend![every_profile_signs_in_owner_moderator_and_user];

const CHAT: &str = "https://chat.example";
const HERE: &str = "https://chat.example/channel/general?msg=1";

const PROFILES: [Profile; 5] = [
    Profile::LegacyWeb(LoginStyle::Popup),
    Profile::LegacyWeb(LoginStyle::Redirect),
    Profile::LegacyMobile,
    Profile::Modern(LoginStyle::Popup),
    Profile::Modern(LoginStyle::Redirect),
];

/// A server and the client that Rocket.Chat is.
fn shop(backend: Backend) -> (TestServer, Registered) {
    let server = TestServer::start(backend);
    let client = server.add_client_with("rocketchat", Preset::RocketChat, |new| new.redirect_uris = vec![format!("{CHAT}/_oauth/besedka")]);
    (server, client)
}

/// The settings that the documentation recommends.
fn config(server: &TestServer, client: &Registered) -> Config {
    Config::recommended(CHAT, &server.issuer, client.id(), &client.secret)
}

/// With the licence that synchronises roles and channels.
fn licensed(server: &TestServer, client: &Registered) -> Config {
    config(server, client).with_licence("admin,moderator,vip", r#"{"general":"general","vip":"vip","moderators":"moderators"}"#)
}

/// A workspace whose administrator has made the role `vip`.
fn chat(config: Config, profile: Profile) -> RocketChat {
    let mut chat = RocketChat::new(config, profile);
    chat.workspace.add_role("Xk2vip", "vip");
    chat
}

/// The person clicks the button and goes through the pages, as far as the way back to the chat.
fn authorize(chat: &mut RocketChat, browser: &mut Browser, person: &Person, now: u64) -> (Start, Landing) {
    let start = chat.start("browser", HERE, now).unwrap();
    let mut landing = browser.click_from(CHAT, &start.url).unwrap();
    if landing.stopped.is_none() {
        landing = browser.sign_in(&person.user.username, &person.password).unwrap();
    }
    assert!(landing.stopped.is_some(), "{}", landing.trace());
    assert_eq!(landing.param("state").as_deref(), Some(start.state.as_str()), "byte for byte");
    (start, landing)
}

fn new_browser() -> Browser {
    Browser::new().stop_at(CHAT)
}

/// The whole way; what the chat makes of it.
fn sign_in(chat: &mut RocketChat, browser: &mut Browser, person: &Person, now: u64) -> Login {
    let (_, landing) = authorize(chat, browser, person, now);
    let answer = chat.callback("browser", &landing.url, &mut Wire, now);
    chat.finish(answer, now)
}

fn every_profile_signs_in_owner_moderator_and_user(backend: Backend) {
    let (server, client) = shop(backend);
    let people = [server.add_user("olga", "owner"), server.add_user("max", "moderator"), server.add_user("uta", "user")];
    for profile in PROFILES {
        for (person, role) in people.iter().zip(["owner", "moderator", "user"]) {
            for with_licence in [false, true] {
                let settings = if with_licence { licensed(&server, &client) } else { config(&server, &client) };
                let mut chat = chat(settings, profile);
                let (start, landing) = authorize(&mut chat, &mut new_browser(), person, 10);
                assert_eq!(start.url, expected_authorize_url(&chat.config, profile, &start), "{profile:?}");
                let answer = chat.callback("browser", &landing.url, &mut Wire, 11);
                assert_exchanges(&chat, profile, &landing, &start);
                assert_answer(&answer, profile);
                let login = chat.finish(answer, 12);
                assert_account(&chat, profile, person, role, &login);
            }
        }
    }
}

/// What the browser is sent to, written down from the specification.
fn expected_authorize_url(config: &Config, profile: Profile, start: &Start) -> String {
    let (issuer, id, scope) = (&config.url, &config.id, encode_uri_component(&config.scope));
    let redirect_uri = encode_uri_component(&format!("{CHAT}/_oauth/besedka"));
    if let Profile::Modern(_) = profile {
        let verifier = propusk_protocol::CodeVerifier::parse(&start.session.as_ref().unwrap().verifier).unwrap();
        let challenge = propusk_protocol::CodeChallenge::from_verifier(&verifier);
        return format!(
            "{issuer}/oauth/authorize?response_type=code&redirect_uri={redirect_uri}&scope={scope}&code_challenge={}\
             &code_challenge_method=S256&state={}&client_id={id}",
            challenge.as_str(),
            start.state
        );
    }
    let state = if profile == Profile::LegacyMobile { start.state.clone() } else { encode_uri_component(&start.state) };
    format!("{issuer}/oauth/authorize?client_id={id}&redirect_uri={redirect_uri}&response_type=code&state={state}&scope={scope}")
}

/// The bytes of the token and the identity request.
fn assert_exchanges(chat: &RocketChat, profile: Profile, landing: &Landing, start: &Start) {
    let code = landing.param("code").unwrap_or_else(|| panic!("{}", landing.trace()));
    let config = &chat.config;
    let host = config.url.trim_start_matches("http://").trim_end_matches('/');
    let redirect_uri = format!("{CHAT}/_oauth/besedka");
    let [token, identity] = chat.exchanges.as_slice() else { panic!("{} requests", chat.exchanges.len()) };
    let access_token = token.response.json()["access_token"].as_str().unwrap().to_owned();
    let (expected_token, expected_identity) = match profile.generation() {
        Generation::Legacy => {
            let mut pairs =
                vec![("code", code.as_str()), ("redirect_uri", &redirect_uri), ("grant_type", "authorization_code"), ("state", &start.state)];
            let mut authorization = String::new();
            if config.token_sent_via == SentVia::Header {
                use base64::Engine as _;
                let both = format!("{}:{}", config.id, config.secret);
                authorization = format!("Authorization: Basic {}\r\n", base64::engine::general_purpose::STANDARD.encode(both));
            } else {
                pairs.extend([("client_secret", config.secret.as_str()), ("client_id", config.id.as_str())]);
            }
            let body = form_encode(&pairs);
            let end = format!("Accept-Encoding: gzip,deflate\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n");
            let token = format!(
                "POST /oauth/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nUser-Agent: Meteor/METEOR@3.4\r\n\
                 Accept: application/json\r\n{authorization}Content-Length: {}\r\n{end}{body}",
                body.len()
            );
            let identity = format!(
                "GET /oauth/userinfo/rocketchat HTTP/1.1\r\nUser-Agent: Meteor/METEOR@3.4\r\nAccept: application/json\r\n\
                 Authorization: Bearer {access_token}\r\n{end}"
            );
            (token, identity)
        }
        Generation::Modern => {
            let verifier = &start.session.as_ref().unwrap().verifier;
            let body = format!(
                "grant_type=authorization_code&redirect_uri={}&code_verifier={verifier}&client_id={}&client_secret={}&code={code}",
                encode_uri_component(&redirect_uri),
                config.id,
                config.secret
            );
            let token = format!(
                "POST /oauth/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nHost: {host}\r\n\
                 User-Agent: Node-oauth\r\nContent-Length: {}\r\nConnection: keep-alive\r\n\r\n{body}",
                body.len()
            );
            let identity = format!(
                "GET /oauth/userinfo/rocketchat HTTP/1.1\r\nAuthorization: Bearer {access_token}\r\nHost: {host}\r\n\
                 User-Agent: Node-oauth\r\nContent-length: 0\r\nConnection: keep-alive\r\n\r\n"
            );
            (token, identity)
        }
    };
    assert_eq!(String::from_utf8(token.request.to_bytes()).unwrap(), expected_token, "{profile:?}");
    assert_eq!(String::from_utf8(identity.request.to_bytes()).unwrap(), expected_identity, "{profile:?}");
    for hop in &chat.exchanges {
        assert_eq!((hop.response.status, hop.response.header("content-type")), (200, Some("application/json")), "{}", hop.response.text());
    }
}

fn assert_answer(answer: &CallbackAnswer, profile: Profile) {
    match (answer, profile) {
        (CallbackAnswer::Credential { secret, redirect_url, .. }, Profile::LegacyWeb(LoginStyle::Redirect)) => {
            assert!(secret.is_some());
            assert_eq!(redirect_url.as_deref(), Some(HERE));
        }
        (CallbackAnswer::Credential { secret, redirect_url, .. }, Profile::LegacyWeb(LoginStyle::Popup) | Profile::LegacyMobile) => {
            assert!(secret.is_some() && redirect_url.is_none());
        }
        (CallbackAnswer::LoginCode { location, .. }, Profile::Modern(style)) => assert_eq!(location.is_some(), style == LoginStyle::Redirect),
        other => panic!("{other:?}"),
    }
}

/// The account that a first login makes.
fn assert_account(chat: &RocketChat, profile: Profile, person: &Person, role: &str, login: &Login) {
    let Login::In { user, landing } = login else { panic!("{profile:?}: {login:?}") };
    match profile {
        Profile::LegacyWeb(LoginStyle::Redirect) => assert_eq!(landing.as_deref(), Some(HERE)),
        Profile::Modern(LoginStyle::Redirect) => assert!(landing.as_ref().unwrap().contains("loginCode=")),
        _ => assert_eq!(landing.as_ref(), None),
    }
    let account = chat.workspace.user(user);
    let username = &person.user.username;
    assert_eq!((account.username.as_ref(), account.name.clone()), (Some(username), Some(format!("Name of {username}"))));
    assert_eq!(account.emails, [Email { address: format!("{username}@example.org"), verified: true }]);
    assert!(account.active && !account.has_password && !account.require_password_change);
    assert_eq!(account.service_id("besedka").as_ref(), Some(&person.user.sub));
    let told = &account.services["besedka"];
    assert_eq!((&told["sub"], &told["preferred_username"]), (&person.user.sub.as_str().into(), &username.as_str().into()));
    for misleading in ["_id", "ID", "user_id", "emails", "user", "result", "displayName"] {
        assert!(!told.contains_key(misleading), "{misleading}");
    }
    let (roles, rooms): (&[&str], &[&str]) = match (chat.config.licensed, role) {
        (false, _) | (true, "user") => (&["user"], &["general"]),
        (true, "owner") => (&["user", "admin", "Xk2vip"], &["general", "moderators", "vip"]),
        (true, _) => (&["user", "admin"], &["general", "moderators"]),
    };
    assert_eq!(account.roles, roles, "{profile:?} {role}");
    let mut found = chat.workspace.rooms_of(user);
    found.sort_unstable();
    assert_eq!(found, rooms, "{profile:?} {role}");
}
