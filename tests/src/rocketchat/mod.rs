//! A faithful Rocket.Chat as far as an authorization server can see it: the legacy Meteor flow, the modern Passport flow, the REST
//! token login and the GitLab provider, and the user record that each would end with.
//!
//! * [`config`]: the provider's settings with their defaults;
//! * [`start`]: the authorize URL;
//! * [`exchange`]: token and identity requests as raw bytes, and how their answers are judged;
//! * [`callback`]: what happens at `/_oauth/<key>`, and the login that follows;
//! * [`normalize`]: from the identity to the fields of a user;
//! * [`upsert`]: the user store, merging, roles and channels;
//! * [`rest`]: the same chat's REST API on a port.
//!
//! ```no_run
//! use propusk_tests::rocketchat::{Config, LoginStyle, Profile, RocketChat, Wire};
//! let config = Config::recommended("http://127.0.0.1:3000", "http://127.0.0.1:8080", "rocketchat", "secret");
//! let mut chat = RocketChat::new(config, Profile::LegacyWeb(LoginStyle::Redirect));
//! let start = chat.start("browser", "http://127.0.0.1:3000/home", 0).unwrap();
//! // … a person follows start.url and comes back:
//! let answer = chat.callback("browser", "http://127.0.0.1:3000/_oauth/besedka?code=c&state=s", &mut Wire, 1);
//! let login = chat.finish(answer, 2);
//! ```
//!
//! Not modelled: the statefulness of the template expression (a global regular expression's `lastIndex`), avatars, LDAP data.

pub mod callback;
pub mod config;
pub mod entropy;
pub mod exchange;
pub mod normalize;
pub mod pattern;
pub mod rest;
pub mod roles;
pub mod start;
pub mod upsert;

pub use callback::{CallbackAnswer, RocketChat};
pub use config::{Config, Generation, KeyField, LoginStyle, Profile, SentVia};
pub use entropy::Entropy;
pub use exchange::{Transport, Wire};
pub use start::{ModernSession, Start, StartError};
pub use upsert::{Email, Login, Role, Room, User, Workspace};

#[cfg(test)]
mod tests;
