//! The Rocket.Chat simulator against the npm packages that Rocket.Chat itself signs in with (`tests/rocketchat-oracle`, installed by
//! `npm ci`): the same bytes, only the random state and verifier are taken over from them.
//!
//! * `modern_requests_are_those_of_passport_and_node_oauth`: authorize URL, session slot, token and identity requests;
//! * `legacy_requests_are_those_of_node_fetch`: token request by payload and by header, identity by header and by query.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test reports a broken expectation by panicking")]

use std::process::Command;
use std::sync::OnceLock;

use propusk_tests::http::Request;
use propusk_tests::rocketchat::exchange::{identity_request, token_request};
use propusk_tests::rocketchat::start::{modern_slot, modern_url};
use propusk_tests::rocketchat::{Config, LoginStyle, Profile, SentVia};
use serde_json::{Value, json};

const CODE: &str = "c+o/d=e ~!x";
const STATE: &str = "eyJ+/==";
const TOKEN: &str = "aaa.b-b_b.ccc";

#[test]
fn modern_requests_are_those_of_passport_and_node_oauth() {
    let (oracle, mut config) = oracle();
    let profile = Profile::Modern(LoginStyle::Popup);
    let modern = &oracle["modern"];
    let kept = &modern["session"][modern_slot(&config)]["state"];
    let (state, verifier) = (text(&kept["handle"]), text(&kept["code_verifier"]));
    assert_eq!((state.len(), verifier.len()), (24, 43));
    assert_eq!(modern_url(&config, profile, state, verifier), text(&modern["location"]));
    // The token request of the packages belongs to the session that the location shows.
    same(&token_request(profile, &config, Some(CODE), None, Some(verifier)), &modern["token"]);
    same(&identity_request(profile, &config, TOKEN), &modern["identity_header"]);
    config.identity_token_sent_via = SentVia::Payload;
    same(&identity_request(profile, &config, TOKEN), &modern["identity_payload"]);
}

#[test]
fn legacy_requests_are_those_of_node_fetch() {
    let (oracle, mut config) = oracle();
    let profile = Profile::LegacyWeb(LoginStyle::Redirect);
    let legacy = &oracle["legacy"];
    same(&token_request(profile, &config, Some(CODE), Some(STATE), None), &legacy["token_payload"]);
    same(&identity_request(profile, &config, TOKEN), &legacy["identity_header"]);
    config.identity_token_sent_via = SentVia::Default;
    same(&identity_request(profile, &config, TOKEN), &legacy["identity_payload"]);
    config.token_sent_via = SentVia::Header;
    same(&token_request(profile, &config, Some(CODE), Some(STATE), None), &legacy["token_header"]);
}

/// What the packages sent, and the configuration under which the simulator has to send the same.
fn oracle() -> (&'static Value, Config) {
    static CAPTURE: OnceLock<Value> = OnceLock::new();
    let mut config = Config::recommended("https://chat.example.org", "", "rocketchat", "s~e.c-r_e*t!'(x)");
    config.authorize_path = "/oauth/authorize?foo=b%20r".into();
    let capture = CAPTURE.get_or_init(|| run(&config));
    text(&capture["origin"]).clone_into(&mut config.url);
    (capture, config)
}

fn run(config: &Config) -> Value {
    let input = json!({
        "client_id": config.id,
        "client_secret": config.secret,
        "redirect_uri": config.token_redirect_uri(),
        "scope": config.scope,
        "code": CODE,
        "state": STATE,
        "token": TOKEN,
        "authorize_path": config.authorize_path,
        "release": config.release,
    });
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rocketchat-oracle");
    let output = Command::new("node").arg("capture.js").arg(input.to_string()).current_dir(folder).output();
    let output = output.expect("the oracle needs node on the PATH");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the oracle failed (was `npm ci` run in {folder}?): {complaint}");
    serde_json::from_slice(&output.stdout).expect("the oracle prints JSON")
}

fn same(simulated: &Request, captured: &Value) {
    assert_eq!(String::from_utf8(simulated.to_bytes()).expect("ASCII"), text(captured));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
