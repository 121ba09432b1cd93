#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::error::ErrorCode;
use crate::form::escape;

fn body(text: &str) -> Params {
    Params::parse(text.as_bytes()).unwrap()
}

fn basic(text: &str) -> Vec<u8> {
    format!("Basic {}", BASE64.encode(text)).into_bytes()
}

fn with_header(header: &[u8], text: &str) -> Result<ClientCredentials, ClientAuthError> {
    ClientCredentials::parse(Some(header), &body(text))
}

fn without_header(text: &str) -> Result<ClientCredentials, ClientAuthError> {
    ClientCredentials::parse(None, &body(text))
}

#[test]
fn each_method_is_recognised() {
    let public = without_header("client_id=spa").unwrap();
    assert_eq!((public.client_id(), public.method()), ("spa", "none"));
    let post = without_header("client_id=web&client_secret=s").unwrap();
    assert_eq!((post.client_id(), post.method()), ("web", "client_secret_post"));
    let header = with_header(&basic("web:s"), "grant_type=x").unwrap();
    assert_eq!((header.client_id(), header.method()), ("web", "client_secret_basic"));
    let expected = ClientCredentials::Basic { client_id: "web".to_owned(), secret: "s".to_owned(), raw: None };
    assert_eq!(header, expected);
}

#[test]
fn parts_of_basic_are_form_decoded_and_the_raw_ones_kept() {
    let table = [
        ("web:a%2Bb", "a+b", Some(("web", "a%2Bb"))),
        ("web:a+b", "a b", Some(("web", "a+b"))),
        ("web:a:b", "a:b", None),
        ("web:100%", "100%", None),
        ("web:%zz+%ff", "%zz+%ff", None),
        ("web:", "", None),
        ("web:s\n", "s\n", None),
        ("web:пароль", "пароль", None),
    ];
    for (text, decoded, undecoded) in table {
        let ClientCredentials::Basic { client_id, secret, raw } = with_header(&basic(text), "").unwrap() else {
            panic!("{text} is not Basic");
        };
        assert_eq!((client_id.as_str(), secret.as_str()), ("web", decoded), "{text}");
        assert_eq!(raw, undecoded.map(|(id, secret)| (id.to_owned(), secret.to_owned())), "{text}");
    }
    let escaped = with_header(&basic("my%3Aid:s"), "").unwrap();
    assert_eq!(escaped.client_id(), "my:id");
}

#[test]
fn the_scheme_ignores_case_and_the_padding_is_optional() {
    for header in ["basic d2ViOnM=", "BASIC  d2ViOnM=", "Basic d2ViOnM", "Basic d2ViOnM= "] {
        assert_eq!(with_header(header.as_bytes(), "").unwrap().client_id(), "web", "{header}");
    }
}

#[test]
fn unreadable_headers_are_invalid_clients_with_a_challenge() {
    let long_id = basic(&format!("{}:s", "a".repeat(257)));
    let long_secret = basic(&format!("a:{}", "s".repeat(1025)));
    let table: Vec<(Vec<u8>, &str)> = vec![
        (b"Basic".to_vec(), "malformed_basic"),
        (b"Basic ".to_vec(), "malformed_basic"),
        (b"".to_vec(), "malformed_basic"),
        (b"Basic !!!".to_vec(), "malformed_basic"),
        (b"Basic d2Vi".to_vec(), "malformed_basic"),
        (b"Basic \xff".to_vec(), "malformed_basic"),
        (b"Basic d2Vi OnM=".to_vec(), "malformed_basic"),
        (basic("web"), "malformed_basic"),
        (basic(":s"), "malformed_basic"),
        (basic("a\nb:s"), "malformed_basic"),
        (basic("a%0Ab:s"), "malformed_basic"),
        (basic("a:s\0"), "malformed_basic"),
        (basic("a:s%00"), "malformed_basic"),
        (format!("Basic {}", BASE64.encode(b"a:\xff")).into_bytes(), "malformed_basic"),
        (long_id, "malformed_basic"),
        (long_secret, "malformed_basic"),
        (b"d2ViOnM=".to_vec(), "missing_scheme"),
        (b"d2ViOnM".to_vec(), "missing_scheme"),
        (b"d2Vi".to_vec(), "malformed_basic"),
        (b"Bearer abc".to_vec(), "unsupported_scheme"),
        (b"Digest username=x".to_vec(), "unsupported_scheme"),
    ];
    for (header, slug) in table {
        let error = with_header(&header, "client_id=web").unwrap_err();
        assert_eq!(error.slug, slug, "{}", String::from_utf8_lossy(&header));
        assert_eq!(error.error.code, ErrorCode::InvalidClient);
        assert!(error.used_basic);
        let received = error.error.received.unwrap();
        assert!(!["d2Vi", "OnM", "!!!", "abc", "username", "web"].iter().any(|part| received.contains(part)), "a secret leaked: {received}");
    }
}

#[test]
fn two_methods_at_once_are_an_invalid_request() {
    for text in ["client_secret=s", "client_id=web&client_secret=s", "client_assertion=x"] {
        let error = with_header(&basic("web:s"), text).unwrap_err();
        assert_eq!((error.error.code, error.slug), (ErrorCode::InvalidRequest, "two_methods"), "{text}");
        assert_eq!(error.error.client_id.as_deref(), Some("web"), "{text}");
    }
}

#[test]
fn the_body_may_repeat_the_client_id_but_not_contradict_it() {
    assert!(with_header(&basic("web:s"), "client_id=web").is_ok());
    assert!(with_header(&basic("a%2Bb:s"), "client_id=a%2Bb").is_ok());
    assert!(with_header(&basic("a+b:s"), "client_id=a%2Bb").is_ok());
    let error = with_header(&basic("web:s"), "client_id=other").unwrap_err();
    assert_eq!((error.error.code, error.slug), (ErrorCode::InvalidRequest, "client_id_mismatch"));
}

#[test]
fn a_body_without_credentials_is_an_invalid_client_without_a_challenge() {
    let table = [
        ("", "no_credentials"),
        ("client_id=", "no_credentials"),
        ("client_secret=s", "missing_client_id"),
        ("client_id=web&client_assertion=x", "unsupported_method"),
    ];
    for (text, slug) in table {
        let error = without_header(text).unwrap_err();
        assert_eq!((error.error.code, error.slug), (ErrorCode::InvalidClient, slug), "{text}");
        assert!(!error.used_basic);
    }
}

#[test]
fn debug_output_holds_no_secret() {
    for credentials in [with_header(&basic("web:hunter+2"), "").unwrap(), without_header("client_id=web&client_secret=hunter2").unwrap()] {
        let text = format!("{credentials:?}");
        assert!(text.contains("web") && !text.contains("hunter"), "{text}");
    }
}

proptest! {
    #[test]
    fn no_header_panics(header in proptest::collection::vec(any::<u8>(), 0..60), scheme: bool) {
        let header = if scheme { [b"Basic ".to_vec(), header].concat() } else { header };
        let _ = ClientCredentials::parse(Some(&header), &Params::default());
    }

    #[test]
    fn no_decoded_text_panics(text in any::<String>()) {
        let _ = ClientCredentials::parse(Some(&basic(&text)), &Params::default());
    }

    #[test]
    fn an_encoded_pair_is_read_back(id in "\\PC{1,40}", secret in "[^\\x00]{0,40}") {
        let header = basic(&format!("{}:{}", escape(&id), escape(&secret)));
        let credentials = ClientCredentials::parse(Some(&header), &Params::default()).unwrap();
        prop_assert_eq!(credentials.client_id(), id.as_str());
        let ClientCredentials::Basic { secret: read, .. } = credentials else { panic!("not Basic") };
        prop_assert_eq!(read, secret);
    }
}
