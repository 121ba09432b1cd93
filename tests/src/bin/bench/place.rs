//! The server under measurement and the installation behind it.

use crate::Options;
use propusk_server::{Instance, Settings};
use propusk_tests::connection::Connection;
use propusk_tests::http::Request;
use propusk_tests::postgres::TemporaryDatabase;
use propusk_tests::server::{free_port, service};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

/// A process whose CPU time and memory are read.
pub(crate) struct Measured(pub Child);

impl Measured {
    /// User and system time so far, in microseconds; the kernel counts in hundredths of a second.
    pub(crate) fn cpu_micros(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).expect("a running process");
        let fields: Vec<&str> = stat.rsplit_once(')').expect("a command name").1.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
        ticks * 10_000.0
    }

    /// Resident memory.
    pub(crate) fn rss_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("a running process");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).expect("a number").parse::<f64>().expect("KiB") / 1024.0
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Place {
    pub issuer: String,
    pub instance: Instance,
    pub server: Measured,
    pub people: Vec<crate::people::Somebody>,
    /// Refresh tokens of grants that were there before, where the database was filled.
    pub preloaded: Vec<String>,
    /// How many of them were used.
    pub used: AtomicUsize,
    _directory: tempfile::TempDir,
    _database: Option<TemporaryDatabase>,
}

impl Place {
    pub(crate) fn sqlite(options: &Options) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}/propusk.db", directory.path().display());
        Self::new(options, directory, vec![("database.url", url)], None)
    }

    pub(crate) fn postgres(options: &Options) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let database = TemporaryDatabase::create();
        let prefix = format!("{}:", directory.path().file_name().expect("a name").to_string_lossy());
        let settings = vec![("database.url", database.url.clone()), ("redis.url", service("PROPUSK_TEST_REDIS")), ("redis.prefix", prefix)];
        Self::new(options, directory, settings, Some(database))
    }

    fn new(options: &Options, directory: tempfile::TempDir, settings: Vec<(&str, String)>, database: Option<TemporaryDatabase>) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let issuer = format!("http://{address}");
        let path = directory.path();
        let mut all = vec![("issuer", issuer.clone()), ("http.listen", address), ("keys.master_key_file", format!("{}/master.key", path.display()))];
        all.extend(settings);
        let instance = Instance::open(Settings::from_map(all.clone()).expect("settings")).expect("an installation");
        let people = crate::people::populate(&instance);
        let server = spawn(options, &all, path);
        wait_for(&issuer);
        Self { issuer, instance, server, people, preloaded: Vec::new(), used: AtomicUsize::new(0), _directory: directory, _database: database }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// Fills the database behind the running server; how long it took.
    pub(crate) fn preload(&mut self, people: usize, grants: usize) -> Duration {
        let began = Instant::now();
        (self.people, self.preloaded) = crate::people::preload(&self.instance, people, grants);
        began.elapsed()
    }
}

fn spawn(options: &Options, settings: &[(&str, String)], path: &Path) -> Measured {
    // The log is written, as in production.
    let log = File::options().create(true).append(true).open(path.join("server.log")).expect("a log");
    let mut command = Command::new(&options.binary);
    command.arg("serve").stdout(Stdio::null()).stderr(log);
    command.envs(settings.iter().map(|(key, value)| (format!("PROPUSK__{}", key.replace('.', "__").to_uppercase()), value.as_str())));
    Measured(command.spawn().expect("the binary"))
}

fn wait_for(issuer: &str) {
    let health = format!("{issuer}/healthz");
    let began = Instant::now();
    while !Connection::open(&health).and_then(|mut connection| connection.send(&Request::get(&health))).is_ok_and(|response| response.status == 200) {
        assert!(began.elapsed() < Duration::from_secs(20), "the server does not start");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Times from the start of the process to its first answer, on a database that exists.
pub(crate) fn starts(options: &Options) -> Vec<Duration> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let address = format!("127.0.0.1:{}", free_port());
    let issuer = format!("http://{address}");
    let settings = [
        ("issuer", issuer.clone()),
        ("http.listen", address),
        ("database.url", format!("sqlite:{}/propusk.db", path.display())),
        ("keys.master_key_file", format!("{}/master.key", path.display())),
    ];
    drop(Instance::open(Settings::from_map(settings.clone()).expect("settings")).expect("an installation"));
    (0..7)
        .map(|_| {
            let began = Instant::now();
            let _server = spawn(options, &settings, path);
            wait_for(&issuer);
            began.elapsed()
        })
        .collect()
}
