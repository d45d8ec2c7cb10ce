//! What people call their keys.

use custos::api;
use custos::app::setup;
use serde_json::json;

use super::destruction::{approval, proposed};
use crate::support::app::TestApp;
use crate::support::client::Caller;
use crate::support::world::Engine;

crate::on_both_engines! {
    people_call_their_keys_something_and_whoever_may_revoke_them_sees_it
}

/// The names of somebody's keys, as `who` sees them.
async fn names(who: &Caller, of: &str) -> Vec<Option<String>> {
    let person: api::Person = who.get(&format!("/api/v1/persons/{of}")).await.ok();
    person.keys.into_iter().map(|key| key.name).collect()
}

async fn people_call_their_keys_something_and_whoever_may_revoke_them_sees_it(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben) = (app.enrol("Asha Lead", &["investigator"]).await, app.enrol("Ben Other", &[]).await);
    let registrar = app.enrol("Rosa Registrar", &["registrar"]).await;
    let auditor = app.enrol("Olga Auditor", &["auditor"]).await;
    let me: api::Person = asha.get(&format!("/api/v1/persons/{}", asha.id)).await.ok();
    let path = format!("/api/v1/keys/{}/name", me.keys[0].hash);
    assert_eq!(names(&asha, &asha.id).await, [None]);
    let named: api::KeyName = asha.put_json(&path, &json!({ "name": " laptop " })).await.ok();
    assert_eq!(named.name.as_deref(), Some("laptop"));
    asha.put_json(&path, &json!({ "name": "the phone" })).await.ok::<api::KeyName>();
    let phone = [Some("the phone".to_owned())];
    assert_eq!(names(&asha, &asha.id).await, phone);
    assert_eq!(names(&registrar, &asha.id).await, phone, "who is asked to revoke it");
    assert_eq!(names(&ben, &asha.id).await, [None]);
    assert_eq!(names(&auditor, &asha.id).await, [None]);
    let everybody: api::Persons = asha.get("/api/v1/persons").await.ok();
    assert!(everybody.persons.iter().flat_map(|person| &person.keys).all(|key| key.name.is_none()));

    ben.put_json(&path, &json!({ "name": "mine" })).await.problem("not-found");
    let nobodys = format!("/api/v1/keys/{}/name", "0".repeat(64));
    asha.put_json(&nobodys, &json!({ "name": "mine" })).await.problem("not-found");
    for name in ["", "  ", "two\nlines", &"x".repeat(65)] {
        asha.put_json(&path, &json!({ "name": name })).await.problem("invalid-request");
    }
    asha.put_json(&path, &json!({})).await.ok::<api::KeyName>();
    assert_eq!(names(&asha, &asha.id).await, [None]);

    // It is gone with the other values about the person.
    asha.put_json(&path, &json!({ "name": &"x".repeat(64) })).await.ok::<api::KeyName>();
    let about = json!({ "person": asha.id, "purpose": "erasure-requested" });
    let proposal = proposed(&app.admin, &about).await;
    registrar.say(&approval(&about, &proposal, "registrar", 0)).await.made::<api::Recorded>();
    auditor.say(&approval(&about, &proposal, "auditor", 0)).await.made::<api::Recorded>();
    app.stop().await;
    let service = setup::open(&app.config, None).await.unwrap();
    service.carry_out_disposals().await.unwrap();
    service.close().await;
    app.start().await;
    assert_eq!(names(&registrar, &asha.id).await, [None]);
    asha.put_json(&path, &json!({ "name": "again" })).await.problem("erased");
}
