//! Token introspection (RFC 7662).

use std::fmt;

use serde::Serialize;

use crate::error::ProtocolError;
use crate::form::Params;
use crate::revoke::TokenTypeHint;
use crate::scope::Scope;

/// The question (RFC 7662 §2.1). `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq)]
pub struct IntrospectionRequest {
    /// The token in question.
    pub token: String,
    /// What the caller takes it for.
    pub hint: Option<TokenTypeHint>,
}

impl IntrospectionRequest {
    /// `invalid_request` without a token; an unknown hint is ignored.
    pub fn parse(params: &Params) -> Result<Self, ProtocolError> {
        Ok(Self { token: params.require("token")?.to_owned(), hint: params.get("token_type_hint").and_then(TokenTypeHint::find) })
    }
}

impl fmt::Debug for IntrospectionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionRequest").field("hint", &self.hint).finish_non_exhaustive()
    }
}

/// The answer (RFC 7662 §2.2). A token that is not active is `{"active":false}` and nothing else, so that nobody learns
/// why. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct IntrospectionResponse {
    /// Whether the token would be accepted now.
    pub active: bool,
    /// The granted scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// The client that it was issued to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// A name of the person for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// `Bearer` for access tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// When it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// The subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The token's identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// When the person authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The roles that the client is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// The groups that the client is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
}

impl IntrospectionResponse {
    /// `{"active":false}`
    pub fn inactive() -> Self {
        Self::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn an_inactive_token_says_nothing_more() {
        let json = serde_json::to_string(&IntrospectionResponse::inactive()).unwrap();
        assert_eq!(json, r#"{"active":false}"#);
    }

    #[test]
    fn unknown_hints_are_ignored_and_the_token_is_required() {
        let parse = |body: &str| IntrospectionRequest::parse(&Params::parse(body.as_bytes()).unwrap());
        let request = parse("token=t&token_type_hint=refresh_token").unwrap();
        assert_eq!((request.token.as_str(), request.hint), ("t", Some(TokenTypeHint::RefreshToken)));
        assert_eq!(parse("token=t&token_type_hint=pac").unwrap().hint, None);
        assert_eq!(parse("token=").unwrap_err().code, ErrorCode::InvalidRequest);
    }
}
