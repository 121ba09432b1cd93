//! A dump cut into its records without holding more than one: a JSON array of objects, or an object a line.

use std::io::{BufRead, ErrorKind};

/// The longest record that is read. Django's own are below a kilobyte; a field of megabytes is skipped, not stored.
pub(crate) const MAX_RECORD: usize = 1024 * 1024;

/// One record of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Element {
    /// Its text.
    Record(String),
    /// One that cannot be read, with its place (from 1) and why.
    Broken(u64, &'static str),
}

/// What is wrong with the file as a whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DumpError {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is something else.
    #[error("this is no dump: a JSON array of records (manage.py dumpdata), or a record a line, was expected")]
    NotADump,
    /// It ends too early.
    #[error("the file ends in the middle: the dump was cut off")]
    Truncated,
}

/// The records of a file, one after the other.
pub(crate) struct Elements<R> {
    input: R,
    place: u64,
    array: bool,
    ended: bool,
}

/// Where the scanner is inside a record.
#[derive(Default)]
struct Scan {
    text: Vec<u8>,
    depth: u32,
    in_string: bool,
    escaped: bool,
    too_long: bool,
}

impl<R: BufRead> Elements<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, place: 0, array: false, ended: false }
    }

    /// The next record; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Element>, DumpError> {
        let mut scan = Scan::default();
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if chunk.is_empty() {
                return if scan.depth > 0 || (self.array && !self.ended) { Err(DumpError::Truncated) } else { Ok(None) };
            }
            let mut used = 0;
            let mut complete = false;
            for byte in chunk {
                used += 1;
                if scan.depth == 0 {
                    match byte {
                        b'{' if !self.ended => {
                            scan.push(*byte);
                        }
                        b'[' if !self.array && self.place == 0 => self.array = true,
                        b']' if self.array && !self.ended => self.ended = true,
                        b',' | b' ' | b'\t' | b'\n' | b'\r' | 0xEF | 0xBB | 0xBF => {}
                        _ => return Err(DumpError::NotADump),
                    }
                } else if scan.push(*byte) {
                    complete = true;
                    break;
                }
            }
            self.input.consume(used);
            if complete {
                self.place += 1;
                return Ok(Some(scan.finish(self.place)));
            }
        }
    }
}

impl Scan {
    /// Takes a byte; whether the record is complete.
    fn push(&mut self, byte: u8) -> bool {
        if self.text.len() < MAX_RECORD {
            self.text.push(byte);
        } else {
            self.too_long = true;
        }
        if self.escaped {
            self.escaped = false;
        } else if self.in_string {
            match byte {
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            return self.depth == 0;
        }
        false
    }

    fn finish(self, place: u64) -> Element {
        if self.too_long {
            return Element::Broken(place, "the record is longer than a mebibyte");
        }
        String::from_utf8(self.text).map_or(Element::Broken(place, "the record is not UTF-8"), Element::Record)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Result<Vec<Element>, DumpError> {
        // A reader that hands out a few bytes at a time, so that every boundary falls inside something.
        let mut elements = Elements::new(std::io::BufReader::with_capacity(3, text));
        let mut found = Vec::new();
        while let Some(element) = elements.next()? {
            found.push(element);
        }
        Ok(found)
    }

    #[test]
    fn records_are_cut_out_of_arrays_and_lines() {
        let first = Element::Record(r#"{"a": "}\"{", "b": [{}]}"#.to_owned());
        let second = Element::Record("{}".to_owned());
        for dump in
            [r#"[{"a": "}\"{", "b": [{}]}, {}]"#, "\u{feff} [\n{\"a\": \"}\\\"{\", \"b\": [{}]},{} ] \n", "{\"a\": \"}\\\"{\", \"b\": [{}]}\n{}\n"]
        {
            let found = all(dump.as_bytes()).unwrap();
            assert_eq!(found, [first.clone(), second.clone()], "{dump}");
        }
        assert_eq!(all(b"").unwrap(), []);
        assert_eq!(all(b"[]").unwrap(), []);
    }

    #[test]
    fn a_huge_or_unreadable_record_costs_only_itself() {
        let dump = format!(r#"[{{"a": "{}"}}, {{"b": 1}}]"#, "x".repeat(2 * MAX_RECORD));
        let found = all(dump.as_bytes()).unwrap();
        assert!(matches!(found.as_slice(), [Element::Broken(1, _), Element::Record(text)] if text == r#"{"b": 1}"#));
        let found = all(b"[{\"a\": \"\xff\"}, {}]").unwrap();
        assert!(matches!(found.first(), Some(Element::Broken(1, _))));
    }

    #[test]
    fn what_is_no_dump_or_is_cut_off_is_said() {
        for text in ["hello", "[1]", "{} x", "[{}] {}", "<html>"] {
            assert!(matches!(all(text.as_bytes()), Err(DumpError::NotADump)), "{text}");
        }
        for text in ["[", "[{}", "[{}, {\"a\": ", "{\"a\": \""] {
            assert!(matches!(all(text.as_bytes()), Err(DumpError::Truncated)), "{text}");
        }
    }
}
