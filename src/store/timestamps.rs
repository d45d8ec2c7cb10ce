//! Time stamps: tokens of authorities over checkpoints, and which of them an export may have.

use custody::digest::Digest;
use custody::record::Sequence;
use custody::time::Timestamp;

use super::db::Tx;
use super::error::StoreError;
use super::row::{Row, Value};
use super::{Store, sql};

/// A verified token over a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampRow {
    /// Its place among all, from 1.
    pub id: u64,
    /// How many entries the checkpoint covers.
    pub size: u64,
    /// The authority's number in the configuration of that time, from 1.
    pub authority: u8,
    /// The checkpoint with the log's own signature: what the token is over.
    pub note: String,
    /// The token in DER, as it came.
    pub token: Vec<u8>,
    /// What it says.
    pub time: Timestamp,
    /// When the first certificate of its chain expires.
    pub expires: Timestamp,
}

impl Tx {
    /// The newest token of an authority.
    pub async fn newest_timestamp(&mut self, authority: u8) -> Result<Option<TimestampRow>, StoreError> {
        let row = self.one(sql::NEWEST_TIMESTAMP, vec![Value::uint(authority.into())]).await?;
        row.as_ref().map(timestamp).transpose()
    }

    /// The token of an authority over the checkpoint of a size.
    pub async fn timestamp_of(
        &mut self,
        size: u64,
        authority: u8,
    ) -> Result<Option<TimestampRow>, StoreError> {
        let row = self.one(sql::TIMESTAMP_OF, vec![Value::uint(size), Value::uint(authority.into())]).await?;
        row.as_ref().map(timestamp).transpose()
    }

    /// Sizes of checkpoints of at most `size` entries that have a token taken no later than `newest`, ascending.
    pub async fn timestamped_sizes(&mut self, size: u64, newest: u64) -> Result<Vec<u64>, StoreError> {
        let rows = self.all(sql::TIMESTAMPED_SIZES, vec![Value::uint(size), Value::uint(newest)]).await?;
        rows.iter().map(|row| row.uint(0)).collect()
    }

    /// The tokens over the checkpoint of a size, taken no later than `newest`, by authority.
    pub async fn timestamps_of(&mut self, size: u64, newest: u64) -> Result<Vec<TimestampRow>, StoreError> {
        let rows = self.all(sql::TIMESTAMPS_OF, vec![Value::uint(size), Value::uint(newest)]).await?;
        rows.iter().map(timestamp).collect()
    }

    /// The place of the newest token that an export may have; nothing if that was never decided.
    pub async fn timestamps_for(&mut self, export: &Digest) -> Result<Option<u64>, StoreError> {
        let row = self.one(sql::TIMESTAMPS_FOR, vec![Value::digest(export)]).await?;
        Ok(row.map(|row| row.opt_uint(1)).transpose()?.flatten())
    }

    /// The log indices of a sequence's records, ascending.
    pub async fn indices_of(&mut self, sequence: &Sequence) -> Result<Vec<u64>, StoreError> {
        let rows = self.all(sql::INDICES_OF_SEQUENCE, vec![Value::text(sequence)]).await?;
        rows.iter().map(|row| row.uint(0)).collect()
    }
}

impl Store {
    /// Keeps a token, unless there is one of this authority over this checkpoint already. Its place is found here.
    pub async fn keep_timestamp(&self, row: &TimestampRow) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let params = vec![
            Value::uint(row.size),
            Value::uint(row.authority.into()),
            Value::text(&row.note),
            Value::blob(&row.token),
            Value::time(row.time),
            Value::time(row.expires),
        ];
        tx.run(sql::KEEP_TIMESTAMP, params).await?;
        tx.commit().await
    }

    /// Decides that an export may have all tokens taken so far, unless that was decided before.
    pub async fn decide_timestamps(&self, export: &Digest) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.run(sql::DECIDE_TIMESTAMPS, vec![Value::digest(export)]).await?;
        tx.commit().await
    }
}

fn timestamp(row: &Row) -> Result<TimestampRow, StoreError> {
    let authority = row.uint(2)?;
    Ok(TimestampRow {
        id: row.uint(0)?,
        size: row.uint(1)?,
        authority: authority.try_into().map_err(|error| row.undecodable(2, error))?,
        note: row.text(3)?,
        token: row.blob(4)?,
        time: row.time(5)?,
        expires: row.time(6)?,
    })
}
