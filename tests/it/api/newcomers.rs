//! How a person gets in, and who else does not with an invitation of theirs.

use custos::api;
use custos::app::{AppError, setup};
use ed25519_dalek::SigningKey;
use serde_json::json;

use super::log_of;
use super::spine::two_custodians;
use crate::on_both_engines;
use crate::support::app::{TestApp, custos_random};
use crate::support::client::Caller;
use crate::support::world::Engine;

on_both_engines! {
    an_invitation_opens_nothing_before_its_voucher_has_signed
    ending_tokens_ends_what_would_become_one
    a_token_that_has_ended_makes_no_other
    who_approves_again_gets_the_first_receipt
}

/// Whoever redeems an invitation of this person, with a key of their own.
async fn redeemed(app: &TestApp, person: &str) -> (Caller, api::Enrolment) {
    let invitation: api::Invitation = app.admin.invite(person, "none").await.made();
    let newcomer = app.admin.as_person(person, "", SigningKey::from_bytes(&custos_random()));
    let redeemed = newcomer.redeem_code(&invitation.code).await;
    let waiting = app.admin.enrolments().await.ok::<api::Enrolments>().enrolments;
    let enrolment = waiting.into_iter().find(|waiting| waiting.id == redeemed.enrolment).unwrap();
    (newcomer.with_token(&redeemed.token), enrolment)
}

async fn an_invitation_opens_nothing_before_its_voucher_has_signed(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.txt", b"a").await;
    let before = log_of(&app).await.len();
    let (stranger, enrolment) = redeemed(&app, &asha.id).await;
    for answer in [
        stranger.item(&exhibit).await,
        stranger.access(&exhibit).await,
        stranger.get("/api/v1/cases").await,
        stranger.get("/api/v1/persons").await,
        stranger.post("/api/v1/tokens", &json!({ "label": "another", "days": 1 })).await,
        stranger.delete(&format!("/api/v1/persons/{}/tokens", asha.id)).await,
    ] {
        answer.problem("key-waiting");
    }
    let me: api::Me = stranger.me().await.ok();
    assert_eq!((me.person.id, me.enrolment), (asha.id.clone(), Some(enrolment.id.clone())));
    assert_eq!(log_of(&app).await.len(), before);
    assert_eq!(asha.item(&exhibit).await.status, 200, "who was here before is not disturbed");

    let recorded: api::Recorded = app.admin.approve(&enrolment).await.made();
    let said = &app.admin.check(&recorded.receipts)[0].statement;
    assert_eq!(
        (said.actor.to_string(), said.person.map(|p| p.to_string())),
        (app.admin.id.clone(), Some(asha.id))
    );
    let me: api::Me = stranger.me().await.ok();
    assert_eq!(me.enrolment, None);
    let key = me.person.keys.last().unwrap();
    assert_eq!((key.checked.as_str(), &key.voucher), ("none", &format!("registrar:{}", app.admin.id)));
    assert_eq!(stranger.item(&exhibit).await.status, 200, "the registrar has said so, on record");
}

async fn ending_tokens_ends_what_would_become_one(engine: Engine) {
    let app = TestApp::new(engine).await;
    let ben = app.enrol("Ben", &[]).await;
    let open: api::Invitation = app.admin.invite(&ben.id, "voice").await.made();
    let (waiting, enrolment) = redeemed(&app, &ben.id).await;
    assert_eq!(app.admin.delete(&format!("/api/v1/persons/{}/tokens", ben.id)).await.status, 204);
    ben.me().await.problem("unauthenticated");
    waiting.me().await.problem("unauthenticated");
    ben.prepare_redemption(&open.code).await.problem("invitation-invalid");
    assert!(app.admin.enrolments().await.ok::<api::Enrolments>().enrolments.is_empty());
    app.admin.approve(&enrolment).await.problem("not-found");

    let (back, enrolment) = redeemed(&app, &ben.id).await;
    app.admin.approve(&enrolment).await.made::<api::Recorded>();
    assert_eq!(back.get("/api/v1/cases").await.status, 200, "a new invitation lets them in again");
}

async fn a_token_that_has_ended_makes_no_other(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben) = (app.enrol("Asha", &[]).await, app.enrol("Ben", &[]).await);
    app.stop().await;
    let service = setup::open(&app.config, None).await.unwrap();
    let new = api::NewToken { label: "another".to_owned(), days: 1 };
    // Signed in before, and asking for more after.
    let hers = service.sign_in(&asha.token).await.unwrap();
    let his = service.sign_in(&ben.token).await.unwrap();
    service.end_tokens(&hers, hers.person).await.unwrap();
    assert!(matches!(service.new_token(&hers, &new).await, Err(AppError::Unauthenticated)));
    assert_eq!(service.tokens(hers.person).await.unwrap().tokens.len(), 1);
    service.new_token(&his, &new).await.unwrap();
    service.close().await;
}

async fn who_approves_again_gets_the_first_receipt(engine: Engine) {
    let app = TestApp::new(engine).await;
    let ben = app.enrol("Ben", &[]).await;
    let (_, enrolment) = redeemed(&app, &ben.id).await;
    let first: api::Recorded = app.admin.approve(&enrolment).await.made();
    let length = log_of(&app).await.len();
    let again: api::Recorded = app.admin.approve(&enrolment).await.made();
    let record = |recorded: &api::Recorded| app.admin.check(&recorded.receipts)[0].record_hash;
    assert_eq!(record(&first), record(&again));
    assert_eq!(log_of(&app).await.len(), length);
}
