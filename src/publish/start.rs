//! Before anything is served: what was published must be a beginning of what the database holds.

use std::sync::Arc;

use custody::checkpoint::{Checkpoint, CheckpointError};
use custody::digest::Digest;
use custody::log_keys::LogKeys;
use custody::merkle::{EMPTY_ROOT, Plan};
use custody::note::{NoteError, SignatureType, SignedNote, VerifierKey};
use ed25519_dalek::VerifyingKey;

use super::lost::{LostError, full, tail};
use super::{BUNDLE, Published};
use crate::blobs::{BlobsError, LogFile, LogObjects};
use crate::store::{Store, StoreError, Tiles};

/// What was published before.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The checkpoint up to which everything is in the object store.
    pub stored: Option<Published>,
    /// The newest one that was cosigned.
    pub witnessed: Option<Published>,
}

/// Why a vault must not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database is older than what was published.
    #[error("the database was set back: {published} entries are published, it has {database}")]
    RolledBack {
        /// Entries that are published.
        published: u64,
        /// Entries in the database.
        database: u64,
    },
    /// The database has another history than what was published.
    #[error("the database has another history than the {published} entries that are published")]
    Forked {
        /// Entries that are published.
        published: u64,
    },
    /// The object store holds the published log of another vault, or something else in its place.
    #[error("the object store holds the published log of another vault, or none that can be read")]
    OtherLog,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store.
    #[error(transparent)]
    Blobs(#[from] BlobsError),
}

impl From<LostError> for StartError {
    fn from(error: LostError) -> Self {
        match error {
            LostError::Store(error) => Self::Store(error),
            LostError::Blobs(error) => Self::Blobs(error),
            _ => Self::OtherLog,
        }
    }
}

impl StartError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::RolledBack { published, .. } => format!(
                "restore a newer copy of the database, with at least {published} entries; if there is none, `custos \
                 recover --dry-run` says what is lost: see docs/OPERATIONS.md, \"A database that was set back\""
            ),
            Self::Forked { .. } => "restore the database that the published log was made from; \
                                    docs/OPERATIONS.md, \"A database that was set back\", says what this means"
                .to_owned(),
            Self::OtherLog | Self::Store(_) | Self::Blobs(_) => {
                "check `blobs_url`: each vault has an object store of its own".to_owned()
            }
        }
    }
}

/// Who may have signed what is published.
#[derive(Debug, Clone)]
pub struct Signers {
    /// The log's keys, as the records say.
    pub log: LogKeys,
    /// Further keys that the vault holds: a restore may have lost the record that made one of them the log's.
    pub held: Vec<VerifyingKey>,
}

impl From<VerifierKey> for Signers {
    fn from(key: VerifierKey) -> Self {
        Self { log: key.into(), held: Vec::new() }
    }
}

impl Signers {
    /// A checkpoint that the log has signed, whether or not the records still say so.
    pub(super) fn open(&self, note: &SignedNote) -> Result<Checkpoint, CheckpointError> {
        let error = match self.log.open(note) {
            Err(
                error @ (CheckpointError::Note(NoteError::NoKnownSigner) | CheckpointError::NotYet { .. }),
            ) => error,
            other => return other,
        };
        let name = Checkpoint::parse(note.text())?.origin().key_name();
        let named = |key: &VerifyingKey| VerifierKey::new(name.clone(), SignatureType::Ed25519, *key).ok();
        let keys = self.held.iter().chain(self.log.each().map(VerifierKey::public_key));
        let mut opened = keys.filter_map(|key| Checkpoint::open(note, &named(key)?).ok());
        opened.next().ok_or(error)
    }
}

/// Compares the published log with the database.
pub async fn find(store: &Store, objects: &LogObjects, signers: &Signers) -> Result<Found, StartError> {
    let log = &signers.log;
    let mut found = Found::default();
    for file in [LogFile::Checkpoint, LogFile::Witnessed] {
        let Some(bytes) = objects.read(file).await? else { continue };
        let note = SignedNote::parse(&bytes).map_err(|_| StartError::OtherLog)?;
        let checkpoint = signers.open(&note).map_err(|_| StartError::OtherLog)?;
        compare(store, &checkpoint).await?;
        if file == LogFile::Checkpoint {
            let (size, note) = (checkpoint.size(), Arc::new(note));
            found.stored = Some(Published { size, note, witnessed: false });
        }
    }
    beyond(store, objects).await?;
    // Cosignatures of a log that was given up say nothing of the one that goes on.
    let newest = store.read().await?.newest_checkpoint().await?;
    let newest = newest.filter(|row| log.of_size(row.size).name() == log.present().name());
    if let Some(row) = newest {
        found.witnessed = Some(Published { size: row.size, note: Arc::new(row.note), witnessed: true });
    }
    Ok(found)
}

/// Bundles and the tail are written before the checkpoint, and after the database: they are never ahead of it.
async fn beyond(store: &Store, objects: &LogObjects) -> Result<(), StartError> {
    let tail = tail(objects).await?;
    let database = store.read().await?.log_head().await?.ok_or(StoreError::NoVault)?.size();
    let next = database / BUNDLE;
    if objects.tile(full(next)?).await?.is_some() {
        let (published, now) = ((next + 1) * BUNDLE, store.read().await?.log_head().await?);
        // Another process may have filled and published it in between.
        if now.is_none_or(|head| head.size() < published) {
            return Err(StartError::RolledBack { published, database });
        }
    }
    let Some((start, entries)) = tail else { return Ok(()) };
    let mut tx = store.read().await?;
    let published = start + entries.len() as u64;
    if published > database {
        return Err(StartError::RolledBack { published, database });
    }
    if tx.entries(start..published).await? == entries {
        Ok(())
    } else {
        Err(StartError::Forked { published })
    }
}

async fn compare(store: &Store, checkpoint: &Checkpoint) -> Result<(), StartError> {
    let mut tx = store.read().await?;
    let database = tx.log_head().await?.ok_or(StoreError::NoVault)?.size();
    let published = checkpoint.size();
    if published > database {
        return Err(StartError::RolledBack { published, database });
    }
    let plan = Plan::root(published).map_err(|_| StartError::OtherLog)?;
    let root: Vec<Digest> = tx.proof(&plan, &mut Tiles::default()).await?;
    if root.first().unwrap_or(&EMPTY_ROOT) == checkpoint.root() {
        Ok(())
    } else {
        Err(StartError::Forked { published })
    }
}
