//! What must stay stays; what two persons have agreed to destroy is gone, from backups too, and every bundle verifies.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use custody::bundle::findings::Code;
use custody::bundle::report::Report;
use custody::digest::Digest;
use custody::keys::{KeyContext, WrappedKey};
use custody::manifest;
use custos::api;
use custos::app::{rotate_kek, setup};
use custos::clock::{Clock as _, ManualClock, SystemClock};
use custos::config::{Config, Flags};
use custos::keyring::{Keyring, provider};
use custos::store::{ObjectState, Store};
use serde_json::{Value, json};

use super::spine::two_custodians;
use super::stays::audited;
use super::{log_of, refusals};
use crate::ops::backup::{backed_up, elsewhere, restored};
use crate::support::app::TestApp;
use crate::support::bundle::{assert_as_good_as_it_gets, judged};
use crate::support::client::{Caller, draft, fields, item};
use crate::support::world::Engine;

crate::on_both_engines! {
    a_hold_stops_a_disposal_until_it_is_released
    what_somebody_approved_who_may_not_any_more_is_not_destroyed
    content_that_two_have_agreed_to_destroy_is_gone_and_no_backup_brings_it_back
    values_that_two_have_agreed_to_destroy_are_gone_and_every_bundle_verifies
}

/// A marker that nothing but the content has.
pub(super) const MARKER: &[u8] = b"what only the destroyed exhibit says";

/// Asha leads, Ben is custodian, Prisca prosecutes.
pub(super) async fn people(app: &TestApp) -> (Caller, Caller, Caller, String) {
    let (asha, ben, case) = two_custodians(app).await;
    let prisca = app.enrol("Prisca Prosecutor", &[]).await;
    asha.add_member(&case, &prisca.id, "prosecutor").await.made::<api::Recorded>();
    (asha, ben, prisca, case)
}

pub(super) fn hold(case: &str, item: Option<&str>) -> Value {
    let fields = json!({ "authority": "Court order 12/2026" });
    draft("hold.placed", &json!({ "case": case, "item": item, "purpose": "pending-trial", "fields": fields }))
}

pub(super) async fn placed(who: &Caller, case: &str, item: Option<&str>) -> String {
    let recorded: api::Recorded = who.say(&hold(case, item)).await.made();
    who.check(&recorded.receipts)[0].record_hash.to_hex()
}

pub(super) fn released(case: &str, item: Option<&str>, hold: &str) -> Value {
    let (fields, data) = (json!({ "authority": "The court" }), json!({ "hold": format!("record:{hold}") }));
    let more = json!({ "case": case, "item": item, "purpose": "trial-over", "fields": fields, "data": data });
    draft("hold.released", &more)
}

pub(super) async fn proposed(who: &Caller, about: &Value) -> String {
    let recorded: api::Recorded = who.say(&draft("disposal.proposed", about)).await.made();
    who.check(&recorded.receipts)[0].record_hash.to_hex()
}

pub(super) fn approval(about: &Value, proposal: &str, role: &str, exports: u64) -> Value {
    let mut about = about.as_object().unwrap().clone();
    about.remove("purpose");
    let data =
        json!({ "disclosure": "none-pending", "exports": exports, "proposal": proposal, "role": role });
    about.insert("data".to_owned(), data);
    draft("disposal.approved", &Value::Object(about))
}

pub(super) async fn disposal(who: &Caller, id: &str) -> api::DisposalInfo {
    who.get(&format!("/api/v1/disposals/{id}")).await.ok()
}

/// What the service does by itself once a minute.
pub(super) async fn swept(app: &mut TestApp, config: Option<&Config>) -> (usize, usize) {
    app.stop().await;
    let service = setup::open(config.unwrap_or(&app.config), None).await.unwrap();
    let swept = (service.carry_out_disposals().await.unwrap(), service.complete_disposals().await.unwrap());
    service.close().await;
    app.start().await;
    swept
}

async fn exported(who: &Caller, case: &str) -> (api::Export, Vec<u8>, Report) {
    let export: api::Export = who.export(case).await.made();
    let bundle = who.bundle(&export.id).await;
    assert_eq!(bundle.status, 200);
    let report = judged(who, &bundle.body).await;
    assert_as_good_as_it_gets(&report);
    (export, bundle.body.clone(), report)
}

async fn a_hold_stops_a_disposal_until_it_is_released(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, prisca, case) = people(&app).await;
    let exhibit = asha.put(&case, "a.txt", MARKER).await;
    let about = json!({ "case": case, "item": exhibit, "purpose": "court-order" });
    let eve = app.enrol("Eve Reader", &[]).await;
    asha.add_member(&case, &eve.id, "reader").await.made::<api::Recorded>();
    eve.say(&hold(&case, None)).await.problem("not-permitted");
    let on_case = placed(&asha, &case, None).await;
    ben.say(&draft("disposal.proposed", &about)).await.problem("held");
    ben.say(&released(&case, None, &on_case)).await.problem("not-permitted");
    prisca.say(&released(&case, None, &on_case)).await.made::<api::Recorded>();

    let proposal = proposed(&ben, &about).await;
    let at_once = placed(&asha, &case, Some(&exhibit)).await;
    asha.say(&approval(&about, &proposal, "lead", 0)).await.problem("held");
    asha.say(&released(&case, Some(&exhibit), &at_once)).await.made::<api::Recorded>();
    let proposal = proposed(&ben, &about).await;
    asha.say(&approval(&about, &proposal, "lead", 0)).await.made::<api::Recorded>();
    let on_item = placed(&prisca, &case, Some(&exhibit)).await;
    prisca.say(&approval(&about, &proposal, "prosecutor", 0)).await.problem("held");
    assert!(disposal(&asha, &proposal).await.waits.iter().any(|wait| wait == "a hold"));
    prisca.say(&released(&case, Some(&exhibit), &on_item)).await.made::<api::Recorded>();
    prisca.say(&approval(&about, &proposal, "prosecutor", 0)).await.problem("proposal-lapsed");

    // Agreed to by two, and held before the vault came to it.
    let proposal = proposed(&ben, &about).await;
    asha.say(&approval(&about, &proposal, "lead", 0)).await.made::<api::Recorded>();
    prisca.say(&approval(&about, &proposal, "prosecutor", 0)).await.made::<api::Recorded>();
    let last = placed(&asha, &case, Some(&exhibit)).await;
    assert_eq!(swept(&mut app, None).await, (0, 0));
    assert_eq!(asha.access(&exhibit).await.status, 201, "the content is there");
    let holds: api::Holds = eve.get(&format!("/api/v1/cases/{case}/holds")).await.ok();
    let released: Vec<_> = holds.holds.iter().map(|hold| hold.released.is_some()).collect();
    assert_eq!((released, holds.holds[3].record.as_str()), (vec![true, true, true, false], last.as_str()));

    audited(&app).await;
    let (.., report) = exported(&asha, &case).await;
    let told: Vec<_> =
        report.facts.holds.iter().map(|h| (h.exhibit.is_some(), h.released.is_some())).collect();
    assert_eq!(told, [(false, true), (true, true), (true, true), (true, false)]);
    assert!(report.to_text().contains("not released"), "{}", report.to_text());
}

async fn what_somebody_approved_who_may_not_any_more_is_not_destroyed(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, prisca, case) = people(&app).await;
    let exhibit = asha.put(&case, "a.txt", MARKER).await;
    let about = json!({ "case": case, "item": exhibit, "purpose": "court-order" });
    let proposal = proposed(&ben, &about).await;
    asha.say(&approval(&about, &proposal, "lead", 0)).await.made::<api::Recorded>();
    exported(&asha, &case).await;
    prisca.say(&approval(&about, &proposal, "prosecutor", 1)).await.problem("proposal-lapsed");

    let proposal = proposed(&ben, &about).await;
    prisca.say(&approval(&about, &proposal, "prosecutor", 1)).await.made::<api::Recorded>();
    asha.say(&approval(&about, &proposal, "lead", 1)).await.made::<api::Recorded>();
    assert!(disposal(&asha, &proposal).await.waits[0].starts_with("the vault"));
    let suspended = json!({ "person": prisca.id, "purpose": "duress", "data": {} });
    app.admin.say(&draft("person.suspended", &suspended)).await.made::<api::Recorded>();
    assert_eq!(swept(&mut app, None).await, (0, 0));
    assert_eq!(asha.access(&exhibit).await.status, 201, "the content is there");
    let waits = disposal(&asha, &proposal).await.waits;
    assert!(matches!(&waits[..], [wait] if wait.starts_with("a new proposal")), "{waits:?}");
    audited(&app).await;
}

/// A configuration that keeps backups for a day.
fn keeping_a_day(app: &TestApp) -> Config {
    let flags = Flags {
        listen: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(app.config.data_dir().to_owned()),
        database_url: Some(app.config.database_url().to_owned()),
        ..Flags::default()
    };
    Config::load(&flags, &|name| (name == "CUSTOS_BACKUP_DAYS").then(|| "1".to_owned())).unwrap()
}

pub(super) async fn wrapped_of(config: &Config, case_item: &str) -> (Vec<u8>, u32, ObjectState) {
    let store = Store::open(config.database_url()).await.unwrap();
    let rows = store.read().await.unwrap().objects_of(case_item.parse().unwrap()).await.unwrap();
    store.close().await;
    let [row] = &rows[..] else { panic!("one object") };
    (row.wrapped.clone(), row.kek, row.state)
}

async fn content_that_two_have_agreed_to_destroy_is_gone_and_no_backup_brings_it_back(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, prisca, case) = people(&app).await;
    let exhibit = asha.put(&case, "gone.txt", MARKER).await;
    let kept = asha.put(&case, "kept.txt", b"what stays").await;
    let (before, before_bundle, _) = exported(&asha, &case).await;
    let repository = app.root().join("backups");
    app.stop().await;
    backed_up(&app.config, &repository, 0).await;
    let (wrapped_before, ..) = wrapped_of(&app.config, &exhibit).await;
    let copy = app.root().join("copy");
    copied(&repository, &copy);
    app.start().await;

    let about = json!({ "case": case, "item": exhibit, "purpose": "retention-elapsed" });
    let proposal = proposed(&ben, &about).await;
    let shown = disposal(&prisca, &proposal).await;
    assert_eq!((shown.exports, shown.exported.len(), shown.stage.as_str()), (1, 1, "proposed"));
    ben.say(&approval(&about, &proposal, "custodian", 1)).await.problem("another-person");
    asha.say(&approval(&about, &proposal, "lead", 0)).await.problem("exports-changed");
    asha.say(&approval(&about, &proposal, "lead", 1)).await.made::<api::Recorded>();
    asha.get(&format!("/api/v1/disposals/{proposal}/certificate")).await.problem("not-found");
    prisca.say(&approval(&about, &proposal, "prosecutor", 1)).await.made::<api::Recorded>();
    let access: api::Access = asha.access(&exhibit).await.made();

    assert_eq!(swept(&mut app, None).await, (1, 0));
    let (wrapped, kek, state) = wrapped_of(&app.config, &exhibit).await;
    assert_eq!((wrapped.len(), kek, state), (0, 0, ObjectState::Shredded));
    assert_eq!(app.objects().len(), 1, "the other one");
    asha.send(asha.reading(&exhibit, &access.access)).await.problem("access-grant-needed");
    asha.access(&exhibit).await.problem("disposed");
    asha.offer(&case, &exhibit, &ben.id).await.problem("disposed");
    asha.bundle(&before.id).await.problem("destroyed");
    let grants = log_of(&app).await;
    assert!(grants.iter().any(|row| row.kind == custody::kind::Kind::AccessCompleted), "the reading is over");
    audited(&app).await;

    // The bundle of before verifies as before; a new one says what is gone.
    let report = judged(&asha, &before_bundle).await;
    assert_eq!(report.facts.exhibits_matched, 2);
    assert!(report.has(Code::Continued) && !report.has(Code::Disposed), "{:#?}", report.findings);
    let (.., report) = exported(&asha, &case).await;
    assert!(report.has(Code::Disposed), "{:#?}", report.findings);
    assert_eq!((report.facts.exhibits, report.facts.exhibits_matched), (2, 1));
    assert!(!report.facts.disposals[0].last);
    assert!(report.to_text().contains("Asha Custodian as lead, Prisca Prosecutor as prosecutor"));

    certified(&asha, &proposal, &app.root().join("provisional"), "provisional").await;
    let waits = disposal(&asha, &proposal).await.waits;
    for what in ["kek/1", "backup_days", "the backup "] {
        assert!(waits.iter().any(|wait| wait.contains(what)), "{what}: {waits:?}");
    }

    // All keys under a new one; the old one dies.
    app.stop().await;
    let rotated = rotate_kek(&app.config, None).await.unwrap();
    assert_eq!((rotated.kek, rotated.new, rotated.destroyed.as_slice()), (2, true, &[1][..]));
    assert!(rotated.rewrapped > 5, "{rotated:?}");
    assert!(!app.config.data_dir().join("keys/kek-1.key").exists());
    let (wrapped, kek, _) = wrapped_of(&app.config, &kept).await;
    assert_eq!((kek, WrappedKey::parse(&wrapped).unwrap().kek().as_str()), (2, "kek/2"));
    app.start().await;
    assert_eq!(asha.access(&kept).await.status, 201);
    assert_eq!(asha.item(&kept).await.ok::<api::Item>().fields["file-name"], "kept.txt");

    // The next backup takes the object out of the repository, and a day later the earlier backup goes.
    let config = keeping_a_day(&app);
    app.stop().await;
    let made = backed_up(&config, &repository, 1).await;
    assert!(made.removed.is_empty());
    app.start().await;
    let restored_to = elsewhere(engine, &app.root(), "restored", &[]).await;
    let earlier = std::fs::read_dir(&repository).unwrap().map(|entry| entry.unwrap().path());
    let earlier = earlier.filter(|path| path.join("manifest").exists()).min().unwrap();
    let found = restored(&restored_to, &earlier).await.unwrap();
    assert!(found.destroyed >= 1 && found.replay.differences.is_empty(), "{found:?}");
    assert!(found.damaged.is_empty(), "what is destroyed is no damage: {:?}", found.damaged);
    let (wrapped, _, state) = wrapped_of(&restored_to, &exhibit).await;
    assert_eq!((wrapped.len(), state), (0, ObjectState::Shredded));
    assert_eq!(blobs(&restored_to), 1, "the other one");

    assert_eq!(swept(&mut app, Some(&config)).await, (0, 0), "the earlier backup holds it");
    app.stop().await;
    let made = backed_up(&config, &repository, 2 * 24 * 60 * 60 * 1_000).await;
    assert_eq!(made.removed.len(), 1, "the newest two stay: {made:?}");
    assert!(!earlier.exists());
    app.start().await;
    let waits = {
        app.stop().await;
        let service = setup::open(&config, None).await.unwrap();
        let waits =
            service.disposal(asha.id.parse().unwrap(), proposal.parse().unwrap()).await.unwrap().waits;
        service.close().await;
        app.start().await;
        waits
    };
    // A day has not passed since: nothing else is left.
    assert!(matches!(&waits[..], [wait] if wait.starts_with("backups are kept until")), "{waits:?}");
    let gone = Gone { proposal, exhibit, wrapped: wrapped_before };
    finally_gone(&mut app, (&asha, &prisca), &config, &gone).await;
    Box::pin(no_backup_brings_it_back(&app, engine, &gone, (&repository, &copy))).await;
    app.start().await;
}

/// What was destroyed: by which proposal, of which exhibit, and its wrapped key of before.
struct Gone {
    proposal: String,
    exhibit: String,
    wrapped: Vec<u8>,
}

/// Days later the service says by itself that it is final; it is stopped then.
async fn finally_gone(app: &mut TestApp, (asha, prisca): (&Caller, &Caller), config: &Config, gone: &Gone) {
    app.stop().await;
    assert_eq!(completed_after(config, 0).await, 0);
    assert_eq!(completed_after(config, 3).await, 1, "three days later");
    assert_eq!(completed_after(config, 3).await, 0, "once");
    app.start().await;
    let last = disposal(prisca, &gone.proposal).await;
    assert_eq!((last.stage.as_str(), last.waits.len()), ("completed", 0));
    certified(asha, &gone.proposal, &app.root().join("final"), "final").await;
    app.stop().await;
}

/// None that is left in the repository holds it, and a copy of an earlier one that somebody kept elsewhere needs a key that
/// is gone, whole as it is.
async fn no_backup_brings_it_back(
    app: &TestApp,
    engine: Engine,
    gone: &Gone,
    (repository, copy): (&Path, &Path),
) {
    let found = std::fs::read_dir(repository).unwrap().map(|entry| entry.unwrap().path());
    for backup in found.filter(|path| path.join("manifest").exists()) {
        let place = elsewhere(engine, &app.root(), &format!("from-{}", name(&backup)), &[]).await;
        assert!(restored(&place, &backup).await.unwrap().is_whole());
        let (wrapped, ..) = wrapped_of(&place, &gone.exhibit).await;
        assert!(wrapped.is_empty() && blobs(&place) == 1, "{}", backup.display());
    }
    let kept_back = elsewhere(engine, &app.root(), "kept-back", &[]).await;
    restored(&kept_back, copy).await.unwrap();
    let (wrapped, ..) = wrapped_of(&kept_back, &gone.exhibit).await;
    assert_eq!(wrapped, gone.wrapped, "the copy is from before");
    let keys = kept_back.data_dir().join("keys");
    std::fs::remove_dir_all(&keys).unwrap();
    copied(&app.config.data_dir().join("keys"), &keys);
    assert!(setup::open(&kept_back, None).await.is_err(), "with the keys that there are");
    let keyring = Keyring::open(&keys, provider(None).as_ref()).unwrap();
    let wrapped = WrappedKey::parse(&wrapped).unwrap();
    let context = {
        let store = Store::open(kept_back.database_url()).await.unwrap();
        let rows = store.read().await.unwrap().objects_of(gone.exhibit.parse().unwrap()).await.unwrap();
        store.close().await;
        let key = keyring.vault_key().verifying_key();
        KeyContext::Data(*manifest::verify(&rows[0].manifest, &key).unwrap().header.context())
    };
    assert!(keyring.unwrap(&context, &wrapped).is_err(), "nothing unwraps it");
}

/// What the service says by itself so many days later.
async fn completed_after(config: &Config, days: i64) -> usize {
    let now = SystemClock::new().now().saturating_add_millis(days * 24 * 60 * 60 * 1_000);
    let clock = Arc::new(ManualClock::new(now));
    let service = setup::open_at(config, None, clock).await.unwrap();
    let completed = service.complete_disposals().await.unwrap();
    service.close().await;
    completed
}

pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// A copy of a folder, modes and all.
fn copied(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// Stored objects at another place.
fn blobs(config: &Config) -> usize {
    let folder = Path::new(config.blobs_url().strip_prefix("file://").unwrap()).join("objects");
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    files.filter(|entry| entry.file_type().is_file()).count()
}

/// The certificate holds by openssl alone, and not when a byte of it is changed.
async fn certified(who: &Caller, proposal: &str, folder: &Path, state: &str) {
    let found: api::DestructionCertificate =
        who.get(&format!("/api/v1/disposals/{proposal}/certificate")).await.ok();
    let again: api::DestructionCertificate =
        who.get(&format!("/api/v1/disposals/{proposal}/certificate")).await.ok();
    assert_eq!((&found.body, &found.signature), (&again.body, &again.signature), "a function of the records");
    std::fs::create_dir(folder).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("certificate.signed", &found.signed.0);
    write("certificate.sig", &found.signature.0);
    write("vault.pem", found.key.as_bytes());
    assert!(found.signed.0.ends_with(&found.body.0) && found.signed.0.starts_with(b"DSSEv1 "));
    let body: Value = serde_json::from_slice(&found.body.0).unwrap();
    assert_eq!((&body["state"], body["approvals"].as_array().unwrap().len()), (&json!(state), 2));
    assert!(found.text.contains("WHAT THIS DOES NOT PROVE") && found.text.contains(proposal));
    let holds = || {
        let mut openssl = Command::new("openssl");
        openssl.args(["pkeyutl", "-verify", "-pubin", "-inkey", "vault.pem", "-rawin", "-in"]);
        openssl.args(["certificate.signed", "-sigfile", "certificate.sig"]).current_dir(folder);
        openssl.output().unwrap().status.success()
    };
    assert!(holds());
    let mut changed = found.signed.0.clone();
    *changed.last_mut().unwrap() ^= 1;
    write("certificate.signed", &changed);
    assert!(!holds());
}

async fn values_that_two_have_agreed_to_destroy_are_gone_and_every_bundle_verifies(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, prisca, case) = people(&app).await;
    let rita = app.enrol("Rita Registrar", &["registrar"]).await;
    let olga = app.enrol("Olga Auditor", &["auditor"]).await;
    let named = api::NewItem {
        fields: fields([("title", "Witness Amina"), ("place", "Lane 4")]),
        ..item("open", "bag", None)
    };
    let created: api::Created = asha.register(&case, &named).await.made();
    let record = asha.check(&created.receipts)[0].record_hash.to_hex();
    let (before, before_bundle, report) = exported(&asha, &case).await;
    let values = report.facts.openings;
    let repository = app.root().join("backups");
    app.stop().await;
    backed_up(&app.config, &repository, 0).await;
    app.start().await;

    let about = json!({ "case": case, "purpose": "court-order" });
    let with_records = json!({ "case": case, "purpose": "court-order", "data": { "records": [record] } });
    ben.prepare(&draft("disposal.proposed", &about)).await.problem("invalid-statement");
    let held = placed(&asha, &case, Some(&created.id)).await;
    ben.say(&draft("disposal.proposed", &with_records)).await.problem("held");
    asha.say(&released(&case, Some(&created.id), &held)).await.made::<api::Recorded>();
    let proposal = proposed(&ben, &with_records).await;
    asha.say(&approval(&about, &proposal, "lead", 1)).await.made::<api::Recorded>();
    prisca.say(&approval(&about, &proposal, "prosecutor", 1)).await.made::<api::Recorded>();

    // And all about Ben.
    let about_ben = json!({ "person": ben.id, "purpose": "erasure-requested" });
    asha.say(&draft("disposal.proposed", &about_ben)).await.problem("not-permitted");
    let of_ben = proposed(&app.admin, &about_ben).await;
    rita.say(&approval(&about_ben, &of_ben, "registrar", 0)).await.made::<api::Recorded>();
    olga.say(&approval(&about_ben, &of_ben, "auditor", 0)).await.made::<api::Recorded>();
    assert_eq!(swept(&mut app, None).await, (2, 0));

    // What would be lost unseen is refused.
    let fields = json!({ "reason": "what nobody would ever read" });
    let about = json!({ "person": ben.id, "purpose": "duress", "data": {}, "fields": fields });
    app.admin.say(&draft("person.suspended", &about)).await.problem("erased");

    let found: api::Item = asha.item(&created.id).await.ok();
    assert!(found.fields.is_empty(), "{:?}", found.fields);
    let custody = asha.custody("cases", &case).await;
    assert!(custody.records.iter().all(|record| record.actor_name.as_deref() != Some("Ben Custodian")));
    assert!(asha.search(&case, "Amina").await.items.is_empty());
    audited(&app).await;
    assert_as_good_as_it_gets(&judged(&asha, &before_bundle).await);
    // Made again, the bundle of before lacks the values: nothing in it says yet that they are destroyed.
    let again = judged(&asha, &asha.bundle(&before.id).await.body).await;
    assert_as_good_as_it_gets(&again);
    assert!(again.has(Code::FieldWithheld) && again.facts.openings == values - 3, "{:#?}", again.facts);
    let (.., report) = exported(&asha, &case).await;
    assert!(report.has(Code::Erased) && !report.has(Code::FieldWithheld), "{:#?}", report.findings);
    assert_eq!((report.facts.erased, report.facts.disposals.len()), (3, 2), "title, place, Ben's name");
    let body: Value = {
        let path = format!("/api/v1/disposals/{of_ben}/certificate");
        serde_json::from_slice(&rita.get(&path).await.ok::<api::DestructionCertificate>().body.0).unwrap()
    };
    assert_eq!((&body["subject"]["person"], &body["destroyed"]["kek"]), (&json!(ben.id), &json!(1)));
    // Who may not know of a disposal learns as much as of one that there is not.
    let zoe = app.enrol("Zoe Stranger", &["investigator"]).await;
    let missing = Digest::of(b"nothing");
    for path in ["", "/certificate"] {
        let told = async |who: &Caller, id: &str| {
            let answer = who.get(&format!("/api/v1/disposals/{id}{path}")).await;
            let problem = answer.problem("not-found");
            (answer.status, problem.title, problem.detail)
        };
        let nothing = told(&zoe, &missing.to_hex()).await;
        for (who, id) in [(&zoe, &proposal), (&zoe, &of_ben), (&asha, &of_ben), (&rita, &proposal)] {
            assert_eq!(told(who, id).await, nothing);
        }
    }
    app.restart().await;
    let tried: u64 = refusals(&app).await.iter().map(|(_, denied)| denied.count).sum();
    assert!(tried >= 10, "each of them is on record: {tried}");

    // A backup of before brings none of it back, and its records replay.
    app.stop().await;
    backed_up(&app.config, &repository, 1).await;
    app.start().await;
    let earlier = std::fs::read_dir(&repository).unwrap().map(|entry| entry.unwrap().path());
    let earlier = earlier.filter(|path| path.join("manifest").exists()).min().unwrap();
    let place = elsewhere(engine, &app.root(), "restored", &[]).await;
    let back = restored(&place, &earlier).await.unwrap();
    assert!(back.is_whole() && back.destroyed >= 2, "{back:?}");
    let store = Store::open(place.database_url()).await.unwrap();
    let keys = store.read().await.unwrap().subject_keys(&[format!("person:{}", ben.id)]).await.unwrap();
    assert!(keys.is_empty());
    store.close().await;
}
