//! Stored objects: content sealed while it arrives, opened while it is read.
//!
//! What its sender has sealed is taken as it comes, once everything fits that can be checked without its key.
//! An object is written once under a new random id, complete and durable or not at all, and never changed.
//! Which object belongs to which item is not known here; the caller commits that record after
//! [`SealedUpload::commit`] has returned. A crash in between leaves an object nobody knows: an orphan, to be
//! found by [`Blobs::list`].

mod copy;
mod error;
mod log;
mod read;
mod taking;
mod upload;

use std::collections::HashSet;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use custody::blob::{Audit, AuditFindings, ObjectId, Part};
use futures_util::{Stream, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::Semaphore;

pub use copy::Copied;
pub use error::BlobsError;
pub use log::{Listed, LogFile, LogObjects};
pub use read::BlobSource;
pub use taking::Taking;
pub use upload::{NewBlob, SealedUpload, Upload};

/// Bytes of ciphertext fetched at a time.
const WINDOW: u64 = 8 * custody::blob::SEGMENT_LEN as u64;
/// How long an upload waits for its turn before it is turned away, to come again later.
const PATIENCE: Duration = Duration::from_secs(20);
/// A file of the published log that nobody has touched for so long will not be finished: it takes moments to write.
const LEFT: Duration = Duration::from_mins(10);
/// Evidence stands below this name.
const PREFIX: &str = "objects";

/// Where objects are stored. Cheap to clone; clones share the limit on uploads.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    threads: Arc<Semaphore>,
    places: usize,
    /// How long an upload waits for its turn.
    patience: Duration,
    /// The folder of a local store.
    folder: Option<PathBuf>,
    /// Ids that senders chose, from before anything is looked for until a record names the object or nothing does.
    chosen: Arc<Mutex<HashSet<ObjectId>>>,
}

/// An id that a sender chose. Until it is dropped nobody else gets it: what is looked for under it stays as it was found.
#[derive(Debug)]
pub struct Chosen {
    object: ObjectId,
    chosen: Arc<Mutex<HashSet<ObjectId>>>,
}

impl Drop for Chosen {
    fn drop(&mut self) {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.object);
    }
}

impl Blobs {
    /// Opens `file:///folder`, which must exist, or `memory:///`, which is empty and forgets everything.
    pub fn open(url: &str) -> Result<Self, BlobsError> {
        if url == "memory:///" {
            return Ok(Self::over(Arc::new(InMemory::new())));
        }
        let folder = url.strip_prefix("file://").filter(|path| path.starts_with('/'));
        let folder = folder.ok_or_else(|| BlobsError::Url(url.to_owned()))?;
        if !FsPath::new(folder).is_dir() {
            return Err(BlobsError::NoFolder(folder.to_owned()));
        }
        let local = LocalFileSystem::new_with_prefix(folder).map_err(BlobsError::Store)?;
        let folder = Some(PathBuf::from(folder));
        Ok(Self { folder, ..Self::over(Arc::new(local.with_fsync(true))) })
    }

    /// Stores objects in any store; it must make them durable before it says that they are complete.
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let places = 2 * cores;
        Self {
            store,
            threads: Arc::new(Semaphore::new(places)),
            places,
            patience: PATIENCE,
            folder: None,
            chosen: Arc::default(),
        }
    }

    /// Holds an id that a sender chose; nothing while somebody else holds it.
    pub fn choose(&self, object: ObjectId) -> Option<Chosen> {
        let chosen = Arc::clone(&self.chosen);
        let first = self.chosen.lock().unwrap_or_else(PoisonError::into_inner).insert(object);
        first.then_some(Chosen { object, chosen })
    }

    /// How many uploads may be under way at once.
    pub const fn places(&self) -> usize {
        self.places
    }

    /// Removes what a crash left of uploads that never became objects: a local store keeps them as `<id>#<n>` and shows
    /// them to nobody. Only for a process that has begun no upload and shares the folder with none that has. Of the
    /// published log what was touched lately stays: another process may be writing it. Returns how many uploads.
    pub async fn remove_unfinished(&self) -> Result<usize, BlobsError> {
        let Some(folder) = self.folder.clone() else { return Ok(0) };
        off_worker(move || {
            let unfinished = |entry: &walkdir::DirEntry| {
                let name = entry.file_name().to_string_lossy();
                let id = name.split_once('#').map(|(id, _)| id.parse::<ObjectId>());
                entry.file_type().is_file() && matches!(id, Some(Ok(_)))
            };
            let unpublished = |entry: &walkdir::DirEntry| {
                let touched = entry.metadata().ok().and_then(|metadata| metadata.modified().ok());
                // A moment that is still to come says nothing.
                let left = touched.and_then(|touched| touched.elapsed().ok()).is_some_and(|age| age > LEFT);
                left && entry.file_type().is_file() && entry.file_name().to_string_lossy().contains('#')
            };
            let files = |name| walkdir::WalkDir::new(folder.join(name)).into_iter().filter_map(Result::ok);
            let removed = |entry: &walkdir::DirEntry| std::fs::remove_file(entry.path()).is_ok();
            files(log::PREFIX).filter(unpublished).filter(removed).count();
            files(PREFIX).filter(unfinished).filter(removed).count()
        })
        .await
    }

    /// Deletes an object; one that is not there is deleted already.
    pub async fn delete(&self, object: ObjectId) -> Result<(), BlobsError> {
        match self.store.delete(&path(object)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(BlobsError::of(object, error)),
        }
    }

    /// Whether an object is there.
    pub async fn exists(&self, object: ObjectId) -> Result<bool, BlobsError> {
        match self.store.head(&path(object)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(BlobsError::of(object, error)),
        }
    }

    /// All objects with their sizes in bytes, in no order. Names that are not object ids are passed over.
    pub fn list(&self) -> impl Stream<Item = Result<(ObjectId, u64), BlobsError>> + use<> {
        self.store.list(Some(&Path::from(PREFIX))).map_err(BlobsError::Store).try_filter_map(
            |meta| async move {
                let id = meta.location.filename().and_then(|name| name.parse().ok());
                Ok(id.map(|id| (id, meta.size)))
            },
        )
    }

    /// Reads an object's ciphertext and compares it with the part hashes of its manifest; needs no key.
    pub async fn audit(&self, object: ObjectId, parts: Vec<Part>) -> Result<AuditFindings, BlobsError> {
        self.audit_slowly(object, parts, None).await
    }

    /// As [`Blobs::audit`], at most at `rate` bytes a second where one is given.
    pub async fn audit_slowly(
        &self,
        object: ObjectId,
        parts: Vec<Part>,
        rate: Option<u64>,
    ) -> Result<AuditFindings, BlobsError> {
        let mut audit = Audit::new(parts);
        let mut windows = Box::pin(self.ciphertext(object).await?);
        while let Some(window) = windows.try_next().await? {
            let pause = rate.map(|rate| Duration::from_micros(window.len() as u64 * 1_000_000 / rate.max(1)));
            audit = off_worker(move || {
                audit.push(&window);
                audit
            })
            .await?;
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
        Ok(audit.finish())
    }
}

/// Where an object stands: spread over folders, because some file systems grow slow with many names in one.
fn path(object: ObjectId) -> Path {
    let hex = object.to_string();
    Path::from(format!("{PREFIX}/{}/{}/{hex}", &hex[..2], &hex[2..4]))
}

/// Runs work that takes the processor for long where it holds up no other request.
async fn off_worker<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BlobsError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| BlobsError::Thread(std::io::Error::other(error)))
}

#[cfg(test)]
mod tests;
