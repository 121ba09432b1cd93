//! What an application was told at the end: the last step of its sign-in.

use super::{Scene, shown};
use crate::rocketchat_tools::propusk;
use propusk_domain::client::Preset;
use propusk_domain::grant::Revocation;
use propusk_domain::session;
use propusk_domain::trace::diagnosis::Finding;
use propusk_tests::receiver::Receiver;
use propusk_tests::server::Backend;
use serde_json::json;

propusk_tests::on_each_backend![a_logout_is_the_last_step_of_its_sign_in];

fn a_logout_is_the_last_step_of_its_sign_in(backend: Backend) {
    let (scene, receiver) = (Scene::new(backend), Receiver::start());
    let site = scene.server.add_client_with("site", Preset::Web, |new| {
        new.first_party = Some(true);
        new.more.backchannel_logout_uri = Some(receiver.uri());
    });
    receiver.answer(Some("503 Service Unavailable"));
    let code = scene.server.code(&site, &scene.anna, &[]);
    assert_eq!(scene.server.redeem(&site, &code, &[]).status, 200);
    scene.flow(1, 5);
    let sub = scene.anna.user.sub.clone();
    scene.server.admin(move |cx| {
        let sids = cx.store.list_open_sids(&sub)?;
        let session = cx.store.find_session_by_sid(&sids[0])?.expect("the session");
        session::end(cx, &session, Revocation::Logout)
    });
    let flow = scene.flow(1, 6);
    assert_eq!((shown(&flow)[5], flow.diagnosis.finding), (("logout_sent", "failed"), Finding::Complete));
    let reference = flow.steps[5].reference.clone().unwrap();
    scene.server.explain(&reference);
    let explained = propusk(&scene.server, &["explain", &reference], "").json();
    assert_eq!((&explained["cause"], &explained["endpoint"]), (&json!("logout_not_delivered"), &json!("backchannel_logout")));
    assert_eq!((&explained["received"], &explained["client_id"]), (&json!("answered 503"), &json!("site")));
    receiver.answer(Some("200 OK"));
    let row = explained["fix"][0].as_str().unwrap().strip_prefix("propusk outbox retry ").unwrap().to_owned();
    assert_eq!(scene.server.admin(move |cx| Ok(cx.store.retry_messages(Some(&row), cx.now)?)), 1);
    let flow = scene.flow(1, 7);
    assert_eq!((shown(&flow)[6], flow.steps[6].reference.as_deref()), (("logout_sent", "delivered"), None));
    let told = propusk(&scene.server, &["trace", "--last", "1", "--client", "site"], "").json();
    assert_eq!(told["flows"][0]["steps"][5]["reference"], json!(reference));
    let detail = told["flows"][0]["diagnosis"]["explanation"].as_str().unwrap();
    assert!(!detail.contains("Rocket.Chat"), "{detail}");
}
