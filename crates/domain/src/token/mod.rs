//! The token endpoint (RFC 6749 §3.2): authenticate the client elsewhere, check that it may use the grant, run the grant.

pub mod authorization_code;
pub mod client_credentials;
pub mod direct;
pub mod issue;
pub mod memory;
pub mod refresh_token;

use crate::authorize::granted;
use crate::cause::Cause;
use crate::client::{Client, GrantType, RegisteredClient};
use crate::context::Cx;
use crate::error::{Refusal, Result};
use issue::Issued;
use memory::{Learned, Memory};
use propusk_protocol::{ErrorCode, TokenRequest};

/// Tokens, and what was read for them.
#[derive(Debug, Clone)]
pub struct Exchanged {
    /// The tokens.
    pub issued: Issued,
    /// The grant and the person behind them; `None` when nothing new was read.
    pub learned: Option<Learned>,
}

/// Runs a grant that needs the database, in one write transaction. The client has authenticated.
pub fn exchange(cx: &mut Cx<'_>, client: &RegisteredClient, request: &TokenRequest, memory: &dyn Memory) -> Result<Exchanged> {
    allow_grant(&client.client, request)?;
    match request {
        TokenRequest::AuthorizationCode { code, redirect_uri, code_verifier } => authorization_code::redeem(
            cx,
            client,
            &authorization_code::Presented { code, redirect_uri: redirect_uri.as_deref(), verifier: code_verifier.as_ref() },
            memory,
        ),
        TokenRequest::RefreshToken { refresh_token, scope } => refresh_token::rotate(cx, client, refresh_token, scope.as_ref(), memory),
        TokenRequest::ClientCredentials { scope } => {
            let issued = client_credentials::issue(client, scope.as_ref(), cx.rng, cx.now, cx.policy)?;
            Ok(Exchanged { issued, learned: None })
        }
    }
}

/// Refuses a grant that the client may not use (RFC 6749 §5.2 `unauthorized_client`).
pub fn allow_grant(client: &Client, request: &TokenRequest) -> Result<(), Refusal> {
    let grant = match request {
        TokenRequest::AuthorizationCode { .. } => GrantType::AuthorizationCode,
        TokenRequest::RefreshToken { .. } => GrantType::RefreshToken,
        TokenRequest::ClientCredentials { .. } => GrantType::ClientCredentials,
    };
    if client.may_use(grant) {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::UnauthorizedClient, "The client may not use this grant type", Cause::GrantNotAllowed)
        .client(&client.client_id)
        .expected(granted(client))
        .received(grant.as_str())
        .fix(format!("propusk client set {} --grant-type {}", client.client_id, grant.as_str())))
}
