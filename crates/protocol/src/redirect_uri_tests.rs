#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::RedirectUriProblem as Problem;
use super::*;

#[test]
fn good_uris_register() {
    let table = [
        ("https://chat.example.org/_oauth/besedka", false),
        ("https://chat.example.org/_oauth/besedka?close", false),
        ("https://chat.example.org", false),
        ("https://Chat.Example.org:8443/cb?a=b&c=%2F..", false),
        ("https://xn--d1acufc.xn--p1ai/cb", false),
        ("https://192.0.2.7/cb", false),
        ("https://[2001:db8::1]/cb", false),
        ("http://127.0.0.1:9000/cb", false),
        ("http://[::1]/cb", false),
        ("http://localhost:3000/cb", false),
        ("https://a.example/a..b/.hidden/...", false),
        ("https://a.example/@user", false),
        ("com.example.app:/callback", true),
        ("com.example.app://callback", true),
        ("https://app.example/claimed", true),
        ("http://127.0.0.1/cb", true),
    ];
    for (uri, native) in table {
        assert_eq!(check_registration(uri, native, false), Ok(()), "{uri}");
    }
}

#[test]
fn bad_uris_are_refused_with_their_reason() {
    let table = [
        ("", Problem::Empty),
        ("/callback", Problem::NotAbsolute),
        ("//a.example/cb", Problem::NotAbsolute),
        ("a.example/cb", Problem::NotAbsolute),
        ("https:a.example/cb", Problem::NotAbsolute),
        ("https:/a.example/cb", Problem::NotAbsolute),
        ("https:///cb", Problem::NotAbsolute),
        ("https://", Problem::NotAbsolute),
        ("1http://a.example", Problem::NotAbsolute),
        ("https://a.example/cb#", Problem::Fragment),
        ("https://a.example/cb#x", Problem::Fragment),
        ("https://user@a.example/", Problem::Userinfo),
        ("https://good.example:x@evil.example/", Problem::Userinfo),
        ("https://@a.example/", Problem::Userinfo),
        ("https://a.example/../cb", Problem::DotSegments),
        ("https://a.example/x/..", Problem::DotSegments),
        ("https://a.example/%2e%2E/cb", Problem::DotSegments),
        ("https://a.example/.%2e/cb", Problem::DotSegments),
        ("https://a.example/./cb", Problem::DotSegments),
        ("https://a.example/cb\\x", Problem::BadCharacter),
        ("https://good.example\\@evil.example/", Problem::BadCharacter),
        ("https://a.example/c b", Problem::BadCharacter),
        (" https://a.example/", Problem::BadCharacter),
        ("https://a.example/\r\nX:y", Problem::BadCharacter),
        ("java\tscript:alert(1)", Problem::BadCharacter),
        ("https://a.example/<x>", Problem::BadCharacter),
        ("https://a.example/%2", Problem::BadCharacter),
        ("https://a.example/%zz", Problem::BadCharacter),
        ("https://пример.рф/", Problem::NotAscii),
        ("http://a.example/cb", Problem::InsecureHttp),
        ("http://127.0.0.2/cb", Problem::InsecureHttp),
        ("http://localhost.evil.example/cb", Problem::InsecureHttp),
        ("http://127.0.0.1.evil.example/cb", Problem::InsecureHttp),
        ("https://*.example.org/cb", Problem::BadHost),
        ("http://127.1/cb", Problem::BadHost),
        ("http://0x7f.0.0.1/cb", Problem::BadHost),
        ("http://2130706433/cb", Problem::BadHost),
        ("https://a.example:99999/", Problem::BadHost),
        ("https://%61.example/", Problem::BadHost),
        ("https://[::1/", Problem::BadHost),
        ("https://?x", Problem::NotAbsolute),
        ("javascript:alert(1)", Problem::ForbiddenScheme),
        ("JavaScript:alert(1)", Problem::ForbiddenScheme),
        ("data:text/html,x", Problem::ForbiddenScheme),
        ("file:///etc/passwd", Problem::ForbiddenScheme),
        ("vbscript:x", Problem::ForbiddenScheme),
        ("blob:https://a.example/x", Problem::ForbiddenScheme),
        ("com.example.app:/callback", Problem::PrivateSchemeNotNative),
        ("myapp://callback", Problem::PrivateSchemeNotNative),
    ];
    for (uri, problem) in table {
        assert_eq!(check_registration(uri, false, false), Err(problem), "{uri:?}");
    }
    let long = format!("https://a.example/{}", "a".repeat(2048));
    assert_eq!(check_registration(&long, false, false), Err(Problem::TooLong));
}

#[test]
fn native_clients_gain_private_schemes_and_nothing_else() {
    let table = [
        ("myapp://callback", Problem::PrivateSchemeWithoutDot),
        ("javascript:alert(1)", Problem::ForbiddenScheme),
        ("com.example.app:/../x", Problem::DotSegments),
        ("com.example.app://user@x", Problem::Userinfo),
        ("com.example.app:/x#y", Problem::Fragment),
        ("http://192.168.1.4/cb", Problem::InsecureHttp),
    ];
    for (uri, problem) in table {
        assert_eq!(check_registration(uri, true, false), Err(problem), "{uri}");
    }
}

#[test]
fn plain_http_needs_the_switch() {
    assert_eq!(check_registration("http://chat.lan:3000/_oauth/x", false, true), Ok(()));
    assert_eq!(check_registration("http://*.lan/", false, true), Err(Problem::BadHost));
}

#[test]
fn problems_have_distinct_slugs_and_sentences() {
    assert_eq!(Problem::Fragment.slug(), "fragment");
    assert!(Problem::BadHost.to_string().ends_with('.'));
}

#[test]
fn web_clients_match_byte_for_byte() {
    let registered = "https://a.example/cb?x=1";
    assert!(matches(registered, registered, false));
    for presented in [
        "https://a.example/cb",
        "https://a.example/cb?x=1&y=2",
        "https://a.example/cb?x=1#",
        "https://A.example/cb?x=1",
        "https://a.example/cb/?x=1",
        "https://a.example:443/cb?x=1",
        "http://a.example/cb?x=1",
        "https://a.example/CB?x=1",
        "https://a.example.evil.example/cb?x=1",
        "",
    ] {
        assert!(!matches(registered, presented, false), "{presented}");
        assert!(!matches(registered, presented, true), "{presented}");
    }
    assert!(!matches("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb", false));
}

#[test]
fn native_loopback_frees_the_port_and_nothing_else() {
    let free = [
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"),
        ("http://127.0.0.1:8000/cb?x=1", "http://127.0.0.1:9/cb?x=1"),
        ("http://[::1]/cb", "http://[::1]:61023/cb"),
        ("http://localhost:1/cb", "http://localhost:2/cb"),
        ("http://127.0.0.1", "http://127.0.0.1:80"),
    ];
    for (registered, presented) in free {
        assert!(matches(registered, presented, true), "{presented}");
    }
    let refused = [
        ("http://127.0.0.1/cb", "http://127.0.0.1:80/other"),
        ("http://127.0.0.1/cb", "http://localhost:80/cb"),
        ("http://127.0.0.1/cb", "http://[::1]:80/cb"),
        ("http://127.0.0.1/cb", "https://127.0.0.1:80/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:+80/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:80/cb?x"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:80/cb#x"),
        ("http://127.0.0.1", "http://127.0.0.1:80#x"),
        ("https://a.example/cb", "https://a.example:1/cb"),
    ];
    for (registered, presented) in refused {
        assert!(!matches(registered, presented, true), "{presented}");
    }
}

#[test]
fn the_nearest_value_names_the_first_difference() {
    let registered = vec!["https://site.example/cb".to_owned(), "https://chat.example/_oauth/besedka".to_owned()];
    let near = nearest(&registered, "https://chat.example/_oauth/Besedka").unwrap();
    assert_eq!(near.registered, "https://chat.example/_oauth/besedka");
    assert_eq!(near.first_difference, "https://chat.example/_oauth/".len());
    let shorter = nearest(&registered, "https://site.example/c").unwrap();
    assert_eq!(shorter.first_difference, 22);
    assert_eq!(nearest(&[], "x"), None);
}

#[test]
fn response_parameters_follow_a_registered_query() {
    let table = [
        ("https://a.example/cb", "https://a.example/cb?code=a%2Bb&state=%20"),
        ("https://a.example/cb?close", "https://a.example/cb?close&code=a%2Bb&state=%20"),
        ("https://a.example/cb?x=%7e&", "https://a.example/cb?x=%7e&code=a%2Bb&state=%20"),
        ("https://a.example?", "https://a.example?code=a%2Bb&state=%20"),
        ("com.example.app:/cb", "com.example.app:/cb?code=a%2Bb&state=%20"),
    ];
    for (uri, expected) in table {
        assert_eq!(with_params(uri, &[("code", "a+b"), ("state", " ")]), expected);
    }
    assert_eq!(with_params::<&str, &str>("https://a.example", &[]), "https://a.example");
}

#[test]
fn origins_are_written_as_browsers_do() {
    let table = [
        ("https://A.example:443/cb?x", Some("https://a.example")),
        ("http://localhost:3000/cb", Some("http://localhost:3000")),
        ("http://[::1]:80/", Some("http://[::1]")),
        ("com.example.app:/cb", None),
        ("nonsense", None),
    ];
    for (uri, expected) in table {
        assert_eq!(origin(uri).as_deref(), expected);
    }
}

proptest! {
    #[test]
    fn no_text_panics(uri in any::<String>(), native: bool) {
        let _ = check_registration(&uri, native, native);
        let _ = matches("http://127.0.0.1/cb", &uri, native);
        let _ = origin(&uri);
        let _ = nearest(&["https://a.example/cb".to_owned()], &uri);
    }

    #[test]
    fn what_registers_is_what_a_browser_would_open(path in "[a-z./%2e]{0,20}") {
        let uri = format!("https://a.example/{path}");
        if check_registration(&uri, false, false).is_ok() {
            let opened = Url::parse(&uri).unwrap();
            prop_assert_eq!(opened.as_str(), uri);
        }
    }
}
