//! Provider metadata (OpenID Connect Discovery §3, RFC 8414 §2) and the paths that it names.

use serde::Serialize;

use crate::claims::StandardClaims;
use crate::distance::distance;

/// The documented paths. Routes, metadata and the hint in a 404 come from here.
pub const PATHS: &[&str] = &[
    paths::AUTHORIZE,
    paths::TOKEN,
    paths::USERINFO,
    paths::USERINFO_OF_CLIENT,
    paths::INTROSPECT,
    paths::REVOKE,
    paths::JWKS,
    paths::END_SESSION,
    paths::OPENID_CONFIGURATION,
    paths::OAUTH_AUTHORIZATION_SERVER,
    paths::HEALTHZ,
    paths::READYZ,
    paths::ME,
    paths::LOGIN,
    paths::CONSENT,
    paths::LOGOUT,
    paths::LOGGED_OUT,
    paths::GITLAB_USER,
    paths::CHAT_LOGIN,
    paths::CHAT_OPEN,
    paths::CHAT_FRAME,
    paths::CHAT_SIGNED_IN,
    paths::ACCOUNT,
    paths::USERS,
    paths::USER,
    paths::USER_PASSWORD,
    paths::USER_PASSWORD_LINK,
    paths::PERSONAL_TOKENS,
    paths::PERSONAL_TOKEN,
    paths::SET_PASSWORD,
    paths::FORGOT_PASSWORD,
    paths::VERIFY_EMAIL,
];

/// Each documented path, relative to the issuer, by name.
pub mod paths {
    /// Authorization endpoint.
    pub const AUTHORIZE: &str = "/oauth/authorize";
    /// Token endpoint.
    pub const TOKEN: &str = "/oauth/token";
    /// UserInfo endpoint.
    pub const USERINFO: &str = "/oauth/userinfo";
    /// UserInfo for the tokens of one client only.
    pub const USERINFO_OF_CLIENT: &str = "/oauth/userinfo/{client_id}";
    /// Introspection endpoint.
    pub const INTROSPECT: &str = "/oauth/introspect";
    /// Revocation endpoint.
    pub const REVOKE: &str = "/oauth/revoke";
    /// JSON Web Key Set.
    pub const JWKS: &str = "/oauth/jwks";
    /// End-session endpoint.
    pub const END_SESSION: &str = "/oauth/logout";
    /// OpenID Connect metadata.
    pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
    /// OAuth metadata.
    pub const OAUTH_AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
    /// The process lives.
    pub const HEALTHZ: &str = "/healthz";
    /// The process can serve.
    pub const READYZ: &str = "/readyz";
    /// UserInfo under the name that some clients expect.
    pub const ME: &str = "/me";
    /// Login page.
    pub const LOGIN: &str = "/login";
    /// Consent page.
    pub const CONSENT: &str = "/consent";
    /// Page that asks before logging out.
    pub const LOGOUT: &str = "/logout";
    /// Page after logging out.
    pub const LOGGED_OUT: &str = "/logged-out";
    /// A person in GitLab's form.
    pub const GITLAB_USER: &str = "/api/v4/user";
    /// Login token of the chat for whoever is signed in.
    pub const CHAT_LOGIN: &str = "/rocketchat/login";
    /// Straight into a place of the chat.
    pub const CHAT_OPEN: &str = "/rocketchat/open";
    /// What the chat shows in place of its login form.
    pub const CHAT_FRAME: &str = "/rocketchat/frame";
    /// The window that the frame opens.
    pub const CHAT_SIGNED_IN: &str = "/rocketchat/signed-in";
    /// What people do with their own account.
    pub const ACCOUNT: &str = "/account";
    /// People, for services.
    pub const USERS: &str = "/api/v1/users";
    /// One person.
    pub const USER: &str = "/api/v1/users/{sub}";
    /// Their password.
    pub const USER_PASSWORD: &str = "/api/v1/users/{sub}/password";
    /// A link by which a person sets their password.
    pub const USER_PASSWORD_LINK: &str = "/api/v1/users/{sub}/password-link";
    /// Personal access tokens, for services.
    pub const PERSONAL_TOKENS: &str = "/api/v1/tokens";
    /// One of them.
    pub const PERSONAL_TOKEN: &str = "/api/v1/tokens/{id}";
    /// Where such a link leads.
    pub const SET_PASSWORD: &str = "/set-password";
    /// Where a mail with one is asked for, when mails can be sent.
    pub const FORGOT_PASSWORD: &str = "/forgot-password";
    /// Where a link in a mail to a new address leads.
    pub const VERIFY_EMAIL: &str = "/verify-email";
}

/// Longest part of an unknown path that is compared.
const COMPARED: usize = 256;

/// The documented path that is most like `path`. The last segment counts most: `/token` means `/oauth/token`, not
/// `/login`, although the latter is fewer edits away. A path that goes on behind a documented one means that one.
pub fn nearest_path(path: &str) -> &'static str {
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let asked: String = format!("/{}", segments.join("/")).to_ascii_lowercase().chars().take(COMPARED).collect();
    let score = |known: &&str| {
        let segments = segment_distance(last_segment(known), last_segment(&asked));
        3 * segments + distance(known, &asked)
    };
    let continued = PATHS.iter().copied().find(|known| asked.strip_prefix(known).is_some_and(|rest| rest.starts_with('/')));
    continued.or_else(|| PATHS.iter().copied().min_by_key(score)).unwrap_or(paths::OPENID_CONFIGURATION)
}

/// A segment that begins the other (`auth`, `authorize`) is as near as one typo.
fn segment_distance(known: &str, asked: &str) -> usize {
    let begins = asked.len() >= 3 && (known.starts_with(asked) || asked.starts_with(known));
    let edits = distance(known, asked);
    if begins { edits.min(1) } else { edits }
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The metadata document. Only registered members, and only what works: absent members are not supported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// The issuer, byte for byte as configured.
    pub issuer: String,
    /// URL of the authorization endpoint.
    pub authorization_endpoint: String,
    /// URL of the token endpoint.
    pub token_endpoint: String,
    /// URL of the UserInfo endpoint.
    pub userinfo_endpoint: String,
    /// URL of the key set.
    pub jwks_uri: String,
    /// URL of the introspection endpoint.
    pub introspection_endpoint: String,
    /// URL of the revocation endpoint.
    pub revocation_endpoint: String,
    /// URL of the end-session endpoint.
    pub end_session_endpoint: String,
    /// Scopes that exist here.
    pub scopes_supported: Vec<&'static str>,
    /// `code`
    pub response_types_supported: Vec<&'static str>,
    /// `query`, `form_post`
    pub response_modes_supported: Vec<&'static str>,
    /// Grants of the token endpoint.
    pub grant_types_supported: Vec<&'static str>,
    /// Authentication contexts; left out when there is none to name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acr_values_supported: Vec<String>,
    /// `public`
    pub subject_types_supported: Vec<&'static str>,
    /// Signatures of ID tokens.
    pub id_token_signing_alg_values_supported: Vec<&'static str>,
    /// Client authentication at the token endpoint.
    pub token_endpoint_auth_methods_supported: Vec<&'static str>,
    /// Client authentication at the introspection endpoint.
    pub introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    /// Client authentication at the revocation endpoint.
    pub revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    /// `S256` (RFC 8414 §2).
    pub code_challenge_methods_supported: Vec<&'static str>,
    /// Values of `prompt` (Initiating User Registration §4.1).
    pub prompt_values_supported: Vec<&'static str>,
    /// `normal`
    pub claim_types_supported: Vec<&'static str>,
    /// Claims that a client may be told.
    pub claims_supported: Vec<&'static str>,
    /// Languages of the pages, as BCP 47 tags.
    pub ui_locales_supported: Vec<&'static str>,
    /// The `claims` parameter: false.
    pub claims_parameter_supported: bool,
    /// The `request` parameter: false.
    pub request_parameter_supported: bool,
    /// The `request_uri` parameter: false, and said aloud because the specification's default is true.
    pub request_uri_parameter_supported: bool,
    /// The `iss` response parameter: true (RFC 9207 §3).
    pub authorization_response_iss_parameter_supported: bool,
    /// Logout tokens (Back-Channel Logout §2.1): true.
    pub backchannel_logout_supported: bool,
    /// `sid` in logout tokens: true.
    pub backchannel_logout_session_supported: bool,
}

impl Metadata {
    /// The document of an issuer (without a trailing slash), with the authentication contexts that it can satisfy.
    pub fn new(issuer: &str, acr_values: &[&str]) -> Self {
        let endpoint = |path: &str| format!("{issuer}{path}");
        Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: endpoint(paths::AUTHORIZE),
            token_endpoint: endpoint(paths::TOKEN),
            userinfo_endpoint: endpoint(paths::USERINFO),
            jwks_uri: endpoint(paths::JWKS),
            introspection_endpoint: endpoint(paths::INTROSPECT),
            revocation_endpoint: endpoint(paths::REVOKE),
            end_session_endpoint: endpoint(paths::END_SESSION),
            scopes_supported: SCOPES.to_vec(),
            response_types_supported: vec!["code"],
            response_modes_supported: vec!["query", "form_post"],
            grant_types_supported: vec!["authorization_code", "refresh_token", "client_credentials"],
            acr_values_supported: acr_values.iter().map(|value| (*value).to_owned()).collect(),
            subject_types_supported: vec!["public"],
            id_token_signing_alg_values_supported: vec!["RS256", "ES256", "EdDSA"],
            token_endpoint_auth_methods_supported: vec!["client_secret_basic", "client_secret_post", "none"],
            introspection_endpoint_auth_methods_supported: vec!["client_secret_basic", "client_secret_post"],
            revocation_endpoint_auth_methods_supported: vec!["client_secret_basic", "client_secret_post", "none"],
            code_challenge_methods_supported: vec!["S256"],
            prompt_values_supported: vec!["none", "login", "consent", "select_account"],
            claim_types_supported: vec!["normal"],
            claims_supported: claims_supported(),
            ui_locales_supported: vec!["ru", "en"],
            claims_parameter_supported: false,
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
            authorization_response_iss_parameter_supported: true,
            backchannel_logout_supported: true,
            backchannel_logout_session_supported: true,
        }
    }
}

/// The scopes of people's clients.
pub const SCOPES: &[&str] = &["openid", "profile", "email", "address", "phone", "roles", "groups", "offline_access"];

fn claims_supported() -> Vec<&'static str> {
    let token = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"];
    let standard = StandardClaims::NAMES.iter().copied();
    token.into_iter().chain(standard).chain(["roles", "groups"]).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_this_issuers_endpoints() {
        let json = serde_json::to_value(Metadata::new("https://id.example/base", &["pwd"])).unwrap();
        assert_eq!(json["issuer"], "https://id.example/base");
        assert_eq!(json["token_endpoint"], "https://id.example/base/oauth/token");
        assert_eq!(json["end_session_endpoint"], "https://id.example/base/oauth/logout");
        assert_eq!(json["acr_values_supported"], serde_json::json!(["pwd"]));
        assert_eq!(json["request_uri_parameter_supported"], false);
        assert_eq!(json["authorization_response_iss_parameter_supported"], true);
    }

    #[test]
    fn every_advertised_endpoint_is_a_documented_path() {
        let json = serde_json::to_value(Metadata::new("https://id.example", &[])).unwrap();
        let members = json.as_object().unwrap();
        assert!(!members.contains_key("acr_values_supported"));
        for (name, value) in members {
            let Some(path) = value.as_str().and_then(|url| url.strip_prefix("https://id.example")) else {
                continue;
            };
            assert!(name == "issuer" || PATHS.contains(&path), "{name}");
        }
    }

    #[test]
    fn lists_name_each_value_once() {
        let json = serde_json::to_value(Metadata::new("https://id.example", &[])).unwrap();
        for (name, value) in json.as_object().unwrap() {
            let Some(list) = value.as_array() else {
                continue;
            };
            let distinct: std::collections::HashSet<_> = list.iter().map(|v| v.as_str().unwrap()).collect();
            assert_eq!(distinct.len(), list.len(), "{name}");
        }
    }

    #[test]
    fn a_wrong_path_leads_to_the_right_one() {
        let table = [
            ("/token", "/oauth/token"),
            ("/oauth2/token", "/oauth/token"),
            ("/oauth/tokens", "/oauth/token"),
            ("//oauth//Token/", "/oauth/token"),
            ("/authorize", "/oauth/authorize"),
            ("/oauth2/auth", "/oauth/authorize"),
            ("/connect/userinfo", "/oauth/userinfo"),
            ("/.well-known/jwks.json", "/oauth/jwks"),
            ("/.well-known/openid-configration", "/.well-known/openid-configuration"),
            ("/health", "/healthz"),
            ("/oauth/logout/x", "/oauth/logout"),
        ];
        for (asked, expected) in table {
            assert_eq!(nearest_path(asked), expected, "{asked}");
        }
        assert!(PATHS.contains(&nearest_path("")));
        assert!(PATHS.contains(&nearest_path(&"/я".repeat(10_000))));
    }
}
