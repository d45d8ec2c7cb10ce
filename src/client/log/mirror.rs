//! A copy of a log that any web server can serve and any verifier can read (C2SP tlog-tiles).

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use custody::tile::{FULL_WIDTH, TileKind, TilePath};
use tokio::runtime::Handle;

use super::evidence::{self, LogError};
use super::pass::{Pass, Signed};
use super::{ClientError, KnownLog, Seen, Source, keys};
use crate::client::secret::file;

const CHECKPOINT: &str = "checkpoint";
const EVIDENCE: &str = "evidence";
const LOCK: &str = ".lock";

/// A folder with a log's full tiles and bundles, the partial ones of its newest checkpoint, and that checkpoint, which is
/// written last. Full tiles are never written twice; a mirror that was interrupted goes on where it was.
#[derive(Debug)]
pub struct Mirror {
    folder: PathBuf,
    log: KnownLog,
    _lock: File,
}

impl Mirror {
    /// A mirror in a folder, made if it is not there.
    pub fn open(folder: &Path, log: impl Into<KnownLog>) -> Result<Self, ClientError> {
        fs::create_dir_all(folder).map_err(file(folder))?;
        let path = folder.join(LOCK);
        let lock =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(file(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), log: log.into(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(ClientError::Input(format!("another process mirrors into {}", folder.display())))
            }
            Err(TryLockError::Error(error)) => Err(file(&path)(error)),
        }
    }

    /// Brings the copy up to the log's newest checkpoint. A log that breaks its word changes nothing here but the
    /// folder of evidence. `progress` is told how many new entries were
    /// read, of how many.
    pub fn update(
        &self,
        source: &Source,
        runtime: &Handle,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Seen, LogError> {
        let (log, keys) = self.log.follow(source, Some(&self.folder), runtime)?;
        let held = Signed::read(&self.folder.join(CHECKPOINT), &log)?;
        let pass = Pass {
            source,
            log: &log,
            runtime,
            evidence: &self.folder.join(EVIDENCE),
            keep: Some(&self.folder),
        };
        let newest = pass.run(held.as_ref(), progress)?;
        keys::keep(&self.folder, &keys)?;
        evidence::replace(&self.folder.join(CHECKPOINT), newest.note.to_string().as_bytes())?;
        let old = held.map_or(0, |held| held.checkpoint.size());
        self.drop_partial(old, newest.checkpoint.size())?;
        Ok(Seen::new(newest, old))
    }

    /// Removes the partial tiles of a tree of `old` entries that are full in one of `new`: readers take the full one.
    fn drop_partial(&self, old: u64, new: u64) -> Result<(), ClientError> {
        let edge: Vec<_> = TilePath::partial(old).collect();
        let bundle = TilePath::in_tree(TileKind::Entries, old / u64::from(FULL_WIDTH), old);
        for path in edge.into_iter().chain(bundle.filter(|path| !path.is_full())) {
            let now = TilePath::in_tree(path.kind(), path.index(), new);
            if now.is_some_and(TilePath::is_full) {
                let path = self.folder.join(path.to_string());
                if let Some(folder) = path.parent() {
                    fs::remove_dir_all(folder).or_else(ignore_absent).map_err(file(folder))?;
                }
            }
        }
        Ok(())
    }
}

fn ignore_absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
