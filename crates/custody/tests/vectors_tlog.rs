//! Reads every vector in `vectors/note`, `log`, `tile`, `witness` and `timestamp` and compares the verdict with what
//! the file expects.
//!
//! A vector is header lines `key: value`, a blank line, and a body to the end of the file, byte for byte. `expect` is
//! `valid` or the name of the error variant; `why` is for people; `type` says what the body is (a signed note if it
//! is missing). The files were made by independent programs (timestamps by `openssl`), not by the code under test.

#![expect(clippy::unwrap_used, reason = "a test stops at a vector that cannot be read")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use custody::checkpoint::Checkpoint;
use custody::digest::Digest;
use custody::merkle::{verify_consistency, verify_inclusion};
use custody::note::{SignedNote, VerifierKey};
use custody::policy::{Policy, PolicyError};
use custody::proof::TlogProof;
use custody::tile::{Tile, TilePath, parse_entries};
use custody::timestamp::{Anchors, Nonce, TimestampError, Token, Verified};
use custody::witness::{AddCheckpoint, Answer, Head, Refusal, cosignature_by, decide};

struct Vector {
    head: BTreeMap<String, Vec<String>>,
    body: Vec<u8>,
}

#[test]
fn every_note_vector_has_the_verdict_it_expects() {
    assert!(run("note") >= 60);
}

#[test]
fn every_log_vector_has_the_verdict_it_expects() {
    assert!(run("log") >= 190);
}

#[test]
fn every_tile_vector_has_the_verdict_it_expects() {
    assert!(run("tile") >= 60);
}

#[test]
fn every_witness_vector_has_the_verdict_it_expects() {
    assert!(run("witness") >= 90);
}

#[test]
fn every_timestamp_vector_has_the_verdict_it_expects() {
    assert!(run("timestamp") >= 37);
}

/// Runs all vectors of one directory and returns their number.
fn run(directory: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(directory);
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let vector = Vector::read(&std::fs::read(&path).unwrap());
        let (expected, found) = (vector.one("expect"), vector.verdict());
        if expected != found {
            wrong.push(format!("{}: expected {expected}, found {found}", path.display()));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    count
}

impl Vector {
    fn read(file: &[u8]) -> Self {
        let blank = file.windows(2).position(|pair| pair == b"\n\n").unwrap();
        let mut head: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in String::from_utf8(file[..blank].to_vec()).unwrap().lines() {
            let (key, value) = line.split_once(": ").unwrap();
            head.entry(key.to_owned()).or_default().push(value.to_owned());
        }
        Self { head, body: file[blank + 2..].to_vec() }
    }

    fn all(&self, key: &str) -> &[String] {
        self.head.get(key).map_or(&[], Vec::as_slice)
    }

    fn one(&self, key: &str) -> &str {
        match self.all(key) {
            [value] => value,
            _ => panic!("{key} must stand in the header once"),
        }
    }

    fn verdict(&self) -> String {
        match self.head.get("type").map_or("note", |_| self.one("type")) {
            "note" => name(self.note()),
            "vkey" => name(self.one("key").parse::<VerifierKey>()),
            "inclusion" => name(verify_inclusion(
                &self.digest("leaf"),
                self.number("index"),
                self.number("size"),
                &self.hashes(),
                &self.digest("root"),
            )),
            "consistency" => name(verify_consistency(
                self.number("old-size"),
                &self.digest("old-root"),
                self.number("size"),
                &self.digest("root"),
                &self.hashes(),
            )),
            "checkpoint" => name(
                SignedNote::parse(&self.body)
                    .map_err(Into::into)
                    .and_then(|n| Checkpoint::open(&n, &self.key())),
            ),
            "proof" => {
                name(TlogProof::parse(&self.body).and_then(|p| p.verify(&self.digest("leaf"), &self.key())))
            }
            "policy" => match Policy::parse(&self.body) {
                Err(PolicyError::Line { rule, .. }) => variant(&rule),
                other => name(other),
            },
            "quorum" => self.quorum(),
            "tile-path" => name(std::str::from_utf8(&self.body).unwrap().parse::<TilePath>()),
            "tile" => name(Tile::parse(self.path(), &self.body)),
            "entries" => name(parse_entries(self.path(), &self.body)),
            "tree" => self.tree(),
            "add-checkpoint" => self.add_checkpoint(),
            "answer" => self.answer(),
            "timestamp" => name(self.timestamp()),
            other => panic!("unknown type {other}"),
        }
    }

    fn note(&self) -> Result<(), custody::note::NoteError> {
        let keys: Vec<VerifierKey> = self.all("key").iter().map(|key| key.parse().unwrap()).collect();
        let note = SignedNote::parse(&self.body)?;
        assert_eq!(note.to_string().into_bytes(), self.body, "what was read is written back");
        note.verify(&keys).map(|_| ())
    }

    fn quorum(&self) -> String {
        let policy = self.all("policy").join("\n") + "\n";
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        match policy.accept(&SignedNote::parse(&self.body).unwrap()) {
            Ok(accepted) if accepted.quorum_met => "valid".to_owned(),
            Ok(_) => "NotMet".to_owned(),
            Err(error) => variant(&error),
        }
    }

    /// The body lists the tiles that are new, one a line, sorted as text.
    fn tree(&self) -> String {
        let tiles = TilePath::changed(self.number("old-size"), self.number("size"));
        let mut tiles: Vec<_> = tiles.map(|path| format!("{path}\n")).collect();
        tiles.sort();
        if tiles.concat().as_bytes() == self.body { "valid".to_owned() } else { tiles.concat() }
    }

    /// A request to a witness that knows the logs with these keys, and has cosigned `latest` of this one.
    fn add_checkpoint(&self) -> String {
        let keys: Vec<VerifierKey> = self.all("key").iter().map(|key| key.parse().unwrap()).collect();
        let latest = self.head.contains_key("latest-size");
        let latest =
            latest.then(|| Head { size: self.number("latest-size"), root: self.digest("latest-root") });
        let request = AddCheckpoint::parse(&self.body).map_err(Refusal::from);
        if let Ok(request) = &request {
            assert_eq!(request.to_string().into_bytes(), self.body, "what was read is written back");
        }
        match request.and_then(|request| decide(&keys, latest, &request)) {
            Ok(_) => self.with_status(200, "valid".to_owned()),
            Err(refusal) => self.with_status(Answer::from(refusal).status(), variant(&refusal)),
        }
    }

    fn with_status(&self, found: u16, verdict: String) -> String {
        if self.one("status") == found.to_string() {
            verdict
        } else {
            format!("{verdict} with status {found}")
        }
    }

    /// A witness's answer to somebody who asked for a cosignature over the text in `line`s.
    fn answer(&self) -> String {
        let text: String = self.all("line").iter().map(|line| line.clone() + "\n").collect();
        let content_type = self.all("content-type").first().map(String::as_str);
        let status = self.one("status").parse().unwrap();
        match Answer::parse(status, content_type, &self.body) {
            Ok(Answer::Cosigned(signatures)) => {
                name(cosignature_by(&self.one("witness").parse().unwrap(), &signatures, &text))
            }
            Ok(other) => {
                assert_eq!(other.status(), status);
                if matches!(other, Answer::Conflict { .. }) {
                    assert_eq!(other.body().into_bytes(), self.body, "what was read is written back");
                }
                variant(&other)
            }
            Err(error) => variant(&error),
        }
    }

    /// The body is an authority's response.
    fn timestamp(&self) -> Result<Verified, TimestampError> {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let anchors = Anchors::parse(&BASE64_STANDARD.decode(self.one("anchor")).unwrap()).unwrap();
        let nonce = Nonce::new(self.number("nonce"));
        Token::from_response(&self.body)?.verify(&self.digest("digest"), Some(nonce), &anchors)
    }

    fn path(&self) -> TilePath {
        self.one("path").parse().unwrap()
    }

    fn key(&self) -> VerifierKey {
        self.one("key").parse().unwrap()
    }

    fn digest(&self, key: &str) -> Digest {
        self.one(key).parse().unwrap()
    }

    fn number(&self, key: &str) -> u64 {
        self.one(key).parse().unwrap()
    }

    fn hashes(&self) -> Vec<Digest> {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let lines = std::str::from_utf8(&self.body).unwrap().lines();
        lines.map(|line| Digest::from_slice(&BASE64_STANDARD.decode(line).unwrap()).unwrap()).collect()
    }
}

/// `valid`, or the name of the error.
fn name<T>(verdict: Result<T, impl Debug>) -> String {
    verdict.map_or_else(|error| variant(&error), |_| "valid".to_owned())
}

/// The name of an enum's variant without its fields.
fn variant(error: &impl Debug) -> String {
    let text = format!("{error:?}");
    text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
}
