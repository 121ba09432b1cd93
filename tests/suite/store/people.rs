//! People, their names, their sessions.

use super::place::{Place, describe};
use super::samples::{NOW, grant, name, people_and_clients, session, user};
use propusk_domain::Error;
use propusk_domain::store::GrantsOf;
use propusk_domain::user::{User, UserState};

on_each_database![
    a_person_comes_back_as_stored,
    a_taken_subject_or_username_adds_nobody,
    people_are_listed_by_username_in_pages,
    people_are_found_by_part_of_name_or_address,
    a_stale_credential_version_changes_nothing,
    a_guard_holds_only_for_the_active_person_of_that_version,
    names_are_unique_over_all_people,
    removing_a_person_removes_everything_of_theirs,
    a_session_comes_back_as_stored,
    a_session_moves_forward_only_and_ends_once,
    a_renewed_session_answers_to_the_new_cookie_alone,
    sessions_are_listed_while_they_stand,
    what_belongs_to_nobody_is_not_stored,
];

fn a_person_comes_back_as_stored(place: &Place) {
    let anna = user("s1", "anna");
    let bare = User { locale: None, password_hash: None, state: UserState::Disabled, ..user("s2", "boris") };
    for person in [anna, bare] {
        let stored = person.clone();
        assert!(place.put(move |store| store.insert_user(&stored)));
        assert_eq!(place.look(|store| store.find_user(&person.sub)), Some(person));
    }
    assert_eq!(place.look(|store| store.find_user("s3")), None);
}

fn a_taken_subject_or_username_adds_nobody(place: &Place) {
    let answers = place.put(|store| {
        Ok([store.insert_user(&user("s1", "anna"))?, store.insert_user(&user("s1", "boris"))?, store.insert_user(&user("s2", "anna"))?])
    });
    assert_eq!(answers, [true, false, false]);
    assert_eq!(place.look(|store| store.list_users(None, None, 10)).len(), 1);
}

fn people_are_listed_by_username_in_pages(place: &Place) {
    place.put(|store| {
        for (index, username) in ["boris", "Anna", "anna", "_x", "anna-2", "Zoe"].iter().enumerate() {
            assert!(store.insert_user(&user(&format!("s{index}"), username))?);
        }
        Ok(())
    });
    let mut seen: Vec<String> = Vec::new();
    loop {
        let page = place.look(|store| store.list_users(seen.last().map(String::as_str), None, 2));
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|person| person.username));
    }
    assert_eq!(seen, ["Anna", "Zoe", "_x", "anna", "anna-2", "boris"], "bytes decide, whatever the database's locale");
}

fn people_are_found_by_part_of_name_or_address(place: &Place) {
    place.put(|store| {
        let mut boris = user("s2", "boris");
        boris.claims.email = Some("Борис_1@почта.рф".to_owned());
        Ok(store.insert_user(&user("s1", "Anna"))? && store.insert_user(&boris)?)
    });
    let found =
        |text: &str| place.look(|store| store.list_users(None, Some(text), 10)).into_iter().map(|person| person.sub).collect::<Vec<_>>().concat();
    for (text, subs) in
        [("ANNA", "s1"), ("example.org", "s1"), ("БОРИС", "s2"), ("почта", "s2"), ("s_1", ""), ("%", ""), ("_1", "s2"), ("\\", ""), ("", "s1s2")]
    {
        assert_eq!(found(text), subs, "{text}");
    }
}

fn a_stale_credential_version_changes_nothing(place: &Place) {
    place.put(people_and_clients);
    let newer = User {
        credential_version: 2,
        role: "owner".to_owned(),
        username: "anna2".to_owned(),
        password_hash: None,
        created_at: NOW.plus(9),
        ..user("s1", "anna")
    };
    let stored = newer.clone();
    assert_eq!(
        place.put(move |store| Ok((store.update_user(&stored, 7)?, store.update_user(&stored, 1)?, store.update_user(&stored, 1)?))),
        (false, true, false)
    );
    assert_eq!(place.look(|store| store.find_user("s1")), Some(User { created_at: NOW, ..newer }));
    assert_eq!(place.put(|store| Ok((store.replace_password_hash("s1", 1, "x")?, store.replace_password_hash("s1", 2, "y")?))), (false, true));
    assert_eq!(place.look(|store| store.find_user("s1")).unwrap().password_hash.as_deref(), Some("y"));
    assert!(!place.put(|store| store.update_user(&user("nobody", "nobody"), 1)));
}

fn a_guard_holds_only_for_the_active_person_of_that_version(place: &Place) {
    place.put(people_and_clients);
    assert_eq!(place.put(|store| Ok((store.guard_user("s1", 1)?, store.guard_user("s1", 2)?, store.guard_user("nobody", 1)?))), (true, false, false));
    place.put(|store| store.update_user(&User { state: UserState::Disabled, ..user("s1", "anna") }, 1));
    assert!(!place.put(|store| store.guard_user("s1", 1)));
}

fn names_are_unique_over_all_people(place: &Place) {
    place.put(people_and_clients);
    let answers = place.put(|store| {
        Ok((
            store.insert_sign_in_name(&name("аня", "s1"))?,
            store.insert_sign_in_name(&name("аня", "s2"))?,
            store.insert_sign_in_name(&name("anna", "s2"))?,
        ))
    });
    assert_eq!(answers, (true, false, false));
    assert_eq!(place.look(|store| store.find_user_by_name("аня")).unwrap().sub, "s1");
    assert_eq!(place.look(|store| store.find_user_by_name("Аня")), None, "the key is compared as it stands");
    let names = place.look(|store| store.list_sign_in_names("s1"));
    assert_eq!(names.iter().map(|name| name.key.as_str()).collect::<Vec<_>>(), ["anna", "аня"]);
    assert_eq!(names[1], name("аня", "s1"));
    let removed = place
        .put(|store| Ok((store.delete_sign_in_name("s2", "аня")?, store.delete_sign_in_name("s1", "аня")?, store.delete_sign_in_name("s1", "аня")?)));
    assert_eq!(removed, (false, true, false));
    assert!(place.put(|store| store.insert_sign_in_name(&name("аня", "s2"))), "a name that was given up is free");
}

fn removing_a_person_removes_everything_of_theirs(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        for sub in ["s1", "s2"] {
            store.insert_session(&session(&format!("sid-{sub}"), sub))?;
            store.insert_grant(&grant(&format!("g-{sub}"), sub, "chat"))?;
            store.put_consent(&super::samples::consent(sub, "chat"))?;
        }
        assert!(store.delete_user("s1")?);
        assert!(!store.delete_user("s1")?);
        Ok(())
    });
    place.look(|store| {
        assert_eq!(store.find_user("s1")?, None);
        assert_eq!(store.find_user_by_name("anna")?, None);
        assert_eq!(store.find_session_by_sid("sid-s1")?, None);
        assert_eq!(store.find_grant("g-s1")?, None);
        assert_eq!(store.find_consent("s1", "chat")?, None);
        assert!(store.find_user_by_name("boris")?.is_some());
        assert!(store.find_session("digest-sid-s2")?.is_some());
        assert!(store.find_grant("g-s2")?.is_some());
        assert!(store.find_consent("s2", "chat")?.is_some());
        assert!(store.find_grant("standing-chat")?.is_some());
        Ok(())
    });
}

fn a_session_comes_back_as_stored(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.insert_session(&session("sid-1", "s1"))
    });
    place.look(|store| {
        assert_eq!(store.find_session("digest-sid-1")?, Some(session("sid-1", "s1")));
        assert_eq!(store.find_session_by_sid("sid-1")?, Some(session("sid-1", "s1")));
        assert_eq!(store.find_session("sid-1")?, None);
        Ok(())
    });
}

fn a_session_moves_forward_only_and_ends_once(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.insert_session(&session("sid-1", "s1"))?;
        assert!(store.touch_session("sid-1", NOW.plus(60))?);
        assert!(store.touch_session("sid-1", NOW.plus(5))?, "it stands, though nothing moves");
        assert_eq!(store.find_session_by_sid("sid-1")?.unwrap().last_seen_at, NOW.plus(60));
        assert!(!store.touch_session("sid-2", NOW)?);
        assert!(store.revoke_session("sid-1", NOW.plus(70))?);
        assert!(!store.revoke_session("sid-1", NOW.plus(80))?);
        assert!(!store.touch_session("sid-1", NOW.plus(90))?);
        assert!(!store.renew_session("sid-1", "other", NOW)?);
        assert_eq!(store.find_session_by_sid("sid-1")?.unwrap().revoked_at, Some(NOW.plus(70)));
        store.insert_session(&session("sid-3", "s1"))?;
        store.insert_session(&session("sid-4", "s1"))?;
        store.insert_session(&session("sid-5", "s2"))?;
        assert_eq!(store.revoke_sessions_of("s1", Some("sid-4"), NOW)?, 1);
        assert_eq!(store.find_session_by_sid("sid-4")?.unwrap().revoked_at, None);
        assert_eq!(store.revoke_sessions_of("s1", None, NOW)?, 1);
        assert_eq!(store.revoke_sessions_of("s1", None, NOW)?, 0);
        assert_eq!(store.find_session_by_sid("sid-5")?.unwrap().revoked_at, None);
        Ok(())
    });
}

fn a_renewed_session_answers_to_the_new_cookie_alone(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.insert_session(&session("sid-1", "s1"))?;
        assert!(store.renew_session("sid-1", "fresh", NOW.plus(30))?);
        assert_eq!(store.find_session("digest-sid-1")?, None);
        let renewed = store.find_session("fresh")?.unwrap();
        assert_eq!((renewed.sid.as_str(), renewed.auth_time, renewed.created_at), ("sid-1", NOW.plus(30), NOW));
        Ok(())
    });
}

fn sessions_are_listed_while_they_stand(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        for (sid, sub, age) in [("a", "s1", 3), ("b", "s1", 1), ("c", "s2", 2), ("d", "s1", 0)] {
            let mut session = session(sid, sub);
            session.created_at = NOW.plus(-age);
            session.expires_at = NOW.plus(10 - age);
            store.insert_session(&session)?;
        }
        store.revoke_session("d", NOW)?;
        Ok(())
    });
    let sids =
        |sub, at, limit| place.look(|store| store.list_sessions(sub, at, limit)).into_iter().map(|session| session.sid).collect::<Vec<_>>().concat();
    assert_eq!(sids(None, NOW, 10), "bca");
    assert_eq!(sids(None, NOW, 2), "bc");
    assert_eq!(sids(Some("s1"), NOW, 10), "ba");
    assert_eq!(sids(None, NOW.plus(8), 10), "b", "c ends at +8, a at +7");
}

fn what_belongs_to_nobody_is_not_stored(place: &Place) {
    let answer = place.write(|store| Ok(store.insert_session(&session("sid-1", "nobody"))?));
    assert!(matches!(&answer, Err(Error::Fault(fault)) if fault.passing), "{:?}", answer.map_err(describe));
    place.put(people_and_clients);
    place.put(|store| {
        assert!(store.delete_client("chat")?);
        Ok(())
    });
    let answer = place.write(|store| Ok(store.insert_grant(&grant("g", "s1", "chat"))?));
    assert!(answer.is_err());
    assert!(place.put(|store| store.revoke_grants(GrantsOf::Client("chat"), NOW)).is_empty());
}
