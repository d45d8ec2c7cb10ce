//! The life of exhibits on a shelf: offers that end in every way, places, seals.

use custody::bundle::report::Transfers;
use custody::kind::Kind;
use custody::statement::Statement;
use custos::api;
use custos::clock::{Clock as _, SystemClock};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::spine::two_custodians;
use super::stays::audited;
use crate::support::app::{TestApp, enrol};
use crate::support::bundle::{assert_as_good_as_it_gets, judged};
use crate::support::client::{Caller, draft, item};
use crate::support::world::Engine;

crate::on_both_engines! {
    two_hundred_items_change_hands_between_organisations
    a_phone_is_sealed_moved_handed_over_and_opened
    stored_bytes_are_read_once_more_before_they_change_hands
}

/// How many items change hands.
const ITEMS: usize = 200;

async fn two_hundred_items_change_hands_between_organisations(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let police: api::Created = app.admin.new_org("Second Unit").await.made();
    let asha = app.enrol("Asha Custodian", &["custodian"]).await;
    let ben = enrol(&app.admin, &police.id, "Ben Custodian", &["custodian"]).await;
    let case = asha.open_case("The quarry").await;
    asha.add_member(&case, &ben.id, "custodian").await.made::<api::Recorded>();
    let mut items: Vec<String> = futures_util::stream::iter(0..ITEMS)
        .map(|_| async { asha.register(&case, &item("open", "bag", None)).await.made::<api::Created>().id })
        .buffer_unordered(32)
        .collect()
        .await;
    items.sort();

    // One offer names them all but one, whose offer ran out long ago.
    let (late, rest) = items.split_last().unwrap();
    let named = |items: &[String]| items.iter().map(|item| json!({ "item": item })).collect::<Vec<_>>();
    let to_ben = |items: &[String], data: &Value| {
        let more = json!({ "case": case, "items": named(items), "purpose": "analysis", "data": data,
            "fields": { "condition": "bags closed" } });
        draft("transfer.offered", &more)
    };
    let offered: api::Recorded =
        asha.say(&to_ben(rest, &json!({ "to": ben.id, "expires": in_days(14) }))).await.made();
    assert_eq!(asha.check(&offered.receipts).len(), ITEMS - 1);
    let answer = |kind, items: &[String]| draft(kind, &json!({ "case": case, "items": named(items) }));
    let (declined, recalled) = (&rest[..1], &rest[1..2]);
    ben.say(&answer("transfer.declined", declined)).await.made::<api::Recorded>();
    ben.say(&answer("transfer.recalled", recalled)).await.problem("not-custodian");
    asha.say(&answer("transfer.recalled", recalled)).await.made::<api::Recorded>();
    ben.prepare(&answer("transfer.accepted", recalled)).await.problem("no-such-offer");
    let accepted: api::Recorded = ben.say(&answer("transfer.accepted", &rest[2..])).await.made();
    assert_eq!(ben.check(&accepted.receipts).len(), ITEMS - 3);

    run_out(&asha, &to_ben(std::slice::from_ref(late), &json!({ "to": ben.id, "expires": in_days(14) })))
        .await;
    app.stop().await;
    let service = custos::app::setup::open(&app.config, None).await.unwrap();
    // The service looks by itself once a minute.
    assert!(service.expire_offers().await.unwrap() <= 1);
    assert_eq!(service.expire_offers().await.unwrap(), 0);
    service.close().await;
    app.start().await;
    let mut records = asha.custody("items", late).await.records;
    assert_eq!(records.iter().filter(|record| record.kind == "transfer.expired").count(), 1);
    let last = records.pop().unwrap();
    assert_eq!((last.kind.as_str(), last.assurance.as_str()), ("transfer.expired", "system"));
    let inbox: api::Transfers = ben.get("/api/v1/transfers").await.ok();
    assert!(inbox.items.is_empty());

    audited(&app).await;
    let report = judged_export(&asha, &case).await;
    let told = Transfers {
        accepted: ITEMS as u64 - 3,
        carried: 0,
        declined: 1,
        expired: 1,
        offered: ITEMS as u64,
        recalled: 1,
    };
    assert_eq!(report.facts.transfers, told);
    let mut held: Vec<_> = report.facts.custodians.iter().map(|c| (c.exhibits, c.name.as_str())).collect();
    held.sort_unstable();
    assert_eq!(held, [(3, "Asha Custodian"), (ITEMS as u64 - 3, "Ben Custodian")]);
    let text = report.to_text();
    assert!(
        text.contains("200 offered: 197 accepted, 1 declined, 1 recalled, 1 expired, 0 waiting"),
        "{text}"
    );
}

async fn a_phone_is_sealed_moved_handed_over_and_opened(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let new = api::NewItem { route: "physical".to_owned(), ..item("confidential", "phone", None) };
    let phone = asha.register(&case, &new).await.made::<api::Created>().id;
    let about = |kind: &str, more: Value| {
        let mut all = json!({ "case": case, "item": phone });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        draft(kind, &all)
    };
    let seal = about("seal.applied", json!({ "fields": { "seal": "S-1204" } }));
    ben.say(&seal).await.problem("not-custodian");
    asha.prepare(&about("seal.applied", json!({}))).await.problem("invalid-statement");
    let sealed: api::Recorded = asha.say(&seal).await.made();
    let seal_record = asha.check(&sealed.receipts)[0].record_hash.to_hex();
    assert_eq!(ben.item(&phone).await.ok::<api::Item>().seal.as_ref(), Some(&seal_record));
    asha.say(&seal).await.problem("sealed");

    let moved = about("item.moved", json!({ "fields": { "place": "Locker 4" }, "purpose": "storage" }));
    asha.say(&moved).await.made::<api::Recorded>();
    asha.offer(&case, &phone, &ben.id).await.made::<api::Recorded>();
    ben.accept(&case, &phone).await.made::<api::Recorded>();
    let opened = |purpose: Option<&str>| about("seal.broken", json!({ "purpose": purpose }));
    ben.prepare(&opened(None)).await.problem("invalid-statement");
    asha.say(&opened(Some("analysis"))).await.problem("not-custodian");
    ben.say(&opened(Some("analysis"))).await.made::<api::Recorded>();
    assert_eq!(ben.item(&phone).await.ok::<api::Item>().seal, None);
    ben.prepare(&opened(Some("analysis"))).await.problem("no-such-seal");

    let custody = ben.custody("items", &phone).await;
    let fields: Vec<_> = custody.records.iter().flat_map(|record| record.fields.clone()).collect();
    assert!(fields.contains(&("seal".to_owned(), "S-1204".to_owned())), "{fields:?}");
    assert!(fields.contains(&("place".to_owned(), "Locker 4".to_owned())), "{fields:?}");
    let kinds = [Kind::SealApplied, Kind::ItemMoved, Kind::TransferOffered, Kind::SealBroken];
    for kind in kinds {
        assert!(custody.records.iter().any(|record| record.kind == kind.to_string()), "{kind}");
    }
    audited(&app).await;
    let report = judged_export(&ben, &case).await;
    assert_eq!((report.facts.exhibits, report.facts.files), (1, 0), "an exhibit without bytes");
}

async fn stored_bytes_are_read_once_more_before_they_change_hands(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let eve = app.enrol("Eve Reader", &[]).await;
    asha.add_member(&case, &eve.id, "reader").await.made::<api::Recorded>();
    let bare = asha.register(&case, &item("open", "bag", None)).await.made::<api::Created>().id;
    let photo = asha.put(&case, "photo", &vec![9; 400_000]).await;
    let check = |id: &str| format!("/api/v1/items/{id}/fixity");
    eve.post(&check(&photo), &()).await.problem("not-permitted");
    asha.post(&check(&bare), &()).await.problem("no-content");
    let found: api::Fixity = ben.post(&check(&photo), &()).await.made();
    assert!(found.intact && found.size == 400_000);
    assert_eq!(ben.check(&found.receipts)[0].record.kind, Kind::FixityPassed);

    let [object] = &app.objects()[..] else { panic!("one object") };
    let mut bytes = std::fs::read(object).unwrap();
    bytes[300_000] ^= 1;
    std::fs::write(object, bytes).unwrap();
    let found: api::Fixity = ben.post(&check(&photo), &()).await.made();
    assert!(!found.intact);
    assert_eq!(ben.check(&found.receipts)[0].record.kind, Kind::FixityFailed);
    std::fs::remove_file(object).unwrap();
    assert!(!asha.post(&check(&photo), &()).await.made::<api::Fixity>().intact);
}

pub(super) async fn judged_export(who: &Caller, case: &str) -> custody::bundle::Report {
    let export: api::Export = who.export(case).await.made();
    let bundle = who.bundle(&export.id).await;
    let report = judged(who, &bundle.body).await;
    assert_as_good_as_it_gets(&report);
    report
}

/// Makes an offer that its giver made three days ago, for a day.
async fn run_out(giver: &Caller, draft: &Value) {
    let prepared: api::Prepared = giver.prepare(draft).await.ok();
    let mut statement = Statement::parse(&prepared.statement.0).unwrap();
    statement.actor_time = in_days(-3).parse().unwrap();
    statement.data.insert("expires".to_owned(), in_days(-2).as_str().into());
    let made = giver.submit_envelope(giver.envelope(&statement.to_bytes()), &prepared.openings).await;
    made.made::<api::Recorded>();
}

pub(super) fn in_days(days: i64) -> String {
    SystemClock::new().now().saturating_add_millis(days * 24 * 60 * 60 * 1_000).to_string()
}
