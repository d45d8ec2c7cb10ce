//! Databases that older programs made.

use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::kind::Kind;
use custody::record::{ENTRY_BYTES, Entry, Sequence};
use custos::clock::ManualClock;
use custos::engine::OsEntropy;
use custos::ops::backup::{before_version, restore_rows};
use custos::ops::replay::replay;
use custos::sequencer::{LostEntries, recover};
use custos::store::{Store, StoreError};

use crate::support::app;
use crate::support::raw::change;
use crate::support::world::{Engine, noon, signing_keys};

crate::on_both_engines! {
    a_database_of_every_older_schema_is_brought_up_to_date_and_goes_on
}

/// Copies of a vault's rows, each with the tables of that schema.
pub(super) fn copies() -> Vec<(i64, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/ops/copies");
    [3].map(|schema| (schema, folder.join(format!("schema-{schema}.rows")))).into()
}

async fn assert_replays(store: &Store, records: u64) {
    let report = replay(store, &std::env::temp_dir(), &mut |_, _, _| {}).await.unwrap();
    assert!(report.replayed && report.differences.is_empty(), "{report:?}");
    assert_eq!(report.records, records);
}

async fn a_database_of_every_older_schema_is_brought_up_to_date_and_goes_on(engine: Engine) {
    for (schema, copy) in copies() {
        let root = tempfile::tempdir().unwrap();
        let place = app::place(engine, root.path()).await;
        std::fs::create_dir(place.data_dir()).unwrap();
        // Made by the migrations of that time, and filled.
        let url = place.database_url();
        assert_eq!(restore_rows(url, &copy, &mut |_, _, _| {}).await.unwrap(), schema);
        // What is copied before its schema is brought up to date comes back as it was.
        let before = before_version(&place, Store::newest_version(), noon()).await.unwrap().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let other = app::place(engine, elsewhere.path()).await;
        std::fs::create_dir(other.data_dir()).unwrap();
        assert_eq!(restore_rows(other.database_url(), &before, &mut |_, _, _| {}).await.unwrap(), schema);

        let refused = Store::attach(url).await;
        assert!(matches!(refused, Err(StoreError::OlderSchema { found, .. }) if found == schema));

        let store = Store::open(url).await.unwrap();
        let size = store.read().await.unwrap().log_head().await.unwrap().unwrap().size();
        assert_replays(&store, size).await;
        // What is new there works: a loss is noted, and what went on before goes on.
        let clock = ManualClock::new(noon());
        let lost: Vec<_> = (0..600).map(entry).collect();
        let lost = LostEntries { from: size, entries: &lost, log_key: None };
        recover(&store, &signing_keys(), &clock, &mut OsEntropy, lost).await.unwrap();
        assert_replays(&store, size + 1).await;
        let gaps = store.read().await.unwrap().recoveries().await.unwrap();
        assert_eq!((gaps.len(), gaps[0].from, gaps[0].to), (1, size, size + 600));
        let records = store.read().await.unwrap().records(Sequence::Vault, 0, 100).await.unwrap();
        assert_eq!(records.last().map(|row| row.kind), Some(Kind::RecoveryNoted));

        // What is damaged of a gap is named.
        for (sql, rows, table, row) in [
            (format!("DELETE FROM entries WHERE log_index = {}", size + 9), 1, "entries", size..size + 511),
            ("UPDATE recoveries SET gap_from = gap_from - 1".to_owned(), 1, "recoveries", 0..0),
            ("DELETE FROM lost_tags WHERE by_case".to_owned(), 600, "lost_tags", 0..0),
        ] {
            let kept = store.read().await.unwrap().entries(size + 9..size + 10).await.unwrap();
            change(url, &sql, rows).await;
            let found = replay(&store, &std::env::temp_dir(), &mut |_, _, _| {}).await.unwrap().differences;
            assert_eq!(found.rows[0].table, table, "{found:?}");
            if let (false, [entry]) = (row.is_empty(), &kept[..]) {
                assert_eq!(found.rows[0].row, format!("{}..{}", row.start, row.end));
                let entry = match engine {
                    Engine::Sqlite => format!("X'{}'", hex::encode(entry)),
                    Engine::Postgres => format!("'\\x{}'", hex::encode(entry)),
                };
                change(url, &format!("INSERT INTO entries VALUES ({}, {entry})", size + 9), 1).await;
            }
        }
        store.close().await;
    }
}

/// An entry that is lost, another one for each number.
fn entry(number: u64) -> [u8; ENTRY_BYTES] {
    let part = |name: &str| Digest::of(format!("{name} {number}").as_bytes());
    Entry { tag: part("tag"), case_tag: part("case tag"), commitment: part("commitment") }.to_bytes()
}
