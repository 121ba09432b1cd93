//! How a client says who it is at the token, introspection and revocation endpoints (RFC 6749 §2.3.1).

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::error::{Problem, ProtocolError};
use crate::form::{Params, unescape};
use crate::limits;

/// Standard base64 with or without padding: both are on the road, and both mean one thing.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// What the client sent. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum ClientCredentials {
    /// A `client_id` alone: a public client.
    None {
        /// `client_id`
        client_id: String,
    },
    /// `Authorization: Basic`
    Basic {
        /// The part before the first colon, form-decoded.
        client_id: String,
        /// The part behind it, form-decoded.
        secret: String,
        /// Identifier and secret as they came, when decoding changed either: many clients, Rocket.Chat among them,
        /// do not encode.
        raw: Option<(String, String)>,
    },
    /// `client_id` and `client_secret` in the body.
    Post {
        /// `client_id`
        client_id: String,
        /// `client_secret`
        secret: String,
    },
}

impl ClientCredentials {
    /// Reads the value of the `Authorization` header and the body.
    ///
    /// Two methods at once are `invalid_request` (RFC 6749 §2.3); a header that cannot be read and no credentials at
    /// all are `invalid_client`. A body may repeat the `client_id` of the header, but not contradict it.
    pub fn parse(authorization: Option<&[u8]>, params: &Params) -> Result<Self, ClientAuthError> {
        let parsed = match authorization {
            Some(header) => Self::parse_header(header, params).map_err(|mut error| {
                error.used_basic = true;
                error
            }),
            None => Self::parse_body(params),
        };
        parsed.map_err(|mut error| {
            error.error = error.error.client(params.get("client_id"));
            error
        })
    }

    /// The identifier (of Basic, the decoded one).
    pub fn client_id(&self) -> &str {
        match self {
            Self::None { client_id } | Self::Basic { client_id, .. } | Self::Post { client_id, .. } => client_id,
        }
    }

    /// The method's registered name: `none`, `client_secret_basic` or `client_secret_post`.
    pub fn method(&self) -> &'static str {
        match self {
            Self::None { .. } => "none",
            Self::Basic { .. } => "client_secret_basic",
            Self::Post { .. } => "client_secret_post",
        }
    }

    fn parse_header(header: &[u8], params: &Params) -> Result<Self, ClientAuthError> {
        let credentials = Self::parse_basic(header)?;
        if params.get("client_secret").is_some() || params.get("client_assertion").is_some() {
            let in_body = if params.get("client_secret").is_some() { "client_secret" } else { "client_assertion" };
            let sentence = "The client authenticated in the Authorization header and in the body; use one.";
            let error = ClientAuthError::request("two_methods", sentence, "client_secret");
            return Err(error.received(format!("Authorization: Basic, and {in_body} in the body")).naming(credentials.client_id()));
        }
        if let Some(in_body) = params.get("client_id").filter(|in_body| !credentials.has_client_id(in_body)) {
            let sentence = "The client_id in the body is not that of the Authorization header.";
            let error = ClientAuthError::request("client_id_mismatch", sentence, "client_id");
            return Err(error.received(format!("{} in the header, {in_body} in the body", credentials.client_id())).naming(credentials.client_id()));
        }
        Ok(credentials)
    }

    /// RFC 7617 §2 with the form encoding of RFC 6749 §2.3.1. A part that is no valid form encoding stands for itself.
    fn parse_basic(header: &[u8]) -> Result<Self, ClientAuthError> {
        let token = basic_token(header)?;
        let bytes = BASE64.decode(token).map_err(|_| malformed_basic(format!("Basic with {} characters that are no base64", token.len())))?;
        let length = bytes.len();
        let text = String::from_utf8(bytes).map_err(|_| malformed_basic(format!("Basic with base64 of {length} bytes that are no UTF-8")))?;
        let (raw_id, raw_secret) =
            text.split_once(':').ok_or_else(|| malformed_basic(format!("Basic with base64 of {length} bytes without a colon")))?;
        let decode = |part: &str| unescape(part.as_bytes()).unwrap_or_else(|| part.to_owned());
        let (client_id, secret) = (decode(raw_id), decode(raw_secret));
        if !is_client_id(&client_id) || !is_secret(&secret) {
            let received = format!("Basic with an identifier of {} characters and a secret of {}", client_id.chars().count(), secret.chars().count());
            return Err(malformed_basic(received));
        }
        let differs = client_id != raw_id || secret != raw_secret;
        let raw = differs.then(|| (raw_id.to_owned(), raw_secret.to_owned()));
        Ok(Self::Basic { client_id, secret, raw })
    }

    fn parse_body(params: &Params) -> Result<Self, ClientAuthError> {
        if params.get("client_assertion").is_some() {
            return Err(ClientAuthError::client("unsupported_method", "Client assertions are not supported.", "client_assertion")
                .received("client_assertion in the body"));
        }
        match (params.get("client_id"), params.get("client_secret")) {
            (Some(client_id), Some(secret)) => Ok(Self::Post { client_id: client_id.to_owned(), secret: secret.to_owned() }),
            (Some(client_id), None) => Ok(Self::None { client_id: client_id.to_owned() }),
            (None, Some(_)) => {
                let error = ClientAuthError::client("missing_client_id", "A client_secret came without a client_id.", "client_id");
                Err(error.received("client_secret without client_id"))
            }
            (None, None) => {
                let error = ClientAuthError::client("no_credentials", "The client did not say who it is.", "client_id");
                Err(error.received("neither an Authorization header nor a client_id in the body"))
            }
        }
    }

    fn has_client_id(&self, in_body: &str) -> bool {
        if self.client_id() == in_body {
            return true;
        }
        matches!(self, Self::Basic { raw: Some((raw_id, _)), .. } if raw_id == in_body)
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials").field("method", &self.method()).field("client_id", &self.client_id()).finish_non_exhaustive()
    }
}

/// Credentials that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuthError {
    /// What the client is told.
    pub error: ProtocolError,
    /// True when an `Authorization` header came: an `invalid_client` is then a 401 with a Basic challenge
    /// (RFC 6749 §5.2).
    pub used_basic: bool,
    /// The stable name of the cause: `malformed_basic`, `missing_scheme`, `unsupported_scheme`, `two_methods`,
    /// `client_id_mismatch`, `unsupported_method`, `missing_client_id` or `no_credentials`.
    pub slug: &'static str,
}

impl ClientAuthError {
    fn client(slug: &'static str, sentence: &'static str, parameter: &'static str) -> Self {
        let error = ProtocolError::invalid_client(sentence).parameter(parameter);
        Self { error, used_basic: false, slug }
    }

    fn request(slug: &'static str, sentence: &'static str, parameter: &'static str) -> Self {
        let error = ProtocolError::invalid_request(sentence).problem(Problem::Twice).parameter(parameter);
        Self { error, used_basic: false, slug }
    }

    /// Says what came. Never call it with a secret.
    fn received(mut self, what: impl Into<String>) -> Self {
        self.error = self.error.received(what);
        self
    }

    fn naming(mut self, client_id: &str) -> Self {
        self.error = self.error.client(Some(client_id));
        self
    }
}

impl fmt::Display for ClientAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.error, self.slug)
    }
}

impl std::error::Error for ClientAuthError {}

/// The base64 behind the scheme.
fn basic_token(header: &[u8]) -> Result<&str, ClientAuthError> {
    let length = header.len();
    let header = std::str::from_utf8(header).map_err(|_| malformed_basic(format!("{length} bytes that are no UTF-8")))?.trim_matches([' ', '\t']);
    let Some((scheme, token)) = header.split_once(' ') else {
        return Err(without_scheme(header));
    };
    if !scheme.eq_ignore_ascii_case("Basic") {
        let known = ["Bearer", "Token", "Digest", "Negotiate", "DPoP", "NTLM"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known));
        // What stands where the scheme should may be the secret itself.
        let received = known.map_or_else(|| format!("a scheme of {} characters", scheme.chars().count()), |known| format!("the scheme {known}"));
        let error = ClientAuthError::client("unsupported_scheme", "The scheme of the Authorization header must be Basic.", "Authorization");
        return Err(error.received(received));
    }
    Ok(token.trim_start_matches(' '))
}

/// Rocket.Chat 6.3.0 sends the base64 without the word `Basic` in front of it.
fn without_scheme(header: &str) -> ClientAuthError {
    let decoded = BASE64.decode(header).unwrap_or_default();
    let Some(colon) = decoded.iter().position(|byte| *byte == b':') else {
        return malformed_basic(format!("{} characters without a scheme", header.chars().count()));
    };
    let sentence = "The Authorization header lacks the scheme Basic in front of its value.";
    let error = ClientAuthError::client("missing_scheme", sentence, "Authorization");
    let error = error.received(format!("the base64 alone, {} characters", header.len()));
    match decoded.get(..colon).and_then(unescape).filter(|claimed| is_client_id(claimed)) {
        Some(claimed) => error.naming(&claimed),
        None => error,
    }
}

fn malformed_basic(received: String) -> ClientAuthError {
    let sentence = "The Authorization header is not Basic with base64 of an identifier, a colon and a secret.";
    ClientAuthError::client("malformed_basic", sentence, "Authorization").received(received)
}

fn is_client_id(text: &str) -> bool {
    (1..=limits::CLIENT_ID).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Control characters other than NUL stay, so that a stray newline is diagnosed as what it is.
fn is_secret(text: &str) -> bool {
    text.len() <= limits::CLIENT_SECRET && !text.contains('\0')
}

#[cfg(test)]
#[path = "client_auth_tests.rs"]
mod tests;
