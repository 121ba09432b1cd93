//! `/api/v1/auth/rocket/?channel=NAME`, which the pages of the old site asked.

use crate::connector::House;
use propusk_domain::admin::users;
use propusk_domain::client::Preset;
use propusk_domain::session;
use propusk_tests::http::{Request, Response};
use propusk_tests::rocketchat::rest::{Edition, Fault};
use propusk_tests::server::{Backend, Person, TestServer};
use serde_json::json;

propusk_tests::on_each_backend![whoever_is_signed_in_is_told_where_a_channel_is, an_access_token_is_told_what_its_client_may_ask];

const ON: [(&str, &str); 1] = [("compat.rocket_identity", "true")];

fn ask(house: &House, query: &str, header: Option<(&'static str, &str)>) -> Response {
    let request = Request::get(&house.server.url(&format!("/api/v1/auth/rocket/?{query}")));
    match header {
        Some((name, value)) => request.header(name, value),
        None => request,
    }
    .send()
    .unwrap()
}

/// The cookie of a browser in which the person is signed in.
fn cookie(server: &TestServer, person: &Person) -> String {
    let user = person.user.clone();
    let (_, secret) = server.admin(move |cx| session::start(cx, &user, None, session::Browser::default()));
    format!("propusk_session={}", secret.expose())
}

fn whoever_is_signed_in_is_told_where_a_channel_is(backend: Backend) {
    let house = House::with(backend, Edition::community(8, 6), &ON);
    let (anna, olga, chat) = (house.known("anna", "user"), house.known("olga", "owner"), house.chat.url());
    let (annas, olgas) = (cookie(&house.server, &anna), cookie(&house.server, &olga));
    let by = |cookies: &str, query: &str| ask(&house, query, Some(("Cookie", cookies)));
    for channel in ["general", "random"] {
        let told = by(&annas, &format!("channel={channel}"));
        assert_eq!((told.status, told.json()), (200, json!({"channel": channel, "url": format!("{chat}/channel/{channel}")})));
        assert_eq!((told.header("cache-control"), told.header("referrer-policy")), (Some("no-store"), Some("no-referrer")));
        assert_eq!(told.header("access-control-allow-origin"), None, "no other site's page reads it");
    }
    assert_eq!(by(&olgas, "channel=vip").json()["url"], format!("{chat}/group/vip").as_str(), "a private one lives elsewhere");
    let error = |answer: Response| (answer.status, answer.json()["error"].as_str().unwrap().to_owned());
    assert_eq!(error(by(&annas, "channel=vip")), (403, "insufficient_scope".to_owned()));
    assert_eq!(error(by(&annas, "channel=nowhere")), (404, "not_found".to_owned()));
    for bad in ["", "channel=", "channel=a/b", "channel=..", "channel=a&channel=b", "path=/channel/general"] {
        assert_eq!(error(by(&annas, bad)), (400, "invalid_request".to_owned()), "{bad}");
    }
    for nobody in [None, Some(("Cookie", "propusk_session=nonsense"))] {
        let refused = ask(&house, "channel=general", nobody);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"propusk\""));
        assert_eq!(error(refused), (401, "invalid_token".to_owned()));
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let refused = Request::new(method, &house.server.url("/api/v1/auth/rocket/?channel=general")).header("Cookie", &annas).send().unwrap();
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET")), "{method}");
        assert_eq!(refused.json()["error"], "method_not_allowed");
    }
    // A chat that cannot be asked keeps nobody out.
    house.chat.state().fault("channels.info", Fault::Status(500), 9);
    assert_eq!(by(&annas, "channel=garden").json()["url"], format!("{chat}/channel/garden").as_str());
    // Somebody disabled is nobody, at once.
    let sub = anna.user.sub.clone();
    house.server.admin(move |cx| users::disable(cx, &sub));
    assert_eq!(error(by(&annas, "channel=general")).0, 401);
}

fn an_access_token_is_told_what_its_client_may_ask(backend: Backend) {
    let house = House::with(backend, Edition::community(8, 6), &ON);
    let anna = house.known("anna", "user");
    let token = |id: &str, scope: &str| {
        let client = house.server.add_client_with(id, Preset::Web, |new| {
            new.first_party = Some(true);
            new.more.scopes.add = vec!["chat.open".to_owned()];
        });
        house.server.tokens(&client, &anna, scope)["access_token"].as_str().unwrap().to_owned()
    };
    let (may, may_not) = (token("site", "openid chat.open"), token("other", "openid"));
    let by = |token: &str, channel: &str| ask(&house, &format!("channel={channel}"), Some(("Authorization", &format!("Bearer {token}"))));
    assert_eq!(by(&may, "general").json()["url"], format!("{}/channel/general", house.chat.url()).as_str());
    assert_eq!((by(&may, "vip").status, by(&may_not, "general").status, by("nonsense", "general").status), (403, 403, 401));
    house.server.set_client("site", |patch| patch.scopes.remove = vec!["chat.open".to_owned()]);
    house.server.settle();
    assert_eq!(by(&may, "general").status, 403);
}

#[test]
fn without_a_chat_or_the_setting_there_is_nothing_to_tell() {
    let server = TestServer::with(Backend::Sqlite, &ON);
    let anna = server.add_user("anna", "user");
    let cookies = cookie(&server, &anna);
    let get = |server: &TestServer| Request::get(&server.url("/api/v1/auth/rocket/?channel=general")).header("Cookie", &cookies).send().unwrap();
    let answer = get(&server);
    assert_eq!(answer.status, 400);
    assert_eq!(server.explain(answer.json()["error_reference"].as_str().unwrap()).detail.cause.slug(), "chat_not_connected");
    assert_eq!(get(&TestServer::start(Backend::Sqlite)).status, 404);
}
