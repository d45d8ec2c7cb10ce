//! Checkpoints: what a log says about all of itself, in three lines (C2SP tlog-checkpoint).
//!
//! The text is the log's origin, its size and its root, signed as a note under the origin's name. Extension lines
//! are refused: nobody audits them. Witnesses add cosignatures (C2SP tlog-cosignature).
//!
//! ```
//! use custody::checkpoint::{Checkpoint, Origin};
//! use custody::merkle::leaf_hash;
//! use custody::note::{SignatureType, VerifierKey};
//!
//! let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
//! let origin = Origin::new("vault.example.org/custos/1").unwrap();
//! let note = Checkpoint::new(origin.clone(), 1, leaf_hash(b"entry")).unwrap().sign(&key).unwrap();
//!
//! let log = VerifierKey::new(origin.key_name(), SignatureType::Ed25519, key.verifying_key()).unwrap();
//! assert_eq!(Checkpoint::open(&note, &log).unwrap().size(), 1);
//! ```

use core::fmt;
use core::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::merkle::{EMPTY_ROOT, MAX_SIZE};
use crate::note::{KeyName, NoteError, NoteSignature, SignatureType, SignedNote, VerifierKey};

/// The unique name of a log: a URL without scheme, such as `vault.example.org/custos/1`.
///
/// 1 to 200 visible ASCII characters without plus and without `://`: it stands in one line of a checkpoint, names the
/// key that signs it, and must look different from every other origin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// Why a text is not an [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is a URL without scheme: 1 to 200 visible ascii characters without plus signs")]
pub struct OriginError;

impl Origin {
    /// The longest origin, in bytes.
    pub const MAX_LEN: usize = 200;

    /// Checks an origin.
    pub fn new(origin: &str) -> Result<Self, OriginError> {
        let fits = (1..=Self::MAX_LEN).contains(&origin.len());
        let clean = origin.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+');
        if fits && clean && !origin.contains("://") { Ok(Self(origin.to_owned())) } else { Err(OriginError) }
    }

    /// The origin.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which the log signs its checkpoints: the origin.
    #[expect(clippy::expect_used, reason = "an origin's rules are stricter than a key name's")]
    pub fn key_name(&self) -> KeyName {
        KeyName::new(&self.0).expect("an origin is a key name")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = OriginError;
    fn from_str(origin: &str) -> Result<Self, OriginError> {
        Self::new(origin)
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;
    fn try_from(origin: String) -> Result<Self, OriginError> {
        Self::new(&origin)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

/// A log's origin, size and root at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: Origin,
    size: u64,
    root: Digest,
}

/// Why a text is not a checkpoint, or a note is not one that a log signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not exactly three lines, each ending in a newline.
    #[error("a checkpoint has exactly three lines: origin, size and root")]
    NotThreeLines,
    /// There are lines after the root.
    #[error("extension lines in a checkpoint are refused")]
    ExtensionLines,
    /// The first line is not an origin.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The second line is not a size: decimal without leading zeros or sign, at most 2^63 - 1.
    #[error("a checkpoint's size is decimal without leading zeros, at most 2^63 - 1")]
    BadSize,
    /// The third line is not base64 of 32 bytes.
    #[error("a checkpoint's root is base64 of 32 bytes")]
    BadRoot,
    /// A tree without leaves has only one root, and it is not this one.
    #[error("the root of an empty log is the hash of no bytes")]
    BadEmptyRoot,
    /// The key given is not one that signs checkpoints as a log.
    #[error("a log signs its checkpoints with a plain ed25519 key")]
    NotALogKey,
    /// The checkpoint is that of another log.
    #[error("the checkpoint's origin is not the name of the log's key")]
    OtherLog,
    /// Signed by a key of the log that was replaced before.
    #[error("it is signed by a key that the log has replaced after {until} entries")]
    Replaced {
        /// Size of the largest checkpoint that the key can have signed.
        until: u64,
    },
    /// Signed by a key that became the log's later.
    #[error("it is signed by a key that the log has had only from {from} entries on")]
    NotYet {
        /// Size of the smallest checkpoint that the key can have signed.
        from: u64,
    },
    /// The note is not to be believed.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// A checkpoint of `size` leaves, at most 2^63 - 1, with their `root`.
    pub fn new(origin: Origin, size: u64, root: Digest) -> Result<Self, CheckpointError> {
        if size > MAX_SIZE {
            return Err(CheckpointError::BadSize);
        }
        if size == 0 && root != EMPTY_ROOT {
            return Err(CheckpointError::BadEmptyRoot);
        }
        Ok(Self { origin, size, root })
    }

    /// Reads the text of a checkpoint. It says nothing about who wrote it: see [`Checkpoint::open`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointError::NotThreeLines)?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::NotThreeLines);
        };
        if lines.next().is_some() {
            return Err(CheckpointError::ExtensionLines);
        }
        let size = decimal(size).ok_or(CheckpointError::BadSize)?;
        let root = decode_hash(root).ok_or(CheckpointError::BadRoot)?;
        Self::new(Origin::new(origin)?, size, root)
    }

    /// Verifies that `note` is a checkpoint of the log whose key is `log`, and signed by it.
    pub fn open(note: &SignedNote, log: &VerifierKey) -> Result<Self, CheckpointError> {
        if log.signature_type() != SignatureType::Ed25519 {
            return Err(CheckpointError::NotALogKey);
        }
        note.verify(core::slice::from_ref(log))?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin.as_str() == log.name().as_str() {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::OtherLog)
        }
    }

    /// The log's name.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How many leaves the log has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves.
    pub const fn root(&self) -> &Digest {
        &self.root
    }

    /// The three lines that are signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, encode_hash(&self.root))
    }

    /// The checkpoint as a note with the log's own signature, under the origin's name. The caller has made sure that
    /// it continues every checkpoint signed before.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedNote, NoteError> {
        let text = self.text();
        let signature = NoteSignature::ed25519(self.origin.key_name(), key, &text);
        SignedNote::new(text, vec![signature])
    }

    /// A witness's cosignature: "at `seconds` since 1970 this was the largest consistent tree I had seen". The caller
    /// has verified that it is.
    pub fn cosign(
        &self,
        witness: KeyName,
        key: &SigningKey,
        seconds: u64,
    ) -> Result<NoteSignature, NoteError> {
        NoteSignature::cosignature(witness, key, seconds, &self.text())
    }
}

/// Decimal without sign or leading zeros, at most 2^63 - 1.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = text == "0" || !text.starts_with('0');
    if digits && plain { text.parse().ok().filter(|number| *number <= MAX_SIZE) } else { None }
}

/// A hash in standard base64, 44 characters.
pub(crate) fn encode_hash(hash: &Digest) -> String {
    BASE64_STANDARD.encode(hash.as_bytes())
}

/// Reads exactly what [`encode_hash`] writes.
pub(crate) fn decode_hash(text: &str) -> Option<Digest> {
    if text.len() != 44 {
        return None;
    }
    Digest::from_slice(&BASE64_STANDARD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From C2SP tlog-checkpoint and tlog-cosignature.
    const EXAMPLE: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn origin() -> Origin {
        Origin::new("vault.example.org/custos/1").unwrap()
    }

    fn log_key(seed: u8) -> VerifierKey {
        VerifierKey::new(origin().key_name(), SignatureType::Ed25519, key(seed).verifying_key()).unwrap()
    }

    #[test]
    fn the_published_example_is_read_and_written() {
        let checkpoint = Checkpoint::parse(EXAMPLE).unwrap();
        assert_eq!(checkpoint.origin().as_str(), "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size(), 20_852_163);
        assert_eq!(
            checkpoint.root().to_hex(),
            "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"
        );
        assert_eq!(checkpoint.text(), EXAMPLE);
    }

    #[test]
    fn a_log_opens_its_own_checkpoint_only() {
        let checkpoint = Checkpoint::new(origin(), 3, Digest::of(b"root")).unwrap();
        let note = checkpoint.sign(&key(1)).unwrap();
        assert_eq!(Checkpoint::open(&note, &log_key(1)), Ok(checkpoint));
        assert_eq!(
            Checkpoint::open(&note, &log_key(2)),
            Err(CheckpointError::Note(NoteError::NoKnownSigner))
        );
    }

    #[test]
    fn a_key_signs_only_for_the_log_it_is_named_after() {
        let other =
            Checkpoint::new(Origin::new("other.example/log").unwrap(), 3, Digest::of(b"root")).unwrap();
        let signature = NoteSignature::ed25519(origin().key_name(), &key(1), &other.text());
        let note = SignedNote::new(other.text(), vec![signature]).unwrap();
        assert_eq!(Checkpoint::open(&note, &log_key(1)), Err(CheckpointError::OtherLog));
    }

    #[test]
    fn a_witness_does_not_speak_for_the_log() {
        let checkpoint = Checkpoint::new(origin(), 3, Digest::of(b"root")).unwrap();
        let witness =
            VerifierKey::new(origin().key_name(), SignatureType::Cosignature, key(1).verifying_key())
                .unwrap();
        let cosignature = checkpoint.cosign(origin().key_name(), &key(1), 9).unwrap();
        let note = SignedNote::new(checkpoint.text(), vec![cosignature]).unwrap();
        assert_eq!(note.verify(core::slice::from_ref(&witness)).unwrap()[0].time, Some(9));
        assert_eq!(Checkpoint::open(&note, &witness), Err(CheckpointError::NotALogKey));
    }

    #[test]
    fn an_empty_log_has_one_root() {
        assert!(Checkpoint::new(origin(), 0, EMPTY_ROOT).is_ok());
        assert_eq!(Checkpoint::new(origin(), 0, Digest::ZERO), Err(CheckpointError::BadEmptyRoot));
        assert_eq!(Checkpoint::new(origin(), MAX_SIZE + 1, Digest::ZERO), Err(CheckpointError::BadSize));
    }

    #[test]
    fn origins_that_could_be_mistaken_are_refused() {
        let long = "x".repeat(201);
        for bad in ["", "a b", "a+b", "a\n", "https://a.example", "vаult", "a\u{7f}", &long] {
            assert_eq!(Origin::new(bad), Err(OriginError), "{bad:?}");
        }
        assert!(Origin::new(&"x".repeat(200)).is_ok());
        assert!(serde_json::from_str::<Origin>("\"a b\"").is_err());
        assert_eq!(serde_json::from_str::<Origin>("\"a/b\"").unwrap().as_str(), "a/b");
    }

    proptest! {
        #[test]
        fn whatever_parses_is_written_back_byte_for_byte(
            size in 0..=MAX_SIZE,
            root in any::<[u8; 32]>(),
            at in any::<prop::sample::Index>(),
            with in any::<char>(),
        ) {
            let root = if size == 0 { EMPTY_ROOT } else { Digest::new(root) };
            let checkpoint = Checkpoint::new(origin(), size, root).unwrap();
            let text = checkpoint.text();
            prop_assert_eq!(Checkpoint::parse(&text), Ok(checkpoint));
            let at = at.index(text.len());
            let changed = format!("{}{with}{}", &text[..at], &text[at + 1..]);
            if let Ok(read) = Checkpoint::parse(&changed) {
                prop_assert_eq!(read.text(), changed);
            }
        }
    }
}
