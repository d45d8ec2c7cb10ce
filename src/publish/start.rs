//! Before anything is served: what was published must be a beginning of what the database holds.

use std::sync::Arc;

use custody::checkpoint::Checkpoint;
use custody::digest::Digest;
use custody::log_keys::LogKeys;
use custody::merkle::{EMPTY_ROOT, Plan};
use custody::note::VerifierKey;
use custody::tile::TilePath;

use super::Published;
use super::stored::{BUNDLE, Said, Signers, reach, signed, tail};
use crate::blobs::{BlobsError, LogFile, LogObjects};
use crate::store::{Store, StoreError, Tiles};

/// What was published before.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The checkpoint up to which everything is in the object store.
    pub stored: Option<Published>,
    /// The newest one that was cosigned.
    pub witnessed: Option<Published>,
    /// Full tiles and bundles that are gone, of those that were stored before that checkpoint was.
    pub missing: u64,
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
    /// A checkpoint says otherwise than the database, by the word of a key that the log has given up.
    #[error(
        "{file} says another history of {published} entries than the database has, signed by a key that the record at \
         {replaced} replaced"
    )]
    FormerKey {
        /// Where it stands.
        file: LogFile,
        /// Entries that it covers.
        published: u64,
        /// Log index of the record that replaced the key.
        replaced: u64,
    },
    /// The object store holds the published log of another vault, or something else in its place.
    #[error("the object store holds the published log of another vault, or none that can be read")]
    OtherLog,
    /// The published log is this vault's, and stands under a key that neither records nor keyring have.
    #[error("the published log goes on under a newer key, as {name}, and the keyring lacks that key")]
    LaterKey {
        /// The log's name there.
        name: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store.
    #[error(transparent)]
    Blobs(#[from] BlobsError),
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
            Self::FormerKey { replaced, .. } => format!(
                "that key was replaced at {replaced}: whoever stole it may have written this. Unless the database was \
                 restored, move `log/` in the object store to a safe place and keep it: the log is published anew; \
                 docs/OPERATIONS.md, \"The log's key was stolen\""
            ),
            Self::LaterKey { .. } => "bring the log's newest key (log-N.key) back into keys/, from a backup or the recovery \
                                      kit made after it; if that key is gone for good, `custos log continue`: \
                                      docs/OPERATIONS.md, \"A database from before a new key\""
                .to_owned(),
            Self::OtherLog | Self::Store(_) | Self::Blobs(_) => {
                "check `blobs_url`: each vault has an object store of its own".to_owned()
            }
        }
    }
}

/// Compares the published log with the database.
pub async fn find(store: &Store, objects: &LogObjects, signers: &Signers) -> Result<Found, StartError> {
    let log = &signers.log;
    let mut found = Found::default();
    for file in [LogFile::Checkpoint, LogFile::Witnessed] {
        match signed(store, objects, file, signers).await? {
            Some(Said::Log { checkpoint, note, signer }) => {
                let compared = compare(store, &checkpoint).await;
                compared.map_err(|error| by_whom(error, file, log, signer.as_deref()))?;
                if file == LogFile::Checkpoint {
                    let (size, note) = (checkpoint.size(), Arc::new(note));
                    found.stored = Some(Published { size, note, witnessed: false });
                }
            }
            Some(Said::Nobody) => {
                tracing::warn!(target: "security", %file, "signed by a key that was not the log's at that size: not gone by");
            }
            None => {}
        }
    }
    let stored = found.stored.as_ref().map_or(0, |stored| stored.size);
    found.missing = beyond(store, objects, stored).await?;
    if found.missing > 0 {
        let missing = found.missing;
        tracing::warn!(
            missing,
            "tiles or bundles of the published log are gone: a vault that is served writes them again"
        );
    }
    // Cosignatures of a log that was given up say nothing of the one that goes on.
    let newest = store.read().await?.newest_checkpoint().await?;
    let newest = newest.filter(|row| log.of_size(row.size).name() == log.present().name());
    if let Some(row) = newest {
        found.witnessed = Some(Published { size: row.size, note: Arc::new(row.note), witnessed: true });
    }
    Ok(found)
}

/// Tiles, bundles and the tail are written before the checkpoint, and after the database: they are never ahead of it. How
/// many are gone of those that belong to the `stored` entries of the checkpoint.
async fn beyond(store: &Store, objects: &LogObjects, stored: u64) -> Result<u64, StartError> {
    let tail = tail(objects).await?;
    let listed = objects.listed(stored).await?;
    let full = stored / BUNDLE + TilePath::completed(0, stored).count() as u64;
    let missing = full.saturating_sub(listed.full);
    let (published, _) = reach(listed, &tail);
    // The database afterwards: another process may go on meanwhile.
    let mut tx = store.read().await?;
    let database = tx.log_head().await?.ok_or(StoreError::NoVault)?.size();
    if published > database {
        return Err(StartError::RolledBack { published, database });
    }
    let Some((start, entries)) = tail else { return Ok(missing) };
    let published = start + entries.len() as u64;
    if tx.entries(start..published).await? == entries {
        Ok(missing)
    } else {
        Err(StartError::Forked { published })
    }
}

/// Tells apart what rests on the word of a key that was replaced: whoever stole that may have written it.
fn by_whom(error: StartError, file: LogFile, log: &LogKeys, signer: Option<&VerifierKey>) -> StartError {
    let former = log.former().iter().find(|former| Some(&former.key) == signer);
    match (error, former) {
        (StartError::Forked { published }, Some(former)) => {
            StartError::FormerKey { file, published, replaced: former.until }
        }
        (error, _) => error,
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
