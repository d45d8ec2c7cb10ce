//! Receipts of what was recorded earlier.

use std::collections::{BTreeSet, HashMap};

use custody::digest::Digest;
use custody::note::SignedNote;
use custody::proof::TlogProof;
use custody::receipt::{Predecessor, Receipt, Recovery};
use custody::record::Sequence;
use custody::recovery::Gap;

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
        let recoveries = self.recoveries_of(&rows, &before, size, checkpoint).await?;
        let mut tiles = Tiles::default();
        let mut receipts = Vec::with_capacity(rows.len());
        for row in rows {
            let plan = custody::merkle::Plan::inclusion(row.log_index, size)
                .map_err(|_| StoreError::Inconsistent("a record lies beyond the end of the log"))?;
            let path = self.proof(&plan, &mut tiles).await?;
            let proof = TlogProof::new(row.log_index, path, checkpoint.clone())
                .map_err(|_| StoreError::Inconsistent("a proof is longer than any can be"))?;
            receipts.push(receipt(row, &before, &recoveries, proof)?);
        }
        Ok(receipts)
    }

    /// The recoveries after which sequences of these records go on, by record hash of the records.
    async fn recoveries_of(
        &mut self,
        rows: &[RecordRow],
        before: &HashMap<(Sequence, u64), HeadRow>,
        size: u64,
        checkpoint: &SignedNote,
    ) -> Result<HashMap<Digest, Vec<Recovery>>, StoreError> {
        let mut gaps = self.recoveries().await?;
        if gaps.is_empty() {
            return Ok(HashMap::new());
        }
        let vault = self.vault().await?.ok_or(StoreError::NoVault)?.id;
        let resumed = |row: &RecordRow, gap: &&Gap| {
            gap.record != row.hash
                && [(row.own, row.entry.tag), (row.case, row.entry.case_tag)].into_iter().any(
                    |(place, tag)| {
                        place.is_some_and(|place| {
                            let promised = before.get(&(place.sequence, place.seq.saturating_sub(1)));
                            let next = promised
                                .map_or_else(|| place.sequence.genesis_tag(&vault), |row| row.head.next.t);
                            gap.resume(&next) == tag
                        })
                    },
                )
        };
        let needed: Vec<Vec<_>> =
            rows.iter().map(|row| gaps.iter().filter(|gap| resumed(row, gap)).copied().collect()).collect();
        let used: BTreeSet<_> = needed.iter().flatten().map(|gap| gap.to).collect();
        gaps.retain(|gap| used.contains(&gap.to));
        let noted = self.recoveries_noted(&gaps, size, checkpoint).await?;
        let noted: HashMap<_, _> = gaps.iter().map(|gap| gap.to).zip(noted).collect();
        let of = |gaps: Vec<Gap>| gaps.iter().filter_map(|gap| noted.get(&gap.to).cloned()).collect();
        Ok(rows.iter().map(|row| row.hash).zip(needed.into_iter().map(of)).collect())
    }
}

fn predecessors(row: &RecordRow) -> impl Iterator<Item = (Sequence, u64)> + use<> {
    let places = row.own.into_iter().chain(row.case);
    places.filter(|place| place.seq > 1).map(|place| (place.sequence, place.seq - 1))
}

fn receipt(
    row: RecordRow,
    before: &HashMap<(Sequence, u64), HeadRow>,
    recoveries: &HashMap<Digest, Vec<Recovery>>,
    proof: TlogProof,
) -> Result<Receipt, StoreError> {
    let predecessors = predecessors(&row)
        .map(|place| {
            let found = before.get(&place).ok_or(StoreError::Inconsistent("a sequence has a gap"))?;
            Ok(predecessor(place.0, found))
        })
        .collect::<Result<_, StoreError>>()?;
    let recoveries = recoveries.get(&row.hash).cloned().unwrap_or_default();
    let RecordRow { record, envelope, salt, entry, .. } = row;
    Ok(Receipt { record, envelope, salt, entry, predecessors, proof, recoveries })
}

/// A record as the one before in `sequence`.
pub(super) fn predecessor(sequence: Sequence, row: &HeadRow) -> Predecessor {
    Predecessor { sequence, record: row.record.clone(), next: row.head.next }
}
