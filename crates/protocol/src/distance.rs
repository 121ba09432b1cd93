//! How far two texts are apart, for "the nearest registered value is …".

/// Characters compared beyond the common beginning and end. Strangers choose one of the texts, so the work is bounded:
/// at most 128 × 128 steps a pair.
const WINDOW: usize = 128;

/// How many registered identifiers [`nearest_identifier`] looks at.
const CANDIDATES: usize = 1000;

/// The registered identifier nearest to what came, and whether the difference is that of a slip: at most one character in three, or one
/// begins the other. Case counts less than any other difference.
pub fn nearest_identifier<'a>(registered: impl IntoIterator<Item = &'a str>, presented: &str) -> Option<(&'a str, bool)> {
    let lower = presented.to_lowercase();
    let (edits, _, nearest) = registered
        .into_iter()
        .take(CANDIDATES)
        .map(|known| (edits(&known.to_lowercase(), &lower), distance(known, presented), known))
        .min_by_key(|(edits, exact, _)| (*edits, *exact))?;
    let length = nearest.chars().count().max(lower.chars().count());
    Some((nearest, edits * 3 <= length))
}

/// One that begins the other (`rocket`, `rocketchat`) is as near as one typo.
fn edits(known: &str, asked: &str) -> usize {
    let begins = known.len().min(asked.len()) >= 3 && (known.starts_with(asked) || asked.starts_with(known));
    let edits = distance(known, asked);
    if begins { edits.min(1) } else { edits }
}

/// Levenshtein distance in characters; exact unless the differing parts are longer than 128, and then an upper bound's
/// estimate that still grows with the difference.
pub(crate) fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let prefix = common(left.iter(), right.iter());
    let (left, right) = (tail(&left, prefix), tail(&right, prefix));
    let suffix = common(left.iter().rev(), right.iter().rev());
    let (left, right) = (head(left, left.len() - suffix), head(right, right.len() - suffix));
    let beyond = left.len().saturating_sub(WINDOW).max(right.len().saturating_sub(WINDOW));
    beyond + levenshtein(head(left, WINDOW), head(right, WINDOW))
}

/// How many characters both texts begin with.
pub(crate) fn common_prefix(left: &str, right: &str) -> usize {
    common(left.chars(), right.chars())
}

fn common<T: PartialEq>(left: impl Iterator<Item = T>, right: impl Iterator<Item = T>) -> usize {
    left.zip(right).take_while(|(a, b)| a == b).count()
}

fn head(text: &[char], length: usize) -> &[char] {
    text.get(..length).unwrap_or(text)
}

fn tail(text: &[char], start: usize) -> &[char] {
    text.get(start..).unwrap_or_default()
}

fn levenshtein(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (1..=right.len()).collect();
    for (done, a) in left.iter().enumerate() {
        let (mut diagonal, mut before) = (done, done + 1);
        for (cell, b) in row.iter_mut().zip(right) {
            let above = *cell;
            before = (diagonal + usize::from(a != b)).min(above + 1).min(before + 1);
            diagonal = above;
            *cell = before;
        }
    }
    row.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        let table = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("same", "same", 0),
            ("aaa", "aaaa", 1),
            ("дом", "том", 1),
        ];
        for (left, right, expected) in table {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn long_differences_still_count() {
        assert!(distance(&"a".repeat(2048), &"b".repeat(2048)) >= 2048);
        assert!(distance("x", &"b".repeat(2048)) > distance("x", &"b".repeat(500)));
    }

    #[test]
    fn a_slip_is_told_from_another_identifier() {
        let known = ["site", "rocketchat", "worker"];
        for (presented, expected) in [
            ("rocketcha", ("rocketchat", true)),
            ("rocket-chat", ("rocketchat", true)),
            ("RocketChat", ("rocketchat", true)),
            ("rocket", ("rocketchat", true)),
            ("Site", ("site", true)),
            ("chat", ("site", false)),
            ("", ("site", false)),
        ] {
            assert_eq!(nearest_identifier(known, presented), Some(expected), "{presented}");
        }
        assert_eq!(nearest_identifier([], "x"), None);
        assert_eq!(nearest_identifier(["Site", "site"], "site1"), Some(("site", true)));
    }
}
