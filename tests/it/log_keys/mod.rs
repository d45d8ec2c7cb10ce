//! The keys of the log: replaced while people work, and followed by everybody who knew the one before.

mod continuation;
mod loss;
mod outsiders;
mod rotation;
mod thief;

use std::process::{Command, Output};

use custody::log_keys::{FollowError, LogKeys, parse_changes};
use custody::note::VerifierKey;
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::client::Caller;

/// The program, about the vault on this machine.
fn custos(app: &TestApp, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
    command
        .args(["--json"])
        .args(args)
        .env("CUSTOS_LISTEN", "127.0.0.1:0")
        .env("CUSTOS_DATA_DIR", app.config.data_dir())
        .env("CUSTOS_DATABASE_URL", app.config.database_url())
        .env("CUSTOS_BLOBS_URL", app.config.blobs_url())
        .current_dir(app.root());
    command
}

#[track_caller]
fn done(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `custos key rotate-log --prepare`; the key that it made, unless it was made before.
#[track_caller]
fn prepare(app: &TestApp) -> VerifierKey {
    let said = done(&custos(app, &["key", "rotate-log", "--prepare"]).output().unwrap());
    said["next_log_vkey"].as_str().unwrap().parse().unwrap()
}

/// `custos key rotate-log`; the log's key now, since which record, and whether it was so before.
#[track_caller]
fn take_next(app: &TestApp) -> (VerifierKey, u64, bool) {
    let said = done(&custos(app, &["key", "rotate-log"]).output().unwrap());
    let key = said["log_vkey"].as_str().unwrap().parse().unwrap();
    (key, said["index"].as_u64().unwrap(), said["before"].as_bool().unwrap())
}

/// Both; the new key, and since which record.
#[track_caller]
pub(crate) fn rotate(app: &TestApp) -> (VerifierKey, u64) {
    let made = prepare(app);
    let (key, index, before) = take_next(app);
    assert!(key == made && !before);
    (key, index)
}

/// The log's keys, followed from one that is known.
async fn followed(caller: &Caller, from: LogKeys) -> Result<LogKeys, FollowError> {
    let changes = caller.with_token("").get("/log/keys").await;
    assert_eq!(changes.status, 200);
    from.follow(&parse_changes(&changes.body).unwrap(), None)
}

/// From now on, everybody knows the keys that follow from the first one.
pub(crate) async fn follow(app: &TestApp) {
    let keys = followed(&app.admin, app.shared.log.clone().into()).await.unwrap();
    *app.shared.keys.lock().unwrap() = keys;
}

/// What a vault's files of keys are called.
fn key_files(app: &TestApp) -> Vec<String> {
    let files = std::fs::read_dir(app.config.data_dir().join("keys")).unwrap();
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("log"))
        .collect();
    names.sort();
    names
}
