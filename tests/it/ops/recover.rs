//! A restore that lost published records: refused, noted, and gone on with, as everybody outside can check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use custody::bundle::findings::{Code, Gravity};
use custody::bundle::{Report, Trust, verify};
use custody::digest::Digest;
use custody::receipt::Receipt;
use custos::api;
use custos::app::setup::SetupError;
use custos::config::Config;
use custos::http::ServeError;
use custos::ops::backup::restore_rows;
use custos::ops::replay::replay;
use custos::publish::StartError;
use custos::store::{Store, StoreError};
use serde_json::{Value, json};

use super::backup::{backed_up, elsewhere, restored};
use super::upgrade::copies;
use crate::api::spine::two_custodians;
use crate::publish::service::{trusted, witnessed};
use crate::support::app::{TestApp, refused_start};
use crate::support::bundle::{Unzipped, judged, judged_with};
use crate::support::client::{Caller, draft};
use crate::support::raw::change;
use crate::support::witness::Witness;
use crate::support::world::Engine;

crate::on_both_engines! {
    what_is_lost_is_noted_and_everything_else_goes_on
    what_was_begun_or_said_in_the_gap_can_be_said_again
    nothing_is_written_unless_everything_is
    a_published_log_that_is_not_this_databases_is_not_gone_on_with
    entries_behind_the_newest_checkpoint_count_as_published
    a_mirror_is_enough_where_the_published_log_is_gone_too
    looking_brings_no_schema_up_to_date
}

/// Runs the program on the vault of `config`.
pub(crate) fn custos(config: &Config, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
    command.args(["--json"]).args(args).args(["--listen", "127.0.0.1:0"]);
    command.args(["--data-dir", config.data_dir().to_str().unwrap()]);
    command.args(["--database-url", config.database_url(), "--blobs-url", config.blobs_url()]);
    command.env_clear().env("CUSTOS_HOME", config.data_dir()).output().unwrap()
}

pub(crate) fn said(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
pub(crate) fn refused(output: &Output, why: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(why) && told.contains("hint: "), "{told}");
}

/// What `custos recover` says is lost; then it is noted.
pub(crate) fn recovered(config: &Config) -> Value {
    let before = files(config);
    let found = said(&custos(config, &["recover", "--dry-run"]))["loss"].clone();
    assert_eq!(files(config), before);
    let lost = found["lost"].as_u64().unwrap();
    refused(&custos(config, &["recover", "--confirm-lost", &(lost + 1).to_string()]), "were confirmed");
    let recovered = said(&custos(config, &["recover", "--confirm-lost", &lost.to_string()]));
    assert_eq!(recovered["log_size"], found["to"].as_u64().unwrap() + 1);
    // It is said once.
    refused(&custos(config, &["recover", "--dry-run"]), "nothing is lost");
    refused(&custos(config, &["recover", "--confirm-lost", &lost.to_string()]), "nothing is lost");
    recovered
}

/// Everything that a vault keeps on this machine, by what it is; a SQLite file without what lies beside it while it is
/// open.
fn files(config: &Config) -> BTreeMap<PathBuf, Digest> {
    let objects = Path::new(config.blobs_url().strip_prefix("file://").unwrap());
    let found = [config.data_dir(), objects].into_iter().flat_map(walkdir::WalkDir::new).map(Result::unwrap);
    let found = found.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    let found = found.filter(|path| !path.to_string_lossy().ends_with(".db-wal"));
    let found = found.filter(|path| !path.to_string_lossy().ends_with(".db-shm"));
    found.map(|path| (path.clone(), Digest::of(&std::fs::read(path).unwrap()))).collect()
}

pub(crate) fn log_of(config: &Config) -> PathBuf {
    Path::new(config.blobs_url().strip_prefix("file://").unwrap()).join("log")
}

/// The vault's machine is gone, but for the published log: the newest backup takes its place. The vault must not run.
async fn wiped(app: &mut TestApp, engine: Engine, name: &str, more: &[(&str, &Path)]) {
    let place = elsewhere(engine, &app.root(), name, more).await;
    let found = restored(&place, &app.root().join("backups")).await.unwrap();
    assert!(found.is_whole(), "{found:?}");
    std::fs::rename(log_of(&app.config), log_of(&place)).unwrap();
    std::fs::remove_dir_all(app.config.data_dir()).unwrap();
    app.config = place;
    let refused = refused_start(&app.config).await;
    let ServeError::Setup(SetupError::Published(StartError::RolledBack { published, database })) = refused
    else {
        panic!("{refused:?}")
    };
    assert!(published > database && refused.remedy().contains("custos recover"), "{}", refused.remedy());
}

/// Bundles say what is lost, and nothing worse.
#[track_caller]
pub(crate) fn assert_lost_and_nothing_worse(report: &Report) {
    let lacking = report.findings.iter().map(|finding| finding.code);
    let lacking: Vec<_> = lacking.filter(|code| code.gravity() != Gravity::Notice).collect();
    assert_eq!(report.exit_code, 4, "{:#?}", report.findings);
    assert_eq!(
        lacking,
        [Code::NotWitnessed, Code::NotTimestamped, Code::RecoveredGap],
        "{:#?}",
        report.findings
    );
}

/// What is said of lost records, by the part of the bundle or what was given beside it.
pub(crate) fn gaps<'r>(report: &'r Report, path: &str) -> Vec<&'r str> {
    let found = report.findings.iter().find(|finding| finding.code == Code::RecoveredGap);
    let places = found.map_or(&[][..], |finding| &finding.places);
    places.iter().filter(|place| place.path == path).map(|place| place.detail.as_str()).collect()
}

pub(crate) async fn exported(caller: &Caller, case: &str) -> Vec<u8> {
    let export: api::Export = caller.export(case).await.made();
    caller.bundle(&export.id).await.body
}

pub(crate) async fn assert_replays(config: &Config) {
    let store = Store::attach(config.database_url()).await.unwrap();
    let report = replay(&store, &std::env::temp_dir(), &mut |_, _, _| {}).await.unwrap();
    assert!(report.replayed && report.differences.is_empty(), "{report:?}");
    store.close().await;
}

pub(crate) fn receipts(receipts: &api::Receipts) -> Vec<Receipt> {
    receipts.to_keep().map(|bytes| Receipt::parse(&bytes).unwrap()).collect()
}

/// Looks at the log from outside, remembering what it saw.
async fn assert_consistent(app: &TestApp, outside: &Path) {
    let url = app.shared.base.lock().unwrap().clone();
    let certificate = std::fs::read(app.config.data_dir().join("tls/server.crt")).unwrap();
    let certificate = rustls::pki_types::pem::PemObject::from_pem_slice(&certificate);
    let certificate: rustls::pki_types::CertificateDer<'_> = certificate.unwrap();
    let pin = custody::digest::Digest::of(&certificate).to_hex();
    let (vkey, outside) = (app.shared.log.to_string(), outside.to_owned());
    let look = move || {
        let custos = |args: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
            command.args(["--json", "log"]).args(args).args(["--vkey", &vkey, "--fingerprint", &pin]);
            let output = command.env_clear().env("CUSTOS_HOME", &outside).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{output:?}");
        };
        custos(&["audit", &url, "--state", outside.join("state").to_str().unwrap()]);
        custos(&["mirror", &url, outside.join("mirror").to_str().unwrap()]);
    };
    tokio::task::spawn_blocking(look).await.unwrap();
}

async fn what_is_lost_is_noted_and_everything_else_goes_on(engine: Engine) {
    let witness = Witness::new(61).await;
    let mut app = witnessed(engine, &[&witness], 1).await;
    let policy = app.root().join("witnesses");
    let more = [("CUSTOS_WITNESSES", policy.as_path())];
    let outside = tempfile::tempdir().unwrap();
    let (asha, ben, case) = two_custodians(&app).await;
    let kept = asha.put(&case, "kept.txt", b"kept").await;
    let untouched = asha.open_case("Nothing happens here").await;
    app.stop().await;
    backed_up(&app.config, &app.root().join("backups"), 0).await;
    app.start().await;

    // What will be lost: in an item, a case, a person's stream and the vault's; published, and seen by outsiders.
    let offered: api::Recorded = asha.offer(&case, &kept, &ben.id).await.made();
    let gone = asha.put(&case, "gone.txt", b"gone").await;
    let dead: api::Created =
        asha.register(&case, &crate::support::client::item("open", "dead.txt", None)).await.made();
    app.enrol("Cara Custodian", &["custodian"]).await;
    let early = exported(&asha, &case).await;
    app.admin.until_witnessed("/api/v1/orgs", &json!({ "name": "Lost Unit" })).await;
    assert_consistent(&app, outside.path()).await;
    let seen = witness.known().latest.unwrap().size;
    app.stop().await;

    wiped(&mut app, engine, "first", &more).await;
    let noted = recovered(&app.config);
    assert!(noted["to"].as_u64().unwrap() >= seen, "{noted}");
    assert_eq!((&noted["remains"]["cases"], &noted["remains"]["items"]), (&json!(2), &json!(1)));
    assert_replays(&app.config).await;
    app.start().await;

    // What is lost is not there, and everything else goes on.
    assert_eq!(asha.item(&gone).await.status, 404);
    let again: api::Recorded = asha.offer(&case, &kept, &ben.id).await.made();
    asha.check(&again.receipts);
    ben.accept(&case, &kept).await.made::<api::Recorded>();
    asha.put(&case, "new.txt", b"new").await;
    app.enrol("Dan Custodian", &["custodian"]).await;
    let resumed = receipts(&again.receipts);
    assert_eq!(resumed[0].recoveries.len(), 1);
    // Asked for again, a receipt is the same but for its proof.
    let statement = resumed[0].envelope.to_vec();
    let twice: api::Recorded = asha.submit_envelope(statement, &[]).await.made();
    let twice = receipts(&twice.receipts);
    assert_eq!((twice[0].entry, twice[0].recoveries.len()), (resumed[0].entry, 1));
    asha.check(&again.receipts);

    let bundle = exported(&asha, &case).await;
    let report = judged(&asha, &bundle).await;
    assert_lost_and_nothing_worse(&report);
    let said = gaps(&report, "custody/records.jsonl");
    assert!(said.iter().any(|detail| detail.starts_with(&format!("item:{kept}: it goes on"))), "{said:?}");
    assert!(said.iter().any(|detail| detail.contains("published entries are lost")), "{said:?}");
    assert!(!gaps(&report, "entries").is_empty());
    let other = exported(&asha, &untouched).await;
    let report = judged(&asha, &other).await;
    assert_lost_and_nothing_worse(&report);
    let sequence = format!("case:{untouched}: it goes on");
    assert!(gaps(&report, "custody/records.jsonl").iter().all(|detail| !detail.starts_with(&sequence)));

    // Receipts of lost records say what they prove; what was exported then still verifies.
    let lost = [receipts(&offered.receipts), receipts(&dead.receipts)].concat();
    let report = judged_with(&asha, &bundle, &lost).await;
    assert_lost_and_nothing_worse(&report);
    let said = gaps(&report, "receipt");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("transfer.offered") && said[0].contains("that the vault lost"), "{said:?}");
    let report = judged_with(&asha, &early, &lost).await;
    assert_eq!((report.exit_code, report.facts.receipts), (4, 2), "{:#?}", report.findings);
    assert!(!report.has(Code::RecoveredGap) && report.has(Code::Continued), "{:#?}", report.findings);

    // Whoever had seen the larger log goes on with it.
    app.admin.until_witnessed("/api/v1/orgs", &json!({ "name": "New Unit" })).await;
    assert!(witness.known().latest.unwrap().size > seen);
    assert_consistent(&app, outside.path()).await;
    let trust = Trust { policy: Some(trusted(&app, &[&witness], 1)), ..Trust::default() };
    let bundle = exported(&asha, &case).await;
    let report = verify(&mut Unzipped::new(&bundle), &trust, None, &[]).unwrap();
    assert!(report.exit_code == 4 && !report.has(Code::NotWitnessed), "{:#?}", report.findings);

    // And once more: what went on after the first loss is lost, and goes on.
    app.stop().await;
    assert_replays(&app.config).await;
    wiped(&mut app, engine, "second", &more).await;
    recovered(&app.config);
    app.start().await;
    let third: api::Recorded = asha.offer(&case, &kept, &ben.id).await.made();
    asha.check(&third.receipts);
    let between = backed_up(&app.config, &app.root().join("backups"), 1).await;
    assert!(between.damaged.is_empty());
    ben.accept(&case, &kept).await.made::<api::Recorded>();
    app.admin.until_witnessed("/api/v1/orgs", &json!({ "name": "Lost again" })).await;
    app.stop().await;
    wiped(&mut app, engine, "third", &more).await;
    recovered(&app.config);
    assert_replays(&app.config).await;
    app.start().await;
    ben.accept(&case, &kept).await.made::<api::Recorded>();
    let bundle = exported(&asha, &case).await;
    let report = judged_with(&asha, &bundle, &receipts(&third.receipts)).await;
    assert_lost_and_nothing_worse(&report);
    assert_eq!(report.facts.receipts, 1);
    let noted = gaps(&report, "custody/records.jsonl");
    let noted = noted.iter().filter(|detail| detail.contains("published entries are lost"));
    assert_eq!(noted.count(), 2, "of three, the first is lost with what the second restore lost");
    app.admin.until_witnessed("/api/v1/orgs", &json!({ "name": "Newest Unit" })).await;
    assert_consistent(&app, outside.path()).await;
    app.stop().await;
    assert_replays(&app.config).await;
}

async fn what_was_begun_or_said_in_the_gap_can_be_said_again(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    app.stop().await;
    backed_up(&app.config, &app.root().join("backups"), 0).await;
    app.start().await;

    // An item under an id that its owner chose, and a reading of it that is not over.
    let item = uuid::Uuid::now_v7().to_string();
    let registration = json!({
        "case": case, "item": item, "data": { "class": "open", "route": "api" },
    });
    let prepared: api::Prepared = asha.prepare(&draft("item.registered", &registration)).await.ok();
    let envelope = asha.envelope(&prepared.statement.0);
    let first: api::Recorded = asha.submit_envelope(envelope.clone(), &prepared.openings).await.made();
    app.stop().await;
    wiped(&mut app, engine, "restored", &[]).await;
    recovered(&app.config);
    app.start().await;

    // The same envelope is the same act, and counts again where it was lost.
    let second: api::Recorded = asha.submit_envelope(envelope, &prepared.openings).await.made();
    asha.check(&second.receipts);
    let [first, second] = [first, second].map(|recorded| receipts(&recorded.receipts).remove(0));
    assert_eq!(first.envelope, second.envelope);
    assert_ne!(first.proof.index(), second.proof.index());
    assert_ne!((first.entry.tag, first.entry.case_tag), (second.entry.tag, second.entry.case_tag));
    assert_eq!(second.recoveries.len(), 1);
    let bundle = exported(&asha, &case).await;
    let report = judged_with(&asha, &bundle, &[first, second]).await;
    assert_lost_and_nothing_worse(&report);
    let said = gaps(&report, "custody/records.jsonl");
    assert!(said.iter().any(|detail| detail.starts_with(&format!("item:{item}: it goes on"))), "{said:?}");
    app.stop().await;
    assert_replays(&app.config).await;
}

async fn nothing_is_written_unless_everything_is(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    app.stop().await;
    backed_up(&app.config, &app.root().join("backups"), 0).await;
    app.start().await;
    app.admin.new_org("Lost Unit").await.made::<api::Created>();
    app.admin.new_org("And another").await.made::<api::Created>();
    app.stop().await;
    wiped(&mut app, engine, "restored", &[]).await;

    // The very last thing that is written fails.
    let url = app.config.database_url().to_owned();
    for sql in match engine {
        Engine::Sqlite => {
            &["CREATE TRIGGER stop BEFORE UPDATE ON log_head BEGIN SELECT RAISE(ABORT, 'no'); END"][..]
        }
        Engine::Postgres => &[
            "CREATE FUNCTION stop() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no'; END $$ LANGUAGE plpgsql",
            "CREATE TRIGGER stop BEFORE UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION stop()",
        ],
    } {
        change(&url, sql, 0).await;
    }
    let before = Store::attach(&url).await.unwrap();
    let size = before.read().await.unwrap().log_head().await.unwrap().unwrap().size();
    refused(&custos(&app.config, &["recover", "--confirm-lost", "2"]), "the recovery is not recorded");
    let mut tx = before.read().await.unwrap();
    assert_eq!(tx.log_head().await.unwrap().unwrap().size(), size);
    assert_eq!(tx.entries(size..size + 9).await.unwrap().len(), 0);
    assert_eq!(tx.recoveries().await.unwrap(), []);
    drop(tx);
    before.close().await;
    assert_replays(&app.config).await;
    assert!(matches!(
        refused_start(&app.config).await,
        ServeError::Setup(SetupError::Published(StartError::RolledBack { .. }))
    ));

    let drop_trigger =
        if engine == Engine::Sqlite { "DROP TRIGGER stop" } else { "DROP TRIGGER stop ON log_head" };
    change(&url, drop_trigger, 0).await;
    assert_eq!(recovered(&app.config)["from"], size);
    app.start().await;
    app.admin.new_org("A third").await.made::<api::Created>();

    app.stop().await;
}

async fn a_published_log_that_is_not_this_databases_is_not_gone_on_with(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    app.stop().await;
    backed_up(&app.config, &app.root().join("backups"), 0).await;
    app.start().await;
    app.admin.new_org("One history").await.made::<api::Created>();
    app.stop().await;
    wiped(&mut app, engine, "restored", &[]).await;
    let log = log_of(&app.config);

    // What is damaged or missing is named.
    let (tail, checkpoint) = (log.join("tail"), std::fs::read(log.join("checkpoint")).unwrap());
    let sound = std::fs::read(&tail).unwrap();
    let mut damaged = sound.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&tail, &damaged).unwrap();
    refused(&custos(&app.config, &["recover", "--dry-run"]), "do not lead to the root");
    std::fs::write(&tail, &sound[..sound.len() - 99]).unwrap();
    refused(&custos(&app.config, &["recover", "--dry-run"]), "can be read: tile/entries/000 is missing");
    std::fs::write(&tail, []).unwrap();
    refused(&custos(&app.config, &["recover", "--dry-run"]), "another vault, or none that can be read");
    std::fs::write(&tail, &sound).unwrap();
    std::fs::write(log.join("checkpoint"), &checkpoint[1..]).unwrap();
    refused(&custos(&app.config, &["recover", "--dry-run"]), "another vault, or none that can be read");
    std::fs::write(log.join("checkpoint"), &checkpoint).unwrap();

    // Somebody hid the log, worked on, and put it there again.
    let hidden = app.root().join("hidden");
    std::fs::rename(&log, &hidden).unwrap();
    refused(&custos(&app.config, &["recover", "--dry-run"]), "no log is published");
    app.start().await;
    for name in ["Another history", "And more of it"] {
        app.admin.new_org(name).await.made::<api::Created>();
    }
    app.stop().await;
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::rename(&hidden, &log).unwrap();
    refused(&custos(&app.config, &["recover", "--dry-run"]), "another history");
}

async fn entries_behind_the_newest_checkpoint_count_as_published(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    app.stop().await;
    backed_up(&app.config, &app.root().join("backups"), 0).await;
    let log = log_of(&app.config);
    let checkpoint = std::fs::read(log.join("checkpoint")).unwrap();
    app.start().await;
    let made: api::Created = app.admin.new_org("Lost Unit").await.made();
    let lost = receipts(&made.receipts).remove(0);
    app.stop().await;

    // The end came after the tail was written and before the checkpoint was.
    std::fs::write(log.join("checkpoint"), checkpoint).unwrap();
    wiped(&mut app, engine, "restored", &[]).await;
    let found = recovered(&app.config);
    assert_eq!((&found["lost"], &found["signed"]), (&json!(1), &found["from"]));
    assert_eq!(found["from"], lost.proof.index());
    app.start().await;
    // Its receipt is in no contradiction to the log.
    let case = app.enrol("Asha", &["custodian"]).await;
    let id = case.open_case("A case").await;
    let report = judged_with(&case, &exported(&case, &id).await, &[lost]).await;
    assert_lost_and_nothing_worse(&report);
    app.stop().await;

    // A bundle whose entries nobody knows is never overwritten.
    backed_up(&app.config, &app.root().join("backups"), 1).await;
    app.start().await;
    app.admin.new_org("Another").await.made::<api::Created>();
    app.stop().await;
    let stray = log_of(&app.config).join("tile/entries/001");
    std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
    std::fs::write(&stray, b"256 entries").unwrap();
    wiped(&mut app, engine, "again", &[]).await;
    refused(&custos(&app.config, &["recover", "--dry-run"]), "log/tile/entries/001 was published too");
    std::fs::remove_file(log_of(&app.config).join("tile/entries/001")).unwrap();
    recovered(&app.config);
    app.start().await;
    app.stop().await;
}

async fn a_mirror_is_enough_where_the_published_log_is_gone_too(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let outside = tempfile::tempdir().unwrap();
    let (asha, _, case) = two_custodians(&app).await;
    app.stop().await;
    backed_up(&app.config, &app.root().join("backups"), 0).await;
    app.start().await;
    asha.put(&case, "gone.txt", b"gone").await;
    app.stop().await;
    app.start().await;
    assert_consistent(&app, outside.path()).await;
    app.stop().await;

    // The mirror's folder takes the place of the published log, as it is.
    let log = log_of(&app.config);
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::rename(outside.path().join("mirror"), &log).unwrap();
    wiped(&mut app, engine, "restored", &[]).await;
    assert_eq!(recovered(&app.config)["lost"], 2);
    app.start().await;
    asha.put(&case, "new.txt", b"new").await;
    let report = judged(&asha, &exported(&asha, &case).await).await;
    assert_lost_and_nothing_worse(&report);
    assert_consistent(&app, outside.path()).await;
    app.stop().await;
}

async fn looking_brings_no_schema_up_to_date(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    app.stop().await;
    let older = elsewhere(engine, &app.root(), "older", &[]).await;
    std::fs::rename(app.config.data_dir(), older.data_dir()).unwrap();
    if engine == Engine::Sqlite {
        std::fs::remove_file(older.data_dir().join("custos.db")).unwrap();
    }
    let (schema, copy) = copies().pop().unwrap();
    restore_rows(older.database_url(), &copy, &mut |_, _, _| {}).await.unwrap();
    let before = files(&older);
    let look = custos(&older, &["recover", "--dry-run"]);
    refused(&look, &format!("has schema {schema}"));
    assert!(String::from_utf8_lossy(&look.stderr).contains("hint: custos serve"), "{look:?}");
    assert_eq!(files(&older), before);
    let attached = Store::attach(older.database_url()).await;
    assert!(matches!(attached, Err(StoreError::OlderSchema { found, .. }) if found == schema));
}

#[test]
fn a_vault_that_is_served_is_left_alone() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
    command.args(["recover", "--dry-run", "--listen", &address, "--data-dir"]).arg(folder.path());
    refused(&command.env_clear().output().unwrap(), "something is being served");
}
