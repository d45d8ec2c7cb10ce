//! What is published and not in the database: read from the object store alone, and believed once it leads to the root
//! that the log signed.
//!
//! Everything that was written there counts, also what stands behind the newest checkpoint: bundles and tail are written
//! before it, so that somebody may have seen them, and a bundle that is there is never written again.

use custody::checkpoint::Checkpoint;
use custody::merkle::{Frontier, leaf_hash};
use custody::note::SignedNote;
use custody::record::ENTRY_BYTES;
use custody::tile::{FULL_WIDTH, TileKind, TilePath, parse_entries};

use super::{Signers, StartError};
use crate::blobs::{BlobsError, LogFile, LogObjects};
use crate::store::{Store, StoreError};

/// Entries of a full bundle.
const BUNDLE: u64 = FULL_WIDTH as u64;

/// Entries that are published, behind those of the database.
#[derive(Debug)]
pub struct Lost {
    /// How many the database has: the log index of the first.
    pub from: u64,
    /// How many the newest checkpoint in the object store covers.
    pub signed: u64,
    /// The entries, in order.
    pub entries: Vec<[u8; ENTRY_BYTES]>,
}

impl Lost {
    /// Log index after the last.
    pub const fn to(&self) -> u64 {
        self.from + self.entries.len() as u64
    }
}

/// Why it is not known what is lost, or nothing is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LostError {
    /// There is no published log.
    #[error("no log is published in the object store")]
    Unpublished,
    /// The database has everything.
    #[error("nothing is lost: the database has {database} entries, {published} are published")]
    Nothing {
        /// Entries in the database.
        database: u64,
        /// Entries that are published.
        published: u64,
    },
    /// The object store holds the published log of another vault, or something else in its place.
    #[error("the object store holds the published log of another vault, or none that can be read")]
    OtherLog,
    /// The database has another history than what was published.
    #[error("the database has another history than the {published} entries that are published")]
    Forked {
        /// Entries that are published.
        published: u64,
    },
    /// The published entries are not those that the log signed.
    #[error("the published entries do not lead to the root that the log signed for {signed} of them")]
    Damaged {
        /// Entries that the checkpoint covers.
        signed: u64,
    },
    /// Not all published entries are there.
    #[error("{signed} entries were published, {found} can be read: {path} is missing or malformed")]
    Missing {
        /// Entries that a checkpoint covers.
        signed: u64,
        /// Entries that can be read.
        found: u64,
        /// Where the next one should be.
        path: TilePath,
    },
    /// Something stands where entries go that cannot be known.
    #[error("{path} was published too, but only {found} entries before it can be read")]
    Beyond {
        /// Entries that can be read.
        found: u64,
        /// The first thing beyond.
        path: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store.
    #[error(transparent)]
    Blobs(#[from] BlobsError),
}

impl From<StartError> for LostError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Forked { published } => Self::Forked { published },
            StartError::Store(error) => Self::Store(error),
            StartError::Blobs(error) => Self::Blobs(error),
            StartError::RolledBack { .. } | StartError::OtherLog => Self::OtherLog,
        }
    }
}

impl LostError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Nothing { .. } | Self::Unpublished => "custos serve".to_owned(),
            Self::Forked { .. } => "restore the database that the published log was made from; \
                                    docs/OPERATIONS.md, \"A database that was set back\", says what this means"
                .to_owned(),
            Self::Damaged { .. } | Self::Missing { .. } => {
                "restore `log/` in the object store from its copy, or from a mirror's tiles: \
                 docs/OPERATIONS.md, \"A database that was set back\""
                    .to_owned()
            }
            Self::Beyond { path, .. } => {
                format!("move {path} to a safe place, keep it, and look again: its entries cannot be known")
            }
            Self::OtherLog | Self::Store(_) | Self::Blobs(_) => {
                "check `blobs_url` and `database_url` (custos config show)".to_owned()
            }
        }
    }
}

/// Reads the whole published log, and compares it with the database.
pub async fn lost(store: &Store, objects: &LogObjects, log: &Signers) -> Result<Lost, LostError> {
    let head = store.read().await?.log_head().await?.ok_or(StoreError::NoVault)?;
    let (from, root) = (head.size(), head.frontier.root());
    let signed = signed(objects, LogFile::Checkpoint, log).await?.ok_or(LostError::Unpublished)?;
    let cosigned = self::signed(objects, LogFile::Witnessed, log).await?;
    let claims: Vec<_> = std::iter::once(&signed).chain(&cosigned).collect();

    let tail = tail(objects).await?;
    let (mut frontier, mut entries) = (Frontier::new(), Vec::new());
    let (mut damaged, mut forked) = (None, false);
    let mut compare = |frontier: &Frontier| {
        forked |= frontier.size() == from && frontier.root() != root;
        let other =
            |claim: &&&Checkpoint| claim.size() == frontier.size() && *claim.root() != frontier.root();
        damaged = damaged.or(claims.iter().find(other).map(|claim| claim.size()));
    };
    loop {
        let bundle = bundle(objects, &tail, signed.size(), frontier.size() / BUNDLE).await?;
        for entry in &bundle {
            compare(&frontier);
            if frontier.size() >= from {
                entries.push(*entry);
            }
            frontier.push(leaf_hash(entry));
        }
        if (bundle.len() as u64) < BUNDLE {
            break;
        }
    }
    compare(&frontier);
    let found = frontier.size();
    if let Some(claim) = claims.iter().find(|claim| claim.size() > found) {
        return Err(LostError::Missing { signed: claim.size(), found, path: full(found / BUNDLE)? });
    }
    if let Some(signed) = damaged {
        return Err(LostError::Damaged { signed });
    }
    if forked {
        return Err(LostError::Forked { published: found });
    }
    if found <= from {
        // Nothing is lost if what is published is a beginning of what the database holds.
        super::find(store, objects, log).await?;
        return Err(LostError::Nothing { database: from, published: found });
    }
    if let Some(path) = objects.beyond(found).await? {
        return Err(LostError::Beyond { found, path });
    }
    Ok(Lost { from, signed: signed.size(), entries })
}

/// Entries that stand behind the newest full bundle: the index of the first, and as many as there are.
pub(super) type Tail = Option<(u64, Vec<[u8; ENTRY_BYTES]>)>;

/// Reads `log/tail`.
pub(super) async fn tail(objects: &LogObjects) -> Result<Tail, LostError> {
    let Some(bytes) = objects.read(LogFile::Tail).await? else { return Ok(None) };
    let (start, bundle) = bytes.split_first_chunk().ok_or(LostError::OtherLog)?;
    let start = u64::from_be_bytes(*start);
    let width = u16::try_from(bundle.len() / (2 + ENTRY_BYTES)).map_err(|_| LostError::OtherLog)?;
    if width == 0 && bundle.is_empty() {
        return Ok(Some((start, Vec::new())));
    }
    let path = TilePath::new(TileKind::Entries, start / BUNDLE, width).map_err(|_| LostError::OtherLog)?;
    Ok(Some((start, sized(path, bundle).ok_or(LostError::OtherLog)?)))
}

/// The entries of a bundle: a full one that was written, or the tail, or what a mirror keeps in its place; none where there
/// is neither. One that is malformed ends what can be read.
async fn bundle(
    objects: &LogObjects,
    tail: &Tail,
    signed: u64,
    number: u64,
) -> Result<Vec<[u8; ENTRY_BYTES]>, LostError> {
    let path = full(number)?;
    if let Some(bytes) = objects.tile(path).await? {
        return Ok(sized(path, &bytes).unwrap_or_default());
    }
    if let Some((start, entries)) = tail
        && *start == number * BUNDLE
    {
        return Ok(entries.clone());
    }
    let Some(path) = TilePath::in_tree(TileKind::Entries, number, signed) else { return Ok(Vec::new()) };
    let bytes = objects.tile(path).await?;
    Ok(bytes.and_then(|bytes| sized(path, &bytes)).unwrap_or_default())
}

/// The path of a full bundle.
pub(super) fn full(number: u64) -> Result<TilePath, LostError> {
    TilePath::new(TileKind::Entries, number, FULL_WIDTH).map_err(|_| LostError::OtherLog)
}

fn sized(path: TilePath, bytes: &[u8]) -> Option<Vec<[u8; ENTRY_BYTES]>> {
    parse_entries(path, bytes).ok()?.into_iter().map(|entry| entry.try_into().ok()).collect()
}

async fn signed(objects: &LogObjects, file: LogFile, log: &Signers) -> Result<Option<Checkpoint>, LostError> {
    let Some(bytes) = objects.read(file).await? else { return Ok(None) };
    let note = SignedNote::parse(&bytes).map_err(|_| LostError::OtherLog)?;
    log.open(&note).map(Some).map_err(|_| LostError::OtherLog)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tail_is_read_whatever_its_length() {
        let objects = crate::blobs::Blobs::open("memory:///").unwrap().log();
        assert_eq!(tail(&objects).await.unwrap(), None);
        for (bytes, entries) in
            [(Vec::new(), None), (256_u64.to_be_bytes().to_vec(), Some(0)), (vec![0; 9], None)]
        {
            objects.replace(LogFile::Tail, bytes).await.unwrap();
            let read = tail(&objects).await.ok().flatten().map(|(_, entries)| entries.len());
            assert_eq!(read, entries);
        }
    }
}
