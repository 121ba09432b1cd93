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
    /// It ends inside a record.
    #[error("the file ends inside record {0}: it was cut off, or that record lacks a brace or a quotation mark")]
    Inside(u64),
    /// It ends before its array does.
    #[error("the file ends after record {0} without the ] that closes the array: it was cut off, or a record lacks a brace")]
    Unclosed(u64),
    /// Something stands behind the array.
    #[error("the array of records ends after record {0}, and something else follows: was another file appended?")]
    Behind(u64),
}

/// The records of a file, one after the other.
pub(crate) struct Elements<R> {
    input: R,
    state: State,
}

/// Where the reader is between records.
struct State {
    place: u64,
    array: bool,
    ended: bool,
    /// Whether the rest of a line that cannot be read is to be passed over.
    skipping: bool,
    /// Whether the byte before was the end of a line.
    at_line_start: bool,
}

/// Where the scanner is inside a record.
#[derive(Default)]
struct Scan {
    text: Vec<u8>,
    shape: Shape,
    depth: u32,
    in_string: bool,
    escaped: bool,
    too_long: bool,
}

/// What an element begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Shape {
    /// Nothing has begun.
    #[default]
    None,
    Object,
    /// An array or a text: it ends as an object does.
    Closed,
    /// A number or a word: whatever stands behind it ends it.
    Bare,
}

/// What a byte does to the scanner.
enum Step {
    More,
    /// The record is complete with this byte.
    Complete,
    /// It was complete before this byte, which belongs to what follows.
    Before,
    /// The line cannot be read; the rest of it is passed over.
    BadLine(&'static str),
    /// The record was not closed, and the next one begins with this byte.
    Restart,
}

const NO_OBJECT: &str = "the record is no object";
const NOT_CLOSED: &str = "the record is not closed before the next one begins";
const OPEN_TEXT: &str = "a text in the record is not closed before the line ends";

impl<R: BufRead> Elements<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, state: State { place: 0, array: false, ended: false, skipping: false, at_line_start: true } }
    }

    /// The next record; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Element>, DumpError> {
        let mut scan = Scan::default();
        loop {
            let Self { input, state } = self;
            let chunk = match input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if chunk.is_empty() {
                return state.at_the_end(&scan);
            }
            let mut used = 0;
            let mut found = None;
            for &byte in chunk {
                let step = state.step(&mut scan, byte)?;
                if !matches!(step, Step::Before | Step::Restart) {
                    used += 1;
                    state.at_line_start = byte == b'\n';
                }
                found = match step {
                    Step::More => continue,
                    Step::Complete | Step::Before => Some(std::mem::take(&mut scan).finish(state.place + 1)),
                    Step::BadLine(reason) => {
                        state.skipping = byte != b'\n';
                        Some(Element::Broken(state.place + 1, reason))
                    }
                    Step::Restart => Some(Element::Broken(state.place + 1, NOT_CLOSED)),
                };
                break;
            }
            input.consume(used);
            if let Some(element) = found {
                state.place += 1;
                return Ok(Some(element));
            }
        }
    }
}

impl State {
    fn at_the_end(&self, scan: &Scan) -> Result<Option<Element>, DumpError> {
        if scan.shape != Shape::None {
            return Err(DumpError::Inside(self.place + 1));
        }
        if self.array && !self.ended { Err(DumpError::Unclosed(self.place)) } else { Ok(None) }
    }

    fn step(&mut self, scan: &mut Scan, byte: u8) -> Result<Step, DumpError> {
        if self.skipping {
            self.skipping = byte != b'\n';
            return Ok(Step::More);
        }
        if scan.shape != Shape::None {
            return Ok(if self.array { scan.push(byte) } else { self.in_line(scan, byte) });
        }
        let is_between = matches!(byte, b',' | b' ' | b'\t' | b'\n' | b'\r' | 0xEF | 0xBB | 0xBF);
        match byte {
            _ if is_between => Ok(Step::More),
            _ if self.ended => Err(DumpError::Behind(self.place)),
            b'[' if !self.array && self.place == 0 => {
                self.array = true;
                Ok(Step::More)
            }
            b']' if self.array => {
                self.ended = true;
                Ok(Step::More)
            }
            b'{' => Ok(scan.begin(Shape::Object, byte)),
            _ if !self.array && self.place == 0 => Err(DumpError::NotADump),
            _ if !self.array => Ok(Step::BadLine(NO_OBJECT)),
            b'[' | b'"' => Ok(scan.begin(Shape::Closed, byte)),
            _ => Ok(scan.begin(Shape::Bare, byte)),
        }
    }

    /// Without an array around them records are told apart by lines: a bad one costs no other. JSON has no line end inside a text, and
    /// nobody begins a line with a brace that is not a record's.
    fn in_line(&self, scan: &mut Scan, byte: u8) -> Step {
        match byte {
            b'\n' if scan.in_string => Step::BadLine(OPEN_TEXT),
            b'{' if self.at_line_start && !scan.in_string => Step::Restart,
            _ => scan.push(byte),
        }
    }
}

impl Scan {
    fn begin(&mut self, shape: Shape, byte: u8) -> Step {
        self.shape = shape;
        self.push(byte)
    }

    /// Takes a byte.
    fn push(&mut self, byte: u8) -> Step {
        if self.shape == Shape::Bare && matches!(byte, b',' | b']' | b' ' | b'\t' | b'\n' | b'\r') {
            return Step::Before;
        }
        if self.text.len() < MAX_RECORD {
            self.text.push(byte);
        } else {
            self.too_long = true;
        }
        if self.escaped {
            self.escaped = false;
            return Step::More;
        }
        match byte {
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        let is_complete = self.shape != Shape::Bare && self.depth == 0 && !self.in_string;
        if is_complete { Step::Complete } else { Step::More }
    }

    fn finish(self, place: u64) -> Element {
        if self.shape != Shape::Object {
            return Element::Broken(place, NO_OBJECT);
        }
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

    fn places(text: &str) -> Vec<Result<String, u64>> {
        let found = all(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        let place = |element| match element {
            Element::Record(text) => Ok(text),
            Element::Broken(place, _) => Err(place),
        };
        found.into_iter().map(place).collect()
    }

    #[test]
    fn what_is_no_object_costs_only_itself() {
        let one = || Ok("{}".to_owned());
        for bare in ["null", "5", "-1.5e3", r#""x""#, r#""a, ]\" {""#, "[]", r#"[{"a": "]"}, [1]]"#, "true", "}"] {
            assert_eq!(places(&format!("[{{}}, {bare}, {{}}]")), [one(), Err(2), one()], "{bare}");
            assert_eq!(places(&format!("[{bare},{{}},{bare}]")), [Err(1), one(), Err(3)], "{bare}");
            assert_eq!(places(&format!("[{bare}\n]")), [Err(1)], "{bare}");
        }
    }

    #[test]
    fn a_bad_line_costs_only_itself() {
        let one = || Ok(r#"{"a": {}}"#.to_owned());
        for bad in ["null", "hello {}", r#"{"a": "x"#, r#"{"a": "x}"#, r#"{"a": {"#, r#"{"a": [{"b": 1}"#, "]", "[]", r#""{"#] {
            assert_eq!(places(&format!("{{\"a\": {{}}}}\n{bad}\n{{\"a\": {{}}}}\n")), [one(), Err(2), one()], "{bad}");
        }
        // A record over several lines, as jq prints it.
        let printed = "{\n  \"a\": [\n    {\n      \"b\": 1\n    }\n  ]\n}";
        assert_eq!(places(&format!("{printed}\n{printed}\n")), [Ok(printed.to_owned()), Ok(printed.to_owned())]);
    }

    #[test]
    fn what_is_no_dump_or_is_cut_off_is_said() {
        for text in ["hello", "<html>", "5", "\"x\"", "]"] {
            assert!(matches!(all(text.as_bytes()), Err(DumpError::NotADump)), "{text}");
        }
        for (text, place) in [("[{}, {\"a\": ", 2), ("{\"a\": \"", 1), ("[nul", 1), ("{}\n{\"a\"", 2)] {
            assert!(matches!(all(text.as_bytes()), Err(DumpError::Inside(found)) if found == place), "{text}: {:?}", all(text.as_bytes()));
        }
        for (text, place) in [("[", 0), ("[{}", 1), ("[{}, null ", 2)] {
            assert!(matches!(all(text.as_bytes()), Err(DumpError::Unclosed(found)) if found == place), "{text}: {:?}", all(text.as_bytes()));
        }
        for text in ["[{}] {}", "[{}]\nhello", "[{}][{}]", "[{}]]"] {
            assert!(matches!(all(text.as_bytes()), Err(DumpError::Behind(1))), "{text}");
        }
    }
}
