//! Who does not come into the chat without a button, and what the operator is told.

use super::House;
use super::no_button::{ask, cookie, owner, token, with_secret};
use propusk_domain::records::Consent;
use propusk_tests::http::Response;
use propusk_tests::rocketchat::Config;
use propusk_tests::rocketchat::rest::{Edition, Fault};
use propusk_tests::server::{Backend, Person};

/// Status and cause of the answer to this person's browser.
fn refused(house: &House, person: &Person) -> (u16, &'static str) {
    let (laptop, _) = cookie(house, person);
    cause(house, &ask(house, Some(&laptop), Some(&house.chat.url())))
}

fn cause(house: &House, answer: &Response) -> (u16, &'static str) {
    (answer.status, house.server.explain(answer.json()["error_reference"].as_str().unwrap()).detail.cause.slug())
}

#[test]
fn a_client_that_is_refused_everywhere_is_refused_here() {
    let house = with_secret(Backend::Sqlite, Edition::community(8, 6));
    let (anna, boris) = (house.known("anna", "user"), house.server.add_user("boris", "user"));
    let (laptop, _) = cookie(&house, &anna);
    let here = || ask(&house, Some(&laptop), Some(&house.chat.url()));
    let kept = token(&here());
    house.server.set_client("rocketchat", |patch| patch.disabled = Some(true));
    for answer in [here(), ask(&house, Some(&cookie(&house, &boris).0), Some(&house.chat.url()))] {
        assert_eq!(cause(&house, &answer), (403, "disabled_client"), "also with a token that is kept");
    }
    assert_eq!(house.chat.state().count("users.create"), 0);
    house.server.set_client("rocketchat", |patch| patch.disabled = Some(false));
    assert_eq!(token(&here()), kept);
}

#[test]
fn a_third_partys_chat_learns_of_nobody_who_has_not_allowed_it() {
    let house = with_secret(Backend::Sqlite, Edition::community(8, 6));
    let anna = house.server.add_user("anna", "user");
    house.server.set_client("rocketchat", |patch| patch.first_party = Some(false));
    assert_eq!(refused(&house, &anna), (403, "consent_required"));
    assert_eq!(house.chat.state().count("users.create"), 0);
    let consent = Consent {
        sub: anna.user.sub.clone(),
        client_id: "rocketchat".into(),
        scope: "openid".parse().unwrap(),
        granted_at: house.server.look(|cx| Ok(cx.now)),
    };
    house.server.admin(move |cx| Ok(cx.store.put_consent(&consent)?));
    let (laptop, _) = cookie(&house, &anna);
    assert_eq!(owner(&house, &token(&ask(&house, Some(&laptop), Some(&house.chat.url())))).as_deref(), Some("anna"));
}

#[test]
fn what_somebody_has_to_mend_in_the_chat_has_a_cause_of_its_own() {
    let house = with_secret(Backend::Sqlite, Edition::community(8, 6));
    let (anna, zed) = (house.known("anna", "user"), house.server.add_user("zed", "user"));
    let switch = |on: bool| {
        let mut state = house.chat.state();
        state.chat.workspace.users.iter_mut().filter(|user| user.id == "id-anna").for_each(|user| user.active = on);
    };
    switch(false);
    assert_eq!(refused(&house, &anna), (403, "chat_account_inactive"));
    switch(true);
    // Somebody registered there with zed's address, and nobody has proven that it is zed.
    house.chat.state().chat.workspace.add_local_user("someone", "zed@example.org", false);
    assert_eq!(refused(&house, &zed), (403, "chat_account_foreign"));
    house.chat.state().create_tokens_secret = Some("another secret".to_owned());
    assert_eq!(refused(&house, &anna), (503, "chat_refused"));
    house.chat.state().create_tokens_secret = Some("create tokens secret".to_owned());
    // The connector asks the same of the chat when people change.
    house.quiet();
    house.chat.state().fault("users.info", Fault::Status(401), 1);
    assert_eq!(refused(&house, &anna), (503, "chat_refused"));
    house.chat.state().fault("users.info", Fault::Html(502), 1);
    assert_eq!(refused(&house, &anna), (503, "chat_unavailable"));
    let (laptop, _) = cookie(&house, &anna);
    assert_eq!(owner(&house, &token(&ask(&house, Some(&laptop), Some(&house.chat.url())))).as_deref(), Some("anna"));
}

#[test]
fn the_key_of_the_service_is_the_one_of_the_clients_redirect_uri_unless_it_is_set() {
    let none = [("rocketchat.user_id", ""), ("rocketchat.token", "")];
    for (setting, status) in [("", 200), ("propusk", 200), ("besedka", 503)] {
        let house = House::with(Backend::Sqlite, Edition::community(8, 6), &[none[0], none[1], ("rocketchat.service", setting)]);
        let redirect_uri = format!("{}/_oauth/propusk", house.chat.url());
        house.server.set_client("rocketchat", |patch| patch.redirect_uris.replace = Some(vec![redirect_uri]));
        house.chat.state().chat.config = Config {
            version: (8, 6),
            name: "Propusk".into(),
            ..Config::recommended(&house.chat.url(), &house.server.issuer, house.client.id(), &house.client.secret)
        };
        let (laptop, _) = cookie(&house, &house.server.add_user("anna", "user"));
        assert_eq!(ask(&house, Some(&laptop), Some(&house.chat.url())).status, status, "{setting}");
    }
}
