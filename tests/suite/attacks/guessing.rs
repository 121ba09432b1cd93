//! Guessing passwords and names.

use super::{OpenForm, refusal};
use propusk_domain::client::Preset;
use propusk_tests::html;
use propusk_tests::server::{Backend, TestServer};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

propusk_tests::on_each_backend![
    an_account_guessed_from_one_address_is_slowed_within_twenty,
    the_operator_hears_of_guessing_once_a_window,
    an_account_guessed_from_many_addresses_is_slowed_within_forty,
    an_address_that_tries_many_accounts_is_slowed_within_a_hundred,
    guesses_of_the_minute_before_still_count,
    a_sign_in_ends_the_failures_in_a_row,
    a_hundred_parallel_guesses_count_as_a_hundred,
    a_guesser_at_another_replica_is_the_same_guesser,
    a_password_set_or_a_person_disabled_while_the_hash_is_computed_keeps_the_guesser_out,
];

const PROXY: (&str, &str) = ("http.trusted_proxies", "127.0.0.1/32");

/// How many guesses are judged before the first that is turned away.
fn guesses_until_slowed(limit: usize, guess: impl Fn(usize) -> propusk_tests::http::Response) -> usize {
    for count in 0..limit {
        let response = guess(count);
        if response.status != 429 {
            assert_eq!(response.status, 403, "{}", response.text());
            continue;
        }
        let wait: i64 = response.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait} seconds");
        assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
        let sentence = html::text_of(&response.text(), "login-notice").unwrap();
        assert!(sentence.contains("Too many") || sentence.contains("too many") || sentence.contains("second"), "{sentence}");
        assert!(response.headers("set-cookie").is_empty());
        return count;
    }
    panic!("{limit} guesses and none was slowed");
}

fn an_account_guessed_from_one_address_is_slowed_within_twenty(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let form = OpenForm::at(&server.issuer);
    let judged = guesses_until_slowed(20, |_| form.post("anna", "guess"));
    assert!(judged >= 3, "three typing errors are nobody's attack");
    // The event to the operator: a record that names the counts, and a metric.
    let record = refusal(&server, "login_throttled");
    assert!(record.detail.received.as_deref().unwrap().contains("attempts on the account"), "{record:?}");
    assert!(server.metrics_text().contains("login_throttled"));
    // The right password does not help while the pause lasts, or it would tell the guesser.
    assert_eq!(form.post("anna", &anna.password).status, 429);
    // Names are one ignoring case and Unicode form: no second budget for the same account.
    assert_eq!(form.post("ANNA", "guess").status, 429);
    assert_eq!(form.post("ａｎｎａ", "guess").status, 429);
    // Somebody else from there is not held up.
    let boris = server.add_user("boris", "user");
    assert_eq!(form.post("boris", &boris.password).status, 303);
    server.advance(120);
    assert_eq!(form.post("anna", &anna.password).status, 303, "two minutes after the guessing stops the owner signs in");
    assert_eq!(form.post("anna", "guess").status, 403, "a success ends the failures in a row");
}

fn the_operator_hears_of_guessing_once_a_window(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let form = OpenForm::at(&server.issuer);
    let events = |count: usize| {
        let began = Instant::now();
        while server.audit("sign_in_throttled").len() < count {
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", server.audit("sign_in_throttled"));
            std::thread::sleep(Duration::from_millis(20));
        }
        server.audit("sign_in_throttled")
    };
    guesses_until_slowed(20, |_| form.post("anna", "guess"));
    // Further guesses are refused one by one and told once.
    let mut last = form.post("anna", "guess");
    for _ in 0..15 {
        last = form.post("anna", "guess");
    }
    server.explain(&html::text_of(&last.text(), "error-reference").unwrap());
    let told = events(1);
    assert_eq!((told.len(), told[0].sub.as_deref()), (1, Some(anna.user.sub.as_str())));
    let detail = told[0].detail.clone().unwrap();
    assert!(detail.starts_with("login.account_at_address reached from 127.0.0.1, account known, reference "), "{detail}");
    let reference = detail.rsplit(' ').next().unwrap();
    assert_eq!(server.explain(reference).detail.cause.slug(), "login_throttled");
    // Whether or not anybody has the name; the name itself is nowhere.
    guesses_until_slowed(20, |_| form.post("nobody-has-this-name", "guess"));
    let told = events(2);
    let detail = told[0].detail.clone().unwrap();
    assert!(told.len() == 2 && told[0].sub.is_none() && detail.contains("account unknown") && !detail.contains("nobody-has"), "{told:?}");
    server.advance(240);
    guesses_until_slowed(20, |_| form.post("anna", "guess"));
    assert_eq!(events(3).len(), 3, "another window");
}

fn an_account_guessed_from_many_addresses_is_slowed_within_forty(backend: Backend) {
    let server = TestServer::with(backend, &[PROXY]);
    let anna = server.add_user("anna", "user");
    let form = OpenForm::at(&server.issuer);
    let judged = guesses_until_slowed(40, |count| form.post_from(&format!("198.51.100.{count}"), "anna", "guess"));
    assert!(judged > 10, "more than one address needs alone: {judged}");
    server.advance(120);
    assert_eq!(form.post_from("203.0.113.7", "anna", &anna.password).status, 303);
}

fn an_address_that_tries_many_accounts_is_slowed_within_a_hundred(backend: Backend) {
    let server = TestServer::with(backend, &[PROXY]);
    let anna = server.add_user("anna", "user");
    let form = OpenForm::at(&server.issuer);
    // One household: every address of an IPv6 /64 is the same.
    guesses_until_slowed(100, |count| form.post_from(&format!("2001:db8:1:2::{count:x}"), &format!("somebody{count}"), "guess"));
    assert_eq!(form.post_from("2001:db8:1:2:ffff::1", "anna", &anna.password).status, 429);
    assert_eq!(form.post_from("2001:db8:1:3::1", "anna", &anna.password).status, 303, "the neighbours sign in");
    server.advance(120);
    assert_eq!(form.post_from("2001:db8:1:2::1", "anna", &anna.password).status, 303);
}

fn guesses_of_the_minute_before_still_count(backend: Backend) {
    let server = TestServer::start(backend);
    server.add_user("anna", "user");
    let form = OpenForm::at(&server.issuer);
    for _ in 0..8 {
        assert_eq!(form.post("anna", "guess").status, 403);
    }
    server.advance(60);
    assert!(guesses_until_slowed(20, |_| form.post("anna", "guess")) <= 3, "the turn of a minute forgets nothing");
}

fn a_sign_in_ends_the_failures_in_a_row(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let form = OpenForm::at(&server.issuer);
    for _ in 0..3 {
        for _ in 0..8 {
            assert_eq!(form.post("anna", "guess").status, 403);
        }
        assert_eq!(form.post("anna", &anna.password).status, 303);
        server.advance(60);
    }
}

fn a_hundred_parallel_guesses_count_as_a_hundred(backend: Backend) {
    let server = Arc::new(TestServer::start(backend));
    server.add_user("anna", "user");
    let form = Arc::new(OpenForm::at(&server.issuer));
    let start = Arc::new(Barrier::new(100));
    let threads: Vec<_> = (0..100)
        .map(|_| {
            let (form, start) = (Arc::clone(&form), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                form.post("anna", "guess").status
            })
        })
        .collect();
    let statuses: Vec<u16> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let judged = statuses.iter().filter(|status| **status != 429).count();
    assert!(judged <= 20, "{judged} guesses were judged: {statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 403 | 429 | 503)), "{statuses:?}");
    assert_eq!(form.post("anna", "guess").status, 429);
    // What was judged was counted, whatever overlapped: the next guess finds the account beyond its threshold.
    let received = refusal(&server, "login_throttled").detail.received.unwrap();
    let counted: usize = received.split(' ').next().unwrap().parse().unwrap();
    assert!(counted > 10, "{received}");
}

fn a_guesser_at_another_replica_is_the_same_guesser(backend: Backend) {
    let server = TestServer::start(backend);
    server.add_user("anna", "user");
    let replica = server.replica(&[]);
    let forms = [OpenForm::at(&server.issuer), OpenForm::at(&replica.issuer)];
    guesses_until_slowed(20, |count| forms[count % 2].post("anna", "guess"));
    assert!(forms.iter().all(|form| form.post("anna", "guess").status == 429), "one store of counters for both");
}

/// The guard of the login's one write: the person is still active and the credential unchanged.
fn a_password_set_or_a_person_disabled_while_the_hash_is_computed_keeps_the_guesser_out(backend: Backend) {
    // About a second for one hash in this build: time enough for the operator to act in the middle of it.
    let server = Arc::new(TestServer::with(backend, &[("password.memory_kib", "131072"), ("password.iterations", "4"), ("password.permits", "1")]));
    for (name, disable) in [("anna", true), ("boris", false)] {
        let person = slow_person(&server, name);
        let form = OpenForm::at(&server.issuer);
        let password = person.password.clone();
        let asked = Instant::now();
        let attempt = std::thread::spawn(move || form.post(name, &password).status);
        std::thread::sleep(Duration::from_millis(120));
        let sub = person.user.sub.clone();
        if disable {
            server.admin(move |cx| propusk_domain::admin::users::disable(cx, &sub));
        } else {
            server.admin(move |cx| {
                propusk_domain::admin::users::set_password(
                    cx,
                    &sub,
                    "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into(),
                )
            });
        }
        let acted = asked.elapsed();
        assert_eq!(attempt.join().unwrap(), 403);
        assert!(asked.elapsed() > acted, "the operator was faster than the hash");
        let sub = person.user.sub;
        let sessions = server.look(|cx| Ok(cx.store.list_sessions(Some(&sub), cx.now, 10)?));
        assert!(sessions.is_empty(), "{sessions:?}");
    }
}

/// Somebody whose stored hash is as expensive as the server's settings.
fn slow_person(server: &TestServer, name: &str) -> propusk_tests::server::Person {
    use propusk_crypto::{PasswordHasher, PasswordParams, SystemRandom};
    let person = server.add_user(name, "user");
    let params = PasswordParams { memory_kib: 131_072, iterations: 4, parallelism: 1 };
    let hash = PasswordHasher::new(params, 1).unwrap().hash(&person.password, &SystemRandom).unwrap();
    let sub = person.user.sub.clone();
    let user = server.admin(move |cx| propusk_domain::admin::users::set_password(cx, &sub, hash.clone()));
    propusk_tests::server::Person { user, ..person }
}

#[test]
fn a_forwarded_address_from_a_stranger_is_not_believed() {
    let server = TestServer::start(Backend::Sqlite);
    server.add_user("anna", "user");
    let form = OpenForm::at(&server.issuer);
    guesses_until_slowed(20, |count| form.post_from(&format!("198.51.100.{count}"), "anna", "guess"));
    // Behind a proxy only the entry that the proxy wrote counts: what stands to its left came from the client.
    let server = TestServer::with(Backend::Sqlite, &[PROXY]);
    server.add_user("anna", "user");
    let form = OpenForm::at(&server.issuer);
    guesses_until_slowed(20, |count| form.post_from(&format!("198.51.100.{count}, 203.0.113.7"), "anna", "guess"));
}

#[test]
fn names_cannot_be_told_apart_by_the_page() {
    let server = TestServer::start(Backend::Sqlite);
    server.add_user("anna", "user");
    let oleg = server.add_user("oleg", "user");
    server.admin(move |cx| propusk_domain::admin::users::disable(cx, &oleg.user.sub));
    server.settle();
    let form = OpenForm::at(&server.issuer);
    let seen = ["anna", "oleg", "nina"].map(|name| {
        let right = if name == "oleg" { "correct horse oleg" } else { "guess" };
        let response = form.post(name, right);
        let names: std::collections::BTreeSet<String> = response.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let reference = html::text_of(&response.text(), "error-reference").unwrap();
        (response.status, names, response.text().replace(name, "NAME").replace(&reference, "REFERENCE"))
    });
    assert_eq!(seen[0].0, 403);
    assert_eq!(seen[0], seen[1], "a disabled person looks like a wrong password");
    assert_eq!(seen[0], seen[2], "nobody looks like a wrong password");
    // The pauses tell nothing either: a name that nobody has is slowed after as many guesses.
    let slowed = ["anna", "nina"].map(|name| guesses_until_slowed(20, |_| form.post(name, "guess")));
    assert_eq!(slowed[0], slowed[1]);
    // Nor does the record hold the name: somebody may have typed a password into the wrong field.
    let record = refusal(&server, "unknown_user");
    assert_eq!(record.detail.received.as_deref(), Some("4 characters beginning with n"));
}

#[test]
fn names_cannot_be_told_apart_by_the_work() {
    let cost = [("password.memory_kib", "65536"), ("password.iterations", "2"), ("password.permits", "1")];
    let unthrottled = [("login.account_at_address", "1000"), ("login.account", "1000")];
    let server = TestServer::with(Backend::Sqlite, &[cost.as_slice(), &unthrottled].concat());
    let params = propusk_crypto::PasswordParams { memory_kib: 65_536, iterations: 2, parallelism: 1 };
    let hash = propusk_crypto::PasswordHasher::new(params, 1).unwrap().hash("right", &propusk_crypto::SystemRandom).unwrap();
    for name in ["anna", "oleg"] {
        let (sub, hash) = (server.add_user(name, "user").user.sub, hash.clone());
        server.admin(move |cx| propusk_domain::admin::users::set_password(cx, &sub, hash.clone()));
        if name == "oleg" {
            let sub = server.look(|cx| Ok(cx.store.find_user_by_name("oleg")?)).unwrap().sub;
            server.admin(move |cx| propusk_domain::admin::users::disable(cx, &sub));
        }
    }
    let form = OpenForm::at(&server.issuer);
    // The least of several is the work itself, to which a busy machine only adds: where the work is the same, the least times
    // meet after some rounds; where no hash is computed they never do.
    let mut least = [Duration::MAX; 3];
    for _ in 0..40 {
        for (least, (name, password)) in least.iter_mut().zip([("anna", "guess"), ("nina", "guess"), ("oleg", "right")]) {
            let began = Instant::now();
            assert_eq!(form.post(name, password).status, 403);
            *least = began.elapsed().min(*least);
        }
        let (shortest, longest) = (least.iter().min().unwrap(), least.iter().max().unwrap());
        if 2 * *longest < 3 * *shortest {
            return;
        }
    }
    panic!("a wrong password, nobody, a disabled person: {least:?}");
}

#[test]
fn a_flood_of_sign_ins_meets_a_bounded_queue() {
    let heavy = [("password.memory_kib", "131072"), ("password.iterations", "2"), ("password.permits", "1"), ("password.queue", "1")];
    let server = Arc::new(TestServer::with(Backend::Sqlite, &heavy));
    let site = server.add_client("rocketchat", Preset::RocketChat);
    let form = Arc::new(OpenForm::at(&server.issuer));
    let start = Arc::new(Barrier::new(12));
    let threads: Vec<_> = (0..12)
        .map(|index| {
            let (form, start) = (Arc::clone(&form), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                form.post(&format!("somebody{index}"), "guess")
            })
        })
        .collect();
    // Others are served meanwhile: hashing holds neither the workers nor the database.
    let began = Instant::now();
    assert_eq!(server.token(&site, &[("grant_type", "client_credentials")]).status, 400);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let answers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!busy.is_empty() && answers.iter().any(|answer| answer.status == 403), "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| matches!(answer.status, 403 | 503)));
    for answer in busy {
        assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0)));
        assert!(html::has_id(&answer.text(), "login-notice"));
    }
    assert_eq!(form.post("afterwards", "guess").status, 403, "the queue empties by itself");
    refusal(&server, "hash_queue_full");
}
