//! What a verb answers: one JSON document, or text for a person.

use crate::failure::Failure;
use propusk_domain::admin::FieldChange;
use propusk_domain::error::printable;
use serde_json::Value;
use std::io::Write;

/// The answer of a verb that did what it was asked.
#[derive(Debug)]
pub(crate) struct Report {
    json: Value,
    human: String,
    notes: Vec<String>,
    exit_code: u8,
}

impl Report {
    /// An answer with its JSON document.
    pub(crate) fn of(json: Value) -> Self {
        Self { json, human: String::new(), notes: Vec::new(), exit_code: 0 }
    }

    /// What a person reads instead.
    pub(crate) fn human(mut self, text: impl Into<String>) -> Self {
        self.human = text.into();
        self
    }

    /// The document with what a person is told beside it, as `notes`.
    fn noted(&self) -> Value {
        let mut json = self.json.clone();
        if let (Some(members), false) = (json.as_object_mut(), self.notes.is_empty()) {
            members.insert("notes".to_owned(), self.notes.clone().into());
        }
        json
    }

    /// A sentence for a person, on standard error; in JSON a member of `notes`.
    pub(crate) fn note(mut self, sentence: impl Into<String>) -> Self {
        self.notes.push(sentence.into());
        self
    }

    /// Another exit code than 0.
    pub(crate) fn exit_code(mut self, code: u8) -> Self {
        self.exit_code = code;
        self
    }
}

/// A difference or findings.
pub(crate) const FINDINGS: u8 = 3;

/// Prints the answer; the exit code. Nobody is told when standard output is closed, as with `| head`.
pub(crate) fn print(answer: Result<Report, Failure>, json: bool) -> u8 {
    let (stdout, stderr, code) = match answer {
        Ok(report) if json => (document(&report.noted()), String::new(), report.exit_code),
        Ok(report) => (with_newline(report.human), report.notes.into_iter().map(with_newline).collect(), report.exit_code),
        Err(failure) if json => (document(&failure.to_json()), String::new(), failure.exit_code()),
        Err(failure) => (String::new(), with_newline(failure.to_human()), failure.exit_code()),
    };
    let _closed = std::io::stdout().write_all(stdout.as_bytes()).and_then(|()| std::io::stdout().flush());
    let _closed = std::io::stderr().write_all(stderr.as_bytes());
    code
}

/// Columns under their heads. Control characters are escaped: much of what is listed came from outside.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let heads = heads.map(str::to_owned);
    let rows: Vec<[String; N]> = rows.into_iter().map(|row| row.map(|cell| printable(&cell))).collect();
    let mut widths = [0_usize; N];
    for row in std::iter::once(&heads).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&heads).chain(&rows) {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Names and values, a line each.
pub(crate) fn lines<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let pairs: Vec<(&str, String)> = pairs.into_iter().collect();
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    pairs.iter().fold(String::new(), |text, (name, value)| text + format!("{name:width$}  {}", printable(value)).trim_end() + "\n")
}

/// A JSON value as a person reads it in a line.
pub(crate) fn short(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(short).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// What changed, a line each.
pub(crate) fn changes_text(changes: &[FieldChange]) -> String {
    if changes.is_empty() {
        return "Nothing changed.\n".to_owned();
    }
    changes.iter().map(|change| format!("{}: {} → {}\n", change.name, printable(&short(&change.from)), printable(&short(&change.to)))).collect()
}

fn document(value: &Value) -> String {
    with_newline(serde_json::to_string_pretty(value).unwrap_or_default())
}

fn with_newline(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_harmless() {
        let text = table(["NAME", "ROLE"], [["анна".to_owned(), "user".to_owned()], ["b\u{1b}[2J".to_owned(), "owner".to_owned()]]);
        assert_eq!(text, "NAME        ROLE\nанна        user\nb\\u{1b}[2J  owner\n");
    }
}
