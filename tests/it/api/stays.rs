//! What is not taken away, because something would be stuck for ever.

use custos::api;
use custos::store::Store;
use serde_json::json;

use super::spine::two_custodians;
use crate::on_both_engines;
use crate::support::app::TestApp;
use crate::support::audit::audit_log;
use crate::support::client::{Caller, draft};
use crate::support::world::Engine;

on_both_engines! {
    a_member_stays_until_custody_is_handed_over
    somebody_who_can_vouch_stays
}

/// Everything read back, and what is counted from the tables compared with a replay of all records.
async fn audited(app: &TestApp) {
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
