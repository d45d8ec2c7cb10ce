//! A sealed exhibit on its way: an officer, a courier without a key, and the laboratory that takes over.

use custos::api;
use serde_json::{Value, json};

use super::holding::{in_days, judged_export};
use super::spine::two_custodians;
use super::stays::audited;
use crate::support::app::TestApp;
use crate::support::client::{Caller, draft, item};
use crate::support::world::Engine;

crate::on_both_engines! {
    what_is_carried_is_signed_for_at_each_hand_and_shown_where_it_is
    what_is_said_at_a_hand_is_said_and_by_whoever_has_it
}

/// A sealed phone of Asha's, for Ben; Dina may carry it.
struct Phone {
    asha: Caller,
    ben: Caller,
    dina: Caller,
    case: String,
    id: String,
}

impl Phone {
    async fn sealed(app: &TestApp) -> Self {
        let (asha, ben, case) = two_custodians(app).await;
        let dina = app.enrol("Dina Driver", &[]).await;
        asha.add_member(&case, &dina.id, "custodian").await.made::<api::Recorded>();
        let new = api::NewItem { route: "physical".to_owned(), ..item("confidential", "phone", None) };
        let id = asha.register(&case, &new).await.made::<api::Created>().id;
        let phone = Self { asha, ben, dina, case, id };
        let seal = phone.draft("seal.applied", &json!({}), &json!({ "seal": "S-1204" }));
        phone.asha.say(&seal).await.made::<api::Recorded>();
        phone
    }

    fn draft(&self, kind: &str, data: &Value, fields: &Value) -> Value {
        let purpose = (kind == "transfer.offered").then_some("analysis");
        let more =
            json!({ "case": self.case, "item": self.id, "data": data, "fields": fields, "purpose": purpose });
        draft(kind, &more)
    }

    fn offer(&self, carriers: &Value, fields: &Value) -> Value {
        let data = json!({ "to": self.ben.id, "expires": in_days(3), "carriers": carriers });
        self.draft("transfer.offered", &data, fields)
    }

    fn carried(&self, step: &str, fields: &Value) -> Value {
        self.draft("transfer.carried", &json!({ "step": step }), fields)
    }

    async fn offer_of(&self, who: &Caller) -> api::OfferInfo {
        who.item(&self.id).await.ok::<api::Item>().offer.unwrap()
    }
}

fn stated() -> Value {
    json!({ "condition": "as sealed", "seal": "S-1204" })
}

fn to_courier() -> Value {
    json!({ "condition": "as sealed", "seal": "S-1204", "carrier": "Night Parcels", "waybill": "NP-77" })
}

async fn waits(who: &Caller) -> usize {
    who.get("/api/v1/transfers").await.ok::<api::Transfers>().items.len()
}

async fn what_is_carried_is_signed_for_at_each_hand_and_shown_where_it_is(engine: Engine) {
    let app = TestApp::new(engine).await;
    let phone = Phone::sealed(&app).await;
    let Phone { asha, ben, dina, case, id } = &phone;
    asha.say(&phone.offer(&json!([dina.id, "outside"]), &stated())).await.made::<api::Recorded>();
    assert_eq!((waits(ben).await, waits(dina).await, waits(asha).await), (1, 1, 0));
    let offer = phone.offer_of(ben).await;
    assert_eq!((offer.carriers, offer.carrier), (vec![dina.id.clone(), "outside".to_owned()], None));
    assert_eq!(offer.waits_for, dina.id);
    ben.say(&phone.draft("transfer.accepted", &json!({ "from": "outside" }), &stated()))
        .await
        .problem("in-carriage");

    let taken: api::Recorded = dina.say(&phone.carried("taken", &stated())).await.made();
    dina.check(&taken.receipts);
    let found = ben.item(id).await.ok::<api::Item>();
    assert_eq!(found.custodian, dina.id, "whoever has it answers for it");
    let offer = found.offer.unwrap();
    assert_eq!((offer.carrier.as_ref(), offer.waits_for.as_str()), (Some(&dina.id), dina.id.as_str()));
    let report = judged_export(asha, case).await;
    assert!(report.to_text().contains("E-0001: by Dina Driver, for Ben"), "{}", report.to_text());

    dina.say(&phone.carried("handed-on", &to_courier())).await.made::<api::Recorded>();
    assert_eq!((waits(ben).await, waits(dina).await), (1, 0));
    assert_eq!(phone.offer_of(ben).await.carrier.as_deref(), Some("outside"));
    let report = judged_export(asha, case).await;
    let [carried] = &report.facts.carriage[..] else { panic!("one") };
    assert_eq!((carried.by.as_str(), carried.held_by.as_str()), ("outside", "Dina Driver"));
    let told = "E-0001: by a carrier without a key, to whom Dina Driver handed it, for Ben";
    assert!(report.to_text().contains(told), "{}", report.to_text());

    ben.say(&phone.draft("transfer.accepted", &json!({ "from": dina.id }), &stated()))
        .await
        .problem("not-from");
    let accepted: api::Recorded =
        ben.say(&phone.draft("transfer.accepted", &json!({ "from": "outside" }), &stated())).await.made();
    ben.check(&accepted.receipts);
    let found = ben.item(id).await.ok::<api::Item>();
    assert_eq!((found.custodian.as_str(), found.offer.is_none()), (ben.id.as_str(), true));
    let custody = asha.custody("items", id).await;
    let said = |name: &str| {
        let fields = custody.records.iter().flat_map(|record| record.fields.iter());
        fields.filter(|(field, _)| field.as_str() == name).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (said("waybill"), said("carrier")),
        (vec!["NP-77".to_owned()], vec!["Night Parcels".to_owned()])
    );
    assert_eq!(said("seal").len(), 5, "put on, offered, taken, handed on, accepted");
    audited(&app).await;
    let report = judged_export(ben, case).await;
    assert_eq!((report.facts.carriage.len(), report.facts.transfers.carried), (0, 1));
    assert!(report.to_text().contains("0 waiting; taken by carriers 1 time(s)"), "{}", report.to_text());
}

async fn what_is_said_at_a_hand_is_said_and_by_whoever_has_it(engine: Engine) {
    let app = TestApp::new(engine).await;
    let phone = Phone::sealed(&app).await;
    let Phone { asha, ben, dina, case, id } = &phone;
    asha.prepare(&phone.offer(&json!(["outside"]), &stated())).await.problem("invalid-statement");
    asha.prepare(&phone.offer(&json!(["outside", "outside"]), &to_courier()))
        .await
        .problem("invalid-statement");
    asha.say(&phone.offer(&json!([asha.id]), &stated())).await.problem("offer-to-self");
    let other = asha.register(case, &item("open", "bag", None)).await.made::<api::Created>().id;
    let mut unsealed = phone.offer(&json!([dina.id]), &stated());
    unsealed["item"] = json!(other);
    asha.say(&unsealed).await.problem("not-sealed");

    asha.say(&phone.offer(&json!([dina.id, "outside"]), &stated())).await.made::<api::Recorded>();
    dina.prepare(&phone.carried("taken", &json!({ "seal": "S-1204" }))).await.problem("invalid-statement");
    ben.say(&phone.carried("taken", &stated())).await.problem("not-receiver");
    asha.say(&phone.carried("handed-on", &stated())).await.problem("in-carriage");
    let broken = json!({ "case": case, "item": id, "purpose": "analysis" });
    asha.say(&draft("seal.broken", &broken)).await.problem("in-carriage");
    dina.say(&phone.carried("taken", &stated())).await.made::<api::Recorded>();
    dina.say(&phone.carried("handed-on", &stated())).await.problem("carrier-unnamed");
    asha.say(&phone.draft("transfer.recalled", &json!({}), &json!({}))).await.problem("not-custodian");

    // Whoever carries it answers for it, and stays a member until they have given it away.
    asha.delete(&format!("/api/v1/cases/{case}/members/{}/custodian", dina.id))
        .await
        .problem("holds-custody");
    dina.say(&phone.draft("transfer.recalled", &json!({}), &json!({}))).await.made::<api::Recorded>();
    dina.say(&draft("seal.broken", &broken)).await.made::<api::Recorded>();
    audited(&app).await;
}
