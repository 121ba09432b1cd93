//! `--lang ru`: the same verdicts, said in Russian; commands stay as they are.

use crate::rocketchat_tools::propusk;
use propusk_domain::Cause;
use propusk_domain::client::Preset;
use propusk_domain::rocketchat::guide;
use propusk_domain::trace::diagnosis::Language;
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, TestServer};

propusk_tests::on_each_backend![a_refusal_is_explained_in_the_language_that_is_asked_for, the_doctor_speaks_the_language_that_is_asked_for];

fn a_refusal_is_explained_in_the_language_that_is_asked_for(backend: Backend) {
    let server = TestServer::start(backend);
    let client = server.add_client("site", Preset::Web);
    let refused = Request::get(&server.authorize_url(&client, &[("redirect_uri", "https://site.example/other")])).send().unwrap();
    let reference = propusk_tests::html::text_of(&refused.text(), "error-reference").unwrap();
    server.explain(&reference);
    let cause = Cause::RedirectUriMismatch;
    for (lang, explanation, advice) in [("ru", cause.explanation_ru(), cause.advice_ru()), ("en", cause.explanation(), cause.advice())] {
        let said = propusk(&server, &["explain", &reference, "--lang", lang], "").json();
        assert_eq!((said["explanation"].as_str(), said["advice"].as_str()), (Some(explanation), Some(advice)), "{lang}");
        assert_eq!(said["fix"][0], "propusk client set site --add-redirect-uri https://site.example/other", "what can be copied is the same");
    }
}

fn the_doctor_speaks_the_language_that_is_asked_for(backend: Backend) {
    let server = TestServer::start(backend);
    server.add_client_with("rocketchat", Preset::RocketChat, |new| new.first_party = Some(false));
    let dump = server.place().join("dump.json");
    let setting = serde_json::json!([
        { "_id": "Accounts_OAuth_Custom-Besedka", "value": true },
        { "_id": "Accounts_OAuth_Custom-Besedka-id", "value": "rocketchat" },
        { "_id": "Accounts_OAuth_Custom-Besedka-token_path", "value": "/token" },
    ]);
    std::fs::write(&dump, setting.to_string()).unwrap();
    let ask = |lang: &str| propusk(&server, &["rocketchat", "doctor", "--settings", dump.to_str().unwrap(), "--lang", lang], "").json();
    let (english, russian) = (ask("en"), ask("ru"));
    let fix = |answer: &serde_json::Value, slug: &str, member: &str| {
        let findings = answer["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["slug"] == slug).unwrap()[member].as_str().unwrap().to_owned()
    };
    let (paths, consent) = ("path_wrong", "client_asks_consent");
    assert_eq!(fix(&russian, paths, "explanation"), guide::entry(paths).unwrap().explanation(Language::Russian));
    assert_eq!(fix(&russian, paths, "fix"), "задайте Accounts_OAuth_Custom-Besedka-token_path: /oauth/token");
    assert_eq!(fix(&english, paths, "fix"), "set Accounts_OAuth_Custom-Besedka-token_path to /oauth/token");
    assert_eq!(fix(&russian, consent, "fix"), fix(&english, consent, "fix"), "a command is the same in every language");
    assert_eq!(fix(&english, consent, "fix"), "propusk client set rocketchat --first-party");
}
