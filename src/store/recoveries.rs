//! Restores that lost published records, and which sequences lost any.

use std::collections::{BTreeSet, HashMap};

use custody::digest::Digest;
use custody::merkle::{Batch, Frontier, leaf_hash};
use custody::record::{ENTRY_BYTES, Entry, Sequence};
use custody::recovery::{Gap, onward};

use super::db::Tx;
use super::error::StoreError;
use super::insert::Rows;
use super::log::finished_subtrees;
use super::records::HeadRow;
use super::row::{Row, Value};
use super::sql;

/// Entries written in one step.
const PAGE: usize = 4_096;

impl Tx {
    /// The gaps of the log, ascending. Mostly none.
    pub async fn recoveries(&mut self) -> Result<Vec<Gap>, StoreError> {
        let gap = |row: &Row| Ok(Gap { to: row.uint(0)?, from: row.uint(1)?, record: row.digest(2)? });
        self.all(sql::RECOVERIES, Vec::new()).await?.iter().map(gap).collect()
    }

    /// Keeps a gap, once its `recovery.noted` is written.
    pub(crate) async fn insert_recovery(&mut self, gap: &Gap) -> Result<(), StoreError> {
        let mut rows = Rows::new(sql::INSERT_RECOVERIES);
        rows.push([Value::uint(gap.to), Value::uint(gap.from), Value::digest(&gap.record)]);
        self.insert_all(vec![rows]).await
    }

    /// Writes entries whose records are lost behind `before`; the tree with them.
    pub(crate) async fn insert_lost(
        &mut self,
        before: &Frontier,
        lost: &[[u8; ENTRY_BYTES]],
    ) -> Result<Frontier, StoreError> {
        let mut frontier = before.clone();
        for page in lost.chunks(PAGE) {
            let leaves: Vec<_> = page.iter().map(|entry| leaf_hash(entry)).collect();
            let batch = Batch::new(&frontier, &leaves);
            let (mut entries, mut tags) = (Rows::new(sql::INSERT_ENTRIES), Rows::new(sql::INSERT_LOST_TAGS));
            for (index, bytes) in (frontier.size()..).zip(page) {
                let entry = Entry::parse(bytes)
                    .map_err(|_| StoreError::Inconsistent("an entry without a record is none"))?;
                entries.push([Value::uint(index), Value::blob(bytes)]);
                for (tag, by_case) in [(entry.tag, false), (entry.case_tag, true)] {
                    tags.push([Value::digest(&tag), Value::Bool(by_case), Value::uint(index)]);
                }
            }
            self.insert_all(vec![entries, tags, finished_subtrees(&batch)]).await?;
            frontier = batch.frontier().clone();
        }
        Ok(frontier)
    }

    /// Of `sequences`, whose newest records are `heads`, those that lost records in one of `gaps`, and the gap after
    /// which each goes on.
    pub(crate) async fn resumptions(
        &mut self,
        vault: &Digest,
        gaps: &[Gap],
        sequences: &BTreeSet<Sequence>,
        heads: &HashMap<Sequence, HeadRow>,
    ) -> Result<HashMap<Sequence, Gap>, StoreError> {
        let promise = |sequence: &Sequence| {
            let head = heads.get(sequence);
            let next = head.map_or_else(|| sequence.genesis_tag(vault), |row| row.head.next.t);
            (*sequence, next, head.map(|row| row.log_index))
        };
        // What went on after the newest gap is not concerned by any.
        let open = |promised: Option<u64>| gaps.iter().any(|gap| gap.concerns(promised));
        let promises: Vec<_> =
            sequences.iter().map(promise).filter(|(_, _, promised)| open(*promised)).collect();
        let tags = promises
            .iter()
            .flat_map(|(_, next, _)| std::iter::once(*next).chain(gaps.iter().map(|gap| gap.resume(next))));
        let tags: Vec<_> = tags.collect();
        let stands = self.lost_places(&tags).await?;
        let resumed = promises.iter().filter_map(|(sequence, next, promised)| {
            let by_case = matches!(sequence, Sequence::Case(_));
            let onward = onward(next, *promised, gaps, |tag| stands.get(&(*tag, by_case)).copied());
            Some((*sequence, onward.after?))
        });
        Ok(resumed.collect())
    }

    /// Where lost entries carry these tags, by tag and whether it is in a case's column.
    pub(crate) async fn lost_places(
        &mut self,
        tags: &[Digest],
    ) -> Result<HashMap<(Digest, bool), u64>, StoreError> {
        let rows = self.all_in(sql::LOST_TAGS, tags.iter().map(Value::digest).collect()).await?;
        rows.iter().map(|row| Ok(((row.digest(0)?, row.bool(1)?), row.uint(2)?))).collect()
    }
}
