//! Time stamps by an authority made with openssl: checked by the court's binary and by the commands that a bundle
//! prints.
#![cfg(test)]

#[path = "../../custody/tests/timestamp/authority.rs"]
#[allow(dead_code, reason = "the tests of the core use more of it")]
mod openssl;
#[path = "../../custody/tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use custody::digest::Digest;
use custody::timestamp::{Anchors, Nonce, Token, request};
use openssl::{Certified, Folder, P_256, ROOT, RSA_2048, SIGNER};
use support::bundle::{Exported, Options, export};
use support::{By, Vault, story_in};

struct Authority {
    folder: Folder,
    root: Certified,
    signer: Certified,
}

impl Authority {
    fn new() -> Self {
        let folder = Folder::new();
        let root = folder.root(P_256, ROOT);
        let signer = folder.issue(&root, RSA_2048, SIGNER);
        Self { folder, root, signer }
    }

    fn token(&self, document: &[u8]) -> Vec<u8> {
        let query = request(&Digest::of(document), Nonce::new(7));
        let response = self.folder.reply(&self.signer, &query, &[], "");
        Token::from_response(&response).unwrap().as_der().to_vec()
    }

    fn roots(&self) -> Vec<u8> {
        fs::read(&self.root.certificate).unwrap()
    }
}

/// A bundle with a token from before the case and one over all of it, in a folder.
fn stamped(authority: &Authority) -> (PathBuf, Exported) {
    let mut vault = Vault::new_at(9, 1_600_000_000_000);
    vault.stamp(|note| authority.token(note));
    // The authority's clock is the machine's: what happens next happens now.
    let (size, stamp) = vault.stamps.first_key_value().unwrap();
    assert_eq!(*size, 1);
    let anchors = Anchors::parse(&authority.roots()).unwrap();
    let token = Token::from_der(&stamp.tokens[0]).unwrap();
    vault.now = token.verify(&Digest::of(&stamp.note), None, &anchors).unwrap().time.millis();
    let mut story = story_in(vault, &[("photo.jpg", b"a photograph"), ("b.txt", b"b")]);
    let lead = story.lead.clone();
    let last = |note: &[u8]| authority.token(note);
    let options = Options { stamp: Some(&last), ..Options::default() };
    let bundle = export(&mut story.vault, By::Own(&lead), story.case, &options);
    let root = authority.folder.path("bundle");
    for (path, bytes) in &bundle.files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    (root, bundle)
}

fn verify(bundle: &Path, more: &[&Path]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custody-verify"));
    let output = command.arg("--json").arg(bundle).args(more).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn time_stamps_are_checked_with_the_roots_that_the_reader_brings() {
    let authority = Authority::new();
    let (root, bundle) = stamped(&authority);
    let roots = authority.folder.write("roots.pem", authority.roots());
    let report = verify(&root, &["--timestamp-roots".as_ref(), &roots]);
    assert!(!report.contains("not-timestamped"), "{report}");
    assert_eq!(report.matches("CN=Test authority").count(), 2, "{report}");
    assert!(verify(&root, &[]).contains("no roots of timestamp authorities were given"));
    let other = Authority::new();
    let others = authority.folder.write("others.pem", other.roots());
    let report = verify(&root, &["--timestamp-roots".as_ref(), &others]);
    assert!(report.contains("not-timestamped") && report.contains("\"unknown_timestamps\":2"), "{report}");
    assert_eq!(bundle.vault.stamps.len(), 2);
}

#[test]
fn openssl_checks_time_stamps_with_the_commands_that_the_bundle_prints() {
    let authority = Authority::new();
    let (root, _) = stamped(&authority);
    authority.folder.write("bundle/roots.pem", authority.roots());
    // A file of roots is named from where the script is called.
    let script = |arg: &str, at: &Path| {
        let script = root.join("verify.sh");
        let output = Command::new("sh").arg(script).args([arg]).current_dir(at).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (passed, said) = script("roots.pem", &root);
    assert!(passed && said.contains("checkpoint: time-stamped"), "{said}");
    assert_eq!(said.matches("Time stamp:").count(), 2, "{said}");
    assert!(script("bundle/roots.pem", root.parent().unwrap()).0);
    let (passed, said) = script("", &root);
    assert!(passed && said.contains("time stamps: not checked"), "{said}");
    let text = fs::read_to_string(root.join("VERIFY.txt")).unwrap();
    let (_, commands) = text.split_once("\n6. ").unwrap();
    let commands: Vec<_> = commands.lines().filter(|line| line.starts_with("    ")).collect();
    let run = || {
        let mut shell = Command::new("sh");
        shell.args(["-euc", &commands.join("\n")]).current_dir(&root).output().unwrap()
    };
    let output = run();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("Time stamp:").count(), 2, "{said}");
    // Another authority's root, and they fail.
    fs::write(root.join("roots.pem"), Authority::new().roots()).unwrap();
    assert!(!run().status.success() && !script("roots.pem", &root).0);
}
