//! A second run: what the site has ended since ends here, too; and a dry run tells of tokens what the real one does.

use super::{Answer, ROLES, dump, fixture, import, propusk, user_record};
use propusk_tests::server::{Backend, Registered, TestServer};
use serde_json::{Value, json};

propusk_tests::on_each_backend![
    what_the_site_has_revoked_since_ends_here,
    what_was_renewed_here_since_goes_on_and_is_reported,
    an_access_token_that_the_site_has_shortened_ends_alone,
    tokens_that_are_gone_at_the_site_are_told,
    a_dry_run_lists_every_token_that_the_real_one_leaves_out,
];

const MODELS: [&str; 2] = ["oauth2_provider.accesstoken", "oauth2_provider.refreshtoken"];

/// The records of the fixture, each token of which `change` may change or remove.
fn site(mut change: impl FnMut(&str, &mut Value) -> bool) -> tempfile::NamedTempFile {
    let mut records: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(fixture("dot-3.4.json")).unwrap()).unwrap();
    records.retain_mut(|record| {
        let token = record["fields"]["token"].as_str().unwrap_or_default().to_owned();
        !MODELS.contains(&record["model"].as_str().unwrap()) || change(&token, &mut record["fields"])
    });
    dump(&records)
}

fn revoked() -> tempfile::NamedTempFile {
    // So the toolkit leaves it: the access token is deleted, and the refresh token names none.
    site(|token, fields| {
        if token.ends_with("refresh-token") && fields["revoked"].is_null() {
            fields["revoked"] = json!("2026-11-21T06:00:00Z");
            fields["access_token"] = Value::Null;
        }
        !token.ends_with("access-token")
    })
}

fn refreshed(server: &TestServer, id: &str, secret: &str, token: &str) -> Value {
    let client = server.look(|cx| Ok(cx.store.find_client(id)?)).unwrap();
    server.refresh(&Registered { client, secret: secret.to_owned() }, token).json()
}

fn wiki(server: &TestServer, token: &str) -> Value {
    refreshed(server, "wiki", "wiki-secret-wiki-secret", token)
}

fn counts(answer: &Answer, kind: &str) -> String {
    let counts = &answer.json()[kind];
    let parts = ["added", "changed", "unchanged", "ended", "left_out"].map(|name| counts[name].as_u64().unwrap());
    assert_eq!(parts.iter().sum::<u64>(), counts["read"].as_u64().unwrap(), "{}", answer.stdout);
    parts.map(|count| count.to_string()).join(" ")
}

fn what_the_site_has_revoked_since_ends_here(backend: Backend) {
    let server = TestServer::start(backend);
    import(&server, &fixture("dot-3.4.json"), &ROLES);
    assert_eq!(server.userinfo("anna-wiki-access-token").status, 200);
    let file = revoked();
    let dry = import(&server, file.path(), &[&ROLES[..], &["--dry-run"]].concat());
    assert_eq!(server.userinfo("anna-wiki-access-token").status, 200, "a dry run ends nothing");
    let wet = import(&server, file.path(), &ROLES);
    for answer in [&dry, &wet] {
        assert_eq!(counts(answer, "refresh_tokens"), "0 3 0 1 0", "{}", answer.stdout);
    }
    server.settle();
    assert_eq!(server.userinfo("anna-wiki-access-token").status, 401);
    assert_eq!(server.userinfo("anna-mobile-access-token").status, 401);
    for person in ["anna", "boris"] {
        assert_eq!(wiki(&server, &format!("{person}-wiki-refresh-token"))["error"], "invalid_grant", "{person}");
    }
    assert_eq!(refreshed(&server, "mobile", "", "anna-mobile-refresh-token")["error"], "invalid_grant");
    let trail = propusk(&server, &["audit", "--kind", "grant_revoked"]);
    assert!(trail.stdout.contains("at_the_site"), "{}", trail.stdout);
    let again = import(&server, file.path(), &ROLES);
    assert_eq!(counts(&again, "refresh_tokens"), "0 0 0 4 0", "{}", again.stdout);
}

fn what_was_renewed_here_since_goes_on_and_is_reported(backend: Backend) {
    let server = TestServer::start(backend);
    import(&server, &fixture("dot-3.4.json"), &ROLES);
    let ours = wiki(&server, "anna-wiki-refresh-token");
    let file = revoked();
    let answers = [&["--dry-run"][..], &[]].map(|more| import(&server, file.path(), &[&ROLES[..], more].concat()));
    for answer in &answers {
        assert_eq!(counts(answer, "refresh_tokens"), "0 2 0 1 1", "{}", answer.stdout);
        assert!(answer.findings().iter().any(|(slug, _, left)| slug == "changed_here" && *left), "{}", answer.stdout);
    }
    server.settle();
    assert_eq!(server.userinfo(ours["access_token"].as_str().unwrap()).status, 200);
    assert_eq!(wiki(&server, ours["refresh_token"].as_str().unwrap())["token_type"], "Bearer");
    assert_eq!(wiki(&server, "boris-wiki-refresh-token")["error"], "invalid_grant");
}

fn an_access_token_that_the_site_has_shortened_ends_alone(backend: Backend) {
    let server = TestServer::start(backend);
    import(&server, &fixture("dot-3.4.json"), &ROLES);
    let file = site(|token, fields| {
        if token.ends_with("access-token") {
            fields["expires"] = json!("2026-01-01T00:00:00Z");
        }
        true
    });
    for more in [&["--dry-run"][..], &[]] {
        let answer = import(&server, file.path(), &[&ROLES[..], more].concat());
        assert_eq!(counts(&answer, "access_tokens"), "0 4 0 3 0", "{}", answer.stdout);
        assert_eq!(counts(&answer, "refresh_tokens"), "0 0 3 1 0", "{}", answer.stdout);
    }
    server.settle();
    for token in ["anna-wiki-access-token", "anna-chat-access-token", "anna-mobile-access-token"] {
        assert_eq!(server.userinfo(token).status, 401, "{token}");
    }
    assert_eq!(wiki(&server, "anna-wiki-refresh-token")["token_type"], "Bearer");
}

fn tokens_that_are_gone_at_the_site_are_told(backend: Backend) {
    let server = TestServer::start(backend);
    import(&server, &fixture("dot-3.4.json"), &ROLES);
    let file = site(|token, fields| {
        if token.ends_with("refresh-token") {
            fields["access_token"] = Value::Null;
        }
        !token.ends_with("access-token")
    });
    for more in [&["--dry-run"][..], &[]] {
        let answer = import(&server, file.path(), &[&ROLES[..], more].concat());
        assert_eq!(counts(&answer, "refresh_tokens"), "0 0 3 1 0", "they have their scope here: {}", answer.stdout);
        let findings = answer.json()["findings"].clone();
        let told = findings.as_array().unwrap().iter().find(|finding| finding["slug"] == "tokens_gone").unwrap();
        assert!(told["detail"].as_str().unwrap().starts_with("4 tokens that came over earlier are not in this dump"), "{told}");
    }
    assert_eq!(server.userinfo("anna-chat-access-token").status, 200);
    // A dump of people alone says nothing of tokens.
    let people = dump(&[user_record(json!(500), "nina", json!({}))]);
    assert_eq!(import(&server, people.path(), &[]).findings().iter().filter(|(slug, ..)| slug == "tokens_gone").count(), 0);
}

fn a_dry_run_lists_every_token_that_the_real_one_leaves_out(backend: Backend) {
    let server = TestServer::start(backend);
    server.add_user("taken", "user");
    server.add_user("sister", "user");
    let application = |pk: i64, client_id: &str| {
        json!({ "model": "oauth2_provider.application", "pk": pk, "fields": {
            "client_id": client_id, "client_secret": "", "client_type": "public", "authorization_grant_type": "authorization-code", "redirect_uris": "https://a.example/cb",
        }})
    };
    let access = |pk: Value, user: Value, application: i64, token: &str| {
        json!({ "model": "oauth2_provider.accesstoken", "pk": pk, "fields": {
            "user": user, "token": token, "application": application, "expires": "2099-01-01T00:00:00Z", "scope": "openid", "created": "2020-01-01T00:00:00Z",
        }})
    };
    let refresh = |pk: i64, access: i64, token: &str| {
        json!({ "model": "oauth2_provider.refreshtoken", "pk": pk, "fields": {
            "user": 1, "token": token, "application": 1, "access_token": access, "revoked": null, "created": "2020-01-01T00:00:00Z",
        }})
    };
    let sister = server.look(|cx| Ok(cx.store.find_user_by_name("sister")?)).unwrap().sub;
    let records = [
        user_record(json!(1), "anna", json!({})),
        user_record(json!(2), "gleb", json!({ "is_active": false })),
        user_record(json!(3), "taken", json!({})),
        application(1, "wiki"),
        // Somebody's subject is no client's identifier.
        application(2, &sister),
        access(json!(1), json!(1), 1, "good"),
        access(json!(2), json!(2), 1, "of somebody disabled"),
        access(json!(3), json!(3), 1, "of somebody left out"),
        access(json!(4), json!(77), 1, "of nobody"),
        access(json!(5), json!(1), 1, "good"),
        access(json!(1), json!(1), 1, "the same key"),
        access(Value::Null, json!(1), 1, "no key"),
        access(Value::Null, json!(1), 1, "no key either"),
        access(json!(6), json!(1), 2, "of a client that is refused"),
        access(json!(7), json!(null), 1, "the client's own"),
        refresh(1, 1, "refresh"),
        refresh(1, 7, "the same key"),
        refresh(2, 2, "of somebody disabled, too"),
        refresh(3, 3, "refresh"),
        refresh(4, 7, "of a client"),
    ];
    let file = dump(&records);
    let (dry, wet) = (import(&server, file.path(), &["--dry-run"]), import(&server, file.path(), &[]));
    assert_eq!((dry.code, wet.code), (3, 0), "{}", wet.stdout);
    let (mut planned, done) = (dry.json(), wet.json());
    planned["dry_run"] = json!(false);
    assert_eq!(planned, done);
    let tokens: Vec<_> = wet.findings().into_iter().filter(|(_, _, left)| *left).collect();
    for (slug, key) in [
        ("user_disabled", "2"),
        ("unknown_user", "3"),
        ("unknown_user", "4"),
        ("duplicate_token", "5"),
        ("duplicate_key", "1"),
        ("no_key", ""),
        ("unknown_client", "6"),
        ("duplicate_token", "3"),
        ("grant_not_taken", "7"),
    ] {
        assert!(tokens.contains(&(slug.to_owned(), key.to_owned(), true)), "{slug} {key}: {tokens:?}");
    }
    assert_eq!((counts(&wet, "access_tokens"), counts(&wet, "refresh_tokens")), ("2 0 0 0 8".to_owned(), "1 0 0 0 4".to_owned()), "{}", wet.stdout);
}
