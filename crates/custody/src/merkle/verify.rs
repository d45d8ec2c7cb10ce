//! What a verifier does with a proof: no tree, no store, only hashes.

use super::plan::{Plan, check_index, check_sizes};
use super::{EMPTY_ROOT, node_hash, root_level};
use crate::digest::Digest;

/// Why a proof does not hold or cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The leaf lies outside of the tree.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    IndexBeyondSize {
        /// The leaf asked for, from 0.
        index: u64,
        /// The number of leaves.
        size: u64,
    },
    /// The newer tree is smaller than the older one.
    #[error("a tree of {new} leaves cannot continue one of {old}")]
    Shrunk {
        /// Leaves of the older tree.
        old: u64,
        /// Leaves of the newer tree.
        new: u64,
    },
    /// A size exceeds [`MAX_SIZE`](super::MAX_SIZE).
    #[error("a tree has at most 2^63 - 1 leaves")]
    TooLarge,
    /// The proof has not exactly as many hashes as its position demands.
    #[error("the proof must have {expected} hashes, found {found}")]
    WrongLength {
        /// What position and size demand.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// Leaf and proof do not lead to the root (or to the node already proven).
    #[error("the proof does not lead to the root")]
    RootMismatch,
    /// The consistency proof does not lead to the older root.
    #[error("the proof does not lead to the older root")]
    OldRootMismatch,
    /// Leaves with shared paths come in strictly ascending order.
    #[error("leaf {index} does not come after leaf {previous}")]
    OutOfOrder {
        /// The leaf proven before.
        previous: u64,
        /// The leaf given now.
        index: u64,
    },
}

/// Checks that the leaf with hash `leaf` stands at `index` in the tree of `size` leaves with `root` (RFC 9162,
/// section 2.1.3.2).
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    check_index(index, size)?;
    if climb(leaf, index, size, root_level(size), proof, |_, _| ())? == *root {
        Ok(())
    } else {
        Err(ProofError::RootMismatch)
    }
}

/// Checks that the tree of `new_size` leaves begins with the tree of `old_size` leaves (RFC 9162, section 2.1.4.2).
///
/// Every tree begins with the empty one, whose proof is empty and whose root is [`EMPTY_ROOT`].
pub fn verify_consistency(
    old_size: u64,
    old_root: &Digest,
    new_size: u64,
    new_root: &Digest,
    proof: &[Digest],
) -> Result<(), ProofError> {
    check_sizes(old_size, new_size)?;
    let expected = Plan::consistency(old_size, new_size)?.proof_len();
    if proof.len() != expected {
        return Err(ProofError::WrongLength { expected, found: proof.len() });
    }
    if new_size == 0 && *new_root != EMPTY_ROOT {
        return Err(ProofError::RootMismatch);
    }
    if old_size == 0 {
        return if *old_root == EMPTY_ROOT { Ok(()) } else { Err(ProofError::OldRootMismatch) };
    }
    let (old, new) = consistent_roots(old_size, old_root, new_size, proof);
    if old != *old_root {
        return Err(ProofError::OldRootMismatch);
    }
    if new == *new_root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Climbs from leaf `index` to level `top` and returns the node there; `seen` is told each level with the sibling on
/// the right-hand side, where there is one. The proof must have exactly the siblings that exist.
pub(super) fn climb(
    leaf: &Digest,
    index: u64,
    size: u64,
    top: u8,
    proof: &[Digest],
    mut seen: impl FnMut(u8, Option<Digest>),
) -> Result<Digest, ProofError> {
    let expected = (0..top).filter(|level| has_sibling(index, size, *level)).count();
    if proof.len() != expected {
        return Err(ProofError::WrongLength { expected, found: proof.len() });
    }
    let mut siblings = proof.iter();
    let mut hash = *leaf;
    for level in 0..top {
        let is_right = index >> level & 1 == 1;
        let sibling = if has_sibling(index, size, level) { siblings.next() } else { None };
        seen(level, sibling.filter(|_| !is_right).copied());
        hash = match sibling {
            Some(left) if is_right => node_hash(left, &hash),
            Some(right) => node_hash(&hash, right),
            None => hash,
        };
    }
    Ok(hash)
}

/// Whether the node above leaf `index` at `level` has a sibling: a left one always, a right one if the tree reaches
/// that far.
fn has_sibling(index: u64, size: u64, level: u8) -> bool {
    (index >> level ^ 1) <= (size - 1) >> level
}

/// Both roots as the proof has them; the lengths are known to fit.
fn consistent_roots(old_size: u64, old_root: &Digest, new_size: u64, proof: &[Digest]) -> (Digest, Digest) {
    let whole = old_size.is_power_of_two() || old_size == new_size;
    let (start, rest) = match proof {
        [first, rest @ ..] if !whole => (first, rest),
        _ => (old_root, proof),
    };
    let (mut old, mut new) = (*start, *start);
    let shift = (old_size - 1).trailing_ones();
    let (mut at, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    for sibling in rest {
        if at & 1 == 1 || at == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (old, new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing;
    use super::*;

    fn flipped(hash: Digest, bit: usize) -> Digest {
        let mut bytes = *hash.as_bytes();
        bytes[bit / 8 % 32] ^= 1 << (bit % 8);
        Digest::new(bytes)
    }

    fn wrong_length(right: &[Digest], wrong: &[Digest]) -> Result<(), ProofError> {
        Err(ProofError::WrongLength { expected: right.len(), found: wrong.len() })
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proven() {
        let leaves = testing::leaves(70);
        for size in 1..=leaves.len() {
            let root = testing::root(&leaves[..size]);
            for index in 0..size {
                let proof = testing::path(index, &leaves[..size]);
                let verdict = verify_inclusion(&leaves[index], index as u64, size as u64, &proof, &root);
                assert_eq!(verdict, Ok(()));
            }
        }
    }

    #[test]
    fn every_pair_of_small_trees_is_consistent() {
        let leaves = testing::leaves(70);
        for new in 0..=leaves.len() {
            for old in 0..=new {
                let proof = if old == 0 { Vec::new() } else { testing::subproof(old, &leaves[..new], true) };
                let (old_root, new_root) = (testing::root(&leaves[..old]), testing::root(&leaves[..new]));
                let verdict = verify_consistency(old as u64, &old_root, new as u64, &new_root, &proof);
                assert_eq!(verdict, Ok(()), "{old} to {new}");
            }
        }
    }

    #[test]
    fn an_empty_tree_has_one_root_only() {
        let other = Digest::ZERO;
        assert_eq!(verify_consistency(0, &other, 3, &other, &[]), Err(ProofError::OldRootMismatch));
        assert_eq!(verify_consistency(0, &EMPTY_ROOT, 0, &other, &[]), Err(ProofError::RootMismatch));
        assert_eq!(
            verify_inclusion(&other, 0, 0, &[], &EMPTY_ROOT),
            Err(ProofError::IndexBeyondSize { index: 0, size: 0 })
        );
    }

    #[test]
    fn equal_sizes_need_equal_roots() {
        let leaves = testing::leaves(6);
        let (root, other) = (testing::root(&leaves), testing::root(&leaves[..5]));
        assert_eq!(verify_consistency(6, &root, 6, &root, &[]), Ok(()));
        assert!(verify_consistency(6, &root, 6, &other, &[]).is_err());
        assert_eq!(verify_consistency(7, &root, 6, &root, &[]), Err(ProofError::Shrunk { old: 7, new: 6 }));
    }

    proptest! {
        #[test]
        fn a_damaged_inclusion_proof_fails(
            (size, index, other) in (1usize..300).prop_flat_map(|n| (Just(n), 0..n, 0..n)),
            hash in any::<usize>(),
            bit in 0usize..256,
        ) {
            let leaves = testing::leaves(size);
            let root = testing::root(&leaves);
            let proof = testing::path(index, &leaves);
            let verify = |leaf: &Digest, index: usize, size: usize, proof: &[Digest], root: &Digest| {
                verify_inclusion(leaf, index as u64, size as u64, proof, root)
            };
            prop_assert_eq!(verify(&leaves[index], index, size, &proof, &root), Ok(()));
            prop_assert!(verify(&flipped(leaves[index], bit), index, size, &proof, &root).is_err());
            prop_assert!(verify(&leaves[index], index, size, &proof, &flipped(root, bit)).is_err());
            if other != index {
                prop_assert!(verify(&leaves[index], other, size, &proof, &root).is_err());
                prop_assert!(verify(&leaves[other], index, size, &proof, &root).is_err());
            }
            let longer = [&proof[..], &[root]].concat();
            prop_assert_eq!(verify(&leaves[index], index, size, &longer, &root), wrong_length(&proof, &longer));
            if !proof.is_empty() {
                let mut damaged = proof.clone();
                damaged[hash % proof.len()] = flipped(damaged[hash % proof.len()], bit);
                prop_assert_eq!(verify(&leaves[index], index, size, &damaged, &root), Err(ProofError::RootMismatch));
                let shorter = &proof[..proof.len() - 1];
                prop_assert_eq!(verify(&leaves[index], index, size, shorter, &root), wrong_length(&proof, shorter));
            }
        }

        #[test]
        fn a_damaged_consistency_proof_fails(
            (new, old) in (2usize..300).prop_flat_map(|n| (Just(n), 1..n)),
            hash in any::<usize>(),
            bit in 0usize..256,
        ) {
            let leaves = testing::leaves(new);
            let (old_root, new_root) = (testing::root(&leaves[..old]), testing::root(&leaves));
            let proof = testing::subproof(old, &leaves, true);
            let verify = |old: usize, old_root: &Digest, new: usize, new_root: &Digest, proof: &[Digest]| {
                verify_consistency(old as u64, old_root, new as u64, new_root, proof)
            };
            prop_assert_eq!(verify(old, &old_root, new, &new_root, &proof), Ok(()));
            prop_assert!(verify(old, &flipped(old_root, bit), new, &new_root, &proof).is_err());
            prop_assert!(verify(old, &old_root, new, &flipped(new_root, bit), &proof).is_err());
            prop_assert!(verify(old, &new_root, new, &new_root, &proof).is_err());
            let mut damaged = proof.clone();
            damaged[hash % proof.len()] = flipped(damaged[hash % proof.len()], bit);
            prop_assert!(verify(old, &old_root, new, &new_root, &damaged).is_err());
            let shorter = &proof[..proof.len() - 1];
            prop_assert_eq!(verify(old, &old_root, new, &new_root, shorter), wrong_length(&proof, shorter));
        }
    }
}
