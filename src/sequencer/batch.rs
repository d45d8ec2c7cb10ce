//! One batch: one transaction.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use custody::act::ClockFault;
use custody::checkpoint::{Checkpoint, Origin};
use custody::digest::Digest;
use custody::entropy::Entropy;
use custody::envelope::{self, PayloadType, key_hash};
use custody::id::OpId;
use custody::kind::Kind;
use custody::note::{SignatureType, VerifierKey};
use custody::record::{LogIdentity, Sequence};
use custody::rules::{Footprint, State, Vault};
use custody::statement::{Actor, Assurance, Statement, Version};
use custody::time::Timestamp;
use ed25519_dalek::SigningKey;

use super::keys::{KeyCache, SigningKeys, Verified};
use super::recovery::Recoveries;
use super::writer::{Made, Writer};
use super::{Attachments, Draft, Job, Submission, SubmitError};
use crate::clock::Clock;
use crate::store::{HeadRow, LogHead, Store, StoreError, Tx};

/// By how much the clocks may part between two batches before a record says so.
const MAX_DRIFT_MS: i64 = 5_000;

/// What became of each statement of a batch that was committed.
pub(super) struct Attempt {
    pub(super) verdicts: Vec<Verdict>,
    /// What receipts are made of.
    pub(super) made: Arc<Made>,
    /// Size of the log now.
    pub(super) size: u64,
}

/// What became of one statement.
pub(super) enum Verdict {
    /// In the log now, as these of the records that were made.
    Recorded(std::ops::Range<usize>),
    /// Not in the log.
    Refused(SubmitError),
    /// In the log already, as this statement.
    Known(Digest),
}

/// Why a batch was not committed, as far as one knows.
#[derive(Debug)]
pub(super) enum AttemptError {
    /// Nothing was written.
    Before(StoreError),
    /// The commit itself failed.
    Commit(StoreError),
}

impl AttemptError {
    /// Whether the disk failed, so that nothing more must be written.
    pub(super) const fn is_disk(&self) -> bool {
        let (Self::Before(error) | Self::Commit(error)) = self;
        matches!(error, StoreError::Disk(_))
    }
}

impl From<StoreError> for AttemptError {
    fn from(error: StoreError) -> Self {
        Self::Before(error)
    }
}

/// Why a drafted statement was not committed.
pub(super) enum DraftError {
    /// It could not be drafted, or is not signed.
    Submit(SubmitError),
    /// The database failed.
    Attempt(AttemptError),
}

/// The log, held still: nobody appends until this goes away.
pub struct LockedView {
    tx: Tx,
    head: LogHead,
    now: Timestamp,
    vault: Digest,
    fault: Option<ClockFault>,
    monotonic_ms: u64,
}

impl LockedView {
    /// Reads of the store, exactly as they will be when the statement is recorded.
    pub const fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    /// How many entries the log has.
    pub const fn size(&self) -> u64 {
        self.head.size()
    }

    /// The vault's clock.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The vault.
    pub const fn vault(&self) -> Digest {
        self.vault
    }
}

impl fmt::Debug for LockedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockedView({})", self.size())
    }
}

/// What decides and records.
pub(super) struct Sequencer {
    pub(super) store: Store,
    keys: Arc<SigningKeys>,
    clock: Arc<dyn Clock>,
    entropy: Box<dyn Entropy + Send>,
    /// Signs checkpoints: the log's present key, as far as this process knows.
    log_key: Arc<SigningKey>,
    vault: Digest,
    /// Wall and monotonic clock at the batch before.
    before: Option<(Timestamp, u64)>,
    kept: Kept,
    recoveries: Recoveries,
}

/// Entities kept from one batch to the next before starting anew.
const MAX_KEPT: usize = 1_000;

/// The vault, persons, keys, cases and members that the batch before has read and changed. They change by records only:
/// as long as the log has not grown since, they are what the database holds.
#[derive(Default)]
struct Kept {
    size: u64,
    state: State,
}

impl Kept {
    /// What is still true of a log of this size.
    fn take(&mut self, size: u64) -> State {
        let kept = std::mem::take(self);
        if kept.size == size { kept.state } else { State::default() }
    }

    /// Keeps what is true after the log has grown to `size`.
    fn keep(&mut self, size: u64, state: State) {
        let State { vault, persons, keys, cases, members, .. } = state;
        if persons.len() + keys.len() + cases.len() + members.len() <= MAX_KEPT {
            *self = Self { size, state: State { vault, persons, keys, cases, members, ..State::default() } };
        }
    }
}

impl Sequencer {
    pub(super) fn new(
        store: Store,
        keys: Arc<SigningKeys>,
        clock: Arc<dyn Clock>,
        entropy: Box<dyn Entropy + Send>,
        vault: Digest,
    ) -> Self {
        let log_key = Arc::new(keys.log.clone());
        Self {
            store,
            keys,
            clock,
            entropy,
            log_key,
            vault,
            before: None,
            kept: Kept::default(),
            recoveries: Recoveries::default(),
        }
    }

    /// Decides and commits these jobs together.
    pub(super) async fn attempt(&mut self, jobs: &[Job]) -> Result<Attempt, AttemptError> {
        let view = self.lock().await?;
        let jobs: Vec<_> = jobs.iter().map(|job| (&job.submission, &job.verified)).collect();
        self.append(view, &jobs).await
    }

    /// Drafts a statement under the log's lock and commits it.
    pub(super) async fn attempt_draft(
        &mut self,
        draft: Draft,
        keys: &KeyCache,
    ) -> Result<(Submission, Attempt), DraftError> {
        let attempt = |error: StoreError| DraftError::Attempt(error.into());
        let mut view = self.lock().await.map_err(attempt)?;
        let submission = draft(&mut view).await.map_err(DraftError::Submit)?;
        let verified = keys.verify(&submission).await.map_err(DraftError::Submit)?;
        let attempt = Box::pin(self.append(view, &[(&submission, &verified)])).await;
        let attempt = attempt.map_err(DraftError::Attempt)?;
        Ok((submission, attempt))
    }

    async fn lock(&mut self) -> Result<LockedView, StoreError> {
        let mut tx = self.store.write().await?;
        let head = tx.lock_log().await?.ok_or(StoreError::NoVault)?;
        let (now, monotonic_ms) = (self.clock.now(), self.clock.monotonic_ms());
        let fault = drift(self.before, (now, monotonic_ms), head.last_received);
        let fault = fault.map(|drift_ms| ClockFault { drift_ms });
        Ok(LockedView { tx, head, now, vault: self.vault, fault, monotonic_ms })
    }

    async fn append(
        &mut self,
        view: LockedView,
        jobs: &[(&Submission, &Verified)],
    ) -> Result<Attempt, AttemptError> {
        let LockedView { mut tx, head, now, fault, monotonic_ms, .. } = view;
        let fault = fault.map(|fault| self.clock_fault(&fault, now)).transpose()?;
        let acts = jobs.iter().map(|(submission, _)| act_of(submission));
        let mut known = tx.known_acts(acts).await?;

        let new = jobs.iter().map(|(submission, _)| *submission).filter(|s| !known.contains_key(&act_of(s)));
        let kept = self.kept.take(head.size());
        let known_before = Known::load(&mut tx, kept, fault.iter().chain(new)).await?;
        let Known { before, state, heads, sequences } = known_before;
        let objects: Vec<_> = jobs.iter().filter_map(|(s, _)| s.attachments().object.as_ref()).collect();
        let buried = tx.buried(&objects.iter().map(|object| object.object).collect::<Vec<_>>()).await?;

        let resuming = self.recoveries.resuming(&mut tx, &head, &self.vault, (&sequences, &heads)).await?;

        let received = now.max(head.last_received);
        let origin = state.vault.as_ref().ok_or(StoreError::NoVault)?.origin.clone();
        let log = LogIdentity { origin, vault: Some(self.vault) };
        let mut writer = Writer::new(log, &head.frontier, received, state, heads);
        writer.resume(resuming);
        if let Some(fault) = &fault {
            writer.record(fault, &mut *self.entropy);
            // Only here may time go back: the fault says by how much, and why.
            writer.received_from_now_on(now);
        }
        let mut verdicts = Vec::with_capacity(jobs.len());
        for (submission, verified) in jobs {
            if let Some(stmt) = known.get(&act_of(submission)) {
                verdicts.push(if *stmt == submission.stmt() {
                    Verdict::Known(*stmt)
                } else {
                    Verdict::Refused(SubmitError::OpIdReused)
                });
                continue;
            }
            let gone = submission.attachments().object.as_ref().is_some_and(|o| buried.contains(&o.object))
                || !writer.has_keys_for(submission);
            let decided = writer.decide(submission, verified).and_then(|()| writer.wraps(submission));
            verdicts.push(match decided {
                Err(error) => Verdict::Refused(error),
                Ok(()) if gone || !tx.changes(&submission.attachments().changes).await? => {
                    Verdict::Refused(SubmitError::TooLate)
                }
                Ok(()) => {
                    known.insert(act_of(submission), submission.stmt());
                    Verdict::Recorded(writer.record(submission, &mut *self.entropy))
                }
            });
        }
        let (made, size) = self.write(tx, writer, &before, head).await?;
        self.before = Some((now, monotonic_ms));
        Ok(Attempt { verdicts, made: Arc::new(made), size })
    }

    /// Writes what was made and commits; if nothing was made there is nothing to write.
    async fn write(
        &mut self,
        mut tx: Tx,
        writer: Writer,
        before: &State,
        head: LogHead,
    ) -> Result<(Made, u64), AttemptError> {
        let old_size = head.size();
        if writer.is_empty() {
            return Ok((Made::nothing(head.checkpoint), old_size));
        }
        let log_key = Arc::clone(writer.log_key().unwrap_or(&self.log_key));
        let (made, head, state) = writer.write(&mut tx, before, &log_key).await?;
        tx.commit().await.map_err(|error| match error {
            // A constraint checked at commit, or a conflict: the database says that it rolled back.
            StoreError::Constraint(_) | StoreError::Retriable(_) | StoreError::Full(_) => {
                AttemptError::Before(error)
            }
            error => AttemptError::Commit(error),
        })?;
        self.recoveries.grown_to(head.size());
        self.log_key = log_key;
        self.kept.keep(head.size(), state);
        Ok((made, head.size()))
    }

    fn clock_fault(&mut self, fault: &ClockFault, now: Timestamp) -> Result<Submission, StoreError> {
        let mut op_id = [0; 16];
        self.entropy.fill(&mut op_id);
        let statement = Statement {
            data: fault.to_data(),
            ..system_statement(&self.keys, Kind::ClockFault, OpId::new(op_id), now, Some(self.vault))
        };
        tracing::warn!(drift_ms = fault.drift_ms, "the wall clock left the monotonic clock");
        system_submission(&statement, &self.keys)
            .map_err(|_| StoreError::Inconsistent("the vault cannot read what it says itself"))
    }
}

/// What deciding about statements, and recording them, looks at.
pub(super) struct Known {
    /// The projections as they are stored.
    pub(super) before: State,
    /// The same, with what the statements name as seen.
    pub(super) state: State,
    /// The newest records of the sequences that go on.
    pub(super) heads: HashMap<Sequence, HeadRow>,
    /// These, and those that begin.
    pub(super) sequences: BTreeSet<Sequence>,
}

impl Known {
    /// Reads it in bulk, but for what is `kept` already.
    pub(super) async fn load<'a>(
        tx: &mut Tx,
        kept: State,
        submissions: impl Iterator<Item = &'a Submission>,
    ) -> Result<Self, StoreError> {
        let mut footprint = Footprint::default();
        for submission in submissions {
            footprint.add(submission.statement(), submission.act());
        }
        let before = tx.projections(&footprint, kept).await?;
        let mut state = before.clone();
        tx.seen(&footprint, &mut state).await?;
        let heads = tx.heads(&footprint.sequences).await?;
        Ok(Self { before, state, heads, sequences: footprint.sequences })
    }
}

pub(super) fn act_of(submission: &Submission) -> (Actor, OpId) {
    (submission.statement().actor, submission.statement().op_id)
}

/// The milliseconds by which the wall clock left the monotonic one since the batch before, or fell behind what is
/// in the log already (it was set back while nobody watched, or another replica's is ahead), if that is too much.
fn drift(before: Option<(Timestamp, u64)>, now: (Timestamp, u64), last: Timestamp) -> Option<i64> {
    let parted = before.map_or(0, |before| {
        let wall = now.0.millis() - before.0.millis();
        let monotonic = i64::try_from(now.1.saturating_sub(before.1)).unwrap_or(i64::MAX);
        wall.saturating_sub(monotonic)
    });
    let behind = (now.0.millis() - last.millis()).min(0);
    [parted, behind].into_iter().find(|drift| drift.abs() > MAX_DRIFT_MS)
}

/// What the vault says itself, to be filled in.
pub(super) fn system_statement(
    keys: &SigningKeys,
    kind: Kind,
    op_id: OpId,
    now: Timestamp,
    vault: Option<Digest>,
) -> Statement {
    Statement {
        actor: Actor::System,
        actor_key: key_hash(&keys.vault.verifying_key()),
        actor_time: now,
        assurance: Assurance::System,
        case: None,
        content: None,
        data: custody::json::Object::new(),
        fields: std::collections::BTreeMap::new(),
        item: None,
        items: None,
        kind,
        op_id,
        person: None,
        purpose: None,
        seen: None,
        v: Version,
        vault,
    }
}

pub(super) fn system_submission(
    statement: &Statement,
    keys: &SigningKeys,
) -> Result<Submission, super::SubmissionError> {
    let envelope = envelope::sign(PayloadType::Statement, &statement.to_bytes(), &[&keys.vault]);
    Submission::new(envelope, Attachments::default())
}

/// Signs the checkpoint of a vault's log, with the key that the log has.
pub(super) fn checkpoint(
    vault: &Vault,
    size: u64,
    root: Digest,
    key: &SigningKey,
) -> Result<custody::note::SignedNote, StoreError> {
    let origin = Origin::new(&vault.origin);
    let origin = origin.map_err(|_| StoreError::Inconsistent("the log's name is no origin"))?;
    let vkey = VerifierKey::new(origin.key_name(), SignatureType::Ed25519, key.verifying_key());
    if !vkey.is_ok_and(|vkey| vkey.to_string() == vault.log_vkey) {
        return Err(StoreError::LogKeyReplaced);
    }
    let checkpoint = Checkpoint::new(origin, size, root);
    let note = checkpoint.ok().and_then(|checkpoint| checkpoint.sign(key).ok());
    note.ok_or(StoreError::Inconsistent("the log is larger than a checkpoint can say"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    #[test]
    fn clocks_that_go_together_are_no_fault() {
        assert_eq!(drift(None, (at(9_000), 0), at(9_000)), None);
        assert_eq!(drift(Some((at(0), 0)), (at(86_400_000), 86_400_000), at(0)), None);
        assert_eq!(drift(Some((at(0), 0)), (at(5_000), 0), at(0)), None);
    }

    #[test]
    fn a_wall_clock_that_jumps_is_a_fault_in_either_direction() {
        assert_eq!(drift(Some((at(0), 0)), (at(5_001), 0), at(0)), Some(5_001));
        assert_eq!(drift(Some((at(100_000), 0)), (at(50_000), 1_000), at(100_000)), Some(-51_000));
    }

    #[test]
    fn a_clock_set_back_while_nobody_watched_is_a_fault() {
        assert_eq!(drift(None, (at(1_000), 0), at(7_000)), Some(-6_000));
        assert_eq!(drift(None, (at(2_000), 0), at(7_000)), None);
    }
}
