//! The lines of a backup's body: tables with their rows, each with its count and checksum.

use super::file::{Body, FileWriter};
use super::{BackupError, Progress};
use propusk_crypto::Checksum;
use propusk_domain::UnixTime;
use propusk_domain::records::{KeyPurpose, KeyRow};
use propusk_storage::{Column, Database, Kind, Piece, Row, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::Write;
use std::path::Path;

/// How many rows are handed on at a time.
const BATCH: usize = 200;

/// What a table comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSum {
    /// The table.
    #[serde(rename = "end")]
    pub name: String,
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over their lines, in the order of the primary key.
    pub sha256: String,
}

/// The line before the rows of a table.
#[derive(Serialize, Deserialize)]
struct TableLine {
    table: String,
    columns: Vec<(String, String)>,
}

/// The last line.
#[derive(Serialize, Deserialize)]
struct EndLine {
    end: String,
    tables: u64,
    sha256: String,
}

/// What the last line calls itself; no table may have this name.
const END: &str = "backup";

/// Counts rows and adds them up.
#[derive(Default)]
pub(super) struct Sum {
    rows: u64,
    checksum: Checksum,
}

impl Sum {
    pub(super) fn add(&mut self, rows: &[Row]) {
        for row in rows {
            self.add_line(&line_of(row));
        }
    }

    fn add_line(&mut self, line: &str) {
        self.rows += 1;
        self.checksum.update(line.as_bytes());
    }

    pub(super) fn of(&self, name: &str) -> TableSum {
        TableSum { name: name.to_owned(), rows: self.rows, sha256: self.checksum.hex() }
    }
}

fn line_of(row: &Row) -> String {
    let mut line = String::from("[");
    for (index, value) in row.iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        line.push_str(&value.to_string());
    }
    line.push_str("]\n");
    line
}

/// Writes the whole content of a database.
pub(super) fn write<W: Write>(db: &Database, writer: &mut FileWriter<W>, path: &Path, progress: Progress<'_>) -> Result<Vec<TableSum>, BackupError> {
    let mut tables: Vec<TableSum> = Vec::new();
    let mut current: Option<(String, Sum, u64)> = None;
    let unwritable = |error| BackupError::Unwritable(path.to_owned(), error);
    db.dump(|piece| match piece {
        Piece::Table(table, rows) => {
            if let Some((name, sum, _)) = current.take() {
                tables.push(end_of_table(writer, &name, &sum).map_err(unwritable)?);
            }
            let columns = table.columns.iter().map(|column| (column.name.clone(), column.kind.as_str().to_owned())).collect();
            writer.line(&json_line(&TableLine { table: table.name.clone(), columns })).map_err(unwritable)?;
            current = Some((table.name.clone(), Sum::default(), u64::try_from(rows).unwrap_or_default()));
            Ok(())
        }
        Piece::Rows(rows) => {
            let Some((name, sum, total)) = &mut current else { return Ok(()) };
            for row in rows {
                let line = line_of(row);
                sum.add_line(&line);
                writer.line(&line).map_err(unwritable)?;
            }
            if progress(name, sum.rows, *total) { Ok(()) } else { Err(BackupError::Stopped) }
        }
    })?;
    if let Some((name, sum, _)) = current.take() {
        tables.push(end_of_table(writer, &name, &sum).map_err(unwritable)?);
    }
    let end = EndLine { end: END.to_owned(), tables: tables.len() as u64, sha256: writer.checksum() };
    writer.line(&json_line(&end)).map_err(unwritable)?;
    Ok(tables)
}

fn end_of_table<W: Write>(writer: &mut FileWriter<W>, name: &str, sum: &Sum) -> std::io::Result<TableSum> {
    let sum = sum.of(name);
    writer.line(&json_line(&sum))?;
    Ok(sum)
}

fn json_line(value: &impl Serialize) -> String {
    // Structs of text and numbers have a JSON form.
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

/// What is met while reading.
pub(super) enum Event<'a> {
    /// A table begins.
    Table(&'a Table),
    /// The next rows of it.
    Rows(&'a Table, &'a [Row]),
}

/// Reads the whole body and checks every count and checksum; rows are handed on before the checksum behind them was seen.
pub(super) fn read(mut body: Body, each: &mut dyn FnMut(Event<'_>) -> Result<(), BackupError>) -> Result<Vec<TableSum>, BackupError> {
    let mut whole = Checksum::default();
    let mut tables = Vec::new();
    loop {
        let line = body.next()?.ok_or(BackupError::Truncated)?;
        if let Ok(end) = serde_json::from_str::<EndLine>(&line) {
            let right = end.end == END && end.tables == tables.len() as u64 && end.sha256 == whole.hex() && body.next()?.is_none();
            return if right { Ok(tables) } else { Err(BackupError::Corrupted("the end")) };
        }
        whole.update(line.as_bytes());
        let table = table_of(&line).ok_or(BackupError::Corrupted("the head of a table"))?;
        each(Event::Table(&table))?;
        tables.push(read_table(&mut body, &table, &mut whole, each)?);
    }
}

fn read_table(
    body: &mut Body,
    table: &Table,
    whole: &mut Checksum,
    each: &mut dyn FnMut(Event<'_>) -> Result<(), BackupError>,
) -> Result<TableSum, BackupError> {
    let mut sum = Sum::default();
    let mut rows: Vec<Row> = Vec::with_capacity(BATCH);
    loop {
        let line = body.next()?.ok_or(BackupError::Truncated)?;
        whole.update(line.as_bytes());
        if line.starts_with('[') {
            let row = row_of(&line, table).ok_or(BackupError::Corrupted("a row"))?;
            sum.add_line(&line);
            rows.push(row);
            if rows.len() < BATCH {
                continue;
            }
        }
        if !rows.is_empty() {
            each(Event::Rows(table, &rows))?;
            rows.clear();
        }
        if line.starts_with('[') {
            continue;
        }
        let end: TableSum = serde_json::from_str(&line).map_err(|_| BackupError::Corrupted("the end of a table"))?;
        return if end == sum.of(&table.name) { Ok(end) } else { Err(BackupError::Corrupted("a table")) };
    }
}

fn table_of(line: &str) -> Option<Table> {
    let TableLine { table, columns } = serde_json::from_str(line).ok()?;
    let columns: Option<Vec<Column>> = columns.into_iter().map(|(name, kind)| Some(Column { name, kind: Kind::parse(&kind)? })).collect();
    let table = Table { name: table, columns: columns? };
    // These become part of statements.
    let sound = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let all = sound(&table.name) && table.columns.iter().all(|column| sound(&column.name));
    all.then_some(table)
}

fn row_of(line: &str, table: &Table) -> Option<Row> {
    let row: Row = serde_json::from_str(line).ok()?;
    let fits = row.len() == table.columns.len() && row.iter().zip(&table.columns).all(|(value, column)| column.kind.admits(value));
    fits.then_some(row)
}

/// A row of the sealed keys.
pub(super) fn key_row(table: &Table, row: &Row) -> Option<KeyRow> {
    let find = |name: &str| table.columns.iter().zip(row).find(|(column, _)| column.name == name).map(|(_, value)| value);
    let text = |name| find(name).and_then(Value::as_str).map(str::to_owned);
    let time = |name| find(name).and_then(Value::as_i64).map(UnixTime);
    Some(KeyRow {
        kid: text("kid")?,
        purpose: KeyPurpose::parse(&text("purpose")?)?,
        sealed: text("sealed")?,
        created_at: time("created_at")?,
        active_from: time("active_from")?,
        published_until: time("published_until"),
    })
}
