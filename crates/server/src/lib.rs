//! The HTTP surface: settings, endpoints, pages, background tasks. It knows HTTP and no rule.

pub mod backup;
mod bearer;
mod bridge;
pub mod cache;
pub mod clock;
mod compat;
mod endpoints;
mod error;
mod extract;
pub mod instance;
mod last_uses;
mod lookup;
mod mail;
pub mod metrics;
mod middleware;
pub mod outbound;
pub mod outbox;
pub mod pages;
mod password;
mod password_strength;
mod refusals;
mod request_id;
pub mod rocketchat;
mod routes;
pub mod serve;
pub mod settings;
mod state;
mod tasks;
pub mod telemetry;
pub mod trace;

pub use instance::Instance;
pub use serve::serve;
pub use settings::Settings;
