//! Receipts of what was recorded earlier.

use std::collections::HashMap;

use custody::digest::Digest;
use custody::note::SignedNote;
use custody::proof::TlogProof;
use custody::receipt::{Predecessor, Receipt};
use custody::record::Sequence;

use crate::store::{HeadRow, RecordRow, StoreError, Tiles, Tx};

impl Tx {
    /// The receipts of a statement, one a record, proven against the log's newest checkpoint; none if it was never
    /// recorded.
    pub async fn receipts(&mut self, stmt: Digest) -> Result<Vec<Receipt>, StoreError> {
        let rows = self.records_of(&[stmt]).await?;
        self.receipts_for(rows).await
    }

    /// The receipts of these records, which must be in log order.
    pub async fn receipts_for(&mut self, rows: Vec<RecordRow>) -> Result<Vec<Receipt>, StoreError> {
        let head = self.log_head().await?.ok_or(StoreError::NoVault)?;
        self.receipts_under(rows, head.size(), &head.checkpoint).await
    }

    /// The same, proven against a checkpoint of `size` entries.
    pub async fn receipts_under(
        &mut self,
        rows: Vec<RecordRow>,
        size: u64,
        checkpoint: &SignedNote,
    ) -> Result<Vec<Receipt>, StoreError> {
        let before: Vec<_> = rows.iter().flat_map(predecessors).collect();
        let before = self.places(&before).await?;
        let mut tiles = Tiles::default();
        let mut receipts = Vec::with_capacity(rows.len());
        for row in rows {
            let plan = custody::merkle::Plan::inclusion(row.log_index, size)
                .map_err(|_| StoreError::Inconsistent("a record lies beyond the end of the log"))?;
            let path = self.proof(&plan, &mut tiles).await?;
            let proof = TlogProof::new(row.log_index, path, checkpoint.clone())
                .map_err(|_| StoreError::Inconsistent("a proof is longer than any can be"))?;
            receipts.push(receipt(row, &before, proof)?);
        }
        Ok(receipts)
    }
}

fn predecessors(row: &RecordRow) -> impl Iterator<Item = (Sequence, u64)> + use<> {
    let places = row.own.into_iter().chain(row.case);
    places.filter(|place| place.seq > 1).map(|place| (place.sequence, place.seq - 1))
}

fn receipt(
    row: RecordRow,
    before: &HashMap<(Sequence, u64), HeadRow>,
    proof: TlogProof,
) -> Result<Receipt, StoreError> {
    let predecessors = predecessors(&row)
        .map(|place| {
            let found = before.get(&place).ok_or(StoreError::Inconsistent("a sequence has a gap"))?;
            Ok(predecessor(place.0, found))
        })
        .collect::<Result<_, StoreError>>()?;
    let RecordRow { record, envelope, salt, entry, .. } = row;
    Ok(Receipt { record, envelope, salt, entry, predecessors, proof, recoveries: Vec::new() })
}

/// A record as the one before in `sequence`.
pub(super) fn predecessor(sequence: Sequence, row: &HeadRow) -> Predecessor {
    Predecessor { sequence, record: row.record.clone(), next: row.head.next }
}
