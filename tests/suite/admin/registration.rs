//! Clients: presets, settings, secrets.

use super::{House, refused, strings, web};
use propusk_crypto::{Algorithm, Secret};
use propusk_domain::Cause;
use propusk_domain::admin::clients::{self, AliasPatch, ClientPatch, ListPatch, NewClient};
use propusk_domain::client::{GrantType, Introspect, Preset};

#[test]
fn presets_decide_secrets_grants_and_consent() {
    let house = House::new();
    let expected = [
        (Preset::RocketChat, true, true, vec![GrantType::AuthorizationCode], Introspect::None),
        (Preset::Web, true, false, vec![GrantType::AuthorizationCode, GrantType::RefreshToken], Introspect::Own),
        (Preset::Spa, false, false, vec![GrantType::AuthorizationCode, GrantType::RefreshToken], Introspect::None),
        (Preset::Native, false, false, vec![GrantType::AuthorizationCode, GrantType::RefreshToken], Introspect::None),
        (Preset::Service, true, true, vec![GrantType::ClientCredentials], Introspect::None),
        (Preset::Api, true, false, Vec::new(), Introspect::Any),
    ];
    for (preset, has_secret, first_party, grants, introspect) in expected {
        let id = preset.as_str();
        let secret = house.client(NewClient::new(id, preset)).unwrap();
        assert_eq!(secret.is_some(), has_secret, "{id}");
        assert!(secret.is_none_or(|secret| secret.expose().starts_with("pps_")));
        let client = house.write(move |cx| clients::find(cx.store, id)).unwrap();
        assert_eq!((client.first_party, client.settings.grant_types.clone(), client.settings.introspect), (first_party, grants, introspect), "{id}");
        let grant = house.write(move |cx| Ok(cx.store.find_grant(&client.standing_grant_id)?)).unwrap().unwrap();
        assert!(grant.sub.is_none() && grant.expires_at.is_none() && grant.client_id == id);
    }
}

#[test]
fn bad_registrations_are_refused_and_write_nothing() {
    let house = House::new();
    house.client(web("site")).unwrap();
    let uri = |uri: &str| NewClient { redirect_uris: vec![uri.into()], ..NewClient::new("x", Preset::Web) };
    let more = |more: ClientPatch| NewClient { more, ..NewClient::new("x", Preset::Spa) };
    let cases = [
        (web("site"), Cause::NameTaken),
        (web("a b"), Cause::InvalidName),
        (web(""), Cause::InvalidName),
        (uri("http://example.org/callback"), Cause::InvalidRedirectUri),
        (uri("https://example.org/a#b"), Cause::InvalidRedirectUri),
        (uri("https://example.org/a/../b"), Cause::InvalidRedirectUri),
        (uri("javascript:alert(1)"), Cause::InvalidRedirectUri),
        (uri("com.example.app:/callback"), Cause::InvalidRedirectUri),
        (NewClient { secret: Some(Secret::new("hunter2".into())), ..web("x") }, Cause::InvalidSetting),
        (NewClient { secret: Some(Secret::new("0123456789abcdef0123456789".into())), ..NewClient::new("x", Preset::Spa) }, Cause::InvalidSetting),
        (more(ClientPatch { role_map: Some("nowhere".into()), ..ClientPatch::default() }), Cause::UnknownRoleMap),
        (more(ClientPatch { require_pkce: Some(false), ..ClientPatch::default() }), Cause::InvalidSetting),
        (more(ClientPatch { introspect: Some(Introspect::Any), ..ClientPatch::default() }), Cause::InvalidSetting),
        (more(ClientPatch { access_token_lifetime: Some(0), ..ClientPatch::default() }), Cause::InvalidSetting),
        (more(ClientPatch { access_token_lifetime: Some(86_401), ..ClientPatch::default() }), Cause::InvalidSetting),
        (more(ClientPatch { audience: Some("site".into()), ..ClientPatch::default() }), Cause::InvalidSetting),
        (more(ClientPatch { name: Some(" x".into()), ..ClientPatch::default() }), Cause::InvalidSetting),
    ];
    for (new, cause) in cases {
        let shown = format!("{new:?}");
        assert_eq!(house.client(new).unwrap_err().detail.cause, cause, "{shown}");
    }
    assert_eq!(house.write(|cx| Ok(cx.store.list_clients()?.len())).unwrap(), 1);
    assert_eq!(house.kinds(), ["client_added"]);
}

#[test]
fn no_client_takes_the_audience_of_another_as_its_name() {
    let house = House::new();
    let patch = ClientPatch { audience: Some("https://api.example.org".into()), ..ClientPatch::default() };
    house.client(web("site")).unwrap();
    house.set_client("site", ClientPatch { audience: Some("api".into()), ..ClientPatch::default() }).unwrap();
    assert_eq!(house.client(NewClient::new("api", Preset::Api)).unwrap_err().detail.cause, Cause::InvalidSetting);
    assert_eq!(house.set_client("site", patch).unwrap(), ["audience"]);
    house.client(NewClient::new("api", Preset::Api)).unwrap();
}

#[test]
fn a_private_scheme_is_for_native_clients_and_plain_http_for_loopback() {
    let house = House::new();
    let with = |id: &str, preset, uri: &str| NewClient { redirect_uris: vec![uri.into()], ..NewClient::new(id, preset) };
    house.client(with("app", Preset::Native, "com.example.app:/callback")).unwrap();
    house.client(with("dev", Preset::Web, "http://127.0.0.1:3000/_oauth/propusk")).unwrap();
}

#[test]
fn every_setting_of_a_client_can_be_changed() {
    let house = House::new();
    house.client(web("site")).unwrap();
    let list = |replace: Option<&[&str]>, add: &[&str], remove: &[&str]| ListPatch {
        replace: replace.map(strings),
        add: strings(add),
        remove: strings(remove),
    };
    let patch = ClientPatch {
        name: Some("The site".into()),
        first_party: Some(true),
        redirect_uris: list(None, &["https://example.org/b"], &["https://example.org/callback"]),
        post_logout_redirect_uris: list(Some(&["https://example.org/"]), &[], &[]),
        grant_types: ListPatch { add: vec![GrantType::ClientCredentials], ..ListPatch::default() },
        scopes: list(Some(&["openid", "posts:read"]), &["email"], &[]),
        audience: Some("https://api.example.org".into()),
        access_token_alg: Algorithm::parse("ES256"),
        id_token_alg: Algorithm::parse("EdDSA"),
        access_token_lifetime: Some(300),
        role_map: Some("rocket-chat".into()),
        query_token: Some(true),
        introspect: Some(Introspect::Any),
        require_pkce: Some(true),
        backchannel_logout_uri: Some("https://example.org/logout".into()),
        backchannel_logout_session_required: Some(true),
        gitlab_facade: Some(true),
        scope_aliases: AliasPatch { set: [("read".to_owned(), "posts:read".parse().ok())].into(), ..AliasPatch::default() },
        disabled: None,
    };
    let changed = house.set_client("site", patch.clone()).unwrap();
    let all = [
        "access_token_alg",
        "access_token_lifetime",
        "audience",
        "backchannel_logout_session_required",
        "backchannel_logout_uri",
        "first_party",
        "gitlab_facade",
        "grant_types",
        "id_token_alg",
        "introspect",
        "name",
        "post_logout_redirect_uris",
        "query_token",
        "redirect_uris",
        "require_pkce",
        "role_map",
        "scope_aliases",
        "scopes",
    ];
    assert_eq!(changed, all);
    assert!(house.set_client("site", patch).unwrap().is_empty(), "the same change again changes nothing");
    let client = house.write(|cx| clients::find(cx.store, "site")).unwrap();
    assert_eq!(client.settings.redirect_uris, ["https://example.org/b"]);
    assert_eq!(client.settings.scopes.to_string(), "openid posts:read email");
    assert!(house.has_audit("client_changed", &all.join(", ")));
}

#[test]
fn disabling_a_client_revokes_its_grants_but_not_its_standing_one() {
    let house = House::new();
    let sub = house.add("anna", "user");
    let secret = house.client(web("site")).unwrap().unwrap();
    let signed_in = house.sign_in(&sub, "site");
    let disabled = |disabled| ClientPatch { disabled: Some(disabled), ..ClientPatch::default() };
    assert_eq!(house.set_client("site", disabled(true)).unwrap(), ["disabled"]);
    assert_eq!(house.stands(&signed_in), (true, false));
    assert_eq!(house.check("site", secret.expose()), Some(Cause::DisabledClient));
    house.set_client("site", disabled(false)).unwrap();
    assert_eq!(house.stands(&signed_in), (true, false));
    assert_eq!(house.check("site", secret.expose()), None);
    let client = house.write(|cx| clients::find(cx.store, "site")).unwrap();
    assert!(house.write(move |cx| Ok(cx.store.find_grant(&client.standing_grant_id)?)).unwrap().unwrap().revoked_at.is_none());
}

#[test]
fn an_old_secret_works_until_its_overlap_ends() {
    let house = House::new();
    let first = house.client(web("site")).unwrap().unwrap();
    let rotate = |overlap| house.write(move |cx| clients::rotate_secret(cx, "site", overlap)).unwrap();
    let second = rotate(60);
    assert_eq!((house.check("site", first.expose()), house.check("site", second.expose())), (None, None));
    house.later(60);
    assert_eq!((house.check("site", first.expose()), house.check("site", second.expose())), (Some(Cause::SecretExpired), None));
    let third = rotate(0);
    assert_eq!((house.check("site", second.expose()), house.check("site", third.expose())), (Some(Cause::SecretExpired), None));
    let forth = rotate(3600);
    rotate(10);
    house.later(10);
    assert_eq!(house.check("site", third.expose()), Some(Cause::SecretExpired), "a later rotation shortens an overlap");
    assert_eq!(house.check("site", forth.expose()), Some(Cause::SecretExpired));
}

#[test]
fn a_secret_that_does_not_work_is_told_why() {
    let house = House::new();
    let secret = house.client(web("site")).unwrap().unwrap();
    house.client(NewClient::new("app", Preset::Native)).unwrap();
    assert_eq!(house.check("site", &format!("{}\n", secret.expose())), Some(Cause::SecretHasWhitespace));
    assert_eq!(house.check("site", secret.hash().as_str()), Some(Cause::SecretIsStoredHash));
    assert_eq!(house.check("site", "something else"), Some(Cause::SecretWrong));
    assert_eq!(house.check("site", ""), Some(Cause::SecretMissing));
    assert_eq!(house.check("app", secret.expose()), Some(Cause::WrongAuthMethod));
    let refusal = refused(house.write(|cx| clients::rotate_secret(cx, "app", 0))).unwrap_err();
    assert_eq!(refusal.detail.cause, Cause::InvalidSetting);
}

#[test]
fn an_unknown_client_is_named_with_its_nearest_neighbour() {
    let house = House::new();
    house.client(NewClient::new("rocketchat", Preset::RocketChat)).unwrap();
    let refusal = refused(house.write(|cx| clients::find(cx.store, "RocketChat"))).unwrap_err();
    assert_eq!((refusal.detail.cause, refusal.detail.nearest.as_deref()), (Cause::UnknownClient, Some("rocketchat")));
    house.write(|cx| clients::remove(cx, "rocketchat")).unwrap();
    assert!(house.write(|cx| Ok(cx.store.find_client("rocketchat")?)).unwrap().is_none());
}
