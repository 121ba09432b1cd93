//! What a client is told about a person (OIDC Core §5.3): the same code answers userinfo and `propusk claims`.

use crate::cause::Cause;
use crate::client::RegisteredClient;
use crate::error::Refusal;
use crate::personal_token::PersonalToken;
use crate::user::User;
use propusk_protocol::{ErrorCode, Scope, TokenSource};
use serde_json::{Map, Value};

/// Refuses a token that may not be shown here: in the query string without the switch, of another client than the
/// identity path names (Rocket.Chat signs in whoever brings a token that its identity path accepts), without `openid`.
pub fn allow(client: &RegisteredClient, scope: &Scope, source: TokenSource, path_client: Option<&str>) -> Result<(), Refusal> {
    if source == TokenSource::Query && !client.client.settings.query_token {
        return Err(Refusal::invalid_request("The access token must not be sent in the query string", Cause::TokenInQuery)
            .client(client.id())
            .expected("Authorization: Bearer")
            .received("access_token in the query string")
            .fix(format!("propusk client set {} --query-token on", client.id()))
            .fix("Rocket.Chat: set Identity Token Sent Via = Header"));
    }
    if let Some(named) = path_client.filter(|named| *named != client.id()) {
        return Err(Refusal::new(ErrorCode::InsufficientScope, "The access token was issued to another client", Cause::TokenOfAnotherClient)
            .client(client.id())
            .expected(format!("a token issued to {named}"))
            .received(format!("a token issued to {}", client.id()))
            .fix("let the application sign people in with the client id of its identity path")
            .fix("a token of another application is what an impersonator would send"));
    }
    if !client.client.settings.rocket_chat && !scope.contains("openid") {
        let refusal = Refusal::new(ErrorCode::InsufficientScope, "The access token lacks the scope openid", Cause::TokenWithoutOpenid);
        return Err(refusal.client(client.id()).expected("openid").received(scope.to_string()).fix("ask for the scope openid"));
    }
    Ok(())
}

/// The claims of `user` for a token of `scope` at `client`.
pub fn claims(user: &User, client: &RegisteredClient, scope: &Scope) -> Map<String, Value> {
    let mut claims = if client.client.settings.rocket_chat { rocket_chat_claims(user) } else { standard_claims(user, scope) };
    claims.insert("sub".to_owned(), Value::from(user.sub.as_str()));
    let mapped = client.role_map.claims_of(&user.role);
    for (name, values) in [("roles", mapped.roles), ("groups", mapped.groups)] {
        if let Some(values) = values {
            claims.insert(name.to_owned(), Value::from(values));
        }
    }
    claims
}

/// Refuses a personal token in the query string, at the identity path of a client (whoever signs in there must have come
/// through that client) and without `openid`.
pub fn allow_personal(token: &PersonalToken, source: TokenSource, path_client: Option<&str>) -> Result<(), Refusal> {
    if source == TokenSource::Query {
        return Err(Refusal::invalid_request("The access token must not be sent in the query string", Cause::TokenInQuery)
            .expected("Authorization: Bearer")
            .received("a personal token in the query string")
            .fix("send it in the Authorization header, and revoke this one: logs may hold it"));
    }
    if let Some(named) = path_client {
        return Err(Refusal::new(ErrorCode::InsufficientScope, "The access token was issued to another client", Cause::TokenOfAnotherClient)
            .expected(format!("a token issued to {named}"))
            .received("a personal token")
            .fix("ask /oauth/userinfo"));
    }
    if !token.scope.contains("openid") {
        let refusal = Refusal::new(ErrorCode::InsufficientScope, "The access token lacks the scope openid", Cause::TokenWithoutOpenid);
        return Err(refusal.expected("openid").received(token.scope.to_string()).fix("make a token with the scope openid"));
    }
    Ok(())
}

/// The claims of `user` for a personal token of `scope`: no client, so the role is told as the site calls it.
pub fn personal_claims(user: &User, scope: &Scope) -> Map<String, Value> {
    let mut claims = standard_claims(user, scope);
    claims.insert("sub".to_owned(), Value::from(user.sub.as_str()));
    if scope.contains("roles") {
        claims.insert("roles".to_owned(), Value::from(vec![user.role.as_str()]));
    }
    claims
}

/// Exactly what that client would be told about that person if it asked for all it may.
pub fn preview(user: &User, client: &RegisteredClient) -> Map<String, Value> {
    claims(user, client, &client.client.settings.scopes)
}

fn standard_claims(user: &User, scope: &Scope) -> Map<String, Value> {
    let mut all = user.claims.clone();
    all.preferred_username = Some(user.username.clone());
    all.updated_at = Some(user.updated_at.0);
    all.locale = all.locale.or_else(|| user.locale.clone());
    all.for_scopes(scope)
}

/// Rocket.Chat never looks at `email_verified`, so an address that is not verified is not told at all; no `id`, `_id`,
/// `user_id` or `emails`, which would override `sub` there.
fn rocket_chat_claims(user: &User) -> Map<String, Value> {
    let told = &user.claims;
    let verified = told.email.as_deref().filter(|_| told.email_verified == Some(true));
    let pairs = [
        ("preferred_username", Some(user.username.as_str())),
        ("name", told.name.as_deref()),
        ("picture", told.picture.as_deref()),
        ("locale", told.locale.as_deref().or(user.locale.as_deref())),
        ("email", verified),
    ];
    let mut claims: Map<String, Value> = pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))).collect();
    if verified.is_some() {
        claims.insert("email_verified".to_owned(), Value::Bool(true));
    }
    claims
}
