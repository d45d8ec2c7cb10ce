//! Many inclusion proofs in one tree, each shortened by what those before it have proven.
//!
//! The leaves come in strictly ascending order. The first path is a whole inclusion proof. A later one, for leaf
//! `j` after leaf `i`, is the beginning of its inclusion proof: the siblings at the levels *below* the highest
//! binary digit in which `i` and `j` differ. At that level `j`'s way up goes through the right-hand sibling of a node
//! on `i`'s way up, whose hash the proof of `i` has established; it is the first node on `j`'s way that any earlier
//! leaf has established. The verifier compares there instead of at the root, and keeps one hash a level.

use super::plan::{Plan, check_index, check_sizes};
use super::verify::climb;
use super::{Node, ProofError, bit_length, root_level};
use crate::digest::Digest;

/// Verifies many inclusion proofs in one tree, in strictly ascending order of leaves, where each path stops at the
/// first node already proven (defined in [`Plan::shared`]'s terms: the highest binary digit in which this leaf's index
/// differs from that of the leaf proven before). Memory is constant: at most 63 hashes.
#[derive(Debug, Clone)]
pub struct SharedPaths {
    size: u64,
    root: Digest,
    last: Option<u64>,
    /// For each level, the right-hand sibling of the node above `last`, if `last` lies on the left there.
    proven: Vec<Option<Digest>>,
}

impl SharedPaths {
    /// Starts with the tree of `size` leaves and `root`, both from a checkpoint that was verified.
    pub fn new(size: u64, root: Digest) -> Result<Self, ProofError> {
        check_sizes(0, size)?;
        Ok(Self { size, root, last: None, proven: vec![None; usize::from(root_level(size))] })
    }

    /// Checks that the leaf with `leaf_hash` stands at `index`, which must be larger than every index before.
    ///
    /// After an error nothing is kept of this leaf: paths that lean on it fail as well, the others do not.
    pub fn prove(&mut self, index: u64, leaf_hash: &Digest, path: &[Digest]) -> Result<(), ProofError> {
        check_index(index, self.size)?;
        let (top, target) = match self.last {
            None => (root_level(self.size), Some(self.root)),
            Some(last) => {
                let meeting = meeting_level(last, index)?;
                (meeting, self.proven.get(usize::from(meeting)).copied().flatten())
            }
        };
        let mut siblings = Vec::with_capacity(usize::from(top));
        let reached = climb(leaf_hash, index, self.size, top, path, |_, sibling| siblings.push(sibling))?;
        if Some(reached) != target {
            return Err(ProofError::RootMismatch);
        }
        // From the meeting level upwards the way is shared with the last leaf; at it, this leaf lies on the right.
        self.proven[..siblings.len()].copy_from_slice(&siblings);
        if let Some(meeting) = self.proven.get_mut(siblings.len()) {
            *meeting = None;
        }
        self.last = Some(index);
        Ok(())
    }

    /// The leaf proven last.
    pub const fn last(&self) -> Option<u64> {
        self.last
    }
}

/// The paths that [`SharedPaths`] expects for `indices`, which must ascend strictly. For long lists call
/// [`Plan::shared`] leaf by leaf instead and keep nothing.
pub fn shared_paths<E: From<ProofError>>(
    indices: &[u64],
    size: u64,
    reader: &mut impl FnMut(Node) -> Result<Digest, E>,
) -> Result<Vec<Vec<Digest>>, E> {
    let mut previous = None;
    indices.iter().map(|&index| Plan::shared(previous.replace(index), index, size)?.read(reader)).collect()
}

/// The highest level at which the ways from both leaves to the root are still apart.
pub(super) fn meeting_level(previous: u64, index: u64) -> Result<u8, ProofError> {
    if index <= previous {
        return Err(ProofError::OutOfOrder { previous, index });
    }
    Ok(bit_length(previous ^ index) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::super::testing;
    use super::*;

    fn prove_all(leaves: &[Digest], indices: &[u64], paths: &[Vec<Digest>]) -> Vec<Result<(), ProofError>> {
        let mut shared = SharedPaths::new(leaves.len() as u64, testing::root(leaves)).unwrap();
        indices
            .iter()
            .zip(paths)
            .map(|(&i, path)| shared.prove(i, &leaves[usize::try_from(i).unwrap()], path))
            .collect()
    }

    #[test]
    fn every_leaf_of_a_whole_tree_costs_one_hash() {
        for size in 1..200_u64 {
            let leaves = testing::leaves(usize::try_from(size).unwrap());
            let indices: Vec<_> = (0..size).collect();
            let paths = shared_paths(&indices, size, &mut testing::reader(&leaves)).unwrap();
            assert!(prove_all(&leaves, &indices, &paths).iter().all(Result::is_ok), "{size}");
            // Each hash given is the right half of a node, and each inner node is split once.
            assert_eq!(paths.iter().map(Vec::len).sum::<usize>() as u64, size - 1);
        }
    }

    #[test]
    fn leaves_must_ascend() {
        let leaves = testing::leaves(5);
        let read = &mut testing::reader(&leaves);
        let expected = ProofError::OutOfOrder { previous: 2, index: 2 };
        assert_eq!(shared_paths(&[1, 2, 2], 5, read), Err(expected));
        let mut shared = SharedPaths::new(5, testing::root(&leaves)).unwrap();
        shared.prove(2, &leaves[2], &testing::path(2, &leaves)).unwrap();
        assert_eq!(shared.prove(2, &leaves[2], &testing::path(2, &leaves)), Err(expected));
        assert!(shared.prove(1, &leaves[1], &testing::path(1, &leaves)).is_err());
        assert_eq!(shared.last(), Some(2));
    }

    #[test]
    fn a_leaf_that_fails_takes_only_those_along_that_lean_on_it() {
        let leaves = testing::leaves(8);
        let indices: Vec<_> = (0..8).collect();
        let mut paths = shared_paths(&indices, 8, &mut testing::reader(&leaves)).unwrap();
        paths[4][0] = Digest::ZERO;
        let verdicts: Vec<_> = prove_all(&leaves, &indices, &paths).iter().map(Result::is_ok).collect();
        assert_eq!(verdicts, [true, true, true, true, false, false, false, false]);
        paths = shared_paths(&indices, 8, &mut testing::reader(&leaves)).unwrap();
        paths[2][0] = Digest::ZERO;
        let verdicts: Vec<_> = prove_all(&leaves, &indices, &paths).iter().map(Result::is_ok).collect();
        assert_eq!(verdicts, [true, true, false, false, true, true, true, true]);
    }

    #[test]
    fn a_whole_proof_in_place_of_a_shortened_one_is_refused() {
        let leaves = testing::leaves(8);
        let mut shared = SharedPaths::new(8, testing::root(&leaves)).unwrap();
        shared.prove(0, &leaves[0], &testing::path(0, &leaves)).unwrap();
        let verdict = shared.prove(1, &leaves[1], &testing::path(1, &leaves));
        assert_eq!(verdict, Err(ProofError::WrongLength { expected: 0, found: 3 }));
    }

    proptest! {
        #[test]
        fn any_selection_is_proven_and_any_flipped_bit_is_noticed(
            (size, indices) in (1usize..200).prop_flat_map(|n| {
                (Just(n), subsequence((0..n as u64).collect::<Vec<_>>(), 1..=n.min(20)))
            }),
            at in any::<usize>(),
            bit in 0usize..256,
        ) {
            let leaves = testing::leaves(size);
            let mut paths = shared_paths(&indices, size as u64, &mut testing::reader(&leaves)).unwrap();
            prop_assert!(prove_all(&leaves, &indices, &paths).iter().all(Result::is_ok));

            let mut changed = leaves.clone();
            let leaf = usize::try_from(indices[at % indices.len()]).unwrap();
            changed[leaf] = flip(changed[leaf], bit);
            let mut shared = SharedPaths::new(size as u64, testing::root(&leaves)).unwrap();
            let mut failed = false;
            for (index, path) in indices.iter().zip(&paths) {
                let position = usize::try_from(*index).unwrap();
                let verdict = shared.prove(*index, &changed[position], path);
                failed |= verdict.is_err();
                prop_assert!(position != leaf || verdict.is_err());
            }
            prop_assert!(failed);

            let total = paths.iter().map(Vec::len).sum::<usize>();
            if total > 0 {
                let hash = paths.iter_mut().flatten().nth(at % total).unwrap();
                *hash = flip(*hash, bit);
                prop_assert!(prove_all(&leaves, &indices, &paths).iter().any(Result::is_err));
            }
        }
    }

    fn flip(hash: Digest, bit: usize) -> Digest {
        let mut bytes = *hash.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        Digest::new(bytes)
    }
}
