//! Proofs out of tiles that nobody has to be trusted for.

use std::collections::BTreeSet;

use super::{Tile, TileError, TileKind, TilePath, parse_entries};
use crate::digest::Digest;
use crate::merkle::{EMPTY_ROOT, Node, Plan, ProofError, leaf_hash};

/// Reads a log through its tiles, each checked against the root of a checkpoint that the caller has verified.
///
/// The partial tiles at the right edge are checked together: their hashes are exactly the tree's frontier. A full tile
/// is checked against its root in the tile above. In memory there are the partial tiles and the last full tile of each
/// level, so that going through a log from left to right fetches every tile once.
///
/// `fetch` is asked for tiles and bundles by path, and may answer with the full one for a partial one. Who fetches
/// asynchronously asks [`TileReader::needed`] first.
#[derive(Debug, Clone)]
pub struct TileReader<F> {
    size: u64,
    root: Digest,
    fetch: F,
    edge: Vec<Tile>,
    recent: Vec<Tile>,
}

/// Why nothing could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError<E> {
    /// A tile or bundle could not be fetched.
    #[error("{path} could not be fetched")]
    Fetch {
        /// Which one.
        path: TilePath,
        /// What the caller's function said.
        source: E,
    },
    /// What was fetched is not a tile or bundle.
    #[error("{path} is malformed: {source}")]
    Malformed {
        /// Which one.
        path: TilePath,
        /// Why.
        source: TileError,
    },
    /// The partial tiles do not lead to the checkpoint's root. The log shows other hashes than it signed.
    #[error("the partial tiles do not lead to the root of the tree")]
    EdgeMismatch,
    /// The hashes of a full tile or the entries of a bundle are not those that the tree has there.
    #[error("{path} does not belong to the tree")]
    Mismatch {
        /// Which one.
        path: TilePath,
    },
    /// The tree has no such leaf, or is smaller than the older tree.
    #[error(transparent)]
    Position(#[from] ProofError),
}

impl<E, F: FnMut(TilePath) -> Result<Vec<u8>, E>> TileReader<F> {
    /// Fetches the partial tiles of the tree of `size` leaves and checks that they lead to `root`.
    pub fn new(size: u64, root: Digest, fetch: F) -> Result<Self, ReadError<E>> {
        let plan = Plan::root(size)?;
        let mut reader = Self { size, root, fetch, edge: Vec::new(), recent: Vec::new() };
        for path in TilePath::partial(size) {
            let tile = reader.fetch_tile(path)?;
            reader.edge.push(tile);
        }
        let in_edge = |node| reader.edge.iter().find_map(|tile| tile.hash(node));
        let found = plan.read(&mut |node| in_edge(node).ok_or(ReadError::EdgeMismatch))?;
        if found.first() == Some(&root) || (size == 0 && root == EMPTY_ROOT) {
            Ok(reader)
        } else {
            Err(ReadError::EdgeMismatch)
        }
    }

    /// The number of leaves of the tree that is read.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root that everything read leads to.
    pub const fn root(&self) -> &Digest {
        &self.root
    }

    /// The inclusion proof of leaf `index`.
    pub fn inclusion_proof(&mut self, index: u64) -> Result<Vec<Digest>, ReadError<E>> {
        let plan = Plan::inclusion(index, self.size)?;
        plan.read(&mut |node| self.hash(node))
    }

    /// The consistency proof from the tree of `old` leaves.
    pub fn consistency_proof(&mut self, old: u64) -> Result<Vec<Digest>, ReadError<E>> {
        let plan = Plan::consistency(old, self.size)?;
        plan.read(&mut |node| self.hash(node))
    }

    /// The root that the tree had when it had `old` leaves.
    pub fn root_at(&mut self, old: u64) -> Result<Digest, ReadError<E>> {
        if old > self.size {
            return Err(ProofError::Shrunk { old, new: self.size }.into());
        }
        let root = Plan::root(old)?.read(&mut |node| self.hash(node))?;
        Ok(root.first().copied().unwrap_or(EMPTY_ROOT))
    }

    /// The hash of a complete subtree: the reader that [`Plan::read`] asks for.
    pub fn hash(&mut self, node: Node) -> Result<Digest, ReadError<E>> {
        let path = TilePath::holding(node, self.size)
            .ok_or(ProofError::IndexBeyondSize { index: node.leaves().end - 1, size: self.size })?;
        self.tile(path)?.hash(node).ok_or(ReadError::Mismatch { path })
    }

    /// The bundle of up to 256 entries with this index (from 0), as the tree has it, each entry checked against its
    /// leaf. Nothing if the tree has no such bundle.
    pub fn entries(&mut self, index: u64) -> Result<Option<Vec<Vec<u8>>>, ReadError<E>> {
        let leaves = TilePath::in_tree(TileKind::Hashes(0), index, self.size);
        let Some((leaves, path)) = leaves.and_then(|leaves| Some((leaves, leaves.bundle()?))) else {
            return Ok(None);
        };
        let bytes = (self.fetch)(path).map_err(|source| ReadError::Fetch { path, source })?;
        let entries = parse_entries(path, &bytes).map_err(|source| ReadError::Malformed { path, source })?;
        let hashes = entries.iter().map(|entry| leaf_hash(entry));
        if !hashes.eq(self.tile(leaves)?.hashes().iter().copied()) {
            return Err(ReadError::Mismatch { path });
        }
        Ok(Some(entries.into_iter().map(<[u8]>::to_vec).collect()))
    }

    /// A tile of this tree, proven.
    fn tile(&mut self, path: TilePath) -> Result<&Tile, ReadError<E>> {
        if !path.is_full() {
            let tile = self.edge.iter().find(|tile| tile.path() == path);
            return tile.ok_or(ReadError::Mismatch { path });
        }
        // By position and not by reference, since the borrow would last until the end of the function.
        if let Some(known) = self.recent.iter().position(|tile| tile.path() == path) {
            return Ok(&self.recent[known]);
        }
        let tile = self.fetch_tile(path)?;
        let parent = path.parent(self.size).ok_or(ReadError::Mismatch { path })?;
        let position = usize::try_from(path.index() % u64::from(super::FULL_WIDTH)).unwrap_or(usize::MAX);
        if self.tile(parent)?.hashes().get(position).copied() != tile.root() {
            return Err(ReadError::Mismatch { path });
        }
        self.recent.retain(|other| other.path().kind() != path.kind());
        self.recent.push(tile);
        Ok(&self.recent[self.recent.len() - 1])
    }

    fn fetch_tile(&mut self, path: TilePath) -> Result<Tile, ReadError<E>> {
        let bytes = (self.fetch)(path).map_err(|source| ReadError::Fetch { path, source })?;
        Tile::parse(path, &bytes).map_err(|source| ReadError::Malformed { path, source })
    }
}

impl TileReader<()> {
    /// Every tile that a reader of the tree of `size` leaves asks for when it reads `plan`, in no particular order:
    /// the partial tiles, those that hold the plan's nodes, and those above.
    pub fn needed(plan: &Plan, size: u64) -> BTreeSet<TilePath> {
        let mut needed: BTreeSet<_> = TilePath::partial(size).collect();
        for node in plan.nodes() {
            let mut next = TilePath::holding(node, size);
            while let Some(path) = next {
                needed.insert(path);
                next = if path.is_full() { path.parent(size) } else { None };
            }
        }
        needed
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::super::{Tile, emit_entries};
    use super::*;
    use crate::merkle::{subtree_root, verify_consistency, verify_inclusion};

    /// A log in memory that remembers what it was asked for.
    struct Log {
        leaves: Vec<Digest>,
        asked: RefCell<Vec<TilePath>>,
    }

    fn entry(index: u64) -> [u8; 8] {
        index.to_be_bytes()
    }

    impl Log {
        fn new(size: u64) -> Self {
            let leaves = (0..size).map(|index| leaf_hash(&entry(index))).collect();
            Self { leaves, asked: RefCell::default() }
        }

        fn root(&self, size: u64) -> Digest {
            subtree_root(&self.leaves[..usize::try_from(size).unwrap()])
        }

        fn fetch(&self, path: TilePath) -> Result<Vec<u8>, &'static str> {
            self.asked.borrow_mut().push(path);
            let (level, range) = path.nodes().ok_or("no tree has this")?;
            if path.kind() == TileKind::Entries {
                let entries: Vec<_> = range.map(entry).collect();
                return emit_entries(entries.iter().map(<[u8; 8]>::as_slice)).map_err(|_| "too long");
            }
            let hash = |index: u64| {
                let leaves = Node::new(level, index).unwrap().leaves();
                subtree_root(
                    &self.leaves
                        [usize::try_from(leaves.start).unwrap()..usize::try_from(leaves.end).unwrap()],
                )
            };
            Ok(Tile::new(path, range.map(hash).collect()).map_err(|_| "width")?.to_bytes())
        }
    }

    #[test]
    fn a_pass_over_the_entries_fetches_every_tile_once() {
        let log = Log::new(70_000);
        let mut reader = TileReader::new(70_000, log.root(70_000), |path| log.fetch(path)).unwrap();
        let mut count = 0;
        for bundle in 0.. {
            let Some(entries) = reader.entries(bundle).unwrap() else { break };
            for found in entries {
                assert_eq!(found, entry(count));
                count += 1;
            }
        }
        assert_eq!(count, 70_000);
        let mut asked = log.asked.take();
        asked.sort();
        let mut expected: Vec<_> = TilePath::changed(0, 70_000).collect();
        expected.extend(expected.clone().into_iter().filter_map(TilePath::bundle));
        expected.sort();
        assert_eq!(asked, expected);
    }

    #[test]
    fn the_empty_log_has_one_root() {
        let fetch = |_| Err::<Vec<u8>, _>("nothing is there");
        assert!(TileReader::new(0, EMPTY_ROOT, fetch).is_ok());
        assert_eq!(TileReader::new(0, Digest::ZERO, fetch).err(), Some(ReadError::EdgeMismatch));
        let mut reader = TileReader::new(0, EMPTY_ROOT, fetch).unwrap();
        assert_eq!(reader.entries(0), Ok(None));
        assert!(matches!(reader.inclusion_proof(0), Err(ReadError::Position(_))));
        assert!(matches!(reader.consistency_proof(1), Err(ReadError::Position(_))));
        assert!(matches!(reader.root_at(1), Err(ReadError::Position(_))));
    }

    #[test]
    fn what_cannot_be_fetched_is_named() {
        let log = Log::new(300);
        let path: TilePath = "tile/0/000".parse().unwrap();
        let fetch = |asked| if asked == path { Err("gone") } else { log.fetch(asked) };
        let mut reader = TileReader::new(300, log.root(300), fetch).unwrap();
        assert_eq!(reader.inclusion_proof(3), Err(ReadError::Fetch { path, source: "gone" }));
    }

    #[test]
    fn a_changed_entry_is_noticed() {
        let log = Log::new(300);
        let fetch = |path: TilePath| {
            let mut bytes = log.fetch(path)?;
            if path.kind() == TileKind::Entries {
                bytes[5] ^= 1;
            }
            Ok::<_, &str>(bytes)
        };
        let mut reader = TileReader::new(300, log.root(300), fetch).unwrap();
        for index in 0..2 {
            let path = TilePath::in_tree(TileKind::Entries, index, 300).unwrap();
            assert_eq!(reader.entries(index), Err(ReadError::Mismatch { path }));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn proofs_out_of_tiles_hold(
            (size, old, index) in (1..3000_u64).prop_flat_map(|n| (Just(n), 0..=n, 0..n)),
        ) {
            let log = Log::new(size);
            let root = log.root(size);
            let mut reader = TileReader::new(size, root, |path| log.fetch(path)).unwrap();
            let proof = reader.inclusion_proof(index).unwrap();
            let leaf = log.leaves[usize::try_from(index).unwrap()];
            prop_assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root), Ok(()));
            let mut asked: BTreeSet<_> = log.asked.take().into_iter().collect();
            prop_assert_eq!(&asked, &TileReader::needed(&Plan::inclusion(index, size).unwrap(), size));

            let proof = reader.consistency_proof(old).unwrap();
            prop_assert_eq!(reader.root_at(old), Ok(log.root(old)));
            prop_assert_eq!(verify_consistency(old, &log.root(old), size, &root, &proof), Ok(()));
            asked.extend(log.asked.take());
            let all: BTreeSet<_> = TilePath::changed(0, size).collect();
            prop_assert!(asked.is_subset(&all));
        }

        #[test]
        fn a_flipped_bit_in_any_tile_is_noticed(
            (size, index) in (1..3000_u64).prop_flat_map(|n| (Just(n), 0..n)),
            which in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let log = Log::new(size);
            let root = log.root(size);
            let needed: Vec<_> =
                TileReader::needed(&Plan::inclusion(index, size).unwrap(), size).into_iter().collect();
            let damaged = needed[which.index(needed.len())];
            let fetch = |path: TilePath| {
                let mut bytes = log.fetch(path)?;
                if path == damaged {
                    let at = at.index(bytes.len());
                    bytes[at] ^= 1 << bit;
                }
                Ok::<_, &str>(bytes)
            };
            let verdict = TileReader::new(size, root, fetch).and_then(|mut reader| reader.inclusion_proof(index));
            let expected = if damaged.is_full() {
                ReadError::Mismatch { path: damaged }
            } else {
                ReadError::EdgeMismatch
            };
            prop_assert_eq!(verdict, Err(expected));
        }
    }
}
