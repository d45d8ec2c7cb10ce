//! Everything stored, read and compared, on record.

use std::fs;

use custos::api;

use crate::api::spine::two_custodians;
use crate::support::app::TestApp;
use crate::support::client::Caller;
use crate::support::raw::{change, flip};
use crate::support::world::Engine;

crate::on_both_engines! {
    what_is_whole_and_what_is_damaged_goes_on_record
}

async fn scrubbed(admin: &Caller) -> api::Scrub {
    let new = api::NewScrub { mib_per_second: Some(1_000) };
    let begun: api::Scrub = admin.post("/api/v1/scrub", &new).await.made();
    assert_eq!(begun.state, "running");
    loop {
        let scrub: api::Scrub = admin.get("/api/v1/scrub").await.ok();
        if scrub.state != "running" {
            return scrub;
        }
        tokio::task::yield_now().await;
    }
}

async fn kinds(caller: &Caller, item: &str) -> Vec<String> {
    let records = caller.custody("items", item).await.records;
    records.into_iter().map(|record| record.kind).filter(|kind| kind.starts_with("fixity")).collect()
}

async fn what_is_whole_and_what_is_damaged_goes_on_record(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let before = app.objects();
    let first = asha.put(&case, "a.bin", &vec![1; 600_000]).await;
    let of_first = app.objects().into_iter().find(|path| !before.contains(path)).unwrap();
    let second = asha.put(&case, "b.bin", b"short").await;
    asha.post("/api/v1/scrub", &api::NewScrub { mib_per_second: None }).await.problem("not-permitted");
    app.admin.get("/api/v1/scrub").await.problem("not-found");

    let clean = scrubbed(&app.admin).await;
    assert_eq!((clean.state.as_str(), clean.objects, clean.failed), ("done", 2, 0), "{clean:?}");
    assert!(clean.bytes > 600_000 && clean.records > 10, "{clean:?}");
    for item in [&first, &second] {
        assert_eq!(kinds(&asha, item).await, ["fixity.passed"]);
    }

    let mut bytes = fs::read(&of_first).unwrap();
    bytes[300_000] ^= 1;
    fs::write(&of_first, &bytes).unwrap();
    flip(app.config.database_url(), "records", "salt", "log_index = 3").await;
    let found = scrubbed(&app.admin).await;
    let named: Vec<_> = found.findings.iter().map(|one| (one.table.as_str(), one.row.as_str())).collect();
    let object = of_first.file_name().unwrap().to_str().unwrap();
    assert_eq!(named, [("records", "3"), ("objects", object)]);
    assert_eq!(kinds(&asha, &first).await, ["fixity.passed", "fixity.failed"]);
    assert_eq!(kinds(&asha, &second).await, ["fixity.passed", "fixity.passed"]);
    // A scrub that would take half a minute ends with the service.
    let new = api::NewScrub { mib_per_second: Some(1) };
    asha.put(&case, "c.bin", &vec![3; 30 << 20]).await;
    app.admin.post("/api/v1/scrub", &new).await.made::<api::Scrub>();
    app.stop().await;
    let url = app.config.database_url();
    // Noted with the object, and only there.
    change(url, "UPDATE objects SET size = size WHERE state = 'damaged'", 1).await;
}
