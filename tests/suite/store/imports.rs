//! What was taken over: people with their hashes, adopted tokens, secrets in another server's form.

use super::place::Place;
use super::samples::{NOW, people_and_clients};
use propusk_domain::imported::{AdoptedKind, AdoptedToken, ImportedUser};
use propusk_domain::store::{Retention, Store};

on_each_database![
    an_imported_person_is_found_by_both_keys_and_replaced,
    the_commonest_imported_hash_is_counted_until_each_is_replaced,
    an_adopted_token_is_kept_once_and_goes_with_its_grant,
    an_adopted_access_token_is_swept_when_it_has_expired,
    the_hash_of_a_secret_is_replaced_by_whoever_comes_first,
];

const RETENTION: Retention = Retention { ended: 100, refusals: 100, refusals_rows: 100, audit: 100, changes: 100, traces: 100, traces_rows: 100 };

fn imported(site_key: &str, sub: &str, cost: Option<&str>) -> ImportedUser {
    ImportedUser {
        site_key: site_key.to_owned(),
        sub: sub.to_owned(),
        source_digest: "source".to_owned(),
        local_digest: "local".to_owned(),
        cost: cost.map(str::to_owned),
    }
}

fn adopted(digest: &str, kind: AdoptedKind, expires_at: Option<i64>) -> AdoptedToken {
    let expires_at = expires_at.map(|seconds| NOW.plus(seconds));
    AdoptedToken { digest: digest.to_owned(), kind, grant_id: "standing-chat".to_owned(), issued_at: NOW, expires_at }
}

fn an_imported_person_is_found_by_both_keys_and_replaced(place: &Place) {
    place.put(people_and_clients);
    place.put(|store| {
        store.put_imported_user(&imported("17", "s1", Some("bcrypt$12")))?;
        store.put_imported_user(&imported("18", "s2", None))
    });
    assert_eq!(place.look(|store| store.find_imported_user("17")), Some(imported("17", "s1", Some("bcrypt$12"))));
    assert_eq!(place.look(|store| store.find_imported_by_sub("s2")), Some(imported("18", "s2", None)));
    assert_eq!(place.look(|store| store.find_imported_user("s1")), None);
    place.put(|store| store.put_imported_user(&imported("17", "s1", None)));
    assert_eq!(place.look(|store| store.find_imported_user("17")), Some(imported("17", "s1", None)));
    // It outlives the person, without the cost.
    place.put(|store| store.put_imported_user(&imported("17", "s1", Some("bcrypt$12"))));
    assert!(place.put(|store| store.delete_user("s1")));
    assert_eq!(place.look(|store| store.find_imported_user("17")), Some(imported("17", "s1", None)));
}

fn the_commonest_imported_hash_is_counted_until_each_is_replaced(place: &Place) {
    place.put(people_and_clients);
    let commonest = || place.look(|store| store.commonest_imported_cost());
    assert_eq!(commonest(), None);
    place.put(|store| {
        store.put_imported_user(&imported("1", "s1", Some("pbkdf2_sha256$600000")))?;
        store.put_imported_user(&imported("2", "x2", Some("bcrypt$12")))?;
        store.put_imported_user(&imported("3", "x3", Some("bcrypt$12")))?;
        store.put_imported_user(&imported("4", "x4", None))
    });
    assert_eq!(commonest().as_deref(), Some("bcrypt$12"));
    place.put(|store| {
        store.put_imported_user(&imported("2", "x2", None))?;
        store.put_imported_user(&imported("3", "x3", None))
    });
    assert_eq!(commonest().as_deref(), Some("pbkdf2_sha256$600000"));
    let version = place.look(|store| store.find_user("s1")).unwrap().credential_version;
    assert!(!place.put(move |store| store.replace_password_hash("s1", version + 1, "$argon2id$…")));
    assert!(commonest().is_some(), "nothing was replaced");
    assert!(place.put(move |store| store.replace_password_hash("s1", version, "$argon2id$…")));
    assert_eq!(commonest(), None);
}

fn an_adopted_token_is_kept_once_and_goes_with_its_grant(place: &Place) {
    place.put(people_and_clients);
    let token = adopted("d1", AdoptedKind::Refresh, None);
    let stored = token.clone();
    assert!(place.put(move |store| store.insert_adopted_token(&stored)));
    assert!(!place.put(|store| store.insert_adopted_token(&adopted("d1", AdoptedKind::Access, Some(5)))), "the first one stays");
    assert_eq!(place.look(|store| store.find_adopted_token("d1")), Some(token));
    assert_eq!(place.look(|store| store.find_adopted_token("d2")), None);
    assert!(place.put(|store| store.delete_client("chat")));
    assert_eq!(place.look(|store| store.find_adopted_token("d1")), None);
}

fn an_adopted_access_token_is_swept_when_it_has_expired(place: &Place) {
    place.put(people_and_clients);
    place.put(|store| {
        store.insert_adopted_token(&adopted("access", AdoptedKind::Access, Some(10)))?;
        store.insert_adopted_token(&adopted("refresh", AdoptedKind::Refresh, None))
    });
    let sweep = |seconds: i64| place.put(move |store| store.sweep(NOW.plus(seconds), &RETENTION));
    assert_eq!(sweep(9), 0);
    assert_eq!(sweep(10), 1);
    assert!(place.look(|store| store.find_adopted_token("access")).is_none());
    assert!(place.look(|store| store.find_adopted_token("refresh")).is_some(), "it goes with its grant");
}

fn the_hash_of_a_secret_is_replaced_by_whoever_comes_first(place: &Place) {
    place.put(people_and_clients);
    let secret = |store: &mut dyn Store| Ok(store.find_client("chat")?.unwrap().secrets[0].clone());
    let before = place.look(secret);
    let replace = |to: &'static str| {
        let (id, from) = (before.id.clone(), before.hash.as_str().to_owned());
        place.put(move |store| store.replace_secret_hash("chat", &id, &from, to))
    };
    assert!(replace("sha256:new"));
    assert!(!replace("sha256:newer"), "it is not what it was");
    assert_eq!(place.look(secret).hash.as_str(), "sha256:new");
}
