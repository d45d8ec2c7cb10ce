//! Being a witness: a small directory, a key of its own, and the promise never to cosign two histories of one log
//! (C2SP tlog-witness).
//!
//! ```text
//! witness.key                  the key, and the name it cosigns under
//! lock                         held while somebody serves
//! logs/SHA-256 of an origin/
//!     001-KEY-ID.vkey          a key that signs for that log, or did: numbered as the witness was told of them
//!     checkpoint               the largest tree cosigned, with our cosignature: our memory, and what we show
//!     evidence/                requests that contradict it, each beside the checkpoint that it contradicts
//! ```
//!
//! What a witness remembers is what it shows: one file a log, replaced as a whole and on disk before anybody gets a
//! cosignature. It says by its signatures, too, which key the log has now: once a newer one has signed it, those before
//! sign nothing more, whoever has them. A copy of the directory from a backup has forgotten what was cosigned since; it must never be served
//! ([ADR 0013](../../docs/adr/0013-a-witness-remembers-what-it-shows.md)).

mod followed;
mod http;

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use custody::digest::Digest;
use custody::entropy::Entropy;
use custody::keys::Key32;
use custody::note::{KeyName, NoteError, SignatureType, VerifierKey, VerifierKeyError};
use custody::witness::{AddCheckpoint, Answer, Refusal, decide};
use ed25519_dalek::SigningKey;

use crate::keyring::{FileProvider, KeyFile, KeyProvider as _, KeyringError};
pub use followed::Summary;
use followed::{Followed, Held};
pub use http::{Bound, Options, ServeError, serve};

const KEY_FILE: &str = "witness.key";
const LOCK_FILE: &str = "lock";
const LOGS: &str = "logs";

/// A witness's directory, opened.
pub struct Witness {
    root: PathBuf,
    name: KeyName,
    key: SigningKey,
    vkey: VerifierKey,
    /// Checking and persisting is one step for each log.
    turns: Mutex<HashMap<Digest, Arc<Mutex<()>>>>,
}

/// The right to answer for a directory: no other process has it at the same time.
#[derive(Debug)]
pub struct Serving {
    _lock: File,
}

/// Why a witness cannot do what it is asked. [`remedy`](Self::remedy) says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// A file or folder of the witness.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The key cannot be made or opened.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The key file is not that of a witness.
    #[error("{} is not the key of a witness: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The name or key of this witness cannot be used in a note.
    #[error(transparent)]
    VerifierKey(#[from] VerifierKeyError),
    /// A file that this program wrote is not as it was written. Nothing is cosigned for that log any more.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The checkpoint cannot carry our cosignature, or the clock shows no time.
    #[error("cannot cosign")]
    Cosign(#[from] NoteError),
    /// The key that should be followed is not one that signs for a log.
    #[error("a log's key has signature type 1 (ed25519)")]
    NotALogKey,
    /// A log has more keys than any log needs.
    #[error("a log has at most {} keys at a time", followed::MAX_KEYS)]
    TooManyKeys,
    /// A key that should be followed was replaced: a newer one of the log has signed since.
    #[error("the log has gone on with a newer key: this one signs nothing more")]
    Replaced(PathBuf),
    /// Another process serves this directory.
    #[error("another process serves {}", .0.display())]
    Served(PathBuf),
}

impl WitnessError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::File { .. } => "check that the directory is there, and its disk and permissions".to_owned(),
            Self::Keyring(error) => error.remedy(),
            Self::Key { path, .. } => {
                format!("name a directory made by `custos witness init`, not that of {}", path.display())
            }
            Self::VerifierKey(_) => "a name has 1 to 255 bytes without spaces and plus signs".to_owned(),
            Self::Damaged { .. } => {
                "check the disk. If the file cannot be mended, make a new witness with a new key: one \
                that has forgotten what it cosigned is worse than none"
                    .to_owned()
            }
            Self::Cosign(_) => "check this machine's clock".to_owned(),
            Self::NotALogKey => {
                "give the verifier key of the log (`custos init` and record 0 show it)".to_owned()
            }
            Self::TooManyKeys => "remove the files of keys that the log will not use".to_owned(),
            Self::Replaced(folder) => format!(
                "nothing, if the log has replaced it. Only if you added the log's keys in another order than it uses \
                 them, remove this one's file in {} and add it again",
                folder.display()
            ),
            Self::Served(_) => {
                "end the other process first: two of them could cosign two histories".to_owned()
            }
        }
    }
}

impl Witness {
    /// Makes a new witness in a directory that is absent or empty; `name` is a URL without scheme, such as
    /// `witness.example/w1`, and cannot be changed.
    pub fn init(root: &Path, name: &KeyName, entropy: &mut dyn Entropy) -> Result<Self, WitnessError> {
        crate::keyring::create_dir(root)?;
        let key = Key32::make(entropy);
        let vkey = verifier_key(name, &SigningKey::from_bytes(key.expose()))?;
        let fields = FileProvider
            .protect(name.as_str(), &key, entropy)
            .map_err(|_| WitnessError::Key { path: root.join(KEY_FILE), reason: "it cannot be written" })?;
        let file = KeyFile {
            name: name.to_string(),
            provider: FileProvider.name().to_owned(),
            check: Digest::of(vkey.to_string().as_bytes()),
            sample: false,
            fields,
        };
        // The key last: a directory with a key is complete.
        followed::make_dir(&root.join(LOGS))?;
        file.write(&root.join(KEY_FILE))?;
        Self::open(root)
    }

    /// Opens an existing witness.
    pub fn open(root: &Path) -> Result<Self, WitnessError> {
        let path = root.join(KEY_FILE);
        let file = KeyFile::read(&path)?;
        let wrong = |reason| WitnessError::Key { path: path.clone(), reason };
        if file.provider != FileProvider.name() {
            return Err(wrong("it is protected in another way"));
        }
        let name = KeyName::new(&file.name).map_err(|_| wrong("its name cannot stand in a note"))?;
        let key = FileProvider.recover(&file.name, &file.fields).map_err(|_| wrong("it holds no key"))?;
        let key = SigningKey::from_bytes(key.expose());
        let vkey = verifier_key(&name, &key)?;
        if Digest::of(vkey.to_string().as_bytes()) != file.check {
            return Err(wrong("its check value is that of another name or key"));
        }
        Ok(Self { root: root.to_owned(), name, key, vkey, turns: Mutex::default() })
    }

    /// The key with which others verify the cosignatures: for policy files.
    pub const fn vkey(&self) -> &VerifierKey {
        &self.vkey
    }

    /// Follows a log from now on, or a further key of it, which comes after those that are known; whether that is new. A
    /// process that serves sees it at once.
    pub fn follow(&self, log: &VerifierKey) -> Result<bool, WitnessError> {
        if log.signature_type() != SignatureType::Ed25519 {
            return Err(WitnessError::NotALogKey);
        }
        self.followed(log.name().as_str()).add(log, &self.vkey)
    }

    /// The logs that are followed, by origin.
    pub fn logs(&self) -> Result<Vec<Summary>, WitnessError> {
        let folder = self.root.join(LOGS);
        let mut logs = Vec::new();
        for entry in fs::read_dir(&folder).map_err(followed::io(&folder))? {
            let entry = entry.map_err(followed::io(&folder))?;
            logs.extend(Followed::new(entry.path()).summary(&self.vkey)?);
        }
        logs.sort_by(|a, b| a.origin.cmp(&b.origin));
        Ok(logs)
    }

    /// Takes the right to answer for this directory, until what is returned goes away.
    pub fn begin(&self) -> Result<Serving, WitnessError> {
        let path = self.root.join(LOCK_FILE);
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(followed::io(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Serving { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(WitnessError::Served(self.root.clone())),
            Err(TryLockError::Error(source)) => Err(WitnessError::File { path, source }),
        }
    }

    /// Answers a request to `add-checkpoint`, at `seconds` since 1970. What is cosigned is on disk when this returns.
    pub fn answer(&self, _: &Serving, body: &[u8], seconds: u64) -> Result<Answer, WitnessError> {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(error) => return Ok(Refusal::from(error).into()),
        };
        let log = self.followed(request.origin());
        if !log.is_known()? {
            return Ok(Answer::NotFound);
        }
        let turn = self.turn(request.origin());
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let held = log.held(&self.vkey)?;
        let keys = log.keys(held.as_ref())?;
        // What is smaller than what is held is never cosigned. Whoever asks for it with a key from before is told so: a
        // log that was set back learns how far it was.
        let is_behind = held.as_ref().is_some_and(|held| request.head().size < held.head.size);
        let before = if is_behind { &keys.replaced[..] } else { &[] };
        let believed = [&keys.present[..], before].concat();
        match decide(&believed, held.as_ref().map(|held| held.head), &request) {
            Ok(accepted) => {
                let cosignature = accepted.cosign(self.name.clone(), &self.key, seconds)?;
                log.hold(&accepted.note(std::slice::from_ref(&cosignature))?)?;
                Ok(Answer::Cosigned(vec![cosignature]))
            }
            Err(refusal) => {
                if let Some(held) = &held {
                    keep_evidence(&log, held, &request, refusal)?;
                }
                let by_none = matches!(refusal, Refusal::NotSigned(_));
                if by_none && request.checkpoint().verify(&keys.replaced).is_ok() {
                    let (origin, size) = (request.origin(), request.head().size);
                    tracing::error!(target: "security", origin, size, "a key that the log has replaced signs on: not cosigned");
                }
                Ok(refusal.into())
            }
        }
    }

    /// What is shown of a log: the latest checkpoint cosigned. `origin_hash` is as in
    /// [`monitoring_path`](custody::witness::monitoring_path).
    pub fn shown(&self, origin_hash: &Digest) -> Result<Option<Vec<u8>>, WitnessError> {
        Followed::new(self.root.join(LOGS).join(origin_hash.to_hex())).shown()
    }

    fn followed(&self, origin: &str) -> Followed {
        Followed::new(self.root.join(LOGS).join(Digest::of(origin.as_bytes()).to_hex()))
    }

    fn turn(&self, origin: &str) -> Arc<Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(Digest::of(origin.as_bytes())).or_default())
    }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").field("root", &self.root).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Keeps a request that contradicts what is held, or may be part of what does.
fn keep_evidence(
    log: &Followed,
    held: &Held,
    request: &AddCheckpoint,
    refusal: Refusal,
) -> Result<(), WitnessError> {
    // Without these checks passed, the log has not signed what the request says.
    if matches!(refusal, Refusal::NotSigned(_) | Refusal::UnknownLog | Refusal::Malformed(_)) {
        return Ok(());
    }
    let asked = request.head();
    let proven = asked.size == held.head.size && asked.root != held.head.root;
    let suspect = matches!(refusal, Refusal::NotConsistent(_));
    if (proven || suspect) && log.keep(held, request)? {
        let origin = request.origin();
        if proven {
            tracing::error!(target: "security", origin, size = asked.size, "a log has signed two roots for one size");
        } else {
            tracing::warn!(target: "security", origin, size = asked.size, "a checkpoint is not shown to continue the last one");
        }
    }
    Ok(())
}

fn verifier_key(name: &KeyName, key: &SigningKey) -> Result<VerifierKey, WitnessError> {
    Ok(VerifierKey::new(name.clone(), SignatureType::Cosignature, key.verifying_key())?)
}
