//! Witnesses: who promises never to have seen two histories of one log (C2SP tlog-witness, `add-checkpoint`).
//!
//! A client asks with [`AddCheckpoint`], the witness decides with [`decide`] and answers with an [`Answer`]. HTTP,
//! storage and clock are the caller's. The witness's caller checks and persists in one transaction, and only then
//! answers: two requests at once must not both find the same latest size.
//!
//! ```
//! use custody::checkpoint::{Checkpoint, Origin};
//! use custody::merkle::leaf_hash;
//! use custody::note::{KeyName, SignatureType, VerifierKey};
//! use custody::witness::{AddCheckpoint, Answer, cosignature_by, decide};
//! # let log_key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
//! # let witness_key = ed25519_dalek::SigningKey::from_bytes(&[2; 32]);
//! # let origin = Origin::new("vault.example.org/custos/1").unwrap();
//! # let log = VerifierKey::new(origin.key_name(), SignatureType::Ed25519, log_key.verifying_key()).unwrap();
//! # let name = KeyName::new("witness.example/w1").unwrap();
//! # let witness = VerifierKey::new(name.clone(), SignatureType::Cosignature, witness_key.verifying_key()).unwrap();
//!
//! // The log's side: the witness has not seen anything of this log, so there is nothing to prove.
//! let checkpoint = Checkpoint::new(origin, 1, leaf_hash(b"entry")).unwrap().sign(&log_key).unwrap();
//! let request = AddCheckpoint::new(0, Vec::new(), checkpoint.clone()).unwrap().to_string();
//!
//! // The witness's side: read, look up what is known of `request.origin()`, decide, persist `accepted.head()`, answer.
//! let request = AddCheckpoint::parse(request.as_bytes()).unwrap();
//! let accepted = decide(&[log], None, &request).unwrap();
//! let answer = Answer::Cosigned(vec![accepted.cosign(name, &witness_key, 1_795_000_000).unwrap()]);
//!
//! // The log's side again.
//! let Ok(Answer::Cosigned(signatures)) = Answer::parse(answer.status(), None, answer.body().as_bytes()) else {
//!     panic!("a witness refused")
//! };
//! let (_, seconds) = cosignature_by(&witness, &signatures, checkpoint.text()).unwrap();
//! assert_eq!(seconds, 1_795_000_000);
//! ```

mod answer;
mod request;

use ed25519_dalek::SigningKey;

pub use answer::{Answer, AnswerError, MAX_ANSWER_LEN, SIZE_TYPE, cosignature_by};
pub use request::{AddCheckpoint, MAX_PROOF_LINES, MAX_REQUEST_LEN, RequestError};

use crate::digest::Digest;
use crate::merkle::{EMPTY_ROOT, ProofError, verify_consistency};
use crate::note::{KeyName, NoteError, NoteSignature, SignatureType, SignedNote, VerifierKey};

/// What a witness remembers of a log: the largest tree that it has cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

/// A checkpoint that continues all that the witness has cosigned of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    head: Head,
    text: String,
    signatures: Vec<NoteSignature>,
}

/// Why a witness does not cosign. [`Answer::from`] says what the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The request is malformed.
    #[error(transparent)]
    Malformed(#[from] RequestError),
    /// No key is known for the checkpoint's origin.
    #[error("the log is not known here")]
    UnknownLog,
    /// No known key of the log has signed the checkpoint, or one that is named has not.
    #[error("the checkpoint is not signed by the log: {0}")]
    NotSigned(#[from] NoteError),
    /// The old size exceeds the checkpoint's.
    #[error("the old size {old} exceeds the checkpoint's size {size}")]
    OldSizeBeyondCheckpoint {
        /// What the client takes for the witness's latest size.
        old: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// The old size is not that of the latest checkpoint cosigned.
    #[error("the latest size cosigned is {latest}")]
    OtherOldSize {
        /// The size of the latest checkpoint that was cosigned; 0 for none.
        latest: u64,
    },
    /// The checkpoint is of an empty tree with another root than that of the empty tree.
    #[error("the root of an empty log is the hash of no bytes")]
    BadEmptyRoot,
    /// The log has signed two roots for one size: it shows different histories to different people. The request is
    /// evidence of that, to be kept.
    #[error("the log has signed another root for the same size")]
    Forked,
    /// The proof does not show that the checkpoint continues what was cosigned. The request may be evidence that the
    /// log has rewritten its history.
    #[error("the checkpoint is not shown to continue what was cosigned: {0}")]
    NotConsistent(ProofError),
}

/// Decides whether a witness may cosign, with the checks of C2SP tlog-witness in its order. `keys` are those of all logs
/// that the witness follows: keys of another origin than the request's, and keys that are not of logs, are ignored.
/// `latest` is what it has cosigned last for [`AddCheckpoint::origin`].
///
/// The caller persists [`Accepted::head`] *before* answering, in the transaction that has read `latest`.
pub fn decide(
    keys: &[VerifierKey],
    latest: Option<Head>,
    request: &AddCheckpoint,
) -> Result<Accepted, Refusal> {
    let is_of_log = |key: &&VerifierKey| {
        key.name().as_str() == request.origin() && key.signature_type() == SignatureType::Ed25519
    };
    let keys: Vec<VerifierKey> = keys.iter().filter(is_of_log).cloned().collect();
    if keys.is_empty() {
        return Err(Refusal::UnknownLog);
    }
    let note = request.checkpoint();
    note.verify(&keys)?;
    let latest = latest.unwrap_or(Head { size: 0, root: EMPTY_ROOT });
    check_continues(latest, request)?;
    let by_log = |signature: &&NoteSignature| keys.iter().any(|key| signature.names(key));
    let signatures = note.signatures().iter().filter(by_log).cloned().collect();
    Ok(Accepted { head: request.head(), text: note.text().to_owned(), signatures })
}

/// The checks of sizes, roots and proof, after origin and signature.
fn check_continues(latest: Head, request: &AddCheckpoint) -> Result<(), Refusal> {
    let (old, Head { size, root }) = (request.old_size(), request.head());
    if old > size {
        return Err(Refusal::OldSizeBeyondCheckpoint { old, size });
    }
    if old != latest.size {
        return Err(Refusal::OtherOldSize { latest: latest.size });
    }
    if size == 0 && root != EMPTY_ROOT {
        return Err(Refusal::BadEmptyRoot);
    }
    if old == size && latest.root != root {
        return Err(Refusal::Forked);
    }
    verify_consistency(old, &latest.root, size, &root, request.proof()).map_err(Refusal::NotConsistent)
}

/// Where a witness shows the latest checkpoint it has cosigned of a log, below its monitoring prefix: the origin's SHA-256
/// in hexadecimal, and `/checkpoint`.
pub fn monitoring_path(origin: &str) -> String {
    format!("{}/checkpoint", Digest::of(origin.as_bytes()))
}

impl Accepted {
    /// What to persist before answering.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The cosignature: "at `seconds` since 1970 this was the largest consistent tree I had seen". `seconds` is from 1
    /// to 2^63 - 1.
    pub fn cosign(
        &self,
        witness: KeyName,
        key: &SigningKey,
        seconds: u64,
    ) -> Result<NoteSignature, NoteError> {
        if seconds == 0 {
            return Err(NoteError::TimeOutOfRange);
        }
        NoteSignature::cosignature(witness, key, seconds, &self.text)
    }

    /// The checkpoint with the log's signatures that were verified, and `cosignatures`: what the witness shows under
    /// [`monitoring_path`].
    pub fn note(&self, cosignatures: &[NoteSignature]) -> Result<SignedNote, NoteError> {
        SignedNote::new(self.text.clone(), [&self.signatures, cosignatures].concat())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::{Checkpoint, Origin};
    use crate::merkle::{Plan, leaf_hash, subtree_root};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn origin() -> Origin {
        Origin::new("vault.example.org/custos/1").unwrap()
    }

    fn log_key(seed: u8) -> VerifierKey {
        VerifierKey::new(origin().key_name(), SignatureType::Ed25519, key(seed).verifying_key()).unwrap()
    }

    /// The leaves of a history that is `branch`'s own from leaf `fork` on.
    fn history(branch: u8, fork: u64, size: u64) -> Vec<Digest> {
        let leaf = |index: u64| {
            let branch = if index < fork { 0 } else { branch };
            leaf_hash(&[&index.to_be_bytes()[..], &[branch]].concat())
        };
        (0..size).map(leaf).collect()
    }

    fn root(leaves: &[Digest]) -> Digest {
        subtree_root(leaves)
    }

    fn consistency(old: u64, leaves: &[Digest]) -> Vec<Digest> {
        let hash = |index: u64| leaves[usize::try_from(index).unwrap()];
        let mut read = |node: crate::merkle::Node| {
            Ok::<_, ProofError>(subtree_root(&node.leaves().map(hash).collect::<Vec<_>>()))
        };
        Plan::consistency(old, leaves.len() as u64).unwrap().read(&mut read).unwrap()
    }

    fn request(old: u64, proof: Vec<Digest>, leaves: &[Digest]) -> AddCheckpoint {
        let checkpoint = Checkpoint::new(origin(), leaves.len() as u64, root(leaves)).unwrap();
        AddCheckpoint::new(old, proof, checkpoint.sign(&key(1)).unwrap()).unwrap()
    }

    #[test]
    fn each_check_comes_in_its_turn() {
        let (old, new, other) = (history(0, 0, 5), history(0, 0, 9), history(1, 3, 9));
        let latest = Some(Head { size: 5, root: root(&old) });
        let keys = [log_key(1)];
        // Everything is wrong; what is checked first is said, then it is put right.
        let all_wrong = request(10, vec![Digest::ZERO], &other);
        assert_eq!(decide(&[], latest, &all_wrong), Err(Refusal::UnknownLog));
        let unsigned = Err(Refusal::NotSigned(NoteError::NoKnownSigner));
        assert_eq!(decide(&[log_key(2)], latest, &all_wrong), unsigned);
        let beyond = Err(Refusal::OldSizeBeyondCheckpoint { old: 10, size: 9 });
        assert_eq!(decide(&keys, latest, &all_wrong), beyond);
        let conflict = Err(Refusal::OtherOldSize { latest: 5 });
        assert_eq!(decide(&keys, latest, &request(9, vec![Digest::ZERO], &other)), conflict);
        let inconsistent = decide(&keys, latest, &request(5, consistency(5, &other), &other));
        assert_eq!(inconsistent, Err(Refusal::NotConsistent(ProofError::OldRootMismatch)));
        let accepted = decide(&keys, latest, &request(5, consistency(5, &new), &new)).unwrap();
        assert_eq!(accepted.head(), Head { size: 9, root: root(&new) });
    }

    #[test]
    fn a_first_request_learns_the_size() {
        let (old, new) = (history(0, 0, 5), history(0, 0, 9));
        let latest = Some(Head { size: 5, root: root(&old) });
        let refusal = decide(&[log_key(1)], latest, &request(0, Vec::new(), &new)).unwrap_err();
        assert_eq!(Answer::from(refusal), Answer::Conflict { size: 5 });
        assert!(decide(&[log_key(1)], None, &request(0, Vec::new(), &new)).is_ok());
        let proven = decide(&[log_key(1)], None, &request(0, vec![Digest::ZERO], &new)).unwrap_err();
        assert_eq!(Answer::from(proven), Answer::Unprocessable);
    }

    #[test]
    fn the_same_checkpoint_is_cosigned_again_and_another_of_its_size_never() {
        let (leaves, other) = (history(0, 0, 5), history(1, 3, 5));
        let latest = Some(Head { size: 5, root: root(&leaves) });
        assert!(decide(&[log_key(1)], latest, &request(5, Vec::new(), &leaves)).is_ok());
        let refusal = decide(&[log_key(1)], latest, &request(5, Vec::new(), &other)).unwrap_err();
        assert_eq!((refusal, Answer::from(refusal)), (Refusal::Forked, Answer::Unprocessable));
    }

    #[test]
    fn an_empty_log_may_be_cosigned() {
        let accepted = decide(&[log_key(1)], None, &request(0, Vec::new(), &[])).unwrap();
        assert_eq!(accepted.head(), Head { size: 0, root: EMPTY_ROOT });
    }

    #[test]
    fn what_is_shown_has_the_logs_signature_and_the_cosignature_only() {
        let leaves = history(0, 0, 5);
        let mut note = request(0, Vec::new(), &leaves).checkpoint().clone();
        note.add(NoteSignature::ed25519(KeyName::new("stranger").unwrap(), &key(9), note.text())).unwrap();
        let request = AddCheckpoint::new(0, Vec::new(), note).unwrap();
        let accepted = decide(&[log_key(1)], None, &request).unwrap();
        let name = KeyName::new("witness.example/w1").unwrap();
        let cosignature = accepted.cosign(name.clone(), &key(3), 7).unwrap();
        let witness =
            VerifierKey::new(name.clone(), SignatureType::Cosignature, key(3).verifying_key()).unwrap();
        let shown = accepted.note(&[cosignature]).unwrap();
        assert_eq!(shown.signatures().len(), 2);
        assert_eq!(shown.verify(&[log_key(1), witness]).unwrap().len(), 2);
        assert_eq!(accepted.cosign(name, &key(3), 0), Err(NoteError::TimeOutOfRange));
        assert_eq!(
            monitoring_path("a"),
            "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb/checkpoint"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_is_asked_only_one_history_is_cosigned(
            fork in 0..20_u64,
            asked in proptest::collection::vec((0..3_u8, 0..40_u64, 0..40_u64, any::<bool>()), 1..20),
        ) {
            let mut latest: Option<Head> = None;
            let mut cosigned: Vec<(u8, u64)> = Vec::new();
            for (branch, old, size, knows) in asked {
                let leaves = history(branch, fork, size);
                let known = latest.map_or(0, |head| head.size);
                let old = if knows { known } else { old };
                let proof = if old <= size { consistency(old, &leaves) } else { Vec::new() };
                match decide(&[log_key(1)], latest, &request(old, proof, &leaves)) {
                    Ok(accepted) => {
                        prop_assert!(accepted.head().size >= known);
                        latest = Some(accepted.head());
                        cosigned.push((branch, size));
                    }
                    Err(refusal) => {
                        // An honest continuation of the latest size is never refused.
                        let honest = latest.is_none_or(|head| {
                            size >= head.size && root(&leaves[..usize::try_from(head.size).unwrap()]) == head.root
                        });
                        prop_assert!(!(honest && old == known), "{}", refusal);
                        if old != known && old <= size {
                            prop_assert_eq!(Answer::from(refusal), Answer::Conflict { size: known });
                        }
                    }
                }
            }
            let (last, _) = cosigned.last().copied().unwrap_or_default();
            prop_assert!(cosigned.iter().all(|(branch, size)| *branch == last || *size <= fork));
        }
    }
}
