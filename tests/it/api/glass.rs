//! Reading in an emergency: on record first, only what was asked for, and open until somebody else has looked at it.

use custody::time::Timestamp;
use custos::api;
use reqwest::Method;
use serde_json::{Value, json};

use super::refusals;
use super::spine::two_custodians;
use super::stays::audited;
use crate::support::app::TestApp;
use crate::support::bundle::judged;
use crate::support::client::{Caller, draft};
use crate::support::world::Engine;

crate::on_both_engines! {
    whoever_breaks_the_glass_reads_that_item_and_no_other_until_it_ends
}

fn broken(case: &str, item: &str, minutes: i64) -> Value {
    let expires = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond() + minutes * 60_000).unwrap();
    let fields = json!({ "reason": "Somebody is in danger" });
    let data = json!({ "expires": expires.to_string() });
    let more =
        json!({ "case": case, "item": item, "purpose": "life-in-danger", "fields": fields, "data": data });
    draft("access.break-glass", &more)
}

async fn emergencies(who: &Caller, case: &str) -> Vec<api::Emergency> {
    who.get(&format!("/api/v1/cases/{case}/emergencies")).await.ok::<api::Emergencies>().emergencies
}

async fn whoever_breaks_the_glass_reads_that_item_and_no_other_until_it_ends(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let otto = app.enrol("Otto Outside", &["investigator"]).await;
    let nora = app.enrol("Nora Nobody", &[]).await;
    let exhibit = asha.put(&case, "map.png", b"where they are").await;
    let other = asha.put(&case, "other.txt", b"something else").await;

    nora.say(&broken(&case, &exhibit, 30)).await.problem("not-found");
    asha.say(&broken(&case, &exhibit, 30)).await.problem("no-emergency");
    otto.say(&broken(&case, &exhibit, 61)).await.problem("invalid-request");
    otto.get(&format!("/api/v1/items/{exhibit}")).await.problem("not-found");
    let mut on_behalf = broken(&case, &exhibit, 30);
    on_behalf["op_id"] = json!(crate::support::client::op_id());
    otto.post("/api/v1/statements/on-behalf", &on_behalf).await.problem("invalid-statement");
    let recorded: api::Recorded = otto.say(&broken(&case, &exhibit, 30)).await.made();
    let grant = otto.check(&recorded.receipts)[0].record_hash.to_hex();

    assert_eq!(otto.send(otto.reading(&exhibit, &grant)).await.body, b"where they are");
    otto.send(otto.reading(&other, &grant)).await.problem("not-found");
    nora.send(nora.reading(&exhibit, &grant)).await.problem("not-found");
    ben.send(ben.reading(&exhibit, &grant)).await.problem("access-grant-needed");
    otto.get(&format!("/api/v1/items/{exhibit}")).await.problem("not-found");
    otto.get(&format!("/api/v1/cases/{case}/emergencies")).await.problem("not-found");
    let refused = refusals(&app).await;
    assert!(refused.iter().any(|(_, refusal)| refusal.person.to_string() == otto.id), "{refused:?}");

    let found = emergencies(&ben, &case).await;
    assert_eq!(
        (found.len(), found[0].record.as_str(), found[0].review.as_str()),
        (1, grant.as_str(), "open")
    );
    assert_eq!((&found[0].person, &found[0].item), (&otto.id, &exhibit));
    let end = format!("/api/v1/items/{exhibit}/access/{grant}/complete");
    otto.post(&end, &json!({})).await.ok::<api::Recorded>();
    otto.send(otto.reading(&exhibit, &grant)).await.problem("not-found");

    let report = report(&asha, &case).await;
    assert_eq!((report.facts.emergencies, report.facts.unreviewed), (1, 1));
    let review = |fields: Value| {
        let data = json!({ "grant": grant });
        draft("access.reviewed", &json!({ "case": case, "item": exhibit, "data": data, "fields": fields }))
    };
    let finding = json!({ "finding": "It was right" });
    asha.prepare(&review(json!({}))).await.problem("invalid-statement");
    ben.say(&review(finding.clone())).await.problem("not-permitted");
    asha.say(&review(finding.clone())).await.made::<api::Recorded>();
    asha.say(&review(finding)).await.problem("nothing-to-review");
    assert_eq!(emergencies(&ben, &case).await[0].review, "closed");
    let report = self::report(&asha, &case).await;
    assert_eq!((report.facts.emergencies, report.facts.unreviewed), (1, 0));
    assert_ne!(report.exit_code, 3, "{}", report.to_text());
    let head = asha
        .send(asha.request(Method::HEAD, &format!("/api/v1/items/{exhibit}/content?access={grant}")))
        .await;
    assert_eq!(head.status, 403);
    audited(&app).await;
}

async fn report(who: &Caller, case: &str) -> custody::bundle::report::Report {
    let export: api::Export = who.export(case).await.made();
    let bundle = who.bundle(&export.id).await;
    judged(who, &bundle.body).await
}
