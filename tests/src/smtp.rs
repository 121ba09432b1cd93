//! A mail server that keeps what it is given (RFC 5321, as much as a sender needs).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A mail that was taken.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipient.
    pub to: String,
    /// The headers, unfolded.
    pub headers: String,
    /// The text, decoded.
    pub text: String,
}

impl Mail {
    /// The one link in the text.
    pub fn link(&self) -> &str {
        self.text.lines().find(|line| line.starts_with("http")).expect("a link")
    }
}

/// The server; ends when it is dropped.
pub struct MailServer {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    refusal: Mutex<Option<String>>,
    refused: Mutex<usize>,
    mails: Mutex<Vec<Mail>>,
}

impl MailServer {
    /// One that takes everything.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", crate::server::free_port())).expect("a free port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("a listener");
        let shared = Arc::<Shared>::default();
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&listener, &shared)
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// Settings that lead to it.
    pub fn settings(&self) -> Vec<(String, String)> {
        let url = format!("smtp://{}", self.address);
        [("smtp.url", url.as_str()), ("smtp.from", "Propusk <noreply@example.org>"), ("smtp.starttls", "false")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .to_vec()
    }

    /// What it answers to recipients from now on; `None` takes them.
    pub fn refuse(&self, answer: Option<&str>) {
        *lock(&self.shared.refusal) = answer.map(str::to_owned);
    }

    /// How many recipients were refused.
    pub fn refused(&self) -> usize {
        *lock(&self.shared.refused)
    }

    /// The mails so far.
    pub fn mails(&self) -> Vec<Mail> {
        lock(&self.shared.mails).clone()
    }

    /// Waits until so many mails have come.
    pub fn wait(&self, count: usize) -> Vec<Mail> {
        wait_until(|| self.mails().len() >= count);
        self.mails()
    }
}

/// Waits for a condition, a minute at most.
pub fn wait_until(condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "waited for a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.stop.load(Ordering::Acquire) {
        match listener.accept() {
            Ok((stream, _)) => {
                let shared = Arc::clone(shared);
                std::thread::spawn(move || drop(converse(&stream, &shared)));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn converse(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    writer.write_all(b"220 sink ESMTP\r\n")?;
    let (mut from, mut to) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer = match word.as_str() {
            "EHLO" | "HELO" => "250-sink\r\n250 8BITMIME".to_owned(),
            "MAIL" => {
                from = bracketed(&line);
                "250 ok".to_owned()
            }
            "RCPT" => {
                to = bracketed(&line);
                let refusal = lock(&shared.refusal).clone();
                *lock(&shared.refused) += usize::from(refusal.is_some());
                refusal.unwrap_or_else(|| "250 ok".to_owned())
            }
            "DATA" => {
                writer.write_all(b"354 go on\r\n")?;
                lock(&shared.mails).push(read_mail(&mut reader, &from, &to)?);
                "250 taken".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "250 ok".to_owned(),
        };
        writer.write_all(format!("{answer}\r\n").as_bytes())?;
        if word == "QUIT" {
            return Ok(());
        }
    }
}

fn bracketed(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

fn read_mail(reader: &mut impl BufRead, from: &str, to: &str) -> std::io::Result<Mail> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == ".\r\n" {
            break;
        }
        lines.push(line.strip_prefix('.').unwrap_or(&line).trim_end_matches(['\r', '\n']).to_owned());
    }
    let whole = lines.join("\n");
    let (headers, body) = whole.split_once("\n\n").unwrap_or((&whole, ""));
    let headers = headers.replace("\n ", " ");
    let encoding = headers.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-transfer-encoding: ").map(str::to_owned));
    let text = match encoding.as_deref() {
        Some("base64") => decoded(STANDARD.decode(body.replace('\n', "")).unwrap_or_default()),
        Some("quoted-printable") => decoded(unquoted(&body.replace("=\n", ""))),
        _ => body.to_owned(),
    };
    Ok(Mail { from: from.to_owned(), to: to.to_owned(), headers, text: text.replace("\r\n", "\n") })
}

fn unquoted(text: &str) -> Vec<u8> {
    let mut parts = text.split('=');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).unwrap_or(("", part));
        bytes.extend(u8::from_str_radix(code, 16));
        bytes.extend(rest.as_bytes());
    }
    bytes
}

fn decoded(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
