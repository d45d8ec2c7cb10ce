//! Acts: statements whose shape was checked, with typed data.
//!
//! [`Act::parse`] is the one place that knows which members a kind has; whoever holds an [`Act`] need not look
//! again. Whether the act is allowed is for [`crate::rules`].

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{CaseId, Code, ItemId, KeyHash, OrgId, PersonId};
use crate::json::{self, Object};
use crate::kind::{Kind, Need, Scope, Speaker};
use crate::statement::{
    Actor, Assurance, CheckedBy, Content, ItemRef, MAX_CONTENT_BYTES, MAX_FIELDS, MAX_ITEMS, Seen, Statement,
    StatementError,
};
use crate::time::Timestamp;

/// What is done, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// The vault's first record.
    VaultCreated(VaultCreated),
    /// An organisation is entered.
    OrgRegistered(OrgRegistered),
    /// A person is entered.
    PersonRegistered(PersonId, PersonRegistered),
    /// A person gets a role in the vault.
    RoleGranted(PersonId, RoleChange),
    /// A person loses a role in the vault.
    RoleRevoked(PersonId, RoleChange),
    /// A key becomes a person's.
    KeyEnrolled(PersonId, KeyEnrolled),
    /// A key stops counting.
    KeyRevoked(PersonId, KeyRevoked),
    /// A case begins; its author becomes its lead.
    CaseOpened(CaseId, CaseOpened),
    /// A person gets a role in a case.
    MemberAdded(CaseId, MemberChange),
    /// A person loses a role in a case.
    MemberRemoved(CaseId, MemberChange),
    /// A bundle of the case is made.
    BundleExported(CaseId, BundleExported),
    /// A bundle's bytes are finished.
    BundleCompleted(BundleCompleted),
    /// An item enters the case.
    ItemRegistered(CaseId, ItemId, ItemRegistered, Option<Content>),
    /// An item's class changes.
    ItemClassified(CaseId, ItemId, ItemClassified),
    /// The vault holds an item's bytes.
    ContentReceived(CaseId, ItemId, ContentReceived, Content),
    /// A person may read an item's bytes.
    AccessGranted(CaseId, ItemId, AccessGranted),
    /// A reading is over.
    AccessCompleted(CaseId, ItemId, AccessCompleted),
    /// Somebody was refused.
    AccessDenied(Option<CaseId>, Option<ItemId>, AccessDenied),
    /// Custody is offered, accepted or declined, one decision an item.
    Transfer(CaseId, TransferStep, Vec<ItemRef>),
    /// An item's stored bytes were read back and matched, or did not.
    Fixity(CaseId, ItemId, FixityChecked, Content),
    /// Something said earlier is corrected; what was said stays.
    CorrectionNoted(Subject, CorrectionNoted),
    /// The vault's clocks disagree.
    ClockFault(ClockFault),
}

/// What a correction is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An item of a case.
    Item(CaseId, ItemId),
    /// A case.
    Case(CaseId),
    /// A person.
    Person(PersonId),
    /// The vault.
    Vault,
}

/// A step of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferStep {
    /// The custodian offers to a person.
    Offered(PersonId),
    /// That person takes over.
    Accepted,
    /// That person does not.
    Declined,
}

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
    /// Data of `role.granted` and `role.revoked`.
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
        #[serde(default, deserialize_with = "present_uint", skip_serializing_if = "Option::is_none")]
        suspect_from: Option<u64>,
    }
    /// Data of `case.opened`; title and references are fields.
    CaseOpened {
        /// The case's type, a code.
        case_type: Code,
        /// ISO 3166 country code in lower case, or another code of the jurisdiction.
        jurisdiction: Code,
    }
    /// Data of `member.added` and `member.removed`.
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
        /// By which way it came, a code (`cli`, `api`, `browser`, `physical`).
        route: Code,
    }
    /// Data of `item.classified`.
    ItemClassified {
        /// The new class.
        class: Class,
    }
    /// Data of `content.received`.
    ContentReceived {
        /// H(envelope of the object manifest).
        manifest: Digest,
        /// The stored object, 16 random bytes in hex.
        object: ObjectId,
        /// Content version, from 1.
        version: u32,
    }
    /// Data of `access.granted`.
    AccessGranted {
        /// Until when content requests may carry it.
        expires: Timestamp,
    }
    /// Data of `access.completed`.
    AccessCompleted {
        /// Bytes of content sent, as counted by the vault; absent where a restart lost the count.
        #[serde(default, deserialize_with = "present_uint", skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        /// Hash of the record of `access.granted`.
        grant: Digest,
        /// How it ended.
        outcome: AccessOutcome,
    }
    /// Data of `access.denied`.
    AccessDenied {
        /// What was tried, as a code: `read`, `export`, `transfer-offered`.
        act: Code,
        /// How many like it this record stands for, from 1.
        count: u64,
        /// Who was refused.
        person: PersonId,
        /// The rule that refused.
        rule: Code,
    }
    /// Data of `transfer.offered`.
    TransferOffered {
        /// To whom.
        to: PersonId,
    }
    /// Data of `transfer.accepted` and `transfer.declined` of one item; lists carry the offer with each item.
    TransferAnswered {
        /// The offer.
        offer: Seen,
    }
    /// Data of `fixity.passed` and `fixity.failed`.
    FixityChecked {
        /// The stored object.
        object: ObjectId,
        /// What was compared: `intake`, `download`, `scrub`.
        stage: Code,
    }
    /// Data of `correction.noted`; the text is a field.
    CorrectionNoted {
        /// Hash of the record that is corrected.
        record: Digest,
    }
    /// Data of `clock.fault`.
    ClockFault {
        /// Milliseconds by which the wall clock left the monotonic one; negative when it went back.
        drift_ms: i64,
    }
}

/// Roles in the vault; none of them reads evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultRole {
    /// Runs the vault: organisations, persons, roles. Cannot be a member of a case.
    Administrator,
    /// Vouches for persons' keys.
    Registrar,
    /// Reads the log, not content.
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
    /// Leads: members, classes, exports.
    Lead,
    /// Registers and reads items.
    Investigator,
    /// Keeps items: registers, classifies, transfers, exports; reads to check.
    Custodian,
    /// Reads and exports.
    Prosecutor,
    /// Reads.
    Reader,
}

/// How sensitive an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Ordinary evidence.
    Open,
    /// Members only, and marked so.
    Confidential,
    /// Sealed to persons; not supported yet, refused.
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

/// How a reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessOutcome {
    /// The reader said that it is done.
    Completed,
    /// The grant ran out.
    Expired,
}

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

impl Act {
    /// Checks the shape of `statement` against its kind's row and types its data.
    /// Kinds that this version does not decide are refused here, by name.
    pub fn parse(statement: &Statement) -> Result<Self, StatementError> {
        check_shape(statement)?;
        let s = statement;
        let act = match s.kind {
            Kind::VaultCreated => Self::VaultCreated(data(s)?),
            Kind::OrgRegistered => Self::OrgRegistered(data(s)?),
            Kind::ClockFault => Self::ClockFault(data(s)?),
            Kind::BundleCompleted => Self::BundleCompleted(data(s)?),
            Kind::PersonRegistered => Self::PersonRegistered(person(s)?, data(s)?),
            Kind::RoleGranted => Self::RoleGranted(person(s)?, data(s)?),
            Kind::RoleRevoked => Self::RoleRevoked(person(s)?, data(s)?),
            Kind::KeyEnrolled => Self::KeyEnrolled(person(s)?, data(s)?),
            Kind::KeyRevoked => Self::KeyRevoked(person(s)?, data(s)?),
            Kind::CaseOpened => Self::CaseOpened(case(s)?, data(s)?),
            Kind::MemberAdded => Self::MemberAdded(case(s)?, data(s)?),
            Kind::MemberRemoved => Self::MemberRemoved(case(s)?, data(s)?),
            Kind::BundleExported => Self::BundleExported(case(s)?, data(s)?),
            Kind::ItemRegistered => Self::ItemRegistered(case(s)?, item(s)?, data(s)?, s.content),
            Kind::ItemClassified => Self::ItemClassified(case(s)?, item(s)?, data(s)?),
            Kind::ContentReceived => Self::ContentReceived(case(s)?, item(s)?, data(s)?, content(s)?),
            Kind::AccessGranted => Self::AccessGranted(case(s)?, item(s)?, data(s)?),
            Kind::AccessCompleted => Self::AccessCompleted(case(s)?, item(s)?, data(s)?),
            Kind::AccessDenied => Self::AccessDenied(s.case, s.item, data(s)?),
            Kind::TransferOffered => {
                let TransferOffered { to } = data(s)?;
                Self::Transfer(case(s)?, TransferStep::Offered(to), offers(s)?)
            }
            Kind::TransferAccepted => Self::Transfer(case(s)?, TransferStep::Accepted, answers(s)?),
            Kind::TransferDeclined => Self::Transfer(case(s)?, TransferStep::Declined, answers(s)?),
            Kind::FixityPassed | Kind::FixityFailed => {
                Self::Fixity(case(s)?, item(s)?, data(s)?, content(s)?)
            }
            Kind::CorrectionNoted => Self::CorrectionNoted(subject(s), data(s)?),
            _ => return Err(shape(s, "is not supported by this version of the rules")),
        };
        Ok(act)
    }
}

fn check_shape(s: &Statement) -> Result<(), StatementError> {
    let spec = s.kind.spec();
    if !spec.supported {
        return Err(shape(s, "is not supported by this version of the rules"));
    }
    if s.vault.is_none() != (s.kind == Kind::VaultCreated) {
        return Err(shape(s, "names its vault (only record 0 cannot)"));
    }
    check_scope(s, spec.scope)?;
    check_speaker(s, spec.speaker)?;
    check_need(s, "content", spec.content, s.content.is_some())?;
    check_need(s, "purpose", spec.purpose, s.purpose.is_some())?;
    if s.fields.len() > MAX_FIELDS {
        return Err(shape(s, "carries at most 64 fields"));
    }
    match s.content {
        Some(content) if content.size > MAX_CONTENT_BYTES => Err(shape(s, "names content below 2^53 bytes")),
        Some(content) if spec.speaker == Speaker::System && content.checked_by != CheckedBy::Vault => {
            Err(shape(s, "carries a digest that the vault computed"))
        }
        Some(content) if spec.speaker != Speaker::System && content.checked_by == CheckedBy::Vault => {
            Err(shape(s, "cannot speak for the vault's digest"))
        }
        _ => Ok(()),
    }
}

fn check_scope(s: &Statement, scope: Scope) -> Result<(), StatementError> {
    let (case, item, person) = (s.case.is_some(), s.item.is_some(), s.person.is_some());
    let list = s.items.is_some();
    if list && !s.kind.takes_item_list() {
        return Err(shape(s, "takes no list of items"));
    }
    if list && (item || s.seen.is_some()) {
        return Err(shape(s, "names either one item or a list, and each of a list has its own `seen`"));
    }
    let fits = match scope {
        Scope::Vault => !case && !item && !person,
        Scope::Person => !case && !item && person,
        Scope::Case => case && !item && !person,
        Scope::Item => case && (item || list) && !person,
        Scope::Any => !(case && person) && (case || !item),
        Scope::Refusal => !person && (case || !item),
    };
    if fits { Ok(()) } else { Err(shape(s, "names exactly the case, item or person that it is about")) }
}

fn check_speaker(s: &Statement, speaker: Speaker) -> Result<(), StatementError> {
    let consistent = (s.actor == Actor::System) == (s.assurance == Assurance::System);
    let allowed = match speaker {
        Speaker::System => s.assurance == Assurance::System,
        Speaker::Person => s.assurance != Assurance::System || founding(s),
        Speaker::OwnKey => s.assurance == Assurance::UserKey,
        Speaker::PersonOrSystem => true,
    };
    if consistent && allowed { Ok(()) } else { Err(shape(s, "is not for this actor and assurance to say")) }
}

/// What the vault itself says while it is being set up: the first organisation, person, roles and the first
/// registrar's key. The rules allow each only while there is nobody else to say it.
fn founding(s: &Statement) -> bool {
    matches!(s.kind, Kind::OrgRegistered | Kind::PersonRegistered | Kind::RoleGranted | Kind::KeyEnrolled)
}

fn check_need(s: &Statement, member: &str, need: Need, there: bool) -> Result<(), StatementError> {
    match (need, there) {
        (Need::Never, true) => Err(shape(s, &format!("has no {member}"))),
        (Need::Required, false) => Err(shape(s, &format!("needs a {member}"))),
        _ => Ok(()),
    }
}

fn offers(s: &Statement) -> Result<Vec<ItemRef>, StatementError> {
    let items = item_list(s)?;
    if items.iter().any(|item| item.offer.is_some()) {
        return Err(shape(s, "names no earlier offer"));
    }
    Ok(items)
}

fn answers(s: &Statement) -> Result<Vec<ItemRef>, StatementError> {
    if let Some(item) = s.item {
        let TransferAnswered { offer } = data(s)?;
        return Ok(vec![ItemRef { item, offer: Some(offer), seen: s.seen }]);
    }
    if !s.data.is_empty() {
        return Err(shape(s, "carries each offer with its item"));
    }
    let items = item_list(s)?;
    if items.iter().any(|item| item.offer.is_none()) {
        return Err(shape(s, "names the offer of each item"));
    }
    Ok(items)
}

fn item_list(s: &Statement) -> Result<Vec<ItemRef>, StatementError> {
    let items = s.item_refs();
    if items.is_empty() || items.len() > MAX_ITEMS {
        return Err(shape(s, "names 1 to 1,000 items"));
    }
    if !items.is_sorted_by(|a, b| a.item < b.item) {
        return Err(shape(s, "lists its items sorted by id, each once"));
    }
    Ok(items)
}

fn subject(s: &Statement) -> Subject {
    match (s.case, s.item, s.person) {
        (Some(case), Some(item), _) => Subject::Item(case, item),
        (Some(case), None, _) => Subject::Case(case),
        (None, _, Some(person)) => Subject::Person(person),
        (None, _, None) => Subject::Vault,
    }
}

fn data<T: serde::de::DeserializeOwned>(s: &Statement) -> Result<T, StatementError> {
    json::from_object(&s.data).map_err(|_| shape(s, "carries the `data` members of its kind and no others"))
}
fn person(s: &Statement) -> Result<PersonId, StatementError> {
    s.person.ok_or_else(|| shape(s, "names a person"))
}
fn case(s: &Statement) -> Result<CaseId, StatementError> {
    s.case.ok_or_else(|| shape(s, "names a case"))
}
fn item(s: &Statement) -> Result<ItemId, StatementError> {
    s.item.ok_or_else(|| shape(s, "names an item"))
}
fn content(s: &Statement) -> Result<Content, StatementError> {
    s.content.ok_or_else(|| shape(s, "needs a content"))
}
fn shape(s: &Statement, problem: &str) -> StatementError {
    StatementError::Shape { kind: s.kind, problem: problem.to_owned() }
}
fn present_uint<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    json::uint(from).map(Some)
}
