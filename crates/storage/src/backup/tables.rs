//! Which tables a backup holds. A migration that adds a table adds it here; a test compares the two.

/// What is kept, parents before the rows that refer to them.
pub(super) const KEPT: [&str; 24] = [
    "users",
    "sign_in_names",
    "clients",
    "client_secrets",
    "sessions",
    "grants",
    "consents",
    "personal_tokens",
    "roles",
    "role_maps",
    "sealed_keys",
    "denied_tokens",
    "audit",
    "refusals",
    "flow_steps",
    "outbox",
    "session_clients",
    "chat_people",
    "chat_tokens",
    "chat_state",
    "numeric_ids",
    "imported_users",
    "imported_clients",
    "adopted_tokens",
];

/// What is left out: what may be lost without harm, and the feed that tells running processes what changed.
pub(super) const LEFT: [&str; 3] = ["changes", "change_counter", "ephemeral"];
