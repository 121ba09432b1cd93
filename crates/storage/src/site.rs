//! The database of a Django site, read and never written: rows as JSON texts, a page at a time.

use crate::error::{StorageError, fault};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::{PgConnection, SqliteConnection};
use propusk_domain::Fault;
use std::path::Path;

/// Rows that are read at once.
const PAGE: i64 = 200;

/// The largest row that is handed over, in bytes of JSON: a field of many megabytes must not fill the memory 200 times.
const LARGEST_ROW: usize = 1024 * 1024;

/// An open database of a site.
pub struct SiteDatabase(Site);

enum Site {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// A table of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteTable {
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<String>,
    /// The primary key, when it is one column.
    pub key: Option<String>,
}

impl SiteTable {
    /// Whether it has all of these columns.
    pub fn has(&self, columns: &[&str]) -> bool {
        columns.iter().all(|wanted| self.columns.iter().any(|column| column == wanted))
    }
}

/// The list of the memberships of a row: `auth_user_groups (user_id, group_id)`.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The table.
    pub table: String,
    /// The column that names the row.
    pub owner: String,
    /// The column that is listed.
    pub member: String,
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    owner: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    key_place: i64,
}

/// A row of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteRow {
    /// The primary key as text, as far as there is one.
    pub key: String,
    /// All columns as a JSON object, or why there is none.
    pub body: Result<String, &'static str>,
}

#[derive(QueryableByName)]
struct PostgresRow {
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = Nullable<Text>)]
    body: Option<String>,
}

#[derive(QueryableByName)]
struct SqliteRow {
    #[diesel(sql_type = BigInt)]
    number: i64,
    // Bytes, because SQLite does not look whether a text is UTF-8.
    #[diesel(sql_type = Binary)]
    key: Vec<u8>,
    #[diesel(sql_type = Nullable<Binary>)]
    body: Option<Vec<u8>>,
}

const TOO_LARGE: &str = "the row is larger than 1 MiB";

impl From<PostgresRow> for SiteRow {
    fn from(row: PostgresRow) -> Self {
        Self { key: row.key, body: row.body.ok_or(TOO_LARGE) }
    }
}

impl From<SqliteRow> for SiteRow {
    fn from(row: SqliteRow) -> Self {
        let text = |body: Vec<u8>| String::from_utf8(body).map_err(|_| "the row holds text that is not UTF-8");
        Self { key: String::from_utf8_lossy(&row.key).into_owned(), body: row.body.ok_or(TOO_LARGE).and_then(text) }
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

const POSTGRES_COLUMNS: &str = "
SELECT c.relname::text AS owner, a.attname::text AS name,
       CASE WHEN i.indnatts = 1 AND a.attnum = i.indkey[0] THEN 1 ELSE 0 END::bigint AS key_place
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
ORDER BY c.relname, a.attnum";

const SQLITE_COLUMNS: &str = "
SELECT m.name AS owner, i.name AS name, CAST(i.pk AS BIGINT) AS key_place
FROM sqlite_master m, pragma_table_info(m.name) i
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'
ORDER BY m.name, i.cid";

impl SiteDatabase {
    /// Opens `sqlite:PATH` or `postgres://…` for reading alone. A sentence of failure never repeats the URL.
    pub fn open(url: &str) -> Result<Self, Fault> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let mut connection = PgConnection::establish(url).map_err(|error| Fault::passing(StorageError::NoConnection(error.to_string())))?;
            connection
                .batch_execute("SET default_transaction_read_only = on; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .map_err(|error| fault("setting up a connection", error))?;
            return Ok(Self(Site::Postgres(connection)));
        }
        let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) else {
            return Err(StorageError::unusable("the site's database is sqlite:PATH or postgres://…"));
        };
        let missing = || Fault::passing(StorageError::NoConnection(format!("{path} is no file that can be read")));
        let absolute = Path::new(path).canonicalize().ok().filter(|path| path.is_file()).ok_or_else(missing)?;
        // A URI with mode=ro neither makes a file nor changes the journal of the site.
        let encoded: String = absolute
            .to_str()
            .ok_or_else(missing)?
            .chars()
            .map(|character| match character {
                '?' => "%3f".to_owned(),
                '#' => "%23".to_owned(),
                '%' => "%25".to_owned(),
                other => other.to_string(),
            })
            .collect();
        let mut connection = SqliteConnection::establish(&format!("file:{encoded}?mode=ro"))
            .map_err(|error| Fault::passing(StorageError::NoConnection(format!("{path}: {error}"))))?;
        connection.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON").map_err(|error| fault("setting up a connection", error))?;
        Ok(Self(Site::Sqlite(connection)))
    }

    /// All tables with their columns.
    pub fn tables(&mut self) -> Result<Vec<SiteTable>, Fault> {
        let rows: Vec<Column> = match &mut self.0 {
            Site::Postgres(c) => diesel::sql_query(POSTGRES_COLUMNS).load(c),
            Site::Sqlite(c) => diesel::sql_query(SQLITE_COLUMNS).load(c),
        }
        .map_err(|error| fault("listing the tables of the site", error))?;
        let mut tables: Vec<SiteTable> = Vec::new();
        for row in rows {
            if tables.last().is_none_or(|table| table.name != row.owner) {
                tables.push(SiteTable { name: row.owner, columns: Vec::new(), key: None });
            }
            if let Some(table) = tables.last_mut() {
                if row.key_place == 1 {
                    table.key = Some(row.name.clone());
                }
                table.columns.push(row.name);
            }
        }
        Ok(tables)
    }

    /// How many rows a table has.
    pub fn count(&mut self, table: &SiteTable) -> Result<u64, Fault> {
        let query = diesel::sql_query(format!("SELECT count(*) AS count FROM {}", quoted(&table.name)));
        let count: Count = match &mut self.0 {
            Site::Postgres(c) => query.get_result(c),
            Site::Sqlite(c) => query.get_result(c),
        }
        .map_err(|error| fault("counting rows of the site", error))?;
        Ok(u64::try_from(count.count).unwrap_or_default())
    }

    /// Hands every row of a table over as a JSON object, oldest first; a list of memberships is its member `groups`. Memory
    /// holds one page, without the rows that are larger than 1 MiB.
    pub fn each<E: From<Fault>>(
        &mut self,
        table: &SiteTable,
        groups: Option<&Membership>,
        mut hear: impl FnMut(SiteRow) -> Result<(), E>,
    ) -> Result<(), E> {
        match &mut self.0 {
            Site::Postgres(c) => {
                let select = postgres_rows(table, groups);
                c.batch_execute(&format!("DECLARE site_rows CURSOR FOR {select}")).map_err(|error| fault("reading the site", error))?;
                loop {
                    let rows: Vec<PostgresRow> =
                        diesel::sql_query(format!("FETCH {PAGE} FROM site_rows")).load(c).map_err(|error| fault("reading the site", error))?;
                    if rows.is_empty() {
                        break;
                    }
                    rows.into_iter().try_for_each(|row| hear(row.into()))?;
                }
                c.batch_execute("CLOSE site_rows").map_err(|error| fault("reading the site", error))?;
            }
            Site::Sqlite(c) => {
                let select = sqlite_rows(table, groups);
                let mut after = i64::MIN;
                loop {
                    // Page by page, because a site whose journal is not a WAL cannot write while somebody reads.
                    let rows: Vec<SqliteRow> =
                        diesel::sql_query(&select).bind::<BigInt, _>(after).load(c).map_err(|error| fault("reading the site", error))?;
                    let Some(last) = rows.iter().map(|row| row.number).max() else { break };
                    after = last;
                    rows.into_iter().try_for_each(|row| hear(row.into()))?;
                }
            }
        }
        Ok(())
    }
}

fn postgres_rows(table: &SiteTable, groups: Option<&Membership>) -> String {
    let name = quoted(&table.name);
    let order = table.key.as_deref().map_or_else(String::new, |key| format!(" ORDER BY t.{}", quoted(key)));
    let key = table.key.as_deref().map_or_else(|| "''".to_owned(), |key| format!("coalesce(t.{}::text, '')", quoted(key)));
    let object = match (groups, &table.key) {
        (Some(groups), Some(key)) => format!(
            "(to_jsonb(t) || jsonb_build_object('groups', (SELECT coalesce(jsonb_agg(g.{}), '[]') FROM {} g WHERE g.{} = t.{})))::text",
            quoted(&groups.member),
            quoted(&groups.table),
            quoted(&groups.owner),
            quoted(key)
        ),
        _ => "to_jsonb(t)::text".to_owned(),
    };
    format!(
        "SELECT {key} AS key, CASE WHEN octet_length(o.body) <= {LARGEST_ROW} THEN o.body END AS body \
         FROM {name} t CROSS JOIN LATERAL (SELECT {object} AS body) o{order}"
    )
}

fn sqlite_rows(table: &SiteTable, groups: Option<&Membership>) -> String {
    // JSON holds no bytes.
    let member = |column: &String| format!("{}, CASE typeof(t.{c}) WHEN 'blob' THEN NULL ELSE t.{c} END", literal(column), c = quoted(column));
    let mut members: Vec<String> = table.columns.iter().map(member).collect();
    if let (Some(groups), Some(key)) = (groups, &table.key) {
        members.push(format!(
            "'groups', (SELECT json_group_array(g.{}) FROM {} g WHERE g.{} = t.{})",
            quoted(&groups.member),
            quoted(&groups.table),
            quoted(&groups.owner),
            quoted(key)
        ));
    }
    let key = table.key.as_deref().map_or_else(|| "''".to_owned(), |key| format!("coalesce(t.{}, '')", quoted(key)));
    format!(
        "SELECT number, key, CASE WHEN length(body) <= {LARGEST_ROW} THEN body END AS body FROM (\
         SELECT t.rowid AS number, CAST({key} AS BLOB) AS key, CAST(json_object({}) AS BLOB) AS body FROM {} t \
         WHERE t.rowid > $1 ORDER BY t.rowid LIMIT {PAGE})",
        members.join(", "),
        quoted(&table.name)
    )
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
