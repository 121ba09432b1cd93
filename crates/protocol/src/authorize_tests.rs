#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::form::encode;

fn params(text: &str) -> Params {
    Params::parse(text.as_bytes()).unwrap()
}

fn parse(text: &str) -> Result<AuthorizeRequest, ProtocolError> {
    AuthorizeRequest::parse(&params(text))
}

const MINIMAL: &str = "client_id=rocketchat&response_type=code";

#[test]
fn the_smallest_request_is_a_client_and_a_response_type() {
    let request = parse(MINIMAL).unwrap();
    assert_eq!(request.client_id, "rocketchat");
    assert_eq!(request.prompt, Prompt::default());
    assert_eq!(request.response_mode, ResponseMode::Query);
    assert_eq!((request.redirect_uri, request.scope, request.state), (None, None, None));
}

#[test]
fn every_parameter_is_read() {
    let text = "response_type=code&client_id=c&redirect_uri=https%3A%2F%2Fa.example%2Fcb&scope=openid%20email&state=s%2B1\
        &nonce=n&prompt=login+consent&max_age=0&login_hint=anna&ui_locales=ru%20en&acr_values=a+b&response_mode=form_post\
        &id_token_hint=h&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&unknown=1";
    let request = parse(text).unwrap();
    assert_eq!(request.redirect_uri.as_deref(), Some("https://a.example/cb"));
    assert_eq!(request.scope.as_ref().unwrap().to_string(), "openid email");
    assert_eq!(request.state.as_deref(), Some("s+1"));
    assert_eq!(request.nonce.as_deref(), Some("n"));
    assert!(request.prompt.login && request.prompt.consent && !request.prompt.none);
    assert_eq!(request.max_age, Some(0));
    assert_eq!(request.login_hint.as_deref(), Some("anna"));
    assert_eq!((request.ui_locales.len(), request.acr_values.len()), (2, 2));
    assert_eq!(request.response_mode, ResponseMode::FormPost);
    assert_eq!(request.id_token_hint.as_deref(), Some("h"));
    assert!(request.code_challenge.is_some());
}

#[test]
fn malformed_requests_are_refused_with_their_code() {
    let challenge = "a".repeat(43);
    let table = [
        ("client_id=c".to_owned(), ErrorCode::InvalidRequest, "response_type"),
        ("client_id=c&response_type=".to_owned(), ErrorCode::InvalidRequest, "response_type"),
        ("response_type=code".to_owned(), ErrorCode::InvalidRequest, "client_id"),
        ("client_id=c&response_type=token".to_owned(), ErrorCode::UnsupportedResponseType, "response_type"),
        ("client_id=c&response_type=code+id_token".to_owned(), ErrorCode::UnsupportedResponseType, "response_type"),
        ("client_id=c&response_type=CODE".to_owned(), ErrorCode::UnsupportedResponseType, "response_type"),
        (format!("{MINIMAL}&request=x"), ErrorCode::RequestNotSupported, "request"),
        ("client_id=c&request=x".to_owned(), ErrorCode::RequestNotSupported, "request"),
        ("client_id=c&request_uri=x".to_owned(), ErrorCode::RequestUriNotSupported, "request_uri"),
        (format!("{MINIMAL}&registration=x"), ErrorCode::RegistrationNotSupported, "registration"),
        (format!("{MINIMAL}&response_mode=fragment"), ErrorCode::InvalidRequest, "response_mode"),
        (format!("{MINIMAL}&response_mode=web_message"), ErrorCode::InvalidRequest, "response_mode"),
        (format!("{MINIMAL}&prompt=none+login"), ErrorCode::InvalidRequest, "prompt"),
        (format!("{MINIMAL}&prompt=consent+none"), ErrorCode::InvalidRequest, "prompt"),
        (format!("{MINIMAL}&prompt=select_account+none"), ErrorCode::InvalidRequest, "prompt"),
        (format!("{MINIMAL}&prompt=create"), ErrorCode::InvalidRequest, "prompt"),
        (format!("{MINIMAL}&prompt=Login"), ErrorCode::InvalidRequest, "prompt"),
        (format!("{MINIMAL}&max_age=-1"), ErrorCode::InvalidRequest, "max_age"),
        (format!("{MINIMAL}&max_age=%2B1"), ErrorCode::InvalidRequest, "max_age"),
        (format!("{MINIMAL}&max_age=1.5"), ErrorCode::InvalidRequest, "max_age"),
        (format!("{MINIMAL}&max_age=99999999999999999999"), ErrorCode::InvalidRequest, "max_age"),
        (format!("{MINIMAL}&scope=a%22"), ErrorCode::InvalidScope, "scope"),
        (format!("{MINIMAL}&code_challenge={challenge}"), ErrorCode::InvalidRequest, "code_challenge_method"),
        (format!("{MINIMAL}&code_challenge={challenge}&code_challenge_method=plain"), ErrorCode::InvalidRequest, "code_challenge_method"),
        (format!("{MINIMAL}&code_challenge_method=S256"), ErrorCode::InvalidRequest, "code_challenge"),
    ];
    for (text, code, parameter) in table {
        let error = parse(&text).unwrap_err();
        assert_eq!((error.code, error.parameter.as_deref()), (code, Some(parameter)), "{text}");
    }
}

#[test]
fn choosing_an_account_is_a_fresh_login() {
    let prompt = Prompt::parse("select_account").unwrap();
    assert!(prompt.login && prompt.select_account);
    assert_eq!(Prompt::parse(&prompt.to_string()).unwrap(), prompt);
}

#[test]
fn the_target_is_read_from_requests_that_do_not_parse() {
    let request = params("client_id=c&redirect_uri=u&state=s&response_mode=fragment&prompt=none+login");
    let expected = Target { client_id: Some("c".to_owned()), redirect_uri: Some("u".to_owned()), state: Some("s".to_owned()), response_mode: None };
    assert_eq!(Target::parse(&request), expected);
    assert_eq!(Target::parse(&params("response_mode=form_post")).response_mode, Some(ResponseMode::FormPost));
    assert_eq!(Target::parse(&Params::default()), Target::default());
}

#[test]
fn the_sealed_form_is_small_and_reads_back() {
    let request = parse(MINIMAL).unwrap();
    let json = serde_json::to_string(&request).unwrap();
    assert_eq!(json, r#"{"c":"rocketchat"}"#);
    assert_eq!(serde_json::from_str::<AuthorizeRequest>(&json).unwrap(), request);
    let full = parse(&format!(
        "{MINIMAL}&redirect_uri=u&scope=a+b&state=s&nonce=n&prompt=login+select_account&max_age=1&login_hint=h&ui_locales=ru\
         &acr_values=v&response_mode=form_post&id_token_hint=i&code_challenge={}&code_challenge_method=S256",
        "a".repeat(43)
    ))
    .unwrap();
    let json = serde_json::to_string(&full).unwrap();
    assert_eq!(serde_json::from_str::<AuthorizeRequest>(&json).unwrap(), full);
    assert!(serde_json::from_str::<AuthorizeRequest>(r#"{"c":"x","p":"none login"}"#).is_err());
}

#[test]
fn debug_output_holds_neither_state_nor_hint() {
    let request = parse(&format!("{MINIMAL}&state=hunter2&id_token_hint=hunter3")).unwrap();
    assert!(!format!("{request:?}").contains("hunter"));
}

#[test]
fn responses_carry_state_and_issuer() {
    let success = AuthorizeResponse::success("c", Some("s"), "https://id.example");
    let names: Vec<_> = success.pairs().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["code", "state", "iss"]);
    assert!(!format!("{success:?}").contains("\"c\""));
    let error = AuthorizeResponse::error(ErrorCode::AccessDenied, "no \"way\"\r\nX\\ нет (ref 7F3K2Q)", None, "i");
    let expected =
        [("error", "access_denied".to_owned()), ("error_description", "no ?way???X? ??? (ref 7F3K2Q)".to_owned()), ("iss", "i".to_owned())];
    assert_eq!(error.into_pairs(), expected);
}

proptest! {
    #[test]
    fn no_request_panics(values in proptest::collection::vec("[ -~]{0,50}", 8)) {
        let names = ["response_type", "scope", "prompt", "max_age", "ui_locales", "response_mode", "code_challenge", "state"];
        let pairs: Vec<_> = names.into_iter().zip(values).chain([("client_id", "c".to_owned())]).collect();
        let params = Params::parse(encode(&pairs).as_bytes()).unwrap();
        let _ = Target::parse(&params);
        let _ = AuthorizeRequest::parse(&params);
    }

    #[test]
    fn any_printable_state_comes_back_byte_for_byte(state in "\\PC{1,200}") {
        let text = encode(&[("client_id", "c"), ("response_type", "code"), ("state", &state)]);
        let request = parse(&text).unwrap();
        let answer = AuthorizeResponse::success("c", request.state.as_deref(), "i").into_pairs();
        let back = Params::parse(encode(&answer).as_bytes()).unwrap();
        prop_assert_eq!(back.get("state"), Some(state.as_str()));
    }
}
