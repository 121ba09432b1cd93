//! Where a form was posted from. The configured issuer decides, never `Host` or `X-Forwarded-*`.

use super::header;
use crate::settings::Settings;
use actix_web::HttpRequest;
use actix_web::http::header::ORIGIN;
use propusk_domain::{Cause, Refusal};

/// What the browser says of where a form was posted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Posted {
    /// From our own page, or typed by hand.
    Here,
    /// From another site.
    Elsewhere,
    /// It says nothing that counts; the pre-session cookie decides.
    Unsaid,
}

/// What a page that takes no form of another site's answers to one; `fix` says where a good one comes from.
pub(crate) fn foreign_form(fix: &str) -> Refusal {
    Refusal::invalid_request("The form came from elsewhere", Cause::ForeignOrigin)
        .expected("a form posted from this server's own origin")
        .received("another origin")
        .fix(fix)
}

/// Reads `Origin`, and where that is absent or `null`, `Sec-Fetch-Site`.
pub(crate) fn posted_from(request: &HttpRequest, settings: &Settings) -> Posted {
    judge(header(request, ORIGIN), header(request, "sec-fetch-site"), settings.origin())
}

fn judge(origin: Option<&str>, fetch_site: Option<&str>, own: &str) -> Posted {
    match origin {
        Some(origin) if origin == own => return Posted::Here,
        Some(origin) if origin != "null" => return Posted::Elsewhere,
        _ => {}
    }
    if matches!(fetch_site, Some("same-origin" | "none")) { Posted::Here } else { Posted::Unsaid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_origin_is_elsewhere_and_silence_is_unsaid() {
        let own = "https://id.example.org";
        let cases = [
            (Some(own), Some("cross-site"), Posted::Here),
            (Some("https://evil.example"), Some("same-origin"), Posted::Elsewhere),
            (Some("http://id.example.org"), None, Posted::Elsewhere),
            (Some("null"), Some("same-origin"), Posted::Here),
            (Some("null"), Some("cross-site"), Posted::Unsaid),
            (None, Some("none"), Posted::Here),
            (None, None, Posted::Unsaid),
        ];
        for (origin, site, expected) in cases {
            assert_eq!(judge(origin, site, own), expected, "{origin:?} {site:?}");
        }
    }
}
