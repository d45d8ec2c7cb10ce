//! Going on after a restore that lost published records (`docs/FORMAT.md`, "Record").

use std::collections::{BTreeSet, HashMap};

use custody::act::{NamedAgain, RecoveryNoted};
use custody::digest::Digest;
use custody::entropy::Entropy;
use custody::envelope::{self, PayloadType};
use custody::id::OpId;
use custody::kind::Kind;
use custody::merkle::Plan;
use custody::note::SignedNote;
use custody::proof::TlogProof;
use custody::receipt::{Receipt, Recovery};
use custody::record::{ENTRY_BYTES, LogIdentity, Resumption, Sequence};
use custody::recovery::{Gap, MAX_RECOVERIES};
use custody::rules::State;
use custody::statement::Statement;
use ed25519_dalek::SigningKey;

use super::batch::{Known, system_statement};
use super::keys::{SigningKeys, Verified};
use super::writer::Writer;
use super::{Attachments, Submission, SubmitError};
use crate::clock::Clock;
use crate::store::{HeadRow, LogHead, Store, StoreError, Tiles, Tx};

/// Which sequences of a batch go on after lost records.
#[derive(Debug, Default)]
pub(super) struct Resuming {
    sequences: HashMap<Sequence, Resumption>,
    recoveries: HashMap<Digest, Recovery>,
}

impl Resuming {
    /// How a sequence goes on: asked for its next record alone, since the one after that follows what is there.
    pub(super) fn take(&mut self, sequence: Sequence) -> Option<Resumption> {
        self.sequences.remove(&sequence)
    }

    /// What a receipt must bring along for a record whose sequences go on like this.
    pub(super) fn recoveries(&self, resumed: impl Iterator<Item = Resumption>) -> Vec<Recovery> {
        let mut needed: Vec<&Recovery> = resumed
            .filter_map(|resumption| match resumption {
                Resumption::After(recovery) => self.recoveries.get(&recovery),
                Resumption::Here => None,
            })
            .collect();
        needed.sort_unstable_by_key(|recovery| recovery.proof.index());
        needed.dedup_by_key(|recovery| recovery.proof.index());
        needed.into_iter().cloned().collect()
    }
}

/// The recoveries of the log, kept from one batch to the next: as long as the log has not grown since, they are what the
/// database holds.
#[derive(Debug, Default)]
pub(super) struct Recoveries {
    /// Entries of the log when they were read, or when the batch after that was written.
    size: Option<u64>,
    gaps: Vec<Gap>,
    noted: Vec<Recovery>,
}

impl Recoveries {
    /// Which of these sequences, with their newest records, go on after lost ones. What is known is read again if another
    /// process has appended.
    pub(super) async fn resuming(
        &mut self,
        tx: &mut Tx,
        head: &LogHead,
        vault: &Digest,
        (sequences, heads): (&BTreeSet<Sequence>, &HashMap<Sequence, HeadRow>),
    ) -> Result<Resuming, StoreError> {
        if self.size != Some(head.size()) {
            let gaps = tx.recoveries().await?;
            let noted = tx.recoveries_noted(&gaps, head.size(), &head.checkpoint).await?;
            *self = Self { size: Some(head.size()), gaps, noted };
        }
        if self.gaps.is_empty() {
            return Ok(Resuming::default());
        }
        let resumed = resumed(tx, vault, &self.gaps, sequences, heads).await?;
        if resumed.sequences.is_empty() {
            return Ok(resumed);
        }
        let recoveries = self.gaps.iter().zip(&self.noted).map(|(gap, noted)| (gap.record, noted.clone()));
        Ok(Resuming { recoveries: recoveries.collect(), ..resumed })
    }

    /// This process has appended, and no recovery.
    pub(super) const fn grown_to(&mut self, size: u64) {
        self.size = Some(size);
    }
}

/// Which of these sequences go on after one of `gaps`; without what receipts would need.
pub(super) async fn resumed(
    tx: &mut Tx,
    vault: &Digest,
    gaps: &[Gap],
    sequences: &BTreeSet<Sequence>,
    heads: &HashMap<Sequence, HeadRow>,
) -> Result<Resuming, StoreError> {
    let resumed = tx.resumptions(vault, gaps, sequences, heads).await?;
    let sequences = resumed.into_iter().map(|(sequence, gap)| (sequence, Resumption::After(gap.record)));
    Ok(Resuming { sequences: sequences.collect(), recoveries: HashMap::new() })
}

/// Whether the vault's own stream lost records from `from` on, and so goes on with the `recovery.noted` that says it.
pub(super) async fn resumed_here(
    tx: &mut Tx,
    from: u64,
    heads: &HashMap<Sequence, HeadRow>,
) -> Result<Resuming, StoreError> {
    let promised = heads.get(&Sequence::Vault).map(|row| row.head.next.t);
    let promised = promised.ok_or(StoreError::NoVault)?;
    let stands = tx.lost_places(&[promised]).await?;
    let lost = stands.get(&(promised, false)).is_some_and(|index| *index >= from);
    let sequences = lost.then_some((Sequence::Vault, Resumption::Here)).into_iter().collect();
    Ok(Resuming { sequences, recoveries: HashMap::new() })
}

/// Why a recovery was not recorded. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// The log has grown, or was recovered, since it was looked at.
    #[error("the database has {database} entries now, and had {expected} when it was looked at")]
    Moved {
        /// Entries now.
        database: u64,
        /// Entries then.
        expected: u64,
    },
    /// A log has only so many.
    #[error("a log has at most {MAX_RECOVERIES} recoveries")]
    TooMany,
    /// The rules refuse the vault's own statement: a mistake of this program.
    #[error("the vault cannot record what it says itself")]
    Refused(#[source] SubmitError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Entries that were published and whose records are lost.
#[derive(Debug)]
pub struct LostEntries<'a> {
    /// How many entries the database has: the log index of the first.
    pub from: u64,
    /// The entries, in order.
    pub entries: &'a [[u8; ENTRY_BYTES]],
    /// The log's next key, if one of the lost records may have named it: what is said of it again, and the key.
    pub log_key: Option<(NamedAgain, &'a SigningKey)>,
}

/// Gives lost entries their places behind those that the database has, and records `recovery.noted` behind them: all in one
/// transaction. The receipt of that record.
pub async fn recover(
    store: &Store,
    keys: &SigningKeys,
    clock: &dyn Clock,
    entropy: &mut (dyn Entropy + Send),
    LostEntries { from, entries, log_key }: LostEntries<'_>,
) -> Result<Receipt, RecoveryError> {
    let mut tx = store.write().await?;
    let head = tx.lock_log().await?.ok_or(StoreError::NoVault)?;
    if head.size() != from {
        return Err(RecoveryError::Moved { database: head.size(), expected: from });
    }
    if tx.recoveries().await?.len() >= MAX_RECOVERIES {
        return Err(RecoveryError::TooMany);
    }
    let vault = tx.vault().await?.ok_or(StoreError::NoVault)?;
    let frontier = tx.insert_lost(&head.frontier, entries).await?;

    let (named, next) = log_key.map_or((None, None), |(named, key)| (Some(named), Some(key)));
    // The key before hands over, unless it is given up.
    let before = matches!(named, Some(NamedAgain::Rotated(_))).then_some(&keys.log);
    let signers: Vec<_> = [Some(&keys.vault), before, next].into_iter().flatten().collect();
    let noted = RecoveryNoted { from, log_key: named.map(Box::new), to: frontier.size() };
    let mut op_id = [0; 16];
    entropy.fill(&mut op_id);
    let now = clock.now();
    let said = system_statement(keys, Kind::RecoveryNoted, OpId::new(op_id), now, Some(vault.id));
    let said = Statement { data: noted.to_data(), ..said }.to_bytes();
    let envelope = envelope::sign(PayloadType::Statement, &said, &signers);
    let submission = Submission::new(envelope, Attachments::default())
        .map_err(|_| StoreError::Inconsistent("the vault cannot read what it says itself"))?;

    let known = Known::load(&mut tx, State::default(), std::iter::once(&submission)).await?;
    let Known { before, state, heads, .. } = known;
    let resuming = resumed_here(&mut tx, from, &heads).await?;
    let log = LogIdentity { origin: vault.origin, vault: Some(vault.id) };
    let received = now.max(head.last_received);
    let mut writer = Writer::new(log, &frontier, received, state, heads);
    writer.resume(resuming);
    let signers = writer.signers(&submission).map_err(|refusal| RecoveryError::Refused(refusal.into()))?;
    let verified = Verified::with(&submission, &signers).map_err(RecoveryError::Refused)?;
    writer.decide(&submission, &verified).map_err(RecoveryError::Refused)?;
    let range = writer.record(&submission, entropy);
    let record = writer.built(range.clone()).next().map(|built| built.hash);
    let record = record.ok_or(StoreError::Inconsistent("a statement made no record"))?;
    let (made, ..) = writer.write(&mut tx, &before, next.unwrap_or(&keys.log)).await?;
    tx.insert_recovery(&Gap { from: noted.from, to: noted.to, record }).await?;
    tx.commit().await?;
    let receipt = made.receipts(submission.bytes(), range).pop();
    Ok(receipt.ok_or(StoreError::Inconsistent("a statement made no record"))?)
}

impl Tx {
    /// The recoveries that noted these gaps, each proven against a checkpoint of `size` entries.
    pub(super) async fn recoveries_noted(
        &mut self,
        gaps: &[Gap],
        size: u64,
        checkpoint: &SignedNote,
    ) -> Result<Vec<Recovery>, StoreError> {
        if gaps.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.records_at(&gaps.iter().map(|gap| gap.to).collect::<Vec<_>>()).await?;
        if rows.len() != gaps.len() {
            return Err(StoreError::Inconsistent("the record of a recovery is missing"));
        }
        let (mut noted, mut tiles) = (Vec::with_capacity(rows.len()), Tiles::default());
        for row in rows {
            let plan = Plan::inclusion(row.log_index, size)
                .map_err(|_| StoreError::Inconsistent("a record lies beyond the end of the log"))?;
            let path = self.proof(&plan, &mut tiles).await?;
            let proof = TlogProof::new(row.log_index, path, checkpoint.clone())
                .map_err(|_| StoreError::Inconsistent("a proof is longer than any can be"))?;
            let (record, envelope, salt, entry) = (row.record, row.envelope, row.salt, row.entry);
            noted.push(Recovery { record, envelope, salt, entry, proof });
        }
        Ok(noted)
    }
}
