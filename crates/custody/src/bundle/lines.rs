//! The lines of `custody/records.jsonl`, `openings.jsonl` and `proofs.jsonl`, and of consistency proofs.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};

use crate::act::Act;
use crate::checkpoint::{decode_hash, encode_hash};
use crate::commitment::FieldOpening;
use crate::digest::Digest;
use crate::id::Code;
use crate::json::{self, JsonError};
use crate::merkle::MAX_PROOF_LEN;
use crate::record::{Entry, NextOpening};

/// Most bytes of a line of `records.jsonl`: an envelope of 1 MiB in base64, a record, and room.
pub const MAX_RECORD_LINE_BYTES: usize = 2 << 20;
/// Most bytes of a line of `openings.jsonl`: every byte of a value escaped, and room.
pub const MAX_OPENING_LINE_BYTES: usize = 64 << 10;
/// Most bytes of a line of `proofs.jsonl`: 64 hashes.
pub const MAX_PROOF_LINE_BYTES: usize = 8 << 10;

/// Why a line is not one of its file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// Not the strict JSON expected.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A base64 member that does not decode to what it should.
    #[error("{0} is not base64 of what it should be")]
    Base64(&'static str),
}

/// The envelope member of a record's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvelopeMember {
    /// The envelope's bytes.
    Here(Vec<u8>),
    /// The envelope stood on the line before, of another record of the same statement. On the wire: no member.
    Above,
    /// Not disclosed. On the wire: `null`.
    Withheld,
}

impl EnvelopeMember {
    /// What is done, if it is here and can be read.
    pub fn act(&self) -> Option<Act> {
        match self {
            Self::Here(envelope) => Act::of_envelope(envelope),
            Self::Above | Self::Withheld => None,
        }
    }
}

/// A line of `records.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordLine {
    /// Log index.
    pub index: u64,
    /// The record's bytes.
    pub record: Vec<u8>,
    /// Its envelope.
    pub envelope: EnvelopeMember,
    /// The salt of its entry's commitment.
    pub salt: Digest,
    /// Its entry of the public log.
    pub entry: Entry,
    /// Opens what it says about its successor in its own stream.
    pub own: Option<NextOpening>,
    /// Opens what it says about its successor in the case's sequence.
    pub case: Option<NextOpening>,
}

impl RecordLine {
    /// Reads a line without its newline.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        let wire: WireRecord = json::parse_canonical(line, MAX_RECORD_LINE_BYTES)?;
        let envelope = match wire.envelope {
            None => EnvelopeMember::Above,
            Some(None) => EnvelopeMember::Withheld,
            Some(Some(text)) => EnvelopeMember::Here(decode("envelope", text)?),
        };
        Ok(Self {
            index: wire.index,
            record: decode("record", wire.record)?,
            envelope,
            salt: wire.salt,
            entry: Entry::parse(&decode("entry", wire.entry)?).map_err(|_| LineError::Base64("entry"))?,
            own: wire.openings.own,
            case: wire.openings.case,
        })
    }

    /// The line with its newline.
    pub fn emit(&self) -> Vec<u8> {
        let envelope = match &self.envelope {
            EnvelopeMember::Here(bytes) => Some(Some(STANDARD.encode(bytes))),
            EnvelopeMember::Above => None,
            EnvelopeMember::Withheld => Some(None),
        };
        with_newline(json::emit(&WireRecord {
            entry: &STANDARD.encode(self.entry.to_bytes()),
            envelope: envelope.as_ref().map(Option::as_deref),
            index: self.index,
            openings: WireOpenings { case: self.case, own: self.own },
            record: &STANDARD.encode(&self.record),
            salt: self.salt,
        }))
    }
}

/// A line of `openings.jsonl`: opens one field commitment of one statement. Lines stand in the order of the records,
/// and within a statement in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpeningLine {
    /// The field's name.
    pub name: Code,
    /// The commitment's salt.
    pub salt: Digest,
    /// H(envelope) of the statement.
    pub stmt: Digest,
    /// The value as entered.
    pub value: String,
}

impl OpeningLine {
    /// Reads a line without its newline.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        Ok(json::parse_canonical(line, MAX_OPENING_LINE_BYTES)?)
    }

    /// The line with its newline.
    pub fn emit(&self) -> Vec<u8> {
        with_newline(json::emit(self))
    }

    /// The opening alone.
    pub fn opening(self) -> FieldOpening {
        FieldOpening { name: self.name, salt: self.salt, value: self.value }
    }
}

/// A line of `proofs.jsonl`: one a record, in the same order; each path stops at the first node already proven
/// ([`crate::merkle::SharedPaths`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofLine {
    /// Log index.
    pub index: u64,
    /// Sibling hashes, from the leaf upwards.
    pub path: Vec<Digest>,
}

impl ProofLine {
    /// Reads a line without its newline.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        let wire: WireProof = json::parse_canonical(line, MAX_PROOF_LINE_BYTES)?;
        let hash = |text: &Cow<'_, str>| {
            let bytes = STANDARD.decode(text.as_bytes()).ok()?;
            Digest::from_slice(&bytes).ok()
        };
        let path = wire.path.iter().map(hash).collect::<Option<_>>().ok_or(LineError::Base64("path"))?;
        Ok(Self { index: wire.index, path })
    }

    /// The line with its newline.
    pub fn emit(&self) -> Vec<u8> {
        let path = self.path.iter().map(|hash| STANDARD.encode(hash.as_bytes()).into()).collect();
        with_newline(json::emit(&WireProof { index: self.index, path }))
    }
}

/// Most bytes of a consistency proof's file.
pub const MAX_CONSISTENCY_BYTES: usize = MAX_PROOF_LEN * 45;

/// The file of a consistency proof: a line a hash in base64, as in C2SP tlog-witness.
pub fn emit_consistency(proof: &[Digest]) -> Vec<u8> {
    proof.iter().flat_map(|hash| (encode_hash(hash) + "\n").into_bytes()).collect()
}

/// Reads exactly what [`emit_consistency`] writes.
pub fn parse_consistency(file: &[u8]) -> Result<Vec<Digest>, LineError> {
    const BAD: LineError = LineError::Base64("hash");
    if file.len() > MAX_CONSISTENCY_BYTES {
        return Err(BAD);
    }
    let text = core::str::from_utf8(file).map_err(|_| BAD)?;
    let lines = text.strip_suffix('\n').ok_or(BAD)?.split('\n');
    lines.map(|line| decode_hash(line).ok_or(BAD)).collect()
}

fn decode(member: &'static str, text: &str) -> Result<Vec<u8>, LineError> {
    STANDARD.decode(text).map_err(|_| LineError::Base64(member))
}

fn with_newline(mut line: Vec<u8>) -> Vec<u8> {
    line.push(b'\n');
    line
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRecord<'a> {
    entry: &'a str,
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[expect(clippy::option_option, reason = "absent and null mean different things here")]
    envelope: Option<Option<&'a str>>,
    #[serde(deserialize_with = "json::uint")]
    index: u64,
    openings: WireOpenings,
    record: &'a str,
    salt: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireOpenings {
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    case: Option<NextOpening>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    own: Option<NextOpening>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireProof<'a> {
    #[serde(deserialize_with = "json::uint")]
    index: u64,
    #[serde(borrow)]
    path: Vec<Cow<'a, str>>,
}

#[expect(clippy::option_option, reason = "absent and null mean different things here")]
fn nullable<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<&'de str>>, D::Error> {
    Option::<&str>::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_line_tells_absent_from_withheld() {
        let d = Digest::new;
        let opening = NextOpening { s: d([1; 32]), t: d([2; 32]) };
        for envelope in
            [EnvelopeMember::Here(b"{}".to_vec()), EnvelopeMember::Above, EnvelopeMember::Withheld]
        {
            let line = RecordLine {
                index: 7,
                record: b"{}".to_vec(),
                envelope,
                salt: d([3; 32]),
                entry: Entry { tag: d([4; 32]), case_tag: d([5; 32]), commitment: d([6; 32]) },
                own: Some(opening),
                case: None,
            };
            let bytes = line.emit();
            let (newline, text) = bytes.split_last().unwrap();
            assert_eq!((*newline, RecordLine::parse(text).unwrap()), (b'\n', line));
        }
    }

    #[test]
    fn a_consistency_proof_has_one_spelling() {
        let proof = [Digest::ZERO, Digest::of(b"")];
        let file = emit_consistency(&proof);
        assert_eq!(parse_consistency(&file).unwrap(), proof);
        let unended = &file[..file.len() - 1];
        for bad in [&b""[..], b"\n", b"AA==\n", unended, &[&file[..], b"\n"].concat()] {
            assert!(parse_consistency(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_proof_line_and_an_opening_line_are_read_back() {
        let proof = ProofLine { index: 1, path: vec![Digest::ZERO, Digest::of(b"")] };
        let bytes = proof.emit();
        assert_eq!(ProofLine::parse(&bytes[..bytes.len() - 1]).unwrap(), proof);
        let opening = OpeningLine {
            name: "title".parse().unwrap(),
            salt: Digest::ZERO,
            stmt: Digest::of(b""),
            value: "Zelle 4\n\"links\"".to_owned(),
        };
        let bytes = opening.emit();
        assert_eq!(OpeningLine::parse(&bytes[..bytes.len() - 1]).unwrap(), opening);
    }
}
