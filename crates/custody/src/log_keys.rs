//! The keys that a log has had, each for the checkpoints of certain sizes (`docs/FORMAT.md`, "Log").
//!
//! A log begins with the key that record 0 names. The record that replaces it, at index i, is the last thing that the
//! old key can have seen: checkpoints of up to i entries are the old key's, larger ones the new key's. So a checkpoint
//! is believed by its size, whenever it is looked at, and a key that was replaced signs nothing new. A log that goes on
//! under another name ([`Kind::LogContinued`](crate::kind::Kind::LogContinued)) is the same tree under another key.
//!
//! ```
//! use custody::checkpoint::{Checkpoint, CheckpointError, Origin};
//! use custody::digest::Digest;
//! use custody::log_keys::LogKeys;
//! use custody::note::{SignatureType, VerifierKey};
//!
//! let origin = Origin::new("vault.example.org/custos/1").unwrap();
//! let [old, new] = [1, 2].map(|seed| ed25519_dalek::SigningKey::from_bytes(&[seed; 32]));
//! let vkey = |key: &ed25519_dalek::SigningKey| {
//!     VerifierKey::new(origin.key_name(), SignatureType::Ed25519, key.verifying_key()).unwrap()
//! };
//! let keys = LogKeys::from(vkey(&old)).replaced(7, vkey(&new)).unwrap();
//! let signed = |size, key| Checkpoint::new(origin.clone(), size, Digest::ZERO).unwrap().sign(key).unwrap();
//!
//! assert!(keys.open(&signed(7, &old)).is_ok() && keys.open(&signed(8, &new)).is_ok());
//! assert_eq!(keys.open(&signed(8, &old)), Err(CheckpointError::Replaced { until: 7 }));
//! assert_eq!(keys.open(&signed(7, &new)), Err(CheckpointError::NotYet { from: 8 }));
//! ```

mod follow;

pub use follow::{FollowError, MAX_CHANGES_BYTES, VaultKey, parse_changes};

use crate::checkpoint::{Checkpoint, CheckpointError, Origin};
use crate::note::{NoteError, SignatureType, SignedNote, VerifierKey};

/// Most keys of one log: whoever verifies tries each of them.
pub const MAX_LOG_KEYS: usize = 32;

/// Every key that a log has had, in order. There is at least one, and their sizes grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKeys {
    former: Vec<Former>,
    present: VerifierKey,
}

/// A key that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// Index of the record that replaced it, and so the size of the largest checkpoint that it can have signed.
    pub until: u64,
    /// The key.
    pub key: VerifierKey,
    /// Where the record that replaced it notes a loss: log index of the first lost record. One of those may have put the
    /// next key in its place already, so that checkpoints of more entries than this, and of no more than `until`, may be
    /// either key's.
    pub lost_from: Option<u64>,
}

/// Why a key cannot come after those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogKeysError {
    /// A key of a log is Ed25519 under the log's name, which is an origin.
    #[error("a log's key is a plain ed25519 key under the name of the log")]
    NotALogKey,
    /// The key was one of the log's before.
    #[error("the log has had this key before")]
    Repeated,
    /// More than [`MAX_LOG_KEYS`].
    #[error("a log has at most {MAX_LOG_KEYS} keys")]
    TooMany,
    /// The key before was replaced at the same place in the log, or further on.
    #[error("the log's keys were not replaced in this order")]
    Order,
}

impl From<VerifierKey> for LogKeys {
    fn from(key: VerifierKey) -> Self {
        Self { former: Vec::new(), present: key }
    }
}

impl LogKeys {
    /// The same, and since the record at `index` a new key.
    pub fn replaced(self, index: u64, new: VerifierKey) -> Result<Self, LogKeysError> {
        self.replaced_after(index, None, new)
    }

    /// The same, where that record notes the loss of all records from `lost_from` on.
    pub fn replaced_after(
        mut self,
        index: u64,
        lost_from: Option<u64>,
        new: VerifierKey,
    ) -> Result<Self, LogKeysError> {
        if new.signature_type() != SignatureType::Ed25519 || Origin::new(new.name().as_str()).is_err() {
            return Err(LogKeysError::NotALogKey);
        }
        if self.former.len() + 1 >= MAX_LOG_KEYS {
            return Err(LogKeysError::TooMany);
        }
        if self.each().any(|key| key.public_key() == new.public_key()) {
            return Err(LogKeysError::Repeated);
        }
        if index == 0 || self.former.last().is_some_and(|last| last.until >= index) {
            return Err(LogKeysError::Order);
        }
        let old = core::mem::replace(&mut self.present, new);
        self.former.push(Former { until: index, key: old, lost_from });
        Ok(self)
    }

    /// The key that signs now.
    pub const fn present(&self) -> &VerifierKey {
        &self.present
    }

    /// The keys that were replaced, oldest first.
    pub fn former(&self) -> &[Former] {
        &self.former
    }

    /// The key that record 0 names.
    pub fn first(&self) -> &VerifierKey {
        self.former.first().map_or(&self.present, |former| &former.key)
    }

    /// All keys, oldest first.
    pub fn each(&self) -> impl Iterator<Item = &VerifierKey> {
        self.former.iter().map(|former| &former.key).chain(core::iter::once(&self.present))
    }

    /// The key that signs the checkpoint of `size` entries; its name is the log's at that time.
    pub fn of_size(&self, size: u64) -> &VerifierKey {
        let found = self.former.iter().find(|former| size <= former.until);
        found.map_or(&self.present, |former| &former.key)
    }

    /// The keys that may have signed a checkpoint of `size` entries: that of its size, and where records were lost, the
    /// one that these may have named.
    fn of_size_or_lost(&self, size: u64) -> impl Iterator<Item = &VerifierKey> {
        let at = self.former.iter().take_while(|former| size > former.until).count();
        let lost = |former: &&Former| former.lost_from.is_some_and(|from| size > from);
        self.each().skip(at).take(1 + self.former[at..].iter().take_while(lost).count())
    }

    /// Whether the record at `index` came into the log under this name.
    pub fn is_name_of(&self, index: u64, log: &str) -> bool {
        self.of_size_or_lost(index.saturating_add(1)).any(|key| key.name().as_str() == log)
    }

    /// Whether records up to there were lost that may have put another key in its place.
    pub fn is_lost(&self, size: u64) -> bool {
        self.of_size_or_lost(size).count() > 1
    }

    /// Whether this key may have signed a checkpoint of `size` entries.
    pub fn may_sign(&self, size: u64, key: &VerifierKey) -> bool {
        self.of_size_or_lost(size).any(|log| log == key)
    }

    /// Those of the first `size` entries: what a checkpoint of that size knows.
    #[must_use]
    pub fn up_to(&self, size: u64) -> Self {
        let former: Vec<_> = self.former.iter().take_while(|former| former.until < size).cloned().collect();
        Self { present: self.of_size(size).clone(), former }
    }

    /// Verifies that `note` is a checkpoint of this log, signed by the key that the log had at its size.
    pub fn open(&self, note: &SignedNote) -> Result<Checkpoint, CheckpointError> {
        self.open_by(note).map(|(checkpoint, _)| checkpoint)
    }

    /// The same, and by which key.
    pub fn open_by(&self, note: &SignedNote) -> Result<(Checkpoint, &VerifierKey), CheckpointError> {
        let size = Checkpoint::parse(note.text())?.size();
        for key in self.of_size_or_lost(size) {
            match Checkpoint::open(note, key) {
                Err(CheckpointError::Note(NoteError::NoKnownSigner)) => {}
                other => return other.map(|checkpoint| (checkpoint, key)),
            }
        }
        Err(self.misplaced(note))
    }

    /// Whose checkpoint it is that the key of its size has not signed.
    fn misplaced(&self, note: &SignedNote) -> CheckpointError {
        let mut from = 0;
        for Former { until, key, lost_from } in &self.former {
            if let Ok(signed) = Checkpoint::open(note, key) {
                let until = *until;
                return if signed.size() > until {
                    CheckpointError::Replaced { until }
                } else {
                    CheckpointError::NotYet { from }
                };
            }
            from = lost_from.unwrap_or(*until).saturating_add(1);
        }
        match Checkpoint::open(note, &self.present) {
            Ok(_) => CheckpointError::NotYet { from },
            Err(error) => error,
        }
    }
}
