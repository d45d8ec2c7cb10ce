//! The compact state of a growing tree.

use super::{EMPTY_ROOT, MAX_SIZE, Node, join, node_hash};
use crate::digest::Digest;

/// The compact state of a tree: its size and the roots of its complete subtrees, largest first, one for each 1 in
/// the binary digits of the size. It is all that appending needs; at most 63 hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Digest>,
}

/// Why parts or bytes are not a frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrontierError {
    /// The size exceeds [`MAX_SIZE`].
    #[error("a tree has at most 2^63 - 1 leaves")]
    TooLarge,
    /// The number of hashes is not the number of complete subtrees of a tree of this size.
    #[error("a frontier of this size has {expected} hashes, found {found}")]
    WrongCount {
        /// One hash for each 1 in the size's binary digits.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// The bytes are not eight for the size and 32 for each hash.
    #[error("a frontier is eight bytes and 32 for each hash")]
    WrongLength,
}

impl Frontier {
    /// The tree without leaves.
    pub const fn new() -> Self {
        Self { size: 0, hashes: Vec::new() }
    }

    /// A frontier from its parts: `hashes` as [`Frontier::hashes`] gives them.
    pub fn from_parts(size: u64, hashes: Vec<Digest>) -> Result<Self, FrontierError> {
        if size > MAX_SIZE {
            return Err(FrontierError::TooLarge);
        }
        let expected = size.count_ones() as usize;
        if hashes.len() != expected {
            return Err(FrontierError::WrongCount { expected, found: hashes.len() });
        }
        Ok(Self { size, hashes })
    }

    /// A frontier whose hashes were computed for exactly this size.
    pub(super) const fn assume(size: u64, hashes: Vec<Digest>) -> Self {
        Self { size, hashes }
    }

    /// Appends one leaf, given by its leaf hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves.
    pub fn root(&self) -> Digest {
        join(self.hashes.iter().copied()).unwrap_or(EMPTY_ROOT)
    }

    /// The roots of the complete subtrees, largest (leftmost) first; [`frontier_nodes`] says which they are.
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }

    /// The root of the complete subtree with 2^`level` leaves, if the tree has one at its right edge.
    pub(super) fn at_level(&self, level: u8) -> Option<Digest> {
        if self.size.checked_shr(level.into()).is_none_or(|above| above & 1 == 0) {
            return None;
        }
        let smaller = (self.size & ((1 << level) - 1)).count_ones() as usize;
        self.hashes.get(self.hashes.len().checked_sub(smaller + 1)?).copied()
    }

    /// `be64(size) || hashes`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 32 * self.hashes.len());
        bytes.extend_from_slice(&self.size.to_be_bytes());
        for hash in &self.hashes {
            bytes.extend_from_slice(hash.as_bytes());
        }
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote, and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let (size, rest) = bytes.split_first_chunk::<8>().ok_or(FrontierError::WrongLength)?;
        let (hashes, tail) = rest.as_chunks::<32>();
        if !tail.is_empty() {
            return Err(FrontierError::WrongLength);
        }
        Self::from_parts(u64::from_be_bytes(*size), hashes.iter().copied().map(Digest::new).collect())
    }
}

/// The complete subtrees whose roots are the frontier of a tree of `size` leaves, largest first.
pub fn frontier_nodes(size: u64) -> Vec<Node> {
    Node::cover(0, size)
}

/// The root over `leaf_hashes`, of any number; for a power of two it is the root of that complete subtree.
pub fn subtree_root(leaf_hashes: &[Digest]) -> Digest {
    let mut frontier = Frontier::new();
    for leaf in leaf_hashes {
        frontier.push(*leaf);
    }
    frontier.root()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn grown(count: usize) -> Frontier {
        let mut frontier = Frontier::new();
        for leaf in testing::leaves(count) {
            frontier.push(leaf);
        }
        frontier
    }

    #[test]
    fn the_root_is_that_of_the_definition_at_every_size() {
        let leaves = testing::leaves(130);
        for size in 0..=leaves.len() {
            let expected = testing::root(&leaves[..size]);
            assert_eq!(grown(size).root(), expected);
            assert_eq!(subtree_root(&leaves[..size]), expected);
        }
    }

    #[test]
    fn the_hashes_are_those_of_the_frontier_nodes() {
        let leaves = testing::leaves(100);
        for size in 0..=leaves.len() {
            let mut read = testing::reader(&leaves);
            let expected: Vec<_> =
                frontier_nodes(size as u64).into_iter().map(|node| read(node).unwrap()).collect();
            assert_eq!(grown(size).hashes(), expected);
        }
    }

    #[test]
    fn each_level_yields_the_subtree_of_that_level() {
        let leaves = testing::leaves(77);
        let frontier = grown(77);
        let mut read = testing::reader(&leaves);
        for level in 0..=64 {
            let expected = frontier_nodes(77)
                .into_iter()
                .find(|node| node.level() == level)
                .map(|node| read(node).unwrap());
            assert_eq!(frontier.at_level(level), expected);
        }
    }

    #[test]
    fn bytes_round_trip_and_every_cut_is_refused() {
        for size in [0, 1, 2, 3, 7, 64, 100] {
            let frontier = grown(size);
            let bytes = frontier.to_bytes();
            assert_eq!(Frontier::from_bytes(&bytes), Ok(frontier));
            for end in 0..bytes.len() {
                assert!(Frontier::from_bytes(&bytes[..end]).is_err());
            }
            let longer = [&bytes[..], &[0; 32]].concat();
            assert!(matches!(Frontier::from_bytes(&longer), Err(FrontierError::WrongCount { .. })));
        }
    }

    #[test]
    fn sizes_beyond_the_limit_are_refused() {
        let refused = Frontier::from_parts(MAX_SIZE + 1, vec![Digest::ZERO]);
        assert_eq!(refused, Err(FrontierError::TooLarge));
        assert!(Frontier::from_parts(MAX_SIZE, vec![Digest::ZERO; 63]).is_ok());
    }
}
