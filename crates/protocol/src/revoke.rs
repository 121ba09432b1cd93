//! Token revocation (RFC 7009).

use std::fmt;

use crate::error::ProtocolError;
use crate::form::Params;

/// What the caller takes a token for (RFC 7009 §2.1). Only a hint: the token decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenTypeHint {
    /// `access_token`
    AccessToken,
    /// `refresh_token`
    RefreshToken,
}

impl TokenTypeHint {
    /// The hint of that name, `None` when unknown.
    pub fn find(name: &str) -> Option<Self> {
        match name {
            "access_token" => Some(Self::AccessToken),
            "refresh_token" => Some(Self::RefreshToken),
            _ => None,
        }
    }
}

/// A request to revoke a token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationRequest {
    /// The token to revoke.
    pub token: String,
    /// What the caller takes it for.
    pub hint: Option<TokenTypeHint>,
}

impl RevocationRequest {
    /// `invalid_request` without a token; an unknown hint is ignored.
    pub fn parse(params: &Params) -> Result<Self, ProtocolError> {
        Ok(Self { token: params.require("token")?.to_owned(), hint: params.get("token_type_hint").and_then(TokenTypeHint::find) })
    }
}

impl fmt::Debug for RevocationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationRequest").field("hint", &self.hint).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn unknown_hints_are_ignored_and_the_token_is_required() {
        let parse = |body: &str| RevocationRequest::parse(&Params::parse(body.as_bytes()).unwrap());
        assert_eq!(parse("token=t&token_type_hint=access_token").unwrap().hint, Some(TokenTypeHint::AccessToken));
        assert_eq!(parse("token=t&token_type_hint=x").unwrap().hint, None);
        assert_eq!(parse("token_type_hint=x").unwrap_err().parameter.as_deref(), Some("token"));
        assert!(!format!("{:?}", parse("token=hunter2").unwrap()).contains("hunter2"));
    }
}
