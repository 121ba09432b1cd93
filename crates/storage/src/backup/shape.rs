//! Tables as the database itself describes them, and the statements that read and write their rows as JSON.

use crate::connection::AnyConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use serde_json::Value;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number of 64 bits at most.
    Integer,
    /// True or false.
    Boolean,
}

impl Kind {
    /// `text`, `integer` or `boolean`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Text, Self::Integer, Self::Boolean].into_iter().find(|kind| kind.as_str() == name)
    }

    fn of_type(declared: &str) -> Option<Self> {
        match declared.to_ascii_lowercase().as_str() {
            "text" => Some(Self::Text),
            "bigint" | "integer" => Some(Self::Integer),
            "boolean" => Some(Self::Boolean),
            _ => None,
        }
    }

    /// Whether a value can stand in such a column; nobody but the database knows whether nothing may.
    pub fn admits(self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Null) | (Self::Text, Value::String(_)) | (Self::Boolean, Value::Bool(_)) => true,
            (Self::Integer, Value::Number(number)) => number.is_i64(),
            _ => false,
        }
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// A table with the columns that are read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The columns, in the order of a row's values.
    pub columns: Vec<Column>,
}

/// A row: a value a column.
pub type Row = Vec<Value>;

/// A table as it is in the database.
pub(super) struct Described {
    pub(super) table: Table,
    /// The columns of the primary key, in the order of the table.
    pub(super) key: Vec<Column>,
    /// The columns that must be given.
    pub(super) required: Vec<String>,
}

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    declared: String,
    #[diesel(sql_type = Bool)]
    in_key: bool,
    #[diesel(sql_type = Bool)]
    required: bool,
}

#[derive(QueryableByName)]
struct LineRow {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The names of all tables, without those of the databases and of the migrations.
pub(super) fn names(c: &mut AnyConnection) -> QueryResult<Vec<String>> {
    let sql = match c {
        AnyConnection::Sqlite(_) => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '__diesel_schema_migrations' ORDER BY name"
        }
        AnyConnection::Postgres(_) => {
            "SELECT table_name::text AS name FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name <> '__diesel_schema_migrations' ORDER BY table_name"
        }
    };
    let rows: Vec<NameRow> = diesel::sql_query(sql).load(c)?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

/// The table of that name; an error when it has a column of a kind that a backup does not know.
pub(super) fn describe(c: &mut AnyConnection, name: &str) -> QueryResult<Described> {
    let sql = match c {
        AnyConnection::Sqlite(_) => {
            "SELECT name, lower(type) AS declared, pk > 0 AS in_key, \"notnull\" = 1 AND dflt_value IS NULL AS required \
             FROM pragma_table_info(?1) ORDER BY cid"
        }
        AnyConnection::Postgres(_) => {
            "SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS declared, \
             COALESCE(a.attnum = ANY (i.indkey), FALSE) AS in_key, a.attnotnull AND NOT a.atthasdef AS required \
             FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
             WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        }
    };
    let rows: Vec<ColumnRow> = match c {
        AnyConnection::Sqlite(c) => diesel::sql_query(sql).bind::<Text, _>(name).load(c)?,
        AnyConnection::Postgres(c) => diesel::sql_query(sql).bind::<Text, _>(name).load(c)?,
    };
    let unknown = |row: &ColumnRow| {
        let text = format!("the column {name}.{} has the type {}, which a backup does not know", row.name, row.declared);
        diesel::result::Error::QueryBuilderError(text.into())
    };
    let mut described = Described { table: Table { name: name.to_owned(), columns: Vec::new() }, key: Vec::new(), required: Vec::new() };
    for row in rows {
        let kind = Kind::of_type(&row.declared).ok_or_else(|| unknown(&row))?;
        let column = Column { name: row.name.clone(), kind };
        if row.in_key {
            described.key.push(column.clone());
        }
        if row.required {
            described.required.push(row.name);
        }
        described.table.columns.push(column);
    }
    Ok(described)
}

/// How many rows the table has.
pub(super) fn count(c: &mut AnyConnection, name: &str) -> QueryResult<i64> {
    let row: CountRow = diesel::sql_query(format!("SELECT count(*) AS count FROM \"{name}\"")).get_result(c)?;
    Ok(row.count)
}

/// Up to `limit` rows in the order of the primary key, after the row whose key is `after`.
pub(super) fn page(c: &mut AnyConnection, table: &Table, key: &[Column], after: Option<&Row>, limit: i64) -> QueryResult<Vec<Row>> {
    let on_sqlite = matches!(c, AnyConnection::Sqlite(_));
    let listed = |columns: &[Column]| columns.iter().map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>().join(", ");
    let line =
        if on_sqlite { format!("json_array({})", listed(&table.columns)) } else { format!("json_build_array({})::text", listed(&table.columns)) };
    let beyond = match after {
        None => String::new(),
        Some(_) => format!(" WHERE ({}) > ({})", listed(key), values(key, on_sqlite, if on_sqlite { "?1" } else { "$1::json" })),
    };
    let sql = format!("SELECT {line} AS line FROM \"{}\"{beyond} ORDER BY {} LIMIT {limit}", table.name, listed(key));
    let after = Value::from(after.cloned().unwrap_or_default()).to_string();
    let bound = !beyond.is_empty();
    let rows: Vec<LineRow> = match (c, bound) {
        (AnyConnection::Sqlite(c), true) => diesel::sql_query(sql).bind::<Text, _>(after).load(c)?,
        (AnyConnection::Postgres(c), true) => diesel::sql_query(sql).bind::<Text, _>(after).load(c)?,
        (c, false) => diesel::sql_query(sql).load(c)?,
    };
    rows.into_iter().map(|row| parse(&row.line, table)).collect()
}

/// Adds rows.
pub(super) fn insert(c: &mut AnyConnection, table: &Table, rows: &[Row]) -> QueryResult<usize> {
    let names: Vec<String> = table.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    let rows = Value::from(rows.iter().map(|row| Value::from(row.clone())).collect::<Vec<_>>()).to_string();
    let into = format!("INSERT INTO \"{}\" ({})", table.name, names.join(", "));
    match c {
        AnyConnection::Sqlite(c) => {
            let sql = format!("{into} SELECT {} FROM json_each(?1)", values(&table.columns, true, "value"));
            diesel::sql_query(sql).bind::<Text, _>(rows).execute(c)
        }
        AnyConnection::Postgres(c) => {
            let sql = format!("{into} SELECT {} FROM json_array_elements($1::json) AS given(line)", values(&table.columns, false, "line"));
            diesel::sql_query(sql).bind::<Text, _>(rows).execute(c)
        }
    }
}

/// Removes all rows.
pub(super) fn clear(c: &mut AnyConnection, name: &str) -> QueryResult<usize> {
    diesel::sql_query(format!("DELETE FROM \"{name}\"")).execute(c)
}

/// The members of a JSON array as SQL values.
fn values(columns: &[Column], on_sqlite: bool, array: &str) -> String {
    let member = |(index, column): (usize, &Column)| {
        if on_sqlite {
            return format!("json_extract({array}, '$[{index}]')");
        }
        match column.kind {
            Kind::Text => format!("({array} ->> {index})"),
            Kind::Integer => format!("({array} ->> {index})::bigint"),
            Kind::Boolean => format!("({array} ->> {index})::boolean"),
        }
    };
    columns.iter().enumerate().map(member).collect::<Vec<_>>().join(", ")
}

/// A row in one form for both databases: SQLite writes truth as a number.
fn parse(line: &str, table: &Table) -> QueryResult<Row> {
    let damaged = |what: String| diesel::result::Error::DeserializationError(format!("a row of {}: {what}", table.name).into());
    let mut row: Row = serde_json::from_str(line).map_err(|error| damaged(error.to_string()))?;
    for (value, column) in row.iter_mut().zip(&table.columns) {
        if column.kind == Kind::Boolean && value.is_number() {
            *value = Value::from(value.as_i64() != Some(0));
        }
        if !column.kind.admits(value) {
            return Err(damaged(format!("column {} is not {}", column.name, column.kind.as_str())));
        }
    }
    Ok(row)
}
