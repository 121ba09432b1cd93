//! Why a page refuses: chooses its sentences.

/// Why a page refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No client of that id.
    UnknownClient,
    /// The client is switched off.
    DisabledClient,
    /// `redirect_uri` is not registered. The page says nothing about what is.
    RedirectUriMismatch,
    /// `redirect_uri` did not come.
    RedirectUriMissing,
    /// Missing, repeated or malformed parameters.
    InvalidRequest,
    /// The flow of the address cannot be opened, or is over.
    FlowBroken,
    /// The one-time link was used, or is over.
    LinkDead,
    /// Somebody else has the address.
    AddressTaken,
    /// The form did not come from this browser's own page, and no flow could be started again.
    Csrf,
    /// Too many requests.
    Throttled,
    /// A fault on this side.
    ServerError,
    /// A dependency is away.
    TemporarilyUnavailable,
    /// No such path.
    NotFound,
    /// A path that exists, asked in another way.
    MethodNotAllowed,
    /// Body, header or field over its limit.
    TooLarge,
    /// Not for this account.
    AccessDenied,
    /// Everything else.
    Other,
}

impl ErrorKind {
    /// One of each, for tests and previews.
    pub const ALL: [Self; 17] = [
        Self::UnknownClient,
        Self::DisabledClient,
        Self::RedirectUriMismatch,
        Self::RedirectUriMissing,
        Self::InvalidRequest,
        Self::FlowBroken,
        Self::LinkDead,
        Self::AddressTaken,
        Self::Csrf,
        Self::Throttled,
        Self::ServerError,
        Self::TemporarilyUnavailable,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooLarge,
        Self::AccessDenied,
        Self::Other,
    ];

    /// Its name in the message files.
    pub fn slug(self) -> &'static str {
        match self {
            Self::UnknownClient => "unknown-client",
            Self::DisabledClient => "disabled-client",
            Self::RedirectUriMismatch => "redirect-uri-mismatch",
            Self::RedirectUriMissing => "redirect-uri-missing",
            Self::InvalidRequest => "invalid-request",
            Self::FlowBroken => "flow-broken",
            Self::LinkDead => "link-dead",
            Self::AddressTaken => "address-taken",
            Self::Csrf => "csrf",
            Self::Throttled => "throttled",
            Self::ServerError => "server-error",
            Self::TemporarilyUnavailable => "temporarily-unavailable",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::TooLarge => "too-large",
            Self::AccessDenied => "access-denied",
            Self::Other => "other",
        }
    }

    /// The kind of that slug, also when it is written with underscores; [`ErrorKind::Other`] for anything else.
    pub fn from_slug(slug: &str) -> Self {
        let slug = slug.replace('_', "-");
        Self::ALL.into_iter().find(|kind| kind.slug() == slug).unwrap_or(Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_kinds_are_found_by_either_spelling() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_slug(kind.slug()), kind);
            assert_eq!(ErrorKind::from_slug(&kind.slug().replace('-', "_")), kind);
        }
        assert_eq!(ErrorKind::from_slug("no such kind"), ErrorKind::Other);
    }
}
