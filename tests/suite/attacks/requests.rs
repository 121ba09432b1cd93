//! Requests from other origins' scripts: the token endpoint for public clients, the public documents for all, pages for none.

use propusk_domain::client::Preset;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, TestServer};

propusk_tests::on_each_backend![scripts_of_public_clients_may_ask_and_others_may_not, a_client_that_is_switched_off_loses_its_origin];

const SPA: &str = "https://spa.example";

fn prepared(backend: Backend) -> TestServer {
    let server = TestServer::start(backend);
    server.add_client("spa", Preset::Spa);
    server.add_client("site", Preset::Web);
    server
}

fn preflight(server: &TestServer, path: &str, origin: &str) -> Response {
    Request::new("OPTIONS", &server.url(path))
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type")
        .send()
        .unwrap()
}

fn scripts_of_public_clients_may_ask_and_others_may_not(backend: Backend) {
    let server = prepared(backend);
    for path in ["/oauth/token", "/oauth/userinfo", "/oauth/userinfo/spa", "/me", "/oauth/revoke"] {
        let allowed = preflight(&server, path, SPA);
        assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, Some(SPA)), "{path}");
        assert!(allowed.header("access-control-allow-headers").is_some_and(|names| names.contains("authorization")), "{path}");
        let asked = Request::post(&server.url(path)).header("Origin", SPA).post_form(&[]).send().unwrap();
        assert_eq!(asked.header("access-control-allow-origin"), Some(SPA), "errors are readable too: {path}");
        assert!(asked.headers("vary").iter().any(|vary| vary.contains("Origin")), "{path}");
        for origin in [
            "https://evil.example",
            "https://site.example",
            "https://spa.example.evil.example",
            "https://evil.spa.example",
            "http://spa.example",
            "https://spa.example:8443",
            "https://SPA.example",
            "https://spa.example/",
            "null",
            "*",
            "",
        ] {
            let refused = preflight(&server, path, origin);
            assert_eq!(refused.header("access-control-allow-origin"), None, "{path} {origin}");
            let asked = Request::post(&server.url(path)).header("Origin", origin).post_form(&[]).send().unwrap();
            assert_eq!(asked.header("access-control-allow-origin"), None, "{path} {origin}");
        }
        for response in [preflight(&server, path, SPA), preflight(&server, path, "https://evil.example")] {
            assert_eq!(response.header("access-control-allow-credentials"), None, "{path}");
        }
    }
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth/jwks"] {
        let answer = Request::get(&server.url(path)).header("Origin", "https://anybody.example").send().unwrap();
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let asked = preflight(&server, path, "https://anybody.example");
        assert_eq!((asked.status, asked.header("access-control-allow-origin")), (204, Some("*")), "{path}");
        assert_eq!(asked.header("access-control-allow-methods"), Some("GET, HEAD"), "{path}");
        assert_eq!(asked.header("access-control-allow-credentials"), None);
    }
    for path in ["/", "/login", "/consent", "/logout", "/logged-out", "/oauth/authorize", "/oauth/logout", "/oauth/introspect", "/nothing"] {
        for request in [Request::get(&server.url(path)), Request::post(&server.url(path)), Request::new("OPTIONS", &server.url(path))] {
            let answer = request.header("Origin", SPA).header("Access-Control-Request-Method", "POST").send().unwrap();
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        }
    }
}

fn a_client_that_is_switched_off_loses_its_origin(backend: Backend) {
    let server = prepared(backend);
    assert_eq!(preflight(&server, "/oauth/token", SPA).header("access-control-allow-origin"), Some(SPA));
    server.set_client("spa", |patch| patch.disabled = Some(true));
    server.settle();
    assert_eq!(preflight(&server, "/oauth/token", SPA).header("access-control-allow-origin"), None);
}
