//! Requests and statements that break a rule, each answered by the name of the rule.

use custos::api;
use reqwest::Method;
use serde_json::json;

use super::spine::two_custodians;
use super::{log_of, refusals};
use crate::on_both_engines;
use crate::support::app::TestApp;
use crate::support::client::{Caller, draft, item};
use crate::support::world::Engine;

on_both_engines! {
    requests_that_cannot_be_read_say_where
    statements_that_were_altered_or_replayed_change_nothing
    transfers_take_the_right_persons_own_key
    a_revoked_key_signs_nothing_more
    what_the_vault_counts_or_reads_under_its_lock_is_said_by_its_own_routes_only
}

async fn requests_that_cannot_be_read_say_where(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let before = log_of(&app).await.len();
    let raw = |path: &str, body: &str| {
        asha.request(Method::POST, path).header("Content-Type", "application/json").body(body.to_owned())
    };
    for body in ["", "{", "[]", "{\"title\": 7}", "{\"title\":\"Kibet\",\"surname\":\"Kibet\"}", "\u{0}"] {
        let problem = asha.send(raw("/api/v1/cases", body)).await.problem("invalid-request");
        assert!(!problem.detail.contains("Kibet"), "{}", problem.detail);
    }
    let text = asha.request(Method::POST, "/api/v1/cases").body("{}");
    asha.send(text).await.problem("invalid-request");
    let large = format!("{{\"title\":\"{}\"}}", "x".repeat(5 << 20));
    asha.send(raw("/api/v1/cases", &large)).await.problem("too-large");
    for path in [
        "/api/v1/cases/x",
        "/api/v1/items/1/custody",
        "/api/v1/cases?limit=0",
        "/api/v1/cases?limit=x",
        "/api/v1/cases?surname=Kibet",
        "/log/entries",
        "/log/entries?start=-1",
        "/api/v1/exports/x/bundle",
        "/api/v1/cases?cursor=x",
    ] {
        let problem = asha.get(path).await.problem("invalid-request");
        assert!(!problem.detail.contains("Kibet"), "{}", problem.detail);
    }
    asha.get("/nowhere").await.problem("no-such-address");
    asha.send(asha.request(Method::PATCH, "/api/v1/cases")).await.problem("method-not-allowed");
    let new = json!({ "title": "T", "case_type": "other", "jurisdiction": "ke" });
    asha.post_as("short", "/api/v1/cases", &new).await.problem("invalid-request");

    let refuse = |class: &str| api::NewItem { class: class.to_owned(), ..item("open", "x", None) };
    asha.register(&case, &refuse("secret")).await.problem("invalid-request");
    asha.register(&case, &refuse("restricted")).await.problem("invalid-statement");
    asha.register(&case, &refuse("hash-only")).await.problem("hash-only");
    let mut half = item("open", "x", Some(b"x"));
    half.size = None;
    asha.register(&case, &half).await.problem("invalid-request");
    let mut long = item("open", "x", None);
    long.fields.insert("notes".to_owned(), "n".repeat(4_097));
    asha.register(&case, &long).await.problem("invalid-request");
    let mut many = item("open", "x", None);
    many.fields = (0..65).map(|number| (format!("field-{number}"), "v".to_owned())).collect();
    asha.register(&case, &many).await.problem("invalid-statement");
    for data in [json!({ "to": 0.5 }), json!({ "to": u64::MAX }), json!({ "to": 1e300 })] {
        let odd = draft("transfer.offered", &json!({ "case": case, "data": data }));
        asha.prepare(&odd).await.problem("invalid-request");
    }
    asha.prepare(&draft("case.exploded", &json!({}))).await.problem("invalid-request");
    asha.prepare(&draft("hold.placed", &json!({ "case": case }))).await.problem("invalid-statement");
    assert_eq!(log_of(&app).await.len(), before, "nothing of this is a record");
}

async fn statements_that_were_altered_or_replayed_change_nothing(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.txt", b"a").await;
    let offer = draft(
        "transfer.offered",
        &json!({ "case": case, "item": exhibit, "purpose": "court",
        "data": { "to": ben.id }, "fields": { "notes": "by hand" } }),
    );
    let prepared: api::Prepared = asha.prepare(&offer).await.ok();
    let before = log_of(&app).await.len();
    let statement = String::from_utf8(prepared.statement.0.clone()).unwrap();
    let signed = asha.envelope(&prepared.statement.0);
    let openings = &prepared.openings;

    // Signed, then altered.
    let other = statement.replace("court", "press");
    let envelope = String::from_utf8(signed.clone()).unwrap();
    let payload = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    assert!(envelope.contains(&payload(&statement)));
    let altered = envelope.replace(&payload(&statement), &payload(&other));
    asha.submit_envelope(altered.into_bytes(), openings).await.problem("bad-signature");
    // Signed as another spelling, with members twice, as no JSON, as another vault's.
    let spaced = statement.replacen(',', ", ", 1);
    asha.submit_envelope(asha.envelope(spaced.as_bytes()), openings).await.problem("invalid-statement");
    let twice = statement.replacen('{', "{\"v\":1,", 1);
    asha.submit_envelope(asha.envelope(twice.as_bytes()), openings).await.problem("invalid-statement");
    asha.submit_envelope(asha.envelope(b"hello"), openings).await.problem("invalid-statement");
    asha.submit_envelope(b"hello".to_vec(), openings).await.problem("invalid-envelope");
    let elsewhere = statement.replace(&app.shared.vault.to_hex(), &"0".repeat(64));
    asha.submit_envelope(asha.envelope(elsewhere.as_bytes()), openings).await.problem("other-vault");
    // Openings that are not its own.
    let forged = asha.envelope_signed_by(&ben, &prepared.statement.0);
    asha.submit_envelope(forged, openings).await.problem("bad-signature");
    asha.submit_envelope(signed.clone(), &[]).await.problem("opening-mismatch");
    let mut forged = openings.clone();
    "by post".clone_into(&mut forged[0].value);
    asha.submit_envelope(signed.clone(), &forged).await.problem("opening-mismatch");
    let body = json!({ "envelope": "not base64!", "openings": [] });
    asha.post("/api/v1/statements", &body).await.problem("invalid-request");
    assert_eq!(log_of(&app).await.len(), before, "none of this is recorded");

    // What was seen is no longer so.
    let head = asha.item(&exhibit).await.ok::<api::Item>().head;
    assert_eq!(asha.classify(&exhibit, "confidential", &head).await.status, 200);
    asha.submit(&prepared).await.problem("stale");
    asha.classify(&exhibit, "open", &head).await.problem("stale");
    asha.classify(&exhibit, "open", &"0".repeat(64)).await.problem("stale");

    // The same bytes twice are one record; other bytes under the same op_id are none.
    let prepared: api::Prepared = asha.prepare(&offer).await.ok();
    let first: api::Recorded = asha.submit(&prepared).await.made();
    let length = log_of(&app).await.len();
    let again: api::Recorded = asha.submit(&prepared).await.made();
    assert_eq!(asha.check(&first.receipts)[0].record_hash, asha.check(&again.receipts)[0].record_hash);
    let other = String::from_utf8(prepared.statement.0.clone()).unwrap().replace("court", "press");
    asha.submit_envelope(asha.envelope(other.as_bytes()), &prepared.openings).await.problem("op-id-reused");
    assert_eq!(log_of(&app).await.len(), length);
}

async fn transfers_take_the_right_persons_own_key(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let cara = app.enrol("Cara", &[]).await;
    assert_eq!(asha.add_member(&case, &cara.id, "investigator").await.status, 201);
    let exhibit = asha.put(&case, "a.txt", b"a").await;
    let more =
        |to: &Caller| json!({ "case": case, "item": exhibit, "purpose": "court", "data": { "to": to.id } });
    let offer = |to: &Caller| draft("transfer.offered", &more(to));
    asha.post("/api/v1/statements/on-behalf", &offer(&ben)).await.problem("invalid-statement");
    ben.say(&offer(&cara)).await.problem("not-custodian");
    asha.say(&offer(&asha)).await.problem("offer-to-self");
    asha.say(&offer(&app.admin)).await.problem("unknown");
    let refused_before = refusals(&app).await.len();
    assert_eq!(asha.say(&offer(&ben)).await.status, 201);
    asha.say(&offer(&cara)).await.problem("offer-pending");
    cara.accept(&case, &exhibit).await.problem("not-receiver");
    let (_, denied) = refusals(&app).await.pop().unwrap();
    assert_eq!((denied.rule.as_str(), denied.person.to_string()), ("not-receiver", cara.id.clone()));
    assert_eq!(refusals(&app).await.len(), refused_before + 1, "only persons are refused, not mistakes");
    let decline = draft("transfer.declined", &json!({ "case": case, "item": exhibit, "purpose": "damaged" }));
    assert_eq!(ben.say(&decline).await.status, 201);
    assert_eq!(asha.item(&exhibit).await.ok::<api::Item>().custodian, asha.id);
    let late =
        json!({ "case": case, "item": exhibit, "data": { "offer": format!("record:{}", "0".repeat(64)) } });
    ben.say(&draft("transfer.accepted", &late)).await.problem("no-such-offer");
}

async fn a_revoked_key_signs_nothing_more(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.txt", b"a").await;
    let offer = draft(
        "transfer.offered",
        &json!({ "case": case, "item": exhibit, "purpose": "court",
        "data": { "to": ben.id } }),
    );
    let prepared: api::Prepared = asha.prepare(&offer).await.ok();
    let key = asha.me().await.ok::<api::Me>().person.keys[0].hash.clone();
    ben.revoke_key(&key).await.problem("not-permitted");
    asha.revoke_key(&"0".repeat(64)).await.problem("not-found");
    let revoked: api::Recorded = app.admin.revoke_key(&key).await.ok();
    app.admin.check(&revoked.receipts);
    asha.submit(&prepared).await.problem("key-not-valid");
    assert_eq!(refusals(&app).await.pop().unwrap().1.rule.as_str(), "key-not-valid");
    asha.prepare(&offer).await.problem("key-not-valid");
    app.admin.revoke_key(&key).await.problem("unknown");
    let registrar = app.admin.me().await.ok::<api::Me>().person.keys[0].hash.clone();
    let roles = format!("/api/v1/persons/{}/roles", ben.id);
    assert_eq!(app.admin.post(&roles, &json!({ "role": "registrar" })).await.status, 201);
    assert_eq!(app.admin.revoke_key(&registrar).await.status, 200);
    app.admin.invite(&ben.id, "in-person").await.problem("key-not-valid");
}

async fn what_the_vault_counts_or_reads_under_its_lock_is_said_by_its_own_routes_only(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.txt", b"content").await;
    let grant = asha.access(&exhibit).await.made::<api::Access>().access;
    let heads = "0".repeat(64);
    let exported = json!({ "case": case, "purpose": "court", "data": { "heads": heads, "sequences": 1 } });
    let data = json!({ "bytes": 0, "grant": grant, "outcome": "completed" });
    let completed = json!({ "case": case, "item": exhibit, "data": data });
    for (kind, more) in [("bundle.exported", &exported), ("access.completed", &completed)] {
        let draft = draft(kind, more);
        let before = log_of(&app).await.len();
        for answer in [asha.say(&draft).await, asha.post("/api/v1/statements/on-behalf", &draft).await] {
            let problem = answer.problem("invalid-request");
            assert!(
                problem.detail.contains("exports") && problem.detail.contains("complete"),
                "{}",
                problem.detail
            );
        }
        assert_eq!(log_of(&app).await.len(), before, "{kind}");
    }
    assert_eq!(asha.send(asha.reading(&exhibit, &grant)).await.status, 200, "the reading is not over");
}
