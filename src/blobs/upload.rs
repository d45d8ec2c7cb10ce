//! Writing: the request's worker fills buffers, one thread hashes and seals them in place, a task stores them.
//!
//! ```text
//! push ─ full buffers ─> thread: SHA-256, CRC-32, AES-256-GCM, BLAKE3 ─ sealed buffers ─> task: put_part
//!   ^                                                                                          │
//!   └───────────────────────────── empty buffers, [`BUFFERS`] in all ──────────────────────────┘
//! ```

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use custody::blob::{
    BlobContext, BlobFacts, BlobWriter, ObjectId, SealedBuf, SegmentBuf, SegmentsPerPart, VaultId,
};
use custody::entropy::Entropy;
use custody::id::ItemId;
use custody::keys::DataKey;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Blobs, BlobsError, path};
use crate::engine::{AwsLc, OsEntropy};

/// Buffers of 256 KiB an upload uses at most: 6 MiB.
const BUFFERS: usize = 24;
/// Sealed segments stored with one call: 2 MiB.
const SEGMENTS_A_PIECE: usize = 8;

/// What is to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewBlob {
    /// The vault.
    pub vault: VaultId,
    /// The item whose content it is.
    pub item: ItemId,
    /// Which version of its content, from 1.
    pub version: u32,
    /// How many segments make a part; [`SegmentsPerPart::for_content`] says what fits the size.
    pub segments_per_part: SegmentsPerPart,
    /// More bytes of content than this are refused.
    pub max_bytes: Option<u64>,
}

/// An object that is being written. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Upload {
    target: Target,
    max_bytes: u64,
    pushed: u64,
    current: Option<SegmentBuf>,
    room: Arc<Semaphore>,
    free: mpsc::Receiver<SegmentBuf>,
    /// The way to the thread; gone once the upload has failed.
    filled: Option<mpsc::Sender<Filled>>,
    facts: oneshot::Receiver<Result<BlobFacts, BlobsError>>,
    stored: JoinHandle<Result<Pending, BlobsError>>,
}

/// An object whose bytes are all stored and which nobody can see yet: compare its facts with what was promised,
/// then [`commit`](Self::commit) or [`abort`](Self::abort). Dropping it aborts.
#[derive(Debug)]
pub struct SealedUpload {
    target: Target,
    facts: BlobFacts,
    pending: Pending,
}

impl Blobs {
    /// Begins an object under a new random id. Waits for a while, though not for ever, while as many uploads as this
    /// machine can serve are active.
    pub async fn begin(&self, new: NewBlob, key: &DataKey) -> Result<Upload, BlobsError> {
        let object = ObjectId::new(OsEntropy.array());
        let context = BlobContext { object, vault: new.vault, item: new.item, version: new.version };
        let writer = BlobWriter::<AwsLc>::start(context, new.segments_per_part, key, &mut OsEntropy)?;
        let permit = self.place().await?;
        let target = Target { store: Arc::clone(&self.store), object };
        let multipart = self.store.put_multipart(&path(object)).await.map_err(|error| target.error(error))?;

        let (free_to, free) = mpsc::channel(BUFFERS);
        let (filled, filled_from) = mpsc::channel(BUFFERS);
        let (sealed_to, sealed) = mpsc::channel(BUFFERS);
        let (facts_to, facts) = oneshot::channel();
        let head = Bytes::copy_from_slice(writer.header().as_bytes());
        let pending = Pending::new(multipart, permit);
        let room = Arc::new(Semaphore::new(BUFFERS));
        let places = Places(Arc::clone(&room));
        let stored = tokio::spawn(store_all(target.clone(), pending, head, sealed, places));
        let work = move || seal_all(writer, filled_from, &sealed_to, &free_to);
        thread::Builder::new()
            .name("seal".into())
            .spawn(move || drop(facts_to.send(work())))
            .map_err(BlobsError::Thread)?;
        let max_bytes = new.max_bytes.unwrap_or(u64::MAX);
        Ok(Upload {
            target,
            max_bytes,
            pushed: 0,
            current: None,
            room,
            free,
            filled: Some(filled),
            facts,
            stored,
        })
    }

    /// A place among the active uploads, once there is one; not for ever.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, BlobsError> {
        let permit = timeout(self.patience, Arc::clone(&self.threads).acquire_owned()).await;
        let permit = permit.map_err(|_| BlobsError::Busy)?;
        permit.map_err(|closed| BlobsError::Thread(std::io::Error::other(closed)))
    }
}

impl Upload {
    /// The id under which the object will stand.
    pub const fn object(&self) -> ObjectId {
        self.target.object
    }

    /// Takes more content; waits while storage is slower than the caller.
    pub async fn push(&mut self, mut chunk: &[u8]) -> Result<(), BlobsError> {
        self.pushed += chunk.len() as u64;
        if self.pushed > self.max_bytes {
            return Err(BlobsError::TooLarge(self.max_bytes));
        }
        while !chunk.is_empty() {
            // A full buffer waits here until more content shows that it is not the last one.
            let mut buffer = match self.current.take() {
                Some(full) if full.is_full() => {
                    self.send(Filled::More(full)).await?;
                    self.empty().await?
                }
                Some(buffer) => buffer,
                None => self.empty().await?,
            };
            let taken = buffer.push(chunk);
            self.current = Some(buffer);
            chunk = &chunk[taken..];
        }
        Ok(())
    }

    /// Ends the content and waits until all of it is stored, though not yet visible.
    pub async fn seal(mut self) -> Result<SealedUpload, BlobsError> {
        let last = match self.current.take() {
            Some(buffer) => buffer,
            None => self.empty().await?,
        };
        self.send(Filled::Last(last)).await?;
        let pending = joined((&mut self.stored).await)?;
        let facts = self.facts.await.unwrap_or_else(|_| Err(ended_early()))?;
        Ok(SealedUpload { target: self.target, facts, pending })
    }

    /// An empty buffer, once fewer than [`BUFFERS`] are under way: one that came back, or else a new one.
    async fn empty(&mut self) -> Result<SegmentBuf, BlobsError> {
        let closed = self.room.acquire().await.map(SemaphorePermit::forget).is_err();
        if closed {
            return Err(self.failure().await);
        }
        Ok(self.free.try_recv().unwrap_or_default())
    }

    async fn send(&mut self, filled: Filled) -> Result<(), BlobsError> {
        let Some(thread) = &self.filled else { return Err(ended_early()) };
        match thread.send(filled).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    /// Why it goes no further: the thread's own error, or the one that stopped storing. The thread may know of neither
    /// and wait for content: it ends because nobody can send any.
    async fn failure(&mut self) -> BlobsError {
        if self.filled.take().is_none() {
            return ended_early();
        }
        match (&mut self.facts).await {
            Ok(Err(error @ BlobsError::Blob(_))) => error,
            _ => joined((&mut self.stored).await).err().unwrap_or_else(ended_early),
        }
    }
}

impl SealedUpload {
    pub(super) const fn new(target: Target, facts: BlobFacts, pending: Pending) -> Self {
        Self { target, facts, pending }
    }

    /// What was written.
    pub const fn facts(&self) -> &BlobFacts {
        &self.facts
    }

    /// Makes the object visible and durable; only now may a record name it.
    pub async fn commit(mut self) -> Result<BlobFacts, BlobsError> {
        let (object, path) = (self.target.object, path(self.target.object));
        match self.target.store.head(&path).await {
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(self.target.error(error)),
            Ok(_) => return Err(BlobsError::Exists(object)),
        }
        let Some(mut multipart) = self.pending.multipart.take() else { return Err(ended_early()) };
        if let Err(error) = multipart.complete().await {
            // Whether it became visible is not known; nobody names it, so it may go.
            drop(multipart.abort().await);
            drop(self.target.store.delete(&path).await);
            return Err(self.target.error(error));
        }
        let found = self.target.store.head(&path).await.map_err(|error| self.target.error(error))?.size;
        let wanted = self.facts.object_size;
        if found == wanted {
            return Ok(self.facts);
        }
        drop(self.target.store.delete(&path).await);
        Err(BlobsError::Length { object, found, wanted })
    }

    /// Removes what was stored.
    pub async fn abort(mut self) -> Result<(), BlobsError> {
        match self.pending.multipart.take() {
            Some(mut multipart) => multipart.abort().await.map_err(|error| self.target.error(error)),
            None => Ok(()),
        }
    }
}

/// Where an upload goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) object: ObjectId,
}

impl Target {
    pub(super) fn error(&self, error: object_store::Error) -> BlobsError {
        BlobsError::of(self.object, error)
    }
}

/// Stored parts that are no object yet; removed when dropped. The place among the active uploads is given up
/// only after that.
#[derive(Debug)]
pub(super) struct Pending {
    multipart: Option<Box<dyn MultipartUpload>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Pending {
    pub(super) const fn new(multipart: Box<dyn MultipartUpload>, permit: OwnedSemaphorePermit) -> Self {
        Self { multipart: Some(multipart), permit: Some(permit) }
    }

    pub(super) fn multipart(&mut self) -> Result<&mut Box<dyn MultipartUpload>, BlobsError> {
        self.multipart.as_mut().ok_or_else(ended_early)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let permit = self.permit.take();
        if let (Some(mut multipart), Ok(runtime)) = (self.multipart.take(), Handle::try_current()) {
            runtime.spawn(async move {
                drop(multipart.abort().await);
                drop(permit);
            });
        }
    }
}

/// The places for buffers under way, given back when their segments are stored; whoever waits for one is told
/// when storing ends.
struct Places(Arc<Semaphore>);

impl Drop for Places {
    fn drop(&mut self) {
        self.0.close();
    }
}

enum Filled {
    More(SegmentBuf),
    Last(SegmentBuf),
}

enum Sealed {
    Segment(Bytes),
    End,
}

/// A sealed segment that gives its buffer back once the store has let go of it.
struct Lent {
    sealed: Option<SealedBuf>,
    free: mpsc::Sender<SegmentBuf>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.sealed.as_ref().map_or(&[], AsRef::as_ref)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(sealed) = self.sealed.take() {
            drop(self.free.try_send(sealed.recycle())); // nobody waits any more: the buffer is cleared and freed
        }
    }
}

/// The thread: seals buffers until the last one, or until either neighbour is gone.
fn seal_all(
    mut writer: BlobWriter<AwsLc>,
    mut filled: mpsc::Receiver<Filled>,
    sealed_to: &mpsc::Sender<Sealed>,
    free: &mpsc::Sender<SegmentBuf>,
) -> Result<BlobFacts, BlobsError> {
    let pass_on = |sealed| {
        let lent = Lent { sealed: Some(sealed), free: free.clone() };
        sealed_to.blocking_send(Sealed::Segment(Bytes::from_owner(lent))).map_err(|_| ended_early())
    };
    loop {
        match filled.blocking_recv() {
            Some(Filled::More(buffer)) => pass_on(writer.segment(buffer, &mut OsEntropy)?)?,
            Some(Filled::Last(buffer)) => {
                let (sealed, facts) = writer.last(buffer, &mut OsEntropy)?;
                pass_on(sealed)?;
                sealed_to.blocking_send(Sealed::End).map_err(|_| ended_early())?;
                return Ok(facts);
            }
            None => return Err(ended_early()),
        }
    }
}

/// The task: stores sealed segments a few at a time, one call ahead of the next.
async fn store_all(
    target: Target,
    mut pending: Pending,
    head: Bytes,
    mut sealed: mpsc::Receiver<Sealed>,
    places: Places,
) -> Result<Pending, BlobsError> {
    let (mut piece, mut segments) = (vec![head], 0);
    let mut in_flight: Option<InFlight> = None;
    loop {
        let end = match sealed.recv().await {
            Some(Sealed::Segment(segment)) => {
                piece.push(segment);
                segments += 1;
                false
            }
            Some(Sealed::End) => true,
            None => return Err(ended_early()),
        };
        if segments == SEGMENTS_A_PIECE || (end && segments > 0) {
            settle(&target, &places, in_flight.take()).await?;
            let call = tokio::spawn(pending.multipart()?.put_part(piece.drain(..).collect::<PutPayload>()));
            in_flight = Some(InFlight { call, segments });
            segments = 0;
        }
        if end {
            settle(&target, &places, in_flight.take()).await?;
            return Ok(pending);
        }
    }
}

/// A piece that is being stored.
struct InFlight {
    call: JoinHandle<object_store::Result<()>>,
    segments: usize,
}

async fn settle(target: &Target, places: &Places, in_flight: Option<InFlight>) -> Result<(), BlobsError> {
    let Some(InFlight { call, segments }) = in_flight else { return Ok(()) };
    call.await.map_err(lost)?.map_err(|error| target.error(error))?;
    // Some stores keep what they were given until the end: the place is free even where the buffer is not.
    places.0.add_permits(segments);
    Ok(())
}

fn joined<T>(ended: Result<Result<T, BlobsError>, tokio::task::JoinError>) -> Result<T, BlobsError> {
    ended.map_err(lost)?
}

pub(super) fn lost(error: tokio::task::JoinError) -> BlobsError {
    BlobsError::Thread(std::io::Error::other(error))
}

pub(super) fn ended_early() -> BlobsError {
    BlobsError::Thread(std::io::Error::other("it ended before the content did"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use custody::blob::{SegmentsPerPart, VaultId};
    use custody::digest::Digest;
    use custody::keys::Key32;
    use uuid::Uuid;

    /// Far longer than anything here takes; a failure instead of a test that never ends.
    const FOR_EVER: std::time::Duration = std::time::Duration::from_mins(1);

    #[tokio::test]
    async fn storing_that_ends_while_the_thread_waits_ends_the_upload() {
        let blobs = Blobs::open("memory:///").unwrap();
        let new = NewBlob {
            vault: VaultId::of(&Digest::of(b"vault")),
            item: ItemId::new(Uuid::from_bytes([7; 16])),
            version: 1,
            segments_per_part: SegmentsPerPart::new(4).unwrap(),
            max_bytes: None,
        };
        let mut upload = blobs.begin(new, &DataKey::new(Key32::new([1; 32]))).await.unwrap();
        upload.stored.abort();
        while !upload.stored.is_finished() {
            tokio::task::yield_now().await;
        }
        for _ in 0..2 {
            let refused = timeout(FOR_EVER, upload.push(&[1])).await.expect("it says so");
            assert!(matches!(refused, Err(BlobsError::Thread(_))));
        }
        assert!(timeout(FOR_EVER, upload.seal()).await.expect("it says so").is_err());
    }
}
