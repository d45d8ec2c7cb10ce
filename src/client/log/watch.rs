//! Following a log as an outsider who keeps nothing but the last checkpoint.

use std::fs;
use std::path::{Path, PathBuf};

use custody::checkpoint::Checkpoint;
use custody::log_keys::LogKeys;
use custody::note::{SignedNote, VerifierKey};
use custody::proof::TlogProof;
use tokio::runtime::Handle;

use super::evidence::{self, LogError};
use super::pass::{self, Pass, Signed};
use super::{ClientError, KnownLog, Source, keys};
use crate::client::secret::file;

const CHECKPOINT: &str = "checkpoint";
const EVIDENCE: &str = "evidence";

/// A log, and the folder in which an outsider remembers what it has signed.
#[derive(Debug)]
pub struct Watch {
    state: PathBuf,
    log: KnownLog,
}

/// A checkpoint that holds, and how far the log had been seen before.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The checkpoint with all its signatures.
    pub note: SignedNote,
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The size seen last time; 0 for never.
    pub before: u64,
    /// The key of the log that signed it.
    pub log: VerifierKey,
}

impl Seen {
    pub(super) fn new(Signed { note, checkpoint, log }: Signed, before: u64) -> Self {
        Self { note, checkpoint, before, log }
    }
}

impl Watch {
    /// A watch that remembers in `state`, made if it is not there.
    pub fn open(state: &Path, log: impl Into<KnownLog>) -> Result<Self, ClientError> {
        fs::create_dir_all(state).map_err(file(state))?;
        Ok(Self { state: state.to_owned(), log: log.into() })
    }

    /// Reads all that is new in the log, and remembers its checkpoint once everything below it was shown to lead to its
    /// root and to continue what was seen before.
    pub fn look(
        &self,
        source: &Source,
        runtime: &Handle,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Seen, LogError> {
        let path = self.state.join(CHECKPOINT);
        let (log, keys) = self.log.follow(source, Some(&self.state), runtime)?;
        let held = Signed::read(&path, &log)?;
        let pass = Pass { source, log: &log, runtime, evidence: &self.state.join(EVIDENCE), keep: None };
        let newest = pass.run(held.as_ref(), progress)?;
        keys::keep(&self.state, &keys)?;
        evidence::replace(&path, newest.note.to_string().as_bytes())?;
        Ok(Seen::new(newest, held.map_or(0, |held| held.checkpoint.size())))
    }
}

impl Source {
    /// A proof that the log has leaf `index`, up to its newest checkpoint, made from tiles that nobody has to be trusted
    /// for, and the log's keys. Waits, so that it runs on a thread of its own.
    pub fn prove(
        &self,
        log: &KnownLog,
        index: u64,
        runtime: &Handle,
    ) -> Result<(TlogProof, LogKeys), LogError> {
        let (log, _) = log.follow(self, None, runtime)?;
        let signed = Signed::open(&runtime.block_on(self.checkpoint())?, &log)?;
        let path = pass::inclusion(self, &signed, index, runtime)?;
        let proof = TlogProof::new(index, path, signed.note);
        Ok((proof.map_err(|error| ClientError::Input(error.to_string()))?, log))
    }
}
