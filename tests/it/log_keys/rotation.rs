//! What happens to the vault whose log gets another key.

use custody::bundle::layout;
use custody::checkpoint::CheckpointError;
use custody::log_keys::LogKeys;
use custody::note::SignedNote;
use custody::receipt::Receipt;
use custos::api;
use custos::ops::replay::replay;
use custos::store::Store;
use serde_json::json;

use super::{custos, follow, followed, key_files, prepare, rotate, take_next};
use crate::api::spine::two_custodians;
use crate::support::app::TestApp;
use crate::support::bundle::{Unzipped, assert_as_good_as_it_gets, judged};
use crate::support::world::Engine;

crate::on_both_engines! {
    what_was_proven_before_holds_after_and_bundles_stay_the_same_bytes
    a_process_that_goes_on_with_the_old_key_records_nothing_more_and_says_why
    what_broke_off_is_taken_up_where_it_was
}

fn of(receipts: &api::Receipts) -> Vec<Receipt> {
    receipts.to_keep().map(|receipt| Receipt::parse(&receipt).unwrap()).collect()
}

async fn what_was_proven_before_holds_after_and_bundles_stay_the_same_bytes(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    asha.put(&case, "a.txt", b"a").await;
    let early: api::Created = asha
        .post("/api/v1/cases", &json!({ "title": "x", "case_type": "other", "jurisdiction": "ke" }))
        .await
        .made();
    let export: api::Export = asha.export(&case).await.made();
    let old_bundle = asha.bundle(&export.id).await.body;
    let old_note = SignedNote::parse(asha.checkpoint().await.as_bytes()).unwrap();
    assert_eq!(asha.get("/log/keys").await.body, b"");

    app.stop().await;
    let (first, since) = rotate(&app);
    assert_eq!(key_files(&app), ["log-2.key", "log.key"]);
    app.start().await;
    follow(&app).await;
    let keys = app.shared.keys.lock().unwrap().clone();
    assert_eq!((keys.present(), keys.former().len(), keys.former()[0].until), (&first, 1, since));
    assert_eq!(asha.get("/api/v1/vault").await.ok::<api::VaultInfo>().log_vkey, first.to_string());

    // People work on, and everything from before holds by its size.
    let late = asha.put(&case, "b.txt", b"b").await;
    asha.classify(&late, "confidential", &asha.custody("items", &late).await.records[0].hash).await;
    for receipt in of(&early.receipts) {
        receipt.check(&app.shared.vault, &app.shared.log).unwrap();
        receipt.check_with(&app.shared.vault, &keys).unwrap();
    }
    assert_eq!(keys.open(&old_note).unwrap(), LogKeys::from(app.shared.log.clone()).open(&old_note).unwrap());
    let note = SignedNote::parse(asha.checkpoint().await.as_bytes()).unwrap();
    assert!(keys.open(&note).unwrap().size() > since);
    let strange = LogKeys::from(app.shared.log.clone()).open(&note).unwrap_err();
    assert!(matches!(strange, CheckpointError::Note(_)), "{strange}");
    assert!(asha.bundle(&export.id).await.body == old_bundle, "an old bundle is the same bytes for ever");
    assert_as_good_as_it_gets(&judged(&asha, &old_bundle).await);

    // Once more, and a bundle over all of it.
    app.stop().await;
    let (second, again) = rotate(&app);
    app.start().await;
    follow(&app).await;
    asha.put(&case, "c.txt", b"c").await;
    let new: api::Export = asha.export(&case).await.made();
    let bundle = asha.bundle(&new.id).await.body;
    let report = judged(&asha, &bundle).await;
    assert_as_good_as_it_gets(&report);
    let changes: Vec<_> =
        report.facts.log_changes.iter().map(|c| (c.index, c.key.clone(), c.renamed)).collect();
    assert_eq!(changes, [(since, first.to_string(), false), (again, second.to_string(), false)]);
    assert_eq!(report.facts.log_key, Some(second.to_string()));
    let files = Unzipped::new(&bundle);
    let text = String::from_utf8(files.by_name()[layout::VERIFY_TXT].to_vec()).unwrap();
    assert!(text.contains(&format!("record {since} {first}\n    record {again} {second}\n")), "{text}");
    assert_as_good_as_it_gets(&judged(&asha, &old_bundle).await);

    app.stop().await;
    let store = Store::attach(app.config.database_url()).await.unwrap();
    let report = replay(&store, &std::env::temp_dir(), &mut |_, _, _| {}).await.unwrap();
    assert!(report.replayed && report.differences.is_empty(), "{report:?}");
}

async fn a_process_that_goes_on_with_the_old_key_records_nothing_more_and_says_why(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let old: api::Export = asha.export(&case).await.made();
    let workers = (0..4).map(|worker| {
        let admin = app.admin.clone();
        tokio::spawn(async move {
            let mut proven = Vec::new();
            for number in 0.. {
                let answer = admin.new_org(&format!("Unit {worker}.{number}")).await;
                if answer.status == 201 {
                    proven.extend(of(&answer.made::<api::Created>().receipts));
                } else {
                    answer.problem("log-key-replaced");
                    return proven;
                }
            }
            proven
        })
    });
    let workers: Vec<_> = workers.collect();
    // Not before they are at work.
    while app.admin.orgs().await.ok::<api::Orgs>().orgs.len() < 10 {}
    let (key, since) = tokio::task::block_in_place(|| rotate(&app));
    let mut proven = Vec::new();
    for worker in workers {
        proven.extend(worker.await.unwrap());
    }
    assert!(proven.len() >= 8);
    // What it signs for is what it may sign for: another process exports, and this one must not hand that out.
    let here = app.shared.base.lock().unwrap().clone();
    let other = app.another().await;
    follow(&app).await;
    let new: api::Export = asha.export(&case).await.made();
    let bundle = asha.bundle(&new.id).await.body;
    assert_as_good_as_it_gets(&judged(&asha, &bundle).await);
    app.serve_at(&here);
    asha.bundle(&new.id).await.problem("log-key-replaced");
    assert_eq!(asha.bundle(&old.id).await.status, 200, "what its own key signed stays");
    other.stop().await;
    app.serve_at(&here);
    assert_eq!(app.admin.with_token("").get("/readyz").await.status, 200);

    app.restart().await;
    follow(&app).await;
    let keys = app.shared.keys.lock().unwrap().clone();
    assert_eq!(keys.present(), &key);
    for receipt in &proven {
        let checked = receipt.check_with(&app.shared.vault, &keys).unwrap();
        assert!(checked.checkpoint.size() <= since, "the old key signed nothing after it was replaced");
    }
    app.admin.check(&app.admin.new_org("One more").await.made::<api::Created>().receipts);
}

async fn what_broke_off_is_taken_up_where_it_was(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    app.stop().await;
    let none = custos(&app, &["key", "rotate-log"]).output().unwrap();
    let said = String::from_utf8_lossy(&none.stderr);
    assert!(none.status.code() == Some(1) && said.contains("key rotate-log --prepare"), "{none:?}");
    assert_eq!(key_files(&app), ["log.key"], "no key is made by the way");
    let prepared = prepare(&app);
    assert_eq!(prepare(&app), prepared, "there is one next key");
    assert_eq!(key_files(&app), ["log-2.key", "log.key"]);
    // A vault with a next key goes on with its present one.
    app.start().await;
    app.admin.check(&app.admin.new_org("Before").await.made::<api::Created>().receipts);
    app.stop().await;

    // Killed at some moment after it was called: whatever was done, the vault starts, and it can be repeated.
    let store = Store::attach(app.config.database_url()).await.unwrap();
    let size = async || store.read().await.unwrap().log_head().await.unwrap().unwrap().size();
    for round in 0..4 {
        let (key, before) = (prepare(&app), size().await);
        let mut child = custos(&app, &["key", "rotate-log"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // At once, or as soon as the record is there.
        while round > 1 && size().await == before && child.try_wait().unwrap().is_none() {}
        child.kill().unwrap();
        child.wait().unwrap();
        app.start().await;
        follow(&app).await;
        app.admin.check(&app.admin.new_org("In between").await.made::<api::Created>().receipts);
        app.stop().await;
        let (now, index, done_before) = take_next(&app);
        assert!(now == key && (done_before || round < 2));
        assert_eq!(take_next(&app), (now, index, true), "it is done once");
    }
    store.close().await;
    app.start().await;
    follow(&app).await;
    let keys = app.shared.keys.lock().unwrap().clone();
    assert_eq!(keys.former().len(), 4, "{keys:?}");
    assert!(keys.each().any(|key| prepared == *key), "the key that was prepared was taken");
    app.admin.check(&app.admin.new_org("After").await.made::<api::Created>().receipts);
    assert!(followed(&app.admin, keys.present().clone().into()).await.unwrap().former().is_empty());
}
