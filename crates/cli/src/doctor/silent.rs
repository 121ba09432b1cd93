//! The connector, and what rests on it: whether the chat takes its token and has its channels; what the chat's page would hear of this
//! server, and whether the chat gives login tokens.

use super::Examination;
use super::records::{Records, Refused, is_reference};
use crate::failure::Failure;
use openidconnect::http::Request;
use openidconnect::url::Url;
use propusk_domain::rocketchat::lint::{Finding, Severity};
use propusk_domain::rocketchat::service_key;
use propusk_server::instance::Instance;
use propusk_server::outbound::{Answer, Outbound};
use propusk_server::rocketchat::connection::Connection;
use propusk_server::rocketchat::login::SECRET_SINCE;
use propusk_server::rocketchat::provision::patiently;
use propusk_server::rocketchat::rest::{Rest, RestError};
use propusk_server::rocketchat::workspace::Workspace;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The account that every workspace has: a token is made for it and ended at once.
const BOT: &str = "rocket.cat";

/// What is looked at.
pub(super) struct Place<'a> {
    pub(super) chat_url: &'a str,
    /// The provider's name.
    pub(super) name: &'a str,
    pub(super) version: Option<(u32, u32)>,
    /// Whether people come in without a button.
    pub(super) silently: bool,
}

pub(super) fn look(outbound: &Outbound, instance: &Instance, place: &Place<'_>, examination: &mut Examination) -> Result<(), Failure> {
    let settings = &instance.settings.rocketchat;
    let connection = instance.read(|cx| Ok(Connection::find(cx.store, settings, &instance.master)?))?;
    let connection = connection.filter(|connection| connection.url.trim_end_matches('/') == place.chat_url.trim_end_matches('/'));
    if let Some(connection) = &connection {
        let found = connector(outbound, instance, connection, place);
        if found.is_empty() {
            let russian = "чат принимает токен коннектора, его каналы на месте";
            examination.did("connector", "the chat takes the connector's token and has its channels", russian);
        }
        let refused = found.iter().any(|finding| finding.severity == Severity::Error);
        examination.findings(found);
        if refused {
            return Ok(());
        }
    }
    if place.silently {
        let asked = ask(outbound, instance, place.chat_url);
        let token = connection.map_or(Ok(()), |connection| token(outbound, instance, &connection, place.version));
        let found: Vec<Finding> = [asked, token].into_iter().filter_map(Result::err).collect();
        if let Some(finding) = found.first() {
            examination.failed("silent", finding.slug);
        } else {
            let russian = "страница чата получает ответ, и чат выдаёт токены входа";
            examination.did("silent", "the chat's page is answered, and the chat gives login tokens", russian);
        }
        examination.findings(found);
    }
    Ok(())
}

/// Whether the chat takes the token that is kept here, and what its account can do with the settings.
fn connector(outbound: &Outbound, instance: &Instance, connection: &Connection, place: &Place<'_>) -> Vec<Finding> {
    let rest = connection.rest(outbound.clone());
    let connect = format!("propusk rocketchat connect --chat-url {} --user-id ID --token-stdin", connection.url);
    let me = match patiently(|| rest.get("me", &[])) {
        Ok(me) => me,
        Err(error @ (RestError::Unauthorized | RestError::Forbidden(_))) => {
            let explanation = "The chat does not take the administrator's token that is kept here, so it signs nobody in and keeps no role right.";
            return vec![Finding::new("connector_refused", Severity::Error, explanation, connect).found(error.to_string())];
        }
        Err(error) => return vec![unreachable(&error)],
    };
    let mut found = Vec::new();
    let roles: Vec<&str> = me.get("roles").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if !roles.contains(&"admin") {
        let explanation = "The connector's account is no administrator of the chat, so it may lack what the connector needs: reading accounts, roles and \
                           private channels, changing them, making login tokens.";
        let roles = roles.join(" ");
        found.push(Finding::new("connector_rights", Severity::Error, explanation, connect).found(roles).expected("admin"));
    }
    let key = service_key(place.name);
    if connection.service != key {
        let explanation = "rocketchat.service names another OAuth service than the one by which the chat's client signs people in: the connector does \
                           not recognise their accounts.";
        let fix = format!("take rocketchat.service out of the settings, or set it to {key}");
        found.push(Finding::new("service_other", Severity::Error, explanation, fix).found(connection.service.as_str()).expected(key));
    }
    found.extend(channels(rest, instance, connection));
    found
}

/// The channels of the settings that the connector's account does not see.
fn channels(rest: Rest, instance: &Instance, connection: &Connection) -> Option<Finding> {
    let settings = &instance.settings.rocketchat;
    if settings.create_channels {
        return None;
    }
    let mut workspace = Workspace::new(rest, &connection.user_id, &connection.service, false, false);
    let names: BTreeSet<&String> = settings.channels.values().flatten().collect();
    let absent: Vec<&str> = names.into_iter().filter(|name| matches!(workspace.room(name, true), Ok(None))).map(String::as_str).collect();
    if absent.is_empty() {
        return None;
    }
    let explanation =
        "Channels of rocketchat.channels do not exist in the chat, or its connector's account does not see them: nobody is put into them.";
    let fix = "create them in the chat, invite the connector's account into private ones, or set rocketchat.create_channels";
    Some(Finding::new("channels_absent", Severity::Warning, explanation, fix).found(absent.join(" ")))
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
