//! As many items in one statement as the format allows.

use std::collections::BTreeSet;

use custody::statement::MAX_ITEMS;
use custos::api;
use futures_util::StreamExt as _;
use serde_json::json;

use super::spine::two_custodians;
use crate::support::app::TestApp;
use crate::support::client::{Caller, draft, item};
use crate::support::world::Engine;

/// Most bytes of an answer that carries as many receipts: some kilobytes each, and the envelope once.
const MAX_ANSWER_BYTES: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_items_change_hands_in_two_statements() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let items = register(&asha, &case).await;
    let refs: Vec<_> = items.iter().map(|item| json!({ "item": item })).collect();

    let offer = json!({ "case": case, "items": refs, "purpose": "court-hearing", "data": { "to": ben.id } });
    let offered = asha.say(&draft("transfer.offered", &offer)).await;
    assert!(offered.body.len() < MAX_ANSWER_BYTES, "{}", offered.body.len());
    let offered: api::Recorded = offered.made();
    assert_eq!((offered.receipts.len(), offered.receipts.envelopes.len()), (MAX_ITEMS, 1));
    let mut some = offered.receipts.clone();
    some.records = some.records.into_iter().step_by(111).collect();
    assert_eq!(asha.check(&some).len(), 10);

    let waiting = inbox(&ben, 150).await;
    assert_eq!(waiting.iter().cloned().collect::<BTreeSet<_>>(), items);
    assert_eq!(waiting.len(), MAX_ITEMS, "each once");
    ben.get("/api/v1/transfers?cursor=x").await.problem("invalid-request");
    ben.get("/api/v1/transfers?limit=201").await.problem("invalid-request");

    let accepted = ben.say(&draft("transfer.accepted", &json!({ "case": case, "items": refs }))).await;
    assert!(accepted.body.len() < MAX_ANSWER_BYTES, "{}", accepted.body.len());
    let accepted: api::Recorded = accepted.made();
    assert_eq!(accepted.receipts.len(), MAX_ITEMS);
    assert!(inbox(&ben, 200).await.is_empty());

    let custody: api::Custody =
        ben.get(&format!("/api/v1/cases/{case}/custody?limit=200&cursor=1500")).await.ok();
    let said: BTreeSet<_> = custody.records.iter().map(|record| &record.stmt).collect();
    assert_eq!((custody.records.len(), said), (200, custody.envelopes.keys().collect()));
    assert_eq!(custody.envelopes.len(), 1, "one statement, said once");
}

/// Registers as many items as a statement can name.
async fn register(asha: &Caller, case: &str) -> BTreeSet<String> {
    let new = &item("hash-only", "photo.jpg", Some(b"photo"));
    let made =
        (0..MAX_ITEMS).map(|_| async move { asha.register(case, new).await.made::<api::Created>().id });
    futures_util::stream::iter(made).buffer_unordered(64).collect().await
}

/// Every page of what waits.
async fn inbox(who: &Caller, limit: usize) -> Vec<String> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: api::Transfers = who.get(&format!("/api/v1/transfers?limit={limit}{cursor}")).await.ok();
        assert!(page.items.len() <= limit);
        items.extend(page.items.into_iter().map(|item| item.id));
        match page.next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}
