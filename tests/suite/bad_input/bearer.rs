//! Tokens that come back: userinfo refuses them, introspection calls them inactive, revocation has nothing to do.

use super::Answer::{Basic, Bearer, Done, Fields, Json, NoToken};
use super::world::World;
use super::{Case, case, cases};
use propusk_tests::http::{FORM, Request};
use serde_json::json;

const BAD: &str = "invalid_request";
const DEAD: &str = "invalid_token";

pub(super) fn rows(w: &World, table: &mut Vec<Case>) {
    userinfo(w, table);
    introspection(w, table);
    revocation(w, table);
    for (name, tokens) in w.dead_tokens() {
        let names = |endpoint: &str| -> &'static str { Box::leak(format!("{endpoint}: {name}").into_boxed_str()) };
        let each = |f: &dyn Fn(&String) -> Request| tokens.iter().map(f).collect::<Vec<_>>();
        table.push(cases(names("userinfo"), Bearer(401, DEAD), each(&|token| w.get("/oauth/userinfo").bearer(token))));
        // A living refresh token is another matter, and a revoked grant's token is revoked again without an effect.
        if name != "a refresh token" {
            let ask = |token: &String| w.form_as("/oauth/introspect", &w.api, &[("token", token)]);
            table.push(cases(names("introspect"), Fields(json!({"active": false})), each(&ask)));
            if !name.contains("disabled") && !name.contains("client that never was") {
                let revoke = |token: &String| w.form_as("/oauth/revoke", &w.site, &[("token", token)]);
                table.push(cases(names("revoke"), Done, each(&revoke)));
            }
        }
    }
}

fn userinfo(w: &World, table: &mut Vec<Case>) {
    let get = || w.get("/oauth/userinfo");
    let post = |content_type: &str, body: &[u8]| Request::post(&w.server.url("/oauth/userinfo")).header("Content-Type", content_type).body(body);
    let bad = |name, request| case(name, Bearer(400, BAD), request);
    let header = |value: &[u8]| get().header("Authorization", value);
    let form = format!("access_token={}", w.access);
    table.extend([
        case("userinfo: no token", NoToken, get()),
        case("userinfo: no token by POST", NoToken, Request::post(&w.server.url("/oauth/userinfo"))),
        case("userinfo: no token at the short path", NoToken, w.get("/me")),
        case("userinfo: no token at a client's path", NoToken, w.get("/oauth/userinfo/rocketchat")),
        case("userinfo: another scheme", NoToken, header(b"Basic eDp5")),
        case("userinfo: an empty parameter", NoToken, w.get("/oauth/userinfo?access_token=")),
        bad("userinfo: Bearer without a token", header(b"Bearer")),
        bad("userinfo: Bearer with blanks alone", header(b"Bearer   ")),
        bad("userinfo: a token of 8193 bytes", get().bearer(&"a".repeat(8193))),
        bad("userinfo: header and body", post(FORM, form.as_bytes()).bearer(&w.access)),
        bad("userinfo: header and query", w.get(&format!("/oauth/userinfo?{form}")).bearer(&w.access)),
        bad(
            "userinfo: body and query",
            Request::post(&w.server.url(&format!("/oauth/userinfo?{form}"))).header("Content-Type", FORM).body(form.clone()),
        ),
        bad("userinfo: two headers", get().bearer(&w.access).bearer(&w.access)),
        bad("userinfo: repeated in the body", post(FORM, format!("{form}&{form}").as_bytes())),
        bad("userinfo: repeated in the query", w.get(&format!("/oauth/userinfo?{form}&{form}"))),
        bad("userinfo: a query that is not UTF-8", w.get("/oauth/userinfo?x=%ff").bearer(&w.access)),
        bad("userinfo: a body that is not UTF-8", post(FORM, b"access_token=\xff")),
        case("userinfo: a body of JSON", Json(415, BAD), post("application/json", b"{}").bearer(&w.access)),
        case("userinfo: a body over the limit", Json(413, BAD), post(FORM, &vec![b'a'; 200_000]).bearer(&w.access)),
        case("userinfo: in the query, which this client may not", Bearer(400, BAD), w.get(&format!("/oauth/userinfo?{form}"))),
        case("userinfo: a token with a space", Bearer(401, DEAD), get().bearer("a b")),
        case("userinfo: a token in quotes", Bearer(401, DEAD), get().bearer(&format!("\"{}\"", w.access))),
        case("userinfo: bytes beyond ASCII", Bearer(401, DEAD), header(b"Bearer \xd0\xb0\xff")),
        case("userinfo: HTML for a token", Bearer(401, DEAD), get().bearer("<script>alert(1)</script>")),
        case("userinfo: SQL for a token", Bearer(401, DEAD), get().bearer("'--")),
        case("userinfo: scope without openid", Bearer(403, "insufficient_scope"), get().bearer(&w.access_without_openid)),
        case("userinfo: a client's own token", Bearer(403, "insufficient_scope"), get().bearer(&w.access_of_worker)),
        case(
            "userinfo: another client's token at the chat's path",
            Bearer(403, "insufficient_scope"),
            w.get("/oauth/userinfo/rocketchat").bearer(&w.access),
        ),
        case(
            "userinfo: the chat's token at another path",
            Bearer(403, "insufficient_scope"),
            w.get("/oauth/userinfo/site").bearer(&w.access_of_chat),
        ),
        case("userinfo: the path of nobody", Bearer(403, "insufficient_scope"), w.get("/oauth/userinfo/nobody").bearer(&w.access)),
        cases(
            "userinfo: a path that is no client",
            Bearer(403, "insufficient_scope"),
            ["%3Cscript%3E", "'%20OR%20'1'='1", "ROCKETCHAT", "rocketchat%20"]
                .map(|path| w.get(&format!("/oauth/userinfo/{path}")).bearer(&w.access_of_chat))
                .to_vec(),
        ),
    ]);
}

fn introspection(w: &World, table: &mut Vec<Case>) {
    let path = "/oauth/introspect";
    let ask = |client, pairs: &[(&str, &str)]| w.form_as(path, client, pairs);
    let inactive = |name, request| case(name, Fields(json!({"active": false})), request);
    table.extend([
        case("introspect: nobody asks", Json(401, "invalid_client"), w.form(path, &[("token", &w.access)])),
        case("introspect: a wrong secret", Basic("invalid_client"), w.form(path, &[("token", &w.access)]).basic("api", "wrong")),
        case("introspect: the token itself as a credential", Basic("invalid_client"), w.form(path, &[("token", &w.access)]).bearer(&w.access)),
        case("introspect: a client that may not", Json(400, "unauthorized_client"), ask(&w.chat, &[("token", &w.access_of_chat)])),
        case("introspect: a public client", Json(400, "unauthorized_client"), ask(&w.spa, &[("token", &w.access)])),
        case("introspect: token missing", Json(400, BAD), ask(&w.api, &[])),
        case("introspect: token empty", Json(400, BAD), ask(&w.api, &[("token", "")])),
        case("introspect: token repeated", Json(400, BAD), ask(&w.api, &[("token", "a"), ("token", "a")])),
        case("introspect: token of 8193 bytes", Json(400, BAD), ask(&w.api, &[("token", &"a".repeat(8193))])),
        case("introspect: token not UTF-8", Json(400, BAD), w.raw_form_as(path, &w.api, b"&token=%ff")),
        case("introspect: JSON", Json(415, BAD), Request::post(&w.server.url(path)).header("Content-Type", "application/json").body("{}")),
        case("introspect: a body over the limit", Json(413, BAD), w.raw_form_as(path, &w.api, &vec![b'a'; 200_000])),
        inactive("introspect: another client's token", ask(&w.site, &[("token", &w.access_of_chat)])),
        inactive("introspect: another client's refresh token", ask(&w.site, &[("token", &w.refresh_of_spa)])),
        inactive("introspect: a truncated refresh token", ask(&w.api, &[("token", &w.refresh[..w.refresh.len() - 5])])),
        inactive(
            "introspect: a refresh token of a revoked grant",
            ask(&w.api, &[("token", &w.refresh_revoked), ("token_type_hint", "refresh_token")]),
        ),
        inactive("introspect: SQL", ask(&w.api, &[("token", "' OR '1'='1")])),
        inactive("introspect: an unknown hint", ask(&w.api, &[("token", "x"), ("token_type_hint", "<b>")])),
    ]);
}

fn revocation(w: &World, table: &mut Vec<Case>) {
    let path = "/oauth/revoke";
    let ask = |client, pairs: &[(&str, &str)]| w.form_as(path, client, pairs);
    table.extend([
        case("revoke: nobody asks", Json(401, "invalid_client"), w.form(path, &[("token", &w.access)])),
        case("revoke: a wrong secret", Basic("invalid_client"), w.form(path, &[("token", &w.access)]).basic("site", "wrong")),
        case("revoke: a disabled client", Json(401, "invalid_client"), ask(&w.off, &[("token", &w.access)])),
        case("revoke: token missing", Json(400, BAD), ask(&w.site, &[])),
        case("revoke: token repeated", Json(400, BAD), ask(&w.site, &[("token", "a"), ("token", "b")])),
        case("revoke: token of 8193 bytes", Json(400, BAD), ask(&w.site, &[("token", &"a".repeat(8193))])),
        case("revoke: another client's access token", Json(400, "invalid_grant"), ask(&w.spa, &[("token", &w.access)])),
        case("revoke: another client's refresh token", Json(400, "invalid_grant"), ask(&w.site, &[("token", &w.refresh_of_spa)])),
        case("revoke: a service's token by somebody else", Json(400, "invalid_grant"), ask(&w.site, &[("token", &w.access_of_worker)])),
        case("revoke: a truncated refresh token", Done, ask(&w.site, &[("token", &w.refresh[..w.refresh.len() - 5])])),
        case("revoke: SQL", Done, ask(&w.site, &[("token", "'; DELETE FROM grants; --")])),
        case("revoke: an unknown hint", Done, ask(&w.site, &[("token", "x"), ("token_type_hint", "magic")])),
        case("revoke: JSON", Json(415, BAD), Request::post(&w.server.url(path)).header("Content-Type", "application/json").body("{}")),
    ]);
}
