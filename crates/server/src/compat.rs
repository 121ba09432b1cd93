//! The paths of a Django site that was taken over, each group answered only where a setting says so.

mod rocket;
mod simplejwt;

use crate::settings::CompatSettings;
use crate::state::AppState;
use actix_web::dev::ServiceRequest;
use actix_web::http::uri::{PathAndQuery, Uri};
use actix_web::web::{ServiceConfig, post, resource, to};

/// Paths of django-oauth-toolkit below its prefix, and what they are here. Trailing slashes are cut before.
const TOOLKIT: [(&str, &str); 9] = [
    ("/authorize", "/oauth/authorize"),
    ("/token", "/oauth/token"),
    ("/revoke_token", "/oauth/revoke"),
    ("/introspect", "/oauth/introspect"),
    ("/userinfo", "/oauth/userinfo"),
    ("/logout", "/oauth/logout"),
    ("/.well-known/jwks.json", "/oauth/jwks"),
    ("/.well-known/openid-configuration", "/.well-known/openid-configuration"),
    ("/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server"),
];

/// Where the toolkit is mounted, by its own instructions.
const TOOLKIT_PREFIX: &str = "/o";

/// The resources of the groups that are switched on.
pub(crate) fn configure(config: &mut ServiceConfig, settings: &CompatSettings) {
    if settings.rocket_identity {
        config
            .service(resource("/api/v1/auth/rocket/identity").route(actix_web::web::get().to(rocket::identity)).default_service(to(rocket::method)));
        config.service(resource("/api/v1/auth/rocket").route(actix_web::web::get().to(rocket::channel)).default_service(to(rocket::method)));
        config.service(resource("/api/v1/auth/rocket/user").default_service(to(rocket::moved)));
    }
    if settings.simplejwt.client.is_some() {
        config.service(resource("/api/token").route(post().to(simplejwt::obtain)).default_service(to(simplejwt::method)));
        config.service(resource("/api/token/refresh").route(post().to(simplejwt::refresh)).default_service(to(simplejwt::method)));
        config.service(resource("/api/token/verify").route(post().to(simplejwt::verify)).default_service(to(simplejwt::method)));
    }
}

/// The same request under our own path, where it came under one of the toolkit's. Nothing is redirected: a program would turn
/// its POST into a GET.
pub(crate) fn canonical(state: &AppState, mut request: ServiceRequest) -> ServiceRequest {
    if !state.settings.compat.django_oauth_toolkit {
        return request;
    }
    let Some(path) = canonical_path(request.path(), state.settings.issuer_path()) else { return request };
    let target = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(target).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    request
}

/// An issuer that ends in the toolkit's prefix, as the toolkit's own does, has the paths right below it. Under another issuer they
/// stand below it and at the root of the host, where the old site had them.
fn canonical_path(path: &str, base: &str) -> Option<String> {
    let below = match path.strip_prefix(base) {
        Some(inside) if base.ends_with(TOOLKIT_PREFIX) => inside,
        Some(inside) => inside.strip_prefix(TOOLKIT_PREFIX)?,
        None => path.strip_prefix(TOOLKIT_PREFIX)?,
    };
    TOOLKIT.iter().find(|(theirs, _)| *theirs == below).map(|(_, ours)| format!("{base}{ours}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_the_toolkit_are_found_with_and_without_its_prefix_in_the_issuer() {
        let found = |path: &str, base: &str| canonical_path(path, base);
        assert_eq!(found("/o/token", "").as_deref(), Some("/oauth/token"));
        assert_eq!(found("/o/token", "/o").as_deref(), Some("/o/oauth/token"));
        assert_eq!(found("/site/o/revoke_token", "/site/o").as_deref(), Some("/site/o/oauth/revoke"));
        assert_eq!(found("/auth/o/userinfo", "/auth").as_deref(), Some("/auth/oauth/userinfo"));
        assert_eq!(found("/o/userinfo", "/auth").as_deref(), Some("/auth/oauth/userinfo"));
        assert_eq!(found("/o/.well-known/jwks.json", "/o").as_deref(), Some("/o/oauth/jwks"));
        for (path, base) in [("/token", ""), ("/o/tokens", ""), ("/o", ""), ("/oauth/token", ""), ("/o/o/token", "/o"), ("/x/token", "/o")] {
            assert_eq!(found(path, base), None, "{path} {base}");
        }
    }
}
