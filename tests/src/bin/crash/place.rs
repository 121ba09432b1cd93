//! One installation of the real binary: its directory, its settings, its process.

use propusk_tests::connection::Connection;
use propusk_tests::http::Request;
use propusk_tests::postgres::TemporaryDatabase;
use propusk_tests::server::{free_port, service};
use serde_json::Value;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where every client sends its people back to; nobody listens there.
pub(crate) const CALLBACK: &str = "https://app.example/cb";

/// The client of the whole campaign.
pub(crate) const CLIENT: &str = "app";

pub(crate) struct Place {
    pub issuer: String,
    pub secret: String,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    directory: tempfile::TempDir,
    _database: Option<TemporaryDatabase>,
}

/// A running server.
pub(crate) struct Server(Child);

impl Server {
    /// Ends it by SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("a server that still ran");
        self.0.wait().expect("the end of the server");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only for the way out of a panic: it may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Place {
    pub(crate) fn sqlite(binary: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}/propusk.db", directory.path().display());
        Self::new(binary, directory, vec![("DATABASE__URL", url)], None)
    }

    pub(crate) fn postgres(binary: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let database = TemporaryDatabase::create();
        let prefix = format!("{}:", directory.path().file_name().expect("a name").to_string_lossy());
        let settings = vec![("DATABASE__URL", database.url.clone()), ("REDIS__URL", service("PROPUSK_TEST_REDIS")), ("REDIS__PREFIX", prefix)];
        Self::new(binary, directory, settings, Some(database))
    }

    fn new(binary: &Path, directory: tempfile::TempDir, settings: Vec<(&str, String)>, database: Option<TemporaryDatabase>) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let issuer = format!("http://{address}");
        let mut all = vec![
            ("ISSUER", issuer.clone()),
            ("HTTP__LISTEN", address),
            ("KEYS__MASTER_KEY_FILE", format!("{}/master.key", directory.path().display())),
            // The load is meant for the database, not for the password hash.
            ("PASSWORD__MEMORY_KIB", "64".to_owned()),
            ("PASSWORD__ITERATIONS", "1".to_owned()),
            // A kill between the count of an attempt and its success leaves the attempt counted.
            ("LOGIN__ACCOUNT_AT_ADDRESS", "1000000".to_owned()),
            ("LOGIN__ACCOUNT", "1000000".to_owned()),
            ("LOGIN__ADDRESS", "1000000".to_owned()),
            ("LOG__LEVEL", "warn".to_owned()),
        ];
        all.extend(settings);
        let environment = all.into_iter().map(|(key, value)| (format!("PROPUSK__{key}"), value)).collect();
        let mut place = Self { issuer, secret: String::new(), binary: binary.to_owned(), environment, directory, _database: database };
        let added = place.verb(&["client", "add", CLIENT, "--preset", "web", "--redirect-uri", CALLBACK, "--first-party"], None);
        added["client_secret"].as_str().expect("a secret").clone_into(&mut place.secret);
        place
    }

    /// Starts the server and waits for its first answer.
    pub(crate) fn start(&self) -> Server {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log");
        let mut server = Server(self.command(&["serve"]).stdout(Stdio::null()).stderr(log).spawn().expect("a server"));
        let began = Instant::now();
        let health = format!("{}/healthz", self.issuer);
        loop {
            let answered = Connection::open(&health).and_then(|mut connection| connection.send(&Request::get(&health)));
            if answered.is_ok_and(|response| response.status == 200) {
                return server;
            }
            let ended = server.0.try_wait().expect("the state of the server");
            assert!(ended.is_none() && began.elapsed() < Duration::from_secs(20), "the server does not start again:\n{}", self.log_text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs a verb of the command line in a process of its own; its JSON.
    pub(crate) fn verb(&self, arguments: &[&str], input: Option<&str>) -> Value {
        let mut command = self.command(arguments);
        command.arg("--json").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary");
        child.stdin.take().expect("its input").write_all(input.unwrap_or_default().as_bytes()).expect("its input");
        let output = child.wait_with_output().expect("its end");
        assert!(output.status.success(), "propusk {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Panics of the server: none is harmless.
    pub(crate) fn panics(&self) -> Vec<String> {
        self.log_text().lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(self.directory.path());
        command.envs(self.environment.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        command
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("server.log")
    }

    fn log_text(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = File::open(self.log()) {
            file.read_to_end(&mut text).expect("the log");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}
