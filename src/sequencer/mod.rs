//! The one way into the log: statements are decided, recorded and proven here, and answered once they are durable.
//!
//! One task per process takes whatever waits (at most [`MAX_BATCH`] statements) and commits it in one transaction:
//! lock the log's head, read the state in bulk, decide each statement, append records, entries and projections,
//! sign the new checkpoint, commit. While one batch commits the next one gathers, so that load makes batches larger
//! instead of queues longer. Several processes may share one PostgreSQL database: they meet at the head's lock and
//! trust nothing that they read before it.
//!
//! A statement that the rules refuse hurts nobody else in its batch. If the database fails, every waiter is told
//! whether nothing was written ([`SubmitError::Failed`]) or nobody knows ([`SubmitError::Unknown`]: submit the same
//! envelope again; its `op_id` makes sure that it counts once).

mod batch;
mod genesis;
mod keys;
mod receipts;
mod recovery;
mod replay;
mod submission;
mod writer;

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use custody::digest::Digest;
use custody::entropy::Entropy;
use custody::receipt::Receipt;
use custody::rules::Refusal;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::store::{Store, StoreError};

pub use batch::LockedView;
pub use genesis::{GenesisError, create_vault};
pub use keys::SigningKeys;
pub use recovery::{LostEntries, RecoveryError, recover};
pub(crate) use replay::{Replay, Stop};
pub use submission::{Attachments, Submission, SubmissionError};

use batch::{Attempt, AttemptError, Sequencer};
use keys::{KeyCache, Verified};
use writer::Made;

/// Most statements in one transaction.
pub const MAX_BATCH: usize = 1_024;
/// Most records in one transaction, unless a single statement makes more.
const MAX_BATCH_RECORDS: usize = 4_096;
/// Submissions that may wait; whoever comes later waits to be let in.
const QUEUE: usize = 4_096;
/// How long a batch may wait for the others of the batch before it, which were answered together and may come
/// back together. Spent only under load: one writer alone never waits.
const GATHER: Duration = Duration::from_millis(2);
/// How often a batch is tried again when another process was in the way.
const RETRIES: u32 = 8;

/// Why a statement got no receipt. Cheap to clone: one cause may concern a whole batch.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The rules refuse it. Nothing was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A signature does not verify. Nothing was written.
    #[error("a signature of the envelope does not verify")]
    BadSignature,
    /// Another statement carries this `op_id` already. Nothing was written.
    #[error("another statement of this actor carries the same op_id")]
    OpIdReused,
    /// What came with the statement came too late: an invitation was used, an enrolment settled, an object given
    /// up, a key made by somebody else. Nothing was written.
    #[error("what came with the statement came too late: somebody else was first")]
    TooLate,
    /// A key that comes with the statement is wrapped by another version of the key encryption key than the vault now has.
    /// Nothing was written.
    #[error("the vault has another key encryption key now")]
    KekReplaced,
    /// The statement could not be drafted under the log's lock. Nothing was written.
    #[error("the statement could not be drafted: {0}")]
    Draft(String),
    /// The database failed before the commit. Nothing was written.
    #[error("nothing was recorded")]
    Failed(#[source] Arc<StoreError>),
    /// The database failed during the commit: submit the same envelope again to learn what became of it.
    #[error("it is unknown whether this was recorded: submit the same envelope again")]
    Unknown(#[source] Arc<StoreError>),
    /// The sequencer has stopped, after a disk failure or because the process ends.
    #[error("the vault takes no more statements until it is restarted")]
    Stopped,
}

impl From<StoreError> for SubmitError {
    fn from(error: StoreError) -> Self {
        Self::Failed(Arc::new(error))
    }
}

/// What to build under the log's lock, for statements that commit to what is in the log at their own moment.
pub type Draft =
    Box<dyn for<'a> FnOnce(&'a mut LockedView) -> BoxFuture<'a, Result<Submission, SubmitError>> + Send>;

type Answer = Result<Vec<Receipt>, SubmitError>;

/// What a waiting statement is answered with. Its receipts are made where it waits, while the next batch is under way.
enum Reply {
    Recorded { made: Arc<Made>, range: Range<usize>, envelope: Vec<u8> },
    Known(Digest),
    Refused(SubmitError),
}

/// A waiting statement.
struct Job {
    submission: Submission,
    verified: Verified,
    answer: oneshot::Sender<Reply>,
}

enum Request {
    Submit(Box<Job>),
    Draft(Draft, oneshot::Sender<Reply>),
    /// Nothing after this is taken.
    End,
}

/// The way to a running sequencer. Cheap to clone; the sequencer ends after [`end`](Self::end), or when the last handle
/// is gone, and everything that waits was answered.
#[derive(Clone)]
pub struct Handle {
    store: Store,
    queue: mpsc::Sender<Request>,
    keys: Arc<KeyCache>,
    size: watch::Receiver<u64>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle(..)")
    }
}

impl Handle {
    /// Submits a statement. Answered after the commit, with one receipt a record; a statement that was recorded
    /// before is answered with its receipts, proven anew. Signatures are verified here, on the caller's thread.
    ///
    /// The statement counts or not whether or not the caller stays for the answer.
    pub async fn submit(&self, submission: Submission) -> Result<Vec<Receipt>, SubmitError> {
        let verified = self.keys.verify(&submission).await?;
        let (answer, reply) = oneshot::channel();
        let job = Box::new(Job { submission, verified, answer });
        self.send(Request::Submit(job), reply).await
    }

    /// Builds a statement under the log's lock and submits it, alone in its transaction.
    pub async fn draft(&self, draft: Draft) -> Result<Vec<Receipt>, SubmitError> {
        let (answer, reply) = oneshot::channel();
        self.send(Request::Draft(draft, answer), reply).await
    }

    /// Takes no more statements, whoever else holds a handle. The task ends when what came before is answered.
    pub async fn end(&self) {
        // A worker that is gone has ended already.
        let _ = self.queue.send(Request::End).await;
    }

    /// Changes when this process has committed a batch: the size of the log then. For whoever publishes.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.size.clone()
    }

    async fn send(&self, request: Request, reply: oneshot::Receiver<Reply>) -> Answer {
        self.queue.send(request).await.map_err(|_| SubmitError::Stopped)?;
        match reply.await.map_err(|_| SubmitError::Stopped)? {
            Reply::Recorded { made, range, envelope } => Ok(made.receipts(&envelope, range)),
            // Known before, or said twice in one batch: proven anew, from what is committed now.
            Reply::Known(stmt) => Ok(self.store.read().await?.receipts(stmt).await?),
            Reply::Refused(error) => Err(error),
        }
    }
}

/// Starts the sequencer of a vault that exists. The task ends after the last handle is dropped.
pub async fn start(
    store: Store,
    keys: Arc<SigningKeys>,
    clock: Arc<dyn Clock>,
    entropy: Box<dyn Entropy + Send>,
) -> Result<(Handle, tokio::task::JoinHandle<()>), StoreError> {
    let mut tx = store.read().await?;
    let vault = tx.vault().await?.ok_or(StoreError::NoVault)?;
    let head = tx.log_head().await?.ok_or(StoreError::NoVault)?;
    drop(tx);
    let cache = Arc::new(KeyCache::new(store.clone(), &keys));
    let (queue, requests) = mpsc::channel(QUEUE);
    let (announce, size) = watch::channel(head.size());
    let sequencer = Sequencer::new(store.clone(), keys, clock, entropy, vault.id);
    let waiting = VecDeque::new();
    let worker = Worker { sequencer, requests, cache: Arc::clone(&cache), waiting, last: 1, announce };
    Ok((Handle { store, queue, keys: cache, size }, tokio::spawn(worker.run())))
}

struct Worker {
    sequencer: Sequencer,
    requests: mpsc::Receiver<Request>,
    cache: Arc<KeyCache>,
    waiting: VecDeque<Request>,
    /// Statements in the batch before.
    last: usize,
    announce: watch::Sender<u64>,
}

impl Worker {
    async fn run(mut self) {
        while self.gather().await {
            let jobs = self.next_batch();
            self.last = jobs.len().max(1);
            let healthy = if jobs.is_empty() {
                match self.waiting.pop_front() {
                    Some(Request::Draft(draft, answer)) => self.commit_draft(draft, answer).await,
                    Some(Request::End) => return,
                    _ => true,
                }
            } else {
                self.commit(jobs).await
            };
            if !healthy {
                // A disk that failed once is not written to again; whoever waits is told so by the closed channel.
                tracing::error!("the database's disk failed: no more statements are taken");
                return;
            }
        }
    }

    /// What goes into one transaction: all that waits before the next draft, but not too many records.
    fn next_batch(&mut self) -> Vec<Job> {
        let mut jobs = Vec::new();
        let mut records = 0;
        while let Some(Request::Submit(job)) = self.waiting.front() {
            records += job.submission.statement().items.as_ref().map_or(1, Vec::len);
            if records > MAX_BATCH_RECORDS && !jobs.is_empty() {
                break;
            }
            if let Some(Request::Submit(job)) = self.waiting.pop_front() {
                jobs.push(*job);
            }
        }
        jobs
    }

    /// Waits for something to do and takes what is there. `false`: everybody has left.
    async fn gather(&mut self) -> bool {
        if self.waiting.is_empty() {
            match self.requests.recv().await {
                Some(request) => self.waiting.push_back(request),
                None => return false,
            }
        }
        self.take_waiting();
        if self.waiting.len() < self.last {
            let until = tokio::time::Instant::now() + GATHER;
            while self.waiting.len() < self.last {
                match tokio::time::timeout_at(until, self.requests.recv()).await {
                    Ok(Some(request)) => self.waiting.push_back(request),
                    Ok(None) | Err(_) => break,
                }
                self.take_waiting();
            }
        }
        true
    }

    fn take_waiting(&mut self) {
        while self.waiting.len() < MAX_BATCH {
            match self.requests.try_recv() {
                Ok(request) => self.waiting.push_back(request),
                Err(_) => return,
            }
        }
    }

    /// Commits jobs, in smaller parts where a constraint stands against the whole. `false`: the disk failed.
    async fn commit(&mut self, jobs: Vec<Job>) -> bool {
        let mut parts = vec![(jobs, 0)];
        while let Some((mut jobs, tries)) = parts.pop() {
            let error = match self.sequencer.attempt(&jobs).await {
                Ok(attempt) => {
                    self.answer(jobs, attempt);
                    continue;
                }
                Err(error) => error,
            };
            match &error {
                AttemptError::Before(StoreError::Retriable(_)) if tries < RETRIES => {
                    parts.push((jobs, tries + 1));
                }
                AttemptError::Before(StoreError::Constraint(_)) if jobs.len() > 1 => {
                    let second = jobs.split_off(jobs.len() / 2);
                    parts.push((second, tries));
                    parts.push((jobs, tries));
                }
                // Another process may have recorded the same act since this one looked: look again, once or twice.
                AttemptError::Before(StoreError::Constraint(_)) if tries < 2 => parts.push((jobs, tries + 1)),
                _ => {
                    let failed = error.is_disk();
                    tracing::error!(error = ?error, statements = jobs.len(), "a batch failed");
                    let answer = SubmitError::from(error);
                    for job in jobs {
                        drop(job.answer.send(Reply::Refused(answer.clone())));
                    }
                    if failed {
                        return false;
                    }
                }
            }
        }
        true
    }

    async fn commit_draft(&mut self, draft: Draft, answer: oneshot::Sender<Reply>) -> bool {
        match self.sequencer.attempt_draft(draft, &self.cache).await {
            Ok((submission, attempt)) => {
                let job = Job { submission, verified: Verified::default(), answer };
                self.answer(vec![job], attempt);
                true
            }
            Err(batch::DraftError::Submit(error)) => {
                drop(answer.send(Reply::Refused(error)));
                true
            }
            Err(batch::DraftError::Attempt(error)) => {
                let failed = error.is_disk();
                tracing::error!(error = ?error, "a drafted statement failed");
                drop(answer.send(Reply::Refused(error.into())));
                !failed
            }
        }
    }

    fn answer(&mut self, jobs: Vec<Job>, attempt: Attempt) {
        self.announce.send_if_modified(|size| std::mem::replace(size, attempt.size) != attempt.size);
        for (job, verdict) in jobs.into_iter().zip(attempt.verdicts) {
            let reply = match verdict {
                batch::Verdict::Recorded(range) => {
                    let (made, envelope) = (Arc::clone(&attempt.made), job.submission.into_bytes());
                    Reply::Recorded { made, range, envelope }
                }
                batch::Verdict::Refused(error) => Reply::Refused(error),
                batch::Verdict::Known(stmt) => Reply::Known(stmt),
            };
            // Whoever left does not need to know.
            drop(job.answer.send(reply));
        }
    }
}

impl From<AttemptError> for SubmitError {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::Before(StoreError::Constraint(_)) => Self::TooLate,
            AttemptError::Before(error) => Self::Failed(Arc::new(error)),
            AttemptError::Commit(error) => Self::Unknown(Arc::new(error)),
        }
    }
}
