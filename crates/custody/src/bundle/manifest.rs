//! `bundle.json`: what the vault says a bundle is, signed (DSSE, the vault's key).

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::PayloadType;
use crate::id::CaseId;
use crate::json::{self, JsonError};
use crate::record::Sequence;
use crate::statement::{Actor, Version};

/// The body of `bundle.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleManifest {
    /// The checkpoint in `custody/checkpoint`.
    pub checkpoint: CheckpointHead,
    /// N: everything in scope with a log index below it is here. The index of `bundle.exported` and 1.
    #[serde(deserialize_with = "json::uint")]
    pub cut: u64,
    /// Hash of the record of `bundle.exported`.
    pub exported: Digest,
    /// Who exported.
    pub exporter: Actor,
    /// SHA-256 of `manifest-sha256.txt`.
    pub manifest: Digest,
    /// Files below `data/`, and their bytes.
    pub payload: Payload,
    /// The commitment to the recipient in `bundle.exported`, where it names one.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Digest>,
    /// What is in scope.
    pub scope: Scope,
    /// Every sequence that is here, sorted by its text, with its last record.
    pub streams: Vec<Stream>,
    /// Version of the format: 1.
    pub v: Version,
    /// The vault: hash of record 0.
    pub vault: Digest,
}

/// Size and root of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointHead {
    /// Root over all leaves.
    pub root: Digest,
    /// Number of leaves.
    #[serde(deserialize_with = "json::uint")]
    pub size: u64,
}

/// Counts of the payload, as in `Payload-Oxum` (RFC 8493, section 2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// Bytes.
    #[serde(deserialize_with = "json::uint")]
    pub bytes: u64,
    /// Files.
    #[serde(deserialize_with = "json::uint")]
    pub files: u64,
}

/// What a bundle is about: a whole case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The case.
    pub case: CaseId,
}

/// A sequence in the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// How many records: the last one's number.
    #[serde(deserialize_with = "json::uint")]
    pub count: u64,
    /// The last one's record hash.
    pub head: Digest,
    /// Which sequence.
    pub sequence: Sequence,
}

impl BundleManifest {
    /// Parses the body of the envelope.
    pub fn parse(body: &[u8]) -> Result<Self, JsonError> {
        json::parse_canonical(body, PayloadType::Bundle.max_envelope_bytes())
    }

    /// The bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::emit(self)
    }
}
