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
    /// Signed out, but not sent where the request wished: to our own page with a reference.
    NotFollowed,
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
            if !matches!(table, "refusals" | "ephemeral" | "audit" | "flow_steps") {
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
    let mut check = Check { response, wrong: Vec::new() };
    match answer {
        Answer::Page(..) | Answer::LoginPage(_) | Answer::Html(_) | Answer::FormPost(_) => check.for_people(answer),
        Answer::ToClient(code) => check.sent_to_client(world::SITE_URI, code),
        Answer::ToClientAt(uri, code) => check.sent_to_client(uri, code),
        Answer::Own(_) | Answer::Exactly(_) | Answer::NotFollowed => check.elsewhere(answer),
        _ => check.for_programs(answer),
    }
    check.wrong
}

/// An answer and what is wrong with it.
struct Check<'a> {
    response: &'a Response,
    wrong: Vec<String>,
}

impl Check<'_> {
    fn must(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            let Response { status, reason, .. } = self.response;
            let got = format!("{status} {reason} {:?} {}", self.response.location(), cut(&self.response.text()));
            self.wrong.push(format!("{}; got {got}", what.into()));
        }
    }

    fn status(&mut self, wanted: u16) {
        self.must(self.response.status == wanted, format!("status {wanted}"));
    }

    fn content_type(&mut self, wanted: &str) {
        let content_type = self.response.header("content-type").unwrap_or("none");
        self.must(content_type == wanted, format!("content type {content_type}"));
        self.must(wanted != "none" || self.response.body.is_empty(), "no body");
    }

    fn body(&self) -> Value {
        serde_json::from_slice(&self.response.body).unwrap_or_default()
    }

    fn error(&mut self, status: u16, code: &str) {
        let body = self.body();
        self.status(status);
        self.content_type("application/json");
        self.must(body["error"] == code, format!("error {code}"));
        self.must(body["error_reference"].as_str().is_some_and(is_reference), "error_reference");
        self.must(self.response.reason == code, format!("reason {code}"));
        self.must(self.response.header("cache-control") == Some("no-store"), "no-store");
        self.must(self.response.location().is_none(), "no redirect");
    }

    fn for_programs(&mut self, answer: &Answer) {
        let challenge = self.response.header("www-authenticate").unwrap_or("none").to_owned();
        match answer {
            Answer::Json(status, code) => self.error(*status, code),
            Answer::Basic(code) => {
                self.error(401, code);
                self.must(challenge.starts_with("Basic "), format!("challenge {challenge}"));
            }
            Answer::Bearer(status, code) => {
                self.error(*status, code);
                self.must(challenge.starts_with("Bearer ") && challenge.contains(&format!("error=\"{code}\"")), format!("challenge {challenge}"));
            }
            Answer::NoToken => {
                self.error(401, "invalid_token");
                self.must(challenge.starts_with("Bearer ") && !challenge.contains("error"), format!("challenge {challenge}"));
            }
            Answer::WrongMethod(allow) => {
                self.error(405, "method_not_allowed");
                self.must(self.response.header("allow") == Some(allow), format!("Allow {:?}", self.response.header("allow")));
            }
            Answer::Nearest(path) => {
                self.error(404, "not_found");
                self.must(self.body()["nearest"] == *path, format!("nearest {path}"));
            }
            Answer::Fields(fields) => {
                self.status(200);
                self.content_type("application/json");
                self.must(self.body() == *fields, format!("{fields}"));
            }
            Answer::Http(status) => {
                self.status(*status);
                self.content_type("none");
            }
            Answer::Done => {
                self.status(200);
                self.content_type("none");
            }
            _ => self.must(false, "an answer of this kind is judged elsewhere"),
        }
    }

    fn for_people(&mut self, answer: &Answer) {
        let page = self.response.text();
        self.content_type("text/html; charset=utf-8");
        self.must(self.response.location().is_none(), "no redirect");
        match answer {
            Answer::Page(status, code) => {
                self.status(*status);
                self.must(html::text_of(&page, "error-code").as_deref() == Some(code), format!("#error-code {code}"));
                self.must(html::text_of(&page, "error-reference").as_deref().is_some_and(is_reference), "#error-reference");
            }
            Answer::LoginPage(status) => {
                self.status(*status);
                self.must(html::has_id(&page, "login-submit"), "#login-submit");
                let cookies = self.response.headers("set-cookie");
                self.must(cookies.iter().all(|cookie| !cookie.starts_with("propusk_session")), "no session");
            }
            Answer::Html(status) => {
                self.status(*status);
                self.must(!html::has_id(&page, "error-code"), "no error");
            }
            Answer::FormPost(code) => {
                self.status(200);
                let form = html::forms(&page).into_iter().find(|form| form.action == world::SITE_URI);
                let carries = form.is_some_and(|form| form.value("error") == Some(code) && form.value("state") == Some("st"));
                self.must(carries, format!("error {code}"));
            }
            _ => self.must(false, "an answer of this kind is judged elsewhere"),
        }
    }

    fn sent_to_client(&mut self, uri: &str, code: &str) {
        let response = self.response;
        self.status(303);
        self.content_type("none");
        self.must(response.location().is_some_and(|location| location.starts_with(&format!("{uri}?"))), "to the client");
        self.must(response.location_param("error").as_deref() == Some(code), format!("error {code}"));
        self.must(response.location_param("error_description").is_some_and(|text| text.contains(" (ref ")), "the reference");
        self.must(response.location_param("state").as_deref() == Some("st"), "state");
        self.must(response.location_param("iss").is_some_and(|iss| iss.starts_with("http://127.0.0.1:")), "iss");
    }

    fn elsewhere(&mut self, answer: &Answer) {
        let location = self.response.location().unwrap_or_default();
        self.status(303);
        self.content_type("none");
        match answer {
            Answer::Own(path) => self.must(location.split('?').next() == Some(path), format!("to {path}")),
            Answer::Exactly(url) => self.must(location == url, format!("to {url}")),
            Answer::NotFollowed => {
                self.must(location.strip_prefix("/logged-out?ref=").is_some_and(is_reference), "to /logged-out with a reference".to_owned());
            }
            _ => self.must(false, "an answer of this kind is judged elsewhere"),
        }
    }
}

fn is_reference(text: &str) -> bool {
    (6..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn cut(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect()
}
