//! What a log must not do, and how that is kept.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::note::SignedNote;
use custody::tile::ReadError;
use custody::witness::AddCheckpoint;

use super::ClientError;
use crate::client::secret::file;
use crate::durable;

/// A mirror may be shown by a web server that runs as somebody else.
const SHOWN: u32 = 0o644;

/// How a log breaks its word. Names are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Two checkpoints of one log that cannot both be true.
    Forked,
    /// A smaller tree than the log has shown before.
    RolledBack,
    /// A checkpoint that the log has not signed.
    BadSignature,
    /// The log's key was given up, and the log goes on under another name.
    LogContinued,
    /// Tiles or entries that do not lead to the root that the log signed.
    Changed,
}

impl Finding {
    /// The name, as written in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forked => "forked",
            Self::RolledBack => "rolled-back",
            Self::BadSignature => "bad-signature",
            Self::LogContinued => "log-continued",
            Self::Changed => "changed",
        }
    }

    /// What to do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Forked => {
                "keep the evidence, and show it to the log's witnesses, mirrors and users: its operator must explain"
            }
            Self::RolledBack => {
                "ask the operator whether an old copy was restored; compare receipts, witnesses and other mirrors"
            }
            Self::BadSignature => {
                "check that the verifier key is that of this log, and that nobody stands in between"
            }
            Self::LogContinued => {
                "compare the new key with the operator on another way, then give it as --vkey; with a profile of the \
                 vault, custos follows by itself"
            }
            Self::Changed => "try another copy of the log; if it says the same, its operator must explain",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a log could not be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It could not be read, or what is kept of it could not be written.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It breaks its word.
    #[error("{finding}: {detail}")]
    Found {
        /// How.
        finding: Finding,
        /// What exactly.
        detail: String,
        /// Files that show it.
        evidence: Vec<PathBuf>,
    },
}

impl LogError {
    pub(super) fn found(finding: Finding, detail: impl Into<String>) -> Self {
        Self::Found { finding, detail: detail.into(), evidence: Vec::new() }
    }
}

impl From<ReadError<ClientError>> for LogError {
    fn from(error: ReadError<ClientError>) -> Self {
        match error {
            ReadError::Fetch { source, .. } => Self::Client(source),
            other => Self::found(Finding::Changed, other.to_string()),
        }
    }
}

/// Keeps what contradicts each other in `folder`: the checkpoint held, and the other one as a request that whoever has
/// cosigned the first must refuse. What was kept before stays.
pub(super) fn keep(
    folder: &Path,
    held: &SignedNote,
    contradiction: &AddCheckpoint,
) -> Result<Vec<PathBuf>, ClientError> {
    fs::create_dir_all(folder).map_err(file(folder))?;
    let name = Digest::of(contradiction.to_string().as_bytes()).to_hex();
    let paths = ["held", "request"].map(|extension| folder.join(format!("{name}.{extension}")));
    replace(&paths[0], held.to_string().as_bytes())?;
    replace(&paths[1], contradiction.to_string().as_bytes())?;
    Ok(paths.into())
}

/// Replaces a file as a whole; on disk when this returns.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), ClientError> {
    durable::replace(path, SHOWN, bytes).map_err(file(path))
}

/// Writes a file that is never changed; one that is there already stays. Its name is on disk after [`sync_folder`].
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), ClientError> {
    let folder = durable::parent(path);
    fs::create_dir_all(folder).map_err(file(folder))?;
    if path.exists() {
        return Ok(());
    }
    match durable::beside(path, SHOWN, bytes).map_err(file(path))?.persist_noclobber(path) {
        Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => Err(file(path)(error.error)),
        _ => Ok(()),
    }
}

/// A new name is on disk only once its folder is.
pub(super) fn sync_folder(folder: &Path) -> Result<(), ClientError> {
    durable::sync_dir(folder).map_err(file(folder))
}
