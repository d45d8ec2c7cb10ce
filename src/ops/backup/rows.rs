//! All rows of a database as one stream of JSON lines, the same for both engines:
//!
//! ```text
//! {"custos_rows":1,"schema":1}
//! {"table":"statements","columns":[["stmt","blob"],["actor","text"],…]}
//! ["base64","person:…",…]
//! …
//! {"end":{"statements":123,…}}
//! ```
//!
//! Tables are found in the schema, so that a table that is added is copied without a word here.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::super::Progress;
use crate::store::{Store, StoreError, Table, Tx, Value};

/// Rows read or written at a time.
const PAGE: usize = 200;
/// Longest line: several times the largest envelope.
const MAX_LINE: u64 = 64 << 20;

/// How many rows there are, by table.
pub(super) type Counts = BTreeMap<String, u64>;

/// Why rows cannot be copied.
#[derive(Debug)]
pub(super) enum RowsError {
    Store(StoreError),
    /// The stream fails: written, or read.
    Stream(std::io::Error),
    /// What is read is no such stream.
    Malformed(&'static str),
}

impl From<StoreError> for RowsError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<std::io::Error> for RowsError {
    fn from(error: std::io::Error) -> Self {
        Self::Stream(error)
    }
}

/// Writes everything that one snapshot shows.
pub(super) async fn write(
    tx: &mut Tx,
    schema: i64,
    to: &mut (dyn Write + Send),
    progress: Progress<'_>,
) -> Result<(), RowsError> {
    line(to, &json!({ "custos_rows": 1, "schema": schema }))?;
    let mut counts = Counts::new();
    for table in tx.tables().await? {
        let columns: Vec<_> = table.columns.iter().map(|(name, holds)| (name, holds.name())).collect();
        line(to, &json!({ "table": table.name, "columns": columns }))?;
        let total = tx.table_size(&table).await?;
        let (mut after, mut count) = (None, 0);
        loop {
            let page = tx.table_page(&table, after.take(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(table.key_of(last));
            count += page.len() as u64;
            for row in &page {
                line(to, &Json::Array(row.iter().map(encode).collect()))?;
            }
            progress("copying rows", count, total);
        }
        counts.insert(table.name, count);
    }
    line(to, &json!({ "end": counts }))?;
    Ok(())
}

/// The version of the schema that rows were written from: the stream's first line.
pub(super) fn schema(from: &mut impl BufRead) -> Result<i64, RowsError> {
    let first = next(from)?;
    match (first["custos_rows"].as_i64(), first["schema"].as_i64()) {
        (Some(1), Some(schema)) => Ok(schema),
        _ => Err(RowsError::Malformed("its first line is not that of rows")),
    }
}

/// Fills an empty database with the rest of the stream, all or nothing.
pub(super) async fn load(
    store: &Store,
    from: &mut (impl BufRead + Send),
    progress: Progress<'_>,
) -> Result<Counts, RowsError> {
    let mut tx = store.write().await?;
    let tables = tx.tables().await?;
    let mut counts = Counts::new();
    let mut current: Option<&Table> = None;
    let mut waiting = Vec::with_capacity(PAGE);
    loop {
        let read = next(from)?;
        if let (Json::Array(cells), Some(table)) = (&read, current) {
            waiting.push(decode(table, cells)?);
            if waiting.len() < PAGE {
                continue;
            }
        }
        if let Some(table) = current {
            let count = counts.entry(table.name.clone()).or_default();
            *count += waiting.len() as u64;
            progress("writing rows", *count, *count);
            tx.table_insert(table, std::mem::take(&mut waiting)).await?;
        }
        match &read {
            Json::Array(_) if current.is_some() => {}
            Json::Object(object) if object.contains_key("end") => {
                let said: Result<Counts, _> = serde_json::from_value(read["end"].clone());
                if said.ok().as_ref() != Some(&counts) {
                    return Err(RowsError::Malformed("it holds another number of rows than it says"));
                }
                tx.commit().await?;
                return Ok(counts);
            }
            Json::Object(_) => {
                let table = tables.iter().find(|table| read["table"] == table.name.as_str());
                let table = table.ok_or(RowsError::Malformed("it holds a table that this schema has not"))?;
                let columns: Vec<_> =
                    table.columns.iter().map(|(name, holds)| (name, holds.name())).collect();
                if read["columns"] != json!(columns) || counts.contains_key(&table.name) {
                    return Err(RowsError::Malformed("a table has other columns than in this schema"));
                }
                counts.insert(table.name.clone(), 0);
                current = Some(table);
            }
            _ => return Err(RowsError::Malformed("a line is neither a table nor a row")),
        }
    }
}

fn line(to: &mut (dyn Write + Send), value: &Json) -> std::io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}

fn next(from: &mut impl BufRead) -> Result<Json, RowsError> {
    let mut bytes = Vec::new();
    from.take(MAX_LINE).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(RowsError::Malformed("it ends early, or a line is too long"));
    }
    serde_json::from_slice(&bytes).map_err(|_| RowsError::Malformed("a line is not JSON"))
}

fn encode(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!(text),
        Value::Int(number) => json!(number),
        Value::Bool(yes) => json!(yes),
        Value::Blob(bytes) => json!(bytes.as_ref().map(|bytes| STANDARD.encode(bytes))),
    }
}

fn decode(table: &Table, cells: &[Json]) -> Result<Vec<Value>, RowsError> {
    use crate::store::Type;
    let malformed = || RowsError::Malformed("a row does not have the columns of its table");
    if cells.len() != table.columns.len() {
        return Err(malformed());
    }
    let cell = |(json, (_, holds)): (&Json, &(String, Type))| match (holds, json) {
        (Type::Text, Json::Null) => Some(Value::Text(None)),
        (Type::Int, Json::Null) => Some(Value::Int(None)),
        (Type::Blob, Json::Null) => Some(Value::Blob(None)),
        (Type::Text, Json::String(text)) => Some(Value::Text(Some(text.clone()))),
        (Type::Int, json) => Some(Value::Int(Some(json.as_i64()?))),
        (Type::Bool, json) => Some(Value::Bool(json.as_bool()?)),
        (Type::Blob, Json::String(text)) => Some(Value::Blob(Some(STANDARD.decode(text).ok()?))),
        _ => None,
    };
    cells.iter().zip(&table.columns).map(cell).collect::<Option<_>>().ok_or_else(malformed)
}
