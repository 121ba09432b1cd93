//! `multipart/form-data` (RFC 7578), for the one family of paths whose callers send it: fields of text, in memory.

use crate::limits;

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A text; bytes that are no UTF-8 are replaced.
    Text(String),
    /// A file, which is not kept.
    File,
}

/// Why a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultipartError {
    /// The Content-Type names no boundary, or one that RFC 2046 §5.1.1 does not allow.
    Boundary,
    /// The body is not what the boundary promises.
    Malformed,
    /// More fields than a request may have.
    TooMany,
}

/// The fields by name, in their order. `content_type` is the header as it came.
pub fn parse(content_type: &str, body: &[u8]) -> Result<Vec<(String, Part)>, MultipartError> {
    let boundary = parameter(content_type, "boundary").filter(|boundary| is_boundary(boundary)).ok_or(MultipartError::Boundary)?;
    let delimiter = format!("\r\n--{boundary}");
    // A body begins with its delimiter; the line break before it belongs to the delimiter, and is not sent for the first.
    let mut rest = match body.strip_prefix(delimiter.as_bytes().get(2..).unwrap_or_default()) {
        Some(rest) => rest,
        None => after(body, delimiter.as_bytes()).ok_or(MultipartError::Malformed)?.1,
    };
    let mut fields = Vec::new();
    while !rest.starts_with(b"--") {
        let (_, part) = after(rest, b"\r\n").filter(|(padding, _)| padding.iter().all(u8::is_ascii_whitespace)).ok_or(MultipartError::Malformed)?;
        let (head, part) = after(part, b"\r\n\r\n").ok_or(MultipartError::Malformed)?;
        let (content, following) = after(part, delimiter.as_bytes()).ok_or(MultipartError::Malformed)?;
        if let Some((name, is_file)) = disposition(&String::from_utf8_lossy(head)) {
            let text = || Part::Text(String::from_utf8_lossy(content).into_owned());
            fields.push((name, if is_file { Part::File } else { text() }));
        }
        if fields.len() > limits::PARAMETERS {
            return Err(MultipartError::TooMany);
        }
        rest = following;
    }
    Ok(fields)
}

/// What stands before and after the first `mark`.
fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?))
}

/// The name of a field and whether it is a file (RFC 7578 §4.2); a part without a name is nobody's.
fn disposition(head: &str) -> Option<(String, bool)> {
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let is_form_data = line.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("form-data"));
    let name = parameter(line, "name").filter(|_| is_form_data)?;
    Some((name, parameter(line, "filename").is_some()))
}

/// A parameter behind the first semicolon: a token or a quoted text (RFC 9110 §5.6.6).
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (name, value) = rest.split_once('=')?;
        let (text, following) = match value.strip_prefix('"') {
            Some(quoted) => quoted_text(quoted)?,
            None => value.split_once(';').map_or((value.trim().to_owned(), ""), |(text, rest)| (text.trim().to_owned(), rest)),
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(text);
        }
        rest = following.trim_start().trim_start_matches(';');
    }
}

/// The text up to its closing quote, and what follows.
fn quoted_text(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut escaped = false;
    for (at, character) in quoted.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return Some((text, quoted.get(at + 1..)?)),
            _ => {
                escaped = false;
                text.push(character);
            }
        }
    }
    None
}

fn is_boundary(boundary: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=70).contains(&boundary.len()) && boundary.bytes().all(allowed) && !boundary.ends_with(' ')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPE: &str = "multipart/form-data; boundary=b";

    fn text(name: &str, value: &str) -> (String, Part) {
        (name.to_owned(), Part::Text(value.to_owned()))
    }

    #[test]
    fn fields_are_read_in_their_order() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nanna\r\n--b \r\ncontent-type: text/plain\r\n\
                     content-disposition: form-data; name=password\r\n\r\nline\r\n--c\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"a\\\"b\"; \
                     filename=\"x; y=z\"\r\n\r\n\xff\r\n--b--\r\nafter";
        let expected = [text("username", "anna"), text("password", "line\r\n--c\r\n"), ("a\"b".to_owned(), Part::File)];
        assert_eq!(parse(TYPE, body).unwrap(), expected);
        assert_eq!(parse("multipart/form-data; charset=\"a;b\"; Boundary=\"b\"", body).unwrap(), expected);
        assert_eq!(parse(TYPE, b"preamble\r\n--b--").unwrap(), []);
        assert_eq!(parse(TYPE, b"--b\r\nX: y\r\n\r\nnobody's\r\n--b--").unwrap(), []);
    }

    #[test]
    fn what_is_cut_off_or_has_no_boundary_is_refused() {
        for body in ["", "x", "--b", "--b\r\n", "--b\r\nContent-Disposition: form-data; name=\"a\"", "--b\r\n\r\n\r\nanna", "--bc\r\n\r\n\r\n--b--"] {
            assert_eq!(parse(TYPE, body.as_bytes()), Err(MultipartError::Malformed), "{body:?}");
        }
        for content_type in
            ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"b", "multipart/form-data; boundary=é"]
        {
            assert_eq!(parse(content_type, b"--b--"), Err(MultipartError::Boundary), "{content_type}");
        }
        let many = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n".repeat(limits::PARAMETERS + 1);
        assert_eq!(parse(TYPE, format!("{many}--b--").as_bytes()), Err(MultipartError::TooMany));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_a_text_comes_back(header in ".{0,40}", body in proptest::collection::vec(any::<u8>(), 0..200), value in "[^\r]{0,40}") {
            drop(parse(&format!("multipart/form-data; {header}"), &body));
            drop(parse(TYPE, &body));
            let whole = format!("--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n{value}\r\n--b--\r\n");
            prop_assert_eq!(parse(TYPE, whole.as_bytes()).unwrap(), vec![text("n", &value)]);
        }
    }
}
