//! Into the chat without a button: the iframe endpoint, the frame, deep links; and GitLab's form.

use super::House;
use propusk_domain::client::Preset;
use propusk_domain::grant::Revocation;
use propusk_domain::session;
use propusk_tests::browser::Browser;
use propusk_tests::http::{Request, Response, encode_uri_component};
use propusk_tests::rocketchat::rest::{Edition, Fault};
use propusk_tests::rocketchat::{Config, Generation, Profile, RocketChat, Wire};
use propusk_tests::server::{Backend, Person};
use std::time::Duration;

propusk_tests::on_each_backend![
    a_signed_in_person_gets_one_token_a_session_and_it_ends_with_the_session,
    a_deep_link_survives_the_sign_in,
    the_gitlab_provider_signs_in_with_a_stable_number,
];

/// The cookie of a fresh session of this person.
pub(super) fn cookie(house: &House, person: &Person) -> (String, String) {
    let user = person.user.clone();
    let (session, secret) = house.server.admin(move |cx| session::start(cx, &user, None, session::Browser::default()));
    (format!("propusk_session={}", secret.expose()), session.sid)
}

pub(super) fn ask(house: &House, cookie: Option<&str>, origin: Option<&str>) -> Response {
    let mut request = Request::post(&house.server.url("/rocketchat/login"));
    if let Some(cookie) = cookie {
        request = request.header("Cookie", cookie);
    }
    if let Some(origin) = origin {
        request = request.header("Origin", origin);
    }
    request.send().unwrap()
}

pub(super) fn token(response: &Response) -> String {
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["loginToken"].as_str().unwrap().to_owned()
}

/// Who a login token of the chat is.
pub(super) fn owner(house: &House, token: &str) -> Option<String> {
    let state = house.chat.state();
    let user = state.tokens.iter().find(|known| known.token == token)?.user.clone();
    state.chat.workspace.user(&user).username.clone()
}

pub(super) const SECRET: [(&str, &str); 1] = [("rocketchat.create_token_secret", "create tokens secret")];

pub(super) fn with_secret(backend: Backend, edition: Edition) -> House {
    let house = House::with(backend, edition, &SECRET);
    {
        let mut state = house.chat.state();
        state.create_tokens = true;
        state.create_tokens_secret = Some("create tokens secret".to_owned());
    }
    house
}

fn a_signed_in_person_gets_one_token_a_session_and_it_ends_with_the_session(backend: Backend) {
    for edition in [Edition::community(7, 13), Edition::community(8, 9), Edition::community(9, 0)] {
        let house = with_secret(backend, edition);
        let (anna, origin) = (house.server.add_user("anna", "moderator"), house.chat.url());
        let (laptop, sid) = cookie(&house, &anna);
        let first = ask(&house, Some(&laptop), Some(&origin));
        assert_eq!((first.header("access-control-allow-origin"), first.header("access-control-allow-credentials")), (Some(&*origin), Some("true")));
        assert_eq!((first.header("cache-control"), first.header("referrer-policy")), (Some("no-store"), Some("no-referrer")));
        let first = token(&first);
        assert_eq!(owner(&house, &first).as_deref(), Some("anna"), "the account was made");
        assert_eq!(token(&ask(&house, Some(&laptop), Some(&origin))), first, "it is used again");
        house.wait_for("anna", &["user", "admin"], &["general", "moderators"]);
        let (phone, _) = cookie(&house, &anna);
        let second = token(&ask(&house, Some(&phone), Some(&origin)));
        assert_ne!(first, second);
        let row = house.server.look(|cx| Ok(cx.store.find_chat_token(&sid)?)).unwrap();
        assert!(!row.sealed.contains(&first), "sealed at rest");
        // One session ends, and one token.
        let ended = sid.clone();
        house.server.admin(move |cx| {
            let session = cx.store.find_session_by_sid(&ended)?.expect("the session");
            session::end(cx, &session, Revocation::Logout)
        });
        house.wait_until(|| owner(&house, &first).is_none());
        assert!(owner(&house, &second).is_some());
        assert_eq!(ask(&house, Some(&laptop), Some(&origin)).status, 401);
        // A token that the chat has ended is replaced.
        house.chat.state().tokens.retain(|known| known.token != second);
        let third = token(&ask(&house, Some(&phone), Some(&origin)));
        assert!(third != second && owner(&house, &third).is_some());
    }
}

#[test]
fn a_legacy_chat_is_asked_with_an_access_token_and_needs_no_administrator() {
    let none = [("rocketchat.user_id", ""), ("rocketchat.token", "")];
    let house = House::with(Backend::Sqlite, Edition::community(8, 6), &none);
    house.chat.state().chat.config =
        Config { version: (8, 6), ..Config::recommended(&house.chat.url(), &house.server.issuer, house.client.id(), &house.client.secret) };
    let anna = house.server.add_user("anna", "user");
    let (laptop, sid) = cookie(&house, &anna);
    for fault in [Fault::Status(500), Fault::Status(401), Fault::Html(200), Fault::Garbage, Fault::Close, Fault::TooMany(3)] {
        house.chat.state().fault("login", fault.clone(), 1);
        let answer = ask(&house, Some(&laptop), Some(&house.chat.url()));
        assert_eq!((answer.status, answer.json()["error"].as_str()), (503, Some("temporarily_unavailable")), "{fault:?}");
    }
    let made = token(&ask(&house, Some(&laptop), Some(&house.chat.url())));
    assert_eq!(owner(&house, &made).as_deref(), Some("anna"));
    house.server.admin(move |cx| {
        let session = cx.store.find_session_by_sid(&sid)?.expect("the session");
        session::end(cx, &session, Revocation::Logout)
    });
    house.wait_until(|| owner(&house, &made).is_none());
}

#[test]
fn only_the_chats_own_origin_is_answered() {
    let house = with_secret(Backend::Sqlite, Edition::community(8, 6));
    let anna = house.server.add_user("anna", "user");
    let (laptop, _) = cookie(&house, &anna);
    let origin = house.chat.url();
    let evil = [
        None,
        Some("https://evil.example".to_owned()),
        Some("null".to_owned()),
        Some(format!("{origin}.evil.example")),
        Some(format!("{origin}/")),
        Some(origin.replace("http://", "https://")),
        Some(house.server.issuer.clone()),
        Some(String::new()),
    ];
    for foreign in evil {
        let refused = ask(&house, Some(&laptop), foreign.as_deref());
        assert_eq!(refused.status, 403, "{foreign:?}");
        assert_eq!((refused.header("access-control-allow-origin"), refused.header("vary")), (None, Some("Origin")));
        assert_eq!(house.server.explain(refused.json()["error_reference"].as_str().unwrap()).detail.cause.slug(), "foreign_origin");
    }
    assert!(house.chat.state().tokens.len() == 1, "no token was made for anybody but the connector");
    let signed_out = ask(&house, None, Some(&origin));
    assert_eq!((signed_out.status, signed_out.header("access-control-allow-origin")), (401, Some(&*origin)));
    let preflight = |from: &str| {
        let request = Request::new("OPTIONS", &house.server.url("/rocketchat/login")).header("Origin", from);
        request.header("Access-Control-Request-Method", "POST").send().unwrap()
    };
    assert_eq!((preflight(&origin).status, preflight(&origin).header("access-control-allow-credentials")), (204, Some("true")));
    // Whatever is answered below /rocketchat/, no address of ours goes on to another site.
    let methods = ["PUT", "HEAD", "OPTIONS"].map(|method| (method, "/rocketchat/login"));
    let others = [("POST", "/rocketchat/open"), ("GET", "/rocketchat/frame?a=1&a=1"), ("GET", "/rocketchat/nothing"), ("GET", "/rocketchat/%00")];
    for (method, path) in methods.into_iter().chain(others) {
        for accept in ["*/*", "text/html"] {
            let answer = Request::new(method, &house.server.url(path)).header("Accept", accept).send().unwrap();
            let told = (answer.header("cache-control"), answer.headers("referrer-policy"));
            assert_eq!(told, (Some("no-store"), vec!["no-referrer"]), "{method} {path}: {}", answer.status);
            assert!(answer.status >= 400, "{method} {path}");
        }
    }
    for from in [&*origin, "https://evil.example"] {
        assert_eq!(preflight(from).headers("referrer-policy"), ["no-referrer"]);
    }
    assert_eq!((preflight("https://evil.example").status, preflight("https://evil.example").header("access-control-allow-origin")), (403, None));
}

#[test]
fn an_account_of_somebody_else_is_never_opened() {
    let house = with_secret(Backend::Sqlite, Edition::community(8, 6));
    house.chat.state().chat.workspace.add_local_user("anna", "other@example.net", true);
    let anna = house.server.add_user("anna", "user");
    let (laptop, _) = cookie(&house, &anna);
    let refused = ask(&house, Some(&laptop), Some(&house.chat.url()));
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert_eq!(house.server.explain(refused.json()["error_reference"].as_str().unwrap()).detail.cause.slug(), "chat_account_foreign");
    let root = house.server.add_user("root", "user");
    let (root, _) = cookie(&house, &root);
    assert_eq!(ask(&house, Some(&root), Some(&house.chat.url())).status, 403, "least of all the chat's administrator");
}

#[test]
fn a_chat_in_trouble_is_a_moment_of_unavailability_and_nothing_is_told() {
    let house = House::with(Backend::Sqlite, Edition::community(8, 6), &[SECRET[0], ("outbound.timeout", "1")]);
    house.chat.state().create_tokens_secret = Some("create tokens secret".to_owned());
    let anna = house.known("anna", "user");
    let (laptop, _) = cookie(&house, &anna);
    for fault in [
        Fault::Status(500),
        Fault::Status(403),
        Fault::Html(502),
        Fault::Html(200),
        Fault::Garbage,
        Fault::NotHttp,
        Fault::Close,
        Fault::LoseAnswer,
        Fault::Slow(Duration::from_secs(3)),
        Fault::Never,
        Fault::Status(401),
        Fault::TooMany(3),
    ] {
        house.chat.state().fault("users.createToken", fault.clone(), 1);
        let answer = ask(&house, Some(&laptop), Some(&house.chat.url()));
        assert_eq!((answer.status, answer.json()["error"].as_str()), (503, Some("temporarily_unavailable")), "{fault:?}");
    }
    let made = token(&ask(&house, Some(&laptop), Some(&house.chat.url())));
    assert_eq!(owner(&house, &made).as_deref(), Some("anna"));
    let mut house = house;
    house.chat.stop();
    assert_eq!(ask(&house, Some(&laptop), Some(&house.chat.url())).status, 503, "whether the token still lives only the chat knows");
    house.chat.resume();
    assert_eq!(token(&ask(&house, Some(&laptop), Some(&house.chat.url()))), made);
}

#[test]
fn a_token_whose_session_runs_out_is_ended_in_the_chat() {
    let house = House::with(Backend::Sqlite, Edition::community(8, 6), &[SECRET[0], ("session.idle", "1h")]);
    house.chat.state().create_tokens_secret = Some("create tokens secret".to_owned());
    let anna = house.known("anna", "user");
    let (laptop, _) = cookie(&house, &anna);
    let made = token(&ask(&house, Some(&laptop), Some(&house.chat.url())));
    house.server.advance(3601);
    house.wait_until(|| owner(&house, &made).is_none());
    house.quiet();
}

fn a_deep_link_survives_the_sign_in(backend: Backend) {
    let house = House::new(backend, Edition::community(8, 6));
    let (anna, olga, chat) = (house.known("anna", "user"), house.known("olga", "owner"), house.chat.url());
    let open = |browser: &mut Browser, query: &str| browser.visit(&house.server.url(&format!("/rocketchat/open?{query}"))).unwrap();
    let mut browser = Browser::new().stop_at(&chat);
    let deep = "/channel/general?msg=a%2Fb&x=ё";
    let landing = open(&mut browser, &format!("path={}", encode_uri_component(deep)));
    assert!(landing.stopped.is_none(), "{}", landing.trace());
    let landing = browser.sign_in(&anna.user.username, &anna.password).unwrap();
    assert_eq!(landing.url, format!("{chat}/channel/general?msg=a%2Fb&x=%D1%91"), "{}", landing.trace());
    assert_eq!(landing.response().header("referrer-policy"), Some("no-referrer"));
    // Signed in, it is one hop.
    assert_eq!(open(&mut browser, "channel=random").url, format!("{chat}/channel/random"));
    assert_eq!(open(&mut browser, "").url, format!("{chat}/home"));
    // What the map does not give is refused, however it is written.
    for query in [
        "channel=vip",
        "channel=VIP",
        "path=/group/Vip",
        "path=/group/vip",
        "path=/channel/vip/thread/1",
        "path=/group/v%2569p",
        "path=/x/../group/vip",
        "path=/Group/vip?a",
    ] {
        let refused = open(&mut browser, query);
        assert_eq!(refused.status(), 403, "{query}: {}", refused.trace());
    }
    for query in
        ["path=//evil.example", "path=https://evil.example", "path=/%5Cevil.example", "path=/a%0Ab", "channel=a/b", "channel=a&path=/b", "channel=.."]
    {
        let refused = open(&mut browser, query);
        assert_eq!((refused.status(), refused.stopped.is_none()), (400, true), "{query}: {}", refused.trace());
    }
    let mut owner = Browser::new().stop_at(&chat);
    open(&mut owner, "channel=vip");
    assert_eq!(owner.sign_in(&olga.user.username, &olga.password).unwrap().url, format!("{chat}/group/vip"), "a private one lives elsewhere");
}

#[test]
fn a_program_asks_with_an_access_token_that_may() {
    let house = House::new(Backend::Sqlite, Edition::community(8, 6));
    let anna = house.known("anna", "user");
    let site = |id: &str, scope: &str| {
        let client = house.server.add_client_with(id, Preset::Web, |new| {
            new.first_party = Some(true);
            new.more.scopes.add = vec!["chat.open".to_owned()];
        });
        house.server.tokens(&client, &anna, scope)["access_token"].as_str().unwrap().to_owned()
    };
    let (may, may_not) = (site("site", "openid chat.open"), site("other", "openid"));
    let ask = |token: &str, query: &str| Request::get(&house.server.url(&format!("/rocketchat/open?{query}"))).bearer(token).send().unwrap();
    let answer = ask(&may, "channel=general");
    assert_eq!((answer.status, answer.json()["url"].as_str()), (200, Some(&*format!("{}/channel/general", house.chat.url()))));
    assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), (Some("no-store"), Some("no-referrer")));
    assert_eq!(ask(&may, "channel=vip").status, 403);
    assert_eq!(ask(&may, "path=//evil.example").status, 400);
    assert_eq!(ask(&may_not, "channel=general").status, 403);
    assert_eq!(ask("nonsense", "channel=general").status, 401);
    // The client loses the permission.
    house.server.set_client("site", |patch| patch.scopes.remove = vec!["chat.open".to_owned()]);
    house.server.settle();
    assert_eq!(ask(&may, "channel=general").status, 403);
}

#[test]
fn the_frame_belongs_to_the_chat_alone() {
    let house = House::new(Backend::Sqlite, Edition::community(8, 6));
    let anna = house.server.add_user("anna", "user");
    let frame = |cookie: &str| Request::get(&house.server.url("/rocketchat/frame")).header("Cookie", cookie).send().unwrap();
    let outside = frame("a=b");
    let policy = outside.header("content-security-policy").unwrap();
    assert!(policy.ends_with(&format!("frame-ancestors {}", house.chat.url())) && policy.contains("script-src 'self'"), "{policy}");
    assert_eq!(outside.header("x-frame-options"), None, "it would forbid what the policy allows");
    assert!(outside.text().contains("chat-sign-in") && outside.text().contains("/rocketchat/signed-in"));
    let (laptop, _) = cookie(&house, &anna);
    assert!(frame(&laptop).text().contains(&format!("id=\"chat-signed-in\" data-chat=\"{}\"", house.chat.url())));
    // The sign-in page itself is framed by nobody.
    let mut browser = Browser::new();
    let landing = browser.visit(&house.server.url("/rocketchat/signed-in")).unwrap();
    assert_eq!(landing.response().header("x-frame-options"), Some("DENY"));
    let landing = browser.sign_in(&anna.user.username, &anna.password).unwrap();
    assert!(landing.html().contains("chat-signed-in"), "{}", landing.trace());
}

fn the_gitlab_provider_signs_in_with_a_stable_number(backend: Backend) {
    let house = House::new(backend, Edition::community(9, 0));
    let (anna, uta, chat) = (house.server.add_user("anna", "user"), house.server.add_user("uta", "user"), house.chat.url());
    let redirect_uri = format!("{chat}/_oauth/gitlab");
    let client = house.server.add_client_with("gitlab", Preset::Web, |new| {
        new.first_party = Some(true);
        new.redirect_uris = vec![redirect_uri];
        new.more.gitlab_facade = Some(true);
    });
    let mut numbers = Vec::new();
    for generation in [Generation::Legacy, Generation::Modern] {
        let config = Config { version: (9, 0), ..Config::gitlab(&chat, &house.server.issuer, client.id(), &client.secret) };
        let mut login = RocketChat::new(config, Profile::Gitlab(generation));
        for person in [&anna, &uta] {
            let mut browser = Browser::new().stop_at(&chat);
            let start = login.start("browser", &chat, 1).unwrap();
            browser.visit(&start.url).unwrap();
            let landing = browser.sign_in(&person.user.username, &person.password).unwrap();
            let answer = login.callback("browser", &landing.url, &mut Wire, 2);
            let ended = login.finish(answer, 3);
            let user = ended.user().unwrap_or_else(|| panic!("{ended:?} {:?}", login.exchanges)).to_owned();
            let account = login.workspace.user(&user);
            assert_eq!(account.name.as_deref(), person.user.claims.name.as_deref());
            assert_eq!(account.emails[0].address, format!("{}@example.org", person.user.username));
            numbers.push(account.service_id("gitlab").unwrap());
        }
    }
    assert_eq!(numbers, ["1", "2", "1", "2"]);
    // Not for other clients, not for other scopes.
    let site = house.server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let ask = |token: &str| Request::get(&house.server.url(&format!("/api/v4/user?access_token={token}"))).send().unwrap();
    let tokens = |client, scope| house.server.tokens(client, &anna, scope)["access_token"].as_str().unwrap().to_owned();
    assert_eq!(ask(&tokens(&site, "openid")).status, 403);
    assert_eq!(ask(&tokens(&client, "openid")).status, 403);
    assert_eq!(ask("").status, 401);
    let good = tokens(&client, "read_user");
    assert_eq!(ask(&good).json()["email"], "anna@example.org");
    assert_eq!(Request::get(&house.server.url("/api/v4/user")).bearer(&good).send().unwrap().json()["id"], 1);
}
