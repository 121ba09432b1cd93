//! The declarative file.

use super::{House, web};
use propusk_crypto::Secret;
use propusk_domain::Cause;
use propusk_domain::admin::apply::{Action, Difference};
use propusk_domain::admin::clients;
use propusk_domain::admin::declaration::{Declaration, Material, Password};
use propusk_domain::admin::users::{self, UserPatch};
use propusk_domain::user::UserState;
use std::collections::BTreeMap;

const COMMUNITY: &str = r#"
    roles = ["owner", "moderator", "user", "editor"]
    [role_maps.forum.roles]
    editor = ["mod"]
    [[users]]
    username = "anna"
    role = "owner"
    email = "anna@example.org"
    generate_password = true
    [[users]]
    username = "vera"
    role = "editor"
    disabled = true
    claims = { birthdate = "1990-04-01" }
    [[clients]]
    client_id = "site"
    preset = "web"
    redirect_uris = ["https://example.org/callback"]
    role_map = "forum"
    [[clients]]
    client_id = "app"
    preset = "native"
"#;

fn actions(differences: &[Difference]) -> Vec<(&str, Action)> {
    differences.iter().map(|difference| (difference.id.as_str(), difference.action)).collect()
}

#[test]
fn a_declaration_is_carried_out_once_and_then_changes_nothing() {
    let house = House::new();
    let planned = house.plan(COMMUNITY, false);
    let material = || Material {
        passwords: BTreeMap::from([("anna".to_owned(), Password { hash: "$argon2id$one".into(), only_for_new: true })]),
        ..Material::default()
    };
    let applied = house.apply(COMMUNITY, material(), false).unwrap();
    assert_eq!(actions(&planned), actions(&applied.differences));
    assert_eq!(
        actions(&applied.differences)[3..],
        [
            ("editor", Action::Create),
            ("forum", Action::Create),
            ("anna", Action::Create),
            ("vera", Action::Create),
            ("site", Action::Create),
            ("app", Action::Create)
        ]
    );
    assert_eq!(applied.secrets.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["site"]);
    assert_eq!(house.check("site", applied.secrets[0].1.expose()), None);
    let vera = house.write(|cx| users::find(cx.store, "vera")).unwrap();
    assert_eq!((vera.state, vera.role.as_str()), (UserState::Disabled, "editor"));

    let before = house.audit();
    let again = house.apply(COMMUNITY, material(), false).unwrap();
    assert!(again.differences.iter().all(|difference| difference.action == Action::Unchanged), "{:?}", again.differences);
    assert!(again.secrets.is_empty());
    assert_eq!(house.audit(), before);
    let anna = house.write(|cx| users::find(cx.store, "anna")).unwrap();
    assert_eq!(anna.password_hash.as_deref(), Some("$argon2id$one"));
}

#[test]
fn a_declaration_changes_what_it_names_and_nothing_else() {
    let house = House::new();
    house.add("outsider", "user");
    let sub = house.add("anna", "user");
    house.set(&sub, UserPatch { name: Some("Анна".into()), ..UserPatch::default() }).unwrap();
    let file = "[[users]]\nusername = \"anna\"\nrole = \"owner\"\n";
    let applied = house.apply(file, Material::default(), false).unwrap();
    assert_eq!(actions(&applied.differences), [("anna", Action::Change)]);
    assert_eq!(applied.differences[0].fields.len(), 1);
    assert_eq!((applied.differences[0].fields[0].from.clone(), applied.differences[0].fields[0].to.clone()), ("user".into(), "owner".into()));
    assert_eq!(house.write(|cx| users::find(cx.store, "anna")).unwrap().claims.name.as_deref(), Some("Анна"));
    assert!(house.write(|cx| users::find(cx.store, "outsider")).is_ok());
}

#[test]
fn scope_aliases_are_those_of_the_file_and_without_the_key_stay() {
    let house = House::new();
    let file =
        |aliases: &str| format!("[[clients]]\nclient_id = \"wiki\"\npreset = \"web\"\nredirect_uris = [\"https://wiki.example.org/\"]\n{aliases}");
    let aliases = |house: &House| {
        let client = house.write(|cx| Ok(cx.store.find_client("wiki")?)).unwrap().unwrap();
        client.settings.scope_aliases.into_iter().map(|(name, scope)| (name, scope.to_string())).collect::<Vec<_>>()
    };
    house.apply(&file("scope_aliases = { read = \"openid profile\", write = \"\" }"), Material::default(), false).unwrap();
    let both = [("read".to_owned(), "openid profile".to_owned()), ("write".to_owned(), String::new())];
    assert_eq!(aliases(&house), both);
    assert_eq!(actions(&house.plan(&file(""), false)), [("wiki", Action::Unchanged)]);
    house.apply(&file("scope_aliases = { read = \"openid profile\" }"), Material::default(), false).unwrap();
    assert_eq!(aliases(&house), both[..1]);
}

#[test]
fn a_role_map_keeps_the_lines_that_the_file_does_not_name() {
    let house = House::new();
    let map = |house: &House| house.write(|cx| Ok(cx.store.list_role_maps()?)).unwrap().into_iter().find(|map| map.name == "rocket-chat").unwrap();
    let before = map(&house);
    let file = "[role_maps.rocket-chat.roles]\nmoderator = [\"moderator\"]\n";
    let planned = house.plan(file, false);
    assert_eq!(planned[0].fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["roles"]);
    house.apply(file, Material::default(), false).unwrap();
    let after = map(&house);
    assert_eq!(after.groups, before.groups);
    assert_eq!(after.roles["moderator"], ["moderator"]);
    assert_eq!((&after.roles["owner"], &after.roles["user"]), (&before.roles["owner"], &before.roles["user"]));

    house.apply(file, Material::default(), true).unwrap();
    let pruned = map(&house);
    assert_eq!(pruned.roles.keys().collect::<Vec<_>>(), ["moderator"], "a table that is present is pruned");
    assert_eq!(pruned.groups, before.groups, "one that is absent is not");
}

#[test]
fn a_plan_is_refused_for_what_the_deed_is_refused_for_and_writes_nothing() {
    let house = House::new();
    house.add("boris", "user");
    house.set(&house.add("vera", "user"), UserPatch { email: Some("vera@example.org".into()), ..UserPatch::default() }).unwrap();
    let before = house.audit();
    for (file, prune, cause) in [
        ("[[clients]]\nclient_id = \"w\"\npreset = \"web\"\nredirect_uris = [\"javascript:x\"]", false, Cause::InvalidRedirectUri),
        ("[[clients]]\nclient_id = \"w w\"\npreset = \"service\"", false, Cause::InvalidName),
        ("[[clients]]\nclient_id = \"w\"\npreset = \"service\"\naccess_token_lifetime = 0", false, Cause::InvalidSetting),
        ("[[users]]\nusername = \"анна\"\nrole = \"user\"", false, Cause::InvalidName),
        ("[[users]]\nusername = \"anna\"\nrole = \"user\"\nemail = \"vera@example.org\"", false, Cause::NameTaken),
        ("[[users]]\nusername = \"anna\"\nrole = \"user\"\naliases = [\"Boris\"]", false, Cause::NameTaken),
        ("roles = [\"гость\"]", false, Cause::InvalidName),
        ("roles = [\"owner\"]", true, Cause::InUse),
    ] {
        assert_eq!(house.rehearse(file, prune).unwrap_err().detail.cause, cause, "{file}");
        assert_eq!(house.apply(file, Material::default(), prune).unwrap_err().detail.cause, cause, "{file}");
    }
    assert_eq!(house.rehearse("[[users]]\nusername = \"anna\"\nrole = \"user\"", false).unwrap().len(), 1);
    assert!(house.write(|cx| users::find(cx.store, "anna")).is_err(), "a rehearsal leaves nothing behind");
    assert_eq!(house.audit(), before);
}

#[test]
fn pruning_removes_what_a_present_section_does_not_name() {
    let house = House::new();
    house.add("outsider", "user");
    house.client(web("stranger")).unwrap();
    let file = "[[users]]\nusername = \"anna\"\nrole = \"owner\"\n";
    assert_eq!(actions(&house.plan(file, true)), [("outsider", Action::Remove), ("anna", Action::Create)]);
    house.apply(file, Material::default(), true).unwrap();
    assert!(house.write(|cx| users::find(cx.store, "outsider")).is_err());
    assert!(house.write(|cx| clients::find(cx.store, "stranger")).is_ok(), "the file has no section of clients");
    house.apply("clients = []\nroles = [\"owner\"]\nrole_maps = {}", Material::default(), true).unwrap();
    assert!(house.write(|cx| clients::find(cx.store, "stranger")).is_err());
    assert_eq!(house.write(|cx| Ok(cx.store.list_role_maps()?.len())).unwrap(), 2, "the presets name the built-in maps");
    assert_eq!(house.write(|cx| Ok(cx.store.list_roles()?)).unwrap(), ["owner"]);
}

#[test]
fn a_declaration_that_is_refused_half_way_leaves_nothing_behind() {
    let house = House::new();
    let before = house.audit();
    let file = "[[users]]\nusername = \"anna\"\nrole = \"owner\"\n[[clients]]\nclient_id = \"site\"\npreset = \"web\"\nredirect_uris = [\"http://example.org/\"]\n";
    assert_eq!(house.apply(file, Material::default(), false).unwrap_err().detail.cause, Cause::InvalidRedirectUri);
    assert!(house.write(|cx| users::find(cx.store, "anna")).is_err());
    assert_eq!(house.audit(), before);
    let twice = "[[users]]\nusername = \"anna\"\nrole = \"owner\"\n[[users]]\nusername = \"ANNA\"\nrole = \"owner\"\n";
    assert_eq!(house.apply(twice, Material::default(), false).unwrap_err().detail.cause, Cause::InvalidSetting);
    house.client(web("site")).unwrap();
    let preset = "[[clients]]\nclient_id = \"site\"\npreset = \"spa\"\n";
    assert_eq!(house.apply(preset, Material::default(), false).unwrap_err().detail.cause, Cause::InvalidSetting);
}

#[test]
fn a_secret_of_the_file_replaces_the_old_one_with_overlap() {
    let house = House::new();
    let old = house.client(web("site")).unwrap().unwrap();
    let file = "[[clients]]\nclient_id = \"site\"\npreset = \"web\"\nsecret_file = \"site.secret\"\n";
    let new = "0123456789abcdefghijklmnop";
    let material = || Material { secrets: BTreeMap::from([("site".to_owned(), Secret::new(new.into()))]), ..Material::default() };
    let applied = house.apply(file, material(), false).unwrap();
    assert_eq!(applied.differences[0].fields[0].name, "secret");
    assert!(applied.secrets.is_empty(), "a secret that came by file is not shown");
    assert_eq!((house.check("site", old.expose()), house.check("site", new)), (None, None));
    house.later(house.policy.secret_overlap);
    assert_eq!((house.check("site", old.expose()), house.check("site", new)), (Some(Cause::SecretExpired), None));
    assert!(house.apply(file, material(), false).unwrap().differences.iter().all(|difference| difference.action == Action::Unchanged));
}

#[test]
fn an_unknown_key_of_a_declaration_is_refused() {
    for bad in [
        "user = []",
        "[[users]]\nusername = \"a\"\nrole = \"b\"\npassword = \"c\"",
        "[[clients]]\nclient_id = \"a\"\npreset = \"web\"\nsecret = \"x\"",
        "[role_maps.x]\nrole = {}",
    ] {
        assert!(toml::from_str::<Declaration>(bad).is_err(), "{bad}");
    }
}
