//! Which complete subtrees a proof is made of, and how they join.

use core::ops::Range;

use super::{MAX_SIZE, ProofError, join, root_level};
use crate::digest::Digest;

/// A complete subtree: level `l` and index `i` stand for the leaves `[i * 2^l, (i + 1) * 2^l)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    level: u8,
    index: u64,
}

/// How many levels one tile of a C2SP tlog-tiles log spans.
const TILE_LEVELS: u8 = 8;

impl Node {
    /// The node at `level` (0 is a leaf) and `index`, or nothing if it lies outside of the largest tree.
    pub const fn new(level: u8, index: u64) -> Option<Self> {
        if level < 63 && index < MAX_SIZE >> level { Some(Self { level, index }) } else { None }
    }

    /// 0 for a leaf, one more for each doubling.
    pub const fn level(self) -> u8 {
        self.level
    }

    /// The position among the nodes of the same level, from 0.
    pub const fn index(self) -> u64 {
        self.index
    }

    /// The leaves below it.
    pub const fn leaves(self) -> Range<u64> {
        self.index << self.level..(self.index + 1) << self.level
    }

    /// The nodes to read for this one where only levels 0, 8, 16, … are stored: that level and a range of indices on
    /// it (1 to 128 of them, within one tile of C2SP tlog-tiles). Their [`subtree_root`](super::subtree_root) is this
    /// node's hash.
    pub const fn stored(self) -> (u8, Range<u64>) {
        let above = self.level % TILE_LEVELS;
        (self.level - above, self.index << above..(self.index + 1) << above)
    }

    /// The fewest complete subtrees that cover `[start, end)`, from left to right; `start` must be a multiple of a
    /// power of two no smaller than the range, as every right edge is.
    pub(super) fn cover(start: u64, end: u64) -> Vec<Self> {
        let mut at = start;
        let set = (0..64).rev().filter(|level: &u8| (end - start) >> level & 1 == 1);
        set.map(|level| {
            let node = Self { level, index: at >> level };
            at += 1 << level;
            node
        })
        .collect()
    }
}

/// What a proof is made of: for each of its hashes, in order, the complete subtrees that are joined into it (one,
/// except at the right edge of the tree).
///
/// Planning does no I/O, so a store may fetch all [`Plan::nodes`] at once before it calls [`Plan::read`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    parts: Vec<Vec<Node>>,
}

impl Plan {
    /// The inclusion proof of leaf `index` in the tree of `size` leaves (RFC 9162, section 2.1.3.1).
    pub fn inclusion(index: u64, size: u64) -> Result<Self, ProofError> {
        check_index(index, size)?;
        Ok(Self::siblings(index, size, root_level(size)))
    }

    /// The part of an inclusion proof that proves leaf `index` to somebody who has just been proven leaf `previous`
    /// of the same tree: see [`SharedPaths`](super::SharedPaths). Without `previous` it is the whole proof.
    pub fn shared(previous: Option<u64>, index: u64, size: u64) -> Result<Self, ProofError> {
        let Some(previous) = previous else { return Self::inclusion(index, size) };
        check_index(index, size)?;
        let meeting = super::shared::meeting_level(previous, index)?;
        Ok(Self::siblings(index, size, meeting))
    }

    /// The consistency proof from the tree of `old` leaves to that of `new` leaves (RFC 9162, section 2.1.4.1). It is
    /// empty where there is nothing to prove: `old` is 0 or equal to `new`.
    pub fn consistency(old: u64, new: u64) -> Result<Self, ProofError> {
        check_sizes(old, new)?;
        let mut parts = Vec::new();
        if old == 0 || old == new {
            return Ok(Self { parts });
        }
        let (mut start, mut end) = (0, new);
        while end != old {
            let middle = start + (1 << (root_level(end - start) - 1));
            if old <= middle {
                parts.push(Node::cover(middle, end));
                end = middle;
            } else {
                parts.push(Node::cover(start, middle));
                start = middle;
            }
        }
        // The verifier knows the old root already; it is spared when the old tree is one complete subtree.
        if start != 0 {
            parts.push(Node::cover(start, end));
        }
        parts.reverse();
        Ok(Self { parts })
    }

    /// The root of the tree of `size` leaves, as a single hash; for the empty tree there is nothing to read.
    pub fn root(size: u64) -> Result<Self, ProofError> {
        check_sizes(0, size)?;
        let cover = Node::cover(0, size);
        Ok(Self { parts: if cover.is_empty() { Vec::new() } else { vec![cover] } })
    }

    /// Every complete subtree that [`Plan::read`] will ask for, in that order.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        self.parts.iter().flatten().copied()
    }

    /// How many hashes the proof has.
    pub fn proof_len(&self) -> usize {
        self.parts.len()
    }

    /// Puts the proof together; `reader` is asked for the hash of each complete subtree once.
    pub fn read<E>(&self, reader: &mut impl FnMut(Node) -> Result<Digest, E>) -> Result<Vec<Digest>, E> {
        let mut proof = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let hashes = part.iter().map(|node| reader(*node)).collect::<Result<Vec<_>, E>>()?;
            proof.extend(join(hashes.into_iter()));
        }
        Ok(proof)
    }

    /// The siblings on the way from leaf `index` up to, but not at, level `top`.
    fn siblings(index: u64, size: u64, top: u8) -> Self {
        let parts = (0..top)
            .map(|level| (index >> level ^ 1) << level..((index >> level ^ 1) + 1) << level)
            .filter(|sibling| sibling.start < size)
            .map(|sibling| Node::cover(sibling.start, sibling.end.min(size)))
            .collect();
        Self { parts }
    }
}

/// [`Plan::inclusion`] and [`Plan::read`] in one step.
pub fn inclusion_proof<E: From<ProofError>>(
    index: u64,
    size: u64,
    reader: &mut impl FnMut(Node) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    Plan::inclusion(index, size)?.read(reader)
}

/// [`Plan::consistency`] and [`Plan::read`] in one step.
pub fn consistency_proof<E: From<ProofError>>(
    old: u64,
    new: u64,
    reader: &mut impl FnMut(Node) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    Plan::consistency(old, new)?.read(reader)
}

/// A leaf must lie in a tree that is not too large.
pub(super) fn check_index(index: u64, size: u64) -> Result<(), ProofError> {
    check_sizes(0, size)?;
    if index >= size { Err(ProofError::IndexBeyondSize { index, size }) } else { Ok(()) }
}

/// A tree only grows, and not beyond the limit.
pub(super) fn check_sizes(old: u64, new: u64) -> Result<(), ProofError> {
    if new > MAX_SIZE {
        return Err(ProofError::TooLarge);
    }
    if old > new { Err(ProofError::Shrunk { old, new }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::{MAX_PROOF_LEN, subtree_root, testing};
    use super::*;

    #[test]
    fn inclusion_proofs_are_those_of_the_definition() {
        let leaves = testing::leaves(70);
        for size in 1..=leaves.len() {
            for index in 0..size {
                let proof = inclusion_proof(index as u64, size as u64, &mut testing::reader(&leaves[..size]));
                assert_eq!(proof, Ok(testing::path(index, &leaves[..size])));
            }
        }
    }

    #[test]
    fn consistency_proofs_are_those_of_the_definition() {
        let leaves = testing::leaves(70);
        for new in 1..=leaves.len() {
            for old in 1..=new {
                let proof = consistency_proof(old as u64, new as u64, &mut testing::reader(&leaves[..new]));
                assert_eq!(proof, Ok(testing::subproof(old, &leaves[..new], true)));
            }
        }
    }

    #[test]
    fn the_root_is_read_from_the_frontier() {
        let leaves = testing::leaves(40);
        assert_eq!(Plan::root(0).unwrap().proof_len(), 0);
        for size in 1..=leaves.len() {
            let root = Plan::root(size as u64).unwrap().read(&mut testing::reader(&leaves[..size]));
            assert_eq!(root, Ok(vec![testing::root(&leaves[..size])]));
        }
    }

    #[test]
    fn a_node_is_the_root_over_what_is_stored_below_it() {
        let leaves = testing::leaves(1024);
        let mut read = testing::reader(&leaves);
        for node in [Node::new(0, 5), Node::new(3, 9), Node::new(8, 1), Node::new(9, 1)].map(Option::unwrap) {
            let (level, range) = node.stored();
            assert!(level % 8 == 0 && range.end - range.start <= 128);
            let hashes: Vec<_> = range.map(|index| read(Node::new(level, index).unwrap()).unwrap()).collect();
            assert_eq!(subtree_root(&hashes), read(node).unwrap());
        }
    }

    #[test]
    fn the_largest_tree_is_planned_without_overflow() {
        let size = MAX_SIZE;
        for index in [0, 1, size / 2, size - 2, size - 1] {
            let plan = Plan::inclusion(index, size).unwrap();
            assert!(plan.proof_len() <= MAX_PROOF_LEN);
            assert!(
                plan.nodes()
                    .all(|node| node.leaves().end <= size && Node::new(node.level(), node.index()).is_some())
            );
            assert!(Plan::consistency(index + 1, size).unwrap().proof_len() <= MAX_PROOF_LEN);
        }
    }

    #[test]
    fn what_lies_outside_of_the_tree_cannot_be_planned() {
        assert_eq!(Plan::inclusion(3, 3), Err(ProofError::IndexBeyondSize { index: 3, size: 3 }));
        assert_eq!(Plan::inclusion(0, 0), Err(ProofError::IndexBeyondSize { index: 0, size: 0 }));
        assert_eq!(Plan::consistency(4, 3), Err(ProofError::Shrunk { old: 4, new: 3 }));
        assert_eq!(Plan::inclusion(0, MAX_SIZE + 1), Err(ProofError::TooLarge));
        assert_eq!(Node::new(63, 0), None);
        assert_eq!(Node::new(0, MAX_SIZE), None);
    }
}
