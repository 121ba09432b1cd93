//! The authorization request and its response (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2, RFC 9207).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{ErrorCode, Problem, ProtocolError, is_description};
use crate::form::Params;
use crate::pkce::CodeChallenge;
use crate::scope::Scope;

/// The part of a request that says where an answer would go, read before anything is judged: once client and redirect
/// URI are proven, even a malformed request is answered by a redirect with its `state`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// `client_id`
    pub client_id: Option<String>,
    /// `redirect_uri`, not yet compared with what is registered.
    pub redirect_uri: Option<String>,
    /// `state`, echoed byte for byte.
    pub state: Option<String>,
    /// `response_mode`, `None` when absent or unusable.
    pub response_mode: Option<ResponseMode>,
}

impl Target {
    /// Reads what is there; never fails.
    pub fn parse(params: &Params) -> Self {
        Self {
            client_id: text(params, "client_id"),
            redirect_uri: text(params, "redirect_uri"),
            state: text(params, "state"),
            response_mode: params.get("response_mode").and_then(ResponseMode::find),
        }
    }
}

/// How the answer travels (OAuth 2.0 Multiple Response Types §2.1, OAuth 2.0 Form Post Response Mode §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    #[default]
    #[serde(rename = "query")]
    Query,
    /// In a form that the browser posts.
    #[serde(rename = "form_post")]
    FormPost,
}

impl ResponseMode {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }

    fn find(name: &str) -> Option<Self> {
        [Self::Query, Self::FormPost].into_iter().find(|mode| mode.as_str() == name)
    }

    // serde hands over a reference
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_query(&self) -> bool {
        *self == Self::Query
    }
}

/// `prompt` (OpenID Connect Core §3.1.2.1). In JSON it is the space-separated string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Prompt {
    /// Show no page at all.
    pub none: bool,
    /// Ask for the password again.
    pub login: bool,
    /// Ask for consent again.
    pub consent: bool,
    /// Let the person choose an account; here that is a fresh login, so `login` is set with it.
    pub select_account: bool,
}

impl Prompt {
    /// Reads the values; an unknown one, or `none` beside another, is `invalid_request`.
    pub fn parse(value: &str) -> Result<Self, ProtocolError> {
        let mut prompt = Self::default();
        for word in value.split(' ').filter(|word| !word.is_empty()) {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => {
                    prompt.select_account = true;
                    prompt.login = true;
                }
                _ => {
                    return Err(
                        bad("prompt", value, "The prompt has a value that is not supported.").expected("none, login, consent or select_account")
                    );
                }
            }
        }
        if prompt.none && (prompt.login || prompt.consent) {
            return Err(bad("prompt", value, "The prompt none cannot stand beside another value.").expected("none alone, or values without it"));
        }
        Ok(prompt)
    }

    // serde hands over a reference
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_absent(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.none, "none"), (self.login, "login"), (self.consent, "consent"), (self.select_account, "select_account")];
        let set: Vec<_> = words.into_iter().filter(|(set, _)| *set).map(|(_, word)| word).collect();
        f.write_str(&set.join(" "))
    }
}

impl From<Prompt> for String {
    fn from(prompt: Prompt) -> Self {
        prompt.to_string()
    }
}

impl TryFrom<String> for Prompt {
    type Error = ProtocolError;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        Self::parse(&value)
    }
}

/// An authorization request for a code. Its JSON has one-letter names and leaves out what is absent, because it is
/// sealed into a URL.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    /// `client_id`
    #[serde(rename = "c")]
    pub client_id: String,
    /// `redirect_uri`, not yet compared with what is registered.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// `scope`
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// `state`, echoed byte for byte.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `nonce`, repeated in the ID token.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// `prompt`
    #[serde(rename = "p", default, skip_serializing_if = "Prompt::is_absent")]
    pub prompt: Prompt,
    /// `max_age` in seconds.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// `login_hint`
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// `ui_locales`, most wanted first; not checked to be language tags.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub ui_locales: Vec<String>,
    /// `acr_values`, most wanted first.
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// `response_mode`
    #[serde(rename = "m", default, skip_serializing_if = "ResponseMode::is_query")]
    pub response_mode: ResponseMode,
    /// `id_token_hint`, unverified.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub id_token_hint: Option<String>,
    /// `code_challenge`
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<CodeChallenge>,
}

impl AuthorizeRequest {
    /// Reads a request. Unknown parameters are ignored (RFC 6749 §3.1).
    ///
    /// Request objects come first, because their parameters would replace the others. Then: `client_id` or
    /// `response_type` missing, `response_mode`, `prompt`, `max_age` or PKCE malformed → `invalid_request`; a
    /// `response_type` other than `code` → `unsupported_response_type`; a malformed scope → `invalid_scope`.
    pub fn parse(params: &Params) -> Result<Self, ProtocolError> {
        refuse_request_objects(params)?;
        let client_id = params.require("client_id")?.to_owned();
        check_response_type(params.require("response_type")?)?;
        Ok(Self {
            client_id,
            redirect_uri: text(params, "redirect_uri"),
            scope: params.get("scope").map(Scope::parse).transpose()?,
            state: text(params, "state"),
            nonce: text(params, "nonce"),
            prompt: params.get("prompt").map(Prompt::parse).transpose()?.unwrap_or_default(),
            max_age: params.get("max_age").map(parse_max_age).transpose()?,
            login_hint: text(params, "login_hint"),
            ui_locales: words(params, "ui_locales"),
            acr_values: words(params, "acr_values"),
            response_mode: params.get("response_mode").map(parse_response_mode).transpose()?.unwrap_or_default(),
            id_token_hint: text(params, "id_token_hint"),
            code_challenge: CodeChallenge::parse(params.get("code_challenge"), params.get("code_challenge_method"))?,
        })
    }
}

impl fmt::Debug for AuthorizeRequest {
    // `state` may hold the client's own credentials (Rocket.Chat's credentialToken) and the hint is a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeRequest")
            .field("client_id", &self.client_id)
            .field("redirect_uri", &self.redirect_uri)
            .field("scope", &self.scope)
            .field("prompt", &self.prompt)
            .field("max_age", &self.max_age)
            .field("response_mode", &self.response_mode)
            .finish_non_exhaustive()
    }
}

/// The parameters that go back to the client, in order.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizeResponse {
    pairs: Vec<(&'static str, String)>,
}

impl AuthorizeResponse {
    /// A code (RFC 6749 §4.1.2), with the issuer (RFC 9207 §2).
    pub fn success(code: &str, state: Option<&str>, iss: &str) -> Self {
        Self::finish(vec![("code", code.to_owned())], state, iss)
    }

    /// A refusal (RFC 6749 §4.1.2.1). Characters that `error_description` may not hold become `?`.
    pub fn error(error: ErrorCode, error_description: &str, state: Option<&str>, iss: &str) -> Self {
        let description = error_description.chars().map(|c| if is_description(c.encode_utf8(&mut [0; 4])) { c } else { '?' }).collect();
        let pairs = vec![("error", error.as_str().to_owned()), ("error_description", description)];
        Self::finish(pairs, state, iss)
    }

    /// The pairs, not yet encoded.
    pub fn pairs(&self) -> &[(&'static str, String)] {
        &self.pairs
    }

    /// The pairs, not yet encoded.
    pub fn into_pairs(self) -> Vec<(&'static str, String)> {
        self.pairs
    }

    fn finish(mut pairs: Vec<(&'static str, String)>, state: Option<&str>, iss: &str) -> Self {
        if let Some(state) = state {
            pairs.push(("state", state.to_owned()));
        }
        pairs.push(("iss", iss.to_owned()));
        Self { pairs }
    }
}

impl fmt::Debug for AuthorizeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.pairs.iter().map(|(name, _)| name).collect();
        f.debug_tuple("AuthorizeResponse").field(&names).finish()
    }
}

fn refuse_request_objects(params: &Params) -> Result<(), ProtocolError> {
    let table = [
        ("request", ErrorCode::RequestNotSupported, "Request objects are not supported."),
        ("request_uri", ErrorCode::RequestUriNotSupported, "Request objects by reference are not supported."),
        ("registration", ErrorCode::RegistrationNotSupported, "The registration parameter is not supported."),
    ];
    match table.into_iter().find(|(name, ..)| params.get(name).is_some()) {
        Some((name, code, sentence)) => Err(ProtocolError::new(code, sentence).problem(Problem::Unsupported).parameter(name)),
        None => Ok(()),
    }
}

fn check_response_type(response_type: &str) -> Result<(), ProtocolError> {
    if response_type == "code" {
        return Ok(());
    }
    let refusal = ProtocolError::unsupported_response_type("The response_type must be code.");
    Err(refusal.parameter("response_type").received(response_type).expected("code"))
}

fn parse_response_mode(mode: &str) -> Result<ResponseMode, ProtocolError> {
    ResponseMode::find(mode).ok_or_else(|| bad("response_mode", mode, "The response_mode must be query or form_post.").expected("query or form_post"))
}

fn parse_max_age(value: &str) -> Result<u64, ProtocolError> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = value.parse().ok().filter(|_| digits);
    seconds.ok_or_else(|| bad("max_age", value, "The max_age must be a number of seconds, zero or more.").expected("a number of seconds"))
}

fn bad(name: &'static str, value: &str, sentence: &'static str) -> ProtocolError {
    ProtocolError::invalid_request(sentence).parameter(name).received(value)
}

fn text(params: &Params, name: &str) -> Option<String> {
    params.get(name).map(str::to_owned)
}

pub(crate) fn words(params: &Params, name: &str) -> Vec<String> {
    let words = params.get(name).unwrap_or_default().split(' ');
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
#[path = "authorize_tests.rs"]
mod tests;
