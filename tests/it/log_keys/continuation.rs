//! The log's key was stolen or lost: the vault goes on under another name.

use custody::bundle::findings::{Code, Gravity};
use custody::bundle::{Trust, verify};
use custody::checkpoint::{Checkpoint, CheckpointError, Origin};
use custody::digest::Digest;
use custody::log_keys::{FollowError, LogKeys};
use custody::note::SignedNote;
use custody::policy::Policy;
use custody::receipt::Receipt;
use custos::api;
use custos::client::Stranger;
use custos::keyring::{FileProvider, Keyring};
use custos::ops::replay::replay;
use custos::store::Store;
use serde_json::json;

use super::outsiders::{Outside, serve_with_witness, tell};
use super::{custos, done, followed, key_files, rotate};
use crate::api::spine::two_custodians;
use crate::support::app::TestApp;
use crate::support::bundle::{Unzipped, assert_as_good_as_it_gets, judged};
use crate::support::world::Engine;
use crate::witness::service::Service;

crate::on_both_engines! {
    a_vault_whose_log_key_was_stolen_goes_on_under_another_name
    a_log_key_that_is_gone_is_no_end
}

/// What the fingerprint on paper leads to.
async fn trusted(app: &TestApp, tls: Digest) -> LogKeys {
    let url = app.shared.base.lock().unwrap().clone();
    let keys = Stranger::meet(&url, tls, app.shared.vault).await.unwrap().trust().logs().clone();
    app.shared.keys.lock().unwrap().clone_from(&keys);
    keys
}

fn findings(report: &custody::bundle::Report) -> Vec<Code> {
    report.findings.iter().map(|found| found.code).filter(|code| code.gravity() != Gravity::Notice).collect()
}

async fn a_vault_whose_log_key_was_stolen_goes_on_under_another_name(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    asha.put(&case, "a.txt", b"a").await;
    let early: api::Created = app.admin.new_org("Early").await.made();
    let export: api::Export = asha.export(&case).await.made();
    let old_bundle = asha.bundle(&export.id).await.body;
    app.stop().await;

    let stolen = Keyring::open(&app.config.data_dir().join("keys"), &FileProvider).unwrap();
    let stolen = stolen.log_keys()[&1].clone();
    // Nobody agreed: nothing changed.
    let asked = custos(&app, &["log", "continue"]).stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(asked.status.code(), Some(2), "{asked:?}");
    let said = String::from_utf8(asked.stderr).unwrap();
    assert!(said.contains("confirmed by nobody outside") && said.contains("/custos/2"), "{said}");
    assert_eq!(key_files(&app), ["log.key"]);

    let said = done(&custos(&app, &["log", "continue", "--yes"]).output().unwrap());
    let index = said["index"].as_u64().unwrap();
    assert_eq!((said["anchored_by"].as_str(), said["anchor_size"].as_u64()), (Some("vault"), Some(index)));
    let tls = app.start().await.tls_fingerprint;

    // Who knows the log's key alone does not follow; who knows the vault does.
    let first = LogKeys::from(app.shared.log.clone());
    let lost = followed(&app.admin, first.clone()).await.unwrap_err();
    assert!(
        matches!(&lost, FollowError::Continued(name) if *name == said["origin"].as_str().unwrap()),
        "{lost}"
    );
    let keys = trusted(&app, tls).await;
    assert_eq!(keys.present().to_string(), said["log_vkey"].as_str().unwrap());
    let info: api::VaultInfo = asha.get("/api/v1/vault").await.ok();
    assert_eq!(
        (info.origin.as_str(), info.log_vkey),
        (said["origin"].as_str().unwrap(), keys.present().to_string())
    );

    // What was proven holds, and more is said under the new name.
    for receipt in early.receipts.to_keep().map(|bytes| Receipt::parse(&bytes).unwrap()) {
        receipt.check(&app.shared.vault, &app.shared.log).unwrap();
        receipt.check_with(&app.shared.vault, &keys).unwrap();
    }
    asha.put(&case, "b.txt", b"b").await;
    let note = SignedNote::parse(asha.checkpoint().await.as_bytes()).unwrap();
    let shown = keys.open(&note).unwrap();
    assert_eq!(shown.origin().as_str(), info.origin);
    assert!(asha.bundle(&export.id).await.body == old_bundle, "an old bundle is the same bytes for ever");
    assert_as_good_as_it_gets(&judged(&asha, &old_bundle).await);

    // The thief signs on, under the old name and under the new one.
    for origin in [app.shared.log.name().as_str(), info.origin.as_str()] {
        let forged = Checkpoint::new(Origin::new(origin).unwrap(), shown.size(), *shown.root()).unwrap();
        let refused = keys.open(&forged.sign(&stolen).unwrap()).unwrap_err();
        let under_old_name = origin == app.shared.log.name().as_str();
        assert_eq!(
            matches!(refused, CheckpointError::Replaced { until } if until == index),
            under_old_name,
            "{refused}"
        );
    }

    // A bundle says what nobody outside had confirmed.
    let new: api::Export = asha.export(&case).await.made();
    let bundle = asha.bundle(&new.id).await.body;
    let report = judged(&asha, &bundle).await;
    assert_eq!(report.exit_code, 4, "{:#?}", report.findings);
    assert_eq!(findings(&report), [Code::NotWitnessed, Code::NotTimestamped, Code::LogContinued]);
    let change = &report.facts.log_changes[0];
    assert!(change.renamed && change.index == index && change.key == keys.present().to_string());
    assert!(
        report.to_text().contains("given up, the log goes on by the vault's word as"),
        "{}",
        report.to_text()
    );

    // And the log's new key is replaced like any other.
    app.stop().await;
    let (next, _) = rotate(&app);
    let tls = app.start().await.tls_fingerprint;
    assert_eq!(trusted(&app, tls).await.present(), &next);
    asha.put(&case, "c.txt", b"c").await;
    assert_eq!(findings(&judged(&asha, &bundle).await), findings(&report));
    app.stop().await;
    let store = Store::attach(app.config.database_url()).await.unwrap();
    let report = replay(&store, &std::env::temp_dir(), &mut |_, _, _| {}).await.unwrap();
    assert!(report.replayed && report.differences.is_empty(), "{report:?}");
}

async fn a_log_key_that_is_gone_is_no_end(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    asha.put(&case, "a.txt", b"a").await;
    let export: api::Export = asha.export(&case).await.made();
    app.stop().await;
    std::fs::remove_file(app.config.data_dir().join("keys/log.key")).unwrap();
    let refused = custos(&app, &["key", "rotate-log"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    // The keyring has no key of the log at all; the new one is made as its first.
    let said =
        done(&custos(&app, &["log", "continue", "--yes", "--as", "office.example/log"]).output().unwrap());
    assert_eq!(said["origin"], "office.example/log");
    let tls = app.start().await.tls_fingerprint;
    trusted(&app, tls).await;
    asha.put(&case, "b.txt", b"b").await;
    // What only the old key could sign once more is gone, and says so; a new export has all of it.
    asha.bundle(&export.id).await.problem("log-key-gone");
    let new: api::Export = asha.export(&case).await.made();
    let report = judged(&asha, &asha.bundle(&new.id).await.body).await;
    assert_eq!(report.exit_code, 4, "{:#?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_witnesses_the_log_goes_on_from_what_they_confirmed() {
    let mut world = Outside::new().await;
    let witness = Service::new(&world.path("w1"), "witness.example/w1", &[&world.app.shared.log]);
    serve_with_witness(&mut world, &witness).await;
    let (asha, _, case) = two_custodians(&world.app).await;
    let old = world.app.shared.log.clone();
    let body = json!({ "title": "A case", "case_type": "other", "jurisdiction": "ke" });
    asha.until_witnessed("/api/v1/cases", &body).await;
    let confirmed = witness.logs()[0]["size"].as_u64().unwrap();
    // Nobody outside sees what comes now.
    world.app.restart_alone().await;
    asha.put(&case, "a.txt", b"a").await;
    world.app.stop().await;
    let said = done(&custos(&world.app, &["log", "continue", "--yes"]).output().unwrap());
    assert_eq!(
        (said["anchored_by"].as_str(), said["anchor_size"].as_u64()),
        (Some("cosignatures"), Some(confirmed))
    );
    let index = said["index"].as_u64().unwrap();
    assert!(index > confirmed);

    serve_with_witness(&mut world, &witness).await;
    let keys = trusted(&world.app, world.tls).await;
    let ready = async || String::from_utf8(asha.with_token("").get("/readyz?verbose").await.body).unwrap();
    asha.put(&case, "b.txt", b"b").await;
    let told = async || ready().await.contains("it does not follow this log");
    while !told().await {}
    tell(&world, "w1", keys.present());
    asha.until_witnessed("/api/v1/cases", &body).await;
    let logs = witness.logs();
    let sizes: Vec<_> =
        logs.as_array().unwrap().iter().map(|log| (log["origin"].clone(), log["size"].as_u64())).collect();
    assert_eq!(sizes[0], (json!(old.name().as_str()), Some(confirmed)), "the old log ends where it was");
    assert!(sizes[1].0 == said["origin"] && sizes[1].1 > Some(index), "{sizes:?}");

    // A court that trusts the witness: some records were confirmed by nobody before, and no others.
    let export: api::Export = asha.export(&case).await.made();
    let bundle = asha.bundle(&export.id).await.body;
    let policy = format!("log {}\nwitness w1 {}\nquorum w1\n", keys.present(), witness.vkey);
    let policy = Some(Policy::parse(policy.as_bytes()).unwrap());
    let trust = Trust { fingerprint: Some(world.app.shared.vault), policy, timestamps: None };
    let report = verify(&mut Unzipped::new(&bundle), &trust, None, &[]).unwrap();
    assert_eq!(report.exit_code, 4, "{:#?}", report.findings);
    let found = report.findings.iter().find(|found| found.code == Code::LogContinued).unwrap();
    assert!(found.places.iter().all(|place| (confirmed..index).contains(&place.index.unwrap())), "{found:?}");
    assert!(!report.has(Code::NotWitnessed) && found.count > 0, "{:#?}", report.findings);

    // Outsiders: whoever knew the old key alone is told to ask.
    let output = world.log(&old, &["audit", "@", "--state", "seen"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["finding"],
        "log-continued"
    );
    done(&world.log(keys.present(), &["audit", "@", "--state", "new"]));
}
