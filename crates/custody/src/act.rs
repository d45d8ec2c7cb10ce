//! Acts: statements whose shape was checked, with typed data.
//!
//! [`Act::parse`] is the one place that knows which members a kind has; whoever holds an [`Act`] need not look
//! again. Whether the act is allowed is for [`crate::rules`].

mod case;
#[macro_use]
mod types;
mod derived;
mod life;
mod production;
mod reading;
mod resealing;
mod shape;
mod transfer;

use crate::envelope::{Envelope, PayloadType};
use crate::id::{CaseId, ItemId, PersonId};
use crate::json;
use crate::kind::Kind;
use crate::statement::{Content, ItemRef, MAX_ITEMS, Statement, StatementError};

use case::known_references;
use reading::pairs_fit;

pub use case::{CaseType, CaseTypeError, REFERENCES, ReferenceError, reference_field, reference_in};
pub use derived::{Derivation, DerivationError, ItemDerived, MAX_BOXES, PixelBox, ROUTE_VAULT};
pub use life::{
    Disclosure, DisposalApproved, DisposalCompleted, DisposalDeclined, DisposalExecuted, DisposalProposed,
    DisposalStep, FOR_DISCLOSURE, HoldReleased, HoldStep, KekChanged, KekStep, MAX_ERASED_RECORDS,
};
pub use production::{
    MAX_PRODUCTIONS, ProductionApproved, ProductionDeclined, ProductionProposed, ProductionSealed,
    ProductionStep,
};
pub use reading::{
    AccessBreakGlass, AccessCompleted, AccessDenied, AccessGranted, AccessOutcome, AccessReviewed,
    DID_NOT_OPEN, MAX_PAIRS, OTHER_HALVES, RecipientNamed, STAGE_OPENING, SealedBy, Sealing,
};
pub use resealing::{ItemResealed, ResealConfirmed, ResealStep, ResealWithdrawn};
pub use transfer::{
    Carriage, Carrier, MAX_CARRIERS, OUTSIDE_STATED, TransferAccepted, TransferAnswered, TransferCarried,
    TransferOffered, TransferStep,
};
pub use types::{
    AnchorKind, AnchorNoted, BundleCompleted, BundleExported, CaseOpened, CaseRole, CaseUpdated, Class,
    ClockFault, ContentReceived, CorrectionNoted, FixityChecked, HexError, ItemClassified, ItemRegistered,
    KeyCheck, KeyEnrolled, KeyRevoked, LogAnchor, LogContinued, LogKeyRotated, MAX_ANCHOR_BYTES, MemberAdded,
    MemberChange, NamedAgain, ObjectId, OrgRegistered, PersonRegistered, PersonSuspended, PublicKey,
    RecoveryNoted, RoleChange, RoleGranted, SealBroken, VaultCreated, VaultRole,
};

/// What is done, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// The vault's first record.
    VaultCreated(VaultCreated),
    /// An organisation is entered.
    OrgRegistered(OrgRegistered),
    /// A person is entered.
    PersonRegistered(PersonId, PersonRegistered),
    /// Nothing that a person says counts any more.
    PersonSuspended(PersonId, PersonSuspended),
    /// It counts again.
    PersonRestored(PersonId),
    /// A person gets a role in the vault.
    RoleGranted(PersonId, RoleGranted),
    /// A person loses a role in the vault.
    RoleRevoked(PersonId, RoleChange),
    /// A key becomes a person's.
    KeyEnrolled(PersonId, KeyEnrolled),
    /// A key stops counting.
    KeyRevoked(PersonId, KeyRevoked),
    /// A person says to whom secrets for them are sealed.
    RecipientNamed(PersonId, RecipientNamed),
    /// A case begins; its author becomes its lead.
    CaseOpened(CaseId, CaseOpened),
    /// A case gets another type or jurisdiction, title or references.
    CaseUpdated(CaseId, CaseUpdated),
    /// A case is closed.
    CaseClosed(CaseId),
    /// A closed case is open again.
    CaseReopened(CaseId),
    /// A person gets a role in a case.
    MemberAdded(CaseId, MemberAdded),
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
    /// An item was made from another.
    ItemDerived(CaseId, ItemId, ItemDerived),
    /// A restricted item is sealed anew, one step after the other.
    Reseal(CaseId, ItemId, ResealStep),
    /// The vault holds an item's bytes.
    ContentReceived(CaseId, ItemId, ContentReceived, Content),
    /// A person may read an item's bytes.
    AccessGranted(CaseId, ItemId, AccessGranted),
    /// A person who may not read an item's bytes reads them all the same, for a short time.
    AccessBreakGlass(CaseId, ItemId, AccessBreakGlass),
    /// Somebody of the case has looked at why.
    AccessReviewed(CaseId, ItemId, AccessReviewed),
    /// A reading is over.
    AccessCompleted(CaseId, ItemId, AccessCompleted),
    /// Somebody was refused.
    AccessDenied(Option<CaseId>, Option<ItemId>, AccessDenied),
    /// Custody is offered, or the offer comes to its end, one decision an item.
    Transfer(CaseId, TransferStep, Vec<ItemRef>),
    /// Items are at another place.
    ItemMoved(CaseId, Vec<ItemRef>),
    /// An item is sealed.
    SealApplied(CaseId, ItemId),
    /// An item's seal is broken.
    SealBroken(CaseId, ItemId, SealBroken),
    /// An item's stored bytes were read back and matched, or did not.
    Fixity(CaseId, ItemId, FixityChecked, Content),
    /// What may not be destroyed: an item, or everything in a case.
    Hold(CaseId, Option<ItemId>, HoldStep),
    /// Something is destroyed for good: the content of an item, or openings of personal fields.
    Disposal(Subject, DisposalStep),
    /// Restricted content is produced to a court that ordered it.
    Production(CaseId, ItemId, ProductionStep),
    /// The key that wraps all other keys is replaced, or a version of it destroyed.
    Kek(KekStep, KekChanged),
    /// Something said earlier is corrected; what was said stays.
    CorrectionNoted(Subject, CorrectionNoted),
    /// The vault's clocks disagree.
    ClockFault(ClockFault),
    /// What an outsider said about a checkpoint: everything recorded from here on is younger.
    AnchorNoted(AnchorNoted),
    /// A restore lost published records.
    RecoveryNoted(RecoveryNoted),
    /// The log's key is replaced by the next one.
    LogKeyRotated(LogKeyRotated),
    /// The log's key is given up, and the log goes on under another name.
    LogContinued(LogContinued),
}

/// The log's next key, as a record names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextLogKey<'a> {
    /// Its verifier key.
    pub log_vkey: &'a str,
    /// The verifier key that it replaces.
    pub previous: &'a str,
    /// Where the key before is given up and the log goes on under another name: from what.
    pub continued: Option<&'a LogContinued>,
    /// Log index of the first of the lost records before this one: one of them may have named the key already.
    pub lost_from: Option<u64>,
}

impl Act {
    /// The act of a statement in its envelope; nothing if it cannot be read.
    pub fn of_envelope(envelope: &[u8]) -> Option<Self> {
        let envelope = Envelope::parse(envelope, PayloadType::Statement).ok()?;
        Self::parse(&Statement::parse(envelope.body()).ok()?).ok()
    }

    /// The key that the log has from this act's record on, if it gets another one.
    pub fn next_log_key(&self) -> Option<NextLogKey<'_>> {
        match self {
            Self::LogKeyRotated(d) => Some(d.into()),
            Self::LogContinued(d) => Some(d.into()),
            Self::RecoveryNoted(noted) => {
                let next: NextLogKey<'_> = match noted.log_key.as_deref()? {
                    NamedAgain::Rotated(d) => d.into(),
                    NamedAgain::Continued(d) => d.into(),
                };
                Some(NextLogKey { lost_from: Some(noted.from), ..next })
            }
            _ => None,
        }
    }
}

impl<'a> From<&'a LogKeyRotated> for NextLogKey<'a> {
    fn from(d: &'a LogKeyRotated) -> Self {
        Self { log_vkey: &d.log_vkey, previous: &d.previous, continued: None, lost_from: None }
    }
}

impl<'a> From<&'a LogContinued> for NextLogKey<'a> {
    fn from(d: &'a LogContinued) -> Self {
        Self { log_vkey: &d.log_vkey, previous: &d.previous, continued: Some(d), lost_from: None }
    }
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

impl Act {
    /// Checks the shape of `statement` against its kind's row and types its data.
    /// Kinds that this version does not decide are refused here, by name.
    pub fn parse(statement: &Statement) -> Result<Self, StatementError> {
        shape::check(statement)?;
        let s = statement;
        let act = match s.kind {
            Kind::VaultCreated => Self::VaultCreated(data(s)?),
            Kind::OrgRegistered => Self::OrgRegistered(data(s)?),
            Kind::ClockFault => Self::ClockFault(data(s)?),
            Kind::AnchorNoted => Self::AnchorNoted(data(s)?),
            Kind::RecoveryNoted => Self::RecoveryNoted(lost(s)?),
            Kind::LogKeyRotated => Self::LogKeyRotated(data(s)?),
            Kind::LogContinued => Self::LogContinued(data(s)?),
            Kind::BundleCompleted => Self::BundleCompleted(data(s)?),
            Kind::PersonRegistered => Self::PersonRegistered(person(s)?, data(s)?),
            Kind::PersonSuspended => Self::PersonSuspended(person(s)?, data(s)?),
            Kind::PersonRestored => {
                no_data(s)?;
                Self::PersonRestored(person(s)?)
            }
            Kind::RoleGranted => Self::RoleGranted(person(s)?, data(s)?),
            Kind::RoleRevoked => Self::RoleRevoked(person(s)?, data(s)?),
            Kind::KeyEnrolled => Self::KeyEnrolled(person(s)?, data(s)?),
            Kind::KeyRevoked => Self::KeyRevoked(person(s)?, data(s)?),
            Kind::RecipientNamed => Self::RecipientNamed(person(s)?, data(s)?),
            Kind::CaseOpened => {
                known_references(s)?;
                Self::CaseOpened(case(s)?, data(s)?)
            }
            Kind::CaseUpdated => {
                known_references(s)?;
                if s.data.is_empty() && s.fields.is_empty() {
                    return Err(shape(s, "changes something"));
                }
                Self::CaseUpdated(case(s)?, data(s)?)
            }
            Kind::CaseClosed => {
                no_data(s)?;
                Self::CaseClosed(case(s)?)
            }
            Kind::CaseReopened => {
                no_data(s)?;
                Self::CaseReopened(case(s)?)
            }
            Kind::MemberAdded => Self::MemberAdded(case(s)?, data(s)?),
            Kind::MemberRemoved => Self::MemberRemoved(case(s)?, data(s)?),
            Kind::BundleExported => Self::BundleExported(case(s)?, exported(s)?),
            Kind::ItemRegistered => registered(s)?,
            Kind::ItemClassified => {
                let classified: ItemClassified = data(s)?;
                sealed_as_its_class(s, classified.class, classified.sealing.as_ref())?;
                Self::ItemClassified(case(s)?, item(s)?, classified)
            }
            Kind::ItemDerived => Self::ItemDerived(case(s)?, item(s)?, derived::parse(s)?),
            Kind::ContentReceived => reading::received(s)?,
            Kind::AccessGranted => Self::AccessGranted(case(s)?, item(s)?, data(s)?),
            Kind::AccessBreakGlass => {
                committed(s, "reason")?;
                Self::AccessBreakGlass(case(s)?, item(s)?, data(s)?)
            }
            Kind::AccessReviewed => {
                committed(s, "finding")?;
                Self::AccessReviewed(case(s)?, item(s)?, data(s)?)
            }
            Kind::AccessCompleted => Self::AccessCompleted(case(s)?, item(s)?, data(s)?),
            Kind::AccessDenied => Self::AccessDenied(s.case, s.item, data(s)?),
            Kind::TransferOffered
            | Kind::TransferCarried
            | Kind::TransferAccepted
            | Kind::TransferDeclined
            | Kind::TransferRecalled
            | Kind::TransferExpired => {
                let (step, items) = transfer::parse(s)?;
                Self::Transfer(case(s)?, step, items)
            }
            Kind::ItemMoved => {
                committed(s, "place")?;
                no_data(s)?;
                Self::ItemMoved(case(s)?, without_offers(s)?)
            }
            Kind::SealApplied => {
                committed(s, "seal")?;
                no_data(s)?;
                Self::SealApplied(case(s)?, item(s)?)
            }
            Kind::SealBroken => Self::SealBroken(case(s)?, item(s)?, data(s)?),
            Kind::FixityPassed | Kind::FixityFailed => reading::checked(s)?,
            Kind::CorrectionNoted => Self::CorrectionNoted(subject(s), data(s)?),
            Kind::ProductionProposed
            | Kind::ProductionApproved
            | Kind::ProductionDeclined
            | Kind::ProductionSealed => production::parse(s)?,
            _ => return life::parse(s),
        };
        Ok(act)
    }
}

fn without_offers(s: &Statement) -> Result<Vec<ItemRef>, StatementError> {
    let items = item_list(s)?;
    if items.iter().any(|item| item.offer.is_some()) {
        return Err(shape(s, "names no earlier offer"));
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

/// What an act would say nothing without, though only its author and those who are shown it can read it.
fn committed(s: &Statement, field: &str) -> Result<(), StatementError> {
    if s.fields.keys().any(|name| name.as_str() == field) {
        Ok(())
    } else {
        Err(shape(s, &format!("commits to a field `{field}`")))
    }
}

fn registered(s: &Statement) -> Result<Act, StatementError> {
    let registered: ItemRegistered = data(s)?;
    derived::route(s, &registered)?;
    sealed_as_its_class(s, registered.class, registered.sealing.as_ref())?;
    reading::by_sender(s, registered.sealing.as_ref(), registered.sealed_by)?;
    Ok(Act::ItemRegistered(case(s)?, item(s)?, registered, s.content))
}

/// A restricted item names who opens it, and no other does.
fn sealed_as_its_class(s: &Statement, class: Class, sealing: Option<&Sealing>) -> Result<(), StatementError> {
    let Some(sealing) = sealing else {
        return if class == Class::Restricted {
            Err(shape(s, "names the pairs to whom a restricted item is sealed"))
        } else {
            Ok(())
        };
    };
    if class == Class::Restricted {
        pairs_fit(s, sealing)
    } else {
        Err(shape(s, "seals restricted items only"))
    }
}

/// The productions that a bundle carries are named in one way.
fn exported(s: &Statement) -> Result<BundleExported, StatementError> {
    let exported: BundleExported = data(s)?;
    let named = exported.productions.as_deref();
    if named.is_some_and(|named| {
        !(1..=MAX_PRODUCTIONS).contains(&named.len()) || !named.is_sorted_by(|a, b| a < b)
    }) {
        return Err(shape(s, "names 1 to 100 productions, sorted, each once, or none"));
    }
    Ok(exported)
}

fn no_data(s: &Statement) -> Result<(), StatementError> {
    if s.data.is_empty() { Ok(()) } else { Err(shape(s, "carries no `data`")) }
}

/// Record 0 is never lost: without it there is no vault that could say so.
fn lost(s: &Statement) -> Result<RecoveryNoted, StatementError> {
    let noted: RecoveryNoted = data(s)?;
    if noted.from == 0 || noted.from >= noted.to {
        return Err(shape(s, "names at least one entry after record 0"));
    }
    Ok(noted)
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
