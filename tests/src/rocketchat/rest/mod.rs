//! A stand-in of Rocket.Chat's REST API on a free port of this machine.
//!
//! It keeps one [`State`]: the accounts, roles and rooms of the login simulator ([`State::chat`]) beside settings, tokens and permissions,
//! so that what a browser login makes is what `users.info` shows, and what `settings.addCustomOAuth` and `settings/:id` set is what the next
//! login uses. It refuses what the real one refuses: see `tests.rs`, which is drawn from the facts.
//!
//! ```no_run
//! use propusk_tests::rocketchat::rest::{ChatServer, Edition, Fault};
//! let chat = ChatServer::start(Edition::community(8, 6));
//! let (user_id, token) = chat.state().admin_token();       // X-User-Id, X-Auth-Token; needs no second factor
//! chat.state().chat.workspace.add_role("Xk2vip", "vip");
//! chat.state().chat.workspace.add_room("vip", "root", true).members.push(user_id.clone());
//! chat.state().fault("roles.addUserToRole", Fault::Status(500), 2);
//! // … the code under test talks to chat.url() …
//! assert_eq!(chat.state().count("roles.addUserToRole"), 3);
//! assert!(chat.state().take_calls().iter().all(|call| call.endpoint != "users.logout"));
//! ```
//!
//! * A private room is seen by `groups.…` only, and only by its members: make the connector's user one.
//! * `users.createToken` wants [`State::create_tokens`] (7.x) or [`State::create_tokens_secret`] (8.0 and later).
//! * [`State::permit`] gives and takes permissions; administrators have all to begin with.
//! * [`Fault`] and [`State::fault`] spoil the next requests; [`ChatServer::stop`] and [`ChatServer::resume`] are a restart: the port is closed
//!   meanwhile, and the state stays.
//! * [`State::changes`] counts what changed something, for tests of idempotence.
//! * Outside `/api/` there are pages for a browser: `/home`, `/channel/NAME`, the button `/oauth/besedka`, iframe authentication.
//! * A guard of [`ChatServer::state`] must not be held while the code under test talks to the chat.

pub mod answer;
mod catalogue;
pub mod faults;
mod front;
pub mod http;
mod login;
mod provider;
mod roles;
mod rooms;
mod route;
mod settings;
pub mod state;
mod users;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

pub use faults::{Fault, Gate};
pub use state::{Call, Edition, State, Token};

/// A running chat; stops when it is dropped.
pub struct ChatServer {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
    running: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl ChatServer {
    /// A fresh chat of this edition on a free port.
    pub fn start(edition: Edition) -> Self {
        Self::start_on(edition, crate::server::free_port())
    }

    /// The same on a given port of the loopback interface.
    pub fn start_on(edition: Edition, port: u16) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let state = Arc::new(Mutex::new(State::new(edition, &format!("http://{address}"))));
        let mut server = Self { state, address, running: None };
        server.resume();
        server
    }

    /// `http://127.0.0.1:PORT`, also the chat's `Site_Url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it knows.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the port. What the chat knows stays.
    pub fn stop(&mut self) {
        if let Some((stopped, thread)) = self.running.take() {
            stopped.store(true, Ordering::SeqCst);
            // Wakes the listener, which then sees the flag.
            drop(TcpStream::connect(self.address));
            thread.join().expect("the listener ends in order");
        }
    }

    /// Opens the same port again.
    pub fn resume(&mut self) {
        if self.running.is_some() {
            return;
        }
        let listener = TcpListener::bind(self.address).expect("the chat's port");
        let stopped = Arc::new(AtomicBool::new(false));
        let (state, flag) = (Arc::clone(&self.state), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            http::serve(listener, flag, move |request| {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                route::handle(&mut state, request)
            });
        });
        self.running = Some((stopped, thread));
    }
}

impl Drop for ChatServer {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests;
