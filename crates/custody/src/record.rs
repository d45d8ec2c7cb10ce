//! Records: what the vault adds to an admitted statement (`docs/FORMAT.md`, "Record").
//!
//! A record puts a statement at a log index and into one or two sequences. It names the tag that the *next* record
//! of each sequence will carry in the public log, so that whoever holds a sequence's last opening can look for a
//! successor among the public entries, and whoever does not sees noise.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::{Digest, Domain};
use crate::id::{CaseId, ItemId, PersonId};
use crate::json::{self, JsonError};
use crate::kind::Kind;
use crate::recovery::resume_tag;
use crate::statement::Version;
use crate::time::Timestamp;

/// Most bytes of a record.
pub const MAX_RECORD_BYTES: usize = 4_096;
/// Bytes of an entry of the public log.
pub const ENTRY_BYTES: usize = 97;

/// A chain of records that counts from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sequence {
    /// One item's records.
    Item(ItemId),
    /// A case's own records and those of its items.
    Case(CaseId),
    /// One person's records.
    Person(PersonId),
    /// The vault's own records.
    Vault,
    /// Refusals of signed-in persons outside any case they belong to. Never exported.
    Refusals,
}

/// Why a text does not name a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sequence is item:<id>, case:<id>, person:<id>, vault or refusals")]
pub struct SequenceError;

impl Sequence {
    /// The tag of the sequence's first record:
    /// `H("custos/genesis/v1" || vault || type || id)`. Record 0 alone carries a zero tag.
    pub fn genesis_tag(self, vault: &Digest) -> Digest {
        let (kind, id) = self.parts();
        Domain::Genesis.hash(&[vault.as_bytes(), &[kind], &id])
    }

    /// Its type and id, as they are hashed.
    pub(crate) const fn parts(self) -> (u8, [u8; 16]) {
        match self {
            Self::Item(id) => (1, *id.as_bytes()),
            Self::Case(id) => (2, *id.as_bytes()),
            Self::Person(id) => (3, *id.as_bytes()),
            Self::Vault => (4, [0; 16]),
            Self::Refusals => (5, [0; 16]),
        }
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(id) => write!(f, "item:{id}"),
            Self::Case(id) => write!(f, "case:{id}"),
            Self::Person(id) => write!(f, "person:{id}"),
            Self::Vault => f.write_str("vault"),
            Self::Refusals => f.write_str("refusals"),
        }
    }
}
impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl core::str::FromStr for Sequence {
    type Err = SequenceError;
    fn from_str(text: &str) -> Result<Self, SequenceError> {
        match text.split_once(':') {
            None if text == "vault" => Ok(Self::Vault),
            None if text == "refusals" => Ok(Self::Refusals),
            Some(("item", id)) => id.parse().map(Self::Item).map_err(|_| SequenceError),
            Some(("case", id)) => id.parse().map(Self::Case).map_err(|_| SequenceError),
            Some(("person", id)) => id.parse().map(Self::Person).map_err(|_| SequenceError),
            _ => Err(SequenceError),
        }
    }
}
impl Serialize for Sequence {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Sequence {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::id::text(from)
    }
}

/// (s, t): what opens a record's promise. `t` is the tag its successor carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NextOpening {
    /// 32 random bytes that hide `t` until they are disclosed.
    pub s: Digest,
    /// The successor's tag, 32 random bytes.
    pub t: Digest,
}

impl NextOpening {
    /// `H("custos/next/v1" || s || t)`: what the record carries.
    pub fn commitment(&self) -> Digest {
        Domain::Next.hash(&[self.s.as_bytes(), self.t.as_bytes()])
    }
}

/// The last record of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number, from 1.
    pub seq: u64,
    /// Its record hash.
    pub record: Digest,
    /// What its successor will carry.
    pub next: NextOpening,
}

/// A record's place in one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The sequence.
    pub sequence: Sequence,
    /// From 1, without a gap.
    pub seq: u64,
    /// Record hash of the one before, zeros at the start.
    pub prev: Digest,
    /// Commitment to the successor's tag.
    pub next: Digest,
}

/// A record, typed. [`Record::parse`] keeps nothing but what is checked here; the bytes stay with the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The log's origin.
    pub log: String,
    /// Position in the log, from 0.
    pub log_index: u64,
    /// H(envelope bytes).
    pub stmt: Digest,
    /// The statement's kind.
    pub kind: Kind,
    /// When the vault admitted it.
    pub received: Timestamp,
    /// Its place in an item's, person's, the vault's or the refusals stream.
    pub own: Option<Link>,
    /// Its place in a case's sequence.
    pub case: Option<Link>,
}

/// The members on the wire, sorted.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    case: Option<CaseId>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    case_next: Option<Digest>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    case_prev: Option<Digest>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    case_seq: Option<u64>,
    kind: Kind,
    log: String,
    #[serde(deserialize_with = "json::uint")]
    log_index: u64,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    next: Option<Digest>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    prev: Option<Digest>,
    received: Timestamp,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    stmt: Digest,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    stream: Option<Sequence>,
    v: Version,
}

/// Why bytes are not a record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not the strict JSON of a record.
    #[error("the record is malformed")]
    Json(#[from] JsonError),
    /// Members of a place in a sequence without the others, or no place at all.
    #[error("a record carries all members of each of its one or two places, from 1 on")]
    Places,
}

impl Record {
    /// Parses a record: at most 4 KiB, members sorted, no spaces.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let wire: Wire = json::parse_canonical(bytes, MAX_RECORD_BYTES)?;
        let own = match (wire.stream, wire.seq, wire.prev, wire.next) {
            (Some(sequence), Some(seq), Some(prev), Some(next)) if !matches!(sequence, Sequence::Case(_)) => {
                Some(Link { sequence, seq, prev, next })
            }
            (None, None, None, None) => None,
            _ => return Err(RecordError::Places),
        };
        let case = match (wire.case, wire.case_seq, wire.case_prev, wire.case_next) {
            (Some(case), Some(seq), Some(prev), Some(next)) => {
                Some(Link { sequence: Sequence::Case(case), seq, prev, next })
            }
            (None, None, None, None) => None,
            _ => return Err(RecordError::Places),
        };
        let fits = match own.map(|link| link.sequence) {
            None | Some(Sequence::Item(_)) => case.is_some(),
            Some(_) => case.is_none(),
        };
        let counted =
            own.iter().chain(&case).all(|link| link.seq >= 1 && link.seq <= json::MAX_INTEGER.unsigned_abs());
        if !fits || !counted {
            return Err(RecordError::Places);
        }
        let Wire { kind, log, log_index, received, stmt, .. } = wire;
        Ok(Self { log, log_index, stmt, kind, received, own, case })
    }

    /// The bytes, as stored and hashed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let case_id = self.case.and_then(|link| match link.sequence {
            Sequence::Case(case) => Some(case),
            _ => None,
        });
        json::emit(&Wire {
            case: case_id,
            case_next: self.case.map(|link| link.next),
            case_prev: self.case.map(|link| link.prev),
            case_seq: self.case.map(|link| link.seq),
            kind: self.kind,
            log: self.log.clone(),
            log_index: self.log_index,
            next: self.own.map(|link| link.next),
            prev: self.own.map(|link| link.prev),
            received: self.received,
            seq: self.own.map(|link| link.seq),
            stmt: self.stmt,
            stream: self.own.map(|link| link.sequence),
            v: Version,
        })
    }

    /// Its places: own stream first, then the case's sequence.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.own.iter().chain(&self.case)
    }

    /// The sequences it goes into.
    pub fn sequences(&self) -> impl Iterator<Item = Sequence> {
        self.links().map(|link| link.sequence)
    }
}

/// `H("custos/record/v1" || record bytes)`.
pub fn record_hash(bytes: &[u8]) -> Digest {
    Domain::Record.hash(&[bytes])
}

/// One leaf of the public log, 97 bytes: `0x01 || tag || case_tag || c`.
/// To everybody who was not shown the openings it says only that something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The tag of the record's own stream; random where it has none.
    pub tag: Digest,
    /// The tag of the case's sequence; random where it has none.
    pub case_tag: Digest,
    /// `H("custos/leaf/v1" || salt || record_hash)`.
    pub commitment: Digest,
}

/// Bytes that are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry of the log is 97 bytes and starts with 01")]
pub struct EntryError;

impl Entry {
    /// Reads 97 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let [1, rest @ ..] = bytes else { return Err(EntryError) };
        if rest.len() != ENTRY_BYTES - 1 {
            return Err(EntryError);
        }
        let part = |i: usize| Digest::from_slice(&rest[32 * i..32 * (i + 1)]).map_err(|_| EntryError);
        Ok(Self { tag: part(0)?, case_tag: part(1)?, commitment: part(2)? })
    }

    /// The 97 bytes.
    pub fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [1; ENTRY_BYTES];
        bytes[1..33].copy_from_slice(self.tag.as_bytes());
        bytes[33..65].copy_from_slice(self.case_tag.as_bytes());
        bytes[65..].copy_from_slice(self.commitment.as_bytes());
        bytes
    }
}

/// `H("custos/leaf/v1" || salt || record_hash)`.
pub fn leaf_commitment(salt: &Digest, record_hash: &Digest) -> Digest {
    Domain::Leaf.hash(&[salt.as_bytes(), record_hash.as_bytes()])
}

/// Fresh randomness for one record.
#[derive(Debug, Clone, Copy)]
pub struct Nonces {
    /// Salt of the leaf commitment.
    pub salt: Digest,
    /// Opening towards the successor in the own stream; its `t` fills the entry's tag where there is no own stream.
    pub own: NextOpening,
    /// Opening towards the successor in the case's sequence; likewise.
    pub case: NextOpening,
}

/// Where a new record goes, and what it follows.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The sequence.
    pub sequence: Sequence,
    /// Its last record, if any.
    pub head: Option<Head>,
    /// Set where the tag that comes next stands among entries whose records are lost.
    pub resumes: Option<Resumption>,
}

/// After which `recovery.noted` a sequence goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumption {
    /// The one with this record hash.
    After(Digest),
    /// The new record is itself the one: the vault's own stream lost records.
    Here,
}

/// What all records of one log have in common.
#[derive(Debug, Clone)]
pub struct LogIdentity {
    /// The log's origin.
    pub origin: String,
    /// The vault: hash of record 0; `None` while record 0 itself is made.
    pub vault: Option<Digest>,
}

/// A record as made, with everything that hangs on it.
#[derive(Debug, Clone)]
pub struct Built {
    /// The typed record.
    pub record: Record,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its hash.
    pub hash: Digest,
    /// Its leaf in the public log.
    pub entry: Entry,
    /// The salt of the leaf.
    pub salt: Digest,
    /// The new heads of its sequences.
    pub heads: Vec<(Sequence, Head)>,
}

/// Puts an admitted statement at `log_index` behind the heads of its sequences.
pub fn build(
    log: &LogIdentity,
    log_index: u64,
    stmt: Digest,
    kind: Kind,
    received: Timestamp,
    places: (Option<Place>, Option<Place>),
    nonces: &Nonces,
) -> Built {
    let (own, case) = places;
    let link = |place: Place, next: &NextOpening| Link {
        sequence: place.sequence,
        seq: place.head.map_or(1, |head| head.seq + 1),
        prev: place.head.map_or(Digest::ZERO, |head| head.record),
        next: next.commitment(),
    };
    let record = Record {
        log: log.origin.clone(),
        log_index,
        stmt,
        kind,
        received,
        own: own.map(|place| link(place, &nonces.own)),
        case: case.map(|place| link(place, &nonces.case)),
    };
    let bytes = record.to_bytes();
    let hash = record_hash(&bytes);
    let tag = |place: Option<Place>, filler: &NextOpening| {
        let Some(Place { sequence, head, resumes }) = place else { return filler.t };
        let next = match (head, &log.vault) {
            (Some(head), _) => head.next.t,
            (None, Some(vault)) => sequence.genesis_tag(vault),
            (None, None) => Digest::ZERO,
        };
        match resumes {
            None => next,
            Some(Resumption::After(recovery)) => resume_tag(&next, &recovery),
            Some(Resumption::Here) => resume_tag(&next, &hash),
        }
    };
    let entry = Entry {
        tag: tag(own, &nonces.own),
        case_tag: tag(case, &nonces.case),
        commitment: leaf_commitment(&nonces.salt, &hash),
    };
    let head = |link: Link, next: NextOpening| (link.sequence, Head { seq: link.seq, record: hash, next });
    let heads = record
        .own
        .map(|link| head(link, nonces.own))
        .into_iter()
        .chain(record.case.map(|link| head(link, nonces.case)))
        .collect();
    Built { record, bytes, hash, entry, salt: nonces.salt, heads }
}

/// `H("custos/heads/v1" || line…)`, one line `<sequence> <seq> <record hash>\n` a sequence, sorted by the
/// sequence's text: what `bundle.exported` commits to.
pub fn heads_digest<'a>(heads: impl IntoIterator<Item = (&'a Sequence, u64, &'a Digest)>) -> Digest {
    let mut lines: Vec<String> =
        heads.into_iter().map(|(sequence, seq, record)| format!("{sequence} {seq} {record}\n")).collect();
    lines.sort_unstable();
    Domain::Heads.hash(&[lines.concat().as_bytes()])
}
