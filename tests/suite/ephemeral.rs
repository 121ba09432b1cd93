//! The ephemeral store's behaviour, once on each of its three backends.

use crate::store::place::{Place, race};
use propusk_domain::UnixTime;
use propusk_domain::ephemeral::Ephemeral;
use propusk_storage::{MemoryEphemeral, RedisEphemeral, SqlEphemeral};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const NOW: UnixTime = UnixTime(1_800_000_000);

type Shared = Arc<dyn Ephemeral>;

macro_rules! on_each_backend {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $test() { super::$test(&(std::sync::Arc::new(super::MemoryEphemeral::new()) as super::Shared)); })*
        }
        mod redis {
            $(#[test] fn $test() { super::$test(&(std::sync::Arc::new(super::redis_store()) as super::Shared)); })*
        }
        mod sqlite {
            $(#[test] fn $test() {
                let place = super::Place::sqlite();
                super::$test(&(std::sync::Arc::new(super::SqlEphemeral::new((*place).clone())) as super::Shared));
            })*
        }
        mod postgres {
            $(#[test] fn $test() {
                let place = super::Place::postgres();
                super::$test(&(std::sync::Arc::new(super::SqlEphemeral::new((*place).clone())) as super::Shared));
            })*
        }
    };
}

on_each_backend![
    a_value_lives_as_long_as_it_was_given,
    a_value_is_replaced_with_a_lifetime_of_its_own,
    a_new_value_takes_a_free_or_dead_key_only,
    a_value_is_taken_once,
    a_counter_begins_again_when_its_time_has_come,
    several_counts_are_answered_in_their_order,
    a_sweep_removes_the_dead_alone,
    any_bytes_and_keys_come_back,
    one_of_sixteen_puts_the_new_value,
    one_of_sixteen_takes_the_value,
    sixteen_counts_are_sixteen,
    a_ping_answers,
];

/// A Redis store with a prefix of its own.
#[expect(clippy::disallowed_methods, reason = "the servers are named by whoever runs the tests")]
fn redis_store() -> RedisEphemeral {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let url = std::env::var("PROPUSK_TEST_REDIS").expect("PROPUSK_TEST_REDIS must name a Redis server (tests/services.sh starts one)");
    let prefix = format!("t{}-{}:", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    RedisEphemeral::connect(&url, &prefix, 2000).expect("the Redis of PROPUSK_TEST_REDIS")
}

fn get(store: &Shared, key: &str, at: i64) -> Option<Vec<u8>> {
    store.get(key, NOW.plus(at)).expect("an answer")
}

fn a_value_lives_as_long_as_it_was_given(store: &Shared) {
    assert_eq!(get(store, "k", 0), None);
    store.put("k", b"v", 10, NOW).unwrap();
    assert_eq!(get(store, "k", 9), Some(b"v".to_vec()));
    assert_eq!(get(store, "k", 10), None, "the caller's clock decides");
    assert_eq!(get(store, "other", 0), None);
}

fn a_value_is_replaced_with_a_lifetime_of_its_own(store: &Shared) {
    store.put("k", b"first", 1000, NOW).unwrap();
    store.put("k", b"second", 5, NOW).unwrap();
    assert_eq!(get(store, "k", 4), Some(b"second".to_vec()));
    assert_eq!(get(store, "k", 5), None);
}

fn a_new_value_takes_a_free_or_dead_key_only(store: &Shared) {
    assert!(store.put_new("k", b"a", 10, NOW).unwrap());
    assert!(!store.put_new("k", b"b", 10, NOW.plus(9)).unwrap());
    assert_eq!(get(store, "k", 9), Some(b"a".to_vec()));
    assert!(store.put_new("k", b"c", 10, NOW.plus(10)).unwrap());
    assert_eq!(get(store, "k", 19), Some(b"c".to_vec()));
    assert!(store.put_new("other", b"", 10, NOW).unwrap());
}

fn a_value_is_taken_once(store: &Shared) {
    store.put("k", b"v", 10, NOW).unwrap();
    assert_eq!(store.take("k", NOW.plus(9)).unwrap(), Some(b"v".to_vec()));
    assert_eq!(store.take("k", NOW.plus(9)).unwrap(), None);
    store.put("k", b"v", 10, NOW).unwrap();
    assert_eq!(store.take("k", NOW.plus(10)).unwrap(), None, "too late");
    assert!(store.put_new("k", b"w", 10, NOW.plus(10)).unwrap());
}

fn a_counter_begins_again_when_its_time_has_come(store: &Shared) {
    let count = |by, at| store.count("k", by, 10, NOW.plus(at)).expect("an answer");
    assert_eq!([count(1, 0), count(2, 5), count(0, 9), count(-1, 9)], [1, 3, 3, 2]);
    assert_eq!(count(1, 10), 1, "ten seconds after the first count, however often it was counted since");
    assert_eq!(count(1, 19), 2);
    assert_eq!(store.count("other", 1_000_000_000_000, 10, NOW).unwrap(), 1_000_000_000_000);
    assert_eq!(store.count("other", 1, 10, NOW).unwrap(), 1_000_000_000_001);
}

fn several_counts_are_answered_in_their_order(store: &Shared) {
    let count = |counts: &[(&str, i64)], at| {
        let counts: Vec<(String, i64)> = counts.iter().map(|(key, by)| ((*key).to_owned(), *by)).collect();
        store.count_all(&counts, 10, NOW.plus(at)).expect("answers")
    };
    assert_eq!(count(&[("b", 2), ("a", 1), ("c", 0)], 0), [2, 1, 0]);
    assert_eq!(count(&[("a", 0), ("b", -1), ("a", 5)], 9), [1, 1, 6]);
    assert_eq!(count(&[("b", 1), ("a", 0)], 10), [1, 0], "each begins again in its own time");
    assert_eq!(count(&[], 0), Vec::<i64>::new());
}

fn a_sweep_removes_the_dead_alone(store: &Shared) {
    store.put("lives", b"v", 100, NOW).unwrap();
    store.put("dies", b"v", 10, NOW).unwrap();
    store.count("dies too", 1, 10, NOW).unwrap();
    let removed = store.sweep(NOW.plus(10)).unwrap();
    assert!(removed == 2 || removed == 0, "0 where the backend expires by itself: {removed}");
    assert_eq!(get(store, "lives", 10), Some(b"v".to_vec()));
    assert_eq!(get(store, "dies", 10), None);
    assert_eq!(store.sweep(NOW.plus(10)).unwrap(), 0);
}

fn any_bytes_and_keys_come_back(store: &Shared) {
    let all: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    for (key, value) in [("", &all[..]), ("ключ 'x' \"y\" %_\\", b""), ("a:b\n{c}", b"\0\0\xff")] {
        store.put(key, value, 10, NOW).unwrap();
        assert_eq!(get(store, key, 0).as_deref(), Some(value), "{key:?}");
        assert_eq!(store.take(key, NOW).unwrap().as_deref(), Some(value), "{key:?}");
    }
}

fn one_of_sixteen_puts_the_new_value(store: &Shared) {
    for round in 0..8 {
        let racing = Arc::clone(store);
        let won = race(16, move |index| racing.put_new(&format!("k{round}"), index.to_string().as_bytes(), 10, NOW).unwrap());
        let winner = won.iter().position(|won| *won).expect("a winner");
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        assert_eq!(get(store, &format!("k{round}"), 0), Some(winner.to_string().into_bytes()));
        let racing = Arc::clone(store);
        let later = race(16, move |_| racing.put_new(&format!("k{round}"), b"later", 10, NOW.plus(10)).unwrap());
        assert_eq!(later.iter().filter(|won| **won).count(), 1, "a dead entry falls to one alone");
    }
}

fn one_of_sixteen_takes_the_value(store: &Shared) {
    for _ in 0..8 {
        store.put("k", b"v", 10, NOW).unwrap();
        let racing = Arc::clone(store);
        let taken = race(16, move |_| racing.take("k", NOW).unwrap().is_some());
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
    }
}

fn sixteen_counts_are_sixteen(store: &Shared) {
    let racing = Arc::clone(store);
    let mut seen = race(16, move |_| racing.count("k", 1, 10, NOW).unwrap());
    seen.sort_unstable();
    assert_eq!(seen, (1..=16).collect::<Vec<i64>>(), "each answer once");
}

fn a_ping_answers(store: &Shared) {
    store.ping().unwrap();
}

/// A Redis of this test's own, ended when it is dropped.
struct OwnRedis {
    process: Option<std::process::Child>,
    port: u16,
    directory: tempfile::TempDir,
}

impl OwnRedis {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let process = Self::run(port, directory.path());
        Self { process: Some(process), port, directory }
    }

    fn run(port: u16, directory: &std::path::Path) -> std::process::Child {
        let mut process = std::process::Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(directory)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("redis-server is not installed");
        for _ in 0..500 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return process;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        panic!("redis-server does not answer");
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn restart(&mut self) {
        self.process = Some(Self::run(self.port, self.directory.path()));
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn a_lost_redis_is_a_fault_that_passes_and_recovers_by_itself() {
    let mut redis = OwnRedis::start();
    let store = RedisEphemeral::connect(&format!("redis://127.0.0.1:{}/", redis.port), "t:", 500).unwrap();
    assert!(store.put_new("k", b"v", 100, NOW).unwrap());
    redis.stop();
    for _ in 0..3 {
        let begun = Instant::now();
        let fault = store.put_new("k", b"v", 100, NOW).unwrap_err();
        assert!(fault.passing, "{fault}");
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    redis.restart();
    assert!(store.put_new("k", b"v", 100, NOW).unwrap(), "the first step after the restart succeeds");
    redis.stop();
    redis.restart();
    assert!(store.put_new("k", b"v", 100, NOW).unwrap(), "also when the loss went unnoticed");
    assert_eq!(store.count("n", 1, 10, NOW).unwrap(), 1);
}

#[test]
fn a_silent_redis_is_a_fault_within_its_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/", silent.local_addr().unwrap());
    let begun = Instant::now();
    let fault = RedisEphemeral::connect(&url, "t:", 200).err().expect("a fault");
    assert!(fault.passing, "{fault}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_redis_url_that_cannot_be_read_is_refused_without_repeating_it() {
    let fault = RedisEphemeral::connect("http://user:hunter2@host/", "t:", 200).err().expect("a fault");
    assert!(!fault.passing && !fault.to_string().contains("hunter2"), "{fault}");
}
