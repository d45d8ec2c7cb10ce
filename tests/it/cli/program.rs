//! The program as people and scripts call it.

use std::path::Path;
use std::process::{Command, Output};

use custody::digest::Digest;
use custody::id::PersonId;

use super::fake;

fn custos(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
    command.args(args).env_clear().env("CUSTOS_HOME", home).current_dir(home).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

#[test]
fn a_wrong_call_is_exit_2_and_says_so_on_stderr_only() {
    let home = tempfile::tempdir().unwrap();
    for args in [
        &["no-such-command"][..],
        &["case", "open"],
        &["case", "show", "not-a-uuid"],
        &["put", "018f3c1e-7b1a-7c3d-9e2f-0123456789ab"],
        &["get", "018f3c1e-7b1a-7c3d-9e2f-0123456789ab"],
        &["login", "https://localhost"],
        &["transfer", "accept"],
        &["--listen", "x", "config", "show"],
        &["config", "show", "--listen", "not-an-address"],
    ] {
        let output = custos(home.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty() && stderr(&output).contains("error: "), "{args:?}");
    }
}

#[test]
fn there_is_no_flag_that_takes_a_secret_or_skips_the_pin() {
    let home = tempfile::tempdir().unwrap();
    for command in ["login", "put", "get", "export", "invite"] {
        let help = String::from_utf8(custos(home.path(), &[command, "--help"]).stdout).unwrap();
        for flag in ["--insecure", "--token ", "--password", "--code "] {
            assert!(!help.contains(flag), "{command} has {flag}");
        }
    }
}

#[test]
fn serving_where_there_is_no_vault_makes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    for there in [false, true] {
        let output = custos(home.path(), &["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stderr(&output).contains("hint: "), "{output:?}");
        assert_eq!(data.exists(), there);
        if there {
            assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0);
        } else {
            std::fs::create_dir(&data).unwrap();
        }
    }
}

#[test]
fn a_profile_that_is_not_there_is_exit_5_with_advice() {
    let home = tempfile::tempdir().unwrap();
    let output = custos(home.path(), &["case", "list"]);
    assert_eq!(output.status.code(), Some(5));
    let said = stderr(&output);
    assert!(said.contains("error: profile ") && said.contains("hint: custos login"), "{said}");
}

#[test]
fn a_token_that_others_may_read_is_refused_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    fake::profile(home.path(), "https://127.0.0.1:9", Digest::of(b""), PersonId::new(uuid::Uuid::nil()));
    let token = home.path().join("test.token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = custos(home.path(), &["--profile", "./test.toml", "case", "list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("hint: chmod 0600 "), "{}", stderr(&output));
}

#[test]
fn a_vault_out_of_reach_is_exit_7_and_can_be_repeated() {
    let home = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("https://127.0.0.1:{port}");
    fake::profile(home.path(), &url, Digest::of(b""), PersonId::new(uuid::Uuid::nil()));
    let output = custos(home.path(), &["--profile", "./test.toml", "case", "list"]);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
}

#[test]
fn another_certificate_is_exit_3() {
    let home = tempfile::tempdir().unwrap();
    let vault = fake::start(std::sync::Arc::new(|_, _, _| (200, b"{}".to_vec())));
    fake::profile(home.path(), &vault.url, Digest::of(b"other"), PersonId::new(uuid::Uuid::nil()));
    let output = custos(home.path(), &["--profile", "./test.toml", "case", "list"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn the_vaults_refusals_become_exit_codes() {
    let home = tempfile::tempdir().unwrap();
    let vault = fake::start(std::sync::Arc::new(|_, path, _| {
        let status = match path {
            "/api/v1/cases" => 403,
            "/api/v1/orgs" => 404,
            _ => 409,
        };
        let problem = serde_json::json!({
            "type": "x", "title": "x", "status": status, "code": "some-rule", "detail": "the rule says no",
            "remedy": "do otherwise", "request_id": "r",
        });
        (status, serde_json::to_vec(&problem).unwrap())
    }));
    fake::profile(home.path(), &vault.url, vault.tls, PersonId::new(uuid::Uuid::nil()));
    for (args, exit) in [(["case", "list"], 6), (["org", "list"], 5), (["token", "list"], 1)] {
        let output = custos(home.path(), &[&["--profile", "./test.toml"][..], &args].concat());
        assert_eq!(output.status.code(), Some(exit), "{args:?}");
        assert_eq!(stderr(&output), "error: the rule says no [some-rule]\nhint: do otherwise\n");
    }
}

#[test]
fn config_show_says_where_each_value_came_from() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("custos.toml"), "origin = 'https://vault.example.org'\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_custos"))
        .args(["--json", "--config", "custos.toml", "config", "show", "--listen", "127.0.0.1:9000"])
        .env_clear()
        .env("CUSTOS_DATA_DIR", "/srv/custos")
        .env("CUSTOS_LISTEN", "127.0.0.1:9001")
        .current_dir(home.path())
        .output()
        .unwrap();
    let shown = json(&output);
    let of = |key: &str| {
        let found = shown.as_array().unwrap().iter().find(|entry| entry["key"] == key).unwrap();
        (found["value"].as_str().unwrap().to_owned(), found["source"].as_str().unwrap().to_owned())
    };
    let pair = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    assert_eq!(of("listen"), pair("127.0.0.1:9000", "flag"));
    assert_eq!(of("data_dir"), pair("/srv/custos", "environment CUSTOS_DATA_DIR"));
    assert_eq!(of("origin"), pair("https://vault.example.org", "file custos.toml"));
    assert_eq!(of("blobs_url"), pair("file:///srv/custos/blobs", "default"));
}

#[test]
fn a_key_is_never_written_over_another_file() {
    let home = tempfile::tempdir().unwrap();
    let first = custos(home.path(), &["--json", "key", "generate", "--out", "my.key"]);
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    assert_eq!(json(&first)["key"].as_str().unwrap().len(), 64);
    let before = std::fs::read(home.path().join("my.key")).unwrap();
    let second = custos(home.path(), &["key", "generate", "--out", "my.key"]);
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(std::fs::read(home.path().join("my.key")).unwrap(), before);
}

#[test]
fn completions_are_made_for_a_shell() {
    let home = tempfile::tempdir().unwrap();
    let output = custos(home.path(), &["completions", "bash"]);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("_custos"));
}
