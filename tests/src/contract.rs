//! `openapi.yaml` as a promise: every answer of a test's server is held against it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::form::form_decode;
use crate::http::{Request, Response};

/// Servers whose answers are checked: `host:port` → the path of the issuer.
static SERVERS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Compiled schemas by their text.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut yaml: serde_yaml_ng::Value = serde_yaml_ng::from_str(include_str!("../../openapi.yaml")).expect("openapi.yaml is YAML");
    yaml.apply_merge().expect("openapi.yaml merges what is a mapping");
    serde_json::to_value(yaml).expect("openapi.yaml holds what JSON can say")
});

/// The whole document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// From now on the answers of this server are checked; `base` is the path of its issuer (`""` or `/auth`).
pub fn register(authority: &str, base: &str) {
    lock(&SERVERS).insert(authority.to_owned(), base.to_owned());
}

/// The server is gone; its port may become somebody else's.
pub fn forget(authority: &str) {
    lock(&SERVERS).remove(authority);
}

/// Holds an answer of a registered server against the document.
///
/// # Panics
/// When the document does not promise this answer.
pub fn check(request: &Request, response: &Response) {
    let base = lock(&SERVERS).get(request.authority()).cloned();
    if let Some(base) = base
        && let Err(violation) = judge(&base, request, response)
    {
        let headers: Vec<String> = response.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        panic!(
            "openapi.yaml does not promise this answer: {violation}\n{} {}\n{} {}\n{}\n\n{}",
            request.method,
            request.target(),
            response.status,
            response.reason,
            headers.join("\n"),
            response.text()
        );
    }
}

/// What the document says about an answer: `Err` with the first thing that is not so.
pub fn judge(base: &str, request: &Request, response: &Response) -> Result<(), String> {
    // Refused before it became a request: nothing of ours has seen it.
    if matches!(response.status, 400 | 408 | 431) && response.body.is_empty() && response.header("x-request-id").is_none() {
        return Ok(());
    }
    if let Some(server) = response.header("server") {
        return Err(format!("the header Server says {server}"));
    }
    let responses = &document()["components"]["responses"];
    if let Some(verdict) = judge_opt_in(base, request, response) {
        return verdict;
    }
    // Without the setting a compatible path is as unknown as any other.
    let found = find_path(base, request).filter(|_| response.status != 404 || alias_of(base, request).is_none());
    let Some((path, item)) = found else {
        return match response.status {
            404 => conforms(&responses["NotFound"], request, response),
            413 => conforms(&responses["TooLarge"], request, response),
            414 => conforms(&responses["UriTooLong"], request, response),
            _ => Err("the path is not documented".into()),
        };
    };
    let Some(operation) = item.get(request.method.to_ascii_lowercase()) else {
        return match response.status {
            405 if response.header("allow") == Some(&allowed(item)) => conforms(&responses["MethodNotAllowed"], request, response),
            413 => conforms(&responses["TooLarge"], request, response),
            414 => conforms(&responses["UriTooLong"], request, response),
            204 | 403 if is_preflight(request) && path == "/rocketchat/login" => Ok(()),
            _ => Err(format!("the method is not documented for {path}, so it is 405 with Allow: {}", allowed(item))),
        };
    };
    match operation["responses"].get(response.status.to_string()) {
        Some(promised) => conforms(resolve(promised), request, response),
        None => Err(format!("the status is not documented for {}", operation["operationId"])),
    }
}

/// The paths that a setting switches on; where it does not, they are as unknown as any other (404).
fn judge_opt_in(base: &str, request: &Request, response: &Response) -> Option<Result<(), String>> {
    // They are paths of an old site at its root, whatever the path of the issuer.
    let inside = inside_path(base, request).unwrap_or_else(|| whole_path(request));
    let item = document()["x-opt-in-paths"].get(&inside)?;
    let not_found = &document()["components"]["responses"]["NotFound"];
    let promised = match item.get(request.method.to_ascii_lowercase()) {
        Some(operation) => operation["responses"].get(response.status.to_string()).map_or(&Value::Null, resolve),
        None if response.status == 405 => item.get("x-other-methods").unwrap_or(&document()["components"]["responses"]["MethodNotAllowed"]),
        None => &Value::Null,
    };
    Some(match (promised, response.status) {
        (Value::Null, 404) => conforms(not_found, request, response),
        (Value::Null, status) => Err(format!("the status {status} is not documented for {inside}")),
        (promised, _) => conforms(promised, request, response),
    })
}

/// The methods of a path item as `Allow` lists them.
pub fn allowed(item: &Value) -> String {
    let names = ["get", "head", "post", "put", "patch", "delete", "options"].iter().filter(|name| item.get(**name).is_some());
    names.map(|name| name.to_ascii_uppercase()).collect::<Vec<_>>().join(", ")
}

/// Follows a `$ref` inside the document.
pub fn resolve(value: &Value) -> &Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads out of the document"));
    document().pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// The compiled form of a schema of the document.
pub fn validator(schema: &Value) -> Arc<Validator> {
    let key = schema.to_string();
    if let Some(known) = lock(&VALIDATORS).get(&key) {
        return Arc::clone(known);
    }
    let whole = json!({ "allOf": [schema], "components": { "schemas": document()["components"]["schemas"] } });
    let compiled = Arc::new(jsonschema::validator_for(&whole).unwrap_or_else(|error| panic!("{schema} is no schema: {error}")));
    lock(&VALIDATORS).insert(key, Arc::clone(&compiled));
    compiled
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The documented path that a request asks for, as the server finds it: slashes repaired, escapes decoded.
fn find_path(base: &str, request: &Request) -> Option<(&'static str, &'static Value)> {
    let own = inside_path(base, request);
    // Whatever the path would be without it.
    if request.target().split('?').next().is_some_and(|path| path.contains("%00")) {
        return None;
    }
    let inside = alias_of(base, request).or(own.as_deref())?;
    let paths = document()["paths"].as_object()?;
    paths.iter().find(|(known, _)| fits(known, inside)).map(|(known, item)| (known.as_str(), item))
}

/// Our own path of one that an old site's library had.
fn alias_of(base: &str, request: &Request) -> Option<&'static str> {
    let inside = inside_path(base, request).unwrap_or_else(|| whole_path(request));
    let aliases = &document()["x-compatible-paths"];
    if base.ends_with("/o") { aliases.get(format!("/o{inside}")) } else { aliases.get(&inside) }.and_then(Value::as_str)
}

/// The path below the issuer, without slashes at its end.
fn inside_path(base: &str, request: &Request) -> Option<String> {
    let whole = whole_path(request);
    let inside = if base.is_empty() {
        whole.as_str()
    } else if whole == format!("/.well-known/oauth-authorization-server{base}") {
        "/.well-known/oauth-authorization-server"
    } else if whole == "/healthz" || whole == "/readyz" {
        whole.as_str()
    } else {
        whole.strip_prefix(base)?
    };
    Some(if inside.is_empty() { "/" } else { inside }.to_owned())
}

/// The path from the root, without slashes at its end.
fn whole_path(request: &Request) -> String {
    let target = request.target();
    let raw = target.split('?').next().unwrap_or_default();
    let decoded = decode_path(raw);
    let segments: Vec<&str> = decoded.split('/').filter(|segment| !segment.is_empty()).collect();
    format!("/{}", segments.join("/"))
}

/// Undoes escapes but that of the slash, which does not part segments.
fn decode_path(raw: &str) -> String {
    let value =
        [("+", "%2B"), ("&", "%26"), ("%2F", "%252F"), ("%2f", "%252f")].iter().fold(raw.to_owned(), |text, (from, to)| text.replace(from, to));
    form_decode(format!("p={value}").as_bytes()).into_iter().next().map(|(_, value)| value).unwrap_or_default()
}

fn fits(template: &str, path: &str) -> bool {
    let (mut known, mut asked) = (template.split('/'), path.split('/'));
    loop {
        match (known.next(), asked.next()) {
            (None, None) => return true,
            (Some(known), Some(asked)) if known == asked || (known.starts_with('{') && !asked.is_empty()) => {}
            _ => return false,
        }
    }
}

fn is_preflight(request: &Request) -> bool {
    request.method == "OPTIONS" && request.header_value("origin").is_some() && request.header_value("access-control-request-method").is_some()
}

fn conforms(promised: &Value, request: &Request, response: &Response) -> Result<(), String> {
    for (name, header) in promised["headers"].as_object().into_iter().flatten() {
        check_header(name, resolve(header), response)?;
    }
    check_body(promised, request, response)
}

fn check_header(name: &str, promised: &Value, response: &Response) -> Result<(), String> {
    let values = response.headers(name);
    if values.is_empty() {
        return if promised["required"] == true { Err(format!("the header {name} is missing")) } else { Ok(()) };
    }
    for text in values {
        let value = match promised["schema"]["type"].as_str() {
            Some("integer") => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
            _ => json!(text),
        };
        if let Some(error) = validator(&promised["schema"]).iter_errors(&value).next() {
            return Err(format!("the header {name}: {error}"));
        }
    }
    Ok(())
}

fn check_body(promised: &Value, request: &Request, response: &Response) -> Result<(), String> {
    let media_type = response.header("content-type").map(|value| value.split(';').next().unwrap_or_default().trim());
    let Some(contents) = promised["content"].as_object() else {
        return if response.body.is_empty() { Ok(()) } else { Err("the body should be empty".into()) };
    };
    let media_type = media_type.ok_or("there is no Content-Type")?;
    let content = contents.get(media_type).ok_or_else(|| format!("the Content-Type {media_type} is not documented"))?;
    if request.method == "HEAD" {
        return Ok(());
    }
    let body = if media_type == "application/json" {
        serde_json::from_slice(&response.body).map_err(|error| format!("the body is not JSON: {error}"))?
    } else {
        Value::String(String::from_utf8(response.body.clone()).map_err(|error| format!("the body is not UTF-8: {error}"))?)
    };
    if let Some(error) = validator(&content["schema"]).iter_errors(&body).next() {
        return Err(format!("the body at {:?}: {error}", error.instance_path().to_string()));
    }
    // A legacy Rocket.Chat shows its administrator the reason phrase and nothing else.
    match body["error"].as_str() {
        Some(error) if error != response.reason => Err(format!("the reason phrase is {:?}, the error {error}", response.reason)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, reason: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let common = [("cache-control", "no-store"), ("pragma", "no-cache"), ("x-request-id", "0123456789-_"), ("x-content-type-options", "nosniff")];
        let headers = common.iter().chain(headers).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Response { status, reason: reason.into(), headers, body: body.into() }
    }

    fn error(code: &str) -> String {
        json!({ "error": code, "error_description": "No", "error_reference": "7F3K2Q" }).to_string()
    }

    const JSON: (&str, &str) = ("content-type", "application/json");

    #[test]
    fn promised_answers_pass() {
        let get = |path: &str| Request::get(&format!("http://h{path}"));
        let post = |path: &str| Request::post(&format!("http://h{path}"));
        let healthy = answer(200, "OK", &[JSON], r#"{"status":"ok"}"#);
        judge("", &get("/healthz"), &healthy).unwrap();
        judge("", &get("//healthz/?x"), &healthy).unwrap();
        judge("/auth", &get("/healthz"), &healthy).unwrap();
        judge("/auth", &get("/auth/healthz"), &healthy).unwrap();
        judge("", &post("/oauth/token"), &answer(400, "invalid_grant", &[JSON], &error("invalid_grant"))).unwrap();
        let refused = answer(405, "method_not_allowed", &[JSON, ("allow", "POST, OPTIONS")], &error("method_not_allowed"));
        judge("", &get("/oauth/token"), &refused).unwrap();
        judge("", &post("/oauth/revoke"), &answer(200, "OK", &[], "")).unwrap();
    }

    #[test]
    fn each_breach_is_seen() {
        let get = |path: &str| Request::get(&format!("http://h{path}"));
        let post = |path: &str| Request::post(&format!("http://h{path}"));
        let table = [
            ("status", post("/oauth/token"), answer(418, "I'm a teapot", &[JSON], "{}")),
            ("error", post("/oauth/token"), answer(400, "slow_down", &[JSON], &error("slow_down"))),
            ("reason phrase", post("/oauth/token"), answer(400, "Bad Request", &[JSON], &error("invalid_grant"))),
            ("Content-Type", post("/oauth/token"), answer(400, "invalid_grant", &[("content-type", "text/plain")], "no")),
            ("WWW-Authenticate", get("/oauth/userinfo"), answer(401, "invalid_token", &[JSON], &error("invalid_token"))),
            ("path", get("/nowhere"), answer(200, "OK", &[JSON], "{}")),
            ("Allow", get("/oauth/token"), answer(405, "method_not_allowed", &[JSON, ("allow", "GET")], &error("method_not_allowed"))),
            ("empty", post("/oauth/revoke"), answer(200, "OK", &[], "{}")),
            ("Additional", get("/healthz"), answer(200, "OK", &[JSON], r#"{"status":"ok","version":"1"}"#)),
            ("Server", get("/healthz"), answer(200, "OK", &[JSON, ("server", "x/1")], r#"{"status":"ok"}"#)),
        ];
        for (word, request, response) in table {
            let violation = judge("", &request, &response).unwrap_err();
            assert!(violation.contains(word), "{word}: {violation}");
        }
        let mut bare = answer(200, "OK", &[JSON], r#"{"status":"ok"}"#);
        bare.headers.retain(|(name, _)| name != "cache-control");
        assert!(judge("", &get("/healthz"), &bare).unwrap_err().contains("Cache-Control"));
    }
}
