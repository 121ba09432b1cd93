//! `openapi.yaml` says what the server does: its paths are the routes, its methods are answered and no others, and it holds
//! together. That every answer of the suite keeps its promises is checked where requests are sent ([`contract`]).

use propusk_domain::client::Preset;
use propusk_protocol::ErrorCode;
use propusk_protocol::discovery::PATHS;
use propusk_tests::contract::{self, allowed, document, resolve};
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, TestServer};
use serde_json::Value;
use std::collections::BTreeSet;

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];

/// What browsers load and nobody configures.
const UNLISTED: &[&str] = &["/", "/assets/{name}"];

fn items() -> impl Iterator<Item = (&'static str, &'static Value)> {
    document()["paths"].as_object().unwrap().iter().map(|(path, item)| (path.as_str(), item))
}

fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    items().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
        methods.map(move |(method, operation)| (path, method.as_str(), operation))
    })
}

/// A path with its parameters filled in.
fn concrete(path: &str) -> String {
    path.replace("{client_id}", "rocketchat").replace("{name}", "style.css").replace("{sub}", "nobody").replace("{id}", "nothing")
}

fn send(server: &TestServer, method: &str, path: &str) -> Response {
    Request::new(method, &server.url(path)).send().unwrap()
}

#[test]
fn the_document_lists_the_documented_paths_and_no_others() {
    let listed: BTreeSet<&str> = items().map(|(path, _)| path).collect();
    let known: BTreeSet<&str> = PATHS.iter().chain(UNLISTED).copied().collect();
    assert_eq!(listed, known);
}

#[test]
fn the_url_table_of_the_server_is_that_of_the_document() {
    let source = include_str!("../../crates/server/src/routes.rs");
    let mut routes = BTreeSet::new();
    for opening in ["page(\"", "endpoint(\"", "readable(\"", "document(\""] {
        routes.extend(source.split(opening).skip(1).map(|rest| rest.split('"').next().unwrap()));
    }
    assert!(routes.remove(""), "an issuer without a path has its home at the empty path too");
    assert_eq!(routes, items().map(|(path, _)| path).collect());
}

#[test]
fn every_documented_method_is_answered_and_no_other() {
    let server = TestServer::start(Backend::Sqlite);
    for (path, item) in items() {
        let allow = allowed(item);
        for method in METHODS {
            let documented = allow.split(", ").any(|known| known == *method);
            for spelling in [concrete(path), format!("{}/", concrete(path)), format!("/{}", concrete(path)).replace('/', "//")] {
                // The answer's form is judged by the contract; here it is which answer.
                let response = send(&server, method, &spelling);
                if documented {
                    assert!(!matches!(response.status, 404 | 405), "{method} {spelling}: {}", response.status);
                    // A POST without `SameSite=Lax` cookies goes on as a GET of the same path; nothing else is redirected for its slashes.
                    let itself = response.location().is_some_and(|to| to == concrete(path));
                    assert!(!itself || *method == "POST", "{method} {spelling} redirects to itself");
                } else {
                    assert_eq!((response.status, response.header("allow")), (405, Some(allow.as_str())), "{method} {spelling}");
                }
            }
        }
    }
}

#[test]
fn an_undocumented_path_is_404_and_names_the_nearest() {
    let server = TestServer::start(Backend::Sqlite);
    for (path, nearest) in [("/oauth/tokens", "/oauth/token"), ("/token", "/oauth/token"), ("/assets/none.css", ""), ("/oauth/jwks/x", "/oauth/jwks")]
    {
        for method in ["GET", "POST", "DELETE"] {
            let response = send(&server, method, path);
            if path.starts_with("/assets") && method != "GET" {
                continue;
            }
            assert_eq!((response.status, response.reason.as_str()), (404, "not_found"), "{method} {path}");
            if !nearest.is_empty() {
                assert_eq!(response.json()["nearest"], nearest);
            }
        }
    }
}

#[test]
fn the_endpoints_of_the_metadata_are_documented() {
    let server = TestServer::start(Backend::Sqlite);
    let metadata = send(&server, "GET", "/.well-known/openid-configuration").json();
    let mut seen = 0;
    for (name, value) in metadata.as_object().unwrap() {
        if let Some(path) = value.as_str().filter(|_| name != "issuer").and_then(|url| url.strip_prefix(&server.issuer)) {
            assert!(items().any(|(known, _)| known == path), "{name}: {path}");
            seen += 1;
        }
    }
    assert_eq!(seen, 7);
    assert_eq!(metadata["issuer"], server.issuer.as_str());
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_compiles() {
    fn walk(value: &Value) {
        resolve(value);
        match value {
            Value::Object(members) => members.values().for_each(walk),
            Value::Array(items) => items.iter().for_each(walk),
            // A comma in unquoted text begins another member.
            Value::Null => panic!("a member without a value"),
            _ => {}
        }
    }
    walk(document());
    for part in ["headers", "responses", "parameters"] {
        for (name, value) in document()["components"][part].as_object().unwrap() {
            let used = document().to_string().contains(&format!("\"#/components/{part}/{name}\"")) || name == "MethodNotAllowed";
            assert!(used, "{part}/{name} is nowhere used");
            if let Some(schema) = value.get("schema") {
                contract::validator(schema);
            }
        }
    }
    for schema in document()["components"]["schemas"].as_object().unwrap().values() {
        contract::validator(schema);
    }
}

#[test]
fn operations_have_distinct_names_and_promise_what_every_request_can_meet() {
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations() {
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{path} {method}");
        assert!(!operation["summary"].as_str().unwrap().is_empty());
        let responses = operation["responses"].as_object().unwrap();
        for status in ["413", "414"] {
            assert!(responses.contains_key(status), "{path} {method} {status}");
        }
        for (status, response) in responses {
            let headers = resolve(response)["headers"].as_object().unwrap();
            for name in ["Cache-Control", "X-Request-Id", "X-Content-Type-Options"] {
                assert!(headers.contains_key(name), "{path} {method} {status} lacks {name}");
            }
        }
    }
}

#[test]
fn the_errors_of_the_document_are_those_of_the_code() {
    let known: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let mut listed = BTreeSet::new();
    for (status, response) in operations().flat_map(|(_, _, operation)| operation["responses"].as_object().unwrap()) {
        let response = resolve(response);
        let error = &resolve(&response["content"]["application/json"]["schema"])["properties"]["error"];
        let values = error["enum"].as_array().cloned().unwrap_or_else(|| error.get("const").cloned().into_iter().collect());
        for value in values {
            let name = value.as_str().unwrap();
            let fits = ErrorCode::ALL.iter().any(|code| code.as_str() == name && code.status().to_string() == *status);
            assert!(fits, "{name} is never answered with {status}");
            listed.insert(name.to_owned());
        }
    }
    // These travel by redirect or stand on a page.
    let elsewhere = ["access_denied", "account_selection_required", "consent_required", "interaction_required", "login_required"];
    let elsewhere = elsewhere.iter().chain(&["registration_not_supported", "request_not_supported", "request_uri_not_supported"]);
    let mut all: BTreeSet<&str> = listed.iter().map(String::as_str).chain(elsewhere.copied()).collect();
    all.extend(["unsupported_response_type", "method_not_allowed"]);
    assert_eq!(all, known);
}

#[test]
fn the_path_of_an_issuer_moves_everything_but_the_probes() {
    let port = propusk_tests::server::free_port();
    let root = format!("http://127.0.0.1:{port}");
    let server = TestServer::with(Backend::Sqlite, &[("issuer", &format!("{root}/auth/id")), ("http.listen", &format!("127.0.0.1:{port}"))]);
    for (path, item) in items() {
        let method = allowed(item).split(',').next().unwrap().to_owned();
        let status = |url: String| Request::new(&method, &url).send().unwrap().status;
        let inside = status(format!("{}{}", server.issuer, concrete(path)));
        assert!(!matches!(inside, 404 | 405), "{method} {path}: {inside}");
        let outside = status(format!("{root}{}", concrete(path)));
        let probe = matches!(path, "/healthz" | "/readyz");
        assert_eq!(outside == 404, !probe, "{method} {root}{path}: {outside}");
    }
    let inserted = Request::get(&format!("{root}/.well-known/oauth-authorization-server/auth/id")).send().unwrap();
    let appended = Request::get(&format!("{}/.well-known/oauth-authorization-server", server.issuer)).send().unwrap();
    assert_eq!((inserted.status, inserted.json()), (200, appended.json()));
    let client = server.add_client("rocketchat", Preset::RocketChat);
    let anna = server.add_user("anna", "owner");
    let tokens = server.tokens(&client, &anna, "openid");
    assert_eq!(server.userinfo(tokens["access_token"].as_str().unwrap()).status, 200);
}

#[test]
fn odd_spellings_of_paths_get_documented_answers() {
    let server = TestServer::start(Backend::Sqlite);
    let odd = [
        "/oauth/userinfo/%ff",
        "/oauth/userinfo/a%2Fb",
        "/oauth/userinfo/%00",
        "/oauth/userinfo/../token",
        "/oauth/%74oken",
        "/oauth%2Ftoken",
        "/OAUTH/TOKEN",
        "/oauth/./token",
        "/assets/..%2Fstyle.css",
        "/assets/%2e%2e",
        "/assets/%ff",
        "/%",
        "/%zz",
        "/;/oauth/token",
        "/oauth/token;a=b",
        "/я",
        "//",
        "/?",
        "/.well-known/",
        "/.well-known/openid-configuration/auth",
    ];
    for path in odd {
        for method in ["GET", "POST", "HEAD"] {
            for accept in ["*/*", "text/html"] {
                // The contract judges it.
                let response = Request::new(method, &server.url(path)).header("Accept", accept).send().unwrap();
                assert!(response.status < 500, "{method} {path}: {}", response.status);
            }
        }
    }
}
