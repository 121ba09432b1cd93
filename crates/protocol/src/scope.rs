//! Scopes (RFC 6749 §3.3).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::ProtocolError;

/// Scope tokens, each once, in the order of their first appearance.
///
/// In JSON and in text it is one string with single spaces. Equality regards the order; compare as sets with
/// [`is_subset_of`](Self::is_subset_of).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Scope {
    tokens: Vec<String>,
}

impl Scope {
    /// Reads tokens separated by spaces; runs of spaces count as one, and an empty text is the empty scope.
    /// A character outside `%x21 / %x23-5B / %x5D-7E` is `invalid_scope`.
    pub fn parse(text: &str) -> Result<Self, ProtocolError> {
        let tokens = text.split(' ').filter(|token| !token.is_empty());
        let mut scope = Self::default();
        for token in tokens {
            if !is_scope_token(token) {
                let refusal = ProtocolError::invalid_scope("The scope has a character that scopes may not have.");
                return Err(refusal.parameter("scope").received(text).expected("words of printable ASCII without quotes and backslashes"));
            }
            scope.push(token);
        }
        Ok(scope)
    }

    /// True when `token` is one of the tokens.
    pub fn contains(&self, token: &str) -> bool {
        self.tokens.iter().any(|known| known == token)
    }

    /// True when every token of this scope is in `other`.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.iter().all(|token| other.contains(token))
    }

    /// The tokens that are also in `other`, in this scope's order.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.iter().filter(|token| other.contains(token)).collect()
    }

    /// The tokens of both, this scope's first.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// This scope without `token`.
    #[must_use]
    pub fn without(&self, token: &str) -> Self {
        self.iter().filter(|known| *known != token).collect()
    }

    /// The tokens in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().map(String::as_str)
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// True when there is no token.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    fn push(&mut self, token: &str) {
        if !self.contains(token) {
            self.tokens.push(token.to_owned());
        }
    }
}

/// Collects tokens. What is no scope token (empty, or with a space in it) is left out, so that a collected scope reads
/// back as itself.
impl<S: AsRef<str>> FromIterator<S> for Scope {
    fn from_iter<I: IntoIterator<Item = S>>(tokens: I) -> Self {
        let mut scope = Self::default();
        for token in tokens {
            if is_scope_token(token.as_ref()) {
                scope.push(token.as_ref());
            }
        }
        scope
    }
}

impl std::str::FromStr for Scope {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tokens.join(" "))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

fn is_scope_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorCode;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn tokens_are_kept_once_and_in_order() {
        assert_eq!(scope("openid  email openid profile ").to_string(), "openid email profile");
        assert!(scope("").is_empty());
        assert_eq!(scope("a b").len(), 2);
    }

    #[test]
    fn characters_outside_the_charset_are_refused() {
        for text in ["a\"b", "a\\b", "a\tb", "a\nb", "é", "a\u{7f}", "a\u{a0}b"] {
            assert_eq!(Scope::parse(text).unwrap_err().code, ErrorCode::InvalidScope, "{text:?}");
        }
        assert!(Scope::parse("https://api.example/read!#[]~ urn:x").is_ok());
    }

    #[test]
    fn sets_are_computed_in_order() {
        let (left, right) = (scope("c b a"), scope("a c d"));
        assert_eq!(left.intersection(&right), scope("c a"));
        assert_eq!(left.union(&right), scope("c b a d"));
        assert_eq!(left.without("b"), scope("c a"));
        assert!(scope("a c").is_subset_of(&left) && !left.is_subset_of(&right));
        assert!(Scope::default().is_subset_of(&left));
        assert!(!left.contains("A"));
    }

    #[test]
    fn a_collected_token_cannot_smuggle_a_second_one() {
        let collected: Scope = ["openid", "email admin", ""].into_iter().collect();
        assert_eq!(collected, scope("openid"));
    }

    #[test]
    fn json_is_one_string() {
        assert_eq!(serde_json::to_string(&scope("a b")).unwrap(), r#""a b""#);
        assert_eq!(serde_json::from_str::<Scope>(r#""a b""#).unwrap(), scope("a b"));
        assert!(serde_json::from_str::<Scope>(r#""a\tb""#).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_parses_reads_back(text in any::<String>()) {
            if let Ok(scope) = Scope::parse(&text) {
                prop_assert_eq!(Scope::parse(&scope.to_string()).unwrap(), scope);
            }
        }
    }
}
