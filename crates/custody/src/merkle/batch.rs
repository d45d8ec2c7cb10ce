//! Many leaves appended at once.

use super::{Frontier, Node, root_level};
use crate::digest::Digest;

/// Leaves appended together, with everything that follows from them and the frontier before: the new frontier,
/// the new root, and for each new leaf its inclusion proof in the new tree.
///
/// Building costs one hash a new node, about as many as there are new leaves; each proof is then read off without
/// hashing.
#[derive(Debug, Clone)]
pub struct Batch {
    before: Frontier,
    after: Frontier,
    root: Digest,
    /// For each level from the leaves to the root, the hashes of all nodes that hold a new leaf; the first of them
    /// has index `before.size() >> level`. The last may be incomplete: then it is the root over the leaves it has.
    levels: Vec<Vec<Digest>>,
}

impl Batch {
    /// Appends `leaf_hashes` to the tree whose compact state is `before`.
    pub fn new(before: &Frontier, leaf_hashes: &[Digest]) -> Self {
        let levels = levels(before, leaf_hashes);
        let root = levels.last().and_then(|top| top.first()).copied().unwrap_or_else(|| before.root());
        let mut batch = Self { before: before.clone(), after: Frontier::new(), root, levels };
        batch.after = batch.frontier_after(before.size() + leaf_hashes.len() as u64);
        batch
    }

    /// The compact state after the batch.
    pub const fn frontier(&self) -> &Frontier {
        &self.after
    }

    /// The root after the batch.
    pub const fn root(&self) -> Digest {
        self.root
    }

    /// The number of leaves after the batch.
    pub const fn size(&self) -> u64 {
        self.after.size()
    }

    /// The log index of the first new leaf.
    pub const fn first_index(&self) -> u64 {
        self.before.size()
    }

    /// The inclusion proof of the leaf with log index `index` in the tree of [`Batch::size`] leaves; nothing if that
    /// leaf is not in this batch.
    pub fn inclusion_proof(&self, index: u64) -> Option<Vec<Digest>> {
        if !(self.first_index()..self.size()).contains(&index) {
            return None;
        }
        let below_root = 0..root_level(self.size());
        Some(below_root.filter_map(|level| self.hash(level, index >> level ^ 1)).collect())
    }

    /// The proofs of all new leaves, in order.
    pub fn inclusion_proofs(&self) -> impl Iterator<Item = Vec<Digest>> + '_ {
        (self.first_index()..self.size()).filter_map(|index| self.inclusion_proof(index))
    }

    /// The complete subtrees at levels 8, 16, 24, … that this batch finished, lowest level first: what a store keeps
    /// beside the leaves so that any node is found by reading at most 128 hashes ([`Node::stored`]).
    pub fn finished_subtrees(&self) -> impl Iterator<Item = (Node, Digest)> + '_ {
        (8..self.levels.len()).step_by(8).flat_map(move |level| {
            let first = self.first_index() >> level;
            let finished = (self.size() >> level) - first;
            (first..)
                .zip(&self.levels[level])
                .take(usize::try_from(finished).unwrap_or(usize::MAX))
                .filter_map(move |(index, hash)| Some((Node::new(u8::try_from(level).ok()?, index)?, *hash)))
        })
    }

    /// The hash of a node of the new tree that holds a new leaf or is the left sibling of one that does; nothing if
    /// the tree does not reach that far right.
    fn hash(&self, level: u8, index: u64) -> Option<Digest> {
        match index.checked_sub(self.first_index() >> level) {
            Some(offset) => self.levels.get(usize::from(level))?.get(usize::try_from(offset).ok()?).copied(),
            None => self.before.at_level(level),
        }
    }

    fn frontier_after(&self, size: u64) -> Frontier {
        let hashes =
            super::frontier_nodes(size).into_iter().filter_map(|node| self.hash(node.level(), node.index()));
        Frontier::assume(size, hashes.collect())
    }
}

/// The nodes that hold a new leaf, level by level.
fn levels(before: &Frontier, leaf_hashes: &[Digest]) -> Vec<Vec<Digest>> {
    if leaf_hashes.is_empty() {
        return Vec::new();
    }
    let top = root_level(before.size() + leaf_hashes.len() as u64);
    let mut levels = Vec::with_capacity(usize::from(top) + 1);
    let mut current = leaf_hashes.to_vec();
    for level in 0..top {
        let above = parents(before.at_level(level), &current);
        levels.push(current);
        current = above;
    }
    levels.push(current);
    levels
}

/// The parents of `nodes`; the first of these is a right child exactly if `left` is its sibling. A last one without
/// a sibling stands for its parent too, as in the RFC's tree.
fn parents(left: Option<Digest>, nodes: &[Digest]) -> Vec<Digest> {
    let (first, rest) = match (left, nodes) {
        (Some(left), [first, rest @ ..]) => (Some(super::node_hash(&left, first)), rest),
        _ => (None, nodes),
    };
    let pairs = rest.chunks(2).map(|pair| match pair {
        [left, right] => super::node_hash(left, right),
        _ => pair[0],
    });
    first.into_iter().chain(pairs).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{subtree_root, testing};
    use super::*;

    fn grown(leaves: &[Digest]) -> Frontier {
        let mut frontier = Frontier::new();
        for leaf in leaves {
            frontier.push(*leaf);
        }
        frontier
    }

    #[test]
    fn a_batch_agrees_with_the_tree_at_every_size() {
        let leaves = testing::leaves(80);
        for size in 0..=leaves.len() {
            for start in 0..=size {
                let batch = Batch::new(&grown(&leaves[..start]), &leaves[start..size]);
                assert_eq!(batch.frontier(), &grown(&leaves[..size]));
                assert_eq!(batch.root(), testing::root(&leaves[..size]));
                let proofs: Vec<_> = batch.inclusion_proofs().collect();
                let expected: Vec<_> =
                    (start..size).map(|index| testing::path(index, &leaves[..size])).collect();
                assert_eq!(proofs, expected);
            }
        }
    }

    #[test]
    fn a_batch_proves_only_its_own_leaves() {
        let leaves = testing::leaves(9);
        let batch = Batch::new(&grown(&leaves[..4]), &leaves[4..]);
        assert_eq!(batch.inclusion_proof(3), None);
        assert!(batch.inclusion_proof(8).is_some());
        assert_eq!(batch.inclusion_proof(9), None);
    }

    #[test]
    fn finished_subtrees_are_reported_once_and_completely() {
        let leaves = testing::leaves(256 * 5 + 17);
        let mut frontier = Frontier::new();
        let mut found = Vec::new();
        let mut rest = &leaves[..];
        for step in [1, 254, 1, 2, 600, 0, 439].into_iter().chain([usize::MAX]) {
            let (now, later) = rest.split_at(step.min(rest.len()));
            let batch = Batch::new(&frontier, now);
            found.extend(batch.finished_subtrees());
            frontier = batch.frontier().clone();
            rest = later;
        }
        let expected: Vec<_> = (0..5)
            .map(|i| (Node::new(8, i as u64).unwrap(), subtree_root(&leaves[i * 256..(i + 1) * 256])))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_second_tile_level_is_reported_too() {
        let half = testing::root(&testing::leaves(1 << 15));
        let before = Frontier::from_parts((1 << 16) - 1, {
            let mut frontier = grown(&testing::leaves((1 << 15) - 1)).hashes().to_vec();
            frontier.insert(0, half);
            frontier
        });
        let batch = Batch::new(&before.unwrap(), &testing::leaves(1));
        let levels: Vec<_> =
            batch.finished_subtrees().map(|(node, _)| (node.level(), node.index())).collect();
        assert_eq!(levels, [(8, 255), (16, 0)]);
        assert_eq!(batch.finished_subtrees().last().unwrap().1, batch.root());
    }
}
