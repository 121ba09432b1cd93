//! `propusk doctor` and `propusk rocketchat doctor` against a running server behind a proxy, and a chat.

use super::{Answer, propusk, propusk_plain};
use propusk_domain::admin::probe::USERNAME_PREFIX;
use propusk_domain::client::{Preset, ROCKET_CHAT_MAP};
use propusk_tests::proxy::{Message, Proxy, Spoiler};
use propusk_tests::rocketchat::rest::{ChatServer, Edition, Fault};
use propusk_tests::server::{Backend, Registered, START, TestServer, free_port};
use serde_json::{Value, json};

propusk_tests::on_each_backend![nothing_is_found_on_a_good_set_up];

/// A server behind a proxy, a chat that is set up as recommended, a role map that gives moderators no administration.
pub(super) struct Shop {
    pub(super) proxy: Proxy,
    pub(super) server: TestServer,
    pub(super) chat: ChatServer,
    pub(super) client: Registered,
}

impl Shop {
    pub(super) fn open(backend: Backend, edition: Edition) -> Self {
        let shop = Self::bare(backend, edition, &[]);
        shop.set_up();
        shop
    }

    /// With a chat that is not set up yet.
    pub(super) fn bare(backend: Backend, edition: Edition, more: &[(&str, &str)]) -> Self {
        let port = free_port();
        let proxy = Proxy::start(port);
        let chat = ChatServer::start(edition);
        let (issuer, listen) = (proxy.url(), format!("127.0.0.1:{port}"));
        let settings: Vec<(&str, &str)> = [("issuer", &*issuer), ("http.listen", &*listen)].into_iter().chain(more.iter().copied()).collect();
        let server = TestServer::with(backend, &settings);
        server.advance(now() - START.0);
        let url = chat.url();
        let client = server.add_client_with("rocketchat", Preset::RocketChat, |new| new.redirect_uris = vec![format!("{url}/_oauth/besedka")]);
        server.admin(|cx| {
            let mut map = cx.store.list_role_maps()?.into_iter().find(|map| map.name == ROCKET_CHAT_MAP).unwrap();
            map.roles.insert("moderator".into(), vec!["moderator".into()]);
            Ok(cx.store.put_role_map(&map)?)
        });
        Self { proxy, server, chat, client }
    }

    pub(super) fn set_up(&self) {
        let file = self.server.place().join("secret");
        std::fs::write(&file, &self.client.secret).unwrap();
        let (url, file) = (self.chat.url(), file.display().to_string());
        let arguments = ["rocketchat", "settings", "--chat-url", &url, "--apply", "--admin-user", "root", "--secret-file", &file];
        let applied = propusk(&self.server, &arguments, "root password\n");
        assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    }

    pub(super) fn doctor(&self, more: &[&str], stdin: &str) -> Answer {
        let arguments: Vec<&str> = ["rocketchat", "doctor"].into_iter().chain(more.iter().copied()).collect();
        propusk(&self.server, &arguments, stdin)
    }

    /// Nothing of a trial stays, however it ended.
    #[track_caller]
    pub(super) fn assert_clean(&self) {
        let people = self.server.look(|cx| Ok(cx.store.list_users(None, Some(USERNAME_PREFIX), 10)?));
        assert!(people.is_empty(), "{people:?}");
        let client = self.server.look(|cx| Ok(cx.store.find_client("rocketchat")?)).unwrap();
        assert_eq!(client.secrets.len(), 1, "the trial's secret is gone");
    }
}

#[expect(clippy::disallowed_methods, reason = "the binary under test reads the same clock")]
pub(super) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

pub(super) fn slugs(answer: &Answer) -> Vec<String> {
    let answer = answer.json();
    let findings = answer["findings"].as_array().unwrap_or_else(|| panic!("{answer}"));
    findings.iter().map(|finding| finding["slug"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
pub(super) fn assert_healthy(answer: &Answer) {
    assert_eq!((answer.code, slugs(answer)), (0, Vec::<String>::new()), "{}{}", answer.stdout, answer.stderr);
}

fn nothing_is_found_on_a_good_set_up(backend: Backend) {
    let shop = Shop::open(backend, Edition::community(8, 6));
    shop.server.add_user("anna", "owner");
    let answer = shop.doctor(&[], "");
    assert_healthy(&answer);
    let steps: Vec<Value> = answer.json()["steps"].as_array().unwrap().iter().map(|step| step["step"].clone()).collect();
    assert_eq!(steps, ["page", "oidc", "legacy", "modern", "chat"]);
    shop.assert_clean();
    // What was tried is no sign-in of anybody's.
    shop.server.settle();
    assert_eq!(crate::trace::flows(&shop.server).iter().map(crate::trace::shown).collect::<Vec<_>>(), Vec::<Vec<_>>::new());
    let (id, token) = shop.chat.state().admin_token();
    std::fs::write(shop.server.place().join("token"), token).unwrap();
    let file = shop.server.place().join("token").display().to_string();
    shop.chat.state().chat.workspace.add_role("Xk2vip", "vip");
    assert_healthy(&shop.doctor(&["--admin-id", &id, "--admin-token-file", &file], ""));
    let dump = shop.server.place().join("dump.json");
    std::fs::write(&dump, shop.chat.state().dump().to_string()).unwrap();
    let dump = dump.display().to_string();
    assert_healthy(&shop.doctor(&["--settings", &dump, "--chat-version", "8.6.1"], ""));
    assert_eq!(propusk_plain(&shop.server, &["rocketchat", "doctor", "--settings", &dump], "").stdout.lines().last(), Some("Nothing is wrong."));
}

#[test]
fn other_editions_are_healthy_too() {
    for edition in [Edition::community(7, 13), Edition { version: (9, 0), licensed: true }] {
        let shop = Shop::open(Backend::Sqlite, edition);
        assert_healthy(&shop.doctor(&["--licensed"], ""));
    }
}

pub(super) type Change = fn(&str, &mut Message);

fn nothing(_: &str, _: &mut Message) {}

/// What a proxy may spoil, and what the doctor says of it.
pub(super) fn spoilers() -> Vec<(&'static [&'static str], Change, Change)> {
    vec![
        (&["opener_policy", "form_action", "cookie_lost"], nothing, |path, answer| {
            if path.starts_with("/login") {
                answer.head +=
                    "\r\nCross-Origin-Opener-Policy: same-origin\r\nContent-Security-Policy: form-action 'self'\r\nSet-Cookie: a=b; Secure";
            }
        }),
        (&["sandboxed"], nothing, |path, answer| {
            if path.starts_with("/login") {
                answer.head += "\r\nContent-Security-Policy: sandbox allow-forms";
            }
        }),
        (&["page_refused"], nothing, |path, answer| {
            if path.starts_with("/login") {
                *answer = Message { head: "HTTP/1.1 404 Not Found\r\nContent-Type: text/html".into(), body: "<h1>nginx</h1>".into() };
            }
        }),
        (&["page_refused"], nothing, |path, answer| {
            if path.starts_with("/login") {
                *answer = Message { head: "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html".into(), body: "<h1>Soon</h1>".into() };
            }
        }),
        (&["cookie_lost"], nothing, |_, answer| answer.head = answer.head.replace("SameSite=Lax", "SameSite=Strict")),
        // nginx: proxy_cookie_path / /login
        (&["cookie_lost"], nothing, |_, answer| answer.head = answer.head.replace("Path=/;", "Path=/login;")),
        (&["cookie_lost"], nothing, |_, answer| answer.head = answer.head.replace("Path=/;", "Domain=elsewhere.example; Path=/;")),
        (&["cookie_missing"], nothing, |_, answer| {
            let kept: Vec<&str> = answer.head.split("\r\n").filter(|line| !line.to_lowercase().starts_with("set-cookie")).collect();
            answer.head = kept.join("\r\n");
        }),
        (&["session_lost"], |_, request| request.head = request.head.replace("propusk_session", "lost"), nothing),
        (&["authorize_redirected"], nothing, |path, answer| {
            if path.starts_with("/oauth/authorize") {
                answer.head = "HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/".into();
            }
        }),
        (&["redirect_loop"], nothing, |path, answer| {
            if path.starts_with("/login") {
                answer.head = format!("HTTP/1.1 301 Moved\r\nLocation: {path}");
            }
        }),
        (&["state_changed"], nothing, |_, answer| answer.head = answer.head.replace("&state=", "&state=x")),
        (&["authorize_page"], nothing, |path, answer| {
            if path.starts_with("/oauth/authorize") {
                *answer = Message { head: "HTTP/1.1 200 OK\r\nContent-Type: text/html".into(), body: "<main><h1>Maintenance</h1></main>".into() };
            }
        }),
        (&["token_redirected"], nothing, |path, answer| {
            if path.starts_with("/oauth/token") {
                answer.head = "HTTP/1.1 301 Moved\r\nLocation: /oauth/token/".into();
            }
        }),
        (&["token_not_json", "oidc_code"], nothing, |path, answer| {
            if path.starts_with("/oauth/token") {
                answer.body = "<html>Bad Gateway</html>".into();
            }
        }),
        (&["no_answer"], nothing, |path, answer| {
            if path.starts_with("/oauth/token") {
                answer.head.clear();
            }
        }),
        (&["identity_redirected"], nothing, |path, answer| {
            if path.starts_with("/oauth/userinfo/") {
                answer.head = "HTTP/1.1 308 Moved\r\nLocation: /".into();
            }
        }),
        (&["identity_not_json"], nothing, |path, answer| {
            if path.starts_with("/oauth/userinfo/") {
                answer.body = "eyJhbGciOiJub25lIn0.e30.".into();
            }
        }),
        (&["identity_refused", "oidc_userinfo"], |_, request| request.head = request.head.replace("authorization: Bearer", "x-lost: "), nothing),
        (
            &["roles_not_a_list", "groups_not_a_list", "identifier_overridden", "identity_of_somebody_else", "email_not_told"],
            nothing,
            |path, answer| {
                if path.starts_with("/oauth/userinfo/") {
                    let mut identity: Value = serde_json::from_str(&answer.body).unwrap();
                    identity["roles"] = json!("user");
                    identity["groups"] = json!("general");
                    identity["id"] = json!(7);
                    identity["preferred_username"] = json!("somebody");
                    identity.as_object_mut().unwrap().remove("email");
                    answer.body = identity.to_string();
                }
            },
        ),
        (&["oidc_discovery"], nothing, |path, answer| {
            if path.contains("openid-configuration") {
                answer.body = answer.body.replace("\"issuer\":\"http:", "\"issuer\":\"https:");
            }
        }),
        (&["oidc_id_token"], nothing, |path, answer| {
            if answer.body.contains("\"keys\"") && path.contains("jwks") {
                answer.body = "{\"keys\":[]}".into();
            }
        }),
    ]
}

#[test]
fn every_fault_of_a_proxy_is_found_and_gone_with_it() {
    let shop = Shop::open(Backend::Sqlite, Edition::community(8, 6));
    let spoilers = spoilers();
    assert!(spoilers.iter().map(|(slugs, _, _)| slugs.len()).sum::<usize>() >= 22);
    for (expected, request, answer) in spoilers {
        shop.proxy.spoil(Some(Spoiler { request, answer }));
        let answer = shop.doctor(&[], "");
        assert_eq!(answer.code, 3, "{expected:?}: {}{}", answer.stdout, answer.stderr);
        let found = slugs(&answer);
        for slug in expected {
            assert!(found.iter().any(|found| found == slug), "{slug} is not among {found:?}: {}", answer.stdout);
        }
        shop.assert_clean();
    }
    shop.proxy.spoil(None);
    assert_healthy(&shop.doctor(&[], ""));
}

#[test]
fn what_the_chat_shows_is_judged() {
    let shop = Shop::open(Backend::Sqlite, Edition::community(8, 6));
    for (slug, id, value) in [
        ("merge_users_off", "Accounts_OAuth_Custom-Besedka-merge_users", json!(false)),
        ("identity_path_open", "Accounts_OAuth_Custom-Besedka-identity_path", json!("/me")),
        ("url_mismatch", "Accounts_OAuth_Custom-Besedka-url", json!("http://127.0.0.1:1")),
        ("provider_missing", "Accounts_OAuth_Custom-Besedka", json!(false)),
        ("registration_open", "Accounts_RegistrationForm", json!("Public")),
    ] {
        shop.chat.state().set(id, value);
        let answer = shop.doctor(&[], "");
        assert_eq!((answer.code, slugs(&answer)), (3, vec![slug.to_owned()]), "{}", answer.stdout);
        shop.set_up();
    }
    let faults = [Fault::Html(502), Fault::Html(200), Fault::Garbage, Fault::NotHttp, Fault::Close, Fault::TooMany(3000)];
    for fault in faults.into_iter().chain([401, 403, 500].map(Fault::Status)) {
        shop.chat.state().fault("", fault.clone(), 1);
        let answer = shop.doctor(&[], "");
        assert_eq!((answer.code, slugs(&answer)), (3, vec!["chat_unreachable".to_owned()]), "{fault:?}: {}", answer.stdout);
        shop.chat.state().heal();
    }
    assert_healthy(&shop.doctor(&[], ""));
}

#[test]
fn an_unlicensed_nine_is_told_apart_from_a_missing_provider() {
    let server = TestServer::start(Backend::Sqlite);
    server.advance(now() - START.0);
    let chat = ChatServer::start(Edition::community(9, 0));
    let url = chat.url();
    server.add_client_with("rocketchat", Preset::RocketChat, |new| new.redirect_uris = vec![format!("{url}/_oauth/besedka")]);
    let answer = propusk(&server, &["rocketchat", "doctor"], "");
    assert!(slugs(&answer).contains(&"unlicensed_nine".to_owned()), "{}", answer.stdout);
    assert!(slugs(&answer).contains(&"role_map_gives_admin".to_owned()), "the documented map is spoken of");
}

#[test]
fn a_wrong_secret_an_unverified_address_and_a_disabled_client_are_found() {
    let shop = Shop::open(Backend::Sqlite, Edition::community(8, 6));
    let answer = shop.doctor(&["--secret-stdin"], "not the secret at all");
    assert!(slugs(&answer).contains(&"token_refused".to_owned()), "{}", answer.stdout);
    assert!(answer.stdout.contains("propusk explain "), "{}", answer.stdout);
    assert_healthy(&shop.doctor(&["--secret-stdin"], &shop.client.secret));
    let added = propusk(&shop.server, &["user", "add", "boris", "--role", "user", "--email", "b@example.org", "--email-unverified"], "");
    assert_eq!(added.code, 0);
    assert_eq!(slugs(&shop.doctor(&[], "")), ["email_not_verified"]);
    assert_eq!(propusk(&shop.server, &["user", "remove", "boris"], "").code, 0);
    assert_eq!(propusk(&shop.server, &["client", "set", "rocketchat", "--disable"], "").code, 0);
    shop.server.settle();
    assert!(slugs(&shop.doctor(&[], "")).contains(&"client_disabled".to_owned()));
    shop.assert_clean();
}

#[test]
fn a_server_that_does_not_answer_is_no_finding() {
    let shop = Shop::open(Backend::Sqlite, Edition::community(8, 6));
    let Shop { proxy, server, chat, client } = shop;
    drop(proxy);
    let answer = propusk(&server, &["rocketchat", "doctor"], "");
    assert_eq!(answer.code, 4, "{}{}", answer.stdout, answer.stderr);
    let (proxy, shop_server) = (Proxy::start(1), server);
    Shop { proxy, server: shop_server, chat, client }.assert_clean();
}

#[test]
fn any_client_is_examined_as_a_relying_party() {
    let server = TestServer::start(Backend::Sqlite);
    server.advance(now() - START.0);
    for (id, preset) in [("site", Preset::Web), ("app", Preset::Spa), ("native", Preset::Native)] {
        server.add_client(id, preset);
        let answer = propusk(&server, &["doctor", "--client", id], "");
        assert_healthy(&answer);
    }
    server.add_client("worker", Preset::Service);
    assert_eq!(propusk(&server, &["doctor", "--client", "worker"], "").code, 4);
    let unknown = propusk(&server, &["doctor", "--client", "sita"], "");
    assert_eq!((unknown.code, &unknown.json()["error"]["cause"]), (4, &json!("unknown_client")));
    let people = server.look(|cx| Ok(cx.store.list_users(None, Some(USERNAME_PREFIX), 10)?));
    assert!(people.is_empty());
}

#[test]
fn what_could_not_be_examined_is_no_verdict() {
    let shop = Shop::open(Backend::Sqlite, Edition::community(8, 6));
    let file = |name: &str, text: &str| {
        std::fs::write(shop.server.place().join(name), text).unwrap();
        shop.server.place().join(name).display().to_string()
    };
    let (broken, alien, token) = (file("broken.json", "[{"), file("alien.json", "{\"a\":1}"), file("token", "no token of the chat"));
    let empty = file("empty.json", "[]");
    let nowhere = shop.server.place().join("nowhere").display().to_string();
    for arguments in [
        &["--settings", &broken][..],
        &["--settings", &alien],
        &["--settings", &nowhere],
        &["--settings", &empty],
        &["--client", "rocket"],
        &["--admin-id", "u1", "--admin-token-file", &token],
        &["--admin-id", "u1", "--admin-token-file", &nowhere],
    ] {
        let answer = shop.doctor(arguments, "");
        assert_eq!(answer.code, 4, "{arguments:?}: {}{}", answer.stdout, answer.stderr);
        assert!(answer.json()["error"]["message"].is_string(), "{}", answer.stdout);
    }
    assert_eq!(shop.doctor(&["--no-such-switch"], "").code, 2);
    assert_eq!(shop.doctor(&["--secret-stdin", "--admin-user", "root"], "x").code, 2);
    shop.assert_clean();
}

#[test]
fn what_a_killed_trial_left_is_removed_by_the_next() {
    let server = TestServer::start(Backend::Sqlite);
    server.advance(now() - START.0);
    let client = server.add_client("site", Preset::Web).client;
    server.advance(-400);
    server.admin(move |cx| propusk_domain::admin::probe::begin(cx, &client, true));
    server.advance(400);
    assert_eq!(propusk(&server, &["doctor", "--client", "site"], "").code, 0);
    let people = server.look(|cx| Ok(cx.store.list_users(None, Some(USERNAME_PREFIX), 10)?));
    assert!(people.is_empty(), "{people:?}");
}
