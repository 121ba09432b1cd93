//! The part of JavaScript's regular expressions that field templates use: literals, `.`, classes, groups, `|`, `* + ? {m,n}` (greedy and
//! lazy), `^`, `$`, `\d \w \s` and escapes. Backtracking, for short texts.

/// A parsed expression.
#[derive(Debug, Clone)]
pub struct Pattern {
    root: Alternatives,
}

type Alternatives = Vec<Vec<Piece>>;

#[derive(Debug, Clone)]
struct Piece {
    atom: Atom,
    min: usize,
    max: usize,
    lazy: bool,
}

#[derive(Debug, Clone)]
enum Atom {
    Literal(char),
    Any,
    Class { negated: bool, ranges: Vec<(char, char)> },
    Start,
    End,
    Group { capture: Option<usize>, inside: Alternatives },
}

type Captures = Vec<Option<(usize, usize)>>;

impl Pattern {
    /// Parses an expression without its slashes.
    ///
    /// # Errors
    /// What is not supported or not closed.
    pub fn parse(source: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: source.chars().collect(), at: 0, groups: 0 };
        let root = parser.alternatives()?;
        if parser.at < parser.rest.len() {
            return Err(format!("unexpected {:?} in /{source}/", parser.rest[parser.at]));
        }
        Ok(Self { root })
    }

    /// The text of the first group at the first place where the expression matches.
    pub fn first_capture(&self, text: &str) -> Option<String> {
        let text: Vec<char> = text.chars().collect();
        for start in 0..=text.len() {
            let mut found = None;
            let mut captures: Captures = Vec::new();
            let matched = alternatives(&self.root, &text, start, &mut captures, &mut |_, captures| {
                found = captures.first().copied().flatten();
                true
            });
            if matched {
                return found.map(|(from, to)| text[from..to].iter().collect());
            }
        }
        None
    }
}

type Next<'a> = dyn FnMut(usize, &mut Captures) -> bool + 'a;

fn alternatives(all: &Alternatives, text: &[char], at: usize, captures: &mut Captures, next: &mut Next<'_>) -> bool {
    all.iter().any(|pieces| sequence(pieces, text, at, captures, next))
}

fn sequence(pieces: &[Piece], text: &[char], at: usize, captures: &mut Captures, next: &mut Next<'_>) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return next(at, captures) };
    repeat(piece, 0, text, at, captures, &mut |at, captures| sequence(rest, text, at, captures, next))
}

fn repeat(piece: &Piece, done: usize, text: &[char], at: usize, captures: &mut Captures, next: &mut Next<'_>) -> bool {
    if piece.lazy && done >= piece.min && next(at, captures) {
        return true;
    }
    let more = done < piece.max
        && atom(&piece.atom, text, at, captures, &mut |end, captures| {
            // An empty repetition would go on for ever.
            (end > at || done < piece.min) && repeat(piece, done + 1, text, end, captures, next)
        });
    more || (!piece.lazy && done >= piece.min && next(at, captures))
}

fn atom(atom: &Atom, text: &[char], at: usize, captures: &mut Captures, next: &mut Next<'_>) -> bool {
    let here = text.get(at).copied();
    match atom {
        Atom::Start => at == 0 && next(at, captures),
        Atom::End => at == text.len() && next(at, captures),
        Atom::Literal(wanted) => here == Some(*wanted) && next(at + 1, captures),
        Atom::Any => here.is_some_and(|letter| letter != '\n') && next(at + 1, captures),
        Atom::Class { negated, ranges } => {
            let fits = |letter: char| ranges.iter().any(|(from, to)| (*from..=*to).contains(&letter)) != *negated;
            here.is_some_and(fits) && next(at + 1, captures)
        }
        Atom::Group { capture, inside } => alternatives(inside, text, at, captures, &mut |end, captures| {
            let Some(index) = *capture else { return next(end, captures) };
            if captures.len() <= index {
                captures.resize(index + 1, None);
            }
            let before = captures[index].replace((at, end));
            let matched = next(end, captures);
            if !matched {
                captures[index] = before;
            }
            matched
        }),
    }
}

struct Parser {
    rest: Vec<char>,
    at: usize,
    groups: usize,
}

impl Parser {
    fn alternatives(&mut self) -> Result<Alternatives, String> {
        let mut all = vec![Vec::new()];
        while let Some(letter) = self.peek() {
            match letter {
                ')' => break,
                '|' => {
                    self.at += 1;
                    all.push(Vec::new());
                }
                _ => {
                    let atom = self.atom()?;
                    let piece = self.quantified(atom)?;
                    all.last_mut().expect("at least one").push(piece);
                }
            }
        }
        Ok(all)
    }

    fn atom(&mut self) -> Result<Atom, String> {
        match self.take() {
            Some('^') => Ok(Atom::Start),
            Some('$') => Ok(Atom::End),
            Some('.') => Ok(Atom::Any),
            Some('[') => self.class(),
            Some('(') => self.group(),
            Some('\\') => {
                let letter = self.take().ok_or("lone backslash")?;
                Ok(class_escape(letter).unwrap_or(Atom::Literal(letter)))
            }
            Some(letter) if !"*+?".contains(letter) => Ok(Atom::Literal(letter)),
            other => Err(format!("unexpected {other:?}")),
        }
    }

    fn group(&mut self) -> Result<Atom, String> {
        let capture = if self.rest[self.at..].starts_with(&['?', ':']) {
            self.at += 2;
            None
        } else {
            self.groups += 1;
            Some(self.groups - 1)
        };
        let inside = self.alternatives()?;
        if self.take() != Some(')') {
            return Err("group without its end".into());
        }
        Ok(Atom::Group { capture, inside })
    }

    fn class(&mut self) -> Result<Atom, String> {
        let negated = self.peek() == Some('^');
        self.at += usize::from(negated);
        let mut ranges = Vec::new();
        loop {
            let mut letter = self.take().ok_or("class without its end")?;
            if letter == ']' {
                return Ok(Atom::Class { negated, ranges });
            }
            if letter == '\\' {
                letter = self.take().ok_or("lone backslash")?;
                if let Some(Atom::Class { negated: false, ranges: more }) = class_escape(letter) {
                    ranges.extend(more);
                    continue;
                }
            }
            let is_range = self.peek() == Some('-') && self.rest.get(self.at + 1).is_some_and(|end| *end != ']');
            if is_range {
                self.at += 1;
                ranges.push((letter, self.take().ok_or("class without its end")?));
            } else {
                ranges.push((letter, letter));
            }
        }
    }

    fn quantified(&mut self, atom: Atom) -> Result<Piece, String> {
        let (min, max) = match self.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => return self.counted(atom),
            _ => return Ok(Piece { atom, min: 1, max: 1, lazy: false }),
        };
        self.at += 1;
        Ok(Piece { atom, min, max, lazy: self.lazy() })
    }

    fn counted(&mut self, atom: Atom) -> Result<Piece, String> {
        let length = self.rest[self.at..].iter().position(|letter| *letter == '}').ok_or("count without its end")?;
        let count: String = self.rest[self.at + 1..self.at + length].iter().collect();
        self.at += length + 1;
        let (min, max) = count.split_once(',').unwrap_or((&count, &count));
        let min = min.parse().map_err(|_| format!("count {{{count}}}"))?;
        let max = if max.is_empty() { usize::MAX } else { max.parse().map_err(|_| format!("count {{{count}}}"))? };
        Ok(Piece { atom, min, max, lazy: self.lazy() })
    }

    fn lazy(&mut self) -> bool {
        let lazy = self.peek() == Some('?');
        self.at += usize::from(lazy);
        lazy
    }

    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn take(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }
}

fn class_escape(letter: char) -> Option<Atom> {
    let ranges: &[(char, char)] = match letter.to_ascii_lowercase() {
        'd' => &[('0', '9')],
        'w' => &[('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')],
        's' => &[(' ', ' '), ('\t', '\r'), ('\u{a0}', '\u{a0}')],
        _ => return None,
    };
    Some(Atom::Class { negated: letter.is_ascii_uppercase(), ranges: ranges.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_is_returned_as_javascript_would() {
        let cases = [
            (r"^(.+)@", "olga@example.org", Some("olga")),
            (r"^(.+?)\.", "a.b.c", Some("a")),
            (r"(.+)\.", "a.b.c", Some("a.b")),
            (r"(?:cn|uid)=([^,]+)", "dc=x,uid=olga,cn=y", Some("olga")),
            (r"^(\w{2,3})", "olga", Some("olg")),
            (r"([a-c]*)$", "xxabc", Some("abc")),
            (r"(\d+)", "none", None),
            (r"(a*)*b", "aab", Some("aa")),
            (r"(x)|y", "y", None),
        ];
        for (pattern, text, expected) in cases {
            let got = Pattern::parse(pattern).unwrap().first_capture(text);
            assert_eq!(got.as_deref(), expected, "/{pattern}/ on {text}");
        }
        for broken in ["(", "[a", "a{", "*", ")"] {
            assert!(Pattern::parse(broken).is_err(), "/{broken}/");
        }
    }
}
