//! The paths that the old site had.

use super::{ROLES, fixture, import};
use propusk_domain::client::Preset;
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, TestServer, free_port};
use serde_json::json;

propusk_tests::on_each_backend![an_application_of_the_old_site_goes_on_under_its_old_paths, the_other_old_paths_answer_at_the_root_of_the_host,];

fn an_application_of_the_old_site_goes_on_under_its_old_paths(backend: Backend) {
    let port = free_port();
    let (issuer, listen) = (format!("http://127.0.0.1:{port}/o"), format!("127.0.0.1:{port}"));
    let server = TestServer::with(
        backend,
        &[("issuer", &issuer), ("http.listen", &listen), ("compat.django_oauth_toolkit", "true"), ("compat.rocket_identity", "true")],
    );
    import(&server, &fixture("dot-3.0.json"), &ROLES);
    let get = |path: &str| Request::get(&server.url(path)).send().unwrap();
    // With the issuer that the toolkit had, discovery says the same.
    let metadata = get("/.well-known/openid-configuration/").json();
    assert_eq!(metadata["issuer"], issuer.as_str());
    assert_eq!(get("/.well-known/jwks.json").json(), get("/oauth/jwks").json());
    let page = get("/authorize/?client_id=wiki&redirect_uri=https://wiki.example.org/cb&response_type=code&scope=openid&state=s");
    assert_eq!(page.status, 303, "{}", page.text());
    assert!(page.location().unwrap().contains("/o/login?flow="));
    assert_eq!(get("/authorize/?client_id=nobody").status, 400);

    let userinfo = Request::get(&server.url("/userinfo/")).bearer("anna-wiki-access-token").send().unwrap();
    assert_eq!((userinfo.status, userinfo.json()["sub"].clone()), (200, json!("101")));
    let ask =
        |path: &str, form: &[(&str, &str)]| Request::post(&server.url(path)).basic("wiki", "wiki-secret-wiki-secret").post_form(form).send().unwrap();
    assert_eq!(ask("/introspect/", &[("token", "anna-wiki-access-token")]).json()["active"], true);
    let tokens = ask("/token/", &[("grant_type", "refresh_token"), ("refresh_token", "anna-wiki-refresh-token")]);
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    assert_eq!(ask("/revoke_token/", &[("token", tokens.json()["access_token"].as_str().unwrap())]).status, 200);
    assert_eq!(ask("/introspect/", &[("token", "anna-wiki-access-token")]).json()["active"], false);
    // A method that the endpoint does not have is told so, under either name.
    assert_eq!((get("/token/").status, get("/token/").header("allow").map(str::to_owned)), (405, Some("POST, OPTIONS".to_owned())));

    let identity = Request::get(&server.url("/api/v1/auth/rocket/identity/")).bearer("anna-chat-access-token").send().unwrap();
    let told = identity.json();
    assert_eq!(
        (&told["id"], &told["sub"], &told["username"], &told["roles"]),
        (&json!("101"), &json!("101"), &json!("anna"), &json!(["admin", "vip"]))
    );
    // The chat signs in whoever brings a token that this path takes, so another application's is refused.
    let foreign = Request::get(&server.url("/api/v1/auth/rocket/identity/")).bearer("anna-mobile-access-token").send().unwrap();
    assert_eq!((foreign.status, foreign.json()["error"].clone()), (403, json!("insufficient_scope")));
    assert_eq!(get("/api/v1/auth/rocket/identity/").status, 401);
    assert_eq!(get("/api/v1/auth/rocket/identity/?access_token=anna-chat-access-token").status, 200, "the chat's default way");
    assert_eq!(Request::post(&server.url("/api/v1/auth/rocket/identity/")).post_form(&[]).send().unwrap().status, 405);
    let moved = get("/api/v1/auth/rocket/user/");
    assert_eq!(moved.status, 404);
    assert!(moved.json()["error_description"].as_str().unwrap().contains("/api/v1/auth/rocket/identity/"), "{}", moved.text());
}

/// The old site had its API at the root, and the toolkit below `/o`: the recommended issuer is the toolkit's.
fn the_other_old_paths_answer_at_the_root_of_the_host(backend: Backend) {
    let port = free_port();
    let (issuer, listen, root) = (format!("http://127.0.0.1:{port}/o"), format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let server = TestServer::with(
        backend,
        &[
            ("issuer", &issuer),
            ("http.listen", &listen),
            ("compat.django_oauth_toolkit", "true"),
            ("compat.rocket_identity", "true"),
            ("compat.simplejwt.client", "app"),
        ],
    );
    server.add_client_with("app", Preset::Web, |new| new.first_party = Some(true));
    import(&server, &fixture("dot-3.4.json"), &ROLES);
    for base in [&root, &issuer] {
        let at = |path: &str| format!("{base}{path}");
        let told = Request::get(&at("/api/v1/auth/rocket/identity/")).bearer("anna-chat-access-token").send().unwrap();
        assert_eq!((told.status, told.json()["id"].clone()), (200, json!("101")), "{base}: {}", told.text());
        let send = |path: &str, body: &serde_json::Value| {
            Request::post(&at(path)).header("Content-Type", "application/json").body(body.to_string()).send().unwrap()
        };
        let pair = send("/api/token/", &json!({ "username": "anna", "password": "correct horse anna" }));
        assert_eq!(pair.status, 200, "{base}: {}", pair.text());
        let pair = pair.json();
        assert_eq!(send("/api/token/refresh/", &json!({ "refresh": pair["refresh"] })).status, 200, "{base}");
        assert_eq!(send("/api/token/verify/", &json!({ "token": pair["access"] })).status, 200, "{base}");
        assert_eq!(Request::get(&at("/api/token/")).send().unwrap().status, 405, "{base}");
        let moved = Request::get(&at("/api/v1/auth/rocket/user/")).send().unwrap();
        assert_eq!(moved.status, 404, "{base}");
        let record = server.explain(moved.json()["error_reference"].as_str().unwrap());
        assert_eq!(record.detail.expected.as_deref(), Some(format!("{root}/api/v1/auth/rocket/identity/").as_str()));
    }
    // What is no old path stays below the issuer alone.
    for path in ["/oauth/userinfo", "/api/v1/users", "/login", "/token/"] {
        assert_eq!(Request::get(&format!("{root}{path}")).send().unwrap().status, 404, "{path}");
    }
}

#[test]
fn nothing_of_the_old_paths_is_there_by_default() {
    let server = TestServer::start(Backend::Sqlite);
    for path in ["/o/token/", "/o/userinfo/", "/token/", "/api/token/", "/api/v1/auth/rocket/identity/", "/api/v1/auth/rocket/user/"] {
        for method in ["GET", "POST"] {
            let answer = Request::new(method, &server.url(path)).send().unwrap();
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
}

#[test]
fn under_an_issuer_without_the_prefix_the_old_paths_stand_below_it() {
    let server = TestServer::with(Backend::Sqlite, &[("compat.django_oauth_toolkit", "true")]);
    let client = server.add_client("robot", Preset::Service);
    let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", client.secret.as_str())];
    assert_eq!(Request::post(&server.url("/o/token/")).post_form(&form).send().unwrap().status, 200);
    assert_eq!(Request::post(&server.url("/token/")).post_form(&form).send().unwrap().status, 404);
    assert_eq!(Request::get(&server.url("/o/.well-known/openid-configuration")).send().unwrap().json()["issuer"], server.issuer.as_str());
}

#[test]
fn under_an_issuer_of_another_path_they_stand_below_it_and_at_the_root() {
    let port = free_port();
    let (root, listen) = (format!("http://127.0.0.1:{port}"), format!("127.0.0.1:{port}"));
    let issuer = format!("{root}/id");
    let server = TestServer::with(Backend::Sqlite, &[("issuer", &issuer), ("http.listen", &listen), ("compat.django_oauth_toolkit", "true")]);
    let client = server.add_client("robot", Preset::Service);
    let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", client.secret.as_str())];
    for base in [&root, &issuer] {
        assert_eq!(Request::post(&format!("{base}/o/token/")).post_form(&form).send().unwrap().status, 200, "{base}");
        assert_eq!(Request::get(&format!("{base}/o/.well-known/openid-configuration")).send().unwrap().json()["issuer"], issuer.as_str());
    }
    assert_eq!(Request::post(&format!("{root}/oauth/token")).post_form(&form).send().unwrap().status, 404);
}
