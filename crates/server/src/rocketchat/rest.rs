//! A client of Rocket.Chat's REST API (`/api/v1/…`) on [`Outbound`], with every way to fail as a type of its own.
//!
//! ```no_run
//! # use propusk_server::{outbound::Outbound, rocketchat::rest::{Rest, RestError}};
//! # fn example(outbound: Outbound, token: propusk_crypto::Secret) -> Result<(), RestError> {
//! let rest = Rest::new(outbound, "https://chat.example.org").with_token("aobEdbYhXfu5hkeqG", token);
//! let user = rest.get("users.info", &[("username", "anna")])?;
//! rest.post("users.logout", &serde_json::json!({ "userId": user["user"]["_id"] }))?;
//! # Ok(()) }
//! ```

use crate::outbound::{Answer, Outbound, Unanswered};
use propusk_crypto::{Secret, secret};
use serde_json::{Value, json};
use std::time::Duration;
use thiserror::Error;
use ureq::http::request::Builder;
use ureq::http::{HeaderValue, Request};

/// Characters of a stranger's sentence that are repeated.
const MAX_QUOTED: usize = 300;

/// Seconds until the next try when a 429 names none.
const DEFAULT_RETRY: u64 = 60;

/// A chat, and who asks.
#[derive(Debug, Clone)]
pub struct Rest {
    outbound: Outbound,
    base: String,
    token: Option<Session>,
    second_factor: Option<SecondFactor>,
}

/// A login of the chat: `X-User-Id` and `X-Auth-Token`.
#[derive(Debug, Clone)]
pub struct Session {
    /// `_id` of the user.
    pub user_id: String,
    /// A login token or a personal access token.
    pub token: Secret,
}

/// What Rocket.Chat wants beside the token before privileged changes: `x-2fa-method` and `x-2fa-code`.
#[derive(Debug, Clone)]
pub enum SecondFactor {
    /// The account's password; its SHA-256 goes over the wire.
    Password(Secret),
    /// A code of the authenticator app.
    Totp(Secret),
    /// A code that came by e-mail.
    Email(Secret),
}

/// No success.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RestError {
    /// The account has a second factor, and this request needs it: `password`, `totp` or `email`.
    #[error("the chat asks for the second factor ({method})")]
    TotpRequired {
        /// What it wants.
        method: String,
    },
    /// The code or password of the second factor does not fit.
    #[error("the chat refused the second factor ({method})")]
    TotpInvalid {
        /// What it wants.
        method: String,
    },
    /// 401: user and token do not fit, or the token was revoked.
    #[error("the chat refused the login (401)")]
    Unauthorized,
    /// 403: the account lacks a permission.
    #[error("the chat's account lacks a permission: {0}")]
    Forbidden(String),
    /// 404: this version has no such endpoint, or nothing by that name.
    #[error("the chat knows no such thing (404)")]
    NotFound,
    /// 429.
    #[error("the chat asks for patience: {} s", .retry_after.as_secs())]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Any other refusal (400) in the chat's words.
    #[error("the chat refused: {error}")]
    Refused {
        /// Its sentence.
        error: String,
        /// Its code (`error-room-not-found`), when it gives one.
        error_type: Option<String>,
    },
    /// Name, connection or TLS.
    #[error("the chat cannot be reached: {0}")]
    Unreachable(String),
    /// Nothing, or not everything, came in time.
    #[error("the chat gave no complete answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// A server error, or an answer that is none of this API (an HTML page of a proxy).
    #[error("the chat's answer makes no sense (status {status})")]
    Garbage {
        /// Its status.
        status: u16,
    },
}

impl RestError {
    /// Whether the same request may succeed later without anybody doing something.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unreachable(_) | Self::Slow(_) | Self::Garbage { .. })
    }

    /// Whether the chat refused with this code.
    pub fn is(&self, code: &str) -> bool {
        matches!(self, Self::Refused { error, error_type } if error_type.as_deref() == Some(code) || error.contains(code))
    }
}

impl Rest {
    /// Asks the chat at this address (`https://chat.example.org`, with or without a slash at the end) anonymously.
    pub fn new(outbound: Outbound, chat_url: &str) -> Self {
        Self { outbound, base: chat_url.trim_end_matches('/').to_owned(), token: None, second_factor: None }
    }

    /// The same as this user.
    #[must_use]
    pub fn with_token(mut self, user_id: &str, token: Secret) -> Self {
        self.token = Some(Session { user_id: user_id.to_owned(), token });
        self
    }

    /// The same with a second factor in every request.
    #[must_use]
    pub fn with_second_factor(mut self, second_factor: SecondFactor) -> Self {
        self.second_factor = Some(second_factor);
        self
    }

    /// The address without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `GET /api/v1/ENDPOINT?query`; the JSON object of the answer.
    pub fn get(&self, endpoint: &str, query: &[(&str, &str)]) -> Result<Value, RestError> {
        self.fetch(&format!("/api/v1/{endpoint}"), query)
    }

    /// `POST /api/v1/ENDPOINT` with a JSON body; the JSON object of the answer.
    pub fn post(&self, endpoint: &str, body: &Value) -> Result<Value, RestError> {
        let request = Request::post(format!("{}/api/v1/{endpoint}", self.base)).header("content-type", "application/json");
        self.send(request, body.to_string().into_bytes())
    }

    /// `GET /api/info`: major and minor version. Every version tells at least these to everybody.
    pub fn version(&self) -> Result<(u32, u32), RestError> {
        let info = self.fetch("/api/info", &[])?;
        let version = text(&info, "/version").or_else(|| text(&info, "/info/version")).unwrap_or_default();
        let mut numbers = version.split('.').map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
            _ => Err(RestError::Garbage { status: 200 }),
        }
    }

    /// `POST /api/v1/login` with a password. `TotpRequired` when the account has an authenticator app or e-mail codes; give the code as
    /// [`Rest::with_second_factor`] and ask again.
    pub fn login(&self, user: &str, password: &Secret) -> Result<Session, RestError> {
        let code = match &self.second_factor {
            Some(SecondFactor::Totp(code) | SecondFactor::Email(code)) => Some(code.expose()),
            Some(SecondFactor::Password(_)) | None => None,
        };
        let mut body = json!({ "user": user, "password": password.expose() });
        if let (Some(code), Some(body)) = (code, body.as_object_mut()) {
            body.insert("code".to_owned(), code.into());
        }
        session(&self.post("login", &body)?)
    }

    /// `POST /api/v1/login` with an access token for the chat's own client (legacy flow): the chat asks our identity endpoint and creates
    /// the person when there is none. `service` is the service key, `besedka`.
    pub fn login_with_access_token(&self, service: &str, access_token: &Secret, expires_in: u64) -> Result<Session, RestError> {
        session(&self.post("login", &json!({ "serviceName": service, "accessToken": access_token.expose(), "expiresIn": expires_in }))?)
    }

    /// `POST /api/v1/logout`: ends the token that this client uses, and no other.
    pub fn log_out(&self) -> Result<(), RestError> {
        self.post("logout", &json!({})).map(drop)
    }

    /// `GET` of a page as a browser with these cookies (`name=value; …`) asks for it; no token goes along, and no redirect is followed.
    pub fn visit(&self, path: &str, cookies: &str) -> Result<Answer, RestError> {
        let request = Request::get(format!("{}{path}", self.base)).header("accept", "text/html").header("cookie", sensitive(cookies)?);
        let request = request.body(Vec::new()).map_err(not_a_request)?;
        Ok(self.outbound.send(request)?)
    }

    fn fetch(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, RestError> {
        let mut url = format!("{}{path}", self.base);
        if !query.is_empty() {
            url = format!("{url}?{}", propusk_protocol::form::encode(query));
        }
        self.send(Request::get(url), Vec::new())
    }

    fn send(&self, request: Builder, body: Vec<u8>) -> Result<Value, RestError> {
        let mut request = request.header("accept", "application/json");
        if let Some(session) = &self.token {
            request = request.header("x-user-id", &session.user_id).header("x-auth-token", sensitive(session.token.expose())?);
        }
        if let Some(second_factor) = &self.second_factor {
            let (method, code) = second_factor.headers();
            request = request.header("x-2fa-method", method).header("x-2fa-code", sensitive(code.expose())?);
        }
        let request = request.body(body).map_err(not_a_request)?;
        judge(&self.outbound.send(request)?)
    }
}

impl SecondFactor {
    /// The method as Rocket.Chat names it.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            Self::Totp(_) => "totp",
            Self::Email(_) => "email",
        }
    }

    fn headers(&self) -> (&'static str, Secret) {
        let code = match self {
            Self::Password(password) => Secret::new(secret::sha256_hex(password.expose())),
            Self::Totp(code) | Self::Email(code) => code.clone(),
        };
        (self.method(), code)
    }
}

impl From<Unanswered> for RestError {
    fn from(error: Unanswered) -> Self {
        match error {
            Unanswered::Unreachable(reason) => Self::Unreachable(reason),
            Unanswered::Slow(limit) => Self::Slow(limit),
            Unanswered::TooLarge => Self::Garbage { status: 200 },
        }
    }
}

fn not_a_request(error: ureq::http::Error) -> RestError {
    RestError::Unreachable(format!("not a request: {error}"))
}

/// A header that no log line shows.
fn sensitive(value: &str) -> Result<HeaderValue, RestError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| RestError::Unauthorized)?;
    value.set_sensitive(true);
    Ok(value)
}

fn session(answer: &Value) -> Result<Session, RestError> {
    match (text(answer, "/data/userId"), text(answer, "/data/authToken")) {
        (Some(user_id), Some(token)) => Ok(Session { user_id: user_id.to_owned(), token: Secret::new(token.to_owned()) }),
        _ => Err(RestError::Garbage { status: 200 }),
    }
}

/// The JSON of a success; everything else by status and, where the status says too little, by the chat's own code.
fn judge(answer: &Answer) -> Result<Value, RestError> {
    let garbage = RestError::Garbage { status: answer.status };
    if answer.status == 429 {
        return Err(RestError::RateLimited { retry_after: retry_after(answer) });
    }
    if answer.status >= 500 {
        return Err(garbage);
    }
    let Some(body) = answer.json().filter(Value::is_object) else {
        // A reverse proxy's page, or a version without this endpoint.
        return Err(if answer.status == 404 { RestError::NotFound } else { garbage });
    };
    let failed = body.get("success") == Some(&json!(false)) || text(&body, "/status") == Some("error");
    if answer.is_success() && !failed {
        return Ok(body);
    }
    let code = text(&body, "/errorType").or_else(|| text(&body, "/error")).unwrap_or_default();
    let method = || quoted(text(&body, "/details/method").unwrap_or("totp"));
    let words = quoted(text(&body, "/error").or_else(|| text(&body, "/message")).unwrap_or(""));
    Err(match (answer.status, code) {
        (_, "totp-required") => RestError::TotpRequired { method: method() },
        (_, "totp-invalid") => RestError::TotpInvalid { method: method() },
        (_, "error-too-many-requests") => RestError::RateLimited { retry_after: retry_after(answer) },
        (401, _) => RestError::Unauthorized,
        (403, _) => RestError::Forbidden(words),
        (404, _) => RestError::NotFound,
        (200..=299 | 400..=499, _) => RestError::Refused { error: words, error_type: text(&body, "/errorType").map(quoted) },
        _ => garbage,
    })
}

/// `Retry-After` in seconds, or `X-RateLimit-Reset` (milliseconds since 1970) against the answer's own `Date`; at least a second, at most
/// an hour.
fn retry_after(answer: &Answer) -> Duration {
    let number = |name| answer.header(name).and_then(|value| value.trim().parse::<u64>().ok());
    let reset = || {
        let reset = number("x-ratelimit-reset")?;
        let date = UtcSeconds::parse(answer.header("date")?)?;
        Some((reset / 1000).saturating_sub(date.0))
    };
    let seconds = number("retry-after").or_else(reset).unwrap_or(DEFAULT_RETRY);
    Duration::from_secs(seconds.clamp(1, 3600))
}

/// Seconds since 1970 of an HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`).
struct UtcSeconds(u64);

impl UtcSeconds {
    fn parse(date: &str) -> Option<Self> {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let mut parts = date.split_once(", ")?.1.split([' ', ':']);
        let mut number = || parts.next()?.parse::<u64>().ok();
        let day = number()?.checked_sub(1)?;
        let month = parts.next()?;
        let month = MONTHS.iter().position(|known| *known == month)? as u64 + 1;
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (year, hours, minutes, seconds) = (number()?, number()?, number()?, number()?);
        // Howard Hinnant's days_from_civil, for years after 1970: March is the first month.
        let year = year.checked_sub(u64::from(month <= 2)).filter(|year| (1969..10_000).contains(year))?;
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
        Some(Self(days * 86_400 + hours * 3600 + minutes * 60 + seconds))
    }
}

/// A text of the answer by JSON pointer.
fn text<'a>(body: &'a Value, pointer: &str) -> Option<&'a str> {
    body.pointer(pointer).and_then(Value::as_str)
}

/// A stranger's sentence, short and in one line.
fn quoted(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(MAX_QUOTED).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;
    use ureq::http::HeaderMap;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
        let headers: HeaderMap = headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
        Answer { status, headers, body: body.into() }
    }

    #[test]
    fn every_kind_of_answer_has_a_type_of_its_own() {
        let refused = |error: &str, error_type: Option<&str>| RestError::Refused { error: error.into(), error_type: error_type.map(Into::into) };
        let cases = [
            (200, r#"{"success":false,"error":"x"}"#, refused("x", None)),
            (200, "<html>", RestError::Garbage { status: 200 }),
            (200, "[]", RestError::Garbage { status: 200 }),
            (302, "", RestError::Garbage { status: 302 }),
            (400, r#"{"success":false,"error":"No [e-a]","errorType":"e-a"}"#, refused("No [e-a]", Some("e-a"))),
            (400, r#"{"errorType":"totp-required","details":{"method":"password"}}"#, RestError::TotpRequired { method: "password".into() }),
            (400, r#"{"errorType":"totp-invalid","details":{"method":"totp"}}"#, RestError::TotpInvalid { method: "totp".into() }),
            (401, r#"{"status":"error","error":"totp-required","details":{"method":"totp"}}"#, RestError::TotpRequired { method: "totp".into() }),
            (401, r#"{"status":"error","message":"You must be logged in"}"#, RestError::Unauthorized),
            (403, r#"{"success":false,"error":"unauthorized"}"#, RestError::Forbidden("unauthorized".into())),
            (404, "<h1>not here</h1>", RestError::NotFound),
            (500, r#"{"success":false,"error":"x"}"#, RestError::Garbage { status: 500 }),
        ];
        for (status, body, expected) in cases {
            assert_eq!(judge(&answer(status, &[], body)), Err(expected), "{status} {body}");
        }
        assert_eq!(judge(&answer(200, &[], r#"{"a":1}"#)), Ok(json!({ "a": 1 })));
    }

    #[test]
    fn patience_is_read_from_either_header_and_bounded() {
        let wait = |headers: &[(&'static str, &'static str)]| match judge(&answer(429, headers, "")) {
            Err(RestError::RateLimited { retry_after }) => retry_after.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(&[]), 60);
        assert_eq!(wait(&[("retry-after", "7")]), 7);
        assert_eq!(wait(&[("retry-after", "0")]), 1);
        assert_eq!(wait(&[("retry-after", "999999")]), 3600);
        assert_eq!(wait(&[("x-ratelimit-reset", "1795176030000"), ("date", "Fri, 20 Nov 2026 12:00:00 GMT")]), 30);
        assert_eq!(wait(&[("x-ratelimit-reset", "1795176030000"), ("date", "nonsense")]), 60);
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!("{:?}", sensitive("very secret").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
        assert!(sensitive("two\nlines").is_err());
    }

    #[test]
    fn dates_of_all_seasons() {
        for (date, seconds) in
            [("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Tue, 29 Feb 2028 23:59:59 GMT", 1_835_481_599), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777)]
        {
            assert_eq!(UtcSeconds::parse(date).map(|date| date.0), Some(seconds), "{date}");
        }
        assert!(UtcSeconds::parse("Sun, 06 Foo 1994 08:49:37 GMT").is_none());
    }
}
