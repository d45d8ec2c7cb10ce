//! The files of recovery kits: which go into backups, and what must not stay on the disk.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::backup::PASSPHRASE;
use super::kit::{Office, said, write_secret};
use crate::support::world::Engine;

crate::on_both_engines! {
    a_secret_that_was_left_on_the_disk_is_reported_and_removed
    a_kit_that_was_replaced_is_in_no_further_backup
}

async fn a_secret_that_was_left_on_the_disk_is_reported_and_removed(engine: Engine) {
    let mut office = Office::open(engine).await;
    office.app.stop().await;
    let data = office.app.config.data_dir().to_owned();
    let left = || {
        let output = office.custos("doctor");
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        findings.as_array().unwrap().iter().find(|f| f["check"] == "recovery sheet").unwrap().clone()
    };
    assert_eq!(left()["ok"], true);
    // As a lost power supply leaves them: a page with a secret, under no name yet. Whatever else is there stays.
    write_secret(&data.join(".new-recovery-a1b2c3"), "a page with a secret");
    write_secret(&data.join(".new-d4e5f6"), "not of a kit");
    let found = left();
    assert_eq!(found["ok"], false);
    let mend = found["mend"].as_str().unwrap();
    assert!(mend.contains(".new-recovery-a1b2c3") && mend.contains(".new-d4e5f6"), "{mend}");
    let (made, _) = office.make_kit();
    assert!(!data.join(".new-recovery-a1b2c3").exists() && data.join(".new-d4e5f6").exists());
    fs::remove_file(data.join(".new-d4e5f6")).unwrap();
    // A sheet is to be printed and deleted.
    assert!(left()["mend"].as_str().unwrap().contains("recovery-1.html"));
    fs::remove_file(made["sheet"].as_str().unwrap()).unwrap();
    assert_eq!(left()["ok"], true);
    // While somebody else makes a kit, nothing of theirs is taken for left over.
    let others = data.join(".new-recovery-others");
    write_secret(&others, "theirs");
    let making = fs::File::open(&data).unwrap();
    making.lock_shared().unwrap();
    office.make_kit();
    assert!(others.exists());
    drop(making);
    office.make_kit();
    assert!(!others.exists());
}

async fn a_kit_that_was_replaced_is_in_no_further_backup(engine: Engine) {
    let mut office = Office::open(engine).await;
    office.app.stop().await;
    let passphrase = office.at("passphrase");
    write_secret(&passphrase, PASSPHRASE);
    let (first, first_secret) = office.make_kit();
    let (second, second_secret) = office.make_kit();
    let backed_up = |to: &str| {
        let to = office.at(to);
        let passphrase = passphrase.display();
        let made = said(
            &office.custos(&format!("backup --to {} --backup-passphrase-file {passphrase}", to.display())),
        );
        let folder = PathBuf::from(made["folder"].as_str().unwrap());
        let kits: Vec<_> = made["kits"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        for kit in 1..=3 {
            let there = folder.join(format!("recovery-{kit}.custos")).exists();
            assert_eq!(there, kits.contains(&kit), "{made}");
        }
        kits
    };
    assert_eq!(backed_up("none-checked"), [1, 2]);
    said(&office.check_kit(&first["file"], &first_secret));
    assert_eq!(backed_up("first-checked"), [1, 2]);
    said(&office.check_kit(&second["file"], &second_secret));
    assert_eq!(backed_up("second-checked"), [2]);
    office.make_kit();
    assert_eq!(backed_up("a-third-made"), [2, 3]);
}
