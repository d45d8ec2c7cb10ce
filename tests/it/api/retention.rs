//! What was kept long enough is proposed, by rules and for reasons, and destroyed by nobody but two persons; and what the
//! defence has not got is not passed over.

use std::sync::Arc;

use custos::api;
use custos::app::setup;
use custos::clock::{Clock as _, ManualClock, SystemClock};
use custos::config::{Config, Flags};
use serde_json::{Value, json};

use super::destruction::{approval, disposal, hold, people, placed, proposed, released};
use super::restricted::{People, video};
use super::stays::audited;
use crate::on_both_engines;
use crate::support::app::TestApp;
use crate::support::bundle::{assert_as_good_as_it_gets, judged};
use crate::support::client::{Caller, draft};
use crate::support::raw::change;
use crate::support::world::Engine;

on_both_engines! {
    closed_cases_are_proposed_once_their_time_is_over_and_nothing_else_is
    what_somebody_declined_since_the_case_was_closed_is_not_asked_again_whenever_it_was_proposed
    what_the_defence_has_not_got_is_shown_and_not_passed_over
    what_the_defence_has_not_got_is_owed_when_it_is_removed_and_restricted_content_is_in_no_bundle
    what_older_schemas_do_not_say_is_read_from_the_records
}

/// The vault's configuration with rules for how long cases are kept.
fn keeping(app: &TestApp, rules: &str) -> Config {
    let file = app.root().join("retention.toml");
    std::fs::write(&file, rules).unwrap();
    let flags = Flags {
        config: Some(file),
        listen: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(app.config.data_dir().to_owned()),
        database_url: Some(app.config.database_url().to_owned()),
        ..Flags::default()
    };
    Config::load(&flags, &|_| None).unwrap()
}

/// Of how many items the vault proposes by itself so many days from now.
async fn proposals(app: &mut TestApp, rules: &str, days: i64) -> usize {
    app.stop().await;
    let now = SystemClock::new().now().saturating_add_millis(days * 24 * 60 * 60 * 1_000);
    let clock = Arc::new(ManualClock::new(now));
    let service = setup::open_at(&keeping(app, rules), None, clock).await.unwrap();
    let count = service.propose_by_retention().await.unwrap();
    service.close().await;
    app.start().await;
    count
}

async fn turned(who: &Caller, case: &str, how: &str) {
    assert_eq!(who.post(&format!("/api/v1/cases/{case}/{how}"), &json!({})).await.status, 201);
}

async fn disposals(who: &Caller, case: &str) -> Vec<api::DisposalInfo> {
    who.get(&format!("/api/v1/cases/{case}/disposals")).await.ok::<api::Disposals>().disposals
}

const THIRTY: &str = "[[retention]]\ncase_type = 'trafficking'\ndays = 90\n[[retention]]\ncase_type = \
                      'trafficking'\njurisdiction = 'gh'\ndays = 30\n";

async fn closed_cases_are_proposed_once_their_time_is_over_and_nothing_else_is(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, prisca, case) = people(&app).await;
    let first = asha.put(&case, "first.txt", b"first").await;
    let second = asha.put(&case, "second.txt", b"second").await;
    let bag = crate::support::client::item("open", "bag", None);
    asha.register(&case, &bag).await.made::<api::Created>();
    let other = asha.open_case("Another").await;
    asha.put(&other, "third.txt", b"third").await;
    turned(&asha, &other, "close").await;
    assert_eq!(proposals(&mut app, THIRTY, 91).await, 0, "an open case, and one that no rule is for");

    // As it was said last.
    let update = json!({ "case_type": "trafficking", "jurisdiction": "gh" });
    assert_eq!(asha.post(&format!("/api/v1/cases/{case}/update"), &update).await.status, 201);
    turned(&asha, &case, "close").await;
    let held = placed(&prisca, &case, Some(&second)).await;
    assert_eq!(proposals(&mut app, THIRTY, 29).await, 0, "not yet");
    assert_eq!(proposals(&mut app, "", 31).await, 0, "no rules");
    assert_eq!(proposals(&mut app, THIRTY, 100).await, 0, "rather, the clock is wrong");
    assert_eq!(proposals(&mut app, THIRTY, 31).await, 1, "one is held, one has no content");
    assert_eq!(proposals(&mut app, THIRTY, 32).await, 0, "once");

    let [found] = &disposals(&ben, &case).await[..] else { panic!("one") };
    assert_eq!((found.item.as_deref(), found.proposer.as_deref()), (Some(&*first), None));
    assert_eq!((found.ground.as_str(), found.stage.as_str()), ("retention-elapsed", "proposed"));
    let of_first = json!({ "case": case, "item": first });
    let decline = json!({ "case": case, "item": first, "data": { "proposal": found.record } });
    ben.say(&draft("disposal.declined", &decline)).await.made::<api::Recorded>();
    assert_eq!(proposals(&mut app, THIRTY, 33).await, 0, "somebody said no");
    prisca.say(&released(&case, Some(&second), &held)).await.made::<api::Recorded>();
    assert_eq!(proposals(&mut app, THIRTY, 34).await, 1, "held no more");

    // A hold on everything ends what was proposed; after it, the vault asks again.
    let all = placed(&asha, &case, None).await;
    assert_eq!(proposals(&mut app, THIRTY, 35).await, 0);
    prisca.say(&released(&case, None, &all)).await.made::<api::Recorded>();
    assert_eq!(proposals(&mut app, THIRTY, 36).await, 1, "the second, and not what was declined");
    let last = disposals(&ben, &case).await.pop().unwrap();
    assert_eq!(last.item.as_deref(), Some(&*second));

    // Closed anew, the time begins anew.
    turned(&asha, &case, "reopen").await;
    let of_second = json!({ "case": case, "item": second });
    asha.say(&approval(&of_second, &last.record, "lead", 0)).await.problem("proposal-lapsed");
    assert_eq!(disposal(&asha, &last.record).await.waits[0], "a new proposal: this one has lapsed");
    turned(&asha, &case, "close").await;
    assert_eq!(proposals(&mut app, THIRTY, 29).await, 0, "not yet");
    asha.say(&approval(&of_second, &last.record, "lead", 0)).await.problem("proposal-lapsed");
    assert_eq!(
        proposals(&mut app, THIRTY, 31).await,
        2,
        "what was declined, or proposed, before it was closed"
    );
    let last = disposals(&ben, &case).await.pop().unwrap();
    assert_eq!(last.item.as_deref(), Some(&*second));

    // Persons carry it out.
    asha.say(&approval(&of_second, &last.record, "lead", 0)).await.made::<api::Recorded>();
    prisca.say(&approval(&of_second, &last.record, "prosecutor", 0)).await.made::<api::Recorded>();
    asha.say(&approval(&of_first, &found.record, "lead", 0)).await.problem("no-such-proposal");
    app.stop().await;
    let service = setup::open(&app.config, None).await.unwrap();
    assert_eq!(service.carry_out_disposals().await.unwrap(), 1);
    service.close().await;
    app.start().await;
    assert_eq!(disposal(&asha, &last.record).await.stage, "executed");
    audited(&app).await;
}

async fn what_somebody_declined_since_the_case_was_closed_is_not_asked_again_whenever_it_was_proposed(
    engine: Engine,
) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, prisca, case) = people(&app).await;
    let update = json!({ "case_type": "trafficking" });
    assert_eq!(asha.post(&format!("/api/v1/cases/{case}/update"), &update).await.status, 201);
    let (early, late) =
        (asha.put(&case, "early.txt", b"early").await, asha.put(&case, "late.txt", b"late").await);
    let mut proposals_of = Vec::new();
    for item in [&early, &late] {
        let about = json!({ "case": case, "item": item, "purpose": "court-order" });
        proposals_of.push(proposed(&ben, &about).await);
    }
    let decline = async |item: &str, proposal: &str| {
        let data = json!({ "case": case, "item": item, "data": { "proposal": proposal } });
        prisca.say(&draft("disposal.declined", &data)).await.made::<api::Recorded>();
    };
    decline(&early, &proposals_of[0]).await;
    turned(&asha, &case, "close").await;
    decline(&late, &proposals_of[1]).await;
    assert_eq!(proposals(&mut app, THIRTY, 91).await, 1, "what was declined before it was closed");
    let asked = disposals(&ben, &case).await.pop().unwrap();
    assert_eq!((asked.item.as_deref(), asked.proposer), (Some(&*early), None));
    assert_eq!(proposals(&mut app, THIRTY, 91).await, 0);
    turned(&asha, &case, "reopen").await;
    turned(&asha, &case, "close").await;
    assert_eq!(proposals(&mut app, THIRTY, 91).await, 2, "closed anew");
    audited(&app).await;
}

async fn what_older_schemas_do_not_say_is_read_from_the_records(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, prisca, case) = people(&app).await;
    // Envelopes have the role at each place of a group of base64, according to what stands before it.
    let from = json!({ "from": "2026-01-01T00:00:00.000Z" });
    for (by_key, term) in [(true, json!({})), (true, from.clone()), (false, json!({})), (false, from)] {
        let case = asha.open_case("Defended").await;
        let mut data = json!({ "member": prisca.id, "role": "defence" });
        data.as_object_mut().unwrap().extend(term.as_object().unwrap().clone());
        let added = json!({ "case": case, "data": data });
        if by_key {
            asha.say(&draft("member.added", &added)).await.made::<api::Recorded>();
        } else {
            let new = json!({ "person": prisca.id, "role": "defence", "from": term.get("from") });
            let path = format!("/api/v1/cases/{case}/members");
            asha.post(&path, &new).await.made::<api::Recorded>();
        }
        let removed = json!({ "case": case, "data": { "member": prisca.id, "role": "defence" } });
        asha.say(&draft("member.removed", &removed)).await.made::<api::Recorded>();
    }
    let exhibit = asha.put(&case, "a.txt", b"content").await;
    let about = json!({ "case": case, "item": exhibit, "purpose": "court-order" });
    for _ in 0..2 {
        let proposal = proposed(&ben, &about).await;
        let data = json!({ "case": case, "item": exhibit, "data": { "proposal": proposal } });
        prisca.say(&draft("disposal.declined", &data)).await.made::<api::Recorded>();
    }
    audited(&app).await;
    let migration = match engine {
        Engine::Sqlite => include_str!("../../../migrations/sqlite/0034_disclosure.sql"),
        Engine::Postgres => include_str!("../../../migrations/postgres/0034_disclosure.sql"),
    };
    let url = app.config.database_url();
    for (what, none, known, rows) in [
        ("cases SET defended", "FALSE", "defended", 4),
        ("disposals SET ended", "NULL", "ended IS NOT NULL", 2),
    ] {
        change(url, &format!("UPDATE {what} = {none} WHERE {known}"), rows).await;
        let update = format!("UPDATE {what} = ");
        let text = migration.split(";\n").find_map(|part| part.find(&update).map(|at| &part[at..])).unwrap();
        change(url, text, rows).await;
    }
    audited(&app).await;
}

async fn what_the_defence_has_not_got_is_owed_when_it_is_removed_and_restricted_content_is_in_no_bundle(
    engine: Engine,
) {
    let app = TestApp::new(engine).await;
    let people = People::new(&app).await;
    let People { asha, ben, prisca, dora, case } = &people;
    let exhibit = asha.put(case, "a.txt", b"content").await;
    let restricted = people.put(people.sealing(), &video()).await;
    let removed = json!({ "case": case, "data": { "member": dora.id, "role": "defence" } });
    asha.say(&draft("member.removed", &removed)).await.made::<api::Recorded>();
    let about = |item: &str| json!({ "case": case, "item": item, "purpose": "court-order" });
    let (of_open, of_restricted) =
        (proposed(ben, &about(&exhibit)).await, proposed(ben, &about(&restricted)).await);
    let shown = disposal(prisca, &of_open).await;
    assert_eq!((shown.pending, shown.in_no_bundle), (1, 1));
    asha.say(&approval(&about(&exhibit), &of_open, "lead", 0)).await.problem("disclosure-pending");

    let exports = format!("/api/v1/cases/{case}/exports");
    let export: api::Export = asha.post(&exports, &json!({ "purpose": "disclosure" })).await.made();
    let pending = async |of: &str| disposal(prisca, of).await.pending;
    assert_eq!((pending(&of_open).await, pending(&of_restricted).await), (0, 1));
    asha.say(&approval(&about(&exhibit), &of_open, "lead", 1)).await.made::<api::Recorded>();
    asha.say(&approval(&about(&restricted), &of_restricted, "lead", 1)).await.problem("disclosure-pending");
    let mut said = approval(&about(&restricted), &of_restricted, "lead", 1);
    said["data"]["disclosure"] = json!("made-otherwise");
    asha.say(&said).await.made::<api::Recorded>();
    assert_eq!(asha.bundle(&export.id).await.status, 200);
    audited(&app).await;
}

async fn what_the_defence_has_not_got_is_shown_and_not_passed_over(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, prisca, case) = people(&app).await;
    let olga = app.enrol("Olga Auditor", &["auditor"]).await;
    let exhibit = asha.put(&case, "a.txt", b"content").await;
    let about = json!({ "case": case, "item": exhibit, "purpose": "court-order" });
    let proposal = proposed(&ben, &about).await;
    assert_eq!(disposal(&asha, &proposal).await.pending, 0, "nobody defends");
    let dan = app.enrol("Dan Defender", &[]).await;
    asha.add_member(&case, &dan.id, "defence").await.made::<api::Recorded>();
    let shown = disposal(&prisca, &proposal).await;
    assert_eq!((shown.pending, &shown.pending_cases[..]), (1, &[case.clone()][..]));
    asha.say(&approval(&about, &proposal, "lead", 0)).await.problem("disclosure-pending");

    // Values about somebody who is in that case: who approves that learns how many cases there are, and not which.
    let about_ben = json!({ "person": ben.id, "purpose": "erasure-requested" });
    let of_ben = proposed(&app.admin, &about_ben).await;
    let shown = disposal(&olga, &of_ben).await;
    assert_eq!((shown.pending, shown.pending_cases.len()), (1, 0));
    olga.say(&approval(&about_ben, &of_ben, "auditor", 0)).await.problem("disclosure-pending");
    let otherwise = |about: &Value, proposal: &str, role: &str, exports| {
        let mut said = approval(about, proposal, role, exports);
        said["data"]["disclosure"] = json!("made-otherwise");
        said
    };
    olga.say(&otherwise(&about_ben, &of_ben, "auditor", 0)).await.made::<api::Recorded>();

    let exports = format!("/api/v1/cases/{case}/exports");
    asha.post(&exports, &json!({ "purpose": "court" })).await.made::<api::Export>();
    asha.say(&approval(&about, &proposal, "lead", 1)).await.problem("disclosure-pending");
    let export: api::Export = asha.post(&exports, &json!({ "purpose": "disclosure" })).await.made();
    assert_eq!(disposal(&prisca, &proposal).await.pending, 0);
    asha.say(&approval(&about, &proposal, "lead", 2)).await.made::<api::Recorded>();
    let later = asha.put(&case, "later.txt", b"more").await;
    prisca.say(&approval(&about, &proposal, "prosecutor", 2)).await.problem("disclosure-pending");
    prisca.say(&otherwise(&about, &proposal, "prosecutor", 2)).await.made::<api::Recorded>();
    prisca.say(&hold(&case, Some(&later))).await.made::<api::Recorded>();
    assert_as_good_as_it_gets(&judged(&asha, &asha.bundle(&export.id).await.body).await);
    audited(&app).await;
}
