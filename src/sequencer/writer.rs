//! What a batch makes: pure decisions over the state that was loaded, and the rows that follow from them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use custody::act::{Act, PublicKey, ResealStep};
use custody::digest::Digest;
use custody::entropy::Entropy;
use custody::id::OrgId;
use custody::merkle::{Batch, Frontier, leaf_hash};
use custody::note::SignedNote;
use custody::proof::TlogProof;
use custody::receipt::{Predecessor, Receipt, Recovery};
use custody::record::{Built, LogIdentity, NextOpening, Nonces, Place, Resumption, Sequence, build};
use custody::rules::{self, Admitted, Refusal, State};
use custody::time::Timestamp;
use ed25519_dalek::SigningKey;

use super::keys::Verified;
use super::receipts::predecessor;
use super::recovery::Resuming;
use super::{Submission, SubmitError};
use crate::store::{
    Appended, Change, HalvesChange, HeadRow, LogHead, ObjectRow, Rows, StoreError, SubjectKey, Tx, changes,
    finished_subtrees, new_objects, new_subject_keys,
};

/// A record with what its receipt shows beside it.
pub(super) struct Recorded {
    built: Built,
    predecessors: Vec<Predecessor>,
    recoveries: Vec<Recovery>,
}

/// Collects what a batch makes.
pub(super) struct Writer {
    log: LogIdentity,
    frontier: Frontier,
    received: Timestamp,
    state: State,
    heads: HashMap<Sequence, HeadRow>,
    resuming: Resuming,
    records: Vec<Recorded>,
    appended: Appended,
    orgs: HashMap<OrgId, Digest>,
    subject_keys: Vec<SubjectKey>,
    objects: Vec<ObjectRow>,
    log_key: Option<Arc<SigningKey>>,
}

impl Writer {
    pub(super) fn new(
        log: LogIdentity,
        frontier: &Frontier,
        received: Timestamp,
        state: State,
        heads: HashMap<Sequence, HeadRow>,
    ) -> Self {
        Self {
            log,
            frontier: frontier.clone(),
            received,
            state,
            heads,
            resuming: Resuming::default(),
            records: Vec::new(),
            appended: Appended::new(),
            orgs: HashMap::new(),
            subject_keys: Vec::new(),
            objects: Vec::new(),
            log_key: None,
        }
    }

    /// Whether the statement may follow everything recorded so far, this batch included.
    pub(super) fn decide(&self, submission: &Submission, verified: &Verified) -> Result<(), SubmitError> {
        verified.are(&self.signers(submission)?)?;
        Ok(rules::decide(&self.state, self.received, submission.statement(), submission.act())?)
    }

    /// Whether the keys that come with the statement are wrapped by the version that the vault has now: an older one may
    /// be destroyed at any moment.
    pub(super) fn wraps(&self, submission: &Submission) -> Result<(), SubmitError> {
        let attached = submission.attachments();
        let keks = attached.object.iter().map(|object| object.kek);
        let halves = attached.changes.iter().filter_map(|change| match change {
            Change::Halves(change) => change.kek(),
            _ => None,
        });
        let mut keks = keks.chain(attached.subject_keys.iter().map(|key| key.kek)).chain(halves);
        let now = self.state.vault.as_ref().map_or(1, custody::rules::Vault::kek);
        if keks.all(|kek| kek == now) { Ok(()) } else { Err(SubmitError::KekReplaced) }
    }

    /// Whose signatures the statement must carry.
    pub(super) fn signers(&self, submission: &Submission) -> Result<Vec<PublicKey>, Refusal> {
        rules::signers(&self.state, submission.statement(), submission.act())
    }

    /// What was made of a statement: its records in `range`.
    pub(super) fn built(&self, range: Range<usize>) -> impl Iterator<Item = &Built> {
        self.records[range].iter().map(|record| &record.built)
    }

    /// Records a statement that was decided; which of the batch's records are its.
    pub(super) fn record(&mut self, submission: &Submission, entropy: &mut dyn Entropy) -> Range<usize> {
        let (statement, act, stmt) = (submission.statement(), submission.act(), submission.stmt());
        let first = self.records.len();
        if let Some(continued) = act.next_log_key().and_then(|next| next.continued) {
            // The record that says so is the first one of the log's new name.
            self.log.origin = continued.origin.to_string();
        }
        for places in rules::places(statement, act) {
            self.append(submission, places, entropy);
        }
        let hashes: Vec<_> = self.records[first..].iter().map(|record| record.built.hash).collect();
        let log_index = self.frontier.size() + first as u64;
        self.appended.statement(submission, log_index, hashes.len());
        rules::apply(&mut self.state, statement, act, &Admitted { stmt, log_index, records: &hashes });
        if let Act::OrgRegistered(d) = act {
            self.orgs.insert(d.org, stmt);
        }
        let attachments = submission.attachments();
        self.appended.openings(&stmt, &attachments.openings);
        self.subject_keys.extend(attachments.subject_keys.iter().cloned());
        self.objects.extend(attachments.object.iter().cloned());
        self.log_key = attachments.log_key.clone().or(self.log_key.take());
        first..self.records.len()
    }

    fn append(
        &mut self,
        submission: &Submission,
        (own, case): (Option<Sequence>, Option<Sequence>),
        entropy: &mut dyn Entropy,
    ) {
        let resumes = [own, case].map(|sequence| sequence.and_then(|sequence| self.resuming.take(sequence)));
        let recoveries = self.resuming.recoveries(resumes.into_iter().flatten());
        let before =
            |sequence: Option<Sequence>| sequence.map(|sequence| (sequence, self.heads.get(&sequence)));
        let place = |before: Option<(Sequence, Option<&HeadRow>)>, resumes: Option<Resumption>| {
            before.map(|(sequence, row)| Place { sequence, head: row.map(|row| row.head), resumes })
        };
        let places = [before(own), before(case)];
        let predecessors = places.into_iter().flatten();
        let predecessors =
            predecessors.filter_map(|(sequence, row)| Some(predecessor(sequence, row?))).collect();
        let log_index = self.frontier.size() + self.records.len() as u64;
        let built = build(
            &self.log,
            log_index,
            submission.stmt(),
            submission.statement().kind,
            self.received,
            (place(places[0], resumes[0]), place(places[1], resumes[1])),
            &nonces(entropy),
        );
        for (sequence, head) in &built.heads {
            let row = HeadRow { head: *head, record: built.bytes.clone(), log_index };
            self.heads.insert(*sequence, row);
        }
        self.appended.record(&built, submission.statement());
        self.records.push(Recorded { built, predecessors, recoveries });
    }

    /// Whether the keys that come with the statement are of the kind that its item's class asks for: the class, or whether
    /// there is content, may have changed since they were wrapped.
    pub(super) fn has_keys_for(&self, submission: &Submission) -> bool {
        let attached = submission.attachments();
        match submission.act() {
            Act::ContentReceived(_, id, ..) => {
                let restricted = self.state.items.get(id).is_some_and(|item| item.sealing.is_some());
                attached.object.as_ref().is_none_or(|object| object.halved == restricted)
            }
            Act::ItemClassified(_, id, d) if d.sealing.is_some() => {
                let stored = self.state.items.get(id).and_then(|item| item.stored);
                let halves = |object| {
                    attached
                        .changes
                        .iter()
                        .any(|c| matches!(c, Change::Halves(HalvesChange::Halve { object: o, .. }) if *o == object))
                };
                stored.is_none_or(|stored| halves(stored.object))
            }
            // What waits and what counts go with what the rules say, in one transaction.
            Act::Reseal(_, id, step) => {
                let stored =
                    self.state.items.get(id).and_then(|item| item.stored).map(|stored| stored.object);
                attached.changes.iter().any(|change| match (change, step) {
                    (Change::Halves(HalvesChange::Reseal { vaults, .. }), ResealStep::Resealed(d)) => {
                        (Some(vaults.object), vaults.halves) == (stored, d.halves)
                    }
                    (
                        Change::Halves(HalvesChange::Confirm { object, halves, .. }),
                        ResealStep::Confirmed(d),
                    ) => (Some(*object), *halves) == (stored, d.halves),
                    (Change::Halves(HalvesChange::GiveUp(object)), ResealStep::Withdrawn(_)) => {
                        Some(*object) == stored
                    }
                    _ => false,
                })
            }
            _ => true,
        }
    }

    /// The key that the log gets with this batch, if it gets another one.
    pub(super) const fn log_key(&self) -> Option<&Arc<SigningKey>> {
        self.log_key.as_ref()
    }

    /// The log's name after this batch.
    pub(super) fn origin(&self) -> &str {
        &self.log.origin
    }

    /// From the next record on, the vault's clock shows `now`.
    pub(super) const fn received_from_now_on(&mut self, now: Timestamp) {
        self.received = now;
    }

    /// Which sequences go on after lost records.
    pub(super) fn resume(&mut self, resuming: Resuming) {
        self.resuming = resuming;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Writes all rows; what was made, the log's head and the state after it.
    pub(super) async fn write(
        self,
        tx: &mut Tx,
        before: &State,
        key: &SigningKey,
    ) -> Result<(Made, LogHead, State), StoreError> {
        let last_received = self.received;
        let Finished { mut rows, records, batch, state } = self.finish(before)?;
        let vault = state.vault.as_ref().ok_or(StoreError::NoVault)?;
        let checkpoint = super::batch::checkpoint(vault, batch.size(), batch.root(), key)?;
        let frontier = batch.frontier().clone();
        let head = LogHead { frontier, checkpoint: checkpoint.clone(), last_received };
        rows.push(head.row());
        tx.insert_all(rows).await?;
        Ok((Made { records, batch, checkpoint }, head, state))
    }

    /// Writes all rows but the log's head, which only the log itself can sign; the tree with them.
    pub(super) async fn write_unsigned(self, tx: &mut Tx, before: &State) -> Result<Batch, StoreError> {
        let Finished { rows, batch, .. } = self.finish(before)?;
        tx.insert_all(rows).await?;
        Ok(batch)
    }

    fn finish(self, before: &State) -> Result<Finished, StoreError> {
        let leaf = |record: &Recorded| leaf_hash(&record.built.entry.to_bytes());
        let leaves: Vec<_> = self.records.iter().map(leaf).collect();
        let batch = Batch::new(&self.frontier, &leaves);
        let mut rows: Vec<_> = self.appended.rows().into();
        rows.push(finished_subtrees(&batch));
        rows.extend(changes(before, &self.state, &self.orgs)?);
        rows.extend([new_subject_keys(&self.subject_keys), new_objects(&self.objects)]);
        Ok(Finished { rows, records: self.records, batch, state: self.state })
    }
}

/// A batch, to be written.
struct Finished {
    rows: Vec<Rows<'static>>,
    records: Vec<Recorded>,
    batch: Batch,
    state: State,
}

/// What a committed batch made, to be handed out as receipts.
pub(super) struct Made {
    records: Vec<Recorded>,
    batch: Batch,
    checkpoint: SignedNote,
}

impl Made {
    pub(super) fn nothing(checkpoint: SignedNote) -> Self {
        Self { records: Vec::new(), batch: Batch::new(&Frontier::new(), &[]), checkpoint }
    }

    /// The receipts of the records in `range`, all of the statement in `envelope`.
    pub(super) fn receipts(&self, envelope: &[u8], range: Range<usize>) -> Vec<Receipt> {
        let envelope: Arc<[u8]> = envelope.into();
        let receipt = |Recorded { built, predecessors, recoveries }: &Recorded| {
            let index = built.record.log_index;
            let path = self.batch.inclusion_proof(index)?;
            Some(Receipt {
                record: built.bytes.clone(),
                envelope: Arc::clone(&envelope),
                salt: built.salt,
                entry: built.entry,
                predecessors: predecessors.clone(),
                proof: TlogProof::new(index, path, self.checkpoint.clone()).ok()?,
                recoveries: recoveries.clone(),
            })
        };
        // Every index is in the batch and no path is too long, so that no record is left out.
        self.records[range].iter().filter_map(receipt).collect()
    }
}

fn nonces(entropy: &mut dyn Entropy) -> Nonces {
    let mut bytes = [[0; 32]; 5];
    entropy.fill(bytes.as_flattened_mut());
    let [salt, own_s, own_t, case_s, case_t] = bytes.map(Digest::new);
    Nonces { salt, own: NextOpening { s: own_s, t: own_t }, case: NextOpening { s: case_s, t: case_t } }
}
