//! How endpoints meet a request before they judge it: spelling of paths, methods, other origins, client authentication.

use propusk_domain::admin::clients;
use propusk_domain::client::Preset;
use propusk_tests::http::{Request, Response, form_part};
use propusk_tests::server::{Backend, Registered, TestServer};

fn client_token(server: &TestServer, path: &str, client: &Registered) -> Response {
    let form = [("grant_type", "client_credentials"), ("client_id", client.id()), ("client_secret", client.secret.as_str())];
    Request::post(&server.url(path)).post_form(&form).send().unwrap()
}

#[test]
fn the_token_endpoint_answers_under_every_spelling_of_its_path() {
    let server = TestServer::start(Backend::Sqlite);
    let robot = server.add_client("robot", Preset::Service);
    for path in ["/oauth/token", "/oauth/token/", "//oauth/token", "/oauth//token//", "///oauth///token"] {
        let response = client_token(&server, path, &robot);
        assert_eq!((response.status, response.location()), (200, None), "{path}: {}", response.text());
        let document = Request::get(&server.url(&path.replace("oauth", ".well-known").replace("token", "openid-configuration"))).send().unwrap();
        assert_eq!((document.status, document.location()), (200, None), "{path}");
    }
}

#[test]
fn basic_takes_form_encoded_parts_and_refuses_with_a_challenge() {
    let server = TestServer::start(Backend::Sqlite);
    let robot = server.add_client("robot", Preset::Service);
    let form = [("grant_type", "client_credentials")];
    let ask = |request: Request| request.post_form(&form).send().unwrap();
    let post = || Request::post(&server.url("/oauth/token"));
    assert_eq!(ask(post().basic(robot.id(), &robot.secret)).status, 200);
    assert_eq!(ask(post().basic_raw(robot.id(), &robot.secret)).status, 200);
    let encoded: Vec<String> = robot.secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(ask(post().basic_raw("%72obot", &encoded.concat())).status, 200);
    let lower = post().post_form(&form).header("authorization", format!("bAsIc {}", basic(robot.id(), &robot.secret))).send().unwrap();
    assert_eq!(lower.status, 200, "the scheme has no case (RFC 9110 §11.1)");
    for request in [post().basic(robot.id(), "wrong"), post().basic("nobody", "wrong"), post().header("Authorization", "Basic !")] {
        let refused = ask(request);
        assert_eq!((refused.status, refused.reason.as_str()), (401, "invalid_client"), "{}", refused.text());
        assert!(refused.header("www-authenticate").unwrap().starts_with("Basic realm="));
        assert_eq!(refused.header("cache-control"), Some("no-store"));
    }
    let both = [("grant_type", "client_credentials"), ("client_id", robot.id()), ("client_secret", robot.secret.as_str())];
    let both = post().basic(robot.id(), &robot.secret).post_form(&both).send().unwrap();
    assert_eq!((both.status, both.reason.as_str()), (400, "invalid_request"), "two methods at once (RFC 6749 §2.3)");
}

fn basic(id: &str, secret: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", form_part(id), form_part(secret)))
}

#[test]
fn a_secret_in_the_body_that_is_wrong_gets_no_challenge() {
    let server = TestServer::start(Backend::Sqlite);
    server.add_client("robot", Preset::Service);
    let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", "wrong")];
    let refused = Request::post(&server.url("/oauth/token")).post_form(&form).send().unwrap();
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, None));
    let description = refused.json()["error_description"].as_str().unwrap().to_owned();
    assert!(description.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'), "{description}");
}

#[test]
fn single_page_applications_may_call_from_their_origin_alone() {
    let server = TestServer::start(Backend::Sqlite);
    server.add_client("app", Preset::Spa);
    server.add_client("site", Preset::Web);
    let preflight = |path: &str, origin: &str| {
        Request::new("OPTIONS", &server.url(path))
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type")
            .send()
            .unwrap()
    };
    for path in ["/oauth/token", "/oauth/userinfo", "/oauth/revoke", "/me", "/oauth/token/"] {
        let allowed = preflight(path, "https://app.example");
        assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, Some("https://app.example")), "{path}");
        assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization, content-type"));
        assert_eq!(allowed.header("access-control-allow-credentials"), None);
        assert_eq!(allowed.header("vary"), Some("Origin"));
        for stranger in ["https://evil.example", "https://site.example", "http://app.example", "https://app.example:444", "null"] {
            let refused = preflight(path, stranger);
            assert_eq!((refused.status, refused.header("access-control-allow-origin")), (204, None), "{path} {stranger}");
        }
        let call = Request::post(&server.url(path)).header("Origin", "https://app.example").post_form(&[]).send().unwrap();
        assert_eq!(call.header("access-control-allow-origin"), Some("https://app.example"), "errors are readable, too");
    }
    for path in ["/oauth/introspect", "/oauth/authorize", "/login"] {
        assert_eq!(preflight(path, "https://app.example").status, 405, "{path}");
    }
}

#[test]
fn userinfo_takes_its_token_in_three_ways_and_challenges_without_one() {
    let server = TestServer::start(Backend::Sqlite);
    let (anna, site) = (server.add_user("anna", "user"), server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true)));
    let token = server.tokens(&site, &anna, "openid")["access_token"].as_str().unwrap().to_owned();
    let url = server.url("/oauth/userinfo");
    let ways = [
        Request::get(&url).bearer(&token),
        Request::post(&url).bearer(&token),
        Request::post(&url).post_form(&[("access_token", &token)]),
        Request::get(&url).bearer(&token).header("Accept", "text/html"),
        Request::get(&url).header("authorization", format!("bearer {token}")),
    ];
    for way in ways {
        let answer = way.send().unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{}", answer.text());
        assert_eq!(answer.json()["sub"], anna.user.sub.as_str());
    }
    let without = Request::get(&url).send().unwrap();
    assert_eq!((without.status, without.header("www-authenticate")), (401, Some("Bearer realm=\"propusk\"")));
    assert_eq!(without.json()["error"], "invalid_token");
    let dead = Request::get(&url).bearer(&format!("{token}x")).send().unwrap();
    assert!(dead.status == 401 && dead.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    let twice = Request::post(&url).bearer(&token).post_form(&[("access_token", &token)]).send().unwrap();
    assert_eq!((twice.status, twice.reason.as_str()), (400, "invalid_request"));
    let query = Request::get(&format!("{url}?access_token={token}")).send().unwrap();
    assert_eq!(query.status, 400, "only clients with the switch may");
}

#[test]
fn two_secrets_live_side_by_side_until_the_overlap_ends() {
    let server = TestServer::start(Backend::Sqlite);
    let old = server.add_client("robot", Preset::Service);
    let new = server.admin(|cx| clients::rotate_secret(cx, "robot", 3600)).expose().to_owned();
    server.settle();
    for secret in [&old.secret, &new] {
        assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte)), "nothing to encode, nothing to get wrong");
        assert_eq!(client_token(&server, "/oauth/token", &Registered { secret: secret.clone(), ..old.clone() }).status, 200);
    }
    server.advance(3600);
    let late = client_token(&server, "/oauth/token", &old);
    assert_eq!((late.status, late.reason.as_str()), (401, "invalid_client"));
    assert_eq!(server.explain(late.json()["error_reference"].as_str().unwrap()).detail.cause.slug(), "secret_expired");
    assert_eq!(client_token(&server, "/oauth/token", &Registered { secret: new, ..old }).status, 200);
}

#[test]
fn token_answers_are_stored_by_nobody_old_proxies_included() {
    let server = TestServer::start(Backend::Sqlite);
    let robot = server.add_client("robot", Preset::Service);
    let wrong = Registered { secret: "wrong".into(), ..robot.clone() };
    for response in [client_token(&server, "/oauth/token", &robot), client_token(&server, "/oauth/token", &wrong)] {
        // RFC 6749 §5.1 and §5.2 have both.
        assert_eq!((response.header("cache-control"), response.header("pragma")), (Some("no-store"), Some("no-cache")));
    }
}
