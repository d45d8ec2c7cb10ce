//! What is not taken away, because something would be stuck for ever.

use custos::api;
use custos::store::Store;
use serde_json::json;

use super::refusals;
use super::spine::two_custodians;
use crate::on_both_engines;
use crate::support::app::TestApp;
use crate::support::audit::audit_log;
use crate::support::client::{Caller, draft};
use crate::support::world::Engine;

on_both_engines! {
    a_member_stays_until_custody_is_handed_over
    somebody_who_can_vouch_stays
    tokens_end_with_the_one_they_came_from_or_by_a_registrar
}

/// Everything read back, and what is counted from the tables compared with a replay of all records.
pub(super) async fn audited(app: &TestApp) {
    let store = Store::open(app.config.database_url()).await.unwrap();
    audit_log(&store, &app.shared.vault, &app.shared.log).await;
    store.close().await;
}

async fn a_member_stays_until_custody_is_handed_over(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let (first, second) = (asha.put(&case, "a.txt", b"a").await, asha.put(&case, "b.txt", b"b").await);
    let gone = format!("/api/v1/cases/{case}/members/{}/custodian", ben.id);
    assert_eq!(asha.offer(&case, &first, &ben.id).await.status, 201);
    assert_eq!(asha.offer(&case, &second, &ben.id).await.status, 201);
    asha.delete(&gone).await.problem("holds-custody");
    let decline = draft("transfer.declined", &json!({ "case": case, "item": second, "purpose": "damaged" }));
    assert_eq!(ben.say(&decline).await.status, 201);
    asha.delete(&gone).await.problem("holds-custody");
    assert_eq!(ben.accept(&case, &first).await.status, 201);
    asha.delete(&gone).await.problem("holds-custody");
    audited(&app).await;

    assert_eq!(ben.offer(&case, &first, &asha.id).await.status, 201);
    asha.delete(&gone).await.problem("holds-custody");
    assert_eq!(asha.accept(&case, &first).await.status, 201);
    assert_eq!(asha.delete(&gone).await.status, 200);
    ben.item(&first).await.problem("not-found");
    audited(&app).await;
}

/// The hash of somebody's only key.
async fn key_of(who: &Caller) -> String {
    who.me().await.ok::<api::Me>().person.keys[0].hash.clone()
}

async fn somebody_who_can_vouch_stays(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &["custodian"]).await;
    let (first, hers) = (key_of(&app.admin).await, key_of(&asha).await);
    let role = |who: &Caller| format!("/api/v1/persons/{}/roles/registrar", who.id);
    app.admin.revoke_key(&first).await.problem("last-one");
    app.admin.delete(&role(&app.admin)).await.problem("last-one");

    let roles = format!("/api/v1/persons/{}/roles", asha.id);
    assert_eq!(app.admin.post(&roles, &json!({ "role": "registrar" })).await.status, 201);
    assert_eq!(asha.revoke_key(&first).await.status, 200);
    asha.revoke_key(&hers).await.problem("last-one");
    app.admin.delete(&role(&asha)).await.problem("last-one");
    // The vault vouched once, and nobody's key vouches now: said before anything is signed.
    let key = json!({ "key": "11".repeat(32) });
    app.admin.post("/api/v1/keys/prepare", &key).await.problem("set-up-only");
    audited(&app).await;
}

async fn tokens_end_with_the_one_they_came_from_or_by_a_registrar(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben) = (app.enrol("Asha", &["custodian"]).await, app.enrol("Ben", &["custodian"]).await);
    let new = |days: u32| json!({ "label": "x", "days": days });
    let short: api::Token = asha.post("/api/v1/tokens", &new(1)).await.made();
    let phone = asha.with_token(&short.token);
    let longer: api::Token = phone.post("/api/v1/tokens", &new(365)).await.made();
    assert_eq!(longer.expires, short.expires, "no longer than what it was asked for with");
    let shorter: api::Token = asha.post("/api/v1/tokens", &new(2)).await.made();
    assert!(shorter.expires > short.expires);

    let tokens = format!("/api/v1/persons/{}/tokens", asha.id);
    ben.delete(&tokens).await.problem("not-permitted");
    assert_eq!(refusals(&app).await.pop().unwrap().1.act.as_str(), "end-tokens");
    assert_eq!(app.admin.delete(&tokens).await.status, 204);
    for token in [&asha.token, &short.token, &longer.token, &shorter.token] {
        asha.with_token(token).me().await.problem("unauthenticated");
    }
    app.admin
        .delete("/api/v1/persons/01920000-0000-7000-8000-000000000000/tokens")
        .await
        .problem("not-found");
    assert_eq!(ben.delete(&format!("/api/v1/persons/{}/tokens", ben.id)).await.status, 204);
    ben.me().await.problem("unauthenticated");
}
