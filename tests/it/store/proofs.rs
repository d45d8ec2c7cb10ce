//! Proofs of old entries, read from what is stored.

use std::sync::Arc;

use custody::merkle::{Frontier, SharedPaths, leaf_hash, verify_consistency, verify_inclusion};
use custos::store::Tiles;
use futures_util::future::join_all;

use crate::support::world::{Engine, World};

crate::on_both_engines! {
    old_entries_are_proven_at_every_later_size
}

async fn old_entries_are_proven_at_every_later_size(engine: Engine) {
    let world = Arc::new(World::new(engine).await);
    // Beyond one tile of 256, so that a stored subtree takes part.
    let many = (0..300).map(|_| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.done(world.item()).await })
    });
    for item in join_all(many).await {
        item.unwrap();
    }
    let mut tx = world.ground.store.read().await.unwrap();
    let size = tx.log_head().await.unwrap().unwrap().size();
    let leaves: Vec<_> = tx.entries(0..size).await.unwrap().iter().map(|entry| leaf_hash(entry)).collect();
    assert_eq!(leaves.len() as u64, size);
    let root_at = |size: u64| {
        let mut frontier = Frontier::new();
        leaves.iter().take(usize::try_from(size).unwrap()).for_each(|leaf| frontier.push(*leaf));
        frontier.root()
    };
    for (index, size) in [(0, 1), (0, 256), (0, 257), (7, size), (255, size), (256, size), (size - 1, size)] {
        let proof = tx.inclusion_proof(index, size).await.unwrap();
        let leaf = &leaves[usize::try_from(index).unwrap()];
        verify_inclusion(leaf, index, size, &proof, &root_at(size)).unwrap();
    }
    for (old, new) in [(1, 256), (200, 257), (256, size), (257, size), (size, size)] {
        let proof = tx.consistency_proof(old, new).await.unwrap();
        verify_consistency(old, &root_at(old), new, &root_at(new), &proof).unwrap();
    }
    assert!(tx.inclusion_proof(size, size).await.is_err());

    let indices: Vec<_> = (0..size).filter(|index| index % 3 != 1).collect();
    let mut tiles = Tiles::default();
    let (first, second) = indices.split_at(100);
    let mut paths = tx.shared_paths(None, first, size, &mut tiles).await.unwrap();
    paths.extend(tx.shared_paths(first.last().copied(), second, size, &mut tiles).await.unwrap());
    let mut shared = SharedPaths::new(size, root_at(size)).unwrap();
    for (index, path) in indices.iter().zip(&paths) {
        shared.prove(*index, &leaves[usize::try_from(*index).unwrap()], path).unwrap();
    }
}
