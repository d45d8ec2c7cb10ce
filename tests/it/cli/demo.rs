//! The demonstration, as a newcomer plays it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn custos(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_custos")).args(args).env_clear().output().unwrap()
}

fn demo(source: Option<&Path>, dir: &Path) -> Output {
    let mut args = vec!["demo", "--exit", "--json", "--dir", dir.to_str().unwrap()];
    args.extend(source.map(|source| source.to_str().unwrap()));
    custos(&args)
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

fn findings(output: &Output) -> Vec<String> {
    let report = json(output);
    report["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_story_holds_on_the_sample_case_and_its_bundle_verifies_outside_of_it() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("out");
    let told = demo(None, &dir);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let told = json(&told);
    assert_eq!(told["bundle"], dir.join("bundle.zip").to_str().unwrap());
    assert_eq!(told["verdict"], "VERIFIED, INCOMPLETE");
    assert_eq!(told["tamper_finding"]["code"], "changed");
    assert_eq!((told["exhibits"].as_u64(), told["transferred"].as_u64()), (Some(10), Some(10)));
    assert!(told["records"].as_u64().unwrap() > 50);

    let bundle = dir.join("bundle.zip");
    let bundle = bundle.to_str().unwrap();
    let unpinned = custos(&["verify", bundle, "--json"]);
    assert_eq!(unpinned.status.code(), Some(4));
    assert!(findings(&unpinned).contains(&"not-pinned".to_owned()));
    let fingerprint = told["fingerprint"].as_str().unwrap();
    let (entries, checkpoint) = (dir.join("log-entries.bin"), dir.join("checkpoint"));
    let public = ["--entries", entries.to_str().unwrap(), "--checkpoint", checkpoint.to_str().unwrap()];
    let pinned = custos(&[&["--json", "verify", bundle, "--fingerprint", fingerprint][..], &public].concat());
    assert_eq!(pinned.status.code(), Some(4));
    let found = findings(&pinned);
    assert!(
        !found.contains(&"not-pinned".to_owned()) && !found.contains(&"not-audited".to_owned()),
        "{found:?}"
    );
    let other = custos(&["verify", bundle, "--fingerprint", &fingerprint.replace(&fingerprint[..1], "x")]);
    assert_eq!(other.status.code(), Some(2));
    let tampered = custos(&["verify", dir.join("tampered.zip").to_str().unwrap()]);
    assert_eq!(tampered.status.code(), Some(3));
}

#[test]
fn a_folder_of_ones_own_goes_in_and_a_folder_that_is_not_empty_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let (source, dir) = (home.path().join("source"), home.path().join("out"));
    std::fs::create_dir_all(source.join("deep/er")).unwrap();
    std::fs::write(source.join("deep/er/a file.txt"), "evidence").unwrap();
    std::fs::write(source.join("empty"), "").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", source.join("link")).unwrap();
    let told = demo(Some(&source), &dir);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    assert_eq!(json(&told)["exhibits"], 2);
    let again = demo(Some(&source), &dir);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).unwrap().contains("is not empty"));
    let nothing = demo(Some(&home.path().join("absent")), &home.path().join("other"));
    assert_eq!(nothing.status.code(), Some(1));
}
