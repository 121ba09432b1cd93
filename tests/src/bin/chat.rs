//! The stand-in of Rocket.Chat as a process, for the demonstration and for tests in a browser: its REST API and its pages on a port of this
//! machine, with an administrator `root`, and the channels and the role that the default role map speaks of. What it knows is in memory.
//!
//! `chat --listen 127.0.0.1:3000 [--edition 8.9] [--create-token-secret-file FILE] [--admin-file FILE] [--proxy-headers FILE]`
//!
//! `--admin-file` names where the administrator's access go: `{"user_id", "token"}`; `--proxy-headers` has lines `Name: value` that its pages are sent with.
//! Ends with the signal that ends it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test program reports what is wrong by panicking"
)]

use propusk_tests::rocketchat::entropy::ALPHANUMERIC;
use propusk_tests::rocketchat::rest::{ChatServer, Edition};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

struct Options {
    listen: SocketAddr,
    edition: Edition,
    secret_file: Option<PathBuf>,
    admin_file: Option<PathBuf>,
    proxy_headers: Option<PathBuf>,
}

fn main() {
    let options = options();
    let chat = ChatServer::start_on(options.edition, options.listen.port());
    if let Some(file) = &options.secret_file {
        let secret = std::fs::read_to_string(file).expect("the file of the secret");
        chat.state().create_tokens_secret = Some(secret.trim_end().to_owned());
    }
    chat.state().proxy_headers = options.proxy_headers;
    let (user_id, token) = chat.state().admin_token();
    {
        let mut state = chat.state();
        // As in the real one, no account of this run has the `_id` of another's in an earlier run.
        state.chat.workspace.id_prefix = state.chat.entropy.string(17, ALPHANUMERIC);
        state.chat.workspace.add_role("Xk2vip", "vip");
        for (name, private) in [("vip", true), ("moderators", false)] {
            state.chat.workspace.add_room(name, "root", private).members.push(user_id.clone());
        }
    }
    if let Some(file) = &options.admin_file {
        write_private(file, &serde_json::json!({ "user_id": user_id, "token": token }).to_string());
    }
    println!("{}", chat.url());
    loop {
        std::thread::park();
    }
}

fn write_private(file: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file).expect("the administrator's file");
    file.write_all(text.as_bytes()).expect("the administrator's file");
}

fn options() -> Options {
    let mut options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
        edition: Edition::community(8, 9),
        secret_file: None,
        admin_file: None,
        proxy_headers: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        match name.as_str() {
            "--listen" => options.listen = value.parse().expect("--listen is an address of this machine and a port"),
            "--edition" => {
                let (major, minor) = value.split_once('.').expect("--edition is like 8.9");
                options.edition = Edition::community(major.parse().expect("a number"), minor.parse().expect("a number"));
            }
            "--create-token-secret-file" => options.secret_file = Some(value.into()),
            "--admin-file" => options.admin_file = Some(value.into()),
            "--proxy-headers" => options.proxy_headers = Some(value.into()),
            other => panic!("unknown argument {other}"),
        }
    }
    assert!(options.listen.ip().is_loopback(), "--listen: a stand-in belongs on the loopback interface");
    options
}
