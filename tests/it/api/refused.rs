//! Who is turned away, how it is said, and what is recorded about it.

use custody::record::Sequence;
use custos::api;
use reqwest::Method;
use serde_json::{Value, json};

use super::spine::two_custodians;
use super::{alter, log_of, refusals, refused};
use crate::on_both_engines;
use crate::support::app::TestApp;
use crate::support::child::Child;
use crate::support::client::{Answer, Caller, draft, item, op_id};
use crate::support::raw;
use crate::support::world::Engine;

on_both_engines! {
    nobody_gets_in_without_a_valid_token
    other_peoples_cases_look_like_no_cases_and_asking_is_recorded
    content_needs_an_open_grant_of_ones_own
    a_grant_that_ran_out_is_closed_by_the_vault
    administrators_stay_out_of_cases
    what_exists_already_is_shown_to_its_members_only
    the_same_key_of_two_callers_names_two_things
    counted_refusals_are_recorded_when_the_service_ends
    a_service_whose_database_answers_no_more_ends_and_says_what_is_lost
}

async fn nobody_gets_in_without_a_valid_token(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let before = log_of(&app).await.len();
    let new = json!({ "label": "short", "days": 1 });
    let short: api::Token = asha.post("/api/v1/tokens", &new).await.made();
    expire(&app, "api_tokens", "label = 'short'").await;
    let unknown = format!("{}A_00000000", &short.token[..20]);
    for token in ["", "x", "cus_", &unknown, &format!("{}x", asha.token), &short.token] {
        let answer = asha.with_token(token).me().await;
        answer.problem("unauthenticated");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
    assert_eq!(log_of(&app).await.len(), before, "strangers write no records");
    assert_eq!(asha.me().await.status, 200);

    let mut last = asha.with_token("x").me().await;
    for _ in 0..40 {
        if last.status == 429 {
            break;
        }
        last = asha.with_token("x").me().await;
    }
    last.problem("too-many-requests");
    assert!(last.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(asha.me().await.status, 200, "whoever is signed in is not turned away");
}

/// Lets rows run out, as if time had passed.
async fn expire(app: &TestApp, table: &str, which: &str) {
    let changed = alter(app, &format!("UPDATE {table} SET expires = 1 WHERE {which}")).await;
    assert!(changed > 0, "nothing ran out");
}

/// Everything that somebody may try on a case and an item that are not theirs.
async fn attempts(who: &Caller, case: &str, exhibit: &str) -> Vec<Answer> {
    let any = serde_json::to_value(item("open", "x", None)).unwrap();
    let posts: [(String, Value); 6] = [
        (format!("/api/v1/cases/{case}/items"), any),
        (format!("/api/v1/cases/{case}/members"), json!({ "person": who.id, "role": "reader" })),
        (format!("/api/v1/cases/{case}/exports"), json!({ "purpose": "court" })),
        (format!("/api/v1/items/{exhibit}/access"), json!({ "purpose": "case-review" })),
        (format!("/api/v1/items/{exhibit}/class"), json!({ "class": "open", "seen": "0".repeat(64) })),
        (
            "/api/v1/statements/on-behalf".to_owned(),
            draft("correction.noted", &json!({ "case": case, "data": { "record": "0".repeat(64) } })),
        ),
    ];
    let mut answers = Vec::new();
    for (path, body) in posts {
        answers.push(who.post(&path, &body).await);
    }
    for path in [
        format!("/api/v1/cases/{case}"),
        format!("/api/v1/cases/{case}/members"),
        format!("/api/v1/cases/{case}/items"),
        format!("/api/v1/cases/{case}/custody"),
        format!("/api/v1/items/{exhibit}"),
        format!("/api/v1/items/{exhibit}/custody"),
        format!("/api/v1/items/{exhibit}/content"),
    ] {
        answers.push(who.get(&path).await);
    }
    let upload = who.request(Method::PUT, &format!("/api/v1/items/{exhibit}/content"));
    answers.push(who.send(upload.body("bytes")).await);
    answers
}

async fn other_peoples_cases_look_like_no_cases_and_asking_is_recorded(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.txt", b"a").await;
    let (cara, dora) = (app.enrol("Cara", &["custodian"]).await, app.enrol("Dora", &["custodian"]).await);
    let nothing = "01920000-0000-7000-8000-000000000000";
    let before = refusals(&app).await.len();
    let foreign = attempts(&cara, &case, &exhibit).await;
    let theirs = refusals(&app).await;
    let unknown = attempts(&dora, nothing, nothing).await;
    let all = refusals(&app).await;
    for (foreign, unknown) in foreign.iter().zip(&unknown) {
        let (foreign, unknown) = (foreign.problem("not-found"), unknown.problem("not-found"));
        assert_eq!((foreign.detail, foreign.title), (unknown.detail, unknown.title));
    }
    let of = |caller: &Caller, all: &[_]| {
        let own = |denied: &&(_, custody::act::AccessDenied)| denied.1.person.to_string() == caller.id;
        let mut acts: Vec<_> =
            all.iter().filter(own).map(|(place, denied)| (*place, denied.act.to_string())).collect();
        acts.sort_by(|a, b| a.1.cmp(&b.1));
        acts
    };
    assert!(theirs.len() >= before + 7, "{theirs:?}");
    assert_eq!(of(&cara, &all), of(&dora, &all), "recorded alike, one a kind of act");
    assert!(of(&cara, &all).iter().all(|(place, _)| *place == Some(Sequence::Refusals)));
    // Whoever may see the case learns nothing of it, and the case's own custody does not grow.
    assert!(asha.custody("cases", &case).await.records.iter().all(|record| record.kind != "access.denied"));
}

async fn content_needs_an_open_grant_of_ones_own(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let (exhibit, other) = (asha.put(&case, "a.txt", b"a").await, asha.put(&case, "b.txt", b"b").await);
    asha.get(&format!("/api/v1/items/{exhibit}/content")).await.problem("access-grant-needed");
    let denied = asha.custody("items", &exhibit).await.records.pop().unwrap();
    assert_eq!((denied.kind.as_str(), denied.actor.as_str()), ("access.denied", "system"));

    let of_ben: api::Access = ben.access(&exhibit).await.made();
    asha.send(asha.reading(&exhibit, &of_ben.access)).await.problem("access-grant-needed");
    ben.send(ben.reading(&other, &of_ben.access)).await.problem("access-grant-needed");
    ben.send(ben.reading(&exhibit, &"0".repeat(64))).await.problem("access-grant-needed");
    ben.send(ben.reading(&exhibit, "junk")).await.problem("invalid-request");
    let of_asha: api::Access = asha.access(&exhibit).await.made();
    let complete = format!("/api/v1/items/{exhibit}/access/{}/complete", of_asha.access);
    ben.send(ben.request(Method::POST, &complete)).await.problem("grant");
    ben.post(&format!("/api/v1/items/{exhibit}/access"), &json!({ "purpose": "Not A Code" }))
        .await
        .problem("invalid-request");

    let made: api::Created = asha.register(&case, &item("open", "later.txt", None)).await.made();
    asha.access(&made.id).await.problem("no-content");
}

async fn a_grant_that_ran_out_is_closed_by_the_vault(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.txt", b"a").await;
    let access: api::Access = ben.access(&exhibit).await.made();
    assert_eq!(ben.send(ben.reading(&exhibit, &access.access)).await.body, b"a");
    expire(&app, "grants", "completed = FALSE").await;
    ben.send(ben.reading(&exhibit, &access.access)).await.problem("access-grant-needed");

    app.stop().await;
    let service = custos::app::setup::open(&app.config, None).await.unwrap();
    assert_eq!(service.close_expired_grants().await.unwrap(), 1);
    assert_eq!(service.close_expired_grants().await.unwrap(), 0);
    service.close().await;
    app.start().await;
    let last = asha.custody("items", &exhibit).await.records.pop().unwrap();
    assert_eq!((last.kind.as_str(), last.assurance.as_str()), ("access.completed", "system"));
}

async fn administrators_stay_out_of_cases(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    asha.add_member(&case, &app.admin.id, "reader").await.problem("administrator-apart");
    let (place, denied) = refusals(&app).await.pop().unwrap();
    assert_eq!(
        (place, denied.rule.as_str()),
        (Some(Sequence::Case(case.parse().unwrap())), "administrator-apart")
    );
    app.admin.case(&case).await.problem("not-found");
    let roles = format!("/api/v1/persons/{}/roles", ben.id);
    app.admin.post(&roles, &json!({ "role": "administrator" })).await.problem("administrator-apart");
    asha.post(&roles, &json!({ "role": "registrar" })).await.problem("not-permitted");
    app.admin
        .post("/api/v1/cases", &json!({ "title": "T", "case_type": "other", "jurisdiction": "ke" }))
        .await
        .problem("not-permitted");
    let own = format!("/api/v1/persons/{}/roles/administrator", app.admin.id);
    app.admin.delete(&own).await.problem("last-one");
    ben.add_member(&case, &app.enrol("Cara", &[]).await.id, "reader").await.problem("not-permitted");
    asha.invite(&ben.id, "in-person").await.problem("not-permitted");
    app.admin.prepare_redemption("cus_nothing").await.problem("invitation-invalid");
}

async fn what_exists_already_is_shown_to_its_members_only(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let exhibit = asha.put(&case, "a.txt", b"a").await;
    let cara = app.enrol("Cara", &["custodian"]).await;
    let (hers, bens) = (cara.open_case("Another").await, ben.open_case("A third").await);
    let data = json!({ "case_type": "other", "jurisdiction": "ke" });
    let opened = draft("case.opened", &json!({ "case": case, "data": data }));
    let registered = |case: &str| {
        let data = json!({ "class": "open", "route": "api" });
        draft("item.registered", &json!({ "case": case, "item": exhibit, "data": data }))
    };
    let on_behalf = "/api/v1/statements/on-behalf";
    let nothing = cara.case("01920000-0000-7000-8000-000000000000").await.problem("not-found").detail;
    for answer in [
        cara.post(on_behalf, &opened).await,
        cara.say(&opened).await,
        cara.post(on_behalf, &registered(&hers)).await,
        cara.say(&registered(&hers)).await,
    ] {
        assert_eq!(answer.problem("not-found").detail, nothing);
    }
    for (act, records) in [("case-opened", 1), ("item-registered", 1)] {
        let (count, found) = refused(&app, &cara.id, act).await;
        assert_eq!((count, found), (1, records), "{act}: the second waits to be counted");
    }
    assert!(asha.custody("cases", &case).await.records.iter().all(|record| record.kind != "access.denied"));

    let before = refusals(&app).await.len();
    ben.post(on_behalf, &opened).await.problem("exists");
    ben.say(&registered(&bens)).await.problem("exists");
    asha.say(&registered(&case)).await.problem("exists");
    assert_eq!(refusals(&app).await.len(), before, "a mistake, no refusal");
}

async fn the_same_key_of_two_callers_names_two_things(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, _) = two_custodians(&app).await;
    let key = op_id();
    let new = json!({ "title": "Two", "case_type": "other", "jurisdiction": "ke" });
    let hers: api::Created = asha.post_as(&key, "/api/v1/cases", &new).await.made();
    let his: api::Created = ben.post_as(&key, "/api/v1/cases", &new).await.made();
    assert_ne!(hers.id, his.id);
    let again: api::Created = ben.post_as(&key, "/api/v1/cases", &new).await.made();
    assert_eq!(again.id, his.id);
}

async fn counted_refusals_are_recorded_when_the_service_ends(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (_, _, case) = two_custodians(&app).await;
    let cara = app.enrol("Cara", &[]).await;
    for _ in 0..3 {
        cara.case(&case).await.problem("not-found");
    }
    assert_eq!(refused(&app, &cara.id, "read-records").await, (1, 1));
    app.restart().await;
    assert_eq!(refused(&app, &cara.id, "read-records").await, (3, 2));
    app.restart().await;
    assert_eq!(refused(&app, &cara.id, "read-records").await, (3, 2), "once");
}

async fn a_service_whose_database_answers_no_more_ends_and_says_what_is_lost(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (_, _, case) = two_custodians(&app).await;
    let cara = app.enrol("Cara", &[]).await;
    app.stop().await;
    let log = app.root().join("log");
    let child = Child::start(&app.config, &[], Some(std::fs::File::create(&log).unwrap()));
    app.serve_at(&child.base);
    for _ in 0..3 {
        cara.case(&case).await.problem("not-found");
    }
    let ends = async { tokio::task::spawn_blocking(|| child.stop()).await.unwrap() };
    // It ends while the log can be written by nobody, though its own patience with the database would be longer.
    raw::held_during(app.config.database_url(), "UPDATE log_head SET size = size", ends).await;
    let log = std::fs::read_to_string(&log).unwrap();
    let lost = log.lines().find(|line| line.contains("could not be recorded and are lost"));
    assert!(lost.is_some_and(|line| line.contains("\"refusals\":2")), "{lost:?}");
    app.start().await;
    assert_eq!(refused(&app, &cara.id, "read-records").await, (1, 1));
}
