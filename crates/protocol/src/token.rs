//! The token request and its response (RFC 6749 §4.1.3, §4.4.2, §5.1 and §6).

use std::fmt;

use serde::Serialize;

use crate::error::ProtocolError;
use crate::form::Params;
use crate::pkce::CodeVerifier;
use crate::scope::Scope;

/// A token request, one variant a grant. `Debug` shows neither codes nor tokens.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenRequest {
    /// `grant_type=authorization_code`
    AuthorizationCode {
        /// `code`
        code: String,
        /// `redirect_uri`, to be compared with that of the authorization request.
        redirect_uri: Option<String>,
        /// `code_verifier`
        code_verifier: Option<CodeVerifier>,
    },
    /// `grant_type=refresh_token`
    RefreshToken {
        /// `refresh_token`
        refresh_token: String,
        /// A narrower scope for the new access token.
        scope: Option<Scope>,
    },
    /// `grant_type=client_credentials`
    ClientCredentials {
        /// `scope`
        scope: Option<Scope>,
    },
}

impl TokenRequest {
    /// Reads a request. Unknown parameters are ignored: Rocket.Chat sends `state` here.
    ///
    /// A missing parameter is `invalid_request`, another grant `unsupported_grant_type`, a malformed verifier
    /// `invalid_grant` (RFC 7636 §4.6), a malformed scope `invalid_scope`.
    pub fn parse(params: &Params) -> Result<Self, ProtocolError> {
        let scope = || params.get("scope").map(Scope::parse).transpose();
        match params.require("grant_type")? {
            "authorization_code" => Ok(Self::AuthorizationCode {
                code: params.require("code")?.to_owned(),
                redirect_uri: params.get("redirect_uri").map(str::to_owned),
                code_verifier: params.get("code_verifier").map(CodeVerifier::parse).transpose()?,
            }),
            "refresh_token" => Ok(Self::RefreshToken { refresh_token: params.require("refresh_token")?.to_owned(), scope: scope()? }),
            "client_credentials" => Ok(Self::ClientCredentials { scope: scope()? }),
            other => {
                let refusal = ProtocolError::unsupported_grant_type("The server does not support this grant_type.");
                Err(refusal.parameter("grant_type").received(other).expected("authorization_code, refresh_token or client_credentials"))
            }
        }
    }

    /// The registered name of the grant.
    pub fn grant_type(&self) -> &'static str {
        match self {
            Self::AuthorizationCode { .. } => "authorization_code",
            Self::RefreshToken { .. } => "refresh_token",
            Self::ClientCredentials { .. } => "client_credentials",
        }
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest").field("grant_type", &self.grant_type()).finish_non_exhaustive()
    }
}

/// A successful answer (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3). `Debug` shows no token.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds that the access token has to live.
    pub expires_in: u64,
    /// The refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The ID token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// The granted scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

impl TokenResponse {
    /// An answer with an access token alone.
    pub fn bearer(access_token: String, expires_in: u64) -> Self {
        Self { access_token, token_type: "Bearer", expires_in, refresh_token: None, id_token: None, scope: None }
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse").field("expires_in", &self.expires_in).field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorCode;

    fn parse(body: &str) -> Result<TokenRequest, ProtocolError> {
        TokenRequest::parse(&Params::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn each_grant_becomes_its_variant() {
        let code = parse("code=c&redirect_uri=https%3A%2F%2Fa.example&grant_type=authorization_code&state=x").unwrap();
        assert_eq!(code.grant_type(), "authorization_code");
        let expected =
            TokenRequest::AuthorizationCode { code: "c".to_owned(), redirect_uri: Some("https://a.example".to_owned()), code_verifier: None };
        assert_eq!(code, expected);
        let refresh = parse("grant_type=refresh_token&refresh_token=r&scope=a+b").unwrap();
        let expected = TokenRequest::RefreshToken { refresh_token: "r".to_owned(), scope: Some(Scope::parse("a b").unwrap()) };
        assert_eq!(refresh, expected);
        let service = parse("grant_type=client_credentials&scope=").unwrap();
        assert_eq!(service, TokenRequest::ClientCredentials { scope: None });
    }

    #[test]
    fn malformed_requests_are_refused_with_their_code() {
        let table = [
            ("", ErrorCode::InvalidRequest, "grant_type"),
            ("grant_type=", ErrorCode::InvalidRequest, "grant_type"),
            ("grant_type=authorization_code", ErrorCode::InvalidRequest, "code"),
            ("grant_type=refresh_token", ErrorCode::InvalidRequest, "refresh_token"),
            ("grant_type=password&username=a", ErrorCode::UnsupportedGrantType, "grant_type"),
            ("grant_type=Authorization_Code&code=c", ErrorCode::UnsupportedGrantType, "grant_type"),
            ("grant_type=client_credentials&scope=%22", ErrorCode::InvalidScope, "scope"),
            ("grant_type=authorization_code&code=c&code_verifier=short", ErrorCode::InvalidGrant, "code_verifier"),
        ];
        for (body, code, parameter) in table {
            let error = parse(body).unwrap_err();
            assert_eq!((error.code, error.parameter.as_deref()), (code, Some(parameter)), "{body}");
        }
    }

    #[test]
    fn an_overlong_verifier_is_an_invalid_grant_too() {
        let body = format!("grant_type=authorization_code&code=c&code_verifier={}", "a".repeat(129));
        assert_eq!(parse(&body).unwrap_err().code, ErrorCode::InvalidGrant);
    }

    #[test]
    fn the_answer_leaves_out_what_is_absent() {
        let mut answer = TokenResponse::bearer("at".to_owned(), 600);
        let json = serde_json::to_string(&answer).unwrap();
        assert_eq!(json, r#"{"access_token":"at","token_type":"Bearer","expires_in":600}"#);
        answer.scope = Some(Scope::parse("openid email").unwrap());
        answer.refresh_token = Some("rt".to_owned());
        answer.id_token = Some("it".to_owned());
        let json = serde_json::to_value(&answer).unwrap();
        assert_eq!(json["scope"], "openid email");
        assert_eq!((&json["refresh_token"], &json["id_token"]), (&"rt".into(), &"it".into()));
        assert!(!format!("{answer:?}").contains("rt\""));
    }

    proptest! {
        #[test]
        fn no_body_panics(body in "(grant_type=[a-z_]{0,20}&)?[a-z_=&%0-9]{0,60}") {
            if let Ok(params) = Params::parse(body.as_bytes()) {
                let _ = TokenRequest::parse(&params);
            }
        }
    }
}
