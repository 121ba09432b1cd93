//! Bad input gets a clear error of the right shape and changes nothing: one table, each row with the exact answer.

mod authorize;
mod bearer;
mod pages;
mod paths;
mod token;
mod world;

use propusk_tests::html;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::{Backend, TestServer};
use serde_json::Value;
use std::collections::BTreeSet;
use world::World;

propusk_tests::on_each_backend![every_row_of_the_table_gets_its_answer_and_changes_nothing];

/// Rows that differ only in a value are one case with several requests.
struct Case {
    name: &'static str,
    requests: Vec<Request>,
    answer: Answer,
}

/// The exact answer.
enum Answer {
    /// JSON with this status and `error`, a reference, and the code as the reason phrase.
    Json(u16, &'static str),
    /// The same with a Basic challenge.
    Basic(&'static str),
    /// The same with a bearer challenge that carries the error.
    Bearer(u16, &'static str),
    /// 401 with a bearer challenge that carries no error (RFC 6750 §3.1).
    NoToken,
    /// An error page with this status, code and a reference.
    Page(u16, &'static str),
    /// The sign-in page with this status and nobody signed in.
    LoginPage(u16),
    /// A redirect to the client with this error, `state` and `iss`.
    ToClient(&'static str),
    /// The same at the redirect URI of another client.
    ToClientAt(&'static str, &'static str),
    /// A page without an error: this status.
    Html(u16),
    /// 405 as JSON with this `Allow`.
    WrongMethod(&'static str),
    /// 404 as JSON naming this path.
    Nearest(&'static str),
    /// The error as a self-posting form to the client.
    FormPost(&'static str),
    /// A redirect to this own path, with whatever query.
    Own(&'static str),
    /// A redirect to exactly there.
    Exactly(String),
    /// JSON that says exactly this.
    Fields(Value),
    /// 200 without a body (RFC 7009 §2.2).
    Done,
    /// Refused by the HTTP layer: this status, no body.
    Http(u16),
}

fn case(name: &'static str, answer: Answer, request: Request) -> Case {
    Case { name, requests: vec![request], answer }
}

fn cases(name: &'static str, answer: Answer, requests: Vec<Request>) -> Case {
    assert!(!requests.is_empty(), "{name}");
    Case { name, requests, answer }
}

fn every_row_of_the_table_gets_its_answer_and_changes_nothing(backend: Backend) {
    let world = World::new(backend);
    let mut table = Vec::new();
    authorize::rows(&world, &mut table);
    token::rows(&world, &mut table);
    bearer::rows(&world, &mut table);
    pages::rows(&world, &mut table);
    paths::rows(&world, &mut table);
    let names: BTreeSet<&str> = table.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), table.len(), "each row has a name of its own");
    assert!(table.len() >= 200, "{} rows", table.len());
    let before = state_of(&world.server);
    let mut wrong = Vec::new();
    for case in &table {
        for (index, request) in case.requests.iter().enumerate() {
            let mut problems = match request.send() {
                Ok(response) => judge(&case.answer, &response),
                Err(error) => vec![format!("no answer: {error}")],
            };
            if state_of(&world.server) != before {
                problems.push("the database changed".to_owned());
            }
            wrong.extend(problems.into_iter().map(|problem| format!("{} [{index}]: {problem}", case.name)));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), table.len(), wrong.join("\n"));
    assert_eq!(Request::get(&world.server.url("/readyz")).send().unwrap().status, 200);
}

/// Everything durable, except the rows that count or describe refusals and what is only noted a while later.
fn state_of(server: &TestServer) -> String {
    let now = propusk_domain::UnixTime(0);
    server.look(|cx| {
        let mut text: Vec<String> = Vec::new();
        for (table, rows) in cx.store.table_sizes()? {
            if !matches!(table, "refusals" | "ephemeral" | "audit") {
                text.push(format!("{table} {rows}"));
            }
        }
        text.push(format!("{:?}", cx.store.list_users(None, None, 1000)?));
        text.push(format!("{:?}", cx.store.list_clients()?));
        text.push(format!("{:?}", cx.store.list_grants(None, None, 1000)?));
        text.push(format!("{:?}", cx.store.list_sessions(None, now, 1000)?));
        text.push(format!("{:?}", cx.store.list_denied(now)?));
        let filter = propusk_domain::records::AuditFilter { limit: 10_000, ..Default::default() };
        let audit = cx.store.list_audit(&filter)?;
        text.extend(audit.iter().filter(|event| event.kind != "client_tokens_issued").map(|event| format!("{event:?}")));
        Ok(text.join("\n"))
    })
}

fn judge(answer: &Answer, response: &Response) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(format!("{what}; got {} {} {:?} {}", response.status, response.reason, response.location(), cut(&response.text())));
        }
    };
    let content_type = response.header("content-type").unwrap_or("none");
    let error = |code: &str, must: &mut dyn FnMut(bool, String)| {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        must(content_type == "application/json", format!("content type {content_type}"));
        must(body["error"] == code, format!("error {code}"));
        must(body["error_reference"].as_str().is_some_and(is_reference), "error_reference".into());
        must(response.reason == code, format!("reason {code}"));
        must(response.header("cache-control") == Some("no-store"), "no-store".into());
        must(response.location().is_none(), "no redirect".into());
    };
    let status = |wanted: u16, must: &mut dyn FnMut(bool, String)| must(response.status == wanted, format!("status {wanted}"));
    let challenge = response.header("www-authenticate").unwrap_or("none").to_owned();
    match answer {
        Answer::Json(wanted, code) => {
            status(*wanted, &mut must);
            error(code, &mut must);
        }
        Answer::Basic(code) => {
            status(401, &mut must);
            error(code, &mut must);
            must(challenge.starts_with("Basic "), format!("challenge {challenge}"));
        }
        Answer::Bearer(wanted, code) => {
            status(*wanted, &mut must);
            error(code, &mut must);
            must(challenge.starts_with("Bearer ") && challenge.contains(&format!("error=\"{code}\"")), format!("challenge {challenge}"));
        }
        Answer::NoToken => {
            status(401, &mut must);
            error("invalid_token", &mut must);
            must(challenge.starts_with("Bearer ") && !challenge.contains("error"), format!("challenge {challenge}"));
        }
        Answer::Page(wanted, code) => {
            status(*wanted, &mut must);
            must(content_type == "text/html; charset=utf-8", format!("content type {content_type}"));
            must(html::text_of(&response.text(), "error-code").as_deref() == Some(code), format!("#error-code {code}"));
            must(html::text_of(&response.text(), "error-reference").as_deref().is_some_and(is_reference), "#error-reference".into());
            must(response.location().is_none(), "no redirect".into());
        }
        Answer::LoginPage(wanted) => {
            status(*wanted, &mut must);
            must(content_type == "text/html; charset=utf-8", format!("content type {content_type}"));
            must(html::has_id(&response.text(), "login-submit"), "#login-submit".into());
            must(response.headers("set-cookie").iter().all(|cookie| !cookie.starts_with("propusk_session")), "no session".into());
        }
        Answer::ToClient(_) | Answer::ToClientAt(..) => {
            let (uri, code) = match answer {
                Answer::ToClientAt(uri, code) => (*uri, *code),
                Answer::ToClient(code) => (world::SITE_URI, *code),
                _ => unreachable!(),
            };
            status(303, &mut must);
            must(response.location().is_some_and(|location| location.starts_with(&format!("{uri}?"))), "to the client".into());
            must(response.location_param("error").as_deref() == Some(code), format!("error {code}"));
            must(response.location_param("error_description").is_some_and(|text| text.contains(" (ref ")), "the reference".into());
            must(response.location_param("state").as_deref() == Some("st"), "state".into());
            must(response.location_param("iss").is_some_and(|iss| iss.starts_with("http://127.0.0.1:")), "iss".into());
            must(content_type == "none" && response.body.is_empty(), format!("content type {content_type}"));
        }
        Answer::Html(wanted) => {
            status(*wanted, &mut must);
            must(content_type == "text/html; charset=utf-8", format!("content type {content_type}"));
            must(!html::has_id(&response.text(), "error-code"), "no error".into());
        }
        Answer::WrongMethod(allow) => {
            status(405, &mut must);
            error("method_not_allowed", &mut must);
            must(response.header("allow") == Some(allow), format!("Allow {:?}", response.header("allow")));
        }
        Answer::Nearest(path) => {
            status(404, &mut must);
            error("not_found", &mut must);
            let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            must(body["nearest"] == *path, format!("nearest {path}"));
        }
        Answer::FormPost(code) => {
            status(200, &mut must);
            let form = html::forms(&response.text()).into_iter().find(|form| form.has("form-post-submit") || form.action == world::SITE_URI);
            must(form.as_ref().is_some_and(|form| form.value("error") == Some(code) && form.value("state") == Some("st")), format!("error {code}"));
            must(content_type == "text/html; charset=utf-8", format!("content type {content_type}"));
        }
        Answer::Own(path) => {
            status(303, &mut must);
            let location = response.location().unwrap_or("");
            must(location.split('?').next() == Some(path), format!("to {path}"));
            must(content_type == "none" && response.body.is_empty(), format!("content type {content_type}"));
        }
        Answer::Exactly(url) => {
            status(303, &mut must);
            must(response.location() == Some(url.as_str()), format!("to {url}"));
        }
        Answer::Fields(fields) => {
            status(200, &mut must);
            must(content_type == "application/json", format!("content type {content_type}"));
            must(serde_json::from_slice::<Value>(&response.body).ok().as_ref() == Some(fields), format!("{fields}"));
        }
        Answer::Done => {
            status(200, &mut must);
            must(content_type == "none" && response.body.is_empty(), format!("content type {content_type}"));
        }
        Answer::Http(wanted) => {
            status(*wanted, &mut must);
            must(content_type == "none" && response.body.is_empty(), format!("content type {content_type}"));
        }
    }
    wrong
}

fn is_reference(text: &str) -> bool {
    (6..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn cut(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect()
}
