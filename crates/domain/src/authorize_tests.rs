//! What the person has to do, as a table: `prompt`, `max_age`, `id_token_hint`, remembered consent, an existing session.

use super::*;
use crate::client::Preset;
use crate::user::UserState;
use propusk_protocol::{Params, StandardClaims};

const NOW: UnixTime = UnixTime(1_795_176_000);

fn client(first_party: bool) -> Client {
    Client {
        client_id: "site".into(),
        name: "Site".into(),
        preset: Preset::Web,
        disabled: false,
        first_party,
        standing_grant_id: "g".into(),
        settings: Preset::Web.settings(),
        secrets: Vec::new(),
        created_at: NOW,
        updated_at: NOW,
    }
}

fn request(more: &str) -> AuthorizeRequest {
    let query = format!("client_id=site&response_type=code&scope=openid{more}");
    AuthorizeRequest::parse(&Params::parse(query.as_bytes()).unwrap()).unwrap()
}

fn session(age: i64) -> Session {
    Session {
        cookie_digest: "d".into(),
        sid: "sid".into(),
        sub: "anna".into(),
        auth_time: NOW.plus(-age),
        amr: vec!["pwd".into()],
        created_at: NOW.plus(-age),
        last_seen_at: NOW,
        expires_at: NOW.plus(1000),
        revoked_at: None,
        user_agent: None,
        address: None,
    }
}

fn user() -> User {
    User {
        sub: "anna".into(),
        username: "anna".into(),
        role: "user".into(),
        state: UserState::Active,
        locale: None,
        password_hash: None,
        credential_version: 1,
        claims: StandardClaims::default(),
        created_at: NOW,
        updated_at: NOW,
    }
}

/// The decision as a word, or the error code.
fn decided(more: &str, age: Option<i64>, consent: Option<&str>, signed_in: bool, hint: Option<&str>, first_party: bool) -> String {
    let (client, request, user) = (client(first_party), request(more), user());
    let session = age.map(session);
    let scope = Scope::parse("openid").unwrap();
    let consent = consent.map(|scope| Consent { sub: "anna".into(), client_id: "site".into(), scope: Scope::parse(scope).unwrap(), granted_at: NOW });
    let situation = Situation {
        client: &client,
        request: &request,
        scope: &scope,
        session: session.as_ref().map(|session| (session, &user)),
        consent: consent.as_ref(),
        signed_in: signed_in.then_some("sid"),
        allowed: false,
        hinted_sub: hint,
    };
    match decide(&situation, NOW) {
        Ok(Decision::SignIn { again }) => format!("sign in {again}"),
        Ok(Decision::Consent) => "consent".into(),
        Ok(Decision::Proceed) => "proceed".into(),
        Err(refusal) => refusal.code.as_str().into(),
    }
}

#[test]
fn what_the_person_has_to_do_follows_from_session_prompt_age_and_consent() {
    let old = Some(100);
    let cases = [
        (decided("", None, None, false, None, true), "sign in false"),
        (decided("", old, None, false, None, true), "proceed"),
        (decided("", old, None, false, None, false), "consent"),
        (decided("", old, Some("openid email"), false, None, false), "proceed"),
        (decided("", old, Some("email"), false, None, false), "consent"),
        (decided("&prompt=consent", old, Some("openid"), false, None, true), "consent"),
        (decided("&prompt=login", old, None, false, None, true), "sign in true"),
        (decided("&prompt=login", Some(0), None, false, None, true), "sign in true"),
        (decided("&prompt=login", Some(0), None, true, None, true), "proceed"),
        (decided("&prompt=none", None, None, false, None, true), "login_required"),
        (decided("&prompt=none", old, None, false, None, true), "proceed"),
        (decided("&prompt=none", old, None, false, None, false), "consent_required"),
        (decided("&prompt=none&max_age=99", old, None, false, None, true), "login_required"),
        (decided("&max_age=99", old, None, false, None, true), "sign in true"),
        (decided("&max_age=100", old, None, false, None, true), "proceed"),
        (decided("&max_age=0", Some(0), None, false, None, true), "sign in true"),
        (decided("&max_age=0", Some(0), None, true, None, true), "proceed"),
        (decided("", old, None, false, Some("anna"), true), "proceed"),
        (decided("", old, None, false, Some("boris"), true), "sign in true"),
        (decided("&prompt=none", old, None, false, Some("boris"), true), "login_required"),
    ];
    for (index, (got, expected)) in cases.iter().enumerate() {
        assert_eq!(got, expected, "case {index}");
    }
}

#[test]
fn a_target_is_proven_before_anything_is_sent_to_it() {
    let mut client = client(true);
    client.settings.redirect_uris = vec!["https://site.example/cb".into()];
    let target = |query: &str| Target::parse(&Params::parse(query.as_bytes()).unwrap());
    let cause = |client: Option<&Client>, query: &str| prove_target(client, &target(query)).unwrap_err().detail.cause;
    assert!(prove_target(Some(&client), &target("client_id=site")).unwrap().redirect_uri.ends_with("/cb"));
    assert_eq!(cause(Some(&client), "client_id=site&redirect_uri=https://site.example/cb/"), Cause::RedirectUriMismatch);
    assert_eq!(cause(None, "client_id=site"), Cause::UnknownClient);
    assert_eq!(cause(Some(&client), ""), Cause::MalformedRequest);
    let refusal = prove_target(Some(&client), &target("client_id=site&redirect_uri=https://Site.example/cb")).unwrap_err();
    assert_eq!(refusal.detail.nearest.as_deref(), Some("https://site.example/cb (first difference at character 9)"));
    client.settings.redirect_uris.push("https://site.example/other".into());
    assert_eq!(cause(Some(&client), "client_id=site"), Cause::RedirectUriMissing);
    client.disabled = true;
    assert_eq!(cause(Some(&client), "client_id=site"), Cause::DisabledClient);
}

#[test]
fn words_are_quoted_for_a_shell() {
    assert_eq!(shell_quoted("https://a.example/cb?x=1"), "'https://a.example/cb?x=1'");
    assert_eq!(shell_quoted("a'b; rm"), "'a'\\''b; rm'");
    assert_eq!(shell_quoted(""), "''");
}
