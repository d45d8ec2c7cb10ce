//! Copies of a whole vault: database, keys and objects, and putting them back.
//!
//! A repository is a folder:
//!
//! ```text
//! objects/ab/cd/abcd…           objects as they are stored, encrypted already; shared by all backups, never changed
//! 2026-11-22T013000.000Z/       one backup: complete in itself but for its objects
//!     manifest                  what it holds: JSON, signed by the vault (DSSE)
//!     key                       the backup's key under the passphrase: a key file
//!     database  keyring         encrypted under that key (FLOE)
//!     recovery-1.custos         recovery kits' files, sealed under their sheets already
//! ```
//!
//! What the vault has destroyed on record is named in `destroyed`, signed by the vault ([`horizon`]).
//! The second backup into a repository copies only the objects that are not there yet. Rows travel as one stream that
//! is the same for both engines ([`rows`]).

mod horizon;
mod make;
mod restore;
mod rows;
mod seal;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::json::JsonError;
use custody::time::Timestamp;
use serde::{Deserialize, Serialize};

pub use make::{Made, backup, before_migration, before_version};
pub use restore::{Restored, restore, restore_rows};

use super::replay::ReplayError;
use crate::blobs::BlobsError;
use crate::durable;
use crate::keyring::KeyringError;
use crate::store::StoreError;

const MANIFEST: &str = "manifest";
const KEY: &str = "key";
const DATABASE: &str = "database";
const KEYRING: &str = "keyring";
/// What binds a backup's key file to its purpose.
const KEY_NAME: &str = "backup";
/// Files for their owner alone.
const OWNER: u32 = 0o600;

/// What one backup holds, as the vault signs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    log_root: Digest,
    log_size: u64,
    made: Timestamp,
    objects: Objects,
    parts: BTreeMap<String, Part>,
    schema: i64,
    v: u64,
    vault: Digest,
}

/// The objects that the database of a backup names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// Their bytes.
    pub bytes: u64,
    /// How many.
    pub count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    sha256: Digest,
    size: u64,
}

/// Why a backup is not made or not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The database.
    #[error("cannot use the database")]
    Store(#[from] StoreError),
    /// Objects.
    #[error("cannot use the objects")]
    Blobs(#[from] BlobsError),
    /// Keys.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A file or folder.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// There is no backup.
    #[error("there is no backup in {0}")]
    NoBackup(PathBuf),
    /// A backup of a later version of this program.
    #[error("the backup was made by a newer version of custos")]
    Newer,
    /// The manifest is not one.
    #[error("the backup's manifest is damaged: {0}")]
    Manifest(String),
    /// A part is missing, cut or changed.
    #[error("the backup's part {part} is damaged: {problem}")]
    Part {
        /// Which.
        part: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Another passphrase.
    #[error("the passphrase does not open the backup")]
    WrongPassphrase,
    /// The vault in the backup did not sign it, or it is another vault than expected.
    #[error("the backup is not what it says: {0}")]
    Other(&'static str),
    /// The list of what was destroyed is damaged: what this vault has destroyed would be back.
    #[error(
        "the repository's list of what was destroyed is damaged: what this vault has destroyed would be back"
    )]
    List,
    /// Nothing is overwritten.
    #[error("{0} is not empty: a backup is restored to where nothing is")]
    NotEmpty(String),
    /// The restored database could not be checked.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl BackupError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Store(_) => "check `database_url` (custos config show)".to_owned(),
            Self::Blobs(_) => "check `blobs_url`, and the room on both disks".to_owned(),
            Self::Keyring(error) => error.remedy(),
            Self::File { path, .. } => format!("check {} and who may use it", path.display()),
            Self::NoBackup(_) => "name the folder that was given to custos backup --to".to_owned(),
            Self::Newer => "use the version of custos that made it, or a later one".to_owned(),
            Self::Manifest(_) | Self::Part { .. } | Self::Other(_) => {
                "use another backup of the same repository, or another copy of it".to_owned()
            }
            Self::List => "restore from another copy of the repository, into a new data directory and an empty database; or \
                           go on with what was destroyed (--without-destroyed-list)"
                .to_owned(),
            Self::WrongPassphrase => "keyboard layout, capitals, or another backup's passphrase".to_owned(),
            Self::NotEmpty(_) => "name a new data directory and an empty database".to_owned(),
            Self::Replay(_) => "make room in the scratch folder (--scratch DIR)".to_owned(),
        }
    }
}

impl From<JsonError> for BackupError {
    fn from(error: JsonError) -> Self {
        Self::Manifest(error.to_string())
    }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> BackupError + '_ {
    move |source| BackupError::File { path: path.to_owned(), source }
}

/// A new file for its owner alone.
fn create(path: &Path) -> Result<File, BackupError> {
    durable::create_new(path, OWNER).map_err(io(path))
}

/// A new file with these bytes, on disk once its folder is synced.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    durable::write_new(path, OWNER, bytes).map_err(io(path))
}

/// A folder for its owner alone, with those above it; one that is there is taken.
fn make_dir(path: &Path) -> Result<(), BackupError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path))
}

/// Names in a folder last only once the folder is synced.
fn sync_dir(path: &Path) -> Result<(), BackupError> {
    durable::sync_dir(path).map_err(io(path))
}
