//! Tiles out of the database, read as a stranger reads them.

use std::sync::Arc;

use custody::checkpoint::Checkpoint;
use custody::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use custody::record::ENTRY_BYTES;
use custody::tile::{TileKind, TilePath, TileReader};
use custos::store::Store;
use futures_util::future::join_all;

use crate::support::world::{Engine, World};

crate::on_both_engines! {
    a_stranger_reads_the_log_through_its_tiles
}

/// At least so many entries, beyond one tile of 256.
async fn grown(world: &Arc<World>) {
    let many = (0..300).map(|_| {
        let world = Arc::clone(world);
        tokio::spawn(async move { world.done(world.item()).await })
    });
    join_all(many).await.into_iter().for_each(|item| drop(item.unwrap()));
}

async fn tile(store: &Store, path: TilePath) -> Option<Vec<u8>> {
    store.read().await.unwrap().tile(path).await.unwrap()
}

async fn a_stranger_reads_the_log_through_its_tiles(engine: Engine) {
    let world = Arc::new(World::new(engine).await);
    grown(&world).await;
    let head = world.ground.store.read().await.unwrap().log_head().await.unwrap().unwrap();
    let checkpoint = Checkpoint::open(&head.checkpoint, &world.log).unwrap();
    let size = checkpoint.size();
    let old = 200;

    // Every tile that the log has or ever had, at two sizes; then nothing more is fetched.
    let mut tiles = std::collections::BTreeMap::new();
    for size in [old, size] {
        for path in TilePath::changed(0, size) {
            for path in [Some(path), path.bundle()].into_iter().flatten() {
                tiles.insert(path, tile(&world.ground.store, path).await.unwrap());
            }
        }
    }
    let fetch = |path: TilePath| tiles.get(&path).cloned().ok_or("not fetched");
    let mut reader = TileReader::new(size, *checkpoint.root(), fetch).unwrap();
    let mut leaves = Vec::new();
    for bundle in 0.. {
        let Some(entries) = reader.entries(bundle).unwrap() else { break };
        assert!(entries.iter().all(|entry| entry.len() == ENTRY_BYTES));
        leaves.extend(entries.iter().map(|entry| leaf_hash(entry)));
    }
    assert_eq!(leaves.len() as u64, size);
    for index in [0, 255, 256, size - 1] {
        let proof = reader.inclusion_proof(index).unwrap();
        let leaf = &leaves[usize::try_from(index).unwrap()];
        verify_inclusion(leaf, index, size, &proof, checkpoint.root()).unwrap();
    }
    let (root, proof) = (reader.root_at(old).unwrap(), reader.consistency_proof(old).unwrap());
    verify_consistency(old, &root, size, checkpoint.root(), &proof).unwrap();
    let mut earlier = TileReader::new(old, root, fetch).unwrap();
    assert_eq!(earlier.entries(0).unwrap().unwrap().len() as u64, old);
    nothing_is_beyond(&world, size).await;
}

/// What the log does not reach is not there, however it is asked for.
async fn nothing_is_beyond(world: &World, size: u64) {
    let wider = u16::try_from(size % 256 + 1).unwrap();
    for (kind, index, width) in [
        (TileKind::Hashes(0), 1, wider),
        (TileKind::Entries, 1, wider),
        (TileKind::Hashes(0), 1, 256),
        (TileKind::Entries, 2, 1),
        (TileKind::Hashes(1), 0, 2),
        (TileKind::Hashes(2), 0, 1),
        (TileKind::Hashes(7), 0, 1),
        (TileKind::Hashes(8), 0, 1),
        (TileKind::Hashes(63), 0, 256),
        (TileKind::Entries, (1 << 55) - 1, 256),
    ] {
        let path = TilePath::new(kind, index, width).unwrap();
        assert_eq!(tile(&world.ground.store, path).await, None, "{path}");
    }
}
