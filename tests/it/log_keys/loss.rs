//! Restores that lose the record of the log's newest key, which was published.

use std::path::Path;

use custody::bundle::findings::{Code, Gravity};
use custody::checkpoint::CheckpointError;
use custody::log_keys::{LogKeys, VaultKey, parse_changes};
use custody::note::SignedNote;
use custos::api;
use custos::app::continue_log;
use custos::app::setup::SetupError;
use custos::client::{Profile, Stranger};
use custos::http::ServeError;
use custos::publish::StartError;
use serde_json::json;

use super::outsiders::{Outside, moved, organisation, profile};
use super::{custos, done, follow, key_files, rotate, take_next};
use crate::api::spine::two_custodians;
use crate::ops::backup::{backed_up, elsewhere, restored};
use crate::ops::recover::{
    assert_lost_and_nothing_worse, assert_replays, exported, gaps, log_of, receipts, recovered, refused,
};
use crate::support::app::{TestApp, refused_start};
use crate::support::bundle::judged_with;
use crate::support::world::Engine;

crate::on_both_engines! {
    a_key_that_only_lost_records_named_is_named_again
    a_log_whose_newest_key_is_gone_says_so_and_goes_on_under_another_name
}

/// The machine is gone, but for the published log: the backup takes its place, which knows the first key alone. The vault
/// must not run. What is left of its keys.
async fn set_back(app: &mut TestApp, engine: Engine, name: &str) -> std::path::PathBuf {
    let place = elsewhere(engine, &app.root(), name, &[]).await;
    let found = restored(&place, &app.root().join("backups")).await.unwrap();
    assert!(found.is_whole(), "{found:?}");
    std::fs::rename(log_of(&app.config), log_of(&place)).unwrap();
    let old = app.config.data_dir().join("keys");
    app.config = place;
    old
}

fn bring_back(app: &TestApp, keys: &Path, name: &str) {
    std::fs::copy(keys.join(name), app.config.data_dir().join("keys").join(name)).unwrap();
}

/// What a vault says that lacks the key.
async fn assert_lacks_key(app: &TestApp) {
    let refused_start = refused_start(&app.config).await;
    let ServeError::Setup(SetupError::Published(error @ StartError::LaterKey { .. })) = refused_start else {
        panic!("{refused_start:?}")
    };
    assert!(error.remedy().contains("keys/") && error.remedy().contains("custos log continue"));
    for command in [&["recover", "--dry-run"][..], &["key", "rotate-log"]] {
        refused(&custos(app, command).output().unwrap(), "goes on under a newer key");
    }
}

async fn a_key_that_only_lost_records_named_is_named_again(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    asha.put(&case, "kept.txt", b"kept").await;
    app.stop().await;
    backed_up(&app.config, &app.root().join("backups"), 0).await;
    let (second, since) = rotate(&app);
    app.start().await;
    follow(&app).await;
    let then = app.shared.keys.lock().unwrap().clone();
    let late: api::Created = app.admin.new_org("Lost Unit").await.made();
    asha.put(&case, "lost.txt", b"lost").await;
    let bundle_then = exported(&asha, &case).await;
    let changes = parse_changes(&asha.get("/log/keys").await.body).unwrap();
    app.stop().await;

    let keys = set_back(&mut app, engine, "restored").await;
    assert_eq!(key_files(&app), ["log.key"]);
    assert_lacks_key(&app).await;
    bring_back(&app, &keys, "log-2.key");
    let noted = recovered(&app.config);
    assert_eq!(
        (noted["log_key"].as_str(), noted["from"].as_u64()),
        (Some(&*second.to_string()), Some(since))
    );
    let to = noted["to"].as_u64().unwrap();
    assert_replays(&app.config).await;
    let (now, index, before) = take_next(&app);
    assert_eq!((now, index, before), (second.clone(), to, true), "it is the log's again");

    // Who had followed goes on, and who comes later learns of it; what was signed in the lost time holds.
    app.start().await;
    app.admin.check(&app.admin.new_org("Again").await.made::<api::Created>().receipts);
    let note = SignedNote::parse(asha.checkpoint().await.as_bytes()).unwrap();
    assert!(then.open(&note).unwrap().size() > to);
    follow(&app).await;
    let keys = app.shared.keys.lock().unwrap().clone();
    assert_eq!((keys.former()[0].until, keys.former()[0].lost_from), (to, Some(since)));
    let [late] = <[_; 1]>::try_from(receipts(&late.receipts)).unwrap();
    for known in [&then, &keys] {
        late.check_with(&app.shared.vault, known).unwrap();
        app.shared.keys.lock().unwrap().clone_from(known);
        app.admin.check(&app.admin.new_org("More").await.made::<api::Created>().receipts);
    }
    let report = judged_with(&asha, &exported(&asha, &case).await, &[late.clone(), changes[0].clone()]).await;
    assert_lost_and_nothing_worse(&report);
    let said = gaps(&report, "receipt");
    assert!(said.len() == 2 && said.iter().all(|said| said.contains("that the vault lost")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("log-key.rotated")), "{said:?}");
    let report = judged_with(&asha, &bundle_then, &[late]).await;
    assert!(report.exit_code == 4 && report.facts.receipts == 1, "{:#?}", report.findings);
    assert!(!report.has(Code::NotAudited) && !report.has(Code::KeyRevoked), "{:#?}", report.findings);

    // A copy from now on crosses both.
    app.stop().await;
    backed_up(&app.config, &app.root().join("backups"), 1).await;
    let place = elsewhere(engine, &app.root(), "moved", &[]).await;
    assert!(restored(&place, &app.root().join("backups")).await.unwrap().is_whole());
    app.config = place;
    assert_replays(&app.config).await;
    app.start().await;
    app.admin.check(&app.admin.new_org("Moved").await.made::<api::Created>().receipts);
    app.stop().await;
}

async fn a_log_whose_newest_key_is_gone_says_so_and_goes_on_under_another_name(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    app.stop().await;
    backed_up(&app.config, &app.root().join("backups"), 0).await;
    let (second, since) = rotate(&app);
    app.start().await;
    follow(&app).await;
    let then = app.shared.keys.lock().unwrap().clone();
    asha.put(&case, "lost.txt", b"lost").await;
    app.stop().await;
    set_back(&mut app, engine, "restored").await;
    assert_lacks_key(&app).await;

    // Nobody agreed: nothing is made, nothing is noted.
    let asked =
        custos(&app, &["log", "continue", "--yes"]).stdin(std::process::Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.code() == Some(2) && said.contains("which the keyring lacks"), "{asked:?}");
    assert_lacks_key(&app).await;
    assert_eq!(key_files(&app), ["log.key"]);
    let continued =
        continue_log(&app.config, None, None, |plan| plan.lost > 0 && plan.contradicted.is_none());
    let continued = Box::pin(continued).await.unwrap().expect("it was agreed to");
    let origin = continued.plan.origin.as_str();
    assert!(continued.index > since && origin.ends_with("/custos/2"), "{continued:?}");
    assert_replays(&app.config).await;

    let tls = app.start().await.tls_fingerprint;
    let url = app.shared.base.lock().unwrap().clone();
    let newcomer = Stranger::meet(&url, tls, app.shared.vault).await.unwrap();
    let keys = newcomer.trust().logs().clone();
    assert_eq!(*keys.present(), continued.log_vkey);
    app.shared.keys.lock().unwrap().clone_from(&keys);
    asha.put(&case, "new.txt", b"new").await;
    // Who knew the key that is gone follows by the vault's word, and by nobody else's.
    let changes = parse_changes(&asha.get("/log/keys").await.body).unwrap();
    let known = VaultKey { vault: app.shared.vault, key: *newcomer.trust().key() };
    let followed = then.follow(&changes, Some(&known)).unwrap();
    assert!(then.follow(&changes, None).is_err());
    assert_eq!((followed.present(), &followed.former()[1].key), (keys.present(), &second));
    let note = SignedNote::parse(asha.checkpoint().await.as_bytes()).unwrap();
    for known in [&keys, &followed] {
        assert_eq!(known.open(&note).unwrap().origin().as_str(), origin);
    }
    assert!(matches!(then.open(&note), Err(CheckpointError::Note(_))));
    let report = judged_with(&asha, &exported(&asha, &case).await, &[]).await;
    let codes = report.findings.iter().map(|found| found.code);
    let worse: Vec<_> = codes.filter(|code| code.gravity() != Gravity::Notice).collect();
    assert_eq!(
        worse,
        [Code::NotWitnessed, Code::NotTimestamped, Code::RecoveredGap, Code::LogContinued],
        "{:#?}",
        report.findings
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_and_mirrors_that_followed_a_continuation_which_a_restore_lost_go_on() {
    let mut world = Outside::new().await;
    let profile = profile(&world).await;
    let mirror = ["--profile", "./office.toml", "log", "mirror", "@", "copy"];
    organisation(&world, "Before");
    world.app.stop().await;
    let database = world.app.config.data_dir().join("custos.db");
    std::fs::copy(&database, world.path("older.db")).unwrap();
    let said = done(&custos(&world.app, &["log", "continue", "--yes"]).output().unwrap());
    world.app.start().await;
    moved(&world, &profile);
    organisation(&world, "Lost");
    done(&world.run(&mirror));
    let then = Profile::read(&profile).unwrap().trust().logs().clone();
    assert_eq!(then.present().to_string(), said["log_vkey"].as_str().unwrap());
    world.app.stop().await;

    // The database is put back; the keys stayed where they are.
    for ending in ["-wal", "-shm"] {
        drop(std::fs::remove_file(database.with_file_name(format!("custos.db{ending}"))));
    }
    std::fs::copy(world.path("older.db"), &database).unwrap();
    let loss = done(&custos(&world.app, &["recover", "--dry-run"]).output().unwrap())["loss"].clone();
    assert_eq!(loss["log_key"], said["log_vkey"]);
    done(&custos(&world.app, &["recover", "--confirm-lost", &loss["lost"].to_string()]).output().unwrap());
    world.app.start().await;
    moved(&world, &profile);
    organisation(&world, "Again");
    done(&world.run(&mirror));
    done(&world.run(&["--profile", "./office.toml", "log", "audit", "@", "--state", "seen"]));
    assert_eq!(Profile::read(&profile).unwrap().trust().logs(), &then, "it is the key that was known");
    // A newcomer learns the same key, from the record that names it again.
    let url = world.app.shared.base.lock().unwrap().clone();
    let newcomer = Stranger::meet(&url, world.tls, world.app.shared.vault).await.unwrap();
    let keys: &LogKeys = newcomer.trust().logs();
    assert_eq!((keys.present(), keys.former()[0].lost_from), (then.present(), loss["from"].as_u64()));
    let made: api::VaultInfo = world.app.admin.get("/api/v1/vault").await.ok();
    assert_eq!(
        (json!(made.origin), json!(made.log_vkey)),
        (said["origin"].clone(), said["log_vkey"].clone())
    );
}
