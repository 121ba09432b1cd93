//! Where a bearer token stands in a request (RFC 6750 §2).

use crate::error::{Problem, ProtocolError};
use crate::form::Params;
use crate::limits;

/// Which of the three ways the token came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSource {
    /// `Authorization: Bearer` (RFC 6750 §2.1), or the scheme `Token`.
    Header,
    /// `access_token` in a form body (RFC 6750 §2.2).
    Body,
    /// `access_token` in the query (RFC 6750 §2.3): it ends up in logs, so only clients with the compatibility switch
    /// may use it.
    Query,
}

impl TokenSource {
    /// Where that is, in words.
    fn place(self) -> &'static str {
        match self {
            Self::Header => "the Authorization header",
            Self::Body => "the body",
            Self::Query => "the query string",
        }
    }
}

/// The bearer token of a request and where it stood; `Ok(None)` when there is none, an `Authorization` header of
/// another scheme included.
///
/// Two ways at once, a `Bearer` without a token and a token over 8 KiB are `invalid_request`; a token with characters
/// that tokens do not have (RFC 6750 §2.1 `b64token`) is `invalid_token`.
pub fn bearer_token(
    authorization: Option<&[u8]>,
    body: Option<&Params>,
    query: Option<&Params>,
) -> Result<Option<(String, TokenSource)>, ProtocolError> {
    let header = authorization.map(header_token).transpose()?.flatten();
    let in_form = |params: Option<&Params>| params.and_then(|params| params.get("access_token")).map(str::to_owned);
    let mut found = [(header, TokenSource::Header), (in_form(body), TokenSource::Body), (in_form(query), TokenSource::Query)]
        .into_iter()
        .filter_map(|(token, source)| token.map(|token| (token, source)));
    let Some((token, source)) = found.next() else {
        return Ok(None);
    };
    if let Some((second, other)) = found.next() {
        let refusal = ProtocolError::invalid_request("The request carries an access token in more than one way.").problem(Problem::Twice);
        let same = if token == second { "the same token" } else { "different tokens" };
        return Err(refusal.parameter("access_token").received(format!("{same} in {} and in {}", source.place(), other.place())));
    }
    check_token(&token)?;
    Ok(Some((token, source)))
}

fn header_token(header: &[u8]) -> Result<Option<String>, ProtocolError> {
    let blank = header.iter().position(|byte| *byte == b' ').unwrap_or(header.len());
    let (scheme, token) = header.split_at(blank);
    // `Token` is what the clients of many site frameworks send; it says the same.
    if !scheme.eq_ignore_ascii_case(b"Bearer") && !scheme.eq_ignore_ascii_case(b"Token") {
        return Ok(None);
    }
    let token = token.trim_ascii();
    if token.is_empty() {
        let refusal = ProtocolError::invalid_request("The Authorization header has a scheme and no token.");
        let received = if scheme.eq_ignore_ascii_case(b"Bearer") { "Bearer and nothing behind it" } else { "Token and nothing behind it" };
        return Err(refusal.parameter("Authorization").received(received).expected("Bearer and an access token"));
    }
    // What is not UTF-8 fails the check of the characters.
    Ok(Some(String::from_utf8_lossy(token).into_owned()))
}

fn check_token(token: &str) -> Result<(), ProtocolError> {
    if token.len() > limits::TOKEN {
        let refusal = ProtocolError::invalid_request("The access token is over 8192 bytes.").problem(Problem::TooLong(limits::TOKEN));
        return Err(refusal.parameter("access_token").received(format!("{} bytes", token.len())));
    }
    let body = token.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if body.is_empty() || !body.bytes().all(legal) {
        let refusal = ProtocolError::invalid_token("The access token has characters that tokens do not have.");
        return Err(refusal.parameter("access_token").received(format!("{} bytes", token.len())));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorCode;

    fn form(text: &str) -> Params {
        Params::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn each_way_is_found() {
        let token = form("access_token=a.b-c");
        let found = |source| Some(("a.b-c".to_owned(), source));
        for header in ["Bearer a.b-c", "bearer a.b-c", "BEARER   a.b-c ", "Token a.b-c", "token a.b-c"] {
            assert_eq!(bearer_token(Some(header.as_bytes()), None, None).unwrap(), found(TokenSource::Header));
        }
        assert_eq!(bearer_token(None, Some(&token), None).unwrap(), found(TokenSource::Body));
        assert_eq!(bearer_token(None, None, Some(&token)).unwrap(), found(TokenSource::Query));
        assert_eq!(bearer_token(Some(b"Basic eDp5"), None, Some(&token)).unwrap(), found(TokenSource::Query));
    }

    #[test]
    fn no_token_is_no_error() {
        let empty = form("access_token=&x=1");
        assert_eq!(bearer_token(None, Some(&empty), Some(&empty)).unwrap(), None);
        for header in [&b""[..], b"Basic eDp5", b"Bearerx y", b"DPoP abc", b"\xff"] {
            assert_eq!(bearer_token(Some(header), None, None).unwrap(), None);
        }
    }

    #[test]
    fn two_ways_at_once_are_refused_even_when_equal() {
        let token = form("access_token=a");
        let table = [(Some(&b"Bearer a"[..]), Some(&token), None), (Some(&b"Bearer a"[..]), None, Some(&token)), (None, Some(&token), Some(&token))];
        for (header, body, query) in table {
            assert_eq!(bearer_token(header, body, query).unwrap_err().code, ErrorCode::InvalidRequest);
        }
    }

    #[test]
    fn malformed_tokens_are_refused_without_being_shown() {
        let table = [
            (&b"Bearer"[..], ErrorCode::InvalidRequest),
            (b"Bearer  ", ErrorCode::InvalidRequest),
            (b"Bearer a b", ErrorCode::InvalidToken),
            (b"Bearer \"a\"", ErrorCode::InvalidToken),
            (b"Bearer a\xff", ErrorCode::InvalidToken),
            (b"Bearer =", ErrorCode::InvalidToken),
            (b"Bearer a=b", ErrorCode::InvalidToken),
        ];
        for (header, code) in table {
            let error = bearer_token(Some(header), None, None).unwrap_err();
            assert_eq!(error.code, code, "{}", String::from_utf8_lossy(header));
        }
        let query = form("access_token=%3Cscript%3E");
        assert_eq!(bearer_token(None, None, Some(&query)).unwrap_err().code, ErrorCode::InvalidToken);
    }

    #[test]
    fn eight_kib_are_still_a_token() {
        let header = |length| format!("Bearer {}", "a".repeat(length));
        assert!(bearer_token(Some(header(8192).as_bytes()), None, None).unwrap().is_some());
        let error = bearer_token(Some(header(8193).as_bytes()), None, None).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest);
    }

    proptest! {
        #[test]
        fn no_header_panics(header in proptest::collection::vec(any::<u8>(), 0..60), bearer: bool) {
            let header = if bearer { [b"Bearer ".to_vec(), header].concat() } else { header };
            let _ = bearer_token(Some(&header), None, None);
        }
    }
}
