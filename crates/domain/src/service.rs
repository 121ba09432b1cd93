//! Who may call this server's own APIs: clients with a token of their own and the API's scope.

use crate::cause::Cause;
use crate::error::Refusal;
use crate::personal_token::Standing;
use propusk_protocol::{AccessTokenClaims, ErrorCode, Scope};

/// The scope of `/api/v1/users`: whoever has it may make anybody anything, the owner included.
pub const USERS_SCOPE: &str = "propusk:users";

/// The scope of `/api/v1/tokens`: whoever has it may make and end the personal tokens of anybody, within what a person's token may hold.
pub const TOKENS_SCOPE: &str = "propusk:tokens";

/// Refuses a person's token (it could have been asked for in a browser) and one without the scope. `allowed` are the
/// scopes that the client may have *now*: what was taken from it is taken from its living tokens, too.
pub fn allow(claims: &AccessTokenClaims, allowed: Option<&Scope>, scope: &str) -> Result<(), Refusal> {
    let refuse = |received: String| {
        Refusal::new(ErrorCode::InsufficientScope, "The access token does not open this API", Cause::TokenWithoutScope)
            .client(&claims.client_id)
            .expected(format!("a client's own token with the scope {scope}"))
            .received(received)
            .fix(format!("propusk client set {} --add-scope {scope}", claims.client_id))
            .fix("then ask for a token by the grant client_credentials")
    };
    if claims.sub != claims.client_id {
        return Err(refuse("a person's token".to_owned()));
    }
    if !claims.scope.contains(scope) || !allowed.is_some_and(|allowed| allowed.contains(scope)) {
        return Err(refuse(format!("a token with the scope {:?}", claims.scope.to_string())));
    }
    Ok(())
}

/// The same for a personal token, which must be a client's: the client's identifier.
pub fn allow_personal<'a>(standing: &'a Standing, scope: &str) -> Result<&'a str, Refusal> {
    let token = &standing.token;
    match &standing.client {
        Some(client) if token.scope.contains(scope) && client.settings.scopes.contains(scope) => Ok(&client.client_id),
        _ => Err(Refusal::new(ErrorCode::InsufficientScope, "The access token does not open this API", Cause::TokenWithoutScope)
            .expected(format!("a client's own token with the scope {scope}"))
            .received(if standing.client.is_some() {
                format!("a token with the scope {:?}", token.scope.to_string())
            } else {
                "a person's token".to_owned()
            })
            .fix(format!("propusk token create --client CLIENT --name NAME --scope {scope}"))),
    }
}

/// Refuses a personal token, whosever it is, where only a fresh access token counts: one that leaked must not make others that outlive
/// its revocation.
pub fn refuse_personal(standing: &Standing, scope: &str) -> Refusal {
    let refusal = Refusal::new(ErrorCode::InsufficientScope, "A personal token does not open this API", Cause::TokenWithoutScope);
    let refusal = refusal.expected(format!("an access token by the grant client_credentials with the scope {scope}"));
    let refusal = match &standing.client {
        Some(client) => refusal.client(&client.client_id),
        None => refusal,
    };
    refusal.received("a personal token").fix("ask for a token by the grant client_credentials")
}
