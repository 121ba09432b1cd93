//! Roles of the site and role maps.

use super::{House, refused, web};
use propusk_domain::Cause;
use propusk_domain::admin::roles;
use propusk_domain::roles::RoleMap;
use std::collections::BTreeMap;

#[test]
fn default_roles_come_once_and_stay_removed() {
    let house = House::new();
    assert!(!house.write(roles::ensure_defaults).unwrap());
    house.write(|cx| roles::remove_role(cx, "moderator")).unwrap();
    assert!(!house.write(roles::ensure_defaults).unwrap());
    assert_eq!(house.write(|cx| Ok(cx.store.list_roles()?)).unwrap(), ["owner", "user"]);
    let maps = house.write(|cx| Ok(cx.store.list_role_maps()?)).unwrap();
    assert_eq!(maps.iter().map(|map| map.name.as_str()).collect::<Vec<_>>(), ["identity", "rocket-chat"]);
}

#[test]
fn what_is_in_use_is_not_removed() {
    let house = House::new();
    house.add("anna", "owner");
    house.client(web("site")).unwrap();
    assert_eq!(refused(house.write(|cx| roles::remove_role(cx, "owner"))).unwrap_err().detail.cause, Cause::InUse);
    assert_eq!(refused(house.write(|cx| roles::remove_role_map(cx, "identity"))).unwrap_err().detail.cause, Cause::InUse);
    house.write(|cx| roles::remove_role_map(cx, "rocket-chat")).unwrap();
    house.write(|cx| roles::remove_role(cx, "user")).unwrap();
    assert_eq!(refused(house.write(|cx| roles::remove_role(cx, "user"))).unwrap_err().detail.cause, Cause::UnknownRole);
}

#[test]
fn a_role_map_names_known_roles_and_values_without_commas() {
    let house = House::new();
    assert!(house.write(|cx| roles::add_role(cx, "editor")).unwrap());
    assert!(!house.write(|cx| roles::add_role(cx, "editor")).unwrap());
    let map = |role: &str, value: &str| RoleMap {
        name: "forum".into(),
        roles: BTreeMap::from([(role.to_owned(), vec![value.to_owned()])]),
        ..RoleMap::default()
    };
    let put = |map: RoleMap| refused(house.write(move |cx| roles::put_role_map(cx, &map)));
    assert!(put(map("editor", "mod")).unwrap());
    assert!(!put(map("editor", "mod")).unwrap());
    assert_eq!(put(map("editor", "a,b")).unwrap_err().detail.cause, Cause::RoleValueWithComma);
    assert_eq!(put(map("boss", "a")).unwrap_err().detail.cause, Cause::UnknownRole);
    assert_eq!(put(RoleMap { identity: true, ..map("editor", "a") }).unwrap_err().detail.cause, Cause::InvalidSetting);
}
