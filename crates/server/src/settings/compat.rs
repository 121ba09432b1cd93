//! `[compat]`: paths of the site that was taken over.

use serde::Serialize;

use super::section::Section;

/// What is answered under the paths that a Django site had.
#[derive(Debug, Clone, Serialize)]
pub struct CompatSettings {
    /// `/o/authorize/`, `/o/token/` and the others of django-oauth-toolkit.
    pub django_oauth_toolkit: bool,
    /// `/api/v1/auth/rocket/identity/` and `/api/v1/auth/rocket/?channel=NAME`.
    pub rocket_identity: bool,
    /// `[compat.simplejwt]`
    pub simplejwt: SimpleJwtSettings,
}

/// `/api/token/` and the others of djangorestframework-simplejwt.
#[derive(Debug, Clone, Serialize)]
pub struct SimpleJwtSettings {
    /// The one first-party client in whose name tokens are issued; `None` answers none of the paths.
    pub client: Option<String>,
}

impl CompatSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        Self {
            django_oauth_toolkit: section.flag("django_oauth_toolkit", false),
            rocket_identity: section.flag("rocket_identity", false),
            simplejwt: section.section("simplejwt", |section| SimpleJwtSettings { client: section.text("client") }),
        }
    }
}
