//! People: names, roles, claims, states.

use super::{House, refused, web};
use propusk_domain::Cause;
use propusk_domain::admin::users::{self, NewUser, UserPatch};
use propusk_domain::user::{NameKind, UserState};

#[test]
fn a_username_and_a_verified_address_open_the_login_form() {
    let house = House::new();
    let new = NewUser { email: Some("Anna@Example.org".into()), aliases: vec!["Анна".into()], ..NewUser::new("Anna", "owner") };
    let sub = house.write(move |cx| users::add(cx, new.clone())).unwrap().sub;
    for name in ["anna", "ANNA", "anna@example.ORG", "АННА", sub.as_str()] {
        let name = name.to_owned();
        assert_eq!(house.write(move |cx| users::find(cx.store, &name)).unwrap().sub, sub);
    }
    assert_eq!(house.audit(), [("user_added".to_owned(), "Anna as owner".to_owned())]);
}

#[test]
fn an_unverified_address_is_no_sign_in_name_and_stops_being_one_when_changed() {
    let house = House::new();
    let sub = house.add("anna", "user");
    let email = |email: &str, verified| UserPatch { email: Some(email.into()), email_verified: verified, ..UserPatch::default() };
    assert_eq!(house.set(&sub, email("a@example.org", Some(false))).unwrap(), ["email", "email_verified"]);
    assert_eq!(house.names(&sub), [("anna".to_owned(), NameKind::Username)]);
    house.set(&sub, email("a@example.org", None)).unwrap();
    assert_eq!(house.names(&sub)[0], ("a@example.org".to_owned(), NameKind::Email));
    house.set(&sub, email("b@example.org", None)).unwrap();
    assert_eq!(house.names(&sub), [("anna".to_owned(), NameKind::Username), ("b@example.org".to_owned(), NameKind::Email)]);
    house.set(&sub, UserPatch { email_verified: Some(false), ..UserPatch::default() }).unwrap();
    assert_eq!(house.names(&sub).len(), 1);
    house.set(&sub, email("", None)).unwrap();
    let user = house.write(move |cx| users::find(cx.store, "anna")).unwrap();
    assert_eq!((user.claims.email, user.claims.email_verified), (None, None));
}

#[test]
fn a_sign_in_name_belongs_to_one_person() {
    let house = House::new();
    let anna = NewUser { email: Some("anna@example.org".into()), aliases: vec!["straße".into()], ..NewUser::new("anna", "user") };
    house.write(move |cx| users::add(cx, anna.clone())).unwrap();
    let boris = house.add("boris", "user");
    for new in [
        NewUser::new("ANNA", "user"),
        NewUser { email: Some("ANNA@example.org".into()), ..NewUser::new("vera", "user") },
        NewUser { aliases: vec!["STRASSE".into()], ..NewUser::new("vera", "user") },
    ] {
        let refusal = refused(house.write(move |cx| users::add(cx, new.clone()))).unwrap_err();
        assert_eq!(refusal.detail.cause, Cause::NameTaken);
        assert_eq!(refusal.detail.nearest.as_deref(), Some("anna"));
    }
    let taken = house.set(&boris, UserPatch { username: Some("Straße".into()), ..UserPatch::default() }).unwrap_err();
    assert_eq!(taken.detail.cause, Cause::InvalidName, "a username is of one alphabet");
    let taken = house.set(&boris, UserPatch { add_aliases: vec!["Anna".into()], ..UserPatch::default() }).unwrap_err();
    assert_eq!(taken.detail.cause, Cause::NameTaken);
    assert_eq!(house.names(&boris).len(), 1);
    let unverified = NewUser { email: Some("anna@example.org".into()), email_verified: false, ..NewUser::new("vera", "user") };
    assert!(house.write(move |cx| users::add(cx, unverified.clone())).is_ok(), "only a verified address is a sign-in name");
}

#[test]
fn a_person_can_take_another_username_and_keeps_the_subject() {
    let house = House::new();
    let sub = house.add("anna", "user");
    house.later(60);
    assert_eq!(house.set(&sub, UserPatch { username: Some("Anna".into()), ..UserPatch::default() }).unwrap(), ["username"]);
    house.set(&sub, UserPatch { username: Some("vera".into()), ..UserPatch::default() }).unwrap();
    assert_eq!(house.names(&sub), [("vera".to_owned(), NameKind::Username)]);
    let user = house.write(|cx| users::find(cx.store, "VERA")).unwrap();
    assert_eq!((user.sub.as_str(), user.updated_at.0 - user.created_at.0), (sub.as_str(), 60));
    house.add("anna", "user");
}

#[test]
fn an_unknown_role_is_refused_with_the_roles_that_exist() {
    let house = House::new();
    let refusal = refused(house.write(|cx| users::add(cx, NewUser::new("anna", "boss")))).unwrap_err();
    assert_eq!(refusal.detail.cause, Cause::UnknownRole);
    assert_eq!(refusal.detail.expected.as_deref(), Some("one of moderator, owner, user"));
    assert_eq!(refusal.detail.received.as_deref(), Some("boss"));
    assert_eq!(house.kinds(), Vec::<String>::new(), "nothing was written");
}

#[test]
fn a_change_of_role_is_audited_from_and_to() {
    let house = House::new();
    let sub = house.add("anna", "user");
    let patch = UserPatch { role: Some("moderator".into()), name: Some("Анна".into()), ..UserPatch::default() };
    assert_eq!(house.set(&sub, patch.clone()).unwrap(), ["name", "role"]);
    assert!(house.set(&sub, patch).unwrap().is_empty());
    assert_eq!(house.kinds(), ["role_changed", "user_added", "user_changed"]);
    assert!(house.has_audit("role_changed", "user → moderator") && house.has_audit("user_changed", "name"));
}

#[test]
fn claims_are_checked_and_those_of_the_account_cannot_be_set() {
    let house = House::new();
    let sub = house.add("anna", "user");
    let claim = |key: &str, value: &str| UserPatch { claims: vec![(key.into(), value.into())], ..UserPatch::default() };
    assert_eq!(house.set(&sub, claim("address.locality", "Казань")).unwrap(), ["address"]);
    assert_eq!(house.set(&sub, claim("birthdate", "1990-04-01")).unwrap(), ["birthdate"]);
    for (key, value) in [("birthdate", "soon"), ("sub", "x"), ("preferred_username", "root"), ("updated_at", "1795219200"), ("email", "no address")] {
        assert_eq!(house.set(&sub, claim(key, value)).unwrap_err().detail.cause, Cause::InvalidSetting, "{key}");
    }
    assert_eq!(house.set(&sub, claim("email", "a@example.org")).unwrap(), ["email", "email_verified"]);
    assert_eq!(house.names(&sub).len(), 2);
}

#[test]
fn disabling_signs_out_everywhere_and_enabling_brings_nothing_back() {
    let house = House::new();
    let sub = house.add("anna", "user");
    house.client(web("site")).unwrap();
    let signed_in = house.sign_in(&sub, "site");
    assert_eq!(house.stands(&signed_in), (true, true));
    let toggle = |active: bool| {
        let sub = sub.clone();
        house.write(move |cx| if active { users::enable(cx, &sub) } else { users::disable(cx, &sub) }).unwrap()
    };
    assert!(toggle(false));
    assert!(!toggle(false));
    assert_eq!(house.stands(&signed_in), (false, false));
    assert!(toggle(true));
    assert_eq!(house.stands(&signed_in), (false, false));
    let user = house.write(|cx| users::find(cx.store, "anna")).unwrap();
    assert_eq!((user.state, user.credential_version), (UserState::Active, 2));
    let kinds = house.kinds();
    assert!(kinds.contains(&"user_disabled".to_owned()) && kinds.contains(&"user_enabled".to_owned()), "{kinds:?}");
}

#[test]
fn setting_a_password_signs_out_everywhere_and_outdates_a_login_in_progress() {
    let house = House::new();
    let sub = house.add("anna", "user");
    house.client(web("site")).unwrap();
    let signed_in = house.sign_in(&sub, "site");
    let of = sub.clone();
    house.write(move |cx| users::set_password(cx, &of, "$argon2id$new".into())).unwrap();
    assert_eq!(house.stands(&signed_in), (false, false));
    assert!(!house.write(move |cx| Ok(cx.store.guard_user(&sub, 1)?)).unwrap());
    assert!(house.kinds().contains(&"password_set".to_owned()));
}

#[test]
fn a_removed_person_leaves_names_free_and_an_audit_event() {
    let house = House::new();
    let sub = house.add("anna", "user");
    let of = sub.clone();
    house.write(move |cx| users::remove(cx, &of)).unwrap();
    let refusal = refused(house.write(|cx| users::find(cx.store, "anna"))).unwrap_err();
    assert_eq!(refusal.detail.cause, Cause::UnknownUser);
    assert_ne!(house.add("anna", "user"), sub, "a subject is never given twice");
    assert!(house.has_audit("user_removed", "anna"));
}
