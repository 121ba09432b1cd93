//! The authorization endpoint: a page until client and redirect URI are proven, a redirect afterwards (RFC 6749 §4.1.2.1).

use super::Answer::{FormPost, Own, Page, ToClient};
use super::world::World;
use super::{Case, case, cases};
use propusk_tests::http::{FORM, Request};

const BAD: &str = "invalid_request";

pub(super) fn rows(w: &World, table: &mut Vec<Case>) {
    unproven(w, table);
    near_misses(w, table);
    unreadable(w, table);
    judged(w, table);
    posted(w, table);
}

fn page(name: &'static str, request: Request) -> Case {
    case(name, Page(400, BAD), request)
}

fn unproven(w: &World, table: &mut Vec<Case>) {
    table.extend([
        page("authorize: no parameters at all", w.get("/oauth/authorize")),
        page("authorize: client_id missing", w.authorize(&[("client_id", "")])),
        page("authorize: client_id empty", w.get("/oauth/authorize?client_id=&response_type=code")),
        page("authorize: client unknown", w.authorize(&[("client_id", "nobody")])),
        page("authorize: client in another case", w.authorize(&[("client_id", "SITE")])),
        page("authorize: client disabled", Request::get(&w.server.authorize_url(&w.off, &[]))),
        page("authorize: client_id repeated", w.authorize_raw("&client_id=site")),
        page("authorize: client_id of 257 bytes", w.authorize(&[("client_id", &"a".repeat(257))])),
        page("authorize: client_id not UTF-8", w.get("/oauth/authorize?client_id=%ff%fe&response_type=code")),
        page("authorize: client_id with a NUL", w.get("/oauth/authorize?client_id=site%00&response_type=code")),
        page("authorize: client_id with a line break", w.get("/oauth/authorize?client_id=site%0d%0ax&response_type=code")),
        cases(
            "authorize: SQL for a client_id",
            Page(400, BAD),
            ["' OR '1'='1", "site'; DROP TABLE clients; --", "site\" --"].map(|id| w.authorize(&[("client_id", id)])).to_vec(),
        ),
        page("authorize: HTML for a client_id", w.authorize(&[("client_id", "<script>alert(1)</script>")])),
        page("authorize: redirect_uri missing, two are registered", Request::get(&w.server.authorize_url(&w.two, &[("redirect_uri", "")]))),
        page("authorize: redirect_uri missing, none is registered", w.get("/oauth/authorize?client_id=worker&response_type=code")),
        page("authorize: a redirect_uri for a client without any", w.authorize(&[("client_id", "worker")])),
        page("authorize: redirect_uri of another client", w.authorize(&[("redirect_uri", "https://spa.example/cb")])),
        page("authorize: redirect_uri repeated", w.authorize_raw("&redirect_uri=https%3A%2F%2Fsite.example%2Fcb")),
        page("authorize: redirect_uri of 2049 bytes", w.authorize(&[("redirect_uri", &format!("https://site.example/{}", "a".repeat(2028)))])),
        page("authorize: redirect_uri not UTF-8", w.get("/oauth/authorize?client_id=site&redirect_uri=https://site.example/cb%ff")),
        page("authorize: redirect_uri with a line break", w.authorize(&[("redirect_uri", "https://site.example/cb\r\nX: 1")])),
    ]);
}

fn near_misses(w: &World, table: &mut Vec<Case>) {
    let site = |name, uri: &str| page(name, w.authorize(&[("redirect_uri", uri)]));
    table.extend([
        site("near miss: trailing slash", "https://site.example/cb/"),
        site("near miss: last letter missing", "https://site.example/c"),
        site("near miss: a longer path", "https://site.example/cb/evil"),
        site("near miss: a longer last segment", "https://site.example/cbevil"),
        site("near miss: fragment", "https://site.example/cb#x"),
        site("near miss: empty fragment", "https://site.example/cb#"),
        site("near miss: query", "https://site.example/cb?next=1"),
        site("near miss: empty query", "https://site.example/cb?"),
        site("near miss: userinfo", "https://site.example@evil.example/cb"),
        site("near miss: userinfo before the genuine host", "https://evil:x@site.example/cb"),
        site("near miss: dot segments", "https://site.example/evil/../cb"),
        site("near miss: encoded dot segments", "https://site.example/evil/%2e%2e/cb"),
        site("near miss: a single dot", "https://site.example/./cb"),
        site("near miss: encoded letter", "https://site.example/%63b"),
        site("near miss: double slash", "https://site.example//cb"),
        site("near miss: backslash", "https://site.example\\cb"),
        site("near miss: backslash before another host", "https://evil.example\\@site.example/cb"),
        site("near miss: host in capitals", "https://SITE.example/cb"),
        site("near miss: path in capitals", "https://site.example/CB"),
        site("near miss: scheme in capitals", "HTTPS://site.example/cb"),
        site("near miss: http", "http://site.example/cb"),
        site("near miss: default port written out", "https://site.example:443/cb"),
        site("near miss: another port", "https://site.example:8443/cb"),
        site("near miss: subdomain", "https://www.site.example/cb"),
        site("near miss: host as a prefix", "https://site.example.evil.example/cb"),
        site("near miss: host with a trailing dot", "https://site.example./cb"),
        site("near miss: homograph", "https://sіte.example/cb"),
        site("near miss: wildcard", "https://*.example/cb"),
        site("near miss: leading space", " https://site.example/cb"),
        site("near miss: trailing space", "https://site.example/cb "),
        site("near miss: scheme relative", "//site.example/cb"),
        site("near miss: path alone", "/cb"),
        site("near miss: no scheme", "site.example/cb"),
        site("near miss: javascript", "javascript:alert(1)//https://site.example/cb"),
        site("near miss: data", "data:text/html,<script>alert(1)</script>"),
        site("near miss: no authority", "https:///cb"),
        site("near miss: two at once", "https://site.example/cb https://site.example/cb"),
        site("near miss: HTML", "\"><script>alert(1)</script>"),
        site("near miss: SQL", "https://site.example/cb' OR '1'='1"),
    ]);
    let native = |name, uri: &str| page(name, Request::get(&w.server.authorize_url(&w.native, &[("redirect_uri", uri)])));
    table.extend([
        native("native near miss: localhost for 127.0.0.1", "http://localhost:4000/cb"),
        native("native near miss: another loopback address", "http://127.0.0.2:4000/cb"),
        native("native near miss: IPv6 for IPv4", "http://[::1]:4000/cb"),
        native("native near miss: https", "https://127.0.0.1:4000/cb"),
        native("native near miss: another path", "http://127.0.0.1:4000/other"),
        native("native near miss: query", "http://127.0.0.1:4000/cb?x=1"),
        native("native near miss: fragment", "http://127.0.0.1:4000/cb#x"),
        native("native near miss: userinfo", "http://127.0.0.1:4000@evil.example/cb"),
        native("native near miss: a port beyond 65535", "http://127.0.0.1:70000/cb"),
        native("native near miss: a port that is no number", "http://127.0.0.1:4000evil.example/cb"),
        page("a loopback port is not free for a web client", w.authorize(&[("redirect_uri", "http://127.0.0.1:4000/cb")])),
    ]);
}

/// What cannot be read at all is a page: nothing in it is proven.
fn unreadable(w: &World, table: &mut Vec<Case>) {
    let long = |name: &str, length: usize| w.authorize(&[(name, &"a".repeat(length))]);
    table.extend([
        page("authorize: state of 8193 bytes", long("state", 8193)),
        page("authorize: scope of 1025 bytes", long("scope", 1025)),
        page("authorize: nonce of 1025 bytes", long("nonce", 1025)),
        page("authorize: login_hint of 321 bytes", long("login_hint", 321)),
        page("authorize: ui_locales of 257 bytes", long("ui_locales", 257)),
        page("authorize: acr_values of 513 bytes", long("acr_values", 513)),
        page("authorize: id_token_hint of 16385 bytes", long("id_token_hint", 16_385)),
        cases(
            "authorize: a word of 257 bytes",
            Page(400, BAD),
            ["response_type", "response_mode", "prompt", "max_age", "code_challenge", "code_challenge_method", "display"]
                .map(|name| long(name, 257))
                .to_vec(),
        ),
        page("authorize: state repeated", w.authorize_raw("&state=st")),
        page("authorize: unknown parameter repeated", w.authorize_raw("&x=1&x=2")),
        page("authorize: repeated under another encoding", w.authorize_raw("&%73tate=st")),
        page("authorize: an empty repetition", w.authorize_raw("&state=")),
        page("authorize: a broken escape", w.authorize_raw("&nonce=%2")),
        page("authorize: an escape that is no number", w.authorize_raw("&nonce=%zz")),
        page("authorize: a value that is not UTF-8", w.authorize_raw("&nonce=%ff")),
        page("authorize: a name that is not UTF-8", w.authorize_raw("&%ff=1")),
        page("authorize: a parameter without a name", w.authorize_raw("&=1")),
        page("authorize: a name of 129 bytes", w.authorize_raw(&format!("&{}=1", "n".repeat(129)))),
        page("authorize: a name with a line break", w.authorize_raw("&a%0d%0ab=1")),
        page("authorize: a NUL in an unknown parameter", w.authorize_raw("&x=a%00b")),
        page("authorize: a line break in state", w.authorize(&[("state", "a\r\nSet-Cookie: x=1")])),
        page("authorize: a line break in login_hint", w.authorize(&[("login_hint", "anna\nx")])),
        page("authorize: a line break in nonce", w.authorize(&[("nonce", "a\tb")])),
        page("authorize: 65 parameters", w.authorize_raw(&(0..60).map(|n| format!("&p{n}=1")).collect::<String>())),
    ]);
}

fn judged(w: &World, table: &mut Vec<Case>) {
    let bad = |name, more: &[(&str, &str)]| case(name, ToClient(BAD), w.authorize(more));
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    table.extend([
        bad("authorize: response_type missing", &[("response_type", "")]),
        cases(
            "authorize: another response_type",
            ToClient("unsupported_response_type"),
            ["token", "id_token", "code token", "code id_token", "none", "Code", "code code", "<b>"]
                .map(|kind| w.authorize(&[("response_type", kind)]))
                .to_vec(),
        ),
        bad("authorize: response_mode unknown", &[("response_mode", "jwt")]),
        bad("authorize: response_mode fragment", &[("response_mode", "fragment")]),
        bad("authorize: prompt unknown", &[("prompt", "always")]),
        bad("authorize: prompt none beside login", &[("prompt", "none login")]),
        bad("authorize: prompt none beside consent", &[("prompt", "consent none")]),
        bad("authorize: prompt none beside select_account", &[("prompt", "none select_account")]),
        bad("authorize: max_age negative", &[("max_age", "-1")]),
        bad("authorize: max_age with a sign", &[("max_age", "+1")]),
        bad("authorize: max_age no number", &[("max_age", "soon")]),
        bad("authorize: max_age with a fraction", &[("max_age", "1.5")]),
        bad("authorize: max_age beyond 64 bits", &[("max_age", "99999999999999999999")]),
        bad("authorize: challenge without a method", &[("code_challenge", challenge)]),
        bad("authorize: challenge method plain", &[("code_challenge", challenge), ("code_challenge_method", "plain")]),
        bad("authorize: challenge method unknown", &[("code_challenge", challenge), ("code_challenge_method", "s256")]),
        bad("authorize: method without a challenge", &[("code_challenge_method", "S256")]),
        bad("authorize: challenge too short", &[("code_challenge", &challenge[1..]), ("code_challenge_method", "S256")]),
        bad("authorize: challenge too long", &[("code_challenge", &format!("{challenge}A")), ("code_challenge_method", "S256")]),
        bad("authorize: challenge padded", &[("code_challenge", &format!("{}=", &challenge[1..])), ("code_challenge_method", "S256")]),
        bad("authorize: challenge in the other alphabet", &[("code_challenge", &challenge.replace('-', "+")), ("code_challenge_method", "S256")]),
        case("authorize: request object", ToClient("request_not_supported"), w.authorize(&[("request", "a.b.c")])),
        case(
            "authorize: request object by reference",
            ToClient("request_uri_not_supported"),
            w.authorize(&[("request_uri", "https://site.example/r")]),
        ),
        case("authorize: registration parameter", ToClient("registration_not_supported"), w.authorize(&[("registration", "{}")])),
        case("authorize: scope with a quote", ToClient("invalid_scope"), w.authorize(&[("scope", "openid \"x")])),
        case("authorize: scope beyond ASCII", ToClient("invalid_scope"), w.authorize(&[("scope", "openid роли")])),
        case("authorize: scope that the client may not have", ToClient("invalid_scope"), w.authorize(&[("scope", "openid admin")])),
        case("authorize: SQL for a scope", ToClient("invalid_scope"), w.authorize(&[("scope", "openid ' OR '1'='1")])),
        case("authorize: prompt none and nobody signed in", ToClient("login_required"), w.authorize(&[("prompt", "none")])),
        case(
            "authorize: prompt none with a made-up session",
            ToClient("login_required"),
            w.authorize(&[("prompt", "none")]).header("Cookie", "propusk_session=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ),
        case(
            "authorize: prompt none with a session cookie that is no session",
            ToClient("login_required"),
            w.authorize(&[("prompt", "none")]).header("Cookie", "propusk_session=' OR '1'='1; propusk_browser=\"<b>"),
        ),
        case(
            "authorize: prompt none and the hint alone",
            ToClient("login_required"),
            w.authorize(&[("prompt", "none"), ("id_token_hint", &w.id_token)]),
        ),
        case("authorize: form_post carries the error", FormPost(BAD), w.authorize(&[("response_mode", "form_post"), ("max_age", "x")])),
    ]);
    let spa = Request::get(&w.server.authorize_url(&w.spa, &[]));
    table.push(case("authorize: public client without PKCE", super::Answer::ToClientAt("https://spa.example/cb", BAD), spa));
    let bare = Request::get(&w.server.authorize_url(&w.bare, &[]));
    table.push(case("authorize: client without the code grant", super::Answer::ToClientAt("https://bare.example/cb", "unauthorized_client"), bare));
}

fn posted(w: &World, table: &mut Vec<Case>) {
    let post = |content_type: &str, body: Vec<u8>| Request::post(&w.server.url("/oauth/authorize")).header("Content-Type", content_type).body(body);
    table.extend([
        case("authorize POST: JSON", Page(415, BAD), post("application/json", b"{\"client_id\":\"site\"}".to_vec())),
        case("authorize POST: multipart", Page(415, BAD), post("multipart/form-data; boundary=x", b"--x--".to_vec())),
        case("authorize POST: no content type", Page(415, BAD), Request::post(&w.server.url("/oauth/authorize")).body("client_id=site")),
        case("authorize POST: a body over the limit", Page(413, BAD), post(FORM, vec![b'a'; 200_000])),
        case("authorize POST: not UTF-8", Page(400, BAD), post(FORM, b"client_id=\xff".to_vec())),
        case("authorize POST: repeated", Page(400, BAD), post(FORM, b"client_id=site&client_id=site".to_vec())),
        case("authorize POST: a broken escape", Page(400, BAD), post(FORM, b"client_id=site%".to_vec())),
        case(
            "authorize POST: too large to bounce, client unknown",
            Page(400, BAD),
            w.form("/oauth/authorize", &[("client_id", "nobody"), ("state", &"s".repeat(5000))]),
        ),
        case("authorize POST: an empty form is judged where its GET is", Own("/oauth/authorize"), post(FORM, Vec::new())),
    ]);
}
