//! Sign-in without a button: what the chat's page would hear of this server, and whether the chat gives login tokens.

use super::Examination;
use super::records::{Records, Refused, is_reference};
use crate::failure::Failure;
use openidconnect::http::Request;
use openidconnect::url::Url;
use propusk_domain::rocketchat::lint::{Finding, Severity};
use propusk_server::instance::Instance;
use propusk_server::outbound::{Answer, Outbound};
use propusk_server::rocketchat::connection::Connection;
use propusk_server::rocketchat::provision::patiently;
use propusk_server::rocketchat::rest::{Rest, RestError};
use serde_json::{Value, json};

/// The account that every workspace has: a token is made for it and ended at once.
const BOT: &str = "rocket.cat";

/// The first version that wants a secret for `users.createToken`.
const SECRET_SINCE: u32 = 8;

pub(super) fn look(
    outbound: &Outbound,
    instance: &Instance,
    chat_url: &str,
    version: Option<(u32, u32)>,
    examination: &mut Examination,
) -> Result<(), Failure> {
    let settings = &instance.settings.rocketchat;
    let connection = instance.read(|cx| Ok(Connection::find(cx.store, settings, &instance.master)?))?;
    let asked = ask(outbound, instance, chat_url);
    let token = connection.map(|connection| token(outbound, instance, &connection, version));
    let found: Vec<Finding> = [asked, token.unwrap_or(Ok(()))].into_iter().filter_map(Result::err).collect();
    if let Some(finding) = found.first() {
        examination.failed("silent", finding.slug);
    } else {
        let russian = "страница чата получает ответ, и чат выдаёт токены входа";
        examination.did("silent", "the chat's page is answered, and the chat gives login tokens", russian);
    }
    examination.findings(found);
    Ok(())
}

/// Asks as the chat's page does, for somebody who is not signed in.
fn ask(outbound: &Outbound, instance: &Instance, chat_url: &str) -> Result<(), Finding> {
    let origin = Url::parse(chat_url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let url = format!("{}/rocketchat/login", instance.settings.issuer);
    let explanation = "The chat's page asks here who is signed in, and is not answered as it needs it: nobody comes in without a button.";
    let fix = "make rocketchat.url the address that people open; let the proxy pass Origin and the Access-Control headers";
    let refused = |found: String| Finding::new("frame_refused", Severity::Error, explanation, fix).found(found);
    let request = Request::post(&url).header("origin", &origin).body(Vec::new()).map_err(|error| refused(error.to_string()))?;
    let answer = outbound.send(request).map_err(|error| refused(error.to_string()))?;
    if answer.status != 401 {
        return Err(not_answered(instance, explanation, &answer).unwrap_or_else(|| refused(format!("{url} answers {}", answer.status))));
    }
    let header = |name: &str| answer.header(name).unwrap_or_default();
    let (allowed, credentials) = (header("access-control-allow-origin"), header("access-control-allow-credentials"));
    if allowed == origin && credentials == "true" {
        return Ok(());
    }
    Err(refused(format!("Access-Control-Allow-Origin: {allowed}, Access-Control-Allow-Credentials: {credentials}")).expected(origin))
}

fn not_answered(instance: &Instance, explanation: &str, answer: &Answer) -> Option<Finding> {
    let json = answer.json()?;
    let reference = json.get("error_reference").and_then(Value::as_str).filter(|text| is_reference(text))?;
    Some(Records(instance).explained(Refused::new("frame_refused", explanation, Some(reference.to_owned()))))
}

/// Makes a login token of the chat as for a person, and ends it.
fn token(outbound: &Outbound, instance: &Instance, connection: &Connection, version: Option<(u32, u32)>) -> Result<(), Finding> {
    let rest = connection.rest(outbound.clone());
    let connect = format!("propusk rocketchat connect --chat-url {} --user-id {} --token-stdin", connection.url, connection.user_id);
    match patiently(|| rest.get("me", &[])) {
        Err(error @ (RestError::Unauthorized | RestError::Forbidden(_))) => {
            let explanation = "The chat does not take the administrator's token that is kept here, so it signs nobody in and keeps no role right.";
            return Err(Finding::new("connector_refused", Severity::Error, explanation, connect).found(error.to_string()));
        }
        Err(error) => return Err(unreachable(&error)),
        Ok(_) => {}
    }
    let Some(secret) = &instance.settings.rocketchat.create_token_secret else { return Ok(()) };
    let needs_secret = version.is_none_or(|(major, _)| major >= SECRET_SINCE);
    let body = if needs_secret { json!({ "userId": BOT, "secret": secret.expose() }) } else { json!({ "userId": BOT }) };
    match patiently(|| rest.post("users.createToken", &body)) {
        Ok(made) => {
            end(&rest, &made);
            Ok(())
        }
        Err(error) if error.is("error-invalid-user") => Ok(()),
        Err(error @ (RestError::Refused { .. } | RestError::Forbidden(_) | RestError::NotFound)) => {
            Err(wrong_secret(needs_secret).found(error.to_string()))
        }
        Err(error) => Err(unreachable(&error)),
    }
}

fn wrong_secret(needs_secret: bool) -> Finding {
    let (explanation, fix) = if needs_secret {
        (
            "The chat refuses to make login tokens: its CREATE_TOKENS_FOR_USERS_SECRET is another one than rocketchat.create_token_secret_file \
             holds, or the administrator lacks the permission user-generate-access-token (8.7 and later).",
            "set CREATE_TOKENS_FOR_USERS_SECRET of the chat to what rocketchat.create_token_secret_file holds, and restart the chat",
        )
    } else {
        (
            "The chat refuses to make login tokens: up to 7.x its environment must hold CREATE_TOKENS_FOR_USERS=true.",
            "set CREATE_TOKENS_FOR_USERS=true in the chat's environment, and restart the chat",
        )
    };
    Finding::new("token_secret_wrong", Severity::Error, explanation, fix)
}

fn unreachable(error: &RestError) -> Finding {
    let explanation = "The chat does not answer the connector, so it was not tried whether people come in without a button.";
    let fix = "look whether this machine reaches the chat";
    Finding::new("chat_unreachable", Severity::Warning, explanation, fix).found(error.to_string())
}

/// It would also expire by itself.
fn end(rest: &Rest, made: &Value) {
    let text = |name: &str| made.pointer(&format!("/data/{name}")).and_then(Value::as_str).map(str::to_owned);
    if let (Some(user), Some(token)) = (text("userId"), text("authToken")) {
        let _ended = rest.clone().with_token(&user, propusk_crypto::Secret::new(token)).log_out();
    }
}
