//! Why nobody is signed in to the chat, for the browser and for `propusk explain`.

use super::rest::RestError;
use propusk_domain::client::Client;
use propusk_domain::client_auth::disabled_client;
use propusk_domain::{Cause, Error, Refusal};
use propusk_protocol::ErrorCode;

/// Seconds after which it is worth trying again what somebody has to mend first.
const UNTIL_MENDED: i64 = 60;

/// Nobody has said where the chat is.
pub fn not_connected() -> Refusal {
    Refusal::invalid_request("No chat is connected here", Cause::ChatNotConnected)
        .expected("rocketchat.url, or a connection in the database")
        .received("neither")
        .fix("propusk rocketchat connect --chat-url URL --user-id ID --token-stdin")
}

/// The chat's client is refused everywhere, so here, too.
pub(super) fn client_disabled(client: &Client) -> Refusal {
    Refusal { code: ErrorCode::InsufficientScope, public: "The chat's client is switched off", ..disabled_client(client) }
}

/// Somebody has not been asked yet whether the chat may know them.
pub(super) fn no_consent(client: &Client) -> Refusal {
    Refusal::new(ErrorCode::InsufficientScope, "The person has not allowed the chat yet", Cause::ConsentRequired)
        .client(&client.client_id)
        .expected("a first-party client, or the person's consent by the chat's button")
        .received("neither")
        .fix(format!("propusk client set {} --first-party", client.client_id))
}

/// An account of that name or address is there, and nothing proves that it is theirs.
pub(super) fn foreign(reason: &str) -> Refusal {
    Refusal::new(ErrorCode::InsufficientScope, "The chat's account of this name belongs to somebody else", Cause::ChatAccountForeign)
        .expected("an account that was signed in to from here, or that has the same verified address")
        .received(reason)
        .fix("rename one of the two accounts, or give the chat's account the person's verified address")
}

/// The account is theirs, and the chat's administrators have switched it off, or have yet to approve it.
pub(super) fn inactive(reason: &str) -> Refusal {
    Refusal::new(ErrorCode::InsufficientScope, "The chat's account is switched off there", Cause::ChatAccountInactive)
        .expected("an active account")
        .received(reason)
        .fix("switch the account on in the chat's administration (Workspace > Users)")
}

/// More people are signing in than the chat is asked for at once.
pub(crate) fn busy() -> Refusal {
    Refusal::new(ErrorCode::TemporarilyUnavailable, "Too many people are signing in to the chat, try again", Cause::ChatUnavailable)
        .expected("a free place among those that ask the chat")
        .received("none")
        .retry_after(2)
}

/// What the chat answered instead of what it was asked for: passing trouble, or a refusal that somebody has to mend.
pub(super) fn unanswered(error: &RestError) -> Error {
    if error.is("error-user-is-not-activated") {
        return inactive(&error.to_string()).into();
    }
    let refusal = if error.is_passing() {
        let wait = if let RestError::RateLimited { retry_after } = error { retry_after.as_secs() } else { 5 };
        Refusal::new(ErrorCode::TemporarilyUnavailable, "The chat does not answer at the moment, try again", Cause::ChatUnavailable)
            .expected("an answer of the chat's REST API")
            .retry_after(i64::try_from(wait).unwrap_or(UNTIL_MENDED))
    } else {
        Refusal::new(ErrorCode::TemporarilyUnavailable, "The chat refuses to sign anybody in from here", Cause::ChatRefused)
            .expected("a token of an administrator, and the secret for users.createToken")
            .fix("propusk rocketchat doctor")
            .retry_after(UNTIL_MENDED)
    };
    refusal.received(error.to_string()).into()
}
