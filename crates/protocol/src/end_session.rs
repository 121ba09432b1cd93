//! Logout that a relying party asks for (OpenID Connect RP-Initiated Logout §2).

use std::fmt;

use crate::authorize::words;
use crate::form::Params;

/// A logout request. Every member is optional and nothing in it is proven. `Debug` does not show the hint.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EndSessionRequest {
    /// An ID token issued here, possibly expired, unverified.
    pub id_token_hint: Option<String>,
    /// The client that asks.
    pub client_id: Option<String>,
    /// Where to go afterwards, not yet compared with what is registered.
    pub post_logout_redirect_uri: Option<String>,
    /// Echoed to that URI byte for byte.
    pub state: Option<String>,
    /// Languages, most wanted first.
    pub ui_locales: Vec<String>,
    /// Who is to be logged out.
    pub logout_hint: Option<String>,
}

impl EndSessionRequest {
    /// Reads what is there; there is nothing to refuse.
    pub fn parse(params: &Params) -> Self {
        let text = |name| params.get(name).map(str::to_owned);
        Self {
            id_token_hint: text("id_token_hint"),
            client_id: text("client_id"),
            post_logout_redirect_uri: text("post_logout_redirect_uri"),
            state: text("state"),
            ui_locales: words(params, "ui_locales"),
            logout_hint: text("logout_hint"),
        }
    }
}

impl fmt::Debug for EndSessionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndSessionRequest")
            .field("client_id", &self.client_id)
            .field("post_logout_redirect_uri", &self.post_logout_redirect_uri)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_read_and_none_is_required() {
        let body = b"id_token_hint=h&client_id=c&post_logout_redirect_uri=https://a.example/&state=s&ui_locales=ru+en&logout_hint=x";
        let request = EndSessionRequest::parse(&Params::parse(body).unwrap());
        let expected = EndSessionRequest {
            id_token_hint: Some("h".to_owned()),
            client_id: Some("c".to_owned()),
            post_logout_redirect_uri: Some("https://a.example/".to_owned()),
            state: Some("s".to_owned()),
            ui_locales: vec!["ru".to_owned(), "en".to_owned()],
            logout_hint: Some("x".to_owned()),
        };
        assert_eq!(request, expected);
        assert_eq!(EndSessionRequest::parse(&Params::default()), EndSessionRequest::default());
    }
}
