//! `application/x-www-form-urlencoded` bodies and query strings, read strictly (RFC 6749 appendix B and §3.1).

use std::fmt;

use crate::error::{Problem, ProtocolError};
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
    ///
    /// A refusal tells what came: a value that is no secret, the length of any other; and the client that the request names.
    pub fn parse(input: &[u8]) -> Result<Self, ProtocolError> {
        Self::parse_pairs(input).map_err(|error| error.client(claimed_client(input).as_deref()))
    }

    fn parse_pairs(input: &[u8]) -> Result<Self, ProtocolError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for part in input.split(|byte| *byte == b'&').filter(|part| !part.is_empty()) {
            if pairs.len() == limits::PARAMETERS {
                let refusal = ProtocolError::invalid_request("The request has more than 64 parameters.");
                return Err(refusal.problem(Problem::TooMany(limits::PARAMETERS)).received(format!("more than {}", limits::PARAMETERS)));
            }
            let (name, value) = parse_pair(part)?;
            if let Some((_, first)) = pairs.iter().find(|(known, _)| *known == name) {
                let received = format!("{name} more than once: {}, then {}", shown(&name, first), shown(&name, &value));
                return Err(ProtocolError::invalid_request("A parameter is repeated.").problem(Problem::Repeated).parameter(name).received(received));
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
        self.get(name).ok_or_else(|| ProtocolError::invalid_request("A required parameter is missing.").problem(Problem::Missing).parameter(name))
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
    let name = unescape(halves.next().unwrap_or_default()).ok_or_else(|| bad_name("The name of a parameter is not well encoded.", part))?;
    check_name(&name, part)?;
    let raw = halves.next().unwrap_or_default();
    let Some(value) = unescape(raw) else {
        let refusal = ProtocolError::invalid_request("A parameter is not well encoded, or not UTF-8.").problem(Problem::Encoding);
        let received = format!("{name} with bytes that are no percent-encoded UTF-8: {}", shown(&name, &String::from_utf8_lossy(raw)));
        return Err(refusal.parameter(name).received(received));
    };
    check_value(&name, &value)?;
    Ok((name, value))
}

fn check_name(name: &str, part: &[u8]) -> Result<(), ProtocolError> {
    if name.is_empty() {
        return Err(bad_name("A parameter has no name.", part));
    }
    if name.len() > limits::NAME {
        return Err(bad_name("The name of a parameter is over 128 bytes.", part));
    }
    if name.chars().any(char::is_control) {
        return Err(bad_name("The name of a parameter has control characters.", part));
    }
    Ok(())
}

/// What stands where a name should may be anything, a JSON document with a password for one: only lengths are told.
fn bad_name(sentence: &'static str, part: &[u8]) -> ProtocolError {
    let mut halves = part.splitn(2, |byte| *byte == b'=');
    let (name, value) = (halves.next().unwrap_or_default().len(), halves.next().unwrap_or_default().len());
    let received = format!("a name of {name} bytes with a value of {value} bytes");
    ProtocolError::invalid_request(sentence).problem(Problem::Name).received(received)
}

/// How much of one value a refusal shows, in characters.
const SHOWN: usize = 80;

/// What a parameter holds, for the operator: the value where it is one that any log may hold, and of any other the length.
fn shown(name: &str, value: &str) -> String {
    if value.is_empty() {
        return "nothing".to_owned();
    }
    if !limits::is_public(name) {
        return format!("{} characters", value.chars().count());
    }
    let cut: String = value.chars().take(SHOWN).collect();
    if cut.len() < value.len() { format!("{cut}…") } else { cut }
}

/// The first `client_id` that can be read, in a request that as a whole cannot.
fn claimed_client(input: &[u8]) -> Option<String> {
    let value = input.split(|byte| *byte == b'&').find_map(|part| part.strip_prefix(b"client_id="))?;
    unescape(value).filter(|value| !value.is_empty() && value.len() <= limits::CLIENT_ID)
}

fn check_value(name: &str, value: &str) -> Result<(), ProtocolError> {
    if limits::limit(name).is_some_and(|limit| value.len() > limit) {
        let refusal = ProtocolError::invalid_request("A parameter is too long.");
        return Err(refusal
            .problem(Problem::TooLong(limits::limit(name).unwrap_or_default()))
            .parameter(name)
            .received(format!("{} bytes", value.len())));
    }
    // A NUL ends strings in PostgreSQL and C alike, so none gets in, whatever the field.
    let control = value.contains('\0') || limits::refuses_control_characters(name) && value.chars().any(char::is_control);
    if control {
        let found = value.chars().enumerate().find(|(_, character)| character.is_control());
        let place = found.map(|(at, character)| format!(", with U+{:04X} as character {}", u32::from(character), at + 1));
        let received = format!("{name}: {}{}", shown(name, value), place.unwrap_or_default());
        let refusal = ProtocolError::invalid_request("A parameter has control characters.").problem(Problem::ControlCharacter);
        return Err(refusal.parameter(name).received(received));
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
            assert!(error.received.is_some() && error.problem != Problem::Other, "{}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn what_came_is_told_and_no_secret_of_it() {
        let table: &[(&[u8], &str)] = &[
            (b"scope=openid&scope=email+x", "scope more than once: openid, then email x"),
            (b"state=1&state=", "state more than once: 1 characters, then nothing"),
            (b"client_secret=hunter2&client_secret=hunter22", "client_secret more than once: 7 characters, then 8 characters"),
            (b"unknown=hunter2&unknown=x", "unknown more than once: 7 characters, then 1 characters"),
            (b"scope=a%0Ab", "scope: a\nb, with U+000A as character 2"),
            (b"code=hunter2%00", "code: 8 characters, with U+0000 as character 8"),
            (b"scope=%zz", "scope with bytes that are no percent-encoded UTF-8: %zz"),
            (b"code=hunter2%zz", "code with bytes that are no percent-encoded UTF-8: 10 characters"),
            (b"=hunter2", "a name of 0 bytes with a value of 7 bytes"),
        ];
        for (input, received) in table {
            let error = Params::parse(input).unwrap_err();
            assert_eq!(error.received.as_deref(), Some(*received));
        }
    }

    #[test]
    fn a_request_that_cannot_be_read_still_names_its_client() {
        let named = |input: &[u8]| Params::parse(input).unwrap_err().client_id;
        assert_eq!(named(b"client_id=a%20b&state=1&state=2").as_deref(), Some("a b"));
        assert_eq!(named(b"state=1&state=2&client_id=a").as_deref(), Some("a"));
        assert_eq!(named(b"state=1&state=2&client_id=%zz"), None);
        assert_eq!(named(b"state=1&state=2"), None);
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
