//! A reverse proxy in front of a test's server that spoils what passes through.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A message on its way: head without the empty line, and body.
#[derive(Debug, Clone)]
pub struct Message {
    /// First line and header lines.
    pub head: String,
    /// Body.
    pub body: String,
}

/// What is done to an exchange: with the request's path, to the request before and to the answer after.
pub struct Spoiler {
    /// To the request.
    pub request: fn(&str, &mut Message),
    /// To the answer; an empty head closes the connection.
    pub answer: fn(&str, &mut Message),
}

/// A running proxy; stops when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    spoiler: Arc<Mutex<Option<Spoiler>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy on a free port in front of a port of this machine.
    pub fn start(upstream: u16) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], crate::server::free_port()));
        let listener = TcpListener::bind(address).expect("the proxy's port");
        let (spoiler, stopped) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        let (shared, flag) = (Arc::clone(&spoiler), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if flag.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || stream.and_then(|stream| pass(stream, upstream, &shared)));
            }
        });
        Self { address, spoiler, stopped, thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Spoils from now on, or no longer.
    pub fn spoil(&self, spoiler: Option<Spoiler>) {
        *self.spoiler.lock().unwrap_or_else(PoisonError::into_inner) = spoiler;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the proxy ends in order");
        }
    }
}

fn pass(mut client: TcpStream, upstream: u16, spoiler: &Mutex<Option<Spoiler>>) -> std::io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(30)))?;
    let Some(mut request) = read(&mut client)? else { return Ok(()) };
    let path = request.head.split(' ').nth(1).unwrap_or_default().to_owned();
    let spoil = |message: &mut Message, pick: fn(&Spoiler) -> fn(&str, &mut Message)| {
        if let Some(spoiler) = spoiler.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            pick(spoiler)(&path, message);
        }
    };
    spoil(&mut request, |spoiler| spoiler.request);
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    server.write_all(&bytes(&request))?;
    let Some(mut answer) = read(&mut server)? else { return Ok(()) };
    spoil(&mut answer, |spoiler| spoiler.answer);
    if answer.head.is_empty() { Ok(()) } else { client.write_all(&bytes(&answer)) }
}

/// One connection an exchange, and the length of what is sent.
fn bytes(message: &Message) -> Vec<u8> {
    let own = |line: &&str| !["connection:", "content-length:"].iter().any(|name| line.to_ascii_lowercase().starts_with(name));
    let head: Vec<&str> = message.head.split("\r\n").filter(own).collect();
    format!("{}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", head.join("\r\n"), message.body.len(), message.body).into_bytes()
}

fn read(stream: &mut TcpStream) -> std::io::Result<Option<Message>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 8192]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.split("\r\n").find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return Ok(Some(Message { head, body: String::from_utf8_lossy(&bytes[end + 4..]).into_owned() }));
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
