//! The URL table.

use crate::compat;
use crate::endpoints::{discovery, gitlab, health, introspect, revoke, rocketchat, token, tokens, unknown, userinfo, users};
use crate::middleware::cors::public_clients;
use crate::pages::{
    account, assets, authorize, consent, forgot_password, home, login, logout, register, rocketchat as chat, set_password, verify_email,
};
use crate::settings::CompatSettings;
use crate::state::AppState;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig, delete, get, head, method, patch, post, put, resource, scope, to};
use actix_web::{HttpRequest, HttpResponse, Resource};

/// Everything under the path of the issuer, plus the places that do not move with it.
pub(crate) fn configure(config: &mut ServiceConfig, base: &str, compat: &CompatSettings, registers: bool) {
    // RFC 8414 §3.1 puts the well-known part between host and path; probes look at the root.
    if !base.is_empty() {
        let inserted = format!("/.well-known/oauth-authorization-server{base}");
        config.service(document(&inserted, "discovery").route(get().to(discovery::metadata)).route(head().to(discovery::metadata)));
        config.service(readable("/healthz", "health").route(get().to(health::healthz)).route(head().to(health::healthz)));
        config.service(readable("/readyz", "health").route(get().to(health::readyz)).route(head().to(health::readyz)));
        // They are paths of the old site at its root, wherever the issuer is.
        compat::configure(config, compat);
    }
    config.service(
        scope(base)
            .configure(table)
            .configure(|config| compat::configure(config, compat))
            .configure(|config| register::configure(config, registers))
            .default_service(to(unknown::path)),
    );
    config.default_service(to(unknown::path));
}

fn table(config: &mut ServiceConfig) {
    config
        .service(
            page("/oauth/authorize", "authorize", "GET, HEAD, POST")
                .route(get().to(authorize::get))
                .route(head().to(authorize::get))
                .route(post().to(authorize::post)),
        )
        .service(endpoint("/oauth/token", "token", "POST, OPTIONS").route(post().to(token::post)).wrap(from_fn(public_clients)))
        .service(
            endpoint("/oauth/userinfo", "userinfo", "GET, POST, OPTIONS")
                .route(get().to(userinfo::any))
                .route(post().to(userinfo::any))
                .wrap(from_fn(public_clients)),
        )
        .service(
            endpoint("/oauth/userinfo/{client_id}", "userinfo", "GET, POST, OPTIONS")
                .route(get().to(userinfo::of_client))
                .route(post().to(userinfo::of_client))
                .wrap(from_fn(public_clients)),
        )
        .service(
            endpoint("/me", "userinfo", "GET, POST, OPTIONS")
                .route(get().to(userinfo::any))
                .route(post().to(userinfo::any))
                .wrap(from_fn(public_clients)),
        )
        .service(endpoint("/oauth/introspect", "introspect", "POST").route(post().to(introspect::post)))
        .service(endpoint("/oauth/revoke", "revoke", "POST, OPTIONS").route(post().to(revoke::post)).wrap(from_fn(public_clients)))
        .service(document("/oauth/jwks", "jwks").route(get().to(discovery::jwks)).route(head().to(discovery::jwks)))
        .service(
            page("/oauth/logout", "logout", "GET, HEAD, POST")
                .route(get().to(logout::endpoint_get))
                .route(head().to(logout::endpoint_get))
                .route(post().to(logout::endpoint_post)),
        )
        .service(
            document("/.well-known/openid-configuration", "discovery").route(get().to(discovery::metadata)).route(head().to(discovery::metadata)),
        )
        .service(
            document("/.well-known/oauth-authorization-server", "discovery")
                .route(get().to(discovery::metadata))
                .route(head().to(discovery::metadata)),
        )
        .service(endpoint("/api/v1/users", "users", "GET, POST").route(get().to(users::list)).route(post().to(users::create)))
        .service(endpoint("/api/v1/users/{sub}", "users", "GET, PATCH").route(get().to(users::show)).route(patch().to(users::change)))
        .service(endpoint("/api/v1/users/{sub}/password", "users", "PUT").route(put().to(users::set_password)))
        .service(endpoint("/api/v1/users/{sub}/password-link", "users", "POST").route(post().to(users::password_link)))
        .service(endpoint("/api/v1/tokens", "tokens", "GET, POST").route(get().to(tokens::list)).route(post().to(tokens::create)))
        .service(endpoint("/api/v1/tokens/{id}", "tokens", "GET, DELETE").route(get().to(tokens::show)).route(delete().to(tokens::revoke)))
        .service(readable("/healthz", "health").route(get().to(health::healthz)).route(head().to(health::healthz)))
        .service(readable("/readyz", "health").route(get().to(health::readyz)).route(head().to(health::readyz)))
        .service(page("/login", "login", "GET, HEAD, POST").route(get().to(login::get)).route(head().to(login::get)).route(post().to(login::post)))
        .service(
            page("/consent", "consent", "GET, HEAD, POST")
                .route(get().to(consent::get))
                .route(head().to(consent::get))
                .route(post().to(consent::post)),
        )
        .service(
            page("/logout", "logout", "GET, HEAD, POST")
                .route(get().to(logout::page_get))
                .route(head().to(logout::page_get))
                .route(post().to(logout::page_post)),
        )
        .service(
            page("/account", "account", "GET, HEAD, POST")
                .route(get().to(account::get))
                .route(head().to(account::get))
                .route(post().to(account::post)),
        )
        .service(
            page("/forgot-password", "forgot_password", "GET, HEAD, POST")
                .route(get().to(forgot_password::get))
                .route(head().to(forgot_password::get))
                .route(post().to(forgot_password::post)),
        )
        .service(
            page("/set-password", "set_password", "GET, HEAD, POST")
                .route(get().to(set_password::get))
                .route(head().to(set_password::get))
                .route(post().to(set_password::post)),
        )
        .service(
            page("/verify-email", "verify_email", "GET, HEAD, POST")
                .route(get().to(verify_email::get))
                .route(head().to(verify_email::get))
                .route(post().to(verify_email::post)),
        )
        .service(page("/logged-out", "logout", "GET, HEAD").route(get().to(logout::logged_out)).route(head().to(logout::logged_out)))
        .service(
            endpoint("/rocketchat/login", "rocketchat", "GET, POST")
                .route(get().to(rocketchat::login))
                .route(post().to(rocketchat::login))
                .wrap(from_fn(rocketchat::for_the_chat)),
        )
        .service(endpoint("/api/v4/user", "gitlab", "GET").route(get().to(gitlab::user)))
        .service(page("/rocketchat/open", "rocketchat", "GET, HEAD").route(get().to(chat::open)).route(head().to(chat::open)))
        .service(page("/rocketchat/frame", "rocketchat", "GET, HEAD").route(get().to(chat::frame)).route(head().to(chat::frame)))
        .service(page("/rocketchat/signed-in", "rocketchat", "GET, HEAD").route(get().to(chat::signed_in)).route(head().to(chat::signed_in)))
        .service(readable("/assets/{name}", "assets").route(get().to(assets::get)).route(head().to(assets::get)))
        .service(page("/", "home", "GET, HEAD").route(get().to(home::get)).route(head().to(home::get)))
        .service(page("", "home", "GET, HEAD").route(get().to(home::get)).route(head().to(home::get)));
}

/// A resource that programs post to.
fn endpoint(path: &str, name: &'static str, allow: &'static str) -> Resource {
    with_methods(path, name, allow, false)
}

/// A resource that anybody may read.
fn readable(path: &str, name: &'static str) -> Resource {
    with_methods(path, name, "GET, HEAD", false)
}

/// A resource that anybody may read, from any page.
fn document(path: &str, name: &'static str) -> Resource {
    with_methods(path, name, "GET, HEAD, OPTIONS", false).route(method(Method::OPTIONS).to(discovery::preflight))
}

/// A resource that people look at.
pub(crate) fn page(path: &str, name: &'static str, allow: &'static str) -> Resource {
    with_methods(path, name, allow, true)
}

fn with_methods(path: &str, name: &'static str, allow: &'static str, is_page: bool) -> Resource {
    resource(path).default_service(to(move |state: Data<AppState>, request: HttpRequest| async move {
        let response: HttpResponse = unknown::method(&state, &request, name, allow, is_page);
        response
    }))
}

/// The name under which a path is counted and logged; no text from outside becomes a label.
pub(crate) fn endpoint_of(path: &str, base: &str) -> &'static str {
    let path = path.strip_prefix(base).unwrap_or(path);
    match path {
        "/oauth/authorize" => "authorize",
        "/oauth/token" => "token",
        "/oauth/userinfo" | "/me" => "userinfo",
        "/oauth/introspect" => "introspect",
        "/oauth/revoke" => "revoke",
        "/oauth/jwks" => "jwks",
        "/oauth/logout" | "/logout" | "/logged-out" => "logout",
        "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => "discovery",
        "/healthz" | "/readyz" => "health",
        "/api/v4/user" => "gitlab",
        "/login" => "login",
        "/consent" => "consent",
        "/account" => "account",
        "/set-password" => "set_password",
        "/forgot-password" => "forgot_password",
        "/verify-email" => "verify_email",
        "/register" | "/register/finish" => "register",
        "/" | "" => "home",
        _ if path.starts_with("/api/token") => "simplejwt",
        _ if path.starts_with("/api/v1/auth/rocket") => "rocket_identity",
        _ if path.starts_with("/oauth/userinfo/") => "userinfo",
        _ if path.starts_with("/rocketchat/") => "rocketchat",
        _ if path.starts_with("/api/v1/users") => "users",
        _ if path.starts_with("/api/v1/tokens") => "tokens",
        _ if path.starts_with("/assets/") => "assets",
        _ => "unknown",
    }
}
