//! The recovery kit: nothing comes in before it was checked, and what came in is opened after all keys are lost.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use custos::api;
use custos::engine::OsEntropy;
use custos::keyring::{FileProvider, Keyring};
use custos::store::Store;
use serde_json::{Value, json};

use super::backup::{PASSPHRASE, elsewhere, restored};
use crate::support::app::TestApp;
use crate::support::child::Child;
use crate::support::client::{Caller, draft, fields, item, op_id};
use crate::support::world::Engine;

crate::on_both_engines! {
    no_evidence_comes_in_before_the_kit_was_checked
    a_vault_for_samples_says_so_and_asks_for_no_kit
    all_keys_are_lost_and_come_back_from_sheet_and_file
    a_kit_that_lacks_a_key_or_is_of_another_vault_does_not_count
    what_broke_off_while_a_kit_was_made_is_repeated
    many_who_make_a_kit_at_once_get_one_each_and_the_gate_stays_open
    what_broke_off_while_keys_were_recovered_is_repeated
    a_kits_file_is_in_backups_and_comes_back
    a_later_key_of_the_log_is_said_to_be_in_no_kit
}

/// A vault that is to take evidence, and what its operator types.
pub(super) struct Office {
    pub(super) app: TestApp,
}

impl Office {
    pub(super) async fn open(engine: Engine) -> Self {
        Self { app: TestApp::for_evidence(engine).await }
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.app.root().join(name)
    }

    pub(super) fn custos(&self, line: &str) -> Output {
        self.custos_in(self.app.config.data_dir(), line)
    }

    pub(super) fn custos_in(&self, data_dir: &Path, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
        command.arg("--json").args(line.split(' ')).arg("--data-dir").arg(data_dir);
        command.env_clear().env("CUSTOS_HOME", self.app.root()).current_dir(self.app.root());
        command.env("CUSTOS_DATABASE_URL", self.app.config.database_url());
        command.output().unwrap()
    }

    /// Makes a kit and copies the secret from the sheet, as whoever types it does. Nothing but the sheet says it.
    pub(super) fn make_kit(&self) -> (Value, PathBuf) {
        let output = self.custos("key recovery-sheet");
        let made = said(&output);
        let sheet = PathBuf::from(made["sheet"].as_str().unwrap());
        let file = PathBuf::from(made["file"].as_str().unwrap());
        for path in [&sheet, &file] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let page = fs::read_to_string(&sheet).unwrap();
        let rows = page.split("<li>").skip(1).map(|row| row.split("</li>").next().unwrap()).take(4);
        let rows: Vec<_> = rows.collect();
        let told = [&output.stdout[..], &output.stderr, &fs::read(&file).unwrap()].concat();
        let told = String::from_utf8(told).unwrap();
        assert!(rows.iter().all(|row| row.len() == 17 && !told.contains(row)), "{rows:?}");
        let secret = self.at(&format!("secret-{}", made["kit"]));
        write_secret(&secret, &rows.join(" ").to_lowercase());
        (made, secret)
    }

    pub(super) fn check_kit(&self, file: &Value, secret: &Path) -> Output {
        let file = file.as_str().unwrap();
        self.custos(&format!("key check-recovery --file {file} --secret-file {}", secret.display()))
    }

    /// What the doctor says of the kit.
    fn doctor(&self) -> (bool, String) {
        let output = self.custos("doctor");
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let found = findings.as_array().unwrap().iter().find(|f| f["check"] == "recovery kit").unwrap();
        assert_eq!(found["ok"], found["mend"].is_null());
        (found["ok"] == true, format!("{}; {}", found["detail"], found["mend"]))
    }
}

pub(super) fn write_secret(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}

#[track_caller]
pub(super) fn said(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

#[track_caller]
fn refused(output: &Output, code: i32, because: &str) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(because) && text.contains("hint: "), "{text}");
}

fn new_case() -> Value {
    json!({ "case_type": "other", "jurisdiction": "xx", "title": "The quarry", "fields": {} })
}

async fn refused_case(caller: &Caller) {
    caller.post_as(&op_id(), "/api/v1/cases", &new_case()).await.problem("recovery-unchecked");
    let case = uuid::Uuid::now_v7().to_string();
    let data = json!({ "case_type": "other", "jurisdiction": "xx" });
    let more = json!({ "case": case, "data": data, "fields": fields([("title", "The quarry")]) });
    let prepared: api::Prepared = caller.prepare(&draft("case.opened", &more)).await.ok();
    caller.submit(&prepared).await.problem("recovery-unchecked");
}

async fn no_evidence_comes_in_before_the_kit_was_checked(engine: Engine) {
    let mut office = Office::open(engine).await;
    let asha = office.app.enrol("Asha", &["investigator"]).await;
    let info: api::VaultInfo = asha.get("/api/v1/vault").await.ok();
    assert!(!info.samples_only);
    refused_case(&asha).await;
    refused(&office.custos("key check-recovery"), 1, "no recovery kit was made");

    let (made, secret) = office.make_kit();
    refused_case(&asha).await;
    // A mistake in the third row is named, and changes nothing.
    let typed = fs::read_to_string(&secret).unwrap();
    let at = typed.rfind(' ').unwrap() - 1;
    let other = if &typed[at..=at] == "a" { "b" } else { "a" };
    let mistyped = office.at("mistyped");
    write_secret(&mistyped, &[&typed[..at], other, &typed[at + 1..]].concat());
    refused(&office.check_kit(&made["file"], &mistyped), 1, "row 3");
    refused_case(&asha).await;

    // While the service runs, and without another start.
    let checked = said(&office.check_kit(&made["file"], &secret));
    assert_eq!(checked["vault"], office.app.shared.vault.to_hex());
    let case = asha.open_case("The quarry").await;
    asha.put(&case, "photo.jpg", b"a photograph").await;
    office.app.stop().await;
    let (well, detail) = office.doctor();
    assert!(well && detail.contains("kit 1, checked"), "{detail}");
    office.app.start().await;
    asha.open_case("Another").await;
}

async fn a_vault_for_samples_says_so_and_asks_for_no_kit(engine: Engine) {
    let office = Office { app: TestApp::new(engine).await };
    let asha = office.app.enrol("Asha", &["investigator"]).await;
    let info: api::VaultInfo = asha.get("/api/v1/vault").await.ok();
    assert!(info.samples_only);
    asha.open_case("Samples").await;
    refused(&office.custos("key recovery-sheet"), 1, "takes sample data only");
}

async fn all_keys_are_lost_and_come_back_from_sheet_and_file(engine: Engine) {
    let mut office = Office::open(engine).await;
    let (made, secret) = office.make_kit();
    said(&office.check_kit(&made["file"], &secret));
    let asha = office.app.enrol("Asha", &["investigator"]).await;
    let case = asha.open_case("The quarry").await;
    asha.put(&case, "photo.jpg", b"a photograph").await;
    let export: api::Export = asha.export(&case).await.made();
    let bundle = asha.bundle(&export.id).await.body;
    office.app.stop().await;

    let keys = office.app.config.data_dir().join("keys");
    let file = office.at("kept.custos");
    fs::copy(made["file"].as_str().unwrap(), &file).unwrap();
    let recover = format!("key recover-keys --file {} --secret-file {}", file.display(), secret.display());
    fs::remove_dir_all(&keys).unwrap();
    let recovered = said(&office.custos(&recover));
    assert_eq!(recovered["vault"], office.app.shared.vault.to_hex());
    assert_eq!(recovered["keys"], made["keys"]);
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);

    office.app.start().await;
    assert_eq!(asha.bundle(&export.id).await.body, bundle);
    let item = asha.put(&case, "later.txt", b"work goes on").await;
    assert_eq!(asha.item(&item).await.ok::<api::Item>().exhibit, 2);
    office.app.stop().await;

    // Elsewhere, under a passphrase that the keys did not have before.
    let (elsewhere, passphrase) = (office.at("elsewhere"), office.at("passphrase"));
    write_secret(&passphrase, "a new passphrase");
    let protected = format!("{recover} --passphrase-file {}", passphrase.display());
    said(&office.custos_in(&elsewhere, &protected));
    assert_eq!(fs::metadata(&elsewhere).unwrap().permissions().mode() & 0o777, 0o700);
    let vault_key = fs::read_to_string(elsewhere.join("keys/vault.key")).unwrap();
    assert!(vault_key.contains("provider: passphrase"), "{vault_key}");
}

async fn a_kit_that_lacks_a_key_or_is_of_another_vault_does_not_count(engine: Engine) {
    let mut office = Office::open(engine).await;
    let stranger = Office::open(engine).await;
    let asha = office.app.enrol("Asha", &["investigator"]).await;
    let (made, secret) = office.make_kit();
    let (other, others_secret) = stranger.make_kit();
    refused(&office.check_kit(&made["file"], &others_secret), 3, "does not open this file");
    refused(&office.check_kit(&other["file"], &others_secret), 3, "not those of the vault");
    // A label that claims another vault's kit for this one is no longer what was sealed.
    let text = fs::read_to_string(other["file"].as_str().unwrap()).unwrap();
    let relabelled = text.replace(&stranger.app.shared.vault.to_hex(), &office.app.shared.vault.to_hex());
    fs::write(office.at("relabelled"), relabelled).unwrap();
    let relabelled = json!(office.at("relabelled"));
    refused(&office.check_kit(&relabelled, &others_secret), 3, "does not open this file");
    fs::write(office.at("cut"), &text[..text.len() / 2]).unwrap();
    refused(&office.check_kit(&json!(office.at("cut")), &others_secret), 1, "not the file of a recovery kit");
    refused_case(&asha).await;

    office.app.stop().await;
    let (well, detail) = office.doctor();
    assert!(!well && detail.contains("kit 1 was never checked"), "{detail}");
    let keys = office.app.config.data_dir().join("keys");
    Keyring::open(&keys, &FileProvider).unwrap().add_kek(&FileProvider, &mut OsEntropy).unwrap();
    refused(&office.check_kit(&made["file"], &secret), 3, "does not hold kek/2");
    let (newer, newer_secret) = office.make_kit();
    assert_eq!((&newer["kit"], newer["keys"][1].as_str()), (&json!(2), Some("kek/2")));
    said(&office.check_kit(&newer["file"], &newer_secret));
    assert!(office.doctor().0);
    Keyring::open(&keys, &FileProvider).unwrap().add_kek(&FileProvider, &mut OsEntropy).unwrap();
    let (well, detail) = office.doctor();
    assert!(!well && detail.contains("kit 2") && detail.contains("kek/3"), "{detail}");
    // What was checked once stays open: work is not stopped for a kit that is to be made anew.
    office.app.start().await;
    let case = asha.open_case("The quarry").await;
    let new = item("open", "photo.jpg", None);
    asha.register(&case, &new).await.made::<api::Created>();
    office.app.stop().await;
}

async fn what_broke_off_while_a_kit_was_made_is_repeated(engine: Engine) {
    let office = Office::open(engine).await;
    // Before anything was noted: one file, or nothing but a folder that is not there.
    let leftover = office.app.config.data_dir().join("recovery-1.html");
    write_secret(&leftover, "left by an attempt that broke off");
    refused(&office.custos("key recovery-sheet --out nowhere"), 1, "cannot use nowhere");
    let (second, _) = office.make_kit();
    assert_eq!(second["kit"], 2);
    assert_eq!(fs::read_to_string(&leftover).unwrap(), "left by an attempt that broke off");
    // After it was noted: a kit without files.
    fs::remove_file(second["file"].as_str().unwrap()).unwrap();
    fs::remove_file(second["sheet"].as_str().unwrap()).unwrap();
    refused(&office.custos("key check-recovery"), 1, "recovery-2.custos");
    let (third, secret) = office.make_kit();
    assert_eq!(third["kit"], 3);
    // The newest that is there is meant where none is named.
    let (fourth, _) = office.make_kit();
    fs::remove_file(fourth["file"].as_str().unwrap()).unwrap();
    let check = format!("key check-recovery --secret-file {}", secret.display());
    assert_eq!(said(&office.custos(&check))["kit"], 3);
    assert!(office.doctor().0);
}

async fn many_who_make_a_kit_at_once_get_one_each_and_the_gate_stays_open(engine: Engine) {
    let mut office = Office::open(engine).await;
    let asha = office.app.enrol("Asha", &["investigator"]).await;
    let (made, secret) = office.make_kit();
    said(&office.check_kit(&made["file"], &secret));
    let office_ref = &office;
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        let each: Vec<_> = (0..6).map(|_| scope.spawn(|| office_ref.custos("key recovery-sheet"))).collect();
        each.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut kits: Vec<_> = outputs.iter().map(|output| said(output)["kit"].as_u64().unwrap()).collect();
    kits.sort_unstable();
    kits.dedup();
    assert_eq!(kits.len(), 6);
    // Noting a kit that is there already changes nothing about it.
    let store = Store::attach(office.app.config.database_url()).await.unwrap();
    let before = store.read().await.unwrap().recovery_kits().await.unwrap();
    assert!(!store.add_kit(1, before[1].made, &before[1].keys).await.unwrap());
    assert_eq!(store.read().await.unwrap().recovery_kits().await.unwrap(), before);
    assert!(before[0].checked.is_some());
    store.close().await;
    asha.open_case("The quarry").await;
    office.app.stop().await;
    office.app.start().await;
    asha.open_case("Another").await;
    office.app.stop().await;
}

async fn what_broke_off_while_keys_were_recovered_is_repeated(engine: Engine) {
    let mut office = Office::open(engine).await;
    let (made, secret) = office.make_kit();
    office.app.stop().await;
    let keys = office.app.config.data_dir().join("keys");
    let recover = format!(
        "key recover-keys --file {} --secret-file {}",
        made["file"].as_str().unwrap(),
        secret.display()
    );
    let all = || {
        let names = fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    let whole = all();
    // Broken off before the last key, and in the middle of it.
    let kept = fs::read(keys.join("kek-1.key")).unwrap();
    fs::remove_file(keys.join("vault.key")).unwrap();
    write_secret(&keys.join(".new-abc"), "half a key");
    said(&office.custos(&recover));
    fs::remove_file(keys.join(".new-abc")).unwrap();
    assert_eq!(all(), whole);
    assert_eq!(fs::read(keys.join("kek-1.key")).unwrap(), kept);
    // All of it once more, and where the folder is there and nothing in it.
    said(&office.custos(&recover));
    for name in &whole {
        fs::remove_file(keys.join(name)).unwrap();
    }
    said(&office.custos(&recover));
    assert_eq!(all(), whole);

    // Another vault's key, or a key that the kit does not know: nothing is written.
    let stranger = Office::open(engine).await;
    fs::remove_file(keys.join("log.key")).unwrap();
    let theirs = stranger.app.config.data_dir().join("keys/vault.key");
    fs::copy(theirs, keys.join("vault.key")).unwrap();
    refused(&office.custos(&recover), 1, "is not empty");
    fs::remove_file(keys.join("vault.key")).unwrap();
    said(&office.custos(&recover));
    Keyring::open(&keys, &FileProvider).unwrap().add_kek(&FileProvider, &mut OsEntropy).unwrap();
    fs::remove_file(keys.join("log.key")).unwrap();
    refused(&office.custos(&recover), 1, "is not empty");
    assert!(!keys.join("log.key").exists());
    // Nor is a key that has become readable for others taken for one of ours.
    fs::remove_file(keys.join("kek-2.key")).unwrap();
    fs::set_permissions(keys.join("vault.key"), fs::Permissions::from_mode(0o644)).unwrap();
    refused(&office.custos(&recover), 1, "has mode 0644");
    fs::set_permissions(keys.join("vault.key"), fs::Permissions::from_mode(0o600)).unwrap();
    said(&office.custos(&recover));
    office.app.start().await;
    office.app.stop().await;
}

async fn a_kits_file_is_in_backups_and_comes_back(engine: Engine) {
    let mut office = Office::open(engine).await;
    let (made, secret) = office.make_kit();
    said(&office.check_kit(&made["file"], &secret));
    let (_, unchecked) = office.make_kit();
    fs::remove_file(unchecked).unwrap();
    office.app.stop().await;
    let passphrase = office.at("passphrase");
    write_secret(&passphrase, PASSPHRASE);
    let backup = format!(
        "backup --to {} --backup-passphrase-file {}",
        office.at("backups").display(),
        passphrase.display()
    );
    let backed_up = said(&office.custos(&backup));
    assert_eq!((&backed_up["kits"], &backed_up["kit_elsewhere"]), (&json!([1, 2]), &Value::Null));
    let folder = PathBuf::from(backed_up["folder"].as_str().unwrap());
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // Sealed under the sheet, which is not there.
    assert_eq!(names, ["database", "key", "keyring", "manifest", "recovery-1.custos", "recovery-2.custos"]);
    let file = fs::read(made["file"].as_str().unwrap()).unwrap();
    assert_eq!(fs::read(folder.join("recovery-1.custos")).unwrap(), file);

    // One of them is damaged: it is named, and everything else comes back.
    let second = folder.join("recovery-2.custos");
    fs::write(&second, [&fs::read(&second).unwrap()[..], b"x"].concat()).unwrap();
    let place = elsewhere(engine, &office.app.root(), "restored", &[]).await;
    let found = restored(&place, &folder).await.unwrap();
    assert!(!found.is_whole() && found.replay.differences.is_empty());
    let damaged: Vec<_> =
        found.damaged.rows.iter().map(|row| (&*row.table, &*row.row, &*row.problem)).collect();
    assert_eq!(damaged, [("backup", "recovery-2.custos", "it is longer than it was")]);
    assert!(!place.data_dir().join("recovery-2.custos").exists());
    let kept = place.data_dir().join("recovery-1.custos");
    assert_eq!(fs::read(&kept).unwrap(), file);
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    // What it holds are the keys.
    fs::remove_dir_all(place.data_dir().join("keys")).unwrap();
    let recover = format!("key recover-keys --file {} --secret-file {}", kept.display(), secret.display());
    said(&office.custos_in(place.data_dir(), &recover));
    office.app.config = place;
    office.app.start().await;
    office.app.stop().await;

    // A kit whose file is kept elsewhere is in no backup, which is said.
    fs::remove_file(kept).unwrap();
    let output = office.custos(&backup);
    assert_eq!((&said(&output)["kits"], &said(&output)["kit_elsewhere"]), (&json!([]), &json!(1)));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("recovery kit 1 is not in") && told.contains("hint: put recovery-1.custos"),
        "{told}"
    );
}

async fn a_later_key_of_the_log_is_said_to_be_in_no_kit(engine: Engine) {
    let mut office = Office::open(engine).await;
    let (made, secret) = office.make_kit();
    said(&office.check_kit(&made["file"], &secret));
    office.app.stop().await;
    let told = |output: &Output| {
        said(output);
        String::from_utf8(output.stderr.clone()).unwrap()
    };
    let wanting = "kit 1, the newest that was checked, does not hold log/2";
    for line in ["key rotate-log --prepare", "key rotate-log --listen 127.0.0.1:0"] {
        let told = told(&office.custos(line));
        assert!(told.contains(wanting) && told.contains("hint: custos key recovery-sheet"), "{told}");
    }
    // The service starts all the same, and says so.
    let log = office.at("serve.log");
    let served = |file| Child::start(&office.app.config, &[], Some(file)).stop();
    served(fs::File::create(&log).unwrap());
    let logged = fs::read_to_string(&log).unwrap();
    assert!(
        logged.contains(wanting) && logged.contains("this mends it: custos key recovery-sheet"),
        "{logged}"
    );

    let (newer, secret) = office.make_kit();
    assert_eq!(newer["keys"], json!(["kek/1", "log", "log/2", "vault"]));
    said(&office.check_kit(&newer["file"], &secret));
    let served = |file| Child::start(&office.app.config, &[], Some(file)).stop();
    served(fs::File::create(&log).unwrap());
    let logged = fs::read_to_string(&log).unwrap();
    assert!(!logged.contains("recovery kit"), "{logged}");
}
