//! `If-Match`: a change is wanted only of what the caller has seen (RFC 9110 §13.1.1).

const BLANK: [char; 2] = [' ', '\t'];

/// Elements of a list may be empty (RFC 9110 §5.6.1.2).
const BETWEEN: [char; 3] = [' ', '\t', ','];

/// The condition of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: there is something at all.
    Any,
    /// It is one of these strong tags, without their quotes. Weak ones never match (RFC 9110 §8.8.3.2) and are left out.
    Tags(Vec<String>),
}

impl IfMatch {
    /// The value of the header; `None` when it is no list of entity tags. An empty list matches nothing.
    pub fn parse(value: &str) -> Option<Self> {
        if value.trim() == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = value.trim_start_matches(BETWEEN);
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let weak = rest.strip_prefix("W/");
            let (tag, after) = weak.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
            let after = after.trim_start_matches(BLANK);
            if !tag.chars().all(is_tag_character) || !(after.is_empty() || after.starts_with(',')) {
                return None;
            }
            if weak.is_none() {
                tags.push(tag.to_owned());
            }
            rest = after.trim_start_matches(BETWEEN);
        }
        Some(Self::Tags(tags))
    }

    /// Whether what is there may be changed; `current` is its tag without quotes.
    pub fn admits(&self, current: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag == current),
        }
    }
}

/// `etagc`; what is not ASCII is `obs-text`.
fn is_tag_character(c: char) -> bool {
    c > ' ' && c != '\u{7f}'
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn tags(tags: &[&str]) -> IfMatch {
        IfMatch::Tags(tags.iter().map(|&tag| tag.to_owned()).collect())
    }

    #[test]
    fn conditions_are_read_as_the_rfc_writes_them() {
        let table = [
            ("*", IfMatch::Any),
            (" * ", IfMatch::Any),
            ("\"xyzzy\"", tags(&["xyzzy"])),
            ("\"xyzzy\", \"r2d2xxxx\",\t\"c3,piozzzz\"", tags(&["xyzzy", "r2d2xxxx", "c3,piozzzz"])),
            (", \"a\" ,, \"b\",", tags(&["a", "b"])),
            ("\"\"", tags(&[""])),
            ("W/\"a\", \"b\"", tags(&["b"])),
            ("W/\"a\"", tags(&[])),
            ("\"é\"", tags(&["é"])),
        ];
        for (value, expected) in table {
            assert_eq!(IfMatch::parse(value), Some(expected), "{value}");
        }
        for value in
            ["", " ", ",", "xyzzy", "\"a", "a\"", "\"a\" \"b\"", "\"a\"x", "*, \"a\"", "\"a\", *", "w/\"a\"", "\"a b\"", "\"\u{7f}\"", "W/ \"a\""]
        {
            assert_eq!(IfMatch::parse(value), None, "{value}");
        }
    }

    #[test]
    fn only_the_current_tag_is_admitted() {
        assert!(IfMatch::Any.admits("a"));
        assert!(IfMatch::parse("\"b\", \"a\"").unwrap().admits("a"));
        assert!(!IfMatch::parse("\"b\"").unwrap().admits("a"));
        assert!(!IfMatch::parse("W/\"a\"").unwrap().admits("a"));
    }
}
