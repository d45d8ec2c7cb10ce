//! Whoever confirmed the log from outside and is not in the configuration any more is missed.

use std::fs;

use custos::store::{CheckpointRow, Store, TimestampRow};
use serde_json::{Value, json};

use super::backup::{PASSPHRASE, elsewhere};
use super::kit::{Office, said, write_secret};
use crate::support::app::TestApp;
use crate::support::child::Child;
use crate::support::world::{Engine, noon};

crate::on_both_engines! {
    witnesses_and_time_stamps_that_a_configuration_forgot_are_missed
}

/// What the doctor finds wrong.
fn ill(office: &Office) -> Vec<Value> {
    let output = office.custos("doctor");
    let findings: Vec<Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    findings.into_iter().filter(|found| found["ok"] != true).collect()
}

async fn witnesses_and_time_stamps_that_a_configuration_forgot_are_missed(engine: Engine) {
    let mut office = Office { app: TestApp::new(engine).await };
    office.app.stop().await;
    assert_eq!(ill(&office), Vec::<Value>::new());

    let store = Store::attach(office.app.config.database_url()).await.unwrap();
    let head = store.read().await.unwrap().log_head().await.unwrap().unwrap();
    let (size, note) = (head.size(), head.checkpoint.clone());
    store.keep_checkpoint(&CheckpointRow { size, note: note.clone(), published: noon() }).await.unwrap();
    let found = ill(&office);
    assert_eq!((found.len(), &found[0]["check"]), (1, &json!("witnesses")), "{found:?}");
    assert!(found[0]["mend"].as_str().unwrap().contains("`witnesses`"), "{found:?}");

    // The second of two authorities is one, too.
    let (note, token, time) = (note.to_string(), b"a token".to_vec(), noon());
    let stamp = TimestampRow { id: 0, size, authority: 2, note, token, time, expires: time };
    store.keep_timestamp(&stamp).await.unwrap();
    store.close().await;
    let found = ill(&office);
    let checks: Vec<_> = found.iter().map(|found| found["check"].as_str().unwrap()).collect();
    assert_eq!(checks, ["witnesses", "time stamps"]);

    // The service starts all the same, and says so.
    let log = office.at("serve.log");
    Child::start(&office.app.config, &[], Some(fs::File::create(&log).unwrap())).stop();
    let logged = fs::read_to_string(&log).unwrap();
    let lines = ["witnesses cosigned this log, and none are configured", "no authority is configured"];
    assert!(lines.iter().all(|line| logged.contains(line)), "{logged}");

    // So does a restore: no backup holds the configuration.
    let passphrase = office.at("passphrase");
    write_secret(&passphrase, PASSPHRASE);
    let (backups, passphrase) = (office.at("backups"), passphrase.display());
    let repository = backups.display();
    said(&office.custos(&format!("backup --to {repository} --backup-passphrase-file {passphrase}")));
    let place = elsewhere(engine, &office.app.root(), "restored", &[]).await;
    let restore = format!(
        "restore --from {repository} --backup-passphrase-file {passphrase} --database-url {}",
        place.database_url()
    );
    let output = office.custos_in(place.data_dir(), &restore);
    said(&output);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(lines.iter().all(|line| told.contains(line)), "{told}");
    assert!(told.contains("hint: set `witnesses`") && told.contains("hint: set `timestamps`"), "{told}");
}
