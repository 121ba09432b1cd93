//! Answers in the shapes of Rocket.Chat's API.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers beside content type and length.
    pub headers: Vec<(String, String)>,
    /// Content type.
    pub content_type: &'static str,
    /// Body.
    pub body: String,
}

/// What a handler gives: a refusal is an answer, too.
pub(super) type Handled = Result<Answer, Answer>;

impl Answer {
    /// JSON with any status.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), content_type: "application/json", body: body.to_string() }
    }

    /// `{"success": true, …}`.
    pub fn success(members: Value) -> Self {
        let mut body = match members {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        body.insert("success".into(), true.into());
        Self::json(200, &Value::Object(body))
    }

    /// 400 in the words and with the code of a `Meteor.Error`.
    pub fn error(code: &str, reason: &str) -> Self {
        Self::json(400, &json!({ "success": false, "error": format!("{reason} [{code}]"), "errorType": code }))
    }

    /// 400 with a sentence and no code.
    pub fn failure(error: &str) -> Self {
        Self::json(400, &json!({ "success": false, "error": error }))
    }

    /// 400 of the parameter validation.
    pub fn invalid_params(error: &str) -> Self {
        Self::error("invalid-params", error)
    }

    /// 401: no login, or one that is not known.
    pub fn unauthorized() -> Self {
        Self::json(401, &json!({ "status": "error", "message": "You must be logged in to do this." }))
    }

    /// 403: a permission is missing.
    pub fn forbidden() -> Self {
        Self::json(403, &json!({ "success": false, "error": "User does not have the permissions required for this action [error-unauthorized]" }))
    }

    /// 404 of the router.
    pub fn not_found() -> Self {
        Self::json(404, &json!({ "success": false, "error": "API endpoint not found" }))
    }

    /// The second factor is missing (`totp-required`) or wrong (`totp-invalid`).
    pub fn second_factor(status: u16, code: &str, method: &str) -> Self {
        let reason = if code == "totp-invalid" { "TOTP Invalid" } else { "TOTP Required" };
        let details = json!({ "method": method, "codeGenerated": false, "availableMethods": [method] });
        let mut body = json!({ "success": false, "error": format!("{reason} [{code}]"), "errorType": code, "details": details });
        if status == 401 {
            body = json!({ "status": "error", "error": code, "details": details, "message": format!("{reason} [{code}]") });
        }
        Self::json(status, &body)
    }

    /// 429. With `retry_after` as the header of that name, without it as `X-RateLimit-Reset` alone.
    pub fn too_many(seconds: u64, now: u64, as_retry_after: bool) -> Self {
        let error = format!("Error, too many requests. Please slow down. You must wait {seconds} seconds before trying this endpoint again.");
        let mut answer = Self::error("error-too-many-requests", &error);
        answer.status = 429;
        answer.headers.push(("X-RateLimit-Limit".into(), "10".into()));
        answer.headers.push(("X-RateLimit-Remaining".into(), "0".into()));
        answer.headers.push(("X-RateLimit-Reset".into(), ((now + seconds) * 1000).to_string()));
        if as_retry_after {
            answer.headers.push(("Retry-After".into(), seconds.to_string()));
        }
        answer
    }

    /// A page.
    pub fn html(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), content_type: "text/html; charset=utf-8", body: body.into() }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, if self.status < 400 { "OK" } else { "Error" });
        for (name, value) in &self.headers {
            let _always = write!(head, "{name}: {value}\r\n");
        }
        let _always = write!(head, "Content-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", self.content_type, self.body.len());
        [head.as_bytes(), self.body.as_bytes()].concat()
    }
}
