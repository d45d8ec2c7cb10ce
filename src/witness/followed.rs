//! One log that a witness follows: its folder.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::note::{MAX_NOTE_LEN, SignedNote, VerifierKey};
use custody::witness::{AddCheckpoint, Head};

use super::WitnessError;
use crate::durable;

/// Most keys of one log that may sign: a few are known while it changes from one to the next.
pub(super) const MAX_KEYS: usize = 8;
const KEY_EXTENSION: &str = "vkey";
/// Most contradictions kept of one log: they prove no more than the first ones.
const MAX_EVIDENCE: usize = 64;
const CHECKPOINT: &str = "checkpoint";
const EVIDENCE: &str = "evidence";

/// A log's folder; it need not be there.
#[derive(Debug)]
pub(super) struct Followed(PathBuf);

/// What was cosigned last.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) head: Head,
    note: SignedNote,
}

/// The keys of a log. What is held decides which of them may still sign, so that it is remembered with it.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// May sign what comes next, in the order in which the witness was told of them.
    pub(super) present: Vec<VerifierKey>,
    /// Signs nothing more: the witness was told of a later one, which has signed what is held.
    pub(super) replaced: Vec<VerifierKey>,
    /// What the next one is numbered.
    next: u32,
}

/// A log that is followed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Summary {
    /// Its name.
    pub origin: String,
    /// Its keys that may sign, oldest first.
    pub keys: Vec<String>,
    /// Its keys before: a newer one has signed since.
    pub replaced: Vec<String>,
    /// How large the tree was that was cosigned last; nothing if none was.
    pub size: Option<u64>,
    /// How many contradictions were kept.
    pub evidence: usize,
}

impl Followed {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Whether the witness was told of a key that signs for this log.
    pub(super) fn is_known(&self) -> Result<bool, WitnessError> {
        Ok(!self.numbered()?.is_empty())
    }

    /// The keys that sign for this log, or did; none if it is not followed.
    pub(super) fn keys(&self, held: Option<&Held>) -> Result<Keys, WitnessError> {
        let numbered = self.numbered()?;
        let signed =
            |key: &VerifierKey| held.is_some_and(|held| held.note.verify(std::slice::from_ref(key)).is_ok());
        let newest = numbered.iter().filter(|(_, key)| signed(key)).map(|(number, _)| *number).max();
        let mut keys = Keys { next: numbered.last().map_or(1, |(last, _)| last + 1), ..Keys::default() };
        for (number, key) in numbered {
            let replaced = newest.is_some_and(|newest| number < newest);
            if replaced { keys.replaced.push(key) } else { keys.present.push(key) }
        }
        Ok(keys)
    }

    /// Adds a key; whether it is new.
    pub(super) fn add(&self, key: &VerifierKey, witness: &VerifierKey) -> Result<bool, WitnessError> {
        let keys = self.keys(self.held(witness)?.as_ref())?;
        if keys.replaced.contains(key) {
            return Err(WitnessError::Replaced(self.0.clone()));
        }
        if keys.present.contains(key) {
            return Ok(false);
        }
        if keys.present.len() >= MAX_KEYS {
            return Err(WitnessError::TooManyKeys);
        }
        make_dir(&self.0)?;
        let name = format!("{:03}-{}.{KEY_EXTENSION}", keys.next, key.id());
        replace(&self.0.join(name), format!("{key}\n").as_bytes())?;
        Ok(true)
    }

    /// The keys by number, which is the order in which the witness was told of them.
    fn numbered(&self) -> Result<Vec<(u32, VerifierKey)>, WitnessError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io(&self.0)(error)),
        };
        let mut keys = Vec::new();
        for entry in entries {
            let path = entry.map_err(io(&self.0))?.path();
            if path.extension().is_some_and(|extension| extension == KEY_EXTENSION) {
                let text = fs::read_to_string(&path).map_err(io(&path))?;
                let key = text.trim_end().parse().map_err(|_| "it is not a verifier key");
                let numbered = key
                    .and_then(|key| Ok((number(&path).ok_or("its name does not begin with a number")?, key)));
                keys.push(numbered.map_err(|reason| WitnessError::Damaged { path, reason })?);
            }
        }
        keys.sort_by_key(|(number, _)| *number);
        Ok(keys)
    }

    /// What was cosigned last, with our own cosignature on it: a file that says anything else is no memory.
    pub(super) fn held(&self, witness: &VerifierKey) -> Result<Option<Held>, WitnessError> {
        let Some(bytes) = self.shown()? else { return Ok(None) };
        let damaged = |reason| WitnessError::Damaged { path: self.0.join(CHECKPOINT), reason };
        let note = SignedNote::parse(&bytes).map_err(|_| damaged("it is not a signed note"))?;
        note.verify(std::slice::from_ref(witness))
            .map_err(|_| damaged("it is not cosigned by this witness"))?;
        let head = AddCheckpoint::new(0, Vec::new(), note.clone())
            .map_err(|_| damaged("it is not a checkpoint"))?
            .head();
        Ok(Some(Held { head, note }))
    }

    /// Remembers and shows a checkpoint: on disk when this returns.
    pub(super) fn hold(&self, note: &SignedNote) -> Result<(), WitnessError> {
        replace(&self.0.join(CHECKPOINT), note.to_string().as_bytes())
    }

    /// The bytes that are shown.
    pub(super) fn shown(&self) -> Result<Option<Vec<u8>>, WitnessError> {
        let path = self.0.join(CHECKPOINT);
        match fs::read(&path) {
            Ok(bytes) if bytes.len() > MAX_NOTE_LEN => {
                Err(WitnessError::Damaged { path, reason: "it is too long" })
            }
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io(&path)(error)),
        }
    }

    /// Keeps a request that contradicts what is held, and what it contradicts; whether that is new.
    pub(super) fn keep(&self, held: &Held, request: &AddCheckpoint) -> Result<bool, WitnessError> {
        let folder = self.0.join(EVIDENCE);
        // Anybody can send a signed checkpoint again with another wrong proof: what the log signed makes the name.
        let name = Digest::of(request.checkpoint().text().as_bytes()).to_hex();
        let path = folder.join(format!("{name}.request"));
        if path.exists() || count(&folder)? >= MAX_EVIDENCE {
            return Ok(false);
        }
        make_dir(&folder)?;
        replace(&folder.join(format!("{name}.held")), held.note.to_string().as_bytes())?;
        replace(&path, request.to_string().as_bytes())?;
        Ok(true)
    }

    /// For people; nothing if no key of the log is known.
    pub(super) fn summary(&self, witness: &VerifierKey) -> Result<Option<Summary>, WitnessError> {
        let held = self.held(witness)?;
        let keys = self.keys(held.as_ref())?;
        let Some(first) = keys.present.first() else { return Ok(None) };
        let texts = |keys: &[VerifierKey]| keys.iter().map(ToString::to_string).collect();
        Ok(Some(Summary {
            origin: first.name().to_string(),
            keys: texts(&keys.present),
            replaced: texts(&keys.replaced),
            size: held.map(|held| held.head.size),
            evidence: count(&self.0.join(EVIDENCE))?,
        }))
    }
}

/// `2` of `002-a1b2c3d4.vkey`.
fn number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.split_once('-')?.0.parse().ok()
}

/// Makes a folder, and makes its name durable.
pub(super) fn make_dir(path: &Path) -> Result<(), WitnessError> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(io(path))?;
    durable::sync_dir(durable::parent(path)).map_err(io(path))
}

pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> WitnessError {
    move |source| WitnessError::File { path: path.to_owned(), source }
}

/// Replaces a file as a whole; on disk when this returns. What we show may be served by any web server.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), WitnessError> {
    durable::replace(path, 0o644, bytes).map_err(io(path))
}

/// How many contradictions are kept.
fn count(folder: &Path) -> Result<usize, WitnessError> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            let requests = entries.filter_map(Result::ok).map(|entry| entry.path());
            Ok(requests
                .filter(|path| path.extension().is_some_and(|extension| extension == "request"))
                .count())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(io(folder)(error)),
    }
}
