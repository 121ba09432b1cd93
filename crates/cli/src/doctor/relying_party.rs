//! An independent relying party, the `openidconnect` crate, on this program's own HTTP client.

use super::Examination;
use super::browser::Site;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    RedirectUrl, Scope, TokenResponse, http,
};
use propusk_crypto::Secret;
use propusk_domain::client::RegisteredClient;
use propusk_domain::rocketchat::lint::{Finding, Severity};
use propusk_server::outbound::{Outbound, Unanswered};
use serde_json::Value;
use std::cell::RefCell;
use std::error::Error as StdError;

/// Goes the whole way and says where it ends.
pub(super) fn go(site: &Site<'_>, client: &RegisteredClient, secret: Option<&Secret>, examination: &mut Examination) {
    match sign_in(site, client, secret) {
        Ok(()) => {
            let russian = "discovery, PKCE, код, токены, ID-токен и userinfo соответствуют OpenID Connect";
            examination.did("oidc", "discovery, PKCE, code, tokens, ID token and userinfo are as OpenID Connect wants them", russian);
        }
        Err(finding) => {
            examination.failed("oidc", finding.slug);
            examination.find(*finding);
        }
    }
}

fn sign_in(site: &Site<'_>, client: &RegisteredClient, secret: Option<&Secret>) -> Result<(), Box<Finding>> {
    let last = RefCell::new(None);
    let fetch = |request: HttpRequest| {
        let answer = fetch(site.outbound, request)?;
        last.replace(Some(answer.clone()));
        Ok::<_, Unanswered>(answer)
    };
    let issuer = IssuerUrl::new(site.issuer.to_owned()).map_err(|error| failed("oidc_discovery", "The issuer is no URL.", &error))?;
    let metadata = CoreProviderMetadata::discover(&issuer, &fetch).map_err(|error| {
        failed(
            "oidc_discovery",
            "The discovery document or the keys cannot be used: the address answers with something else, or with another issuer.",
            &error,
        )
    })?;
    let settings = &client.client.settings;
    let Some(uri) = settings.redirect_uris.first() else { return Ok(()) };
    let redirect_uri = RedirectUrl::new(uri.clone()).map_err(|error| failed("oidc_code", "The redirect URI is no URL.", &error))?;
    let secret = secret.map(|secret| ClientSecret::new(secret.expose().to_owned()));
    let party = CoreClient::from_provider_metadata(metadata, ClientId::new(client.id().to_owned()), secret).set_redirect_uri(redirect_uri);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let scopes = ["profile", "email"].into_iter().filter(|scope| settings.scopes.contains(scope)).map(|scope| Scope::new(scope.to_owned()));
    let request = party.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
    let (url, state, nonce) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
    let code = site.authorize(url.as_str(), uri, state.secret())?;
    let exchange =
        party.exchange_code(AuthorizationCode::new(code)).map_err(|error| failed("oidc_discovery", "There is no token endpoint.", &error))?;
    let tokens = exchange.set_pkce_verifier(verifier).request(&fetch).map_err(|error| {
        refused(site, "token_refused", "The token request was refused.", last.take())
            .unwrap_or_else(|| failed("oidc_code", "The code could not be redeemed: the token endpoint refused or answered something else.", &error))
    })?;
    let id_token = tokens.id_token().ok_or_else(|| missing("oidc_id_token", "No ID token came though openid was asked for."))?;
    let claims = id_token.claims(&party.id_token_verifier(), &nonce).map_err(|error| {
        failed("oidc_id_token", "The ID token is not accepted: signature, issuer, audience, nonce or time are wrong (clocks?).", &error)
    })?;
    let told: CoreUserInfoClaims = party
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        .map_err(|error| failed("oidc_discovery", "There is no userinfo endpoint.", &error))?
        .request(&fetch)
        .map_err(|error| {
            refused(site, "oidc_userinfo", "The userinfo request was refused.", last.take())
                .unwrap_or_else(|| failed("oidc_userinfo", "Userinfo refused, answered something else, or told of another person.", &error))
        })?;
    if settings.scopes.contains("profile") && told.preferred_username().is_none() {
        return Err(missing("oidc_userinfo", "Userinfo tells no username though profile was asked for."));
    }
    Ok(())
}

/// The crate's requests over our client.
fn fetch(outbound: &Outbound, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
    let answer = outbound.send(request)?;
    let mut response = http::Response::new(answer.body);
    *response.status_mut() = http::StatusCode::from_u16(answer.status).map_err(|error| Unanswered::Unreachable(error.to_string()))?;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

/// The refusal that an answer is; `None` when it is none of OAuth's.
fn refused(site: &Site<'_>, slug: &'static str, explanation: &str, answer: Option<HttpResponse>) -> Option<Box<Finding>> {
    let answer = answer?;
    let json: Value = serde_json::from_slice(answer.body()).ok()?;
    json.get("error")?.as_str()?;
    Some(Box::new(site.refused(slug, explanation, answer.status().as_u16(), &json)))
}

fn missing(slug: &'static str, explanation: &str) -> Box<Finding> {
    Box::new(Finding::new(slug, Severity::Error, explanation, FIX))
}

fn failed(slug: &'static str, explanation: &str, error: &dyn StdError) -> Box<Finding> {
    let mut found = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        found = format!("{found}: {cause}");
        source = cause.source();
    }
    Box::new(Finding::new(slug, Severity::Error, explanation, FIX).found(found))
}

/// What usually helps: everything before and behind the proxy is tested.
const FIX: &str = "compare the answer at the public address with the one at http.listen: what differs is the proxy's";
