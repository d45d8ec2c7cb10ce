//! A vault that was taken over and shows true receipts of something else, or none.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use custody::act::{Class, Sealing, TransferOffered};
use custody::age::{self, Identity};
use custody::digest::Digest;
use custody::envelope::{Envelope, PayloadType, key_hash, sign};
use custody::id::{CaseId, ItemId, OpId, PersonId};
use custody::kind::Kind;
use custody::statement::{Actor, Assurance, ItemRef, Seen, Statement};
use custos::api;
use custos::client::intake::{Intake, Source};
use custos::client::opening::{Contributed, Through};
use custos::client::{Ask, Client, ClientError, NewProfile, Profile, VaultTrust};
use custos::engine::OsEntropy;
use ed25519_dalek::SigningKey;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::fake;
use crate::api::restricted::People;
use crate::api::spine::two_custodians;
use crate::support::app::{TestApp, custos_random};
use crate::support::client::Caller;
use crate::support::world::Engine;

/// Somebody's profile, which pins the true vault and meets a false server.
async fn profile(dir: &Path, caller: &Caller, server: &fake::Fake) -> Profile {
    let info: api::VaultInfo = caller.get("/api/v1/vault").await.ok();
    custos::client::secret::write(&dir.join("test.token"), &caller.token).unwrap();
    let new = NewProfile {
        url: server.url.clone(),
        tls: server.tls,
        trust: VaultTrust::prove(caller.shared.vault, &info).unwrap(),
        person: caller.id.parse().unwrap(),
        token: Some("test.token".into()),
        certificate: None,
        key: None,
        receipts: "receipts".into(),
    };
    Profile::create(&dir.join("test.toml"), new).unwrap()
}

#[tokio::test]
async fn that_an_item_is_there_already_is_believed_for_its_receipts_only() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("photo");
    std::fs::write(&file, b"a photograph").unwrap();
    let content = json!({ "digest": Digest::of(b"a photograph").to_hex(), "size": 12 });
    let id = uuid::Uuid::from_u128(1).to_string();
    let item = json!({ "id": id, "case": id, "exhibit": 1, "class": "open", "custodian": id, "claimed": content,
        "stored": content, "head": "0".repeat(64), "offer": null, "fields": {} });
    let refusal = json!({ "type": "x", "title": "x", "status": 409, "code": "exists", "detail": "it exists already",
        "remedy": "x", "request_id": "x" });
    let nothing = json!({ "receipts": { "envelopes": {}, "records": [] } });
    let server = fake::start(Arc::new(move |method, path, _| match (method, path) {
        ("GET", path) if path.ends_with("/receipts") => (200, nothing.to_string().into_bytes()),
        ("GET", _) => (200, item.to_string().into_bytes()),
        _ => (409, refusal.to_string().into_bytes()),
    }));
    let person = "01920000-0000-7000-8000-000000000001".parse().unwrap();
    let client = Client::open(&fake::profile(dir.path(), &server.url, server.tls, person), None).unwrap();
    let intake = Intake {
        case: CaseId::new(uuid::Uuid::from_u128(2)),
        class: Class::Open,
        sealing: None,
        pairs: None,
        fields: [].into(),
    };
    let source = Source { file, path: "photo".to_owned() };
    let taken: Vec<_> = Arc::new(client).take_in(Arc::new(intake), vec![source], 1, |_| ()).collect().await;
    assert!(matches!(taken[0].1, Err(ClientError::NoReceipt)), "{taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_receipt_twice_is_no_receipt_of_two_items_and_a_torn_file_is_no_receipt() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let mut items = Vec::new();
    for name in ["a", "b"] {
        let id = asha.put(&case, name, name.as_bytes()).await;
        let head = asha.item(&id).await.ok::<api::Item>().head;
        let seen = Some(Seen::Record(head.parse().unwrap()));
        items.push(ItemRef { item: id.parse().unwrap(), offer: None, seen });
    }
    let ask = Ask::new(Kind::TransferOffered, OpId::new(custos_random()[..16].try_into().unwrap()))
        .case(case.parse().unwrap())
        .purpose("court-hearing".parse().unwrap())
        .data(TransferOffered { carriers: None, expires: None, to: ben.id.parse().unwrap() }.to_data())
        .items(items);
    let key = custody::envelope::key_hash(&asha.key.verifying_key());
    let prepared: api::Prepared = asha.post("/api/v1/statements/prepare", &ask.draft(Some(key))).await.ok();
    let recorded: Value = asha.submit(&prepared).await.made();
    let mut doubled = recorded.clone();
    doubled["receipts"]["records"][1] = recorded["receipts"]["records"][0].clone();
    let dir = tempfile::tempdir().unwrap();
    for (answer, honest) in [(doubled, false), (recorded.clone(), true), (recorded, true)] {
        let prepared = serde_json::to_vec(&prepared).unwrap();
        let server = fake::start(Arc::new(move |_, path, _| match path {
            "/api/v1/statements/prepare" => (200, prepared.clone()),
            _ => (201, answer.to_string().into_bytes()),
        }));
        let _ = std::fs::remove_file(dir.path().join("test.toml"));
        let _ = std::fs::remove_file(dir.path().join("test.token"));
        let profile = profile(dir.path(), &asha, &server).await;
        let said = Client::open(&profile, Some(asha.key.clone())).unwrap().say(&ask).await;
        if !honest {
            assert!(matches!(said, Err(ClientError::NoReceipt)), "{said:?}");
            continue;
        }
        let kept = said.unwrap();
        assert_eq!(kept.len(), 2);
        for receipt in &kept {
            let bytes = std::fs::read(&receipt.path).unwrap();
            assert!(custody::receipt::Receipt::parse(&bytes).is_ok());
            // As a crash leaves it; the next round finds it so.
            std::fs::write(&receipt.path, b"").unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_receipt_of_the_same_kind_is_no_receipt() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (asha, _, case) = two_custodians(&app).await;
    let item = asha.put(&case, "a", b"a").await;
    let (first, second): (api::Access, api::Access) =
        (asha.access(&item).await.made(), asha.access(&item).await.made());
    let path = format!("/api/v1/items/{item}/access/{}/complete", first.access);
    let ended: Value = asha.post(&path, &()).await.ok();
    let server = fake::start(Arc::new(move |_, _, _| (200, ended.to_string().into_bytes())));
    let dir = tempfile::tempdir().unwrap();
    let client = Client::open(&profile(dir.path(), &asha, &server).await, None).unwrap();
    let item = item.parse().unwrap();
    client.complete_access(item, first.access.parse().unwrap()).await.unwrap();
    let said = client.complete_access(item, second.access.parse().unwrap()).await;
    assert!(matches!(said, Err(ClientError::Receipt { .. })), "{said:?}");
    // Nor is it one of a key that was revoked.
    let said = client.revoke_key(Digest::of(b"a key")).await;
    assert!(matches!(said, Err(ClientError::Receipt { .. })), "{said:?}");
}

/// Nothing is sealed to a key that nobody has vouched for who is named, by the key that is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_for_which_whoever_vouched_has_signed() {
    let app = TestApp::new(Engine::Sqlite).await;
    let people = People::new(&app).await;
    let (asha, sealing) = (&people.asha, people.sealing());
    let path = format!("/api/v1/cases/{}/recipients", people.case);
    let found: api::Recipients = asha.post(&path, &serde_json::to_value(&sealing).unwrap()).await.ok();
    let at = found.persons.iter().position(|of| of.person == asha.id).unwrap();
    let thief = SigningKey::from_bytes(&[66; 32]);
    let thiefs = hex::encode(thief.verifying_key().as_bytes());

    // As if the vault had vouched, by a key that is not its own.
    let enrolled = &found.persons[at].keys[0].enrolled.0;
    let statement =
        Statement::parse(Envelope::parse(enrolled, PayloadType::Statement).unwrap().body()).unwrap();
    let by_vault = Statement {
        actor: Actor::System,
        actor_key: key_hash(&thief.verifying_key()),
        assurance: Assurance::System,
        ..statement
    };
    let by_vault = sign(PayloadType::Statement, &by_vault.to_bytes(), &[&thief, &asha.key]);
    // In the name of whoever did vouch, signed by somebody else.
    let mut forged: Value = serde_json::from_slice(enrolled).unwrap();
    let others: Value = serde_json::from_slice(&by_vault).unwrap();
    forged["signatures"][0]["sig"] = others["signatures"][0]["sig"].clone();
    let forged = forged.to_string().into_bytes();

    let voucher = found.persons[at].keys[0].voucher.clone();
    for (enrolled, voucher, honest) in [
        (enrolled.clone(), voucher.clone(), true),
        (enrolled.clone(), thiefs.clone(), false),
        (forged, voucher, false),
        (by_vault, thiefs, false),
    ] {
        let mut shown = found.clone();
        let key = &mut shown.persons[at].keys[0];
        (key.enrolled, key.voucher) = (api::Bytes64(enrolled), voucher);
        let shown = serde_json::to_vec(&shown).unwrap();
        let server = fake::start(Arc::new(move |_, _, _| (200, shown.clone())));
        let dir = tempfile::tempdir().unwrap();
        let profile = profile(dir.path(), asha, &server).await;
        let client = Client::open(&profile, Some(asha.key.clone())).unwrap();
        let case = people.case.parse().unwrap();
        let named = client.recipients(case, &sealed_to(&sealing)).await;
        match named {
            Ok((_, to)) if honest => {
                let admin = key_hash(&app.admin.key.verifying_key());
                assert!(to.len() == 4 && to.iter().all(|to| to.voucher == admin), "{to:?}");
            }
            Err(ClientError::Protocol(_)) if !honest => {}
            other => panic!("{honest}: {other:?}"),
        }
    }
}

/// Pairs, as statements have them.
fn sealed_to(sealing: &api::Sealing) -> Sealing {
    let pair = |pair: &[String; 2]| {
        let mut pair: [PersonId; 2] = pair.each_ref().map(|id| id.parse().unwrap());
        pair.sort_unstable();
        pair
    };
    let mut pairs: Vec<_> = sealing.pairs.iter().map(pair).collect();
    pairs.sort_unstable();
    Sealing { pairs, recovery: None }
}

/// A vault that is taken over has somebody open what they did not ask for: half of another item's key, or what another has
/// opened already.
#[tokio::test]
async fn nothing_is_opened_for_a_vault_but_what_is_sealed_further_and_of_this_item() {
    let dir = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let server = fake::start(Arc::new(move |_, _, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        (204, Vec::new())
    }));
    let person = "01920000-0000-7000-8000-000000000001".parse().unwrap();
    let client = Client::open(&fake::profile(dir.path(), &server.url, server.tls, person), None).unwrap();
    let [mine, other] = [1, 2].map(|n| Identity::derive(&[n; 32]));
    let [item, elsewhere] = [1, 2].map(|n| ItemId::new(uuid::Uuid::from_u128(n)));
    let nested = |of, outer: &Identity, inner: &Identity| {
        let (outer, inner) = ([outer.recipient()], [inner.recipient()]);
        age::seal_nested(&[7; 32], of, &outer, &inner, &mut OsEntropy).unwrap()
    };
    let halves = |sealed: Vec<u8>| api::Halves {
        halves: Digest::ZERO.to_hex(),
        sealed: vec![api::SealedHalf {
            first: String::new(),
            second: String::new(),
            outer: Vec::new(),
            inner: Vec::new(),
            sealed: api::Bytes64(sealed),
        }],
        others: Vec::new(),
        contributed: None,
        with_access: None,
        half: None,
        manifest: api::Bytes64(Vec::new()),
    };
    let through = Through::halves(Digest::ZERO, None);
    let inner = other.open(&nested(item, &other, &mine)).unwrap();
    let refused = client.contribute(item, through, &halves(nested(elsewhere, &mine, &other)), &mine).await;
    assert!(matches!(refused, Err(ClientError::Protocol(_))), "{refused:?}");
    let garbage = client.contribute(item, through, &halves(inner.to_vec()), &mine).await;
    assert!(matches!(garbage, Ok(Contributed::Garbage)), "{garbage:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nothing was sent");
    let given = client.contribute(item, through, &halves(nested(item, &mine, &other)), &mine).await.unwrap();
    assert_eq!(given, Contributed::Given);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
