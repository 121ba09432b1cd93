//! The form of a backup: lines of text, so that a person can see what it is.
//!
//! ```text
//! propusk backup 1
//! {header}
//! SHA-256 of the two lines above
//! body
//! ```
//!
//! The body is JSON lines: `{"table","columns"}`, a row as an array each, `{"end","rows","sha256"}`; and at last
//! `{"end":"backup","tables","sha256"}` over all lines of the body before it. With a passphrase the body travels in pieces, each sealed
//! by a key from the passphrase for its number, for this header and for being the last or not: no piece can be taken away, moved or
//! changed unnoticed.

use super::BackupError;
use propusk_crypto::{Checksum, PassphraseParams, SealingKey};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

/// Begins the first line; the number of the format follows.
const MAGIC: &str = "propusk backup ";

/// The format that this version writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// The longest line that is read: far more than any row has.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// How much of the body is sealed in one piece.
const PIECE: usize = 64 * 1024;

/// Under what the master key is sealed by the passphrase.
pub(super) const MASTER_KEY_PURPOSE: &str = "propusk backup master key";

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// The version of the program.
    pub version: String,
    /// The issuer of the installation.
    pub issuer: String,
    /// The migrations of the schema, oldest first.
    pub migrations: Vec<String>,
    /// Fingerprint of the master key that opens the sealed keys.
    pub master_key: String,
    /// How the body is sealed; absent without a passphrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedBy>,
}

/// How a passphrase seals a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedBy {
    /// From the passphrase to the key.
    pub argon2id: PassphraseParams,
    /// The master key, sealed by that key.
    pub master_key: String,
}

/// Writes a backup line by line.
pub(super) struct FileWriter<W: Write> {
    out: W,
    seal: Option<Seal>,
    body: Checksum,
}

/// The state of a sealed body.
struct Seal {
    key: SealingKey,
    /// Checksum of the head, to which each piece is bound.
    head: String,
    piece: Vec<u8>,
    number: u64,
}

fn purpose(head: &str, number: u64, last: bool) -> String {
    format!("propusk backup {head} {number} {}", if last { "last" } else { "more" })
}

impl<W: Write> FileWriter<W> {
    /// Writes the head.
    pub(super) fn begin(mut out: W, header: &Header, key: Option<SealingKey>) -> std::io::Result<Self> {
        let first = format!("{MAGIC}{FORMAT}\n");
        let second = format!("{}\n", serde_json::to_string(header).map_err(std::io::Error::other)?);
        let head = head_sum(&first, &second);
        out.write_all(format!("{first}{second}{head}\n").as_bytes())?;
        let seal = key.map(|key| Seal { key, head, piece: Vec::with_capacity(2 * PIECE), number: 0 });
        Ok(Self { out, seal, body: Checksum::default() })
    }

    /// Adds a line to the body, given with its newline.
    pub(super) fn line(&mut self, line: &str) -> std::io::Result<()> {
        self.body.update(line.as_bytes());
        match &mut self.seal {
            None => self.out.write_all(line.as_bytes()),
            Some(seal) => {
                seal.piece.extend_from_slice(line.as_bytes());
                if seal.piece.len() < PIECE {
                    return Ok(());
                }
                let text = seal.close(false);
                self.out.write_all(text.as_bytes())
            }
        }
    }

    /// The checksum of the body so far.
    pub(super) fn checksum(&self) -> String {
        self.body.hex()
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> std::io::Result<W> {
        if let Some(seal) = &mut self.seal {
            let text = seal.close(true);
            self.out.write_all(text.as_bytes())?;
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

impl Seal {
    fn close(&mut self, last: bool) -> String {
        let sealed = self.key.seal(&purpose(&self.head, self.number, last), &self.piece);
        self.number += 1;
        self.piece.clear();
        format!("{sealed}\n")
    }
}

fn head_sum(first: &str, second: &str) -> String {
    let mut sum = Checksum::default();
    sum.update(first.as_bytes());
    sum.update(second.as_bytes());
    sum.hex()
}

/// Reads a backup line by line.
pub(super) struct FileReader {
    lines: BufReader<File>,
    /// What the head says.
    pub(super) header: Header,
    head: String,
}

impl FileReader {
    /// Reads the head.
    pub(super) fn open(path: &Path) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(|error| BackupError::Unreadable(path.to_owned(), error))?;
        let mut lines = BufReader::new(file);
        let mut magic = [0_u8; MAGIC.len()];
        if lines.read_exact(&mut magic).is_err() || magic != MAGIC.as_bytes() {
            return Err(BackupError::NoBackup(path.to_owned()));
        }
        let rest = line(&mut lines)?.ok_or(BackupError::Truncated)?;
        let format: u32 = rest.trim_end().parse().map_err(|_| BackupError::Corrupted("the first line"))?;
        if format > FORMAT {
            return Err(BackupError::Newer(format!("format {format}")));
        }
        let second = line(&mut lines)?.ok_or(BackupError::Truncated)?;
        let sum = line(&mut lines)?.ok_or(BackupError::Truncated)?;
        let head = head_sum(&format!("{MAGIC}{rest}"), &second);
        if sum.trim_end() != head {
            return Err(BackupError::Corrupted("the header"));
        }
        let header = serde_json::from_str(&second).map_err(|_| BackupError::Corrupted("the header"))?;
        Ok(Self { lines, header, head })
    }

    /// The lines of the body, opened with `key` when they are sealed.
    pub(super) fn body(self, key: Option<SealingKey>) -> Body {
        match key {
            None => Body::Plain(self.lines),
            Some(key) => {
                Body::Sealed(Box::new(SealedBody { lines: self.lines, key, head: self.head, number: 0, piece: Vec::new(), at: 0, last: false }))
            }
        }
    }
}

/// The lines of a body.
pub(super) enum Body {
    Plain(BufReader<File>),
    Sealed(Box<SealedBody>),
}

/// The lines of a sealed body.
pub(super) struct SealedBody {
    lines: BufReader<File>,
    key: SealingKey,
    head: String,
    number: u64,
    piece: Vec<u8>,
    /// How much of the piece was read.
    at: usize,
    last: bool,
}

impl Body {
    /// The next line with its newline; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<String>, BackupError> {
        match self {
            Self::Plain(lines) => line(lines),
            Self::Sealed(body) => body.next(),
        }
    }
}

impl SealedBody {
    fn next(&mut self) -> Result<Option<String>, BackupError> {
        loop {
            let rest = self.piece.get(self.at..).unwrap_or_default();
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line = rest.get(..=end).unwrap_or_default().to_vec();
                self.at += line.len();
                return String::from_utf8(line).map(Some).map_err(|_| BackupError::Corrupted("a line"));
            }
            if self.last {
                return if rest.is_empty() { Ok(None) } else { Err(BackupError::Truncated) };
            }
            self.open_piece()?;
        }
    }

    fn open_piece(&mut self) -> Result<(), BackupError> {
        let sealed = line(&mut self.lines)?.ok_or(BackupError::Truncated)?;
        let is_last = self.lines.fill_buf().map_err(BackupError::Read)?.is_empty();
        let open = |last| self.key.open(&purpose(&self.head, self.number, last), sealed.trim_end());
        let piece = match open(is_last) {
            Ok(piece) => piece,
            // It is whole but not the last, and nothing follows.
            Err(_) if is_last && open(false).is_ok() => return Err(BackupError::Truncated),
            Err(_) => return Err(BackupError::Corrupted("a sealed piece")),
        };
        self.number += 1;
        self.last = is_last;
        self.piece.drain(..self.at);
        self.at = 0;
        self.piece.extend_from_slice(&piece);
        Ok(())
    }
}

/// The next line with its newline. One that ends without is the end of a file that was cut off.
fn line(lines: &mut BufReader<File>) -> Result<Option<String>, BackupError> {
    let mut line = Vec::new();
    lines.take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(BackupError::Read)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(if line.len() as u64 == LONGEST_LINE { BackupError::Corrupted("a line") } else { BackupError::Truncated });
    }
    String::from_utf8(line).map(Some).map_err(|_| BackupError::Corrupted("a line"))
}
