//! A vault and two witnesses, as three programs; and what becomes of a vault that was set back beside them.

use std::path::Path;
use std::process::{Command, Output};

use custody::policy::Policy;
use custody::receipt::Receipt;
use custos::api;
use serde_json::{Value, json};

use super::set_back::copied;
use crate::support::app::{TestApp, place_with};
use crate::support::world::Engine;
use crate::witness::service::Service;

crate::on_both_engines! {
    witnesses_hold_a_vault_to_its_history
}

fn custos(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
    command.args(args).env_clear().env("CUSTOS_HOME", home).output().unwrap()
}

/// Looks at the log from outside, remembering what it saw; the exit code and what is found.
async fn audit(app: &TestApp, fingerprint: &str, home: &Path) -> (Option<i32>, Value) {
    let url = app.shared.base.lock().unwrap().clone();
    let (vkey, home, print) = (app.shared.log.to_string(), home.to_owned(), fingerprint.to_owned());
    let audit = move || {
        let state = home.join("state");
        let whose = ["--vkey", &vkey, "--fingerprint", &print, "--state", state.to_str().unwrap()];
        custos(&home, &[&["--json", "log", "audit", &url][..], &whose].concat())
    };
    let output = tokio::task::spawn_blocking(audit).await.unwrap();
    let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code(), said)
}

async fn witnesses_hold_a_vault_to_its_history(engine: Engine) {
    let directory = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let folders = [outside.path().join("north"), outside.path().join("south")];
    let [north, south] = [(0, "witness.example/north"), (1, "witness.example/south")]
        .map(|(at, name): (usize, _)| Service::new(&folders[at], name, &[]));
    let lines = format!(
        "witness north {} {}\nwitness south {} {}\ngroup both 2 north south\nquorum both\n",
        north.vkey, north.base, south.vkey, south.base
    );
    let file = outside.path().join("witnesses");
    std::fs::write(&file, &lines).unwrap();
    let witnesses = [("CUSTOS_WITNESSES", file.as_path())];
    let config = place_with(engine, directory.path(), &witnesses).await;
    let mut app = TestApp::init(config, directory, "Unit", "Ada").await;
    let log = app.shared.log.to_string();
    for folder in &folders {
        let added = custos(outside.path(), &["witness", "add", folder.to_str().unwrap(), &log]);
        assert!(added.status.success(), "{added:?}");
    }
    witnessed(&app, &lines).await;
    app.stop().await;
    let old = copied(engine, &app, &outside.path().join("old"), &witnesses).await;
    let fingerprint = app.start().await.tls_fingerprint.to_hex();
    witnessed(&app, &lines).await;
    let (exit, said) = audit(&app, &fingerprint, outside.path()).await;
    assert_eq!(exit, Some(0), "{said}");
    app.stop().await;

    // Database and published log are set back together, and the vault goes on.
    let objects = Path::new(app.config.blobs_url().strip_prefix("file://").unwrap()).to_owned();
    std::fs::remove_dir_all(objects.join("log")).unwrap();
    app.config = old;
    app.start().await;
    let stranger = app.admin.with_token("");
    let before = stranger.checkpoint().await;
    let body = json!({ "name": "Another history" });
    let made: api::Created = app.admin.post("/api/v1/orgs?wait=witnessed", &body).await.made();
    assert_eq!(made.receipts.witnessed, Some(false));
    let ready = String::from_utf8(stranger.get("/readyz").await.body).unwrap();
    assert!(ready.contains("alarm: publishing has stopped: witness "), "{ready}");
    assert_eq!(stranger.checkpoint().await, before, "nothing of the other history is published");
    let (exit, said) = audit(&app, &fingerprint, outside.path()).await;
    assert_eq!(exit, Some(3), "{said}");
}

/// Something is recorded, and both witnesses have seen it.
async fn witnessed(app: &TestApp, witnesses: &str) {
    let policy = format!("log {}\n{witnesses}", app.shared.log);
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    let body = json!({ "name": "Second Unit" });
    let made = app.admin.until_witnessed("/api/v1/orgs", &body).await;
    for receipt in made.receipts.to_keep() {
        let receipt = Receipt::parse(&receipt).unwrap();
        assert!(policy.accept(receipt.proof.checkpoint()).unwrap().quorum_met);
    }
}
