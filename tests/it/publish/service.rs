//! The service and its witnesses: what is shown, receipts that wait, bundles that are witnessed.

use custody::bundle::findings::Code;
use custody::bundle::{Trust, verify};
use custody::checkpoint::Checkpoint;
use custody::note::SignedNote;
use custody::policy::Policy;
use custody::receipt::Receipt;
use custos::api;
use reqwest::Method;
use serde_json::json;

use crate::api::spine::two_custodians;
use crate::support::app::{TestApp, place_with};
use crate::support::bundle::Unzipped;
use crate::support::witness::{Manner, Witness, introduce, policy};
use crate::support::world::Engine;

crate::on_both_engines! {
    a_bundle_is_witnessed_and_the_same_bytes_whenever_it_is_fetched
    receipts_wait_for_witnesses_when_asked_to
    an_office_without_its_witnesses_works_on_says_so_and_catches_up
}

pub(crate) async fn witnessed(engine: Engine, witnesses: &[&Witness], quorum: usize) -> TestApp {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("witnesses");
    std::fs::write(&file, policy(quorum, witnesses, None)).unwrap();
    let config = place_with(engine, directory.path(), &[("CUSTOS_WITNESSES", file.as_path())]).await;
    // Nobody asks before there is a log to introduce: the vault is founded first.
    for witness in witnesses {
        witness.behave(Manner::Down);
    }
    let app = TestApp::init(config, directory, "Unit", "Ada").await;
    introduce(&app.shared.log);
    for witness in witnesses {
        witness.behave(Manner::Sound);
    }
    app
}

pub(crate) fn trusted(app: &TestApp, witnesses: &[&Witness], quorum: usize) -> Policy {
    Policy::parse(policy(quorum, witnesses, Some(&app.shared.log)).as_bytes()).unwrap()
}

async fn a_bundle_is_witnessed_and_the_same_bytes_whenever_it_is_fetched(engine: Engine) {
    let (one, two) = (Witness::new(51).await, Witness::new(52).await);
    let mut app = witnessed(engine, &[&one, &two], 2).await;
    let (asha, _, case) = two_custodians(&app).await;
    asha.put(&case, "a.txt", b"a").await;
    let export: api::Export = asha.export(&case).await.made();
    let bundle = asha.bundle(&export.id).await.body;
    let files = Unzipped::new(&bundle);
    let trust = Trust { fingerprint: None, policy: Some(trusted(&app, &[&one, &two], 2)), timestamps: None };
    let report = verify(&mut Unzipped::new(&bundle), &trust, None, &[]).unwrap();
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert!(!codes.contains(&Code::NotWitnessed), "{:#?}", report.findings);
    assert_eq!(report.facts.cosignatures, 2);
    assert_eq!(report.exit_code, 4, "{:#?}", report.findings);
    assert!(
        codes.iter().all(|code| [Code::NotTimestamped, Code::NotAudited].contains(code)
            || code.gravity() == custody::bundle::findings::Gravity::Notice),
        "{:#?}",
        report.findings
    );
    let note = files.by_name()["custody/checkpoint"];
    let checkpoint = Checkpoint::open(&SignedNote::parse(note).unwrap(), &app.shared.log).unwrap();
    assert!(checkpoint.size() >= report.facts.cut.unwrap());

    // Later checkpoints do not change what was decided; nor does a start without witnesses.
    asha.open_case("Another").await;
    app.restart().await;
    assert!(asha.bundle(&export.id).await.body == bundle);
    app.restart_alone().await;
    assert!(asha.bundle(&export.id).await.body == bundle);
}

async fn receipts_wait_for_witnesses_when_asked_to(engine: Engine) {
    let witness = Witness::new(51).await;
    let app = witnessed(engine, &[&witness], 1).await;
    let trusted = trusted(&app, &[&witness], 1);
    let asha = app.enrol("Asha", &["custodian"]).await;
    let body = json!({ "title": "A case", "case_type": "other", "jurisdiction": "ke" });
    let made = asha.until_witnessed("/api/v1/cases", &body).await;
    asha.check(&made.receipts);
    for receipt in made.receipts.to_keep() {
        let receipt = Receipt::parse(&receipt).unwrap();
        let accepted = trusted.accept(receipt.proof.checkpoint()).unwrap();
        assert!(accepted.quorum_met && accepted.checkpoint.size() > receipt.proof.index());
    }
    let plain: api::Created = asha.post("/api/v1/cases", &body).await.made();
    assert_eq!(plain.receipts.witnessed, None);
    asha.post("/api/v1/cases?wait=forever", &body).await.problem("invalid-request");
    // An answer without receipts, and one that is a refusal, are as they were.
    let token = asha.post("/api/v1/tokens?wait=witnessed", &json!({ "label": "phone", "days": 1 })).await;
    assert!(token.made::<api::Token>().token.starts_with("cus_"));
    asha.post("/api/v1/orgs?wait=witnessed", &json!({ "name": "x" })).await.problem("not-permitted");
    let gone = asha.send(asha.request(Method::DELETE, "/api/v1/tokens/x?wait=witnessed")).await;
    assert!(gone.status.is_client_error());
}

async fn an_office_without_its_witnesses_works_on_says_so_and_catches_up(engine: Engine) {
    let witness = Witness::new(51).await;
    let app = witnessed(engine, &[&witness], 1).await;
    let stranger = app.admin.with_token("");
    let asha = app.enrol("Asha", &["custodian"]).await;
    let body = json!({ "title": "A case", "case_type": "other", "jurisdiction": "ke" });
    asha.until_witnessed("/api/v1/cases", &body).await;
    let ready = stranger.get("/readyz").await;
    assert_eq!(ready.body, b"ready\n");
    let before = stranger.checkpoint().await;

    witness.behave(Manner::Down);
    let made: api::Created = asha.post("/api/v1/cases?wait=witnessed", &body).await.made();
    assert_eq!(made.receipts.witnessed, Some(false), "it is said, and recorded all the same");
    asha.check(&made.receipts);
    assert_eq!(stranger.checkpoint().await, before, "the checkpoint before stays");
    let ready = stranger.get("/readyz?verbose").await;
    let text = String::from_utf8(ready.body).unwrap();
    assert_eq!(ready.status, 200);
    assert!(
        text.contains("\nalarm: too few witnesses have cosigned: ") && text.contains("\nwitness w0: "),
        "{text}"
    );

    witness.behave(Manner::Sound);
    asha.until_witnessed("/api/v1/cases", &body).await;
    assert_ne!(stranger.checkpoint().await, before);
    assert_eq!(stranger.get("/readyz").await.body, b"ready\n");
}
