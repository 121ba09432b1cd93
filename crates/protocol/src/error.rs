//! Error codes and the refusal that every parser of this crate answers with.

use std::fmt;

use serde::{Serialize, Serializer};

/// What was refused, as the client's code is told it: one value for each pair of error string and HTTP status.
///
/// Sources: RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7009 §2.2.1, OpenID Connect Core §3.1.2.6.
/// Several values share a string where HTTP knows a finer status than OAuth does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A parameter is missing, repeated or malformed.
    InvalidRequest,
    /// The client is unknown or failed to authenticate.
    InvalidClient,
    /// The code, refresh token or verifier is not valid for this client.
    InvalidGrant,
    /// The client may not use this grant or endpoint.
    UnauthorizedClient,
    /// The server does not know this `grant_type`.
    UnsupportedGrantType,
    /// The scope is malformed or more than the client may ask for.
    InvalidScope,
    /// The person or the server denied the request.
    AccessDenied,
    /// The server does not know this `response_type`.
    UnsupportedResponseType,
    /// Something broke here.
    ServerError,
    /// Something this server needs does not answer; try again.
    TemporarilyUnavailable,
    /// `prompt=none`, and nobody is signed in.
    LoginRequired,
    /// `prompt=none`, and a page would have to be shown.
    InteractionRequired,
    /// `prompt=none`, and consent is missing.
    ConsentRequired,
    /// `prompt=none`, and an account would have to be chosen.
    AccountSelectionRequired,
    /// The `request` parameter is not supported.
    RequestNotSupported,
    /// The `request_uri` parameter is not supported.
    RequestUriNotSupported,
    /// The `registration` parameter is not supported.
    RegistrationNotSupported,
    /// The access token is malformed, expired, revoked or of another issuer.
    InvalidToken,
    /// The access token lacks a scope or belongs to another client.
    InsufficientScope,
    /// This kind of token cannot be revoked.
    UnsupportedTokenType,
    /// No such path.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The body is not of a content type that the endpoint reads.
    UnsupportedMediaType,
    /// The body is larger than the endpoint reads.
    RequestTooLarge,
    /// The URL is longer than the endpoint reads.
    UriTooLong,
    /// The caller has to slow down.
    TooManyRequests,
    /// What is asked for contradicts what is there already (RFC 9110 §15.5.10).
    Conflict,
    /// What is there is not what the caller has seen (RFC 9110 §15.5.13).
    PreconditionFailed,
}

impl ErrorCode {
    /// Every code once, for tables in tests and documents.
    pub const ALL: &'static [Self] = &[
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::AccessDenied,
        Self::UnsupportedResponseType,
        Self::ServerError,
        Self::TemporarilyUnavailable,
        Self::LoginRequired,
        Self::InteractionRequired,
        Self::ConsentRequired,
        Self::AccountSelectionRequired,
        Self::RequestNotSupported,
        Self::RequestUriNotSupported,
        Self::RegistrationNotSupported,
        Self::InvalidToken,
        Self::InsufficientScope,
        Self::UnsupportedTokenType,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::UnsupportedMediaType,
        Self::RequestTooLarge,
        Self::UriTooLong,
        Self::TooManyRequests,
        Self::Conflict,
        Self::PreconditionFailed,
    ];

    /// The value of the `error` member or parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest | Self::UnsupportedMediaType | Self::RequestTooLarge | Self::UriTooLong => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable | Self::TooManyRequests => "temporarily_unavailable",
            Self::LoginRequired => "login_required",
            Self::InteractionRequired => "interaction_required",
            Self::ConsentRequired => "consent_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::PreconditionFailed => "precondition_failed",
        }
    }

    /// The HTTP status of a direct answer (not of a redirect) with this code.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::AccessDenied
            | Self::UnsupportedResponseType
            | Self::LoginRequired
            | Self::InteractionRequired
            | Self::ConsentRequired
            | Self::AccountSelectionRequired
            | Self::RequestNotSupported
            | Self::RequestUriNotSupported
            | Self::RegistrationNotSupported
            | Self::UnsupportedTokenType => 400,
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::RequestTooLarge => 413,
            Self::UriTooLong => 414,
            Self::UnsupportedMediaType => 415,
            Self::TooManyRequests => 429,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What is wrong with a parameter, for whoever has to mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// It came more than once.
    Repeated,
    /// It is no percent-encoded UTF-8.
    Encoding,
    /// It has a control character.
    ControlCharacter,
    /// It is longer than so many bytes.
    TooLong(usize),
    /// It did not come, or empty.
    Missing,
    /// Its name is empty, too long, or has characters that names do not have.
    Name,
    /// There are more parameters than so many.
    TooMany(usize),
    /// It came in more than one place.
    Twice,
    /// It may not come at all.
    Unsupported,
    /// It must be something else, as the description says.
    Other,
}

/// A message that was refused: a code and a fixed sentence for the client, and for the operator which parameter it was
/// and what it held.
///
/// `received` comes from outside: escape and cut it before showing it. It never holds a secret, a code or a token; of
/// those only a shape such as `12 bytes` is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolError {
    /// What the client's code is told.
    pub code: ErrorCode,
    /// One fixed sentence: printable ASCII without `"` and `\` (RFC 6749 §5.2).
    pub description: &'static str,
    /// The name of the parameter at fault, as it came.
    pub parameter: Option<String>,
    /// What the parameter held, or its shape where the value is a secret.
    pub received: Option<String>,
    /// What is wrong with it.
    pub problem: Problem,
    /// What it must be, where that is one of a few words.
    pub expected: Option<&'static str>,
    /// The client that the request names, whoever that is.
    pub client_id: Option<String>,
}

impl ProtocolError {
    /// A refusal. `description` is printable ASCII without `"` and `\`; debug builds check that.
    pub fn new(code: ErrorCode, description: &'static str) -> Self {
        debug_assert!(is_description(description), "not a description: {description:?}");
        Self { code, description, parameter: None, received: None, problem: Problem::Other, expected: None, client_id: None }
    }

    /// Names the parameter at fault.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>) -> Self {
        self.parameter = Some(name.into());
        self
    }

    /// Says what the parameter held. Never call it with a secret.
    #[must_use]
    pub fn received(mut self, value: impl Into<String>) -> Self {
        self.received = Some(value.into());
        self
    }

    /// Says what is wrong with it.
    #[must_use]
    pub fn problem(mut self, problem: Problem) -> Self {
        self.problem = problem;
        self
    }

    /// Says what it must be.
    #[must_use]
    pub fn expected(mut self, expected: &'static str) -> Self {
        self.expected = Some(expected);
        self
    }

    /// Names the client that the request names, unless one is named already.
    #[must_use]
    pub fn client(mut self, client_id: Option<&str>) -> Self {
        self.client_id = self.client_id.or_else(|| client_id.map(str::to_owned));
        self
    }

    /// The description with the parameter's name, where that name is harmless in a quoted header: always printable
    /// ASCII without `"` and `\`.
    pub fn sentence(&self) -> String {
        match &self.parameter {
            Some(name) if is_plain_name(name) => format!("{} (parameter {name})", self.description),
            _ => self.description.to_owned(),
        }
    }

    /// `invalid_request`
    pub fn invalid_request(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// `invalid_client`
    pub fn invalid_client(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidClient, description)
    }

    /// `invalid_grant`
    pub fn invalid_grant(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// `unauthorized_client`
    pub fn unauthorized_client(description: &'static str) -> Self {
        Self::new(ErrorCode::UnauthorizedClient, description)
    }

    /// `unsupported_grant_type`
    pub fn unsupported_grant_type(description: &'static str) -> Self {
        Self::new(ErrorCode::UnsupportedGrantType, description)
    }

    /// `invalid_scope`
    pub fn invalid_scope(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidScope, description)
    }

    /// `access_denied`
    pub fn access_denied(description: &'static str) -> Self {
        Self::new(ErrorCode::AccessDenied, description)
    }

    /// `unsupported_response_type`
    pub fn unsupported_response_type(description: &'static str) -> Self {
        Self::new(ErrorCode::UnsupportedResponseType, description)
    }

    /// `invalid_token`
    pub fn invalid_token(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidToken, description)
    }

    /// `insufficient_scope`
    pub fn insufficient_scope(description: &'static str) -> Self {
        Self::new(ErrorCode::InsufficientScope, description)
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.sentence())
    }
}

impl std::error::Error for ProtocolError {}

/// True when `text` may stand in `error_description` (RFC 6749 §5.2: `%x20-21 / %x23-5B / %x5D-7E`).
pub fn is_description(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

fn is_plain_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_registered_looking_string_and_an_error_status() {
        for code in ErrorCode::ALL {
            assert!((400..=503).contains(&code.status()), "{code}");
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{}\"", code.as_str()));
        }
    }

    #[test]
    fn each_code_is_listed_once() {
        let mut seen = std::collections::HashSet::new();
        assert!(ErrorCode::ALL.iter().all(|code| seen.insert(*code)));
        assert_eq!(ErrorCode::ALL.len(), 28);
    }

    #[test]
    fn statuses_are_those_of_the_rfcs() {
        let table = [
            (ErrorCode::InvalidRequest, 400, "invalid_request"),
            (ErrorCode::InvalidClient, 401, "invalid_client"),
            (ErrorCode::InvalidToken, 401, "invalid_token"),
            (ErrorCode::InsufficientScope, 403, "insufficient_scope"),
            (ErrorCode::NotFound, 404, "not_found"),
            (ErrorCode::MethodNotAllowed, 405, "method_not_allowed"),
            (ErrorCode::PreconditionFailed, 412, "precondition_failed"),
            (ErrorCode::RequestTooLarge, 413, "invalid_request"),
            (ErrorCode::UriTooLong, 414, "invalid_request"),
            (ErrorCode::UnsupportedMediaType, 415, "invalid_request"),
            (ErrorCode::TooManyRequests, 429, "temporarily_unavailable"),
            (ErrorCode::ServerError, 500, "server_error"),
            (ErrorCode::TemporarilyUnavailable, 503, "temporarily_unavailable"),
        ];
        for (code, status, text) in table {
            assert_eq!((code.status(), code.as_str()), (status, text));
        }
    }

    #[test]
    fn a_hostile_parameter_name_stays_out_of_the_sentence() {
        let plain = ProtocolError::invalid_request("A parameter is repeated.").parameter("scope");
        assert_eq!(plain.sentence(), "A parameter is repeated. (parameter scope)");
        let hostile = plain.clone().parameter("a\"\r\nX: y");
        assert_eq!(hostile.sentence(), "A parameter is repeated.");
        assert_eq!(hostile.to_string(), "invalid_request: A parameter is repeated.");
    }
}
