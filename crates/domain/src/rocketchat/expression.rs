//! JavaScript's regular expressions, as field templates of Rocket.Chat use them (`{{/^(.+)@/::email}}`): translated, and matched with a
//! bounded number of steps. What JavaScript reads otherwise than the matcher here is refused rather than guessed.

use fancy_regex::Regex;
use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// What `\w`, `\d` and `\s` are in JavaScript, inside a class (ECMA-262 §22.2.1).
const WORD: &str = "0-9A-Za-z_";
const DIGIT: &str = "0-9";
const SPACE: &str = r"\t\n\x0B\x0C\r \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}";
const LINE_ENDS: &str = r"\n\r\x{2028}\x{2029}";

/// What the one capture group of `expression` (without its slashes) takes of `text`; `None` where JavaScript has no match or `undefined`.
///
/// # Errors
/// A sentence: the expression is none, has not exactly one capture group, or cannot be evaluated here.
pub(super) fn first_capture(expression: &str, text: &str) -> Result<Option<String>, String> {
    let mut translation = Translation { rest: expression.chars().peekable(), done: String::new(), groups: 0 };
    translation.run().map_err(|what| format!("the regular expression /{expression}/ {what}"))?;
    if translation.groups != 1 {
        return Err(format!("the regular expression /{expression}/ must have exactly one capture group"));
    }
    let unusable = |_| format!("the regular expression /{expression}/ is not one, or cannot be evaluated here");
    let regex = Regex::new(&translation.done).map_err(unusable)?;
    let found = regex.captures(text).map_err(unusable)?;
    Ok(found.and_then(|captures| captures.get(1).map(|group| group.as_str().to_owned())))
}

struct Translation<'a> {
    rest: Peekable<Chars<'a>>,
    done: String,
    groups: usize,
}

type Translated = Result<(), &'static str>;

impl Translation<'_> {
    fn run(&mut self) -> Translated {
        while let Some(letter) = self.rest.next() {
            match letter {
                '^' => self.done.push_str(r"\A"),
                '$' => self.done.push_str(r"\z"),
                '.' => self.push(format_args!("[^{LINE_ENDS}]")),
                '[' => self.class()?,
                '(' => self.group()?,
                '\\' => self.escape()?,
                '*' | '+' | '?' => self.quantifier(&letter.to_string())?,
                '{' => match self.count() {
                    Some(count) => self.quantifier(&count)?,
                    None => self.literal('{'),
                },
                '|' | ')' => self.done.push(letter),
                other => self.literal(other),
            }
        }
        Ok(())
    }

    /// What follows a quantifier is `?` at most; the matcher would read `*+` in a way of its own.
    fn quantifier(&mut self, quantifier: &str) -> Translated {
        self.done.push_str(quantifier);
        if self.rest.next_if_eq(&'?').is_some() {
            self.done.push('?');
        }
        if self.rest.peek().is_some_and(|next| matches!(next, '*' | '+' | '?')) {
            return Err("has nothing to repeat");
        }
        Ok(())
    }

    /// The rest of `{2}`, `{2,}` or `{2,3}`; anything else after a brace leaves it a brace (ECMA-262 annex B).
    fn count(&mut self) -> Option<String> {
        let (inside, _) = self.rest.clone().collect::<String>().split_once('}').map(|(inside, after)| (inside.to_owned(), after.len()))?;
        let (min, max) = inside.split_once(',').unwrap_or((&inside, "0"));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if min.is_empty() || !is_number(min) || !is_number(max) {
            return None;
        }
        self.rest.by_ref().take(inside.len() + 1).for_each(drop);
        Some(format!("{{{inside}}}"))
    }

    fn group(&mut self) -> Translated {
        if self.rest.next_if_eq(&'?').is_none() {
            self.groups += 1;
            self.done.push('(');
            return Ok(());
        }
        let behind = self.rest.next_if_eq(&'<').is_some();
        match (behind, self.rest.next()) {
            (false, Some(kind @ (':' | '=' | '!'))) => self.done.extend(['(', '?', kind]),
            (true, Some(kind @ ('=' | '!'))) => self.done.extend(['(', '?', '<', kind]),
            (true, Some(first)) if first.is_ascii_alphabetic() => {
                // The name itself is of no use here.
                while self.rest.next_if(|letter| letter.is_ascii_alphanumeric() || *letter == '_').is_some() {}
                self.rest.next_if_eq(&'>').ok_or("has a group name that is not evaluated here")?;
                self.groups += 1;
                self.done.push('(');
            }
            _ => return Err("has a group of a kind that is not evaluated here"),
        }
        Ok(())
    }

    fn escape(&mut self) -> Translated {
        let boundary = |same: bool| {
            let side = |before: bool, inside: bool| format!("(?{}{}[{WORD}])", if before { "<" } else { "" }, if inside { "=" } else { "!" });
            format!("(?:{}{}|{}{})", side(true, true), side(false, same), side(true, false), side(false, !same))
        };
        match self.rest.next().ok_or("ends in a backslash")? {
            'b' => self.done.push_str(&boundary(false)),
            'B' => self.done.push_str(&boundary(true)),
            letter => match shorthand(letter) {
                Some((false, class)) => self.push(format_args!("[{class}]")),
                Some((true, class)) => self.push(format_args!("[^{class}]")),
                None => {
                    let letter = self.character(letter)?;
                    self.literal(letter);
                }
            },
        }
        Ok(())
    }

    /// The character of an escape that is no class.
    fn character(&mut self, letter: char) -> Result<char, &'static str> {
        match letter {
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{b}'),
            'f' => Ok('\u{c}'),
            'x' => self.hexadecimal(2),
            'u' => self.hexadecimal(4),
            letter if letter.is_ascii_alphanumeric() => Err("has an escape that is not evaluated here"),
            other => Ok(other),
        }
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<char, &'static str> {
        let number: String = self.rest.by_ref().take(digits).collect();
        let is_number = number.len() == digits && number.bytes().all(|byte| byte.is_ascii_hexdigit());
        let character = u32::from_str_radix(&number, 16).ok().and_then(char::from_u32);
        character.filter(|_| is_number).ok_or("has an escape that is not evaluated here")
    }

    fn class(&mut self) -> Translated {
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut class = String::new();
        loop {
            let letter = self.rest.next().ok_or("has a class without its end")?;
            let from = match letter {
                ']' => break,
                '\\' => match self.rest.next().ok_or("ends in a backslash")? {
                    'b' => '\u{8}',
                    letter => match shorthand(letter) {
                        Some((false, inside)) => {
                            class.push_str(inside);
                            continue;
                        }
                        Some((true, inside)) => {
                            class.extend(["[^", inside, "]"]);
                            continue;
                        }
                        None => self.character(letter)?,
                    },
                },
                other => other,
            };
            class.push_str(&exactly(from));
            if let Some(to) = self.range_end()? {
                class.push('-');
                class.push_str(&exactly(to));
            }
        }
        match (class.is_empty(), negated) {
            (true, false) => self.done.push_str("(?!)"),
            (true, true) => self.done.push_str(r"[\x{0}-\x{10FFFF}]"),
            (false, _) => self.push(format_args!("[{}{class}]", if negated { "^" } else { "" })),
        }
        Ok(())
    }

    /// The end of a range; a hyphen before a class, or at the end, is a hyphen (ECMA-262 annex B).
    fn range_end(&mut self) -> Result<Option<char>, &'static str> {
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('-') {
            return Ok(None);
        }
        let to = match (ahead.next(), ahead.next()) {
            (None | Some(']'), _) => return Ok(None),
            (Some('\\'), Some(letter)) if shorthand(letter).is_some() => return Ok(None),
            (Some('\\'), _) => None,
            (to, _) => to,
        };
        self.rest.by_ref().take(2).for_each(drop);
        if to.is_some() {
            return Ok(to);
        }
        let letter = self.rest.next().ok_or("ends in a backslash")?;
        if letter == 'b' { Ok(Some('\u{8}')) } else { self.character(letter).map(Some) }
    }

    fn push(&mut self, piece: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _always = self.done.write_fmt(piece);
    }

    fn literal(&mut self, letter: char) {
        self.done.push_str(&exactly(letter));
    }
}

/// The class of `\d` and its like; true for the negated ones.
fn shorthand(letter: char) -> Option<(bool, &'static str)> {
    let class = match letter.to_ascii_lowercase() {
        'd' => DIGIT,
        'w' => WORD,
        's' => SPACE,
        _ => return None,
    };
    Some((letter.is_ascii_uppercase(), class))
}

/// The character itself, whatever it means to the matcher.
fn exactly(letter: char) -> String {
    if letter.is_alphanumeric() { letter.to_string() } else { format!("\\x{{{:X}}}", u32::from(letter)) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_those_of_javascript() {
        // Each line was evaluated by node: new RegExp(expression).exec(text)?.[1]
        let table = [
            (r"^(.+)@", "olga@example.org", Some("olga")),
            (r"^(.+?)\.", "a.b.c", Some("a")),
            (r"(.+)\.", "a.b.c", Some("a.b")),
            (r"(?:cn|uid)=([^,]+)", "dc=x,uid=olga,cn=y", Some("olga")),
            (r"^(\w{2,3})", "olga", Some("olg")),
            (r"(\w+)", "Ольга olga", Some("olga")),
            (r"(\d+)", "٣ 7", Some("7")),
            (r"(\d+)", "none", None),
            (r"(x)|y", "y", None),
            (r"(.*)", "one\ntwo", Some("one")),
            (r"^(two)", "one\ntwo", None),
            (r"(one)$", "one\n", None),
            (r"([\w.-]+)@", "a.b-c@d", Some("a.b-c")),
            (r"([a-c[]+)", "x[ab", Some("[ab")),
            (r"([^]+)", "a\nb", Some("a\nb")),
            (r"([&&a]+)", "b&a", Some("&a")),
            (r"(a{)", "a{", Some("a{")),
            (r"(a{,2})", "a{,2}", Some("a{,2}")),
            (r"(\/)", "a/b", Some("/")),
            (r"(\x41\u0042)", "xAB", Some("AB")),
            (r"\b(b\w*)", "ab bc", Some("bc")),
            (r"\B(b\w*)", "b ab", Some("b")),
            (r"(?=.*@)(.{3})", "olga@example.org", Some("olg")),
            (r"(?<=@)(.+)", "olga@example.org", Some("example.org")),
            (r"(?<user>.+)@", "olga@example.org", Some("olga")),
            (r"(\s+)x", "\u{feff}\u{a0}x", Some("\u{feff}\u{a0}")),
            (r"([\d-z]+)", "-7z", Some("-7z")),
            (r"(])", "]", Some("]")),
            (r"(#\w+)", "a #b", Some("#b")),
        ];
        for (expression, text, expected) in table {
            assert_eq!(first_capture(expression, text), Ok(expected.map(str::to_owned)), "/{expression}/ on {text:?}");
        }
    }

    #[test]
    fn what_is_no_expression_or_is_read_otherwise_is_refused() {
        for expression in [
            "(",
            "[a",
            "(a)*+",
            "(a)\\",
            ")",
            "*(a)",
            "(a)\\1",
            "(a)(b)",
            "a",
            "(?i)(a)",
            "(?i:a)(b)",
            "(\\p{L})",
            "(\\u{61})",
            "(\\xg1)",
            "(?>a)(b)",
        ] {
            assert!(first_capture(expression, "aab").is_err(), "/{expression}/");
        }
    }

    #[test]
    fn an_expression_that_explodes_ends() {
        let text = "a".repeat(200);
        assert!(matches!(first_capture(r"(?=(a+)+$)(?:x)", &text), Ok(None) | Err(_)));
        assert!(matches!(first_capture(r"^(?:(?=a)a+)+([b])$", &text), Ok(None) | Err(_)));
    }
}
