//! Clients of django-oauth-toolkit keep their secrets, and nobody who has a token is signed out.

use super::{ROLES, fixture, import};
use propusk_domain::admin::users;
use propusk_domain::client::{Client, Preset};
use propusk_tests::browser::Browser;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, Registered, TestServer};
use serde_json::json;

propusk_tests::on_each_backend![
    clients_and_live_tokens_of_every_version_are_taken_over,
    a_hashed_secret_is_verified_as_it_is_and_kept_in_our_form_after_its_first_use,
    an_adopted_refresh_token_rotates_into_ours_and_its_reuse_revokes_the_grant,
    an_adopted_token_ends_with_its_person_its_client_and_its_time,
    what_is_stored_of_a_token_or_a_secret_opens_nothing,
    scopes_follow_the_map,
    clients_go_on_asking_for_the_scopes_that_the_site_had,
    the_map_holds_for_what_clients_ask_for,
    a_scope_of_this_server_is_not_given_to_everybody_because_one_application_had_it,
    guessing_at_a_foreign_secret_keeps_nobody_from_signing_in,
];

const VERSIONS: [&str; 3] = ["dot-2.4.json", "dot-3.0.json", "dot-3.4.json"];

fn moved(backend: Backend, more: &[&str]) -> TestServer {
    let server = TestServer::start(backend);
    let answer = import(&server, &fixture("dot-3.4.json"), &[&ROLES[..], more].concat());
    assert_eq!(answer.code, 0, "{}", answer.stdout);
    server
}

fn client(server: &TestServer, id: &str) -> Client {
    server.look(|cx| Ok(cx.store.find_client(id)?)).unwrap()
}

fn registered(server: &TestServer, id: &str, secret: &str) -> Registered {
    Registered { client: client(server, id), secret: secret.to_owned() }
}

fn introspect(server: &TestServer, asking: &Registered, token: &str) -> Response {
    Request::post(&server.url("/oauth/introspect")).basic(asking.id(), &asking.secret).post_form(&[("token", token)]).send().unwrap()
}

fn clients_and_live_tokens_of_every_version_are_taken_over(backend: Backend) {
    for version in VERSIONS {
        let server = TestServer::start(backend);
        let dry = import(&server, &fixture(version), &[&ROLES[..], &["--dry-run"]].concat());
        assert_eq!(dry.code, 3, "{version}");
        let answer = import(&server, &fixture(version), &ROLES);
        let report = answer.json();
        assert_eq!(report["clients"]["added"], 5, "{version}: {}", answer.stdout);
        assert_eq!((&report["access_tokens"]["read"], &report["access_tokens"]["added"]), (&json!(7), &json!(4)), "{version}: {}", answer.stdout);
        assert_eq!((&report["refresh_tokens"]["read"], &report["refresh_tokens"]["added"]), (&json!(4), &json!(3)), "{version}: {}", answer.stdout);
        assert!(answer.findings().iter().any(|(slug, ..)| slug == "user_disabled"), "{}", answer.stdout);

        let chat = client(&server, "chat");
        assert_eq!((chat.preset, chat.first_party, chat.name.as_str()), (Preset::RocketChat, true, "Чат"));
        assert_eq!(chat.settings.redirect_uris, ["https://chat.example.org/_oauth/besedka"]);
        let wiki = client(&server, "wiki");
        assert_eq!((wiki.preset, wiki.first_party, wiki.settings.redirect_uris.len()), (Preset::Web, false, 2));
        let mobile = client(&server, "mobile");
        assert_eq!((mobile.preset, mobile.is_public(), mobile.secrets.len()), (Preset::Native, true, 0));
        assert_eq!(client(&server, "robot").preset, Preset::Service);

        let answer = server.userinfo("anna-wiki-access-token");
        assert_eq!(answer.status, 200, "{version}: {}", answer.text());
        assert_eq!((&answer.json()["sub"], &answer.json()["preferred_username"]), (&json!("101"), &json!("anna")));
        assert_eq!(server.userinfo("anna-chat-access-token").json()["roles"], json!(["admin", "vip"]));
        for dead in ["boris-wiki-access-token", "gleb-wiki-access-token", "nobody-access-token"] {
            assert_eq!(server.userinfo(dead).status, 401, "{version} {dead}");
        }
        let api = server.add_client("api", Preset::Api);
        let told = introspect(&server, &api, "robot-access-token").json();
        assert_eq!((&told["active"], &told["sub"], &told["scope"]), (&json!(true), &json!("robot"), &json!("read")), "{version}");
        let told = introspect(&server, &api, "anna-wiki-refresh-token").json();
        assert_eq!((&told["active"], &told["username"]), (&json!(true), &json!("anna")), "{version}");

        let wiki = registered(&server, "wiki", "wiki-secret-wiki-secret");
        for person in ["anna", "boris"] {
            let answer = server.refresh(&wiki, &format!("{person}-wiki-refresh-token"));
            assert_eq!(answer.status, 200, "{version} {person}: {}", answer.text());
            assert_eq!(server.userinfo(answer.json()["access_token"].as_str().unwrap()).status, 200, "{version} {person}");
        }
        assert_eq!(server.refresh(&wiki, "vera-wiki-refresh-token").json()["error"], "invalid_grant", "{version}: it was revoked there");

        let again = import(&server, &fixture(version), &ROLES).json();
        assert_eq!((&again["clients"]["unchanged"], &again["clients"]["added"]), (&json!(5), &json!(0)), "{version}");
        assert_eq!((&again["access_tokens"]["unchanged"], &again["access_tokens"]["added"]), (&json!(4), &json!(0)), "{version}");
        assert_eq!((&again["refresh_tokens"]["unchanged"], &again["refresh_tokens"]["added"]), (&json!(3), &json!(0)), "{version}");
    }
}

fn a_hashed_secret_is_verified_as_it_is_and_kept_in_our_form_after_its_first_use(backend: Backend) {
    let server = moved(backend, &[]);
    let stored = |id: &str| client(&server, id).secrets[0].hash.as_str().to_owned();
    assert!(stored("robot").starts_with("pbkdf2_sha256$"));
    assert!(stored("wiki").starts_with("sha256:"), "a clear secret is digested at once");
    let ask = |secret: &str, basic: bool| {
        let request = Request::post(&server.url("/oauth/token"));
        let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", secret)];
        if basic { request.basic("robot", secret).post_form(&form[..1]) } else { request.post_form(&form) }.send().unwrap()
    };
    for basic in [false, true] {
        let answer = ask("robot-secret-robot-secreT", basic);
        assert_eq!((answer.status, answer.json()["error"].clone()), (401, json!("invalid_client")));
    }
    assert!(stored("robot").starts_with("pbkdf2_sha256$"), "a wrong secret replaces nothing");
    // The command line judges it in either form.
    let check = |secret: &str| super::propusk_with(&server, &["client", "check-secret", "robot"], secret).json()["works"].clone();
    assert_eq!((check("robot-secret-robot-secret"), check("another")), (json!(true), json!(false)));
    assert_eq!(ask("robot-secret-robot-secret", true).status, 200);
    assert_eq!((check("robot-secret-robot-secret"), check("another")), (json!(true), json!(false)));
    assert!(stored("robot").starts_with("sha256:"));
    assert_eq!(ask("robot-secret-robot-secret", false).status, 200);
    assert_eq!(ask("robot-secret-robot-secreT", false).status, 401);

    // A secret that could be guessed from a single SHA-256 works, and stays as slow as it was.
    assert!(stored("oldapp").starts_with("pbkdf2_sha256$"));
    let revoke = |secret: &str| Request::post(&server.url("/oauth/revoke")).basic("oldapp", secret).post_form(&[("token", "x")]).send().unwrap();
    assert_eq!((revoke("oldapp-secret").status, revoke("oldapp-Secret").status), (200, 401));
    assert!(stored("oldapp").starts_with("pbkdf2_sha256$"));
}

fn an_adopted_refresh_token_rotates_into_ours_and_its_reuse_revokes_the_grant(backend: Backend) {
    let server = moved(backend, &[]);
    let wiki = registered(&server, "wiki", "wiki-secret-wiki-secret");
    let mobile = registered(&server, "mobile", "");
    // A stranger's attempt changes nothing.
    assert_eq!(server.refresh(&mobile, "anna-wiki-refresh-token").json()["error"], "invalid_grant");
    let first = server.refresh(&wiki, "anna-wiki-refresh-token").json();
    let ours = first["refresh_token"].as_str().unwrap();
    assert!(ours.starts_with("ppr_"));
    assert_eq!(first["scope"], "read openid profile");
    // A lost answer costs nobody a sign-in.
    assert_eq!(server.refresh(&wiki, "anna-wiki-refresh-token").json()["refresh_token"], ours);
    let second = server.refresh(&wiki, ours).json();
    assert_eq!(server.userinfo(second["access_token"].as_str().unwrap()).status, 200);
    // Later it is reuse: whoever copied the old database signs the grant out, not in.
    server.advance(3600);
    assert_eq!(server.refresh(&wiki, "anna-wiki-refresh-token").json()["error"], "invalid_grant");
    assert_eq!(server.refresh(&wiki, second["refresh_token"].as_str().unwrap()).json()["error"], "invalid_grant");
    assert_eq!(server.userinfo("anna-wiki-access-token").status, 401, "it hung on the same grant");
    assert_eq!(server.userinfo("anna-chat-access-token").status, 200, "this one does not");
    assert_eq!(server.refresh(&mobile, "anna-mobile-refresh-token").status, 200);
}

fn an_adopted_token_ends_with_its_person_its_client_and_its_time(backend: Backend) {
    let server = moved(backend, &[]);
    let alive = |token: &str| server.userinfo(token).status == 200;
    assert!(alive("anna-wiki-access-token") && alive("anna-chat-access-token") && alive("anna-mobile-access-token"));
    let wiki = registered(&server, "wiki", "wiki-secret-wiki-secret");
    let form = [("token", "anna-wiki-refresh-token"), ("client_id", "wiki"), ("client_secret", "wiki-secret-wiki-secret")];
    assert_eq!(Request::post(&server.url("/oauth/revoke")).post_form(&form).send().unwrap().status, 200);
    assert!(!alive("anna-wiki-access-token") && alive("anna-mobile-access-token"));
    assert_eq!(server.refresh(&wiki, "anna-wiki-refresh-token").status, 400);
    server.admin(|cx| users::disable(cx, "101"));
    server.settle();
    assert!(!alive("anna-chat-access-token") && !alive("anna-mobile-access-token"));

    let server = moved(backend, &[]);
    server.clock.advance(75 * 365 * 86_400);
    assert_eq!(server.userinfo("anna-chat-access-token").status, 401, "it has expired");
}

/// Who reads the database, here or at the site, cannot use what stands there.
fn what_is_stored_of_a_token_or_a_secret_opens_nothing(backend: Backend) {
    let server = moved(backend, &[]);
    let stored = server.look(|cx| Ok(cx.store.find_adopted_token(&propusk_crypto::digest("anna-wiki-access-token"))?)).unwrap();
    for copied in [stored.digest.as_str(), "6533e5a0015fb361aea112fa50a20081ec08f924fe15c5ae06f78f1dd095299b"] {
        assert_eq!(server.userinfo(copied).status, 401, "{copied}");
    }
    // A refresh token is no access token, nor the other way about.
    assert_eq!(server.userinfo("anna-wiki-refresh-token").status, 401);
    let wiki = registered(&server, "wiki", "wiki-secret-wiki-secret");
    assert_eq!(server.refresh(&wiki, "anna-wiki-access-token").json()["error"], "invalid_grant");
    let hash = client(&server, "robot").secrets[0].hash.as_str().to_owned();
    let robot = registered(&server, "robot", &hash);
    let answer = server.token(&robot, &[("grant_type", "client_credentials")]);
    assert_eq!(answer.status, 401);
    let record = server.explain(answer.json()["error_reference"].as_str().unwrap());
    assert_eq!(record.detail.cause.slug(), "secret_is_stored_hash");
}

fn scopes_follow_the_map(backend: Backend) {
    let server = moved(backend, &["--scope-map", "read=", "--scope-map", "groups:read=groups"]);
    let api = server.add_client("api", Preset::Api);
    assert_eq!(introspect(&server, &api, "anna-wiki-access-token").json()["scope"], "openid profile");
    assert_eq!(introspect(&server, &api, "anna-mobile-access-token").json()["scope"], "openid groups");
    assert!(!client(&server, "wiki").settings.scopes.contains("read"));
}

/// The scope of a token by a code, asked for by `scope`; the error code where it is refused.
fn asked(server: &TestServer, id: &str, secret: &str, scope: &str) -> String {
    let client = registered(server, id, secret);
    let mut browser = Browser::new().stop_at(client.redirect_uri());
    let mut landing = browser.visit(&server.authorize_url(&client, &[("scope", scope)])).unwrap();
    if landing.stopped.is_none() {
        landing = browser.sign_in("anna", "correct horse anna").unwrap();
    }
    if landing.stopped.is_none() {
        landing = browser.press("consent-allow").unwrap();
    }
    match landing.param("code") {
        Some(code) => {
            let answer = server.redeem(&client, &code, &[]);
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.json()["scope"].as_str().unwrap_or_default().to_owned()
        }
        None => landing.param("error").unwrap_or_else(|| panic!("{}", landing.trace())),
    }
}

fn own(server: &TestServer, id: &str, secret: &str, scope: &str) -> String {
    let answer = server.token(&registered(server, id, secret), &[("grant_type", "client_credentials"), ("scope", scope)]).json();
    answer["scope"].as_str().or_else(|| answer["error"].as_str()).unwrap_or_default().to_owned()
}

/// Any application of the toolkit may ask for any scope of the site, whether it has a token at the moment or not.
fn clients_go_on_asking_for_the_scopes_that_the_site_had(backend: Backend) {
    let server = moved(backend, &[]);
    assert_eq!(asked(&server, "wiki", "wiki-secret-wiki-secret", "openid read groups:read"), "openid read groups:read");
    assert_eq!(asked(&server, "wiki", "wiki-secret-wiki-secret", "openid write"), "invalid_scope", "a scope that the site is not seen to have");
    assert_eq!(own(&server, "robot", "robot-secret-robot-secret", "read groups:read"), "read groups:read");
    assert!(client(&server, "oldapp").settings.scopes.contains("read"), "it has no token in the dump");
    assert!(!client(&server, "robot").settings.scopes.contains("openid"), "nobody signs in to it");
    assert!(!client(&server, "chat").settings.scopes.contains("offline_access"));
}

fn the_map_holds_for_what_clients_ask_for(backend: Backend) {
    let map = ["--scope-map", "read=profile email", "--scope-map", "groups:read=", "--scope-map", "write=reports"];
    let server = moved(backend, &map);
    assert_eq!(asked(&server, "wiki", "wiki-secret-wiki-secret", "openid read groups:read"), "openid profile email");
    assert_eq!(asked(&server, "wiki", "wiki-secret-wiki-secret", "openid write"), "openid reports", "no token in the dump has it, the map does");
    assert_eq!(own(&server, "robot", "robot-secret-robot-secret", "write"), "reports");
    assert_eq!(own(&server, "robot", "robot-secret-robot-secret", "read"), "profile email");
    let wiki = registered(&server, "wiki", "wiki-secret-wiki-secret");
    let form = [("grant_type", "refresh_token"), ("refresh_token", "anna-wiki-refresh-token"), ("scope", "openid read")];
    let answer = server.token(&wiki, &form);
    assert_eq!((answer.status, answer.json()["scope"].clone()), (200, json!("openid profile email")), "{}", answer.text());

    // The names are an operator's to change.
    let set = |arguments: &[&str]| super::propusk(&server, &[&["client", "set", "wiki"], arguments].concat());
    assert_eq!(set(&["--scope-alias", "write=email", "--remove-scope-alias", "groups:read"]).code, 0);
    server.settle();
    assert_eq!(asked(&server, "wiki", "wiki-secret-wiki-secret", "openid write"), "openid email");
    assert_eq!(asked(&server, "wiki", "wiki-secret-wiki-secret", "openid groups:read"), "invalid_scope");
    let shown = super::propusk(&server, &["client", "show", "wiki"]);
    assert!(shown.stdout.contains("scope_aliases"), "{}", shown.stdout);
    for bad in ["a b=c", "=c", "a=\"", "ä=c"] {
        assert_eq!(set(&["--scope-alias", bad]).code, 2, "{bad}");
        assert_eq!(import(&server, &fixture("dot-3.4.json"), &["--scope-map", bad]).code, 2, "{bad}");
    }
}

/// Some of its scopes open doors here: a token that one application has at the site must not open them to all.
fn a_scope_of_this_server_is_not_given_to_everybody_because_one_application_had_it(backend: Backend) {
    let server = TestServer::start(backend);
    let text = std::fs::read_to_string(fixture("dot-3.4.json")).unwrap().replace("groups:read", "propusk:users chat.open reports");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    for privileged in ["read=propusk:users", "read=profile propusk:tokens", "x=chat.open", "x=read_user"] {
        assert_eq!(import(&server, file.path(), &["--scope-map", privileged]).code, 2, "{privileged}");
    }
    assert!(server.look(|cx| Ok(cx.store.list_clients()?)).is_empty());
    let dry = import(&server, file.path(), &[&ROLES[..], &["--dry-run"]].concat());
    let answer = import(&server, file.path(), &ROLES);
    assert_eq!((answer.code, answer.json()["scopes"].clone()), (0, json!(["read", "reports"])), "{}", answer.stdout);
    for answer in [&dry, &answer] {
        let findings = answer.json()["findings"].clone();
        let told: Vec<_> = findings.as_array().unwrap().iter().filter(|finding| finding["slug"] == "privileged_scope").collect();
        assert_eq!((told.len(), &told[0]["name"]), (1, &json!("mobile")), "{}", answer.stdout);
        let detail = told[0]["detail"].as_str().unwrap();
        assert!(detail.ends_with("propusk client set mobile --add-scope chat.open --add-scope propusk:users"), "{detail}");
    }
    // Not even the client whose tokens had them, nor its tokens.
    for id in ["oldapp", "chat", "mobile"] {
        let scopes = client(&server, id).settings.scopes;
        assert!(scopes.contains("reports") && !scopes.contains("chat.open") && !scopes.contains("propusk:users"), "{id}: {scopes}");
    }
    let api = server.add_client("api", Preset::Api);
    assert_eq!(introspect(&server, &api, "anna-mobile-access-token").json()["scope"], "openid reports");
}

/// Each guess costs what a password does; only one is computed at a time, a few wait, and people sign in meanwhile.
fn guessing_at_a_foreign_secret_keeps_nobody_from_signing_in(backend: Backend) {
    let server = moved(backend, &[]);
    let site = server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let nina = server.add_user("nina", "user");
    let guess = || {
        let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", "a guess at the secret")];
        Request::post(&server.url("/oauth/token")).post_form(&form).send().unwrap()
    };
    std::thread::scope(|scope| {
        let guessing: Vec<_> = (0..24).map(|_| scope.spawn(guess)).collect();
        for _ in 0..3 {
            server.code(&site, &nina, &[]);
        }
        let answers: Vec<Response> = guessing.into_iter().map(|thread| thread.join().unwrap()).collect();
        let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!(count(401) + count(503), 24, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
        assert!(count(503) > 0, "more than the queue holds are sent away");
        let away = answers.iter().find(|answer| answer.status == 503).unwrap();
        assert_eq!(away.header("retry-after"), Some("2"));
    });
    let robot = registered(&server, "robot", "robot-secret-robot-secret");
    assert_eq!(server.token(&robot, &[("grant_type", "client_credentials")]).status, 200, "its own secret still opens");
}
