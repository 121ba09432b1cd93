//! `application/x-www-form-urlencoded` bodies and query strings, read strictly (RFC 6749 appendix B and §3.1).

use std::fmt;

use crate::error::ProtocolError;
use crate::limits;

/// The parameters of a request: each name at most once, in the order in which they came.
///
/// `Debug` shows names only, because values hold secrets and codes.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Reads a body or a raw query string.
    ///
    /// `+` is a space. Refused with `invalid_request`: a bad percent escape, text that is not UTF-8, a NUL, a control
    /// character in a known field other than a secret, a parameter without a name, a repeated name (known or not, with
    /// or without a value), more than 64 parameters, a name over 128 bytes, a known field over its limit.
    /// Empty parts (`a=1&&b=2`) are passed over.
    pub fn parse(input: &[u8]) -> Result<Self, ProtocolError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for part in input.split(|byte| *byte == b'&').filter(|part| !part.is_empty()) {
            if pairs.len() == limits::PARAMETERS {
                return Err(ProtocolError::invalid_request("The request has more than 64 parameters."));
            }
            let (name, value) = parse_pair(part)?;
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(ProtocolError::invalid_request("A parameter is repeated.").parameter(name));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// The value of `name`; an empty value counts as absent (RFC 6749 §3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The value of `name`, or `invalid_request` naming it.
    pub fn require(&self, name: &str) -> Result<&str, ProtocolError> {
        self.get(name).ok_or_else(|| ProtocolError::invalid_request("A required parameter is missing.").parameter(name))
    }

    /// The names that came with a value, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// The pairs that came with a value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// See [`encode`].
    pub fn encode<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
        encode(pairs)
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Params").field(&self.names().collect::<Vec<_>>()).finish()
    }
}

/// Writes `name=value&…`, escaping everything but RFC 3986 unreserved characters; a space is `%20`, so that the text
/// means the same in a form and in a URL.
pub fn encode<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        push_escaped(&mut text, name.as_ref());
        text.push('=');
        push_escaped(&mut text, value.as_ref());
    }
    text
}

/// One name or value with everything but RFC 3986 unreserved characters escaped.
pub fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    push_escaped(&mut text, value);
    text
}

/// Undoes form encoding of one name or value; `None` for a bad escape or text that is not UTF-8.
pub(crate) fn unescape(input: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(input.len());
    let mut rest = input.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(*rest.next()?)? << 4 | hex_digit(*rest.next()?)?,
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn parse_pair(part: &[u8]) -> Result<(String, String), ProtocolError> {
    let mut halves = part.splitn(2, |byte| *byte == b'=');
    let name =
        unescape(halves.next().unwrap_or_default()).ok_or_else(|| ProtocolError::invalid_request("The name of a parameter is not well encoded."))?;
    check_name(&name)?;
    let Some(value) = unescape(halves.next().unwrap_or_default()) else {
        let refusal = ProtocolError::invalid_request("A parameter is not well encoded, or not UTF-8.");
        return Err(refusal.parameter(name));
    };
    check_value(&name, &value)?;
    Ok((name, value))
}

fn check_name(name: &str) -> Result<(), ProtocolError> {
    if name.is_empty() {
        return Err(ProtocolError::invalid_request("A parameter has no name."));
    }
    if name.len() > limits::NAME {
        return Err(ProtocolError::invalid_request("The name of a parameter is over 128 bytes."));
    }
    if name.chars().any(char::is_control) {
        return Err(ProtocolError::invalid_request("The name of a parameter has control characters."));
    }
    Ok(())
}

fn check_value(name: &str, value: &str) -> Result<(), ProtocolError> {
    if limits::limit(name).is_some_and(|limit| value.len() > limit) {
        let refusal = ProtocolError::invalid_request("A parameter is too long.");
        return Err(refusal.parameter(name).received(format!("{} bytes", value.len())));
    }
    // A NUL ends strings in PostgreSQL and C alike, so none gets in, whatever the field.
    let control = value.contains('\0') || limits::refuses_control_characters(name) && value.chars().any(char::is_control);
    if control {
        return Err(ProtocolError::invalid_request("A parameter has control characters.").parameter(name));
    }
    Ok(())
}

fn push_escaped(text: &mut String, value: &str) {
    for byte in value.bytes() {
        if is_unreserved(byte) {
            text.push(char::from(byte));
            continue;
        }
        text.push('%');
        text.push(upper_hex(byte >> 4));
        text.push(upper_hex(byte & 0x0f));
    }
}

/// RFC 3986 §2.3
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn upper_hex(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 })
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn plus_and_escapes_are_decoded() {
        let params = Params::parse(b"a=x+y%20z&scope=openid+profile&b=%D0%B4&c=1=2&%64=q").unwrap();
        let pairs: Vec<_> = params.iter().collect();
        let expected = [("a", "x y z"), ("scope", "openid profile"), ("b", "д"), ("c", "1=2"), ("d", "q")];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn an_empty_value_is_absent_but_counts_as_sent() {
        let params = Params::parse(b"state=&code=x&flag").unwrap();
        assert_eq!(params.get("state"), None);
        assert_eq!(params.names().collect::<Vec<_>>(), ["code"]);
        let error = Params::parse(b"state=&state=x").unwrap_err();
        assert_eq!(error.parameter.as_deref(), Some("state"));
        assert_eq!(Params::parse(b"&&a=1&").unwrap().get("a"), Some("1"));
        assert_eq!(Params::parse(b"").unwrap(), Params::default());
    }

    #[test]
    fn malformed_input_is_refused_by_name() {
        let table: &[(&[u8], Option<&str>)] = &[
            (b"state=%", Some("state")),
            (b"state=%2", Some("state")),
            (b"state=%zz", Some("state")),
            (b"state=%+1", Some("state")),
            (b"state=%ff", Some("state")),
            (b"state=\xff", Some("state")),
            (b"%zz=1", None),
            (b"=1", None),
            (b"a%0A=1", None),
            (b"x=1&x=2", Some("x")),
            (b"x=1&%78=2", Some("x")),
            (b"unknown=1&unknown=1", Some("unknown")),
            (b"state=a%00", Some("state")),
            (b"state=a%0D%0AX", Some("state")),
            (b"state=%C2%85", Some("state")),
            (b"redirect_uri=https://a%09b", Some("redirect_uri")),
            (b"password=a%00b", Some("password")),
            (b"other=a%00b", Some("other")),
        ];
        for (input, parameter) in table {
            let error = Params::parse(input).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidRequest);
            assert_eq!(error.parameter.as_deref(), *parameter, "{}", String::from_utf8_lossy(input));
            assert_eq!(error.received, None, "a value leaked");
        }
    }

    #[test]
    fn a_secret_keeps_its_stray_newline_for_the_diagnosis() {
        let params = Params::parse(b"client_secret=s%0A&password=a%09b&note=two%0D%0Alines").unwrap();
        assert_eq!(params.get("client_secret"), Some("s\n"));
        assert_eq!(params.get("password"), Some("a\tb"));
        assert_eq!(params.get("note"), Some("two\r\nlines"));
    }

    #[test]
    fn state_holds_anything_printable() {
        let state = r#" "\<>&=+%#;,/?:@[]{}|^`~ данные 🙂"#;
        let text = encode(&[("state", state)]);
        assert_eq!(Params::parse(text.as_bytes()).unwrap().get("state"), Some(state));
    }

    #[test]
    fn known_fields_are_limited_and_others_are_not() {
        let fields = [
            ("state", 8192),
            ("scope", 1024),
            ("client_id", 256),
            ("redirect_uri", 2048),
            ("nonce", 1024),
            ("code", 512),
            ("access_token", 8192),
            ("refresh_token", 8192),
            ("id_token_hint", 16384),
        ];
        for (name, limit) in fields {
            let fits = format!("{name}={}", "a".repeat(limit));
            assert!(Params::parse(fits.as_bytes()).is_ok(), "{name}");
            let error = Params::parse(format!("{fits}a").as_bytes()).unwrap_err();
            assert_eq!(error.parameter.as_deref(), Some(name));
            assert_eq!(error.received, Some(format!("{} bytes", limit + 1)));
        }
        assert!(Params::parse(format!("other={}", "a".repeat(100_000)).as_bytes()).is_ok());
    }

    #[test]
    fn the_number_and_the_names_of_parameters_are_limited() {
        let many = |count: usize| (0..count).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        assert!(Params::parse(many(64).as_bytes()).is_ok());
        assert!(Params::parse(many(65).as_bytes()).is_err());
        assert!(Params::parse(format!("{}=1", "n".repeat(128)).as_bytes()).is_ok());
        assert!(Params::parse(format!("{}=1", "n".repeat(129)).as_bytes()).is_err());
    }

    #[test]
    fn require_names_what_is_missing() {
        let error = Params::parse(b"code=").unwrap().require("code").unwrap_err();
        assert_eq!(error.parameter.as_deref(), Some("code"));
    }

    #[test]
    fn debug_output_holds_no_value() {
        let params = Params::parse(b"client_secret=hunter2").unwrap();
        assert_eq!(format!("{params:?}"), r#"Params(["client_secret"])"#);
    }

    #[test]
    fn everything_but_unreserved_is_escaped() {
        assert_eq!(encode(&[("a b", "c+d/é~-._")]), "a%20b=c%2Bd%2F%C3%A9~-._");
    }

    proptest! {
        #[test]
        fn no_input_panics(input in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Params::parse(&input);
        }

        #[test]
        fn no_almost_valid_input_panics(input in "[a-c=&%+0-9A-F]{0,60}") {
            let _ = Params::parse(input.as_bytes());
        }

        #[test]
        fn what_is_encoded_is_read_back(values in proptest::collection::vec("[^\\x00]{1,40}", 0..10)) {
            let pairs: Vec<_> = values.iter().enumerate().map(|(n, value)| (format!("n{n}"), value.clone())).collect();
            let params = Params::parse(encode(&pairs).as_bytes()).unwrap();
            let read: Vec<_> = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            prop_assert_eq!(read, pairs);
        }
    }
}
