//! A proof that fits in one text: leaf index, inclusion proof and checkpoint (C2SP tlog-proof@v1).
//!
//! It can be checked offline with nothing but the leaf's hash and the log's key, and, for witnesses, a trust
//! [`Policy`](crate::policy::Policy) over [`TlogProof::checkpoint`].

use core::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::checkpoint::{Checkpoint, CheckpointError, decimal, decode_hash, encode_hash};
use crate::digest::Digest;
use crate::log_keys::LogKeys;
use crate::merkle::{MAX_PROOF_LEN, ProofError, verify_inclusion};
use crate::note::{MAX_NOTE_LEN, NoteError, SignedNote, VerifierKey};

/// No proof has more unauthenticated extra data, in bytes before base64.
pub const MAX_EXTRA_LEN: usize = 16 * 1024;

/// No proof is larger, in bytes: the largest note, path and extra data, and the lines around them.
pub const MAX_TLOG_PROOF_LEN: usize = MAX_NOTE_LEN + MAX_PROOF_LEN * 45 + MAX_EXTRA_LEN.div_ceil(3) * 4 + 256;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A leaf's place in a log, and the checkpoint that vouches for it, none of it believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Vec<u8>,
    index: u64,
    path: Vec<Digest>,
    checkpoint: SignedNote,
}

/// Why a text is not a proof, or proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofError {
    /// More than [`MAX_TLOG_PROOF_LEN`] bytes, [`MAX_EXTRA_LEN`] of extra data or [`MAX_PROOF_LEN`] hashes.
    #[error("a proof has at most 64 hashes and 16 KiB of extra data")]
    TooLong,
    /// The first line is not `c2sp.org/tlog-proof@v1`.
    #[error("a proof begins with the line c2sp.org/tlog-proof@v1")]
    BadHeader,
    /// The extra line is not base64 of at least one byte.
    #[error("extra data is base64 of at least one byte")]
    BadExtra,
    /// There is no line `index N`, N decimal without leading zeros and below 2^63.
    #[error("a proof names its leaf in a line with the word index and a decimal number")]
    BadIndex,
    /// A line of the path is not base64 of 32 bytes.
    #[error("each line of the path is base64 of 32 bytes")]
    BadHash,
    /// There is no blank line before the checkpoint.
    #[error("a blank line stands between path and checkpoint")]
    NoCheckpoint,
    /// The checkpoint is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The checkpoint is not one that the log signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the leaf to the checkpoint's root.
    #[error(transparent)]
    Path(#[from] ProofError),
}

impl TlogProof {
    /// A proof without extra data: `path` as [`merkle::inclusion_proof`](crate::merkle::inclusion_proof) gives it
    /// for the checkpoint's size.
    pub fn new(index: u64, path: Vec<Digest>, checkpoint: SignedNote) -> Result<Self, TlogProofError> {
        if path.len() > MAX_PROOF_LEN {
            return Err(TlogProofError::TooLong);
        }
        if i64::try_from(index).is_err() {
            return Err(TlogProofError::BadIndex);
        }
        Ok(Self { extra: Vec::new(), index, path, checkpoint })
    }

    /// Reads a proof. What is read is what [`fmt::Display`] writes, byte for byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > MAX_TLOG_PROOF_LEN {
            return Err(TlogProofError::TooLong);
        }
        let text = core::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        let (head, note) = text.split_once("\n\n").ok_or(TlogProofError::NoCheckpoint)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(TlogProofError::BadHeader);
        }
        let extra = lines.next_if(|line| line.starts_with("extra ")).map_or(Ok(Vec::new()), parse_extra)?;
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(decimal).ok_or(TlogProofError::BadIndex)?;
        let path: Vec<&str> = lines.take(MAX_PROOF_LEN + 1).collect();
        if path.len() > MAX_PROOF_LEN {
            return Err(TlogProofError::TooLong);
        }
        let path: Option<Vec<Digest>> = path.into_iter().map(decode_hash).collect();
        let path = path.ok_or(TlogProofError::BadHash)?;
        Ok(Self { extra, index, path, checkpoint: SignedNote::parse(note.as_bytes())? })
    }

    /// The leaf's index in the log, from 0.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion proof, from the leaf's sibling up to a child of the root.
    pub fn path(&self) -> &[Digest] {
        &self.path
    }

    /// The checkpoint with all its signatures.
    pub const fn checkpoint(&self) -> &SignedNote {
        &self.checkpoint
    }

    /// Data that came along and that nobody signed; empty for none.
    pub fn unauthenticated_extra(&self) -> &[u8] {
        &self.extra
    }

    /// Verifies that the leaf stands at [`TlogProof::index`] of the log whose key is `log`, in the checkpoint that is
    /// returned. Cosignatures are not looked at.
    pub fn verify(&self, leaf_hash: &Digest, log: &VerifierKey) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, log)?;
        self.verify_path(leaf_hash, &checkpoint)?;
        Ok(checkpoint)
    }

    /// [`TlogProof::verify`] for a log that has had several keys.
    pub fn verify_with(&self, leaf_hash: &Digest, log: &LogKeys) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = log.open(&self.checkpoint)?;
        self.verify_path(leaf_hash, &checkpoint)?;
        Ok(checkpoint)
    }

    /// Verifies that the leaf stands at [`TlogProof::index`] of `checkpoint`, which must have been opened from
    /// [`TlogProof::checkpoint`].
    pub fn verify_path(&self, leaf_hash: &Digest, checkpoint: &Checkpoint) -> Result<(), ProofError> {
        verify_inclusion(leaf_hash, self.index, checkpoint.size(), &self.path, checkpoint.root())
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", BASE64_STANDARD.encode(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", encode_hash(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

fn parse_extra(line: &str) -> Result<Vec<u8>, TlogProofError> {
    let data = line.strip_prefix("extra ").ok_or(TlogProofError::BadExtra)?;
    let extra = BASE64_STANDARD.decode(data).map_err(|_| TlogProofError::BadExtra)?;
    match extra.len() {
        0 => Err(TlogProofError::BadExtra),
        1..=MAX_EXTRA_LEN => Ok(extra),
        _ => Err(TlogProofError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::Origin;
    use crate::merkle::{Batch, Frontier, leaf_hash};
    use crate::note::SignatureType;

    fn log() -> (SigningKey, Origin, VerifierKey) {
        let key = SigningKey::from_bytes(&[3; 32]);
        let origin = Origin::new("vault.example.org/custos/1").unwrap();
        let verifier =
            VerifierKey::new(origin.key_name(), SignatureType::Ed25519, key.verifying_key()).unwrap();
        (key, origin, verifier)
    }

    fn leaf(index: u64) -> Digest {
        leaf_hash(&index.to_be_bytes())
    }

    fn proof(index: u64, size: u64) -> TlogProof {
        let leaves: Vec<_> = (0..size).map(leaf).collect();
        let batch = Batch::new(&Frontier::new(), &leaves);
        let (key, origin, _) = log();
        let note = Checkpoint::new(origin, size, batch.root()).unwrap().sign(&key).unwrap();
        TlogProof::new(index, batch.inclusion_proof(index).unwrap(), note).unwrap()
    }

    #[test]
    fn a_proof_proves_its_own_leaf_only() {
        let (.., verifier) = log();
        let proof = proof(5, 11);
        assert_eq!(proof.verify(&leaf(5), &verifier).unwrap().size(), 11);
        assert_eq!(proof.verify(&leaf(6), &verifier), Err(TlogProofError::Path(ProofError::RootMismatch)));
    }

    #[test]
    fn extra_data_is_kept_and_written_back() {
        let text = proof(0, 1).to_string().replace("\nindex", "\nextra aGVsbG8=\nindex");
        let read = TlogProof::parse(text.as_bytes()).unwrap();
        assert_eq!(read.unauthenticated_extra(), b"hello");
        assert_eq!(read.to_string(), text);
    }

    #[test]
    fn each_malformed_line_is_refused_by_its_rule() {
        let good = proof(5, 11).to_string();
        let hash = encode_hash(&leaf(1));
        let cases = [
            (good.replace("@v1", "@v2"), TlogProofError::BadHeader),
            (good.replace("\nindex", "\nextra \nindex"), TlogProofError::BadExtra),
            (good.replace("\nindex", "\nextra ?\nindex"), TlogProofError::BadExtra),
            (good.replace("\nindex", "\nextra aGVsbG8=\nextra aGVsbG8=\nindex"), TlogProofError::BadIndex),
            (good.replace("index 5", "index 05"), TlogProofError::BadIndex),
            (good.replace("index 5", "index +5"), TlogProofError::BadIndex),
            (good.replace("index 5", "index"), TlogProofError::BadIndex),
            (good.replace("index 5", "index 9223372036854775808"), TlogProofError::BadIndex),
            (good.replace("index 5\n", ""), TlogProofError::BadIndex),
            (good.replace("index 5\n", "index 5\nAAAA\n"), TlogProofError::BadHash),
            (
                good.replace("index 5\n", &format!("index 5\n{}", format!("{hash}\n").repeat(65))),
                TlogProofError::TooLong,
            ),
            (good.replace("\n\n", "\n"), TlogProofError::NoCheckpoint),
            (
                good.split_once("\n\n").unwrap().0.to_owned() + "\n\n",
                TlogProofError::Note(NoteError::NoSignatures),
            ),
            ("x".repeat(MAX_TLOG_PROOF_LEN + 1), TlogProofError::TooLong),
        ];
        for (text, expected) in cases {
            assert_eq!(TlogProof::parse(text.as_bytes()), Err(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_refused(
            (size, index) in (1u64..40).prop_flat_map(|n| (Just(n), 0..n)),
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let (.., verifier) = log();
            let proof = proof(index, size);
            let mut bytes = proof.to_string().into_bytes();
            prop_assert_eq!(&TlogProof::parse(&bytes).unwrap(), &proof);
            bytes[at.index(proof.to_string().len())] ^= 1 << bit;
            let verdict = TlogProof::parse(&bytes).and_then(|read| read.verify(&leaf(index), &verifier));
            prop_assert!(verdict.is_err());
        }

        #[test]
        fn no_bytes_make_the_parser_panic(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [HEADER.as_bytes(), b"\n", &tail].concat();
            if let Ok(read) = TlogProof::parse(&bytes) {
                prop_assert_eq!(read.to_string().into_bytes(), bytes);
            }
        }
    }
}
