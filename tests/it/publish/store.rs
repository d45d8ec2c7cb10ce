//! The published log in the object store.

use custody::checkpoint::Checkpoint;
use custody::merkle::{Frontier, leaf_hash};
use custody::note::SignedNote;
use custody::tile::{TileKind, TilePath, TileReader, parse_entries};
use custos::blobs::{Blobs, LogFile};
use custos::publish::{StartError, Stop, find};

use super::Office;
use crate::support::world::Engine;

crate::on_both_engines! {
    the_object_store_alone_holds_every_published_entry
    a_crash_between_tiles_and_checkpoint_is_made_good
    what_is_gone_of_the_published_log_is_written_again
    other_bytes_where_a_tile_goes_stop_publishing
    what_is_committed_last_is_stored_before_the_end
    a_published_log_of_another_vault_is_not_gone_on_with
}

/// Reads everything that the checkpoint in the object store covers, from the object store alone.
async fn entries_of(office: &Office) -> (Checkpoint, Vec<Vec<u8>>) {
    let note = office.objects.read(LogFile::Checkpoint).await.unwrap().unwrap();
    let checkpoint = Checkpoint::open(&SignedNote::parse(&note).unwrap(), &office.world.log).unwrap();
    let mut entries = Vec::new();
    for path in TilePath::completed(0, checkpoint.size()).filter_map(TilePath::bundle) {
        let bundle = office.objects.tile(path).await.unwrap().unwrap();
        entries.extend(parse_entries(path, &bundle).unwrap().into_iter().map(<[u8]>::to_vec));
    }
    let tail = office.objects.read(LogFile::Tail).await.unwrap().unwrap();
    let (start, bundle) = tail.split_first_chunk().unwrap();
    assert_eq!(u64::from_be_bytes(*start), entries.len() as u64);
    let rest = u16::try_from(checkpoint.size() % 256).unwrap();
    if rest > 0 {
        let path = TilePath::new(TileKind::Entries, 0, rest).unwrap();
        entries.extend(parse_entries(path, bundle).unwrap().into_iter().map(<[u8]>::to_vec));
    }
    let mut frontier = Frontier::new();
    for entry in &entries {
        frontier.push(leaf_hash(entry));
    }
    assert_eq!((frontier.size(), frontier.root()), (checkpoint.size(), *checkpoint.root()));
    (checkpoint, entries)
}

async fn the_object_store_alone_holds_every_published_entry(engine: Engine) {
    let office = Office::new(engine).await;
    let mut running = office.publish(None).await;
    let first = running.published(&office, office.world.size().await, false).await;
    let size = office.grow(520).await;
    let second = running.published(&office, size, false).await;
    assert_eq!(second.size(), size);
    assert!(first.size() < size);
    let (checkpoint, entries) = entries_of(&office).await;
    assert_eq!(checkpoint, second);

    // The full tiles are there, and lead to the root with what can be computed from the entries.
    let mut tiles = std::collections::BTreeMap::new();
    for path in TilePath::completed(0, size) {
        tiles.insert(path, office.objects.tile(path).await.unwrap().unwrap());
    }
    assert_eq!(tiles.len(), 2, "the third is not full");
    for path in TilePath::partial(size) {
        let tile = office.world.ground.store.read().await.unwrap().tile(path).await.unwrap();
        tiles.insert(path, tile.unwrap());
        assert_eq!(office.objects.tile(path).await.unwrap(), None, "partial tiles are rendered");
    }
    let fetch = |path| tiles.get(&path).cloned().ok_or("not there");
    let mut reader = TileReader::new(size, *checkpoint.root(), fetch).unwrap();
    assert!(reader.inclusion_proof(300).is_ok());
    assert_eq!(entries.len() as u64, size);
    assert!(running.status.borrow().alarms().is_empty());
    // Started again it goes on where it was.
    running.crash().await;
    let mut again = office.publish(None).await;
    assert_eq!(again.published(&office, size, false).await, checkpoint);
    let more = office.grow(1).await;
    assert_eq!(again.published(&office, more, false).await.size(), more);
    assert_eq!(again.status.borrow().counts.objects, 0, "nothing is written twice");
}

async fn a_crash_between_tiles_and_checkpoint_is_made_good(engine: Engine) {
    let office = Office::new(engine).await;
    let size = office.grow(260).await;
    for path in TilePath::completed(0, size) {
        let tile = office.world.ground.store.read().await.unwrap().tile(path).await.unwrap().unwrap();
        office.objects.create(path, tile).await.unwrap();
    }
    let mut running = office.publish(None).await;
    assert_eq!(running.published(&office, size, false).await.size(), size);
    assert_eq!(running.status.borrow().counts.objects, 1, "the bundle; the tile was there");
    entries_of(&office).await;
}

async fn what_is_gone_of_the_published_log_is_written_again(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let mut office = Office::new(engine).await;
    office.objects = Blobs::open(&format!("file://{}", folder.path().display())).unwrap().log();
    let size = office.grow(520).await;
    let mut running = office.publish(None).await;
    let checkpoint = running.published(&office, size, false).await;
    running.crash().await;
    let signers = office.world.log.clone().into();
    let missing = async || find(&office.world.ground.store, &office.objects, &signers).await.unwrap().missing;
    assert_eq!(missing().await, 0);
    for (gone, path) in (1..).zip(["tile/entries/000", "tile/0/001"]) {
        std::fs::remove_file(folder.path().join("log").join(path)).unwrap();
        assert_eq!(missing().await, gone, "{path}");
    }
    let mut running = office.publish(None).await;
    assert_eq!(running.published(&office, size, false).await, checkpoint, "it is shown meanwhile");
    let status = running.until(|status| status.stored == size).await;
    assert_eq!((status.missing, status.counts.objects), (0, 2));
    assert_eq!(missing().await, 0);
    assert_eq!(entries_of(&office).await.0, checkpoint);
}

async fn other_bytes_where_a_tile_goes_stop_publishing(engine: Engine) {
    let office = Office::new(engine).await;
    let before = office.world.size().await;
    let mut running = office.publish(None).await;
    running.published(&office, before, false).await;
    let path: TilePath = "tile/entries/000".parse().unwrap();
    office.objects.create(path, b"another history".to_vec()).await.unwrap();
    let size = office.grow(260).await;
    let status = running.until(|status| status.stopped.is_some()).await;
    assert_eq!(status.stopped, Some(Stop::OtherBytes(path)));
    assert_eq!(status.alarms().len(), 1);
    assert!(status.published.unwrap().size < 256 && status.stored < size);
    running.task.await.unwrap();
    let (checkpoint, _) = entries_of(&office).await;
    assert!(checkpoint.size() < 256, "what was published stays as it was");
    assert_eq!(office.objects.tile(path).await.unwrap().unwrap(), b"another history");
}

async fn what_is_committed_last_is_stored_before_the_end(engine: Engine) {
    let office = Office::new(engine).await;
    let running = office.publish(None).await;
    let size = office.grow(3).await;
    office.world.handle.end().await;
    running.task.await.unwrap();
    assert_eq!(entries_of(&office).await.0.size(), size);
}

async fn a_published_log_of_another_vault_is_not_gone_on_with(engine: Engine) {
    let office = Office::new(engine).await;
    let key = ed25519_dalek::SigningKey::from_bytes(&[77; 32]);
    let origin: custody::checkpoint::Origin = crate::support::world::ORIGIN.parse().unwrap();
    let other = Checkpoint::new(origin, 1, leaf_hash(b"other")).unwrap().sign(&key).unwrap().to_string();
    let malformed = b"no note".to_vec();
    for bytes in [other.into_bytes(), malformed] {
        office.objects.replace(LogFile::Checkpoint, bytes).await.unwrap();
        let found = find(&office.world.ground.store, &office.objects, &office.world.log.clone().into()).await;
        assert!(matches!(found, Err(StartError::OtherLog)), "{found:?}");
    }
}
