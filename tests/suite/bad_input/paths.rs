//! Wrong methods, wrong paths, and requests that are hardly HTTP.

use super::Answer::{Http, Json, Nearest, Page, WrongMethod};
use super::world::World;
use super::{Case, case, cases};
use propusk_tests::http::Request;

pub(super) fn rows(w: &World, table: &mut Vec<Case>) {
    methods(w, table);
    paths(w, table);
    sizes(w, table);
    protocol(w, table);
}

fn methods(w: &World, table: &mut Vec<Case>) {
    let with = |path: &str, methods: &[&str]| methods.iter().map(|method| Request::new(method, &w.server.url(path))).collect::<Vec<_>>();
    let posts = ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"];
    // Where pages of other origins may call, OPTIONS is answered.
    let (open_posts, open_readers) = (["GET", "PUT", "DELETE", "PATCH", "TRACE", "BREW"], ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"]);
    let readers = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"];
    let both = ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"];
    let open_both = ["PUT", "DELETE", "PATCH", "TRACE", "BREW"];
    table.extend([
        cases("token: wrong method", WrongMethod("POST, OPTIONS"), with("/oauth/token", &open_posts)),
        cases("introspect: wrong method", WrongMethod("POST"), with("/oauth/introspect", &posts)),
        cases("revoke: wrong method", WrongMethod("POST, OPTIONS"), with("/oauth/revoke", &open_posts)),
        cases("userinfo: wrong method", WrongMethod("GET, POST, OPTIONS"), with("/oauth/userinfo", &open_both)),
        cases("userinfo of a client: wrong method", WrongMethod("GET, POST, OPTIONS"), with("/oauth/userinfo/rocketchat", &open_both)),
        cases("me: wrong method", WrongMethod("GET, POST, OPTIONS"), with("/me", &open_both)),
        cases("jwks: wrong method", WrongMethod("GET, HEAD, OPTIONS"), with("/oauth/jwks", &open_readers)),
        cases("discovery: wrong method", WrongMethod("GET, HEAD, OPTIONS"), with("/.well-known/openid-configuration", &open_readers)),
        cases(
            "authorization server metadata: wrong method",
            WrongMethod("GET, HEAD, OPTIONS"),
            with("/.well-known/oauth-authorization-server", &open_readers),
        ),
        cases("healthz: wrong method", WrongMethod("GET, HEAD"), with("/healthz", &readers)),
        cases("readyz: wrong method", WrongMethod("GET, HEAD"), with("/readyz", &readers)),
        cases("authorize: wrong method", WrongMethod("GET, HEAD, POST"), with("/oauth/authorize", &both)),
        cases("logout: wrong method", WrongMethod("GET, HEAD, POST"), with("/oauth/logout", &both)),
        cases("login: wrong method", WrongMethod("GET, HEAD, POST"), with("/login", &both)),
        cases("consent: wrong method", WrongMethod("GET, HEAD, POST"), with("/consent", &both)),
        cases("logout page: wrong method", WrongMethod("GET, HEAD, POST"), with("/logout", &both)),
        cases("logged out: wrong method", WrongMethod("GET, HEAD"), with("/logged-out", &readers)),
        cases("home: wrong method", WrongMethod("GET, HEAD"), with("/", &readers)),
        cases("assets: wrong method", WrongMethod("GET, HEAD"), with("/assets/style.css", &readers)),
        case(
            "login: wrong method by a browser",
            Page(405, "method_not_allowed"),
            Request::new("PUT", &w.server.url("/login")).header("Accept", "text/html"),
        ),
        case(
            "token: wrong method by a browser",
            WrongMethod("POST, OPTIONS"),
            w.get("/oauth/token").header("Accept", "text/html,application/xhtml+xml"),
        ),
        case(
            "token: a method override is no method",
            Json(401, "invalid_client"),
            Request::post(&w.server.url("/oauth/token")).header("X-HTTP-Method-Override", "GET"),
        ),
    ]);
}

fn paths(w: &World, table: &mut Vec<Case>) {
    let near = |name, path: &str, nearest| case(name, Nearest(nearest), w.get(path));
    table.extend([
        near("path: token without its folder", "/token", "/oauth/token"),
        near("path: a letter missing", "/oauth/tokn", "/oauth/token"),
        near("path: authorize in American", "/oauth/authorise", "/oauth/authorize"),
        near("path: userinfo with a dash", "/oauth/user-info", "/oauth/userinfo"),
        near("path: capitals", "/OAuth/Token", "/oauth/token"),
        near("path: version in front", "/oauth2/jwks", "/oauth/jwks"),
        near("path: certificates", "/oauth/jwks.json", "/oauth/jwks"),
        near("path: misspelt discovery", "/.well-known/openid-config", "/.well-known/openid-configuration"),
        near("path: below an endpoint", "/oauth/userinfo/rocketchat/more", "/oauth/userinfo"),
    ]);
    let unknown = |name, paths: &[&str]| cases(name, Json(404, "not_found"), paths.iter().map(|path| w.get(path)).collect());
    table.extend([
        unknown("path: out of the tree", &["/../../etc/passwd", "/oauth/../../etc/passwd", "/assets/../../Cargo.toml"]),
        unknown("path: out of the tree, encoded", &["/%2e%2e/%2e%2e/etc/passwd", "/assets/%2e%2e%2fmaster.key", "/assets/..%5cmaster.key"]),
        unknown("path: an asset that is none", &["/assets/nothing.css", "/assets/"]),
        unknown("path: a NUL", &["/oauth/token%00", "/%00", "/oauth/userinfo/%00", "/assets/%00", "/rocketchat/%00"]),
        unknown("path: not UTF-8", &["/%ff%fe", "/oauth/%ff"]),
        unknown("path: HTML", &["/%3Cscript%3Ealert(1)%3C/script%3E"]),
        unknown("path: SQL", &["/'%20OR%20'1'='1"]),
        unknown("path: line breaks", &["/oauth/token%0d%0aX:%201"]),
        unknown("path: the database", &["/propusk.db", "/data/propusk.db", "/master.key", "/.env", "/.git/config", "/metrics"]),
        case("path: unknown to a browser", Page(404, "not_found"), w.get("/nothing").header("Accept", "text/html")),
        case("path: unknown by POST", Json(404, "not_found"), w.form("/nothing", &[("a", "b")])),
        case("path: of six thousand letters", Json(404, "not_found"), w.get(&format!("/{}", "a/".repeat(3000)))),
    ]);
}

fn sizes(w: &World, table: &mut Vec<Case>) {
    let (url, long) = ("a".repeat(63_000), "a".repeat(70_000));
    table.extend([
        case("size: the URL of authorize", Json(414, "invalid_request"), w.get(&format!("/oauth/authorize?state={url}"))),
        case("size: the URL of userinfo", Json(414, "invalid_request"), w.get(&format!("/oauth/userinfo?x={url}"))),
        case("size: the URL of a path", Json(414, "invalid_request"), w.get(&format!("/{url}"))),
        case("size: a URL that the HTTP layer does not read", Http(400), w.get(&format!("/{long}"))),
        case("size: one header", Json(413, "invalid_request"), w.get("/oauth/userinfo").header("X-Long", &long)),
        case("size: the cookies", Json(413, "invalid_request"), w.get("/login").header("Cookie", format!("a={long}"))),
        case(
            "size: eighty headers together",
            Json(413, "invalid_request"),
            (0..80).fold(w.get("/healthz"), |request, n| request.header(&format!("X-{n}"), "a".repeat(900))),
        ),
    ]);
}

/// What the HTTP layer refuses by itself, before any endpoint.
fn protocol(w: &World, table: &mut Vec<Case>) {
    let raw = |bytes: &[u8]| w.get("/").raw(bytes);
    let refused = |name, list: &[&[u8]]| cases(name, Http(400), list.iter().map(|bytes| raw(bytes)).collect());
    table.extend([
        refused("http: not HTTP", &[b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"]),
        refused("http: no such version", &[b"GET / HTTP/9.9\r\nHost: x\r\n\r\n"]),
        refused("http: two lengths", &[b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\na=bc"]),
        refused("http: a length that is no number", &[b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\na=b"]),
        refused("http: a negative length", &[b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"]),
        refused(
            "http: a length beside chunks",
            &[b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        ),
        refused("http: a header with a NUL", &[b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"]),
        refused("http: a header name with a blank", &[b"GET /healthz HTTP/1.1\r\nHost: x\r\nX Y: 1\r\n\r\n"]),
        refused("http: a blank in the target", &[b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"]),
        refused("http: a target that is not ASCII", &[b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n"]),
    ]);
}
