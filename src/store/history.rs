//! The log as it was written, read so that what is damaged or missing can be named.

use std::collections::BTreeSet;
use std::sync::Arc;

use custody::digest::Digest;
use custody::record::NextOpening;

use super::db::Tx;
use super::error::StoreError;
use super::row::{Row, Value};
use super::sql;

/// A record with what it is made of; nothing of it is checked.
#[derive(Debug, Clone)]
pub(crate) struct HistoryRow {
    /// Position in the log, from 0.
    pub(crate) log_index: u64,
    /// What the database says its hash is.
    pub(crate) hash: Digest,
    /// What the database says its statement is.
    pub(crate) stmt: Digest,
    /// The record's bytes.
    pub(crate) record: Vec<u8>,
    /// Salt of its leaf.
    pub(crate) salt: Digest,
    /// What opens its promise to the next record of its own stream.
    pub(crate) own: Option<NextOpening>,
    /// The same in the case's sequence.
    pub(crate) case: Option<NextOpening>,
    /// Its leaf in the public log, if it is there.
    pub(crate) entry: Option<Vec<u8>>,
    /// The envelope's bytes, if they are there.
    pub(crate) envelope: Option<Arc<[u8]>>,
}

impl Tx {
    /// Records in log order from `log_index` on, at most `limit`.
    pub(crate) async fn history(
        &mut self,
        log_index: u64,
        limit: u32,
    ) -> Result<Vec<HistoryRow>, StoreError> {
        let params = vec![Value::uint(log_index), Value::uint(limit.into())];
        let rows = self.all(sql::HISTORY, params).await?;
        let mut history = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let stmts: BTreeSet<_> = history.iter().map(|row| row.stmt).collect();
        let envelopes = self.envelopes(&stmts.into_iter().collect::<Vec<_>>()).await?;
        for row in &mut history {
            row.envelope = envelopes.get(&row.stmt).cloned();
        }
        Ok(history)
    }
}

fn read(row: &Row) -> Result<HistoryRow, StoreError> {
    Ok(HistoryRow {
        log_index: row.uint(0)?,
        hash: row.digest(1)?,
        stmt: row.digest(2)?,
        record: row.blob(3)?,
        salt: row.digest(4)?,
        own: opening(row, 5)?,
        case: opening(row, 7)?,
        entry: row.opt_blob(9)?,
        envelope: None,
    })
}

fn opening(row: &Row, first: usize) -> Result<Option<NextOpening>, StoreError> {
    let parts = row.opt_digest(first)?.zip(row.opt_digest(first + 1)?);
    Ok(parts.map(|(s, t)| NextOpening { s, t }))
}
