//! What is published and not in the database: read from the object store alone, and believed once it leads to the root
//! that the log signed.
//!
//! Everything that was written there counts, also what stands behind the newest checkpoint: bundles and tail are written
//! before it, so that somebody may have seen them, and a bundle that is there is never written again.

use custody::checkpoint::{Checkpoint, Origin};
use custody::merkle::{Frontier, leaf_hash};
use custody::note::VerifierKey;
use custody::tile::TilePath;

use super::StartError;
use super::stored::{BUNDLE, EntryBytes, Said, Signers, bundle, full, reach, signed, tail};
use crate::blobs::{LogFile, LogObjects};
use crate::store::{LogHead, Store, StoreError};

/// Entries that are published, behind those of the database.
#[derive(Debug)]
pub struct Lost {
    /// How many the database has: the log index of the first.
    pub from: u64,
    /// How many the newest checkpoint in the object store covers.
    pub signed: u64,
    /// The entries, in order.
    pub entries: Vec<EntryBytes>,
    /// The log's name there.
    pub origin: Origin,
    /// The key that signed that checkpoint; nothing if it is lost.
    pub signer: Option<VerifierKey>,
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
    /// The checkpoint in the object store is nobody's word.
    #[error("the checkpoint in the object store is signed by a key that was not the log's at that size")]
    OtherKey,
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
    /// What is published cannot be read, or is another log's or history's.
    #[error(transparent)]
    Published(#[from] StartError),
}

impl LostError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Nothing { .. } | Self::Unpublished => "custos serve".to_owned(),
            Self::Damaged { .. } | Self::Missing { .. } => {
                "restore `log/` in the object store from its copy, or from a mirror's tiles: \
                 docs/OPERATIONS.md, \"A database that was set back\""
                    .to_owned()
            }
            Self::Beyond { path, .. } => {
                format!("move {path} to a safe place, keep it, and look again: its entries cannot be known")
            }
            Self::OtherKey => {
                "custos serve: it publishes its own again. If it finds that the database was set back, restore \
                 `log/checkpoint` in the object store from its copy or from a mirror, and look again"
                    .to_owned()
            }
            Self::Published(error) => error.remedy(),
        }
    }
}

/// Reads the whole published log, and compares it with the database.
pub async fn lost(store: &Store, objects: &LogObjects, log: &Signers) -> Result<Lost, LostError> {
    let head = head(store).await?;
    let (from, root) = (head.size(), head.frontier.root());
    let (signed, by) = match self::signed(store, objects, LogFile::Checkpoint, log).await? {
        Some(Said::Log { checkpoint, signer, .. }) => (checkpoint, signer.map(|signer| *signer)),
        Some(Said::Nobody) => return Err(LostError::OtherKey),
        None => return Err(LostError::Unpublished),
    };
    let cosigned = match self::signed(store, objects, LogFile::Witnessed, log).await? {
        Some(Said::Log { checkpoint, .. }) => Some(checkpoint),
        Some(Said::Nobody) | None => None,
    };
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
        return Err(StartError::Forked { published: found }.into());
    }
    let (furthest, path) = reach(objects.listed(0).await.map_err(StartError::from)?, &tail);
    if furthest > found.max(from) {
        return Err(LostError::Beyond { found, path });
    }
    if found <= from {
        // Nothing is lost if what is published is a beginning of what the database holds.
        super::find(store, objects, log).await?;
        return Err(LostError::Nothing { database: from, published: found });
    }
    Ok(Lost { from, signed: signed.size(), entries, origin: signed.origin().clone(), signer: by })
}

async fn head(store: &Store) -> Result<LogHead, StartError> {
    Ok(store.read().await?.log_head().await?.ok_or(StoreError::NoVault)?)
}
