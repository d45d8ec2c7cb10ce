//! Agreement with independent implementations: Merkle proofs with `tlog_tiles` (a port of Go's sumdb) and
//! `ct-merkle`, notes with `signed_note`, checkpoints with `tlog_tiles`.

#![expect(clippy::unwrap_used, reason = "a test stops where an oracle cannot go on")]

use std::convert::Infallible;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use custody::checkpoint::{Checkpoint, Origin};
use custody::digest::Digest;
use custody::merkle::{Batch, Frontier, Plan, leaf_hash, subtree_root, verify_consistency, verify_inclusion};
use custody::note::{KeyName, NoteSignature, SignatureType, SignedNote, VerifierKey};
use custody::tile::{FULL_WIDTH, Tile, TileKind, TilePath, TileReader};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use sha2::Sha256;
use tlog_tiles::tlog;

/// Entries, a tree of each oracle over them, and our leaf hashes.
struct Trees {
    leaves: Vec<Digest>,
    ct: MemoryBackedTree<Sha256, [u8; 8]>,
    go: GoTree,
}

/// The stored hashes of `tlog_tiles`.
#[derive(Default)]
struct GoTree(Vec<tlog::Hash>);

impl tlog::HashReader for GoTree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Trees {
    fn new(size: u64) -> Self {
        let mut trees = Self { leaves: Vec::new(), ct: MemoryBackedTree::new(), go: GoTree::default() };
        for index in 0..size {
            let entry = index.to_be_bytes();
            let hashes = tlog::stored_hashes(index, &entry, &trees.go).unwrap();
            trees.go.0.extend(hashes);
            trees.ct.push(entry);
            trees.leaves.push(leaf_hash(&entry));
        }
        trees
    }

    /// The oracle's bytes of a tile that we name.
    fn go_tile(&self, path: TilePath) -> Result<Vec<u8>, tlog::Error> {
        go_path(path).read_data(&self.go)
    }

    fn read(&self, plan: &Plan) -> Vec<Digest> {
        let hash = |index: u64| self.leaves[usize::try_from(index).unwrap()];
        let read: Result<_, Infallible> =
            plan.read(&mut |node| Ok(subtree_root(&node.leaves().map(hash).collect::<Vec<_>>())));
        read.unwrap()
    }
}

/// A tile of ours in the oracle's words; its tiles may have other heights than 8.
fn go_path(path: TilePath) -> tlog_tiles::Tile {
    let (level, entries) = match path.kind() {
        TileKind::Hashes(level) => (level, false),
        TileKind::Entries => (0, true),
    };
    tlog_tiles::Tile::new(8, level, path.index(), path.width().into(), entries)
}

fn our_path(tile: &tlog_tiles::Tile) -> TilePath {
    let kind = if tile.is_data() { TileKind::Entries } else { TileKind::Hashes(tile.level()) };
    TilePath::new(kind, tile.level_index(), tile.width().try_into().unwrap()).unwrap()
}

fn ours(hashes: &[tlog::Hash]) -> Vec<Digest> {
    hashes.iter().map(|hash| Digest::new(hash.0)).collect()
}

fn chunks(bytes: &[u8]) -> Vec<Digest> {
    bytes.chunks(32).map(|chunk| Digest::from_slice(chunk).unwrap()).collect()
}

fn concat(proof: &[Digest]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn roots_and_inclusion_proofs_agree_both_ways(
        (size, start, index) in (1u64..700).prop_flat_map(|n| (Just(n), 0..=n, 0..n)),
    ) {
        let trees = Trees::new(size);
        let at = usize::try_from(start).unwrap();
        let before = Batch::new(&Frontier::new(), &trees.leaves[..at]);
        let batch = Batch::new(before.frontier(), &trees.leaves[at..]);
        let go_root = tlog::tree_hash(size, &trees.go).unwrap();
        prop_assert_eq!(batch.root(), Digest::new(go_root.0));
        prop_assert_eq!(batch.root(), Digest::from_slice(trees.ct.root().as_bytes()).unwrap());

        let proof = trees.read(&Plan::inclusion(index, size).unwrap());
        if index >= start {
            prop_assert_eq!(batch.inclusion_proof(index), Some(proof.clone()));
        }
        let go_proof = tlog::prove_record(size, index, &trees.go).unwrap();
        prop_assert_eq!(&ours(&go_proof), &proof);
        let ct_proof = trees.ct.prove_inclusion(usize::try_from(index).unwrap());
        prop_assert_eq!(&chunks(ct_proof.as_bytes()), &proof);

        let leaf = trees.leaves[usize::try_from(index).unwrap()];
        prop_assert!(verify_inclusion(&leaf, index, size, &ours(&go_proof), &batch.root()).is_ok());
        let ct_read = InclusionProof::try_from_bytes(concat(&proof)).unwrap();
        prop_assert!(trees.ct.root().verify_inclusion(&index.to_be_bytes(), index, &ct_read).is_ok());
    }

    #[test]
    fn consistency_proofs_agree_both_ways((new, old) in (1u64..700).prop_flat_map(|n| (Just(n), 1..=n))) {
        let trees = Trees::new(new);
        let proof = trees.read(&Plan::consistency(old, new).unwrap());
        let go_proof = tlog::prove_tree(new, old, &trees.go).unwrap();
        prop_assert_eq!(&ours(&go_proof), &proof);
        let ct_proof = trees.ct.prove_consistency(usize::try_from(new - old).unwrap());
        prop_assert_eq!(&chunks(ct_proof.as_bytes()), &proof);

        let old_root = subtree_root(&trees.leaves[..usize::try_from(old).unwrap()]);
        let new_root = subtree_root(&trees.leaves);
        prop_assert!(verify_consistency(old, &old_root, new, &new_root, &ours(&go_proof)).is_ok());
        let ct_old = RootHash::<Sha256>::new((*old_root.as_bytes()).into(), old);
        let ct_read = ConsistencyProof::try_from_bytes(concat(&proof)).unwrap();
        prop_assert!(trees.ct.root().verify_consistency(&ct_old, &ct_read).is_ok());
    }

    #[test]
    fn tiles_have_the_same_paths_and_the_same_growth(
        (new, old) in (1..1_u64 << 24).prop_flat_map(|n| (Just(n), n.saturating_sub(100_000)..=n)),
        level in 0..8_u8,
        entries in any::<bool>(),
        index in 0..1_u64 << 54,
        width in 1..=FULL_WIDTH,
    ) {
        let kind = if entries { TileKind::Entries } else { TileKind::Hashes(level) };
        let path = TilePath::new(kind, index, width).unwrap();
        let theirs = path.to_string().replace("tile/", "tile/8/").replace("/entries/", "/data/");
        prop_assert_eq!(go_path(path).path(), theirs.clone());
        prop_assert_eq!(our_path(&tlog_tiles::Tile::from_path(&theirs).unwrap()), path);

        let mut ours: Vec<_> = TilePath::changed(old, new).collect();
        let mut theirs: Vec<_> = tlog_tiles::Tile::new_tiles(8, old, new).iter().map(our_path).collect();
        ours.sort();
        theirs.sort();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn tiles_have_the_same_bytes_and_serve_for_proofs(
        (size, start, index) in (1u64..1500).prop_flat_map(|n| (Just(n), 0..=n, 0..n)),
    ) {
        let trees = Trees::new(size);
        let root = subtree_root(&trees.leaves);
        for path in TilePath::changed(start, size) {
            let (level, range) = path.nodes().unwrap();
            let hash = |index: u64| {
                let leaves = index << level..(index + 1) << level;
                let [start, end] = [leaves.start, leaves.end].map(|leaf| usize::try_from(leaf).unwrap());
                subtree_root(&trees.leaves[start..end])
            };
            let tile = Tile::new(path, range.map(hash).collect()).unwrap();
            prop_assert_eq!(tile.to_bytes(), trees.go_tile(path).unwrap(), "{}", path);
        }

        let mut reader = TileReader::new(size, root, |path| trees.go_tile(path).map_err(|_| ())).unwrap();
        prop_assert_eq!(reader.inclusion_proof(index).unwrap(), ours(&tlog::prove_record(size, index, &trees.go).unwrap()));
        if start > 0 {
            let theirs = tlog::prove_tree(size, start, &trees.go).unwrap();
            prop_assert_eq!(reader.consistency_proof(start).unwrap(), ours(&theirs));
        }
    }

    #[test]
    fn verdicts_on_wrong_positions_agree(
        (size, index) in (1u64..60).prop_flat_map(|n| (Just(n), 0..n)),
        claimed_index in 0u64..70,
        claimed_size in 1u64..70,
    ) {
        let trees = Trees::new(size);
        let proof = trees.read(&Plan::inclusion(index, size).unwrap());
        let root = subtree_root(&trees.leaves);
        let leaf = trees.leaves[usize::try_from(index).unwrap()];
        let verdict = verify_inclusion(&leaf, claimed_index, claimed_size, &proof, &root);
        let go_proof: Vec<_> = proof.iter().map(|hash| tlog::Hash(*hash.as_bytes())).collect();
        let hash = |digest: &Digest| tlog::Hash(*digest.as_bytes());
        if claimed_index < claimed_size {
            let go = tlog::check_record(&go_proof, claimed_size, hash(&root), claimed_index, hash(&leaf));
            prop_assert_eq!(verdict.is_ok(), go.is_ok());
        } else {
            prop_assert!(verdict.is_err());
        }
    }

    #[test]
    fn notes_are_read_and_verified_alike(
        seed in any::<[u8; 32]>(),
        text in "[ -~é—\n]{0,60}\n",
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
    ) {
        let key = SigningKey::from_bytes(&seed);
        let name = KeyName::new("example.org/key").unwrap();
        let verifier = VerifierKey::new(name.clone(), SignatureType::Ed25519, key.verifying_key()).unwrap();
        let note = SignedNote::new(text.clone(), vec![NoteSignature::ed25519(name, &key, &text)]).unwrap();
        prop_assert_eq!(note.to_string().into_bytes(), signed_by_oracle(&seed, &verifier, &text));

        let mut bytes = note.to_string().into_bytes();
        prop_assert!(oracle_accepts(&bytes, &verifier));
        let at = at.index(bytes.len());
        bytes[at] = with;
        let verdict = SignedNote::parse(&bytes).and_then(|note| note.verify(std::slice::from_ref(&verifier)).map(|_| ()));
        prop_assert_eq!(verdict.is_ok(), oracle_accepts(&bytes, &verifier));
    }

    #[test]
    fn checkpoints_are_read_alike(size in 0..=i64::MAX.cast_unsigned(), root in any::<[u8; 32]>()) {
        let root = if size == 0 { Digest::new(tlog::EMPTY_HASH.0) } else { Digest::new(root) };
        let origin = Origin::new("vault.example.org/custos/1").unwrap();
        let checkpoint = Checkpoint::new(origin, size, root).unwrap();
        let oracle = tlog_tiles::Checkpoint::from_bytes(checkpoint.text().as_bytes()).unwrap();
        prop_assert_eq!(oracle.origin(), checkpoint.origin().as_str());
        prop_assert_eq!(oracle.size(), size);
        prop_assert_eq!(&oracle.hash().0, root.as_bytes());
        prop_assert_eq!(oracle.to_bytes(), checkpoint.text().into_bytes());
    }
}

fn signed_by_oracle(seed: &[u8; 32], verifier: &VerifierKey, text: &str) -> Vec<u8> {
    let private = BASE64_STANDARD.encode([&[1], &seed[..]].concat());
    let key = format!("PRIVATE+KEY+{}+{}+{private}", verifier.name(), verifier.id());
    let signer = signed_note::StandardSigner::new(&key).unwrap();
    let mut note = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();
    note.to_bytes()
}

fn oracle_accepts(note: &[u8], verifier: &VerifierKey) -> bool {
    let verifier = signed_note::StandardVerifier::new(&verifier.to_string()).unwrap();
    let known = signed_note::VerifierList::new(vec![Box::new(verifier)]);
    signed_note::Note::from_bytes(note).is_ok_and(|note| note.verify(&known).is_ok())
}
