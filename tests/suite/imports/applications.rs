//! A second run: what the site has changed of an application is changed here, and nobody else's client is touched.

use super::{Answer, ROLES, dump, fixture, import, propusk};
use propusk_domain::client::{Client, Preset};
use propusk_tests::server::{Backend, Registered, TestServer};
use serde_json::{Value, json};

propusk_tests::on_each_backend![
    what_the_site_has_changed_of_an_application_is_changed_here,
    an_application_that_was_changed_here_too_is_left_and_reported,
    a_client_that_did_not_come_from_the_site_gets_none_of_its_tokens,
    of_two_applications_with_one_client_id_the_first_is_taken,
];

fn records() -> Vec<Value> {
    serde_json::from_str(&std::fs::read_to_string(fixture("dot-3.4.json")).unwrap()).unwrap()
}

/// The records of the fixture with other columns of the wiki.
fn with_wiki(changed: &Value) -> tempfile::NamedTempFile {
    let mut records = records();
    let wiki = records.iter_mut().find(|record| record["fields"]["client_id"] == "wiki").unwrap();
    wiki["fields"].as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    dump(&records)
}

fn client(server: &TestServer, id: &str) -> Client {
    server.look(|cx| Ok(cx.store.find_client(id)?)).unwrap()
}

fn run(server: &TestServer, file: &tempfile::NamedTempFile, more: &[&str]) -> Answer {
    let answer = import(server, file.path(), &[&ROLES[..], more].concat());
    server.settle();
    answer
}

/// Added, changed, unchanged, left out.
fn counts(answer: &Answer) -> [u64; 4] {
    let counts = &answer.json()["clients"];
    ["added", "changed", "unchanged", "left_out"].map(|name| counts[name].as_u64().unwrap())
}

fn opens(server: &TestServer, secret: &str) -> bool {
    let registered = Registered { client: client(server, "wiki"), secret: secret.to_owned() };
    server.refresh(&registered, "no such token").json()["error"] != "invalid_client"
}

fn what_the_site_has_changed_of_an_application_is_changed_here(backend: Backend) {
    let server = TestServer::start(backend);
    import(&server, &fixture("dot-3.4.json"), &ROLES);
    let uris = ["https://wiki.example.org/cb", "https://wiki.example.org/new"];
    let file = with_wiki(
        &json!({ "redirect_uris": uris.join(" "), "name": "The wiki", "skip_authorization": true, "client_secret": "another-secret-of-the-wiki" }),
    );
    assert_eq!(counts(&run(&server, &file, &["--dry-run"])), [0, 1, 4, 0]);
    assert!(opens(&server, "wiki-secret-wiki-secret"), "a dry run changes nothing");
    assert_eq!(counts(&run(&server, &file, &[])), [0, 1, 4, 0]);
    let wiki = client(&server, "wiki");
    assert_eq!((wiki.settings.redirect_uris.as_slice(), wiki.name.as_str(), wiki.first_party), (&uris.map(str::to_owned)[..], "The wiki", true));
    assert_eq!((opens(&server, "another-secret-of-the-wiki"), opens(&server, "wiki-secret-wiki-secret")), (true, false));
    assert_eq!(counts(&run(&server, &file, &[])), [0, 0, 5, 0]);

    // A secret that takes our form at its first use is no change.
    let robot = Registered { client: client(&server, "robot"), secret: "robot-secret-robot-secret".to_owned() };
    assert_eq!(server.token(&robot, &[("grant_type", "client_credentials")]).status, 200);
    assert!(client(&server, "robot").secrets[0].hash.as_str().starts_with("sha256:"));
    assert_eq!(counts(&run(&server, &file, &[])), [0, 0, 5, 0]);
    assert!(client(&server, "robot").secrets[0].hash.as_str().starts_with("sha256:"));

    // Scopes come in with tokens, and never go out with them.
    let mut more = records();
    more.retain(|record| record["model"] != "oauth2_provider.refreshtoken");
    more.iter_mut().filter(|record| record["fields"]["scope"].is_string()).for_each(|record| record["fields"]["scope"] = json!("reports"));
    assert_eq!(counts(&run(&server, &dump(&more), &[])), [0, 5, 0, 0], "the wiki has what it had at the site again");
    let scopes = client(&server, "wiki").settings.scopes;
    assert!(scopes.contains("reports") && scopes.contains("read"), "{scopes}");

    // What would be refused of a new client is refused of one that is here.
    let refused =
        run(&server, &with_wiki(&json!({ "redirect_uris": (0..70).map(|at| format!("https://a.example/{at}")).collect::<Vec<_>>().join(" ") })), &[]);
    assert!(refused.findings().contains(&("refused".to_owned(), "2".to_owned(), true)), "{}", refused.stdout);
    let public = run(&server, &with_wiki(&json!({ "client_type": "public" })), &[]);
    assert!(public.findings().contains(&("preset_changed".to_owned(), "2".to_owned(), true)), "{}", public.stdout);
}

fn an_application_that_was_changed_here_too_is_left_and_reported(backend: Backend) {
    for change in [&["set", "wiki", "--name", "Ours"][..], &["rotate-secret", "wiki"]] {
        let server = TestServer::start(backend);
        import(&server, &fixture("dot-3.4.json"), &ROLES);
        assert_eq!(propusk(&server, &[&["client"], change].concat()).code, 0);
        let before = client(&server, "wiki");
        assert_eq!(counts(&run(&server, &with_wiki(&json!({})), &[])), [0, 0, 5, 0], "nothing has changed at the site");
        for at_the_site in [json!({ "redirect_uris": "https://wiki.example.org/new" }), json!({ "client_secret": "another-secret-of-the-wiki" })] {
            for more in [&["--dry-run"][..], &[]] {
                let answer = run(&server, &with_wiki(&at_the_site), more);
                assert_eq!(counts(&answer), [0, 0, 4, 1], "{}", answer.stdout);
                assert!(answer.findings().contains(&("changed_here".to_owned(), "2".to_owned(), true)), "{}", answer.stdout);
            }
        }
        assert_eq!(client(&server, "wiki"), before);
        assert_eq!(server.userinfo("anna-wiki-access-token").status, 200, "its tokens are its tokens");
    }
}

fn a_client_that_did_not_come_from_the_site_gets_none_of_its_tokens(backend: Backend) {
    let server = TestServer::start(backend);
    let stranger = server.add_client("wiki", Preset::Web);
    let file = with_wiki(&json!({}));
    for more in [&["--dry-run"][..], &[], &[]] {
        let answer = run(&server, &file, more);
        let findings = answer.findings();
        assert!(findings.contains(&("client_id_taken".to_owned(), "2".to_owned(), true)), "{}", answer.stdout);
        assert!(findings.contains(&("unknown_client".to_owned(), "1".to_owned(), true)), "{}", answer.stdout);
        assert_eq!(counts(&answer)[3], 1);
    }
    assert_eq!(server.userinfo("anna-wiki-access-token").status, 401);
    assert_eq!(server.refresh(&stranger, "anna-wiki-refresh-token").json()["error"], "invalid_grant");
    assert_eq!(client(&server, "wiki"), stranger.client);
    assert_eq!(server.userinfo("anna-chat-access-token").status, 200);
    // Removed and registered anew it is the operator's, too.
    assert_eq!(propusk(&server, &["client", "remove", "chat"]).code, 0);
    server.add_client("chat", Preset::Web);
    let answer = run(&server, &file, &[]);
    assert!(answer.findings().contains(&("client_id_taken".to_owned(), "1".to_owned(), true)), "{}", answer.stdout);
}

fn of_two_applications_with_one_client_id_the_first_is_taken(backend: Backend) {
    let server = TestServer::start(backend);
    let mut records = records();
    let mut second = records.iter().find(|record| record["fields"]["client_id"] == "wiki").unwrap().clone();
    second["pk"] = json!(77);
    second["fields"]["name"] = json!("Mallory");
    second["fields"]["client_secret"] = json!("mallory-secret-mallory-secret");
    let mut token = records.iter().find(|record| record["fields"]["token"] == "anna-wiki-access-token").unwrap().clone();
    token["pk"] = json!(78);
    token["fields"]["application"] = json!(77);
    token["fields"]["token"] = json!("of the second");
    token["fields"]["token_checksum"] = Value::Null;
    records.extend([second, token]);
    let file = dump(&records);
    for more in [&["--dry-run"][..], &[], &[]] {
        let answer = run(&server, &file, more);
        assert!(answer.findings().contains(&("duplicate_client_id".to_owned(), "77".to_owned(), true)), "{}", answer.stdout);
        assert!(answer.findings().contains(&("unknown_client".to_owned(), "78".to_owned(), true)), "{}", answer.stdout);
    }
    assert_eq!((client(&server, "wiki").name.as_str(), opens(&server, "wiki-secret-wiki-secret")), ("Wiki", true));
    assert_eq!((server.userinfo("of the second").status, server.userinfo("anna-wiki-access-token").status), (401, 200));
}
