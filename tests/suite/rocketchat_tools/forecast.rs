//! The forecast against the login simulator, on whatever claims and settings.

use proptest::prelude::*;
use propusk_domain::rocketchat::forecast::{Ending, forecast};
use propusk_domain::rocketchat::lint::Facts;
use propusk_domain::rocketchat::{BUILTIN_ROLES, Dump};
use propusk_tests::rocketchat::rest::{Edition, State};
use propusk_tests::rocketchat::{Generation, Login, LoginStyle, Profile};
use serde_json::{Map, Value, json};

const PREFIX: &str = "Accounts_OAuth_Custom-Besedka";

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    let names = prop::sample::select(vec![
        "sub",
        "id",
        "_id",
        "user_id",
        "ID",
        "result",
        "email",
        "emails",
        "name",
        "preferred_username",
        "username",
        "nickname",
        "roles",
        "groups",
        "user",
        "my.roles",
    ]);
    let values = prop_oneof![
        prop::sample::select(vec!["anna", "Анна", "", "anna@example.org", "admin", "admin,vip", "b@blocked.example"]).prop_map(Value::from),
        Just(Value::Null),
        Just(json!(0)),
        Just(json!(17)),
        Just(json!(true)),
        prop::collection::vec(prop::sample::select(vec!["admin", "vip", "user", "moderator", "captain", "offline_access", "general"]), 0..4)
            .prop_map(Value::from),
        Just(json!([{ "address": "list@example.org" }])),
        Just(json!({ "userid": "u-7", "email": "inner@example.org", "name": "Inner" })),
        Just(json!({ "sub": "inner", "preferred_username": "innen" })),
    ];
    let roles = prop::collection::vec(prop::sample::select(vec!["admin", "vip", "user", "captain", "offline_access"]), 0..5);
    let strange = prop::collection::btree_map(names.prop_map(str::to_owned), values, 0..9);
    // Half of them are told as they should be, with few surprises, so that most of the way is gone.
    (any::<bool>(), roles, strange).prop_map(|(sound, roles, strange)| {
        let mut claims = Map::new();
        if sound {
            let told =
                json!({ "sub": "s-1", "preferred_username": "anna", "name": "Anna", "email": "anna@example.org", "roles": roles, "groups": roles });
            claims.extend(told.as_object().unwrap().clone());
        }
        let taken = if sound { 1 } else { strange.len() };
        claims.extend(strange.into_iter().take(taken));
        claims
    })
}

fn settings() -> impl Strategy<Value = Vec<(String, Value)>> {
    let text = |suffix: &str, values: Vec<&'static str>| {
        let id = format!("{PREFIX}-{suffix}");
        prop::sample::select(values).prop_map(move |value| (id.clone(), Value::from(value)))
    };
    let flag = |id: String| any::<bool>().prop_map(move |value| (id.clone(), Value::from(value)));
    (
        text(
            "username_field",
            vec![
                "",
                "preferred_username",
                "username",
                "user.name",
                "u-{{preferred_username}}",
                "{{/^(.+)@/::email}}",
                r"{{/^(\w{2,3})/::preferred_username}}.{{/(?:mi|[a-f])(.)/::roles.0}}",
                r"{{/\/::|([a-z]+?)\./::email}}",
            ],
        ),
        text("email_field", vec!["", "", "email", "emails.0.address", "{{/(.*@.*)/::email}}"]),
        text("name_field", vec!["", "name", "{{name}} ({{sub}})", "{{/([^@, ]*)$/::name}}", "{{/(.)/::user}}{{/(nul.)/::nickname}}"]),
        text("roles_claim", vec!["roles", "role", "my_roles"]),
        text("roles_to_sync", vec!["", "admin,vip", "admin, user", "captain,offline_access"]),
        text("groups_channel_map", vec!["{}", "nonsense", r#"{"general":"general","admin":["a"," b "],"vip":7}"#]),
        flag(format!("{PREFIX}-merge_roles")),
        flag(format!("{PREFIX}-map_channels")),
        flag("Accounts_ManuallyApproveNewUsers".into()),
        prop::sample::select(vec!["", "", "example.org"]).prop_map(|list| ("Accounts_AllowedDomainsList".to_owned(), Value::from(list))),
    )
        .prop_map(|(a, b, c, d, e, f, g, h, i, j)| vec![a, b, c, d, e, f, g, h, i, j])
}

/// A chat that has the roles of the facts and `vip`, with these settings.
fn chat(version: (u32, u32), licensed: bool, settings: &[(String, Value)]) -> State {
    let mut state = State::new(Edition { version, licensed }, "https://chat.example.org");
    for role in BUILTIN_ROLES {
        if !state.chat.workspace.roles.iter().any(|known| known.id == role) {
            state.chat.workspace.add_role(role, role);
        }
    }
    state.chat.workspace.add_role("vip", "vip");
    state.register_provider("Besedka");
    state.set(PREFIX, true);
    for (id, value) in settings {
        state.set(id, value.clone());
    }
    state
}

fn compare(version: (u32, u32), licensed: bool, claims: &Map<String, Value>, settings: &[(String, Value)]) {
    let mut state = chat(version, licensed, settings);
    let dump: Dump = state.settings.clone();
    let profile = if version.0 >= 9 { Profile::Modern(LoginStyle::Redirect) } else { Profile::LegacyWeb(LoginStyle::Redirect) };
    // Members that only the modern code looks at are not told here.
    assert_eq!(profile.generation() == Generation::Modern, version.0 >= 9);
    let facts = Facts { version: Some(version), licensed: Some(licensed), roles: Some(vec!["vip".into()]), chat_url: None };
    let forecast = forecast(claims, &dump, "Besedka", &facts, &["general"]);
    let config = state.chat.config.clone();
    let login = match propusk_tests::rocketchat::normalize::normalize_identity(&config, claims.clone()) {
        Ok(service) => state.chat.workspace.log_in(profile, &config, &service, None, state.now),
        Err(error) => Login::Refused(error),
    };
    let ending = match &login {
        Login::In { .. } => Ending::In,
        Login::NeedsUsername { .. } => Ending::NeedsUsername,
        Login::NeedsSecondFactor { .. } => panic!("a fresh account is young"),
        Login::Refused(_) => Ending::Refused,
    };
    assert_eq!(forecast.login, ending, "{claims:?} {settings:?} {forecast:?} {login:?}");
    let Some(user) = login.user().map(|id| state.chat.workspace.user(id)) else {
        if let (Login::Refused(error), false) = (&login, state.edition.version.0 >= 9 && !licensed) {
            assert_eq!(forecast.error.as_ref(), Some(error));
        }
        return;
    };
    assert_eq!(forecast.id, user.service_id("besedka"));
    assert_eq!((&forecast.username, &forecast.name), (&user.username, &user.name), "{claims:?} {settings:?}");
    assert_eq!(forecast.emails, user.emails.iter().map(|email| email.address.clone()).collect::<Vec<_>>());
    let sorted = |roles: &[String]| roles.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&forecast.roles), sorted(&user.roles), "{claims:?} {settings:?}");
    let rooms: Vec<String> = state.chat.workspace.rooms_of(&user.id).into_iter().map(str::to_owned).collect();
    assert_eq!(sorted(&forecast.channels), sorted(&rooms), "{claims:?} {settings:?}");
    let made: Vec<String> = state.chat.workspace.rooms.iter().skip(1).map(|room| room.name.clone()).collect();
    assert_eq!(sorted(&forecast.channels_created), sorted(&made), "{claims:?} {settings:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_forecast_is_what_the_chat_then_does(
        claims in claims(),
        settings in settings(),
        version in prop::sample::select(vec![(7, 13), (8, 6), (9, 0)]),
        licensed in any::<bool>(),
    ) {
        compare(version, licensed, &claims, &settings);
    }
}

#[test]
fn an_expression_that_cannot_be_evaluated_is_said_and_nothing_is_guessed() {
    let claims = json!({ "sub": "s", "preferred_username": "olga", "email": "olga@example.org" });
    let look = |field: &str| {
        let state = chat((8, 6), false, &[(format!("{PREFIX}-username_field"), field.into())]);
        forecast(claims.as_object().unwrap(), &state.settings, "Besedka", &Facts::default(), &["general"])
    };
    assert_eq!(look("{{/^(.+)@/::email}}").username.as_deref(), Some("olga"));
    for (field, said) in [
        ("{{/^.+@/::email}}", "the regular expression /^.+@/ must have exactly one capture group"),
        ("{{/^(.+)@(.+)/::email}}", "the regular expression /^(.+)@(.+)/ must have exactly one capture group"),
        ("{{/^(.+@/::email}}", "the regular expression /^(.+@/ is not one, or cannot be evaluated here"),
        ("{{/(.)\\1/::missing}}", "the regular expression /(.)\\1/ has an escape that is not evaluated here"),
    ] {
        let forecast = look(field);
        assert_eq!((forecast.login, forecast.error.as_deref()), (Ending::Refused, Some(said)), "{field}");
    }
}

#[test]
fn a_dropped_role_has_its_reason() {
    let claims = json!({ "sub": "s", "preferred_username": "olga", "roles": ["admin", "vip", "captain"] });
    let look = |licensed: bool, settings: &[(&str, Value)]| {
        let settings: Vec<(String, Value)> = settings.iter().map(|(suffix, value)| (format!("{PREFIX}-{suffix}"), value.clone())).collect();
        let state = chat((8, 6), licensed, &settings);
        let facts = Facts { licensed: Some(licensed), roles: Some(vec!["vip".into()]), ..Facts::default() };
        forecast(claims.as_object().unwrap(), &state.settings, "Besedka", &facts, &["general"])
    };
    let reasons = |forecast: propusk_domain::rocketchat::forecast::Forecast| {
        forecast.roles_dropped.into_iter().map(|dropped| format!("{}: {}", dropped.role, dropped.reason)).collect::<Vec<_>>().join("; ")
    };
    assert!(reasons(look(false, &[("merge_roles", json!(true))])).starts_with("admin: roles from the identity need a licence"));
    assert!(reasons(look(true, &[])).starts_with("admin: merge_roles is off"));
    let synced = look(true, &[("merge_roles", json!(true)), ("roles_to_sync", json!("admin"))]);
    assert_eq!(synced.roles, ["user", "admin"]);
    assert_eq!(reasons(synced), "vip: it is not among roles_to_sync; captain: the chat has no such role");
}
