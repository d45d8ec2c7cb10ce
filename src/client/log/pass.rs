//! One pass over what is new in a log: every tile and every entry checked against the root that the log signed.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use custody::checkpoint::Checkpoint;
use custody::log_keys::LogKeys;
use custody::merkle::Plan;
use custody::note::{SignedNote, VerifierKey};
use custody::tile::{FULL_WIDTH, MAX_TILE_LEN, ReadError, TileKind, TilePath, TileReader};
use custody::witness::AddCheckpoint;
use tokio::runtime::Handle;

use super::ClientError;
use super::evidence::{self, Finding, LogError};
use super::source::{Source, is_absent, read_at_most};

/// Bundles fetched ahead, each with its tile: some 500 KiB.
const AHEAD: u64 = 16;
/// How often a smaller checkpoint is asked for again: a cache in between may show an older one for a second or two.
const SECOND_LOOKS: u32 = 3;
const SECOND_LOOK_AFTER: std::time::Duration = std::time::Duration::from_millis(700);

/// A checkpoint that the log signed.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) note: SignedNote,
    pub(super) checkpoint: Checkpoint,
    /// The key that signed it.
    pub(super) log: VerifierKey,
}

impl Signed {
    /// Reads and verifies one.
    pub(super) fn open(bytes: &[u8], log: &LogKeys) -> Result<Self, LogError> {
        let opened = SignedNote::parse(bytes).map_err(Into::into).and_then(|note| {
            let (checkpoint, log) = log.open_by(&note)?;
            Ok(Self { note, checkpoint, log: log.clone() })
        });
        opened.map_err(|error: custody::checkpoint::CheckpointError| {
            LogError::found(Finding::BadSignature, error.to_string())
        })
    }

    /// The one in a file, if it is there.
    pub(super) fn read(path: &Path, log: &LogKeys) -> Result<Option<Self>, LogError> {
        match read_at_most(path, custody::note::MAX_NOTE_LEN) {
            Ok(bytes) => Self::open(&bytes, log).map(Some),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// A pass: runs on a thread that may wait.
pub(super) struct Pass<'a> {
    pub(super) source: &'a Source,
    pub(super) log: &'a LogKeys,
    pub(super) runtime: &'a Handle,
    /// Where contradictions are kept.
    pub(super) evidence: &'a Path,
    /// Where tiles are kept, if they are.
    pub(super) keep: Option<&'a Path>,
}

/// What was fetched and is not yet proven.
struct Fetched<'a> {
    pass: &'a Pass<'a>,
    /// Full tiles that are kept already may be read from there.
    kept: bool,
    ahead: HashMap<TilePath, Vec<u8>>,
    new: Vec<(TilePath, Vec<u8>)>,
}

impl Pass<'_> {
    /// The newest checkpoint, shown to continue `held`, and all that is new below it read, checked and kept. `progress`
    /// is told how many new entries were read, of how many.
    pub(super) fn run(
        &self,
        held: Option<&Signed>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Signed, LogError> {
        let offered = self.newest(held)?;
        let (size, root) = (offered.checkpoint.size(), *offered.checkpoint.root());
        if let Some(held) = held {
            self.compare_sizes(held, &offered)?;
            if held.checkpoint.size() == size {
                return Ok(offered);
            }
        }
        let fetched =
            RefCell::new(Fetched { pass: self, kept: false, ahead: HashMap::new(), new: Vec::new() });
        let mut reader = TileReader::new(size, root, |path| fetched.borrow_mut().fetch(path))?;
        let old = held.map_or(0, |held| held.checkpoint.size());
        if let Some(held) = held.filter(|_| old > 0)
            && reader.root_at(old)? != *held.checkpoint.root()
        {
            let proof = reader.consistency_proof(old)?;
            let detail = format!(
                "the log signed {size} entries whose first {old} are others than it had signed before"
            );
            return Err(self.contradiction(held, &offered, proof, Finding::Forked, detail));
        }
        fetched.borrow_mut().kept = true;
        let width = u64::from(FULL_WIDTH);
        let (mut next, end) = (old / width, size.div_ceil(width));
        while next < end {
            let window = next..((next / AHEAD + 1) * AHEAD).min(end);
            next = window.end;
            fetched.borrow_mut().look_ahead(window.clone(), size)?;
            for bundle in window {
                reader.entries(bundle).map_err(|error| self.blame(error))?;
            }
            fetched.borrow_mut().keep()?;
            progress((next * width).min(size) - old, size - old);
        }
        Ok(offered)
    }

    /// What is kept may have been damaged here, which is no fault of the log's.
    fn blame(&self, error: ReadError<ClientError>) -> LogError {
        let path = match &error {
            ReadError::Malformed { path, .. } | ReadError::Mismatch { path } => Some(*path),
            _ => None,
        };
        // Partial ones are always fetched.
        let path = path.filter(|path| path.is_full());
        let kept = self.keep.zip(path).map(|(keep, path)| keep.join(path.to_string()));
        match kept.filter(|kept| kept.exists()) {
            Some(kept) => {
                let here = format!("{} is damaged: remove it, and it is fetched again", kept.display());
                LogError::Client(ClientError::Input(here))
            }
            None => error.into(),
        }
    }

    /// The checkpoint now; looks again before it says that the log has shrunk.
    fn newest(&self, held: Option<&Signed>) -> Result<Signed, LogError> {
        let known = held.map_or(0, |held| held.checkpoint.size());
        let mut looks = 0;
        loop {
            let bytes = self.runtime.block_on(self.source.checkpoint())?;
            let offered = Signed::open(&bytes, self.log)?;
            if offered.checkpoint.size() >= known || looks == SECOND_LOOKS {
                return Ok(offered);
            }
            looks += 1;
            std::thread::sleep(SECOND_LOOK_AFTER);
        }
    }

    fn compare_sizes(&self, held: &Signed, offered: &Signed) -> Result<(), LogError> {
        let (old, new) = (held.checkpoint.size(), offered.checkpoint.size());
        if new == old && held.checkpoint.root() != offered.checkpoint.root() {
            let detail = format!("the log signed two roots for {new} entries");
            return Err(self.contradiction(held, offered, Vec::new(), Finding::Forked, detail));
        }
        if new < old {
            let (finding, detail) = match self.kept_root(held, new) {
                Some(root) if root != *offered.checkpoint.root() => (
                    Finding::Forked,
                    format!(
                        "the log shows {new} entries that are others than the first {new} of {old} that it had signed"
                    ),
                ),
                _ => (Finding::RolledBack, format!("the log shows {new} entries and had signed {old}")),
            };
            return Err(self.contradiction(held, offered, Vec::new(), finding, detail));
        }
        Ok(())
    }

    /// The root that the tree held had at an earlier size, by the tiles that are kept.
    fn kept_root(&self, held: &Signed, size: u64) -> Option<custody::digest::Digest> {
        let kept = Source::folder(self.keep?);
        let fetch = |path| self.runtime.block_on(kept.tile(path));
        TileReader::new(held.checkpoint.size(), *held.checkpoint.root(), fetch).ok()?.root_at(size).ok()
    }

    fn contradiction(
        &self,
        held: &Signed,
        offered: &Signed,
        proof: Vec<custody::digest::Digest>,
        finding: Finding,
        detail: String,
    ) -> LogError {
        let request = AddCheckpoint::new(held.checkpoint.size(), proof, offered.note.clone());
        match request {
            Ok(request) => match evidence::keep(self.evidence, &held.note, &request) {
                Ok(evidence) => LogError::Found { finding, detail, evidence },
                Err(error) => {
                    LogError::found(finding, format!("{detail} (and the evidence cannot be kept: {error})"))
                }
            },
            Err(_) => LogError::found(finding, detail),
        }
    }
}

impl Fetched<'_> {
    fn fetch(&mut self, path: TilePath) -> Result<Vec<u8>, ClientError> {
        let bytes = match self.ahead.remove(&path) {
            Some(bytes) => bytes,
            None => match self.kept(path)? {
                // It is there already, and is checked again like any other.
                Some(bytes) => return Ok(bytes),
                None => self.pass.runtime.block_on(self.pass.source.tile(path))?,
            },
        };
        if self.pass.keep.is_some() {
            self.new.push((path, bytes.clone()));
        }
        Ok(bytes)
    }

    /// Fetches bundles of a tree of `size` entries and the tiles above them at once.
    fn look_ahead(&mut self, bundles: std::ops::Range<u64>, size: u64) -> Result<(), ClientError> {
        let both = |index| {
            let tile = TilePath::in_tree(TileKind::Hashes(0), index, size)?;
            Some([Some(tile).filter(|tile| tile.is_full()), tile.bundle()])
        };
        let paths = bundles.map_while(both).flatten().flatten();
        // Some was fetched to compare the old tree with the new one.
        let is_here = |path| self.new.iter().any(|(here, _)| *here == path);
        let is_kept = |path| self.keep_path(path).is_some_and(|kept| kept.exists());
        let absent = paths.filter(|path| !is_here(*path) && !is_kept(*path)).collect();
        self.ahead = self.pass.runtime.block_on(self.pass.source.tiles(absent))?;
        Ok(())
    }

    /// Where a full tile is kept.
    fn keep_path(&self, path: TilePath) -> Option<std::path::PathBuf> {
        self.pass.keep.filter(|_| path.is_full()).map(|keep| keep.join(path.to_string()))
    }

    fn kept(&self, path: TilePath) -> Result<Option<Vec<u8>>, ClientError> {
        let Some(kept) = self.keep_path(path).filter(|_| self.kept) else { return Ok(None) };
        match read_at_most(&kept, MAX_TILE_LEN * 8) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps what was proven since.
    fn keep(&mut self) -> Result<(), ClientError> {
        let Some(keep) = self.pass.keep else { return Ok(()) };
        let mut folders = BTreeSet::new();
        for (path, bytes) in self.new.drain(..) {
            let path = keep.join(path.to_string());
            evidence::create(&path, &bytes)?;
            folders.insert(path.parent().unwrap_or(keep).to_owned());
        }
        folders.iter().try_for_each(|folder| evidence::sync_folder(folder))
    }
}

/// An inclusion proof from a log's tiles, up to its newest checkpoint.
pub(super) fn inclusion(
    source: &Source,
    signed: &Signed,
    index: u64,
    runtime: &Handle,
) -> Result<Vec<custody::digest::Digest>, LogError> {
    let (size, root) = (signed.checkpoint.size(), *signed.checkpoint.root());
    let plan = Plan::inclusion(index, size).map_err(|error| ClientError::Input(error.to_string()))?;
    let needed = TileReader::needed(&plan, size).into_iter().collect();
    let mut ahead = runtime.block_on(source.tiles(needed))?;
    let fetch = |path| match ahead.remove(&path) {
        Some(bytes) => Ok(bytes),
        None => runtime.block_on(source.tile(path)),
    };
    Ok(TileReader::new(size, root, fetch)?.inclusion_proof(index)?)
}
