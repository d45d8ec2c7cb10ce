//! The court's binary, from the outside: folders, ZIP files, exit codes, and what common tools say.
#![cfg(test)]

#[path = "../../custody/tests/support/mod.rs"]
mod support;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use custody::act::KeyRevoked;
use custody::digest::Digest;
use custody::kind::Kind;
use custody::note::SignedNote;
use custody::record::ENTRY_BYTES;
use custody::tile::{TilePath, emit_entries};
use support::bundle::{Exported, Files, Options, export};
use support::{By, Vault, story};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

struct Fixture {
    dir: TempDir,
    bundle: Exported,
    vault: Vault,
}

impl Fixture {
    fn new() -> Self {
        let mut story = story(9);
        let lead = story.lead.clone();
        let bundle = export(&mut story.vault, By::Own(&lead), story.case, &Options::default());
        let fixture = Self { dir: TempDir::new().unwrap(), bundle, vault: story.vault };
        fixture.write("entries", &fixture.vault.entries().concat());
        write_folder(&fixture.path("folder"), &fixture.bundle.files);
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn zip(&self, name: &str, files: &Files, prefix: &str, method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(fs::File::create(self.path(name)).unwrap());
        for (path, bytes) in files {
            let options = SimpleFileOptions::default().compression_method(method);
            zip.start_file(format!("{prefix}{path}"), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        fs::read(self.path(name)).unwrap()
    }

    fn verify(&self, args: &[&str]) -> (i32, String) {
        let args: Vec<_> =
            args.iter().map(|arg| arg.replace('@', &format!("{}/", self.dir.path().display()))).collect();
        let with_threads = |count: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_custody-verify"));
            let output = command.args(["--threads", count]).args(&args).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &err(&output);
            (output.status.code().unwrap(), said)
        };
        let alone = with_threads("1");
        assert_eq!(with_threads("3"), alone);
        alone
    }
}

/// Writes a mirror's folder.
fn write_mirror(root: &Path, entries: &[[u8; ENTRY_BYTES]], checkpoint: &SignedNote) {
    let size = entries.len() as u64;
    let bundles = TilePath::changed(0, size).filter_map(TilePath::bundle);
    let mut files: Files = bundles
        .map(|path| {
            let (_, range) = path.nodes().unwrap();
            let (from, to) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
            let bundle = emit_entries(entries[from..to].iter().map(<[u8; ENTRY_BYTES]>::as_slice));
            (path.to_string(), bundle.unwrap())
        })
        .collect();
    files.insert("checkpoint".to_owned(), checkpoint.to_string().into_bytes());
    write_folder(root, &files);
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn write_folder(root: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn folder_and_zip_give_the_same_report() {
    let fixture = Fixture::new();
    let files = &fixture.bundle.files;
    fixture.zip("flat.zip", files, "", CompressionMethod::Stored);
    fixture.zip("nested.zip", files, "case-1/", CompressionMethod::Stored);
    let (code, folder) = fixture.verify(&["@folder", "--json"]);
    assert_eq!(code, 4, "{folder}");
    assert!(folder.contains("\"not-pinned\"") && folder.contains("\"not-audited\""), "{folder}");
    for zip in ["@flat.zip", "@nested.zip"] {
        assert_eq!(fixture.verify(&[zip, "--json"]), (4, folder.clone()));
    }
    let fingerprint = fixture.vault.id().to_hex();
    let (code, text) = fixture.verify(&["@flat.zip", "--fingerprint", &fingerprint, "--entries", "@entries"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.starts_with("VERIFIED, INCOMPLETE"), "{text}");
    assert!(!text.contains("not-pinned") && !text.contains("not-audited"), "{text}");
}

#[test]
fn another_fingerprint_is_an_unknown_signer() {
    let fixture = Fixture::new();
    let (code, text) = fixture.verify(&["@folder", "--fingerprint", &"0".repeat(64)]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("unknown-signer"), "{text}");
}

#[test]
fn wrong_usage_and_missing_files_are_no_verdicts() {
    let fixture = Fixture::new();
    fixture.write("junk", b"junk");
    assert_eq!(fixture.verify(&["@folder", "--fingerprint", "zz"]).0, 2);
    let none =
        Command::new(env!("CARGO_BIN_EXE_custody-verify")).args(["--threads", "0", "x"]).output().unwrap();
    assert_eq!(none.status.code(), Some(2));
    assert_eq!(fixture.verify(&["@folder", "--trust", "@junk"]).0, 2);
    assert_eq!(fixture.verify(&["@folder", "--receipt", "@junk"]).0, 2);
    assert_eq!(fixture.verify(&["@nowhere"]).0, 1);
    assert_eq!(fixture.verify(&["@folder", "--entries", "@nowhere"]).0, 1);
}

#[test]
fn devices_pipes_and_files_without_measure_are_refused_by_name() {
    let fixture = Fixture::new();
    let pipe = fixture.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let sparse = |name: &str, len: u64| fs::File::create(fixture.path(name)).unwrap().set_len(len).unwrap();
    sparse("long", (4 << 20) + 1);
    sparse("endless", 97 << 33);
    fixture.write("odd", &fixture.vault.entries().concat()[1..]);
    let entries = ["@folder", "--entries", "@entries", "--checkpoint"];
    for given in
        [&[][..], &["@folder", "--entries"], &entries, &["@folder", "--trust"], &["@folder", "--receipt"]]
    {
        for special in ["/dev/zero", "@pipe"] {
            let (code, text) = fixture.verify(&[given, &[special]].concat());
            assert_eq!(code, 2, "{given:?}: {text}");
            assert!(text.contains("not a regular file") && text.contains("hint: "), "{given:?}: {text}");
        }
    }
    for (given, name, rule) in [
        (&["@folder", "--entries"][..], "@odd", "no multiple"),
        (&["@folder", "--entries"], "@endless", "are not read"),
        (&entries, "@long", "at most"),
        (&["@folder", "--trust"], "@long", "at most"),
        (&["@folder", "--receipt"], "@long", "at most"),
    ] {
        let (code, text) = fixture.verify(&[given, &[name]].concat());
        assert_eq!(code, 2, "{name}: {text}");
        assert!(text.contains(rule), "{name}: {text}");
    }
}

#[test]
fn entries_that_end_before_the_mirrors_checkpoint_are_no_audit() {
    let mut story = story(9);
    let lead = story.lead.clone();
    let bundle = export(&mut story.vault, By::Own(&lead), story.case, &Options::default());
    let cut = story.vault.entries();
    story.vault.put(By::Own(&lead), story.case, "later.txt", b"later");
    let fixture = Fixture { dir: TempDir::new().unwrap(), bundle, vault: story.vault };
    write_folder(&fixture.path("folder"), &fixture.bundle.files);
    fixture.write("all", &fixture.vault.entries().concat());
    fixture.write("cut", &cut.concat());
    fixture.write("checkpoint", fixture.vault.checkpoint().to_string().as_bytes());
    let audited = |entries: &str| {
        let (code, text) =
            fixture.verify(&["@folder", "--entries", entries, "--checkpoint", "@checkpoint", "--json"]);
        assert_eq!(code, 4, "{text}");
        !text.contains("not-audited")
    };
    assert!(audited("@all"));
    assert!(!audited("@cut"));
}

#[test]
fn a_mirrors_folder_is_read_like_the_file_of_entries() {
    let fixture = Fixture::new();
    let (entries, checkpoint) = (fixture.vault.entries(), fixture.vault.checkpoint());
    write_mirror(&fixture.path("mirror"), &entries, &checkpoint);
    let fingerprint = fixture.vault.id().to_hex();
    let verify = |entries: &str| {
        fixture.verify(&["@folder", "--fingerprint", &fingerprint, "--entries", entries, "--json"])
    };
    let flat = verify("@entries");
    assert_eq!(flat.0, 4);
    assert_eq!(verify("@mirror"), flat);
    // The full bundle stands in for a partial one that is gone.
    let width = entries.len() % 256;
    let bundle = |name: &str| fixture.path("mirror/tile/entries").join(name);
    let (partial, full) = (bundle(&format!("000.p/{width}")), bundle("000"));
    let bytes = fs::read(&partial).unwrap();
    let mut padded = bytes.clone();
    (width..256).for_each(|_| padded.extend([&[0, 97][..], &[1; 97]].concat()));
    fs::remove_file(&partial).unwrap();
    fs::write(&full, padded).unwrap();
    assert_eq!(verify("@mirror"), flat);
    fs::remove_file(&full).unwrap();
    for (damage, said) in [
        (None, "is not there"),
        (Some(&bytes[..bytes.len() - 1]), "is malformed"),
        (Some(&[&[0, 96][..], &bytes[2..]].concat()[..]), "is malformed"),
    ] {
        if let Some(damaged) = damage {
            fs::write(&partial, damaged).unwrap();
        }
        let (code, text) = verify("@mirror");
        assert_eq!(code, 4, "{text}");
        assert!(text.contains("not-audited") && text.contains(said), "{text}");
    }
    let mut changed = bytes;
    changed[99 * 3 + 40] ^= 1;
    fs::write(&partial, changed).unwrap();
    let (code, text) = verify("@mirror");
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("another root"), "{text}");
    fixture.write("mirror/checkpoint", b"junk");
    assert_eq!(verify("@mirror").0, 2);
    assert_eq!(verify("@folder").0, 1, "a folder that is no mirror");
}

#[test]
fn a_tail_that_was_hidden_and_signed_over_is_given_away_by_a_mirror_and_by_a_receipt() {
    let mut story = story(9);
    let (lead, admin, custodian) = (story.lead.clone(), story.admin.clone(), story.custodian.clone());
    let key = Digest::of(custodian.key.verifying_key().as_bytes());
    let mut revoked = support::draft(Kind::KeyRevoked, KeyRevoked { key, suspect_from: None }.to_data());
    revoked.person = Some(custodian.id);
    story.vault.say(By::Own(&admin), revoked);
    let receipt = story.vault.receipt(story.vault.size() - 1);
    let omit = |said: &support::Said, _: &custody::record::Built| said.statement.kind == Kind::KeyRevoked;
    let options = Options { omit: Some(&omit), ..Options::default() };
    let bundle = export(&mut story.vault, By::Own(&lead), story.case, &options);
    let fixture = Fixture { dir: TempDir::new().unwrap(), bundle, vault: story.vault };
    write_folder(&fixture.path("folder"), &fixture.bundle.files);
    write_mirror(&fixture.path("mirror"), &fixture.vault.entries(), &fixture.vault.checkpoint());
    fixture.write("kept.json", &receipt.emit());
    let fingerprint = fixture.vault.id().to_hex();
    let verify = |more: &[&str]| {
        fixture.verify(&[&["@folder", "--fingerprint", &fingerprint, "--json"][..], more].concat())
    };
    let (code, text) = verify(&[]);
    assert_eq!(code, 4, "the vault's own keys signed it: {text}");
    let (code, text) = verify(&["--entries", "@mirror"]);
    assert!(code == 3 && text.contains("\"truncated\""), "{text}");
    let (code, text) = verify(&["--receipt", "@kept.json"]);
    assert!(code == 3 && text.contains("\"receipt-not-covered\""), "{text}");
}

#[test]
fn receipts_and_trust_files_are_read_from_files() {
    let fixture = Fixture::new();
    fixture.write("one.receipt", &fixture.vault.receipt(0).emit());
    let trust = format!("log {}\nquorum none\n", fixture.vault.log_vkey());
    fixture.write("trust.txt", trust.as_bytes());
    let (code, text) =
        fixture.verify(&["@folder", "--receipt", "@one.receipt", "--trust", "@trust.txt", "--json"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("\"receipts\":1") && !text.contains("not-pinned"), "{text}");
}

#[test]
fn a_damaged_or_tricky_zip_is_a_finding_and_never_a_failure() {
    let fixture = Fixture::new();
    let files = &fixture.bundle.files;
    let sound = fixture.zip("sound.zip", files, "", CompressionMethod::Stored);
    let half = &sound[..sound.len() / 2];
    let longer = [&sound[..], b"x"].concat();
    let shifted = [b"x", &sound[..]].concat();
    let mut renamed = sound.clone();
    // The first local header's name; the central directory keeps the old one.
    renamed[30] ^= 1;
    for (name, bytes) in [
        ("half", half),
        ("longer", &longer[..]),
        ("shifted", &shifted[..]),
        ("renamed", &renamed[..]),
        ("text", b"no zip at all"),
        ("empty", b""),
    ] {
        fixture.write(name, bytes);
        let (code, text) = fixture.verify(&[&format!("@{name}")]);
        assert_eq!(code, 3, "{name}: {text}");
    }
    for at in (0..sound.len()).step_by(sound.len() / 150) {
        let mut flipped = sound.clone();
        flipped[at] ^= 0x40;
        fixture.write("flipped", &flipped);
        let (code, text) = fixture.verify(&["@flipped"]);
        // A flip in a time stamp or a version of the ZIP file itself leaves the tree as it is.
        assert!(matches!(code, 3 | 4), "{at}: {code} {text}");
    }
}

/// Moves the directory of a ZIP file without ZIP64 by `by` bytes, and the entries behind `from` with it.
fn shift_directory(zip: &mut [u8], from: usize, by: u32) {
    let u32_at = |zip: &[u8], at: usize| u32::from_le_bytes(zip[at..at + 4].try_into().unwrap());
    let u16_at = |zip: &[u8], at: usize| usize::from(u16::from_le_bytes([zip[at], zip[at + 1]]));
    let end = zip.len() - 22;
    let (size, start) = (u32_at(zip, end + 12), u32_at(zip, end + 16) + by);
    zip[end + 16..end + 20].copy_from_slice(&start.to_le_bytes());
    let mut at = start as usize;
    while at < (start + size) as usize {
        let local = u32_at(zip, at + 42);
        if local as usize > from {
            zip[at + 42..at + 46].copy_from_slice(&(local + by).to_le_bytes());
        }
        at += 46 + u16_at(zip, at + 28) + u16_at(zip, at + 30) + u16_at(zip, at + 32);
    }
}

#[test]
fn a_zip_that_another_program_unpacks_otherwise_is_refused() {
    let fixture = Fixture::new();
    let sound = fixture.zip("sound.zip", &fixture.bundle.files, "", CompressionMethod::Stored);
    assert_eq!(fixture.verify(&["@sound.zip"]).0, 4, "the bundle is sound as it is");
    // Of an exhibit: the local header of the first entry under data/.
    let at = sound.windows(35).position(|w| w.starts_with(b"PK\x03\x04") && &w[30..] == b"data/").unwrap();
    let name_len = usize::from(u16::from_le_bytes([sound[at + 26], sound[at + 27]]));
    let content = at + 30 + name_len;
    let with = |place: usize, bytes: &[u8]| {
        let mut zip = sound.clone();
        zip[at + place..at + place + bytes.len()].copy_from_slice(bytes);
        zip
    };
    // The beginning of an exhibit, with the right checksum: this is what unzip believes.
    let short = [crc32(&sound[content..content + 3]), 3, 3].map(u32::to_le_bytes).concat();
    // Another name in an extra field that Info-ZIP believes (0x7075), of the local header only.
    let name = &sound[at + 30..content];
    let mut other = name.to_vec();
    *other.last_mut().unwrap() ^= 1;
    let body = [&[1][..], &crc32(name).to_le_bytes(), &other].concat();
    let extra =
        [&0x7075_u16.to_le_bytes()[..], &u16::try_from(body.len()).unwrap().to_le_bytes(), &body].concat();
    let mut renamed =
        [&with(28, &u16::try_from(extra.len()).unwrap().to_le_bytes())[..content], &extra, &sound[content..]]
            .concat();
    shift_directory(&mut renamed, at, u32::try_from(extra.len()).unwrap());
    let mut before = [b"#!/bin/sh\n", &sound[..]].concat();
    shift_directory(&mut before, 0, 10);
    let end = sound.len() - 22;
    let behind = [&sound[..end], b"bytes", &sound[end..]].concat();
    let mut counted = sound.clone();
    counted[end + 8] -= 1;
    counted[end + 10] -= 1;
    let cases: [(&str, Vec<u8>); 8] = [
        ("sizes", with(14, &short)),
        ("checksum", with(14, &[0; 4])),
        ("flags", with(6, &[8])),
        ("method", with(8, &[8])),
        ("renamed", renamed),
        ("before", before),
        ("behind", behind),
        ("counted", counted),
    ];
    for (name, zip) in cases {
        fixture.write(name, &zip);
        let (code, text) = fixture.verify(&[&format!("@{name}")]);
        assert_eq!(code, 3, "{name}: {text}");
    }
}

/// CRC-32 as ZIP has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

#[test]
fn links_empty_folders_and_name_clashes_are_refused() {
    let fixture = Fixture::new();
    let root = fixture.path("folder");
    std::os::unix::fs::symlink("/etc/passwd", root.join("data/link")).unwrap();
    fs::create_dir(root.join("data/empty")).unwrap();
    let (code, text) = fixture.verify(&["@folder"]);
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("data/link: a symbolic link") && text.contains("data/empty/: an empty folder"),
        "{text}"
    );
    let mut files = fixture.bundle.files.clone();
    files.insert("BAGIT.txt".to_owned(), b"other".to_vec());
    files.insert("../outside".to_owned(), b"climbs".to_vec());
    fixture.zip("clash.zip", &files, "", CompressionMethod::Stored);
    let (code, text) = fixture.verify(&["@clash.zip"]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("but for case") && text.contains("climbs"), "{text}");
}

#[test]
fn common_tools_check_the_bundle_with_the_commands_it_prints() {
    let fixture = Fixture::new();
    let root = fixture.path("folder");
    let script = || Command::new("sh").arg("verify.sh").current_dir(&root).output().unwrap();
    let output = script();
    assert!(output.status.success(), "{}", err(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!("vault: {}", fixture.vault.id())), "{text}");
    // The commands of VERIFY.txt, as printed: indented lines after the heading, one block each.
    let printed = fs::read_to_string(root.join("VERIFY.txt")).unwrap();
    let commands =
        printed.split("WITH COMMON TOOLS").nth(1).unwrap().split("WHAT THE COMMON").next().unwrap();
    let commands: Vec<_> = commands.lines().filter(|line| line.starts_with("    ")).collect();
    let commands =
        commands.join("\n").replace("bagit.py --validate .            (optional: pip install bagit)", "true");
    let shell = Command::new("sh").args(["-euc", &commands]).current_dir(&root).output().unwrap();
    assert!(shell.status.success(), "{}\n{commands}", err(&shell));
    let text = String::from_utf8(shell.stdout).unwrap();
    assert_eq!(text.matches("Signature Verified Successfully").count(), 2, "{text}");
    assert!(text.contains(&fixture.vault.id().to_hex()), "{text}");
    let vault_key = fixture.bundle.about.vault_key.to_string();
    assert_eq!(text.matches(&vault_key).count(), 2, "{text}");
    let log_key = fixture.vault.log_vkey().to_string();
    assert_eq!(text.matches(log_key.rsplit('+').next().unwrap()).count(), 2, "{text}");
    // And they notice one altered byte.
    fs::write(root.join("custody/timeline.csv"), b"another story").unwrap();
    assert!(!script().status.success());
}
