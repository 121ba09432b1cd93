//! The longest value, in bytes after decoding, that each known parameter may have: one place, one number each.

use serde_json::Value;

/// How many parameters a request may carry.
pub const PARAMETERS: usize = 64;
/// How long a parameter's name may be.
pub const NAME: usize = 128;
/// `state`: Rocket.Chat puts a whole deep link into it, so it is long.
pub const STATE: usize = 8192;
/// `scope`
pub const SCOPE: usize = 1024;
/// `client_id`
pub const CLIENT_ID: usize = 256;
/// `client_secret`
pub const CLIENT_SECRET: usize = 1024;
/// `redirect_uri` and `post_logout_redirect_uri`
pub const REDIRECT_URI: usize = 2048;
/// `nonce`
pub const NONCE: usize = 1024;
/// `login_hint` and `logout_hint`: the longest e-mail address.
pub const LOGIN_HINT: usize = 320;
/// `ui_locales` and `claims_locales`
pub const UI_LOCALES: usize = 256;
/// `acr_values`
pub const ACR_VALUES: usize = 512;
/// `code`
pub const CODE: usize = 512;
/// `token`, `access_token`, `refresh_token`: a token of 8 KiB is judged as a token.
pub const TOKEN: usize = 8192;
/// `id_token_hint`
pub const ID_TOKEN_HINT: usize = 16384;
/// Parameters whose values are words of a list: `response_type`, `grant_type`, `prompt` and the like.
pub const WORD: usize = 256;
/// The shortest `code_verifier` (RFC 7636 §4.1).
pub const CODE_VERIFIER_MIN: usize = 43;
/// The longest `code_verifier` (RFC 7636 §4.1). Its type enforces it, because the error there is `invalid_grant`.
pub const CODE_VERIFIER_MAX: usize = 128;
/// `username` of the login form.
pub const USERNAME: usize = 320;
/// `password` of the login form: bounds what is hashed.
pub const PASSWORD: usize = 1024;

/// The limit of the parameter `name`, or `None` where only the size of the whole request limits it.
pub fn limit(name: &str) -> Option<usize> {
    Some(match name {
        "state" => STATE,
        "scope" => SCOPE,
        "client_id" => CLIENT_ID,
        "client_secret" => CLIENT_SECRET,
        "redirect_uri" | "post_logout_redirect_uri" => REDIRECT_URI,
        "nonce" => NONCE,
        "login_hint" | "logout_hint" => LOGIN_HINT,
        "ui_locales" | "claims_locales" => UI_LOCALES,
        "acr_values" => ACR_VALUES,
        "code" => CODE,
        "token" | "access_token" | "refresh_token" => TOKEN,
        "id_token_hint" => ID_TOKEN_HINT,
        "response_type"
        | "response_mode"
        | "grant_type"
        | "prompt"
        | "display"
        | "max_age"
        | "token_type_hint"
        | "code_challenge"
        | "code_challenge_method" => WORD,
        "username" => USERNAME,
        "password" => PASSWORD,
        _ => return None,
    })
}

/// True for parameters whose values any log may hold. `state` and `nonce` bind a browser, a login hint names a person, and what a name that
/// nobody knows stands for may be anything.
pub(crate) fn is_public(name: &str) -> bool {
    matches!(
        name,
        "scope"
            | "client_id"
            | "redirect_uri"
            | "post_logout_redirect_uri"
            | "ui_locales"
            | "acr_values"
            | "response_type"
            | "response_mode"
            | "grant_type"
            | "prompt"
            | "display"
            | "max_age"
            | "token_type_hint"
            | "code_challenge"
            | "code_challenge_method"
    )
}

/// True for parameters in which control characters are refused.
///
/// A secret keeps them, so that a stray newline is diagnosed as what it is, and a password is whatever its owner typed.
/// Parameters that nobody here reads are left alone.
pub(crate) fn refuses_control_characters(name: &str) -> bool {
    limit(name).is_some() && !matches!(name, "client_secret" | "password")
}

/// Whether a text of the JSON, or the name of a member, contains U+0000: JSON can say it, and PostgreSQL cannot keep it.
pub fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
