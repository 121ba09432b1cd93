#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::{PasswordHasher, PasswordParams, SeededRandom, Verdict};
use serde_json::Value;

/// Made by `tests/django/make_vectors.py`.
const VECTORS: &str = include_str!("../../../../tests/django/vectors.json");

fn hasher() -> PasswordHasher {
    PasswordHasher::new(PasswordParams { memory_kib: 256, iterations: 1, parallelism: 1 }, 1).unwrap()
}

#[test]
fn what_django_stored_is_verified_and_asks_for_a_new_hash() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    assert_eq!(vectors.len(), 70);
    let hasher = hasher();
    let mut schemes = std::collections::BTreeSet::new();
    for vector in &vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let (password, encoded) = (text("password"), text("encoded"));
        let stored = match judge(encoded) {
            Judged::Accepted { cost } => {
                assert!(encoded.starts_with(cost.split('$').next().unwrap()), "{cost}");
                encoded.to_owned()
            }
            Judged::Weak(weak) => hasher.wrap(&weak, &SeededRandom::new(1)).unwrap(),
            Judged::Unusable => {
                assert_eq!(text("hasher"), "unusable");
                continue;
            }
            Judged::Refused(reason) => panic!("{encoded}: {reason}"),
        };
        schemes.insert(ForeignHash::parse(&stored).unwrap().scheme().as_str());
        assert_eq!(hasher.verify(password, Some(&stored)), Verdict::Right { rehash: true }, "{encoded}");
    }
    assert_eq!(schemes.len(), Scheme::ALL.len(), "{schemes:?}");
}

#[test]
fn another_password_is_wrong_in_every_scheme() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    let hasher = hasher();
    let mut seen = std::collections::BTreeSet::new();
    for vector in &vectors {
        let encoded = vector["encoded"].as_str().unwrap();
        if vector["hasher"] == "unusable" || !seen.insert(vector["hasher"].as_str().unwrap().to_owned()) {
            continue;
        }
        let stored = match judge(encoded) {
            Judged::Weak(weak) => hasher.wrap(&weak, &SeededRandom::new(1)).unwrap(),
            _ => encoded.to_owned(),
        };
        assert_eq!(hasher.verify("correct horse.", Some(&stored)), Verdict::Wrong, "{encoded}");
    }
    assert_eq!(seen.len(), 10);
}

#[test]
fn a_weak_hash_is_never_stored_bare() {
    let stored = match judge("md5$salt$0a7afd19d6e6656f1f56fa2db3df4c74") {
        Judged::Weak(weak) => {
            assert!(!format!("{weak:?}").contains("0a7afd19"));
            hasher().wrap(&weak, &SeededRandom::new(2)).unwrap()
        }
        other => panic!("{other:?}"),
    };
    assert!(stored.starts_with("wrapped_md5$salt$argon2id$"), "{stored}");
    assert!(!stored.contains("0a7afd19d6e6656f1f56fa2db3df4c74"));
    // Nor does the stored hexadecimal itself open the door (pass the hash).
    assert_eq!(hasher().verify("0a7afd19d6e6656f1f56fa2db3df4c74", Some(&stored)), Verdict::Wrong);
}

#[test]
fn parameters_beyond_the_limits_are_refused() {
    let hash = "X/W0wLbCeDpafVQgA3HU3I3npTFjb3gPWq7BdQORp54=";
    let scrypt_hash = STANDARD.encode([0_u8; 64]);
    let argon2_hash = "AAAAAAAAAAAAAAAAAAAAAA";
    let cases = [
        (format!("pbkdf2_sha256$5000000$salt${hash}"), true),
        (format!("pbkdf2_sha256$5000001$salt${hash}"), false),
        (format!("pbkdf2_sha256$4294967296$salt${hash}"), false),
        (format!("pbkdf2_sha256$0$salt${hash}"), false),
        (format!("argon2$argon2id$v=19$m=262144,t=10,p=1$c2FsdHNhbHQ${argon2_hash}"), true),
        (format!("argon2$argon2id$v=19$m=262145,t=2,p=1$c2FsdHNhbHQ${argon2_hash}"), false),
        (format!("argon2$argon2id$v=19$m=1024,t=11,p=1$c2FsdHNhbHQ${argon2_hash}"), false),
        (format!("scrypt$131072$salt$8$1${scrypt_hash}"), true),
        (format!("scrypt$262144$salt$8$1${scrypt_hash}"), false),
        (format!("scrypt$16384$salt$8$17${scrypt_hash}"), false),
        (format!("scrypt$16383$salt$8$1${scrypt_hash}"), false),
        ("bcrypt$$2b$14$/9HAI1yA1kbM4.ErUdI0gO9MnAbrTur6I.BkSFEQTA48OtTxxGp/q".to_owned(), true),
        ("bcrypt$$2b$15$/9HAI1yA1kbM4.ErUdI0gO9MnAbrTur6I.BkSFEQTA48OtTxxGp/q".to_owned(), false),
    ];
    for (encoded, accepted) in cases {
        let judged = judge(&encoded);
        assert_eq!(matches!(judged, Judged::Accepted { .. }), accepted, "{encoded}: {judged:?}");
        if !accepted {
            assert!(matches!(judged, Judged::Refused(_)));
            assert_eq!(hasher().verify("x", Some(&encoded)), Verdict::Unreadable);
        }
    }
}

#[test]
fn what_is_no_hash_is_refused_and_what_is_no_password_is_none() {
    for unusable in ["", "!", "!Nq6xLDwv8VvO3HVrrlFp8N6dYyw49hss2DcPJbDl"] {
        assert_eq!(judge(unusable), Judged::Unusable);
    }
    let long = format!("pbkdf2_sha256$1$salt${}", "A".repeat(10_000_000));
    for refused in [
        "plain",
        "crypt$$ab12",
        "pbkdf2_sha256$1$salt",
        "pbkdf2_sha256$x$salt$AA==",
        "argon2$argon2id$v=19",
        "scrypt$2",
        "bcrypt$$2b",
        "$2b$12$x",
        &long,
    ] {
        assert!(matches!(judge(refused), Judged::Refused(_)), "{}", &refused[..refused.len().min(40)]);
    }
    // A text that pretends to be wrapped already is not taken from outside.
    assert!(matches!(judge("wrapped_md5$salt$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"), Judged::Refused(_)));
}

#[test]
fn nobody_costs_what_a_hash_of_that_cost_takes() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    for vector in &vectors {
        let Judged::Accepted { cost } = judge(vector["encoded"].as_str().unwrap()) else { continue };
        let decoy = ForeignHash::decoy(&cost).unwrap_or_else(|| panic!("{cost}"));
        assert_eq!(decoy.cost(), cost);
    }
    let hasher = hasher();
    assert_eq!(hasher.verify_nobody("x", "pbkdf2_sha1$10"), Verdict::Wrong);
    assert_eq!(hasher.verify_nobody("x", "bcrypt$4"), Verdict::Wrong);
    assert_eq!(hasher.verify_nobody("x", "scrypt$16$8$1"), Verdict::Wrong);
    assert_eq!(hasher.verify_nobody("x", "argon2$argon2id$v=19$m=64,t=1,p=1"), Verdict::Wrong);
    for scheme in [Scheme::Pbkdf2Sha1, Scheme::Bcrypt, Scheme::Scrypt, Scheme::Argon2] {
        assert_eq!(hasher.foreign_computed(scheme), 1, "{scheme:?}");
    }
    assert_eq!(hasher.hashes_computed(), 0);
    // A wrapped hash costs what ours do.
    hasher.verify_nobody("x", "wrapped_md5");
    assert_eq!(hasher.hashes_computed(), 1);
}
