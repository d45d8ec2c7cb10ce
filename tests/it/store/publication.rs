//! What is kept of what was published.

use custody::checkpoint::{Checkpoint, Origin};
use custody::digest::Digest;
use custos::store::{CheckpointRow, Store};

use crate::support::raw::change;
use crate::support::world::{Engine, Ground, ORIGIN, noon, signing_keys};

crate::on_both_engines! {
    the_newest_thousand_checkpoints_are_kept_and_those_that_exports_name
    what_was_decided_for_an_export_stays
}

fn row(size: u64, seed: u8) -> CheckpointRow {
    let origin = Origin::new(ORIGIN).unwrap();
    let checkpoint = Checkpoint::new(origin, size, Digest::of(&[seed])).unwrap();
    CheckpointRow { size, note: checkpoint.sign(&signing_keys().log).unwrap(), published: noon() }
}

async fn kept(store: &Store, size: u64) -> Option<CheckpointRow> {
    store.read().await.unwrap().checkpoint_of(size).await.unwrap()
}

async fn the_newest_thousand_checkpoints_are_kept_and_those_that_exports_name(engine: Engine) {
    let ground = Ground::new(engine).await;
    let store = &ground.store;
    assert_eq!(store.read().await.unwrap().newest_checkpoint().await.unwrap(), None);
    let values = |row: CheckpointRow| format!("({}, '{}', {})", row.size, row.note, row.published.millis());
    let rows: Vec<_> = (1..=1_000).map(|number| values(row(10 * number, 1))).collect();
    let sql = format!("INSERT INTO checkpoints (size, note, published) VALUES {}", rows.join(", "));
    change(&ground.url, &sql, 1_000).await;
    store.decide_checkpoint(&Digest::of(b"export"), 20).await.unwrap();
    assert_eq!(kept(store, 10).await, Some(row(10, 1)), "a thousand");
    for size in [10_010, 10_020, 10_030] {
        store.keep_checkpoint(&row(size, 1)).await.unwrap();
    }
    assert_eq!((kept(store, 10).await, kept(store, 30).await), (None, None));
    assert_eq!(kept(store, 20).await, Some(row(20, 1)), "an export names it");
    assert_eq!(kept(store, 40).await, Some(row(40, 1)));
    let newest = store.read().await.unwrap().newest_checkpoint().await.unwrap();
    assert_eq!(newest, Some(row(10_030, 1)));
}

async fn what_was_decided_for_an_export_stays(engine: Engine) {
    let ground = Ground::new(engine).await;
    let store = &ground.store;
    let export = Digest::of(b"export");
    let decided = async || store.read().await.unwrap().checkpoint_for(&export).await.unwrap();
    assert_eq!(decided().await, None);
    store.decide_checkpoint(&export, 0).await.unwrap();
    store.decide_checkpoint(&export, 7).await.unwrap();
    assert_eq!(decided().await, Some(0));
    store.keep_checkpoint(&row(7, 1)).await.unwrap();
    store.keep_checkpoint(&row(7, 2)).await.unwrap();
    assert_eq!(kept(store, 7).await, Some(row(7, 1)), "bundles are laid out under the first");
}
