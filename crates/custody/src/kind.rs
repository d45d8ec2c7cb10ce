//! The closed set of things that can be said, and the shape each must have.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a kind is about, hence into which sequences its record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The vault stream.
    Vault,
    /// One person's stream.
    Person,
    /// A case's sequence only.
    Case,
    /// An item's stream and its case's sequence.
    Item,
    /// An item, or a case as a whole.
    CaseOrItem,
    /// Whichever the members name: an item, a case, a person, or the vault.
    Any,
    /// An item or a case for a member who was refused; the refusals stream for anybody else.
    Refusal,
}

/// Who may say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The vault itself only.
    System,
    /// A person, by own key or through the vault on the person's behalf.
    Person,
    /// A person by own key; nothing signed on behalf counts.
    OwnKey,
    /// A person or the vault itself.
    PersonOrSystem,
}

/// Whether a member of a statement must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Refused when present.
    Never,
    /// May be there.
    Optional,
    /// Refused when absent.
    Required,
}

/// The row of a kind in the table of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// The name on the wire.
    pub name: &'static str,
    /// What it is about.
    pub scope: Scope,
    /// Who may say it.
    pub speaker: Speaker,
    /// Whether `content` is part of it.
    pub content: Need,
    /// Whether `purpose` is part of it.
    pub purpose: Need,
    /// Whether it changes custody or state, so that it must name the newest such record as `seen`.
    pub changes_state: bool,
    /// Whether this version of the rules decides it; others are typed and refused.
    pub supported: bool,
}

macro_rules! kinds {
    ($($variant:ident $name:literal $scope:ident $speaker:ident $content:ident $purpose:ident $changes:ident $supported:ident;)*) => {
        /// A kind of statement. The set is closed: a new kind is a new version of the format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {$(
            #[doc = concat!("`", $name, "`")]
            $variant,
        )*}

        impl Kind {
            /// Every kind, in the order of the specification.
            pub const ALL: &[Kind] = &[$(Kind::$variant),*];

            /// The kind's row in the table.
            pub const fn spec(self) -> Spec {
                match self {$(
                    Self::$variant => Spec {
                        name: $name,
                        scope: Scope::$scope,
                        speaker: Speaker::$speaker,
                        content: Need::$content,
                        purpose: Need::$purpose,
                        changes_state: kinds!(@ $changes),
                        supported: kinds!(@ $supported),
                    },
                )*}
            }
        }
    };
    (@ state) => { true };
    (@ plain) => { false };
    (@ yes) => { true };
    (@ later) => { false };
}

kinds! {
    VaultCreated       "vault.created"       Vault   System         Never    Never    plain yes;
    OrgRegistered      "org.registered"      Vault   Person         Never    Never    plain yes;
    PolicyChanged      "policy.changed"      Vault   Person         Never    Optional plain later;
    LogKeyRotated      "log-key.rotated"     Vault   System         Never    Never    plain yes;
    LogContinued       "log.continued"       Vault   System         Never    Never    plain yes;
    KekRotated         "kek.rotated"         Vault   System         Never    Never    plain yes;
    KekDestroyed       "kek.destroyed"       Vault   System         Never    Never    plain yes;
    ClockFault         "clock.fault"         Vault   System         Never    Never    plain yes;
    RecoveryNoted      "recovery.noted"      Vault   System         Never    Never    plain yes;
    AnchorNoted        "anchor.noted"        Vault   System         Never    Never    plain yes;
    BundleCompleted    "bundle.completed"    Vault   System         Never    Never    plain yes;
    PersonRegistered   "person.registered"   Person  Person         Never    Never    plain yes;
    PersonSuspended    "person.suspended"    Person  Person         Never    Optional plain yes;
    PersonRestored     "person.restored"     Person  OwnKey         Never    Optional plain yes;
    RoleGranted        "role.granted"        Person  Person         Never    Never    plain yes;
    RoleRevoked        "role.revoked"        Person  Person         Never    Never    plain yes;
    KeyEnrolled        "key.enrolled"        Person  Person         Never    Never    plain yes;
    KeyRevoked         "key.revoked"         Person  Person         Never    Optional plain yes;
    RecipientNamed     "recipient.named"     Person  OwnKey         Never    Never    plain yes;
    CaseOpened         "case.opened"         Case    Person         Never    Never    plain yes;
    CaseUpdated        "case.updated"        Case    Person         Never    Never    plain yes;
    MemberAdded        "member.added"        Case    Person         Never    Never    plain yes;
    MemberRemoved      "member.removed"      Case    Person         Never    Optional plain yes;
    CaseClosed         "case.closed"         Case    Person         Never    Optional plain yes;
    CaseReopened       "case.reopened"       Case    Person         Never    Optional plain yes;
    BundleExported     "bundle.exported"     Case    Person         Never    Required plain yes;
    CertificateIssued  "certificate.issued"  Case    OwnKey         Never    Optional plain later;
    LinkCreated        "link.created"        Case    Person         Never    Optional plain later;
    LinkOpened         "link.opened"         Case    System         Never    Never    plain later;
    LinkRevoked        "link.revoked"        Case    Person         Never    Optional plain later;
    ItemRegistered     "item.registered"     Item    Person         Optional Never    state yes;
    ContentReceived    "content.received"    Item    System         Required Never    plain yes;
    ContentDescribed   "content.described"   Item    Person         Never    Never    plain later;
    ItemClassified     "item.classified"     Item    Person         Never    Optional state yes;
    ItemDerived        "item.derived"        Item    PersonOrSystem Never    Optional plain yes;
    ItemImported       "item.imported"       Item    System         Optional Never    plain later;
    AccessGranted      "access.granted"      Item    Person         Never    Required plain yes;
    AccessCompleted    "access.completed"    Item    PersonOrSystem Never    Never    plain yes;
    AccessDenied       "access.denied"       Refusal System         Never    Never    plain yes;
    AccessBreakGlass   "access.break-glass"  Item    OwnKey         Never    Required plain yes;
    AccessReviewed     "access.reviewed"     Item    OwnKey         Never    Optional plain yes;
    ItemResealed       "item.resealed"       Item    OwnKey         Never    Required plain yes;
    ResealConfirmed    "item.reseal-confirmed" Item  OwnKey         Never    Never    plain yes;
    ResealWithdrawn    "item.reseal-withdrawn" Item  OwnKey         Never    Optional plain yes;
    ProductionProposed "production.proposed" Item    OwnKey         Never    Required plain yes;
    ProductionApproved "production.approved" Item    OwnKey         Never    Optional plain yes;
    ProductionDeclined "production.declined" Item    Person         Never    Optional plain yes;
    ProductionSealed   "production.sealed"   Item    OwnKey         Never    Optional plain yes;
    TransferOffered    "transfer.offered"    Item    OwnKey         Never    Required state yes;
    TransferCarried    "transfer.carried"    Item    OwnKey         Never    Never    state yes;
    TransferAccepted   "transfer.accepted"   Item    OwnKey         Never    Never    state yes;
    TransferDeclined   "transfer.declined"   Item    OwnKey         Never    Optional state yes;
    TransferRecalled   "transfer.recalled"   Item    OwnKey         Never    Optional state yes;
    TransferExpired    "transfer.expired"    Item    System         Never    Never    state yes;
    ItemMoved          "item.moved"          Item    Person         Never    Optional state yes;
    SealApplied        "seal.applied"        Item    Person         Never    Optional state yes;
    SealBroken         "seal.broken"         Item    Person         Never    Required state yes;
    FixityPassed       "fixity.passed"       Item    PersonOrSystem Required Never    plain yes;
    FixityFailed       "fixity.failed"       Item    PersonOrSystem Required Never    plain yes;
    ObjectReplicated   "object.replicated"   Item    System         Never    Never    plain later;
    ObjectRestored     "object.restored"     Item    System         Never    Never    plain later;
    HoldPlaced         "hold.placed"         CaseOrItem Person      Never    Required plain yes;
    HoldReleased       "hold.released"       CaseOrItem OwnKey      Never    Required plain yes;
    RetentionSet       "retention.set"       Item    Person         Never    Optional plain later;
    DisposalProposed   "disposal.proposed"   Any     PersonOrSystem Never    Required plain yes;
    DisposalApproved   "disposal.approved"   Any     OwnKey         Never    Optional plain yes;
    DisposalDeclined   "disposal.declined"   Any     Person         Never    Optional plain yes;
    DisposalExecuted   "disposal.executed"   Item    System         Never    Never    plain yes;
    DisposalCompleted  "disposal.completed"  Any     System         Never    Never    plain yes;
    CorrectionNoted    "correction.noted"    Any     Person         Never    Never    plain yes;
    OpeningErased      "opening.erased"      Any     System         Never    Never    plain yes;
}

/// A name outside the closed set of kinds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of statement")]
pub struct KindError;

impl Kind {
    /// Kinds whose statements may name a list of items instead of one.
    pub const fn takes_item_list(self) -> bool {
        matches!(
            self,
            Self::TransferOffered
                | Self::TransferCarried
                | Self::TransferAccepted
                | Self::TransferDeclined
                | Self::TransferRecalled
                | Self::TransferExpired
                | Self::ItemMoved
        )
    }

    /// Kinds whose records may name the log's next key.
    pub const fn may_name_log_key(self) -> bool {
        matches!(self, Self::LogKeyRotated | Self::LogContinued | Self::RecoveryNoted)
    }
}

impl core::str::FromStr for Kind {
    type Err = KindError;
    fn from_str(text: &str) -> Result<Self, KindError> {
        Self::ALL.iter().copied().find(|kind| kind.spec().name == text).ok_or(KindError)
    }
}
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec().name)
    }
}
impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.spec().name)
    }
}
impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::id::text(from)
    }
}
