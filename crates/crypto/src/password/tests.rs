#![allow(clippy::unwrap_used)]

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::random::SystemRandom;

const CHEAP: PasswordParams = PasswordParams { memory_kib: 256, iterations: 2, parallelism: 1 };

fn hasher(params: PasswordParams) -> PasswordHasher {
    PasswordHasher::new(params, 2).unwrap()
}

fn verdict(hasher: &PasswordHasher, password: &str, phc: &str) -> Verdict {
    hasher.verify(password, Some(phc))
}

#[test]
fn the_right_password_is_right_and_every_other_is_wrong() {
    let hasher = hasher(CHEAP);
    for password in ["correct horse", "пароль с пробелом", "\0", " "] {
        let phc = hasher.hash(password, &SystemRandom).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=256,t=2,p=1$"), "{phc}");
        assert_eq!(verdict(&hasher, password, &phc), Verdict::Right { rehash: false });
        assert_eq!(verdict(&hasher, &format!("{password} "), &phc), Verdict::Wrong);
        assert_ne!(phc, hasher.hash(password, &SystemRandom).unwrap());
    }
}

#[test]
fn a_hash_of_the_reference_implementation_verifies_and_its_short_salt_asks_for_a_new_one() {
    // phc-winner-argon2 test vector; it needs more memory than the pool has.
    let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let hasher = hasher(CHEAP);
    assert_eq!(verdict(&hasher, "password", phc), Verdict::Right { rehash: true });
    assert_eq!(verdict(&hasher, "differentpassword", phc), Verdict::Wrong);
}

#[test]
fn raised_parameters_ask_for_a_new_hash_and_lowered_ones_do_not() {
    let phc = hasher(CHEAP).hash("password", &SystemRandom).unwrap();
    let with = |memory_kib, iterations| hasher(PasswordParams { memory_kib, iterations, parallelism: 1 });
    assert_eq!(verdict(&with(512, 2), "password", &phc), Verdict::Right { rehash: true });
    assert_eq!(verdict(&with(256, 3), "password", &phc), Verdict::Right { rehash: true });
    assert_eq!(verdict(&with(128, 1), "password", &phc), Verdict::Right { rehash: false });
}

#[test]
fn an_unknown_person_costs_the_same_computation_as_a_known_one() {
    let hasher = hasher(CHEAP);
    let phc = hasher.hash("password", &SystemRandom).unwrap();
    let computed_by = |password: &str, phc: Option<&str>| {
        let before = hasher.hashes_computed();
        let verdict = hasher.verify(password, phc);
        (verdict, hasher.hashes_computed() - before)
    };
    assert_eq!(computed_by("password", Some(&phc)), (Verdict::Right { rehash: false }, 1));
    assert_eq!(computed_by("guess", Some(&phc)), (Verdict::Wrong, 1));
    assert_eq!(computed_by("guess", None), (Verdict::Wrong, 1));
    assert_eq!(computed_by("guess", Some("$2b$12$broken")), (Verdict::Unreadable, 1));
    let oversized = "x".repeat(MAX_PASSWORD_BYTES + 1);
    for impossible in ["", oversized.as_str()] {
        assert_eq!(computed_by(impossible, Some(&phc)), (Verdict::Wrong, 0));
        assert_eq!(computed_by(impossible, None), (Verdict::Wrong, 0));
    }
}

#[test]
fn unreadable_and_ruinous_stored_hashes_are_faults_and_not_panics() {
    let hasher = hasher(CHEAP);
    let tail = "$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let unreadable = [
        String::new(),
        "password".into(),
        "$".into(),
        "$argon2id$v=19$m=256,t=2,p=1".into(),
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA".into(),
        format!("$argon2id$v=19$m=4194304,t=2,p=1{tail}"),
        format!("$argon2id$v=19$m=256,t=4294967295,p=1{tail}"),
        format!("$argon2id$v=19$m=8192,t=2,p=255{tail}"),
        format!("$argon2id$v=99$m=256,t=2,p=1{tail}"),
        format!("$argon2id$v=19$m=0,t=0,p=0{tail}"),
        format!("$scrypt$ln=15,r=8,p=1{tail}"),
    ];
    for phc in unreadable {
        assert_eq!(verdict(&hasher, "password", &phc), Verdict::Unreadable, "{phc}");
    }
}

#[test]
fn passwords_are_bounded_in_bytes() {
    let hasher = hasher(CHEAP);
    assert!(hasher.hash(&"я".repeat(512), &SystemRandom).is_ok());
    for password in ["", &"x".repeat(1025), &"я".repeat(513)] {
        assert!(matches!(hasher.hash(password, &SystemRandom), Err(CryptoError::PasswordLength { .. })));
    }
}

#[test]
fn impossible_parameters_stop_the_start() {
    for (memory_kib, iterations, parallelism) in [(0, 2, 1), (256, 0, 1), (256, 2, 0), (8, 2, 2), (u32::MAX, 2, 1), (256, 65, 1)] {
        assert!(PasswordHasher::new(PasswordParams { memory_kib, iterations, parallelism }, 1).is_err());
    }
}

#[test]
fn memory_is_reserved_untouched_and_then_reused() {
    let hasher = PasswordHasher::new(CHEAP, 1).unwrap();
    let buffer = || {
        let free = hasher.pool.free.lock().unwrap();
        assert_eq!(free.len(), 1);
        free.first().map(|buffer| (buffer.as_ptr(), buffer.len(), buffer.capacity())).unwrap()
    };
    let (reserved, length, capacity) = buffer();
    assert_eq!((length, capacity), (0, 256));
    let phc = hasher.hash("password", &SystemRandom).unwrap();
    assert_eq!(buffer(), (reserved, 256, 256));
    for password in ["password", "guess"] {
        hasher.verify(password, Some(&phc));
        hasher.verify(password, None);
    }
    assert_eq!(buffer(), (reserved, 256, 256));
}

#[test]
fn callers_beyond_the_permits_wait_for_their_turn() {
    let pool = Pool::new(2, 8);
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let _lease = pool.lease();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert!(most.into_inner() <= 2);
    assert_eq!(pool.free.lock().unwrap().len(), 2);
}

#[test]
fn a_permit_comes_back_from_a_panic() {
    let pool = Pool::new(1, 8);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _lease = pool.lease();
        panic!("in the middle of a hash");
    }));
    assert!(result.is_err());
    drop(pool.lease());
}
