//! Attacks on what this server does, each test named by the attack.

mod codes;
mod forms;
mod guessing;
mod output;
mod requests;
mod sessions;
mod signing_out;
mod tokens;

use propusk_domain::records::RefusalRecord;
use propusk_tests::browser::Browser;
use propusk_tests::html;
use propusk_tests::http::{Request, Response};
use propusk_tests::server::TestServer;
use std::time::{Duration, Instant};

/// A sign-in form that a browser has open: the flow and the pre-session cookie, to be posted by hand.
struct OpenForm {
    url: String,
    flow: String,
    cookie: String,
}

impl OpenForm {
    /// Opens `/login` at a server (a replica has another address than the issuer).
    fn at(base: &str) -> Self {
        let url = format!("{base}/login");
        let page = Request::get(&url).send().unwrap();
        let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let form = html::forms(&page.text()).into_iter().find(|form| form.has("login-submit")).unwrap();
        Self { url, flow: form.value("flow").unwrap().to_owned(), cookie }
    }

    fn request(&self, username: &str, password: &str) -> Request {
        let pairs = [("flow", self.flow.as_str()), ("username", username), ("password", password)];
        Request::post(&self.url).post_form(&pairs).header("Cookie", &self.cookie)
    }

    fn post(&self, username: &str, password: &str) -> Response {
        self.request(username, password).send().unwrap()
    }

    /// As a trusted proxy passes it on.
    fn post_from(&self, address: &str, username: &str, password: &str) -> Response {
        self.request(username, password).header("X-Forwarded-For", address).send().unwrap()
    }
}

/// The newest refusal with this cause; the server writes it a moment after its answer.
fn refusal(server: &TestServer, cause: &str) -> RefusalRecord {
    let began = Instant::now();
    loop {
        let list = server.look(|cx| Ok(cx.store.list_refusals(1000)?));
        if let Some(record) = list.into_iter().find(|record| record.detail.cause.slug() == cause) {
            return record;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no refusal {cause}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The sentence above the sign-in form.
fn notice(browser: &Browser) -> String {
    html::text_of(browser.html(), "login-notice").unwrap_or_default()
}

/// The payload of a JWT, not verified.
fn payload(token: &serde_json::Value) -> serde_json::Value {
    use base64::Engine as _;
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
