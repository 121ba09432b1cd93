//! The authorization server's rules as synchronous functions over a [`store::Store`], a `now` and randomness; no I/O.

pub mod access_token;
pub mod admin;
pub mod authorize;
pub mod cause;
mod cause_advice;
pub mod client;
pub mod client_auth;
pub mod context;
pub mod end_session;
pub mod ephemeral;
pub mod error;
pub mod flow;
pub mod grant;
pub mod ids;
pub mod introspect;
pub mod keys;
pub mod login;
pub mod policy;
pub mod records;
pub mod refresh;
pub mod revoke;
pub mod rocketchat;
pub mod roles;
pub mod session;
pub mod store;
pub mod throttle;
pub mod time;
pub mod token;
pub mod trace;
pub mod user;
pub mod userinfo;

pub use cause::Cause;
pub use context::{Audit, Cx};
pub use error::{Detail, Error, Fault, Refusal, Result};
pub use policy::Policy;
pub use time::UnixTime;
