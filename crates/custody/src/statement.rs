//! Statements: what a person says (`docs/FORMAT.md`, "Statement").
//!
//! A statement is strict JSON, the body of a DSSE envelope. It names what it is about and what its author had
//! before them; it carries commitments to personal values, never the values. Whether it may follow what was said
//! before is for [`crate::rules`] to decide; this module knows only its shape.

use core::fmt;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;
use crate::envelope::PayloadType;
use crate::id::{CaseId, Code, ItemId, KeyHash, OpId, PersonId};
use crate::json::{self, JsonError, Object};
use crate::kind::Kind;
use crate::time::Timestamp;

/// Most items that one statement may name.
pub const MAX_ITEMS: usize = 1_000;
/// Most field commitments in one statement.
pub const MAX_FIELDS: usize = 64;
/// Largest content, 2^53 - 1 bytes: what an integer of strict JSON holds.
pub const MAX_CONTENT_BYTES: u64 = json::MAX_INTEGER.unsigned_abs();

/// Something said, not yet admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Who says it.
    pub actor: Actor,
    /// H(public key) of the signer.
    pub actor_key: KeyHash,
    /// When, by the author's own clock: a claim, not a proof.
    pub actor_time: Timestamp,
    /// How the signature relates to the actor.
    pub assurance: Assurance,
    /// The case, where the kind has one.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// The content, where the kind touches content.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Codes, counts, ids and hashes; nothing about a person. Typed by [`crate::act::Act`].
    #[serde(default, skip_serializing_if = "Object::is_empty", deserialize_with = "json::strict_map")]
    pub data: Object,
    /// Commitments to personal or free-text values, by field name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "json::strict_map")]
    pub fields: BTreeMap<Code, Digest>,
    /// The item, where the kind has one.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// Several items at once, sorted by id, instead of `item`: one record each, all or nothing.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<ItemRef>>,
    /// What is said.
    pub kind: Kind,
    /// The name of the act: saying it twice is saying it once.
    pub op_id: OpId,
    /// The person whose stream it goes to, where the kind has one.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// Why, as a code.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Code>,
    /// What the author had before them.
    pub seen: Option<Seen>,
    /// Version of the format: 1.
    pub v: Version,
    /// The vault's identity, the hash of record 0; `null` only in record 0.
    pub vault: Option<Digest>,
}

/// Why a statement's shape is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Not the strict JSON of a statement.
    #[error("the statement is malformed")]
    Json(#[from] JsonError),
    /// A member that this kind must not have, or one that it must.
    #[error("a statement of kind {kind} {problem}")]
    Shape {
        /// The kind in question.
        kind: Kind,
        /// What is wrong, as the end of a sentence.
        problem: String,
    },
}

impl Statement {
    /// Parses the body of an envelope: at most 1 MiB, members sorted, no spaces.
    pub fn parse(body: &[u8]) -> Result<Self, StatementError> {
        Ok(json::parse_canonical(body, PayloadType::Statement.max_envelope_bytes())?)
    }

    /// The bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::emit(self)
    }

    /// The items it names, one or many, each with what was seen of it.
    pub fn item_refs(&self) -> Vec<ItemRef> {
        match (&self.item, &self.items) {
            (Some(item), _) => vec![ItemRef { item: *item, offer: None, seen: self.seen }],
            (None, Some(items)) => items.clone(),
            (None, None) => Vec::new(),
        }
    }
}

/// Who says something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// The vault itself.
    System,
    /// A registered person.
    Person(PersonId),
}

impl Actor {
    /// The person, unless it is the vault.
    pub fn person(&self) -> Option<PersonId> {
        if let Self::Person(person) = self { Some(*person) } else { None }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Person(person) => person.fmt(f),
        }
    }
}
impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actor({self})")
    }
}
impl core::str::FromStr for Actor {
    type Err = crate::id::IdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "system" { Ok(Self::System) } else { text.parse().map(Self::Person) }
    }
}
impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::id::text(from)
    }
}

/// How a signature relates to the actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assurance {
    /// Signed with a key enrolled to the actor, which the vault never holds.
    UserKey,
    /// Signed by the vault on behalf of a signed-in person: the vault's word that the person asked for it.
    Session,
    /// Said and signed by the vault itself.
    System,
}

/// What the author had before them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seen {
    /// A record, by record hash.
    Record(Digest),
    /// An envelope not yet submitted when this was signed (offline work), by H(envelope).
    Statement(Digest),
}

/// Why a text does not name what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was seen is written record:<64 hex digits> or stmt:<64 hex digits>")]
pub struct SeenError;

impl core::str::FromStr for Seen {
    type Err = SeenError;
    fn from_str(text: &str) -> Result<Self, SeenError> {
        let (form, hex) = text.split_once(':').ok_or(SeenError)?;
        let digest = Digest::from_hex(hex).map_err(|_| SeenError)?;
        match form {
            "record" => Ok(Self::Record(digest)),
            "stmt" => Ok(Self::Statement(digest)),
            _ => Err(SeenError),
        }
    }
}
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(digest) => write!(f, "record:{digest}"),
            Self::Statement(digest) => write!(f, "stmt:{digest}"),
        }
    }
}
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::id::text(from)
    }
}

/// One item of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemRef {
    /// The item.
    pub item: ItemId,
    /// The offer that is accepted, declined, recalled or expired.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub offer: Option<Seen>,
    /// What was seen of this item.
    pub seen: Option<Seen>,
}

/// A digital content, by its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// The digest's algorithm.
    pub alg: DigestAlg,
    /// Who computed it.
    pub checked_by: CheckedBy,
    /// The digest of all bytes.
    pub digest: Digest,
    /// Bytes.
    #[serde(deserialize_with = "json::uint")]
    pub size: u64,
}

/// The digest algorithm of [`Content`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigestAlg {
    /// SHA-256 (FIPS 180-4).
    Sha256,
}

/// Who computed a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckedBy {
    /// The vault, over the bytes it received.
    Vault,
    /// The person, on the person's own device.
    #[serde(rename = "self")]
    Oneself,
    /// Nobody who says so here: taken over from a document, or from the sender who sealed it.
    None,
}

/// The version member of a format: always 1 here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(1)
    }
}
impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u64::deserialize(from)? {
            1 => Ok(Self),
            _ => Err(serde::de::Error::custom("only version 1 is known")),
        }
    }
}
