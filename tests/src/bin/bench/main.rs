//! Speed and memory of the release binary, as ratios to floors measured in the same run on the same cores.
//!
//! `bench --binary PROPUSK [--seconds N] [--large] [--sqlite] [--only TEXT]` prints a Markdown table and writes `tests/artifacts/bench.json`.
//! `bench --hello ADDRESS DATABASE` is the floor: a bare actix-web server. Load comes from `wrk`, and from this process where an input can be
//! used once (codes, refresh tokens). What server CPU means: user and system time of the server's process by `/proc/PID/stat`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::format_push_string,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measuring program stops at the first surprise and counts in floating point"
)]

mod floors;
mod load;
mod people;
mod place;
mod report;
mod rows;

use place::Place;
use report::Report;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) struct Options {
    pub binary: PathBuf,
    /// How long one measurement of a row takes; a row and its floor alternate.
    pub slice: Duration,
    pub large: bool,
    /// Whether PostgreSQL and Redis are left out.
    pub sqlite: bool,
    pub only: Option<String>,
}

fn main() {
    let arguments: Vec<String> = arguments();
    if let [name, address, database] = arguments.as_slice()
        && name == "--hello"
    {
        floors::serve_hello(address, database);
        return;
    }
    let options = options(arguments);
    let mut report = Report::default();
    let directory = tempfile::tempdir().expect("a directory");
    let hello = floors::Hello::start(&format!("sqlite:{}/hello.db", directory.path().display()));
    report.start(&place::starts(&options));
    let mut sqlite = Place::sqlite(&options);
    report.memory("SQLite, started", sqlite.server.rss_mib(), Some(20.0));
    rows::all(&options, &mut sqlite, &hello, &mut report, "");
    report.memory("SQLite, loaded", sqlite.server.rss_mib(), Some(64.0));
    if options.large {
        let took = sqlite.preload(100_000, 1_000_000);
        println!("100,000 people and 1,000,000 grants were written in {} s", took.as_secs());
        let mut again = Report::default();
        rows::all(&options, &mut sqlite, &hello, &mut again, "");
        report.compare(&again);
    } else if !options.sqlite {
        drop(sqlite);
        let mut postgres = Place::postgres(&options);
        report.memory("PostgreSQL and Redis, started", postgres.server.rss_mib(), Some(20.0));
        rows::on_postgres(&options, &mut postgres, &hello, &mut report);
        report.memory("PostgreSQL and Redis, loaded", postgres.server.rss_mib(), Some(64.0));
    }
    report.print();
    report.save("tests/artifacts/bench.json");
}

fn arguments() -> Vec<String> {
    std::env::args().skip(1).collect()
}

fn options(arguments: Vec<String>) -> Options {
    let mut options =
        Options { binary: PathBuf::from("target/release/propusk"), slice: Duration::from_secs(2), large: false, sqlite: false, only: None };
    let mut arguments = arguments.into_iter();
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        match name.as_str() {
            "--binary" => options.binary = PathBuf::from(value()),
            "--seconds" => options.slice = Duration::from_secs_f64(value().parse().expect("seconds")),
            "--large" => options.large = true,
            "--sqlite" => options.sqlite = true,
            "--only" => options.only = Some(value()),
            other => panic!("unknown option {other}"),
        }
    }
    options
}
