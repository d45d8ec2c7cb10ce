//! Tables as they are: found in the schema, read and written without knowing what they mean. For copies and for
//! comparisons; everything else knows what it reads.

use std::fmt;

use super::db::Tx;
use super::error::StoreError;
use super::insert::Rows;
use super::row::{Row, Value};
use super::sql::{self, Insert, placeholders};

/// Keys looked up in one statement.
const KEYS: usize = 256;

/// Tables that others point to.
const FIRST: [&str; 2] = ["statements", "records"];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// TEXT.
    Text,
    /// BIGINT; INTEGER where it names a row of `SQLite`.
    Int,
    /// BOOLEAN.
    Bool,
    /// BLOB or BYTEA.
    Blob,
}

impl Type {
    /// The type's name in copies.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Blob => "blob",
        }
    }

    /// The type's name on PostgreSQL.
    const fn sql(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Int => "BIGINT",
            Self::Bool => "BOOLEAN",
            Self::Blob => "BYTEA",
        }
    }

    fn of(declared: &str) -> Result<Self, StoreError> {
        match declared.to_ascii_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "bigint" | "integer" => Ok(Self::Int),
            "boolean" => Ok(Self::Bool),
            "blob" | "bytea" => Ok(Self::Blob),
            _ => Err(StoreError::Inconsistent("a column has a type that this program does not use")),
        }
    }
}

/// A table as the schema has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: String,
    /// Its columns, in order.
    pub(crate) columns: Vec<(String, Type)>,
    /// Which of them are the primary key.
    key: Vec<usize>,
}

impl Table {
    /// The values of a row's primary key.
    pub(crate) fn key_of(&self, row: &[Value]) -> Vec<Value> {
        self.key.iter().filter_map(|column| row.get(*column)).cloned().collect()
    }

    /// A row's primary key as people read it.
    pub(crate) fn name_of(&self, row: &[Value]) -> String {
        let parts: Vec<_> = self.key_of(row).iter().map(ToString::to_string).collect();
        parts.join("/")
    }

    fn list(&self) -> String {
        self.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn keys(&self) -> Vec<&str> {
        self.key.iter().map(|column| self.columns[*column].0.as_str()).collect()
    }

    fn read(&self, rows: &[Row]) -> Result<Vec<Vec<Value>>, StoreError> {
        let read = |row: &Row| {
            self.columns.iter().enumerate().map(|(at, (_, holds))| row.value(at, *holds)).collect()
        };
        rows.iter().map(read).collect()
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(Some(text)) => f.write_str(text),
            Self::Int(Some(number)) => write!(f, "{number}"),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::Blob(Some(bytes)) => f.write_str(&hex::encode(bytes)),
            Self::Text(None) | Self::Int(None) | Self::Blob(None) => f.write_str("null"),
        }
    }
}

impl Tx {
    /// All tables, those that others point to first: older schemas had foreign keys.
    pub(crate) async fn tables(&mut self) -> Result<Vec<Table>, StoreError> {
        let statement = match self {
            Self::Sqlite(_) => sql::TABLES_SQLITE,
            Self::Postgres(_) => sql::TABLES_POSTGRES,
        };
        let mut tables: Vec<Table> = Vec::new();
        let mut places: Vec<Vec<(i64, usize)>> = Vec::new();
        for row in self.all(statement, Vec::new()).await? {
            let name = row.text(0)?;
            if tables.last().is_none_or(|table| table.name != name) {
                tables.push(Table { name, columns: Vec::new(), key: Vec::new() });
                places.push(Vec::new());
            }
            if let (Some(table), Some(key)) = (tables.last_mut(), places.last_mut()) {
                let place = row.int(3)?;
                if place > 0 {
                    key.push((place, table.columns.len()));
                }
                table.columns.push((row.text(1)?, Type::of(&row.text(2)?)?));
            }
        }
        for (table, mut key) in tables.iter_mut().zip(places) {
            key.sort_unstable();
            table.key = key.into_iter().map(|(_, column)| column).collect();
            if table.key.is_empty() {
                return Err(StoreError::Inconsistent("a table has no primary key"));
            }
        }
        let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
        tables.sort_by(|a, b| rank(&a.name).cmp(&rank(&b.name)).then_with(|| a.name.cmp(&b.name)));
        Ok(tables)
    }

    /// Rows in the order of the primary key, after a key, at most `limit`.
    pub(crate) async fn table_page(
        &mut self,
        table: &Table,
        after: Option<Vec<Value>>,
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        let keys = table.keys().join(", ");
        let beyond = if after.is_some() {
            format!("WHERE ({keys}) > ({})", placeholders(self.dialect(), 1, table.key.len()))
        } else {
            String::new()
        };
        let text =
            format!("SELECT {} FROM {} {beyond} ORDER BY {keys} LIMIT {limit}", table.list(), table.name);
        let rows = self.all_of(text, after.unwrap_or_default()).await?;
        table.read(&rows)
    }

    /// The rows with these primary keys, in no order; unknown ones are left out.
    pub(crate) async fn table_rows(
        &mut self,
        table: &Table,
        keys: &[Vec<Value>],
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(KEYS) {
            let width = table.key.len();
            let one = |number: usize| {
                let same = table.keys().into_iter().enumerate().map(|(at, column)| {
                    format!("{column} = {}", placeholders(self.dialect(), 1 + number * width + at, 1))
                });
                format!("({})", same.collect::<Vec<_>>().join(" AND "))
            };
            let any = (0..chunk.len()).map(one).collect::<Vec<_>>().join(" OR ");
            let text = format!("SELECT {} FROM {} WHERE {any}", table.list(), table.name);
            let rows = self.all_of(text, chunk.concat()).await?;
            found.extend(table.read(&rows)?);
        }
        Ok(found)
    }

    /// How many rows a table has.
    pub(crate) async fn table_size(&mut self, table: &Table) -> Result<u64, StoreError> {
        let text = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM {}", table.name);
        let rows = self.all_of(text, Vec::new()).await?;
        rows.first().map_or(Ok(0), |row| row.uint(0))
    }

    /// How many rows each of these tables has.
    pub(crate) async fn sizes<const N: usize>(&mut self, names: [&str; N]) -> Result<[u64; N], StoreError> {
        let tables = self.tables().await?;
        let mut sizes = [0; N];
        for (size, name) in sizes.iter_mut().zip(names) {
            let table = tables.iter().find(|table| table.name == name);
            let table = table.ok_or(StoreError::Inconsistent("a table is missing"))?;
            *size = self.table_size(table).await?;
        }
        Ok(sizes)
    }

    /// Adds rows.
    pub(crate) async fn table_insert(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), StoreError> {
        let columns: Vec<_> = table.columns.iter().map(|(name, of)| format!("{name} {}", of.sql())).collect();
        let columns: Vec<_> = columns.iter().map(String::as_str).collect();
        let mut inserted = Rows::new(Insert { table: &table.name, columns: &columns, conflict: "" });
        for row in rows {
            inserted.push(row);
        }
        self.insert_all(vec![inserted]).await
    }
}
