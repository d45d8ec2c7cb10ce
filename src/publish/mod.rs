//! Publishing: what is committed becomes public, at most a second behind.
//!
//! One task follows the sequencer. It writes every newly full tile and bundle of entries into the object store, once
//! and for all, then the entries after them, then the checkpoint: whatever the checkpoint there says, the entries are
//! there too. Bytes that are there already and differ mean that another history was published; then nothing more is.
//!
//! Where witnesses are configured, a checkpoint is published once their quorum has cosigned it ([`witnesses`]); until
//! then the one before stays. Otherwise it is published as soon as its entries are stored.
//!
//! Several processes of one vault, on one PostgreSQL database, all publish: tiles and bundles are the same bytes whoever
//! writes them, what moves on with the log's end is written in turn, and a checkpoint that witnesses cosigned for one of
//! them is shown by all.
//!
//! Nothing here decides, records or answers; a vault that cannot publish goes on taking evidence, and says so in its
//! alarms ([`Status::alarms`]).

mod lost;
mod roots;
mod start;
mod stored;
mod witness;
pub mod witnesses;

use std::sync::Arc;
use std::time::Duration;

use custody::note::SignedNote;
use custody::tile::{TileError, TilePath, emit_entries};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::watch;
use tokio::time::Instant;

pub use lost::{Lost, LostError, lost};
pub use start::{Found, StartError, find};
pub use stored::Signers;

use crate::blobs::{BlobsError, LogFile, LogObjects};
use crate::clock::Clock;
use crate::store::{CheckpointRow, LogHead, Store, StoreError};
use stored::BUNDLE;
use witnesses::{Round, Witnesses};

/// Rounds begin no sooner after each other, so that a busy log makes larger rounds instead of more.
const PACE: Duration = Duration::from_millis(250);
/// How often to look whether another process has committed something.
const LOOK: Duration = Duration::from_secs(1);
/// Objects written at a time.
const AT_ONCE: usize = 4;
/// How long to wait after the object store or the database failed, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// A checkpoint that everybody is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// How many entries it covers.
    pub size: u64,
    /// The note.
    pub note: Arc<SignedNote>,
    /// Whether a quorum of witnesses cosigned it.
    pub witnessed: bool,
}

/// Why nothing more is published until the vault is started again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// A tile or bundle was published with other bytes.
    #[error("{0} was published with other bytes than the log has there now")]
    OtherBytes(TilePath),
    /// A witness has cosigned more entries than the database has.
    #[error("witness {witness} has seen {seen} entries, the database has {database}: it was set back")]
    SetBack {
        /// What the policy calls it.
        witness: String,
        /// Entries that it has cosigned.
        seen: u64,
        /// Entries in the database.
        database: u64,
    },
    /// A witness has cosigned another history.
    #[error("witness {witness} has seen another history of this log")]
    Forked {
        /// What the policy calls it.
        witness: String,
    },
}

/// What was published, and what stands in the way.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Entries that are in the object store.
    pub stored: u64,
    /// Tiles and bundles that were gone from the object store at the start and are not written again yet.
    pub missing: u64,
    /// What everybody is shown.
    pub published: Option<Published>,
    /// Set once, until the vault is started again.
    pub stopped: Option<Stop>,
    /// Why the object store could not be written, if the last round failed.
    pub failing: Option<String>,
    /// Whether too few witnesses cosigned the newest entries.
    pub quorum_missed: bool,
    /// One a witness that is asked.
    pub witnesses: Vec<WitnessStatus>,
    /// Since the start.
    pub counts: Counts,
}

/// What a witness said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessStatus {
    /// What the policy calls it.
    pub name: String,
    /// Entries that it has cosigned, as far as is known.
    pub size: u64,
    /// Why it did not cosign, if it did not.
    pub trouble: Option<String>,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tiles and bundles written.
    pub objects: u64,
    /// Checkpoints published.
    pub checkpoints: u64,
    /// Rounds in which the object store or the database failed.
    pub failures: u64,
    /// Rounds in which the quorum was missed.
    pub quorums_missed: u64,
}

impl Status {
    /// What an operator must look at, one line each.
    pub fn alarms(&self) -> Vec<String> {
        let stopped = self.stopped.as_ref().map(|stop| format!("publishing has stopped: {stop}"));
        let failing = self.failing.as_ref().map(|error| format!("publishing fails: {error}"));
        let missed = self.quorum_missed && self.stopped.is_none();
        let missed = missed.then(|| {
            let published = self.published.as_ref().map_or(0, |published| published.size);
            let stored = self.stored;
            format!("too few witnesses have cosigned: {published} of {stored} entries are published")
        });
        [stopped, failing, missed].into_iter().flatten().collect()
    }
}

/// What publishes. Made when a vault is opened, set going when it is served.
#[derive(Debug)]
pub struct Publisher {
    store: Store,
    objects: LogObjects,
    clock: Arc<dyn Clock>,
    committed: watch::Receiver<u64>,
    status: watch::Sender<Status>,
    witnesses: Option<Witnesses>,
    /// Failed rounds after each other.
    failed: u32,
}

/// Why a round failed. Tried again, but for other bytes.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Blobs(#[from] BlobsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tile(#[from] TileError),
}

impl Publisher {
    /// Prepares to go on from what was [found](find) in the object store.
    pub fn new(
        store: Store,
        objects: LogObjects,
        clock: Arc<dyn Clock>,
        committed: watch::Receiver<u64>,
        found: Found,
        witnesses: Option<Witnesses>,
    ) -> Self {
        let published = match &witnesses {
            // One without cosignatures is shown only where there never was one with.
            Some(_) => found.witnessed.or(found.stored.clone()),
            None => found.stored.clone().into_iter().chain(found.witnessed).max_by_key(|found| found.size),
        };
        // What is gone is written again, and all that is there compared.
        let stored = found.stored.filter(|_| found.missing == 0);
        let status = Status {
            stored: stored.map_or(0, |stored| stored.size),
            missing: found.missing,
            published,
            witnesses: witnesses.as_ref().map(Witnesses::status).unwrap_or_default(),
            ..Status::default()
        };
        let status = watch::Sender::new(status);
        Self { store, objects, clock, committed, status, witnesses, failed: 0 }
    }

    /// Tells what is published, from now on.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Whether a quorum of witnesses is asked for.
    pub const fn asks_witnesses(&self) -> bool {
        self.witnesses.is_some()
    }

    /// Publishes until the sequencer ends, and then what it committed last.
    pub async fn run(mut self) {
        loop {
            let began = Instant::now();
            let again = self.round().await;
            if self.status.borrow().stopped.is_some() {
                return;
            }
            let wait = async {
                match again {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            let stored = self.status.borrow().stored;
            let over = tokio::select! {
                changed = self.committed.changed() => changed.is_err(),
                () = wait => false,
                // What was not stored is no news: it waits as long as everything that failed.
                () = committed_elsewhere(&self.store, stored), if self.failed == 0 => false,
            };
            if over {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep_until(began + PACE) => {}
                () = ended(self.committed.clone()) => break,
            }
        }
        // What was answered last is stored too, if it can be; the next start goes on from there.
        if let Err(error) = self.store_log().await {
            tracing::warn!(error = chain(&error), "the last entries could not be published");
        }
    }

    /// One round; when to begin the next one even if nothing new is committed.
    async fn round(&mut self) -> Option<Duration> {
        let done = async {
            let (size, note) = self.store_log().await?;
            self.publish(size, note).await
        };
        match done.await {
            Ok(again) => {
                if std::mem::take(&mut self.failed) > 0 {
                    tracing::info!("publishing works again");
                }
                self.status.send_if_modified(|status| status.failing.take().is_some());
                again
            }
            Err(RoundError::Blobs(BlobsError::OtherBytes(path))) => {
                self.stop(Stop::OtherBytes(path));
                None
            }
            Err(error) => {
                let text = chain(&error);
                if self.failed == 0 {
                    tracing::error!(error = text, "publishing failed; it is tried again");
                }
                self.failed = self.failed.saturating_add(1);
                self.status.send_modify(|status| {
                    status.failing = Some(text);
                    status.counts.failures += 1;
                });
                Some(RETRY.0.saturating_mul(1 << self.failed.min(8)).min(RETRY.1))
            }
        }
    }

    /// Brings the object store up to the log's head; its size and checkpoint.
    async fn store_log(&mut self) -> Result<(u64, SignedNote), RoundError> {
        let head = self.head().await?;
        let (stored, size) = (self.status.borrow().stored, head.size());
        if size <= stored {
            return Ok((size, head.checkpoint));
        }
        let before = self.create_full(stored, size).await?;
        let _turn = self.store.turn_to_publish().await?;
        // What whoever had the turn before has written is no further.
        let head = self.head().await?;
        let last = head.size();
        let written = before + self.create_full(size, last).await?;
        let start = last - last % BUNDLE;
        let entries = self.store.read().await?.entries(start..last).await?;
        let mut tail = start.to_be_bytes().to_vec();
        tail.extend(emit_entries(entries.iter().map(<[u8; _]>::as_slice))?);
        self.objects.replace(LogFile::Tail, tail).await?;
        self.objects.replace(LogFile::Checkpoint, head.checkpoint.to_string().into_bytes()).await?;
        self.status.send_modify(|status| {
            (status.stored, status.missing) = (last, 0);
            status.counts.objects += written;
        });
        Ok((last, head.checkpoint))
    }

    async fn head(&self) -> Result<LogHead, StoreError> {
        self.store.read().await?.log_head().await?.ok_or(StoreError::NoVault)
    }

    /// Writes the tiles and bundles that became full from one size to the next; how many were not there yet.
    async fn create_full(&self, from: u64, to: u64) -> Result<u64, RoundError> {
        // Entries first: whatever a crash leaves beyond a database that is then set back can be read.
        let bundles = TilePath::completed(from, to).filter_map(TilePath::bundle);
        Ok(self.create(bundles).await? + self.create(TilePath::completed(from, to)).await?)
    }

    /// Writes full tiles or bundles, a few at a time and in order; how many were not there yet.
    async fn create(&self, paths: impl Iterator<Item = TilePath>) -> Result<u64, RoundError> {
        let (store, objects) = (&self.store, &self.objects);
        let written = futures_util::stream::iter(paths).map(|path| async move {
            let bytes = store.read().await?.tile(path).await?;
            let bytes = bytes.ok_or(StoreError::Inconsistent("a tile of the log is not whole"))?;
            objects.create(path, bytes).await.map_err(RoundError::from)
        });
        written.buffered(AT_ONCE).try_fold(0, |count, new| async move { Ok(count + u64::from(new)) }).await
    }

    /// Publishes a checkpoint whose entries are stored, with cosignatures where witnesses are configured.
    async fn publish(&mut self, size: u64, note: SignedNote) -> Result<Option<Duration>, RoundError> {
        if self.asks_witnesses() {
            self.show_others(&note).await?;
        }
        let before = self.status.borrow().published.clone();
        let Some(witnesses) = &mut self.witnesses else {
            if before.is_none_or(|before| before.size < size) {
                self.show(Published { size, note: Arc::new(note), witnessed: false });
            }
            return Ok(None);
        };
        if before.as_ref().is_some_and(|before| before.witnessed && before.size >= size) {
            self.quorum_missed(false);
            return Ok(None);
        }
        let round = tokio::select! {
            round = witnesses.ask(&self.store, size, &note) => round?,
            () = ended(self.committed.clone()) => return Ok(None),
        };
        let (standing, again) = (witnesses.status(), witnesses.next_due());
        self.status.send_modify(|status| status.witnesses = standing);
        match round {
            Round::Quorum(note) => {
                let row = CheckpointRow { size, note: note.clone(), published: self.clock.now() };
                self.store.keep_checkpoint(&row).await?;
                let _turn = self.store.turn_to_publish().await?;
                // Its own, or a larger one that another process got meanwhile.
                let row = self.store.read().await?.newest_checkpoint().await?.unwrap_or(row);
                self.objects.replace(LogFile::Witnessed, row.note.to_string().into_bytes()).await?;
                self.quorum_missed(false);
                self.show(Published { size: row.size, note: Arc::new(row.note), witnessed: true });
                Ok(None)
            }
            Round::Overtaken => Ok(Some(Duration::ZERO)),
            Round::Missed => {
                // Until a quorum was met for the first time there is no better one to stay with.
                if before.is_none_or(|before| !before.witnessed && before.size < size) {
                    self.show(Published { size, note: Arc::new(note), witnessed: false });
                }
                self.quorum_missed(true);
                Ok(Some(again))
            }
            Round::Stop(stop) => {
                self.stop(stop);
                Ok(None)
            }
        }
    }

    /// Shows what witnesses cosigned for another process of this vault, if that is newer.
    async fn show_others(&self, note: &SignedNote) -> Result<(), RoundError> {
        let newest = self.store.read().await?.newest_checkpoint().await?;
        // Of a log that was given up nothing is shown.
        let newest = newest.filter(|row| origin(&row.note) == origin(note));
        let shown = self.status.borrow().published.clone();
        match newest {
            Some(row) if shown.is_none_or(|shown| !shown.witnessed || shown.size < row.size) => {
                self.show(Published { size: row.size, note: Arc::new(row.note), witnessed: true });
            }
            _ => {}
        }
        Ok(())
    }

    fn show(&self, published: Published) {
        self.status.send_modify(|status| {
            status.published = Some(published);
            status.counts.checkpoints += 1;
        });
    }

    fn quorum_missed(&self, missed: bool) {
        let before = self.status.borrow().quorum_missed;
        self.status.send_modify(|status| {
            status.quorum_missed = missed;
            status.counts.quorums_missed += u64::from(missed);
        });
        if missed && !before {
            tracing::warn!("too few witnesses cosign: the checkpoint before stays published until they do");
        } else if before && !missed {
            tracing::info!("the witnesses' quorum is met again");
        }
    }

    fn stop(&self, stop: Stop) {
        tracing::error!(reason = %stop, "publishing has stopped: see docs/OPERATIONS.md, \"Alarms\"");
        self.status.send_modify(|status| status.stopped = Some(stop));
    }
}

/// Waits until nothing more will be committed.
async fn ended(mut committed: watch::Receiver<u64>) {
    while committed.changed().await.is_ok() {}
}

/// Waits until another process may have committed more than is stored.
async fn committed_elsewhere(store: &Store, stored: u64) {
    if !store.is_shared() {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(LOOK).await;
        let head = async { store.read().await?.log_head().await };
        // A database that does not answer is the next round's.
        if matches!(head.await, Ok(Some(head)) if head.size() > stored) {
            return;
        }
    }
}

/// The name of the log that a checkpoint is of.
fn origin(note: &SignedNote) -> Option<&str> {
    note.text().lines().next()
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut text = String::new();
    for cause in causes.map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    text
}
