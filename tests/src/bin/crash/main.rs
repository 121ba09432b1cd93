//! `kill -9` under load, again and again. The journal of what was acknowledged lives in this process, outside the server; after each
//! kill the server is started on what is left and the journal is held against it:
//!
//! - every acknowledged refresh token still works, every acknowledged session is still signed in;
//! - a code that was acknowledged and not presented works once, and no code works twice;
//! - nothing that was revoked, ended or disabled lives again.
//!
//! `crash --rounds N --binary PROPUSK [--threads N]`; a sixth of the rounds run on PostgreSQL with Redis (`PROPUSK_TEST_POSTGRES`,
//! `PROPUSK_TEST_REDIS`). The last line is `N passed, N failed`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test program reports a broken expectation by panicking"
)]

mod journal;
mod place;
mod worker;

use place::Place;
use propusk_crypto::{Random, SystemRandom};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use worker::Worker;

/// The earliest and the latest moment of the kill, in milliseconds after the load has begun.
const KILL_BETWEEN: (u64, u64) = (40, 900);

struct Options {
    rounds: usize,
    threads: usize,
    binary: PathBuf,
}

fn main() -> ExitCode {
    let options = options();
    let on_postgres = (options.rounds / 6).max(1);
    let began = Instant::now();
    let mut failed = 0;
    failed += campaign(Place::sqlite(&options.binary), "SQLite", options.rounds - on_postgres, options.threads);
    failed += campaign(Place::postgres(&options.binary), "PostgreSQL and Redis", on_postgres, options.threads);
    println!("{} s", began.elapsed().as_secs());
    println!("{} passed, {failed} failed", options.rounds - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::disallowed_methods, reason = "a program reads its arguments")]
fn options() -> Options {
    let mut options = Options { rounds: 30, threads: 6, binary: PathBuf::from("target/release/propusk") };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        match name.as_str() {
            "--rounds" => options.rounds = value.parse().expect("a number of rounds"),
            "--threads" => options.threads = value.parse().expect("a number of threads"),
            "--binary" => options.binary = PathBuf::from(value),
            other => panic!("unknown option {other}"),
        }
    }
    assert!(options.rounds >= 2, "at least two rounds, one a pair of databases");
    options
}

/// All rounds on one database; how many failed.
fn campaign(place: Place, name: &str, rounds: usize, threads: usize) -> usize {
    let place = Arc::new(place);
    let mut failed = 0;
    let mut server = place.start();
    let mut workers: Vec<Worker> = (0..threads).map(|number| Worker::new(Arc::clone(&place), number)).collect();
    for round in 1..=rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let running: Vec<_> = workers
            .into_iter()
            .map(|mut worker| {
                let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
                std::thread::spawn(move || {
                    worker.load(&stop, &acknowledged);
                    worker
                })
            })
            .collect();
        let lived = Duration::from_millis(between(KILL_BETWEEN));
        std::thread::sleep(lived);
        // SIGKILL: no handler runs, nothing is flushed. The load goes on until it notices.
        server.kill();
        stop.store(true, Ordering::Release);
        let ended: Result<Vec<Worker>, _> = running.into_iter().map(JoinHandle::join).collect();
        let Ok(back) = ended else {
            // Its own sentence stands above; the journal is lost with it.
            println!("FAIL round {round} on {name}: an answer under load was wrong, the rounds that were left are not run");
            return failed + rounds + 1 - round;
        };
        workers = back;
        server = place.start();
        let checking: Vec<_> = workers
            .into_iter()
            .map(|mut worker| {
                std::thread::spawn(move || {
                    let problems = worker.check();
                    (worker, problems)
                })
            })
            .collect();
        let mut problems = Vec::new();
        let mut checks = 0;
        workers = Vec::new();
        for thread in checking {
            let (worker, found) = thread.join().expect("a check that ends");
            checks += worker.checks;
            workers.push(worker);
            problems.extend(found);
        }
        problems.extend(place.panics());
        println!(
            "{} round {round} on {name}: killed after {} ms, {} acknowledged, {checks} checked",
            if problems.is_empty() { "ok  " } else { "FAIL" },
            lived.as_millis(),
            acknowledged.load(Ordering::Relaxed),
        );
        for problem in &problems {
            println!("     {problem}");
        }
        failed += usize::from(!problems.is_empty());
    }
    server.kill();
    failed
}

fn between((least, most): (u64, u64)) -> u64 {
    least + random_below(most - least)
}

/// A random number below `end`.
pub(crate) fn random_below(end: u64) -> u64 {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    u64::from_le_bytes(bytes) % end.max(1)
}
