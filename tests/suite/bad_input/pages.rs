//! Sign-in, consent and logout: a page or the flow from its beginning, never a bare refusal.

use super::Answer::{Exactly, LoginPage, NotFollowed, Own, Page};
use super::world::World;
use super::{Case, case, cases};
use propusk_domain::flow::{PendingLogout, Sealed as _};
use propusk_tests::http::{FORM, Request};
use propusk_tests::server::START;

const BAD: &str = "invalid_request";

pub(super) fn rows(w: &World, table: &mut Vec<Case>) {
    login_shown(w, table);
    login_posted(w, table);
    consent(w, table);
    logout(w, table);
}

/// A flow that is not one: the same for each page that takes it.
fn broken_flows(w: &World) -> Vec<(&'static str, String)> {
    let pending = PendingLogout { sid: "x".into(), return_to: None, started_at: START }.seal(&w.server.instance.keys).unwrap();
    let mut changed = w.flow.clone().into_bytes();
    let middle = changed.len() / 2;
    changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
    vec![
        ("letters", "abc".to_owned()),
        ("cut", w.flow[..w.flow.len() - 3].to_owned()),
        ("changed", String::from_utf8(changed).unwrap()),
        ("sealed for a logout", pending),
        ("parked nowhere", "~nobody".to_owned()),
        ("HTML", "<script>alert(1)</script>".to_owned()),
        ("SQL", "' OR '1'='1".to_owned()),
    ]
}

fn login_shown(w: &World, table: &mut Vec<Case>) {
    let flows = broken_flows(w);
    let gets = |path: &str| flows.iter().map(|(_, flow)| w.get(&format!("{path}?{}", propusk_tests::http::form_encode(&[("flow", flow)])))).collect();
    let posts = |path: &str| flows.iter().map(|(_, flow)| w.form(path, &[("flow", flow), ("action", "allow")])).collect();
    table.extend([
        cases("login: a flow that is none", Page(400, BAD), gets("/login")),
        cases("login POST: a flow that is none", Page(400, BAD), posts("/login")),
        cases("consent: a flow that is none", Page(400, BAD), gets("/consent")),
        cases("consent POST: a flow that is none", Page(400, BAD), posts("/consent")),
        case("login: flow repeated", Page(400, BAD), w.get(&format!("/login?flow={}&flow={}", w.flow, w.flow))),
        case("login: a query that is not UTF-8", Page(400, BAD), w.get("/login?flow=%ff")),
        case("login: a notice that nobody wrote", LoginPage(200), w.get(&format!("/login?flow={}&notice=%3Cb%3E", w.flow))),
        case("login: a language that nobody speaks", LoginPage(200), w.get(&format!("/login?flow={}&ui_locales=%3Cb%3E", w.flow))),
        case("home: a query that is not UTF-8", super::Answer::Html(200), w.get("/?x=%ff")),
        case("logged out: a query that is not UTF-8", super::Answer::Html(200), w.get("/logged-out?x=%ff")),
    ]);
}

fn login_posted(w: &World, table: &mut Vec<Case>) {
    let url = w.server.url("/login");
    let post = |pairs: &[(&str, &str)]| {
        let mut all = vec![("flow", w.flow.as_str())];
        all.extend_from_slice(pairs);
        w.form("/login", &all).header("Cookie", &w.browser_cookie)
    };
    let raw = |rest: &[u8]| {
        let body = [format!("flow={}", w.flow).into_bytes(), rest.to_vec()].concat();
        Request::post(&url).header("Cookie", &w.browser_cookie).header("Content-Type", FORM).body(body)
    };
    let denied = |name, pairs: &[(&str, &str)]| case(name, LoginPage(403), post(pairs));
    let bad = |name, request| case(name, Page(400, BAD), request);
    table.extend([
        bad("login POST: no flow", w.form("/login", &[("username", "anna"), ("password", "x")])),
        bad("login POST: username repeated", post(&[("username", "a"), ("username", "b"), ("password", "x")])),
        bad("login POST: password repeated", post(&[("username", "a"), ("password", "x"), ("password", "x")])),
        bad("login POST: username of 321 bytes", post(&[("username", &"u".repeat(321)), ("password", "x")])),
        bad("login POST: password of 1025 bytes", post(&[("username", "anna"), ("password", &"p".repeat(1025))])),
        bad("login POST: username with a line break", post(&[("username", "anna\r\nx"), ("password", "x")])),
        bad("login POST: username with a NUL", post(&[("username", "anna\0"), ("password", "x")])),
        bad("login POST: password with a NUL", post(&[("username", "anna"), ("password", "x\0")])),
        bad("login POST: username not UTF-8", raw(b"&username=%ff&password=x")),
        bad("login POST: bytes that are not UTF-8", raw(b"&username=\xff&password=x")),
        bad("login POST: a broken escape", raw(b"&username=%x&password=x")),
        case("login POST: JSON", Page(415, BAD), Request::post(&url).header("Content-Type", "application/json").body("{}")),
        case("login POST: multipart", Page(415, BAD), Request::post(&url).header("Content-Type", "multipart/form-data; boundary=x").body("--x--")),
        case("login POST: a body over the limit", Page(413, BAD), raw(&vec![b'a'; 200_000])),
        case("login POST: no cookie", Own("/login"), w.form("/login", &[("flow", &w.flow), ("username", "anna"), ("password", "x")])),
        case(
            "login POST: another browser's cookie",
            Own("/login"),
            w.form("/login", &[("flow", &w.flow), ("username", "anna"), ("password", "x")])
                .header("Cookie", "propusk_browser=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ),
        case(
            "login POST: a foreign origin",
            Own("/login"),
            post(&[("username", "anna"), ("password", "x")]).header("Origin", "https://evil.example"),
        ),
        denied("login POST: username missing", &[("password", "x")]),
        denied("login POST: username empty", &[("username", ""), ("password", "x")]),
        denied("login POST: password missing", &[("username", "nobody1")]),
        denied("login POST: password empty", &[("username", "nobody2"), ("password", "")]),
        denied("login POST: nobody of that name", &[("username", "nobody3"), ("password", "x")]),
        denied("login POST: the wrong password", &[("username", "anna"), ("password", "x")]),
        denied("login POST: the password in capitals", &[("username", "anna"), ("password", "CORRECT HORSE ANNA")]),
        denied("login POST: a disabled person", &[("username", "boris"), ("password", "correct horse boris")]),
        denied("login POST: SQL for a name", &[("username", "anna' --"), ("password", "' OR '1'='1")]),
        denied("login POST: a pattern for a name", &[("username", "ann_"), ("password", "correct horse anna")]),
        denied("login POST: HTML for a name", &[("username", "\"><script>alert(1)</script>"), ("password", "x")]),
        denied("login POST: letters of every script for a name", &[("username", "аннa\u{202e}\u{1f512}\u{fdfa}"), ("password", "ß\u{1f512}")]),
        denied("login POST: an unknown action", &[("username", "nobody4"), ("password", "x"), ("action", "<b>")]),
    ]);
}

fn consent(w: &World, table: &mut Vec<Case>) {
    let url = w.server.url("/consent");
    table.extend([
        case("consent: no flow", Page(400, BAD), w.get("/consent")),
        case("consent: a flow without a client", Own("/login"), w.get(&format!("/consent?flow={}", w.flow_without_client))),
        case("consent: nobody is signed in", Own("/login"), w.get(&format!("/consent?flow={}", w.flow))),
        case("consent POST: no flow", Page(400, BAD), w.form("/consent", &[("action", "allow")])),
        case("consent POST: no cookie", Own("/login"), w.form("/consent", &[("flow", &w.flow), ("action", "allow")])),
        case(
            "consent POST: a foreign origin",
            Own("/login"),
            w.form("/consent", &[("flow", &w.flow), ("action", "allow")])
                .header("Cookie", &w.browser_cookie)
                .header("Origin", "https://evil.example"),
        ),
        case(
            "consent POST: allowed by nobody",
            Own("/login"),
            w.form("/consent", &[("flow", &w.flow), ("action", "allow")]).header("Cookie", &w.browser_cookie),
        ),
        case("consent POST: action repeated", Page(400, BAD), w.form("/consent", &[("flow", &w.flow), ("action", "deny"), ("action", "allow")])),
        case("consent POST: JSON", Page(415, BAD), Request::post(&url).header("Content-Type", "application/json").body("{}")),
        case("consent POST: a body over the limit", Page(413, BAD), Request::post(&url).header("Content-Type", FORM).body(vec![b'a'; 200_000])),
    ]);
}

fn logout(w: &World, table: &mut Vec<Case>) {
    let ask = |pairs: &[(&str, &str)]| w.get(&format!("/oauth/logout?{}", propusk_protocol::form::encode(pairs)));
    let gone = || Exactly("/logged-out".to_owned());
    let bye = "https://site.example/bye";
    table.extend([
        case("logout: nobody is signed in", gone(), ask(&[])),
        case("logout: a hint that is none", NotFollowed, ask(&[("id_token_hint", "a.b.c")])),
        case("logout: an access token for a hint", NotFollowed, ask(&[("id_token_hint", &w.access), ("post_logout_redirect_uri", bye)])),
        case("logout: an unregistered URI", NotFollowed, ask(&[("client_id", "site"), ("post_logout_redirect_uri", "https://evil.example/")])),
        case(
            "logout: a registered URI with a slash more",
            NotFollowed,
            ask(&[("client_id", "site"), ("post_logout_redirect_uri", "https://site.example/bye/")]),
        ),
        case("logout: javascript", NotFollowed, ask(&[("client_id", "site"), ("post_logout_redirect_uri", "javascript:alert(1)")])),
        case("logout: a URI and no client", NotFollowed, ask(&[("post_logout_redirect_uri", bye)])),
        case("logout: another client's URI", NotFollowed, ask(&[("client_id", "spa"), ("post_logout_redirect_uri", bye)])),
        case("logout: a disabled client's URI", NotFollowed, ask(&[("client_id", "off"), ("post_logout_redirect_uri", "https://off.example/bye")])),
        case("logout: an unknown client", NotFollowed, ask(&[("client_id", "<b>"), ("post_logout_redirect_uri", bye)])),
        case(
            "logout: a hint of one client beside the name of another",
            NotFollowed,
            ask(&[("id_token_hint", &w.id_token), ("client_id", "spa"), ("post_logout_redirect_uri", "https://spa.example/bye")]),
        ),
        case(
            "logout: HTML for a state comes back as it was",
            Exactly(format!("{bye}?state=%3Cb%3E")),
            ask(&[("client_id", "site"), ("post_logout_redirect_uri", bye), ("state", "<b>")]),
        ),
        case("logout: a line break in state", Page(400, BAD), ask(&[("state", "a\r\nX: 1")])),
        case("logout: state of 8193 bytes", Page(400, BAD), ask(&[("state", &"a".repeat(8193))])),
        case("logout: hint of 16385 bytes", Page(400, BAD), ask(&[("id_token_hint", &"a".repeat(16_385))])),
        case("logout: URI of 2049 bytes", Page(400, BAD), ask(&[("post_logout_redirect_uri", &"a".repeat(2049))])),
        case("logout: logout_hint of 321 bytes", Page(400, BAD), ask(&[("logout_hint", &"a".repeat(321))])),
        case("logout: state repeated", Page(400, BAD), ask(&[("state", "a"), ("state", "a")])),
        case("logout: a query that is not UTF-8", Page(400, BAD), w.get("/oauth/logout?state=%ff")),
        case(
            "logout POST: JSON",
            Page(415, BAD),
            Request::post(&w.server.url("/oauth/logout")).header("Content-Type", "application/json").body("{}"),
        ),
        case("logout POST: repeated", Page(400, BAD), w.form("/oauth/logout", &[("state", "a"), ("state", "b")])),
        case("logout page: a token that is none", gone(), w.get("/logout?logout=%3Cb%3E")),
        case("logout page: a query that is not UTF-8", Page(400, BAD), w.get("/logout?logout=%ff")),
        case("logout page POST: nobody is signed in", gone(), w.form("/logout", &[("logout", "x"), ("action", "confirm")])),
        case("logout page POST: a flow for a token", gone(), w.form("/logout", &[("logout", &w.flow), ("action", "confirm")])),
        case("logout page POST: JSON", Page(415, BAD), Request::post(&w.server.url("/logout")).header("Content-Type", "application/json").body("{}")),
    ]);
}
