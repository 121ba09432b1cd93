//! What the rules need remembered. Look-ups are `Result<Option<T>, Fault>`; every state change is a guarded
//! compare-and-set that answers whether this caller won. A write that changes what a cache may hold also records a
//! [`Change`] in the same transaction: the store does that by itself.

use crate::chat::Chat;
use crate::client::Client;
use crate::client::ClientSecret;
use crate::error::Fault;
use crate::grant::Grant;
use crate::imported::Imports;
use crate::outbox::Outbox;
use crate::personal_token::PersonalToken;
use crate::records::{AuditEvent, AuditFilter, Change, Consent, KeyRow, RefusalRecord};
use crate::roles::RoleMap;
use crate::session::Session;
use crate::time::UnixTime;
use crate::trace::{FlowFilter, FlowStep};
use crate::user::{SignInName, User, UserState};

/// A `Result` whose only failure is ours.
pub type Stored<T> = Result<T, Fault>;

/// Which people to list.
#[derive(Debug, Clone, Default)]
pub struct PeoplePage {
    /// After this username.
    pub after: Option<String>,
    /// Whose username, e-mail or name contains this (ignoring case).
    pub search: Option<String>,
    /// With this role.
    pub role: Option<String>,
    /// In this state.
    pub state: Option<UserState>,
    /// At most so many.
    pub limit: i64,
}

/// People and their sign-in names.
pub trait Users {
    /// By subject.
    fn find_user(&mut self, sub: &str) -> Stored<Option<User>>;
    /// By the key of any sign-in name, the username among them.
    fn find_user_by_name(&mut self, key: &str) -> Stored<Option<User>>;
    /// In the order of usernames, after `after`, those whose username, e-mail or name contains `search` (ignoring
    /// case).
    fn list_users(&mut self, after: Option<&str>, search: Option<&str>, limit: i64) -> Stored<Vec<User>>;
    /// A page of people in the order of usernames.
    fn page_users(&mut self, wanted: &PeoplePage) -> Stored<Vec<User>>;
    /// False when the subject or username is taken.
    fn insert_user(&mut self, user: &User) -> Stored<bool>;
    /// Replaces everything but the subject and `created_at`; false when there is no such person or when
    /// `credential_version` is not `expected_version` any more.
    fn update_user(&mut self, user: &User, expected_version: i64) -> Stored<bool>;
    /// Removes the person with names, consents, sessions and grants.
    fn delete_user(&mut self, sub: &str) -> Stored<bool>;
    /// True when the person is active and `credential_version` is still the expected one; holds the row until the
    /// transaction ends (a guarded no-op UPDATE), so that no disabling or password change slips in between.
    fn guard_user(&mut self, sub: &str, expected_version: i64) -> Stored<bool>;
    /// Replaces only the hash, when the version is still the expected one (a rehash, which changes nothing anybody sees).
    fn replace_password_hash(&mut self, sub: &str, expected_version: i64, hash: &str) -> Stored<bool>;
    /// The names of a person, in the order of keys.
    fn list_sign_in_names(&mut self, sub: &str) -> Stored<Vec<SignInName>>;
    /// False when the key is taken, by whomever.
    fn insert_sign_in_name(&mut self, name: &SignInName) -> Stored<bool>;
    /// False when the person has no such name.
    fn delete_sign_in_name(&mut self, sub: &str, key: &str) -> Stored<bool>;
}

/// Clients and their secrets.
pub trait Clients {
    /// With its secrets, newest first.
    fn find_client(&mut self, client_id: &str) -> Stored<Option<Client>>;
    /// All, in the order of identifiers.
    fn list_clients(&mut self) -> Stored<Vec<Client>>;
    /// With its secrets; false when the identifier is taken.
    fn insert_client(&mut self, client: &Client) -> Stored<bool>;
    /// Everything but secrets, preset, standing grant and `created_at`; false when there is none.
    fn update_client(&mut self, client: &Client) -> Stored<bool>;
    /// With secrets, consents and grants.
    fn delete_client(&mut self, client_id: &str) -> Stored<bool>;
    /// Adds a secret.
    fn insert_client_secret(&mut self, client_id: &str, secret: &ClientSecret) -> Stored<()>;
    /// Ends all secrets of the client that live beyond `expires_at`, except `keep`; how many.
    fn expire_client_secrets(&mut self, client_id: &str, keep: &str, expires_at: UnixTime) -> Stored<usize>;
    /// Moves `last_used_at` of a secret forward, never back; no cache is told.
    fn touch_client_secret(&mut self, id: &str, at: UnixTime) -> Stored<()>;
    /// Removes one secret; false when there is none of this identifier.
    fn delete_client_secret(&mut self, client_id: &str, id: &str) -> Stored<bool>;
}

/// Signed-in browsers.
pub trait Sessions {
    /// By the digest of the cookie.
    fn find_session(&mut self, cookie_digest: &str) -> Stored<Option<Session>>;
    /// By `sid`.
    fn find_session_by_sid(&mut self, sid: &str) -> Stored<Option<Session>>;
    /// Those not ended and not beyond `expires_at`, newest first, of one person or of all.
    fn list_sessions(&mut self, sub: Option<&str>, now: UnixTime, limit: i64) -> Stored<Vec<Session>>;
    /// Adds a session.
    fn insert_session(&mut self, session: &Session) -> Stored<()>;
    /// Moves `last_seen_at` forward, never back; false when the session has ended. Holds the row until the transaction
    /// ends, so that a code cannot be issued beside a logout.
    fn touch_session(&mut self, sid: &str, at: UnixTime) -> Stored<bool>;
    /// Gives the session a new cookie and authentication time (session rotation); false when it has ended.
    fn renew_session(&mut self, sid: &str, cookie_digest: &str, auth_time: UnixTime) -> Stored<bool>;
    /// Ends it; false when it had ended.
    fn revoke_session(&mut self, sid: &str, at: UnixTime) -> Stored<bool>;
    /// Those that nobody has ended and that are over, by age or unused since `idle_since`; in the order of people.
    fn list_timed_out_sessions(&mut self, now: UnixTime, idle_since: UnixTime, limit: i64) -> Stored<Vec<Session>>;
    /// Ends it while it is over in that way; false when it is used again, or had ended.
    fn end_timed_out_session(&mut self, sid: &str, now: UnixTime, idle_since: UnixTime) -> Stored<bool>;
    /// Ends all sessions of a person, or all but `kept`; how many.
    fn revoke_sessions_of(&mut self, sub: &str, kept: Option<&str>, at: UnixTime) -> Stored<usize>;
}

/// Which grants to revoke.
#[derive(Debug, Clone, Copy)]
pub enum GrantsOf<'a> {
    /// One grant.
    Id(&'a str),
    /// Those made in a session that do not outlive it (no `offline_access`).
    Session(&'a str),
    /// All of a person.
    User(&'a str),
    /// All of a person but those made in this session.
    UserOutside(&'a str, &'a str),
    /// All of a client, its standing grant excepted.
    Client(&'a str),
    /// All of a person at a client.
    UserAtClient(&'a str, &'a str),
}

/// Grants.
pub trait Grants {
    /// By identifier.
    fn find_grant(&mut self, id: &str) -> Stored<Option<Grant>>;
    /// By the digest of its code.
    fn find_grant_by_code(&mut self, code_digest: &str) -> Stored<Option<Grant>>;
    /// The live ones of a person or client, newest first.
    fn list_grants(&mut self, sub: Option<&str>, client_id: Option<&str>, limit: i64) -> Stored<Vec<Grant>>;
    /// The newest of a client in a session, whatever became of it.
    fn find_session_grant(&mut self, sid: &str, client_id: &str) -> Stored<Option<String>>;
    /// Adds a grant.
    fn insert_grant(&mut self, grant: &Grant) -> Stored<()>;
    /// The single-use gate of a code (RFC 6749 §4.1.2): true for exactly one caller, and only while the grant lives.
    fn redeem_code(&mut self, id: &str, now: UnixTime) -> Stored<bool>;
    /// Moves the refresh generation from `from` to `to`; true for exactly one caller, and only while the grant lives.
    fn advance_refresh(&mut self, id: &str, from: i64, to: i64, now: UnixTime) -> Stored<bool>;
    /// Revokes those that are not; the identifiers of the ones revoked.
    fn revoke_grants(&mut self, which: GrantsOf<'_>, at: UnixTime) -> Stored<Vec<String>>;
    /// Puts one token on the deny list until it expires.
    fn deny_token(&mut self, jti: &str, expires_at: UnixTime) -> Stored<()>;
    /// The deny list: (`jti`, `expires_at`).
    fn list_denied(&mut self, now: UnixTime) -> Stored<Vec<(String, UnixTime)>>;
}

/// Consents.
pub trait Consents {
    /// Of a person to a client.
    fn find_consent(&mut self, sub: &str, client_id: &str) -> Stored<Option<Consent>>;
    /// Of a person to anybody, in the order of client ids.
    fn list_consents(&mut self, sub: &str) -> Stored<Vec<Consent>>;
    /// Replaces what was there.
    fn put_consent(&mut self, consent: &Consent) -> Stored<()>;
    /// False when there was none.
    fn delete_consent(&mut self, sub: &str, client_id: &str) -> Stored<bool>;
}

/// Personal access tokens.
pub trait PersonalTokens {
    /// By digest, revoked and expired ones included.
    fn find_personal_token(&mut self, digest: &str) -> Stored<Option<PersonalToken>>;
    /// By identifier.
    fn find_personal_token_by_id(&mut self, id: &str) -> Stored<Option<PersonalToken>>;
    /// Those not revoked, of a person, of a client or of all, newest first.
    fn list_personal_tokens(&mut self, sub: Option<&str>, client_id: Option<&str>) -> Stored<Vec<PersonalToken>>;
    /// Adds one.
    fn insert_personal_token(&mut self, token: &PersonalToken) -> Stored<()>;
    /// False when there is none or it was revoked.
    fn revoke_personal_token(&mut self, id: &str, at: UnixTime) -> Stored<bool>;
    /// All of a person; how many.
    fn revoke_personal_tokens_of(&mut self, sub: &str, at: UnixTime) -> Stored<usize>;
    /// Moves `last_used_at` forward, never back.
    fn touch_personal_token(&mut self, id: &str, at: UnixTime) -> Stored<()>;
}

/// Roles of the site and the maps to what clients are told.
pub trait Roles {
    /// In the order of names.
    fn list_roles(&mut self) -> Stored<Vec<String>>;
    /// False when it exists.
    fn insert_role(&mut self, role: &str) -> Stored<bool>;
    /// False when there is none.
    fn delete_role(&mut self, role: &str) -> Stored<bool>;
    /// In the order of names.
    fn list_role_maps(&mut self) -> Stored<Vec<RoleMap>>;
    /// Replaces the map of that name.
    fn put_role_map(&mut self, map: &RoleMap) -> Stored<()>;
    /// False when there is none.
    fn delete_role_map(&mut self, name: &str) -> Stored<bool>;
}

/// Sealed keys.
pub trait Keys {
    /// All, oldest first.
    fn list_keys(&mut self) -> Stored<Vec<KeyRow>>;
    /// False when the identifier is taken.
    fn insert_key(&mut self, key: &KeyRow) -> Stored<bool>;
    /// Sets from when on it is used and until when it is published.
    fn update_key(&mut self, kid: &str, active_from: UnixTime, published_until: Option<UnixTime>) -> Stored<bool>;
    /// False when there is none.
    fn delete_key(&mut self, kid: &str) -> Stored<bool>;
}

/// What happened.
pub trait Records {
    /// Adds to the audit trail.
    fn insert_audit(&mut self, event: &AuditEvent) -> Stored<()>;
    /// Reads it, newest first.
    fn list_audit(&mut self, filter: &AuditFilter) -> Stored<Vec<AuditEvent>>;
    /// Adds refusals; one whose reference is taken is dropped.
    fn insert_refusals(&mut self, refusals: &[RefusalRecord]) -> Stored<()>;
    /// By reference, ignoring case.
    fn find_refusal(&mut self, reference: &str) -> Stored<Option<RefusalRecord>>;
    /// The newest first.
    fn list_refusals(&mut self, limit: i64) -> Stored<Vec<RefusalRecord>>;
}

/// The steps of sign-ins.
pub trait Traces {
    /// Adds steps; one whose identifier is taken is dropped.
    fn insert_flow_steps(&mut self, steps: &[FlowStep]) -> Stored<()>;
    /// The flows, the newest first.
    fn list_flows(&mut self, filter: &FlowFilter) -> Stored<Vec<String>>;
    /// The steps of these flows, and those that know the grants of these flows alone, in the order in which they happened.
    fn list_flow_steps(&mut self, flow_ids: &[String]) -> Stored<Vec<FlowStep>>;
}

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Seconds that an ended session or grant is kept, so that a late replay is still recognised.
    pub ended: i64,
    /// Seconds that refusals are kept.
    pub refusals: i64,
    /// How many refusals are kept at most.
    pub refusals_rows: i64,
    /// Seconds that the steps of sign-ins are kept.
    pub traces: i64,
    /// How many of them are kept at most.
    pub traces_rows: i64,
    /// Seconds that audit events are kept.
    pub audit: i64,
    /// Seconds that changes are kept.
    pub changes: i64,
}

/// What keeps caches true and tables small.
pub trait Upkeep {
    /// The sequence number of the newest change; 0 before the first.
    fn latest_change(&mut self) -> Stored<i64>;
    /// The changes after `seq`, oldest first; `None` when some of them have been swept away already.
    fn list_changes(&mut self, seq: i64) -> Stored<Option<Vec<Change>>>;
    /// Removes at most 200 rows that have had their time; how many. Called again until it answers 0.
    fn sweep(&mut self, now: UnixTime, retention: &Retention) -> Stored<usize>;
    /// (table, rows) of every table.
    fn table_sizes(&mut self) -> Stored<Vec<(&'static str, i64)>>;
}

/// Who administers.
pub trait Turns {
    /// Waits until no other transaction administers, and keeps others waiting until this one ends. What is read afterwards is what
    /// all earlier ones have left, so that a change that begins with a look at the whole row loses nobody else's. SQLite has one writer
    /// anyway.
    fn take_turn(&mut self) -> Stored<()>;
}

/// Everything.
pub trait Store:
    Turns + Users + Clients + Sessions + Grants + Consents + Roles + Keys + Records + Traces + Upkeep + Outbox + Chat + Imports + PersonalTokens
{
}

impl<T: Turns + Users + Clients + Sessions + Grants + Consents + Roles + Keys + Records + Traces + Upkeep + Outbox + Chat + Imports + PersonalTokens>
    Store for T
{
}
