//! A first password from the command line.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use custos::api;
use custos::client::secret;
use serde_json::json;

use super::Browser;
use super::certificates::tls_fingerprint;
use super::passwords::{Device, PASSWORD, from_base32};
use crate::support::app::TestApp;
use crate::support::world::Engine;

crate::on_both_engines! {
    a_first_password_is_set_on_the_command_line_with_its_device
}

fn custos(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
    command.env_clear().env("CUSTOS_HOME", home).current_dir(home);
    command
}

async fn a_first_password_is_set_on_the_command_line_with_its_device(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let home = tempfile::tempdir().unwrap();
    secret::write(&home.path().join("asha.secret"), &asha.token).unwrap();
    secret::write(&home.path().join("password"), PASSWORD).unwrap();
    let url = app.shared.base.lock().unwrap().clone();
    let (tls, vault) = (tls_fingerprint(&app), app.shared.vault.to_hex());
    let login = ["login", &url, "--fingerprint", &tls, "--vault-fingerprint", &vault];
    let done = custos(home.path()).args(login).args(["--token-file", "asha.secret"]).output().unwrap();
    assert!(done.status.success(), "{done:?}");

    let set = ["--json", "sign-in", "password", "--name", "asha", "--password-file", "password"];
    let mut process = custos(home.path())
        .args(set)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let codes: api::NewCodes = serde_json::from_str(&line).unwrap();
    let secret = from_base32(codes.secret.expose());
    let mut device = Device { name: "asha".to_owned(), secret, recovery_codes: Vec::new() };
    writeln!(process.stdin.take().unwrap(), "{}", device.code(0)).unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(process.wait().unwrap().success(), "{rest}");
    let set_up: api::PasswordSet = serde_json::from_str(&rest).unwrap();
    device.recovery_codes = set_up.recovery_codes.iter().map(|code| code.expose().to_owned()).collect();
    assert_eq!(device.recovery_codes.len(), 10);

    let browser = Browser::new(&app);
    for factor in [device.fresh(&app).await, json!({ "recovery_code": device.recovery_codes[3] })] {
        let answer = browser.post("/api/v1/sign-in/password", &device.sign_in(PASSWORD, &factor)).await;
        answer.made::<api::Session>();
    }
    let shown = custos(home.path()).args(["sign-in", "show"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("password") && shown.contains("9 recovery codes left"), "{shown}");
    // A token sets a first one and no other.
    let again = custos(home.path()).args(set).stdin(Stdio::null()).output().unwrap();
    assert!(!again.status.success() && again.stdout.is_empty(), "{again:?}");
}
