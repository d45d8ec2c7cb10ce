//! One act ends everything that somebody's token or key could do.

use custody::bundle::findings::Code;
use custos::api;
use ed25519_dalek::SigningKey;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::log_of;
use super::spine::two_custodians;
use super::stays::audited;
use crate::support::app::{TestApp, builder, custos_random, enrol};
use crate::support::bundle::judged;
use crate::support::client::{Caller, draft};
use crate::support::world::Engine;

crate::on_both_engines! {
    whoever_is_suspended_is_out_at_once_and_comes_back_by_invitation
    what_was_said_while_it_was_not_sure_by_whom_is_reported
}

/// More than any buffer on the way takes.
const BYTES: usize = 24 << 20;

fn suspend(whom: &Caller, data: &Value) -> Value {
    draft("person.suspended", &json!({ "person": whom.id, "purpose": "duress", "data": data }))
}

async fn whoever_is_suspended_is_out_at_once_and_comes_back_by_invitation(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let police: api::Created = app.admin.new_org("Second Unit").await.made();
    let carl = enrol(&app.admin, &police.id, "Carl Custodian", &["custodian"]).await;
    let film = ben.put(&case, "film", &vec![7; BYTES]).await;
    let prepared: api::Prepared = ben
        .prepare(&draft("item.moved", &json!({ "case": case, "item": film, "fields": { "place": "A" } })))
        .await
        .ok();
    let access: api::Access = ben.access(&film).await.made();
    let http = builder(&app.config).http1_only().build().unwrap();
    let base = app.shared.base.lock().unwrap().clone();
    let path = format!("{base}/api/v1/items/{film}/content?access={}", access.access);
    let mut stream = http.get(path).bearer_auth(&ben.token).send().await.unwrap().bytes_stream();
    let mut received = stream.next().await.unwrap().unwrap().len();

    let export: api::Export = ben.export(&case).await.made();
    let path = format!("{base}/api/v1/exports/{}/bundle", export.id);
    let mut bundle = http.get(path).bearer_auth(&ben.token).send().await.unwrap().bytes_stream();
    bundle.next().await.unwrap().unwrap();

    carl.say(&suspend(&ben, &json!({}))).await.problem("not-permitted");
    ben.me().await.ok::<api::Me>();
    let suspended: api::Recorded = asha.say(&suspend(&ben, &json!({}))).await.made();
    asha.check(&suspended.receipts);
    ben.me().await.problem("unauthenticated");
    ben.submit(&prepared).await.problem("unauthenticated");
    let mut broken = false;
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => received += chunk.len(),
            Err(_) => broken = true,
        }
    }
    assert!(broken && received < BYTES, "it went on to {received}");
    let mut broken = false;
    while let Some(chunk) = bundle.next().await {
        broken |= chunk.is_err();
    }
    assert!(broken, "the bundle as well");
    let shown: api::Person = asha.get(&format!("/api/v1/persons/{}", ben.id)).await.ok();
    assert!(shown.suspended);
    asha.say(&suspend(&ben, &json!({}))).await.problem("person-suspended");

    // A new token alone is none that opens anything.
    let (again, enrolment) = come_back(&app, &ben).await;
    app.admin.approve(&enrolment).await.problem("person-suspended");
    let restored = draft("person.restored", &json!({ "person": ben.id }));
    asha.say(&restored).await.problem("not-permitted");
    app.admin.say(&restored).await.made::<api::Recorded>();
    app.admin.say(&restored).await.problem("not-suspended");
    app.admin.approve(&enrolment).await.made::<api::Recorded>();
    // The earlier key counts again as well.
    let back = ben.with_token(&again.token);
    back.me().await.ok::<api::Me>();
    back.submit(&prepared).await.made::<api::Recorded>();
    audited(&app).await;
}

async fn what_was_said_while_it_was_not_sure_by_whom_is_reported(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    ben.put(&case, "before", b"sure").await;
    let sure = log_of(&app).await.len() as u64;
    let quiet = suspect(&app, &asha, &ben, &case, sure).await;
    assert!(!quiet, "nothing was said since");
    let restored = draft("person.restored", &json!({ "person": ben.id }));
    app.admin.say(&restored).await.made::<api::Recorded>();

    // The same person, with a token that somebody else has by now.
    let (again, enrolment) = come_back(&app, &ben).await;
    app.admin.approve(&enrolment).await.made::<api::Recorded>();
    let stolen = ben.with_token(&again.token);
    let from = log_of(&app).await.len() as u64;
    stolen.put(&case, "within", b"unsure").await;
    assert!(suspect(&app, &asha, &ben, &case, from).await, "by session and without the own key");
}

/// A person redeems another invitation, with a new key.
async fn come_back(app: &TestApp, who: &Caller) -> (api::Redeemed, api::Enrolment) {
    let invitation: api::Invitation = app.admin.invite(&who.id, "in-person").await.made();
    let newcomer = app.admin.as_person(&who.id, "", SigningKey::from_bytes(&custos_random()));
    let redeemed = newcomer.redeem_code(&invitation.code).await;
    let waiting = app.admin.enrolments().await.ok::<api::Enrolments>().enrolments;
    let enrolment = waiting.into_iter().find(|waiting| waiting.id == redeemed.enrolment).unwrap();
    (redeemed, enrolment)
}

/// Suspends `whom` from a record on, and exports: whether the verifier doubts what they said.
async fn suspect(app: &TestApp, by: &Caller, whom: &Caller, case: &str, from: u64) -> bool {
    by.say(&suspend(whom, &json!({ "suspect_from": from }))).await.problem("not-permitted");
    let said = app.admin.say(&suspend(whom, &json!({ "suspect_from": from }))).await;
    said.made::<api::Recorded>();
    let export: api::Export = by.export(case).await.made();
    let bundle = by.bundle(&export.id).await;
    let report = judged(&app.admin, &bundle.body).await;
    assert_eq!(report.exit_code, 4, "{:#?}", report.findings);
    report.has(Code::KeySuspect)
}
