//! The published log beside the evidence: tiles and bundles that are written once, and the few files that move on with
//! its end. With them the object store alone holds every published entry.

use std::fmt;
use std::sync::Arc;

use custody::tile::TilePath;
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, PutMode, PutOptions};

use super::{Blobs, BlobsError};

/// The published log stands below this name.
pub(super) const PREFIX: &str = "log";
/// No file of the published log is larger, in bytes: a full bundle of our entries has some 25 KiB, a note 64.
const MAX_BYTES: u64 = 1 << 20;

/// Where the log is published.
#[derive(Debug, Clone)]
pub struct LogObjects {
    store: Arc<dyn ObjectStore>,
}

/// What tiles and bundles there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The one that only the largest log has: how many entries that is, and where it stands.
    pub furthest: Option<(u64, String)>,
    /// How many are full, of those that belong to the entries asked for.
    pub full: u64,
}

/// A file that moves on with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFile {
    /// The newest checkpoint up to which every entry is here, signed by the log.
    Checkpoint,
    /// The entries after the last full bundle: the index of the first in eight bytes, big-endian, and a bundle.
    Tail,
    /// The newest checkpoint that a quorum of witnesses cosigned.
    Witnessed,
}

impl fmt::Display for LogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Checkpoint => "checkpoint",
            Self::Tail => "tail",
            Self::Witnessed => "witnessed",
        };
        write!(f, "{PREFIX}/{name}")
    }
}

impl LogFile {
    fn path(self) -> Path {
        Path::from(self.to_string())
    }
}

impl Blobs {
    /// The published log in the same store.
    pub fn log(&self) -> LogObjects {
        LogObjects { store: Arc::clone(&self.store) }
    }
}

impl LogObjects {
    /// Writes a full tile or bundle, durably; whether it was not there yet. One that is there already must have the same
    /// bytes: otherwise the log was published with another history ([`BlobsError::OtherBytes`]).
    pub async fn create(&self, path: TilePath, bytes: Vec<u8>) -> Result<bool, BlobsError> {
        let at = Path::from(format!("{PREFIX}/{path}"));
        // To write first would flush a file to the disk for each of the many that are there when a log is written anew.
        if let Some(found) = self.read_at(&at).await? {
            return if found == bytes { Ok(false) } else { Err(BlobsError::OtherBytes(path)) };
        }
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&at, bytes.clone().into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => match self.read_at(&at).await? {
                Some(found) if found == bytes => Ok(false),
                _ => Err(BlobsError::OtherBytes(path)),
            },
            Err(error) => Err(BlobsError::store(error)),
        }
    }

    /// Writes a file that moves on with the log, in one step.
    pub async fn replace(&self, file: LogFile, bytes: Vec<u8>) -> Result<(), BlobsError> {
        let written = self.store.put_opts(&file.path(), bytes.into(), PutOptions::default()).await;
        written.map(drop).map_err(BlobsError::store)
    }

    /// Reads one; nothing if it was never written.
    pub async fn read(&self, file: LogFile) -> Result<Option<Vec<u8>>, BlobsError> {
        self.read_at(&file.path()).await
    }

    /// Reads a full tile or bundle; nothing if it was never written.
    pub async fn tile(&self, path: TilePath) -> Result<Option<Vec<u8>>, BlobsError> {
        self.read_at(&Path::from(format!("{PREFIX}/{path}"))).await
    }

    /// Whether nothing at all is published there.
    pub async fn is_empty(&self) -> Result<bool, BlobsError> {
        let first = self.store.list(Some(&Path::from(PREFIX))).try_next().await;
        Ok(first.map_err(BlobsError::store)?.is_none())
    }

    /// Lists all tiles and bundles, whatever their level; counts those of the first `size` entries.
    pub async fn listed(&self, size: u64) -> Result<Listed, BlobsError> {
        let mut metas = self.store.list(Some(&Path::from(format!("{PREFIX}/tile"))));
        let mut listed = Listed::default();
        while let Some(meta) = metas.try_next().await.map_err(BlobsError::store)? {
            let path = meta.location.as_ref();
            let tile = path.strip_prefix(PREFIX).and_then(|path| path.strip_prefix('/'));
            if let Some(tile) = tile.and_then(|path| path.parse::<TilePath>().ok()) {
                // Above all levels there is no log large enough.
                let needs = tile.nodes().map_or(u64::MAX, |(level, nodes)| nodes.end << level);
                listed.full += u64::from(tile.is_full() && needs <= size);
                listed.furthest = listed.furthest.max(Some((needs, path.to_owned())));
            }
        }
        Ok(listed)
    }

    async fn read_at(&self, at: &Path) -> Result<Option<Vec<u8>>, BlobsError> {
        let found = match self.store.get_opts(at, GetOptions::default()).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(BlobsError::store(error)),
        };
        if found.meta.size > MAX_BYTES {
            return Err(BlobsError::TooLarge(MAX_BYTES));
        }
        Ok(Some(found.bytes().await.map_err(BlobsError::store)?.to_vec()))
    }
}
