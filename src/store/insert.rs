//! Inserting rows: any number into any tables, in one round trip.

use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::db::Tx;
use super::error::StoreError;
use super::row::Value;
use super::sql::{Dialect, Insert, together};

/// Most parameters of one insert on SQLite, which allows several times as many.
const MAX_PARAMS: usize = 4_096;

/// Rows for one insert.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    insert: Insert<'a>,
    /// One row after the other.
    values: Vec<Value>,
}

impl<'a> Rows<'a> {
    pub(super) const fn new(insert: Insert<'a>) -> Self {
        Self { insert, values: Vec::new() }
    }

    pub(super) fn push(&mut self, row: impl IntoIterator<Item = Value>) {
        self.values.extend(row);
        debug_assert!(self.values.len().is_multiple_of(self.width()));
    }

    fn width(&self) -> usize {
        self.insert.columns.len()
    }

    fn count(&self) -> usize {
        self.values.len() / self.width()
    }
}

impl Tx {
    /// Inserts one row.
    pub(super) async fn insert<const N: usize>(
        &mut self,
        insert: Insert<'_>,
        row: [Value; N],
    ) -> Result<(), StoreError> {
        let mut rows = Rows::new(insert);
        rows.push(row);
        self.insert_all(vec![rows]).await
    }

    /// Inserts rows, table by table in this order.
    pub(crate) async fn insert_all(&mut self, mut all: Vec<Rows<'_>>) -> Result<(), StoreError> {
        all.retain(|rows| !rows.values.is_empty());
        let Some(last) = all.last() else { return Ok(()) };
        let (expected, written) = match self {
            Self::Sqlite(_) => {
                let expected: usize = all.iter().map(Rows::count).sum();
                let (text, params) = script(all);
                (expected, self.execute(AssertSqlSafe(text).into_sql_str(), params).await?)
            }
            Self::Postgres(tx) => {
                // What the statement says of the others nobody learns; without an error they were all written.
                let expected = last.count();
                let (text, columns) = statement(all)?;
                let mut query = sqlx::query(AssertSqlSafe(text).into_sql_str());
                for column in columns {
                    query = match column {
                        Column::Text(values) => query.bind(values),
                        Column::Int(values) => query.bind(values),
                        Column::Bool(values) => query.bind(values),
                        Column::Blob(values) => query.bind(values),
                    };
                }
                (expected, query.execute(&mut **tx).await?.rows_affected())
            }
        };
        if written == expected as u64 {
            Ok(())
        } else {
            Err(StoreError::Inconsistent("an insert wrote fewer rows than it was given"))
        }
    }
}

/// What SQLite runs, with its parameters. Numbers of rows are filled up to a power of two, so that few texts are prepared.
fn script(all: Vec<Rows<'_>>) -> (String, Vec<Value>) {
    let (mut texts, mut params) = (Vec::new(), Vec::new());
    for rows in all {
        let (width, mut left) = (rows.width(), rows.count());
        let most = 1 << (MAX_PARAMS / width).max(1).ilog2();
        let mut values = rows.values.into_iter();
        while left > 0 {
            let count = left.min(most);
            let padded = count.next_power_of_two();
            texts.push(rows.insert.text_for(Dialect::Sqlite, padded, 1));
            params.extend(values.by_ref().take(count * width));
            params.extend(std::iter::repeat_n(Value::Int(None), (padded - count) * width));
            left -= count;
        }
    }
    (together(Dialect::Sqlite, texts), params)
}

/// What PostgreSQL runs, with an array a column.
fn statement(all: Vec<Rows<'_>>) -> Result<(String, Vec<Column>), StoreError> {
    let (mut texts, mut arrays) = (Vec::new(), Vec::new());
    for rows in all {
        texts.push(rows.insert.text_for(Dialect::Postgres, rows.count(), arrays.len() + 1));
        arrays.extend(columns(rows.width(), rows.values)?);
    }
    Ok((together(Dialect::Postgres, texts), arrays))
}

/// One column of several rows.
enum Column {
    Text(Vec<Option<String>>),
    Int(Vec<Option<i64>>),
    Bool(Vec<bool>),
    Blob(Vec<Option<Vec<u8>>>),
}

/// Rows turned into columns.
fn columns(width: usize, values: Vec<Value>) -> Result<Vec<Column>, StoreError> {
    let mut columns: Vec<Column> = Vec::with_capacity(width);
    for (at, value) in values.into_iter().enumerate() {
        match (columns.get_mut(at % width), value) {
            (None, Value::Text(value)) => columns.push(Column::Text(vec![value])),
            (None, Value::Int(value)) => columns.push(Column::Int(vec![value])),
            (None, Value::Bool(value)) => columns.push(Column::Bool(vec![value])),
            (None, Value::Blob(value)) => columns.push(Column::Blob(vec![value])),
            (Some(Column::Text(column)), Value::Text(value)) => column.push(value),
            (Some(Column::Int(column)), Value::Int(value)) => column.push(value),
            (Some(Column::Bool(column)), Value::Bool(value)) => column.push(value),
            (Some(Column::Blob(column)), Value::Blob(value)) => column.push(value),
            _ => {
                return Err(StoreError::Inconsistent(
                    "the rows of an insert have columns of different types",
                ));
            }
        }
    }
    Ok(columns)
}
