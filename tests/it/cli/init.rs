//! Making a vault: what is asked, and who is to confirm its log.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::timestamps::openssl::{Folder, P_256, ROOT};

const PROGRAM: &str = env!("CARGO_BIN_EXE_custos");

fn custos(home: &Path, line: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(line.split(' ')).env_clear().env("CUSTOS_HOME", home).current_dir(home).output().unwrap()
}

fn said(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

#[track_caller]
fn refused(output: &Output, code: i32, because: &str) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(because), "{told}");
}

/// A folder with a policy file and the roots of an authority.
fn home() -> (tempfile::TempDir, Folder) {
    let home = tempfile::tempdir().unwrap();
    let witness = said(&custos(home.path(), "--json witness init witness --name witness.example/w1"));
    let key = witness["vkey"].as_str().unwrap();
    let policy = format!("witness w1 {key} https://witness.example\nquorum w1\n");
    fs::write(home.path().join("policy"), policy).unwrap();
    let made = Folder::new();
    fs::copy(&made.root(P_256, ROOT).certificate, home.path().join("roots.pem")).unwrap();
    (home, made)
}

/// A key of the configuration, with its value and where it came from.
fn configured(home: &Path, key: &str, more: &str) -> (String, String) {
    let shown = said(&custos(home, &format!("--json config show --data-dir vault{more}")));
    let found = shown.as_array().unwrap().iter().find(|entry| entry["key"] == key).unwrap().clone();
    (found["value"].as_str().unwrap().to_owned(), found["source"].as_str().unwrap().to_owned())
}

fn typed(home: &Path, line: &str, answers: &str) -> (Option<i32>, String) {
    on_a_terminal(home, &format!("{PROGRAM} {line}"), answers)
}

/// Runs a command on a terminal of its own and types these lines; what stands on the screen in the end.
pub(super) fn on_a_terminal(home: &Path, command_line: &str, answers: &str) -> (Option<i32>, String) {
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--echo", "never", "--command", command_line, "/dev/null"]);
    let path = std::env::var_os("PATH").unwrap();
    command.env_clear().env("PATH", path).env("CUSTOS_HOME", home).env("SHELL", "/bin/sh").current_dir(home);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script is there");
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n"))
}

/// How a vault's keys are kept.
fn kept(home: &Path, vault: &str) -> String {
    let key = fs::read_to_string(home.join(vault).join("keys/vault.key")).unwrap();
    let line = key.lines().find(|line| line.starts_with("provider")).unwrap_or_else(|| panic!("{key}"));
    line.split_whitespace().last().unwrap().to_owned()
}

/// As scripts make a vault.
const INIT: &str = "--json init --org Unit --admin Ada --data-dir vault";
const OUTSIDERS: &str = "--witnesses policy --timestamps http://tsa.example/tsr --timestamps https://tsa.example.org --timestamp-roots roots.pem";

#[test]
fn who_confirms_the_log_is_written_where_the_service_reads_it() {
    let (home, _made) = home();
    let home = home.path();
    let file = home.join("vault/custos.toml");
    let made = custos(home, &format!("{INIT} {OUTSIDERS}"));
    let configuration = said(&made)["configuration"].clone();
    assert_eq!((&configuration["file"], &configuration["written"]), (&json!(file), &json!(true)));
    assert_eq!(fs::read_to_string(&file).unwrap(), configuration["lines"].as_str().unwrap());
    assert!(String::from_utf8_lossy(&made.stderr).contains("Give the log's key above"), "{made:?}");
    let from = format!("file {}", file.display());
    for (key, value) in [
        ("witnesses", home.join("policy").display().to_string()),
        ("timestamps", "http://tsa.example/tsr https://tsa.example.org".to_owned()),
        ("timestamp_roots", home.join("roots.pem").display().to_string()),
    ] {
        let (found, source) = configured(home, key, "");
        assert_eq!((found, source.as_str()), (value, "file vault/custos.toml"), "{from}");
    }
    // The vault opens with it, as the service opens it.
    let doctor: Value =
        serde_json::from_slice(&custos(home, "--json doctor --data-dir vault").stdout).unwrap();
    let opened = doctor.as_array().unwrap().iter().find(|found| found["check"] == "keys of this database");
    assert_eq!(opened.unwrap()["ok"], true, "{doctor}");
    fs::write(home.join("policy"), "quorum nobody\n").unwrap();
    let doctor = custos(home, "doctor --data-dir vault");
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("is not a policy"), "{doctor:?}");
    // Another file that is read instead says nothing of them.
    fs::write(home.join("other.toml"), "").unwrap();
    assert_eq!(configured(home, "witnesses", " --config other.toml").0, "none");
}

#[test]
fn a_file_that_somebody_keeps_is_left_alone_and_its_lines_are_said() {
    let (home, _made) = home();
    let home = home.path();
    let theirs = "origin = 'https://vault.example.org'\n";
    fs::write(home.join("custos.toml"), theirs).unwrap();
    let made = custos(home, &format!("{INIT} {OUTSIDERS} --config custos.toml"));
    let configuration = said(&made)["configuration"].clone();
    assert_eq!((&configuration["file"], &configuration["written"]), (&json!("custos.toml"), &json!(false)));
    let lines = configuration["lines"].as_str().unwrap();
    let told = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(
        told.contains(&format!("at the beginning of custos.toml, before you serve the vault:\n{lines}")),
        "{told}"
    );
    assert_eq!(fs::read_to_string(home.join("custos.toml")).unwrap(), theirs);
    assert!(!home.join("vault/custos.toml").exists());
    // They are as the file wants them.
    fs::write(home.join("custos.toml"), format!("{lines}{theirs}")).unwrap();
    assert_eq!(
        configured(home, "witnesses", " --config custos.toml").0,
        home.join("policy").display().to_string()
    );
    let again =
        custos(home, "init --witnesses policy --data-dir other --config custos.toml --org Unit --admin Ada");
    refused(&again, 2, "`witnesses` is configured already");
}

#[test]
fn what_cannot_confirm_a_log_is_refused_before_there_is_a_vault() {
    let (home, _made) = home();
    let home = home.path();
    fs::write(
        home.join("unsafe"),
        fs::read_to_string(home.join("policy")).unwrap().replace("https:", "http:"),
    )
    .unwrap();
    for (flags, code, because) in [
        ("--witnesses nowhere", 1, "cannot read"),
        ("--witnesses roots.pem", 1, "is not a policy"),
        ("--witnesses unsafe", 1, "the address of witness w1"),
        ("--witnesses policy --witness-roots nowhere", 1, "cannot read"),
        ("--witnesses policy --witness-roots policy", 1, "has no certificates that could be trusted"),
        ("--witness-roots roots.pem", 2, "--witnesses"),
        ("--timestamps http://tsa.example", 2, "--timestamp-roots"),
        ("--timestamps ftp://tsa.example --timestamp-roots roots.pem", 1, "is not an address"),
        ("--timestamps http://tsa.example --timestamp-roots policy", 1, "no file of root certificates"),
    ] {
        refused(&custos(home, &format!("{INIT} {flags}")), code, because);
        assert!(!home.join("vault").exists(), "{flags}");
    }
    let nothing = said(&custos(home, INIT));
    assert_eq!(nothing["configuration"], Value::Null);
    assert!(!home.join("vault/custos.toml").exists());
}

#[test]
fn what_fails_once_there_is_a_vault_keeps_nothing_from_being_said() {
    use std::os::unix::ffi::OsStringExt as _;
    let (home, _made) = home();
    let home = home.path();
    // No TOML has this name: found out before there is a vault.
    let unnameable = std::ffi::OsString::from_vec(b"polic\xff".to_vec());
    fs::copy(home.join("policy"), home.join(&unnameable)).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(INIT.split(' ')).arg("--witnesses").arg(&unnameable);
    let output = command.env_clear().env("CUSTOS_HOME", home).current_dir(home).output().unwrap();
    refused(&output, 1, "a path cannot be written in TOML");
    assert!(!home.join("vault").exists());
    // Its file cannot be written: why is said, and its lines, and all the rest.
    fs::create_dir(home.join("vault")).unwrap();
    std::os::unix::fs::symlink("nowhere", home.join("vault/custos.toml")).unwrap();
    let output = custos(home, &format!("{INIT} {OUTSIDERS}"));
    let shown = said(&output);
    let (configuration, told) = (&shown["configuration"], String::from_utf8_lossy(&output.stderr));
    assert_eq!(configuration["written"], false);
    assert!(configuration["error"].as_str().unwrap().contains("exists"), "{configuration}");
    assert!(told.contains("custos.toml: File exists") && told.contains("Put these lines into it"), "{told}");
    assert!(told.contains(configuration["lines"].as_str().unwrap().trim_end()), "{told}");
    for once in ["fingerprint", "tls_fingerprint", "log_vkey", "recovery_file", "token_file"] {
        assert!(shown[once].is_string(), "{shown}");
    }
}

#[test]
fn on_a_terminal_everything_is_asked_and_enter_leaves_it_out() {
    let (home, _made) = home();
    let home = home.path();
    let (code, screen) = typed(home, "init --data-dir plain", "Unit\nAda\nneither\nfile\n\n\n");
    assert_eq!(code, Some(0), "{screen}");
    for asked in [
        "name of the organisation",
        "name of the first administrator",
        "policy file",
        "address of an authority",
    ] {
        assert_eq!(screen.matches(asked).count(), 1, "{screen}");
    }
    assert!(screen.contains("error: it is `passphrase` or `file`"), "{screen}");
    assert_eq!(kept(home, "plain"), "file");
    assert!(screen.contains("vault fingerprint") && !home.join("plain/custos.toml").exists(), "{screen}");

    // A mistake is said, and asked for again.
    let answers = "Unit\nAda\n\nwords\nwords\nno-such-file\n\npolicy\n\nhttp://tsa.example\n\nroots.pem\n";
    let (code, screen) = typed(home, "init --data-dir vault", answers);
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("error: cannot use the witnesses: cannot read"), "{screen}");
    assert_eq!(kept(home, "vault"), "passphrase");
    assert!(!screen.contains("words"), "{screen}");
    let lines = fs::read_to_string(home.join("vault/custos.toml")).unwrap();
    assert!(screen.contains(lines.trim_end()), "{screen}");
    assert_eq!(configured(home, "timestamps", "").0, "http://tsa.example");
    assert_eq!(configured(home, "witnesses", "").0, home.join("policy").display().to_string());

    // Nobody is asked who does not want to be, or who tries out samples.
    let (code, screen) = typed(home, "init --data-dir quiet --no-input --org Unit --admin Ada", "");
    assert!(code == Some(0) && !screen.contains("Enter for"), "{screen}");
    assert_eq!(kept(home, "quiet"), "file");
    let (code, screen) = typed(home, "init --data-dir samples --samples-only --org Unit --admin Ada", "");
    assert!(code == Some(0) && !screen.contains("Enter for"), "{screen}");
    let (code, screen) = typed(home, "init --data-dir nothing --no-input --org Unit", "");
    assert!(code == Some(2) && screen.contains("--admin is missing"), "{screen}");
    let (code, screen) =
        typed(home, "init --data-dir nothing --no-input --org Unit --admin Ada --keys passphrase", "");
    assert!(code == Some(2) && screen.contains("--passphrase-file FILE"), "{screen}");
    assert!(!home.join("nothing").exists());
}
