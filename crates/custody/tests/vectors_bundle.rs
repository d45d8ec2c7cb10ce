//! Whole bundles and receipts, one file a case: `expect:` in its header says what the verifier must find. Formats are
//! read for ever: these files are never made again, only added to.
#![cfg(test)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custody::bundle::{Trust, layout, verify};
use custody::digest::Digest;
use custody::note::VerifierKey;
use custody::receipt::Receipt;
use support::bundle::{Exported, Files, Memory, Options, export};
use support::{By, story_with};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

/// Header lines `name: value`, a blank line, the rest.
fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = text.split_once("\n\n").unwrap();
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn cases(name: &str) -> Vec<(String, String)> {
    let mut paths: Vec<_> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_bundle_is_judged_as_its_header_says() {
    let cases = cases("bundle");
    assert!(cases.len() >= 6);
    for (path, text) in cases {
        let (_, body) = text.split_once("\n\n").unwrap();
        let mut files = Files::new();
        for file in body.split("-- ").skip(1) {
            let (name, bytes) = file.split_once(" --\n").unwrap();
            files.insert(name.to_owned(), STANDARD.decode(bytes.replace('\n', "")).unwrap());
        }
        let fingerprint = header(&text, "fingerprint").map(|hex| Digest::from_hex(hex).unwrap());
        let trust = Trust { fingerprint, ..Trust::default() };
        let report = verify(&mut Memory::new(&files), &trust, None, &[]).unwrap();
        let found: BTreeSet<_> = report.findings.iter().map(|finding| finding.code.name()).collect();
        let expected: BTreeSet<_> = header(&text, "expect").unwrap().split(' ').collect();
        assert_eq!(found, expected, "{path}: {}", report.to_text());
        assert_eq!(header(&text, "exit").unwrap(), report.exit_code.to_string(), "{path}");
    }
}

#[test]
fn every_receipt_is_judged_as_its_header_says() {
    let cases = cases("record");
    assert!(cases.len() >= 4);
    for (path, text) in cases {
        let (_, body) = text.split_once("\n\n").unwrap();
        let vault = Digest::from_hex(header(&text, "vault").unwrap()).unwrap();
        let log: VerifierKey = header(&text, "log").unwrap().parse().unwrap();
        let receipt = Receipt::parse(body.trim_end().as_bytes());
        let verdict = match receipt.and_then(|receipt| receipt.check(&vault, &log)) {
            Ok(checked) => format!("holds {} {}", checked.record.log_index, checked.record.kind),
            Err(error) => format!("refused: {error}"),
        };
        assert_eq!(header(&text, "expect"), Some(verdict.as_str()), "{path}");
    }
}

/// How the files were made. Run by hand, for new cases only.
#[test]
#[ignore = "writes the vectors"]
fn write() {
    let mut story = story_with(1, &[("photo.jpg", b"a photograph")]);
    let lead = story.lead.clone();
    let honest = export(&mut story.vault, By::Own(&lead), story.case, &Options::default());
    let (id, log) = (story.vault.id(), story.vault.log_vkey());
    let altered = |change: &dyn Fn(&mut Exported), sealed: bool| {
        let mut bundle = honest.clone();
        change(&mut bundle);
        if sealed {
            bundle.reseal();
        }
        bundle
    };
    let photo = "data/exhibits/E-0001/photo.jpg";
    let replace = |bundle: &mut Exported| drop(bundle.files.insert(photo.to_owned(), b"another".to_vec()));
    let without_last = |bundle: &mut Exported| {
        for path in [layout::RECORDS, layout::PROOFS] {
            let mut lines = bundle.lines(path);
            lines.remove(9);
            bundle.set_lines(path, &lines);
        }
    };
    for (name, comment, fingerprint, bundle) in [
        ("honest-unpinned", "an honest bundle, nobody to trust", None, honest.clone()),
        ("honest-pinned", "an honest bundle, the right fingerprint", Some(id), honest.clone()),
        ("other-vault", "an honest bundle of another vault", Some(Digest::ZERO), honest.clone()),
        ("exhibit-replaced", "an exhibit replaced", Some(id), altered(&replace, false)),
        (
            "exhibit-replaced-sealed",
            "an exhibit replaced, all lists signed again",
            Some(id),
            altered(&replace, true),
        ),
        (
            "record-left-out-sealed",
            "a record left out, all lists signed again",
            Some(id),
            altered(&without_last, true),
        ),
    ] {
        let trust = Trust { fingerprint, ..Trust::default() };
        let report = bundle.verify_with(&trust, None, &[]);
        let names: Vec<_> = report.findings.iter().map(|finding| finding.code.name()).collect();
        let mut text = format!("# {comment}\nexpect: {}\nexit: {}\n", names.join(" "), report.exit_code);
        if let Some(fingerprint) = fingerprint {
            writeln!(text, "fingerprint: {fingerprint}").unwrap();
        }
        for (path, bytes) in &bundle.files {
            let lines: Vec<_> =
                bytes.chunks(75).map(|chunk| format!("{}\n", STANDARD.encode(chunk))).collect();
            write!(text, "{}-- {path} --\n{}", if text.contains("\n\n") { "" } else { "\n" }, lines.concat())
                .unwrap();
        }
        write_new("bundle", name, &text);
    }
    let last = story.vault.size() - 1;
    let sound = story.vault.receipt(last).emit();
    let sound = String::from_utf8(sound).unwrap();
    let (member, rest) = sound.split_at(sound.find("\"salt\":\"").unwrap() + 8);
    let other_salt = format!("{member}{}{}", "0".repeat(64), &rest[64..]);
    for (name, comment, vault, body) in [
        (
            "receipt-of-record-0",
            "the vault's first record",
            id,
            String::from_utf8(story.vault.receipt(0).emit()).unwrap(),
        ),
        ("receipt-of-an-export", "a record with a predecessor in its case", id, sound.clone()),
        ("receipt-of-another-vault", "the same for another vault", Digest::ZERO, sound.clone()),
        ("receipt-with-another-salt", "the entry commits to something else", id, other_salt),
    ] {
        let receipt = Receipt::parse(body.as_bytes()).unwrap();
        let verdict = match receipt.check(&vault, &log) {
            Ok(checked) => format!("holds {} {}", checked.record.log_index, checked.record.kind),
            Err(error) => format!("refused: {error}"),
        };
        write_new(
            "record",
            name,
            &format!("# {comment}\nexpect: {verdict}\nvault: {vault}\nlog: {log}\n\n{body}\n"),
        );
    }
}

fn write_new(kind: &str, name: &str, text: &str) {
    fs::create_dir_all(folder(kind)).unwrap();
    let path = folder(kind).join(name);
    assert!(!path.exists(), "{} exists: a vector is never changed", path.display());
    fs::write(path, text).unwrap();
}
