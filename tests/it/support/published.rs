//! A log of made-up entries, laid out as tiles; two of them may share their beginning.

use custody::checkpoint::{Checkpoint, Origin};
use custody::digest::Digest;
use custody::merkle::{Node, Plan, ProofError, leaf_hash, subtree_root};
use custody::note::{SignatureType, SignedNote, VerifierKey};
use custody::record::{ENTRY_BYTES, Entry};
use custody::tile::{Tile, TileKind, TilePath, emit_entries};
use custody::witness::AddCheckpoint;
use ed25519_dalek::SigningKey;

/// A history that is `branch`'s own from entry `fork` on.
pub(crate) struct Published {
    origin: Origin,
    key: SigningKey,
    branch: u8,
    fork: u64,
    leaves: Vec<Digest>,
}

impl Published {
    pub(crate) fn new(origin: &str, branch: u8, fork: u64, size: u64) -> Self {
        let key = SigningKey::from_bytes(&[91; 32]);
        let mut log = Self { origin: Origin::new(origin).unwrap(), key, branch, fork, leaves: Vec::new() };
        log.leaves = (0..size).map(|index| leaf_hash(&log.entry(index))).collect();
        log
    }

    /// The same entries, signed by another key.
    pub(crate) fn signed_by(&self, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        Self { origin: self.origin.clone(), key, leaves: self.leaves.clone(), ..*self }
    }

    pub(crate) fn vkey(&self) -> VerifierKey {
        VerifierKey::new(self.origin.key_name(), SignatureType::Ed25519, self.key.verifying_key()).unwrap()
    }

    pub(crate) fn entry(&self, index: u64) -> [u8; ENTRY_BYTES] {
        let branch = if index < self.fork { 0 } else { self.branch };
        let part = |which: u8| Digest::of(&[&index.to_be_bytes()[..], &[branch, which]].concat());
        Entry { tag: part(1), case_tag: part(2), commitment: part(3) }.to_bytes()
    }

    /// The checkpoint of the first `size` entries.
    pub(crate) fn checkpoint(&self, size: u64) -> SignedNote {
        Checkpoint::new(self.origin.clone(), size, self.root(0..size)).unwrap().sign(&self.key).unwrap()
    }

    /// What the log asks a witness that has cosigned `old` entries.
    pub(crate) fn request(&self, old: u64, size: u64) -> String {
        let plan = Plan::consistency(old, size).unwrap();
        let proof = plan.read(&mut |node: Node| Ok::<_, ProofError>(self.root(node.leaves()))).unwrap();
        AddCheckpoint::new(old, proof, self.checkpoint(size)).unwrap().to_string()
    }

    /// A file of the log when it has `size` entries, by its path below the log's address.
    pub(crate) fn file(&self, name: &str, size: u64) -> Option<Vec<u8>> {
        if name == "checkpoint" {
            return Some(self.checkpoint(size).to_string().into_bytes());
        }
        let path: TilePath = name.parse().ok().filter(|path: &TilePath| path.is_within(size))?;
        let (level, range) = path.nodes()?;
        if path.kind() == TileKind::Entries {
            let entries: Vec<_> = range.map(|index| self.entry(index)).collect();
            return Some(emit_entries(entries.iter().map(<[u8; ENTRY_BYTES]>::as_slice)).unwrap());
        }
        let hashes = range.map(|index| self.root(Node::new(level, index).unwrap().leaves())).collect();
        Some(Tile::new(path, hashes).unwrap().to_bytes())
    }

    /// All files of a log of `size` entries.
    pub(crate) fn names(size: u64) -> Vec<String> {
        let tiles: Vec<_> = TilePath::changed(0, size).collect();
        let bundles = tiles.clone().into_iter().filter_map(TilePath::bundle);
        let paths = tiles.iter().copied().chain(bundles).map(|path| path.to_string());
        paths.chain(["checkpoint".to_owned()]).collect()
    }

    fn root(&self, range: std::ops::Range<u64>) -> Digest {
        let at = |index: u64| usize::try_from(index).unwrap();
        subtree_root(&self.leaves[at(range.start)..at(range.end)])
    }
}
