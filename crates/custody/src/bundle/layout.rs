//! Where everything stands in a bundle, and the files that make it a `BagIt` 1.0 bag (RFC 8493).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;

use super::findings::is_invisible;
use super::manifest::Payload;
use crate::act::ObjectId;
use crate::checkpoint::decimal;
use crate::digest::Digest;

/// The declaration of a bag.
pub const BAGIT: &str = "bagit.txt";
/// Its whole text (RFC 8493, section 2.1.1).
pub const BAGIT_TEXT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
/// About the bag, for people and archives.
pub const BAG_INFO: &str = "bag-info.txt";
/// Digests of all files below `data/`.
pub const MANIFEST: &str = "manifest-sha256.txt";
/// Digests of all other files but itself and its signature.
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// 64 bytes: raw Ed25519 of the vault's key over [`TAG_MANIFEST`].
pub const TAG_MANIFEST_SIG: &str = "tagmanifest-sha256.txt.sig";
/// The signed description of the bundle.
pub const BUNDLE: &str = "bundle.json";
/// How to check by hand.
pub const VERIFY_TXT: &str = "VERIFY.txt";
/// The same as a script.
pub const VERIFY_SH: &str = "verify.sh";
/// Every exhibit with its digest.
pub const HASH_REPORT: &str = "hash-report.txt";
/// The records, one a line.
pub const RECORDS: &str = "custody/records.jsonl";
/// Openings of personal fields, one a line.
pub const OPENINGS: &str = "custody/openings.jsonl";
/// Inclusion proofs, one a line.
pub const PROOFS: &str = "custody/proofs.jsonl";
/// The log's checkpoint with its signatures (C2SP signed-note).
pub const CHECKPOINT: &str = "custody/checkpoint";
/// The history as a table.
pub const TIMELINE: &str = "custody/timeline.csv";
/// Folder of what timestamp authorities said about checkpoints: see [`timestamp_path`].
pub const TIMESTAMPS: &str = "custody/timestamps/";
/// The vault's key, for openssl.
pub const VAULT_PEM: &str = "trust/keys/vault.pem";
/// The log's key, for openssl.
pub const LOG_PEM: &str = "trust/keys/log.pem";
/// A trust policy (C2SP tlog-policy) as a suggestion: trust itself comes from outside.
pub const POLICY: &str = "trust/policy";

/// Field of `item.registered` whose value names an exhibit's file.
pub const FIELD_FILE_NAME: &str = "file-name";
/// Field of `item.registered` and `case.opened` that the timeline shows.
pub const FIELD_TITLE: &str = "title";
/// Field of `person.registered` and `org.registered` that the timeline shows.
pub const FIELD_NAME: &str = "name";

/// Longest path in a bundle, bytes.
pub const MAX_PATH_BYTES: usize = 512;
/// Longest file name of an exhibit, bytes of UTF-8: what every common file system takes, with room for a folder.
pub const MAX_NAME_BYTES: usize = 150;

/// `data/exhibits/E-0001/<file name>`. The name is the original one in NFC if it was disclosed and is safe on every
/// common system, else `content.bin`: a name is never repaired into one that nobody gave.
pub fn exhibit_path(exhibit: u32, name: Option<&str>) -> String {
    let name = name.map(|name| name.nfc().collect::<String>()).filter(|name| is_safe_name(name));
    format!("data/exhibits/{}/{}", exhibit_label(exhibit), name.as_deref().unwrap_or("content.bin"))
}

/// `E-0001`.
pub fn exhibit_label(exhibit: u32) -> String {
    format!("E-{exhibit:04}")
}

/// `data/manifests/<object>.json`.
pub fn manifest_path(object: &ObjectId) -> String {
    format!("data/manifests/{object}.json")
}

/// `data/sealed/E-0001/content.sealed`: the stored ciphertext of restricted content that is produced to a court.
pub fn sealed_path(exhibit: u32) -> String {
    format!("data/sealed/{}/content.sealed", exhibit_label(exhibit))
}

/// Which half of a restricted item's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The persons', as two of a pair sealed it to the court.
    Persons,
    /// The vault's, as the vault sealed it to the court.
    Vault,
}

/// `data/sealed/E-0001/<proposal>.persons.age` and `….vault.age`.
pub fn half_path(exhibit: u32, proposal: &Digest, half: Half) -> String {
    let whose = if half == Half::Persons { "persons" } else { "vault" };
    format!("data/sealed/{}/{proposal}.{whose}.age", exhibit_label(exhibit))
}

/// A file below [`TIMESTAMPS`]; all that belong to one checkpoint begin with its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimestampFile {
    /// `<size>.note`: the checkpoint with the log's own signature and no other, over which the tokens are.
    Note,
    /// `<size>.consistency`: that the bundle's checkpoint goes on from it, where that is larger.
    Consistency,
    /// `<size>.<number>.tsr`: the token of an authority, numbered from 1 to 9, as it came.
    Token(u8),
}

/// The path of a file below [`TIMESTAMPS`].
pub fn timestamp_path(size: u64, file: TimestampFile) -> String {
    match file {
        TimestampFile::Note => format!("{TIMESTAMPS}{size}.note"),
        TimestampFile::Consistency => format!("{TIMESTAMPS}{size}.consistency"),
        TimestampFile::Token(number) => format!("{TIMESTAMPS}{size}.{number}.tsr"),
    }
}

/// Reads exactly what [`timestamp_path`] writes, for sizes from 1.
pub fn parse_timestamp_path(path: &str) -> Option<(u64, TimestampFile)> {
    let (size, end) = path.strip_prefix(TIMESTAMPS)?.split_once('.')?;
    let size = decimal(size).filter(|size| *size > 0)?;
    let file = match end {
        "note" => TimestampFile::Note,
        "consistency" => TimestampFile::Consistency,
        _ => match end.strip_suffix(".tsr")?.as_bytes() {
            [digit @ b'1'..=b'9'] => TimestampFile::Token(digit - b'0'),
            _ => return None,
        },
    };
    Some((size, file))
}

/// Whether a file name can be created everywhere, means the same everywhere, and cannot mislead a reader.
fn is_safe_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    let numbered = numbered.is_some_and(|rest| rest.chars().count() == 1 && !rest.starts_with(is_letter));
    let device =
        numbered || matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$");
    let odd = |c: char| c.is_control() || is_invisible(c) || r#"/\:*?"<>|%"#.contains(c);
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && !name.contains(odd)
        && !name.starts_with(['.', ' ', '-', '~'])
        && !name.ends_with(['.', ' '])
        && !name.starts_with(char::is_whitespace)
        && !name.ends_with(char::is_whitespace)
        && !device
}

const fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
}

/// Why a path cannot stand in a bundle; nothing if it can.
pub fn path_problem(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.len() > MAX_PATH_BYTES {
        return Some("the path is empty or too long");
    }
    if path.starts_with('/') || path.contains(['\\', '\0']) || path.as_bytes().get(1) == Some(&b':') {
        return Some("the path is absolute or has a backslash");
    }
    let parts = path.strip_suffix('/').unwrap_or(path);
    if parts.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some("the path climbs or has an empty part");
    }
    if path.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Some("the path has control or invisible characters");
    }
    if path == "fetch.txt" { Some("parts to be fetched from elsewhere are refused") } else { None }
}

/// What two paths share if a file system could take one for the other: case and Unicode normalisation aside.
pub fn clash_key(path: &str) -> String {
    path.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// The digests of a bag's files as they are written: what its two manifests list.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    payload: BTreeMap<String, Digest>,
    tags: BTreeMap<String, Digest>,
    bytes: u64,
}

impl Tally {
    /// Notes a file, with its size in bytes and its SHA-256.
    pub fn add(&mut self, path: &str, size: u64, digest: Digest) {
        if path.starts_with("data/") {
            self.bytes += size;
            self.payload.insert(path.to_owned(), digest);
        } else {
            self.tags.insert(path.to_owned(), digest);
        }
    }

    /// Counts of the files below `data/`.
    pub fn payload(&self) -> Payload {
        Payload { bytes: self.bytes, files: self.payload.len() as u64 }
    }

    /// The text of [`MANIFEST`].
    pub fn manifest(&self) -> String {
        manifest_text(&self.payload)
    }

    /// The text of [`TAG_MANIFEST`].
    pub fn tag_manifest(&self) -> String {
        manifest_text(&self.tags)
    }
}

fn manifest_text(files: &BTreeMap<String, Digest>) -> String {
    files.iter().fold(String::new(), |mut text, (path, digest)| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{digest}  {path}");
        text
    })
}

/// Reads a line of a manifest: digest, two spaces, path.
pub fn parse_manifest_line(line: &[u8]) -> Option<(Digest, &str)> {
    let (digest, path) = core::str::from_utf8(line).ok()?.split_once("  ")?;
    Some((Digest::from_hex(digest).ok()?, path)).filter(|(_, path)| path_problem(path).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_safe_name_is_kept_and_any_other_is_replaced() {
        let kept = |name: &str| exhibit_path(3, Some(name)) != "data/exhibits/E-0003/content.bin";
        for name in
            ["a.jpg", "Überweisung März.pdf", "ภาพ.png", "no extension", "com10", "console.txt", "a,b.txt"]
        {
            assert!(kept(name), "{name}");
        }
        let long = "x".repeat(151);
        for name in [
            "",
            ".",
            "..",
            "../a",
            "a/b",
            "a\\b",
            "a:b",
            "con",
            "CON.txt",
            "lpt1.doc",
            "com¹",
            "nul ",
            "a.",
            "a ",
            " a",
            "-rf",
            "~a",
            ".hidden",
            "a\nb",
            "a\u{202e}gpj.exe",
            "a%0A",
            "a\u{200b}",
            &long,
        ] {
            assert!(!kept(name), "{name:?}");
        }
        assert_eq!(exhibit_path(12_345, None), "data/exhibits/E-12345/content.bin");
        // The decomposed spelling of a name becomes the composed one.
        assert_eq!(exhibit_path(1, Some("u\u{308}.txt")), "data/exhibits/E-0001/\u{fc}.txt");
    }

    #[test]
    fn paths_that_leave_the_bundle_are_refused() {
        for path in ["", "/a", "a/../b", "..", "a//b", "a\\b", "C:x", "./a", "fetch.txt", "a\u{7}", "a/./b"] {
            assert!(path_problem(path).is_some(), "{path:?}");
        }
        assert_eq!(path_problem("data/exhibits/E-0001/a b.txt"), None);
        assert_eq!(path_problem("data/empty/"), None);
        assert_eq!(clash_key("DATA/\u{fc}"), clash_key("data/u\u{308}"));
    }

    #[test]
    fn names_of_time_stamps_have_one_spelling() {
        for file in [TimestampFile::Note, TimestampFile::Consistency, TimestampFile::Token(2)] {
            assert_eq!(parse_timestamp_path(&timestamp_path(40, file)), Some((40, file)));
        }
        for bad in
            ["040.note", "0.note", "4.tsr", "4.0.tsr", "4.10.tsr", "4.1.tsr.bak", "+4.note", "a/4.note"]
        {
            assert_eq!(parse_timestamp_path(&format!("{TIMESTAMPS}{bad}")), None, "{bad}");
        }
    }

    #[test]
    fn a_manifest_is_read_back() {
        let mut tally = Tally::default();
        tally.add("data/b", 3, Digest::of(b"b"));
        tally.add("data/a", 4, Digest::of(b"a"));
        tally.add("bagit.txt", 9, Digest::of(b"c"));
        let text = tally.manifest();
        let lines: Vec<_> = text.lines().map(|line| parse_manifest_line(line.as_bytes()).unwrap()).collect();
        assert_eq!(lines, [(Digest::of(b"a"), "data/a"), (Digest::of(b"b"), "data/b")]);
        assert_eq!(tally.payload(), Payload { bytes: 7, files: 2 });
        assert_eq!(parse_manifest_line(b"zz  a"), None);
    }
}
