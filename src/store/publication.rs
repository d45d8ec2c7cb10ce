//! What was published: cosigned checkpoints, and the one that each export is laid out under.

use custody::digest::Digest;
use custody::note::SignedNote;
use custody::time::Timestamp;

use super::db::{Db, Tx};
use super::error::StoreError;
use super::row::{Row, Value};
use super::{Store, sql};

/// A checkpoint that a quorum of witnesses cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// How many entries it covers.
    pub size: u64,
    /// The note: the log's signature first, then those of witnesses.
    pub note: SignedNote,
    /// When the quorum was met.
    pub published: Timestamp,
}

/// The turn to write what moves on with the published log's end, until this goes away.
#[derive(Debug)]
pub(crate) struct Turn {
    _tx: Tx,
}

impl Tx {
    /// The largest checkpoint that was cosigned.
    pub async fn newest_checkpoint(&mut self) -> Result<Option<CheckpointRow>, StoreError> {
        self.one(sql::NEWEST_CHECKPOINT, Vec::new()).await?.as_ref().map(checkpoint).transpose()
    }

    /// The cosigned checkpoint of this size.
    pub async fn checkpoint_of(&mut self, size: u64) -> Result<Option<CheckpointRow>, StoreError> {
        self.one(sql::CHECKPOINT_OF, vec![Value::uint(size)]).await?.as_ref().map(checkpoint).transpose()
    }

    /// Under which cosigned checkpoint an export is laid out: its size, or 0 for the log's own at the export's cut.
    /// Nothing if that was never decided.
    pub async fn checkpoint_for(&mut self, export: &Digest) -> Result<Option<u64>, StoreError> {
        let row = self.one(sql::CHECKPOINT_FOR, vec![Value::digest(export)]).await?;
        row.map(|row| row.uint(1)).transpose()
    }
}

impl Store {
    /// Whether several processes may serve the vault in this database.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self.db, Db::Postgres(_))
    }

    /// Waits for the turn to publish: whoever has it reads the head, and then writes what nobody who had it before has
    /// written further. Nobody who records anything waits for it.
    pub(crate) async fn turn_to_publish(&self) -> Result<Turn, StoreError> {
        let mut tx = self.read().await?;
        if self.is_shared() {
            tx.all(sql::LOCK_PUBLISHING_POSTGRES, Vec::new()).await?;
        }
        Ok(Turn { _tx: tx })
    }

    /// Keeps a cosigned checkpoint, and of the old ones the newest thousand and those that an export names.
    pub async fn keep_checkpoint(&self, row: &CheckpointRow) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let params = vec![Value::uint(row.size), Value::text(&row.note), Value::time(row.published)];
        tx.run(sql::KEEP_CHECKPOINT, params).await?;
        tx.run(sql::PRUNE_CHECKPOINTS, Vec::new()).await?;
        tx.commit().await
    }

    /// Decides under which checkpoint an export is laid out, unless that was decided before.
    pub async fn decide_checkpoint(&self, export: &Digest, size: u64) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.run(sql::DECIDE_CHECKPOINT, vec![Value::digest(export), Value::uint(size)]).await?;
        tx.commit().await
    }
}

fn checkpoint(row: &Row) -> Result<CheckpointRow, StoreError> {
    let note = SignedNote::parse(row.text(1)?.as_bytes()).map_err(|error| row.undecodable(1, error))?;
    Ok(CheckpointRow { size: row.uint(0)?, note, published: row.time(2)? })
}
