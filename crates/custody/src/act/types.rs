//! The members of `data` by kind, and the values that stand in them.

use serde::{Deserialize, Serialize};

use super::CaseType;
use super::reading::{SealedBy, Sealing};
use crate::checkpoint::Origin;
use crate::digest::Digest;
use crate::id::{Code, KeyHash, OrgId, PersonId};
use crate::json::{self, Object};
use crate::rules::Term;
use crate::statement::Seen;
use crate::time::Timestamp;

macro_rules! data {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {$(
            $(#[$field_doc])*
            pub $field: $type,
        )*}
        impl $name {
            /// As the `data` member of a statement.
            pub fn to_data(&self) -> Object {
                json::to_object(self)
            }
        }
    )*};
}

data! {
    /// Data of `vault.created`.
    VaultCreated {
        /// The log's verifier key (C2SP signed-note vkey).
        log_vkey: String,
        /// The log's origin line.
        origin: String,
        /// The vault's Ed25519 public key, hex.
        vault_key: PublicKey,
    }
    /// Data of `org.registered`; its name is a field.
    OrgRegistered {
        /// The organisation.
        org: OrgId,
    }
    /// Data of `person.registered`; the person's name is a field.
    PersonRegistered {
        /// The person's organisation.
        org: OrgId,
    }
    /// Data of `person.suspended`.
    PersonSuspended {
        /// Log index from which on whatever the person said is suspect, if anything.
        #[serde(default, deserialize_with = "json::present_uint", skip_serializing_if = "Option::is_none")]
        suspect_from: Option<u64>,
    }
    /// Data of `role.granted`.
    RoleGranted {
        /// From when the role counts; without it, at once.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        from: Option<Timestamp>,
        /// The role.
        role: VaultRole,
        /// Until when it counts; without it, until it is revoked.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    }
    /// Data of `role.revoked`.
    RoleChange {
        /// The role.
        role: VaultRole,
    }
    /// Data of `key.enrolled`.
    KeyEnrolled {
        /// How the voucher made sure whose key it is.
        checked: KeyCheck,
        /// The Ed25519 public key, hex.
        key: PublicKey,
    }
    /// Data of `key.revoked`.
    KeyRevoked {
        /// H(public key).
        key: KeyHash,
        /// Log index from which on signatures are suspect, if any.
        #[serde(default, deserialize_with = "json::present_uint", skip_serializing_if = "Option::is_none")]
        suspect_from: Option<u64>,
    }
    /// Data of `case.opened`; title and references are fields.
    CaseOpened {
        /// The case's type.
        case_type: CaseType,
        /// ISO 3166 country code in lower case, or another code of the jurisdiction.
        jurisdiction: Code,
    }
    /// Data of `case.updated`; a new title and references are fields, each taking the place of one of the same name.
    CaseUpdated {
        /// Another type, if it changes.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        case_type: Option<CaseType>,
        /// Another jurisdiction, if it changes.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        jurisdiction: Option<Code>,
    }
    /// Data of `member.added`.
    MemberAdded {
        /// From when the role counts; without it, at once.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        from: Option<Timestamp>,
        /// Who.
        member: PersonId,
        /// As what.
        role: CaseRole,
        /// Until when it counts; without it, until it is taken away.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    }
    /// Data of `member.removed`.
    MemberChange {
        /// Who.
        member: PersonId,
        /// As what.
        role: CaseRole,
    }
    /// Data of `bundle.exported`; recipient and authority are fields.
    BundleExported {
        /// H("custos/heads/v1" ‖ one line a sequence in scope): see [`crate::record::heads_digest`].
        heads: Digest,
        /// The productions that the bundle carries, by the hash of their proposals' records; sorted, each once.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        productions: Option<Vec<Digest>>,
        /// How many sequences are in scope.
        sequences: u64,
    }
    /// Data of `bundle.completed`.
    BundleCompleted {
        /// SHA-256 of the bundle's `bundle.json`.
        bundle: Digest,
        /// Hash of the record of `bundle.exported`.
        export: Digest,
    }
    /// Data of `item.registered`; title, file name, place and device are fields.
    ItemRegistered {
        /// How sensitive it is.
        class: Class,
        /// By which way it came, a code (`cli`, `api`, `browser`, `physical`, [`ROUTE_VAULT`](super::ROUTE_VAULT)).
        route: Code,
        /// Who opens it, of a restricted item.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        sealing: Option<Sealing>,
        /// Whose device seals it, if not the vault: the vault never sees such content.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        sealed_by: Option<SealedBy>,
    }
    /// Data of `item.classified`.
    ItemClassified {
        /// The new class.
        class: Class,
        /// Who opens it, of an item that becomes a restricted one.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        sealing: Option<Sealing>,
    }
    /// Data of `content.received`.
    ContentReceived {
        /// Digest of the sealed halves that came with it, where its sender sealed it: [`crate::halves::digest`].
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        halves: Option<Digest>,
        /// H(envelope of the object manifest).
        manifest: Digest,
        /// The stored object, 16 random bytes in hex.
        object: ObjectId,
        /// Content version, from 1.
        version: u32,
    }
    /// Data of `seal.broken`.
    SealBroken {
        /// The record or statement that applied it.
        seal: Seen,
    }
    /// Data of `fixity.passed` and `fixity.failed`.
    FixityChecked {
        /// Hash of the record of the grant under which a person opened a restricted item on their own device.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        grant: Option<Digest>,
        /// The stored object.
        object: ObjectId,
        /// Why a person could not compare: [`DID_NOT_OPEN`](super::DID_NOT_OPEN), or [`OTHER_HALVES`](super::OTHER_HALVES).
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        reason: Option<Code>,
        /// What was compared: `intake`, `download`, `scrub`, `transfer`; by a person [`STAGE_OPENING`](super::STAGE_OPENING).
        stage: Code,
        /// With whom a person opened it.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        with: Option<PersonId>,
        /// Hash of the record of that person's grant.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        with_grant: Option<Digest>,
    }
    /// Data of `correction.noted`; the text is a field.
    CorrectionNoted {
        /// Hash of the record that is corrected.
        record: Digest,
    }
    /// Data of `anchor.noted`.
    AnchorNoted {
        /// SHA-256 of the time stamp's token, or of the cosignature's line without its newline.
        anchor: Digest,
        /// What it is.
        kind: AnchorKind,
        /// Size of the checkpoint that it is over.
        #[serde(deserialize_with = "json::uint")]
        size: u64,
    }
    /// Data of `recovery.noted`: the records of these entries are lost.
    RecoveryNoted {
        /// Log index of the first, not 0.
        #[serde(deserialize_with = "json::uint")]
        from: u64,
        /// The log's next key, where the record that named it may be among the lost ones: this record names it instead.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        log_key: Option<Box<NamedAgain>>,
        /// Log index after the last: that of this very record.
        #[serde(deserialize_with = "json::uint")]
        to: u64,
    }
    /// Data of `log-key.rotated`.
    LogKeyRotated {
        /// The log's new verifier key, under the same name.
        log_vkey: String,
        /// The verifier key that it replaces.
        previous: String,
    }
    /// Data of `log.continued`.
    LogContinued {
        /// The checkpoint that is believed to be the last one of which the log's key was nobody else's, a signed note
        /// with all its signatures: at most [`MAX_ANCHOR_BYTES`].
        anchor: String,
        /// By whose word.
        anchored_by: LogAnchor,
        /// The log's new verifier key, under its new name.
        log_vkey: String,
        /// The log's new name.
        origin: Origin,
        /// The verifier key that is given up.
        previous: String,
    }
    /// Data of `clock.fault`.
    ClockFault {
        /// Milliseconds by which the wall clock left the monotonic one; negative when it went back.
        drift_ms: i64,
    }
}

impl RoleGranted {
    /// How long the role counts.
    pub const fn term(&self) -> Term {
        Term { from: self.from, until: self.until }
    }
}

impl MemberAdded {
    /// How long the role counts.
    pub const fn term(&self) -> Term {
        Term { from: self.from, until: self.until }
    }
}

/// The log's next key, named after a loss: as it would be without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedAgain {
    /// As in `log.continued`.
    Continued(LogContinued),
    /// As in `log-key.rotated`.
    Rotated(LogKeyRotated),
}

/// Roles in the vault; none of them reads evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultRole {
    /// Runs the vault: organisations, persons, roles. Cannot be a member of a case.
    Administrator,
    /// Vouches for persons' keys.
    Registrar,
    /// Reads the vault's and persons' records and the refusals, not content.
    Auditor,
    /// Keeps items of any organisation; may open cases.
    Custodian,
    /// May open cases.
    Investigator,
}

/// Roles in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseRole {
    /// Leads the investigation: members, classes, exports, closing and reopening.
    Lead,
    /// Registers and reads items.
    Investigator,
    /// Keeps items: registers, classifies, transfers, exports; reads to check.
    Custodian,
    /// Reads and exports; says to which proceedings the case belongs.
    Prosecutor,
    /// Reads, takes custody of exhibits and exports.
    Court,
    /// Reads.
    Defence,
    /// Reads.
    Reader,
    /// Reads the custody records, not content.
    Observer,
}

/// How sensitive an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Ordinary evidence.
    Open,
    /// Members only, and marked so.
    Confidential,
    /// Sealed to persons, of whom two together open it.
    Restricted,
    /// Digest and records only; the vault never holds the bytes.
    HashOnly,
}

/// How a voucher made sure whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyCheck {
    /// Face to face.
    InPerson,
    /// By voice.
    Voice,
    /// Not at all; reported as `key-unproven` unless an earlier key of the same person vouched.
    None,
}

/// What outsiders say about a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnchorKind {
    /// A timestamp authority's token (RFC 3161).
    Timestamp,
    /// A witness's cosignature (C2SP tlog-cosignature).
    Cosignature,
}

/// Who vouches for the checkpoint to which a log that goes on under another name commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogAnchor {
    /// A quorum of witnesses, by the cosignatures that stand in the note.
    Cosignatures,
    /// A timestamp authority, whose token was kept.
    Timestamp,
    /// Nobody but the vault.
    Vault,
}

/// Most bytes of the checkpoint in [`LogContinued`]: room for some hundred cosignatures.
pub const MAX_ANCHOR_BYTES: usize = 16 * 1024;

/// An Ed25519 public key, 32 bytes, hex. Any 32 bytes here: whether they are a point shows when they verify.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

/// A stored object's random name, 16 bytes, hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 16]);

macro_rules! hex_newtype {
    ($name:ident, $len:literal) => {
        impl $name {
            /// Wraps the bytes.
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }
        impl core::str::FromStr for $name {
            type Err = HexError;
            fn from_str(text: &str) -> Result<Self, HexError> {
                crate::digest::hex_array(text).map(Self).ok_or(HexError { bytes: $len })
            }
        }
        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                crate::id::text(from)
            }
        }
    };
}
hex_newtype!(PublicKey, 32);
hex_newtype!(ObjectId, 16);

/// A hexadecimal value of the wrong length or spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {bytes} bytes in lower-case hexadecimal")]
pub struct HexError {
    bytes: usize,
}

impl PublicKey {
    /// H(public key).
    pub fn hash(&self) -> KeyHash {
        Digest::of(&self.0)
    }
}
