//! The requests of Rocket.Chat's two generations, parameter for parameter, and what it would make of the answers.

use super::Examination;
use super::browser::{Site, What, component, letters, unanswered};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openidconnect::PkceCodeChallenge;
use propusk_crypto::Secret;
use propusk_domain::client::RegisteredClient;
use propusk_domain::rocketchat::lint::{Finding, Severity};
use propusk_domain::rocketchat::settings::identity_path;
use serde_json::{Value, json};

/// What the chat's client asks for.
const SCOPE: &str = "openid profile email roles";

/// Which code of Rocket.Chat is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    Legacy,
    Modern,
}

pub(super) fn go(site: &Site<'_>, client: &RegisteredClient, secret: Option<&Secret>, username: &str, examination: &mut Examination) {
    let uris = &client.client.settings.redirect_uris;
    let Some(redirect_uri) = uris.iter().find(|uri| uri.contains("/_oauth/")).or(uris.first()) else { return };
    for (generation, step) in [(Generation::Legacy, "legacy"), (Generation::Modern, "modern")] {
        let replay = Replay { site, client, secret, redirect_uri, generation };
        match replay.sign_in() {
            Err(finding) => {
                examination.failed(step, finding.slug);
                examination.find(finding);
            }
            Ok(identity) => {
                let russian = "authorize, token и identity отвечают так, как нужно Rocket.Chat";
                examination.did(step, "authorize, token and identity answer as Rocket.Chat needs it", russian);
                examination.findings(judge(&identity, username));
            }
        }
    }
}

struct Replay<'a> {
    site: &'a Site<'a>,
    client: &'a RegisteredClient,
    secret: Option<&'a Secret>,
    redirect_uri: &'a str,
    generation: Generation,
}

impl Replay<'_> {
    fn sign_in(&self) -> Result<Value, Finding> {
        let (url, state, verifier) = self.start();
        let code = self.site.authorize(&url, self.redirect_uri, &state)?;
        let token = self.token(&code, &state, &verifier)?;
        self.identity(&token)
    }

    fn scope(&self) -> String {
        let allowed = &self.client.client.settings.scopes;
        SCOPE.split(' ').filter(|scope| allowed.contains(scope)).collect::<Vec<_>>().join(" ")
    }

    /// The authorization URL with state and PKCE verifier.
    fn start(&self) -> (String, String, String) {
        let (issuer, id, scope) = (self.site.issuer, self.client.id(), component(&self.scope()));
        let redirect_uri = component(self.redirect_uri);
        if self.generation == Generation::Modern {
            let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
            let state = letters(24);
            let url = format!(
                "{issuer}/oauth/authorize?response_type=code&redirect_uri={redirect_uri}&scope={scope}&code_challenge={}&code_challenge_method=S256\
                 &state={state}&client_id={id}",
                challenge.as_str()
            );
            return (url, state, verifier.secret().clone());
        }
        let chat = self.redirect_uri.split_once("/_oauth/").map_or(self.redirect_uri, |(chat, _)| chat);
        let json = format!(
            r#"{{"loginStyle":"redirect","credentialToken":"{}","isCordova":false,"redirectUrl":{}}}"#,
            letters(43),
            json!(format!("{chat}/home"))
        );
        let state = STANDARD.encode(json);
        let url = format!(
            "{issuer}/oauth/authorize?client_id={id}&redirect_uri={redirect_uri}&response_type=code&state={}&scope={scope}",
            component(&state)
        );
        (url, state, String::new())
    }

    fn token(&self, code: &str, state: &str, verifier: &str) -> Result<String, Finding> {
        let secret = self.secret.map_or("", Secret::expose);
        let id = self.client.id();
        let common = [("redirect_uri", self.redirect_uri), ("grant_type", "authorization_code"), ("client_secret", secret), ("client_id", id)];
        let [redirect_uri, grant_type, client_secret, client_id] = common;
        let (pairs, headers): ([_; 6], &[_]) = match self.generation {
            Generation::Legacy => (
                [("code", code), redirect_uri, grant_type, ("state", state), client_secret, client_id],
                &[("user-agent", "Meteor/METEOR@3"), ("accept", "application/json")],
            ),
            Generation::Modern => {
                ([grant_type, redirect_uri, ("code_verifier", verifier), client_id, client_secret, ("code", code)], &[("user-agent", "Node-oauth")])
            }
        };
        let body = propusk_protocol::form::encode(&pairs);
        let url = format!("{}/oauth/token", self.site.issuer);
        let answer = self.site.post(&url, headers, body).map_err(|error| unanswered("token", &error))?;
        let tokens = self.site.json_of(What::Token, &answer)?;
        tokens.get("access_token").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
            Finding::new(
                "token_not_json",
                Severity::Error,
                "The token endpoint's answer holds no access token.",
                "let the proxy pass the answer as it is",
            )
        })
    }

    fn identity(&self, token: &str) -> Result<Value, Finding> {
        let url = format!("{}{}", self.site.issuer, identity_path(self.client.id()));
        let bearer = format!("Bearer {token}");
        let headers: &[(&str, &str)] = match self.generation {
            Generation::Legacy => &[("user-agent", "Meteor/METEOR@3"), ("accept", "application/json"), ("authorization", &bearer)],
            Generation::Modern => &[("user-agent", "Node-oauth"), ("authorization", &bearer)],
        };
        let answer = self.site.get(&url, headers).map_err(|error| unanswered("identity", &error))?;
        self.site.json_of(What::Identity, &answer)
    }
}

/// What Rocket.Chat would stumble over in an identity.
fn judge(identity: &Value, username: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |slug, explanation: String, fix: &str, found: Value| {
        findings.push(Finding::new(slug, Severity::Error, explanation, fix).found(found));
    };
    for claim in ["roles", "groups"] {
        if let Some(value) = identity.get(claim).filter(|value| !value.is_array()) {
            let explanation = format!("The claim {claim} is no list: Rocket.Chat counts it as empty and takes every role to sync away.");
            let slug = if claim == "roles" { "roles_not_a_list" } else { "groups_not_a_list" };
            say(slug, explanation, "let nothing on the way rewrite the answer", value.clone());
        }
    }
    for claim in ["id", "_id", "ID", "user_id", "result", "CharacterID"] {
        if let Some(value) = identity.get(claim) {
            let explanation = format!("The claim {claim} beats sub in Rocket.Chat: everybody who is known there by sub becomes somebody else.");
            say("identifier_overridden", explanation, "let nothing on the way rewrite the answer", value.clone());
        }
    }
    if identity.get("preferred_username").and_then(Value::as_str) != Some(username) {
        let explanation = "The identity is not that of the person who signed in: a cache on the way answers for others.".to_owned();
        say(
            "identity_of_somebody_else",
            explanation,
            "let the proxy cache nothing of this server",
            identity.get("preferred_username").cloned().unwrap_or_default(),
        );
    }
    if identity.get("email").is_none() {
        let explanation = "The verified address of the person is not told, so the chat's account has none.".to_owned();
        say("email_not_told", explanation, "allow the client the scope email", Value::Null);
    }
    findings
}
