//! What has had its time is removed, a little at a time.

use super::place::Place;
use super::samples::{NOW, audit, grant, offline_grant, people_and_clients, refusal, session, step};
use propusk_domain::UnixTime;
use propusk_domain::grant::Grant;
use propusk_domain::store::{GrantsOf, Retention};

on_each_database![
    ended_sessions_and_grants_go_after_their_retention,
    a_revoked_standing_grant_stays,
    records_go_by_age_and_refusals_by_number_too,
    steps_of_sign_ins_go_by_age_and_by_number,
    a_sweep_removes_two_hundred_rows_at_most,
];

const RETENTION: Retention = Retention { ended: 100, refusals: 50, refusals_rows: 3, traces: 50, traces_rows: 3, audit: 500, changes: 10_000 };

fn sweep_at(place: &Place, now: UnixTime) -> usize {
    place.put(move |store| store.sweep(now, &RETENTION))
}

fn ended_sessions_and_grants_go_after_their_retention(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.insert_session(&session("stands", "s1"))?;
        store.insert_session(&session("ended", "s1"))?;
        store.revoke_session("ended", NOW.plus(10))?;
        store.insert_grant(&offline_grant("lives", "s1", "chat"))?;
        store.insert_grant(&grant("revoked", "s1", "chat"))?;
        store.revoke_grants(GrantsOf::Id("revoked"), NOW.plus(10))?;
        store.insert_grant(&Grant { expires_at: Some(NOW.plus(20)), ..grant("used", "s1", "chat") })?;
        store.redeem_code("used", NOW)?;
        store.deny_token("j", NOW.plus(15))
    });
    assert_eq!(sweep_at(place, NOW.plus(14)), 0);
    assert_eq!(sweep_at(place, NOW.plus(15)), 1, "the denied token has expired");
    assert_eq!(sweep_at(place, NOW.plus(110)), 0, "a late replay is still recognised");
    assert_eq!(sweep_at(place, NOW.plus(111)), 2, "what was ended at +10");
    assert!(place.look(|store| store.find_grant_by_code("code-used")).is_some(), "a used code is remembered as long as its grant");
    assert_eq!(sweep_at(place, NOW.plus(121)), 1);
    assert_eq!(sweep_at(place, NOW.plus(1100)), 0);
    assert_eq!(sweep_at(place, NOW.plus(1101)), 2, "what expired at +1000");
    place.look(|store| {
        assert_eq!(store.find_session_by_sid("stands")?, None);
        assert_eq!(store.find_grant("lives")?, None);
        assert!(store.find_grant("standing-chat")?.is_some());
        Ok(())
    });
}

fn a_revoked_standing_grant_stays(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.revoke_grants(GrantsOf::Id("standing-chat"), NOW)
    });
    assert_eq!(sweep_at(place, NOW.plus(500)), 0);
    assert!(place.look(|store| store.find_grant("standing-chat")).is_some());
}

fn records_go_by_age_and_refusals_by_number_too(place: &Place) {
    place.put(|store| {
        store.insert_audit(&audit("old", 501))?;
        store.insert_audit(&audit("young", 500))?;
        let refusals = [refusal("A", 51), refusal("B", 50), refusal("C", 40), refusal("D", 30), refusal("E", 20)];
        store.insert_refusals(&refusals)
    });
    assert_eq!(sweep_at(place, NOW), 3, "one event by age, one refusal by age, one by number");
    let left: Vec<_> = place.look(|store| store.list_refusals(10)).into_iter().map(|refusal| refusal.reference).collect();
    assert_eq!(left, ["E", "D", "C"]);
    assert_eq!(sweep_at(place, NOW), 0);
}

fn steps_of_sign_ins_go_by_age_and_by_number(place: &Place) {
    place.put(|store| store.insert_flow_steps(&[step("a", 51), step("b", 50), step("c", 40), step("d", 30), step("e", 20)]));
    assert_eq!(sweep_at(place, NOW), 2, "one by age, one by number");
    let left = place.look(|store| store.list_flow_steps(&["flow".to_owned()]));
    assert_eq!(left, [step("c", 40), step("d", 30), step("e", 20)]);
    assert_eq!(sweep_at(place, NOW.plus(100)), 3);
}

fn a_sweep_removes_two_hundred_rows_at_most(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        (0..150).try_for_each(|n| store.insert_session(&session(&format!("sid{n}"), "s1")))?;
        (0..150).try_for_each(|n| store.insert_grant(&grant(&format!("g{n}"), "s1", "chat")))?;
        (0..50).try_for_each(|n| store.insert_audit(&audit(&format!("a{n}"), 0)))
    });
    let counts: Vec<usize> = (0..4).map(|_| sweep_at(place, NOW.plus(2000))).collect();
    assert_eq!(counts, [200, 150, 0, 0]);
}
