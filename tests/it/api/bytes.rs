//! Content that does not arrive as announced: nothing of it stays, and the right bytes may follow.

use std::path::PathBuf;

use custos::api;
use futures_util::stream;
use reqwest::{Body, Method};
use serde_json::json;

use super::log_of;
use super::spine::two_custodians;
use crate::on_both_engines;
use crate::support::app::{TestApp, builder};
use crate::support::client::{Caller, item, repr_digest};
use crate::support::world::Engine;

on_both_engines! {
    an_upload_that_breaks_off_leaves_nothing_and_can_be_repeated
    bytes_that_differ_from_the_claim_are_refused_and_recorded
    classes_say_what_the_vault_takes
    an_upload_under_way_is_finished_before_the_service_ends
}

async fn an_upload_that_breaks_off_leaves_nothing_and_can_be_repeated(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let bytes = vec![7; 3 << 20];
    let announced: api::Created = asha.register(&case, &item("open", "a", Some(&bytes))).await.made();
    let unannounced: api::Created = asha.register(&case, &item("open", "b", None)).await.made();
    let before = log_of(&app).await.len();
    for id in [&announced.id, &unannounced.id] {
        cut_off(&app, &asha, id, &bytes).await;
    }
    // The service notices a lost connection when it next reads from it.
    until(|| app.objects().is_empty()).await;
    assert_eq!(log_of(&app).await.len(), before);
    for id in [&announced.id, &unannounced.id] {
        assert!(asha.item(id).await.ok::<api::Item>().stored.is_none());
        assert_eq!(asha.upload(id, &bytes).await.status, 201);
    }
    assert_eq!(app.objects().len(), 2);
}

/// Sends half of an upload, then closes the connection.
async fn cut_off(app: &TestApp, caller: &Caller, id: &str, bytes: &[u8]) {
    let half = bytes[..bytes.len() / 2].to_vec();
    let broken = || Err(std::io::Error::other("the cable is out"));
    let chunks = half.chunks(64 << 10).map(|chunk| Ok(chunk.to_vec())).chain([broken()]);
    let body = Body::wrap_stream(stream::iter(chunks.collect::<Vec<_>>()));
    let http = builder(&app.config).http1_only().build().unwrap();
    let base = app.shared.base.lock().unwrap().clone();
    let request = http.put(format!("{base}/api/v1/items/{id}/content")).bearer_auth(&caller.token);
    let sent = request.header("Content-Length", bytes.len()).body(body).send().await;
    assert!(sent.is_err() || !sent.unwrap().status().is_success());
}

/// Waits for something that another thread does.
pub(super) async fn until(holds: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "it never came about");
        tokio::task::yield_now().await;
    }
}

async fn bytes_that_differ_from_the_claim_are_refused_and_recorded(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let made: api::Created = asha.register(&case, &item("open", "a", Some(b"the original"))).await.made();
    let put = |body: &'static [u8]| {
        asha.request(Method::PUT, &format!("/api/v1/items/{}/content", made.id)).body(body)
    };
    // As long as the original, and another thing.
    asha.send(put(b"the_original")).await.problem("digest-mismatch");
    asha.send(put(b"the original").header("Repr-Digest", repr_digest(b"x"))).await.problem("digest-mismatch");
    asha.send(put(b"the")).await.problem("digest-mismatch");
    asha.send(put(b"the original and more")).await.problem("too-large");
    let streamed = |parts: Vec<&'static str>| {
        let parts = parts.into_iter().map(Ok::<_, std::io::Error>);
        put(b"").body(Body::wrap_stream(stream::iter(parts)))
    };
    asha.send(streamed(vec!["the original", " and more"])).await.problem("too-large");
    asha.send(streamed(vec!["the", " "])).await.problem("digest-mismatch");
    for digest in ["md5=:AAAA:", "sha-256=abc", "sha-256=:AAAA:", "sha-256=:!:"] {
        asha.send(put(b"the original").header("Repr-Digest", digest)).await.problem("invalid-request");
    }
    assert_eq!(app.objects(), Vec::<PathBuf>::new());
    let kinds: Vec<_> =
        asha.custody("items", &made.id).await.records.into_iter().map(|record| record.kind).collect();
    assert_eq!(kinds, ["item.registered", "fixity.failed", "fixity.failed", "fixity.failed"]);

    let stored: api::Stored = asha.send(streamed(vec!["the ", "original"])).await.made();
    assert_eq!(stored.size, 12);
    asha.send(put(b"the original")).await.problem("content-exists");
    assert_eq!(app.objects().len(), 1);
}

async fn classes_say_what_the_vault_takes(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let made: api::Created = asha.register(&case, &item("hash-only", "a", Some(b"never sent"))).await.made();
    asha.upload(&made.id, b"never sent").await.problem("hash-only");
    asha.access(&made.id).await.problem("no-content");
    let open = asha.put(&case, "b", b"b").await;
    let head = asha.item(&open).await.ok::<api::Item>().head;
    asha.classify(&open, "restricted", &head).await.problem("invalid-statement");
    asha.classify(&open, "hash-only", &head).await.problem("content-exists");
    asha.upload("01920000-0000-7000-8000-000000000000", b"b").await.problem("not-found");
    let read = json!({ "purpose": "case-review", "unknown": 1 });
    asha.post(&format!("/api/v1/items/{open}/access"), &read).await.problem("invalid-request");
    assert_eq!(app.objects().len(), 1);
}

async fn an_upload_under_way_is_finished_before_the_service_ends(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let made: api::Created = asha.register(&case, &item("open", "a", Some(b"first last"))).await.made();
    let (send, receive) = tokio::sync::mpsc::unbounded_channel::<Result<&'static str, std::io::Error>>();
    let body = stream::unfold(receive, |mut receive| async { Some((receive.recv().await?, receive)) });
    let upload = asha.request(Method::PUT, &format!("/api/v1/items/{}/content", made.id));
    let upload = upload.body(Body::wrap_stream(body));
    send.send(Ok("first ")).unwrap();
    let caller = asha.clone();
    let answer = tokio::spawn(async move { caller.send(upload).await });
    // The upload is under way once its object has been begun.
    until(|| !app.objects().is_empty()).await;
    let ended = app.begin_to_stop().await;
    assert!(!ended.is_finished());
    send.send(Ok("last")).unwrap();
    drop(send);
    assert_eq!(answer.await.unwrap().status, 201);
    ended.await.unwrap();
    app.start().await;
    assert_eq!(asha.item(&made.id).await.ok::<api::Item>().stored.unwrap().size, 10);
}
