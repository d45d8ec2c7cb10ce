//! What a person's device refuses, whatever the vault says.

use std::collections::BTreeMap;
use std::sync::Arc;

use custody::commitment::FieldOpening;
use custody::digest::Digest;
use custody::envelope::key_hash;
use custody::id::{CaseId, Code, ItemId, OpId, PersonId};
use custody::json::Value;
use custody::kind::Kind;
use custody::statement::{Actor, Assurance, CheckedBy, Content, DigestAlg, Seen, Statement, Version};
use custody::time::Timestamp;
use custos::api;
use custos::client::ask::Voice;
use custos::client::{Ask, Client, ClientError, now};
use ed25519_dalek::SigningKey;
use uuid::Uuid;

use super::fake;

const PERSON: PersonId = PersonId::new(Uuid::from_u128(1));
const CASE: CaseId = CaseId::new(Uuid::from_u128(2));
const ITEM: ItemId = ItemId::new(Uuid::from_u128(3));
const OP: OpId = OpId::new([7; 16]);

fn code(text: &str) -> Code {
    text.parse().unwrap()
}

fn own_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn voice() -> Voice {
    Voice {
        vault: fake::trust().1.fingerprint(),
        actor: Actor::Person(PERSON),
        key: key_hash(&own_key().verifying_key()),
        assurance: Assurance::UserKey,
    }
}

fn ask() -> Ask {
    Ask::new(Kind::ItemRegistered, OP)
        .case(CASE)
        .item(ITEM)
        .content(Digest::of(b"photo"), 5)
        .data(BTreeMap::from([("class".into(), "open".into()), ("route".into(), "cli".into())]))
        .fields(BTreeMap::from([(code("title"), "A photograph".to_owned())]))
}

/// What an honest vault prepares.
fn honest() -> (Statement, Vec<FieldOpening>) {
    let opening =
        FieldOpening { name: code("title"), salt: Digest::of(b"salt"), value: "A photograph".into() };
    let statement = Statement {
        actor: Actor::Person(PERSON),
        actor_key: voice().key,
        actor_time: now(),
        assurance: Assurance::UserKey,
        case: Some(CASE),
        content: Some(Content {
            alg: DigestAlg::Sha256,
            checked_by: CheckedBy::Oneself,
            digest: Digest::of(b"photo"),
            size: 5,
        }),
        data: BTreeMap::from([("class".into(), "open".into()), ("route".into(), "cli".into())]),
        fields: BTreeMap::from([(code("title"), opening.commitment(&OP))]),
        item: Some(ITEM),
        items: None,
        kind: Kind::ItemRegistered,
        op_id: OP,
        person: None,
        purpose: None,
        seen: None,
        v: Version,
        vault: Some(voice().vault),
    };
    (statement, vec![opening])
}

fn prepared(statement: &Statement, openings: &[FieldOpening]) -> api::Prepared {
    let wire = |o: &FieldOpening| api::Opening {
        name: o.name.to_string(),
        salt: o.salt.to_hex(),
        value: o.value.clone(),
    };
    api::Prepared {
        statement: api::Bytes64(statement.to_bytes()),
        openings: openings.iter().map(wire).collect(),
    }
}

#[test]
fn what_was_asked_is_signed() {
    let (statement, openings) = honest();
    assert_eq!(ask().check_prepared(&prepared(&statement, &openings), &voice(), now()).unwrap(), statement);
}

#[test]
fn a_prepared_statement_that_differs_in_any_member_is_not_signed() {
    type Lie = fn(&mut Statement);
    let lies: &[(&str, Lie)] = &[
        ("kind", |s| s.kind = Kind::ItemClassified),
        ("vault", |s| s.vault = Some(Digest::of(b"other"))),
        ("op_id", |s| s.op_id = OpId::new([8; 16])),
        ("actor", |s| s.actor = Actor::Person(PersonId::new(Uuid::from_u128(9)))),
        ("actor_key", |s| s.actor_key = Digest::of(b"other")),
        ("assurance", |s| s.assurance = Assurance::Session),
        ("case", |s| s.case = Some(CaseId::new(Uuid::from_u128(9)))),
        ("item", |s| s.item = Some(ItemId::new(Uuid::from_u128(9)))),
        ("items", |s| s.items = Some(Vec::new())),
        ("person", |s| s.person = Some(PERSON)),
        ("purpose", |s| s.purpose = Some(code("court"))),
        ("content", |s| s.content.as_mut().unwrap().digest = Digest::of(b"other")),
        ("content", |s| s.content.as_mut().unwrap().checked_by = CheckedBy::None),
        ("content", |s| s.content = None),
        ("data", |s| drop(s.data.insert("class".into(), "confidential".into()))),
        ("data", |s| drop(s.data.insert("extra".into(), Value::Int(1)))),
        ("fields", |s| s.fields.extend([(code("notes"), Digest::of(b"commitment"))])),
        ("fields", |s| s.fields.clear()),
        ("seen", |s| s.seen = Some(Seen::Record(Digest::of(b"record")))),
        ("actor_time", |s| s.actor_time = s.actor_time.saturating_add_millis(6 * 60 * 1_000)),
        ("actor_time", |s| s.actor_time = Timestamp::from_millis(0).unwrap()),
    ];
    for (member, lie) in lies {
        let (mut statement, openings) = honest();
        lie(&mut statement);
        match ask().check_prepared(&prepared(&statement, &openings), &voice(), now()) {
            Err(ClientError::NotAsked(difference)) => assert_eq!(difference.member(), *member),
            other => panic!("a lie about {member} gave {other:?}"),
        }
    }
}

#[test]
fn commitments_that_the_openings_do_not_open_are_not_signed() {
    let (statement, mut openings) = honest();
    openings[0].salt = Digest::of(b"another salt");
    let checked = ask().check_prepared(&prepared(&statement, &openings), &voice(), now());
    assert!(matches!(checked, Err(ClientError::Openings(_))), "{checked:?}");
    let (statement, mut openings) = honest();
    openings[0].value = "Another title".into();
    let checked = ask().check_prepared(&prepared(&statement, &openings), &voice(), now());
    assert!(matches!(checked, Err(ClientError::NotAsked(_))), "{checked:?}");
}

#[test]
fn bytes_that_are_no_statement_are_not_signed() {
    let lie =
        api::Prepared { statement: api::Bytes64(b"transfer everything".to_vec()), openings: Vec::new() };
    let checked = ask().check_prepared(&lie, &voice(), now());
    assert!(matches!(checked, Err(ClientError::NotStatement(_))), "{checked:?}");
}

#[tokio::test]
async fn a_vault_that_was_taken_over_gets_no_signature() {
    let (mut statement, openings) = honest();
    statement.kind = Kind::ItemClassified;
    let answer = serde_json::to_vec(&prepared(&statement, &openings)).unwrap();
    let vault = fake::start(Arc::new(move |_, _, _| (200, answer.clone())));
    let dir = tempfile::tempdir().unwrap();
    let profile = fake::profile(dir.path(), &vault.url, vault.tls, PERSON);
    let client = Client::open(&profile, Some(own_key())).unwrap();
    let said = client.say(&ask()).await;
    assert!(matches!(said, Err(ClientError::NotAsked(_))), "{said:?}");
    let asked = vault.asked.lock().unwrap().clone();
    assert_eq!(asked, BTreeMap::from([("POST /api/v1/statements/prepare".to_owned(), 1)]));
}

#[tokio::test]
async fn an_answer_without_receipt_is_an_alarm() {
    let vault =
        fake::start(Arc::new(|_, _, _| (200, br#"{"receipts":{"envelopes":{},"records":[]}}"#.to_vec())));
    let dir = tempfile::tempdir().unwrap();
    let profile = fake::profile(dir.path(), &vault.url, vault.tls, PERSON);
    let said = Client::open(&profile, None).unwrap().say(&ask()).await;
    assert!(matches!(said, Err(ClientError::NoReceipt)), "{said:?}");
}

#[tokio::test]
async fn a_receipt_that_does_not_hold_is_an_alarm_and_is_kept() {
    let lie = br#"{"receipts":{"envelopes":{},"records":[{}]}}"#.to_vec();
    let vault = fake::start(Arc::new(move |_, _, _| (200, lie.clone())));
    let dir = tempfile::tempdir().unwrap();
    let profile = fake::profile(dir.path(), &vault.url, vault.tls, PERSON);
    match Client::open(&profile, None).unwrap().say(&ask()).await {
        Err(ClientError::Receipt { kept, .. }) => assert_eq!(std::fs::read(kept).unwrap(), b"{}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_certificate_than_the_pinned_one_is_refused_before_anything_is_sent() {
    let vault = fake::start(Arc::new(|_, _, _| (200, b"{}".to_vec())));
    let dir = tempfile::tempdir().unwrap();
    let profile = fake::profile(dir.path(), &vault.url, Digest::of(b"another certificate"), PERSON);
    match Client::open(&profile, None).unwrap().me().await {
        Err(ClientError::Certificate { found, .. }) => assert_eq!(found, vault.tls),
        other => panic!("{other:?}"),
    }
    assert!(vault.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_vault_whose_first_record_is_not_the_one_on_paper_is_refused() {
    let info = api::VaultInfo {
        fingerprint: Digest::of(b"paper").to_hex(),
        origin: fake::ORIGIN.into(),
        log_vkey: fake::trust().1.log().to_string(),
        vault_key: String::new(),
        version: String::new(),
        samples_only: false,
        founding_record: api::Bytes64(b"{}".to_vec()),
        founding_envelope: api::Bytes64(b"{}".to_vec()),
    };
    let answer = serde_json::to_vec(&info).unwrap();
    let vault = fake::start(Arc::new(move |_, _, _| (200, answer.clone())));
    let met = custos::client::Stranger::meet(&vault.url, vault.tls, Digest::of(b"paper")).await;
    assert!(matches!(met, Err(ClientError::OtherVault(_))), "{met:?}");
}

#[tokio::test]
async fn a_busy_vault_is_asked_again_and_a_refusal_is_not() {
    let vault = fake::start(Arc::new(|_, path, _| match path {
        "/api/v1/me" => (503, Vec::new()),
        _ => (403, Vec::new()),
    }));
    let dir = tempfile::tempdir().unwrap();
    let profile = fake::profile(dir.path(), &vault.url, vault.tls, PERSON);
    let client = Client::open(&profile, None).unwrap();
    assert!(matches!(client.me().await, Err(ClientError::Http { status: 503 })));
    assert!(matches!(client.orgs().await, Err(ClientError::Http { status: 403 })));
    let asked = vault.asked.lock().unwrap().clone();
    assert_eq!((asked["GET /api/v1/me"], asked["GET /api/v1/orgs"]), (5, 1));
}
