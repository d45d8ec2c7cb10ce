//! Known objects, one file a case under `tests/vectors/blob/`: what to expect stands in the header.
//!
//! Files are kept for ever; a new case is added by [`cases`] and `cargo test -p custody --test blob -- --ignored`,
//! which writes what is missing and changes nothing.

#![expect(clippy::unwrap_used, reason = "clippy exempts test functions, not what they share")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use custody::aead::Portable;
use custody::blob::{BlobContext, BlobError, BlobHeader, BlobReader, ObjectId, VaultId};
use custody::digest::Digest;
use custody::floe::FloeError;
use custody::id::ItemId;
use custody::keys::{DataKey, Key32};

use crate::support::{HEADER, content, context, index, seal};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/blob")
}

#[test]
fn every_known_object_opens_or_fails_as_it_says() {
    let mut seen = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        let head: BTreeMap<_, _> = head.lines().map(|line| line.split_once(": ").unwrap()).collect();
        let object = hex::decode(body.split_whitespace().collect::<String>()).unwrap();
        let found = match open(&head, &object) {
            Ok(plaintext) => {
                assert_eq!(reference_opens(&object), plaintext, "{}", path.display());
                format!("sha256 {}", Digest::of(&plaintext))
            }
            Err(error) => code(&error).to_owned(),
        };
        assert_eq!(found, head["expect"], "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, cases().len(), "every case has its file");
}

fn open(head: &BTreeMap<&str, &str>, object: &[u8]) -> Result<Vec<u8>, BlobError> {
    let wanted = BlobContext {
        object: head["object"].parse().unwrap(),
        vault: VaultId::of(&head["vault"].parse().unwrap()),
        item: head["item"].parse().unwrap(),
        version: head["version"].parse().unwrap(),
    };
    let key = DataKey::new(Key32::new(*head["key"].parse::<Digest>().unwrap().as_bytes()));
    let header = BlobHeader::parse(object.get(..HEADER).unwrap_or_default())?;
    let mut reader = BlobReader::<Portable>::open(&header, &wanted, &key, head["size"].parse().unwrap())?;
    let extent = reader.layout().segment(0)?;
    let stored = &object[index(extent.offset)..];
    Ok(reader.segment(0, &mut stored.to_vec())?.to_vec())
}

/// What the reference implementation of FLOE makes of an object; all cases share one key.
fn reference_opens(object: &[u8]) -> Vec<u8> {
    let key = fast_floe::Key::from_bytes([1; 32]);
    let params = fast_floe::Parameters::with_segment_length(262_144).unwrap();
    let aad = [b"custos/blob/v1\0", &object[..64]].concat();
    fast_floe::decrypt_with_parameters(&key, &aad, params, &object[64..]).unwrap()
}

fn code(error: &BlobError) -> &'static str {
    match error {
        BlobError::Magic => "no blob",
        BlobError::Unknown { .. } => "unknown version, suite or flags",
        BlobError::SegmentsPerPart(_) => "part size out of range",
        BlobError::ContentVersion => "version out of range",
        BlobError::Context(_) => "another context",
        BlobError::Floe(FloeError::Params) => "other parameters",
        BlobError::Floe(FloeError::Header) => "header does not belong to key and context",
        BlobError::Floe(FloeError::Size { .. }) => "segment length impossible",
        BlobError::Floe(FloeError::Word(_)) => "length word contradicts",
        BlobError::Floe(FloeError::Segment(_)) => "segment altered",
        other => panic!("no vector expects this: {other}"),
    }
}

struct Case {
    name: &'static str,
    expect: String,
    wanted: BlobContext,
    size: usize,
    object: Vec<u8>,
}

/// All cases.
fn cases() -> Vec<Case> {
    let good = |name, size| {
        let content = content(size);
        let expect = format!("sha256 {}", Digest::of(&content));
        Case { name, expect, wanted: context(), size, object: seal(&content).0 }
    };
    let bad = |name, expect: &str, damage: &dyn Fn(&mut Case)| {
        let mut case = Case { name, expect: expect.to_owned(), ..good(name, 7) };
        damage(&mut case);
        case
    };
    let (header, segment) = ("header does not belong to key and context", "segment altered");
    let unknown = "unknown version, suite or flags";
    vec![
        good("empty", 0),
        good("one-byte", 1),
        good("short", 7),
        good("a-thousand-bytes", 1000),
        bad("wrong-magic", "no blob", &|case| case.object[3] = b'2'),
        bad("cut-header", "no blob", &|case| case.object.truncate(HEADER - 1)),
        bad("unknown-version", unknown, &|case| case.object[4] = 2),
        bad("unknown-suite", unknown, &|case| case.object[5] = 2),
        bad("unknown-flag", unknown, &|case| case.object[6] = 1),
        bad("reserved-byte", unknown, &|case| case.object[7] = 1),
        bad("version-zero", "version out of range", &|case| case.object[59] = 0),
        bad("part-size-zero", "part size out of range", &|case| case.object[63] = 0),
        bad("part-size-altered", header, &|case| case.object[63] = 65),
        bad("other-object", "another context", &|case| case.wanted.object = ObjectId::new([1; 16])),
        bad("other-vault", "another context", &|case| case.wanted.vault = VaultId::of(&Digest::ZERO)),
        bad("other-item", "another context", &|case| case.wanted.item = ItemId::new(uuid::Uuid::nil())),
        bad("other-version", "another context", &|case| case.wanted.version = 2),
        bad("preamble-rewritten-for-other-version", header, &|case| {
            case.object[59] = 2;
            case.wanted.version = 2;
        }),
        bad("other-segment-length", "other parameters", &|case| case.object[69] = 1),
        bad("header-iv-altered", header, &|case| case.object[74] ^= 1),
        bad("header-tag-altered", header, &|case| case.object[137] ^= 1),
        bad("length-word-altered", "length word contradicts", &|case| case.object[141] ^= 1),
        bad("last-segment-marked-as-not-last", "length word contradicts", &|case| {
            case.object[138..142].fill(0xff);
        }),
        bad("nonce-altered", segment, &|case| case.object[142] ^= 1),
        bad("ciphertext-altered", segment, &|case| case.object[154] ^= 1),
        bad("tag-altered", segment, &|case| case.object[176] ^= 1),
        bad("cut", "segment length impossible", &|case| case.object.truncate(176)),
        bad("extra-byte", "segment length impossible", &|case| case.object.push(0)),
        bad("cut-with-its-size", "length word contradicts", &|case| {
            case.object.truncate(176);
            case.size = 6;
        }),
    ]
}

#[test]
#[ignore = "writes the files of new cases"]
fn write_missing_vectors() {
    let vault = Digest::of(b"a vault");
    let other_vault = Digest::ZERO;
    for case in cases() {
        let path = folder().join(format!("{}.txt", case.name));
        if path.exists() {
            continue;
        }
        let vault = if case.wanted.vault == context().vault { vault } else { other_vault };
        let BlobContext { object, item, version, .. } = case.wanted;
        let (expect, size, key) = (case.expect, case.size, "01".repeat(32));
        let mut text = format!(
            "expect: {expect}\nkey: {key}\nvault: {vault}\nobject: {object}\nitem: {item}\nversion: {version}\nsize: \
             {size}\n\n"
        );
        for line in case.object.chunks(48) {
            text.push_str(&hex::encode(line));
            text.push('\n');
        }
        fs::write(path, text).unwrap();
    }
}
