//! Reads one table of the merged configuration, key by key, and keeps every problem instead of the first.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Map, Value, ValueKind};

use super::{Problem, duration};

/// A table that is being read. Each reading method takes its key out, answers the default when the key is absent or wrong, and
/// notes what was wrong. What is left at the end is unknown.
pub(super) struct Section {
    path: String,
    table: Map<String, Value>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl Section {
    /// The whole configuration.
    pub(super) fn root(table: Map<String, Value>) -> Self {
        Self { path: String::new(), table, known: Vec::new(), problems: Vec::new() }
    }

    /// Reads the table `key` by `read`; an absent one is read as an empty one.
    pub(super) fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        let table = match self.take(key).map(|value| value.kind) {
            None => Map::new(),
            Some(ValueKind::Table(table)) => table,
            Some(_) => {
                self.problem(key, "is a table of settings, not a value".to_owned());
                Map::new()
            }
        };
        let mut section = Self { path: self.path_of(key), table, known: Vec::new(), problems: Vec::new() };
        let settings = read(&mut section);
        self.problems.append(&mut section.finish());
        settings
    }

    /// The problems, after the keys that nobody read.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        let mut unknown: Vec<String> = self.table.keys().cloned().collect();
        unknown.sort();
        for key in unknown {
            let sentence = match nearest(&self.known, &key) {
                Some(nearest) => format!("unknown key; did you mean `{}`?", self.path_of(nearest)),
                None => "unknown key".to_owned(),
            };
            self.problem(&key, sentence);
        }
        self.problems
    }

    /// Notes that `key` is wrong.
    pub(super) fn problem(&mut self, key: &str, sentence: String) {
        self.problems.push(Problem { path: self.path_of(key), sentence });
    }

    /// Whether something below this path is wrong.
    pub(super) fn has_problem(&self, path: &str) -> bool {
        self.problems.iter().any(|problem| problem.path.starts_with(path))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.take(key) else { return default };
        match value.kind {
            ValueKind::Boolean(flag) => flag,
            ValueKind::String(text) if text == "true" || text == "false" => text == "true",
            other => {
                self.problem(key, format!("expected true or false, not {}", shown(&other)));
                default
            }
        }
    }

    /// A whole number within `range`.
    pub(super) fn integer<T>(&mut self, key: &'static str, default: T, range: RangeInclusive<T>) -> T
    where
        T: TryFrom<i64> + PartialOrd + Display + Copy,
    {
        let Some(value) = self.take(key) else { return default };
        let number = match &value.kind {
            ValueKind::I64(number) => T::try_from(*number).ok(),
            ValueKind::String(text) => text.parse::<i64>().ok().and_then(|number| T::try_from(number).ok()),
            _ => None,
        };
        match number {
            Some(number) if range.contains(&number) => number,
            _ => {
                let (least, most) = range.into_inner();
                self.problem(key, format!("expected a whole number from {least} to {most}, not {}", shown(&value.kind)));
                default
            }
        }
    }

    /// Seconds within `range`, written as a number of seconds or as `"10m"`.
    pub(super) fn seconds(&mut self, key: &'static str, default: i64, range: RangeInclusive<i64>) -> i64 {
        let Some(value) = self.take(key) else { return default };
        let seconds = match &value.kind {
            ValueKind::I64(seconds) => Some(*seconds),
            ValueKind::String(text) => duration::parse(text),
            _ => None,
        };
        match seconds {
            Some(seconds) if range.contains(&seconds) => seconds,
            _ => {
                let (least, most) = range.into_inner();
                let (least, most) = (duration::format(least), duration::format(most));
                let shown = shown(&value.kind);
                self.problem(key, format!("expected seconds or a duration like \"10m\" or \"14d\", from {least} to {most}, not {shown}"));
                default
            }
        }
    }

    /// Like [`Section::seconds`], for timers of the server.
    pub(super) fn duration(&mut self, key: &'static str, default: u32, range: RangeInclusive<u32>) -> Duration {
        let range = i64::from(*range.start())..=i64::from(*range.end());
        Duration::from_secs(self.seconds(key, i64::from(default), range).unsigned_abs())
    }

    /// A text that is not empty. A number is taken as its digits.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        let text = match value.kind {
            ValueKind::String(text) => text,
            ValueKind::I64(number) => number.to_string(),
            other => {
                self.problem(key, format!("expected a text, not {}", shown(&other)));
                return None;
            }
        };
        if text.trim().is_empty() {
            // An empty variable is usually one that was meant to be filled; taking it for "not set" would, for example, start the
            // service on another database.
            self.problem(key, "is empty; remove it or give it a value".to_owned());
            return None;
        }
        Some(text)
    }

    /// One of `words`.
    pub(super) fn one_of(&mut self, key: &'static str, words: &[&str], default: &str) -> String {
        let Some(text) = self.text(key) else { return default.to_owned() };
        if words.contains(&text.as_str()) {
            return text;
        }
        self.problem(key, format!("expected one of {}, not {text:?}", words.join(", ")));
        default.to_owned()
    }

    /// A text that `parse` understands; `expected` says what that would be.
    pub(super) fn parsed<T>(&mut self, key: &'static str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(key)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.problem(key, format!("expected {expected}, not {text:?}"));
        }
        parsed
    }

    /// A file.
    pub(super) fn file(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// A list, written as an array or as one text with commas; each member by `parse`.
    pub(super) fn list<T>(&mut self, key: &'static str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let members: Vec<String> = match value.kind {
            ValueKind::String(text) => text.split(',').map(|member| member.trim().to_owned()).filter(|member| !member.is_empty()).collect(),
            ValueKind::Array(values) => values.into_iter().map(|value| value.into_string().unwrap_or_default()).collect(),
            other => {
                self.problem(key, format!("expected a list, not {}", shown(&other)));
                return Vec::new();
            }
        };
        let mut list = Vec::with_capacity(members.len());
        for member in members {
            match parse(&member) {
                Some(parsed) => list.push(parsed),
                None => self.problem(key, format!("expected {expected}, not {member:?}")),
            }
        }
        list
    }

    /// A table of lists, each written as an array or as one text with commas; each member of a list by `allowed`.
    pub(super) fn lists(&mut self, key: &'static str, expected: &str, allowed: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<String>> {
        let table = match self.take(key).map(|value| value.kind) {
            None => return BTreeMap::new(),
            Some(ValueKind::Table(table)) => table,
            Some(_) => {
                self.problem(key, "is a table of lists, not a value".to_owned());
                return BTreeMap::new();
            }
        };
        let mut lists = BTreeMap::new();
        for (name, value) in table {
            let members: Vec<String> = match value.kind {
                ValueKind::Array(values) => values.into_iter().map(|value| value.into_string().unwrap_or_default()).collect(),
                ValueKind::String(text) => text.split(',').map(|member| member.trim().to_owned()).collect(),
                other => vec![shown(&other)],
            };
            for member in members.iter().filter(|member| !allowed(member)) {
                self.problem(&format!("{key}.{name}"), format!("expected {expected}, not {member:?}"));
            }
            lists.insert(name, members);
        }
        lists
    }

    /// A secret, given as `key` or as the file that `file_key` names (one trailing newline is cut). The value never stands in a
    /// problem.
    pub(super) fn secret(&mut self, key: &'static str, file_key: &'static str) -> Option<String> {
        let inline = self.text(key);
        let file = self.file(file_key);
        match (inline, file) {
            (Some(_), Some(_)) => {
                let twin = self.path_of(key);
                self.problem(file_key, format!("excludes `{twin}`; give one of the two"));
                None
            }
            (Some(secret), None) => Some(secret),
            (None, Some(path)) => self.read_secret(file_key, &path),
            (None, None) => None,
        }
    }

    /// True when `key` was given, right or wrong, and has not been read yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn read_secret(&mut self, file_key: &str, path: &Path) -> Option<String> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.problem(file_key, format!("{} cannot be read: {error}", path.display()));
                return None;
            }
        };
        let secret = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if secret.trim().is_empty() {
            self.problem(file_key, format!("{} is empty", path.display()));
            return None;
        }
        Some(secret.to_owned())
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// A wrong value for people: strings quoted and escaped.
fn shown(kind: &ValueKind) -> String {
    match kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Table(_) => "a table".to_owned(),
        ValueKind::Array(_) => "a list".to_owned(),
        ValueKind::Nil => "nothing".to_owned(),
        other => other.to_string(),
    }
}

/// The known key that `key` was probably meant to be: one wrong, missing, doubled or swapped letter, or the same words.
fn nearest(known: &[&'static str], key: &str) -> Option<&'static str> {
    known.iter().copied().find(|candidate| is_slip(candidate, key))
}

/// True when what is left between the common beginning and end is at most two characters on either side.
fn is_slip(meant: &str, typed: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|letter| letter.is_alphanumeric()).map(|letter| letter.to_ascii_lowercase()).collect();
    let (meant, typed): (Vec<char>, Vec<char>) = (letters(meant), letters(typed));
    let prefix = meant.iter().zip(&typed).take_while(|(left, right)| left == right).count();
    let (meant, typed) = (meant.get(prefix..).unwrap_or_default(), typed.get(prefix..).unwrap_or_default());
    let suffix = meant.iter().rev().zip(typed.iter().rev()).take_while(|(left, right)| left == right).count();
    prefix + suffix > 0 && meant.len().max(typed.len()) - suffix <= 2
}
