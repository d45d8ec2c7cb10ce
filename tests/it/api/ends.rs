//! The end of a reading, and of an upload that hardly comes.

use custody::act::{AccessCompleted, Act};
use custody::receipt::Checked;
use custos::api;
use futures_util::StreamExt as _;

use super::spine::two_custodians;
use crate::support::app::{TestApp, builder};
use crate::support::world::Engine;

/// More than any buffer on the way takes.
const BYTES: usize = 24 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_on_after_the_end_of_a_reading_is_recorded() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (asha, _, case) = two_custodians(&app).await;
    let item = asha.put(&case, "film", &vec![7; BYTES]).await;
    let access: api::Access = asha.access(&item).await.made();
    let http = builder(&app.config).http1_only().build().unwrap();
    let base = app.shared.base.lock().unwrap().clone();
    let path = format!("{base}/api/v1/items/{item}/content?access={}", access.access);
    let mut stream = http.get(path).bearer_auth(&asha.token).send().await.unwrap().bytes_stream();
    let mut received = stream.next().await.unwrap().unwrap().len();
    let path = format!("/api/v1/items/{item}/access/{}/complete", access.access);
    let ended: api::Recorded = asha.post(&path, &()).await.ok();
    let mut broken = false;
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => received += chunk.len(),
            Err(_) => broken = true,
        }
    }
    let recorded = bytes_of(&asha.check(&ended.receipts)[0]);
    assert!(broken && received < BYTES, "it broke off after {received}");
    assert!(received as u64 <= recorded, "received {received}, recorded {recorded}");
}

fn bytes_of(receipt: &Checked) -> u64 {
    match Act::parse(&receipt.statement).unwrap() {
        Act::AccessCompleted(_, _, AccessCompleted { bytes, .. }) => bytes.unwrap(),
        other => panic!("{other:?}"),
    }
}
