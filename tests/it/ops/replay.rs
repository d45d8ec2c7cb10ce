//! Everything decided once more, and compared.

use std::path::Path;

use custody::id::ItemId;
use custos::ops::replay::{Report, replay};
use custos::store::Store;
use futures_util::future::join_all;

use crate::api::spine::two_custodians;
use crate::support::app::TestApp;
use crate::support::raw::{bytes, change, flip, number};
use crate::support::world::{Engine, World, next_id};

crate::on_both_engines! {
    a_vault_in_use_is_what_its_records_make_of_it
    a_projection_that_was_changed_is_named_by_table_and_row
    a_history_that_was_changed_is_named_by_table_and_row
}

async fn replayed(store: &Store) -> Report {
    let report = replay(store, &std::env::temp_dir(), &mut |_, _, _| {}).await.unwrap();
    let left = std::fs::read_dir(std::env::temp_dir()).unwrap();
    assert!(left.filter_map(Result::ok).all(|entry| entry.path() != Path::new("replay.db")));
    report
}

fn named(report: &Report) -> Vec<(&str, &str)> {
    report.differences.rows.iter().map(|row| (row.table.as_str(), row.row.as_str())).collect()
}

async fn a_vault_in_use_is_what_its_records_make_of_it(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let item = asha.put(&case, "photo.jpg", &vec![7; 100_000]).await;
    let access: custos::api::Access = asha.access(&item).await.made();
    assert_eq!(asha.send(asha.reading(&item, &access.access)).await.status, 200);
    asha.offer(&case, &item, &ben.id).await.made::<custos::api::Recorded>();
    ben.accept(&case, &item).await.made::<custos::api::Recorded>();
    asha.export(&case).await.made::<custos::api::Export>();
    app.stop().await;

    let store = Store::attach(app.config.database_url()).await.unwrap();
    let report = replayed(&store).await;
    assert_eq!(named(&report), []);
    assert!(report.replayed && report.records > 20 && report.rows > 4 * report.records, "{report:?}");
    // What follows from no record, and is named by one.
    change(app.config.database_url(), "DELETE FROM objects", 1).await;
    let report = replayed(&store).await;
    assert_eq!(report.differences.rows.len(), 1);
    assert_eq!(report.differences.rows[0].table, "objects");
}

/// A vault with more entries than a tile has.
async fn large(engine: Engine) -> (World, ItemId) {
    let world = World::new(engine).await;
    let item = ItemId::new(next_id());
    let seen = world.done(world.item_named(item)).await.record_hash;
    world.done(world.offer(item, seen)).await;
    let items: Vec<_> = (0..260).map(|_| world.item()).collect();
    let done = join_all(items.iter().map(|item| world.submit(item))).await;
    assert!(done.iter().all(Result::is_ok));
    (world, item)
}

async fn a_projection_that_was_changed_is_named_by_table_and_row(engine: Engine) {
    let (world, item) = large(engine).await;
    let (url, store) = (world.ground.url.as_str(), &world.ground.store);
    let (case, asha, ben) = (world.case, world.asha.id, world.ben.id);
    let clean = replayed(store).await;
    assert_eq!((named(&clean), clean.replayed), (vec![], true));

    let org = next_id();
    let key = hex::encode(bytes(url, &format!("SELECT hash FROM keys WHERE owner = '{ben}'")).await);
    let stream = format!("case:{case}");
    let changes = [
        (
            format!("UPDATE persons SET roles = 'administrator' WHERE id = '{asha}'"),
            "persons",
            asha.to_string(),
        ),
        (format!("DELETE FROM members WHERE person = '{ben}'"), "members", format!("{case}/{ben}")),
        (format!("UPDATE items SET custodian = '{ben}' WHERE id = '{item}'"), "items", item.to_string()),
        (format!("UPDATE cases SET items = 7 WHERE id = '{case}'"), "cases", case.to_string()),
        (format!("UPDATE keys SET suspect_from = 3 WHERE owner = '{ben}'"), "keys", key),
        ("UPDATE vault SET persons = 99".to_owned(), "vault", "1".to_owned()),
        (format!("INSERT INTO orgs SELECT '{org}', stmt FROM orgs"), "orgs", org.to_string()),
        ("UPDATE log_head SET last_received = 5".to_owned(), "log_head", "1".to_owned()),
        (
            "UPDATE records SET kind = 'case.opened' WHERE log_index = 20".to_owned(),
            "records",
            "20".to_owned(),
        ),
        (
            format!("DELETE FROM positions WHERE stream = '{stream}' AND seq = 9"),
            "positions",
            format!("{stream}/9"),
        ),
        ("DELETE FROM log_nodes WHERE level = 8 AND idx = 0".to_owned(), "log_nodes", "8/0".to_owned()),
    ];
    let mut expected: Vec<(String, String)> = Vec::new();
    for (sql, table, row) in changes {
        change(url, &sql, 1).await;
        expected.push((table.to_owned(), row));
        let report = replayed(store).await;
        let mut found: Vec<_> =
            report.differences.rows.into_iter().map(|found| (found.table, found.row)).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{sql}");
    }
    let place = |seq: u32| format!("stream = '{stream}' AND seq = {seq}");
    let at = |seq| number(url, format!("SELECT log_index FROM positions WHERE {}", place(seq)));
    let (fourth, fifth) = (at(4).await, at(5).await);
    for (seq, log_index) in [(4, fifth), (5, fourth)] {
        change(url, &format!("UPDATE positions SET log_index = {log_index} WHERE {}", place(seq)), 1).await;
        expected.push(("positions".to_owned(), format!("{stream}/{seq}")));
    }
    expected.sort();
    let mut found: Vec<_> =
        replayed(store).await.differences.rows.into_iter().map(|found| (found.table, found.row)).collect();
    found.sort();
    assert_eq!(found, expected);
}

async fn a_history_that_was_changed_is_named_by_table_and_row(engine: Engine) {
    let (world, _) = large(engine).await;
    let (url, store) = (world.ground.url.as_str(), &world.ground.store);
    let stmt = bytes(url, "SELECT stmt FROM records WHERE log_index = 30").await;
    let stmt = hex::encode(stmt);
    let of_30 = "stmt = (SELECT stmt FROM records WHERE log_index = 30)";
    for (table, column, rows, row) in [
        ("statements", "envelope", of_30, stmt.as_str()),
        ("records", "record", "log_index = 40", "40"),
        ("records", "record_hash", "log_index = 41", "41"),
        ("records", "salt", "log_index = 42", "42"),
        ("records", "case_t", "log_index = 43", "43"),
        ("entries", "entry", "log_index = 44", "44"),
        ("log_nodes", "hash", "level = 8", "8/0"),
        ("log_head", "frontier", "id = 1", "1"),
    ] {
        flip(url, table, column, rows).await;
        let report = replayed(store).await;
        let found = named(&report);
        assert_eq!(found, [(table, row)], "{table}.{column}: {:?}", report.differences);
        flip(url, table, column, rows).await;
    }
    assert_eq!(named(&replayed(store).await), []);

    let last = world.size().await - 1;
    for (table, row) in [("entries", 50), ("records", 60)] {
        change(url, &format!("DELETE FROM {table} WHERE log_index = {row}"), 1).await;
    }
    change(url, &format!("DELETE FROM records WHERE log_index = {last}"), 1).await;
    let report = replayed(store).await;
    assert_eq!(named(&report), [("entries", "50"), ("records", "60"), ("records", &*last.to_string())]);
    assert!(!report.replayed);
}
