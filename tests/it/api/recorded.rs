//! Whoever is refused stands in the log, by whatever way they tried; and what was counted is recorded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custody::envelope::key_hash;
use custody::record::Sequence;
use custody::statement::Statement;
use custos::api;
use custos::app::setup;
use ed25519_dalek::SigningKey;
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::spine::two_custodians;
use super::{refusals, refused};
use crate::on_both_engines;
use crate::support::app::{TestApp, custos_random};
use crate::support::client::{Caller, draft};
use crate::support::world::Engine;

on_both_engines! {
    preparing_says_nothing_of_other_peoples_items
    a_key_that_nobody_would_vouch_for_is_recorded
    speaking_or_vouching_for_somebody_else_is_recorded
    a_recording_that_is_broken_off_loses_no_count
}

async fn preparing_says_nothing_of_other_peoples_items(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.txt", b"a").await;
    asha.offer(&case, &exhibit, &ben.id).await.made::<api::Recorded>();
    let cara = app.enrol("Cara", &["custodian"]).await;
    let hers = cara.open_case("Another").await;
    let about = |item: &str| -> [Value; 3] {
        let one = |kind, data: Value| draft(kind, &json!({ "case": hers, "item": item, "data": data }));
        [
            one("item.classified", json!({ "class": "open" })),
            one("transfer.accepted", json!({})),
            draft("transfer.accepted", &json!({ "case": hers, "items": [{ "item": item }], "data": {} })),
        ]
    };
    let unknown = about("01920000-0000-7000-8000-000000000000");
    for (foreign, unknown) in about(&exhibit).iter().zip(&unknown) {
        let (foreign, unknown) = (cara.prepare(foreign).await, cara.prepare(unknown).await);
        assert_eq!(foreign.problem("not-found").detail, unknown.problem("not-found").detail);
    }
    assert_eq!(refused(&app, &cara.id, "read-records").await, (1, 1), "and the others wait to be counted");
    let accept = draft("transfer.accepted", &json!({ "case": case, "item": exhibit }));
    let prepared: api::Prepared = ben.prepare(&accept).await.ok();
    assert!(Statement::parse(&prepared.statement.0).unwrap().seen.is_some());
}

/// What was refused to this person by this rule: acts and places.
async fn by_rule(app: &TestApp, person: &Caller, rule: &str) -> Vec<(String, Option<Sequence>)> {
    let all = refusals(app).await.into_iter();
    all.filter(|(_, denied)| denied.person.to_string() == person.id && denied.rule.as_str() == rule)
        .map(|(place, denied)| (denied.act.to_string(), place))
        .collect()
}

fn in_vault(act: &str) -> Vec<(String, Option<Sequence>)> {
    vec![(act.to_owned(), Some(Sequence::Refusals))]
}

async fn a_key_that_nobody_would_vouch_for_is_recorded(engine: Engine) {
    let app = TestApp::new(engine).await;
    let ruth = app.enrol("Ruth", &["registrar"]).await;
    let new = SigningKey::from_bytes(&custos_random());
    let key = json!({ "key": hex::encode(new.verifying_key().as_bytes()) });
    let prepared: api::Prepared = ruth.post("/api/v1/keys/prepare", &key).await.ok();
    let holder = Caller { key: new, ..ruth.clone() };
    let alone = json!({
        "statement": prepared.statement,
        "signature": STANDARD.encode(holder.sign(&prepared.statement.0)),
    });
    ruth.post("/api/v1/keys", &alone).await.problem("not-voucher");
    assert_eq!(by_rule(&app, &ruth, "not-voucher").await, in_vault("key-enrolled"));

    let own = key_hash(&ruth.key.verifying_key()).to_hex();
    ruth.revoke_key(&own).await.ok::<api::Recorded>();
    ruth.post("/api/v1/keys/prepare", &key).await.problem("set-up-only");
    assert_eq!(by_rule(&app, &ruth, "set-up-only").await, in_vault("key-enrolled"));
    ruth.invite(&app.admin.id, "voice").await.problem("key-not-valid");
    assert_eq!(by_rule(&app, &ruth, "key-not-valid").await, in_vault("vouch"));
}

async fn speaking_or_vouching_for_somebody_else_is_recorded(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let cara = app.enrol("Cara", &["registrar"]).await;
    let invitation: api::Invitation = app.admin.invite(&ben.id, "voice").await.made();
    let newcomer = ben.as_person(&ben.id, "", SigningKey::from_bytes(&custos_random()));
    newcomer.redeem_code(&invitation.code).await;
    let waiting = app.admin.enrolments().await.ok::<api::Enrolments>().enrolments;
    cara.approve(&waiting[0]).await.problem("not-found");
    assert_eq!(by_rule(&app, &cara, "not-voucher").await, in_vault("key-enrolled"));

    let exhibit = asha.put(&case, "a.txt", b"a").await;
    let more = json!({ "case": case, "item": exhibit, "purpose": "court", "data": { "to": ben.id } });
    let offer: api::Prepared = asha.prepare(&draft("transfer.offered", &more)).await.ok();
    let signed = asha.envelope(&offer.statement.0);
    for stranger in [&ben, &cara] {
        stranger.submit_envelope(signed.clone(), &offer.openings).await.problem("invalid-request");
    }
    let at_item = Some(Sequence::Item(exhibit.parse().unwrap()));
    assert_eq!(by_rule(&app, &ben, "not-the-actor").await, [("transfer-offered".to_owned(), at_item)]);
    assert_eq!(by_rule(&app, &cara, "not-the-actor").await, in_vault("transfer-offered"));
}

async fn a_recording_that_is_broken_off_loses_no_count(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (_, _, case) = two_custodians(&app).await;
    let strangers = [app.enrol("Cara", &[]).await, app.enrol("Dora", &[]).await, app.enrol("Eve", &[]).await];
    app.stop().await;
    let service = setup::open(&app.config, None).await.unwrap();
    for stranger in &strangers {
        for _ in 0..3 {
            service.case(stranger.id.parse().unwrap(), case.parse().unwrap()).await.unwrap_err();
        }
    }
    assert!(service.record_counted_refusals().now_or_never().is_none(), "it was broken off");
    service.record_counted_refusals().await.unwrap();
    service.close().await;
    for stranger in &strangers {
        assert_eq!(refused(&app, &stranger.id, "read-records").await, (3, 2));
    }
}
