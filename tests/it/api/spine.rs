//! The whole way once: people, cases, evidence in, evidence out, custody handed over, a bundle that holds.

use custody::kind::Kind;
use custos::api;
use reqwest::Method;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::app::TestApp;
use crate::support::bundle::{Unzipped, assert_as_good_as_it_gets, judged};
use crate::support::client::{Caller, draft, fields, item, op_id, repr_digest};
use crate::support::world::Engine;

on_both_engines! {
    evidence_goes_in_is_handed_over_and_comes_out_verified
    people_roles_keys_and_tokens_come_and_go
    content_is_read_in_ranges_under_one_grant
    a_repeated_request_gets_the_first_receipt
    a_bundle_is_the_same_bytes_whenever_it_is_fetched
}

/// Asha, who leads a case, and Ben, who is a custodian in it.
pub(crate) async fn two_custodians(app: &TestApp) -> (Caller, Caller, String) {
    let asha = app.enrol("Asha Custodian", &["custodian"]).await;
    let ben = app.enrol("Ben Custodian", &["custodian"]).await;
    let case = asha.open_case("The quarry").await;
    let added: api::Recorded = asha.add_member(&case, &ben.id, "custodian").await.made();
    asha.check(&added.receipts);
    (asha, ben, case)
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
}

async fn evidence_goes_in_is_handed_over_and_comes_out_verified(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let photo = content(300_000);
    let exhibit = asha.put(&case, "IMG_0001.JPG", &photo).await;
    let other = asha.put(&case, "Notes ñ.txt", b"").await;

    let seen: api::Item = ben.item(&exhibit).await.ok();
    assert_eq!((seen.exhibit, seen.custodian.as_str(), seen.class.as_str()), (1, asha.id.as_str(), "open"));
    let (claimed, stored) = (seen.claimed.unwrap(), seen.stored.unwrap());
    assert_eq!((&claimed.digest, claimed.size), (&stored.digest, stored.size));
    let classified: api::Classified = asha.classify(&exhibit, "confidential", &seen.head).await.ok();
    asha.check(&classified.receipts);

    let offered: api::Recorded = asha.offer(&case, &exhibit, &ben.id).await.made();
    assert_eq!(asha.check(&offered.receipts)[0].statement.actor.person().unwrap().to_string(), asha.id);
    let waiting: api::Transfers = ben.get("/api/v1/transfers").await.ok();
    assert_eq!(waiting.items.len(), 1);
    let offer = waiting.items[0].offer.as_ref().unwrap();
    assert_eq!((waiting.items[0].id.as_str(), offer.to.as_str()), (exhibit.as_str(), ben.id.as_str()));
    let accepted: api::Recorded = ben.accept(&case, &exhibit).await.made();
    ben.check(&accepted.receipts);
    assert_eq!(asha.item(&exhibit).await.ok::<api::Item>().custodian, ben.id);

    let kinds: Vec<_> = asha.custody("items", &exhibit).await.records.into_iter().map(|r| r.kind).collect();
    let expected =
        ["item.registered", "content.received", "item.classified", "transfer.offered", "transfer.accepted"];
    assert_eq!(kinds, expected);
    let whole = ben.custody("cases", &case).await;
    assert_eq!(whole.records.len() as u64, asha.case(&case).await.ok::<api::Case>().records);
    assert_eq!(whole.records[0].fields["title"], "The quarry");
    assert_eq!(whole.records[2].actor_name.as_deref(), Some("Asha Custodian"));

    let found = ben.search(&case, "img_0001").await;
    assert_eq!(found.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), [exhibit.as_str()]);
    let none = ben.search(&case, "nothing-like-it").await;
    assert!(none.items.is_empty() && none.next.is_none());
    // Words of a search stay out of addresses.
    ben.get(&format!("/api/v1/cases/{case}/items?q=img_0001")).await.problem("invalid-request");
    let again: api::Recorded = ben.get(&format!("/api/v1/items/{exhibit}/receipts")).await.ok();
    let again: Vec<_> = ben.check(&again.receipts).into_iter().map(|found| found.record.kind).collect();
    assert_eq!(again, [Kind::ItemRegistered, Kind::ContentReceived], "how it came in, once more");
    let first: api::Items = ben.get(&format!("/api/v1/cases/{case}/items?limit=1")).await.ok();
    let next = first.next.unwrap();
    let second: api::Items = ben.get(&format!("/api/v1/cases/{case}/items?limit=1&cursor={next}")).await.ok();
    assert_eq!(second.items[0].id, other);

    let export: api::Export = asha.export(&case).await.made();
    assert_eq!((export.exhibits, export.receipts.len()), (2, 2));
    asha.check(&export.receipts);
    let bundle = asha.bundle(&export.id).await;
    assert_eq!(bundle.header("content-length"), export.size.to_string());
    assert_eq!(bundle.body.len() as u64, export.size);
    let unzipped = Unzipped::new(&bundle.body);
    assert_eq!(unzipped.exhibit(1), ("data/exhibits/E-0001/IMG_0001.JPG", photo.as_slice()));
    let report = judged(&asha, &bundle.body).await;
    assert_as_good_as_it_gets(&report);
    assert_eq!((report.facts.records, report.facts.exhibits_matched), (export.records, 2));
}

async fn people_roles_keys_and_tokens_come_and_go(engine: Engine) {
    let app = TestApp::new(engine).await;
    for open in ["/livez", "/readyz", "/log/checkpoint", "/log/entries?start=0&limit=1", "/api/v1/vault"] {
        assert_eq!(app.admin.with_token("").get(open).await.status, 200, "{open}");
    }
    let me: api::Me = app.admin.me().await.ok();
    assert_eq!(
        (me.person.id.as_str(), me.person.name.as_deref()),
        (app.admin.id.as_str(), Some("Ada Admin"))
    );
    assert_eq!(me.person.keys[0].voucher, "vault");

    let org: api::Created = app.admin.new_org("Second Unit").await.made();
    app.admin.check(&org.receipts);
    let orgs: api::Orgs = app.admin.orgs().await.ok();
    assert_eq!(orgs.orgs.len(), 2);
    assert!(orgs.orgs.iter().any(|o| o.id == org.id && o.name.as_deref() == Some("Second Unit")));

    let asha = app.enrol("Asha", &["custodian"]).await;
    let persons: api::Persons = asha.get("/api/v1/persons").await.ok();
    assert_eq!(persons.persons.len(), 2);
    let path = format!("/api/v1/persons/{}", asha.id);
    let roles = format!("{path}/roles");
    let granted: api::Recorded = app.admin.post(&roles, &json!({ "role": "investigator" })).await.made();
    app.admin.check(&granted.receipts);
    let revoked: api::Recorded = app.admin.delete(&format!("{roles}/custodian")).await.ok();
    app.admin.check(&revoked.receipts);
    let person: api::Person = asha.get(&path).await.ok();
    assert_eq!((person.roles, person.keys.len()), (vec!["investigator".to_owned()], 1));
    assert_eq!(person.keys[0].voucher, format!("registrar:{}", app.admin.id));

    let token: api::Token = asha.post("/api/v1/tokens", &json!({ "label": "phone", "days": 1 })).await.made();
    let phone = asha.with_token(&token.token);
    assert_eq!(phone.me().await.ok::<api::Me>().token_label, "phone");
    assert_eq!(asha.get("/api/v1/tokens").await.ok::<api::Tokens>().tokens.len(), 2);
    assert_eq!(asha.delete(&format!("/api/v1/tokens/{}", token.id)).await.status, 204);
    phone.me().await.problem("unauthenticated");

    second_key(&asha).await;
    let revoked: api::Recorded = asha.revoke_key(&person.keys[0].hash).await.ok();
    asha.check(&revoked.receipts);
    let keys = asha.get(&path).await.ok::<api::Person>().keys;
    assert_eq!(keys.iter().filter(|key| key.revoked.is_some()).count(), 1);
    let second = keys.iter().find(|key| key.revoked.is_none()).unwrap();
    assert_eq!((second.checked.as_str(), second.voucher.as_str()), ("none", "owner"), "nobody looked");
    assert_eq!(app.admin.me().await.ok::<api::Me>().person.keys[0].checked, "in-person", "as was said");

    let case = asha.open_case("A case").await;
    let member = json!({ "person": app.enrol("Cara", &[]).await.id, "role": "reader" });
    let added: api::Recorded = asha.post(&format!("/api/v1/cases/{case}/members"), &member).await.made();
    asha.check(&added.receipts);
    let members: api::Members = asha.get(&format!("/api/v1/cases/{case}/members")).await.ok();
    assert_eq!(members.members.len(), 2);
    let gone = format!("/api/v1/cases/{case}/members/{}/reader", member["person"].as_str().unwrap());
    asha.check(&asha.delete(&gone).await.ok::<api::Recorded>().receipts);
    let members: api::Members = asha.get(&format!("/api/v1/cases/{case}/members")).await.ok();
    assert_eq!(members.members.len(), 1);
    let cases: api::Cases = asha.get("/api/v1/cases").await.ok();
    assert_eq!((cases.cases.len(), cases.cases[0].fields["title"].as_str()), (1, "A case"));
}

/// A further key of one's own, which the earlier one vouches for.
async fn second_key(asha: &Caller) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let new = asha.as_person(&asha.id, "", ed25519_dalek::SigningKey::from_bytes(&[99; 32]));
    let body = json!({ "key": hex::encode(new.key.verifying_key().as_bytes()) });
    let prepared: api::Prepared = asha.post("/api/v1/keys/prepare", &body).await.ok();
    let body = json!({
        "statement": prepared.statement,
        "voucher_signature": STANDARD.encode(asha.sign(&prepared.statement.0)),
        "signature": STANDARD.encode(new.sign(&prepared.statement.0)),
    });
    let recorded: api::Recorded = asha.post("/api/v1/keys", &body).await.made();
    asha.check(&recorded.receipts);
}

async fn content_is_read_in_ranges_under_one_grant(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let bytes = content(600_001);
    let exhibit = asha.put(&case, "video.mp4", &bytes).await;
    let access: api::Access = ben.access(&exhibit).await.made();
    assert_eq!(ben.check(&access.receipts)[0].record_hash.to_hex(), access.access);

    let whole = ben.send(ben.reading(&exhibit, &access.access)).await;
    assert_eq!((whole.status.as_u16(), whole.body.as_slice()), (200, bytes.as_slice()));
    assert_eq!(whole.header("repr-digest"), repr_digest(&bytes));
    assert_eq!(whole.header("content-length"), "600001");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("cache-control"), "no-store");
    assert_eq!(whole.header("content-disposition"), "attachment");
    let etag = whole.header("etag").to_owned();

    for (range, from, to) in
        [("bytes=0-0", 0, 1), ("bytes=262143-262145", 262_143, 262_146), ("bytes=-5", 599_996, 600_001)]
    {
        let part = ben.send(ben.reading(&exhibit, &access.access).header("Range", range)).await;
        assert_eq!((part.status.as_u16(), part.body.as_slice()), (206, &bytes[from..to]), "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {from}-{}/600001", to - 1));
        assert_eq!(part.header("repr-digest"), repr_digest(&bytes), "of the whole, as RFC 9530 says");
    }
    let ranged = |tag: &str| {
        ben.reading(&exhibit, &access.access).header("Range", "bytes=0-9").header("If-Range", tag)
    };
    assert_eq!(ben.send(ranged(&etag)).await.status, 206);
    assert_eq!(ben.send(ranged("\"another\"")).await.status, 200);
    let outside = ben.send(ben.reading(&exhibit, &access.access).header("Range", "bytes=600001-")).await;
    outside.problem("range-not-satisfiable");
    assert_eq!(outside.header("content-range"), "bytes */600001");
    let path = format!("/api/v1/items/{exhibit}/content?access={}", access.access);
    let head = ben.send(ben.request(Method::HEAD, &path)).await;
    assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (200, "600001", 0));
    assert_eq!(head.header("etag"), etag);

    let completed = format!("/api/v1/items/{exhibit}/access/{}/complete", access.access);
    let completed: api::Recorded = ben.send(ben.request(Method::POST, &completed)).await.ok();
    let said = &ben.check(&completed.receipts)[0].statement;
    let sent = 600_001 + 1 + 3 + 5 + 10 + 600_001;
    assert_eq!(said.data["bytes"].as_int(), Some(sent), "what was sent is what the record says");
    ben.send(ben.reading(&exhibit, &access.access)).await.problem("access-grant-needed");
}

async fn a_repeated_request_gets_the_first_receipt(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.txt", b"a").await;
    let head = asha.item(&exhibit).await.ok::<api::Item>().head;
    let outsider = app.enrol("Dora", &[]).await;
    let org = app.org.clone();
    let under = |path: String| path;
    let writes: [(&Caller, String, Value, Value); 7] = [
        (
            &asha,
            under("/api/v1/cases".into()),
            json!({ "title": "Two", "case_type": "other", "jurisdiction": "ke" }),
            json!({ "title": "Three", "case_type": "other", "jurisdiction": "ke" }),
        ),
        (
            &asha,
            format!("/api/v1/cases/{case}/items"),
            serde_json::to_value(item("open", "b.txt", Some(b"b"))).unwrap(),
            serde_json::to_value(item("open", "b.txt", Some(b"c"))).unwrap(),
        ),
        (
            &asha,
            format!("/api/v1/cases/{case}/members"),
            json!({ "person": outsider.id, "role": "reader" }),
            json!({ "person": outsider.id, "role": "prosecutor" }),
        ),
        (
            &asha,
            format!("/api/v1/items/{exhibit}/class"),
            json!({ "class": "confidential", "seen": head }),
            json!({ "class": "open", "seen": head }),
        ),
        (
            &ben,
            format!("/api/v1/items/{exhibit}/access"),
            json!({ "purpose": "case-review", "fields": fields([("notes", "why")]) }),
            json!({ "purpose": "court", "fields": fields([("notes", "why")]) }),
        ),
        (
            &app.admin,
            under("/api/v1/persons".into()),
            json!({ "org": org, "name": "Eve", "roles": ["auditor", "custodian"] }),
            json!({ "org": org, "name": "Eva", "roles": ["auditor", "custodian"] }),
        ),
        (
            &asha,
            format!("/api/v1/cases/{case}/exports"),
            json!({ "purpose": "court" }),
            json!({ "purpose": "press" }),
        ),
    ];
    for (who, path, body, other) in writes {
        let key = op_id();
        let first = who.post_as(&key, &path, &body).await;
        let log = who.entries(0, 65_536).await;
        let again = who.post_as(&key, &path, &body).await;
        assert_eq!((first.status, &again.status), (again.status, &first.status), "{path}");
        let (first, again): (Value, Value) =
            (serde_json::from_slice(&first.body).unwrap(), serde_json::from_slice(&again.body).unwrap());
        assert_eq!(first["id"], again["id"], "{path}");
        assert_eq!(records(&first), records(&again), "{path}: the same records");
        assert_eq!(first["expires"], again["expires"], "{path}");
        assert!(log == who.entries(0, 65_536).await, "{path}: nothing was added");
        who.post_as(&key, &path, &other).await.problem("op-id-reused");
    }
}

/// The records that an answer's receipts are for; proofs may be newer the second time.
fn records(answer: &Value) -> Vec<Vec<u8>> {
    let receipts: api::Receipts = serde_json::from_value(answer["receipts"].clone()).unwrap();
    assert!(!receipts.is_empty());
    receipts.to_keep().map(|r| custody::receipt::Receipt::parse(&r).unwrap().record).collect()
}

async fn a_bundle_is_the_same_bytes_whenever_it_is_fetched(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.bin", &content(70_000)).await;
    let export: api::Export = asha.export(&case).await.made();
    let first = asha.bundle(&export.id).await;
    assert_eq!(first.status, 200);
    // The case goes on; the bundle does not.
    let said = draft(
        "transfer.offered",
        &json!({ "case": case, "item": exhibit, "purpose": "court",
        "data": { "to": ben.id } }),
    );
    let _: api::Recorded = asha.say(&said).await.made();
    assert!(first.body == asha.bundle(&export.id).await.body, "the second time");
    // More than the records that an export reads at a time.
    for _ in 0..140 {
        let _: api::Access = asha.access(&exhibit).await.made();
    }
    app.restart().await;
    assert!(first.body == asha.bundle(&export.id).await.body, "after a restart");
    assert_as_good_as_it_gets(&judged(&asha, &first.body).await);
    ben.bundle(&export.id).await.problem("not-found");
}
