//! Whoever stole the log's key could write to the object store, too.

use std::path::Path;
use std::process::Stdio;

use custody::checkpoint::{Checkpoint, Origin};
use custody::merkle::leaf_hash;
use custos::app::continue_log;
use custos::app::setup::SetupError;
use custos::http::ServeError;
use custos::keyring::{FileProvider, Keyring};
use custos::publish::StartError;

use super::{custos, key_files};
use crate::support::app::{TestApp, refused_start};
use crate::support::world::Engine;

crate::on_both_engines! {
    what_a_thief_publishes_with_the_key_is_no_reason_not_to_give_it_up
}

async fn what_a_thief_publishes_with_the_key_is_no_reason_not_to_give_it_up(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    app.stop().await;
    let stolen = Keyring::open(&app.config.data_dir().join("keys"), &FileProvider).unwrap();
    let stolen = stolen.log_keys()[&1].clone();
    let origin = Origin::new(app.shared.log.name().as_str()).unwrap();
    let forged = Checkpoint::new(origin, 1_000_000, leaf_hash(b"another history")).unwrap();
    let forged = forged.sign(&stolen).unwrap().to_string();
    let published = Path::new(app.config.blobs_url().strip_prefix("file://").unwrap()).join("log/checkpoint");
    std::fs::write(&published, &forged).unwrap();
    let refused = refused_start(&app.config).await;
    assert!(matches!(refused, ServeError::Setup(SetupError::Published(StartError::RolledBack { .. }))));

    // It may as well be true: nothing goes on without somebody who reads it.
    let asked = custos(&app, &["log", "continue", "--yes"]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(asked.stderr).unwrap();
    assert_eq!(asked.status.code(), Some(2), "{said}");
    assert!(said.contains("CAREFUL: the database was set back: 1000000 entries are published"), "{said}");
    assert_eq!(key_files(&app), ["log.key"]);
    let continued = continue_log(&app.config, None, None, |plan| plan.contradicted.is_some()).await;
    let continued = continued.unwrap().expect("it was agreed to");

    // The key has no say any more: the vault starts, and publishes in the new log's name.
    assert_eq!(std::fs::read_to_string(&published).unwrap(), forged);
    app.start().await;
    *app.shared.keys.lock().unwrap() = custody::log_keys::LogKeys::from(app.shared.log.clone())
        .replaced(continued.index, continued.log_vkey)
        .unwrap();
    app.admin.check(&app.admin.new_org("After").await.made::<custos::api::Created>().receipts);
    app.stop().await;
    assert!(std::fs::read_to_string(&published).unwrap().starts_with(continued.plan.origin.as_str()));
}
