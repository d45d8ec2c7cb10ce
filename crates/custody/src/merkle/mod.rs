//! The Merkle tree of RFC 6962 and RFC 9162 (section 2.1) over SHA-256.
//!
//! A leaf is `H(0x00 || entry)`, an inner node `H(0x01 || left || right)`, the empty tree `H("")`. Nothing here
//! stores a tree: a log grows from a [`Frontier`] and a [`Batch`], proofs are put together from complete
//! subtrees that the caller holds ([`Plan`]), and a verifier needs only the proof ([`verify_inclusion`],
//! [`verify_consistency`], [`SharedPaths`]).
//!
//! A [`Node`] is a *complete* subtree: level `l` and index `i` stand for the leaves `[i * 2^l, (i + 1) * 2^l)`. It
//! never changes once its leaves exist, so it can be stored for ever.
//!
//! ```
//! use custody::merkle::{Batch, Frontier, leaf_hash, verify_inclusion};
//!
//! let leaves = [leaf_hash(b"first"), leaf_hash(b"second"), leaf_hash(b"third")];
//! let batch = Batch::new(&Frontier::new(), &leaves);
//! let proof = batch.inclusion_proof(1).unwrap();
//! assert!(verify_inclusion(&leaves[1], 1, 3, &proof, &batch.root()).is_ok());
//! ```

mod batch;
mod frontier;
mod plan;
mod shared;
mod verify;

pub use batch::Batch;
pub use frontier::{Frontier, FrontierError, frontier_nodes, subtree_root};
pub use plan::{Node, Plan, consistency_proof, inclusion_proof};
pub use shared::{SharedPaths, shared_paths};
pub use verify::{ProofError, verify_consistency, verify_inclusion};

use crate::digest::{Digest, Hasher};

/// The root of the tree without leaves: SHA-256 of no bytes (RFC 9162, section 2.1.1).
pub const EMPTY_ROOT: Digest = Digest::new([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// The largest tree: 2^63 - 1 leaves, so that a size fits a signed 64-bit column in every database and language.
pub const MAX_SIZE: u64 = i64::MAX.cast_unsigned();

/// No proof is longer than this: a tree of [`MAX_SIZE`] leaves has 63 levels below its root, and a consistency
/// proof may carry one node more.
pub const MAX_PROOF_LEN: usize = 64;

/// The hash of a leaf: `H(0x00 || entry)`.
pub fn leaf_hash(entry: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[0]);
    hasher.update(entry);
    hasher.finish()
}

/// The hash of an inner node: `H(0x01 || left || right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[1]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    hasher.finish()
}

/// The root over complete subtrees that stand side by side, largest first, as the RFC's tree joins them.
fn join(mut subtrees: impl DoubleEndedIterator<Item = Digest>) -> Option<Digest> {
    let last = subtrees.next_back()?;
    Some(subtrees.rfold(last, |right, left| node_hash(&left, &right)))
}

/// The level at which a tree of `size` leaves has its root (0 for one leaf and for none).
fn root_level(size: u64) -> u8 {
    bit_length(size.saturating_sub(1))
}

/// How many binary digits `n` has; 0 for 0.
#[expect(clippy::cast_possible_truncation, reason = "a u64 has at most 64 digits")]
fn bit_length(n: u64) -> u8 {
    (u64::BITS - n.leading_zeros()) as u8
}

#[cfg(test)]
mod testing {
    //! A tree in memory, written straight from the definition in RFC 9162, section 2.1.1.

    use super::*;

    /// Distinct leaf hashes, the same ones every time.
    pub(super) fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|i| leaf_hash(&(i as u64).to_be_bytes())).collect()
    }

    /// MTH of RFC 9162.
    pub(super) fn root(leaves: &[Digest]) -> Digest {
        match leaves.len() {
            0 => EMPTY_ROOT,
            1 => leaves[0],
            n => {
                let half = n.next_power_of_two() / 2;
                node_hash(&root(&leaves[..half]), &root(&leaves[half..]))
            }
        }
    }

    /// PATH of RFC 9162, section 2.1.3.1.
    pub(super) fn path(index: usize, leaves: &[Digest]) -> Vec<Digest> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut below, sibling) = if index < left.len() {
            (path(index, left), root(right))
        } else {
            (path(index - left.len(), right), root(left))
        };
        below.push(sibling);
        below
    }

    /// SUBPROOF of RFC 9162, section 2.1.4.1.
    pub(super) fn subproof(old: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![root(leaves)] };
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut below, sibling) = if old <= left.len() {
            (subproof(old, left, whole), root(right))
        } else {
            (subproof(old - left.len(), right, false), root(left))
        };
        below.push(sibling);
        below
    }

    /// A reader over leaves in memory that refuses everything but complete subtrees.
    pub(super) fn reader(leaves: &[Digest]) -> impl FnMut(Node) -> Result<Digest, ProofError> {
        |node| {
            let range = node.leaves();
            let hashes = &leaves[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
            Ok(root(hashes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_root_is_the_hash_of_nothing() {
        assert_eq!(EMPTY_ROOT, Digest::of(b""));
    }

    #[test]
    fn leaves_and_nodes_carry_different_prefixes() {
        assert_eq!(leaf_hash(b""), Digest::of(&[0]));
        let bytes = [&[1][..], &[7; 32], &[8; 32]].concat();
        assert_eq!(node_hash(&Digest::new([7; 32]), &Digest::new([8; 32])), Digest::of(&bytes));
    }

    #[test]
    fn a_root_is_as_high_as_its_tree() {
        let heights = [0, 1, 2, 3, 4, 5, 8, 9, MAX_SIZE].map(root_level);
        assert_eq!(heights, [0, 0, 1, 2, 2, 3, 3, 4, 63]);
    }
}
