//! The life of a case: what it is said to be, who belongs to it for how long, closing and reopening.

use custody::record::Sequence;
use custos::api;
use serde_json::json;

use super::refused;
use crate::on_both_engines;
use crate::support::app::TestApp;
use crate::support::client::{draft, item};
use crate::support::world::Engine;

on_both_engines! {
    a_case_is_what_was_said_of_it_last
    a_closed_case_is_read_and_kept_and_not_added_to
    a_role_says_when_it_counts
    a_page_tells_of_no_case_that_it_does_not_show
    auditors_read_what_happened_and_no_case
}

async fn a_case_is_what_was_said_of_it_last(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &["investigator"]).await;
    let new = json!({
        "title": "Site 4", "case_type": "forced-labour", "jurisdiction": "in",
        "references": { "fir": "12/2026", "esakshya-sid": "SID 7" }, "fields": { "notes": "n" },
    });
    let case = asha.post("/api/v1/cases", &new).await.made::<api::Created>().id;
    let update = format!("/api/v1/cases/{case}/update");
    let changed =
        json!({ "case_type": "trafficking", "references": { "fir": "13/2026", "fir-2": "9/2026" } });
    let recorded: api::Recorded = asha.post(&update, &changed).await.made();
    asha.check(&recorded.receipts);
    asha.post(&update, &json!({ "title": "Site 5", "jurisdiction": "bd" })).await.made::<api::Recorded>();
    let found: api::Case = asha.case(&case).await.ok();
    assert_eq!((found.case_type.as_str(), found.jurisdiction.as_str()), ("trafficking", "bd"));
    assert_eq!((found.fields["title"].as_str(), found.fields["notes"].as_str()), ("Site 5", "n"));
    let references: Vec<_> = found.references.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(references, [("esakshya-sid", "SID 7"), ("fir", "13/2026"), ("fir-2", "9/2026")]);
    assert_eq!(asha.get("/api/v1/cases").await.ok::<api::Cases>().cases[0].references, found.references);

    for (wrong, code) in [
        (json!({}), "invalid-statement"),
        (json!({ "title": " " }), "invalid-request"),
        (json!({ "case_type": "fraud" }), "invalid-request"),
        (json!({ "references": { "fir-1": "x" } }), "invalid-request"),
        (json!({ "fields": { "ref-number": "x" } }), "invalid-statement"),
    ] {
        asha.post(&update, &wrong).await.problem(code);
    }
    let data = json!({ "case_type": "other", "jurisdiction": "ke" });
    let fields = json!({ "title": "T", "ref-number": "x" });
    let case = "01920000-0000-7000-8000-000000000001";
    let opened = draft("case.opened", &json!({ "case": case, "data": data, "fields": fields }));
    asha.post("/api/v1/statements/on-behalf", &opened).await.problem("invalid-statement");
}

async fn a_closed_case_is_read_and_kept_and_not_added_to(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &["investigator"]).await;
    let ben = app.enrol("Ben", &[]).await;
    let case = asha.open_case("A case").await;
    asha.add_member(&case, &ben.id, "court").await.made::<api::Recorded>();
    let exhibit = asha.put(&case, "a.txt", b"a").await;
    let waiting: api::Created = asha.register(&case, &item("open", "b.txt", Some(b"b"))).await.made();
    let turn = async |how: &str| {
        let why = json!({ "purpose": "judgment", "fields": { "notes": "appeal open" } });
        asha.post(&format!("/api/v1/cases/{case}/{how}"), &why).await
    };
    turn("reopen").await.problem("case-state");
    asha.check(&turn("close").await.made::<api::Recorded>().receipts);
    turn("close").await.problem("case-state");
    assert!(ben.case(&case).await.ok::<api::Case>().closed);

    asha.register(&case, &item("open", "c.txt", None)).await.problem("case-closed");
    asha.upload(&waiting.id, b"b").await.problem("case-closed");
    let update = format!("/api/v1/cases/{case}/update");
    asha.post(&update, &json!({ "title": "New" })).await.problem("case-closed");
    let denied = asha.custody("cases", &case).await.records;
    let denied = denied.iter().filter(|record| record.kind == "access.denied").count();
    assert_eq!(denied, 3, "a refusal of the person, on record");
    asha.offer(&case, &exhibit, &ben.id).await.made::<api::Recorded>();
    ben.accept(&case, &exhibit).await.made::<api::Recorded>();
    ben.export(&case).await.made::<api::Export>();
    let read: api::Access = ben.access(&exhibit).await.made();
    assert_eq!(ben.send(ben.reading(&exhibit, &read.access)).await.body, b"a");

    turn("reopen").await.made::<api::Recorded>();
    asha.upload(&waiting.id, b"b").await.made::<api::Stored>();
    let last = asha.custody("cases", &case).await.records;
    let closed = last.iter().find(|record| record.kind == "case.closed").unwrap();
    assert_eq!(
        (closed.purpose.as_deref(), closed.fields["notes"].as_str()),
        (Some("judgment"), "appeal open")
    );
}

async fn a_role_says_when_it_counts(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben) = (app.enrol("Asha", &["investigator"]).await, app.enrol("Ben", &[]).await);
    let case = asha.open_case("A case").await;
    let members = format!("/api/v1/cases/{case}/members");
    let (past, far) = ("2020-01-01T00:00:00.000Z", "2199-01-01T00:00:00.000Z");
    let later = json!({ "person": ben.id, "role": "observer", "from": far });
    asha.post(&members, &later).await.made::<api::Recorded>();
    ben.case(&case).await.problem("not-found");
    assert!(ben.get("/api/v1/cases").await.ok::<api::Cases>().cases.is_empty());
    let over = json!({ "person": ben.id, "role": "court", "until": past });
    asha.post(&members, &over).await.problem("term");
    let now = json!({ "person": ben.id, "role": "court", "from": past, "until": far });
    asha.post(&members, &now).await.made::<api::Recorded>();
    assert_eq!(ben.case(&case).await.ok::<api::Case>().roles, ["court"]);
    asha.post(&members, &now).await.problem("role");
    let found: api::Members = ben.get(&members).await.ok();
    let found = found.members.iter().find(|member| member.person == ben.id).unwrap();
    let terms: Vec<_> =
        found.terms.iter().map(|t| (t.role.as_str(), t.from.as_deref(), t.until.as_deref())).collect();
    assert_eq!(terms, [("court", Some(past), Some(far)), ("observer", Some(far), None)]);
    assert_eq!(found.roles, ["court"]);
    let roles = format!("/api/v1/persons/{}/roles", ben.id);
    app.admin.post(&roles, &json!({ "role": "custodian", "from": far })).await.made::<api::Recorded>();
    let opens = json!({ "title": "T", "case_type": "other", "jurisdiction": "ke" });
    ben.post("/api/v1/cases", &opens).await.problem("not-permitted");
    let ben: api::Person = asha.get(&format!("/api/v1/persons/{}", ben.id)).await.ok();
    assert_eq!((ben.roles.len(), ben.terms[0].role.as_str()), (0, "custodian"));
}

async fn auditors_read_what_happened_and_no_case(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, audra) = (app.enrol("Asha", &["investigator"]).await, app.enrol("Audra", &["auditor"]).await);
    let case = asha.open_case("A case").await;
    audra.case(&case).await.problem("not-found");
    assert_eq!(refused(&app, &audra.id, "read-records").await, (1, 1));
    let read = async |stream: &str| audra.get(&format!("/api/v1/audit/{stream}?limit=200")).await;
    let kinds = |page: api::Custody| page.records.into_iter().map(|r| r.kind).collect::<Vec<_>>();
    assert_eq!(kinds(read("vault").await.ok())[..2], ["vault.created", "org.registered"]);
    let person = format!("person:{}", asha.id);
    assert_eq!(kinds(read(&person).await.ok()), ["person.registered", "role.granted", "key.enrolled"]);
    let refusals: api::Custody = read("refusals").await.ok();
    assert_eq!(kinds(refusals), ["access.denied"]);
    for stream in [Sequence::Case(case.parse().unwrap()).to_string(), "junk".to_owned()] {
        read(&stream).await.problem("invalid-request");
    }
    asha.get("/api/v1/audit/vault").await.problem("not-permitted");
    app.admin.get("/api/v1/audit/refusals").await.problem("not-permitted");
}

async fn a_page_tells_of_no_case_that_it_does_not_show(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &["investigator"]).await;
    let ben = app.enrol("Ben", &[]).await;
    let mut shown = Vec::new();
    for title in ["One", "Two", "Three", "Four"] {
        let case = asha.open_case(title).await;
        let later = title == "Two" || title == "Four";
        let from = later.then_some("2199-01-01T00:00:00.000Z");
        let member = json!({ "person": ben.id, "role": "reader", "from": from });
        asha.post(&format!("/api/v1/cases/{case}/members"), &member).await.made::<api::Recorded>();
        if !later {
            shown.push(case);
        }
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: api::Cases = ben.get(&format!("/api/v1/cases?limit=1{cursor}")).await.ok();
        found.extend(page.cases.into_iter().map(|case| case.id));
        let Some(next) = page.next else { break };
        assert_eq!(Some(&next), found.last(), "where it goes on is told by what is shown");
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, shown);
}
