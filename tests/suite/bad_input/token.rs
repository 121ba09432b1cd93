//! The token endpoint: always JSON (RFC 6749 §5.2).

use super::Answer::{Basic, Json};
use super::world::{SITE_URI, VERIFIER, World};
use super::{Case, case, cases};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use propusk_tests::http::{FORM, Request};

const BAD: &str = "invalid_request";
const CLIENT: &str = "invalid_client";
const GRANT: &str = "invalid_grant";

pub(super) fn rows(w: &World, table: &mut Vec<Case>) {
    bodies(w, table);
    credentials(w, table);
    basic(w, table);
    grants(w, table);
    codes(w, table);
    refreshes(w, table);
}

fn bodies(w: &World, table: &mut Vec<Case>) {
    let url = w.server.url("/oauth/token");
    let post = |content_type: &str, body: &[u8]| Request::post(&url).header("Content-Type", content_type).body(body);
    let raw = |rest: &[u8]| w.raw_form_as("/oauth/token", &w.site, rest);
    let bad = |name, rest: &[u8]| case(name, Json(400, BAD), raw(rest));
    table.extend([
        case("token: an empty body", Json(401, CLIENT), Request::post(&url)),
        case("token: an empty form", Json(401, CLIENT), post(FORM, b"")),
        case("token: JSON", Json(415, BAD), post("application/json", b"{\"grant_type\":\"client_credentials\"}")),
        case("token: multipart", Json(415, BAD), post("multipart/form-data; boundary=x", b"--x--")),
        case("token: a form that calls itself text", Json(415, BAD), post("text/plain", b"grant_type=client_credentials")),
        case("token: no content type", Json(415, BAD), Request::post(&url).body("grant_type=client_credentials")),
        case("token: a content type that is no text", Json(415, BAD), Request::post(&url).header("Content-Type", b"\xff\xfe").body("a=b")),
        case("token: a body over the limit", Json(413, BAD), raw(&[b"&x=".to_vec(), vec![b'a'; 200_000]].concat())),
        bad("token: not UTF-8", b"&grant_type=\xff"),
        bad("token: an escaped byte that is not UTF-8", b"&grant_type=%ff"),
        bad("token: a broken escape", b"&grant_type=%4"),
        bad("token: a NUL", b"&grant_type=client_credentials&x=%00"),
        bad("token: a line break in a known field", b"&grant_type=client_credentials%0d%0a"),
        bad("token: a parameter without a name", b"&grant_type=client_credentials&=1"),
        bad("token: grant_type repeated", b"&grant_type=client_credentials&grant_type=client_credentials"),
        bad("token: client_id repeated", b"&grant_type=client_credentials&client_id=site"),
        bad("token: client_secret repeated", b"&grant_type=client_credentials&client_secret=x"),
        bad("token: an unknown parameter repeated", b"&grant_type=client_credentials&x=1&x=1"),
        bad("token: 65 parameters", (0..63).map(|n| format!("&p{n}=")).collect::<String>().as_bytes()),
        bad("token: a name of 129 bytes", format!("&{}=1", "n".repeat(129)).as_bytes()),
        bad("token: grant_type missing", b""),
        bad("token: grant_type empty", b"&grant_type="),
        bad("token: grant_type of 257 bytes", format!("&grant_type={}", "a".repeat(257)).as_bytes()),
        bad("token: scope of 1025 bytes", format!("&grant_type=client_credentials&scope={}", "a".repeat(1025)).as_bytes()),
        bad("token: refresh token of 8193 bytes", format!("&grant_type=refresh_token&refresh_token={}", "a".repeat(8193)).as_bytes()),
        bad("token: code of 513 bytes", format!("&grant_type=authorization_code&code={}", "a".repeat(513)).as_bytes()),
        bad("token: redirect_uri of 2049 bytes", format!("&grant_type=authorization_code&code=x&redirect_uri={}", "a".repeat(2049)).as_bytes()),
        case(
            "token: everything in the query",
            Json(401, CLIENT),
            Request::post(&w.server.url(&format!("/oauth/token?client_id=site&client_secret={}&grant_type=client_credentials", w.site.secret))),
        ),
    ]);
}

fn credentials(w: &World, table: &mut Vec<Case>) {
    let form = |pairs: &[(&str, &str)]| {
        let mut all = vec![("grant_type", "client_credentials")];
        all.extend_from_slice(pairs);
        w.form("/oauth/token", &all)
    };
    let refused = |name, pairs: &[(&str, &str)]| case(name, Json(401, CLIENT), form(pairs));
    let secret = w.worker.secret.as_str();
    let hash = w.worker.client.secrets.first().map(|secret| secret.hash.as_str().to_owned()).unwrap_or_default();
    table.extend([
        refused("client: not named", &[]),
        refused("client: a secret without a name", &[("client_secret", secret)]),
        refused("client: unknown", &[("client_id", "nobody"), ("client_secret", "x")]),
        refused("client: disabled", &[("client_id", "off"), ("client_secret", &w.off.secret)]),
        refused("client: secret missing", &[("client_id", "worker")]),
        refused("client: secret empty", &[("client_id", "worker"), ("client_secret", "")]),
        refused("client: secret wrong", &[("client_id", "worker"), ("client_secret", "wrong")]),
        refused("client: secret of another client", &[("client_id", "worker"), ("client_secret", &w.site.secret)]),
        refused("client: secret with a trailing newline", &[("client_id", "worker"), ("client_secret", &format!("{secret}\n"))]),
        refused("client: secret in capitals", &[("client_id", "worker"), ("client_secret", &secret.to_uppercase())]),
        refused("client: secret cut by a letter", &[("client_id", "worker"), ("client_secret", &secret[..secret.len() - 1])]),
        refused("client: the stored hash for a secret", &[("client_id", "worker"), ("client_secret", &hash)]),
        refused("client: SQL for a secret", &[("client_id", "worker"), ("client_secret", "' OR '1'='1")]),
        refused("client: HTML for a name", &[("client_id", "<script>alert(1)</script>"), ("client_secret", "x")]),
        refused("client: a secret for a public client", &[("client_id", "spa"), ("client_secret", "x")]),
        refused(
            "client: an assertion",
            &[
                ("client_id", "worker"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", "a.b.c"),
            ],
        ),
        case("client: name of 257 bytes", Json(400, BAD), form(&[("client_id", &"a".repeat(257)), ("client_secret", "x")])),
        case("client: secret of 1025 bytes", Json(400, BAD), form(&[("client_id", "worker"), ("client_secret", &"a".repeat(1025))])),
        case("client: a NUL in the secret", Json(400, BAD), form(&[("client_id", "worker"), ("client_secret", "a\0b")])),
    ]);
}

fn basic(w: &World, table: &mut Vec<Case>) {
    let form = || w.form("/oauth/token", &[("grant_type", "client_credentials")]);
    let header = |value: &[u8]| form().header("Authorization", value);
    let encoded = |text: &[u8]| header(format!("Basic {}", STANDARD.encode(text)).as_bytes());
    let refused = |name, request| case(name, Basic(CLIENT), request);
    let (id, secret) = (w.worker.id(), w.worker.secret.as_str());
    let good = STANDARD.encode(format!("{id}:{secret}"));
    table.extend([
        refused("basic: wrong secret", form().basic(id, "wrong")),
        refused("basic: unknown client", form().basic("nobody", secret)),
        refused("basic: disabled client", form().basic("off", &w.off.secret)),
        refused("basic: a public client", form().basic("spa", "")),
        refused("basic: no value", header(b"Basic")),
        refused("basic: an empty value", header(b"Basic ")),
        refused("basic: not base64", header(b"Basic !!!")),
        refused("basic: base64 of another alphabet", header(b"Basic __--")),
        refused("basic: cut base64", header(format!("Basic {}", &good[..good.len() - 3]).as_bytes())),
        refused("basic: no colon", encoded(b"worker")),
        refused("basic: an empty name", encoded(format!(":{secret}").as_bytes())),
        refused("basic: not UTF-8", encoded(b"worker:\xff\xfe")),
        refused("basic: a name with a line break", encoded(format!("wor\r\nker:{secret}").as_bytes())),
        refused("basic: a name of 257 bytes", encoded(format!("{}:x", "a".repeat(257)).as_bytes())),
        refused("basic: a NUL in the secret", encoded(b"worker:a\0b")),
        refused("basic: a header that is no text", header(b"Basic \xff\xff")),
        refused("basic: no scheme", header(good.as_bytes())),
        refused("basic: Bearer instead", header(format!("Bearer {}", w.access).as_bytes())),
        refused("basic: Digest instead", header(b"Digest username=worker")),
        refused("basic: two values in one header", header(format!("Basic {good}, Basic {good}").as_bytes())),
        case(
            "basic: and a secret in the body",
            Json(400, BAD),
            w.form("/oauth/token", &[("grant_type", "client_credentials"), ("client_secret", secret)]).basic(id, secret),
        ),
        case(
            "basic: and another client in the body",
            Json(400, BAD),
            w.form("/oauth/token", &[("grant_type", "client_credentials"), ("client_id", "site")]).basic(id, secret),
        ),
        case(
            "basic: and an assertion in the body",
            Json(400, BAD),
            w.form("/oauth/token", &[("grant_type", "client_credentials"), ("client_assertion", "a.b.c")]).basic(id, secret),
        ),
        case("basic: sent twice", Json(400, BAD), form().basic(id, secret).basic(id, secret)),
    ]);
}

fn grants(w: &World, table: &mut Vec<Case>) {
    let unsupported = |name, kinds: &[&str]| {
        cases(name, Json(400, "unsupported_grant_type"), kinds.iter().map(|kind| w.token_as(&w.site, &[("grant_type", kind)])).collect())
    };
    let not_allowed = |name, request| case(name, Json(400, "unauthorized_client"), request);
    table.extend([
        unsupported("grant: unknown", &["magic", "Client_Credentials", "client_credentials ", "<b>", "' OR '1'='1"]),
        unsupported("grant: password", &["password"]),
        unsupported("grant: implicit", &["implicit"]),
        unsupported("grant: device code", &["urn:ietf:params:oauth:grant-type:device_code"]),
        unsupported("grant: token exchange", &["urn:ietf:params:oauth:grant-type:token-exchange"]),
        not_allowed("grant: client credentials of a web client", w.token_as(&w.site, &[("grant_type", "client_credentials")])),
        not_allowed("grant: client credentials of a public client", w.token_as(&w.spa, &[("grant_type", "client_credentials")])),
        not_allowed("grant: client credentials of an api", w.token_as(&w.api, &[("grant_type", "client_credentials")])),
        not_allowed("grant: a code for a service", w.token_as(&w.worker, &[("grant_type", "authorization_code"), ("code", "x")])),
        not_allowed("grant: a refresh token for Rocket.Chat", w.token_as(&w.chat, &[("grant_type", "refresh_token"), ("refresh_token", "x")])),
        case(
            "grant: a scope that the service may not have",
            Json(400, "invalid_scope"),
            w.token_as(&w.worker, &[("grant_type", "client_credentials"), ("scope", "admin")]),
        ),
        case(
            "grant: a scope with a backslash",
            Json(400, "invalid_scope"),
            w.token_as(&w.worker, &[("grant_type", "client_credentials"), ("scope", "a\\b")]),
        ),
        case(
            "grant: openid without a person",
            Json(400, "invalid_scope"),
            w.token_as(&w.worker, &[("grant_type", "client_credentials"), ("scope", "openid")]),
        ),
    ]);
}

fn codes(w: &World, table: &mut Vec<Case>) {
    let refused = |name, request| case(name, Json(400, GRANT), request);
    let stolen = |client| w.token_as(client, &[("grant_type", "authorization_code"), ("code", &w.code), ("redirect_uri", SITE_URI)]);
    table.extend([
        case("code: missing", Json(400, BAD), w.redeem("x", &[("code", "")])),
        refused("code: unknown", w.redeem("ppc_0123456789abcdefghijklmnopqrstuvwxyz", &[])),
        refused("code: one letter short", w.redeem(&w.code[..w.code.len() - 1], &[])),
        refused("code: in capitals", w.redeem(&w.code.to_uppercase(), &[])),
        refused("code: with a space behind it", w.redeem(&format!("{} ", w.code), &[])),
        refused("code: SQL", w.redeem("' OR '1'='1", &[])),
        refused("code: HTML", w.redeem("<script>alert(1)</script>", &[])),
        refused("code: its own digest", w.redeem(&propusk_crypto::digest(&w.code), &[])),
        refused("code: an access token", w.redeem(&w.refresh, &[])),
        refused("code: expired", w.redeem(&w.code_expired, &[])),
        refused("code: reused once more", w.redeem(&w.code_reused, &[])),
        refused("code: of another client", stolen(&w.chat)),
        refused("code: of another client, a public one", stolen(&w.spa)),
        refused("code: redirect_uri missing", w.redeem(&w.code, &[("redirect_uri", "")])),
        refused("code: redirect_uri with a slash more", w.redeem(&w.code, &[("redirect_uri", "https://site.example/cb/")])),
        refused("code: redirect_uri of another client", w.redeem(&w.code, &[("redirect_uri", "https://spa.example/cb")])),
        refused("code: a verifier without a challenge", w.redeem(&w.code, &[("code_verifier", VERIFIER)])),
        refused("code: verifier missing", w.redeem(&w.code_with_challenge, &[])),
        refused("code: verifier wrong", w.redeem(&w.code_with_challenge, &[("code_verifier", &VERIFIER.replace('0', "1"))])),
        refused(
            "code: the challenge for a verifier",
            w.redeem(&w.code_with_challenge, &[("code_verifier", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")]),
        ),
        refused("code: verifier of 42 bytes", w.redeem(&w.code_with_challenge, &[("code_verifier", &VERIFIER[1..])])),
        refused("code: verifier of 129 bytes", w.redeem(&w.code_with_challenge, &[("code_verifier", &"a".repeat(129))])),
        refused("code: verifier with a space", w.redeem(&w.code_with_challenge, &[("code_verifier", &VERIFIER.replace('0', " "))])),
    ]);
}

fn refreshes(w: &World, table: &mut Vec<Case>) {
    let with = |token: &str| w.token_as(&w.site, &[("grant_type", "refresh_token"), ("refresh_token", token)]);
    let refused = |name, request| case(name, Json(400, GRANT), request);
    let mut changed = w.refresh.clone().into_bytes();
    let last = changed.len() - 4;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    let scoped = |scope: &str| w.token_as(&w.site, &[("grant_type", "refresh_token"), ("refresh_token", &w.refresh), ("scope", scope)]);
    table.extend([
        case("refresh: missing", Json(400, BAD), w.token_as(&w.site, &[("grant_type", "refresh_token")])),
        refused("refresh: unknown", with("ppr_nobody.1.x.y")),
        refused("refresh: eight KiB of letters", with(&"a".repeat(8192))),
        refused("refresh: truncated", with(&w.refresh[..w.refresh.len() - 5])),
        refused("refresh: one letter changed", with(&String::from_utf8(changed).unwrap())),
        refused("refresh: SQL", with("' OR '1'='1")),
        refused("refresh: an access token", with(&w.access)),
        refused("refresh: an ID token", with(&w.id_token)),
        refused("refresh: of another client", with(&w.refresh_of_spa)),
        refused("refresh: of a revoked grant", with(&w.refresh_revoked)),
        case("refresh: a wider scope", Json(400, "invalid_scope"), scoped("openid offline_access email")),
        case("refresh: a scope with a quote", Json(400, "invalid_scope"), scoped("open\"id")),
    ]);
}
